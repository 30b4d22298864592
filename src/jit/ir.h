/* jit/ir.h - the intermediate representation: guest instructions as linear arrays of small ops.
 *
 * A block is straight-line code with one entry and side exits.  Every op's result is an SSA value
 * named by the op's index; operand fields hold such indices.  Index 0 is always a NOP, so that 0
 * means "none".  Guest state is memory behind `env`, reached by GET/PUT at byte offsets.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"

enum ir_code {
#define IR_OP(name, operands, props) IR_##name,
#include "jit/ir_ops.def"
#undef IR_OP
	IR_CODE_COUNT
};

enum {
	IR_NONE = 0,
	IR_MAX_OPS = 4096,
	/* Of tables by op: were it a power of two, their first entries, which most blocks make do
	 * with, would all compete for the same lines of a first-level cache. */
	IR_TABLE_OPS = IR_MAX_OPS + 176,
};

/* form: bits 0-1 log2 of the size, then: */
enum {
	IR_FORM_IMM = 1u << 2,   /* operand b is imm (sign-extended as written) */
	IR_FORM_FLAGS = 1u << 3, /* somebody reads the flags of this op */
	IR_FORM_WIDTH_SHIFT = 4, /* 2 bits: log2 of the bytes above which the value is zero */
};

struct ir_op {
	uint8_t code; /* enum ir_code */
	uint8_t form;
	uint16_t a, b, c;
	uint64_t imm;
};
BUILD_ASSERT(sizeof(struct ir_op) == 16);

/* Bits of a flags value: EFLAGS positions, so that an x86 host needs no conversion. */
enum ir_flag {
	IR_C = 1u << 0,
	IR_P = 1u << 2,
	IR_A = 1u << 4,
	IR_Z = 1u << 6,
	IR_S = 1u << 7,
	IR_O = 1u << 11,
	IR_FLAGS_ALL = IR_C | IR_P | IR_A | IR_Z | IR_S | IR_O,
};

/* Conditions in x86's order (Jcc opcode low nibble). */
enum ir_cond {
	IR_COND_O,
	IR_COND_NO,
	IR_COND_B,
	IR_COND_AE,
	IR_COND_E,
	IR_COND_NE,
	IR_COND_BE,
	IR_COND_A,
	IR_COND_S,
	IR_COND_NS,
	IR_COND_P,
	IR_COND_NP,
	IR_COND_L,
	IR_COND_GE,
	IR_COND_LE,
	IR_COND_G,
};
enum ir_cmp { IR_EQ, IR_NE, IR_LTU, IR_GEU, IR_LEU, IR_GTU, IR_LTS, IR_GES, IR_LES, IR_GTS };
enum ir_mem {
	/* A load that will be written back: must be writable, faults as a write. */
	IR_MEM_RMW = 1u << 0,
};
enum { IR_VIEW_CURRENT = 0 }; /* c of LOAD: 0 = the block's own view, else view number + 1 */
/* What an exit most likely is to its guest: hints, which change nothing that it sees.  A call will
 * be returned to right behind its instruction. */
enum ir_branch { IR_BRANCH_JUMP, IR_BRANCH_CALL, IR_BRANCH_RET };

/* What a host of the guest's kind has an instruction for, without memory; more than the helper's
 * result and the general registers 0 and 2 does not change.  DIV, IDIV: registers 2:0 (of 1 byte:
 * bits 0-15 of 0) by a, of b bytes. */
enum ir_host_op { IR_HOST_NONE, IR_HOST_DIV, IR_HOST_IDIV };

/* A C function callable from IR.  It gets env and up to three values.  A helper that faults records
 * the fault in env (env->fault != 0) and returns; the executor leaves the block at once, the state
 * being that before the current instruction's remaining ops. */
