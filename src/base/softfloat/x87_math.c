/* base/softfloat/x87_math.c - the transcendental instructions of the x87.
 *
 * Everything is computed with 128-bit significands, about 2^-120 off, and rounded once, so nearly
 * every result is the correctly rounded one. Series run in fixed point (Q127: 2^127 is one) on a
 * reduced argument and are multiplied by its leading power, which keeps small results accurate.
 * Truncations leave a sticky bit behind: a result that is not exact never looks exact.
 *
 * SPDX-License-Identifier: MIT */
#include "base/softfloat/f80.h"
#include "base/softfloat/f80_num.h"

/* 1 / n! in Q127. */
static const u128 inv_factorial[] = {
	U128(0x8000000000000000, 0x0000000000000000), U128(0x8000000000000000, 0x0000000000000000),
	U128(0x4000000000000000, 0x0000000000000000), U128(0x1555555555555555, 0x5555555555555555),
	U128(0x0555555555555555, 0x5555555555555555), U128(0x0111111111111111, 0x1111111111111111),
	U128(0x002d82d82d82d82d, 0x82d82d82d82d82d8), U128(0x0006806806806806, 0x8068068068068068),
	U128(0x0000d00d00d00d00, 0xd00d00d00d00d00d), U128(0x0000171de3a556c7, 0x338faac1c88e5001),
	U128(0x0000024fc9f6ef13, 0xeb8e5de02da7d4cd), U128(0x00000035cc8acfea, 0x89c71fce8fc97070),
	U128(0x000000047bb63bfe, 0x3625ed5136a61eb4), U128(0x000000005849184e, 0xa1b425f28e0cc749),
	U128(0x00000000064e5d2a, 0x301f27482eb7c517), U128(0x00000000006b9fcf, 0x9ccee07c476195ac),
	U128(0x000000000006b9fc, 0xf9ccee07c476195b), U128(0x000000000000654b, 0x1dc0c2b529ac9814),
	U128(0x00000000000005a0, 0x9e18ee5f65deec01), U128(0x000000000000004b, 0xd26d1a05055c9328),
	U128(0x0000000000000003, 0xca8574804044a0f5), U128(0x0000000000000000, 0x2e371dedb9eae318),
	U128(0x0000000000000000, 0x0219c72db6ff0a53), U128(0x0000000000000000, 0x001761b41316381a),
	U128(0x0000000000000000, 0x0000f96780cb97ac), U128(0x0000000000000000, 0x000009f9e66e8b30),
	U128(0x0000000000000000, 0x000000623a17f1a9), U128(0x0000000000000000, 0x00000003a356385c),
	U128(0x0000000000000000, 0x000000002143144c), U128(0x0000000000000000, 0x0000000001259f99),
};

/* 1 / (2n + 1) in Q127. */
static const u128 inv_odd[] = {
	U128(0x8000000000000000, 0x0000000000000000), U128(0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab),
	U128(0x1999999999999999, 0x999999999999999a), U128(0x1249249249249249, 0x2492492492492492),
	U128(0x0e38e38e38e38e38, 0xe38e38e38e38e38e), U128(0x0ba2e8ba2e8ba2e8, 0xba2e8ba2e8ba2e8c),
	U128(0x09d89d89d89d89d8, 0x9d89d89d89d89d8a), U128(0x0888888888888888, 0x8888888888888889),
	U128(0x0787878787878787, 0x8787878787878788), U128(0x06bca1af286bca1a, 0xf286bca1af286bca),
	U128(0x0618618618618618, 0x6186186186186186), U128(0x0590b21642c8590b, 0x21642c8590b21643),
	U128(0x051eb851eb851eb8, 0x51eb851eb851eb85), U128(0x04bda12f684bda12, 0xf684bda12f684bda),
	U128(0x0469ee58469ee584, 0x69ee58469ee5846a), U128(0x0421084210842108, 0x4210842108421084),
	U128(0x03e0f83e0f83e0f8, 0x3e0f83e0f83e0f84), U128(0x03a83a83a83a83a8, 0x3a83a83a83a83a84),
	U128(0x03759f22983759f2, 0x2983759f2298375a), U128(0x0348348348348348, 0x3483483483483483),
	U128(0x031f3831f3831f38, 0x31f3831f3831f383), U128(0x02fa0be82fa0be82, 0xfa0be82fa0be82fa),
};

