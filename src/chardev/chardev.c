/* chardev/chardev.c - what all chardevs do: users, output queue, input with back-pressure.
 *
 * Output may come from any thread.  What the host does not take at once waits in a bounded queue
 * that the loop drains; beyond it the user is told how much was taken and hears writable() later.
 * Single bytes that come close together, as from a UART, are gathered for up to a millisecond.
 * Input is read in the loop's thread, never more than the user has room for.
 *
 * Locks: the user's (a device's, rank LOCK_DEVICE) is taken before the chardev's own.
 * SPDX-License-Identifier: MIT */
#include "chardev/chardev.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev_impl.h"
#include "event/clock.h"
#include "event/loop.h"

enum { NS_PER_MS = 1000000, IAC = 0xff };
enum { GATHER_NS = 1 * NS_PER_MS, GATHER_BYTES = 1024 };

struct chardev *chardev_from_object(struct object *o)
{
	return container_of(o, struct chardev, obj);
}

struct object *chardev_object(struct chardev *c) { return &c->obj; }

const char *chardev_backend(const struct chardev *c)
{
	return c->obj.type->name + strlen("chardev-");
}

static const char *label(const struct chardev *c) { return c->obj.name ? c->obj.name : "?"; }

bool chardev_is_open(const struct chardev *c)
{
	struct chardev *locked = (struct chardev *)(uintptr_t)c; /* only its lock changes */
	bool is_open;

	lock_take(&locked->lock);
	is_open = c->is_open;
	lock_drop(&locked->lock);
	return is_open;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void drop_received_fds(struct chardev *c)
{
	while (c->fd_count)
		close(c->fds[--c->fd_count]);
}

static void keep_received_fds(struct chardev *c, struct msghdr *msg)
{
	bool is_first = true;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		if (is_first)
			drop_received_fds(c);
		is_first = false;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(fd), sizeof(fd));
			if (c->fd_count < CHARDEV_MAX_FDS)
				c->fds[c->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

/* What does not fit into the control buffer the kernel closes. */
static ssize_t read_with_fds(struct chardev *c, uint8_t *buf, size_t len)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * CHARDEV_MAX_FDS)];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(c->in_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n > 0)
		keep_received_fds(c, &msg);
	return n;
}

static ssize_t read_in(struct chardev *c, uint8_t *buf, size_t len)
{
	if (c->is_in_socket && c->is_keeping_fds)
		return read_with_fds(c, buf, len);
	return c->is_in_socket ? recv(c->in_fd, buf, len, MSG_DONTWAIT) : read(c->in_fd, buf, len);
}

void chardev_keep_fds(struct chardev *c) { c->is_keeping_fds = true; }

int chardev_take_fd(struct chardev *c)
{
	int fd = c->fd_count ? c->fds[0] : -1;

	if (fd >= 0)
		memmove(c->fds, c->fds + 1, (size_t)--c->fd_count * sizeof(*c->fds));
	return fd;
}

