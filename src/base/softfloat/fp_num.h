/* base/softfloat/fp_num.h - the core that all formats share; private to this folder.
 *
 * An operand is unpacked into a struct fp_num, the operation works on those without knowing a
 * format, and fp_round() rounds the result into one. 128 bits hold the exact product of two
 * 64-bit significands, so the same code serves f16 to f80 and fused multiply-add up to f64.
 *
 * SPDX-License-Identifier: MIT */
#pragma once

#include "base/softfloat/softfloat.h"
#include "base/bits.h"

#define FP_INLINE static inline __attribute__((always_inline))

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 s128;

#define U128(hi, lo) ((u128)(hi) << 64 | (lo))
#define FP_TOP       U128(BIT(63), 0) /* the integer bit of fp_num.frac */
#define FP_QUIET     U128(BIT(62), 0) /* the quiet bit of a NaN there */

/* In this order: the code compares classes. */
enum fp_class {
	FP_ZERO,
	FP_NORMAL, /* finite, not zero */
	FP_INF,
	FP_QNAN,
	FP_SNAN,
	FP_UNSUPPORTED, /* f80 encodings the x87 refuses */
};

struct fp_num {
	u128 frac;   /* FP_NORMAL: bit 127 set, value frac / 2^127 * 2^exp; NaN: left-aligned */
	int32_t exp; /* unbiased */
	uint8_t cls; /* enum fp_class */
	bool sign;
	bool denormal; /* the operand was encoded as one */
};

struct fp_format {
	uint8_t sig_bits; /* with the integer bit, explicit or not */
	uint8_t exp_bits;
	bool flushes; /* daz and ftz apply */
};

#define FP_F16      (&(const struct fp_format){ .sig_bits = 11, .exp_bits = 5, .flushes = false })
#define FP_F32      (&(const struct fp_format){ .sig_bits = 24, .exp_bits = 8, .flushes = true })
#define FP_F64      (&(const struct fp_format){ .sig_bits = 53, .exp_bits = 11, .flushes = true })
#define FP_F80      (&(const struct fp_format){ .sig_bits = 64, .exp_bits = 15, .flushes = false })

/* Exponent adjustment of unmasked f80 overflow and underflow, SDM vol. 1 §8.5.4. */
#define FP_F80_WRAP 24576

FP_INLINE int fp_bias(const struct fp_format *f) { return (1 << (f->exp_bits - 1)) - 1; }

FP_INLINE unsigned u128_clz(u128 v)
{
	uint64_t hi = (uint64_t)(v >> 64);

	return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((uint64_t)v);
}

/* v >> n; what falls out is or-ed into bit 0. */
FP_INLINE u128 u128_shr_jam(u128 v, unsigned n)
{
	if (n == 0)
		return v;
	if (n >= 128)
		return v != 0;
	return v >> n | ((v << (128 - n)) != 0);
}

/* Brings the leading one of a nonzero frac to bit 127. */
FP_INLINE void fp_normalize(struct fp_num *n)
{
	unsigned shift = u128_clz(n->frac);

	n->frac <<= shift;
	n->exp -= (int32_t)shift;
}

FP_INLINE struct fp_num fp_zero(bool sign)
{
	return (struct fp_num){ .cls = FP_ZERO, .sign = sign };
}

FP_INLINE struct fp_num fp_inf(bool sign)
{
	return (struct fp_num){ .cls = FP_INF, .sign = sign, .frac = FP_TOP };
}

static inline struct fp_num fp_default_nan(const struct fp_env *env)
{
	return (struct fp_num){
		.cls = FP_QNAN,
		.sign = !env->positive_nan,
		.frac = FP_TOP | FP_QUIET,
	};
}

static inline struct fp_num fp_invalid(struct fp_env *env)
{
	env->flags |= FP_INVALID;
	return fp_default_nan(env);
}

FP_INLINE struct fp_num fp_unpack(uint64_t bits, const struct fp_format *f,
				  const struct fp_env *env)
{
	const unsigned frac_bits = f->sig_bits - 1u;
	const unsigned max = (1u << f->exp_bits) - 1;
	unsigned biased = (unsigned)(bits >> frac_bits) & max;
	uint64_t frac = bits & (BIT(frac_bits) - 1);
	struct fp_num n = {
		.sign = (bits >> (frac_bits + f->exp_bits)) & 1,
		.cls = FP_NORMAL,
		.exp = (int32_t)biased - fp_bias(f),
		.frac = (u128)(frac | BIT(frac_bits)) << (128 - f->sig_bits),
	};

	if (unlikely(biased == max)) {
		n.cls = !frac ? FP_INF : frac >> (frac_bits - 1) ? FP_QNAN : FP_SNAN;
	} else if (unlikely(biased == 0)) {
		if (!frac || (f->flushes && env->daz))
			return fp_zero(n.sign);
		n.denormal = true;
		n.exp++;
		n.frac ^= FP_TOP;
		fp_normalize(&n);
	}
	return n;
}

