/* tests/fuzz/hmp_fuzz.c - what is typed at a human monitor: keys to an editor whose lines are run,
 * on a microvm that stands.
 *
 * Commands that write files, end the program or make objects are left out.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "monitor/hmp/hmp.h"
#include "monitor/hmp/impl.h"
#include "monitor/hmp/readline.h"
#include "monitor/monitor.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEYS_MAX = 4096 };

struct typist {
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
	struct typist *t = opaque;
	struct err err;
	g_autofree char *text = NULL;

	if (!is_left_out(line) && !strpbrk(line, "/"))
		text = hmp_run(t->hmp, line, 0, &err);
	readline_begin(t->line);
}

static char **on_complete(void *opaque, const char *before, size_t *start)
{
	struct typist *t = opaque;

	return hmp_complete(t->hmp, before, start);
}

static const struct readline_owner owner = { on_put, on_line, on_complete };

static void typist_init(struct typist *t, const struct world *w)
{
	struct monitor_config monitor = {
		.loop = w->loop,
		.root = w->root,
		.machine = w->m,
		.target = "x86_64",
		.version = "0",
	};

	t->hmp = hmp_new(monitors_new(&monitor), &monitor);
	t->line = readline_new(&owner, t, "(qemu) ");
}

/* A line of numbers after '/': formats, with counts that end soon. */
static void run_formats(struct typist *t, const char *text)
{
	char **lines = g_strsplit(text, "\n", 64);

	for (char **l = lines; *l; l++) {
		struct err err;

		if (strpbrk(*l, "/") && strspn(strpbrk(*l, "/") + 1, "0123456789") < 4 &&
		    !is_left_out(*l))
			g_free(hmp_run(t->hmp, *l, 0, &err));
	}
	g_strfreev(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct typist t;
	g_autofree char *text = g_strndup((const char *)data, size);

	if (!t.hmp)
		typist_init(&t, world_get("qtest", 1));
	for (size_t i = 0; i < size && i < KEYS_MAX; i++)
		readline_key(t.line, data[i]);
	readline_key(t.line, '\r');
	run_formats(&t, text);
	return 0;
}
