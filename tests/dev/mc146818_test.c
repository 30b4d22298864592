/* The real-time clock, following the hand-driven clock.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include <time.h>

#include "dev/timer/mc146818.h"
#include "event/clock.h"

#define S  INT64_C(1000000000)
#define MS INT64_C(1000000)

static struct bare b;
static struct device *rtc;

static void setup(const char *base)
{
	bare_init(&b);
	rtc = bare_add(&b, "mc146818rtc", 0, "base", base, "clock", "vm", NULL);
}

static void teardown(void)
{
	bare_remove(rtc);
	bare_fini(&b);
}

static uint8_t get(uint8_t reg)
{
	bare_out(&b, 0x70, reg);
	return bare_in(&b, 0x71);
}

static void set(uint8_t reg, uint8_t v)
{
	bare_out(&b, 0x70, reg);
	bare_out(&b, 0x71, v);
}

/* "CCYY-MM-DD hh:mm:ss w", as the registers say, in hex. */
static void expect_time(const char *text)
{
	char now[32];

	g_snprintf(now, sizeof(now), "%02x%02x-%02x-%02x %02x:%02x:%02x %x", get(0x32), get(9),
		   get(8), get(7), get(4), get(2), get(0), get(6));
	g_assert_cmpstr(now, ==, text);
}

static bool irq(void) { return b.wires[0].level; }

static void test_counts_and_carries(void)
{
	setup("1999-12-31T23:59:58");
	expect_time("1999-12-31 23:59:58 6");
	bare_advance(&b, 2 * S, 0);
	expect_time("2000-01-01 00:00:00 7");
	bare_advance(&b, 59 * 86400 * S, 0);
	expect_time("2000-02-29 00:00:00 3");
	bare_advance(&b, 86400 * S - 1, 0);
	expect_time("2000-02-29 23:59:59 3");
	bare_advance(&b, 1, 0);
	expect_time("2000-03-01 00:00:00 4");
	teardown();
	setup("2100-02-28");
	bare_advance(&b, 86400 * S, 0);
	expect_time("2100-03-01 00:00:00 2"); /* not a leap year */
	teardown();
}

static void test_binary_and_twelve_hours(void)
{
	setup("2024-05-06T13:45:59");
	set(0x0b, 0x06); /* binary, 24 h */
	expect_time("1418-05-06 0d:2d:3b 2");
	set(0x0b, 0x00); /* BCD, 12 h */
	g_assert_cmphex(get(4), ==, 0x81);
	set(0x0b, 0x04);
	g_assert_cmphex(get(4), ==, 0x81);
	bare_advance(&b, 11 * 3600 * S, 0);
	g_assert_cmphex(get(4), ==, 12); /* midnight is 12 AM */
	bare_advance(&b, 12 * 3600 * S, 0);
	g_assert_cmphex(get(4), ==, 0x80 | 12);
	teardown();
}

static void test_set_time_with_set_bit(void)
{
	setup("2024-05-06");
	bare_advance(&b, 300 * MS, 0);
	set(0x0b, 0x82);
	bare_advance(&b, 10 * S, 0);
	g_assert_cmphex(get(0), ==, 0); /* stands */
	set(0x32, 0x19);
	set(9, 0x85);
	set(8, 0x10);
	set(7, 0x26);
	set(6, 0x07);
	set(4, 0x01);
	set(2, 0x21);
	set(0, 0x00);
	expect_time("1985-10-26 01:21:00 7");
	set(0x0b, 0x02);
	bare_advance(&b, 699 * MS, 0);
	g_assert_cmphex(get(0), ==, 0x00); /* the fraction of the second was kept */
	bare_advance(&b, 2 * MS, 0);
	expect_time("1985-10-26 01:21:01 7");
	set(6, 0x03); /* the day of the week is what software says */
	bare_advance(&b, 86400 * S, 0);
	expect_time("1985-10-27 01:21:01 4");
	teardown();
}

static void test_divider_reset(void)
{
	setup("2024-05-06");
	bare_advance(&b, 900 * MS, 0);
	set(0x0a, 0x70);
	bare_advance(&b, 5 * S, 0);
	g_assert_cmphex(get(0), ==, 0);
	set(0x0a, 0x26);
	bare_advance(&b, 499 * MS, 0);
	g_assert_cmphex(get(0), ==, 0);
	bare_advance(&b, 2 * MS, 0);
	g_assert_cmphex(get(0), ==, 1); /* half a second later */
	teardown();
}

