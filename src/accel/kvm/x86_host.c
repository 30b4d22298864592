/* accel/kvm/x86_host.c - what x86 hosts do their own way.
 * SPDX-License-Identifier: MIT */
#include <glib.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/sys.h"
#include "base/err.h"
#include "base/log.h"

enum { MSR_MCG_CAP = 0x179 };

static unsigned long vm_type(const struct kvm_system *sys)
{
	(void)sys;
	return 0;
}

static void started(struct kvm_accel *k)
{
	if (k->is_slow)
		x86_kvm_try(k);
}

static void probe_msrs(struct kvm_vcpu *kv)
{
	struct kvm_accel *k = kv->kvm;
	g_autofree char *refused = NULL;

	if (k->is_probed)
		return;
	k->is_probed = true;
	refused = x86_kvm_msrs_probe(kv);
	if (refused && log_on(LOG_UNIMP))
		log_line("kvm: the kernel refuses these MSRs, the guest does without: %s", refused);
}

/* The banks that IA32_MCG_CAP tells of, in the kernel and in the translator. */
static bool init_mce(struct kvm_vcpu *kv, struct err *err)
{
	uint64_t cap;
	int r;

	if (!kv->kvm->sys.caps.mce || !x86_has(kv->cpu, X86_FEAT_MCA))
		return true;
	if (!x86_msr_read(kv->cpu, MSR_MCG_CAP, &cap))
		return true;
	r = kvm_ioctl(kv->fd, KVM_X86_SETUP_MCE, &cap);
	return r >= 0 || err_errno(err, -r, "KVM refuses the machine-check banks 0x%llx",
				   (unsigned long long)cap);
}

static bool restrict_cpu(struct kvm_accel *k, void *cpu, struct err *err)
{
	g_autofree char *warnings = NULL;

	return x86_kvm_cpuid_restrict(k, cpu, &warnings, err);
}

static bool init_vcpu(struct kvm_vcpu *kv, struct err *err)
{
	char *warnings;

	/* The kernel may announce more than it is told: debuggers ask soon. */
	if (!x86_kvm_cpuid_restrict(kv->kvm, kv->cpu, &warnings, err))
		return false;
	x86_cpu_add_warnings(warnings);
	if (!x86_kvm_cpuid_set(kv, err))
		return false;
	if (!init_mce(kv, err))
		return false;
	probe_msrs(kv);
	return x86_kvm_init(kv, err);
}

/* ---- for the translator ---- */

/* What was acknowledged before KVM gave up. */
static void enter_taken(struct x86_cpu *c)
{
	if (!c->taken.is_pending || c->env.fault)
		return;
	c->taken.is_pending = false;
	if (c->taken.is_nmi)
		c->nmi_blocked = true;
	x86_deliver_interrupt(c, c->taken.vector);
}

static void assist_begin(struct kvm_vcpu *kv)
{
	x86_mode_update(kv->cpu);
	x86_tlb_flush(kv->cpu, false);
	enter_taken(kv->cpu);
}

static uint32_t table_changes(const struct kvm_vcpu *kv) { return kv->cpu->tlb_changes; }

static bool is_interpreted(const struct kvm_vcpu *kv)
{
	struct kvm_sregs s = { 0 };

	if (kvm_ioctl(kv->fd, KVM_GET_SREGS, &s) < 0)
		return false;
	return !(s.ss.dpl == 3 && s.cs.l);
}

static bool is_native(const struct kvm_vcpu *kv)
{
	return x86_cpl(kv->cpu) == 3 && kv->cpu->env.mode & MODE_CODE64;
}

const struct kvm_host_ops kvm_host = {
	.guest = "x86_64",
	.modules = "kvm_intel or kvm_amd",
	.vm_type = vm_type,
	.vm_init = x86_kvm_vm_init,
	.started = started,
	.vcpu_init = init_vcpu,
	.restrict_cpu = restrict_cpu,
	.prepare = x86_kvm_cpuid_set,
	.get = x86_kvm_get,
	.put = x86_kvm_put,
	.inputs = x86_kvm_inputs,
	.before_run = x86_kvm_before_run,
	.after_run = x86_kvm_after_run,
	.is_settled = x86_kvm_is_settled,
	.debug_exit = x86_kvm_debug_exit,
	.debug_at_patch = x86_kvm_debug_at_patch,
	.break_insn = { 0xcc }, /* INT3 */
	.break_bytes = 1,
	.assist_begin = assist_begin,
	.table_changes = table_changes,
	.forget_tables = x86_kvm_forget_tables,
	.is_interpreted = is_interpreted,
	.is_native = is_native,
	.chips_start = x86_kvm_chips_start,
	.chips_stop = x86_kvm_chips_stop,
	.chips_lend = x86_kvm_chips_lend,
	.chips_recall = x86_kvm_chips_recall,
};
