/* jit/ir_internal.h - the builder's insides, shared by emission, folding and what ir_end() does.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "jit/ir.h"
#include "jit/ir_info.h"

enum {
	IR_MAX_INSNS = 512,
	IR_INSN_ROOM = 512, /* ops that the worst instruction may take */
};

struct ir_arena_chunk {
	struct ir_arena_chunk *next;
	size_t used, size;
	uint64_t bytes[];
};

/* What is known of 8 bytes of the guest state. */
struct ir_word {
	uint32_t stamp;     /* valid when equal to the builder's */
	uint16_t val;       /* that many bytes from that byte on are the low ones of this value */
	uint8_t from, size; /* (here) */
	uint16_t put;       /* the PUT that made them so, while nobody read them since; or 0 */
};

struct ir_builder {
	const struct ir_state_desc *desc;
	uint64_t mode;
	unsigned pc_size;
	unsigned op_count, insn_count;
	bool as_written; /* for tests: what is emitted stands as it is */

	uint16_t flags;      /* the architectural flags; 0: what the slot holds */
	uint16_t slot_flags; /* the flags that were last written to or read from the slot */
	uint16_t flags_get;  /* a FLAGS_GET of what the slot held at the start, or 0 */
	bool slot_is_ours;   /* the slot was written since the start */
	bool slot_is_asked;  /* somebody may look at what it held before */

	bool is_over; /* what is emitted now is never reached; these count what is */
	unsigned end_ops, end_insns;

	uint16_t insn_flags;       /* the current instruction's flags_op */
	bool may_leave, may_store; /* at an op of it */
	bool may_stop;             /* in front of it: the one before stores */
	unsigned first_unseen;     /* what PUTs from here on did, nobody outside can see yet */
	/* An address that was a sum: the next often goes on from there, as those of pushes do. */
	uint16_t sum, sum_base;
	uint64_t sum_disp;
	uint32_t stamp;
	struct ir_word *words;
	unsigned flags_word; /* the one that the flags are in */

	struct ir_arena_chunk *arena;
	struct ir_block block;
	struct ir_op ops[IR_TABLE_OPS];
	struct ir_use uses[IR_TABLE_OPS]; /* an op without a result has itself for a use */
	struct ir_insn insns[IR_MAX_INSNS + 1];
};

/* What the flags slot holds is looked at, or may be. */
static inline void ir_ask_slot(struct ir_builder *b) { b->slot_is_asked |= !b->slot_is_ours; }

/* Op i, with its value and its flags. */
static inline ir_val ir_val_of(uint16_t i) { return i | (ir_val)i << 16; }
static inline uint16_t ir_value(ir_val v) { return (uint16_t)v; }
static inline uint16_t ir_flags_part(ir_val v) { return (uint16_t)(v >> 16); }

static inline uint8_t ir_form(unsigned size_log2, unsigned width_log2)
{
	return (uint8_t)(size_log2 | width_log2 << IR_FORM_WIDTH_SHIFT);
}
static inline unsigned ir_width_log2(const struct ir_builder *b, uint16_t v)
{
	return b->ops[v].form >> IR_FORM_WIDTH_SHIFT & 3;
}

/* Op i has v for a value.  What op i was folded to may stand behind it, and have v too. */
static inline void ir_use(struct ir_builder *b, uint16_t v, unsigned i)
{
	struct ir_use *u = &b->uses[v];

	u->count++;
	if (u->last < i)
		u->last = (uint16_t)i;
}

static inline void ir_use_operands(struct ir_builder *b, unsigned i)
{
	const struct ir_op *op = &b->ops[i];
	unsigned values = ir_value_operands(op);

	/* What is no value is op 0. */
	ir_use(b, values & 1 ? op->a : 0, i);
	ir_use(b, values & 2 ? op->b : 0, i);
	ir_use(b, values & 4 ? op->c : 0, i);
}

/* op as it is, its form complete. */
static inline uint16_t ir_append(struct ir_builder *b, struct ir_op op)
{
	unsigned i = b->op_count;

	assert(i < IR_MAX_OPS);
	b->ops[i] = op;
	b->uses[i] = (struct ir_use){ 0 };
	b->op_count = i + 1;
	ir_use_operands(b, i);
	return (uint16_t)i;
}

/* ---- ir_fold.c ---- */
/* What pure op, the one in ops[op_count] or just before, amounts to: a constant, another value or a
 * simpler op, all of them emitted already.  0: op itself, which may have been changed.  *flags: its
 * flags, where those are another op's. */
uint16_t ir_fold(struct ir_builder *b, struct ir_op *op, uint16_t *flags);
/* The constant operand of an op that can have one becomes its immediate. */
void ir_fold_immediate(struct ir_builder *b, struct ir_op *op);
/* What v is a sum of, computed in 64 bits, and constants, which are added to *disp. */
static inline uint16_t ir_fold_base(const struct ir_builder *b, uint16_t v, uint64_t *disp)
{
	for (;; v = b->ops[v].a) {
		const struct ir_op *d = &b->ops[v];

		if (d->code != IR_ADD && d->code != IR_SUB && d->code != IR_LEA)
			return v;
		if (ir_size_log2(d) != 3 || (d->code == IR_LEA ? d->b : !ir_has_imm(d)))
			return v;
		if (v == b->sum) {
			*disp += b->sum_disp;
			return b->sum_base;
		}
		*disp += d->code == IR_SUB ? -d->imm : d->imm;
	}
}
/* The low 1 << sz bytes of v. */
uint16_t ir_fold_cut(struct ir_builder *b, unsigned sz, uint16_t v);
uint16_t ir_fold_const(struct ir_builder *b, uint64_t v);
static inline bool ir_fold_is_const(const struct ir_builder *b, uint16_t v, uint64_t *out)
{
	if (!v || b->ops[v].code != IR_CONST)
		return false;
	*out = b->ops[v].imm;
	return true;
}

/* ---- ir_dead.c: what nobody reads goes ---- */
/* Op i goes: it uses nothing any more. */
void ir_drop(struct ir_builder *b, unsigned i);
void ir_sweep(struct ir_builder *b);
