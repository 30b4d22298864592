/* base/log.c - the log and its trace points.
 *
 * A line is formatted by the thread that has it and leaves in one write(2): lines of several
 * threads do not mix, none waits in a buffer when the process dies, and a full disk is noticed at
 * the line that did not fit.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"

enum {
	LINE_MAX_BYTES = 1024, /* longer lines go through the heap */
	ITEM_NAME_BYTES = 32,
	STAMP_BYTES = 64,
	GUEST_ERRORS_PER_S = 100,
};

static const struct {
	const char *name;
	uint32_t item;
	const char *help;
} log_items[] = {
	{ "guest_errors", LOG_GUEST_ERROR, "the guest did what it must not" },
	{ "int", LOG_INT, "interrupts and exceptions" },
	{ "in_asm", LOG_IN_ASM, "guest code of each translated block" },
	{ "op", LOG_OP, "intermediate code of each translated block" },
	{ "out_asm", LOG_OUT_ASM, "host code of each translated block" },
	{ "exec", LOG_EXEC, "each block entered" },
	{ "cpu", LOG_CPU, "registers before each block" },
	{ "mmu", LOG_MMU, "page walks that fault" },
	{ "pcall", LOG_PCALL, "far calls, gates, task switches" },
	{ "unimp", LOG_UNIMP, "registers and functions that are not modelled" },
	{ "cpu_reset", LOG_CPU_RESET, "registers at each CPU reset" },
};

static const struct {
	const char *name;
	const char *help;
} trace_points[TRACE_COUNT] = {
#define TRACE_POINT(name, help) [TRACE_##name] = { #name, help },
#include "base/trace_points.def"
#undef TRACE_POINT
};

/* One log per process, as there is one stderr: machines share it. */
uint32_t log_mask;
uint8_t trace_enabled[TRACE_COUNT];

static struct {
	pthread_mutex_t lock;
	int fd;             /* lock */
	bool is_silent;     /* lock; a write failed */
	time_t window_s;    /* lock; the second that in_window counts */
	unsigned in_window; /* lock; guest errors in it, shown or not */
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO };

/* What lines begin with.  Const once threads run. */
static struct {
	bool has_time;
	char *name; /* NULL: none */
} prefix;

/* ---- what is logged -------------------------------------------------------------------------- */

static bool item_error(struct err *err, const char *word)
{
	const char *names[ARRAY_SIZE(log_items) + 2];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(log_items); i++)
		names[n++] = log_items[i].name;
	names[n++] = "all";
	names[n] = NULL;
	err_set(err, EINVAL, "unknown log item '%s'", word);
	return err_suggest(err, word, names);
}

static uint32_t item_find(const char *word)
{
	if (strcmp(word, "all") == 0)
		return UINT32_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(log_items); i++)
		if (strcmp(word, log_items[i].name) == 0)
			return log_items[i].item;
	return 0;
}

bool log_parse_items(const char *list, uint32_t *mask, struct err *err)
{
	uint32_t found = 0;
	const char *end;

	for (;; list = end + 1) {
		char word[ITEM_NAME_BYTES];
		uint32_t item;

		end = strchrnul(list, ',');
		snprintf(word, sizeof(word), "%.*s", (int)(end - list), list);
		item = item_find(word);
		if (!item)
			return item_error(err, word);
		found |= item;
		if (!*end)
			break;
	}
	*mask = found;
	return true;
}

void log_help(FILE *out)
{
	fprintf(out, "Log items (comma-separated list for -d):\n");
	for (size_t i = 0; i < ARRAY_SIZE(log_items); i++)
		fprintf(out, "%-15s %s\n", log_items[i].name, log_items[i].help);
	fprintf(out, "%-15s %s\n", "all", "all of these");
}

void log_set_mask(uint32_t mask) { __atomic_store_n(&log_mask, mask, __ATOMIC_RELAXED); }

/* ---- where it goes --------------------------------------------------------------------------- */

