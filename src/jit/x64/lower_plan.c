/* jit/x64/lower_plan.c - before a block is lowered: who uses which value until when, which results
 * go straight to the register they are put into, which operations are done elsewhere.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/x64/lower.h"

static bool has_flags(const struct ir_op *op) { return op->form & IR_FORM_FLAGS; }

#define CODE(code) (UINT64_C(1) << IR_##code)
BUILD_ASSERT(IR_CODE_COUNT <= 64);

static inline bool is_among(const struct ir_op *op, uint64_t codes)
{
	return codes >> op->code & 1;
}

/* LEA and what is like it: can be part of an address, costs nothing until asked for. */
static inline bool is_lazy_code(const struct ir_op *op)
{
	return is_among(op, CODE(PC) | CODE(LEA)) ||
	       (op->code == IR_ADD && ir_size(op) >= 4 && !has_flags(op));
}

bool lower_is_lazy(const struct x64_compiler *c, unsigned i)
{
	return is_lazy_code(op_at(c, i)) && !c->plan[i].put;
}

/* Of operations whose result is a value somewhere anyway; the others' is FORM_AB. */
const uint8_t lower_form_of_used[IR_CODE_COUNT] = {
	[IR_ADD] = FORM_RB, [IR_SUB] = FORM_RB, [IR_AND] = FORM_R,
	[IR_OR] = FORM_R,   [IR_XOR] = FORM_R,  [IR_ANDN] = FORM_R,
	[IR_INC] = FORM_R,  [IR_DEC] = FORM_R,  [IR_NEG] = FORM_N,
};
BUILD_ASSERT(!FORM_AB);

/* What computes a value of values, and that is all: wants nothing of others. */
#define PLAIN                                                                                  \
	(CODE(NOP) | CODE(CONST) | CODE(PC) | CODE(MOV) | CODE(SEXT) | CODE(ADD) | CODE(SUB) | \
	 CODE(AND) | CODE(OR) | CODE(XOR) | CODE(ANDN) | CODE(NEG) | CODE(NOT) | CODE(MUL) |   \
	 CODE(MULUH) | CODE(MULSH) | CODE(BSWAP) | CODE(CLZ) | CODE(CTZ) | CODE(POPCNT) |      \
	 CODE(LEA) | CODE(SELECT) | CODE(FLAGS_OF) | CODE(FLAGS_GET))

/* ---- uses ---- */

static void extend(uint16_t *last, unsigned pos)
{
	if (*last < pos)
		*last = (uint16_t)pos;
}

/* What a call pushed is asked for once more when it leaves. */
static void plan_call(struct x64_compiler *c)
{
	unsigned last = c->ir->op_count - 1u;
	const struct ir_op *op = op_at(c, last);

	if ((op->code == IR_EXIT || op->code == IR_EXIT_TO) && op->b == IR_BRANCH_CALL &&
	    pair_is_possible(c))
		extend(&c->plan[pair_pushed(c, last)].last_use, last);
}

/* COND, CMP or WIDER i whose one user can ask for the condition itself. */
static void plan_fused(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i), *user;
	unsigned at = c->plan[i].last_use;

	if (c->plan[i].uses != 1)
		return;
	user = op_at(c, at);
	if (user->a != i ||
	    (user->code != IR_EXIT_IF && user->code != IR_CALL_IF && user->code != IR_SELECT))
		return;
	c->plan[i].is_fused = true;
	if (op->code != IR_COND)
		extend(&c->plan[op->a].last_use, at);
	if (op->code == IR_CMP && !ir_has_imm(op))
		extend(&c->plan[op->b].last_use, at);
}

/* ---- read-modify-write ---- */

static bool can_modify(const struct ir_op *op)
{
	switch (op->code) {
	case IR_ADD:
	case IR_SUB:
	case IR_ADC:
	case IR_SBB:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_NEG:
	case IR_NOT:
	case IR_INC:
	case IR_DEC: return true;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROL:
	case IR_ROR: return ir_has_imm(op) && !op->c;
	default: return false;
	}
}

