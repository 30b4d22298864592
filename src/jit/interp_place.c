/* jit/interp_place.c - lowering: in which order ops are emitted and where their values live.
 *
 * - An address made by LEA or PC is computed by the loads and stores that use it.
 * - A pure op whose only reader is a PUT behind an op that may leave moves down to the PUT.
 * - A PUT of a whole register is done by the op that makes the value, when nobody can tell.
 * - A GET is no copy: readers look at the register itself, as long as nobody has written it.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/ir_eval.h"
#include "jit/interp_lower.h"

static bool is_plain_access(const struct ir_op *op)
{
	return (op->code == IR_LOAD || op->code == IR_STORE) && !op->c;
}

bool lower_store_imm(const struct interp_lowerer *l, const struct ir_op *op, uint64_t *packed)
{
	const struct ir_op *v = &l->ir->ops[op->b];
	int64_t value = (int64_t)ir_sign(ir_size_log2(op), v->imm);

	if (v->code != IR_CONST || op->c || l->op[op->a].is_fused || value != (int32_t)value ||
	    (int64_t)op->imm != (int32_t)op->imm)
		return false;
	*packed = (uint64_t)value << 32 | (uint32_t)op->imm;
	return true;
}

/* ---- counting ---- */

static void count_uses(struct interp_lowerer *l)
{
	const struct ir_block *ir = l->ir;
	unsigned k = 0;

	for (uint16_t i = 1; i < ir->op_count; i++) {
		const struct ir_op *op = &ir->ops[i];
		const uint16_t v[3] = { op->a, op->b, op->c };

		while (k + 1 < ir->insn_count && ir->insns[k + 1].first_op <= i)
			k++;
		l->op[i].insn = (uint16_t)k;
		for (unsigned n = 0; n < 3; n++) {
			if (!ir_operand_is_value(op, n))
				continue;
			l->op[v[n]].uses++;
			l->op[v[n]].user = i;
		}
		if (is_plain_access(op) && (ir->ops[op->a].code == IR_PC || !op->imm ||
					    ir_size_log2(&ir->ops[op->a]) == 3))
			l->op[op->a].base_uses++;
	}
}

static void choose_fused(struct interp_lowerer *l)
{
	for (uint16_t i = 1; i < l->ir->op_count; i++) {
		const struct ir_op *op = &l->ir->ops[i];
		struct lower_op *lo = &l->op[i];

		if (op->code == IR_LEA)
			lo->is_fused = lo->uses && lo->uses == lo->base_uses && ir_size(op) >= 4;
		else if (op->code == IR_PC)
			lo->is_fused = lo->uses && lo->uses == lo->base_uses &&
				       l->ir->pc_size == 3 && ir_size(op) == 8;
		else if (op->code == IR_COND)
			lo->is_fused = lo->uses == 1 && l->ir->ops[lo->user].code == IR_EXIT_IF;
	}
}

/* ---- order ---- */

static bool is_sinkable(const struct interp_lowerer *l, const struct ir_op *put, uint16_t put_at)
{
	const struct ir_op *v = &l->ir->ops[put->a];
	const struct lower_op *lo = &l->op[put->a];

	if (lo->uses != 1 || lo->is_fused || v->form & IR_FORM_FLAGS ||
	    !(ir_info[v->code].props & IR_PROP_PURE) || v->code == IR_CONST || v->code == IR_COND)
		return false;
	for (unsigned n = 0; n < 3; n++)
		if (ir_operand_is_flags(v, n))
			return false;
	for (unsigned i = put->a + 1u; i < put_at; i++)
		if (ir_may_leave(&l->ir->ops[i]))
			return true;
	return false;
}

static void append(struct interp_lowerer *l, uint16_t i)
{
	l->op[i].pos = l->seq_count;
	l->seq[l->seq_count++] = i;
}

static void choose_order(struct interp_lowerer *l)
{
	const struct ir_block *ir = l->ir;

	for (uint16_t i = 1; i < ir->op_count; i++)
		if (ir->ops[i].code == IR_PUT && is_sinkable(l, &ir->ops[i], i))
			l->op[ir->ops[i].a].pos = LOWER_NEVER;
	l->seq_count = 1;
	for (uint16_t i = 1; i < ir->op_count; i++) {
		if (ir->ops[i].code == IR_PUT && l->op[ir->ops[i].a].pos == LOWER_NEVER) {
			l->op[ir->ops[i].a].insn = l->op[i].insn;
			append(l, ir->ops[i].a);
		}
		if (l->op[i].pos == 0)
			append(l, i);
	}
}

