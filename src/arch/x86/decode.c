/* arch/x86/decode.c - bytes to struct x86_insn: prefixes, maps, ModRM, VEX, immediates (SDM 2 ch.
 * 2). SPDX-License-Identifier: MIT */
#include "arch/x86/decode.h"

#include <string.h>

#include "arch/x86/state.h"

enum { IMM_ADDRESS = 0xff };

struct decoder {
	struct x86_insn *in;
	const struct x86_decode_mode *m;
	struct x86_reader *r;
	enum x86_decode result;
	uint8_t copied;    /* bytes in in->bytes: taken from those at hand ahead of their use */
	uint8_t mandatory; /* one of KEY_NP, KEY_66, KEY_F3, KEY_F2 */
	bool seg_given;
};

/* Up to a whole instruction of the bytes at hand. */
static void decode_begin(struct decoder *d)
{
	struct x86_reader *r = d->r;
	size_t n = (size_t)(r->end - r->at);

	if (n >= sizeof(d->in->bytes)) {
		memcpy(d->in->bytes, r->at, sizeof(d->in->bytes));
		d->copied = X86_MAX_INSN;
	} else if (n) {
		memcpy(d->in->bytes, r->at, n);
		d->copied = (uint8_t)(n < X86_MAX_INSN ? n : X86_MAX_INSN);
	}
}

/* The bytes at hand that were used up are so for the reader too. */
static void decode_end(struct decoder *d)
{
	if (d->copied)
		d->r->at += d->in->len < d->copied ? d->in->len : d->copied;
}

/* A byte that was not at hand. */
static bool decode_next(struct decoder *d, uint8_t *out)
{
	int byte;

	if (d->in->len == X86_MAX_INSN) {
		d->result = DECODE_TOO_LONG;
		return false;
	}
	decode_end(d);
	d->copied = 0;
	byte = d->r->at < d->r->end ? *d->r->at++ : d->r->next(d->r);
	if (byte < 0) {
		d->result = DECODE_FETCH;
		return false;
	}
	*out = d->in->bytes[d->in->len++] = (uint8_t)byte;
	return true;
}

/* Next byte; false: result says why not. */
static inline bool decode_u8(struct decoder *d, uint8_t *out)
{
	if (unlikely(d->in->len >= d->copied))
		return decode_next(d, out);
	*out = d->in->bytes[d->in->len++];
	return true;
}

/* n bytes, little-endian, sign-extended. */
static bool decode_signed(struct decoder *d, unsigned n, uint64_t *out)
{
	const uint8_t *at = d->in->bytes + d->in->len;
	uint64_t v = 0;

	if (n == 1 || d->in->len + n > d->copied) {
		for (unsigned i = 0; i < n; i++) {
			uint8_t byte;

			if (!decode_u8(d, &byte))
				return false;
			v |= (uint64_t)byte << (8 * i);
		}
	} else {
		v = n == 4 ? ld32_le(at) : n == 8 ? ld64_le(at) : n ? ld16_le(at) : 0;
		d->in->len = (uint8_t)(d->in->len + n);
	}
	*out = n ? (uint64_t)sign_extend(v, 8 * n) : 0;
	return true;
}

/* CS, DS, ES and SS overrides change nothing in 64-bit mode: they read as DS, or as the default. */
static void decode_segment(struct decoder *d, uint8_t seg)
{
	if (d->m->code64 && seg < SEG_FS)
		return;
	d->in->seg = seg;
	d->in->prefixes |= PFX_SEG;
	d->seg_given = true;
}

/* Is it a prefix?  Then it is noted. */
static bool decode_prefix(struct decoder *d, uint8_t byte)
{
	struct x86_insn *in = d->in;

	if (d->m->code64 && (byte & 0xf0) == 0x40) {
		in->rex = byte;
		return true;
	}
	switch (byte) {
	case 0x26: decode_segment(d, SEG_ES); break;
	case 0x2e: decode_segment(d, SEG_CS); break;
	case 0x36: decode_segment(d, SEG_SS); break;
	case 0x3e: decode_segment(d, SEG_DS); break;
	case 0x64: decode_segment(d, SEG_FS); break;
	case 0x65: decode_segment(d, SEG_GS); break;
	case 0x66: in->prefixes |= PFX_66; break;
	case 0x67: in->prefixes |= PFX_67; break;
	case 0xf0: in->prefixes |= PFX_LOCK; break;
	case 0xf2: in->prefixes = (in->prefixes & ~PFX_REP) | PFX_REPNE; break;
	case 0xf3: in->prefixes = (in->prefixes & ~PFX_REPNE) | PFX_REP; break;
	default: return false;
	}
	in->rex = 0; /* a REX that does not come last is ignored */
	return true;
}