/* atan(n / 8) in Q127. */
static const u128 atan_eighths[] = {
	U128(0x0000000000000000, 0x0000000000000000), U128(0x0feadd4d5617b6e3, 0x2c897989f3e888ef),
	U128(0x1f5b75f92c80dd62, 0xadb8f3debef442fd), U128(0x2dec3283c9bde11c, 0xe2a8c848b73f9121),
	U128(0x3b58ce0ac3769ed1, 0x5bf9117b2f0ea341), U128(0x47802eaf7bfacfcd, 0xae41af0b32e21ba4),
	U128(0x525e3e8c9a7b8492, 0x0cd43f9522bed64f), U128(0x5c029f15e118cf39, 0xe596d2a90852221f),
	U128(0x6487ed5110b4611a, 0x62633145c06e0e69),
};

#define SQRT2_FRAC U128(0xb504f333f9de6484, 0x597d89b3754abe9f)

static const struct fp_num one = { .cls = FP_NORMAL, .exp = 0, .frac = FP_TOP };
static const struct fp_num half_pi = {
	.cls = FP_NORMAL,
	.exp = 0,
	.frac = U128(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1),
};
static const struct fp_num ln_2 = {
	.cls = FP_NORMAL,
	.exp = -1,
	.frac = U128(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af),
};
static const struct fp_num log2_e = {
	.cls = FP_NORMAL,
	.exp = 0,
	.frac = U128(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88),
};

/* The high half of the product, the low half as a sticky bit. */
static u128 mul_high(u128 a, u128 b)
{
	uint64_t ah = (uint64_t)(a >> 64), al = (uint64_t)a;
	uint64_t bh = (uint64_t)(b >> 64), bl = (uint64_t)b;
	u128 low = (u128)al * bl;
	u128 mid1 = (u128)ah * bl + (uint64_t)(low >> 64);
	u128 mid2 = (u128)al * bh + (uint64_t)mid1;
	u128 high = (u128)ah * bh + (uint64_t)(mid1 >> 64) + (uint64_t)(mid2 >> 64);

	return high | (((uint64_t)mid2 | (uint64_t)low) != 0);
}

static struct fp_num wide_mul(struct fp_num a, struct fp_num b)
{
	if (a.cls == FP_ZERO || b.cls == FP_ZERO)
		return fp_zero(a.sign ^ b.sign);
	a.sign ^= b.sign;
	a.exp += b.exp + 1;
	a.frac = mul_high(a.frac, b.frac);
	fp_normalize(&a);
	return a;
}

static struct fp_num wide_add(struct fp_num a, struct fp_num b)
{
	static const struct fp_env nearest = { 0 };

	if (a.cls == FP_ZERO)
		return b;
	if (b.cls == FP_ZERO)
		return a;
	return fp_add_normal(a, b, &nearest);
}

static struct fp_num wide_sub(struct fp_num a, struct fp_num b)
{
	b.sign = !b.sign;
	return wide_add(a, b);
}

/* A 64-bit reciprocal, refined by one Newton step; b is not zero. */
static struct fp_num wide_div(struct fp_num a, struct fp_num b)
{
	struct fp_num high = b, r;

	high.frac = high.frac >> 64 << 64;
	r = fp_div_normal(&one, &high);
	r = wide_add(r, wide_mul(r, wide_sub(one, wide_mul(b, r))));
	return wide_mul(a, r);
}

static struct fp_num wide_from_q127(u128 v)
{
	struct fp_num n = { .cls = FP_NORMAL, .exp = 0, .frac = v };

	fp_normalize(&n);
	return n;
}

/* |n| < 1 as a fraction of 2^128. */
static u128 wide_to_q128(struct fp_num n)
{
	return n.cls == FP_ZERO ? 0 : u128_shr_jam(n.frac, (unsigned)(-1 - n.exp));
}

/*
 * c[0] + c[stride] t + c[2 stride] t^2 ... up to c[last], or with alternating signs. t is a
 * fraction of 2^128; the coefficients fall and the sum is in [0, 2).
 */
static struct fp_num series(const u128 *c, unsigned stride, unsigned last, u128 t, bool alternate)
{
	u128 sum = c[last];

	for (unsigned i = last; i >= stride; i -= stride) {
		u128 term = mul_high(sum, t);

		sum = alternate ? c[i - stride] - term : c[i - stride] + term;
	}
	return wide_from_q127(sum);
}

/* 2^x - 1 for |x| <= 1: e^y - 1 = y (1 + y/2! + y^2/3! ...). */
struct f80 f80_2xm1(struct f80 x, struct fp_env *env)
{
	struct fp_num n = f80_unpack(x, env), y;

