/* monitor/cmd_cpu.c - QMP: machines, CPU models, vCPUs.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cpu/accel.h"
#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "machine/cpu_object.h"
#include "machine/machine.h"
#include "monitor/impl.h"
#include "object/object.h"

/* ---- machines ---- */

/* clang-format off */
QMP_OBJECT_TYPE(machine_info, REQUIRED("name", qmp_str), OPTIONAL("alias", qmp_str),
		OPTIONAL("is-default", qmp_bool), REQUIRED("cpu-max", qmp_int),
		REQUIRED("hotpluggable-cpus", qmp_bool), REQUIRED("numa-mem-supported", qmp_bool),
		REQUIRED("deprecated", qmp_bool), OPTIONAL("default-cpu-type", qmp_str),
		OPTIONAL("default-ram-id", qmp_str));
QMP_LIST_TYPE(machine_info_list, machine_info);
/* clang-format on */

/* libvirt gives a domain without <cpu> the default by name, as one of the models that it knows
 * itself, and refuses one called "max": who is told of no default asks for none. */
static char *default_cpu_type(const struct machine_type *t)
{
	return t->arch && strcmp(t->arch->default_model, "max")
		       ? cpu_object_type_name(t->arch, t->arch->default_model)
		       : NULL;
}

static struct json_object *machine_row(const struct machine_type *t)
{
	struct json_object *o = json_object_new_object();
	char *cpu = default_cpu_type(t);

	json_put_str(o, "name", t->name);
	if (t->alias)
		json_put_str(o, "alias", t->alias);
	json_put_int(o, "cpu-max", t->max_cpus);
	json_put_bool(o, "hotpluggable-cpus", false);
	json_put_bool(o, "numa-mem-supported", false);
	json_put_bool(o, "deprecated", false);
	if (cpu)
		json_put_str(o, "default-cpu-type", cpu);
	if (t->default_ram)
		json_put_str(o, "default-ram-id", "ram");
	g_free(cpu);
	return o;
}

static struct json_object *run_query_machines(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array();

	(void)call;
	for (unsigned i = 0; machine_types[i]; i++)
		json_object_array_add(list, machine_row(machine_types[i]));
	return list;
}

/* ---- models ---- */

/* clang-format off */
QMP_OBJECT_TYPE(cpu_definition, REQUIRED("name", qmp_str), OPTIONAL("migration-safe", qmp_bool),
		REQUIRED("static", qmp_bool), OPTIONAL("unavailable-features", qmp_str_list),
		REQUIRED("typename", qmp_str), OPTIONAL("alias-of", qmp_str),
		REQUIRED("deprecated", qmp_bool));
QMP_LIST_TYPE(cpu_definition_list, cpu_definition);
QMP_ENUM_TYPE(expansion_type, "static", "full");
QMP_OBJECT_TYPE(cpu_model, REQUIRED("name", qmp_str), OPTIONAL("props", qmp_any));
QMP_OBJECT_TYPE(expansion_args, REQUIRED("type", expansion_type), REQUIRED("model", cpu_model));
QMP_OBJECT_TYPE(expansion_info, REQUIRED("model", cpu_model));
/* clang-format on */

/* The target's; a machine without CPUs has the binary's. */
static const struct arch_ops *target_arch(const struct qmp_call *call)
{
	if (call->env->machine->type->arch)
		return call->env->machine->type->arch;
	for (unsigned i = 0; machine_types[i]; i++)
		if (machine_types[i]->arch &&
		    !strcmp(machine_types[i]->arch->name, call->env->target))
			return machine_types[i]->arch;
	return NULL;
}

static void add_missing(const char *feature, void *list)
{
	json_object_array_add(list, json_object_new_string(feature));
}

static struct json_object *run_query_cpu_definitions(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array();
	const struct arch_ops *arch = target_arch(call);

	for (unsigned i = 0; arch && arch->cpu_models[i]; i++) {
		const char *model = arch->cpu_models[i];
		struct json_object *o = json_object_new_object(),
				   *missing = json_object_new_array();
		char *type = cpu_object_type_name(arch, model);

		arch->cpu_missing(model, call->env->machine->accel, add_missing, missing);
		json_put_str(o, "name", model);
		json_put_str(o, "typename", type);
		json_object_object_add(o, "unavailable-features", missing);
		json_put_bool(o, "static", false);
		/* What this build or this host can. */
		json_put_bool(o, "migration-safe",
			      strcmp(model, "max") != 0 && strcmp(model, "host") != 0);
		json_put_bool(o, "deprecated", false);
		json_object_array_add(list, o);
		g_free(type);
	}
	return list;
}

static void put_prop(const struct arch_cpu_prop *p, void *props)
{
	if (!p->text)
		json_put_bool(props, p->name, p->is_on);
	else if (p->is_number)
		json_put_int(props, p->name, strtoll(p->text, NULL, 10));
	else
		json_put_str(props, p->name, p->text);
}

/* "NAME,key=value,..." as -cpu takes it; NULL: call->err.  Managers ask for "host" to learn what
 * there is: where the accelerator has none, "max" tells, which has what the translator has. */
