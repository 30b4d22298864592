/* monitor/cmd_stats.c - QMP: trace points and statistics.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/log.h"
#include "cpu/accel.h"
#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "monitor/impl.h"
#include "object/object.h"

/* ---- trace points ---- */

/* clang-format off */
QMP_ENUM_TYPE(trace_state, "unavailable", "disabled", "enabled");
QMP_OBJECT_TYPE(trace_info, REQUIRED("name", qmp_str), REQUIRED("state", trace_state),
		REQUIRED("vcpu", qmp_bool));
QMP_LIST_TYPE(trace_info_list, trace_info);
QMP_OBJECT_TYPE(trace_get_args, REQUIRED("name", qmp_str), OPTIONAL("vcpu", qmp_int));
QMP_OBJECT_TYPE(trace_set_args, REQUIRED("name", qmp_str), REQUIRED("enable", qmp_bool),
		OPTIONAL("ignore-unavailable", qmp_bool), OPTIONAL("vcpu", qmp_int));
/* clang-format on */

/* NULL and call->err when there is no such point; a pattern may match none. */
static struct json_object *check_trace_name(struct qmp_call *call)
{
	const char *name = qmp_arg_str(call, "name");

	if (qmp_has(call, "vcpu"))
		return qmp_fail(call, QMP_GENERIC_ERROR, "trace points are not per vCPU");
	if (strpbrk(name, "*?"))
		return qmp_ok();
	for (unsigned i = 0; i < TRACE_COUNT; i++)
		if (!strcmp(trace_name((enum trace_id)i), name))
			return qmp_ok();
	return qmp_fail(call, QMP_GENERIC_ERROR, "unknown event \"%.200s\"", name);
}

static struct json_object *run_trace_get(struct qmp_call *call)
{
	const char *pattern = qmp_arg_str(call, "name");
	struct json_object *list = check_trace_name(call);

	if (!list)
		return NULL;
	json_object_put(list);
	list = json_object_new_array();
	for (unsigned i = 0; i < TRACE_COUNT; i++) {
		const char *name = trace_name((enum trace_id)i);
		struct json_object *o;

		if (!g_pattern_match_simple(pattern, name))
			continue;
		o = json_object_new_object();
		json_put_str(o, "name", name);
		json_put_str(o, "state", trace_on((enum trace_id)i) ? "enabled" : "disabled");
		json_put_bool(o, "vcpu", false);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *run_trace_set(struct qmp_call *call)
{
	struct json_object *done = check_trace_name(call);
	struct err none_matches;

	if (done)
		trace_set_pattern(qmp_arg_str(call, "name"), qmp_arg_bool(call, "enable", false),
				  &none_matches);
	return done;
}

/* ---- statistics ---- */

/* clang-format off */
QMP_ENUM_TYPE(stats_provider, "kvm", "tcg");
QMP_ENUM_TYPE(stats_target, "vm", "vcpu");
QMP_ENUM_TYPE(stats_kind, "cumulative", "instant", "peak", "linear-histogram", "log2-histogram");
QMP_ENUM_TYPE(stats_unit, "bytes", "seconds", "cycles", "boolean");
QMP_OBJECT_TYPE(stats_request, REQUIRED("provider", stats_provider),
		OPTIONAL("names", qmp_str_list));
QMP_LIST_TYPE(stats_request_list, stats_request);
static const struct qmp_member stats_args_members[] = {
	REQUIRED("target", stats_target), OPTIONAL("providers", stats_request_list), { 0 }
};
QMP_OBJECT_TYPE(stats_vcpu_args, OPTIONAL("vcpus", qmp_str_list));
static const struct qmp_variant stats_args_variants[] = { { "vcpu", &stats_vcpu_args }, { 0 } };
static const struct qmp_type stats_args = {
	.meta = QMP_OBJECT, .name = "stats_args", .members = stats_args_members,
	.tag = "target", .variants = stats_args_variants,
};
QMP_LIST_TYPE(stats_numbers, qmp_uint);
static const struct qmp_member stats_value_members[] = {
	REQUIRED("scalar", qmp_uint), REQUIRED("boolean", qmp_bool),
	REQUIRED("list", stats_numbers), { 0 }
};
static const struct qmp_type stats_value = {
	.meta = QMP_ALTERNATE, .name = "stats_value", .members = stats_value_members,
};
QMP_OBJECT_TYPE(stats_stat, REQUIRED("name", qmp_str), REQUIRED("value", stats_value));
QMP_LIST_TYPE(stats_stat_list, stats_stat);
QMP_OBJECT_TYPE(stats_result, REQUIRED("provider", stats_provider), OPTIONAL("qom-path", qmp_str),
		REQUIRED("stats", stats_stat_list));
QMP_LIST_TYPE(stats_result_list, stats_result);
QMP_OBJECT_TYPE(stats_schemas_args, OPTIONAL("provider", stats_provider));
QMP_OBJECT_TYPE(stats_schema_value, REQUIRED("name", qmp_str), REQUIRED("type", stats_kind),
		OPTIONAL("unit", stats_unit), OPTIONAL("base", qmp_int),
		REQUIRED("exponent", qmp_int), OPTIONAL("bucket-size", qmp_uint));
QMP_LIST_TYPE(stats_schema_value_list, stats_schema_value);
QMP_OBJECT_TYPE(stats_schema, REQUIRED("provider", stats_provider),
		REQUIRED("target", stats_target), REQUIRED("stats", stats_schema_value_list));
QMP_LIST_TYPE(stats_schema_list, stats_schema);
/* clang-format on */

enum { MAX_STATS = 128 };

static const struct accel_ops *provider(const struct qmp_call *call)
{
	const struct accel *a = call->env->machine->accel;

	return a && a->ops->stats ? a->ops : NULL;
}

static bool list_has(struct json_object *list, const char *word)
{
	if (!list)
		return true;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(list, i)), word))
			return true;
	return false;
}

