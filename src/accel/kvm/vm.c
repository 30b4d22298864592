/* accel/kvm/vm.c - one virtual machine of KVM's.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "memory/ram.h"

/* Five pages below the firmware that the board has no use for: Intel's processors without
 * "unrestricted guest" need four of them while the guest does not page (api.rst 4.40,
 * 4.24); the first is kvm_vm_forget_tables()'s. */
enum {
	SCRATCH = 0xfeffb000u,
	IDENTITY_MAP = SCRATCH + 0x1000,
	TSS = IDENTITY_MAP + 0x1000,
};

static bool enable(struct kvm_vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap e = { .cap = cap, .args = { arg } };

	return kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &e) >= 0;
}

/* IA32_TSC_DEADLINE without a local APIC in the kernel is nobody's, and would be lost there: our
 * APIC has it.  The range is denied to the guest, which makes it come to us. */
static bool filter_msrs(struct kvm_vm *vm)
{
	enum { MSR_TSC_DEADLINE = 0x6e0 };
	uint8_t none[1] = { 0 };
	struct kvm_msr_filter f = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = { { .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			      .nmsrs = 1,
			      .base = MSR_TSC_DEADLINE,
			      .bitmap = none } },
	};

	return kvm_ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &f) >= 0;
}

static void take_msrs(struct kvm_vm *vm)
{
	const struct kvm_caps *c = &vm->sys->caps;
	const uint64_t reasons = KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
				 KVM_MSR_EXIT_REASON_FILTER;

	vm->has_msr_exits = c->user_msr && c->msr_filter &&
			    enable(vm, KVM_CAP_X86_USER_SPACE_MSR, reasons) && filter_msrs(vm);
}

bool kvm_vm_create(struct kvm_vm *vm, const struct kvm_system *sys, bool wants_assist,
		   struct err *err)
{
	uint64_t identity_map = IDENTITY_MAP;
	void *scratch;
	int r;

	*vm = (struct kvm_vm){ .sys = sys };
	vm->fd = kvm_ioctl_value(sys->fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return err_errno(err, -vm->fd, "cannot create a virtual machine");
	r = kvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	if (r >= 0 || r == -ENOTTY || r == -EINVAL)
		r = kvm_ioctl_value(vm->fd, KVM_SET_TSS_ADDR, TSS);
	if (r < 0 && r != -ENOTTY && r != -EINVAL) {
		err_errno(err, -r, "cannot set the virtual machine's TSS address");
		kvm_vm_destroy(vm);
		return false;
	}
	take_msrs(vm);
	/* Else code at privilege level 3 that cannot be emulated gets #UD, where we could help. */
	if (wants_assist && sys->caps.exit_on_emulation_failure)
		enable(vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1);
	scratch = mmap(NULL, RAM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (scratch == MAP_FAILED) {
		err_errno(err, errno, "cannot map a page");
		kvm_vm_destroy(vm);
		return false;
	}
	vm->scratch = scratch;
	/* The last one is the scratch page's. */
	vm->slot_count = (unsigned)MIN(sys->caps.nr_slots, 4096) - 1;
	vm->slots = g_new0(struct kvm_slot, vm->slot_count);
	return true;
}

/* A slot that goes takes all of KVM's page tables along (api.rst, KVM_X86_QUIRK_SLOT_ZAP_ALL), and
 * with them what processors' TLBs hold. */
void kvm_vm_forget_tables(struct kvm_vm *vm)
{
	struct kvm_userspace_memory_region m = {
		.slot = vm->slot_count,
		.guest_phys_addr = SCRATCH,
		.memory_size = RAM_PAGE_SIZE,
		.userspace_addr = (uintptr_t)vm->scratch,
	};

	kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &m);
	m.memory_size = 0;
	kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &m);
}

void kvm_vm_destroy(struct kvm_vm *vm)
{
	if (vm->scratch)
		munmap(vm->scratch, RAM_PAGE_SIZE);
	vm->scratch = NULL;
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
	g_clear_pointer(&vm->slots, g_free);
}
