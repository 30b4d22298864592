/* random_test.c - random blocks of IR through the back end, against reference.h.
 * SPDX-License-Identifier: MIT */
#include "main.h"

#ifdef __x86_64__

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../generator.h"
#include "../reference.h"
#include "base/err.h"
#include "jit/ir_eval.h"
#include "jit/x64/x64.h"

enum { CACHE = 4 << 20, TRAP = 0xcc };

struct fixture {
	struct code_cache *cache;
	struct x64_jit *jit;
	struct x64_compiler *compiler;
	struct ir_builder *b;
	struct test_cpu *cpu, *ref_cpu, *start;
	struct tlb_view *tlb;
	struct x64_target *targets;
	uint8_t *mem, *ref_mem, *init_mem;
	struct ref *ref;
};

/* ---- what the back end asks for ---- */

static void no_evict(void *opaque, void *owner)
{
	(void)opaque;
	(void)owner;
	g_assert_not_reached();
}

static void retire(void *opaque, unsigned chunk)
{
	code_chunk_free(*(struct code_cache **)opaque, chunk);
}

static const struct code_cache_ops cache_ops = { .evict = no_evict, .retire = retire };

static bool is_to_single; /* the block that ran was left for one without groups */

static struct x64_code *no_next(struct jit_env *env, struct x64_code *from, unsigned n)
{
	(void)env;
	is_to_single = from && n < from->exit_count && from->exits[n].to_single;
	return NULL;
}

static bool no_hit(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	(void)env;
	(void)view;
	(void)addr;
	(void)size;
	return false;
}

static const struct x64_ops ops = { .next = no_next, .hits_code = no_hit };

/* ---- a world ---- */

static void make_tables(struct fixture *f)
{
	f->tlb = tlb_views_new();
	for (unsigned view = 0; view < TLB_VIEWS; view++)
		tlb_view_init(&f->tlb[view]);
	f->targets = aligned_alloc(X64_PROBE_PAIR, X64_PROBE_SIZE * sizeof(*f->targets));
	for (unsigned i = 0; i < X64_PROBE_SIZE; i++)
		f->targets[i] = (struct x64_target){ .pc = i / 2 ? 0 : 32 };
}

static struct test_cpu *new_cpu(void)
{
	return aligned_alloc(64, align_up(sizeof(struct test_cpu), 64));
}

static bool setup(struct fixture *f)
{
	struct err err;

	*f = (struct fixture){ 0 };
	if (!x64_host_ok(&err)) {
		g_test_skip(err.text);
		return false;
	}
	f->cache = code_cache_new(CACHE, TRAP, &cache_ops, &f->cache, &err);
	if (!f->cache) {
		g_test_skip(err.text);
		return false;
	}
	f->jit = x64_jit_new(f->cache, &test_desc, &ops, &err);
	g_assert_nonnull(f->jit);
	f->compiler = x64_compiler_new(f->jit);
	f->b = ir_builder_new(&test_desc);
	f->mem = g_malloc(TEST_MEM);
	f->ref_mem = g_malloc(TEST_MEM);
	f->init_mem = g_malloc(TEST_MEM);
	for (unsigned i = 0; i < TEST_MEM; i++)
		f->init_mem[i] = (uint8_t)g_test_rand_int();
	f->ref = g_new0(struct ref, 1);
	make_tables(f);
	f->cpu = new_cpu();
	f->ref_cpu = new_cpu();
	f->start = new_cpu();
	test_cpu_init(f->start, f->tlb, f->mem);
	f->start->is_host = true;
	f->start->env.probe = (uintptr_t)f->targets;
	return true;
}

static void teardown(struct fixture *f)
{
	x64_compiler_free(f->compiler);
	x64_jit_free(f->jit);
	code_cache_free(f->cache);
	ir_builder_free(f->b);
	free(f->tlb);
	free(f->targets);
	free(f->cpu);
	free(f->ref_cpu);
	free(f->start);
	g_free(f->mem);
	g_free(f->ref_mem);
	g_free(f->init_mem);
	g_free(f->ref);
}

/* ---- a block ---- */

/* Some pages are at hand, of others only C knows; with a new choice for each block. */
static void random_state(struct fixture *f)
{
	struct test_cpu *c = f->start;

	for (unsigned i = 0; i < TEST_REGS; i++)
		c->r[i] = interesting();
	c->flags = (uint32_t)random64();
	c->env.fault = 0;
	c->env.code_stored = false;
	c->calls = 0;
	for (unsigned v = 0; v < sizeof(c->vec); v++)
		((uint8_t *)c->vec)[v] = (uint8_t)g_test_rand_int();
	for (unsigned k = 0; k < TLB_KINDS; k++)
		for (unsigned i = 0; i < TEST_MEM / 4096; i++)
			f->tlb[0].e[k].tag[i] = i != TEST_FAULT_PAGE && below(3)
							? i * UINT64_C(4096)
							: tlb_empty_tag(i);
}

