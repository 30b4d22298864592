/* tests/isa/x86/oracle_tier1.c - the cases' IR as host code, in a code cache of its own.
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "accel/tcg/tcg.h"
#include "arch/x86/x86.h"
#include "jit/x64/x64.h"

enum { CACHE_SIZE = 512 << 10, TRAP = 0xcc };

static struct code_cache *cache;
static struct x64_jit *jit;
static struct x64_compiler *compiler;
static bool wants_single;
static struct x64_target no_targets[X64_PROBE_SIZE] __attribute__((aligned(X64_PROBE_PAIR)));

/* Nobody runs while code is made: what the cache empties is free at once. */
static void no_owner(void *opaque, void *owner)
{
	(void)opaque;
	(void)owner;
}

static void free_chunk(void *opaque, unsigned chunk)
{
	(void)opaque;
	code_chunk_free(cache, chunk);
}

static const struct code_cache_ops cache_ops = { .evict = no_owner, .retire = free_chunk };

static struct x64_code *no_next(struct jit_env *env, struct x64_code *from, unsigned n)
{
	(void)env;
	wants_single = from && n < from->exit_count && from->exits[n].to_single;
	return NULL;
}

static bool never_hits(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	(void)env;
	(void)view;
	(void)addr;
	(void)size;
	return false;
}

static const struct x64_ops ops = { .next = no_next, .hits_code = never_hits };

bool tier1_init(struct err *err)
{
	if (!x64_host_ok(err))
		return false;
	cache = code_cache_new(CACHE_SIZE, TRAP, &cache_ops, NULL, err);
	jit = cache ? x64_jit_new(cache, &x86_state_desc, &ops, err) : NULL;
	if (!jit)
		return false;
	compiler = x64_compiler_new(jit);
	no_targets[0].pc = no_targets[1].pc = 2 << 4; /* of another pair, as 0 is for all others */
	return true;
}

void tier1_print(const struct x64_code *code, FILE *out)
{
	fprintf(out, "host code: %u bytes, entered at %" PRIx64 "\n", code->size, code->run);
	tcg_disas((const uint8_t *)(uintptr_t)code->base, code->size, code->base, out);
}

bool tier1_make(struct jit_env *env, struct x64_code **code, const struct ir_block *ir, bool singly)
{
	unsigned how = (env->mode & MODE_CODE64 ? X64_FREE : 0u) | (singly ? X64_SINGLE : 0u);
	enum x64_result r = x64_compile(compiler, code, ir, env->pc, how, NULL);

	if (r == X64_TOO_BIG)
		return false;
	if (r == X64_DONE)
		return true;
	fprintf(stderr, "no room in the code cache\n");
	abort();
}

enum x64_why tier1_run(struct jit_env *env, const struct x64_code *code)
{
	wants_single = false;
	env->probe = (uintptr_t)no_targets;
	return x64_run(jit, env, code);
}

bool tier1_wants_single(void) { return wants_single; }

void tier1_drop(struct x64_code *code) { code_drop(cache, code->base); }
