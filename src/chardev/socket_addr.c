/* chardev/socket_addr.c - addresses of sockets from the words of the command line.
 * SPDX-License-Identifier: MIT */
#include "chardev/socket_addr.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include <glib.h>

#include "base/err.h"

enum { HOST_TEXT = 64, PORT_TEXT = 16 };

bool socket_addr_unix(struct socket_addrs *out, const char *path, bool is_abstract, bool is_tight,
		      struct err *err)
{
	struct sockaddr_un *un;
	size_t len = strlen(path), max = sizeof(un->sun_path) - 1;

	if (!len || len > max)
		return err_set(err, EINVAL, "socket path '%s' is %s", path,
			       len ? "too long (107 bytes at most)" : "empty");
	*out = (struct socket_addrs){ g_new0(struct socket_addr, 1), 1, g_strdup(path) };
	un = (struct sockaddr_un *)&out->list[0].sa;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + is_abstract, path, len);
	out->list[0].len = sizeof(*un);
	if (!is_abstract || is_tight)
		out->list[0].len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return true;
}

static int family_of(int ipv4, int ipv6)
{
	if (ipv4 == TRI_OFF || (ipv6 == TRI_ON && ipv4 != TRI_ON))
		return AF_INET6;
	if (ipv6 == TRI_OFF || (ipv4 == TRI_ON && ipv6 != TRI_ON))
		return AF_INET;
	return AF_UNSPEC;
}

bool socket_addr_inet(struct socket_addrs *out, const char *host, const char *port, int ipv4,
		      int ipv6, bool is_server, struct err *err)
{
	struct addrinfo hints = {
		.ai_family = family_of(ipv4, ipv6),
		.ai_socktype = SOCK_STREAM,
		.ai_flags = is_server ? AI_PASSIVE : 0,
	};
	struct addrinfo *found = NULL;
	unsigned n = 0;
	int error;

	if (host && !*host)
		host = NULL;
	/* getaddrinfo() would cut it to 16 bits */
	if (g_ascii_isdigit(*port) && !g_ascii_string_to_unsigned(port, 10, 0, 65535, NULL, NULL))
		return err_set(err, EINVAL, "port '%s' is not a number from 0 to 65535", port);
	error = getaddrinfo(host, port, &hints, &found);
	if (error)
		return err_set(err, EINVAL, "cannot find address '%s:%s': %s", host ? host : "",
			       port, gai_strerror(error));
	for (struct addrinfo *a = found; a; a = a->ai_next)
		n++;
	*out = (struct socket_addrs){ g_new0(struct socket_addr, n), 0,
				      g_strdup_printf("%s:%s", host ? host : "", port) };
	for (struct addrinfo *a = found; a; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(out->list[0].sa))
			continue;
		memcpy(&out->list[out->count].sa, a->ai_addr, a->ai_addrlen);
		out->list[out->count++].len = a->ai_addrlen;
	}
	freeaddrinfo(found);
	return true;
}

void socket_addrs_fini(struct socket_addrs *a)
{
	g_free(a->list);
	g_free(a->text);
	*a = (struct socket_addrs){ 0 };
}

/* Both families keep the port at the same place, but that is not for us to know. */
static in_port_t *port_field(struct socket_addr *a)
{
	if (a->sa.ss_family == AF_INET)
		return &((struct sockaddr_in *)&a->sa)->sin_port;
	if (a->sa.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&a->sa)->sin6_port;
	return NULL;
}

uint16_t socket_addr_port(const struct socket_addr *a)
{
	struct socket_addr copy = *a;
	in_port_t *port = port_field(&copy);

	return port ? ntohs(*port) : 0;
}

void socket_addr_set_port(struct socket_addr *a, uint16_t port)
{
	in_port_t *field = port_field(a);

	if (field)
		*field = htons(port);
}

static char *unix_text(const struct sockaddr_un *un, socklen_t len)
{
	size_t max = len - offsetof(struct sockaddr_un, sun_path);

	if (len <= offsetof(struct sockaddr_un, sun_path))
		return g_strdup("unix:");
	if (!un->sun_path[0])
		return g_strdup_printf("abstract:%.*s", (int)max - 1, un->sun_path + 1);
	return g_strdup_printf("unix:%.*s", (int)max, un->sun_path);
}

char *socket_addr_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[HOST_TEXT], port[PORT_TEXT];

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return g_strdup("");
	if (sa.ss_family == AF_UNIX)
		return unix_text((const struct sockaddr_un *)&sa, len);
	if (getnameinfo((const struct sockaddr *)&sa, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return g_strdup("");
	return g_strdup_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}
