/* tests/unit/base/x87_result.h - what the tests of the x87's arithmetic share: what an instruction
 * leaves behind, its digest, and operands in pairs.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <inttypes.h>

#include "../sequence.h"
#include "base/bits.h"
#include "base/softfloat/f80.h"

#define SW_C0      BIT(8)
#define SW_C1      BIT(9)
#define SW_C2      BIT(10)
#define SW_C3      BIT(14)

#define F80_FMT    "%04x:%016" PRIx64
#define F80_ARG(a) (a).sexp, (a).frac

/* Failures told of one operation; the rest is computed for its digest. */
enum { REPORTS_MAX = 8 };

/* What an asm statement that begins and ends with FNINIT spoils. */
#define X87_STACK "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

struct result {
	struct f80 value, second;
	uint64_t integer;
	uint16_t sw;
};

/* v[0] is ST0, v[1] is ST1; fcw is the control word. */
typedef void soft_fn(const struct f80 v[2], struct fp_env *env, struct result *r);
typedef void host_fn(const struct f80 v[2], uint16_t fcw, struct result *r);

static inline uint64_t digest_result(uint64_t digest, const struct result *r)
{
	digest = digest_add(digest, r->value.frac);
	digest = digest_add(digest, r->value.sexp | (uint64_t)r->sw << 16);
	return digest_add(digest, r->second.frac ^ r->second.sexp ^ r->integer);
}

static inline void digest_check(const char *name, uint64_t digest, uint64_t recorded)
{
	if (digest == recorded)
		return;
	g_test_message("%s: digest %#" PRIx64 ", recorded %#" PRIx64, name, digest, recorded);
	g_test_fail();
}

/* fn for every pair of the list, or for each of it alone. */
static inline void each_pair(const struct f80 *list, unsigned n, unsigned operands,
			     void (*fn)(void *opaque, const struct f80 v[2]), void *opaque)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < (operands == 2 ? n : 1); j++) {
			struct f80 v[2] = { list[i], list[j] };

			fn(opaque, v);
		}
	}
}
