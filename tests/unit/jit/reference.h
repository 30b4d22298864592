/* tests/unit/jit/reference.h - IR executed op by op as ir_ops.def words it, without any of the
 * cleverness of passes and executors: their oracle.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "jit/ir_info.h"
#include "machine.h"
#include "model.h"

enum ref_end { REF_EXIT, REF_LOOP, REF_FAULT, REF_MODIFIED };

struct ref {
	struct test_cpu *c;
	const struct ir_op *ops;
	const struct ir_insn *insns;
	unsigned op_count, insn_count, pc_size, insn;
	uint64_t pc0;
	uint64_t val[IR_MAX_OPS];
	uint32_t flg[IR_MAX_OPS];
};

static inline uint64_t ref_pc(const struct ref *r, uint64_t delta)
{
	return (r->pc0 + delta) & ~UINT64_C(0) >> (64 - (8u << r->pc_size));
}

static inline void ref_flags_put(struct ref *r, uint32_t f)
{
	r->c->flags = (r->c->flags & ~(uint32_t)IR_FLAGS_ALL) | (f & IR_FLAGS_ALL);
}

/* The state must be that of the start of instruction k: only the flags are not there yet. */
static inline void ref_leave_at(struct ref *r, unsigned k)
{
	if (r->insns[k].flags_op)
		ref_flags_put(r, r->flg[r->insns[k].flags_op]);
	r->c->env.pc = ref_pc(r, (uint64_t)(int64_t)r->insns[k].pc_delta);
}

static inline uint64_t ref_atomic(unsigned code, uint64_t old, uint64_t x, uint64_t y)
{
	switch (code) {
	case IR_ATOMIC_XCHG: return x;
	case IR_ATOMIC_ADD: return old + x;
	case IR_ATOMIC_AND: return old & x;
	case IR_ATOMIC_OR: return old | x;
	case IR_ATOMIC_XOR: return old ^ x;
	default: return old == x ? y : old;
	}
}

/* False: it faulted. */
static inline bool ref_memory(struct ref *r, unsigned i, const struct ir_op *op)
{
	uint64_t mask = ~UINT64_C(0) >> (64 - 8 * ir_size(op)), v = 0;
	struct jit_env *env = &r->c->env;
	gva_t addr = r->val[op->a] + op->imm;
	uint8_t tmp[64];

	switch (op->code) {
	case IR_LOAD:
		if (!test_load(env, 0, addr, ir_size(op), false, &v))
			return false;
		r->val[i] = v;
		return true;
	case IR_STORE: return test_store(env, 0, addr, ir_size(op), &r->val[op->b]);
	case IR_VLOAD:
		if (!test_load(env, 0, addr, op->b, false, tmp))
			return false;
		memcpy((char *)env + op->c * 8, tmp, op->b);
		return true;
	case IR_VSTORE: return test_store(env, 0, addr, op->b, (char *)env + op->c * 8);
	default:
		if (!test_load(env, 0, r->val[op->a], ir_size(op), true, &v))
			return false;
		r->val[i] = v;
		v = ref_atomic(op->code, v, r->val[op->b] & mask, r->val[op->c]);
		return test_store(env, 0, r->val[op->a], ir_size(op), &v);
	}
}

static inline bool ref_call(struct ref *r, unsigned i, const struct ir_op *op)
{
	const struct ir_helper *h = (const void *)(uintptr_t)op->imm;
	bool is_if = op->code == IR_CALL_IF;

	if (is_if && !r->val[op->a])
		return true;
	if (h->reads_pc)
		r->c->env.pc = ref_pc(r, (uint64_t)(int64_t)r->insns[r->insn].pc_delta);
	r->val[i] = is_if ? h->fn(r->c, r->val[op->b], r->val[op->c], 0)
			  : h->fn(r->c, r->val[op->a], r->val[op->b], r->val[op->c]);
	return !r->c->env.fault;
}

