/* arch/x86/tr_sse.c - vector instructions that the generic handler (tr_vec.c) does not cover: flags
 * as results, masked memory, state.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/tr.h"
#include "arch/x86/vec_ops.h"

static bool sse_require(struct x86_tr *t)
{
	return t->in.is_vex ? tr_require_avx(t) : tr_require_sse(t);
}

/* The state offset of operand n: its register, or vtmp[0] after loading it from memory. */
static uint32_t sse_operand(struct x86_tr *t, unsigned n)
{
	const struct x86_operand *o = x86_operand(&t->in, n);
	const unsigned size = tr_size(t, n);
	struct tr_place p;

	if (o->place == PLACE_V)
		return OFS_YMM(t->in.reg);
	if (o->place == PLACE_H)
		return OFS_YMM(t->in.vvvv);
	if (!tr_is_mem(t))
		return OFS_YMM(t->in.rm);
	p = tr_addr(t, size, TR_ACCESS_READ);
	if (size <= 8) {
		ir_put(t->b, size, OFS_VTMP(0), tr_load(t, size, p, 0));
	} else {
		if (!t->in.is_vex && !(t->in.row->attrs & ROW_UNALIGNED))
			tr_check_aligned(t, p, 16, EXC_GP);
		ir_vload(t->b, size, p.base, p.disp, OFS_VTMP(0));
	}
	return OFS_VTMP(0);
}

/* All six flags become the bits of v. */
static void sse_put_flags(struct x86_tr *t, ir_val v) { ir_flags_set(t->b, ir_flags_of(t->b, v)); }

/* The rule as an argument. */
static ir_val sse_rule(struct x86_tr *t, bool is_host)
{
	return ir_const(t->b, tr_vec_rule(t) | (is_host ? RULE_HOST : 0));
}

/* ---- PTEST, VTESTPS, VTESTPD, COMISS and kin: helpers that get the rule ---- */
static void sse_flags(struct x86_tr *t, const struct ir_helper *h)
{
	uint32_t a, b;

	if (!sse_require(t))
		return;
	a = sse_operand(t, 0);
	b = sse_operand(t, 1);
	sse_put_flags(t, ir_call(t->b, h, ir_const(t->b, a), ir_const(t->b, b),
				 sse_rule(t, tr_vec_is_host(t))));
}

static uint64_t rule_bytes(uint64_t rule) { return rule & RULE_L ? 32 : 16; }

static uint64_t ptest(void *env, uint64_t a, uint64_t b, uint64_t rule)
{
	return vh_ptest(env, a, b, rule_bytes(rule));
}

static uint64_t vtestps(void *env, uint64_t a, uint64_t b, uint64_t rule)
{
	return vh_vtestps(env, a, b, rule_bytes(rule));
}

static uint64_t vtestpd(void *env, uint64_t a, uint64_t b, uint64_t rule)
{
	return vh_vtestpd(env, a, b, rule_bytes(rule));
}

/* Prefix 66: doubles; opcode 2E: UCOMIS. */
static uint64_t comis(void *env, uint64_t a, uint64_t b, uint64_t rule)
{
	return vh_comis(env, a, b,
			(rule_prefix(rule) ? COMIS_DOUBLE : 0) |
				(rule_opcode(rule) == 0x2e ? COMIS_QUIET : 0));
}

void tr_ptest(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "ptest", .fn = ptest, .rule_arg = 3 };

	sse_flags(t, &h);
}

void tr_vtestps(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "vtestps", .fn = vtestps, .rule_arg = 3 };

	sse_flags(t, &h);
}

void tr_vtestpd(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "vtestpd", .fn = vtestpd, .rule_arg = 3 };

	sse_flags(t, &h);
}

static const struct ir_helper helper_comis = {
	.name = "comis",
	.fn = comis,
	.can_fault = true,
	.rule_arg = 3,
};

void tr_comiss(struct x86_tr *t) { sse_flags(t, &helper_comis); }
void tr_comisd(struct x86_tr *t) { sse_flags(t, &helper_comis); }
void tr_ucomiss(struct x86_tr *t) { sse_flags(t, &helper_comis); }
void tr_ucomisd(struct x86_tr *t) { sse_flags(t, &helper_comis); }

/* ---- PCMPxSTRx: opcodes 60, 61 have explicit lengths; 61, 63 give an index ---- */
static ir_val string_call(struct x86_tr *t, const struct ir_helper *h)
{
	uint32_t a = sse_operand(t, 0), b = sse_operand(t, 1);
	uint64_t wide = tr_is64(t) && (t->in.rex & REX_W) ? RULE_W : 0;
	uint64_t rule = (tr_vec_rule(t) & ~(uint64_t)RULE_W) | wide | RULE_HOST;

	return ir_call(t->b, h, ir_const(t->b, a), ir_const(t->b, b), ir_const(t->b, rule));
}

static uint64_t string_control(uint64_t rule)
{
	return rule_imm(rule) | (rule_opcode(rule) < 0x62 ? STRING_EXPLICIT : 0) |
	       (rule & RULE_W ? STRING_WIDE_LENGTH : 0) | (rule & RULE_VEX ? STRING_VEX : 0);
}

static uint64_t pcmpstri(void *env, uint64_t a, uint64_t b, uint64_t rule)
{
	return vh_pcmpstri(env, a, b, string_control(rule));
}

static uint64_t pcmpstrm(void *env, uint64_t a, uint64_t b, uint64_t rule)
{
	return vh_pcmpstrm(env, a, b, string_control(rule));
}

void tr_pcmpstri(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "pcmpstri", .fn = pcmpstri, .rule_arg = 3 };
	ir_val r;

	if (!sse_require(t))
		return;
	r = string_call(t, &h);
	tr_put_reg(t, 4, RCX, ir_bini(t->b, IR_SHR, 8, r, 32));
	sse_put_flags(t, r);
}

