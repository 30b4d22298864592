/* monitor/hmp/session.c - a human monitor on a chardev: banner, prompt, the line being typed, and
 * output to somebody who may read slowly.
 *
 * Who does not take the output of his commands is not listened to, so what a session holds is
 * bounded by what one command prints.  Behind a mux nothing is said while another user has the
 * keyboard.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "chardev/chardev.h"
#include "monitor/hmp/impl.h"
#include "monitor/hmp/readline.h"
#include "monitor/qmp.h"
#include "object/object.h"

enum { READ_BYTES = 1024 };

struct hmp_session {
	struct hmp *hmp;
	struct chardev *chr; /* NULL: not attached */
	struct hmp_state state;
	struct readline *line;
	uint8_t in[READ_BYTES]; /* typed, not yet looked at */
	size_t in_at, in_len;
	GString *out; /* what the chardev has not taken, from out_at on */
	size_t out_at;
	bool is_greeted; /* the banner was shown */
};

/* ---- out ---- */

static size_t pending(const struct hmp_session *s) { return s->out->len - s->out_at; }

static void push_out(struct hmp_session *s)
{
	if (pending(s))
		s->out_at += chardev_write(s->chr, (const uint8_t *)s->out->str + s->out_at,
					   pending(s));
	if (pending(s))
		return;
	s->out_at = 0;
	g_string_truncate(s->out, 0);
	if (s->out->allocated_len > READ_BYTES) {
		g_string_free(s->out, TRUE);
		s->out = g_string_new(NULL);
	}
}

static void on_put(void *opaque, const char *text, size_t len)
{
	struct hmp_session *s = opaque;

	g_string_append_len(s->out, text, (gssize)len);
}

/* Terminals in raw mode want a carriage return too. */
static void put_lines(struct hmp_session *s, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		g_string_append_len(s->out, text, (gssize)n);
		if (!end)
			break;
		g_string_append(s->out, "\r\n");
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
	g_string_append(s->out, text);
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

static void serve_input(struct hmp_session *s)
{
	while (s->in_at < s->in_len && !pending(s)) {
		/* Keys up to a line's end at a time: what they show is small. */
		while (s->in_at < s->in_len) {
			uint8_t byte = s->in[s->in_at++];

			readline_key(s->line, byte);
			if (byte == '\r' || byte == '\n' || byte == '\t')
				break;
		}
		push_out(s);
	}
}

static size_t session_room(void *opaque)
{
	const struct hmp_session *s = opaque;

	return s->in_at < s->in_len || pending(s) ? 0 : READ_BYTES;
}

static void session_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct hmp_session *s = opaque;

	memcpy(s->in, buf, len);
	s->in_at = 0;
	s->in_len = len;
	serve_input(s);
}

static void session_writable(void *opaque)
{
	struct hmp_session *s = opaque;

	push_out(s);
	serve_input(s);
	if (session_room(s))
		chardev_accept_input(s->chr);
}

/* ---- coming and going ---- */

static void session_restart(struct hmp_session *s)
{
	s->in_at = s->in_len = 0;
	g_string_truncate(s->out, 0);
	s->out_at = 0;
	s->is_greeted = false;
}

static void session_event(void *opaque, enum chardev_event ev)
{
	struct hmp_session *s = opaque;

	switch (ev) {
	case CHARDEV_OPENED:
		session_restart(s);
		if (chardev_has_focus(s->chr, s))
			greet(s);
		break;
	case CHARDEV_CLOSED: session_restart(s); break;
	case CHARDEV_MUX_IN:
		if (s->is_greeted)
			readline_show(s->line);
		else
			greet(s);
		break;
	case CHARDEV_MUX_OUT:
		if (s->is_greeted)
			g_string_append(s->out, "\r\n");
		break;
	case CHARDEV_BREAK: break;
	}
	push_out(s);
}

static const struct chardev_user session_user = { session_room, session_receive, session_event,
						  session_writable };

struct hmp_session *hmp_session_new(struct hmp *h, struct chardev *c, struct err *err)
{
	struct hmp_session *s = g_new0(struct hmp_session, 1);

	s->hmp = h;
	s->line = readline_new(&owner, s, "(qemu) ");
	s->out = g_string_new(NULL);
	if (!chardev_attach(c, &session_user, s, NULL, err)) {
		hmp_session_free(s);
		return NULL;
	}
	s->chr = c;
	object_get(chardev_object(c));
	if (chardev_is_open(c) && chardev_has_focus(c, s))
		greet(s);
	push_out(s);
	return s;
}

void hmp_session_free(struct hmp_session *s)
{
	if (s->chr) {
		push_out(s);
		chardev_flush(s->chr, 200);
		chardev_detach(s->chr, s);
		object_put(chardev_object(s->chr));
	}
	readline_free(s->line);
	g_string_free(s->out, TRUE);
	g_free(s);
}

const char *hmp_session_history(const struct hmp_session *s, unsigned n)
{
	return readline_history(s->line, n);
}
