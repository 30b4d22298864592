/* chardev/socket_addr.h - addresses of sockets from the words of the command line.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

enum tristate { TRI_UNSET, TRI_OFF, TRI_ON };

struct socket_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* What one name stands for, best first. */
struct socket_addrs {
	struct socket_addr *list;
	unsigned count;
	char *text; /* as the user wrote it */
};

/* An abstract name that is not `tight` fills its whole field with NULs. */
bool socket_addr_unix(struct socket_addrs *out, const char *path, bool is_abstract, bool is_tight,
		      struct err *err);
/* An empty host is any address for a server, this host for a client.  ipv4, ipv6: enum tristate;
 * one that is on switches the other off unless it is on too.  May block (name servers). */
bool socket_addr_inet(struct socket_addrs *out, const char *host, const char *port, int ipv4,
		      int ipv6, bool is_server, struct err *err);
void socket_addrs_fini(struct socket_addrs *a);

/* 0 of what has no port. */
uint16_t socket_addr_port(const struct socket_addr *a);
void socket_addr_set_port(struct socket_addr *a, uint16_t port);
/* "127.0.0.1:4321", "[::1]:4321", "unix:PATH", "abstract:NAME": what fd is bound to; g_free(). */
char *socket_addr_of(int fd);
