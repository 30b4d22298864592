/* RAM blocks: allocation, its errors, page flags and the store hook.
 * SPDX-License-Identifier: MIT */
#include "memory/ram.h"

#include <glib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/sanitizer.h"

struct written {
	unsigned calls;
	uint64_t offset, len;
};

static void record(void *opaque, struct ram_block *b, uint64_t offset, uint64_t len)
{
	struct written *w = opaque;

	(void)b;
	w->calls++;
	w->offset = offset;
	w->len = len;
}

static struct ram_block *block(uint64_t size)
{
	struct err err = { 0 };
	struct ram_block *b = ram_block_new("test", size, &err);

	g_assert_cmpstr(err.text, ==, "");
	g_assert_nonnull(b);
	return b;
}

static void test_new_memory_is_zero_and_lazy(void)
{
	struct ram_block *b = block(64 * GIB);

	g_assert_cmpuint(b->host[0], ==, 0);
	b->host[b->size - 1] = 7;
	g_assert_cmpuint(b->host[b->size - 1], ==, 7);
	ram_block_free(b);
}

static void test_odd_sizes_are_refused(void)
{
	struct err err = { 0 };

	g_assert_null(ram_block_new("x", 0, &err));
	g_assert_null(ram_block_new("x", 4097, &err));
	g_assert_cmpstr(err.text, ==, "guest RAM of 4097 bytes: not a multiple of 4 KiB");
}

static void test_too_much_is_an_error_with_the_size(void)
{
	struct err err = { 0 };
	struct rlimit old, small;

	g_assert_null(ram_block_new("x", UINT64_C(1) << 63, &err));
	g_assert_cmpstr(err.text, ==, "cannot allocate 8 EiB of guest RAM: Cannot allocate memory");
#if HAS_ADDRESS_SANITIZER
	g_test_skip("the sanitizer needs the address space");
	return;
#endif
	getrlimit(RLIMIT_AS, &old);
	small = old;
	small.rlim_cur = (rlim_t)(8 * GIB);
	setrlimit(RLIMIT_AS, &small);
	if (mmap(NULL, 16 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
		g_test_skip("limits of the address space are not enforced here");
		return;
	}
	g_assert_null(ram_block_new("x", 1024 * GIB, &err));
	setrlimit(RLIMIT_AS, &old);
	g_assert_cmpstr(err.text, ==, "cannot allocate 1 TiB of guest RAM: Cannot allocate memory");
	g_assert_cmpint(err.code, ==, ENOMEM);
}

static void test_store_to_code_calls_the_hook_per_page(void)
{
	struct ram_block *b = block(4 * RAM_PAGE_SIZE);
	struct written w = { 0 };

	b->code_written = record;
	b->code_opaque = &w;
	ram_stored(b, 0, b->size);
	g_assert_cmpuint(w.calls, ==, 0);
	ram_page_set_flags(b, RAM_PAGE_SIZE + 5, RAM_PAGE_CODE);
	g_assert_false(ram_page_is_plain(b, RAM_PAGE_SIZE));
	g_assert_true(ram_page_is_plain(b, 0));
	ram_stored(b, RAM_PAGE_SIZE - 2, 5);
	g_assert_cmpuint(w.calls, ==, 1);
	g_assert_cmphex(w.offset, ==, RAM_PAGE_SIZE);
	g_assert_cmpuint(w.len, ==, 3);
	ram_page_clear_flags(b, RAM_PAGE_SIZE, RAM_PAGE_CODE);
	ram_stored(b, RAM_PAGE_SIZE, 1);
	g_assert_cmpuint(w.calls, ==, 1);
	ram_block_free(b);
}

static void test_store_marks_logged_pages_dirty(void)
{
	struct ram_block *b = block(4 * RAM_PAGE_SIZE);

	ram_page_set_flags(b, 0, RAM_PAGE_LOGGED);
	g_assert_false(ram_page_is_plain(b, 0));
	ram_stored(b, 100, 2 * RAM_PAGE_SIZE);
	g_assert_cmphex(b->page_flags[0], ==, RAM_PAGE_LOGGED | RAM_PAGE_DIRTY);
	g_assert_cmphex(b->page_flags[1], ==, 0);
	g_assert_true(ram_page_is_plain(b, 0));
	ram_block_free(b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/memory/ram/new-is-zero-and-lazy", test_new_memory_is_zero_and_lazy);
	g_test_add_func("/memory/ram/odd-sizes", test_odd_sizes_are_refused);
	g_test_add_func("/memory/ram/too-much", test_too_much_is_an_error_with_the_size);
	g_test_add_func("/memory/ram/code-hook", test_store_to_code_calls_the_hook_per_page);
	g_test_add_func("/memory/ram/dirty", test_store_marks_logged_pages_dirty);
	return g_test_run();
}
