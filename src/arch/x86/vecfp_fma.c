/* arch/x86/vecfp_fma.c - FMA: fused multiply-add in three operand orders.
 *
 * With operands 1, 2 and 3 in the order of the assembler: 132 is 1 * 3 + 2, 213 is 2 * 1 + 3, 231
 * is 2 * 3 + 1.
 *
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"

#include "arch/x86/vecfp.h"

enum fma_form { FMA_132, FMA_213, FMA_231 };

/* Signs of the product and of the addend. */
enum {
	MADD = 0,
	MSUB = FP_FMA_NEG_ADDEND,
	NMADD = FP_FMA_NEG_PRODUCT,
	NMSUB = FP_FMA_NEG_PRODUCT | FP_FMA_NEG_ADDEND,
};

struct fma_operands {
	union vec x, y, z; /* x * y + z */
	union vec r;
};

static struct fma_operands fma_get(const void *env, const struct ir_native *n, enum fma_form form)
{
	const union vec op1 = vec_get(env, n->dst);
	const union vec op2 = vec_get(env, n->src1);
	const union vec op3 = vec_get(env, n->src2);

	switch (form) {
	case FMA_132: return (struct fma_operands){ op1, op3, op2, op1 };
	case FMA_213: return (struct fma_operands){ op2, op1, op3, op1 };
	case FMA_231: break;
	}
	return (struct fma_operands){ op2, op3, op1, op1 };
}

/* The result, unless an exception is unmasked: one element keeps the rest of the XMM register. */
static void fma_put(struct x86_cpu *c, const struct ir_native *n, const union vec *r,
		    struct fp_env *e, unsigned count)
{
	if (!vecfp_commit(c, e))
		return;
	if (count == 1)
		vec_put_xmm(c, n, r);
	else
		vec_put(c, n, r);
}

static void fma32(void *env, const struct ir_native *n, enum fma_form form, unsigned even,
		  unsigned odd, unsigned count)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_sse(c->mxcsr);
	struct fma_operands o = fma_get(env, n, form);

	for (unsigned i = 0; i < count; i++)
		o.r.u32[i] = f32_fma(o.x.u32[i], o.y.u32[i], o.z.u32[i], i & 1 ? odd : even, &e);
	fma_put(c, n, &o.r, &e, count);
}

static void fma64(void *env, const struct ir_native *n, enum fma_form form, unsigned even,
		  unsigned odd, unsigned count)
{
	struct x86_cpu *c = env;
	struct fp_env e = fp_env_sse(c->mxcsr);
	struct fma_operands o = fma_get(env, n, form);

	for (unsigned i = 0; i < count; i++)
		o.r.u64[i] = f64_fma(o.x.u64[i], o.y.u64[i], o.z.u64[i], i & 1 ? odd : even, &e);
	fma_put(c, n, &o.r, &e, count);
}

#define FMA_FN(name, fma, form, even, odd, count)                       \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		(void)value;                                            \
		fma(env, n, form, even, odd, count);                    \
	}

#define FMA_PACKED(op, order, even, odd)                                       \
	FMA_FN(v_##op##order##ps, fma32, FMA_##order, even, odd, n->vlen / 4u) \
	FMA_FN(v_##op##order##pd, fma64, FMA_##order, even, odd, n->vlen / 8u)

#define FMA_FORMS(op, order, kind)                                   \
	FMA_PACKED(op, order, kind, kind)                            \
	FMA_FN(v_##op##order##ss, fma32, FMA_##order, kind, kind, 1) \
	FMA_FN(v_##op##order##sd, fma64, FMA_##order, kind, kind, 1)

#define FMA_ORDERS(op, kind)     \
	FMA_FORMS(op, 132, kind) \
	FMA_FORMS(op, 213, kind) \
	FMA_FORMS(op, 231, kind)

#define FMA_ALTERNATING(op, even, odd) \
	FMA_PACKED(op, 132, even, odd) \
	FMA_PACKED(op, 213, even, odd) \
	FMA_PACKED(op, 231, even, odd)

FMA_ORDERS(vfmadd, MADD)
FMA_ORDERS(vfmsub, MSUB)
FMA_ORDERS(vfnmadd, NMADD)
FMA_ORDERS(vfnmsub, NMSUB)
FMA_ALTERNATING(vfmaddsub, MSUB, MADD)
FMA_ALTERNATING(vfmsubadd, MADD, MSUB)
