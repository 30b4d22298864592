/* arch/x86/tr_x87.c - translation: x87 instructions.  The driver has emitted #NM and #MF checks.
 *
 * Non-control instructions leave the instruction pointer, and the data pointer if they have a
 * memory operand, once they can no longer fault (SDM vol. 1 §8.1.8); selectors and opcode are the
 * business of the semantics.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"
#include "arch/x86/x87.h"

/* ---- memory operands ---- */

struct x87_mem {
	ir_val ea; /* offset in the segment; IR_NONE: no memory operand */
	struct tr_place p;
};

/* Natural alignment as #AC sees it (SDM vol. 3A table 6-7). */
static struct x87_mem x87_address(struct x86_tr *t, unsigned size, unsigned align,
				  enum tr_access access)
{
	struct x87_mem m = { .ea = tr_ea(t) };

	m.p = tr_linear(t, t->in.seg, m.ea, size, access);
	if (t->mode & MODE_ALIGN && align > 1)
		tr_check_aligned(t, m.p, align, EXC_AC);
	return m;
}

static unsigned x87_align(unsigned size) { return size == 10 ? 8 : size; }

/* ---- facts and pointers ---- */

/* May the host do it?  No exception is unmasked, and the result is exactly defined. */
static bool x87_is_host(const struct x86_tr *t)
{
	return !(t->mode & MODE_X87_TRAPS) && !(t->in.row->attrs & ROW_ULP);
}

static uint64_t x87_rule(const struct x86_tr *t)
{
	uint64_t rule = (uint64_t)t->in.opcode << RULE_OPCODE_SHIFT |
			(uint64_t)t->in.map << RULE_MAP_SHIFT |
			(uint64_t)(t->in.modrm >> 3 & 7) << RULE_DIGIT_SHIFT |
			(uint64_t)(t->in.modrm & 7) << RULE_RM_SHIFT |
			(uint64_t)(t->in.modrm >> 6) << RULE_MOD_SHIFT;

	if (tr_is_mem(t))
		rule |= RULE_MEM | (uint64_t)t->in.seg << RULE_SEG_SHIFT;
	return rule | (x87_is_host(t) ? RULE_HOST : 0);
}

/* The semantics note the selectors; a host does not. */
static void x87_put_pointers(struct x86_tr *t, ir_val ea)
{
	ir_put(t->b, 8, OFS(fip), ir_pc(t->b, t->delta));
	if (ea)
		ir_put(t->b, 8, OFS(fdp), ea);
	if (!x87_is_host(t))
		return;
	ir_put(t->b, 2, OFS(fcs), ir_get(t->b, 2, OFS_SEG(SEG_CS, sel)));
	if (ea)
		ir_put(t->b, 2, OFS(fds), ir_get(t->b, 2, OFS_SEG(t->in.seg, sel)));
}

/* ---- the rows x87(x_foo) ---- */

static void x87_native(struct x86_tr *t, ir_native_fn *fn, ir_val value, ir_val ea)
{
	struct ir_native *n = ir_arena(t->b, sizeof(*n));

	*n = (struct ir_native){
		.fn = fn,
		.name = t->in.row->name,
		.dst = VEC_NONE,
		.src1 = VEC_NONE,
		.src2 = VEC_NONE,
		.src3 = VEC_NONE,
		.imm = t->in.modrm,
		.rule = x87_rule(t),
	};
	ir_native(t->b, n, value);
	x87_put_pointers(t, ea);
}

void tr_x87(struct x86_tr *t)
{
	struct x87_mem m = { 0 };
	ir_val value = IR_NONE;

	if (tr_is_mem(t)) {
		unsigned size = tr_size(t, 0);

		m = x87_address(t, size, x87_align(size), TR_ACCESS_READ);
		if (size <= 8)
			value = ir_load(t->b, size, m.p.base, m.p.disp, 0);
		else
			ir_vload(t->b, size, m.p.base, m.p.disp, OFS_VTMP(0));
	}
	x87_native(t, t->in.row->vec, value, m.ea);
}

/* FCMOVcc: DA is B E BE U, DB their opposites. */
void tr_fcmov(struct x86_tr *t)
{
	static const uint8_t conds[4] = { IR_COND_B, IR_COND_E, IR_COND_BE, IR_COND_P };
	unsigned cond = conds[t->in.modrm >> 3 & 3] ^ (t->in.opcode & 1);

	x87_native(t, x_fcmov, ir_cond(t->b, (enum ir_cond)cond), IR_NONE);
}

/* ---- stores ---- */

static void x87_store(struct x86_tr *t, const struct ir_helper *h)
{
	unsigned size = tr_size(t, 0);
	struct x87_mem m = x87_address(t, size, x87_align(size), TR_ACCESS_WRITE);

	ir_call(t->b, h, tr_place_value(t, m.p), ir_const(t->b, x87_rule(t)), IR_NONE);
	x87_put_pointers(t, m.ea);
}

void tr_fst(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "fst",
		.fn = xh_fst,
		.can_fault = true,
		.rule_arg = 2,
	};

	x87_store(t, &h);
}

