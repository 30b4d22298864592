/* tests/unit/accel/cache_test.c - stores to pages with code: of blocks that go while they run, and
 * looked up before they are made.
 * SPDX-License-Identifier: MIT */
#include "tlb_rig.h"

static const uint32_t code[] = { TOY(TOY_ADDI, 0, 0, 1), TOY(TOY_ADDI, 1, 0, 1),
				 TOY(TOY_HALT, 0, 0, 0) };

static struct tcg_accel *tcg(struct rig *r)
{
	return container_of(r->accel, struct tcg_accel, accel);
}

static struct rig *setup(unsigned vcpus)
{
	struct rig *r = rig_new(vcpus);

	map(r, (struct map){ .asid = ALL, .addr = A, .gpa = FRAME, .size = 2 * PAGE });
	tcg_enter(tcg(r));
	return r;
}

static void teardown(struct rig *r)
{
	tcg_leave(tcg(r));
	rig_free(r);
}

/* As if it ran now. */
static struct tcg_block *begin_at(struct rig *r, unsigned cpu, gva_t pc)
{
	struct tcg_vcpu *tv = tcg_of(&r->cpu[cpu].env);

	tlb_block_begins(tv->sets);
	tv->env->pc = pc;
	return tcg_block_at(tv, pc, tcg_code_at(tv, pc, false), NULL);
}

static bool is_told(struct rig *r, unsigned cpu, gva_t addr)
{
	return tcg_store_hits_code(tcg_of(&r->cpu[cpu].env), 0, addr, 4);
}

static bool has_flag(struct rig *r, gpa_t at)
{
	return r->block->page_flags[at / PAGE] & RAM_PAGE_CODE;
}

static void test_a_store_to_a_block_that_was_evicted_while_it_runs_is_told(void)
{
	struct rig *r = setup(1);
	struct tcg_block *b;

	memcpy(r->block->host + FRAME, code, sizeof(code));
	b = begin_at(r, 0, A);
	g_assert_true(is_told(r, 0, A + 4));
	g_assert_false(is_told(r, 0, A + 64));
	tcg_cache_evict(tcg(r), b);
	g_assert_false(has_flag(r, FRAME));
	g_assert_true(is_told(r, 0, A + 4));

	/* no store is fast until the next block, be it made by a helper or after a load */
	g_assert_true(store(r, A + 64, 1));
	g_assert_true(r->env->code_stored);
	g_assert_true(r->env->mem->fill(r->env, 0, A, true, false));
	g_assert_false(is_fast(r, TLB_WRITE, A));

	begin_at(r, 0, A + PAGE); /* elsewhere */
	r->env->code_stored = false;
	g_assert_false(is_told(r, 0, A + 4));
	g_assert_true(store(r, A + 4, 1));
	g_assert_false(r->env->code_stored);
	g_assert_true(is_fast(r, TLB_WRITE, A));
	teardown(r);
}

/* The page is no more when its last block goes, whoever was there last. */
static void test_a_page_is_found_anew_when_it_went(void)
{
	struct rig *r = setup(1);

	memcpy(r->block->host + FRAME, code, sizeof(code));
	tcg_cache_evict(tcg(r), begin_at(r, 0, A));
	g_assert_false(has_flag(r, FRAME));
	begin_at(r, 0, A);
	g_assert_true(has_flag(r, FRAME));
	begin_at(r, 0, A + 8); /* of the page that is there now */
	begin_at(r, 0, A + PAGE);
	g_assert_true(is_told(r, 0, A));
	g_assert_true(is_told(r, 0, A + 8));
	g_assert_true(store(r, A, code[0]));
	g_assert_true(store(r, A + 8, code[0]));
	g_assert_false(has_flag(r, FRAME));
	teardown(r);
}

