/* accel/kvm/x86_msrs.c - model-specific registers between the kernel and struct x86_cpu, and those
 * that the kernel leaves to us.
 *
 * A register that this kernel refuses is left alone from then on: the guest has what the kernel
 * makes of it.  IA32_TSC goes as the difference to the host's counter, which stays the same while
 * time goes by.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <x86intrin.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/err.h"
#include "base/log.h"

enum {
	MSR_TSC = 0x10,
	MSR_APIC_BASE = 0x1b,
	MSR_FEATURE_CONTROL = 0x3a,
	MSR_MISC_FEATURES = 0x140,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC_FIRST = 0x800,
	MSR_X2APIC_LAST = 0x8ff
};
#define MSR_EFER 0xc0000080u
/* More than the kernel's and our clocks drift apart between two looks. */
enum { TSC_SAME = 1 << 20 };

#define ROW(msr, member)                              \
	{                                             \
		msr, offsetof(struct x86_cpu, member) \
	}
static const struct {
	uint32_t msr, offset;
} rows[] = {
	ROW(0x174, msr_sysenter_cs),
	ROW(0x175, msr_sysenter_esp),
	ROW(0x176, msr_sysenter_eip),
	ROW(0xc0000081, msr_star),
	ROW(0xc0000082, msr_lstar),
	ROW(0xc0000083, msr_cstar),
	ROW(0xc0000084, msr_fmask),
	ROW(0xc0000102, msr_kernel_gs_base),
	ROW(0xc0000103, msr_tsc_aux),
	ROW(0x03b, msr_tsc_adjust),
	ROW(0x048, msr_spec_ctrl),
	ROW(0x1a0, msr_misc_enable),
	ROW(0x17a, msr_mcg_status),
	ROW(0x17b, msr_mcg_ctl),
	ROW(0x1d9, msr_debugctl),
	ROW(0x277, msr_pat),
	ROW(0x2ff, msr_mtrr_def_type),
	ROW(0x250, msr_mtrr_fixed[0]),
	ROW(0x258, msr_mtrr_fixed[1]),
	ROW(0x259, msr_mtrr_fixed[2]),
	ROW(0x268, msr_mtrr_fixed[3]),
	ROW(0x269, msr_mtrr_fixed[4]),
	ROW(0x26a, msr_mtrr_fixed[5]),
	ROW(0x26b, msr_mtrr_fixed[6]),
	ROW(0x26c, msr_mtrr_fixed[7]),
	ROW(0x26d, msr_mtrr_fixed[8]),
	ROW(0x26e, msr_mtrr_fixed[9]),
	ROW(0x26f, msr_mtrr_fixed[10]),
	ROW(0x200, msr_mtrr_phys[0]),
	ROW(0x201, msr_mtrr_phys[1]),
	ROW(0x202, msr_mtrr_phys[2]),
	ROW(0x203, msr_mtrr_phys[3]),
	ROW(0x204, msr_mtrr_phys[4]),
	ROW(0x205, msr_mtrr_phys[5]),
	ROW(0x206, msr_mtrr_phys[6]),
	ROW(0x207, msr_mtrr_phys[7]),
	ROW(0x208, msr_mtrr_phys[8]),
	ROW(0x209, msr_mtrr_phys[9]),
	ROW(0x20a, msr_mtrr_phys[10]),
	ROW(0x20b, msr_mtrr_phys[11]),
	ROW(0x20c, msr_mtrr_phys[12]),
	ROW(0x20d, msr_mtrr_phys[13]),
	ROW(0x4b564d00, msr_kvm_wall_clock),
	ROW(0x4b564d01, msr_kvm_system_time),
	ROW(0x20e, msr_mtrr_phys[14]),
	ROW(0x20f, msr_mtrr_phys[15]),
};
#undef ROW
BUILD_ASSERT(ARRAY_SIZE(rows) <= KVM_MSR_ROWS);

/* struct kvm_msrs with its entries. */
struct msr_list {
	uint32_t count, pad;
	struct kvm_msr_entry entries[KVM_MSR_ROWS + 1];
};

