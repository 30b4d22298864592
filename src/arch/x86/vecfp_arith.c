/* arch/x86/vecfp_arith.c - SSE to SSE4.1 and AVX floating point arithmetic, comparison, rounding.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/vec_ops.h"

#include "arch/x86/vecfp.h"

#define ADD32(x, y)  f32_add(x, y, e)
#define ADD64(x, y)  f64_add(x, y, e)
#define SUB32(x, y)  f32_sub(x, y, e)
#define SUB64(x, y)  f64_sub(x, y, e)
#define MUL32(x, y)  f32_mul(x, y, e)
#define MUL64(x, y)  f64_mul(x, y, e)
#define DIV32(x, y)  f32_div(x, y, e)
#define DIV64(x, y)  f64_div(x, y, e)
#define MIN32(x, y)  f32_min_x86(x, y, e)
#define MIN64(x, y)  f64_min_x86(x, y, e)
#define MAX32(x, y)  f32_max_x86(x, y, e)
#define MAX64(x, y)  f64_max_x86(x, y, e)
#define SQRT32(x, y) f32_sqrt(y, e)
#define SQRT64(x, y) f64_sqrt(y, e)

VECFP_FORMS(v_add, ADD32, ADD64)
VECFP_FORMS(v_sub, SUB32, SUB64)
VECFP_FORMS(v_mul, MUL32, MUL64)
VECFP_FORMS(v_div, DIV32, DIV64)
VECFP_FORMS(v_min, MIN32, MIN64)
VECFP_FORMS(v_max, MAX32, MAX64)
VECFP_FORMS(v_sqrt, SQRT32, SQRT64)

VECFP_PACKED(v_rcpps, u32, f32_rcp_approx(b.u32[i]))
VECFP_SCALAR(v_rcpss, u32, f32_rcp_approx(b.u32[i]))
VECFP_PACKED(v_rsqrtps, u32, f32_rsqrt_approx(b.u32[i]))
VECFP_SCALAR(v_rsqrtss, u32, f32_rsqrt_approx(b.u32[i]))

/* Subtract in even elements, add in odd ones. */
VECFP_PACKED(v_addsubps, u32, (i & 1 ? f32_add : f32_sub)(a.u32[i], b.u32[i], e))
VECFP_PACKED(v_addsubpd, u64, (i & 1 ? f64_add : f64_sub)(a.u64[i], b.u64[i], e))

/* Horizontal: the low half of each lane from pairs of a, the high half from pairs of b. */
#define PAIR32(op)                                                                     \
	(i & 2 ? op(b.u32[i / 4 * 4 + i % 2 * 2], b.u32[i / 4 * 4 + i % 2 * 2 + 1], e) \
	       : op(a.u32[i / 4 * 4 + i % 2 * 2], a.u32[i / 4 * 4 + i % 2 * 2 + 1], e))
#define PAIR64(op) (i & 1 ? op(b.u64[i - 1], b.u64[i], e) : op(a.u64[i], a.u64[i + 1], e))

VECFP_PACKED(v_haddps, u32, PAIR32(f32_add))
VECFP_PACKED(v_haddpd, u64, PAIR64(f64_add))
VECFP_PACKED(v_hsubps, u32, PAIR32(f32_sub))
VECFP_PACKED(v_hsubpd, u64, PAIR64(f64_sub))

/* ---- ROUND: imm8[1:0] is the mode unless imm8[2] takes MXCSR's; imm8[3] keeps PE quiet ---- */
static inline enum fp_rounding round_mode(const struct ir_native *n, const struct fp_env *e)
{
	return (enum fp_rounding)(n->imm & 4 ? e->rounding : n->imm & 3);
}

#define ROUND32(x, y) f32_round_to_int(y, round_mode(n, e), !(n->imm & 8), e)
#define ROUND64(x, y) f64_round_to_int(y, round_mode(n, e), !(n->imm & 8), e)
VECFP_FORMS(v_round, ROUND32, ROUND64)

/* ---- CMP: the 32 predicates, SDM vol. 2 table 3-1 ---- */
enum { LT = 1, EQ = 2, GT = 4, UN = 8 }; /* bit enum fp_order + 1 */

static const uint8_t predicate_true[16] = {
	EQ,                                                         /* EQ_OQ, EQ_OS */
	LT,                                                         /* LT_OS, LT_OQ */
	LT | EQ,                                                    /* LE_OS, LE_OQ */
	UN,                                                         /* UNORD_Q, UNORD_S */
	LT | GT | UN, EQ | GT | UN, GT | UN, LT | EQ | GT, EQ | UN, /* EQ_UQ, EQ_US */
	LT | UN,      LT | EQ | UN, 0,       LT | GT,      EQ | GT, GT, LT | EQ | GT | UN,
};

