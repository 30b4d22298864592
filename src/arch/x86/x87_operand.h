/* arch/x86/x87_operand.h - operands of x87 arithmetic: checks common to its instructions, and
 * memory operands.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "arch/x86/x87.h"

/* ST0 = op(ST0). */
static inline void x87_unary(struct x86_cpu *c, uint64_t rule,
			     struct f80 (*op)(struct f80 a, struct fp_env *e))
{
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 r = f80_indefinite();

	if (x87_is_empty(c, 0)) {
		if (!x87_underflow(c, rule))
			return;
	} else {
		r = op(x87_get(c, 0), &e);
		if (!x87_commit(c, rule, &e))
			return;
	}
	x87_put(c, 0, r);
}

/* ST(dst) = op(ST0, ST1); dst 1 also pops. */
static inline void x87_binary(struct x86_cpu *c, uint64_t rule,
			      struct f80 (*op)(struct f80 a, struct f80 b, struct fp_env *e),
			      unsigned dst)
{
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 r = f80_indefinite();

	if (x87_is_empty(c, 0) || x87_is_empty(c, 1)) {
		if (!x87_underflow(c, rule))
			return;
	} else {
		r = op(x87_get(c, 0), x87_get(c, 1), &e);
		if (!x87_commit(c, rule, &e))
			return;
	}
	x87_put(c, dst, r);
	if (dst)
		x87_pop(c);
}

/* For instructions that replace ST0 and push: is ST0 there, and room above it?  False: the stack
 * fault was reported. */
static inline bool x87_can_push_result(struct x86_cpu *c, uint64_t rule)
{
	if (x87_is_empty(c, 0))
		x87_underflow(c, rule);
	else if (!x87_is_empty(c, 7))
		x87_overflow(c, rule);
	else
		return true;
	return false;
}

/* op(a, memory operand), or the other way round.  Opcodes D8 DC: m32, m64 real; DA DE: m32, m16
 * integer.  Exceptions are those of one operation, not of a conversion and an operation. */
struct f80 x87_with_memory(struct f80 a, uint64_t rule, uint64_t value,
			   struct f80 (*op)(struct f80 a, struct f80 b, struct fp_env *e),
			   bool is_reversed, struct fp_env *e);
/* The memory operand widened; *was_denormal: it was, and its widened form no longer is. */
struct f80 x87_memory(uint64_t rule, uint64_t value, bool *was_denormal);
/* A denormal of the same sign. */
static inline struct f80 x87_denormal_like(struct f80 v)
{
	return (struct f80){ .frac = 1, .sexp = v.sexp & 0x8000 };
}
