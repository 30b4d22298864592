/* tests/unit/accel/kvm_rig.h - a vCPU under KVM with a little memory, for tests of its state.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "accel/accel.h"
#include "accel/kvm/kvm.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "cpu/arch.h"
#include "event/clock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/region.h"

enum { RAM_BYTES = 0x10000 };

static struct {
	struct region memory_root, io_root, ram_region;
	struct address_space memory, io;
	struct vcpu v;
	struct x86_cpu *cpu;
	struct kvm_vcpu *kv;
} rig;

static bool rig_configure(struct object *o, void *irqchip, struct err *err)
{
	return object_set(o, NULL, "assist", "off", err) &&
	       object_set(o, NULL, "kernel-irqchip", irqchip, err);
}

/* False: KVM cannot start, and err says why. */
static bool rig_begin(char *irqchip, struct err *err)
{
	struct accel_choice choice = { .name = "kvm",
				       .configure = rig_configure,
				       .opaque = irqchip };
	g_autofree char *notes = NULL;
	struct ram_block *ram;

	object_types_add(accel_types);
	rig.v.accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, err);
	if (!rig.v.accel)
		return false;
	ram = ram_block_new("ram", RAM_BYTES, err);
	region_init_container(&rig.memory_root, "system", 0);
	region_init_container(&rig.io_root, "io", 0x10000);
	region_init_ram(&rig.ram_region, "ram", ram, 0, RAM_BYTES);
	region_add(&rig.memory_root, 0, &rig.ram_region);
	address_space_init(&rig.memory, "memory", &rig.memory_root);
	address_space_init(&rig.io, "I/O", &rig.io_root);
	rig.v.memory = &rig.memory;
	rig.v.io = &rig.io;
	rig.v.clock = vclock_new();
	vcpu_init(&rig.v, 0, &x86_arch_ops, NULL);
	rig.v.cpu = rig.cpu = x86_arch_ops.cpu_new(&rig.v, "max", err);
	if (!rig.cpu || !rig.v.accel->ops->vcpu_attach(rig.v.accel, &rig.v, err))
		g_error("%s", err->text);
	rig.kv = kvm_vcpu_of(&rig.v);
	return true;
}

static void rig_end(void)
{
	rig.v.accel->ops->vcpu_detach(rig.v.accel, &rig.v);
	accel_stop(rig.v.accel);
}
