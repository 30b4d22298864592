/* jit/x64/pieces.c - sequences that most blocks have: encoded once, by the same functions as all
 * else, and pasted from then on.
 * SPDX-License-Identifier: MIT */
#include <assert.h>

#include "jit/x64/lower.h"

enum { PAGE = 4096, UNKNOWN = INT32_MAX /* a field, in a form of 4 bytes */ };

struct piece_asm {
	struct x64_asm a;
	struct x64_piece *piece;
	unsigned field_count;
	const struct x64_jit *jit;
	uint8_t bytes[128];
};

static void begin(struct piece_asm *p, struct x64_piece *piece)
{
	x64_begin(&p->a, p->bytes, 0, sizeof(p->bytes));
	p->piece = piece;
	p->field_count = 0;
}

/* The instruction just written ends with a field. */
static void field(struct piece_asm *p)
{
	p->piece->field[p->field_count++] = (uint8_t)(x64_offset(&p->a) - 4);
}

static void end(struct piece_asm *p)
{
	assert(!p->a.is_full && x64_offset(&p->a) <= sizeof(p->piece->bytes) &&
	       p->field_count <= sizeof(p->piece->field));
	p->piece->size = (uint8_t)x64_offset(&p->a);
	memcpy(p->piece->bytes, p->bytes, p->piece->size);
}

/* A branch whose target is a field. */
static void branch(struct piece_asm *p, enum x64_cc cc)
{
	struct x64_label to = X64_LABEL;

	x64_jcc(&p->a, cc, &to);
	field(p);
}

#define PIECE_ENV(p, field) \
	x64_m(P, (int32_t)((uint32_t)offsetof(struct jit_env, field) - (p)->jit->anchor))

static void write_page(struct piece_asm *p, struct x64_piece *out)
{
	begin(p, out);
	x64_alu_i(&p->a, X64_AND, 8, x64_r(S0), -PAGE);
	x64_mov_to(&p->a, 8, PIECE_ENV(p, page), S0);
	end(p);
}

static void write_pc(struct piece_asm *p, unsigned reg, struct x64_piece *out)
{
	begin(p, out);
	x64_mov(&p->a, 8, reg, PIECE_ENV(p, page));
	x64_lea(&p->a, 8, reg, x64_m(reg, UNKNOWN));
	field(p);
	end(p);
}

static void write_poll(struct piece_asm *p, enum x64_cc cc, struct x64_piece *out)
{
	begin(p, out);
	x64_alu(&p->a, X64_CMP, 8, X64_RSP, PIECE_ENV(p, floor));
	branch(p, cc);
	end(p);
}

static void write_check(struct piece_asm *p, struct x64_piece *out, bool write)
{
	unsigned kind = write ? TLB_WRITE : TLB_READ;

	begin(p, out);
	x64_bmi_rmv(&p->a, X64_BEXTR, 4, S1, x64_r(S0), TLB);
	x64_alu(&p->a, X64_SUB, 8, S0, x64_tlb_tag(kind, 0));
	x64_alu_i(&p->a, X64_CMP, 8, x64_r(S0), UNKNOWN);
	field(p);
	branch(p, X64_CC_A);
	x64_alu(&p->a, X64_ADD, 8, S0, x64_tlb_host(kind, 0));
	end(p);
}

static void write_lookup(struct piece_asm *p, struct x64_piece *out)
{
	begin(p, out);
	flow_emit_lookup(&p->a, PIECE_ENV(p, probe));
	end(p);
}

static void write_far(struct piece_asm *p, struct x64_piece *out)
{
	struct x64_label key = X64_LABEL;

	begin(p, out);
	x64_mov(&p->a, 8, S0, x64_at_label(&key));
	field(p);
	x64_alu(&p->a, X64_XOR, 8, S0, PIECE_ENV(p, name));
	x64_alu_to(&p->a, X64_CMP, 8, PIECE_ENV(p, page), S0);
	branch(p, X64_CC_NE);
	x64_alu_i(&p->a, X64_ADD, 8, PIECE_ENV(p, page), UNKNOWN);
	field(p);
	end(p);
}

static void write_far_key(struct piece_asm *p, struct x64_piece *out)
{
	struct x64_label key = X64_LABEL;

	begin(p, out);
	x64_lea(&p->a, 8, S1, x64_at_label(&key));
	field(p);
	end(p);
}

static void write_pad(struct piece_asm *p, struct x64_piece *out)
{
	begin(p, out);
	x64_alu_to(&p->a, X64_CMP, 8, x64_m(X64_RSP, 0), S0);
	branch(p, X64_CC_NE);
	x64_pop(&p->a, S1);
	end(p);
}

/* The same number from our own stack: nothing waits for the guest's. */
static void write_pad_page(struct piece_asm *p, struct x64_piece *out)
{
	begin(p, out);
	x64_alu_i(&p->a, X64_AND, 8, x64_r(S1), -PAGE);
	x64_mov_to(&p->a, 8, PIECE_ENV(p, page), S1);
	end(p);
}

void x64_pieces_write(struct x64_jit *j)
{
	struct piece_asm p = { .jit = j };

	write_page(&p, &j->piece.page);
	write_pc(&p, S0, &j->piece.pc[0]);
	write_pc(&p, S1, &j->piece.pc[1]);
	write_poll(&p, X64_CC_BE, &j->piece.poll);
	write_poll(&p, X64_CC_A, &j->piece.again);
	write_check(&p, &j->piece.check[false], false);
	write_check(&p, &j->piece.check[true], true);
	write_lookup(&p, &j->piece.lookup);
	write_far(&p, &j->piece.far);
	write_far_key(&p, &j->piece.far_key);
	write_pad(&p, &j->piece.pad);
	write_pad_page(&p, &j->piece.pad_page);
	j->piece.flags_kind = x64_cell_of(PIECE_ENV(&p, flags_kind));
	j->piece.flags_a = x64_cell_of(PIECE_ENV(&p, flags_a));
	j->piece.flags_b = x64_cell_of(PIECE_ENV(&p, flags_b));
}
