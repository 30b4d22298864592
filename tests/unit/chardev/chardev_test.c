/* tests/unit/chardev/chardev_test.c - the queue, back-pressure and users, over a socket pair.
 * SPDX-License-Identifier: MIT */
#include "chardev/chardev.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "fake_user.h"

static struct chardev *c;
static struct fake_user user;
static int peer;

static void setup(size_t room)
{
	int pair[2];
	char options[32];

	world_init();
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
	peer = pair[1];
	g_snprintf(options, sizeof(options), "fd=%d", pair[0]);
	c = must_new("socket", "c0", options);
	fake_attach(&user, c, room);
}

static void teardown(void)
{
	chardev_detach(c, &user);
	fake_fini(&user);
	if (peer >= 0)
		close(peer);
	world_fini();
}

static void test_bytes_pass_both_ways(void)
{
	char buf[16];

	setup(100);
	g_assert_true(chardev_is_open(c));
	g_assert_cmpstr(chardev_backend(c), ==, "socket");
	g_assert_cmpuint(put(c, "out"), ==, 3);
	g_assert_cmpint(read(peer, buf, sizeof(buf)), ==, 3);
	g_assert_cmpmem(buf, 3, "out", 3);
	g_assert_cmpint(write(peer, "in", 2), ==, 2);
	SERVE_UNTIL(user.got->len == 2);
	g_assert_cmpstr(user.got->str, ==, "in");
	teardown();
}

static void test_a_second_user_is_refused(void)
{
	struct fake_user second;

	setup(100);
	fake_init(&second, 1);
	g_assert_false(chardev_attach(c, &fake_ops, &second, &second.lock, &err));
	g_assert_cmpint(err.code, ==, EBUSY);
	g_assert_cmpstr(err.text, ==, "character device 'c0' is already in use");
	chardev_detach(c, &second); /* he never was: the first stays */
	g_assert_cmpint(write(peer, "x", 1), ==, 1);
	SERVE_UNTIL(user.got->len == 1);
	chardev_detach(c, &user);
	g_assert_true(chardev_attach(c, &fake_ops, &second, &second.lock, &err));
	chardev_detach(c, &second);
	fake_fini(&second);
	teardown();
}

static void test_reads_no_more_than_there_is_room(void)
{
	setup(3);
	g_assert_cmpint(write(peer, "abcdefgh", 8), ==, 8);
	SERVE_UNTIL(user.got->len == 3);
	serve_all();
	g_assert_cmpstr(user.got->str, ==, "abc");
	/* Throttled: the loop sleeps, it does not spin. */
	g_assert_false(loop_poll(loop, 1000000));
	user.room = 2;
	chardev_accept_input(c);
	SERVE_UNTIL(user.got->len == 5);
	serve_all();
	g_assert_cmpstr(user.got->str, ==, "abcde");
	user.room = 100;
	chardev_accept_input(c);
	chardev_accept_input(c);
	SERVE_UNTIL(user.got->len == 8);
	teardown();
}

static void test_accept_input_under_the_users_lock(void)
{
	setup(0);
	g_assert_cmpint(write(peer, "abc", 3), ==, 3);
	serve_all();
	lock_take(&user.lock);
	user.room = 3;
	chardev_accept_input(c);
	lock_drop(&user.lock);
	SERVE_UNTIL(user.got->len == 3);
	teardown();
}

static size_t fill(uint8_t *next)
{
	size_t total = 0, taken;
	uint8_t buf[1000];

	do {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)(*next + i);
		taken = chardev_write(c, buf, sizeof(buf));
		*next = (uint8_t)(*next + taken);
		total += taken;
	} while (taken == sizeof(buf));
	return total;
}

static void test_a_slow_host_is_told_and_loses_nothing(void)
{
	uint8_t next = 0, expected = 0, buf[4096];
	size_t total, seen = 0;

	setup(0);
	total = fill(&next);
	g_assert_cmpuint(total, >=, 64 * 1024);
	g_assert_cmpuint(put(c, "x"), ==, 0);
	serve_all();
	g_assert_cmpint(user.writable, ==, 0);
	while (seen < total) {
		ssize_t n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);

		for (ssize_t i = 0; i < n; i++)
			g_assert_cmpint(buf[i], ==, expected++);
		seen += n > 0 ? (size_t)n : 0;
		loop_poll(loop, 1000000);
	}
	SERVE_UNTIL(user.writable == 1);
	g_assert_cmpuint(seen, ==, total);
	g_assert_cmpuint(put(c, "x"), ==, 1);
	serve_all();
	g_assert_cmpint(user.writable, ==, 1); /* told once */
	teardown();
}

static void *read_slowly(void *opaque)
{
	size_t *left = opaque;
	char buf[4096];

	while (*left) {
		ssize_t n = read(peer, buf, sizeof(buf));

		g_assert_cmpint(n, >, 0);
		*left -= (size_t)n;
	}
	return NULL;
}

static void test_flush_waits_for_the_host_but_not_for_ever(void)
{
	int64_t start;
	pthread_t thread;
	uint8_t next = 0;
	size_t left;

	setup(0);
	left = fill(&next);
	start = clock_host_ns();
	chardev_flush(c, 20);
	g_assert_cmpint(clock_host_ns() - start, >=, 20000000);
	g_assert_cmpint(clock_host_ns() - start, <, 2000000000);
	pthread_create(&thread, NULL, read_slowly, &left);
	chardev_flush(c, 5000);
	pthread_join(thread, NULL);
	g_assert_cmpuint(left, ==, 0);
	teardown();
}

