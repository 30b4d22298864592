/* tests/unit/chardev/file_test.c
 * SPDX-License-Identifier: MIT */
#include <sys/stat.h>

#include "fake_user.h"
#include "../child.h"

static void test_output_starts_anew_or_appends(void)
{
	char *path, *options;

	world_init();
	path = in_dir("out");
	g_assert_true(g_file_set_contents(path, "old", -1, NULL));
	options = g_strdup_printf("path=%s,append=on", path);
	put(must_new("file", "a", options), "new");
	expect_file(path, "oldnew");
	g_free(options);
	options = g_strdup_printf("path=%s", path);
	put(must_new("file", "b", options), "fresh");
	expect_file(path, "fresh");
	g_free(options);
	g_free(path);
	world_fini();
}

static goffset size_of(const char *path)
{
	struct stat st;

	g_assert_cmpint(stat(path, &st), ==, 0);
	return st.st_size;
}

/* What a UART sends: the first byte goes at once, those that follow in one piece, soon. */
static void test_single_bytes_are_gathered(void)
{
	enum { BYTES = 1000 };
	unsigned growths = 0;
	struct chardev *c;
	char *path, *options;
	goffset last = 0;

	world_init();
	path = in_dir("out");
	options = g_strdup_printf("path=%s", path);
	c = must_new("file", "f", options);
	put(c, "x");
	g_assert_cmpint(size_of(path), ==, 1);
	for (unsigned i = 0; i < BYTES; i++) {
		goffset now;

		put(c, "x");
		now = size_of(path);
		growths += now != last;
		last = now;
	}
	g_assert_cmpuint(growths, <, BYTES / 4);
	SERVE_UNTIL(size_of(path) == 1 + BYTES);
	put(c, "y"); /* more than one byte goes at once, behind those that waited */
	g_assert_cmpuint(put(c, "zz"), ==, 2);
	g_assert_cmpint(size_of(path), ==, 4 + BYTES);
	put(c, "y");
	put(c, "y");
	chardev_flush(c, 100);
	g_assert_cmpint(size_of(path), ==, 6 + BYTES);
	g_free(options);
	g_free(path);
	world_fini();
}

static void test_input_comes_from_another_file(void)
{
	struct fake_user user;
	struct chardev *c;
	char *in, *options;

	world_init();
	in = in_dir("in");
	g_assert_true(g_file_set_contents(in, "hello", -1, NULL));
	options = g_strdup_printf("path=/dev/null,input-path=%s", in);
	c = must_new("file", "f", options);
	fake_attach(&user, c, 3);
	SERVE_UNTIL(user.got->len == 3);
	serve_all();
	user.room = 10;
	chardev_accept_input(c);
	SERVE_UNTIL(user.got->len == 5);
	serve_all();
	g_assert_cmpstr(user.got->str, ==, "hello");
	g_assert_false(loop_poll(loop, 0)); /* its end is reached: nothing spins */
	g_assert_cmpuint(put(c, "x"), ==, 1);
	chardev_detach(c, &user);
	fake_fini(&user);
	g_free(in);
	g_free(options);
	world_fini();
}

static void test_errors_name_the_file(void)
{
	char *options, *text;

	world_init();
	expect_failure("file", "", "character device 'x': needs a path=");
	expect_failure("file", "path=/nonexistent/y",
		       "character device 'x': cannot open '/nonexistent/y': "
		       "No such file or directory");
	expect_failure("file", "path=/dev/null,input-path=/nonexistent/z",
		       "character device 'x': cannot open '/nonexistent/z': "
		       "No such file or directory");
	options = g_strdup_printf("path=%s", test_dir());
	text = g_strdup_printf("character device 'x': cannot open '%s': Is a directory",
			       test_dir());
	expect_failure("file", options, text);
	g_free(options);
	g_free(text);
	world_fini();
}

static void write_to_full_disk(void)
{
	struct chardev *c;

	world_init();
	c = must_new("file", "f", "path=/dev/full");
	for (int i = 0; i < 3; i++)
		g_assert_cmpuint(put(c, "text"), ==, 4);
	serve_all();
	world_fini();
}

static void test_full_disk_loses_output_not_the_process(void)
{
	if (access("/dev/full", W_OK) != 0) {
		g_test_skip("no /dev/full here");
		return;
	}
	/* Told once. */
	child_passes(write_to_full_disk,
		     "character device 'f': output is lost: No space left on device\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/file/output", test_output_starts_anew_or_appends);
	g_test_add_func("/chardev/file/input", test_input_comes_from_another_file);
	g_test_add_func("/chardev/file/errors", test_errors_name_the_file);
	g_test_add_func("/chardev/file/full-disk", test_full_disk_loses_output_not_the_process);
	g_test_add_func("/chardev/file/gathered", test_single_bytes_are_gathered);
	return g_test_run();
}