/* path with each "%d" replaced by the process id; the caller frees. */
static char *expand_pid(const char *path)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		return NULL;
	for (const char *p = path; *p; p++) {
		if (p[0] == '%' && p[1] == 'd') {
			fprintf(f, "%d", (int)getpid());
			p++;
		} else {
			fputc(*p, f);
		}
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static void sink_set(int fd)
{
	int old;

	pthread_mutex_lock(&sink.lock);
	old = sink.fd;
	sink.fd = fd;
	sink.is_silent = false;
	pthread_mutex_unlock(&sink.lock);
	if (old != STDERR_FILENO)
		close(old);
}

bool log_open(const char *path, struct err *err)
{
	char *name = expand_pid(path);
	int fd;

	if (!name)
		return err_errno(err, ENOMEM, "cannot open log file '%s'", path);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		err_errno(err, errno, "cannot open log file '%s'", name);
	else
		sink_set(fd);
	free(name);
	return fd >= 0;
}

void log_close(void) { sink_set(STDERR_FILENO); }

/* All of buf, or an errno value.  The terminal may be non-blocking because a chardev shares it:
 * then wait as a blocking one would. */
static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return errno;
		} else if (n < 0 && errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* ---- lines ----------------------------------------------------------------------------------- */

struct line {
	char small[LINE_MAX_BYTES];
	char *text; /* small, or on the heap */
	size_t len; /* with the '\n'; there is no NUL */
};

void log_set_prefix(bool has_time, const char *name)
{
	free(prefix.name);
	prefix.name = name && *name ? strdup(name) : NULL;
	prefix.has_time = has_time;
}

/* "2026-11-22T01:02:03.456789Z " (ISO 8601, UTC), or nothing. */
static void stamp_print(char stamp[STAMP_BYTES])
{
	struct timespec now;
	struct tm tm;
	size_t n;

	stamp[0] = '\0';
	if (!prefix.has_time)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(stamp, STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp + n, STAMP_BYTES - n, ".%06ldZ ", now.tv_nsec / 1000);
}

/* "STAMP NAME who: text" as snprintf() does it; who may be NULL. */
__attribute__((format(printf, 5, 0))) static int line_print(char *buf, size_t size,
							    const char *stamp, const char *who,
							    const char *fmt, va_list ap)
{
	const char *name = prefix.name;
	int head = snprintf(buf, size, "%s%s%s%s%s", stamp, name ? name : "", name ? " " : "",
			    who ? who : "", who ? ": " : "");
	size_t used = (size_t)head < size ? (size_t)head : size;
	int text = vsnprintf(buf + used, size - used, fmt, ap);

	return head + (text < 0 ? 0 : text);
}

__attribute__((format(printf, 3, 0))) static void line_init(struct line *l, const char *who,
							    const char *fmt, va_list ap)
{
	char stamp[STAMP_BYTES];
	va_list again;
	int len;

	stamp_print(stamp);
	va_copy(again, ap);
	l->text = l->small;
	len = line_print(l->small, sizeof(l->small), stamp, who, fmt, ap);
	if (len >= (int)sizeof(l->small)) {
		char *heap = malloc((size_t)len + 1);

		if (heap) {
			l->text = heap;
			line_print(heap, (size_t)len + 1, stamp, who, fmt, again);
		} else {
			len = sizeof(l->small) - 1;
		}
	}
	va_end(again);
	l->text[len] = '\n'; /* in place of the NUL */
	l->len = (size_t)len + 1;
}

static void line_fini(struct line *l)
{
	if (l->text != l->small)
		free(l->text);
}

void log_message(const char *who, const char *fmt, ...)
{
	struct line l;
	va_list ap;

	va_start(ap, fmt);
	line_init(&l, who, fmt, ap);
	va_end(ap);
	/* Whom could one tell that standard error is not to be written? */
	write_all(STDERR_FILENO, l.text, l.len);
	line_fini(&l);
}

static void sink_write_locked(const char *buf, size_t len)
{
	int error;

	if (sink.is_silent)
		return;
	error = write_all(sink.fd, buf, len);
	if (!error)
		return;
	sink.is_silent = true;
	if (sink.fd != STDERR_FILENO)
		log_message("rhea", "the log stops here: cannot write it: %s", strerror(error));
}

__attribute__((format(printf, 2, 0))) static void sink_line(const char *who, const char *fmt,
							    va_list ap)
{
	struct line l;

	line_init(&l, who, fmt, ap);
	pthread_mutex_lock(&sink.lock);
	sink_write_locked(l.text, l.len);
	pthread_mutex_unlock(&sink.lock);
	line_fini(&l);
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sink_line(NULL, fmt, ap);
	va_end(ap);
}

/* May one more guest error be shown in this second?  A guest can make millions of them; what was
 * held back is told when the next second's first one comes. */
static bool guest_error_admit(void)
{
	struct timespec now;
	unsigned hidden = 0;
	bool admit;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&sink.lock);
	if (now.tv_sec != sink.window_s) {
		if (sink.in_window > GUEST_ERRORS_PER_S)
			hidden = sink.in_window - GUEST_ERRORS_PER_S;
		sink.window_s = now.tv_sec;
		sink.in_window = 0;
	}
	admit = sink.in_window++ < GUEST_ERRORS_PER_S;
	pthread_mutex_unlock(&sink.lock);
	if (hidden)
		log_line("(%u guest errors not shown)", hidden);
	return admit;
}

void log_guest_error(const char *who, const char *fmt, ...)
{
	va_list ap;

	if (!log_on(LOG_GUEST_ERROR) || !guest_error_admit())
		return;
	va_start(ap, fmt);
	sink_line(who, fmt, ap);
	va_end(ap);
}

/* ---- trace points ---------------------------------------------------------------------------- */

void trace_emit(enum trace_id id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sink_line(trace_points[id].name, fmt, ap);
	va_end(ap);
}

bool trace_set_pattern(const char *pattern, bool on, struct err *err)
{
	const char *names[TRACE_COUNT + 1];
	bool has_match = false;

	if (*pattern == '-') {
		on = false;
		pattern++;
	}
	for (unsigned i = 0; i < TRACE_COUNT; i++) {
		names[i] = trace_points[i].name;
		if (fnmatch(pattern, names[i], FNM_NOESCAPE) != 0)
			continue;
		__atomic_store_n(&trace_enabled[i], on, __ATOMIC_RELAXED);
		has_match = true;
	}
	if (has_match)
		return true;
	names[TRACE_COUNT] = NULL;
	err_set(err, EINVAL, "no trace point matches '%s'", pattern);
	return err_suggest(err, pattern, names);
}

const char *trace_name(enum trace_id id) { return trace_points[id].name; }

void trace_help(FILE *out)
{
	fprintf(out, "Trace points (-trace takes a name or a pattern with * and ?):\n");
	for (unsigned i = 0; i < TRACE_COUNT; i++)
		fprintf(out, "%-20s %s\n", trace_points[i].name, trace_points[i].help);
}
