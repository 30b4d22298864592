/* isa-debug-exit.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

static struct bare b;

static void test_code_is_odd(void)
{
	struct device *dev;

	bare_init(&b);
	dev = bare_add(&b, "isa-debug-exit", 0, NULL);
	g_assert_cmphex(bare_in(&b, 0x501), ==, 0);
	bare_out(&b, 0x501, 0x10);
	g_assert_cmpuint(b.requests, ==, 1);
	g_assert_cmpint(b.last_request, ==, REQUEST_EXIT);
	g_assert_cmpint(b.last_code, ==, 0x21);
	address_space_write(&b.io, 0x501, 2, 0x7fff);
	g_assert_cmpint(b.last_code, ==, 0xffff);
	bare_remove(dev);
	bare_fini(&b);
}

static void test_place_is_checked(void)
{
	struct device *dev;
	struct err err;

	bare_init(&b);
	dev = bare_add(&b, "isa-debug-exit", 0, "iobase", "0xf4", "iosize", "4", NULL);
	address_space_write(&b.io, 0xf4, 4, 0);
	g_assert_cmpint(b.last_code, ==, 1);
	bare_remove(dev);
	dev = bare_new(&b, "isa-debug-exit", "iobase", "0xffff", NULL);
	g_assert_false(device_realize(dev, &b.env, &err));
	g_assert_cmpstr(err.text, ==, "iobase 0xffff and iosize 2 leave the I/O space");
	device_put(dev);
	bare_fini(&b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/debug_exit/code", test_code_is_odd);
	g_test_add_func("/dev/debug_exit/place", test_place_is_checked);
	return g_test_run();
}
