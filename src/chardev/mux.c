/* chardev/mux.c - several users on one chardev, switched from its keyboard with Ctrl-A.
 *
 * Every user's output goes out; input goes to the one in focus.  Keys are always read, so that
 * Ctrl-A X works on a guest that hangs: of a terminal, what the guest does not take is dropped once
 * the buffer, which holds a large paste, is full; of a pipe or a socket, reading stops.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "chardev/chardev_impl.h"
#include "event/clock.h"
#include "event/loop.h"

enum { MUX_ENDS = 4, MUX_BUFFER = 32 * 1024, MUX_CHUNK = 256, CTRL_A = 1, NS_PER_MS = 1000000 };

struct mux_end {
	const struct chardev_user *user; /* NULL: free */
	void *opaque;
	struct lock *lock;
	bool wants_writable;
};

struct mux {
	struct chardev chr;
	struct object *base_object; /* property; const after open */
	struct chardev *base;       /* const after open; NULL: not attached */

	struct mux_end ends[MUX_ENDS]; /* chr.lock */
	unsigned focus;                /* chr.lock */
	uint8_t buffer[MUX_BUFFER];    /* chr.lock: ring, input nobody took yet */
	unsigned head, count;          /* chr.lock */
	bool is_delivery_posted;       /* chr.lock */

	bool has_seen_escape; /* loop thread */
	bool has_timestamps;  /* chr.lock */
	bool is_line_start;   /* chr.lock */
	int64_t start_ns;     /* const after open */
	void (*quit)(void *); /* const after set-up */
	void *quit_opaque;
};

static struct mux *mux(struct chardev *c) { return container_of(c, struct mux, chr); }

/* ---- ends ------------------------------------------------------------------------------------ */

static bool mux_attach(struct chardev *c, const struct chardev_user *user, void *opaque,
		       struct lock *lock, struct err *err)
{
	struct mux *m = mux(c);
	unsigned i = 0;
	bool ok;

	lock_take(&c->lock);
	while (i < MUX_ENDS && m->ends[i].user)
		i++;
	ok = i < MUX_ENDS;
	if (ok) {
		m->ends[i] = (struct mux_end){ user, opaque, lock, false };
		if (!m->ends[m->focus].user)
			m->focus = i;
	}
	lock_drop(&c->lock);
	if (ok)
		chardev_accept_input(c); /* what came before anybody was here */
	return ok || err_set(err, EBUSY, "character device '%s' already has %d users",
			     c->obj.name ? c->obj.name : "?", MUX_ENDS);
}

/* Needs: c->lock. */
static bool mux_has_user(struct chardev *c)
{
	bool has_any = false;

	for (unsigned i = 0; i < MUX_ENDS; i++)
		has_any |= mux(c)->ends[i].user != NULL;
	return has_any;
}

bool chardev_has_focus(struct chardev *c, const void *opaque)
{
	const struct mux *m;
	bool has_it;

	if (c->obj.type != &chardev_mux_type.base)
		return true;
	m = mux(c);
	lock_take(&c->lock);
	has_it = m->ends[m->focus].user && m->ends[m->focus].opaque == opaque;
	lock_drop(&c->lock);
	return has_it;
}

static void mux_detach(struct chardev *c, void *opaque)
{
	struct mux *m = mux(c);

	lock_take(&c->lock);
	for (unsigned i = 0; i < MUX_ENDS; i++)
		if (m->ends[i].user && m->ends[i].opaque == opaque)
			m->ends[i] = (struct mux_end){ 0 };
	for (unsigned i = 0; i < MUX_ENDS && !m->ends[m->focus].user; i++)
		m->focus = (m->focus + 1) % MUX_ENDS;
	lock_drop(&c->lock);
}

/* As chardev_user_enter(), for end i. */
static bool end_enter(struct mux *m, unsigned i, struct mux_end *end)
{
	bool is_still;

	lock_take(&m->chr.lock);
	*end = m->ends[i];
	lock_drop(&m->chr.lock);
	if (!end->user || !end->lock)
		return end->user;
	lock_take(end->lock);
	lock_take(&m->chr.lock);
	is_still = m->ends[i].user == end->user && m->ends[i].opaque == end->opaque;
	lock_drop(&m->chr.lock);
	if (!is_still)
		lock_drop(end->lock);
	return is_still;
}

static void send_event(struct mux *m, unsigned i, enum chardev_event ev)
{
	struct mux_end end;

	if (!end_enter(m, i, &end))
		return;
	if (end.user->event)
		end.user->event(end.opaque, ev);
	chardev_user_leave(end.lock);
}

