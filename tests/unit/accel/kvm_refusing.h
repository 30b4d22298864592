/* tests/unit/accel/kvm_refusing.h - in place of accel/kvm/ioctl.c: a kernel that refuses what a
 * test wants. SPDX-License-Identifier: MIT */
#pragma once

#include <errno.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm.h"

/* Asked before each call: 0: let it through, or -errno. */
static int (*kvm_refusal)(unsigned long what);

static int kvm_call(int fd, unsigned long what, unsigned long arg)
{
	int r = kvm_refusal(what);

	if (r < 0)
		return r;
	do
		r = ioctl(fd, what, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int kvm_ioctl(int fd, unsigned long what, const void *arg)
{
	return kvm_call(fd, what, (unsigned long)arg);
}

int kvm_ioctl_value(int fd, unsigned long what, unsigned long value)
{
	return kvm_call(fd, what, value);
}
