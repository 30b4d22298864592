/* tests/unit/jit/interp_test.c - passes, lowering and interpreter together against reference.h:
 * every operation in every size with its flags, and random blocks with faults and
 * self-modification.
 * SPDX-License-Identifier: MIT */
#include "jit/interp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

#include "generator.h"
#include "reference.h"

struct fixture {
	struct ir_builder *b;
	struct interp_lowerer *l;
	struct test_cpu cpu, ref_cpu;
	struct tlb_view *tlb;
	uint8_t *mem, *ref_mem, *init_mem;
	struct ref *ref;
};

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

static void setup(struct fixture *f)
{
	f->b = ir_builder_new(&test_desc);
	f->l = interp_lowerer_new(&test_desc);
	f->tlb = tlb_views_new();
	f->mem = g_malloc(TEST_MEM);
	f->ref_mem = g_malloc(TEST_MEM);
	f->init_mem = g_malloc(TEST_MEM);
	for (unsigned i = 0; i < TEST_MEM; i++)
		f->init_mem[i] = (uint8_t)g_test_rand_int();
	memcpy(f->mem, f->init_mem, TEST_MEM);
	memcpy(f->ref_mem, f->init_mem, TEST_MEM);
	f->ref = g_new0(struct ref, 1);
	test_cpu_init(&f->cpu, f->tlb, f->mem);
}

static void teardown(struct fixture *f)
{
	ir_builder_free(f->b);
	interp_lowerer_free(f->l);
	free(f->tlb);
	g_free(f->mem);
	g_free(f->ref_mem);
	g_free(f->init_mem);
	g_free(f->ref);
}

/* ---- every operation ---- */

struct variant {
	enum ir_code code;
	unsigned size;
	bool imm, want_flags, want_value, same_dest;
};

/* r2 (or r0) = r0 op r1, with flags from and to the slot. */
static void build_variant(struct fixture *f, const struct variant *v, uint64_t imm)
{
	struct ir_builder *b = f->b;
	bool takes_flags = ir_text[v->code].operands[2] == 'f',
	     unary = ir_text[v->code].operands[1] == '-';
	ir_val x, y, r, fl = IR_NONE;

	ir_begin(b, 0, 3);
	ir_insn_begin(b, 0);
	if (takes_flags)
		fl = ir_flags(b);
	x = ir_get(b, v->size, offsetof(struct test_cpu, r[0]));
	y = unary || v->imm ? IR_NONE : ir_get(b, v->size, offsetof(struct test_cpu, r[1]));
	r = ir_emit(b, v->code, v->size, !unary && v->imm ? IR_FORM_IMM : 0, x, y, fl,
		    v->imm && !unary ? imm : 0);
	if (v->want_value)
		ir_put(b, 8,
		       v->same_dest ? offsetof(struct test_cpu, r[0])
				    : offsetof(struct test_cpu, r[2]),
		       r);
	if (v->want_flags)
		ir_flags_set(b, r);
	ir_insn_end(b, 3);
	ir_insn_begin(b, 3);
	ir_exit(b, 5);
	ir_insn_end(b, 2);
}

static enum interp_why run(struct fixture *f, const struct ir_block *blk)
{
	struct interp_run how = { .next = no_next, .budget = 1000000 };
	struct interp_block code = { 0 };
	enum interp_why why;

	g_assert_true(interp_lower(f->l, &code, blk));
	why = interp_run(&f->cpu.env, &code, &test_desc, &how);
	interp_block_fini(&code);
	return why;
}

static void check_variant(struct fixture *f, const struct variant *v)
{
	bool has_imm = v->imm && ir_text[v->code].operands[1] == 'i', has_flags;
	uint64_t a = interesting(), b = interesting();
	uint32_t flags = (uint32_t)random64();
	struct model m;
	char error[128];
	const struct ir_block *blk;

	build_variant(f, v, b);
	blk = ir_end(f->b);
	if (!ir_verify(blk, error, sizeof(error)))
		g_error("%s: %s", ir_text[v->code].name, error);
	f->cpu.r[0] = a;
	f->cpu.r[1] = has_imm ? 0x1234 : b;
	f->cpu.r[2] = 0x55;
	f->cpu.flags = flags;
	f->cpu.env.pc = 0x1000;
	run(f, blk);
	m = model_op(v->code, v->size, a, b, flags & IR_FLAGS_ALL);
	has_flags = v->want_flags && ir_info[v->code].props & IR_PROP_FLAGS;
	if (f->cpu.env.pc != 0x1005 ||
	    (v->want_value && f->cpu.r[v->same_dest ? 0 : 2] != m.value) ||
	    f->cpu.flags != (has_flags ? (flags & ~(uint32_t)IR_FLAGS_ALL) | m.flags : flags))
		g_error("%s.%u a=%" PRIx64 " b=%" PRIx64 " imm %d c=%x: %" PRIx64 " (%" PRIx64
			") flags %x (%x)",
			ir_text[v->code].name, v->size, a, b, has_imm, flags & IR_FLAGS_ALL,
			f->cpu.r[v->same_dest ? 0 : 2], m.value, f->cpu.flags & IR_FLAGS_ALL,
			m.flags);
}

