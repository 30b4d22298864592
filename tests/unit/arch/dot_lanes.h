/* dot_lanes.h - DPPS and DPPD on processors that differ in which of several NaNs comes out.
 *
 * SDM vol. 2 and APM vol. 4 give the sums, not which operand of an addition comes first.  Seen: AMD
 * and Rhea form one sum from the lowest lane up, and all lanes get it; Intel's add in each lane
 * what its neighbour has, then what the other pair has. SPDX-License-Identifier: MIT */
#pragma once

#include <string.h>

#include "arch/x86/vec.h"
#include "base/softfloat/softfloat.h"

struct dot {
	union vec a, b;
	unsigned imm, vlen; /* vlen: bytes, 16 or 32 */
	uint32_t mxcsr;
	bool is_double;
};

static inline union vec dot_singles(const struct dot *d, bool by_lane)
{
	struct fp_env e = fp_env_sse(d->mxcsr);
	union vec p = { .u64 = { 0 } }, t = p, r = p;

	for (unsigned i = 0; i < d->vlen / 4; i++)
		if (d->imm >> (4 + i % 4) & 1)
			p.u32[i] = f32_mul(d->a.u32[i], d->b.u32[i], &e);
	for (unsigned i = 0; i < d->vlen / 4; i++)
		t.u32[i] = by_lane ? f32_add(p.u32[i ^ 1], p.u32[i], &e)
				   : f32_add(p.u32[i & ~1u], p.u32[i | 1], &e);
	for (unsigned i = 0; i < d->vlen / 4; i++) {
		const unsigned first = by_lane ? i : i & ~3u;

		if (d->imm >> (i % 4) & 1)
			r.u32[i] = f32_add(t.u32[first], t.u32[first ^ 2], &e);
	}
	return r;
}

static inline union vec dot_doubles(const struct dot *d, bool by_lane)
{
	struct fp_env e = fp_env_sse(d->mxcsr);
	union vec p = { .u64 = { 0 } }, r = p;

	for (unsigned i = 0; i < 2; i++)
		if (d->imm >> (4 + i) & 1)
			p.u64[i] = f64_mul(d->a.u64[i], d->b.u64[i], &e);
	for (unsigned i = 0; i < 2; i++) {
		const unsigned first = by_lane ? i : 0;

		if (d->imm >> i & 1)
			r.u64[i] = f64_add(p.u64[first], p.u64[first ^ 1], &e);
	}
	return r;
}

/* A result that was added lane by lane becomes the one that Rhea gives. */
static inline void dot_adopt(const struct dot *d, union vec *result)
{
	union vec by_lane = (d->is_double ? dot_doubles : dot_singles)(d, true);
	union vec ours = (d->is_double ? dot_doubles : dot_singles)(d, false);

	if (!memcmp(result, &by_lane, d->vlen))
		memcpy(result, &ours, d->vlen);
}
