/* jit/ir_pass.c - the forward pass: each op is read once and written once, with operands replaced
 * by what is known of them.  Guest state is forwarded from PUT and GET to later GETs, also to
 * narrower ones inside; constants and algebra are ir_fold.c's. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include <glib.h>

#include "jit/ir_eval.h"
#include "jit/ir_internal.h"

struct ir_pass *ir_pass_new(const struct ir_state_desc *desc)
{
	struct ir_pass *p = g_malloc0(sizeof(*p));

	p->word_count = desc->size / 8 + 10; /* the widest vector may begin in the last word */
	p->words = g_new0(struct ir_word, p->word_count);
	return p;
}

void ir_pass_free(struct ir_pass *p)
{
	if (!p)
		return;
	g_free(p->words);
	g_free(p);
}

/* Bytes above which a result is known to be zero. */
static uint8_t result_width(const struct ir_pass *p, const struct ir_op *op)
{
	switch (op->code) {
	case IR_CONST: return op->imm >> 32 ? 8 : op->imm >> 16 ? 4 : op->imm >> 8 ? 2 : 1;
	case IR_SEXT: return (uint8_t)op->b;
	case IR_CMP:
	case IR_WIDER:
	case IR_COND: return 1;
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT: return 1;
	case IR_SELECT: return MAX(p->width[op->b], p->width[op->c]);
	case IR_FLAGS_TO: return 2;
	case IR_CALL: return 8;
	default: return (uint8_t)ir_size(op);
	}
}

uint16_t ir_pass_emit(struct ir_pass *p, const struct ir_op *op)
{
	uint16_t i = p->out_count;

	assert(i < IR_MAX_OPS);
	p->out[i] = *op;
	p->width[i] = result_width(p, op);
	p->out_count = (uint16_t)(i + 1);
	return i;
}

uint16_t ir_pass_const(struct ir_pass *p, uint64_t v)
{
	struct ir_op op = { .code = IR_CONST, .form = 3, .imm = v };

	return ir_pass_emit(p, &op);
}

static struct ir_word *word_at(struct ir_pass *p, uint64_t offset)
{
	uint64_t i = offset / 8;

	return i < p->word_count ? &p->words[i] : NULL;
}

static void forget(struct ir_pass *p, uint64_t offset, unsigned bytes)
{
	for (uint64_t w = offset / 8; w <= (offset + bytes - 1) / 8; w++)
		if (w < p->word_count)
			p->words[w].stamp = 0;
}

static void remember(struct ir_pass *p, uint64_t offset, unsigned size, uint16_t v)
{
	struct ir_word *w = word_at(p, offset);

	if (!w || offset % 8 + size > 8)
		return;
	*w = (struct ir_word){
		.stamp = p->stamp, .val = v, .from = offset % 8, .size = (uint8_t)size
	};
}

/* The value that GET size bytes at offset yields, made from what is known; 0: not known. */
static uint16_t forward_get(struct ir_pass *p, const struct ir_op *op)
{
	const struct ir_word *w = word_at(p, op->imm);
	unsigned size = ir_size(op), from = op->imm % 8, skip;
	struct ir_op shr = { .code = IR_SHR, .form = IR_FORM_IMM }, mov = { .code = IR_MOV };
	uint16_t flags = 0, r;
	uint16_t v;

	if (!w || w->stamp != p->stamp || from < w->from || from + size > w->from + w->size)
		return 0;
	v = w->val;
	skip = from - w->from;
	if (skip) {
		shr.form |= (uint8_t)__builtin_ctz(w->size);
		shr.a = v;
		shr.imm = skip * 8;
		r = ir_fold(p, &shr, &flags);
		v = r ? r : ir_pass_emit(p, &shr);
	}
	mov.form = op->form & 3;
	mov.a = v;
	r = ir_fold(p, &mov, &flags);
	return r ? r : ir_pass_emit(p, &mov);
}

static bool is_known(struct ir_pass *p, const struct ir_op *put)
{
	const struct ir_word *w = word_at(p, put->imm);

	return w && w->stamp == p->stamp && w->val == put->a && w->from == put->imm % 8 &&
	       w->size >= ir_size(put);
}

/* Low bytes are all that counts: look through zero extensions. */
static uint16_t strip_moves(const struct ir_pass *p, uint16_t v, unsigned size)
{
	while (p->out[v].code == IR_MOV && ir_size(&p->out[v]) >= size)
		v = p->out[v].a;
	return v;
}

/* Operands of which only size bytes count need no zero extension. */
static void strip_operands(const struct ir_pass *p, struct ir_op *op)
{
	unsigned size = ir_size(op);

	if ((op->code >= IR_MOV && op->code <= IR_LEA) || op->code == IR_CMP) {
		op->a = strip_moves(p, op->a, size);
		if (ir_operand_is_value(op, 1))
			op->b = strip_moves(p, op->b, size);
	} else if (op->code == IR_STORE) {
		op->b = strip_moves(p, op->b, size);
	}
}

