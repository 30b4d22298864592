/* tests/unit/event/loop_test.c
 * SPDX-License-Identifier: MIT */
#include "event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "event/clock.h"
#include "event/iothread.h"

enum { MS = 1000000 };

static struct loop *loop;
static int pair[2];
static struct loop_fd *watch, *watch2;
static unsigned calls, seen;

static void setup(void)
{
	struct err err;

	loop = loop_new("test", &err);
	g_assert_nonnull(loop);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
	calls = seen = 0;
}

static void teardown(void)
{
	close(pair[0]);
	close(pair[1]);
	loop_free(loop);
}

static void note(void *opaque, unsigned events)
{
	(void)opaque;
	calls++;
	seen |= events;
}

static void put_byte(void) { g_assert_cmpint(write(pair[1], "x", 1), ==, 1); }

static void test_reports_what_is_ready_and_asked_for(void)
{
	setup();
	watch = loop_watch(loop, pair[0], LOOP_READ, note, NULL);
	g_assert_false(loop_poll(loop, 0));
	put_byte();
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpuint(seen, ==, LOOP_READ);
	loop_watch_set(watch, LOOP_WRITE);
	seen = 0;
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpuint(seen, ==, LOOP_WRITE);
	loop_watch_set(watch, LOOP_READ | LOOP_WRITE);
	seen = 0;
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpuint(seen, ==, LOOP_READ | LOOP_WRITE);
	loop_watch_set(watch, 0);
	g_assert_false(loop_poll(loop, 0));
	loop_unwatch(watch);
	teardown();
}

static void test_hangup_is_told_but_not_to_who_wants_nothing(void)
{
	setup();
	watch = loop_watch(loop, pair[0], LOOP_READ, note, NULL);
	close(pair[1]);
	g_assert_true(loop_poll(loop, -1));
	g_assert_true(seen & LOOP_HANGUP);
	loop_watch_set(watch, 0);
	g_assert_false(loop_poll(loop, 1 * MS));
	loop_unwatch(watch);
	pair[1] = -1;
	teardown();
}

static void unwatch_other(void *opaque, unsigned events)
{
	(void)events;
	calls++;
	if (opaque) {
		loop_unwatch(*(struct loop_fd **)opaque);
		*(struct loop_fd **)opaque = NULL;
	}
}

/* Both are ready in one round; the first that is called ends the other. */
static void test_unwatched_in_the_same_round_is_not_called(void)
{
	int other;

	setup();
	other = dup(pair[0]);
	watch = loop_watch(loop, pair[0], LOOP_READ, unwatch_other, &watch2);
	watch2 = loop_watch(loop, other, LOOP_READ, unwatch_other, &watch);
	put_byte();
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpuint(calls, ==, 1);
	g_assert_true(!watch != !watch2);
	loop_unwatch(watch ? watch : watch2);
	close(other);
	teardown();
}

static void unwatch_self(void *opaque, unsigned events)
{
	(void)opaque;
	(void)events;
	calls++;
	loop_unwatch(watch);
}

static void test_callback_may_unwatch_itself(void)
{
	setup();
	watch = loop_watch(loop, pair[0], LOOP_READ, unwatch_self, NULL);
	put_byte();
	g_assert_true(loop_poll(loop, -1));
	g_assert_false(loop_poll(loop, 0));
	g_assert_cmpuint(calls, ==, 1);
	teardown();
}

static void test_regular_files_are_always_ready(void)
{
	int fd;

	setup();
	fd = open("/proc/self/exe", O_RDONLY);
	g_assert_cmpint(fd, >=, 0);
	watch = loop_watch(loop, fd, LOOP_READ, note, NULL);
	g_assert_nonnull(watch);
	g_assert_true(loop_poll(loop, -1));
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpuint(calls, ==, 2);
	g_assert_cmpuint(seen, ==, LOOP_READ);
	loop_watch_set(watch, 0);
	g_assert_false(loop_poll(loop, 0));
	loop_watch_set(watch, LOOP_READ);
	g_assert_true(loop_poll(loop, -1));
	loop_unwatch(watch);
	g_assert_false(loop_poll(loop, 0));
	close(fd);
	teardown();
}

