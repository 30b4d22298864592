/* arch/x86/tr_string.c - string instructions and port I/O (SDM 1 7.3.9, ch. 19).
 *
 * A single MOVS, STOS, LODS, CMPS or SCAS is IR; with REP a helper moves many elements at a time
 * (string.c) and the instruction is executed again until rCX is used up.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"

static bool is_repeated(const struct x86_tr *t) { return t->in.prefixes & (PFX_REP | PFX_REPNE); }

static void string_call(struct x86_tr *t, const struct ir_helper *h, unsigned size)
{
	uint32_t what = size | (uint32_t)t->in.asize << STRING_ASIZE_SHIFT |
			(uint32_t)t->in.seg << STRING_SEG_SHIFT;
	ir_val done;

	if (t->mode & MODE_STEP)
		what |= STRING_ONE;
	if (t->in.prefixes & PFX_REPNE)
		what |= STRING_WHILE_NE;
	if (!is_repeated(t))
		what |= STRING_ONCE;
	done = ir_call(t->b, h, ir_const(t->b, what), IR_NONE, IR_NONE);
	if (!is_repeated(t))
		return;
	if (t->mode & MODE_STEP) {
		ir_val again = ir_pc(t->b, t->delta), next = ir_pc(t->b, t->next);
		ir_val rf = ir_select(t->b, done, ir_const(t->b, 0), ir_const(t->b, FL_RF));

		/* Between iterations RF is set: an instruction breakpoint is met once, before the
		 * first (SDM 3B 17.3.1.1). */
		rf = ir_bin(t->b, IR_OR, 4, ir_get(t->b, 4, OFS(rflags)), rf);
		ir_put(t->b, 4, OFS(rflags), rf);
		ir_put(t->b, 8, OFS(env.pc), ir_select(t->b, done, next, again));
		tr_end_state(t);
		return;
	}
	ir_exit_if(t->b, ir_cmpi(t->b, IR_EQ, 8, done, 0), t->delta);
}

static struct tr_place index_place(struct x86_tr *t, unsigned reg, unsigned size,
				   enum tr_access access)
{
	unsigned seg = reg == RSI ? t->in.seg : SEG_ES;

	return tr_linear(t, seg, ir_get(t->b, t->in.asize, OFS_GPR(reg)), size, access);
}

static void advance(struct x86_tr *t, unsigned reg, unsigned element)
{
	unsigned size = t->in.asize;
	ir_val old = ir_get(t->b, size, OFS_GPR(reg));
	int64_t step = t->mode & MODE_DF ? -(int64_t)element : (int64_t)element;

	tr_put_reg(t, size, reg, ir_lea(t->b, size, old, IR_NONE, 0, step));
}

void tr_movs(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val v;

	if (is_repeated(t)) {
		string_call(t, &x86_movs_helper, size);
		return;
	}
	v = tr_load(t, size, index_place(t, RSI, size, TR_ACCESS_READ), 0);
	tr_store(t, size, index_place(t, RDI, size, TR_ACCESS_WRITE), v);
	advance(t, RSI, size);
	advance(t, RDI, size);
}

void tr_stos(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);

	if (is_repeated(t)) {
		string_call(t, &x86_stos_helper, size);
		return;
	}
	tr_store(t, size, index_place(t, RDI, size, TR_ACCESS_WRITE), tr_get_reg(t, size, RAX));
	advance(t, RDI, size);
}

void tr_lods(struct x86_tr *t)
{
	unsigned size = tr_size(t, 1);
	ir_val v;

	if (is_repeated(t)) {
		string_call(t, &x86_lods_helper, size);
		return;
	}
	v = tr_load(t, size, index_place(t, RSI, size, TR_ACCESS_READ), 0);
	advance(t, RSI, size);
	tr_put_reg(t, size, RAX, v);
}

void tr_cmps(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val a, b;

	if (is_repeated(t)) {
		string_call(t, &x86_cmps_helper, size);
		return;
	}
	a = tr_load(t, size, index_place(t, RSI, size, TR_ACCESS_READ), 0);
	b = tr_load(t, size, index_place(t, RDI, size, TR_ACCESS_READ), 0);
	advance(t, RSI, size);
	advance(t, RDI, size);
	ir_flags_set(t->b, ir_bin(t->b, IR_SUB, size, a, b));
}

void tr_scas(struct x86_tr *t)
{
	unsigned size = tr_size(t, 1);
	ir_val b;

	if (is_repeated(t)) {
		string_call(t, &x86_scas_helper, size);
		return;
	}
	b = tr_load(t, size, index_place(t, RDI, size, TR_ACCESS_READ), 0);
	advance(t, RDI, size);
	ir_flags_set(t->b, ir_bin(t->b, IR_SUB, size, tr_get_reg(t, size, RAX), b));
}

void tr_ins(struct x86_tr *t) { string_call(t, &x86_ins_helper, tr_size(t, 0)); }
void tr_outs(struct x86_tr *t) { string_call(t, &x86_outs_helper, tr_size(t, 1)); }

/* ---- IN and OUT ---- */

static ir_val port_operand(struct x86_tr *t, unsigned n)
{
	if (x86_operand(&t->in, n)->place == PLACE_I)
		return ir_const(t->b, t->in.imm & 0xff);
	return ir_get(t->b, 2, OFS_GPR(RDX));
}

void tr_in(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val v = ir_call(t->b, &x86_in_helper, port_operand(t, 1), ir_const(t->b, size), IR_NONE);

	tr_put_reg(t, size, RAX, v);
}

void tr_out(struct x86_tr *t)
{
	unsigned size = tr_size(t, 1);

	ir_call(t->b, &x86_out_helper, port_operand(t, 0), ir_const(t->b, size),
		ir_get(t->b, size, OFS_GPR(RAX)));
}
