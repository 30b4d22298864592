/* cpu/accel.h - how vCPUs run: one table per accelerator, tried in the user's order.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "object/object.h"

struct accel;
struct err;
struct machine;
struct vcpu;

struct accel_ops {
	const char *name; /* "tcg" */
	const char *help;
	const struct object_type *type; /* "tcg-accel": its properties are -accel's keys */
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
};

struct accel {
	struct object obj; /* of ops->type */
	const struct accel_ops *ops;
	struct machine *machine;
};

/* All accelerators known, NULL-terminated; those not built in are there with an `available` that says
 * so.  Defined in accel/accel.c. */
extern const struct accel_ops *const accel_list[];
