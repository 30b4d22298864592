/* arch/x86/x87_arith.c - x87 basic arithmetic (SDM vol. 1 §8.3.5).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/x87_operand.h"

typedef struct f80 x87_binary_fn(struct f80 a, struct f80 b, struct fp_env *e);

/* ---- FADD FMUL FSUB FSUBR FDIV FDIVR, with their P and I forms ----
 * D8: ST0 and memory or ST(i), to ST0; DC, DE with a register: to ST(i), DE pops.  The reversed
 * forms have the other operand first, whatever the destination. */
static void x87_arith(struct x86_cpu *c, uint64_t rule, uint64_t value, x87_binary_fn *op,
		      bool is_reversed)
{
	const bool is_mem = x87_is_mem(rule);
	const unsigned opcode = x87_opcode(rule), i = x87_rm(rule);
	const unsigned dst = !is_mem && opcode != 0xd8 ? i : 0;
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 r = f80_indefinite();

	if (x87_is_empty(c, 0) || (!is_mem && x87_is_empty(c, i))) {
		if (!x87_underflow(c, rule))
			return;
	} else {
		struct f80 a = x87_get(c, 0);

		if (is_mem) {
			r = x87_with_memory(a, rule, value, op, is_reversed, &e);
		} else {
			struct f80 b = x87_get(c, i);

			r = is_reversed ? op(b, a, &e) : op(a, b, &e);
		}
		if (!x87_commit(c, rule, &e))
			return;
	}
	x87_put(c, dst, r);
	if (!is_mem && opcode == 0xde)
		x87_pop(c);
}

#define X87_ARITH(name, op, is_reversed)                                \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		x87_arith(env, n->rule, value, op, is_reversed);        \
	}
X87_ARITH(x_fadd, f80_add, false)
X87_ARITH(x_fmul, f80_mul, false)
X87_ARITH(x_fsub, f80_sub, false)
X87_ARITH(x_fsubr, f80_sub, true)
X87_ARITH(x_fdiv, f80_div, false)
X87_ARITH(x_fdivr, f80_div, true)

/* ---- ST0 = op(ST0) ---- */
#define X87_UNARY(name, op)                                             \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		(void)value;                                            \
		x87_unary(env, n->rule, op);                            \
	}
X87_UNARY(x_fsqrt, f80_sqrt)
X87_UNARY(x_frndint, f80_round_to_int)
X87_UNARY(x_f2xm1, f80_2xm1)

/* ---- FABS, FCHS: the sign alone, of whatever is there ---- */
static void x87_sign(struct x86_cpu *c, uint64_t rule, unsigned keep, unsigned flip)
{
	struct f80 r = f80_indefinite();

	if (x87_is_empty(c, 0)) {
		if (!x87_underflow(c, rule))
			return;
	} else {
		x87_quiet(c, rule);
		r = x87_get(c, 0);
		r.sexp = (uint16_t)((r.sexp & keep) ^ flip);
	}
	x87_put(c, 0, r);
}

void x_fabs(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_sign(env, n->rule, 0x7fff, 0);
}

void x_fchs(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_sign(env, n->rule, 0xffff, 0x8000);
}

/* ---- FSCALE ---- */
void x_fscale(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_binary(env, n->rule, f80_scale, 0);
}

/* ---- FPREM, FPREM1: the quotient's low bits go to C0, C3, C1; a NaN has none ---- */
static void x87_remainder(struct x86_cpu *c, uint64_t rule,
			  struct f80_rem (*op)(struct f80 a, struct f80 b, struct fp_env *e))
{
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80_rem r;

	x87_set_cc(c, 0, FSW_C2);
	if (x87_is_empty(c, 0) || x87_is_empty(c, 1)) {
		if (x87_underflow(c, rule))
			x87_put(c, 0, f80_indefinite());
		return;
	}
	r = op(x87_get(c, 0), x87_get(c, 1), &e);
	if (!x87_commit(c, rule, &e))
		return;
	x87_put(c, 0, r.value);
	if (f80_classify(r.value) == F80_NAN)
		return;
	x87_set_cc(c,
		   (r.partial ? FSW_C2 : 0) | (r.quotient & 4 ? FSW_C0 : 0) |
			   (r.quotient & 2 ? FSW_C3 : 0) | (r.quotient & 1 ? FSW_C1 : 0),
		   FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3);
}

void x_fprem(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_remainder(env, n->rule, f80_prem);
}

void x_fprem1(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_remainder(env, n->rule, f80_prem1);
}

/* ---- FXTRACT: the exponent replaces ST0, the significand is pushed ---- */
void x_fxtract(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 significand = f80_indefinite(), exponent = significand;

	(void)value;
	if (!x87_can_push_result(c, n->rule)) {
		if (!(c->fcw & FP_INVALID))
			return;
	} else {
		significand = f80_extract(x87_get(c, 0), &exponent, &e);
		if (!x87_commit(c, n->rule, &e))
			return;
	}
	x87_put(c, 0, exponent);
	x87_push(c, significand);
}
