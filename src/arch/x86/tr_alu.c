/* arch/x86/tr_alu.c - binary and decimal arithmetic, logic, multiplication (SDM 1 7.3.2-7.3.4).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"

/* a <code> b, with the carry where the operation takes one. */
static ir_val alu_op(struct x86_tr *t, enum ir_code code, unsigned size, ir_val a, ir_val b)
{
	if (code == IR_ADC || code == IR_SBB)
		return ir_binf(t->b, code, size, a, b, ir_flags(t->b));
	return ir_bin(t->b, code, size, a, b);
}

/* The same; b is operand 1. */
static ir_val alu_operand(struct x86_tr *t, enum ir_code code, unsigned size, ir_val a)
{
	uint64_t imm;

	if (code != IR_ADC && code != IR_SBB && tr_imm(t, 1, &imm))
		return ir_bini(t->b, code, size, a, imm);
	return alu_op(t, code, size, a, tr_read_low(t, 1));
}

ir_val tr_lock_addr(struct x86_tr *t, unsigned size)
{
	struct tr_place p = tr_addr(t, size, TR_ACCESS_RMW);

	if (t->mode & MODE_ALIGN && size > 1)
		tr_check_aligned(t, p, size, EXC_AC);
	return tr_place_value(t, p);
}

/* LOCK op m, b: the old value.  Subtraction adds the negative; borrow and carry go into b. */
static ir_val alu_atomic(struct x86_tr *t, enum ir_code code, unsigned size, ir_val b)
{
	static const enum ir_code atomic[IR_CODE_COUNT] = {
		[IR_ADD] = IR_ATOMIC_ADD, [IR_ADC] = IR_ATOMIC_ADD, [IR_SUB] = IR_ATOMIC_ADD,
		[IR_SBB] = IR_ATOMIC_ADD, [IR_AND] = IR_ATOMIC_AND, [IR_OR] = IR_ATOMIC_OR,
		[IR_XOR] = IR_ATOMIC_XOR,
	};
	ir_val x = b;

	if (code == IR_ADC || code == IR_SBB)
		x = ir_binfi(t->b, IR_ADC, size, b, 0, ir_flags(t->b));
	if (code == IR_SUB || code == IR_SBB)
		x = ir_un(t->b, IR_NEG, size, x);
	return ir_atomic(t->b, atomic[code], size, tr_lock_addr(t, size), x, IR_NONE);
}

static void alu(struct x86_tr *t, enum ir_code code)
{
	unsigned size = tr_size(t, 0);
	ir_val a, b, r;

	if (tr_locked(t)) {
		b = tr_read(t, 1);
		a = alu_atomic(t, code, size, b);
		ir_flags_set(t->b, alu_op(t, code, size, a, b));
		return;
	}
	r = alu_operand(t, code, size, tr_read_rmw(t, 0));
	tr_write(t, 0, r);
	ir_flags_set(t->b, r);
}

/* a - a and a ^ a: 0 is put without a look at a. */
static void alu_to_zero(struct x86_tr *t, enum ir_code code)
{
	ir_val zero;

	if (t->in.mod != 3 || t->in.reg != t->in.rm || t->in.row->attrs & ROW_IMM) {
		alu(t, code);
		return;
	}
	zero = ir_zero(t->b);
	tr_write(t, 0, zero);
	ir_flags_set(t->b, zero);
}

void tr_add(struct x86_tr *t) { alu(t, IR_ADD); }
void tr_or(struct x86_tr *t) { alu(t, IR_OR); }
void tr_adc(struct x86_tr *t) { alu(t, IR_ADC); }
void tr_sbb(struct x86_tr *t) { alu(t, IR_SBB); }
void tr_and(struct x86_tr *t) { alu(t, IR_AND); }
void tr_sub(struct x86_tr *t) { alu_to_zero(t, IR_SUB); }
void tr_xor(struct x86_tr *t) { alu_to_zero(t, IR_XOR); }

