/* cpu/vcpu.h - a virtual CPU as everyone sees it: run states, threads, kicks, interrupts in.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"
#include "base/lock.h"
#include "cpu/debug.h"
#include "cpu/pc_chips.h"

struct accel;
struct address_space;
struct arch_ops;
struct err;
struct object;
struct vclock;
struct vcpu;

/* Interrupt inputs; each is a bit in vcpu.inputs.  Level inputs are set and cleared by the
 * interrupt controller; edge inputs are cleared when taken. */
enum vcpu_input {
	VCPU_INTR = 1u << 0,  /* level: the interrupt controller has a vector (x86 INTR, Arm IRQ) */
	VCPU_NMI = 1u << 1,   /* edge */
	VCPU_INIT = 1u << 2,  /* edge: x86 INIT */
	VCPU_SIPI = 1u << 3,  /* edge: x86 start-up IPI, vector in vcpu.sipi_vector */
	VCPU_SMI = 1u << 4,   /* edge */
	VCPU_MCE = 1u << 5,   /* edge */
	VCPU_FIQ = 1u << 6,   /* level, Arm */
	VCPU_RESET = 1u << 7, /* edge: full reset */
};

/* Why translated code must come back; bits of vcpu.exit_request, polled by every executor. */
enum vcpu_exit {
	VCPU_EXIT_INPUT = 1u << 0, /* look at inputs */
	VCPU_EXIT_WORK = 1u << 1,  /* run queued work */
	VCPU_EXIT_STOP = 1u << 2,  /* leave the run loop (pause, end) */
	VCPU_EXIT_RCU = 1u << 3,   /* leave RCU readers for a moment */
	VCPU_EXIT_TURN = 1u << 4,  /* another vCPU wants this one's place */
};

/* The interrupt controller of one vCPU (x86: its local APIC), called by arch code in the vCPU
 * thread.  The functions lock for themselves.  msr ids and CR8 are x86's; other guests leave them
 * NULL. */
struct vcpu_intc_ops {
	int (*ack)(void *intc); /* the vector to deliver now, or -1 (spurious level) */
	uint8_t (*get_cr8)(void *intc);
	void (*set_cr8)(void *intc, uint8_t cr8);
	bool (*read_msr)(void *intc, uint32_t msr, uint64_t *value); /* false: #GP */
	bool (*write_msr)(void *intc, uint32_t msr, uint64_t value); /* false: #GP */
	/* IA32_TSC_DEADLINE was written: tsc is the MSR's value (0 disarms), deadline_ns the same
	 * moment on the machine's clock.  The MSR code owns the TSC's rate and offset, and calls
	 * again when they change.  Reading the MSR is read_msr()'s: 0 once it has fired. */
	void (*set_tsc_deadline)(void *intc, uint64_t tsc, int64_t deadline_ns);
	void (*init)(void *intc);            /* INIT reached this vCPU: reset all but id and base */
	void (*show)(void *intc, FILE *out); /* its registers, for people */
	/* To an accelerator that has such a controller, and back (cpu/pc_chips.h). */
	void (*lend)(void *intc, struct lapic_image *image);
	void (*take_back)(void *intc, const struct lapic_image *image, enum pc_chip_return how);
};

struct vcpu_work {
	void (*fn)(struct vcpu *v, void *opaque);
	void *opaque;
	struct vcpu_work *next;
};

