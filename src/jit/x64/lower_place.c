/* jit/x64/lower_place.c - where values are, and how they get out of the way.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "jit/x64/lower.h"

static bool is_scratch(unsigned reg) { return reg == S0 || reg == S1; }

void place_begin(struct x64_compiler *c)
{
	memset(c->in_reg, 0, sizeof(c->in_reg));
	c->value[IR_NONE] = (struct value){ 0 }; /* the others are when they are made */
	c->in_memory_count = 0;
	c->pending_mem = 0;
	c->next_tmp = 0;
}

/* ---- saying where ---- */

/* v is not where it was. */
static void leave(struct x64_compiler *c, unsigned v)
{
	uint16_t *at = &c->in_reg[c->value[v].at.reg];

	if (c->pending_mem == v)
		c->pending_mem = 0;
	if (c->value[v].at.kind != PLACE_REG && c->value[v].at.kind != PLACE_HIGH)
		return;
	while (*at && *at != v)
		at = &c->plan[*at].next_in_reg;
	if (*at)
		*at = c->plan[v].next_in_reg;
}

void place_set(struct x64_compiler *c, unsigned v, struct place p)
{
	if (c->value[v].at.kind != PLACE_NONE)
		leave(c, v);
	c->value[v].at = p;
	if (p.kind == PLACE_REG || p.kind == PLACE_HIGH) {
		c->plan[v].next_in_reg = c->in_reg[p.reg];
		c->in_reg[p.reg] = (uint16_t)v;
	} else if (p.kind == PLACE_SLOT) {
		if (c->value[v].home.kind != PLACE_SLOT)
			c->in_memory[c->in_memory_count++] = (uint16_t)v;
		c->value[v].home = p;
	} else if (p.kind == PLACE_MEM) {
		c->pending_mem = (uint16_t)v;
	}
}

void place_slot(struct x64_compiler *c, unsigned v, uint32_t offset, unsigned size)
{
	place_set(c, v,
		  (struct place){ .kind = PLACE_SLOT, .valid = (uint8_t)size, .imm = offset });
}

struct x64_rm place_new_tmp(struct x64_compiler *c, struct place *p)
{
	if (unlikely(c->next_tmp >= JIT_TMP_COUNT)) {
		c->is_full = true;
		c->next_tmp = 0;
	}
	*p = place_of(PLACE_TMP, 0, 8, c->next_tmp++);
	return tmp_rm(c, p->imm);
}

/* ---- out of the way ---- */

static bool must_stay(const struct x64_compiler *c, unsigned v, bool too)
{
	return c->plan[v].last_use > c->pos || (too && c->plan[v].last_use == c->pos);
}

/* Does memory have all of v that its register has? */
static bool has_home(const struct x64_compiler *c, unsigned v)
{
	return c->value[v].home.kind != PLACE_NONE &&
	       c->value[v].home.valid >= c->value[v].at.valid;
}

/* v lies in memory at p too, for as long as it is asked for, or (a slot) until it is stored to. */
static void set_home(struct x64_compiler *c, unsigned v, struct place p)
{
	if (c->value[v].home.kind == PLACE_SLOT && p.kind != PLACE_SLOT) {
		/* Its entry in the list goes with the next look at it. */
		return;
	}
	if (p.kind == PLACE_SLOT && c->value[v].home.kind != PLACE_SLOT)
		c->in_memory[c->in_memory_count++] = (uint16_t)v;
	c->value[v].home = p;
}

void place_stored(struct x64_compiler *c, unsigned v, uint32_t offset)
{
	if (c->value[v].home.kind == PLACE_NONE)
		set_home(c, v, (struct place){ .kind = PLACE_SLOT, .valid = 8, .imm = offset });
}

/* AH to BH: v's own byte of the copy of its register in tmp. */
static __attribute__((cold)) void evict_high(struct x64_compiler *c, unsigned v, struct place tmp)
{
	unsigned reg = c->value[v].at.reg;
	struct x64_rm m = tmp_rm(c, tmp.imm), to;
	struct place high;

	m.disp += 1;
	to = place_new_tmp(c, &high);
	/* through the stack: no register is free here */
	x64_push(&c->a, reg);
	x64_movzx(&c->a, 1, reg, m);
	x64_mov_to(&c->a, 8, to, reg);
	x64_pop(&c->a, reg);
	place_set(c, v, high);
	c->value[v].home = high;
}

