/* monitor/gdb/session.c - a gdb session on a chardev: bytes in, packets out.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "monitor/gdb/gdb_impl.h"

enum { READ_ROOM = 4096 };

/* ---- out ---- */

void gdb_send(struct gdb *g)
{
	TRACE(gdb_reply, "%.*s", (int)MIN(g->reply->len, 200), g->reply->str);
	g_string_truncate(g->last, 0);
	gdb_packet_append(g->last, g->reply->str, g->reply->len);
	stream_send(&g->stream, g->last->str, g->last->len);
}

void gdb_send_text(struct gdb *g, const char *text)
{
	g_string_assign(g->reply, text);
	gdb_send(g);
}

/* ---- in ---- */

static void take_packet(struct gdb *g)
{
	TRACE(gdb_packet, "%.*s", (int)MIN(g->reader.len, 200), g->reader.data);
	if (!g->no_ack)
		stream_send(&g->stream, "+", 1);
	gdb_serve(g, g->reader.data, g->reader.len);
	g->no_ack |= g->wants_no_ack;
}

static void take_event(struct gdb *g, enum gdb_event event)
{
	switch (event) {
	case GDB_PACKET: take_packet(g); return;
	case GDB_BAD:
		if (!g->no_ack)
			stream_send(&g->stream, "-", 1);
		return;
	case GDB_NACK:
		/* More than one copy of a packet on its way helps nobody. */
		if (!g->no_ack && !stream_pending(&g->stream))
			stream_send(&g->stream, g->last->str, g->last->len);
		return;
	case GDB_INTERRUPT: gdb_interrupt(g); return;
	case GDB_ACK:
	case GDB_NOTHING: return;
	}
}

static size_t on_take(void *opaque, const uint8_t *bytes, size_t len)
{
	struct gdb *g = opaque;
	size_t used;

	take_event(g, gdb_read(&g->reader, bytes, len, &used));
	return used;
}

/* ---- clients ---- */

static void forget_client(struct gdb *g)
{
	gdb_reader_reset(&g->reader);
	g_string_truncate(g->last, 0);
	g->no_ack = g->wants_no_ack = g->is_multi = g->is_extended = false;
	g->is_physical = g->is_waiting = g->is_interrupt = g->is_connected = false;
	g->knows_breaks = false;
	g->step = GDB_STEP_ENABLE | GDB_STEP_NO_IRQ | GDB_STEP_NO_TIMER;
	g->general = g->resume = g->stopped = NULL;
	g->stop = (struct debug_stop){ 0 };
	g->next_thread = 0;
}

static void connected(struct gdb *g)
{
	forget_client(g);
	g->is_connected = true;
	for (unsigned i = 0; i < g->machine->cpu_count; i++)
		vcpu_take_debug_stop(g->machine->cpus[i]);
	machine_stop(g->machine, MACHINE_PAUSED);
}

/* It left without a word: what it had set goes, the machine stays as it is. */
static void disconnected(struct gdb *g)
{
	if (g->is_connected)
		gdb_let_go(g, false);
	forget_client(g);
}

static void on_event(void *opaque, enum chardev_event ev)
{
	if (ev == CHARDEV_OPENED)
		connected(opaque);
	else if (ev == CHARDEV_CLOSED)
		disconnected(opaque);
}

static const struct stream_user gdb_user = {
	.read_bytes = READ_ROOM,
	.take = on_take,
	.event = on_event,
};

/* ---- begin and end ---- */

static bool take_vcpus(struct gdb *g, struct err *err)
{
	struct machine *m = g->machine;

	for (unsigned i = 0; i < m->cpu_count; i++) {
		if (!m->cpus[i]->arch->debug)
			return err_set(err, 0, "guests of architecture '%s' cannot be debugged yet",
				       m->cpus[i]->arch->name);
		if (m->cpus[i]->debugger)
			return err_set(err, 0, "the machine has a debugger already");
	}
	for (unsigned i = 0; i < m->cpu_count; i++) {
		m->cpus[i]->debugger = g;
		m->cpus[i]->on_debug = gdb_vcpu_stopped;
	}
	return true;
}

static void release_vcpus(struct gdb *g)
{
	struct machine *m = g->machine;

	for (unsigned i = 0; i < m->cpu_count; i++)
		if (m->cpus[i]->debugger == g)
			m->cpus[i]->debugger = NULL;
}

static void free_parts(struct gdb *g)
{
	release_vcpus(g);
	g_string_free(g->reply, TRUE);
	g_string_free(g->last, TRUE);
	stream_fini(&g->stream);
	g_free(g);
}

struct gdb *gdb_new(struct machine *m, struct chardev *c, struct err *err)
{
	struct gdb *g = g_new0(struct gdb, 1);

	g->machine = m;
	g->reply = g_string_new(NULL);
	g->last = g_string_new(NULL);
	stream_init(&g->stream, &gdb_user, g);
	forget_client(g);
	if (!m->cpu_count)
		err_set(err, 0, "machine '%s' has no CPUs to debug", m->type->name);
	else if (take_vcpus(g, err) && stream_attach(&g->stream, c, err)) {
		g->listener.event = gdb_machine_event;
		machine_listen(m, &g->listener);
		return g;
	}
	free_parts(g);
	return NULL;
}

void gdb_free(struct gdb *g, int exit_code)
{
	char text[8];

	if (!g)
		return;
	if (g->is_connected && exit_code >= 0) {
		g_snprintf(text, sizeof(text), "W%02x", exit_code & 0xff);
		gdb_send_text(g, text);
	}
	gdb_let_go(g, false);
	machine_unlisten(g->machine, &g->listener);
	stream_detach(&g->stream);
	free_parts(g);
}

void gdb_set_console(struct gdb *g, gdb_console_fn *run, void *opaque)
{
	g->console = run;
	g->console_opaque = opaque;
}
