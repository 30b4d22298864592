/* tests/unit/event/clock_test.c
 * SPDX-License-Identifier: MIT */
#include "event/clock.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

enum { MS = 1000000 };

static void test_starts_at_zero_and_runs(void)
{
	struct vclock *c = vclock_new();
	int64_t first = vclock_now(c);

	g_assert_true(vclock_is_running(c));
	g_assert_cmpint(first, >=, 0);
	g_assert_cmpint(first, <, 1000 * MS);
	usleep(2000);
	g_assert_cmpint(vclock_now(c), >=, first + 2 * MS);
	vclock_free(c);
}

static void test_stands_still_while_stopped(void)
{
	struct vclock *c = vclock_new();
	int64_t stopped;

	vclock_stop(c);
	stopped = vclock_now(c);
	g_assert_false(vclock_is_running(c));
	usleep(5000);
	g_assert_cmpint(vclock_now(c), ==, stopped);
	vclock_stop(c); /* again: nothing changes */
	g_assert_cmpint(vclock_now(c), ==, stopped);
	vclock_start(c);
	vclock_start(c);
	g_assert_true(vclock_is_running(c));
	g_assert_cmpint(vclock_now(c), >=, stopped);
	g_assert_cmpint(vclock_now(c), <, stopped + 1000 * MS);
	vclock_free(c);
}

static void test_by_hand_moves_only_forward(void)
{
	struct vclock *c = vclock_new();
	int64_t now;

	vclock_set_manual(c);
	now = vclock_now(c);
	usleep(2000);
	g_assert_cmpint(vclock_now(c), ==, now);
	vclock_set(c, 5000 * (int64_t)MS);
	g_assert_cmpint(vclock_now(c), ==, 5000 * (int64_t)MS);
	vclock_set(c, 1);
	g_assert_cmpint(vclock_now(c), ==, 5000 * (int64_t)MS);
	g_assert_true(vclock_is_manual(c));
	g_assert_true(vclock_is_running(c));
	vclock_free(c);
}

static void test_by_hand_can_be_stopped(void)
{
	struct vclock *c = vclock_new();

	vclock_set_manual(c);
	vclock_set(c, 100 * MS);
	vclock_stop(c);
	g_assert_false(vclock_is_running(c));
	vclock_set(c, 200 * MS);
	g_assert_cmpint(vclock_now(c), ==, 200 * MS);
	vclock_start(c);
	g_assert_cmpint(vclock_now(c), ==, 200 * MS);
	vclock_free(c);
}

static void *stop_and_start(void *opaque)
{
	struct vclock *c = opaque;

	for (int i = 0; i < 20000; i++) {
		vclock_stop(c);
		vclock_start(c);
	}
	return NULL;
}

static void test_never_goes_back_under_stops_and_starts(void)
{
	struct vclock *c = vclock_new();
	pthread_t other;
	int64_t last = 0;

	pthread_create(&other, NULL, stop_and_start, c);
	for (int i = 0; i < 100000; i++) {
		int64_t now = vclock_now(c);

		g_assert_cmpint(now, >=, last);
		last = now;
	}
	pthread_join(other, NULL);
	vclock_free(c);
}

static void test_host_clocks_are_the_systems(void)
{
	int64_t wall = clock_wall_ns(), host = clock_host_ns();
	struct timespec ts;

	g_assert_cmpint(wall / 1000000000 - time(NULL), <=, 0);
	g_assert_cmpint(wall / 1000000000 - time(NULL), >=, -2);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	g_assert_cmpint(ts.tv_sec - host / 1000000000, <=, 2);
	g_assert_cmpint(clock_host_ns(), >=, host);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/clock/starts", test_starts_at_zero_and_runs);
	g_test_add_func("/event/clock/stopped", test_stands_still_while_stopped);
	g_test_add_func("/event/clock/by-hand", test_by_hand_moves_only_forward);
	g_test_add_func("/event/clock/by-hand-stopped", test_by_hand_can_be_stopped);
	g_test_add_func("/event/clock/never-back", test_never_goes_back_under_stops_and_starts);
	g_test_add_func("/event/clock/host", test_host_clocks_are_the_systems);
	return g_test_run();
}