static void test_every_operation_size_and_flag(void)
{
	struct fixture f = { 0 };

	setup(&f);
	for (enum ir_code code = IR_ADD; code <= IR_POPCNT; code++) {
		bool has_flags = ir_info[code].props & IR_PROP_FLAGS;

		for (unsigned n = 0; n < 64; n++) {
			struct variant v = { .code = code,
					     .size = 1u << (n & 3),
					     .imm = n & 4,
					     .want_flags = has_flags && n & 8,
					     .want_value = n & 16,
					     .same_dest = n & 32 };

			if (code == IR_BSWAP && v.size == 1)
				continue;
			for (unsigned i = 0; i < 60; i++)
				check_variant(&f, &v);
		}
	}
	teardown(&f);
}

static void test_conditions_of_each_kind_of_flags(void)
{
	static const enum ir_code codes[] = { IR_SUB, IR_ADD, IR_AND, IR_OR,
					      IR_XOR, IR_SHL, IR_INC, IR_ADC };
	struct fixture f = { 0 };

	setup(&f);
	for (unsigned n = 0; n < 16 * 4 * ARRAY_SIZE(codes) * 8; n++) {
		enum ir_cond cc = n & 15;
		unsigned size = 1u << (n >> 4 & 3), shape = n >> 6 & 7;
		enum ir_code code = codes[n >> 9];
		bool jump = shape & 1, value = shape & 2, imm = shape & 4 && code != IR_INC;

		for (unsigned i = 0; i < 8; i++) {
			uint64_t a = interesting(), b = below(3) ? interesting() : a;
			uint32_t flags = (uint32_t)random64() & IR_FLAGS_ALL;
			bool want = model_cond(cc, model_op(code, size, a, b, flags).flags);
			ir_val r, c, old = IR_NONE;

			ir_begin(f.b, 0, 3);
			ir_insn_begin(f.b, 0);
			if (ir_text[code].operands[2] == 'f')
				old = ir_flags(f.b);
			r = ir_emit(f.b, code, size, imm ? IR_FORM_IMM : 0,
				    ir_get(f.b, size, offsetof(struct test_cpu, r[0])),
				    imm || code == IR_INC
					    ? IR_NONE
					    : ir_get(f.b, size, offsetof(struct test_cpu, r[1])),
				    old, imm ? b : 0);
			if (value)
				ir_put(f.b, 8, offsetof(struct test_cpu, r[0]), r);
			ir_flags_set(f.b, r);
			ir_insn_end(f.b, 3);
			ir_insn_begin(f.b, 3);
			c = ir_cond(f.b, cc);
			if (jump)
				ir_exit_if(f.b, c, 100);
			else
				ir_put(f.b, 1, offsetof(struct test_cpu, r[3]), c);
			ir_exit(f.b, 5);
			ir_insn_end(f.b, 2);
			f.cpu.r[0] = a;
			f.cpu.r[1] = b;
			f.cpu.r[3] = 0;
			f.cpu.flags = flags;
			f.cpu.env.pc = 0;
			run(&f, ir_end(f.b));
			if (want != (jump ? f.cpu.env.pc == 100 : f.cpu.r[3] == 1))
				g_error("%s.%u a=%" PRIx64 " b=%" PRIx64 " condition %u shape %u",
					ir_text[code].name, size, a, b, cc, shape);
			if (f.cpu.flags != model_op(code, size, a, b, flags).flags)
				g_error("%s.%u flags %x", ir_text[code].name, size, f.cpu.flags);
		}
	}
	teardown(&f);
}

