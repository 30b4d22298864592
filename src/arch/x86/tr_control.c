/* arch/x86/tr_control.c - near branches, NOPs, hints, fences, undefined (SDM 1 7.3.8).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"

void tr_jcc(struct x86_tr *t)
{
	tr_jump_rel_if(t, ir_cond(t->b, (enum ir_cond)(t->in.opcode & 15)));
}

void tr_jmp(struct x86_tr *t) { tr_jump_rel(t); }

void tr_jmp_ind(struct x86_tr *t)
{
	ir_val target = tr_read(t, 0);

	tr_check_target(t, target);
	tr_jump_to(t, target, IR_BRANCH_JUMP);
}

void tr_call(struct x86_tr *t)
{
	tr_check_rel(t, IR_NONE);
	tr_stack_push(t, t->in.opsize, tr_next_pc(t, t->in.opsize));
	tr_call_rel(t);
}

void tr_call_ind(struct x86_tr *t)
{
	ir_val target = tr_read(t, 0);

	tr_check_target(t, target);
	tr_stack_push(t, t->in.opsize, tr_next_pc(t, t->in.opsize));
	tr_jump_to(t, target, IR_BRANCH_CALL);
}

void tr_ret(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val target = tr_stack_load(t, size, 0);

	tr_check_target(t, target);
	tr_stack_add(t, size + (int64_t)(t->in.imm & 0xffff));
	tr_jump_to(t, target, IR_BRANCH_RET);
}

/* LOOPNE E0, LOOPE E1, LOOP E2: count in rCX of the address size. */
void tr_loop(struct x86_tr *t)
{
	unsigned size = t->in.asize;
	ir_val n = ir_bini(t->b, IR_SUB, size, ir_get(t->b, size, OFS_GPR(RCX)), 1);
	ir_val cond = ir_cmpi(t->b, IR_NE, size, n, 0);

	if (t->in.opcode == 0xe0)
		cond = ir_bin(t->b, IR_AND, 1, cond, ir_cond(t->b, IR_COND_NE));
	if (t->in.opcode == 0xe1)
		cond = ir_bin(t->b, IR_AND, 1, cond, ir_cond(t->b, IR_COND_E));
	tr_check_rel(t, cond);
	tr_put_reg(t, size, RCX, n);
	tr_jump_rel_if(t, cond);
}

void tr_jrcxz(struct x86_tr *t)
{
	unsigned size = t->in.asize;

	tr_jump_rel_if(t, ir_cmpi(t->b, IR_EQ, size, ir_get(t->b, size, OFS_GPR(RCX)), 0));
}

void tr_bound(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val index = tr_read(t, 0);
	ir_val lower = tr_load_mem(t, size, 0), upper = tr_load_mem(t, size, size);
	ir_val below = ir_cmp(t->b, IR_LTS, size, index, lower);

	tr_raise_if(t, ir_bin(t->b, IR_OR, 1, below, ir_cmp(t->b, IR_GTS, size, index, upper)),
		    EXC_BR);
}

void tr_nop(struct x86_tr *t) { (void)t; }

/* Caches are not modelled; the address is checked as for a load. */
void tr_clflush(struct x86_tr *t) { tr_load(t, 1, tr_addr(t, 1, TR_ACCESS_READ), 0); }

enum { FENCE_LOADS = 1, FENCE_STORES = 2, FENCE_ALL = 3 };
void tr_lfence(struct x86_tr *t) { ir_fence(t->b, FENCE_LOADS); }
void tr_sfence(struct x86_tr *t) { ir_fence(t->b, FENCE_STORES); }
void tr_mfence(struct x86_tr *t) { ir_fence(t->b, FENCE_ALL); }

void tr_ud(struct x86_tr *t) { tr_raise(t, EXC_UD); }

/* ---- FPU and vector guards (SDM 3A tables 2-2, 2-3; SDM 2 2.4) ---- */

/* fsw.ES: #MF or FERR# before anything else; it is set in that mode only */
static void check_pending_x87(struct x86_tr *t)
{
	ir_val es;

	if (!(t->mode & MODE_X87_TRAPS))
		return;
	es = ir_bini(t->b, IR_AND, 2, ir_get(t->b, 2, OFS(fsw)), 0x80);
	ir_call_if(t->b, es, &x86_pending_x87_helper, IR_NONE, IR_NONE);
}

bool tr_require_x87(struct x86_tr *t)
{
	if (t->mode & (MODE_EM | MODE_TS)) {
		tr_raise(t, EXC_NM);
		return false;
	}
	if (t->in.row->attrs & ROW_X87)
		check_pending_x87(t);
	return true;
}

bool tr_require_mmx(struct x86_tr *t)
{
	if (t->mode & (MODE_EM | MODE_TS)) {
		tr_raise(t, t->mode & MODE_EM ? EXC_UD : EXC_NM);
		return false;
	}
	check_pending_x87(t);
	return true;
}

bool tr_require_sse(struct x86_tr *t)
{
	if (!(t->mode & MODE_SSE) || t->mode & MODE_TS) {
		tr_raise(t, t->mode & MODE_SSE ? EXC_NM : EXC_UD);
		return false;
	}
	return true;
}

bool tr_require_avx(struct x86_tr *t)
{
	if (!(t->mode & MODE_AVX) || t->mode & MODE_TS) {
		tr_raise(t, t->mode & MODE_AVX ? EXC_NM : EXC_UD);
		return false;
	}
	return true;
}
