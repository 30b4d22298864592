/* tests/unit/accel/tlb_test.c - the soft TLB with page tables that count how often they are walked:
 * address spaces, global and large mappings, rights, faults, pages that get translations.
 * SPDX-License-Identifier: MIT */
#include "accel/tcg/tlb.h"

#include <glib.h>

#include "tlb_rig.h"

/* FRAME + n pages holds n + 1; asids 1 to 3 map A to the first ones. */
static struct rig *rig_spaces(void)
{
	struct rig *r = rig_new(1);

	for (unsigned i = 0; i < 16; i++)
		put(r, FRAME + i * PAGE, i + 1);
	for (unsigned asid = 1; asid <= 3; asid++)
		map(r, (struct map){ .asid = asid, .addr = A, .gpa = FRAME + (asid - 1) * PAGE });
	return r;
}

static void test_a_page_is_walked_once(void)
{
	struct rig *r = rig_spaces();

	run_in(r, 1, true);
	expect(r, A, 1, true);
	g_assert_true(is_fast(r, TLB_READ, A));
	expect(r, A, 1, false);
	r->env->mem->tlb_flush(r->env, A, false);
	g_assert_false(is_fast(r, TLB_READ, A));
	expect(r, A, 1, true);
	rig_free(r);
}

static void test_pages_of_one_index_are_found_in_the_second_level(void)
{
	struct rig *r = rig_spaces();

	for (unsigned i = 0; i < 8; i++)
		map(r, (struct map){ .addr = A + i * (gva_t)TLB_SIZE * PAGE,
				     .gpa = FRAME + i * PAGE });
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 8; i++)
			expect(r, A + i * (gva_t)TLB_SIZE * PAGE, i + 1, !round);
	/* one walk told of stores too */
	g_assert_true(store(r, A, 1));
	g_assert_cmpuint(r->walks, ==, 8);
	rig_free(r);
}

static void test_a_switch_keeps_what_it_is_told_to(void)
{
	struct rig *r = rig_spaces();
	struct tlb_view *tables;

	run_in(r, 1, true);
	expect(r, A, 1, true);
	tables = r->env->tlb;
	run_in(r, 2, true);
	g_assert_true(r->env->tlb != tables);
	expect(r, A, 2, true);
	run_in(r, 1, true);
	g_assert_true(r->env->tlb == tables);
	g_assert_true(is_fast(r, TLB_READ, A));
	expect(r, A, 1, false);
	run_in(r, 2, false); /* flushed on the way in */
	expect(r, A, 2, true);
	run_in(r, 2, false); /* a reload of the same */
	expect(r, A, 2, true);
	run_in(r, 1, true);
	expect(r, A, 1, false);
	rig_free(r);
}

static void test_a_changed_mapping_is_seen_after_a_flush_only(void)
{
	struct rig *r = rig_spaces();

	run_in(r, 1, true);
	expect(r, A, 1, true);
	r->maps[0].gpa = FRAME + 5 * PAGE;
	expect(r, A, 1, false);
	run_in(r, 2, true);
	run_in(r, 1, true);
	expect(r, A, 1, false);
	run_in(r, 2, true);
	r->env->mem->tlb_flush_space(r->env, 1, A);
	run_in(r, 1, true);
	expect(r, A, 6, true);
	rig_free(r);
}

static void test_spaces_are_flushed_by_number(void)
{
	struct rig *r = rig_spaces();

	map(r, (struct map){ .asid = JIT_ASID_ALL, .addr = 0, .gpa = 0, .is_global = true });
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned asid = 1; asid <= 3; asid++) {
			run_in(r, asid, true);
			expect(r, A, asid,
			       !round || round == 2 || (round == 1 && asid == 2) ||
				       (round == 3 && asid == 3));
			expect(r, 0, 0, !round && asid == 1);
		}
		if (round == 0)
			r->env->mem->tlb_flush_space(r->env, 2, ALL);
		else if (round == 1)
			r->env->mem->tlb_flush_space(r->env, JIT_ASID_ALL, ALL);
		else
			r->env->mem->tlb_flush(r->env, ALL, true); /* the running one: 3 */
	}
	r->env->mem->tlb_flush(r->env, ALL, false);
	for (unsigned asid = 1; asid <= 3; asid++) {
		run_in(r, asid, true);
		expect(r, A, asid, true);
	}
	expect(r, 0, 0, true);
	rig_free(r);
}

