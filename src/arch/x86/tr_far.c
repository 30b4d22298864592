/* arch/x86/tr_far.c - translation: segment registers, far transfers, interrupts.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/sys_helpers.h"
#include "arch/x86/tr.h"

static ir_val num(struct x86_tr *t, uint64_t v) { return ir_const(t->b, v); }

/* ---- segment registers ---- */

static void seg_load(struct x86_tr *t, unsigned seg, ir_val sel, bool shadow)
{
	ir_call(t->b, &helper_seg_load, ir_zext(t->b, 2, sel), num(t, seg), num(t, shadow));
	/* only SS has a shadow; in 64-bit mode no other one changes the mode */
	if (seg == SEG_SS || !tr_is64(t))
		t->ends_after = true;
}

void tr_mov_to_seg(struct x86_tr *t)
{
	unsigned seg = t->in.modrm >> 3 & 7;

	if (seg == SEG_CS || seg > SEG_GS)
		tr_ud(t);
	else
		seg_load(t, seg, tr_read(t, 1), seg == SEG_SS);
}

void tr_pop_seg(struct x86_tr *t)
{
	unsigned seg = x86_operand(&t->in, 0)->fixed;

	seg_load(t, seg, tr_stack_load(t, 2, 0), seg == SEG_SS);
	tr_stack_add(t, tr_opsize(t));
}

void tr_load_far(struct x86_tr *t)
{
	unsigned size = tr_opsize(t), seg;
	ir_val off = tr_load_mem(t, size, 0), sel = tr_load_mem(t, 2, size);

	switch (t->in.opcode) {
	case 0xc4: seg = SEG_ES; break;
	case 0xc5: seg = SEG_DS; break;
	case 0xb2: seg = SEG_SS; break;
	case 0xb4: seg = SEG_FS; break;
	default: seg = SEG_GS; break;
	}
	seg_load(t, seg, sel, false);
	tr_put_reg(t, size, t->in.reg, off);
}

/* ---- far transfers ---- */

static void far_transfer(struct x86_tr *t, const struct ir_helper *h)
{
	unsigned size = tr_opsize(t);
	ir_val off, sel;

	if (tr_is_mem(t)) {
		off = tr_load_mem(t, size, 0);
		sel = tr_load_mem(t, 2, size);
	} else {
		off = num(t, t->in.imm);
		sel = num(t, t->in.imm2 & 0xffff);
	}
	sel = ir_bini(t->b, IR_OR, 8, ir_zext(t->b, 2, sel), (uint64_t)size << 16);
	ir_call(t->b, h, sel, off, tr_next_pc(t, 8));
	tr_end_state(t);
}

void tr_jmp_far(struct x86_tr *t) { far_transfer(t, &helper_far_jump); }
void tr_call_far(struct x86_tr *t) { far_transfer(t, &helper_far_call); }

void tr_ret_far(struct x86_tr *t)
{
	uint64_t release = t->in.opcode == 0xca ? t->in.imm & 0xffff : 0;

	ir_call(t->b, &helper_far_ret, num(t, tr_opsize(t)), num(t, release), IR_NONE);
	tr_end_state(t);
}

void tr_iret(struct x86_tr *t)
{
	ir_call(t->b, &helper_iret, num(t, tr_opsize(t)), tr_next_pc(t, 8), IR_NONE);
	tr_end_state(t);
}

/* ---- software interrupts ---- */

static void raise_int(struct x86_tr *t, const struct ir_helper *h, uint64_t vector)
{
	ir_call(t->b, h, num(t, vector), num(t, t->in.len), tr_next_pc(t, 8));
	tr_end_state(t); /* but for INT n not reached: delivered as a fault of this instruction */
}

void tr_int3(struct x86_tr *t) { raise_int(t, &helper_int, EXC_BP); }
void tr_int_n(struct x86_tr *t) { raise_int(t, &helper_int_n, t->in.imm & 0xff); }
void tr_int1(struct x86_tr *t) { raise_int(t, &helper_icebp, EXC_DB); }

void tr_into(struct x86_tr *t)
{
	ir_call_if(t->b, ir_cond(t->b, IR_COND_O), &helper_int, num(t, EXC_OF), num(t, t->in.len));
}

/* ---- fast system calls ---- */

static void fast_call(struct x86_tr *t, const struct ir_helper *h, ir_val x)
{
	ir_call(t->b, h, x, IR_NONE, IR_NONE);
	tr_end_state(t);
}

static ir_val exit_size(struct x86_tr *t) { return num(t, t->in.rex & REX_W ? 8 : 4); }

void tr_syscall(struct x86_tr *t) { fast_call(t, &helper_syscall, tr_next_pc(t, 8)); }
void tr_sysret(struct x86_tr *t) { fast_call(t, &helper_sysret, exit_size(t)); }
void tr_sysenter(struct x86_tr *t) { fast_call(t, &helper_sysenter, IR_NONE); }
void tr_sysexit(struct x86_tr *t) { fast_call(t, &helper_sysexit, exit_size(t)); }

/* ---- interrupt flag, halt ---- */

static void call_and_leave(struct x86_tr *t, const struct ir_helper *h)
{
	ir_call(t->b, h, IR_NONE, IR_NONE, IR_NONE);
	tr_end_loop(t);
}

/* The mode is the same with IF clear: go on.  At privilege level 0 IF is the program's own.  A
 * helper, because IF shares its slot with flags that would have to be evaluated. */
void tr_cli(struct x86_tr *t)
{
	ir_call(t->b, tr_cpl(t) ? &helper_cli : &helper_cli_cpl0, IR_NONE, IR_NONE, IR_NONE);
}

/* Where an interrupt waits, the helper sees to it that the block is left here. */
void tr_sti(struct x86_tr *t)
{
	ir_call(t->b, tr_cpl(t) ? &helper_sti : &helper_sti_cpl0, tr_next_pc(t, 8), IR_NONE,
		IR_NONE);
}

void tr_hlt(struct x86_tr *t) { call_and_leave(t, &helper_hlt); }
