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

#define ACCESS (CODE(LOAD) | CODE(STORE) | CODE(VLOAD) | CODE(VSTORE))

#define LAZY   (CODE(PC) | CODE(LEA) | CODE(ADD))

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

/* May others than op ask for its operands, behind it?  Its own flags, or what it is part of. */
static inline unsigned is_late(const struct ir_op *op)
{
	return (unsigned)is_among(op, CODE(ADD) | CODE(LEA)) | (unsigned)has_flags(op);
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

/* What the walk over the operations knows. */
struct planner {
	struct group_planner groups;
	unsigned start, slot;       /* flags at the instruction's start, and in the slot */
	bool has_stored;            /* lower_check_stored() will be at the next instruction's */
	bool is_left;               /* it was in front of one */
	unsigned again;             /* the last PUT to one of these registers again, or 0 */
	uint16_t modify, modify_at; /* of a read-modify-write: the operation and the STORE */
	unsigned put;               /* a bit for each one that gets what is computed late */
	uint16_t late[IR_MAX_OPS];  /* whose operands others than itself may ask for */
};

/* ---- uses ---- */

/* Nobody can foresee which is more: no branch.  Nor whether it is of no op at all, which is why
 * plan[IR_NONE] is cleared in the end. */
static inline void extend(uint16_t *last, unsigned pos)
{
	uint16_t was = *last;

	*last = was < pos ? (uint16_t)pos : was;
}

/* The same of flags. */
static inline void ask(struct x64_compiler *c, unsigned f, unsigned pos)
{
	extend(&c->plan[f].flags_last, pos);
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
static void plan_modify(struct x64_compiler *c, unsigned i, struct planner *p)
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
	c->plan[i].modify = p->modify_at = (uint16_t)k;
	p->modify = (uint16_t)j;
}

/* STORE k is that place. */
static void plan_modified(struct x64_compiler *c, unsigned k, const struct planner *p)
{
	unsigned j = p->modify;

	c->plan[j].modify = (uint16_t)k;
	c->plan[k].modify = (uint16_t)j;
	if (ir_operand_is_value(op_at(c, j), 1))
		extend(&c->plan[op_at(c, j)->b].last_use, k);
}

/* ---- results that go straight to their slot ---- */

static inline bool overlaps(const struct ir_op *op, uint64_t offset, unsigned bytes)
{
	return op->imm < offset + bytes && offset < op->imm + ir_size(op);
}

/* From and to that many bytes, as log2. */
#define SIZES(from, to) (1u << ((from) << 2 | (to)))
#define SAME            (SIZES(0, 0) | SIZES(1, 1) | SIZES(3, 3))

static inline bool put_fits(const struct ir_op *op, const struct ir_op *put)
{
	unsigned from = op->code == IR_SEXT ? (unsigned)__builtin_ctz(op->b) : ir_size_log2(op);
	unsigned sizes = SIZES(from, ir_size_log2(put));

	if (is_among(op, CODE(GET) | CODE(CALL) | CODE(CONST) | CODE(COND) | CODE(WIDER) |
				 CODE(CMP) | CODE(ATOMIC_XCHG) | CODE(ATOMIC_ADD) |
				 CODE(ATOMIC_AND) | CODE(ATOMIC_OR) | CODE(ATOMIC_XOR) |
				 CODE(ATOMIC_CAS)))
		return false;
	if (is_among(op, CODE(LOAD) | CODE(MOV)))
		return sizes & (SAME | SIZES(0, 3) | SIZES(1, 3) | SIZES(2, 3));
	if (is_among(op, CODE(PC) | CODE(LEA)))
		return sizes & (SIZES(2, 3) | SIZES(3, 3));
	return sizes & (SAME | SIZES(2, 3));
}

static bool must_stay_behind(const struct ir_op *op, const struct ir_op *put)
{
	if (is_among(op, CODE(GET) | CODE(PUT)))
		return overlaps(op, put->imm, ir_size(put));
	return ir_may_leave(op);
}

static inline void plan_put(struct x64_compiler *c, const struct ir_op *put, unsigned i,
			    struct planner *p)
{
	unsigned v = put->a, reg = place_pinned(c, (uint32_t)put->imm), sz = ir_size_log2(put);
	const struct ir_op *op = op_at(c, v);

	p->groups.has_begun = true;
	if (reg == X64_NO_REG) {
		if (covers_flags_slot(c, put))
			ask(c, p->slot, i);
		return;
	}
	if (p->put >> reg & 1)
		p->again = i;
	if (sz == 3 && is_among(op, LAZY))
		p->put |= 1u << reg;
	/* What is put into the low half alone leaves the upper one; AH to BH are turned. */
	if (sz == 2 || put->imm % 8 || !put_fits(op, put) || c->plan[v].put || c->plan[v].modify ||
	    c->plan[v].is_fused)
		return;
	for (unsigned k = v + 1; k < i; k++)
		if (must_stay_behind(op_at(c, k), put))
			return;
	c->plan[v].put = (uint16_t)i;
}

/* ---- flags ---- */

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

/* COND i: of the flags that it looks at. */
static void plan_cond(struct x64_compiler *c, const struct ir_op *op, unsigned i)
{
	unsigned f = op->a;

	if (op_at(c, f)->code == IR_FLAGS_MERGE)
		f = lower_merge_source(c, f, ir_cond_flags(op->b));
	plan_fused(c, i);
	ask(c, f, c->plan[i].is_fused ? c->plan[i].last_use : i);
}

/* Op i, which begins with flags. */
static void plan_flags_in(struct x64_compiler *c, const struct ir_op *op, unsigned i,
			  struct planner *p)
{
	unsigned pos = p->modify == i ? p->modify_at : i;

	if (!op->c)
		return;
	ask(c, lower_merge_source(c, op->c, IR_C), pos);
	if (!ir_reads_carry_only(op))
		ask(c, op->c, pos);
}

/* CALL and CALL_IF i. */
static void plan_helper(struct x64_compiler *c, const struct ir_op *op, unsigned i,
			struct planner *p)
{
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	bool is_branch = op->code == IR_CALL_IF;

	ask(c, p->start ? p->start : p->slot, i);
	if (h->reads_flags || h->writes_flags)
		ask(c, p->slot, i);
	if (h->writes_flags)
		p->slot = 0;
	p->has_stored |= !is_branch && helper_may_store(h);
	group_plan_other(&p->groups, is_branch,
			 is_branch ? !h->always_faults
				   : !h->is_pure && !h->rule_arg && h->host_op == IR_HOST_NONE);
}

/* What op i wants to know of those before it. */
static __attribute__((noinline)) void plan_op(struct x64_compiler *c, const struct ir_op *op,
					      unsigned i, struct planner *p)
{
	switch (op->code) {
	case IR_FLAGS_PUT:
		p->slot = op->a;
		p->groups.has_begun = true;
		break;
	case IR_COND: plan_cond(c, op, i); break;
	case IR_EXIT_IF:
		ask(c, p->slot, i);
		group_plan_other(&p->groups, true, false);
		break;
	case IR_EXIT:
	case IR_EXIT_TO:
	case IR_EXIT_LOOP:
	case IR_EXIT_STATE: ask(c, p->slot, i); break;
	case IR_CMP:
	case IR_WIDER: plan_fused(c, i); break;
	case IR_FLAGS_MERGE:
		ask(c, op->a, i);
		ask(c, op->b, i);
		break;
	case IR_FLAGS_TO: ask(c, op->a, i); break;
	case IR_CALL:
	case IR_CALL_IF: plan_helper(c, op, i, p); break;
	case IR_NATIVE:
		c->native_count++;
		ask(c, p->start ? p->start : p->slot, i);
		group_plan_other(&p->groups, false, false);
		break;
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_AND:
	case IR_ATOMIC_OR:
	case IR_ATOMIC_XOR:
	case IR_ATOMIC_CAS:
		ask(c, p->start ? p->start : p->slot, i);
		group_plan_other(&p->groups, false, true);
		break;
	case IR_FENCE: break;
	case IR_GET:
		if (covers_flags_slot(c, op))
			ask(c, p->slot, i);
		break;
	default: plan_flags_in(c, op, i, p); break;
	}
}

/* Does op want nothing of others?  A GET may, near the flags slot. */
static inline bool is_quiet(const struct ir_op *op, uint64_t flags_offset)
{
	uint64_t is_near = op->imm - (flags_offset - 7) < 7 + 4;

	return is_among(op, (PLAIN | CODE(GET)) ^ is_near << IR_GET);
}

static inline void plan_access(struct x64_compiler *c, const struct ir_op *op, unsigned i,
			       struct planner *p)
{
	if (op->code == IR_LOAD && op->b & IR_MEM_RMW)
		plan_modify(c, i, p);
	if (i == p->modify_at)
		plan_modified(c, i, p);
	ask(c, p->start ? p->start : p->slot, i);
	group_plan(c, &p->groups, op, i);
}

/* An instruction that is not the first begins with op i. */
static inline void plan_insn(struct x64_compiler *c, const struct ir_insn *insn, unsigned i,
			     struct planner *p)
{
	p->start = insn->flags_op;
	p->groups.has_begun = false;
	if (p->has_stored) {
		ask(c, lower_flags_after(c, i - 1, p->slot), i);
		p->is_left = true;
		p->has_stored = false;
	}
	ask(c, p->start, i);
}

/* Returns the end of the list of those whose operands may be asked for behind them. */
static inline uint16_t *plan_ops(struct x64_compiler *c, struct planner *p)
{
	const struct ir_insn *insn = c->ir->insns;
	const struct ir_use *uses = c->ir->uses;
	const struct ir_op *op = c->ops;
	struct op_plan *plan = c->plan;
	uint64_t flags_offset = c->jit->desc->flags_offset;
	size_t count = c->ir->op_count, end = insn[1].first_op;
	unsigned k = 0;
	uint16_t *late = p->late;

	*plan = (struct op_plan){ 0 };
	p->start = insn->flags_op;
	for (size_t i = 1; i < count; i++) {
		op++;
		plan++;
		if (i == end) {
			do {
				k++;
				end = (++insn)[1].first_op;
			} while (i == end);
			plan_insn(c, insn, i, p);
		}
		*plan = (struct op_plan){ .uses = uses[i].count,
					  .last_use = uses[i].last,
					  .insn = (uint16_t)k };
		*late = (uint16_t)i;
		late += is_late(op);
		if (is_quiet(op, flags_offset))
			continue;
		if (op->code == IR_PUT)
			plan_put(c, op, i, p);
		else if (is_among(op, ACCESS))
			plan_access(c, op, i, p);
		else
			plan_op(c, op, i, p);
	}
	return late;
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
static inline void plan_life(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
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

/* From PUT i to the first op. */
static void plan_seen(struct x64_compiler *c, unsigned i, bool is_left)
{
	unsigned again = 0;

	for (; i; i--) {
		if (is_left && is_left_behind(c, i))
			again = 0;
		again = plan_unseen(c, op_at(c, i), i, again);
	}
}

static void begin(struct x64_compiler *c, struct planner *p)
{
	c->group_count = 0;
	p->groups.has_begun = p->groups.has_any = p->has_stored = p->is_left = false;
	p->groups.deeds = p->groups.branches = p->groups.count = p->groups.next = 0;
	p->slot = p->put = p->again = 0;
	p->modify = p->modify_at = 0;
}

void lower_plan(struct x64_compiler *c)
{
	struct planner p; /* of its tables, what its counts say */
	uint16_t *late;

	begin(c, &p);
	late = plan_ops(c, &p);
	plan_call(c);
	if (p.groups.has_any && p.again)
		plan_seen(c, p.again, p.is_left);
	/* From the end: what is asked of one may be asked of its operands too. */
	while (late-- > p.late)
		plan_life(c, *late);
	c->plan[IR_NONE] = (struct op_plan){ 0 };
}