/* v, which must stay, to memory; tmp: where its register has been copied to, or NONE. */
static void evict(struct x64_compiler *c, unsigned v, struct place *tmp)
{
	struct place p = c->value[v].at;

	if (v >= IR_MAX_OPS) {
		group_evict(c, v);
		return;
	}
	if (has_home(c, v)) {
		place_set(c, v, c->value[v].home);
		return;
	}
	if (tmp->kind == PLACE_NONE) {
		struct x64_rm m = place_new_tmp(c, tmp);

		x64_store(&c->a, 8, P, m.disp, p.reg);
	}
	if (p.kind == PLACE_HIGH) {
		evict_high(c, v, *tmp);
		return;
	}
	p = place_of(PLACE_TMP, 0, p.valid, tmp->imm);
	place_set(c, v, p);
	set_home(c, v, p);
}

static __attribute__((noinline)) void evict_all(struct x64_compiler *c, unsigned reg, bool too)
{
	struct place tmp = { 0 };

	uint16_t *at = &c->in_reg[reg];

	for (unsigned v = *at; v; v = *at) {
		bool stays = must_stay(c, v, too);

		if (!stays && c->plan[v].last_use == c->pos) {
			at = &c->plan[v].next_in_reg;
			continue;
		}
		*at = c->plan[v].next_in_reg;
		if (stays)
			evict(c, v, &tmp);
		else
			c->value[v].at = (struct place){ 0 };
	}
}

/* Mostly all of them have been asked for the last time. */
void place_evict_some(struct x64_compiler *c, unsigned reg, bool too)
{
	unsigned v;

	for (v = c->in_reg[reg]; v && c->plan[v].last_use < c->pos; v = c->in_reg[reg]) {
		c->in_reg[reg] = c->plan[v].next_in_reg;
		c->value[v].at = (struct place){ 0 };
	}
	/* What is asked for the last time now stays where it is, if it need not go. */
	if (v && (too || is_live(c, v) || c->plan[v].next_in_reg))
		evict_all(c, reg, too);
}

void place_evict_slot(struct x64_compiler *c, uint32_t offset, unsigned bytes)
{
	unsigned kept = 0;

	for (unsigned n = 0; n < c->in_memory_count; n++) {
		unsigned v = c->in_memory[n];
		struct place p = c->value[v].at, home, tmp;
		struct x64_rm to;

		home = c->value[v].home;
		if (home.kind != PLACE_SLOT)
			continue;
		if (is_live(c, v) &&
		    (home.imm >= offset + bytes || offset >= home.imm + home.valid)) {
			c->in_memory[kept++] = (uint16_t)v;
			continue;
		}
		c->value[v].home = (struct place){ 0 };
		if (p.kind != PLACE_SLOT || !is_live(c, v))
			continue;
		/* No register need be free: RAX lends itself. */
		to = place_new_tmp(c, &tmp);
		tmp.valid = p.valid;
		x64_push(&c->a, X64_RAX);
		if (p.valid == 8)
			x64_mov(&c->a, 8, X64_RAX, state(c, p.imm));
		else
			x64_movzx(&c->a, p.valid, X64_RAX, state(c, p.imm));
		x64_mov_to(&c->a, 8, to, X64_RAX);
		x64_pop(&c->a, X64_RAX);
		place_set(c, v, tmp);
		c->value[v].home = tmp;
	}
	c->in_memory_count = kept;
}

void place_settle(struct x64_compiler *c, unsigned v)
{
	unsigned m = c->pending_mem;
	struct x64_rm at;
	unsigned size;

	if (!m || m == v)
		return;
	size = c->value[m].at.valid;
	if (c->plan[m].last_use < c->pos) {
		place_set(c, m, (struct place){ 0 });
		return;
	}
	at = x64_m(S0, (int32_t)c->value[m].at.imm);
	place_evict(c, S0, true);
	if (size == 8)
		x64_mov(&c->a, 8, S0, at);
	else
		x64_movzx(&c->a, size, S0, at);
	place_reg(c, m, S0, 8);
}

void place_empty_scratch(struct x64_compiler *c, bool too)
{
	place_settle(c, 0);
	place_evict(c, S0, too);
	place_evict(c, S1, too);
}

