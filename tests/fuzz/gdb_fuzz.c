/* tests/fuzz/gdb_fuzz.c - what a gdb client sends, to a microvm.  Lines become packets with the
 * checksum they need; one that begins with ! goes as it is.
 *
 * Its CPUs run code of the accelerator tcg now and then: an endless loop, which a breakpoint, a
 * step or the end of the input stops.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "monitor/gdb/gdb.h"
#include "monitor/gdb/gdb_impl.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CPUS = 2, MAX_LINES = 64 };

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
	struct world *w = world_get("tcg", CPUS);
	static bool has_threads;
	struct gdb *g;
	struct err err;

	if (!has_threads && !machine_start_threads(w->m, &err))
		g_error("%s", err.text);
	has_threads = true;
	g = gdb_new(w->m, w->chardev, &err);
	if (!g)
		g_error("%s", err.text);
	for (char **line = lines; *line; line++) {
		send(g, *line);
		loop_poll(w->loop, 0);
	}
	machine_pause(w->m);
	gdb_free(g, -1);
	g_strfreev(lines);
	return 0;
}
