/* jit/x64/lower_flags.c - flags as values, and where they go when a block is left.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

/* Does only env know these flags? */
static bool is_in_env(const struct x64_compiler *c, unsigned f)
{
	return op_at(c, f)->code == IR_FLAGS_GET;
}

unsigned flags_at_fault(const struct x64_compiler *c, unsigned i)
{
	unsigned f = c->ir->insns[c->plan[i].insn].flags_op;

	f = f ? f : c->slot_flags;
	return f == c->env_flags ? 0 : f;
}

/* ---- telling env ---- */

/* Of logic, whose carry is told with the kind: clear. */
static bool has_no_carry(uint32_t kind)
{
	unsigned code = kind & 0xff;

	BUILD_ASSERT(IR_OR > IR_AND && IR_XOR > IR_OR && IR_ANDN == IR_AND + 3);
	return kind >> 16 == FORM_R && code >= IR_AND && code <= IR_ANDN;
}

static void capture(struct x64_compiler *c, unsigned v, struct arg *out)
{
	const struct ir_op *op = op_at(c, v);

	out->is_imm = op->code == IR_CONST;
	out->valid = 8;
	if (out->is_imm) {
		out->imm = op->imm;
		return;
	}
	if (c->value[v].at.kind == PLACE_REG)
		out->rm = x64_r(c->value[v].at.reg);
	else if (c->value[v].at.kind == PLACE_LAZY || c->value[v].at.kind == PLACE_HIGH ||
		 c->value[v].at.kind == PLACE_MEM)
		out->rm = x64_r(place_in_reg(c, v, 1, 0));
	else
		out->rm = place_rm(c, v, c->value[v].at.valid, 0);
}

static void capture_place(struct x64_compiler *c, struct place p, struct arg *out)
{
	*out = (struct arg){ .valid = 8, .rm = tmp_rm(c, p.imm) };
}

static void capture_once(struct x64_compiler *c, unsigned f, struct record *r)
{
	const struct ir_op *op = op_at(c, f);
	enum recipe_form form = lower_form(c, f);

	r->has_b = r->has_c = false;
	if (c->value[f].bits.kind != PLACE_NONE) {
		r->kind = recipe_kind(IR_FLAGS_OF, 2, FORM_AB);
		capture_place(c, c->value[f].bits, &r->a);
		return;
	}
	r->kind = recipe_kind(op->code, ir_size_log2(op), form);
	capture(c, form == FORM_AB ? op->a : f, &r->a);
	if (form != FORM_R && (ir_has_imm(op) || ir_operand_is_value(op, 1))) {
		r->has_b = true;
		if (ir_has_imm(op))
			r->b = (struct arg){ .is_imm = true, .valid = 8, .imm = op->imm };
		else
			capture(c, op->b, &r->b);
	}
	if (c->value[f].carry.kind == PLACE_TMP) { /* else it is where it belongs */
		r->has_c = true;
		capture_place(c, c->value[f].carry, &r->c);
	}
}

static void capture_record(struct x64_compiler *c, unsigned f, struct record *r)
{
	const uint8_t *at = c->a.at;

	capture_once(c, f, r);
	if (c->a.at != at) /* the second operand may have moved the first */
		capture_once(c, f, r);
}

static bool arg_is_memory(const struct arg *a) { return !a->is_imm && a->rm.kind != X64_RM_REG; }

/* To 8 bytes of env. */
static void store_arg(struct x64_compiler *c, const struct arg *a, const struct x64_cell *to,
		      unsigned scratch)
{
	if (!a->is_imm && a->rm.kind == X64_RM_REG) {
		x64_store_cell(&c->a, 8, to, a->rm.base);
		return;
	}
	if (a->is_imm && x64_fits32((int64_t)a->imm)) {
		x64_store_cell_i(&c->a, 8, to, (int32_t)a->imm);
		return;
	}
	if (a->is_imm)
		x64_mov_ri(&c->a, scratch, a->imm);
	else
		x64_mov(&c->a, 8, scratch, a->rm);
	x64_store_cell(&c->a, 8, to, scratch);
}

static bool arg_needs_scratch(const struct arg *a)
{
	return arg_is_memory(a) || (a->is_imm && !x64_fits32((int64_t)a->imm));
}

static unsigned arg_mask(const struct arg *a)
{
	return !a->is_imm && a->rm.kind == X64_RM_REG ? 1u << a->rm.base : 0;
}

