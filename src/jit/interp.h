/* jit/interp.h - the first executor: IR lowered to compact threaded code, run by an interpreter.
 *
 * Lowering is private to the interpreter.  Operands become byte offsets from the state pointer: a
 * guest register that an operation reads or writes is used in place, other values live in env->tmp.
 * Flags are kept as (operation, operands) in env->flags_* and evaluated when somebody asks.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "jit/env.h"
#include "jit/ir.h"

struct interp_block;
struct interp_op;

/* One way out of a block by EXIT or EXIT_IF. */
struct interp_exit {
	struct interp_block *_Atomic link; /* where it continues, or NULL: ask */
	int64_t pc_delta; /* const: target's pc minus the block's, before it is cut */
	uint16_t insns;   /* const: guest instructions done on this way */
	bool is_guarded;  /* const once linked: the target lies on another page */
};

struct interp_insn {
	uint32_t first_op;
	int32_t pc_delta;
};

struct interp_block {
	struct interp_op *code;
	struct interp_exit *exits;
	struct interp_insn *insns;
	uint64_t pc_mask;
	const uint8_t *host_pc; /* the accelerator's: where the guest code lies in host memory */
	uint32_t op_count;
	uint16_t insn_count, exit_count;
	uint32_t size; /* of the allocation behind code */
	void *memory;  /* one allocation holds all arrays */
};

enum { INTERP_INDIRECT = 0xffff };

enum interp_why {
	INTERP_ASKED,    /* exit_request or the budget: env->pc is the next instruction */
	INTERP_FAULT,    /* env->fault: env->pc is the faulting instruction */
	INTERP_LOOP,     /* EXIT_LOOP, EXIT_STATE, no next block: look around, go on at env->pc */
	INTERP_MODIFIED, /* a store hit translated code: left after the storing instruction */
};

struct interp_run {
	/* The block for env->pc after `from` was left by exit n (or INTERP_INDIRECT), linked if
	 * that may be; NULL: leave. */
	struct interp_block *(*next)(struct jit_env *env, struct interp_block *from, unsigned n);
	int64_t budget; /* guest instructions to run before leaving, counted down */
};

struct interp_lowerer; /* scratch of lowering; one per thread */
struct interp_lowerer *interp_lowerer_new(const struct ir_state_desc *desc);
void interp_lowerer_free(struct interp_lowerer *l);
/* Make block from IR; false when it needs more temporaries than there are (use fewer
 * instructions). */
bool interp_lower(struct interp_lowerer *l, struct interp_block *block, const struct ir_block *ir);
void interp_block_fini(struct interp_block *block);
/* Run from block (for env->pc) on.  On return the flags slot is true. */
enum interp_why interp_run(struct jit_env *env, struct interp_block *block,
			   const struct ir_state_desc *desc, struct interp_run *run);
/* The lowered code as text, for debugging. */
void interp_print(const struct interp_block *block, FILE *out);
