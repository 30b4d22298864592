/* jit/x64/lower_mem.c - memory: the check of the soft TLB in line, everything else in a stub.
 *
 * The check leaves a host pointer in S0; behind the stub of a load that went through C it points at
 * env->bounce, where the bytes are.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

enum { PAGE = 4096 };

struct x64_rm mem_address(struct x64_compiler *c, const struct ir_op *op, bool *in_s0)
{
	const struct ir_op *base = op_at(c, op->a);
	int64_t disp = (int64_t)op->imm, imm;
	struct x64_rm m;

	*in_s0 = false;
	if (place_has(c, op->a, 8) && x64_fits32(disp))
		return x64_m(c->value[op->a].at.reg, (int32_t)disp);
	if (c->value[op->a].at.kind == PLACE_CONST) {
		imm = (int64_t)base->imm + disp;
		if (x64_fits32(imm))
			return x64_m(X64_NO_REG, (int32_t)imm);
		place_settle(c, 0);
		place_evict(c, S0, true);
		x64_mov_ri(&c->a, S0, (uint64_t)imm);
		*in_s0 = true;
		return x64_m(S0, 0);
	}
	if (c->value[op->a].at.kind == PLACE_LAZY && base->code == IR_PC && ir_size(base) == 8 &&
	    x64_fits32((int64_t)base->imm + disp)) {
		place_settle(c, 0);
		place_evict(c, S0, true);
		lower_pc(c, S0, (int64_t)base->imm + disp);
		*in_s0 = true;
		return x64_m(S0, 0);
	}
	if (c->value[op->a].at.kind == PLACE_LAZY && base->code != IR_PC && ir_size(base) == 8) {
		m = place_address(c, op->a, 0);
		if (x64_fits32(m.disp + disp)) {
			m.disp += (int32_t)disp;
			return m;
		}
	}
	m = x64_m(place_in_reg(c, op->a, 8, 0), 0);
	if (x64_fits32(disp)) {
		m.disp = (int32_t)disp;
		return m;
	}
	place_settle(c, 0);
	place_evict(c, S1, true);
	if (m.base == S1) {
		place_evict(c, S0, true);
		x64_mov_rr(&c->a, 8, S0, S1);
	}
	x64_mov_ri(&c->a, S1, (uint64_t)disp);
	return x64_mx(m.base == S1 ? S0 : m.base, S1, 0, 0);
}

static bool is_scratch(unsigned reg) { return reg == S0 || reg == S1; }

static inline void emit_lookup(struct x64_compiler *c, struct stub *s, unsigned bytes, bool write)
{
	const struct x64_piece *check = &c->jit->piece.check[write];

	if (!x64_paste(&c->a, check))
		return;
	x64_fill(&c->a, check, 0, PAGE - (int32_t)bytes);
	x64_fill_label(&c->a, check, 1, &s->in);
	s->checked = (struct x64_label){ .at = x64_offset(&c->a) };
}

void mem_emit_lookup(struct x64_compiler *c, struct stub *s, unsigned bytes, bool write)
{
	emit_lookup(c, s, bytes, write);
}

static inline void base_to_s0(struct x64_compiler *c, unsigned base, int32_t disp)
{
	if (!disp)
		x64_mov_rr(&c->a, 8, S0, base);
	else if ((base & 7) != X64_RSP)
		x64_emit_based(&c->a, X64_W | 0x8d, S0, base, disp);
	else
		x64_lea(&c->a, 8, S0, x64_m(base, disp));
}

static void address_to_s0(struct x64_compiler *c, struct x64_rm m)
{
	if (m.index == X64_NO_REG && m.base != X64_NO_REG)
		base_to_s0(c, m.base, m.disp);
	else
		x64_lea(&c->a, 8, S0, m);
}

void mem_emit_check(struct x64_compiler *c, struct stub *s, struct x64_rm m, bool in_s0,
		    unsigned bytes, bool write)
{
	if (!in_s0)
		address_to_s0(c, m);
	if (s->kind == STUB_ATOMIC && bytes > 1) { /* not across cache lines */
		s->unaligned = X64_LABEL;
		x64_test_i(&c->a, 1, x64_r(S0), bytes - 1);
		x64_jcc(&c->a, X64_CC_NE, &s->unaligned);
	}
	emit_lookup(c, s, bytes, write);
	flags_lost(c);
}

