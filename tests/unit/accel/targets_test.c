/* tests/unit/accel/targets_test.c - tables of indirect targets: entered, flushed by page, dropped
 * with their block, one for each mode.  What host code does is done here by lookup().
 * SPDX-License-Identifier: MIT */
#include "accel/tcg/tcg.h"

#include <glib.h>

enum { FLAT = 1u << 31, PAGE = 4096 };

struct rig {
	struct tcg_accel tcg;
	struct tcg_vcpu tv[2];
	struct jit_env env[2];
	struct vcpu v[2];
	struct tcg_tlb tlb[2];
};

/* The board of linear_pc(), which has only the vCPU to go by: the segment's base. */
static uint64_t linear_base;
static struct rig *rig_now;

static gva_t linear_pc(struct vcpu *v) { return rig_now->env[v - rig_now->v].pc + linear_base; }

static const struct guest_ops guest = { .flat_code = FLAT, .linear_pc = linear_pc };

static void setup(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	rig_now = r;
	linear_base = 0;
	lock_init(&r->tcg.vcpus_lock, LOCK_LEAF, "test vcpus");
	lock_init(&r->tcg.cache.lock, LOCK_TCG, "test cache");
	for (unsigned i = 0; i < 2; i++) {
		struct tcg_vcpu *tv = &r->tv[i];

		r->v[i].id = i;
		tv->v = &r->v[i];
		tv->env = &r->env[i];
		tv->guest = &guest;
		tv->tcg = &r->tcg;
		tv->sets = &r->tlb[i];
		tv->sets->space = &tv->sets->spaces[0];
		tv->targets = tcg_targets_new();
		tv->next = r->tcg.vcpus;
		r->tcg.vcpus = tv;
		tv->env->mode = FLAT;
		tcg_targets_select(tv);
	}
}

static void teardown(struct rig *r)
{
	for (unsigned i = 0; i < 2; i++)
		tcg_targets_free(r->tv[i].targets);
	lock_fini(&r->tcg.cache.lock);
	lock_fini(&r->tcg.vcpus_lock);
}

static void block_at(struct tcg_block *b, uint64_t entry)
{
	memset(b, 0, sizeof(*b));
	b->is_native = true;
	b->host.probe_entry = entry;
	b->state = TCG_BLOCK_LIVE;
	tcg_targets_init_block(b);
}

static void enter(struct rig *r, unsigned i, uint64_t pc, struct tcg_block *b)
{
	r->env[i].pc = pc;
	tcg_targets_enter(&r->tv[i], b);
}

/* Where an indirect jump to pc goes, 0: to C. */
static uint64_t lookup(struct rig *r, unsigned v, uint64_t pc)
{
	const struct x64_target *t = (const void *)(uintptr_t)r->env[v].probe;
	unsigned i = x64_probe_index(pc);

	if (t[i].pc != pc)
		i ^= 1;
	return t[i].pc == pc ? t[i].entry : 0;
}

static void test_a_new_table_leads_nowhere(void)
{
	struct rig r;

	setup(&r);
	for (uint64_t pc = 0; pc < 64 * 1024; pc++)
		g_assert_cmphex(lookup(&r, 0, pc), ==, 0);
	g_assert_cmphex(lookup(&r, 0, ~UINT64_C(0)), ==, 0);
	teardown(&r);
}

static void test_what_is_entered_is_found_by_that_vcpu(void)
{
	struct tcg_block b;
	struct rig r;

	setup(&r);
	block_at(&b, 0x7000);
	for (uint64_t pc = 0; pc < 64; pc++) { /* index 0 among them */
		enter(&r, 0, pc, &b);
		g_assert_cmphex(lookup(&r, 0, pc), ==, 0x7000);
		g_assert_cmphex(lookup(&r, 1, pc), ==, 0);
	}
	teardown(&r);
}