/* LOAD i, an operation, a STORE to the same place, and nothing else that matters between. */
static void plan_modify(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *load = op_at(c, i);
	unsigned j = c->plan[i].last_use, k;

	if (!(load->b & IR_MEM_RMW) || load->c || c->plan[i].uses != 1 ||
	    !can_modify(op_at(c, j)) || op_at(c, j)->a != i ||
	    ir_size(op_at(c, j)) != ir_size(load))
		return;
	for (k = i + 1; k < c->ir->op_count; k++) {
		const struct ir_op *op = op_at(c, k);

		if (op->code == IR_STORE)
			break;
		if (ir_may_leave(op) || op->code == IR_PUT || op->code == IR_FLAGS_PUT ||
		    (k > j && op->a == j && ir_operand_is_value(op, 0)) ||
		    (k > j && op->b == j && ir_operand_is_value(op, 1)) ||
		    (k > j && op->c == j && ir_operand_is_value(op, 2)))
			return;
	}
	if (k >= c->ir->op_count || k < j || op_at(c, k)->b != j || op_at(c, k)->a != load->a ||
	    op_at(c, k)->imm != load->imm || op_at(c, k)->c ||
	    ir_size(op_at(c, k)) != ir_size(load) || k >= insn_end(c, c->plan[i].insn))
		return;
	c->plan[i].modify = c->plan[j].modify = (uint16_t)k;
	c->plan[k].modify = (uint16_t)j;
	if (ir_operand_is_value(op_at(c, j), 1))
		extend(&c->plan[op_at(c, j)->b].last_use, k);
}

/* ---- results that go straight to their slot ---- */

static inline bool overlaps(const struct ir_op *op, uint64_t offset, unsigned bytes)
{
	return op->imm < offset + bytes && offset < op->imm + ir_size(op);
}

static bool put_fits(const struct ir_op *op, const struct ir_op *put)
{
	switch (op->code) {
	case IR_LOAD:
	case IR_MOV: return ir_size(put) == 8 || ir_size(put) == ir_size(op);
	case IR_SEXT: return ir_size(put) == op->b || (ir_size(put) == 8 && op->b == 4);
	case IR_GET:
	case IR_CALL:
	case IR_CONST:
	case IR_COND:
	case IR_WIDER:
	case IR_CMP: return false;
	case IR_PC:
	case IR_LEA: return ir_size(op) >= 4 && (ir_size(put) == 8 || ir_size(put) == ir_size(op));
	default:
		if (op->code >= IR_ATOMIC_XCHG && op->code <= IR_ATOMIC_CAS)
			return false;
		return ir_size(put) == ir_size(op) || (ir_size(put) == 8 && ir_size(op) == 4);
	}
}

static bool must_stay_behind(const struct x64_compiler *c, const struct ir_op *op,
			     const struct ir_op *put)
{
	unsigned size = ir_size(put);

	if (ir_may_leave(op) || ir_clobbers_state(op))
		return true;
	if (op->code == IR_GET || op->code == IR_PUT)
		return overlaps(op, put->imm, size);
	(void)c;
	return op->code == IR_VLOAD;
}

static void plan_put(struct x64_compiler *c, unsigned p)
{
	const struct ir_op *put = op_at(c, p);
	unsigned i = put->a;

	/* What is put into the low half alone leaves the upper one; AH to BH are turned. */
	if (ir_size(put) == 4 || put->imm % 8 || c->plan[i].put || c->plan[i].modify ||
	    c->plan[i].is_fused || !put_fits(op_at(c, i), put) ||
	    place_pinned(c, (uint32_t)put->imm) == X64_NO_REG)
		return;
	for (unsigned k = i + 1; k < p; k++)
		if (must_stay_behind(c, op_at(c, k), put))
			return;
	c->plan[i].put = (uint16_t)p;
}

/* ---- flags ---- */

static void ask(struct x64_compiler *c, unsigned f, unsigned pos)
{
	if (f)
		extend(&c->plan[f].flags_last, pos);
}

unsigned lower_merge_source(const struct x64_compiler *c, unsigned f, uint32_t mask)
{
	while (op_at(c, f)->code == IR_FLAGS_MERGE) {
		const struct ir_op *op = op_at(c, f);

		if (!(mask & ~(uint32_t)op->imm))
			f = op->a;
		else if (!(mask & op->imm))
			f = op->b;
		else
			break;
	}
	return f;
}

unsigned lower_flags_after(const struct x64_compiler *c, unsigned i, unsigned slot)
{
	/* Not that of the next op: instructions without any may lie between. */
	unsigned f = c->ir->insns[c->plan[i].insn + 1].flags_op;

	return f ? f : slot;
}