static ssize_t write_out(struct chardev *c, const uint8_t *buf, size_t len)
{
	return c->is_out_socket ? send(c->out_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				: write(c->out_fd, buf, len);
}

static void update_watches_locked(struct chardev *c)
{
	unsigned in = 0, out = 0;

	if (c->user && c->is_open && !c->is_throttled && !c->has_eof)
		in = LOOP_READ;
	if ((c->queued && !c->is_flush_armed) || c->wants_writable)
		out = LOOP_WRITE;
	if (c->in_watch)
		loop_watch_set(c->in_watch, c->in_fd == c->out_fd ? in | out : in);
	if (c->out_watch)
		loop_watch_set(c->out_watch, out);
}

static void on_ready(void *opaque, unsigned events);

bool chardev_set_fds(struct chardev *c, int in_fd, int out_fd, struct err *err)
{
	bool ok = true;

	lock_take(&c->lock);
	assert(c->in_fd < 0 && c->out_fd < 0);
	c->in_fd = in_fd;
	c->out_fd = out_fd;
	c->is_in_socket = is_socket(in_fd);
	c->is_out_socket = is_socket(out_fd);
	c->has_eof = c->is_broken = c->is_write_error_told = false;
	if (in_fd >= 0)
		ok = (c->in_watch = loop_watch(c->loop, in_fd, 0, on_ready, c));
	if (ok && out_fd >= 0 && out_fd != in_fd)
		ok = (c->out_watch = loop_watch(c->loop, out_fd, 0, on_ready, c));
	if (!ok)
		err_errno(err, errno, "cannot wait for '%s'", label(c));
	lock_drop(&c->lock);
	if (!ok)
		chardev_drop_fds(c);
	return ok;
}

void chardev_drop_fds(struct chardev *c)
{
	lock_take(&c->lock);
	if (c->in_watch)
		loop_unwatch(c->in_watch);
	if (c->out_watch)
		loop_unwatch(c->out_watch);
	c->in_watch = c->out_watch = NULL;
	if (c->in_fd >= 0)
		close(c->in_fd);
	if (c->out_fd >= 0 && c->out_fd != c->in_fd)
		close(c->out_fd);
	c->in_fd = c->out_fd = -1;
	c->queued = 0;
	c->is_broken = false;
	lock_drop(&c->lock);
	drop_received_fds(c);
}

/* ---- users ----------------------------------------------------------------------------------- */

bool chardev_attach(struct chardev *c, const struct chardev_user *user, void *opaque,
		    struct lock *lock, struct err *err)
{
	bool is_free;

	if (chardev_ops(c)->attach)
		return chardev_ops(c)->attach(c, user, opaque, lock, err);
	lock_take(&c->lock);
	is_free = !c->user;
	if (is_free) {
		c->user = user;
		c->opaque = opaque;
		c->user_lock = lock;
		c->is_throttled = false;
		update_watches_locked(c);
	}
	lock_drop(&c->lock);
	return is_free || err_set(err, EBUSY, "character device '%s' is already in use", label(c));
}

bool chardev_has_user(const struct chardev *c)
{
	struct chardev *locked = (struct chardev *)(uintptr_t)c; /* only its lock changes */
	bool has_user;

	lock_take(&locked->lock);
	has_user = chardev_ops(c)->has_user ? chardev_ops(c)->has_user(locked) : c->user != NULL;
	lock_drop(&locked->lock);
	return has_user;
}

void chardev_detach(struct chardev *c, void *opaque)
{
	if (chardev_ops(c)->detach) {
		chardev_ops(c)->detach(c, opaque);
		return;
	}
	lock_take(&c->lock);
	if (c->user && c->opaque == opaque) {
		c->user = NULL;
		c->wants_writable = false;
		update_watches_locked(c);
	}
	lock_drop(&c->lock);
}

const struct chardev_user *chardev_user_enter(struct chardev *c, void **opaque, struct lock **lock)
{
	const struct chardev_user *user;
	bool is_still;

	lock_take(&c->lock);
	user = c->user;
	*opaque = c->opaque;
	*lock = c->user_lock;
	lock_drop(&c->lock);
	if (!user || !*lock)
		return user;
	lock_take(*lock);
	lock_take(&c->lock);
	is_still = c->user == user && c->opaque == *opaque;
	lock_drop(&c->lock);
	if (is_still)
		return user;
	lock_drop(*lock);
	return NULL;
}

void chardev_user_leave(struct lock *lock)
{
	if (lock)
		lock_drop(lock);
}

void chardev_send_event(struct chardev *c, enum chardev_event ev)
{
	const struct chardev_user *user;
	struct lock *lock;
	void *opaque;

	TRACE(chardev_event, "id=%s event=%d", label(c), ev);
	user = chardev_user_enter(c, &opaque, &lock);
	if (!user)
		return;
	if (user->event)
		user->event(opaque, ev);
	chardev_user_leave(lock);
}

bool chardev_is_connected(struct chardev *c)
{
	bool is_connected;

	lock_take(&c->lock);
	is_connected = c->is_open && c->is_in_socket && c->in_fd >= 0;
	lock_drop(&c->lock);
	return is_connected;
}

void chardev_disconnect(struct chardev *c)
{
	lock_take(&c->lock);
	if (c->is_in_socket && c->in_fd >= 0)
		shutdown(c->in_fd, SHUT_RDWR); /* the loop reads the end */
	lock_drop(&c->lock);
}

void chardev_send_break(struct chardev *c)
{
	/* A mux's users: the one that has the focus. */
	if (chardev_ops(c)->send_break)
		chardev_ops(c)->send_break(c);
	else
		chardev_send_event(c, CHARDEV_BREAK);
}

static void send_writable(struct chardev *c)
{
	const struct chardev_user *user;
	struct lock *lock;
	void *opaque;

	user = chardev_user_enter(c, &opaque, &lock);
	if (!user)
		return;
	if (user->writable)
		user->writable(opaque);
	chardev_user_leave(lock);
}

void chardev_set_open(struct chardev *c, bool is_open)
{
	bool has_changed, is_waiting = false;

	lock_take(&c->lock);
	has_changed = c->is_open != is_open;
	c->is_open = is_open;
	if (!is_open) {
		is_waiting = c->wants_writable;
		c->wants_writable = false;
		c->queued = 0;
	}
	update_watches_locked(c);
	lock_drop(&c->lock);
	if (has_changed)
		chardev_send_event(c, is_open ? CHARDEV_OPENED : CHARDEV_CLOSED);
	if (is_waiting) /* all is taken now, and dropped */
		send_writable(c);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void do_hangup(struct chardev *c)
{
	if (chardev_ops(c)->hangup) {
		chardev_ops(c)->hangup(c);
		return;
	}
	lock_take(&c->lock);
	c->has_eof = true;
	update_watches_locked(c);
	lock_drop(&c->lock);
}

static void throttle(struct chardev *c)
{
	lock_take(&c->lock);
	c->is_throttled = true;
	update_watches_locked(c);
	lock_drop(&c->lock);
}

/* One read, at most as much as the user takes. */
static void serve_input(struct chardev *c)
{
	uint8_t buf[CHARDEV_READ_BYTES];
	const struct chardev_user *user;
	struct lock *lock;
	ssize_t n = -1;
	size_t room;
	void *opaque;
	int error = EAGAIN;

	user = chardev_user_enter(c, &opaque, &lock);
	if (!user)
		return;
	room = user->room(opaque);
	if (!room) {
		/* Noted with the user's lock held: chardev_accept_input() cannot come before. */
		throttle(c);
	} else {
		n = read_in(c, buf, room < sizeof(buf) ? room : sizeof(buf));
		error = errno;
	}
	if (n > 0 && chardev_ops(c)->input)
		chardev_ops(c)->input(c, user, opaque, buf, (size_t)n);
	else if (n > 0)
		user->receive(opaque, buf, (size_t)n);
	chardev_user_leave(lock);
	if (n == 0 || (n < 0 && error != EAGAIN && error != EINTR))
		do_hangup(c);
}

void chardev_accept_input(struct chardev *c)
{
	if (chardev_ops(c)->accept_input) {
		chardev_ops(c)->accept_input(c);
		return;
	}
	lock_take(&c->lock);
	if (c->is_throttled) {
		c->is_throttled = false;
		update_watches_locked(c);
	}
	lock_drop(&c->lock);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void hangup_job(void *opaque)
{
	struct chardev *c = opaque;
	bool is_broken;

	lock_take(&c->lock);
	is_broken = c->is_broken; /* not yet seen, and no new connection since */
	c->is_broken = false;
	lock_drop(&c->lock);
	if (is_broken)
		do_hangup(c);
	object_put(&c->obj);
}

/* The far end does not take output any more.  A stream that can come back is hung up by the loop;
 * of others it is told once, and what follows is dropped. */
static void write_failed_locked(struct chardev *c, int error)
{
	c->queued = 0;
	if (chardev_ops(c)->hangup && c->in_fd == c->out_fd) {
		if (!c->is_broken)
			loop_post(c->loop, hangup_job, object_get(&c->obj));
		c->is_broken = true;
	} else if (!c->is_write_error_told) {
		c->is_write_error_told = true;
		log_line("character device '%s': output is lost: %s", label(c), strerror(error));
	}
}

static void drain_locked(struct chardev *c)
{
	c->written_ns = clock_host_ns();
	while (c->queued) {
		size_t chunk = CHARDEV_QUEUE_BYTES - c->queue_head;
		ssize_t n;

		if (chunk > c->queued)
			chunk = c->queued;
		n = write_out(c, c->queue + c->queue_head, chunk);
		if (n > 0) {
			c->queue_head = (c->queue_head + (size_t)n) % CHARDEV_QUEUE_BYTES;
			c->queued -= (size_t)n;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno != EAGAIN) {
			write_failed_locked(c, errno);
		} else {
			break;
		}
	}
}

/* The first byte after a pause goes at once, what follows closely goes together. */
static void drain_soon_locked(struct chardev *c)
{
	int64_t due_ns = c->written_ns + GATHER_NS;

	if (c->is_flush_armed && c->queued < GATHER_BYTES)
		return;
	if (c->queued >= GATHER_BYTES || clock_host_ns() >= due_ns) {
		drain_locked(c);
	} else {
		timer_arm(&c->flush_timer, due_ns);
		c->is_flush_armed = true;
	}
}

static void put_byte_locked(struct chardev *c, uint8_t byte)
{
	c->queue[(c->queue_head + c->queued++) % CHARDEV_QUEUE_BYTES] = byte;
}

/* How many of buf fit into the queue. */
static size_t queue_put_locked(struct chardev *c, const uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		bool is_double = c->is_doubling_iac && buf[i] == IAC;

		if (c->queued + 1 + is_double > CHARDEV_QUEUE_BYTES)
			break;
		put_byte_locked(c, buf[i]);
		if (is_double)
			put_byte_locked(c, buf[i]);
	}
	return i;
}

/* Takes everything where nobody is at the far end; does not touch the queue then. */
static bool is_dropping_locked(struct chardev *c, const uint8_t *buf, size_t len)
{
	if (chardev_ops(c)->consume)
		chardev_ops(c)->consume(c, buf, len);
	else if (c->is_open && !c->is_broken && c->out_fd >= 0)
		return false;
	return true;
}

static void log_locked(struct chardev *c, const uint8_t *buf, size_t len)
{
	if (c->log_fd < 0 || write(c->log_fd, buf, len) == (ssize_t)len)
		return;
	log_line("character device '%s': its log file stops here: %s", label(c), strerror(errno));
	close(c->log_fd);
	c->log_fd = -1;
}

size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	size_t taken = len;

	if (chardev_ops(c)->write)
		return chardev_ops(c)->write(c, buf, len);
	lock_take(&c->lock);
	if (!is_dropping_locked(c, buf, len)) {
		if (!c->queue)
			c->queue = g_malloc(CHARDEV_QUEUE_BYTES);
		taken = queue_put_locked(c, buf, len);
		if (len == 1)
			drain_soon_locked(c);
		else
			drain_locked(c);
		if (taken < len) {
			taken += queue_put_locked(c, buf + taken, len - taken);
			drain_locked(c);
		}
		if (taken < len)
			c->wants_writable = true;
		update_watches_locked(c);
	}
	log_locked(c, buf, taken);
	lock_drop(&c->lock);
	return taken;
}

bool chardev_write_whole(struct chardev *c, const uint8_t *buf, size_t len)
{
	bool fits = true;

	lock_take(&c->lock);
	if (!is_dropping_locked(c, buf, len)) {
		if (!c->queue)
			c->queue = g_malloc(CHARDEV_QUEUE_BYTES);
		drain_locked(c);
		fits = CHARDEV_QUEUE_BYTES - c->queued >= len;
		for (size_t i = 0; fits && i < len; i++)
			put_byte_locked(c, buf[i]);
		drain_locked(c);
		update_watches_locked(c);
	}
	lock_drop(&c->lock);
	return fits;
}

static void serve_output(struct chardev *c)
{
	bool is_wanted;

	lock_take(&c->lock);
	if (c->out_fd >= 0)
		drain_locked(c);
	is_wanted = c->wants_writable && c->queued <= CHARDEV_QUEUE_BYTES / 2;
	if (is_wanted)
		c->wants_writable = false;
	update_watches_locked(c);
	lock_drop(&c->lock);
	if (is_wanted)
		send_writable(c);
}

static void on_flush_due(void *opaque)
{
	struct chardev *c = opaque;

	lock_take(&c->lock);
	c->is_flush_armed = false;
	if (c->out_fd >= 0)
		drain_locked(c);
	update_watches_locked(c);
	lock_drop(&c->lock);
}

void chardev_set_loop(struct chardev *c, struct loop *loop)
{
	c->loop = loop;
	timer_init(&c->flush_timer, loop, NULL, NULL, on_flush_due, c);
}

static void on_ready(void *opaque, unsigned events)
{
	struct chardev *c = opaque;
	bool is_reading;

	object_get(&c->obj); /* a user's callback may drop the last other reference */
	if (events & (LOOP_WRITE | LOOP_HANGUP))
		serve_output(c);
	lock_take(&c->lock);
	is_reading = c->in_fd >= 0 && !c->has_eof && !c->is_throttled;
	lock_drop(&c->lock);
	if (is_reading && (events & (LOOP_READ | LOOP_HANGUP)))
		serve_input(c);
	object_put(&c->obj);
}

void chardev_flush(struct chardev *c, int timeout_ms)
{
	int64_t end_ns = clock_host_ns() + (int64_t)timeout_ms * NS_PER_MS;

	if (chardev_ops(c)->flush) {
		chardev_ops(c)->flush(c, timeout_ms);
		return;
	}
	for (;;) {
		struct pollfd p = { .events = POLLOUT };
		int64_t left_ns = end_ns - clock_host_ns();

		lock_take(&c->lock);
		if (c->out_fd >= 0)
			drain_locked(c);
		p.fd = c->queued ? c->out_fd : -1;
		lock_drop(&c->lock);
		if (p.fd < 0 || left_ns <= 0)
			return;
		poll(&p, 1, (int)(left_ns / NS_PER_MS) + 1);
	}
}

/* ---- type ------------------------------------------------------------------------------------ */

static void chardev_init(struct object *o)
{
	struct chardev *c = chardev_from_object(o);
	bool is_mux = chardev_ops(c)->attach;

	/* A mux writes to the chardev below it with its own lock held. */
	lock_init(&c->lock, is_mux ? LOCK_BACKEND : (enum lock_rank)(LOCK_BACKEND + 1), "chardev");
	c->in_fd = c->out_fd = c->log_fd = -1;
}

static void chardev_fini(struct object *o)
{
	struct chardev *c = chardev_from_object(o);

	chardev_drop_fds(c);
	if (c->loop) {
		timer_fini(&c->flush_timer);
		loop_sync(c->loop);
	}
	if (c->log_fd >= 0)
		close(c->log_fd);
	g_free(c->queue);
	lock_fini(&c->lock);
}

static const struct prop chardev_props[] = {
	PROP_BOOL(struct chardev, is_muxed, "mux", false,
		  .help = "several users share it (Ctrl-A C switches)"),
	PROP_STR(struct chardev, log_path, "logfile", .help = "copy all output to this file"),
	PROP_BOOL(struct chardev, log_append, "logappend", false,
		  .help = "append to the log file instead of starting it anew"),
	{ 0 },
};

const struct object_type chardev_object_type = {
	.name = "chardev",
	.size = sizeof(struct chardev),
	.is_abstract = true,
	.props = chardev_props,
	.init = chardev_init,
	.fini = chardev_fini,
};
