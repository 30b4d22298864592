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

enum address_form { ADDRESS_VALUE, ADDRESS_PC, ADDRESS_CONST };

static struct group_address address_of(const struct x64_compiler *c, const struct ir_op *op)
{
	const struct ir_op *d = op_at(c, op->a);
	struct group_address k = { .base = op->a, .disp = op->imm };

	if (d->code == IR_CONST) {
		k = (struct group_address){ .form = ADDRESS_CONST, .disp = op->imm + d->imm };
	} else if (d->code == IR_PC && ir_size(d) == 8) {
		k = (struct group_address){ .form = ADDRESS_PC, .disp = op->imm + d->imm };
	} else if (d->code == IR_LEA && d->b && ir_size(d) == 8) {
		k = (struct group_address){ .base = d->a,
					    .index = d->b,
					    .shift = (uint8_t)d->c,
					    .disp = op->imm + d->imm };
	}
	return k;
}

static bool has_same_base(const struct group_address *a, const struct group_address *b)
{
	return a->base == b->base && a->index == b->index && a->shift == b->shift &&
	       a->form == b->form;
}

/* Off the guest's stack pointer: that pages of the stack can be written is safe to assume. */
static bool is_stack(const struct x64_compiler *c, const struct group_address *k)
{
	const struct ir_op *d = op_at(c, k->base);

	return k->form == ADDRESS_VALUE && !k->index && d->code == IR_GET && ir_size(d) == 8 &&
	       place_pinned(c, (uint32_t)d->imm) == GUEST_SP;
}

/* ---- planning ---- */

struct access {
	struct group_address at;
	unsigned bytes;
	bool is_write;
};

/* False: not one that groups know. */
static bool access_of(const struct x64_compiler *c, unsigned i, struct access *x)
{
	const struct ir_op *op = op_at(c, i);

	switch (op->code) {
	case IR_LOAD: /* of a read-modify-write: the STORE stands for both */
		if (op->c || c->plan[i].modify)
			return false;
		x->bytes = ir_size(op);
		x->is_write = op->b & IR_MEM_RMW;
		break;
	case IR_STORE:
		if (op->c)
			return false;
		x->bytes = ir_size(op);
		x->is_write = true;
		break;
	case IR_VLOAD:
	case IR_VSTORE:
		if (op->b != 16 && op->b != 32)
			return false;
		x->bytes = op->b;
		x->is_write = op->code == IR_VSTORE;
		break;
	default: return false;
	}
	x->at = address_of(c, op);
	return x->at.disp + FAR < 2ull * FAR || x->at.form == ADDRESS_CONST;
}

/* Extend g by x.  False: it cannot be. */
static bool grow(struct group *g, const struct open_group *o, const struct access *x)
{
	uint64_t below = g->lo - x->at.disp, above = x->at.disp + x->bytes - g->hi;
	uint64_t lo = below < SPAN ? x->at.disp : g->lo;
	uint64_t hi = above < SPAN ? x->at.disp + x->bytes : g->hi;

	if (hi - lo > SPAN || x->at.disp - lo > SPAN || x->at.disp + x->bytes - lo > hi - lo)
		return false;
	/* What is not sure to be written may be a page that cannot be. */
	if (x->is_write && !g->is_write && o->is_unsure && !g->is_stack)
		return false;
	if (x->is_write && !g->is_write)
		g->then_write = !o->is_unsure && !o->has_foreign;
	g->is_write |= x->is_write;
	g->lo = lo;
	g->hi = hi;
	return true;
}

static bool may_begin(const struct x64_compiler *c, const struct group_planner *p, unsigned i)
{
	int32_t delta = c->ir->insns[c->plan[i].insn].pc_delta;

	/* The exit is linked within a page only. */
	return !p->has_begun && c->code->pc_base % PAGE + (uint64_t)(int64_t)delta < PAGE &&
	       c->group_count < LOWER_GROUPS;
}

static void begin_group(struct x64_compiler *c, struct group_planner *p, struct open_group *o,
			unsigned i, const struct access *x)
{
	struct group *g = &c->groups[c->group_count++];

	*g = (struct group){
		.first = (uint16_t)i,
		.last = (uint16_t)i,
		.count = 1,
		.lo = x->at.disp,
		.hi = x->at.disp + x->bytes,
		.is_write = x->is_write,
		.is_stack = is_stack(c, &x->at),
	};
	if (!o && p->count < GROUPS_OPEN)
		o = &p->open[p->count++];
	else if (!o)
		o = &p->open[p->next++ % GROUPS_OPEN];
	*o = (struct open_group){ .at = x->at, .group = (uint8_t)c->group_count };
	c->plan[i].group = o->group;
}

static void plan_access(struct x64_compiler *c, struct group_planner *p, unsigned i,
			const struct access *x)
{
	struct open_group *mine = NULL;

	for (unsigned n = 0; n < p->count; n++) {
		struct open_group *o = &p->open[n];

		if (has_same_base(&o->at, &x->at))
			mine = o;
		else
			o->has_foreign = true;
	}
	if (mine && grow(&c->groups[mine->group - 1u], mine, x)) {
		struct group *g = &c->groups[mine->group - 1u];

		c->plan[i].group = mine->group;
		g->last = (uint16_t)i;
		g->count++;
	} else if (may_begin(c, p, i)) {
		begin_group(c, p, mine, i, x);
	} else if (mine) {
		mine->has_foreign = true;
	}
}

