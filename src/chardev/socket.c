/* chardev/socket.c - a stream socket: client or server, unix or TCP, telnet if asked for.
 *
 * A server has one peer at a time; others wait in the kernel's queue.  A client that may reconnect
 * never fails to start: it keeps trying.  Names are resolved once, before the guest runs, since
 * getaddrinfo() blocks.  Addresses: socket_addr.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev_impl.h"
#include "chardev/socket_addr.h"
#include "chardev/telnet.h"
#include "event/clock.h"
#include "event/loop.h"

enum { NS_PER_S = 1000000000, BACKLOG = 1 };

struct socket_chardev {
	struct chardev chr;

	/* properties */
	char *path, *host, *port, *fd_text;
	uint16_t to;
	int server, wait, ipv4, ipv6; /* enum tristate */
	bool is_telnet, has_nodelay, is_abstract, is_tight;
	uint32_t reconnect_s;

	struct socket_addrs addrs; /* const after open */
	unsigned next_addr;        /* loop thread: which one is being tried */
	int listen_fd;             /* const after open; -1: a client */
	int connect_fd;            /* loop thread; -1: not connecting */
	struct loop_fd *listen_watch, *connect_watch;
	struct timer retry;
	char *bound_path;     /* const after open: to remove in the end */
	struct telnet telnet; /* loop thread */
};

static struct socket_chardev *sock(struct chardev *c)
{
	return container_of(c, struct socket_chardev, chr);
}

/* ---- connected ------------------------------------------------------------------------------- */

static void set_doubling(struct chardev *c, bool on)
{
	lock_take(&c->lock);
	c->is_doubling_iac = on;
	lock_drop(&c->lock);
}

static bool peer_came(struct socket_chardev *s, int fd, struct err *err)
{
	struct chardev *c = &s->chr;
	int one = 1;

	if (s->has_nodelay) /* fails on what is not TCP, where there is no delay */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!chardev_set_fds(c, fd, fd, err))
		return false;
	set_doubling(c, s->is_telnet);
	chardev_set_open(c, true);
	if (s->is_telnet) {
		s->telnet = (struct telnet){ 0 };
		chardev_write_whole(c, telnet_hello, sizeof(telnet_hello));
	}
	return true;
}

static void socket_input(struct chardev *c, const struct chardev_user *user, void *opaque,
			 uint8_t *buf, size_t len)
{
	struct socket_chardev *s = sock(c);
	enum telnet_event event;
	uint8_t reply[3];
	size_t n;

	if (!s->is_telnet) {
		user->receive(opaque, buf, len);
		return;
	}
	while (len) {
		size_t used = telnet_decode(&s->telnet, buf, len, buf, &n, &event, reply);

		if (n)
			user->receive(opaque, buf, n);
		if (event == TELNET_BREAK && user->event)
			user->event(opaque, CHARDEV_BREAK);
		if (event == TELNET_REPLY) /* a peer that does not read gets none */
			chardev_write_whole(c, reply, sizeof(reply));
		buf += used;
		len -= used;
	}
}

/* ---- client ---------------------------------------------------------------------------------- */

static void connect_start(struct socket_chardev *s);

static void retry_later(struct socket_chardev *s)
{
	s->next_addr = 0;
	timer_arm(&s->retry, clock_host_ns() + (int64_t)s->reconnect_s * NS_PER_S);
}

static void set_listening(struct socket_chardev *s, bool on)
{
	if (s->listen_watch)
		loop_watch_set(s->listen_watch, on ? LOOP_READ : 0);
}

static void on_retry(void *opaque)
{
	struct socket_chardev *s = opaque;

	if (s->listen_fd >= 0)
		set_listening(s, true);
	else
		connect_start(s);
}

static void connect_close(struct socket_chardev *s)
{
	if (s->connect_watch)
		loop_unwatch(s->connect_watch);
	if (s->connect_fd >= 0)
		close(s->connect_fd);
	s->connect_watch = NULL;
	s->connect_fd = -1;
}

static void connect_failed(struct socket_chardev *s)
{
	connect_close(s);
	if (++s->next_addr < s->addrs.count)
		connect_start(s);
	else
		retry_later(s);
}

