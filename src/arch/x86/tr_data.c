/* arch/x86/tr_data.c - data transfer and flag control (SDM 1 7.3.1, 7.3.13).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"

void tr_mov(struct x86_tr *t)
{
	bool has_imm = t->in.row->attrs & ROW_IMM;
	uint64_t imm;

	if (has_imm && !tr_is_mem(t) && tr_size(t, 0) == 4 && tr_imm(t, 1, &imm))
		tr_write(t, 0, ir_const(t->b, (uint32_t)imm));
	else
		tr_write(t, 0, tr_read_low(t, 1));
}

void tr_mov_from_seg(struct x86_tr *t)
{
	if ((t->in.reg & 7) > SEG_GS)
		tr_ud(t);
	else
		tr_write(t, 0, tr_read(t, 1));
}

void tr_lea(struct x86_tr *t) { tr_write(t, 0, tr_ea(t)); }

/* With memory the bus is locked whatever prefixes say. */
void tr_xchg(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val b = tr_read(t, 1), a;

	if (tr_is_mem(t)) {
		a = ir_atomic(t->b, IR_ATOMIC_XCHG, size, tr_lock_addr(t, size), b, IR_NONE);
	} else {
		a = tr_read(t, 0);
		tr_write(t, 0, b);
	}
	tr_write(t, 1, a);
}

void tr_xchg_reg(struct x86_tr *t)
{
	ir_val a = tr_read(t, 0), b = tr_read(t, 1);

	tr_write(t, 0, b);
	tr_write(t, 1, a);
}

/* 90H is no operation (F3: PAUSE), but with REX.B it exchanges r8 and rAX. */
void tr_nop90(struct x86_tr *t)
{
	unsigned size = t->in.opsize;
	ir_val a, b;

	if (!(t->in.rex & REX_B))
		return;
	a = tr_get_reg(t, size, RAX);
	b = tr_get_reg(t, size, R8);
	tr_put_reg(t, size, RAX, b);
	tr_put_reg(t, size, R8, a);
}

void tr_movzx(struct x86_tr *t) { tr_write(t, 0, tr_read(t, 1)); }

void tr_movsx(struct x86_tr *t)
{
	tr_write(t, 0, ir_sext(t->b, tr_size(t, 1), tr_size(t, 0), tr_read_low(t, 1)));
}

void tr_cmov(struct x86_tr *t)
{
	ir_val v = tr_read(t, 1), old = tr_read(t, 0);
	ir_val cond = ir_cond(t->b, (enum ir_cond)(t->in.opcode & 15));

	tr_write(t, 0, ir_select(t->b, cond, v, old));
}

/* Of 16 bits (undefined) processors make 0. */
void tr_bswap(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);

	if (size == 2)
		tr_write(t, 0, ir_const(t->b, 0));
	else
		tr_write(t, 0, ir_un(t->b, IR_BSWAP, size, tr_read(t, 0)));
}

void tr_movbe(struct x86_tr *t)
{
	tr_write(t, 0, ir_un(t->b, IR_BSWAP, tr_size(t, 0), tr_read(t, 1)));
}

void tr_xadd(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val b = tr_read(t, 1), a, sum;

	if (tr_locked(t)) {
		a = ir_atomic(t->b, IR_ATOMIC_ADD, size, tr_lock_addr(t, size), b, IR_NONE);
		sum = ir_bin(t->b, IR_ADD, size, a, b);
		tr_write(t, 1, a);
	} else {
		a = tr_read_rmw(t, 0);
		sum = ir_bin(t->b, IR_ADD, size, a, b);
		if (tr_is_mem(t)) {
			tr_write(t, 0, sum);
			tr_write(t, 1, a);
		} else {
			tr_write(t, 1, a);
			tr_write(t, 0, sum);
		}
	}
	ir_flags_set(t->b, sum);
}

/* ---- compare and exchange ---- */

/* rAX (32 bits: all of RAX) := old, unless equal. */
static void put_accumulator(struct x86_tr *t, unsigned size, unsigned reg, ir_val equal, ir_val old)
{
	ir_val full = ir_get(t->b, 8, OFS_GPR(reg));
	ir_val v = ir_select(t->b, equal, full, ir_zext(t->b, size, old));

	if (size == 4)
		ir_put(t->b, 8, OFS_GPR(reg), v);
	else
		tr_put_reg(t, size, reg, v);
}

void tr_cmpxchg(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val acc = ir_get(t->b, size, OFS_GPR(RAX)), src = tr_read(t, 1), old, equal;

	if (tr_locked(t)) {
		old = ir_atomic(t->b, IR_ATOMIC_CAS, size, tr_lock_addr(t, size), acc, src);
		equal = ir_cmp(t->b, IR_EQ, size, old, acc);
		put_accumulator(t, size, RAX, equal, old);
	} else {
		old = tr_read_rmw(t, 0);
		equal = ir_cmp(t->b, IR_EQ, size, old, acc);
		if (!tr_is_mem(t))
			put_accumulator(t, size, RAX, equal, old);
		tr_write(t, 0, ir_select(t->b, equal, src, old));
		if (tr_is_mem(t))
			put_accumulator(t, size, RAX, equal, old);
	}
	ir_flags_set(t->b, ir_bin(t->b, IR_SUB, size, acc, old));
}