/* S0 = host pointer to `bytes` bytes at op i's address; the stub takes over where there is none. */
struct stub *mem_check(struct x64_compiler *c, unsigned i, unsigned bytes, bool write,
		       enum stub_kind kind)
{
	const struct ir_op *op = op_at(c, i);
	struct stub *s = stub_new(c, kind, i);
	unsigned f = flags_at_fault(c, i), base = c->value[op->a].at.reg;
	bool is_plain = place_has(c, op->a, 8) && x64_fits32((int64_t)op->imm), in_s0 = false;
	struct x64_rm m;

	if (!is_plain)
		m = mem_address(c, op, &in_s0);
	place_evict_scratch(c, f);
	if (f)
		flags_site_of(c, f, &s->site);
	if (is_plain && kind != STUB_ATOMIC) {
		base_to_s0(c, base, (int32_t)op->imm);
		emit_lookup(c, s, bytes, write);
		flags_lost(c);
		return s;
	}
	if (is_plain)
		m = x64_m(base, (int32_t)op->imm);
	mem_emit_check(c, s, m, in_s0, bytes, write);
	return s;
}

/* ---- loads ---- */

static unsigned log2_of(unsigned bytes) { return (unsigned)__builtin_ctz(bytes); }

/* In a view that is not the block's: through C. */
static __attribute__((cold)) void load_view(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct x64_site site = { 0 };
	bool in_s0;
	struct x64_rm m = mem_address(c, op, &in_s0);

	place_evict_scratch(c, true);
	flags_site(c, i, &site);
	if (!in_s0)
		x64_lea(&c->a, 8, S0, m);
	x64_mov_ri(&c->a, S1, access_pack(ir_size(op), op->c, op->b & IR_MEM_RMW, false));
	x64_call_at(&c->a, c->jit->thunk.access);
	site_add(c, i, &site);
	flags_lost(c);
	place_reg(c, i, S0, 8);
}

void lower_load(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	bool rmw = op->b & IR_MEM_RMW, is_part;
	unsigned size = ir_size(op), reg;
	struct stub *s;

	if (c->plan[i].modify)
		return;
	if (op->c) {
		load_view(c, i);
		return;
	}
	if (group_has(c, i)) {
		group_load(c, i);
		return;
	}
	s = mem_check(c, i, size, rmw, STUB_LOAD);
	s->size_log2 = (uint8_t)log2_of(size);
	s->is_write = rmw;
	x64_bind(&c->a, &s->back);
	if (!c->plan[i].uses) {
		/* What is not used is still read: a device may care, and did when it was one. */
		return;
	}
	if (!c->plan[i].put) {
		place_pending(c, i, size, 0);
		return;
	}
	reg = place_pinned(c, (uint32_t)op_at(c, c->plan[i].put)->imm);
	place_evict(c, reg, false);
	is_part = ir_size(op_at(c, c->plan[i].put)) < 8;
	if (size >= 4)
		x64_load(&c->a, size, reg, S0, 0);
	else if (is_part)
		x64_mov(&c->a, size, reg, x64_m(S0, 0));
	else
		x64_movzx(&c->a, size, reg, x64_m(S0, 0));
	place_reg(c, i, reg, is_part ? size : 8);
}

/* ---- stores ---- */

/* to: off S0 or P, which need no SIB */
void mem_store_arg(struct x64_compiler *c, unsigned size, struct x64_rm to, const struct arg *v)
{
	unsigned reg = S1;

	if (v->is_pc) {
		lower_pc(c, S1, (int64_t)v->imm);
	} else if (v->is_imm) {
		if (x64_fits32((int64_t)v->imm)) {
			x64_mov_i(&c->a, size, to, (int32_t)v->imm);
			return;
		}
		x64_mov_ri(&c->a, S1, v->imm);
	} else if (v->rm.kind == X64_RM_REG) {
		reg = v->rm.base;
	} else {
		x64_mov(&c->a, size, S1, v->rm);
	}
	if (size >= 4)
		x64_store(&c->a, size, to.base, to.disp, reg);
	else
		x64_mov_to(&c->a, size, to, reg);
}

/* A value to be stored: not in a scratch register. */
static void capture_value(struct x64_compiler *c, unsigned v, unsigned size, struct arg *out)
{
	struct place p = c->value[v].at;

	if (p.kind == PLACE_LAZY || p.kind == PLACE_HIGH || p.kind == PLACE_MEM || p.valid < size ||
	    (p.kind == PLACE_REG && is_scratch(p.reg))) {
		unsigned reg = place_in_reg(c, v, size, 0);

		if (is_scratch(reg))
			place_evict(c, reg, true);
	}
	alu_capture(c, v, size, out);
}

