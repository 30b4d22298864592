/* run_test.c - the C side of host code: where and with which flags a block is left, helpers, the
 * way from block to block.
 * SPDX-License-Identifier: MIT */
#include <glib.h>

#ifdef __x86_64__

#include "world.h"

/* ---- leaving inside an instruction ---- */

static void test_faults_leave_at_the_instruction(void)
{
	static const enum access_kind kinds[] = { BY_LOAD, BY_MODIFY, BY_STORE, BY_ACCESS,
						  BY_ATOMIC };
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin_access(&w, &b, kinds[i], FAULT_AT + 8);
		w.g->env.fault = 0;
		w.g->env.pc = BLOCK_PC;
		assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + SITE_DELTA);
		g_assert_cmpuint(w.g->env.fault, ==, 1);
		assert_registers(&w, 0);
	}
	world_fini(&w);
}

static void test_stores_to_code_are_left_to_others(void)
{
	static const enum access_kind kinds[] = { BY_STORE, BY_COMMIT, BY_ACCESS, BY_ATOMIC };
	struct world w;
	struct block b;
	uint64_t old;

	if (!world_init(&w))
		return;
	old = mem_get(&w, CODE_AT - 2, 8);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin_access(&w, &b, kinds[i], CODE_AT - 2);
		w.g->env.pc = BLOCK_PC;
		assert_left(&w, block_run(&b), X64_RESTART, BLOCK_PC + SITE_DELTA);
		g_assert_cmphex(mem_get(&w, CODE_AT - 2, 8), ==, old);
		g_assert_cmpuint(w.g->stores, ==, 0);
		g_assert_cmpuint(w.g->env.fault, ==, 0);
		assert_registers(&w, 0);
	}
	world_fini(&w);
}

static void test_pc_of_a_site(void)
{
	static const struct {
		bool is_free;
		uint8_t size;
		uint64_t entry, base, pc;
	} rows[] = {
		{ true, 3, 0x7fff12345678, 0x678, 0x7fff12345678 + SITE_DELTA },
		{ true, 3, UINT64_C(0xfffffffffffffff0), 0xff0, 0x14 },
		{ false, 3, 0x12345678, 0x12345678, 0x12345678 + SITE_DELTA },
		{ false, 2, 0xfffffff0, 0xfffffff0, 0x14 },
		{ false, 1, 0xfff0, 0xfff0, 0x14 },
	};
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		begin_access(&w, &b, BY_LOAD, FAULT_AT);
		b.code.is_free = rows[i].is_free;
		b.code.pc_size = rows[i].size;
		b.code.pc_base = rows[i].base;
		w.g->env.pc = rows[i].entry;
		assert_left(&w, block_run(&b), X64_FAULT, rows[i].pc);
	}
	world_fini(&w);
}

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

/* ---- from block to block ---- */

/* A block that was entered has the stack as x64_run() made it. */
static void assert_stack(const struct world *w)
{
	g_assert_cmphex(w->g->env.tmp[0], ==, w->g->env.host_sp);
	w->g->env.tmp[0] = 0;
}

/* A block with nothing but one exit. */
static void block_exit(struct world *w, struct block *b, int64_t pc_delta, bool is_polled)
{
	struct x64_exit *x = &b->exits[1];

	block_begin(w, b);
	b->exits[0].stub = 0; /* another's */
	b->code.exit_count = 2;
	*x = (struct x64_exit){ .pc_delta = pc_delta, .is_polled = is_polled };
	x->jump = x64_jmp_patchable(&b->a, x64_pc(&b->a));
	x64_int3(&b->a);
	x->stub = x64_offset(&b->a);
	x64_call_at(&b->a, w->jit->thunk.link);
	block_commit(b);
	x64_link(w->jit, &b->code, 1, NULL);
}

/* One that says it was there: rbx += n, at its plain entry; at the other, 16 times that. */
static void block_target(struct world *w, struct block *b, int n)
{
	struct x64_label end = X64_LABEL;

	block_begin(w, b);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RBX), n);
	x64_jmp(&b->a, &end);
	b->code.poll_entry = x64_pc(&b->a);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RBX), 16 * n);
	x64_bind(&b->a, &end);
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.tmp)), X64_RSP);
	block_end(b);
}

