/* tests/unit/chardev/create_test.c
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>

#include "fake_user.h"

static struct chardev *legacy(const char *spec)
{
	memset(&err, 0, sizeof(err));
	return chardev_new_legacy(root, loop, "serial0", spec, &err);
}

static void expect_legacy_failure(const char *spec, const char *text)
{
	g_assert_null(legacy(spec));
	g_assert_cmpstr(err.text, ==, text);
}

static void expect_prop(struct chardev *c, const char *name, const char *text)
{
	char *got = object_get_text(chardev_object(c), name, &err);

	g_assert_cmpstr(got, ==, text);
	g_free(got);
}

static void test_new_puts_it_into_the_tree(void)
{
	struct chardev *c;

	world_init();
	c = must_new("null", "ser0", "");
	g_assert_true(object_resolve(root, "/chardevs/ser0") == chardev_object(c));
	g_assert_true(object_resolve(root, "ser0") == chardev_object(c));
	g_assert_true(chardev_from_object(object_resolve(root, "ser0")) == c);
	g_assert_false(object_set(chardev_object(c), root, "logfile", "x", &err));
	world_fini();
}

static void test_bad_backends_keys_and_ids(void)
{
	world_init();
	expect_failure("sockt", "",
		       "unknown character device backend 'sockt' (did you mean 'socket'?)");
	expect_failure("udp", "", "character device backend 'udp' (UDP) is not supported");
	expect_failure("serial", "",
		       "character device backend 'serial' (a host's serial port) is not supported");
	expect_failure("file", "pth=x",
		       "character device 'x': 'chardev-file' has no property 'pth' "
		       "(did you mean 'path'?)");
	expect_failure("null", "mux=maybe",
		       "character device 'x': property 'mux' of 'chardev-null': 'maybe' is neither "
		       "'on' nor 'off'");
	g_assert_null(try_new("null", "0bad", ""));
	g_assert_nonnull(strstr(err.text, "'0bad' is no id"));
	must_new("null", "twin", "");
	g_assert_null(try_new("null", "twin", ""));
	g_assert_cmpint(err.code, ==, EEXIST);
	g_assert_cmpstr(err.text, ==, "there is already a character device 'twin'");
	g_assert_nonnull(object_resolve(root, "twin"));
	world_fini();
}

static void test_mux_on_wraps(void)
{
	struct chardev *c;

	world_init();
	c = must_new("null", "m", "mux=on");
	g_assert_cmpstr(chardev_backend(c), ==, "mux");
	expect_prop(c, "chardev", "/chardevs/m-base");
	g_assert_cmpstr(chardev_backend(chardev_from_object(object_resolve(root, "m-base"))), ==,
			"null");
	expect_failure("mux", "chardev=m,mux=on", "character device 'x': mux=on is not for a mux");
	expect_failure("file", "path=/nonexistent/q,mux=on",
		       "character device 'x': cannot open '/nonexistent/q': "
		       "No such file or directory");
	world_fini();
}

static void test_none_is_no_error(void)
{
	world_init();
	err.code = 1;
	g_assert_null(chardev_new_legacy(root, loop, "serial0", "none", &err));
	g_assert_cmpint(err.code, ==, 0);
	g_assert_cmpstr(err.text, ==, "");
	world_fini();
}

static void test_short_forms(void)
{
	struct chardev *c;
	char *path, *spec;

	world_init();
	g_assert_cmpstr(chardev_backend(legacy("null")), ==, "null");
	g_assert_true(legacy("chardev:serial0") ==
		      chardev_from_object(object_resolve(root, "serial0")));
	object_unparent(object_resolve(root, "serial0"));

	path = in_dir("a,b");
	spec = g_strdup_printf("file:%s/a,,b,append=on", test_dir());
	c = legacy(spec);
	expect_prop(c, "path", path);
	expect_prop(c, "append", "on");
	object_unparent(chardev_object(c));
	g_free(path);
	g_free(spec);

	c = legacy("mon:null");
	g_assert_cmpstr(chardev_backend(c), ==, "mux");
	object_unparent(chardev_object(c));
	object_unparent(object_resolve(root, "serial0-base"));

	c = legacy("pty");
	g_assert_cmpstr(chardev_backend(c), ==, "pty");
	object_unparent(chardev_object(c));

	path = in_dir("sock");
	spec = g_strdup_printf("unix:%s,server,nowait", path);
	c = legacy(spec);
	g_assert_nonnull(c);
	expect_prop(c, "path", path);
	object_unparent(chardev_object(c));
	g_free(path);
	g_free(spec);

	c = legacy("telnet:127.0.0.1:0,server=on,wait=off");
	g_assert_nonnull(c);
	expect_prop(c, "telnet", "on");
	expect_prop(c, "host", "127.0.0.1");
	object_unparent(chardev_object(c));
	c = legacy("tcp::0,server=on,wait=off,ipv4=on");
	g_assert_nonnull(c);
	expect_prop(c, "host", "");
	world_fini();
}

static void test_ipv6_literals(void)
{
	world_init();
	/* Whether or not there is IPv6 here, the brackets are gone. */
	if (legacy("tcp:[::1]:0,server=on,wait=off"))
		expect_prop(chardev_from_object(object_resolve(root, "serial0")), "host", "::1");
	else
		g_assert_nonnull(strstr(err.text, "'::1:0'"));
	world_fini();
}

