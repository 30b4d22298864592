/* tests/bench/translate_tier1.c - the last stage: IR becomes host code, in a code cache that goes
 * round.  The code is not run, so any processor will do.
 * SPDX-License-Identifier: MIT */
#include "translate.h"

#include <stdio.h>

#include "accel/tcg/tcg.h"
#include "arch/x86/x86.h"
#include "base/err.h"
#include "jit/x64/x64.h"

enum { CACHE_SIZE = 64 << 20, TRAP = 0xcc };

static struct code_cache *cache;
static struct x64_compiler *compiler;

static void drop_code(void *opaque, void *owner)
{
	(void)opaque;
	(void)owner;
}

/* Nobody runs it. */
static void free_chunk(void *opaque, unsigned chunk)
{
	(void)opaque;
	code_chunk_free(cache, chunk);
}

static const struct code_cache_ops cache_ops = { .evict = drop_code, .retire = free_chunk };
static const struct x64_ops ops = {
	.block_size = sizeof(struct tcg_block),
	.exit_size = sizeof(struct tcg_link),
};

bool tier1_start(struct err *err)
{
	struct x64_jit *jit;

	cache = code_cache_new(CACHE_SIZE, TRAP, &cache_ops, NULL, err);
	jit = cache ? x64_jit_new(cache, &x86_state_desc, &ops, err) : NULL;
	compiler = jit ? x64_compiler_new(jit) : NULL;
	return jit;
}

unsigned tier1_compile(const struct ir_block *ir, uint64_t pc)
{
	struct x64_code *code;

	if (x64_compile(compiler, &code, ir, pc, true, NULL) == X64_DONE)
		return code->size;
	return 0;
}
