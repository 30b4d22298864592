/* accel/kvm/routes.c - what an interrupt number ("GSI") of the kernel's leads to: a pin of a chip
 * of its own, or a message (api.rst 4.52, KVM_SET_GSI_ROUTING).
 *
 * The kernel takes the whole table at once.  The chips' pins come first and stay; numbers for
 * messages are given out above them, up to what KVM_CAP_IRQ_ROUTING says.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

void kvm_routes_init(struct kvm_routes *r)
{
	*r = (struct kvm_routes){ 0 };
	lock_init(&r->lock, LOCK_LEAF, "kvm routes");
}

void kvm_routes_fini(struct kvm_routes *r)
{
	g_clear_pointer(&r->table, g_free);
	lock_fini(&r->lock);
}

static int commit(struct kvm_vm *vm)
{
	const struct kvm_routes *r = &vm->routes;

	return kvm_ioctl(vm->fd, KVM_SET_GSI_ROUTING, r->table);
}

static struct kvm_irq_routing_entry *append(struct kvm_routes *r)
{
	unsigned count = r->table ? r->table->nr : 0;

	if (count == r->room) {
		r->room = r->room ? 2 * r->room : 64;
		r->table = g_realloc(r->table,
				     sizeof(*r->table) + r->room * sizeof(r->table->entries[0]));
		r->table->nr = count;
		r->table->flags = 0;
	}
	memset(&r->table->entries[count], 0, sizeof(r->table->entries[0]));
	return &r->table->entries[r->table->nr++];
}

void kvm_route_chip(struct kvm_vm *vm, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	struct kvm_irq_routing_entry *e;

	lock_take(&vm->routes.lock);
	e = append(&vm->routes);
	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = chip;
	e->u.irqchip.pin = pin;
	if (vm->routes.first_free <= gsi)
		vm->routes.first_free = gsi + 1;
	lock_drop(&vm->routes.lock);
}

bool kvm_routes_commit(struct kvm_vm *vm, struct err *err)
{
	int r;

	lock_take(&vm->routes.lock);
	r = commit(vm);
	lock_drop(&vm->routes.lock);
	return r >= 0 || err_errno(err, -r, "cannot route interrupts");
}

static struct kvm_irq_routing_entry *find(struct kvm_routes *r, uint32_t gsi)
{
	for (unsigned i = 0; r->table && i < r->table->nr; i++)
		if (r->table->entries[i].gsi == gsi)
			return &r->table->entries[i];
	return NULL;
}

static void forget(struct kvm_routes *r, struct kvm_irq_routing_entry *e)
{
	*e = r->table->entries[--r->table->nr];
}

static void fill(struct kvm_irq_routing_entry *e, uint64_t addr, uint32_t data)
{
	e->type = KVM_IRQ_ROUTING_MSI;
	e->u.msi.address_lo = (uint32_t)addr;
	e->u.msi.address_hi = (uint32_t)(addr >> 32);
	e->u.msi.data = data;
}

static int set_msi_locked(struct kvm_vm *vm, uint32_t gsi, uint64_t addr, uint32_t data)
{
	struct kvm_routes *r = &vm->routes;
	struct kvm_irq_routing_entry *e = find(r, gsi), old = { 0 };
	int result;

	if (e)
		old = *e;
	else
		e = append(r);
	e->gsi = gsi;
	fill(e, addr, data);
	result = memcmp(&old, e, sizeof(old)) ? commit(vm) : 0;
	if (result < 0 && old.type)
		*e = old;
	else if (result < 0)
		forget(r, e);
	return result;
}

int kvm_route_set_msi(struct kvm_vm *vm, int gsi, uint64_t addr, uint32_t data)
{
	int result;

	lock_take(&vm->routes.lock);
	result = set_msi_locked(vm, (uint32_t)gsi, addr, data);
	lock_drop(&vm->routes.lock);
	return result;
}

void kvm_route_remove(struct kvm_vm *vm, int gsi)
{
	struct kvm_routes *r = &vm->routes;
	struct kvm_irq_routing_entry *e;

	lock_take(&r->lock);
	e = find(r, (uint32_t)gsi);
	if (e) {
		forget(r, e);
		commit(vm);
	}
	lock_drop(&r->lock);
}

int kvm_route_add_msi(struct kvm_vm *vm, uint64_t addr, uint32_t data, struct err *err)
{
	struct kvm_routes *r = &vm->routes;
	uint32_t gsi = r->first_free;
	int result = -ENOSPC;

	lock_take(&r->lock);
	while (find(r, gsi))
		gsi++;
	if (gsi < (uint32_t)vm->sys->caps.irq_routes)
		result = set_msi_locked(vm, gsi, addr, data);
	lock_drop(&r->lock);
	if (result >= 0)
		return (int)gsi;
	if (result == -ENOSPC)
		err_set(err, ENOSPC, "KVM on this host takes at most %d interrupt routes",
			vm->sys->caps.irq_routes);
	else
		err_errno(err, -result, "cannot route a message");
	return -1;
}

int kvm_msi_signal(struct kvm_vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = (uint32_t)addr,
			       .address_hi = (uint32_t)(addr >> 32),
			       .data = data };

	return kvm_ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}