/* Only the flags of operand 0 <code> operand 1. */
static void alu_flags(struct x86_tr *t, enum ir_code code)
{
	unsigned size = tr_size(t, 0);
	ir_val a = tr_read_low(t, 0);
	uint64_t imm;

	if (tr_imm(t, 1, &imm))
		ir_flags_set(t->b, ir_bini_flags(t->b, code, size, a, imm));
	else
		ir_flags_set(t->b, ir_bin_flags(t->b, code, size, a, tr_read_low(t, 1)));
}

void tr_cmp(struct x86_tr *t) { alu_flags(t, IR_SUB); }
void tr_test(struct x86_tr *t) { alu_flags(t, IR_AND); }

static void inc_dec(struct x86_tr *t, enum ir_code code, uint64_t step)
{
	unsigned size = tr_size(t, 0);
	ir_val old, r;

	if (tr_locked(t)) {
		old = ir_atomic(t->b, IR_ATOMIC_ADD, size, tr_lock_addr(t, size),
				ir_const(t->b, step), IR_NONE);
		ir_flags_set(t->b, ir_binf(t->b, code, size, old, IR_NONE, ir_flags(t->b)));
		return;
	}
	old = tr_read_rmw(t, 0);
	r = ir_binf(t->b, code, size, old, IR_NONE, ir_flags(t->b));
	tr_write(t, 0, r);
	ir_flags_set(t->b, r);
}

void tr_inc(struct x86_tr *t) { inc_dec(t, IR_INC, 1); }
void tr_dec(struct x86_tr *t) { inc_dec(t, IR_DEC, UINT64_MAX); }

void tr_not(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);

	if (tr_locked(t))
		ir_atomic(t->b, IR_ATOMIC_XOR, size, tr_lock_addr(t, size),
			  ir_const(t->b, UINT64_MAX), IR_NONE);
	else
		tr_write(t, 0, ir_un(t->b, IR_NOT, size, tr_read_rmw(t, 0)));
}

void tr_neg(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val old = tr_read_rmw(t, 0), r = ir_un(t->b, IR_NEG, size, old);

	if (tr_locked(t)) { /* lost a race: the instruction starts again */
		ir_val found = ir_atomic(t->b, IR_ATOMIC_CAS, size, tr_lock_addr(t, size), old, r);

		ir_exit_if(t->b, ir_cmp(t->b, IR_NE, size, found, old), t->delta);
	} else {
		tr_write(t, 0, r);
	}
	ir_flags_set(t->b, r);
}

/* ---- multiplication and division ---- */

/* C and O by cond; the others are undefined: 0. */
static void set_carry_overflow(struct x86_tr *t, ir_val cond)
{
	ir_val bits = ir_bini(t->b, IR_AND, 8, ir_un(t->b, IR_NEG, 8, cond), IR_C | IR_O);

	ir_flags_set(t->b, ir_flags_of(t->b, bits));
}

static void put_product(struct x86_tr *t, unsigned size, ir_val lo, ir_val hi)
{
	tr_put_reg(t, size, RAX, lo);
	tr_put_reg(t, size, RDX, hi);
}

void tr_mul(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0), bits = size * 8;
	ir_val a = ir_get(t->b, size, OFS_GPR(RAX)), b = tr_read(t, 0), lo, hi;

	if (size == 8) {
		hi = ir_bin(t->b, IR_MULUH, 8, a, b);
		lo = ir_bin(t->b, IR_MUL, 8, a, b);
	} else {
		lo = ir_bin(t->b, IR_MUL, 8, a, b);
		hi = ir_bini(t->b, IR_SHR, 8, lo, bits);
	}
	if (size == 1)
		ir_put(t->b, 2, OFS_GPR(RAX), lo);
	else
		put_product(t, size, lo, hi);
	set_carry_overflow(t, ir_cmpi(t->b, IR_NE, 8, hi, 0));
}

