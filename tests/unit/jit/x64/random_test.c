/* random_test.c - random blocks of IR through the back end, against reference.h.
 * SPDX-License-Identifier: MIT */
#include <glib.h>

#ifdef __x86_64__

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../generator.h"
#include "../reference.h"
#include "base/err.h"
#include "jit/x64/x64.h"

enum { CACHE = 4 << 20, TRAP = 0xcc };

struct fixture {
	struct code_cache *cache;
	struct x64_jit *jit;
	struct x64_compiler *compiler;
	struct ir_builder *b;
	struct test_cpu *cpu, *ref_cpu;
	struct tlb_view *tlb;
	struct x64_target *targets;
	uint8_t *mem, *ref_mem, *init_mem;
	_Atomic uint32_t exit_request;
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

static struct x64_code *no_next(struct jit_env *env, struct x64_code *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
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
	f->tlb = g_new0(struct tlb_view, TLB_VIEWS);
	for (unsigned n = 0; n < TLB_VIEWS * TLB_KINDS; n++)
		for (unsigned i = 0; i < TLB_SIZE; i++)
			f->tlb[n / TLB_KINDS].e[n % TLB_KINDS][i].tag = tlb_empty_tag(i);
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
	test_cpu_init(f->cpu, f->tlb, &f->exit_request, f->mem);
	f->cpu->is_host = true;
	f->cpu->env.probe = (uintptr_t)f->targets;
	return true;
}

static void teardown(struct fixture *f)
{
	x64_compiler_free(f->compiler);
	x64_jit_free(f->jit);
	code_cache_free(f->cache);
	ir_builder_free(f->b);
	g_free(f->tlb);
	free(f->targets);
	free(f->cpu);
	free(f->ref_cpu);
	g_free(f->mem);
	g_free(f->ref_mem);
	g_free(f->init_mem);
	g_free(f->ref);
}

/* ---- a block ---- */

/* Some pages are at hand, of others only C knows; with a new choice for each block. */
static void random_state(struct fixture *f)
{
	struct test_cpu *c = f->cpu;

	for (unsigned i = 0; i < TEST_REGS; i++)
		c->r[i] = interesting();
	c->flags = (uint32_t)random64();
	c->env.fault = 0;
	c->env.code_stored = false;
	c->calls = 0;
	for (unsigned v = 0; v < sizeof(c->vec); v++)
		((uint8_t *)c->vec)[v] = (uint8_t)g_test_rand_int();
	memcpy(f->mem, f->init_mem, TEST_MEM);
	memcpy(f->ref_mem, f->init_mem, TEST_MEM);
	for (unsigned k = 0; k < TLB_KINDS; k++)
		for (unsigned i = 0; i < TEST_MEM / 4096; i++)
			f->tlb[0].e[k][i].tag = i != TEST_FAULT_PAGE && below(3)
							? i * UINT64_C(4096)
							: tlb_empty_tag(i);
}

static enum ref_end run_reference(struct fixture *f, const struct ir_op *raw,
				  const struct ir_insn *insns)
{
	*f->ref_cpu = *f->cpu;
	f->ref_cpu->mem = f->ref_mem;
	*f->ref = (struct ref){ .c = f->ref_cpu,
				.ops = raw,
				.insns = insns,
				.op_count = f->b->op_count,
				.insn_count = f->b->insn_count,
				.pc_size = f->b->pc_size };
	return ref_run(f->ref);
}

/* False: too big for the back end, which translators would cut. */
static bool run_host(struct fixture *f, const struct ir_block *blk, bool is_free, enum x64_why *why)
{
	struct x64_code code = { 0 };
	enum x64_result r = x64_compile(f->compiler, &code, blk, f->cpu->env.pc, is_free);

	if (r == X64_TOO_BIG)
		return false;
	g_assert_cmpuint(r, ==, X64_DONE);
	*why = x64_run(f->jit, &f->cpu->env, &code);
	code_drop(f->cache, code.base);
	x64_code_fini(&code);
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

static bool check_block(struct fixture *f, unsigned n)
{
	g_autofree struct ir_op *raw = NULL;
	struct ir_insn insns[IR_MAX_INSNS];
	const struct ir_block *blk;
	enum x64_why why;
	enum ref_end end;
	bool is_free;
	struct gen g;

	random_state(f);
	gen_block(&g, f->b);
	is_free = f->b->pc_size == 3 && below(2);
	f->cpu->env.pc = random64() & ~UINT64_C(0) >> (64 - (8u << f->b->pc_size));
	raw = g_memdup2(f->b->ops, f->b->op_count * sizeof(*raw));
	memcpy(insns, f->b->insns, sizeof(insns));
	end = run_reference(f, raw, insns);
	blk = ir_end(f->b);
	if (blk->kills_flags) /* what they were makes no difference */
		f->cpu->flags ^= (uint32_t)random64() & IR_FLAGS_ALL;
	if (!run_host(f, blk, is_free, &why))
		return false;
	if (!is_same(f) || (why == X64_FAULT) != (end == REF_FAULT)) {
		dump(f, blk, n);
		g_error("why %d, end %d", why, end);
	}
	return true;
}

static void test_random_blocks(void)
{
	const char *count = getenv("RHEA_TEST_BLOCKS");
	unsigned n = count ? (unsigned)atoi(count) : 20000, done = 0;
	struct fixture f;

	if (!setup(&f))
		return;
	for (unsigned i = 0; i < n; i++)
		done += check_block(&f, i);
	g_assert_cmpuint(done, >=, n / 100 * 99);
	teardown(&f);
}

static void add_tests(void) { g_test_add_func("/jit/x64/random/blocks", test_random_blocks); }

#else

static void test_needs_another_host(void) { g_test_skip("runs on x86-64 hosts"); }

static void add_tests(void) { g_test_add_func("/jit/x64/random", test_needs_another_host); }

#endif

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_tests();
	return g_test_run();
}