void place_evict_state(struct x64_compiler *c)
{
	place_evict_scratch(c, false);
	for (unsigned r = 0; r < 16; r++)
		place_evict(c, r, false);
	place_evict_slot(c, 0, UINT32_MAX);
}

static bool has_live(const struct x64_compiler *c, unsigned reg)
{
	for (unsigned v = c->in_reg[reg]; v; v = c->plan[v].next_in_reg)
		if (c->plan[v].last_use >= c->pos)
			return true;
	return false;
}

static bool is_idle(const struct x64_compiler *c, unsigned reg)
{
	if (reg == S0 && c->pending_mem && c->plan[c->pending_mem].last_use >= c->pos)
		return false;
	return !has_live(c, reg);
}

unsigned place_scratch(struct x64_compiler *c, unsigned avoid)
{
	unsigned reg = avoid & 1u << S1 ? S0 : S1;

	assert((avoid & SCRATCH) != SCRATCH);
	if (!(avoid & 1u << S0) && reg == S1 && !is_idle(c, S1) && is_idle(c, S0))
		reg = S0;
	if (reg == S0)
		place_settle(c, 0);
	place_evict(c, reg, true);
	return reg;
}

/* ---- reading ---- */

bool place_is_imm(const struct x64_compiler *c, unsigned v, unsigned size, int64_t *imm)
{
	const struct ir_op *op = op_at(c, v);
	int64_t x;

	if (op->code != IR_CONST)
		return false;
	x = (int64_t)op->imm;
	if (size < 8)
		x = size == 4 ? (int32_t)x : size == 2 ? (int16_t)x : (int8_t)x;
	*imm = x;
	return x64_fits32(x);
}

bool place_uses_reg(const struct x64_compiler *c, unsigned v, unsigned reg)
{
	const struct place *p = &c->value[v].at;
	const struct ir_op *op = op_at(c, v);

	switch (p->kind) {
	case PLACE_REG:
	case PLACE_HIGH: return p->reg == reg;
	case PLACE_MEM: return reg == S0;
	case PLACE_LAZY:
		if (op->code == IR_PC)
			return false;
		return (op->a && place_uses_reg(c, op->a, reg)) ||
		       (!ir_has_imm(op) && op->b && place_uses_reg(c, op->b, reg));
	default: return false;
	}
}

/* To a scratch register; one of the guest lends itself.  EFLAGS stay. */
static __attribute__((cold)) void add_far(struct x64_compiler *c, unsigned reg, uint64_t v)
{
	struct place saved;
	struct x64_rm to = place_new_tmp(c, &saved);

	x64_mov_to(&c->a, 8, to, X64_RCX);
	x64_mov_ri(&c->a, X64_RCX, v);
	x64_lea(&c->a, 8, reg, x64_mx(reg, X64_RCX, 0, 0));
	x64_mov(&c->a, 8, X64_RCX, to);
}

/* One of m's own scratch registers that the caller does not keep (avoid), to be written when m is
 * read; or X64_NO_REG. */
static unsigned own_scratch(struct x64_compiler *c, struct x64_rm m, unsigned avoid)
{
	unsigned own = x64_rm_mask(m) & SCRATCH & ~avoid;
	unsigned reg = own & 1u << S1 ? S1 : S0;

	if (!own)
		return X64_NO_REG;
	place_evict(c, reg, true);
	return reg;
}

/* A displacement of 64 bits, in a register of its own where the caller leaves one (not in avoid):
 * the sum of base and index takes the other. */
static __attribute__((cold)) struct x64_rm far_address(struct x64_compiler *c,
						       const struct ir_op *op, unsigned base,
						       unsigned index, unsigned avoid)
{
	unsigned taken = avoid | (base < 16 ? 1u << base : 0), reg;

	if (index != X64_NO_REG) {
		struct x64_rm m = x64_mx(base, index, op->code == IR_ADD ? 0 : op->c, 0);

		reg = own_scratch(c, m, avoid);
		if (reg == X64_NO_REG)
			reg = place_scratch(c, avoid);
		x64_lea(&c->a, 8, reg, m);
		base = reg;
		taken = avoid | 1u << base;
	}
	if (is_scratch(base) && (taken & SCRATCH) == SCRATCH) {
		place_evict(c, base, true);
		add_far(c, base, op->imm);
		return x64_m(base, 0);
	}
	reg = place_scratch(c, taken);
	x64_mov_ri(&c->a, reg, op->imm);
	return base == X64_NO_REG ? x64_m(reg, 0) : x64_mx(base, reg, 0, 0);
}

