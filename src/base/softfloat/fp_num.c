/* base/softfloat/fp_num.c - the parts of the shared core that are not on the fast path.
 * SPDX-License-Identifier: MIT */
#include "base/softfloat/fp_num.h"

/*
 * A tiny result whose underflow is unmasked: FP_INEXACT says what it would with an unbounded
 * exponent (SDM vol. 1 §8.5.5). `sig` is the significand so rounded. Only for f80 does anybody
 * look at the result. FSCALE can go beyond even the wrapped exponent range: then zero.
 */
static struct fp_rounded fp_tiny_unmasked(uint64_t sig, int32_t biased, struct fp_env *env)
{
	env->flags |= FP_UNDERFLOW;
	if (sig == 0) {
		sig = BIT(63);
		biased++;
	}
	if (biased + FP_F80_WRAP > 0)
		return (struct fp_rounded){ sig, (uint32_t)(biased + FP_F80_WRAP) };
	env->flags |= FP_INEXACT;
	env->rounded_up = false;
	return (struct fp_rounded){ 0, 0 };
}

/*
 * IEEE 754 §7.5. The number is below the least normal one. x86 calls it tiny only if it still is
 * after rounding with an unbounded exponent (SDM vol. 1 §4.9.1.5).
 */
struct fp_rounded fp_round_tiny(struct fp_num n, const struct fp_format *f, unsigned keep,
				struct fp_env *env)
{
	int32_t biased = n.exp + fp_bias(f);
	uint8_t flags = env->flags;
	uint64_t sig = fp_cut(n.frac, n.sign, keep, env);
	bool tiny = env->tiny_before || biased < 0 || sig != 0;

	if (tiny && !(env->masks & FP_UNDERFLOW))
		return fp_tiny_unmasked(sig, biased, env);
	env->flags = 0;
	if (tiny && f->flushes && env->ftz) {
		env->flags = flags | FP_UNDERFLOW | FP_INEXACT;
		env->rounded_up = false;
		return (struct fp_rounded){ 0, 0 };
	}
	sig = fp_cut(u128_shr_jam(n.frac, (unsigned)(1 - biased)), n.sign, keep, env);
	if (tiny && (env->flags & FP_INEXACT))
		env->flags |= FP_UNDERFLOW;
	env->flags |= flags;
	return (struct fp_rounded){ sig, (uint32_t)(sig >> 63) };
}

/* IEEE 754 §7.4; the unmasked x87 response is SDM vol. 1 §8.5.4. */
struct fp_rounded fp_round_overflow(uint64_t sig, int32_t biased, bool sign,
				    const struct fp_format *f, unsigned keep, struct fp_env *env)
{
	const int32_t max = (1 << f->exp_bits) - 1;
	bool unmasked = f->exp_bits == FP_F80->exp_bits && !(env->masks & FP_OVERFLOW);

	env->flags |= FP_OVERFLOW;
	if (unmasked && biased - FP_F80_WRAP < max)
		return (struct fp_rounded){ sig, (uint32_t)(biased - FP_F80_WRAP) };
	/* Unmasked, FP_INEXACT says what it would with an unbounded exponent. */
	if (unmasked || (env->masks & FP_OVERFLOW))
		env->flags |= FP_INEXACT;
	/* Any nonzero rest does: what was cut off is more than nothing. FSCALE can go beyond
	 * even the wrapped range: then infinity (SDM vol. 1 §8.5.4). */
	env->rounded_up = unmasked || fp_increments(env->rounding, sign, true, FP_TOP);
	if (env->rounded_up)
		return (struct fp_rounded){ BIT(63), (uint32_t)max };
	return (struct fp_rounded){ ~UINT64_C(0) << (64 - keep), (uint32_t)max - 1 };
}

static struct fp_num fp_quieted(struct fp_num a, const struct fp_env *env)
{
	if (env->default_nan)
		return fp_default_nan(env);
	a.cls = FP_QNAN;
	a.frac |= FP_QUIET;
	return a;
}

struct fp_num fp_nan1(struct fp_num a, struct fp_env *env)
{
	if (a.cls == FP_UNSUPPORTED)
		return fp_invalid(env);
	if (a.cls == FP_SNAN)
		env->flags |= FP_INVALID;
	return fp_quieted(a, env);
}

/* SDM vol. 1 table 4-7, x87: a QNaN beats an SNaN, then the larger significand, then plus. */
static bool fp_x87_prefers_second(const struct fp_num *a, const struct fp_num *b)
{
	if (a->cls != b->cls)
		return a->cls == FP_SNAN;
	if (a->frac != b->frac)
		return a->frac < b->frac;
	return a->sign;
}

struct fp_num fp_nan2(struct fp_num a, struct fp_num b, struct fp_env *env)
{
	bool second = a.cls < FP_QNAN;

	if (a.cls == FP_UNSUPPORTED || b.cls == FP_UNSUPPORTED)
		return fp_invalid(env);
	if (a.cls == FP_SNAN || b.cls == FP_SNAN)
		env->flags |= FP_INVALID;
	if (a.cls >= FP_QNAN && b.cls >= FP_QNAN) {
		if (env->nan_rule == FP_NAN_X87)
			second = fp_x87_prefers_second(&a, &b);
		else if (env->nan_rule == FP_NAN_A64)
			second = b.cls > a.cls;
	}
	return fp_quieted(second ? b : a, env);
}

