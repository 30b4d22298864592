/* jit/x64/lower_pair.c - calls and returns of the guest as calls and returns of the host, whose
 * processor then knows where a return leads.
 *
 * A call leaves a frame of 16 bytes on the host's stack: the pc that it will be returned to and, by
 * the host's CALL, the address of the pad behind it.  A return goes to the pad of the last frame,
 * which looks whether the guest means that one too; where not, it drops this one frame and looks
 * for the pc in the table of targets.  So whatever the guest does to its stack is right, and what
 * it does seldom (longjmp, switches of stacks, returns used as jumps) costs some frames, as on
 * hardware.
 *
 * What a pad knows is that its pc is mapped to the block behind it.  It is so as long as mode and
 * mappings of code stay: where C changes them it sets env->drop_frames, and nothing of it is seen
 * by host code before a thunk has reset the stack.
 *
 * A request to leave is seen in bounded time: each call is polled, as are backward jumps, and there
 * are no more pads than calls.  SPDX-License-Identifier: MIT */
#include "jit/x64/lower.h"

enum { PAGE = 4096 };

/* ---- calls ---- */

bool pair_is_possible(const struct x64_compiler *c)
{
	return c->code.is_free && c->code.pc_size == 3;
}

static int64_t return_delta(const struct x64_compiler *c, unsigned i)
{
	const struct ir_insn *in = &c->ir->insns[c->plan[i].insn];

	return (int64_t)in->pc_delta + in->len;
}

unsigned pair_pushed(const struct x64_compiler *c, unsigned i)
{
	for (unsigned k = i; --k && c->plan[k].insn == c->plan[i].insn;) {
		const struct ir_op *op = op_at(c, k), *v = op_at(c, op->b);

		if (op->code == IR_STORE)
			return v->code == IR_PC && ir_size(v) == 8 &&
					       (int64_t)v->imm == return_delta(c, i)
				       ? op->b
				       : 0;
	}
	return 0;
}

/* Right behind the page: the one return address that may not be canonical. */
static bool returns_behind_page(const struct x64_compiler *c, unsigned i)
{
	return c->code.pc_base + (uint64_t)return_delta(c, i) == PAGE;
}

/* The first half of a frame; S0 is taken, S1 is free behind it.  A return that is to fault must not
 * find its own pc there: a canonical one stands for it, whose pad looks for its target anyway. */
static struct stub *push_pc(struct x64_compiler *c, unsigned i)
{
	enum { SPARE_BITS = 16 };
	struct stub *s = stub_new(c, STUB_FRAMES, i);
	bool is_border = returns_behind_page(c, i);
	unsigned v = is_border ? 0 : pair_pushed(c, i), reg = S1;

	if (v)
		reg = place_in_reg(c, v, 8, 1u << S0);
	else
		lower_pc(c, S1, return_delta(c, i));
	if (is_border) {
		x64_shift_i(&c->a, X64_SHL, 8, x64_r(S1), SPARE_BITS);
		x64_shift_i(&c->a, X64_SAR, 8, x64_r(S1), SPARE_BITS);
	}
	flow_poll(c, &s->in);
	x64_bind(&c->a, &s->back);
	x64_push(&c->a, reg);
	return s;
}

/* Where the host returns to, right behind its CALL: the guest's target is in S0, the address of
 * what to do where the table has none in S1. */
static void pad(struct x64_compiler *c, unsigned i)
{
	struct x64_exit *x = flow_exit_new(c, return_delta(c, i), false);
	const struct x64_piece *pad = &c->jit->piece.pad;

	if (x64_paste(&c->a, pad))
		x64_fill_at(&c->a, pad, 0, c->jit->thunk.unpaired);
	if (!x->can_link) {
		flow_probe(c);
		return;
	}
	x64_paste(&c->a, &c->jit->piece.pad_page);
	flow_leave_by(c, x);
}

void pair_call_to(struct x64_compiler *c, unsigned i)
{
	struct stub *s = stub_new(c, STUB_CALL_MISS, i);

	push_pc(c, i);
	flow_lookup(c);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
	x64_call_rm(&c->a, x64_m(S1, offsetof(struct x64_target, entry)));
	x64_bind(&c->a, &s->back);
	pad(c, i);
}