	if (n.cls > FP_INF)
		return f80_pack(fp_nan1(n, env), env);
	fp_note_denormal(n.denormal, env);
	if (n.cls == FP_INF && n.sign)
		return (struct f80){ BIT(63), 0x8000 | F80_BIAS };
	/* Undefined above 1 (SDM vol. 2, F2XM1): the operand stays. */
	if (n.cls != FP_NORMAL || n.exp > 0 || (n.exp == 0 && n.frac != FP_TOP))
		return x;
	if (n.exp == 0) /* exact: 1 or -1/2 */
		return n.sign ? (struct f80){ BIT(63), 0x8000 | (F80_BIAS - 1) } : x;
	y = wide_mul(n, ln_2);
	return f80_pack(wide_mul(y, series(inv_factorial + 1, 1, 27, wide_to_q128(y), y.sign)),
			env);
}

/* log2((1 + f) / (1 - f)) for |f| < 0.172: 2 log2(e) f (1 + f^2/3 + f^4/5 ...). */
static struct fp_num log2_ratio(struct fp_num f)
{
	struct fp_num sum = series(inv_odd, 1, 20, wide_to_q128(wide_mul(f, f)), false);

	f.exp++;
	return wide_mul(wide_mul(f, sum), log2_e);
}

/* log2 of a positive number. */
static struct fp_num wide_log2(struct fp_num n)
{
	bool above = n.frac > SQRT2_FRAC;
	struct fp_num whole = fp_from_i64((int64_t)n.exp + above);
	struct fp_num less;

	n.exp = above ? -1 : 0;
	less = wide_sub(n, one);
	if (less.cls == FP_ZERO)
		return whole;
	return wide_add(whole, log2_ratio(wide_div(less, wide_add(n, one))));
}

/* log2(1 + x) for x > -1, not zero; accurate for small x. */
static struct fp_num wide_log2p1(struct fp_num x)
{
	struct fp_num sum = wide_add(one, x), two = one;

	if (sum.exp == (sum.frac > SQRT2_FRAC ? -1 : 0)) {
		two.exp = 1;
		return log2_ratio(wide_div(x, wide_add(two, x)));
	}
	return wide_log2(sum);
}

/* y * lg, where lg is a logarithm (SDM vol. 2, FYL2X and FYL2XP1, tables of results). */
static struct f80 y_times_log(struct fp_num y, struct fp_num lg, bool denormal, struct fp_env *env)
{
	bool sign = y.sign ^ lg.sign;

	if (y.cls == FP_INF || lg.cls == FP_INF) {
		if (y.cls == FP_ZERO || lg.cls == FP_ZERO)
			return f80_pack(fp_invalid(env), env);
		fp_note_denormal(denormal, env);
		return f80_pack(fp_inf(sign), env);
	}
	fp_note_denormal(denormal, env);
	return f80_pack(wide_mul(y, lg), env);
}

struct f80 f80_yl2x(struct f80 y, struct f80 x, struct fp_env *env)
{
	struct fp_num ny = f80_unpack(y, env), nx = f80_unpack(x, env), lg;

	if (ny.cls > FP_INF || nx.cls > FP_INF)
		return f80_pack(fp_nan2(nx, ny, env), env);
	if (nx.sign && nx.cls != FP_ZERO)
		return f80_pack(fp_invalid(env), env);
	if (nx.cls == FP_ZERO) {
		lg = fp_inf(true);
		if (ny.cls == FP_NORMAL) {
			env->flags |= FP_DIVZERO;
			return f80_pack(fp_inf(!ny.sign), env);
		}
	} else {
		lg = nx.cls == FP_INF ? fp_inf(false) : wide_log2(nx);
	}
	return y_times_log(ny, lg, ny.denormal | nx.denormal, env);
}

struct f80 f80_yl2xp1(struct f80 y, struct f80 x, struct fp_env *env)
{
	struct fp_num ny = f80_unpack(y, env), nx = f80_unpack(x, env), lg = nx;

