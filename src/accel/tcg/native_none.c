/* accel/tcg/native_none.c - a host without a back end: everything is the interpreter's.
 * SPDX-License-Identifier: MIT */
#include <glib.h>

#include "base/err.h"
#include "accel/tcg/tcg.h"

bool tcg_native_start(struct tcg_accel *t, uint64_t size, struct err *err)
{
	(void)t;
	(void)size;
	return err_set(err, 0, "there is no back end for this host");
}

/* tcg_accel.native is never set, so nobody comes here: */

void tcg_native_stop(struct tcg_accel *t) { g_assert(!t->native); }

bool tcg_native_attach(struct tcg_vcpu *tv, struct err *err)
{
	(void)tv;
	(void)err;
	g_assert_not_reached();
}

void tcg_native_detach(struct tcg_vcpu *tv) { g_assert(!tv->compiler); }

enum x64_result tcg_native_compile(struct tcg_vcpu *tv, const struct tcg_block *wanted,
				   const struct ir_block *ir, struct tcg_block **b)
{
	(void)tv;
	(void)wanted;
	(void)ir;
	(void)b;
	g_assert_not_reached();
}

void tcg_native_link(struct tcg_accel *t, struct tcg_block *from, unsigned n,
		     const struct tcg_block *to)
{
	(void)t;
	(void)from;
	(void)n;
	(void)to;
	g_assert_not_reached();
}

void tcg_native_key(struct tcg_accel *t, struct tcg_block *from, unsigned n, uint64_t key)
{
	(void)t;
	(void)from;
	(void)n;
	(void)key;
	g_assert_not_reached();
}

bool tcg_native_link_probe(struct tcg_accel *t, struct tcg_block *from, unsigned n)
{
	(void)t;
	(void)from;
	(void)n;
	g_assert_not_reached();
}

void tcg_native_drop(struct tcg_accel *t, struct tcg_block *b)
{
	(void)t;
	(void)b;
	g_assert_not_reached();
}

enum x64_why tcg_native_run(struct tcg_vcpu *tv, const struct tcg_block *b)
{
	(void)tv;
	(void)b;
	g_assert_not_reached();
}

void tcg_native_evict(struct tcg_accel *t) { g_assert(!t->native); }

void tcg_native_wait(struct tcg_accel *t)
{
	(void)t;
	g_assert_not_reached();
}

void tcg_native_show(struct tcg_accel *t, FILE *out)
{
	(void)t;
	(void)out;
	g_assert_not_reached();
}

void tcg_native_log(struct tcg_vcpu *tv, const struct tcg_block *b, gva_t pc)
{
	(void)tv;
	(void)b;
	(void)pc;
	g_assert_not_reached();
}
