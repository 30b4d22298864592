/* tests/unit/firmware/acpi_test.c
 * SPDX-License-Identifier: MIT */
#include "firmware/acpi.h"

#include <string.h>

#include "firmware/aml.h"

static const uint32_t apic_ids[] = { 0, 1, 300 };
static const struct acpi_board board = {
	.apic_ids = apic_ids,
	.cpu_count = 3,
	.lapic = 0xfee00000,
	.ioapic = 0xfec00000,
	.has_pic = true,
	.has_rtc = true,
	.pit_gsi = 2,
	.ged_events = 0xfea00000,
	.ged_regs = 0xfea00200,
	.ged_gsi = 9,
	.serials = { { 0x3f8, 4 } },
	.serial_count = 1,
	.fw_cfg_port = 0x510,
	.pm_timer_port = 0x608,
};

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *table(const GByteArray *a, gpa_t base, uint64_t addr, const char *signature)
{
	const uint8_t *t = a->data + (addr - base);

	g_assert_cmpuint(addr, >=, base);
	g_assert_cmpuint(addr - base, <, a->len);
	g_assert_cmpmem(t, 4, signature, 4);
	g_assert_cmpuint(addr - base + ld32_le(t + 4), <=, a->len);
	g_assert_cmpuint(sum(t, ld32_le(t + 4)), ==, 0);
	return t;
}

static void test_tables_are_linked_and_sum_to_zero(void)
{
	const gpa_t base = 0xe0000;
	struct acpi_tables t;
	GByteArray *a;
	const uint8_t *xsdt, *fadt, *madt;

	acpi_build(&t, &board);
	a = acpi_place(&t, base);
	g_assert_cmpmem(a->data, 8, "RSD PTR ", 8);
	g_assert_cmpuint(sum(a->data, 20), ==, 0);
	g_assert_cmpuint(sum(a->data, 36), ==, 0);
	xsdt = table(a, base, ld64_le(a->data + 24), "XSDT");
	fadt = table(a, base, ld64_le(xsdt + 36), "FACP");
	madt = table(a, base, ld64_le(xsdt + 44), "APIC");
	table(a, base, ld64_le(fadt + 140), "DSDT");
	g_assert_cmphex(ld32_le(fadt + 40), ==, ld64_le(fadt + 140));
	g_assert_cmphex(ld32_le(fadt + 112), ==, 1u << 20 | 1u << 10);
	g_assert_cmphex(ld64_le(fadt + 120), ==, 0xfea00202);
	g_assert_cmpuint(fadt[128], ==, 0x42);
	g_assert_cmphex(ld32_le(fadt + 76), ==, 0x608);
	g_assert_cmphex(ld64_le(fadt + 212), ==, 0x608);
	g_assert_cmphex(ld64_le(fadt + 248), ==, 0xfea00200);
	g_assert_cmphex(ld32_le(madt + 36), ==, 0xfee00000);
	g_assert_cmpuint(madt[44], ==, 0); /* local APIC */
	g_assert_cmpuint(madt[52 + 3], ==, 1);
	g_assert_cmpuint(madt[60], ==, 9); /* id 300 needs the x2APIC form */
	g_assert_cmpuint(ld32_le(madt + 64), ==, 300);
	g_byte_array_unref(a);
	acpi_free(&t);
}

static void test_long_terms_get_long_lengths(void)
{
	GByteArray *a = g_byte_array_new();
	g_autofree char *text = g_strnfill(5000, 'x');
	aml_mark m = aml_open_scope(a, "\\_SB.PCI0.ISA");

	aml_name_string(a, "LONG", text);
	aml_close(a, m);
	g_assert_cmphex(a->data[0], ==, 0x10);
	g_assert_cmphex(a->data[1] >> 6, ==, 2); /* three bytes */
	g_assert_cmpuint((a->data[1] & 0xf) | a->data[2] << 4 | a->data[3] << 12, ==, a->len - 1);
	g_assert_cmpmem(a->data + 4, 3, "\\\x2f\x03", 3);
	g_byte_array_unref(a);
}

static void test_eisa_id(void)
{
	GByteArray *a = g_byte_array_new();

	aml_name_eisaid(a, "_HID", "PNP0501");
	g_assert_cmpmem(a->data, a->len, "\x08_HID\x0c\x41\xd0\x05\x01", 10);
	g_byte_array_unref(a);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/acpi/tables", test_tables_are_linked_and_sum_to_zero);
	g_test_add_func("/acpi/aml/length", test_long_terms_get_long_lengths);
	g_test_add_func("/acpi/aml/eisaid", test_eisa_id);
	return g_test_run();
}
