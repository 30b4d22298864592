/* jit/ir_fold.c - constant folding and algebra on single operations.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_eval.h"
#include "jit/ir_internal.h"

uint16_t ir_fold_const(struct ir_builder *b, uint64_t v)
{
	unsigned width = v >> 32 ? 3 : v >> 16 ? 2 : v >> 8 ? 1 : 0, i = b->op_count;

	assert(i < IR_MAX_OPS);
	b->ops[i] = (struct ir_op){ .code = IR_CONST, .form = ir_form(3, width), .imm = v };
	b->uses[i] = (struct ir_use){ 0 };
	b->op_count = i + 1;
	return (uint16_t)i;
}

uint16_t ir_fold_cut(struct ir_builder *b, unsigned sz, uint16_t v)
{
	struct ir_op cut = { .code = IR_MOV, .form = ir_form(sz, sz), .a = v };
	uint64_t c;

	if (ir_width_log2(b, v) <= sz)
		return v;
	if (ir_fold_is_const(b, v, &c))
		return ir_fold_const(b, ir_cut(sz, c));
	if (b->ops[v].code == IR_LEA &&
	    sz) { /* the low bytes of an address: computed in that size */
		cut = b->ops[v];
		cut.form = ir_form(sz, sz);
	}
	return ir_append(b, cut);
}

static bool is_commutative(unsigned code)
{
	return code == IR_ADD || code == IR_AND || code == IR_OR || code == IR_XOR ||
	       code == IR_MUL;
}

void ir_fold_immediate(struct ir_builder *b, struct ir_op *op)
{
	uint64_t c;
	uint16_t t;

	if (ir_has_imm(op) || !ir_takes_imm(op))
		return;
	if (is_commutative(op->code) && ir_fold_is_const(b, op->a, &c)) {
		t = op->a;
		op->a = op->b;
		op->b = t;
	}
	if (ir_fold_is_const(b, op->b, &c)) {
		op->b = IR_NONE;
		op->imm = c;
		op->form |= IR_FORM_IMM;
	}
}

/* x op imm where the result is x or a constant. */
static uint16_t fold_immediate(struct ir_builder *b, const struct ir_op *op)
{
	unsigned sz = ir_size_log2(op);
	uint64_t imm = ir_cut(sz, op->imm), count = op->imm & (sz == 3 ? 63 : 31);

	switch (op->code) {
	case IR_ADD:
	case IR_SUB:
	case IR_OR:
	case IR_XOR: return imm ? 0 : ir_fold_cut(b, sz, op->a);
	case IR_AND:
		if (!imm)
			return ir_fold_const(b, 0);
		if (imm == ir_mask(sz) || !(ir_mask(ir_width_log2(b, op->a)) & ~imm))
			return ir_fold_cut(b, sz, op->a);
		return 0;
	case IR_MUL: return imm == 1 ? ir_fold_cut(b, sz, op->a) : imm ? 0 : ir_fold_const(b, 0);
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROL:
	case IR_ROR:
	case IR_RCL:
	case IR_RCR: return count ? 0 : ir_fold_cut(b, sz, op->a);
	default: return 0;
	}
}

static uint16_t fold_arithmetic(struct ir_builder *b, struct ir_op *op, uint16_t *flags)
{
	unsigned sz = ir_size_log2(op);
	uint64_t a;

	ir_fold_immediate(b, op);
	if (op->code >= IR_SHL && op->code <= IR_RCR && ir_has_imm(op)) {
		if (!(op->imm & (sz == 3 ? 63 : 31)))
			*flags = op->c;
		else if (op->code <= IR_SAR)
			op->c = IR_NONE; /* all six come from the shift */
	}
	if (ir_fold_is_const(b, op->a, &a) && !op->c && !ir_operand_is_value(op, 1) &&
	    !ir_reads_carry_only(op))
		return ir_fold_const(b, ir_eval_value(op->code, sz, a, op->imm, 0));
	if ((op->code == IR_AND || op->code == IR_OR) && !ir_has_imm(op) && op->a == op->b)
		return ir_fold_cut(b, sz, op->a);
	return ir_has_imm(op) ? fold_immediate(b, op) : 0;
}

static uint16_t fold_move(struct ir_builder *b, const struct ir_op *op)
{
	unsigned sz = ir_size_log2(op), to = (unsigned)__builtin_ctz(op->b | 8);
	uint64_t c;

	if (op->code == IR_MOV)
		return ir_fold_cut(b, sz, op->a);
	if (ir_fold_is_const(b, op->a, &c))
		return ir_fold_const(b, ir_cut(to, ir_sign(sz, c)));
	return op->b <= 1u << sz ? ir_fold_cut(b, to, op->a) : 0;
}