static void test_global_pages_are_everywhere_and_outlive_spaces(void)
{
	struct rig *r = rig_spaces();
	gva_t g = UINT64_C(0xffff800000005000);

	map(r,
	    (struct map){
		    .asid = JIT_ASID_ALL, .addr = g, .gpa = FRAME + 6 * PAGE, .is_global = true });
	run_in(r, 1, true);
	expect(r, g, 7, true);
	run_in(r, 1, false);
	g_assert_true(is_fast(r, TLB_READ, g));
	run_in(r, 2, false);
	g_assert_false(is_fast(r, TLB_READ, g)); /* copied when missed */
	expect(r, g, 7, false);
	g_assert_true(is_fast(r, TLB_READ, g));
	r->maps[r->count - 1].gpa = FRAME + 7 * PAGE;
	r->env->mem->tlb_flush_space(r->env, 2, g); /* not global ones */
	expect(r, g, 7, false);
	r->env->mem->tlb_flush(r->env, g, false); /* those too, in all */
	run_in(r, 1, true);
	expect(r, g, 8, true);
	rig_free(r);
}

static void test_a_large_page_is_walked_once_and_goes_at_once(void)
{
	struct rig *r = rig_spaces();
	gva_t at = 0x40000000;

	map(r, (struct map){ .asid = 1, .addr = at, .size = 2 * MIB, .gpa = 0 });
	run_in(r, 1, true);
	expect(r, at + FRAME, 1, true);
	for (unsigned i = 1; i < 16; i++)
		expect(r, at + FRAME + i * PAGE, i + 1, false);
	put(r, 2 * MIB + FRAME, 100);
	put(r, 2 * MIB + FRAME + PAGE, 101);
	r->maps[r->count - 1].gpa = 2 * MIB;
	expect(r, at + FRAME, 1, false);
	r->env->mem->tlb_flush(r->env, at + MIB, false); /* any address in it */
	for (unsigned i = 0; i < 16; i++)
		g_assert_false(is_fast(r, TLB_READ, at + FRAME + i * PAGE));
	expect(r, at + FRAME, 100, true);
	expect(r, at + FRAME + PAGE, 101, false);
	/* global ones in every space */
	r->maps[r->count - 1] = (struct map){
		.asid = JIT_ASID_ALL, .addr = at, .size = 2 * MIB, .gpa = 0, .is_global = true
	};
	run_in(r, 2, false);
	expect(r, at + FRAME, 1, true);
	run_in(r, 1, false);
	expect(r, at + FRAME, 1, false);
	r->maps[r->count - 1].gpa = 2 * MIB;
	run_in(r, 3, false);
	r->env->mem->tlb_flush(r->env, at + MIB, false);
	run_in(r, 2, true);
	g_assert_false(is_fast(r, TLB_READ, at + FRAME));
	expect(r, at + FRAME, 100, true);
	run_in(r, 1, true);
	expect(r, at + FRAME, 100, false);
	rig_free(r);
}

static void test_a_large_page_that_is_not_all_memory(void)
{
	struct rig *r = rig_new(1);
	uint64_t v;

	put(r, RAM_SIZE - PAGE, 5);
	memset(r->rom_block->host, 7, PAGE);
	map(r, (struct map){ .addr = 0, .size = GIB, .gpa = 0 });
	expect(r, RAM_SIZE - PAGE, 5, true);
	expect(r, RAM_SIZE, 0x0707070707070707, false);
	g_assert_true(is_fast(r, TLB_READ, RAM_SIZE));
	g_assert_true(store(r, RAM_SIZE, 1)); /* vanishes */
	g_assert_false(is_fast(r, TLB_WRITE, RAM_SIZE));
	expect(r, RAM_SIZE, 0x0707070707070707, false);
	v = load(r, IO_AT);
	g_assert_cmphex(v & 0xff, ==, 0x10);
	g_assert_false(is_fast(r, TLB_READ, IO_AT));
	g_assert_cmphex(load(r, RAM_SIZE + PAGE), ==, ALL); /* nothing there */
	g_assert_cmpuint(r->walks, ==, 1);
	rig_free(r);
}