static void test_update_in_progress(void)
{
	setup("2024-05-06");
	g_assert_cmphex(get(0x0a), ==, 0x26);
	bare_advance(&b, 997 * MS, 0);
	g_assert_cmphex(get(0x0a), ==, 0x26);
	bare_advance(&b, 2 * MS, 0);
	g_assert_cmphex(get(0x0a), ==, 0xa6);
	bare_advance(&b, 1 * MS, 0);
	g_assert_cmphex(get(0x0a), ==, 0x26);
	g_assert_cmphex(get(0), ==, 1);
	teardown();
}

static void test_update_interrupt(void)
{
	setup("2024-05-06");
	set(0x0b, 0x12);
	bare_advance(&b, 999 * MS, 0);
	g_assert_false(irq());
	bare_advance(&b, 1 * MS, 0);
	g_assert_true(irq());
	bare_advance(&b, 3 * S, 0);
	g_assert_cmpuint(b.wires[0].rises, ==, 1);   /* until C is read */
	g_assert_cmphex(get(0x0c), ==, 0x90 | 0x40); /* PF too, it just does not interrupt */
	g_assert_false(irq());
	g_assert_cmphex(get(0x0c), ==, 0);
	bare_advance(&b, 1 * S, 0);
	g_assert_true(irq());
	set(0x0b, 0x82); /* SET clears UIE */
	g_assert_cmphex(get(0x0b), ==, 0x82);
	g_assert_false(irq());
	teardown();
}

static void test_periodic(void)
{
	unsigned n = 0;

	setup("2024-05-06");
	set(0x0b, 0x42);
	get(0x0c);
	for (unsigned i = 0; i < 10000; i++) { /* 1 s in steps of 100 us */
		bare_advance(&b, 100000, 0);
		if (irq()) {
			g_assert_cmphex(get(0x0c) & 0xc0, ==, 0xc0);
			n++;
		}
	}
	g_assert_cmpuint(n, ==, 1024);
	set(0x0a, 0x2f); /* 2 Hz */
	get(0x0c);
	n = 0;
	for (unsigned i = 0; i < 50; i++) {
		bare_advance(&b, 100 * MS, 0);
		n += irq();
		get(0x0c);
	}
	g_assert_cmpuint(n, ==, 10);
	set(0x0a, 0x20); /* none */
	bare_advance(&b, 5 * S, 0);
	g_assert_false(irq());
	teardown();
}

static void test_alarm(void)
{
	setup("2024-05-06T10:20:30");
	set(5, 0x11);
	set(3, 0x05);
	set(1, 0x07);
	set(0x0b, 0x22);
	bare_advance(&b, 44 * 60 * S, 0);
	g_assert_false(irq());
	bare_advance(&b, 37 * S, 0); /* 11:05:07 */
	g_assert_true(irq());
	g_assert_cmphex(get(0x0c) & 0xa0, ==, 0xa0);
	/* every minute at :07 */
	set(5, 0xc0);
	set(3, 0xff);
	bare_advance(&b, 59 * S, 0);
	g_assert_false(irq());
	bare_advance(&b, 1 * S, 0);
	g_assert_true(irq());
	get(0x0c);
	/* the next day */
	set(5, 0x09);
	set(3, 0x00);
	set(1, 0x00);
	bare_advance(&b, 13 * 3600 * S, 0);
	g_assert_false(irq());
	bare_advance(&b, 9 * 3600 * S, 0);
	g_assert_true(irq());
	get(0x0c);
	/* an alarm that can't come */
	set(1, 0x77);
	bare_advance(&b, 3 * 86400 * S, 0);
	g_assert_false(irq());
	teardown();
}

