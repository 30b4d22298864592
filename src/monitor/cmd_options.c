/* monitor/cmd_options.c - QMP: what the program can be started with.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "monitor/impl.h"

/* clang-format off */
QMP_ENUM_TYPE(param_kind, "string", "boolean", "number", "size");
QMP_OBJECT_TYPE(param_info, REQUIRED("name", qmp_str), REQUIRED("type", param_kind),
		OPTIONAL("help", qmp_str), OPTIONAL("default", qmp_str));
QMP_LIST_TYPE(param_info_list, param_info);
QMP_OBJECT_TYPE(option_info, REQUIRED("option", qmp_str), REQUIRED("parameters", param_info_list));
QMP_LIST_TYPE(option_info_list, option_info);
QMP_OBJECT_TYPE(option_args, OPTIONAL("option", qmp_str));
/* clang-format on */

static struct json_object *option_row(const struct monitor_option *option)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (const struct monitor_option_param *p = option->params; p && p->name; p++) {
		struct json_object *param;

		if (!p->type)
			continue;
		param = json_object_new_object();
		json_put_str(param, "name", p->name);
		json_put_str(param, "type", p->type);
		if (p->help)
			json_put_str(param, "help", p->help);
		json_object_array_add(list, param);
	}
	json_put_str(o, "option", option->name);
	json_object_object_add(o, "parameters", list);
	return o;
}

static struct json_object *run_query_command_line_options(struct qmp_call *call)
{
	const struct monitor_option *options = call->env->host.options;
	const char *wanted = qmp_arg_str(call, "option");
	struct json_object *list = json_object_new_array();

	for (; options && options->name; options++)
		if (!wanted || !strcmp(wanted, options->name))
			json_object_array_add(list, option_row(options));
	if (!wanted || json_object_array_length(list))
		return list;
	json_object_put(list);
	return qmp_fail(call, QMP_GENERIC_ERROR, "invalid option name: %.200s", wanted);
}

const struct qmp_command qmp_options_commands[] = {
	{ "query-command-line-options", run_query_command_line_options, .args = &option_args,
	  .returns = &option_info_list },
	{ 0 },
};
