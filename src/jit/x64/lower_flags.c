/* jit/x64/lower_flags.c - flags: in EFLAGS while they last, else made again from their recipe.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower.h"

static unsigned producer_size(const struct x64_compiler *c, unsigned f)
{
	return ir_size(op_at(c, f));
}

/* Does only env know these flags? */
static bool is_in_env(const struct x64_compiler *c, unsigned f)
{
	return op_at(c, f)->code == IR_FLAGS_GET;
}

/* The flags a fault at op i must report; 0: what env says. */
static unsigned flags_at(const struct x64_compiler *c, unsigned i)
{
	unsigned f = c->ir->insns[c->insn[i]].flags_op;

	f = f ? f : c->slot_flags;
	return f == c->env_flags ? 0 : f;
}

/* Shifts by a variable count may leave the flags of before: there is no short way to do them again.
 */
static bool is_opaque(const struct x64_compiler *c, unsigned f)
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

/* ---- telling env ---- */

struct record {
	uint32_t kind;
	struct arg a, b, c;
	bool has_b, has_c;
};

static void capture(struct x64_compiler *c, unsigned v, struct arg *out)
{
	const struct ir_op *op = op_at(c, v);

	*out = (struct arg){ .is_imm = true, .valid = 8, .imm = op->imm };
	if (op->code == IR_CONST)
		return;
	out->is_imm = false;
	if (c->at[v].kind == PLACE_LAZY || c->at[v].kind == PLACE_HIGH ||
	    c->at[v].kind == PLACE_MEM)
		out->rm = x64_r(place_in_reg(c, v, 1, 0));
	else
		out->rm = place_rm(c, v, c->at[v].valid, 0);
}

static void capture_place(struct x64_compiler *c, struct place p, struct arg *out)
{
	*out = (struct arg){ .valid = 8, .rm = tmp_rm(c, (unsigned)p.imm) };
}

static void capture_once(struct x64_compiler *c, unsigned f, struct record *r)
{
	const struct ir_op *op = op_at(c, f);
	enum recipe_form form = lower_form(c, f);

	*r = (struct record){ 0 };
	if (c->bits[f].kind != PLACE_NONE) {
		r->kind = recipe_kind(IR_FLAGS_OF, 2, FORM_AB);
		capture_place(c, c->bits[f], &r->a);
		return;
	}
	r->kind = recipe_kind(op->code, ir_size_log2(op), form);
	capture(c, form == FORM_AB ? op->a : f, &r->a);
	if (form != FORM_R && (ir_has_imm(op) || ir_operand_is_value(op, 1))) {
		r->has_b = true;
		if (ir_has_imm(op))
			r->b = (struct arg){ .is_imm = true, .valid = 8, .imm = op->imm };
		else
			capture(c, op->b, &r->b);
	}
	if (c->carry[f].kind != PLACE_NONE) {
		r->has_c = true;
		capture_place(c, c->carry[f], &r->c);
	}
}

static void capture_record(struct x64_compiler *c, unsigned f, struct record *r)
{
	capture_once(c, f, r);
	capture_once(c, f, r); /* the second operand may have moved the first */
}

static bool arg_is_memory(const struct arg *a) { return !a->is_imm && a->rm.kind != X64_RM_REG; }

static void store_arg(struct x64_compiler *c, const struct arg *a, struct x64_rm to, unsigned size,
		      unsigned scratch)
{
	if (a->is_imm && (size < 8 || x64_fits32((int64_t)a->imm))) {
		x64_mov_i(&c->a, size, to, (int32_t)a->imm);
	} else if (a->is_imm) {
		x64_mov_ri(&c->a, scratch, a->imm);
		x64_mov_to(&c->a, size, to, scratch);
	} else if (a->rm.kind == X64_RM_REG) {
		x64_mov_to(&c->a, size, to, a->rm.base);
	} else {
		x64_mov(&c->a, size, scratch, a->rm);
		x64_mov_to(&c->a, size, to, scratch);
	}
}

