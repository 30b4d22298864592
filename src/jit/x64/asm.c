/* jit/x64/asm.c - the encoder's core (SDM 2A chapter 2; VEX: 2.3), and encodings with a choice.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/asm_flow.h"
#include "jit/x64/asm_vec.h"

#include <assert.h>
#include <string.h>

/* ---- prefixes ---- */

static inline bool is_high_byte(unsigned reg) { return reg & 16; }

/* SPL, BPL, SIL, DIL are AH, CH, DH, BH without a REX prefix. */
static inline bool needs_rex(unsigned reg) { return reg >= X64_RSP && reg <= X64_RDI; }

static uint8_t *put_prefixes(uint8_t *p, uint32_t form)
{
	static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned which = form >> 10 & 3;

	if (form & X64_O16)
		*p++ = 0x66;
	if (which)
		*p++ = mandatory[which];
	return p;
}

static uint8_t *put_map(uint8_t *p, uint32_t form)
{
	unsigned map = form >> 8 & 3;

	*p++ = 0x0f;
	if (map > 1)
		*p++ = map == 2 ? 0x38 : 0x3a;
	return p;
}

/* Must there be a REX prefix for a byte register's sake? */
static bool is_byte_rex(uint32_t form, unsigned reg, const struct x64_rm *rm, unsigned rex)
{
	bool rm_is_byte = form & X64_BYTE_RM && rm->kind == X64_RM_REG;
	bool is_needed = (form & X64_BYTE_REG && needs_rex(reg)) ||
			 (rm_is_byte && needs_rex(rm->base));

	if (rex || is_needed) {
		assert(!(form & X64_BYTE_REG && is_high_byte(reg)));
		assert(!(rm_is_byte && is_high_byte(rm->base)));
	}
	return is_needed;
}

/* All that stands before the opcode's last byte. */
static inline uint8_t *put_legacy(uint8_t *p, uint32_t form, unsigned reg, const struct x64_rm *rm)
{
	unsigned rex = x64_rex_bits(form, reg, *rm);
	bool has_rex = rex;

	if (form & (X64_O16 | X64_F2))
		p = put_prefixes(p, form);
	if (form & (X64_BYTE_REG | X64_BYTE_RM))
		has_rex |= is_byte_rex(form, reg, rm, rex);
	*p = (uint8_t)(X64_REX | rex);
	p += has_rex;
	return form & X64_0F3A ? put_map(p, form) : p;
}

static uint8_t *put_vex(uint8_t *p, uint32_t form, unsigned reg, const struct x64_rm *rm)
{
	unsigned rex = x64_rex_bits(form, reg, *rm), map = form >> 8 & 3;
	unsigned last = (~form >> X64_VVVV_SHIFT & 15) << 3 | (form & X64_L ? 4 : 0) |
			(form >> 10 & 3);

	if (map == 1 && !(rex & (X64_REX_W | X64_REX_X | X64_REX_B))) {
		*p++ = 0xc5;
		*p++ = (uint8_t)((rex & X64_REX_R ? 0 : 0x80) | last);
		return p;
	}
	*p++ = 0xc4;
	*p++ = (uint8_t)((~rex & 7) << 5 | map);
	*p++ = (uint8_t)((rex & X64_REX_W ? 0x80 : 0) | last);
	return p;
}

/* ---- displacements that are relative ---- */

static inline uint8_t *put32(uint8_t *p, uint32_t v)
{
	st32_le(p, v);
	return p + 4;
}

/* A displacement to a label: known, or to be filled in by x64_bind(). */
static uint8_t *put_label(struct x64_asm *a, uint8_t *p, struct x64_label *l)
{
	if (l->at != X64_UNBOUND)
		return x64_put_relative(a, p, x64_runs_at(a, a->start + l->at), 0);
	p = put32(p, l->uses);
	l->uses = (uint32_t)(p - 4 - a->start);
	return p;
}

