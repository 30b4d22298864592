/* arch/x86/vec_arith.c - packed integer arithmetic of MMX, SSE2 to SSE4.1 and AVX2.
 *
 * One row per instruction, in the order of the chapters of SDM vol. 1 (9, 11, 12, 14).
 *
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"

#include "arch/x86/vec.h"

static inline int32_t clamp(int32_t v, int32_t lo, int32_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static inline int32_t sat_s8(int32_t v) { return clamp(v, INT8_MIN, INT8_MAX); }
static inline int32_t sat_s16(int32_t v) { return clamp(v, INT16_MIN, INT16_MAX); }
static inline int32_t sat_u8(int32_t v) { return clamp(v, 0, UINT8_MAX); }
static inline int32_t sat_u16(int32_t v) { return clamp(v, 0, UINT16_MAX); }

#define A(t)    a.t[i]
#define B(t)    b.t[i]
#define MIN(t)  (A(t) < B(t) ? A(t) : B(t))
#define MAX(t)  (A(t) > B(t) ? A(t) : B(t))
#define ABS(t)  (B(t) < 0 ? 0u - (uint32_t)B(t) : (uint32_t)B(t))
#define SIGN(t) (B(t) < 0 ? 0u - (uint32_t)A(t) : B(t) ? (uint32_t)A(t) : 0u)

/* clang-format off */
VEC_EACH(v_paddb, u8, A(u8) + B(u8))
VEC_EACH(v_paddw, u16, A(u16) + B(u16))
VEC_EACH(v_paddd, u32, A(u32) + B(u32))
VEC_EACH(v_paddq, u64, A(u64) + B(u64))
VEC_EACH(v_psubb, u8, A(u8) - B(u8))
VEC_EACH(v_psubw, u16, A(u16) - B(u16))
VEC_EACH(v_psubd, u32, A(u32) - B(u32))
VEC_EACH(v_psubq, u64, A(u64) - B(u64))

VEC_EACH(v_paddsb, s8, sat_s8(A(s8) + B(s8)))
VEC_EACH(v_paddsw, s16, sat_s16(A(s16) + B(s16)))
VEC_EACH(v_paddusb, u8, sat_u8(A(u8) + B(u8)))
VEC_EACH(v_paddusw, u16, sat_u16(A(u16) + B(u16)))
VEC_EACH(v_psubsb, s8, sat_s8(A(s8) - B(s8)))
VEC_EACH(v_psubsw, s16, sat_s16(A(s16) - B(s16)))
VEC_EACH(v_psubusb, u8, sat_u8(A(u8) - B(u8)))
VEC_EACH(v_psubusw, u16, sat_u16(A(u16) - B(u16)))

VEC_EACH(v_pavgb, u8, (A(u8) + B(u8) + 1) >> 1)
VEC_EACH(v_pavgw, u16, (A(u16) + B(u16) + 1) >> 1)
VEC_EACH(v_pminub, u8, MIN(u8))
VEC_EACH(v_pminuw, u16, MIN(u16))
VEC_EACH(v_pminud, u32, MIN(u32))
VEC_EACH(v_pminsb, s8, MIN(s8))
VEC_EACH(v_pminsw, s16, MIN(s16))
VEC_EACH(v_pminsd, s32, MIN(s32))
VEC_EACH(v_pmaxub, u8, MAX(u8))
VEC_EACH(v_pmaxuw, u16, MAX(u16))
VEC_EACH(v_pmaxud, u32, MAX(u32))
VEC_EACH(v_pmaxsb, s8, MAX(s8))
VEC_EACH(v_pmaxsw, s16, MAX(s16))
VEC_EACH(v_pmaxsd, s32, MAX(s32))
VEC_EACH(v_pabsb, u8, ABS(s8))
VEC_EACH(v_pabsw, u16, ABS(s16))
VEC_EACH(v_pabsd, u32, ABS(s32))
VEC_EACH(v_psignb, u8, SIGN(s8))
VEC_EACH(v_psignw, u16, SIGN(s16))
VEC_EACH(v_psignd, u32, SIGN(s32))

