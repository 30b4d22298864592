/* arch/x86/x87.h - the x87 FPU: its registers and how its instructions report exceptions.
 *
 * Semantics of rows x87(x_foo) have the type ir_native_fn; all they need to know of the encoding is
 * in ir_native.rule.  A memory operand of up to 8 bytes comes in `value`, a bigger one in vtmp[0].
 * Stores and what sets EFLAGS are helpers (xh_foo) that get the same facts as an argument.
 *
 * An instruction reports its outcome once: x87_commit(), x87_stack_fault(), x87_quiet() or
 * x87_note().  Unmasked
 * exceptions only set ES; the next waiting instruction raises #MF (SDM vol. 1 §8.6, §8.7).
 *
 * Not modelled: IGNNE#.  With CR0.NE clear a waiting instruction with a pending exception asserts
 * FERR# and goes on, as if the board ignored the error until the interrupt arrives.
 *
 * SPDX-License-Identifier: MIT */
#pragma once

#include "arch/x86/tr.h"
#include "arch/x86/x86.h"
#include "base/softfloat/f80.h"

/* Status word (SDM vol. 1 §8.1.3); bits 5-0 are enum fp_flag.  TOP is kept in x86_cpu.ftop. */
enum {
	FSW_SF = 1u << 6,
	FSW_ES = 1u << 7,
	FSW_C0 = 1u << 8,
	FSW_C1 = 1u << 9,
	FSW_C2 = 1u << 10,
	FSW_TOP_SHIFT = 11,
	FSW_TOP = 7u << 11,
	FSW_C3 = 1u << 14,
	FSW_B = 1u << 15,
};
enum { FCW_VALID = 0x1f3f, FCW_ONES = 0x0040 };

/* ---- facts about the instruction ---- */
static inline unsigned x87_opcode(uint64_t rule) { return rule & 0xff; }
static inline unsigned x87_digit(uint64_t rule) { return rule >> RULE_DIGIT_SHIFT & 7; }
static inline unsigned x87_rm(uint64_t rule) { return rule >> RULE_RM_SHIFT & 7; }
static inline bool x87_is_mem(uint64_t rule) { return rule & RULE_MEM; }

/* ---- the register stack ---- */
static inline unsigned x87_reg(const struct x86_cpu *c, unsigned i) { return (c->ftop + i) & 7; }

static inline bool x87_is_empty(const struct x86_cpu *c, unsigned i)
{
	return !(c->ftag & 1u << x87_reg(c, i));
}

static inline struct f80 x87_get(const struct x86_cpu *c, unsigned i)
{
	const struct x86_f80 *r = &c->fpr[x87_reg(c, i)];

	return (struct f80){ .frac = r->frac, .sexp = r->sexp };
}

static inline void x87_put(struct x86_cpu *c, unsigned i, struct f80 v)
{
	unsigned r = x87_reg(c, i);

	c->fpr[r].frac = v.frac;
	c->fpr[r].sexp = v.sexp;
	c->ftag |= (uint8_t)(1u << r);
}

static inline void x87_free(struct x86_cpu *c, unsigned i)
{
	c->ftag &= (uint8_t) ~(1u << x87_reg(c, i));
}

static inline void x87_pop(struct x86_cpu *c)
{
	x87_free(c, 0);
	c->ftop = (c->ftop + 1) & 7;
}

static inline void x87_push(struct x86_cpu *c, struct f80 v)
{
	c->ftop = (c->ftop - 1) & 7;
	x87_put(c, 0, v);
}

/* ---- outcomes (x87.c) ---- */

/* Merge what the operation reported: flags, C1, the opcode and segment pointers.  False: an operand
 * exception is unmasked and nothing may be written. */
bool x87_commit(struct x86_cpu *c, uint64_t rule, const struct fp_env *e);
/* Stack overflow or underflow.  True: masked, the caller writes the default response. */
bool x87_stack_fault(struct x86_cpu *c, uint64_t rule, bool is_overflow);
static inline bool x87_underflow(struct x86_cpu *c, uint64_t rule)
{
	return x87_stack_fault(c, rule, false);
}
static inline bool x87_overflow(struct x86_cpu *c, uint64_t rule)
{
	return x87_stack_fault(c, rule, true);
}
/* No exception, C1 is kept, or cleared. */
void x87_note(struct x86_cpu *c, uint64_t rule);
void x87_quiet(struct x86_cpu *c, uint64_t rule);

static inline void x87_set_cc(struct x86_cpu *c, unsigned bits, unsigned mask)
{
	c->fsw = (uint16_t)((c->fsw & ~mask) | bits);
}

/* ---- whole state (x87_env.c) ---- */

/* The status word as stored, the full tag word. */
uint16_t x87_status(const struct x86_cpu *c);
uint16_t x87_tags(const struct x86_cpu *c);
/* ES and B follow from flags and masks; FERR# falls with them. */
void x87_update_es(struct x86_cpu *c);

/* What the helpers of FNSTENV and kin get as their second argument. */
enum {
	X87_ENV_32 = 1u << 0,   /* 28 bytes, not 14 */
	X87_ENV_REAL = 1u << 1, /* real-address or virtual-8086 mode */
	X87_ENV_REGS = 1u << 2, /* FNSAVE, FRSTOR: the registers too */
};

/* FCMOVcc; value: does the condition hold? */
ir_native_fn x_fcmov;
/* a: linear address, b: rule (FST, FIST) or X87_ENV_*. */
ir_helper_fn xh_fst, xh_fist, xh_fisttp, xh_fbstp, xh_fnstenv, xh_fldenv;
/* a: rule; result: the six flags. */
ir_helper_fn xh_fcomi;
/* a: control word. */
ir_helper_fn xh_fldcw;
ir_helper_fn xh_fninit, xh_fnclex;
