/* tests/unit/chardev/socket_test.c
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fake_user.h"
#include "../child.h"

static struct fake_user user;

static int dial(struct chardev *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char *address = object_get_text(chardev_object(c), "address", &err);
	char *colon = strchr(address, ':');
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)atoi(colon + 1));
	g_assert_cmpint(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), ==, 0);
	g_free(address);
	return fd;
}

static int dial_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
	g_assert_cmpint(bind(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
	g_assert_cmpint(listen(fd, 1), ==, 0);
	return fd;
}

static void end(struct chardev *c)
{
	chardev_detach(c, &user);
	fake_fini(&user);
	world_fini();
}

static void test_server_serves_one_after_the_other(void)
{
	struct chardev *c;
	int a, b;

	world_init();
	c = must_new("socket", "s", "host=127.0.0.1,port=0,server=on,wait=off,nodelay=on");
	fake_attach(&user, c, 100);
	g_assert_false(chardev_is_open(c));
	g_assert_cmpuint(put(c, "nobody"), ==, 6);
	a = dial(c);
	SERVE_UNTIL(user.opened == 1);
	b = dial(c); /* waits in the queue */
	g_assert_cmpint(write(b, "B", 1), ==, 1);
	g_assert_cmpint(write(a, "A", 1), ==, 1);
	SERVE_UNTIL(user.got->len == 1);
	serve_all();
	g_assert_cmpstr(user.got->str, ==, "A");
	close(a);
	SERVE_UNTIL(user.got->len == 2);
	g_assert_cmpstr(user.got->str, ==, "AB");
	g_assert_cmpint(user.closed, ==, 1);
	g_assert_cmpint(user.opened, ==, 2);
	close(b);
	SERVE_UNTIL(user.closed == 2);
	end(c);
}

static void test_unix_server_owns_its_path(void)
{
	struct chardev *c;
	char *path, *options;
	struct stat st;
	int fd, stale;

	world_init();
	path = in_dir("sock");
	stale = listen_unix(path); /* left by a process that was killed */
	close(stale);
	options = g_strdup_printf("path=%s,server=on,wait=off", path);
	c = must_new("socket", "s", options);
	fake_attach(&user, c, 100);
	fd = dial_unix(path);
	g_assert_cmpint(fd, >=, 0);
	SERVE_UNTIL(user.opened == 1);
	close(fd);
	chardev_detach(c, &user);
	object_unparent(chardev_object(c));
	g_assert_cmpint(stat(path, &st), !=, 0);
	/* What is no socket is not removed. */
	g_assert_true(g_file_set_contents(path, "x", -1, NULL));
	g_assert_null(try_new("socket", "s", options));
	g_assert_nonnull(strstr(err.text, "Address already in use"));
	expect_file(path, "x");
	fake_fini(&user);
	g_free(path);
	g_free(options);
	world_fini();
}

static void test_abstract_server(void)
{
	struct chardev *c, *client;
	char *options;

	world_init();
	options = g_strdup_printf("path=rhea-test-%d,abstract=on,server=on,wait=off", getpid());
	c = must_new("socket", "s", options);
	fake_attach(&user, c, 100);
	g_free(options);
	options = g_strdup_printf("path=rhea-test-%d,abstract=on", getpid());
	client = must_new("socket", "c", options);
	SERVE_UNTIL(user.opened == 1);
	put(client, "hello");
	SERVE_UNTIL(user.got->len == 5);
	g_free(options);
	end(c);
}

static void test_client_without_server_is_an_error(void)
{
	world_init();
	expect_failure("socket", "path=/nonexistent/s",
		       "character device 'x': cannot connect to '/nonexistent/s': "
		       "No such file or directory");
	expect_failure("socket", "host=127.0.0.1,port=1",
		       "character device 'x': cannot connect to '127.0.0.1:1': Connection refused");
	world_fini();
}

static void test_reconnect_keeps_trying(void)
{
	struct chardev *c;
	char *path, *options;
	int listener, fd;

	world_init();
	path = in_dir("sock");
	options = g_strdup_printf("path=%s,reconnect=1", path);
	c = must_new("socket", "c", options); /* nobody listens yet: no error */
	fake_attach(&user, c, 100);
	serve_all();
	g_assert_false(chardev_is_open(c));
	listener = listen_unix(path);
	SERVE_UNTIL(user.opened == 1);
	fd = accept(listener, NULL, NULL);
	close(fd);
	SERVE_UNTIL(user.closed == 1);
	SERVE_UNTIL(user.opened == 2);
	close(listener);
	g_free(path);
	g_free(options);
	end(c);
}

