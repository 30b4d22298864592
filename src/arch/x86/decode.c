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
	NO_OPCODE = 0x0f, /* in MAP_1BYTE: no row has it */
};

/* ---- prefixes and opcode ---- */

/* n bytes (0 to 8; 0 are 0), little-endian, sign-extended: without branches, which nobody could
 * foresee. */
static inline uint64_t ld_signed(const uint8_t *p, unsigned n)
{
	unsigned half = 32 - 4 * n; /* of the bits that are not theirs */

	return (uint64_t)((int64_t)(ld64_le(p) << half << half) >> half >> half);
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

/* CS, DS, ES and SS overrides change nothing in 64-bit mode: they read as DS, or as the default. */
static void decode_segment(struct x86_insn *in, uint8_t seg)
{
	if (in->is_code64 && seg < SEG_FS)
		return;
	in->seg = seg;
	in->prefixes |= PFX_SEG;
}

static void decode_prefix(struct x86_insn *in, uint8_t byte)
{
	switch (byte) {
	case 0x26: decode_segment(in, SEG_ES); break;
	case 0x2e: decode_segment(in, SEG_CS); break;
	case 0x36: decode_segment(in, SEG_SS); break;
	case 0x3e: decode_segment(in, SEG_DS); break;
	case 0x64: decode_segment(in, SEG_FS); break;
	case 0x65: decode_segment(in, SEG_GS); break;
	case 0x66: in->prefixes |= PFX_66; break;
	case 0x67: in->prefixes |= PFX_67; break;
	case 0xf0: in->prefixes |= PFX_LOCK; break;
	case 0xf2: in->prefixes = (in->prefixes & ~PFX_REP) | PFX_REPNE; break;
	default: in->prefixes = (in->prefixes & ~PFX_REPNE) | PFX_REP; break; /* F3 */
	}
}

/* The rest of a VEX prefix, of two (C5) or three (C4) bytes, and the opcode. */
static const uint8_t *decode_vex(struct x86_insn *in, const uint8_t *p, bool three)
{
	uint8_t byte = *p++, last = byte;

	in->is_vex = true;
	in->map = MAP_1BYTE;
	in->opcode = NO_OPCODE;
	if (in->rex || in->prefixes & (PFX_LOCK | PFX_66 | PFX_REP | PFX_REPNE))
		return p;
	in->rex = byte & 0x80 ? 0 : REX_R;
	if (three) {
		in->rex |= (byte & 0x40 ? 0 : REX_X) | (byte & 0x20 ? 0 : REX_B);
		if ((byte & 0x1f) < 1 || (byte & 0x1f) > 3)
			return p;
		last = *p++;
		if (last & 0x80)
			in->rex |= REX_W;
	}
	if (!in->is_code64)
		in->rex &= REX_W;
	in->vvvv = ~last >> 3 & (in->is_code64 ? 15 : 7);
	in->vlen = last & 4 ? 32 : 16;
	in->pp = last & 3;
	/* vvvv bit 3 outside 64-bit mode is ignored, but must be 1 when nothing is named */
	if (!in->is_code64 && !(last & 0x40))
		in->vvvv |= 8;
	in->map = three ? MAP_VEX_0F + (byte & 0x1f) - 1 : MAP_VEX_0F;
	in->opcode = *p++;
	return p;
}

/* Is C4 or C5 a VEX prefix?  LES and LDS need mod != 3, which the inverted R and X bits rule out
 * (SDM 2 2.3.5.1); real and virtual-8086 mode know no VEX. */
static bool is_vex(const struct x86_decode_mode *m, const uint8_t *p)
{
	return m->code64 || (!m->no_vex && *p >> 6 == 3);
}

/* Prefixes, escapes and the opcode itself. */
static __attribute__((noinline)) const uint8_t *decode_prefixes(struct x86_insn *in,
								const struct x86_decode_mode *m,
								const uint8_t *p)
{
	const uint8_t *last = p + X86_MAX_INSN - 1;

	for (;;) {
		uint8_t byte = *p++, class = byte_classes[byte];

		in->opcode = byte;
		if (class == BYTE_OPCODE || (class == BYTE_REX && !m->code64))
			return p;
		if (class == BYTE_VEX)
			return is_vex(m, p) ? decode_vex(in, p, byte == 0xc4) : p;
		if (class == BYTE_ESCAPE) {
			byte = *p++;
			in->map = MAP_0F;
			if (byte == 0x38 || byte == 0x3a) {
				in->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
				byte = *p++;
			}
			in->opcode = byte;
			return p;
		}
		in->rex = 0; /* a REX that does not come last is ignored */
		if (class == BYTE_REX)
			in->rex = byte;
		else
			decode_prefix(in, byte);
		if (p > last) {
			in->opcode = NO_OPCODE;
			return p + 1; /* too long */
		}
	}
}

/* ---- ModRM ---- */

static const uint8_t *decode_ea16(struct x86_insn *in, const uint8_t *p)
{
	/* base, index of rm 0-7 (SDM 2 table 2-1) */
	static const uint8_t base[] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
	static const uint8_t index[] = { RSI,       RDI,       RSI,       RDI,
					 EA_NO_REG, EA_NO_REG, EA_NO_REG, EA_NO_REG };
	unsigned rm = in->modrm & 7, disp = in->mod;

	in->base = base[rm];
	in->index = index[rm];
	if (in->mod == 0 && rm == 6) {
		in->base = EA_NO_REG;
		disp = 2;
	}
	if (!(in->prefixes & PFX_SEG))
		in->seg = in->base == RBP ? SEG_SS : SEG_DS;
	in->disp = (int64_t)ld_signed(p, disp);
	return p + disp;
}

static inline const uint8_t *decode_ea32(struct x86_insn *in, unsigned modrm, const uint8_t *p)
{
	static const uint8_t disp_bytes[] = { 0, 1, 4 };
	unsigned mod = modrm >> 6, rm = modrm & 7, base = rm, disp = disp_bytes[mod];

	if (rm == 4) {
		uint8_t sib = *p++, index = (sib >> 3 & 7) | (in->rex & REX_X) << 2;

		base = sib & 7;
		in->scale = sib >> 6;
		in->index = index == 4 ? EA_NO_REG : index;
	}
	if (mod == 0 && base == 5) {
		base = rm == 5 && in->is_code64 ? EA_RIP : EA_NO_REG;
		disp = 4;
	} else {
		base |= (in->rex & REX_B) << 3;
	}
	in->base = (uint8_t)base;
	if (!(in->prefixes & PFX_SEG))
		in->seg = base / 2 == RSP / 2 ? SEG_SS : SEG_DS; /* or RBP */
	in->disp = (int64_t)ld_signed(p, disp);
	return p + disp;
}

/* MOV to and from control and debug registers takes any mod as 3. */
static inline bool has_no_mod(const struct x86_insn *in)
{
	return in->map == MAP_0F && in->opcode >= 0x20 && in->opcode <= 0x23;
}

/* ---- which row ---- */

/* What mode, W and the prefixes 66 and 67 make of an instruction. */
struct sizes {
	uint32_t key; /* without ModRM's */
	/* From bit 0 on: operand size of most rows, of ROW_D64, of ROW_F64; address size. */
	uint32_t bytes;
};

/* clang-format off */
#define SIZES(mode_key, w, p66, opsize, asize) {                                           \
	(mode_key) | ((w) ? KEY_W1 : KEY_W0) | ((p66) ? KEY_66 : KEY_NP) | KEY_L0 |        \
	((opsize) == 2 ? KEY_OS16 : (opsize) == 4 ? KEY_OS32 : KEY_OS64),                  \
	(opsize) | ((mode_key) == KEY_64 && (opsize) == 4 ? 8 : (opsize)) << 8 |           \
	((mode_key) == KEY_64 ? 8 : (opsize)) << 16 | (asize) << 24 }
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