/* Fills many entries or few: cleared one by one or all together. */
static void check_flush(unsigned pages, unsigned per_page)
{
	uint64_t base = UINT64_C(0xffffffff81ffa000), step = PAGE / per_page;
	struct tcg_block b;
	struct rig r;

	setup(&r);
	block_at(&b, 0x7000);
	for (unsigned p = 0; p < pages; p++)
		for (unsigned k = 0; k < per_page; k++)
			enter(&r, 0, base + p * PAGE + k * step + 1, &b);
	/* A block may reach from the page before into the flushed one. */
	tcg_targets_flush(&r.tv[0], base + 2 * PAGE + 0x123, ~0u);
	for (unsigned p = 0; p < pages; p++) {
		for (unsigned k = 0; k < per_page; k++) {
			uint64_t pc = base + p * PAGE + k * step + 1;

			if (p == 1 || p == 2)
				g_assert_cmphex(lookup(&r, 0, pc), ==, 0);
			else
				g_assert_cmphex(lookup(&r, 0, pc), ==, 0x7000);
		}
	}
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), ~0u);
	for (unsigned p = 0; p < pages; p++)
		for (unsigned k = 0; k < per_page; k++)
			g_assert_cmphex(lookup(&r, 0, base + p * PAGE + k * step + 1), ==, 0);
	teardown(&r);
}

static void test_few_entries_are_flushed_by_page(void) { check_flush(4, 4); }
/* Four neighbouring pages differ in bits 12 and 13: none drives another out. */
static void test_many_entries_are_flushed_by_page(void) { check_flush(4, 256); }

static void test_each_mode_has_a_table(void)
{
	struct tcg_block b;
	struct rig r;

	setup(&r);
	block_at(&b, 0x7000);
	for (unsigned mode = 0; mode < 8; mode++) {
		r.env[0].mode = FLAT | mode;
		tcg_targets_select(&r.tv[0]);
		g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
		enter(&r, 0, 0x1000, &b);
	}
	/* The bits above 31 are no part of the key. */
	r.env[0].mode = FLAT | UINT64_C(7) << 40;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0x7000);
	/* A ninth takes the table that was used longest ago, mode 1's, and finds it empty. */
	r.env[0].mode = FLAT | 8;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	r.env[0].mode = FLAT | 3;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0x7000);
	r.env[0].mode = FLAT | 1;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	/* A flush reaches tables that are not in use. */
	r.env[0].mode = FLAT | 3;
	tcg_targets_flush(&r.tv[0], 0x1000, ~0u);
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	teardown(&r);
}

static void test_each_address_space_has_its_tables(void)
{
	struct tlb_space *spaces;
	struct tcg_block b;
	struct rig r;

	setup(&r);
	spaces = r.tlb[0].spaces;
	block_at(&b, 0x7000);
	for (unsigned i = 0; i < 3; i++)
		spaces[i].exec_generation = i;
	enter(&r, 0, 0x1000, &b);
	r.tlb[0].space = &spaces[1];
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	/* A flush is of the running one. */
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), ~0u);
	r.tlb[0].space = &spaces[0];
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0x7000);
	/* Of the views that it names. */
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), 1u << 1);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0x7000);
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), 1u << 0);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	teardown(&r);
}

static void test_a_segment_base_is_part_of_the_key(void)
{
	struct tcg_block b;
	struct rig r;

	setup(&r);
	block_at(&b, 0x7000);
	r.env[0].mode = 0;
	linear_base = 0xf0010;
	tcg_targets_select(&r.tv[0]);
	enter(&r, 0, 0x100, &b);
	enter(&r, 0, 0xff8, &b); /* linear 0xf1008 */
	linear_base = 0xe0000;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x100), ==, 0);
	linear_base = 0xf0010;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x100), ==, 0x7000);
	/* Pages are linear. */
	tcg_targets_flush(&r.tv[0], 0xf2000, ~0u);
	g_assert_cmphex(lookup(&r, 0, 0x100), ==, 0x7000);
	g_assert_cmphex(lookup(&r, 0, 0xff8), ==, 0);
	teardown(&r);
}

