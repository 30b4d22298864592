/* chardev/pty.c - a pseudo-terminal that others can open.
 *
 * The kernel tells when the last one closed it (hang-up), but not when somebody opens it: while
 * nobody has, a timer looks.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "chardev/chardev_impl.h"
#include "event/clock.h"
#include "event/loop.h"

enum { LOOK_NS = 200000000 };

struct pty {
	struct chardev chr;
	struct timer look;
	char *path; /* const after open */
};

static struct pty *pty(struct chardev *c) { return container_of(c, struct pty, chr); }

static void pty_look(void *opaque)
{
	struct pty *p = opaque;
	struct pollfd fd = { .fd = p->chr.in_fd };

	if (poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP))
		timer_arm(&p->look, clock_host_ns() + LOOK_NS);
	else
		chardev_set_open(&p->chr, true);
}

static void pty_hangup(struct chardev *c)
{
	chardev_set_open(c, false);
	timer_arm(&pty(c)->look, clock_host_ns() + LOOK_NS);
}

/* No echo, no translation; and hung up from the start, as after the last close. */
static bool slave_prepare(const char *path)
{
	struct termios t;
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = tcgetattr(fd, &t) == 0;
	cfmakeraw(&t);
	ok = ok && tcsetattr(fd, TCSANOW, &t) == 0;
	close(fd);
	return ok;
}

static bool pty_open(struct chardev *c, struct err *err)
{
	struct pty *p = pty(c);
	char path[64];
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "cannot make a pseudo-terminal");
	if (grantpt(fd) != 0 || unlockpt(fd) != 0 || ptsname_r(fd, path, sizeof(path)) != 0 ||
	    !slave_prepare(path) || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
		err_errno(err, errno, "cannot set up a pseudo-terminal");
		close(fd);
		return false;
	}
	p->path = g_strdup(path);
	c->is_terminal = true;
	if (!chardev_set_fds(c, fd, fd, err))
		return false;
	timer_init(&p->look, c->loop, NULL, NULL, pty_look, p);
	timer_arm(&p->look, clock_host_ns());
	return true;
}

static void pty_fini(struct object *o)
{
	struct pty *p = pty(chardev_from_object(o));

	timer_fini(&p->look);
}

static const struct prop pty_props[] = {
	PROP_STR(struct pty, path, "path", .is_read_only = true),
	{ 0 },
};

const struct chardev_type chardev_pty_type = {
	.base = { .name = "chardev-pty",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct pty),
		  .props = pty_props,
		  .fini = pty_fini,
		  .help = "a new pseudo-terminal" },
	.ops = { .open = pty_open, .hangup = pty_hangup },
};
