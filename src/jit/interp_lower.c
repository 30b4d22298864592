/* jit/interp_lower.c - lowering: IR ops, placed by interp_place.c, become the interpreter's ops.
 * SPDX-License-Identifier: MIT */
#include "jit/interp_lower.h"

#include <string.h>

#include <glib.h>

#include "jit/interp_slow.h"

enum {
	TMP_SCRATCH, /* results nobody reads */
	TMP_ZERO,    /* always 0 (interp_run) */
	TMP_FIRST,
	BITS = 0x8000, /* next_dead lists: the evaluated flags of an op, not its value */
};

static uint16_t tmp_offset(unsigned n) { return (uint16_t)(offsetof(struct jit_env, tmp) + 8 * n); }

/* ---- temporaries ---- */

static void release_at(struct interp_lowerer *l, uint16_t what, uint16_t p)
{
	unsigned slot = what & BITS ? (what & ~BITS) + IR_MAX_OPS : what;

	l->next_dead[slot] = l->release[p];
	l->release[p] = what;
}

static uint16_t take_tmp(struct interp_lowerer *l, uint16_t what, uint16_t last_use)
{
	if (!l->free_count) {
		l->is_full = true;
		return tmp_offset(TMP_SCRATCH);
	}
	release_at(l, what, last_use);
	return tmp_offset(l->free_tmp[--l->free_count]);
}

static void release_dead(struct interp_lowerer *l, uint16_t p)
{
	uint16_t what = l->release[p], loc;

	while (what) {
		bool is_bits = what & BITS;
		unsigned i = what & ~BITS;

		loc = is_bits ? l->op[i].bits_loc : l->op[i].loc;
		l->free_tmp[l->free_count++] = (uint16_t)((loc - tmp_offset(0)) / 8);
		what = l->next_dead[is_bits ? i + IR_MAX_OPS : i];
	}
}

/* Where op i's result goes. */
static uint16_t dest(struct interp_lowerer *l, uint16_t i)
{
	struct lower_op *lo = &l->op[i];

	if (!lo->loc)
		lo->loc = lo->last_use ? take_tmp(l, i, lo->last_use) : tmp_offset(TMP_SCRATCH);
	return lo->loc;
}

static uint16_t bits_dest(struct interp_lowerer *l, uint16_t i)
{
	struct lower_op *lo = &l->op[i];

	lo->bits_loc = lo->bits_last ? take_tmp(l, i | BITS, lo->bits_last)
				     : tmp_offset(TMP_SCRATCH);
	return lo->bits_loc;
}

static uint16_t loc(const struct interp_lowerer *l, uint16_t v)
{
	return v ? l->op[v].loc : tmp_offset(TMP_ZERO);
}

static uint16_t bits(const struct interp_lowerer *l, uint16_t f)
{
	return f ? l->op[f].bits_loc : tmp_offset(TMP_ZERO);
}

/* ---- emission ---- */

static struct interp_op *emit(struct interp_lowerer *l, enum interp_id id, uint16_t d, uint16_t a,
			      uint16_t b, uint16_t c, uint64_t imm)
{
	struct interp_op *o = &l->out[l->out_count++];

	/* The id until the block is finished: emission looks back at it. */
	*o = (struct interp_op){ (const void *)(uintptr_t)id, d, a, b, c, imm };
	return o;
}

static uint16_t add_exit(struct interp_lowerer *l, uint16_t i)
{
	l->exits[l->exit_count] = (struct interp_exit){
		.pc_delta = (int64_t)l->ir->ops[i].imm,
		.insns = (uint16_t)(l->op[i].insn + 1),
	};
	return l->exit_count++;
}