/* ---- random blocks ---- */

/* Only what a back end may rely on differs: how the run ended must agree with the reference. */
static bool same_end(enum ref_end r, enum interp_why w)
{
	return r == REF_FAULT      ? w == INTERP_FAULT
	       : r == REF_MODIFIED ? w == INTERP_MODIFIED
				   : w == INTERP_LOOP;
}

static void dump(struct fixture *f, const struct ir_block *raw, const struct ir_block *blk,
		 unsigned seed)
{
	struct interp_block code = { 0 };

	fprintf(stderr, "block %u, as emitted:\n", seed);
	ir_print(raw, &test_desc, stderr);
	fprintf(stderr, "folded:\n");
	ir_print(blk, &test_desc, stderr);
	if (interp_lower(f->l, &code, blk))
		interp_print(&code, stderr);
	interp_block_fini(&code);
}

static bool same_state(const struct test_cpu *x, const struct test_cpu *y)
{
	return !memcmp(x->r, y->r, sizeof(x->r)) && x->flags == y->flags &&
	       !memcmp(x->vec, y->vec, sizeof(x->vec)) && x->env.pc == y->env.pc &&
	       x->calls == y->calls && x->env.fault == y->env.fault;
}

static void random_state(struct fixture *f)
{
	for (unsigned i = 0; i < TEST_REGS; i++)
		f->cpu.r[i] = interesting();
	f->cpu.flags = (uint32_t)random64();
	f->cpu.env.fault = 0;
	f->cpu.env.code_stored = false;
	f->cpu.calls = 0;
}

static void check_block(struct fixture *f, unsigned n)
{
	struct ref *r = f->ref;
	struct ir_block raw_blk;
	const struct ir_block *blk;
	enum interp_why why;
	enum ref_end end;
	struct raw raw;
	char error[128];

	random_state(f);
	make_both(f->b, emit_random, &raw);
	f->cpu.env.pc = random64() & ~UINT64_C(0) >> (64 - (8u << f->b->pc_size));
	f->ref_cpu = f->cpu;
	f->ref_cpu.mem = f->ref_mem;
	raw_blk = (struct ir_block){ .ops = raw.ops,
				     .insns = raw.insns,
				     .op_count = (uint16_t)raw.op_count,
				     .insn_count = (uint16_t)raw.insn_count,
				     .pc_size = (uint8_t)raw.pc_size };
	*r = (struct ref){ .c = &f->ref_cpu,
			   .ops = raw.ops,
			   .insns = raw.insns,
			   .op_count = raw.op_count,
			   .insn_count = raw.insn_count,
			   .pc_size = raw.pc_size };
	end = ref_run(r);
	blk = ir_end(f->b);
	if (!ir_verify(blk, error, sizeof(error))) {
		fprintf(stderr, "block %u: %s\n", n, error);
		ir_print(&raw_blk, &test_desc, stderr);
		ir_print(blk, &test_desc, stderr);
		g_assert_not_reached();
	}
	if (blk->kills_flags) /* what they were makes no difference */
		f->cpu.flags ^= (uint32_t)random64() & IR_FLAGS_ALL;
	why = run(f, blk);
	if (same_end(end, why) && same_state(&f->cpu, &f->ref_cpu) &&
	    !memcmp(f->mem, f->ref_mem, TEST_MEM)) {
		g_free(raw.ops);
		return;
	}
	dump(f, &raw_blk, blk, n);
	fprintf(stderr,
		"end %d why %d, pc %" PRIx64 " wanted %" PRIx64
		", flags %x wanted %x, fault %u %u\n",
		end, why, f->cpu.env.pc, f->ref_cpu.env.pc, f->cpu.flags, f->ref_cpu.flags,
		f->cpu.env.fault, f->ref_cpu.env.fault);
	for (unsigned i = 0; i < TEST_REGS; i++)
		fprintf(stderr, "r%u %" PRIx64 " wanted %" PRIx64 "\n", i, f->cpu.r[i],
			f->ref_cpu.r[i]);
	g_assert_not_reached();
}

