/* accel/kvm/coalesced.c - stores that may wait: the kernel keeps those to regions that say so
 * (region_set_coalesced()) in a ring instead of leaving the guest for each (api.rst 4.116,
 * KVM_REGISTER_COALESCED_MMIO).
 *
 * One ring for all vCPUs, a page of each one's mapping.  It is emptied in its order before anything
 * that a vCPU came back for is done, and by whoever looks at such a region (memory_flush_stores()).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "accel/kvm/kvm.h"
#include "base/log.h"
#include "memory/region.h"

static void tell_zone(struct kvm_vm *vm, const struct flat_range *r, bool is_port, bool is_on)
{
	const struct kvm_caps *c = &vm->sys->caps;
	struct kvm_coalesced_mmio_zone z = { .addr = r->start,
					     .size = (uint32_t)(r->last - r->start + 1),
					     .pio = is_port };
	int result;

	if (r->region->kind != REGION_IO || !r->region->is_coalesced || !c->coalesced_mmio ||
	    (is_port && !c->coalesced_pio) || r->last - r->start >= UINT32_MAX)
		return;
	result = kvm_ioctl(vm->fd,
			   is_on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &z);
	if (result < 0 && log_on(LOG_UNIMP))
		log_line("kvm: stores at 0x%llx do not wait: %s", (unsigned long long)r->start,
			 strerror(-result));
	if (result >= 0 && is_on)
		atomic_store(&vm->has_zones, true);
}

void kvm_zone_add(struct kvm_vm *vm, const struct flat_range *r, bool is_port)
{
	tell_zone(vm, r, is_port, true);
}

void kvm_zone_remove(struct kvm_vm *vm, const struct flat_range *r, bool is_port)
{
	tell_zone(vm, r, is_port, false);
}

void kvm_coalesced_init(struct kvm_accel *k)
{
	lock_init(&k->stores_lock, LOCK_DEVICE - 2, "kvm stores");
	k->flusher.flush = kvm_coalesced_flush;
}

void kvm_coalesced_fini(struct kvm_accel *k) { lock_fini(&k->stores_lock); }

/* Look at it in that mapping from now on; NULL: in none. */
static void show_ring(struct kvm_accel *k, struct kvm_run *run)
{
	uint64_t at = (uint64_t)k->sys.caps.coalesced_mmio * kvm_page_bytes();

	lock_take(&k->stores_lock);
	k->ring = run ? (struct kvm_coalesced_mmio_ring *)(void *)((char *)run + at) : NULL;
	lock_drop(&k->stores_lock);
}

void kvm_coalesced_attach(struct kvm_accel *k, struct kvm_run *run)
{
	uint64_t page = (uint64_t)k->sys.caps.coalesced_mmio;

	if (k->has_ring || !page || (page + 1) * kvm_page_bytes() > (uint64_t)k->sys.run_bytes)
		return;
	k->has_ring = true;
	show_ring(k, run);
	memory_flusher_add(&k->flusher);
}

void kvm_coalesced_detach(struct kvm_accel *k)
{
	const struct kvm_vcpu *other = k->rounds.vcpus;

	if (!k->has_ring)
		return;
	kvm_coalesced_drain(k);
	show_ring(k, other ? other->run : NULL);
	k->has_ring = other;
	if (!other)
		memory_flusher_remove(&k->flusher);
}

static void store(struct kvm_accel *k, const struct kvm_coalesced_mmio *e)
{
	struct address_space *as = e->pio ? k->io_listened : k->listened;
	uint32_t len = e->len <= sizeof(e->data) ? e->len : sizeof(e->data);

	for (uint32_t done = 0, n; as && done < len; done += n) {
		uint64_t v = 0;

		n = len - done >= 8 ? 8 : len - done >= 4 ? 4 : len - done >= 2 ? 2 : 1;
		memcpy(&v, e->data + done, n);
		address_space_write(as, e->phys_addr + done, n, v);
	}
}

void kvm_coalesced_drain(struct kvm_accel *k)
{
	struct kvm_coalesced_mmio_ring *r;
	uint32_t room;
	struct kvm_coalesced_mmio e;

	if (likely(!atomic_load(&k->vm.has_zones)))
		return;
	lock_take(&k->stores_lock);
	r = k->ring;
	room = (uint32_t)((kvm_page_bytes() - sizeof(*r)) / sizeof(r->coalesced_mmio[0]));
	while (r && r->first != __atomic_load_n(&r->last, __ATOMIC_ACQUIRE)) {
		e = r->coalesced_mmio[r->first % room];
		__atomic_store_n(&r->first, (r->first + 1) % room, __ATOMIC_RELEASE);
		store(k, &e);
	}
	lock_drop(&k->stores_lock);
}

void kvm_coalesced_flush(struct memory_flusher *f)
{
	kvm_coalesced_drain(container_of(f, struct kvm_accel, flusher));
}
