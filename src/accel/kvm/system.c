/* accel/kvm/system.c - /dev/kvm: its version, its limits, what it can do.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

enum { API_VERSION = 12 };

/* What is asked, where the answer goes, and what is missing if it must be there. */
static const struct {
	int cap;
	uint32_t offset;
	const char *needed;
} cap_rows[] = {
#define CAP(id, member, needed)                                         \
	{                                                               \
		KVM_CAP_##id, offsetof(struct kvm_caps, member), needed \
	}
	CAP(NR_VCPUS, nr_vcpus, NULL),
	CAP(MAX_VCPUS, max_vcpus, NULL),
	CAP(MAX_VCPU_ID, max_vcpu_id, NULL),
	CAP(NR_MEMSLOTS, nr_slots, NULL),
	CAP(READONLY_MEM, readonly_mem, NULL),
	CAP(IMMEDIATE_EXIT, immediate_exit, "KVM_CAP_IMMEDIATE_EXIT (Linux 4.13)"),
	CAP(IRQCHIP, irqchip, NULL),
	CAP(SET_GUEST_DEBUG2, guest_debug_flags, NULL),
	CAP(MANUAL_DIRTY_LOG_PROTECT2, manual_dirty, NULL),
	CAP(DIRTY_LOG_RING, dirty_ring, NULL),
	CAP(DIRTY_LOG_RING_ACQ_REL, dirty_ring_acq_rel, NULL),
#ifdef __x86_64__
	CAP(VCPU_EVENTS, vcpu_events, "KVM_CAP_VCPU_EVENTS (Linux 2.6.33)"),
	CAP(XSAVE, xsave, "KVM_CAP_XSAVE (Linux 2.6.36)"),
	CAP(XCRS, xcrs, NULL),
	CAP(DEBUGREGS, debugregs, NULL),
	CAP(INTR_SHADOW, intr_shadow, NULL),
	CAP(USER_NMI, user_nmi, "KVM_CAP_USER_NMI (Linux 2.6.26)"),
	CAP(GET_TSC_KHZ, tsc_khz, "KVM_CAP_GET_TSC_KHZ (Linux 2.6.39)"),
	CAP(TSC_CONTROL, tsc_control, NULL),
	CAP(TSC_DEADLINE_TIMER, tsc_deadline, NULL),
	CAP(MCE, mce, NULL),
	CAP(X86_USER_SPACE_MSR, user_msr, NULL),
	CAP(X86_MSR_FILTER, msr_filter, NULL),
	CAP(EXIT_ON_EMULATION_FAILURE, exit_on_emulation_failure, NULL),
	CAP(SPLIT_IRQCHIP, split_irqchip, NULL),
	CAP(SREGS2, sregs2, NULL),
	CAP(ADJUST_CLOCK, adjust_clock, NULL),
	CAP(PIT2, pit2, NULL),
	CAP(PIT_STATE2, pit_state2, NULL),
	CAP(REINJECT_CONTROL, reinject_control, NULL),
	CAP(MP_STATE, mp_state, NULL),
	CAP(X2APIC_API, x2apic_api, NULL),
#endif
#ifdef __aarch64__
	CAP(VCPU_EVENTS, vcpu_events, NULL),
	CAP(ONE_REG, one_reg, "KVM_CAP_ONE_REG (Linux 3.6)"),
	CAP(MP_STATE, mp_state, "KVM_CAP_MP_STATE (Linux 4.1)"),
	CAP(ARM_PSCI_0_2, psci_0_2, "KVM_CAP_ARM_PSCI_0_2 (Linux 3.16)"),
	CAP(DEVICE_CTRL, device_ctrl, NULL),
	CAP(ARM_PMU_V3, pmu_v3, NULL),
	CAP(ARM_SVE, sve, NULL),
	CAP(ARM_PTRAUTH_ADDRESS, ptrauth_address, NULL),
	CAP(ARM_PTRAUTH_GENERIC, ptrauth_generic, NULL),
	CAP(ARM_VM_IPA_SIZE, ipa_bits, NULL),
	CAP(ARM_USER_IRQ, user_irq, NULL),
	CAP(ARM_IRQ_LINE_LAYOUT_2, irq_line_layout_2, NULL),
	CAP(ARM_NISV_TO_USER, nisv_to_user, NULL),
	CAP(ARM_INJECT_EXT_DABT, inject_ext_dabt, NULL),
	CAP(ARM_INJECT_SERROR_ESR, serror_esr, NULL),
	CAP(GUEST_DEBUG_HW_BPS, hw_bps, NULL),
	CAP(GUEST_DEBUG_HW_WPS, hw_wps, NULL),
#endif
	CAP(SIGNAL_MSI, signal_msi, NULL),
	CAP(IRQ_ROUTING, irq_routes, NULL),
	CAP(IRQFD, irqfd, NULL),
	CAP(IRQFD_RESAMPLE, irqfd_resample, NULL),
	CAP(IOEVENTFD, ioeventfd, NULL),
	CAP(IOEVENTFD_ANY_LENGTH, ioeventfd_any_length, NULL),
	CAP(COALESCED_MMIO, coalesced_mmio, NULL),
	CAP(COALESCED_PIO, coalesced_pio, NULL),
#undef CAP
};

