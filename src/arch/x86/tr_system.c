/* arch/x86/tr_system.c - translation: descriptor tables, control and debug registers, MSRs,
 * extended state.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/isa_gen.h"
#include "arch/x86/sys.h"
#include "arch/x86/sys_helpers.h"
#include "arch/x86/tr.h"

static ir_val num(struct x86_tr *t, uint64_t v) { return ir_const(t->b, v); }

static ir_val call0(struct x86_tr *t, const struct ir_helper *h)
{
	return ir_call(t->b, h, IR_NONE, IR_NONE, IR_NONE);
}

/* ---- descriptor tables ---- */

/* What CR4.UMIP keeps from user programs. */
static void store_user(struct x86_tr *t)
{
	if (tr_cpl(t))
		call0(t, &helper_umip);
}

void tr_sldt(struct x86_tr *t)
{
	store_user(t);
	tr_write(t, 0, ir_get(t->b, 2, OFS_SEG(SEG_LDT, sel)));
}

void tr_str(struct x86_tr *t)
{
	store_user(t);
	tr_write(t, 0, ir_get(t->b, 2, OFS_SEG(SEG_TR, sel)));
}

void tr_smsw(struct x86_tr *t)
{
	store_user(t);
	tr_write(t, 0, ir_get(t->b, 8, OFS(cr0)));
}

static void store_table(struct x86_tr *t, uint32_t base, uint32_t limit)
{
	store_user(t);
	tr_store_mem(t, 2, 0, ir_get(t->b, 2, limit));
	tr_store_mem(t, tr_is64(t) ? 8 : 4, 2, ir_get(t->b, 8, base));
}

void tr_sgdt(struct x86_tr *t) { store_table(t, OFS(gdtr.base), OFS(gdtr.limit)); }
void tr_sidt(struct x86_tr *t) { store_table(t, OFS(idtr.base), OFS(idtr.limit)); }

static void load_table(struct x86_tr *t, const struct ir_helper *h)
{
	ir_val limit = tr_load_mem(t, 2, 0);
	ir_val base = tr_load_mem(t, tr_is64(t) ? 8 : 4, 2);

	if (!tr_is64(t) && tr_opsize(t) == 2)
		base = ir_bini(t->b, IR_AND, 4, base, 0xffffff);
	ir_call(t->b, h, base, limit, IR_NONE);
}

void tr_lgdt(struct x86_tr *t) { load_table(t, &helper_lgdt); }
void tr_lidt(struct x86_tr *t) { load_table(t, &helper_lidt); }

static void load_selector(struct x86_tr *t, const struct ir_helper *h)
{
	ir_call(t->b, h, ir_zext(t->b, 2, tr_read(t, 0)), IR_NONE, IR_NONE);
}

void tr_lldt(struct x86_tr *t) { load_selector(t, &helper_lldt); }
void tr_ltr(struct x86_tr *t) { load_selector(t, &helper_ltr); }

/* ZF := 0 or 1. */
static void put_zf(struct x86_tr *t, ir_val ok)
{
	ir_val bits = ir_lea(t->b, 8, IR_NONE, ok, 3, 0);

	bits = ir_lea(t->b, 8, IR_NONE, bits, 3, 0); /* bit 6 */
	ir_flags_set_masked(t->b, ir_flags_of(t->b, bits), IR_Z);
}

static void ask_descriptor(struct x86_tr *t, const struct ir_helper *h)
{
	ir_val r = ir_call(t->b, h, ir_zext(t->b, 2, tr_read(t, 1)), IR_NONE, IR_NONE);
	ir_val ok = ir_cmpi(t->b, IR_NE, 8, r, 0);
	ir_val old = tr_read(t, 0);

	/* an unchanged 32-bit destination keeps its upper half */
	if (tr_opsize(t) == 4)
		ir_put(t->b, 8, OFS_GPR(t->in.reg),
		       ir_select(t->b, ok, ir_zext(t->b, 4, r),
				 ir_get(t->b, 8, OFS_GPR(t->in.reg))));
	else
		tr_write(t, 0, ir_select(t->b, ok, ir_zext(t->b, 4, r), old));
	put_zf(t, ok);
}

void tr_lar(struct x86_tr *t) { ask_descriptor(t, &helper_lar); }
void tr_lsl(struct x86_tr *t) { ask_descriptor(t, &helper_lsl); }

static void verify(struct x86_tr *t, bool is_write)
{
	put_zf(t, ir_call(t->b, &helper_ver, ir_zext(t->b, 2, tr_read(t, 0)), num(t, is_write),
			  IR_NONE));
}

