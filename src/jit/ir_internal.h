/* jit/ir_internal.h - the builder's insides, shared by building and passes.
 * SPDX-License-Identifier: MIT */
#pragma once

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

struct ir_builder {
	const struct ir_state_desc *desc;
	uint64_t mode;
	unsigned pc_size;
	uint32_t guest_len;
	unsigned op_count, insn_count;
	bool kills_flags;  /* found by the passes */
	ir_val flags;      /* the architectural flags; 0: what the slot holds */
	ir_val slot_flags; /* the flags value that was last written to or read from the slot */

	/* where the current instruction began, for ir_insn_abandon() */
	unsigned mark_ops;
	ir_val mark_flags, mark_slot_flags;

	struct ir_arena_chunk *arena;
	struct ir_block block;
	struct ir_op ops[IR_TABLE_OPS];
	struct ir_insn insns[IR_MAX_INSNS + 1];
	struct ir_pass *pass; /* scratch of the passes */
};

struct ir_pass *ir_pass_new(const struct ir_state_desc *desc);
void ir_pass_free(struct ir_pass *p);
/* Rewrite b's ops: forwarding and folding, then dead code and renumbering (ir_pass.c, ir_dead.c).
 */
void ir_pass_run(struct ir_builder *b);
void ir_pass_dead(struct ir_builder *b, struct ir_pass *p);

/* What is known of the words of the guest state, 8 bytes each (ir_pass.c, ir_dead.c). */
struct ir_word {
	uint32_t stamp;     /* valid when equal to the pass's */
	uint16_t val;       /* forward: the value that PUT or GET named */
	uint8_t from, size; /* forward: byte in the word, bytes */
	uint8_t mask;       /* backward: bytes overwritten later */
};

/* The new values that stand for an op's value and for its flags. */
struct ir_mapped {
	uint16_t value, flags;
};

struct ir_pass {
	uint32_t stamp, word_count;
	struct ir_word *words;
	struct ir_op out[IR_TABLE_OPS]; /* new ops; out[out_count] is where the next is made */
	uint16_t out_count;
	uint16_t flags_in_slot;             /* new flags value the slot is known to hold, or 0 */
	struct ir_mapped map[IR_TABLE_OPS]; /* by old op */
	uint8_t width[IR_TABLE_OPS];        /* by new op: bytes above are zero in its value */
	uint8_t facts[IR_MAX_INSNS];        /* by instruction: enum ir_fact of all its ops */
	bool live[IR_TABLE_OPS];            /* backward: somebody wants the value */
	bool flags_live[IR_TABLE_OPS];      /* backward: somebody wants the flags */
	uint16_t number[IR_TABLE_OPS];      /* by new op: its place once the dead ones are gone */
};

/* Try to replace pure op, whose operands are new values, by a constant, another value or a simpler
 * op (in place).  It may stand in out[out_count]: it is not looked at after others were kept.
 *  Returns the new index of its value, or 0: emit op as it is.  *flags: its flags
 * value where that differs from the op itself, else unchanged (ir_fold.c). */
uint16_t ir_fold(struct ir_pass *p, struct ir_op *op, uint16_t *flags);
/* Keep the op that was made in out[out_count]. */
uint16_t ir_pass_keep(struct ir_pass *p);
static inline uint16_t ir_pass_emit(struct ir_pass *p, struct ir_op op)
{
	p->out[p->out_count] = op;
	return ir_pass_keep(p);
}
uint16_t ir_pass_const(struct ir_pass *p, uint64_t v);
/* The low 1 << sz bytes of new value v (ir_fold.c). */
uint16_t ir_pass_cut(struct ir_pass *p, unsigned sz, uint16_t v);
static inline bool ir_pass_is_const(const struct ir_pass *p, uint16_t v, uint64_t *out)
{
	if (!v || p->out[v].code != IR_CONST)
		return false;
	*out = p->out[v].imm;
	return true;
}
