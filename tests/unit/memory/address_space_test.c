/* Accesses through an address space: size rules, crossing, ROM, nothing there; DMA.
 * SPDX-License-Identifier: MIT */
#include "memory/address_space.h"

#include <glib.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/log.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "memory/region.h"

/* One machine: RAM 0-1FFFh, ROM 2000h-2FFFh, a device of 16 registers at 3000h that notes calls. */
static struct ram_block *ram;
static struct region root, ram_region, rom_region, io_region;
static struct address_space as;
static GString *calls;
static uint8_t regs[16];
static struct lock io_lock;
static struct region_ops ops;

static uint64_t io_read(struct device *dev, uint64_t offset, unsigned size)
{
	uint64_t v = 0;

	(void)dev;
	g_assert_true(lock_held(&io_lock));
	g_string_append_printf(calls, "r%u@%u ", size, (unsigned)offset);
	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)regs[(offset + i) & 15] << (8 * i);
	return v | ~UINT64_C(0) << (8 * size - 1) << 1; /* junk above is not our caller's */
}

static void io_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	g_string_append_printf(calls, "w%u@%u=%" G_GINT64_MODIFIER "x ", size, (unsigned)offset,
			       value);
}

static void setup(uint8_t min, uint8_t max, bool unaligned)
{
	struct err err;

	ops = (struct region_ops){ io_read, io_write, min, max, unaligned, false };
	for (unsigned i = 0; i < sizeof(regs); i++)
		regs[i] = (uint8_t)(0xa0 + i);
	calls = g_string_new("");
	lock_init(&io_lock, LOCK_DEVICE, "test device");
	ram = ram_block_new("ram", 0x3000, &err);
	g_assert_nonnull(ram);
	region_init_container(&root, "root", 0);
	region_init_ram(&ram_region, "ram", ram, 0, 0x2000);
	region_init_rom(&rom_region, "rom", ram, 0x2000, 0x1000);
	region_init_io(&io_region, NULL, "io", &ops, 16);
	io_region.lock = &io_lock;
	region_add(&root, 0, &ram_region);
	region_add(&root, 0x2000, &rom_region);
	region_add(&root, 0x3000, &io_region);
	address_space_init(&as, "test", &root);
}

static void teardown(void)
{
	address_space_fini(&as);
	rcu_drain();
	ram_block_free(ram);
	lock_fini(&io_lock);
	g_string_free(calls, TRUE);
}

static uint64_t load(gpa_t addr, unsigned size, bool want_ok)
{
	uint64_t v = 0;

	g_assert_true(address_space_read(&as, addr, size, &v) == want_ok);
	return v;
}

static void expect_calls(const char *text)
{
	g_assert_cmpstr(calls->str, ==, text);
	g_string_truncate(calls, 0);
}

static void test_ram_and_rom(void)
{
	setup(1, 8, false);
	g_assert_true(address_space_write(&as, 0x1001, 8, UINT64_C(0x1122334455667788)));
	g_assert_cmphex(load(0x1001, 8, true), ==, UINT64_C(0x1122334455667788));
	g_assert_cmphex(load(0x1003, 2, true), ==, 0x5566);
	g_assert_cmphex(ram->host[0x1001], ==, 0x88);
	ram->host[0x2000] = 0x5a;
	g_assert_true(address_space_write(&as, 0x2000, 1, 0xff)); /* dropped */
	g_assert_cmphex(load(0x2000, 1, true), ==, 0x5a);
	teardown();
}

static void test_nothing_there_reads_as_ones(void)
{
	setup(1, 8, false);
	g_assert_cmphex(load(0x8000, 1, false), ==, 0xff);
	g_assert_cmphex(load(0x8000, 4, false), ==, 0xffffffff);
	g_assert_cmphex(load(UINT64_MAX, 1, false), ==, 0xff);
	g_assert_false(address_space_write(&as, 0x8000, 8, 1));
	teardown();
}

/* What a lookup found before says nothing of a view that is another by now, or another space's. */
static void test_lookups_see_what_is_there_now(void)
{
	struct region other_root, other_region;
	struct address_space other;
	uint64_t v;

	setup(1, 1, false);
	region_init_container(&other_root, "other", 0);
	region_init_ram(&other_region, "low", ram, 0x10, 0x1000);
	region_add(&other_root, 0x2800, &other_region);
	address_space_init(&other, "other", &other_root);
	ram->host[0x810] = 0x11;
	for (unsigned i = 0; i < 2; i++) {
		g_assert_cmphex(load(0x3000, 1, true), ==, 0xa0);
		g_assert_true(address_space_read(&other, 0x3000, 1, &v));
		g_assert_cmphex(v, ==, 0x11);
		g_assert_false(address_space_read(&other, 0x27ff, 1, &v));
	}
	region_remove(&io_region);
	load(0x3000, 1, false);
	region_remove(&ram_region); /* its index is the ROM's now */
	load(0x1000, 1, false);
	region_add(&root, 0x800, &io_region);
	g_assert_cmphex(load(0x800, 1, true), ==, 0xa0);
	load(0x1000, 1, false);
	address_space_fini(&other);
	teardown();
}

