/* tests/isa/x86/oracle_gen.c - legal encodings of a row of the table, and operands for them.
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <string.h>

#include "base/bits.h"
#include "../../unit/sequence.h"

uint64_t random_u64(struct random *r) { return rng_next(&r->state); }

static bool one_in(struct random *r, unsigned n) { return random_below(r, n) == 0; }

/* ---- values ---- */

static uint64_t special_integer(struct random *r)
{
	/* clang-format off */
	static const uint64_t corners[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 1,
		0xffffffff80000000, 0xffffffffffff8000, 0xffffffffffffff80,
	};
	/* clang-format on */

	switch (random_below(r, 6)) {
	case 0:
	case 1: return corners[random_below(r, ARRAY_SIZE(corners))];
	case 2: return random_u64(r) >> random_below(r, 64);
	case 3: return 0 - (random_u64(r) >> random_below(r, 64));
	case 4: return BIT(random_below(r, 64)) - random_below(r, 2);
	default: return random_u64(r);
	}
}

static uint32_t special_f32(struct random *r)
{
	static const uint32_t corners[] = {
		0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
		0x7f800001, 0xffc12345, 1,          0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000,
		0xcf000000, 0x5f000000, 0x3f000000, 0x40490fdb, 0x42c80000, 0xc2c80000,
	};

	if (one_in(r, 2))
		return corners[random_below(r, ARRAY_SIZE(corners))];
	/* exponents near 1, so that sums and products are interesting */
	return (uint32_t)random_u64(r) % 0x0c000000 + 0x3a000000 + (one_in(r, 2) ? 0x80000000 : 0);
}

static uint64_t special_f64(struct random *r)
{
	static const uint64_t corners[] = {
		0,
		1ull << 63,
		0x3ff0000000000000,
		0xbff0000000000000,
		0x7ff0000000000000,
		0xfff0000000000000,
		0x7ff8000000000000,
		0x7ff0000000000001,
		0xfff8123456789abc,
		1,
		0x000fffffffffffff,
		0x0010000000000000,
		0x7fefffffffffffff,
		0x41e0000000000000,
		0xc1e0000000000000,
		0x43e0000000000000,
		0x3fe0000000000000,
		0x400921fb54442d18,
		0x4059000000000000,
		0xc059000000000000,
	};

	if (one_in(r, 2))
		return corners[random_below(r, ARRAY_SIZE(corners))];
	return random_u64(r) % 0x0180000000000000 + 0x3f40000000000000 +
	       (one_in(r, 2) ? BIT(63) : 0);
}

static uint64_t memory_word(struct random *r)
{
	switch (random_below(r, 8)) {
	case 0: return special_f64(r);
	case 1: return special_f32(r) | (uint64_t)special_f32(r) << 32;
	case 2: return CODE_ADDR + random_below(r, 0x700);
	case 3: return special_integer(r);
	case 4: return UINT64_C(0x0101010101010101) * random_below(r, 256);
	default: return random_u64(r);
	}
}

void gen_memory(struct random *r, uint8_t mem[DATA_SIZE])
{
	for (unsigned i = 0; i < DATA_SIZE; i += 8)
		st64_le(mem + i, memory_word(r));
}

/* One extended-precision number, biased to what x87 treats specially. */
static void gen_f80(struct random *r, uint8_t *out)
{
	uint64_t frac = one_in(r, 3) ? BIT(63) | BIT(random_below(r, 63)) : random_u64(r) | BIT(63);
	uint16_t sexp = (uint16_t)(0x3ff0 + random_below(r, 0x40));

	switch (random_below(r, 12)) {
	case 0: frac = 0, sexp = 0; break;
	case 1: frac = BIT(63), sexp = 0x7fff; break;
	case 2: frac = 0xc000000000000000 | random_u64(r) >> 2, sexp = 0x7fff; break;
	case 3: frac = 0x8000000000000000 | random_u64(r) >> 2, sexp = 0x7fff; break;
	case 4: frac >>= 1 + random_below(r, 40), sexp = 0; break;
	case 5: frac = BIT(63), sexp = (uint16_t)(0x3ff0 + random_below(r, 80)); break;
	case 6: sexp = (uint16_t)(random_u64(r) & 0x7fff); break;
	case 7: frac = random_u64(r); break; /* maybe unnormal */
	}
	st64_le(out, frac);
	st16_le(out + 8, (uint16_t)(sexp | (one_in(r, 3) ? 0x8000 : 0)));
}

