/* jit/x64/lower_div.c - DIV and IDIV: the host's own, whose operands are the guest's registers of
 * the same numbers.  What would raise #DE, and dividends longer than the divisor, are left to the
 * helper.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

static const struct ir_helper *helper_of(const struct ir_op *op)
{
	return (const void *)(uintptr_t)op->imm;
}

/* The divisor in a register that neither the division nor its checks use for something else. */
static unsigned divisor_in_reg(struct x64_compiler *c, unsigned v, unsigned size)
{
	unsigned reg = place_in_reg(c, v, size, 1u << S1);

	if (reg != S1 && reg != X64_RAX && reg != X64_RDX)
		return reg;
	place_settle(c, 0);
	place_evict(c, S0, true);
	x64_mov_rr(&c->a, 8, S0, reg);
	return S0;
}

/* The quotient fits where the upper half of the dividend is less than the divisor. */
static void check_unsigned(struct x64_asm *a, unsigned size, unsigned divisor, struct stub *s)
{
	unsigned high = X64_RDX;

	if (size == 1) {
		x64_movzx(a, 2, S1, x64_r(X64_RAX));
		x64_shift_i(a, X64_SHR, 4, x64_r(S1), 8);
		high = S1;
	}
	x64_alu_rr(a, X64_CMP, size, high, divisor);
	x64_jcc(a, X64_CC_AE, &s->in);
}

/* It does where the upper half is the sign of the lower one, but for the smallest by -1. */
static void check_signed(struct x64_asm *a, unsigned size, unsigned divisor, struct stub *s)
{
	if (size == 1) {
		x64_movsx(a, 4, 1, S1, x64_r(X64_RAX));
		x64_alu_rr(a, X64_CMP, 2, S1, X64_RAX);
	} else {
		x64_mov_rr(a, 8, S1, X64_RAX);
		x64_shift_i(a, X64_SAR, size, x64_r(S1), 8 * size - 1);
		x64_alu_rr(a, X64_CMP, size, S1, X64_RDX);
	}
	x64_jcc(a, X64_CC_NE, &s->in);
	x64_lea(a, 8, S1, x64_m(divisor, 1));
	x64_alu_i(a, X64_CMP, size, x64_r(S1), 1);
	x64_jcc(a, X64_CC_BE, &s->in);
}

bool lower_div(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	enum ir_host_op kind = (enum ir_host_op)helper_of(op)->host_op;
	unsigned size, divisor;
	struct stub *s;

	if (kind == IR_HOST_NONE || !op->b || op_at(c, op->b)->code != IR_CONST)
		return false;
	size = (unsigned)op_at(c, op->b)->imm;
	divisor = divisor_in_reg(c, op->a, size);
	place_evict(c, X64_RAX, false);
	place_evict(c, X64_RDX, false);
	s = vec_helper_stub(c, i, false);
	s->has_arg = true;
	s->arg[0] = (struct arg){ .valid = (uint8_t)size, .rm = x64_r(divisor) };
	if (kind == IR_HOST_DIV)
		check_unsigned(&c->a, size, divisor, s);
	else
		check_signed(&c->a, size, divisor, s);
	x64_unary(&c->a, kind == IR_HOST_DIV ? X64_DIV : X64_IDIV, size, x64_r(divisor));
	x64_bind(&c->a, &s->back);
	flags_lost(c);
	return true;
}
