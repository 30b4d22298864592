/* jit/x64/asm.h - an encoder of x86-64 instructions: small typed functions over x64_emit().
 *
 * Operands: a register number, or an x64_rm that is a register or memory.  Names say the direction
 * where an instruction has two: x64_alu() computes into a register, x64_alu_to() into an x64_rm,
 * x64_alu_i() with an immediate.  Sizes are bytes: 1, 2, 4, 8.  The shortest encoding is chosen,
 * and none touches flags that the instruction itself does not (0 is moved, not XORed).
 *
 * Nothing here is particular to the host that runs it: code is bytes, written at one address to be
 * run at another.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bits.h"

/* General registers as encoded; vector registers are plain numbers 0-15.  AH to BH exist in byte
 * instructions without REX: not beside R8-R15, SPL-DIL or 8-byte operands. */
enum x64_reg {
	X64_RAX,
	X64_RCX,
	X64_RDX,
	X64_RBX,
	X64_RSP,
	X64_RBP,
	X64_RSI,
	X64_RDI,
	X64_R8,
	X64_R9,
	X64_R10,
	X64_R11,
	X64_R12,
	X64_R13,
	X64_R14,
	X64_R15,
	X64_AH = 20,
	X64_CH,
	X64_DH,
	X64_BH,
	X64_NO_REG = 0xe0, /* neither a high register's bits nor AH's */
};

/* Condition codes as encoded, in the order of enum ir_cond. */
enum x64_cc {
	X64_CC_O,
	X64_CC_NO,
	X64_CC_B,
	X64_CC_AE,
	X64_CC_E,
	X64_CC_NE,
	X64_CC_BE,
	X64_CC_A,
	X64_CC_S,
	X64_CC_NS,
	X64_CC_P,
	X64_CC_NP,
	X64_CC_L,
	X64_CC_GE,
	X64_CC_LE,
	X64_CC_G,
};

/* A form: all facts of an encoding but its operands. */
enum {
	/* bits 0-7: the opcode */
	X64_0F = 1u << 8, /* opcode map, 2 bits */
	X64_0F38 = 2u << 8,
	X64_0F3A = 3u << 8,
	X64_66 = 1u << 10, /* mandatory prefix, 2 bits, in VEX.pp's order */
	X64_F3 = 2u << 10,
	X64_F2 = 3u << 10,
	X64_W = 1u << 12,
	X64_L = 1u << 13, /* VEX.L: 32-byte vectors */
	X64_VEX = 1u << 14,
	X64_O16 = 1u << 15,      /* operand size prefix, beside a mandatory one */
	X64_BYTE_REG = 1u << 16, /* the operand is a byte register: SPL-DIL need REX */
	X64_BYTE_RM = 1u << 17,
	X64_IMM_SHIFT = 18, /* 4 bits: bytes of immediate that follow */
	X64_IMM8 = 1u << X64_IMM_SHIFT,
	X64_IMM16 = 2u << X64_IMM_SHIFT,
	X64_IMM32 = 4u << X64_IMM_SHIFT,
	X64_VVVV_SHIFT = 24, /* 4 bits: VEX's second source; 0 where there is none */
	/* What neither VEX nor a prefix beside REX has, nor a byte register. */
	X64_UNCOMMON = X64_VEX | X64_O16 | X64_F2 | X64_BYTE_REG | X64_BYTE_RM | X64_0F38,
};

enum x64_rm_kind { X64_RM_REG, X64_RM_MEM, X64_RM_RIP, X64_RM_LABEL };

struct x64_label;

struct x64_rm {
	uint8_t kind; /* enum x64_rm_kind */
	uint8_t base; /* or the register */
	uint8_t index, shift;
	int32_t disp;
	union {
		uint64_t target; /* RIP: the address where it runs */
		struct x64_label *label;
	};
};

/* A place in the code.  Uses of a label that is not yet bound are chained through their own
 * displacement fields. */
struct x64_label {
	uint32_t at;         /* offset from the start of the code, or X64_UNBOUND */
	uint32_t uses;       /* offset of the last 4-byte displacement, or 0 */
	uint32_t short_uses; /* offset of the last 1-byte one, or 0 */
};
#define X64_UNBOUND UINT32_MAX
#define X64_LABEL   ((struct x64_label){ .at = X64_UNBOUND })

