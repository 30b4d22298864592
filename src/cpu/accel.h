/* cpu/accel.h - how vCPUs run: one table per accelerator, tried in the user's order.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "object/object.h"

struct accel;
struct accel_debug_ops;
struct err;
struct machine;
struct pc_chips_ops;
struct vcpu;

/* Something counted per vCPU, for query-stats. */
struct accel_stat {
	const char *name;
	const char *unit; /* "bytes", "seconds", "cycles"; NULL: a number */
	int8_t exponent;  /* of 10: -9 with "seconds" is nanoseconds */
	bool is_instant;  /* a state; else it only grows */
};

struct accel_ops {
	const char *name; /* "tcg" */
	const char *help;
	const struct object_type *type; /* "tcg-accel": its properties are -accel's keys */
	bool is_by_hand; /* no guest code runs, and time moves only when somebody says so */
	/* Was it built in and could this host have it?  False: err says why not. */
	bool (*available)(struct err *err);
	/* Make it ready for a machine.  False: err says why, and the next one is tried. */
	bool (*start)(struct accel *a, struct err *err);
	void (*stop)(struct accel *a);
	/* Per vCPU, before its thread starts / after it ended. */
	bool (*vcpu_attach)(struct accel *a, struct vcpu *v, struct err *err);
	void (*vcpu_detach)(struct accel *a, struct vcpu *v);
	/* The vCPU thread's whole life: runs guest code until vcpu_wait_event() says end. */
	void (*vcpu_run)(struct vcpu *v);
	/* Get the vCPU out of guest code; exit_request is already set.  Context: any thread. */
	void (*vcpu_kick)(struct vcpu *v);
	/* What is counted (ends with name NULL), and the values in that order.  May be NULL.
	 * Context of vcpu_stats: vcpu thread. */
	const struct accel_stat *stats;
	void (*vcpu_stats)(struct vcpu *v, uint64_t *values);
	/* What it did and holds, for people.  NULL: nothing to tell.  Context: main thread. */
	void (*show)(struct accel *a, FILE *out);
	/* Make v->cpu what the guest's state is; whatever is changed there then counts.  NULL: it
	 * always is.  Context: the vCPU's thread outside guest code, or there is none. */
	void (*vcpu_pull)(struct vcpu *v);
	/* Run about that many instructions of a vCPU that belongs to another accelerator, which
	 * attached it here too, from v->cpu on; less when something must be looked at.  Returns how
	 * many it were, with nothing of the last one still to be done.  NULL: it cannot.  Context:
	 * vCPU thread. */
	uint64_t (*vcpu_run_some)(struct vcpu *v, uint64_t insns);
	/* Does it run guest code at the hardware's speed on this host?  False: err says why not.
	 * NULL: it does not. */
	bool (*is_fast)(struct err *err);
	/* What it finds on this host, a line each, g_free(); NULL: there is nothing to tell. */
	char *(*explain)(void);
	bool has_host_cpu; /* CPU model "host" is there */
	/* Of the architectural state of a CPU that no vCPU has: drop what the model has and guests
	 * here cannot.  NULL: they have all of it.  Context: main thread. */
	bool (*cpu_restrict)(struct accel *a, void *cpu, struct err *err);
	/* Breakpoints, watchpoints and single steps (cpu/debug.h); NULL: it has none. */
	const struct accel_debug_ops *debug;
	/* Interrupt chips of its own, of a PC (cpu/pc_chips.h); NULL: none. */
	const struct pc_chips_ops *chips;
};

struct accel {
	struct object obj; /* of ops->type */
	const struct accel_ops *ops;
	struct machine *machine;
	char *note; /* a line for the user on how it runs, or NULL; const once vCPUs are there */
};

/* Parent of the accelerators' types ("accel"). */
extern const struct object_type accel_type;

/* What runs guests when the user does not say: the first that does so at the hardware's speed, else
 * the first of the list.  The others' reasons, a line each, are added to *why (g_free()) unless it
 * is NULL. */
const struct accel_ops *accel_default(const struct accel_ops *const *list, char **why);

/* All accelerators known, NULL-terminated; those not built in are there with an `available` that
 * says so.  Defined in accel/accel.c. */
extern const struct accel_ops *const accel_list[];

/* The row called name, or NULL with err saying so (and the nearest name). */
const struct accel_ops *accel_find(const struct accel_ops *const *list, const char *name,
				   struct err *err);

/* One accelerator the user asked for, in order. */
struct accel_choice {
	const char *name;
	/* Set the user's properties on the new object; NULL: none given. */
	bool (*configure)(struct object *o, void *opaque, struct err *err);
	void *opaque;
};
/* Start the first of the choices that starts.  A choice that is unknown or wrongly configured is
 * the user's error, wherever it stands, and nothing is started; one that cannot run here is noted,
 * a line each, in *notes (g_free(); NULL when there is nothing to tell), with "falling back to
 * NAME" after them when a later one started.  NULL: err holds all reasons. */
struct accel *accel_start_first(const struct accel_ops *const *list, struct machine *machine,
				const struct accel_choice *choices, unsigned count, char **notes,
				struct err *err);
/* Stop it and free it.  All vCPUs are detached. */
void accel_stop(struct accel *a);
