/* firmware/file.c - reading the files a machine boots from.
 * SPDX-License-Identifier: MIT */
#include "firmware/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"

static bool file_read_fd(struct file_bytes *f, int fd, const char *what, const char *path,
			 uint64_t max, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot read %s '%s'", what, path);
	if (S_ISDIR(st.st_mode))
		return err_errno(err, EISDIR, "cannot read %s '%s'", what, path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "cannot read %s '%s': not a regular file", what, path);
	if (st.st_size == 0)
		return err_set(err, EINVAL, "%s '%s' is empty", what, path);
	if ((uint64_t)st.st_size > max)
		return err_set(err, EFBIG, "%s '%s' is too large: %llu MiB, at most %llu MiB fit",
			       what, path, (unsigned long long)st.st_size / MIB,
			       (unsigned long long)(max / MIB));
	f->data = g_malloc((gsize)st.st_size);
	while (f->size < (size_t)st.st_size) {
		ssize_t n = read(fd, f->data + f->size, (size_t)st.st_size - f->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read %s '%s'", what, path);
		if (n == 0)
			break;
		f->size += (size_t)n;
	}
	return true;
}

bool file_read(struct file_bytes *f, const char *what, const char *path, uint64_t max,
	       struct err *err)
{
	/* O_NONBLOCK: a FIFO must not hang before fstat() tells what it is. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	*f = (struct file_bytes){ 0 };
	if (fd < 0)
		return err_errno(err, errno, "cannot open %s '%s'", what, path);
	ok = file_read_fd(f, fd, what, path, max, err);
	close(fd);
	if (!ok)
		file_free(f);
	return ok;
}

void file_free(struct file_bytes *f)
{
	g_free(f->data);
	*f = (struct file_bytes){ 0 };
}
