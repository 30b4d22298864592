/* jit/x64/lower.c - one pass over a block's operations, each turned into host code.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/bits.h"
#include "jit/x64/lower_flags.h"

/* What a host fetches at once: blocks are entered where one begins. */
enum { WINDOW = 32 };

/* ---- guest state ---- */

/* The flags slot changes under our hands: read it now. */
static __attribute__((cold)) void get_flags_slot(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), reg;

	flags_sync_slot(c);
	reg = place_scratch(c, 0);
	if (size == 8)
		x64_mov(&c->a, 8, reg, state(c, (uint32_t)op->imm));
	else
		x64_movzx(&c->a, size, reg, state(c, (uint32_t)op->imm));
	place_reg(c, i, reg, 8);
}

/* State that is not a general register. */
static void get_other(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	x87_touch(c, i, op->imm);
	if (covers_flags_slot(c, op))
		get_flags_slot(c, i);
	else
		place_slot(c, i, (uint32_t)op->imm, ir_size(op));
}

static void lower_get(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned size = ir_size(op), at = op->imm % 8, reg, to;

	if (!place_is_general(c, (uint32_t)op->imm)) {
		get_other(c, i);
		return;
	}
	reg = place_pinned(c, (uint32_t)op->imm);
	if (reg == X64_NO_REG) {
		place_slot(c, i, (uint32_t)op->imm, size);
	} else if (!at) {
		place_reg(c, i, reg, size);
	} else if (at == 1 && size == 1) {
		place_set(c, i,
			  (struct place){ .kind = PLACE_HIGH, .reg = (uint8_t)reg, .valid = 1 });
	} else {
		to = place_scratch(c, 0);
		x64_rorx(&c->a, 8, to, x64_r(reg), 8 * at);
		place_reg(c, i, to, size);
	}
}

/* Part of a register: by way of memory. */
static __attribute__((cold)) void put_part(struct x64_compiler *c, unsigned reg,
					   const struct ir_op *op)
{
	unsigned size = ir_size(op), v = place_in_reg(c, op->a, size, 0);
	struct place p;
	struct x64_rm whole = place_new_tmp(c, &p), part = whole;

	part.disp += (int32_t)(op->imm % 8);
	x64_mov_to(&c->a, 8, whole, reg);
	x64_mov_to(&c->a, size, part, v);
	x64_mov(&c->a, 8, reg, whole);
}

/* AH to BH: turned to the bottom and back. */
static __attribute__((cold)) void put_high(struct x64_compiler *c, unsigned reg,
					   const struct ir_op *op)
{
	unsigned v = place_in_reg(c, op->a, 1, 1u << S1);

	if (v == S1) {
		place_settle(c, 0);
		place_evict(c, S0, true);
		x64_mov_rr(&c->a, 8, S0, S1);
		v = S0;
	}
	place_evict(c, S1, false);
	x64_rorx(&c->a, 8, S1, x64_r(reg), 8);
	x64_mov_rr(&c->a, 1, S1, v);
	x64_rorx(&c->a, 8, reg, x64_r(S1), 56);
	for (unsigned w = c->in_reg[S1]; w; w = c->in_reg[S1])
		place_set(c, w, (struct place){ 0 });
}

/* Lazy value v of at least 4 bytes to a pinned register, which may be an operand of it. */
static void compute(struct x64_compiler *c, unsigned v, unsigned reg)
{
	struct x64_rm m;

	if (op_at(c, v)->code == IR_PC) {
		place_evict(c, reg, false);
		place_force(c, v, reg, 0);
		return;
	}
	m = place_address(c, v, 0);
	place_evict(c, reg, false);
	if (m.base != reg || m.index != X64_NO_REG || m.disp || ir_size(op_at(c, v)) < 8)
		x64_lea(&c->a, ir_size(op_at(c, v)), reg, m);
}

static void put_pinned(struct x64_compiler *c, unsigned reg, const struct ir_op *op)
{
	unsigned size = ir_size(op), v = op->a, at = op->imm % 8;
	const struct place *p = &c->value[v].at;

	if (!at && size != 4 && p->kind == PLACE_REG && p->reg == reg && p->valid >= size &&
	    (size < 8 || p->valid == 8))
		return;
	if (p->kind == PLACE_LAZY && is_live(c, v))
		place_in_reg(c, v, 8, 0);
	if (p->kind == PLACE_LAZY && size == 8 && ir_size(op_at(c, v)) >= 4) {
		compute(c, v, reg);
		return;
	}
	place_evict(c, reg, false);
	if (at == 1 && size == 1) {
		put_high(c, reg, op);
	} else if (at || size == 4) {
		put_part(c, reg, op);
	} else {
		place_copy(c, reg, v, size, size == 8);
		if (size == 8 && is_live(c, v) && p->kind != PLACE_CONST)
			place_reg(c, v, reg, 8);
	}
}