/* Of what is not known in numbers yet. */
static uint8_t *put_rm_relative(struct x64_asm *a, uint8_t *p, uint32_t form, unsigned reg,
				const struct x64_rm *rm)
{
	switch (rm->kind) {
	case X64_RM_RIP:
		*p++ = x64_modrm(0, reg, X64_RM_DISP);
		return x64_put_relative(a, p, rm->target, x64_imm_bytes(form));
	default:
		assert(!x64_imm_bytes(form));
		*p++ = x64_modrm(0, reg, X64_RM_DISP);
		return put_label(a, p, rm->label);
	}
}

/* ---- whole instructions ---- */

static __attribute__((noinline)) void emit_uncommon(struct x64_asm *a, uint32_t form, unsigned reg,
						    struct x64_rm rm, int64_t imm)
{
	uint8_t *p = a->at;

	if (!x64_has_insn_room(a))
		return;
	if (form & X64_VEX)
		p = put_vex(p, form, reg, &rm);
	else
		p = put_legacy(p, form, reg, &rm);
	*p++ = (uint8_t)form;
	if (rm.kind == X64_RM_MEM)
		p = x64_put_memory(p, reg, rm);
	else if (rm.kind == X64_RM_REG)
		*p++ = x64_modrm(3, reg, rm.base);
	else
		p = put_rm_relative(a, p, form, reg, &rm);
	st64_le(p, (uint64_t)imm);
	a->at = p + x64_imm_bytes(form);
}

void x64_emit_general(struct x64_asm *a, uint32_t form, unsigned reg, struct x64_rm rm, int64_t imm)
{
	if (form & X64_UNCOMMON || rm.kind > X64_RM_MEM)
		emit_uncommon(a, form, reg, rm, imm);
	else
		x64_emit_common(a, form, reg, rm, imm);
}

/* The last of an instruction. */
static inline void end_immediate(struct x64_asm *a, uint8_t *p, uint32_t form, int64_t imm)
{
	st64_le(p, (uint64_t)imm);
	a->at = p + x64_imm_bytes(form);
}

/* Two registers, a form of X64_SHORT. */
static inline uint8_t *put_registers(uint8_t *p, uint32_t form, unsigned reg, unsigned base)
{
	unsigned rex = (form >> 9 & X64_REX_W) | (reg >> 1 & X64_REX_R) | base >> 3;

	*p = (uint8_t)(X64_REX | rex);
	p += rex != 0;
	st16_le(p, (uint16_t)(x64_modrm(3, reg, base) << 8 | (form & 0xff)));
	return p + 2;
}

void x64_emit_any(struct x64_asm *a, uint32_t form, unsigned reg, struct x64_rm rm, int64_t imm)
{
	uint64_t word = x64_rm_word(rm);
	uint8_t *p = a->at;

	if (form & ~(uint32_t)X64_SHORT || !x64_has_insn_room(a))
		x64_emit_general(a, form, reg, rm, imm);
	else if (x64_is_based(word))
		end_immediate(a, x64_put_based(p, form, reg, word >> 8 & 15, (int32_t)(word >> 32)),
			      form, imm);
	else if ((uint8_t)word == X64_RM_REG)
		end_immediate(a, put_registers(p, form, reg, word >> 8 & 15), form, imm);
	else
		x64_emit_general(a, form, reg, rm, imm);
}

void x64_emit_plain(struct x64_asm *a, uint32_t form, unsigned reg, int64_t imm)
{
	const struct x64_rm rm = x64_r(reg);
	uint8_t *p = a->at;

	if (!x64_has_insn_room(a))
		return;
	p = put_legacy(p, form, 0, &rm);
	*p++ = (uint8_t)(form | (reg & 7));
	st64_le(p, (uint64_t)imm);
	a->at = p + x64_imm_bytes(form);
}

void x64_emit_bytes(struct x64_asm *a, const void *bytes, size_t n)
{
	if (!x64_has_room(a, n))
		return;
	memcpy(a->at, bytes, n);
	a->at += n;
}