static void gen_fpu(struct random *r, struct cpu_image *s)
{
	uint16_t fcw = 0x37f, fsw = (uint16_t)(random_below(r, 8) << 11 | (random_u64(r) & 0x4700));
	uint32_t mxcsr = 0x1f80;

	if (one_in(r, 3))
		fcw = (uint16_t)((fcw & ~0xf00) | random_below(r, 4) << 10 |
				 (one_in(r, 2)   ? 0x300
				  : one_in(r, 2) ? 0x200
						 : 0));
	if (one_in(r, 16))
		fcw &= (uint16_t)~random_below(r, 64);
	if (one_in(r, 3))
		mxcsr |= random_below(r, 4) << 13;
	if (one_in(r, 8))
		mxcsr |= (one_in(r, 2) ? 0x8000 : 0) | (one_in(r, 2) ? 0x40 : 0);
	if (one_in(r, 10))
		mxcsr &= ~(random_below(r, 64) << 7);
	if (one_in(r, 4))
		mxcsr |= random_below(r, 64) & ~(~mxcsr >> 7 & 63);
	st16_le(s->fx + FX_FCW, fcw);
	st16_le(s->fx + FX_FSW, fsw);
	s->fx[FX_FTW] = one_in(r, 4) ? (uint8_t)random_u64(r) : one_in(r, 2) ? 0xff : 0x7f;
	st32_le(s->fx + FX_MXCSR, mxcsr);
	for (unsigned i = 0; i < 8; i++)
		gen_f80(r, s->fx + FX_ST + 16 * i);
}

static void gen_vector(struct random *r, uint8_t out[16])
{
	unsigned kind = random_below(r, 5);

	for (unsigned i = 0; i < 2; i++) {
		uint64_t v = kind == 0   ? random_u64(r)
			     : kind == 1 ? special_f64(r)
					 : special_integer(r);

		if (kind >= 3)
			v = special_f32(r) | (uint64_t)special_f32(r) << 32;
		st64_le(out + 8 * i, v);
	}
}

void gen_state(struct random *r, const struct run_mode_info *m, struct cpu_image *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < 16; i++) {
		s->gpr[i] = special_integer(r);
		if (!m->code64)
			s->gpr[i] = i < m->regs ? (uint32_t)s->gpr[i] : 0;
	}
	s->gpr[RSP] = DATA_MIDDLE - m->data_base + 8 * random_below(r, 64);
	s->rip = INSN_ADDR - m->code_base;
	s->rflags = 0x202 | (random_u64(r) & IR_FLAGS_ALL);
	gen_fpu(r, s);
	for (unsigned i = 0; i < m->regs; i++) {
		gen_vector(r, s->fx + FX_XMM + 16 * i);
		gen_vector(r, s->ymm_high[i]);
	}
}

/* ---- encodings ---- */

struct encoder {
	struct random *r;
	const struct x86_row *row;
	const struct run_mode_info *m;
	uint8_t *out;
	unsigned len;
};

static void put(struct encoder *e, unsigned byte) { e->out[e->len++] = (uint8_t)byte; }

/* One of the fields' values that the row allows; bit `first` and those after it. */
static unsigned pick(struct encoder *e, unsigned first, unsigned count)
{
	unsigned v;

	do
		v = random_below(e->r, count);
	while (!(e->row->allow >> (first + v) & 1));
	return v;
}

enum {
	KEY_W_BIT = 4,
	KEY_L_BIT = 6,
	KEY_MOD_BIT = 8,
	PREFIX_NP = 0,
	PREFIX_66,
	PREFIX_F3,
	PREFIX_F2
};

static bool has_place(const struct x86_row *row, enum x86_place a, enum x86_place b)
{
	for (unsigned n = 0; n < 4; n++)
		if (row->ops[n].place == a || row->ops[n].place == b)
			return true;
	return false;
}

