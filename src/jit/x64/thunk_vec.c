/* jit/x64/thunk_vec.c - fixed code: the guest's vectors and x87 state, into the host's registers
 * and back.
 *
 * The host's MXCSR has all exceptions masked; the guest's differs from it, if at all, in masks and
 * flags, so that merging the flags makes the guest's true again.
 * SPDX-License-Identifier: MIT */
#include "jit/native.h"
#include "jit/x64/lower.h"

enum {
	RESIDENT = 14,
	MXCSR_FLAGS = 0x3f,
	MXCSR_MASKS = 0x1f80,
	MXCSR_C = 0x1f80,
	MXCSR_ALL = 0xffff
};

static struct x64_rm at(const struct x64_jit *j, uint32_t offset)
{
	return x64_m(P, (int32_t)(offset - j->anchor));
}
#define AT_ENV(j, field) at((j), (uint32_t)offsetof(struct jit_env, field))

static struct x64_rm vector(const struct x64_jit *j, unsigned n)
{
	return at(j, j->desc->native->vectors + 32 * n);
}

static uint64_t begin(struct x64_asm *a)
{
	x64_align(a, THUNK_ALIGN);
	return x64_pc(a);
}

/* Registers and flags to the state, the host's MXCSR; destroys EAX. */
static uint64_t emit_save_routine(struct x64_asm *a, const struct x64_jit *j)
{
	uint64_t start = begin(a);
	struct x64_rm top = x64_m(X64_RSP, 0);

	x64_push(a, X64_RAX);
	x64_stmxcsr(a, top);
	x64_mov(a, 4, X64_RAX, top);
	x64_alu_i(a, X64_AND, 4, x64_r(X64_RAX), MXCSR_FLAGS);
	x64_alu_to(a, X64_OR, 4, at(j, j->desc->native->mxcsr), X64_RAX);
	x64_mov_i(a, 4, top, MXCSR_C);
	x64_ldmxcsr(a, top);
	x64_pop(a, X64_RAX);
	for (unsigned n = 0; n < RESIDENT; n++)
		x64_vmovups_to(a, 32, vector(j, n), n);
	x64_vzeroupper(a);
	x64_ret(a);
	return start;
}

/* The reverse; destroys EFLAGS alone. */
static uint64_t emit_load_routine(struct x64_asm *a, const struct x64_jit *j)
{
	uint64_t start = begin(a);

	x64_push(a, X64_RAX);
	x64_mov(a, 4, X64_RAX, at(j, j->desc->native->mxcsr));
	x64_alu_i(a, X64_OR, 4, x64_r(X64_RAX), MXCSR_MASKS);
	x64_alu_i(a, X64_AND, 4, x64_r(X64_RAX), MXCSR_ALL);
	x64_push(a, X64_RAX);
	x64_ldmxcsr(a, x64_m(X64_RSP, 0));
	x64_pop(a, X64_RAX);
	x64_pop(a, X64_RAX);
	for (unsigned n = 0; n < RESIDENT; n++)
		x64_vmovups(a, 32, n, vector(j, n));
	x64_mov_i(a, 1, AT_ENV(j, has_vectors), 1);
	x64_ret(a);
	return start;
}

/* Call routine if the flag in env is set. */
static void emit_if(struct x64_asm *a, struct x64_rm flag, uint64_t routine)
{
	struct x64_label over = X64_LABEL;

	x64_alu_i(a, X64_CMP, 1, flag, 0);
	x64_jcc_short(a, X64_CC_E, &over);
	x64_call_at(a, routine);
	x64_bind(a, &over);
}

static void emit_c(struct x64_asm *a, const struct x64_jit *j, void (*fn)(struct jit_env *))
{
	x64_lea(a, 8, X64_RDI, x64_m(P, -(int32_t)j->anchor));
	x64_mov_ri(a, X64_RAX, (uint64_t)(uintptr_t)fn);
	x64_call_rm(a, x64_r(X64_RAX));
}

/* By C; keeps S0 and S1.  The guest's registers are published, vectors are not in the host's. */
static uint64_t emit_x87_save_routine(struct x64_asm *a, const struct x64_jit *j)
{
	uint64_t start = begin(a);

	x64_push(a, S0);
	x64_push(a, S1);
	x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), 8);
	emit_c(a, j, x64_rt_x87_save);
	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 8);
	x64_pop(a, S1);
	x64_pop(a, S0);
	x64_ret(a);
	return start;
}

/* From a block: keeps all registers. */
static uint64_t emit_x87_block_routine(struct x64_asm *a, const struct x64_jit *j,
				       void (*fn)(struct jit_env *))
{
	static const uint8_t caller_saved[] = { X64_RAX, X64_RCX, X64_RDX, X64_RSI, X64_RDI,
						X64_R8,  X64_R9,  X64_R10, X64_R11 };
	uint64_t start = begin(a);

	for (unsigned i = 0; i < ARRAY_SIZE(caller_saved); i++)
		x64_push(a, caller_saved[i]);
	emit_if(a, AT_ENV(j, has_vectors), j->thunk.vectors_save);
	emit_c(a, j, fn);
	emit_if(a, AT_ENV(j, has_vectors), j->thunk.vectors);
	for (unsigned i = ARRAY_SIZE(caller_saved); i--;)
		x64_pop(a, caller_saved[i]);
	x64_ret(a);
	return start;
}

void vec_thunks(struct x64_asm *a, const struct x64_jit *j, struct x64_thunks *out)
{
	if (!j->desc->native)
		return;
	out->vectors_save = emit_save_routine(a, j);
	out->vectors = emit_load_routine(a, j);
	out->x87_save = emit_x87_save_routine(a, j);
	out->x87 = emit_x87_block_routine(a, j, x64_rt_x87_load);
	out->x87_unload = emit_x87_block_routine(a, j, x64_rt_x87_save);
}

void vec_emit_save(struct x64_asm *a, const struct x64_jit *j, bool is_all)
{
	if (!j->desc->native)
		return;
	emit_if(a, AT_ENV(j, has_vectors), j->thunk.vectors_save);
	if (!is_all)
		return;
	x64_mov_i(a, 1, AT_ENV(j, has_vectors), 0);
	emit_if(a, AT_ENV(j, has_x87), j->thunk.x87_save);
}

void vec_emit_load(struct x64_asm *a, const struct x64_jit *j)
{
	if (j->desc->native)
		emit_if(a, AT_ENV(j, has_vectors), j->thunk.vectors);
}

void vec_emit_gone(struct x64_asm *a, const struct x64_jit *j)
{
	if (j->desc->native)
		x64_mov_i(a, 1, AT_ENV(j, has_vectors), 0);
}

void vec_emit_leave(struct x64_asm *a, const struct x64_jit *j)
{
	if (!j->desc->native)
		return;
	x64_mov_i(a, 1, AT_ENV(j, has_vectors), 0);
	emit_if(a, AT_ENV(j, has_x87), j->thunk.x87_save);
}
