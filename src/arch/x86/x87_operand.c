/* arch/x86/x87_operand.c - x87 memory operands.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/x87_operand.h"

/* A NaN keeps its payload and whether it signals: the operation picks among the operands' NaNs by
 * what they were (SDM vol. 1 table 4-7). */
static struct f80 widen_f32(uint32_t v, struct fp_env *e)
{
	if ((v & 0x7fffffff) > 0x7f800000)
		return (struct f80){ .frac = UINT64_C(1) << 63 | (uint64_t)v << 41 >> 1,
				     .sexp = (uint16_t)(v >> 16 & 0x8000) | 0x7fff };
	return f80_from_f32(v, e);
}

static struct f80 widen_f64(uint64_t v, struct fp_env *e)
{
	if ((v & (UINT64_MAX >> 1)) > UINT64_C(0x7ff0000000000000))
		return (struct f80){ .frac = UINT64_C(1) << 63 | v << 12 >> 1,
				     .sexp = (uint16_t)(v >> 48 & 0x8000) | 0x7fff };
	return f80_from_f64(v, e);
}

struct f80 x87_memory(uint64_t rule, uint64_t value, bool *was_denormal)
{
	struct fp_env e = { .masks = FP_ALL_FLAGS };
	struct f80 r;

	switch (x87_opcode(rule) >> 1 & 3) {
	case 0: r = widen_f32((uint32_t)value, &e); break;
	case 1: r = f80_from_i64((int32_t)value); break;
	case 2: r = widen_f64(value, &e); break;
	default: r = f80_from_i64((int16_t)value); break;
	}
	*was_denormal = e.flags & FP_DENORMAL;
	return r;
}

struct f80 x87_with_memory(struct f80 a, uint64_t rule, uint64_t value,
			   struct f80 (*op)(struct f80 a, struct f80 b, struct fp_env *e),
			   bool is_reversed, struct fp_env *e)
{
	bool was_denormal;
	struct f80 b = x87_memory(rule, value, &was_denormal);

	if (unlikely(was_denormal)) {
		/* Would a denormal register have raised #D? */
		struct fp_env trial = *e;
		struct f80 d = x87_denormal_like(b);

		if (is_reversed)
			op(d, a, &trial);
		else
			op(a, d, &trial);
		e->flags |= trial.flags & FP_DENORMAL;
	}
	return is_reversed ? op(b, a, e) : op(a, b, e);
}
