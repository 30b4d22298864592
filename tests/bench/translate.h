/* tests/bench/translate.h - compiling to host code, where that can be.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct ir_block;

bool tier1_start(struct err *err);
/* Returns the bytes made. */
unsigned tier1_compile(const struct ir_block *ir, uint64_t pc);
