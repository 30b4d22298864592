/* arch/x86/x87_move.c - x87 loads, stores, exchanges, constants and the stack pointer (SDM vol. 1
 * §8.3.3, §8.3.4).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/x87.h"

/* ---- pushes ---- */

/* Push v, which was had without exceptions. */
static void x87_load(struct x86_cpu *c, uint64_t rule, struct f80 v)
{
	if (x87_is_empty(c, 7))
		x87_quiet(c, rule);
	else if (x87_overflow(c, rule))
		v = f80_indefinite();
	else
		return;
	x87_push(c, v);
}

/* FLD m32, m64 (opcodes D9, DD) */
void x_fld(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_x87(c->fcw);
	struct f80 v = f80_indefinite();

	if (!x87_is_empty(c, 7)) {
		if (!x87_overflow(c, n->rule))
			return;
	} else {
		v = x87_opcode(n->rule) == 0xd9 ? f80_from_f32((uint32_t)value, &e)
						: f80_from_f64(value, &e);
		/* #D, even unmasked, lets the load happen */
		if (!x87_commit(c, n->rule, &e) && e.flags & FP_INVALID)
			return;
	}
	x87_push(c, v);
}

/* FLD m80: any bits, no exceptions */
void x_fld80(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct f80 v = { .frac = ld64_le(c->vtmp[0]), .sexp = ld16_le(c->vtmp[0] + 8) };

	(void)value;
	x87_load(c, n->rule, v);
}

/* FILD m16 (DF /0), m32 (DB /0), m64 (DF /5) */
void x_fild(void *env, const struct ir_native *n, uint64_t value)
{
	bool is_64 = x87_digit(n->rule) == 5;
	int64_t v = is_64                         ? (int64_t)value
		    : x87_opcode(n->rule) == 0xdb ? (int32_t)value
						  : (int16_t)value;

	x87_load(env, n->rule, f80_from_i64(v));
}

void x_fbld(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;

	(void)value;
	x87_load(c, n->rule, f80_from_bcd(c->vtmp[0]));
}

/* FLD ST(i) */
void x_fld_st(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	unsigned i = x87_rm(n->rule);

	(void)value;
	if (!x87_is_empty(c, i))
		x87_load(c, n->rule, x87_get(c, i));
	else if (x87_underflow(c, n->rule))
		x87_push(c, f80_indefinite());
}

/* FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ: D9 E8 .. EE */
void x_fld_constant(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_x87(c->fcw);

	(void)value;
	x87_load(c, n->rule, f80_constant((enum f80_constant)x87_rm(n->rule), &e));
}

/* ---- register to register ---- */

/* FSTP1 ST(i) (D9 /3): an empty ST0 is no exception, and nothing to store. */
void x_fstp1(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;

	(void)value;
	x87_quiet(c, n->rule);
	if (!x87_is_empty(c, 0))
		x87_put(c, x87_rm(n->rule), x87_get(c, 0));
	x87_pop(c);
}

/* FST ST(i) (DD /2); FSTP ST(i) (DD /3, DF /2, DF /3) */
void x_fst_st(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct f80 v = f80_indefinite();

	(void)value;
	if (!x87_is_empty(c, 0)) {
		x87_quiet(c, n->rule);
		v = x87_get(c, 0);
	} else if (!x87_underflow(c, n->rule)) {
		return;
	}
	x87_put(c, x87_rm(n->rule), v);
	if (x87_opcode(n->rule) != 0xdd || x87_digit(n->rule) != 2)
		x87_pop(c);
}

void x_fxch(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	unsigned i = x87_rm(n->rule);
	struct f80 a = x87_get(c, 0), b = x87_get(c, i);

	(void)value;
	if (x87_is_empty(c, 0) || x87_is_empty(c, i)) {
		if (!x87_underflow(c, n->rule))
			return;
		a = x87_is_empty(c, 0) ? f80_indefinite() : a;
		b = x87_is_empty(c, i) ? f80_indefinite() : b;
	} else {
		x87_quiet(c, n->rule);
	}
	x87_put(c, 0, b);
	x87_put(c, i, a);
}

void x_fcmov(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	unsigned i = x87_rm(n->rule);

	if (x87_is_empty(c, 0) || x87_is_empty(c, i)) {
		if (x87_underflow(c, n->rule))
			x87_put(c, 0, f80_indefinite());
		return;
	}
	x87_note(c, n->rule);
	if (value)
		x87_put(c, 0, x87_get(c, i));
}

/* ---- stack management ---- */

void x_fincstp(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;

	(void)value;
	x87_quiet(c, n->rule);
	c->ftop = (c->ftop + 1) & 7;
}

