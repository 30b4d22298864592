/* accel/kvm/x86.h - what is x86's: registers, MSRs, CPUID, interrupts.
 *
 * Specification: Linux, Documentation/virt/kvm/api.rst, and <asm/kvm.h>.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "cpu/pc_chips.h"
#include "arch/x86/state.h"

struct err;
struct kvm_accel;
struct kvm_system;
struct kvm_vcpu;
struct kvm_vm;

enum { KVM_MSR_ROWS = 64, KVM_XSAVE_BYTES = 4096 };

/* What the kernel's vCPU holds, as it last said or was told; only what differs is told. */
struct kvm_copy {
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_xcrs xcrs;
	uint8_t xsave[KVM_XSAVE_BYTES];
	uint64_t msr[KVM_MSR_ROWS];
	int64_t tsc_offset;
	struct kvm_mp_state mp; /* with local APICs in the kernel */
};

/* Interrupt chips in the kernel (x86_chips.c). */
struct kvm_chips {
	enum pc_chips_set set;       /* const after start */
	bool has_pit;                /* const after connect: the 8254 is the kernel's */
	bool has_wide_ids;           /* const after start: 32-bit APIC ids, in messages too */
	struct lock moving;          /* around all that changes where states are */
	struct lock lock;            /* hold()'s */
	_Atomic bool is_lent;        /* both locks for writing: the kernel has the states */
	_Atomic bool has_irqfds;     /* moving for writing */
	uint32_t levels, told;       /* lock: of input lines; as the kernel knows them */
	struct i8254_image pit_seen; /* moving: as it was when it came back */
	bool has_seen_pit;           /* moving */
	struct kvm_vcpu **vcpus;     /* const while they run */
	unsigned vcpu_count;         /* the same */
	const struct pc_chips_board *board; /* const after connect; NULL: there is none */
	void *board_opaque;                 /* the same */
};

/* ---- x86_state.c ---- */
/* The kernel's state of a new vCPU; whatever it is, v->cpu is what will count. */
bool x86_kvm_init(struct kvm_vcpu *kv, struct err *err);
/* From the kernel to v->cpu, and back.  False: the kernel refuses, err says what. */
bool x86_kvm_get(struct kvm_vcpu *kv, struct err *err);
bool x86_kvm_put(struct kvm_vcpu *kv, struct err *err);
/* Is there nothing in it that the kernel cannot be told? */
bool x86_kvm_is_settled(const struct kvm_vcpu *kv);
/* What a halt needs to know of the state. */
void x86_kvm_get_halt(struct kvm_vcpu *kv);

/* ---- x86_msrs.c ---- */
/* Which MSRs does this kernel have?  Their names, or NULL; g_free(). */
char *x86_kvm_msrs_probe(struct kvm_vcpu *kv);
bool x86_kvm_msrs_get(struct kvm_vcpu *kv, struct err *err);
bool x86_kvm_msrs_put(struct kvm_vcpu *kv, struct err *err);
/* The cycle counter of v->cpu is the kernel's, and so are MSRs that it has not. */
bool x86_kvm_msrs_init(struct kvm_vcpu *kv, struct err *err);
/* KVM_EXIT_X86_RDMSR and WRMSR. */
void x86_kvm_msr_exit(struct kvm_vcpu *kv, bool is_write);

/* ---- x86_half.c: a KVM that cannot do SYSCALL, or drops parts of what it is told ---- */
/* Find out: kvm_accel.is_half, is_lossy, has_cpuid_faults. */
void x86_kvm_try(struct kvm_accel *k);
/* From now on CPUID faults at level 3; false: not here. */
bool x86_kvm_fault_cpuid(int vcpu);
/* Is there something in the state that the kernel would drop? */
bool x86_kvm_is_lost(const struct kvm_vcpu *kv);
/* A state that was taken from the kernel. */
void x86_kvm_half_after(struct kvm_vcpu *kv);
void x86_kvm_half_before(struct kvm_vcpu *kv, struct kvm_sregs2 *s);
/* The guest raised an exception.  Returns as kvm_exit(). */
bool x86_kvm_half_exit(struct kvm_vcpu *kv);