/* Zero-extended to 8 bytes. */
static void copy_zero(struct x64_compiler *c, unsigned reg, struct place p)
{
	struct x64_rm m;

	switch (p.kind) {
	case PLACE_REG:
		if (p.valid == 8) {
			if (p.reg != reg)
				x64_mov_rr(&c->a, 8, reg, p.reg);
			return;
		}
		m = x64_r(p.reg);
		break;
	case PLACE_HIGH:
		/* AH has no name beside a register above 7. */
		x64_rorx(&c->a, 4, reg, x64_r(p.reg), 8);
		x64_movzx(&c->a, 1, reg, x64_r(reg));
		return;
	case PLACE_SLOT: m = state(c, p.imm); break;
	case PLACE_TMP: m = tmp_rm(c, p.imm); break;
	default: m = x64_m(S0, (int32_t)p.imm); break;
	}
	if (p.valid == 8 || (p.valid == 4 && p.kind != PLACE_REG))
		x64_load(&c->a, p.valid, reg, m.base, m.disp);
	else
		x64_movzx(&c->a, p.valid, reg, m);
}

/* Base and index with no scratch register left for the index: their sum in base's, which is one; a
 * register of the guest lends itself.  EFLAGS stay. */
static __attribute__((cold)) unsigned sum_in_base(struct x64_compiler *c, const struct ir_op *op,
						  unsigned base)
{
	unsigned lent = base == X64_RCX ? X64_RDX : X64_RCX;
	struct place saved, p = c->value[op->b].at;
	struct x64_rm to = place_new_tmp(c, &saved);

	place_evict(c, base, true);
	x64_mov_to(&c->a, 8, to, lent);
	if (p.kind == PLACE_CONST)
		x64_mov_ri(&c->a, lent, op_at(c, op->b)->imm);
	else
		copy_zero(c, lent, p);
	x64_lea(&c->a, 8, base, x64_mx(base, lent, op->code == IR_ADD ? 0 : op->c, 0));
	x64_mov(&c->a, 8, lent, to);
	return base;
}

static bool needs_scratch(const struct x64_compiler *c, unsigned v, unsigned size)
{
	return c->value[v].at.kind != PLACE_REG || c->value[v].at.valid < size;
}

/* LEA and ADD as one x64 address; what is not in a register is brought to one not in avoid. */
static struct x64_rm lazy_address(struct x64_compiler *c, const struct ir_op *op, unsigned avoid)
{
	bool is_sum = op->code == IR_ADD;
	bool has_index = is_sum ? !ir_has_imm(op) : op->b != IR_NONE;
	bool is_far = (!is_sum || ir_has_imm(op)) && !x64_fits32((int64_t)op->imm);
	int32_t disp = is_far || (is_sum && !ir_has_imm(op)) ? 0 : (int32_t)op->imm;
	unsigned size = ir_size(op), base = X64_NO_REG, index = X64_NO_REG, kept = avoid;
	int64_t imm;

	/* What is itself computed late comes first: it may need both scratch registers. */
	if (has_index && c->value[op->b].at.kind == PLACE_LAZY)
		place_in_reg(c, op->b, size, avoid);
	if (op->a && !(place_is_imm(c, op->a, 8, &imm) && x64_fits32(imm + disp))) {
		base = place_in_reg(c, op->a, size, avoid);
		avoid |= 1u << base;
	} else if (op->a) {
		disp += (int32_t)imm;
	}
	if (has_index && is_scratch(base) && (avoid & SCRATCH) == SCRATCH &&
	    needs_scratch(c, op->b, size)) {
		base = sum_in_base(c, op, base);
		has_index = false;
	} else if (has_index) {
		index = place_in_reg(c, op->b, size, avoid);
	}
	if (is_far)
		return far_address(c, op, base, index, kept);
	if (!has_index)
		return x64_m(base, disp);
	return x64_mx(base, index, is_sum ? 0 : op->c, disp);
}

