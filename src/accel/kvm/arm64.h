/* accel/kvm/arm64.h - what is arm64's: vCPU features, registers, interrupt controllers in the
 * kernel, interrupt lines, PSCI's events, debug registers.
 *
 * Nothing of it has run on hardware yet: see docs/decisions/0005-kvm.md.
 *
 * Specification: Linux, Documentation/virt/kvm/api.rst ("api.rst"), devices/arm-vgic.rst,
 * devices/arm-vgic-v3.rst and devices/vcpu.rst beside it, and <asm/kvm.h>.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arm/state.h"
#include "base/bits.h"

struct err;
struct kvm_caps;
struct kvm_vcpu;
struct kvm_vm;

/* ---- arm64_regs.c ---- */

/* A register of the kernel's list (KVM_GET_REG_LIST). */
struct arm64_kvm_reg {
	uint64_t id;
	uint32_t bytes;
	uint32_t at;   /* in kvm_copy.values */
	int32_t place; /* in struct arm_cpu; ARM64_KVM_NO_PLACE */
	bool is_const; /* never changes while the guest runs */
};
enum { ARM64_KVM_NO_PLACE = -1 };

/* What the kernel's vCPU holds, as it last said or was told; only what differs is told. */
struct kvm_copy {
	struct arm64_kvm_reg *regs;
	uint8_t *values;
	unsigned reg_count;
	struct kvm_vcpu_events events;
	uint32_t mp_state;
	uint32_t resets;  /* arm_cpu.resets */
	uint32_t lines;   /* VCPU_INTR and VCPU_FIQ */
	uint64_t outputs; /* kvm_run.s.regs.device_irq_level */
};

/* What a register is in struct arm_cpu. */
void arm64_kvm_reg_place(uint64_t id, struct arm64_kvm_reg *out);
/* Its name, or its number. */
void arm64_kvm_reg_name(uint64_t id, char *out, size_t room);
/* Which registers the vCPU has, and their values; those that identify the processor go to v->cpu.
 */
bool arm64_kvm_regs_init(struct kvm_vcpu *kv, struct err *err);
void arm64_kvm_regs_fini(struct kvm_vcpu *kv);
/* All anew to the copy: the kernel has reset them. */
bool arm64_kvm_regs_reload(struct kvm_vcpu *kv, struct err *err);
bool arm64_kvm_regs_get(struct kvm_vcpu *kv, struct err *err);
bool arm64_kvm_regs_put(struct kvm_vcpu *kv, struct err *err);

/* ---- arm64_vcpu.c ---- */
bool arm64_kvm_vcpu_init(struct kvm_vcpu *kv, struct err *err);
void arm64_kvm_vcpu_fini(struct kvm_vcpu *kv);
/* Before it runs: interrupt numbers of its outputs, its performance monitors. */
bool arm64_kvm_vcpu_prepare(struct kvm_vcpu *kv, struct err *err);
bool arm64_kvm_get(struct kvm_vcpu *kv, struct err *err);
bool arm64_kvm_put(struct kvm_vcpu *kv, struct err *err);

/* ---- arm64_gic.c: an interrupt controller in the kernel ---- */

enum { ARM64_KVM_GIC_REGIONS = 8 };
struct arm64_kvm_gic_config {
	unsigned version;    /* 2 or 3 */
	unsigned nr_irqs;    /* SGIs, PPIs and SPIs: 64 to 1024, in steps of 32 */
	gpa_t distributor;   /* 4 KiB (version 2), 64 KiB */
	gpa_t cpu_interface; /* version 2: 8 KiB */
	/* Version 3: where redistributors are, 128 KiB a CPU. */
	struct {
		gpa_t base;
		unsigned cpus;
	} redistributors[ARM64_KVM_GIC_REGIONS];
	unsigned region_count;
};
struct arm64_kvm_gic {
	int fd;
	struct arm64_kvm_gic_config config; /* const */
};
/* Can the VM have one of this version? */
bool arm64_kvm_gic_exists(const struct kvm_vm *vm, unsigned version);
/* Before vCPUs run.  NULL: err says what is wrong. */
struct arm64_kvm_gic *arm64_kvm_gic_new(struct kvm_vm *vm,
					const struct arm64_kvm_gic_config *config, struct err *err);
void arm64_kvm_gic_free(struct kvm_vm *vm);
/* When all vCPUs are there. */
bool arm64_kvm_gic_start(struct kvm_vm *vm, unsigned cpus, struct err *err);
/* Its registers as vCPU `cpu` sees them; of version 3 offsets beyond the distributor's 64 KiB are
 * in the vCPU's redistributor.  Context: no vCPU runs. */
bool arm64_kvm_gic_read(const struct kvm_vm *vm, unsigned cpu, uint32_t offset, uint32_t *value,
			struct err *err);
bool arm64_kvm_gic_write(const struct kvm_vm *vm, unsigned cpu, uint32_t offset, uint32_t value,
			 struct err *err);

/* ---- arm64_irq.c ---- */
/* KVM_IRQ_LINE's number of an interrupt (api.rst 4.25): type KVM_ARM_IRQ_TYPE_*.  False: this
 * kernel has none for a vCPU of that index. */
bool arm64_kvm_irq_number(const struct kvm_caps *caps, unsigned type, unsigned cpu, unsigned intid,
			  uint32_t *out);
/* Inputs of the controller in the kernel, by INTID: 32 and up are everybody's. */
bool arm64_kvm_spi_set(const struct kvm_vm *vm, unsigned intid, bool level);
bool arm64_kvm_ppi_set(const struct kvm_vm *vm, unsigned cpu, unsigned intid, bool level);
void arm64_kvm_lines_renew(struct kvm_vcpu *kv);
bool arm64_kvm_inputs(struct kvm_vcpu *kv);
void arm64_kvm_after_run(struct kvm_vcpu *kv);

/* ---- arm64_debug.c ---- */
void arm64_kvm_debug_before_run(struct kvm_vcpu *kv);
bool arm64_kvm_debug_exit(struct kvm_vcpu *kv);

/* ---- arm64_host.c ---- */
/* KVM_CREATE_VM's argument for guest-physical addresses of so many bits (api.rst 4.2). */
bool arm64_kvm_vm_type(const struct kvm_caps *caps, unsigned bits, unsigned long *out,
		       struct err *err);
