/* tests/fuzz/gdb_fuzz.c - what a gdb client sends, to a microvm.  Lines become packets with the
 * checksum they need; one that begins with ! goes as it is.
 *
 * Its CPUs run code of the accelerator tcg now and then: an endless loop, which a breakpoint, a
 * step or the end of the input stops. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "chardev/chardev.h"
#include "cpu/accel.h"
#include "dev/device.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "monitor/gdb/gdb.h"
#include "monitor/gdb/gdb_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_SIZE = 16 << 20, CPUS = 2, MAX_LINES = 64 };

struct world {
	struct object *root;
	struct loop *loop;
	struct accel *accel;
	struct machine *m;
	struct chardev *chardev;
};

static bool world_init(struct world *w, struct err *err)
{
	static const struct accel_choice choice = { .name = "tcg" };
	static const char *const none[] = { NULL };
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
	config.smp.cpus = CPUS;
	return w->chardev && w->accel && machine_build(w->m, &config, w->accel, err) &&
	       machine_finish(w->m, err) && machine_reset(w->m, err) &&
	       machine_start_threads(w->m, err);
}

static void send(struct gdb *g, const char *line)
{
	GString *s = g_string_new(NULL);

	if (*line == '!')
		g_string_append(s, line + 1);
	else
		gdb_packet_append(s, line, strlen(line));
	stream_receive(&g->stream, (const uint8_t *)s->str, s->len);
	g_string_free(s, TRUE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	char **lines = g_strsplit(text, "\n", MAX_LINES);
	static struct world w; /* taking one down waits for RCU readers */
	struct gdb *g;
	struct err err;

	if (!w.m && !world_init(&w, &err))
		g_error("%s", err.text);
	g = gdb_new(w.m, w.chardev, &err);
	if (!g)
		g_error("%s", err.text);
	for (char **line = lines; *line; line++) {
		send(g, *line);
		loop_poll(w.loop, 0);
	}
	machine_pause(w.m);
	gdb_free(g, -1);
	g_strfreev(lines);
	return 0;
}