struct x64_asm {
	uint8_t *start, *at, *end; /* where it is written */
	uint8_t *last;             /* where an instruction may begin that is sure to fit */
	uint64_t shift;            /* where a byte will run, less where it is written */
	bool is_full; /* did not fit: nothing more is written, what stands there is useless */
};

/* Room that one instruction must find; fields are stored whole, then cut. */
enum { X64_MAX_INSN = 16, X64_ROOM = X64_MAX_INSN + 8 };

static inline void x64_is_full(struct x64_asm *a)
{
	a->is_full = true;
	a->end = a->at;
	a->last = NULL;
}
static inline bool x64_has_room(struct x64_asm *a, size_t n)
{
	if (likely((size_t)(a->end - a->at) >= n))
		return true;
	x64_is_full(a);
	return false;
}
/* The same of X64_ROOM. */
static inline bool x64_has_insn_room(struct x64_asm *a)
{
	if (likely(a->at <= a->last))
		return true;
	x64_is_full(a);
	return false;
}

static inline void x64_begin(struct x64_asm *a, void *write, uint64_t run, size_t size)
{
	uint8_t *start = write;

	*a = (struct x64_asm){ .start = start, .at = start, .end = start + size };
	a->shift = run - (uintptr_t)start;
	if (size >= X64_ROOM)
		a->last = a->end - X64_ROOM;
}
static inline uint32_t x64_offset(const struct x64_asm *a) { return (uint32_t)(a->at - a->start); }
/* Where what is written at p will run; the next instruction. */
static inline uint64_t x64_runs_at(const struct x64_asm *a, const uint8_t *p)
{
	return a->shift + (uintptr_t)p;
}
static inline uint64_t x64_pc(const struct x64_asm *a) { return x64_runs_at(a, a->at); }

/* ---- operands ---- */

static inline struct x64_rm x64_r(unsigned reg)
{
	return (struct x64_rm){ .kind = X64_RM_REG, .base = (uint8_t)reg, .index = X64_NO_REG };
}
/* [base + disp]; base X64_NO_REG: a sign-extended address */
static inline struct x64_rm x64_m(unsigned base, int32_t disp)
{
	return (struct x64_rm){
		.kind = X64_RM_MEM, .base = (uint8_t)base, .index = X64_NO_REG, .disp = disp
	};
}
/* [base + (index << shift) + disp]; index may not be RSP */
static inline struct x64_rm x64_mx(unsigned base, unsigned index, unsigned shift, int32_t disp)
{
	assert(index != X64_RSP && shift <= 3);
	if (base == X64_NO_REG && !shift)
		return x64_m(index, disp);
	return (struct x64_rm){ .kind = X64_RM_MEM,
				.base = (uint8_t)base,
				.index = (uint8_t)index,
				.shift = (uint8_t)shift,
				.disp = disp };
}
/* The registers in x, by a bit (1 << reg) each. */
static inline unsigned x64_rm_mask(struct x64_rm x)
{
	unsigned mask = x.base < 16 ? 1u << x.base : 0;

	if (x.kind == X64_RM_MEM && x.index < 16)
		mask |= 1u << x.index;
	return mask;
}
static inline bool x64_rm_uses(struct x64_rm x, unsigned reg) { return x64_rm_mask(x) >> reg & 1; }
/* What runs, or lies, at target; within 2 GiB of the code. */
static inline struct x64_rm x64_at(uint64_t target)
{
	return (struct x64_rm){ .kind = X64_RM_RIP, .index = X64_NO_REG, .target = target };
}
/* What lies at label; not for instructions with an immediate. */
static inline struct x64_rm x64_at_label(struct x64_label *l)
{
	return (struct x64_rm){ .kind = X64_RM_LABEL, .index = X64_NO_REG, .label = l };
}

/* ---- the core ---- */

enum { X64_REX = 0x40, X64_REX_W = 8, X64_REX_R = 4, X64_REX_X = 2, X64_REX_B = 1 };
enum { X64_SIB_NO_INDEX = 4, X64_SIB_NO_BASE = 5, X64_RM_SIB = 4, X64_RM_DISP = 5 };

