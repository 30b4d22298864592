/* tests/unit/accel/kvm_half_test.c - CPUID at level 3 where KVM runs without hardware: it comes to
 * the translator, and the guest does not hear how.
 * SPDX-License-Identifier: MIT */
#include "kvm_rig.h"

#include "arch/x86/sys.h"

enum { MSR_PLATFORM_INFO = 0xce, MSR_MISC_FEATURES = 0x140 };

static uint64_t kernels(uint32_t msr)
{
	struct {
		uint32_t count, pad; /* struct kvm_msrs with an entry */
		struct kvm_msr_entry entry;
	} l = { .count = 1, .entry = { .index = msr } };

	g_assert_cmpint(kvm_ioctl(rig_kv->fd, KVM_GET_MSRS, &l), ==, 1);
	return l.entry.data;
}

static void test_faulting_is_hidden(void)
{
	uint64_t v = 1;

	for (unsigned i = 0; i < 2; i++) {
		rig_kv->is_ours = i; /* an access in KVM comes here too */
		g_assert_cmpuint(kernels(MSR_MISC_FEATURES), ==, 1);
		g_assert_true(x86_msr_read(rig.cpu, MSR_MISC_FEATURES, &v));
		g_assert_cmpuint(v, ==, 0);
		g_assert_true(x86_msr_write(rig.cpu, MSR_MISC_FEATURES, 0)); /* Linux does */
		g_assert_false(x86_msr_write(rig.cpu, MSR_MISC_FEATURES, 1));
		g_assert_false(x86_msr_read(rig.cpu, MSR_PLATFORM_INFO, &v));
		rig.cpu->env.fault = 0;
		g_assert_cmpuint(kernels(MSR_MISC_FEATURES), ==, 1);
	}
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int status;

	g_test_init(&argc, &argv, NULL);
	if (!rig_begin("kvm,kernel-irqchip=off", &err)) {
		g_print("1..0 # SKIP %s\n", err.text);
		return 0;
	}
	if (!rig_kv->kvm->has_cpuid_faults) {
		g_print("1..0 # SKIP no use is made of CPUID faulting here\n");
		rig_end();
		return 0;
	}
	g_test_add_func("/accel/kvm/half/faulting_is_hidden", test_faulting_is_hidden);
	status = g_test_run();
	rig_end();
	return status;
}