/* Predicates 1, 2, 5, 6, 9, 10, 13 and 14 signal QNaNs; from 16 on it is the other way round. */
static inline bool predicate_is_quiet(unsigned p) { return !((0x6666 >> (p & 15) & 1) ^ p >> 4); }

/* Legacy encodings know the first eight only. */
static inline unsigned predicate_of(const struct ir_native *n)
{
	return n->imm & (n->zero_upper ? 31 : 7);
}

static inline bool predicate_holds(unsigned p, enum fp_order order)
{
	return predicate_true[p & 15] >> ((int)order + 1) & 1;
}

static uint32_t f32_compare_mask(uint32_t x, uint32_t y, unsigned p, struct fp_env *e)
{
	return -(uint32_t)predicate_holds(p, f32_compare(x, y, predicate_is_quiet(p), e));
}

static uint64_t f64_compare_mask(uint64_t x, uint64_t y, unsigned p, struct fp_env *e)
{
	return -(uint64_t)predicate_holds(p, f64_compare(x, y, predicate_is_quiet(p), e));
}

#define CMP32(x, y) f32_compare_mask(x, y, predicate_of(n), e)
#define CMP64(x, y) f64_compare_mask(x, y, predicate_of(n), e)
VECFP_FORMS(v_cmp, CMP32, CMP64)

/* ---- COMISS and kin: helpers that give the flags.  a, b: state offsets of the operands; control:
 * enum vec_comis. ---- */
uint64_t vh_comis(void *env, uint64_t a, uint64_t b, uint64_t control)
{
	static const uint32_t flags[4] = { FL_CF, FL_ZF, 0, FL_ZF | FL_PF | FL_CF };
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_sse(c->mxcsr);
	const union vec x = vec_get(env, (uint32_t)a), y = vec_get(env, (uint32_t)b);
	const bool quiet = control & COMIS_QUIET;
	enum fp_order order = control & COMIS_DOUBLE ? f64_compare(x.u64[0], y.u64[0], quiet, &e)
						     : f32_compare(x.u32[0], y.u32[0], quiet, &e);

	vecfp_commit(c, &e);
	return flags[(int)order + 1];
}

/* ---- dot products: products, pairs, sums; each step may stop the instruction, with the flags of
 * the steps before it (SDM vol. 2, DPPS) ---- */
void v_dpps(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_sse(c->mxcsr);
	const union vec a = vec_get(env, n->src1), b = vec_get(env, n->src2);
	const unsigned count = n->vlen / 4;
	union vec r = { .u64 = { 0 } };
	uint8_t before = 0;

	(void)value;
	for (unsigned i = 0; i < count; i++)
		if (n->imm >> (4 + i % 4) & 1)
			r.u32[i] = f32_mul(a.u32[i], b.u32[i], &e);
	for (unsigned step = 1; step <= 2 && !vecfp_stops(&e, before); step++) {
		before = e.flags;
		for (unsigned i = 0; i < count; i += 2 * step)
			r.u32[i] = f32_add(r.u32[i], r.u32[i + step], &e);
	}
	vecfp_stops(&e, before);
	for (unsigned i = count; i-- > 0;)
		r.u32[i] = n->imm >> (i % 4) & 1 ? r.u32[i & ~3u] : 0;
	if (vecfp_commit_flags(c, &e))
		vec_put(env, n, &r);
}

void v_dppd(void *env, const struct ir_native *n, uint64_t value)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_sse(c->mxcsr);
	const union vec a = vec_get(env, n->src1), b = vec_get(env, n->src2);
	union vec r = { .u64 = { 0 } };
	uint64_t sum = 0;

	(void)value;
	for (unsigned i = 0; i < 2; i++)
		if (n->imm >> (4 + i) & 1)
			r.u64[i] = f64_mul(a.u64[i], b.u64[i], &e);
	if (!vecfp_stops(&e, 0)) {
		const uint8_t before = e.flags;

		sum = f64_add(r.u64[0], r.u64[1], &e);
		vecfp_stops(&e, before);
	}
	for (unsigned i = 0; i < 2; i++)
		r.u64[i] = n->imm >> i & 1 ? sum : 0;
	if (vecfp_commit_flags(c, &e))
		vec_put(env, n, &r);
}