/* Whether a significand that ends in bit `odd`, with `rest` cut off below it, is incremented. */
FP_INLINE bool fp_increments(enum fp_rounding mode, bool sign, bool odd, u128 rest)
{
	switch (mode) {
	case FP_NEAREST_EVEN: return rest > FP_TOP || (rest == FP_TOP && odd);
	case FP_NEAREST_AWAY: return rest >= FP_TOP;
	case FP_DOWN: return sign && rest;
	case FP_UP: return !sign && rest;
	case FP_TO_ZERO: break;
	}
	return false;
}

/* A rounded magnitude: biased exponent and left-aligned significand with its integer bit. */
struct fp_rounded {
	uint64_t sig;
	uint32_t biased;
};

/* Cuts frac to its high `keep` bits; 0 when the increment carried out of the top. */
FP_INLINE uint64_t fp_cut(u128 frac, bool sign, unsigned keep, struct fp_env *env)
{
	uint64_t top = (uint64_t)(frac >> (128 - keep));
	u128 rest = frac << keep;

	env->rounded_up = false;
	if (rest) {
		env->flags |= FP_INEXACT;
		env->rounded_up = fp_increments(env->rounding, sign, top & 1, rest);
		top += env->rounded_up;
	}
	return top << (64 - keep);
}

struct fp_rounded fp_round_tiny(struct fp_num n, const struct fp_format *f, unsigned keep,
				struct fp_env *env);
struct fp_rounded fp_round_overflow(uint64_t sig, int32_t biased, bool sign,
				    const struct fp_format *f, unsigned keep, struct fp_env *env);

/* Rounds an FP_NORMAL number to `keep` significand bits in format f (IEEE 754 §4.3, §7.4-7.6). */
FP_INLINE struct fp_rounded fp_round(const struct fp_num *n, const struct fp_format *f,
				     unsigned keep, struct fp_env *env)
{
	const int32_t max = (1 << f->exp_bits) - 1;
	int32_t biased = n->exp + fp_bias(f);
	uint64_t sig;

	if (unlikely(biased <= 0))
		return fp_round_tiny(*n, f, keep, env);
	sig = fp_cut(n->frac, n->sign, keep, env);
	if (sig == 0) {
		sig = BIT(63);
		biased++;
	}
	if (unlikely(biased >= max))
		return fp_round_overflow(sig, biased, n->sign, f, keep, env);
	return (struct fp_rounded){ sig, (uint32_t)biased };
}

/* Rounds and encodes in f16, f32 or f64. */
FP_INLINE uint64_t fp_pack(const struct fp_num *n, const struct fp_format *f, struct fp_env *env)
{
	const unsigned frac_bits = f->sig_bits - 1u;
	const uint32_t max = (1u << f->exp_bits) - 1;
	struct fp_rounded r = { 0, 0 };

	if (likely(n->cls == FP_NORMAL))
		r = fp_round(n, f, f->sig_bits, env);
	else if (n->cls != FP_ZERO)
		r = (struct fp_rounded){ (uint64_t)(n->frac >> 64), max };
	return (uint64_t)n->sign << (frac_bits + f->exp_bits) | (uint64_t)r.biased << frac_bits |
	       (r.sig << 1 >> (65 - f->sig_bits));
}

/* The NaN result of an operation with at least one NaN operand; IEEE 754 §6.2. */
struct fp_num fp_nan1(struct fp_num a, struct fp_env *env);
struct fp_num fp_nan2(struct fp_num a, struct fp_num b, struct fp_env *env);
struct fp_num fp_nan3(struct fp_num a, struct fp_num b, struct fp_num c, bool product_invalid,
		      struct fp_env *env);

/* FP_DENORMAL has the lowest priority of the operand exceptions: call it after the others. */
FP_INLINE void fp_note_denormal(bool denormal, struct fp_env *env)
{
	if (unlikely(denormal))
		env->flags |= FP_DENORMAL;
}