static void connect_done(struct socket_chardev *s)
{
	int fd = s->connect_fd;
	struct err err;

	s->connect_fd = -1;
	connect_close(s);
	s->next_addr = 0;
	if (!peer_came(s, fd, &err))
		retry_later(s);
}

static void on_connect(void *opaque, unsigned events)
{
	struct socket_chardev *s = opaque;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)events;
	if (getsockopt(s->connect_fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)
		connect_failed(s);
	else
		connect_done(s);
}

/* One attempt at s->next_addr; ends in connect_done(), connect_failed() or on_connect(). */
static void connect_start(struct socket_chardev *s)
{
	const struct socket_addr *a = &s->addrs.list[s->next_addr];

	s->connect_fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->connect_fd < 0) {
		connect_failed(s);
	} else if (connect(s->connect_fd, (const struct sockaddr *)&a->sa, a->len) == 0) {
		connect_done(s);
	} else if (errno != EINPROGRESS) {
		connect_failed(s);
	} else {
		s->connect_watch = loop_watch(s->chr.loop, s->connect_fd, LOOP_WRITE, on_connect,
					      s);
		if (!s->connect_watch)
			connect_failed(s);
	}
}

/* Waiting before the guest runs: signals that are kept for the loop shall end it now. */
static bool wait_ready(int fd, short events)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct pollfd p = { .fd = fd, .events = events };
	sigset_t mask;
	int n;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (unsigned i = 0; i < ARRAY_SIZE(ending); i++)
		sigdelset(&mask, ending[i]);
	do
		n = ppoll(&p, 1, NULL, &mask);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* A connected descriptor, or -1 and errno. */
