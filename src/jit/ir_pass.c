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

/* Bytes above which a result is known to be zero, where the size does not say it. */
static const uint8_t result_widths[IR_CODE_COUNT] = {
	[IR_CMP] = 1, [IR_WIDER] = 1,  [IR_COND] = 1,     [IR_CLZ] = 1,
	[IR_CTZ] = 1, [IR_POPCNT] = 1, [IR_FLAGS_TO] = 2, [IR_CALL] = 8,
};

static uint8_t result_width(const struct ir_pass *p, const struct ir_op *op)
{
	uint8_t known = result_widths[op->code];

	switch (op->code) {
	case IR_CONST: return op->imm >> 32 ? 8 : op->imm >> 16 ? 4 : op->imm >> 8 ? 2 : 1;
	case IR_SEXT: return (uint8_t)op->b;
	case IR_SELECT: return MAX(p->width[op->b], p->width[op->c]);
	default: return known ? known : (uint8_t)ir_size(op);
	}
}

uint16_t ir_pass_keep(struct ir_pass *p)
{
	uint16_t i = p->out_count;

	assert(i < IR_MAX_OPS);
	p->width[i] = result_width(p, &p->out[i]);
	p->out_count = (uint16_t)(i + 1);
	return i;
}

uint16_t ir_pass_const(struct ir_pass *p, uint64_t v)
{
	return ir_pass_emit(p, (struct ir_op){ .code = IR_CONST, .form = 3, .imm = v });
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
static uint16_t forward_get(struct ir_pass *p, uint64_t offset, unsigned size)
{
	const struct ir_word *w = word_at(p, offset);
	unsigned from = offset % 8;
	uint16_t v;

	if (!w || w->stamp != p->stamp || from < w->from || from + size > w->from + w->size)
		return 0;
	v = w->val;
	if (from > w->from) {
		struct ir_op shr = { .code = IR_SHR, .form = IR_FORM_IMM, .a = v };

		shr.form |= (uint8_t)__builtin_ctz(w->size);
		shr.imm = (from - w->from) * 8u;
		v = ir_pass_emit(p, shr);
	}
	return ir_pass_cut(p, (unsigned)__builtin_ctz(size), v);
}

static bool is_known(struct ir_pass *p, const struct ir_op *put)
{
	const struct ir_word *w = word_at(p, put->imm);

	return w && w->stamp == p->stamp && w->val == put->a && w->from == put->imm % 8 &&
	       w->size >= ir_size(put);
}

/* Low bytes are all that counts: look through zero extensions. */
static inline uint16_t strip_moves(const struct ir_pass *p, uint16_t v, unsigned size)
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
		if (ir_value_operands(op) & 2)
			op->b = strip_moves(p, op->b, size);
	} else if (op->code == IR_STORE) {
		op->b = strip_moves(p, op->b, size);
	}
}

static bool covers_flags(const struct ir_builder *b, uint64_t offset, unsigned bytes)
{
	return offset < b->desc->flags_offset + 4 && b->desc->flags_offset < offset + bytes;
}

