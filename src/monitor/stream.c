/* monitor/stream.c - a session's end of a chardev.
 * SPDX-License-Identifier: MIT */
#include "monitor/stream.h"

#include <string.h>

#include "object/object.h"

enum {
	KEEP_BYTES = 64 * 1024, /* of a buffer that is empty */
	FLUSH_MS = 200,
};

/* ---- out ---- */

static void forget_out(struct stream *s)
{
	s->out_at = 0;
	g_string_truncate(s->out, 0);
	if (s->out->allocated_len > KEEP_BYTES) {
		g_string_free(s->out, TRUE);
		s->out = g_string_new(NULL);
	}
}

void stream_push(struct stream *s)
{
	if (s->chr && stream_pending(s))
		s->out_at += chardev_write(s->chr, (const uint8_t *)s->out->str + s->out_at,
					   stream_pending(s));
	if (!stream_pending(s)) {
		forget_out(s);
	} else if (s->out_at > KEEP_BYTES && s->out_at >= stream_pending(s)) {
		/* A client that never catches up must not make it grow for good. */
		g_string_erase(s->out, 0, (gssize)s->out_at);
		s->out_at = 0;
	}
}

void stream_send(struct stream *s, const char *bytes, size_t len)
{
	size_t sent = 0;

	if (s->chr && !stream_pending(s))
		sent = chardev_write(s->chr, (const uint8_t *)bytes, len);
	g_string_append_len(s->out, bytes + sent, (gssize)(len - sent));
}

void stream_flush(struct stream *s)
{
	for (unsigned i = 0; s->chr && (!i || (i < 2 && stream_pending(s))); i++) {
		stream_push(s);
		chardev_flush(s->chr, FLUSH_MS);
	}
}

/* ---- in ---- */

static bool is_blocked(const struct stream *s)
{
	return stream_pending(s) > s->user->out_bytes ||
	       (s->user->is_busy && s->user->is_busy(s->opaque));
}

static void work(struct stream *s)
{
	if (s->user->work)
		s->user->work(s->opaque);
}

static void serve_input(struct stream *s)
{
	work(s);
	while (s->in_at < s->in_len && !is_blocked(s))
		s->in_at += s->user->take(s->opaque, s->in + s->in_at, s->in_len - s->in_at);
	work(s);
}

static size_t on_room(void *opaque)
{
	const struct stream *s = opaque;

	return s->in_at < s->in_len || is_blocked(s) ? 0 : s->user->read_bytes;
}

static void on_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct stream *s = opaque;

	memcpy(s->in, buf, len);
	s->in_at = 0;
	s->in_len = len;
	serve_input(s);
}

void stream_receive(struct stream *s, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t n = MIN(len, s->user->read_bytes);

		on_receive(s, bytes, n);
		bytes += n;
		len -= n;
	}
}

static void on_writable(void *opaque)
{
	struct stream *s = opaque;

	stream_push(s);
	serve_input(s);
	if (s->chr && on_room(s))
		chardev_accept_input(s->chr);
}

static void forget(struct stream *s)
{
	s->in_at = s->in_len = 0;
	forget_out(s);
}

static void on_event(void *opaque, enum chardev_event ev)
{
	struct stream *s = opaque;

	if (ev == CHARDEV_OPENED || ev == CHARDEV_CLOSED)
		forget(s);
	s->user->event(s->opaque, ev);
}

static const struct chardev_user stream_user = { on_room, on_receive, on_event, on_writable };

/* ---- coming and going ---- */

void stream_init(struct stream *s, const struct stream_user *user, void *opaque)
{
	*s = (struct stream){ .user = user, .opaque = opaque };
	s->in = g_malloc(user->read_bytes);
	s->out = g_string_new(NULL);
}

bool stream_attach(struct stream *s, struct chardev *c, struct err *err)
{
	if (!chardev_attach(c, &stream_user, s, NULL, err))
		return false;
	s->chr = c;
	object_get(chardev_object(c));
	return true;
}

void stream_detach(struct stream *s)
{
	if (!s->chr)
		return;
	stream_flush(s);
	chardev_detach(s->chr, s);
	object_put(chardev_object(s->chr));
	s->chr = NULL;
}

void stream_fini(struct stream *s)
{
	stream_detach(s);
	g_free(s->in);
	g_string_free(s->out, TRUE);
}
