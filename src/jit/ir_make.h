/* jit/ir_make.h - what emission (ir_emit.c, ir_leave.c) makes ops with.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "jit/ir_internal.h"

/* Where the next op is made. */
static inline struct ir_op *ir_next(struct ir_builder *b) { return &b->ops[b->op_count]; }

/* All of it, field by field: nothing is stored twice. */
static inline void ir_make(struct ir_builder *b, enum ir_code code, unsigned form, uint16_t x,
			   uint16_t y, uint16_t z, uint64_t imm)
{
	struct ir_op *op = ir_next(b);

	op->code = (uint8_t)code;
	op->form = (uint8_t)form;
	op->a = x;
	op->b = y;
	op->c = z;
	op->imm = imm;
}

/* What was made there stays; `count` uses of it are known. */
static inline uint16_t ir_keep_used(struct ir_builder *b, unsigned count)
{
	unsigned i = b->op_count;

	assert(i < IR_MAX_OPS);
	b->uses[i] = (struct ir_use){ .count = (uint16_t)count };
	b->op_count = i + 1;
	return (uint16_t)i;
}

static inline uint16_t ir_keep(struct ir_builder *b) { return ir_keep_used(b, 0); }

/* The newest op, i, has v for a value. */
static inline void ir_use_last(struct ir_builder *b, uint16_t v, uint16_t i)
{
	b->uses[v].count++;
	b->uses[v].last = i;
}

static inline unsigned ir_log2(unsigned size) { return (unsigned)__builtin_ctz(size); }

/* Low bytes are all that counts: look through zero extensions. */
static inline uint16_t ir_strip_moves(const struct ir_builder *b, uint16_t v, unsigned sz)
{
	while (b->ops[v].code == IR_MOV && ir_size_log2(&b->ops[v]) >= sz)
		v = b->ops[v].a;
	return v;
}

/* ---- guest state ---- */

/* Nothing is known any more of these bytes. */
static inline void ir_forget(struct ir_builder *b, uint64_t offset, unsigned bytes)
{
	for (uint64_t w = offset / 8; w <= (offset + bytes - 1) / 8; w++)
		b->words[w].stamp = 0;
}

/* The flags slot must be what it should be: somebody outside looks. */
static inline void ir_flags_write_back(struct ir_builder *b)
{
	if (b->flags == b->slot_flags)
		return;
	ir_make(b, IR_FLAGS_PUT, ir_form(2, 2), b->flags, 0, 0, 0);
	b->slot_flags = b->flags;
	b->slot_is_ours = true;
	ir_keep_used(b, 1);
}

/* ---- everything, for tests ---- */

/* The op in ir_next() stays as it is.  The builder's own view of the flags has to stay true all the
 * same. */
uint16_t ir_keep_as_written(struct ir_builder *b);
/* C was called, which may have changed the flags. */
void ir_after_call(struct ir_builder *b, const struct ir_op *op);

/* ---- ir_leave.c ---- */
/* The op in ir_next(), one of those that may leave the block. */
ir_val ir_emit_leaving(struct ir_builder *b);
