/* tests/unit/chardev/pty_test.c
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "fake_user.h"

static void test_opens_and_closes_with_the_other_side(void)
{
	struct fake_user user;
	struct chardev *c;
	char *path, buf[16];
	int fd;

	world_init();
	c = must_new("pty", "p", "");
	path = object_get_text(chardev_object(c), "path", &err);
	g_assert_true(g_str_has_prefix(path, "/dev/pts/"));
	fake_attach(&user, c, 100);
	serve_all();
	g_assert_false(chardev_is_open(c));
	g_assert_cmpuint(put(c, "dropped"), ==, 7);
	for (int i = 1; i <= 2; i++) {
		fd = open(path, O_RDWR | O_NOCTTY);
		g_assert_cmpint(fd, >=, 0);
		SERVE_UNTIL(user.opened == i);
		g_assert_cmpuint(put(c, "hi\n"), ==, 3);
		g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 3); /* raw: no \r\n */
		g_assert_cmpint(write(fd, "\003x\r", 3), ==, 3);
		SERVE_UNTIL(user.got->len == 3 * (size_t)i);
		g_assert_cmpmem(user.got->str, 3, "\003x\r", 3);
		close(fd);
		SERVE_UNTIL(user.closed == i);
	}
	chardev_detach(c, &user);
	fake_fini(&user);
	g_free(path);
	world_fini();
}

static void test_path_is_not_for_setting(void)
{
	world_init();
	expect_failure("pty", "path=/dev/pts/9",
		       "character device 'x': property 'path' of 'chardev-pty' is read-only");
	world_fini();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/pty/open-close", test_opens_and_closes_with_the_other_side);
	g_test_add_func("/chardev/pty/path", test_path_is_not_for_setting);
	return g_test_run();
}
