/* tests/unit/accel/origin_test.c - what blocks from restless pages compare, and their versions.
 * SPDX-License-Identifier: MIT */
#include "origin_rig.h"

static uint32_t code[] = { TOY(TOY_ADDI, 0, 0, 1), TOY(TOY_ADDI, 1, 0, 1), TOY(TOY_ADDI, 2, 0, 1),
			   TOY(TOY_HALT, 0, 0, 0) };

/* ---- parts ---- */

/* Two pages of a host, and a block on them. */
struct place {
	uint8_t pages[2 * PAGE] __attribute__((aligned(PAGE)));
	uint8_t second[PAGE] __attribute__((aligned(PAGE)));
	struct tcg_block b;
};

static const struct tcg_hole none[1];

static struct tcg_origin *origin_of(struct place *p, unsigned at, unsigned len,
				    const struct tcg_hole *holes, unsigned count)
{
	const uint8_t *const read[2] = { p->pages, p->second };

	for (unsigned i = 0; i < PAGE; i++)
		p->pages[i] = p->second[i] = (uint8_t)(i * 7);
	p->b = (struct tcg_block){ .host_pc = p->pages + at,
				   .host_second = at + len > PAGE ? p->second : NULL,
				   .guest_len = len };
	p->b.origin = tcg_origin_new(&p->b, read, holes, count);
	g_assert_true(tcg_origin_holds(&p->b.origin->parts));
	return p->b.origin;
}

static bool holds_without(const struct tcg_origin *o, uint8_t *byte)
{
	bool holds;

	*byte ^= 0x10;
	holds = tcg_origin_holds(&o->parts);
	*byte ^= 0x10;
	return holds;
}

static void test_every_byte_is_compared(void)
{
	static struct place p;
	struct tcg_origin *o = origin_of(&p, 100, 21, none, 0);

	g_assert_cmpuint(o->parts.count, ==, 1);
	for (unsigned i = 0; i < 21; i++)
		g_assert_false(holds_without(o, p.pages + 100 + i));
	g_assert_true(holds_without(o, p.pages + 99));
	g_assert_true(holds_without(o, p.pages + 121));
	g_free(o);
}

static void test_so_is_every_byte_on_two_pages(void)
{
	static struct place p;
	struct tcg_origin *o = origin_of(&p, PAGE - 3, 8, none, 0);

	g_assert_cmpuint(o->parts.count, ==, 2);
	for (unsigned i = 0; i < 3; i++)
		g_assert_false(holds_without(o, p.pages + PAGE - 3 + i));
	for (unsigned i = 0; i < 5; i++)
		g_assert_false(holds_without(o, p.second + i));
	g_assert_true(holds_without(o, p.second + 5));
	g_assert_true(holds_without(o, p.pages + PAGE)); /* mapped elsewhere */
	g_free(o);
}

static void test_holes_are_not(void)
{
	static const struct tcg_hole holes[] = { { .at = 12, .len = 4 },
						 { .at = 1, .len = 2 },
						 { .at = 19, .len = 1 } };
	static struct place p;
	struct tcg_origin *o = origin_of(&p, 64, 20, holes, ARRAY_SIZE(holes));

	for (unsigned i = 0; i < 20; i++) {
		bool is_hole = (i >= 12 && i < 16) || i == 1 || i == 2 || i == 19;

		g_assert_cmpint(holds_without(o, p.pages + 64 + i), ==, is_hole);
	}
	g_free(o);
}

static void test_all_holes_fit_on_two_pages(void)
{
	struct tcg_hole holes[TCG_HOLES];
	static struct place p;
	struct tcg_origin *o;

	for (unsigned n = 0; n < TCG_HOLES; n++)
		holes[n] = (struct tcg_hole){ .at = 2 + 4 * n, .len = 1 };
	o = origin_of(&p, PAGE - 4 * TCG_HOLES, 4 * TCG_HOLES + 4, holes, TCG_HOLES);
	g_assert_cmpuint(o->parts.count, ==, JIT_ORIGIN_PARTS);
	g_assert_false(holds_without(o, p.second + 3));
	g_free(o);
}

