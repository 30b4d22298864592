/* tests/unit/event/thread_test.c
 * SPDX-License-Identifier: MIT */
#include "event/thread.h"

#include <signal.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"

struct seen {
	char name[32];
	sigset_t blocked;
};

static void *look(void *opaque)
{
	struct seen *seen = opaque;

	pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
	return opaque;
}

static void test_blocks_signals_but_not_faults(void)
{
	struct seen seen;
	pthread_t thread;
	struct err err;
	sigset_t mine;
	void *result;

	g_assert_true(thread_start(&thread, "looker", look, &seen, &err));
	pthread_join(thread, &result);
	g_assert_true(result == &seen);
	g_assert_true(sigismember(&seen.blocked, SIGTERM));
	g_assert_true(sigismember(&seen.blocked, SIGINT));
	g_assert_false(sigismember(&seen.blocked, SIGSEGV));
	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	g_assert_false(sigismember(&mine, SIGTERM));
}

static pthread_barrier_t gate;

static void *wait_at_gate(void *opaque)
{
	pthread_barrier_wait(&gate);
	return opaque;
}

static void test_long_names_are_cut(void)
{
	char name[32];
	pthread_t thread;
	struct err err;

	pthread_barrier_init(&gate, NULL, 2);
	g_assert_true(thread_start(&thread, "a-very-long-thread-name", wait_at_gate, NULL, &err));
	g_assert_cmpint(pthread_getname_np(thread, name, sizeof(name)), ==, 0);
	g_assert_cmpstr(name, ==, "a-very-long-thr");
	pthread_barrier_wait(&gate);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&gate);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/thread/signals", test_blocks_signals_but_not_faults);
	g_test_add_func("/event/thread/name", test_long_names_are_cut);
	return g_test_run();
}
