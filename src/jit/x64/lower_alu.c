/* jit/x64/lower_alu.c - arithmetic: the host's own instruction for each operation.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

static bool wants_flags(const struct x64_compiler *c, unsigned i)
{
	return op_at(c, i)->form & IR_FORM_FLAGS && c->plan[i].flags_last > c->pos;
}

unsigned alu_pinned_dest(const struct x64_compiler *c, unsigned i)
{
	return c->plan[i].put ? place_pinned(c, (uint32_t)op_at(c, c->plan[i].put)->imm)
			      : X64_NO_REG;
}

/* Is v in reg now, and may reg be overwritten with what is made of it? */
static bool ends_in(const struct x64_compiler *c, unsigned v, unsigned reg, unsigned size)
{
	if (!place_is_in(c, v, reg, size) || c->plan[v].last_use != c->pos)
		return false;
	for (unsigned w = c->in_reg[reg]; w; w = c->plan[w].next_in_reg)
		if (is_live(c, w))
			return false;
	return true;
}

unsigned alu_dest(struct x64_compiler *c, unsigned i, unsigned avoid)
{
	unsigned reg = alu_pinned_dest(c, i);

	if (reg == X64_NO_REG)
		return place_scratch(c, avoid);
	place_evict(c, reg, false);
	return reg;
}

static void result(struct x64_compiler *c, unsigned i, unsigned reg)
{
	unsigned size = ir_size(op_at(c, i));

	place_reg(c, i, reg, size == 4 ? 8 : size);
}

void alu_second(struct x64_compiler *c, const struct ir_op *op, unsigned avoid,
		struct alu_source *s)
{
	unsigned size = ir_size(op), reg;

	s->is_imm = false;
	if (ir_has_imm(op)) {
		s->imm = size == 8   ? (int64_t)op->imm
			 : size == 4 ? (int32_t)op->imm
			 : size == 2 ? (int16_t)op->imm
				     : (int8_t)op->imm;
		s->is_imm = x64_fits32(s->imm);
		if (!s->is_imm) {
			reg = place_scratch(c, avoid);
			x64_mov_ri(&c->a, reg, op->imm);
			s->rm = x64_r(reg);
		}
	} else if (place_is_imm(c, op->b, size, &s->imm)) {
		s->is_imm = true;
	} else {
		s->rm = place_rm(c, op->b, size, avoid);
	}
}

static const uint8_t alu_of[IR_CODE_COUNT] = {
	[IR_ADD] = X64_ADD, [IR_SUB] = X64_SUB, [IR_ADC] = X64_ADC, [IR_SBB] = X64_SBB,
	[IR_AND] = X64_AND, [IR_OR] = X64_OR,   [IR_XOR] = X64_XOR,
};

static bool is_commutative(enum ir_code code)
{
	return code == IR_ADD || code == IR_ADC || code == IR_AND || code == IR_OR ||
	       code == IR_XOR || code == IR_MUL;
}

/* reg = reg op b */
static void apply(struct x64_compiler *c, enum ir_code code, unsigned size, unsigned reg,
		  const struct alu_source *b)
{
	if (code == IR_MUL) {
		if (b->is_imm)
			x64_imul_i(&c->a, size, reg, x64_r(reg), (int32_t)b->imm);
		else
			x64_imul(&c->a, size, reg, b->rm);
	} else if (b->is_imm) {
		x64_alu_i(&c->a, alu_of[code], size, x64_r(reg), b->imm);
	} else {
		x64_alu(&c->a, alu_of[code], size, reg, b->rm);
	}
}

/* Bring a to the result's register, which b does not involve then; returns it.  *swap: b is there
 * already and a is what to apply. */
static unsigned first_to_dest(struct x64_compiler *c, unsigned i, const struct ir_op *op,
			      struct alu_source *b, unsigned *move_to)
{
	unsigned size = ir_size(op), t = alu_pinned_dest(c, i), reg;
	bool a_in_t;