/* Up to instruction `end`; insn_count: all of it. */
static enum ref_end run_reference(struct fixture *f, const struct raw *raw, unsigned end)
{
	enum ref_end how;

	*f->ref_cpu = *f->start;
	f->ref_cpu->mem = f->ref_mem;
	memcpy(f->ref_mem, f->init_mem, TEST_MEM);
	*f->ref = (struct ref){ .c = f->ref_cpu,
				.ops = raw->ops,
				.insns = raw->insns,
				.op_count = end < raw->insn_count ? raw->insns[end].first_op
								  : raw->op_count,
				.insn_count = raw->insn_count,
				.pc_size = raw->pc_size };
	how = ref_run(f->ref);
	if (end < raw->insn_count)
		ref_leave_at(f->ref, end);
	return how;
}

/* False: too big for the back end, which translators would cut. */
static bool run_host(struct fixture *f, const struct ir_block *blk, unsigned how, enum x64_why *why)
{
	struct x64_code *code;
	enum x64_result r;

	memcpy(f->mem, f->init_mem, TEST_MEM);
	*f->cpu = *f->start;
	if (blk->kills_flags) /* what they were makes no difference */
		f->cpu->flags ^= (uint32_t)random64() & IR_FLAGS_ALL;
	r = x64_compile(f->compiler, &code, blk, f->cpu->env.pc, how, NULL);
	if (r == X64_TOO_BIG)
		return false;
	g_assert_cmpuint(r, ==, X64_DONE);
	is_to_single = false;
	*why = x64_run(f->jit, &f->cpu->env, code);
	code_drop(f->cache, code->base);
	return true;
}

static bool is_same(const struct fixture *f)
{
	const struct test_cpu *x = f->cpu, *y = f->ref_cpu;

	return !memcmp(x->r, y->r, sizeof(x->r)) && x->flags == y->flags &&
	       !memcmp(x->vec, y->vec, sizeof(x->vec)) && x->env.pc == y->env.pc &&
	       x->calls == y->calls && !x->env.fault == !y->env.fault &&
	       !memcmp(f->mem, f->ref_mem, TEST_MEM);
}

static void dump(const struct fixture *f, const struct ir_block *blk, unsigned n)
{
	fprintf(stderr, "block %u:\n", n);
	ir_print(blk, &test_desc, stderr);
	fprintf(stderr, "pc %" PRIx64 " wanted %" PRIx64 ", flags %x wanted %x, fault %u %u\n",
		f->cpu->env.pc, f->ref_cpu->env.pc, f->cpu->flags, f->ref_cpu->flags,
		f->cpu->env.fault, f->ref_cpu->env.fault);
	for (unsigned i = 0; i < TEST_REGS; i++)
		if (f->cpu->r[i] != f->ref_cpu->r[i])
			fprintf(stderr, "r%u %" PRIx64 " wanted %" PRIx64 "\n", i, f->cpu->r[i],
				f->ref_cpu->r[i]);
	for (unsigned i = 0; i < TEST_MEM; i++)
		if (f->mem[i] != f->ref_mem[i])
			fprintf(stderr, "byte %x: %02x wanted %02x\n", i, f->mem[i], f->ref_mem[i]);
}

static void check(const struct fixture *f, const struct ir_block *blk, unsigned n, enum x64_why why,
		  enum ref_end end)
{
	if (is_same(f) && (why == X64_FAULT) == (end == REF_FAULT))
		return;
	dump(f, blk, n);
	g_error("why %d, end %d", why, end);
}

/* emit: makes the block. */
static bool check_block(struct fixture *f, unsigned n, void (*emit)(struct ir_builder *b))
{
	g_autofree struct raw *raw = g_new(struct raw, 1);
	const struct ir_block *blk;
	enum x64_why why = X64_LOOP;
	unsigned how;
	bool ok;

	random_state(f);
	make_both(f->b, emit, raw);
	how = f->b->pc_size == 3 && below(2) ? X64_FREE : 0;
	f->start->env.pc = random64() & ~UINT64_C(0) >> (64 - (8u << f->b->pc_size));
	blk = ir_end(f->b);
	ok = run_host(f, blk, how, &why);
	if (ok && is_to_single) {
		uint64_t delta = f->cpu->env.pc - f->start->env.pc;

		/* its instructions have 4 bytes each */
		check(f, blk, n, why, run_reference(f, raw, (uint32_t)delta % 65536 / 4));
		ok = run_host(f, blk, how | X64_SINGLE, &why);
	}
	if (ok)
		check(f, blk, n, why, run_reference(f, raw, raw->insn_count));
	g_free(raw->ops);
	return ok;
}