/* Guest state read and written: op, in out[out_count], is kept only where it says news. */
static bool forward_state(struct ir_builder *b, struct ir_pass *p, struct ir_op *op, uint16_t *v,
			  uint16_t *f)
{
	switch (op->code) {
	case IR_GET:
		if (covers_flags(b, op->imm, ir_size(op)))
			return false;
		*v = forward_get(p, op->imm, ir_size(op));
		if (*v)
			return true;
		*v = *f = ir_pass_keep(p);
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
		ir_pass_keep(p);
		return true;
	case IR_FLAGS_GET:
		if (!p->flags_in_slot)
			p->flags_in_slot = ir_pass_keep(p);
		*v = *f = p->flags_in_slot;
		return true;
	case IR_FLAGS_PUT:
		if (op->a == p->flags_in_slot)
			return true;
		p->flags_in_slot = op->a;
		ir_pass_keep(p);
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

/* Operand x of an old op, of the kind the bits say, as operand of a new one. */
static inline uint16_t mapped(const struct ir_pass *p, uint16_t x, bool is_value, bool is_flags)
{
	struct ir_mapped m = p->map[x % IR_MAX_OPS];
	uint16_t v = is_value ? m.value : x;

	return is_flags ? m.flags : v;
}

static inline void map_operands(const struct ir_pass *p, struct ir_op *op)
{
	unsigned v = ir_value_operands(op), f = ir_flags_operands(op);

	op->a = mapped(p, op->a, v & 1, f & 1);
	op->b = mapped(p, op->b, v & 2, f & 2);
	op->c = mapped(p, op->c, v & 4, f & 4);
}

/* An op that may leave the block.  False: the rest of the block is never reached. */
static bool forward_leave(struct ir_pass *p, struct ir_op *op, unsigned k, uint16_t *v)
{
	uint16_t unused;
	uint64_t c;

	if ((op->code == IR_EXIT_IF || op->code == IR_CALL_IF) && ir_pass_is_const(p, op->a, &c)) {
		if (!c)
			return true;
		if (op->code == IR_EXIT_IF)
			*op = (struct ir_op){ .code = IR_EXIT, .form = op->form, .imm = op->imm };
	}
	ir_fold(p, op, &unused); /* addresses */
	*v = ir_pass_keep(p);
	p->facts[k] |= ir_facts(op);
	after_op(p, op);
	return !(ir_info[op->code].props & IR_PROP_ENDS);
}

/* Old op i, of instruction k.  False: the rest of the block is never reached. */
static bool forward_op(struct ir_builder *b, struct ir_pass *p, unsigned i, unsigned k)
{
	struct ir_op *op = &p->out[p->out_count];
	uint16_t f = 0, v = 0, given = 0;
	bool go_on = true;
	unsigned props;

	*op = b->ops[i];
	props = ir_info[op->code].props;
	map_operands(p, op);
	strip_operands(p, op);
	if (props & IR_PROP_LEAVES) {
		go_on = forward_leave(p, op, k, &v);
	} else if (!(props & IR_PROP_PURE)) {
		if (!forward_state(b, p, op, &v, &f))
			v = f = ir_pass_keep(p);
	} else if (props & IR_PROP_FLAGS) { /* kept for its flags if not for its value */
		f = ir_pass_keep(p);
		v = ir_fold(p, op, &given);
		v = v ? v : f;
		f = given ? given : f;
	} else if (op->code != IR_NOP) {
		v = ir_fold(p, op, &given);
		v = v ? v : ir_pass_keep(p);
	}
	p->map[i] = (struct ir_mapped){ v, f };
	return go_on;
}

/* The ops [i, end) of instruction k. */
static bool forward_ops(struct ir_builder *b, struct ir_pass *p, unsigned i, unsigned end,
			unsigned k)
{
	p->facts[k] = 0;
	for (; i < end; i++)
		if (!forward_op(b, p, i, k))
			return false;
	return true;
}

static void forward(struct ir_builder *b, struct ir_pass *p)
{
	unsigned k = 0, count = b->insn_count;
	bool go_on;

	p->out[0] = (struct ir_op){ .code = IR_NOP };
	p->out_count = 1;
	p->stamp++;
	p->flags_in_slot = 0;
	p->map[0] = (struct ir_mapped){ 0 };
	go_on = forward_ops(b, p, 1, count ? b->insns[0].first_op : b->op_count, 0);
	for (; go_on && k < count; k++) {
		struct ir_insn *in = &b->insns[k];
		unsigned end = k + 1 < count ? in[1].first_op : b->op_count, first = in->first_op;

		in->first_op = p->out_count;
		in->flags_op = p->map[in->flags_op].flags;
		go_on = forward_ops(b, p, first, end, k);
	}
	b->insn_count = k;
}

void ir_pass_run(struct ir_builder *b)
{
	forward(b, b->pass);
	ir_pass_dead(b, b->pass);
}
