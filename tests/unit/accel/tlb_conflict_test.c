/* tests/unit/accel/tlb_conflict_test.c - the soft TLB with pages that are in each other's place:
 * where they go, and that whoever empties entries finds them there.
 * SPDX-License-Identifier: MIT */
#include "accel/tcg/tlb.h"

#include "tlb_rig.h"
#include "jit/interp_slow.h"

/* B and C have A's first place, and spare ones of their own; TWIN shares both. */
enum { B = A + TLB_SIZE * PAGE, C = B + TLB_SIZE * PAGE };
#define TWIN(addr) ((addr) + ((gva_t)TLB_SIZE * TLB_SPARES * PAGE))

static bool is_in(struct rig *r, unsigned kind, unsigned place, gva_t addr)
{
	return tlb_hit(&r->env->tlb[r->env->view].e[kind], place, addr, 8);
}

static bool is_first(struct rig *r, unsigned kind, gva_t addr)
{
	return is_in(r, kind, tlb_index(addr), addr) && !is_in(r, kind, tlb_spare(addr), addr);
}

static bool is_spare(struct rig *r, unsigned kind, gva_t addr)
{
	return is_in(r, kind, tlb_spare(addr), addr) && !is_in(r, kind, tlb_index(addr), addr);
}

static void test_empty_places_match_nothing(void)
{
	struct rig *r = rig_new(1);
	static const gva_t top[] = { 0, BIT(30), BIT(47) - BIT(30), ~(BIT(47) - 1),
				     ~(BIT(30) - 1) };

	for (unsigned i = 0; i < G_N_ELEMENTS(top); i++)
		for (gva_t page = 0; page < (gva_t)TLB_SIZE * TLB_SPARES; page++)
			g_assert_false(is_fast(r, TLB_READ, top[i] + page * PAGE));
	rig_free(r);
}

/* A, B, C and TWIN(A) map the first frames; the last is global. */
static struct rig *rig_conflict(void)
{
	struct rig *r = rig_new(1);
	const gva_t at[] = { A, B, C, TWIN(A) };

	for (unsigned i = 0; i < G_N_ELEMENTS(at); i++) {
		put(r, FRAME + i * PAGE, i + 1);
		map(r,
		    (struct map){ .asid = JIT_ASID_ALL, .addr = at[i], .gpa = FRAME + i * PAGE });
	}
	g_assert_cmpuint(tlb_index(A), ==, tlb_index(C));
	g_assert_cmpuint(tlb_spare(A), !=, tlb_spare(B));
	g_assert_cmpuint(tlb_spare(A), ==, tlb_spare(TWIN(A)));
	return r;
}

static void test_a_page_whose_place_is_taken_has_another(void)
{
	struct rig *r = rig_conflict();

	expect(r, A, 1, true);
	g_assert_true(is_first(r, TLB_READ, A));
	expect(r, B, 2, true);
	g_assert_true(is_spare(r, TLB_READ, A));
	g_assert_true(is_first(r, TLB_READ, B));
	expect(r, C, 3, true);
	g_assert_true(is_spare(r, TLB_READ, A));
	g_assert_true(is_spare(r, TLB_READ, B));
	g_assert_true(is_first(r, TLB_READ, C));
	/* what is loaded by C is filled in first, and the other goes */
	g_assert_true(r->env->mem->fill(r->env, r->env->view, A, false, false));
	g_assert_true(is_first(r, TLB_READ, A));
	g_assert_true(is_spare(r, TLB_READ, C));
	/* each kind for itself */
	g_assert_false(is_fast(r, TLB_WRITE, A));
	g_assert_true(store(r, A, 1));
	g_assert_true(store(r, B, 2));
	g_assert_true(is_spare(r, TLB_WRITE, A));
	g_assert_true(is_first(r, TLB_WRITE, B));
	g_assert_true(is_first(r, TLB_READ, A));
	/* who comes to a spare place that is taken takes it */
	expect(r, TWIN(A), 4, true);
	g_assert_true(is_spare(r, TLB_READ, A));
	expect(r, B, 2, false);
	g_assert_true(r->env->mem->fill(r->env, r->env->view, B, false, false));
	g_assert_true(is_spare(r, TLB_READ, TWIN(A)));
	g_assert_false(is_fast(r, TLB_READ, A));
	g_assert_cmpuint(r->walks, ==, 4);
	rig_free(r);
}