static int connect_now(const struct socket_addr *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(int);
	int error = 0;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return fd;
	error = errno;
	if (error == EINPROGRESS && wait_ready(fd, POLLOUT) &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && !error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

static bool open_client(struct socket_chardev *s, struct err *err)
{
	int fd = -1;

	if (s->reconnect_s) {
		connect_start(s);
		return true;
	}
	for (unsigned i = 0; fd < 0 && i < s->addrs.count; i++)
		fd = connect_now(&s->addrs.list[i]);
	if (fd < 0)
		return err_errno(err, errno, "cannot connect to '%s'", s->addrs.text);
	return peer_came(s, fd, err);
}

/* ---- server ---------------------------------------------------------------------------------- */

static void on_listen(void *opaque, unsigned events)
{
	struct socket_chardev *s = opaque;
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct err err;

	(void)events;
	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return; /* gone again */
	set_listening(s, false);
	if (fd < 0 || !peer_came(s, fd, &err)) /* out of descriptors: not at once again */
		timer_arm(&s->retry, clock_host_ns() + NS_PER_S);
}

static int bind_one(struct socket_chardev *s, struct socket_addr *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, error;
	struct stat st;

	if (fd < 0)
		return -1;
	if (a->sa.ss_family == AF_UNIX) {
		/* Left by one that was killed. */
		if (!s->is_abstract && lstat(s->path, &st) == 0 && S_ISSOCK(st.st_mode))
			unlink(s->path);
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	}
	if (a->sa.ss_family == AF_INET6 && s->ipv4 == TRI_OFF)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* The first address and port from port= to to= that can be had. */
static int bind_any(struct socket_chardev *s)
{
	unsigned first = socket_addr_port(&s->addrs.list[0]);
	unsigned last = s->to > first ? s->to : first;

	for (unsigned port = first; port <= last; port++) {
		for (unsigned i = 0; i < s->addrs.count; i++) {
			struct socket_addr *a = &s->addrs.list[i];
			int fd;

			socket_addr_set_port(a, (uint16_t)port);
			fd = bind_one(s, a);
			if (fd >= 0)
				return fd;
		}
	}
	return -1;
}

static bool start_server(struct socket_chardev *s, int fd, struct err *err)
{
	struct chardev *c = &s->chr;
	int peer;

	s->listen_fd = fd;
	s->listen_watch = loop_watch(c->loop, fd, 0, on_listen, s);
	if (!s->listen_watch)
		return err_errno(err, errno, "cannot wait for connections");
	if (s->wait == TRI_OFF) {
		set_listening(s, true);
		return true;
	}
	log_line("character device '%s': waiting for a connection on %s",
		 c->obj.name ? c->obj.name : "?", s->addrs.text ? s->addrs.text : "its socket");
	do
		peer = wait_ready(fd, POLLIN)
			       ? accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
			       : -1;
	while (peer < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR));
	if (peer < 0)
		return err_errno(err, errno, "cannot accept a connection");
	return peer_came(s, peer, err);
}

static bool open_server(struct socket_chardev *s, struct err *err)
{
	int fd = bind_any(s);

	if (fd < 0)
		return err_errno(err, errno, "cannot listen on '%s'", s->addrs.text);
	if (s->path && !s->is_abstract)
		s->bound_path = g_canonicalize_filename(s->path, NULL);
	return start_server(s, fd, err);
}

/* The peer is gone: wait for the next one, or call again. */
static void socket_hangup(struct chardev *c)
{
	struct socket_chardev *s = sock(c);

	chardev_drop_fds(c);
	chardev_set_open(c, false);
	if (s->listen_fd >= 0)
		set_listening(s, true);
	else if (s->reconnect_s)
		retry_later(s);
}

/* ---- a descriptor that was handed over ------------------------------------------------------- */

static bool open_given(struct socket_chardev *s, struct err *err)
{
	bool is_server = s->server == TRI_ON;
	int listening = 0, type = 0;
	socklen_t len = sizeof(int);
	uint64_t number;
	struct stat st;
	int fd;

	if (!value_parse_u64(s->fd_text, &number, err) || number > INT32_MAX)
		return err_set(err, EINVAL, "fd='%s' is not a descriptor", s->fd_text);
	fd = (int)number;
	if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
		return err_set(err, ENOTSOCK, "fd=%d is not an open socket", fd);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	len = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
	if (type != SOCK_STREAM)
		return err_set(err, EPROTOTYPE, "fd=%d is not a stream socket", fd);
	if (is_server != !!listening)
		return err_set(err, EINVAL, "fd=%d is %s socket; say server=%s", fd,
			       listening ? "a listening" : "no listening",
			       listening ? "on" : "off");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!is_server)
		return peer_came(s, fd, err);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return start_server(s, fd, err);
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool check_options(struct socket_chardev *s, struct err *err)
{
	bool is_server = s->server == TRI_ON;

	if (!!s->path + !!(s->host || s->port) + !!s->fd_text != 1)
		return err_set(err, EINVAL, "needs one of path=, host= with port=, and fd=");
	if ((s->host || s->port) && !s->port)
		return err_set(err, EINVAL, "host= needs a port=");
	if (!s->port && (s->ipv4 != TRI_UNSET || s->ipv6 != TRI_UNSET || s->to))
		return err_set(err, EINVAL, "ipv4=, ipv6= and to= go with port= only");
	if (s->ipv4 == TRI_OFF && s->ipv6 == TRI_OFF)
		return err_set(err, EINVAL, "ipv4=off,ipv6=off leaves nothing");
	if (s->is_abstract && !s->path)
		return err_set(err, EINVAL, "abstract= goes with path= only");
	if (!is_server && s->wait != TRI_UNSET)
		return err_set(err, EINVAL, "wait= goes with server=on only");
	if (!is_server && s->to)
		return err_set(err, EINVAL, "to= goes with server=on only");
	if (is_server && s->reconnect_s)
		return err_set(err, EINVAL, "reconnect= does not go with server=on");
	if (s->fd_text && s->reconnect_s)
		return err_set(err, EINVAL, "reconnect= does not go with fd=");
	return true;
}

static bool socket_open(struct chardev *c, struct err *err)
{
	struct socket_chardev *s = sock(c);
	bool is_server = s->server == TRI_ON;

	timer_init(&s->retry, c->loop, NULL, NULL, on_retry, s);
	if (!check_options(s, err))
		return false;
	if (s->fd_text)
		return open_given(s, err);
	if (s->path && !socket_addr_unix(&s->addrs, s->path, s->is_abstract, s->is_tight, err))
		return false;
	if (!s->path &&
	    !socket_addr_inet(&s->addrs, s->host, s->port, s->ipv4, s->ipv6, is_server, err))
		return false;
	return is_server ? open_server(s, err) : open_client(s, err);
}

static void socket_init(struct object *o)
{
	struct socket_chardev *s = sock(chardev_from_object(o));

	s->listen_fd = s->connect_fd = -1;
}

static void socket_fini(struct object *o)
{
	struct socket_chardev *s = sock(chardev_from_object(o));

	timer_fini(&s->retry);
	connect_close(s);
	if (s->listen_watch)
		loop_unwatch(s->listen_watch);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->bound_path)
		unlink(s->bound_path);
	g_free(s->bound_path);
	socket_addrs_fini(&s->addrs);
}

/* ---- properties ------------------------------------------------------------------------------ */

static bool set_tristate(struct object *o, const struct prop *p, const char *value, struct err *err)
{
	bool on;

	if (!value_parse_bool(value, &on, err))
		return false;
	*(int *)(void *)((char *)o + p->offset) = on ? TRI_ON : TRI_OFF;
	return true;
}

static char *get_tristate(struct object *o, const struct prop *p)
{
	static const char *const words[] = { "auto", "off", "on" };

	return g_strdup(words[*(int *)(void *)((char *)o + p->offset)]);
}

static bool refuse_tls(struct object *o, const struct prop *p, const char *value, struct err *err)
{
	(void)o;
	(void)p;
	(void)value;
	return err_set(err, ENOTSUP, "TLS is not supported");
}

static bool refuse_websocket(struct object *o, const struct prop *p, const char *value,
			     struct err *err)
{
	bool on;

	(void)o;
	(void)p;
	if (!value_parse_bool(value, &on, err))
		return false;
	return !on || err_set(err, ENOTSUP, "websocket is not supported");
}

/* Where a server can be reached, as the kernel tells it: port=0 takes any. */
static char *get_address(struct object *o, const struct prop *p)
{
	struct socket_chardev *s = sock(chardev_from_object(o));
	int fd = s->listen_fd >= 0 ? s->listen_fd : s->chr.in_fd;

	(void)p;
	return socket_addr_of(fd);
}

#define TRI(m, name, ...)                             \
	PROP_CUSTOM(name, set_tristate, get_tristate, \
		    .offset = offsetof(struct socket_chardev, m), __VA_ARGS__)

/* clang-format off */
static const struct prop socket_props[] = {
	PROP_STR(struct socket_chardev, path, "path", .help = "unix: path of the socket"),
	PROP_BOOL(struct socket_chardev, is_abstract, "abstract", false, .help = "unix: path is an abstract name"),
	PROP_BOOL(struct socket_chardev, is_tight, "tight", true, .help = "unix: an abstract name ends with its last letter"),
	PROP_STR(struct socket_chardev, host, "host", .help = "TCP: name or address"),
	PROP_STR(struct socket_chardev, port, "port", .help = "TCP: number or name of the service"),
	PROP_NUM(struct socket_chardev, to, "to", 0, .help = "TCP server: last port to try"),
	TRI(ipv4, "ipv4", .help = "TCP: use IPv4"),
	TRI(ipv6, "ipv6", .help = "TCP: use IPv6"),
	PROP_STR(struct socket_chardev, fd_text, "fd", .help = "a socket that is open already"),
	TRI(server, "server", .def_str = "off", .help = "wait for connections instead of making one"),
	TRI(wait, "wait", .def_str = "on", .help = "server: start when somebody has connected"),
	PROP_NUM(struct socket_chardev, reconnect_s, "reconnect", 0, .help = "client: seconds until it tries again; 0: never"),
	PROP_BOOL(struct socket_chardev, is_telnet, "telnet", false, .help = "speak the telnet protocol"),
	PROP_BOOL(struct socket_chardev, has_nodelay, "nodelay", false, .help = "TCP: send small packets at once"),
	PROP_CUSTOM("websocket", refuse_websocket, NULL, .def_str = "off", .help = "not supported"),
	PROP_CUSTOM("tls-creds", refuse_tls, NULL, .help = "not supported"),
	PROP_CUSTOM("tls-authz", refuse_tls, NULL, .help = "not supported"),
	PROP_CUSTOM("address", NULL, get_address, .is_read_only = true),
	{ 0 },
};
/* clang-format on */

const struct chardev_type chardev_socket_type = {
	.base = { .name = "chardev-socket",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct socket_chardev),
		  .props = socket_props,
		  .init = socket_init,
		  .fini = socket_fini,
		  .help = "a unix or TCP socket" },
	.ops = { .open = socket_open, .input = socket_input, .hangup = socket_hangup },
};
