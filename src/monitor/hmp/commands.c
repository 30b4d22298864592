/* monitor/hmp/commands.c - the table of commands, help, and the handlers that are a line or two.
 * The table of info is in info.c.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "monitor/hmp/impl.h"
#include "monitor/qmp.h"

/* ---- help ---- */

static void help_row(struct hmp_call *call, const struct hmp_command *c, const char *prefix)
{
	fprintf(call->out, "%s%s %s -- %s\n", prefix, c->name, c->params ? c->params : "", c->help);
}

/* All of a table (name NULL), or what goes by the name. */
void hmp_help(struct hmp_call *call, const struct hmp_command *table, const char *prefix,
	      const char *name)
{
	bool is_found = false;

	for (const struct hmp_command *c = table; c->name; c++) {
		if (name && !hmp_name_is(c->name, name, strlen(name)))
			continue;
		is_found = true;
		if (name && c->sub)
			hmp_help(call, c->sub, "info ", NULL);
		else
			help_row(call, c, prefix);
	}
	if (!is_found)
		fprintf(call->out, "unknown command: '%s%s'\n", prefix, name);
}

static void run_help(struct hmp_call *call)
{
	const char *topic = call->values[0].text;

	if (topic && g_str_has_prefix(topic, "info "))
		hmp_help(call, hmp_info_commands, "info ", topic + strlen("info "));
	else
		hmp_help(call, hmp_commands, "", topic);
}

/* ---- the machine ---- */

static void run_stop(struct hmp_call *call) { hmp_qmp_done(call, "stop", NULL); }
static void run_cont(struct hmp_call *call) { hmp_qmp_done(call, "cont", NULL); }
static void run_reset(struct hmp_call *call) { hmp_qmp_done(call, "system_reset", NULL); }
static void run_powerdown(struct hmp_call *call) { hmp_qmp_done(call, "system_powerdown", NULL); }
static void run_wakeup(struct hmp_call *call) { hmp_qmp_done(call, "system_wakeup", NULL); }
static void run_nmi(struct hmp_call *call) { hmp_qmp_done(call, "inject-nmi", NULL); }
static void run_quit(struct hmp_call *call) { hmp_qmp_done(call, "quit", NULL); }

static void run_watchdog_action(struct hmp_call *call)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "action", call->values[0].text);
	hmp_qmp_done(call, "watchdog-set-action", o);
}

static void run_cpu(struct hmp_call *call)
{
	int64_t index = call->values[0].number;

	if (index < 0 || index >= call->env->machine->cpu_count)
		fputs("invalid CPU index\n", call->out);
	else
		call->state->cpu = (unsigned)index;
}

static void run_gdbserver(struct hmp_call *call)
{
	const struct hmp_hooks *hooks = &call->hmp->hooks;
	const char *device = call->values[0].text ? call->values[0].text : "tcp::1234";
	GString *out;
	struct err err;

	if (!hooks->gdbserver) {
		hmp_error(call, "this program has no gdb server");
		return;
	}
	out = g_string_new(NULL);
	if (!hooks->gdbserver(hooks->opaque, device, out, &err))
		hmp_error(call, "%s", err.text);
	else
		fputs(out->str, call->out);
	g_string_free(out, TRUE);
}

/* Only to complain: run_line() goes on in the table. */
static void run_info(struct hmp_call *call) { hmp_help(call, hmp_info_commands, "info ", NULL); }

/* ---- the table ---- */

/* clang-format off */
#define FMT      { "fmt", HMP_FORMAT }
#define ADDR     { "addr", HMP_LONG }
#define SIZE     { "size", HMP_LONG }
#define FILE_ARG { "filename", HMP_WORD }

