/* jit/x64/asm.c - the encoder's core (SDM 2A chapter 2; VEX: 2.3), and encodings with a choice.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/asm.h"

#include <assert.h>
#include <string.h>

enum { REX = 0x40, REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1 };
enum { SIB_NO_INDEX = 4, SIB_NO_BASE = 5, RM_SIB = 4, RM_RIP = 5 };

/* What is written behind the last instruction at most: fields are stored whole, then cut. */
enum { OVERSHOOT = 8 };

static inline bool has_room(struct x64_asm *a, size_t n)
{
	if (unlikely((size_t)(a->end - a->at) < n))
		a->is_full = true;
	return !a->is_full;
}

static inline unsigned imm_bytes(uint32_t form) { return form >> X64_IMM_SHIFT & 15; }

/* ---- prefixes ---- */

/* No register at all has neither bit. */
BUILD_ASSERT(!(X64_NO_REG & 24));
static inline bool is_high_byte(unsigned reg) { return reg & 16; }

/* SPL, BPL, SIL, DIL are AH, CH, DH, BH without a REX prefix. */
static inline bool needs_rex(unsigned reg) { return reg >= X64_RSP && reg <= X64_RDI; }

static inline unsigned rex_bits(uint32_t form, unsigned reg, const struct x64_rm *rm)
{
	BUILD_ASSERT(X64_W == REX_W << 9);
	return (form >> 9 & REX_W) | (reg >> 1 & REX_R) | (rm->index >> 2 & REX_X) |
	       (rm->base >> 3 & REX_B);
}

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
	unsigned rex = rex_bits(form, reg, rm);
	bool has_rex = rex;

	if (form & (X64_O16 | X64_F2))
		p = put_prefixes(p, form);
	if (form & (X64_BYTE_REG | X64_BYTE_RM))
		has_rex |= is_byte_rex(form, reg, rm, rex);
	*p = (uint8_t)(REX | rex);
	p += has_rex;
	return form & X64_0F3A ? put_map(p, form) : p;
}

static uint8_t *put_vex(uint8_t *p, uint32_t form, unsigned reg, unsigned vvvv,
			const struct x64_rm *rm)
{
	unsigned rex = rex_bits(form, reg, rm), map = form >> 8 & 3;
	unsigned last = (~vvvv & 15) << 3 | (form & X64_L ? 4 : 0) | (form >> 10 & 3);

	if (map == 1 && !(rex & (REX_W | REX_X | REX_B))) {
		*p++ = 0xc5;
		*p++ = (uint8_t)((rex & REX_R ? 0 : 0x80) | last);
		return p;
	}
	*p++ = 0xc4;
	*p++ = (uint8_t)((~rex & 7) << 5 | map);
	*p++ = (uint8_t)((rex & REX_W ? 0x80 : 0) | last);
	return p;
}

/* ---- ModRM, SIB, displacement ---- */

static inline uint8_t modrm(unsigned mod, unsigned reg, unsigned rm)
{
	return (uint8_t)(mod << 6 | (reg & 7) << 3 | (rm & 7));
}

static inline uint8_t *put32(uint8_t *p, uint32_t v)
{
	st32_le(p, v);
	return p + 4;
}

/* A displacement relative to the end of the instruction, `after` bytes behind the field. */
static uint8_t *put_relative(struct x64_asm *a, uint8_t *p, uint64_t target, unsigned after)
{
	uint64_t end = a->run + (uint64_t)(p - a->start) + 4 + after;

	assert(x64_fits32((int64_t)(target - end)));
	return put32(p, (uint32_t)(target - end));
}

/* The same to a label: known, or to be filled in by x64_bind(). */
static uint8_t *put_label(struct x64_asm *a, uint8_t *p, struct x64_label *l)
{
	if (l->at != X64_UNBOUND)
		return put_relative(a, p, a->run + l->at, 0);
	p = put32(p, l->uses);
	l->uses = (uint32_t)(p - 4 - a->start);
	return p;
}

static inline uint8_t *put_memory(uint8_t *p, unsigned reg, const struct x64_rm *m)
{
	static const uint8_t disp_bytes[] = { 0, 1, 4 };
	unsigned base = m->base, index = m->index, mod, sib_index;

	assert(index != X64_RSP && m->shift <= 3);
	sib_index = index == X64_NO_REG ? SIB_NO_INDEX : index;
	if (unlikely(base == X64_NO_REG)) {
		*p++ = modrm(0, reg, RM_SIB);
		*p++ = modrm(m->shift, sib_index, SIB_NO_BASE);
		return put32(p, (uint32_t)m->disp);
	}
	/* RBP and R13 as base have no form without displacement: it means no base, or RIP. */
	mod = x64_fits8(m->disp) ? 1 : 2;
	mod = !m->disp && (base & 7) != X64_RBP ? 0 : mod;
	if (index != X64_NO_REG || (base & 7) == X64_RSP) {
		*p++ = modrm(mod, reg, RM_SIB);
		*p++ = modrm(m->shift, sib_index, base);
	} else {
		*p++ = modrm(mod, reg, base);
	}
	st32_le(p, (uint32_t)m->disp);
	return p + disp_bytes[mod];
}

