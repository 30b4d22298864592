/* thunk_test.c - the back end's fixed code: in and out of host code, and what survives calls of C.
 * SPDX-License-Identifier: MIT */
#include "main.h"

#ifdef __x86_64__

#include "world.h"

/* ---- in and out ---- */

static void test_registers_go_in_and_out(void)
{
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	block_begin(&w, &b);
	for (unsigned n = 0; n < 16; n++)
		if (w.jit->reg_of[n] != X64_NO_REG)
			x64_alu_i(&b.a, X64_ADD, 8, x64_r(w.jit->reg_of[n]), (int64_t)n + 1);
	block_end(&b);
	for (unsigned round = 1; round <= 3; round++) {
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
		for (uint64_t n = 0; n < 16; n++) {
			uint64_t add = w.jit->reg_of[n] == X64_NO_REG ? 0 : round * (n + 1);

			g_assert_cmphex(w.g->gpr[n], ==, UINT64_C(0x1111111111111111) * n + add);
		}
	}
	g_assert_cmpuint(w.jit->reg_of[RSP], ==, X64_R15);
	g_assert_cmpuint(w.jit->gpr_of[X64_R15], ==, RSP);
	g_assert_cmphex(w.g->env.tlb_view, ==, (uintptr_t)&w.tlb[1] + TLB_BIAS);
	g_assert_cmphex(w.g->env.page, ==, BLOCK_PC & ~0xfff);
	world_fini(&w);
}

/* ---- the soft TLB ---- */

/* RAX := the address that thunk makes of a difference from the tag of entry i. */
static uint64_t address_of(struct world *w, uint64_t thunk, unsigned i, uint64_t difference)
{
	struct block b;

	block_begin(w, &b);
	x64_mov_ri(&b.a, S0, difference);
	x64_mov_ri(&b.a, S1, i);
	x64_call_at(&b.a, thunk);
	x64_mov_rr(&b.a, 8, X64_RAX, S0);
	block_end(&b);
	assert_left(w, block_run(&b), X64_ASKED, BLOCK_PC);
	return w->g->gpr[RAX];
}

/* Between the check and the thunk nothing happens to the entry, or another thread empties it. */
static void test_missed_address_is_found_again(void)
{
	static const uint64_t pages[] = { 0, 0x7000, 0x123456789000, 0xffffffffff000000 };
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned n = 0; n < ARRAY_SIZE(pages); n++) {
		uint64_t addr = pages[n] + (n << 22) + 0xffe,
			 other = pages[n] - (UINT64_C(9) << 22);
		uint64_t tags[] = { other, tlb_emptied(other), tlb_emptied(pages[n]),
				    tlb_empty_tag(tlb_index(addr)) };
		unsigned i = tlb_index(addr);

		for (unsigned k = 0; k < ARRAY_SIZE(tags); k++) {
			struct tlb_table *read = &w.tlb[1].e[TLB_READ];
			struct tlb_table *write = &w.tlb[1].e[TLB_WRITE];

			read->tag[i] = write->tag[i] = tags[k];
			g_assert_cmphex(
				address_of(&w, w.jit->thunk.address_read, i, addr - tags[k]), ==,
				addr);
			g_assert_cmphex(
				address_of(&w, w.jit->thunk.address_write, i, addr - tags[k]), ==,
				addr);
			if (tlb_is_empty(tags[k], i))
				continue;
			write->tag[i] = tlb_emptied(tags[k]);
			g_assert_true(tlb_is_empty(write->tag[i], i));
			g_assert_cmphex(
				address_of(&w, w.jit->thunk.address_write, i, addr - tags[k]), ==,
				addr);
		}
	}
	world_fini(&w);
}

/* ---- what survives ---- */