static void test_exits_are_linked(void)
{
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned polled = 0; polled < 2; polled++) {
		block_target(&w, &to, 1);
		block_exit(&w, &b, 0x20, polled);
		w.g->to = &to.code;
		w.g->links = true;
		w.g->gpr[RBX] = w.g->nexts = 0;
		w.g->env.pc = BLOCK_PC;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmpuint(w.g->gpr[RBX], ==, 1); /* by C: requests were looked for */
		g_assert_cmpuint(w.g->nexts, ==, 1);
		g_assert_true(w.g->from == &b.code && w.g->n == 1);
		assert_stack(&w);
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmpuint(w.g->gpr[RBX], ==, polled ? 17 : 2);
		g_assert_cmpuint(w.g->nexts, ==, 1);
		x64_link(w.jit, &b.code, 1, NULL);
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmpuint(w.g->nexts, ==, 2);
		assert_registers(&w, 1u << RBX);
	}
	world_fini(&w);
}

/* The same by a JCC and a record of flags. */
static void block_exit_if(struct world *w, struct block *b, bool is_polled)
{
	struct x64_exit *x = &b->exits[0];

	block_begin(w, b);
	b->code.exit_count = 1;
	*x = (struct x64_exit){ .pc_delta = 0x20, .is_polled = is_polled };
	x64_alu_rr(&b->a, X64_CMP, 8, X64_RAX, X64_RAX);
	x->skip = x64_jcc_patchable(&b->a, X64_CC_E, x64_pc(&b->a) + 6);
	x64_nop(&b->a, 4); /* it may be aligned */
	x->record = x64_offset(&b->a);
	block_recipe(b, recipe_kind(IR_SUB, 3, FORM_AB), 1, 2);
	x->jump = x64_jmp_patchable(&b->a, x64_pc(&b->a));
	x64_int3(&b->a);
	x->stub = x64_offset(&b->a);
	x64_call_at(&b->a, w->jit->thunk.link);
	if (is_polled) {
		uint32_t poll = x64_offset(&b->a);

		x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RBX), 0x100);
		x->poll_jump = x64_jmp_patchable(&b->a, b->a.run + x->record);
		x->poll_size = (uint8_t)(x->poll_jump - poll);
	}
	block_commit(b);
	x64_link(w->jit, &b->code, 0, NULL);
}

/* Past the record to targets that see no flags: the plain entry, on the way that polls. */
static void test_links_lead_past_records(void)
{
	const uint32_t recorded = ir_eval_flags(IR_SUB, 3, 1, 2, 0);
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < 4; i++) {
		bool polled = i & 1, kills = i & 2;

		block_target(&w, &to, 1);
		to.code.kills_flags = kills;
		block_exit_if(&w, &b, polled);
		w.g->to = &to.code;
		w.g->links = true;
		w.g->gpr[RBX] = w.g->nexts = 0;
		w.g->env.pc = BLOCK_PC;
		w.g->flags = 2;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmphex(w.g->flags, ==, 2 | recorded);
		w.g->flags = 2;
		w.g->gpr[RBX] = 0;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmpuint(w.g->nexts, ==, 1);
		g_assert_cmphex(w.g->flags, ==, kills ? 2 : 2 | recorded);
		g_assert_cmphex(w.g->gpr[RBX], ==, !polled ? 1 : kills ? 0x101 : 16);
		x64_link(w.jit, &b.code, 0, NULL);
		w.g->flags = 2;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmpuint(w.g->nexts, ==, 2);
		g_assert_cmphex(w.g->flags, ==, 2 | recorded);
	}
	world_fini(&w);
}

static void test_pc_of_an_exit(void)
{
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 1);
	w.g->to = &to.code;
	block_exit(&w, &b, -0x1000, false);
	b.code.is_free = true;
	b.code.pc_base = 0x10;
	w.g->env.pc = UINT64_C(0xffffffff80000010);
	assert_left(&w, block_run(&b), X64_ASKED, UINT64_C(0xffffffff7ffff010));
	g_assert_cmphex(w.g->env.page, ==, UINT64_C(0xffffffff7ffff000));
	b.code.is_free = false;
	b.code.pc_size = 2;
	assert_left(&w, block_run(&b), X64_ASKED, 0xfffff010);
	world_fini(&w);
}

static void test_exits_leave(void)
{
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	block_exit(&w, &b, 8, false);
	assert_left(&w, block_run(&b), X64_LOOP, BLOCK_PC + 8);
	w.g->next_faults = true;
	assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + 8);
	w.g->nexts = 0;
	w.g->exit_request = 4;
	assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 8);
	g_assert_cmpuint(w.g->nexts, ==, 0);
	assert_registers(&w, 0);
	world_fini(&w);
}

static struct x64_target targets[X64_PROBE_SIZE] __attribute__((aligned(X64_PROBE_PAIR)));