static void *dial_later(void *opaque)
{
	int fd;

	do {
		usleep(1000);
		fd = dial_unix(opaque);
	} while (fd < 0);
	g_assert_cmpint(write(fd, "here", 4), ==, 4);
	return GINT_TO_POINTER(fd);
}

static void wait_for_peer(void)
{
	struct chardev *c;
	char *path, *options;
	pthread_t thread;
	void *fd;

	world_init();
	path = in_dir("sock");
	options = g_strdup_printf("path=%s,server=on", path);
	pthread_create(&thread, NULL, dial_later, path);
	c = must_new("socket", "s", options);
	g_assert_true(chardev_is_open(c));
	fake_attach(&user, c, 100);
	SERVE_UNTIL(user.got->len == 4);
	pthread_join(thread, &fd);
	close(GPOINTER_TO_INT(fd));
	g_free(path);
	g_free(options);
	end(c);
}

static void test_wait_starts_with_the_peer(void)
{
	child_passes(wait_for_peer, "*'s': waiting for a connection on *sock\n");
}

static void test_to_takes_the_next_free_port(void)
{
	struct chardev *first, *second;
	char *address, options[128];
	int port;

	world_init();
	first = must_new("socket", "a", "host=127.0.0.1,port=0,server=on,wait=off");
	address = object_get_text(chardev_object(first), "address", &err);
	port = atoi(strchr(address, ':') + 1);
	g_free(address);
	g_snprintf(options, sizeof(options), "host=127.0.0.1,port=%d,server=on,wait=off", port);
	g_assert_null(try_new("socket", "b", options));
	g_assert_nonnull(strstr(err.text, "Address already in use"));
	g_snprintf(options, sizeof(options), "host=127.0.0.1,port=%d,to=%d,server=on,wait=off",
		   port, MIN(port + 50, 65535));
	second = try_new("socket", "b", options);
	g_assert_nonnull(second);
	address = object_get_text(chardev_object(second), "address", &err);
	g_assert_cmpint(atoi(strchr(address, ':') + 1), >, port);
	g_free(address);
	world_fini();
}

static void test_telnet(void)
{
	static const uint8_t sent[] = { 'a',  0xff, 0xfd, 0x18, 'b', 0xff, 0xf3,
					0xff, 0xff, 'c',  '\r', 0,   'd' };
	struct chardev *c;
	uint8_t buf[64];
	ssize_t n;
	int fd;

	world_init();
	c = must_new("socket", "t", "host=127.0.0.1,port=0,server=on,wait=off,telnet=on");
	fake_attach(&user, c, 100);
	fd = dial(c);
	SERVE_UNTIL(user.opened == 1);
	n = recv(fd, buf, 12, MSG_WAITALL);
	g_assert_cmpmem(buf, n, "\377\373\1\377\373\3\377\373\0\377\375\0", 12);
	g_assert_cmpint(write(fd, sent, sizeof(sent)), ==, sizeof(sent));
	SERVE_UNTIL(user.got->len == 6);
	g_assert_cmpmem(user.got->str, 6, "ab\377c\rd", 6);
	g_assert_cmpint(user.breaks, ==, 1);
	n = recv(fd, buf, 3, MSG_WAITALL);
	g_assert_cmpmem(buf, n, "\377\374\30", 3); /* WONT TERMINAL-TYPE */
	g_assert_cmpuint(put(c, "x\377y"), ==, 3);
	n = recv(fd, buf, 4, MSG_WAITALL);
	g_assert_cmpmem(buf, n, "x\377\377y", 4);
	close(fd);
	SERVE_UNTIL(user.closed == 1);
	/* The next one starts from nothing. */
	fd = dial(c);
	SERVE_UNTIL(user.opened == 2);
	g_assert_cmpint(recv(fd, buf, 12, MSG_WAITALL), ==, 12);
	close(fd);
	end(c);
}

/* A peer that asks without end and reads nothing. */
static void test_telnet_flood_is_bounded(void)
{
	struct chardev *c;
	uint8_t flood[3 * 1000];
	int fd;

	world_init();
	c = must_new("socket", "t", "host=127.0.0.1,port=0,server=on,wait=off,telnet=on");
	fake_attach(&user, c, 100);
	fd = dial(c);
	SERVE_UNTIL(user.opened == 1);
	for (size_t i = 0; i < sizeof(flood); i += 3)
		memcpy(&flood[i], "\377\375\30", 3);
	for (int i = 0; i < 3000; i++) {
		if (send(fd, flood, sizeof(flood), MSG_DONTWAIT) < 0)
			g_assert_cmpint(errno, ==, EAGAIN);
		loop_poll(loop, 0);
	}
	close(fd);
	SERVE_UNTIL(user.closed == 1);
	g_assert_cmpuint(user.got->len, ==, 0);
	end(c);
}

