/* jit/x64/run_flags.c - the six flags of a recipe, by doing its operation again on this host.
 * SPDX-License-Identifier: MIT */
#include "base/bits.h"
#include "jit/interp_slow.h"
#include "jit/x64/lower.h"

/* LAHF and SETO: SF ZF AF PF CF in AH as in EFLAGS, OF in AL. */
static uint32_t six(uint32_t ax) { return (ax >> 8 & 0xd5) | (ax & 1) << 11; }

#define DO(op, type, x, y)                                \
	({                                                \
		type x_ = (type)(x);                      \
		uint32_t ax_;                             \
		__asm__(op " %2, %1\n\tlahf\n\tseto %%al" \
			: "=&a"(ax_), "+r"(x_)            \
			: "r"((type)(y))                  \
			: "cc");                          \
		six(ax_);                                 \
	})
#define SIZED(op, size, x, y)                       \
	((size) == 3   ? DO(op "q", uint64_t, x, y) \
	 : (size) == 2 ? DO(op "l", uint32_t, x, y) \
	 : (size) == 1 ? DO(op "w", uint16_t, x, y) \
		       : DO(op "b", uint8_t, x, y))

static inline bool flags_now(const struct jit_env *env, uint32_t *flags)
{
	unsigned form = env->flags_kind >> 16, size = env->flags_kind >> 8 & 3;
	uint64_t a = env->flags_a, b = env->flags_b;

	switch (env->flags_kind & 0xff) {
	case IR_ADD: *flags = SIZED("add", size, form == FORM_RB ? a - b : a, b); return true;
	case IR_SUB: *flags = SIZED("cmp", size, form == FORM_RB ? a + b : a, b); return true;
	case IR_INC: /* the carry is that of before */
		*flags = SIZED("add", size, form == FORM_R ? a - 1 : a, 1);
		*flags = (*flags & ~(uint32_t)IR_C) | (env->flags_c & IR_C);
		return true;
	case IR_DEC:
		*flags = SIZED("sub", size, form == FORM_R ? a + 1 : a, 1);
		*flags = (*flags & ~(uint32_t)IR_C) | (env->flags_c & IR_C);
		return true;
	case IR_OR:
	case IR_XOR:
	case IR_ANDN:
	case IR_AND: /* A is undefined on the host, and 0 here */
		if (form != FORM_R && (env->flags_kind & 0xff) != IR_AND)
			return false;
		*flags = SIZED("test", size, a, form == FORM_R ? a : b) & ~(uint32_t)IR_A;
		return true;
	default: return false;
	}
}

void x64_flags_sync(struct jit_env *env, const struct ir_state_desc *desc)
{
	uint32_t *slot = (uint32_t *)(void *)((char *)env + desc->flags_offset), flags;

	if (!env->flags_kind)
		return;
	if (likely(flags_now(env, &flags))) {
		*slot = (*slot & ~(uint32_t)IR_FLAGS_ALL) | flags;
		env->flags_kind = 0;
		return;
	}
	x64_flags_normalize(env);
	interp_flags_sync(env, desc);
}
