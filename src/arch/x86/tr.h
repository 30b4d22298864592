/* arch/x86/tr.h - what translate functions are written with.
 *
 * A translate function turns one decoded instruction into IR.  Order matters: everything that can
 * fault (loads, stores, raising) comes before the first tr_put*() or flag change, because a fault
 * leaves the guest state as the ops so far left it.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/decode.h"
#include "arch/x86/state.h"
#include "jit/ir.h"
#include "jit/native.h"

/* A linear address: value base (IR_NONE: 0) plus disp. */
struct tr_place {
	ir_val base;
	int64_t disp;
};

struct x86_tr {
	struct x86_cpu *cpu; /* constants only: model, features */
	struct x86_fetch *fetch;
	struct ir_builder *b;
	uint64_t mode; /* the block's mode word */
	struct x86_insn in;
	uint64_t entry_pc; /* RIP/EIP of the block's entry; meaningful in code only when not CODE64
			    */
	int32_t delta;     /* this instruction's pc minus entry_pc */
	int32_t join;      /* the first one ahead that a branch of the block leads to */
	int32_t next;      /* the following instruction's */
	bool ended;        /* an op that ends the block was emitted */
	bool ends_after;   /* the driver must end the block after this instruction (EXIT_LOOP) */
	bool has_addr;     /* addr is computed */
	bool is_edge;      /* a branch may lead to where no code can be (64-bit mode) */
	bool is_watched;   /* something is looked at before each instruction */
	struct tr_place addr; /* linear address of the ModRM operand */
};

typedef void x86_tr_fn(struct x86_tr *t);

static inline bool tr_is64(const struct x86_tr *t) { return t->mode & MODE_CODE64; }
static inline unsigned tr_cpl(const struct x86_tr *t) { return (t->mode >> MODE_CPL_SHIFT) & 3; }
/* Protected mode proper (not real, not virtual-8086). */
static inline bool tr_is_protected(const struct x86_tr *t)
{
	return (t->mode & (MODE_PE | MODE_VM86)) == MODE_PE;
}
static inline unsigned tr_opsize(const struct x86_tr *t) { return t->in.opsize; }
/* Bytes of a push: opsize with d64 rules is in.opsize; of the stack pointer: */
static inline unsigned tr_stack_size(const struct x86_tr *t)
{
	return t->mode & MODE_CODE64 ? 8 : t->mode & MODE_STACK32 ? 4 : 2;
}
static inline bool tr_is_mem(const struct x86_tr *t) { return t->in.mod < 3; }
static inline unsigned tr_size(const struct x86_tr *t, unsigned n)
{
	return x86_operand_size(&t->in, n);
}

/* ---- registers ---- */
#define OFS_GPR(r) ((uint32_t)offsetof(struct x86_cpu, gpr) + 8 * (uint32_t)(r))
#define OFS_SEG(s, f)                                                              \
	((uint32_t)(offsetof(struct x86_cpu, seg) + sizeof(struct x86_seg) * (s) + \
		    offsetof(struct x86_seg, f)))
#define OFS(f) ((uint32_t)offsetof(struct x86_cpu, f))
/* General register r as of REX-less or REX byte encoding: size 1 knows AH..BH. */
ir_val tr_get_reg(struct x86_tr *t, unsigned size, unsigned r);
/* Size 4 clears the upper half, 1 and 2 keep the rest. */
void tr_put_reg(struct x86_tr *t, unsigned size, unsigned r, ir_val v);

/* ---- operands by number, as the row lists them ---- */
ir_val tr_read(struct x86_tr *t, unsigned n);
/* Of its size only: above that it may have anything. */
ir_val tr_read_low(struct x86_tr *t, unsigned n);
/* Like tr_read_low; memory must be writable (tr_write of the same operand follows). */
ir_val tr_read_rmw(struct x86_tr *t, unsigned n);
void tr_write(struct x86_tr *t, unsigned n, ir_val v);
/* Is it an immediate, and known?  *v: sign-extended. */
bool tr_imm(struct x86_tr *t, unsigned n, uint64_t *v);
/* Is LOCK in force: memory operand n and a LOCK prefix? */
bool tr_locked(const struct x86_tr *t);

/* ---- memory ---- */
/* How an access is checked when segments are not flat. */
enum tr_access { TR_ACCESS_READ, TR_ACCESS_WRITE, TR_ACCESS_RMW };
/* Effective address (offset) of the ModRM/moffs operand, cut to the address size. */
ir_val tr_ea(struct x86_tr *t);
/* Linear address of size bytes at offset ea in segment seg, checked for access; raises #GP/#SS. */
struct tr_place tr_linear(struct x86_tr *t, unsigned seg, ir_val ea, unsigned size,
			  enum tr_access access);
