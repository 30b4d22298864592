/* base/softfloat/f80.c - arithmetic on the 80-bit format.
 * SPDX-License-Identifier: MIT */
#include "base/softfloat/f80.h"
#include "base/softfloat/f80_num.h"

enum f80_class f80_classify(struct f80 a)
{
	struct fp_env scratch = { 0 };
	struct fp_num n = f80_unpack(a, &scratch);

	switch ((enum fp_class)n.cls) {
	case FP_ZERO: return F80_ZERO;
	case FP_NORMAL: return n.denormal ? F80_DENORMAL : F80_NORMAL;
	case FP_INF: return F80_INF;
	case FP_QNAN:
	case FP_SNAN: return F80_NAN;
	case FP_UNSUPPORTED: break;
	}
	return F80_UNSUPPORTED;
}

/* The significand width of precision control, SDM vol. 1 §8.1.5.2. */
static unsigned f80_keep(const struct fp_env *env)
{
	switch ((enum fp_precision)env->precision) {
	case FP_PRECISION_24: return 24;
	case FP_PRECISION_53: return 53;
	case FP_PRECISION_64: break;
	}
	return 64;
}

/* Precision control applies to computed results, not to a NaN that is passed through. */
static struct f80 f80_pack_pc(struct fp_num n, struct fp_env *env)
{
	return f80_pack_to(n, f80_keep(env), env);
}

struct f80 f80_add(struct f80 a, struct f80 b, struct fp_env *env)
{
	return f80_pack_pc(fp_add(f80_unpack(a, env), f80_unpack(b, env), false, env), env);
}

struct f80 f80_sub(struct f80 a, struct f80 b, struct fp_env *env)
{
	return f80_pack_pc(fp_add(f80_unpack(a, env), f80_unpack(b, env), true, env), env);
}

struct f80 f80_mul(struct f80 a, struct f80 b, struct fp_env *env)
{
	return f80_pack_pc(fp_mul(f80_unpack(a, env), f80_unpack(b, env), env), env);
}

struct f80 f80_div(struct f80 a, struct f80 b, struct fp_env *env)
{
	return f80_pack_pc(fp_div(f80_unpack(a, env), f80_unpack(b, env), env), env);
}

struct f80 f80_sqrt(struct f80 a, struct fp_env *env)
{
	return f80_pack_pc(fp_sqrt(f80_unpack(a, env), env), env);
}

enum fp_order f80_compare(struct f80 a, struct f80 b, bool quiet, struct fp_env *env)
{
	return fp_compare(f80_unpack(a, env), f80_unpack(b, env), quiet, env);
}

struct f80 f80_round_to_int(struct f80 a, struct fp_env *env)
{
	struct fp_num n = f80_unpack(a, env);
	bool inexact, up;
	struct f80 r;

	if (n.cls > FP_INF)
		return f80_pack(fp_nan1(n, env), env);
	fp_note_denormal(n.denormal, env);
	n = fp_integral(n, env->rounding, &inexact, env);
	if (inexact)
		env->flags |= FP_INEXACT;
	up = env->rounded_up;
	r = f80_pack(n, env);
	env->rounded_up = up;
	return r;
}

/*
 * Finite a and b, b not zero. The exponents are `distance` apart; a distance of 64 or more is
 * reduced by 32 to 63 (SDM vol. 2, FPREM), as real processors do it: to the next multiple of 32,
 * less 32.
 */
static struct f80_rem rem_normal(struct fp_num a, struct fp_num b, bool to_nearest,
				 struct fp_env *env)
{
	uint64_t den = (uint64_t)(b.frac >> 64), quotient = 0;
	int32_t distance = a.exp - b.exp;
	bool partial = distance >= 64;
	int32_t step = partial ? 32 + distance % 32 : distance;
	u128 rem = a.frac >> 64, num;