static void test_random_blocks(void)
{
	const char *count = getenv("RHEA_TEST_BLOCKS");
	unsigned n = count ? (unsigned)atoi(count) : 20000, done = 0;
	struct fixture f;

	if (!setup(&f))
		return;
	for (unsigned i = 0; i < n; i++)
		done += check_block(&f, i, emit_random);
	g_assert_cmpuint(done, >=, n / 100 * 99);
	teardown(&f);
}

/* Two products, a rotated and a plain one, whose sum is asked for twice: the sum is computed late,
 * into the register that one of its operands was just brought to. */
static void emit_late_sum(struct ir_builder *b)
{
	uint32_t r = offsetof(struct test_cpu, r);
	ir_val a, x, y, rolled, sum, low, high;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	a = ir_get(b, 8, r);
	y = ir_lea(b, 4, ir_get(b, 4, r + 16), IR_NONE, 0, 13);
	x = ir_bini(b, IR_SHR, 8, a, 32);
	y = ir_sext(b, 4, 8, y);
	x = ir_bin(b, IR_MUL, 8, x, y);
	y = ir_bin(b, IR_MUL, 8, y, ir_zext(b, 4, a));
	rolled = ir_bini(b, IR_ROL, 8, x, 32);
	sum = ir_bin(b, IR_ADD, 8, rolled, y);
	low = ir_zext(b, 4, sum);
	high = ir_bini(b, IR_SHR, 8, sum, 32);
	high = ir_lea(b, 8, high, high, 3, 0);
	low = ir_lea(b, 8, low, low, 3, 0);
	ir_put(b, 8, r + 24, ir_bin(b, IR_XOR, 8, high, low));
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	ir_exit(b, -33);
	ir_insn_end(b, 1);
}

static void test_late_sum(void)
{
	struct fixture f;

	if (!setup(&f))
		return;
	for (unsigned i = 0; i < 100; i++)
		g_assert_true(check_block(&f, i, emit_late_sum));
	teardown(&f);
}

/* A value and its own low byte in one scratch register, both wanted whole: the byte becomes whole
 * elsewhere. */
static void emit_wide_and_narrow(struct ir_builder *b)
{
	uint32_t r = offsetof(struct test_cpu, r);
	ir_val wide, narrow;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	wide = ir_sext(b, 1, 8, ir_get(b, 8, r));
	narrow = ir_zext(b, 1, wide);
	ir_put(b, 8, r + 8, ir_lea(b, 4, wide, narrow, 1, 40));
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	ir_exit(b, -33);
	ir_insn_end(b, 1);
}

static void test_wide_and_narrow(void)
{
	struct fixture f;

	if (!setup(&f))
		return;
	for (unsigned i = 0; i < 100; i++)
		g_assert_true(check_block(&f, i, emit_wide_and_narrow));
	teardown(&f);
}

/* r0 += 3 until the sum is 0. */
static void emit_loop(struct ir_builder *b)
{
	uint32_t r = offsetof(struct test_cpu, r);
	ir_val sum;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	sum = ir_bini(b, IR_ADD, 8, ir_get(b, 8, r), 3);
	ir_put(b, 8, r, sum);
	ir_flags_set(b, sum);
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	ir_exit_if(b, ir_cond(b, IR_COND_NE), 0);
	ir_exit(b, 8);
	ir_insn_end(b, 4);
}

/* A block whose way back leads past the record of flags: a request finds them recorded. */
static void test_loops_are_left_with_their_flags(void)
{
	struct x64_code *code;
	struct fixture f;

	if (!setup(&f))
		return;
	emit_loop(f.b);
	g_assert_cmpuint(x64_compile(f.compiler, &code, ir_end(f.b), 0x1000, X64_FREE, NULL), ==,
			 X64_DONE);
	g_assert_true(code->kills_flags);
	x64_link(f.jit, code, 0, code);
	for (unsigned asked = 0; asked < 2; asked++) {
		*f.cpu = *f.start;
		f.cpu->r[0] = (uint64_t)-30;
		f.cpu->flags = 0;
		f.cpu->env.pc = 0x1000;
		f.cpu->env.exit_request = (uint16_t)asked;
		g_assert_cmpuint(x64_run(f.jit, &f.cpu->env, code), ==,
				 asked ? X64_ASKED : X64_LOOP);
		g_assert_cmphex(f.cpu->r[0], ==, asked ? (uint64_t)-27 : 0);
		g_assert_cmphex(f.cpu->flags, ==,
				ir_eval_flags(IR_ADD, 3, (uint64_t)(asked ? -30 : -3), 3, 0));
		g_assert_cmphex(f.cpu->env.pc, ==, asked ? 0x1000 : 0x1008);
	}
	code_drop(f.cache, code->base);
	teardown(&f);
}

