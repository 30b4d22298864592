/* accel/kvm/vm.c - one virtual machine of KVM's.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "memory/ram.h"

bool kvm_vm_enable(struct kvm_vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap e = { .cap = cap, .args = { arg } };

	return kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &e) >= 0;
}

bool kvm_vm_create(struct kvm_vm *vm, const struct kvm_system *sys, bool wants_assist,
		   struct err *err)
{
	*vm = (struct kvm_vm){ .sys = sys };
	lock_init(&vm->lock, LOCK_LEAF, "kvm slots");
	kvm_routes_init(&vm->routes);
	vm->fd = kvm_ioctl_value(sys->fd, KVM_CREATE_VM, kvm_host.vm_type(sys));
	if (vm->fd < 0)
		err_errno(err, -vm->fd, "cannot create a virtual machine");
	if (vm->fd < 0 || !kvm_host.vm_init(vm, wants_assist, err)) {
		kvm_vm_destroy(vm);
		return false;
	}
	/* The last one is the scratch page's. */
	vm->slot_count = (unsigned)MIN(sys->caps.nr_slots, 4096) - 1;
	vm->slots = g_new0(struct kvm_slot, vm->slot_count);
	return true;
}

void kvm_vm_destroy(struct kvm_vm *vm)
{
	if (!vm->sys)
		return;
	if (kvm_host.vm_fini)
		kvm_host.vm_fini(vm);
	if (vm->scratch)
		munmap(vm->scratch, RAM_PAGE_SIZE);
	vm->scratch = NULL;
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
	lock_fini(&vm->lock);
	kvm_routes_fini(&vm->routes);
	vm->sys = NULL;
	g_clear_pointer(&vm->slots, g_free);
}
