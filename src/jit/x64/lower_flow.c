/* jit/x64/lower_flow.c - ways in and out of a block, calls of C, and the stubs behind it.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/x64/lower_flags.h"

enum {
	PAGE = 4096,
	LINE = 64,     /* of the host's caches */
	LONG_TURN = 8, /* instructions of the guest's */
	REACH = 1024,  /* blocks that begin so near to the end of a page may lie on two */
};

struct stub *stub_new(struct x64_compiler *c, enum stub_kind kind, unsigned i)
{
	struct stub *s;

	if (unlikely(c->stub_count >= LOWER_STUBS)) {
		c->is_full = true;
		c->stub_count--;
	}
	s = &c->stubs[c->stub_count++];
	stub_init(s, kind, i);
	return s;
}

void site_add(struct x64_compiler *c, unsigned i, const struct x64_site *site)
{
	unsigned k = c->plan[i].insn;
	const struct ir_insn *in = &c->ir->insns[k];
	struct x64_site *s;

	if (unlikely(c->site_count >= LOWER_SITES)) {
		c->is_full = true;
		return;
	}
	s = &c->sites[c->site_count++];
	*s = *site;
	s->at = x64_offset(&c->a);
	s->pc_delta = in->pc_delta;
	s->is_last = i + 1 == insn_end(c, k);
	s->pc_next = in->pc_delta + in->len;
	c->is_full |= !tables_fit(s);
}

void lower_pc(struct x64_compiler *c, unsigned reg, int64_t delta)
{
	uint64_t pc = c->code.pc_base + (uint64_t)delta;
	int64_t left = (int64_t)pc;

	if (!c->code.is_free) {
		x64_mov_ri(&c->a, reg, pc & ~UINT64_C(0) >> (64 - (8u << c->code.pc_size)));
		return;
	}
	if ((reg == S0 || reg == S1) && x64_fits32(left) && !x64_fits8(left)) {
		const struct x64_piece *p = &c->jit->piece.pc[reg == S1];

		if (x64_paste(&c->a, p))
			x64_fill(&c->a, p, 0, (int32_t)left);
		return;
	}
	x64_mov(&c->a, 8, reg, ENV(c, page));
	for (int64_t step; left; left -= step) {
		step = left > INT32_MAX ? INT32_MAX : left < INT32_MIN ? INT32_MIN : left;
		x64_lea(&c->a, 8, reg, x64_m(reg, (int32_t)step));
	}
}

/* ---- calls ---- */

struct x64_rm flow_bounce(const struct x64_compiler *c, unsigned n)
{
	struct x64_rm m = ENV(c, bounce);

	m.disp += (int32_t)(8 * n);
	return m;
}

void flow_pass_value(struct x64_compiler *c, unsigned n, unsigned v)
{
	const struct ir_op *op = op_at(c, v);

	if (!v) /* 0: some helpers have optional arguments */
		x64_mov_i(&c->a, 8, flow_bounce(c, n), 0);
	else if (op->code == IR_CONST && x64_fits32((int64_t)op->imm))
		x64_mov_i(&c->a, 8, flow_bounce(c, n), (int32_t)op->imm);
	else
		x64_mov_to(&c->a, 8, flow_bounce(c, n), place_in_reg(c, v, 8, 0));
}

void flow_put_pc(struct x64_compiler *c, int64_t delta)
{
	lower_pc(c, S0, delta);
	x64_mov_to(&c->a, 8, state(c, c->jit->desc->pc_offset), S0);
}

void flow_put_own_pc(struct x64_compiler *c, unsigned i, const struct ir_helper *h)
{
	if (h->reads_pc)
		flow_put_pc(c, c->ir->insns[c->plan[i].insn].pc_delta);
}

