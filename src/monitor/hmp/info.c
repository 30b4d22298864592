/* monitor/hmp/info.c - the table of info, and what is told of the program and of what there is
 * none.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "cpu/accel.h"
#include "machine/machine.h"
#include "monitor/hmp/impl.h"
#include "monitor/qmp.h"

/* ---- names and states ---- */

static void info_version(struct hmp_call *call)
{
	struct json_object *o = hmp_qmp(call, "query-version", NULL), *qemu;

	if (!o)
		return;
	qemu = json_object_object_get(o, "qemu");
	fprintf(call->out, "%s.%s.%s %s\n", hmp_json_text(qemu, "major"),
		hmp_json_text(qemu, "minor"), hmp_json_text(qemu, "micro"),
		hmp_json_text(o, "package"));
	json_object_put(o);
}

static void info_status(struct hmp_call *call)
{
	struct json_object *o = hmp_qmp(call, "query-status", NULL);
	bool is_running;
	const char *state;

	if (!o)
		return;
	is_running = json_object_get_boolean(json_object_object_get(o, "running"));
	state = hmp_json_text(o, "status");
	fprintf(call->out, "VM status: %s", is_running ? "running" : "paused");
	if (!is_running && strcmp(state, "paused"))
		fprintf(call->out, " (%s)", state);
	fputc('\n', call->out);
	json_object_put(o);
}

/* One member of a QMP result on a line; nothing if it is absent. */
static void show_member(struct hmp_call *call, const char *command, const char *member)
{
	struct json_object *o = hmp_qmp(call, command, NULL);

	if (o && *hmp_json_text(o, member))
		fprintf(call->out, "%s\n", hmp_json_text(o, member));
	json_object_put(o);
}

static void info_name(struct hmp_call *call) { show_member(call, "query-name", "name"); }
static void info_uuid(struct hmp_call *call) { show_member(call, "query-uuid", "UUID"); }

static void info_kvm(struct hmp_call *call)
{
	struct json_object *o = hmp_qmp(call, "query-kvm", NULL);

	if (!o)
		return;
	fprintf(call->out, "kvm support: %s\n",
		!json_object_get_boolean(json_object_object_get(o, "present"))  ? "not available"
		: json_object_get_boolean(json_object_object_get(o, "enabled")) ? "enabled"
										: "disabled");
	json_object_put(o);
}

static void info_memory_size_summary(struct hmp_call *call)
{
	struct json_object *o = hmp_qmp(call, "query-memory-size-summary", NULL);

	if (o)
		fprintf(call->out, "base memory: %s\nplugged memory: %s\n",
			hmp_json_text(o, "base-memory"), hmp_json_text(o, "plugged-memory"));
	json_object_put(o);
}

static void show_chardev(struct hmp_call *call, struct json_object *o)
{
	fprintf(call->out, "%s: filename=%s\n", hmp_json_text(o, "label"),
		hmp_json_text(o, "filename"));
}

static void info_chardev(struct hmp_call *call)
{
	hmp_qmp_each(call, "query-chardev", NULL, show_chardev);
}

static void show_iothread(struct hmp_call *call, struct json_object *o)
{
	fprintf(call->out, "%s:\n  thread_id=%s\n", hmp_json_text(o, "id"),
		hmp_json_text(o, "thread-id"));
}

static void info_iothreads(struct hmp_call *call)
{
	hmp_qmp_each(call, "query-iothreads", NULL, show_iothread);
}

static void info_history(struct hmp_call *call)
{
	const char *line;

	for (unsigned i = 0; call->session && (line = hmp_session_history(call->session, i)); i++)
		fprintf(call->out, "%u: '%s'\n", i, line);
}

static void info_jit(struct hmp_call *call)
{
	const struct accel *a = call->env->machine->accel;

	if (a && a->ops->show)
		a->ops->show(call->env->machine->accel, call->out);
	else
		hmp_error(call, "accelerator '%s' translates nothing: info jit is for tcg",
			  a ? a->ops->name : "none");
}

/* ---- what there is none of ---- */