static void test_bad_short_forms(void)
{
	world_init();
	expect_legacy_failure("nul",
			      "unknown character device backend 'nul' (did you mean 'null'?)");
	expect_legacy_failure("vc:80Cx24C",
			      "character device backend 'vc' (a console in a window) is "
			      "not supported");
	expect_legacy_failure("udp::4000", "character device backend 'udp' (UDP) is not supported");
	expect_legacy_failure("websocket:localhost:1,server=on",
			      "character device backend 'websocket' (websocket) is not supported");
	expect_legacy_failure("/dev/ttyS0", "'/dev/ttyS0': a host's serial port is not supported");
	expect_legacy_failure("socket:x",
			      "'socket:x' needs -chardev socket,id=... and chardev:ID here");
	expect_legacy_failure("chardev:nobody", "there is no character device 'nobody'");
	expect_legacy_failure("chardev:/chardevs", "there is no character device '/chardevs'");
	expect_legacy_failure("file:", "the name after ':' is missing");
	expect_legacy_failure("tcp:localhost", "'localhost' is not HOST:PORT");
	expect_legacy_failure("tcp:localhost:", "'localhost:' is not HOST:PORT");
	expect_legacy_failure("", "unknown character device backend ''");
	expect_legacy_failure(
		"null,colour=red",
		"character device 'serial0': 'chardev-null' has no property 'colour'");
	world_fini();
}

static void test_register_ignores_sigpipe(void)
{
	struct sigaction sa;

	chardev_register_types();
	g_assert_cmpint(sigaction(SIGPIPE, NULL, &sa), ==, 0);
	g_assert_true(sa.sa_handler == SIG_IGN);
	g_assert_nonnull(object_type_find("chardev-socket"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/create/new", test_new_puts_it_into_the_tree);
	g_test_add_func("/chardev/create/bad", test_bad_backends_keys_and_ids);
	g_test_add_func("/chardev/create/mux-on", test_mux_on_wraps);
	g_test_add_func("/chardev/create/none", test_none_is_no_error);
	g_test_add_func("/chardev/create/short", test_short_forms);
	g_test_add_func("/chardev/create/ipv6", test_ipv6_literals);
	g_test_add_func("/chardev/create/bad-short", test_bad_short_forms);
	g_test_add_func("/chardev/create/register", test_register_ignores_sigpipe);
	return g_test_run();
}
