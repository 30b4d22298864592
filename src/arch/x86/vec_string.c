/* arch/x86/vec_string.c - PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2 §4.1).
 *
 * Helpers: a, b are the state offsets of the first and the second operand, c is imm8 and the
 * STRING_ bits.  The result has the flags in bits 0-31 and the index in bits 32-63; the mask goes
 * to XMM0.
 *
 * SPDX-License-Identifier: MIT */
#include "arch/x86/vec_ops.h"

#include "arch/x86/vec.h"

enum string_imm {
	IMM_WORDS = 1 << 0,
	IMM_SIGNED = 1 << 1,
	IMM_NEGATE = 1 << 4,
	IMM_NEGATE_VALID_ONLY = 1 << 5,
	IMM_MOST = 1 << 6, /* index of the last match; mask of whole elements */
};

/* imm8[3:2] */
enum string_aggregation { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };

struct string_operand {
	int32_t e[16];
	unsigned len; /* valid elements */
};

static void string_unpack(struct string_operand *s, const union vec *v, unsigned imm)
{
	for (unsigned i = 0; i < 16; i++) {
		if (imm & IMM_WORDS)
			s->e[i] = imm & IMM_SIGNED ? v->s16[i & 7] : v->u16[i & 7];
		else
			s->e[i] = imm & IMM_SIGNED ? v->s8[i] : v->u8[i];
	}
}

static unsigned string_length_implicit(const struct string_operand *s, unsigned count)
{
	unsigned i = 0;

	while (i < count && s->e[i])
		i++;
	return i;
}

/* The magnitude of EAX or EDX, RAX or RDX with REX.W, saturated. */
static unsigned string_length_explicit(uint64_t reg, bool is_64bit, unsigned count)
{
	uint64_t v = is_64bit ? reg : (uint64_t)(int64_t)(int32_t)reg;
	uint64_t magnitude = v >> 63 ? 0 - v : v;

	return magnitude < count ? (unsigned)magnitude : count;
}

static bool match_any(const struct string_operand *a, int32_t element)
{
	for (unsigned i = 0; i < a->len; i++)
		if (a->e[i] == element)
			return true;
	return false;
}

static bool match_range(const struct string_operand *a, int32_t element)
{
	for (unsigned i = 0; i + 1 < a->len; i += 2)
		if (a->e[i] <= element && element <= a->e[i + 1])
			return true;
	return false;
}

static bool match_each(const struct string_operand *a, const struct string_operand *b, unsigned j)
{
	if (j < a->len && j < b->len)
		return a->e[j] == b->e[j];
	return j >= a->len && j >= b->len;
}

/* Whether a begins at element j of b, as far as the register shows. */
static bool match_ordered(const struct string_operand *a, const struct string_operand *b,
			  unsigned j, unsigned count)
{
	for (unsigned i = 0; i < a->len && i + j < count; i++)
		if (i + j >= b->len || a->e[i] != b->e[i + j])
			return false;
	return true;
}

static bool string_match(const struct string_operand *a, const struct string_operand *b, unsigned j,
			 unsigned count, enum string_aggregation how)
{
	switch (how) {
	case EQUAL_ANY: return j < b->len && match_any(a, b->e[j]);
	case RANGES: return j < b->len && match_range(a, b->e[j]);
	case EQUAL_EACH: return match_each(a, b, j);
	case EQUAL_ORDERED: return match_ordered(a, b, j, count);
	}
	return false;
}

struct string_result {
	uint32_t bits; /* IntRes2 */
	uint32_t flags;
	unsigned count;
};

static struct string_result string_compare(const struct x86_cpu *c, uint64_t a, uint64_t b,
					   uint64_t control)
{
	const unsigned imm = control & 0xff;
	const union vec va = vec_get(c, (uint32_t)a), vb = vec_get(c, (uint32_t)b);
	struct string_result r = { .count = imm & IMM_WORDS ? 8 : 16 };
	struct string_operand x, y;

	string_unpack(&x, &va, imm);
	string_unpack(&y, &vb, imm);
	if (control & STRING_EXPLICIT) {
		bool wide = control & STRING_WIDE_LENGTH;

		x.len = string_length_explicit(c->gpr[RAX], wide, r.count);
		y.len = string_length_explicit(c->gpr[RDX], wide, r.count);
	} else {
		x.len = string_length_implicit(&x, r.count);
		y.len = string_length_implicit(&y, r.count);
	}
	for (unsigned j = 0; j < r.count; j++)
		r.bits |= (uint32_t)string_match(&x, &y, j, r.count,
						 (enum string_aggregation)(imm >> 2 & 3))
			  << j;
	if (imm & IMM_NEGATE)
		r.bits ^= (1u << (imm & IMM_NEGATE_VALID_ONLY ? y.len : r.count)) - 1;
	r.flags = (r.bits ? FL_CF : 0) | (y.len < r.count ? FL_ZF : 0) |
		  (x.len < r.count ? FL_SF : 0) | (r.bits & 1 ? FL_OF : 0);
	return r;
}

uint64_t vh_pcmpstri(void *env, uint64_t a, uint64_t b, uint64_t control)
{
	const struct string_result r = string_compare(env, a, b, control);
	uint64_t index = r.count;

	if (r.bits)
		index = (unsigned)(control & IMM_MOST ? 31 - __builtin_clz(r.bits)
						      : __builtin_ctz(r.bits));
	return index << 32 | r.flags;
}

uint64_t vh_pcmpstrm(void *env, uint64_t a, uint64_t b, uint64_t control)
{
	const struct string_result r = string_compare(env, a, b, control);
	struct x86_cpu *c = env;
	union vec mask = { .u64 = { 0 } };

	if (!(control & IMM_MOST))
		mask.u32[0] = r.bits;
	else if (control & IMM_WORDS)
		for (unsigned i = 0; i < 8; i++)
			mask.s16[i] = -(int16_t)(r.bits >> i & 1);
	else
		for (unsigned i = 0; i < 16; i++)
			mask.s8[i] = -(int8_t)(r.bits >> i & 1);
	memcpy(c->ymm[0], &mask, control & STRING_VEX ? 32 : 16);
	return r.flags;
}
