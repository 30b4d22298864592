/* arch/x86/tr_vec.c - the generic handler of vec() rows: fetch operands, one native op, store.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/cpuid.h"
#include "arch/x86/isa_gen.h"
#include "arch/x86/tr.h"

enum { MAX_OPERANDS = 4 };

struct vec_tr {
	struct x86_tr *t;
	unsigned count;              /* operands that are not immediates: the first ones */
	uint32_t slot[MAX_OPERANDS]; /* in the state; VEC_NONE: the value */
	ir_val value;
	bool has_mmx, has_xmm; /* registers of that kind are named */
};

static bool is_immediate(const struct x86_operand *o)
{
	return o->place == PLACE_NONE || o->place == PLACE_I || o->place == PLACE_ONE;
}

/* The register operand's slot; memory is vtmp[0]. */
static uint32_t register_slot(struct vec_tr *v, const struct x86_operand *o)
{
	const struct x86_insn *in = &v->t->in;

	switch (o->place) {
	case PLACE_P: v->has_mmx = true; return OFS_MM(in->reg & 7);
	case PLACE_N:
	case PLACE_Q: v->has_mmx = true; return OFS_MM(in->rm & 7);
	case PLACE_G: return OFS_GPR(in->reg);
	case PLACE_B: return OFS_GPR(in->vvvv);
	case PLACE_E:
	case PLACE_R: return OFS_GPR(in->rm);
	default: break;
	}
	v->has_xmm = true;
	switch (o->place) {
	case PLACE_V: return OFS_YMM(in->reg);
	case PLACE_H: return OFS_YMM(in->vvvv);
	case PLACE_L: return OFS_YMM(in->imm >> 4 & (tr_is64(v->t) ? 15 : 7));
	case PLACE_FIXV: return OFS_YMM(o->fixed);
	default: return OFS_YMM(in->rm); /* U, W */
	}
}

static bool is_general(const struct x86_operand *o)
{
	return o->place == PLACE_G || o->place == PLACE_E || o->place == PLACE_R ||
	       o->place == PLACE_B;
}

/* ---- guards ---- */
static bool vec_require(const struct vec_tr *v)
{
	struct x86_tr *t = v->t;

	if (t->in.row->attrs & ROW_NO_NM)
		return true;
	if (t->in.is_vex)
		return tr_require_avx(t);
	if (v->has_xmm && !tr_require_sse(t))
		return false;
	return !v->has_mmx || tr_require_mmx(t);
}

/* ---- memory ---- */
static unsigned vec_alignment(const struct x86_insn *in, unsigned size)
{
	if (in->is_vex)
		return in->row->attrs & ROW_ALIGNED ? size : 1;
	return size == 16 && !(in->row->attrs & ROW_UNALIGNED) ? 16 : 1;
}

static struct tr_place vec_place(struct x86_tr *t, unsigned size, enum tr_access access)
{
	struct tr_place p = tr_addr(t, size, access);
	unsigned align = vec_alignment(&t->in, size);

	if (align > 1)
		tr_check_aligned(t, p, align, EXC_GP);
	return p;
}

static void vec_load(struct x86_tr *t, unsigned size)
{
	struct tr_place p = vec_place(t, size, TR_ACCESS_READ);

	if (size <= 8)
		ir_put(t->b, size, OFS_VTMP(0), tr_load(t, size, p, 0));
	else
		ir_vload(t->b, size, p.base, p.disp, OFS_VTMP(0));
}

static void vec_store(struct x86_tr *t, unsigned size, struct tr_place p)
{
	if (size <= 8)
		tr_store(t, size, p, ir_get(t->b, size, OFS_VTMP(0)));
	else
		ir_vstore(t->b, size, p.base, p.disp, OFS_VTMP(0));
}

/* A store that follows flags in MXCSR must not fault any more. */
static void vec_probe(struct x86_tr *t, unsigned size)
{
	struct tr_place p = vec_place(t, size, TR_ACCESS_RMW);

	tr_load(t, 8, p, IR_MEM_RMW);
	p.disp += size - 8;
	if (size > 8)
		tr_load(t, 8, p, IR_MEM_RMW);
}

/* ---- operands ---- */

static void vec_slots(struct vec_tr *v)
{
	const struct x86_insn *in = &v->t->in;

	for (unsigned n = 0; n < MAX_OPERANDS && !is_immediate(x86_operand(in, n)); n++) {
		v->slot[n] = x86_operand_is_mem(in, n) ? OFS_VTMP(0)
						       : register_slot(v, x86_operand(in, n));
		v->count++;
	}
}

