/* accel/kvm/dirty.c - which pages of its slots the guest wrote: KVM's bitmap per slot, or, with
 * dirty-ring-size, a ring of page numbers per vCPU (api.rst 4.8, 8.29).  Either way what they say
 * becomes RAM_PAGE_DIRTY flags, as of stores that go through our hands.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"
#include "memory/ram.h"

/* ---- pages ---- */

/* Page n of a slot, in the host's pages.  Needs vm->lock. */
static void mark(const struct kvm_slot *s, uint64_t n)
{
	uint64_t bytes = kvm_page_bytes(), end = (n + 1) * bytes;

	if (!s->size || end > s->size)
		return;
	for (uint64_t at = n * bytes; at < end; at += RAM_PAGE_SIZE)
		if (s->ram->page_flags[(s->offset + at) >> RAM_PAGE_BITS] & RAM_PAGE_LOGGED)
			ram_page_set_flags(s->ram, s->offset + at, RAM_PAGE_DIRTY);
}

static void mark_all(const struct kvm_slot *s)
{
	for (uint64_t n = 0; n < s->size / kvm_page_bytes(); n++)
		mark(s, n);
}

/* ---- bitmaps ---- */

bool kvm_dirty_manual(struct kvm_vm *vm)
{
	return (vm->sys->caps.manual_dirty & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) &&
	       kvm_vm_enable(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			     KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
}

/* The kernel hears of pages only where it has been told that they were seen; else it forgets by
 * itself. */
static void clear(struct kvm_vm *vm, uint32_t slot, uint64_t pages, uint64_t *bits)
{
	struct kvm_clear_dirty_log c = { .slot = slot, .dirty_bitmap = bits };

	if (!vm->has_manual_dirty)
		return;
	c.num_pages = (uint32_t)pages;
	kvm_ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &c);
}

void kvm_dirty_sync_slot(struct kvm_vm *vm, const struct kvm_slot *s)
{
	uint64_t pages = s->size / kvm_page_bytes(), words = (pages + 63) / 64;
	g_autofree uint64_t *bits = NULL;
	struct kvm_dirty_log l = { .slot = (uint32_t)(s - vm->slots) };
	bool is_any = false;

	if (vm->ring_entries)
		kvm_rings_reap_locked(vm);
	if (s->is_deaf || vm->has_lost_rings)
		mark_all(s);
	if (s->is_deaf || vm->ring_entries)
		return;
	bits = g_new0(uint64_t, words);
	l.dirty_bitmap = bits;
	/* What the kernel does not tell may have been written. */
	if (kvm_ioctl(vm->fd, KVM_GET_DIRTY_LOG, &l) < 0) {
		mark_all(s);
		return;
	}
	for (uint64_t w = 0; w < words; w++) {
		for (uint64_t left = bits[w]; left; left &= left - 1)
			mark(s, w * 64 + (uint64_t)__builtin_ctzll(left));
		is_any |= bits[w] != 0;
	}
	if (is_any)
		clear(vm, l.slot, pages, bits);
}

/* ---- rings ---- */

bool kvm_rings_enable(struct kvm_vm *vm, uint64_t entries, struct err *err)
{
	const struct kvm_caps *caps = &vm->sys->caps;
	int most = caps->dirty_ring_acq_rel ? caps->dirty_ring_acq_rel : caps->dirty_ring;
	uint64_t bytes = entries * sizeof(struct kvm_dirty_gfn);

	if (entries & (entries - 1))
		return err_set(err, 0, "dirty-ring-size=%llu: not a power of two",
			       (unsigned long long)entries);
	if (!most)
		return err_set(err, 0, "dirty-ring-size=%llu: this kernel's KVM has no dirty rings",
			       (unsigned long long)entries);
	if (bytes > (uint64_t)most || bytes < kvm_page_bytes())
		return err_set(
			err, 0, "dirty-ring-size=%llu: the kernel takes %llu to %llu entries",
			(unsigned long long)entries,
			(unsigned long long)(kvm_page_bytes() / sizeof(struct kvm_dirty_gfn)),
			(unsigned long long)((unsigned)most / sizeof(struct kvm_dirty_gfn)));
	if (!kvm_vm_enable(vm,
			   caps->dirty_ring_acq_rel ? KVM_CAP_DIRTY_LOG_RING_ACQ_REL
						    : KVM_CAP_DIRTY_LOG_RING,
			   bytes))
		return err_set(err, 0, "dirty-ring-size=%llu: the kernel refuses dirty rings",
			       (unsigned long long)entries);
	vm->ring_entries = (uint32_t)entries;
	return true;
}