void mem_stored(struct x64_compiler *c, unsigned i, const struct arg *v)
{
	if (v->is_pc)
		place_reg(c, op_at(c, i)->b, S1, 8);
}

/* A pc is made where it is stored: it needs the page, which is no operand of anybody's. */
void mem_capture_stored(struct x64_compiler *c, unsigned v, unsigned size, struct arg *out)
{
	const struct ir_op *op = op_at(c, v);

	if (c->value[v].at.kind == PLACE_LAZY && op->code == IR_PC && ir_size(op) == 8 && size == 8)
		*out = (struct arg){ .is_pc = true, .imm = op->imm };
	else
		capture_value(c, v, size, out);
}

/* S1 = operation on what lies at m */
static void modify_value(struct x64_compiler *c, const struct stub *s, struct x64_rm m)
{
	const struct ir_op *op = op_at(c, s->op);
	unsigned size = ir_size(op);

	if (size < 4)
		x64_movzx(&c->a, size, S1, m);
	else
		x64_mov(&c->a, size, S1, m);
	if (s->has_old)
		x64_mov_to(&c->a, 8, s->old, S1);
	if (op->code == IR_ADC || op->code == IR_SBB)
		x64_bt_i(&c->a, X64_BT, 4, tmp_rm(c, c->value[s->op].carry.imm), 0);
	alu_apply(c, op, S1, &s->arg[0]);
}

/* Does somebody ask for the result of j, or for flags that are made of it? */
static bool is_wanted(const struct x64_compiler *c, unsigned j)
{
	const struct ir_op *op = op_at(c, j);

	return c->plan[j].uses != 1 || c->plan[j].flags_last > c->pos || op->code == IR_ADC ||
	       op->code == IR_SBB;
}

static void modify(struct x64_compiler *c, const struct stub *s, struct x64_rm m)
{
	place_evict(c, S1, true);
	if (is_wanted(c, s->op)) {
		modify_value(c, s, m);
		x64_mov_to(&c->a, ir_size(op_at(c, s->op)), m, S1);
	} else {
		alu_apply_to(c, op_at(c, s->op), m, &s->arg[0]);
	}
}

/* LOAD, operation and STORE at the place of the STORE, on one check. */
static void lower_modify(struct x64_compiler *c, unsigned k)
{
	unsigned j = c->plan[k].modify, i = op_at(c, j)->a;
	const struct ir_op *op = op_at(c, j);
	unsigned size = ir_size(op);
	bool in_group = group_has(c, k);
	struct stub *s, grouped;
	struct arg b = { .is_imm = true };
	struct x64_rm m;

	if (op->c && ir_reads_carry_only(op))
		flags_keep_carry(c, j);
	if (op->code == IR_ADC || op->code == IR_SBB) {
		if (c->value[j].carry.kind == PLACE_NONE) {
			flags_carry(c, op->c);
			flags_carry_to_tmp(c, &c->value[j].carry);
		}
	}
	if (ir_has_imm(op))
		b.imm = (uint64_t)sign_extend(op->imm, 8 * size);
	else if (ir_operand_is_value(op, 1))
		capture_value(c, op->b, size, &b);
	if (b.is_imm && !x64_fits32((int64_t)b.imm)) {
		struct place p;
		struct x64_rm to;

		place_evict_scratch(c, true);
		x64_mov_ri(&c->a, S1, b.imm);
		to = place_new_tmp(c, &p);
		x64_mov_to(&c->a, 8, to, S1);
		b = (struct arg){ .valid = 8, .rm = to };
	}
	if (in_group)
		stub_init(&grouped, STUB_MODIFY, k);
	s = in_group ? &grouped : mem_check(c, k, size, true, STUB_MODIFY);
	m = in_group ? group_rm(c, k) : x64_m(S0, 0);
	s->size_log2 = (uint8_t)log2_of(size);
	s->op = (uint16_t)j;
	s->arg[0] = b;
	if (c->plan[j].flags_last > c->pos && lower_form(c, j) == FORM_AB)
		s->old = place_new_tmp(c, &c->value[i].at);
	s->has_old = c->value[i].at.kind == PLACE_TMP;
	modify(c, s, m);
	x64_bind(&c->a, &s->back);
	alu_applied(c, j);
	if (is_wanted(c, j))
		place_reg(c, j, S1, size == 4 ? 8 : size);
}

