/* monitor/impl.h - shared by the core of monitor/: sessions, dispatch, events.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "event/loop.h"
#include "machine/runstate.h"
#include "monitor/monitor.h"
#include "monitor/qmp.h"

/* An event that is held back because one like it was just sent. */
struct held_event {
	struct timer timer;
	struct monitors *all;
	struct json_object *data; /* to send when the timer fires; NULL: nothing came */
	bool is_waiting;          /* the interval is not over */
};

struct monitors {
	struct monitor_config config;
	GPtrArray *sessions; /* struct qmp_session * */
	struct machine_listener listener;
	struct held_event held[QMP_EVENT_COUNT];
	bool has_migration_events; /* as set: there are no migrations to tell of */
};

/* monitor.c: a client went.  After the last one the sets of descriptors (add-fd) go. */
void monitors_client_gone(struct monitors *m);

/* session.c */
struct qmp_session *session_new(struct monitors *m, struct chardev *c, bool is_pretty,
				struct err *err);
void session_free(struct qmp_session *s);
/* An event, with its time in it. */
void session_send_event(struct qmp_session *s, struct json_object *event);
void session_flush(struct qmp_session *s);
bool session_is_open(const struct qmp_session *s);
/* A descriptor the client sent along, now the caller's; -1: none. */
int session_take_fd(struct qmp_session *s);
/* Descriptors by name (getfd); session_fds() is a table of name to descriptor that closes. */
GHashTable *session_fds(struct qmp_session *s);
/* qmp_capabilities: the mode is agreed. */
void session_negotiated(struct qmp_session *s, bool has_oob);

/* dispatch.c: the answer to one message (not NULL). */
struct qmp_mode {
	bool is_negotiated, has_oob;
};
struct json_object *qmp_dispatch(struct monitors *m, struct qmp_session *s,
				 const struct qmp_mode *mode, struct json_object *message);
/* True for an exec-oob message that is to run before others. */
bool qmp_is_oob(struct json_object *message, const struct qmp_mode *mode);
struct json_object *qmp_error(enum qmp_class class, const char *text);

/* events.c */
void events_init(struct monitors *m);
void events_fini(struct monitors *m);

/* json_text.c: as QEMU writes it, one line or (is_pretty) many. */
void json_write(GString *out, struct json_object *value, bool is_pretty);
