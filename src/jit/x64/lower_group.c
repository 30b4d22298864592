/* jit/x64/lower_group.c - accesses off one base, covered by one check.
 *
 * At the first of them all bytes that any of them touches are looked for in one entry of the TLB;
 * if they are there none of the others can fault or miss, and each is a plain access at a distance
 * from the host pointer.  That is a value of its own: it lives in S0, and in a temporary when
 * others want S0.
 *
 * Where the check fails, a thunk fills the entry, as far as the first access would.  If all is
 * still not there (two pages, a device, code, no right) the block is left, as by a branch, for the
 * same instruction translated without groups.  So a group begins with the first deed of an
 * instruction.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/x64/lower_flags.h"

enum {
	PAGE = 4096,
	SPAN = 512, /* bytes: what is wider is too often in two pages */
	FAR = 1 << 30,
};

/* ---- addresses ---- */

/* What the first operand of an access is, in struct group_address.base. */
enum {
	INDEX_SHIFT = 16,
	SCALE_SHIFT = 32,
	ADDRESS_PC = 1, /* neither has a value that counts */
	ADDRESS_CONST = 2,
	FORM_SHIFT = 40,
};

static inline struct group_address address_of(const struct x64_compiler *c, const struct ir_op *op)
{
	const struct ir_op *d = op_at(c, op->a);
	struct group_address k = { op->a, op->imm };

	if (d->code != IR_LEA && d->code > IR_PC)
		return k;
	if (d->code == IR_CONST)
		k.base = (uint64_t)ADDRESS_CONST << FORM_SHIFT;
	else if (ir_size(d) < 8 || (d->code == IR_LEA && !d->b))
		return k;
	else if (d->code == IR_PC)
		k.base = (uint64_t)ADDRESS_PC << FORM_SHIFT;
	else
		k.base = d->a | (uint64_t)d->b << INDEX_SHIFT | (uint64_t)d->c << SCALE_SHIFT;
	k.disp += d->imm;
	return k;
}

/* Off the guest's stack pointer: that pages of the stack can be written is safe to assume. */
static bool is_stack(const struct x64_compiler *c, const struct group_address *k)
{
	const struct ir_op *d = op_at(c, (uint16_t)k->base);

	return !(k->base >> INDEX_SHIFT) && d->code == IR_GET && ir_size(d) == 8 &&
	       place_pinned(c, (uint32_t)d->imm) == GUEST_SP;
}

/* ---- planning ---- */

struct access {
	struct group_address at;
	unsigned bytes;
	bool is_write;
};

/* False: not one that groups know. */
static inline bool access_of(const struct x64_compiler *c, const struct ir_op *op, struct access *x)
{
	if (op->code == IR_LOAD || op->code == IR_STORE) {
		if (op->c)
			return false;
		x->bytes = ir_size(op);
		x->is_write = op->code == IR_STORE || op->b & IR_MEM_RMW;
	} else {
		if (op->b != 16 && op->b != 32)
			return false;
		x->bytes = op->b;
		x->is_write = op->code == IR_VSTORE;
	}
	x->at = address_of(c, op);
	return x->at.disp + FAR < 2ull * FAR || x->at.base >> FORM_SHIFT == ADDRESS_CONST;
}

/* Extend g by x.  False: it cannot be. */
static inline bool grow(const struct group_planner *p, struct group *g, const struct open_group *o,
			const struct access *x)
{
	uint64_t at = x->at.disp - g->lo; /* perhaps below it */
	int lo = (int)at, hi = lo + (int)x->bytes;

	if (at + SPAN > 2 * SPAN)
		return false;
	lo = lo < 0 ? lo : 0;
	hi = hi > (int)g->bytes ? hi : (int)g->bytes;
	if (hi - lo > SPAN)
		return false;
	if (x->is_write && !g->is_write) {
		bool is_unsure = p->branches != o->branches;

		/* What is not sure to be written may be a page that cannot be. */
		if (is_unsure && !g->is_stack)
			return false;
		g->then_write = !is_unsure && p->deeds == o->deeds;
		g->is_write = true;
	}
	g->lo += (uint64_t)lo;
	g->bytes = (unsigned)(hi - lo);
	g->count++;
	return true;
}