	*move_to = X64_NO_REG;
	if (t != X64_NO_REG) {
		a_in_t = place_is_in(c, op->a, t, size);
		place_evict(c, t, false);
		alu_second(c, op, 0, b);
		if (a_in_t)
			return t;
		if (b->is_imm || !x64_rm_uses(b->rm, t)) {
			place_copy(c, t, op->a, size, false);
			return t;
		}
		if (is_commutative(op->code) && b->rm.kind == X64_RM_REG) {
			b->rm = place_rm(c, op->a, size, 1u << t);
			return t;
		}
		*move_to = t;
	} else {
		alu_second(c, op, 0, b);
	}
	if (t == X64_NO_REG)
		for (reg = S0; reg <= S1; reg++)
			if (ends_in(c, op->a, reg, size) && (b->is_imm || !x64_rm_uses(b->rm, reg)))
				return reg;
	reg = place_scratch(c, b->is_imm ? 0 : x64_rm_mask(b->rm));
	place_copy(c, reg, op->a, size, false);
	return reg;
}

void alu_force_lazy(struct x64_compiler *c, unsigned v, unsigned size)
{
	if (c->value[v].at.kind == PLACE_LAZY)
		place_in_reg(c, v, size, 0);
}

static void lower_binary(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), reg, move_to;
	struct alu_source b;

	alu_force_lazy(c, op->a, size);
	if (op->code == IR_ADC || op->code == IR_SBB) {
		flags_keep_carry(c, i);
		flags_carry(c, op->c);
	}
	reg = first_to_dest(c, i, op, &b, &move_to);
	apply(c, op->code, size, reg, &b);
	if (op->code == IR_MUL)
		flags_are(c, i, IR_C | IR_O);
	else
		flags_are(c, i, IR_FLAGS_ALL);
	if (move_to != X64_NO_REG) {
		x64_mov_rr(&c->a, size < 4 ? size : 8, move_to, reg);
		reg = move_to;
	}
	result(c, i, reg);
}

/* a without b: one register is enough where b is not in it */
static __attribute__((cold)) void lower_andn(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), a = place_in_reg(c, op->a, size, 0), d;
	struct alu_source b;

	alu_second(c, op, 1u << a, &b);
	if (b.is_imm) {
		unsigned r = place_scratch(c, 1u << a);

		x64_mov_ri(&c->a, r, (uint64_t)b.imm);
		b.rm = x64_r(r);
	}
	d = size < 4 ? X64_NO_REG : alu_pinned_dest(c, i); /* it writes 4 bytes or 8 */
	if (d != X64_NO_REG)
		place_evict(c, d, false);
	else
		d = x64_rm_mask(b.rm) & 1u << S1 || a == S1 ? S1 : S0;
	if (d == S0 && !(x64_rm_mask(b.rm) & 1u << S0))
		place_settle(c, 0);
	if (d == S0 || d == S1)
		place_evict(c, d, true);
	x64_bmi_rvm(&c->a, X64_ANDN, size < 4 ? 4 : size, d, a, b.rm);
	if (size >= 4)
		flags_are(c, i, IR_C | IR_O | IR_Z | IR_S);
	else
		flags_lost(c);
	result(c, i, d);
}

/* ---- one operand ---- */

static void apply_unary(struct x64_compiler *c, enum ir_code code, unsigned size, unsigned reg)
{
	switch (code) {
	case IR_NOT: x64_unary(&c->a, X64_NOT, size, x64_r(reg)); break;
	case IR_NEG: x64_unary(&c->a, X64_NEG, size, x64_r(reg)); break;
	case IR_INC: x64_inc(&c->a, size, x64_r(reg)); break;
	default: x64_dec(&c->a, size, x64_r(reg)); break;
	}
}