/* No register at all has neither bit. */
BUILD_ASSERT(!(X64_NO_REG & 24));
static inline unsigned x64_rex_bits(uint32_t form, unsigned reg, struct x64_rm rm)
{
	BUILD_ASSERT(X64_W == X64_REX_W << 9);
	return (form >> 9 & X64_REX_W) | (reg >> 1 & X64_REX_R) |
	       ((unsigned)rm.index >> 2 & X64_REX_X) | ((unsigned)rm.base >> 3 & X64_REX_B);
}

static inline uint8_t x64_modrm(unsigned mod, unsigned reg, unsigned rm)
{
	return (uint8_t)(mod << 6 | (reg & 7) << 3 | (rm & 7));
}

static inline unsigned x64_imm_bytes(uint32_t form) { return form >> X64_IMM_SHIFT & 15; }
static inline bool x64_fits8(int64_t v) { return v == (int8_t)v; }
static inline bool x64_fits32(int64_t v) { return v == (int32_t)v; }

/* ModRM's first field: how much of a displacement follows.  RBP and R13 as base have no form
 * without one: it means no base, or RIP. */
static inline unsigned x64_mod(unsigned base, int32_t disp)
{
	return ((disp != 0) | ((base & 7) == X64_RBP)) + !x64_fits8(disp);
}

/* ModRM, SIB and displacement of memory. */
static inline __attribute__((always_inline)) uint8_t *x64_put_memory(uint8_t *p, unsigned reg,
								     struct x64_rm m)
{
	unsigned low = m.base & 7, mod = x64_mod(m.base, m.disp);
	unsigned index = m.index == X64_NO_REG ? X64_SIB_NO_INDEX : m.index & 7;

	if (unlikely(m.base == X64_NO_REG)) {
		st16_le(p, (uint16_t)(x64_modrm(0, reg, X64_RM_SIB) |
				      x64_modrm(m.shift, index, X64_SIB_NO_BASE) << 8));
		st32_le(p + 2, (uint32_t)m.disp);
		return p + 6;
	}
	if (m.index == X64_NO_REG && low != X64_RSP) {
		*p++ = x64_modrm(mod, reg, low);
	} else {
		st16_le(p, (uint16_t)(x64_modrm(mod, reg, X64_RM_SIB) |
				      x64_modrm(m.shift, index, low) << 8));
		p += 2;
	}
	st32_le(p, (uint32_t)m.disp);
	return p + mod * mod; /* 0, 1, 4 */
}

/* Any instruction with a ModRM byte that is not X64_UNCOMMON, whose operand is a register or
 * memory. */
static inline __attribute__((always_inline)) void x64_emit_common(struct x64_asm *a, uint32_t form,
								  unsigned reg, struct x64_rm rm,
								  int64_t imm)
{
	unsigned rex = x64_rex_bits(form, reg, rm);
	uint8_t *p = a->at;

	if (!x64_has_insn_room(a))
		return;
	*p = (uint8_t)(X64_REX | rex);
	p += rex != 0;
	*p = 0x0f;
	p += form >> 8 & 1; /* X64_0F */
	*p++ = (uint8_t)form;
	if (rm.kind == X64_RM_MEM)
		p = x64_put_memory(p, reg, rm);
	else
		*p++ = x64_modrm(3, reg, rm.base);
	st64_le(p, (uint64_t)imm);
	a->at = p + x64_imm_bytes(form);
}

/* What stands in front of the union: looked at as a whole, it stays in one register. */
BUILD_ASSERT(offsetof(struct x64_rm, base) == 1 && offsetof(struct x64_rm, index) == 2 &&
	     offsetof(struct x64_rm, disp) == 4 && offsetof(struct x64_rm, target) == 8);