struct binary_ids {
	uint16_t first; /* id of _1_RN */
	uint8_t stride; /* ids per size: 2 RN IN, 4 RN IN RF IF */
};
static const struct binary_ids binary_ids[IR_CODE_COUNT] = {
	[IR_ADD] = { IH_ADD_1_RN, 4 },   [IR_SUB] = { IH_SUB_1_RN, 4 },
	[IR_AND] = { IH_AND_1_RN, 4 },   [IR_OR] = { IH_OR_1_RN, 4 },
	[IR_XOR] = { IH_XOR_1_RN, 4 },   [IR_SHL] = { IH_SHL_1_RN, 4 },
	[IR_SHR] = { IH_SHR_1_RN, 4 },   [IR_SAR] = { IH_SAR_1_RN, 4 },
	[IR_ADC] = { IH_ADC_1_RN, 2 },   [IR_SBB] = { IH_SBB_1_RN, 2 },
	[IR_ANDN] = { IH_ANDN_1_RN, 2 }, [IR_MUL] = { IH_MUL_1_RN, 2 },
	[IR_ROL] = { IH_ROL_1_RN, 2 },   [IR_ROR] = { IH_ROR_1_RN, 2 },
};
static const uint16_t unary_ids[IR_CODE_COUNT] = {
	[IR_NEG] = IH_NEG_1_N,
	[IR_INC] = IH_INC_1_N,
	[IR_DEC] = IH_DEC_1_N,
};

static bool records_itself(const struct ir_op *op)
{
	return binary_ids[op->code].stride == 4 || unary_ids[op->code];
}

/* The flags of f, as far as somebody wants them as a value, before f's result may overwrite what
 * they come from. */
static void emit_flags_value(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	unsigned sz = ir_size_log2(op);
	uint16_t b = loc(l, op->b);

	if (l->op[i].demand == DEMAND_NONE)
		return;
	if (ir_has_imm(op)) { /* evaluation takes operands from memory */
		b = l->is_full || !l->free_count ? 0 : tmp_offset(l->free_tmp[l->free_count - 1]);
		l->is_full |= !b;
		emit(l, IH_CONST, b, 0, 0, 0, op->imm);
		/* b is free again once it has been read: the result may take its place. */
	}
	if (l->op[i].demand == DEMAND_CARRY && sz >= 2 &&
	    (op->code == IR_ADD || op->code == IR_SUB))
		emit(l, (op->code == IR_ADD ? IH_CARRY_ADD_4 : IH_CARRY_SUB_4) + (sz - 2),
		     bits_dest(l, i), loc(l, op->a), b, 0, 0);
	else
		emit(l, IH_FLAGS_EVAL, bits_dest(l, i), loc(l, op->a), b,
		     ir_operand_is_flags(op, 2) ? bits(l, op->c) : tmp_offset(TMP_ZERO),
		     interp_kind(op->code, sz));
}

/* Record the flags of f, whose operands are still there. */
static void emit_record(struct interp_lowerer *l, uint16_t f)
{
	const struct ir_op *op = &l->ir->ops[f];
	uint16_t a = loc(l, op->a), b = loc(l, op->b), c = tmp_offset(TMP_ZERO);
	uint32_t kind = interp_kind(op->code, ir_size_log2(op));

	if (op->code == IR_FLAGS_GET || op->code == IR_FLAGS_MERGE) {
		kind = interp_kind(IR_FLAGS_OF, 2);
		a = bits(l, f);
		b = c;
	} else if (ir_operand_is_flags(op, 2)) {
		c = bits(l, op->c);
	}
	if (ir_has_imm(op)) {
		b = l->free_count ? tmp_offset(l->free_tmp[l->free_count - 1]) : 0;
		l->is_full |= !b;
		emit(l, IH_CONST, b, 0, 0, 0, op->imm);
	}
	if (op->code == IR_AND || op->code == IR_OR || op->code == IR_XOR || op->code == IR_ANDN) {
		/* All logic is recorded as AND of the result with itself. */
		uint16_t r = l->free_count ? tmp_offset(l->free_tmp[l->free_count - 1]) : 0;

		l->is_full |= !r;
		emit(l, IH_VALUE_R, r, a, b, tmp_offset(TMP_ZERO), kind);
		kind = interp_kind(IR_AND, ir_size_log2(op));
		a = b = r;
	}
	emit(l, IH_FLAGS_RECORD, 0, a, b, c, kind);
}