VEC_EACH(v_pmullw, u16, (uint32_t)A(u16) * B(u16))
VEC_EACH(v_pmulhw, u16, (uint32_t)(A(s16) * B(s16)) >> 16)
VEC_EACH(v_pmulhuw, u16, (uint32_t)A(u16) * B(u16) >> 16)
VEC_EACH(v_pmulhrsw, u16, ((A(s16) * B(s16) >> 14) + 1) >> 1)
VEC_EACH(v_pmulld, u32, A(u32) * B(u32))
VEC_EACH(v_pmuludq, u64, (uint64_t)(uint32_t)A(u64) * (uint32_t)B(u64))
VEC_EACH(v_pmuldq, s64, (int64_t)(int32_t)A(s64) * (int32_t)B(s64))
VEC_EACH(v_pmaddwd, u32, (uint32_t)(a.s16[2 * i] * b.s16[2 * i]) +
			 (uint32_t)(a.s16[2 * i + 1] * b.s16[2 * i + 1]))
VEC_EACH(v_pmaddubsw, s16, sat_s16(a.u8[2 * i] * b.s8[2 * i] +
				   a.u8[2 * i + 1] * b.s8[2 * i + 1]))
/* clang-format on */

static inline unsigned distance(uint8_t x, uint8_t y) { return x > y ? x - y : y - x; }

static uint64_t sum_of_distances(const uint8_t *x, const uint8_t *y, unsigned count)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += distance(x[i], y[i]);
	return sum;
}

VEC_EACH(v_psadbw, u64, sum_of_distances(&a.u8[8 * i], &b.u8[8 * i], 8))

/* Lane k takes its three control bits from imm8[3k+2:3k]. */
void v_mpsadbw(void *env, const struct ir_native *n, uint64_t value)
{
	const union vec a = vec_get(env, n->src1);
	const union vec b = vec_get(env, n->src2);
	union vec r;

	(void)value;
	for (unsigned lane = 0; lane < 2; lane++) {
		unsigned control = n->imm >> (3 * lane);
		const uint8_t *x = &a.u8[16 * lane + (control & 4)];
		const uint8_t *y = &b.u8[16 * lane + (control & 3) * 4];

		for (unsigned i = 0; i < 8; i++)
			r.u16[8 * lane + i] = (uint16_t)sum_of_distances(x + i, y, 4);
	}
	vec_put(env, n, &r);
}

/* Horizontal: element i of a lane comes from pair i of a, then of b. */
#define PAIR(t, op)                                       \
	(i < N / 2 ? a.t[L + 2 * i] op a.t[L + 2 * i + 1] \
		   : b.t[L + 2 * i - N] op b.t[L + 2 * i - N + 1])

VEC_EACH_IN_LANE(v_phaddw, u16, PAIR(u16, +))
VEC_EACH_IN_LANE(v_phaddd, u32, PAIR(u32, +))
VEC_EACH_IN_LANE(v_phaddsw, s16, sat_s16(PAIR(s16, +)))
VEC_EACH_IN_LANE(v_phsubw, u16, PAIR(u16, -))
VEC_EACH_IN_LANE(v_phsubd, u32, PAIR(u32, -))
VEC_EACH_IN_LANE(v_phsubsw, s16, sat_s16(PAIR(s16, -)))

void v_phminposuw(void *env, const struct ir_native *n, uint64_t value)
{
	const union vec b = vec_get(env, n->src2);
	union vec r = { .u64 = { 0 } };
	unsigned best = 0;

	(void)value;
	for (unsigned i = 1; i < 8; i++)
		if (b.u16[i] < b.u16[best])
			best = i;
	r.u16[0] = b.u16[best];
	r.u16[1] = (uint16_t)best;
	vec_put(env, n, &r);
}
