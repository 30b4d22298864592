/* jit/interp_print.c - lowered code as text, for debugging and tests.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "jit/interp.h"
#include "jit/interp_ops.h"

static const char *const names[INTERP_ID_COUNT] = {
#define H(name) #name,
	INTERP_HANDLERS(H)
#undef H
};

void interp_print(const struct interp_block *block, FILE *out)
{
	const void *const *handlers = interp_handlers();
	unsigned k = 0;

	for (uint32_t i = 0; i < block->op_count; i++) {
		const struct interp_op *o = &block->code[i];
		unsigned id = 0;

		for (; k < block->insn_count && block->insns[k].first_op <= i; k++)
			fprintf(out, "insn %+" PRId32 "\n", block->insns[k].pc_delta);
		while (id + 1 < INTERP_ID_COUNT && handlers[id] != o->handler)
			id++;
		fprintf(out, "  %-12s d=%u a=%u b=%u c=%u imm=0x%" PRIx64 "\n", names[id], o->d,
			o->a, o->b, o->c, o->imm);
	}
}
