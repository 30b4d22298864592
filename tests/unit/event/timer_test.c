/* tests/unit/event/timer_test.c
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/lock.h"
#include "event/clock.h"
#include "event/iothread.h"
#include "event/loop.h"

enum { MS = 1000000, MANY = 500 };

static struct loop *loop;
static struct vclock *vclock; /* by hand */
static int fired;
static int order[MANY], order_len;

static void setup(void)
{
	struct err err;

	loop = loop_new("test", &err);
	vclock = vclock_new();
	vclock_set_manual(vclock);
	vclock_set(vclock, 1000 * (int64_t)MS);
	fired = order_len = 0;
}

static void teardown(void)
{
	loop_free(loop);
	vclock_free(vclock);
}

static void on_fire(void *opaque)
{
	(void)opaque;
	fired++;
}

static void on_fire_note(void *opaque) { order[order_len++] = GPOINTER_TO_INT(opaque); }

static void advance(int64_t ns)
{
	vclock_set(vclock, vclock_now(vclock) + ns);
	while (loop_poll(loop, 0))
		;
}

static void test_fires_once_when_its_time_has_come(void)
{
	struct timer t;
	int64_t at;

	setup();
	at = vclock_now(vclock) + 100;
	timer_init(&t, loop, vclock, NULL, on_fire, NULL);
	g_assert_false(timer_is_armed(&t));
	timer_arm(&t, at);
	g_assert_true(timer_is_armed(&t));
	advance(99);
	g_assert_cmpint(fired, ==, 0);
	advance(1);
	g_assert_cmpint(fired, ==, 1);
	g_assert_false(timer_is_armed(&t));
	advance(1000);
	g_assert_cmpint(fired, ==, 1);
	timer_fini(&t);
	timer_fini(&t); /* twice is harmless */
	teardown();
}

static void test_disarm_and_rearm(void)
{
	struct timer t;
	int64_t now;

	setup();
	now = vclock_now(vclock);
	timer_init(&t, loop, vclock, NULL, on_fire, NULL);
	timer_arm(&t, now + 10);
	timer_disarm(&t);
	timer_disarm(&t);
	advance(20);
	g_assert_cmpint(fired, ==, 0);
	timer_arm(&t, now + 30);
	timer_arm(&t, now + 50); /* the later call counts */
	advance(15);
	g_assert_cmpint(fired, ==, 0);
	advance(15);
	g_assert_cmpint(fired, ==, 1);
	timer_fini(&t);
	teardown();
}

static void test_many_fire_in_order_of_time(void)
{
	struct timer timers[MANY];
	int64_t now;

	setup();
	now = vclock_now(vclock);
	srand(1);
	for (int i = 0; i < MANY; i++) {
		int at = rand() % 10000;

		timer_init(&timers[i], loop, vclock, NULL, on_fire_note, GINT_TO_POINTER(at));
		timer_arm(&timers[i], now + at);
	}
	for (int i = 0; i < MANY; i += 3)
		timer_disarm(&timers[i]);
	advance(5000);
	advance(5000);
	g_assert_cmpint(order_len, ==, MANY - (MANY + 2) / 3);
	for (int i = 1; i < order_len; i++)
		g_assert_cmpint(order[i - 1], <=, order[i]);
	teardown();
}

static void test_waits_while_its_clock_is_stopped(void)
{
	struct timer t;

	setup();
	timer_init(&t, loop, vclock, NULL, on_fire, NULL);
	timer_arm(&t, vclock_now(vclock) + 10);
	vclock_stop(vclock);
	advance(100);
	g_assert_cmpint(fired, ==, 0);
	g_assert_true(timer_is_armed(&t));
	vclock_start(vclock);
	advance(0);
	g_assert_cmpint(fired, ==, 1);
	teardown();
}

static void test_clocks_do_not_hold_each_other_up(void)
{
	struct vclock *other;
	struct timer stopped, host, running;

	setup();
	other = vclock_new();
	vclock_stop(vclock);
	timer_init(&stopped, loop, vclock, NULL, on_fire_note, GINT_TO_POINTER(1));
	timer_init(&host, loop, NULL, NULL, on_fire_note, GINT_TO_POINTER(2));
	timer_init(&running, loop, other, NULL, on_fire_note, GINT_TO_POINTER(3));
	timer_arm(&stopped, 0);
	timer_arm(&host, clock_host_ns() + 3 * MS);
	timer_arm(&running, vclock_now(other) + 1 * MS);
	while (order_len < 2)
		loop_poll(loop, -1);
	g_assert_cmpint(order[0] + order[1], ==, 2 + 3);
	g_assert_true(timer_is_armed(&stopped));
	/* Overdue on both clocks: the later first, whichever was armed first. */
	for (int i = 0; i < 2; i++) {
		const int64_t second = 1000 * (int64_t)MS;

		order_len = 0;
		timer_arm(&host, clock_host_ns() - (i ? 1 : 1000) * second);
		timer_arm(&running, vclock_now(other) - (i ? 1000 : 1) * second);
		while (order_len < 2)
			loop_poll(loop, -1);
		g_assert_cmpint(order[0], ==, i ? 3 : 2);
	}
	timer_fini(&stopped);
	vclock_free(other);
	teardown();
}

