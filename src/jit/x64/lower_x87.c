/* jit/x64/lower_x87.c - x87 instructions: the guest's own, on the host's FPU with the guest's
 * stack.
 * SPDX-License-Identifier: MIT */
#include "jit/native.h"
#include "jit/x64/lower_flags.h"
#include "jit/x64/lower_vec.h"

enum { PAGE = 4096 };

static unsigned opcode_of(uint64_t rule) { return rule_opcode(rule); }
static unsigned st_of(uint64_t rule) { return rule >> RULE_RM_SHIFT & 7; }

/* Bytes of the memory operand (SDM 2, appendix B.17). */
static unsigned mem_bytes(uint64_t rule)
{
	unsigned digit = rule_digit(rule);

	switch (opcode_of(rule)) {
	case 0xdc: return 8;
	case 0xdd: return 8;
	case 0xde: return 2;
	case 0xdb: return digit & 4 ? 10 : 4; /* FLD, FSTP m80 */
	case 0xdf: return digit < 4 ? 2 : digit & 1 ? 8 : 10;
	default: return 4; /* D8 D9 DA */
	}
}

static void need_x87(struct x64_compiler *c, unsigned i)
{
	struct stub *s;

	if (c->vec.has_x87)
		return;
	s = stub_new(c, STUB_X87, i);
	x64_alu_i(&c->a, X64_CMP, 1, ENV(c, has_x87), 0);
	x64_jcc(&c->a, X64_CC_E, &s->in);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
	c->vec.has_x87 = true;
}

static bool is_x87_state(const struct ir_native_state *s, uint64_t offset)
{
	return offset - s->fpr < 8 * 16 || offset - s->fsw < 2 || offset == s->ftop ||
	       offset == s->ftag;
}

void x87_touch(struct x64_compiler *c, unsigned i, uint64_t offset)
{
	const struct ir_native_state *g = c->jit->desc->native;
	struct stub *s;

	if (!g || !is_x87_state(g, offset))
		return;
	s = stub_new(c, STUB_X87_UNLOAD, i);
	x64_alu_i(&c->a, X64_CMP, 1, ENV(c, has_x87), 0);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
	c->vec.has_x87 = false;
}

static struct x64_rm operand_slot(const struct x64_compiler *c)
{
	return state(c, c->jit->desc->native->operand);
}

/* The memory operand of NATIVE i: where a load left it, or in the state. */
static struct x64_rm operand_of(struct x64_compiler *c, unsigned i, unsigned bytes)
{
	unsigned v = op_at(c, i)->a;
	struct x64_rm m;

	if (bytes > 8)
		return c->vec.folded == i ? x64_m(S0, c->vec.folded_disp) : operand_slot(c);
	m = c->value[v].at.kind == PLACE_CONST ? x64_r(place_in_reg(c, v, bytes, 0))
					       : place_rm(c, v, bytes, 0);
	if (m.kind != X64_RM_REG)
		return m;
	x64_mov_to(&c->a, bytes, operand_slot(c), m.base);
	return operand_slot(c);
}

/* FCMOVcc: whatever the condition was, it is a value by now. */
static void emit_fcmov(struct x64_compiler *c, unsigned i, uint64_t rule)
{
	unsigned v = op_at(c, i)->a, reg = place_in_reg(c, v, 1, 0);

	x64_test_i(&c->a, 1, x64_r(reg), 0xff);
	flags_lost(c);
	x64_x87(&c->a, 0xdb, 0xc8 | st_of(rule)); /* FCMOVNE */
}

static void emit_registers(struct x64_compiler *c, uint64_t rule)
{
	x64_x87(&c->a, opcode_of(rule), 0xc0 | rule_digit(rule) << 3 | st_of(rule));
}

static bool is_fcmov(uint64_t rule)
{
	unsigned opcode = opcode_of(rule);

	return !(rule & RULE_MEM) && (opcode == 0xda || opcode == 0xdb) && rule_digit(rule) < 4;
}