static char *model_text(struct qmp_call *call)
{
	struct json_object *model = qmp_arg(call, "model"), *props;
	const char *name = json_object_get_string(json_object_object_get(model, "name"));
	const struct accel *accel = call->env->machine->accel;
	bool has_host = accel && accel->ops->has_host_cpu;
	GString *text = g_string_new(!strcmp(name, "host") && !has_host ? "max" : name);

	if (strchr(text->str, ',')) {
		qmp_fail(call, QMP_GENERIC_ERROR, "'%.200s' is no CPU model", text->str);
		return g_string_free(text, TRUE);
	}
	if (!json_object_object_get_ex(model, "props", &props))
		return g_string_free(text, FALSE);
	if (json_object_get_type(props) != json_type_object) {
		qmp_fail(call, QMP_GENERIC_ERROR,
			 "Invalid parameter type for 'model.props', expected: object");
		return g_string_free(text, TRUE);
	}
	json_object_object_foreach(props, key, value)
	{
		const char *word = json_object_get_string(value);

		if (json_object_get_type(value) == json_type_boolean)
			word = json_object_get_boolean(value) ? "on" : "off";
		if (!word || strchr(word, ',') || strpbrk(key, ",=")) {
			qmp_fail(call, QMP_GENERIC_ERROR, "'%.200s' is no CPU property", key);
			return g_string_free(text, TRUE);
		}
		g_string_append_printf(text, ",%s=%s", key, word);
	}
	return g_string_free(text, FALSE);
}

static struct json_object *run_query_cpu_model_expansion(struct qmp_call *call)
{
	const struct arch_ops *arch = target_arch(call);
	struct json_object *o, *model, *props;
	char *text = model_text(call);
	bool ok;

	if (!text)
		return NULL;
	props = json_object_new_object();
	ok = arch ? arch->cpu_expand(text, call->env->machine->accel, put_prop, props, &call->err)
		  : err_set(&call->err, 0, "there are no CPU models");
	if (!ok) {
		json_object_put(props);
		g_free(text);
		return NULL;
	}
	o = json_object_new_object();
	model = json_object_new_object();
	json_put_str(
		model, "name",
		json_object_get_string(json_object_object_get(qmp_arg(call, "model"), "name")));
	json_object_object_add(model, "props", props);
	json_object_object_add(o, "model", model);
	g_free(text);
	return o;
}

/* ---- vCPUs ---- */

/* clang-format off */
QMP_ENUM_TYPE(cpu_target, "aarch64", "x86_64");
QMP_OBJECT_TYPE(cpu_props, OPTIONAL("node-id", qmp_int), OPTIONAL("socket-id", qmp_int),
		OPTIONAL("die-id", qmp_int), OPTIONAL("core-id", qmp_int),
		OPTIONAL("thread-id", qmp_int));
QMP_OBJECT_TYPE(cpu_info, REQUIRED("cpu-index", qmp_int), REQUIRED("qom-path", qmp_str),
		REQUIRED("thread-id", qmp_int), OPTIONAL("props", cpu_props),
		REQUIRED("target", cpu_target));
QMP_LIST_TYPE(cpu_info_list, cpu_info);
QMP_OBJECT_TYPE(hotpluggable_cpu, REQUIRED("type", qmp_str), REQUIRED("vcpus-count", qmp_int),
		REQUIRED("props", cpu_props), OPTIONAL("qom-path", qmp_str));
QMP_LIST_TYPE(hotpluggable_cpu_list, hotpluggable_cpu);
/* clang-format on */

static struct json_object *place_of(const struct machine *m, unsigned index)
{
	const struct smp_config *s = &m->config.smp;
	struct json_object *o = json_object_new_object();
	unsigned cores = index / s->threads, dies = cores / s->cores;

	json_put_int(o, "thread-id", index % s->threads);
	json_put_int(o, "core-id", cores % s->cores);
	json_put_int(o, "die-id", dies % s->dies);
	json_put_int(o, "socket-id", dies / s->dies);
	return o;
}

static void put_path(struct json_object *o, const struct vcpu *v)
{
	char *path = v->obj ? object_path(v->obj) : g_strdup("");

	json_put_str(o, "qom-path", path);
	g_free(path);
}

static struct json_object *run_query_cpus_fast(struct qmp_call *call)
{
	const struct machine *m = call->env->machine;
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < m->cpu_count; i++) {
		struct json_object *o = json_object_new_object();

		json_put_int(o, "cpu-index", i);
		put_path(o, m->cpus[i]);
		json_put_int(o, "thread-id", vcpu_tid(m->cpus[i]));
		json_object_object_add(o, "props", place_of(m, i));
		json_put_str(o, "target", m->type->arch->name);
		json_object_array_add(list, o);
	}
	return list;
}

/* No board has more places than CPUs yet. */
static struct json_object *run_query_hotpluggable_cpus(struct qmp_call *call)
{
	return qmp_fail(call, QMP_GENERIC_ERROR,
			"The feature 'query-hotpluggable-cpus' is not enabled");
}

const struct qmp_command qmp_cpu_commands[] = {
	{ "query-machines", run_query_machines, .returns = &machine_info_list },
	{ "query-cpu-definitions", run_query_cpu_definitions, .returns = &cpu_definition_list },
	{ "query-cpu-model-expansion", run_query_cpu_model_expansion, .args = &expansion_args,
	  .returns = &expansion_info },
	{ "query-cpus-fast", run_query_cpus_fast, .returns = &cpu_info_list },
	{ "query-hotpluggable-cpus", run_query_hotpluggable_cpus,
	  .returns = &hotpluggable_cpu_list },
	{ 0 },
};
