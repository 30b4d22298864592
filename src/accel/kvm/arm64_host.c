/* accel/kvm/arm64_host.c - what arm64 hosts do their own way.
 *
 * Specification: api.rst 4.2 (size of guest-physical addresses).
 * SPDX-License-Identifier: MIT */
#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

/* What a VM has whose type says nothing. */
enum { IPA_BITS = 40, LEAST_IPA_BITS = 32 };

static bool can_start(struct err *err)
{
	return err_set(err, 0,
		       "KVM on AArch64 hosts runs AArch64 guests, and this build of rhea has none "
		       "yet; use -accel tcg");
}

/* ---- guest-physical addresses ---- */

static unsigned most_bits(const struct kvm_caps *caps)
{
	return caps->ipa_bits ? (unsigned)caps->ipa_bits : IPA_BITS;
}

bool arm64_kvm_vm_type(const struct kvm_caps *caps, unsigned bits, unsigned long *out,
		       struct err *err)
{
	if (bits > most_bits(caps))
		return err_set(err, 0,
			       "the machine needs guest-physical addresses of %u bits, KVM on this "
			       "host has %u: give it less memory",
			       bits, most_bits(caps));
	/* Kernels without the capability know no type but 0. */
	*out = caps->ipa_bits ? KVM_VM_TYPE_ARM_IPA_SIZE(MAX(bits, (unsigned)LEAST_IPA_BITS)) : 0;
	return true;
}

/* More bits cost a level of tables at each walk: a machine that needs them would have to ask. */
static unsigned long vm_type(const struct kvm_system *sys)
{
	unsigned long type = 0;
	struct err err;

	arm64_kvm_vm_type(&sys->caps, MIN(most_bits(&sys->caps), (unsigned)IPA_BITS), &type, &err);
	return type;
}

/* Without the second capability there is nothing that we could do with what the first reports. */
static bool vm_init(struct kvm_vm *vm, bool wants_assist, struct err *err)
{
	(void)wants_assist;
	(void)err;
	if (vm->sys->caps.nisv_to_user && vm->sys->caps.inject_ext_dabt)
		kvm_vm_enable(vm, KVM_CAP_ARM_NISV_TO_USER, 0);
	return true;
}

const struct kvm_host_ops kvm_host = {
	.guest = "aarch64",
	.modules = "kvm",
	.can_start = can_start,
	.vm_type = vm_type,
	.vm_init = vm_init,
	.vm_fini = arm64_kvm_gic_free,
	.vcpu_init = arm64_kvm_vcpu_init,
	.vcpu_fini = arm64_kvm_vcpu_fini,
	.prepare = arm64_kvm_vcpu_prepare,
	.get = arm64_kvm_get,
	.put = arm64_kvm_put,
	.inputs = arm64_kvm_inputs,
	.before_run = arm64_kvm_debug_before_run,
	.after_run = arm64_kvm_after_run,
	.debug_exit = arm64_kvm_debug_exit,
	.break_insn = { 0x00, 0x00, 0x20, 0xd4 }, /* BRK #0 */
	.break_bytes = 4,
};

/* ---- how fast it is ---- */

/* There is no KVM on arm64 but with EL2. */
bool kvm_host_has_hardware(void) { return true; }

bool kvm_is_fast(struct err *err)
{
	struct kvm_system s;

	if (!can_start(err) || !kvm_system_open(&s, err))
		return false;
	kvm_system_close(&s);
	return true;
}

char *kvm_explain(void)
{
	GString *text = g_string_new(NULL);
	struct kvm_system s;
	struct err err;

	can_start(&err);
	g_string_append_printf(text, "not usable: %s\n", err.text);
	if (!kvm_system_open(&s, &err)) {
		g_string_append_printf(text, "%s\n", err.text);
		return g_string_free(text, FALSE);
	}
	g_string_append_printf(text,
			       "/dev/kvm opens; up to %d CPUs (%d recommended), %d memory slots, "
			       "guest-physical addresses of %u bits\n",
			       s.caps.max_vcpus, s.caps.nr_vcpus, s.caps.nr_slots,
			       most_bits(&s.caps));
	kvm_system_close(&s);
	return g_string_free(text, FALSE);
}
