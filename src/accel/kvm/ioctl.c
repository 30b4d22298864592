/* accel/kvm/ioctl.c - the calls to the kernel.  A file of its own: tests have a kernel of their
 * own.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm.h"

int kvm_ioctl(int fd, unsigned long what, const void *arg)
{
	int r;

	do
		r = ioctl(fd, what, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int kvm_ioctl_value(int fd, unsigned long what, unsigned long value)
{
	int r;

	do
		r = ioctl(fd, what, value);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}
