/* monitor/qtest/qtest.c - a qtest session: lines in, answers out, the table of commands.
 * SPDX-License-Identifier: MIT */
#include "monitor/qtest/qtest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "event/clock.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "monitor/qtest/qtest_impl.h"

enum { MAX_WORDS = 5, READ_ROOM = 64 << 10 };
/* A line holds 16 MiB of data in hexadecimal digits. */
#define MAX_LINE ((32u << 20) + 256)
/* As far as a clock counts: event/clock.c. */
#define MAX_NS   (INT64_MAX >> 3)

/* ---- answers ---- */

static void log_part(struct qtest *q, char side, const char *text, size_t len)
{
	if (!q->log)
		return;
	fprintf(q->log, "[%c +%.6f] ", side, (double)(clock_host_ns() - q->began_ns) / 1e9);
	fwrite(text, 1, len, q->log);
	fflush(q->log);
}

void qtest_send_text(struct qtest *q, const char *text, size_t len)
{
	log_part(q, 'S', text, len);
	stream_send(&q->stream, text, len);
}

void qtest_send(struct qtest *q, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	qtest_send_text(q, text, strlen(text));
}

/* The client's own words may be in it: cut where they are long. */
void qtest_fail(struct qtest *q, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	qtest_send(q, "FAIL %s\n", text);
}

bool qtest_number(struct qtest *q, const struct qtest_call *call, unsigned n, uint64_t max,
		  uint64_t *out)
{
	const char *text = call->args[n];
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (!g_ascii_isdigit(*text) || *end || errno) {
		qtest_fail(q, "'%s' is not a number", text);
		return false;
	}
	if (*out <= max)
		return true;
	qtest_fail(q, "%s is more than 0x%" PRIx64, text, max);
	return false;
}

/* ---- time ---- */

/* Move the clock, which is at now, on to ns. */
static void set_clock(struct qtest *q, int64_t ns)
{
	struct machine *m = q->machine;

	loop_warp(m->loop, m->clock, ns);
	qtest_send(q, "OK %" PRId64 "\n", vclock_now(m->clock));
}

static bool is_by_hand(struct qtest *q)
{
	if (!vclock_is_manual(q->machine->clock))
		qtest_fail(q, "the clock goes by itself; -accel qtest has it set by hand");
	return vclock_is_manual(q->machine->clock);
}

static void clock_step(struct qtest *q, const struct qtest_command *cmd,
		       const struct qtest_call *call)
{
	struct machine *m = q->machine;
	int64_t now = vclock_now(m->clock), next;
	uint64_t step;

	(void)cmd;
	if (!is_by_hand(q) ||
	    (call->count && !qtest_number(q, call, 0, (uint64_t)(MAX_NS - now), &step)))
		return;
	/* Without a number: to when the next timer is due, if any is. */
	next = loop_next_deadline(m->loop, m->clock);
	if (call->count)
		next = now + (int64_t)step;
	else if (next > MAX_NS || next < now)
		next = now;
	set_clock(q, next);
}

static void clock_set(struct qtest *q, const struct qtest_command *cmd,
		      const struct qtest_call *call)
{
	uint64_t ns;

	(void)cmd;
	if (is_by_hand(q) && qtest_number(q, call, 0, (uint64_t)MAX_NS, &ns))
		set_clock(q, MAX((int64_t)ns, vclock_now(q->machine->clock)));
}

/* ---- others ---- */

static void endianness(struct qtest *q, const struct qtest_command *cmd,
		       const struct qtest_call *call)
{
	(void)cmd;
	(void)call;
	qtest_send(q, "OK little\n");
}

static void module_load(struct qtest *q, const struct qtest_command *cmd,
			const struct qtest_call *call)
{
	(void)cmd;
	qtest_fail(q, "no module '%s%s': this program has none, what it knows is built in",
		   call->args[0], call->args[1]);
}

static void rtas(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	(void)cmd;
	(void)call;
	qtest_fail(q, "rtas calls the firmware of PowerPC machines; this is none");
}

/* ---- the table ---- */

#define SIZES(name, usage, n, fn)                                           \
	{ name "b", usage, n, n, fn, 1 }, { name "w", usage, n, n, fn, 2 }, \
	{                                                                   \
		name "l", usage, n, n, fn, 4                                \
	}