/* SDM vol. 1 table 14-17; Arm ARM, FPMulAdd(). */
struct fp_num fp_nan3(struct fp_num a, struct fp_num b, struct fp_num c, bool product_invalid,
		      struct fp_env *env)
{
	const struct fp_num *x86_order[3] = { &a, &b, &c };
	const struct fp_num *a64_order[3] = { &c, &a, &b };
	bool a64 = env->nan_rule == FP_NAN_A64;
	const struct fp_num **order = a64 ? a64_order : x86_order;
	const struct fp_num *chosen = NULL;
	bool snan = a.cls == FP_SNAN || b.cls == FP_SNAN || c.cls == FP_SNAN;

	if (snan)
		env->flags |= FP_INVALID;
	if (a64 && product_invalid && c.cls == FP_QNAN)
		return fp_invalid(env);
	for (int i = 0; i < 3 && !chosen; i++) {
		if (order[i]->cls == FP_SNAN || (order[i]->cls == FP_QNAN && !(a64 && snan)))
			chosen = order[i];
	}
	return fp_quieted(*chosen, env);
}

/*
 * One step of Zimmermann's square root ("Karatsuba Square Root", INRIA RR-3805): from the root
 * and the remainder of the high half of n to those of n. `half` is a quarter of the bits of n.
 */
FP_INLINE uint64_t sqrt_step(u128 n, uint64_t root, uint64_t rem, unsigned half, u128 *rem_out)
{
	uint64_t mask = BIT(half) - 1;
	u128 num = (u128)rem << half | ((uint64_t)(n >> half) & mask);
	uint64_t twice = (uint64_t)(num >> 1);
	uint64_t q = twice / root;
	uint64_t u = twice % root << 1 | ((uint64_t)num & 1);
	s128 r = (s128)((u128)u << half | ((uint64_t)n & mask)) - (s128)((u128)q * q);

	root = (root << half) + q;
	if (r < 0) {
		root--;
		r += (s128)(2 * (u128)root + 1);
	}
	*rem_out = (u128)r;
	return root;
}

/* floor(sqrt(n)) and the remainder, for n >= 2^126. */
static uint64_t u128_sqrt(u128 n, u128 *rem_out)
{
	uint32_t top = (uint32_t)(n >> 112);
	uint64_t root = 0;
	u128 rem;

	for (int bit = 7; bit >= 0; bit--) {
		uint64_t next = root | BIT(bit);

		root |= (uint64_t)(next * next <= top) << bit;
	}
	rem = top - root * root;
	root = sqrt_step(n >> 96, root, (uint64_t)rem, 8, &rem);
	root = sqrt_step(n >> 64, root, (uint64_t)rem, 16, &rem);
	return sqrt_step(n, root, (uint64_t)rem, 32, rem_out);
}

struct fp_num fp_sqrt(struct fp_num a, struct fp_env *env)
{
	uint64_t root;
	u128 rem;

	if (a.cls > FP_INF)
		return fp_nan1(a, env);
	if (a.cls == FP_ZERO)
		return a;
	if (a.sign)
		return fp_invalid(env);
	if (a.cls == FP_INF)
		return a;
	fp_note_denormal(a.denormal, env);
	root = u128_sqrt(a.exp & 1 ? a.frac : a.frac >> 1, &rem);
	a.exp >>= 1;
	/* n > root^2 + root, for integers, says that the root of n is above root + 1/2. */
	a.frac = U128(root, (uint64_t)(rem > root) << 63 | (rem != 0));
	return a;
}

enum fp_order fp_compare(struct fp_num a, struct fp_num b, bool quiet, struct fp_env *env)
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
static inline bool fp_to_whole(const struct fp_num *a, enum fp_rounding mode, u128 *whole,
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

struct fp_num fp_integral(struct fp_num a, enum fp_rounding mode, bool *inexact, struct fp_env *env)
{
	u128 whole;

	*inexact = false;
	env->rounded_up = false;
	if (a.cls != FP_NORMAL || a.exp >= 127)
		return a;
	*inexact = fp_to_whole(&a, mode, &whole, env);
	if (!whole)
		return fp_zero(a.sign);
	a.exp = 127;
	a.frac = whole;
	fp_normalize(&a);
	return a;
}

static uint64_t fp_int_invalid(const struct fp_num *a, unsigned bits, bool is_signed,
			       struct fp_env *env)
{
	uint64_t least = is_signed ? ~UINT64_C(0) << (bits - 1) : 0;
	uint64_t most = ~UINT64_C(0) >> (64 - bits + is_signed);

	env->flags |= FP_INVALID;
	env->rounded_up = false;
	if (env->int_rule == FP_INT_INDEFINITE)
		return is_signed ? least : most;
	if (a->cls > FP_INF)
		return 0;
	return a->sign ? least : most;
}

uint64_t fp_to_int(struct fp_num a, enum fp_rounding mode, unsigned bits, bool is_signed,
		   struct fp_env *env)
{
	u128 magnitude = 0;
	uint64_t limit;
	bool inexact = false;

	if (a.cls >= FP_INF || (a.cls == FP_NORMAL && a.exp > 63))
		return fp_int_invalid(&a, bits, is_signed, env);
	env->rounded_up = false;
	if (a.cls == FP_NORMAL)
		inexact = fp_to_whole(&a, mode, &magnitude, env);
	if (is_signed)
		limit = BIT(bits - 1) - !a.sign;
	else
		limit = a.sign ? 0 : ~UINT64_C(0) >> (64 - bits);
	if (magnitude > limit)
		return fp_int_invalid(&a, bits, is_signed, env);
	if (inexact)
		env->flags |= FP_INEXACT;
	return a.sign ? 0 - (uint64_t)magnitude : (uint64_t)magnitude;
}
