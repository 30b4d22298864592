/* tests/unit/jit/populate_test.c - memory is at hand before it is touched.
 * SPDX-License-Identifier: MIT */
#include "jit/populate.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

enum { PIECE = 64 << 10, PIECES = 8, PATIENCE_S = 20 };

static uint8_t *map(void)
{
	void *p = mmap(NULL, PIECES * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	g_assert_true(p != MAP_FAILED);
	return p;
}

static bool is_there(void *p, size_t size)
{
	size_t pages = size / (size_t)sysconf(_SC_PAGESIZE), n = 0;
	unsigned char seen[PIECES * PIECE / 4096];

	g_assert_cmpint(mincore(p, size, seen), ==, 0);
	while (n < pages && seen[n] & 1)
		n++;
	return n == pages;
}

/* Not before Linux 5.14, nor where system calls are emulated. */
static bool host_can(void)
{
	bool ok = false;
#ifdef MADV_POPULATE_WRITE
	uint8_t *p = map();

	ok = !madvise(p, PIECE, MADV_POPULATE_WRITE) && is_there(p, PIECE);
	munmap(p, PIECES * PIECE);
#endif
	if (!ok)
		g_test_skip("the host cannot populate memory");
	return ok;
}

static void test_now_is_at_once(void)
{
	uint8_t *p = map();

	if (host_can()) {
		g_assert_false(is_there(p, PIECE));
		populate_now(p, PIECE);
		g_assert_true(is_there(p, PIECE));
		g_assert_false(is_there(p + PIECE, PIECE));
	}
	munmap(p, PIECES * PIECE);
}

static void test_all_that_is_asked_for_comes(void)
{
	struct populator *a = populator_new();
	uint8_t *p = map();

	if (host_can()) {
		gint64 until = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;

		for (unsigned n = 0; n < PIECES; n++)
			populator_ask(a, p + n * PIECE, PIECE);
		while (!is_there(p, PIECES * PIECE) && g_get_monotonic_time() < until)
			g_usleep(1000);
		g_assert_true(is_there(p, PIECES * PIECE));
	}
	populator_free(a);
	munmap(p, PIECES * PIECE);
}

/* More than it remembers, and no time for any of it. */
static void test_it_ends_with_work_left(void)
{
	uint8_t *p = map();

	populator_free(populator_new());
	populator_free(NULL);
	for (unsigned k = 0; k < 20; k++) {
		struct populator *a = populator_new();

		for (unsigned n = 0; n < 10 * PIECES; n++)
			populator_ask(a, p + n % PIECES * PIECE, PIECE);
		populator_free(a);
	}
	for (unsigned n = 0; n < PIECES * PIECE; n++)
		g_assert_cmpuint(p[n], ==, 0);
	munmap(p, PIECES * PIECE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jit/populate/now", test_now_is_at_once);
	g_test_add_func("/jit/populate/asked", test_all_that_is_asked_for_comes);
	g_test_add_func("/jit/populate/end", test_it_ends_with_work_left);
	return g_test_run();
}