static void find_leaves(struct interp_lowerer *l)
{
	uint16_t leave = 0, stop = 0, insn = 0;
	bool stores = false;

	for (uint16_t p = 1; p < l->seq_count; p++) {
		uint16_t i = l->seq[p];
		const struct ir_op *op = &l->ir->ops[i];

		if (l->op[i].insn != insn) {
			insn = l->op[i].insn;
			stop = stores ? p : stop;
			stores = false;
		}
		l->last_leave[p] = leave;
		l->last_stop[p] = stop;
		if (ir_may_leave(op))
			leave = p;
		stores |= ir_may_store(op);
	}
}

/* ---- uses by position ---- */

static void use_at(struct interp_lowerer *l, uint16_t v, uint16_t p, unsigned width)
{
	struct lower_op *lo = &l->op[v];

	if (!v)
		return;
	if (lo->is_fused && l->ir->ops[v].code == IR_LEA) {
		use_at(l, l->ir->ops[v].a, p, ir_size(&l->ir->ops[v]));
		use_at(l, l->ir->ops[v].b, p, ir_size(&l->ir->ops[v]));
		return;
	}
	if (lo->last_use < p)
		lo->last_use = p;
	if (lo->width < width)
		lo->width = (uint8_t)width;
}

static void use_bits_at(struct interp_lowerer *l, uint16_t f, uint16_t p)
{
	if (f && l->op[f].bits_last < p)
		l->op[f].bits_last = p;
}

/* The operands of an arithmetic op: for its value, for evaluating or recording its flags. */
static void use_operands_at(struct interp_lowerer *l, const struct ir_op *op, uint16_t p)
{
	unsigned size = ir_size(op);

	if (ir_operand_is_value(op, 0))
		use_at(l, op->a, p, size);
	if (ir_operand_is_value(op, 1))
		use_at(l, op->b, p, size);
	if (ir_operand_is_flags(op, 2))
		use_bits_at(l, op->c, p);
}

static void use_cond_at(struct interp_lowerer *l, const struct ir_op *cond, enum lower_cond how,
			uint16_t p)
{
	const struct ir_op *f = &l->ir->ops[cond->a];

	if (how == COND_BY_COMPARE)
		use_operands_at(l, f, p);
	else if (how == COND_BY_RESULT)
		use_at(l, cond->a, p, ir_size(f));
	else if (how == COND_BY_BITS)
		use_bits_at(l, cond->a, p);
}

static void use_record_at(struct interp_lowerer *l, uint16_t f, uint16_t p)
{
	const struct ir_op *op = &l->ir->ops[f];

	if (op->code == IR_FLAGS_GET || op->code == IR_FLAGS_MERGE)
		use_bits_at(l, f, p);
	else
		use_operands_at(l, op, p);
}

static unsigned operand_width(const struct ir_op *op, unsigned n)
{
	switch (op->code) {
	case IR_LOAD:
	case IR_VLOAD:
	case IR_VSTORE:
	case IR_CALL:
	case IR_CALL_IF:
	case IR_NATIVE:
	case IR_WIDER:
	case IR_SELECT:
	case IR_EXIT_IF:
	case IR_EXIT_TO: return 8;
	case IR_STORE:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_AND:
	case IR_ATOMIC_OR:
	case IR_ATOMIC_XOR:
	case IR_ATOMIC_CAS: return n ? ir_size(op) : 8;
	default: return ir_size(op);
	}
}

static void use_all_at(struct interp_lowerer *l, uint16_t i, uint16_t p)
{
	const struct ir_op *op = &l->ir->ops[i];
	const uint16_t v[3] = { op->a, op->b, op->c };
	uint64_t packed;

	if (op->code == IR_COND) {
		if (!l->op[i].is_fused)
			use_cond_at(l, op, l->op[i].cond, p);
		return;
	}
	if (op->code == IR_EXIT_IF && l->op[op->a].is_fused) {
		use_cond_at(l, &l->ir->ops[op->a], l->op[op->a].cond, p);
		return;
	}
	for (unsigned n = 0; n < 3; n++) {
		if (ir_operand_is_flags(op, n) && op->code != IR_FLAGS_PUT)
			use_bits_at(l, v[n], p);
		if (!ir_operand_is_value(op, n) ||
		    (op->code == IR_PUT && lower_is_const(l, v[n])) ||
		    (op->code == IR_STORE && n == 1 && lower_store_imm(l, op, &packed)))
			continue;
		use_at(l, v[n], p, operand_width(op, n));
	}
}

static void find_uses(struct interp_lowerer *l)
{
	for (uint16_t p = 1; p < l->seq_count; p++) {
		uint16_t i = l->seq[p];

		if (l->record_at[p])
			use_record_at(l, l->record_at[p], p);
		if (!l->op[i].is_fused)
			use_all_at(l, i, p);
	}
}