static uint64_t *value_of(struct x86_cpu *c, unsigned i)
{
	return (uint64_t *)(void *)((char *)c + rows[i].offset);
}

/* How many of the list's registers the kernel took, or -errno. */
static int do_list(struct kvm_vcpu *kv, unsigned long what, struct msr_list *l)
{
	BUILD_ASSERT(offsetof(struct msr_list, entries) == sizeof(struct kvm_msrs));
	return kvm_ioctl(kv->fd, what, l);
}

/* ---- time ---- */

static uint64_t host_tsc(const struct x86_cpu *c)
{
	(void)c;
	return __rdtsc();
}

static bool tsc_get(struct kvm_vcpu *kv, int64_t *offset)
{
	struct msr_list l = { .count = 1, .entries = { { .index = MSR_TSC } } };

	if (do_list(kv, KVM_GET_MSRS, &l) != 1)
		return false;
	*offset = (int64_t)(l.entries[0].data - __rdtsc());
	return true;
}

static void tsc_pull(struct kvm_vcpu *kv)
{
	int64_t now;

	/* A reading is late by how long it took: small differences are none. */
	if (tsc_get(kv, &now) &&
	    (now - kv->copy.tsc_offset > TSC_SAME || kv->copy.tsc_offset - now > TSC_SAME))
		kv->copy.tsc_offset = now;
	kv->cpu->tsc_offset = kv->copy.tsc_offset;
}

static void tsc_push(struct kvm_vcpu *kv)
{
	struct msr_list l = { .count = 1, .entries = { { .index = MSR_TSC } } };

	if (kv->cpu->tsc_offset == kv->copy.tsc_offset)
		return;
	l.entries[0].data = __rdtsc() + (uint64_t)kv->cpu->tsc_offset;
	if (do_list(kv, KVM_SET_MSRS, &l) == 1)
		kv->copy.tsc_offset = kv->cpu->tsc_offset;
}

/* ---- all of them ---- */

char *x86_kvm_msrs_probe(struct kvm_vcpu *kv)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msr_list l = { .count = 1, .entries = { { .index = rows[i].msr } } };

		if (do_list(kv, KVM_GET_MSRS, &l) == 1)
			continue;
		kv->kvm->msr_refused[i] = true;
		g_string_append_printf(text, "%s0x%x", text->len ? ", " : "", rows[i].msr);
	}
	return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

bool x86_kvm_msrs_get(struct kvm_vcpu *kv, struct err *err)
{
	struct msr_list l = { 0 };
	unsigned row[KVM_MSR_ROWS];
	int got;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (kv->kvm->msr_refused[i])
			continue;
		row[l.count] = i;
		l.entries[l.count++].index = rows[i].msr;
	}
	got = do_list(kv, KVM_GET_MSRS, &l);
	if (got < 0)
		return err_errno(err, -got, "cannot get the vCPU's MSRs");
	/* One that is refused now ends the list: the others keep what they had. */
	for (int i = 0; i < got; i++) {
		kv->copy.msr[row[i]] = l.entries[i].data;
		if (kv->is_ours)
			continue;
		*value_of(kv->cpu, row[i]) = l.entries[i].data;
	}
	if (!kv->is_ours)
		tsc_pull(kv);
	return true;
}

bool x86_kvm_msrs_put(struct kvm_vcpu *kv, struct err *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msr_list l = { .count = 1 };
		uint64_t v = *value_of(kv->cpu, i);
		int done;

		if (kv->kvm->msr_refused[i] || v == kv->copy.msr[i])
			continue;
		l.entries[0] = (struct kvm_msr_entry){ .index = rows[i].msr, .data = v };
		done = do_list(kv, KVM_SET_MSRS, &l);
		if (done < 0)
			return err_errno(err, -done, "cannot set the vCPU's MSRs");
		if (!done && log_on(LOG_UNIMP))
			log_line("kvm: MSR 0x%x: the kernel refuses 0x%llx", rows[i].msr,
				 (unsigned long long)v);
		/* Refused: asked for again only when it changes. */
		kv->copy.msr[i] = v;
	}
	tsc_push(kv);
	return true;
}

