/* firmware/file.c - reading the files a machine boots from.
 * SPDX-License-Identifier: MIT */
#include "firmware/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"

static bool file_map_fd(struct file_map *f, const char *what, uint64_t max, struct err *err)
{
	struct stat st;
	void *data;

	if (fstat(f->fd, &st) < 0)
		return err_errno(err, errno, "cannot read %s '%s'", what, f->path);
	if (S_ISDIR(st.st_mode))
		return err_errno(err, EISDIR, "cannot read %s '%s'", what, f->path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "cannot read %s '%s': not a regular file", what,
			       f->path);
	if (st.st_size == 0)
		return err_set(err, EINVAL, "%s '%s' is empty", what, f->path);
	if ((uint64_t)st.st_size > max)
		return err_set(err, EFBIG, "%s '%s' is too large: %llu MiB, at most %llu MiB fit",
			       what, f->path, (unsigned long long)st.st_size / MIB,
			       (unsigned long long)(max / MIB));
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, f->fd, 0);
	if (data == MAP_FAILED)
		return err_errno(err, errno, "cannot read %s '%s'", what, f->path);
	f->data = data;
	f->size = (size_t)st.st_size;
	return true;
}

bool file_open(struct file_map *f, const char *what, const char *path, uint64_t max,
	       struct err *err)
{
	/* O_NONBLOCK: a FIFO must not hang before fstat() tells what it is. */
	*f = (struct file_map){ .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (f->fd < 0)
		return err_errno(err, errno, "cannot open %s '%s'", what, path);
	if (file_map_fd(f, what, max, err))
		return true;
	file_close(f);
	return false;
}

int file_take_fd(struct file_map *f)
{
	int fd = f->fd;

	if (f->data && fd >= 0)
		munmap((void *)f->data, f->size);
	*f = (struct file_map){ .fd = -1 };
	return fd;
}

void file_close(struct file_map *f)
{
	int fd = file_take_fd(f);

	if (fd >= 0)
		close(fd);
}
