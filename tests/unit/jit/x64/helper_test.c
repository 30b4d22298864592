/* helper_test.c - functions in C that host code calls.
 * SPDX-License-Identifier: MIT */
#include "main.h"

#ifdef __x86_64__

#include "world.h"

/* ---- helpers ---- */

static uint64_t help(void *state, uint64_t x, uint64_t y, uint64_t z)
{
	struct guest *g = state;

	SCRIBBLE();
	g->arg[0] = x;
	g->arg[1] = y;
	g->arg[2] = z;
	g->seen_pc = g->env.pc;
	g->seen_flags = g->flags;
	g->env.fault = g->fault;
	g->env.code_stored |= g->stored;
	for (unsigned n = 0; n < 16; n++)
		g->gpr[n] ^= 0xff00;
	return UINT64_C(0xfeedfacecafef00d);
}

static uint64_t help_flags(void *state, uint64_t x, uint64_t y, uint64_t z)
{
	struct guest *g = state;

	help(state, x, y, z);
	g->flags = 2 | IR_P;
	return 0;
}

/* A call of a helper with a recipe in env; the site says other flags. */
static struct x64_site *block_help(struct world *w, struct block *b, const struct ir_helper *h)
{
	struct x64_site *s;

	block_begin(w, b);
	block_recipe(b, recipe_kind(IR_SUB, 3, FORM_AB), 1, 2);
	for (unsigned i = 0; i < 3; i++)
		block_bounce(b, i, 0x100 + i);
	x64_mov_ri(&b->a, S0, (uintptr_t)h);
	x64_mov_ri(&b->a, S1, !h->reads_flags && !h->writes_flags);
	s = block_call(b, w->jit->thunk.helper);
	s->kind = recipe_kind(IR_SUB, 3, FORM_AB);
	s->a = (struct site_place){ .kind = PLACE_REG, .reg = X64_RCX };
	s->b = (struct site_place){ .kind = PLACE_SLOT, .at = offsetof(struct guest, gpr[R10]) };
	s->pc_next = SITE_DELTA + 3;
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.tmp)), S0);
	block_end(b);
	w->g->flags = 2;
	w->g->env.pc = BLOCK_PC;
	w->g->env.code_stored = false;
	w->g->gpr[RCX] = w->g->gpr[R10] = 0x5005; /* equal before the helper, and after */
	return s;
}

static void test_helpers_see_and_change_the_state(void)
{
	static const struct ir_helper plain = { .name = "plain", .fn = help };
	static const struct ir_helper reads = {
		.name = "reads", .fn = help, .reads_flags = true, .reads_pc = true
	};
	uint32_t flags = 2 | ir_eval_flags(IR_SUB, 3, 1, 2, 0);
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	block_help(&w, &b, &plain);
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
	g_assert_cmphex(w.g->env.tmp[0], ==, UINT64_C(0xfeedfacecafef00d));
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmphex(w.g->arg[i], ==, 0x100 + i);
	for (uint64_t n = 0; n < 16; n++)
		if (n != RCX && n != R10)
			g_assert_cmphex(w.g->gpr[n], ==,
					(UINT64_C(0x1111111111111111) * n) ^ 0xff00);
	g_assert_cmphex(w.g->seen_pc, ==, BLOCK_PC);
	g_assert_cmphex(w.g->seen_flags, ==, 2);
	g_assert_cmphex(w.g->flags, ==, flags);

	block_help(&w, &b, &reads);
	w.g->env.pc = BLOCK_PC + 0x100;
	/* its pc is the block's matter */
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x100);
	g_assert_cmphex(w.g->seen_pc, ==, BLOCK_PC + 0x100);
	g_assert_cmphex(w.g->seen_flags, ==, flags);
	world_fini(&w);
}