static void test_access_across_ranges_is_split(void)
{
	setup(1, 8, false);
	ram->host[0x1fff] = 0x11;
	ram->host[0x2000] = 0x22;
	g_assert_cmphex(load(0x1fff, 2, true), ==, 0x2211);
	ram->host[0x2ffe] = 0x33;
	ram->host[0x2fff] = 0x44;
	g_assert_cmphex(load(0x2ffe, 4, true), ==, 0xa1a04433);
	expect_calls("r1@0 r1@1 ");
	g_assert_cmphex(load(0x300f, 2, false), ==, 0xffaf);
	g_assert_true(address_space_write(&as, 0x1ffe, 4, 0xddccbbaa));
	g_assert_cmphex(ram->host[0x1fff], ==, 0xbb);
	g_assert_cmphex(ram->host[0x2000], ==, 0x22); /* ROM */
	/* around the top of the address space */
	g_assert_cmphex(load(UINT64_MAX, 2, false) & 0xff, ==, 0xff);
	teardown();
}

static void test_wide_access_is_split(void)
{
	setup(1, 2, false);
	g_assert_cmphex(load(0x3004, 8, true), ==, UINT64_C(0xabaaa9a8a7a6a5a4));
	expect_calls("r2@4 r2@6 r2@8 r2@10 ");
	g_assert_true(address_space_write(&as, 0x3000, 4, 0x11223344));
	expect_calls("w2@0=3344 w2@2=1122 ");
	teardown();
}

static void test_unaligned_access_is_split(void)
{
	setup(1, 4, false);
	g_assert_cmphex(load(0x3001, 4, true), ==, 0xa4a3a2a1);
	expect_calls("r1@1 r2@2 r1@4 ");
	teardown();
	setup(1, 4, true);
	g_assert_cmphex(load(0x3001, 4, true), ==, 0xa4a3a2a1);
	expect_calls("r4@1 ");
	teardown();
}

static void test_narrow_access_is_widened(void)
{
	setup(4, 4, false);
	g_assert_cmphex(load(0x3006, 1, true), ==, 0xa6);
	expect_calls("r4@4 ");
	g_assert_cmphex(load(0x3006, 2, true), ==, 0xa7a6);
	expect_calls("r4@4 ");
	g_assert_true(address_space_write(&as, 0x3002, 2, 0xbeef));
	expect_calls("w4@0=beef0000 ");
	g_assert_cmphex(load(0x3000, 8, true), ==, UINT64_C(0xa7a6a5a4a3a2a1a0));
	expect_calls("r4@0 r4@4 ");
	teardown();
}

static void guard_begin(struct region_guard *g)
{
	(void)g;
	g_assert_false(lock_held(&io_lock));
	g_string_append(calls, "begin ");
}

static void guard_end(struct region_guard *g)
{
	(void)g;
	g_assert_false(lock_held(&io_lock));
	g_string_append(calls, "end ");
}

static void test_guard_is_told_around_each_access(void)
{
	struct region_guard guard = { guard_begin, guard_end };

	setup(1, 2, false);
	region_set_guard(&io_region, &guard);
	load(0x3000, 4, true);
	address_space_write(&as, 0x3002, 1, 0x77);
	g_assert_cmpstr(calls->str, ==, "begin r2@0 r2@2 end begin w1@2=77 end ");
	teardown();
}

static void test_missing_callbacks(void)
{
	setup(1, 8, false);
	ops.read = NULL;
	ops.write = NULL;
	g_assert_cmphex(load(0x3000, 4, true), ==, 0xffffffff);
	g_assert_true(address_space_write(&as, 0x3000, 4, 1));
	expect_calls("");
	teardown();
}

