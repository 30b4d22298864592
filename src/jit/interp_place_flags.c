/* jit/interp_place_flags.c - lowering: where flags are recorded and how conditions are computed.
 *
 * The record in env->flags_* stands for the flags slot.  Wherever the state must be exact (an op
 * that may leave) it must describe the architectural flags of the instruction's start.  Normally
 * the producer records while it computes; when something may leave between it and its instruction's
 * end (a store of the result), a separate op records at the start of the next instruction.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/interp_lower.h"

/* Scanning state: which flags value the record or the slot stands for. */
struct scan {
	struct interp_lowerer *l;
	uint16_t current; /* 0: what the slot held at entry or a helper left; NEVER: unknown */
	bool is_lazy;     /* known to be recorded, not in the slot */
	uint16_t barrier; /* position before which no record may be moved */
};

int lower_cond_by_result(const struct ir_op *producer, enum ir_cond c)
{
	static const int8_t logic[16] = { -1,          -1,          -1,          -1,
					  INTERP_Z_EQ, INTERP_Z_NE, INTERP_Z_EQ, INTERP_Z_NE,
					  INTERP_Z_LT, INTERP_Z_GE, -1,          -1,
					  INTERP_Z_LT, INTERP_Z_GE, INTERP_Z_LE, INTERP_Z_GT };
	static const int8_t plain[16] = { -1,          -1,          -1, -1,
					  INTERP_Z_EQ, INTERP_Z_NE, -1, -1,
					  INTERP_Z_LT, INTERP_Z_GE, -1, -1,
					  -1,          -1,          -1, -1 };

	switch (producer->code) {
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_ANDN: return logic[c];
	case IR_ADD:
	case IR_SUB:
	case IR_ADC:
	case IR_SBB:
	case IR_NEG:
	case IR_INC:
	case IR_DEC:
	case IR_MUL: return plain[c];
	case IR_SHL:
	case IR_SHR:
	case IR_SAR: return producer->c ? -1 : plain[c];
	default: return -1;
	}
}

int lower_cond_as_cmp(enum ir_cond c)
{
	static const int8_t cmp[16] = { -1, -1, IR_LTU, IR_GEU, IR_EQ,  IR_NE,  IR_LEU, IR_GTU,
					-1, -1, -1,     -1,     IR_LTS, IR_GES, IR_LES, IR_GTS };

	return cmp[c];
}

bool lower_covers_flags(const struct interp_lowerer *l, const struct ir_op *op)
{
	uint32_t at = l->desc->flags_offset;

	return (op->code == IR_GET || op->code == IR_PUT) && op->imm < at + 4 &&
	       at < op->imm + ir_size(op);
}

static bool is_arithmetic(const struct ir_op *op)
{
	return op->code >= IR_ADD && op->code <= IR_RCR && op->code != IR_NOT;
}

static bool is_variable_shift(const struct ir_op *op)
{
	return op->code >= IR_SHL && op->code <= IR_SAR && op->c;
}

/* Somebody at position p must find flags value f recorded. */
static void want_record(struct scan *s, uint16_t f, uint16_t p)
{
	struct interp_lowerer *l = s->l;
	const struct ir_op *op = &l->ir->ops[f];
	struct lower_op *lo = &l->op[f];

	if (s->current == f)
		return;
	if (is_arithmetic(op) && l->last_leave[p] < lo->pos && s->barrier < lo->pos &&
	    (l->last_stop[p] <= lo->pos || l->last_stop[p] == p) &&
	    (!is_variable_shift(op) || s->current == op->c)) {
		lo->is_recorded = true;
		lo->is_keeping = is_variable_shift(op);
		s->barrier = lo->pos;
	} else {
		l->record_at[p] = f;
		s->barrier = p;
	}
	s->current = f;
}

/* What op at position p does to the record. */
static void scan_op(struct scan *s, uint16_t i, uint16_t p)
{
	const struct ir_op *op = &s->l->ir->ops[i];

	if (op->code == IR_FLAGS_GET) {
		if (!s->current)
			s->current = i;
		s->barrier = p;
	} else if (op->code == IR_CALL || op->code == IR_CALL_IF) {
		const struct ir_helper *h = (const void *)(uintptr_t)op->imm;

		if (h->reads_flags || h->writes_flags) {
			s->is_lazy = false;
			s->barrier = p;
		}
		if (h->writes_flags)
			s->current = 0;
	} else if (lower_covers_flags(s->l, op)) {
		s->is_lazy = false;
		s->barrier = p;
		if (op->code == IR_PUT)
			s->current = LOWER_NEVER;
	}
}

