/* jit/x64/x64.h - the x86-64 back end: a block of IR becomes host code, and is run.
 *
 * The guest's general registers live in the host's in all of it, so that blocks follow each other
 * without a word; docs/decisions/0004-tier-1.md has the sequences.  Blocks leave to C only where
 * nothing leads on, for faults, and when asked.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "jit/code_cache.h"
#include "jit/env.h"
#include "jit/ir.h"

struct err;
struct x64_code;

/* A way out of a block by EXIT or EXIT_IF. */
struct x64_exit {
	int64_t pc_delta; /* target's pc minus the block's, before it is cut */
	uint16_t jump;    /* offset from code->base of the displacement that linking writes */
	uint16_t stub;    /* offset of where it leads while it is not linked */
	uint16_t probe;   /* offset of code that looks for the target by its pc, or 0: none */
	uint16_t key;     /* to another page: offset of its key, 8 bytes; else 0 */
	uint16_t ask;     /* then: where it asks for a key, before it goes to that page */
	/* Past the record of flags, to the plain entry of a target that sees none: offset of the
	 * displacement of the jump that leads there, or 0: there is no such way; and of the record.
	 * If links are polled, this one was before. */
	uint16_t skip, record;
	bool is_polled : 1; /* links go to the target's poll entry: backward jumps */
	bool to_single : 1; /* to code without groups (X64_SINGLE), which nobody else leads to */
	bool is_stale : 1; /* taken instead of the block: its bytes are not what it was made from */
	bool can_link : 1; /* the target lies on the block's page (or the mode's code is at one pc)
			    */
	bool is_past;      /* x64_link()'s: it leads past the record now */
};
BUILD_ASSERT(sizeof(struct x64_exit) == 24);

/* The code of one block.  First member of the accelerator's, which x64_compile() makes. */
struct x64_code {
	uint64_t base;        /* address of its first byte; 0: not compiled */
	uint64_t run;         /* the plain entry */
	uint64_t poll_entry;  /* looks for requests first */
	uint64_t probe_entry; /* the same, entered with the pc in a scratch register */
	uint64_t pc_base;     /* of the entry: offset in its page (is_free), or its pc */
	uint32_t size;        /* bytes, stubs included */
	uint16_t exit_count, insn_count;
	uint16_t site_count, recipe_count; /* behind the exits: tables.c */
	uint8_t pc_size;                   /* log2 */
	bool is_free;     /* pc_base is an offset in the page that the block is entered in */
	bool kills_flags; /* as of struct ir_block */
	struct x64_exit *exits;
};

enum x64_why {
	X64_ASKED,   /* exit_request: env->pc is the next instruction */
	X64_FAULT,   /* env->fault: env->pc is the faulting instruction */
	X64_LOOP,    /* EXIT_LOOP, EXIT_STATE, no next block: look around, go on at env->pc */
	X64_RESTART, /* the instruction at env->pc must be run alone by the interpreter: it stores
		      * to translated code, and nothing of that has happened yet but loads
		      * (env->has_loaded) */
};

struct x64_ops {
	/* The block for env->pc in env->mode after `from` was left by exit n, linked (x64_link())
	 * if that may be.  From NULL, n says how: X64_INDIRECT: by EXIT_TO or to another page, to
	 * be entered in the table of targets; X64_LOOPED: by EXIT_LOOP or EXIT_STATE: look whether
	 * the guest is halted, stepped ...; X64_FAULTED: with env->fault, the guest being before
	 * its instruction: the same when the exception is delivered.  NULL: leave to the caller of
	 * x64_run(), perhaps with env->fault. */
	struct x64_code *(*next)(struct jit_env *env, struct x64_code *from, unsigned n);
	/* Would a store of these bytes hit translated code?  Asked before it is made. */
	bool (*hits_code)(struct jit_env *env, unsigned view, gva_t addr, unsigned size);
	/* Is a load of these bytes watched?  Asked before it is made, where env->has_watches. */
	bool (*is_watched)(struct jit_env *env, gva_t addr, unsigned size);
	/* Of the accelerator's block, x64_code included (0: there is nothing else); and of what it
	 * has behind that for each exit. */
	size_t block_size, exit_size;
};
enum { X64_INDIRECT = 0xffff, X64_LOOPED = 0xfffe, X64_FAULTED = 0xfffd };

