/* jit/interp_slow.h - what the interpreter does out of line.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/env.h"
#include "jit/interp_ops.h"
#include "jit/ir.h"

/* code and size of an operation in one number, as env->flags_kind and interp_op hold it. */
static inline uint32_t interp_kind(unsigned code, unsigned size_log2)
{
	return code | size_log2 << 8;
}

uint64_t interp_value(uint32_t kind, uint64_t a, uint64_t b, uint32_t c);
uint32_t interp_flags(uint32_t kind, uint64_t a, uint64_t b, uint32_t c);
/* The recorded flags, or the slot's. */
uint32_t interp_flags_now(struct jit_env *env, const struct ir_state_desc *desc);
uint32_t interp_carry_now(struct jit_env *env, const struct ir_state_desc *desc);
/* Make the slot true. */
void interp_flags_sync(struct jit_env *env, const struct ir_state_desc *desc);

/* Memory; all return false on a fault. */
bool interp_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		 uint64_t *out);
bool interp_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, uint64_t v);
bool interp_vload(struct jit_env *env, gva_t addr, unsigned bytes, void *out);
bool interp_vstore(struct jit_env *env, gva_t addr, unsigned bytes, const void *in);
/* op->c: code | size_log2 << 8; operand b and (CAS) c of the IR are given as values. */
bool interp_atomic(struct jit_env *env, uint32_t kind, gva_t addr, uint64_t x, uint64_t y,
		   uint64_t *old);
