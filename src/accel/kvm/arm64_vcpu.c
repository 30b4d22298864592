/* accel/kvm/arm64_vcpu.c - an arm64 vCPU: what it is made with, its events and power, its state as
 * a whole.
 *
 * PSCI is the kernel's (version 0.2 and later): a vCPU that is off waits in KVM_RUN until another
 * one switches it on.  That it is off is told as its power state (KVM_SET_MP_STATE) and not as the
 * feature KVM_ARM_VCPU_POWER_OFF: restarts must name the same features in older kernels.
 *
 * Specification: api.rst 4.38 (power), 4.82 (features), 4.83 (target), 4.31 (events),
 * "KVM_ARM_VCPU_FINALIZE".
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

/* ---- features ---- */

/* What must be asked for with a feature, and what the kernel must have for it. */
static const struct {
	uint32_t feature;
	const char *name;
	unsigned bits[2];
	size_t caps[2]; /* in struct kvm_caps */
	const char *needed;
} feature_rows[] = {
	{ ARM_FEAT_PMU,
	  "pmu",
	  { KVM_ARM_VCPU_PMU_V3, KVM_ARM_VCPU_PMU_V3 },
	  { offsetof(struct kvm_caps, pmu_v3), offsetof(struct kvm_caps, pmu_v3) },
	  "KVM_CAP_ARM_PMU_V3" },
	{ ARM_FEAT_SVE,
	  "sve",
	  { KVM_ARM_VCPU_SVE, KVM_ARM_VCPU_SVE },
	  { offsetof(struct kvm_caps, sve), offsetof(struct kvm_caps, sve) },
	  "KVM_CAP_ARM_SVE" },
	{ ARM_FEAT_PAUTH,
	  "pauth",
	  { KVM_ARM_VCPU_PTRAUTH_ADDRESS, KVM_ARM_VCPU_PTRAUTH_GENERIC },
	  { offsetof(struct kvm_caps, ptrauth_address),
	    offsetof(struct kvm_caps, ptrauth_generic) },
	  "KVM_CAP_ARM_PTRAUTH_ADDRESS and _GENERIC" },
};

static bool features(const struct kvm_vcpu *kv, struct kvm_vcpu_init *init, struct err *err)
{
	const char *caps = (const char *)&kv->kvm->sys.caps;

	init->features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2;
	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
		if (!(kv->cpu->features & feature_rows[i].feature))
			continue;
		for (unsigned n = 0; n < 2; n++) {
			int cap;

			memcpy(&cap, caps + feature_rows[i].caps[n], sizeof(cap));
			if (!cap)
				return err_set(err, 0,
					       "CPU feature '%s': KVM on this host lacks %s",
					       feature_rows[i].name, feature_rows[i].needed);
			init->features[0] |= 1u << feature_rows[i].bits[n];
		}
	}
	return true;
}

/* Starts or restarts the kernel's vCPU; each time with the same features. */
static bool restart(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_vcpu_init init = { 0 };
	int r = kvm_ioctl(kv->kvm->vm.fd, KVM_ARM_PREFERRED_TARGET, &init);

	if (r < 0)
		return err_errno(err, -r, "KVM has no processor to offer to CPU %u", kv->v->id);
	memset(init.features, 0, sizeof(init.features));
	if (!features(kv, &init, err))
		return false;
	r = kvm_ioctl(kv->fd, KVM_ARM_VCPU_INIT, &init);
	return r >= 0 || err_errno(err, -r, "KVM cannot start CPU %u", kv->v->id);
}

/* Vector lengths are chosen before, and what depends on them is there after. */
static bool finalize_sve(struct kvm_vcpu *kv, struct err *err)
{
	uint64_t lengths[KVM_ARM64_SVE_VLS_WORDS] = { kv->cpu->sve_lengths };
	struct kvm_one_reg one = { .id = KVM_REG_ARM64_SVE_VLS, .addr = (uintptr_t)lengths };
	int what = KVM_ARM_VCPU_SVE, r;

	if (kv->cpu->sve_lengths) {
		r = kvm_ioctl(kv->fd, KVM_SET_ONE_REG, &one);
		if (r < 0)
			return err_errno(
				err, -r,
				"CPU feature 'sve': the host has not these vector lengths");
	}
	r = kvm_ioctl(kv->fd, KVM_ARM_VCPU_FINALIZE, &what);
	return r >= 0 || err_errno(err, -r, "CPU feature 'sve': KVM cannot start it");
}

/* ---- events, power ---- */

static void events_to_cpu(struct arm_cpu *c, const struct kvm_vcpu_events *e)
{
	c->serror.is_pending = e->exception.serror_pending;
	c->serror.has_syndrome = e->exception.serror_has_esr;
	c->serror.syndrome = e->exception.serror_has_esr ? e->exception.serror_esr : 0;
}

static void events_from_cpu(const struct kvm_vcpu *kv, struct kvm_vcpu_events *e)
{
	const struct arm_cpu *c = kv->cpu;

	*e = (struct kvm_vcpu_events){ 0 };
	e->exception.serror_pending = c->serror.is_pending;
	if (!c->serror.is_pending || !c->serror.has_syndrome || !kv->kvm->sys.caps.serror_esr)
		return;
	e->exception.serror_has_esr = 1;
	e->exception.serror_esr = c->serror.syndrome;
}