/* Every register that C keeps holds one value over the call, but R12, the stack pointer. */
static enum x64_why host_registers_kept(struct block *b, bool *kept)
{
	static const uint64_t value = UINT64_C(0x123456789abcdef0);
	uint64_t d = value, di = (uintptr_t)&b->w->g->env, si = b->code.run, out;
	uint64_t a = b->w->jit->thunk.enter;

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "push %%rbx\n\tpush %%rbp\n\tpush %%r12\n\tpush %%r13\n\t"
			 "push %%r14\n\tpush %%r15\n\t"
			 "mov %%rdx, %%rbx\n\tmov %%rdx, %%rbp\n\tmov %%rdx, %%r13\n\t"
			 "mov %%rdx, %%r14\n\tmov %%rdx, %%r15\n\t"
			 "mov %%rsp, %%r12\n\tand $-16, %%rsp\n\tcall *%%rax\n\t"
			 "mov %%r12, %%rsp\n\tmov %%rbx, %%rcx\n\t"
			 "xor %%rbp, %%rbx\n\txor %%rcx, %%r13\n\txor %%rcx, %%r14\n\t"
			 "xor %%rcx, %%r15\n\tor %%r13, %%rbx\n\tor %%r14, %%rbx\n\t"
			 "or %%r15, %%rbx\n\txor %%rbx, %%rcx\n\t"
			 "pop %%r15\n\tpop %%r14\n\tpop %%r13\n\tpop %%r12\n\t"
			 "pop %%rbp\n\tpop %%rbx\n\tlea 128(%%rsp), %%rsp"
			 : "+a"(a), "=&c"(out), "+d"(d), "+D"(di), "+S"(si)
			 :
			 : "r8", "r9", "r10", "r11", "cc", "memory");
	*kept = out == value;
	return (enum x64_why)a;
}

static void test_registers_of_c_are_kept(void)
{
	struct world w;
	struct block b;
	bool kept;

	if (!world_init(&w))
		return;
	block_begin(&w, &b);
	for (unsigned r = 0; r < 16; r++)
		if (r != X64_RSP && r != P)
			x64_mov_ri(&b.a, r, 0);
	block_end(&b);
	g_assert_cmpuint(host_registers_kept(&b, &kept), ==, X64_ASKED);
	g_assert_true(kept);
	world_fini(&w);
}

/* ---- memory ---- */

static void run_load(struct world *w, unsigned k, bool modify, uint64_t addr)
{
	unsigned size = 1u << k;
	struct block b;

	block_begin(w, &b);
	x64_mov_ri(&b.a, S0, addr);
	block_call(&b, modify ? w->jit->thunk.modify[k] : w->jit->thunk.load[k]);
	x64_movzx(&b.a, 1, X64_RAX, x64_m(S0, (int32_t)size - 1));
	x64_movzx(&b.a, 1, X64_R13, x64_m(S0, 0));
	block_end(&b);
	assert_left(w, block_run(&b), X64_ASKED, BLOCK_PC);
	g_assert_cmphex(w->g->gpr[RAX], ==, w->g->mem[addr + size - 1]);
	g_assert_cmphex(w->g->gpr[R13], ==, w->g->mem[addr]);
	assert_registers(w, 1u << RAX | 1u << R13);
	g_assert_cmpuint(w->g->size, ==, size);
	g_assert_cmpuint(w->g->view, ==, 1);
	g_assert_true(w->g->for_write == modify);
}

static void test_loads(void)
{
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned k = 0; k < THUNK_SIZES; k++) {
		run_load(&w, k, false, 0x123 * (k + 1));
		run_load(&w, k, true, 0x123 * (k + 1));
	}
	world_fini(&w);
}

static void run_store(struct world *w, unsigned k, uint64_t addr)
{
	unsigned size = 1u << k;
	uint64_t value = UINT64_C(0x8877665544332211) + k;
	struct block b;

	block_begin(w, &b);
	for (unsigned i = 0; i < 4; i++)
		block_bounce(&b, i, value + i);
	x64_mov_ri(&b.a, S0, addr);
	block_call(&b, w->jit->thunk.store[k]);
	block_end(&b);
	assert_left(w, block_run(&b), X64_ASKED, BLOCK_PC);
	g_assert_cmphex(mem_get(w, addr, MIN(size, 8)), ==, value & ir_mask(MIN(k, 3)));
	if (size == 32)
		g_assert_cmphex(mem_get(w, addr + 24, 8), ==, value + 3);
	g_assert_cmphex(w->g->mem[addr + size], ==,
			(uint8_t)((addr + size) * 7 + ((addr + size) >> 8)));
	assert_registers(w, 0);
}