static void test_a_peer_that_goes_is_an_event(void)
{
	setup(100);
	g_assert_cmpint(write(peer, "bye", 3), ==, 3);
	close(peer);
	peer = -1;
	SERVE_UNTIL(user.closed == 1);
	g_assert_cmpstr(user.got->str, ==, "bye");
	g_assert_false(chardev_is_open(c));
	/* Nobody is there: everything is taken and dropped. */
	g_assert_cmpuint(put(c, "anything"), ==, 8);
	teardown();
}

static void test_writing_to_a_gone_peer_does_not_kill(void)
{
	setup(0); /* no room: the end of file is not seen by reading */
	serve_all();
	close(peer);
	peer = -1;
	g_assert_cmpuint(put(c, "one"), ==, 3);
	g_assert_cmpuint(put(c, "two"), ==, 3);
	SERVE_UNTIL(user.closed == 1);
	g_assert_false(chardev_is_open(c));
	teardown();
}

static void test_who_waits_for_a_peer_that_goes_is_let_on(void)
{
	uint8_t next = 0;

	setup(0);
	fill(&next);
	g_assert_cmpuint(put(c, "x"), ==, 0);
	close(peer);
	peer = -1;
	SERVE_UNTIL(user.writable == 1);
	g_assert_cmpuint(put(c, "x"), ==, 1);
	teardown();
}

/* ---- threads ---- */

static atomic_bool must_end;

static void *serve(void *unused)
{
	while (!must_end)
		loop_poll(loop, 100000);
	return unused;
}

static void *echo_peer(void *opaque)
{
	size_t *count = opaque;
	char buf[512];
	ssize_t n;

	while ((n = read(peer, buf, sizeof(buf))) > 0)
		*count += (size_t)n;
	return NULL;
}

enum { WRITERS = 3, WRITES = 2000 };

static void *write_many(void *opaque)
{
	size_t *total = opaque;

	for (int i = 0; i < WRITES; i++) {
		lock_take(&user.lock);
		*total += put(c, "0123456789");
		lock_drop(&user.lock);
	}
	return NULL;
}

static void test_many_writers_while_the_loop_serves(void)
{
	pthread_t server, reader, writers[WRITERS];
	size_t read_bytes = 0, totals[WRITERS] = { 0 }, sum = 0;

	setup(0);
	must_end = false;
	pthread_create(&server, NULL, serve, NULL);
	pthread_create(&reader, NULL, echo_peer, &read_bytes);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&writers[i], NULL, write_many, &totals[i]);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i], NULL);
		sum += totals[i];
	}
	chardev_flush(c, 5000);
	must_end = true;
	loop_wake(loop);
	pthread_join(server, NULL);
	chardev_detach(c, &user);
	object_unparent(chardev_object(c)); /* closes: the reader ends */
	pthread_join(reader, NULL);
	g_assert_cmpuint(read_bytes, ==, sum);
	g_assert_cmpuint(sum, >, 0);
	fake_fini(&user);
	close(peer);
	world_fini();
}

/* Users come and go while bytes arrive; none is called after he is gone. */
static void test_detach_while_input_arrives(void)
{
	pthread_t server;

	setup(0);
	chardev_detach(c, &user);
	fake_fini(&user);
	must_end = false;
	pthread_create(&server, NULL, serve, NULL);
	for (int i = 0; i < 500; i++) {
		struct fake_user *u = g_new0(struct fake_user, 1);

		fake_attach(u, c, 1000);
		g_assert_cmpint(write(peer, "abc", 3), ==, 3);
		if (i % 3)
			sched_yield();
		lock_take(&u->lock);
		chardev_detach(c, u);
		lock_drop(&u->lock);
		loop_sync(loop);
		fake_fini(u);
		g_free(u);
	}
	must_end = true;
	loop_wake(loop);
	pthread_join(server, NULL);
	fake_init(&user, 0);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/chardev/both-ways", test_bytes_pass_both_ways);
	g_test_add_func("/chardev/chardev/second-user", test_a_second_user_is_refused);
	g_test_add_func("/chardev/chardev/room", test_reads_no_more_than_there_is_room);
	g_test_add_func("/chardev/chardev/accept", test_accept_input_under_the_users_lock);
	g_test_add_func("/chardev/chardev/slow-host", test_a_slow_host_is_told_and_loses_nothing);
	g_test_add_func("/chardev/chardev/flush", test_flush_waits_for_the_host_but_not_for_ever);
	g_test_add_func("/chardev/chardev/peer-goes", test_a_peer_that_goes_is_an_event);
	g_test_add_func("/chardev/chardev/gone-peer", test_writing_to_a_gone_peer_does_not_kill);
	g_test_add_func("/chardev/chardev/waiting", test_who_waits_for_a_peer_that_goes_is_let_on);
	g_test_add_func("/chardev/chardev/writers", test_many_writers_while_the_loop_serves);
	g_test_add_func("/chardev/chardev/detach-race", test_detach_while_input_arrives);
	return g_test_run();
}