/* Indirect targets of one mode, by pc: what EXIT_TO looks into.  A pc may be in either place of its
 * pair, which is found first at its index.  An empty one has a pc of another pair.  The accelerator
 * fills and clears them; env->probe is the present one, aligned to a pair. */
struct x64_target {
	uint64_t pc;
	uint64_t entry; /* code->probe_entry */
};
enum { X64_PROBE_BITS = 14, X64_PROBE_SIZE = 1 << X64_PROBE_BITS };
enum { X64_PROBE_PAIR = 2 * sizeof(struct x64_target) };
static inline unsigned x64_probe_index(uint64_t pc)
{
	return (unsigned)(pc ^ pc >> 4) & (X64_PROBE_SIZE - 1);
}

/* What all threads share: the code cache's fixed code and the facts of the guest. */
struct x64_jit;
/* Compiling: one per thread. */
struct x64_compiler;

/* Can this host run it (BMI1, BMI2, AVX ...)?  False: err says what is missing. */
bool x64_host_ok(struct err *err);
/* Writes the fixed code into the cache.  NULL: err. */
struct x64_jit *x64_jit_new(struct code_cache *cache, const struct ir_state_desc *desc,
			    const struct x64_ops *ops, struct err *err);
void x64_jit_free(struct x64_jit *j);
/* Tell where each piece of the fixed code is, for profilers. */
typedef void x64_thunk_fn(void *opaque, const char *name, uint64_t start, uint32_t size);
void x64_thunks_tell(const struct x64_jit *j, x64_thunk_fn *tell, void *opaque);

struct x64_compiler *x64_compiler_new(struct x64_jit *j);
void x64_compiler_free(struct x64_compiler *c);

enum x64_result {
	X64_DONE,
	X64_TOO_BIG, /* use fewer instructions */
	X64_NO_ROOM, /* the cache has none at the moment: leave the RCU reader, code_cache_wait() */
};
enum {
	X64_FREE = 1u << 0,   /* will also be run at other addresses with this offset in a page */
	X64_SINGLE = 1u << 1, /* every access is checked by itself */
};
/* Compile ir, made for code at pc.  *code: the block (x64_ops.block_size), which the code is
 * committed for in the cache, and whose memory goes with it; all but the x64_code is zero.
 * Accesses near each other are checked as one; where that fails the block is left by an exit that
 * is to_single, at their first instruction.  how: bits of the above.  origin: what is compared at
 * each entry, NULL: nothing; it lives as long as the code.  Context: the compiler's thread. */
enum x64_result x64_compile(struct x64_compiler *c, struct x64_code **code,
			    const struct ir_block *ir, uint64_t pc, unsigned how,
			    const struct jit_origin *origin);
/* Let exit n of code lead to target, or (NULL) to its stub again.  Context: any thread; the caller
 * serializes links of one exit. */
void x64_link(struct x64_jit *j, struct x64_code *code, unsigned n, const struct x64_code *target);
/* An exit to another page goes on without looking for its target where its key is the address of
 * the page that it leaves, XOR env->name: names are of a vCPU and what is mapped there, so that a
 * key is right on one vCPU, at one address, as long as that stays.  Names have no bits but those of
 * X64_NAME_BITS; and as addresses have none of the lower of these, and are canonical, no other
 * address and name have that key.  0 is no name, so that X64_NO_KEY is nobody's.
 *
 * Such an exit is linked to what its key says, and from its first key on to nothing but blocks of
 * the same code: another vCPU may be between its look at the key and the jump. */
#define X64_NAME_BITS UINT64_C(0xffff000000000fff)
enum { X64_NO_KEY = 0 };
/* Give exit n (one with a key) this one.  Context: as x64_link(). */
void x64_key(struct x64_jit *j, struct x64_code *code, unsigned n, uint64_t key);

/* Let exit n, whose target must not be linked, look for it in the table of targets from now on.
 * False: this one can only ask.  Context: as x64_link(). */
bool x64_link_probe(struct x64_jit *j, struct x64_code *code, unsigned n);

/* Run from code (for env->pc) on.  On return the flags slot, registers and env->pc are true. */
enum x64_why x64_run(struct x64_jit *j, struct jit_env *env, const struct x64_code *code);