static void test_stores(void)
{
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned k = 0; k < THUNK_SIZES; k++)
		run_store(&w, k, 0x100 * (k + 1) + 3);
	world_fini(&w);
}

static void test_commit_stores_what_modify_read_and_keeps_flags(void)
{
	struct world w;
	struct block b;
	uint64_t old;

	if (!world_init(&w))
		return;
	for (unsigned k = 0; k < 4; k++) {
		old = mem_get(&w, 0x777, 1u << k);
		block_begin(&w, &b);
		x64_mov_ri(&b.a, S0, 0x777);
		block_call(&b, w.jit->thunk.modify[k]);
		x64_mov_ri(&b.a, S1, 0x4242);
		x64_alu_i(&b.a, X64_ADD, 1u << k, x64_m(S0, 0), 1);
		x64_mov_ri(&b.a, X64_RAX, 0x7f);
		x64_alu_i(&b.a, X64_CMP, 1, x64_r(X64_RAX), -1); /* C, O, S, P */
		block_call(&b, w.jit->thunk.commit[k]);
		x64_pushf(&b.a);
		x64_pop(&b.a, X64_RAX);
		x64_mov_rr(&b.a, 8, X64_R12, S1);
		block_end(&b);
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
		g_assert_cmphex(mem_get(&w, 0x777, 1u << k), ==, ir_cut(k, old + 1));
		g_assert_cmphex(w.g->gpr[RAX] & IR_FLAGS_ALL, ==,
				ir_eval_flags(IR_SUB, 0, 0x7f, 0xff, 0));
		g_assert_cmphex(w.g->gpr[R12], ==, 0x4242);
		assert_registers(&w, 1u << RAX | 1u << R12);
	}
	world_fini(&w);
}

static void run_access(struct world *w, uint64_t addr, uint32_t access)
{
	struct block b;

	block_begin(w, &b);
	for (unsigned i = 0; i < 8; i++)
		block_bounce(&b, i, UINT64_C(0xa1a2a3a4a5a6a7a8) + i);
	x64_mov_ri(&b.a, S0, addr);
	x64_mov_ri(&b.a, S1, access);
	block_call(&b, w->jit->thunk.access);
	x64_mov_rr(&b.a, 8, X64_RBX, S0);
	block_end(&b);
	assert_left(w, block_run(&b), X64_ASKED, BLOCK_PC);
	assert_registers(w, 1u << RBX);
}

static void test_accesses_of_any_size_and_view(void)
{
	struct world w;

	if (!world_init(&w))
		return;
	run_access(&w, 0x501, access_pack(2, 0, false, false));
	g_assert_cmphex(w.g->gpr[RBX], ==, mem_get(&w, 0x501, 2));
	g_assert_cmpuint(w.g->view, ==, 1);
	g_assert_false(w.g->for_write);
	run_access(&w, 0x502, access_pack(64, 3 + 1, true, false));
	g_assert_cmphex(w.g->gpr[RBX], ==, mem_get(&w, 0x502, 8));
	g_assert_cmpmem(w.g->env.bounce, 64, w.g->mem + 0x502, 64);
	g_assert_cmpuint(w.g->view, ==, 3);
	g_assert_true(w.g->for_write);
	run_access(&w, 0x503, access_pack(10, 0 + 1, false, true));
	g_assert_cmphex(mem_get(&w, 0x503, 8), ==, UINT64_C(0xa1a2a3a4a5a6a7a8));
	g_assert_cmphex(mem_get(&w, 0x50b, 2), ==, 0xa7a9);
	g_assert_cmphex(mem_get(&w, 0x50d, 1), ==, (uint8_t)(0x50d * 7 + 5));
	g_assert_cmpuint(w.g->view, ==, 0);
	world_fini(&w);
}

/* ---- calls ---- */

static void native(void *state, const struct ir_native *n, uint64_t value)
{
	struct guest *g = state;

	SCRIBBLE();
	g->arg[0] = value + n->imm;
	g->gpr[RDI] = g->gpr[RBX] = 0x77;
	g->env.fault = g->fault;
}

