/* arch/x86/vec_logic.c - packed logic, comparison, shifts and blends; PTEST, VTESTPS, MOVMSK.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/vec_ops.h"

#include "arch/x86/vec.h"

#define A(t)             a.t[i]
#define B(t)             b.t[i]

/* clang-format off */
VEC_EACH(v_pand, u64, A(u64) & B(u64))
VEC_EACH(v_pandn, u64, ~A(u64) & B(u64))
VEC_EACH(v_por, u64, A(u64) | B(u64))
VEC_EACH(v_pxor, u64, A(u64) ^ B(u64))

VEC_EACH(v_pcmpeqb, u8, -(A(u8) == B(u8)))
VEC_EACH(v_pcmpeqw, u16, -(A(u16) == B(u16)))
VEC_EACH(v_pcmpeqd, u32, -(uint32_t)(A(u32) == B(u32)))
VEC_EACH(v_pcmpeqq, u64, -(uint64_t)(A(u64) == B(u64)))
VEC_EACH(v_pcmpgtb, u8, -(A(s8) > B(s8)))
VEC_EACH(v_pcmpgtw, u16, -(A(s16) > B(s16)))
VEC_EACH(v_pcmpgtd, u32, -(uint32_t)(A(s32) > B(s32)))
VEC_EACH(v_pcmpgtq, u64, -(uint64_t)(A(s64) > B(s64)))
/* clang-format on */

/* ---- shifts.  A count of the element's width or more gives zero, or the sign. ---- */
#define SHL(t, v, count) ((count) < 8 * sizeof(a.t[0]) ? (uint64_t)(v) << (count) : 0)
#define SHR(t, v, count) ((count) < 8 * sizeof(a.t[0]) ? (uint64_t)(v) >> (count) : 0)
#define SAR(t, v, count) ((v) >> ((count) < 8 * sizeof(a.t[0]) ? (count) : 8 * sizeof(a.t[0]) - 1))

/* All elements of src1 by the low quadword of src2. */
#define SHIFT_BY_REG(name, t, op)                                       \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec a = vec_get(env, n->src1);              \
		const uint64_t count = vec_get(env, n->src2).u64[0];    \
		union vec r;                                            \
                                                                        \
		(void)value;                                            \
		for (unsigned i = 0; i < ARRAY_SIZE(r.t); i++)          \
			r.t[i] = op(t, a.t[i], count);                  \
		vec_put(env, n, &r);                                    \
	}

/* All elements of src2 by the immediate. */
#define SHIFT_BY_IMM(name, t, op)                                       \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec a = vec_get(env, n->src2);              \
		const unsigned count = n->imm;                          \
		union vec r;                                            \
                                                                        \
		(void)value;                                            \
		for (unsigned i = 0; i < ARRAY_SIZE(r.t); i++)          \
			r.t[i] = op(t, a.t[i], count);                  \
		vec_put(env, n, &r);                                    \
	}

SHIFT_BY_REG(v_psllw, u16, SHL)
SHIFT_BY_REG(v_pslld, u32, SHL)
SHIFT_BY_REG(v_psllq, u64, SHL)
SHIFT_BY_REG(v_psrlw, u16, SHR)
SHIFT_BY_REG(v_psrld, u32, SHR)
SHIFT_BY_REG(v_psrlq, u64, SHR)
SHIFT_BY_REG(v_psraw, s16, SAR)
SHIFT_BY_REG(v_psrad, s32, SAR)
SHIFT_BY_IMM(v_psllw_imm, u16, SHL)
SHIFT_BY_IMM(v_pslld_imm, u32, SHL)
SHIFT_BY_IMM(v_psllq_imm, u64, SHL)
SHIFT_BY_IMM(v_psrlw_imm, u16, SHR)
SHIFT_BY_IMM(v_psrld_imm, u32, SHR)
SHIFT_BY_IMM(v_psrlq_imm, u64, SHR)
SHIFT_BY_IMM(v_psraw_imm, s16, SAR)
SHIFT_BY_IMM(v_psrad_imm, s32, SAR)