	if (distance < -1 || (distance < 0 && !to_nearest))
		return (struct f80_rem){ f80_pack(a, env), 0, false };
	if (distance == -1) {
		/* In units of half a bit of b: 0 < |a / b| < 1. */
		if (rem > den) {
			quotient = 1;
			rem = 2 * (u128)den - rem;
			a.sign = !a.sign;
		}
	} else {
		num = rem << step;
		quotient = (uint64_t)(num / den);
		rem = (uint64_t)num - quotient * den;
		if (to_nearest && !partial &&
		    (2 * rem > den || (2 * rem == den && (quotient & 1)))) {
			quotient++;
			rem = den - rem;
			a.sign = !a.sign;
		}
	}
	/* rem * 2^(a.exp - step - 63), and frac is read as frac / 2^127. */
	if (rem) {
		a.frac = rem;
		a.exp = a.exp - (distance == -1 ? 0 : step) + 64;
		fp_normalize(&a);
	} else {
		a = fp_zero(a.sign);
	}
	return (struct f80_rem){ f80_pack(a, env), partial ? 0 : quotient & 7, partial };
}

static struct f80_rem f80_remainder(struct f80 a, struct f80 b, bool to_nearest, struct fp_env *env)
{
	struct fp_num na = f80_unpack(a, env), nb = f80_unpack(b, env);

	if (na.cls > FP_INF || nb.cls > FP_INF)
		return (struct f80_rem){ .value = f80_pack(fp_nan2(na, nb, env), env) };
	if (na.cls == FP_INF || nb.cls == FP_ZERO)
		return (struct f80_rem){ .value = f80_pack(fp_invalid(env), env) };
	fp_note_denormal(na.denormal | nb.denormal, env);
	if (na.cls == FP_ZERO || nb.cls == FP_INF)
		return (struct f80_rem){ .value = f80_pack(na, env) };
	return rem_normal(na, nb, to_nearest, env);
}

struct f80_rem f80_prem(struct f80 a, struct f80 b, struct fp_env *env)
{
	return f80_remainder(a, b, false, env);
}

struct f80_rem f80_prem1(struct f80 a, struct f80 b, struct fp_env *env)
{
	return f80_remainder(a, b, true, env);
}

/* SDM vol. 2, FSCALE, table 3-29. */
struct f80 f80_scale(struct f80 a, struct f80 b, struct fp_env *env)
{
	const int32_t huge = 0x10000; /* beyond what the widest result exponent can take */
	struct fp_num na = f80_unpack(a, env), nb = f80_unpack(b, env);
	int32_t by;

	if (na.cls > FP_INF || nb.cls > FP_INF)
		return f80_pack(fp_nan2(na, nb, env), env);
	if (nb.cls == FP_INF && na.cls == (nb.sign ? FP_INF : FP_ZERO))
		return f80_pack(fp_invalid(env), env);
	fp_note_denormal(na.denormal | nb.denormal, env);
	if (nb.cls == FP_INF)
		return f80_pack(nb.sign ? fp_zero(na.sign) : fp_inf(na.sign), env);
	if (na.cls == FP_NORMAL && nb.cls == FP_NORMAL && nb.exp >= 0) {
		by = nb.exp > 15 ? huge : (int32_t)(nb.frac >> (127 - nb.exp));
		na.exp += nb.sign ? -by : by;
	}
	return f80_pack(na, env);
}

struct f80 f80_extract(struct f80 a, struct f80 *exponent, struct fp_env *env)
{
	struct fp_num n = f80_unpack(a, env), e;

	if (n.cls > FP_INF) {
		n = fp_nan1(n, env);
		e = n;
	} else if (n.cls == FP_ZERO) {
		env->flags |= FP_DIVZERO;
		e = fp_inf(true);
	} else if (n.cls == FP_INF) {
		e = fp_inf(false);
	} else {
		fp_note_denormal(n.denormal, env);
		e = fp_from_i64(n.exp);
		n.exp = 0;
	}
	*exponent = f80_pack(e, env);
	return f80_pack(n, env);
}

struct f80 f80_from_f32(uint32_t a, struct fp_env *env)
{
	return f80_pack(fp_convert(fp_unpack(a, FP_F32, env), env), env);
}

struct f80 f80_from_f64(uint64_t a, struct fp_env *env)
{
	return f80_pack(fp_convert(fp_unpack(a, FP_F64, env), env), env);
}

/*
 * A store does not raise FP_DENORMAL for its operand, and an unmasked overflow or underflow stops
 * it before it could be inexact (SDM vol. 2, FST; vol. 1 §8.5.4-8.5.6).
 */