typedef uint64_t ir_helper_fn(void *env, uint64_t a, uint64_t b, uint64_t c);
struct ir_helper {
	const char *name;
	ir_helper_fn *fn;
	/* It faults whenever it is called: nothing after the call is reached. */
	bool always_faults;
	bool can_fault;    /* look at env->fault after the call */
	bool is_pure;      /* result depends on a, b, c alone: may be dropped, shared */
	bool reads_flags;  /* wants the flags slot up to date */
	bool writes_flags; /* leaves new flags in their slot: its instruction can't fault now */
	bool reads_pc;     /* wants the pc slot to be the current instruction's */
	bool runs_once;    /* does more than change the guest's state and memory: ports, time ... */
	bool ends_block;   /* mode or mapping may differ after it (the translator ends the block) */
	/* It neither reads nor changes general registers, vectors, x87 or the six flags, and never
	 * faults: can_fault says that it may set env->code_stored. */
	bool is_quick;
	/* NULL, or the usual case of fn, where that writes the flags slot: all of it, while the six
	 * flags in the slot need not be up to date, or nothing (false). */
	bool (*shortcut)(void *env, uint64_t a, uint64_t b, uint64_t c);
	/* Where sets or clears are not 0, or view_plus_1 is not, this is all it does, and a back
	 * end can do it itself: bits of the 4 bytes of state at `slot`, none of them one of the six
	 * flags, and the view of accesses from now on. */
	uint8_t view_plus_1;
	uint32_t slot, sets, clears;
	/* 1 to 3: that argument is a constant rule (jit/native.h), by which a host of the same kind
	 * can do it itself; the result is the same. */
	uint8_t rule_arg;
	uint8_t host_op; /* enum ir_host_op */
};

/* A vector or FP instruction on state slots: the interpreter calls fn; a back end that has a rule
 * for `rule` emits the host's own instruction.  Lives in the block's arena. */
struct ir_native;
typedef void ir_native_fn(void *env, const struct ir_native *n, uint64_t value);
struct ir_native {
	ir_native_fn *fn;
	const char *name;
	uint32_t dst, src1, src2, src3; /* byte offsets in the state; UINT32_MAX: none */
	uint8_t imm;
	uint8_t vlen;    /* bytes: 8, 16, 32 */
	uint8_t esize;   /* element bytes where it matters */
	bool zero_upper; /* clear the destination register above vlen (VEX) */
	bool can_fault;  /* look at env->fault after it (unmasked SIMD FP exceptions) */
	uint64_t rule;   /* guest encoding facts for re-emission: jit/native.h */
};

/* Where each guest instruction begins: for precise faults. */
struct ir_insn {
	uint16_t first_op;
	uint16_t flags_op; /* op whose flags are the architectural ones at its start; 0: the slot */
	int32_t pc_delta;  /* its pc minus the block's */
	uint8_t len;       /* bytes */
};

/* Who uses an op as a value. */
struct ir_use {
	uint16_t count; /* operands, of all ops; 1 where an op has no result */
	uint16_t last;  /* the last op, addresses of accesses not counted; or 0 */
};

struct ir_block {
	struct ir_op *ops;
	struct ir_insn *insns;     /* and one more: where the last one's ops end */
	const struct ir_use *uses; /* by op */
	uint16_t op_count, insn_count;
	uint64_t mode;    /* arch's mode word the translation holds for */
	uint8_t pc_size;  /* log2 bytes of pc arithmetic */
	bool kills_flags; /* nothing in it, and nobody it leaves to, sees the flags of before */
};

/* What the compiler must know of a guest's state struct. */
struct ir_slot {
	const char *name; /* "rax", for the text form */
	uint16_t offset, size;
	uint8_t pin; /* preferred host register class/number for tier 1; 0 none */
};
struct ir_state_desc {
	const struct ir_slot *slots; /* sorted by offset, ends with name NULL */
	uint32_t pc_offset;          /* 8 bytes */
	uint32_t flags_offset; /* 4 bytes, flags at enum ir_flag positions; other bits are kept */
	uint32_t size;
	const struct ir_native_state *native; /* jit/native.h, or NULL */
};

/* ---- building ---- */

/* Arena, ops so far, current insn, current flags value; one per thread, reused. */
struct ir_builder;

struct ir_builder *ir_builder_new(const struct ir_state_desc *desc);
void ir_builder_free(struct ir_builder *b);
void ir_begin(struct ir_builder *b, uint64_t mode, unsigned pc_size_log2);
/* Start of a guest instruction at pc_delta from the block's entry. */
void ir_insn_begin(struct ir_builder *b, int32_t pc_delta);
/* Its end, len bytes on.  Room left for one more instruction of the worst size? */
bool ir_insn_end(struct ir_builder *b, unsigned len);
/* The finished block, valid until the next ir_begin().  What nobody reads is a NOP. */
const struct ir_block *ir_end(struct ir_builder *b);
/* Bytes that live as long as the finished block (struct ir_native). */
void *ir_arena(struct ir_builder *b, size_t bytes);

/* What was emitted, as an operand of what follows: the op that has its value in bits 0-15, the one
 * that has its flags in bits 16-31.  They differ, and may be older ones, where folding found that
 * out.  0: none. */
typedef uint32_t ir_val;