/* Code that is translated finds the spare entry by itself; what comes to C all the same is there
 * to change that.  A page in use would be a spare one for good, even if the other has gone. */
static void test_an_access_by_c_gives_a_page_its_first_place(void)
{
	struct rig *r = rig_conflict();
	uint64_t old;

	g_assert_true(store(r, A, 1));
	g_assert_true(store(r, B, 2));
	g_assert_true(is_spare(r, TLB_WRITE, A));
	g_assert_true(store(r, A, 3));
	g_assert_true(is_first(r, TLB_WRITE, A));
	g_assert_true(is_spare(r, TLB_WRITE, B));
	g_assert_true(interp_atomic(r->env, IR_ATOMIC_ADD | 3u << 8, B, 5, 0, &old));
	g_assert_cmpuint(old, ==, 2);
	g_assert_true(is_first(r, TLB_WRITE, B));
	g_assert_true(is_spare(r, TLB_WRITE, A));
	g_assert_cmpuint(load(r, A), ==, 3);
	g_assert_cmpuint(load(r, B), ==, 7);
	rig_free(r);
}

static void fill_both(struct rig *r)
{
	expect(r, A, load(r, A), false);
	expect(r, B, load(r, B), false);
	g_assert_true(store(r, A, 7));
	g_assert_true(store(r, B, 8));
	g_assert_true(is_spare(r, TLB_READ, A));
	g_assert_true(is_spare(r, TLB_WRITE, A));
}

static void test_flushes_find_both_places(void)
{
	struct rig *r = rig_conflict();

	fill_both(r);
	r->env->mem->tlb_flush(r->env, A, false);
	g_assert_false(is_fast(r, TLB_READ, A) || is_fast(r, TLB_WRITE, A));
	g_assert_true(is_fast(r, TLB_READ, B) && is_fast(r, TLB_WRITE, B));
	r->env->mem->tlb_flush(r->env, B, false);
	g_assert_false(is_fast(r, TLB_READ, B) || is_fast(r, TLB_WRITE, B));
	fill_both(r);
	r->env->mem->tlb_flush_space(r->env, 0, A + 8);
	g_assert_false(is_fast(r, TLB_READ, A) || is_fast(r, TLB_WRITE, A));
	g_assert_true(is_fast(r, TLB_READ, B) && is_fast(r, TLB_WRITE, B));
	r->env->mem->tlb_flush(r->env, ALL, false);
	g_assert_false(is_fast(r, TLB_READ, B));
	/* an address space's own go with it, global ones do not: they say so where they went */
	r->maps[1].is_global = true;
	fill_both(r);
	run_in(r, 0, false);
	g_assert_false(is_fast(r, TLB_READ, A) || is_fast(r, TLB_WRITE, A));
	g_assert_true(is_fast(r, TLB_READ, B) && is_fast(r, TLB_WRITE, B));
	expect(r, C, 3, true);
	g_assert_true(is_spare(r, TLB_READ, B));
	run_in(r, 0, false);
	g_assert_true(is_spare(r, TLB_READ, B));
	g_assert_false(is_fast(r, TLB_READ, C));
	r->env->mem->tlb_flush_space(r->env, 0, B);
	g_assert_true(is_spare(r, TLB_READ, B));
	r->env->mem->tlb_flush(r->env, B, false);
	g_assert_false(is_fast(r, TLB_READ, B));
	/* the place of one kind taken by the other */
	fill_both(r);
	expect(r, C, 3, true);
	r->maps[1].is_global = false;
	r->env->mem->tlb_flush(r->env, ALL, false);
	g_assert_false(is_fast(r, TLB_READ, A) || is_fast(r, TLB_READ, B));
	fill_both(r);
	expect(r, C, 3, true);
	run_in(r, 0, false);
	g_assert_false(is_fast(r, TLB_READ, A) || is_fast(r, TLB_READ, B) ||
		       is_fast(r, TLB_READ, C));
	rig_free(r);
}

