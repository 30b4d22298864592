/* base/fdset.h - sets of descriptors that a manager handed over (add-fd), opened by the name
 * /dev/fdset/ID wherever a file is named: a process that may open nothing can still use files.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { FDSET_MAX_FDS = 1024 }; /* in all sets together */

/* Put fd, which is the set's from here on, also on failure, into set `id`, made if there is none;
 * id < 0: a new set.  note (may be NULL) is the giver's remark.  The set's id, or -1. */
int64_t fdset_add(int64_t id, int fd, const char *note, struct err *err);
/* Close one descriptor of a set, or all (fd -1); a set that is empty is gone. */
bool fdset_remove(int64_t id, int fd, struct err *err);
/* In order of id, then as added. */
void fdset_each(void (*fn)(int64_t id, int fd, const char *note, void *), void *opaque);
void fdset_clear(void);
/* open(2) with O_CLOEXEC; /dev/fdset/ID gives a duplicate of the set's first descriptor that is
 * open in flags' access mode.  -1 and errno. */
int fdset_open(const char *path, int flags, unsigned mode);
