/* jit/x64/lower_cond.c - conditions: EFLAGS while they last, else made again from the recipe.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

static unsigned producer_size(const struct x64_compiler *c, unsigned f)
{
	return ir_size(op_at(c, f));
}

/* Shifts by a variable count may leave the flags of before: there is no short way. */
bool flags_are_opaque(const struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op = op_at(c, f);

	switch (op->code) {
	case IR_FLAGS_GET:
	case IR_FLAGS_OF:
	case IR_FLAGS_MERGE: return true;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROL:
	case IR_ROR: return !ir_has_imm(op);
	case IR_RCL:
	case IR_RCR: return true;
	case IR_MUL: return ir_size(op) == 1;
	case IR_ANDN: return ir_size(op) < 4;
	default: return false;
	}
}

/* ---- making EFLAGS again ---- */

static struct x64_rm operand(struct x64_compiler *c, const struct ir_op *op, unsigned avoid,
			     bool *is_imm, int64_t *imm)
{
	unsigned size = ir_size(op), reg;

	*is_imm = true;
	if (ir_has_imm(op)) {
		*imm = size == 8   ? (int64_t)op->imm
		       : size == 4 ? (int32_t)op->imm
		       : size == 2 ? (int16_t)op->imm
				   : (int8_t)op->imm;
		if (x64_fits32(*imm))
			return x64_r(0);
		*is_imm = false;
		reg = place_scratch(c, avoid);
		x64_mov_ri(&c->a, reg, op->imm);
		return x64_r(reg);
	}
	if (place_is_imm(c, op->b, size, imm))
		return x64_r(0);
	*is_imm = false;
	return place_rm(c, op->b, size, avoid);
}

/* CMP or TEST of the operands themselves: nothing is destroyed. */
static void compare(struct x64_compiler *c, const struct ir_op *op)
{
	unsigned size = ir_size(op), a;
	bool is_imm;
	int64_t imm;
	struct x64_rm b, m;

	if (place_has(c, op->a, size) && !ir_has_imm(op) && place_has(c, op->b, size)) {
		a = c->value[op->a].at.reg;
		b = x64_r(c->value[op->b].at.reg);
		if (op->code == IR_AND)
			x64_test(&c->a, size, b, a);
		else
			x64_alu(&c->a, X64_CMP, size, a, b);
		return;
	}
	/* First: that may move the second, where they share a register. */
	if (c->value[op->a].at.kind == PLACE_LAZY || c->value[op->a].at.kind == PLACE_REG)
		place_whole(c, op->a, size);
	b = operand(c, op, 0, &is_imm, &imm);
	if (is_imm) {
		m = place_rm(c, op->a, size, 0);
		if (op->code == IR_AND)
			x64_test_i(&c->a, size, m, imm);
		else if (!imm && m.kind == X64_RM_REG)
			x64_test(&c->a, size, m, m.base);
		else
			x64_alu_i(&c->a, X64_CMP, size, m, imm);
		return;
	}
	a = place_in_reg(c, op->a, size, x64_rm_mask(b));
	if (op->code == IR_AND)
		x64_test(&c->a, size, b, a);
	else
		x64_alu(&c->a, X64_CMP, size, a, b);
}

static void alu_with(struct x64_compiler *c, enum x64_alu alu, unsigned size, unsigned reg,
		     bool is_imm, int64_t imm, struct x64_rm b)
{
	if (is_imm)
		x64_alu_i(&c->a, alu, size, x64_r(reg), imm);
	else
		x64_alu(&c->a, alu, size, reg, b);
}

/* On a copy of the first operand. */
static uint32_t again_ab(struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op = op_at(c, f);
	unsigned size = ir_size(op), reg;
	bool is_imm = true;
	int64_t imm = 0;
	struct x64_rm b = x64_r(0);
	struct arg arg;

	if (op->code == IR_SUB || op->code == IR_AND) {
		compare(c, op);
		return IR_FLAGS_ALL;
	}
	if (c->value[op->a].at.kind == PLACE_LAZY)
		place_in_reg(c, op->a, size, 0);
	if (ir_has_imm(op) || ir_operand_is_value(op, 1))
		b = operand(c, op, 0, &is_imm, &imm);
	if (op->code == IR_ANDN) {
		unsigned taken = is_imm ? 0 : x64_rm_mask(b);
		unsigned a = place_in_reg(c, op->a, size, taken);

		taken |= 1u << a;
		reg = a;
		if ((taken & SCRATCH) == SCRATCH) /* the other one has, or points to, the second */
			place_evict(c, a, true);
		else
			reg = place_scratch(c, taken);
		if (is_imm)
			x64_mov_ri(&c->a, reg, (uint64_t)imm);
		x64_bmi_rvm(&c->a, X64_ANDN, size, reg, a, is_imm ? x64_r(reg) : b);
		return IR_C | IR_O | IR_Z | IR_S;
	}
	reg = place_scratch(c, is_imm ? 0 : x64_rm_mask(b));
	place_copy(c, reg, op->a, size, false);
	if (c->value[f].carry.kind != PLACE_NONE && (op->code == IR_ADC || op->code == IR_SBB))
		x64_bt_i(&c->a, X64_BT, 4, tmp_rm(c, c->value[f].carry.imm), 0);
	arg = is_imm ? (struct arg){ .is_imm = true, .imm = (uint64_t)imm }
		     : (struct arg){ .rm = b };
	alu_apply(c, op, reg, &arg);
	alu_applied(c, f);
	if (op->code == IR_MUL)
		c->eflags_mask = IR_C | IR_O;
	return c->eflags_mask;
}

