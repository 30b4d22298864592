/* arch/x86/vec_shuffle.c - moves, packs, unpacks, shuffles, permutes, broadcasts, inserts.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"

#include "arch/x86/vec.h"

#define B(t) b.t[i]

/* ---- moves ---- */
VEC_LINE(v_mov, r = b)
VEC_LINE(v_zero_except_d, r = (union vec){ .u32 = { b.u32[0] } }) /* MOVD, MOVSS from memory */
VEC_LINE(v_zero_except_q, r = (union vec){ .u64 = { b.u64[0] } }) /* MOVQ, MOVSD from memory */
VEC_LINE_XMM(v_merge_d, r.u32[0] = b.u32[0])                      /* MOVSS */
VEC_LINE_XMM(v_merge_q, r.u64[0] = b.u64[0])                      /* MOVSD, MOVLPS */
VEC_LINE(v_movhlps, r.u64[0] = b.u64[1])
VEC_EACH(v_movsldup, u32, b.u32[i & ~1u])
VEC_EACH(v_movshdup, u32, b.u32[i | 1u])
VEC_EACH(v_movddup, u64, b.u64[i & ~1u])

/* clang-format off */
VEC_EACH(v_pmovsxbw, s16, B(s8))
VEC_EACH(v_pmovsxbd, s32, B(s8))
VEC_EACH(v_pmovsxbq, s64, B(s8))
VEC_EACH(v_pmovsxwd, s32, B(s16))
VEC_EACH(v_pmovsxwq, s64, B(s16))
VEC_EACH(v_pmovsxdq, s64, B(s32))
VEC_EACH(v_pmovzxbw, u16, B(u8))
VEC_EACH(v_pmovzxbd, u32, B(u8))
VEC_EACH(v_pmovzxbq, u64, B(u8))
VEC_EACH(v_pmovzxwd, u32, B(u16))
VEC_EACH(v_pmovzxwq, u64, B(u16))
VEC_EACH(v_pmovzxdq, u64, B(u32))

VEC_EACH(v_vpbroadcastb, u8, b.u8[0])
VEC_EACH(v_vpbroadcastw, u16, b.u16[0])
VEC_EACH(v_vpbroadcastd, u32, b.u32[0])
VEC_EACH(v_vpbroadcastq, u64, b.u64[0])
VEC_EACH(v_vbroadcastf128, u64, b.u64[i & 1])
/* clang-format on */

