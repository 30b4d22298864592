/* monitor/cmd_misc.c - QMP: the protocol itself, and what program and guest are called.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cpu/accel.h"
#include "machine/machine.h"
#include "monitor/impl.h"

/* QEMU whose interface this is. */
enum { QEMU_MAJOR = 7, QEMU_MINOR = 2, QEMU_MICRO = 0 };

/* ---- the protocol ---- */

/* clang-format off */
QMP_ENUM_TYPE(capability, "oob");
QMP_LIST_TYPE(capability_list, capability);
QMP_OBJECT_TYPE(capabilities_args, OPTIONAL("enable", capability_list));
QMP_OBJECT_TYPE(name_info, REQUIRED("name", qmp_str));
QMP_LIST_TYPE(name_info_list, name_info);
/* clang-format on */

static struct json_object *run_capabilities(struct qmp_call *call)
{
	struct json_object *enable = qmp_arg(call, "enable");
	bool has_oob = enable && json_object_array_length(enable) > 0;

	if (!call->session)
		return qmp_fail(call, QMP_COMMAND_NOT_FOUND,
				"Capabilities negotiation is already complete, command ignored");
	session_negotiated(call->session, has_oob);
	return qmp_ok();
}

static void add_command(const struct qmp_command *c, void *list)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "name", c->name);
	json_object_array_add(list, o);
}

static struct json_object *run_query_commands(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array();

	(void)call;
	qmp_commands_each(add_command, list);
	return list;
}

/* clang-format off */
static const struct qmp_type schema_info; /* its own type would need itself: told as QEMU does */
QMP_ENUM_TYPE(schema_meta_type, "builtin", "enum", "array", "object", "alternate", "command",
	      "event");
static const struct qmp_member schema_info_members[] = {
	REQUIRED("name", qmp_str), REQUIRED("meta-type", schema_meta_type),
	OPTIONAL("features", qmp_str_list), { 0 }
};
QMP_ENUM_TYPE(json_kind, "string", "number", "int", "boolean", "null", "object", "array", "value");
QMP_OBJECT_TYPE(schema_builtin, REQUIRED("json-type", json_kind));
QMP_OBJECT_TYPE(schema_enum_member, REQUIRED("name", qmp_str), OPTIONAL("features", qmp_str_list));
QMP_LIST_TYPE(schema_enum_list, schema_enum_member);
QMP_OBJECT_TYPE(schema_enum, REQUIRED("members", schema_enum_list),
		REQUIRED("values", qmp_str_list));
QMP_OBJECT_TYPE(schema_array, REQUIRED("element-type", qmp_str));
QMP_OBJECT_TYPE(schema_member, REQUIRED("name", qmp_str), REQUIRED("type", qmp_str),
		OPTIONAL("default", qmp_any), OPTIONAL("features", qmp_str_list));
QMP_LIST_TYPE(schema_member_list, schema_member);
QMP_OBJECT_TYPE(schema_variant, REQUIRED("case", qmp_str), REQUIRED("type", qmp_str));
QMP_LIST_TYPE(schema_variant_list, schema_variant);
QMP_OBJECT_TYPE(schema_object, REQUIRED("members", schema_member_list), OPTIONAL("tag", qmp_str),
		OPTIONAL("variants", schema_variant_list));
QMP_OBJECT_TYPE(schema_choice, REQUIRED("type", qmp_str));
QMP_LIST_TYPE(schema_choice_list, schema_choice);
QMP_OBJECT_TYPE(schema_alternate, REQUIRED("members", schema_choice_list));
QMP_OBJECT_TYPE(schema_command, REQUIRED("arg-type", qmp_str), REQUIRED("ret-type", qmp_str),
		OPTIONAL("allow-oob", qmp_bool));
QMP_OBJECT_TYPE(schema_event, REQUIRED("arg-type", qmp_str));
static const struct qmp_variant schema_info_variants[] = {
	{ "builtin", &schema_builtin }, { "enum", &schema_enum }, { "array", &schema_array },
	{ "object", &schema_object }, { "alternate", &schema_alternate },
	{ "command", &schema_command }, { "event", &schema_event }, { 0 }
};
static const struct qmp_type schema_info = {
	.meta = QMP_OBJECT, .name = "schema_info", .members = schema_info_members,
	.tag = "meta-type", .variants = schema_info_variants,
};
QMP_LIST_TYPE(schema_info_list, schema_info);
/* clang-format on */

static struct json_object *run_query_qmp_schema(struct qmp_call *call)
{
	(void)call;
	return qmp_schema();
}

/* ---- versions and names ---- */

/* clang-format off */
QMP_OBJECT_TYPE(version_triple, REQUIRED("major", qmp_int), REQUIRED("minor", qmp_int),
		REQUIRED("micro", qmp_int));
