/* tests/unit/accel/kvm_dirty_test.c - a kernel that does not tell what was written: nothing is
 * taken for clean.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "memory/ram.h"

enum { PAGES = 70, FIRST = 2, SHOWN = 65 };

/* ---- the kernel ---- */

int kvm_ioctl(int fd, unsigned long what, const void *arg)
{
	(void)fd;
	(void)arg;
	return what == KVM_GET_DIRTY_LOG ? -ENOENT : 0;
}

int kvm_ioctl_value(int fd, unsigned long what, unsigned long value)
{
	(void)fd;
	(void)what;
	(void)value;
	return 0;
}

/* ---- tests ---- */

static void test_what_is_not_told_is_dirty(void)
{
	struct err err;
	uint64_t page = kvm_page_bytes(), each = page / RAM_PAGE_SIZE;
	struct ram_block *ram = ram_block_new("ram", PAGES * page, &err);
	struct kvm_slot slot = { .size = SHOWN * page, .ram = ram, .offset = FIRST * page };
	struct kvm_vm vm = { .slots = &slot, .slot_count = 1, .has_manual_dirty = true };

	for (uint64_t i = 0; i < PAGES * each; i++)
		ram_page_set_flags(ram, i * RAM_PAGE_SIZE, RAM_PAGE_LOGGED);
	kvm_dirty_sync_slot(&vm, &slot);
	for (uint64_t i = 0; i < PAGES * each; i++)
		g_assert_cmpint(!!(ram->page_flags[i] & RAM_PAGE_DIRTY), ==,
				i >= FIRST * each && i < (FIRST + SHOWN) * each);
	ram_block_free(ram);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/accel/kvm/dirty/what_is_not_told_is_dirty",
			test_what_is_not_told_is_dirty);
	return g_test_run();
}