static void test_helpers_write_flags(void)
{
	static const struct ir_helper h = { .name = "h", .fn = help_flags, .writes_flags = true };
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	block_help(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
	g_assert_cmphex(w.g->seen_flags, ==, 2 | ir_eval_flags(IR_SUB, 3, 1, 2, 0));
	g_assert_cmphex(w.g->flags, ==, 2 | IR_P);

	block_help(&w, &b, &h)->is_last = true;
	w.g->stored = 1;
	assert_left(&w, block_run(&b), X64_LOOP, BLOCK_PC + SITE_DELTA + 3);
	g_assert_cmphex(w.g->flags, ==, 2 | IR_P);
	world_fini(&w);
}

static void test_helpers_fault(void)
{
	static const struct ir_helper can = { .name = "can", .fn = help, .can_fault = true };
	static const struct ir_helper cannot = { .name = "cannot", .fn = help };
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	w.g->fault = 14;
	block_help(&w, &b, &can);
	w.g->gpr[RCX] = 0x5004; /* above: the helper turns that into below */
	w.g->gpr[R10] = 5;
	assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + SITE_DELTA);
	g_assert_cmphex(w.g->flags, ==, 2 | ir_eval_flags(IR_SUB, 3, 0x5004, 5, 0));
	g_assert_cmphex(w.g->gpr[RCX], ==, 0x5004 ^ 0xff00);
	g_assert_cmphex(w.g->env.tmp[0], ==, 0);

	block_help(&w, &b, &cannot);
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
	world_fini(&w);
}

static void test_helpers_that_store_to_code_end_their_instruction(void)
{
	static const struct ir_helper h = { .name = "h", .fn = help };
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	w.g->stored = 1;
	block_help(&w, &b, &h)->is_last = true;
	assert_left(&w, block_run(&b), X64_LOOP, BLOCK_PC + SITE_DELTA + 3);
	g_assert_cmphex(w.g->flags, ==, 2 | ir_eval_flags(IR_SUB, 3, 5, 5, 0));
	g_assert_cmphex(w.g->env.tmp[0], ==, 0);

	block_help(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
	g_assert_cmphex(w.g->env.tmp[0], ==, UINT64_C(0xfeedfacecafef00d));
	world_fini(&w);
}

/* ---- helpers that need less ---- */

static uint64_t quick(void *state, uint64_t x, uint64_t y, uint64_t z)
{
	struct guest *g = state;

	SCRIBBLE();
	g->arg[0] = x;
	g->arg[1] = y;
	g->arg[2] = z;
	g->env.code_stored = g->stored;
	return UINT64_C(0xfeedfacecafef00d);
}

static void block_quick(struct world *w, struct block *b, bool is_last)
{
	struct x64_site *s;

	block_begin(w, b);
	block_recipe(b, recipe_kind(IR_SUB, 3, FORM_AB), 1, 2);
	for (unsigned i = 0; i < 3; i++)
		block_bounce(b, i, 0x100 + i);
	x64_mov_ri(&b->a, S0, (uintptr_t)quick);
	s = block_call(b, w->jit->thunk.quick);
	s->kind = recipe_kind(IR_SUB, 3, FORM_AB);
	s->a = (struct site_place){ .kind = PLACE_REG, .reg = X64_RBP };
	s->b = (struct site_place){ .kind = PLACE_REG, .reg = X64_RCX };
	s->is_last = is_last;
	s->pc_next = SITE_DELTA + 1;
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.tmp)), S0);
	block_end(b);
	w->g->env.pc = BLOCK_PC;
	w->g->env.code_stored = false;
	w->g->env.tmp[0] = 0;
}

static void test_quick_helpers_leave_registers_alone(void)
{
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < 2; i++) {
		w.g->stored = i == 1; /* not last: it goes on */
		block_quick(&w, &b, false);
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
		g_assert_cmphex(w.g->env.tmp[0], ==, UINT64_C(0xfeedfacecafef00d));
		for (unsigned k = 0; k < 3; k++)
			g_assert_cmphex(w.g->arg[k], ==, 0x100 + k);
		assert_registers(&w, 0);
	}
	block_quick(&w, &b, true);
	assert_left(&w, block_run(&b), X64_LOOP, BLOCK_PC + SITE_DELTA + 1);
	g_assert_cmphex(w.g->env.tmp[0], ==, 0);
	g_assert_cmphex(w.g->flags & IR_FLAGS_ALL, ==,
			ir_eval_flags(IR_SUB, 3, UINT64_C(0x5555555555555555),
				      UINT64_C(0x1111111111111111), 0));
	assert_registers(&w, 0);
	world_fini(&w);
}

