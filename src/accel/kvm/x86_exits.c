/* accel/kvm/x86_exits.c - why an x86 vCPU came back from the kernel, beside what all do.
 * SPDX-License-Identifier: MIT */
#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/log.h"

static bool exit_hlt(struct kvm_vcpu *kv)
{
	kv->count.halts++;
	x86_kvm_get_halt(kv);
	x86_halt(kv->cpu);
	return false;
}

static bool exit_window(struct kvm_vcpu *kv)
{
	kv->count.windows++;
	return true;
}

static bool exit_rdmsr(struct kvm_vcpu *kv)
{
	kv->count.msrs++;
	kv->is_unfinished = true;
	x86_kvm_msr_exit(kv, false);
	return true;
}

static bool exit_wrmsr(struct kvm_vcpu *kv)
{
	kv->count.msrs++;
	kv->is_unfinished = true;
	x86_kvm_msr_exit(kv, true);
	return true;
}

/* CR8 is looked at after each run. */
static bool exit_set_tpr(struct kvm_vcpu *kv)
{
	kv->count.others++;
	return true;
}

static bool exit_shutdown(struct kvm_vcpu *kv)
{
	if (kv->kvm->is_half)
		return x86_kvm_half_exit(kv);
	kvm_vcpu_pull(kv->v);
	x86_triple_fault(kv->cpu);
	return false;
}

static bool exit_system_event(struct kvm_vcpu *kv)
{
	log_line("kvm: vcpu %u: system event %u", kv->v->id, kv->run->system_event.type);
	return exit_shutdown(kv);
}

static bool exit_eoi(struct kvm_vcpu *kv)
{
	kv->count.others++;
	x86_kvm_chips_eoi(kv, kv->run->eoi.vector);
	return true;
}

const struct kvm_exit_row kvm_host_exits[] = {
	{ KVM_EXIT_HLT, exit_hlt },
	{ KVM_EXIT_IRQ_WINDOW_OPEN, exit_window },
	{ KVM_EXIT_X86_RDMSR, exit_rdmsr },
	{ KVM_EXIT_X86_WRMSR, exit_wrmsr },
	{ KVM_EXIT_SET_TPR, exit_set_tpr },
	{ KVM_EXIT_IOAPIC_EOI, exit_eoi },
	{ KVM_EXIT_SHUTDOWN, exit_shutdown },
	{ KVM_EXIT_SYSTEM_EVENT, exit_system_event },
	{ 0 },
};
