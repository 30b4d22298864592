/* arch/x86/decode.c - bytes to struct x86_insn: prefixes, maps, ModRM, VEX, immediates (SDM 2 ch.
 * 2).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/decode.h"

#include <string.h>

#include "arch/x86/state.h"

enum {
	IMM_ADDRESS = 0xff,
	/* Bytes that decoding may look at before it finds that they are too many: 14 prefixes, and
	 * the most of all else, be it an instruction or not. */
	LOOK_AHEAD = 40,
	TOO_LONG = X86_MAX_INSN + 1, /* for a length that need not be known */
};

struct decoder {
	struct x86_insn *in;
	const struct x86_decode_mode *m;
	const uint8_t *start, *p; /* the next byte */
	uint32_t key;             /* KEY_ bits, as far as they are known */
	uint32_t vex_key;         /* mandatory prefix and L, from VEX */
	bool seg_given;
};

/* ---- prefixes and opcode ---- */

/* n bytes, little-endian, sign-extended. */
static inline uint64_t decode_signed(struct decoder *d, unsigned n)
{
	const uint8_t *at = d->p;

	d->p += n;
	switch (n) {
	case 0: return 0;
	case 1: return (uint64_t)(int8_t)*at;
	case 2: return (uint64_t)(int16_t)ld16_le(at);
	case 4: return (uint64_t)(int32_t)ld32_le(at);
	default: return ld64_le(at);
	}
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

enum byte_class {
	BYTE_OPCODE,
	BYTE_REX, /* in 64-bit mode */
	BYTE_PREFIX,
	BYTE_VEX, /* perhaps */
	BYTE_ESCAPE,
};

/* clang-format off */
static const uint8_t byte_classes[256] = {
	[0x26] = BYTE_PREFIX, [0x2e] = BYTE_PREFIX, [0x36] = BYTE_PREFIX, [0x3e] = BYTE_PREFIX,
	[0x64] = BYTE_PREFIX, [0x65] = BYTE_PREFIX, [0x66] = BYTE_PREFIX, [0x67] = BYTE_PREFIX,
	[0xf0] = BYTE_PREFIX, [0xf2] = BYTE_PREFIX, [0xf3] = BYTE_PREFIX,
	[0x40] = BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX,
	BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX, BYTE_REX,
	[0xc4] = BYTE_VEX, BYTE_VEX,
	[0x0f] = BYTE_ESCAPE,
};
/* clang-format on */

static void decode_prefix(struct decoder *d, uint8_t byte)
{
	struct x86_insn *in = d->in;

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
	default: in->prefixes = (in->prefixes & ~PFX_REPNE) | PFX_REP; break; /* F3 */
	}
}

/* The rest of a VEX prefix, of two (C5) or three (C4) bytes, and the opcode.  False: #UD. */
static bool decode_vex(struct decoder *d, bool three)
{
	static const uint8_t mandatory[] = { KEY_NP, KEY_66, KEY_F3, KEY_F2 };
	struct x86_insn *in = d->in;
	uint8_t byte = *d->p++, last = byte;

	if (in->rex || in->prefixes & (PFX_LOCK | PFX_66 | PFX_REP | PFX_REPNE))
		return false;
	in->is_vex = true;
	in->map = MAP_VEX_0F;
	in->rex = byte & 0x80 ? 0 : REX_R;
	if (three) {
		in->rex |= (byte & 0x40 ? 0 : REX_X) | (byte & 0x20 ? 0 : REX_B);
		if ((byte & 0x1f) < 1 || (byte & 0x1f) > 3)
			return false;
		in->map = MAP_VEX_0F + (byte & 0x1f) - 1;
		last = *d->p++;
		if (last & 0x80)
			in->rex |= REX_W;
	}
	if (!d->m->code64)
		in->rex &= REX_W;
	in->vvvv = ~last >> 3 & (d->m->code64 ? 15 : 7);
	in->vlen = last & 4 ? 32 : 16;
	d->vex_key = mandatory[last & 3] | (last & 4 ? KEY_L1 : KEY_L0);
	/* vvvv bit 3 outside 64-bit mode is ignored, but must be 1 when nothing is named */
	if (!d->m->code64 && !(last & 0x40))
		in->vvvv |= 8;
	in->opcode = *d->p++;
	return true;
}