	if (ny.cls > FP_INF || nx.cls > FP_INF)
		return f80_pack(fp_nan2(nx, ny, env), env);
	if (nx.cls == FP_INF && nx.sign)
		return f80_pack(fp_invalid(env), env);
	/* Undefined at -1 and below (SDM vol. 2, FYL2XP1): do what processors are seen to do. */
	if (nx.sign && nx.exp >= 0 && nx.cls == FP_NORMAL && ny.cls == FP_NORMAL) {
		env->flags |= FP_INEXACT;
		fp_note_denormal(ny.denormal, env);
		return x;
	}
	if (nx.cls == FP_NORMAL && !(nx.sign && nx.exp >= 0))
		lg = wide_log2p1(nx);
	return y_times_log(ny, lg, ny.denormal | nx.denormal, env);
}

/* atan(small / large) for 0 < small <= large: from the nearest eighth by the addition theorem. */
static struct fp_num wide_atan(struct fp_num small, struct fp_num large)
{
	unsigned distance = (unsigned)(large.exp - small.exp), eighths = 0;
	struct fp_num base, z = small, den = large;

	if (distance < 8) {
		uint64_t sixteenths = (uint64_t)(small.frac >> 64 >> distance) /
				      (uint64_t)(large.frac >> 68);

		eighths = sixteenths < 16 ? (unsigned)(sixteenths + 1) / 2 : 8;
	}
	if (eighths) {
		base = fp_from_u64(eighths, false);
		base.exp -= 3;
		z = wide_sub(small, wide_mul(base, large));
		den = wide_add(large, wide_mul(base, small));
	}
	if (z.cls != FP_ZERO) {
		z = wide_div(z, den);
		z = wide_mul(z, series(inv_odd, 1, 14, wide_to_q128(wide_mul(z, z)), true));
	}
	return eighths ? wide_add(wide_from_q127(atan_eighths[eighths]), z) : z;
}

/* The angle of (x, y) for y >= 0, at least one of them infinite or zero. */
static struct fp_num angle_special(const struct fp_num *x, const struct fp_num *y)
{
	struct fp_num r = half_pi, eighth = half_pi;

	eighth.exp--;
	if (x->cls == FP_INF && y->cls == FP_INF)
		return x->sign ? wide_add(half_pi, eighth) : eighth;
	if (y->cls == FP_ZERO || x->cls == FP_INF) {
		r.exp++;
		return x->sign ? r : fp_zero(false);
	}
	return half_pi;
}

struct f80 f80_patan(struct f80 y, struct f80 x, struct fp_env *env)
{
	struct fp_num ny = f80_unpack(y, env), nx = f80_unpack(x, env), r, pi = half_pi;
	bool sign = ny.sign, left = nx.sign;

	if (ny.cls > FP_INF || nx.cls > FP_INF)
		return f80_pack(fp_nan2(nx, ny, env), env);
	fp_note_denormal(ny.denormal | nx.denormal, env);
	ny.sign = false;
	if (nx.cls == FP_NORMAL && ny.cls == FP_NORMAL) {
		bool steep = ny.exp > nx.exp || (ny.exp == nx.exp && ny.frac > nx.frac);

		nx.sign = false;
		r = steep ? wide_sub(half_pi, wide_atan(nx, ny)) : wide_atan(ny, nx);
		pi.exp++;
		if (left)
			r = wide_sub(pi, r);
	} else {
		r = angle_special(&nx, &ny);
	}
	r.sign = sign;
	return f80_pack(r, env);
}

/* An angle as a multiple of pi / 2 and a rest in [-pi / 4, pi / 4]. */
struct angle {
	struct fp_num rest;
	unsigned quadrant;
};

/*
 * Reduces |n| < 2^63, exactly, by the processor's pi: 66 significant bits (SDM vol. 1 §8.3.8).
 * The angle is an integer in units of 2^-65, shifted in bit by bit.
 */
static struct angle angle_reduce(struct fp_num n)
{
	const u128 half_pi_66 = U128(3, 0x243f6a8885a308d3);
	struct angle a = { .rest = n };
	u128 rest = n.frac >> 64;

	a.rest.sign = false;
	if (n.exp < -1)
		return a;
	for (int i = -2; i < n.exp; i++) {
		rest <<= 1;
		a.quadrant <<= 1;
		if (rest >= half_pi_66) {
			rest -= half_pi_66;
			a.quadrant |= 1;
		}
	}
	if (2 * rest > half_pi_66) {
		rest = half_pi_66 - rest;
		a.rest.sign = true;
		a.quadrant++;
	}
	a.rest.frac = rest;
	a.rest.exp = 127 - 65;
	fp_normalize(&a.rest);
	return a;
}

static struct fp_num sin_rest(struct fp_num r)
{
	u128 square = wide_to_q128(wide_mul(r, r));