static inline uint64_t x64_rm_word(struct x64_rm x) { return ld64_le(&x); }
/* Is it [base + disp], with a base that needs no SIB? */
static inline bool x64_is_based(uint64_t word)
{
	return (word & 0xfff0ff) == (X64_NO_REG << 16 | X64_RM_MEM) &&
	       (word & 7 << 8) != X64_RSP << 8;
}
/* Forms of one opcode byte, and no prefix but REX. */
enum { X64_SHORT = X64_W | 0xff | 15u << X64_IMM_SHIFT };
/* An instruction of such a form on such memory, up to its immediate. */
static inline __attribute__((always_inline)) uint8_t *x64_put_based(uint8_t *p, uint32_t form,
								    unsigned reg, unsigned base,
								    int32_t disp)
{
	unsigned rex = (form >> 9 & X64_REX_W) | (reg >> 1 & X64_REX_R) | base >> 3;
	unsigned mod = x64_mod(base, disp);

	*p = (uint8_t)(X64_REX | rex);
	p += rex != 0;
	st64_le(p, (uint64_t)(uint32_t)disp << 16 | mod << 14 | (reg & 7) << 11 | (base & 7) << 8 |
			   (form & 0xff));
	return p + 2 + mod * mod; /* 0, 1, 4 */
}
/* The same, without one. */
static inline __attribute__((always_inline)) void x64_emit_based(struct x64_asm *a, uint32_t form,
								 unsigned reg, unsigned base,
								 int32_t disp)
{
	if (x64_has_insn_room(a))
		a->at = x64_put_based(a->at, form, reg, base, disp);
}

/* Memory that many instructions name, off a base that is a high register and needs no SIB: REX,
 * ModRM and displacement, made once. */
struct x64_cell {
	uint64_t bytes;
	uint64_t size;
};
static inline struct x64_cell x64_cell_of(struct x64_rm m)
{
	struct x64_cell c = { .size = 0 };
	uint8_t bytes[16] = { 0 };

	assert(x64_is_based(x64_rm_word(m)) && m.base & 8);
	c.size = (size_t)(x64_put_based(bytes, 0, 0, m.base, m.disp) - bytes);
	c.bytes = ld64_le(bytes);
	return c;
}
static inline uint8_t *x64_put_cell(uint8_t *p, uint32_t form, unsigned reg,
				    const struct x64_cell *m)
{
	st64_le(p, m->bytes | (form >> 9 & X64_REX_W) | (reg >> 1 & X64_REX_R) |
			   (form & 0xff) << 8 | (reg & 7) << 19);
	return p + m->size;
}

/* Any instruction with a ModRM byte. */
void x64_emit_general(struct x64_asm *a, uint32_t form, unsigned reg, struct x64_rm rm,
		      int64_t imm);
/* The same, with shorter ways for the forms that are used most. */
void x64_emit_any(struct x64_asm *a, uint32_t form, unsigned reg, struct x64_rm rm, int64_t imm);
/* And in line where most of it is known when this is compiled.  vvvv: VEX's second source, 0
 * where there is none. */
static inline __attribute__((always_inline)) void x64_emit(struct x64_asm *a, uint32_t form,
							   unsigned reg, unsigned vvvv,
							   struct x64_rm rm, int64_t imm)
{
	bool is_known = __builtin_constant_p(form) && __builtin_constant_p(rm.kind) &&
			__builtin_constant_p(rm.index) && rm.index == X64_NO_REG;

	form |= vvvv << X64_VVVV_SHIFT;
	if (is_known && !(form & X64_UNCOMMON) && rm.kind <= X64_RM_MEM)
		x64_emit_common(a, form, reg, rm, imm);
	else
		x64_emit_any(a, form, reg, rm, imm);
}
/* Opcode with a register in its low three bits, or without any operand (reg 0). */
void x64_emit_plain(struct x64_asm *a, uint32_t form, unsigned reg, int64_t imm);
void x64_emit_bytes(struct x64_asm *a, const void *bytes, size_t n);