static uint64_t f80_store(struct f80 a, const struct fp_format *f, struct fp_env *env)
{
	struct fp_num n = f80_unpack(a, env);
	uint8_t flags = env->flags;
	uint64_t r;

	env->flags = 0;
	if (n.cls > FP_INF)
		n = fp_nan1(n, env);
	r = fp_pack(&n, f, env);
	if (env->flags & ~env->masks & (FP_OVERFLOW | FP_UNDERFLOW)) {
		env->flags &= (uint8_t)~FP_INEXACT;
		env->rounded_up = false;
	}
	env->flags |= flags;
	return r;
}

uint32_t f80_to_f32(struct f80 a, struct fp_env *env)
{
	return (uint32_t)f80_store(a, FP_F32, env);
}

uint64_t f80_to_f64(struct f80 a, struct fp_env *env) { return f80_store(a, FP_F64, env); }

struct f80 f80_from_i64(int64_t v)
{
	struct fp_env scratch = { 0 };

	return f80_pack(fp_from_i64(v), &scratch);
}

static uint64_t f80_to_int(struct f80 a, enum fp_rounding mode, unsigned bits, struct fp_env *env)
{
	return fp_to_int(f80_unpack(a, env), mode, bits, true, env);
}

int16_t f80_to_i16(struct f80 a, enum fp_rounding mode, struct fp_env *env)
{
	return (int16_t)f80_to_int(a, mode, 16, env);
}

int32_t f80_to_i32(struct f80 a, enum fp_rounding mode, struct fp_env *env)
{
	return (int32_t)f80_to_int(a, mode, 32, env);
}

int64_t f80_to_i64(struct f80 a, enum fp_rounding mode, struct fp_env *env)
{
	return (int64_t)f80_to_int(a, mode, 64, env);
}

struct f80 f80_from_bcd(const uint8_t bcd[10])
{
	struct fp_env scratch = { 0 };
	uint64_t v = 0;

	/* Nibbles above 9 are undefined in the manual; they count as what they are. */
	for (int i = 8; i >= 0; i--)
		v = v * 100 + (bcd[i] >> 4) * 10u + (bcd[i] & 15);
	return f80_pack(fp_from_u64(v, bcd[9] >> 7), &scratch);
}

void f80_to_bcd(struct f80 a, uint8_t bcd[10], struct fp_env *env)
{
	const uint64_t limit = UINT64_C(1000000000000000000);
	struct fp_num n = f80_unpack(a, env);
	bool inexact = false;
	uint64_t v = 0;

	if (n.cls <= FP_NORMAL)
		n = fp_integral(n, env->rounding, &inexact, env);
	if (n.cls == FP_NORMAL)
		v = n.exp < 64 ? (uint64_t)(n.frac >> (127 - n.exp)) : limit;
	if (n.cls >= FP_INF || v >= limit) {
		/* Packed BCD integer indefinite, SDM vol. 1 table 4-4. */
		static const uint8_t indefinite[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff };

		env->flags |= FP_INVALID;
		env->rounded_up = false;
		memcpy(bcd, indefinite, sizeof(indefinite));
		return;
	}
	if (inexact)
		env->flags |= FP_INEXACT;
	for (int i = 0; i < 9; i++, v /= 100)
		bcd[i] = (uint8_t)(v / 10 % 10 << 4 | v % 10);
	bcd[9] = (uint8_t)(n.sign << 7);
}

struct f80 f80_constant(enum f80_constant which, const struct fp_env *env)
{
	static const struct fp_num values[] = {
		[F80_ONE] = { .cls = FP_NORMAL, .exp = 0, .frac = FP_TOP },
		[F80_LOG2_10] = { .cls = FP_NORMAL,
				  .exp = 1,
				  .frac = U128(0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4c) },
		[F80_LOG2_E] = { .cls = FP_NORMAL,
				 .exp = 0,
				 .frac = U128(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88) },
		[F80_PI] = { .cls = FP_NORMAL,
			     .exp = 1,
			     .frac = U128(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1) },
		[F80_LOG10_2] = { .cls = FP_NORMAL,
				  .exp = -2,
				  .frac = U128(0x9a209a84fbcff798, 0x8f8959ac0b7c9178) },
		[F80_LN_2] = { .cls = FP_NORMAL,
			       .exp = -1,
			       .frac = U128(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af) },
		[F80_PLUS_ZERO] = { .cls = FP_ZERO },
	};
	struct fp_env scratch = *env;

	return f80_pack(values[which], &scratch);
}
