/* jit/ir_leave.c - emission of what may leave the block: accesses, calls, exits.  Somebody outside
 * sees the guest's state there.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_make.h"

/* The op that was just kept may fault, which shows all of the state. */
static inline void may_leave(struct ir_builder *b)
{
	b->may_leave = true;
	b->first_unseen = b->op_count;
	/* The slot, only where that has the flags of the instruction's start. */
	if (!b->insn_flags)
		ir_ask_slot(b);
}

/* The base of an access at *disp from v, and *disp from there. */
static inline uint16_t fold_address(struct ir_builder *b, uint16_t v, uint64_t *disp)
{
	uint64_t from = *disp;
	uint16_t base = ir_fold_base(b, v, disp);

	if (base != v) {
		b->sum = v;
		b->sum_base = base;
		b->sum_disp = *disp - from;
	}
	return base;
}

/* The access in ir_next(). */
static inline uint16_t emit_access(struct ir_builder *b, enum ir_code code)
{
	struct ir_op *op = ir_next(b);
	uint16_t i;

	if (unlikely(b->as_written))
		return ir_keep_as_written(b);
	op->a = fold_address(b, op->a, &op->imm);
	if (code == IR_STORE)
		op->b = ir_strip_moves(b, op->b, ir_size_log2(op));
	else if (code == IR_VLOAD)
		ir_forget(b, (uint64_t)op->c * 8, op->b);
	i = ir_keep_used(b, code != IR_LOAD);
	b->uses[op->a].count++; /* as an address */
	if (code == IR_STORE)
		ir_use_last(b, op->b, i);
	if (code == IR_STORE || code == IR_VSTORE)
		b->may_store = true;
	may_leave(b);
	return i;
}

/* The block is left here, whatever comes. */
static inline void end_block(struct ir_builder *b)
{
	if (b->is_over)
		return;
	b->is_over = true;
	b->end_ops = b->op_count;
	b->end_insns = b->insn_count + 1;
}

/* The exit in ir_next(). */
static inline uint16_t emit_exit(struct ir_builder *b, enum ir_code code)
{
	struct ir_op *op = ir_next(b);
	uint16_t i;

	if (unlikely(b->as_written))
		return ir_keep_as_written(b);
	i = ir_keep_used(b, 1);
	if (code == IR_EXIT_IF || code == IR_EXIT_TO)
		ir_use_last(b, op->a, i);
	may_leave(b);
	ir_ask_slot(b);
	if (code != IR_EXIT_IF)
		end_block(b);
	return i;
}

/* The call or fence in ir_next(). */
static uint16_t emit_leave(struct ir_builder *b)
{
	struct ir_op *op = ir_next(b);
	uint16_t i;

	if (b->as_written)
		return ir_keep_as_written(b);
	i = ir_keep_used(b, !(ir_info[op->code].props & IR_PROP_RESULT));
	ir_use_operands(b, i);
	if (op->code == IR_FENCE)
		return i;
	may_leave(b);
	b->may_store |= ir_may_store(op);
	if (ir_clobbers_state(op))
		b->stamp++;
	if (op->code == IR_CALL || op->code == IR_CALL_IF)
		ir_after_call(b, op);
	return i;
}

/* The CALL_IF in ir_next(). */
static void emit_call_if(struct ir_builder *b)
{
	uint64_t c = 1;

	if (!b->as_written)
		(void)ir_fold_is_const(b, ir_next(b)->a, &c);
	if (c)
		emit_leave(b);
}

/* The EXIT_IF in ir_next(). */
static inline void emit_exit_if(struct ir_builder *b)
{
	struct ir_op *op = ir_next(b);
	uint64_t c;

	if (b->as_written || !ir_fold_is_const(b, op->a, &c)) {
		emit_exit(b, IR_EXIT_IF);
	} else if (c) {
		*op = (struct ir_op){ .code = IR_EXIT, .form = op->form, .imm = op->imm };
		emit_exit(b, IR_EXIT);
	}
}

static ir_val base_or_zero(struct ir_builder *b, ir_val base)
{
	return base ? base : ir_const(b, 0);
}

static inline uint16_t access_op(struct ir_builder *b, enum ir_code code, unsigned size,
				 ir_val base, int64_t disp, unsigned y, unsigned z)
{
	uint16_t a = ir_value(base_or_zero(b, base));
	unsigned sz = ir_log2(size);

	*ir_next(b) = (struct ir_op){
		.code = (uint8_t)code,
		.form = ir_form(sz, sz),
		.a = a,
		.b = (uint16_t)y,
		.c = (uint16_t)z,
		.imm = (uint64_t)disp,
	};
	return emit_access(b, code);
}

static __attribute__((noinline)) ir_val any_load(struct ir_builder *b, unsigned size, ir_val base,
						 int64_t disp, unsigned mem_flags)
{
	return ir_val_of(access_op(b, IR_LOAD, size, base, disp, mem_flags, IR_VIEW_CURRENT));
}

ir_val ir_load(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, unsigned mem_flags)
{
	unsigned sz = ir_log2(size);
	uint64_t imm = (uint64_t)disp;
	uint16_t a, i;

	if (unlikely(!base || b->as_written))
		return any_load(b, size, base, disp, mem_flags);
	a = fold_address(b, ir_value(base), &imm);
	ir_make(b, IR_LOAD, ir_form(sz, sz), a, (uint16_t)mem_flags, 0, imm);
	i = ir_keep(b);
	b->uses[a].count++; /* as an address */
	may_leave(b);
	return ir_val_of(i);
}