/* Registers first: the scratch register may be one of them. */
static void emit_record(struct x64_compiler *c, const struct record *r, unsigned scratch)
{
	const struct x64_pieces *piece = &c->jit->piece;
	bool a_waits = arg_needs_scratch(&r->a), b_waits = r->has_b && arg_needs_scratch(&r->b);

	x64_store_cell_i(&c->a, has_no_carry(r->kind) ? 8 : 4, &piece->flags_kind,
			 (int32_t)r->kind);
	if (!a_waits)
		store_arg(c, &r->a, &piece->flags_a, scratch);
	if (r->has_b && !b_waits)
		store_arg(c, &r->b, &piece->flags_b, scratch);
	if (a_waits)
		store_arg(c, &r->a, &piece->flags_a, scratch);
	if (b_waits)
		store_arg(c, &r->b, &piece->flags_b, scratch);
	if (r->has_c) {
		x64_mov(&c->a, 4, scratch, r->c.rm);
		x64_mov_to(&c->a, 4, ENV(c, flags_c), scratch);
	}
}

/* What only env knew and somebody still wants is kept. */
static void keep_env_flags(struct x64_compiler *c, unsigned f)
{
	unsigned old = c->env_flags;

	if (old && old != f && is_in_env(c, old) && c->plan[old].flags_last >= c->pos &&
	    c->value[old].bits.kind == PLACE_NONE)
		flags_bits(c, old);
}

void flags_keep_env(struct x64_compiler *c) { keep_env_flags(c, 0); }

/* What recipes have in env->flags_c goes to a temporary, before another's goes there. */
static __attribute__((cold)) void evict_kept(struct x64_compiler *c)
{
	struct place p = { 0 };

	for (unsigned f = 1; c->has_kept && f < c->pos; f++) {
		if (c->value[f].carry.kind != PLACE_SLOT || c->plan[f].flags_last < c->pos)
			continue;
		if (p.kind == PLACE_NONE) {
			unsigned reg = place_scratch(c, 0);

			x64_mov(&c->a, 4, reg, ENV(c, flags_c));
			x64_mov_to(&c->a, 8, place_new_tmp(c, &p), reg);
		}
		c->value[f].carry = p;
	}
	c->has_kept = false;
}

void flags_record(struct x64_compiler *c, unsigned f)
{
	struct record r;
	unsigned scratch = S0;

	if (!f || c->env_flags == f)
		return;
	if (is_in_env(c, f) && c->value[f].bits.kind == PLACE_NONE)
		return; /* env was never told anything else */
	keep_env_flags(c, f);
	if (c->value[f].carry.kind != PLACE_SLOT)
		evict_kept(c);
	capture_record(c, f, &r);
	if (arg_needs_scratch(&r.a) || (r.has_b && arg_needs_scratch(&r.b)) || r.has_c) {
		unsigned taken = arg_mask(&r.a) | (r.has_b ? arg_mask(&r.b) : 0);

		scratch = place_scratch(c, (taken & SCRATCH) == SCRATCH ? 1u << S1 : taken);
		capture_record(c, f, &r); /* that may have moved an operand */
	}
	emit_record(c, &r, scratch);
	c->env_flags = (uint16_t)f;
	c->is_synced = false;
}

void flags_record_later(struct x64_compiler *c, unsigned f, struct record *r)
{
	r->kind = 0;
	if (f && c->env_flags != f && (!is_in_env(c, f) || c->value[f].bits.kind != PLACE_NONE))
		capture_record(c, f, r);
}

static bool arg_is_in(const struct arg *a, unsigned reg)
{
	return !a->is_imm && a->rm.kind == X64_RM_REG && a->rm.base == reg;
}

void stub_record(struct x64_compiler *c, const struct record *r)
{
	if (!r->kind) /* there is no more of it */
		return;
	emit_record(c, r, arg_is_in(&r->a, S0) || (r->has_b && arg_is_in(&r->b, S0)) ? S1 : S0);
}

static __attribute__((cold)) void call_sync(struct x64_compiler *c)
{
	if (c->is_synced)
		return;
	place_evict_scratch(c, true);
	x64_call_at(&c->a, c->jit->thunk.sync);
	flags_lost(c);
	c->is_synced = true;
}

/* ---- sites ---- */

