/* tests/unit/accel/kvm_slots_test.c - which memory the kernel is shown: whole pages, of RAM and
 * ROM. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "memory/ram.h"
#include "memory/region.h"

enum { PAGES = 8, SLOTS = 4 };
#define PAGE kvm_page_bytes()

/* ---- the kernel ---- */

static unsigned told; /* slots that it was told of, refused or not */
static struct kvm_userspace_memory_region last;

int kvm_ioctl(int fd, unsigned long what, const void *arg)
{
	(void)fd;
	if (what != KVM_SET_USER_MEMORY_REGION)
		return 0;
	memcpy(&last, arg, sizeof(last));
	told++;
	return 0;
}

int kvm_ioctl_value(int fd, unsigned long what, unsigned long value)
{
	(void)fd;
	(void)what;
	(void)value;
	return 0;
}

/* ---- tests ---- */

static struct kvm_system sys;
static struct kvm_slot slots[SLOTS];
static struct kvm_vm vm;
static struct region ram, rom;
static struct ram_block *block;

static void begin(void)
{
	struct err err;

	sys = (struct kvm_system){ .caps.readonly_mem = 1 };
	memset(slots, 0, sizeof(slots));
	vm = (struct kvm_vm){ .sys = &sys, .slots = slots, .slot_count = SLOTS };
	lock_init(&vm.lock, LOCK_LEAF, "kvm slots");
	block = ram_block_new("ram", PAGES * PAGE, &err);
	region_init_ram(&ram, "ram", block, 0, PAGES * PAGE);
	region_init_rom(&rom, "rom", block, 0, PAGES * PAGE);
	told = 0;
}

static void finish(void)
{
	ram_block_free(block);
	lock_fini(&vm.lock);
}

/* In quarters of a page. */
static const struct {
	unsigned start, end, offset; /* of the range; of its first byte in the region */
	unsigned gpa, size;          /* of what is shown; 0: nothing */
} rows[] = {
	{ 4, 16, 0, 4, 12 }, /* all of it */
	{ 5, 17, 1, 8, 8 },  /* what is left of the first page and the last is not */
	{ 5, 16, 1, 8, 8 },  { 4, 17, 0, 4, 12 }, { 5, 12, 0, 0, 0 }, /* pages that are none of the
									 host's */
	{ 4, 7, 0, 0, 0 },                                            /* not a whole one */
	{ 5, 8, 1, 0, 0 },   { 5, 7, 1, 0, 0 },   { 5, 11, 1, 0, 0 }, { 7, 9, 3, 0, 0 },
	{ 0, 3, 0, 0, 0 },
};

static void test_whole_pages_are_shown(void)
{
	begin();
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		uint64_t quarter = PAGE / 4;
		struct region *r = i & 1 ? &rom : &ram;
		struct flat_range range = { .start = rows[i / 2].start * quarter,
					    .last = rows[i / 2].end * quarter - 1,
					    .region = r,
					    .offset = rows[i / 2].offset * quarter };

		told = 0;
		kvm_slot_add(&vm, &range);
		g_assert_cmpuint(told, ==, rows[i / 2].size != 0);
		if (!told)
			continue;
		g_assert_cmphex(last.guest_phys_addr, ==, rows[i / 2].gpa * quarter);
		g_assert_cmphex(last.memory_size, ==, rows[i / 2].size * quarter);
		g_assert_cmphex(last.userspace_addr, ==,
				(uintptr_t)block->host + range.offset +
					(last.guest_phys_addr - range.start));
		g_assert_cmphex(last.flags, ==, r == &rom ? KVM_MEM_READONLY : 0);
		kvm_slot_remove(&vm, &range);
		g_assert_cmphex(last.memory_size, ==, 0);
	}
	finish();
}

static void test_rom_is_not_shown_to_kernels_that_would_write_it(void)
{
	struct flat_range range = { .last = PAGE - 1, .region = &rom };

	begin();
	sys.caps.readonly_mem = 0;
	kvm_slot_add(&vm, &range);
	g_assert_cmpuint(told, ==, 0);
	finish();
}

/* The topmost page, whose end is no address. */
static void test_the_last_page(void)
{
	struct flat_range range = { .start = -PAGE, .last = UINT64_MAX, .region = &ram };

	begin();
	kvm_slot_add(&vm, &range);
	g_assert_cmpuint(told, ==, 1);
	g_assert_cmphex(last.guest_phys_addr, ==, -PAGE);
	g_assert_cmphex(last.memory_size, ==, PAGE);
	kvm_slot_remove(&vm, &range);
	range.start += PAGE / 4;
	range.offset = PAGE / 4;
	told = 0;
	kvm_slot_add(&vm, &range);
	g_assert_cmpuint(told, ==, 0);
	finish();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/accel/kvm/slots/whole", test_whole_pages_are_shown);
	g_test_add_func("/accel/kvm/slots/rom",
			test_rom_is_not_shown_to_kernels_that_would_write_it);
	g_test_add_func("/accel/kvm/slots/last", test_the_last_page);
	return g_test_run();
}
