/* arch/arm/state.h - the architectural state of one Arm vCPU, in one fixed struct: what a program
 * sees at EL1 and EL0 of AArch64, and at EL0 of AArch32.
 *
 * All accelerators mean this struct; what an executor of guest code needs beside it (a mode word,
 * views of memory) is not here.  There is no CPU model yet: under KVM what identifies the processor
 * is taken from the kernel.
 *
 * Specification: Arm Architecture Reference Manual for A-profile (DDI 0487).
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"

struct arm_cpu;
struct vcpu;

enum arm_el { ARM_EL0, ARM_EL1, ARM_EL2, ARM_EL3, ARM_EL_COUNT };

/* PSTATE in the format of SPSR_EL1. */
enum {
	ARM_PSTATE_SP = 1u << 0, /* the exception level's own stack pointer, else SP_EL0 */
	ARM_PSTATE_EL_SHIFT = 2,
	ARM_PSTATE_AARCH32 = 1u << 4,
	ARM_PSTATE_F = 1u << 6,
	ARM_PSTATE_I = 1u << 7,
	ARM_PSTATE_A = 1u << 8,
	ARM_PSTATE_D = 1u << 9,
	ARM_PSTATE_SSBS = 1u << 12,
	ARM_PSTATE_SS = 1u << 21,
	ARM_PSTATE_PAN = 1u << 22,
	ARM_PSTATE_DIT = 1u << 24,
	ARM_PSTATE_TCO = 1u << 25,
	ARM_PSTATE_NZCV = 0xfu << 28,
};

/* System registers: index of arm_cpu.sys[]. */
enum arm_sys {
#define ARM_SYS(name, op0, op1, crn, crm, op2, flags) ARM_##name,
#include "arch/arm/sysregs.def"
#undef ARM_SYS
	ARM_SYS_COUNT
};
enum {
	ARM_SYS_ID = 1u << 0,   /* identification: never changes while the guest runs */
	ARM_SYS_TIME = 1u << 1, /* goes on by itself */
};

/* As the fields lie in MRS and MSR. */
static inline uint16_t arm_sys_encoding(unsigned op0, unsigned op1, unsigned crn, unsigned crm,
					unsigned op2)
{
	return (uint16_t)(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2);
}

/* What a CPU model promises that an accelerator has to make true. */
enum arm_feature {
	ARM_FEAT_PMU = 1u << 0,   /* FEAT_PMUv3 */
	ARM_FEAT_SVE = 1u << 1,   /* FEAT_SVE */
	ARM_FEAT_PAUTH = 1u << 2, /* FEAT_PAuth, of addresses and generic */
};

/* A vCPU's own interrupt outputs, to its interrupt controller. */
enum arm_line { ARM_LINE_VTIMER, ARM_LINE_PTIMER, ARM_LINE_PMU, ARM_LINE_COUNT };

/* What a guest asks its firmware for (PSCI, DEN0022: SYSTEM_OFF and its siblings). */
enum arm_system_event { ARM_SYSTEM_OFF, ARM_SYSTEM_RESET, ARM_SYSTEM_RESET2 };

/* A vector register of SVE is up to 2048 bits, a predicate an eighth of that. */
enum { ARM_Z_BYTES = 256, ARM_P_BYTES = ARM_Z_BYTES / 8, ARM_SVE_LENGTHS = ARM_Z_BYTES / 16 };

struct arm_cpu {
	struct vcpu *vcpu;

	uint64_t x[31]; /* AArch32's where "Execution state" maps them */
	uint64_t pc, pstate;
	uint64_t sp[ARM_EL_COUNT];
	uint64_t elr[ARM_EL_COUNT], spsr[ARM_EL_COUNT];          /* EL1 and above */
	uint64_t spsr_abt, spsr_und, spsr_irq, spsr_fiq;         /* AArch32's */
	uint8_t z[32][ARM_Z_BYTES] __attribute__((aligned(16))); /* Vn: the first 16 bytes */
	uint8_t p[16][ARM_P_BYTES], ffr[ARM_P_BYTES];
	uint32_t fpcr, fpsr;
	uint64_t sys[ARM_SYS_COUNT];

	bool is_off; /* PSCI: until another vCPU switches it on */
	struct {     /* an SError that waits to be taken */
		bool is_pending, has_syndrome;
		uint64_t syndrome;
	} serror;
	/* How often cpu_reset() was called: accelerators that keep registers which are not here
	 * start them anew when it changes. */
	uint32_t resets;

	uint32_t features;           /* const: enum arm_feature */
	uint32_t sve_lengths;        /* const: bit n: vectors of n + 1 times 128 bits; 0: any */
	uint8_t ppi[ARM_LINE_COUNT]; /* const after wiring: INTIDs, 16 to 31, of its outputs */
	/* May be NULL.  Context of both: vcpu thread, no locks. */
	void (*on_system_event)(struct arm_cpu *c,
				enum arm_system_event e);                   /* const after wiring */
	void (*on_line)(struct arm_cpu *c, enum arm_line line, bool level); /* const after wiring */
	void *board; /* const after wiring: whom the two above are for */
};

/* MPIDR_EL1 of the n-th vCPU: 16 to a cluster, which is what one ICC_SGI1R_EL1 reaches.
 */
static inline uint64_t arm_mpidr(unsigned n)
{
	return BIT(31) | (n & 0xf) | (uint64_t)(n >> 4 & 0xff) << 8 |
	       (uint64_t)(n >> 12 & 0xff) << 16;
}