static inline const struct sizes *decode_sizes(const struct x86_decode_mode *m, unsigned prefixes,
					       unsigned rex)
{
	unsigned which = (prefixes / PFX_66 & 3) | (rex / 2 & 4);

	BUILD_ASSERT(PFX_67 == 2 * PFX_66 && REX_W == 8);
	return &sizes[m->code64 ? 2 : m->code32][which];
}

static inline uint8_t size_of_row(uint32_t bytes, uint32_t attrs)
{
	BUILD_ASSERT(ROW_D64 * 2 == 8 && ROW_F64 * 2 == 16);
	return (uint8_t)(bytes >> (attrs & (ROW_D64 | ROW_F64)) * 2);
}

/* The KEY_ bits of all but ModRM. */
static uint32_t key_of(const struct x86_insn *in, uint32_t key)
{
	enum {
		MANDATORY = KEY_NP | KEY_66 | KEY_F3 | KEY_F2,
		SIZE = KEY_OS16 | KEY_OS32 | KEY_OS64
	};
	static const uint8_t mandatory[] = { KEY_NP, KEY_66, KEY_F3, KEY_F2 };

	if (in->is_vex) {
		key &= ~(uint32_t)(MANDATORY | KEY_L0 | SIZE);
		return key | mandatory[in->pp] | (in->vlen == 32 ? KEY_L1 : KEY_L0) |
		       (in->rex & REX_W && in->is_code64 ? KEY_OS64 : KEY_OS32);
	}
	if (in->prefixes & (PFX_REP | PFX_REPNE)) {
		key &= ~(uint32_t)MANDATORY;
		key |= in->prefixes & PFX_REP ? KEY_F3 : KEY_F2;
	}
	return key;
}