void tr_fist(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "fist",
		.fn = xh_fist,
		.can_fault = true,
		.rule_arg = 2,
	};

	x87_store(t, &h);
}

void tr_fisttp(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "fisttp",
		.fn = xh_fisttp,
		.can_fault = true,
		.rule_arg = 2,
	};

	x87_store(t, &h);
}

void tr_fbstp(struct x86_tr *t)
{
	static const struct ir_helper h = {
		.name = "fbstp",
		.fn = xh_fbstp,
		.can_fault = true,
		.rule_arg = 2,
	};

	x87_store(t, &h);
}

/* ---- FCOMI, FUCOMI, FCOMIP, FUCOMIP ---- */
void tr_fcomi(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "fcomi", .fn = xh_fcomi, .rule_arg = 1 };
	ir_val flags = ir_call(t->b, &h, ir_const(t->b, x87_rule(t)), IR_NONE, IR_NONE);

	x87_put_pointers(t, IR_NONE);
	ir_flags_set(t->b, ir_flags_of(t->b, flags));
}

/* ---- control instructions: they leave the pointers alone ---- */

/* What masks all exceptions ends the mode in which one is not.  (The other way FLDCW leaves by
 * itself.) */
static void x87_end_traps(struct x86_tr *t) { t->ends_after |= t->mode & MODE_X87_TRAPS; }

void tr_fldcw(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "fldcw", .fn = xh_fldcw, .rule_arg = 2 };

	ir_call(t->b, &h, tr_read(t, 0), ir_const(t->b, x87_rule(t)), IR_NONE);
	x87_end_traps(t);
}

void tr_fnstcw(struct x86_tr *t) { tr_write(t, 0, ir_get(t->b, 2, OFS(fcw))); }

static uint64_t fnstsw(void *env, uint64_t rule, uint64_t unused1, uint64_t unused2)
{
	(void)rule;
	(void)unused1;
	(void)unused2;
	return x87_status(env);
}

/* To memory or AX. */
void tr_fnstsw(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "fnstsw", .fn = fnstsw, .rule_arg = 1 };

	tr_write(t, 0, ir_call(t->b, &h, ir_const(t->b, x87_rule(t)), IR_NONE, IR_NONE));
}

void tr_fnclex(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "fnclex", .fn = xh_fnclex, .rule_arg = 1 };

	ir_call(t->b, &h, ir_const(t->b, x87_rule(t)), IR_NONE, IR_NONE);
}

void tr_fninit(struct x86_tr *t)
{
	static const struct ir_helper h = { .name = "fninit", .fn = xh_fninit };

	ir_call(t->b, &h, IR_NONE, IR_NONE, IR_NONE);
	x87_end_traps(t);
}

static void x87_image(struct x86_tr *t, const struct ir_helper *h, bool with_regs,
		      enum tr_access access)
{
	const bool is_32 = tr_opsize(t) != 2;
	const unsigned size = (is_32 ? 28 : 14) + (with_regs ? 80 : 0);
	unsigned format = (is_32 ? X87_ENV_32 : 0) | (with_regs ? X87_ENV_REGS : 0) |
			  (tr_is_protected(t) ? 0 : X87_ENV_REAL);
	struct x87_mem m = x87_address(t, size, is_32 ? 4 : 2, access);

	ir_call(t->b, h, tr_place_value(t, m.p), ir_const(t->b, format), IR_NONE);
	x87_end_traps(t);
	t->ends_after |= access == TR_ACCESS_READ; /* any control word */
}

static const struct ir_helper helper_fnstenv = {
	.name = "fnstenv",
	.fn = xh_fnstenv,
	.can_fault = true,
};
static const struct ir_helper helper_fldenv = {
	.name = "fldenv",
	.fn = xh_fldenv,
	.can_fault = true,
};

void tr_fnstenv(struct x86_tr *t) { x87_image(t, &helper_fnstenv, false, TR_ACCESS_WRITE); }
void tr_fnsave(struct x86_tr *t) { x87_image(t, &helper_fnstenv, true, TR_ACCESS_WRITE); }
void tr_fldenv(struct x86_tr *t) { x87_image(t, &helper_fldenv, false, TR_ACCESS_READ); }
void tr_frstor(struct x86_tr *t) { x87_image(t, &helper_fldenv, true, TR_ACCESS_READ); }

/* FNENI, FNDISI, FNSETPM: of the 8087 and 287; nothing since. */
void tr_fnull(struct x86_tr *t) { (void)t; }

/* FWAIT looks at TS only when MP is set, and never at EM (SDM vol. 3A table 9-3). */
void tr_fwait(struct x86_tr *t)
{
	ir_val es;

	if ((t->mode & (MODE_MP | MODE_TS)) == (MODE_MP | MODE_TS)) {
		tr_raise(t, EXC_NM);
	} else if (t->mode & MODE_X87_TRAPS) {
		es = ir_bini(t->b, IR_AND, 2, ir_get(t->b, 2, OFS(fsw)), FSW_ES);
		ir_call_if(t->b, es, &x86_pending_x87_helper, IR_NONE, IR_NONE);
	}
}