void tr_imul1(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val a = ir_get(t->b, size, OFS_GPR(RAX)), b = tr_read(t, 0), lo, hi;
	ir_val fits = ir_bin(t->b, IR_MUL, size, a, b);

	if (size == 8) {
		lo = fits;
		hi = ir_bin(t->b, IR_MULSH, 8, a, b);
	} else {
		lo = ir_bin(t->b, IR_MUL, 8, ir_sext(t->b, size, 8, a), ir_sext(t->b, size, 8, b));
		hi = ir_bini(t->b, IR_SHR, 8, lo, size * 8);
	}
	if (size == 1)
		ir_put(t->b, 2, OFS_GPR(RAX), lo);
	else
		put_product(t, size, lo, hi);
	ir_flags_set(t->b, fits);
}

static void imul(struct x86_tr *t, ir_val a, ir_val b)
{
	ir_val r = ir_bin(t->b, IR_MUL, tr_size(t, 0), a, b);

	tr_write(t, 0, r);
	ir_flags_set(t->b, r);
}

void tr_imul2(struct x86_tr *t) { imul(t, tr_read_low(t, 0), tr_read_low(t, 1)); }

void tr_imul3(struct x86_tr *t)
{
	ir_val a = tr_read_low(t, 1);

	imul(t, a, tr_read(t, 2));
}

static void divide(struct x86_tr *t, const struct ir_helper *h)
{
	ir_call(t->b, h, tr_read(t, 0), ir_const(t->b, tr_size(t, 0)), IR_NONE);
}

void tr_div(struct x86_tr *t) { divide(t, &x86_div_helper); }
void tr_idiv(struct x86_tr *t) { divide(t, &x86_idiv_helper); }

/* AL to AX, AX to EAX, EAX to RAX. */
void tr_cbw(struct x86_tr *t)
{
	unsigned size = t->in.opsize, half = size / 2;

	tr_put_reg(t, size, RAX, ir_sext(t->b, half, size, ir_get(t->b, half, OFS_GPR(RAX))));
}

/* The sign of rAX all over rDX. */
void tr_cwd(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val a = ir_get(t->b, size, OFS_GPR(RAX));

	tr_put_reg(t, size, RDX, ir_bini(t->b, IR_SAR, size, a, size * 8 - 1));
}

/* ---- ADX ---- */

void tr_adcx(struct x86_tr *t)
{
	ir_val a = tr_read(t, 0), b = tr_read(t, 1);
	ir_val r = ir_binf(t->b, IR_ADC, tr_size(t, 0), a, b, ir_flags(t->b));

	tr_write(t, 0, r);
	ir_flags_set_masked(t->b, r, IR_C);
}

/* The same with O in the role of C. */
void tr_adox(struct x86_tr *t)
{
	enum { O_BIT = 11 };
	ir_val a = tr_read(t, 0), b = tr_read(t, 1);
	ir_val in = ir_bini(t->b, IR_SHR, 4, ir_flags_to(t->b, ir_flags(t->b)), O_BIT);
	ir_val r = ir_binf(t->b, IR_ADC, tr_size(t, 0), a, b,
			   ir_flags_of(t->b, ir_bini(t->b, IR_AND, 4, in, IR_C)));
	ir_val out = ir_bini(t->b, IR_SHL, 4, ir_flags_to(t->b, r), O_BIT);

	tr_write(t, 0, r);
	ir_flags_set_masked(t->b, ir_flags_of(t->b, ir_bini(t->b, IR_AND, 4, out, IR_O)), IR_O);
}

/* ---- decimal ---- */

static void decimal(struct x86_tr *t, const struct ir_helper *h)
{
	ir_call(t->b, h, ir_const(t->b, t->in.imm & 0xff), IR_NONE, IR_NONE);
}

void tr_daa(struct x86_tr *t) { decimal(t, &x86_daa_helper); }
void tr_das(struct x86_tr *t) { decimal(t, &x86_das_helper); }
void tr_aaa(struct x86_tr *t) { decimal(t, &x86_aaa_helper); }
void tr_aas(struct x86_tr *t) { decimal(t, &x86_aas_helper); }
void tr_aam(struct x86_tr *t) { decimal(t, &x86_aam_helper); }
void tr_aad(struct x86_tr *t) { decimal(t, &x86_aad_helper); }
