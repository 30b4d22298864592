/* jit/ir_eval.c - values and flags of arithmetic operations, as x86 defines them (SDM 1 3.4.3 and
 * the instruction pages of volume 2).  Where the manual leaves a flag undefined we choose, once,
 * here: A of logic operations and shifts is 0; O of a shift by more than 1 follows the formula for
 * 1; S, Z and P of MUL are those of the low half.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_eval.h"

static uint32_t flags_szp(unsigned sz, uint64_t r)
{
	uint32_t f = 0;

	if (!__builtin_parity((unsigned)r & 0xff))
		f |= IR_P;
	if (!r)
		f |= IR_Z;
	if (r >> ((8u << sz) - 1) & 1)
		f |= IR_S;
	return f;
}

static unsigned shift_count(unsigned sz, uint64_t b) { return b & (sz == 3 ? 63 : 31); }

/* Rotates through carry have one bit more than the operand. */
static unsigned rotate_carry_count(unsigned sz, uint64_t b)
{
	unsigned n = shift_count(sz, b);

	return sz == 0 ? n % 9 : sz == 1 ? n % 17 : n;
}

static uint64_t rotate_left(unsigned sz, uint64_t a, unsigned n)
{
	unsigned bits = 8u << sz;

	n &= bits - 1;
	return n ? ir_cut(sz, a << n | a >> (bits - n)) : a;
}

static uint64_t rotate_carry_left(unsigned sz, uint64_t a, unsigned n, uint32_t *carry)
{
	unsigned bits = 8u << sz;
	uint64_t c = *carry & IR_C, r;

	if (!n)
		return a;
	r = n == 64 ? 0 : ir_cut(sz, n == bits ? 0 : a << n);
	r |= c << (n - 1);
	if (n > 1)
		r |= a >> (bits + 1 - n);
	*carry = a >> (bits - n) & 1;
	return ir_cut(sz, r);
}

static uint64_t shift_value(enum ir_code code, unsigned sz, uint64_t a, uint64_t b, uint32_t c)
{
	unsigned n = shift_count(sz, b), bits = 8u << sz;

	switch (code) {
	case IR_SHL: return ir_cut(sz, a << n);
	case IR_SHR: return a >> n;
	case IR_SAR: return ir_cut(sz, (uint64_t)((int64_t)ir_sign(sz, a) >> n));
	case IR_ROL: return rotate_left(sz, a, n);
	case IR_ROR: return rotate_left(sz, a, bits - (n & (bits - 1)));
	case IR_RCL: return rotate_carry_left(sz, a, rotate_carry_count(sz, b), &c);
	default:
		n = rotate_carry_count(sz, b);
		return n ? rotate_carry_left(sz, a, bits + 1 - n, &c) : a;
	}
}

static uint64_t mul_high(unsigned sz, uint64_t a, uint64_t b, bool is_signed)
{
	unsigned __int128 p;

	if (is_signed)
		p = (unsigned __int128)((__int128)(int64_t)ir_sign(sz, a) *
					(int64_t)ir_sign(sz, b));
	else
		p = (unsigned __int128)a * b;
	return ir_cut(sz, (uint64_t)(p >> (8u << sz)));
}

static uint64_t byte_swap(unsigned sz, uint64_t a)
{
	return __builtin_bswap64(a) >> (64 - (8u << sz));
}

uint64_t ir_eval_value(enum ir_code code, unsigned sz, uint64_t a, uint64_t b, uint32_t c)
{
	a = ir_cut(sz, a);
	if (code < IR_SHL || code > IR_RCR)
		b = ir_cut(sz, b);
	switch (code) {
	case IR_ADD: return ir_cut(sz, a + b);
	case IR_SUB: return ir_cut(sz, a - b);
	case IR_ADC: return ir_cut(sz, a + b + (c & IR_C));
	case IR_SBB: return ir_cut(sz, a - b - (c & IR_C));
	case IR_AND: return a & b;
	case IR_OR: return a | b;
	case IR_XOR: return a ^ b;
	case IR_ANDN: return ~a & b;
	case IR_NEG: return ir_cut(sz, 0 - a);
	case IR_NOT: return ir_cut(sz, ~a);
	case IR_INC: return ir_cut(sz, a + 1);
	case IR_DEC: return ir_cut(sz, a - 1);
	case IR_MUL: return ir_cut(sz, a * b);
	case IR_MULUH: return mul_high(sz, a, b, false);
	case IR_MULSH: return mul_high(sz, a, b, true);
	case IR_BSWAP: return byte_swap(sz, a);
	case IR_CLZ: return a ? (unsigned)__builtin_clzll(a) - (64 - (8u << sz)) : 8u << sz;
	case IR_CTZ: return a ? (unsigned)__builtin_ctzll(a) : 8u << sz;
	case IR_POPCNT: return (unsigned)__builtin_popcountll(a);
	case IR_FLAGS_OF: return a;
	default: return shift_value(code, sz, a, b, c);
	}
}

static uint32_t add_flags(unsigned sz, uint64_t a, uint64_t b, uint64_t carry)
{
	uint64_t r = ir_cut(sz, a + b + carry), top = UINT64_C(1) << ((8u << sz) - 1);
	uint32_t f = flags_szp(sz, r);

	if (((a & b) | ((a | b) & ~r)) & top)
		f |= IR_C;
	if ((a ^ r) & (b ^ r) & top)
		f |= IR_O;
	return f | ((a ^ b ^ r) & IR_A);
}