struct vcpu {
	struct object *obj;                   /* const */
	uint32_t id;                          /* const: index, from 0 */
	uint32_t apic_id;                     /* const: what the guest sees */
	const struct arch_ops *arch;          /* const */
	struct accel *accel;                  /* const */
	struct address_space *memory;         /* const */
	struct address_space *io;             /* const: port I/O; NULL where the guest has none */
	struct vclock *clock;                 /* const */
	const struct vcpu_intc_ops *intc_ops; /* const after wiring; may be NULL */
	void *intc;                           /* const after wiring */
	/* The guest did what makes real boards reset (x86 triple fault: the vCPU is halted by
	 * then), and the coprocessor error wire (x86 FERR#).  May be NULL.  Context: vcpu thread,
	 * no locks. */
	void (*on_shutdown)(struct vcpu *v);         /* const after wiring */
	void (*on_ferr)(struct vcpu *v, bool level); /* const after wiring */
	/* The vCPU cannot go on, why is in text; it is parked for good.  May be NULL.  Context: as
	 * on_shutdown. */
	void (*on_failure)(struct vcpu *v, const char *text); /* const after wiring */
	void *board; /* const after wiring: whom the three above are for */
	/* It stopped for a debugger.  Context: vcpu thread, no locks.  NULL: there is none. */
	void (*on_debug)(struct vcpu *v); /* main thread, while parked */
	void *debugger;                   /* the same */
	void *cpu;                        /* const: struct x86_cpu etc. (architectural state) */
	void *accel_data;                 /* const: the accelerator's */

	/* atomic: enum vcpu_exit.  Where: const after cpu is made, whose executors poll it. */
	_Atomic uint16_t *exit_request;
	_Atomic uint16_t own_exit_request; /* that of a cpu without a place for it */
	_Atomic uint32_t inputs;           /* atomic: enum vcpu_input */
	_Atomic uint8_t sipi_vector;       /* atomic */

	struct lock lock;                         /* rank LOCK_VCPU */
	pthread_cond_t cond;                      /* halted or stopped: something changed */
	pthread_t thread;                         /* const after start */
	_Atomic int tid;                          /* atomic: the kernel's id of it; 0: not yet */
	bool has_thread;                          /* lock */
	bool is_halted;                           /* vcpu thread; HLT, or x86 wait-for-SIPI */
	bool is_stopped;                          /* lock: parked because the machine is stopped */
	bool must_stop, must_end;                 /* lock */
	bool is_held;                             /* lock: not to be resumed (cpu/debug.h) */
	struct debug_stop debug_stop;             /* lock */
	bool is_over;                             /* lock: the thread serves no more work */
	struct vcpu_work *work_head, **work_tail; /* lock */
};

/* Storage and wiring.  arch->cpu_new() has made `cpu`.  Context: machine set-up. */
void vcpu_init(struct vcpu *v, uint32_t id, const struct arch_ops *arch, void *cpu);
void vcpu_fini(struct vcpu *v);

/* Threads: made parked; resume/pause from the main thread; end joins. */
bool vcpu_start_thread(struct vcpu *v, struct err *err);
/* The kernel's id of the thread; 0: there is none.  Context: main thread. */
int vcpu_tid(struct vcpu *v);
void vcpu_resume(struct vcpu *v);
void vcpu_pause(struct vcpu *v); /* returns when it has parked */
void vcpu_end_thread(struct vcpu *v);
struct vcpu *vcpu_current(void); /* of this thread, or NULL */

/* Interrupt inputs.  Context: any thread, leaf (also under interrupt controller locks). */
void vcpu_set_input(struct vcpu *v, enum vcpu_input in);
void vcpu_clear_input(struct vcpu *v, enum vcpu_input in);
/* Take an edge input: true if it was set, and clears it.  Context: vcpu thread. */
bool vcpu_take_input(struct vcpu *v, enum vcpu_input in);

/* Make the vCPU leave guest code soon, wherever it is.  Context: any thread. */
void vcpu_kick(struct vcpu *v, enum vcpu_exit why);
/* Run fn in the vCPU's thread between guest instructions, also while it is parked or halted.
 * run_sync waits for it, and calls fn itself when called in that thread or when there is no thread
 * (any more).  Context of run_sync: not the thread of another vCPU.  May block. */
void vcpu_post_work(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *opaque);
void vcpu_run_sync(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *opaque);

/* v->cpu is what the guest's state is from here on, until the vCPU runs again.  Context: as
 * accel_ops.vcpu_pull; queued work and whoever parked the vCPU need not ask. */
void vcpu_pull(struct vcpu *v);

/* For the accelerator's loop, vcpu thread: serve queued work, wait while halted or stopped.  False:
 * the thread must end. */
bool vcpu_wait_event(struct vcpu *v);
