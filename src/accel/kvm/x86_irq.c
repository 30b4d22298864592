/* accel/kvm/x86_irq.c - what reaches an x86 vCPU from outside.  With all interrupt controllers
 * ours: resets, INIT and start-up IPIs change v->cpu, NMIs and interrupts are handed to the kernel
 * when it takes them, and it is asked to come back when it would (api.rst 4.19, "interrupt
 * window").
 * SPDX-License-Identifier: MIT */
#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/log.h"

enum { MSR_APIC_BASE = 0x1b };

static bool takes_interrupts(const struct kvm_vcpu *kv)
{
	return !kv->is_ours && kv->knows_window && kv->run->ready_for_interrupt_injection &&
	       kv->run->if_flag;
}

/* False: the controller has thought better of it. */
static bool hand_interrupt(struct kvm_vcpu *kv)
{
	const struct vcpu_intc_ops *ops = kv->v->intc_ops;
	int vector = ops && ops->ack ? ops->ack(kv->v->intc) : -1;
	struct kvm_interrupt irq = { .irq = (uint32_t)vector };

	if (vector < 0)
		return false;
	if (kvm_ioctl(kv->fd, KVM_INTERRUPT, &irq) < 0 && log_on(LOG_INT))
		log_line("kvm: vcpu %u: interrupt 0x%x is refused", kv->v->id, (unsigned)vector);
	if (log_on(LOG_INT))
		log_line("kvm: vcpu %u: interrupt 0x%x", kv->v->id, (unsigned)vector);
	kv->knows_window = false; /* one at a time */
	return true;
}

/* A halt ends with what it waited for; with a spurious interrupt it goes on. */
static bool leave_halt(struct kvm_vcpu *kv)
{
	if (!kv->v->is_halted)
		return true;
	if (!x86_has_work(kv->v))
		return false;
	x86_wake(kv->cpu);
	return !kv->v->is_halted;
}

/* The local APICs are, or will be, the kernel's: what the board's ask for while the states are with
 * them goes along (x86_chips.c), or the translator sees to it. */
static bool chips_inputs(struct kvm_vcpu *kv)
{
	struct vcpu *v = kv->v;
	bool is_lent = atomic_load(&kv->kvm->chips.is_lent);
	uint32_t in = atomic_load(&v->inputs);

	if (kv->cpu->is_shut_down)
		return false;
	/* Here it would not hear of an eventfd's interrupt. */
	if (v->is_halted && !is_lent && !x86_has_work(v) &&
	    (!atomic_load(&kv->kvm->chips.has_irqfds) || kvm_round_is_on(kv)))
		return false;
	v->is_halted = false;
	if (kv->is_stepped && kv->step_how & DEBUG_STEP_NO_INTERRUPTS)
		in &= ~(uint32_t)(VCPU_NMI | VCPU_INTR);
	kv->run->request_interrupt_window = 0;
	if (in & VCPU_NMI && kv->kvm->is_half) {
		kvm_assist(kv);
		return true;
	}
	if (in & VCPU_NMI && vcpu_take_input(v, VCPU_NMI))
		kvm_ioctl_value(kv->fd, KVM_NMI, 0);
	/* The 8259's, which is ours with split: LINT0 is the kernel's, and it says when. */
	if (kv->kvm->chips.set != PC_CHIPS_LAPICS || !is_lent || !(in & VCPU_INTR))
		return true;
	if (takes_interrupts(kv)) {
		if (kv->kvm->is_half) {
			kvm_assist(kv);
			return true;
		}
		hand_interrupt(kv);
	}
	kv->run->request_interrupt_window = !!(atomic_load(&v->inputs) & VCPU_INTR);
	return true;
}

bool x86_kvm_inputs(struct kvm_vcpu *kv)
{
	const uint32_t life = VCPU_RESET | VCPU_INIT | VCPU_SIPI | VCPU_SMI | VCPU_MCE;
	struct vcpu *v = kv->v;
	uint32_t in;

	if (x86_kvm_has_lapics(kv))
		return chips_inputs(kv);
	in = atomic_load(&v->inputs);
	if (in & life) {
		kvm_vcpu_pull(v);
		x86_poll_life(kv->cpu);
		in = atomic_load(&v->inputs);
	}
	if (!leave_halt(kv))
		return false;
	if (kv->is_stepped && kv->step_how & DEBUG_STEP_NO_INTERRUPTS)
		in &= ~(uint32_t)(VCPU_NMI | VCPU_INTR);
	/* Its vectors are not the guest's: the translator enters them. */
	if (kv->kvm->is_half && in & (VCPU_NMI | VCPU_INTR)) {
		kvm_assist(kv);
		return true;
	}
	if ((in & VCPU_NMI) && vcpu_take_input(v, VCPU_NMI))
		kvm_ioctl_value(kv->fd, KVM_NMI, 0);
	kv->run->request_interrupt_window = 0;
	if (!(in & VCPU_INTR))
		return true;
	if (takes_interrupts(kv))
		hand_interrupt(kv);
	kv->run->request_interrupt_window = !!(atomic_load(&v->inputs) & VCPU_INTR);
	return true;
}

void x86_kvm_before_run(struct kvm_vcpu *kv)
{
	const struct vcpu_intc_ops *ops = kv->v->intc_ops;

	if (ops && ops->get_cr8 && !x86_kvm_has_lapics(kv))
		kv->run->cr8 = ops->get_cr8(kv->v->intc);
	x86_kvm_debug_before_run(kv);
}

void x86_kvm_after_run(struct kvm_vcpu *kv)
{
	const struct vcpu_intc_ops *ops = kv->v->intc_ops;
	uint64_t base;

	if (!ops || x86_kvm_has_lapics(kv))
		return;
	if (ops->get_cr8 && kv->run->cr8 != ops->get_cr8(kv->v->intc))
		ops->set_cr8(kv->v->intc, (uint8_t)kv->run->cr8);
	if (ops->read_msr && ops->read_msr(kv->v->intc, MSR_APIC_BASE, &base) &&
	    base != kv->run->apic_base)
		ops->write_msr(kv->v->intc, MSR_APIC_BASE, kv->run->apic_base);
}