/* pc is in the first or the other place of its pair. */
static void target_put(struct world *w, uint64_t pc, unsigned place, const struct block *to)
{
	struct x64_target *pair = &targets[x64_probe_index(pc)];

	w->g->env.probe = (uintptr_t)targets;
	memset(targets, 0, sizeof(targets));
	pair += place ? (x64_probe_index(pc) & 1 ? -1 : 1) : 0;
	*pair = (struct x64_target){ .pc = pc, .entry = to->code.run };
}

static void test_tables_of_targets_are_looked_into(void)
{
	static const uint64_t pcs[] = { 0x7fffdeadbeef, 0x7fffdeadbee0, 0x10, 0xffffffff81234567 };
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	for (unsigned k = 0; k < 2 * ARRAY_SIZE(pcs); k++) {
		block_begin(&w, &b);
		x64_mov_ri(&b.a, S0, pcs[k / 2]);
		x64_jmp_at(&b.a, w.jit->thunk.probe);
		block_commit(&b);
		w.g->gpr[RBX] = w.g->nexts = 0;
		target_put(&w, pcs[k / 2], k % 2, &to);
		block_run(&b);
		g_assert_cmpuint(w.g->gpr[RBX], ==, 3);
		g_assert_cmpuint(w.g->nexts, ==, 0);
		target_put(&w, pcs[k / 2] ^ 1u << 20, k % 2, &to); /* another in its place */
		block_run(&b);
		g_assert_cmpuint(w.g->nexts, ==, 1);
		assert_registers(&w, 1u << RBX);
	}
	world_fini(&w);
}

static void test_exits_can_look_for_their_target(void)
{
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 1);
	block_exit(&w, &b, 0x20, false);
	g_assert_false(x64_link_probe(w.jit, &b.code, 1));
	assert_left(&w, block_run(&b), X64_LOOP, BLOCK_PC + 0x20);
	g_assert_cmpuint(w.g->nexts, ==, 1);
	block_begin(&w, &b);
	b.code.exit_count = 1;
	b.exits[0].jump = x64_jmp_patchable(&b.a, x64_pc(&b.a));
	b.exits[0].stub = x64_offset(&b.a);
	x64_call_at(&b.a, w.jit->thunk.link);
	b.exits[0].probe = x64_offset(&b.a);
	x64_mov_ri(&b.a, S0, BLOCK_PC + 0x20);
	x64_jmp_at(&b.a, w.jit->thunk.probe);
	block_commit(&b);
	g_assert_true(x64_link_probe(w.jit, &b.code, 0));
	w.g->gpr[RBX] = w.g->nexts = 0;
	target_put(&w, BLOCK_PC + 0x20, 0, &to);
	block_run(&b);
	g_assert_cmpuint(w.g->nexts, ==, 0);
	g_assert_cmpuint(w.g->gpr[RBX], ==, 1);
	x64_link(w.jit, &b.code, 0, NULL);
	assert_left(&w, block_run(&b), X64_LOOP, BLOCK_PC);
	g_assert_cmpuint(w.g->nexts, ==, 1);
	world_fini(&w);
}

static void test_indirect_targets_are_asked_for(void)
{
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	target_put(&w, 0x401000, 0, &to);
	w.g->to = &to.code;
	block_begin(&w, &b);
	x64_mov_ri(&b.a, S0, UINT64_C(0x7fffdeadbeef));
	x64_jmp_at(&b.a, w.jit->thunk.probe);
	block_commit(&b);
	w.g->gpr[RBX] = 0;
	assert_left(&w, block_run(&b), X64_ASKED, UINT64_C(0x7fffdeadbeef));
	g_assert_cmpuint(w.g->gpr[RBX], ==, 3);
	g_assert_true(!w.g->from && w.g->n == X64_INDIRECT);
	assert_stack(&w);
	g_assert_cmphex(w.g->env.page, ==, UINT64_C(0x7fffdeadb000));
	w.g->to = NULL;
	assert_left(&w, block_run(&b), X64_LOOP, UINT64_C(0x7fffdeadbeef));
	assert_registers(&w, 1u << RBX);
	world_fini(&w);
}

