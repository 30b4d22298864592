/* tests/unit/firmware/file_test.c
 * SPDX-License-Identifier: MIT */
#include "firmware/file.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"

static char *dir;

static char *refused(const char *path, uint64_t max)
{
	struct file_map f;
	static struct err err;

	g_assert_false(file_open(&f, "kernel", path, max, &err));
	g_assert_null(f.data);
	return err.text;
}

static void test_whole_file(void)
{
	g_autofree char *path = g_build_filename(dir, "k", NULL);
	struct file_map f;
	struct err err = { 0 };

	g_assert_true(g_file_set_contents(path, "kernel", 6, NULL));
	g_assert_true(file_open(&f, "kernel", path, 100, &err));
	g_assert_cmpmem(f.data, f.size, "kernel", 6);
	file_close(&f);
	g_unlink(path);
}

static void test_what_cannot_be_read_is_told(void)
{
	g_autofree char *path = g_build_filename(dir, "big", NULL);
	g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
	g_autofree char *want = NULL;

	g_assert_cmpstr(refused("/nowhere/k", 1), ==,
			"cannot open kernel '/nowhere/k': No such file or directory");
	g_assert_cmpstr(refused("/", 1), ==, "cannot read kernel '/': Is a directory");
	g_assert_true(g_file_set_contents(path, "", 0, NULL));
	want = g_strdup_printf("kernel '%s' is empty", path);
	g_assert_cmpstr(refused(path, 1), ==, want);
	g_assert_true(g_file_set_contents(path, "12", 2, NULL));
	g_assert_nonnull(strstr(refused(path, 1), "is too large"));
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_nonnull(strstr(refused(fifo, 1), "not a regular file"));
	g_unlink(path);
	g_unlink(fifo);
}

int main(int argc, char **argv)
{
	int r;

	g_test_init(&argc, &argv, NULL);
	dir = g_dir_make_tmp("rhea-file-XXXXXX", NULL);
	g_test_add_func("/file/whole", test_whole_file);
	g_test_add_func("/file/errors", test_what_cannot_be_read_is_told);
	r = g_test_run();
	g_rmdir(dir);
	g_free(dir);
	return r;
}
