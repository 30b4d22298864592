/* tests/unit/chardev/ringbuf_test.c
 * SPDX-License-Identifier: MIT */
#include "fake_user.h"

static void expect_read(struct chardev *c, size_t max, const char *text)
{
	uint8_t buf[64];
	size_t n = chardev_ringbuf_read(c, buf, max);

	g_assert_cmpmem(buf, n, text, strlen(text));
}

static void test_keeps_the_last_bytes(void)
{
	struct chardev *c;

	world_init();
	c = must_new("ringbuf", "r", "size=8");
	expect_read(c, 64, "");
	put(c, "abc");
	expect_read(c, 2, "ab");
	expect_read(c, 64, "c");
	g_assert_cmpuint(put(c, "0123456789abcdef"), ==, 16);
	expect_read(c, 64, "89abcdef");
	put(c, "xy");
	put(c, "1234567");
	expect_read(c, 64, "y1234567");
	expect_read(c, 64, "");
	world_fini();
}

static void test_default_size_and_old_name(void)
{
	struct chardev *c;
	char *size;

	world_init();
	c = must_new("memory", "r", "");
	size = object_get_text(chardev_object(c), "size", &err);
	g_assert_cmpstr(size, ==, "64K");
	g_free(size);
	g_assert_cmpuint(chardev_ringbuf_read(must_new("null", "n", ""), (uint8_t[1]){ 0 }, 1), ==,
			 0);
	world_fini();
}

static void test_bad_sizes_are_refused(void)
{
	world_init();
	expect_failure("ringbuf", "size=3", "character device 'x': size 3 is not a power of two");
	g_assert_null(try_new("ringbuf", "x", "size=0"));
	g_assert_nonnull(strstr(err.text, "out of range"));
	g_assert_null(try_new("ringbuf", "x", "size=8E"));
	g_assert_null(try_new("ringbuf", "x", "size=many"));
	world_fini();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/ringbuf/last", test_keeps_the_last_bytes);
	g_test_add_func("/chardev/ringbuf/default", test_default_size_and_old_name);
	g_test_add_func("/chardev/ringbuf/bad-size", test_bad_sizes_are_refused);
	return g_test_run();
}