void flow_call_helper(struct x64_compiler *c, unsigned i, const struct ir_helper *h,
		      const struct x64_site *site)
{
	bool has_recipe = site->kind && !h->reads_flags && !h->writes_flags;

	flow_put_own_pc(c, i, h);
	x64_mov_ri(&c->a, S0, (uint64_t)(uintptr_t)h);
	x64_mov_ri(&c->a, S1, has_recipe);
	x64_call_at(&c->a, c->jit->thunk.helper);
	site_add(c, i, site);
}

static void before_helper(struct x64_compiler *c, unsigned i, const struct ir_helper *h)
{
	if (h->reads_flags || h->writes_flags)
		flags_record(c, c->slot_flags);
	else if (!h->is_pure) /* it may be left from, and may change what they are made of */
		flags_before_call(c, i);
	if (h->writes_flags)
		flags_keep_env(c);
}

void flow_pass(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	before_helper(c, i, (const void *)(uintptr_t)op->imm);
	place_settle(c, 0); /* it may be in bounce */
	flow_pass_value(c, 0, op->a);
	flow_pass_value(c, 1, op->b);
	flow_pass_value(c, 2, op->c);
}

static void after_helper(struct x64_compiler *c, const struct ir_helper *h)
{
	flags_lost(c);
	if (h->reads_flags || h->writes_flags)
		c->is_synced = true;
	if (h->writes_flags)
		c->slot_flags = c->env_flags = 0;
}

/* For a stub, which comes back with other scratch registers: not in those. */
static void capture_value(struct x64_compiler *c, unsigned v, struct arg *out)
{
	const struct ir_op *op = op_at(c, v);
	unsigned reg;

	*out = (struct arg){ .is_imm = true };
	if (!v)
		return;
	if (op->code == IR_CONST) {
		out->imm = op->imm;
		return;
	}
	out->is_imm = false;
	place_settle(c, 0);
	out->rm = place_rm(c, v, 8, 0);
	reg = out->rm.base;
	if (out->rm.kind != X64_RM_REG || (reg != S0 && reg != S1))
		return;
	place_evict(c, reg, true);
	out->rm = place_rm(c, v, 8, 0);
}

static __attribute__((cold)) void lower_call_if(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	struct stub *s = stub_new(c, STUB_CALL_IF, i);
	enum x64_cc cc;

	if (h->reads_flags || h->writes_flags)
		flags_record(c, c->slot_flags);
	if (h->writes_flags)
		flags_keep_env(c);
	if (!h->always_faults)
		place_evict_state(c);
	cc = flags_test(c, op->a);
	if (!h->always_faults || flags_wanted(c, i))
		place_evict_scratch(c, true);
	/* Before arguments that recipes have too come back to scratch registers. */
	flags_site(c, i, &s->site);
	capture_value(c, op->b, &s->arg[0]);
	capture_value(c, op->c, &s->arg[1]);
	if (!h->always_faults) /* what they were made of */
		place_evict_scratch(c, true);
	x64_jcc(&c->a, cc, &s->in);
	x64_bind(&c->a, &s->back);
	if (h->writes_flags && !h->always_faults) {
		/* Taken or not: the slot tells. */
		flags_lost(c);
		c->slot_flags = c->env_flags = 0;
		c->is_synced = false;
	} else if (!h->always_faults) {
		flags_lost(c);
	}
	if (!h->always_faults)
		vec_forget(c);
}

void lower_call(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	struct x64_site site = { 0 };

	if (op->code == IR_CALL_IF) {
		if (!pair_test_late(c, i))
			lower_call_if(c, i);
		return;
	}
	if (vec_call(c, i) || lower_div(c, i) || helper_call(c, i))
		return;
	flow_pass(c, i);
	if (h->is_pure)
		place_evict_scratch(c, true);
	else
		place_evict_state(c);
	flags_site(c, i, &site);
	flow_call_helper(c, i, h, &site);
	after_helper(c, h);
	vec_forget(c);
	place_reg(c, i, S0, 8);
	c->may_have_stored |= helper_may_store(h) && i + 1 != insn_end(c, c->plan[i].insn);
}

