/* accel/kvm/eventfds.c - doorbells and interrupts without an exit: a store that ticks an eventfd in
 * the kernel (KVM_IOEVENTFD, api.rst 4.59), an eventfd that raises an interrupt there (KVM_IRQFD,
 * 4.75).
 *
 * Doorbells follow the memory core's (region_add_eventfd()); what the kernel does not take, and
 * what the translator runs, is dispatched there.  An eventfd for interrupts is the kernel's only
 * while the interrupt chips' states are (x86_chips.c): in between its ticks wait in it.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"

/* ---- doorbells ---- */

static int tell_doorbell(struct kvm_vm *vm, const struct flat_eventfd *e, bool is_port, bool is_on)
{
	struct kvm_ioeventfd i = {
		.datamatch = e->has_data ? e->data : 0,
		.addr = e->addr,
		.len = e->size,
		.fd = e->fd,
		.flags = (e->has_data ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (is_port ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (is_on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return kvm_ioctl(vm->fd, KVM_IOEVENTFD, &i);
}

void kvm_doorbell_add(struct kvm_vm *vm, const struct flat_eventfd *e, bool is_port)
{
	const struct kvm_caps *c = &vm->sys->caps;
	int r = -EINVAL;

	if (c->ioeventfd && (e->size || c->ioeventfd_any_length))
		r = tell_doorbell(vm, e, is_port, true);
	if (r < 0 && log_on(LOG_UNIMP))
		log_line("kvm: the kernel takes no doorbell of %u bytes at 0x%llx: %s", e->size,
			 (unsigned long long)e->addr, strerror(-r));
}

void kvm_doorbell_remove(struct kvm_vm *vm, const struct flat_eventfd *e, bool is_port)
{
	tell_doorbell(vm, e, is_port, false); /* it may never have taken it */
}

/* ---- interrupts ---- */

static int tell_irqfd(struct kvm_vm *vm, const struct kvm_irq_source *s, bool is_on)
{
	struct kvm_irqfd i = {
		.fd = (uint32_t)s->fd,
		.gsi = (uint32_t)s->gsi,
		.flags = is_on ? s->resample_fd >= 0 ? KVM_IRQFD_FLAG_RESAMPLE : 0
			       : KVM_IRQFD_FLAG_DEASSIGN,
		.resamplefd = s->resample_fd >= 0 ? (uint32_t)s->resample_fd : 0,
	};

	return kvm_ioctl(vm->fd, KVM_IRQFD, &i);
}

bool kvm_irqfd_add(struct kvm_vm *vm, struct kvm_irq_source *s, bool is_live, struct err *err)
{
	const struct kvm_caps *c = &vm->sys->caps;
	int r;

	if (!c->irqfd || (s->resample_fd >= 0 && !c->irqfd_resample))
		return err_set(err, 0, "this kernel's KVM lacks KVM_CAP_IRQFD%s",
			       c->irqfd ? "_RESAMPLE (Linux 3.9)" : " (Linux 2.6.32)");
	/* Tried, whether or not it begins now. */
	r = tell_irqfd(vm, s, true);
	if (r < 0)
		return err_errno(err, -r, "KVM cannot raise interrupt %d by an eventfd", s->gsi);
	if (!is_live)
		tell_irqfd(vm, s, false);
	s->next = vm->irq_sources;
	vm->irq_sources = s;
	return true;
}

void kvm_irqfd_remove(struct kvm_vm *vm, struct kvm_irq_source *s)
{
	struct kvm_irq_source **at = &vm->irq_sources;

	while (*at && *at != s)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = s->next;
	tell_irqfd(vm, s, false);
}

void kvm_irqfds_go_live(struct kvm_vm *vm)
{
	for (struct kvm_irq_source *s = vm->irq_sources; s; s = s->next)
		if (tell_irqfd(vm, s, true) < 0)
			log_line("kvm: the kernel takes interrupt %d's eventfd no more", s->gsi);
}

void kvm_irqfds_wait(struct kvm_vm *vm)
{
	uint64_t one = 1;

	for (struct kvm_irq_source *s = vm->irq_sources; s; s = s->next) {
		tell_irqfd(vm, s, false);
		/* Its end may be seen elsewhere: whoever still has a reason ticks again. */
		if (s->resample_fd >= 0 && write(s->resample_fd, &one, sizeof(one)) < 0)
			continue;
	}
}