/* Constants into the displacement, and what a lone base adds up itself. */
static void gather_address(struct ir_builder *b, struct ir_op *op)
{
	const struct ir_op *d;
	uint64_t c;

	if (ir_fold_is_const(b, op->b, &c)) {
		op->imm += c << op->c;
		op->b = op->c = IR_NONE;
	}
	if (ir_fold_is_const(b, op->a, &c)) {
		op->imm += c;
		op->a = IR_NONE;
	}
	if (!op->a && !op->c) {
		op->a = op->b;
		op->b = IR_NONE;
	}
	op->a = ir_fold_base(b, op->a, &op->imm);
	d = &b->ops[op->a];
	if (d->code == IR_LEA && !op->b && ir_size_log2(d) >= ir_size_log2(op)) {
		op->a = d->a;
		op->b = d->b;
		op->c = d->c;
		op->imm += d->imm;
	}
}

static uint16_t fold_lea(struct ir_builder *b, struct ir_op *op)
{
	unsigned sz = ir_size_log2(op);

	gather_address(b, op);
	if (op->b)
		return 0;
	if (!op->a)
		return ir_fold_const(b, ir_cut(sz, op->imm));
	if (b->ops[op->a].code == IR_PC && sz >= ir_size_log2(&b->ops[op->a]) && sz == 3) {
		struct ir_op pc = b->ops[op->a];

		pc.imm += op->imm;
		return ir_size_log2(&pc) == 3 ? ir_append(b, pc) : 0;
	}
	return ir_cut(sz, op->imm) ? 0 : ir_fold_cut(b, sz, op->a);
}

static uint16_t fold_compare(struct ir_builder *b, struct ir_op *op)
{
	uint64_t a;

	ir_fold_immediate(b, op);
	if (ir_has_imm(op) && ir_fold_is_const(b, op->a, &a))
		return ir_fold_const(b, ir_eval_cmp(op->c, ir_size_log2(op), a, op->imm));
	return 0;
}

static uint16_t fold_wider(struct ir_builder *b, const struct ir_op *op)
{
	uint64_t a;

	if (ir_fold_is_const(b, op->a, &a))
		return ir_fold_const(b, ir_eval_wider(a, op->b));
	return 8u << ir_width_log2(b, op->a) < op->b ? ir_fold_const(b, 0) : 0;
}

static uint16_t fold_select(struct ir_builder *b, const struct ir_op *op)
{
	uint64_t a;

	if (op->b == op->c)
		return op->b;
	if (ir_fold_is_const(b, op->a, &a))
		return a ? op->b : op->c;
	return 0;
}

/* Follow a flags value to the op that decides the flags in mask. */
static uint16_t flags_source(const struct ir_builder *b, uint16_t f, uint32_t mask)
{
	for (;;) {
		const struct ir_op *d = &b->ops[f];

		if (d->code == IR_FLAGS_MERGE && !(mask & ~d->imm))
			f = d->a;
		else if (d->code == IR_FLAGS_MERGE && !(mask & d->imm))
			f = d->b;
		else if ((d->code == IR_INC || d->code == IR_DEC) && mask == IR_C && d->c)
			f = d->c;
		else
			return f;
	}
}

static uint16_t fold_cond(struct ir_builder *b, struct ir_op *op)
{
	const struct ir_op *d;
	uint64_t c;

	op->a = flags_source(b, op->a, ir_cond_flags(op->b));
	d = &b->ops[op->a];
	if (d->code == IR_FLAGS_OF && ir_fold_is_const(b, d->a, &c))
		return ir_fold_const(b, ir_eval_cond(op->b, (uint32_t)c));
	return 0;
}

uint16_t ir_fold(struct ir_builder *b, struct ir_op *op, uint16_t *flags)
{
	if (ir_reads_carry_only(op) && op->c)
		op->c = flags_source(b, op->c, IR_C);
	switch (op->code) {
	case IR_MOV:
	case IR_SEXT: return fold_move(b, op);
	case IR_LEA: return fold_lea(b, op);
	case IR_CMP: return fold_compare(b, op);
	case IR_WIDER: return fold_wider(b, op);
	case IR_SELECT: return fold_select(b, op);
	case IR_COND: return fold_cond(b, op);
	default:
		if (op->code >= IR_ADD && op->code <= IR_POPCNT)
			return fold_arithmetic(b, op, flags);
		return 0;
	}
}
