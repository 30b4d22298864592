/* arch/x86/vecfp.h - SSE and AVX floating point: MXCSR, exceptions, element loops.
 *
 * Every function evaluates all elements with one struct fp_env made from MXCSR, so that the flags
 * of all elements are gathered, then calls vecfp_commit(); the destination is written only if that
 * says so (SDM vol. 1 §11.5).
 *
 * SPDX-License-Identifier: MIT */
#pragma once

#include "arch/x86/vec.h"
#include "arch/x86/x86.h"
#include "base/softfloat/softfloat.h"

enum {
	VECFP_PRE_FLAGS = FP_INVALID | FP_DENORMAL | FP_DIVZERO, /* seen before computing */
};

/* Does an unmasked exception stop the instruction? One that is seen before computing, in any
 * element, keeps all from being computed: OE, UE and PE that were not set `before` are withdrawn.
 */
static inline bool vecfp_stops(struct fp_env *e, uint8_t before)
{
	const uint8_t unmasked = (uint8_t)(e->flags & ~e->masks);

	if (unlikely(unmasked & VECFP_PRE_FLAGS))
		e->flags &= VECFP_PRE_FLAGS | before;
	return unmasked;
}

/* Merges the flags into MXCSR. False: one of them is unmasked and #XM (or #UD, when the operating
 * system does not want it) was raised. */
static inline bool vecfp_commit_flags(struct x86_cpu *c, const struct fp_env *e)
{
	c->mxcsr |= e->flags;
	if (likely(!(e->flags & ~e->masks)))
		return true;
	return x86_raise(c, c->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

static inline bool vecfp_commit(struct x86_cpu *c, struct fp_env *e)
{
	vecfp_stops(e, 0);
	return vecfp_commit_flags(c, e);
}

/* r.t[i] = expr for i below count, r starting as a; then put writes r. Inside expr: a, b, i, and e
 * the environment. */
#define VECFP(name, t, count, put, expr)                                   \
	void name(void *env, const struct ir_native *n, uint64_t value)    \
	{                                                                  \
		struct x86_cpu *cpu = env;                                 \
		struct fp_env fp = fp_env_sse(cpu->mxcsr), *const e = &fp; \
		const union vec a = vec_get(env, n->src1);                 \
		const union vec b = vec_get(env, n->src2);                 \
		union vec r = a;                                           \
                                                                           \
		(void)value;                                               \
		for (unsigned i = 0; i < (count); i++)                     \
			r.t[i] = (expr);                                   \
		if (vecfp_commit(cpu, e))                                  \
			put(env, n, &r);                                   \
	}

/* All elements of a vector; the lowest element, the rest of 16 bytes being a's. */
#define VECFP_PACKED(name, t, expr) VECFP(name, t, n->vlen / sizeof(r.t[0]), vec_put, expr)
#define VECFP_SCALAR(name, t, expr) VECFP(name, t, 1, vec_put_xmm, expr)

/* The four forms of one operation: f32(A, B) and f64(A, B) give an element. */
#define VECFP_FORMS(name, f32, f64)                          \
	VECFP_PACKED(name##ps, u32, f32(a.u32[i], b.u32[i])) \
	VECFP_PACKED(name##pd, u64, f64(a.u64[i], b.u64[i])) \
	VECFP_SCALAR(name##ss, u32, f32(a.u32[0], b.u32[0])) \
	VECFP_SCALAR(name##sd, u64, f64(a.u64[0], b.u64[0]))