static void lower_value(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	uint16_t a = loc(l, op->a),
		 c = ir_operand_is_flags(op, 2) ? bits(l, op->c) : tmp_offset(TMP_ZERO);
	uint32_t kind = interp_kind(op->code, ir_size_log2(op));

	if (ir_has_imm(op))
		emit(l, IH_VALUE_I, dest(l, i), a, (uint16_t)kind, c, op->imm);
	else
		emit(l, IH_VALUE_R, dest(l, i), a, loc(l, op->b), c, kind);
}

static void lower_arithmetic(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	const struct binary_ids *ids = &binary_ids[op->code];
	unsigned sz = ir_size_log2(op), f = 0;
	uint16_t a = loc(l, op->a),
		 c = ir_operand_is_flags(op, 2) ? bits(l, op->c) : tmp_offset(TMP_ZERO);

	emit_flags_value(l, i);
	if (l->op[i].is_recorded && records_itself(op))
		f = 1;
	else if (l->op[i].is_recorded)
		emit_record(l, i);
	if (ids->stride)
		emit(l, ids->first + sz * ids->stride + f * 2 + (ir_has_imm(op) ? 1 : 0),
		     dest(l, i), a, loc(l, op->b), c, op->imm);
	else if (unary_ids[op->code])
		emit(l, unary_ids[op->code] + sz * 2 + f, dest(l, i), a, 0, c, 0);
	else if (op->code == IR_NOT)
		emit(l, IH_NOT_1_N + sz, dest(l, i), a, 0, 0, 0);
	else if (op->code == IR_BSWAP && sz >= 2)
		emit(l, IH_BSWAP_4 + (sz - 2), dest(l, i), a, 0, 0, 0);
	else if ((op->code == IR_MULUH || op->code == IR_MULSH) && sz == 3 && !ir_has_imm(op))
		emit(l, op->code == IR_MULUH ? IH_MULUH_8 : IH_MULSH_8, dest(l, i), a,
		     loc(l, op->b), 0, 0);
	else
		lower_value(l, i);
}

/* ---- moves ---- */

static void lower_put(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	unsigned sz = ir_size_log2(op);

	if (lower_covers_flags(l, op))
		emit(l, IH_FLAGS_SYNC, 0, 0, 0, 0, 0);
	if (lower_is_const(l, op->a))
		emit(l, IH_PUTI_1 + sz, (uint16_t)op->imm, 0, 0, 0, l->ir->ops[op->a].imm);
	else if (!l->op[i].is_put_early)
		emit(l, IH_PUT_1 + sz, (uint16_t)op->imm, loc(l, op->a), 0, 0, 0);
}

static void lower_get(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];

	if (l->op[i].loc || !l->op[i].last_use)
		return;
	if (lower_covers_flags(l, op))
		emit(l, IH_FLAGS_SYNC, 0, 0, 0, 0, 0);
	emit(l, IH_MOV_1 + ir_size_log2(op), dest(l, i), (uint16_t)op->imm, 0, 0, 0);
}

static void lower_sext(struct interp_lowerer *l, uint16_t i)
{
	static const uint16_t ids[3][4] = { { 0, IH_SEXT_1_2, IH_SEXT_1_4, IH_SEXT_1_8 },
					    { 0, 0, IH_SEXT_2_4, IH_SEXT_2_8 },
					    { 0, 0, 0, IH_SEXT_4_8 } };
	const struct ir_op *op = &l->ir->ops[i];

	emit(l, ids[ir_size_log2(op)][__builtin_ctz(op->b)], dest(l, i), loc(l, op->a), 0, 0, 0);
}