static const struct qtest_command commands[] = {
	SIZES("in", "PORT", 1, qtest_port_read),
	SIZES("out", "PORT VALUE", 2, qtest_port_write),
	SIZES("read", "ADDR", 1, qtest_load),
	{ "readq", "ADDR", 1, 1, qtest_load, 8 },
	SIZES("write", "ADDR VALUE", 2, qtest_store),
	{ "writeq", "ADDR VALUE", 2, 2, qtest_store, 8 },
	{ "read", "ADDR SIZE", 2, 2, qtest_read, 0 },
	{ "write", "ADDR SIZE DATA", 3, 3, qtest_write, 0 },
	{ "b64read", "ADDR SIZE", 2, 2, qtest_b64read, 0 },
	{ "b64write", "ADDR SIZE DATA", 3, 3, qtest_b64write, 0 },
	{ "memset", "ADDR SIZE VALUE", 3, 3, qtest_memset, 0 },
	{ "irq_intercept_in", "QOM-PATH", 1, 1, qtest_intercept_in, 0 },
	{ "irq_intercept_out", "QOM-PATH [NAME]", 1, 2, qtest_intercept_out, 0 },
	{ "set_irq_in", "QOM-PATH NAME NUM LEVEL", 4, 4, qtest_set_irq_in, 0 },
	{ "clock_step", "[NS]", 0, 1, clock_step, 0 },
	{ "clock_set", "NS", 1, 1, clock_set, 0 },
	{ "endianness", "", 0, 0, endianness, 0 },
	{ "module_load", "PREFIX NAME", 2, 2, module_load, 0 },
	{ "rtas", "NAME NARGS ARGS NRET RET", 0, MAX_WORDS, rtas, 0 },
};

static const struct qtest_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* ---- lines ---- */

/* Cut line into words at single or more blanks; how many there are, max + 1 if more than max. */
static unsigned split(char *line, char **words, unsigned max)
{
	unsigned n = 0;
	char *save = NULL;

	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (n == max)
			return max + 1;
		words[n++] = w;
	}
	return n;
}

static void run_line(struct qtest *q, char *line)
{
	char *words[1 + MAX_WORDS];
	const struct qtest_command *cmd;
	struct qtest_call call;
	unsigned n;

	n = split(line, words, ARRAY_SIZE(words));
	cmd = n ? find_command(words[0]) : NULL;
	if (!cmd) {
		qtest_fail(q, "Unknown command '%s'", n ? words[0] : "");
		return;
	}
	call = (struct qtest_call){ words + 1, n - 1 };
	if (call.count < cmd->min || call.count > cmd->max)
		qtest_fail(q, "the command is %s%s%s", cmd->name, *cmd->usage ? " " : "",
			   cmd->usage);
	else
		cmd->run(q, cmd, &call);
}

/* A long line's memory is given back. */
static void forget_line(struct qtest *q)
{
	if (q->in->allocated_len > READ_ROOM) {
		g_string_free(q->in, TRUE);
		q->in = g_string_new(NULL);
	}
	g_string_truncate(q->in, 0);
	q->is_too_long = false;
}

static void end_line(struct qtest *q)
{
	if (q->is_too_long) {
		qtest_fail(q, "a line is at most %u bytes long", MAX_LINE);
	} else {
		g_string_append_c(q->in, '\n');
		log_part(q, 'R', q->in->str, q->in->len);
		q->in->str[strcspn(q->in->str, "\r\n")] = '\0';
		run_line(q, q->in->str);
	}
	forget_line(q);
}

/* ---- the client ---- */

static size_t on_take(void *opaque, const uint8_t *bytes, size_t len)
{
	struct qtest *q = opaque;
	const uint8_t *nl = memchr(bytes, '\n', len);
	size_t part = nl ? (size_t)(nl - bytes) : len;

	q->is_too_long |= q->in->len + part > MAX_LINE;
	if (!q->is_too_long)
		g_string_append_len(q->in, (const char *)bytes, (gssize)part);
	if (!nl)
		return part;
	end_line(q);
	return part + 1;
}

static void on_event(void *opaque, enum chardev_event ev)
{
	struct qtest *q = opaque;

	if (ev != CHARDEV_OPENED && ev != CHARDEV_CLOSED)
		return;
	if (ev == CHARDEV_OPENED)
		q->began_ns = clock_host_ns();
	log_part(q, 'I', ev == CHARDEV_OPENED ? "OPENED\n" : "CLOSED\n", 7);
	forget_line(q);
	memset(q->levels, 0, sizeof(q->levels));
}

static const struct stream_user qtest_user = {
	.read_bytes = READ_ROOM,
	.take = on_take,
	.event = on_event,
};

/* ---- begin and end ---- */

static bool open_log(struct qtest *q, const char *path, struct err *err)
{
	if (path && !strcmp(path, "none"))
		return true;
	q->log = path ? fopen(path, "we") : stderr;
	return q->log || err_errno(err, errno, "-qtest-log: cannot create '%s'", path);
}

struct qtest *qtest_new(struct machine *m, struct chardev *c, const char *log, struct err *err)
{
	struct qtest *q = g_new0(struct qtest, 1);

	q->machine = m;
	q->began_ns = clock_host_ns();
	q->in = g_string_new(NULL);
	stream_init(&q->stream, &qtest_user, q);
	if (open_log(q, log, err) && stream_attach(&q->stream, c, err))
		return q;
	qtest_free(q);
	return NULL;
}

void qtest_free(struct qtest *q)
{
	if (!q)
		return;
	stream_fini(&q->stream);
	qtest_untap(q);
	if (q->log && q->log != stderr)
		fclose(q->log);
	g_string_free(q->in, TRUE);
	g_free(q);
}