/* The form of an operation whose even opcode is the byte one / that has no byte one. */
static inline uint32_t x64_sized(uint32_t form, unsigned size)
{
	return size == 1 ? form | X64_BYTE_REG | X64_BYTE_RM
			 : form | 1 | (size == 2 ? X64_O16 : 0) | (size == 8 ? X64_W : 0);
}
/* The same where ModRM.reg is part of the opcode. */
static inline uint32_t x64_sized_digit(uint32_t form, unsigned size)
{
	return x64_sized(form, size) & ~(uint32_t)X64_BYTE_REG;
}
static inline uint32_t x64_wide(uint32_t form, unsigned size)
{
	return form | (size == 2 ? X64_O16 : 0) | (size == 8 ? X64_W : 0);
}
static inline uint32_t x64_imm_of(unsigned size) { return (size == 8 ? 4 : size) << X64_IMM_SHIFT; }
/* Can code at `from` reach `to` by a 4-byte displacement, whatever the instruction's length? */
static inline bool x64_reaches(uint64_t from, uint64_t to)
{
	int64_t d = (int64_t)(to - from);

	return d >= INT32_MIN + X64_MAX_INSN && d <= INT32_MAX - X64_MAX_INSN;
}

/* ---- moves ---- */

static inline void x64_mov(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm src)
{
	x64_emit(a, x64_sized(0x8a, size), dst, 0, src, 0);
}
static inline void x64_mov_to(struct x64_asm *a, unsigned size, struct x64_rm dst, unsigned src)
{
	x64_emit(a, x64_sized(0x88, size), src, 0, dst, 0);
}
static inline void x64_mov_rr(struct x64_asm *a, unsigned size, unsigned dst, unsigned src)
{
	x64_mov_to(a, size, x64_r(dst), src);
}
/* The same with memory, of 4 or 8 bytes, whose base needs no SIB. */
static inline void x64_load(struct x64_asm *a, unsigned size, unsigned dst, unsigned base,
			    int32_t disp)
{
	x64_emit_based(a, 0x8b | (size == 8 ? X64_W : 0), dst, base, disp);
}
static inline void x64_store(struct x64_asm *a, unsigned size, unsigned base, int32_t disp,
			     unsigned src)
{
	x64_emit_based(a, 0x89 | (size == 8 ? X64_W : 0), src, base, disp);
}
static inline void x64_store_cell(struct x64_asm *a, unsigned size, const struct x64_cell *m,
				  unsigned src)
{
	if (x64_has_insn_room(a))
		a->at = x64_put_cell(a->at, 0x89 | (size == 8 ? X64_W : 0), src, m);
}
static inline void x64_store_cell_i(struct x64_asm *a, unsigned size, const struct x64_cell *m,
				    int32_t imm)
{
	uint8_t *p = a->at;

	if (!x64_has_insn_room(a))
		return;
	p = x64_put_cell(p, 0xc7 | (size == 8 ? X64_W : 0), 0, m);
	st32_le(p, (uint32_t)imm);
	a->at = p + 4;
}
/* imm is sign-extended from 4 bytes for size 8. */
static inline void x64_mov_i(struct x64_asm *a, unsigned size, struct x64_rm dst, int32_t imm)
{
	x64_emit(a, x64_sized_digit(0xc6, size) | x64_imm_of(size), 0, 0, dst, imm);
}
/* All 64 bits of dst. */
void x64_mov_ri(struct x64_asm *a, unsigned dst, uint64_t imm);
/* Zero extension from 1, 2 or 4 bytes to 64 bits. */
void x64_movzx(struct x64_asm *a, unsigned from, unsigned dst, struct x64_rm src);
/* Sign extension from 1, 2 or 4 bytes to `size`. */
void x64_movsx(struct x64_asm *a, unsigned size, unsigned from, unsigned dst, struct x64_rm src);
static inline void x64_lea(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm m)
{
	x64_emit(a, x64_wide(0x8d, size), dst, 0, m, 0);
}
/* Locked where dst is memory. */
void x64_xchg(struct x64_asm *a, unsigned size, struct x64_rm dst, unsigned reg);
static inline void x64_cmov(struct x64_asm *a, enum x64_cc cc, unsigned size, unsigned dst,
			    struct x64_rm src)
{
	x64_emit(a, x64_wide(X64_0F | 0x40 | cc, size), dst, 0, src, 0);
}
static inline void x64_setcc(struct x64_asm *a, enum x64_cc cc, struct x64_rm dst)
{
	x64_emit(a, X64_0F | 0x90 | cc | X64_BYTE_RM, 0, 0, dst, 0);
}
static inline void x64_bswap(struct x64_asm *a, unsigned size, unsigned reg)
{
	x64_emit_plain(a, x64_wide(X64_0F | 0xc8, size), reg, 0);
}
static inline void x64_movbe(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm m)
{
	x64_emit(a, x64_wide(X64_0F38 | 0xf0, size), dst, 0, m, 0);
}
static inline void x64_movbe_to(struct x64_asm *a, unsigned size, struct x64_rm m, unsigned src)
{
	x64_emit(a, x64_wide(X64_0F38 | 0xf1, size), src, 0, m, 0);
}

