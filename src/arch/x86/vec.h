/* arch/x86/vec.h - what the files of vector instruction semantics share.
 *
 * Every semantics function has the type ir_native_fn: it works on byte offsets into struct x86_cpu
 * (registers, or vtmp[] for memory operands) and is written in portable C on whole registers.
 * Operands: dst; src1 is the first source (legacy SSE: the destination), src2 the second or only
 * one, src3 the fourth operand (XMM0 or imm8[7:4]).
 *
 * Integer functions compute all 32 bytes whatever the vector length is and store the first vlen:
 * what lies beyond does no harm and the compiler sees loops of constant length.
 *
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <string.h>

#include "arch/x86/state.h"
#include "arch/x86/tr.h"
#include "base/bits.h"

enum { VEC_BYTES = 32, VEC_MMX = 8, VEC_XMM = 16, VEC_YMM = 32 };

union vec {
	uint8_t u8[32];
	int8_t s8[32];
	uint16_t u16[16];
	int16_t s16[16];
	uint32_t u32[8];
	int32_t s32[8];
	uint64_t u64[4];
	int64_t s64[4];
};

static inline union vec vec_get(const void *env, uint32_t offset)
{
	union vec v;

	memcpy(&v, (const char *)env + offset, sizeof(v));
	return v;
}

static inline bool vec_is_mmx(uint32_t offset)
{
	return offset - offsetof(struct x86_cpu, fpr) < sizeof(((struct x86_cpu *)0)->fpr);
}

/* The general register or memory operand of an instruction that takes either. */
static inline uint64_t vec_general(const void *env, const struct ir_native *n, uint64_t value)
{
	return n->src2 == VEC_NONE ? value : vec_get(env, n->src2).u64[0];
}

/* Writes the low 16 bytes of a register, and zeroes above them when the encoding is VEX. */
static inline void vec_put_xmm(void *env, const struct ir_native *n, const union vec *v)
{
	char *dst = (char *)env + n->dst;

	memcpy(dst, v, 16);
	if (n->zero_upper)
		memset(dst + 16, 0, 16);
}

/* Writes the destination: vlen bytes, and zeroes above them when the encoding is VEX. A write to
 * an MMX register sets the exponent of its x87 alias to ones (SDM vol. 1 §9.5.1). */
static inline void vec_put(void *env, const struct ir_native *n, const union vec *v)
{
	char *dst = (char *)env + n->dst;

	if (vec_is_mmx(n->dst)) {
		memcpy(dst, v, 8);
		memset(dst + offsetof(struct x86_f80, sexp), 0xff, 2);
	} else if (n->vlen == VEC_YMM) {
		memcpy(dst, v, 32);
	} else {
		vec_put_xmm(env, n, v);
	}
}

/* Writes a general register, or a memory operand that could be one. */
static inline void vec_put_general(void *env, const struct ir_native *n, uint64_t v)
{
	memcpy((char *)env + n->dst, &v, sizeof(v));
}

/* Bytes that shuffles, packs and horizontal operations treat as one: a 128-bit lane, or all of an
 * MMX register. */
static inline unsigned vec_lane(const struct ir_native *n)
{
	return vec_is_mmx(n->dst) ? VEC_MMX : VEC_XMM;
}

/* ---- rows of function families. Inside `expr`: a and b are the sources, i the element. ---- */

/* r.t[i] = expr for each element i of type t; sources a = src1, b = src2. */
#define VEC_EACH(name, t, expr)                                         \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec a = vec_get(env, n->src1);              \
		const union vec b = vec_get(env, n->src2);              \
		union vec r;                                            \
                                                                        \
		(void)a;                                                \
		(void)value;                                            \
		for (unsigned i = 0; i < ARRAY_SIZE(r.t); i++)          \
			r.t[i] = (expr);                                \
		vec_put(env, n, &r);                                    \
	}

/* The same lane by lane: L is the lane's first element of type t, N the elements of a lane, i
 * counts within the lane. */
#define VEC_EACH_IN_LANE(name, t, expr)                                 \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec a = vec_get(env, n->src1);              \
		const union vec b = vec_get(env, n->src2);              \
		const unsigned N = vec_lane(n) / sizeof(a.t[0]);        \
		union vec r;                                            \
                                                                        \
		(void)a;                                                \
		(void)value;                                            \
		for (unsigned L = 0; L < ARRAY_SIZE(r.t); L += N)       \
			for (unsigned i = 0; i < N; i++)                \
				r.t[L + i] = (expr);                    \
		vec_put(env, n, &r);                                    \
	}

/* A function whose statements change r, which starts as a; put writes it. */
#define VEC_LINE_PUT(name, put, stmt)                                   \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec a = vec_get(env, n->src1);              \
		const union vec b = vec_get(env, n->src2);              \
		union vec r = a;                                        \
                                                                        \
		(void)b;                                                \
		(void)value;                                            \
		stmt;                                                   \
		put(env, n, &r);                                        \
	}
#define VEC_LINE(name, stmt)     VEC_LINE_PUT(name, vec_put, stmt)
#define VEC_LINE_XMM(name, stmt) VEC_LINE_PUT(name, vec_put_xmm, stmt)

/* The same for instructions whose second source is a general register or memory operand g. */
#define VEC_LINE_GENERAL(name, stmt)                                    \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const uint64_t g = vec_general(env, n, value);          \
		union vec r = vec_get(env, n->src1);                    \
                                                                        \
		stmt;                                                   \
		vec_put(env, n, &r);                                    \
	}

/* The general register destination becomes expr of source b. */
#define VEC_TO_GENERAL(name, expr)                                      \
	void name(void *env, const struct ir_native *n, uint64_t value) \
	{                                                               \
		const union vec b = vec_get(env, n->src2);              \
                                                                        \
		(void)value;                                            \
		vec_put_general(env, n, (expr));                        \
	}
