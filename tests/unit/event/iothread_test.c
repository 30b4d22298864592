/* tests/unit/event/iothread_test.c
 * SPDX-License-Identifier: MIT */
#include "event/iothread.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "event/loop.h"

static atomic_int ran;

static void job(void *opaque)
{
	g_assert_true(loop_is_current(opaque));
	atomic_fetch_add(&ran, 1);
}

static void test_serves_its_loop_in_its_thread(void)
{
	struct err err;
	struct iothread *t = iothread_new("io0", &err);

	g_assert_nonnull(t);
	g_assert_false(loop_is_current(iothread_loop(t)));
	ran = 0;
	for (int i = 0; i < 1000; i++)
		loop_post(iothread_loop(t), job, iothread_loop(t));
	iothread_free(t);
	g_assert_cmpint(ran, ==, 1000); /* posted before the end: still served */
}

static void test_many_come_and_go(void)
{
	for (int i = 0; i < 50; i++) {
		struct err err;
		struct iothread *t = iothread_new("io", &err);

		g_assert_nonnull(t);
		iothread_free(t);
	}
	iothread_free(NULL);
}

static void test_host_without_descriptors_is_an_error(void)
{
	struct rlimit old, none;
	struct err err = { 0 };
	struct iothread *t;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	t = iothread_new("io7", &err);
	setrlimit(RLIMIT_NOFILE, &old);
	g_assert_null(t);
	g_assert_cmpstr(err.text, ==, "cannot create event loop 'io7': Too many open files");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/iothread/serves", test_serves_its_loop_in_its_thread);
	g_test_add_func("/event/iothread/many", test_many_come_and_go);
	g_test_add_func("/event/iothread/no-descriptor", test_host_without_descriptors_is_an_error);
	return g_test_run();
}
