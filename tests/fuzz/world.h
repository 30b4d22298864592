/* tests/fuzz/world.h - a microvm of 16 MiB that stands, for targets that talk to it.
 * SPDX-License-Identifier: MIT */
#pragma once

struct accel;
struct chardev;
struct loop;
struct machine;
struct object;

struct world {
	struct object *root;
	struct loop *loop;
	struct accel *accel;
	struct machine *m;
	struct chardev *chardev; /* of kind null */
};

/* Made at the first call, of this accelerator and with so many CPUs, and never taken down: that
 * waits for RCU readers. */
struct world *world_get(const char *accel, unsigned cpus);
