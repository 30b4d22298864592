/* run_test.c - the C side of host code: where a block is left inside an instruction.
 * SPDX-License-Identifier: MIT */
#include "main.h"

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

static void add_tests(void)
{
	g_test_add_func("/jit/x64/run/faults", test_faults_leave_at_the_instruction);
	g_test_add_func("/jit/x64/run/stores_to_code", test_stores_to_code_are_left_to_others);
	g_test_add_func("/jit/x64/run/site_pc", test_pc_of_a_site);
	g_test_add_func("/jit/x64/run/handler", test_faults_go_on_in_their_handler);
}

#endif