static uint64_t go_elsewhere(void *state, uint64_t x, uint64_t y, uint64_t z)
{
	struct guest *g = state;

	help(state, x, y, z);
	g->env.pc = 0x5678;
	return 0;
}

static void block_transfer(struct world *w, struct block *b, const struct ir_helper *h)
{
	block_begin(w, b);
	block_recipe(b, recipe_kind(IR_SUB, 3, FORM_AB), 1, 2);
	x64_mov_ri(&b->a, S0, (uintptr_t)h);
	block_call(b, w->jit->thunk.transfer);
	x64_int3(&b->a);
	block_commit(b);
	w->g->env.pc = BLOCK_PC;
	w->g->flags = 2;
	w->g->gpr[RBX] = 0xff00;
}

static void test_transfers_go_on_by_themselves(void)
{
	static const struct ir_helper h = {
		.name = "h", .fn = go_elsewhere, .can_fault = true, .reads_flags = true
	};
	uint32_t flags = 2 | ir_eval_flags(IR_SUB, 3, 1, 2, 0);
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	w.g->to = &to.code;
	block_transfer(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_ASKED, 0x5678);
	g_assert_cmphex(w.g->gpr[RBX], ==, 3);
	g_assert_cmphex(w.g->seen_flags, ==, flags);
	g_assert_true(!w.g->from && w.g->n == X64_LOOPED);
	assert_stack(&w);

	w.g->to = NULL;
	block_transfer(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_LOOP, 0x5678);
	g_assert_cmphex(w.g->gpr[RBX], ==, 0);

	w.g->fault = 14; /* back to the instruction */
	block_transfer(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + SITE_DELTA);
	g_assert_cmpuint(w.g->n, ==, X64_FAULTED);
	g_assert_cmphex(w.g->flags, ==, flags);
	world_fini(&w);
}

static bool go_by_shortcut(void *state, uint64_t x, uint64_t y, uint64_t z)
{
	struct guest *g = state;

	if (!g->is_usual)
		return false;
	help(state, x, y, z);
	g->flags = 2 | IR_P;
	g->env.pc = 0x1234;
	return true;
}

static void test_shortcuts_replace_flags(void)
{
	static const struct ir_helper h = { .name = "h",
					    .fn = go_elsewhere,
					    .shortcut = go_by_shortcut,
					    .can_fault = true,
					    .reads_flags = true,
					    .writes_flags = true };
	uint32_t flags = 2 | ir_eval_flags(IR_SUB, 3, 1, 2, 0);
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	w.g->to = &to.code;
	w.g->is_usual = true;
	block_transfer(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_ASKED, 0x1234);
	g_assert_cmphex(w.g->gpr[RBX], ==, 3);
	g_assert_cmphex(w.g->seen_flags, ==, 2);
	g_assert_cmphex(w.g->flags, ==, 2 | IR_P);
	assert_stack(&w);

	w.g->is_usual = false;
	block_transfer(&w, &b, &h);
	assert_left(&w, block_run(&b), X64_ASKED, 0x5678);
	g_assert_cmphex(w.g->seen_flags, ==, flags);
	g_assert_cmphex(w.g->flags, ==, flags);
	world_fini(&w);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/helper/state", test_helpers_see_and_change_the_state);
	g_test_add_func("/jit/x64/helper/flags", test_helpers_write_flags);
	g_test_add_func("/jit/x64/helper/fault", test_helpers_fault);
	g_test_add_func("/jit/x64/helper/code",
			test_helpers_that_store_to_code_end_their_instruction);
	g_test_add_func("/jit/x64/helper/quick", test_quick_helpers_leave_registers_alone);
	g_test_add_func("/jit/x64/helper/transfer", test_transfers_go_on_by_themselves);
	g_test_add_func("/jit/x64/helper/shortcut", test_shortcuts_replace_flags);
}

#endif