void tr_pcmpstrm(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "pcmpstrm", .fn = pcmpstrm, .rule_arg = 3 };

	if (!sse_require(t))
		return;
	sse_put_flags(t, string_call(t, &h));
}

/* ---- masked moves and gathers ---- */

static struct vec_mem_operands mem_operands(const struct x86_tr *t)
{
	return (struct vec_mem_operands){
		.reg = t->in.reg,
		.mask = t->in.vvvv,
		.seg = t->in.seg,
		.asize = t->in.asize,
		.vlen = t->in.vlen,
	};
}

/* VMASKMOVPD has W 0; the integer ones have the element size in W. */
static unsigned maskmov_size(const struct x86_tr *t)
{
	if (t->in.opcode >= 0x8c)
		return t->in.rex & REX_W ? 8 : 4;
	return t->in.opcode & 1 ? 8 : 4;
}

static void maskmov(struct x86_tr *t, const struct ir_helper *h)
{
	struct vec_mem_operands o = mem_operands(t);

	if (!sse_require(t))
		return;
	o.esize = maskmov_size(t) & 15;
	ir_call(t->b, h, tr_ea(t), ir_const(t->b, vec_mem_pack(o)), IR_NONE);
}

static const struct ir_helper helper_maskmov_store = {
	.name = "maskmov_store",
	.fn = vh_maskmov_store,
	.can_fault = true,
};

void tr_vmaskmov_load(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "maskmov_load",
		.fn = vh_maskmov_load,
		.can_fault = true,
	};

	maskmov(t, &h);
}

void tr_vmaskmov_store(struct x86_tr *t) { maskmov(t, &helper_maskmov_store); }

/* Bytes of ModRM.reg chosen by ModRM.rm, to DS:rDI. */
static void maskmov_bytes(struct x86_tr *t, unsigned vlen)
{
	struct vec_mem_operands o = mem_operands(t);

	o.mask = t->in.rm;
	o.vlen = (uint8_t)vlen;
	o.esize = 1;
	ir_call(t->b, &helper_maskmov_store, tr_get_reg(t, t->in.asize, RDI),
		ir_const(t->b, vec_mem_pack(o)), IR_NONE);
}

void tr_maskmovdqu(struct x86_tr *t)
{
	if (sse_require(t))
		maskmov_bytes(t, 16);
}

/* Any MMX instruction: TOP 0, all tags valid (SDM vol. 3A §12.2). */
static void mmx_used(struct x86_tr *t, uint8_t tags)
{
	ir_put(t->b, 1, OFS(ftop), ir_const(t->b, 0));
	ir_put(t->b, 1, OFS(ftag), ir_const(t->b, tags));
}

void tr_maskmovq(struct x86_tr *t)
{
	if (!tr_require_mmx(t))
		return;
	t->in.reg &= 7;
	t->in.rm &= 7;
	maskmov_bytes(t, 8);
	mmx_used(t, 0xff);
}

void tr_emms(struct x86_tr *t)
{
	if (tr_require_mmx(t))
		mmx_used(t, 0);
}

/* VSIB: ModRM.rm must name a SIB byte whose index is a vector register; destination, mask and index
 * must differ (SDM vol. 2 §2.3.12, exceptions type 12). */
void tr_vgather(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "gather", .fn = vh_gather, .can_fault = true };
	struct vec_mem_operands o = mem_operands(t);
	ir_val base = ir_const(t->b, (uint64_t)t->in.disp);

	if (!sse_require(t))
		return;
	o.index = t->in.index == EA_NO_REG ? 4 : t->in.index;
	if ((t->in.modrm & 7) != 4 || t->in.asize == 2 || o.index == o.reg || o.index == o.mask ||
	    o.reg == o.mask) {
		tr_raise(t, EXC_UD);
		return;
	}
	o.scale = t->in.scale & 3;
	o.esize = t->in.rex & REX_W ? 8 : 4;
	o.index_size = t->in.opcode & 1 ? 8 : 4;
	if (t->in.base != EA_NO_REG)
		base = ir_lea(t->b, 8, tr_get_reg(t, 8, t->in.base), IR_NONE, 0, t->in.disp);
	ir_call(t->b, &h, base, ir_const(t->b, vec_mem_pack(o)), IR_NONE);
}

/* ---- state ---- */

static void vzero(struct x86_tr *t, const struct ir_helper *h)
{
	if (sse_require(t))
		ir_call(t->b, h, ir_const(t->b, tr_is64(t) ? 16 : 8), sse_rule(t, tr_is64(t)),
			IR_NONE);
}

void tr_vzeroupper(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "vzeroupper",
		.fn = vh_vzeroupper,
		.rule_arg = 2,
	};

	vzero(t, &h);
}

void tr_vzeroall(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "vzeroall",
		.fn = vh_vzeroall,
		.rule_arg = 2,
	};

	vzero(t, &h);
}

void tr_ldmxcsr(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "ldmxcsr",
		.fn = vh_ldmxcsr,
		.can_fault = true,
		.rule_arg = 2,
	};

	if (sse_require(t))
		ir_call(t->b, &h, tr_read(t, 0), sse_rule(t, !(t->mode & MODE_SSE_TRAPS)), IR_NONE);
	/* All may be masked now; the other way it leaves by itself. */
	t->ends_after |= t->mode & MODE_SSE_TRAPS;
}

void tr_stmxcsr(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "stmxcsr", .fn = vh_stmxcsr, .rule_arg = 1 };

	if (sse_require(t))
		tr_write(t, 0,
			 ir_call(t->b, &h, sse_rule(t, !(t->mode & MODE_SSE_TRAPS)), IR_NONE,
				 IR_NONE));
}