/* a + b for two FP_NORMAL numbers. */
FP_INLINE struct fp_num fp_add_normal(struct fp_num a, struct fp_num b, const struct fp_env *env)
{
	if (a.exp < b.exp || (a.exp == b.exp && a.frac < b.frac)) {
		struct fp_num t = a;

		a = b;
		b = t;
	}
	b.frac = u128_shr_jam(b.frac, (unsigned)(a.exp - b.exp));
	if (a.sign == b.sign) {
		u128 sum = a.frac + b.frac;

		if (sum < a.frac) {
			sum = FP_TOP | sum >> 1 | (sum & 1);
			a.exp++;
		}
		a.frac = sum;
		return a;
	}
	a.frac -= b.frac;
	if (!a.frac)
		return fp_zero(env->rounding == FP_DOWN);
	fp_normalize(&a);
	return a;
}

FP_INLINE struct fp_num fp_add(struct fp_num a, struct fp_num b, bool subtract, struct fp_env *env)
{
	if (unlikely(a.cls > FP_INF || b.cls > FP_INF))
		return fp_nan2(a, b, env);
	b.sign ^= subtract;
	if (unlikely(a.cls == FP_INF && b.cls == FP_INF && a.sign != b.sign))
		return fp_invalid(env);
	fp_note_denormal(a.denormal | b.denormal, env);
	if (likely(a.cls == FP_NORMAL && b.cls == FP_NORMAL))
		return fp_add_normal(a, b, env);
	if (a.cls == FP_ZERO && b.cls == FP_ZERO)
		return fp_zero(a.sign == b.sign ? a.sign : env->rounding == FP_DOWN);
	return a.cls == FP_INF || b.cls == FP_ZERO ? a : b;
}

/* The exact product of two FP_NORMAL numbers of at most 64 bits. */
FP_INLINE struct fp_num fp_mul_normal(const struct fp_num *a, const struct fp_num *b)
{
	struct fp_num r = {
		.cls = FP_NORMAL,
		.sign = a->sign ^ b->sign,
		.exp = a->exp + b->exp + 1,
		.frac = (u128)(uint64_t)(a->frac >> 64) * (uint64_t)(b->frac >> 64),
	};

	if (!(r.frac >> 127)) {
		r.frac <<= 1;
		r.exp--;
	}
	return r;
}

FP_INLINE struct fp_num fp_mul(struct fp_num a, struct fp_num b, struct fp_env *env)
{
	bool sign = a.sign ^ b.sign;

	if (unlikely(a.cls > FP_INF || b.cls > FP_INF))
		return fp_nan2(a, b, env);
	if (unlikely((a.cls == FP_INF && b.cls == FP_ZERO) ||
		     (a.cls == FP_ZERO && b.cls == FP_INF)))
		return fp_invalid(env);
	fp_note_denormal(a.denormal | b.denormal, env);
	if (likely(a.cls == FP_NORMAL && b.cls == FP_NORMAL))
		return fp_mul_normal(&a, &b);
	return a.cls == FP_INF || b.cls == FP_INF ? fp_inf(sign) : fp_zero(sign);
}

/* a / b for two FP_NORMAL numbers of at most 64 bits; the last bit is sticky. */
FP_INLINE struct fp_num fp_div_normal(const struct fp_num *a, const struct fp_num *b)
{
	uint64_t den = (uint64_t)(b->frac >> 64);
	bool less = a->frac < b->frac;
	u128 num = less ? a->frac : a->frac >> 1;
	uint64_t quotient = (uint64_t)(num / den);
	uint64_t rem = (uint64_t)num - quotient * den;
	bool half = rem >= den - rem;

	return (struct fp_num){
		.cls = FP_NORMAL,
		.sign = a->sign ^ b->sign,
		.exp = a->exp - b->exp - less,
		.frac = U128(quotient, (uint64_t)half << 63 | (rem && rem != den - rem)),
	};
}

FP_INLINE struct fp_num fp_div(struct fp_num a, struct fp_num b, struct fp_env *env)
{
	bool sign = a.sign ^ b.sign;

	if (unlikely(a.cls > FP_INF || b.cls > FP_INF))
		return fp_nan2(a, b, env);
	if (unlikely(a.cls == b.cls && a.cls != FP_NORMAL))
		return fp_invalid(env);
	if (unlikely(b.cls == FP_ZERO && a.cls == FP_NORMAL)) {
		env->flags |= FP_DIVZERO;
		return fp_inf(sign);
	}
	fp_note_denormal(a.denormal | b.denormal, env);
	if (likely(a.cls == FP_NORMAL && b.cls == FP_NORMAL))
		return fp_div_normal(&a, &b);
	return a.cls == FP_INF || b.cls == FP_ZERO ? fp_inf(sign) : fp_zero(sign);
}

/* The square root of n >= 2^126: 64 bits, a half bit and below it a sticky one. */
u128 u128_sqrt(u128 n);

