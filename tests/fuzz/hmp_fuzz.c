/* tests/fuzz/hmp_fuzz.c - what is typed at a human monitor: keys to an editor whose lines are run,
 * on a microvm that stands.
 *
 * Commands that write files, end the program or make objects are left out.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "chardev/chardev.h"
#include "dev/device.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "monitor/hmp/hmp.h"
#include "monitor/hmp/impl.h"
#include "monitor/hmp/readline.h"
#include "monitor/monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_SIZE = 16 << 20, KEYS_MAX = 4096 };

struct world {
	struct object *root;
	struct loop *loop;
	struct accel *accel;
	struct machine *m;
	struct monitors *monitors;
	struct hmp *hmp;
	struct readline *line;
};

static void on_put(void *opaque, const char *text, size_t len)
{
	(void)opaque;
	(void)text;
	(void)len;
}

static bool is_left_out(const char *line)
{
	static const char *const words[] = {
		"mem", "pmem",    "log",    "quit",   "q",      "cont",
		"c",   "chardev", "object", "system", "device", "sum"
	};

	line += strspn(line, " \t\r\n\v\f");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (g_str_has_prefix(line, words[i]))
			return true;
	return false;
}

/* As a session does, but for output of megabytes: it only takes long. */
static void on_line(void *opaque, const char *line)
{
	struct world *w = opaque;
	struct err err;
	g_autofree char *text = NULL;

	if (!is_left_out(line) && !strpbrk(line, "/"))
		text = hmp_run(w->hmp, line, 0, &err);
	readline_begin(w->line);
}

static char **on_complete(void *opaque, const char *before, size_t *start)
{
	struct world *w = opaque;

	return hmp_complete(w->hmp, before, start);
}

static const struct readline_owner owner = { on_put, on_line, on_complete };

static bool world_init(struct world *w, struct err *err)
{
	static const struct accel_choice choice = { .name = "qtest" };
	struct machine_config config = { .ram_size = RAM_SIZE };
	struct monitor_config monitor = { .target = "x86_64", .version = "0" };
	char *notes;

	object_types_add(accel_types);
	device_register_types();
	chardev_register_types();
	machine_register_types();
	w->root = object_new(&object_container_type);
	w->loop = loop_new("fuzz", err);
	w->m = machine_new(machine_type_find("microvm", err), w->root, w->loop);
	w->accel = accel_start_first(accel_list, w->m, &choice, 1, &notes, err);
	if (!w->accel || !machine_build(w->m, &config, w->accel, err) ||
	    !machine_finish(w->m, err) || !machine_reset(w->m, err))
		return false;
	monitor.loop = w->loop;
	monitor.root = w->root;
	monitor.machine = w->m;
	w->monitors = monitors_new(&monitor);
	w->hmp = hmp_new(w->monitors, &monitor);
	w->line = readline_new(&owner, w, "(qemu) ");
	return true;
}

/* A line of numbers after '/': formats, with counts that end soon. */
static void run_formats(struct world *w, const char *text)
{
	char **lines = g_strsplit(text, "\n", 64);

	for (char **l = lines; *l; l++) {
		struct err err;

		if (strpbrk(*l, "/") && strspn(strpbrk(*l, "/") + 1, "0123456789") < 4 &&
		    !is_left_out(*l))
			g_free(hmp_run(w->hmp, *l, 0, &err));
	}
	g_strfreev(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w; /* taking one down waits for RCU readers */
	g_autofree char *text = g_strndup((const char *)data, size);
	struct err err;

	if (!w.m && !world_init(&w, &err))
		g_error("%s", err.text);
	for (size_t i = 0; i < size && i < KEYS_MAX; i++)
		readline_key(w.line, data[i]);
	readline_key(w.line, '\r');
	run_formats(&w, text);
	return 0;
}
