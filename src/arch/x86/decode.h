/* arch/x86/decode.h - one instruction taken apart, and the tables that do it.
 *
 * The rows come from isa/ (all files) through tools/x86isa.py (isa_gen.c, isa_gen.h).  The decoder
 * knows prefixes, opcode maps, ModRM/SIB/displacement, VEX and immediates; which encodings exist,
 * and what their operands are, only the rows know.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "jit/ir.h"

struct x86_tr;

enum x86_map {
	MAP_1BYTE,
	MAP_0F,
	MAP_0F38,
	MAP_0F3A,
	MAP_VEX_0F,
	MAP_VEX_0F38,
	MAP_VEX_0F3A,
	MAP_COUNT,
};

/* Facts about an instruction, one bit each: a row matches when it allows all that hold.  Fields:
 * mandatory prefix, W, VEX.L, ModRM.mod, mode, operand size, ModRM.reg, ModRM.rm. */
enum {
	KEY_NP = 1u << 0,
	KEY_66 = 1u << 1,
	KEY_F3 = 1u << 2,
	KEY_F2 = 1u << 3,
	KEY_W0 = 1u << 4,
	KEY_W1 = 1u << 5,
	KEY_L0 = 1u << 6,
	KEY_L1 = 1u << 7,
	KEY_MEM = 1u << 8,
	KEY_REG = 1u << 9,
	KEY_NOT64 = 1u << 10,
	KEY_64 = 1u << 11,
	KEY_OS16 = 1u << 12,
	KEY_OS32 = 1u << 13,
	KEY_OS64 = 1u << 14,
	KEY_DIGIT_SHIFT = 15, /* 8 bits: /0 .. /7 */
	KEY_RM_SHIFT = 23,    /* 8 bits */
};

/* Where an operand is (SDM 2 appendix A.2.1; Z and FIX are ours). */
enum x86_place {
	PLACE_NONE,
	PLACE_A,    /* far pointer in the code stream: insn.imm offset, insn.imm2 selector */
	PLACE_B,    /* VEX.vvvv: general register */
	PLACE_C,    /* ModRM.reg: control register */
	PLACE_D,    /* ModRM.reg: debug register */
	PLACE_E,    /* ModRM.rm: general register or memory */
	PLACE_G,    /* ModRM.reg: general register */
	PLACE_H,    /* VEX.vvvv: vector register */
	PLACE_I,    /* immediate */
	PLACE_J,    /* relative branch target */
	PLACE_L,    /* bits 7-4 of the last byte (is4): vector register */
	PLACE_M,    /* ModRM.rm: memory only */
	PLACE_N,    /* ModRM.rm: MMX register only */
	PLACE_O,    /* memory at an offset in the code stream */
	PLACE_P,    /* ModRM.reg: MMX register */
	PLACE_Q,    /* ModRM.rm: MMX register or memory */
	PLACE_R,    /* ModRM.rm: general register, whatever mod says or mod 3 only */
	PLACE_S,    /* ModRM.reg: segment register */
	PLACE_U,    /* ModRM.rm: vector register only */
	PLACE_V,    /* ModRM.reg: vector register */
	PLACE_W,    /* ModRM.rm: vector register or memory */
	PLACE_X,    /* memory at DS:rSI */
	PLACE_Y,    /* memory at ES:rDI */
	PLACE_Z,    /* opcode's low 3 bits: general register */
	PLACE_FIX,  /* general register `fixed` */
	PLACE_FIXS, /* segment register `fixed` */
	PLACE_FIXV, /* vector register `fixed` */
	PLACE_ONE,  /* the constant 1 */
	PLACE_ST,   /* ST(fixed) */
	PLACE_STI,  /* ST(ModRM.rm) */
	PLACE_COUNT,
};

/* How wide: bytes, or a rule. */
enum x86_width {
	WIDTH_NONE = 0,
	/* 1, 2, 4, 6, 8, 10, 16, 32: so many bytes */
	WIDTH_V = 64, /* operand size: 2, 4, 8 */
	WIDTH_Z,      /* 2, else 4 */
	WIDTH_Y,      /* 8 with W in 64-bit mode, else 4 */
	WIDTH_X,      /* vector length: 16 or 32 */
	WIDTH_XH,     /* half, a quarter, an eighth of it */
	WIDTH_XF,
	WIDTH_XE,
	WIDTH_P, /* far pointer: 2 + operand size */
	WIDTH_A, /* BOUND: two of operand size */
	WIDTH_S, /* table register: 2 + 4 or 8 */
};

struct x86_operand {
	uint8_t place;     /* enum x86_place */
	uint8_t width;     /* in a register */
	uint8_t mem_width; /* in memory */
	uint8_t fixed;
};