static unsigned focus_of(struct mux *m)
{
	unsigned focus;

	lock_take(&m->chr.lock);
	focus = m->focus;
	lock_drop(&m->chr.lock);
	return focus;
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Up to len buffered bytes, removed. */
static size_t buffer_take(struct mux *m, uint8_t *buf, size_t len)
{
	size_t n = 0;

	lock_take(&m->chr.lock);
	for (; n < len && m->count; n++) {
		buf[n] = m->buffer[m->head];
		m->head = (m->head + 1) % MUX_BUFFER;
		m->count--;
	}
	lock_drop(&m->chr.lock);
	return n;
}

static bool buffer_put(struct mux *m, uint8_t byte)
{
	bool fits;

	lock_take(&m->chr.lock);
	fits = m->count < MUX_BUFFER;
	if (fits)
		m->buffer[(m->head + m->count++) % MUX_BUFFER] = byte;
	lock_drop(&m->chr.lock);
	return fits;
}

/* Hand the focus what it takes.  Context: loop thread. */
static void deliver(struct mux *m)
{
	uint8_t buf[MUX_CHUNK];
	struct mux_end end;
	size_t room, n;

	do {
		if (!end_enter(m, focus_of(m), &end))
			return;
		room = end.user->room(end.opaque);
		n = buffer_take(m, buf, room < sizeof(buf) ? room : sizeof(buf));
		if (n)
			end.user->receive(end.opaque, buf, n);
		chardev_user_leave(end.lock);
	} while (n);
	chardev_accept_input(m->base);
}

static void deliver_job(void *opaque)
{
	struct mux *m = opaque;

	lock_take(&m->chr.lock);
	m->is_delivery_posted = false;
	lock_drop(&m->chr.lock);
	deliver(m);
	object_put(&m->chr.obj);
}

/* May come with the user's lock held, from any thread: the loop does it. */
static void mux_accept_input(struct chardev *c)
{
	struct mux *m = mux(c);

	lock_take(&c->lock);
	if (!m->is_delivery_posted) {
		m->is_delivery_posted = true;
		loop_post(c->loop, deliver_job, object_get(&c->obj));
	}
	lock_drop(&c->lock);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void say(struct mux *m, const char *text)
{
	chardev_write_whole(m->base, (const uint8_t *)text, strlen(text));
}

static void key_help(struct mux *m)
{
	say(m, "\r\n"
	       "C-a h    print this help\r\n"
	       "C-a x    end Rhea\r\n"
	       "C-a s    write disk data back to the files\r\n"
	       "C-a t    time stamps before each line, or not\r\n"
	       "C-a b    send a break (Linux: magic SysRq)\r\n"
	       "C-a c    switch between the users of this terminal\r\n"
	       "C-a C-a  send C-a\r\n");
}

static void key_quit(struct mux *m)
{
	say(m, "\r\nrhea: terminated\r\n");
	if (m->quit)
		m->quit(m->quit_opaque);
}

static void key_save(struct mux *m) { say(m, "\r\nno disk has data to write back\r\n"); }
static void key_break(struct mux *m) { send_event(m, focus_of(m), CHARDEV_BREAK); }

static void mux_send_break(struct chardev *c) { key_break(mux(c)); }

static void key_timestamps(struct mux *m)
{
	lock_take(&m->chr.lock);
	m->has_timestamps = !m->has_timestamps;
	m->is_line_start = false;
	lock_drop(&m->chr.lock);
}

static void key_switch(struct mux *m)
{
	unsigned old, new;

	lock_take(&m->chr.lock);
	old = new = m->focus;
	do
		new = (new + 1) % MUX_ENDS;
	while (!m->ends[new].user && new != old);
	m->focus = new;
	m->count = 0; /* typed for the other one */
	lock_drop(&m->chr.lock);
	if (new == old)
		return;
	send_event(m, old, CHARDEV_MUX_OUT);
	send_event(m, new, CHARDEV_MUX_IN);
}

static const struct {
	uint8_t key;
	void (*fn)(struct mux *m);
} keys[] = {
	{ 'h', key_help },  { '?', key_help },   { 'x', key_quit },       { 's', key_save },
	{ 'b', key_break }, { 'c', key_switch }, { 't', key_timestamps },
};

static void escaped_key(struct mux *m, uint8_t key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == key)
			keys[i].fn(m);
}

/* ---- as the user of the chardev below -------------------------------------------------------- */

static size_t mux_room(void *opaque)
{
	struct mux *m = opaque;
	size_t room;

	lock_take(&m->chr.lock);
	room = m->base->is_terminal ? MUX_BUFFER : MUX_BUFFER - m->count;
	lock_drop(&m->chr.lock);
	return room;
}

static void mux_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct mux *m = opaque;

	for (size_t i = 0; i < len; i++) {
		bool is_escaped = m->has_seen_escape;

		m->has_seen_escape = false;
		if (!is_escaped && buf[i] == CTRL_A)
			m->has_seen_escape = true;
		else if (is_escaped && buf[i] != CTRL_A)
			escaped_key(m, buf[i]);
		else if (!buffer_put(m, buf[i])) {
			deliver(m);
			buffer_put(m, buf[i]);
		}
	}
	deliver(m);
}

