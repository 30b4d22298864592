/* arch/x86/tr_vec.c - the generic handler of vec() rows: fetch operands, one native op, store.
 * SPDX-License-Identifier: MIT */
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

static void vec_store(struct x86_tr *t, unsigned size)
{
	struct tr_place p = vec_place(t, size, TR_ACCESS_WRITE);

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

static uint64_t vec_rule(const struct x86_insn *in)
{
	const uint32_t allow = in->row->allow;
	uint64_t prefix = allow & KEY_NP ? 0 : allow & KEY_66 ? 1 : allow & KEY_F3 ? 2 : 3;
	uint64_t rule = (uint64_t)in->opcode << RULE_OPCODE_SHIFT |
			(uint64_t)in->map << RULE_MAP_SHIFT | prefix << RULE_PREFIX_SHIFT |
			(uint64_t)(in->modrm >> 3 & 7) << RULE_DIGIT_SHIFT;

	return rule | (in->rex & REX_W ? RULE_W : 0) | (in->vlen == 32 ? RULE_L : 0) |
	       (in->is_vex ? RULE_VEX : 0) | (in->mod < 3 ? RULE_MEM : 0);
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
		.rule = vec_rule(in),
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
	struct ir_native *n;

	vec_slots(&v);
	if (!vec_require(&v))
		return;
	vec_fetch(&v);
	if (v.has_mmx && !is_store) /* before a floating point exception of the instruction's own */
		vec_enter_mmx(t);
	n = ir_arena(t->b, sizeof(*n));
	*n = vec_native(&v);
	ir_native(t->b, n, v.value);
	if (is_store)
		vec_store(t, tr_size(t, 0));
	if (v.has_mmx && is_store)
		vec_enter_mmx(t);
}
