/* arch/x86/state.h - the architectural state of one x86 vCPU, in one fixed struct.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "jit/env.h"

struct vcpu;
struct x86_model;

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum x86_seg_id { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDT, SEG_TR, SEG_COUNT };

/* RFLAGS (SDM 1 3.4.3). */
enum {
	FL_CF = 1u << 0,
	FL_ONE = 1u << 1,
	FL_PF = 1u << 2,
	FL_AF = 1u << 4,
	FL_ZF = 1u << 6,
	FL_SF = 1u << 7,
	FL_TF = 1u << 8,
	FL_IF = 1u << 9,
	FL_DF = 1u << 10,
	FL_OF = 1u << 11,
	FL_IOPL = 3u << 12,
	FL_NT = 1u << 14,
	FL_RF = 1u << 16,
	FL_VM = 1u << 17,
	FL_AC = 1u << 18,
	FL_VIF = 1u << 19,
	FL_VIP = 1u << 20,
	FL_ID = 1u << 21,
};
/* Control registers (SDM 3A 2.5). */
enum {
	CR0_PE = 1u << 0,
	CR0_MP = 1u << 1,
	CR0_EM = 1u << 2,
	CR0_TS = 1u << 3,
	CR0_ET = 1u << 4,
	CR0_NE = 1u << 5,
	CR0_WP = 1u << 16,
	CR0_AM = 1u << 18,
	CR0_NW = 1u << 29,
	CR0_CD = 1u << 30,
	CR0_PG = 1u << 31,
};
enum {
	CR4_VME = 1u << 0,
	CR4_PVI = 1u << 1,
	CR4_TSD = 1u << 2,
	CR4_DE = 1u << 3,
	CR4_PSE = 1u << 4,
	CR4_PAE = 1u << 5,
	CR4_MCE = 1u << 6,
	CR4_PGE = 1u << 7,
	CR4_PCE = 1u << 8,
	CR4_OSFXSR = 1u << 9,
	CR4_OSXMMEXCPT = 1u << 10,
	CR4_UMIP = 1u << 11,
	CR4_LA57 = 1u << 12,
	CR4_FSGSBASE = 1u << 16,
	CR4_PCIDE = 1u << 17,
	CR4_OSXSAVE = 1u << 18,
	CR4_SMEP = 1u << 20,
	CR4_SMAP = 1u << 21,
	CR4_PKE = 1u << 22,
};
enum { EFER_SCE = 1u << 0, EFER_LME = 1u << 8, EFER_LMA = 1u << 10, EFER_NXE = 1u << 11 };

/* Exceptions (SDM 3A 6.3.1). */
enum x86_vector {
	EXC_DE = 0,
	EXC_DB = 1,
	EXC_NMI = 2,
	EXC_BP = 3,
	EXC_OF = 4,
	EXC_BR = 5,
	EXC_UD = 6,
	EXC_NM = 7,
	EXC_DF = 8,
	EXC_TS = 10,
	EXC_NP = 11,
	EXC_SS = 12,
	EXC_GP = 13,
	EXC_PF = 14,
	EXC_MF = 16,
	EXC_AC = 17,
	EXC_MC = 18,
	EXC_XM = 19,
};

/* A segment register with its hidden part.  attr: bits 8-23 of the descriptor's high dword, as in
 * the descriptor (type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15). */
struct x86_seg {
	uint16_t sel;
	uint16_t attr;
	uint32_t limit; /* in bytes, granularity applied */
	uint64_t base;
};
enum {
	SEG_ATTR_TYPE = 0xf,
	SEG_ATTR_A = 1u << 0,
	SEG_ATTR_RW = 1u << 1,
	SEG_ATTR_DC = 1u << 2,
	SEG_ATTR_CODE = 1u << 3,
	SEG_ATTR_S = 1u << 4,
	SEG_ATTR_DPL_SHIFT = 5,
	SEG_ATTR_P = 1u << 7,
	SEG_ATTR_AVL = 1u << 12,
	SEG_ATTR_L = 1u << 13,
	SEG_ATTR_DB = 1u << 14,
	SEG_ATTR_G = 1u << 15,
};
struct x86_table { /* GDTR, IDTR */
	uint64_t base;
	uint16_t limit;
};

/* Views of memory: who is accessing (index of env.tlb[]). */
enum {
	VIEW_USER,      /* CPL 3 */
	VIEW_KERNEL,    /* CPL 0-2; with CR4.SMAP: EFLAGS.AC = 0, or an implicit access */
	VIEW_KERNEL_AC, /* CPL 0-2 with EFLAGS.AC = 1 under CR4.SMAP */
};

