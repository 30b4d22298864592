/* tests/unit/accel/kvm_dirty_test.c - a kernel that does not tell what was written: nothing is
 * taken for clean; one that does not give memory back.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "../child.h"
#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"
#include "memory/ram.h"
#include "memory/region.h"

enum { PAGES = 70, FIRST = 2, SHOWN = 65 };

/* ---- the kernel ---- */

static bool keeps_all;  /* what a slot shows it goes on showing */
static bool has_log;    /* it keeps one if asked */
static unsigned logged; /* slots that it logs */
static unsigned slots;

int kvm_ioctl(int fd, unsigned long what, const void *arg)
{
	const struct kvm_userspace_memory_region *m = arg;

	(void)fd;
	if (what == KVM_SET_USER_MEMORY_REGION) {
		if (m->flags & KVM_MEM_LOG_DIRTY_PAGES && !has_log)
			return -ENOMEM;
		if (keeps_all && !m->memory_size)
			return -ENOMEM;
		logged = !!(m->flags & KVM_MEM_LOG_DIRTY_PAGES);
		slots = m->memory_size != 0;
	}
	return what == KVM_GET_DIRTY_LOG && !has_log ? -ENOENT : 0;
}

static bool resets_rings = true;

int kvm_ioctl_value(int fd, unsigned long what, unsigned long value)
{
	(void)fd;
	(void)value;
	return what == KVM_RESET_DIRTY_RINGS && !resets_rings ? -EINVAL : 0;
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

/* ---- slots that the kernel does not log ---- */

static struct {
	struct kvm_system sys;
	struct kvm_slot slot[4];
	struct kvm_vm vm;
	struct region region;
	struct flat_range range;
	struct ram_block *ram;
	char *path;
} deaf;

static void log_pages(bool on)
{
	for (uint64_t at = 0; at < deaf.ram->size; at += RAM_PAGE_SIZE) {
		if (on)
			ram_page_set_flags(deaf.ram, at, RAM_PAGE_LOGGED);
		else
			deaf.ram->page_flags[at >> RAM_PAGE_BITS] = 0;
	}
}

static void begin(uint32_t ring_entries)
{
	struct err err;
	int fd = g_file_open_tmp("kvm-dirty-XXXXXX", &deaf.path, NULL);

	g_assert_cmpint(fd, >=, 0);
	close(fd);
	g_assert_true(log_open(deaf.path, &err));
	has_log = false;
	logged = slots = 0;
	memset(deaf.slot, 0, sizeof(deaf.slot));
	deaf.vm = (struct kvm_vm){ .sys = &deaf.sys,
				   .slots = deaf.slot,
				   .slot_count = ARRAY_SIZE(deaf.slot),
				   .ring_entries = ring_entries };
	lock_init(&deaf.vm.lock, LOCK_LEAF, "kvm slots");
	deaf.ram = ram_block_new("ram", PAGES * kvm_page_bytes(), &err);
	region_init_ram(&deaf.region, "ram", deaf.ram, 0, deaf.ram->size);
	deaf.range = (struct flat_range){ .last = deaf.ram->size - 1, .region = &deaf.region };
}

/* How often did it say so? */
static void finish(unsigned times)
{
	g_autofree char *text = NULL;
	unsigned n = 0;

	log_close();
	g_assert_true(g_file_get_contents(deaf.path, &text, NULL, NULL));
	for (const char *at = text; (at = strstr(at, "counts as written")); at++)
		n++;
	g_assert_cmpuint(n, ==, times);
	unlink(deaf.path);
	g_free(deaf.path);
	ram_block_free(deaf.ram);
	lock_fini(&deaf.vm.lock);
}

/* Of all pages, and clean them. */
static uint64_t take_written(void)
{
	uint64_t n = 0;

	kvm_slot_sync(&deaf.vm, &deaf.range);
	for (uint64_t i = 0; i < deaf.ram->size >> RAM_PAGE_BITS; i++) {
		n += !!(deaf.ram->page_flags[i] & RAM_PAGE_DIRTY);
		atomic_fetch_and(&deaf.ram->page_flags[i], (uint8_t)~RAM_PAGE_DIRTY);
	}
	return n;
}

static void check_refusal(uint32_t ring_entries)
{
	uint64_t all;

	begin(ring_entries);
	all = deaf.ram->size >> RAM_PAGE_BITS;
	kvm_slot_add(&deaf.vm, &deaf.range);
	log_pages(true);
	kvm_slot_log(&deaf.vm, &deaf.range, true);
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpuint(take_written(), ==, all);
	/* It thinks better of it. */
	log_pages(false);
	kvm_slot_log(&deaf.vm, &deaf.range, false);
	has_log = true;
	log_pages(true);
	kvm_slot_log(&deaf.vm, &deaf.range, true);
	g_assert_cmpuint(logged, ==, 1);
	g_assert_cmpuint(take_written(), ==, 0);
	/* And the other way round. */
	has_log = false;
	kvm_slot_log(&deaf.vm, &deaf.range, true);
	g_assert_cmpuint(take_written(), ==, all);
	kvm_slot_remove(&deaf.vm, &deaf.range);
	finish(1);
}

static void test_refused_log_means_all_is_written(void) { check_refusal(0); }

static void test_refused_log_means_all_is_written_with_rings(void) { check_refusal(1024); }

static void test_memory_that_comes_while_logged_stays_a_slot(void)
{
	begin(1024);
	log_pages(true);
	kvm_slot_add(&deaf.vm, &deaf.range);
	g_assert_cmpuint(slots, ==, 1);
	g_assert_cmpuint(take_written(), ==, deaf.ram->size >> RAM_PAGE_BITS);
	/* What it was shown until it went was written too. */
	kvm_slot_remove(&deaf.vm, &deaf.range);
	g_assert_true(deaf.ram->page_flags[0] & RAM_PAGE_DIRTY);
	g_assert_cmpuint(slots, ==, 0);
	finish(1);
}

/* A page that was collected and not protected again is written without a word. */
static void test_rings_that_are_not_reset_tell_of_nothing(void)
{
	struct kvm_dirty_gfn gfns[4] = { { 0 } };
	struct kvm_ring ring = { .gfns = gfns };
	uint64_t each = kvm_page_bytes() / RAM_PAGE_SIZE;

	begin(ARRAY_SIZE(gfns));
	has_log = true;
	deaf.vm.rings = &ring;
	kvm_slot_add(&deaf.vm, &deaf.range);
	log_pages(true);
	kvm_slot_log(&deaf.vm, &deaf.range, true);
	gfns[0] = (struct kvm_dirty_gfn){ .flags = KVM_DIRTY_GFN_F_DIRTY, .offset = 3 };
	g_assert_cmpuint(take_written(), ==, each);
	g_assert_cmpuint(take_written(), ==, 0);
	resets_rings = false;
	gfns[1] = (struct kvm_dirty_gfn){ .flags = KVM_DIRTY_GFN_F_DIRTY, .offset = 4 };
	g_assert_cmpuint(take_written(), ==, PAGES * each);
	g_assert_cmpuint(take_written(), ==, PAGES * each);
	resets_rings = true;
	finish(1);
}

/* Nothing is safe that the guest sees and we give to others. */
static void remove_what_is_kept(void)
{
	begin(0);
	kvm_slot_add(&deaf.vm, &deaf.range);
	log_close();
	unlink(deaf.path);
	keeps_all = true;
	kvm_slot_remove(&deaf.vm, &deaf.range);
}

static void test_memory_that_cannot_be_taken_back_ends_it_all(void)
{
	int status;
	GString *text = child_stderr(remove_what_is_kept, 0, &status);

	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	g_assert_nonnull(strstr(text->str, "does not take memory at 0x0 from the guest"));
	g_string_free(text, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/accel/kvm/dirty/what_is_not_told_is_dirty",
			test_what_is_not_told_is_dirty);
	g_test_add_func("/accel/kvm/dirty/refused", test_refused_log_means_all_is_written);
	g_test_add_func("/accel/kvm/dirty/refused_with_rings",
			test_refused_log_means_all_is_written_with_rings);
	g_test_add_func("/accel/kvm/dirty/refused_when_added",
			test_memory_that_comes_while_logged_stays_a_slot);
	g_test_add_func("/accel/kvm/dirty/not_reset",
			test_rings_that_are_not_reset_tell_of_nothing);
	g_test_add_func("/accel/kvm/dirty/kept", test_memory_that_cannot_be_taken_back_ends_it_all);
	return g_test_run();
}
