/* tests/unit/event/notifier_test.c
 * SPDX-License-Identifier: MIT */
#include "event/notifier.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#include <glib.h>

#include "base/err.h"

static bool is_readable(const struct notifier *n)
{
	struct pollfd p = { .fd = n->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_signals_collapse_into_one(void)
{
	struct notifier n;
	struct err err;

	g_assert_true(notifier_init(&n, &err));
	g_assert_false(notifier_clear(&n));
	g_assert_false(is_readable(&n));
	notifier_signal(&n);
	notifier_signal(&n);
	g_assert_true(is_readable(&n));
	g_assert_true(notifier_clear(&n));
	g_assert_false(notifier_clear(&n));
	notifier_fini(&n);
}

static void test_signal_keeps_errno(void)
{
	struct notifier n = { .fd = -1 };

	errno = ENOENT;
	notifier_signal(&n);
	g_assert_cmpint(errno, ==, ENOENT);
}

static void test_no_descriptor_left_is_an_error(void)
{
	struct rlimit old, none;
	struct notifier n;
	struct err err = { 0 };

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	g_assert_false(notifier_init(&n, &err));
	setrlimit(RLIMIT_NOFILE, &old);
	g_assert_cmpint(err.code, ==, EMFILE);
	g_assert_nonnull(strstr(err.text, "cannot create an eventfd"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/notifier/collapse", test_signals_collapse_into_one);
	g_test_add_func("/event/notifier/errno", test_signal_keeps_errno);
	g_test_add_func("/event/notifier/no-descriptor", test_no_descriptor_left_is_an_error);
	return g_test_run();
}