static __attribute__((noinline)) void any_store(struct ir_builder *b, unsigned size, ir_val base,
						int64_t disp, ir_val v)
{
	access_op(b, IR_STORE, size, base, disp, ir_value(v), 0);
}

void ir_store(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, ir_val v)
{
	unsigned sz = ir_log2(size);
	uint64_t imm = (uint64_t)disp;
	uint16_t a, w;

	if (unlikely(!base || b->as_written)) {
		any_store(b, size, base, disp, v);
		return;
	}
	a = fold_address(b, ir_value(base), &imm);
	w = ir_strip_moves(b, ir_value(v), sz);
	ir_make(b, IR_STORE, ir_form(sz, sz), a, w, 0, imm);
	b->uses[a].count++; /* as an address */
	ir_use_last(b, w, ir_keep_used(b, 1));
	b->may_store = true;
	may_leave(b);
}

void ir_vload(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	      uint32_t state_offset)
{
	assert(!(state_offset & 7));
	access_op(b, IR_VLOAD, 8, base, disp, bytes, state_offset / 8);
}

void ir_vstore(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	       uint32_t state_offset)
{
	assert(!(state_offset & 7));
	access_op(b, IR_VSTORE, 8, base, disp, bytes, state_offset / 8);
}

ir_val ir_atomic(struct ir_builder *b, enum ir_code code, unsigned size, ir_val addr, ir_val x,
		 ir_val y)
{
	ir_make(b, code, ir_form(ir_log2(size), ir_log2(size)), ir_value(addr), ir_value(x),
		ir_value(y), 0);
	return ir_val_of(emit_leave(b));
}

void ir_fence(struct ir_builder *b, unsigned kinds)
{
	ir_make(b, IR_FENCE, ir_form(3, 3), (uint16_t)kinds, 0, 0, 0);
	emit_leave(b);
}

ir_val ir_call(struct ir_builder *b, const struct ir_helper *h, ir_val x, ir_val y, ir_val z)
{
	if (h->reads_flags)
		ir_flags_write_back(b);
	ir_make(b, IR_CALL, ir_form(3, 3), ir_value(x), ir_value(y), ir_value(z), (uintptr_t)h);
	return ir_val_of(emit_leave(b));
}

void ir_call_if(struct ir_builder *b, ir_val cond, const struct ir_helper *h, ir_val x, ir_val y)
{
	/* Where it is not called the flags of before must stand in the slot. */
	if (h->reads_flags || h->writes_flags)
		ir_flags_write_back(b);
	ir_make(b, IR_CALL_IF, ir_form(3, 3), ir_value(cond), ir_value(x), ir_value(y),
		(uintptr_t)h);
	emit_call_if(b);
}

void ir_native(struct ir_builder *b, const struct ir_native *n, ir_val value)
{
	ir_make(b, IR_NATIVE, ir_form(3, 3), ir_value(value), 0, 0, (uintptr_t)n);
	emit_leave(b);
}

static inline void exit_op(struct ir_builder *b, enum ir_code code, ir_val x, unsigned y,
			   uint64_t imm)
{
	ir_flags_write_back(b);
	ir_make(b, code, ir_form(3, 3), ir_value(x), (uint16_t)y, 0, imm);
	emit_exit(b, code);
}

void ir_exit(struct ir_builder *b, int64_t pc_delta)
{
	exit_op(b, IR_EXIT, IR_NONE, IR_BRANCH_JUMP, (uint64_t)pc_delta);
}

void ir_exit_call(struct ir_builder *b, int64_t pc_delta)
{
	exit_op(b, IR_EXIT, IR_NONE, IR_BRANCH_CALL, (uint64_t)pc_delta);
}

void ir_exit_if(struct ir_builder *b, ir_val cond, int64_t pc_delta)
{
	ir_flags_write_back(b);
	ir_make(b, IR_EXIT_IF, ir_form(3, 3), ir_value(cond), 0, 0, (uint64_t)pc_delta);
	emit_exit_if(b);
}

void ir_exit_to(struct ir_builder *b, ir_val pc, enum ir_branch kind)
{
	exit_op(b, IR_EXIT_TO, pc, kind, 0);
}

void ir_exit_loop(struct ir_builder *b, int64_t pc_delta)
{
	exit_op(b, IR_EXIT_LOOP, IR_NONE, 0, (uint64_t)pc_delta);
}

void ir_exit_state(struct ir_builder *b) { exit_op(b, IR_EXIT_STATE, IR_NONE, 0, 0); }

/* ---- any of them ---- */

ir_val ir_emit_leaving(struct ir_builder *b)
{
	enum ir_code code = ir_next(b)->code;

	switch (code) {
	case IR_LOAD:
	case IR_STORE:
	case IR_VLOAD:
	case IR_VSTORE: return ir_val_of(emit_access(b, code));
	case IR_CALL_IF: emit_call_if(b); return IR_NONE;
	case IR_EXIT_IF: emit_exit_if(b); return IR_NONE;
	case IR_EXIT:
	case IR_EXIT_TO:
	case IR_EXIT_LOOP:
	case IR_EXIT_STATE: return ir_val_of(emit_exit(b, code));
	default: return ir_val_of(emit_leave(b));
	}
}