static void lower_lea(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	unsigned sz = ir_size_log2(op);

	if (!op->b) /* base + displacement is an addition */
		emit(l, IH_ADD_1_IN + sz * 4, dest(l, i), loc(l, op->a), 0, 0, op->imm);
	else if (sz)
		emit(l, IH_LEA_2 + (sz - 1), dest(l, i), loc(l, op->a), loc(l, op->b), op->c,
		     op->imm);
}

static void lower_cond(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i], *f = &l->ir->ops[op->a];
	unsigned sz = ir_size_log2(f);
	static const uint8_t zero_cmp[INTERP_Z_COUNT] = { IR_EQ,  IR_NE,  IR_LTS,
							  IR_GES, IR_LES, IR_GTS };

	switch (l->op[i].cond) {
	case COND_BY_SUB: emit(l, IH_COND_O_1 + sz * 16 + op->b, dest(l, i), 0, 0, 0, 0); break;
	case COND_BY_RECORD: emit(l, IH_COND_LAZY, dest(l, i), 0, 0, op->b, 0); break;
	case COND_BY_BITS: emit(l, IH_COND_BITS, dest(l, i), bits(l, op->a), 0, op->b, 0); break;
	case COND_BY_RESULT:
		emit(l, IH_CMPI_EQ_1 + sz * 10 + zero_cmp[lower_cond_by_result(f, op->b)],
		     dest(l, i), loc(l, op->a), 0, 0, 0);
		break;
	default:
		emit(l,
		     (ir_has_imm(f) ? IH_CMPI_EQ_1 : IH_CMPR_EQ_1) + sz * 10 +
			     (unsigned)lower_cond_as_cmp(op->b),
		     dest(l, i), loc(l, f->a), loc(l, f->b), 0, f->imm);
		break;
	}
}

/* ---- memory ---- */

/* Fill in the address of a load or store: D base + imm, X base + index, W the same cut to 32 bits,
 * P pc-relative; returns which of the four. */
static unsigned lower_address(struct interp_lowerer *l, const struct ir_op *op, struct interp_op *o)
{
	const struct ir_op *base = &l->ir->ops[op->a];

	o->imm = op->imm;
	if (!l->op[op->a].is_fused) {
		o->a = loc(l, op->a);
		return 0;
	}
	o->imm += base->imm;
	if (base->code == IR_PC)
		return 3;
	o->a = loc(l, base->a);
	o->b = loc(l, base->b);
	o->c = base->b ? base->c : 0;
	return ir_size(base) == 4 ? 2 : 1;
}

static void lower_load(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	struct interp_op o = { 0 };
	unsigned mode = lower_address(l, op, &o), sz = ir_size_log2(op);
	bool for_write = op->b & IR_MEM_RMW;

	if (op->c)
		emit(l, IH_LD_VIEW, dest(l, i), o.a, (uint16_t)(sz | (for_write ? 4 : 0)),
		     op->c - 1, o.imm);
	else
		emit(l, (for_write ? IH_LW_1_D : IH_LD_1_D) + sz * 4 + mode, dest(l, i), o.a, o.b,
		     o.c, o.imm);
}

static void lower_store(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	struct interp_op o = { 0 };
	unsigned mode = lower_address(l, op, &o), sz = ir_size_log2(op);
	uint64_t packed;

	if (op->c)
		emit(l, IH_ST_VIEW, loc(l, op->b), o.a, (uint16_t)sz, op->c - 1, o.imm);
	else if (lower_store_imm(l, op, &packed))
		emit(l, IH_STI_1 + sz, 0, o.a, 0, 0, packed);
	else
		emit(l, IH_ST_1_D + sz * 4 + mode, loc(l, op->b), o.a, o.b, o.c, o.imm);
}

