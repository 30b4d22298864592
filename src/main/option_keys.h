/* main/option_keys.h - the keys of options whose arguments are key=value pairs: what the parser
 * checks against, and what query-command-line-options tells.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "monitor/monitor.h"

struct err;
struct keyvals;

/* By QEMU's names of the groups ("smp-opts"); ends with name NULL. */
extern const struct monitor_option option_keys[];

/* Is every key of kv one of the group's?  `option` is the option as the user wrote it. */
bool option_keys_check(const struct keyvals *kv, const char *option, const char *group,
		       struct err *err);
