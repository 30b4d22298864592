/* monitor/gdb/gdb_impl.h - inside of the gdb stub.
 *
 * session.c talks to the client, commands.c has the table of packets, query.c those that begin with
 * q, Q and v, memory.c registers and memory, run.c what stops and goes.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "cpu/debug.h"
#include "machine/machine.h"
#include "monitor/gdb/gdb.h"
#include "monitor/gdb/packet.h"
#include "monitor/stream.h"

struct vcpu;

enum { GDB_PROCESS = 1 /* the machine; its vCPUs are its threads */ };

/* Signals as gdb numbers them. */
enum {
	GDB_SIGNAL_0 = 0,
	GDB_SIGNAL_INT = 2,
	GDB_SIGNAL_QUIT = 3,
	GDB_SIGNAL_TRAP = 5,
	GDB_SIGNAL_ABRT = 6,
};

/* How vCPUs step: bits that qqemu.sstep tells. */
enum { GDB_STEP_ENABLE = 1, GDB_STEP_NO_IRQ = 2, GDB_STEP_NO_TIMER = 4 };

struct gdb {
	struct machine *machine;
	struct machine_listener listener;
	struct stream stream;
	gdb_console_fn *console;
	void *console_opaque;

	struct gdb_reader reader;
	GString *reply; /* of the packet being served */
	GString *last;  /* the packet sent last, for a client that did not get it */

	bool is_connected;
	bool no_ack;                   /* QStartNoAckMode */
	bool wants_no_ack;             /* from the end of this packet on */
	bool is_multi;                 /* multiprocess: thread ids have the process's */
	bool is_extended;              /* ! */
	bool knows_breaks;             /* why it stopped at a breakpoint may be said */
	bool is_physical;              /* Qqemu.PhyMemMode: addresses are guest-physical */
	bool is_waiting;               /* the client waits until something stops */
	bool is_interrupt;             /* it asked for the stop that is coming */
	bool is_resuming;              /* we make the machine go */
	bool has_points;               /* something of accel_debug_ops was used */
	unsigned step;                 /* GDB_STEP_ */
	struct vcpu *general, *resume; /* of Hg and Hc; NULL: any */
	unsigned next_thread;          /* qsThreadInfo */
	struct debug_stop stop;        /* why the machine stopped last, by vCPU `stopped` */
	struct vcpu *stopped;
};

/* ---- session.c ---- */
/* The reply becomes a packet on its way. */
void gdb_send(struct gdb *g);
void gdb_send_text(struct gdb *g, const char *text);

/* ---- commands.c: all answer in g->reply ---- */
/* A packet; ends with 0 in any case. */
void gdb_serve(struct gdb *g, const char *data, size_t len);
/* Exx; the numbers are errno's, as others send them. */
enum { GDB_EIO = 5, GDB_EFAULT = 14, GDB_EINVAL = 22, GDB_ESRCH = 3 };
void gdb_fail(struct gdb *g, unsigned code);
void gdb_ok(struct gdb *g);

/* ---- threads (commands.c) ---- */
/* The vCPU that a thread id means; `any` for GDB_ANY and GDB_ALL; NULL: there is none. */
struct vcpu *gdb_thread_vcpu(struct gdb *g, const struct gdb_thread *t, struct vcpu *any);
void gdb_append_thread(struct gdb *g, GString *out, const struct vcpu *v);
/* Whose registers and memory are meant; NULL: the machine has no vCPU. */
struct vcpu *gdb_general(struct gdb *g);

/* ---- query.c ---- */
void gdb_query(struct gdb *g, const char *args, size_t len);     /* q */
void gdb_query_set(struct gdb *g, const char *args, size_t len); /* Q */
void gdb_verbose(struct gdb *g, const char *args, size_t len);   /* v */

/* ---- memory.c ---- */
void gdb_read_registers(struct gdb *g, const char *args, size_t len);  /* g */
void gdb_write_registers(struct gdb *g, const char *args, size_t len); /* G */
void gdb_read_register(struct gdb *g, const char *args, size_t len);   /* p */
void gdb_write_register(struct gdb *g, const char *args, size_t len);  /* P */
void gdb_read_memory(struct gdb *g, const char *args, size_t len);     /* m */
void gdb_write_memory(struct gdb *g, const char *args, size_t len);    /* M */
void gdb_write_binary(struct gdb *g, const char *args, size_t len);    /* X */

/* ---- run.c ---- */
void gdb_why(struct gdb *g, const char *args, size_t len);           /* ? */
void gdb_continue(struct gdb *g, const char *args, size_t len);      /* c */
void gdb_continue_with(struct gdb *g, const char *args, size_t len); /* C */
void gdb_step(struct gdb *g, const char *args, size_t len);          /* s */
void gdb_step_with(struct gdb *g, const char *args, size_t len);     /* S */
void gdb_insert(struct gdb *g, const char *args, size_t len);        /* Z */
void gdb_remove(struct gdb *g, const char *args, size_t len);        /* z */
/* vCont's actions: ";c:p1.-1" and so on. */
void gdb_resume_actions(struct gdb *g, const char *actions);
/* The client is to be told: in g->reply. */
void gdb_append_stop(struct gdb *g);
/* A vCPU stopped; the machine stops. */
void gdb_interrupt(struct gdb *g);
/* No points, nobody held; the machine as it is, or running. */
void gdb_let_go(struct gdb *g, bool run);
/* vcpu.on_debug, and the machine's listener. */
void gdb_vcpu_stopped(struct vcpu *v);
void gdb_machine_event(struct machine_listener *l, const struct machine_event_info *info);