void x_fdecstp(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;

	(void)value;
	x87_quiet(c, n->rule);
	c->ftop = (c->ftop - 1) & 7;
}

/* FFREE (DD /0); FFREEP (DF /0) */
void x_ffree(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;

	(void)value;
	x87_quiet(c, n->rule);
	x87_free(c, x87_rm(n->rule));
	if (x87_opcode(n->rule) == 0xdf)
		x87_pop(c);
}

void x_fnop(void *env, const struct ir_native *n, uint64_t value)
{
	(void)value;
	x87_note(env, n->rule);
}

/* ---- stores to memory ---- */

/* Would a store fault?  Then it has. */
static bool x87_probe(struct x86_cpu *c, gva_t addr, unsigned len)
{
	uint8_t unused[10];

	return c->env.mem->load(&c->env, x86_view(c), addr, len, true, unused);
}

/* The last step of a store: bytes to memory, then flags, then the pop.  An unmasked exception other
 * than precision keeps all but the flags from happening, if memory could have been written.  e
 * NULL: ST0 was empty, bytes are the indefinite. */
static uint64_t x87_store(struct x86_cpu *c, gva_t addr, uint64_t rule, const void *bytes,
			  unsigned len, const struct fp_env *e)
{
	unsigned flags = e ? fp_reported(e) : FP_INVALID;
	bool stopped = flags & ~(unsigned)c->fcw & FP_ALL_FLAGS & ~(unsigned)FP_INEXACT;

	if (stopped ? !x87_probe(c, addr, len) : !x86_store_bytes(c, x86_view(c), addr, bytes, len))
		return 0;
	if (e)
		x87_commit(c, rule, e);
	else
		x87_underflow(c, rule);
	if (!stopped && x87_digit(rule) != 2)
		x87_pop(c);
	return 0;
}

/* FST m32 (D9), m64 (DD); FSTP m80 (DB) */
uint64_t xh_fst(void *env, uint64_t addr, uint64_t rule, uint64_t unused)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_x87(c->fcw);
	bool is_empty = x87_is_empty(c, 0);
	struct f80 v = is_empty ? f80_indefinite() : x87_get(c, 0);
	unsigned len = x87_opcode(rule) == 0xdb ? 10 : x87_opcode(rule) == 0xd9 ? 4 : 8;
	uint8_t raw[10];

	(void)unused;
	if (len == 4) {
		st32_le(raw, f80_to_f32(v, &e));
	} else if (len == 8) {
		st64_le(raw, f80_to_f64(v, &e));
	} else {
		st64_le(raw, v.frac);
		st16_le(raw + 8, v.sexp);
	}
	return x87_store(c, addr, rule, raw, len, is_empty ? NULL : &e);
}

/* FIST, FISTTP m16 (DF), m32 (DB), m64 (DF /7, DD /1) */
static uint64_t x87_store_int(struct x86_cpu *c, gva_t addr, uint64_t rule, enum fp_rounding mode)
{
	struct fp_env e = fp_env_x87(c->fcw);
	bool is_empty = x87_is_empty(c, 0);
	struct f80 v = is_empty ? f80_indefinite() : x87_get(c, 0);
	uint8_t raw[8];
	unsigned len;

	if (x87_digit(rule) == 7 || x87_opcode(rule) == 0xdd) {
		len = 8;
		st64_le(raw, (uint64_t)f80_to_i64(v, mode, &e));
	} else if (x87_opcode(rule) == 0xdb) {
		len = 4;
		st32_le(raw, (uint32_t)f80_to_i32(v, mode, &e));
	} else {
		len = 2;
		st16_le(raw, (uint16_t)f80_to_i16(v, mode, &e));
	}
	return x87_store(c, addr, rule, raw, len, is_empty ? NULL : &e);
}

uint64_t xh_fist(void *env, uint64_t addr, uint64_t rule, uint64_t unused)
{
	struct x86_cpu *c = env;

	(void)unused;
	return x87_store_int(c, addr, rule, (enum fp_rounding)(c->fcw >> 10 & 3));
}

uint64_t xh_fisttp(void *env, uint64_t addr, uint64_t rule, uint64_t unused)
{
	(void)unused;
	return x87_store_int(env, addr, rule, FP_TO_ZERO);
}

uint64_t xh_fbstp(void *env, uint64_t addr, uint64_t rule, uint64_t unused)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_x87(c->fcw);
	bool is_empty = x87_is_empty(c, 0);
	uint8_t raw[10];

	(void)unused;
	f80_to_bcd(is_empty ? f80_indefinite() : x87_get(c, 0), raw, &e);
	return x87_store(c, addr, rule, raw, 10, is_empty ? NULL : &e);
}