/* Loads the memory operand, reads the general register. */
static void vec_fetch(struct vec_tr *v)
{
	struct x86_tr *t = v->t;

	for (unsigned n = 0; n < v->count; n++) {
		bool is_mem = x86_operand_is_mem(&t->in, n);

		if (n == 0) {
			if (is_mem && t->in.row->attrs & ROW_READ_DST)
				vec_load(t, tr_size(t, n));
			else if (is_mem && t->in.row->attrs & ROW_FP)
				vec_probe(t, tr_size(t, n));
		} else if (is_general(x86_operand(&t->in, n))) {
			v->value = tr_read(t, n);
			v->slot[n] = VEC_NONE;
		} else if (is_mem) {
			vec_load(t, tr_size(t, n));
		}
	}
}

/* ---- the rule: how a host of the same kind does it (jit/native.h) ---- */

/* DPPS and DPPD, whose sums processors do not form in the same order. */
static bool is_dot_product(const struct x86_insn *in)
{
	return (in->map == MAP_0F3A || in->map == MAP_VEX_0F3A) && (in->opcode & 0xfe) == 0x40;
}

static enum rule_needs vec_needs(const struct x86_insn *in)
{
	static const struct {
		uint16_t feature;
		uint8_t needs;
	} table[] = {
		{ X86_FEAT_AVX2, RULE_NEEDS_AVX2 },  { X86_FEAT_FMA, RULE_NEEDS_FMA },
		{ X86_FEAT_F16C, RULE_NEEDS_F16C },  { X86_FEAT_AES, RULE_NEEDS_AES },
		{ X86_FEAT_SHA_NI, RULE_NEEDS_SHA }, { X86_FEAT_PCLMULQDQ, RULE_NEEDS_PCLMUL },
	};
	uint64_t mask = x86_feat_masks[in->row->feat[in->vlen == 32]];

	if (is_dot_product(in))
		return RULE_NEEDS_DOT_ORDER;
	for (; mask; mask &= mask - 1) {
		unsigned feature = x86_isa_features[__builtin_ctzll(mask)];

		for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
			if (table[i].feature == feature)
				return (enum rule_needs)table[i].needs;
	}
	return RULE_NEEDS_AVX;
}

/* RCP and RSQRT: approximations that processors do not agree on. */
static bool is_approximate(const struct x86_insn *in)
{
	return (in->map == MAP_0F || in->map == MAP_VEX_0F) && (in->opcode & 0xfe) == 0x52;
}

/* Operand n's field, its kind, and that it is written. */
static uint64_t rule_operand(const struct x86_insn *in, unsigned n)
{
	const struct x86_operand *o = x86_operand(in, n);
	uint64_t kind = is_general(o) ? RULE_KIND_GENERAL : RULE_KIND_VECTOR, dst;

	/* A general register that is read may be memory: it is the value, whatever it was. */
	if (x86_operand_is_mem(in, n) && (n == 0 || !is_general(o)))
		kind = RULE_KIND_MEM;
	switch (o->place) {
	case PLACE_L:
	case PLACE_FIXV: return 0; /* in the immediate, in the opcode */
	case PLACE_V:
	case PLACE_G:
		dst = n ? 0 : RULE_DST_REG;
		return (uint64_t)in->reg << RULE_REG_SHIFT | kind << RULE_REG_KIND_SHIFT |
		       dst << RULE_DST_SHIFT;
	case PLACE_H:
		dst = n ? 0 : RULE_DST_VVVV;
		return (uint64_t)in->vvvv << RULE_VVVV_SHIFT | kind << RULE_VVVV_KIND_SHIFT |
		       dst << RULE_DST_SHIFT;
	default:
		dst = n ? 0 : RULE_DST_RM;
		return (uint64_t)(in->mod < 3 ? 0 : in->rm) << RULE_RMREG_SHIFT |
		       kind << RULE_RM_KIND_SHIFT | dst << RULE_DST_SHIFT;
	}
}

/* W says how wide a general register is, or belongs to the opcode. */
static bool rule_is_wide(const struct x86_insn *in, bool has_general, unsigned general_size)
{
	return has_general ? general_size == 8 : in->is_vex && in->rex & REX_W;
}

static uint64_t vec_immediate(const struct x86_tr *t)
{
	const struct x86_row *row = t->in.row;
	uint8_t imm = (uint8_t)t->in.imm;

	if (!row->imm[0])
		return 0;
	for (unsigned n = 0; n < MAX_OPERANDS; n++)
		if (x86_operand(&t->in, n)->place == PLACE_L && !tr_is64(t))
			imm &= 0x7f;
	return RULE_IMM8 | (uint64_t)imm << RULE_IMM_SHIFT;
}