const struct hmp_command hmp_commands[] = {
	{ "chardev-add", { { "args", HMP_WORD } }, "args", "add chardev", hmp_chardev_add },
	{ "chardev-change", { { "id", HMP_WORD, false, HMP_CHARDEVS }, { "args", HMP_WORD } },
	  "id args", "change chardev", hmp_chardev_change },
	{ "chardev-remove", { { "id", HMP_WORD, false, HMP_CHARDEVS } }, "id", "remove chardev",
	  hmp_chardev_remove },
	{ "chardev-send-break", { { "id", HMP_WORD, false, HMP_CHARDEVS } }, "id",
	  "send a break on chardev", hmp_chardev_send_break },
	{ "cont|c", { { 0 } }, NULL, "resume emulation", run_cont },
	{ "cpu", { { "index", HMP_INT } }, "index", "set the default CPU", run_cpu },
	{ "device_add", { { "device", HMP_WORD, false, HMP_DEVICE_TYPES } },
	  "driver[,prop=value][,...]", "add device, like -device on the command line",
	  hmp_device_add },
	{ "device_del", { { "id", HMP_WORD, false, HMP_DEVICES } }, "device", "remove device",
	  hmp_device_del },
	{ "gdbserver", { { "device", HMP_WORD, true } }, "[device]",
	  "start gdbserver on given device (default 'tcp::1234'), stop with 'none'",
	  run_gdbserver },
	{ "gva2gpa", { ADDR }, "addr",
	  "print the guest physical address corresponding to a guest virtual address",
	  hmp_gva2gpa, .needs_cpu = true },
	{ "help|?", { { "name", HMP_REST, true, HMP_COMMANDS } }, "[cmd]", "show the help", run_help },
	{ "i", { FMT, ADDR, { "index", HMP_INT, true } }, "/fmt addr", "I/O port read", hmp_port_in },
	{ "info", { { "item", HMP_REST, true, HMP_INFOS } }, "[subcommand]",
	  "show various information about the system state", run_info, hmp_info_commands },
	{ "log", { { "items", HMP_WORD, false, HMP_LOG_ITEMS } }, "item1[,...]",
	  "activate logging of the specified items", hmp_log },
	{ "logfile", { FILE_ARG }, "filename", "output logs to 'filename'", hmp_logfile },
	{ "memsave", { ADDR, SIZE, FILE_ARG }, "addr size file",
	  "save to disk virtual memory dump starting at 'addr' of size 'size'", hmp_memsave,
	  .needs_cpu = true },
	{ "nmi", { { 0 } }, NULL, "inject an NMI", run_nmi },
	{ "o", { FMT, ADDR, { "value", HMP_INT } }, "/fmt addr value", "I/O port write",
	  hmp_port_out },
	{ "object_add", { { "object", HMP_REST, false, HMP_OBJECT_TYPES } },
	  "[qom-type=]type,id=str[,prop=value][,...]", "create QOM object", hmp_object_add },
	{ "object_del", { { "id", HMP_WORD, false, HMP_OBJECTS } }, "id", "destroy QOM object",
	  hmp_object_del },
	{ "pmemsave", { ADDR, SIZE, FILE_ARG }, "addr size file",
	  "save to disk physical memory dump starting at 'addr' of size 'size'", hmp_pmemsave },
	{ "print|p", { FMT, { "val", HMP_LONG } }, "/fmt expr",
	  "print expression value (use $reg for CPU register access)", hmp_print },
	{ "qom-get", { { "path", HMP_WORD, false, HMP_QOM_PATHS }, { "property", HMP_WORD } },
	  "path property", "print QOM property", hmp_qom_get },
	{ "qom-list", { { "path", HMP_WORD, true, HMP_QOM_PATHS } }, "path", "list QOM properties",
	  hmp_qom_list },
	{ "qom-set", { { "j", HMP_FLAG }, { "path", HMP_WORD, false, HMP_QOM_PATHS },
	  { "property", HMP_WORD }, { "value", HMP_REST } }, "[-j] path property value",
	  "set QOM property; -j: the value is JSON", hmp_qom_set },
	{ "quit|q", { { 0 } }, NULL, "quit the emulator", run_quit },
	{ "stop|s", { { 0 } }, NULL, "stop emulation", run_stop },
	{ "sum", { ADDR, SIZE }, "addr size", "compute the checksum of a memory region", hmp_sum },
	{ "system_powerdown", { { 0 } }, NULL, "send system power down event", run_powerdown },
	{ "system_reset", { { 0 } }, NULL, "reset the system", run_reset },
	{ "system_wakeup", { { 0 } }, NULL, "wakeup guest from suspend", run_wakeup },
	{ "trace-event", { { "name", HMP_WORD, false, HMP_TRACE_POINTS },
	  { "state", HMP_ON_OFF, false, HMP_ON_OFF_WORDS } }, "name on|off",
	  "changes status of a specific trace event", hmp_trace_event },
	{ "watchdog_action", { { "action", HMP_WORD } },
	  "[reset|shutdown|poweroff|pause|debug|none]", "change watchdog action",
	  run_watchdog_action },
	{ "x", { FMT, ADDR }, "/fmt addr", "virtual memory dump starting at 'addr'", hmp_x },
	{ "xp", { FMT, ADDR }, "/fmt addr", "physical memory dump starting at 'addr'", hmp_xp },
	{ 0 },
};
/* clang-format on */