static void test_a_large_page_goes_from_both_places(void)
{
	struct rig *r = rig_new(1);
	enum { LARGE = 2 * MIB, N = 8 };

	map(r, (struct map){ .addr = A, .size = LARGE, .gpa = 0 });
	map(r, (struct map){ .addr = B, .size = LARGE, .gpa = LARGE });
	for (unsigned i = 0; i < N; i++)
		load(r, A + i * PAGE);
	for (unsigned i = 0; i < N; i++)
		load(r, B + i * PAGE);
	g_assert_true(is_spare(r, TLB_READ, A + (N - 1) * PAGE));
	r->env->mem->tlb_flush(r->env, A + MIB, false);
	for (unsigned i = 0; i < N; i++) {
		g_assert_false(is_fast(r, TLB_READ, A + i * PAGE));
		g_assert_true(is_fast(r, TLB_READ, B + i * PAGE));
	}
	rig_free(r);
}

static void test_a_page_with_code_loses_spare_write_entries(void)
{
	struct rig *r = rig_conflict();
	struct tcg_accel *t = container_of(r->accel, struct tcg_accel, accel);

	g_assert_true(store(r, A, 1));
	g_assert_true(store(r, B, 2));
	tlb_block_begins(tcg_of(r->env)->sets);
	g_assert_true(is_spare(r, TLB_WRITE, A));
	ram_page_set_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	g_assert_false(is_fast(r, TLB_WRITE, A));
	g_assert_true(is_first(r, TLB_WRITE, B));
	g_assert_false(tcg_tlb_protect(t, r->block->host + FRAME));
	rig_free(r);
}

/* While somebody looks for write entries none moves past him. */
static void test_a_write_entry_does_not_move_while_it_is_looked_for(void)
{
	struct rig *r = rig_conflict();
	struct tcg_tlb *sets = tcg_of(r->env)->sets;

	g_assert_true(store(r, A, 1));
	expect(r, A, 1, false);
	tlb_block_begins(sets);
	atomic_fetch_add(&sets->protects, 1);
	g_assert_true(store(r, B, 2));
	expect(r, B, 2, false);
	g_assert_true(is_first(r, TLB_WRITE, B));
	g_assert_false(is_fast(r, TLB_WRITE, A));
	g_assert_true(atomic_load(&sets->has_lost));
	g_assert_true(is_spare(r, TLB_READ, A));
	atomic_fetch_add(&sets->protects, 1);
	g_assert_true(store(r, A, 3));
	g_assert_true(is_spare(r, TLB_WRITE, B));
	rig_free(r);
}

/* What a block found before other pages took both places: it may still store by it. */
static void test_a_page_with_code_waits_for_who_lost_an_entry(void)
{
	struct rig *r = rig_conflict();
	struct tcg_accel *t = container_of(r->accel, struct tcg_accel, accel);
	struct tcg_tlb *sets = tcg_of(r->env)->sets;

	g_assert_true(store(r, A, 1));
	tlb_block_begins(sets);
	g_assert_true(store(r, TWIN(A), 1));
	g_assert_cmpuint(load_on(r, 0, B), ==, 2); /* not of the write table */
	ram_page_set_flags(r->block, 3 * FRAME, RAM_PAGE_CODE);
	g_assert_false(tcg_tlb_protect(t, r->block->host + 3 * FRAME)); /* A moved */
	g_assert_true(store(r, B, 1));
	g_assert_false(is_fast(r, TLB_WRITE, A));
	ram_page_set_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	tlb_block_begins(sets);
	g_assert_false(tcg_tlb_protect(t, r->block->host + FRAME));
	r->env->mem->tlb_flush(r->env, ALL, false);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tlb_conflict/empty", test_empty_places_match_nothing);
	g_test_add_func("/tlb_conflict/conflict", test_a_page_whose_place_is_taken_has_another);
	g_test_add_func("/tlb_conflict/by_c", test_an_access_by_c_gives_a_page_its_first_place);
	g_test_add_func("/tlb_conflict/flush", test_flushes_find_both_places);
	g_test_add_func("/tlb_conflict/large", test_a_large_page_goes_from_both_places);
	g_test_add_func("/tlb_conflict/protect", test_a_page_with_code_loses_spare_write_entries);
	g_test_add_func("/tlb_conflict/move",
			test_a_write_entry_does_not_move_while_it_is_looked_for);
	g_test_add_func("/tlb_conflict/protect_lost",
			test_a_page_with_code_waits_for_who_lost_an_entry);
	return g_test_run();
}