/* ---- moves with a choice ---- */

/* MOV with the immediate in the opcode's own instruction. */
static inline void mov_ri(struct x64_asm *a, unsigned rex, unsigned dst, uint64_t imm,
			  unsigned bytes)
{
	uint8_t *p = a->at;

	if (!x64_has_insn_room(a))
		return;
	rex |= dst >> 3;
	*p = (uint8_t)(X64_REX | rex);
	p += rex != 0;
	*p = (uint8_t)(0xb8 | (dst & 7));
	st64_le(p + 1, imm);
	a->at = p + 1 + bytes;
}

void x64_mov_ri(struct x64_asm *a, unsigned dst, uint64_t imm)
{
	if (likely(imm <= UINT32_MAX))
		mov_ri(a, 0, dst, imm, 4);
	else if (x64_fits32((int64_t)imm))
		x64_mov_i(a, 8, x64_r(dst), (int32_t)imm);
	else
		mov_ri(a, X64_REX_W, dst, imm, 8);
}

void x64_movzx(struct x64_asm *a, unsigned from, unsigned dst, struct x64_rm src)
{
	if (from == 4)
		x64_mov(a, 4, dst, src);
	else
		x64_emit(a, X64_0F | (from == 1 ? 0xb6 | X64_BYTE_RM : 0xb7), dst, 0, src, 0);
}

void x64_movsx(struct x64_asm *a, unsigned size, unsigned from, unsigned dst, struct x64_rm src)
{
	if (from == 4)
		x64_emit(a, x64_wide(0x63, size), dst, 0, src, 0);
	else
		x64_emit(a, x64_wide(X64_0F | (from == 1 ? 0xbe | X64_BYTE_RM : 0xbf), size), dst,
			 0, src, 0);
}

void x64_xchg(struct x64_asm *a, unsigned size, struct x64_rm dst, unsigned reg)
{
	/* XCHG EAX,EAX would be NOP, which does not clear the upper half. */
	if (size > 1 && dst.kind == X64_RM_REG && (dst.base == X64_RAX) != (reg == X64_RAX))
		x64_emit_plain(a, x64_wide(0x90, size), dst.base == X64_RAX ? reg : dst.base, 0);
	else
		x64_emit(a, x64_sized(0x86, size), reg, 0, dst, 0);
}

void x64_vmovaps_rr(struct x64_asm *a, unsigned vlen, unsigned dst, unsigned src)
{
	uint32_t form = X64_MOVAPS | X64_VEX | (vlen == 32 ? X64_L : 0);

	/* The store form has the high register where a 2-byte VEX can name it. */
	if (src >= 8 && dst < 8)
		x64_emit(a, form | X64_TO_MEM, src, 0, x64_r(dst), 0);
	else
		x64_emit(a, form, dst, 0, x64_r(src), 0);
}

/* ---- arithmetic with a choice ---- */

/* Unsigned writings of what a smaller operand sees as negative. */
static inline int64_t imm_signed(unsigned size, int64_t imm)
{
	return size >= 8 ? imm : size == 4 ? (int32_t)imm : size == 2 ? (int16_t)imm : (int8_t)imm;
}

void x64_alu_i(struct x64_asm *a, enum x64_alu op, unsigned size, struct x64_rm dst, int64_t imm)
{
	imm = imm_signed(size, imm);
	assert(x64_fits32(imm));
	if (size > 1 && x64_fits8(imm))
		x64_emit_any(a, x64_wide(0x83 | X64_IMM8, size), op, dst, imm);
	else if (dst.kind == X64_RM_REG && dst.base == X64_RAX)
		x64_emit_plain(a, x64_sized(op * 8u + 4, size) | x64_imm_of(size), 0, imm);
	else
		x64_emit_any(a, x64_sized_digit(0x80, size) | x64_imm_of(size), op, dst, imm);
}