static void put_memory(struct x64_compiler *c, const struct ir_op *op)
{
	struct x64_rm m = state(c, (uint32_t)op->imm);
	unsigned size = ir_size(op);
	int64_t imm;

	if (place_is_imm(c, op->a, size, &imm)) {
		place_evict_slot(c, (uint32_t)op->imm, size);
		x64_mov_i(&c->a, size, m, (int32_t)imm);
		return;
	}
	/* the value before what it replaces is saved: it may be made of that */
	if (c->value[op->a].at.kind == PLACE_SLOT && c->value[op->a].at.imm == op->imm &&
	    c->value[op->a].at.valid >= size)
		return;
	place_in_reg(c, op->a, size, 0);
	place_evict_slot(c, (uint32_t)op->imm, size);
	x64_mov_to(&c->a, size, m, place_in_reg(c, op->a, size, 0));
	if (size == 8 && c->value[op->a].at.kind == PLACE_REG && is_live(c, op->a))
		place_stored(c, op->a, (uint32_t)op->imm);
}

/* State that is not a general register. */
static __attribute__((cold)) void put_other(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	bool is_flags = covers_flags_slot(c, op);

	if (vec_put(c, i))
		return;
	x87_touch(c, i, op->imm);
	if (is_flags) {
		flags_sync_slot(c);
		flags_keep_env(c);
	}
	put_memory(c, op);
	if (is_flags)
		c->slot_flags = c->env_flags = 0;
}

static void lower_put(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned reg;

	if (c->plan[i].is_fused)
		return;
	if (!place_is_general(c, (uint32_t)op->imm)) {
		put_other(c, i);
		return;
	}
	reg = place_pinned(c, (uint32_t)op->imm);
	if (reg != X64_NO_REG)
		put_pinned(c, reg, op);
	else
		put_memory(c, op);
}

/* ---- one operation ---- */

uint64_t lower_native_copy(struct x64_compiler *c, const struct ir_native *n)
{
	struct ir_native *copy = &c->natives[c->native_count++];

	*copy = *n;
	return (uint64_t)(uintptr_t)copy;
}

static __attribute__((cold)) void lower_fence(struct x64_compiler *c, const struct ir_op *op)
{
	if (op->a == 1)
		x64_lfence(&c->a);
	else if (op->a == 2)
		x64_sfence(&c->a);
	else
		x64_mfence(&c->a);
}

/* PC, LEA and ADD: late, straight to a register, or as other arithmetic. */
static void lower_sum(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	const struct op_plan *p = &c->plan[i];
	unsigned reg;

	if (p->put && !(op->form & IR_FORM_FLAGS) && ir_size(op) >= 4) {
		reg = place_pinned(c, (uint32_t)op_at(c, p->put)->imm);
		compute(c, i, reg);
		place_reg(c, i, reg, 8);
	} else if (p->modify || p->is_fused) {
		return;
	} else if (!lower_is_lazy(c, i)) {
		lower_value_op(c, i);
	} else if (p->uses) {
		place_none(c, i, PLACE_LAZY);
	}
}

static inline void lower_op(struct x64_compiler *c, const struct ir_op *op, unsigned i)
{
	switch (op->code) {
	case IR_NOP: break;
	case IR_CONST: place_none(c, i, PLACE_CONST); break;
	case IR_GET: lower_get(c, i); break;
	case IR_PUT: lower_put(c, i); break;
	case IR_LOAD: lower_load(c, i); break;
	case IR_STORE: lower_store(c, i); break;
	case IR_VLOAD:
	case IR_VSTORE: lower_vector_access(c, i); break;
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_AND:
	case IR_ATOMIC_OR:
	case IR_ATOMIC_XOR:
	case IR_ATOMIC_CAS: lower_atomic(c, i); break;
	case IR_FENCE: lower_fence(c, op); break;
	case IR_CALL:
	case IR_CALL_IF: lower_call(c, i); break;
	case IR_NATIVE: lower_native(c, i); break;
	case IR_EXIT_IF: lower_exit_if(c, i); break;
	case IR_EXIT:
	case IR_EXIT_TO:
	case IR_EXIT_LOOP:
	case IR_EXIT_STATE: lower_exit(c, i); break;
	case IR_FLAGS_GET:
	case IR_FLAGS_PUT:
	case IR_FLAGS_OF:
	case IR_FLAGS_TO:
	case IR_FLAGS_MERGE: lower_flags_op(c, i); break;
	case IR_PC:
	case IR_LEA:
	case IR_ADD: lower_sum(c, i); break;
	default:
		if (!c->plan[i].modify && !c->plan[i].is_fused)
			lower_value_op(c, i);
		break;
	}
}