static void test_cmos_index_and_nmi(void)
{
	setup("2024-05-06");
	mc146818_set_cmos(rtc, 0x34, 0xbe);
	g_assert_cmphex(get(0x34), ==, 0xbe);
	set(0x7f, 0x12);
	g_assert_cmphex(mc146818_get_cmos(rtc, 0x7f), ==, 0x12);
	g_assert_cmphex(bare_in(&b, 0x70), ==, 0xff);
	g_assert_cmphex(get(0x80 | 0x34), ==, 0xbe);
	g_assert_true(b.wires[1].level); /* NMI masked */
	get(0x34);
	g_assert_false(b.wires[1].level);
	set(0x0d, 0);
	g_assert_cmphex(get(0x0d), ==, 0x80);
	set(0x0c, 0xff);
	g_assert_cmphex(get(0x0c) & 0x0f, ==, 0);
	/* reset keeps time and memory, drops interrupts */
	set(0x0b, 0x7a);
	device_reset(rtc);
	g_assert_cmphex(get(0x0b), ==, 0x02);
	g_assert_cmphex(get(0x34), ==, 0xbe);
	teardown();
}

static void test_bases(void)
{
	static const char *const bad[] = { "",
					   "now",
					   "2006-13-01",
					   "2006-06-17T",
					   "2006-06-17T25:00:00",
					   "2006-06-17x",
					   "2006-06-17T16:01:21Z" };
	struct err err = { 0 };
	struct device *dev;
	struct tm tm;
	time_t t;

	setup("utc");
	t = time(NULL);
	gmtime_r(&t, &tm);
	set(0x0b, 0x06);
	g_assert_cmpint(abs(get(4) * 60 + get(2) - tm.tm_hour * 60 - tm.tm_min) % 1439, <=, 1);
	teardown();
	bare_init(&b);
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		dev = bare_new(&b, "mc146818rtc", "base", bad[i], NULL);
		g_assert_false(device_realize(dev, &b.env, &err));
		device_put(dev);
	}
	g_assert_cmpstr(err.text, ==,
			"invalid RTC base '2006-06-17T16:01:21Z': use utc, localtime, "
			"2006-06-17T16:01:21 or 2006-06-17");
	/* the host's clocks, too */
	rtc = bare_add(&b, "mc146818rtc", 0, "base", "localtime", "clock", "host", NULL);
	g_assert_cmphex(get(0x32), ==, 0x20);
	bare_remove(rtc);
	rtc = bare_add(&b, "mc146818rtc", 0, "base", "2006-06-17T16:01:21", "clock", "rt", NULL);
	g_assert_cmphex(get(9), ==, 0x06);
	teardown();
}

static void test_years_far_away(void)
{
	setup("0001-01-01");
	expect_time("0001-01-01 00:00:00 2");
	bare_advance(&b, 86400 * S, 0);
	expect_time("0001-01-02 00:00:00 3");
	set(0x32, 0x99);
	set(9, 0x99);
	set(8, 0x12);
	set(7, 0x31);
	bare_advance(&b, 86400 * S, 0);
	g_assert_cmphex(get(0x32), ==, 0x00); /* after 9999 */
	g_assert_cmphex(get(9), ==, 0x00);
	teardown();
}

static void test_garbage(void)
{
	setup("2024-05-06");
	for (unsigned i = 0; i < 50000; i++) {
		uint32_t r = (uint32_t)g_test_rand_int();

		set((uint8_t)r, (uint8_t)(r >> 8));
		get((uint8_t)(r >> 16));
		bare_advance(&b, r & 0xff0000, 0);
	}
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/rtc/counts", test_counts_and_carries);
	g_test_add_func("/dev/rtc/encodings", test_binary_and_twelve_hours);
	g_test_add_func("/dev/rtc/set", test_set_time_with_set_bit);
	g_test_add_func("/dev/rtc/divider", test_divider_reset);
	g_test_add_func("/dev/rtc/uip", test_update_in_progress);
	g_test_add_func("/dev/rtc/update-irq", test_update_interrupt);
	g_test_add_func("/dev/rtc/periodic", test_periodic);
	g_test_add_func("/dev/rtc/alarm", test_alarm);
	g_test_add_func("/dev/rtc/cmos", test_cmos_index_and_nmi);
	g_test_add_func("/dev/rtc/bases", test_bases);
	g_test_add_func("/dev/rtc/far-years", test_years_far_away);
	g_test_add_func("/dev/rtc/garbage", test_garbage);
	return g_test_run();
}