/* The first from this row on that allows what is known by now; NULL: none. */
static const struct x86_row *decode_row(const struct x86_insn *in, const struct x86_row *row,
					uint32_t key, uint64_t features)
{
	uint32_t known = key_of(in, key), l = known / KEY_L1 & 1;

	if (row->attrs & ROW_MODRM) {
		known |= in->mod == 3 ? KEY_REG | 1u << (KEY_RM_SHIFT + (in->modrm & 7)) : KEY_MEM;
		known |= 1u << (KEY_DIGIT_SHIFT + (in->modrm >> 3 & 7));
	}
	for (;; row++) {
		if (!(known & ~row->allow) && !(x86_feat_masks[row->feat[l]] & ~features))
			return row;
		if (row->attrs & ROW_LAST)
			return NULL;
	}
}

/* ---- what the row says ---- */

static inline unsigned imm_size(unsigned width, unsigned opsize, unsigned asize)
{
	if (width < WIDTH_V)
		return width; /* bytes */
	if (width == WIDTH_Z)
		return opsize == 2 ? 2 : 4;
	return width == WIDTH_V ? opsize : asize;
}

unsigned x86_imm_size(const struct x86_insn *in)
{
	return imm_size(in->row->imm[0], in->opsize, in->asize);
}

/* LOCK and VEX rules, which depend on the row.  False: #UD. */
static bool decode_rules(struct x86_insn *in)
{
	uint32_t attrs = in->row->attrs;

	if (in->prefixes & PFX_LOCK && (!(attrs & ROW_LOCK) || in->mod >= 3))
		return false;
	if (!in->is_vex)
		return true;
	in->opsize = in->rex & REX_W && in->is_code64 ? 8 : 4;
	if (!(attrs & ROW_VVVV) && in->vvvv != 0)
		return false;
	if (!in->is_code64)
		in->vvvv &= 7;
	return true;
}

/* It ends at p. */
static inline enum x86_decode decode_end(struct x86_insn *in, struct x86_reader *r,
					 const uint8_t *p, bool ok)
{
	size_t len = (size_t)(p - r->at);

	in->len = (uint8_t)(len < X86_MAX_INSN ? len : X86_MAX_INSN);
	r->at += in->len;
	if (unlikely(len > X86_MAX_INSN))
		return DECODE_TOO_LONG;
	return ok ? DECODE_OK : DECODE_UD;
}

static __attribute__((noinline)) enum x86_decode decode_bad(struct x86_insn *in,
							    struct x86_reader *r, const uint8_t *p)
{
	return decode_end(in, r, p, false);
}

static __attribute__((noinline)) enum x86_decode decode_special(struct x86_insn *in,
								struct x86_reader *r,
								const uint8_t *p)
{
	return decode_end(in, r, p, decode_rules(in));
}

static inline enum x86_decode decode_good(struct x86_insn *in, struct x86_reader *r,
					  const uint8_t *p)
{
	if (in->base == EA_RIP) /* relative to the next instruction */
		in->disp += p - r->at;
	if (unlikely(in->is_vex || in->prefixes & PFX_LOCK))
		return decode_special(in, r, p);
	return decode_end(in, r, p, true);
}

static __attribute__((noinline)) enum x86_decode decode_immediates(struct x86_insn *in,
								   struct x86_reader *r,
								   const uint8_t *p,
								   unsigned opsize)
{
	const struct x86_row *row = in->row;
	bool is_far = row->imm[0] == WIDTH_P; /* offset, then selector */
	unsigned n = imm_size(is_far ? WIDTH_Z : row->imm[0], opsize, in->asize);

	in->imm = ld_signed(p, n);
	p += n;
	if (unlikely(row->imm[1] || is_far)) {
		n = is_far ? 2 : imm_size(row->imm[1], opsize, in->asize);
		in->imm2 = ld_signed(p, n);
		p += n;
	}
	return decode_good(in, r, p);
}

/* What follows the ModRM, of an instruction of this row.  bytes: struct sizes. */
static inline __attribute__((always_inline)) enum x86_decode decode_tail(struct x86_insn *in,
									 struct x86_reader *r,
									 const struct x86_row *row,
									 const uint8_t *p,
									 uint32_t bytes)
{
	uint32_t attrs = row->attrs;

	in->row = row;
	in->mem_ops = row->mem_ops[in->mod == 3];
	in->opsize = size_of_row(bytes, attrs);
	if (attrs & ROW_IMM)
		return decode_immediates(in, r, p, (uint8_t)bytes);
	return decode_good(in, r, p);
}

