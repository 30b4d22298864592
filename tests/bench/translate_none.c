/* tests/bench/translate_none.c - a host for which there is no code to be made.
 * SPDX-License-Identifier: MIT */
#include "translate.h"

#include "base/err.h"

bool tier1_start(struct err *err) { return err_set(err, 0, "no back end for this host"); }

unsigned tier1_compile(const struct ir_block *ir, uint64_t pc)
{
	(void)ir;
	(void)pc;
	return 0;
}
