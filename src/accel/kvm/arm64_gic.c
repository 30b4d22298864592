/* accel/kvm/arm64_gic.c - an interrupt controller in the kernel: GICv2 or GICv3.
 *
 * It is made with its addresses before vCPUs are, and started when all of them are there.
 *
 * Not here: the ITS, moving its state elsewhere (single registers can be read and written).
 *
 * Specification: Linux, Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst; Arm
 * Generic Interrupt Controller Architecture Specification (IHI 0048, IHI 0069).
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

enum {
	V2_PAGE = 4 * 1024,
	V3_PAGE = 64 * 1024,
	REGION_CPUS = 4095, /* 12 bits */
	LEAST_IRQS = 64,
	MOST_IRQS = 1024,
	IRQ_STEP = 32,
};

static uint32_t type_of(unsigned version)
{
	return version == 2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3;
}

bool arm64_kvm_gic_exists(const struct kvm_vm *vm, unsigned version)
{
	struct kvm_create_device d = { .type = type_of(version), .flags = KVM_CREATE_DEVICE_TEST };

	return kvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &d) >= 0;
}

static bool set_attr(const struct arm64_kvm_gic *g, uint32_t group, uint64_t attr,
		     const void *value, const char *what, struct err *err)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };
	int r = kvm_ioctl(g->fd, KVM_SET_DEVICE_ATTR, &a);

	return r >= 0 || err_errno(err, -r, "KVM's interrupt controller: cannot %s", what);
}

/* ---- where it is ---- */

static bool is_page(gpa_t a, uint64_t page) { return a % page == 0; }

static bool check(const struct arm64_kvm_gic_config *c, struct err *err)
{
	uint64_t page = c->version == 2 ? V2_PAGE : V3_PAGE;

	if (c->version != 2 && c->version != 3)
		return err_set(err, 0, "KVM has no interrupt controller of version %u, but 2 and 3",
			       c->version);
	if (c->nr_irqs < LEAST_IRQS || c->nr_irqs > MOST_IRQS || c->nr_irqs % IRQ_STEP)
		return err_set(err, 0,
			       "%u interrupts: an interrupt controller has %d to %d in steps of %d",
			       c->nr_irqs, LEAST_IRQS, MOST_IRQS, IRQ_STEP);
	if (!is_page(c->distributor, page) || (c->version == 2 && !is_page(c->cpu_interface, page)))
		return err_set(err, 0, "an interrupt controller's addresses begin at %u KiB pages",
			       (unsigned)(page / KIB));
	if (c->version == 3 && (!c->region_count || c->region_count > ARM64_KVM_GIC_REGIONS))
		return err_set(err, 0, "%u regions of redistributors: there are 1 to %d",
			       c->region_count, ARM64_KVM_GIC_REGIONS);
	for (unsigned i = 0; c->version == 3 && i < c->region_count; i++)
		if (!is_page(c->redistributors[i].base, page) || c->redistributors[i].base >> 52 ||
		    !c->redistributors[i].cpus || c->redistributors[i].cpus > REGION_CPUS)
			return err_set(err, 0,
				       "redistributors at 0x%" PRIx64 " for %u CPUs: they begin at "
				       "64 KiB pages below 2^52, and are for 1 to %d CPUs",
				       c->redistributors[i].base, c->redistributors[i].cpus,
				       REGION_CPUS);
	return true;
}

static bool set_redistributors(const struct arm64_kvm_gic *g, struct err *err)
{
	for (unsigned i = 0; i < g->config.region_count; i++) {
		uint64_t value = (uint64_t)g->config.redistributors[i].cpus << 52 |
				 g->config.redistributors[i].base | i;

		if (!set_attr(g, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
			      &value, "place its redistributors", err))
			return false;
	}
	return true;
}

static bool set_addresses(const struct arm64_kvm_gic *g, struct err *err)
{
	const struct arm64_kvm_gic_config *c = &g->config;

	if (c->version == 3)
		return set_attr(g, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
				&c->distributor, "place its distributor", err) &&
		       set_redistributors(g, err);
	return set_attr(g, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST, &c->distributor,
			"place its distributor", err) &&
	       set_attr(g, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU, &c->cpu_interface,
			"place its CPU interface", err);
}

/* ---- its life ---- */