/* What C may have changed the guest's mapping behind, or waited for all others to stop, ends all
 * groups. */
static bool ends_groups(const struct ir_op *op)
{
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;

	switch (op->code) {
	case IR_CALL: return !h->is_pure && !h->rule_arg && h->host_op == IR_HOST_NONE;
	case IR_CALL_IF: return !h->always_faults;
	default: return op->code >= IR_ATOMIC_XCHG && op->code <= IR_ATOMIC_CAS;
	}
}

void group_plan_begin(struct x64_compiler *c, struct group_planner *p)
{
	p->count = p->next = 0;
	c->group_count = 0;
}

static void plan_other(struct group_planner *p, const struct ir_op *op)
{
	p->has_begun = true;
	if (ends_groups(op))
		p->count = 0;
	for (unsigned n = 0; n < p->count; n++) {
		p->open[n].has_foreign = true;
		p->open[n].is_unsure |= op->code == IR_EXIT_IF || op->code == IR_CALL_IF;
	}
}

void group_plan(struct x64_compiler *c, struct group_planner *p, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct access x;

	if (c->has_groups && !(op->code == IR_LOAD && c->plan[i].modify) && op->code != IR_FENCE) {
		if (access_of(c, i, &x)) {
			plan_access(c, p, i, &x);
			p->has_begun = true;
		} else {
			plan_other(p, op);
		}
	}
	/* Only a check looks at the address. */
	if (group_is_address(op) && (!c->plan[i].group || group_is_first(c, i)) &&
	    c->plan[op->a].last_use < i)
		c->plan[op->a].last_use = (uint16_t)i;
}

bool group_plan_end(struct x64_compiler *c)
{
	bool any = false;

	for (unsigned n = 0; n < c->group_count; n++) {
		c->plan[IR_MAX_OPS + n].last_use = c->groups[n].last;
		any |= c->groups[n].count > 1;
	}
	return any;
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
		x64_mov_to(&c->a, 8, place_new_tmp(c, &g->saved), S0);
	place_set(c, v, g->saved);
}

static void check(struct x64_compiler *c, struct group *g, unsigned i)
{
	struct stub *s = stub_new(c, STUB_GROUP, i);
	struct ir_op op = *op_at(c, i);
	unsigned f = flags_at_fault(c, i);
	struct x64_rm m;
	bool in_s0;

	/* What it captures may be brought to a scratch register first, and from there to memory. */
	flags_record_later(c, f, &s->record);
	op.imm += g->lo - address_of(c, &op).disp;
	m = mem_address(c, &op, &in_s0);
	place_evict_scratch(c, true);
	flags_record_later(c, f, &s->record);
	flags_site(c, i, &s->site);
	mem_emit_check(c, s, m, in_s0, (unsigned)(g->hi - g->lo), g->is_write);
	x64_bind(&c->a, &s->back);
}

struct x64_rm group_rm(struct x64_compiler *c, unsigned i)
{
	struct group *g = group_of(c, i);
	unsigned v = IR_MAX_OPS + c->plan[i].group - 1u;

	if (g->first == i) {
		check(c, g, i);
		place_reg(c, v, S0, 8);
	} else if (c->value[v].at.kind != PLACE_REG) {
		place_settle(c, 0);
		place_evict(c, S0, true);
		x64_mov(&c->a, 8, S0, tmp_rm(c, g->saved.imm));
		place_reg(c, v, S0, 8);
	}
	return x64_m(S0, (int32_t)(address_of(c, op_at(c, i)).disp - g->lo));
}

/* The check failed.  What lies behind it gets the pointer from here. */
void stub_group(struct x64_compiler *c, struct stub *s)
{
	const struct group *g = group_of(c, s->at);
	struct access first;
	struct x64_exit *x;

	access_of(c, s->at, &first);
	mem_stub_address(c, g->is_write);
	x64_mov_ri(&c->a, S1,
		   (g->hi - g->lo) | (first.at.disp - g->lo) << GROUP_FIRST_SHIFT |
			   (g->is_write ? GROUP_WRITE : 0u) |
			   (first.is_write ? GROUP_FIRST_WRITE : 0u) |
			   (g->then_write ? GROUP_THEN_WRITE : 0u));
	x64_call_at(&c->a, c->jit->thunk.group);
	site_add(c, s->at, &s->site);
	x64_test(&c->a, 8, x64_r(S0), S0);
	x64_jcc(&c->a, X64_CC_NE, &s->back);
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
	       (op_at(c, k)->code == IR_GET || op_at(c, k)->code == IR_CONST))
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
		place_set(c, i,
			  (struct place){ .kind = PLACE_MEM,
					  .reg = S0,
					  .valid = (uint8_t)size,
					  .imm = (uint32_t)m.disp });
		return;
	}
	if (p)
		reg = place_pinned(c, (uint32_t)op_at(c, p)->imm);
	place_evict(c, reg, reg == S1);
	if (size == 8 || is_part)
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