/* The mode word: everything a translation depends on besides its bytes.  EFLAGS.AC is not part of
 * it at CPL 0-2: code there is the same in either view of memory.  Kept up to date by
 * x86_mode_update(), which every change of its ingredients must call.  Bits 32-63 hold EIP when not
 * in 64-bit mode (translations are position-independent only there). */
enum {
	MODE_CODE64 = 1u << 0,  /* CS.L in long mode */
	MODE_CODE32 = 1u << 1,  /* CS.D */
	MODE_STACK32 = 1u << 2, /* SS.B */
	MODE_PE = 1u << 3,
	MODE_VM86 = 1u << 4,
	MODE_CPL_SHIFT = 5,       /* 2 bits */
	MODE_FLAT_DATA = 1u << 7, /* DS, ES, SS: base 0, limit 4 GiB, writable, present */
	MODE_FLAT_CODE = 1u << 8, /* CS: base 0, limit 4 GiB */
	MODE_STEP = 1u << 9,      /* one instruction per block: TF, interrupt shadow, debugger */
	MODE_NO_FPU = 1u << 10, /* CR0.EM or CR0.TS: x87/MMX instructions raise #NM (EM: MMX #UD) */
	MODE_EM = 1u << 11,     /* CR0.EM */
	MODE_TS = 1u << 12,     /* CR0.TS */
	MODE_MP = 1u << 13,     /* CR0.MP */
	MODE_SSE = 1u << 14,    /* CR4.OSFXSR and not CR0.EM */
	MODE_AVX = 1u << 15,    /* CR4.OSXSAVE and XCR0 has SSE and AVX */
	MODE_LMA = 1u << 16,    /* EFER.LMA: compatibility mode when not CODE64 */
	MODE_SMAP = 1u << 17,   /* CR4.SMAP */
	MODE_CODE_BREAK = 1u << 19, /* an instruction breakpoint is armed in DR7 */
	MODE_ALIGN = 1u << 20, /* CR0.AM, EFLAGS.AC, CPL 3: misaligned data accesses raise #AC */
	MODE_DATA_BREAK = 1u << 21, /* a data or I/O breakpoint is armed in DR7 */
	MODE_SSE_TRAPS = 1u << 22,  /* MXCSR leaves an exception unmasked */
	/* FCW leaves an exception unmasked, or each instruction's opcode is to be kept: x87
	 * instructions must be done by their semantics, not by the host. */
	MODE_X87_TRAPS = 1u << 23,
	MODE_DF = 1u << 24, /* EFLAGS.DF: strings go down */
};

struct x86_f80 { /* one x87/MMX register in its XSAVE slot */
	uint64_t frac;
	uint16_t sexp;
	uint16_t pad[3];
};

enum { X86_WALKS = 32 };

struct x86_cpu {
	/* First: executors see only this, and the registers behind it; env.pc is RIP, env.mode the
	 * mode word. */
	struct jit_env env;
	uint64_t gpr[16];
	struct vcpu *vcpu;
	uint32_t rflags; /* real flags at block boundaries and wherever a helper asks for them */
	struct x86_seg seg[SEG_COUNT];
	struct x86_table gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, xcr0, efer; /* CR8 lives in the local APIC */
	uint64_t dr[8];                          /* 4 and 5 unused */

	/* x87, MMX (SDM 1 ch. 8).  Register i of the stack is fpr[(top + i) & 7]; MMi is fpr[i]. */
	struct x86_f80 fpr[8];
	uint16_t fcw, fsw; /* fsw without TOP */
	uint8_t ftop;      /* 0-7 */
	uint8_t ftag;      /* a bit per physical register: 1 = not empty */
	uint16_t fop;      /* last instruction, data pointers */
	uint16_t fcs, fds;
	uint64_t fip, fdp;

	uint32_t mxcsr, mxcsr_mask;
	uint8_t ymm[16][32] __attribute__((aligned(32)));
	/* Memory operands of vector instructions. */
	uint8_t vtmp[2][64] __attribute__((aligned(64)));

