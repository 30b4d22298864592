/* tests/unit/event/worker_test.c
 * SPDX-License-Identifier: MIT */
#include "event/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <glib.h>

#include "base/err.h"
#include "event/loop.h"

enum { PIECES = 500 };

static atomic_int worked;
static int completed;
static struct loop *loop;
static pthread_barrier_t gate;

static void work(void *opaque)
{
	g_assert_false(loop_is_current(loop));
	g_assert_true(opaque == &worked);
	atomic_fetch_add(&worked, 1);
}

static void done(void *opaque)
{
	g_assert_true(loop_is_current(loop));
	g_assert_true(opaque == &worked);
	if (++completed == PIECES)
		loop_quit(loop);
}

static struct worker_pool *setup(unsigned threads)
{
	struct worker_pool *p;
	struct err err;

	loop = loop_new("main", &err);
	p = worker_pool_new(threads, &err);
	g_assert_nonnull(p);
	worked = completed = 0;
	return p;
}

static void test_completions_come_to_the_loop(void)
{
	struct worker_pool *p = setup(4);

	for (int i = 0; i < PIECES; i++)
		worker_submit(p, loop, work, done, &worked);
	loop_run(loop);
	g_assert_cmpint(worked, ==, PIECES);
	g_assert_cmpint(completed, ==, PIECES);
	worker_pool_free(p);
	loop_free(loop);
}

static void test_free_finishes_what_was_submitted(void)
{
	struct worker_pool *p = setup(2);

	for (int i = 0; i < PIECES; i++)
		worker_submit(p, loop, work, NULL, &worked);
	worker_pool_free(p);
	g_assert_cmpint(worked, ==, PIECES);
	loop_free(loop);
	worker_pool_free(NULL);
}

static void meet(void *opaque)
{
	(void)opaque;
	pthread_barrier_wait(&gate);
}

/* Ends only if three pieces run at the same time. */
static void test_waiting_work_gets_threads_of_its_own(void)
{
	struct worker_pool *p = setup(3);

	pthread_barrier_init(&gate, NULL, 3);
	for (int i = 0; i < 3; i++)
		worker_submit(p, loop, meet, NULL, NULL);
	worker_pool_free(p);
	pthread_barrier_destroy(&gate);
	loop_free(loop);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/worker/completions", test_completions_come_to_the_loop);
	g_test_add_func("/event/worker/free-finishes", test_free_finishes_what_was_submitted);
	g_test_add_func("/event/worker/parallel", test_waiting_work_gets_threads_of_its_own);
	return g_test_run();
}