static __attribute__((cold)) void store_view(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct x64_site site = { 0 };
	struct arg v;
	struct x64_rm m;
	bool in_s0;

	capture_value(c, op->b, ir_size(op), &v);
	m = mem_address(c, op, &in_s0);
	place_evict_scratch(c, true);
	flags_site(c, i, &site);
	if (!in_s0)
		x64_lea(&c->a, 8, S0, m);
	mem_store_arg(c, ir_size(op), ENV(c, bounce), &v);
	x64_mov_ri(&c->a, S1, access_pack(ir_size(op), op->c, false, true));
	x64_call_at(&c->a, c->jit->thunk.access);
	site_add(c, i, &site);
	flags_lost(c);
}

void lower_store(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op);
	struct stub *s;
	struct arg v;

	if (c->plan[i].modify) {
		lower_modify(c, i);
		return;
	}
	if (op->c) {
		store_view(c, i);
		return;
	}
	if (vec_store(c, i))
		return;
	if (group_has(c, i)) {
		group_store(c, i);
		return;
	}
	mem_capture_stored(c, op->b, size, &v);
	s = mem_check(c, i, size, true, STUB_STORE);
	s->size_log2 = (uint8_t)log2_of(size);
	s->arg[0] = v;
	mem_store_arg(c, size, x64_m(S0, 0), &v);
	x64_bind(&c->a, &s->back);
	mem_stored(c, i, &v);
}

/* ---- vectors: state and memory ---- */

static bool is_vector_size(unsigned bytes) { return bytes == 16 || bytes == 32; }

/* Bytes from one place in the state to another, by S1. */
static void copy_state(struct x64_compiler *c, uint32_t to, uint32_t from, unsigned bytes)
{
	for (unsigned done = 0, step; done < bytes; done += step) {
		unsigned left = bytes - done;

		step = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
		x64_mov(&c->a, step, S1, state(c, from + done));
		x64_mov_to(&c->a, step, state(c, to + done), S1);
	}
}

/* Other sizes: C brings the bytes to or from bounce. */
static __attribute__((cold)) void vector_access_by_c(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	bool load = op->code == IR_VLOAD;
	uint32_t offset = (uint32_t)op->c * 8, bounce = offsetof(struct jit_env, bounce);
	struct x64_site site = { 0 };
	bool in_s0;
	struct x64_rm m = mem_address(c, op, &in_s0);

	place_evict_scratch(c, true);
	flags_site(c, i, &site);
	if (!in_s0)
		x64_lea(&c->a, 8, S0, m);
	if (!load)
		copy_state(c, bounce, offset, op->b);
	x64_mov_ri(&c->a, S1, access_pack(op->b, 0, false, !load));
	x64_call_at(&c->a, c->jit->thunk.access);
	site_add(c, i, &site);
	flags_lost(c);
	if (load)
		copy_state(c, offset, bounce, op->b);
}

static void group_vector_access(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct x64_rm m = group_rm(c, i), slot = state(c, (uint32_t)op->c * 8);

	if (op->code == IR_VSTORE) {
		x64_vmovups(&c->a, op->b, 15, slot);
		x64_vmovups_to(&c->a, op->b, m, 15);
	} else if (!vec_load(c, i, m.disp)) {
		x64_vmovups(&c->a, op->b, 15, m);
		x64_vmovups_to(&c->a, op->b, slot, 15);
	}
}

void lower_vector_access(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	bool load = op->code == IR_VLOAD;
	unsigned bytes = op->b;
	uint32_t offset = (uint32_t)op->c * 8;
	struct stub *s;

	if (vec_store(c, i))
		return;
	if (load)
		place_evict_slot(c, offset, bytes);
	if (group_has(c, i)) {
		group_vector_access(c, i);
		return;
	}
	if (!is_vector_size(bytes) && load && vec_load(c, i, 0)) {
		s = mem_check(c, i, bytes, false, STUB_LOAD);
		s->bytes = (uint8_t)bytes;
		x64_bind(&c->a, &s->back);
		return;
	}
	if (!is_vector_size(bytes)) {
		vector_access_by_c(c, i);
		return;
	}
	s = mem_check(c, i, bytes, !load, load ? STUB_LOAD : STUB_STORE);
	s->size_log2 = (uint8_t)log2_of(bytes);
	s->is_vector = true;
	if (load) {
		x64_bind(&c->a, &s->back);
		if (vec_load(c, i, 0))
			return;
		x64_vmovups(&c->a, bytes, 15, x64_m(S0, 0));
		x64_vmovups_to(&c->a, bytes, state(c, offset), 15);
	} else {
		x64_vmovups(&c->a, bytes, 15, state(c, offset));
		x64_vmovups_to(&c->a, bytes, x64_m(S0, 0), 15);
		x64_bind(&c->a, &s->back);
	}
}