static void lower_vector_access(struct interp_lowerer *l, const struct ir_op *op)
{
	bool load = op->code == IR_VLOAD;

	emit(l, op->b == 16 ? (load ? IH_VLD_16 : IH_VST_16) : (load ? IH_VLD : IH_VST),
	     (uint16_t)(op->c * 8), loc(l, op->a), op->b, 0, op->imm);
}

static void lower_call(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	bool is_pure = h->is_pure && !h->reads_flags && !h->writes_flags && !h->reads_pc;

	if (op->code == IR_CALL_IF)
		emit(l, IH_CALL_IF, tmp_offset(TMP_SCRATCH), loc(l, op->a), loc(l, op->b),
		     loc(l, op->c), op->imm);
	else
		emit(l, is_pure ? IH_CALL_PURE : IH_CALL, dest(l, i), loc(l, op->a), loc(l, op->b),
		     loc(l, op->c), op->imm);
}

/* ---- leaving ---- */

/* A comparison that was just emitted for nothing but its flags, to merge with the jump: unless a
 * store before it may end the run between the two. */
static struct interp_op *last_compare(struct interp_lowerer *l, uint16_t f, uint16_t jump,
				      enum interp_id family, bool *has_imm)
{
	const struct ir_op *op = &l->ir->ops[f];
	struct interp_op *o = l->out_count ? &l->out[l->out_count - 1] : NULL;
	unsigned id = family + ir_size_log2(op) * 4 + 2 + (ir_has_imm(op) ? 1 : 0);

	if (!o || l->op[f].uses || !l->op[f].is_recorded || (uintptr_t)o->handler != id ||
	    l->op[f].pos != l->last_lowered_flags || l->op[f].last_use > l->op[jump].pos ||
	    l->last_stop[l->op[jump].pos] > l->op[f].pos)
		return NULL;
	*has_imm = ir_has_imm(op);
	return o;
}

static void lower_exit_if(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i], *cond = &l->ir->ops[op->a];
	const struct ir_op *f = &l->ir->ops[cond->a];
	uint16_t x = add_exit(l, i);
	unsigned sz = ir_size_log2(f), id;
	struct interp_op *last;
	bool has_imm;

	if (!l->op[op->a].is_fused) {
		emit(l, IH_EXIT_IF, 0, loc(l, op->a), 0, x, 0);
	} else if (l->op[op->a].cond == COND_BY_SUB) {
		last = last_compare(l, cond->a, i, IH_SUB_1_RN, &has_imm);
		if (!last) {
			emit(l, IH_J_O_1 + sz * 16 + cond->b, 0, 0, 0, x, 0);
			return;
		}
		id = (has_imm ? IH_CMPJI_O_1 : IH_CMPJR_O_1) + sz * 16 + cond->b;
		last->handler = (const void *)(uintptr_t)id;
		last->c = x;
	} else if (l->op[op->a].cond == COND_BY_RESULT) {
		int z = lower_cond_by_result(f, cond->b);

		last = f->code == IR_AND ? last_compare(l, cond->a, i, IH_AND_1_RN, &has_imm)
					 : NULL;
		if (!last) {
			emit(l, IH_JZ_EQ_1 + sz * INTERP_Z_COUNT + (unsigned)z, 0, loc(l, cond->a),
			     0, x, 0);
			return;
		}
		id = (has_imm ? IH_TESTJI_EQ_1 : IH_TESTJR_EQ_1) + sz * INTERP_Z_COUNT +
		     (unsigned)z;
		last->handler = (const void *)(uintptr_t)id;
		last->c = x;
	} else {
		lower_cond(l, op->a);
		emit(l, IH_EXIT_IF, 0, loc(l, op->a), 0, x, 0);
	}
}

static void lower_exit(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	uint16_t insns = (uint16_t)(l->op[i].insn + 1);

	switch (op->code) {
	case IR_EXIT: emit(l, IH_EXIT, 0, 0, 0, add_exit(l, i), 0); break;
	case IR_EXIT_TO: emit(l, IH_EXIT_TO, 0, loc(l, op->a), 0, insns, 0); break;
	case IR_EXIT_LOOP: emit(l, IH_EXIT_LOOP, 0, 0, 0, insns, op->imm); break;
	default: emit(l, IH_EXIT_STATE, 0, 0, 0, insns, 0); break;
	}
}