static void test_handed_over_descriptors(void)
{
	char options[64], *text, *path;
	int pair[2], pipes[2], listener;
	struct chardev *c;

	world_init();
	g_assert_cmpint(pipe(pipes), ==, 0);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
	expect_failure("socket", "fd=x", "character device 'x': fd='x' is not a descriptor");
	expect_failure("socket", "fd=9999", "character device 'x': fd=9999 is not an open socket");
	g_snprintf(options, sizeof(options), "fd=%d", pipes[0]);
	text = g_strdup_printf("character device 'x': fd=%d is not an open socket", pipes[0]);
	expect_failure("socket", options, text);
	g_free(text);
	g_snprintf(options, sizeof(options), "fd=%d,server=on,wait=off", pair[0]);
	text = g_strdup_printf("character device 'x': fd=%d is no listening socket; say server=off",
			       pair[0]);
	expect_failure("socket", options, text);
	g_free(text);
	path = in_dir("sock");
	listener = listen_unix(path);
	g_snprintf(options, sizeof(options), "fd=%d", listener);
	g_assert_null(try_new("socket", "x", options));
	g_assert_nonnull(strstr(err.text, "is a listening socket; say server=on"));
	g_snprintf(options, sizeof(options), "fd=%d,server=on,wait=off", listener);
	c = must_new("socket", "l", options);
	fake_attach(&user, c, 10);
	close(dial_unix(path));
	SERVE_UNTIL(user.closed == 1);
	g_free(path);
	close(pipes[0]);
	close(pipes[1]);
	close(pair[0]);
	close(pair[1]);
	end(c);
}

static void test_options_that_do_not_go_together(void)
{
	static const struct {
		const char *options, *text;
	} rows[] = {
		{ "", "needs one of path=, host= with port=, and fd=" },
		{ "path=x,port=1", "needs one of path=, host= with port=, and fd=" },
		{ "host=h", "host= needs a port=" },
		{ "path=x,ipv4=on", "ipv4=, ipv6= and to= go with port= only" },
		{ "port=1,ipv4=off,ipv6=off", "ipv4=off,ipv6=off leaves nothing" },
		{ "port=1,abstract=on", "abstract= goes with path= only" },
		{ "path=x,wait=off", "wait= goes with server=on only" },
		{ "port=1,to=2", "to= goes with server=on only" },
		{ "path=x,server=on,reconnect=1", "reconnect= does not go with server=on" },
		{ "fd=1,reconnect=1", "reconnect= does not go with fd=" },
		{ "path=x,websocket=on",
		  "property 'websocket' of 'chardev-socket': websocket is not supported" },
		{ "path=x,tls-creds=t",
		  "property 'tls-creds' of 'chardev-socket': TLS is not supported" },
		{ "path=x,server=maybe",
		  "property 'server' of 'chardev-socket': 'maybe' is neither 'on' nor 'off'" },
	};

	world_init();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = g_strdup_printf("character device 'x': %s", rows[i].text);

		expect_failure("socket", rows[i].options, text);
		g_free(text);
	}
	world_fini();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/socket/server", test_server_serves_one_after_the_other);
	g_test_add_func("/chardev/socket/unix", test_unix_server_owns_its_path);
	g_test_add_func("/chardev/socket/abstract", test_abstract_server);
	g_test_add_func("/chardev/socket/no-server", test_client_without_server_is_an_error);
	g_test_add_func("/chardev/socket/reconnect", test_reconnect_keeps_trying);
	g_test_add_func("/chardev/socket/wait", test_wait_starts_with_the_peer);
	g_test_add_func("/chardev/socket/to", test_to_takes_the_next_free_port);
	g_test_add_func("/chardev/socket/telnet", test_telnet);
	g_test_add_func("/chardev/socket/telnet-flood", test_telnet_flood_is_bounded);
	g_test_add_func("/chardev/socket/fd", test_handed_over_descriptors);
	g_test_add_func("/chardev/socket/conflicts", test_options_that_do_not_go_together);
	return g_test_run();
}
