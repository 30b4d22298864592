/* arch/x86/x87_trig.c - x87 transcendental instructions (SDM vol. 1 §8.3.7, §8.3.8).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/x87_operand.h"

/* ---- ST1 = f(ST1, ST0), pop ---- */
/* Processors report every such product as inexact, even when x is a power of two; and so a denormal
 * one as underflow. */
static struct f80 yl2x(struct f80 st0, struct f80 st1, struct fp_env *e)
{
	struct f80 r = f80_yl2x(st1, st0, e);
	enum f80_class cls = f80_classify(r);

	if (cls == F80_NORMAL || cls == F80_DENORMAL)
		e->flags |= FP_INEXACT;
	if (cls == F80_DENORMAL)
		e->flags |= FP_UNDERFLOW;
	return r;
}

static struct f80 yl2xp1(struct f80 st0, struct f80 st1, struct fp_env *e)
{
	return f80_yl2xp1(st1, st0, e);
}

static struct f80 patan(struct f80 st0, struct f80 st1, struct fp_env *e)
{
	return f80_patan(st1, st0, e);
}

#define X87_LOG(name, op)                                               \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		(void)value;                                            \
		x87_binary(env, n->rule, op, 1);                        \
	}
X87_LOG(x_fyl2x, yl2x)
X87_LOG(x_fyl2xp1, yl2xp1)
X87_LOG(x_fpatan, patan)

/* ---- FSIN, FCOS.  C2: the operand is out of range and stays ---- */
static void x87_angle(struct x86_cpu *c, uint64_t rule,
		      struct f80 (*op)(struct f80 x, bool *in_range, struct fp_env *e))
{
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 r = f80_indefinite();
	bool in_range = true;

	x87_set_cc(c, 0, FSW_C2);
	if (x87_is_empty(c, 0)) {
		if (!x87_underflow(c, rule))
			return;
	} else {
		r = op(x87_get(c, 0), &in_range, &e);
		if (!x87_commit(c, rule, &e))
			return;
	}
	if (in_range)
		x87_put(c, 0, r);
	else
		x87_set_cc(c, FSW_C2, FSW_C2);
}

void x_fsin(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_angle(env, n->rule, f80_sin);
}

void x_fcos(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_angle(env, n->rule, f80_cos);
}

/* ---- FSINCOS, FPTAN: two results ---- */
static struct f80 tan_and_one(struct f80 x, struct f80 *second, bool *in_range, struct fp_env *e)
{
	struct f80 r = f80_tan(x, in_range, e);

	*second = f80_classify(r) == F80_NAN ? r : f80_constant(F80_ONE, e);
	return r;
}

static void x87_angle2(struct x86_cpu *c, uint64_t rule,
		       struct f80 (*op)(struct f80 x, struct f80 *second, bool *in_range,
					struct fp_env *e))
{
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 first = f80_indefinite(), second = first;
	bool in_range = true;

	x87_set_cc(c, 0, FSW_C2);
	if (!x87_can_push_result(c, rule)) {
		if (!(c->fcw & FP_INVALID))
			return;
	} else {
		first = op(x87_get(c, 0), &second, &in_range, &e);
		if (!x87_commit(c, rule, &e))
			return;
	}
	if (!in_range) {
		x87_set_cc(c, FSW_C2, FSW_C2);
		return;
	}
	x87_put(c, 0, first);
	x87_push(c, second);
}

void x_fptan(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_angle2(env, n->rule, tan_and_one);
}

void x_fsincos(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_angle2(env, n->rule, f80_sincos);
}
