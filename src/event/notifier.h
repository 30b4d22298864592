/* event/notifier.h - an eventfd: wake somebody in another thread or process.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct err;

struct notifier {
	int fd;
};
bool notifier_init(struct notifier *n, struct err *err);
void notifier_fini(struct notifier *n);
/* Context: any thread, async-signal-safe. */
void notifier_signal(struct notifier *n);
/* True if it was signalled since the last call. */
bool notifier_clear(struct notifier *n);