/* What a block takes the place of may be all that its page had. */
static void test_a_page_stays_while_its_last_block_gives_way(void)
{
	struct rig *r = setup(1);

	memcpy(r->block->host + FRAME, code, sizeof(code));
	begin_at(r, 0, A);
	tcg(r)->cache.limit = 1;
	begin_at(r, 0, A + 8);
	g_assert_cmpuint(tcg(r)->cache.dropped, ==, 1);
	g_assert_true(has_flag(r, FRAME));
	begin_at(r, 0, A + PAGE);
	begin_at(r, 0, A + 8);
	g_assert_true(is_told(r, 0, A + 8));
	teardown(r);
}

static void test_so_is_one_after_another_vcpu_stored_to_it(void)
{
	struct rig *r = setup(2);
	struct jit_env *other = &r->cpu[1].env;
	uint64_t v = 0;

	memcpy(r->block->host + FRAME, code, sizeof(code));
	begin_at(r, 0, A);
	g_assert_true(other->mem->store(other, 0, A + 4, 4, &v));
	g_assert_false(has_flag(r, FRAME));
	g_assert_true(is_told(r, 0, A + 8));
	g_assert_false(is_told(r, 0, A + PAGE));
	begin_at(r, 0, A + PAGE);
	g_assert_false(is_told(r, 0, A + 8));
	teardown(r);
}

static void test_a_block_on_two_pages_hears_of_both(void)
{
	struct rig *r = setup(1);
	struct tcg_block *b;

	memcpy(r->block->host + FRAME + PAGE - 6, code, sizeof(code));
	b = begin_at(r, 0, A + PAGE - 6);
	g_assert_nonnull(b->host_second);
	tcg_cache_evict(tcg(r), b);
	g_assert_true(is_told(r, 0, A + PAGE - 6));
	g_assert_true(is_told(r, 0, A + PAGE + 2));
	teardown(r);
}

static bool fill_for_store(struct rig *r, gva_t addr, bool quiet)
{
	return r->env->mem->fill(r->env, 0, addr, true, quiet);
}

/* Whoever asks may have to leave before he stores. */
static void test_a_page_that_is_not_made_fast_is_not_made_dirty(void)
{
	struct rig *r = setup(1);
	struct map *m = &r->maps[0];

	m->is_clean = true;
	memcpy(r->block->host + FRAME, code, sizeof(code));
	begin_at(r, 0, A);
	for (unsigned quiet = 0; quiet < 2; quiet++) {
		g_assert_true(fill_for_store(r, A + 64, quiet));
		g_assert_true(m->is_clean);
		g_assert_false(is_fast(r, TLB_WRITE, A + 64));
	}
	g_assert_true(store(r, A + 64, 1));
	g_assert_false(m->is_clean);
	g_assert_true(fill_for_store(r, A + PAGE, true));
	g_assert_true(is_fast(r, TLB_WRITE, A + PAGE));

	tlb_flush_all(tcg_of(r->env));
	m->is_clean = true;
	g_assert_true(fill_for_store(r, A + PAGE, true));
	g_assert_false(m->is_clean);
	g_assert_true(is_fast(r, TLB_WRITE, A + PAGE));

	tlb_flush_all(tcg_of(r->env));
	m->is_read_only = true;
	fill_for_store(r, A, true);
	g_assert_cmpuint(r->faults, ==, 0);
	g_assert_false(fill_for_store(r, A, false));
	g_assert_cmpuint(r->faults, ==, 1);
	teardown(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cache/gone", test_a_page_is_found_anew_when_it_went);
	g_test_add_func("/cache/gives-way", test_a_page_stays_while_its_last_block_gives_way);
	g_test_add_func("/cache/evicted",
			test_a_store_to_a_block_that_was_evicted_while_it_runs_is_told);
	g_test_add_func("/cache/dropped", test_so_is_one_after_another_vcpu_stored_to_it);
	g_test_add_func("/cache/two-pages", test_a_block_on_two_pages_hears_of_both);
	g_test_add_func("/cache/dirty", test_a_page_that_is_not_made_fast_is_not_made_dirty);
	return g_test_run();
}
