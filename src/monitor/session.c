/* monitor/session.c - one QMP session: a chardev's bytes in and out, the agreed mode, the queue of
 * commands.
 *
 * Commands run in the order they came, in the main loop; those called by exec-oob run when they are
 * read, before what waits.  A client that does not read its answers is not read from either, so
 * what a session holds is bounded: the largest answer, EVENTS_BYTES of events, one value half read.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev.h"
#include "monitor/impl.h"
#include "monitor/parse.h"
#include "object/object.h"

enum {
	READ_BYTES = 4096,
	OUT_BYTES = 64 * 1024,  /* beyond this nothing more is read */
	EVENTS_BYTES = 1 << 20, /* beyond this events are lost */
	QUEUE_LENGTH = 8,       /* commands that wait */
};

struct qmp_session {
	struct monitors *all;
	struct chardev *chr;
	bool is_pretty;
	struct qmp_mode mode;
	struct qmp_parser *parser;
	uint8_t in[READ_BYTES]; /* read, not yet parsed */
	size_t in_at, in_len;
	GQueue queue; /* struct json_object *: messages that wait, NULL for a JSON null */
	GString *out; /* what the chardev has not taken */
	size_t out_at;
	unsigned lost_events;
	GHashTable *fds; /* name -> descriptor, by getfd */
};

/* ---- out ---- */

static size_t pending(const struct qmp_session *s) { return s->out->len - s->out_at; }

static void push_out(struct qmp_session *s)
{
	if (pending(s))
		s->out_at += chardev_write(s->chr, (const uint8_t *)s->out->str + s->out_at,
					   pending(s));
	if (pending(s))
		return;
	s->out_at = 0;
	g_string_truncate(s->out, 0);
	if (s->out->allocated_len > OUT_BYTES) {
		g_string_free(s->out, TRUE);
		s->out = g_string_new(NULL);
	}
}

/* Takes value. */
static void send_value(struct qmp_session *s, struct json_object *value)
{
	json_write(s->out, value, s->is_pretty);
	g_string_append(s->out, "\r\n");
	json_object_put(value);
	push_out(s);
}

static void send_greeting(struct qmp_session *s)
{
	struct json_object *o = json_object_new_object(), *qmp = json_object_new_object();
	struct json_object *caps = json_object_new_array();

	json_object_array_add(caps, json_object_new_string("oob"));
	json_object_object_add(qmp, "version", qmp_version(&s->all->config));
	json_object_object_add(qmp, "capabilities", caps);
	json_object_object_add(o, "QMP", qmp);
	send_value(s, o);
}

void session_send_event(struct qmp_session *s, struct json_object *event)
{
	if (!s->mode.is_negotiated)
		return;
	if (pending(s) > EVENTS_BYTES) {
		if (!s->lost_events++)
			log_line("monitor '%s': events are lost: the client does not read",
				 chardev_object(s->chr)->name);
		return;
	}
	s->lost_events = 0;
	send_value(s, json_object_get(event));
}

void session_flush(struct qmp_session *s)
{
	push_out(s);
	chardev_flush(s->chr, 200);
	push_out(s);
	chardev_flush(s->chr, 200);
}

/* ---- commands ---- */

static void run_message(struct qmp_session *s, struct json_object *message)
{
	send_value(s, qmp_dispatch(s->all, s, &s->mode, message));
	json_object_put(message);
}

static void run_queue(struct qmp_session *s)
{
	while (!g_queue_is_empty(&s->queue) && pending(s) <= OUT_BYTES)
		run_message(s, g_queue_pop_head(&s->queue));
}

/* The mode must be agreed before anything can overtake. */
static void take_message(struct qmp_session *s, struct json_object *message)
{
	if (qmp_is_oob(message, &s->mode)) {
		run_message(s, message);
		return;
	}
	g_queue_push_tail(&s->queue, message);
	if (!s->mode.has_oob || s->queue.length >= QUEUE_LENGTH)
		run_queue(s);
}

