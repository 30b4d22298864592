/* jit/ir_dead.c - a finished block is walked once from its end: what nobody uses goes, and whose
 * flags are wanted is noted.  Only where something went, ops are numbered anew.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_internal.h"

/* Does op make a value, and that is all? */
static bool is_droppable(const struct ir_op *op)
{
	unsigned props = ir_info[op->code].props;

	if (props & IR_PROP_LEAVES)
		return op->code == IR_CALL &&
		       ((const struct ir_helper *)(uintptr_t)op->imm)->is_pure;
	return props & IR_PROP_RESULT;
}

/* Does op use v, other than as an access's address? */
static bool is_user(const struct ir_op *op, uint16_t v)
{
	unsigned values = ir_value_operands(op);

	return (values & 1 && op->a == v && (op->code < IR_LOAD || op->code > IR_VSTORE)) ||
	       (values & 2 && op->b == v) || (values & 4 && op->c == v);
}

/* Op i does not use v any more. */
static void unuse(struct ir_builder *b, uint16_t v, unsigned i)
{
	struct ir_use *u = &b->uses[v];

	u->count--;
	if (u->last != i)
		return;
	for (u->last = 0; i-- > v + 1u;) {
		if (is_user(&b->ops[i], v)) {
			u->last = (uint16_t)i;
			return;
		}
	}
}

void ir_drop(struct ir_builder *b, unsigned i)
{
	struct ir_op *op = &b->ops[i];
	unsigned values = ir_value_operands(op);

	op->code = IR_NOP;
	b->uses[i].count = 0;
	if (values & 1)
		unuse(b, op->a, i);
	if (values & 2)
		unuse(b, op->b, i);
	if (values & 4)
		unuse(b, op->c, i);
}

static void use_flags(struct ir_builder *b, struct ir_op *op, unsigned operands)
{
	if (operands & 4) {
		/* INC, DEC, shifts and rotates only pass them on. */
		if (!(op->form & IR_FORM_FLAGS) && op->code != IR_ADC && op->code != IR_SBB &&
		    op->code != IR_RCL && op->code != IR_RCR)
			op->c = IR_NONE;
		b->ops[op->c].form |= IR_FORM_FLAGS;
		return;
	}
	b->ops[op->a].form |= IR_FORM_FLAGS;
	if (operands & 2)
		b->ops[op->b].form |= IR_FORM_FLAGS;
}

/* Returns the first op that went; 0: all stay. */
static unsigned mark(struct ir_builder *b)
{
	unsigned dead = 0;

	for (unsigned i = b->op_count; i-- > 1;) {
		struct ir_op *op = &b->ops[i];
		unsigned flags;

		if (!b->uses[i].count && !(op->form & IR_FORM_FLAGS)) {
			if (is_droppable(op))
				ir_drop(b, i);
			if (op->code == IR_NOP) {
				dead = i;
				continue;
			}
		}
		flags = ir_flags_operands(op);
		if (flags)
			use_flags(b, op, flags);
	}
	return dead;
}

static inline uint16_t renumber(const struct ir_builder *b, uint16_t x, bool is_op)
{
	uint16_t n = b->number[x % IR_MAX_OPS];

	return is_op ? n : x;
}

/* From the first dead op on. */
static void compact(struct ir_builder *b, unsigned dead)
{
	unsigned count = dead;

	for (unsigned i = 0; i < dead; i++)
		b->number[i] = (uint16_t)i;
	for (unsigned i = dead; i < b->op_count; i++) {
		b->number[i] = (uint16_t)count;
		count += b->ops[i].code != IR_NOP;
	}
	b->number[b->op_count] = (uint16_t)count;
	for (unsigned i = 1; i < b->op_count; i++)
		b->uses[b->number[i]] = (struct ir_use){ b->uses[i].count,
							 b->number[b->uses[i].last] };
	for (unsigned i = dead; i < b->op_count; i++) {
		const struct ir_op *op = &b->ops[i];
		unsigned ops = ir_value_operands(op) | ir_flags_operands(op);

		if (op->code == IR_NOP)
			continue;
		b->ops[b->number[i]] = (struct ir_op){
			.code = op->code,
			.form = op->form,
			.a = renumber(b, op->a, ops & 1),
			.b = renumber(b, op->b, ops & 2),
			.c = renumber(b, op->c, ops & 4),
			.imm = op->imm,
		};
	}
	for (unsigned k = 0; k < b->insn_count; k++) {
		b->insns[k].first_op = b->number[b->insns[k].first_op];
		b->insns[k].flags_op = b->number[b->insns[k].flags_op];
	}
	b->op_count = count;
}

void ir_sweep(struct ir_builder *b)
{
	unsigned dead = mark(b);

	b->slot_is_asked |= b->ops[b->flags_get].code != IR_NOP;
	b->ops[0].form = 0;
	b->uses[0] = (struct ir_use){ 0 };
	if (dead)
		compact(b, dead);
}
