/* flags_test.c - with which flags host code is left: recipes, sites, and what is kept by itself.
 * SPDX-License-Identifier: MIT */
#include "main.h"

#ifdef __x86_64__

#include "world.h"

/* ---- flags ---- */

/* An operation: what its recipe holds of it, and the flags that it should say. */
struct recipe_row {
	uint8_t code, size_log2, form;
	uint64_t a, b;
	uint32_t c;
};

static const struct recipe_row recipe_rows[] = {
	{ IR_ADD, 0, FORM_AB, 0x7f, 1, 0 },
	{ IR_ADD, 0, FORM_RB, 0xff, 1, 0 },
	{ IR_ADD, 3, FORM_RB, UINT64_C(0x8000000000000000), UINT64_C(0x8000000000000001), 0 },
	{ IR_SUB, 1, FORM_AB, 0x1234, 0x8000, 0 },
	{ IR_SUB, 1, FORM_RB, 0x1234, 0x8000, 0 },
	{ IR_SUB, 2, FORM_RB, 3, 3, 0 },
	{ IR_ADC, 2, FORM_AB, 0xffffffff, 0, 1 },
	{ IR_SBB, 0, FORM_AB, 0, 0xff, 1 },
	{ IR_AND, 2, FORM_R, 0x80000001, 0xf0000001, 0 },
	{ IR_OR, 0, FORM_R, 0, 0, 0 },
	{ IR_XOR, 3, FORM_R, 0x1234, 0x1235, 0 },
	{ IR_ANDN, 2, FORM_R, 0xff, 0x1ff, 0 },
	{ IR_NEG, 0, FORM_N, 0x80, 0, 0 },
	{ IR_NEG, 2, FORM_N, 0, 0, 0 },
	{ IR_NEG, 1, FORM_N, 1, 0, 0 },
	{ IR_INC, 0, FORM_R, 0x7f, 0, 1 },
	{ IR_INC, 1, FORM_R, 0xffff, 0, 0 },
	{ IR_DEC, 3, FORM_R, 0, 0, 1 },
	{ IR_SHL, 2, FORM_AB, 0xc0000001, 1, 0 },
	{ IR_SHR, 0, FORM_AB, 0x81, 0, IR_FLAGS_ALL },
	{ IR_RCL, 1, FORM_AB, 0x8000, 1, IR_Z | IR_C },
	{ IR_MUL, 2, FORM_AB, 0x10000, 0x10000, 0 },
	{ IR_FLAGS_OF, 3, FORM_AB, IR_C | IR_O, 0, 0 },
};

static uint64_t recipe_a(const struct recipe_row *r)
{
	return r->form == FORM_AB ? r->a : ir_eval_value(r->code, r->size_log2, r->a, r->b, r->c);
}

static uint32_t recipe_flags(const struct recipe_row *r)
{
	return ir_eval_flags(r->code, r->size_log2, r->a, r->b, r->c);
}

static uint32_t row_kind(const struct recipe_row *r)
{
	return recipe_kind(r->code, r->size_log2, r->form);
}

static void test_flags_of_recipes(void)
{
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(recipe_rows); i++) {
		const struct recipe_row *r = &recipe_rows[i];

		w.g->env.flags_kind = row_kind(r);
		w.g->env.flags_a = recipe_a(r) | (r->size_log2 < 2 ? 0xdead0000 : 0);
		w.g->env.flags_b = r->b;
		w.g->env.flags_c = r->c;
		w.g->flags = 0x40000202 | (i & 1 ? IR_FLAGS_ALL : 0);
		x64_flags_sync(&w.g->env, &guest_desc);
		g_assert_cmphex(w.g->flags, ==, 0x40000202 | recipe_flags(r));
		g_assert_cmpuint(w.g->env.flags_kind, ==, 0);
	}
	world_fini(&w);
}

/* Operands of a site's recipe, each where the compiler may have left it. */
static void test_flags_at_a_site(void)
{
	static const struct site_place places[] = {
		{ .kind = PLACE_CONST, .at = 1 },
		{ .kind = PLACE_REG, .reg = X64_RSI },
		{ .kind = PLACE_REG, .reg = X64_R15 },
		{ .kind = PLACE_SLOT, .at = offsetof(struct guest, gpr[R11]) },
		{ .kind = PLACE_SLOT, .at = offsetof(struct guest, env.flags_a) },
		{ .kind = PLACE_TMP, .at = JIT_TMP_COUNT - 1 },
	};
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		begin_access(&w, &b, BY_LOAD, FAULT_AT);
		b.sites[0].kind = recipe_kind(IR_SUB, 3, FORM_AB);
		b.sites[0].a = places[i];
		b.sites[0].b = (struct site_place){ .kind = PLACE_REG, .reg = X64_RAX };
		b.constants[1] = w.g->gpr[RSI] = w.g->gpr[RSP] = w.g->gpr[R11] = 0x7000;
		w.g->env.flags_a = w.g->env.tmp[JIT_TMP_COUNT - 1] = 0x7000;
		w.g->gpr[RAX] = 0x7001;
		w.g->flags = 2;
		w.g->env.pc = BLOCK_PC;
		assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + SITE_DELTA);
		g_assert_cmphex(w.g->flags, ==, 2 | ir_eval_flags(IR_SUB, 3, 0x7000, 0x7001, 0));
	}
	world_fini(&w);
}

