/* accel/kvm/x86_clock.c - KVM's paravirtual clock stands while the machine does
 * (api.rst 4.29, 4.30).
 *
 * The machine's clock knows for how long: the host's monotonic clock goes on meanwhile.
 * SPDX-License-Identifier: MIT */
#include "accel/kvm/kvm.h"
#include "arch/x86/cpuid.h"
#include "event/clock.h"

enum { LEAST_NS = 1000 * 1000 }; /* of a stop; less is how long it takes to look */

/* How long it stood since a vCPU looked last.  Needs vm->lock. */
static int64_t stood(struct kvm_accel *k, const struct vclock *clock)
{
	int64_t now = clock_host_ns() - vclock_now(clock), gap = now - k->clock_stood_ns;

	if (!k->has_clock_stood) {
		k->has_clock_stood = true;
		k->clock_stood_ns = now;
		return 0;
	}
	if (gap < LEAST_NS)
		return 0;
	k->clock_stood_ns = now;
	return gap;
}

void x86_kvm_clock_resume(struct kvm_vcpu *kv)
{
	struct kvm_accel *k = kv->kvm;
	struct kvm_clock_data data = { 0 };
	int64_t gap;

	if (!k->sys.caps.adjust_clock || !x86_has(kv->cpu, X86_FEAT_KVMCLOCK) || !kv->v->clock)
		return;
	lock_take(&k->vm.lock);
	gap = stood(k, kv->v->clock);
	if (gap && kvm_ioctl(k->vm.fd, KVM_GET_CLOCK, &data) >= 0) {
		data.clock = data.clock > (uint64_t)gap ? data.clock - (uint64_t)gap : 0;
		data.flags = 0;
		kvm_ioctl(k->vm.fd, KVM_SET_CLOCK, &data);
		k->clock_stops++;
	}
	gap = kv->clock_stops != k->clock_stops;
	kv->clock_stops = k->clock_stops;
	lock_drop(&k->vm.lock);
	/* The guest is told, so that its watchdogs do not wonder; it may have no clock yet. */
	if (gap)
		kvm_ioctl_value(kv->fd, KVM_KVMCLOCK_CTRL, 0);
}