/* ---- arithmetic ---- */

enum x64_alu { X64_ADD, X64_OR, X64_ADC, X64_SBB, X64_AND, X64_SUB, X64_XOR, X64_CMP };

static inline void x64_alu(struct x64_asm *a, enum x64_alu op, unsigned size, unsigned dst,
			   struct x64_rm src)
{
	x64_emit(a, x64_sized(op * 8u + 2, size), dst, 0, src, 0);
}
static inline void x64_alu_to(struct x64_asm *a, enum x64_alu op, unsigned size, struct x64_rm dst,
			      unsigned src)
{
	x64_emit(a, x64_sized(op * 8u, size), src, 0, dst, 0);
}
static inline void x64_alu_rr(struct x64_asm *a, enum x64_alu op, unsigned size, unsigned dst,
			      unsigned src)
{
	x64_alu_to(a, op, size, x64_r(dst), src);
}
/* imm: what fits size, signed or not; sign-extended from 4 bytes for size 8. */
void x64_alu_i(struct x64_asm *a, enum x64_alu op, unsigned size, struct x64_rm dst, int64_t imm);
static inline void x64_test(struct x64_asm *a, unsigned size, struct x64_rm x, unsigned reg)
{
	x64_emit(a, x64_sized(0x84, size), reg, 0, x, 0);
}
void x64_test_i(struct x64_asm *a, unsigned size, struct x64_rm x, int64_t imm);

enum x64_unary { X64_NOT = 2, X64_NEG, X64_MUL, X64_IMUL, X64_DIV, X64_IDIV };

/* MUL to IDIV: on RDX:RAX. */
static inline void x64_unary(struct x64_asm *a, enum x64_unary op, unsigned size, struct x64_rm x)
{
	x64_emit(a, x64_sized_digit(0xf6, size), op, 0, x, 0);
}
static inline void x64_inc(struct x64_asm *a, unsigned size, struct x64_rm x)
{
	x64_emit(a, x64_sized_digit(0xfe, size), 0, 0, x, 0);
}
static inline void x64_dec(struct x64_asm *a, unsigned size, struct x64_rm x)
{
	x64_emit(a, x64_sized_digit(0xfe, size), 1, 0, x, 0);
}
static inline void x64_imul(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm src)
{
	x64_emit(a, x64_wide(X64_0F | 0xaf, size), dst, 0, src, 0);
}
/* dst = src * imm */
void x64_imul_i(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm src, int32_t imm);
/* CWD, CDQ, CQO: sign of rAX into rDX; CBW, CWDE, CDQE: widen rAX to size. */
static inline void x64_cwd(struct x64_asm *a, unsigned size)
{
	x64_emit_plain(a, x64_wide(0x99, size), 0, 0);
}
static inline void x64_cbw(struct x64_asm *a, unsigned size)
{
	x64_emit_plain(a, x64_wide(0x98, size), 0, 0);
}

/* ---- shifts ---- */

enum x64_shift { X64_ROL, X64_ROR, X64_RCL, X64_RCR, X64_SHL, X64_SHR, X64_SAR = 7 };