/* Three side exits, taken where r0 has their number; each costs the instructions up to it. */
static void test_each_exit_counts_its_instructions(void)
{
	struct interp_block code = { 0 };
	struct fixture f = { 0 };

	setup(&f);
	ir_begin(f.b, 0, 3);
	for (unsigned k = 0; k < 6; k++) {
		ir_insn_begin(f.b, (int32_t)k);
		if (k & 1)
			ir_exit_if(f.b,
				   ir_cmpi(f.b, IR_EQ, 8,
					   ir_get(f.b, 8, offsetof(struct test_cpu, r[0])), k),
				   100 + k);
		ir_insn_end(f.b, 1);
	}
	ir_insn_begin(f.b, 6);
	ir_exit(f.b, 106);
	ir_insn_end(f.b, 1);
	g_assert_true(interp_lower(f.l, &code, ir_end(f.b)));
	for (unsigned k = 1; k <= 7; k += 2) {
		struct interp_run how = { .next = no_next, .budget = 1000 };

		f.cpu.r[0] = k;
		f.cpu.env.pc = 0;
		g_assert_cmpuint(interp_run(&f.cpu.env, &code, &test_desc, &how), ==, INTERP_LOOP);
		g_assert_cmpuint(f.cpu.env.pc, ==, k < 7 ? 100 + k : 106);
		g_assert_cmpint(1000 - how.budget, ==, k < 7 ? k + 1 : 7);
	}
	interp_block_fini(&code);
	teardown(&f);
}

/* An instruction that stores to code and then compares (CMPXCHG) ends the run before the jump on
 * its flags, whatever they are. */
static void test_store_to_code_stops_before_the_jump(void)
{
	struct fixture f = { 0 };
	ir_val r0;

	setup(&f);
	ir_begin(f.b, 0, 3);
	ir_insn_begin(f.b, 0);
	r0 = ir_get(f.b, 8, offsetof(struct test_cpu, r[0]));
	ir_store(f.b, 8, ir_const(f.b, TEST_CODE_PAGE * 4096), 0, r0);
	ir_flags_set(f.b,
		     ir_bin(f.b, IR_SUB, 8, r0, ir_get(f.b, 8, offsetof(struct test_cpu, r[1]))));
	ir_insn_end(f.b, 4);
	ir_insn_begin(f.b, 4);
	ir_exit_if(f.b, ir_cond(f.b, IR_COND_E), 100);
	ir_insn_end(f.b, 2);
	ir_insn_begin(f.b, 6);
	ir_exit(f.b, 200);
	ir_insn_end(f.b, 1);
	g_assert_cmpuint(run(&f, ir_end(f.b)), ==, INTERP_MODIFIED);
	g_assert_cmpuint(f.cpu.env.pc, ==, 4);
	teardown(&f);
}

static void test_random_blocks(void)
{
	const char *count = getenv("RHEA_TEST_BLOCKS");
	unsigned n = count ? (unsigned)atoi(count) : 20000;
	struct fixture f = { 0 };

	setup(&f);
	for (unsigned i = 0; i < n; i++)
		check_block(&f, i);
	teardown(&f);
}

/* What nobody reads takes no time. */
static void test_dead_ops_are_not_run(void)
{
	struct interp_block code = { 0 };
	uint32_t count[2];
	struct fixture f;

	setup(&f);
	for (unsigned dead = 0; dead < 2; dead++) {
		ir_begin(f.b, 0, 3);
		ir_insn_begin(f.b, 0);
		if (dead)
			ir_bini(f.b, IR_SHL, 8, ir_get(f.b, 8, 8), 3);
		ir_put(f.b, 8, 16, ir_get(f.b, 8, 0));
		ir_insn_end(f.b, 4);
		ir_insn_begin(f.b, 4);
		ir_exit(f.b, 8);
		ir_insn_end(f.b, 4);
		g_assert_true(interp_lower(f.l, &code, ir_end(f.b)));
		count[dead] = code.op_count;
		interp_block_fini(&code);
	}
	g_assert_cmpuint(count[1], ==, count[0]);
	teardown(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jit/interp/every-operation", test_every_operation_size_and_flag);
	g_test_add_func("/jit/interp/conditions", test_conditions_of_each_kind_of_flags);
	g_test_add_func("/jit/interp/exit-counts", test_each_exit_counts_its_instructions);
	g_test_add_func("/jit/interp/stop-before-jump", test_store_to_code_stops_before_the_jump);
	g_test_add_func("/jit/interp/dead", test_dead_ops_are_not_run);
	g_test_add_func("/jit/interp/random-blocks", test_random_blocks);
	return g_test_run();
}