/* The flags that op i has for operands. */
static void plan_flags_used(struct x64_compiler *c, const struct ir_op *op, unsigned i,
			    unsigned operands)
{
	unsigned pos = c->plan[i].modify > i ? c->plan[i].modify : i;

	if (op->code == IR_COND) {
		ask(c, lower_merge_source(c, op->a, ir_cond_flags(op->b)),
		    c->plan[i].is_fused ? c->plan[i].last_use : i);
	} else if (operands & 4) { /* to begin with, its carry */
		ask(c, lower_merge_source(c, op->c, IR_C), pos);
		if (!ir_reads_carry_only(op))
			ask(c, op->c, pos);
	} else if (op->code != IR_FLAGS_PUT) {
		ask(c, op->a, pos);
		if (operands & 2)
			ask(c, op->b, pos);
	}
}

/* What the walk over the operations knows. */
struct planner {
	struct group_planner groups;
	unsigned start, slot; /* flags at the instruction's start, and in the slot */
	bool has_stored;      /* lower_check_stored() will be at the next instruction's */
};

/* Op i may leave the block, or look at all of the state. */
static void plan_flags_left(struct x64_compiler *c, const struct ir_op *op, unsigned i,
			    struct planner *p)
{
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	bool is_exit = op->code == IR_EXIT_IF || ir_info[op->code].props & IR_PROP_ENDS;

	if (op->code != IR_FENCE)
		ask(c, is_exit || !p->start ? p->slot : p->start, i);
	if (op->code != IR_CALL && op->code != IR_CALL_IF)
		return;
	if (h->reads_flags || h->writes_flags)
		ask(c, p->slot, i);
	if (h->writes_flags)
		p->slot = 0;
	p->has_stored |= op->code == IR_CALL && helper_may_store(h);
}

/* What op i wants to know of those before it. */
static void plan_op(struct x64_compiler *c, const struct ir_op *op, unsigned i, struct planner *p)
{
	switch (op->code) {
	case IR_GET:
		if (covers_flags_slot(c, op))
			ask(c, p->slot, i);
		return;
	case IR_PUT:
		plan_put(c, i);
		if (covers_flags_slot(c, op))
			ask(c, p->slot, i);
		p->groups.has_begun = true;
		return;
	case IR_FLAGS_PUT:
		p->slot = op->a;
		p->groups.has_begun = true;
		return;
	case IR_COND: plan_fused(c, i); break;
	case IR_CMP:
	case IR_WIDER: plan_fused(c, i); return;
	case IR_LOAD: plan_modify(c, i); break;
	case IR_NATIVE: c->native_count++; break;
	default: break;
	}
	if (ir_info[op->code].flags)
		plan_flags_used(c, op, i, ir_info[op->code].flags);
	if (!(ir_info[op->code].props & IR_PROP_LEAVES))
		return;
	plan_flags_left(c, op, i, p);
	group_plan(c, &p->groups, i);
}

static inline bool is_general_get(const struct x64_compiler *c, const struct ir_op *op)
{
	return op->code == IR_GET && place_is_general(c, (uint32_t)op->imm);
}

static void plan_ops(struct x64_compiler *c, bool *has_groups, bool *is_left)
{
	struct planner p; /* open groups are as many as their count says */

	p.slot = 0;
	p.has_stored = false;
	group_plan_begin(c, &p.groups);
	for (unsigned k = 0, i = 1; i < c->ir->op_count; k++) {
		unsigned end = insn_end(c, k);

		p.start = c->ir->insns[k].flags_op;
		p.groups.has_begun = false;
		if (k && i < end) {
			if (p.has_stored)
				ask(c, lower_flags_after(c, i - 1, p.slot), i);
			*is_left |= p.has_stored;
			p.has_stored = false;
			ask(c, p.start, i);
		}
		for (; i < end; i++) {
			c->plan[i].insn = (uint16_t)k;
			c->plan[i].uses = c->ir->uses[i].count;
			extend(&c->plan[i].last_use, c->ir->uses[i].last);
			if (!is_among(op_at(c, i), PLAIN) && !is_general_get(c, op_at(c, i)))
				plan_op(c, op_at(c, i), i, &p);
		}
	}
	*has_groups = group_plan_end(c);
}

/* Until when the recipe of op i's flags wants its operands; its value lives as long as that asks.
 */