/* A value plus a constant? */
static bool is_step(const struct ir_op *op)
{
	return ir_size(op) == 8 && op->a &&
	       ((op->code == IR_ADD && ir_has_imm(op)) || (op->code == IR_LEA && !op->b));
}

/* v's operation; steps from what is not computed either are one. */
static struct ir_op folded(const struct x64_compiler *c, unsigned v)
{
	const struct ir_op *op = op_at(c, v), *last = op;
	uint64_t imm = op->imm;

	while (is_step(last) && c->value[last->a].at.kind == PLACE_LAZY &&
	       is_step(op_at(c, last->a))) {
		last = op_at(c, last->a);
		imm += last->imm;
	}
	return (struct ir_op){ op->code, op->form, last->a, op->b, op->c, imm };
}

static __attribute__((noinline)) struct x64_rm any_address(struct x64_compiler *c, unsigned v,
							   unsigned avoid)
{
	struct ir_op op = folded(c, v);

	return lazy_address(c, &op, avoid);
}

struct x64_rm place_address(struct x64_compiler *c, unsigned v, unsigned avoid)
{
	const struct ir_op *op = op_at(c, v);
	unsigned base = c->value[op->a].at.reg;

	if (!place_has(c, op->a, 8) || !x64_fits32((int64_t)op->imm))
		return any_address(c, v, avoid);
	if (is_step(op))
		return x64_m(base, (int32_t)op->imm);
	if (op->code == IR_LEA && place_has(c, op->b, 8))
		return x64_mx(base, c->value[op->b].at.reg, op->c, (int32_t)op->imm);
	return any_address(c, v, avoid);
}

unsigned place_force(struct x64_compiler *c, unsigned v, unsigned reg, unsigned avoid)
{
	const struct ir_op *op = op_at(c, v);

	if (op->code == IR_PC) {
		if (reg == X64_NO_REG)
			reg = place_scratch(c, avoid);
		lower_pc(c, reg, (int64_t)op->imm);
		if (ir_size(op) < 8)
			x64_movzx(&c->a, ir_size(op), reg, x64_r(reg));
	} else {
		struct x64_rm m = place_address(c, v, avoid);

		if (reg == X64_NO_REG) {
			bool s0_free = !(avoid & 1u << S0) && is_idle(c, S0);

			reg = own_scratch(c, m, avoid);
			if (reg == X64_NO_REG)
				reg = s0_free ? S0 : place_scratch(c, avoid);
		} else if (is_scratch(reg)) {
			place_evict(c, reg, true); /* operands that were just brought there */
		}
		x64_lea(&c->a, ir_size(op) < 4 ? 4 : ir_size(op), reg, m);
		if (ir_size(op) < 4)
			x64_movzx(&c->a, ir_size(op), reg, x64_r(reg));
	}
	return reg;
}

struct x64_rm place_rm(struct x64_compiler *c, unsigned v, unsigned size, unsigned avoid)
{
	struct place p = c->value[v].at;
	struct x64_rm m;
	unsigned reg;

	switch (p.kind) {
	case PLACE_REG:
		if (p.valid >= size)
			return x64_r(p.reg);
		break;
	case PLACE_SLOT:
	case PLACE_TMP:
		m = p.kind == PLACE_SLOT ? state(c, p.imm) : tmp_rm(c, p.imm);
		if (p.valid >= size)
			return m;
		break;
	case PLACE_MEM:
		if (p.valid >= size && !is_live(c, v) && !(avoid & 1u << S0))
			return x64_m(S0, (int32_t)p.imm);
		break;
	default: break;
	}
	reg = place_in_reg(c, v, size, avoid);
	return x64_r(reg);
}