static void test_sleeps_until_its_time_not_longer(void)
{
	struct timer t;
	int64_t at;

	setup();
	timer_init(&t, loop, NULL, NULL, on_fire, NULL);
	at = clock_host_ns() + 5 * MS + 123;
	timer_arm(&t, at);
	while (!fired)
		loop_poll(loop, -1);
	g_assert_cmpint(clock_host_ns(), >=, at);
	g_assert_cmpint(clock_host_ns(), <, at + 2000 * (int64_t)MS);
	teardown();
}

static void test_far_deadlines_do_not_overflow(void)
{
	struct vclock *running;
	struct timer a, b, c;

	setup();
	running = vclock_new();
	timer_init(&a, loop, NULL, NULL, on_fire, NULL);
	timer_init(&b, loop, running, NULL, on_fire, NULL);
	timer_init(&c, loop, running, NULL, on_fire, NULL);
	timer_arm(&a, INT64_MAX - 1);
	timer_arm(&b, INT64_MAX - 1);
	g_assert_false(loop_poll(loop, 1 * MS));
	timer_arm(&c, INT64_MIN);
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpint(fired, ==, 1);
	loop_free(loop);
	vclock_free(running);
	vclock_free(vclock);
}

static struct timer self;
static int self_limit;

static void rearm_in_the_past(void *opaque)
{
	(void)opaque;
	if (++fired < self_limit)
		timer_arm(&self, 0);
}

static void test_always_due_does_not_hold_up_the_round(void)
{
	setup();
	self_limit = 1000;
	timer_init(&self, loop, vclock, NULL, rearm_in_the_past, NULL);
	timer_arm(&self, 0);
	g_assert_true(loop_poll(loop, 0));
	g_assert_cmpint(fired, ==, 1);
	while (loop_poll(loop, 0))
		;
	g_assert_cmpint(fired, ==, 1000);
	teardown();
}

/* ---- with a lock, against another thread ---- */

struct racer {
	struct lock lock;
	struct timer timer;
	bool must_not_fire; /* lock */
	atomic_int fired;
};

static void on_race(void *opaque)
{
	struct racer *r = opaque;

	g_assert_true(lock_held(&r->lock));
	g_assert_false(r->must_not_fire);
	atomic_fetch_add(&r->fired, 1);
}

static void test_disarm_under_the_lock_is_final(void)
{
	struct racer r = { .fired = 0 };
	struct iothread *t;
	struct err err;

	t = iothread_new("race", &err);
	lock_init(&r.lock, LOCK_DEVICE, "racer");
	timer_init(&r.timer, iothread_loop(t), NULL, &r.lock, on_race, &r);
	for (int i = 0; i < 3000; i++) {
		lock_take(&r.lock);
		timer_arm(&r.timer, clock_host_ns() + i % 50 * 1000);
		lock_drop(&r.lock);
		for (int spin = 0; spin < i % 7; spin++)
			sched_yield();
		lock_take(&r.lock);
		if (i % 2)
			timer_disarm(&r.timer);
		else
			timer_arm(&r.timer, INT64_MAX - 1);
		r.must_not_fire = true;
		lock_drop(&r.lock);
		sched_yield();
		lock_take(&r.lock);
		r.must_not_fire = false;
		lock_drop(&r.lock);
	}
	timer_fini(&r.timer);
	iothread_free(t);
	lock_fini(&r.lock);
}

/* The device goes away while its timer is due: after loop_sync() nothing of it is touched. */
static void test_fini_then_sync_then_free(void)
{
	struct iothread *t;
	struct err err;
	int total = 0;

	t = iothread_new("race", &err);
	for (int i = 0; i < 1000; i++) {
		struct racer *r = g_new0(struct racer, 1);

		lock_init(&r->lock, LOCK_DEVICE, "racer");
		timer_init(&r->timer, iothread_loop(t), NULL, &r->lock, on_race, r);
		timer_arm(&r->timer, clock_host_ns() + i % 30 * 1000);
		for (int spin = 0; spin < i % 11; spin++)
			sched_yield();
		lock_take(&r->lock);
		timer_fini(&r->timer);
		r->must_not_fire = true;
		lock_drop(&r->lock);
		loop_sync(iothread_loop(t));
		total += r->fired;
		lock_fini(&r->lock);
		g_free(r);
	}
	g_test_message("%d of 1000 fired", total);
	iothread_free(t);
}