/* From the result back to the first operand, and on.  The carry alone is cheaper: a sum that
 * carried is less than either operand, and a difference that borrowed carries on its way back. */
static __attribute__((cold)) uint32_t again_rb(struct x64_compiler *c, unsigned f, uint32_t need)
{
	const struct ir_op *op = op_at(c, f);
	unsigned size = ir_size(op), reg;
	bool is_imm;
	int64_t imm;
	struct x64_rm b;

	/* First: that may move the operand, where they share a register. */
	if (op->code == IR_ADD && need == IR_C)
		place_whole(c, f, size);
	b = operand(c, op, 0, &is_imm, &imm);
	if (op->code == IR_ADD && need == IR_C) {
		reg = place_in_reg(c, f, size, is_imm ? 0 : x64_rm_mask(b));
		alu_with(c, X64_CMP, size, reg, is_imm, imm, b);
		return IR_C;
	}
	reg = place_scratch(c, is_imm ? 0 : x64_rm_mask(b));
	place_copy(c, reg, f, size, false);
	if (op->code == IR_SUB) {
		alu_with(c, X64_ADD, size, reg, is_imm, imm, b);
		if (need == IR_C)
			return IR_C;
		alu_with(c, X64_CMP, size, reg, is_imm, imm, b);
	} else {
		alu_with(c, X64_SUB, size, reg, is_imm, imm, b);
		alu_with(c, X64_ADD, size, reg, is_imm, imm, b);
	}
	return IR_FLAGS_ALL;
}

static __attribute__((cold)) void test_result(struct x64_compiler *c, unsigned f)
{
	unsigned size = producer_size(c, f);
	struct x64_rm m = place_rm(c, f, size, 0);

	if (m.kind == X64_RM_REG)
		x64_test(&c->a, size, m, m.base);
	else
		x64_alu_i(&c->a, X64_CMP, size, m, 0);
}

static __attribute__((cold)) uint32_t again_r(struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op = op_at(c, f);
	unsigned size = ir_size(op), reg;

	switch (op->code) {
	case IR_NEG:
		reg = place_scratch(c, 0);
		place_copy(c, reg, f, size, false);
		x64_unary(&c->a, X64_NEG, size, x64_r(reg));
		x64_unary(&c->a, X64_NEG, size, x64_r(reg));
		return IR_FLAGS_ALL;
	case IR_INC:
	case IR_DEC:
		reg = place_scratch(c, 0);
		place_copy(c, reg, f, size, false);
		if (op->code == IR_INC) {
			x64_dec(&c->a, size, x64_r(reg));
			x64_inc(&c->a, size, x64_r(reg));
		} else {
			x64_inc(&c->a, size, x64_r(reg));
			x64_dec(&c->a, size, x64_r(reg));
		}
		return IR_FLAGS_ALL & ~(unsigned)IR_C;
	default: test_result(c, f); return IR_FLAGS_ALL;
	}
}

void flags_again(struct x64_compiler *c, unsigned f, uint32_t need)
{
	enum recipe_form form = lower_form(c, f);
	uint32_t mask;

	if (form != FORM_AB && !(need & ~(uint32_t)(IR_Z | IR_S | IR_P))) {
		test_result(c, f);
		mask = IR_Z | IR_S | IR_P;
	} else if (form == FORM_AB) {
		mask = again_ab(c, f);
	} else if (form == FORM_RB) {
		mask = again_rb(c, f, need);
	} else {
		mask = again_r(c, f);
	}
	flags_are(c, f, mask);
}

/* ---- asking ---- */

static __attribute__((cold)) enum x64_cc test_bits(struct x64_compiler *c, unsigned f,
						   enum ir_cond cond)
{
	struct x64_rm m = flags_bits(c, f);
	uint32_t mask = ir_cond_flags(cond);
	bool if_clear = cond & 1;
	unsigned reg, other;