static struct site_place site_place(struct x64_compiler *c, unsigned v)
{
	const struct ir_op *op = op_at(c, v);
	struct place p = c->value[v].at;
	struct site_place s = { .kind = p.kind, .reg = p.reg, .at = (uint16_t)p.imm };

	if (op->code != IR_CONST)
		return s;
	if (unlikely(c->constant_count >= LOWER_SITES)) {
		c->is_full = true;
		return s;
	}
	c->constants[c->constant_count] = op->imm;
	return (struct site_place){ .kind = PLACE_CONST, .at = (uint16_t)c->constant_count++ };
}

static struct site_place site_imm(struct x64_compiler *c, uint64_t imm)
{
	if (unlikely(c->constant_count >= LOWER_SITES)) {
		c->is_full = true;
		return (struct site_place){ 0 };
	}
	c->constants[c->constant_count] = imm;
	return (struct site_place){ .kind = PLACE_CONST, .at = (uint16_t)c->constant_count++ };
}

static struct site_place site_tmp(struct place p)
{
	return (struct site_place){ .kind = PLACE_TMP, .at = (uint16_t)p.imm };
}

static struct site_place site_carry(struct place p)
{
	return (struct site_place){ .kind = p.kind, .at = (uint16_t)p.imm };
}

/* What f is made of, for C. */
void flags_site_of(struct x64_compiler *c, unsigned f, struct x64_site *site)
{
	const struct ir_op *op = op_at(c, f);
	enum recipe_form form = lower_form(c, f);

	if (c->value[f].bits.kind != PLACE_NONE) {
		site->kind = recipe_kind(IR_FLAGS_OF, 2, FORM_AB);
		site->a = site_tmp(c->value[f].bits);
		return;
	}
	if (is_in_env(c, f))
		return;
	site->kind = recipe_kind(op->code, ir_size_log2(op), form);
	site->a = site_place(c, form == FORM_AB ? op->a : f);
	if (form != FORM_R && ir_has_imm(op))
		site->b = site_imm(c, op->imm);
	else if (form != FORM_R && ir_operand_is_value(op, 1))
		site->b = site_place(c, op->b);
	if (c->value[f].carry.kind != PLACE_NONE)
		site->c = site_carry(c->value[f].carry);
}

void flags_site(struct x64_compiler *c, unsigned i, struct x64_site *site)
{
	unsigned f = flags_at_fault(c, i);

	site->kind = 0;
	if (f)
		flags_site_of(c, f, site);
}

bool flags_wanted(const struct x64_compiler *c, unsigned i) { return flags_at_fault(c, i); }

void flags_before_call(struct x64_compiler *c, unsigned i)
{
	flags_record(c, flags_at_fault(c, i));
}

void flags_sync_slot(struct x64_compiler *c)
{
	flags_record(c, c->slot_flags);
	call_sync(c);
}

/* ---- all six as a value ---- */

/* Does the host's own instruction, done again, give all six? */
static bool host_knows_all(const struct x64_compiler *c, unsigned f)
{
	switch (op_at(c, f)->code) {
	case IR_ADD:
	case IR_SUB:
	case IR_ADC:
	case IR_SBB:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_NEG: return c->value[f].bits.kind == PLACE_NONE;
	default: return false;
	}
}

static bool is_logic(const struct ir_op *op)
{
	return op->code == IR_AND || op->code == IR_OR || op->code == IR_XOR;
}

/* By the host. */
static __attribute__((cold)) void bits_again(struct x64_compiler *c, unsigned f, struct x64_rm to)
{
	/* A of logic is undefined for the host, and 0 here. */
	uint32_t mask = IR_FLAGS_ALL & ~(is_logic(op_at(c, f)) ? (unsigned)IR_A : 0u);
	unsigned reg;

	if (c->eflags != f || c->eflags_mask != IR_FLAGS_ALL)
		flags_again(c, f, IR_FLAGS_ALL);
	reg = place_scratch(c, 0);
	x64_pushf(&c->a);
	x64_pop(&c->a, reg);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), (int32_t)mask);
	x64_mov_to(&c->a, 8, to, reg);
}

/* By the thunks: from env, or by C, which finds the recipe with the place of the call. */
static __attribute__((cold)) void bits_by_thunk(struct x64_compiler *c, unsigned f,
						struct x64_rm to)
{
	struct x64_site site = { 0 };

