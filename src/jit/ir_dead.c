/* jit/ir_dead.c - the backward pass: what nobody reads goes, then ops are numbered anew.
 *
 * A PUT is dead when its bytes are overwritten before any op that may leave the block, because
 * there the state must be exact.  The end of an instruction that stores counts as such a place: the
 * store may have hit the block itself, which is then left after that instruction.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/ir_internal.h"

struct dead {
	struct ir_builder *b;
	struct ir_pass *p;
	bool flags_slot_dead; /* overwritten before anybody can see the flags slot */
	/* What the slot holds here may be asked for.  Unlike above, a fault asks only where the
	 * slot itself has the flags of its instruction's start (insn_flags is none). */
	bool flags_slot_asked;
	uint16_t insn_flags;
};

static struct ir_word *word_of(struct ir_pass *p, uint64_t w)
{
	struct ir_word *e;

	if (w >= p->word_count)
		return NULL;
	e = &p->words[w];
	if (e->stamp != p->stamp) {
		e->stamp = p->stamp;
		e->mask = 0;
	}
	return e;
}

static void all_visible(struct dead *d)
{
	d->p->stamp++;
	d->flags_slot_dead = false;
}

static void note_flags_read(struct dead *d)
{
	d->flags_slot_dead = false;
	d->flags_slot_asked = true;
}

static void read_state(struct dead *d, uint64_t offset, unsigned bytes)
{
	for (uint64_t w = offset / 8; w <= (offset + bytes - 1) / 8; w++) {
		struct ir_word *e = word_of(d->p, w);

		if (e)
			e->mask = 0;
	}
	if (offset < d->b->desc->flags_offset + 4 && d->b->desc->flags_offset < offset + bytes)
		note_flags_read(d);
}

/* The bytes [from, from + size) of a word are overwritten: were they before? */
static bool overwrite(struct dead *d, uint64_t word, unsigned from, unsigned size)
{
	struct ir_word *e = word_of(d->p, word);
	uint8_t mask = (uint8_t)(((1u << size) - 1) << from);
	bool is_dead = e && !(mask & ~e->mask);

	if (e)
		e->mask |= mask;
	return is_dead;
}

static bool put_is_dead(struct dead *d, const struct ir_op *op)
{
	unsigned size = ir_size(op), from = op->imm % 8, here = size < 8 - from ? size : 8 - from;
	bool is_dead = overwrite(d, op->imm / 8, from, here);

	if (here < size)
		is_dead &= overwrite(d, op->imm / 8 + 1, 0, size - here);
	return is_dead;
}

/* Ops that pass on flags only if theirs are wanted. */
static bool passes_on_flags(const struct ir_op *op)
{
	return op->code == IR_INC || op->code == IR_DEC ||
	       (op->code >= IR_SHL && op->code <= IR_ROR);
}

static void use_operands(struct ir_pass *p, const struct ir_op *op)
{
	unsigned v = ir_value_operands(op), f = ir_flags_operands(op);

	/* What is no value marks op 0. */
	p->live[v & 1 ? op->a : 0] = true;
	p->live[v & 2 ? op->b : 0] = true;
	p->live[v & 4 ? op->c : 0] = true;
	if (f) {
		p->flags_live[f & 1 ? op->a : 0] = true;
		p->flags_live[f & 2 ? op->b : 0] = true;
		p->flags_live[f & 4 ? op->c : 0] = true;
	}
}

/* Is op i, which only makes a value, wanted by nobody? */
static bool is_unused(const struct ir_pass *p, const struct ir_op *op, uint16_t i)
{
	if (p->live[i] || p->flags_live[i])
		return false;
	return ir_info[op->code].props & IR_PROP_PURE || op->code == IR_GET ||
	       op->code == IR_FLAGS_GET ||
	       (op->code == IR_CALL && ((const struct ir_helper *)(uintptr_t)op->imm)->is_pure);
}

/* Does op, which may leave, ask for what is in the flags slot? */
static bool asks_flags_slot(const struct dead *d, const struct ir_op *op)
{
	const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)op->imm;

	if (op->code == IR_CALL || op->code == IR_CALL_IF)
		return !d->insn_flags || h->reads_flags || h->writes_flags;
	return !d->insn_flags || op->code >= IR_EXIT;
}