/* What follows the storing instruction may not be what it was translated from any more. */
void lower_check_stored(struct x64_compiler *c, unsigned i)
{
	struct stub *s;

	c->may_have_stored = false;
	s = stub_new(c, STUB_STORED, i);
	flags_record_later(c, lower_flags_after(c, i - 1, c->slot_flags), &s->record);
	x64_alu_i(&c->a, X64_CMP, 1, ENV(c, code_stored), 0);
	flags_lost(c);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
}

static __attribute__((cold)) void stub_stored(struct x64_compiler *c, struct stub *s)
{
	stub_record(c, &s->record);
	flow_put_pc(c, c->ir->insns[c->plan[s->at - 1u].insn + 1].pc_delta);
	x64_jmp_at(&c->a, c->jit->thunk.dispatch);
}

static __attribute__((cold)) void stub_call_if(struct x64_compiler *c, struct stub *s)
{
	const struct ir_op *op = op_at(c, s->at);

	for (unsigned n = 0; n < 2; n++) {
		const struct arg *a = &s->arg[n];

		if (!a->is_imm && a->rm.kind == X64_RM_REG)
			x64_mov_to(&c->a, 8, flow_bounce(c, n), a->rm.base);
	}
	for (unsigned n = 0; n < 2; n++) {
		const struct arg *a = &s->arg[n];

		if (!a->is_imm && a->rm.kind != X64_RM_REG) {
			x64_mov(&c->a, 8, S0, a->rm);
			x64_mov_to(&c->a, 8, flow_bounce(c, n), S0);
		} else if (a->is_imm && x64_fits32((int64_t)a->imm)) {
			x64_mov_i(&c->a, 8, flow_bounce(c, n), (int32_t)a->imm);
		} else if (a->is_imm) {
			x64_mov_ri(&c->a, S0, a->imm);
			x64_mov_to(&c->a, 8, flow_bounce(c, n), S0);
		}
	}
	x64_mov_i(&c->a, 8, flow_bounce(c, 2), 0);
	flow_call_helper(c, s->at, (const void *)(uintptr_t)op->imm, &s->site);
	x64_jmp_back(&c->a, &s->back);
}

void lower_native(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	const struct ir_native *n = (const void *)(uintptr_t)op->imm;
	struct x64_site site = { 0 };

	if (vec_native(c, i))
		return;
	if (n->can_fault)
		flags_before_call(c, i);
	place_settle(c, 0);
	flow_pass_value(c, 0, op->a);
	place_evict_state(c);
	flags_site(c, i, &site);
	x64_mov_ri(&c->a, S0, lower_native_copy(c, n));
	x64_call_at(&c->a, c->jit->thunk.native);
	site_add(c, i, &site);
	flags_lost(c);
	vec_forget(c);
}

/* ---- leaving ---- */

struct x64_exit *flow_exit_new(struct x64_compiler *c, int64_t pc_delta, bool is_polled)
{
	uint64_t at = c->code.pc_base + (uint64_t)pc_delta;
	struct x64_exit *x;

	if (unlikely(c->exit_count >= LOWER_EXITS)) {
		c->is_full = true;
		c->exit_count--;
	}
	x = &c->exits[c->exit_count++];
	*x = (struct x64_exit){
		.pc_delta = pc_delta,
		.is_polled = is_polled,
		.can_link = !c->code.is_free || at < PAGE,
	};
	return x;
}

static struct x64_exit *exit_of(struct x64_compiler *c, unsigned i)
{
	int64_t delta = (int64_t)op_at(c, i)->imm;

	return flow_exit_new(c, delta, delta <= c->ir->insns[c->plan[i].insn].pc_delta);
}

