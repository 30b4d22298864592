/* tests/unit/base/fdset_test.c
 * SPDX-License-Identifier: MIT */
#include "base/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"

static struct err err;

static int null_fd(int flags)
{
	int fd = open("/dev/null", flags | O_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void test_open_finds_the_access_mode(void)
{
	int read_fd = null_fd(O_RDONLY), write_fd = null_fd(O_WRONLY), fd;
	g_autofree char *path = NULL;
	int64_t id = fdset_add(-1, read_fd, NULL, &err);

	g_assert_cmpint(id, ==, 0);
	g_assert_cmpint(fdset_add(id, write_fd, "note", &err), ==, id);
	path = g_strdup_printf("/dev/fdset/%d", (int)id);
	fd = fdset_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(fd, !=, write_fd);
	g_assert_cmpint(fcntl(fd, F_GETFL) & O_ACCMODE, ==, O_WRONLY);
	g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	g_assert_cmpint(fdset_open(path, O_RDWR, 0), ==, -1);
	g_assert_cmpint(errno, ==, EACCES);
	g_assert_cmpint(fdset_open("/dev/fdset/77", O_RDONLY, 0), ==, -1);
	g_assert_cmpint(errno, ==, ENOENT);
	g_assert_cmpint(fdset_open("/dev/fdset/", O_RDONLY, 0), ==, -1);
	fd = fdset_open("/dev/null", O_RDONLY, 0);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
	fdset_clear();
	g_assert_cmpint(fcntl(read_fd, F_GETFD), ==, -1);
}

static void count(int64_t id, int fd, const char *note, void *opaque)
{
	(void)fd;
	g_assert_cmpstr(note, ==, id ? NULL : "zero");
	++*(int *)opaque;
}

static void test_sets_come_and_go(void)
{
	int first = null_fd(O_RDONLY), n = 0;

	g_assert_cmpint(fdset_add(-1, first, "zero", &err), ==, 0);
	g_assert_cmpint(fdset_add(-1, null_fd(O_RDONLY), NULL, &err), ==, 1);
	g_assert_cmpint(fdset_add(7, null_fd(O_RDONLY), NULL, &err), ==, 7);
	g_assert_cmpint(fdset_add(-1, null_fd(O_RDONLY), NULL, &err), ==, 2);
	fdset_each(count, &n);
	g_assert_cmpint(n, ==, 4);
	g_assert_false(fdset_remove(0, first + 1000, &err));
	g_assert_cmpstr(err.text, !=, "");
	g_assert_true(fdset_remove(0, first, &err));
	g_assert_false(fdset_remove(0, -1, &err));
	g_assert_cmpstr(err.text, ==, "File descriptor named 'fdset-id:0' not found");
	g_assert_cmpint(fdset_add(-1, null_fd(O_RDONLY), "zero", &err), ==, 0);
	fdset_clear();
	n = 0;
	fdset_each(count, &n);
	g_assert_cmpint(n, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fdset/open", test_open_finds_the_access_mode);
	g_test_add_func("/fdset/sets", test_sets_come_and_go);
	return g_test_run();
}