static void on_fire_sleeping_loop(void *opaque) { atomic_store((atomic_int *)opaque, 1); }

static void test_arming_wakes_a_sleeping_loop(void)
{
	struct iothread *t;
	struct err err;

	t = iothread_new("sleeper", &err);
	for (int i = 0; i < 200; i++) {
		atomic_int done = 0;
		struct timer timer;

		timer_init(&timer, iothread_loop(t), NULL, NULL, on_fire_sleeping_loop, &done);
		timer_arm(&timer, clock_host_ns() + 3600 * 1000 * (int64_t)MS);
		if (i % 2)
			usleep(200);
		timer_arm(&timer, clock_host_ns() + 50000);
		for (int ms = 0; !done && ms < 5000; ms++)
			usleep(1000);
		g_assert_true(done);
	}
	iothread_free(t);
}

static void test_starting_a_clock_wakes_a_sleeping_loop(void)
{
	struct vclock *clock = vclock_new();
	atomic_int done = 0;
	struct iothread *t;
	struct timer timer;
	struct err err;

	t = iothread_new("sleeper", &err);
	vclock_stop(clock);
	timer_init(&timer, iothread_loop(t), clock, NULL, on_fire_sleeping_loop, &done);
	timer_arm(&timer, vclock_now(clock) + 1000);
	usleep(5000);
	g_assert_false(done);
	vclock_start(clock);
	loop_clock_changed(iothread_loop(t));
	for (int ms = 0; !done && ms < 5000; ms++)
		usleep(1000);
	g_assert_true(done);
	iothread_free(t);
	vclock_free(clock);
}

static int64_t seen[8];
static struct timer periodic;

static void on_period(void *opaque)
{
	(void)opaque;
	seen[fired++ % 8] = vclock_now(vclock);
	timer_arm(&periodic, vclock_now(vclock) + MS);
}

static void test_warp_stops_at_each_timer(void)
{
	int64_t start;

	setup();
	start = vclock_now(vclock);
	g_assert_cmpint(loop_next_deadline(loop, vclock), ==, INT64_MAX);
	timer_init(&periodic, loop, vclock, NULL, on_period, NULL);
	timer_arm(&periodic, start + MS);
	g_assert_cmpint(loop_next_deadline(loop, vclock), ==, start + MS);
	loop_warp(loop, vclock, start + 3 * MS + MS / 2);
	g_assert_cmpint(fired, ==, 3);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(seen[i], ==, start + (i + 1) * MS);
	g_assert_cmpint(vclock_now(vclock), ==, start + 3 * MS + MS / 2);
	/* stopped: time goes on, and nobody is called */
	vclock_stop(vclock);
	loop_warp(loop, vclock, start + 9 * MS);
	g_assert_cmpint(fired, ==, 3);
	g_assert_cmpint(vclock_now(vclock), ==, start + 9 * MS);
	timer_fini(&periodic);
	teardown();
}

static void on_always(void *opaque)
{
	fired++;
	timer_arm(opaque, 0);
}

static void test_warp_passes_who_is_always_due(void)
{
	struct timer t;
	int64_t start;

	setup();
	start = vclock_now(vclock);
	timer_init(&t, loop, vclock, NULL, on_always, &t);
	timer_arm(&t, 0);
	loop_warp(loop, vclock, start + 10);
	g_assert_cmpint(vclock_now(vclock), ==, start + 10);
	g_assert_cmpint(fired, ==, 10);
	timer_fini(&t);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/timer/fires-once", test_fires_once_when_its_time_has_come);
	g_test_add_func("/event/timer/rearm", test_disarm_and_rearm);
	g_test_add_func("/event/timer/order", test_many_fire_in_order_of_time);
	g_test_add_func("/event/timer/stopped", test_waits_while_its_clock_is_stopped);
	g_test_add_func("/event/timer/clocks", test_clocks_do_not_hold_each_other_up);
	g_test_add_func("/event/timer/sleeps", test_sleeps_until_its_time_not_longer);
	g_test_add_func("/event/timer/far", test_far_deadlines_do_not_overflow);
	g_test_add_func("/event/timer/always-due", test_always_due_does_not_hold_up_the_round);
	g_test_add_func("/event/timer/disarm-race", test_disarm_under_the_lock_is_final);
	g_test_add_func("/event/timer/fini-race", test_fini_then_sync_then_free);
	g_test_add_func("/event/timer/wakes", test_arming_wakes_a_sleeping_loop);
	g_test_add_func("/event/timer/start-wakes", test_starting_a_clock_wakes_a_sleeping_loop);
	g_test_add_func("/event/timer/warp", test_warp_stops_at_each_timer);
	g_test_add_func("/event/timer/warp-always-due", test_warp_passes_who_is_always_due);
	return g_test_run();
}
