/* tests/unit/chardev/socket_addr_test.c
 * SPDX-License-Identifier: MIT */
#include "chardev/socket_addr.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include <glib.h>

#include "base/err.h"

static struct socket_addrs addrs;
static struct err err;

static void test_unix_paths(void)
{
	const struct sockaddr_un *un;

	g_assert_true(socket_addr_unix(&addrs, "dir/s", false, true, &err));
	un = (const struct sockaddr_un *)&addrs.list[0].sa;
	g_assert_cmpstr(un->sun_path, ==, "dir/s");
	g_assert_cmpstr(addrs.text, ==, "dir/s");
	g_assert_cmpuint(socket_addr_port(&addrs.list[0]), ==, 0);
	socket_addrs_fini(&addrs);
}

static void test_abstract_names(void)
{
	const struct sockaddr_un *un;

	g_assert_true(socket_addr_unix(&addrs, "name", true, true, &err));
	un = (const struct sockaddr_un *)&addrs.list[0].sa;
	g_assert_cmpmem(un->sun_path, 5, "\0name", 5);
	g_assert_cmpuint(addrs.list[0].len, ==, offsetof(struct sockaddr_un, sun_path) + 5);
	socket_addrs_fini(&addrs);
	g_assert_true(socket_addr_unix(&addrs, "name", true, false, &err));
	g_assert_cmpuint(addrs.list[0].len, ==, sizeof(struct sockaddr_un));
	socket_addrs_fini(&addrs);
}

static void test_path_lengths(void)
{
	char path[109];

	memset(path, 'p', sizeof(path));
	path[107] = '\0';
	g_assert_true(socket_addr_unix(&addrs, path, false, true, &err));
	socket_addrs_fini(&addrs);
	g_assert_true(socket_addr_unix(&addrs, path, true, true, &err));
	socket_addrs_fini(&addrs);
	path[107] = 'p';
	path[108] = '\0';
	g_assert_false(socket_addr_unix(&addrs, path, false, true, &err));
	g_assert_nonnull(strstr(err.text, "too long (107 bytes at most)"));
	g_assert_false(socket_addr_unix(&addrs, "", false, true, &err));
	g_assert_cmpstr(err.text, ==, "socket path '' is empty");
}

static void test_ports(void)
{
	g_assert_true(
		socket_addr_inet(&addrs, "127.0.0.1", "80", TRI_UNSET, TRI_UNSET, false, &err));
	g_assert_cmpuint(addrs.count, ==, 1);
	g_assert_cmpuint(socket_addr_port(&addrs.list[0]), ==, 80);
	socket_addr_set_port(&addrs.list[0], 4321);
	g_assert_cmpuint(socket_addr_port(&addrs.list[0]), ==, 4321);
	g_assert_cmpstr(addrs.text, ==, "127.0.0.1:80");
	socket_addrs_fini(&addrs);
}

static void test_ports_out_of_range(void)
{
	static const char *const bad[] = { "65536", "99999", "18446744073709551617", "80x" };

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(socket_addr_inet(&addrs, "127.0.0.1", bad[i], TRI_UNSET, TRI_UNSET,
						false, &err));
		g_assert_nonnull(strstr(err.text, "is not a number from 0 to 65535"));
	}
	g_assert_true(
		socket_addr_inet(&addrs, "127.0.0.1", "65535", TRI_UNSET, TRI_UNSET, false, &err));
	g_assert_cmpuint(socket_addr_port(&addrs.list[0]), ==, 65535);
	socket_addrs_fini(&addrs);
}

static void test_families(void)
{
	g_assert_true(socket_addr_inet(&addrs, "", "1", TRI_ON, TRI_UNSET, true, &err));
	for (unsigned i = 0; i < addrs.count; i++)
		g_assert_cmpint(addrs.list[i].sa.ss_family, ==, AF_INET);
	socket_addrs_fini(&addrs);
	g_assert_true(socket_addr_inet(&addrs, "::1", "1", TRI_UNSET, TRI_ON, true, &err));
	g_assert_cmpint(addrs.list[0].sa.ss_family, ==, AF_INET6);
	socket_addrs_fini(&addrs);
	g_assert_false(socket_addr_inet(&addrs, "::1", "1", TRI_UNSET, TRI_OFF, true, &err));
	g_assert_true(g_str_has_prefix(err.text, "cannot find address '::1:1': "));
	g_assert_false(socket_addr_inet(&addrs, "127.0.0.1", "no such service", 0, 0, true, &err));
}

static void test_bound_address_as_text(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char *text;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), ==, 0);
	text = socket_addr_of(fd);
	g_assert_true(g_str_has_prefix(text, "127.0.0.1:"));
	g_free(text);
	text = socket_addr_of(-1);
	g_assert_cmpstr(text, ==, "");
	g_free(text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/socket_addr/unix", test_unix_paths);
	g_test_add_func("/chardev/socket_addr/abstract", test_abstract_names);
	g_test_add_func("/chardev/socket_addr/length", test_path_lengths);
	g_test_add_func("/chardev/socket_addr/ports", test_ports);
	g_test_add_func("/chardev/socket_addr/ports-out-of-range", test_ports_out_of_range);
	g_test_add_func("/chardev/socket_addr/families", test_families);
	g_test_add_func("/chardev/socket_addr/text", test_bound_address_as_text);
	return g_test_run();
}