/* ---- x86_clock.c ---- */
/* Before the vCPU goes on: the machine may have stood. */
void x86_kvm_clock_resume(struct kvm_vcpu *kv);

/* ---- x86_debug.c ---- */
void x86_kvm_debug_before_run(struct kvm_vcpu *kv);
/* KVM_EXIT_DEBUG.  Returns as kvm_exit(). */
bool x86_kvm_debug_exit(struct kvm_vcpu *kv);
/* KVM failed at an instruction: at one of ours?  Then it has stopped. */
bool x86_kvm_debug_at_patch(struct kvm_vcpu *kv);

/* ---- x86_cpuid.c ---- */
/* Drop what this kernel does not have from what the vCPU announces. */
bool x86_kvm_cpuid_restrict(struct kvm_accel *k, struct x86_cpu *c, char **warnings,
			    struct err *err);
bool x86_kvm_cpuid_set(struct kvm_vcpu *kv, struct err *err);

/* ---- x86_irq.c ---- */
/* Inputs before a run.  False: halted, or the run state has changed: look again. */
bool x86_kvm_inputs(struct kvm_vcpu *kv);
/* CR8 and the APIC base, before and after. */
void x86_kvm_before_run(struct kvm_vcpu *kv);
void x86_kvm_after_run(struct kvm_vcpu *kv);

/* Does the kernel have the local APICs? */
bool x86_kvm_has_lapics(const struct kvm_vcpu *kv);

/* ---- x86_chips.c: interrupt chips in the kernel, which the board's lend their states ---- */
bool x86_kvm_chips_start(struct kvm_accel *k, struct err *err);
void x86_kvm_chips_stop(struct kvm_accel *k);
void x86_kvm_chips_lend(struct kvm_vcpu *kv);
void x86_kvm_chips_recall(struct kvm_accel *k);
/* KVM_EXIT_IOAPIC_EOI. */
void x86_kvm_chips_eoi(struct kvm_vcpu *kv, uint8_t vector);
struct kvm_irq_source;
/* kvm_irqfd_add() and remove().  Context: main thread. */
bool x86_kvm_irqfd_add(struct kvm_accel *k, struct kvm_irq_source *s, struct err *err);
void x86_kvm_irqfd_remove(struct kvm_accel *k, struct kvm_irq_source *s);
extern const struct pc_chips_ops x86_kvm_chips;

/* ---- x86_chip_state.c: their states.  False: the kernel refuses, and it was logged. ---- */
bool x86_kvm_lapic_get(struct kvm_vcpu *kv, struct lapic_image *image);
bool x86_kvm_lapic_set(struct kvm_vcpu *kv, const struct lapic_image *image);
bool x86_kvm_ioapic_get(struct kvm_accel *k, struct ioapic_image *image);
bool x86_kvm_ioapic_set(struct kvm_accel *k, const struct ioapic_image *image);
bool x86_kvm_i8259_get(struct kvm_accel *k, struct i8259_image *image);
bool x86_kvm_i8259_set(struct kvm_accel *k, const struct i8259_image *image);
bool x86_kvm_i8254_get(struct kvm_accel *k, struct i8254_image *image);
bool x86_kvm_i8254_set(struct kvm_accel *k, const struct i8254_image *image);

/* ---- x86_vm.c ---- */
/* IA32_TSC_DEADLINE comes to us, or does not. */
bool x86_kvm_filter_msrs(struct kvm_vm *vm, bool has_deadline);
bool x86_kvm_vm_init(struct kvm_vm *vm, bool wants_assist, struct err *err);
void x86_kvm_forget_tables(struct kvm_vm *vm);
