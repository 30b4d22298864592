/* chardev/chardev.h - a stream of bytes to and from the host.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct chardev;
struct err;
struct json_object;
struct lock;
struct loop;
struct object;

enum chardev_event {
	CHARDEV_OPENED,
	CHARDEV_CLOSED,
	CHARDEV_BREAK,
	CHARDEV_MUX_IN,
	CHARDEV_MUX_OUT
};

/* Whoever sits at this end: a UART, a monitor.  Called in the chardev's loop with `lock` held. */
struct chardev_user {
	/* How many bytes receive() would take now; 0 stops reading from the host until
	 * chardev_accept_input(). */
	size_t (*room)(void *opaque);
	void (*receive)(void *opaque, const uint8_t *buf, size_t len);
	void (*event)(void *opaque, enum chardev_event ev); /* may be NULL */
	void (*writable)(void *opaque); /* the host takes bytes again; may be NULL */
};

/* The chardev is an object of a type that descends from "chardev"; its id is its name. */
struct chardev *chardev_from_object(struct object *o);
struct object *chardev_object(struct chardev *c);

/* One user at a time (a mux gives out several ends by itself).  lock may be NULL. */
bool chardev_attach(struct chardev *c, const struct chardev_user *user, void *opaque,
		    struct lock *lock, struct err *err);
/* With the user's lock held, or in the loop's thread: no callback comes any more.  The loop may
 * still be waiting for the lock: before that goes, loop_sync(). */
void chardev_detach(struct chardev *c, void *opaque);

/* Queue bytes for the host; returns how many were taken (0 .. len).  Fewer than len means the host
 * is slow: writable() will be called.  A chardev with nobody at the far end takes and drops
 * everything.  Context: any thread, never blocks, also under the user's lock. */
size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len);
/* There is room again.  Context: any thread. */
void chardev_accept_input(struct chardev *c);
/* Push out what is queued, waiting at most timeout_ms for a slow host (exit path). */
void chardev_flush(struct chardev *c, int timeout_ms);
bool chardev_is_open(const struct chardev *c);
/* Somebody is attached (a mux: anybody). */
bool chardev_has_user(const struct chardev *c);

/* A socket with somebody at the far end. */
bool chardev_is_connected(struct chardev *c);
/* Break that connection, as if the far end had. */
void chardev_disconnect(struct chardev *c);
/* As if the far end had sent a break.  Context: loop thread. */
void chardev_send_break(struct chardev *c);

/* Does the keyboard lead to the user who attached with opaque?  Only of a mux it may not. */
bool chardev_has_focus(struct chardev *c, const void *opaque);

/* Descriptors that come with data over a unix socket (SCM_RIGHTS).  From chardev_keep_fds() on,
 * those of the last message that had any are kept, at most CHARDEV_MAX_FDS; otherwise the kernel
 * drops them.  Context: loop thread. */
enum { CHARDEV_MAX_FDS = 16 };
void chardev_keep_fds(struct chardev *c);
/* The oldest one, the caller's from now on; -1: none. */
int chardev_take_fd(struct chardev *c);

/* Restore the terminal of every stdio chardev.  Async-signal-safe; called on every exit path. */
void chardev_restore_terminal(void);

/* Registers the types chardev-X for X = file mux null pipe pty ringbuf socket stdio, and has
 * SIGPIPE ignored: a far end that went away is an error of write(), not the end of the process. */
void chardev_register_types(void);
/* The backend a chardev is of ("stdio"). */
const char *chardev_backend(const struct chardev *c);
/* `-chardev stdio,id=x,...` after the option was split into key/value pairs; keys are properties.
 * Adds it under root's /chardevs. */
struct chardev *chardev_new(struct object *root, struct loop *loop, const char *backend,
			    const char *id, const char *const *keys, const char *const *values,
			    struct err *err);
/* The short forms of -serial and friends: "stdio", "mon:stdio", "null", "none" (NULL, no error:
 * code 0), "file:PATH", "pipe:PATH", "pty", "unix:PATH,server=on,wait=off", "tcp:HOST:PORT,...",
 * "telnet:...", "chardev:ID", "vc" refused. */
struct chardev *chardev_new_legacy(struct object *root, struct loop *loop, const char *id,
				   const char *spec, struct err *err);
/* A mux end ("mon:", mux=on): Ctrl-A commands h x b c s t C-a.  What x does is the owner's; quit is
 * called in the loop's thread.  Of a chardev that is no mux: nothing happens. */
void chardev_set_mux_quit(struct chardev *c, void (*quit)(void *), void *opaque);
/* Take up to len of the oldest bytes out of a ringbuf.  Context: any thread. */
size_t chardev_ringbuf_read(struct chardev *c, uint8_t *buf, size_t len);