static void mux_event(void *opaque, enum chardev_event ev)
{
	struct mux *m = opaque;

	if (ev == CHARDEV_OPENED || ev == CHARDEV_CLOSED) {
		m->has_seen_escape = false;
		lock_take(&m->chr.lock);
		m->chr.is_open = ev == CHARDEV_OPENED;
		lock_drop(&m->chr.lock);
		for (unsigned i = 0; i < MUX_ENDS; i++)
			send_event(m, i, ev);
	} else {
		send_event(m, focus_of(m), ev);
	}
}

static void mux_writable(void *opaque)
{
	struct mux *m = opaque;

	for (unsigned i = 0; i < MUX_ENDS; i++) {
		struct mux_end end;
		bool wants;

		lock_take(&m->chr.lock);
		wants = m->ends[i].wants_writable;
		m->ends[i].wants_writable = false;
		lock_drop(&m->chr.lock);
		if (!wants || !end_enter(m, i, &end))
			continue;
		if (end.user->writable)
			end.user->writable(end.opaque);
		chardev_user_leave(end.lock);
	}
}

static const struct chardev_user mux_user = { mux_room, mux_receive, mux_event, mux_writable };

/* ---- output ---------------------------------------------------------------------------------- */

static bool put_timestamp_locked(struct mux *m)
{
	int64_t ms = (clock_host_ns() - m->start_ns) / NS_PER_MS;
	char text[40];

	snprintf(text, sizeof(text), "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000),
		 (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
	return chardev_write_whole(m->base, (const uint8_t *)text, strlen(text));
}

/* Line by line, each after its time. */
static size_t write_stamped_locked(struct mux *m, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const uint8_t *end = memchr(buf + done, '\n', len - done);
		size_t n = end ? (size_t)(end - (buf + done)) + 1 : len - done, taken;

		if (m->is_line_start && !put_timestamp_locked(m))
			/* Full: whatever is taken now would miss its time; ask for writable(). */
			return done + chardev_write(m->base, buf + done, len - done);
		m->is_line_start = false;
		taken = chardev_write(m->base, buf + done, n);
		done += taken;
		if (taken < n)
			break;
		m->is_line_start = end;
	}
	return done;
}

static size_t mux_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct mux *m = mux(c);
	size_t taken;

	lock_take(&c->lock);
	taken = m->has_timestamps ? write_stamped_locked(m, buf, len)
				  : chardev_write(m->base, buf, len);
	/* Whose write it was is not known here; whoever has nothing to write won't mind. */
	for (unsigned i = 0; taken < len && i < MUX_ENDS; i++)
		m->ends[i].wants_writable = true;
	lock_drop(&c->lock);
	return taken;
}

static void mux_flush(struct chardev *c, int timeout_ms)
{
	chardev_flush(mux(c)->base, timeout_ms);
}

/* ---- type ------------------------------------------------------------------------------------ */

void chardev_set_mux_quit(struct chardev *c, void (*quit)(void *), void *opaque)
{
	if (c->obj.type != &chardev_mux_type.base)
		return;
	mux(c)->quit = quit;
	mux(c)->quit_opaque = opaque;
}

static bool mux_open(struct chardev *c, struct err *err)
{
	struct mux *m = mux(c);
	struct chardev *base;

	if (!m->base_object)
		return err_set(err, EINVAL, "needs a chardev=");
	if (c->log_path)
		return err_set(err, EINVAL, "logfile= is for the character device it shares");
	base = chardev_from_object(m->base_object);
	if (base->obj.type == c->obj.type)
		return err_set(err, EINVAL, "a mux cannot share another mux");
	m->start_ns = clock_host_ns();
	c->is_terminal = base->is_terminal;
	c->is_open = chardev_is_open(base);
	m->base = base;
	if (chardev_attach(base, &mux_user, m, NULL, err))
		return true;
	m->base = NULL;
	return false;
}

static void mux_fini(struct object *o)
{
	struct mux *m = mux(chardev_from_object(o));

	if (m->base)
		chardev_detach(m->base, m);
}

static const struct prop mux_props[] = {
	PROP_LINK(struct mux, base_object, "chardev", "chardev",
		  .help = "the character device to share"),
	{ 0 },
};

const struct chardev_type chardev_mux_type = {
	.base = { .name = "chardev-mux",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct mux),
		  .props = mux_props,
		  .fini = mux_fini,
		  .help = "several users on one character device" },
	.ops = { .open = mux_open,
		 .attach = mux_attach,
		 .detach = mux_detach,
		 .has_user = mux_has_user,
		 .send_break = mux_send_break,
		 .write = mux_write,
		 .accept_input = mux_accept_input,
		 .flush = mux_flush },
};
