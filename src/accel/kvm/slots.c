/* accel/kvm/slots.c - the guest's memory as KVM sees it: a slot for each stretch of RAM and ROM.
 *
 * Only whole pages can have one; what is left of a stretch, ROM where the kernel has no read-only
 * slots, and all devices come back as exits and are done by the dispatcher.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/kvm/kvm.h"
#include "base/log.h"
#include "memory/ram.h"
#include "memory/region.h"

/* The kernel's own pages, which on arm64 are up to 64 KiB. */
uint64_t kvm_page_bytes(void)
{
	long own = sysconf(_SC_PAGESIZE);

	return own > RAM_PAGE_SIZE ? (uint64_t)own : RAM_PAGE_SIZE;
}

/* The pages of r and where they lie.  False: it has none that a slot may show. */
static bool pages_of(const struct kvm_vm *vm, const struct flat_range *r,
		     struct kvm_userspace_memory_region *out)
{
	const struct region *region = r->region;
	gpa_t first = align_up(r->start, kvm_page_bytes()); /* 0: behind the top of all */
	uint64_t at;

	if (region->kind != REGION_RAM && region->kind != REGION_ROM)
		return false;
	if (region->kind == REGION_ROM && !vm->sys->caps.readonly_mem)
		return false;
	if (first < r->start || r->last < first || r->last - first < kvm_page_bytes() - 1)
		return false;
	at = region->ram_offset + r->offset + (first - r->start);
	if (at % kvm_page_bytes())
		return false;
	*out = (struct kvm_userspace_memory_region){
		.flags = region->kind == REGION_ROM ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = first,
		.memory_size = align_down(r->last - first + 1, kvm_page_bytes()),
		.userspace_addr = (uintptr_t)region->ram->host + at,
	};
	return true;
}

static struct kvm_slot *find_free(struct kvm_vm *vm)
{
	for (unsigned i = 0; i < vm->slot_count; i++)
		if (!vm->slots[i].size)
			return &vm->slots[i];
	return NULL;
}

static void tell(struct kvm_vm *vm, const struct flat_range *r, const char *why)
{
	if (vm->is_full)
		return;
	vm->is_full = true;
	log_line("kvm: memory at 0x%" PRIx64 " has no slot, each access to it leaves the guest: %s",
		 r->start, why);
}

static bool is_logged(const struct kvm_slot *s)
{
	return !(s->flags & KVM_MEM_READONLY) &&
	       s->ram->page_flags[s->offset >> RAM_PAGE_BITS] & RAM_PAGE_LOGGED;
}

/* Needs vm->lock. */
static int set_slot(struct kvm_vm *vm, const struct kvm_slot *s, uint64_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region m = {
		.slot = (uint32_t)(s - vm->slots),
		.flags = flags,
		.guest_phys_addr = s->gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)s->ram->host + s->offset,
	};

	return kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &m);
}

/* With the log of written pages on or off.  Where the kernel does not want to keep one the slot
 * stays, and all of it counts as written whenever somebody asks.  Needs vm->lock. */
static int set_logged(struct kvm_vm *vm, struct kvm_slot *s, bool on)
{
	int result = set_slot(vm, s, s->size, s->flags | (on ? KVM_MEM_LOG_DIRTY_PAGES : 0));

	s->is_deaf = on && result < 0;
	if (s->is_deaf && !vm->has_deaf)
		log_line("kvm: the kernel does not log what is written to memory at 0x%" PRIx64
			 ", all of it counts as written: %s",
			 s->gpa, strerror(-result));
	vm->has_deaf |= s->is_deaf;
	return result;
}

void kvm_slot_add(struct kvm_vm *vm, const struct flat_range *r)
{
	struct kvm_userspace_memory_region m;
	struct kvm_slot *s;
	int result;

	if (!pages_of(vm, r, &m))
		return;
	s = find_free(vm);
	if (!s) {
		tell(vm, r, "the kernel has no more of them");
		return;
	}
	lock_take(&vm->lock);
	*s = (struct kvm_slot){ .start = r->start,
				.last = r->last,
				.gpa = m.guest_phys_addr,
				.size = m.memory_size,
				.flags = m.flags,
				.ram = r->region->ram };
	s->offset = m.userspace_addr - (uintptr_t)s->ram->host;
	result = set_logged(vm, s, is_logged(s));
	if (s->is_deaf)
		result = set_slot(vm, s, s->size, s->flags);
	if (result < 0)
		s->size = 0;
	lock_drop(&vm->lock);
	if (result < 0)
		tell(vm, r, strerror(-result));
}

static struct kvm_slot *find(struct kvm_vm *vm, const struct flat_range *r)
{
	for (unsigned i = 0; i < vm->slot_count; i++)
		if (vm->slots[i].size && vm->slots[i].start == r->start &&
		    vm->slots[i].last == r->last)
			return &vm->slots[i];
	return NULL;
}

void kvm_slot_remove(struct kvm_vm *vm, const struct flat_range *r)
{
	struct kvm_slot *s = find(vm, r);
	int result;

	if (!s)
		return;
	lock_take(&vm->lock);
	if (is_logged(s))
		kvm_dirty_sync_slot(vm, s);
	result = set_slot(vm, s, 0, 0);
	if (result < 0) {
		/* The guest would go on with memory that is soon somebody else's. */
		log_line("kvm: the kernel does not take memory at 0x%" PRIx64 " from the guest: %s",
			 s->gpa, strerror(-result));
		abort();
	}
	if (vm->ring_entries) /* rings may name it until then */
		kvm_rings_reap_locked(vm);
	s->size = 0;
	lock_drop(&vm->lock);
}

void kvm_slot_log(struct kvm_vm *vm, const struct flat_range *r, bool on)
{
	struct kvm_slot *s = find(vm, r);

	if (!s || s->flags & KVM_MEM_READONLY)
		return;
	lock_take(&vm->lock);
	set_logged(vm, s, on);
	lock_drop(&vm->lock);
}

void kvm_slot_sync(struct kvm_vm *vm, const struct flat_range *r)
{
	struct kvm_slot *s = find(vm, r);

	if (!s || s->flags & KVM_MEM_READONLY)
		return;
	lock_take(&vm->lock);
	kvm_dirty_sync_slot(vm, s);
	lock_drop(&vm->lock);
}
