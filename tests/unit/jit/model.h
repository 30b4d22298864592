/* tests/unit/jit/model.h - IR arithmetic computed the slow and obvious way, bit by bit: the oracle
 * of the interpreter and the constant folder.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/ir.h"

struct model {
	uint64_t value;
	uint32_t flags;
};

static inline bool model_bit(uint64_t v, unsigned n) { return v >> n & 1; }

static inline uint32_t model_szp(uint64_t r, unsigned bits)
{
	unsigned ones = 0;
	uint32_t f = r == 0 ? IR_Z : 0;

	for (unsigned n = 0; n < 8; n++)
		ones += model_bit(r, n);
	if (ones % 2 == 0)
		f |= IR_P;
	if (model_bit(r, bits - 1))
		f |= IR_S;
	return f;
}

/* a + b + carry, one full adder per bit. */
static inline struct model model_add(uint64_t a, uint64_t b, bool carry, unsigned bits)
{
	struct model m = { 0 };
	bool before = carry;

	for (unsigned n = 0; n < bits; n++) {
		unsigned sum = model_bit(a, n) + model_bit(b, n) + carry;

		m.value |= (uint64_t)(sum & 1) << n;
		before = carry;
		carry = sum >> 1;
		if (n == 3 && carry)
			m.flags |= IR_A;
	}
	m.flags |= (carry ? IR_C : 0) | (carry != before ? IR_O : 0) | model_szp(m.value, bits);
	return m;
}

/* a - b - borrow, one full subtractor per bit. */
static inline struct model model_sub(uint64_t a, uint64_t b, bool borrow, unsigned bits)
{
	struct model m = { 0 };
	bool before = borrow;

	for (unsigned n = 0; n < bits; n++) {
		int d = (int)model_bit(a, n) - (int)model_bit(b, n) - (int)borrow;

		m.value |= (uint64_t)(d & 1) << n;
		before = borrow;
		borrow = d < 0;
		if (n == 3 && borrow)
			m.flags |= IR_A;
	}
	m.flags |= (borrow ? IR_C : 0) | (borrow != before ? IR_O : 0) | model_szp(m.value, bits);
	return m;
}

/* One step of a shift or rotate; top is the sign bit before. */
static inline uint64_t model_step(enum ir_code code, uint64_t v, unsigned bits, bool *carry)
{
	bool low = model_bit(v, 0), top = model_bit(v, bits - 1), in;
	uint64_t mask = ~UINT64_C(0) >> (64 - bits);

	switch (code) {
	case IR_SHL: in = false; break;
	case IR_ROL: in = top; break;
	case IR_RCL: in = *carry; break;
	case IR_SHR: in = false; break;
	case IR_SAR: in = top; break;
	case IR_ROR: in = low; break;
	default: in = *carry; break;
	}
	if (code == IR_SHL || code == IR_ROL || code == IR_RCL) {
		*carry = top;
		return (v << 1 | in) & mask;
	}
	*carry = low;
	return v >> 1 | (uint64_t)in << (bits - 1);
}

static inline struct model model_shift(enum ir_code code, uint64_t a, unsigned count, uint32_t c,
				       unsigned bits)
{
	struct model m = { a, c };
	bool carry = c & IR_C, top, second;

	if (!count)
		return m;
	for (unsigned n = 0; n < count; n++)
		m.value = model_step(code, m.value, bits, &carry);
	top = model_bit(m.value, bits - 1);
	second = model_bit(m.value, bits - 2);
	m.flags = code <= IR_SAR ? model_szp(m.value, bits) : c & ~(uint32_t)(IR_C | IR_O);
	m.flags |= carry ? IR_C : 0;
	if (code == IR_SHL || code == IR_ROL || code == IR_RCL)
		m.flags |= top != carry ? IR_O : 0;
	else if (code != IR_SAR)
		m.flags |= top != second ? IR_O : 0;
	return m;
}