static void test_dma_copies_and_refuses_devices(void)
{
	uint8_t buf[0x40];

	setup(1, 8, false);
	memset(buf, 0x77, sizeof(buf));
	g_assert_true(dma_write(&as, 0x100, buf, sizeof(buf)));
	g_assert_cmphex(ram->host[0x13f], ==, 0x77);
	g_assert_true(dma_read(&as, 0x1fe0, buf, 0x40)); /* RAM into ROM */
	memset(ram->host + 0x2ff0, 0x12, 16);
	g_assert_false(dma_read(&as, 0x2ff0, buf, 0x40));
	g_assert_cmphex(buf[15], ==, 0x12);
	g_assert_cmphex(buf[16], ==, 0xff);
	g_assert_cmphex(buf[0x3f], ==, 0xff);
	expect_calls("");
	/* a write across RAM, ROM and the device reaches the RAM only */
	memset(buf, 0x99, sizeof(buf));
	g_assert_false(dma_write(&as, 0x1ff0, buf, 0x40));
	g_assert_cmphex(ram->host[0x1fff], ==, 0x99);
	g_assert_cmphex(ram->host[0x2000], ==, 0);
	g_assert_true(dma_write_rom(&as, 0x1ff0, buf, 0x40));
	g_assert_cmphex(ram->host[0x2000], ==, 0x99);
	g_assert_true(dma_set(&as, 0x10, 0x42, 0x1000));
	g_assert_cmphex(ram->host[0x100f], ==, 0x42);
	teardown();
}

static void test_dma_hostile_lengths_end(void)
{
	setup(1, 8, false);
	g_assert_false(dma_set(&as, 0x1000, 0x55, UINT64_MAX));
	g_assert_cmphex(ram->host[0x1fff], ==, 0x55);
	g_assert_cmphex(ram->host[0], ==, 0x55); /* addresses wrap */
	g_assert_false(dma_set(&as, UINT64_MAX - 3, 0x66, 8));
	g_assert_cmphex(ram->host[3], ==, 0x66);
	g_assert_cmphex(ram->host[4], ==, 0x55);
	teardown();
}

static void test_dma_map_is_cut_at_the_range(void)
{
	uint64_t len = UINT64_MAX;
	uint8_t *p;

	setup(1, 8, false);
	p = dma_map(&as, 0x1ffc, &len, true);
	g_assert_true(p == ram->host + 0x1ffc);
	g_assert_cmpuint(len, ==, 4);
	dma_unmap(&as, 0x1ffc, len, true);
	len = 4;
	g_assert_null(dma_map(&as, 0x2000, &len, true));
	g_assert_nonnull(dma_map(&as, 0x2000, &len, false));
	g_assert_null(dma_map(&as, 0x3000, &len, false));
	len = 0;
	g_assert_null(dma_map(&as, 0, &len, false));
	teardown();
}

static unsigned code_calls;

static void code_written(void *opaque, struct ram_block *b, uint64_t offset, uint64_t len)
{
	(void)opaque;
	(void)b;
	(void)offset;
	(void)len;
	code_calls++;
}

static void test_every_kind_of_store_is_told(void)
{
	uint64_t len = 16;

	setup(1, 8, false);
	ram->code_written = code_written;
	ram_page_set_flags(ram, 0x1000, RAM_PAGE_CODE);
	code_calls = 0;
	address_space_write(&as, 0x1ffe, 4, 0); /* two bytes here */
	g_assert_cmpuint(code_calls, ==, 2);
	address_space_write(&as, 0xffe, 4, 0);
	g_assert_cmpuint(code_calls, ==, 3);
	dma_write(&as, 0x1800, &len, 8);
	dma_set(&as, 0x1800, 0, 8);
	g_assert_cmpuint(code_calls, ==, 5);
	dma_map(&as, 0x1000, &len, true);
	dma_unmap(&as, 0x1000, len, true);
	g_assert_cmpuint(code_calls, ==, 6);
	dma_unmap(&as, 0x1000, len, false);
	dma_read(&as, 0x1000, &len, 8);
	g_assert_cmpuint(code_calls, ==, 6);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/memory/space/ram-and-rom", test_ram_and_rom);
	g_test_add_func("/memory/space/unassigned", test_nothing_there_reads_as_ones);
	g_test_add_func("/memory/space/lookup", test_lookups_see_what_is_there_now);
	g_test_add_func("/memory/space/crossing", test_access_across_ranges_is_split);
	g_test_add_func("/memory/space/wide", test_wide_access_is_split);
	g_test_add_func("/memory/space/unaligned", test_unaligned_access_is_split);
	g_test_add_func("/memory/space/narrow", test_narrow_access_is_widened);
	g_test_add_func("/memory/space/guard", test_guard_is_told_around_each_access);
	g_test_add_func("/memory/space/missing-callbacks", test_missing_callbacks);
	g_test_add_func("/memory/dma/copies", test_dma_copies_and_refuses_devices);
	g_test_add_func("/memory/dma/hostile", test_dma_hostile_lengths_end);
	g_test_add_func("/memory/dma/map", test_dma_map_is_cut_at_the_range);
	g_test_add_func("/memory/dma/code-hook", test_every_kind_of_store_is_told);
	return g_test_run();
}