void flow_emit_lookup(struct x64_asm *a, struct x64_rm table)
{
	x64_rorx(a, 8, S1, x64_r(S0), 64 - 4); /* x64_probe_index(), times 16 */
	x64_alu_rr(a, X64_XOR, 4, S1, S0);
	x64_alu_i(a, X64_AND, 4, x64_r(S1), (X64_PROBE_SIZE - 1) << 4);
	x64_alu(a, X64_ADD, 8, S1, table);
	x64_alu_to(a, X64_CMP, 8, x64_m(S1, offsetof(struct x64_target, pc)), S0);
}

void flow_lookup(struct x64_compiler *c) { x64_paste(&c->a, &c->jit->piece.lookup); }

/* To the pc in S0.  The thunk has the other place. */
void flow_probe(struct x64_compiler *c)
{
	flow_lookup(c);
	x64_jcc_at(&c->a, X64_CC_NE, c->jit->thunk.miss);
	x64_jmp_rm(&c->a, x64_m(S1, offsetof(struct x64_target, entry)));
}

/* A target on two pages, or on another than the block, is where its pc is mapped at the moment. */
static bool may_be_refused(const struct x64_compiler *c, const struct x64_exit *x)
{
	uint64_t pc = c->code.pc_base + (uint64_t)x->pc_delta;

	return !x->to_single && (!c->code.is_free || pc % PAGE > PAGE - REACH);
}

/* What a linked jump leads to at first: the exit asks C. */
void flow_ask_for_link(struct x64_compiler *c, struct x64_exit *x)
{
	x->stub = x64_offset(&c->a);
	x64_call_at(&c->a, c->jit->thunk.link);
	if (!may_be_refused(c, x))
		return;
	x->probe = x64_offset(&c->a);
	lower_pc(c, S0, x->pc_delta);
	x64_jmp_at(&c->a, c->jit->thunk.probe);
}

/* The displacement at that offset leads to what is written next. */
static void lead_here(struct x64_compiler *c, uint32_t at)
{
	uint8_t *field = c->a.start + at;

	x64_patch(field, x64_runs_at(&c->a, field), x64_pc(&c->a));
}

/* The same for a jump or call that stands elsewhere. */
void flow_ask_behind(struct x64_compiler *c, struct x64_exit *x)
{
	lead_here(c, x->jump);
	flow_ask_for_link(c, x);
}

/* How far its page is from the block's. */
static int64_t pages_to(const struct x64_compiler *c, const struct x64_exit *x)
{
	return (int64_t)align_down(c->code.pc_base + (uint64_t)x->pc_delta, (uint64_t)PAGE);
}

bool flow_is_far(const struct x64_compiler *c, const struct x64_exit *x)
{
	return !x->can_link && pair_is_possible(c) && x64_fits32(pages_to(c, x));
}

struct stub *flow_far(struct x64_compiler *c, unsigned exit)
{
	const struct x64_piece *far = &c->jit->piece.far;
	struct stub *s = stub_new(c, STUB_FAR, c->pos);

	s->exit = (uint16_t)exit;
	s->key = X64_LABEL;
	if (x64_paste(&c->a, far)) {
		x64_fill_label(&c->a, far, 0, &s->key);
		x64_fill_label(&c->a, far, 1, &s->in);
		x64_fill(&c->a, far, 2, (int32_t)pages_to(c, &c->exits[exit]));
	}
	return s;
}

/* The guest is still on the page that it leaves, but where the jump leads at first: there it has
 * gone.  The key and what asks for one stand where thunk.far looks for them. */
void stub_far(struct x64_compiler *c, struct stub *s)
{
	const struct x64_piece *key = &c->jit->piece.far_key;
	struct x64_exit *x = &c->exits[s->exit];

	if (x64_paste(&c->a, key))
		x64_fill_label(&c->a, key, 0, &s->key);
	x64_mov_ri(&c->a, S0, c->code.pc_base + (uint64_t)x->pc_delta);
	if (s->is_call) {
		x64_call_at(&c->a, c->jit->thunk.far);
		x64_jmp_back(&c->a, &s->back);
	} else {
		x64_jmp_at(&c->a, c->jit->thunk.far);
	}
	x64_align(&c->a, FAR_KEY_BYTES);
	x64_bind(&c->a, &s->key);
	x->key = x64_offset(&c->a);
	x64_quad(&c->a, X64_NO_KEY);
	x->ask = x64_offset(&c->a);
	x64_call_at(&c->a, c->jit->thunk.link);
	lead_here(c, x->jump);
	x->stub = x64_offset(&c->a);
	x64_call_at(&c->a, c->jit->thunk.link);
}