static bool load_rest(struct kvm_vcpu *kv, struct err *err)
{
	const struct kvm_caps *caps = &kv->kvm->sys.caps;
	struct kvm_mp_state mp = { 0 };
	int r;

	memset(&kv->copy.events, 0, sizeof(kv->copy.events));
	if (caps->vcpu_events) {
		r = kvm_ioctl(kv->fd, KVM_GET_VCPU_EVENTS, &kv->copy.events);
		if (r < 0)
			return err_errno(err, -r, "cannot get the vCPU's events");
	}
	r = kvm_ioctl(kv->fd, KVM_GET_MP_STATE, &mp);
	kv->copy.mp_state = mp.mp_state;
	return r >= 0 || err_errno(err, -r, "cannot get the vCPU's power state");
}

static bool put_rest(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_mp_state mp = { .mp_state = kv->cpu->is_off ? KVM_MP_STATE_STOPPED
							       : KVM_MP_STATE_RUNNABLE };
	struct kvm_vcpu_events e;
	int r;

	events_from_cpu(kv, &e);
	if (kv->kvm->sys.caps.vcpu_events && memcmp(&e, &kv->copy.events, sizeof(e))) {
		r = kvm_ioctl(kv->fd, KVM_SET_VCPU_EVENTS, &e);
		if (r < 0)
			return err_errno(err, -r, "cannot set the vCPU's events");
		kv->copy.events = e;
	}
	if (mp.mp_state == kv->copy.mp_state)
		return true;
	r = kvm_ioctl(kv->fd, KVM_SET_MP_STATE, &mp);
	kv->copy.mp_state = mp.mp_state;
	return r >= 0 || err_errno(err, -r, "cannot set the vCPU's power state");
}

/* ---- its outputs ---- */

static bool set_attr(struct kvm_vcpu *kv, uint32_t group, uint64_t attr, const int *value,
		     const char *what, struct err *err)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };
	int r = kvm_ioctl(kv->fd, KVM_SET_DEVICE_ATTR, &a);

	return r >= 0 || err_errno(err, -r, "CPU %u: cannot %s", kv->v->id, what);
}

/* The kernel takes the timers' numbers before any vCPU has run only, and with its interrupt
 * controller, which therefore is made before vCPUs are. */
static bool set_timers(struct kvm_vcpu *kv, struct err *err)
{
	int vtimer = kv->cpu->ppi[ARM_LINE_VTIMER], ptimer = kv->cpu->ppi[ARM_LINE_PTIMER];

	return (!vtimer || set_attr(kv, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_VTIMER,
				    &vtimer, "set the virtual timer's interrupt", err)) &&
	       (!ptimer || set_attr(kv, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER_IRQ_PTIMER,
				    &ptimer, "set the physical timer's interrupt", err));
}

/* Performance monitors want an interrupt controller that was started, with all vCPUs there. */
bool arm64_kvm_vcpu_prepare(struct kvm_vcpu *kv, struct err *err)
{
	int pmu = kv->cpu->ppi[ARM_LINE_PMU];

	if (!kv->kvm->vm.gic && !kv->kvm->sys.caps.user_irq)
		return err_set(err, 0,
			       "KVM on this host lacks KVM_CAP_ARM_USER_IRQ: the interrupt "
			       "controller must be the kernel's");
	if (!(kv->cpu->features & ARM_FEAT_PMU))
		return true;
	if (kv->kvm->vm.gic && !set_attr(kv, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ,
					 &pmu, "set the performance monitors' interrupt", err))
		return false;
	return set_attr(kv, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL,
			"start the performance monitors", err);
}

/* ---- all of it ---- */

bool arm64_kvm_vcpu_init(struct kvm_vcpu *kv, struct err *err)
{
	kv->copy.resets = kv->cpu->resets;
	return restart(kv, err) && (!(kv->cpu->features & ARM_FEAT_SVE) || finalize_sve(kv, err)) &&
	       (!kv->kvm->vm.gic || set_timers(kv, err)) && arm64_kvm_regs_init(kv, err) &&
	       load_rest(kv, err);
}

void arm64_kvm_vcpu_fini(struct kvm_vcpu *kv) { arm64_kvm_regs_fini(kv); }

bool arm64_kvm_get(struct kvm_vcpu *kv, struct err *err)
{
	if (!arm64_kvm_regs_get(kv, err) || !load_rest(kv, err))
		return false;
	kv->count.pulls++;
	events_to_cpu(kv->cpu, &kv->copy.events);
	kv->cpu->is_off = kv->copy.mp_state == KVM_MP_STATE_STOPPED;
	return true;
}

bool arm64_kvm_put(struct kvm_vcpu *kv, struct err *err)
{
	kv->count.pushes++;
	if (kv->copy.resets != kv->cpu->resets) {
		if (!restart(kv, err) || !arm64_kvm_regs_reload(kv, err) || !load_rest(kv, err))
			return false;
		kv->copy.resets = kv->cpu->resets;
		arm64_kvm_lines_renew(kv);
	}
	return arm64_kvm_regs_put(kv, err) && put_rest(kv, err);
}