struct arm64_kvm_gic *arm64_kvm_gic_new(struct kvm_vm *vm,
					const struct arm64_kvm_gic_config *config, struct err *err)
{
	struct kvm_create_device d = { 0 };
	struct arm64_kvm_gic *g;
	int r;

	assert(!vm->gic);
	if (!check(config, err))
		return NULL;
	d.type = type_of(config->version);
	r = kvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &d);
	if (r < 0) {
		err_errno(err, -r, "KVM on this host has no interrupt controller of version %u",
			  config->version);
		return NULL;
	}
	vm->gic = g = g_new0(struct arm64_kvm_gic, 1);
	g->fd = (int)d.fd;
	g->config = *config;
	if (set_addresses(g, err))
		return g;
	arm64_kvm_gic_free(vm);
	return NULL;
}

void arm64_kvm_gic_free(struct kvm_vm *vm)
{
	if (!vm->gic)
		return;
	close(vm->gic->fd);
	g_clear_pointer(&vm->gic, g_free);
}

bool arm64_kvm_gic_start(struct kvm_vm *vm, unsigned cpus, struct err *err)
{
	const struct arm64_kvm_gic *g = vm->gic;
	uint32_t nr_irqs = g->config.nr_irqs;
	unsigned room = 0;

	for (unsigned i = 0; i < g->config.region_count; i++)
		room += g->config.redistributors[i].cpus;
	if (g->config.version == 3 && cpus > room)
		return err_set(err, 0, "there are redistributors for %u CPUs, not for %u", room,
			       cpus);
	if (g->config.version == 2 && cpus > 8)
		return err_set(err, 0, "an interrupt controller of version 2 has at most 8 CPUs");
	return set_attr(g, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &nr_irqs, "have that many interrupts",
			err) &&
	       set_attr(g, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, "start",
			err);
}

/* ---- its registers ---- */

/* A vCPU is named by index, or by its affinity: Aff3 to Aff0 in the upper half. */
static struct kvm_device_attr register_attr(const struct arm64_kvm_gic *g, unsigned cpu,
					    uint32_t offset, void *value)
{
	struct kvm_device_attr a = { .group = KVM_DEV_ARM_VGIC_GRP_DIST_REGS,
				     .attr = offset,
				     .addr = (uintptr_t)value };

	if (g->config.version == 2) {
		a.attr |= (uint64_t)cpu << KVM_DEV_ARM_VGIC_CPUID_SHIFT;
		return a;
	}
	if (offset >= V3_PAGE) {
		a.group = KVM_DEV_ARM_VGIC_GRP_REDIST_REGS;
		a.attr -= V3_PAGE;
	}
	a.attr |= (arm_mpidr(cpu) & 0xffffff) << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT;
	return a;
}

static bool is_register(const struct arm64_kvm_gic *g, uint32_t offset, struct err *err)
{
	uint32_t end = g->config.version == 2 ? V2_PAGE : 3 * V3_PAGE;

	return (offset % 4 == 0 && offset < end) ||
	       err_set(err, 0, "the interrupt controller has no register at 0x%" PRIx32, offset);
}

bool arm64_kvm_gic_read(const struct kvm_vm *vm, unsigned cpu, uint32_t offset, uint32_t *value,
			struct err *err)
{
	struct kvm_device_attr a = register_attr(vm->gic, cpu, offset, value);
	int r;

	if (!is_register(vm->gic, offset, err))
		return false;
	r = kvm_ioctl(vm->gic->fd, KVM_GET_DEVICE_ATTR, &a);
	return r >= 0 ||
	       err_errno(err, -r, "KVM's interrupt controller: cannot read register 0x%" PRIx32,
			 offset);
}

bool arm64_kvm_gic_write(const struct kvm_vm *vm, unsigned cpu, uint32_t offset, uint32_t value,
			 struct err *err)
{
	struct kvm_device_attr a = register_attr(vm->gic, cpu, offset, &value);
	int r;

	if (!is_register(vm->gic, offset, err))
		return false;
	r = kvm_ioctl(vm->gic->fd, KVM_SET_DEVICE_ATTR, &a);
	return r >= 0 ||
	       err_errno(err, -r, "KVM's interrupt controller: cannot write register 0x%" PRIx32,
			 offset);
}
