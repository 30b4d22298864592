/* tests/unit/accel/restless_test.c - pages that are written all the time, and rest again.
 * SPDX-License-Identifier: MIT */
#include "origin_rig.h"

static const uint32_t code[] = { TOY(TOY_ADDI, 0, 0, 1), TOY(TOY_ST4, 1, 2, 0),
				 TOY(TOY_ADDI, 0, 0, 1), TOY(TOY_HALT, 0, 0, 0) };

static bool has_flag(struct rig *r, gpa_t at)
{
	return r->block->page_flags[at / PAGE] & RAM_PAGE_CODE;
}

/* Look when it is due. */
static void look_later(struct rig *r)
{
	g_assert_true(tcg_restless_is_due(tcg(r)));
	g_usleep(5000);
	tcg_restless_look(tcg(r));
}

static void test_few_stores_are_told_of_many_are_not(void)
{
	struct rig *r = origin_setup();
	struct tcg_block *b;

	put_words(r, A, code, ARRAY_SIZE(code));
	b = block_at(r, A);
	g_assert_null(b->origin);
	g_assert_cmpuint(b->guest_len, ==, sizeof(code));
	g_assert_true(has_flag(r, A));
	g_assert_true(store(r, A, 0));
	g_assert_cmpint(atomic_load(&b->state), ==, TCG_BLOCK_DEAD);
	g_assert_false(tcg_restless_is_due(tcg(r)));

	put_words(r, A, code, ARRAY_SIZE(code));
	b = block_at(r, A);
	store_much(r, A);
	g_assert_true(tcg_restless_is_due(tcg(r)));
	g_assert_false(is_restless(r, A)); /* until vCPUs are between blocks */
	tcg_restless_look(tcg(r));
	g_assert_true(is_restless(r, A));
	g_assert_cmpint(atomic_load(&b->state), ==, TCG_BLOCK_DEAD);

	/* Its blocks look for themselves, and end where they store. */
	b = block_at(r, A);
	g_assert_nonnull(b->origin);
	g_assert_cmpuint(b->guest_len, ==, 8);
	g_assert_false(has_flag(r, A));
	tlb_block_begins(tcg_vcpu(r)->sets);
	g_assert_true(store(r, A + 64, 1));
	g_assert_true(is_fast(r, TLB_WRITE, A));
	g_assert_cmpint(atomic_load(&b->state), ==, TCG_BLOCK_LIVE);
	origin_teardown(r);
}

static void test_a_page_that_does_not_change_rests(void)
{
	struct rig *r = origin_setup();
	struct tcg_block *b;

	put_words(r, A, code, ARRAY_SIZE(code));
	make_restless(r, A);
	b = block_at(r, A);
	r->block->host[A + 100]++;
	look_later(r); /* it did */
	g_assert_true(is_restless(r, A));
	g_assert_true(store(r, A + 64, 1)); /* but with what was there */
	put(r, A + 64, 0);
	look_later(r);
	g_assert_false(is_restless(r, A));
	g_assert_cmpuint(tcg(r)->restless.rested, ==, 1);
	g_assert_cmpint(atomic_load(&b->state), ==, TCG_BLOCK_DEAD);
	g_assert_false(tcg_restless_is_due(tcg(r)));

	/* Stores are told of again, also those that had a fast entry. */
	g_assert_true(is_fast(r, TLB_WRITE, A));
	b = block_at(r, A);
	g_assert_null(b->origin);
	g_assert_true(has_flag(r, A));
	g_assert_false(is_fast(r, TLB_WRITE, A));
	origin_teardown(r);
}

static void test_what_was_begun_before_is_not_taken(void)
{
	struct rig *r = origin_setup();
	struct tcg_source source = { 0 };
	struct tcg_block *b = g_new0(struct tcg_block, 1);

	b->host_pc = r->block->host + A;
	b->guest_len = 4;
	tcg_source_page(tcg(r), &source, 0, r->block, A);
	make_restless(r, A);
	g_assert_false(tcg_cache_insert(tcg(r), &b, &source, NULL));
	g_assert_false(tcg_source_again(&source, source.page[0]));
	g_assert_nonnull(block_at(r, A)->origin);
	origin_teardown(r);
}

static void test_one_too_many_takes_the_place_of_another(void)
{
	struct rig *r = origin_setup();
	unsigned count = 0;

	for (unsigned n = 0; n <= TCG_RESTLESS; n++)
		make_restless(r, A + n * PAGE);
	for (unsigned n = 0; n <= TCG_RESTLESS; n++)
		count += is_restless(r, A + n * PAGE);
	g_assert_cmpuint(count, ==, TCG_RESTLESS);
	g_assert_true(is_restless(r, A + TCG_RESTLESS * PAGE));
	origin_teardown(r);
}

static void test_nothing_is_restless_without_host_code_or_after_all_is_cleared(void)
{
	struct rig *r = origin_setup();

	make_restless(r, A);
	tcg_cache_clear(tcg(r));
	g_assert_false(is_restless(r, A));
	g_assert_false(tcg_restless_is_due(tcg(r)));
	tcg(r)->native = NULL;
	store_much(r, A);
	g_assert_false(tcg_restless_is_due(tcg(r)));
	origin_teardown(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/restless/many-stores", test_few_stores_are_told_of_many_are_not);
	g_test_add_func("/restless/rests", test_a_page_that_does_not_change_rests);
	g_test_add_func("/restless/begun", test_what_was_begun_before_is_not_taken);
	g_test_add_func("/restless/full", test_one_too_many_takes_the_place_of_another);
	g_test_add_func("/restless/none",
			test_nothing_is_restless_without_host_code_or_after_all_is_cleared);
	return g_test_run();
}
