/* monitor/gdb/run.c - what stops and goes: breakpoints, steps, actions for each vCPU, and what the
 * client hears.
 *
 * The machine runs or stands as a whole (its clock, its devices); vCPUs that the client wants to
 * stay where they are, are held while others run.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "cpu/accel.h"
#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "event/loop.h"
#include "monitor/gdb/gdb_impl.h"

/* What a vCPU is to do. */
enum action { STAY, GO, STEP };

static const struct accel_debug_ops *debug_ops(const struct gdb *g)
{
	return g->machine->accel->ops->debug;
}

/* ---- telling the client ---- */

static unsigned stop_signal(const struct gdb *g)
{
	if (g->stop.why != DEBUG_NOT_STOPPED)
		return GDB_SIGNAL_TRAP;
	switch (g->machine->state) {
	case MACHINE_DEBUG: return GDB_SIGNAL_TRAP;
	case MACHINE_SHUTDOWN: return GDB_SIGNAL_QUIT;
	case MACHINE_PANICKED:
	case MACHINE_INTERNAL_ERROR: return GDB_SIGNAL_ABRT;
	default: return g->is_interrupt ? GDB_SIGNAL_INT : GDB_SIGNAL_TRAP;
	}
}

/* Does v stand at a breakpoint that the client, who compares it with the pc, does not see there?
 * Outside flat code the pc is an offset in a segment.  Told of a breakpoint nevertheless, gdb would
 * take it for one that it has removed and go on without a word. */
static bool is_unknown(const struct gdb *g, struct vcpu *v)
{
	return v && v == g->stopped && g->stop.why == DEBUG_AT_BREAK &&
	       v->arch->get_pc(v) != g->stop.point.addr;
}

static void append_reason(struct gdb *g)
{
	static const char *const watch[] = { [DEBUG_WATCH_WRITE] = "watch",
					     [DEBUG_WATCH_READ] = "rwatch",
					     [DEBUG_WATCH_ACCESS] = "awatch" };
	const struct debug_stop *s = &g->stop;

	if (s->why == DEBUG_AT_WATCH)
		g_string_append_printf(g->reply, "%s:%" PRIx64 ";", watch[s->point.kind], s->addr);
	else if (s->why == DEBUG_AT_BREAK && g->knows_breaks && !is_unknown(g, g->stopped))
		g_string_append(g->reply, s->point.kind == DEBUG_BREAK ? "swbreak:;" : "hwbreak:;");
}

void gdb_append_stop(struct gdb *g)
{
	g_string_append_printf(g->reply, "T%02xthread:", stop_signal(g));
	gdb_append_thread(g, g->reply, gdb_general(g));
	g_string_append_c(g->reply, ';');
	append_reason(g);
}

/* Whoever stopped is the one that is looked at. */
static void tell_stop(struct gdb *g)
{
	if (g->stopped)
		g->general = g->resume = NULL;
	g->is_waiting = false;
	g_string_truncate(g->reply, 0);
	gdb_append_stop(g);
	gdb_send(g);
	g->is_interrupt = false;
}

/* One of the vCPUs that stopped by themselves, or none. */
static void find_stop(struct gdb *g)
{
	struct machine *m = g->machine;

	g->stop = (struct debug_stop){ 0 };
	for (unsigned i = 0; i < m->cpu_count && g->stop.why == DEBUG_NOT_STOPPED; i++) {
		g->stop = vcpu_take_debug_stop(m->cpus[i]);
		if (g->stop.why != DEBUG_NOT_STOPPED)
			g->stopped = m->cpus[i];
	}
}

void gdb_why(struct gdb *g, const char *args, size_t len)
{
	(void)args;
	(void)len;
	if (!g->stopped)
		g->stopped = g->machine->cpus[0];
	gdb_append_stop(g);
}

/* ---- stopping ---- */

/* What it was for may be over. */
static void stopped_job(void *opaque)
{
	struct vcpu *v = opaque;
	struct gdb *g = v->debugger;

	if (g && g->machine->state == MACHINE_RUNNING)
		machine_stop(g->machine, MACHINE_DEBUG);
}

void gdb_vcpu_stopped(struct vcpu *v)
{
	const struct gdb *g = v->debugger;

	if (g)
		loop_post(g->machine->loop, stopped_job, v);
}

