/* base/softfloat/softfloat.c - operations on f16, f32 and f64.
 * SPDX-License-Identifier: MIT */
#include "base/softfloat/softfloat.h"
#include "base/softfloat/fp_num.h"

/* Bit patterns in, bit patterns out: unpack, operate, round. */

FP_INLINE uint64_t op_add(uint64_t a, uint64_t b, bool subtract, const struct fp_format *f,
			  struct fp_env *env)
{
	struct fp_num r = fp_add(fp_unpack(a, f, env), fp_unpack(b, f, env), subtract, env);

	return fp_pack(&r, f, env);
}

FP_INLINE uint64_t op_mul(uint64_t a, uint64_t b, const struct fp_format *f, struct fp_env *env)
{
	struct fp_num r = fp_mul(fp_unpack(a, f, env), fp_unpack(b, f, env), env);

	return fp_pack(&r, f, env);
}

FP_INLINE uint64_t op_div(uint64_t a, uint64_t b, const struct fp_format *f, struct fp_env *env)
{
	struct fp_num r = fp_div(fp_unpack(a, f, env), fp_unpack(b, f, env), env);

	return fp_pack(&r, f, env);
}

FP_INLINE uint64_t op_sqrt(uint64_t a, const struct fp_format *f, struct fp_env *env)
{
	struct fp_num r = fp_sqrt(fp_unpack(a, f, env), env);

	return fp_pack(&r, f, env);
}

FP_INLINE struct fp_num fp_fma(struct fp_num a, struct fp_num b, struct fp_num c, unsigned ops,
			       struct fp_env *env)
{
	bool product_invalid = (a.cls == FP_INF && b.cls == FP_ZERO) ||
			       (a.cls == FP_ZERO && b.cls == FP_INF);
	struct fp_num product;

	if (a.cls > FP_INF || b.cls > FP_INF || c.cls > FP_INF)
		return fp_nan3(a, b, c, product_invalid, env);
	if (product_invalid)
		return fp_invalid(env);
	c.sign ^= (ops & FP_FMA_NEG_ADDEND) != 0;
	if (a.cls == FP_NORMAL && b.cls == FP_NORMAL)
		product = fp_mul_normal(&a, &b);
	else
		product = a.cls == FP_INF || b.cls == FP_INF ? fp_inf(false) : fp_zero(false);
	product.sign = a.sign ^ b.sign ^ ((ops & FP_FMA_NEG_PRODUCT) != 0);
	product.denormal = a.denormal | b.denormal;
	return fp_add(product, c, false, env);
}

FP_INLINE uint64_t op_fma(uint64_t a, uint64_t b, uint64_t c, unsigned ops,
			  const struct fp_format *f, struct fp_env *env)
{
	struct fp_num r = fp_fma(fp_unpack(a, f, env), fp_unpack(b, f, env), fp_unpack(c, f, env),
				 ops, env);

	return fp_pack(&r, f, env);
}

FP_INLINE enum fp_order op_compare(uint64_t a, uint64_t b, bool quiet, const struct fp_format *f,
				   struct fp_env *env)
{
	return fp_compare(fp_unpack(a, f, env), fp_unpack(b, f, env), quiet, env);
}

FP_INLINE uint64_t op_round_to_int(uint64_t a, enum fp_rounding mode, bool exact,
				   const struct fp_format *f, struct fp_env *env)
{
	struct fp_num n = fp_unpack(a, f, env);
	bool inexact;

	if (n.cls > FP_INF) {
		n = fp_nan1(n, env);
	} else {
		n = fp_integral(n, mode, &inexact, env);
		if (inexact && exact)
			env->flags |= FP_INEXACT;
	}
	return fp_pack(&n, f, env);
}

/* One copy per format serves all widths. */
static uint64_t f32_to_int(uint32_t a, enum fp_rounding mode, unsigned bits, bool is_signed,
			   struct fp_env *env)
{
	return fp_to_int(fp_unpack(a, FP_F32, env), mode, bits, is_signed, env);
}

static uint64_t f64_to_int(uint64_t a, enum fp_rounding mode, unsigned bits, bool is_signed,
			   struct fp_env *env)
{
	return fp_to_int(fp_unpack(a, FP_F64, env), mode, bits, is_signed, env);
}

FP_INLINE uint64_t op_convert(uint64_t a, const struct fp_format *from, const struct fp_format *to,
			      struct fp_env *env)
{
	struct fp_num r = fp_convert(fp_unpack(a, from, env), env);

	return fp_pack(&r, to, env);
}

/* f16 operands do not raise FP_DENORMAL. */
FP_INLINE uint64_t op_widen_f16(uint16_t a, const struct fp_format *to, struct fp_env *env)
{
	struct fp_num r = fp_unpack(a, FP_F16, env);

	r.denormal = false;
	r = fp_convert(r, env);
	return fp_pack(&r, to, env);
}

