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

/* floor(sqrt(256 i)) for i = 64 ... 255. */
/* clang-format off */
static const uint8_t sqrt_seeds[192] = {
	128, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142,
	143, 144, 144, 145, 146, 147, 148, 149, 150, 150, 151, 152, 153, 154, 155, 155,
	156, 157, 158, 159, 160, 160, 161, 162, 163, 163, 164, 165, 166, 167, 167, 168,
	169, 170, 170, 171, 172, 173, 173, 174, 175, 176, 176, 177, 178, 178, 179, 180,
	181, 181, 182, 183, 183, 184, 185, 185, 186, 187, 187, 188, 189, 189, 190, 191,
	192, 192, 193, 193, 194, 195, 195, 196, 197, 197, 198, 199, 199, 200, 201, 201,
	202, 203, 203, 204, 204, 205, 206, 206, 207, 208, 208, 209, 209, 210, 211, 211,
	212, 212, 213, 214, 214, 215, 215, 216, 217, 217, 218, 218, 219, 219, 220, 221,
	221, 222, 222, 223, 224, 224, 225, 225, 226, 226, 227, 227, 228, 229, 229, 230,
	230, 231, 231, 232, 232, 233, 234, 234, 235, 235, 236, 236, 237, 237, 238, 238,
	239, 240, 240, 241, 241, 242, 242, 243, 243, 244, 244, 245, 245, 246, 246, 247,
	247, 248, 248, 249, 249, 250, 250, 251, 251, 252, 252, 253, 253, 254, 254, 255,
};
/* clang-format on */

u128 u128_sqrt(u128 n)
{
	uint64_t top = (uint64_t)(n >> 112);
	uint64_t root = sqrt_seeds[(top >> 8) - 64];
	u128 rem;

	root += (root + 1) * (root + 1) <= top;
	rem = top - root * root;
	root = sqrt_step(n >> 96, root, (uint64_t)rem, 8, &rem);
	root = sqrt_step(n >> 64, root, (uint64_t)rem, 16, &rem);
	root = sqrt_step(n, root, (uint64_t)rem, 32, &rem);
	/* n > root^2 + root, for integers, says that the root of n is above root + 1/2. */
	return U128(root, (uint64_t)(rem > root) << 63 | (rem != 0));
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

uint64_t fp_int_invalid(enum fp_class cls, bool sign, unsigned bits, bool is_signed,
			struct fp_env *env)
{
	uint64_t least = is_signed ? ~UINT64_C(0) << (bits - 1) : 0;
	uint64_t most = ~UINT64_C(0) >> (64 - bits + is_signed);

	env->flags |= FP_INVALID;
	env->rounded_up = false;
	if (env->int_rule == FP_INT_INDEFINITE)
		return is_signed ? least : most;
	if (cls > FP_INF)
		return 0;
	return sign ? least : most;
}