static ir_val reg(struct ir_builder *b, unsigned n)
{
	return ir_get(b, 8, offsetof(struct test_cpu, r[n]));
}

static void set_reg(struct ir_builder *b, unsigned n, ir_val v)
{
	ir_put(b, 8, offsetof(struct test_cpu, r[n]), v);
}

static void end_block(struct ir_builder *b)
{
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	ir_exit(b, -33);
	ir_insn_end(b, 1);
}

/* A sum of two values in the scratch registers, one of which must stay as it is. */
static void emit_sum_beside_operand(struct ir_builder *b)
{
	ir_val narrow, sum, busy;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	narrow = ir_bini(b, IR_MUL, 1, reg(b, 0), 0x7e);
	narrow = ir_bini(b, IR_SUB, 2, narrow, 3);
	ir_call_if(b, ir_wider(b, reg(b, 0), 40), &helpers[0], narrow, narrow);
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	sum = ir_lea(b, 2, ir_pc(b, 36), narrow, 0, 12);
	busy = ir_emit(b, IR_DEC, 8, 0, reg(b, 12), 0, IR_NONE, 0);
	set_reg(b, 3, ir_bin(b, IR_ANDN, 1, narrow, sum));
	set_reg(b, 7, sum);
	set_reg(b, 8, ir_bini(b, IR_XOR, 8, busy, 5));
	end_block(b);
}

/* The carry of ANDN, done again with one operand in a scratch register and the other where the
 * other one points to. */
static void emit_andn_again(struct ir_builder *b)
{
	ir_val x, y, f;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	x = ir_bini(b, IR_XOR, 4, reg(b, 0), 0x55);
	y = ir_load(b, 4, ir_bini(b, IR_AND, 8, reg(b, 2), 0xff), 0, 0);
	f = ir_bin(b, IR_ANDN, 4, x, y);
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	f = ir_emit(b, IR_DEC, 4, 0, reg(b, 1), 0, f, 0);
	ir_flags_set(b, f);
	end_block(b);
}

/* INC keeps a carry while the flags of before, which have one of their own, are still asked for by
 * a load that faults. */
static void emit_fault_behind_inc(struct ir_builder *b)
{
	ir_val x, f;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	x = ir_binf(b, IR_SBB, 4, reg(b, 1), reg(b, 2), ir_flags(b));
	ir_flags_set(b, x);
	ir_call_if(b, ir_wider(b, reg(b, 0), 40), &helpers[1], reg(b, 0), reg(b, 1));
	ir_insn_end(b, 4);
	ir_insn_begin(b, 4);
	f = ir_flags(b);
	set_reg(b, 12, ir_cond(b, IR_COND_AE));
	f = ir_emit(b, IR_INC, 8, 0, reg(b, 3), 0, f, 0);
	ir_load(b, 1, ir_bini(b, IR_AND, 8, reg(b, 4), 0x7fff), 0, 0);
	ir_flags_set(b, f);
	end_block(b);
}

static void test_registers_and_flags(void)
{
	void (*const emit[])(struct ir_builder * b) = { emit_sum_beside_operand, emit_andn_again,
							emit_fault_behind_inc };
	struct fixture f;

	if (!setup(&f))
		return;
	for (unsigned n = 0; n < ARRAY_SIZE(emit); n++)
		for (unsigned i = 0; i < 300; i++)
			g_assert_true(check_block(&f, n, emit[n]));
	teardown(&f);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/random/blocks", test_random_blocks);
	g_test_add_func("/jit/x64/random/late-sum", test_late_sum);
	g_test_add_func("/jit/x64/random/loop", test_loops_are_left_with_their_flags);
	g_test_add_func("/jit/x64/random/wide-and-narrow", test_wide_and_narrow);
	g_test_add_func("/jit/x64/random/registers-and-flags", test_registers_and_flags);
}

#endif