	flags_lost(c);
	if (cond < IR_COND_L) {
		x64_test_i(&c->a, 4, m, (int32_t)mask);
		return if_clear ? X64_CC_E : X64_CC_NE;
	}
	/* S differs from O (LE: or Z): bring O to where S is */
	reg = place_scratch(c, x64_rm_mask(m));
	other = reg == S0 ? S1 : S0;
	if (m.kind == X64_RM_REG && m.base == other) {
		x64_mov_rr(&c->a, 4, reg, other);
	} else {
		place_settle(c, 0);
		place_evict(c, other, true);
		x64_mov(&c->a, 4, reg, m);
	}
	if (m.kind == X64_RM_REG && m.base == other)
		place_evict(c, other, true);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), IR_FLAGS_ALL);
	x64_rorx(&c->a, 4, other, x64_r(reg), 4);
	x64_alu_rr(&c->a, X64_XOR, 4, reg, other);
	x64_test_i(&c->a, 4, x64_r(reg), mask & IR_Z ? IR_S | IR_Z : IR_S);
	return if_clear ? X64_CC_E : X64_CC_NE;
}

enum x64_cc flags_cond(struct x64_compiler *c, unsigned f, enum ir_cond cond)
{
	uint32_t need = ir_cond_flags(cond);

	if (c->eflags == f && !(need & ~c->eflags_mask))
		return (enum x64_cc)cond;
	f = lower_merge_source(c, f, need);
	if (c->eflags == f && !(need & ~c->eflags_mask))
		return (enum x64_cc)cond;
	if (!flags_are_opaque(c, f) && c->value[f].bits.kind == PLACE_NONE) {
		flags_again(c, f, need);
		if (!(need & ~c->eflags_mask))
			return (enum x64_cc)cond;
	}
	return test_bits(c, f, cond);
}

static enum x64_cc compare_values(struct x64_compiler *c, const struct ir_op *op)
{
	static const uint8_t cc[] = { X64_CC_E, X64_CC_NE, X64_CC_B,  X64_CC_AE, X64_CC_BE,
				      X64_CC_A, X64_CC_L,  X64_CC_GE, X64_CC_LE, X64_CC_G };

	compare(c, op);
	flags_lost(c);
	return cc[op->c];
}

static enum x64_cc test_wider(struct x64_compiler *c, const struct ir_op *op)
{
	unsigned v = place_in_reg(c, op->a, 8, 0);

	flags_lost(c);
	return pair_emit_wider(&c->a, v, place_scratch(c, 1u << v), op->b);
}

enum x64_cc flags_test(struct x64_compiler *c, unsigned v)
{
	const struct ir_op *op = op_at(c, v);
	struct x64_rm m;

	if (c->value[v].at.kind == PLACE_NONE && op->code == IR_COND)
		return flags_cond(c, op->a, op->b);
	if (c->value[v].at.kind == PLACE_NONE && op->code == IR_CMP)
		return compare_values(c, op);
	if (c->value[v].at.kind == PLACE_NONE && op->code == IR_WIDER)
		return test_wider(c, op);
	m = place_rm(c, v,
		     c->value[v].at.valid < 8 && c->value[v].at.kind != PLACE_LAZY
			     ? c->value[v].at.valid
			     : 8,
		     0);
	if (m.kind == X64_RM_REG)
		x64_test(&c->a, c->value[v].at.valid, m, m.base);
	else
		x64_alu_i(&c->a, X64_CMP, c->value[v].at.valid ? c->value[v].at.valid : 8, m, 0);
	flags_lost(c);
	return X64_CC_NE;
}

/* S0 = carry of the flags env knows.  Those of DEC, at whose end loops begin again, and of logic
 * have it at hand. */
static __attribute__((cold)) void carry_of_env(struct x64_compiler *c)
{
	struct stub *s;

	place_evict_scratch(c, true);
	s = stub_new(c, STUB_CARRY, c->pos);
	x64_jcc(&c->a, flags_emit_has_carry(c), &s->in);
	x64_mov(&c->a, 4, S0, ENV(c, flags_c));
	x64_bind(&c->a, &s->back);
}

void flags_carry(struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op;

	if (c->eflags == f && c->eflags_mask & IR_C)
		return;
	f = lower_merge_source(c, f, IR_C);
	op = op_at(c, f);
	if (c->eflags == f && c->eflags_mask & IR_C)
		return;
	if (c->value[f].bits.kind == PLACE_NONE && op->code == IR_FLAGS_GET) {
		carry_of_env(c);
		x64_bt_i(&c->a, X64_BT, 4, x64_r(S0), 0);
		flags_lost(c);
	} else if (c->value[f].bits.kind == PLACE_NONE && !flags_are_opaque(c, f) &&
		   op->code != IR_INC && op->code != IR_DEC) {
		flags_again(c, f, IR_C);
	} else if ((op->code == IR_INC || op->code == IR_DEC) &&
		   c->value[f].carry.kind != PLACE_NONE) {
		x64_bt_i(&c->a, X64_BT, 4, flags_kept(c, f), 0);
		flags_lost(c);
	} else {
		x64_bt_i(&c->a, X64_BT, 4, flags_bits(c, f), 0);
		flags_lost(c);
	}
	if (c->eflags != f || !(c->eflags_mask & IR_C))
		flags_are(c, f, IR_C);
}