static void put_mandatory(struct encoder *e)
{
	bool is_free = (e->row->allow & 15) == 15;
	bool string = has_place(e->row, PLACE_X, PLACE_Y);
	unsigned p = is_free ? one_in(e->r, 4) : pick(e, 0, 4);

	if (e->row->attrs & ROW_F64 && e->m->code64)
		p = PREFIX_NP; /* processors disagree about 66 */
	if ((p == PREFIX_F3 || p == PREFIX_F2 || string) && one_in(e->r, 4))
		put(e, 0x66);
	if (string && one_in(e->r, 2))
		p = PREFIX_F3 + random_below(e->r, 2);
	if (p != PREFIX_NP)
		put(e, p == PREFIX_66 ? 0x66 : p == PREFIX_F3 ? 0xf3 : 0xf2);
}

static void put_legacy_prefixes(struct encoder *e)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e };

	if (one_in(e->r, 16) && !strstr(e->row->name, "MASKMOV"))
		put(e, segments[random_below(e->r, 4)]);
	if (one_in(e->r, 12) && e->m->name != run_modes[RUN_32].name)
		put(e, 0x67);
	if (e->row->attrs & ROW_LOCK && one_in(e->r, 3))
		put(e, 0xf0);
}

static void put_opcode(struct encoder *e)
{
	static const uint8_t escapes[] = { 0, 0x0f, 0x38, 0x3a };
	unsigned map = e->row->map, w = pick(e, KEY_W_BIT, 2), rex;

	if (e->m->code64) {
		rex = w << 3 | (one_in(e->r, 2) ? random_below(e->r, 8) : 0);
		if (rex || one_in(e->r, 8))
			put(e, 0x40 | rex);
	}
	if (map != MAP_1BYTE)
		put(e, 0x0f);
	if (map > MAP_0F)
		put(e, escapes[map]);
	put(e, e->row->opcode);
}

static void put_vex(struct encoder *e)
{
	unsigned map = e->row->map - MAP_VEX_0F + 1;
	/* W outside 64-bit mode: ignored or #UD, by processor */
	unsigned w = !e->m->code64 && e->row->allow & KEY_W0 ? 0 : pick(e, KEY_W_BIT, 2);
	unsigned pp = pick(e, 0, 4), l = pick(e, KEY_L_BIT, 2);
	unsigned rxb = !e->m->code64 ? 7 : random_below(e->r, 8);
	unsigned vvvv = e->row->attrs & ROW_VVVV ? random_below(e->r, e->m->regs) : 0;
	unsigned last = (~vvvv & 15) << 3 | l << 2 | pp;

	if (map == 1 && !w && (rxb & 3) == 3 && one_in(e->r, 2)) {
		put(e, 0xc5);
		put(e, (rxb & 4) << 5 | last);
	} else {
		put(e, 0xc4);
		put(e, rxb << 5 | map);
		put(e, w << 7 | last);
	}
	put(e, e->row->opcode);
}

static void put_modrm(struct encoder *e)
{
	bool is_reg = pick(e, KEY_MOD_BIT, 2);
	unsigned digit = pick(e, KEY_DIGIT_SHIFT, 8), mod = is_reg ? 3 : random_below(e->r, 3), rm;

	rm = is_reg ? pick(e, KEY_RM_SHIFT, 8) : random_below(e->r, 8);
	put(e, mod << 6 | digit << 3 | rm);
}

/* Bytes for SIB, displacement and immediates: the decoder takes what it needs. */
static void put_tail(struct encoder *e)
{
	uint64_t imm = one_in(e->r, 2) ? special_integer(e->r) : random_u64(e->r);

	if (one_in(e->r, 2))
		put(e, random_below(e->r, 256));
	while (e->len < 24) {
		put(e, (unsigned)imm & 0xff);
		imm = imm >> 8 | (uint64_t)(random_u64(e->r) & 0xff) << 56;
	}
}

static bool gen_encoding(struct random *r, const struct x86_row *row, const struct run_mode_info *m,
			 uint8_t *bytes, struct x86_insn *in)
{
	for (unsigned i = 0; i < 60; i++) {
		struct encoder e = { .r = r, .row = row, .m = m, .out = bytes };

		put_legacy_prefixes(&e);
		if (row->attrs & ROW_VEX) {
			put_vex(&e);
		} else {
			put_mandatory(&e);
			put_opcode(&e);
		}
		if (row->attrs & ROW_MODRM)
			put_modrm(&e);
		put_tail(&e);
		if (guest_decode(m, bytes, in) && in->row == row)
			return true;
	}
	return false;
}

/* ---- operands ---- */