void pair_call(struct x64_compiler *c, unsigned i)
{
	struct x64_exit *x = flow_exit_new(c, (int64_t)op_at(c, i)->imm, false);
	struct stub *s;

	if (!x->can_link && !flow_is_far(c, x)) {
		lower_pc(c, S0, x->pc_delta);
		pair_call_to(c, i);
		return;
	}
	s = push_pc(c, i);
	s->is_direct = true;
	s->exit = (uint16_t)(x - c->exits);
	if (!x->can_link) {
		s = flow_far(c, (unsigned)(x - c->exits));
		s->is_call = true;
		x->jump = x64_call_patchable(&c->a);
		x64_bind(&c->a, &s->back);
		pad(c, i);
		return;
	}
	s = stub_new(c, STUB_CALL, i);
	s->exit = (uint16_t)(x - c->exits);
	x->jump = x64_call_patchable(&c->a);
	pad(c, i);
}

/* ---- targets that are tested late ---- */

/* The bits from the sign bit of `bits` up are all equal when one more makes them 0 or 1. */
enum x64_cc pair_emit_wider(struct x64_asm *a, unsigned reg, unsigned scratch, unsigned bits)
{
	unsigned from = bits - 1u;

	if (64 - from > 31) { /* they do not fit in a test's immediate */
		x64_mov(a, 8, scratch, x64_r(reg));
		x64_shift_i(a, X64_SAR, 8, x64_r(scratch), from);
		x64_inc(a, 8, x64_r(scratch));
		x64_alu_i(a, X64_CMP, 8, x64_r(scratch), 1);
		return X64_CC_A;
	}
	x64_rorx(a, 8, scratch, x64_r(reg), from);
	x64_lea(a, 4, scratch, x64_m(scratch, 1));
	x64_test_i(a, 4, x64_r(scratch), (int32_t)((UINT32_C(1) << (64 - from)) - 2));
	return X64_CC_NE;
}

/* What lies in the table of targets, or is a pc that was pushed, passed the test once.  So it may
 * wait until neither is found, if what its instruction does meanwhile can be undone: a register
 * that is moved by a constant. */

/* The value that v is a constant more than. */
static unsigned root_of(const struct x64_compiler *c, unsigned v, int64_t *more)
{
	for (;; v = op_at(c, v)->a) {
		const struct ir_op *op = op_at(c, v);
		bool is_sum = (op->code == IR_ADD && ir_has_imm(op)) ||
			      (op->code == IR_LEA && op->a && !op->b);

		if (!is_sum || ir_size(op) != 8)
			return v;
		*more += (int64_t)op->imm;
	}
}

static bool touches(const struct ir_op *op, const struct ir_op *put)
{
	return (op->code == IR_GET || op->code == IR_PUT) && op->imm < put->imm + 8 &&
	       put->imm < op->imm + ir_size(op);
}

/* What the register of `put` holds before op i; 0: not known. */
static unsigned value_before(const struct x64_compiler *c, unsigned i, const struct ir_op *put)
{
	while (--i) {
		const struct ir_op *op = op_at(c, i);

		if (touches(op, put)) {
			if (op->imm != put->imm || ir_size(op) != 8)
				return 0;
			return op->code == IR_GET ? i : op->a;
		}
		if (ir_clobbers_state(op) || op->code == IR_VLOAD)
			return 0;
	}
	return 0;
}

static bool can_undo(struct x64_compiler *c, unsigned i, const struct ir_op *put)
{
	unsigned reg = place_pinned(c, (uint32_t)put->imm), before;
	int64_t from = 0, to = 0;

	if (c->late.reg != X64_NO_REG || reg == X64_NO_REG || ir_size(put) != 8 || put->imm % 8)
		return false;
	before = value_before(c, i, put);
	if (!before || root_of(c, before, &from) != root_of(c, put->a, &to) ||
	    !x64_fits32(to - from))
		return false;
	c->late.reg = (uint8_t)reg;
	c->late.moved = (int32_t)(to - from);
	return true;
}