bool x87_native(struct x64_compiler *c, unsigned i)
{
	const struct ir_native *n = (const void *)(uintptr_t)op_at(c, i)->imm;
	uint64_t rule = n->rule;

	need_x87(c, i);
	if (rule & RULE_MEM)
		x64_x87_m(&c->a, opcode_of(rule), rule_digit(rule),
			  operand_of(c, i, mem_bytes(rule)));
	else if (is_fcmov(rule))
		emit_fcmov(c, i, rule);
	else
		emit_registers(c, rule);
	return true;
}

/* ---- helpers: stores, results that are flags ---- */

/* The host stores where the check allows it; elsewhere the helper does it all, and the registers
 * come back.  The address stays in bounce, the helper's first argument. */
static void call_store(struct x64_compiler *c, unsigned i, uint64_t rule)
{
	struct x64_asm *a = &c->a;
	unsigned bytes = mem_bytes(rule), reg = place_in_reg(c, op_at(c, i)->a, 8, 0);
	struct stub *s = vec_helper_stub(c, i, false);

	s->bytes = (uint8_t)bytes;
	if (reg != S0)
		x64_mov_rr(a, 8, S0, reg);
	x64_mov_to(a, 8, ENV(c, bounce), S0);
	mem_emit_lookup(c, s, bytes, true);
	x64_x87_m(a, opcode_of(rule), rule_digit(rule), x64_m(S0, 0));
	x64_bind(a, &s->back);
	flags_lost(c);
	c->may_have_stored = true;
}

/* FLDCW that leaves all exceptions masked; what unmasks one goes to the helper, and on in another
 * mode. */
static void call_control(struct x64_compiler *c, unsigned i)
{
	enum { VALID = 0x1f3f, ONES = 0x40, MASKS = 0x3f };
	struct x64_rm fcw = state(c, c->jit->desc->native->fcw);
	unsigned reg = place_in_reg(c, op_at(c, i)->a, 2, 0);
	struct stub *s = vec_helper_stub(c, i, true);

	x64_movzx(&c->a, 2, S0, x64_r(reg));
	x64_mov_to(&c->a, 8, ENV(c, bounce), S0);
	x64_mov_rr(&c->a, 4, S1, S0);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(S1), MASKS);
	x64_alu_i(&c->a, X64_CMP, 4, x64_r(S1), MASKS);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(S0), VALID);
	x64_alu_i(&c->a, X64_OR, 4, x64_r(S0), ONES);
	x64_mov_to(&c->a, 2, fcw, S0);
	x64_x87_m(&c->a, 0xd9, 5, fcw);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
}

/* FCOMI and kin: EFLAGS are the result's bits. */
static void call_compare(struct x64_compiler *c, unsigned i, uint64_t rule)
{
	unsigned reg = place_scratch(c, 0);

	emit_registers(c, rule);
	vec_take_flags(c, i, reg);
}

/* FNSTSW. */
static void call_status(struct x64_compiler *c, unsigned i)
{
	struct place tmp;
	struct x64_rm to = place_new_tmp(c, &tmp);

	x64_x87_m(&c->a, 0xdd, 7, to);
	tmp.valid = 2;
	place_set(c, i, tmp);
}

bool x87_call(struct x64_compiler *c, unsigned i, uint64_t rule)
{
	need_x87(c, i);
	switch (opcode_of(rule) << 4 | rule_digit(rule)) {
	case 0xdd7:
	case 0xdf4:
		call_status(c, i); /* DD/7, DF E0 */
		break;
	case 0xd95: call_control(c, i); break;
	case 0xdb4: emit_registers(c, rule); break; /* FNCLEX */
	default:
		if (rule & RULE_MEM)
			call_store(c, i, rule);
		else
			call_compare(c, i, rule);
		break;
	}
	return true;
}