void session_negotiated(struct qmp_session *s, bool has_oob)
{
	s->mode = (struct qmp_mode){ .is_negotiated = true, .has_oob = has_oob };
}

/* ---- in ---- */

static bool is_blocked(const struct qmp_session *s)
{
	return pending(s) > OUT_BYTES || s->queue.length >= QUEUE_LENGTH;
}

static void serve_input(struct qmp_session *s)
{
	struct json_object *value;
	struct err err;
	size_t used;

	while (s->in_at < s->in_len && !is_blocked(s)) {
		enum qmp_parse r = qmp_parse(s->parser, s->in + s->in_at, s->in_len - s->in_at,
					     &used, &value, &err);

		s->in_at += used;
		if (r == QMP_PARSE_VALUE) {
			take_message(s, value);
		} else if (r == QMP_PARSE_ERROR) {
			run_queue(s); /* answers keep their order */
			send_value(s, qmp_error(QMP_GENERIC_ERROR, err.text));
		}
	}
	run_queue(s);
}

static size_t session_room(void *opaque)
{
	const struct qmp_session *s = opaque;

	return s->in_at < s->in_len || is_blocked(s) ? 0 : READ_BYTES;
}

static void session_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct qmp_session *s = opaque;

	memcpy(s->in, buf, len);
	s->in_at = 0;
	s->in_len = len;
	serve_input(s);
}

static void session_writable(void *opaque)
{
	struct qmp_session *s = opaque;

	push_out(s);
	run_queue(s);
	serve_input(s);
	if (session_room(s))
		chardev_accept_input(s->chr);
}

/* ---- coming and going ---- */

static void close_fd(gpointer fd) { close(GPOINTER_TO_INT(fd)); }

/* As new, for the next client. */
static void session_restart(struct qmp_session *s)
{
	struct json_object *message;

	qmp_parser_reset(s->parser);
	s->mode = (struct qmp_mode){ 0 };
	s->in_at = s->in_len = 0;
	while (!g_queue_is_empty(&s->queue)) {
		message = g_queue_pop_head(&s->queue);
		json_object_put(message);
	}
	g_string_truncate(s->out, 0);
	s->out_at = 0;
	s->lost_events = 0;
	g_hash_table_remove_all(s->fds);
}

static void session_event(void *opaque, enum chardev_event ev)
{
	struct qmp_session *s = opaque;

	if (ev != CHARDEV_OPENED && ev != CHARDEV_CLOSED)
		return;
	session_restart(s);
	if (ev == CHARDEV_OPENED)
		send_greeting(s);
	else
		monitors_client_gone(s->all);
}

static const struct chardev_user session_user = { session_room, session_receive, session_event,
						  session_writable };

struct qmp_session *session_new(struct monitors *m, struct chardev *c, bool is_pretty,
				struct err *err)
{
	struct qmp_session *s = g_new0(struct qmp_session, 1);

	s->all = m;
	s->chr = c;
	s->is_pretty = is_pretty;
	s->parser = qmp_parser_new();
	s->out = g_string_new(NULL);
	s->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_fd);
	g_queue_init(&s->queue);
	object_get(chardev_object(c));
	if (!chardev_attach(c, &session_user, s, NULL, err)) {
		s->chr = NULL;
		session_free(s);
		object_put(chardev_object(c));
		return NULL;
	}
	chardev_keep_fds(c);
	if (chardev_is_open(c))
		send_greeting(s);
	return s;
}

void session_free(struct qmp_session *s)
{
	if (s->chr) {
		session_flush(s);
		chardev_detach(s->chr, s);
		object_put(chardev_object(s->chr));
	}
	session_restart(s);
	qmp_parser_free(s->parser);
	g_string_free(s->out, TRUE);
	g_hash_table_unref(s->fds);
	g_free(s);
}

bool session_is_open(const struct qmp_session *s) { return chardev_is_open(s->chr); }
int session_take_fd(struct qmp_session *s) { return chardev_take_fd(s->chr); }
GHashTable *session_fds(struct qmp_session *s) { return s->fds; }