static void test_a_dropped_block_is_found_nowhere(void)
{
	struct tcg_block once, often, other, never;
	struct rig r;

	setup(&r);
	block_at(&once, 0x7000);
	block_at(&often, 0x8000);
	block_at(&other, 0x9000);
	block_at(&never, 0xa000);
	enter(&r, 0, 0x1000, &once);
	enter(&r, 1, 0x1000, &once);
	enter(&r, 0, 0x2000, &often);
	enter(&r, 1, 0x5550, &often);
	enter(&r, 1, ~UINT64_C(0), &other);
	r.env[0].mode = FLAT | 1;
	tcg_targets_select(&r.tv[0]);
	enter(&r, 0, 0x1000, &once);
	tcg_targets_drop(&r.tcg, &never);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0x7000);
	tcg_targets_drop(&r.tcg, &once);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	g_assert_cmphex(lookup(&r, 1, 0x1000), ==, 0);
	r.env[0].mode = FLAT;
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	g_assert_cmphex(lookup(&r, 0, 0x2000), ==, 0x8000);
	tcg_targets_drop(&r.tcg, &often);
	g_assert_cmphex(lookup(&r, 0, 0x2000), ==, 0);
	g_assert_cmphex(lookup(&r, 1, 0x5550), ==, 0);
	g_assert_cmphex(lookup(&r, 1, ~UINT64_C(0)), ==, 0x9000);
	tcg_targets_drop(&r.tcg, &other);
	g_assert_cmphex(lookup(&r, 1, ~UINT64_C(0)), ==, 0);
	teardown(&r);
}

static void test_a_dead_block_is_not_entered(void)
{
	struct tcg_block b;
	struct rig r;

	setup(&r);
	block_at(&b, 0x7000);
	b.state = TCG_BLOCK_DEAD;
	enter(&r, 0, 0x1000, &b);
	g_assert_cmphex(lookup(&r, 0, 0x1000), ==, 0);
	teardown(&r);
}

/* The n-th pc after 0x1000 that has its index. */
static uint64_t same_index(unsigned n)
{
	uint64_t pc = 0x1000;

	while (n) {
		pc++;
		n -= x64_probe_index(pc) == x64_probe_index(0x1000);
	}
	return pc;
}

/* Two of one index have places; a third drives out the one that was entered first. */
static void test_a_pair_holds_two(void)
{
	struct tcg_block b[3];
	struct rig r;

	setup(&r);
	for (unsigned n = 0; n < 3; n++)
		block_at(&b[n], 0x7000 + n);
	enter(&r, 0, same_index(0), &b[0]);
	enter(&r, 0, same_index(1), &b[1]);
	g_assert_cmphex(lookup(&r, 0, same_index(0)), ==, 0x7000);
	g_assert_cmphex(lookup(&r, 0, same_index(1)), ==, 0x7001);
	/* Again: it stays where it is. */
	enter(&r, 0, same_index(0), &b[0]);
	g_assert_cmphex(lookup(&r, 0, same_index(0)), ==, 0x7000);
	g_assert_cmphex(lookup(&r, 0, same_index(1)), ==, 0x7001);
	enter(&r, 0, same_index(2), &b[2]);
	g_assert_cmphex(lookup(&r, 0, same_index(0)), ==, 0);
	g_assert_cmphex(lookup(&r, 0, same_index(1)), ==, 0x7001);
	g_assert_cmphex(lookup(&r, 0, same_index(2)), ==, 0x7002);
	/* Both places go: by the page, as they were entered, and with the block. */
	tcg_targets_flush(&r.tv[0], same_index(1), ~0u);
	g_assert_cmphex(lookup(&r, 0, same_index(1)), ==, 0);
	enter(&r, 0, same_index(1), &b[1]);
	enter(&r, 0, same_index(0), &b[0]);
	tcg_targets_drop(&r.tcg, &b[1]);
	g_assert_cmphex(lookup(&r, 0, same_index(1)), ==, 0);
	g_assert_cmphex(lookup(&r, 0, same_index(0)), ==, 0x7000);
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), ~0u);
	g_assert_cmphex(lookup(&r, 0, same_index(0)), ==, 0);
	teardown(&r);
}

