/* accel/kvm/arm64_exits.c - why an arm64 vCPU came back from the kernel, beside what all do
 * (api.rst 5).
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "accel/kvm/kvm.h"
#include "base/log.h"

/* PSCI: the guest asked for it.  The vCPU is not to run on; the board sees to the others. */
static bool exit_system_event(struct kvm_vcpu *kv)
{
	const struct kvm_run *run = kv->run;
	enum arm_system_event e;
	char text[80];

	kv->count.others++;
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN: e = ARM_SYSTEM_OFF; break;
	case KVM_SYSTEM_EVENT_RESET:
		e = run->system_event.ndata && run->system_event.data[0] &
						       KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2
			    ? ARM_SYSTEM_RESET2
			    : ARM_SYSTEM_RESET;
		break;
	default:
		snprintf(text, sizeof(text), "%s, KVM's system event %" PRIu32,
			 run->system_event.type == KVM_SYSTEM_EVENT_CRASH ? "the guest has crashed"
									  : "it came back with",
			 run->system_event.type);
		kvm_vcpu_fail(kv, text);
		return false;
	}
	if (kv->cpu->on_system_event)
		kv->cpu->on_system_event(kv->cpu, e);
	return false;
}

/* An access outside memory by an instruction that the processor does not describe to a hypervisor
 * (a pair of registers, write-back, SIMD; api.rst 7.21 "KVM_CAP_ARM_NISV_TO_USER").  It has no
 * translator to do it, and gets what an absent device gives: an external abort. */
static bool exit_nisv(struct kvm_vcpu *kv)
{
	struct kvm_vcpu_events e = { .exception.ext_dabt_pending = 1 };
	char text[96];

	kv->count.others++;
	if (log_on(LOG_GUEST_ERROR))
		log_line("kvm: vcpu %u: an access at 0x%" PRIx64
			 " by an instruction that KVM cannot decode (ISS 0x%" PRIx64 ")",
			 kv->v->id, (uint64_t)kv->run->arm_nisv.fault_ipa,
			 (uint64_t)kv->run->arm_nisv.esr_iss);
	if (kvm_ioctl(kv->fd, KVM_SET_VCPU_EVENTS, &e) >= 0)
		return true;
	snprintf(text, sizeof(text), "KVM cannot decode an access at 0x%" PRIx64,
		 (uint64_t)kv->run->arm_nisv.fault_ipa);
	kvm_vcpu_fail(kv, text);
	return false;
}

const struct kvm_exit_row kvm_host_exits[] = {
	{ KVM_EXIT_SYSTEM_EVENT, exit_system_event },
	{ KVM_EXIT_ARM_NISV, exit_nisv },
	{ 0 },
};