uint32_t f32_add(uint32_t a, uint32_t b, struct fp_env *env)
{
	return (uint32_t)op_add(a, b, false, FP_F32, env);
}

uint32_t f32_sub(uint32_t a, uint32_t b, struct fp_env *env)
{
	return (uint32_t)op_add(a, b, true, FP_F32, env);
}

uint32_t f32_mul(uint32_t a, uint32_t b, struct fp_env *env)
{
	return (uint32_t)op_mul(a, b, FP_F32, env);
}

uint32_t f32_div(uint32_t a, uint32_t b, struct fp_env *env)
{
	return (uint32_t)op_div(a, b, FP_F32, env);
}

uint32_t f32_sqrt(uint32_t a, struct fp_env *env) { return (uint32_t)op_sqrt(a, FP_F32, env); }

uint64_t f64_add(uint64_t a, uint64_t b, struct fp_env *env)
{
	return op_add(a, b, false, FP_F64, env);
}

uint64_t f64_sub(uint64_t a, uint64_t b, struct fp_env *env)
{
	return op_add(a, b, true, FP_F64, env);
}

uint64_t f64_mul(uint64_t a, uint64_t b, struct fp_env *env) { return op_mul(a, b, FP_F64, env); }

uint64_t f64_div(uint64_t a, uint64_t b, struct fp_env *env) { return op_div(a, b, FP_F64, env); }

uint64_t f64_sqrt(uint64_t a, struct fp_env *env) { return op_sqrt(a, FP_F64, env); }

uint32_t f32_fma(uint32_t a, uint32_t b, uint32_t c, unsigned ops, struct fp_env *env)
{
	return (uint32_t)op_fma(a, b, c, ops, FP_F32, env);
}

uint64_t f64_fma(uint64_t a, uint64_t b, uint64_t c, unsigned ops, struct fp_env *env)
{
	return op_fma(a, b, c, ops, FP_F64, env);
}

enum fp_order f32_compare(uint32_t a, uint32_t b, bool quiet, struct fp_env *env)
{
	return op_compare(a, b, quiet, FP_F32, env);
}

enum fp_order f64_compare(uint64_t a, uint64_t b, bool quiet, struct fp_env *env)
{
	return op_compare(a, b, quiet, FP_F64, env);
}

/* SDM vol. 2, MINSS: with daz a denormal operand counts, and is returned, as a zero. */
static uint64_t flushed(uint64_t a, const struct fp_format *f, const struct fp_env *env)
{
	struct fp_num n = fp_unpack(a, f, env);

	return n.cls == FP_ZERO ? a & BIT(f->sig_bits + f->exp_bits - 1) : a;
}

uint32_t f32_min_x86(uint32_t a, uint32_t b, struct fp_env *env)
{
	bool first = f32_compare(a, b, false, env) == FP_LESS;

	return (uint32_t)flushed(first ? a : b, FP_F32, env);
}

uint32_t f32_max_x86(uint32_t a, uint32_t b, struct fp_env *env)
{
	bool first = f32_compare(a, b, false, env) == FP_GREATER;

	return (uint32_t)flushed(first ? a : b, FP_F32, env);
}

uint64_t f64_min_x86(uint64_t a, uint64_t b, struct fp_env *env)
{
	bool first = f64_compare(a, b, false, env) == FP_LESS;

	return flushed(first ? a : b, FP_F64, env);
}

uint64_t f64_max_x86(uint64_t a, uint64_t b, struct fp_env *env)
{
	bool first = f64_compare(a, b, false, env) == FP_GREATER;

	return flushed(first ? a : b, FP_F64, env);
}

uint32_t f32_round_to_int(uint32_t a, enum fp_rounding mode, bool exact, struct fp_env *env)
{
	return (uint32_t)op_round_to_int(a, mode, exact, FP_F32, env);
}

uint64_t f64_round_to_int(uint64_t a, enum fp_rounding mode, bool exact, struct fp_env *env)
{
	return op_round_to_int(a, mode, exact, FP_F64, env);
}

int32_t f32_to_i32(uint32_t a, enum fp_rounding mode, struct fp_env *env)
{
	return (int32_t)f32_to_int(a, mode, 32, true, env);
}

int64_t f32_to_i64(uint32_t a, enum fp_rounding mode, struct fp_env *env)
{
	return (int64_t)f32_to_int(a, mode, 64, true, env);
}

uint32_t f32_to_u32(uint32_t a, enum fp_rounding mode, struct fp_env *env)
{
	return (uint32_t)f32_to_int(a, mode, 32, false, env);
}