void flow_leave_by(struct x64_compiler *c, struct x64_exit *x)
{
	if (flow_is_far(c, x)) {
		flow_far(c, (unsigned)(x - c->exits));
		x->jump = x64_jmp_patchable(&c->a);
		return;
	}
	if (!x->can_link) {
		lower_pc(c, S0, x->pc_delta);
		flow_probe(c);
		return;
	}
	x->jump = x64_jmp_patchable(&c->a);
	flow_ask_for_link(c, x);
}

static void exit_to(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned reg = place_in_reg(c, op->a, 8, 0);

	if (c->ir->pc_size < 3)
		x64_movzx(&c->a, 1u << c->ir->pc_size, S0, x64_r(reg));
	else if (reg != S0)
		x64_mov_rr(&c->a, 8, S0, reg);
	if (op->b == IR_BRANCH_CALL && pair_is_possible(c))
		pair_call_to(c, i);
	else if (op->b == IR_BRANCH_RET && pair_is_possible(c))
		pair_return(c);
	else
		pair_jump_to(c);
}

void lower_exit(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);

	if (c->left_at == i)
		return;
	flags_record(c, c->slot_flags);
	switch (op->code) {
	case IR_EXIT:
		if (op->b == IR_BRANCH_CALL && pair_is_possible(c))
			pair_call(c, i);
		else
			flow_leave_by(c, exit_of(c, i));
		break;
	case IR_EXIT_TO: exit_to(c, i); break;
	case IR_EXIT_LOOP:
		lower_pc(c, S0, (int64_t)op->imm);
		x64_mov_to(&c->a, 8, state(c, c->jit->desc->pc_offset), S0);
		x64_jmp_at(&c->a, c->jit->thunk.dispatch);
		break;
	default: x64_jmp_at(&c->a, c->jit->thunk.dispatch); break;
	}
}

/* Past the record of flags right behind it, unless something is asked for.  With a jump that has no
 * condition hosts foresee the last of up to a hundred turns, else of some forty: it counts where
 * turns are short, and costs others a twentieth. */
static void emit_skip(struct x64_compiler *c, struct x64_exit *x)
{
	const struct x64_piece *again = &c->jit->piece.again;
	struct x64_label record = X64_LABEL;
	unsigned at;

	if (c->ir->insn_count < LONG_TURN) {
		flow_poll(c, &record);
		x->skip = x64_jmp_patchable(&c->a);
		x64_bind(&c->a, &record);
		return;
	}
	/* Nothing is to stand between CMP and JCC. */
	at = (x64_pc(&c->a) + again->field[0]) % LINE;
	x64_nop(&c->a, at > LINE - 4 ? LINE - at : 0);
	if (x64_paste(&c->a, again))
		x64_fill_at(&c->a, again, 0, x64_pc(&c->a));
	x->skip = x64_offset(&c->a) - 4;
}

/* Backwards: it is mostly taken, so all of it stands in line. */
static void exit_back(struct x64_compiler *c, enum x64_cc cc, struct stub *s, struct x64_exit *x)
{
	struct x64_label on = X64_LABEL;

	s->is_back = true;
	x64_jcc_short(&c->a, cc ^ 1, &on);
	if (s->record.kind && (x->pc_delta || c->ir->kills_flags)) /* else a loop that asks */
		emit_skip(c, x);
	x->record = x64_offset(&c->a);
	stub_record(c, &s->record);
	x->jump = x64_jmp_patchable(&c->a);
	x64_bind(&c->a, &on);
}