static inline void x64_shift_i(struct x64_asm *a, enum x64_shift op, unsigned size, struct x64_rm x,
			       unsigned n)
{
	if (n == 1)
		x64_emit(a, x64_sized_digit(0xd0, size), op, 0, x, 0);
	else
		x64_emit(a, x64_sized_digit(0xc0, size) | X64_IMM8, op, 0, x, (int64_t)n);
}
static inline void x64_shift_cl(struct x64_asm *a, enum x64_shift op, unsigned size,
				struct x64_rm x)
{
	x64_emit(a, x64_sized_digit(0xd2, size), op, 0, x, 0);
}
static inline void x64_shld_i(struct x64_asm *a, unsigned size, struct x64_rm x, unsigned reg,
			      unsigned n)
{
	x64_emit(a, x64_wide(X64_0F | 0xa4 | X64_IMM8, size), reg, 0, x, (int64_t)n);
}
static inline void x64_shld_cl(struct x64_asm *a, unsigned size, struct x64_rm x, unsigned reg)
{
	x64_emit(a, x64_wide(X64_0F | 0xa5, size), reg, 0, x, 0);
}
static inline void x64_shrd_i(struct x64_asm *a, unsigned size, struct x64_rm x, unsigned reg,
			      unsigned n)
{
	x64_emit(a, x64_wide(X64_0F | 0xac | X64_IMM8, size), reg, 0, x, (int64_t)n);
}
static inline void x64_shrd_cl(struct x64_asm *a, unsigned size, struct x64_rm x, unsigned reg)
{
	x64_emit(a, x64_wide(X64_0F | 0xad, size), reg, 0, x, 0);
}

/* ---- BMI1, BMI2: sizes 4 and 8, no flags but ANDN's and BLS*'s ---- */

enum {
	X64_SHLX = X64_VEX | X64_66 | X64_0F38 | 0xf7,
	X64_SHRX = X64_VEX | X64_F2 | X64_0F38 | 0xf7,
	X64_SARX = X64_VEX | X64_F3 | X64_0F38 | 0xf7,
	X64_BEXTR = X64_VEX | X64_0F38 | 0xf7,
	X64_BZHI = X64_VEX | X64_0F38 | 0xf5,
};
enum {
	X64_ANDN = X64_VEX | X64_0F38 | 0xf2, /* dst = ~x & y */
	X64_PDEP = X64_VEX | X64_F2 | X64_0F38 | 0xf5,
	X64_PEXT = X64_VEX | X64_F3 | X64_0F38 | 0xf5,
	X64_MULX = X64_VEX | X64_F2 | X64_0F38 | 0xf6, /* dst:x = RDX * y */
};
enum { X64_BLSR = 1, X64_BLSMSK, X64_BLSI };

/* dst = x, shifted or cut as reg says: SHLX ... BZHI */
static inline void x64_bmi_rmv(struct x64_asm *a, uint32_t form, unsigned size, unsigned dst,
			       struct x64_rm x, unsigned reg)
{
	x64_emit(a, x64_wide(form, size), dst, reg, x, 0);
}
/* dst = x op y: ANDN, PDEP, PEXT, MULX */
static inline void x64_bmi_rvm(struct x64_asm *a, uint32_t form, unsigned size, unsigned dst,
			       unsigned x, struct x64_rm y)
{
	x64_emit(a, x64_wide(form, size), dst, x, y, 0);
}
static inline void x64_bls(struct x64_asm *a, unsigned digit, unsigned size, unsigned dst,
			   struct x64_rm x)
{
	x64_emit(a, x64_wide(X64_VEX | X64_0F38 | 0xf3, size), digit, dst, x, 0);
}
static inline void x64_rorx(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm x,
			    unsigned n)
{
	x64_emit(a, x64_wide(X64_VEX | X64_F2 | X64_0F3A | 0xf0 | X64_IMM8, size), dst, 0, x,
		 (int64_t)n);
}

/* ---- bits ---- */

enum x64_bt { X64_BT = 4, X64_BTS, X64_BTR, X64_BTC };

static inline void x64_bt(struct x64_asm *a, enum x64_bt op, unsigned size, struct x64_rm x,
			  unsigned reg)
{
	x64_emit(a, x64_wide(X64_0F | 0x83 | op << 3, size), reg, 0, x, 0);
}
static inline void x64_bt_i(struct x64_asm *a, enum x64_bt op, unsigned size, struct x64_rm x,
			    unsigned n)
{
	x64_emit(a, x64_wide(X64_0F | 0xba | X64_IMM8, size), op, 0, x, (int64_t)n);
}

