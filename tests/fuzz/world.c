/* tests/fuzz/world.c - a microvm of 16 MiB that stands.
 * SPDX-License-Identifier: MIT */
#include "world.h"

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "chardev/chardev.h"
#include "cpu/accel.h"
#include "dev/device.h"
#include "event/loop.h"
#include "machine/machine.h"

enum { RAM_SIZE = 16 << 20 };

static bool world_init(struct world *w, const char *accel, unsigned cpus, struct err *err)
{
	static const char *const none[] = { NULL };
	const struct accel_choice choice = { .name = accel };
	struct machine_config config = { .ram_size = RAM_SIZE };
	char *notes;

	object_types_add(accel_types);
	device_register_types();
	chardev_register_types();
	machine_register_types();
	w->root = object_new(&object_container_type);
	w->loop = loop_new("fuzz", err);
	w->chardev = chardev_new(w->root, w->loop, "null", "c", none, none, err);
	w->m = machine_new(machine_type_find("microvm", err), w->root, w->loop);
	w->accel = accel_start_first(accel_list, w->m, &choice, 1, &notes, err);
	config.smp.cpus = cpus;
	return w->chardev && w->accel && machine_build(w->m, &config, w->accel, err) &&
	       machine_finish(w->m, err) && machine_reset(w->m, err);
}

struct world *world_get(const char *accel, unsigned cpus)
{
	static struct world w;
	struct err err;

	if (!w.m && !world_init(&w, accel, cpus, &err))
		g_error("%s", err.text);
	return &w;
}
