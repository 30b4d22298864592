/* monitor/gdb/query.c - packets that begin with q, Q and v.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "cpu/accel.h"
#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "monitor/gdb/gdb_impl.h"

/* One packet by its beginning. */
struct query {
	const char *name;
	void (*serve)(struct gdb *g, const char *args);
	bool is_whole; /* nothing follows the name */
};

/* What follows name, or NULL. */
static const char *rest(const struct query *q, const char *data)
{
	size_t len = strlen(q->name);

	if (strncmp(data, q->name, len) || (q->is_whole && data[len]))
		return NULL;
	return data + len;
}

static bool serve_from(const struct query *list, struct gdb *g, const char *data)
{
	for (; list->name; list++) {
		const char *args = rest(list, data);

		if (!args)
			continue;
		list->serve(g, args);
		return true;
	}
	return false;
}

/* ---- q ---- */

static bool has_word(const char *list, const char *word)
{
	g_auto(GStrv) words = g_strsplit(list, ";", 0);

	return g_strv_contains((const char *const *)words, word);
}

static void supported(struct gdb *g, const char *args)
{
	gdb_eat(&args, ':');
	g->is_multi = has_word(args, "multiprocess+");
	g->knows_breaks = has_word(args, "swbreak+") && has_word(args, "hwbreak+");
	g_string_printf(g->reply,
			"PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;multiprocess+;"
			"vContSupported+;swbreak+;hwbreak+",
			GDB_PACKET_MAX);
}

static void current_thread(struct gdb *g, const char *args)
{
	(void)args;
	g_string_assign(g->reply, "QC");
	gdb_append_thread(g, g->reply, gdb_general(g));
}

static void more_threads(struct gdb *g, const char *args)
{
	enum { MOST = 256 };
	struct machine *m = g->machine;

	(void)args;
	for (unsigned n = 0; n < MOST && g->next_thread < m->cpu_count; n++) {
		g_string_append_c(g->reply, n ? ',' : 'm');
		gdb_append_thread(g, g->reply, m->cpus[g->next_thread++]);
	}
	if (!g->reply->len)
		g_string_assign(g->reply, "l");
}

static void first_threads(struct gdb *g, const char *args)
{
	g->next_thread = 0;
	more_threads(g, args);
}

static void thread_info(struct gdb *g, const char *args)
{
	struct gdb_thread t;
	const struct vcpu *v = NULL;
	char text[64];
	int len;

	if (gdb_thread_id(&args, &t))
		v = gdb_thread_vcpu(g, &t, gdb_general(g));
	if (!v) {
		gdb_fail(g, GDB_ESRCH);
		return;
	}
	len = g_snprintf(text, sizeof(text), "CPU#%u [%s]", v->id,
			 v->is_halted ? "halted" : "running");
	gdb_append_hex(g->reply, (const uint8_t *)text, (size_t)len);
}

static void attached(struct gdb *g, const char *args)
{
	(void)args;
	g_string_assign(g->reply, "1");
}

/* A piece of an object: "OFFSET,LENGTH". */
static void append_piece(struct gdb *g, const char *text, const char *args)
{
	uint64_t offset, len, size = strlen(text);

	if (!gdb_hex(&args, &offset) || !gdb_eat(&args, ',') || !gdb_hex(&args, &len) ||
	    offset > size) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	/* Escapes may double it. */
	len = MIN(len, (GDB_PACKET_MAX - 8) / 2);
	len = MIN(len, size - offset);
	g_string_append_c(g->reply, offset + len < size ? 'm' : 'l');
	gdb_append_binary(g->reply, (const uint8_t *)text + offset, len);
}

static void features(struct gdb *g, const char *args)
{
	const char *colon = strchr(args, ':');
	struct vcpu *v = gdb_general(g);
	g_autofree char *annex = colon ? g_strndup(args, (size_t)(colon - args)) : NULL;
	g_autofree char *xml = annex ? v->arch->debug->xml(v, annex) : NULL;

	if (!colon)
		gdb_fail(g, GDB_EINVAL);
	else if (!xml)
		g_string_assign(g->reply, "E00");
	else
		append_piece(g, xml, colon + 1);
}