/* ---- packs: the first half of a lane from a, the second from b ---- */
static inline uint8_t sat_s8(int32_t v) { return v < -128 ? 0x80 : v > 127 ? 0x7f : (uint8_t)v; }
static inline uint8_t sat_u8(int32_t v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

static inline uint16_t sat_s16(int32_t v)
{
	return v < INT16_MIN ? 0x8000 : v > INT16_MAX ? 0x7fff : (uint16_t)v;
}

static inline uint16_t sat_u16(int32_t v)
{
	return v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

#define WIDE(t) (i < N / 2 ? a.t[L / 2 + i] : b.t[L / 2 + i - N / 2])

VEC_EACH_IN_LANE(v_packsswb, u8, sat_s8(WIDE(s16)))
VEC_EACH_IN_LANE(v_packuswb, u8, sat_u8(WIDE(s16)))
VEC_EACH_IN_LANE(v_packssdw, u16, sat_s16(WIDE(s32)))
VEC_EACH_IN_LANE(v_packusdw, u16, sat_u16(WIDE(s32)))

/* ---- unpacks: elements of a and b in turn, from the low or the high half of a lane ---- */
#define LOW(t)  (i & 1 ? b.t[L + i / 2] : a.t[L + i / 2])
#define HIGH(t) (i & 1 ? b.t[L + (N + i) / 2] : a.t[L + (N + i) / 2])

/* clang-format off */
VEC_EACH_IN_LANE(v_punpcklbw, u8, LOW(u8))
VEC_EACH_IN_LANE(v_punpcklwd, u16, LOW(u16))
VEC_EACH_IN_LANE(v_punpckldq, u32, LOW(u32))
VEC_EACH_IN_LANE(v_punpcklqdq, u64, LOW(u64))
VEC_EACH_IN_LANE(v_punpckhbw, u8, HIGH(u8))
VEC_EACH_IN_LANE(v_punpckhwd, u16, HIGH(u16))
VEC_EACH_IN_LANE(v_punpckhdq, u32, HIGH(u32))
VEC_EACH_IN_LANE(v_punpckhqdq, u64, HIGH(u64))
/* clang-format on */

/* ---- shuffles within a lane ---- */
#define IMM2(k) (n->imm >> (2 * (k)) & 3)

VEC_EACH_IN_LANE(v_pshufb, u8, b.u8[L + i] & 0x80 ? 0 : a.u8[L + (b.u8[L + i] & (N - 1))])
VEC_EACH_IN_LANE(v_pshufw, u16, b.u16[L + IMM2(i)])
VEC_EACH_IN_LANE(v_pshufd, u32, b.u32[L + IMM2(i)]) /* and VPERMILPS */
VEC_EACH_IN_LANE(v_pshuflw, u16, i < 4 ? b.u16[L + IMM2(i)] : b.u16[L + i])
VEC_EACH_IN_LANE(v_pshufhw, u16, i < 4 ? b.u16[L + i] : b.u16[L + 4 + IMM2(i - 4)])
VEC_EACH_IN_LANE(v_shufps, u32, i < 2 ? a.u32[L + IMM2(i)] : b.u32[L + IMM2(i)])
VEC_EACH_IN_LANE(v_shufpd, u64, (i ? b : a).u64[L + (n->imm >> (L + i) & 1)])
VEC_EACH_IN_LANE(v_palignr, u8,
		 i + n->imm < N       ? b.u8[L + i + n->imm]
		 : i + n->imm < 2 * N ? a.u8[L + i + n->imm - N]
				      : 0)
VEC_EACH_IN_LANE(v_vpermilpd_imm, u64, b.u64[L + (n->imm >> (L + i) & 1)])
VEC_EACH_IN_LANE(v_vpermilps, u32, a.u32[L + (b.u32[L + i] & 3)])
VEC_EACH_IN_LANE(v_vpermilpd, u64, a.u64[L + (b.u64[L + i] >> 1 & 1)])

/* ---- across lanes ---- */
VEC_EACH(v_vpermd, u32, b.u32[a.u32[i] & 7]) /* and VPERMPS */
VEC_EACH(v_vpermq, u64, b.u64[IMM2(i)])      /* and VPERMPD */

static inline uint64_t lane_select(const union vec *a, const union vec *b, unsigned control,
				   unsigned i)
{
	if (control & 8)
		return 0;
	return (control & 2 ? b : a)->u64[2 * (control & 1) + i];
}

VEC_EACH(v_vperm2f128, u64, lane_select(&a, &b, n->imm >> (i & 2 ? 4 : 0), i & 1))

/* ---- to and from general registers ---- */
VEC_LINE_GENERAL(v_movd_from_general, r = (union vec){ .u32 = { (uint32_t)g } })
VEC_LINE_GENERAL(v_movq_from_general, r = (union vec){ .u64 = { g } })
VEC_LINE_GENERAL(v_pinsrb, r.u8[n->imm & 15] = (uint8_t)g)
VEC_LINE_GENERAL(v_pinsrw, r.u16[n->imm & (vec_lane(n) / 2 - 1)] = (uint16_t)g)
VEC_LINE_GENERAL(v_pinsrd, r.u32[n->imm & 3] = (uint32_t)g)
VEC_LINE_GENERAL(v_pinsrq, r.u64[n->imm & 1] = g)

VEC_TO_GENERAL(v_movd_to_general, b.u32[0])
VEC_TO_GENERAL(v_movq_to_general, b.u64[0])
VEC_TO_GENERAL(v_pextrb, b.u8[n->imm & 15])
VEC_TO_GENERAL(v_pextrw, b.u16[n->imm & (vec_is_mmx(n->src2) ? 3 : 7)])
VEC_TO_GENERAL(v_pextrd, b.u32[n->imm & 3]) /* and EXTRACTPS */
VEC_TO_GENERAL(v_pextrq, b.u64[n->imm & 1])
VEC_TO_GENERAL(v_movhps_store, b.u64[1])

/* ---- inserts and extracts ---- */
VEC_LINE(v_vinsertf128, memcpy(&r.u64[2 * (n->imm & 1)], &b, 16))
VEC_LINE_XMM(v_vextractf128, memcpy(&r, &b.u64[2 * (n->imm & 1)], 16))

/* imm8: source element (a memory operand has only one), destination element, elements to zero. */
void v_insertps(void *env, const struct ir_native *n, uint64_t value)
{
	const bool is_memory = n->src2 >= offsetof(struct x86_cpu, vtmp);
	const union vec b = vec_get(env, n->src2);
	union vec r = vec_get(env, n->src1);

	(void)value;
	r.u32[IMM2(2)] = b.u32[is_memory ? 0 : IMM2(3)];
	for (unsigned i = 0; i < 4; i++)
		if (n->imm >> i & 1)
			r.u32[i] = 0;
	vec_put(env, n, &r);
}
