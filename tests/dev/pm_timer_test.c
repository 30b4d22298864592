/* acpi-pm-timer.
 * SPDX-License-Identifier: MIT */
#include "bare.h"
#include "event/clock.h"

#define SECOND INT64_C(1000000000)
enum { RATE = 3579545 }; /* Hz */

static struct bare b;

static uint32_t count(void)
{
	uint64_t v;

	g_assert_true(address_space_read(&b.io, 0x608, 4, &v));
	return (uint32_t)v;
}

/* The clock has run a little before it stood still: go on to a full second. */
static struct device *timer_at_one_second(void)
{
	struct device *dev;

	bare_init(&b);
	dev = bare_add(&b, "acpi-pm-timer", 0, NULL);
	bare_advance(&b, SECOND - vclock_now(b.clock), 0);
	return dev;
}

static void test_counts_at_its_rate_and_wraps_at_24_bits(void)
{
	struct device *dev = timer_at_one_second();

	g_assert_cmpuint(count(), ==, RATE);
	bare_advance(&b, SECOND, 0);
	g_assert_cmpuint(count(), ==, 2 * RATE);
	bare_advance(&b, 8 * SECOND, 0);
	g_assert_cmpuint(count(), ==, 10 * RATE & 0xffffff);
	bare_remove(dev);
	bare_fini(&b);
}

static void test_writes_are_dropped(void)
{
	struct device *dev = timer_at_one_second();

	address_space_write(&b.io, 0x608, 4, 0x1234);
	g_assert_cmpuint(count(), ==, RATE);
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