static ir_val pair(struct x86_tr *t, unsigned hi, unsigned lo)
{
	ir_val h = ir_bini(t->b, IR_SHL, 8, ir_get(t->b, 4, OFS_GPR(hi)), 32);

	return ir_bin(t->b, IR_OR, 8, h, ir_get(t->b, 4, OFS_GPR(lo)));
}

void tr_cmpxchg8b(struct x86_tr *t)
{
	ir_val want = pair(t, RDX, RAX), src = pair(t, RCX, RBX);
	ir_val old = ir_atomic(t->b, IR_ATOMIC_CAS, 8, tr_lock_addr(t, 8), want, src);
	ir_val equal = ir_cmp(t->b, IR_EQ, 8, old, want);
	ir_val zf = ir_bini(t->b, IR_SHL, 4, equal, 6);

	put_accumulator(t, 4, RAX, equal, old);
	put_accumulator(t, 4, RDX, equal, ir_bini(t->b, IR_SHR, 8, old, 32));
	ir_flags_set_masked(t->b, ir_flags_of(t->b, zf), IR_Z);
}

void tr_cmpxchg16b(struct x86_tr *t)
{
	struct tr_place p = tr_addr(t, 16, TR_ACCESS_RMW);
	ir_val equal;

	tr_check_aligned(t, p, 16, EXC_GP);
	equal = ir_call(t->b, &x86_cmpxchg16b_helper, tr_place_value(t, p), IR_NONE, IR_NONE);
	ir_flags_set_masked(t->b, ir_flags_of(t->b, ir_bini(t->b, IR_SHL, 4, equal, 6)), IR_Z);
}

/* AL := [seg:rBX + AL] */
void tr_xlat(struct x86_tr *t)
{
	unsigned asize = t->in.asize;
	ir_val al = ir_get(t->b, 1, OFS_GPR(RAX));
	ir_val ea = ir_lea(t->b, asize, ir_get(t->b, asize, OFS_GPR(RBX)), al, 0, 0);
	struct tr_place p = tr_linear(t, t->in.seg, ea, 1, TR_ACCESS_READ);

	tr_put_reg(t, 1, RAX, tr_load(t, 1, p, 0));
}

/* C: there was a number (always). */
void tr_rdrand(struct x86_tr *t)
{
	tr_write(t, 0, ir_call(t->b, &x86_random_helper, IR_NONE, IR_NONE, IR_NONE));
	ir_flags_set(t->b, ir_flags_of(t->b, ir_const(t->b, IR_C)));
}

void tr_rdseed(struct x86_tr *t) { tr_rdrand(t); }

void tr_rdpid(struct x86_tr *t)
{
	ir_put(t->b, 8, OFS_GPR(t->in.rm), ir_get(t->b, 8, OFS(msr_tsc_aux)));
}

/* ---- flags ---- */

enum { AH_FLAGS = IR_S | IR_Z | IR_A | IR_P | IR_C };

void tr_sahf(struct x86_tr *t)
{
	ir_val ah = ir_get(t->b, 1, OFS_GPR(RAX) + 1);

	ir_flags_set_masked(t->b, ir_flags_of(t->b, ah), AH_FLAGS);
}

void tr_lahf(struct x86_tr *t)
{
	ir_val bits = ir_bini(t->b, IR_AND, 4, ir_flags_to(t->b, ir_flags(t->b)), AH_FLAGS);

	ir_put(t->b, 1, OFS_GPR(RAX) + 1, ir_bini(t->b, IR_OR, 4, bits, FL_ONE));
}

static void set_carry(struct x86_tr *t, ir_val bits)
{
	ir_flags_set_masked(t->b, ir_flags_of(t->b, bits), IR_C);
}

void tr_clc(struct x86_tr *t) { set_carry(t, ir_const(t->b, 0)); }
void tr_stc(struct x86_tr *t) { set_carry(t, ir_const(t->b, IR_C)); }

void tr_cmc(struct x86_tr *t)
{
	ir_val bits = ir_flags_to(t->b, ir_flags(t->b));

	set_carry(t, ir_bini(t->b, IR_XOR, 4, bits, IR_C));
}

/* DF is part of the mode: most often it is so already. */
static void set_direction(struct x86_tr *t, bool down)
{
	if (down == !!(t->mode & MODE_DF))
		return;
	ir_call(t->b, &x86_direction_helper, ir_const(t->b, down), IR_NONE, IR_NONE);
	tr_end_loop(t);
}

void tr_cld(struct x86_tr *t) { set_direction(t, false); }
void tr_std(struct x86_tr *t) { set_direction(t, true); }

/* AL := carry ? FFH : 0 (undocumented before 2023, SDM 2 "SALC" in opcode map only). */
void tr_salc(struct x86_tr *t)
{
	ir_put(t->b, 1, OFS_GPR(RAX), ir_un(t->b, IR_NEG, 1, ir_cond(t->b, IR_COND_B)));
}