/* Is the provider asked for?  *names: which of its statistics, NULL: all. */
static bool wants_provider(const struct qmp_call *call, const char *name,
			   struct json_object **names)
{
	struct json_object *list = qmp_arg(call, "providers");

	*names = NULL;
	if (!list)
		return true;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (strcmp(json_object_get_string(json_object_object_get(o, "provider")), name))
			continue;
		*names = json_object_object_get(o, "names");
		return true;
	}
	return false;
}

static void read_stats(struct vcpu *v, void *values) { v->accel->ops->vcpu_stats(v, values); }

static struct json_object *stats_of(struct vcpu *v, const char *path, struct json_object *names)
{
	const struct accel_ops *ops = v->accel->ops;
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	uint64_t values[MAX_STATS] = { 0 };

	vcpu_run_sync(v, read_stats, values);
	for (unsigned i = 0; ops->stats[i].name; i++) {
		struct json_object *stat;

		if (!list_has(names, ops->stats[i].name))
			continue;
		stat = json_object_new_object();
		json_put_str(stat, "name", ops->stats[i].name);
		json_object_object_add(stat, "value", json_object_new_uint64(values[i]));
		json_object_array_add(list, stat);
	}
	json_put_str(o, "provider", ops->name);
	json_put_str(o, "qom-path", path);
	json_object_object_add(o, "stats", list);
	return o;
}

static struct json_object *run_query_stats(struct qmp_call *call)
{
	const struct machine *m = call->env->machine;
	struct json_object *list = json_object_new_array(), *names;
	const struct accel_ops *ops = provider(call);

	/* All of it is counted per vCPU. */
	if (!ops || strcmp(qmp_arg_str(call, "target"), "vcpu") ||
	    !wants_provider(call, ops->name, &names))
		return list;
	for (unsigned i = 0; i < m->cpu_count; i++) {
		char *path = m->cpus[i]->obj ? object_path(m->cpus[i]->obj) : g_strdup("");

		if (list_has(qmp_arg(call, "vcpus"), path))
			json_object_array_add(list, stats_of(m->cpus[i], path, names));
		g_free(path);
	}
	return list;
}

static struct json_object *run_query_stats_schemas(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array(), *o, *stats;
	const struct accel_ops *ops = provider(call);
	const char *wanted = qmp_arg_str(call, "provider");

	if (!ops || (wanted && strcmp(wanted, ops->name)))
		return list;
	stats = json_object_new_array();
	for (unsigned i = 0; ops->stats[i].name; i++) {
		const struct accel_stat *s = &ops->stats[i];

		o = json_object_new_object();
		json_put_str(o, "name", s->name);
		json_put_str(o, "type", s->is_instant ? "instant" : "cumulative");
		if (s->unit)
			json_put_str(o, "unit", s->unit);
		if (s->exponent)
			json_put_int(o, "base", 10);
		json_put_int(o, "exponent", s->exponent);
		json_object_array_add(stats, o);
	}
	o = json_object_new_object();
	json_put_str(o, "provider", ops->name);
	json_put_str(o, "target", "vcpu");
	json_object_object_add(o, "stats", stats);
	json_object_array_add(list, o);
	return list;
}

const struct qmp_command qmp_stats_commands[] = {
	{ "trace-event-get-state", run_trace_get, .args = &trace_get_args,
	  .returns = &trace_info_list },
	{ "trace-event-set-state", run_trace_set, .args = &trace_set_args },
	{ "query-stats", run_query_stats, .args = &stats_args, .returns = &stats_result_list },
	{ "query-stats-schemas", run_query_stats_schemas, .args = &stats_schemas_args,
	  .returns = &stats_schema_list },
	{ 0 },
};
