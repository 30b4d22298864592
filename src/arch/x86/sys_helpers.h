/* arch/x86/sys_helpers.h - what system instructions do at run time; called from IR (tr_system.c,
 * tr_far.c).
 * SPDX-License-Identifier: MIT */
#pragma once

#include "jit/ir.h"

/* Segments: a: selector, b: enum x86_seg_id, c: 1 when an interrupt shadow follows (MOV/POP SS). */
extern const struct ir_helper helper_seg_load;
/* a: selector | operand size << 16, b: offset, c: next RIP. */
extern const struct ir_helper helper_far_jump, helper_far_call;
extern const struct ir_helper helper_far_ret;  /* a: operand size, b: bytes to release */
extern const struct ir_helper helper_iret;     /* a: operand size, b: next RIP */
extern const struct ir_helper helper_syscall;  /* a: next RIP */
extern const struct ir_helper helper_sysret;   /* a: operand size */
extern const struct ir_helper helper_sysenter; /* - */
extern const struct ir_helper helper_sysexit;  /* a: operand size */
extern const struct ir_helper helper_int;      /* a: vector, b: length */
extern const struct ir_helper helper_icebp;
extern const struct ir_helper helper_int_n; /* a: vector, b: length, c: next RIP */
extern const struct ir_helper helper_cli, helper_hlt;
extern const struct ir_helper helper_sti;                       /* a: next RIP */
extern const struct ir_helper helper_cli_cpl0, helper_sti_cpl0; /* the same at CPL 0 */

extern const struct ir_helper helper_umip; /* #GP(0) if CR4.UMIP keeps this from users */
extern const struct ir_helper helper_lldt, helper_ltr;  /* a: selector */
extern const struct ir_helper helper_lgdt, helper_lidt; /* a: base, b: limit */
extern const struct ir_helper helper_lar, helper_lsl;   /* a: selector; value | BIT(32) if valid */
extern const struct ir_helper helper_ver;               /* a: selector, b: 1 for VERW; 0 or 1 */
extern const struct ir_helper helper_lmsw, helper_clts;
extern const struct ir_helper helper_invlpg;  /* a: linear address */
extern const struct ir_helper helper_invpcid; /* a: type, b: linear address of the descriptor */
extern const struct ir_helper helper_cr_read, helper_dr_read;   /* a: number */
extern const struct ir_helper helper_cr_write, helper_dr_write; /* a: number, b: value */
/* [CR4.SMAP] */
extern const struct ir_helper helper_clac[2], helper_stac[2];
extern const struct ir_helper helper_rdmsr, helper_wrmsr, helper_rdpmc, helper_cpuid;
extern const struct ir_helper helper_tsc;                    /* IA32_TIME_STAMP_COUNTER */
extern const struct ir_helper helper_fxsave, helper_fxrstor; /* a: linear address, b: REX.W */
/* a: linear address, b: REX.W, c: enum x86_xsave_kind */
extern const struct ir_helper helper_xsave, helper_xrstor;
extern const struct ir_helper helper_xgetbv, helper_xsetbv;
extern const struct ir_helper helper_step_begin;