/* Text of `monitor` goes as packets of its own, before the answer. */
static void print_console(void *out, const char *text, size_t len)
{
	enum { PIECE = (GDB_PACKET_MAX - 1) / 2 };
	struct gdb *g = out;

	while (len) {
		size_t part = MIN(len, PIECE);

		g_string_assign(g->reply, "O");
		gdb_append_hex(g->reply, (const uint8_t *)text, part);
		gdb_send(g);
		text += part;
		len -= part;
	}
	g_string_truncate(g->reply, 0);
}

static void remote_command(struct gdb *g, const char *args)
{
	static const char none[] = "this program has no human monitor for gdb yet\n";
	g_autofree char *command = g_malloc0(strlen(args) / 2 + 1);

	gdb_hex_bytes(&args, (uint8_t *)command, strlen(args) / 2);
	if (*args) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	if (g->console)
		g->console(g->console_opaque, command, print_console, g);
	else
		print_console(g, none, strlen(none));
	gdb_ok(g);
}

static void step_bits(struct gdb *g, const char *args)
{
	(void)args;
	g_string_printf(g->reply, "ENABLE=%x,NOIRQ=%x,NOTIMER=%x", GDB_STEP_ENABLE, GDB_STEP_NO_IRQ,
			GDB_STEP_NO_TIMER);
}

static void step_now(struct gdb *g, const char *args)
{
	(void)args;
	g_string_printf(g->reply, "0x%x", g->step);
}

static void physical_now(struct gdb *g, const char *args)
{
	(void)args;
	g_string_assign(g->reply, g->is_physical ? "1" : "0");
}

static void set_step(struct gdb *g, const char *args)
{
	uint64_t value;

	if (args[0] == '0' && args[1] == 'x')
		args += 2;
	if (!gdb_hex(&args, &value) || *args ||
	    value & ~(uint64_t)(GDB_STEP_ENABLE | GDB_STEP_NO_IRQ | GDB_STEP_NO_TIMER)) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	g->step = (unsigned)value;
	gdb_ok(g);
}

static const struct query queries[] = {
	{ "Supported", supported, false },
	{ "C", current_thread, true },
	{ "fThreadInfo", first_threads, true },
	{ "sThreadInfo", more_threads, true },
	{ "ThreadExtraInfo,", thread_info, false },
	{ "Attached", attached, false },
	{ "Xfer:features:read:", features, false },
	{ "Rcmd,", remote_command, false },
	{ "qemu.sstepbits", step_bits, true },
	{ "qemu.sstep", step_now, true },
	{ "qemu.PhyMemMode", physical_now, true },
	{ "qemu.sstep=", set_step, false },
	{ 0 },
};

void gdb_query(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	serve_from(queries, g, args);
}

/* ---- Q ---- */

static void start_no_ack(struct gdb *g, const char *args)
{
	(void)args;
	g->wants_no_ack = true;
	gdb_ok(g);
}

static void set_physical(struct gdb *g, const char *args)
{
	uint64_t value;

	if (!gdb_hex(&args, &value) || *args) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	g->is_physical = value;
	gdb_ok(g);
}

static const struct query settings[] = {
	{ "StartNoAckMode", start_no_ack, true },
	{ "qemu.PhyMemMode:", set_physical, false },
	{ "qemu.sstep=", set_step, false },
	{ "qemu.sstep:", set_step, false },
	{ 0 },
};

void gdb_query_set(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	serve_from(settings, g, args);
}

/* ---- v ---- */

static void serve_attach(struct gdb *g, const char *args)
{
	uint64_t process;

	if (gdb_hex(&args, &process) && process == GDB_PROCESS) {
		machine_stop(g->machine, MACHINE_PAUSED);
		gdb_append_stop(g);
	} else {
		gdb_fail(g, GDB_ESRCH);
	}
}

void gdb_verbose(struct gdb *g, const char *args, size_t len)
{
	const bool can_step = g->machine->accel->ops->debug;

	(void)len;
	if (!strcmp(args, "Cont?")) {
		g_string_assign(g->reply, can_step ? "vCont;c;C;s;S" : "vCont;c;C");
	} else if (g_str_has_prefix(args, "Cont;")) {
		gdb_resume_actions(g, args + strlen("Cont"));
		return;
	} else if (g_str_has_prefix(args, "Attach;")) {
		serve_attach(g, args + strlen("Attach;"));
	} else if (g_str_has_prefix(args, "Kill;")) {
		gdb_ok(g);
		gdb_send(g);
		machine_quit(g->machine, CAUSE_UI, 0);
		return;
	}
	gdb_send(g);
}