/* Each element by its own count. */
VEC_EACH(v_vpsllvd, u32, SHL(u32, A(u32), B(u32)))
VEC_EACH(v_vpsllvq, u64, SHL(u64, A(u64), B(u64)))
VEC_EACH(v_vpsrlvd, u32, SHR(u32, A(u32), B(u32)))
VEC_EACH(v_vpsrlvq, u64, SHR(u64, A(u64), B(u64)))
VEC_EACH(v_vpsravd, s32, SAR(s32, A(s32), B(u32)))

/* Whole lanes by bytes. */
VEC_EACH_IN_LANE(v_pslldq, u8, i >= n->imm ? b.u8[L + i - n->imm] : 0)
VEC_EACH_IN_LANE(v_psrldq, u8, i + n->imm < N ? b.u8[L + i + n->imm] : 0)

/* ---- blends ---- */
VEC_EACH(v_pblendw, u16, n->imm >> (i & 7) & 1 ? B(u16) : A(u16))
VEC_EACH(v_blendps, u32, n->imm >> i & 1 ? B(u32) : A(u32))
VEC_EACH(v_blendpd, u64, n->imm >> i & 1 ? B(u64) : A(u64))

/* By the sign bits of the elements of src3. */
#define BLEND_BY_SIGN(name, u, s)                                       \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec a = vec_get(env, n->src1);              \
		const union vec b = vec_get(env, n->src2);              \
		const union vec mask = vec_get(env, n->src3);           \
		union vec r;                                            \
                                                                        \
		(void)value;                                            \
		for (unsigned i = 0; i < ARRAY_SIZE(r.u); i++)          \
			r.u[i] = mask.s[i] < 0 ? b.u[i] : a.u[i];       \
		vec_put(env, n, &r);                                    \
	}

BLEND_BY_SIGN(v_pblendvb, u8, s8)
BLEND_BY_SIGN(v_blendvps, u32, s32)
BLEND_BY_SIGN(v_blendvpd, u64, s64)

/* ---- masks of sign bits to a general register ---- */
#define SIGN_MASK(name, t)                                                      \
	void name(void *env, const struct ir_native *n, uint64_t value)         \
	{                                                                       \
		const union vec b = vec_get(env, n->src2);                      \
		const unsigned bytes = vec_is_mmx(n->src2) ? VEC_MMX : n->vlen; \
		uint64_t mask = 0;                                              \
                                                                                \
		(void)value;                                                    \
		for (unsigned i = 0; i < ARRAY_SIZE(b.t); i++)                  \
			mask |= (uint64_t)(b.t[i] < 0) << i;                    \
		mask &= BIT(bytes / sizeof(b.t[0])) - 1;                        \
		vec_put_general(env, n, mask);                                  \
	}

SIGN_MASK(v_pmovmskb, s8)
SIGN_MASK(v_movmskps, s32)
SIGN_MASK(v_movmskpd, s64)

/* ---- results in the flags: helpers.  a, b: state offsets of the operands; bytes of each. ---- */

/* ZF and CF as PTEST defines them, looking only at the bits of `mask`; the other flags are 0. */
static uint64_t test_bits(void *env, uint64_t a, uint64_t b, uint64_t bytes, uint64_t mask)
{
	const union vec x = vec_get(env, (uint32_t)a);
	const union vec y = vec_get(env, (uint32_t)b);
	uint64_t both = 0, only_y = 0;

	for (unsigned i = 0; i < bytes / 8; i++) {
		both |= x.u64[i] & y.u64[i];
		only_y |= ~x.u64[i] & y.u64[i];
	}
	return (both & mask ? 0 : FL_ZF) | (only_y & mask ? 0 : FL_CF);
}

uint64_t vh_ptest(void *env, uint64_t a, uint64_t b, uint64_t bytes)
{
	return test_bits(env, a, b, bytes, ~UINT64_C(0));
}

uint64_t vh_vtestps(void *env, uint64_t a, uint64_t b, uint64_t bytes)
{
	return test_bits(env, a, b, bytes, UINT64_C(0x8000000080000000));
}

uint64_t vh_vtestpd(void *env, uint64_t a, uint64_t b, uint64_t bytes)
{
	return test_bits(env, a, b, bytes, UINT64_C(0x8000000000000000));
}