	return wide_mul(r, series(inv_factorial + 1, 2, 28, square, true));
}

static struct fp_num cos_rest(struct fp_num r)
{
	u128 square = wide_to_q128(wide_mul(r, r));

	return series(inv_factorial, 2, 28, square, true);
}

static struct fp_num angle_sin(const struct angle *a, bool sign)
{
	struct fp_num r = a->quadrant & 1 ? cos_rest(a->rest) : sin_rest(a->rest);

	r.sign ^= sign ^ (a->quadrant >> 1 & 1);
	return r;
}

static struct fp_num angle_cos(const struct angle *a)
{
	struct angle turned = { a->rest, a->quadrant + 1 };

	return angle_sin(&turned, false);
}

static struct fp_num angle_tan(const struct angle *a, bool sign)
{
	struct fp_num r = a->rest;

	/* Where x^5 no longer counts: x (1 + x^2/3), which keeps the sticky bit on its side. */
	if (r.exp < -40 && !(a->quadrant & 1))
		r = wide_mul(r, series(inv_odd, 1, 1, wide_to_q128(wide_mul(r, r)), false));
	else if (a->quadrant & 1)
		r = wide_div(cos_rest(r), sin_rest(r));
	else
		r = wide_div(sin_rest(r), cos_rest(r));
	r.sign ^= sign ^ (a->quadrant & 1);
	return r;
}

enum angle_fate {
	ANGLE_COMPUTE,
	ANGLE_ZERO,
	ANGLE_UNTOUCHED, /* C2 */
	ANGLE_NAN,       /* *n is the result */
};

static enum angle_fate angle_check(struct fp_num *n, bool *in_range, struct fp_env *env)
{
	*in_range = true;
	if (n->cls >= FP_INF) {
		*n = n->cls == FP_INF ? fp_invalid(env) : fp_nan1(*n, env);
		return ANGLE_NAN;
	}
	if (n->cls == FP_ZERO)
		return ANGLE_ZERO;
	if (n->exp >= 63) {
		*in_range = false;
		return ANGLE_UNTOUCHED;
	}
	fp_note_denormal(n->denormal, env);
	return ANGLE_COMPUTE;
}

struct f80 f80_sincos(struct f80 x, struct f80 *cosine, bool *in_range, struct fp_env *env)
{
	struct fp_num n = f80_unpack(x, env);
	struct angle a;
	struct f80 sine = x;

	*cosine = x;
	switch (angle_check(&n, in_range, env)) {
	case ANGLE_UNTOUCHED: break;
	case ANGLE_NAN: sine = *cosine = f80_pack(n, env); break;
	case ANGLE_ZERO: *cosine = (struct f80){ BIT(63), F80_BIAS }; break;
	case ANGLE_COMPUTE:
		a = angle_reduce(n);
		sine = f80_pack(angle_sin(&a, n.sign), env);
		*cosine = f80_pack(angle_cos(&a), env);
		break;
	}
	return sine;
}

struct f80 f80_sin(struct f80 x, bool *in_range, struct fp_env *env)
{
	struct fp_num n = f80_unpack(x, env);
	enum angle_fate fate = angle_check(&n, in_range, env);
	struct angle a;

	if (fate == ANGLE_UNTOUCHED || fate == ANGLE_ZERO)
		return x;
	if (fate == ANGLE_COMPUTE) {
		a = angle_reduce(n);
		n = angle_sin(&a, n.sign);
	}
	return f80_pack(n, env);
}

struct f80 f80_cos(struct f80 x, bool *in_range, struct fp_env *env)
{
	struct fp_num n = f80_unpack(x, env);
	enum angle_fate fate = angle_check(&n, in_range, env);
	struct angle a;

	if (fate == ANGLE_UNTOUCHED)
		return x;
	if (fate == ANGLE_ZERO)
		n = one;
	if (fate == ANGLE_COMPUTE) {
		a = angle_reduce(n);
		n = angle_cos(&a);
	}
	return f80_pack(n, env);
}

struct f80 f80_tan(struct f80 x, bool *in_range, struct fp_env *env)
{
	struct fp_num n = f80_unpack(x, env);
	enum angle_fate fate = angle_check(&n, in_range, env);
	struct angle a;

	if (fate == ANGLE_UNTOUCHED || fate == ANGLE_ZERO)
		return x;
	if (fate == ANGLE_COMPUTE) {
		a = angle_reduce(n);
		n = angle_tan(&a, n.sign);
	}
	return f80_pack(n, env);
}