/* clang-format off */
#define NONE(id, text) static void id(struct hmp_call *call) { fputs(text "\n", call->out); }
NONE(info_block, "No block devices")
NONE(info_network, "No network devices")
NONE(info_pci, "No PCI bus")
NONE(info_usb, "Error: USB support not enabled")
NONE(info_mice, "No mouse devices connected")
NONE(info_snapshots, "There is no snapshot available.")
NONE(info_block_jobs, "No active jobs")
NONE(info_balloon, "Error: No balloon device has been activated")
NONE(info_vnc, "None")
NONE(info_numa, "0 nodes")
/* clang-format on */

/* ---- the table ---- */

/* clang-format off */
#define SHOW(name, fn, help) { name, { { 0 } }, NULL, help, fn }

const struct hmp_command hmp_info_commands[] = {
	SHOW("balloon", info_balloon, "show balloon information"),
	SHOW("block", info_block, "show info of all block devices"),
	SHOW("block-jobs", info_block_jobs, "show progress of ongoing block device operations"),
	SHOW("blockstats", info_block, "show block device statistics"),
	SHOW("chardev", info_chardev, "show the character devices"),
	SHOW("cpus", hmp_info_cpus, "show infos for each CPU"),
	SHOW("history", info_history, "show the command line history"),
	SHOW("iothreads", info_iothreads, "show iothreads"),
	SHOW("irq", hmp_info_irq, "show how often lines led to interrupts"),
	SHOW("jit", info_jit, "show dynamic compiler info"),
	SHOW("kvm", info_kvm, "show KVM information"),
	{ "lapic", { { "apic-id", HMP_INT, true } }, "[apic-id]",
	  "show local apic state (apic-id: local apic to read, default is which of current CPU)",
	  hmp_info_lapic, .needs_cpu = true },
	{ "mem", { { 0 } }, NULL, "show the active virtual memory mappings", hmp_info_mem,
	  .needs_cpu = true },
	SHOW("memory_size_summary", info_memory_size_summary,
	     "show the amount of initially allocated and present hotpluggable memory in bytes"),
	SHOW("mice", info_mice, "show which guest mouse is receiving events"),
	{ "mtree", { { "f", HMP_FLAG }, { "o", HMP_FLAG } }, "[-f][-o]",
	  "show memory tree (-f: flat view of address spaces; -o: owners of regions)",
	  hmp_info_mtree },
	SHOW("name", info_name, "show the current VM name"),
	SHOW("network", info_network, "show the network state"),
	SHOW("numa", info_numa, "show NUMA information"),
	SHOW("pci", info_pci, "show PCI info"),
	SHOW("pic", hmp_info_pic, "show PIC state"),
	SHOW("qdm", hmp_info_qdm, "show qdev device model list"),
	{ "qom-tree", { { "path", HMP_WORD, true, HMP_QOM_PATHS } }, "[path]",
	  "show QOM composition tree", hmp_info_qom_tree },
	SHOW("qtree", hmp_info_qtree, "show device tree"),
	{ "registers", { { "a", HMP_FLAG }, { "vcpu", HMP_INT, true } }, "[-a|vcpu]",
	  "show the cpu registers (-a: of all cpus; vcpu: of this one; else of the current one)",
	  hmp_info_registers, .needs_cpu = true },
	SHOW("roms", hmp_info_roms, "show roms"),
	SHOW("snapshots", info_snapshots, "show the currently saved VM snapshots"),
	SHOW("status", info_status, "show the current VM status (running|paused)"),
	{ "tlb", { { 0 } }, NULL, "show virtual to physical memory mappings", hmp_info_tlb,
	  .needs_cpu = true },
	{ "trace-events", { { "name", HMP_WORD, true, HMP_TRACE_POINTS } }, "[name]",
	  "show available trace-events & their state (name: event name pattern)",
	  hmp_info_trace_events },
	SHOW("usb", info_usb, "show guest USB devices"),
	SHOW("uuid", info_uuid, "show the current VM UUID"),
	SHOW("version", info_version, "show the version of the monitor's interface"),
	SHOW("vnc", info_vnc, "show the vnc server status"),
	{ 0 },
};
/* clang-format on */
