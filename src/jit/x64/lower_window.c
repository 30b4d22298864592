/* jit/x64/lower_window.c - accesses near one that was just checked.
 *
 * While S0 still holds the host pointer of an access, another one off the same base value needs no
 * look into the TLB: it lies in the same page when its first or last byte does, for host pages keep
 * the low 12 bits.  Each access has its own stub and its own fault, as if it were alone.
 *
 * Where the first access went through C there is no pointer: S0 is then a number from which every
 * step in the window's direction leads to another page.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "jit/x64/lower_flags.h"

enum {
	PAGE_SIZE = 4096,
	REACH = 2048, /* bytes from the first access */
	LOOK = 48,    /* operations ahead */
	NOWHERE_UP = PAGE_SIZE - 1,
	NOWHERE_DOWN = 0,
};

/* An access that windows know of: of the block's own view, not part of anything bigger. */
static bool is_plain(const struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	if (op->code == IR_LOAD)
		return !op->c && !(op->b & IR_MEM_RMW) && c->uses[i];
	return op->code == IR_STORE && !op->c && !c->modify[i];
}

/* Must a window be over at op j? */
static bool ends_window(const struct x64_compiler *c, unsigned j)
{
	const struct ir_op *op = op_at(c, j);

	if (op->code == IR_CALL_IF)
		return !((const struct ir_helper *)(uintptr_t)op->imm)->always_faults;
	return op->code != IR_EXIT_IF && ir_may_leave(op);
}

/* The accesses that follow i off its base: is there one, downwards, do they store? */
static void plan_one(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *first = op_at(c, i);
	unsigned end = i + LOOK < c->ir->op_count ? i + LOOK : c->ir->op_count;
	struct window_plan *w = &c->window_plan[i];
	bool is_sure = true;

	for (unsigned j = i + 1; j < end; j++) {
		const struct ir_op *op = op_at(c, j);
		int64_t step = (int64_t)(op->imm - first->imm);

		is_sure &= op->code != IR_EXIT_IF;
		if (!is_plain(c, j) || op->a != first->a || llabs(step) > REACH) {
			if (ends_window(c, j))
				return;
			continue;
		}
		if (!w->has_more) {
			w->has_more = true;
			w->is_down = step < 0;
		}
		/* What is not sure to be written may be a page that cannot be. */
		w->is_write |= op->code == IR_STORE && is_sure;
	}
}

void window_plan(struct x64_compiler *c)
{
	for (unsigned i = 1; i < c->ir->op_count; i++) {
		c->window_plan[i] = (struct window_plan){ 0 };
		if (is_plain(c, i))
			plan_one(c, i);
	}
}

/* ---- the value of a load ---- */

static unsigned load_dest(struct x64_compiler *c, unsigned i)
{
	unsigned p = c->put[i], reg = S1;

	if (p)
		reg = place_pinned(c, (uint32_t)op_at(c, p)->imm);
	place_evict(c, reg, reg == S1);
	return reg;
}

static bool is_partial(const struct x64_compiler *c, unsigned i)
{
	return c->put[i] && ir_size(op_at(c, c->put[i])) < 8;
}

/* reg = what lies at m, as op i loads it */
static void load_value(struct x64_compiler *c, unsigned i, unsigned reg, struct x64_rm m)
{
	unsigned size = ir_size(op_at(c, i));

	if (size == 8 || is_partial(c, i))
		x64_mov(&c->a, size, reg, m);
	else
		x64_movzx(&c->a, size, reg, m);
}

static void loaded(struct x64_compiler *c, unsigned i, unsigned reg)
{
	place_reg(c, i, reg, is_partial(c, i) ? ir_size(op_at(c, i)) : 8);
}

/* ---- first accesses ---- */

static void window_open(struct x64_compiler *c, unsigned i, struct stub *s)
{
	const struct window_plan *w = &c->window_plan[i];

	s->window = w->is_down ? STUB_WINDOW_DOWN : STUB_WINDOW_UP;
	c->window = (struct window){
		.base = op_at(c, i)->a,
		.imm = op_at(c, i)->imm,
		.is_write = w->is_write || op_at(c, i)->code == IR_STORE,
		.is_down = w->is_down,
	};
}

static unsigned log2_of(unsigned size) { return (unsigned)__builtin_ctz(size); }

static void first_load(struct x64_compiler *c, unsigned i)
{
	unsigned size = ir_size(op_at(c, i)), reg = load_dest(c, i);
	struct stub *s = mem_check(c, i, size, c->window_plan[i].is_write, STUB_LOAD);

	s->size_log2 = (uint8_t)log2_of(size);
	s->reg = (uint8_t)reg;
	load_value(c, i, reg, x64_m(S0, 0));
	x64_bind(&c->a, &s->back);
	loaded(c, i, reg);
	window_open(c, i, s);
}