static void test_c_finds_blocks(void)
{
	struct tcg_block a, b;
	struct rig r;

	setup(&r);
	block_at(&a, 0x7000);
	block_at(&b, 0x8000);
	r.env[0].pc = 0;
	g_assert_null(tcg_targets_find(&r.tv[0]));
	enter(&r, 0, same_index(0), &a);
	enter(&r, 0, same_index(1), &b);
	g_assert_true(tcg_targets_find(&r.tv[0]) == &b);
	r.env[0].pc = same_index(0);
	g_assert_true(tcg_targets_find(&r.tv[0]) == &a);
	tcg_targets_drop(&r.tcg, &a);
	g_assert_null(tcg_targets_find(&r.tv[0]));
	teardown(&r);
}

/* Mapped at the same offset of many pages, as shared libraries are, and at others. */
static void test_a_block_is_dropped_wherever_it_is_mapped(void)
{
	const uint64_t pcs[] = { 0x7f0000001230, 0x55550230, 0x7f1234567230, ~UINT64_C(0) - 0xdcf,
				 0x7f0000001234 };
	struct tcg_block b;
	struct rig r;

	setup(&r);
	for (unsigned count = 1; count <= G_N_ELEMENTS(pcs); count++) {
		block_at(&b, 0x7000);
		for (unsigned k = 0; k < count; k++)
			enter(&r, k % 2, pcs[k], &b);
		tcg_targets_drop(&r.tcg, &b);
		for (unsigned k = 0; k < count; k++)
			g_assert_cmphex(lookup(&r, k % 2, pcs[k]), ==, 0);
	}
	teardown(&r);
}

/* Its place is another's by now: that one stays. */
static void test_dropping_spares_who_took_the_place(void)
{
	struct tcg_block a, b, c;
	struct rig r;

	setup(&r);
	block_at(&a, 0x7000);
	block_at(&b, 0x8000);
	block_at(&c, 0x9000);
	enter(&r, 0, same_index(0), &a);
	enter(&r, 0, same_index(1), &b);
	enter(&r, 0, same_index(2), &c);
	tcg_targets_drop(&r.tcg, &a);
	g_assert_cmphex(lookup(&r, 0, same_index(1)), ==, 0x8000);
	g_assert_cmphex(lookup(&r, 0, same_index(2)), ==, 0x9000);
	teardown(&r);
}

/* ---- names of what is mapped ---- */

static void test_names_are_of_one_vcpu_and_no_address(void)
{
	struct rig r;
	uint64_t a, b;

	setup(&r);
	a = tcg_targets_name(&r.tv[0], 0x5000);
	b = tcg_targets_name(&r.tv[1], 0x5000);
	g_assert_cmphex(a, ==, r.env[0].name);
	g_assert_cmphex(b, ==, r.env[1].name);
	g_assert_cmphex(a, !=, b);
	g_assert_cmphex(a, !=, 0);
	g_assert_cmphex(b, !=, 0);
	g_assert_cmphex((a | b) & ~X64_NAME_BITS, ==, 0);
	r.v[0].id = 255; /* more than fit: these have no keys */
	g_assert_cmphex(tcg_targets_name(&r.tv[0], 0x5000), ==, 0);
	teardown(&r);
}

static void test_a_name_goes_with_its_page(void)
{
	struct rig r;
	uint64_t a;

	setup(&r);
	a = r.env[0].name;
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), ~0u); /* nobody knows it: it may stay */
	g_assert_cmphex(r.env[0].name, ==, a);
	g_assert_cmphex(tcg_targets_name(&r.tv[0], 0x5123), ==, a);
	tcg_targets_flush(&r.tv[0], 0x6000, ~0u);
	g_assert_cmphex(r.env[0].name, ==, a);
	tcg_targets_flush(&r.tv[0], 0x5000, 0); /* by no view that led there */
	g_assert_cmphex(r.env[0].name, ==, a);
	tcg_targets_flush(&r.tv[0], 0x5000, ~0u);
	g_assert_cmphex(r.env[0].name, !=, a);
	a = tcg_targets_name(&r.tv[0], 0x5123);
	tcg_targets_flush(&r.tv[0], ~UINT64_C(0), ~0u);
	g_assert_cmphex(r.env[0].name, !=, a);
	teardown(&r);
}

