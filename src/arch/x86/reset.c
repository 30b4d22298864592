/* arch/x86/reset.c - power-up, RESET and INIT states (SDM 3A table 9-1).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"
#include "base/log.h"

static void reset_segments(struct x86_cpu *c)
{
	const unsigned data = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW | SEG_ATTR_A;

	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		c->seg[i] = (struct x86_seg){ .attr = (uint16_t)data, .limit = 0xffff };
	c->seg[SEG_CS] = (struct x86_seg){
		.sel = 0xf000,
		.attr = (uint16_t)(data | SEG_ATTR_CODE),
		.limit = 0xffff,
		.base = 0xffff0000,
	};
	c->seg[SEG_LDT] = (struct x86_seg){ .attr = SEG_ATTR_P | SYS_LDT, .limit = 0xffff };
	c->seg[SEG_TR] = (struct x86_seg){ .attr = SEG_ATTR_P | SYS_TSS32_BUSY, .limit = 0xffff };
	c->gdtr = c->idtr = (struct x86_table){ .limit = 0xffff };
}

static void reset_registers(struct x86_cpu *c)
{
	memset(c->gpr, 0, sizeof(c->gpr));
	c->gpr[RDX] = c->feat->signature;
	c->rflags = FL_ONE;
	c->env.pc = 0xfff0;
	c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
	memset(c->pdpte, 0, sizeof(c->pdpte));
	memset(c->dr, 0, sizeof(c->dr));
	c->dr[6] = 0xffff0ff0;
	c->dr[7] = 0x400;
	reset_segments(c);
	memset(&c->exc, 0, sizeof(c->exc));
	memset(&c->taken, 0, sizeof(c->taken));
	c->env.fault = 0;
	c->in_shadow = c->shadow_is_mov_ss = c->nmi_blocked = false;
	c->step_armed = c->noncanonical = c->is_halted = c->is_shut_down = false;
	c->pending_db = 0;
	c->rep.is_open = false;
}

/* The boot processor runs, the others wait for a start-up IPI. */
static void reset_run_state(struct x86_cpu *c)
{
	c->wait_sipi = c->vcpu->id != 0;
	c->vcpu->is_halted = c->wait_sipi;
	x86_mode_update(c);
	x86_tlb_flush(c, false);
}

static void reset_msrs(struct x86_cpu *c)
{
	c->msr_star = c->msr_lstar = c->msr_cstar = c->msr_fmask = c->msr_kernel_gs_base = 0;
	c->msr_sysenter_cs = c->msr_sysenter_esp = c->msr_sysenter_eip = 0;
	c->msr_pat = UINT64_C(0x0007040600070406);
	c->msr_misc_enable = 1; /* fast strings */
	c->msr_tsc_aux = c->msr_mtrr_def_type = c->msr_spec_ctrl = 0;
	memset(c->msr_mtrr_fixed, 0, sizeof(c->msr_mtrr_fixed));
	memset(c->msr_mtrr_phys, 0, sizeof(c->msr_mtrr_phys));
	c->msr_mcg_status = c->msr_mcg_ctl = c->msr_tsc_adjust = c->msr_debugctl = c->msr_xss = 0;
	c->msr_kvm_wall_clock = c->msr_kvm_system_time = 0;
	c->tsc_offset = c->tsc_reset_offset;
}

void x86_reset(struct x86_cpu *c)
{
	if (log_on(LOG_CPU_RESET))
		log_line("cpu %u: reset", c->vcpu->id);
	c->cr0 = CR0_CD | CR0_NW | CR0_ET;
	reset_registers(c);
	reset_msrs(c);
	c->xcr0 = XCR0_X87;
	x86_xstate_init(c, XCR0_X87 | XCR0_SSE | XCR0_AVX);
	c->fcw = 0x40; /* RESET, unlike FNINIT, leaves exceptions unmasked (table 9-1) */
	c->ftag = 0xff;
	c->mxcsr_mask = 0xffff;
	reset_run_state(c);
}

/* INIT keeps caches, FPU and vector state and most MSRs; CR0.CD and NW stay. */
void x86_init_signal(struct x86_cpu *c)
{
	const struct vcpu_intc_ops *ops = c->vcpu->intc_ops;

	if (log_on(LOG_CPU_RESET))
		log_line("cpu %u: init", c->vcpu->id);
	c->cr0 = (c->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
	reset_registers(c);
	if (ops && ops->init)
		ops->init(c->vcpu->intc);
	reset_run_state(c);
}
