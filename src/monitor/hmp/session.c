/* monitor/hmp/session.c - a human monitor on a chardev: banner, prompt, the line being typed, and
 * output to somebody who may read slowly.
 *
 * Behind a mux nothing is said while another user has the keyboard.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "chardev/chardev.h"
#include "monitor/hmp/impl.h"
#include "monitor/hmp/readline.h"
#include "monitor/qmp.h"
#include "monitor/stream.h"

enum { READ_BYTES = 1024 };

struct hmp_session {
	struct hmp *hmp;
	struct stream stream;
	struct hmp_state state;
	struct readline *line;
	bool is_greeted; /* the banner was shown */
};

/* ---- out ---- */

static void on_put(void *opaque, const char *text, size_t len)
{
	struct hmp_session *s = opaque;

	g_string_append_len(s->stream.out, text, (gssize)len);
}

/* Terminals in raw mode want a carriage return too. */
static void put_lines(struct hmp_session *s, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		g_string_append_len(s->stream.out, text, (gssize)n);
		if (!end)
			break;
		g_string_append(s->stream.out, "\r\n");
		text = end + 1;
		len -= n + 1;
	}
}

/* Tools look for "QEMU" and the prompt to know a monitor, and for the version to know its commands:
 * it is that of the interface. */
static void greet(struct hmp_session *s)
{
	struct json_object *version = qmp_version(&s->hmp->config);
	struct json_object *qemu = json_object_object_get(version, "qemu");
	g_autofree char *text = g_strdup_printf(
		"QEMU %s.%s.%s monitor - type 'help' for more information\r\n",
		hmp_json_text(qemu, "major"), hmp_json_text(qemu, "minor"),
		hmp_json_text(qemu, "micro"));

	json_object_put(version);
	g_string_append(s->stream.out, text);
	s->is_greeted = true;
	readline_begin(s->line);
}

/* ---- in ---- */

static void on_line(void *opaque, const char *line)
{
	struct hmp_session *s = opaque;
	GString *text = g_string_new(NULL);

	hmp_execute(s->hmp, s, &s->state, line, text);
	put_lines(s, text->str, text->len);
	g_string_free(text, TRUE);
	readline_begin(s->line);
}

static char **on_complete(void *opaque, const char *before, size_t *start)
{
	struct hmp_session *s = opaque;

	return hmp_complete(s->hmp, before, start);
}

static const struct readline_owner owner = { on_put, on_line, on_complete };

/* Keys up to a line's end at a time: what they show is small. */
static size_t session_take(void *opaque, const uint8_t *bytes, size_t len)
{
	struct hmp_session *s = opaque;
	size_t used = 0;
	uint8_t byte;

	do {
		byte = bytes[used++];
		readline_key(s->line, byte);
	} while (used < len && byte != '\r' && byte != '\n' && byte != '\t');
	stream_push(&s->stream);
	return used;
}

/* ---- coming and going ---- */

static void session_event(void *opaque, enum chardev_event ev)
{
	struct hmp_session *s = opaque;

	switch (ev) {
	case CHARDEV_OPENED:
		s->is_greeted = false;
		if (chardev_has_focus(s->stream.chr, &s->stream))
			greet(s);
		break;
	case CHARDEV_CLOSED: s->is_greeted = false; break;
	case CHARDEV_MUX_IN:
		if (s->is_greeted)
			readline_show(s->line);
		else
			greet(s);
		break;
	case CHARDEV_MUX_OUT:
		if (s->is_greeted)
			g_string_append(s->stream.out, "\r\n");
		break;
	case CHARDEV_BREAK: break;
	}
	stream_push(&s->stream);
}

static const struct stream_user session_user = {
	.read_bytes = READ_BYTES,
	.take = session_take,
	.event = session_event,
};

struct hmp_session *hmp_session_new(struct hmp *h, struct chardev *c, struct err *err)
{
	struct hmp_session *s = g_new0(struct hmp_session, 1);

	s->hmp = h;
	s->line = readline_new(&owner, s, "(qemu) ");
	stream_init(&s->stream, &session_user, s);
	if (!stream_attach(&s->stream, c, err)) {
		hmp_session_free(s);
		return NULL;
	}
	if (chardev_is_open(c) && chardev_has_focus(c, &s->stream))
		greet(s);
	stream_push(&s->stream);
	return s;
}

void hmp_session_free(struct hmp_session *s)
{
	stream_fini(&s->stream);
	readline_free(s->line);
	g_free(s);
}

const char *hmp_session_history(const struct hmp_session *s, unsigned n)
{
	return readline_history(s->line, n);
}