bool kvm_ring_open(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_vm *vm = &kv->kvm->vm;
	size_t bytes = vm->ring_entries * sizeof(struct kvm_dirty_gfn);
	void *p;

	if (!bytes)
		return true;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kv->fd,
		 KVM_DIRTY_LOG_PAGE_OFFSET * (off_t)kvm_page_bytes());
	if (p == MAP_FAILED)
		return err_errno(err, errno, "cannot map the dirty ring of CPU %u", kv->v->id);
	lock_take(&vm->lock);
	kv->ring = (struct kvm_ring){ .gfns = p, .link = vm->rings };
	vm->rings = &kv->ring;
	lock_drop(&vm->lock);
	return true;
}

void kvm_ring_close(struct kvm_vcpu *kv)
{
	struct kvm_vm *vm = &kv->kvm->vm;
	struct kvm_ring **at = &vm->rings;

	if (!kv->ring.gfns)
		return;
	lock_take(&vm->lock);
	kvm_rings_reap_locked(vm);
	while (*at != &kv->ring)
		at = &(*at)->link;
	*at = kv->ring.link;
	lock_drop(&vm->lock);
	munmap(kv->ring.gfns, vm->ring_entries * sizeof(struct kvm_dirty_gfn));
	kv->ring.gfns = NULL;
}

static unsigned reap(struct kvm_vm *vm, struct kvm_ring *r)
{
	unsigned n = 0;

	for (;; n++) {
		struct kvm_dirty_gfn *g = &r->gfns[r->next % vm->ring_entries];
		uint32_t slot;

		if (!(__atomic_load_n(&g->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			return n;
		slot = g->slot & 0xffff; /* above it: which address space, of which there is one */
		if (slot < vm->slot_count)
			mark(&vm->slots[slot], g->offset);
		__atomic_store_n(&g->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		r->next++;
	}
}

void kvm_rings_reap_locked(struct kvm_vm *vm)
{
	unsigned n = 0;
	int result = 0;

	for (struct kvm_ring *r = vm->rings; r; r = r->link)
		n += reap(vm, r);
	if (n)
		result = kvm_ioctl_value(vm->fd, KVM_RESET_DIRTY_RINGS, 0);
	if (result >= 0 || vm->has_lost_rings)
		return;
	/* Pages that were told are not protected again: stores to them go by unseen. */
	vm->has_lost_rings = true;
	log_line("kvm: the kernel does not reset dirty rings, all memory counts as written: %s",
		 strerror(-result));
}

bool kvm_ring_full(struct kvm_vcpu *kv)
{
	struct kvm_vm *vm = &kv->kvm->vm;

	lock_take(&vm->lock);
	kvm_rings_reap_locked(vm);
	lock_drop(&vm->lock);
	return true;
}

static void nothing(struct vcpu *v, void *opaque)
{
	(void)v;
	(void)opaque;
}

/* What processors keep for themselves is in the rings when they have left the guest. */
void kvm_dirty_before(struct memory_listener *l)
{
	struct kvm_accel *k = container_of(l, struct kvm_accel, listener);

	if (!k->vm.ring_entries)
		return;
	for (struct kvm_vcpu *kv = k->rounds.vcpus; kv; kv = kv->next)
		vcpu_run_sync(kv->v, nothing, NULL);
}