static uint32_t sub_flags(unsigned sz, uint64_t a, uint64_t b, uint64_t borrow)
{
	uint64_t r = ir_cut(sz, a - b - borrow), top = UINT64_C(1) << ((8u << sz) - 1);
	uint32_t f = flags_szp(sz, r);

	if (((~a & b) | ((~a | b) & r)) & top)
		f |= IR_C;
	if ((a ^ b) & (a ^ r) & top)
		f |= IR_O;
	return f | ((a ^ b ^ r) & IR_A);
}

static uint32_t mul_flags(unsigned sz, uint64_t a, uint64_t b)
{
	uint64_t r = ir_cut(sz, a * b);
	bool fits = mul_high(sz, a, b, true) ==
		    ir_cut(sz, (uint64_t)((int64_t)ir_sign(sz, r) >> 63));

	return flags_szp(sz, r) | (fits ? 0 : IR_C | IR_O);
}

/* Shifts; n is the masked count, not 0. */
static uint32_t shift_flags(enum ir_code code, unsigned sz, uint64_t a, unsigned n)
{
	unsigned bits = 8u << sz;
	uint64_t r = shift_value(code, sz, a, n, 0), out;
	uint32_t f = flags_szp(sz, r);

	switch (code) {
	case IR_SHL:
		out = n <= bits ? a >> (bits - n) & 1 : 0;
		f |= out ? IR_C : 0;
		return f | ((r >> (bits - 1) ^ out) & 1 ? IR_O : 0);
	case IR_SHR:
		f |= a >> (n - 1) & 1 ? IR_C : 0;
		return f | ((r >> (bits - 1) ^ r >> (bits - 2)) & 1 ? IR_O : 0);
	default: /* SAR */ return f | ((int64_t)ir_sign(sz, a) >> (n - 1) & 1 ? IR_C : 0);
	}
}

static uint32_t rotate_flags(enum ir_code code, unsigned sz, uint64_t a, uint64_t b, uint32_t c)
{
	unsigned bits = 8u << sz, n;
	uint64_t r = shift_value(code, sz, a, b, c), top = r >> (bits - 1) & 1, carry;

	switch (code) {
	case IR_ROL: carry = r & 1; break;
	case IR_ROR: carry = top; break;
	case IR_RCL:
		n = rotate_carry_count(sz, b);
		carry = n ? a >> (bits - n) & 1 : c & IR_C;
		break;
	default:
		n = rotate_carry_count(sz, b);
		carry = n ? a >> (n - 1) & 1 : c & IR_C;
		break;
	}
	c = (c & ~(uint32_t)(IR_C | IR_O)) | (carry ? IR_C : 0);
	if (code == IR_ROL || code == IR_RCL)
		return c | (top ^ carry ? IR_O : 0);
	return c | (top ^ (r >> (bits - 2) & 1) ? IR_O : 0);
}

uint32_t ir_eval_flags(enum ir_code code, unsigned sz, uint64_t a, uint64_t b, uint32_t c)
{
	a = ir_cut(sz, a);
	c &= IR_FLAGS_ALL;
	if (code >= IR_SHL && code <= IR_RCR) {
		unsigned n = shift_count(sz, b);

		if (!n)
			return c;
		return code <= IR_SAR ? shift_flags(code, sz, a, n)
				      : rotate_flags(code, sz, a, b, c);
	}
	b = ir_cut(sz, b);
	switch (code) {
	case IR_ADD: return add_flags(sz, a, b, 0);
	case IR_SUB: return sub_flags(sz, a, b, 0);
	case IR_ADC: return add_flags(sz, a, b, c & IR_C);
	case IR_SBB: return sub_flags(sz, a, b, c & IR_C);
	case IR_NEG: return sub_flags(sz, 0, a, 0);
	case IR_INC: return (add_flags(sz, a, 1, 0) & ~(uint32_t)IR_C) | (c & IR_C);
	case IR_DEC: return (sub_flags(sz, a, 1, 0) & ~(uint32_t)IR_C) | (c & IR_C);
	case IR_MUL: return mul_flags(sz, a, b);
	case IR_FLAGS_OF: return a & IR_FLAGS_ALL;
	default: /* AND OR XOR ANDN */ return flags_szp(sz, ir_eval_value(code, sz, a, b, 0));
	}
}

bool ir_eval_cond(enum ir_cond cond, uint32_t f)
{
	bool lt = !(f & IR_S) != !(f & IR_O), r;

	switch (cond >> 1) {
	case 0: r = f & IR_O; break;
	case 1: r = f & IR_C; break;
	case 2: r = f & IR_Z; break;
	case 3: r = f & (IR_C | IR_Z); break;
	case 4: r = f & IR_S; break;
	case 5: r = f & IR_P; break;
	case 6: r = lt; break;
	default: r = lt || f & IR_Z; break;
	}
	return r != (cond & 1);
}

bool ir_eval_cmp(enum ir_cmp cmp, unsigned sz, uint64_t a, uint64_t b)
{
	int64_t sa = (int64_t)ir_sign(sz, a), sb = (int64_t)ir_sign(sz, b);

	a = ir_cut(sz, a);
	b = ir_cut(sz, b);
	switch (cmp) {
	case IR_EQ: return a == b;
	case IR_NE: return a != b;
	case IR_LTU: return a < b;
	case IR_GEU: return a >= b;
	case IR_LEU: return a <= b;
	case IR_GTU: return a > b;
	case IR_LTS: return sa < sb;
	case IR_GES: return sa >= sb;
	case IR_LES: return sa <= sb;
	default: return sa > sb;
	}
}
