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

/* The byte masks of [offset, offset + bytes) in the word it begins in and the next. */
static void split_mask(uint64_t offset, unsigned bytes, uint8_t mask[2])
{
	unsigned m = ((1u << bytes) - 1) << (offset % 8);

	mask[0] = (uint8_t)m;
	mask[1] = (uint8_t)(m >> 8);
}

static void read_state(struct dead *d, uint64_t offset, unsigned bytes)
{
	for (uint64_t w = offset / 8; w <= (offset + bytes - 1) / 8; w++) {
		struct ir_word *e = word_of(d->p, w);

		if (e)
			e->mask = 0;
	}
	if (offset < d->b->desc->flags_offset + 4 && d->b->desc->flags_offset < offset + bytes)
		d->flags_slot_dead = false;
}

static bool put_is_dead(struct dead *d, const struct ir_op *op)
{
	uint8_t mask[2];
	bool is_dead = true;

	split_mask(op->imm, ir_size(op), mask);
	for (unsigned n = 0; n < 2; n++) {
		struct ir_word *e = mask[n] ? word_of(d->p, op->imm / 8 + n) : NULL;

		if (!mask[n])
			continue;
		if (!e || mask[n] & ~e->mask)
			is_dead = false;
		if (e)
			e->mask |= mask[n];
	}
	return is_dead;
}

static void use_flags(struct ir_pass *p, uint16_t f) { p->live[f] |= IR_LIVE_FLAGS; }

/* Does op still need its flags operand, given what of it is live? */
static void drop_flags_operand(struct ir_op *op, uint8_t live)
{
	if (live & IR_LIVE_FLAGS)
		return;
	switch (op->code) {
	case IR_INC:
	case IR_DEC:
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROL:
	case IR_ROR: op->c = IR_NONE; break;
	default: break;
	}
}

static void use_operands(struct ir_pass *p, const struct ir_op *op)
{
	const uint16_t v[3] = { op->a, op->b, op->c };

	for (unsigned n = 0; n < 3; n++) {
		if (ir_operand_is_value(op, n))
			p->live[v[n]] |= IR_LIVE_VALUE;
		else if (ir_operand_is_flags(op, n))
			p->live[v[n]] |= IR_LIVE_FLAGS;
	}
}

static void visit(struct dead *d, uint16_t i)
{
	struct ir_pass *p = d->p;
	struct ir_op *op = &p->out[i];

	switch (op->code) {
	case IR_PUT:
		if (put_is_dead(d, op)) {
			op->code = IR_NOP;
			return;
		}
		break;
	case IR_FLAGS_PUT:
		if (d->flags_slot_dead) {
			op->code = IR_NOP;
			return;
		}
		d->flags_slot_dead = true;
		break;
	case IR_GET:
	case IR_FLAGS_GET:
		if (!p->live[i]) {
			op->code = IR_NOP;
			return;
		}
		if (op->code == IR_GET)
			read_state(d, op->imm, ir_size(op));
		else
			d->flags_slot_dead = false;
		break;
	default:
		if (ir_info[op->code].props & IR_PROP_PURE && !p->live[i]) {
			op->code = IR_NOP;
			return;
		}
		if (op->code == IR_CALL && !p->live[i] &&
		    ((const struct ir_helper *)(uintptr_t)op->imm)->is_pure) {
			op->code = IR_NOP;
			return;
		}
		if (ir_may_leave(op))
			all_visible(d);
		break;
	}
	drop_flags_operand(op, p->live[i]);
	if (p->live[i] & IR_LIVE_FLAGS)
		op->form |= IR_FORM_FLAGS;
	use_operands(p, op);
}

/* Instruction k holds ops [first, end).  Are its start flags ever asked for? */
static bool insn_asks_flags(const struct ir_builder *b, const struct ir_pass *p, unsigned k,
			    unsigned end)
{
	for (unsigned i = b->insns[k].first_op; i < end; i++)
		if (p->out[i].code != IR_NOP && ir_may_leave(&p->out[i]))
			return true;
	for (unsigned i = k ? b->insns[k - 1].first_op : end; i < b->insns[k].first_op; i++)
		if (ir_may_store(&p->out[i]))
			return true;
	return false;
}

static bool insn_stores(const struct ir_pass *p, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		if (ir_may_store(&p->out[i]))
			return true;
	return false;
}

static void mark(struct dead *d)
{
	struct ir_builder *b = d->b;
	struct ir_pass *p = d->p;
	unsigned end = p->out_count;

	memset(p->live, 0, p->out_count);
	all_visible(d);
	for (unsigned k = b->insn_count; k-- > 0;) {
		struct ir_insn *in = &b->insns[k];

		if (insn_stores(p, in->first_op, end))
			all_visible(d);
		/* The state at the start of the next instruction is asked for through its flags_op,
		 * which lies before it: marked when that instruction was visited. */
		for (unsigned i = end; i-- > in->first_op;)
			visit(d, (uint16_t)i);
		if (insn_asks_flags(b, p, k, end)) {
			if (in->flags_op)
				use_flags(p, in->flags_op);
		} else {
			in->flags_op = IR_NONE;
		}
		end = in->first_op;
	}
	for (unsigned i = end; i-- > 1;)
		visit(d, (uint16_t)i);
}

static uint16_t renumber(const struct ir_pass *p, const struct ir_op *op, unsigned n, uint16_t v)
{
	return ir_operand_is_value(op, n) || ir_operand_is_flags(op, n) ? p->vmap[v] : v;
}

static void compact(struct ir_builder *b, struct ir_pass *p)
{
	unsigned count = 1, k = 0;

	p->vmap[0] = 0;
	for (unsigned i = 1; i < p->out_count; i++) {
		struct ir_op *op = &p->out[i];

		for (; k < b->insn_count && b->insns[k].first_op <= i; k++)
			b->insns[k].first_op = (uint16_t)count;
		if (op->code == IR_NOP)
			continue;
		p->vmap[i] = (uint16_t)count;
		b->ops[count] = *op;
		b->ops[count].a = renumber(p, op, 0, op->a);
		b->ops[count].b = renumber(p, op, 1, op->b);
		b->ops[count].c = renumber(p, op, 2, op->c);
		count++;
	}
	for (; k < b->insn_count; k++)
		b->insns[k].first_op = (uint16_t)count;
	for (k = 0; k < b->insn_count; k++)
		b->insns[k].flags_op = p->vmap[b->insns[k].flags_op];
	b->op_count = count;
}

void ir_pass_dead(struct ir_builder *b, struct ir_pass *p)
{
	struct dead d = { .b = b, .p = p };

	mark(&d);
	compact(b, p);
}
