/* jit/interp_slow.c - flags evaluated late, memory behind a soft-TLB miss, atomic operations.
 * SPDX-License-Identifier: MIT */
#include "jit/interp_slow.h"

#include <string.h>

#include "jit/ir_eval.h"

uint64_t interp_value(uint32_t kind, uint64_t a, uint64_t b, uint32_t c)
{
	return ir_eval_value(kind & 0xff, kind >> 8, a, b, c);
}

uint32_t interp_flags(uint32_t kind, uint64_t a, uint64_t b, uint32_t c)
{
	return ir_eval_flags(kind & 0xff, kind >> 8, a, b, c);
}

static uint32_t *flags_slot(struct jit_env *env, const struct ir_state_desc *desc)
{
	return (uint32_t *)(void *)((char *)env + desc->flags_offset);
}

uint32_t interp_flags_now(struct jit_env *env, const struct ir_state_desc *desc)
{
	if (!env->flags_kind)
		return *flags_slot(env, desc) & IR_FLAGS_ALL;
	return interp_flags(env->flags_kind, env->flags_a, env->flags_b, env->flags_c);
}

uint32_t interp_carry_now(struct jit_env *env, const struct ir_state_desc *desc)
{
	unsigned sz = env->flags_kind >> 8 & 3;

	switch (env->flags_kind & 0xff) {
	case IR_NOP: return *flags_slot(env, desc) & IR_C;
	case IR_AND: return 0;
	case IR_INC:
	case IR_DEC: return env->flags_c & IR_C;
	case IR_SUB: return ir_cut(sz, env->flags_a) < ir_cut(sz, env->flags_b);
	case IR_ADD: return ir_cut(sz, env->flags_a + env->flags_b) < ir_cut(sz, env->flags_a);
	default: return interp_flags_now(env, desc) & IR_C;
	}
}

void interp_flags_sync(struct jit_env *env, const struct ir_state_desc *desc)
{
	uint32_t *slot = flags_slot(env, desc);

	if (!env->flags_kind)
		return;
	*slot = (*slot & ~(uint32_t)IR_FLAGS_ALL) | interp_flags_now(env, desc);
	env->flags_kind = 0;
}

/* ---- memory ---- */

bool interp_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		 uint64_t *out)
{
	*out = 0;
	return env->mem->load(env, view, addr, size, for_write, out);
}

bool interp_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, uint64_t v)
{
	return env->mem->store(env, view, addr, size, &v);
}

static void *find(struct jit_env *env, unsigned kind, gva_t addr, unsigned size)
{
	return tlb_find(&env->tlb[env->view], kind, addr, size);
}

bool interp_vload(struct jit_env *env, gva_t addr, unsigned bytes, void *out)
{
	const void *p = find(env, TLB_READ, addr, bytes);
	uint8_t tmp[64];

	if (p) {
		memcpy(out, p, bytes);
		return true;
	}
	/* All or nothing: a fault in the second half leaves the register alone. */
	if (!env->mem->load(env, env->view, addr, bytes, false, tmp))
		return false;
	memcpy(out, tmp, bytes);
	return true;
}

bool interp_vstore(struct jit_env *env, gva_t addr, unsigned bytes, const void *in)
{
	void *p = find(env, TLB_WRITE, addr, bytes);

	if (!p)
		return env->mem->store(env, env->view, addr, bytes, in);
	memcpy(p, in, bytes);
	return true;
}

/* ---- atomics ---- */

#define ATOMIC_OPS(type)                                                                       \
	static uint64_t atomic_##type(unsigned code, void *ptr, uint64_t x, uint64_t y)        \
	{                                                                                      \
		type *p = ptr, old = (type)x;                                                  \
                                                                                               \
		switch (code) {                                                                \
		case IR_ATOMIC_XCHG: return __atomic_exchange_n(p, (type)x, __ATOMIC_SEQ_CST); \
		case IR_ATOMIC_ADD: return __atomic_fetch_add(p, (type)x, __ATOMIC_SEQ_CST);   \
		case IR_ATOMIC_AND: return __atomic_fetch_and(p, (type)x, __ATOMIC_SEQ_CST);   \
		case IR_ATOMIC_OR: return __atomic_fetch_or(p, (type)x, __ATOMIC_SEQ_CST);     \
		case IR_ATOMIC_XOR: return __atomic_fetch_xor(p, (type)x, __ATOMIC_SEQ_CST);   \
		default:                                                                       \
			__atomic_compare_exchange_n(p, &old, (type)y, false, __ATOMIC_SEQ_CST, \
						    __ATOMIC_SEQ_CST);                         \
			return old;                                                            \
		}                                                                              \
	}
ATOMIC_OPS(uint8_t)
ATOMIC_OPS(uint16_t)
ATOMIC_OPS(uint32_t)
ATOMIC_OPS(uint64_t)

static uint64_t atomic_at(uint32_t kind, void *p, uint64_t x, uint64_t y)
{
	switch (kind >> 8) {
	case 0: return atomic_uint8_t(kind & 0xff, p, x, y);
	case 1: return atomic_uint16_t(kind & 0xff, p, x, y);
	case 2: return atomic_uint32_t(kind & 0xff, p, x, y);
	default: return atomic_uint64_t(kind & 0xff, p, x, y);
	}
}

static uint64_t updated(uint32_t kind, uint64_t old, uint64_t x, uint64_t y)
{
	switch (kind & 0xff) {
	case IR_ATOMIC_XCHG: return x;
	case IR_ATOMIC_ADD: return old + x;
	case IR_ATOMIC_AND: return old & x;
	case IR_ATOMIC_OR: return old | x;
	case IR_ATOMIC_XOR: return old ^ x;
	default: return ir_cut(kind >> 8, x) == old ? y : old;
	}
}

/* Split over a boundary, or not plain RAM: no other vCPU runs meanwhile. */
static bool atomic_exclusive(struct jit_env *env, uint32_t kind, gva_t addr, uint64_t x, uint64_t y,
			     uint64_t *old)
{
	unsigned size = 1u << (kind >> 8);
	bool ok;

	env->mem->exclusive_begin(env);
	ok = interp_load(env, env->view, addr, size, true, old) &&
	     interp_store(env, env->view, addr, size, updated(kind, *old, x, y));
	env->mem->exclusive_end(env);
	return ok;
}

bool interp_atomic(struct jit_env *env, uint32_t kind, gva_t addr, uint64_t x, uint64_t y,
		   uint64_t *old)
{
	unsigned size = 1u << (kind >> 8);
	bool fault = false;
	void *p = NULL;

	if (!(addr & (size - 1))) {
		p = tlb_find_first(&env->tlb[env->view], TLB_WRITE, addr, size);
		if (p) {
			*old = atomic_at(kind, p, x, y);
			return true;
		}
		p = env->mem->atomic_ptr(env, env->view, addr, size, &fault);
		if (fault)
			return false;
	}
	if (!p)
		return atomic_exclusive(env, kind, addr, x, y, old);
	*old = atomic_at(kind, p, x, y);
	env->mem->stored(env, env->view, addr, size);
	return true;
}
