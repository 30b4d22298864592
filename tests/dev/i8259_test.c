/* The 8259 pair.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include "dev/intc/i8259.h"

enum { M_CMD = 0x20, M_DATA = 0x21, S_CMD = 0xa0, S_DATA = 0xa1, ELCR1 = 0x4d0, ELCR2 = 0x4d1 };

static struct bare b;
static struct device *pic;

static void init_pair(uint8_t icw4)
{
	static const uint16_t ports[2] = { M_CMD, S_CMD };

	for (unsigned i = 0; i < 2; i++) {
		bare_out(&b, ports[i], 0x11);
		bare_out(&b, ports[i] + 1, i ? 0x28 : 0x20);
		bare_out(&b, ports[i] + 1, i ? 2 : 4);
		bare_out(&b, ports[i] + 1, icw4);
		bare_out(&b, ports[i] + 1, 0);
	}
}

static void setup(void)
{
	bare_init(&b);
	pic = bare_add(&b, "i8259", 0, NULL);
	init_pair(1);
}

static void teardown(void)
{
	bare_remove(pic);
	bare_fini(&b);
}

static void pulse(int line)
{
	i8259_set_irq(pic, line, true);
	i8259_set_irq(pic, line, false);
}

static bool intr(void) { return b.wires[0].level; }

static uint8_t isr(uint16_t cmd)
{
	bare_out(&b, cmd, 0x0b);
	return bare_in(&b, cmd);
}

static uint8_t irr(uint16_t cmd)
{
	bare_out(&b, cmd, 0x0a);
	return bare_in(&b, cmd);
}

static void test_highest_priority_first_and_eoi(void)
{
	setup();
	g_assert_false(intr());
	pulse(4);
	pulse(1);
	g_assert_true(intr());
	g_assert_cmphex(irr(M_CMD), ==, 0x12);
	g_assert_cmphex(i8259_ack(pic), ==, 0x21);
	g_assert_cmphex(isr(M_CMD), ==, 0x02);
	g_assert_false(intr()); /* 4 is lower than what is in service */
	pulse(0);
	g_assert_true(intr()); /* 0 is higher */
	g_assert_cmphex(i8259_ack(pic), ==, 0x20);
	bare_out(&b, M_CMD, 0x20);
	g_assert_cmphex(isr(M_CMD), ==, 0x02);
	g_assert_false(intr());
	bare_out(&b, M_CMD, 0x20);
	g_assert_true(intr());
	g_assert_cmphex(i8259_ack(pic), ==, 0x24);
	teardown();
}

static void test_cascade_and_both_eois(void)
{
	setup();
	pulse(8);
	pulse(12);
	g_assert_true(intr());
	g_assert_cmphex(i8259_ack(pic), ==, 0x28);
	g_assert_cmphex(isr(M_CMD), ==, 0x04);
	g_assert_cmphex(isr(S_CMD), ==, 0x01);
	bare_out(&b, S_CMD, 0x20);
	bare_out(&b, M_CMD, 0x20);
	g_assert_true(intr());
	g_assert_cmphex(i8259_ack(pic), ==, 0x2c);
	teardown();
}

static void test_mask_holds_and_releases(void)
{
	setup();
	bare_out(&b, M_DATA, 0x10);
	g_assert_cmphex(bare_in(&b, M_DATA), ==, 0x10);
	pulse(4);
	g_assert_false(intr());
	bare_out(&b, M_DATA, 0);
	g_assert_true(intr());
	bare_out(&b, M_DATA, 0x04); /* the cascade masked: no slave */
	g_assert_cmphex(i8259_ack(pic), ==, 0x24);
	bare_out(&b, M_CMD, 0x64); /* specific EOI 4 */
	g_assert_cmphex(isr(M_CMD), ==, 0);
	pulse(9);
	g_assert_false(intr());
	teardown();
}

static void test_spurious(void)
{
	setup();
	g_assert_cmphex(i8259_ack(pic), ==, 0x27);
	g_assert_cmphex(isr(M_CMD), ==, 0); /* not in service */
	bare_out(&b, ELCR2, 0x02);
	i8259_set_irq(pic, 9, true);
	g_assert_true(intr());
	/* the level goes between INTR and INTA; the master's edge is latched */
	i8259_set_irq(pic, 9, false);
	g_assert_cmphex(i8259_ack(pic), ==, 0x2f);
	g_assert_cmphex(isr(S_CMD), ==, 0);
	g_assert_cmphex(isr(M_CMD), ==, 0x04);
	teardown();
}

static void test_level_asks_again_until_it_falls(void)
{
	setup();
	bare_out(&b, ELCR1, 0xff);
	g_assert_cmphex(bare_in(&b, ELCR1), ==, 0xf8); /* 0-2 stay edges */
	i8259_set_irq(pic, 5, true);
	g_assert_cmphex(i8259_ack(pic), ==, 0x25);
	bare_out(&b, M_CMD, 0x20);
	g_assert_true(intr());
	i8259_set_irq(pic, 5, false);
	g_assert_false(intr());
	/* an edge line held high asks once */
	i8259_set_irq(pic, 1, true);
	i8259_ack(pic);
	bare_out(&b, M_CMD, 0x20);
	g_assert_false(intr());
	teardown();
}