static void test_flags_of_a_high_byte_and_a_carry(void)
{
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	begin_access(&w, &b, BY_STORE, FAULT_AT);
	b.sites[0].kind = recipe_kind(IR_INC, 0, FORM_R);
	b.sites[0].a = (struct site_place){ .kind = PLACE_HIGH, .reg = X64_RDX };
	b.sites[0].c = (struct site_place){ .kind = PLACE_TMP, .at = 7 };
	w.g->gpr[RDX] = 0x118022;
	w.g->env.tmp[7] = 1;
	assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + SITE_DELTA);
	g_assert_cmphex(w.g->flags, ==, ir_eval_flags(IR_INC, 0, 0x7f, 0, IR_C));
	world_fini(&w);
}

static void test_sync_and_carry(void)
{
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(recipe_rows); i++) {
		const struct recipe_row *r = &recipe_rows[i];

		block_begin(&w, &b);
		block_recipe(&b, row_kind(r), recipe_a(r), r->b);
		block_call(&b, w.jit->thunk.carry);
		x64_mov_rr(&b.a, 8, X64_R12, S0);
		block_call(&b, w.jit->thunk.sync);
		x64_mov(&b.a, 4, X64_RAX, GUEST(&b, flags));
		block_end(&b);
		w.g->env.flags_c = r->c;
		w.g->flags = 2;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
		g_assert_cmphex(w.g->gpr[R12], ==, recipe_flags(r) & IR_C);
		g_assert_cmphex(w.g->gpr[RAX], ==, 2 | recipe_flags(r));
		assert_registers(&w, 1u << RAX | 1u << R12);
	}
	world_fini(&w);
}

/* What the thunk leaves to the host and what to C, all sizes and forms. */
static void test_six_bits_of_env(void)
{
	static const uint64_t values[] = { 0,          1,          0x7f,
					   0x80,       0xff,       0x8000,
					   0x7fffffff, 0x80000000, UINT64_C(0x8000000000000000),
					   UINT64_MAX };
	static const uint8_t codes[] = { IR_ADD, IR_SUB, IR_AND, IR_OR };
	const unsigned n = ARRAY_SIZE(values);
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(codes) * 4 * 2 * n * n; i++) {
		struct recipe_row r = { .code = codes[i % 4],
					.size_log2 = i / 4 % 4,
					.a = values[i / 32 % n],
					.b = values[i / 32 / n] };

		if (i & 16)
			r.form = r.code == IR_ADD || r.code == IR_SUB ? FORM_RB : FORM_R;
		block_begin(&w, &b);
		block_recipe(&b, row_kind(&r), recipe_a(&r), r.b);
		block_call(&b, w.jit->thunk.env_bits);
		x64_mov_rr(&b.a, 8, X64_R12, S0);
		block_end(&b);
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
		g_assert_cmphex(w.g->gpr[R12], ==, recipe_flags(&r));
		assert_registers(&w, 1u << R12);
	}
	world_fini(&w);
}

/* Those of a site, while env goes on knowing others. */
static void test_six_bits_of_a_site(void)
{
	struct x64_site *site;
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	block_begin(&w, &b);
	block_recipe(&b, recipe_kind(IR_SUB, 3, FORM_AB), 1, 2);
	site = block_call(&b, w.jit->thunk.bits);
	site->kind = recipe_kind(IR_SHR, 2, FORM_AB);
	site->a = (struct site_place){ .kind = PLACE_REG, .reg = X64_RSI };
	site->b = (struct site_place){ .kind = PLACE_REG, .reg = X64_RBX };
	x64_mov_rr(&b.a, 8, X64_R12, S0);
	block_call(&b, w.jit->thunk.env_bits);
	x64_mov_rr(&b.a, 8, X64_R13, S0);
	block_end(&b);
	w.g->gpr[RSI] = 0x80000005;
	w.g->gpr[RBX] = 3;
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
	g_assert_cmphex(w.g->gpr[R12], ==, ir_eval_flags(IR_SHR, 2, 0x80000005, 3, 0));
	g_assert_cmphex(w.g->gpr[R13], ==, ir_eval_flags(IR_SUB, 3, 1, 2, 0));
	world_fini(&w);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/flags/recipes", test_flags_of_recipes);
	g_test_add_func("/jit/x64/flags/site", test_flags_at_a_site);
	g_test_add_func("/jit/x64/flags/high", test_flags_of_a_high_byte_and_a_carry);
	g_test_add_func("/jit/x64/flags/sync", test_sync_and_carry);
	g_test_add_func("/jit/x64/flags/env", test_six_bits_of_env);
	g_test_add_func("/jit/x64/flags/site_bits", test_six_bits_of_a_site);
}

#endif
