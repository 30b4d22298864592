/* chardev/chardev_impl.h - what the backends share.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/lock.h"
#include "chardev/chardev.h"
#include "event/loop.h"
#include "object/object.h"

struct loop_fd;

enum {
	CHARDEV_QUEUE_BYTES = 64 * 1024, /* output the host has not taken yet */
	CHARDEV_READ_BYTES = 4096,
};

/* What a backend does in its own way; NULL members have a default.  Most backends only open
 * descriptors and hand them to chardev_set_fds(). */
struct chardev_ops {
	/* Properties are set: take effect.  On failure fini() follows. */
	bool (*open)(struct chardev *c, struct err *err);
	/* Default: to c->user. */
	void (*send_break)(struct chardev *c);
	/* Is anybody attached?  Default: c->user. */
	bool (*has_user)(struct chardev *c);
	/* Output that goes nowhere near a descriptor; takes all.  Needs: c->lock. */
	void (*consume)(struct chardev *c, const uint8_t *buf, size_t len);
	/* Bytes from the host; default: to the user as they are.  Loop thread, user's lock held. */
	void (*input)(struct chardev *c, const struct chardev_user *user, void *opaque,
		      uint8_t *buf, size_t len);
	/* The far end is gone.  Default: no more input.  Loop thread. */
	void (*hangup)(struct chardev *c);
	/* The rest of the interface of a chardev with several users. */
	bool (*attach)(struct chardev *c, const struct chardev_user *user, void *opaque,
		       struct lock *lock, struct err *err);
	void (*detach)(struct chardev *c, void *opaque);
	size_t (*write)(struct chardev *c, const uint8_t *buf, size_t len);
	void (*accept_input)(struct chardev *c);
	void (*flush)(struct chardev *c, int timeout_ms);
};

struct chardev_type {
	struct object_type base; /* named "chardev-BACKEND" */
	struct chardev_ops ops;
};

struct chardev {
	struct object obj;
	struct loop *loop; /* const after open */
	struct lock lock;  /* rank LOCK_BACKEND + 1 (a mux: LOCK_BACKEND) */

	const struct chardev_user *user; /* lock */
	void *opaque;                    /* lock */
	struct lock *user_lock;          /* lock */

	int in_fd, out_fd;                    /* lock; -1: none; may be the same */
	bool is_in_socket, is_out_socket;     /* lock */
	struct loop_fd *in_watch, *out_watch; /* lock; one for both when the fds are one */
	bool is_open;                         /* lock: somebody is at the far end */
	bool is_throttled;                    /* lock: the user had no room */
	bool has_eof;                         /* lock: nothing more will come */
	bool is_broken;                       /* lock: a write failed, hangup is posted */
	bool is_write_error_told;             /* lock */
	bool wants_writable;                  /* lock: the user could not write all */
	bool is_doubling_iac;                 /* lock: telnet: 0xff goes out twice */

	uint8_t *queue;            /* lock: ring of CHARDEV_QUEUE_BYTES, made when needed */
	size_t queue_head, queued; /* lock */
	struct timer flush_timer;  /* for bytes that wait for more */
	bool is_flush_armed;       /* lock */
	int64_t written_ns; /* lock: when output last went to the host, on the host's clock */

	bool is_keeping_fds;                /* loop thread: received descriptors are wanted */
	int fds[CHARDEV_MAX_FDS], fd_count; /* loop thread: kept ones, oldest first */

	bool is_terminal; /* const after open: a person types here */
	int log_fd;       /* lock; -1: none */

	/* properties */
	bool is_muxed; /* what mux=on asks for; chardev_new() sees to it */
	char *log_path;
	bool log_append;
};

extern const struct object_type chardev_object_type; /* "chardev", abstract */
extern const struct chardev_type chardev_file_type, chardev_mux_type, chardev_null_type,
	chardev_pipe_type, chardev_pty_type, chardev_ringbuf_type, chardev_socket_type,
	chardev_stdio_type;

static inline const struct chardev_ops *chardev_ops(const struct chardev *c)
{
	return &container_of(c->obj.type, const struct chardev_type, base)->ops;
}

/* Who serves it.  Once, before anything else. */
void chardev_set_loop(struct chardev *c, struct loop *loop);
/* Serve descriptors, which are the chardev's from here on, also on failure.  They must not block.
 */
bool chardev_set_fds(struct chardev *c, int in_fd, int out_fd, struct err *err);
/* Stop serving and close them; what is queued is dropped.  Context: loop thread, or nobody uses c.
 */
void chardev_drop_fds(struct chardev *c);
/* Far end came or went; tells the user.  Context: loop thread. */
void chardev_set_open(struct chardev *c, bool is_open);
void chardev_send_event(struct chardev *c, enum chardev_event ev);
/* All of it or nothing, without telnet's doubling. */
bool chardev_write_whole(struct chardev *c, const uint8_t *buf, size_t len);
/* Take the user's lock and be sure that the user is still there; NULL: he is not. */
const struct chardev_user *chardev_user_enter(struct chardev *c, void **opaque, struct lock **lock);
void chardev_user_leave(struct lock *lock);

/* A descriptor of our own for what fd is open on, that does not block and whose O_NONBLOCK nobody
 * shares where that can be had.  *restore_flags is what F_SETFL must put back on fd, or -1. */
int chardev_own_fd(int fd, int access, int *restore_flags, struct err *err);

/* Raw mode on fd if it is a terminal (else nothing).  One at a time. */
bool terminal_is_taken(void);
bool terminal_take(int in_fd, int out_fd, bool has_signals, int *own_in, int *own_out,
		   bool *is_terminal, struct err *err);
void terminal_release(void);
