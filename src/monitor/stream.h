/* monitor/stream.h - a session's end of a chardev: bytes in, which wait while the client does not
 * take what it was told, and bytes out, which wait for the client.
 *
 * Who does not read is not listened to: so what a session holds is bounded by what one piece of
 * input makes it say.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "chardev/chardev.h"

struct err;

struct stream_user {
	size_t read_bytes; /* at a time */
	size_t out_bytes;  /* that may wait while input is taken */
	/* Take one piece of the input, a line or a part of one: how many bytes it was, 1 to len. */
	size_t (*take)(void *opaque, const uint8_t *bytes, size_t len);
	/* Do what waits, as far as it may: before and after input is taken.  May be NULL. */
	void (*work)(void *opaque);
	/* Is there another reason not to take any?  May be NULL. */
	bool (*is_busy)(const void *opaque);
	/* With CHARDEV_OPENED and CHARDEV_CLOSED nothing waits any more, either way. */
	void (*event)(void *opaque, enum chardev_event ev);
};

struct stream {
	struct chardev *chr; /* NULL: not attached */
	const struct stream_user *user;
	void *opaque;
	uint8_t *in; /* from in_at to in_len: read, not yet taken */
	size_t in_at, in_len;
	GString *out; /* from out_at on: what the chardev has not taken */
	size_t out_at;
};

/* Context of all functions: loop thread. */
void stream_init(struct stream *s, const struct stream_user *user, void *opaque);
bool stream_attach(struct stream *s, struct chardev *c, struct err *err);
/* Lets go of the chardev; the client gets what was sent, if it takes it soon. */
void stream_detach(struct stream *s);
void stream_fini(struct stream *s);

/* As if it had come from the client. */
void stream_receive(struct stream *s, const uint8_t *bytes, size_t len);
void stream_send(struct stream *s, const char *bytes, size_t len);
/* What was appended to s->out goes on its way. */
void stream_push(struct stream *s);
static inline size_t stream_pending(const struct stream *s) { return s->out->len - s->out_at; }
/* Wait a moment for a slow client. */
void stream_flush(struct stream *s);