/* Does op, which changes or reads the state, change what nobody sees?  Takes note of it. */
static bool visit_state(struct dead *d, const struct ir_op *op)
{
	bool was_dead = d->flags_slot_dead;

	switch (op->code) {
	case IR_PUT: return put_is_dead(d, op);
	case IR_FLAGS_PUT:
		d->flags_slot_dead = true;
		d->flags_slot_asked = false;
		return was_dead;
	case IR_GET: read_state(d, op->imm, ir_size(op)); return false;
	case IR_FLAGS_GET: note_flags_read(d); return false;
	default:
		if (ir_may_leave(op)) {
			all_visible(d);
			d->flags_slot_asked |= asks_flags_slot(d, op);
		}
		return false;
	}
}

static void visit(struct dead *d, uint16_t i)
{
	struct ir_pass *p = d->p;
	struct ir_op *op = &p->out[i];
	bool is_pure = ir_info[op->code].props & IR_PROP_PURE;

	if (is_unused(p, op, i) || (!is_pure && visit_state(d, op))) {
		op->code = IR_NOP;
		return;
	}
	if (p->flags_live[i])
		op->form |= IR_FORM_FLAGS;
	else if (passes_on_flags(op))
		op->c = IR_NONE;
	use_operands(p, op);
}

/* Are instruction k's start flags ever asked for?  By itself, or where the one before may stop. */
static bool insn_asks_flags(const struct ir_pass *p, unsigned k)
{
	return p->facts[k] & IR_FACT_LEAVES || (k && p->facts[k - 1] & IR_FACT_STORES);
}

static void mark(struct dead *d)
{
	struct ir_builder *b = d->b;
	struct ir_pass *p = d->p;
	unsigned end = p->out_count;

	memset(p->live, 0, p->out_count * sizeof(p->live[0]));
	memset(p->flags_live, 0, p->out_count * sizeof(p->flags_live[0]));
	all_visible(d);
	for (unsigned k = b->insn_count; k-- > 0;) {
		struct ir_insn *in = &b->insns[k];

		if (p->facts[k] & IR_FACT_STORES) {
			all_visible(d);
			d->flags_slot_asked |= k + 1 < b->insn_count && !in[1].flags_op;
		}
		d->insn_flags = in->flags_op;
		/* The state at the start of the next instruction is asked for through its flags_op,
		 * which lies before it: marked when that instruction was visited. */
		for (unsigned i = end; i-- > in->first_op;)
			visit(d, (uint16_t)i);
		if (insn_asks_flags(p, k))
			p->flags_live[in->flags_op] = true;
		else
			in->flags_op = IR_NONE;
		end = in->first_op;
	}
	d->insn_flags = IR_NONE;
	for (unsigned i = end; i-- > 1;)
		visit(d, (uint16_t)i);
	b->kills_flags = !d->flags_slot_asked;
}

static inline uint16_t renumber(const struct ir_pass *p, uint16_t x, bool is_op)
{
	uint16_t n = p->number[x % IR_MAX_OPS];

	return is_op ? n : x;
}

/* The live ops [i, end) to the end of b's. */
static void compact_ops(struct ir_builder *b, struct ir_pass *p, unsigned i, unsigned end)
{
	unsigned count = b->op_count;

	for (; i < end; i++) {
		const struct ir_op *op = &p->out[i];
		unsigned ops = ir_value_operands(op) | ir_flags_operands(op);

		p->number[i] = (uint16_t)count;
		b->ops[count] = (struct ir_op){
			.code = op->code,
			.form = op->form,
			.a = renumber(p, op->a, ops & 1),
			.b = renumber(p, op->b, ops & 2),
			.c = renumber(p, op->c, ops & 4),
			.imm = op->imm,
		};
		count += op->code != IR_NOP;
	}
	b->op_count = count;
}

static void compact(struct ir_builder *b, struct ir_pass *p)
{
	unsigned end = p->out_count, first = b->insn_count ? b->insns[0].first_op : end;

	p->number[0] = 0;
	b->op_count = 1;
	compact_ops(b, p, 1, first);
	for (unsigned k = 0; k < b->insn_count; k++) {
		struct ir_insn *in = &b->insns[k];

		first = in->first_op;
		in->first_op = (uint16_t)b->op_count;
		in->flags_op = p->number[in->flags_op];
		compact_ops(b, p, first, k + 1 < b->insn_count ? in[1].first_op : end);
	}
}

void ir_pass_dead(struct ir_builder *b, struct ir_pass *p)
{
	struct dead d = { .b = b, .p = p };

	mark(&d);
	compact(b, p);
}
