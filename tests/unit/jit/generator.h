/* tests/unit/jit/generator.h - random blocks of IR, with memory, helpers, faults and side exits,
 * for a state as machine.h has it.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "jit/ir_internal.h"
#include "machine.h"

static GRand *tape; /* while a block is made: what can be played again */

static inline uint32_t random32(void)
{
	return tape ? g_rand_int(tape) : (uint32_t)g_test_rand_int();
}

static inline uint64_t random64(void)
{
	uint64_t high = random32();

	return high << 32 | random32();
}

static inline unsigned below(unsigned n) { return random32() % n; }

/* Values where carries, signs and counts change. */
static inline uint64_t interesting(void)
{
	/* clang-format off */
	static const uint64_t v[] = {
		0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff,
		0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
		0x8000000000000000, 0xffffffffffffffff,
	};
	/* clang-format on */

	switch (below(3)) {
	case 0: return v[below(ARRAY_SIZE(v))];
	case 1: return v[below(ARRAY_SIZE(v))] + below(3) - 1;
	default: return random64() >> below(64);
	}
}

/* ---- helpers ---- */

static inline uint64_t helper_reads_flags(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	return (cpu->flags & IR_FLAGS_ALL) ^ a ^ b << 1 ^ c << 2;
}

static inline uint64_t helper_writes_flags(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	cpu->flags = (cpu->flags & ~(uint32_t)IR_FLAGS_ALL) | (uint32_t)(a & IR_FLAGS_ALL);
	cpu->r[3] ^= b;
	return c;
}

static inline uint64_t helper_may_fault(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	if ((a ^ b) & 1)
		cpu->env.fault = 2;
	else
		cpu->r[5] += c;
	return cpu->r[4] + 1;
}

/* What it does to registers stays: only what the block thought of them goes. */
static inline uint64_t helper_faults(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	cpu->env.fault = 2;
	if (!cpu->is_host)
		cpu->r[2] ^= a ^ b ^ c;
	return 0;
}

static inline uint64_t helper_pure(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	(void)env;
	return a * 3 + (b ^ c);
}

static inline uint64_t helper_reads_pc(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	return ((struct test_cpu *)env)->env.pc + a + b + c;
}

static const struct ir_helper helpers[] = {
	{ .name = "reads_flags", .fn = helper_reads_flags, .reads_flags = true },
	{ .name = "writes_flags", .fn = helper_writes_flags, .writes_flags = true },
	{ .name = "may_fault", .fn = helper_may_fault, .can_fault = true },
	{ .name = "pure", .fn = helper_pure, .is_pure = true },
	{ .name = "reads_pc", .fn = helper_reads_pc, .reads_pc = true },
};
static const struct ir_helper always_faults = {
	.name = "faults", .fn = helper_faults, .can_fault = true, .always_faults = true
};

/* ---- blocks ---- */

struct gen {
	struct ir_builder *b;
	ir_val v[512];
	unsigned count;
};

static inline ir_val pick(struct gen *g)
{
	return g->v[below(MIN(g->count, 12)) + (g->count > 12 ? g->count - 12 : 0)];
}

static inline ir_val keep(struct gen *g, ir_val v)
{
	if (v && g->count < ARRAY_SIZE(g->v))
		g->v[g->count++] = v;
	return v;
}

/* A register; of the first four the second byte too. */
static inline uint32_t slot(unsigned size)
{
	unsigned n = below(TEST_REGS);

	return (uint32_t)(offsetof(struct test_cpu, r[n]) + (size == 1 && n < 4 ? below(2) : 0));
}

static inline ir_val address(struct gen *g)
{
	ir_val a = ir_bini(g->b, IR_AND, 8, pick(g), below(4) ? 0x2fff : 0x7fff);

	switch (below(4)) {
	case 0: return ir_lea(g->b, 8, a, IR_NONE, 0, (int64_t)below(64) - 32);
	case 1: return ir_lea(g->b, 8, a, ir_bini(g->b, IR_AND, 8, pick(g), 0xff), below(4), 8);
	case 2: return ir_lea(g->b, 4, a, ir_bini(g->b, IR_AND, 8, pick(g), 0xff), below(4), 8);
	default: return a;
	}
}

static inline ir_val gen_arithmetic(struct gen *g, ir_val *flags_op)
{
	enum ir_code code = IR_ADD + below(IR_POPCNT - IR_ADD + 1);
	unsigned size = 1u << below(4);
	bool takes_flags = ir_text[code].operands[2] == 'f',
	     unary = ir_text[code].operands[1] == '-';
	ir_val f = takes_flags ? ir_flags(g->b) : IR_NONE, r;

	if (code == IR_BSWAP && size == 1)
		size = 2;
	if (unary)
		r = ir_emit(g->b, code, size, 0, pick(g), 0, f, 0);
	else if (below(3) == 0)
		r = ir_binfi(g->b, code, size, pick(g), interesting(), f);
	else
		r = ir_binf(g->b, code, size, pick(g),
			    below(4) ? pick(g) : ir_const(g->b, interesting()), f);
	if (ir_info[code].props & IR_PROP_FLAGS)
		*flags_op = r;
	return keep(g, r);
}

static inline void gen_memory(struct gen *g)
{
	unsigned size = 1u << below(4);
	ir_val a = address(g);

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		keep(g, ir_load(g->b, size, a, below(2) ? 0 : 16, below(2) ? IR_MEM_RMW : 0));
		break;
	case 3:
	case 4:
		ir_store(g->b, size, a, below(2) ? 0 : 16,
			 below(2) ? pick(g) : ir_const(g->b, interesting()));
		break;
	case 5:
		ir_vload(g->b, below(2) ? 16 : 32, a, 0, offsetof(struct test_cpu, vec[below(4)]));
		break;
	case 6:
		ir_vstore(g->b, below(2) ? 16 : 32, a, 0, offsetof(struct test_cpu, vec[below(4)]));
		break;
	default:
		keep(g, ir_atomic(g->b, IR_ATOMIC_XCHG + below(6), size, a, pick(g), pick(g)));
		break;
	}
}

