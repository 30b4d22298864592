/* accel/kvm/x86_vm.c - a virtual machine of x86: what its firmware's pages are needed for, MSRs
 * that come to us, and how to make KVM forget page tables.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "memory/ram.h"

/* Five pages below the firmware that the board has no use for: Intel's processors without
 * "unrestricted guest" need four of them while the guest does not page (api.rst 4.40,
 * 4.24); the first is x86_kvm_forget_tables()'s. */
enum {
	SCRATCH = 0xfeffb000u,
	IDENTITY_MAP = SCRATCH + 0x1000,
	TSS = IDENTITY_MAP + 0x1000,
};

/* IA32_TSC_DEADLINE without a local APIC in the kernel is nobody's, and would be lost there: our
 * APIC has it.  The ranges are denied to the guest, which makes them come to us; as does what CPUID
 * faulting is switched by, where it is used for ourselves (x86_half.c). */
bool x86_kvm_filter_msrs(struct kvm_vm *vm, bool has_deadline)
{
	enum { MSR_PLATFORM_INFO = 0xce, MSR_MISC_FEATURES = 0x140, MSR_TSC_DEADLINE = 0x6e0 };
	static const uint32_t ours[] = { MSR_TSC_DEADLINE, MSR_PLATFORM_INFO, MSR_MISC_FEATURES };
	uint8_t none[1] = { 0 };
	struct kvm_msr_filter f = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };

	for (unsigned i = 0; i < ARRAY_SIZE(ours); i++) {
		f.ranges[i] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = ours[i] == MSR_TSC_DEADLINE ? !has_deadline : vm->has_our_faults,
			.base = ours[i],
			.bitmap = none,
		};
	}
	return !vm->sys->caps.msr_filter || kvm_ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &f) >= 0;
}

static void take_msrs(struct kvm_vm *vm)
{
	const struct kvm_caps *c = &vm->sys->caps;
	const uint64_t reasons = KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
				 KVM_MSR_EXIT_REASON_FILTER;

	vm->has_msr_exits = c->user_msr && c->msr_filter &&
			    kvm_vm_enable(vm, KVM_CAP_X86_USER_SPACE_MSR, reasons) &&
			    x86_kvm_filter_msrs(vm, false);
}

bool x86_kvm_vm_init(struct kvm_vm *vm, bool wants_assist, struct err *err)
{
	uint64_t identity_map = IDENTITY_MAP;
	void *scratch;
	int r;

	r = kvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	if (r >= 0 || r == -ENOTTY || r == -EINVAL)
		r = kvm_ioctl_value(vm->fd, KVM_SET_TSS_ADDR, TSS);
	if (r < 0 && r != -ENOTTY && r != -EINVAL)
		return err_errno(err, -r, "cannot set the virtual machine's TSS address");
	take_msrs(vm);
	/* Else code at privilege level 3 that cannot be emulated gets #UD, where we could help. */
	if (wants_assist && vm->sys->caps.exit_on_emulation_failure)
		kvm_vm_enable(vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1);
	scratch = mmap(NULL, RAM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (scratch == MAP_FAILED)
		return err_errno(err, errno, "cannot map a page");
	vm->scratch = scratch;
	return true;
}

/* A slot that goes takes all of KVM's page tables along (api.rst, KVM_X86_QUIRK_SLOT_ZAP_ALL), and
 * with them what processors' TLBs hold. */
void x86_kvm_forget_tables(struct kvm_vm *vm)
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