static void test_dispatch_looks_around(void)
{
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	w.g->to = &to.code;
	block_begin(&w, &b);
	block_recipe(&b, recipe_kind(IR_AND, 2, FORM_R), 0, 0);
	x64_mov_i(&b.a, 8, GUEST(&b, env.pc), 0x5678);
	x64_mov_i(&b.a, 4, GUEST(&b, env.view), 2);
	x64_jmp_at(&b.a, w.jit->thunk.dispatch);
	block_commit(&b);
	w.g->gpr[RBX] = 0;
	assert_left(&w, block_run(&b), X64_ASKED, 0x5678);
	g_assert_cmpuint(w.g->gpr[RBX], ==, 3);
	g_assert_true(!w.g->from && w.g->n == X64_LOOPED);
	assert_stack(&w);
	g_assert_cmphex(w.g->flags, ==, IR_Z | IR_P);
	g_assert_cmphex(w.g->env.tlb_view, ==, (uintptr_t)&w.tlb[2]);
	w.g->nexts = 0;
	w.g->env.fault = 6;
	assert_left(&w, block_run(&b), X64_FAULT, 0x5678);
	w.g->env.fault = 0;
	w.g->exit_request = 1;
	assert_left(&w, block_run(&b), X64_ASKED, 0x5678);
	g_assert_cmpuint(w.g->nexts, ==, 0);
	w.g->exit_request = 0;
	w.g->to = NULL;
	assert_left(&w, block_run(&b), X64_LOOP, 0x5678);
	world_fini(&w);
}

/* ---- helpers that need less, and faults that go on ---- */

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

static void test_faults_go_on_in_their_handler(void)
{
	static const enum access_kind kinds[] = { BY_LOAD, BY_MODIFY, BY_STORE, BY_ACCESS,
						  BY_ATOMIC };
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	w.g->to = &to.code;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin_access(&w, &b, kinds[i], FAULT_AT + 8);
		w.g->env.pc = BLOCK_PC;
		w.g->gpr[RBX] = 5;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + SITE_DELTA);
		g_assert_cmpuint(w.g->n, ==, X64_FAULTED);
		g_assert_cmphex(w.g->gpr[RBX], ==, 8);
		assert_registers(&w, 1u << RBX);
		assert_stack(&w);
	}
	world_fini(&w);
}

/* ---- calls and returns ---- */

enum { RETURN_PC = 0x401fff8 };

/* A frame for RETURN_PC whose pad does rdi += n. */
static void block_frame(struct block *b, int n)
{
	struct x64_label call = X64_LABEL, on = X64_LABEL;

	x64_mov_ri(&b->a, S1, RETURN_PC);
	x64_push(&b->a, S1);
	x64_jmp(&b->a, &call);
	x64_bind(&b->a, &on);
	x64_alu_to(&b->a, X64_CMP, 8, x64_m(X64_RSP, 0), S0);
	x64_jcc_at(&b->a, X64_CC_NE, b->w->jit->thunk.unpaired);
	x64_pop(&b->a, S1);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RDI), n);
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.tmp)), X64_RSP);
	block_ask(b);
	x64_bind(&b->a, &call);
	x64_lea(&b->a, 8, S1, x64_at_label(&on));
	x64_push(&b->a, S1);
}

/* Return to pc; where there is no place for that rsi += 1. */
static void block_return(struct block *b, uint64_t pc)
{
	struct x64_label missed = X64_LABEL;

	x64_mov_ri(&b->a, S0, pc);
	x64_lea(&b->a, 8, S1, x64_at_label(&missed));
	x64_ret(&b->a);
	x64_bind(&b->a, &missed);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RSI), 1);
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.tmp)), X64_RSP);
	block_end(b);
}

/* Frames for RETURN_PC, then a return to pc: where it leads, and what is left of the frames. */
static void run_return(struct world *w, unsigned frames, uint64_t pc, unsigned left)
{
	struct block b;

	block_begin(w, &b);
	for (unsigned n = 0; n < frames; n++)
		block_frame(&b, 1 << n);
	block_return(&b, pc);
	w->g->gpr[RBX] = w->g->gpr[RSI] = w->g->gpr[RDI] = 0;
	block_run(&b);
	g_assert_cmphex(w->g->env.tmp[0], ==, w->g->env.host_sp - 16 * left);
	g_assert_cmpuint(w->g->nexts, ==, 0);
}

