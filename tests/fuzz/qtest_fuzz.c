/* tests/fuzz/qtest_fuzz.c - what a qtest client sends, to a microvm without CPUs that run.
 *
 * Steps of the clock above a millisecond are left out: with periodic timers on they only take long.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "machine/machine.h"
#include "monitor/qtest/qtest.h"
#include "monitor/qtest/qtest_impl.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLOCK_DIGITS = 6 };

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
	struct world *w = world_get("qtest", 1);
	struct qtest *q;
	struct err err;

	q = qtest_new(w->m, w->chardev, "none", &err);
	if (!q || !machine_reset(w->m, &err))
		g_error("%s", err.text);
	machine_run(w->m);
	for (char **line = lines; *line; line++) {
		if (takes_long(*line))
			continue;
		stream_receive(&q->stream, (const uint8_t *)*line, strlen(*line));
		stream_receive(&q->stream, (const uint8_t *)"\n", 1);
	}
	machine_pause(w->m);
	qtest_free(q);
	g_strfreev(lines);
	return 0;
}
