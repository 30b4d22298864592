/* tests/unit/chardev/mux_test.c
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>

#include "fake_user.h"

static struct chardev *m;
static struct fake_user first, second;
static int peer;
static int quits;

static void setup(size_t room)
{
	int pair[2];
	char options[40];

	world_init();
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
	peer = pair[1];
	g_snprintf(options, sizeof(options), "mux=on,fd=%d", pair[0]);
	m = must_new("socket", "m", options);
	fake_attach(&first, m, room);
	fake_attach(&second, m, room);
	quits = 0;
}

static void teardown(void)
{
	chardev_detach(m, &first);
	chardev_detach(m, &second);
	fake_fini(&first);
	fake_fini(&second);
	close(peer);
	world_fini();
}

static void type(const char *keys)
{
	g_assert_cmpint(write(peer, keys, strlen(keys)), ==, (ssize_t)strlen(keys));
	serve_all();
}

/* What came out until now. */
static char *screen(void)
{
	static char buf[8192];
	ssize_t n;

	chardev_flush(m, 100); /* single bytes may wait for more */
	n = recv(peer, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void test_focus_is_switched_with_c(void)
{
	setup(100);
	type("abc");
	type("\001cdef");
	g_assert_cmpstr(first.got->str, ==, "abc");
	g_assert_cmpstr(second.got->str, ==, "def");
	g_assert_cmpint(first.mux_out, ==, 1);
	g_assert_cmpint(second.mux_in, ==, 1);
	type("\001");
	type("cghi");
	g_assert_cmpstr(first.got->str, ==, "abcghi");
	g_assert_cmpint(first.mux_in, ==, 1);
	teardown();
}

static void test_with_one_user_c_changes_nothing(void)
{
	setup(100);
	chardev_detach(m, &second);
	type("\001cx");
	g_assert_cmpstr(first.got->str, ==, "x");
	g_assert_cmpint(first.mux_out, ==, 0);
	teardown();
}

static void test_focus_falls_to_who_is_left(void)
{
	setup(100);
	chardev_detach(m, &first);
	type("x");
	g_assert_cmpstr(second.got->str, ==, "x");
	g_assert_cmpstr(first.got->str, ==, "");
	teardown();
}

static void on_quit(void *opaque) { (*(int *)opaque)++; }

static void test_keys(void)
{
	setup(100);
	chardev_set_mux_quit(m, on_quit, &quits);
	type("\001\001");
	g_assert_cmpstr(first.got->str, ==, "\001");
	type("\001b");
	g_assert_cmpint(first.breaks, ==, 1);
	g_assert_cmpint(second.breaks, ==, 0);
	g_assert_cmpstr(screen(), ==, "");
	type("\001h");
	g_assert_nonnull(strstr(screen(), "C-a x    end Rhea"));
	type("\001s");
	g_assert_cmpstr(screen(), ==, "\r\nno disk has data to write back\r\n");
	type("\001z"); /* nothing, and not for the guest */
	g_assert_cmpstr(first.got->str, ==, "\001");
	g_assert_cmpint(quits, ==, 0);
	type("\001x");
	g_assert_cmpint(quits, ==, 1);
	g_assert_cmpstr(screen(), ==, "\r\nrhea: terminated\r\n");
	teardown();
}

static void test_timestamps(void)
{
	char *s;

	setup(100);
	put(m, "plain\n");
	screen();
	type("\001t");
	g_assert_cmpuint(put(m, "rest\none\ntw"), ==, 11);
	g_assert_cmpuint(put(m, "o\n"), ==, 2);
	s = screen();
	g_assert_true(g_regex_match_simple("^rest\\n\\[\\d\\d:\\d\\d:\\d\\d\\.\\d\\d\\d\\] one\\n"
					   "\\[\\d\\d:\\d\\d:\\d\\d\\.\\d\\d\\d\\] two\\n$",
					   s, 0, 0));
	type("\001t");
	put(m, "plain\n");
	g_assert_cmpstr(screen(), ==, "plain\n");
	teardown();
}

static void test_output_of_all_goes_out(void)
{
	setup(0);
	put(m, "a");
	put(m, "b");
	g_assert_cmpstr(screen(), ==, "ab");
	g_assert_true(chardev_is_open(m));
	teardown();
}

static void test_input_waits_for_room_and_keys_still_work(void)
{
	enum { LONG = 40 * 1000 };
	g_autofree char *long_text = g_strnfill(LONG, 'x');

	setup(2);
	chardev_set_mux_quit(m, on_quit, &quits);
	type("abcdef\001b");
	g_assert_cmpstr(first.got->str, ==, "ab");
	g_assert_cmpint(first.breaks, ==, 1);
	lock_take(&first.lock);
	first.room = 3;
	chardev_accept_input(m);
	lock_drop(&first.lock);
	SERVE_UNTIL(first.got->len == 5);
	serve_all();
	g_assert_cmpstr(first.got->str, ==, "abcde");
	/* More than the buffer has room for: no byte of a socket is lost. */
	type(long_text);
	first.room = 2 * LONG;
	chardev_accept_input(m);
	SERVE_UNTIL(first.got->len == 6 + LONG);
	type("\001x");
	g_assert_cmpint(quits, ==, 1);
	teardown();
}

static void test_everyone_is_told_of_a_slow_host(void)
{
	char buf[4096];

	setup(0);
	memset(buf, 'x', sizeof(buf));
	while (chardev_write(m, (uint8_t *)buf, sizeof(buf)) == sizeof(buf))
		;
	g_assert_cmpint(first.writable, ==, 0);
	for (int i = 0; i < 5000 && !first.writable; i++) {
		screen();
		loop_poll(loop, 1000000);
	}
	g_assert_cmpint(first.writable, ==, 1);
	g_assert_cmpint(second.writable, ==, 1);
	chardev_flush(m, 10);
	teardown();
}

static void test_open_and_close_reach_everyone(void)
{
	setup(10);
	close(peer);
	SERVE_UNTIL(first.closed && second.closed);
	g_assert_false(chardev_is_open(m));
	peer = -1;
	teardown();
}

static void test_refusals(void)
{
	struct fake_user more[3];

	setup(0);
	for (int i = 0; i < 2; i++)
		fake_attach(&more[i], m, 0);
	fake_init(&more[2], 0);
	g_assert_false(chardev_attach(m, &fake_ops, &more[2], &more[2].lock, &err));
	g_assert_cmpint(err.code, ==, EBUSY);
	g_assert_cmpstr(err.text, ==, "character device 'm' already has 4 users");
	expect_failure("mux", "", "character device 'x': needs a chardev=");
	expect_failure("mux", "chardev=m", "character device 'x': a mux cannot share another mux");
	expect_failure("mux", "chardev=m-base",
		       "character device 'x': character device 'm-base' is already in use");
	expect_failure("mux", "chardev=nobody",
		       "character device 'x': property 'chardev' of 'chardev-mux': there is no "
		       "chardev 'nobody'");
	expect_failure("mux", "chardev=m-base,logfile=/dev/null",
		       "character device 'x': logfile= is for the character device it shares");
	for (int i = 0; i < 3; i++) {
		chardev_detach(m, &more[i]);
		fake_fini(&more[i]);
	}
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/mux/focus", test_focus_is_switched_with_c);
	g_test_add_func("/chardev/mux/one-user", test_with_one_user_c_changes_nothing);
	g_test_add_func("/chardev/mux/focus-left", test_focus_falls_to_who_is_left);
	g_test_add_func("/chardev/mux/keys", test_keys);
	g_test_add_func("/chardev/mux/timestamps", test_timestamps);
	g_test_add_func("/chardev/mux/output", test_output_of_all_goes_out);
	g_test_add_func("/chardev/mux/room", test_input_waits_for_room_and_keys_still_work);
	g_test_add_func("/chardev/mux/slow-host", test_everyone_is_told_of_a_slow_host);
	g_test_add_func("/chardev/mux/open-close", test_open_and_close_reach_everyone);
	g_test_add_func("/chardev/mux/refusals", test_refusals);
	return g_test_run();
}