static inline uint64_t model_mul(uint64_t a, uint64_t b, unsigned bits, bool is_signed,
				 uint64_t *high)
{
	unsigned __int128 p = 0, x = a;

	if (is_signed && model_bit(a, bits - 1))
		x |= ~(unsigned __int128)0 << (bits - 1) << 1;
	for (unsigned n = 0; n < bits; n++) {
		if (!model_bit(b, n))
			continue;
		if (is_signed && n == bits - 1)
			p -= x << n;
		else
			p += x << n;
	}
	*high = (uint64_t)(p >> bits) & (~UINT64_C(0) >> (64 - bits));
	return (uint64_t)p & (~UINT64_C(0) >> (64 - bits));
}

static inline uint64_t model_count(enum ir_code code, uint64_t a, unsigned bits)
{
	uint64_t n = 0;

	switch (code) {
	case IR_CLZ:
		while (n < bits && !model_bit(a, bits - 1 - (unsigned)n))
			n++;
		return n;
	case IR_CTZ:
		while (n < bits && !model_bit(a, (unsigned)n))
			n++;
		return n;
	default:
		for (unsigned i = 0; i < bits; i++)
			n += model_bit(a, i);
		return n;
	}
}

static inline struct model model_mul_op(enum ir_code code, uint64_t a, uint64_t b, unsigned bits)
{
	struct model m = { 0 };
	uint64_t high, low = model_mul(a, b, bits, code != IR_MULUH, &high);
	uint64_t sign = model_bit(low, bits - 1) ? ~UINT64_C(0) >> (64 - bits) : 0;

	m.value = code == IR_MUL ? low : high;
	m.flags = model_szp(low, bits) | (high != sign ? IR_C | IR_O : 0);
	return m;
}

static inline struct model model_logic(uint64_t r, unsigned bits)
{
	return (struct model){ r, model_szp(r, bits) };
}

/* ADD ... POPCNT. */
static inline struct model model_op(enum ir_code code, unsigned size, uint64_t a, uint64_t b,
				    uint32_t c)
{
	unsigned bits = size * 8, count = (unsigned)b & (size == 8 ? 63 : 31);
	uint64_t mask = ~UINT64_C(0) >> (64 - bits), r = 0;
	struct model m;

	a &= mask;
	b &= mask;
	switch (code) {
	case IR_ADD: return model_add(a, b, false, bits);
	case IR_SUB: return model_sub(a, b, false, bits);
	case IR_ADC: return model_add(a, b, c & IR_C, bits);
	case IR_SBB: return model_sub(a, b, c & IR_C, bits);
	case IR_AND: return model_logic(a & b, bits);
	case IR_OR: return model_logic(a | b, bits);
	case IR_XOR: return model_logic(a ^ b, bits);
	case IR_ANDN: return model_logic(~a & b, bits);
	case IR_NEG: return model_sub(0, a, false, bits);
	case IR_NOT: return model_logic(~a & mask, bits);
	case IR_INC:
	case IR_DEC:
		m = code == IR_INC ? model_add(a, 1, false, bits) : model_sub(a, 1, false, bits);
		m.flags = (m.flags & ~(uint32_t)IR_C) | (c & IR_C);
		return m;
	case IR_MUL:
	case IR_MULUH:
	case IR_MULSH: return model_mul_op(code, a, b, bits);
	case IR_BSWAP:
		for (unsigned n = 0; n < size; n++)
			r |= (a >> (8 * n) & 0xff) << (8 * (size - 1 - n));
		return model_logic(r, bits);
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT: return model_logic(model_count(code, a, bits), bits);
	default: return model_shift(code, a, count, c, bits);
	}
}

static inline bool model_cond(enum ir_cond cc, uint32_t f)
{
	bool o = f & IR_O, c = f & IR_C, z = f & IR_Z, s = f & IR_S, p = f & IR_P;
	const bool table[16] = { o, !o, c, !c, z,      z == 0, c || z,      !(c || z),
				 s, !s, p, !p, s != o, s == o, z || s != o, !z && s == o };

	return table[cc];
}

static inline bool model_cmp(enum ir_cmp c, unsigned size, uint64_t a, uint64_t b)
{
	static const enum ir_cond as_cond[] = { IR_COND_E,  IR_COND_NE, IR_COND_B, IR_COND_AE,
						IR_COND_BE, IR_COND_A,  IR_COND_L, IR_COND_GE,
						IR_COND_LE, IR_COND_G };

	return model_cond(as_cond[c], model_op(IR_SUB, size, a, b, 0).flags);
}