static bool ask_caps(struct kvm_system *s, struct err *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cap_rows); i++) {
		int *out = (int *)(void *)((char *)&s->caps + cap_rows[i].offset);
		int answer = kvm_ioctl_value(s->fd, KVM_CHECK_EXTENSION,
					     (unsigned long)cap_rows[i].cap);

		*out = answer > 0 ? answer : 0;
		if (!*out && cap_rows[i].needed)
			return err_set(err, 0, "this kernel's KVM lacks %s", cap_rows[i].needed);
	}
	/* What kernels that do not say so have (api.rst 4.4). */
	if (!s->caps.nr_vcpus)
		s->caps.nr_vcpus = 4;
	if (!s->caps.max_vcpus)
		s->caps.max_vcpus = s->caps.nr_vcpus;
	if (!s->caps.max_vcpu_id)
		s->caps.max_vcpu_id = s->caps.max_vcpus;
	if (!s->caps.nr_slots)
		s->caps.nr_slots = 32;
	return true;
}

static bool no_permission(const struct stat *st, int error, struct err *err)
{
	const struct group *g = getgrgid(st->st_gid);
	char number[16];
	const char *name = g ? g->gr_name : number;

	snprintf(number, sizeof(number), "%u", (unsigned)st->st_gid);
	if (st->st_gid && (st->st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP))
		return err_set(err, error,
			       "no permission to open /dev/kvm, which is group %s's: become a "
			       "member (sudo usermod -aG %s USER, and log in again)",
			       name, name);
	return err_set(err, error,
		       "no permission to open /dev/kvm, which is its owner's alone: give it to a "
		       "group (sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm) and become a "
		       "member (sudo usermod -aG kvm USER, and log in again)");
}

static bool open_failed(struct err *err)
{
	int error = errno;
	struct stat st;

	if (error == ENOENT)
		return err_set(err, error,
			       "there is no /dev/kvm: the kernel's modules (%s) are not loaded, or "
			       "the processor has no virtualization, or the firmware has it "
			       "switched off",
			       kvm_host.modules);
	if ((error == EACCES || error == EPERM) && stat("/dev/kvm", &st) == 0)
		return no_permission(&st, error, err);
	return err_errno(err, error, "cannot open /dev/kvm");
}

bool kvm_system_open(struct kvm_system *s, struct err *err)
{
	int version;

	*s = (struct kvm_system){ .fd = open("/dev/kvm", O_RDWR | O_CLOEXEC) };
	if (s->fd < 0)
		return open_failed(err);
	version = kvm_ioctl_value(s->fd, KVM_GET_API_VERSION, 0);
	s->run_bytes = kvm_ioctl_value(s->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (version == -ENOTTY)
		err_set(err, ENOTTY, "/dev/kvm is not KVM's");
	else if (version != API_VERSION)
		err_set(err, 0, "/dev/kvm speaks version %d of its interface, not %d", version,
			API_VERSION);
	else if (s->run_bytes < (int)sizeof(struct kvm_run))
		err_set(err, 0, "/dev/kvm gives no vCPU's mapping a size");
	else if (ask_caps(s, err))
		return true;
	kvm_system_close(s);
	return false;
}

void kvm_system_close(struct kvm_system *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