/* ---- atomic operations ---- */

static __attribute__((cold)) void atomic_args(struct x64_compiler *c, unsigned i, struct stub *s)
{
	const struct ir_op *op = op_at(c, i);

	capture_value(c, op->b, ir_size(op), &s->arg[0]);
	s->arg[1] = (struct arg){ .is_imm = true };
	if (op->code == IR_ATOMIC_CAS)
		capture_value(c, op->c, ir_size(op), &s->arg[1]);
}

static void arg_to_reg(struct x64_compiler *c, unsigned size, unsigned reg, const struct arg *v)
{
	if (v->is_imm)
		x64_mov_ri(&c->a, reg, v->imm);
	else if (v->rm.kind == X64_RM_REG)
		x64_mov_rr(&c->a, 8, reg, v->rm.base);
	else if (size < 4)
		x64_movzx(&c->a, size, reg, v->rm);
	else
		x64_mov(&c->a, size, reg, v->rm);
}

/* RAX is lent: expected value in, old value out. */
static __attribute__((cold)) void atomic_cas(struct x64_compiler *c, unsigned size,
					     const struct arg *expect, const struct arg *desired)
{
	struct place p;
	struct x64_rm rax = place_new_tmp(c, &p);

	arg_to_reg(c, size, S1, desired);
	x64_mov_to(&c->a, 8, rax, X64_RAX);
	if (expect->is_imm || expect->rm.kind != X64_RM_REG || expect->rm.base != X64_RAX)
		arg_to_reg(c, size, X64_RAX, expect);
	x64_lock(&c->a);
	x64_cmpxchg(&c->a, size, x64_m(S0, 0), S1);
	x64_mov_rr(&c->a, 8, S1, X64_RAX);
	x64_mov(&c->a, 8, X64_RAX, rax);
}

/* The old value is wanted, and there is no instruction for that: until it has not changed. */
static __attribute__((cold)) void atomic_loop(struct x64_compiler *c, enum x64_alu alu,
					      unsigned size, const struct arg *v)
{
	struct place p;
	struct x64_rm rax = place_new_tmp(c, &p), x = place_new_tmp(c, &p);
	struct x64_label again = X64_LABEL;

	arg_to_reg(c, size, S1, v);
	x64_mov_to(&c->a, 8, x, S1);
	x64_mov_to(&c->a, 8, rax, X64_RAX);
	x64_mov(&c->a, size, X64_RAX, x64_m(S0, 0));
	x64_bind(&c->a, &again);
	x64_mov_rr(&c->a, 8, S1, X64_RAX);
	x64_alu(&c->a, alu, size, S1, x);
	x64_lock(&c->a);
	x64_cmpxchg(&c->a, size, x64_m(S0, 0), S1);
	x64_jcc(&c->a, X64_CC_NE, &again);
	x64_mov_rr(&c->a, 8, S1, X64_RAX);
	x64_mov(&c->a, 8, X64_RAX, rax);
}

static __attribute__((cold)) void atomic_op(struct x64_compiler *c, unsigned i,
					    const struct stub *s)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op);
	static const uint8_t alu[] = { X64_ADD, X64_AND, X64_OR, X64_XOR };

	switch (op->code) {
	case IR_ATOMIC_CAS: atomic_cas(c, size, &s->arg[0], &s->arg[1]); return;
	case IR_ATOMIC_XCHG:
		arg_to_reg(c, size, S1, &s->arg[0]);
		x64_xchg(&c->a, size, x64_m(S0, 0), S1);
		return;
	case IR_ATOMIC_ADD:
		arg_to_reg(c, size, S1, &s->arg[0]);
		x64_lock(&c->a);
		x64_xadd(&c->a, size, x64_m(S0, 0), S1);
		return;
	default: break;
	}
	if (c->plan[i].uses) {
		atomic_loop(c, alu[op->code - IR_ATOMIC_ADD], size, &s->arg[0]);
		return;
	}
	arg_to_reg(c, size, S1, &s->arg[0]);
	x64_lock(&c->a);
	x64_alu_to(&c->a, alu[op->code - IR_ATOMIC_ADD], size, x64_m(S0, 0), S1);
}

