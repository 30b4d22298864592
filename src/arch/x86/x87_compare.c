/* arch/x86/x87_compare.c - x87 comparisons and classification (SDM vol. 1 §8.3.6).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/x87_operand.h"

enum { CC_ALL = FSW_C0 | FSW_C2 | FSW_C3 };

static unsigned cc_of_order(enum fp_order order)
{
	switch (order) {
	case FP_LESS: return FSW_C0;
	case FP_EQUAL: return FSW_C3;
	case FP_GREATER: return 0;
	case FP_UNORDERED: break;
	}
	return CC_ALL;
}

static enum fp_order compare_memory(struct f80 a, uint64_t rule, uint64_t value, struct fp_env *e)
{
	bool was_denormal;
	struct f80 b = x87_memory(rule, value, &was_denormal);

	if (unlikely(was_denormal)) {
		struct fp_env trial = *e;

		f80_compare(a, x87_denormal_like(b), false, &trial);
		e->flags |= trial.flags & FP_DENORMAL;
	}
	return f80_compare(a, b, false, e);
}

/* FCOM, FUCOM (quiet) with memory or ST(i), and `pops` pops.  An unmasked exception keeps the pops
 * from happening, not the condition codes. */
static void x87_compare(struct x86_cpu *c, uint64_t rule, uint64_t value, bool quiet, unsigned pops)
{
	const bool is_mem = x87_is_mem(rule);
	struct fp_env e = fp_env_x87(c->fcw);
	enum fp_order order = FP_UNORDERED;
	bool done;

	if (x87_is_empty(c, 0) || (!is_mem && x87_is_empty(c, x87_rm(rule)))) {
		done = x87_underflow(c, rule);
	} else {
		struct f80 a = x87_get(c, 0);

		order = is_mem ? compare_memory(a, rule, value, &e)
			       : f80_compare(a, x87_get(c, x87_rm(rule)), quiet, &e);
		done = x87_commit(c, rule, &e);
	}
	x87_set_cc(c, cc_of_order(order), CC_ALL);
	while (done && pops--)
		x87_pop(c);
}

#define X87_COMPARE(name, quiet, pops)                                  \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		x87_compare(env, n->rule, value, quiet, pops);          \
	}
X87_COMPARE(x_fcom, false, 0)
X87_COMPARE(x_fcomp, false, 1)
X87_COMPARE(x_fcompp, false, 2)
X87_COMPARE(x_fucom, true, 0)
X87_COMPARE(x_fucomp, true, 1)
X87_COMPARE(x_fucompp, true, 2)

void x_ftst(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_x87(c->fcw);
	enum fp_order order = FP_UNORDERED;

	(void)value;
	if (x87_is_empty(c, 0)) {
		x87_underflow(c, n->rule);
	} else {
		order = f80_compare(x87_get(c, 0), (struct f80){ 0 }, false, &e);
		x87_commit(c, n->rule, &e);
	}
	x87_set_cc(c, cc_of_order(order), CC_ALL);
}

/* C1 is the sign, even of an empty register. */
void x_fxam(void *env, const struct ir_native *n, uint64_t value)
{
	static const uint16_t cc[] = {
		[F80_UNSUPPORTED] = 0,       [F80_NAN] = FSW_C0,  [F80_NORMAL] = FSW_C2,
		[F80_INF] = FSW_C2 | FSW_C0, [F80_ZERO] = FSW_C3, [F80_DENORMAL] = FSW_C3 | FSW_C2,
	};
	struct x86_cpu *c = env;
	struct f80 v = x87_get(c, 0);
	unsigned bits = x87_is_empty(c, 0) ? FSW_C3 | FSW_C0 : cc[f80_classify(v)];

	(void)value;
	x87_quiet(c, n->rule);
	x87_set_cc(c, bits | (v.sexp & 0x8000 ? FSW_C1 : 0), CC_ALL | FSW_C1);
}

/* FCOMI (DB /6), FUCOMI (DB /5); DF: they pop.  Returns the flags: OF, SF and AF are clear. */
uint64_t xh_fcomi(void *env, uint64_t rule, uint64_t unused1, uint64_t unused2)
{
	static const uint8_t flags[] = {
		[FP_LESS - FP_LESS] = IR_C,
		[FP_EQUAL - FP_LESS] = IR_Z,
		[FP_GREATER - FP_LESS] = 0,
		[FP_UNORDERED - FP_LESS] = IR_Z | IR_P | IR_C,
	};
	struct x86_cpu *c = env;
	unsigned i = x87_rm(rule);
	struct fp_env e = fp_env_x87(c->fcw);
	enum fp_order order = FP_UNORDERED;
	bool done;

	(void)unused1;
	(void)unused2;
	if (x87_is_empty(c, 0) || x87_is_empty(c, i)) {
		done = x87_underflow(c, rule);
	} else {
		order = f80_compare(x87_get(c, 0), x87_get(c, i), x87_digit(rule) == 5, &e);
		done = x87_commit(c, rule, &e);
	}
	if (done && x87_opcode(rule) == 0xdf)
		x87_pop(c);
	return flags[order - FP_LESS];
}