/* Of what is not known in numbers yet. */
static uint8_t *put_rm_relative(struct x64_asm *a, uint8_t *p, uint32_t form, unsigned reg,
				const struct x64_rm *rm)
{
	switch (rm->kind) {
	case X64_RM_RIP:
		*p++ = modrm(0, reg, RM_RIP);
		return put_relative(a, p, rm->target, imm_bytes(form));
	default:
		assert(!imm_bytes(form));
		*p++ = modrm(0, reg, RM_RIP);
		return put_label(a, p, rm->label);
	}
}

static inline uint8_t *put_imm(uint8_t *p, uint32_t form, int64_t imm)
{
	st64_le(p, (uint64_t)imm);
	return p + imm_bytes(form);
}

/* ---- whole instructions ---- */

/* What neither VEX nor a prefix beside REX has, nor a byte register. */
enum { UNCOMMON = X64_VEX | X64_O16 | X64_F2 | X64_BYTE_REG | X64_BYTE_RM | X64_0F38 };

static __attribute__((noinline)) void emit_uncommon(struct x64_asm *a, uint32_t form, unsigned reg,
						    unsigned vvvv, struct x64_rm rm, int64_t imm)
{
	uint8_t *p = a->at;

	if (form & X64_VEX)
		p = put_vex(p, form, reg, vvvv, &rm);
	else
		p = put_legacy(p, form, reg, &rm);
	*p++ = (uint8_t)form;
	if (rm.kind == X64_RM_MEM)
		p = put_memory(p, reg, &rm);
	else if (rm.kind == X64_RM_REG)
		*p++ = modrm(3, reg, rm.base);
	else
		p = put_rm_relative(a, p, form, reg, &rm);
	a->at = put_imm(p, form, imm);
}

void x64_emit(struct x64_asm *a, uint32_t form, unsigned reg, unsigned vvvv, struct x64_rm rm,
	      int64_t imm)
{
	uint8_t *p = a->at;
	unsigned rex;

	if (!has_room(a, X64_MAX_INSN + OVERSHOOT))
		return;
	if (form & UNCOMMON || rm.kind > X64_RM_MEM) {
		emit_uncommon(a, form, reg, vvvv, rm, imm);
		return;
	}
	rex = rex_bits(form, reg, &rm);
	*p = (uint8_t)(REX | rex);
	p += !!rex;
	*p = 0x0f;
	p += form >> 8 & 1; /* X64_0F */
	*p++ = (uint8_t)form;
	if (rm.kind == X64_RM_MEM)
		p = put_memory(p, reg, &rm);
	else
		*p++ = modrm(3, reg, rm.base);
	a->at = put_imm(p, form, imm);
}

void x64_emit_plain(struct x64_asm *a, uint32_t form, unsigned reg, int64_t imm)
{
	const struct x64_rm rm = x64_r(reg);
	uint8_t *p = a->at;

	if (!has_room(a, X64_MAX_INSN + OVERSHOOT))
		return;
	p = put_legacy(p, form, 0, &rm);
	*p++ = (uint8_t)(form | (reg & 7));
	a->at = put_imm(p, form, imm);
}

void x64_emit_bytes(struct x64_asm *a, const void *bytes, size_t n)
{
	if (!has_room(a, n))
		return;
	memcpy(a->at, bytes, n);
	a->at += n;
}

/* ---- moves with a choice ---- */