void x64_test_i(struct x64_asm *a, unsigned size, struct x64_rm x, int64_t imm)
{
	imm = imm_signed(size, imm);
	assert(x64_fits32(imm));
	if (x.kind == X64_RM_REG && x.base == X64_RAX)
		x64_emit_plain(a, x64_sized(0xa8, size) | x64_imm_of(size), 0, imm);
	else
		x64_emit(a, x64_sized_digit(0xf6, size) | x64_imm_of(size), 0, 0, x, imm);
}

void x64_imul_i(struct x64_asm *a, unsigned size, unsigned dst, struct x64_rm src, int32_t imm)
{
	if (x64_fits8(imm))
		x64_emit(a, x64_wide(0x6b | X64_IMM8, size), dst, 0, src, imm);
	else
		x64_emit(a, x64_wide(0x69, size) | x64_imm_of(size), dst, 0, src, imm);
}

/* ---- control ---- */

static void bind_short(struct x64_asm *a, struct x64_label *l)
{
	uint32_t at, next;

	for (at = l->short_uses; at; at = next) {
		uint8_t back = a->start[at];

		next = back ? at - back : 0;
		assert(l->at - (at + 1) <= INT8_MAX);
		a->start[at] = (uint8_t)(l->at - (at + 1));
	}
	l->short_uses = 0;
}

void x64_bind_uses(struct x64_asm *a, struct x64_label *l)
{
	uint32_t at = l->uses;

	if (a->is_full)
		return;
	while (at) {
		uint8_t *field = a->start + at;
		uint32_t next = ld32_le(field);

		st32_le(field, l->at - (at + 4));
		at = next;
	}
	l->uses = 0;
	if (l->short_uses)
		bind_short(a, l);
}

/* Is l bound and within reach of an instruction of two bytes? */
static bool is_near(const struct x64_asm *a, const struct x64_label *l)
{
	return l->at != X64_UNBOUND && x64_fits8((int64_t)l->at - (int64_t)x64_offset(a) - 2);
}

static void branch_near(struct x64_asm *a, unsigned opcode, const struct x64_label *l)
{
	if (!x64_has_insn_room(a))
		return;
	st16_le(a->at, (uint16_t)(opcode | (l->at - x64_offset(a) - 2) << 8));
	a->at += 2;
}

/* The opcode of a branch, before its displacement. */
static inline uint8_t *put_opcode(uint8_t *p, unsigned opcode)
{
	if (opcode <= 0xff) {
		*p = (uint8_t)opcode;
		return p + 1;
	}
	st16_le(p, (uint16_t)opcode);
	return p + 2;
}

static inline unsigned jcc_of(enum x64_cc cc) { return X64_OP_JCC | (unsigned)cc << 8; }

static inline void branch_far(struct x64_asm *a, unsigned opcode, struct x64_label *l)
{
	if (x64_has_insn_room(a))
		a->at = put_label(a, put_opcode(a->at, opcode), l);
}

void x64_jmp(struct x64_asm *a, struct x64_label *l)
{
	if (is_near(a, l))
		branch_near(a, X64_OP_JMP_SHORT, l);
	else
		branch_far(a, X64_OP_JMP, l);
}

void x64_jcc(struct x64_asm *a, enum x64_cc cc, struct x64_label *l)
{
	if (is_near(a, l))
		branch_near(a, X64_OP_JCC_SHORT | cc, l);
	else
		branch_far(a, jcc_of(cc), l);
}

void x64_call(struct x64_asm *a, struct x64_label *l) { branch_far(a, X64_OP_CALL, l); }

static void branch_short(struct x64_asm *a, unsigned opcode, struct x64_label *l)
{
	uint32_t at = x64_offset(a) + 1, back = l->short_uses ? at - l->short_uses : 0;

	if (l->at != X64_UNBOUND) {
		assert(is_near(a, l) || a->is_full);
		branch_near(a, opcode, l);
		return;
	}
	if (!x64_has_insn_room(a))
		return;
	assert(back <= UINT8_MAX);
	st16_le(a->at, (uint16_t)(opcode | back << 8));
	a->at += 2;
	l->short_uses = at;
}

