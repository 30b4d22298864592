/* base/softfloat/f80_num.h - f80 to and from the shared core; private to this folder.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "base/softfloat/f80.h"
#include "base/softfloat/fp_num.h"

#define F80_EXP_MAX 0x7fffu
#define F80_BIAS    0x3fff

/* Every f80 operation starts here, so here C1 is cleared. */
static inline struct fp_num f80_unpack(struct f80 a, struct fp_env *env)
{
	unsigned biased = a.sexp & F80_EXP_MAX;
	struct fp_num n = {
		.sign = a.sexp >> 15,
		.cls = FP_NORMAL,
		.exp = (int32_t)biased - F80_BIAS,
		.frac = U128(a.frac, 0),
	};

	env->rounded_up = false;
	if (unlikely(biased == 0)) {
		if (!a.frac)
			return fp_zero(n.sign);
		n.denormal = true;
		n.exp++;
		fp_normalize(&n);
	} else if (unlikely(!(a.frac >> 63))) {
		n.cls = FP_UNSUPPORTED;
	} else if (unlikely(biased == F80_EXP_MAX)) {
		n.cls = n.frac == FP_TOP ? FP_INF : n.frac & FP_QUIET ? FP_QNAN : FP_SNAN;
	}
	return n;
}

/* Rounds to `keep` bits and encodes. */
static inline struct f80 f80_pack_to(struct fp_num n, unsigned keep, struct fp_env *env)
{
	struct fp_rounded r = { 0, 0 };

	if (likely(n.cls == FP_NORMAL))
		r = fp_round(&n, FP_F80, keep, env);
	else if (n.cls != FP_ZERO)
		r = (struct fp_rounded){ (uint64_t)(n.frac >> 64), F80_EXP_MAX };
	return (struct f80){ r.sig, (uint16_t)((unsigned)n.sign << 15 | r.biased) };
}

static inline struct f80 f80_pack(struct fp_num n, struct fp_env *env)
{
	return f80_pack_to(n, 64, env);
}
