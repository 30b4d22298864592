/* tests/unit/chardev/null_test.c
 * SPDX-License-Identifier: MIT */
#include "fake_user.h"
#include "../child.h"

static void test_takes_everything(void)
{
	struct fake_user user;
	struct chardev *c;
	uint8_t *big = g_malloc0(1 << 20);

	world_init();
	c = must_new("null", "n", "");
	fake_attach(&user, c, 10);
	g_assert_true(chardev_is_open(c));
	g_assert_cmpuint(chardev_write(c, big, 1 << 20), ==, 1 << 20);
	chardev_accept_input(c);
	chardev_flush(c, 1000);
	serve_all();
	g_assert_cmpuint(user.got->len, ==, 0);
	chardev_detach(c, &user);
	fake_fini(&user);
	world_fini();
	g_free(big);
}

static void test_log_file_has_the_output(void)
{
	struct chardev *c;
	char *path, *options;

	world_init();
	path = in_dir("log");
	options = g_strdup_printf("logfile=%s", path);
	c = must_new("null", "n", options);
	put(c, "one");
	put(c, "two");
	object_unparent(chardev_object(c));
	expect_file(path, "onetwo");
	g_free(options);
	options = g_strdup_printf("logfile=%s,logappend=on", path);
	c = must_new("null", "n", options);
	put(c, "three");
	expect_file(path, "onetwothree");
	g_free(options);
	g_free(path);
	expect_failure("null", "logfile=/nonexistent/x",
		       "character device 'x': cannot open '/nonexistent/x': "
		       "No such file or directory");
	world_fini();
}

static void log_to_full_disk(void)
{
	struct chardev *c;

	world_init();
	c = must_new("null", "n", "logfile=/dev/full");
	g_assert_cmpuint(put(c, "one"), ==, 3);
	g_assert_cmpuint(put(c, "two"), ==, 3);
	world_fini();
}

static void test_full_log_disk_stops_the_log_only(void)
{
	if (access("/dev/full", W_OK) != 0) {
		g_test_skip("no /dev/full here");
		return;
	}
	child_passes(log_to_full_disk, "*'n': its log file stops here: No space left on device\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/null/takes", test_takes_everything);
	g_test_add_func("/chardev/null/log-file", test_log_file_has_the_output);
	g_test_add_func("/chardev/null/log-full", test_full_log_disk_stops_the_log_only);
	return g_test_run();
}