/* Emission of any op; the typed functions below are what translators use.  Sizes are bytes. */
ir_val ir_emit(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form, ir_val x,
	       ir_val y, ir_val z, uint64_t imm);
ir_val ir_const(struct ir_builder *b, uint64_t v);
/* x ^ x: 0, and the flags that go with it. */
ir_val ir_zero(struct ir_builder *b);
bool ir_is_const(const struct ir_builder *b, ir_val v, uint64_t *out);
ir_val ir_pc(struct ir_builder *b, int64_t delta);
ir_val ir_get(struct ir_builder *b, unsigned size, uint32_t offset);
/* The same where only those bytes count: what is above them may be anything. */
ir_val ir_get_low(struct ir_builder *b, unsigned size, uint32_t offset);
void ir_put(struct ir_builder *b, unsigned size, uint32_t offset, ir_val v);
/* One- and two-operand arithmetic; the flags of the result are had by ir_flags_set(). */
ir_val ir_un(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x);
ir_val ir_bin(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y);
ir_val ir_bini(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm);
/* The same where nobody wants the result. */
ir_val ir_bin_flags(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y);
ir_val ir_bini_flags(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x,
		     uint64_t imm);
/* With flags in: ADC SBB INC DEC, shifts and rotates. */
ir_val ir_binf(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y,
	       ir_val flags);
ir_val ir_binfi(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm,
		ir_val flags);
ir_val ir_zext(struct ir_builder *b, unsigned size, ir_val x);
ir_val ir_sext(struct ir_builder *b, unsigned from, unsigned to, ir_val x);
ir_val ir_lea(struct ir_builder *b, unsigned size, ir_val base, ir_val index, unsigned shift,
	      int64_t disp);
ir_val ir_cmp(struct ir_builder *b, enum ir_cmp c, unsigned size, ir_val x, ir_val y);
ir_val ir_cmpi(struct ir_builder *b, enum ir_cmp c, unsigned size, ir_val x, uint64_t imm);
ir_val ir_wider(struct ir_builder *b, ir_val x, unsigned bits);
ir_val ir_select(struct ir_builder *b, ir_val cond, ir_val yes, ir_val no);
/* The current architectural flags: a flags value.  flags_set() makes an op's flags current;
 * flags_set_masked() only the given ones.  The builder writes the flags slot only where somebody
 * outside can see it (exits, helpers that read flags). */
ir_val ir_flags(struct ir_builder *b);
void ir_flags_set(struct ir_builder *b, ir_val op);
void ir_flags_set_masked(struct ir_builder *b, ir_val op, uint32_t mask);
ir_val ir_flags_of(struct ir_builder *b, ir_val bits);
ir_val ir_flags_to(struct ir_builder *b, ir_val flags);
ir_val ir_cond(struct ir_builder *b, enum ir_cond c);
ir_val ir_load(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, unsigned mem_flags);
void ir_store(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, ir_val v);
void ir_vload(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	      uint32_t state_offset);
void ir_vstore(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	       uint32_t state_offset);
ir_val ir_atomic(struct ir_builder *b, enum ir_code code, unsigned size, ir_val addr, ir_val x,
		 ir_val y);
void ir_fence(struct ir_builder *b, unsigned kinds);
ir_val ir_call(struct ir_builder *b, const struct ir_helper *h, ir_val x, ir_val y, ir_val z);
void ir_call_if(struct ir_builder *b, ir_val cond, const struct ir_helper *h, ir_val x, ir_val y);
void ir_native(struct ir_builder *b, const struct ir_native *n, ir_val value);
void ir_exit(struct ir_builder *b, int64_t pc_delta);
void ir_exit_call(struct ir_builder *b, int64_t pc_delta);
void ir_exit_if(struct ir_builder *b, ir_val cond, int64_t pc_delta);
void ir_exit_to(struct ir_builder *b, ir_val pc, enum ir_branch kind);
void ir_exit_loop(struct ir_builder *b, int64_t pc_delta);
void ir_exit_state(struct ir_builder *b);

/* ---- text ---- */
void ir_print(const struct ir_block *blk, const struct ir_state_desc *desc, FILE *out);
/* Helpers named in text are looked up in the NULL-terminated list. */
bool ir_parse(struct ir_builder *b, const char *text, const struct ir_helper *const *helpers,
	      char *error, size_t error_size);
/* Structural rules (operands before use, sizes, flags where flags are wanted).  False: what is
 * wrong. */
bool ir_verify(const struct ir_block *blk, char *error, size_t error_size);