static bool covers_flags(const struct ir_builder *b, uint64_t offset, unsigned bytes)
{
	return offset < b->desc->flags_offset + 4 && b->desc->flags_offset < offset + bytes;
}

static bool forward_state(struct ir_builder *b, struct ir_pass *p, struct ir_op *op, uint16_t *v,
			  uint16_t *f)
{
	switch (op->code) {
	case IR_GET:
		if (covers_flags(b, op->imm, ir_size(op)))
			return false;
		*v = forward_get(p, op);
		if (*v)
			return true;
		*v = *f = ir_pass_emit(p, op);
		remember(p, op->imm, ir_size(op), *v);
		return true;
	case IR_PUT:
		op->a = strip_moves(p, op->a, ir_size(op));
		if (!covers_flags(b, op->imm, ir_size(op))) {
			if (is_known(p, op))
				return true;
			forget(p, op->imm, ir_size(op));
			remember(p, op->imm, ir_size(op), op->a);
		} else {
			p->flags_in_slot = 0;
		}
		ir_pass_emit(p, op);
		return true;
	case IR_FLAGS_GET:
		if (!p->flags_in_slot)
			p->flags_in_slot = ir_pass_emit(p, op);
		*v = *f = p->flags_in_slot;
		return true;
	case IR_FLAGS_PUT:
		if (op->a != p->flags_in_slot)
			ir_pass_emit(p, op);
		p->flags_in_slot = op->a;
		return true;
	default: return false;
	}
}

static void after_op(struct ir_pass *p, const struct ir_op *op)
{
	if (op->code == IR_VLOAD) {
		forget(p, (uint64_t)op->c * 8, op->b);
	} else if (ir_clobbers_state(op)) {
		p->stamp++;
		if (op->code == IR_NATIVE ||
		    ((const struct ir_helper *)(uintptr_t)op->imm)->writes_flags)
			p->flags_in_slot = 0;
	}
}

/* False: the rest of the block is never reached. */
static bool forward_op(struct ir_builder *b, struct ir_pass *p, unsigned i)
{
	struct ir_op op = b->ops[i];
	uint16_t f = 0, v = 0, given = 0;
	uint64_t c;

	if (op.code == IR_NOP)
		return true;
	if (ir_operand_is_value(&op, 0))
		op.a = p->vmap[op.a];
	else if (ir_operand_is_flags(&op, 0))
		op.a = p->fmap[op.a];
	if (ir_operand_is_value(&op, 1))
		op.b = p->vmap[op.b];
	else if (ir_operand_is_flags(&op, 1))
		op.b = p->fmap[op.b];
	if (ir_operand_is_value(&op, 2))
		op.c = p->vmap[op.c];
	else if (ir_operand_is_flags(&op, 2))
		op.c = p->fmap[op.c];
	strip_operands(p, &op);
	if (forward_state(b, p, &op, &v, &f))
		goto done;
	if ((op.code == IR_EXIT_IF || op.code == IR_CALL_IF) && ir_pass_is_const(p, op.a, &c)) {
		if (!c)
			return true;
		if (op.code == IR_EXIT_IF)
			op = (struct ir_op){ .code = IR_EXIT, .form = op.form, .imm = op.imm };
	}
	v = ir_fold(p, &op, &given);
	if (!v || ir_info[op.code].props & IR_PROP_FLAGS) {
		f = ir_pass_emit(p, &op);
		v = v ? v : f;
		f = given ? given : f;
	}
	after_op(p, &op);
done:
	p->vmap[i] = v;
	p->fmap[i] = f;
	return !(ir_info[op.code].props & IR_PROP_ENDS);
}

static void forward(struct ir_builder *b, struct ir_pass *p)
{
	unsigned k = 0, count = 0;
	bool go_on = true;

	p->out[0] = (struct ir_op){ .code = IR_NOP };
	p->out_count = 1;
	p->stamp++;
	p->flags_in_slot = 0;
	p->vmap[0] = p->fmap[0] = 0;
	for (unsigned i = 1; go_on && i < b->op_count; i++) {
		for (; k < b->insn_count && b->insns[k].first_op <= i; k++) {
			b->insns[k].first_op = p->out_count;
			b->insns[k].flags_op = p->fmap[b->insns[k].flags_op];
			count = k + 1;
		}
		go_on = forward_op(b, p, i);
	}
	if (go_on) /* trailing instructions without ops */
		for (; k < b->insn_count; k++, count = k) {
			b->insns[k].first_op = p->out_count;
			b->insns[k].flags_op = p->fmap[b->insns[k].flags_op];
		}
	b->insn_count = count;
}

void ir_pass_run(struct ir_builder *b)
{
	forward(b, b->pass);
	ir_pass_dead(b, b->pass);
}