	place_evict_scratch(c, true);
	if (is_in_env(c, f)) {
		x64_call_at(&c->a, c->jit->thunk.env_bits);
	} else {
		flags_site_of(c, f, &site);
		x64_call_at(&c->a, c->jit->thunk.bits);
		site_add(c, c->pos, &site);
	}
	x64_mov_to(&c->a, 8, to, S0);
}

struct x64_rm flags_bits(struct x64_compiler *c, unsigned f)
{
	const struct ir_op *op = op_at(c, f);
	struct x64_rm to;
	struct place p;

	if (c->value[f].bits.kind != PLACE_NONE)
		return tmp_rm(c, c->value[f].bits.imm);
	if (op->code == IR_FLAGS_OF)
		return x64_r(place_in_reg(c, op->a, 2, 0));
	to = place_new_tmp(c, &p);
	if (host_knows_all(c, f))
		bits_again(c, f, to);
	else
		bits_by_thunk(c, f, to);
	flags_lost(c);
	c->value[f].bits = p;
	return to;
}

/* ---- what an operation takes from the flags of before ---- */

/* As one store, which a load behind it can have at once. */
void flags_carry_to_tmp(struct x64_compiler *c, struct place *p)
{
	unsigned reg = place_scratch(c, 0);

	x64_setcc(&c->a, X64_CC_B, x64_r(reg));
	x64_movzx(&c->a, 1, reg, x64_r(reg));
	x64_mov_to(&c->a, 8, place_new_tmp(c, p), reg);
}

struct x64_rm flags_kept(const struct x64_compiler *c, unsigned f)
{
	const struct place *p = &c->value[f].carry;

	return p->kind == PLACE_TMP ? tmp_rm(c, p->imm) : state(c, p->imm);
}

static bool is_step(const struct ir_op *op) { return op->code == IR_INC || op->code == IR_DEC; }

enum x64_cc flags_emit_has_carry(struct x64_compiler *c)
{
	struct x64_rm form = ENV(c, flags_kind);

	form.disp += 2;
	x64_alu_i(&c->a, X64_CMP, 1, form, FORM_R);
	return X64_CC_NE;
}

/* Only env knows it: it stays there.  Loops that end with INC or DEC, or a call of what ends with
 * logic, begin with flags that have it in flags_c already. */
static __attribute__((cold)) void keep_of_env(struct x64_compiler *c, unsigned i)
{
	struct stub *s;

	place_evict_scratch(c, true);
	s = stub_new(c, STUB_KEEP, i);
	x64_jcc(&c->a, flags_emit_has_carry(c), &s->in);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
}

/* Can somebody behind op i ask for what env knows?  What it knew before the block is asked for
 * without a name. */
static bool is_env_wanted(const struct x64_compiler *c, unsigned i)
{
	unsigned f = flags_at_fault(c, i);

	if (c->plan[c->env_flags].flags_last > c->pos)
		return true;
	if ((c->env_flags && !is_in_env(c, c->env_flags)) || (f && !is_in_env(c, f)))
		return false;
	for (unsigned k = i + 1; k < insn_end(c, c->plan[i].insn); k++)
		if (ir_may_leave(op_at(c, k)))
			return true;
	return false;
}

/* INC and DEC have it in flags_c, if nobody can ask for what env knows any more. */
static bool keep_in_env(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned f = lower_merge_source(c, op->c, IR_C);

	if (!is_step(op))
		return false;
	if (is_step(op_at(c, f)) && c->value[f].carry.kind == PLACE_SLOT) {
		c->value[i].carry = c->value[f].carry;
		return true;
	}
	if (is_in_env(c, f) && c->value[f].bits.kind == PLACE_NONE) {
		evict_kept(c);
		keep_of_env(c, i);
	} else if (!c->plan[i].modify && !is_env_wanted(c, i)) {
		evict_kept(c);
		flags_carry(c, op->c);
		x64_setcc(&c->a, X64_CC_B, ENV(c, flags_c));
	} else {
		return false;
	}
	c->value[i].carry = (struct place){ .kind = PLACE_SLOT,
					    .valid = 4,
					    .imm = offsetof(struct jit_env, flags_c) };
	c->has_kept = true;
	return true;
}

void stub_keep(struct x64_compiler *c, struct stub *s)
{
	x64_call_at(&c->a, c->jit->thunk.sync);
	x64_mov(&c->a, 4, S0, state(c, c->jit->desc->flags_offset));
	x64_alu_i(&c->a, X64_AND, 4, x64_r(S0), IR_C);
	x64_mov_to(&c->a, 4, ENV(c, flags_c), S0);
	x64_jmp_back(&c->a, &s->back);
}

