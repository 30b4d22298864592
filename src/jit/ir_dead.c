/* jit/ir_dead.c - a finished block is walked once from its end: what nobody uses becomes a NOP (of
 * which a back end makes nothing, in less time than it takes to number ops anew), and whose flags
 * are wanted is noted.
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

/* A bit for each code: has it flags for an operand? */
static const uint64_t FLAGS_IN = 0
#define IR_OP(op_name, op_operands, op_props) \
	| (uint64_t)(__builtin_strchr(op_operands, 'f') != NULL) << IR_##op_name
#include "jit/ir_ops.def"
#undef IR_OP
	;

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

void ir_sweep(struct ir_builder *b)
{
	for (size_t i = b->op_count; i-- > 1;) {
		struct ir_op *op = &b->ops[i];

		if (unlikely(!(b->uses[i].count | (op->form & IR_FORM_FLAGS))) && is_droppable(op))
			ir_drop(b, (unsigned)i);
		if (FLAGS_IN >> op->code & 1)
			use_flags(b, op, ir_flags_operands(op));
	}
	b->slot_is_asked |= b->ops[b->flags_get].code != IR_NOP;
	b->ops[0].form = 0;
	b->uses[0] = (struct ir_use){ 0 };
}