void lower_exit_if(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	struct stub *s = stub_new(c, STUB_EXIT, i);
	enum x64_cc cc = flags_test(c, op->a);
	struct x64_exit *x = exit_of(c, i);

	s->exit = (uint16_t)(x - c->exits);
	flags_record_later(c, c->slot_flags, &s->record);
	if (x->is_polled && x->can_link) {
		exit_back(c, cc, s, x);
		return;
	}
	x64_jcc(&c->a, cc, &s->in);
	/* Not aligned, for nothing is to stand between CMP and JCC: in one line, as others run it.
	 */
	if (s->record.kind && x->can_link && (x64_pc(&c->a) - 4) % LINE <= LINE - 4)
		x->skip = x64_offset(&c->a) - 4;
}

/* ---- ways in ---- */

void flow_poll(struct x64_compiler *c, struct x64_label *asked)
{
	const struct x64_piece *poll = &c->jit->piece.poll;

	if (x64_paste(&c->a, poll))
		x64_fill_label(&c->a, poll, 0, asked);
}

unsigned lower_entry_size(const struct x64_compiler *c)
{
	const struct x64_pieces *p = &c->jit->piece;

	return p->poll.size + (c->code.is_free ? p->page.size : 0u);
}

void lower_entry(struct x64_compiler *c)
{
	struct x64_asm *a = &c->a;

	c->asked = X64_LABEL;
	c->code.probe_entry = x64_pc(a);
	if (c->code.is_free)
		x64_paste(a, &c->jit->piece.page);
	c->code.poll_entry = x64_pc(a);
	flow_poll(c, &c->asked);
	c->code.run = x64_pc(a);
	if (c->origin)
		check_entry(c);
}

/* ---- stubs ---- */

static void stub_exit(struct x64_compiler *c, struct stub *s)
{
	struct x64_exit *x = &c->exits[s->exit];

	if (s->is_back) {
		flow_ask_behind(c, x);
		return;
	}
	x->record = x64_offset(&c->a);
	stub_record(c, &s->record);
	flow_leave_by(c, x);
}

void lower_stubs(struct x64_compiler *c)
{
	for (unsigned n = 0; n < c->stub_count; n++) {
		struct stub *s = &c->stubs[n];

		x64_bind(&c->a, &s->in);
		switch ((enum stub_kind)s->kind) {
		case STUB_LOAD: stub_load(c, s); break;
		case STUB_MODIFY: stub_modify(c, s); break;
		case STUB_STORE: stub_store(c, s); break;
		case STUB_ATOMIC: stub_atomic(c, s); break;
		case STUB_CALL_IF: stub_call_if(c, s); break;
		case STUB_CARRY:
			x64_call_at(&c->a, c->jit->thunk.carry);
			x64_jmp_back(&c->a, &s->back);
			break;
		case STUB_BITS: stub_bits(c, s); break;
		case STUB_KEEP: stub_keep(c, s); break;
		case STUB_VECTORS:
		case STUB_X87:
		case STUB_X87_UNLOAD:
		case STUB_HELPER: vec_stub(c, s); break;
		case STUB_EXIT: stub_exit(c, s); break;
		case STUB_GROUP: stub_group(c, s); break;
		case STUB_STORED: stub_stored(c, s); break;
		case STUB_FAR: stub_far(c, s); break;
		case STUB_STALE: stub_stale(c); break;
		case STUB_FRAMES:
		case STUB_CALL:
		case STUB_CALL_MISS:
		case STUB_LATE: pair_stub(c, s); break;
		}
	}
	x64_bind(&c->a, &c->asked);
	if (c->code.is_free) {
		x64_mov_ri(&c->a, S0, c->code.pc_base);
		x64_jmp_at(&c->a, c->jit->thunk.asked_here);
	} else {
		lower_pc(c, S0, 0);
		x64_jmp_at(&c->a, c->jit->thunk.asked);
	}
}