static bool arg_needs_scratch(const struct arg *a)
{
	return arg_is_memory(a) || (a->is_imm && !x64_fits32((int64_t)a->imm));
}

static unsigned arg_mask(const struct arg *a)
{
	return !a->is_imm && a->rm.kind == X64_RM_REG ? 1u << a->rm.base : 0;
}

/* Registers first: the scratch register may be one of them. */
static void emit_record(struct x64_compiler *c, const struct record *r, unsigned scratch)
{
	x64_mov_i(&c->a, 4, ENV(c, flags_kind), (int32_t)r->kind);
	for (unsigned memory = 0; memory < 2; memory++) {
		if (arg_needs_scratch(&r->a) == memory)
			store_arg(c, &r->a, ENV(c, flags_a), 8, scratch);
		if (r->has_b && arg_needs_scratch(&r->b) == memory)
			store_arg(c, &r->b, ENV(c, flags_b), 8, scratch);
		if (r->has_c && memory)
			store_arg(c, &r->c, ENV(c, flags_c), 4, scratch);
	}
}

/* What only env knew and somebody still wants is kept. */
static void keep_env_flags(struct x64_compiler *c, unsigned f)
{
	unsigned old = c->env_flags;

	if (old && old != f && is_in_env(c, old) && c->flags_last[old] >= c->pos &&
	    c->bits[old].kind == PLACE_NONE)
		flags_bits(c, old);
}

void flags_record(struct x64_compiler *c, unsigned f)
{
	struct record r;
	unsigned scratch = S0;

	if (!f || c->env_flags == f)
		return;
	if (is_in_env(c, f) && c->bits[f].kind == PLACE_NONE)
		return; /* env was never told anything else */
	keep_env_flags(c, f);
	capture_record(c, f, &r);
	if (arg_needs_scratch(&r.a) || (r.has_b && arg_needs_scratch(&r.b)) || r.has_c) {
		scratch = place_scratch(c, arg_mask(&r.a) | (r.has_b ? arg_mask(&r.b) : 0));
		capture_record(c, f, &r); /* that may have moved an operand */
	}
	emit_record(c, &r, scratch);
	c->env_flags = (uint16_t)f;
	c->is_synced = false;
}

/* For a stub, where both scratch registers are free behind it. */
void flags_record_later(struct x64_compiler *c, unsigned f, struct stub *s)
{
	struct record r;

	s->record_kind = 0;
	if (!f || c->env_flags == f || (is_in_env(c, f) && c->bits[f].kind == PLACE_NONE))
		return;
	capture_record(c, f, &r);
	s->record_kind = r.kind;
	s->arg[0] = r.a;
	s->arg[1] = r.b;
	s->arg[2] = r.c;
	s->has_b = r.has_b;
	s->has_c = r.has_c;
}

void stub_record(struct x64_compiler *c, const struct stub *s)
{
	struct record r = { .kind = s->record_kind,
			    .a = s->arg[0],
			    .b = s->arg[1],
			    .c = s->arg[2],
			    .has_b = s->has_b,
			    .has_c = s->has_c };
	bool s0_holds = (!r.a.is_imm && r.a.rm.kind == X64_RM_REG && r.a.rm.base == S0) ||
			(r.has_b && !r.b.is_imm && r.b.rm.kind == X64_RM_REG && r.b.rm.base == S0);

	if (s->record_kind)
		emit_record(c, &r, s0_holds ? S1 : S0);
}

static void call_sync(struct x64_compiler *c)
{
	if (c->is_synced)
		return;
	place_evict_scratch(c, true);
	x64_call_at(&c->a, c->jit->thunk.sync);
	flags_lost(c);
	c->is_synced = true;
}