/* ---- values in the guest's registers ---- */

static struct lower_word *word_at(struct interp_lowerer *l, uint64_t offset, uint16_t fresh_write)
{
	struct lower_word *w =
		&l->words[offset / 8 < l->word_count ? offset / 8 : l->word_count - 1];

	if (w->stamp != l->stamp)
		*w = (struct lower_word){ .stamp = l->stamp, .write = fresh_write };
	return w;
}

static bool makes_value_anywhere(const struct ir_op *op)
{
	return ir_info[op->code].props & IR_PROP_RESULT && op->code != IR_CONST &&
	       op->code != IR_GET && op->code != IR_FLAGS_GET && op->code != IR_FLAGS_OF &&
	       op->code != IR_FLAGS_MERGE;
}

/* Could the op that makes the value write the register itself, as far as what lies between goes? */
static void find_early_puts(struct interp_lowerer *l)
{
	uint16_t clobber = 0;

	l->stamp++;
	for (uint16_t p = 1; p < l->seq_count; p++) {
		uint16_t i = l->seq[p];
		const struct ir_op *op = &l->ir->ops[i];
		struct lower_word *w;

		if (op->code == IR_GET || op->code == IR_PUT) {
			w = word_at(l, op->imm, 0);
			if (op->code == IR_PUT) {
				const struct lower_op *v = &l->op[op->a];

				l->op[i].is_put_early = ir_size(op) == 8 && !(op->imm & 7) &&
							!lower_covers_flags(l, op) &&
							makes_value_anywhere(&l->ir->ops[op->a]) &&
							!v->is_fused &&
							l->last_leave[p] <= v->pos &&
							l->last_stop[p] <= v->pos &&
							clobber <= v->pos && w->get <= v->pos &&
							w->write <= v->pos;
				w->write = p;
				word_at(l, op->imm + ir_size(op) - 1, 0)->write = p;
			} else {
				w->get = p;
				word_at(l, op->imm + ir_size(op) - 1, 0)->get = p;
			}
		} else if (op->code == IR_VLOAD) {
			for (unsigned n = 0; n <= op->b; n += 8)
				word_at(l, op->c * 8u + n, 0)->write = p;
		} else if (ir_clobbers_state(op)) {
			clobber = p;
		}
	}
}

static void place_put(struct interp_lowerer *l, uint16_t i, uint16_t p, uint16_t next_all)
{
	const struct ir_op *op = &l->ir->ops[i];
	struct lower_word *w = word_at(l, op->imm, LOWER_NEVER);
	struct lower_op *v = &l->op[op->a];

	if (l->op[i].is_put_early && !v->loc && v->last_use <= w->write &&
	    v->last_use <= next_all) {
		v->loc = (uint16_t)op->imm;
		w->write = v->pos;
		return;
	}
	l->op[i].is_put_early = false;
	w->write = p;
	word_at(l, op->imm + ir_size(op) - 1, LOWER_NEVER)->write = p;
}

static void place_get(struct interp_lowerer *l, uint16_t i, uint16_t next_all)
{
	const struct ir_op *op = &l->ir->ops[i];
	const struct lower_word *w = word_at(l, op->imm, LOWER_NEVER);
	const struct lower_word *x = word_at(l, op->imm + ir_size(op) - 1, LOWER_NEVER);
	struct lower_op *v = &l->op[i];

	if (v->width <= ir_size(op) && v->last_use <= w->write && v->last_use <= x->write &&
	    v->last_use <= next_all && !lower_covers_flags(l, op))
		v->loc = (uint16_t)op->imm;
}

static void place_in_registers(struct interp_lowerer *l)
{
	uint16_t next_all = LOWER_NEVER;

	l->stamp++;
	for (uint16_t p = l->seq_count; p-- > 1;) {
		uint16_t i = l->seq[p];
		const struct ir_op *op = &l->ir->ops[i];

		if (op->code == IR_PUT)
			place_put(l, i, p, next_all);
		else if (op->code == IR_GET)
			place_get(l, i, next_all);
		else if (op->code == IR_VLOAD)
			for (unsigned n = 0; n <= op->b; n += 8)
				word_at(l, op->c * 8u + n, LOWER_NEVER)->write = p;
		else if (ir_clobbers_state(op))
			next_all = p;
	}
}

void lower_place(struct interp_lowerer *l)
{
	memset(l->op, 0, l->ir->op_count * sizeof(l->op[0]));
	count_uses(l);
	choose_fused(l);
	choose_order(l);
	find_leaves(l);
	lower_place_flags(l);
	find_uses(l);
	find_early_puts(l);
	place_in_registers(l);
}