static inline void ref_value(struct ref *r, unsigned i, const struct ir_op *op)
{
	unsigned size = ir_size(op);
	uint64_t mask = ~UINT64_C(0) >> (64 - 8 * size), a = r->val[op->a];
	uint64_t b = ir_has_imm(op) ? op->imm : r->val[op->b], v = 0;
	struct model m;

	switch (op->code) {
	case IR_NOP: break;
	case IR_CONST: v = op->imm; break;
	case IR_PC: v = ref_pc(r, op->imm); break;
	case IR_GET: memcpy(&v, (char *)r->c + op->imm, size); break;
	case IR_PUT: memcpy((char *)r->c + op->imm, &a, size); break;
	case IR_MOV: v = a & mask; break;
	case IR_SEXT:
		v = (a & mask) | (a >> (8 * size - 1) & 1 ? ~mask : 0);
		v &= ~UINT64_C(0) >> (64 - 8 * op->b);
		break;
	case IR_LEA: v = ((op->a ? a : 0) + ((op->b ? b : 0) << op->c) + op->imm) & mask; break;
	case IR_CMP: v = model_cmp(op->c, size, a, b); break;
	case IR_WIDER:
		v = (int64_t)a >= (int64_t)(UINT64_C(1) << (op->b - 1)) ||
		    (int64_t)a < -(int64_t)(UINT64_C(1) << (op->b - 1));
		break;
	case IR_SELECT: v = a ? r->val[op->b] : r->val[op->c]; break;
	case IR_FLAGS_GET: r->flg[i] = r->c->flags & IR_FLAGS_ALL; break;
	case IR_FLAGS_PUT: ref_flags_put(r, r->flg[op->a]); break;
	case IR_FLAGS_OF: r->flg[i] = a & IR_FLAGS_ALL; break;
	case IR_FLAGS_TO: v = r->flg[op->a]; break;
	case IR_FLAGS_MERGE:
		r->flg[i] = (r->flg[op->a] & op->imm) | (r->flg[op->b] & ~op->imm & IR_FLAGS_ALL);
		break;
	case IR_COND: v = model_cond(op->b, r->flg[op->a]); break;
	default:
		m = model_op(op->code, size, a, b, ir_operand_is_flags(op, 2) ? r->flg[op->c] : 0);
		v = m.value;
		r->flg[i] = m.flags;
		break;
	}
	r->val[i] = v;
}

static inline enum ref_end ref_run(struct ref *r)
{
	bool stop = false;

	r->insn = 0;
	r->pc0 = r->c->env.pc;
	for (unsigned i = 1; i < r->op_count; i++) {
		const struct ir_op *op = &r->ops[i];
		bool ok = true;

		while (r->insn + 1 < r->insn_count && r->insns[r->insn + 1].first_op <= i) {
			r->insn++;
			if (!stop)
				continue;
			ref_leave_at(r, r->insn);
			return REF_MODIFIED;
		}
		switch (op->code) {
		case IR_EXIT:
		case IR_EXIT_IF:
		case IR_EXIT_LOOP:
			if (op->code == IR_EXIT_IF && !r->val[op->a])
				break;
			r->c->env.pc = ref_pc(r, op->imm);
			return op->code == IR_EXIT_LOOP ? REF_LOOP : REF_EXIT;
		case IR_EXIT_TO:
			r->c->env.pc = r->val[op->a] & ~UINT64_C(0) >> (64 - (8u << r->pc_size));
			return REF_EXIT;
		case IR_EXIT_STATE: return REF_LOOP;
		case IR_LOAD:
		case IR_STORE:
		case IR_VLOAD:
		case IR_VSTORE:
		case IR_ATOMIC_XCHG:
		case IR_ATOMIC_ADD:
		case IR_ATOMIC_AND:
		case IR_ATOMIC_OR:
		case IR_ATOMIC_XOR:
		case IR_ATOMIC_CAS: ok = ref_memory(r, i, op); break;
		case IR_CALL:
		case IR_CALL_IF: ok = ref_call(r, i, op); break;
		case IR_FENCE: break;
		default: ref_value(r, i, op); break;
		}
		if (!ok) {
			ref_leave_at(r, r->insn);
			return REF_FAULT;
		}
		stop |= r->c->env.code_stored;
		r->c->env.code_stored = false;
	}
	return REF_LOOP;
}
