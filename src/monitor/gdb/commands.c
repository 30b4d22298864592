/* monitor/gdb/commands.c - the table of packets, and those that are short.
 * SPDX-License-Identifier: MIT */
#include "cpu/vcpu.h"
#include "monitor/gdb/gdb_impl.h"

/* ---- answers ---- */

void gdb_fail(struct gdb *g, unsigned code) { g_string_printf(g->reply, "E%02x", code); }

void gdb_ok(struct gdb *g) { g_string_assign(g->reply, "OK"); }

/* ---- threads ---- */

struct vcpu *gdb_thread_vcpu(struct gdb *g, const struct gdb_thread *t, struct vcpu *any)
{
	if (t->process != GDB_ANY && t->process != GDB_ALL && t->process != GDB_PROCESS)
		return NULL;
	if (t->thread == GDB_ANY || t->thread == GDB_ALL)
		return any;
	if ((unsigned)t->thread > g->machine->cpu_count)
		return NULL;
	return g->machine->cpus[t->thread - 1];
}

void gdb_append_thread(struct gdb *g, GString *out, const struct vcpu *v)
{
	if (g->is_multi)
		g_string_append_printf(out, "p%x.", GDB_PROCESS);
	g_string_append_printf(out, "%x", v->id + 1);
}

struct vcpu *gdb_general(struct gdb *g)
{
	if (g->general)
		return g->general;
	return g->stopped ? g->stopped : g->machine->cpus[0];
}

/* Hg and Hc: whose registers, who goes. */
static void set_thread(struct gdb *g, const char *args, size_t len)
{
	const char *p = args + 1;
	struct gdb_thread t;
	struct vcpu *v;

	if (len < 2 || (*args != 'g' && *args != 'c') || !gdb_thread_id(&p, &t)) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	v = gdb_thread_vcpu(g, &t, g->machine->cpus[0]);
	if (!v) {
		gdb_fail(g, GDB_ESRCH);
		return;
	}
	if (t.thread == GDB_ANY || t.thread == GDB_ALL)
		v = NULL;
	*(*args == 'g' ? &g->general : &g->resume) = v;
	gdb_ok(g);
}

static void is_alive(struct gdb *g, const char *args, size_t len)
{
	struct gdb_thread t;

	(void)len;
	if (gdb_thread_id(&args, &t) && gdb_thread_vcpu(g, &t, g->machine->cpus[0]))
		gdb_ok(g);
	else
		gdb_fail(g, GDB_ESRCH);
}

/* ---- the end ---- */

static void detach(struct gdb *g, const char *args, size_t len)
{
	uint64_t process;

	(void)len;
	if (gdb_eat(&args, ';') && (!gdb_hex(&args, &process) || process != GDB_PROCESS)) {
		gdb_fail(g, GDB_ESRCH);
		return;
	}
	gdb_let_go(g, true);
	gdb_ok(g);
}

static void kill_machine(struct gdb *g, const char *args, size_t len)
{
	(void)args;
	(void)len;
	machine_quit(g->machine, CAUSE_UI, 0);
}

static void extended(struct gdb *g, const char *args, size_t len)
{
	(void)args;
	(void)len;
	g->is_extended = true;
	gdb_ok(g);
}

/* The program begins anew: it is told of by no answer. */
static void restart(struct gdb *g, const char *args, size_t len)
{
	(void)args;
	(void)len;
	if (g->is_extended)
		machine_system_reset(g->machine, CAUSE_UI);
}

/* ---- the table ---- */

static const struct {
	char letter;
	bool has_answer; /* at once */
	void (*serve)(struct gdb *g, const char *args, size_t len);
} commands[] = {
	{ '!', true, extended },
	{ '?', true, gdb_why },
	{ 'C', false, gdb_continue_with },
	{ 'D', true, detach },
	{ 'G', true, gdb_write_registers },
	{ 'H', true, set_thread },
	{ 'M', true, gdb_write_memory },
	{ 'P', true, gdb_write_register },
	{ 'Q', true, gdb_query_set },
	{ 'R', false, restart },
	{ 'S', false, gdb_step_with },
	{ 'T', true, is_alive },
	{ 'X', true, gdb_write_binary },
	{ 'Z', true, gdb_insert },
	{ 'c', false, gdb_continue },
	{ 'g', true, gdb_read_registers },
	{ 'k', false, kill_machine },
	{ 'm', true, gdb_read_memory },
	{ 'p', true, gdb_read_register },
	{ 'q', true, gdb_query },
	{ 's', false, gdb_step },
	{ 'v', false, gdb_verbose },
	{ 'z', true, gdb_remove },
};

void gdb_serve(struct gdb *g, const char *data, size_t len)
{
	g_string_truncate(g->reply, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (!len || commands[i].letter != *data)
			continue;
		commands[i].serve(g, data + 1, len - 1);
		if (commands[i].has_answer)
			gdb_send(g);
		return;
	}
	gdb_send(g); /* empty: there is no such packet */
}