static void hold_all(struct gdb *g, bool is_held)
{
	for (unsigned i = 0; i < g->machine->cpu_count; i++)
		vcpu_hold(g->machine->cpus[i], is_held);
}

void gdb_machine_event(struct machine_listener *l, const struct machine_event_info *info)
{
	struct gdb *g = container_of(l, struct gdb, listener);

	if (info->event == MACHINE_EVENT_RESUME && !g->is_resuming)
		hold_all(g, false); /* a monitor's doing */
	if (info->event != MACHINE_EVENT_STOP)
		return;
	find_stop(g);
	if (g->is_waiting)
		tell_stop(g);
}

void gdb_interrupt(struct gdb *g)
{
	g->is_interrupt = true;
	if (g->machine->state == MACHINE_RUNNING)
		machine_stop(g->machine, MACHINE_PAUSED);
	else if (g->is_waiting)
		tell_stop(g);
	g->is_interrupt = false;
}

/* ---- points ---- */

/* vCPUs are parked while points change. */
static bool park(struct gdb *g)
{
	bool was_running = g->machine->state == MACHINE_RUNNING;

	machine_pause(g->machine);
	return was_running;
}

static bool parse_point(const char *p, struct debug_point *out)
{
	uint64_t kind;

	if (!gdb_hex(&p, &kind) || kind > DEBUG_WATCH_ACCESS || !gdb_eat(&p, ',') ||
	    !gdb_hex(&p, &out->addr) || !gdb_eat(&p, ',') || !gdb_hex(&p, &out->len))
		return false;
	out->kind = (enum debug_kind)kind;
	return true;
}

static void change_point(struct gdb *g, const char *args, bool is_new)
{
	const struct accel_ops *ops = g->machine->accel->ops;
	struct debug_point p;
	bool was_running, ok;
	struct err err;

	if (!parse_point(args, &p)) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	if (!ops->debug) {
		g_string_printf(g->reply, "E.accelerator '%s' has no breakpoints", ops->name);
		return;
	}
	was_running = park(g);
	err_set(&err, 0, "there is none");
	g->has_points |= is_new;
	ok = is_new ? ops->debug->insert(g->machine->accel, &p, &err)
		    : ops->debug->remove(g->machine->accel, &p);
	if (was_running)
		machine_run(g->machine);
	if (ok)
		gdb_ok(g);
	else
		g_string_printf(g->reply, "E.%s", err.text);
}

void gdb_insert(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	change_point(g, args, true);
}

void gdb_remove(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	change_point(g, args, false);
}

/* ---- going ---- */

void gdb_let_go(struct gdb *g, bool run)
{
	bool was_running = park(g);
	struct err err;

	if (g->has_points && debug_ops(g))
		debug_ops(g)->clear(g->machine->accel);
	g->has_points = false;
	hold_all(g, false);
	for (unsigned i = 0; i < g->machine->cpu_count; i++)
		vcpu_take_debug_stop(g->machine->cpus[i]);
	g->is_waiting = false;
	if (was_running)
		machine_run(g->machine);
	else if (run)
		machine_continue(g->machine, &err); /* what only a reset ends stays */
}

/* A vCPU hit a watchpoint while another one's stop was told: that is told now.  What stands before
 * a breakpoint comes to it again. */
static bool has_late_stop(struct gdb *g)
{
	struct machine *m = g->machine;

	for (unsigned i = 0; i < m->cpu_count; i++) {
		struct debug_stop s = vcpu_take_debug_stop(m->cpus[i]);

		if (s.why != DEBUG_AT_WATCH)
			continue;
		g->stop = s;
		g->stopped = m->cpus[i];
		return true;
	}
	return false;
}

static void tell_text(struct gdb *g, const char *text)
{
	g_string_assign(g->reply, "O");
	gdb_append_hex(g->reply, (const uint8_t *)text, strlen(text));
	gdb_append_hex(g->reply, (const uint8_t *)"\n", 1);
	gdb_send(g);
}

static void run_machine(struct gdb *g, bool is_step)
{
	struct err err;

	g->is_resuming = true;
	g->is_waiting = true;
	g->stop = (struct debug_stop){ 0 };
	g->machine->clock_stands = is_step && (g->step & GDB_STEP_NO_TIMER);
	if (!machine_continue(g->machine, &err)) {
		tell_text(g, err.text);
		tell_stop(g);
	}
	g->machine->clock_stands = false;
	g->is_resuming = false;
}