/* The rest of a VEX prefix, of two (C5) or three (C4) bytes, and the opcode. */
static bool decode_vex(struct decoder *d, bool three, uint8_t byte)
{
	static const uint8_t mandatory[] = { KEY_NP, KEY_66, KEY_F3, KEY_F2 };
	struct x86_insn *in = d->in;
	uint8_t last = byte;

	if (in->rex || in->prefixes & (PFX_LOCK | PFX_66 | PFX_REP | PFX_REPNE)) {
		d->result = DECODE_UD;
		return false;
	}
	in->is_vex = true;
	in->map = MAP_VEX_0F;
	in->rex = byte & 0x80 ? 0 : REX_R;
	if (three) {
		in->rex |= (byte & 0x40 ? 0 : REX_X) | (byte & 0x20 ? 0 : REX_B);
		if ((byte & 0x1f) < 1 || (byte & 0x1f) > 3) {
			d->result = DECODE_UD;
			return false;
		}
		in->map = MAP_VEX_0F + (byte & 0x1f) - 1;
		if (!decode_u8(d, &last))
			return false;
		if (last & 0x80)
			in->rex |= REX_W;
	}
	if (!d->m->code64)
		in->rex &= REX_W;
	in->vvvv = ~last >> 3 & (d->m->code64 ? 15 : 7);
	in->vlen = last & 4 ? 32 : 16;
	d->mandatory = mandatory[last & 3];
	/* vvvv bit 3 outside 64-bit mode is ignored, but must be 1 when nothing is named */
	if (!d->m->code64 && !(last & 0x40))
		in->vvvv |= 8;
	return decode_u8(d, &in->opcode);
}

/* Prefixes, escapes and the opcode itself. */
static bool decode_opcode(struct decoder *d)
{
	struct x86_insn *in = d->in;
	uint8_t byte;

	do {
		if (!decode_u8(d, &byte))
			return false;
	} while (decode_prefix(d, byte));
	if (byte == 0xc4 || byte == 0xc5) {
		uint8_t second;

		/* LES and LDS need mod != 3, which the inverted R and X bits rule out (SDM
		 * 2 2.3.5.1); real and virtual-8086 mode know no VEX. */
		if (d->m->code64 || !d->m->no_vex) {
			if (!decode_u8(d, &second))
				return false;
			if (d->m->code64 || second >> 6 == 3)
				return decode_vex(d, byte == 0xc4, second);
			in->modrm = second;
			in->mod = second >> 6;
		}
	}
	in->opcode = byte;
	if (byte != 0x0f)
		return true;
	if (!decode_u8(d, &in->opcode))
		return false;
	in->map = MAP_0F;
	if (in->opcode == 0x38 || in->opcode == 0x3a) {
		in->map = in->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
		return decode_u8(d, &in->opcode);
	}
	return true;
}

static bool decode_ea16(struct decoder *d)
{
	/* base, index of rm 0-7 (SDM 2 table 2-1) */
	static const uint8_t base[] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
	static const uint8_t index[] = { RSI,       RDI,       RSI,       RDI,
					 EA_NO_REG, EA_NO_REG, EA_NO_REG, EA_NO_REG };
	struct x86_insn *in = d->in;
	unsigned rm = in->modrm & 7, disp = in->mod == 1 ? 1 : in->mod == 2 ? 2 : 0;

	in->base = base[rm];
	in->index = index[rm];
	if (in->mod == 0 && rm == 6) {
		in->base = EA_NO_REG;
		disp = 2;
	}
	if (!d->seg_given)
		in->seg = in->base == RBP ? SEG_SS : SEG_DS;
	return decode_signed(d, disp, (uint64_t *)&in->disp);
}