/* Linear address of the ModRM/moffs operand's size bytes; computed once per instruction. */
struct tr_place tr_addr(struct x86_tr *t, unsigned size, enum tr_access access);
/* The address as one value. */
ir_val tr_place_value(struct x86_tr *t, struct tr_place p);
/* Load and store at a linear address (#AC check included). */
ir_val tr_load(struct x86_tr *t, unsigned size, struct tr_place p, unsigned mem_flags);
void tr_store(struct x86_tr *t, unsigned size, struct tr_place p, ir_val v);
/* Part of a bigger ModRM memory operand, disp bytes into it (far pointers, bounds). */
ir_val tr_load_mem(struct x86_tr *t, unsigned size, int64_t disp);
void tr_store_mem(struct x86_tr *t, unsigned size, int64_t disp, ir_val v);
/* Exception v (#AC, #GP; code 0) unless the address is a multiple of `align` bytes. */
void tr_check_aligned(struct x86_tr *t, struct tr_place p, unsigned align, enum x86_vector v);

/* ---- stack.  Stores and loads at SS:rSP+disp leave rSP alone; commit with tr_stack_add after the
 * last one that can fault. ---- */
void tr_stack_store(struct x86_tr *t, unsigned size, int64_t disp, ir_val v);
ir_val tr_stack_load(struct x86_tr *t, unsigned size, int64_t disp);
/* Fault if a store there would (ENTER). */
void tr_stack_probe(struct x86_tr *t, unsigned size, int64_t disp);
/* Move rSP by n bytes (SS.B or 64-bit rules). */
void tr_stack_add(struct x86_tr *t, int64_t n);
/* One push, rSP moved. */
void tr_stack_push(struct x86_tr *t, unsigned size, ir_val v);

/* ---- control ---- */
/* Raise an exception here; nothing of the instruction after it executes.  _gp0: #GP(0). */
void tr_raise(struct x86_tr *t, enum x86_vector v);
void tr_raise_code(struct x86_tr *t, enum x86_vector v, uint32_t code);
void tr_raise_if(struct x86_tr *t, ir_val cond, enum x86_vector v);
void tr_raise_code_if(struct x86_tr *t, ir_val cond, enum x86_vector v, uint32_t code);

/* #UD; also the translate function of UD0-UD2. */
void tr_ud(struct x86_tr *t);
static inline void tr_gp0(struct x86_tr *t) { tr_raise_code(t, EXC_GP, 0); }
/* Branch to the near target of a J operand; offset size and CS limit rules included. */
void tr_jump_rel(struct x86_tr *t);
/* The same for a call whose limit is checked and return address pushed. */
void tr_call_rel(struct x86_tr *t);
/* Just the CS limit check of that branch (taken when cond, IR_NONE: always), for branches that
 * change state first. */
void tr_check_rel(struct x86_tr *t, ir_val cond);
/* The same when cond.  Otherwise the block goes on with the next instruction, unless that is likely
 * to be the end of a loop. */
void tr_jump_rel_if(struct x86_tr *t, ir_val cond);
/* Continue at offset v in CS (cut to the operand size); call tr_check_target(v) before, and before
 * anything the branch changes. */
void tr_jump_to(struct x86_tr *t, ir_val v, enum ir_branch kind);
/* End of block: mode, mappings or interrupt state may differ afterwards. */
void tr_end_loop(struct x86_tr *t);
/* End of block: a helper has written RIP (far transfers, IRET, task switch, SYSCALL ...). */
void tr_end_state(struct x86_tr *t);
/* Value of the next instruction's RIP/EIP/IP (what CALL pushes), cut to size bytes. */
ir_val tr_next_pc(struct x86_tr *t, unsigned size);

/* An offset value for branch targets: #GP(0) unless canonical (64-bit) or within CS (else). */
void tr_check_target(struct x86_tr *t, ir_val v);

/* ---- FPU and vector guards: emit #UD/#NM/#MF; false: nothing more to translate ---- */
bool tr_require_x87(struct x86_tr *t);
bool tr_require_mmx(struct x86_tr *t);
bool tr_require_sse(struct x86_tr *t);
bool tr_require_avx(struct x86_tr *t);

/* Generic handler of vec(...) rows (tr_vec.c).  dst: operand 0.  With three or more register/memory
 * operands src1, src2, src3 are operands 1, 2, 3; with two, src1 = dst and src2 is operand 1 (src3:
 * none); with one, both are dst.
 * A third operand that is not an immediate and belongs to a row without VEX is src3 (BLENDV's
 * XMM0). Memory is loaded to, or stored from, vtmp[0].  General registers: sources travel in
 * `value` (zero extended, srcN = UINT32_MAX), a destination's slot is dst and fn stores all 8 bytes
 * of it. */
void tr_vec(struct x86_tr *t);
/* The facts of a vector instruction (jit/native.h) but RULE_HOST, and whether the mode allows
 * that. */
uint64_t tr_vec_rule(const struct x86_tr *t);
bool tr_vec_is_host(const struct x86_tr *t);
/* vlen: 32 with VEX.L, else 16; 8 when MMX registers alone are named. */
enum { VEC_NONE = UINT32_MAX };
#define OFS_YMM(r)  ((uint32_t)offsetof(struct x86_cpu, ymm) + 32 * (uint32_t)(r))
#define OFS_VTMP(i) ((uint32_t)offsetof(struct x86_cpu, vtmp) + 64 * (uint32_t)(i))
#define OFS_MM(r)   ((uint32_t)offsetof(struct x86_cpu, fpr) + 16 * (uint32_t)(r))