void flags_keep_carry(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct x64_rm to, from;
	unsigned reg;

	if (!op->c || (c->plan[i].flags_last <= c->pos && op->code < IR_SHL))
		return;
	if (keep_in_env(c, i))
		return;
	if (ir_reads_carry_only(op)) {
		flags_carry(c, op->c);
		flags_carry_to_tmp(c, &c->value[i].carry);
		return;
	}
	from = flags_bits(c, op->c);
	if (from.kind == X64_RM_REG) {
		to = place_new_tmp(c, &c->value[i].carry);
		x64_mov_to(&c->a, 4, to, from.base);
		return;
	}
	c->value[i].carry = c->value[op->c].bits;
	if (c->value[i].carry.kind == PLACE_NONE) {
		reg = place_scratch(c, 0);
		x64_mov(&c->a, 4, reg, from);
		to = place_new_tmp(c, &c->value[i].carry);
		x64_mov_to(&c->a, 4, to, reg);
	}
}

void flags_keep_if_zero(struct x64_compiler *c, unsigned i, unsigned count)
{
	const struct ir_op *op = op_at(c, i);
	unsigned old = op->c, reg;
	struct stub *s;

	if (c->plan[i].flags_last <= c->pos)
		return;
	reg = place_in_reg(c, count, 1, 0);
	if (reg == S0 || reg == S1)
		place_evict(c, reg, true);
	place_evict_scratch(c, true);
	s = stub_new(c, STUB_BITS, i);
	s->old = place_new_tmp(c, &c->value[i].carry);
	flags_site_of(c, old, &s->site);
	x64_test_i(&c->a, 1, x64_r(reg), ir_size(op) == 8 ? 63 : 31);
	x64_jcc(&c->a, X64_CC_E, &s->in);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
}

void stub_bits(struct x64_compiler *c, struct stub *s)
{
	x64_call_at(&c->a, s->site.kind ? c->jit->thunk.bits : c->jit->thunk.env_bits);
	if (s->site.kind)
		site_add(c, s->at, &s->site);
	x64_mov_to(&c->a, 8, s->old, S0);
	x64_jmp_back(&c->a, &s->back);
}

/* ---- flags as values ---- */

/* Bits of both under the mask, to a temporary. */
static __attribute__((cold)) void lower_merge(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	uint32_t mask = (uint32_t)op->imm & IR_FLAGS_ALL;
	struct place half;
	struct x64_rm m, to;
	unsigned reg;

	if (c->plan[i].flags_last <= c->pos)
		return;
	m = flags_bits(c, op->a);
	reg = place_scratch(c, x64_rm_mask(m));
	x64_mov(&c->a, 4, reg, m);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), (int32_t)mask);
	to = place_new_tmp(c, &half);
	x64_mov_to(&c->a, 8, to, reg);
	flags_lost(c);
	m = flags_bits(c, op->b);
	reg = place_scratch(c, x64_rm_mask(m));
	x64_mov(&c->a, 4, reg, m);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), (int32_t)(IR_FLAGS_ALL & ~mask));
	x64_alu(&c->a, X64_OR, 4, reg, to);
	x64_mov_to(&c->a, 8, to, reg);
	flags_lost(c);
	c->value[i].bits = half;
}

static __attribute__((cold)) void lower_flags_to(struct x64_compiler *c, unsigned i)
{
	struct x64_rm m = flags_bits(c, op_at(c, i)->a);
	unsigned reg = place_scratch(c, x64_rm_mask(m));

	x64_mov(&c->a, 4, reg, m);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(reg), IR_FLAGS_ALL);
	flags_lost(c);
	place_reg(c, i, reg, 8);
}

void lower_flags_op(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	switch (op->code) {
	case IR_FLAGS_GET:
		flags_record(c, c->slot_flags);
		c->env_flags = (uint16_t)i;
		break;
	case IR_FLAGS_PUT: c->slot_flags = op->a; break;
	case IR_FLAGS_TO: lower_flags_to(c, i); break;
	case IR_FLAGS_MERGE: lower_merge(c, i); break;
	default: /* FLAGS_OF: recipes take its operand as it is, up to bit 11 */
		if (c->plan[i].flags_last > c->pos)
			place_whole(c, op->a, 2);
		break;
	}
}