/* Found again and again in the second level: while its mapping holds, where it is, as it allows. */
static void test_a_device_goes_with_its_mapping(void)
{
	struct rig *r = rig_new(1);
	unsigned walks;

	put(r, FRAME, 1);
	map(r, (struct map){ .asid = 1, .addr = A, .gpa = IO_AT, .is_read_only = true });
	map(r, (struct map){ .asid = 2, .addr = A, .gpa = FRAME });
	run_in(r, 1, true);
	expect(r, A, 0x10, true);
	expect(r, A + 8, 0x18, false);
	expect(r, A + 8, 0x18, false);
	walks = r->walks;
	g_assert_false(store(r, A, 1));
	g_assert_cmpuint(r->walks, ==, walks + 1);
	expect(r, A, 0x10, true); /* the fault dropped it */
	run_in(r, 2, true);
	expect(r, A, 1, true);
	run_in(r, 1, true);
	expect(r, A, 0x10, false);
	r->env->mem->tlb_flush(r->env, A, false);
	expect(r, A, 0x10, true);
	r->maps[0].gpa = FRAME;
	expect(r, A, 0x10, false);
	r->env->mem->tlb_flush_space(r->env, 1, ALL);
	expect(r, A, 1, true);
	rig_free(r);
}

static void test_more_spaces_than_sets(void)
{
	struct rig *r = rig_new(1);
	enum { MANY = 3 * TLB_SPACES };

	for (unsigned i = 0; i < MANY; i++) {
		put(r, FRAME + i * PAGE, i + 1);
		map(r, (struct map){ .asid = i, .addr = A, .gpa = FRAME + i * PAGE });
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			run_in(r, i, true);
			expect(r, A, i + 1, true);
			expect(r, A, i + 1, false);
		}
	}
	/* the last ones have theirs still */
	for (unsigned i = MANY - TLB_SPACES; i < MANY; i++) {
		run_in(r, i, true);
		expect(r, A, i + 1, false);
	}
	rig_free(r);
}

static void test_a_clean_page_is_walked_again_for_a_store(void)
{
	struct rig *r = rig_spaces();

	r->maps[0].is_clean = true;
	run_in(r, 1, true);
	expect(r, A, 1, true);
	g_assert_true(store(r, A, 9));
	g_assert_cmpuint(r->walks, ==, 2); /* sets D */
	g_assert_false(r->maps[0].is_clean);
	g_assert_true(is_fast(r, TLB_WRITE, A));
	expect(r, A, 9, false);
	rig_free(r);
}

static void test_a_fault_drops_what_was_known_of_the_page(void)
{
	struct rig *r = rig_spaces();

	r->maps[0].is_read_only = true;
	run_in(r, 1, true);
	expect(r, A, 1, true);
	r->maps[0].gpa = FRAME + 8 * PAGE;
	g_assert_false(store(r, A, 1));
	g_assert_cmpuint(r->faults, ==, 1);
	expect(r, A, 9, true);
	rig_free(r);
}

static void test_watched_pages_are_never_known(void)
{
	struct rig *r = rig_spaces();

	r->maps[0].is_watched = true;
	run_in(r, 1, true);
	expect(r, A, 1, true);
	expect(r, A, 1, true);
	g_assert_false(is_fast(r, TLB_READ, A));
	rig_free(r);
}

static void test_a_page_with_code_loses_its_write_entries_in_all_sets(void)
{
	struct rig *r = rig_spaces();
	struct tcg_accel *t = container_of(r->accel, struct tcg_accel, accel);

	map(r, (struct map){ .asid = JIT_ASID_ALL, .addr = 2 * A, .gpa = FRAME });
	for (unsigned asid = 1; asid <= 3; asid++) {
		run_in(r, asid, true);
		g_assert_true(store(r, 2 * A, 1));
		g_assert_true(is_fast(r, TLB_WRITE, 2 * A));
	}
	ram_page_set_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	g_assert_false(tcg_tlb_protect(t, r->block->host + FRAME));
	for (unsigned asid = 1; asid <= 3; asid++) {
		run_in(r, asid, true);
		g_assert_false(is_fast(r, TLB_WRITE, 2 * A));
		g_assert_true(store(r, 2 * A, 1)); /* known, but slow */
		g_assert_false(is_fast(r, TLB_WRITE, 2 * A));
	}
	ram_page_clear_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(store(r, 2 * A, 1));
	g_assert_true(is_fast(r, TLB_WRITE, 2 * A));
	rig_free(r);
}

