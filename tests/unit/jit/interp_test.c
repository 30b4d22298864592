/* tests/unit/jit/interp_test.c - passes, lowering and interpreter together against reference.h:
 * every operation in every size with its flags, and random blocks with faults and
 * self-modification. SPDX-License-Identifier: MIT */
#include "jit/interp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

#include "jit/ir_internal.h"
#include "reference.h"

struct fixture {
	struct ir_builder *b;
	struct interp_lowerer *l;
	struct test_cpu cpu, ref_cpu;
	struct tlb_view *tlb;
	uint8_t *mem, *ref_mem, *init_mem;
	_Atomic uint32_t exit_request;
	struct ref *ref;
};

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

static uint64_t random64(void)
{
	return (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
}

static unsigned below(unsigned n) { return (uint32_t)g_test_rand_int() % n; }

/* Values where carries, signs and counts change. */
static uint64_t interesting(void)
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

static void setup(struct fixture *f)
{
	f->b = ir_builder_new(&test_desc);
	f->l = interp_lowerer_new(&test_desc);
	f->tlb = g_new0(struct tlb_view, TLB_VIEWS);
	f->mem = g_malloc(TEST_MEM);
	f->ref_mem = g_malloc(TEST_MEM);
	f->init_mem = g_malloc(TEST_MEM);
	for (unsigned i = 0; i < TEST_MEM; i++)
		f->init_mem[i] = (uint8_t)g_test_rand_int();
	memcpy(f->mem, f->init_mem, TEST_MEM);
	memcpy(f->ref_mem, f->init_mem, TEST_MEM);
	f->ref = g_new0(struct ref, 1);
	test_cpu_init(&f->cpu, f->tlb, &f->exit_request, f->mem);
}

static void teardown(struct fixture *f)
{
	ir_builder_free(f->b);
	interp_lowerer_free(f->l);
	g_free(f->tlb);
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
	bool takes_flags = ir_info[v->code].operands[2] == 'f',
	     unary = ir_info[v->code].operands[1] == '-';
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
	bool has_imm = v->imm && ir_info[v->code].operands[1] == 'i', has_flags;
	uint64_t a = interesting(), b = interesting();
	uint32_t flags = (uint32_t)random64();
	struct model m;
	char error[128];
	const struct ir_block *blk;

	build_variant(f, v, b);
	blk = ir_end(f->b);
	if (!ir_verify(blk, error, sizeof(error)))
		g_error("%s: %s", ir_info[v->code].name, error);
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
			ir_info[v->code].name, v->size, a, b, has_imm, flags & IR_FLAGS_ALL,
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
			if (ir_info[code].operands[2] == 'f')
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
					ir_info[code].name, size, a, b, cc, shape);
			if (f.cpu.flags != model_op(code, size, a, b, flags).flags)
				g_error("%s.%u flags %x", ir_info[code].name, size, f.cpu.flags);
		}
	}
	teardown(&f);
}

/* ---- random blocks ---- */

static uint64_t helper_reads_flags(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	return (cpu->flags & IR_FLAGS_ALL) ^ a ^ b << 1 ^ c << 2;
}

static uint64_t helper_writes_flags(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	cpu->flags = (cpu->flags & ~(uint32_t)IR_FLAGS_ALL) | (uint32_t)(a & IR_FLAGS_ALL);
	cpu->r[3] ^= b;
	return c;
}

static uint64_t helper_may_fault(void *env, uint64_t a, uint64_t b, uint64_t c)
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
static uint64_t helper_faults(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct test_cpu *cpu = env;

	cpu->calls++;
	cpu->env.fault = 2;
	cpu->r[2] ^= a ^ b ^ c;
	return 0;
}

static uint64_t helper_pure(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	(void)env;
	return a * 3 + (b ^ c);
}

static uint64_t helper_reads_pc(void *env, uint64_t a, uint64_t b, uint64_t c)
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

struct gen {
	struct ir_builder *b;
	ir_val v[512];
	unsigned count;
};

static ir_val pick(struct gen *g)
{
	return g->v[below(MIN(g->count, 12)) + (g->count > 12 ? g->count - 12 : 0)];
}

