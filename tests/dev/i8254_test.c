/* The 8254 and port 61h.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include "event/clock.h"

enum { CH0 = 0x40, CH2 = 0x42, CONTROL = 0x43, PORT61 = 0x61 };
enum { GATE2 = 1, OUT2 = 0x20 };

static struct bare b;
static struct device *pit;
static uint64_t tick;

/* Move to the first nanosecond of a tick of the 1193182 Hz clock, counted from the test's start. */
static void to_tick(uint64_t n)
{
	int64_t ns = (int64_t)((n * UINT64_C(1000000000) + 1193181) / 1193182);

	tick = n;
	bare_advance(&b, ns - vclock_now(b.clock), 0);
}

static void setup(void)
{
	bare_init(&b);
	pit = bare_add(&b, "i8254", 0, NULL);
	to_tick(1000);
}

static void teardown(void)
{
	bare_remove(pit);
	bare_fini(&b);
}

static void program(unsigned channel, unsigned mode, uint16_t count)
{
	bare_out(&b, CONTROL, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	bare_out(&b, (uint16_t)(CH0 + channel), (uint8_t)count);
	bare_out(&b, (uint16_t)(CH0 + channel), (uint8_t)(count >> 8));
}

static uint16_t read16(unsigned channel)
{
	uint16_t low = bare_in(&b, (uint16_t)(CH0 + channel));

	return (uint16_t)(low | bare_in(&b, (uint16_t)(CH0 + channel)) << 8);
}

static bool out2(void) { return bare_in(&b, PORT61) & OUT2; }

static void test_mode0_interrupts_once_after_n_plus_1(void)
{
	setup();
	program(0, 0, 100);
	g_assert_false(b.wires[0].level);
	to_tick(tick + 51);
	g_assert_cmpuint(read16(0), ==, 50);
	to_tick(1000 + 100);
	g_assert_false(b.wires[0].level);
	to_tick(1000 + 101);
	g_assert_true(b.wires[0].level);
	to_tick(tick + 0x20000);
	g_assert_cmpuint(b.wires[0].rises, ==, 1 + (b.wires[0].falls ? 1 : 0));
	/* it goes on counting down from FFFFh */
	g_assert_cmpuint(read16(0), ==, 0);
	to_tick(tick + 1);
	g_assert_cmphex(read16(0), ==, 0xffff);
	teardown();
}

static void test_mode0_first_byte_stops(void)
{
	setup();
	bare_out(&b, PORT61, GATE2);
	program(2, 0, 50);
	to_tick(tick + 60);
	g_assert_true(out2());
	bare_out(&b, CH2, 10);
	g_assert_false(out2());
	to_tick(tick + 100);
	g_assert_false(out2());
	bare_out(&b, CH2, 0);
	to_tick(tick + 11);
	g_assert_true(out2());
	teardown();
}

static void test_mode0_gate_holds(void)
{
	setup();
	bare_out(&b, PORT61, GATE2);
	program(2, 0, 100);
	to_tick(tick + 41);
	bare_out(&b, PORT61, 0);
	g_assert_cmpuint(read16(2), ==, 60);
	to_tick(tick + 500);
	g_assert_cmpuint(read16(2), ==, 60);
	bare_out(&b, PORT61, GATE2);
	to_tick(tick + 59);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_true(out2());
	teardown();
}

static void test_mode1_is_triggered_by_the_gate(void)
{
	setup();
	program(2, 1, 20);
	g_assert_true(out2());
	to_tick(tick + 100);
	g_assert_true(out2());
	bare_out(&b, PORT61, GATE2);
	to_tick(tick + 1);
	g_assert_false(out2());
	to_tick(tick + 19);
	g_assert_false(out2());
	bare_out(&b, PORT61, 0); /* falling gate: nothing */
	g_assert_false(out2());
	bare_out(&b, PORT61, GATE2); /* retriggered */
	to_tick(tick + 20);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_true(out2());
	teardown();
}

static void test_mode2_period_and_low_tick(void)
{
	setup();
	bare_out(&b, PORT61, GATE2);
	program(2, 2, 10);
	to_tick(tick + 1); /* loaded */
	g_assert_cmpuint(read16(2), ==, 10);
	to_tick(tick + 9);
	g_assert_cmpuint(read16(2), ==, 1);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_true(out2());
	g_assert_cmpuint(read16(2), ==, 10);
	/* a new count takes effect at the end of the period */
	to_tick(tick + 3);
	bare_out(&b, CH2, 100);
	bare_out(&b, CH2, 0);
	g_assert_cmpuint(read16(2), ==, 7);
	to_tick(tick + 7);
	g_assert_cmpuint(read16(2), ==, 100);
	/* gate low: high; rising: from the start */
	to_tick(tick + 99);
	g_assert_false(out2());
	bare_out(&b, PORT61, 0);
	g_assert_true(out2());
	bare_out(&b, PORT61, GATE2);
	to_tick(tick + 1);
	g_assert_cmpuint(read16(2), ==, 100);
	teardown();
}

static void test_mode2_interrupts_each_period(void)
{
	unsigned before;

	setup();
	program(0, 2, 1193); /* 1 kHz */
	before = b.wires[0].rises;
	bare_advance(&b, 100000000, 100000);
	g_assert_cmpuint(b.wires[0].rises - before, >=, 99);
	g_assert_cmpuint(b.wires[0].rises - before, <=, 101);
	teardown();
}

static void test_fast_periods_do_not_flood(void)
{
	unsigned before;

	setup();
	program(0, 2, 2);
	before = b.wires[0].rises;
	bare_advance(&b, 1000000, 1000);
	g_assert_cmpuint(b.wires[0].rises - before, <=, 51);
	g_assert_cmpuint(b.wires[0].rises - before, >=, 40);
	teardown();
}

static void test_mode3_square_even_and_odd(void)
{
	setup();
	bare_out(&b, PORT61, GATE2);
	program(2, 3, 8);
	to_tick(tick + 1);
	g_assert_cmpuint(read16(2), ==, 8);
	to_tick(tick + 3);
	g_assert_true(out2());
	g_assert_cmpuint(read16(2), ==, 2);
	to_tick(tick + 1);
	g_assert_false(out2());
	to_tick(tick + 4);
	g_assert_true(out2());
	program(2, 3, 5); /* high 3, low 2 */
	to_tick(tick + 1);
	to_tick(tick + 2);
	g_assert_true(out2());
	to_tick(tick + 1);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_true(out2());
	teardown();
}

static void test_mode4_and_5_strobe_one_tick(void)
{
	setup();
	bare_out(&b, PORT61, GATE2);
	program(2, 4, 5);
	g_assert_true(out2());
	to_tick(tick + 5);
	g_assert_true(out2());
	to_tick(tick + 1);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_true(out2());
	bare_out(&b, PORT61, 0);
	program(2, 5, 5);
	to_tick(tick + 20);
	g_assert_true(out2());
	bare_out(&b, PORT61, GATE2);
	to_tick(tick + 6);
	g_assert_false(out2());
	to_tick(tick + 1);
	g_assert_true(out2());
	teardown();
}

static void test_bcd(void)
{
	setup();
	bare_out(&b, PORT61, GATE2);
	bare_out(&b, CONTROL, 0x80 | 0x30 | 1);
	bare_out(&b, CH2, 0x00);
	bare_out(&b, CH2, 0x10); /* 1000 */
	to_tick(tick + 2);
	g_assert_cmphex(read16(2), ==, 0x0999);
	to_tick(tick + 1000);
	g_assert_cmphex(read16(2), ==, 0x9999);
	teardown();
}

static void test_latch_holds_until_read(void)
{
	setup();
	program(0, 2, 1000);
	to_tick(tick + 101);
	bare_out(&b, CONTROL, 0x00);
	to_tick(tick + 50);
	bare_out(&b, CONTROL, 0x00); /* a second latch is ignored */
	g_assert_cmpuint(read16(0), ==, 900);
	g_assert_cmpuint(read16(0), ==, 850);
	teardown();
}

static void test_read_back(void)
{
	setup();
	program(0, 2, 1000);
	bare_out(&b, CONTROL, 0xe2);                               /* status of 0 */
	g_assert_cmphex(bare_in(&b, CH0), ==, 0x80 | 0x40 | 0x34); /* null count: not loaded yet */
	to_tick(tick + 1);
	bare_out(&b, CONTROL, 0xc2); /* both */
	to_tick(tick + 30);
	g_assert_cmphex(bare_in(&b, CH0), ==, 0x80 | 0x34);
	g_assert_cmpuint(read16(0), ==, 1000);
	g_assert_cmpuint(read16(0), ==, 970);
	teardown();
}

static void test_lsb_and_msb_only(void)
{
	setup();
	bare_out(&b, CONTROL, 0x14); /* channel 0 LSB, mode 2 */
	bare_out(&b, CH0, 200);
	to_tick(tick + 1);
	g_assert_cmpuint(bare_in(&b, CH0), ==, 200);
	bare_out(&b, CONTROL, 0x24);
	bare_out(&b, CH0, 3);
	to_tick(tick + 1);
	g_assert_cmpuint(bare_in(&b, CH0), ==, 3);
	g_assert_cmpuint(bare_in(&b, CH0), ==, 3);
	teardown();
}

static void test_port61(void)
{
	uint8_t v;

	setup();
	bare_out(&b, PORT61, 0xff);
	v = bare_in(&b, PORT61);
	g_assert_cmphex(v & 0xcf, ==, 0x0f); /* upper ones are read-only */
	to_tick(tick + 18);
	g_assert_cmphex((bare_in(&b, PORT61) ^ v) & 0x10, ==, 0x10); /* refresh toggles */
	g_assert_cmphex(bare_in(&b, CONTROL), ==, 0xff);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/i8254/mode0", test_mode0_interrupts_once_after_n_plus_1);
	g_test_add_func("/dev/i8254/mode0-first-byte", test_mode0_first_byte_stops);
	g_test_add_func("/dev/i8254/mode0-gate", test_mode0_gate_holds);
	g_test_add_func("/dev/i8254/mode1", test_mode1_is_triggered_by_the_gate);
	g_test_add_func("/dev/i8254/mode2", test_mode2_period_and_low_tick);
	g_test_add_func("/dev/i8254/mode2-irq", test_mode2_interrupts_each_period);
	g_test_add_func("/dev/i8254/flood", test_fast_periods_do_not_flood);
	g_test_add_func("/dev/i8254/mode3", test_mode3_square_even_and_odd);
	g_test_add_func("/dev/i8254/mode4-5", test_mode4_and_5_strobe_one_tick);
	g_test_add_func("/dev/i8254/bcd", test_bcd);
	g_test_add_func("/dev/i8254/latch", test_latch_holds_until_read);
	g_test_add_func("/dev/i8254/read-back", test_read_back);
	g_test_add_func("/dev/i8254/one-byte", test_lsb_and_msb_only);
	g_test_add_func("/dev/i8254/port61", test_port61);
	return g_test_run();
}
