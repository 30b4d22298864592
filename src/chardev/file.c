/* chardev/file.c - output to a file, input from another.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/fdset.h"
#include "chardev/chardev_impl.h"

struct file {
	struct chardev chr;
	char *path, *input_path;
	bool append;
};

static struct file *file(struct chardev *c) { return container_of(c, struct file, chr); }

/* O_NONBLOCK is for paths that are pipes or terminals. */
static int open_path(const char *path, int flags, struct err *err)
{
	int fd = fdset_open(path, flags | O_NOCTTY | O_NONBLOCK, 0666);

	if (fd < 0)
		err_errno(err, errno, "cannot open '%s'", path);
	return fd;
}

static bool file_open(struct chardev *c, struct err *err)
{
	struct file *f = file(c);
	int in_fd = -1, out_fd;

	if (!f->path || !*f->path)
		return err_set(err, EINVAL, "needs a path=");
	out_fd = open_path(f->path, O_WRONLY | O_CREAT | (f->append ? O_APPEND : O_TRUNC), err);
	if (out_fd < 0)
		return false;
	if (f->input_path)
		in_fd = open_path(f->input_path, O_RDONLY, err);
	if (f->input_path && in_fd < 0) {
		close(out_fd);
		return false;
	}
	if (!chardev_set_fds(c, in_fd, out_fd, err))
		return false;
	chardev_set_open(c, true);
	return true;
}

static const struct prop file_props[] = {
	PROP_STR(struct file, path, "path", .help = "file that takes the output"),
	PROP_BOOL(struct file, append, "append", false,
		  .help = "append to it instead of starting it anew"),
	PROP_STR(struct file, input_path, "input-path", .help = "file that gives the input"),
	{ 0 },
};

const struct chardev_type chardev_file_type = {
	.base = { .name = "chardev-file",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct file),
		  .props = file_props,
		  .help = "output to a file, input from another" },
	.ops = { .open = file_open },
};