void flags_sync(struct x64_compiler *c, unsigned f)
{
	flags_record(c, f);
	call_sync(c);
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

static unsigned mask_of(struct x64_rm m)
{
	unsigned mask = m.base < 16 ? 1u << m.base : 0;

	return m.kind == X64_RM_MEM && m.index < 16 ? mask | 1u << m.index : mask;
}

/* CMP or TEST of the operands themselves: nothing is destroyed. */
static void compare(struct x64_compiler *c, const struct ir_op *op)
{
	unsigned size = ir_size(op), a;
	bool is_imm;
	int64_t imm;
	struct x64_rm b, m;

	if (c->at[op->a].kind == PLACE_LAZY)
		place_in_reg(c, op->a, size, 0);
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
	a = place_in_reg(c, op->a, size, mask_of(b));
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
	if (c->at[op->a].kind == PLACE_LAZY)
		place_in_reg(c, op->a, size, 0);
	if (ir_has_imm(op) || ir_operand_is_value(op, 1))
		b = operand(c, op, 0, &is_imm, &imm);
	reg = place_scratch(c, is_imm ? 0 : mask_of(b));
	if (op->code == IR_ANDN) {
		unsigned a = place_in_reg(c, op->a, size, is_imm ? 0 : mask_of(b));

		if (is_imm)
			x64_mov_ri(&c->a, reg, (uint64_t)imm);
		x64_bmi_rvm(&c->a, X64_ANDN, size, reg, a, is_imm ? x64_r(reg) : b);
		return IR_C | IR_O | IR_Z | IR_S;
	}
	place_copy(c, reg, op->a, size, false);
	if (c->carry[f].kind != PLACE_NONE && (op->code == IR_ADC || op->code == IR_SBB))
		x64_bt_i(&c->a, X64_BT, 4, tmp_rm(c, (unsigned)c->carry[f].imm), 0);
	arg = (struct arg){ .is_imm = is_imm, .imm = (uint64_t)imm, .rm = b };
	alu_apply(c, op, reg, &arg);
	alu_applied(c, f);
	if (op->code == IR_MUL)
		c->eflags_mask = IR_C | IR_O;
	return c->eflags_mask;
}

/* From the result back to the first operand, and on. */
static uint32_t again_rb(struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op = op_at(c, f);
	unsigned size = ir_size(op), reg;
	bool is_imm;
	int64_t imm;
	struct x64_rm b = operand(c, op, 0, &is_imm, &imm);

	reg = place_scratch(c, is_imm ? 0 : mask_of(b));
	place_copy(c, reg, f, size, false);
	if (op->code == IR_SUB) {
		alu_with(c, X64_ADD, size, reg, is_imm, imm, b);
		alu_with(c, X64_CMP, size, reg, is_imm, imm, b);
	} else {
		alu_with(c, X64_SUB, size, reg, is_imm, imm, b);
		alu_with(c, X64_ADD, size, reg, is_imm, imm, b);
	}
	return IR_FLAGS_ALL;
}

static void test_result(struct x64_compiler *c, unsigned f)
{
	unsigned size = producer_size(c, f);
	struct x64_rm m = place_rm(c, f, size, 0);

	if (m.kind == X64_RM_REG)
		x64_test(&c->a, size, m, m.base);
	else
		x64_alu_i(&c->a, X64_CMP, size, m, 0);
}

static uint32_t again_r(struct x64_compiler *c, unsigned f)
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

static void flags_again(struct x64_compiler *c, unsigned f, uint32_t need)
{
	enum recipe_form form = lower_form(c, f);
	uint32_t mask;

	if (form != FORM_AB && !(need & ~(uint32_t)(IR_Z | IR_S | IR_P))) {
		test_result(c, f);
		mask = IR_Z | IR_S | IR_P;
	} else if (form == FORM_AB) {
		mask = again_ab(c, f);
	} else if (form == FORM_RB) {
		mask = again_rb(c, f);
	} else {
		mask = again_r(c, f);
	}
	flags_are(c, f, mask);
}

/* ---- all six as a value ---- */

/* Does the host's own instruction, done again, give all six? */
static bool host_knows_all(const struct x64_compiler *c, unsigned f)
{
	switch (op_at(c, f)->code) {
	case IR_ADD:
	case IR_SUB:
	case IR_ADC:
	case IR_SBB:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_NEG: return c->bits[f].kind == PLACE_NONE;
	default: return false;
	}
}

static bool is_logic(const struct ir_op *op)
{
	return op->code == IR_AND || op->code == IR_OR || op->code == IR_XOR;
}

/* By the host. */
static void bits_again(struct x64_compiler *c, unsigned f, struct x64_rm to)
{
	/* A of logic is undefined for the host, and 0 here. */
	uint32_t mask = IR_FLAGS_ALL & ~(is_logic(op_at(c, f)) ? (unsigned)IR_A : 0u);
	unsigned reg;

	if (c->eflags != f || c->eflags_mask != IR_FLAGS_ALL)
		flags_again(c, f, IR_FLAGS_ALL);
	reg = place_scratch(c, 0);
	x64_pushf(&c->a);
	x64_pop(&c->a, reg);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), (int32_t)mask);
	x64_mov_to(&c->a, 8, to, reg);
}

