/* base/softfloat/softfloat.h - floating point in integer arithmetic: f16, f32, f64.
 *
 * Every operation takes bit patterns and a struct fp_env and gives the same bits and the same
 * exception flags on every host; the host's floating point unit is never used. The 80-bit format
 * and what the x87 does with it are in f80.h.
 *
 * Use: fill an environment from the guest's control register, run the operation (for a packed
 * instruction: all elements), look at fp_reported(), merge it into the guest's flags, and if one
 * of them is unmasked raise the exception instead of writing the result.
 *
 * References: IEEE 754-2008; Intel SDM vol. 1 chapters 4, 8, 11 and 14.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bit layout of MXCSR[5:0] and of the x87 status word. */
enum fp_flag {
	FP_INVALID = 1 << 0,   /* IE */
	FP_DENORMAL = 1 << 1,  /* DE: an operand was denormal */
	FP_DIVZERO = 1 << 2,   /* ZE */
	FP_OVERFLOW = 1 << 3,  /* OE */
	FP_UNDERFLOW = 1 << 4, /* UE */
	FP_INEXACT = 1 << 5,   /* PE */
	FP_ALL_FLAGS = 0x3f,
};

/* The first four have the encoding of the RC field of MXCSR and of the x87 control word. */
enum fp_rounding {
	FP_NEAREST_EVEN,
	FP_DOWN,
	FP_UP,
	FP_TO_ZERO,
	FP_NEAREST_AWAY, /* ties away from zero */
};

/* Which NaN operand becomes the (quieted) result. */
enum fp_nan_rule {
	FP_NAN_SSE, /* the first operand that is a NaN; SDM vol. 1 table 4-7, SSE rows */
	FP_NAN_X87, /* the larger significand, QNaN over SNaN; SDM vol. 1 table 4-7, x87 rows */
	FP_NAN_A64, /* the first SNaN, else the first QNaN; Arm ARM, FPProcessNaNs() */
};

/* What a conversion to an integer gives for a NaN or a value that does not fit. */
enum fp_int_rule {
	FP_INT_INDEFINITE, /* x86: 1000...0 for signed, 1111...1 for unsigned */
	FP_INT_SATURATE,   /* A64: nearest end of the range, 0 for NaN */
};

/* Significand bits that f80 add, sub, mul, div and sqrt round to (x87 precision control). */
enum fp_precision {
	FP_PRECISION_64, /* the default */
	FP_PRECISION_53,
	FP_PRECISION_24,
};

enum fp_order {
	FP_LESS = -1,
	FP_EQUAL = 0,
	FP_GREATER = 1,
	FP_UNORDERED = 2,
};

/*
 * All zero but for `masks` is IEEE 754 with the SSE choices. Operations only ever set bits in
 * `flags`; every operation that rounds writes `rounded_up`.
 */
struct fp_env {
	uint8_t flags;     /* enum fp_flag, sticky */
	uint8_t masks;     /* enum fp_flag; a set bit means masked. Matters for two things only: a
			    * tiny but exact result raises FP_UNDERFLOW when that is unmasked, and
			    * f80 results that overflow or underflow unmasked carry the exponent
			    * bias 24576 (SDM vol. 1 §8.5.4, §8.5.5). Also FTZ needs masked UE. */
	uint8_t rounding;  /* enum fp_rounding */
	uint8_t precision; /* enum fp_precision, f80 only */
	uint8_t nan_rule;  /* enum fp_nan_rule */
	uint8_t int_rule;  /* enum fp_int_rule */
	bool daz;          /* denormal f32/f64 operands are zero (no FP_DENORMAL) */
	bool ftz;          /* tiny f32/f64 results become zero */
	bool tiny_before;  /* tininess is detected before rounding (A64); x86: after */
	bool default_nan;  /* every NaN result is the default NaN */
	bool positive_nan; /* sign of the default NaN; x86: negative, A64: positive */
	bool rounded_up;   /* out: magnitude of the last result was rounded up (x87 C1) */
};

/* The environment that an MXCSR value describes; merge back with mxcsr |= fp_reported(). */
static inline struct fp_env fp_env_sse(uint32_t mxcsr)
{
	return (struct fp_env){
		.masks = (mxcsr >> 7) & FP_ALL_FLAGS,
		.rounding = (mxcsr >> 13) & 3,
		.daz = (mxcsr >> 6) & 1,
		.ftz = (mxcsr >> 15) & 1,
	};
}

/* The environment that an x87 control word describes. */
static inline struct fp_env fp_env_x87(uint16_t fcw)
{
	static const uint8_t precision[4] = {
		FP_PRECISION_24,
		FP_PRECISION_64, /* reserved encoding */
		FP_PRECISION_53,
		FP_PRECISION_64,
	};

	return (struct fp_env){
		.masks = fcw & FP_ALL_FLAGS,
		.rounding = (fcw >> 10) & 3,
		.precision = precision[(fcw >> 8) & 3],
		.nan_rule = FP_NAN_X87,
	};
}

/*
 * The flags an instruction reports. An unmasked operand exception, in any element, stops it
 * before results are computed, so there is no result exception then (SDM vol. 1 §11.5.2, §8.6).
 */
static inline uint8_t fp_reported(const struct fp_env *env)
{
	const uint8_t operand = FP_INVALID | FP_DENORMAL | FP_DIVZERO;

	return env->flags & ~env->masks & operand ? env->flags & operand : env->flags;
}