/* An address in the scratch area, as an offset in the data segment. */
static uint64_t pick_linear(struct random *r)
{
	uint64_t near = DATA_MIDDLE + random_below(r, 2048) - 1024;

	switch (random_below(r, 32)) {
	case 0: return DATA_ADDR + DATA_SIZE - random_below(r, 40); /* may run into nothing */
	case 1: return DATA_ADDR + DATA_SIZE + random_below(r, 4096);
	case 2: return DATA_ADDR + 0x1000 - random_below(r, 32); /* crosses a page */
	case 3:
	case 4:
	case 5:
	case 6: return near;
	default: return near & ~UINT64_C(63);
	}
}

static uint64_t pick_target(struct random *r, const struct test_case *c)
{
	return pick_linear(r) - mode_of(c)->data_base;
}

/* Overwrite the last n bytes of the instruction before `tail` further ones. */
static void patch(struct test_case *c, unsigned n, unsigned tail, uint64_t v)
{
	memcpy(c->code + c->len - tail - n, &v, n);
}

static unsigned immediate_bytes(const struct x86_insn *in)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		if (in->row->imm[i])
			n += in->row->imm[i] == 0xff ? in->asize
						     : x86_width_size(in, in->row->imm[i]);
	return n;
}

static bool is_gather(const struct x86_row *row) { return strstr(row->name, "GATHER"); }

/* Small indices: dwords, or qwords for the forms with Q before the element type. */
static void aim_gather(struct random *r, struct test_case *c, unsigned index, bool qwords)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t *at = i < 4 ? c->in.fx + FX_XMM + 16 * index + 4 * i
				    : c->in.ymm_high[index] + 4 * (i - 4);

		st32_le(at, qwords && i & 1 ? 0 : random_below(r, 100));
	}
}

/* Registers and displacement such that the memory operand lies at target. */
static void aim(struct random *r, struct test_case *c, const struct x86_insn *in, uint64_t target)
{
	uint64_t *gpr = c->in.gpr;
	uint64_t upper = in->asize == 4 && mode_of(c)->code64 ? random_u64(r) << 32 : 0;
	unsigned tail = immediate_bytes(in);

	if (is_gather(in->row)) {
		gpr[in->base & 15] = DATA_MIDDLE - mode_of(c)->data_base - (uint64_t)in->disp;
		aim_gather(r, c, in->index == EA_NO_REG ? 4 : in->index,
			   strstr(in->row->name, "GATHERQ"));
	} else if (in->base == EA_RIP) {
		patch(c, 4, tail, target - INSN_ADDR - c->len);
	} else if (in->base == EA_NO_REG && in->index == EA_NO_REG) {
		patch(c, in->asize == 2 ? 2 : 4, tail, target);
	} else if (in->base == EA_NO_REG) {
		gpr[in->index] = ((target - (uint64_t)in->disp) >> in->scale) | upper;
	} else if (in->base == in->index) {
		gpr[in->base] = (target - (uint64_t)in->disp) / (1 + BIT(in->scale));
	} else {
		uint64_t index = 0;

		if (in->index != EA_NO_REG) {
			index = gpr[in->index] = random_below(r, 128) - UINT64_C(64);
			gpr[in->index] = in->asize == 4 ? (uint32_t)index | upper : index;
		}
		gpr[in->base] = (target - (uint64_t)in->disp - (index << in->scale)) | upper;
		if (in->asize == 4)
			gpr[in->base] = (uint32_t)(target - (uint64_t)in->disp -
						   (index << in->scale)) |
					upper;
	}
}

static bool name_is(const struct x86_row *row, const char *prefix)
{
	return !strncmp(row->name, prefix, strlen(prefix));
}

static void fix_strings(struct random *r, struct test_case *c, const struct x86_insn *in)
{
	uint64_t *gpr = c->in.gpr;

	gpr[RSI] = pick_target(r, c);
	gpr[RDI] = one_in(r, 4) ? gpr[RSI] + random_below(r, 32) - 16 : pick_target(r, c);
	gpr[RCX] = one_in(r, 6) ? random_below(r, 3000) : random_below(r, 24);
	if (in->asize == 4 && mode_of(c)->code64) {
		gpr[RSI] |= random_u64(r) << 32;
		gpr[RDI] |= random_u64(r) << 32;
		gpr[RCX] |= random_u64(r) << 32;
	}
	if (one_in(r, 3))
		c->in.rflags |= FL_DF;
}