static inline void gen_op(struct gen *g, ir_val *flags_op)
{
	unsigned size = 1u << below(4);
	ir_val x;

	switch (below(22)) {
	case 0:
	case 1: keep(g, ir_get(g->b, size, slot(size))); break;
	case 2:
	case 3:
	case 4: ir_put(g->b, below(2) ? 8 : size, slot(8) & ~7u, pick(g)); break;
	case 5: keep(g, ir_zext(g->b, size, pick(g))); break;
	case 6: keep(g, ir_sext(g->b, 1u << below(2), 8u >> below(2), pick(g))); break;
	case 7:
		keep(g, ir_lea(g->b, 2u << below(3), pick(g), below(2) ? pick(g) : IR_NONE,
			       below(2), below(100)));
		keep(g, ir_lea(g->b, 4u << below(2), IR_NONE, pick(g), below(4), below(100)));
		break;
	case 8: keep(g, ir_cmp(g->b, below(10), size, pick(g), pick(g))); break;
	case 9: keep(g, ir_cond(g->b, below(16))); break;
	case 10:
		x = below(2) ? ir_cond(g->b, below(16)) : pick(g);
		keep(g, ir_select(g->b, x, pick(g), pick(g)));
		break;
	case 11: keep(g, ir_flags_to(g->b, ir_flags(g->b))); break;
	case 12: keep(g, ir_pc(g->b, below(100))); break;
	case 13:
	case 14: gen_memory(g); break;
	case 15: ir_put(g->b, 1, slot(1), pick(g)); break;
	case 16: keep(g, ir_wider(g->b, pick(g), 1 + below(63))); break;
	case 17:
		if (below(3) == 0)
			ir_call_if(g->b, ir_wider(g->b, pick(g), 8 * (1 + below(7))),
				   &always_faults, pick(g), pick(g));
		break;
	default: gen_arithmetic(g, flags_op); break;
	}
}

static inline void gen_insn(struct gen *g, unsigned k)
{
	ir_val flags_op = IR_NONE;

	ir_insn_begin(g->b, (int32_t)(k * 4));
	for (unsigned n = below(6); n; n--)
		gen_op(g, &flags_op);
	/* After a helper that writes the flags slot nothing of the instruction faults (jit/ir.h).
	 */
	if (below(10) == 0)
		keep(g, ir_call(g->b, &helpers[below(ARRAY_SIZE(helpers))], pick(g), pick(g),
				pick(g)));
	else if (below(16) == 0)
		ir_call_if(g->b, ir_cond(g->b, below(16)), &helpers[below(3)], pick(g), pick(g));
	if (flags_op && below(4) && below(2))
		ir_flags_set_masked(g->b, flags_op,
				    below(2) ? IR_FLAGS_ALL & ~IR_C
					     : (uint32_t)random64() & IR_FLAGS_ALL);
	else if (flags_op && below(4))
		ir_flags_set(g->b, flags_op);
	else if (below(10) == 0)
		ir_flags_set(g->b, ir_flags_of(g->b, pick(g)));
	if (below(6) == 0)
		ir_exit_if(g->b, below(4) ? ir_cond(g->b, below(16)) : pick(g), 1000 + (int64_t)k);
	ir_insn_end(g->b, 4);
}

static inline void gen_block(struct gen *g, struct ir_builder *b)
{
	unsigned insns = 1 + below(10);

	g->b = b;
	g->count = 0;
	ir_begin(b, 0, 1 + below(3));
	ir_insn_begin(b, 0);
	for (unsigned i = 0; i < 4; i++)
		keep(g, ir_get(b, 8, offsetof(struct test_cpu, r) + i * 8));
	keep(g, ir_const(b, interesting()));
	ir_insn_end(b, 4);
	for (unsigned k = 1; k <= insns; k++)
		gen_insn(g, k);
	ir_insn_begin(b, (int32_t)(insns + 1) * 4);
	switch (below(4)) {
	case 0: ir_exit_to(b, pick(g), IR_BRANCH_JUMP); break;
	case 1: ir_exit_loop(b, 77); break;
	default: ir_exit(b, -33); break;
	}
	ir_insn_end(b, 1);
}

/* ---- what the reference runs ---- */

/* The block as it was emitted, nothing folded. */
struct raw {
	struct ir_op *ops;
	struct ir_insn insns[IR_MAX_INSNS];
	unsigned op_count, insn_count, pc_size;
};

/* Have emit() make its block twice: to *raw, and folded in b. */
static inline void make_both(struct ir_builder *b, void (*emit)(struct ir_builder *b),
			     struct raw *raw)
{
	uint32_t seed = (uint32_t)g_test_rand_int();

	tape = g_rand_new_with_seed(seed);
	b->as_written = true;
	emit(b);
	raw->ops = g_memdup2(b->ops, b->op_count * sizeof(*raw->ops));
	memcpy(raw->insns, b->insns, sizeof(raw->insns));
	raw->op_count = b->op_count;
	raw->insn_count = b->insn_count;
	raw->pc_size = b->pc_size;
	g_rand_set_seed(tape, seed);
	b->as_written = false;
	emit(b);
	g_rand_free(tape);
	tape = NULL;
}

static inline void emit_random(struct ir_builder *b)
{
	struct gen g;

	gen_block(&g, b);
}