static bool decode_ea32(struct decoder *d)
{
	struct x86_insn *in = d->in;
	unsigned rm = in->modrm & 7, disp = in->mod == 1 ? 1 : in->mod == 2 ? 4 : 0, base = rm;

	if (rm == 4) {
		uint8_t sib;

		if (!decode_u8(d, &sib))
			return false;
		base = sib & 7;
		in->scale = sib >> 6;
		in->index = (sib >> 3 & 7) | (in->rex & REX_X ? 8 : 0);
		if (in->index == 4)
			in->index = EA_NO_REG;
	}
	in->base = base | (in->rex & REX_B ? 8 : 0);
	if (in->mod == 0 && base == 5) {
		in->base = rm == 5 && d->m->code64 ? EA_RIP : EA_NO_REG;
		disp = 4;
	}
	if (!d->seg_given)
		in->seg = in->base == RSP || in->base == RBP ? SEG_SS : SEG_DS;
	return decode_signed(d, disp, (uint64_t *)&in->disp);
}

static bool decode_modrm(struct decoder *d)
{
	struct x86_insn *in = d->in;

	if (in->mod == 0xff) {
		if (!decode_u8(d, &in->modrm))
			return false;
		in->mod = in->modrm >> 6;
	}
	/* MOV to and from control and debug registers takes any mod as 3 */
	if (in->map == MAP_0F && in->opcode >= 0x20 && in->opcode <= 0x23)
		in->mod = 3;
	in->reg = (in->modrm >> 3 & 7) | (in->rex & REX_R ? 8 : 0);
	in->rm = (in->modrm & 7) | (in->rex & REX_B ? 8 : 0);
	if (in->mod == 3)
		return true;
	return in->asize == 2 ? decode_ea16(d) : decode_ea32(d);
}

static void decode_sizes(struct decoder *d)
{
	struct x86_insn *in = d->in;
	bool p66 = in->prefixes & PFX_66, p67 = in->prefixes & PFX_67;

	if (d->m->code64) {
		in->asize = p67 ? 4 : 8;
		in->opsize = in->rex & REX_W ? 8 : p66 ? 2 : 4;
	} else {
		in->asize = d->m->code32 != p67 ? 4 : 2;
		in->opsize = d->m->code32 != p66 ? 4 : 2;
	}
	if (in->is_vex)
		in->opsize = in->rex & REX_W && d->m->code64 ? 8 : 4;
	else
		d->mandatory = in->prefixes & PFX_REP     ? KEY_F3
			       : in->prefixes & PFX_REPNE ? KEY_F2
			       : p66                      ? KEY_66
							  : KEY_NP;
}

/* What is known so far as KEY_ bits; ModRM's only when there is one. */
static uint32_t decode_key(const struct decoder *d, bool has_modrm)
{
	const struct x86_insn *in = d->in;
	uint32_t key = d->mandatory | (in->rex & REX_W ? KEY_W1 : KEY_W0) |
		       (in->vlen == 32 ? KEY_L1 : KEY_L0) | (d->m->code64 ? KEY_64 : KEY_NOT64);

	key |= in->opsize == 2 ? KEY_OS16 : in->opsize == 4 ? KEY_OS32 : KEY_OS64;
	if (has_modrm) {
		key |= in->mod == 3 ? KEY_REG : KEY_MEM;
		key |= 1u << (KEY_DIGIT_SHIFT + (in->modrm >> 3 & 7));
		if (in->mod == 3)
			key |= 1u << (KEY_RM_SHIFT + (in->modrm & 7));
	}
	return key;
}

static const struct x86_row *decode_row(const struct decoder *d, const struct x86_row *row)
{
	bool has_modrm = row->attrs & ROW_MODRM;
	uint32_t key = decode_key(d, has_modrm);
	unsigned l = d->in->vlen == 32;

	for (;; row++) {
		if (!(key & ~row->allow) && !(x86_feat_masks[row->feat[l]] & ~d->m->features))
			return row;
		if (row->attrs & ROW_LAST)
			return NULL;
	}
}