enum {
	ROW_LAST = 1u << 0,      /* no more rows for this opcode */
	ROW_LOCK = 1u << 1,      /* LOCK allowed with a memory destination */
	ROW_D64 = 1u << 2,       /* operand size 64 by default in 64-bit mode, 32 impossible */
	ROW_F64 = 1u << 3,       /* operand size 64 in 64-bit mode whatever prefixes say */
	ROW_CPL0 = 1u << 4,      /* #GP(0) unless CPL 0 */
	ROW_ALIGNED = 1u << 5,   /* VEX: memory operand must be aligned */
	ROW_UNALIGNED = 1u << 6, /* legacy SSE: 16-byte memory operand need not be aligned */
	ROW_FP = 1u << 7,        /* may raise SIMD floating-point exceptions */
	ROW_X87 = 1u << 8, /* #NM with CR0.EM or TS, pending x87 exceptions are raised first */
	ROW_X87_NOWAIT = 1u << 9, /* the same, pending exceptions stay pending */
	ROW_VEX = 1u << 10,
	ROW_MODRM = 1u << 11,
	ROW_VVVV = 1u << 12,      /* VEX.vvvv names an operand; otherwise it must be 1111b */
	ROW_NONNATIVE = 1u << 13, /* tests: does not run in a user process */
	ROW_NO_NM = 1u << 14, /* vec: touches no vector state that CR0.TS guards (PREFETCH ...) */
	ROW_NO_PE = 1u << 15, /* #UD in real and virtual-8086 mode (system instructions) */
	ROW_VEC_DST_ONLY = 1u << 16, /* vec: the destination is only written */
	ROW_READ_DST = 1u << 17,     /* vec: a memory destination is also read */
	ROW_ULP = 1u << 18,          /* tests: a processor's result may differ in the last place */
	ROW_ANY = 1u << 19, /* x86_first_row led here: nothing else needs to be looked at */
	ROW_IMM = 1u << 20, /* there is an immediate in the code stream */
};

struct x86_row {
	uint32_t allow; /* KEY_* */
	uint32_t attrs; /* ROW_* */
	void (*tr)(struct x86_tr *t);
	ir_native_fn *vec; /* for tr_vec */
	const char *name;
	struct x86_operand ops[4];
	uint8_t feat[2]; /* index into x86_feat_masks[], for VEX.L 0 and 1 */
	uint8_t imm[2];  /* immediates in the code stream: enum x86_width; WIDTH_P: far pointer */
	uint8_t map;     /* enum x86_map */
	uint8_t opcode;
	uint8_t mem_ops[2]; /* operands in memory, a bit each: with mod < 3, and with mod 3 */
	uint16_t undef;     /* flags undefined after it (bits of enum ir_flag) */
};

extern const struct x86_row x86_rows[];
extern const uint16_t x86_row_count;
/* Where to begin looking for the row of an opcode, by ModRM.reg (any, where there is no ModRM).  0:
 * no such opcode. */
extern const uint16_t x86_first_row[MAP_COUNT * 256][8];
extern const uint64_t x86_feat_masks[];
extern const char *const x86_isa_feature_names[]; /* bit order of the masks; ends with NULL */

enum {
	PFX_LOCK = 1u << 0,
	PFX_REPNE = 1u << 1,
	PFX_REP = 1u << 2,
	PFX_66 = 1u << 3,
	PFX_67 = 1u << 4,
	PFX_SEG = 1u << 5,
};
enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8, REX_PRESENT = 0x40 };
enum { EA_NO_REG = 0xff, EA_RIP = 0xfe };
enum { X86_MAX_INSN = 15 };

struct x86_insn {
	const struct x86_row *row;
	uint64_t imm, imm2;
	int64_t disp;
	uint8_t len;
	uint8_t opcode, map;
	uint8_t prefixes; /* PFX_*; REPNE and REP: the last one given */
	uint8_t rex;      /* also from VEX: W R X B */
	uint8_t opsize;   /* bytes: 2, 4, 8 */
	uint8_t asize;    /* bytes: 2, 4, 8 */
	uint8_t vlen;     /* bytes: 16, 32 */
	uint8_t vvvv, pp; /* of VEX */
	uint8_t mod;      /* 3: register; 0xff: no ModRM */
	uint8_t mem_ops;  /* which operands are in memory, a bit each */
	uint8_t modrm;
	uint8_t reg, rm;            /* with REX applied */
	uint8_t base, index, scale; /* of memory; EA_NO_REG, EA_RIP */
	uint8_t seg; /* of the ModRM, moffs or string source operand: enum x86_seg_id */
	bool is_vex;
	bool is_code64;
};

/* Code bytes: first those at hand, [at, end) (both may be NULL), then next() is asked for each: -1:
 * could not be fetched (the reader knows why).  next() may put more at hand. */
struct x86_reader {
	int (*next)(struct x86_reader *r);
	const uint8_t *at, *end;
};

enum x86_decode {
	DECODE_OK,
	DECODE_FETCH,    /* the reader gave no byte */
	DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
	DECODE_UD,       /* #UD */
};

struct x86_decode_mode {
	bool code64, code32;
	bool no_vex;       /* real and virtual-8086 mode: C4 and C5 are LES and LDS */
	uint64_t features; /* bits in the order of x86_isa_feature_names */
};

enum x86_decode x86_decode(struct x86_insn *in, const struct x86_decode_mode *m,
			   struct x86_reader *r);

/* Bytes of its first immediate. */
unsigned x86_imm_size(const struct x86_insn *in);
/* "mov eax, [rbx+rcx*4+0x10]" for the instruction at pc. */
void x86_disasm(const struct x86_insn *in, uint64_t pc, char *out, size_t size);

static inline const struct x86_operand *x86_operand(const struct x86_insn *in, unsigned n)
{
	return &in->row->ops[n];
}
static inline bool x86_operand_is_mem(const struct x86_insn *in, unsigned n)
{
	return in->mem_ops >> n & 1;
}

unsigned x86_width_rule(const struct x86_insn *in, unsigned width);
/* A width (enum x86_width) in bytes for this instruction. */
static inline unsigned x86_width_size(const struct x86_insn *in, unsigned width)
{
	return width < WIDTH_V ? width : width == WIDTH_V ? in->opsize : x86_width_rule(in, width);
}
/* Bytes of operand n; 0 if it has no size. */
static inline unsigned x86_operand_size(const struct x86_insn *in, unsigned n)
{
	const struct x86_operand *o = x86_operand(in, n);

	return x86_width_size(in, x86_operand_is_mem(in, n) ? o->mem_width : o->width);
}