/* Is C4 or C5 a VEX prefix?  LES and LDS need mod != 3, which the inverted R and X bits rule out
 * (SDM 2 2.3.5.1); real and virtual-8086 mode know no VEX. */
static bool is_vex(const struct decoder *d)
{
	return d->m->code64 || (!d->m->no_vex && *d->p >> 6 == 3);
}

/* What begins with a byte that is more than an opcode and no prefix. */
static bool decode_escape(struct decoder *d, uint8_t byte, enum byte_class class)
{
	struct x86_insn *in = d->in;

	if (class == BYTE_VEX && is_vex(d))
		return decode_vex(d, byte == 0xc4);
	if (class == BYTE_ESCAPE) {
		byte = *d->p++;
		in->map = MAP_0F;
		if (byte == 0x38 || byte == 0x3a) {
			in->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = *d->p++;
		}
	}
	in->opcode = byte;
	return true;
}

/* Prefixes, escapes and the opcode itself.  False: #UD, or too long. */
static inline bool decode_opcode(struct decoder *d)
{
	struct x86_insn *in = d->in;

	for (;;) {
		uint8_t byte = *d->p++, class = byte_classes[byte];

		if (class == BYTE_OPCODE || (class == BYTE_REX && !d->m->code64)) {
			in->opcode = byte;
			return true;
		}
		if (class > BYTE_PREFIX)
			return decode_escape(d, byte, class);
		in->rex = 0; /* a REX that does not come last is ignored */
		if (class == BYTE_REX)
			in->rex = byte;
		else
			decode_prefix(d, byte);
		if (d->p - d->start == X86_MAX_INSN) {
			d->p = d->start + TOO_LONG;
			return false;
		}
	}
}

/* ---- ModRM ---- */

static void decode_ea16(struct decoder *d)
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
	in->disp = (int64_t)decode_signed(d, disp);
}

static void decode_ea32(struct decoder *d)
{
	struct x86_insn *in = d->in;
	unsigned rm = in->modrm & 7, base = rm;
	bool disp32 = in->mod == 2;

	if (rm == 4) {
		uint8_t sib = *d->p++;

		base = sib & 7;
		in->scale = sib >> 6;
		in->index = (sib >> 3 & 7) | (in->rex & REX_X) << 2;
		if (in->index == 4)
			in->index = EA_NO_REG;
	}
	in->base = base | (in->rex & REX_B) << 3;
	if (in->mod == 0 && base == 5) {
		in->base = rm == 5 && d->m->code64 ? EA_RIP : EA_NO_REG;
		disp32 = true;
	}
	if (!d->seg_given)
		in->seg = in->base == RSP || in->base == RBP ? SEG_SS : SEG_DS;
	if (disp32)
		in->disp = (int64_t)decode_signed(d, 4);
	else if (in->mod == 1)
		in->disp = (int64_t)decode_signed(d, 1);
}

static void decode_modrm(struct decoder *d)
{
	struct x86_insn *in = d->in;

	in->modrm = *d->p++;
	in->mod = in->modrm >> 6;
	/* MOV to and from control and debug registers takes any mod as 3 */
	if (in->map == MAP_0F && in->opcode >= 0x20 && in->opcode <= 0x23)
		in->mod = 3;
	in->reg = (in->modrm >> 3 & 7) | (in->rex & REX_R) << 1;
	in->rm = (in->modrm & 7) | (in->rex & REX_B) << 3;
	d->key |= 1u << (KEY_DIGIT_SHIFT + (in->modrm >> 3 & 7));
	if (in->mod == 3) {
		d->key |= KEY_REG | 1u << (KEY_RM_SHIFT + (in->modrm & 7));
		return;
	}
	d->key |= KEY_MEM;
	if (in->asize == 2)
		decode_ea16(d);
	else
		decode_ea32(d);
}