static void test_watching_nothing_or_twice_fails(void)
{
	setup();
	g_assert_null(loop_watch(loop, -1, LOOP_READ, note, NULL));
	g_assert_cmpint(errno, ==, EBADF);
	watch = loop_watch(loop, pair[0], LOOP_READ, note, NULL);
	g_assert_null(loop_watch(loop, pair[0], LOOP_READ, note, NULL));
	g_assert_cmpint(errno, ==, EEXIST);
	loop_unwatch(watch);
	teardown();
}

static void test_closed_before_unwatched_is_harmless(void)
{
	setup();
	watch = loop_watch(loop, pair[0], LOOP_READ, note, NULL);
	close(pair[0]);
	pair[0] = -1;
	loop_unwatch(watch);
	g_assert_false(loop_poll(loop, 0));
	teardown();
}

/* ---- jobs ---- */

static unsigned jobs_run;
static void count_job(void *opaque)
{
	(void)opaque;
	jobs_run++;
}

static void posting_job(void *opaque)
{
	jobs_run++;
	loop_post(loop, opaque ? posting_job : count_job, opaque);
}

static void test_jobs_that_jobs_post_wait_for_the_next_round(void)
{
	setup();
	jobs_run = 0;
	loop_post(loop, posting_job, loop);
	for (unsigned i = 1; i < 5; i++) {
		g_assert_true(loop_poll(loop, -1));
		g_assert_cmpuint(jobs_run, ==, i);
	}
	teardown(); /* drops the one that is left */
}

static void quit_job(void *opaque)
{
	(void)opaque;
	loop_quit(loop);
}

static void test_quit_serves_what_was_posted_before(void)
{
	setup();
	jobs_run = 0;
	loop_post(loop, count_job, NULL);
	loop_quit(loop);
	loop_run(loop);
	g_assert_cmpuint(jobs_run, ==, 1);
	loop_post(loop, count_job, NULL); /* and it can run again */
	loop_post(loop, quit_job, NULL);
	loop_run(loop);
	g_assert_cmpuint(jobs_run, ==, 2);
	teardown();
}

static void test_poll_waits_as_long_as_told(void)
{
	int64_t start = clock_host_ns();

	setup();
	while (clock_host_ns() < start + 5 * MS)
		g_assert_false(loop_poll(loop, 5 * MS));
	g_assert_cmpint(clock_host_ns(), <, start + 2000 * (int64_t)MS);
	teardown();
}

/* ---- other threads ---- */

static atomic_uint posted_run;
static void count_posted(void *opaque)
{
	(void)opaque;
	atomic_fetch_add(&posted_run, 1);
}

static void *post_many(void *opaque)
{
	for (int i = 0; i < 10000; i++)
		loop_post(opaque, count_posted, NULL);
	return NULL;
}

static void test_no_post_is_lost(void)
{
	struct iothread *t;
	pthread_t threads[3];
	struct err err;

	posted_run = 0;
	t = iothread_new("t", &err);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, post_many, iothread_loop(t));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int ms = 0; posted_run < 30000 && ms < 5000; ms++)
		usleep(1000);
	g_assert_cmpuint(posted_run, ==, 30000);
	iothread_free(t);
}

/* One post at a time to a loop that may be falling asleep. */
static void test_each_post_wakes(void)
{
	struct iothread *t;
	struct err err;

	t = iothread_new("t", &err);
	posted_run = 0;
	for (unsigned i = 1; i <= 5000; i++) {
		int64_t start = clock_host_ns();

		loop_post(iothread_loop(t), count_posted, NULL);
		while (posted_run < i) {
			g_assert_cmpint(clock_host_ns(), <, start + 5000 * (int64_t)MS);
			sched_yield();
		}
	}
	iothread_free(t);
}

static void on_alarm(int sig)
{
	(void)sig;
	loop_quit(loop);
}