QMP_OBJECT_TYPE(version_info, REQUIRED("qemu", version_triple), REQUIRED("package", qmp_str));
QMP_OBJECT_TYPE(guest_name, OPTIONAL("name", qmp_str));
QMP_OBJECT_TYPE(uuid_info, REQUIRED("UUID", qmp_str));
QMP_ENUM_TYPE(target_arch, "aarch64", "x86_64");
QMP_OBJECT_TYPE(target_info, REQUIRED("arch", target_arch));
QMP_OBJECT_TYPE(kvm_info, REQUIRED("enabled", qmp_bool), REQUIRED("present", qmp_bool));
QMP_ENUM_TYPE(accelerator, "kvm", "qtest", "tcg", "xen");
QMP_LIST_TYPE(accelerator_list, accelerator);
QMP_OBJECT_TYPE(accelerators_info, REQUIRED("enabled", accelerator),
		REQUIRED("present", accelerator_list));
/* clang-format on */

struct json_object *qmp_version(const struct monitor_config *env)
{
	struct json_object *o = json_object_new_object(), *qemu = json_object_new_object();
	char package[64];

	json_put_int(qemu, "micro", QEMU_MICRO);
	json_put_int(qemu, "minor", QEMU_MINOR);
	json_put_int(qemu, "major", QEMU_MAJOR);
	json_object_object_add(o, "qemu", qemu);
	snprintf(package, sizeof(package), "Rhea %s", env->version);
	json_put_str(o, "package", package);
	return o;
}

static struct json_object *run_query_version(struct qmp_call *call)
{
	return qmp_version(call->env);
}

static struct json_object *run_query_name(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();

	if (call->env->guest_name)
		json_put_str(o, "name", call->env->guest_name);
	return o;
}

static struct json_object *run_query_uuid(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();
	char text[37], *at = text;

	for (unsigned i = 0; i < sizeof(call->env->uuid); i++)
		at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      call->env->uuid[i]);
	json_put_str(o, "UUID", text);
	return o;
}

static struct json_object *run_query_target(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "arch", call->env->target);
	return o;
}

/* Built in, and this host could have it. */
static bool is_present(const struct accel_ops *ops)
{
	struct err err;

	return !ops->available || ops->available(&err);
}

static struct json_object *run_query_kvm(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();
	const struct accel *a = call->env->machine->accel;
	struct err err;
	const struct accel_ops *kvm = accel_find(accel_list, "kvm", &err);

	json_put_bool(o, "enabled", a && a->ops == kvm);
	json_put_bool(o, "present", kvm && is_present(kvm));
	return o;
}

/* As newer QEMUs have it. */
static struct json_object *run_query_accelerators(struct qmp_call *call)
{
	const struct accel *a = call->env->machine->accel;
	struct json_object *o, *list;

	if (!a)
		return qmp_fail(call, QMP_GENERIC_ERROR, "the machine has no accelerator");
	o = json_object_new_object();
	list = json_object_new_array();
	for (unsigned i = 0; accel_list[i]; i++)
		if (is_present(accel_list[i]))
			json_object_array_add(list, json_object_new_string(accel_list[i]->name));
	json_put_str(o, "enabled", a->ops->name);
	json_object_object_add(o, "present", list);
	return o;
}

/* ---- the human monitor ---- */

/* clang-format off */
QMP_OBJECT_TYPE(human_args, REQUIRED("command-line", qmp_str), OPTIONAL("cpu-index", qmp_int));
/* clang-format on */

/* Its lines end as they do at a terminal: QEMU's do, and programs split them there. */
static struct json_object *run_human_command(struct qmp_call *call)
{
	const struct monitor_host *h = &call->env->host;
	struct json_object *o;
	g_autofree char *text = NULL;
	GString *lines;

	if (!h->human_command)
		return qmp_fail(call, QMP_GENERIC_ERROR, "there is no human monitor");
	text = h->human_command(h->opaque, qmp_arg_str(call, "command-line"),
				(int)qmp_arg_int(call, "cpu-index", 0), &call->err);
	if (!text)
		return NULL;
	lines = g_string_sized_new(strlen(text) + 16);
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			g_string_append_c(lines, '\r');
		g_string_append_c(lines, *p);
	}
	o = json_object_new_string_len(lines->str, (int)lines->len);
	g_string_free(lines, TRUE);
	return o;
}

const struct qmp_command qmp_misc_commands[] = {
	{ "qmp_capabilities", run_capabilities, .args = &capabilities_args,
	  .is_negotiation = true },
	{ "query-version", run_query_version, .returns = &version_info },
	{ "query-commands", run_query_commands, .returns = &name_info_list },
	{ "query-qmp-schema", run_query_qmp_schema, .returns = &schema_info_list },
	{ "query-name", run_query_name, .returns = &guest_name },
	{ "query-uuid", run_query_uuid, .returns = &uuid_info },
	{ "query-target", run_query_target, .returns = &target_info },
	{ "query-kvm", run_query_kvm, .returns = &kvm_info },
	{ "query-accelerators", run_query_accelerators, .returns = &accelerators_info },
	{ "human-monitor-command", run_human_command, .args = &human_args, .returns = &qmp_str },
	{ 0 },
};
