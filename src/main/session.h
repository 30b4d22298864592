/* main/session.h - one run of the program: what start-up makes and the main loop uses.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "main/options.h"

struct accel;
struct chardev;
struct err;
struct gdb;
struct hmp;
struct loop;
struct loop_fd;
struct machine;
struct monitors;
struct object;
struct qtest;

struct session {
	struct options opt;
	const char *program; /* argv[0]'s last part */
	struct object *root; /* composition tree */
	struct loop *loop;
	struct accel *accel;
	struct machine *machine;
	struct chardev *serials[4];
	uint8_t monitored; /* a bit for each that has a human monitor behind its mux */
	struct monitors *monitors;
	struct hmp *hmp;               /* the human ones */
	struct chardev *qtest_chardev; /* NULL: none */
	struct qtest *qtest;
	struct gdb *gdb;             /* NULL: none */
	struct chardev *gdb_chardev; /* made for it; NULL: none */
	bool is_gdb_console;         /* gdb runs a command of the human monitor */

	int daemon_fd; /* pipe to the waiting parent; -1: none */
	int signal_fd;
	struct loop_fd *signal_watch;
	char *pidfile;   /* absolute, to remove in the end; NULL: none */
	bool is_running; /* start-up is over */
	int exit_code;
};

/* Do all steps from parsed options to a running machine.  False: err says what went wrong; whatever
 * was made is still in s, for session_end(). */
bool session_start(struct session *s, struct err *err);
/* Requests of the guest and of signals, until the end. */
void session_run(struct session *s);
void session_end(struct session *s);

/* ---- parts, each in its own file ---- */

/* help.c: `-M help`, `-device X,help` and so on.  True if something was printed. */
bool help_requested(const struct options *o, bool *done, struct err *err);
/* backends.c: -object, -chardev, -serial. */
bool backends_open(struct session *s, struct err *err);
/* What a user's chardev still needs: announced, Ctrl-A X served. */
bool chardev_made(struct session *s, struct chardev *c, const char *id, struct err *err);
/* monitors.c: -qmp, -mon. */
bool monitors_open(struct session *s, struct err *err);
/* gdb.c: -gdb, -s, and what monitors call gdbserver: serve gdb at this device instead of where it
 * was served so far; "none": nowhere. */
bool gdb_open(struct session *s, const char *device, struct err *err);
void gdb_close(struct session *s, int exit_code);
/* The human monitor's command gdbserver works from now on. */
void gdb_set_hooks(struct session *s);
/* devices.c: -global, -device. */
bool globals_apply(struct session *s, struct object *o, struct err *err);
bool globals_check(const struct options *o, struct err *err);
bool devices_add(struct session *s, struct err *err);
/* Later on, for a monitor. */
struct json_object;
bool device_add_later(void *session, struct json_object *props, struct err *err);
bool object_add_later(void *session, struct json_object *props, struct err *err);
/* daemon.c: fork now, tell the parent later. */
bool daemon_fork(struct session *s, struct err *err);
void daemon_ready(struct session *s);
bool pidfile_write(struct session *s, struct err *err);
void pidfile_remove(struct session *s);
/* run.c */
bool signals_watch(struct session *s, struct err *err);
/* The machine is to end: machine.on_end. */
void session_ended(void *session, int code, const char *why);