void x64_mov_ri(struct x64_asm *a, unsigned dst, uint64_t imm)
{
	if (imm <= UINT32_MAX)
		x64_emit_plain(a, 0xb8 | X64_IMM32, dst, (int64_t)imm);
	else if (x64_fits32((int64_t)imm))
		x64_mov_i(a, 8, x64_r(dst), (int32_t)imm);
	else
		x64_emit_plain(a, 0xb8 | X64_W | 8u << X64_IMM_SHIFT, dst, (int64_t)imm);
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
static int64_t imm_signed(unsigned size, int64_t imm)
{
	return size >= 8 ? imm : sign_extend((uint64_t)imm, 8 * size);
}

void x64_alu_i(struct x64_asm *a, enum x64_alu op, unsigned size, struct x64_rm dst, int64_t imm)
{
	imm = imm_signed(size, imm);
	assert(x64_fits32(imm));
	if (size > 1 && x64_fits8(imm))
		x64_emit(a, x64_wide(0x83 | X64_IMM8, size), op, 0, dst, imm);
	else if (dst.kind == X64_RM_REG && dst.base == X64_RAX)
		x64_emit_plain(a, x64_sized(op * 8u + 4, size) | x64_imm_of(size), 0, imm);
	else
		x64_emit(a, x64_sized_digit(0x80, size) | x64_imm_of(size), op, 0, dst, imm);
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

void x64_bind(struct x64_asm *a, struct x64_label *l)
{
	uint32_t at, next;

	assert(l->at == X64_UNBOUND);
	l->at = x64_offset(a);
	if (a->is_full)
		return;
	for (at = l->uses; at; at = next) {
		next = ld32_le(a->start + at);
		st32_le(a->start + at, l->at - (at + 4));
	}
	for (at = l->short_uses; at; at = next) {
		uint8_t back = a->start[at];

		next = back ? at - back : 0;
		assert(l->at - (at + 1) <= INT8_MAX);
		a->start[at] = (uint8_t)(l->at - (at + 1));
	}
	l->uses = l->short_uses = 0;
}

/* Is l bound and within reach of an instruction of two bytes? */
static bool is_near(const struct x64_asm *a, const struct x64_label *l)
{
	return l->at != X64_UNBOUND && x64_fits8((int64_t)l->at - (int64_t)x64_offset(a) - 2);
}

static void branch_near(struct x64_asm *a, unsigned opcode, const struct x64_label *l)
{
	x64_emit_plain(a, opcode | X64_IMM8, 0, (int64_t)l->at - (int64_t)x64_offset(a) - 2);
}

static void branch_far(struct x64_asm *a, uint32_t form, struct x64_label *l)
{
	if (!has_room(a, X64_MAX_INSN))
		return;
	x64_emit_plain(a, form, 0, 0);
	a->at = put_label(a, a->at, l);
}

void x64_jmp(struct x64_asm *a, struct x64_label *l)
{
	if (is_near(a, l))
		branch_near(a, 0xeb, l);
	else
		branch_far(a, 0xe9, l);
}

void x64_jcc(struct x64_asm *a, enum x64_cc cc, struct x64_label *l)
{
	if (is_near(a, l))
		branch_near(a, 0x70 | cc, l);
	else
		branch_far(a, X64_0F | 0x80 | cc, l);
}

void x64_call(struct x64_asm *a, struct x64_label *l) { branch_far(a, 0xe8, l); }

static void branch_short(struct x64_asm *a, unsigned opcode, struct x64_label *l)
{
	uint32_t at = x64_offset(a) + 1, back = l->short_uses ? at - l->short_uses : 0;

	if (l->at != X64_UNBOUND) {
		assert(is_near(a, l) || a->is_full);
		branch_near(a, opcode, l);
		return;
	}
	if (!has_room(a, X64_MAX_INSN))
		return;
	assert(back <= UINT8_MAX);
	x64_emit_plain(a, opcode | X64_IMM8, 0, back);
	l->short_uses = at;
}

void x64_jmp_short(struct x64_asm *a, struct x64_label *l) { branch_short(a, 0xeb, l); }

void x64_jcc_short(struct x64_asm *a, enum x64_cc cc, struct x64_label *l)
{
	branch_short(a, 0x70 | cc, l);
}

/* Returns the displacement's offset. */
static uint32_t branch_at(struct x64_asm *a, uint32_t form, uint64_t target)
{
	if (!has_room(a, X64_MAX_INSN))
		return 0;
	x64_emit_plain(a, form, 0, 0);
	a->at = put_relative(a, a->at, target, 0);
	return x64_offset(a) - 4;
}

void x64_jmp_at(struct x64_asm *a, uint64_t target) { branch_at(a, 0xe9, target); }

void x64_jcc_at(struct x64_asm *a, enum x64_cc cc, uint64_t target)
{
	branch_at(a, X64_0F | 0x80 | cc, target);
}

void x64_call_at(struct x64_asm *a, uint64_t target) { branch_at(a, 0xe8, target); }

/* A 4-byte field `before` bytes ahead is to be aligned. */
static void align_field(struct x64_asm *a, unsigned before)
{
	x64_nop(a, (unsigned)-(x64_pc(a) + before) & 3);
}

uint32_t x64_jmp_patchable(struct x64_asm *a, uint64_t target)
{
	align_field(a, 1);
	return branch_at(a, 0xe9, target);
}

uint32_t x64_call_patchable(struct x64_asm *a, uint64_t target)
{
	align_field(a, 1);
	return branch_at(a, 0xe8, target);
}

uint32_t x64_jcc_patchable(struct x64_asm *a, enum x64_cc cc, uint64_t target)
{
	align_field(a, 2);
	return branch_at(a, X64_0F | 0x80 | cc, target);
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
	if (a->end - a->at < 8) {
		a->is_full = true;
		return;
	}
	st64_le(a->at, v);
	a->at += 8;
}

/* The forms the manuals recommend (SDM 2B, NOP). */
void x64_nop(struct x64_asm *a, unsigned n)
{
	static const char *const nops[] = {
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

	for (unsigned k; n; n -= k) {
		k = n < ARRAY_SIZE(nops) ? n : (unsigned)ARRAY_SIZE(nops) - 1;
		x64_emit_bytes(a, nops[k], k);
	}
}

void x64_align(struct x64_asm *a, unsigned to)
{
	x64_nop(a, (unsigned)(align_up(x64_pc(a), to) - x64_pc(a)));
}
