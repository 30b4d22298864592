/* base/bits.h - bit fields, alignment, unaligned memory, compile-time checks.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t gpa_t; /* guest physical address, bytes */
typedef uint64_t gva_t; /* guest virtual (x86: linear) address, bytes */

#define ARRAY_SIZE(a)            (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, m) ((type *)(void *)((char *)(p)-offsetof(type, m)))
#define BUILD_ASSERT(cond)       _Static_assert(cond, #cond)
#define likely(x)                __builtin_expect(!!(x), 1)
#define unlikely(x)              __builtin_expect(!!(x), 0)
#define KIB                      (UINT64_C(1) << 10)
#define MIB                      (UINT64_C(1) << 20)
#define GIB                      (UINT64_C(1) << 30)
#define BIT(n)                   (UINT64_C(1) << (n))

/* Bits lo .. lo+len-1 of v; len 1..64. */
static inline uint64_t bits_get(uint64_t v, unsigned lo, unsigned len)
{
	return (v >> lo) & (~UINT64_C(0) >> (64 - len));
}

static inline uint64_t bits_put(uint64_t v, unsigned lo, unsigned len, uint64_t field)
{
	uint64_t mask = (~UINT64_C(0) >> (64 - len)) << lo;

	return (v & ~mask) | ((field << lo) & mask);
}

static inline int64_t sign_extend(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static inline uint64_t align_down(uint64_t v, uint64_t a) { return v & ~(a - 1); }
static inline uint64_t align_up(uint64_t v, uint64_t a) { return (v + a - 1) & ~(a - 1); }
static inline bool is_pow2(uint64_t v) { return v && !(v & (v - 1)); }

/* Little-endian access to unaligned host memory. */
#define BITS_DEFINE_LE(n)                                   \
	static inline uint##n##_t ld##n##_le(const void *p) \
	{                                                   \
		uint##n##_t v;                              \
		memcpy(&v, p, sizeof(v));                   \
		return v;                                   \
	}                                                   \
	static inline void st##n##_le(void *p, uint##n##_t v) { memcpy(p, &v, sizeof(v)); }
BITS_DEFINE_LE(16)
BITS_DEFINE_LE(32)
BITS_DEFINE_LE(64)
#undef BITS_DEFINE_LE
BUILD_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