/* Sign changes inside a fused multiply-add; they do not touch a NaN that is passed through. */
enum fp_fma {
	FP_FMA_NEG_PRODUCT = 1 << 0, /* -(a * b) + c */
	FP_FMA_NEG_ADDEND = 1 << 1,  /*  (a * b) - c */
};

/* §5.4.1: a op b, correctly rounded. */
uint32_t f32_add(uint32_t a, uint32_t b, struct fp_env *env);
uint32_t f32_sub(uint32_t a, uint32_t b, struct fp_env *env);
uint32_t f32_mul(uint32_t a, uint32_t b, struct fp_env *env);
uint32_t f32_div(uint32_t a, uint32_t b, struct fp_env *env);
uint32_t f32_sqrt(uint32_t a, struct fp_env *env);
uint64_t f64_add(uint64_t a, uint64_t b, struct fp_env *env);
uint64_t f64_sub(uint64_t a, uint64_t b, struct fp_env *env);
uint64_t f64_mul(uint64_t a, uint64_t b, struct fp_env *env);
uint64_t f64_div(uint64_t a, uint64_t b, struct fp_env *env);
uint64_t f64_sqrt(uint64_t a, struct fp_env *env);

/*
 * a * b + c with one rounding. `ops` is a set of enum fp_fma. With FP_NAN_SSE the first NaN of
 * a, b, c is the result, so pass the operands in the order of the digits in the mnemonic:
 * 132: op1, op3, op2; 213: op2, op1, op3; 231: op2, op3, op1 (SDM vol. 1 §14.5.1). Infinity
 * times zero plus a QNaN is that QNaN and raises nothing.
 */
uint32_t f32_fma(uint32_t a, uint32_t b, uint32_t c, unsigned ops, struct fp_env *env);
uint64_t f64_fma(uint64_t a, uint64_t b, uint64_t c, unsigned ops, struct fp_env *env);

/* §5.11. Quiet: only a signaling NaN is invalid (UCOMISD); else every NaN is (COMISD). */
enum fp_order f32_compare(uint32_t a, uint32_t b, bool quiet, struct fp_env *env);
enum fp_order f64_compare(uint64_t a, uint64_t b, bool quiet, struct fp_env *env);

/* MINPS, MAXPS and friends: the second operand if either is a NaN or both are zeros. */
uint32_t f32_min_x86(uint32_t a, uint32_t b, struct fp_env *env);
uint32_t f32_max_x86(uint32_t a, uint32_t b, struct fp_env *env);
uint64_t f64_min_x86(uint64_t a, uint64_t b, struct fp_env *env);
uint64_t f64_max_x86(uint64_t a, uint64_t b, struct fp_env *env);

/* §5.9: to an integral value in the same format. `exact`: raise FP_INEXACT when it changed. */
uint32_t f32_round_to_int(uint32_t a, enum fp_rounding mode, bool exact, struct fp_env *env);
uint64_t f64_round_to_int(uint64_t a, enum fp_rounding mode, bool exact, struct fp_env *env);

/* §5.4.1: to integers, in the given rounding mode (env->rounding for CVTSD2SI, FP_TO_ZERO for
 * CVTTSD2SI). Never raises FP_DENORMAL; FP_INVALID comes without FP_INEXACT. */
int32_t f32_to_i32(uint32_t a, enum fp_rounding mode, struct fp_env *env);
int64_t f32_to_i64(uint32_t a, enum fp_rounding mode, struct fp_env *env);
uint32_t f32_to_u32(uint32_t a, enum fp_rounding mode, struct fp_env *env);
uint64_t f32_to_u64(uint32_t a, enum fp_rounding mode, struct fp_env *env);
int32_t f64_to_i32(uint64_t a, enum fp_rounding mode, struct fp_env *env);
int64_t f64_to_i64(uint64_t a, enum fp_rounding mode, struct fp_env *env);
uint32_t f64_to_u32(uint64_t a, enum fp_rounding mode, struct fp_env *env);
uint64_t f64_to_u64(uint64_t a, enum fp_rounding mode, struct fp_env *env);

/* From integers; 8-, 16- and 32-bit sources are widened by the caller. */
uint32_t f32_from_i64(int64_t v, struct fp_env *env);
uint32_t f32_from_u64(uint64_t v, struct fp_env *env);
uint64_t f64_from_i64(int64_t v, struct fp_env *env);
uint64_t f64_from_u64(uint64_t v, struct fp_env *env);

/* Between formats. f16 operands and results ignore daz and ftz and f16 operands do not raise
 * FP_DENORMAL (SDM, VCVTPH2PS and VCVTPS2PH). Rounds in env->rounding. */
uint64_t f32_to_f64(uint32_t a, struct fp_env *env);
uint32_t f64_to_f32(uint64_t a, struct fp_env *env);
uint32_t f16_to_f32(uint16_t a, struct fp_env *env);
uint16_t f32_to_f16(uint32_t a, struct fp_env *env);
uint64_t f16_to_f64(uint16_t a, struct fp_env *env);
uint16_t f64_to_f16(uint64_t a, struct fp_env *env);

/* RCPSS and RSQRTSS: relative error below 1.5 * 2^-12, no flags, denormal operands are zero and
 * denormal results are flushed, whatever MXCSR says (SDM vol. 2, RCPPS and RSQRTPS). */
uint32_t f32_rcp_approx(uint32_t a);
uint32_t f32_rsqrt_approx(uint32_t a);
