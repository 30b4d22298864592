/* arch/x86/vecfp_convert.c - conversions between floating point formats and integers; F16C.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"

#include "arch/x86/vecfp.h"

/* r.t[i] = expr for i below count; the rest of the register becomes zero. */
#define CONVERT(name, t, count, expr)                                      \
	void name(void *env, const struct ir_native *n, uint64_t value)    \
	{                                                                  \
		struct x86_cpu *cpu = env;                                 \
		struct fp_env fp = fp_env_sse(cpu->mxcsr), *const e = &fp; \
		const union vec b = vec_get(env, n->src2);                 \
		union vec r = { .u64 = { 0 } };                            \
                                                                           \
		(void)value;                                               \
		for (unsigned i = 0; i < (count); i++)                     \
			r.t[i] = (expr);                                   \
		if (vecfp_commit(cpu, e))                                  \
			vec_put(env, n, &r);                               \
	}

#define RC ((enum fp_rounding)e->rounding)

/* clang-format off */
CONVERT(v_cvtdq2ps, u32, n->vlen / 4u, f32_from_i64(b.s32[i], e))
CONVERT(v_cvtps2dq, s32, n->vlen / 4u, f32_to_i32(b.u32[i], RC, e))
CONVERT(v_cvttps2dq, s32, n->vlen / 4u, f32_to_i32(b.u32[i], FP_TO_ZERO, e))
CONVERT(v_cvtdq2pd, u64, n->vlen / 8u, f64_from_i64(b.s32[i], e))
CONVERT(v_cvtpd2dq, s32, n->vlen / 8u, f64_to_i32(b.u64[i], RC, e))
CONVERT(v_cvttpd2dq, s32, n->vlen / 8u, f64_to_i32(b.u64[i], FP_TO_ZERO, e))
CONVERT(v_cvtps2pd, u64, n->vlen / 8u, f32_to_f64(b.u32[i], e))
CONVERT(v_cvtpd2ps, u32, n->vlen / 8u, f64_to_f32(b.u64[i], e))

/* To and from MMX registers: two elements. */
CONVERT(v_cvtps2pi, s32, 2, f32_to_i32(b.u32[i], RC, e))
CONVERT(v_cvttps2pi, s32, 2, f32_to_i32(b.u32[i], FP_TO_ZERO, e))
CONVERT(v_cvtpd2pi, s32, 2, f64_to_i32(b.u64[i], RC, e))
CONVERT(v_cvttpd2pi, s32, 2, f64_to_i32(b.u64[i], FP_TO_ZERO, e))
CONVERT(v_cvtpi2pd, u64, 2, f64_from_i64(b.s32[i], e))
VECFP(v_cvtpi2ps, u32, 2, vec_put_xmm, f32_from_i64(b.s32[i], e))

VECFP_SCALAR(v_cvtss2sd, u64, f32_to_f64(b.u32[0], e))
VECFP_SCALAR(v_cvtsd2ss, u32, f64_to_f32(b.u64[0], e))

/* VCVTPS2PH: imm8[1:0] is the mode unless imm8[2] takes MXCSR's. */
CONVERT(v_vcvtph2ps, u32, n->vlen / 4u, f16_to_f32(b.u16[i], e))
CONVERT(v_vcvtps2ph, u16, n->vlen / 4u,
	(e->rounding = n->imm & 4 ? e->rounding : n->imm & 3, f32_to_f16(b.u32[i], e)))
/* clang-format on */

/* ---- general registers ---- */
#define FROM_GENERAL(name, t, expr)                                        \
	void name(void *env, const struct ir_native *n, uint64_t value)    \
	{                                                                  \
		struct x86_cpu *cpu = env;                                 \
		struct fp_env fp = fp_env_sse(cpu->mxcsr), *const e = &fp; \
		const uint64_t g = vec_general(env, n, value);             \
		union vec r = vec_get(env, n->src1);                       \
                                                                           \
		r.t[0] = (expr);                                           \
		if (vecfp_commit(cpu, e))                                  \
			vec_put_xmm(env, n, &r);                           \
	}

FROM_GENERAL(v_cvtsi2ss32, u32, f32_from_i64((int32_t)g, e))
FROM_GENERAL(v_cvtsi2ss64, u32, f32_from_i64((int64_t)g, e))
FROM_GENERAL(v_cvtsi2sd32, u64, f64_from_i64((int32_t)g, e))
FROM_GENERAL(v_cvtsi2sd64, u64, f64_from_i64((int64_t)g, e))

#define TO_GENERAL(name, expr)                                             \
	void name(void *env, const struct ir_native *n, uint64_t value)    \
	{                                                                  \
		struct x86_cpu *cpu = env;                                 \
		struct fp_env fp = fp_env_sse(cpu->mxcsr), *const e = &fp; \
		const union vec b = vec_get(env, n->src2);                 \
		uint64_t r = (expr);                                       \
                                                                           \
		(void)value;                                               \
		if (vecfp_commit(cpu, e))                                  \
			vec_put_general(env, n, r);                        \
	}

TO_GENERAL(v_cvtss2si32, (uint32_t)f32_to_i32(b.u32[0], RC, e))
TO_GENERAL(v_cvtss2si64, (uint64_t)f32_to_i64(b.u32[0], RC, e))
TO_GENERAL(v_cvttss2si32, (uint32_t)f32_to_i32(b.u32[0], FP_TO_ZERO, e))
TO_GENERAL(v_cvttss2si64, (uint64_t)f32_to_i64(b.u32[0], FP_TO_ZERO, e))
TO_GENERAL(v_cvtsd2si32, (uint32_t)f64_to_i32(b.u64[0], RC, e))
TO_GENERAL(v_cvtsd2si64, (uint64_t)f64_to_i64(b.u64[0], RC, e))
TO_GENERAL(v_cvttsd2si32, (uint32_t)f64_to_i32(b.u64[0], FP_TO_ZERO, e))
TO_GENERAL(v_cvttsd2si64, (uint64_t)f64_to_i64(b.u64[0], FP_TO_ZERO, e))