static void lower_flags_op(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];

	switch (op->code) {
	case IR_FLAGS_GET:
		if (l->op[i].demand)
			emit(l, l->op[i].demand == DEMAND_FULL ? IH_FLAGS_GET : IH_CARRY_GET,
			     bits_dest(l, i), 0, 0, 0, 0);
		break;
	case IR_FLAGS_OF: emit_flags_value(l, i); break;
	case IR_FLAGS_MERGE:
		if (l->op[i].demand)
			emit(l, IH_FLAGS_MERGE, bits_dest(l, i), bits(l, op->a), bits(l, op->b), 0,
			     op->imm);
		break;
	case IR_FLAGS_TO: emit(l, IH_MOV_4, dest(l, i), bits(l, op->a), 0, 0, 0); break;
	case IR_COND: lower_cond(l, i); break;
	default: break; /* FLAGS_PUT: recorded already */
	}
}

static void lower_op(struct interp_lowerer *l, uint16_t i)
{
	const struct ir_op *op = &l->ir->ops[i];
	unsigned sz = ir_size_log2(op);

	switch (op->code) {
	case IR_CONST:
		if (l->op[i].last_use)
			emit(l, IH_CONST, dest(l, i), 0, 0, 0, op->imm);
		break;
	case IR_NOP: break; /* what nobody reads */
	case IR_PC: emit(l, IH_PC, dest(l, i), 0, 0, 0, op->imm); break;
	case IR_GET: lower_get(l, i); break;
	case IR_PUT: lower_put(l, i); break;
	case IR_MOV: emit(l, IH_MOV_1 + sz, dest(l, i), loc(l, op->a), 0, 0, 0); break;
	case IR_SEXT: lower_sext(l, i); break;
	case IR_LEA: lower_lea(l, i); break;
	case IR_CMP:
		emit(l, (ir_has_imm(op) ? IH_CMPI_EQ_1 : IH_CMPR_EQ_1) + sz * 10 + op->c,
		     dest(l, i), loc(l, op->a), loc(l, op->b), 0, op->imm);
		break;
	case IR_WIDER: emit(l, IH_WIDER, dest(l, i), loc(l, op->a), op->b, 0, 0); break;
	case IR_SELECT:
		emit(l, IH_SELECT, dest(l, i), loc(l, op->a), loc(l, op->b), loc(l, op->c), 0);
		break;
	case IR_LOAD: lower_load(l, i); break;
	case IR_STORE: lower_store(l, i); break;
	case IR_VLOAD:
	case IR_VSTORE: lower_vector_access(l, op); break;
	case IR_FENCE: emit(l, IH_FENCE, 0, op->a, 0, 0, 0); break;
	case IR_CALL:
	case IR_CALL_IF: lower_call(l, i); break;
	case IR_NATIVE:
		emit(l, IH_NATIVE, 0, loc(l, op->a), 0, 0, op->imm);
		l->native_bytes += sizeof(struct ir_native);
		break;
	case IR_EXIT_IF: lower_exit_if(l, i); break;
	default:
		if (op->code >= IR_ATOMIC_XCHG && op->code <= IR_ATOMIC_CAS)
			emit(l, IH_ATOMIC, dest(l, i), loc(l, op->a), loc(l, op->b), loc(l, op->c),
			     interp_kind(op->code, sz));
		else if (ir_info[op->code].props & IR_PROP_ENDS)
			lower_exit(l, i);
		else if (op->code >= IR_FLAGS_GET && op->code <= IR_COND)
			lower_flags_op(l, i);
		else
			lower_arithmetic(l, i);
		break;
	}
	if (ir_info[op->code].props & IR_PROP_FLAGS)
		l->last_lowered_flags = l->op[i].pos;
}

