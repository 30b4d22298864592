/* jit/ir_build.c - the builder: what translators emit through.
 * SPDX-License-Identifier: MIT */
#include "jit/ir.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "jit/ir_internal.h"

enum { ARENA_CHUNK = 16 * 1024 };

struct ir_builder *ir_builder_new(const struct ir_state_desc *desc)
{
	struct ir_builder *b = g_malloc0(sizeof(*b));

	b->desc = desc;
	b->flags_word = desc->flags_offset / 8;
	/* the widest vector may begin in the last word */
	b->words = g_new0(struct ir_word, desc->size / 8 + 10);
	return b;
}

static void arena_reset(struct ir_builder *b)
{
	while (b->arena && b->arena->next) {
		struct ir_arena_chunk *c = b->arena;

		b->arena = c->next;
		g_free(c);
	}
	if (b->arena)
		b->arena->used = 0;
}

void ir_builder_free(struct ir_builder *b)
{
	if (!b)
		return;
	arena_reset(b);
	g_free(b->arena);
	g_free(b->words);
	g_free(b);
}

void *ir_arena(struct ir_builder *b, size_t bytes)
{
	struct ir_arena_chunk *c = b->arena;
	void *p;

	bytes = (bytes + 7) & ~(size_t)7;
	if (!c || c->used + bytes > c->size) {
		size_t size = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK;

		c = g_malloc(sizeof(*c) + size);
		c->next = b->arena;
		c->size = size;
		c->used = 0;
		b->arena = c;
	}
	p = (uint8_t *)c->bytes + c->used;
	c->used += bytes;
	return p;
}

void ir_begin(struct ir_builder *b, uint64_t mode, unsigned pc_size_log2)
{
	arena_reset(b);
	b->mode = mode;
	b->pc_size = pc_size_log2;
	b->insn_count = 0;
	b->flags = b->slot_flags = b->flags_get = b->insn_flags = b->sum = IR_NONE;
	b->slot_is_ours = b->slot_is_asked = b->is_over = b->may_store = b->may_stop = false;
	b->first_unseen = 1;
	b->stamp++;
	b->ops[0] = (struct ir_op){ .code = IR_NOP };
	b->op_count = 1;
}

/* v, or IR_NONE: without a branch, which nobody could foresee. */
static inline uint16_t only_if(bool is_so, uint16_t v) { return v & (uint16_t)-is_so; }

void ir_insn_begin(struct ir_builder *b, int32_t pc_delta)
{
	struct ir_insn *in = &b->insns[b->insn_count];

	assert(b->insn_count < IR_MAX_INSNS);
	in->first_op = (uint16_t)b->op_count;
	in->pc_delta = pc_delta;
	b->insn_flags = only_if(b->flags != b->slot_flags, b->flags);
	if (b->may_stop && !b->insn_flags)
		ir_ask_slot(b);
	b->may_leave = b->may_store = false;
}

bool ir_insn_end(struct ir_builder *b, unsigned len)
{
	struct ir_insn *in = &b->insns[b->insn_count++];

	/* Its start flags are asked for by itself, or where the one before may stop. */
	in->flags_op = only_if(b->may_leave | b->may_stop | b->as_written, b->insn_flags);
	in->len = (uint8_t)len;
	b->ops[in->flags_op].form |= IR_FORM_FLAGS; /* of none: ir_sweep() */
	b->may_stop = b->may_store;
	if (b->may_store)
		b->first_unseen = b->op_count;
	return likely(b->op_count <= IR_MAX_OPS - IR_INSN_ROOM) && b->insn_count < IR_MAX_INSNS;
}

const struct ir_block *ir_end(struct ir_builder *b)
{
	if (b->is_over) {
		while (b->op_count > b->end_ops)
			ir_drop(b, --b->op_count);
		b->insn_count = b->end_insns < b->insn_count ? b->end_insns : b->insn_count;
	}
	ir_sweep(b);
	b->insns[b->insn_count].first_op = (uint16_t)b->op_count;
	b->block = (struct ir_block){
		.ops = b->ops,
		.insns = b->insns,
		.uses = b->uses,
		.op_count = (uint16_t)b->op_count,
		.insn_count = (uint16_t)b->insn_count,
		.mode = b->mode,
		.pc_size = (uint8_t)b->pc_size,
		.kills_flags = !b->slot_is_asked,
	};
	return &b->block;
}
