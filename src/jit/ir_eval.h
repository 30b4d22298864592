/* jit/ir_eval.h - what each arithmetic operation means: the value and the six flags.
 * The constant folder, and the interpreter where it evaluates flags late, both ask here.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/ir.h"

/* a and b are cut to the size here; c is a flags value.  Codes of pure arithmetic operations only
 * (ADD ... POPCNT, FLAGS_OF). */
uint64_t ir_eval_value(enum ir_code code, unsigned size_log2, uint64_t a, uint64_t b, uint32_t c);
uint32_t ir_eval_flags(enum ir_code code, unsigned size_log2, uint64_t a, uint64_t b, uint32_t c);
bool ir_eval_cond(enum ir_cond cond, uint32_t flags);
/* Does a, a signed number, take more than `bits` bits? */
static inline bool ir_eval_wider(uint64_t a, unsigned bits)
{
	return (uint64_t)sign_extend(a, bits) != a;
}
bool ir_eval_cmp(enum ir_cmp cmp, unsigned size_log2, uint64_t a, uint64_t b);

static inline uint64_t ir_mask(unsigned size_log2)
{
	return ~UINT64_C(0) >> (64 - (8u << size_log2));
}
static inline uint64_t ir_cut(unsigned size_log2, uint64_t v) { return v & ir_mask(size_log2); }
static inline uint64_t ir_sign(unsigned size_log2, uint64_t v)
{
	return (uint64_t)sign_extend(v, 8u << size_log2);
}