void tr_verr(struct x86_tr *t) { verify(t, false); }
void tr_verw(struct x86_tr *t) { verify(t, true); }

void tr_arpl(struct x86_tr *t)
{
	ir_val dst = tr_read_rmw(t, 0);
	ir_val rpl = ir_bini(t->b, IR_AND, 2, tr_read(t, 1), 3);
	ir_val low = ir_cmp(t->b, IR_LTU, 2, ir_bini(t->b, IR_AND, 2, dst, 3), rpl);
	ir_val raised = ir_bin(t->b, IR_OR, 2, ir_bini(t->b, IR_AND, 2, dst, 0xfffc), rpl);

	tr_write(t, 0, ir_select(t->b, low, raised, dst));
	put_zf(t, low);
}

/* ---- control and debug registers ---- */

void tr_lmsw(struct x86_tr *t)
{
	load_selector(t, &helper_lmsw);
	tr_end_loop(t);
}

void tr_clts(struct x86_tr *t)
{
	call0(t, &helper_clts);
	tr_end_loop(t);
}

void tr_wbinvd(struct x86_tr *t) { (void)t; } /* caches are coherent and not modelled */

static unsigned register_size(const struct x86_tr *t) { return tr_is64(t) ? 8 : 4; }

static void read_register(struct x86_tr *t, const struct ir_helper *h)
{
	ir_val v = ir_call(t->b, h, num(t, t->in.reg), IR_NONE, IR_NONE);

	tr_put_reg(t, register_size(t), t->in.rm, v);
}

static void write_register(struct x86_tr *t, const struct ir_helper *h)
{
	ir_val v = tr_get_reg(t, register_size(t), t->in.rm);

	ir_call(t->b, h, num(t, t->in.reg), v, IR_NONE);
	tr_end_loop(t);
}

void tr_mov_from_cr(struct x86_tr *t)
{
	static const uint32_t plain[] = {
		[0] = OFS(cr0), [2] = OFS(cr2), [3] = OFS(cr3), [4] = OFS(cr4)
	};
	unsigned n = t->in.reg;

	if (n < ARRAY_SIZE(plain) && plain[n])
		tr_put_reg(t, register_size(t), t->in.rm, ir_get(t->b, register_size(t), plain[n]));
	else
		read_register(t, &helper_cr_read);
}

void tr_mov_from_dr(struct x86_tr *t) { read_register(t, &helper_dr_read); }
void tr_mov_to_cr(struct x86_tr *t) { write_register(t, &helper_cr_write); }
void tr_mov_to_dr(struct x86_tr *t) { write_register(t, &helper_dr_write); }

/* No segment or paging check is made on INVLPG's address. */
void tr_invlpg(struct x86_tr *t)
{
	ir_val addr = tr_ea(t);
	unsigned seg = t->in.seg;

	if (!tr_is64(t) || seg == SEG_FS || seg == SEG_GS) {
		addr = ir_bin(t->b, IR_ADD, 8, addr, ir_get(t->b, 8, OFS_SEG(seg, base)));
		if (!tr_is64(t))
			addr = ir_zext(t->b, 4, addr);
	}
	ir_call(t->b, &helper_invlpg, addr, IR_NONE, IR_NONE);
	tr_end_loop(t);
}

static ir_val operand_address(struct x86_tr *t, unsigned size, enum tr_access access)
{
	return tr_place_value(t, tr_addr(t, size, access));
}

void tr_invpcid(struct x86_tr *t)
{
	ir_val addr = operand_address(t, 16, TR_ACCESS_READ);

	ir_call(t->b, &helper_invpcid, tr_get_reg(t, register_size(t), t->in.reg), addr, IR_NONE);
	tr_end_loop(t);
}

/* What follows is the same code, in another view of memory. */
static void alignment_check(struct x86_tr *t, const struct ir_helper h[2])
{
	if (tr_cpl(t))
		tr_ud(t);
	else
		call0(t, &h[t->mode & MODE_SMAP ? 1 : 0]);
}

void tr_clac(struct x86_tr *t) { alignment_check(t, helper_clac); }
void tr_stac(struct x86_tr *t) { alignment_check(t, helper_stac); }

/* ---- MSRs, time, identification ---- */

/* The helper sees to it that the block is left where the mode or what waits may have changed. */
void tr_wrmsr(struct x86_tr *t) { call0(t, &helper_wrmsr); }
void tr_rdmsr(struct x86_tr *t) { call0(t, &helper_rdmsr); }

