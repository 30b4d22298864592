/* base/softfloat/f80.h - the 80-bit extended format and the arithmetic of the x87.
 *
 * Use an environment from fp_env_x87(). What is not here: the register stack, its tags and stack
 * faults, and the order in which unmasked exceptions stop an instruction. Operands in unsupported
 * encodings (pseudo-NaN, pseudo-infinity, unnormal; SDM vol. 1 §8.2.2) are invalid operands,
 * pseudo-denormals are denormal operands.
 *
 * When env->masks has FP_OVERFLOW or FP_UNDERFLOW clear, an f80 result that overflows or is tiny
 * comes with its exponent moved by 24576 (SDM vol. 1 §8.5.4, §8.5.5). On any other unmasked
 * exception the result is the masked one and the caller discards it.
 *
 * SPDX-License-Identifier: MIT */
#pragma once

#include "base/softfloat/softfloat.h"

struct f80 {
	uint64_t frac; /* explicit integer bit in bit 63 */
	uint16_t sexp; /* sign in bit 15, biased exponent below */
};

/* As FXAM tells them apart. */
enum f80_class {
	F80_UNSUPPORTED,
	F80_NAN,
	F80_NORMAL,
	F80_INF,
	F80_ZERO,
	F80_DENORMAL, /* and pseudo-denormal */
};

enum f80_class f80_classify(struct f80 a);

/* The QNaN floating-point indefinite (SDM vol. 1 §4.8.3.7). */
static inline struct f80 f80_indefinite(void)
{
	return (struct f80){ UINT64_C(0xc000000000000000), 0xffff };
}

/* These five round to env->precision; everything else rounds to 64 bits. */
struct f80 f80_add(struct f80 a, struct f80 b, struct fp_env *env);
struct f80 f80_sub(struct f80 a, struct f80 b, struct fp_env *env);
struct f80 f80_mul(struct f80 a, struct f80 b, struct fp_env *env);
struct f80 f80_div(struct f80 a, struct f80 b, struct fp_env *env);
struct f80 f80_sqrt(struct f80 a, struct fp_env *env);

/* Quiet: FUCOM; else FCOM. Unsupported encodings are unordered and invalid. */
enum fp_order f80_compare(struct f80 a, struct f80 b, bool quiet, struct fp_env *env);

struct f80 f80_round_to_int(struct f80 a, struct fp_env *env); /* FRNDINT */

/* FPREM and FPREM1. `partial` (C2): the exponents were 64 or more apart, run it again. Else
 * `quotient` holds the low three bits of the quotient (C0, C3, C1 = bits 2, 1, 0). */
struct f80_rem {
	struct f80 value;
	uint8_t quotient;
	bool partial;
};

struct f80_rem f80_prem(struct f80 a, struct f80 b, struct fp_env *env);  /* truncating */
struct f80_rem f80_prem1(struct f80 a, struct f80 b, struct fp_env *env); /* IEEE, to nearest */

struct f80 f80_scale(struct f80 a, struct f80 b, struct fp_env *env);           /* FSCALE */
struct f80 f80_extract(struct f80 a, struct f80 *exponent, struct fp_env *env); /* FXTRACT */

/* FLD m32/m64, FST m32/m64. */
struct f80 f80_from_f32(uint32_t a, struct fp_env *env);
struct f80 f80_from_f64(uint64_t a, struct fp_env *env);
uint32_t f80_to_f32(struct f80 a, struct fp_env *env);
uint64_t f80_to_f64(struct f80 a, struct fp_env *env);

/* FILD, FIST, FISTTP (FP_TO_ZERO). Out of range: integer indefinite and FP_INVALID. */
struct f80 f80_from_i64(int64_t v);
int16_t f80_to_i16(struct f80 a, enum fp_rounding mode, struct fp_env *env);
int32_t f80_to_i32(struct f80 a, enum fp_rounding mode, struct fp_env *env);
int64_t f80_to_i64(struct f80 a, enum fp_rounding mode, struct fp_env *env);

/* FBLD, FBSTP: 18 packed decimal digits, sign in byte 9 (SDM vol. 1 §4.7). */
struct f80 f80_from_bcd(const uint8_t bcd[10]);
void f80_to_bcd(struct f80 a, uint8_t bcd[10], struct fp_env *env);

/* FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: in the order of their opcodes D9 E8..EE,
 * rounded in env->rounding (SDM vol. 1 §8.3.4). Raises nothing. */
enum f80_constant {
	F80_ONE,
	F80_LOG2_10,
	F80_LOG2_E,
	F80_PI,
	F80_LOG10_2,
	F80_LN_2,
	F80_PLUS_ZERO,
};

struct f80 f80_constant(enum f80_constant which, const struct fp_env *env);

/*
 * Transcendental instructions, error below 1 ulp, in env->rounding. `*in_range` false (C2): the
 * magnitude is 2^63 or more (or infinite: then FP_INVALID, in range), the operand is untouched.
 * Angles are reduced with the 66-bit approximation of pi (SDM vol. 1 §8.3.8).
 */
struct f80 f80_2xm1(struct f80 x, struct fp_env *env);                 /* F2XM1 */
struct f80 f80_yl2x(struct f80 y, struct f80 x, struct fp_env *env);   /* ST1 * log2(ST0) */
struct f80 f80_yl2xp1(struct f80 y, struct f80 x, struct fp_env *env); /* ST1 * log2(ST0 + 1) */
struct f80 f80_patan(struct f80 y, struct f80 x, struct fp_env *env);  /* arctan(ST1 / ST0) */
struct f80 f80_sin(struct f80 x, bool *in_range, struct fp_env *env);
struct f80 f80_cos(struct f80 x, bool *in_range, struct fp_env *env);
/* FPTAN also pushes 1.0; the caller does, or a NaN if the result is one. */
struct f80 f80_tan(struct f80 x, bool *in_range, struct fp_env *env);
/* FSINCOS: returns the sine (goes to ST1), cosine in *cosine (pushed). */
struct f80 f80_sincos(struct f80 x, struct f80 *cosine, bool *in_range, struct fp_env *env);