/* Bring a to where the result is to be. */
static unsigned only_to_dest(struct x64_compiler *c, unsigned i, const struct ir_op *op)
{
	unsigned size = ir_size(op), reg;
	bool is_there;

	alu_force_lazy(c, op->a, size);
	for (reg = S0; reg <= S1; reg++)
		if (alu_pinned_dest(c, i) == X64_NO_REG && ends_in(c, op->a, reg, size))
			return reg;
	reg = alu_pinned_dest(c, i);
	is_there = reg != X64_NO_REG && place_is_in(c, op->a, reg, size);
	reg = alu_dest(c, i, 0);
	if (!is_there)
		place_copy(c, reg, op->a, size, false);
	return reg;
}

static void after_unary(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	bool has_carry = op->c && c->eflags == op->c && c->eflags_mask & IR_C;

	if (op->code == IR_NEG)
		flags_are(c, i, IR_FLAGS_ALL);
	else if (op->code == IR_INC || op->code == IR_DEC)
		flags_are(c, i, IR_FLAGS_ALL & ~(has_carry ? 0u : (unsigned)IR_C));
}

static void lower_unary(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned reg;

	if (op->code == IR_INC || op->code == IR_DEC)
		flags_keep_carry(c, i);
	reg = only_to_dest(c, i, op);
	apply_unary(c, op->code, ir_size(op), reg);
	after_unary(c, i);
	result(c, i, reg);
}

static void lower_bswap(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned reg = only_to_dest(c, i, op);

	if (ir_size(op) >= 4) {
		x64_bswap(&c->a, ir_size(op), reg);
	} else {
		x64_shift_i(&c->a, X64_ROL, 2, x64_r(reg), 8);
		flags_lost(c);
	}
	result(c, i, reg);
}

static void lower_scan(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), d;
	enum x64_scan scan = op->code == IR_CLZ   ? X64_LZCNT
			     : op->code == IR_CTZ ? X64_TZCNT
						  : X64_POPCNT;
	struct x64_rm m;

	if (size == 1) { /* as 32 bits, with a bit behind the byte or 24 too many */
		d = place_scratch(c, 0);
		place_copy(c, d, op->a, 1, true);
		if (scan == X64_TZCNT)
			x64_alu_i(&c->a, X64_OR, 4, x64_r(d), 0x100);
		x64_scan(&c->a, scan, 4, d, x64_r(d));
		if (scan == X64_LZCNT)
			x64_alu_i(&c->a, X64_SUB, 4, x64_r(d), 24);
	} else {
		m = place_rm(c, op->a, size, 0);
		d = alu_dest(c, i, x64_rm_mask(m));
		x64_scan(&c->a, scan, size, d, m);
	}
	flags_lost(c);
	if (size < 4 && alu_pinned_dest(c, i) != X64_NO_REG && d != alu_pinned_dest(c, i)) {
		unsigned t = alu_dest(c, i, 0);

		x64_mov_rr(&c->a, size, t, d);
		d = t;
	}
	place_reg(c, i, d, size == 2 ? 2 : size == 1 ? 1 : 8);
}

/* ---- shifts ---- */

static enum x64_shift shift_of(enum ir_code code)
{
	static const uint8_t of[] = {
		X64_SHL, X64_SHR, X64_SAR, X64_ROL, X64_ROR, X64_RCL, X64_RCR
	};

	return of[code - IR_SHL];
}

static bool is_rotate(enum ir_code code) { return code >= IR_ROL && code <= IR_RCR; }

static bool takes_carry(enum ir_code code) { return code == IR_RCL || code == IR_RCR; }

/* What EFLAGS say of op i after the host did it with a count of n. */
static void after_shift(struct x64_compiler *c, unsigned i, unsigned n)
{
	const struct ir_op *op = op_at(c, i);
	uint32_t mask = is_rotate(op->code) ? IR_C : IR_C | IR_Z | IR_S | IR_P;

	if (n == 1)
		mask |= IR_O;
	if (n < 8 * ir_size(op) || is_rotate(op->code))
		flags_are(c, i, mask);
	else
		flags_are(c, i, mask & ~(uint32_t)IR_C);
}