static void first_store(struct x64_compiler *c, unsigned i, const struct arg *v)
{
	unsigned size = ir_size(op_at(c, i));
	struct stub *s = mem_check(c, i, size, true, STUB_STORE);

	s->size_log2 = (uint8_t)log2_of(size);
	s->arg[0] = *v;
	mem_store_arg(c, size, x64_m(S0, 0), v);
	x64_bind(&c->a, &s->back);
	mem_stored(c, i, v);
	window_open(c, i, s);
}

/* ---- those that follow ---- */

static bool is_inside(const struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	const struct window *w = &c->window;
	int64_t step = (int64_t)(op->imm - w->imm);
	const struct place *p = &c->at[op->a];

	return w->base && op->a == w->base && llabs(step) <= REACH &&
	       (w->is_down ? step < 0 : step >= 0) && (op->code == IR_LOAD || w->is_write) &&
	       x64_fits32((int64_t)op->imm) && p->valid == 8 &&
	       (p->kind == PLACE_REG || p->kind == PLACE_SLOT || p->kind == PLACE_TMP);
}

/* In the page?  Else to the stub.  S1 was made free; returns where the access is. */
static struct x64_rm next_check(struct x64_compiler *c, unsigned i, struct stub *s)
{
	const struct ir_op *op = op_at(c, i);
	int32_t step = (int32_t)(op->imm - c->window.imm);
	struct place p = c->at[op->a], kept;

	flags_site(c, i, &s->site);
	s->window = STUB_WINDOW_NEXT;
	s->size_log2 = (uint8_t)log2_of(ir_size(op));
	s->old = place_new_tmp(c, &kept);
	s->disp = (int32_t)op->imm;
	if (p.kind == PLACE_REG) {
		s->address = x64_m(p.reg, s->disp);
	} else {
		s->is_saved = true;
		s->address = p.kind == PLACE_SLOT ? state(c, (uint32_t)p.imm)
						  : tmp_rm(c, (unsigned)p.imm);
	}
	x64_lea(&c->a, 4, S1, x64_m(S0, c->window.is_down ? step : step + (int)ir_size(op)));
	x64_alu_rr(&c->a, X64_XOR, 4, S1, S0);
	x64_test_i(&c->a, 4, x64_r(S1), -PAGE_SIZE);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
	flags_lost(c);
	return x64_m(S0, step);
}

static void next_load(struct x64_compiler *c, unsigned i)
{
	unsigned reg = load_dest(c, i);
	struct stub *s = stub_new(c, STUB_LOAD, i);

	place_evict(c, S1, true);
	s->reg = (uint8_t)reg;
	load_value(c, i, reg, next_check(c, i, s));
	x64_bind(&c->a, &s->back);
	loaded(c, i, reg);
}

static void next_store(struct x64_compiler *c, unsigned i, const struct arg *v)
{
	struct stub *s = stub_new(c, STUB_STORE, i);

	place_evict(c, S1, true);
	s->arg[0] = *v;
	mem_store_arg(c, ir_size(op_at(c, i)), next_check(c, i, s), v);
	x64_bind(&c->a, &s->back);
	mem_stored(c, i, v);
}

/* ---- from outside ---- */

bool window_load(struct x64_compiler *c, unsigned i)
{
	if (!is_plain(c, i))
		return false;
	if (is_inside(c, i))
		next_load(c, i);
	else if (c->window_plan[i].has_more)
		first_load(c, i);
	else
		return false;
	return true;
}

bool window_store(struct x64_compiler *c, unsigned i, const struct arg *v)
{
	if (!is_plain(c, i))
		return false;
	if (is_inside(c, i))
		next_store(c, i, v);
	else if (c->window_plan[i].has_more)
		first_store(c, i, v);
	else
		return false;
	return true;
}

void window_stub_begin(struct x64_compiler *c, const struct stub *s)
{
	if (s->window == STUB_WINDOW_NEXT)
		x64_mov_to(&c->a, 8, s->old, S0);
}

void window_stub_end(struct x64_compiler *c, const struct stub *s)
{
	if (s->kind == STUB_LOAD)
		load_value(c, s->at, s->reg, x64_m(S0, 0));
	if (s->window == STUB_WINDOW_NEXT)
		x64_mov(&c->a, 8, S0, s->old);
	else
		x64_mov_ri(&c->a, S0, s->window == STUB_WINDOW_UP ? NOWHERE_UP : NOWHERE_DOWN);
}
