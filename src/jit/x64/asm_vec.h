/* jit/x64/asm_vec.h - the encoder's vector and x87 instructions.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "jit/x64/asm.h"

/* ---- vectors.  form tells legacy (dst is the first source too; src ignored) from VEX. ---- */

static inline void x64_vec(struct x64_asm *a, uint32_t form, unsigned dst, unsigned src,
			   struct x64_rm rm)
{
	x64_emit(a, form, dst, form & X64_VEX ? src : 0, rm, 0);
}
static inline void x64_vec_i(struct x64_asm *a, uint32_t form, unsigned dst, unsigned src,
			     struct x64_rm rm, uint8_t imm)
{
	x64_emit(a, form | X64_IMM8, dst, form & X64_VEX ? src : 0, rm, imm);
}
/* A fourth register (VBLENDVPS ...). */
static inline void x64_vec_is4(struct x64_asm *a, uint32_t form, unsigned dst, unsigned src,
			       struct x64_rm rm, unsigned src3)
{
	x64_emit(a, form | X64_IMM8, dst, src, rm, (int64_t)(src3 << 4));
}

enum {
	X64_MOVUPS = X64_0F | 0x10, /* to memory: | 1; likewise the next ones */
	X64_MOVAPS = X64_0F | 0x28,
	X64_MOVDQU = X64_F3 | X64_0F | 0x6f, /* to memory: 0x7f */
	X64_MOVDQA = X64_66 | X64_0F | 0x6f,
	X64_MOVSS = X64_F3 | X64_0F | 0x10,
	X64_MOVSD = X64_F2 | X64_0F | 0x10,
	X64_TO_MEM = 1, /* of MOVUPS, MOVAPS, MOVSS, MOVSD */
};
/* Whole registers without a memory operand: 16 bytes legacy (above stays), 16 or 32 VEX (above is
 * cleared). */
static inline void x64_movaps_rr(struct x64_asm *a, unsigned dst, unsigned src)
{
	x64_emit(a, X64_MOVAPS, dst, 0, x64_r(src), 0);
}
void x64_vmovaps_rr(struct x64_asm *a, unsigned vlen, unsigned dst, unsigned src);
/* vlen 16 or 32, any alignment */
static inline void x64_vmovups(struct x64_asm *a, unsigned vlen, unsigned dst, struct x64_rm src)
{
	x64_emit(a, X64_MOVUPS | X64_VEX | (vlen == 32 ? X64_L : 0), dst, 0, src, 0);
}
static inline void x64_vmovups_to(struct x64_asm *a, unsigned vlen, struct x64_rm dst, unsigned src)
{
	x64_emit(a, X64_MOVUPS | X64_TO_MEM | X64_VEX | (vlen == 32 ? X64_L : 0), src, 0, dst, 0);
}
/* MOVD, MOVQ between a vector register and a general register or memory; size 4 or 8. */
static inline void x64_movd(struct x64_asm *a, unsigned size, unsigned xmm, struct x64_rm src)
{
	x64_emit(a, (size == 8 ? X64_W : 0) | X64_66 | X64_0F | 0x6e, xmm, 0, src, 0);
}
static inline void x64_movd_to(struct x64_asm *a, unsigned size, struct x64_rm dst, unsigned xmm)
{
	x64_emit(a, (size == 8 ? X64_W : 0) | X64_66 | X64_0F | 0x7e, xmm, 0, dst, 0);
}
static inline void x64_vzeroupper(struct x64_asm *a) { x64_emit_bytes(a, "\xc5\xf8\x77", 3); }
static inline void x64_ldmxcsr(struct x64_asm *a, struct x64_rm m)
{
	x64_emit(a, X64_0F | 0xae, 2, 0, m, 0);
}
static inline void x64_stmxcsr(struct x64_asm *a, struct x64_rm m)
{
	x64_emit(a, X64_0F | 0xae, 3, 0, m, 0);
}

/* ---- x87: the opcode byte (D8-DF) with ModRM's digit and a memory operand, or both bytes ---- */

static inline void x64_x87_m(struct x64_asm *a, unsigned opcode, unsigned digit, struct x64_rm m)
{
	x64_emit(a, opcode, digit, 0, m, 0);
}
static inline void x64_x87(struct x64_asm *a, unsigned opcode, unsigned modrm)
{
	x64_emit(a, opcode, modrm >> 3 & 7, 0, x64_r(modrm & 7), 0);
}