static void test_quit_from_a_signal_handler(void)
{
	struct itimerval soon = { .it_value.tv_usec = 3000 };

	setup();
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	loop_run(loop);
	signal(SIGALRM, SIG_DFL);
	teardown();
}

static atomic_bool is_inside, may_leave;
static void stay_inside(void *opaque)
{
	(void)opaque;
	is_inside = true;
	while (!may_leave)
		sched_yield();
	usleep(2000);
	is_inside = false;
}

static void test_sync_waits_for_a_running_callback(void)
{
	struct iothread *t;
	struct err err;

	t = iothread_new("t", &err);
	loop_sync(iothread_loop(t)); /* idle: at once */
	is_inside = may_leave = false;
	loop_post(iothread_loop(t), stay_inside, NULL);
	while (!is_inside)
		sched_yield();
	may_leave = true;
	loop_sync(iothread_loop(t));
	g_assert_false(is_inside);
	iothread_free(t);
}

static void sync_self(void *opaque)
{
	loop_sync(opaque);
	jobs_run++;
}

static void test_sync_in_the_loop_itself_does_not_hang(void)
{
	setup();
	jobs_run = 0;
	loop_post(loop, sync_self, loop);
	g_assert_true(loop_poll(loop, -1));
	g_assert_cmpuint(jobs_run, ==, 1);
	teardown();
}

static void read_all(void *opaque, unsigned events)
{
	char buf[64];

	(void)events;
	while (read(pair[0], buf, sizeof(buf)) > 0)
		;
	atomic_fetch_add((atomic_uint *)opaque, 1);
}

/* Watches come and go in another thread while the loop serves them. */
static void test_watch_and_unwatch_from_another_thread(void)
{
	atomic_uint served = 0;
	struct iothread *t;
	struct err err;

	setup();
	t = iothread_new("t", &err);
	for (int i = 0; i < 2000; i++) {
		struct loop_fd *w = loop_watch(iothread_loop(t), pair[0], LOOP_READ | LOOP_WRITE,
					       read_all, &served);

		g_assert_nonnull(w);
		if (i % 3 == 0 && write(pair[1], "x", 1) < 0)
			g_assert_cmpint(errno, ==, EAGAIN); /* nobody got to read yet */
		loop_watch_set(w, LOOP_READ);
		loop_unwatch(w);
	}
	loop_sync(iothread_loop(t));
	iothread_free(t);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/loop/ready", test_reports_what_is_ready_and_asked_for);
	g_test_add_func("/event/loop/hangup", test_hangup_is_told_but_not_to_who_wants_nothing);
	g_test_add_func("/event/loop/unwatch-other",
			test_unwatched_in_the_same_round_is_not_called);
	g_test_add_func("/event/loop/unwatch-self", test_callback_may_unwatch_itself);
	g_test_add_func("/event/loop/regular-file", test_regular_files_are_always_ready);
	g_test_add_func("/event/loop/bad-watch", test_watching_nothing_or_twice_fails);
	g_test_add_func("/event/loop/closed", test_closed_before_unwatched_is_harmless);
	g_test_add_func("/event/loop/jobs", test_jobs_that_jobs_post_wait_for_the_next_round);
	g_test_add_func("/event/loop/quit", test_quit_serves_what_was_posted_before);
	g_test_add_func("/event/loop/timeout", test_poll_waits_as_long_as_told);
	g_test_add_func("/event/loop/no-post-lost", test_no_post_is_lost);
	g_test_add_func("/event/loop/post-wakes", test_each_post_wakes);
	g_test_add_func("/event/loop/signal", test_quit_from_a_signal_handler);
	g_test_add_func("/event/loop/sync", test_sync_waits_for_a_running_callback);
	g_test_add_func("/event/loop/sync-self", test_sync_in_the_loop_itself_does_not_hang);
	g_test_add_func("/event/loop/threads", test_watch_and_unwatch_from_another_thread);
	return g_test_run();
}
