/* tests/unit/memory/rcu_test.c - what is retired goes even when a reader leaves only if asked.
 * SPDX-License-Identifier: MIT */
#include "memory/rcu.h"

#include <pthread.h>
#include <stdatomic.h>

#include <glib.h>

#include "base/err.h"

static atomic_bool asked, must_end, is_inside, is_reclaimed;
static _Atomic unsigned pushes;

static void push(struct rcu_pusher *p)
{
	(void)p;
	atomic_fetch_add(&pushes, 1);
	atomic_store(&asked, true);
}

/* As a vCPU in translated code: inside until asked. */
static void *reader(void *unused)
{
	(void)unused;
	while (!atomic_load(&must_end)) {
		rcu_enter();
		atomic_store(&is_inside, true);
		while (!atomic_exchange(&asked, false) && !atomic_load(&must_end))
			g_usleep(100);
		rcu_leave();
	}
	return NULL;
}

static void reclaim(struct rcu_head *head)
{
	(void)head;
	rcu_reclaim();
	atomic_store(&is_reclaimed, true);
}

static void begin(struct rcu_pusher *p, pthread_t *thread)
{
	struct err err;

	*p = (struct rcu_pusher){ .push = push };
	atomic_store(&asked, false);
	atomic_store(&must_end, false);
	atomic_store(&is_inside, false);
	atomic_store(&is_reclaimed, false);
	g_assert_true(rcu_pusher_add(p, &err));
	g_assert_cmpint(pthread_create(thread, NULL, reader, NULL), ==, 0);
	while (!atomic_load(&is_inside))
		g_usleep(100);
}

static void end(struct rcu_pusher *p, pthread_t thread)
{
	atomic_store(&must_end, true);
	pthread_join(thread, NULL);
	rcu_pusher_remove(p);
}

static void wait_reclaimed(void)
{
	for (unsigned ms = 0; !atomic_load(&is_reclaimed); ms++) {
		g_assert_cmpuint(ms, <, 20000);
		g_usleep(1000);
	}
}

static void test_readers_are_asked_while_something_waits(void)
{
	static struct rcu_head head;
	struct rcu_pusher p;
	pthread_t thread;
	unsigned before;

	begin(&p, &thread);
	rcu_retire(&head, reclaim);
	wait_reclaimed();
	g_assert_cmpuint(atomic_load(&pushes), >=, 1);
	/* Nothing waits: soon nobody is disturbed any more. */
	g_usleep(300000);
	before = atomic_load(&pushes);
	g_usleep(100000);
	g_assert_cmpuint(atomic_load(&pushes), ==, before);
	end(&p, thread);
}

static void test_draining_asks_too(void)
{
	struct rcu_pusher p;
	pthread_t thread;

	for (unsigned round = 0; round < 3; round++) { /* the thread ends and begins again */
		begin(&p, &thread);
		rcu_drain();
		end(&p, thread);
	}
}

/* When nothing retired waits, and the reader that was asked before is inside again. */
static void test_waiting_asks_too(void)
{
	struct rcu_pusher p;
	pthread_t thread;

	begin(&p, &thread);
	g_usleep(100000);
	for (unsigned round = 0; round < 3; round++)
		rcu_wait();
	end(&p, thread);
}

static void test_two_may_push(void)
{
	static struct rcu_head head;
	struct rcu_pusher first, second = { .push = push };
	pthread_t thread;
	struct err err;

	begin(&first, &thread);
	g_assert_true(rcu_pusher_add(&second, &err));
	rcu_pusher_remove(&second);
	rcu_retire(&head, reclaim);
	wait_reclaimed();
	end(&first, thread);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rcu/retire", test_readers_are_asked_while_something_waits);
	g_test_add_func("/rcu/drain", test_draining_asks_too);
	g_test_add_func("/rcu/wait", test_waiting_asks_too);
	g_test_add_func("/rcu/two", test_two_may_push);
	return g_test_run();
}
