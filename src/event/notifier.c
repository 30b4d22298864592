/* event/notifier.c - an eventfd.
 * SPDX-License-Identifier: MIT */
#include "event/notifier.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

bool notifier_init(struct notifier *n, struct err *err)
{
	n->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return n->fd >= 0 || err_errno(err, errno, "cannot create an eventfd");
}

void notifier_fini(struct notifier *n)
{
	close(n->fd);
	n->fd = -1;
}

void notifier_signal(struct notifier *n)
{
	const uint64_t one = 1;
	int saved = errno;

	/* EAGAIN: the counter is full, so it is signalled already. */
	while (write(n->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = saved;
}

bool notifier_clear(struct notifier *n)
{
	uint64_t count;
	ssize_t len;

	do
		len = read(n->fd, &count, sizeof(count));
	while (len < 0 && errno == EINTR);
	return len == sizeof(count);
}