static void begin(struct interp_lowerer *l)
{
	l->out_count = l->insn_count = l->exit_count = 0;
	l->native_bytes = 0;
	l->is_full = false;
	l->free_count = 0;
	for (unsigned n = JIT_TMP_COUNT; n-- > TMP_FIRST;)
		l->free_tmp[l->free_count++] = (uint16_t)n;
	memset(l->release, 0, (l->seq_count + 1u) * sizeof(l->release[0]));
}

static void mark_insns(struct interp_lowerer *l, unsigned insn)
{
	while (l->insn_count <= insn && l->insn_count < l->ir->insn_count) {
		l->insns[l->insn_count] = (struct interp_insn){
			.first_op = l->out_count,
			.pc_delta = l->ir->insns[l->insn_count].pc_delta,
		};
		l->insn_count++;
	}
}

/* Copy what was emitted into one allocation, ids turned to addresses. */
static void finish(struct interp_lowerer *l, struct interp_block *block)
{
	const void *const *handlers = interp_handlers();
	size_t ops = l->out_count * sizeof(struct interp_op), exits, insns;
	struct ir_native *natives;
	uint8_t *m;

	exits = l->exit_count * sizeof(struct interp_exit);
	insns = l->insn_count * sizeof(struct interp_insn);
	block->size = (uint32_t)(ops + l->native_bytes + exits + insns);
	m = block->memory = g_malloc(block->size);
	block->code = (void *)m;
	natives = (void *)(m + ops);
	block->exits = (void *)(m + ops + l->native_bytes);
	block->insns = (void *)(m + ops + l->native_bytes + exits);
	block->op_count = l->out_count;
	block->exit_count = l->exit_count;
	block->insn_count = l->insn_count;
	block->pc_mask = ~UINT64_C(0) >> (64 - (8u << l->ir->pc_size));
	memcpy(block->code, l->out, ops);
	memcpy(block->exits, l->exits, exits);
	memcpy(block->insns, l->insns, insns);
	for (uint32_t i = 0; i < block->op_count; i++) {
		struct interp_op *o = &block->code[i];
		uintptr_t id = (uintptr_t)o->handler;

		if (id == IH_NATIVE) { /* the builder's arena goes, the block stays */
			*natives = *(const struct ir_native *)(uintptr_t)o->imm;
			o->imm = (uint64_t)(uintptr_t)natives++;
		}
		o->handler = handlers[id];
	}
}

bool interp_lower(struct interp_lowerer *l, struct interp_block *block, const struct ir_block *ir)
{
	l->ir = ir;
	lower_place(l);
	begin(l);
	for (uint16_t p = 1; p < l->seq_count && !l->is_full; p++) {
		uint16_t i = l->seq[p];

		/* Recording belongs to the end of the instruction before. */
		if (l->record_at[p])
			emit_record(l, l->record_at[p]);
		mark_insns(l, l->op[i].insn);
		if (!l->op[i].is_fused)
			lower_op(l, i);
		release_dead(l, p);
		if (l->out_count + 16 > ARRAY_SIZE(l->out))
			l->is_full = true;
	}
	if (l->is_full)
		return false;
	finish(l, block);
	return true;
}

void interp_block_fini(struct interp_block *block)
{
	g_free(block->memory);
	block->memory = NULL;
}

struct interp_lowerer *interp_lowerer_new(const struct ir_state_desc *desc)
{
	struct interp_lowerer *l = g_malloc0(sizeof(*l));

	l->desc = desc;
	l->word_count = desc->size / 8 + 10;
	l->words = g_new0(struct lower_word, l->word_count);
	return l;
}

void interp_lowerer_free(struct interp_lowerer *l)
{
	if (!l)
		return;
	g_free(l->words);
	g_free(l);
}