/* Division that does not always overflow, comparisons that are sometimes equal ... */
static void fix_arithmetic(struct random *r, struct test_case *c, const struct x86_insn *in)
{
	const struct x86_row *row = in->row;
	uint64_t *gpr = c->in.gpr;

	if (name_is(row, "DIV") && one_in(r, 2))
		gpr[RDX] = random_below(r, 3);
	if (name_is(row, "IDIV") && one_in(r, 2))
		gpr[RDX] = gpr[RAX] >> (8 * in->opsize - 1) & 1 ? UINT64_MAX : 0;
	if (name_is(row, "IDIV") && one_in(r, 2))
		gpr[RAX] = (uint64_t)(int64_t)(int8_t)random_u64(r);
	if (name_is(row, "BT") && in->mod < 3 && !one_in(r, 4))
		gpr[in->reg] = random_below(r, 4096) - UINT64_C(2048);
	if (name_is(row, "CMPXCHG") && in->mod == 3 && one_in(r, 2))
		gpr[RAX] = gpr[in->rm];
	/* what processors disagree about: 16-bit double shifts by more than 16, the upper half of a
	 * CMPXCHG destination that was not equal */
	if ((name_is(row, "SHLD") || name_is(row, "SHRD")) && in->opsize == 2) {
		gpr[RCX] &= ~UINT64_C(0x1f) | random_below(r, 16);
		if (row->imm[0])
			patch(c, 1, 0, random_below(r, 17));
	}
	if (name_is(row, "CMPXCHG") && in->mod == 3)
		gpr[in->rm] = (uint32_t)gpr[in->rm];
	if (name_is(row, "ENTER") || name_is(row, "LEAVE"))
		gpr[RBP] = pick_target(r, c);
	if (name_is(row, "LOOP") || name_is(row, "JRCXZ"))
		gpr[RCX] = one_in(r, 2) ? random_below(r, 3) : gpr[RCX];
	if (name_is(row, "XLAT"))
		gpr[RBX] = pick_target(r, c);
	if (strstr(row->name, "MASKMOV") && in->mod == 3) /* a mask of zeros may fault or not */
		gpr[RDI] = DATA_MIDDLE - mode_of(c)->data_base + random_below(r, 256);
	if (name_is(row, "F2XM1") && (ld16_le(c->in.fx + FX_ST + 8) & 0x7fff) > 0x3ffe)
		st16_le(c->in.fx + FX_ST + 8, (uint16_t)(0x3fd0 + random_below(r, 0x2f)));
	if (!mode_of(c)->code64)
		for (unsigned i = 0; i < 8; i++)
			gpr[i] = (uint32_t)gpr[i];
}

/* Branch targets: INT3 bytes around the instruction, not the instruction itself. */
static void fix_branches(struct random *r, struct test_case *c, const struct x86_insn *in)
{
	if (has_place(in->row, PLACE_J, PLACE_J)) {
		unsigned n = immediate_bytes(in);
		uint64_t disp = one_in(r, 2) ? random_below(r, 100)
					     : 0 - (uint64_t)(20 + random_below(r, 80));

		patch(c, n, 0, disp);
	}
	if ((name_is(in->row, "JMP") || name_is(in->row, "CALL")) && in->mod == 3 && !one_in(r, 4))
		c->in.gpr[in->rm] = CODE_ADDR - mode_of(c)->code_base + random_below(r, 0x700);
}

/* Where in the scratch area an offset lies. */
static uint64_t linear_at(const struct test_case *c, uint64_t offset)
{
	return offset + mode_of(c)->data_base - DATA_ADDR;
}

/* Bit 17 of MXCSR is a feature of some processors. */
static uint64_t target_of(struct random *r, const struct x86_row *row, const struct test_case *c,
			  const uint8_t mem[DATA_SIZE])
{
	uint64_t at;

	/* not all processors check the alignment of SHA's operands */
	if (name_is(row, "SHA"))
		return pick_target(r, c) & ~UINT64_C(15);
	do
		at = pick_target(r, c);
	while (strstr(row->name, "LDMXCSR") && linear_at(c, at) < DATA_SIZE - 4 &&
	       ld32_le(mem + linear_at(c, at)) >> 17 == 1);
	return at;
}