bool pair_test_late(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i), *test = op_at(c, op->a), *o;
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	unsigned last = c->ir->op_count - 1u;
	const struct ir_op *exit = op_at(c, last);

	if (!pair_is_possible(c) || !h->always_faults || h->reads_flags || h->reads_pc || op->b ||
	    op->c || exit->code != IR_EXIT_TO || exit->b == IR_BRANCH_CALL ||
	    test->code != IR_WIDER || !c->plan[op->a].is_fused || test->a != exit->a)
		return false;
	c->late.reg = X64_NO_REG;
	for (unsigned k = i + 1; k < last; k++) {
		o = op_at(c, k);
		if (o->code == IR_PUT && !can_undo(c, i, o))
			return false;
		/* The instruction's own flags are those of before it. */
		if (o->code == IR_FLAGS_PUT && o->a != c->ir->insns[c->plan[i].insn].flags_op)
			return false;
		if (o->code != IR_PUT && o->code != IR_FLAGS_PUT &&
		    !(ir_info[o->code].props & IR_PROP_PURE))
			return false;
	}
	c->late.op = (uint16_t)i;
	return true;
}

static __attribute__((cold)) void stub_late(struct x64_compiler *c, struct stub *s)
{
	const struct ir_op *op = op_at(c, s->at);
	const struct x64_site site = { 0 };
	struct x64_label bad = X64_LABEL;

	x64_jcc_short(&c->a, pair_emit_wider(&c->a, S0, S1, op_at(c, op->a)->b), &bad);
	x64_jmp_at(&c->a, s->is_return ? c->jit->thunk.ask : c->jit->thunk.probe);
	x64_bind(&c->a, &bad);
	if (c->late.reg != X64_NO_REG)
		x64_lea(&c->a, 8, c->late.reg, x64_m(c->late.reg, -c->late.moved));
	for (unsigned n = 0; n < 3; n++)
		x64_mov_i(&c->a, 8, flow_bounce(c, n), 0);
	x64_mov_ri(&c->a, S0, op->imm);
	x64_mov_ri(&c->a, S1, 0);
	x64_call_at(&c->a, c->jit->thunk.helper);
	site_add(c, s->at, &site);
	x64_int3(&c->a); /* the helper faults */
}

/* ---- indirect jumps and returns, to the pc in S0 ---- */

void pair_jump_to(struct x64_compiler *c)
{
	struct stub *s;

	if (!c->late.op) {
		flow_probe(c);
		return;
	}
	s = stub_new(c, STUB_LATE, c->late.op);
	flow_lookup(c);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
	x64_jmp_rm(&c->a, x64_m(S1, offsetof(struct x64_target, entry)));
}

void pair_return(struct x64_compiler *c)
{
	struct stub *s;

	if (c->late.op) {
		s = stub_new(c, STUB_LATE, c->late.op);
		s->is_return = true;
		x64_lea(&c->a, 8, S1, x64_at_label(&s->in));
	} else {
		x64_lea(&c->a, 8, S1, x64_at(c->jit->thunk.ask));
	}
	x64_ret(&c->a);
}

/* ---- stubs ---- */

void pair_stub(struct x64_compiler *c, struct stub *s)
{
	struct x64_exit *x = &c->exits[s->exit];

	switch (s->kind) {
	case STUB_FRAMES:
		if (s->is_direct) {
			x64_mov_ri(&c->a, S0, c->code.pc_base + (uint64_t)x->pc_delta);
			x64_call_at(&c->a, c->jit->thunk.room_here);
		} else {
			x64_call_at(&c->a, c->jit->thunk.room);
		}
		x64_mov(&c->a, 8, X64_RSP, ENV(c, host_sp));
		x64_jmp_back(&c->a, &s->back);
		break;
	case STUB_CALL: flow_ask_behind(c, x); break;
	case STUB_CALL_MISS:
		x64_call_at(&c->a, c->jit->thunk.miss);
		x64_jmp_back(&c->a, &s->back);
		break;
	default: stub_late(c, s); break;
	}
}