unsigned place_bring(struct x64_compiler *c, unsigned v, unsigned avoid)
{
	struct place p = c->value[v].at;
	unsigned reg;

	if (p.kind == PLACE_CONST) {
		const struct ir_op *op = op_at(c, v);

		reg = place_scratch(c, avoid);
		x64_mov_ri(&c->a, reg, ir_size(op) < 8 ? (uint32_t)op->imm : op->imm);
		return reg;
	}
	if (p.kind == PLACE_LAZY) {
		reg = place_force(c, v, X64_NO_REG, avoid);
		place_reg(c, v, reg, 8);
		return reg;
	}
	if (p.kind == PLACE_MEM) {
		/* S0, unless it goes on being somebody's host pointer */
		reg = S0;
		if (avoid & 1u << S0)
			reg = place_scratch(c, avoid);
		else if (has_live(c, S0) && !(avoid & 1u << S1))
			reg = place_scratch(c, avoid | 1u << S0);
		else
			place_evict(c, S0, true);
		copy_zero(c, reg, p);
		place_reg(c, v, reg, 8);
		return reg;
	}
	if (p.kind == PLACE_REG && (p.reg == S0 || p.reg == S1) && !(avoid & 1u << p.reg)) {
		place_evict(c, p.reg, true); /* others may be wider */
		copy_zero(c, p.reg, p);
		place_reg(c, v, p.reg, 8);
		return p.reg;
	}
	if (p.kind == PLACE_TMP)
		set_home(c, v, p);
	reg = place_scratch(c, avoid);
	copy_zero(c, reg, p);
	place_reg(c, v, reg, 8);
	return reg;
}

void place_widen(struct x64_compiler *c, unsigned v, unsigned size)
{
	const struct place *p = &c->value[v].at;
	unsigned reg = place_in_reg(c, v, size, 0);

	if (p->kind != PLACE_REG || p->reg != reg)
		place_reg(c, v, reg, 8);
}

/* To the low bytes of a register whose others stay, what is less than that: by way of memory. */
static __attribute__((cold)) void copy_part(struct x64_compiler *c, unsigned reg, struct place p,
					    unsigned size)
{
	struct place tmp;
	struct x64_rm m = place_new_tmp(c, &tmp), high;

	if (p.kind == PLACE_HIGH) {
		x64_mov_to(&c->a, 8, m, p.reg);
		m.disp += 1;
		high = m;
		high.disp += 1;
		if (size > 1)
			x64_mov_i(&c->a, 1, high, 0);
	} else if (p.kind == PLACE_REG) {
		x64_mov_i(&c->a, 4, m, 0);
		x64_mov_to(&c->a, p.valid, m, p.reg);
	} else {
		x64_push(&c->a, S1);
		copy_zero(c, S1, p);
		x64_mov_to(&c->a, 8, m, S1);
		x64_pop(&c->a, S1);
	}
	x64_mov(&c->a, size, reg, m);
}

/* No other register changes, nor do EFLAGS, unless v is lazy. */
void place_copy(struct x64_compiler *c, unsigned reg, unsigned v, unsigned size, bool zero)
{
	struct place p = c->value[v].at;
	bool whole = zero || size >= 4 || reg == S0 || reg == S1; /* all of reg may change */

	if (p.kind == PLACE_CONST) {
		uint64_t x = op_at(c, v)->imm;

		if (size < 8)
			x &= ~UINT64_C(0) >> (64 - 8 * size);
		if (zero || size >= 4)
			x64_mov_ri(&c->a, reg, x);
		else
			x64_mov_i(&c->a, size, x64_r(reg), (int32_t)x);
		return;
	}
	if (p.kind == PLACE_LAZY && size >= 4) {
		const struct ir_op *op = op_at(c, v);

		place_force(c, v, reg, 0);
		if (size < ir_size(op))
			x64_movzx(&c->a, size, reg, x64_r(reg));
		return;
	}
	if (p.kind == PLACE_LAZY) {
		place_in_reg(c, v, size, reg < 16 ? 1u << reg : 0);
		p = c->value[v].at;
	}
	if (whole && (zero || size == 8 || p.kind == PLACE_HIGH || p.valid < size)) {
		p.valid = p.valid < size ? p.valid : (uint8_t)size;
		copy_zero(c, reg, p);
	} else if (p.kind == PLACE_HIGH || p.valid < size) {
		copy_part(c, reg, p, size);
	} else {
		struct x64_rm m = p.kind == PLACE_REG    ? x64_r(p.reg)
				  : p.kind == PLACE_SLOT ? state(c, p.imm)
				  : p.kind == PLACE_TMP  ? tmp_rm(c, p.imm)
							 : x64_m(S0, (int32_t)p.imm);

		if (m.kind != X64_RM_REG || m.base != reg)
			x64_mov(&c->a, size, reg, m);
	}
}
