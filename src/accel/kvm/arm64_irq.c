/* accel/kvm/arm64_irq.c - what reaches an arm64 vCPU from outside: a reset; with an interrupt
 * controller of our own its IRQ and FIQ inputs, and the other way its timers' outputs; with one in
 * the kernel the inputs of that.
 *
 * Specification: api.rst 4.25 (KVM_IRQ_LINE), 8.5 ("KVM_CAP_ARM_USER_IRQ").
 * SPDX-License-Identifier: MIT */
#include "accel/kvm/kvm.h"
#include "base/log.h"
#include "cpu/arch.h"

enum { FIRST_PPI = 16, FIRST_SPI = 32, LAST_SPI = 1019, CPUS_PER_FIELD = 256, CPU_FIELDS = 16 };

bool arm64_kvm_irq_number(const struct kvm_caps *caps, unsigned type, unsigned cpu, unsigned intid,
			  uint32_t *out)
{
	unsigned field = cpu / CPUS_PER_FIELD;

	if (field && (!caps->irq_line_layout_2 || field >= CPU_FIELDS))
		return false;
	*out = field << KVM_ARM_IRQ_VCPU2_SHIFT | type << KVM_ARM_IRQ_TYPE_SHIFT |
	       cpu % CPUS_PER_FIELD << KVM_ARM_IRQ_VCPU_SHIFT | intid << KVM_ARM_IRQ_NUM_SHIFT;
	return true;
}

static bool set_line(const struct kvm_vm *vm, unsigned type, unsigned cpu, unsigned intid,
		     bool level)
{
	struct kvm_irq_level line = { .level = level };

	return arm64_kvm_irq_number(&vm->sys->caps, type, cpu, intid, &line.irq) &&
	       kvm_ioctl(vm->fd, KVM_IRQ_LINE, &line) >= 0;
}

bool arm64_kvm_spi_set(const struct kvm_vm *vm, unsigned intid, bool level)
{
	return intid >= FIRST_SPI && intid <= LAST_SPI &&
	       set_line(vm, KVM_ARM_IRQ_TYPE_SPI, 0, intid, level);
}

bool arm64_kvm_ppi_set(const struct kvm_vm *vm, unsigned cpu, unsigned intid, bool level)
{
	return intid >= FIRST_PPI && intid < FIRST_SPI &&
	       set_line(vm, KVM_ARM_IRQ_TYPE_PPI, cpu, intid, level);
}

/* ---- an interrupt controller of our own ---- */

static void hand_lines(struct kvm_vcpu *kv, uint32_t in)
{
	static const struct {
		uint32_t input;
		unsigned number;
	} rows[] = { { VCPU_INTR, KVM_ARM_IRQ_CPU_IRQ }, { VCPU_FIQ, KVM_ARM_IRQ_CPU_FIQ } };
	uint32_t changed = (in ^ kv->copy.lines) & (VCPU_INTR | VCPU_FIQ);

	for (unsigned i = 0; changed && i < ARRAY_SIZE(rows); i++)
		if ((changed & rows[i].input) &&
		    !set_line(&kv->kvm->vm, KVM_ARM_IRQ_TYPE_CPU, kv->v->id, rows[i].number,
			      in & rows[i].input) &&
		    log_on(LOG_INT))
			log_line("kvm: vcpu %u: interrupt input %u is refused", kv->v->id, i);
	kv->copy.lines ^= changed;
}

/* A restart has dropped them. */
void arm64_kvm_lines_renew(struct kvm_vcpu *kv)
{
	kv->copy.lines = 0;
	if (!kv->kvm->vm.gic)
		hand_lines(kv, atomic_load(&kv->v->inputs));
}

bool arm64_kvm_inputs(struct kvm_vcpu *kv)
{
	struct vcpu *v = kv->v;
	uint32_t in = atomic_load(&v->inputs);

	if ((in & VCPU_RESET) && vcpu_take_input(v, VCPU_RESET)) {
		kvm_vcpu_pull(v);
		v->arch->cpu_reset(v);
	}
	if (!kv->kvm->vm.gic)
		hand_lines(kv, in);
	return true;
}

/* Outputs whose level has changed made it come back. */
void arm64_kvm_after_run(struct kvm_vcpu *kv)
{
	static const struct {
		uint64_t bit;
		enum arm_line line;
	} rows[] = { { KVM_ARM_DEV_EL1_VTIMER, ARM_LINE_VTIMER },
		     { KVM_ARM_DEV_EL1_PTIMER, ARM_LINE_PTIMER },
		     { KVM_ARM_DEV_PMU, ARM_LINE_PMU } };
	uint64_t now = kv->run->s.regs.device_irq_level, changed = now ^ kv->copy.outputs;

	if (kv->kvm->vm.gic || !changed)
		return;
	kv->copy.outputs = now;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if ((changed & rows[i].bit) && kv->cpu->on_line)
			kv->cpu->on_line(kv->cpu, rows[i].line, now & rows[i].bit);
}