uint64_t tr_vec_rule(const struct x86_tr *t)
{
	static const uint8_t maps[MAP_COUNT] = { 0, 1, 2, 3, 1, 2, 3 };
	const struct x86_insn *in = &t->in;
	const uint32_t allow = in->row->allow;
	uint64_t prefix = allow & KEY_NP ? 0 : allow & KEY_66 ? 1 : allow & KEY_F3 ? 2 : 3;
	uint64_t rule = (uint64_t)in->opcode << RULE_OPCODE_SHIFT |
			(uint64_t)maps[in->map] << RULE_MAP_SHIFT | prefix << RULE_PREFIX_SHIFT |
			(uint64_t)(in->modrm >> 3 & 7) << RULE_DIGIT_SHIFT | vec_immediate(t) |
			(uint64_t)vec_needs(in) << RULE_NEEDS_SHIFT;
	bool has_general = false;
	unsigned general_size = 0;

	for (unsigned n = 0; n < MAX_OPERANDS && !is_immediate(x86_operand(in, n)); n++) {
		rule |= rule_operand(in, n);
		if (is_general(x86_operand(in, n))) {
			has_general = true;
			general_size = tr_size(t, n);
		}
	}
	return rule | (rule_is_wide(in, has_general, general_size) ? RULE_W : 0) |
	       (in->vlen == 32 ? RULE_L : 0) | (in->is_vex ? RULE_VEX : 0) |
	       (in->mod < 3 ? RULE_MEM : 0);
}

bool tr_vec_is_host(const struct x86_tr *t)
{
	return !(t->in.row->attrs & ROW_FP && t->mode & MODE_SSE_TRAPS);
}

/* Even where that is memory: a processor may take it for the use of an MMX register. */
static bool names_mmx(const struct x86_insn *in)
{
	for (unsigned n = 0; n < MAX_OPERANDS; n++) {
		unsigned place = x86_operand(in, n)->place;

		if (place == PLACE_P || place == PLACE_Q || place == PLACE_N)
			return true;
	}
	return false;
}

static uint64_t vec_rule(const struct vec_tr *v)
{
	const struct x86_insn *in = &v->t->in;
	bool is_host = tr_vec_is_host(v->t) && !names_mmx(in) && !is_approximate(in) &&
		       !(in->row->attrs & (ROW_NO_NM | ROW_READ_DST));

	return tr_vec_rule(v->t) | (is_host ? RULE_HOST : 0);
}

static struct ir_native vec_native(const struct vec_tr *v)
{
	const struct x86_insn *in = &v->t->in;
	struct ir_native n = {
		.fn = in->row->vec,
		.name = in->row->name,
		.dst = v->slot[0],
		.src1 = v->slot[0],
		.src2 = v->slot[v->count > 1],
		.src3 = VEC_NONE,
		.imm = (uint8_t)in->imm,
		.vlen = v->has_mmx && !v->has_xmm ? 8 : in->vlen,
		.zero_upper = in->is_vex,
		.can_fault = in->row->attrs & ROW_FP,
		.rule = vec_rule(v),
	};

	if (!in->is_vex && v->count > 2) {
		n.src3 = v->slot[2];
	} else if (v->count > 2) {
		n.src1 = v->slot[1];
		n.src2 = v->slot[2];
		n.src3 = v->count > 3 ? v->slot[3] : VEC_NONE;
	}
	return n;
}

/* SDM 3A 12.2: TOP 0, all tags valid. */
static void vec_enter_mmx(struct x86_tr *t)
{
	ir_put(t->b, 1, OFS(ftop), ir_const(t->b, 0));
	ir_put(t->b, 1, OFS(ftag), ir_const(t->b, 0xff));
}

void tr_vec(struct x86_tr *t)
{
	const bool is_store = x86_operand_is_mem(&t->in, 0);
	struct vec_tr v = { .t = t };
	struct tr_place place = { 0 };
	struct ir_native *n;

	vec_slots(&v);
	if (!vec_require(&v))
		return;
	vec_fetch(&v);
	if (v.has_mmx && !is_store) /* before a floating point exception of the instruction's own */
		vec_enter_mmx(t);
	/* Nothing comes between the operation and its store, which a host may do as one. */
	if (is_store)
		place = vec_place(t, tr_size(t, 0), TR_ACCESS_WRITE);
	n = ir_arena(t->b, sizeof(*n));
	*n = vec_native(&v);
	ir_native(t->b, n, v.value);
	if (is_store)
		vec_store(t, tr_size(t, 0), place);
	if (v.has_mmx && is_store)
		vec_enter_mmx(t);
}