static void test_natives(void)
{
	static const struct ir_native n = { .fn = native, .imm = 3 };
	static const struct ir_native can = { .fn = native, .imm = 3, .can_fault = true };
	struct world w;
	struct block b;

	if (!world_init(&w))
		return;
	for (unsigned i = 0; i < 4; i++) {
		block_begin(&w, &b);
		block_bounce(&b, 0, 0x10);
		x64_mov_ri(&b.a, S0, (uintptr_t)(i & 1 ? &can : &n));
		block_call(&b, w.jit->thunk.native);
		block_end(&b);
		w.g->fault = i & 2;
		w.g->env.pc = BLOCK_PC;
		w.g->gpr[RDI] = w.g->gpr[RBX] = 0;
		if (i == 3)
			assert_left(&w, block_run(&b), X64_FAULT, BLOCK_PC + SITE_DELTA);
		else
			assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC);
		g_assert_cmphex(w.g->arg[0], ==, 0x13);
		g_assert_cmphex(w.g->gpr[RDI], ==, 0x77);
		g_assert_cmphex(w.g->gpr[RBX], ==, 0x77);
		assert_registers(&w, 1u << RDI | 1u << RBX);
	}
	world_fini(&w);
}

static uint64_t run_atomic(struct world *w, uint32_t kind, uint64_t addr, uint64_t x, uint64_t y)
{
	struct block b;

	block_begin(w, &b);
	block_bounce(&b, 0, addr);
	block_bounce(&b, 1, x);
	block_bounce(&b, 2, y);
	x64_mov_ri(&b.a, S0, kind);
	block_call(&b, w->jit->thunk.atomic);
	x64_mov_rr(&b.a, 8, X64_RBP, S0);
	block_end(&b);
	assert_left(w, block_run(&b), X64_ASKED, BLOCK_PC);
	assert_registers(w, 1u << RBP);
	return w->g->gpr[RBP];
}

static void test_atomics(void)
{
	uint64_t old;
	struct world w;

	if (!world_init(&w))
		return;
	old = mem_get(&w, 0x40, 4);
	g_assert_cmphex(run_atomic(&w, IR_ATOMIC_ADD | 2 << 8, 0x40, 5, 0), ==, old);
	g_assert_cmphex(mem_get(&w, 0x40, 4), ==, (uint32_t)(old + 5));
	g_assert_cmpuint(w.g->stores, ==, 1); /* told of it */
	old = mem_get(&w, 0x41, 8);
	g_assert_cmphex(run_atomic(&w, IR_ATOMIC_CAS | 3 << 8, 0x41, old, 0x99), ==, old);
	g_assert_cmphex(mem_get(&w, 0x41, 8), ==, 0x99);
	g_assert_cmphex(run_atomic(&w, IR_ATOMIC_CAS | 3 << 8, 0x41, 0x98, 1), ==, 0x99);
	g_assert_cmphex(mem_get(&w, 0x41, 8), ==, 0x99);
	old = mem_get(&w, DEVICE_AT, 1);
	g_assert_cmphex(run_atomic(&w, IR_ATOMIC_XCHG | 0 << 8, DEVICE_AT, 0xab, 0), ==, old);
	g_assert_cmphex(mem_get(&w, DEVICE_AT, 1), ==, 0xab);
	world_fini(&w);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/thunk/registers", test_registers_go_in_and_out);
	g_test_add_func("/jit/x64/thunk/registers_of_c", test_registers_of_c_are_kept);
	g_test_add_func("/jit/x64/thunk/addresses", test_missed_address_is_found_again);
	g_test_add_func("/jit/x64/thunk/loads", test_loads);
	g_test_add_func("/jit/x64/thunk/stores", test_stores);
	g_test_add_func("/jit/x64/thunk/commit",
			test_commit_stores_what_modify_read_and_keeps_flags);
	g_test_add_func("/jit/x64/thunk/access", test_accesses_of_any_size_and_view);
	g_test_add_func("/jit/x64/thunk/native", test_natives);
	g_test_add_func("/jit/x64/thunk/atomic", test_atomics);
}

#endif