	/* MSRs that are plain storage; the rest are computed (msr.c) */
	uint64_t msr_star, msr_lstar, msr_cstar, msr_fmask, msr_kernel_gs_base;
	uint64_t msr_sysenter_cs, msr_sysenter_esp, msr_sysenter_eip;
	uint64_t msr_pat, msr_misc_enable, msr_tsc_aux, msr_mtrr_def_type, msr_spec_ctrl;
	uint64_t msr_mtrr_fixed[11], msr_mtrr_phys[16]; /* base, mask pairs */
	uint64_t msr_kvm_wall_clock, msr_kvm_system_time;
	uint64_t msr_mcg_status, msr_mcg_ctl, msr_tsc_adjust, msr_debugctl, msr_xss;
	int64_t tsc_offset; /* added to the cycle count */
	/* const after attach: the cycle count, and how many a millisecond has; NULL: the machine's
	 * clock in ns */
	uint64_t (*tsc_count)(const struct x86_cpu *c);
	uint32_t tsc_khz;
	int64_t tsc_reset_offset; /* tsc_offset after a reset */
	/* const after attach: who else may have an MSR that is not here, or NULL.  False: nobody,
	 * or that access is refused. */
	bool (*other_msr)(struct x86_cpu *c, uint32_t msr, uint64_t *v, bool is_write);

	/* An exception being delivered (env.fault is set): what x86_raise() recorded. */
	struct {
		uint8_t vector;
		bool has_error, is_software; /* INT n, INT3, INTO, ICEBP */
		uint32_t error;
		uint8_t next_len; /* software: instruction length, RIP to push is past it */
		bool is_int_n; /* INT n: subject to IOPL and VME redirection in virtual-8086 mode */
		bool is_icebp; /* software, but no DPL check */
	} exc;
	/* An interrupt or NMI that was acknowledged and is still to be entered: by accelerators
	 * that do both apart. */
	struct {
		bool is_pending, is_nmi;
		uint8_t vector;
	} taken;
	bool in_shadow;      /* STI, MOV SS: no interrupt before the next instruction has run */
	bool nmi_blocked;    /* until IRET */
	bool is_halted;      /* HLT */
	bool wait_sipi;      /* application processor before its start-up IPI */
	bool is_shut_down;   /* triple fault was reported */
	uint32_t step_insns; /* debugger single step */

	/* The string instruction at pc was left between two elements: an interrupt or a trap taken
	 * there saves RF set and the flags of the last comparison, but a fault of an element to
	 * come leaves those of before the instruction (SDM 2 "REP", 3B 17.3.1.1).  Elsewhere it
	 * means nothing: its own stores may have made another instruction of it. */
	struct {
		bool is_open, has_flags; /* CMPS, SCAS: flags */
		uint32_t flags;
		uint64_t pc;
	} rep;

	/* debug.c, inputs.c: what the instruction now running will cause when it ends. */
	uint32_t pending_db;   /* DR6 bits of data, I/O and task-switch breakpoints */
	uint32_t task_faults;  /* task switches that faulted, one inside the other (task.c) */
	bool step_armed;       /* TF was set when it began */
	bool shadow_is_mov_ss; /* in_shadow by MOV SS, POP SS: holds back #DB too */
	bool in_sti_shadow;    /* STI with nothing waiting: as in_shadow while RIP is sti_next */
	uint64_t sti_next;
	bool noncanonical; /* exc is for such an address: #GP or #SS, decided at delivery */
	gva_t noncanonical_addr;
	uint64_t pdpte[4];    /* PAE: loaded with CR3 (mmu.c) */
	uint32_t table_range; /* atomic, a hint: the range of memory that held page tables last */

	uint32_t tlb_changes;            /* vcpu thread: counts what the guest and we flush */
	const struct x86_model *model;   /* const after init */
	struct x86_cpuid_features *feat; /* const after init: what CPUID announces (cpuid.h) */
	uint8_t phys_bits;               /* const after init */

	/* Not part of the state that executors share: it may differ between them. */
	/* vcpu thread: long mode: page tables that walks came to (SDM 3A 4.10.3), by address. */
	struct {
		uint64_t tag[X86_WALKS]; /* number of the 2 MiB that it maps, plus 1; 0: empty */
		struct {
			gpa_t table;
			uint64_t perm; /* of the entries above it (mmu.c) */
		} to[X86_WALKS];
	} walks;
};

static inline unsigned x86_cpl(const struct x86_cpu *c)
{
	return (unsigned)(c->env.mode >> MODE_CPL_SHIFT) & 3;
}
static inline bool x86_is_long(const struct x86_cpu *c) { return c->efer & EFER_LMA; }