void lower_atomic(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op);
	struct stub *s, args;

	atomic_args(c, i, &args);
	s = mem_check(c, i, size, true, STUB_ATOMIC);
	s->size_log2 = (uint8_t)log2_of(size);
	s->arg[0] = args.arg[0];
	s->arg[1] = args.arg[1];
	atomic_op(c, i, s);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
	if (c->plan[i].uses)
		place_reg(c, i, S1, size == 4 && op->code != IR_ATOMIC_CAS ? 8 : size);
}

/* ---- stubs ---- */

void mem_stub_address(struct x64_compiler *c, bool write)
{
	const struct x64_thunks *t = &c->jit->thunk;

	x64_call_at(&c->a, write ? t->address_write : t->address_read);
}

static void stub_call(struct x64_compiler *c, struct stub *s, uint64_t thunk)
{
	x64_call_at(&c->a, thunk);
	site_add(c, s->at, &s->site);
}

void stub_atomic(struct x64_compiler *c, struct stub *s)
{
	const struct ir_op *op = op_at(c, s->at);
	struct x64_rm bounce = ENV(c, bounce);

	mem_stub_address(c, true);
	x64_call_at(&c->a, c->jit->thunk.look_write);
	x64_jcc_back(&c->a, X64_CC_B, &s->checked);
	if (ir_size(op) > 1)
		x64_bind(&c->a, &s->unaligned);
	x64_mov_to(&c->a, 8, bounce, S0);
	bounce.disp += 8;
	arg_to_reg(c, ir_size(op), S1, &s->arg[0]);
	x64_mov_to(&c->a, 8, bounce, S1);
	bounce.disp += 8;
	arg_to_reg(c, ir_size(op), S1, &s->arg[1]);
	x64_mov_to(&c->a, 8, bounce, S1);
	x64_mov_ri(&c->a, S0, op->code | (uint64_t)ir_size_log2(op) << 8);
	stub_call(c, s, c->jit->thunk.atomic);
	x64_mov_rr(&c->a, 8, S1, S0);
	x64_jmp_back(&c->a, &s->back);
}

void stub_store(struct x64_compiler *c, struct stub *s)
{
	unsigned size = 1u << s->size_log2;
	bool is_general = !s->native && !s->is_vector;
	struct x64_rm bounce = ENV(c, bounce);

	mem_stub_address(c, true);
	if (is_general) {
		mem_store_arg(c, size, bounce, &s->arg[0]);
	} else if (s->native) {
		vec_stub_store(c, s, bounce);
	} else {
		x64_vmovups(&c->a, size, 15, state(c, op_at(c, s->at)->c * 8u));
		x64_vmovups_to(&c->a, size, bounce, 15);
	}
	stub_call(c, s, c->jit->thunk.store[s->size_log2]);
	x64_jcc_back(&c->a, X64_CC_B, &s->checked);
	if (is_general && s->arg[0].is_pc)
		lower_pc(c, S1, (int64_t)s->arg[0].imm);
	x64_jmp_back(&c->a, &s->back);
}

void stub_load(struct x64_compiler *c, struct stub *s)
{
	const struct x64_thunks *t = &c->jit->thunk;

	mem_stub_address(c, s->is_write);
	if (!s->bytes) {
		stub_call(c, s, (s->is_write ? t->modify : t->load)[s->size_log2]);
	} else {
		if (s->bytes <= LOOK_BYTES) {
			x64_call_at(&c->a, t->look_read);
			x64_jcc_back(&c->a, X64_CC_B, &s->checked);
		}
		x64_mov_ri(&c->a, S1, access_pack(s->bytes, 0, false, false));
		stub_call(c, s, t->access);
		x64_lea(&c->a, 8, S0, ENV(c, bounce));
	}
	x64_jmp_back(&c->a, &s->back);
}

void stub_modify(struct x64_compiler *c, struct stub *s)
{
	const struct x64_thunks *t = &c->jit->thunk;

	mem_stub_address(c, true);
	stub_call(c, s, t->modify[s->size_log2]);
	x64_jcc_back(&c->a, X64_CC_B, &s->checked);
	modify_value(c, s, x64_m(S0, 0));
	x64_mov_to(&c->a, 1u << s->size_log2, ENV(c, bounce), S1);
	stub_call(c, s, t->commit[s->size_log2]);
	x64_jmp_back(&c->a, &s->back);
}
