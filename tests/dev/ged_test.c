/* ACPI's event device, sleep and reset registers.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include "dev/acpi/ged.h"

enum { EVENTS = 0xfea00000, REGS = 0xfea00200 };

static struct bare b;
static struct device *ged;

static void setup(void)
{
	bare_init(&b);
	ged = bare_add(&b, "acpi-ged", 0, NULL);
	bare_map(&b, ged, 0, EVENTS);
	bare_map(&b, ged, 1, REGS);
}

static void teardown(void)
{
	bare_remove(ged);
	bare_fini(&b);
}

static void wr8(uint64_t addr, uint8_t v) { address_space_write(&b.mem, addr, 1, v); }

static uint8_t rd8(uint64_t addr)
{
	uint64_t v;

	address_space_read(&b.mem, addr, 1, &v);
	return (uint8_t)v;
}

static void test_sleep_control_powers_off(void)
{
	setup();
	wr8(REGS + GED_SLEEP_CONTROL, GED_SLP_TYP_S5 << 2); /* without SLP_EN */
	g_assert_cmpuint(b.requests, ==, 0);
	g_assert_cmphex(rd8(REGS), ==, GED_SLP_TYP_S5 << 2);
	wr8(REGS + GED_SLEEP_CONTROL, 0x20 | 1 << 2); /* S1: not there */
	g_assert_cmpuint(b.requests, ==, 0);
	wr8(REGS + GED_SLEEP_CONTROL, 0x20 | GED_SLP_TYP_S5 << 2);
	g_assert_cmpuint(b.requests, ==, 1);
	g_assert_cmpint(b.last_request, ==, REQUEST_SHUTDOWN);
	g_assert_cmphex(rd8(REGS) & 0x20, ==, 0);
	wr8(REGS + GED_SLEEP_STATUS, 0x80);
	g_assert_cmphex(rd8(REGS + GED_SLEEP_STATUS), ==, 0);
	teardown();
}

static void test_reset_register(void)
{
	setup();
	wr8(REGS + GED_RESET, 0x41);
	g_assert_cmpuint(b.requests, ==, 0);
	wr8(REGS + GED_RESET, GED_RESET_VALUE);
	g_assert_cmpuint(b.requests, ==, 1);
	g_assert_cmpint(b.last_request, ==, REQUEST_RESET);
	teardown();
}

static void test_power_button(void)
{
	setup();
	ged_press_power_button(ged);
	ged_press_power_button(ged);
	g_assert_true(b.wires[0].level);
	g_assert_cmphex(bare_read32(&b, EVENTS), ==, GED_EVENT_POWER_BUTTON);
	g_assert_false(b.wires[0].level);
	g_assert_cmphex(bare_read32(&b, EVENTS), ==, 0);
	bare_write32(&b, EVENTS, UINT32_MAX);
	g_assert_false(b.wires[0].level);
	ged_press_power_button(ged);
	device_reset(ged);
	g_assert_false(b.wires[0].level);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/ged/sleep", test_sleep_control_powers_off);
	g_test_add_func("/dev/ged/reset", test_reset_register);
	g_test_add_func("/dev/ged/button", test_power_button);
	return g_test_run();
}
