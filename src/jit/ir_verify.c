/* jit/ir_verify.c - the rules every block keeps.  Tests run it on each translation.
 * SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "jit/ir_info.h"

struct verify {
	const struct ir_block *blk;
	char *error;
	size_t size;
	unsigned at;
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct verify *v, const char *fmt,
							...)
{
	va_list ap;
	int n = snprintf(v->error, v->size, "op %u (%s): ", v->at,
			 v->blk->ops[v->at].code < IR_CODE_COUNT
				 ? ir_text[v->blk->ops[v->at].code].name
				 : "?");

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < v->size)
		vsnprintf(v->error + n, v->size - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* May flags operand n of op be left out?  Where the op's own flags are not wanted, or don't need
 * it. */
static bool flags_operand_is_optional(const struct ir_op *op)
{
	if (op->code >= IR_SHL && op->code <= IR_SAR)
		return !(op->form & IR_FORM_FLAGS) || ir_has_imm(op);
	if (op->code == IR_ROL || op->code == IR_ROR || op->code == IR_INC || op->code == IR_DEC)
		return !(op->form & IR_FORM_FLAGS);
	return false;
}

static bool verify_operand(const struct verify *v, const struct ir_op *op, unsigned n, uint16_t x)
{
	const struct ir_op *d;

	if (!x) {
		if (ir_operand_is_flags(op, n) && flags_operand_is_optional(op))
			return true;
		if (op->code == IR_CALL || op->code == IR_NATIVE || (op->code == IR_CALL_IF && n) ||
		    (op->code == IR_LEA && op->a | op->b) ||
		    (op->code >= IR_ATOMIC_XCHG && op->code <= IR_ATOMIC_XOR && n == 2))
			return true;
		return wrong(v, "operand %c is missing", 'a' + (int)n);
	}
	if (x >= v->at)
		return wrong(v, "operand %%%u is not defined yet", x);
	d = &v->blk->ops[x];
	if (ir_operand_is_flags(op, n)) {
		if (!(ir_info[d->code].props & IR_PROP_FLAGS))
			return wrong(v, "%%%u has no flags", x);
		if (!(d->form & IR_FORM_FLAGS) && (op->form & IR_FORM_FLAGS || op->code == IR_COND))
			return wrong(v, "%%%u is not marked as yielding flags", x);
	} else if (!(ir_info[d->code].props & IR_PROP_RESULT) || d->code == IR_FLAGS_GET ||
		   d->code == IR_FLAGS_OF || d->code == IR_FLAGS_MERGE) {
		return wrong(v, "%%%u has no value", x);
	}
	return true;
}

static bool verify_numbers(const struct verify *v, const struct ir_op *op)
{
	switch (op->code) {
	case IR_SEXT:
		if (!op->b || op->b > 8 || op->b & (op->b - 1) || op->b <= ir_size(op))
			return wrong(v, "cannot extend %u bytes to %u", ir_size(op), op->b);
		break;
	case IR_LEA:
		if (op->c > 3)
			return wrong(v, "index shifted by %u", op->c);
		if (ir_size(op) == 1)
			return wrong(v, "addresses have 2, 4 or 8 bytes");
		break;
	case IR_WIDER:
		if (!op->b || op->b > 64)
			return wrong(v, "%u bits", op->b);
		break;
	case IR_CMP:
		if (op->c > IR_GTS)
			return wrong(v, "no comparison %u", op->c);
		break;
	case IR_COND:
		if (op->b > IR_COND_G)
			return wrong(v, "no condition %u", op->b);
		break;
	case IR_BSWAP:
		if (ir_size(op) == 1)
			return wrong(v, "one byte has no order");
		break;
	case IR_VLOAD:
	case IR_VSTORE:
		if (!op->b || op->b > 64)
			return wrong(v, "%u bytes", op->b);
		break;
	case IR_EXIT:
		if (op->b > IR_BRANCH_CALL)
			return wrong(v, "no direct branch of kind %u", op->b);
		break;
	case IR_EXIT_TO:
		if (op->b > IR_BRANCH_RET)
			return wrong(v, "no branch of kind %u", op->b);
		break;
	case IR_FENCE:
		if (!op->a || op->a > 3)
			return wrong(v, "fence %u", op->a);
		break;
	case IR_CALL:
	case IR_CALL_IF:
	case IR_NATIVE:
		if (!op->imm)
			return wrong(v, "calls nothing");
		break;
	default: break;
	}
	return true;
}

static bool verify_insns(struct verify *v)
{
	const struct ir_block *blk = v->blk;
	unsigned last = 1;

	for (unsigned k = 0; k < blk->insn_count; k++) {
		const struct ir_insn *in = &blk->insns[k];

		v->at = 0;
		if (in->first_op < last || in->first_op > blk->op_count)
			return wrong(v, "instruction %u begins at op %u", k, in->first_op);
		last = in->first_op;
		if (in->flags_op && (in->flags_op >= in->first_op ||
				     !(ir_info[blk->ops[in->flags_op].code].props & IR_PROP_FLAGS)))
			return wrong(v, "flags of instruction %u cannot be %%%u", k, in->flags_op);
	}
	return true;
}

/* The first operand of an access is counted, but is no last use. */
static bool is_address(const struct ir_op *op, unsigned n)
{
	return !n && op->code >= IR_LOAD && op->code <= IR_VSTORE;
}

static bool verify_uses(struct verify *v)
{
	const struct ir_block *blk = v->blk;

	for (v->at = 1; v->at < blk->op_count; v->at++) {
		unsigned code = blk->ops[v->at].code;
		bool is_seen = code != IR_NOP && !(ir_info[code].props & IR_PROP_RESULT);
		struct ir_use want = { .count = is_seen }, is = blk->uses[v->at];

		for (unsigned i = v->at + 1; i < blk->op_count; i++) {
			const struct ir_op *op = &blk->ops[i];
			const uint16_t x[3] = { op->a, op->b, op->c };

			for (unsigned n = 0; n < 3; n++) {
				if (!ir_operand_is_value(op, n) || x[n] != v->at)
					continue;
				want.count++;
				if (!is_address(op, n))
					want.last = (uint16_t)i;
			}
		}
		if (want.count != is.count || want.last != is.last)
			return wrong(v, "%u uses until %u, not %u until %u", want.count, want.last,
				     is.count, is.last);
	}
	return true;
}

bool ir_verify(const struct ir_block *blk, char *error, size_t error_size)
{
	struct verify v = { .blk = blk, .error = error, .size = error_size };

	if (!blk->op_count || blk->ops[0].code != IR_NOP)
		return wrong(&v, "op 0 must be a nop");
	for (v.at = 1; v.at < blk->op_count; v.at++) {
		const struct ir_op *op = &blk->ops[v.at];
		const uint16_t x[3] = { op->a, op->b, op->c };

		if (op->code >= IR_CODE_COUNT)
			return wrong(&v, "no such operation");
		for (unsigned n = 0; n < 3; n++)
			if ((ir_operand_is_value(op, n) || ir_operand_is_flags(op, n)) &&
			    !verify_operand(&v, op, n, x[n]))
				return false;
		if (!verify_numbers(&v, op))
			return false;
		if (!(ir_info[op->code].props & IR_PROP_ENDS) != (v.at + 1u < blk->op_count))
			return wrong(&v, v.at + 1u < blk->op_count ? "ends the block before its end"
								   : "does not end the block");
	}
	return verify_insns(&v) && verify_uses(&v);
}
