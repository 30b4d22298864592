/* jit/interp_lower.h - lowering's insides: what placement decides and emission reads.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/interp.h"
#include "jit/interp_ops.h"
#include "jit/ir.h"
#include "jit/ir_info.h"

enum { LOWER_NEVER = 0xffff };

/* How a COND is computed. */
enum lower_cond {
	COND_BY_BITS,    /* from the evaluated flags value */
	COND_BY_RECORD,  /* from what is recorded, evaluated */
	COND_BY_SUB,     /* from the recorded operands of a SUB */
	COND_BY_COMPARE, /* from the SUB's own operands */
	COND_BY_RESULT,  /* result against 0 */
};

/* What was decided for each IR op. */
struct lower_op {
	uint16_t pos; /* in seq */
	uint16_t insn;
	uint16_t uses;      /* as a value, all operands of all ops */
	uint16_t base_uses; /* of these as an address that can be fused */
	uint16_t user;      /* the last op that uses it */
	uint16_t last_use;  /* position; 0: never read */
	uint16_t bits_last; /* the same of its evaluated flags */
	uint16_t loc;       /* byte offset from env of the value; 0: not yet */
	uint16_t bits_loc;
	uint8_t width;     /* bytes that readers look at */
	uint8_t demand;    /* enum lower_demand on its flags */
	uint8_t cond;      /* enum lower_cond */
	bool is_fused;     /* an address computed by its users; a COND computed by its EXIT_IF */
	bool is_recorded;  /* records its flags where it stands */
	bool is_keeping;   /* a shift by a variable count that may leave the record alone */
	bool is_put_early; /* PUT: the value's op writes the slot itself */
};
enum lower_demand { DEMAND_NONE, DEMAND_CARRY, DEMAND_FULL };

struct lower_word {
	uint32_t stamp;
	uint16_t get, write; /* forward: last positions; backward: next write */
};

struct interp_lowerer {
	const struct ir_state_desc *desc;
	const struct ir_block *ir;
	uint16_t seq[IR_MAX_OPS]; /* ops in the order of emission */
	uint16_t seq_count;
	uint16_t
		last_leave[IR_MAX_OPS + 1]; /* by position: the last one before it that may leave */
	/* by position: the last one up to it where an instruction begins whose predecessor stores
	 */
	uint16_t last_stop[IR_MAX_OPS + 1];
	uint16_t record_at[IR_MAX_OPS +
			   1]; /* by position: flags value to record just before, or 0 */
	struct lower_op op[IR_MAX_OPS];
	uint32_t stamp, word_count;
	struct lower_word *words;

	/* emission */
	struct interp_op out[4 * IR_MAX_OPS];
	uint32_t out_count;
	struct interp_insn insns[IR_MAX_OPS];
	struct interp_exit exits[IR_MAX_OPS];
	uint16_t insn_count, exit_count;
	uint16_t free_tmp[JIT_TMP_COUNT];
	uint16_t free_count;
	uint16_t release[IR_MAX_OPS +
			 1]; /* by position: list of values that die there, via next_dead */
	uint16_t next_dead[2 * IR_MAX_OPS];
	uint32_t native_bytes;
	uint16_t last_lowered_flags; /* position of the last op that can yield flags */
	bool is_full;
};

/* Fill seq, op and record_at for l->ir (interp_place.c). */
void lower_place(struct interp_lowerer *l);
/* Flags tracking: where they are recorded, how conditions are computed (interp_place_flags.c). */
void lower_place_flags(struct interp_lowerer *l);

/* A condition that a comparison of the result with 0 decides: enum INTERP_Z_*, or -1. */
int lower_cond_by_result(const struct ir_op *producer, enum ir_cond c);
/* The enum ir_cmp that equals condition c of a SUB, or -1. */
int lower_cond_as_cmp(enum ir_cond c);
/* Can STORE / PUT take its constant operand as an immediate? */
bool lower_store_imm(const struct interp_lowerer *l, const struct ir_op *op, uint64_t *packed);
bool lower_covers_flags(const struct interp_lowerer *l, const struct ir_op *op);
static inline bool lower_is_const(const struct interp_lowerer *l, uint16_t v)
{
	return l->ir->ops[v].code == IR_CONST;
}