static bool may_begin(const struct x64_compiler *c, const struct group_planner *p, unsigned i)
{
	int32_t delta = c->ir->insns[c->plan[i].insn].pc_delta;

	/* The exit is linked within a page only. */
	return !p->has_begun && c->code.pc_base % PAGE + (uint64_t)(int64_t)delta < PAGE &&
	       c->group_count < LOWER_GROUPS;
}

static __attribute__((noinline)) void begin_group(struct x64_compiler *c, struct group_planner *p,
						  struct open_group *o, unsigned i,
						  const struct access *x)
{
	unsigned n = c->group_count++;

	c->groups[n] = (struct group){
		.first = (uint16_t)i,
		.count = 1,
		.lo = x->at.disp,
		.bytes = x->bytes,
		.is_write = x->is_write,
		.is_stack = is_stack(c, &x->at),
	};
	c->plan[IR_MAX_OPS + n].last_use = (uint16_t)i;
	if (!o && p->count < GROUPS_OPEN)
		o = &p->open[p->count++];
	else if (!o)
		o = &p->open[p->next++ % GROUPS_OPEN];
	*o = (struct open_group){ x->at.base, p->deeds + 1, p->branches, n }; /* with its own */
	c->plan[i].group = (uint8_t)(n + 1);
}

/* Access i becomes part of a group: true; or begins one, if it may. */
static inline bool join(struct x64_compiler *c, struct group_planner *p, unsigned i,
			const struct access *x)
{
	struct open_group *o = p->open, *end = o + p->count;

	while (o < end && o->base != x->at.base)
		o++;
	if (o < end && grow(p, &c->groups[o->group], o, x)) {
		c->plan[IR_MAX_OPS + o->group].last_use = (uint16_t)i;
		c->plan[i].group = (uint8_t)(o->group + 1);
		o->deeds++; /* its own */
		p->deeds++;
		p->has_begun = p->has_any = true;
		return true;
	}
	if (may_begin(c, p, i))
		begin_group(c, p, o < end ? o : NULL, i, x);
	p->deeds++;
	return false;
}

void group_plan(struct x64_compiler *c, struct group_planner *p, const struct ir_op *op, unsigned i)
{
	struct access x;
	uint16_t *last;

	/* Of a read-modify-write the STORE stands for both. */
	if (c->has_groups && !(op->code == IR_LOAD && c->plan[i].modify)) {
		if (!access_of(c, op, &x))
			p->deeds++;
		else if (join(c, p, i, &x))
			return; /* nobody looks at its address */
		p->has_begun = true;
	}
	last = &c->plan[op->a].last_use;
	*last = *last < i ? (uint16_t)i : *last;
}

/* ---- the host pointer ---- */

static struct group *group_of(struct x64_compiler *c, unsigned i)
{
	return &c->groups[c->plan[i].group - 1u];
}

void group_evict(struct x64_compiler *c, unsigned v)
{
	struct group *g = &c->groups[v - IR_MAX_OPS];

	if (g->saved.kind == PLACE_NONE)
		x64_store(&c->a, 8, P, place_new_tmp(c, &g->saved).disp, S0);
	place_set(c, v, g->saved);
}

static void check(struct x64_compiler *c, struct group *g, unsigned i)
{
	struct stub *s = stub_new(c, STUB_GROUP, i);
	struct ir_op op = *op_at(c, i);
	unsigned f = flags_at_fault(c, i);
	struct x64_rm m;
	bool was_idle, in_s0;

	/* What it captures may be brought to a scratch register first, and from there to memory. */
	flags_record_later(c, f, &s->record);
	was_idle = place_is_idle(c);
	op.imm += g->lo - address_of(c, &op).disp;
	m = mem_address(c, &op, &in_s0);
	if (!was_idle || !place_is_idle(c)) {
		place_evict_scratch(c, true);
		flags_record_later(c, f, &s->record);
	}
	if (f)
		flags_site_of(c, f, &s->site);
	mem_emit_check(c, s, m, in_s0, g->bytes, g->is_write);
	x64_bind(&c->a, &s->back);
}

struct x64_rm group_rm(struct x64_compiler *c, unsigned i)
{
	struct group *g = group_of(c, i);
	unsigned v = IR_MAX_OPS + c->plan[i].group - 1u;