static void step_vcpu(struct gdb *g, struct vcpu *v, unsigned how)
{
	if (g->step & GDB_STEP_NO_IRQ)
		how |= DEBUG_STEP_NO_INTERRUPTS;
	g->has_points = true;
	debug_ops(g)->step(v, how);
}

static void resume(struct gdb *g, const enum action *actions)
{
	struct machine *m = g->machine;
	bool is_step = false;

	if (m->state == MACHINE_RUNNING) { /* a monitor's doing */
		g->is_waiting = true;
		return;
	}
	if (has_late_stop(g)) {
		tell_stop(g);
		return;
	}
	for (unsigned i = 0; i < m->cpu_count; i++) {
		vcpu_hold(m->cpus[i], actions[i] == STAY);
		if (actions[i] == STEP) {
			is_step = true;
			step_vcpu(g, m->cpus[i], 0);
		} else if (actions[i] == GO && is_unknown(g, m->cpus[i])) {
			step_vcpu(g, m->cpus[i], DEBUG_STEP_AND_GO);
		}
	}
	run_machine(g, is_step);
}

static void no_steps(struct gdb *g)
{
	g_string_printf(g->reply, "E.accelerator '%s' cannot step", g->machine->accel->ops->name);
	gdb_send(g);
}

/* c and s: one steps or all go. */
static void resume_one(struct gdb *g, const char *args, bool is_step)
{
	struct machine *m = g->machine;
	g_autofree enum action *actions = g_new(enum action, m->cpu_count);
	struct vcpu *v = g->resume ? g->resume : gdb_general(g);
	uint64_t pc;

	if (is_step && !debug_ops(g)) {
		no_steps(g);
		return;
	}
	if (gdb_hex(&args, &pc))
		v->arch->set_pc(v, pc);
	for (unsigned i = 0; i < m->cpu_count; i++)
		actions[i] = is_step && m->cpus[i] == v ? STEP : GO;
	resume(g, actions);
}

/* The signal is the guest's matter. */
static const char *skip_signal(const char *args)
{
	uint64_t ignored;

	gdb_hex(&args, &ignored);
	gdb_eat(&args, ';');
	return args;
}

void gdb_continue(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	resume_one(g, args, false);
}

void gdb_continue_with(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	resume_one(g, skip_signal(args), false);
}

void gdb_step(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	resume_one(g, args, true);
}

void gdb_step_with(struct gdb *g, const char *args, size_t len)
{
	(void)len;
	resume_one(g, skip_signal(args), true);
}

/* ---- vCont ---- */

/* One action, and for whom: of each vCPU the first one counts.  False: it makes no sense. */
static bool take_action(struct gdb *g, const char **p, enum action *actions, bool *is_set)
{
	struct gdb_thread t = { .process = GDB_ANY, .thread = GDB_ALL };
	struct machine *m = g->machine;
	enum action what = **p == 's' || **p == 'S' ? STEP : GO;
	bool has_signal = **p == 'C' || **p == 'S';
	struct vcpu *v = NULL;
	uint64_t ignored;

	if (!**p || !strchr("cCsS", **p))
		return false;
	(*p)++;
	if ((has_signal && !gdb_hex(p, &ignored)) || (gdb_eat(p, ':') && !gdb_thread_id(p, &t)))
		return false;
	if (t.thread != GDB_ALL) {
		v = gdb_thread_vcpu(g, &t, gdb_general(g));
		if (!v)
			return false;
	}
	for (unsigned i = 0; i < m->cpu_count; i++) {
		if (is_set[i] || (v && v != m->cpus[i]))
			continue;
		actions[i] = what;
		is_set[i] = true;
	}
	return what == GO || debug_ops(g);
}

void gdb_resume_actions(struct gdb *g, const char *p)
{
	struct machine *m = g->machine;
	g_autofree enum action *actions = g_new0(enum action, m->cpu_count);
	g_autofree bool *is_set = g_new0(bool, m->cpu_count);

	while (gdb_eat(&p, ';')) {
		if (!take_action(g, &p, actions, is_set)) {
			gdb_fail(g, GDB_EINVAL);
			gdb_send(g);
			return;
		}
	}
	if (*p) {
		gdb_fail(g, GDB_EINVAL);
		gdb_send(g);
		return;
	}
	resume(g, actions);
}
