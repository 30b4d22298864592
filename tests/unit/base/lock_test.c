/* tests/unit/base/lock_test.c
 * SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <glib.h>

#include "../child.h"

enum { ROUNDS = 20000 };

static struct lock low, high;
static pthread_cond_t cond;
static int counter;
static bool is_set;

static void init(void)
{
	lock_init(&low, LOCK_DEVICE, "low");
	lock_init(&high, LOCK_LEAF, "high");
	lock_cond_init(&cond);
	counter = 0;
	is_set = false;
}

static void fini(void)
{
	lock_fini(&low);
	lock_fini(&high);
	pthread_cond_destroy(&cond);
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void *count(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		lock_take(&low);
		counter++;
		lock_drop(&low);
	}
	return unused;
}

static void test_excludes_other_threads(void)
{
	pthread_t other;

	init();
	pthread_create(&other, NULL, count, NULL);
	count(NULL);
	pthread_join(other, NULL);
	g_assert_cmpint(counter, ==, 2 * ROUNDS);
	fini();
}

static void *is_held_elsewhere(void *unused)
{
	(void)unused;
	return lock_held(&low) ? &low : NULL;
}

static void test_held_is_per_thread_and_follows_take_and_drop(void)
{
	pthread_t other;
	void *seen;

	init();
	g_assert_false(lock_held(&low));
	lock_take(&low);
	g_assert_true(lock_held(&low));
	g_assert_false(lock_held(&high));
	pthread_create(&other, NULL, is_held_elsewhere, NULL);
	pthread_join(other, &seen);
	g_assert_null(seen);
	lock_drop(&low);
	g_assert_false(lock_held(&low));
	fini();
}

static void test_may_be_dropped_in_any_order(void)
{
	init();
	lock_take(&low);
	lock_take(&high);
	lock_drop(&low);
	g_assert_true(lock_held(&high));
	lock_drop(&high);
	lock_take(&low);
	lock_take(&high);
	lock_drop(&high);
	lock_drop(&low);
	fini();
}

static void *set(void *unused)
{
	lock_take(&low);
	is_set = true;
	pthread_cond_signal(&cond);
	lock_drop(&low);
	return unused;
}

static void test_wait_releases_and_retakes(void)
{
	pthread_t other;

	init();
	lock_take(&low);
	pthread_create(&other, NULL, set, NULL);
	while (!is_set)
		g_assert_true(lock_wait(&low, &cond, INT64_MAX));
	g_assert_true(lock_held(&low));
	lock_drop(&low);
	pthread_join(other, NULL);
	fini();
}

static void test_wait_ends_at_its_time(void)
{
	long long start = now_ns();

	init();
	lock_take(&low);
	while (lock_wait(&low, &cond, start + 20000000))
		; /* spurious */
	g_assert_cmpint(now_ns() - start, >=, 20000000);
	g_assert_false(lock_wait(&low, &cond, -1));
	lock_drop(&low);
	fini();
}

/* In a child process, which must die with these words. */
static void expect_abort(void (*body)(void), const char *words)
{
	int status;
	GString *text = child_stderr(body, 0, &status);

	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpint(WTERMSIG(status), ==, SIGABRT);
	g_assert_nonnull(strstr(text->str, words));
	g_string_free(text, TRUE);
}

static void take_lower_after_higher(void)
{
	init();
	lock_take(&high);
	lock_take(&low);
}

static void test_lower_rank_after_higher_is_told(void)
{
	expect_abort(take_lower_after_higher,
		     "'low' (rank 20) wanted while 'high' (rank 70) is held");
}

static void take_two_of_one_rank(void)
{
	struct lock twin;

	init();
	lock_init(&twin, LOCK_DEVICE, "twin");
	lock_take(&low);
	lock_take(&twin);
}

static void test_two_of_one_rank_are_told(void)
{
	expect_abort(take_two_of_one_rank, "'twin' (rank 20) wanted while 'low' (rank 20) is held");
}

static void take_twice(void)
{
	init();
	lock_take(&low);
	lock_take(&low);
}

static void test_taking_twice_is_told(void)
{
	expect_abort(take_twice, "'low' (rank 20) wanted while 'low' (rank 20) is held");
}

static void drop_what_is_not_held(void)
{
	init();
	lock_drop(&low);
}

static void test_dropping_what_is_not_held_is_told(void)
{
	expect_abort(drop_what_is_not_held, "lock 'low' dropped by a thread that does not hold it");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/lock/excludes", test_excludes_other_threads);
	g_test_add_func("/base/lock/held", test_held_is_per_thread_and_follows_take_and_drop);
	g_test_add_func("/base/lock/drop-order", test_may_be_dropped_in_any_order);
	g_test_add_func("/base/lock/wait", test_wait_releases_and_retakes);
	g_test_add_func("/base/lock/wait-ends", test_wait_ends_at_its_time);
#ifndef NDEBUG
	g_test_add_func("/base/lock/lower-after-higher", test_lower_rank_after_higher_is_told);
	g_test_add_func("/base/lock/one-rank", test_two_of_one_rank_are_told);
	g_test_add_func("/base/lock/twice", test_taking_twice_is_told);
	g_test_add_func("/base/lock/drop-unheld", test_dropping_what_is_not_held_is_told);
#endif
	return g_test_run();
}