/* CR4.TSD is not part of the mode. */
void tr_rdtsc(struct x86_tr *t)
{
	ir_val v;

	if (tr_cpl(t)) {
		v = ir_bini(t->b, IR_AND, 4, ir_get(t->b, 4, OFS(cr4)), CR4_TSD);
		tr_raise_code_if(t, ir_cmpi(t->b, IR_NE, 4, v, 0), EXC_GP, 0);
	}
	v = call0(t, &helper_tsc);
	tr_put_reg(t, 4, RAX, v);
	tr_put_reg(t, 4, RDX, ir_bini(t->b, IR_SHR, 8, v, 32));
}

void tr_rdtscp(struct x86_tr *t)
{
	tr_rdtsc(t);
	tr_put_reg(t, 4, RCX, ir_get(t->b, 4, OFS(msr_tsc_aux)));
}

void tr_rdpmc(struct x86_tr *t) { call0(t, &helper_rdpmc); }
void tr_cpuid(struct x86_tr *t) { call0(t, &helper_cpuid); }

/* In 64-bit mode only, at privilege level 0: both by the table's row. */
void tr_swapgs(struct x86_tr *t)
{
	ir_val base = ir_get(t->b, 8, OFS_SEG(SEG_GS, base));
	ir_val other = ir_get(t->b, 8, OFS(msr_kernel_gs_base));

	ir_put(t->b, 8, OFS_SEG(SEG_GS, base), other);
	ir_put(t->b, 8, OFS(msr_kernel_gs_base), base);
}

static unsigned base_seg(const struct x86_tr *t) { return t->in.modrm >> 3 & 1 ? SEG_GS : SEG_FS; }

/* CR4.FSGSBASE is not part of the mode. */
static void require_fsgsbase(struct x86_tr *t)
{
	ir_val on = ir_bini(t->b, IR_AND, 4, ir_get(t->b, 4, OFS(cr4)), CR4_FSGSBASE);

	tr_raise_if(t, ir_cmpi(t->b, IR_EQ, 4, on, 0), EXC_UD);
}

void tr_rdsegbase(struct x86_tr *t)
{
	require_fsgsbase(t);
	tr_write(t, 0, ir_get(t->b, 8, OFS_SEG(base_seg(t), base)));
}

void tr_wrsegbase(struct x86_tr *t)
{
	ir_val v = ir_zext(t->b, tr_size(t, 0), tr_read(t, 0));

	require_fsgsbase(t);
	tr_check_target(t, v); /* canonical, as RIP must be */
	ir_put(t->b, 8, OFS_SEG(base_seg(t), base), v);
}

/* ---- extended state ---- */

static ir_val rex_w(struct x86_tr *t) { return num(t, t->in.rex & REX_W ? 1 : 0); }

static void fx_state(struct x86_tr *t, const struct ir_helper *h, enum tr_access access)
{
	if (t->mode & MODE_NO_FPU)
		tr_raise(t, EXC_NM);
	else
		ir_call(t->b, h, operand_address(t, 512, access), rex_w(t), IR_NONE);
}

void tr_fxsave(struct x86_tr *t) { fx_state(t, &helper_fxsave, TR_ACCESS_WRITE); }
/* The control words may make it another mode. */
void tr_fxrstor(struct x86_tr *t)
{
	fx_state(t, &helper_fxrstor, TR_ACCESS_READ);
	t->ends_after = true;
}

static void x_state(struct x86_tr *t, const struct ir_helper *h, enum tr_access access,
		    unsigned kind)
{
	if (t->mode & MODE_TS)
		tr_raise(t, EXC_NM);
	else
		ir_call(t->b, h, operand_address(t, 576, access), rex_w(t), num(t, kind));
}

void tr_xsave(struct x86_tr *t)
{
	unsigned kind = XSAVE_PLAIN;

	if (t->in.opcode == 0xc7)
		kind = XSAVE_COMPACT;
	else if ((t->in.modrm >> 3 & 7) == 6)
		kind = XSAVE_OPT;
	x_state(t, &helper_xsave, TR_ACCESS_WRITE, kind);
}

void tr_xrstor(struct x86_tr *t)
{
	x_state(t, &helper_xrstor, TR_ACCESS_READ, 0);
	t->ends_after = true;
}
void tr_xgetbv(struct x86_tr *t) { call0(t, &helper_xgetbv); }

void tr_xsetbv(struct x86_tr *t)
{
	call0(t, &helper_xsetbv);
	tr_end_loop(t);
}
