/* tests/unit/monitor/stream_test.c - a session on a socket whose far end is ours: lines are
 * answered with as many bytes as they say.
 * SPDX-License-Identifier: MIT */
#include "monitor/stream.h"

#include <sys/socket.h>

#include "../chardev/fake_user.h"

enum { READ_BYTES = 64, MIB_BYTES = 1 << 20 };

static struct stream stream;
static struct stream_user user;
static int peer;
static unsigned lines, works;
static bool is_busy;

/* "N": N bytes. */
static size_t take(void *opaque, const uint8_t *bytes, size_t len)
{
	const uint8_t *nl = memchr(bytes, '\n', len);
	g_autofree char *text = g_strndup((const char *)bytes, len);
	g_autofree char *answer = NULL;
	size_t n;

	g_assert_true(opaque == &lines);
	if (!nl)
		return len;
	n = strtoul(text, NULL, 0);
	answer = g_strnfill(n, 'a');
	lines++;
	stream_send(&stream, answer, n);
	return (size_t)(nl - bytes) + 1;
}

static void work(void *opaque)
{
	g_assert_true(opaque == &lines);
	works++;
}

static bool busy(const void *opaque)
{
	g_assert_true(opaque == &lines);
	return is_busy;
}

static void event(void *opaque, enum chardev_event ev)
{
	g_assert_true(opaque == &lines);
	if (ev == CHARDEV_CLOSED)
		g_assert_cmpuint(stream_pending(&stream), ==, 0);
}

static void setup(size_t out_bytes)
{
	char options[32];
	int pair[2];

	world_init();
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
	peer = pair[1];
	g_snprintf(options, sizeof(options), "fd=%d", pair[0]);
	lines = works = 0;
	is_busy = false;
	user = (struct stream_user){ READ_BYTES, out_bytes, take, work, busy, event };
	stream_init(&stream, &user, &lines);
	g_assert_true(stream_attach(&stream, must_new("socket", "c0", options), &err));
}

static void teardown(void)
{
	if (peer >= 0)
		close(peer);
	serve_all();
	stream_fini(&stream);
	world_fini();
}

static void say(const char *text)
{
	g_assert_cmpint(write(peer, text, strlen(text)), ==, (gssize)strlen(text));
	serve_all();
}

/* All that comes. */
static size_t hear(void)
{
	static char buf[65536];
	size_t sum = 0;
	gssize n;

	while ((n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		g_assert_cmpint(buf[0], ==, 'a');
		g_assert_cmpint(buf[n - 1], ==, 'a');
		sum += (size_t)n;
		serve_all();
	}
	return sum;
}

static void test_lines_are_answered_in_pieces(void)
{
	setup(0);
	say("1\n2\n3");
	g_assert_cmpuint(lines, ==, 2);
	g_assert_cmpuint(hear(), ==, 3);
	g_assert_cmpuint(works, >=, 2);
	teardown();
}

/* What is said to it is left where it is, however much that would make it say. */
static void test_who_does_not_read_is_not_listened_to(void)
{
	setup(0);
	for (unsigned i = 0; i < 20; i++)
		say("1048576\n");
	g_assert_cmpuint(lines, ==, 1);
	g_assert_cmpuint(stream_pending(&stream), <=, MIB_BYTES);
	g_assert_cmpuint(hear(), ==, 20ul * MIB_BYTES);
	g_assert_cmpuint(lines, ==, 20);
	g_assert_cmpuint(stream_pending(&stream), ==, 0);
	g_assert_cmpuint(stream.out->allocated_len, <=, 2 * 65536);
	teardown();
}

static void test_some_output_may_wait(void)
{
	setup(2 * MIB_BYTES + MIB_BYTES / 2);
	say("1048576\n1048576\n1048576\n1048576\n1048576\n");
	g_assert_cmpuint(lines, >=, 3);
	g_assert_cmpuint(lines, <, 5);
	g_assert_cmpuint(hear(), ==, 5ul * MIB_BYTES);
	teardown();
}

static void test_a_busy_user_takes_nothing(void)
{
	setup(0);
	is_busy = true;
	say("1\n");
	g_assert_cmpuint(lines, ==, 0);
	is_busy = false;
	chardev_accept_input(stream.chr);
	serve_all();
	g_assert_cmpuint(hear(), ==, 1);
	teardown();
}

/* A client that is always behind: what it has read does not stay. */
static void test_what_was_sent_does_not_stay(void)
{
	static char buf[65536];
	g_autofree char *more = g_strnfill(sizeof(buf), 'a');
	size_t most = 0;

	setup(0);
	say("1048576\n");
	for (unsigned i = 0; i < 200; i++) {
		gssize n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);

		serve_all();
		if (n > 0)
			stream_send(&stream, more, (size_t)n);
		most = MAX(most, stream.out->len);
	}
	g_assert_cmpuint(stream_pending(&stream), >, 0);
	g_assert_cmpuint(most, <=, 3 * MIB_BYTES);
	teardown();
}

static void test_a_client_that_leaves_takes_all_along(void)
{
	setup(0);
	say("1048576\n1\n");
	g_assert_cmpuint(stream_pending(&stream), >, 0);
	close(peer);
	peer = -1;
	serve_all();
	g_assert_cmpuint(stream_pending(&stream), ==, 0);
	g_assert_cmpuint(stream.in_len, ==, 0);
	g_assert_cmpuint(lines, ==, 1);
	teardown();
}

static void test_input_that_comes_from_elsewhere(void)
{
	static const char text[] = "1\n2\n";

	setup(0);
	for (unsigned i = 0; i < READ_BYTES; i++)
		stream_receive(&stream, (const uint8_t *)text, 4);
	g_assert_cmpuint(lines, ==, 2 * READ_BYTES);
	g_assert_cmpuint(hear(), ==, 3 * READ_BYTES);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/monitor/stream/" #name, test_##name)
	ADD(lines_are_answered_in_pieces);
	ADD(who_does_not_read_is_not_listened_to);
	ADD(some_output_may_wait);
	ADD(a_busy_user_takes_nothing);
	ADD(what_was_sent_does_not_stay);
	ADD(a_client_that_leaves_takes_all_along);
	ADD(input_that_comes_from_elsewhere);
	return g_test_run();
}