static void lower_shift_imm(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), n = (unsigned)op->imm & (size == 8 ? 63 : 31), reg;

	if (op->c && (wants_flags(c, i) || takes_carry(op->code)))
		flags_keep_carry(c, i);
	if (takes_carry(op->code))
		flags_carry(c, op->c);
	if (!takes_carry(op->code) && !(op->form & IR_FORM_FLAGS) && size >= 4 &&
	    (op->code == IR_ROL || op->code == IR_ROR)) {
		struct x64_rm m = place_rm(c, op->a, size, 0);

		reg = alu_dest(c, i, 0);
		x64_rorx(&c->a, size, reg, m, op->code == IR_ROR ? n : 8 * size - n);
		result(c, i, reg);
		return;
	}
	reg = only_to_dest(c, i, op);
	x64_shift_i(&c->a, shift_of(op->code), size, x64_r(reg), n);
	after_shift(c, i, n);
	result(c, i, reg);
}

/* Sizes 4 and 8, SHL SHR SAR without flags of its own. */
static void shift_x(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	static const uint32_t forms[] = { X64_SHLX, X64_SHRX, X64_SARX };
	unsigned size = ir_size(op), n = place_in_reg(c, op->b, 1, 0), reg;
	struct x64_rm m = place_rm(c, op->a, size, 1u << n);

	reg = alu_pinned_dest(c, i);
	if (reg != X64_NO_REG) {
		place_evict(c, reg, false);
	} else {
		reg = n == S0 || x64_rm_uses(m, S0) ? S0 : S1;
		place_settle(c, m.kind == X64_RM_MEM && m.base == S0 ? op->a : 0);
		place_evict(c, reg, true);
	}
	x64_bmi_rmv(&c->a, forms[op->code - IR_SHL], size, reg, m, n);
	result(c, i, reg);
}

/* By CL, which is lent out where the count is elsewhere.  The value in S1. */
static void shift_by_cl(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), n;
	struct place old;
	struct x64_rm saved;
	bool lend;

	n = place_in_reg(c, op->b, 1, 1u << S1);
	lend = n != X64_RCX;
	if (lend && n != S0) {
		unsigned to = place_scratch(c, 1u << S1);

		x64_mov_rr(&c->a, 8, to, n);
		n = to;
	}
	place_evict(c, S1, true);
	place_copy(c, S1, op->a, size, false);
	if (lend) {
		saved = place_new_tmp(c, &old);
		x64_mov_to(&c->a, 8, saved, X64_RCX);
		x64_mov_rr(&c->a, 8, X64_RCX, n);
	}
	if (takes_carry(op->code)) /* no register is free for more */
		x64_bt_i(&c->a, X64_BT, 4, tmp_rm(c, c->value[i].carry.imm), 0);
	x64_shift_cl(&c->a, shift_of(op->code), size, x64_r(S1));
	flags_lost(c);
	if (lend)
		x64_mov(&c->a, 8, X64_RCX, saved);
	result(c, i, S1);
}

static void lower_shift(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	if (ir_has_imm(op)) {
		lower_shift_imm(c, i);
		return;
	}
	alu_force_lazy(c, op->a, ir_size(op));
	if (op->code <= IR_SAR && op->c)
		flags_keep_if_zero(c, i, op->b);
	else if (takes_carry(op->code) || (op->c && wants_flags(c, i)))
		flags_keep_carry(c, i);
	if (op->code <= IR_SAR && ir_size(op) >= 4)
		shift_x(c, i);
	else
		shift_by_cl(c, i);
}

/* ---- moves, comparisons, choices ---- */

static void lower_mov(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), reg;
	struct place p = c->value[op->a].at;

	if (!c->plan[i].put &&
	    (p.kind == PLACE_REG || p.kind == PLACE_SLOT || p.kind == PLACE_TMP)) {
		p.valid = p.valid < size ? p.valid : (uint8_t)size;
		place_set(c, i, p); /* the same place, fewer bytes */
		return;
	}
	reg = alu_dest(c, i, 0);
	place_copy(c, reg, op->a, size,
		   c->plan[i].put ? ir_size(op_at(c, c->plan[i].put)) == 8 : true);
	place_reg(c, i, reg, c->plan[i].put && ir_size(op_at(c, c->plan[i].put)) < 8 ? size : 8);
}