static void find_records(struct interp_lowerer *l)
{
	struct scan s = { .l = l };
	unsigned k = 0;

	for (uint16_t p = 1; p < l->seq_count; p++) {
		uint16_t i = l->seq[p];
		const struct ir_op *op = &l->ir->ops[i];

		for (; k < l->ir->insn_count && k <= l->op[i].insn; k++)
			if (l->ir->insns[k].flags_op)
				want_record(&s, l->ir->insns[k].flags_op, p);
		if (op->code == IR_FLAGS_PUT)
			want_record(&s, op->a, p);
		scan_op(&s, i, p);
	}
}

/* COND c at position p, the record standing for s->current. */
static enum lower_cond choose_cond(const struct scan *s, const struct ir_op *cond)
{
	const struct ir_op *f = &s->l->ir->ops[cond->a];

	if (s->current == cond->a && s->is_lazy && f->code == IR_SUB)
		return COND_BY_SUB;
	if (lower_cond_by_result(f, cond->b) >= 0)
		return COND_BY_RESULT;
	if (f->code == IR_SUB && lower_cond_as_cmp(cond->b) >= 0)
		return COND_BY_COMPARE;
	return s->current == cond->a ? COND_BY_RECORD : COND_BY_BITS;
}

static void place_cond(struct scan *s, uint16_t i)
{
	const struct ir_op *op = &s->l->ir->ops[i];

	if (op->code == IR_COND && !s->l->op[i].is_fused)
		s->l->op[i].cond = (uint8_t)choose_cond(s, op);
	else if (op->code == IR_EXIT_IF && s->l->op[op->a].is_fused)
		s->l->op[op->a].cond = (uint8_t)choose_cond(s, &s->l->ir->ops[op->a]);
}

static void find_conditions(struct interp_lowerer *l)
{
	struct scan s = { .l = l };

	for (uint16_t p = 1; p < l->seq_count; p++) {
		uint16_t i = l->seq[p];

		if (l->record_at[p]) {
			s.current = l->record_at[p];
			s.is_lazy = true;
		}
		place_cond(&s, i);
		scan_op(&s, i, p);
		if (l->op[i].is_recorded) {
			s.current = i;
			s.is_lazy = !l->op[i].is_keeping;
		}
	}
}

static void demand(struct interp_lowerer *l, uint16_t f, enum lower_demand d)
{
	if (f && l->op[f].demand < d)
		l->op[f].demand = (uint8_t)d;
}

/* What op asks of its flags operands. */
static void demand_operands(struct interp_lowerer *l, uint16_t i, bool has_separate_record)
{
	const struct ir_op *op = &l->ir->ops[i];
	const struct lower_op *lo = &l->op[i];
	bool flags_wanted = lo->is_recorded || lo->demand || has_separate_record;

	switch (op->code) {
	case IR_ADC:
	case IR_SBB: demand(l, op->c, DEMAND_CARRY); break;
	case IR_INC:
	case IR_DEC:
		if (flags_wanted)
			demand(l, op->c, DEMAND_CARRY);
		break;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
		if (lo->demand || has_separate_record || (lo->is_recorded && !lo->is_keeping))
			demand(l, op->c, DEMAND_FULL);
		break;
	case IR_ROL:
	case IR_ROR:
		if (flags_wanted)
			demand(l, op->c, DEMAND_FULL);
		break;
	case IR_RCL:
	case IR_RCR: demand(l, op->c, flags_wanted ? DEMAND_FULL : DEMAND_CARRY); break;
	case IR_FLAGS_TO: demand(l, op->a, DEMAND_FULL); break;
	case IR_FLAGS_MERGE:
		if (!lo->demand)
			break;
		demand(l, op->a, DEMAND_FULL);
		demand(l, op->b, DEMAND_FULL);
		break;
	case IR_COND:
		if (lo->cond == COND_BY_BITS)
			demand(l, op->a, DEMAND_FULL);
		break;
	default: break;
	}
}

static void find_demands(struct interp_lowerer *l)
{
	static __thread bool separate[IR_MAX_OPS];

	memset(separate, 0, l->ir->op_count);
	for (uint16_t p = 1; p < l->seq_count; p++) {
		uint16_t f = l->record_at[p];

		if (!f)
			continue;
		separate[f] = true;
		if (!is_arithmetic(&l->ir->ops[f]) && l->ir->ops[f].code != IR_FLAGS_OF)
			demand(l, f, DEMAND_FULL);
	}
	for (unsigned i = l->ir->op_count; i-- > 1;)
		demand_operands(l, (uint16_t)i, separate[i]);
}

void lower_place_flags(struct interp_lowerer *l)
{
	memset(l->record_at, 0, (l->seq_count + 1u) * sizeof(l->record_at[0]));
	find_records(l);
	find_conditions(l);
	find_demands(l);
}