/* ---- those that only the kernel has ---- */

/* Does it tell what the kernel can do?  To us in any case, to guests only some of it. */
static bool is_feature(const struct kvm_vcpu *kv, uint32_t msr)
{
	enum { MOST = 256 };
	struct { /* kvm_msr_list with room */
		uint32_t count, index[MOST];
	} l = { .count = MOST };

	if (kvm_ioctl(kv->kvm->sys.fd, KVM_GET_MSR_FEATURE_INDEX_LIST, &l) < 0)
		return true;
	for (uint32_t i = 0; i < l.count; i++)
		if (l.index[i] == msr)
			return true;
	return false;
}

/* Whoever asks from outside reads 0 where a guest that reads gets #GP (Linux 6.12,
 * kvm_do_msr_access()).  One register is looked for without CPUID saying that it is there, and
 * locked where it reads as 0 (SDM 4, IA32_FEATURE_CONTROL: part of VMX, SMX, SGX and LMCE). */
static bool may_be_none(uint32_t msr, uint64_t v) { return msr == MSR_FEATURE_CONTROL && !v; }

/* Where the translator runs on for the kernel the guest has the kernel's registers all the same: it
 * has just read there what it writes now. */
static bool kernels_msr(struct x86_cpu *c, uint32_t msr, uint64_t *v, bool is_write)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(c->vcpu);
	struct msr_list l = { .count = 1, .entries = { { .index = msr } } };

	if (kv->kvm->has_cpuid_faults && msr == MSR_MISC_FEATURES) {
		/* In use by ourselves; the guest has it without a feature. */
		if (is_write)
			return !*v;
		*v = 0;
		return true;
	}
	if (is_write)
		l.entries[0].data = *v;
	if (!kv->is_ours || is_feature(kv, msr) ||
	    do_list(kv, is_write ? KVM_SET_MSRS : KVM_GET_MSRS, &l) != 1 ||
	    (!is_write && may_be_none(msr, l.entries[0].data)))
		return false;
	*v = l.entries[0].data;
	return true;
}

bool x86_kvm_msrs_init(struct kvm_vcpu *kv, struct err *err)
{
	int khz = kvm_ioctl_value(kv->fd, KVM_GET_TSC_KHZ, 0);

	if (khz <= 0)
		return err_set(err, khz < 0 ? -khz : 0,
			       "KVM does not know how fast the host's cycle counter runs");
	if (!tsc_get(kv, &kv->copy.tsc_offset))
		return err_set(err, 0, "KVM refuses to tell the vCPU's cycle counter");
	kv->cpu->tsc_khz = kv->kvm->tsc_khz = (uint32_t)khz;
	kv->cpu->tsc_count = host_tsc;
	kv->cpu->tsc_offset = kv->cpu->tsc_reset_offset = kv->copy.tsc_offset;
	kv->cpu->other_msr = kernels_msr;
	if (kv->kvm->has_cpuid_faults)
		x86_kvm_fault_cpuid(kv->fd);
	return true;
}

/* ---- those that come to us ---- */

/* Refused by who has the state it depends on: what v->cpu and our local APIC have is old. */
static bool is_kernels(const struct kvm_vcpu *kv, uint32_t msr)
{
	if (msr == MSR_EFER)
		return true;
	return x86_kvm_has_lapics(kv) && (msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE ||
					  (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST));
}

void x86_kvm_msr_exit(struct kvm_vcpu *kv, bool is_write)
{
	struct kvm_run *run = kv->run;
	struct x86_cpu *c = kv->cpu;
	uint32_t msr = run->msr.index;
	uint64_t value = run->msr.data;
	bool ok;

	if (is_kernels(kv, msr)) {
		run->msr.error = 1;
		return;
	}
	/* They want no registers but the time. */
	if (msr == MSR_TSC_DEADLINE)
		tsc_pull(kv);
	ok = is_write ? x86_msr_write(c, msr, value) : x86_msr_read(c, msr, &value);
	c->env.fault = 0;
	run->msr.error = !ok;
	if (!is_write && ok)
		run->msr.data = value;
}
