/* jit/x64/asm_flow.h - the encoder's branches: to labels, to addresses, and such as are redirected
 * while others run them; and pieces of code that are pasted.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "jit/x64/asm.h"

/* ---- control ---- */

void x64_bind_uses(struct x64_asm *a, struct x64_label *l);
static inline void x64_bind(struct x64_asm *a, struct x64_label *l)
{
	assert(l->at == X64_UNBOUND);
	l->at = x64_offset(a);
	if (l->uses | l->short_uses)
		x64_bind_uses(a, l);
}
/* A displacement relative to the end of the instruction, of which `after` bytes follow. */
static inline uint8_t *x64_put_relative(const struct x64_asm *a, uint8_t *p, uint64_t target,
					unsigned after)
{
	int64_t d = (int64_t)(target - x64_runs_at(a, p + 4 + after));

	assert(x64_fits32(d));
	st32_le(p, (uint32_t)d);
	return p + 4;
}
enum {
	X64_OP_CALL = 0xe8,
	X64_OP_JMP = 0xe9,
	X64_OP_JMP_SHORT = 0xeb,
	X64_OP_JCC = 0x800f, /* the condition in the second byte */
	X64_OP_JCC_SHORT = 0x70,
};
static inline void x64_branch_at(struct x64_asm *a, unsigned opcode, uint64_t target)
{
	if (!x64_has_insn_room(a))
		return;
	*a->at = (uint8_t)opcode;
	a->at = x64_put_relative(a, a->at + 1, target, 0);
}

/* To a label: short when it is bound and near.  _short: it will be bound within 127 bytes. */
void x64_jmp(struct x64_asm *a, struct x64_label *l);
/* The same, where it is bound. */
static inline void x64_jmp_back(struct x64_asm *a, const struct x64_label *l)
{
	int32_t d = (int32_t)(l->at - (x64_offset(a) + 2));
	bool is_near = x64_fits8(d);

	if (!x64_has_insn_room(a))
		return;
	st64_le(a->at, is_near ? X64_OP_JMP_SHORT | (uint64_t)(uint8_t)d << 8
			       : X64_OP_JMP | (uint64_t)(uint32_t)(d - 3) << 8);
	a->at += is_near ? 2 : 5;
}
static inline void x64_jcc_back(struct x64_asm *a, enum x64_cc cc, const struct x64_label *l)
{
	int32_t d = (int32_t)(l->at - (x64_offset(a) + 2));
	bool is_near = x64_fits8(d);

	if (!x64_has_insn_room(a))
		return;
	st64_le(a->at, is_near ? X64_OP_JCC_SHORT | cc | (uint64_t)(uint8_t)d << 8
			       : X64_OP_JCC | cc << 8 | (uint64_t)(uint32_t)(d - 4) << 16);
	a->at += is_near ? 2 : 6;
}
void x64_jcc(struct x64_asm *a, enum x64_cc cc, struct x64_label *l);
void x64_jmp_short(struct x64_asm *a, struct x64_label *l);
void x64_jcc_short(struct x64_asm *a, enum x64_cc cc, struct x64_label *l);
void x64_call(struct x64_asm *a, struct x64_label *l);
/* To an address within 2 GiB; always 4 bytes of displacement. */
static inline void x64_jmp_at(struct x64_asm *a, uint64_t target)
{
	x64_branch_at(a, X64_OP_JMP, target);
}
static inline void x64_call_at(struct x64_asm *a, uint64_t target)
{
	x64_branch_at(a, X64_OP_CALL, target);
}
void x64_jcc_at(struct x64_asm *a, enum x64_cc cc, uint64_t target);
/* A jump that can be redirected while others run it: its displacement is aligned.  Returns the
 * displacement's offset in the code, for x64_patch().  At first JMP and CALL lead to what is right
 * behind them. */
uint32_t x64_jmp_patchable(struct x64_asm *a);
uint32_t x64_call_patchable(struct x64_asm *a);
uint32_t x64_jcc_patchable(struct x64_asm *a, enum x64_cc cc, uint64_t target);
/* CMP of 4 bytes with a constant that can be exchanged likewise, by x64_patch_imm(). */
uint32_t x64_cmp_patchable(struct x64_asm *a, struct x64_rm x, uint32_t imm);
static inline void x64_patch_imm(uint8_t *field, uint32_t imm)
{
	__atomic_store_n((uint32_t *)(void *)field, imm, __ATOMIC_RELEASE);
}
/* field: where the displacement is written; run: where it is read from. */
static inline void x64_patch(uint8_t *field, uint64_t run, uint64_t target)
{
	__atomic_store_n((uint32_t *)(void *)field, (uint32_t)(target - (run + 4)),
			 __ATOMIC_RELEASE);
}
/* The same for a field that is not aligned, but in one line of the host's caches: a single store
 * for whoever runs there. */
struct x64_field {
	uint32_t disp;
} __attribute__((packed, may_alias));
static inline void x64_patch_in_line(uint8_t *field, uint64_t run, uint64_t target)
{
	((volatile struct x64_field *)(void *)field)->disp = (uint32_t)(target - (run + 4));
}
static inline void x64_jmp_rm(struct x64_asm *a, struct x64_rm x) { x64_emit(a, 0xff, 4, 0, x, 0); }
static inline void x64_call_rm(struct x64_asm *a, struct x64_rm x)
{
	x64_emit(a, 0xff, 2, 0, x, 0);
}
static inline void x64_ret(struct x64_asm *a) { x64_emit_plain(a, 0xc3, 0, 0); }
static inline void x64_int3(struct x64_asm *a) { x64_emit_plain(a, 0xcc, 0, 0); }
static inline void x64_ud2(struct x64_asm *a) { x64_emit_plain(a, X64_0F | 0x0b, 0, 0); }
/* n bytes that do nothing, in as few instructions as possible. */
void x64_nop(struct x64_asm *a, unsigned n);
void x64_align(struct x64_asm *a, unsigned to);
void x64_quad(struct x64_asm *a, uint64_t v); /* data */

/* ---- pieces ----
 *
 * Code that is the same in many places but for some fields of 4 bytes: encoded once, then pasted,
 * and the fields filled in behind that. */
struct x64_piece {
	uint8_t bytes[60];
	uint8_t size, field[3]; /* where the fields are */
};
BUILD_ASSERT(sizeof(struct x64_piece) == 64);

/* False: no room, nothing is to be filled in. */
static inline bool x64_paste(struct x64_asm *a, const struct x64_piece *p)
{
	if (!x64_has_room(a, sizeof(*p)))
		return false;
	memcpy(a->at, p, sizeof(*p));
	a->at += p->size;
	return true;
}
/* Field n of what was just pasted: a value; a displacement to a label, or to what runs at target.
 */
static inline uint8_t *x64_field(const struct x64_asm *a, const struct x64_piece *p, unsigned n)
{
	return a->at - p->size + p->field[n];
}
static inline void x64_fill(struct x64_asm *a, const struct x64_piece *p, unsigned n, int32_t v)
{
	st32_le(x64_field(a, p, n), (uint32_t)v);
}
/* To a label that is not bound yet. */
static inline void x64_fill_label(struct x64_asm *a, const struct x64_piece *p, unsigned n,
				  struct x64_label *l)
{
	assert(l->at == X64_UNBOUND);
	x64_fill(a, p, n, (int32_t)l->uses);
	l->uses = (uint32_t)(x64_field(a, p, n) - a->start);
}
static inline void x64_fill_at(struct x64_asm *a, const struct x64_piece *p, unsigned n,
			       uint64_t target)
{
	x64_put_relative(a, x64_field(a, p, n), target, 0);
}
