/* accel/xen/xen.h - is this a Xen host?
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct err;

/* Where a Xen host shows itself; NULL members: as Linux has them. */
struct xen_paths {
	const char *type;    /* /sys/hypervisor/type: what the kernel runs on */
	const char *privcmd; /* /dev/xen/privcmd: how the tool stack talks to it */
};

/* False: err says what is missing.  True: its version. */
bool xen_probe(const struct xen_paths *paths, unsigned *major, unsigned *minor, struct err *err);