/* ---- which row ---- */

/* What mode, W and the prefixes 66 and 67 make of an instruction without VEX. */
struct sizes {
	uint32_t key; /* without ModRM's */
	uint8_t opsize, asize;
};

/* clang-format off */
#define SIZES(mode_key, w, p66, opsize, asize) {                                           \
	(mode_key) | ((w) ? KEY_W1 : KEY_W0) | ((p66) ? KEY_66 : KEY_NP) | KEY_L0 |        \
	((opsize) == 2 ? KEY_OS16 : (opsize) == 4 ? KEY_OS32 : KEY_OS64), opsize, asize }
#define SIZES_OF_MODE(mode_key, o, o66, a, a67) {                                          \
	SIZES(mode_key, 0, 0, o, a), SIZES(mode_key, 0, 1, o66, a),                        \
	SIZES(mode_key, 0, 0, o, a67), SIZES(mode_key, 0, 1, o66, a67),                    \
	SIZES(mode_key, 1, 0, 8, a), SIZES(mode_key, 1, 1, 8, a),                          \
	SIZES(mode_key, 1, 0, 8, a67), SIZES(mode_key, 1, 1, 8, a67) }
/* 16, 32, 64 bits; W, 67, 66 */
static const struct sizes sizes[3][8] = {
	SIZES_OF_MODE(KEY_NOT64, 2, 4, 2, 4),
	SIZES_OF_MODE(KEY_NOT64, 4, 2, 4, 2),
	SIZES_OF_MODE(KEY_64, 4, 2, 8, 4),
};
/* clang-format on */

static void decode_sizes(struct decoder *d)
{
	enum { ALL_MANDATORY = KEY_NP | KEY_66 | KEY_F3 | KEY_F2 };
	struct x86_insn *in = d->in;
	unsigned mode = d->m->code64 ? 2 : d->m->code32, which = in->prefixes / PFX_66 & 3;
	const struct sizes *s;

	BUILD_ASSERT(PFX_67 == 2 * PFX_66 && REX_W == 8);
	which |= in->rex / 2 & 4;
	s = &sizes[mode][which];
	in->opsize = s->opsize;
	in->asize = s->asize;
	d->key = s->key;
	if (in->is_vex) {
		in->opsize = in->rex & REX_W && d->m->code64 ? 8 : 4;
		d->key &= ~(uint32_t)(ALL_MANDATORY | KEY_L0 | KEY_OS16 | KEY_OS32 | KEY_OS64);
		d->key |= d->vex_key | (in->opsize == 8 ? KEY_OS64 : KEY_OS32);
	} else if (in->prefixes & (PFX_REP | PFX_REPNE)) {
		d->key &= ~(uint32_t)ALL_MANDATORY;
		d->key |= in->prefixes & PFX_REP ? KEY_F3 : KEY_F2;
	}
}

static const struct x86_row *decode_row(const struct decoder *d, const struct x86_row *row)
{
	unsigned l = d->in->vlen == 32;
	uint32_t key = d->key;

	for (;; row++) {
		if (!(key & ~row->allow) && !(x86_feat_masks[row->feat[l]] & ~d->m->features))
			return row;
		if (row->attrs & ROW_LAST)
			return NULL;
	}
}

/* ---- what the row says ---- */

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