/* By C, in the flags slot; what only that knew is put back afterwards. */
static void bits_by_c(struct x64_compiler *c, unsigned f, struct x64_rm to)
{
	struct x64_rm slot = state(c, c->jit->desc->flags_offset), saved = { 0 };
	unsigned reg, known = c->env_flags;
	bool is_other = known != f && (!known || is_in_env(c, known));
	struct place old;

	if (is_other) {
		call_sync(c);
		reg = place_scratch(c, 0);
		saved = place_new_tmp(c, &old);
		x64_mov(&c->a, 4, reg, slot);
		x64_mov_to(&c->a, 4, saved, reg);
	}
	flags_sync(c, f);
	reg = place_scratch(c, 0);
	x64_mov(&c->a, 4, reg, slot);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), IR_FLAGS_ALL);
	x64_mov_to(&c->a, 8, to, reg);
	if (is_other) {
		x64_mov(&c->a, 4, reg, saved);
		x64_mov_to(&c->a, 4, slot, reg);
		c->env_flags = (uint16_t)known;
	}
}

struct x64_rm flags_bits(struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op = op_at(c, f);
	struct x64_rm to;
	struct place p;

	if (c->bits[f].kind != PLACE_NONE)
		return tmp_rm(c, (unsigned)c->bits[f].imm);
	if (op->code == IR_FLAGS_OF)
		return x64_r(place_in_reg(c, op->a, 2, 0));
	to = place_new_tmp(c, &p);
	if (host_knows_all(c, f))
		bits_again(c, f, to);
	else
		bits_by_c(c, f, to);
	flags_lost(c);
	c->bits[f] = p;
	return to;
}

/* ---- asking ---- */