static ir_val keep(struct gen *g, ir_val v)
{
	if (v && g->count < ARRAY_SIZE(g->v))
		g->v[g->count++] = v;
	return v;
}

static uint32_t slot(unsigned size)
{
	return (uint32_t)(offsetof(struct test_cpu, r) + below(6) * 8 + (size == 1 ? below(2) : 0));
}

static ir_val address(struct gen *g)
{
	ir_val a = ir_bini(g->b, IR_AND, 8, pick(g), below(4) ? 0x2fff : 0x7fff);

	switch (below(4)) {
	case 0: return ir_lea(g->b, 8, a, IR_NONE, 0, (int64_t)below(64) - 32);
	case 1: return ir_lea(g->b, 8, a, ir_bini(g->b, IR_AND, 8, pick(g), 0xff), below(4), 8);
	case 2: return ir_lea(g->b, 4, a, ir_bini(g->b, IR_AND, 8, pick(g), 0xff), below(4), 8);
	default: return a;
	}
}

static ir_val gen_arithmetic(struct gen *g, ir_val *flags_op)
{
	enum ir_code code = IR_ADD + below(IR_POPCNT - IR_ADD + 1);
	unsigned size = 1u << below(4);
	bool takes_flags = ir_info[code].operands[2] == 'f',
	     unary = ir_info[code].operands[1] == '-';
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

static void gen_memory(struct gen *g)
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

static void gen_op(struct gen *g, ir_val *flags_op)
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

static void gen_insn(struct gen *g, unsigned k)
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

static void gen_block(struct gen *g, struct ir_builder *b)
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

/* Only what a back end may rely on differs: how the run ended must agree with the reference. */
static bool same_end(enum ref_end r, enum interp_why w)
{
	return r == REF_FAULT      ? w == INTERP_FAULT
	       : r == REF_MODIFIED ? w == INTERP_MODIFIED
				   : w == INTERP_LOOP;
}

static void dump(struct fixture *f, const struct ir_block *raw, unsigned seed)
{
	struct interp_block code = { 0 };
	const struct ir_block *blk;

	fprintf(stderr, "block %u, as emitted:\n", seed);
	ir_print(raw, &test_desc, stderr);
	blk = ir_end(f->b);
	fprintf(stderr, "after the passes:\n");
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
	g_autofree struct ir_op *raw = NULL;
	struct ir_insn insns[IR_MAX_INSNS];
	struct ir_block raw_blk;
	const struct ir_block *blk;
	enum interp_why why;
	enum ref_end end;
	struct gen g;
	char error[128];

	random_state(f);
	gen_block(&g, f->b);
	f->cpu.env.pc = random64() & ~UINT64_C(0) >> (64 - (8u << f->b->pc_size));
	f->ref_cpu = f->cpu;
	f->ref_cpu.mem = f->ref_mem;
	raw = g_memdup2(f->b->ops, f->b->op_count * sizeof(*raw));
	memcpy(insns, f->b->insns, sizeof(insns));
	raw_blk = (struct ir_block){ .ops = raw,
				     .insns = insns,
				     .op_count = (uint16_t)f->b->op_count,
				     .insn_count = (uint16_t)f->b->insn_count,
				     .pc_size = (uint8_t)f->b->pc_size };
	*r = (struct ref){ .c = &f->ref_cpu,
			   .ops = raw,
			   .insns = insns,
			   .op_count = f->b->op_count,
			   .insn_count = f->b->insn_count,
			   .pc_size = f->b->pc_size };
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
	    !memcmp(f->mem, f->ref_mem, TEST_MEM))
		return;
	memcpy(f->b->ops, raw, raw_blk.op_count * sizeof(*raw));
	memcpy(f->b->insns, insns, sizeof(insns));
	f->b->op_count = raw_blk.op_count;
	f->b->insn_count = raw_blk.insn_count;
	dump(f, &raw_blk, n);
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

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jit/interp/every-operation", test_every_operation_size_and_flag);
	g_test_add_func("/jit/interp/conditions", test_conditions_of_each_kind_of_flags);
	g_test_add_func("/jit/interp/exit-counts", test_each_exit_counts_its_instructions);
	g_test_add_func("/jit/interp/random-blocks", test_random_blocks);
	return g_test_run();
}
