/* cpu/debug.h - what a debugger outside the guest does with vCPUs: registers, memory, breakpoints,
 * watchpoints, single steps.  The guest cannot tell: its own debug registers and flags are left
 * alone.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"

struct accel;
struct err;
struct vcpu;

/* In the order of gdb's Z packets. */
enum debug_kind {
	DEBUG_BREAK,        /* before the instruction at addr runs */
	DEBUG_BREAK_HW,     /* the same, where accelerators have a second way to do it */
	DEBUG_WATCH_WRITE,  /* after an instruction wrote to one of len bytes at addr */
	DEBUG_WATCH_READ,   /* read */
	DEBUG_WATCH_ACCESS, /* either */
};

/* Addresses are linear ones. */
struct debug_point {
	enum debug_kind kind;
	gva_t addr;
	uint64_t len; /* of a watchpoint; not 0 */
};

enum debug_why { DEBUG_NOT_STOPPED, DEBUG_AT_BREAK, DEBUG_AT_WATCH, DEBUG_STEPPED };

struct debug_stop {
	enum debug_why why;
	struct debug_point point; /* AT_BREAK, AT_WATCH */
	gva_t addr;               /* AT_WATCH: what was accessed */
};

/* How a single step is made. */
enum {
	DEBUG_STEP_NO_INTERRUPTS = 1u << 0, /* those that wait wait longer */
	DEBUG_STEP_AND_GO = 1u << 1,        /* then it does not stop, but runs on */
};

/* An accelerator's part.  Context of all: main thread, every vCPU of the machine parked. */
struct accel_debug_ops {
	/* False: err says why it cannot be had.  A point that is there already is there once. */
	bool (*insert)(struct accel *a, const struct debug_point *p, struct err *err);
	/* False: there was none. */
	bool (*remove)(struct accel *a, const struct debug_point *p);
	/* No debugger any more: no points, no step, and nothing that they cost. */
	void (*clear)(struct accel *a);
	/* When it is resumed the vCPU runs one instruction, or enters the handler of one interrupt
	 * or exception, and stops (DEBUG_STEPPED).  Points at that instruction do not count. */
	void (*step)(struct vcpu *v, unsigned how);
	/* Is that still to be done?  Context: vcpu thread, or parked. */
	bool (*is_stepping)(struct vcpu *v);
};

/* Registers as debuggers number them, of one guest architecture. */
enum { DEBUG_REG_MAX = 32 /* bytes */ };
struct arch_debug {
	/* The file `annex` ("target.xml") of the target's description, g_free(); NULL: there is
	 * none of that name. */
	char *(*xml)(const struct vcpu *v, const char *annex);
	unsigned (*reg_count)(const struct vcpu *v);
	/* How many bytes register n has, in the guest's byte order; 0: there is none.  write: what
	 * the register cannot hold, or cannot be changed, is left as it is.  Context: the vCPU's
	 * thread, parked. */
	unsigned (*reg_read)(struct vcpu *v, unsigned n, uint8_t *out);
	unsigned (*reg_write)(struct vcpu *v, unsigned n, const uint8_t *in);
};

/* The vCPU stays parked while others run, or not any more.  Context: main thread, it is parked. */
void vcpu_hold(struct vcpu *v, bool is_held);
/* The running vCPU stops here, by itself: it parks when it comes back to vcpu_wait_event(), held,
 * and v->on_debug is called.  Context: vcpu thread, no locks. */
void vcpu_debug_stopped(struct vcpu *v, const struct debug_stop *s);
/* Why it stopped, told once.  Context: main thread. */
struct debug_stop vcpu_take_debug_stop(struct vcpu *v);

/* Memory at linear addresses of the vCPU, by its page tables, whoever may access it; of RAM and ROM
 * only, as devices would notice.  Nothing but what is written changes.  Returns how many bytes,
 * from the first on, could be had.  Context: the vCPU's thread, parked. */
size_t vcpu_debug_read(struct vcpu *v, gva_t addr, void *buf, size_t len);
size_t vcpu_debug_write(struct vcpu *v, gva_t addr, const void *buf, size_t len);