static void test_auto_eoi_and_rotation(void)
{
	setup();
	init_pair(3);
	pulse(3);
	g_assert_cmphex(i8259_ack(pic), ==, 0x23);
	g_assert_cmphex(isr(M_CMD), ==, 0);
	bare_out(&b, M_CMD, 0x80); /* rotate in AEOI */
	pulse(3);
	i8259_ack(pic); /* 3 is lowest now, 4 highest */
	pulse(2 + 1);
	pulse(4);
	g_assert_cmphex(i8259_ack(pic), ==, 0x24);
	teardown();
}

static void test_slave_auto_eoi_gives_all_pending(void)
{
	setup();
	init_pair(3);
	pulse(8);
	pulse(10);
	g_assert_cmphex(i8259_ack(pic), ==, 0x28);
	g_assert_true(intr());
	g_assert_cmphex(i8259_ack(pic), ==, 0x2a);
	g_assert_false(intr());
	teardown();
}

static void test_specific_rotation(void)
{
	setup();
	bare_out(&b, M_CMD, 0xc0 | 4); /* 4 lowest: 5 highest */
	pulse(0);
	pulse(5);
	g_assert_cmphex(i8259_ack(pic), ==, 0x25);
	bare_out(&b, M_CMD, 0xa0); /* rotate on non-specific EOI: 5 lowest */
	pulse(5);
	g_assert_cmphex(i8259_ack(pic), ==, 0x20);
	teardown();
}

static void test_special_mask_lets_lower_through(void)
{
	setup();
	pulse(1);
	i8259_ack(pic);
	bare_out(&b, M_DATA, 0x02);
	pulse(6);
	g_assert_false(intr());
	bare_out(&b, M_CMD, 0x68);
	g_assert_true(intr());
	g_assert_cmphex(i8259_ack(pic), ==, 0x26);
	bare_out(&b, M_CMD, 0x20); /* non-specific: not the masked one */
	g_assert_cmphex(isr(M_CMD), ==, 0x02);
	bare_out(&b, M_CMD, 0x48);
	g_assert_cmphex(isr(M_CMD), ==, 0x02);
	teardown();
}

static void test_special_fully_nested(void)
{
	setup();
	init_pair(0x11);
	pulse(12);
	g_assert_cmphex(i8259_ack(pic), ==, 0x2c);
	pulse(9); /* higher on the same slave */
	g_assert_true(intr());
	g_assert_cmphex(i8259_ack(pic), ==, 0x29);
	teardown();
}

static void test_poll(void)
{
	setup();
	bare_out(&b, M_CMD, 0x0c);
	g_assert_cmphex(bare_in(&b, M_CMD), ==, 0);
	pulse(3);
	bare_out(&b, M_CMD, 0x0c);
	g_assert_cmphex(bare_in(&b, M_CMD), ==, 0x83);
	g_assert_cmphex(isr(M_CMD), ==, 0x08);
	g_assert_false(intr());
	teardown();
}

static void test_icw1_clears_and_single(void)
{
	setup();
	bare_out(&b, M_DATA, 0xff);
	i8259_set_irq(pic, 4, true);
	bare_out(&b, M_CMD, 0x12); /* single, no ICW4 */
	g_assert_cmphex(bare_in(&b, M_DATA), ==, 0);
	bare_out(&b, M_DATA, 0x43);
	bare_out(&b, M_DATA, 0xa5); /* already OCW1 */
	g_assert_cmphex(bare_in(&b, M_DATA), ==, 0xa5);
	bare_out(&b, M_DATA, 0);
	g_assert_false(intr()); /* the edge of before is gone */
	i8259_set_irq(pic, 4, false);
	i8259_set_irq(pic, 4, true);
	g_assert_cmphex(i8259_ack(pic), ==, 0x44);
	teardown();
}

static void test_reset(void)
{
	setup();
	pulse(1);
	g_assert_true(intr());
	device_reset(pic);
	g_assert_false(intr());
	g_assert_cmphex(irr(M_CMD), ==, 0);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/i8259/priority", test_highest_priority_first_and_eoi);
	g_test_add_func("/dev/i8259/cascade", test_cascade_and_both_eois);
	g_test_add_func("/dev/i8259/mask", test_mask_holds_and_releases);
	g_test_add_func("/dev/i8259/spurious", test_spurious);
	g_test_add_func("/dev/i8259/level", test_level_asks_again_until_it_falls);
	g_test_add_func("/dev/i8259/auto-eoi", test_auto_eoi_and_rotation);
	g_test_add_func("/dev/i8259/slave-auto-eoi", test_slave_auto_eoi_gives_all_pending);
	g_test_add_func("/dev/i8259/rotation", test_specific_rotation);
	g_test_add_func("/dev/i8259/special-mask", test_special_mask_lets_lower_through);
	g_test_add_func("/dev/i8259/special-nested", test_special_fully_nested);
	g_test_add_func("/dev/i8259/poll", test_poll);
	g_test_add_func("/dev/i8259/icw1", test_icw1_clears_and_single);
	g_test_add_func("/dev/i8259/reset", test_reset);
	return g_test_run();
}