/* Of many modes each has a name of its own, and the first gets another when its table is given to
 * one more. */
static void test_a_name_goes_with_its_table(void)
{
	uint64_t name[20];
	struct rig r;

	setup(&r);
	for (uint32_t n = 0; n < G_N_ELEMENTS(name); n++) {
		r.env[0].mode = FLAT + n;
		tcg_targets_select(&r.tv[0]);
		name[n] = tcg_targets_name(&r.tv[0], 0x5000);
		g_assert_cmphex(name[n], ==, r.env[0].name);
		for (uint32_t k = 0; k < n; k++)
			g_assert_cmphex(name[k], !=, name[n]);
	}
	r.env[0].mode = FLAT + (uint32_t)G_N_ELEMENTS(name) - 2; /* there still */
	tcg_targets_select(&r.tv[0]);
	g_assert_cmphex(r.env[0].name, ==, name[G_N_ELEMENTS(name) - 2]);
	r.env[0].mode = FLAT;
	tcg_targets_select(&r.tv[0]);
	for (uint32_t k = 0; k < G_N_ELEMENTS(name); k++)
		g_assert_cmphex(r.env[0].name, !=, name[k]);
	teardown(&r);
}

static uint64_t name_in_mode(struct rig *r, uint32_t n)
{
	r->env[0].mode = FLAT + n;
	tcg_targets_select(&r->tv[0]);
	return tcg_targets_name(&r->tv[0], 0x5000);
}

/* When all were used they begin again, in all tables: still none is another table's or vCPU's. */
static void test_names_come_to_an_end(void)
{
	enum { NAMES = 1 << 20 };
	uint64_t a, b, other;
	bool again = false;
	struct rig r;

	setup(&r);
	b = tcg_targets_name(&r.tv[1], 0x5000);
	other = name_in_mode(&r, 1);
	a = name_in_mode(&r, 0);
	for (unsigned n = 0; n < NAMES; n++) {
		g_assert_true(a != b && a != other && a && !(a & ~X64_NAME_BITS));
		tcg_targets_rename(&r.tv[0]);
		if (r.env[0].name < a && !again) {
			again = true;
			other = name_in_mode(&r, 1);
			g_assert_cmphex(name_in_mode(&r, 0), ==, r.env[0].name);
		}
		a = tcg_targets_name(&r.tv[0], 0x5000);
	}
	g_assert_true(again);
	teardown(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/targets/empty", test_a_new_table_leads_nowhere);
	g_test_add_func("/targets/enter", test_what_is_entered_is_found_by_that_vcpu);
	g_test_add_func("/targets/flush-few", test_few_entries_are_flushed_by_page);
	g_test_add_func("/targets/flush-many", test_many_entries_are_flushed_by_page);
	g_test_add_func("/targets/modes", test_each_mode_has_a_table);
	g_test_add_func("/targets/spaces", test_each_address_space_has_its_tables);
	g_test_add_func("/targets/base", test_a_segment_base_is_part_of_the_key);
	g_test_add_func("/targets/drop", test_a_dropped_block_is_found_nowhere);
	g_test_add_func("/targets/dead", test_a_dead_block_is_not_entered);
	g_test_add_func("/targets/pair", test_a_pair_holds_two);
	g_test_add_func("/targets/find", test_c_finds_blocks);
	g_test_add_func("/targets/shared", test_a_block_is_dropped_wherever_it_is_mapped);
	g_test_add_func("/targets/replaced", test_dropping_spares_who_took_the_place);
	g_test_add_func("/targets/names", test_names_are_of_one_vcpu_and_no_address);
	g_test_add_func("/targets/name-page", test_a_name_goes_with_its_page);
	g_test_add_func("/targets/name-table", test_a_name_goes_with_its_table);
	g_test_add_func("/targets/name-end", test_names_come_to_an_end);
	return g_test_run();
}