static void lower_sext(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct x64_rm m = place_rm(c, op->a, ir_size(op), 0);
	unsigned reg = alu_dest(c, i, m.kind == X64_RM_MEM ? x64_rm_mask(m) : 0);

	x64_movsx(&c->a, op->b, ir_size(op), reg, m);
	place_reg(c, i, reg, op->b == 2 ? 2 : 8);
}

/* LEA of 1 and 2 bytes, or with a long displacement. */
static __attribute__((cold)) void lower_lea(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), wide = size < 4 ? 4 : size, used = 0, reg, t;
	unsigned base = X64_NO_REG, index = X64_NO_REG;
	int32_t disp = (int32_t)op->imm;

	if (op->a) {
		base = place_in_reg(c, op->a, size, 0);
		used |= 1u << base;
	}
	if (op->b) {
		index = place_in_reg(c, op->b, size, used);
		used |= 1u << index;
	}
	place_settle(c, 0);
	reg = used & 1u << S0 ? S0 : S1;
	place_evict(c, reg, true);
	if (size < 8 || x64_fits32((int64_t)op->imm)) {
		x64_lea(&c->a, wide, reg, x64_mx(base, index, op->c, disp));
	} else {
		x64_lea(&c->a, wide, reg, x64_mx(base, index, op->c, 0));
		t = reg == S0 ? S1 : S0;
		place_evict(c, t, true);
		x64_mov_ri(&c->a, t, op->imm);
		x64_lea(&c->a, wide, reg, x64_mx(reg, t, 0, 0));
	}
	t = alu_pinned_dest(c, i);
	if (t != X64_NO_REG) {
		place_evict(c, t, false);
		x64_mov_rr(&c->a, size < 4 ? size : 8, t, reg);
		reg = t;
	}
	place_reg(c, i, reg, size < 4 ? size : 8);
}

static void lower_set(struct x64_compiler *c, unsigned i)
{
	enum x64_cc cc = flags_test(c, i);
	unsigned reg = place_scratch(c, 0);

	x64_setcc(&c->a, cc, x64_r(reg));
	place_reg(c, i, reg, 1);
}

static void lower_select(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned reg, yes, valid, t = alu_pinned_dest(c, i);
	enum x64_cc cc;

	alu_force_lazy(c, op->b, 8);
	alu_force_lazy(c, op->c, 8);
	cc = flags_test(c, op->a);
	yes = place_in_reg(c, op->b, 8, 0);
	reg = t != X64_NO_REG && t != yes ? alu_dest(c, i, 0) : place_scratch(c, 1u << yes);
	valid = 8;
	if (!(place_is_in(c, op->c, reg, 8) && reg == t))
		place_copy(c, reg, op->c, 8, false);
	x64_cmov(&c->a, cc, 8, reg, x64_r(yes));
	if (t != X64_NO_REG && reg != t) {
		t = alu_dest(c, i, 1u << reg);
		x64_mov_rr(&c->a, 8, t, reg);
		reg = t;
	}
	place_reg(c, i, reg, valid);
}

/* ---- read-modify-write ---- */

void alu_capture(struct x64_compiler *c, unsigned v, unsigned size, struct arg *out)
{
	const struct ir_op *op = op_at(c, v);
	int64_t imm;

	*out = (struct arg){ .is_imm = true, .valid = (uint8_t)size };
	if (!v)
		return;
	if (op->code == IR_CONST) {
		out->imm = op->imm;
		if (place_is_imm(c, v, size, &imm))
			out->imm = (uint64_t)imm;
		return;
	}
	out->is_imm = false;
	out->rm = place_rm(c, v, size, 1u << S0);
}

