/* event/thread.h - start a helper thread.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct err;

/* A joinable thread under `name` (the first 15 bytes show in ps and gdb).  Signals that are sent to
 * the process go to other threads; faults of its own do reach it. */
bool thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *opaque,
		  struct err *err);