static unsigned plan_recipe(struct x64_compiler *c, const struct ir_op *op, unsigned i)
{
	unsigned until = c->plan[i].flags_last;

	switch (lower_form(c, i)) {
	case FORM_AB: return until;
	case FORM_RB: /* not the first operand */
		extend(&c->plan[i].last_use, until);
		if (ir_operand_is_value(op, 1))
			extend(&c->plan[op->b].last_use, until);
		return 0;
	default: extend(&c->plan[i].last_use, until); return 0;
	}
}

/* Operands of recipes and of what is computed late live as long as these. */
static inline void plan_life(struct x64_compiler *c, const struct ir_op *op, unsigned i)
{
	const struct op_plan *p = &c->plan[i];
	unsigned until = 0, values;

	if (p->flags_last && ir_info[op->code].props & IR_PROP_FLAGS)
		until = plan_recipe(c, op, i);
	if (is_lazy_code(op) && p->last_use > until && !p->put)
		until = p->last_use;
	if (!until)
		return;
	values = ir_value_operands(op);
	extend(&c->plan[values & 1 ? op->a : 0].last_use, until);
	extend(&c->plan[values & 2 ? op->b : 0].last_use, until);
}

/* ---- what nobody sees ---- */

/* Can the block be left at op i, with the state of then? */
static bool is_left_at(struct x64_compiler *c, unsigned i, const struct ir_op *op)
{
	if (op->code == IR_CALL_IF)
		return !pair_test_late(c, i); /* which takes back what follows */
	if (op->code == IR_LOAD && c->plan[i].modify)
		return false; /* done with its STORE */
	if (group_is_address(op))
		return !group_has(c, i) || group_is_first(c, i);
	return ir_may_leave(op) || ir_clobbers_state(op);
}

/* Does op i end an instruction with a look whether a helper stored to the block? */
static bool is_left_behind(const struct x64_compiler *c, unsigned i)
{
	unsigned k = c->plan[i].insn;

	if (i + 1u >= c->ir->op_count || i + 1 != insn_end(c, k))
		return false;
	for (i = c->ir->insns[k].first_op; i < insn_end(c, k); i++) {
		const struct ir_op *op = op_at(c, i);

		if (op->code == IR_CALL && helper_may_store((const void *)(uintptr_t)op->imm))
			return true;
	}
	return false;
}

/* What is computed late and put into a register that is put to again before the block can be left,
 * which behind a group's check is not soon: of many pushes and pops one moves the stack pointer.
 * again: guest registers that are written before all else behind op i; returns those from it on. */
static unsigned plan_unseen(struct x64_compiler *c, const struct ir_op *op, unsigned i,
			    unsigned again)
{
	unsigned reg;

	if (!is_among(op, CODE(GET) | CODE(PUT))) {
		if (!again || is_among(op, PLAIN) || !is_left_at(c, i, op))
			return again;
		return 0;
	}
	reg = place_pinned(c, (uint32_t)op->imm);
	if (reg == X64_NO_REG)
		return again;
	if (op->code == IR_GET || ir_size(op) < 8)
		return again & ~(1u << reg);
	if (again & 1u << reg && is_lazy_code(op_at(c, op->a))) {
		c->plan[i].is_fused = true;
		if (c->plan[op->a].put == i)
			c->plan[op->a].put = 0;
	}
	return again | 1u << reg;
}

/* From the end: what those behind it make of an operation. */
static void plan_back(struct x64_compiler *c, bool has_groups, bool is_left)
{
	unsigned again = 0;

	for (unsigned i = c->ir->op_count; i-- > 1;) {
		const struct ir_op *op = op_at(c, i);

		if (is_left && is_left_behind(c, i))
			again = 0;
		if (has_groups)
			again = plan_unseen(c, op, i, again);
		if (c->plan[i].flags_last || is_lazy_code(op))
			plan_life(c, op, i);
	}
	c->plan[0].last_use = 0;
}

void lower_plan(struct x64_compiler *c)
{
	/* instructions end with a look whether a helper stored to the block */
	bool has_groups = false, is_left = false;

	memset(c->plan, 0, c->ir->op_count * sizeof(c->plan[0]));
	plan_ops(c, &has_groups, &is_left);
	plan_call(c);
	plan_back(c, has_groups, is_left);
}
