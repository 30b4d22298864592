/* monitor/cmd_absent.c - QMP: devices that no machine has yet; managers ask for them at the start.
 * SPDX-License-Identifier: MIT */
#include "monitor/impl.h"

/* clang-format off */
QMP_LIST_TYPE(absent_things, qmp_empty);
QMP_OBJECT_TYPE(block_nodes_args, OPTIONAL("flat", qmp_bool));
QMP_OBJECT_TYPE(block_stats_args, OPTIONAL("query-nodes", qmp_bool));
QMP_OBJECT_TYPE(balloon_info, REQUIRED("actual", qmp_int));
/* clang-format on */

static struct json_object *run_none(struct qmp_call *call)
{
	(void)call;
	return json_object_new_array();
}

static struct json_object *run_query_balloon(struct qmp_call *call)
{
	return qmp_fail(call, QMP_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
}

const struct qmp_command qmp_absent_commands[] = {
	{ "query-balloon", run_query_balloon, .returns = &balloon_info },
	{ "query-block", run_none, .returns = &absent_things },
	{ "query-block-jobs", run_none, .returns = &absent_things },
	{ "query-blockstats", run_none, .args = &block_stats_args, .returns = &absent_things },
	{ "query-memory-devices", run_none, .returns = &absent_things },
	{ "query-named-block-nodes", run_none, .args = &block_nodes_args,
	  .returns = &absent_things },
	{ "query-tpm-models", run_none, .returns = &qmp_str_list },
	{ "query-tpm-types", run_none, .returns = &qmp_str_list },
	{ 0 },
};