static void test_returns(void)
{
	enum { OTHER_PC = 0x402000 };
	struct block to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 3);
	for (unsigned place = 0; place < 2; place++) {
		target_put(&w, OTHER_PC, place, &to);
		run_return(&w, 3, RETURN_PC, 2); /* the last frame's pad */
		g_assert_cmpuint(w.g->gpr[RDI], ==, 4);
		run_return(&w, 3, OTHER_PC, 2); /* one frame is dropped */
		g_assert_cmpuint(w.g->gpr[RBX], ==, 3);
		run_return(&w, 3, RETURN_PC + 1, 2);
		g_assert_cmpuint(w.g->gpr[RSI], ==, 1);
		run_return(&w, 0, OTHER_PC, 0); /* no frame: the bottom stays */
		g_assert_cmpuint(w.g->gpr[RBX], ==, 3);
		run_return(&w, 0, RETURN_PC, 0);
		g_assert_cmpuint(w.g->gpr[RSI], ==, 1);
		g_assert_cmpuint(w.g->gpr[RDI], ==, 0);
	}
	world_fini(&w);
}

static void test_frames_are_dropped_when_told(void)
{
	struct block b, to;
	struct world w;

	if (!world_init(&w))
		return;
	block_target(&w, &to, 1);
	w.g->to = &to.code;
	for (unsigned k = 0; k < 6; k++) {
		bool drop = k & 1;

		block_begin(&w, &b);
		x64_mov_i(&b.a, 1, GUEST(&b, env.drop_frames), drop);
		block_frame(&b, 1);
		block_frame(&b, 2);
		if (k < 2) {
			x64_jmp_at(&b.a, w.jit->thunk.dispatch);
		} else if (k < 4) {
			x64_mov_ri(&b.a, S0, RETURN_PC);
			x64_jmp_at(&b.a, w.jit->thunk.ask);
		} else {
			b.code.exit_count = 1;
			b.exits[0].stub = x64_offset(&b.a);
			x64_call_at(&b.a, w.jit->thunk.link);
		}
		block_commit(&b);
		block_run(&b);
		g_assert_cmphex(w.g->env.tmp[0], ==, w.g->env.host_sp - (drop ? 0 : 32));
		g_assert_false(w.g->env.drop_frames);
	}
	g_assert_cmphex(w.g->env.floor, <, w.g->env.host_sp - 0x8000);
	world_fini(&w);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/run/faults", test_faults_leave_at_the_instruction);
	g_test_add_func("/jit/x64/run/stores_to_code", test_stores_to_code_are_left_to_others);
	g_test_add_func("/jit/x64/run/site_pc", test_pc_of_a_site);
	g_test_add_func("/jit/x64/run/flags/recipes", test_flags_of_recipes);
	g_test_add_func("/jit/x64/run/flags/site", test_flags_at_a_site);
	g_test_add_func("/jit/x64/run/flags/high", test_flags_of_a_high_byte_and_a_carry);
	g_test_add_func("/jit/x64/run/flags/sync", test_sync_and_carry);
	g_test_add_func("/jit/x64/run/flags/env", test_six_bits_of_env);
	g_test_add_func("/jit/x64/run/flags/site_bits", test_six_bits_of_a_site);
	g_test_add_func("/jit/x64/run/helper/state", test_helpers_see_and_change_the_state);
	g_test_add_func("/jit/x64/run/helper/flags", test_helpers_write_flags);
	g_test_add_func("/jit/x64/run/helper/fault", test_helpers_fault);
	g_test_add_func("/jit/x64/run/helper/code",
			test_helpers_that_store_to_code_end_their_instruction);
	g_test_add_func("/jit/x64/run/link", test_exits_are_linked);
	g_test_add_func("/jit/x64/run/exits/past", test_links_lead_past_records);
	g_test_add_func("/jit/x64/run/exit_pc", test_pc_of_an_exit);
	g_test_add_func("/jit/x64/run/exits_leave", test_exits_leave);
	g_test_add_func("/jit/x64/run/probe", test_tables_of_targets_are_looked_into);
	g_test_add_func("/jit/x64/run/exits_probe", test_exits_can_look_for_their_target);
	g_test_add_func("/jit/x64/run/miss", test_indirect_targets_are_asked_for);
	g_test_add_func("/jit/x64/run/dispatch", test_dispatch_looks_around);
	g_test_add_func("/jit/x64/run/returns", test_returns);
	g_test_add_func("/jit/x64/run/drop_frames", test_frames_are_dropped_when_told);
	g_test_add_func("/jit/x64/run/quick", test_quick_helpers_leave_registers_alone);
	g_test_add_func("/jit/x64/run/transfer", test_transfers_go_on_by_themselves);
	g_test_add_func("/jit/x64/run/handler", test_faults_go_on_in_their_handler);
}

#else

static void test_needs_another_host(void) { g_test_skip("runs on x86-64 hosts"); }

static void add_tests(void) { g_test_add_func("/jit/x64/run", test_needs_another_host); }

#endif

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_tests();
	return g_test_run();
}