void x64_jmp_short(struct x64_asm *a, struct x64_label *l) { branch_short(a, X64_OP_JMP_SHORT, l); }

void x64_jcc_short(struct x64_asm *a, enum x64_cc cc, struct x64_label *l)
{
	branch_short(a, X64_OP_JCC_SHORT | cc, l);
}

/* Returns the displacement's offset. */
static inline uint32_t branch_at(struct x64_asm *a, unsigned opcode, uint64_t target)
{
	if (!x64_has_insn_room(a))
		return 0;
	a->at = x64_put_relative(a, put_opcode(a->at, opcode), target, 0);
	return x64_offset(a) - 4;
}

void x64_jcc_at(struct x64_asm *a, enum x64_cc cc, uint64_t target)
{
	branch_at(a, jcc_of(cc), target);
}

/* A 4-byte field `before` bytes ahead is to be aligned: what x64_nop() writes, at most 3 bytes. */
static inline void align_field(struct x64_asm *a, unsigned before)
{
	static const uint32_t nops[] = { 0, 0x90, 0x9066, 0x001f0f };
	unsigned n = (unsigned)-(x64_pc(a) + before) & 3;

	if (!x64_has_insn_room(a))
		return;
	st32_le(a->at, nops[n]);
	a->at += n;
}

static inline uint32_t branch_patchable(struct x64_asm *a, unsigned opcode)
{
	align_field(a, 1);
	if (!x64_has_insn_room(a))
		return 0;
	st64_le(a->at, opcode);
	a->at += 5;
	return x64_offset(a) - 4;
}

uint32_t x64_jmp_patchable(struct x64_asm *a) { return branch_patchable(a, X64_OP_JMP); }

uint32_t x64_call_patchable(struct x64_asm *a) { return branch_patchable(a, X64_OP_CALL); }

uint32_t x64_jcc_patchable(struct x64_asm *a, enum x64_cc cc, uint64_t target)
{
	align_field(a, 2);
	return branch_at(a, jcc_of(cc), target);
}

uint32_t x64_cmp_patchable(struct x64_asm *a, struct x64_rm x, uint32_t imm)
{
	const struct x64_asm before = *a;

	for (unsigned fill = 0;; fill++) {
		*a = before;
		x64_nop(a, fill);
		x64_emit(a, 0x81 | X64_IMM32, X64_CMP, 0, x, (int32_t)imm);
		if (a->is_full)
			return 0;
		if (!(x64_pc(a) & 3))
			return x64_offset(a) - 4;
	}
}

void x64_quad(struct x64_asm *a, uint64_t v)
{
	if (!x64_has_room(a, 8))
		return;
	st64_le(a->at, v);
	a->at += 8;
}

void x64_nop(struct x64_asm *a, unsigned n)
{
	enum { LONGEST = 9 };
	/* The forms the manuals recommend (SDM 2B, NOP). */
	static const char nops[LONGEST + 1][X64_MAX_INSN] = {
		"",
		"\x90",
		"\x66\x90",
		"\x0f\x1f\x00",
		"\x0f\x1f\x40\x00",
		"\x0f\x1f\x44\x00\x00",
		"\x66\x0f\x1f\x44\x00\x00",
		"\x0f\x1f\x80\x00\x00\x00\x00",
		"\x0f\x1f\x84\x00\x00\x00\x00\x00",
		"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00",
	};

	for (unsigned k; n && x64_has_insn_room(a); n -= k) {
		k = n < LONGEST ? n : LONGEST;
		memcpy(a->at, nops[k], sizeof(nops[k]));
		a->at += k;
	}
}

void x64_align(struct x64_asm *a, unsigned to)
{
	x64_nop(a, (unsigned)(align_up(x64_pc(a), to) - x64_pc(a)));
}
