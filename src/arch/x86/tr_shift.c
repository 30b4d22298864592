/* arch/x86/tr_shift.c - shifts and rotates (SDM 1 7.3.5).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"

/* Do all six flags come from the shift, none from before? */
static bool gives_all_flags(enum ir_code code, unsigned size, uint64_t count)
{
	return code <= IR_SAR && count & (size == 8 ? 63 : 31);
}

static void shift(struct x86_tr *t, enum ir_code code)
{
	unsigned size = tr_size(t, 0);
	ir_val a = tr_read_rmw(t, 0), r;
	uint64_t count;

	if (tr_imm(t, 1, &count))
		r = ir_binfi(t->b, code, size, a, count,
			     gives_all_flags(code, size, count) ? IR_NONE : ir_flags(t->b));
	else
		r = ir_binf(t->b, code, size, a, tr_read(t, 1), ir_flags(t->b));
	tr_write(t, 0, r);
	ir_flags_set(t->b, r);
}

void tr_rol(struct x86_tr *t) { shift(t, IR_ROL); }
void tr_ror(struct x86_tr *t) { shift(t, IR_ROR); }
void tr_rcl(struct x86_tr *t) { shift(t, IR_RCL); }
void tr_rcr(struct x86_tr *t) { shift(t, IR_RCR); }
void tr_shl(struct x86_tr *t) { shift(t, IR_SHL); }
void tr_shr(struct x86_tr *t) { shift(t, IR_SHR); }
void tr_sar(struct x86_tr *t) { shift(t, IR_SAR); }

/* ---- double shifts ---- */

/* flags := bits, unless the masked count is 0. */
static void set_flags_unless_zero(struct x86_tr *t, ir_val count, ir_val bits)
{
	ir_val old = ir_flags_to(t->b, ir_flags(t->b));

	ir_flags_set(t->b, ir_flags_of(t->b, ir_select(t->b, count, bits, old)));
}

/* 32 and 64 bits: what one shift leaves out the other fills in; the fill is shifted in two steps,
 * so that a count of 0 fills nothing. */
static void double_shift(struct x86_tr *t, enum ir_code code, enum ir_code fill)
{
	const uint32_t own = IR_C | IR_O | IR_A;
	unsigned size = tr_size(t, 0), last = size * 8 - 1;
	ir_val a = tr_read_rmw(t, 0), b = tr_read(t, 1);
	ir_val count = ir_bini(t->b, IR_AND, 4, tr_read(t, 2), last);
	ir_val main_part = ir_binf(t->b, code, size, a, count, ir_flags(t->b));
	ir_val fill_part = ir_bin(t->b, fill, size, ir_bini(t->b, fill, size, b, 1),
				  ir_bini(t->b, IR_XOR, 4, count, last));
	ir_val r = ir_bin(t->b, IR_OR, size, main_part, fill_part), bits;
	/* the sign changed: SHRD fills the top bit, which SHR alone doesn't know */
	ir_val sign = ir_bini(t->b, IR_SHR, size, ir_bin(t->b, IR_XOR, size, r, a), last);

	bits = ir_bini(t->b, IR_AND, 4, ir_flags_to(t->b, r), ~(uint64_t)own & UINT32_MAX);
	bits = ir_bin(t->b, IR_OR, 4, bits,
		      ir_bini(t->b, IR_AND, 4, ir_flags_to(t->b, main_part), IR_C));
	bits = ir_bin(t->b, IR_OR, 4, bits, ir_bini(t->b, IR_SHL, 4, sign, 11));
	tr_write(t, 0, r);
	set_flags_unless_zero(t, count, bits);
}

/* 16 bits: counts may exceed the operand; what comes in then is the first operand again. */
static void double_shift16(struct x86_tr *t, bool left)
{
	ir_val a = ir_zext(t->b, 2, tr_read_rmw(t, 0)), b = ir_zext(t->b, 2, tr_read(t, 1));
	ir_val count = ir_bini(t->b, IR_AND, 4, tr_read(t, 2), 31), r, carry, bits, sign;
	ir_val ring = ir_bin(t->b, IR_OR, 8, a, ir_bini(t->b, IR_SHL, 8, b, 16));

	ring = ir_bin(t->b, IR_OR, 8, ring, ir_bini(t->b, IR_SHL, 8, a, 32));
	if (left) {
		ir_val shifted = ir_bin(t->b, IR_SHL, 8, ring, count);

		r = ir_zext(t->b, 2, ir_bini(t->b, IR_SHR, 8, shifted, 32));
		carry = ir_bini(t->b, IR_SHR, 8, shifted, 48);
	} else {
		r = ir_zext(t->b, 2, ir_bin(t->b, IR_SHR, 8, ring, count));
		carry = ir_bin(t->b, IR_SHR, 8, ir_bini(t->b, IR_SHL, 8, ring, 1), count);
	}
	carry = ir_bini(t->b, IR_AND, 4, carry, IR_C);
	sign = ir_bini(t->b, IR_SHR, 2, ir_bin(t->b, IR_XOR, 2, r, a), 15);
	bits = ir_flags_to(t->b, ir_bin(t->b, IR_AND, 2, r, r));
	bits = ir_bin(t->b, IR_OR, 4, bits, carry);
	bits = ir_bin(t->b, IR_OR, 4, bits, ir_bini(t->b, IR_SHL, 4, sign, 11));
	tr_write(t, 0, r);
	set_flags_unless_zero(t, count, bits);
}

void tr_shld(struct x86_tr *t)
{
	if (tr_size(t, 0) == 2)
		double_shift16(t, true);
	else
		double_shift(t, IR_SHL, IR_SHR);
}

void tr_shrd(struct x86_tr *t)
{
	if (tr_size(t, 0) == 2)
		double_shift16(t, false);
	else
		double_shift(t, IR_SHR, IR_SHL);
}

/* ---- BMI2: no flags ---- */

static void shift_plain(struct x86_tr *t, enum ir_code code)
{
	ir_val a = tr_read(t, 1);

	tr_write(t, 0, ir_bin(t->b, code, tr_size(t, 0), a, tr_read(t, 2)));
}

void tr_shlx(struct x86_tr *t) { shift_plain(t, IR_SHL); }
void tr_shrx(struct x86_tr *t) { shift_plain(t, IR_SHR); }
void tr_sarx(struct x86_tr *t) { shift_plain(t, IR_SAR); }
void tr_rorx(struct x86_tr *t) { shift_plain(t, IR_ROR); }