static void test_with_a_hole_it_covers_one_without(void)
{
	static const struct tcg_hole hole = { .at = 4, .len = 4 };
	static struct place p, q;
	struct tcg_origin *o = origin_of(&p, 0, 12, &hole, 1), *all = origin_of(&q, 0, 12, none, 0);
	struct tcg_block shorter = q.b, ordinary = q.b;

	g_assert_true(tcg_origin_covers(&p.b, &q.b));
	all->bytes[5]++; /* in the hole */
	g_assert_true(tcg_origin_covers(&p.b, &q.b));
	g_assert_false(tcg_origin_covers(&q.b, &p.b));
	all->bytes[8]++;
	g_assert_false(tcg_origin_covers(&p.b, &q.b));
	shorter.guest_len--;
	g_assert_false(tcg_origin_covers(&q.b, &shorter));
	ordinary.origin = NULL;
	g_assert_false(tcg_origin_covers(&q.b, &ordinary));
	g_assert_true(tcg_origin_covers(&ordinary, &ordinary));
	g_free(o);
	g_free(all);
}

static void test_stores_to_what_is_compared_stop_the_block(void)
{
	static const struct tcg_hole hole = { .at = 4, .len = 4 };
	static struct place p;
	struct tcg_origin *o = origin_of(&p, 64, 12, &hole, 1);
	struct jit_env *env = g_new0(struct jit_env, 1);

	env->origin = &o->parts;
	jit_origin_stored(env, p.pages + 56, 8);
	jit_origin_stored(env, p.pages + 68, 4);
	jit_origin_stored(env, p.pages + 76, 8);
	g_assert_false(env->code_stored);
	jit_origin_stored(env, p.pages + 57, 8);
	g_assert_true(env->code_stored);
	env->code_stored = false;
	jit_origin_stored(env, p.pages + 75, 1);
	g_assert_true(env->code_stored);
	g_free(env);
	g_free(o);
}

/* ---- versions ---- */

static struct tcg_block *version(struct rig *r, int8_t imm)
{
	code[1] = TOY(TOY_ADDI, 1, 0, imm);
	put_words(r, A, code, ARRAY_SIZE(code));
	return block_at(r, A);
}

static void test_each_has_its_version(void)
{
	struct rig *r = origin_setup();
	struct tcg_block *one, *two;

	make_restless(r, A);
	one = version(r, 1);
	two = version(r, 2);
	g_assert_true(one != two);
	g_assert_cmpuint(one->origin->birth, <, two->origin->birth);
	g_assert_true(version(r, 1) == one && version(r, 2) == two);
	g_assert_cmpint(atomic_load(&one->state), ==, TCG_BLOCK_LIVE);
	origin_teardown(r);
}

static void test_the_oldest_goes_when_there_are_too_many(void)
{
	struct rig *r = origin_setup();
	struct tcg_block *v[TCG_VERSIONS + 1];

	make_restless(r, A);
	for (unsigned n = 0; n <= TCG_VERSIONS; n++)
		v[n] = version(r, (int8_t)n);
	g_assert_cmpint(atomic_load(&v[0]->state), ==, TCG_BLOCK_DEAD);
	for (unsigned n = 1; n <= TCG_VERSIONS; n++)
		g_assert_true(version(r, (int8_t)n) == v[n]);
	origin_teardown(r);
}

static void test_a_place_that_is_another_in_a_third_version_changes(void)
{
	struct rig *r = origin_setup();
	struct tcg_block *of, *chain;
	uint8_t now = 0x55;

	make_restless(r, A);
	of = version(r, 1);
	chain = tcg(r)->cache.buckets[tcg_hash(of->host_pc, of->key)];
	g_assert_false(tcg_is_changing(of, chain, 7, &now, 1));
	version(r, 2);
	chain = tcg(r)->cache.buckets[tcg_hash(of->host_pc, of->key)];
	g_assert_true(tcg_is_changing(of, chain, 7, &now, 1));
	now = 2; /* one of the two alternates */
	g_assert_false(tcg_is_changing(of, chain, 7, &now, 1));
	now = code[0] >> 24;
	g_assert_false(tcg_is_changing(of, chain, 3, &now, 1));
	origin_teardown(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/origin/bytes", test_every_byte_is_compared);
	g_test_add_func("/origin/two-pages", test_so_is_every_byte_on_two_pages);
	g_test_add_func("/origin/holes", test_holes_are_not);
	g_test_add_func("/origin/most-holes", test_all_holes_fit_on_two_pages);
	g_test_add_func("/origin/covers", test_with_a_hole_it_covers_one_without);
	g_test_add_func("/origin/stored", test_stores_to_what_is_compared_stop_the_block);
	g_test_add_func("/origin/versions", test_each_has_its_version);
	g_test_add_func("/origin/too-many", test_the_oldest_goes_when_there_are_too_many);
	g_test_add_func("/origin/changing",
			test_a_place_that_is_another_in_a_third_version_changes);
	return g_test_run();
}