static enum x64_cc test_bits(struct x64_compiler *c, unsigned f, enum ir_cond cond)
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
	reg = place_scratch(c, mask_of(m));
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
	if (!is_opaque(c, f) && c->bits[f].kind == PLACE_NONE) {
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

/* The bits from the sign bit of `bits` up are all equal when one more makes them 0 or 1. */
static enum x64_cc test_wider(struct x64_compiler *c, const struct ir_op *op)
{
	unsigned from = op->b - 1u, v = place_in_reg(c, op->a, 8, 0);
	unsigned reg = place_scratch(c, 1u << v);

	x64_rorx(&c->a, 8, reg, x64_r(v), from);
	x64_lea(&c->a, 4, reg, x64_m(reg, 1));
	x64_test_i(&c->a, 4, x64_r(reg), (int32_t)((UINT32_C(1) << (64 - from)) - 2));
	flags_lost(c);
	return X64_CC_NE;
}

enum x64_cc flags_test(struct x64_compiler *c, unsigned v)
{
	const struct ir_op *op = op_at(c, v);
	struct x64_rm m;

	if (c->at[v].kind == PLACE_NONE && op->code == IR_COND)
		return flags_cond(c, op->a, op->b);
	if (c->at[v].kind == PLACE_NONE && op->code == IR_CMP)
		return compare_values(c, op);
	if (c->at[v].kind == PLACE_NONE && op->code == IR_WIDER)
		return test_wider(c, op);
	m = place_rm(c, v, c->at[v].valid < 8 && c->at[v].kind != PLACE_LAZY ? c->at[v].valid : 8,
		     0);
	if (m.kind == X64_RM_REG)
		x64_test(&c->a, c->at[v].valid, m, m.base);
	else
		x64_alu_i(&c->a, X64_CMP, c->at[v].valid ? c->at[v].valid : 8, m, 0);
	flags_lost(c);
	return X64_CC_NE;
}

/* S0 = carry of the flags env knows.  Those of DEC, at whose end loops begin again, have it at
 * hand. */
static void carry_of_env(struct x64_compiler *c)
{
	struct stub *s;

	place_evict_scratch(c, true);
	s = stub_new(c, STUB_CARRY, c->pos);
	x64_alu_i(&c->a, X64_CMP, 1, ENV(c, flags_kind), IR_DEC);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
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
	if (c->bits[f].kind == PLACE_NONE && op->code == IR_FLAGS_GET) {
		carry_of_env(c);
		x64_bt_i(&c->a, X64_BT, 4, x64_r(S0), 0);
		flags_lost(c);
	} else if (c->bits[f].kind == PLACE_NONE && !is_opaque(c, f) && op->code != IR_INC &&
		   op->code != IR_DEC) {
		flags_again(c, f, IR_C);
	} else if ((op->code == IR_INC || op->code == IR_DEC) && c->carry[f].kind != PLACE_NONE) {
		x64_bt_i(&c->a, X64_BT, 4, tmp_rm(c, (unsigned)c->carry[f].imm), 0);
		flags_lost(c);
	} else {
		x64_bt_i(&c->a, X64_BT, 4, flags_bits(c, f), 0);
		flags_lost(c);
	}
	if (c->eflags != f || !(c->eflags_mask & IR_C))
		flags_are(c, f, IR_C);
}

/* As one store, which a load behind it can have at once. */
void flags_carry_to_tmp(struct x64_compiler *c, struct place *p)
{
	unsigned reg = place_scratch(c, 0);

	x64_setcc(&c->a, X64_CC_B, x64_r(reg));
	x64_movzx(&c->a, 1, reg, x64_r(reg));
	x64_mov_to(&c->a, 8, place_new_tmp(c, p), reg);
}

void flags_keep_carry(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct x64_rm to, from;
	unsigned reg;

	if (!op->c || (c->flags_last[i] <= c->pos && op->code < IR_SHL))
		return;
	if (ir_reads_carry_only(op)) {
		flags_carry(c, op->c);
		flags_carry_to_tmp(c, &c->carry[i]);
		return;
	}
	from = flags_bits(c, op->c);
	if (from.kind == X64_RM_REG) {
		to = place_new_tmp(c, &c->carry[i]);
		x64_mov_to(&c->a, 4, to, from.base);
		return;
	}
	c->carry[i] = c->bits[op->c];
	if (c->carry[i].kind == PLACE_NONE) {
		reg = place_scratch(c, 0);
		x64_mov(&c->a, 4, reg, from);
		to = place_new_tmp(c, &c->carry[i]);
		x64_mov_to(&c->a, 4, to, reg);
	}
}

/* ---- flags as values ---- */

/* Bits of both under the mask, to a temporary. */
static void lower_merge(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	uint32_t mask = (uint32_t)op->imm & IR_FLAGS_ALL;
	struct place half;
	struct x64_rm m, to;
	unsigned reg;

	if (c->flags_last[i] <= c->pos)
		return;
	m = flags_bits(c, op->a);
	reg = place_scratch(c, mask_of(m));
	x64_mov(&c->a, 4, reg, m);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), (int32_t)mask);
	to = place_new_tmp(c, &half);
	x64_mov_to(&c->a, 8, to, reg);
	flags_lost(c);
	m = flags_bits(c, op->b);
	reg = place_scratch(c, mask_of(m));
	x64_mov(&c->a, 4, reg, m);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), (int32_t)(IR_FLAGS_ALL & ~mask));
	x64_alu(&c->a, X64_OR, 4, reg, to);
	x64_mov_to(&c->a, 8, to, reg);
	flags_lost(c);
	c->bits[i] = half;
}