/* POPF must not turn on TF or AC. */
static void fix_popf(struct test_case *c, const uint8_t mem[DATA_SIZE])
{
	uint64_t at = DATA_MIDDLE;

	while (ld32_le(mem + (at - DATA_ADDR)) & (FL_TF | FL_AC))
		at += 8;
	c->in.gpr[RSP] = at - mode_of(c)->data_base;
}

/* Encodings whose operands cannot be chosen freely, for rows that need particular ones. */
static bool is_awkward(const struct x86_insn *in)
{
	bool uses_cl = has_place(in->row, PLACE_FIX, PLACE_FIX);

	if (in->mod == 3)
		return false;
	if (name_is(in->row, "SHA"))
		return in->index != EA_NO_REG && (in->base == EA_NO_REG || in->base == in->index);
	return name_is(in->row, "SH") && uses_cl && (in->base == RCX || in->index == RCX);
}

bool gen_case(struct random *r, const struct x86_row *row, enum run_mode mode,
	      const uint8_t mem[DATA_SIZE], struct test_case *c)
{
	uint8_t bytes[32];
	struct x86_insn in;

	const struct run_mode_info *m = &run_modes[mode];

	if (!(row->allow & (m->code64 ? KEY_64 : KEY_NOT64)))
		return false;
	if (!gen_encoding(r, row, m, bytes, &in) || is_awkward(&in))
		return false;
	memset(c, 0, sizeof(*c));
	c->mode = (uint8_t)mode;
	c->len = in.len;
	memcpy(c->code, bytes, in.len);
	gen_state(r, m, &c->in);
	if (has_place(row, PLACE_X, PLACE_Y))
		fix_strings(r, c, &in);
	fix_branches(r, c, &in);
	fix_arithmetic(r, c, &in);
	if (in.mod < 3)
		aim(r, c, &in, target_of(r, row, c, mem));
	if (name_is(row, "POPF"))
		fix_popf(c, mem);
	if (has_place(row, PLACE_O, PLACE_O))
		patch(c, in.asize, 0, pick_target(r, c));
	if (!m->code64)
		for (unsigned i = 0; i < 8; i++)
			c->in.gpr[i] = (uint32_t)c->in.gpr[i];
	return true;
}

/* ---- instructions of blocks ---- */

static unsigned disp_bytes(const struct x86_insn *in)
{
	bool is_alone = in->base == EA_RIP || in->base == EA_NO_REG;

	if (in->mod == 1)
		return 1;
	return in->mod == 2 || (in->mod == 0 && is_alone) ? (in->asize == 2 ? 2 : 4) : 0;
}

/* Registers are as they are: the displacement must do. */
static void aim_disp(struct random *r, const struct x86_insn *in, enum run_mode mode,
		     const struct cpu_image *now, uint8_t *bytes)
{
	unsigned n = disp_bytes(in);
	uint64_t disp = pick_linear(r) - run_modes[mode].data_base;

	if (in->base == EA_RIP)
		disp -= now->rip + in->len;
	else if (in->base != EA_NO_REG)
		disp -= now->gpr[in->base];
	if (in->index != EA_NO_REG)
		disp -= now->gpr[in->index] << in->scale;
	memcpy(bytes + in->len - immediate_bytes(in) - n, &disp, n);
}

bool gen_insn(struct random *r, const struct x86_row *row, enum run_mode mode,
	      const struct cpu_image *now, uint8_t bytes[32], struct x86_insn *in)
{
	const struct run_mode_info *m = &run_modes[mode];

	if (!(row->allow & (m->code64 ? KEY_64 : KEY_NOT64)) || !gen_encoding(r, row, m, bytes, in))
		return false;
	if (in->mod < 3)
		aim_disp(r, in, mode, now, bytes);
	if (has_place(row, PLACE_J, PLACE_J)) {
		uint64_t disp = 30 + random_below(r, 90);

		memcpy(bytes + in->len - immediate_bytes(in), &disp, immediate_bytes(in));
	}
	if (has_place(row, PLACE_O, PLACE_O)) {
		uint64_t at = pick_linear(r) - m->data_base;

		memcpy(bytes + in->len - in->asize, &at, in->asize);
	}
	return guest_decode(m, bytes, in) && in->row == row;
}
