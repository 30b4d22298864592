/* jit/interp.c - the interpreter: direct-threaded handlers over lowered code.
 *
 * A handler reads its operands from env + offset, writes its result likewise and jumps to the next
 * handler.  Blocks are left only when asked to, for a fault, or where no link leads on.
 * SPDX-License-Identifier: MIT */
#include "jit/interp.h"

#include <string.h>

#include <glib.h>

#include "jit/interp_ops.h"
#include "jit/interp_slow.h"
#include "jit/ir_eval.h"

typedef uint8_t u1 __attribute__((aligned(1)));
typedef uint16_t u2 __attribute__((aligned(1)));
typedef uint32_t u4 __attribute__((aligned(1)));
typedef uint64_t u8 __attribute__((aligned(1)));
typedef int8_t s1;
typedef int16_t s2;
typedef int32_t s4;
typedef int64_t s8;
#define U(sz)         U_(sz)
#define U_(sz)        uint_##sz
#define S(sz)         s##sz
#define uint_1        uint8_t
#define uint_2        uint16_t
#define uint_4        uint32_t
#define uint_8        uint64_t
#define UNALIGNED(sz) u##sz
#define V(sz, off)    (*(u##sz *)((char *)env + (off)))
/* Another thread may take an entry away (a page gets translations): one load decides. */
#define TAG(e, i)     __atomic_load_n(&(e)->tag[i], __ATOMIC_RELAXED)

#define NEXT                        \
	do {                        \
		op++;               \
		goto * op->handler; \
	} while (0)
#define LEAVE(reason)           \
	do {                    \
		why = (reason); \
		goto leave;     \
	} while (0)
#define RECORD(code, sz, x, y)                                               \
	do {                                                                 \
		env->flags_kind = (code) | (uint32_t)__builtin_ctz(sz) << 8; \
		env->flags_a = (x);                                          \
		env->flags_b = (y);                                          \
	} while (0)

/* The rest of one instruction, copied so that the block can be left behind it. */
struct tail {
	struct interp_op *ops;
	uint32_t first, count; /* ops[0] is a copy of block->code[first] */
};

static unsigned insn_index(const struct interp_block *block, const struct interp_op *op,
			   const struct tail *tail)
{
	uint32_t at = (uint32_t)(op - block->code), lo = 0, hi = block->insn_count;

	if (tail->ops && op >= tail->ops && op < tail->ops + tail->count)
		at = tail->first + (uint32_t)(op - tail->ops);
	while (lo + 1 < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (block->insns[mid].first_op <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static int32_t insn_pc(const struct interp_block *block, const struct interp_op *op,
		       const struct tail *tail)
{
	return block->insns[insn_index(block, op, tail)].pc_delta;
}

/* Returns what to continue from: a handler's NEXT steps onto the first op after op. */
static const struct interp_op *tail_make(struct tail *tail, const struct interp_block *block,
					 const struct interp_op *op)
{
	unsigned k = insn_index(block, op, tail);
	uint32_t at = (uint32_t)(op - block->code), end;

	if (k + 1 >= block->insn_count)
		return op; /* the last instruction: it leaves by itself */
	if (tail->ops && op >= tail->ops && op < tail->ops + tail->count)
		return op;
	g_free(tail->ops);
	end = block->insns[k + 1].first_op;
	tail->first = at;
	tail->count = end - at + 1;
	tail->ops = g_new(struct interp_op, tail->count);
	memcpy(tail->ops, op, (tail->count - 1) * sizeof(*op));
	tail->ops[tail->count - 1] = (struct interp_op){
		.handler = interp_handlers()[IH_STOP],
		.c = (uint16_t)(k + 1),
		.imm = (uint64_t)(int64_t)block->insns[k + 1].pc_delta,
	};
	return tail->ops;
}

static inline bool guard_holds(const struct tlb_view *tlb, const struct interp_block *to, gva_t pc)
{
	return tlb_hit(&tlb->e[TLB_EXEC], tlb_index(pc), pc, 1) == to->host_pc;
}

/* With env NULL: hands out the handler table through *table. */
static enum interp_why execute(struct jit_env *env, struct interp_block *block,
			       const struct ir_state_desc *desc, struct interp_run *run,
			       const void *const **table)
{
	static const void *const handlers[INTERP_ID_COUNT] = {
#define H(name) &&L_##name,
		INTERP_HANDLERS(H)
#undef H
	};
	const struct tlb_view *tlb;
	const struct interp_op *op;
	struct tail tail = { 0 };
	enum interp_why why;
	uint64_t pc0;

	if (!env) {
		*table = handlers;
		return INTERP_ASKED;
	}
	tlb = &env->tlb[env->view];
	pc0 = env->pc;
	op = block->code;
	goto * op->handler;

#include "jit/interp_alu.inc"
#include "jit/interp_mem.inc"
#include "jit/interp_flow.inc"

leave:
	interp_flags_sync(env, desc);
	g_free(tail.ops);
	return why;
}

const void *const *interp_handlers(void)
{
	const void *const *table;

	execute(NULL, NULL, NULL, NULL, &table);
	return table;
}

enum interp_why interp_run(struct jit_env *env, struct interp_block *block,
			   const struct ir_state_desc *desc, struct interp_run *run)
{
	env->flags_kind = 0;
	env->tmp[1] = 0; /* TMP_ZERO of the lowering */
	return execute(env, block, desc, run, NULL);
}