static void lower_flags_to(struct x64_compiler *c, unsigned i)
{
	struct x64_rm m = flags_bits(c, op_at(c, i)->a);
	unsigned reg = place_scratch(c, mask_of(m));

	x64_mov(&c->a, 4, reg, m);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), IR_FLAGS_ALL);
	flags_lost(c);
	place_reg(c, i, reg, 8);
}

void lower_flags_op(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	switch (op->code) {
	case IR_FLAGS_GET:
		flags_record(c, c->slot_flags);
		c->env_flags = (uint16_t)i;
		break;
	case IR_FLAGS_PUT: c->slot_flags = op->a; break;
	case IR_FLAGS_TO: lower_flags_to(c, i); break;
	case IR_FLAGS_MERGE: lower_merge(c, i); break;
	default: break; /* FLAGS_OF */
	}
}

/* ---- sites ---- */

static struct site_place site_place(struct x64_compiler *c, unsigned v)
{
	const struct ir_op *op = op_at(c, v);
	struct place p = c->at[v];
	struct site_place s = { .kind = p.kind, .reg = p.reg, .at = (uint16_t)p.imm };

	if (op->code != IR_CONST)
		return s;
	if (c->constant_count >= LOWER_SITES) {
		c->is_full = true;
		return s;
	}
	c->constants[c->constant_count] = op->imm;
	return (struct site_place){ .kind = PLACE_CONST, .at = (uint16_t)c->constant_count++ };
}

static struct site_place site_imm(struct x64_compiler *c, uint64_t imm)
{
	if (c->constant_count >= LOWER_SITES) {
		c->is_full = true;
		return (struct site_place){ 0 };
	}
	c->constants[c->constant_count] = imm;
	return (struct site_place){ .kind = PLACE_CONST, .at = (uint16_t)c->constant_count++ };
}

static struct site_place site_tmp(struct place p)
{
	return (struct site_place){ .kind = PLACE_TMP, .at = (uint16_t)p.imm };
}

bool flags_wanted(const struct x64_compiler *c, unsigned i) { return flags_at(c, i); }

void flags_before_call(struct x64_compiler *c, unsigned i) { flags_record(c, flags_at(c, i)); }

void flags_sync_slot(struct x64_compiler *c)
{
	flags_record(c, c->slot_flags);
	call_sync(c);
}

void flags_site(struct x64_compiler *c, unsigned i, struct x64_site *site)
{
	unsigned f = flags_at(c, i);
	const struct ir_op *op;
	enum recipe_form form;

	site->kind = 0;
	if (!f)
		return;
	op = op_at(c, f);
	if (c->bits[f].kind != PLACE_NONE) {
		site->kind = recipe_kind(IR_FLAGS_OF, 2, FORM_AB);
		site->a = site_tmp(c->bits[f]);
		return;
	}
	if (op->code == IR_FLAGS_GET)
		return;
	form = lower_form(c, f);
	site->kind = recipe_kind(op->code, ir_size_log2(op), form);
	site->a = site_place(c, form == FORM_AB ? op->a : f);
	if (form != FORM_R && ir_has_imm(op))
		site->b = site_imm(c, op->imm);
	else if (form != FORM_R && ir_operand_is_value(op, 1))
		site->b = site_place(c, op->b);
	if (c->carry[f].kind != PLACE_NONE)
		site->c = site_tmp(c->carry[f]);
}
