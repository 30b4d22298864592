/* links_test.c - the way from block to block: exits, tables of targets, calls and returns.
 * SPDX-License-Identifier: MIT */
#include "main.h"

#ifdef __x86_64__

#include "world.h"

/* ---- from block to block ---- */

/* A block with nothing but one exit. */
static void block_exit(struct world *w, struct block *b, int64_t pc_delta, bool is_polled)
{
	struct x64_exit *x = &b->exits[1];

	block_begin(w, b);
	b->exits[0].stub = 0; /* another's */
	b->code.exit_count = 2;
	*x = (struct x64_exit){ .pc_delta = pc_delta, .is_polled = is_polled };
	x->jump = x64_jmp_patchable(&b->a);
	x64_int3(&b->a);
	x->stub = x64_offset(&b->a);
	x64_call_at(&b->a, w->jit->thunk.link);
	block_commit(b);
	x64_link(w->jit, &b->code, 1, NULL);
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
	/* is_past: the JCC leads elsewhere until it is linked to nothing, below */
	*x = (struct x64_exit){ .pc_delta = 0x20, .is_polled = is_polled, .is_past = true };
	x64_alu_rr(&b->a, X64_CMP, 8, X64_RAX, X64_RAX);
	x->skip = x64_jcc_patchable(&b->a, X64_CC_E, x64_pc(&b->a) + 6);
	x64_nop(&b->a, 4); /* it may be aligned */
	x->record = x64_offset(&b->a);
	block_recipe(b, recipe_kind(IR_SUB, 3, FORM_AB), 1, 2);
	x->jump = x64_jmp_patchable(&b->a);
	x64_int3(&b->a);
	x->stub = x64_offset(&b->a);
	x64_call_at(&b->a, w->jit->thunk.link);
	block_commit(b);
	x64_link(w->jit, &b->code, 0, NULL);
}

/* Past the record to targets that see no flags: the plain entry. */
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
		g_assert_cmphex(w.g->gpr[RBX], ==, polled && !kills ? 16 : 1);
		to.code.kills_flags = !kills; /* as if it were another */
		x64_link(w.jit, &b.code, 0, &to.code);
		w.g->flags = 2;
		assert_left(&w, block_run(&b), X64_ASKED, BLOCK_PC + 0x20);
		g_assert_cmpuint(w.g->nexts, ==, 1);
		g_assert_cmphex(w.g->flags, ==, kills ? 2 | recorded : 2);
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
	w.g->env.exit_request = 4;
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
	b.exits[0].jump = x64_jmp_patchable(&b.a);
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
	g_assert_cmphex(w.g->env.tlb_view, ==, (uintptr_t)&w.tlb[2] + TLB_BIAS);
	w.g->nexts = 0;
	w.g->env.fault = 6;
	assert_left(&w, block_run(&b), X64_FAULT, 0x5678);
	w.g->env.fault = 0;
	w.g->env.exit_request = 1;
	assert_left(&w, block_run(&b), X64_ASKED, 0x5678);
	g_assert_cmpuint(w.g->nexts, ==, 0);
	w.g->env.exit_request = 0;
	w.g->to = NULL;
	assert_left(&w, block_run(&b), X64_LOOP, 0x5678);
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

/* What a call and a poll compare: rbx += 1 where that says that there is room and no request, rdi
 * += 1 behind thunk.room; both lead on. */
static void block_room(struct world *w, struct block *b, bool is_here)
{
	struct x64_label room = X64_LABEL;

	block_begin(w, b);
	x64_alu(&b->a, X64_CMP, 8, X64_RSP, GUEST(b, env.floor));
	x64_jcc(&b->a, X64_CC_BE, &room);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RBX), 1);
	x64_bind(&b->a, &room);
	x64_mov_ri(&b->a, S0, is_here ? 0x123 : 0x5678);
	x64_call_at(&b->a, is_here ? w->jit->thunk.room_here : w->jit->thunk.room);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RDI), 1);
	block_end(b);
}

static void test_requests_leave_no_room(void)
{
	struct block b;
	struct world w;

	if (!world_init(&w))
		return;
	for (unsigned k = 0; k < 34; k++) {
		bool is_here = k & 1;
		uint16_t asked = (uint16_t)(1u << k / 2); /* the last: nothing */
		uint64_t pc = is_here ? align_down(BLOCK_PC, UINT64_C(4096)) + 0x123 : 0x5678;

		block_room(&w, &b, is_here);
		w.g->gpr[RBX] = w.g->gpr[RDI] = 0;
		w.g->env.pc = BLOCK_PC;
		w.g->env.exit_request = asked;
		assert_left(&w, block_run(&b), X64_ASKED, asked ? pc : BLOCK_PC);
		g_assert_cmpuint(w.g->gpr[RBX], ==, !asked);
		g_assert_cmpuint(w.g->gpr[RDI], ==, !asked);
		g_assert_cmphex(w.g->env.exit_request, ==, asked);
		assert_registers(&w, 1u << RBX | 1u << RDI);
	}
	world_fini(&w);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/links/link", test_exits_are_linked);
	g_test_add_func("/jit/x64/links/exits/past", test_links_lead_past_records);
	g_test_add_func("/jit/x64/links/exit_pc", test_pc_of_an_exit);
	g_test_add_func("/jit/x64/links/exits_leave", test_exits_leave);
	g_test_add_func("/jit/x64/links/probe", test_tables_of_targets_are_looked_into);
	g_test_add_func("/jit/x64/links/exits_probe", test_exits_can_look_for_their_target);
	g_test_add_func("/jit/x64/links/miss", test_indirect_targets_are_asked_for);
	g_test_add_func("/jit/x64/links/dispatch", test_dispatch_looks_around);
	g_test_add_func("/jit/x64/links/returns", test_returns);
	g_test_add_func("/jit/x64/links/drop_frames", test_frames_are_dropped_when_told);
	g_test_add_func("/jit/x64/links/room", test_requests_leave_no_room);
}

#endif