uint64_t f32_to_u64(uint32_t a, enum fp_rounding mode, struct fp_env *env)
{
	return f32_to_int(a, mode, 64, false, env);
}

int32_t f64_to_i32(uint64_t a, enum fp_rounding mode, struct fp_env *env)
{
	return (int32_t)f64_to_int(a, mode, 32, true, env);
}

int64_t f64_to_i64(uint64_t a, enum fp_rounding mode, struct fp_env *env)
{
	return (int64_t)f64_to_int(a, mode, 64, true, env);
}

uint32_t f64_to_u32(uint64_t a, enum fp_rounding mode, struct fp_env *env)
{
	return (uint32_t)f64_to_int(a, mode, 32, false, env);
}

uint64_t f64_to_u64(uint64_t a, enum fp_rounding mode, struct fp_env *env)
{
	return f64_to_int(a, mode, 64, false, env);
}

uint32_t f32_from_i64(int64_t v, struct fp_env *env)
{
	struct fp_num n = fp_from_i64(v);

	return (uint32_t)fp_pack(&n, FP_F32, env);
}

uint32_t f32_from_u64(uint64_t v, struct fp_env *env)
{
	struct fp_num n = fp_from_u64(v, false);

	return (uint32_t)fp_pack(&n, FP_F32, env);
}

uint64_t f64_from_i64(int64_t v, struct fp_env *env)
{
	struct fp_num n = fp_from_i64(v);

	return fp_pack(&n, FP_F64, env);
}

uint64_t f64_from_u64(uint64_t v, struct fp_env *env)
{
	struct fp_num n = fp_from_u64(v, false);

	return fp_pack(&n, FP_F64, env);
}

uint64_t f32_to_f64(uint32_t a, struct fp_env *env) { return op_convert(a, FP_F32, FP_F64, env); }

uint32_t f64_to_f32(uint64_t a, struct fp_env *env)
{
	return (uint32_t)op_convert(a, FP_F64, FP_F32, env);
}

uint32_t f16_to_f32(uint16_t a, struct fp_env *env)
{
	return (uint32_t)op_widen_f16(a, FP_F32, env);
}

uint16_t f32_to_f16(uint32_t a, struct fp_env *env)
{
	return (uint16_t)op_convert(a, FP_F32, FP_F16, env);
}

uint64_t f16_to_f64(uint16_t a, struct fp_env *env) { return op_widen_f16(a, FP_F64, env); }

uint16_t f64_to_f16(uint64_t a, struct fp_env *env)
{
	return (uint16_t)op_convert(a, FP_F64, FP_F16, env);
}

/* Both approximations see denormals as zeros, keep NaNs quiet and give 15 correct bits. */
#define F32_SIGN    0x80000000u
#define F32_INF     0x7f800000u
#define F32_QUIET   0x00400000u
#define F32_DEFAULT 0xffc00000u
#define F32_FRAC(a) ((a)&0x007fffffu)
#define F32_EXP(a)  ((int)((a) >> 23 & 0xff))
#define F32_BIAS    127

uint32_t f32_rcp_approx(uint32_t a)
{
	uint32_t sign = a & F32_SIGN;
	uint32_t q;
	int biased;

	if (F32_EXP(a) == 0xff)
		return F32_FRAC(a) ? a | F32_QUIET : sign;
	if (F32_EXP(a) == 0)
		return sign | F32_INF;
	/* 1 / (m / 2^23) in (1/2, 1], as q / 2^16. */
	q = (uint32_t)(BIT(39) / (F32_FRAC(a) | 0x00800000));
	biased = 2 * F32_BIAS - F32_EXP(a);
	if (q == BIT(16))
		q >>= 1;
	else
		biased--;
	if (biased <= 0)
		return sign;
	return sign | (uint32_t)biased << 23 | F32_FRAC(q << 8);
}

uint32_t f32_rsqrt_approx(uint32_t a)
{
	uint32_t sign = a & F32_SIGN;
	struct fp_env env = { .masks = FP_ALL_FLAGS, .rounding = FP_TO_ZERO };
	struct fp_num one = fp_from_u64(1, false), root;

	if (F32_EXP(a) == 0xff && F32_FRAC(a))
		return a | F32_QUIET;
	if (F32_EXP(a) == 0)
		return sign | F32_INF;
	if (sign)
		return F32_DEFAULT;
	if (F32_EXP(a) == 0xff)
		return 0;
	root = fp_sqrt(fp_unpack(a, FP_F32, &env), &env);
	root.frac = root.frac >> 104 << 104;
	one = fp_div_normal(&one, &root);
	return (uint32_t)fp_pack(&one, FP_F32, &env) & ~0xffu;
}
