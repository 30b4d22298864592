/* acpi-pm-timer.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

static struct bare b;

static uint32_t count(void)
{
	uint64_t v;

	g_assert_true(address_space_read(&b.io, 0x608, 4, &v));
	return (uint32_t)v;
}

static void test_counts_at_its_rate_and_wraps_at_24_bits(void)
{
	struct device *dev;

	bare_init(&b);
	dev = bare_add(&b, "acpi-pm-timer", 0, NULL);
	g_assert_cmpuint(count(), ==, 0);
	bare_advance(&b, 1000000000, 0);
	g_assert_cmpuint(count(), ==, 3579545);
	bare_advance(&b, 9000000000, 0);
	g_assert_cmpuint(count(), ==, 35795450 & 0xffffff);
	bare_remove(dev);
	bare_fini(&b);
}

static void test_writes_are_dropped(void)
{
	struct device *dev;

	bare_init(&b);
	dev = bare_add(&b, "acpi-pm-timer", 0, NULL);
	address_space_write(&b.io, 0x608, 4, 0x1234);
	g_assert_cmpuint(count(), ==, 0);
	bare_remove(dev);
	bare_fini(&b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/pm_timer/rate", test_counts_at_its_rate_and_wraps_at_24_bits);
	g_test_add_func("/dev/pm_timer/read-only", test_writes_are_dropped);
	return g_test_run();
}
