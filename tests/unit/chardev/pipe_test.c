/* tests/unit/chardev/pipe_test.c
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "fake_user.h"

static void test_two_pipes(void)
{
	struct fake_user user;
	struct chardev *c;
	char *in, *out, *options, buf[8];
	int in_fd, out_fd;

	world_init();
	in = in_dir("p.in");
	out = in_dir("p.out");
	g_assert_cmpint(mkfifo(in, 0600), ==, 0);
	g_assert_cmpint(mkfifo(out, 0600), ==, 0);
	options = g_strdup_printf("path=%s/p", test_dir());
	c = must_new("pipe", "p", options); /* nobody has opened the other ends: does not block */
	fake_attach(&user, c, 100);
	out_fd = open(out, O_RDONLY | O_NONBLOCK);
	put(c, "out");
	g_assert_cmpint(read(out_fd, buf, sizeof(buf)), ==, 3);
	for (int i = 0; i < 2; i++) { /* a writer that goes is no end */
		in_fd = open(in, O_WRONLY);
		g_assert_cmpint(write(in_fd, "in", 2), ==, 2);
		close(in_fd);
		SERVE_UNTIL(user.got->len == 2 * (size_t)(i + 1));
		serve_all();
	}
	close(out_fd);
	put(c, "nobody reads");
	chardev_detach(c, &user);
	fake_fini(&user);
	g_free(in);
	g_free(out);
	g_free(options);
	world_fini();
}

static void test_missing_pipes_are_an_error(void)
{
	world_init();
	expect_failure("pipe", "", "character device 'x': needs a path=");
	expect_failure("pipe", "path=/nonexistent/p",
		       "character device 'x': cannot open '/nonexistent/p.in' and "
		       "'/nonexistent/p.out', nor '/nonexistent/p': No such file or directory");
	world_fini();
}

static void test_one_path_for_both(void)
{
	struct fake_user user;
	struct chardev *c;
	char *path, *options;

	world_init();
	path = in_dir("p");
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	options = g_strdup_printf("path=%s", path);
	c = must_new("pipe", "p", options);
	fake_attach(&user, c, 100);
	put(c, "echo"); /* a pipe gives back what it got */
	SERVE_UNTIL(user.got->len == 4);
	chardev_detach(c, &user);
	fake_fini(&user);
	g_free(path);
	g_free(options);
	world_fini();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/pipe/two", test_two_pipes);
	g_test_add_func("/chardev/pipe/missing", test_missing_pipes_are_an_error);
	g_test_add_func("/chardev/pipe/one", test_one_path_for_both);
	return g_test_run();
}