/* From the first row of an opcode on, where it depends on more which it is. */
static __attribute__((noinline)) enum x86_decode decode_by_key(struct x86_insn *in,
							       const struct x86_decode_mode *m,
							       struct x86_reader *r,
							       const struct x86_row *row,
							       const uint8_t *p)
{
	const struct sizes *s = decode_sizes(m, in->prefixes, in->rex);

	row = decode_row(in, row, s->key, m->features);
	return likely(row) ? decode_tail(in, r, row, p, s->bytes) : decode_bad(in, r, p);
}

static __attribute__((noinline)) enum x86_decode decode_modrm(struct x86_insn *in,
							      const struct x86_decode_mode *m,
							      struct x86_reader *r,
							      const struct x86_row *row,
							      const uint8_t *p, uint32_t bytes)
{
	unsigned modrm = *p++, rex = in->rex;

	in->modrm = (uint8_t)modrm;
	in->reg = (uint8_t)((modrm >> 3 & 7) | (rex & REX_R) << 1);
	in->rm = (uint8_t)((modrm & 7) | (rex & REX_B) << 3);
	in->mod = (uint8_t)(modrm >> 6);
	if (modrm >> 6 != 3) {
		if (unlikely(has_no_mod(in)))
			in->mod = 3;
		else
			p = likely(bytes >> 24 != 2) ? decode_ea32(in, modrm, p)
						     : decode_ea16(in, p);
	}
	if (!(row->attrs & ROW_ANY))
		return decode_by_key(in, m, r, row, p);
	return decode_tail(in, r, row, p, bytes);
}

/* What follows the opcode. */
static inline __attribute__((always_inline)) enum x86_decode decode_rest(
	struct x86_insn *in, const struct x86_decode_mode *m, struct x86_reader *r,
	const uint8_t *p, unsigned prefixes, unsigned rex)
{
	uint32_t bytes = decode_sizes(m, prefixes, rex)->bytes;
	/* Without ModRM all eight are the same. */
	unsigned first = x86_first_row[in->map << 8 | in->opcode][*p >> 3 & 7];
	const struct x86_row *row = &x86_rows[first];

	if (unlikely(!first))
		return decode_bad(in, r, p);
	in->asize = (uint8_t)(bytes >> 24);
	if (row->attrs & ROW_MODRM)
		return decode_modrm(in, m, r, row, p, bytes);
	if (!(row->attrs & ROW_ANY))
		return decode_by_key(in, m, r, row, p);
	return decode_tail(in, r, row, p, bytes);
}

/* An instruction with any prefixes. */
static __attribute__((noinline)) enum x86_decode decode_any(struct x86_insn *in,
							    const struct x86_decode_mode *m,
							    struct x86_reader *r)
{
	const uint8_t *p = decode_prefixes(in, m, r->at);

	return decode_rest(in, m, r, p, in->prefixes, in->rex);
}

/* Most have none but REX. */
static inline enum x86_decode decode_all(struct x86_insn *in, const struct x86_decode_mode *m,
					 struct x86_reader *r)
{
	const uint8_t *p = r->at;
	uint8_t byte = *p++, rex = 0;

	if (byte >> 4 == 4 && m->code64) {
		rex = byte;
		byte = *p++;
		in->rex = rex;
	}
	if (unlikely(byte_classes[byte] != BYTE_OPCODE)) {
		if (byte != 0x0f || *p == 0x38 || *p == 0x3a)
			return decode_any(in, m, r);
		in->map = MAP_0F;
		byte = *p++;
	}
	in->opcode = byte;
	return decode_rest(in, m, r, p, 0, rex);
}

/* Fewer than LOOK_AHEAD bytes are at hand.  What comes out is right if it was made of these alone:
 * zeros follow them. */
static __attribute__((noinline)) enum x86_decode decode_bit_by_bit(struct x86_insn *in,
								   const struct x86_decode_mode *m,
								   struct x86_reader *r)
{
	uint8_t bytes[LOOK_AHEAD] = { 0 };
	unsigned have = 0, used = 0; /* of these, the reader knows that they are used up */

	for (;;) {
		struct x86_reader all = { .at = bytes, .end = bytes + LOOK_AHEAD };
		size_t n = (size_t)(r->end - r->at);
		enum x86_decode result;
		int byte;

		if (n > X86_MAX_INSN - have)
			n = X86_MAX_INSN - have;
		if (n)
			memcpy(bytes + have, r->at, n);
		have += (unsigned)n;
		result = have ? x86_decode(in, m, &all) : DECODE_FETCH;
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
	if (r->end - r->at < LOOK_AHEAD)
		return decode_bit_by_bit(in, m, r);
	*in = (struct x86_insn){ .mod = 0xff,
				 .base = EA_NO_REG,
				 .index = EA_NO_REG,
				 .vlen = 16,
				 .seg = SEG_DS,
				 .is_code64 = m->code64 };
	return decode_all(in, m, r);
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