static void test_vcpus_know_for_themselves(void)
{
	struct rig *r = rig_new(2);

	put(r, FRAME, 1);
	map(r, (struct map){ .addr = A, .gpa = FRAME });
	g_assert_cmpuint(load_on(r, 0, A), ==, 1);
	g_assert_cmpuint(load_on(r, 1, A), ==, 1);
	g_assert_cmpuint(r->walks, ==, 2);
	r->env->mem->tlb_flush(r->env, ALL, false);
	g_assert_cmpuint(load_on(r, 1, A), ==, 1);
	g_assert_cmpuint(r->walks, ==, 2);
	rig_free(r);
}

/* Code at addr is executed. */
static void execute(struct rig *r, gva_t addr)
{
	struct ram_block *ram;
	uint64_t offset;

	g_assert_nonnull(tcg_code_host(tcg_of(r->env), addr, false, &ram, &offset));
	g_assert_true(ram == r->block);
}

static uint64_t code_generation(struct rig *r) { return tlb_exec_generation(tcg_of(r->env)->sets); }

static void test_code_of_a_space_at_rest_is_not_known_again(void)
{
	struct rig *r = rig_spaces();
	uint64_t first, second;

	map(r, (struct map){ .asid = JIT_ASID_ALL, .addr = 0, .gpa = 0, .is_global = true });
	run_in(r, 1, true);
	execute(r, A);
	first = code_generation(r);
	run_in(r, 2, true);
	second = code_generation(r);
	g_assert_cmpuint(second, !=, first);
	r->env->mem->tlb_flush_space(r->env, 1, A + PAGE); /* no code there */
	run_in(r, 1, true);
	g_assert_cmpuint(code_generation(r), ==, first);
	run_in(r, 2, true);
	r->env->mem->tlb_flush_space(r->env, 1, A);
	run_in(r, 1, true);
	g_assert_cmpuint(code_generation(r), !=, first);
	/* global code */
	execute(r, 0);
	first = code_generation(r);
	run_in(r, 2, true);
	g_assert_cmpuint(code_generation(r), ==, second);
	r->env->mem->tlb_flush(r->env, 0, false);
	run_in(r, 1, true);
	g_assert_cmpuint(code_generation(r), !=, first);
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tlb/walked_once", test_a_page_is_walked_once);
	g_test_add_func("/tlb/second_level", test_pages_of_one_index_are_found_in_the_second_level);
	g_test_add_func("/tlb/switch", test_a_switch_keeps_what_it_is_told_to);
	g_test_add_func("/tlb/stale", test_a_changed_mapping_is_seen_after_a_flush_only);
	g_test_add_func("/tlb/by_number", test_spaces_are_flushed_by_number);
	g_test_add_func("/tlb/global", test_global_pages_are_everywhere_and_outlive_spaces);
	g_test_add_func("/tlb/large", test_a_large_page_is_walked_once_and_goes_at_once);
	g_test_add_func("/tlb/large_mixed", test_a_large_page_that_is_not_all_memory);
	g_test_add_func("/tlb/device", test_a_device_goes_with_its_mapping);
	g_test_add_func("/tlb/many_spaces", test_more_spaces_than_sets);
	g_test_add_func("/tlb/clean", test_a_clean_page_is_walked_again_for_a_store);
	g_test_add_func("/tlb/fault", test_a_fault_drops_what_was_known_of_the_page);
	g_test_add_func("/tlb/watched", test_watched_pages_are_never_known);
	g_test_add_func("/tlb/protect", test_a_page_with_code_loses_its_write_entries_in_all_sets);
	g_test_add_func("/tlb/vcpus", test_vcpus_know_for_themselves);
	g_test_add_func("/tlb/code", test_code_of_a_space_at_rest_is_not_known_again);
	return g_test_run();
}
