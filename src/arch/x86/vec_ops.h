/* arch/x86/vec_ops.h - helpers of vector instructions whose result is not just a vector register.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/bits.h"

/* All have the type ir_helper_fn. With two vector operands, a and b are their state offsets; those
 * that set flags return them. */
uint64_t vh_ptest(void *env, uint64_t a, uint64_t b, uint64_t bytes);
uint64_t vh_vtestps(void *env, uint64_t a, uint64_t b, uint64_t bytes);
uint64_t vh_vtestpd(void *env, uint64_t a, uint64_t b, uint64_t bytes);

enum vec_comis { COMIS_DOUBLE = 1, COMIS_QUIET = 2 };
uint64_t vh_comis(void *env, uint64_t a, uint64_t b, uint64_t control);

/* control: imm8 and these. Bits 0-31 of the result are flags, 32-63 the index. */
enum { STRING_EXPLICIT = 1 << 8, STRING_WIDE_LENGTH = 1 << 9, STRING_VEX = 1 << 10 };
uint64_t vh_pcmpstri(void *env, uint64_t a, uint64_t b, uint64_t control);
uint64_t vh_pcmpstrm(void *env, uint64_t a, uint64_t b, uint64_t control);

/* Operands of a gather or masked move, packed into one value: register numbers, and bytes. */
struct vec_mem_operands {
	uint8_t reg; /* destination, or data to store */
	uint8_t mask;
	uint8_t index;
	uint8_t seg;
	uint8_t scale : 4; /* log2 */
	uint8_t asize : 4;
	uint8_t esize : 4;
	uint8_t index_size : 4;
	uint8_t vlen;
	uint8_t pad;
};
BUILD_ASSERT(sizeof(struct vec_mem_operands) == 8);

static inline uint64_t vec_mem_pack(struct vec_mem_operands o)
{
	uint64_t v;

	memcpy(&v, &o, sizeof(v));
	return v;
}

static inline struct vec_mem_operands vec_mem_unpack(uint64_t v)
{
	struct vec_mem_operands o;

	memcpy(&o, &v, sizeof(o));
	return o;
}

uint64_t vh_gather(void *env, uint64_t base, uint64_t operands, uint64_t unused);
uint64_t vh_maskmov_load(void *env, uint64_t ea, uint64_t operands, uint64_t unused);
uint64_t vh_maskmov_store(void *env, uint64_t ea, uint64_t operands, uint64_t unused);

uint64_t vh_ldmxcsr(void *env, uint64_t v, uint64_t unused1, uint64_t unused2);
uint64_t vh_stmxcsr(void *env, uint64_t unused1, uint64_t unused2, uint64_t unused3);
uint64_t vh_vzeroupper(void *env, uint64_t registers, uint64_t unused1, uint64_t unused2);
uint64_t vh_vzeroall(void *env, uint64_t registers, uint64_t unused1, uint64_t unused2);
