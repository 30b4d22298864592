/* tests/unit/base/x87_choice.h - what differs among the x87s of processors, for tests that compare
 * with the host's: the last place of transcendental results, and tiny operands that are passed on.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "base/bits.h"
#include "base/softfloat/f80.h"

/* Added to the exponent of a tiny result whose underflow is unmasked (SDM vol. 1 §8.5.5). */
#define X87_WRAP 24576

static inline bool f80_same(struct f80 a, struct f80 b)
{
	return a.frac == b.frac && a.sexp == b.sexp;
}

/* Below the least normal number. */
static inline bool f80_is_tiny(struct f80 a) { return !(a.sexp & 0x7fff) && !(a.frac >> 63); }

/* The distance of two results in units of the last place, of the smaller one if a power of two is
 * between them; huge if one is special. */
static inline uint64_t ulp_distance(struct f80 a, struct f80 b)
{
	enum f80_class ca = f80_classify(a), cb = f80_classify(b);
	struct f80 t;

	if (f80_same(a, b))
		return 0;
	a.sexp |= ca == F80_DENORMAL || ca == F80_ZERO; /* the scale of the least exponent */
	b.sexp |= cb == F80_DENORMAL || cb == F80_ZERO;
	if (ca == F80_NAN || cb == F80_NAN || ((a.sexp ^ b.sexp) & 0x8000))
		return UINT64_MAX;
	if (a.sexp < b.sexp) {
		t = a;
		a = b;
		b = t;
	}
	if (a.sexp == b.sexp)
		return a.frac > b.frac ? a.frac - b.frac : b.frac - a.frac;
	if (a.sexp - b.sexp == 1 && a.frac < BIT(63) + 16)
		return 2 * (a.frac - BIT(63)) + (0 - b.frac);
	return UINT64_MAX;
}

/* Two results of which only one underflowed: the sine of the least normal number, rounded to zero,
 * is less, which Intel's processors do not see; they may be a unit off (SDM vol. 1 §8.3.10). */
static inline bool is_edge_of_tiny(struct f80 a, struct f80 b)
{
	return f80_is_tiny(a) != f80_is_tiny(b) && ulp_distance(a, b) < 16;
}

/*
 * A denormal ST0 that is the result as well: of FSCALE by zero, of FPREM and FPREM1 by an infinity.
 * With underflow unmasked it is tiny like any other result to AMD's processors (and to us), which
 * adjust its exponent and report it (SDM vol. 1 §8.5.5); Intel's leave it, and report a denormal
 * operand only.
 */
static inline bool is_tiny_passed_on(bool is_scale, struct f80 st0, struct f80 st1)
{
	return f80_classify(st0) == F80_DENORMAL && f80_is_tiny(st0) &&
	       f80_classify(st1) == (is_scale ? F80_ZERO : F80_INF);
}