static unsigned decode_imm_size(const struct x86_insn *in, uint8_t width)
{
	switch (width) {
	case WIDTH_V: return in->opsize;
	case WIDTH_Z: return in->opsize == 2 ? 2 : 4;
	case IMM_ADDRESS: return in->asize;
	default: return width; /* bytes */
	}
}

unsigned x86_imm_size(const struct x86_insn *in) { return decode_imm_size(in, in->row->imm[0]); }

static bool decode_immediates(struct decoder *d)
{
	struct x86_insn *in = d->in;
	const struct x86_row *row = in->row;

	if (row->imm[0] == WIDTH_P) /* offset, then selector */
		return decode_signed(d, in->opsize == 2 ? 2 : 4, &in->imm) &&
		       decode_signed(d, 2, &in->imm2);
	return (!row->imm[0] || decode_signed(d, decode_imm_size(in, row->imm[0]), &in->imm)) &&
	       (!row->imm[1] || decode_signed(d, decode_imm_size(in, row->imm[1]), &in->imm2));
}

/* 64-bit defaults, LOCK and vvvv rules, which depend on the row. */
static bool decode_rules(struct decoder *d)
{
	struct x86_insn *in = d->in;
	uint32_t attrs = in->row->attrs;

	if (d->m->code64 && attrs & ROW_F64)
		in->opsize = 8;
	else if (d->m->code64 && attrs & ROW_D64 && in->opsize == 4)
		in->opsize = 8;
	if (in->prefixes & PFX_LOCK && (!(attrs & ROW_LOCK) || in->mod >= 3))
		return false;
	if (in->is_vex && !(attrs & ROW_VVVV) && in->vvvv != 0)
		return false;
	if (!d->m->code64)
		in->vvvv &= 7;
	return true;
}

static enum x86_decode decode_run(struct decoder *d)
{
	struct x86_insn *in = d->in;
	const struct x86_row *row;

	if (!decode_opcode(d))
		return d->result;
	decode_sizes(d);
	row = &x86_rows[x86_first_row[in->map][in->opcode]];
	if (row == &x86_rows[0])
		return DECODE_UD;
	if (row->attrs & ROW_MODRM && !decode_modrm(d))
		return d->result;
	in->row = decode_row(d, row);
	if (!in->row)
		return DECODE_UD;
	if (!decode_immediates(d))
		return d->result;
	if (in->base == EA_RIP) /* relative to the next instruction */
		in->disp += in->len;
	return decode_rules(d) ? DECODE_OK : DECODE_UD;
}

enum x86_decode x86_decode(struct x86_insn *in, const struct x86_decode_mode *m,
			   struct x86_reader *r)
{
	struct decoder d = { .in = in, .m = m, .r = r };
	enum x86_decode result;

	*in = (struct x86_insn){ .mod = 0xff,
				 .base = EA_NO_REG,
				 .index = EA_NO_REG,
				 .vlen = 16,
				 .seg = SEG_DS,
				 .is_code64 = m->code64 };
	decode_begin(&d);
	result = decode_run(&d);
	decode_end(&d);
	return result;
}

unsigned x86_width_size(const struct x86_insn *in, unsigned width)
{
	switch (width) {
	case WIDTH_V: return in->opsize;
	case WIDTH_Z: return in->opsize == 2 ? 2 : 4;
	case WIDTH_Y: return in->rex & REX_W && in->is_code64 ? 8 : 4;
	case WIDTH_X: return in->vlen;
	case WIDTH_XH: return in->vlen / 2;
	case WIDTH_XF: return in->vlen / 4;
	case WIDTH_XE: return in->vlen / 8;
	case WIDTH_P: return 2 + in->opsize;
	case WIDTH_A: return 2 * in->opsize;
	case WIDTH_S: return in->is_code64 ? 10 : 6;
	default: return width;
	}
}

unsigned x86_operand_size(const struct x86_insn *in, unsigned n)
{
	const struct x86_operand *o = x86_operand(in, n);

	return x86_width_size(in, x86_operand_is_mem(in, n) ? o->mem_width : o->width);
}