FP_INLINE struct fp_num fp_sqrt(struct fp_num a, struct fp_env *env)
{
	if (unlikely(a.cls > FP_INF))
		return fp_nan1(a, env);
	if (unlikely(a.cls == FP_ZERO))
		return a;
	if (unlikely(a.sign))
		return fp_invalid(env);
	if (unlikely(a.cls == FP_INF))
		return a;
	fp_note_denormal(a.denormal, env);
	a.frac = u128_sqrt(a.exp & 1 ? a.frac : a.frac >> 1);
	a.exp >>= 1;
	return a;
}

FP_INLINE enum fp_order fp_compare(struct fp_num a, struct fp_num b, bool quiet, struct fp_env *env)
{
	enum fp_order larger = a.sign ? FP_LESS : FP_GREATER; /* if |a| > |b|, same signs */

	if (a.cls > FP_INF || b.cls > FP_INF) {
		if (!quiet || a.cls > FP_QNAN || b.cls > FP_QNAN)
			env->flags |= FP_INVALID;
		return FP_UNORDERED;
	}
	fp_note_denormal(a.denormal | b.denormal, env);
	if (a.cls == FP_ZERO && b.cls == FP_ZERO)
		return FP_EQUAL;
	if (a.sign != b.sign)
		return larger;
	if (a.cls != b.cls)
		return a.cls > b.cls ? larger : -larger;
	if (a.cls == FP_INF)
		return FP_EQUAL;
	if (a.exp != b.exp)
		return a.exp > b.exp ? larger : -larger;
	if (a.frac != b.frac)
		return a.frac > b.frac ? larger : -larger;
	return FP_EQUAL;
}

/* Rounds an FP_NORMAL number below 2^127 to *whole; says whether that is inexact. */
FP_INLINE bool fp_to_whole(const struct fp_num *a, enum fp_rounding mode, u128 *whole,
			   struct fp_env *env)
{
	u128 rest;

	if (a->exp >= 0) {
		*whole = a->frac >> (127 - a->exp);
		rest = a->frac << (a->exp + 1);
	} else {
		*whole = 0;
		rest = a->exp == -1 ? a->frac : 1; /* 1: anything below one half */
	}
	env->rounded_up = fp_increments(mode, a->sign, *whole & 1, rest);
	*whole += env->rounded_up;
	return rest != 0;
}

/* Rounds to an integral value and says in *inexact whether that changed it. Not for NaNs. */
struct fp_num fp_integral(struct fp_num a, enum fp_rounding mode, bool *inexact,
			  struct fp_env *env);

/* What a conversion gives that has no answer. */
uint64_t fp_int_invalid(enum fp_class cls, bool sign, unsigned bits, bool is_signed,
			struct fp_env *env);

/* To an integer of `bits` bits, sign-extended if signed, zero-extended if not. */
FP_INLINE uint64_t fp_to_int(struct fp_num a, enum fp_rounding mode, unsigned bits, bool is_signed,
			     struct fp_env *env)
{
	u128 magnitude = 0;
	uint64_t limit;
	bool inexact = false;

	if (a.cls >= FP_INF || (a.cls == FP_NORMAL && a.exp > 63))
		return fp_int_invalid((enum fp_class)a.cls, a.sign, bits, is_signed, env);
	env->rounded_up = false;
	if (a.cls == FP_NORMAL)
		inexact = fp_to_whole(&a, mode, &magnitude, env);
	if (is_signed)
		limit = BIT(bits - 1) - !a.sign;
	else
		limit = a.sign ? 0 : ~UINT64_C(0) >> (64 - bits);
	if (magnitude > limit)
		return fp_int_invalid((enum fp_class)a.cls, a.sign, bits, is_signed, env);
	if (inexact)
		env->flags |= FP_INEXACT;
	return a.sign ? 0 - (uint64_t)magnitude : (uint64_t)magnitude;
}

FP_INLINE struct fp_num fp_from_u64(uint64_t v, bool sign)
{
	struct fp_num n = { .cls = FP_NORMAL, .sign = sign, .exp = 127, .frac = v };

	if (!v)
		return fp_zero(sign);
	fp_normalize(&n);
	return n;
}

FP_INLINE struct fp_num fp_from_i64(int64_t v)
{
	return fp_from_u64(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

/* The conversions between formats see NaNs as operands. */
FP_INLINE struct fp_num fp_convert(struct fp_num a, struct fp_env *env)
{
	if (unlikely(a.cls > FP_INF))
		return fp_nan1(a, env);
	fp_note_denormal(a.denormal, env);
	return a;
}