static void decode_immediates(struct decoder *d)
{
	struct x86_insn *in = d->in;
	const struct x86_row *row = in->row;

	if (row->imm[0] == WIDTH_P) { /* offset, then selector */
		in->imm = decode_signed(d, in->opsize == 2 ? 2 : 4);
		in->imm2 = decode_signed(d, 2);
		return;
	}
	if (row->imm[0])
		in->imm = decode_signed(d, decode_imm_size(in, row->imm[0]));
	if (row->imm[1])
		in->imm2 = decode_signed(d, decode_imm_size(in, row->imm[1]));
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

/* False: #UD, or too long. */
static bool decode_all(struct decoder *d)
{
	struct x86_insn *in = d->in;
	const uint16_t *first;
	const struct x86_row *row;

	if (!decode_opcode(d))
		return false;
	decode_sizes(d);
	first = x86_first_row[in->map][in->opcode];
	row = &x86_rows[first[0]];
	if (row == &x86_rows[0])
		return false;
	if (row->attrs & ROW_MODRM) {
		decode_modrm(d);
		row = &x86_rows[first[in->modrm >> 3 & 7]];
	}
	in->row = decode_row(d, row);
	if (!in->row)
		return false;
	in->mem_ops = in->mod == 3 ? in->row->mem_ops >> 4 : in->row->mem_ops & 15;
	decode_immediates(d);
	if (in->base == EA_RIP) /* relative to the next instruction */
		in->disp += d->p - d->start;
	return decode_rules(d);
}

/* The instruction at LOOK_AHEAD bytes. */
static enum x86_decode decode_at(struct x86_insn *in, const struct x86_decode_mode *m,
				 const uint8_t *bytes)
{
	struct decoder d = { .in = in, .m = m, .start = bytes, .p = bytes };
	bool ok;

	*in = (struct x86_insn){ .mod = 0xff,
				 .base = EA_NO_REG,
				 .index = EA_NO_REG,
				 .vlen = 16,
				 .seg = SEG_DS,
				 .is_code64 = m->code64 };
	ok = decode_all(&d);
	if (d.p - bytes > X86_MAX_INSN) {
		in->len = X86_MAX_INSN;
		return DECODE_TOO_LONG;
	}
	in->len = (uint8_t)(d.p - bytes);
	return ok ? DECODE_OK : DECODE_UD;
}

/* Fewer are at hand.  What comes out is right if it was made of these alone: zeros follow them. */
static __attribute__((noinline)) enum x86_decode decode_bit_by_bit(struct x86_insn *in,
								   const struct x86_decode_mode *m,
								   struct x86_reader *r)
{
	uint8_t bytes[LOOK_AHEAD] = { 0 };
	unsigned have = 0, used = 0; /* of these, the reader knows that they are used up */

	for (;;) {
		size_t n = (size_t)(r->end - r->at);
		enum x86_decode result;
		int byte;

		if (n > X86_MAX_INSN - have)
			n = X86_MAX_INSN - have;
		if (n)
			memcpy(bytes + have, r->at, n);
		have += (unsigned)n;
		result = have ? decode_at(in, m, bytes) : DECODE_FETCH;
		if (result == DECODE_TOO_LONG ? have == X86_MAX_INSN : have && in->len <= have) {
			if (n)
				r->at += in->len - used;
			return result;
		}
		r->at = r->end;
		byte = r->next(r);
		if (byte < 0)
			return DECODE_FETCH;
		bytes[have++] = (uint8_t)byte;
		used = have;
	}
}

enum x86_decode x86_decode(struct x86_insn *in, const struct x86_decode_mode *m,
			   struct x86_reader *r)
{
	enum x86_decode result;

	if (r->end - r->at < LOOK_AHEAD)
		return decode_bit_by_bit(in, m, r);
	result = decode_at(in, m, r->at);
	r->at += in->len;
	return result;
}

unsigned x86_width_rule(const struct x86_insn *in, unsigned width)
{
	switch (width) {
	case WIDTH_Z: return in->opsize == 2 ? 2 : 4;
	case WIDTH_Y: return in->rex & REX_W && in->is_code64 ? 8 : 4;
	case WIDTH_X: return in->vlen;
	case WIDTH_XH: return in->vlen / 2;
	case WIDTH_XF: return in->vlen / 4;
	case WIDTH_XE: return in->vlen / 8;
	case WIDTH_P: return 2 + in->opsize;
	case WIDTH_A: return 2 * in->opsize;
	default: return in->is_code64 ? 10 : 6; /* S */
	}
}