void alu_apply(struct x64_compiler *c, const struct ir_op *op, unsigned reg, const struct arg *b)
{
	struct alu_source s = { .is_imm = b->is_imm, .imm = (int64_t)b->imm, .rm = b->rm };

	if (op->code == IR_NEG || op->code == IR_NOT || op->code == IR_INC || op->code == IR_DEC)
		apply_unary(c, op->code, ir_size(op), reg);
	else if (op->code >= IR_SHL && op->code <= IR_ROR)
		x64_shift_i(&c->a, shift_of(op->code), ir_size(op), x64_r(reg),
			    (unsigned)op->imm & (ir_size(op) == 8 ? 63 : 31));
	else
		apply(c, op->code, ir_size(op), reg, &s);
}

void alu_apply_to(struct x64_compiler *c, const struct ir_op *op, struct x64_rm m,
		  const struct arg *b)
{
	unsigned size = ir_size(op);

	switch (op->code) {
	case IR_NOT: x64_unary(&c->a, X64_NOT, size, m); return;
	case IR_NEG: x64_unary(&c->a, X64_NEG, size, m); return;
	case IR_INC: x64_inc(&c->a, size, m); return;
	case IR_DEC: x64_dec(&c->a, size, m); return;
	default: break;
	}
	if (op->code >= IR_SHL && op->code <= IR_ROR) {
		x64_shift_i(&c->a, shift_of(op->code), size, m,
			    (unsigned)op->imm & (size == 8 ? 63 : 31));
	} else if (b->is_imm) {
		x64_alu_i(&c->a, alu_of[op->code], size, m, (int64_t)b->imm);
	} else if (b->rm.kind == X64_RM_REG) {
		x64_alu_to(&c->a, alu_of[op->code], size, m, b->rm.base);
	} else {
		x64_mov(&c->a, size, S1, b->rm);
		x64_alu_to(&c->a, alu_of[op->code], size, m, S1);
	}
}

void alu_applied(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	if (op->code == IR_NEG || op->code == IR_INC || op->code == IR_DEC)
		after_unary(c, i);
	else if (op->code >= IR_SHL && op->code <= IR_ROR)
		after_shift(c, i, (unsigned)op->imm & (ir_size(op) == 8 ? 63 : 31));
	else if (op->code != IR_NOT)
		flags_are(c, i, IR_FLAGS_ALL);
}

/* ---- all of them ---- */

static __attribute__((noinline)) void value_op(struct x64_compiler *c, unsigned i,
					       const struct ir_op *op)
{
	switch (op->code) {
	case IR_MOV: lower_mov(c, i); break;
	case IR_SEXT: lower_sext(c, i); break;
	case IR_ADD:
	case IR_SUB:
	case IR_ADC:
	case IR_SBB:
	case IR_AND:
	case IR_OR:
	case IR_XOR: lower_binary(c, i); break;
	case IR_ANDN: lower_andn(c, i); break;
	case IR_MUL:
		if (ir_size(op) == 1)
			lower_mul_bytes(c, i);
		else
			lower_binary(c, i);
		break;
	case IR_NEG:
	case IR_NOT:
	case IR_INC:
	case IR_DEC: lower_unary(c, i); break;
	case IR_MULUH:
	case IR_MULSH: lower_high_product(c, i); break;
	case IR_BSWAP: lower_bswap(c, i); break;
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT: lower_scan(c, i); break;
	case IR_COND:
	case IR_WIDER:
	case IR_CMP: lower_set(c, i); break;
	case IR_SELECT: lower_select(c, i); break;
	case IR_LEA: lower_lea(c, i); break;
	default: lower_shift(c, i); break; /* SHL to RCR */
	}
}

void lower_value_op(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	/* Whoever asks for the flags alone does the operation then. */
	if (wants_flags(c, i)) {
		place_whole(c, op->a, ir_size(op));
		if (ir_operand_is_value(op, 1) && op->b)
			place_whole(c, op->b, ir_size(op));
	}
	if (c->plan[i].uses || op->c || op->code >= IR_SHL)
		value_op(c, i, op);
}