/* ---- a block ---- */

static void begin(struct x64_compiler *c, const struct ir_block *ir)
{
	c->ir = ir;
	c->ops = ir->ops;
	c->is_full = false;
	c->stub_count = c->site_count = c->exit_count = c->constant_count = c->native_count = 0;
	c->eflags = c->slot_flags = c->env_flags = 0;
	c->is_synced = c->may_have_stored = c->has_kept = false;
	c->left_at = 0;
	c->late.op = 0;
	lower_plan(c);
	c->natives = NULL;
	if (c->native_count)
		c->natives = code_side(&c->writer, c->native_count * sizeof(*c->natives));
	c->native_count = 0;
	place_begin(c);
	vec_begin(c);
}

/* The block, with its tables behind it. */
static struct x64_code *finish(struct x64_compiler *c)
{
	const struct x64_ops *ops = c->jit->ops;
	const struct x64_tables t = {
		.exits = c->exits,
		.sites = c->sites,
		.constants = c->constants,
		.exit_count = c->exit_count,
		.site_count = c->site_count,
		.constant_count = c->constant_count,
	};
	size_t size = align_up(MAX(ops->block_size, sizeof(struct x64_code)) +
				       c->exit_count * ops->exit_size,
			       sizeof(uint64_t));
	uint8_t *memory = code_side(&c->writer, size + tables_room(&t));
	struct x64_code *code = (void *)memory;

	memset(memory, 0, size);
	*code = c->code; /* before anything is added: a copy waits for what was just stored */
	code_side_cut(&c->writer, tables_write(code, &t, memory + size));
	code->insn_count = c->ir->insn_count;
	code->kills_flags = c->ir->kills_flags && !c->origin; /* what comes instead may not */
	code->size = x64_offset(&c->a);
	return code;
}

static void lower_block(struct x64_compiler *c)
{
	const struct ir_op *op = c->ops, *end = op + c->ir->op_count;
	struct value *value = c->value;

	lower_entry(c);
	for (unsigned i = 1; ++op < end; i++) { /* what is too much goes nowhere */
		c->pos = i;
		*++value = (struct value){ 0 };
		if (unlikely(c->may_have_stored) && c->plan[i].insn != c->plan[i - 1].insn)
			lower_check_stored(c, i);
		lower_op(c, op, i);
	}
	lower_stubs(c);
}

enum x64_result x64_compile(struct x64_compiler *c, struct x64_code **out,
			    const struct ir_block *ir, uint64_t pc, unsigned how,
			    const struct jit_origin *origin)
{
	/* An exit has 16 bits for a place. */
	size_t room = MIN(MIN(code_max_room(c->jit->cache), UINT16_MAX),
			  1024 + (size_t)ir->op_count * 160);
	struct x64_code *code = &c->code;
	uint8_t *write;
	uint64_t run;
	unsigned gap;

	*code = (struct x64_code){ .is_free = how & X64_FREE, .pc_size = ir->pc_size };
	code->pc_base = code->is_free ? pc % 4096 : pc;
	c->has_groups = !(how & X64_SINGLE);
	c->origin = origin;
	if (!code_reserve(&c->writer, room, &write, &run))
		return X64_NO_ROOM;
	gap = (unsigned)-(run + lower_entry_size(c)) % WINDOW;
	code->base = run + gap;
	x64_begin(&c->a, write + gap, code->base, room - gap);
	begin(c, ir);
	lower_block(c);
	if (c->is_full || c->a.is_full) {
		code_commit(&c->writer, 0, NULL);
		return X64_TOO_BIG;
	}
	*out = code = finish(c);
	code_written(code->base, code->size);
	code_commit(&c->writer, gap + code->size, code);
	return X64_DONE;
}
