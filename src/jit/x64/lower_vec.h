/* jit/x64/lower_vec.h - vector and x87 instructions of a guest of the host's own kind: done by the
 * host, in registers that hold the guest's.
 *
 * Vectors: guest registers 0-13 and MXCSR live in the host's while env->has_vectors; 14 and 15 stay
 * in the state, and xmm14, xmm15 stand in for them within an instruction.  The host's exceptions
 * are all masked, and code that unmasks one is another mode, in which instructions that could raise
 * it are done by their semantics.  A block's first vector instruction looks whether the registers
 * are there; what calls C takes them away (thunk_vec.c).
 *
 * A memory operand that is loaded just for the instruction, and a result that is stored right
 * behind it, are the instruction's own memory operand.
 *
 * x87: the same with env->has_x87 and all of the FPU's state but its pointers.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/x64/asm_vec.h"

struct stub;
struct x64_compiler;
struct x64_jit;

/* What is known while a block is lowered. */
struct vec_state {
	bool has_vectors, has_x87; /* the guest's are in the host's registers here */
	uint16_t folded; /* NATIVE or CALL whose memory operand is [S0 + folded_disp], or 0 */
	int32_t folded_disp;
	uint16_t deferred, store; /* NATIVE that the op store does, or 0 */
};

/* Bit n: the host has what enum rule_needs n says. */
uint8_t vec_host_needs(void);

void vec_begin(struct x64_compiler *c);
/* C was called, or may have been: whoever needs the registers next looks again. */
void vec_forget(struct x64_compiler *c);

/* NATIVE and CALL: done here, or false: the caller calls the function. */
bool vec_native(struct x64_compiler *c, unsigned i);
bool vec_call(struct x64_compiler *c, unsigned i);
/* VLOAD i, whose bytes [S0 + disp] is: is it the next instruction's operand?  Then nothing is
 * copied. */
bool vec_load(struct x64_compiler *c, unsigned i, int32_t disp);
/* The same of PUT i, of a value that is still in memory. */
bool vec_put(struct x64_compiler *c, unsigned i);
/* STORE or VSTORE i, if it is the end of an instruction that stores. */
bool vec_store(struct x64_compiler *c, unsigned i);

/* Stubs: STUB_VECTORS, STUB_X87, STUB_X87_UNLOAD, STUB_HELPER wholly; of STUB_STORE with `native`:
 * the bytes to m. */
void vec_stub(struct x64_compiler *c, struct stub *s);
void vec_stub_store(struct x64_compiler *c, const struct stub *s, struct x64_rm m);

/* A stub in which CALL i's helper does it all, its first argument being in bounce, the second a
 * constant; behind it the registers are where they are now.  S0 and S1 are free.  is_end: nothing
 * of the instruction follows, so that a new mode can take over at once. */
struct stub *vec_helper_stub(struct x64_compiler *c, unsigned i, bool is_end);
/* EFLAGS are the bits of CALL i's result: to reg, which is free. */
void vec_take_flags(struct x64_compiler *c, unsigned i, unsigned reg);

/* ---- lower_x87.c ---- */
bool x87_native(struct x64_compiler *c, unsigned i);
bool x87_call(struct x64_compiler *c, unsigned i, uint64_t rule);
/* Op i gets or puts state at offset as such: it must be there. */
void x87_touch(struct x64_compiler *c, unsigned i, uint64_t offset);

/* ---- thunk_vec.c ---- */
struct x64_thunks;
void vec_thunks(struct x64_asm *a, const struct x64_jit *j, struct x64_thunks *out);
/* Before C is called, with the guest's registers published; destroys EFLAGS and RAX.  is_all: C may
 * look at, or change, all of the state, and the registers are not loaded again. */
void vec_emit_save(struct x64_asm *a, const struct x64_jit *j, bool is_all);
/* Behind it, if not is_all. */
void vec_emit_load(struct x64_asm *a, const struct x64_jit *j);
/* They are not in the host's registers any more: they were saved. */
void vec_emit_gone(struct x64_asm *a, const struct x64_jit *j);
/* Translated code is left. */
void vec_emit_leave(struct x64_asm *a, const struct x64_jit *j);

/* ---- run_x87.c ---- */
struct jit_env;
void x64_rt_x87_load(struct jit_env *env);
void x64_rt_x87_save(struct jit_env *env);
