/* tests/fuzz/qtest_fuzz.c - what a qtest client sends, to a microvm without CPUs that run.
 *
 * Steps of the clock above a millisecond are left out: with periodic timers on they only take long.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "chardev/chardev.h"
#include "dev/device.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "monitor/qtest/qtest.h"
#include "monitor/qtest/qtest_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_SIZE = 16 << 20, CLOCK_DIGITS = 6 };

struct world {
	struct object *root;
	struct loop *loop;
	struct accel *accel;
	struct machine *m;
	struct chardev *chardev;
};

static bool world_init(struct world *w, struct err *err)
{
	static const struct accel_choice choice = { .name = "qtest" };
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
	return w->chardev && w->accel && machine_build(w->m, &config, w->accel, err) &&
	       machine_finish(w->m, err);
}

/* Has a line that begins like a clock's more digits than it may? */
static bool takes_long(const char *line)
{
	const char *at = strstr(line, "clock_");

	if (!at)
		return false;
	while (*at && !g_ascii_isdigit(*at))
		at++;
	return strspn(at, "0123456789abcdefABCDEFxX") > CLOCK_DIGITS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	char **lines = g_strsplit(text, "\n", 256);
	static struct world w; /* taking one down waits for RCU readers */
	struct qtest *q;
	struct err err;

	if (!w.m && !world_init(&w, &err))
		g_error("%s", err.text);
	q = qtest_new(w.m, w.chardev, "none", &err);
	if (!q || !machine_reset(w.m, &err))
		g_error("%s", err.text);
	machine_run(w.m);
	for (char **line = lines; *line; line++) {
		if (takes_long(*line))
			continue;
		stream_receive(&q->stream, (const uint8_t *)*line, strlen(*line));
		stream_receive(&q->stream, (const uint8_t *)"\n", 1);
	}
	machine_pause(w.m);
	qtest_free(q);
	g_strfreev(lines);
	return 0;
}
