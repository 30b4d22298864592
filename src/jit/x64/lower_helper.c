/* jit/x64/lower_helper.c - calls of C that need less than all of the guest: helpers that are a
 * change of bits, that leave the guest's registers alone, and that end the block.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_flags.h"

static const struct ir_helper *helper_of(const struct ir_op *op)
{
	return (const void *)(uintptr_t)op->imm;
}

/* ---- bits and view ---- */

static bool is_change(const struct ir_helper *h) { return h->sets || h->clears || h->view_plus_1; }

/* What env_update() does when env->view changes. */
static void emit_view(struct x64_compiler *c, unsigned view)
{
	struct x64_asm *a = &c->a;

	place_evict_scratch(c, true);
	x64_mov_i(a, 4, ENV(c, view), (int32_t)view);
	x64_mov(a, 8, S0, ENV(c, tlb));
	x64_lea(a, 8, TLB, x64_m(S0, (int32_t)(view * sizeof(struct tlb_view) + TLB_BIAS)));
	x64_mov_to(a, 8, ENV(c, tlb_view), TLB);
}

static void change(struct x64_compiler *c, const struct ir_helper *h)
{
	place_settle(c, 0);
	place_evict_slot(c, h->slot, 4);
	if (h->clears)
		x64_alu_i(&c->a, X64_AND, 4, state(c, h->slot), (int32_t)~h->clears);
	if (h->sets)
		x64_alu_i(&c->a, X64_OR, 4, state(c, h->slot), (int32_t)h->sets);
	flags_lost(c);
	if (h->view_plus_1)
		emit_view(c, h->view_plus_1 - 1u);
}

/* ---- quick helpers ---- */

static void call_quick(struct x64_compiler *c, unsigned i, const struct ir_helper *h)
{
	const struct ir_op *op = op_at(c, i);
	const uint16_t arg[] = { op->a, op->b, op->c };
	struct x64_site site = { 0 };

	if (h->can_fault)
		flags_before_call(c, i);
	place_settle(c, 0);
	for (unsigned n = 0; n < ARRAY_SIZE(arg); n++)
		if (arg[n])
			flow_pass_value(c, n, arg[n]);
	place_evict_state(c);
	flags_site(c, i, &site);
	x64_mov_ri(&c->a, S0, (uint64_t)(uintptr_t)h->fn);
	x64_call_at(&c->a, c->jit->thunk.quick);
	site_add(c, i, &site);
	flags_lost(c);
	place_reg(c, i, S0, 8);
}

/* ---- the end of a block ---- */

/* Nothing but the way out comes behind it, and C may take that as well. */
static bool is_transfer(const struct x64_compiler *c, unsigned i, const struct ir_helper *h)
{
	const struct ir_op *next = op_at(c, i + 1);

	if (!h->ends_block || c->plan[i].uses || i + 1u >= c->ir->op_count)
		return false;
	return next->code == IR_EXIT_STATE || (next->code == IR_EXIT_LOOP && !h->reads_pc);
}

static void transfer(struct x64_compiler *c, unsigned i, const struct ir_helper *h)
{
	const struct ir_op *exit = op_at(c, i + 1);
	struct x64_site site = { 0 };

	flow_pass(c, i);
	flags_record(c, c->slot_flags);
	place_evict_state(c);
	if (exit->code == IR_EXIT_LOOP) {
		/* A helper that faults has its own pc put there. */
		flow_put_pc(c, (int64_t)exit->imm);
	}
	flags_site(c, i, &site);
	flow_put_own_pc(c, i, h);
	x64_mov_ri(&c->a, S0, (uint64_t)(uintptr_t)h);
	x64_call_at(&c->a, c->jit->thunk.transfer);
	site_add(c, i, &site);
	flags_lost(c);
	c->left_at = (uint16_t)(i + 1);
}

bool helper_call(struct x64_compiler *c, unsigned i)
{
	const struct ir_helper *h = helper_of(op_at(c, i));

	if (is_change(h))
		change(c, h);
	else if (h->is_quick)
		call_quick(c, i, h);
	else if (is_transfer(c, i, h))
		transfer(c, i, h);
	else
		return false;
	return true;
}
