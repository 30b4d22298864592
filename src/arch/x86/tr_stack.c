/* arch/x86/tr_stack.c - PUSH to LEAVE (SDM 1 6.2, 6.5; SDM 2).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"

void tr_push(struct x86_tr *t) { tr_stack_push(t, t->in.opsize, tr_read(t, 0)); }

void tr_push_seg(struct x86_tr *t) { tr_stack_push(t, t->in.opsize, tr_read(t, 0)); }

/* A destination addressed through rSP is addressed after the increment; POP rSP gets the value. */
void tr_pop(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val v = tr_stack_load(t, size, 0);

	if (x86_operand_is_mem(&t->in, 0)) {
		if (t->in.base == RSP)
			t->in.disp += size;
		tr_write(t, 0, v);
		tr_stack_add(t, size);
	} else {
		tr_stack_add(t, size);
		tr_write(t, 0, v);
	}
}

void tr_pusha(struct x86_tr *t)
{
	unsigned size = t->in.opsize;

	for (unsigned r = RAX; r <= RDI; r++)
		tr_stack_store(t, size, -(int64_t)size * (r + 1), tr_get_reg(t, size, r));
	tr_stack_add(t, -8 * (int64_t)size);
}

void tr_popa(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val v[8];

	for (unsigned r = RAX; r <= RDI; r++)
		v[r] = r == RSP ? IR_NONE : tr_stack_load(t, size, (int64_t)size * (7 - r));
	tr_stack_add(t, 8 * (int64_t)size);
	for (unsigned r = RAX; r <= RDI; r++)
		if (r != RSP)
			tr_put_reg(t, size, r, v[r]);
}

void tr_pushf(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val v;

	if (t->mode & MODE_VM86)
		v = ir_call(t->b, &x86_pushf_helper, ir_const(t->b, size), IR_NONE, IR_NONE);
	else
		v = ir_bini(t->b, IR_AND, 4, ir_get(t->b, 4, OFS(rflags)),
			    ~(uint32_t)(FL_VM | FL_RF));
	tr_stack_push(t, size, v);
}

void tr_popf(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val v = tr_stack_load(t, size, 0);

	ir_call(t->b, &x86_popf_helper, v, ir_const(t->b, size), IR_NONE);
	tr_stack_add(t, size);
	t->ends_after = true;
}

/* SS:rBP+disp, as ENTER and LEAVE read it. */
static ir_val frame_load(struct x86_tr *t, unsigned size, int64_t disp)
{
	unsigned width = tr_stack_size(t);
	ir_val bp = ir_get(t->b, width, OFS_GPR(RBP));

	if (disp)
		bp = ir_lea(t->b, width, bp, IR_NONE, 0, disp);
	return tr_load(t, size, tr_linear(t, SEG_SS, bp, size, TR_ACCESS_READ), 0);
}

void tr_enter(struct x86_tr *t)
{
	unsigned size = t->in.opsize, width = tr_stack_size(t), level = t->in.imm2 & 31;
	int64_t bytes = t->in.imm & 0xffff, step = size;
	ir_val frame = ir_lea(t->b, width, ir_get(t->b, width, OFS_GPR(RSP)), IR_NONE, 0, -step);

	tr_stack_store(t, size, -step, tr_get_reg(t, size, RBP));
	for (unsigned i = 1; i < level; i++)
		tr_stack_store(t, size, -step * (1 + (int64_t)i), frame_load(t, size, -step * i));
	if (level)
		tr_stack_store(t, size, -step * (1 + (int64_t)level), frame);
	tr_stack_probe(t, size, -step * (1 + (int64_t)level) - bytes);
	tr_put_reg(t, size, RBP, frame);
	tr_stack_add(t, -step * (1 + (int64_t)level) - bytes);
}

void tr_leave(struct x86_tr *t)
{
	unsigned size = t->in.opsize, width = tr_stack_size(t);
	ir_val v = frame_load(t, size, 0), bp = ir_get(t->b, width, OFS_GPR(RBP));

	ir_put(t->b, width, OFS_GPR(RSP), ir_bini(t->b, IR_ADD, width, bp, size));
	tr_put_reg(t, size, RBP, v);
}
