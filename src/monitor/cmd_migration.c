/* monitor/cmd_migration.c - QMP: what a manager sets and asks of migrations before there is one.
 * Starting one is not built: there is no `migrate`.
 * SPDX-License-Identifier: MIT */
#include "monitor/impl.h"

/* clang-format off */
QMP_ENUM_TYPE(migration_capability, "events");
QMP_OBJECT_TYPE(migration_capability_status, REQUIRED("capability", migration_capability),
		REQUIRED("state", qmp_bool));
QMP_LIST_TYPE(migration_capability_list, migration_capability_status);
QMP_OBJECT_TYPE(migration_capabilities_args, REQUIRED("capabilities", migration_capability_list));
QMP_OBJECT_TYPE(migration_info, OPTIONAL("status", qmp_str));
/* clang-format on */

static struct json_object *run_query_capabilities(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();

	json_put_str(o, "capability", "events");
	json_put_bool(o, "state", call->all->has_migration_events);
	json_object_array_add(list, o);
	return list;
}

static struct json_object *run_set_capabilities(struct qmp_call *call)
{
	struct json_object *list = qmp_arg(call, "capabilities");

	for (size_t i = 0; i < json_object_array_length(list); i++)
		call->all->has_migration_events = json_object_get_boolean(
			json_object_object_get(json_object_array_get_idx(list, i), "state"));
	return qmp_ok();
}

/* An object without members: no migration was ever started. */
static struct json_object *run_query_migrate(struct qmp_call *call)
{
	(void)call;
	return qmp_ok();
}

const struct qmp_command qmp_migration_commands[] = {
	{ "query-migrate", run_query_migrate, .returns = &migration_info },
	{ "query-migrate-capabilities", run_query_capabilities,
	  .returns = &migration_capability_list },
	{ "migrate-set-capabilities", run_set_capabilities, .args = &migration_capabilities_args },
	{ 0 },
};