enum x64_scan {
	X64_BSF = X64_0F | 0xbc,
	X64_BSR = X64_0F | 0xbd,
	X64_TZCNT = X64_F3 | X64_0F | 0xbc,
	X64_LZCNT = X64_F3 | X64_0F | 0xbd,
	X64_POPCNT = X64_F3 | X64_0F | 0xb8,
};

static inline void x64_scan(struct x64_asm *a, enum x64_scan op, unsigned size, unsigned dst,
			    struct x64_rm src)
{
	x64_emit(a, x64_wide(op, size), dst, 0, src, 0);
}

/* ---- atomics: x64_lock() before the instruction ---- */

static inline void x64_lock(struct x64_asm *a) { x64_emit_plain(a, 0xf0, 0, 0); }
static inline void x64_xadd(struct x64_asm *a, unsigned size, struct x64_rm dst, unsigned reg)
{
	x64_emit(a, x64_sized(X64_0F | 0xc0, size), reg, 0, dst, 0);
}
static inline void x64_cmpxchg(struct x64_asm *a, unsigned size, struct x64_rm dst, unsigned reg)
{
	x64_emit(a, x64_sized(X64_0F | 0xb0, size), reg, 0, dst, 0);
}
/* size: of one half, 4 or 8 */
static inline void x64_cmpxchg2(struct x64_asm *a, unsigned size, struct x64_rm m)
{
	x64_emit(a, x64_wide(X64_0F | 0xc7, size), 1, 0, m, 0);
}
static inline void x64_lfence(struct x64_asm *a) { x64_emit_bytes(a, "\x0f\xae\xe8", 3); }
static inline void x64_mfence(struct x64_asm *a) { x64_emit_bytes(a, "\x0f\xae\xf0", 3); }
static inline void x64_sfence(struct x64_asm *a) { x64_emit_bytes(a, "\x0f\xae\xf8", 3); }
static inline void x64_pause(struct x64_asm *a) { x64_emit_bytes(a, "\xf3\x90", 2); }

/* ---- stack and flags ---- */

static inline void x64_emit_stack(struct x64_asm *a, unsigned opcode, unsigned reg)
{
	uint8_t *p = a->at;

	if (!x64_has_insn_room(a))
		return;
	*p = X64_REX | X64_REX_B;
	p += reg >> 3;
	*p = (uint8_t)(opcode | (reg & 7));
	a->at = p + 1;
}
static inline void x64_push(struct x64_asm *a, unsigned reg) { x64_emit_stack(a, 0x50, reg); }
static inline void x64_pop(struct x64_asm *a, unsigned reg) { x64_emit_stack(a, 0x58, reg); }
static inline void x64_push_m(struct x64_asm *a, struct x64_rm m) { x64_emit(a, 0xff, 6, 0, m, 0); }
static inline void x64_pop_m(struct x64_asm *a, struct x64_rm m) { x64_emit(a, 0x8f, 0, 0, m, 0); }
static inline void x64_push_i(struct x64_asm *a, int32_t imm)
{
	x64_emit_plain(a, x64_fits8(imm) ? 0x6a | X64_IMM8 : 0x68 | X64_IMM32, 0, imm);
}
static inline void x64_pushf(struct x64_asm *a) { x64_emit_plain(a, 0x9c, 0, 0); }
static inline void x64_popf(struct x64_asm *a) { x64_emit_plain(a, 0x9d, 0, 0); }
static inline void x64_sahf(struct x64_asm *a) { x64_emit_plain(a, 0x9e, 0, 0); }
static inline void x64_lahf(struct x64_asm *a) { x64_emit_plain(a, 0x9f, 0, 0); }
static inline void x64_cmc(struct x64_asm *a) { x64_emit_plain(a, 0xf5, 0, 0); }
static inline void x64_clc(struct x64_asm *a) { x64_emit_plain(a, 0xf8, 0, 0); }
static inline void x64_stc(struct x64_asm *a) { x64_emit_plain(a, 0xf9, 0, 0); }
static inline void x64_cld(struct x64_asm *a) { x64_emit_plain(a, 0xfc, 0, 0); }