	if (g->first == i) {
		check(c, g, i);
		c->value[v] = (struct value){ 0 };
		place_reg(c, v, S0, 8);
	} else if (c->value[v].at.kind != PLACE_REG) {
		place_settle(c, 0);
		place_evict(c, S0, true);
		x64_load(&c->a, 8, S0, P, tmp_rm(c, g->saved.imm).disp);
		place_reg(c, v, S0, 8);
	}
	return x64_m(S0, (int32_t)(address_of(c, op_at(c, i)).disp - g->lo));
}

/* The check failed.  What lies behind it gets the pointer from here. */
void stub_group(struct x64_compiler *c, struct stub *s)
{
	const struct group *g = group_of(c, s->at);
	struct access first = { 0 };
	struct x64_exit *x;

	access_of(c, op_at(c, s->at), &first);
	mem_stub_address(c, g->is_write);
	x64_mov_ri(&c->a, S1,
		   g->bytes | (first.at.disp - g->lo) << GROUP_FIRST_SHIFT |
			   (g->is_write ? GROUP_WRITE : 0u) |
			   (first.is_write ? GROUP_FIRST_WRITE : 0u) |
			   (g->then_write ? GROUP_THEN_WRITE : 0u));
	x64_call_at(&c->a, c->jit->thunk.group);
	site_add(c, s->at, &s->site);
	x64_test(&c->a, 8, x64_r(S0), S0);
	x64_jcc_back(&c->a, X64_CC_NE, &s->back);
	stub_record(c, &s->record);
	x = flow_exit_new(c, c->ir->insns[c->plan[s->at].insn].pc_delta, false);
	x->can_link = x->to_single = true;
	flow_leave_by(c, x);
}

/* ---- accesses ---- */

/* Will what op i loaded be asked for before S0 is wanted?  Then it stays in memory. */
static bool is_wanted_next(const struct x64_compiler *c, unsigned i)
{
	unsigned k = i + 1;

	if (c->plan[IR_MAX_OPS + c->plan[i].group - 1u].last_use == i)
		return true; /* S0 is free */
	while (k < c->ir->op_count && k < c->plan[i].last_use &&
	       (op_at(c, k)->code == IR_GET || op_at(c, k)->code == IR_CONST ||
		op_at(c, k)->code == IR_NOP))
		k++;
	return c->plan[i].last_use == k && c->plan[k].insn == c->plan[i].insn;
}

void group_load(struct x64_compiler *c, unsigned i)
{
	unsigned size = ir_size(op_at(c, i)), p = c->plan[i].put, reg = S1;
	bool is_part = p && ir_size(op_at(c, p)) < 8;
	struct x64_rm m = group_rm(c, i);

	if (!c->plan[i].uses)
		return;
	if (!p && is_wanted_next(c, i)) {
		place_settle(c, 0);
		place_pending(c, i, size, m.disp);
		return;
	}
	if (p)
		reg = place_pinned(c, (uint32_t)op_at(c, p)->imm);
	place_evict(c, reg, reg == S1);
	if (size >= 4)
		x64_load(&c->a, size, reg, S0, m.disp);
	else if (is_part)
		x64_mov(&c->a, size, reg, m);
	else
		x64_movzx(&c->a, size, reg, m);
	place_reg(c, i, reg, is_part ? size : 8);
}

/* The value in an immediate or a register that is not S0. */
static void capture_near(struct x64_compiler *c, unsigned v, unsigned size, struct arg *out)
{
	unsigned reg;

	*out = (struct arg){ .is_imm = true, .valid = (uint8_t)size };
	if (op_at(c, v)->code == IR_CONST) {
		alu_capture(c, v, size, out);
		return;
	}
	reg = place_in_reg(c, v, size, 1u << S0);
	if (reg == S0) {
		place_evict(c, S1, true);
		x64_mov_rr(&c->a, 8, S1, S0);
		reg = S1;
		place_reg(c, v, S1, c->value[v].at.valid);
	}
	out->is_imm = false;
	out->rm = x64_r(reg);
}

void group_store(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op);
	struct arg v;
	struct x64_rm m;

	if (group_is_first(c, i))
		mem_capture_stored(c, op->b, size, &v);
	else
		capture_near(c, op->b, size, &v);
	m = group_rm(c, i);
	if (v.is_imm && !x64_fits32((int64_t)v.imm))
		place_evict(c, S1, true);
	mem_store_arg(c, size, m, &v);
	mem_stored(c, i, &v);
}
