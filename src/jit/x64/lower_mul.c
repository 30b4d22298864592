/* jit/x64/lower_mul.c - products that the host's two-operand IMUL does not make: their high halves,
 * and those of bytes.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

/* The high half of what fits 64 bits: widen, multiply, shift. */
static __attribute__((cold)) void high_narrow(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op);
	bool is_signed = op->code == IR_MULSH;
	struct alu_source b;

	place_in_reg(c, op->a, size, 0);
	alu_second(c, op, 0, &b);
	if (b.is_imm) {
		unsigned r = place_scratch(c, 1u << S0);

		x64_mov_ri(&c->a, r, (uint64_t)b.imm);
		b.rm = x64_r(r);
	}
	/* both to scratch registers: b first, as it may be one already */
	place_evict(c, S1, true);
	if (is_signed)
		x64_movsx(&c->a, 8, size, S1, b.rm);
	else
		x64_movzx(&c->a, size, S1, b.rm);
	place_settle(c, 0);
	place_evict(c, S0, true);
	place_copy(c, S0, op->a, size, true);
	if (is_signed)
		x64_movsx(&c->a, 8, size, S0, x64_r(S0));
	x64_imul(&c->a, 8, S0, x64_r(S1));
	x64_shift_i(&c->a, X64_SHR, 8, x64_r(S0), 8 * size);
	flags_lost(c);
	place_reg(c, i, S0, size == 4 ? 8 : size);
	if (size == 4)
		x64_mov_rr(&c->a, 4, S0, S0);
}

/* The second operand of a product of 8 bytes, which is no immediate; the first is not lazy. */
static struct alu_source factor(struct x64_compiler *c, const struct ir_op *op)
{
	struct alu_source b;
	unsigned r;

	alu_force_lazy(c, op->a, 8);
	alu_second(c, op, 0, &b);
	if (b.is_imm) {
		r = place_scratch(c, 0);
		x64_mov_ri(&c->a, r, (uint64_t)b.imm);
		b.rm = x64_r(r);
	}
	return b;
}

/* MULX takes one operand from RDX, which is lent where it is not there. */
static __attribute__((cold)) void high_unsigned(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned in_rdx = op->a, t = alu_pinned_dest(c, i);
	struct x64_rm rdx = { 0 };
	struct alu_source b;
	struct place p;
	bool is_there;

	b = factor(c, op);
	if (x64_rm_uses(b.rm, X64_RDX)) {
		in_rdx = op->b;
		b.rm = place_rm(c, op->a, 8, 0);
	}
	is_there = place_is_in(c, in_rdx, X64_RDX, 8);
	t = t == X64_NO_REG ? place_scratch(c, x64_rm_mask(b.rm)) : alu_dest(c, i, 0);
	if (!is_there && t != X64_RDX) {
		rdx = place_new_tmp(c, &p);
		x64_mov_to(&c->a, 8, rdx, X64_RDX);
	}
	if (!is_there)
		place_copy(c, X64_RDX, in_rdx, 8, false);
	x64_bmi_rvm(&c->a, X64_MULX, 8, t, t, b.rm);
	if (!is_there && t != X64_RDX)
		x64_mov(&c->a, 8, X64_RDX, rdx);
	place_reg(c, i, t, 8);
}

/* RDX:RAX are lent. */
static __attribute__((cold)) void high_signed(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct place t;
	struct x64_rm rax = place_new_tmp(c, &t), rdx = place_new_tmp(c, &t);
	struct alu_source b;

	b = factor(c, op);
	if (b.rm.kind != X64_RM_REG || b.rm.base != S1) {
		place_evict(c, S1, true);
		x64_mov(&c->a, 8, S1, b.rm);
	} else {
		place_evict(c, S1, true);
	}
	place_settle(c, 0);
	place_evict(c, S0, true);
	place_copy(c, S0, op->a, 8, false);
	x64_mov_to(&c->a, 8, rax, X64_RAX);
	x64_mov_to(&c->a, 8, rdx, X64_RDX);
	x64_mov_rr(&c->a, 8, X64_RAX, S0);
	x64_unary(&c->a, X64_IMUL, 8, x64_r(S1));
	flags_lost(c);
	x64_mov_rr(&c->a, 8, S0, X64_RDX);
	x64_mov(&c->a, 8, X64_RAX, rax);
	x64_mov(&c->a, 8, X64_RDX, rdx);
	place_reg(c, i, S0, 8);
}

/* There is no two-operand multiplication of bytes. */
void lower_mul_bytes(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct alu_source b;

	place_in_reg(c, op->a, 1, 0);
	alu_second(c, op, 0, &b);
	place_evict(c, S1, true);
	if (b.is_imm)
		x64_mov_ri(&c->a, S1, (uint64_t)b.imm);
	else
		x64_movzx(&c->a, 1, S1, b.rm);
	place_settle(c, 0);
	place_evict(c, S0, true);
	place_copy(c, S0, op->a, 1, true);
	x64_imul(&c->a, 4, S0, x64_r(S1));
	flags_lost(c);
	place_reg(c, i, S0, 1);
}

void lower_high_product(struct x64_compiler *c, unsigned i)
{
	if (ir_size(op_at(c, i)) < 8)
		high_narrow(c, i);
	else if (op_at(c, i)->code == IR_MULUH)
		high_unsigned(c, i);
	else
		high_signed(c, i);
}
