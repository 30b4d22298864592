/* tests/boot/ring0_rows.h - which rows of the encodings table a guest reaches.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct arch_ops;
struct err;

/* x86 with blocks of one instruction, each noted when it is translated, which is right before it
 * runs for the first time. */
const struct arch_ops *ring0_rows_arch(void);
/* A line for each row the host's processor cannot vouch for: its number, whether the guest reached
 * it (0, 1), its name. */
bool ring0_rows_write(const char *path, struct err *err);
