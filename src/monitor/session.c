/* monitor/session.c - one QMP session: a chardev's bytes in and out, the agreed mode, the queue of
 * commands.
 *
 * Commands run in the order they came, in the main loop; those called by exec-oob run when they are
 * read, before what waits.  A client that does not read its answers is not read from either, so
 * what a session holds is bounded: the largest answer, EVENTS_BYTES of events, one value half read.
 * SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev.h"
#include "monitor/impl.h"
#include "monitor/parse.h"
#include "monitor/stream.h"
#include "object/object.h"

enum {
	READ_BYTES = 4096,
	OUT_BYTES = 64 * 1024,  /* beyond this nothing more is read */
	EVENTS_BYTES = 1 << 20, /* beyond this events are lost */
	QUEUE_LENGTH = 8,       /* commands that wait */
};

struct qmp_session {
	struct monitors *all;
	struct stream stream;
	bool is_pretty;
	struct qmp_mode mode;
	struct qmp_parser *parser;
	GQueue queue; /* struct json_object *: messages that wait, NULL for a JSON null */
	unsigned lost_events;
	GHashTable *fds; /* name -> descriptor, by getfd */
};

/* ---- out ---- */

/* Takes value. */
static void send_value(struct qmp_session *s, struct json_object *value)
{
	json_write(s->stream.out, value, s->is_pretty);
	g_string_append(s->stream.out, "\r\n");
	json_object_put(value);
	stream_push(&s->stream);
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
	if (stream_pending(&s->stream) > EVENTS_BYTES) {
		if (!s->lost_events++)
			log_line("monitor '%s': events are lost: the client does not read",
				 chardev_object(s->stream.chr)->name);
		return;
	}
	s->lost_events = 0;
	send_value(s, json_object_get(event));
}

void session_flush(struct qmp_session *s) { stream_flush(&s->stream); }

/* ---- commands ---- */

static void run_message(struct qmp_session *s, struct json_object *message)
{
	send_value(s, qmp_dispatch(s->all, s, &s->mode, message));
	json_object_put(message);
}

static void run_queue(void *opaque)
{
	struct qmp_session *s = opaque;

	while (!g_queue_is_empty(&s->queue) && stream_pending(&s->stream) <= OUT_BYTES)
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

static bool is_busy(const void *opaque)
{
	const struct qmp_session *s = opaque;

	return s->queue.length >= QUEUE_LENGTH;
}

static size_t session_take(void *opaque, const uint8_t *bytes, size_t len)
{
	struct qmp_session *s = opaque;
	struct json_object *value;
	struct err err;
	size_t used;

	switch (qmp_parse(s->parser, bytes, len, &used, &value, &err)) {
	case QMP_PARSE_VALUE: take_message(s, value); break;
	case QMP_PARSE_ERROR:
		run_queue(s); /* answers keep their order */
		send_value(s, qmp_error(QMP_GENERIC_ERROR, err.text));
		break;
	case QMP_PARSE_MORE: break;
	}
	return used;
}

/* ---- coming and going ---- */

static void close_fd(gpointer fd) { close(GPOINTER_TO_INT(fd)); }

/* As new, for the next client. */
static void session_restart(struct qmp_session *s)
{
	struct json_object *message;

	qmp_parser_reset(s->parser);
	s->mode = (struct qmp_mode){ 0 };
	while (!g_queue_is_empty(&s->queue)) {
		message = g_queue_pop_head(&s->queue);
		json_object_put(message);
	}
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

static const struct stream_user session_user = {
	.read_bytes = READ_BYTES,
	.out_bytes = OUT_BYTES,
	.take = session_take,
	.work = run_queue,
	.is_busy = is_busy,
	.event = session_event,
};

struct qmp_session *session_new(struct monitors *m, struct chardev *c, bool is_pretty,
				struct err *err)
{
	struct qmp_session *s = g_new0(struct qmp_session, 1);

	s->all = m;
	s->is_pretty = is_pretty;
	s->parser = qmp_parser_new();
	s->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_fd);
	g_queue_init(&s->queue);
	stream_init(&s->stream, &session_user, s);
	if (!stream_attach(&s->stream, c, err)) {
		session_free(s);
		return NULL;
	}
	chardev_keep_fds(c);
	if (chardev_is_open(c))
		send_greeting(s);
	return s;
}

void session_free(struct qmp_session *s)
{
	stream_fini(&s->stream);
	session_restart(s);
	qmp_parser_free(s->parser);
	g_hash_table_unref(s->fds);
	g_free(s);
}

bool session_is_open(const struct qmp_session *s) { return chardev_is_open(s->stream.chr); }
int session_take_fd(struct qmp_session *s) { return chardev_take_fd(s->stream.chr); }
GHashTable *session_fds(struct qmp_session *s) { return s->fds; }
