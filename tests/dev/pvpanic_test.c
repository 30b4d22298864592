/* pvpanic.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

static struct bare b;

static void test_panicked_asks_the_machine(void)
{
	struct device *dev;

	bare_init(&b);
	dev = bare_add(&b, "pvpanic", 0, NULL);
	g_assert_cmphex(bare_in(&b, 0x505), ==, 3);
	bare_out(&b, 0x505, 2);
	g_assert_cmpuint(b.requests, ==, 0);
	bare_out(&b, 0x505, 0x80);
	g_assert_cmpuint(b.requests, ==, 0);
	bare_out(&b, 0x505, 1);
	g_assert_cmpuint(b.requests, ==, 1);
	g_assert_cmpint(b.last_request, ==, REQUEST_PANIC);
	bare_remove(dev);
	bare_fini(&b);
}

static void test_events_may_be_limited(void)
{
	struct device *dev;

	bare_init(&b);
	dev = bare_add(&b, "pvpanic", 0, "events", "2", "ioport", "0x600", NULL);
	g_assert_cmphex(bare_in(&b, 0x600), ==, 2);
	bare_out(&b, 0x600, 1);
	g_assert_cmpuint(b.requests, ==, 0);
	bare_remove(dev);
	bare_fini(&b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/pvpanic/panicked", test_panicked_asks_the_machine);
	g_test_add_func("/dev/pvpanic/events", test_events_may_be_limited);
	return g_test_run();
}
