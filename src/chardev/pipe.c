/* chardev/pipe.c - two named pipes PATH.in and PATH.out, or one for both.
 *
 * Each is opened for reading and writing: opening does not wait for the other side, and there is no
 * end of file when it comes and goes.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "chardev/chardev_impl.h"

struct pipe_chardev {
	struct chardev chr;
	char *path;
};

static int open_suffixed(const char *path, const char *suffix)
{
	char *name = g_strconcat(path, suffix, NULL);
	int fd = open(name, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int saved = errno;

	g_free(name);
	errno = saved;
	return fd;
}

/* PATH.in and PATH.out; false with errno when not both are to be had. */
static bool open_pair(const char *path, int *in_fd, int *out_fd)
{
	int saved;

	*in_fd = open_suffixed(path, ".in");
	if (*in_fd < 0)
		return false;
	*out_fd = open_suffixed(path, ".out");
	if (*out_fd >= 0)
		return true;
	saved = errno;
	close(*in_fd);
	errno = saved;
	return false;
}

static bool pipe_open(struct chardev *c, struct err *err)
{
	const char *path = container_of(c, struct pipe_chardev, chr)->path;
	int in_fd, out_fd, pair_error;

	if (!path || !*path)
		return err_set(err, EINVAL, "needs a path=");
	if (!open_pair(path, &in_fd, &out_fd)) {
		pair_error = errno;
		in_fd = out_fd = open_suffixed(path, "");
		/* Of pipes that are there, but not for us, the absence of PATH tells nothing. */
		if (in_fd < 0 && errno == ENOENT)
			errno = pair_error;
	}
	if (in_fd < 0)
		return err_errno(err, errno, "cannot open '%s.in' and '%s.out', nor '%s'", path,
				 path, path);
	if (!chardev_set_fds(c, in_fd, out_fd, err))
		return false;
	chardev_set_open(c, true);
	return true;
}

static const struct prop pipe_props[] = {
	PROP_STR(struct pipe_chardev, path, "path",
		 .help = "PATH.in gives the input, PATH.out takes the output; or PATH is both"),
	{ 0 },
};

const struct chardev_type chardev_pipe_type = {
	.base = { .name = "chardev-pipe",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct pipe_chardev),
		  .props = pipe_props,
		  .help = "named pipes" },
	.ops = { .open = pipe_open },
};
