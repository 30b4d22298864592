/* arch/x86/msr.c - model-specific registers (SDM 4, APM 2 appendix A).
 * What no model of ours has raises #GP(0) and is told under -d unimp.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"
#include "base/log.h"
#include "event/clock.h"

enum {
	MSR_TSC = 0x10,
	MSR_PLATFORM_ID = 0x17,
	MSR_APIC_BASE = 0x1b,
	MSR_EBL_CR_POWERON = 0x2a,
	MSR_SMI_COUNT = 0x34,
	MSR_CORE_THREAD_COUNT = 0x35,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SPEC_CTRL = 0x48,
	MSR_UCODE_WRITE = 0x79,
	MSR_UCODE_REV = 0x8b,
	MSR_MTRR_CAP = 0xfe,
	MSR_ARCH_CAPABILITIES = 0x10a,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP,
	MSR_SYSENTER_EIP,
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS,
	MSR_MCG_CTL,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_LBR_FIRST = 0x1db,
	MSR_LBR_LAST = 0x1de,
	MSR_MTRR_PHYS = 0x200,
	MSR_MTRR_FIX64K = 0x250,
	MSR_MTRR_FIX16K = 0x258,
	MSR_MTRR_FIX4K = 0x268,
	MSR_PAT = 0x277,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MSR_MC0_CTL = 0x400,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC_FIRST = 0x800,
	MSR_X2APIC_LAST = 0x8ff,
};
/* KVM's clock (Linux, Documentation/virt/kvm/x86/msr.rst): an address that the kernel writes to. */
#define MSR_KVM_WALL_OLD    0x11u
#define MSR_KVM_TIME_OLD    0x12u
#define MSR_KVM_WALL_CLOCK  0x4b564d00u
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u
#define MSR_EFER            0xc0000080u
#define MSR_STAR            0xc0000081u
#define MSR_LSTAR           0xc0000082u
#define MSR_CSTAR           0xc0000083u
#define MSR_FMASK           0xc0000084u
#define MSR_FS_BASE         0xc0000100u
#define MSR_GS_BASE         0xc0000101u
#define MSR_KERNEL_GS_BASE  0xc0000102u
#define MSR_TSC_AUX         0xc0000103u

enum { MTRR_PAIRS = 8, MCG_BANKS = 10, EFER_FFXSR = 1u << 14 };
/* MISC_ENABLE: fast strings, CPUID limit, XD disable; BTS and PEBS unavailable are read-only. */
#define MISC_ENABLE_RW (BIT(0) | BIT(22) | BIT(34))
#define MISC_ENABLE_RO (BIT(11) | BIT(12))
/* No speculation, nothing to leak: RDCL, SKIP_L1DFL, SSB, MDS, PSCHANGE, TAA, SBDR,
 * FBSDP, PSDP, BHI, PBRSB, GDS, RFDS, ITS (SDM 4, IA32_ARCH_CAPABILITIES). */
#define ARCH_CAPABILITIES                                                                    \
	(BIT(0) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) | BIT(15) | \
	 BIT(20) | BIT(24) | BIT(26) | BIT(27) | BIT(62))

/* ---- plain registers ---- */

struct msr_plain {
	uint32_t msr, offset;
	uint64_t mask;     /* bits that can be set; others raise #GP */
	bool is_canonical; /* an address */
	int16_t feature;   /* -1: always there */
};
#define PLAIN(m, f, mask, canon, feature)                            \
	{                                                            \
		m, offsetof(struct x86_cpu, f), mask, canon, feature \
	}
/* clang-format off */
static const struct msr_plain msr_plain[] = {
	PLAIN(MSR_SYSENTER_CS,    msr_sysenter_cs,    UINT64_MAX, false, X86_FEAT_SEP),
	PLAIN(MSR_SYSENTER_ESP,   msr_sysenter_esp,   UINT64_MAX, true,  X86_FEAT_SEP),
	PLAIN(MSR_SYSENTER_EIP,   msr_sysenter_eip,   UINT64_MAX, true,  X86_FEAT_SEP),
	PLAIN(MSR_MCG_STATUS,     msr_mcg_status,     7,          false, X86_FEAT_MCA),
	PLAIN(MSR_MCG_CTL,        msr_mcg_ctl,        UINT64_MAX, false, X86_FEAT_MCA),
	PLAIN(MSR_DEBUGCTL,       msr_debugctl,       3,          false, -1),
	PLAIN(MSR_STAR,           msr_star,           UINT64_MAX, false, X86_FEAT_SYSCALL),
	PLAIN(MSR_LSTAR,          msr_lstar,          UINT64_MAX, true,  X86_FEAT_LM),
	PLAIN(MSR_CSTAR,          msr_cstar,          UINT64_MAX, true,  X86_FEAT_LM),
	PLAIN(MSR_FMASK,          msr_fmask,          UINT32_MAX, false, X86_FEAT_LM),
	PLAIN(MSR_FS_BASE,        seg[SEG_FS].base,   UINT64_MAX, true,  X86_FEAT_LM),
	PLAIN(MSR_GS_BASE,        seg[SEG_GS].base,   UINT64_MAX, true,  X86_FEAT_LM),
	PLAIN(MSR_KERNEL_GS_BASE, msr_kernel_gs_base, UINT64_MAX, true,  X86_FEAT_LM),
	PLAIN(MSR_TSC_AUX,        msr_tsc_aux,        UINT32_MAX, false, X86_FEAT_RDTSCP),
	PLAIN(MSR_KVM_WALL_OLD,   msr_kvm_wall_clock, UINT64_MAX, false, X86_FEAT_KVMCLOCK),
	PLAIN(MSR_KVM_TIME_OLD,   msr_kvm_system_time, UINT64_MAX, false, X86_FEAT_KVMCLOCK),
	PLAIN(MSR_KVM_WALL_CLOCK, msr_kvm_wall_clock, UINT64_MAX, false, X86_FEAT_KVMCLOCK),
	PLAIN(MSR_KVM_SYSTEM_TIME, msr_kvm_system_time, UINT64_MAX, false, X86_FEAT_KVMCLOCK),
	PLAIN(MSR_SPEC_CTRL,      msr_spec_ctrl,      7,          false, X86_FEAT_SPEC_CTRL),
};
/* clang-format on */

static const struct msr_plain *msr_plain_find(const struct x86_cpu *c, uint32_t msr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(msr_plain); i++) {
		const struct msr_plain *p = &msr_plain[i];
		bool has = p->feature < 0 || x86_has(c, (enum x86_feature)p->feature) ||
			   (msr == MSR_TSC_AUX && x86_has(c, X86_FEAT_RDPID));

		if (p->msr == msr && has)
			return p;
	}
	return NULL;
}

static bool msr_plain_write(struct x86_cpu *c, const struct msr_plain *p, uint64_t v)
{
	if ((v & ~p->mask) || (p->is_canonical && !x86_is_canonical(v)))
		return false;
	memcpy((char *)c + p->offset, &v, sizeof(v));
	/* The kernel is to hear of it before the guest looks. */
	if (p->feature == X86_FEAT_KVMCLOCK)
		atomic_fetch_or(&c->env.exit_request, VCPU_EXIT_TURN);
	return true;
}

/* ---- memory types (SDM 3A 11.11, 11.12): kept for the guest, all memory is write-back ---- */

static bool mtrr_type_ok(uint64_t t) { return t == 0 || t == 1 || (t >= 4 && t <= 6); }

static uint64_t *mtrr_fixed(struct x86_cpu *c, uint32_t msr)
{
	if (msr == MSR_MTRR_FIX64K)
		return &c->msr_mtrr_fixed[0];
	if (msr == MSR_MTRR_FIX16K || msr == MSR_MTRR_FIX16K + 1)
		return &c->msr_mtrr_fixed[1 + msr - MSR_MTRR_FIX16K];
	if (msr >= MSR_MTRR_FIX4K && msr < MSR_MTRR_FIX4K + 8)
		return &c->msr_mtrr_fixed[3 + msr - MSR_MTRR_FIX4K];
	return NULL;
}

static bool mtrr_write(struct x86_cpu *c, uint32_t msr, uint64_t v)
{
	uint64_t *fixed = mtrr_fixed(c, msr), high = ~(BIT(c->phys_bits) - 1);

	if (fixed) {
		for (unsigned i = 0; i < 64; i += 8)
			if (!mtrr_type_ok(v >> i & 0xff))
				return false;
		*fixed = v;
		return true;
	}
	if (msr == MSR_MTRR_DEF_TYPE) {
		if ((v & ~UINT64_C(0xcff)) || !mtrr_type_ok(v & 0xff))
			return false;
		c->msr_mtrr_def_type = v;
		return true;
	}
	if (msr & 1 ? v & (high | 0x7ff) : (v & (high | 0xf00)) || !mtrr_type_ok(v & 0xff))
		return false;
	c->msr_mtrr_phys[msr - MSR_MTRR_PHYS] = v;
	return true;
}

static bool mtrr_is(struct x86_cpu *c, uint32_t msr)
{
	return x86_has(c, X86_FEAT_MTRR) &&
	       (mtrr_fixed(c, msr) || msr == MSR_MTRR_DEF_TYPE ||
		(msr >= MSR_MTRR_PHYS && msr < MSR_MTRR_PHYS + 2 * MTRR_PAIRS));
}

static uint64_t mtrr_read(struct x86_cpu *c, uint32_t msr)
{
	uint64_t *fixed = mtrr_fixed(c, msr);

	if (fixed)
		return *fixed;
	return msr == MSR_MTRR_DEF_TYPE ? c->msr_mtrr_def_type
					: c->msr_mtrr_phys[msr - MSR_MTRR_PHYS];
}

static bool pat_write(struct x86_cpu *c, uint64_t v)
{
	for (unsigned i = 0; i < 64; i += 8)
		if (!mtrr_type_ok(v >> i & 0xff) && (v >> i & 0xff) != 7)
			return false;
	c->msr_pat = v;
	return true;
}

/* ---- time ---- */

static int64_t clock_ns(const struct x86_cpu *c)
{
	return c->vcpu->clock ? vclock_now(c->vcpu->clock) : 0;
}

uint64_t x86_tsc(const struct x86_cpu *c)
{
	uint64_t now = c->tsc_count ? c->tsc_count(c) : (uint64_t)clock_ns(c);

	return now + (uint64_t)c->tsc_offset;
}

uint64_t x86_tsc_hz(const struct x86_cpu *c)
{
	return c->tsc_count ? (uint64_t)c->tsc_khz * 1000 : X86_TSC_HZ;
}

/* ---- EFER ---- */

static bool efer_write(struct x86_cpu *c, uint64_t v)
{
	uint64_t allowed = EFER_LMA, old = c->efer;

	if (x86_has(c, X86_FEAT_SYSCALL))
		allowed |= EFER_SCE;
	if (x86_has(c, X86_FEAT_LM))
		allowed |= EFER_LME;
	if (x86_has(c, X86_FEAT_NX))
		allowed |= EFER_NXE;
	if (x86_has(c, X86_FEAT_FXSR_OPT))
		allowed |= EFER_FFXSR;
	if (v & ~allowed)
		return false;
	if (((v ^ old) & EFER_LME) && (c->cr0 & CR0_PG))
		return false;
	c->efer = (v & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
	x86_mode_update(c);
	if ((v ^ old) & EFER_NXE)
		x86_tlb_flush(c, false);
	return true;
}

/* ---- what the interrupt controller keeps ---- */

static bool msr_is_apic(const struct x86_cpu *c, uint32_t msr)
{
	if (!c->vcpu->intc_ops || !c->vcpu->intc_ops->read_msr)
		return false;
	return msr == MSR_APIC_BASE ||
	       (msr == MSR_TSC_DEADLINE && x86_has(c, X86_FEAT_TSC_DEADLINE)) ||
	       (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST && x86_has(c, X86_FEAT_X2APIC));
}

static bool msr_apic_read(struct x86_cpu *c, uint32_t msr, uint64_t *v)
{
	return c->vcpu->intc_ops->read_msr(c->vcpu->intc, msr, v);
}

/* When this vCPU's TSC, an unsigned counter whatever its offset, reaches v, on the machine's clock:
 * now if it has, never if that is past the clock's end. */
static int64_t tsc_to_ns(const struct x86_cpu *c, uint64_t v)
{
	uint64_t tsc = x86_tsc(c), now = (uint64_t)clock_ns(c);
	unsigned __int128 left;

	if (v <= tsc)
		return (int64_t)now;
	left = (unsigned __int128)(v - tsc) * 1000000000 / x86_tsc_hz(c);
	return left < INT64_MAX - now ? (int64_t)(now + (uint64_t)left) : INT64_MAX;
}

/* A deadline is in this vCPU's TSC; the controller also wants it on the machine's clock.  It knows
 * no CPU models: how wide an address is stands here (SDM 3A 11.4.4). */
static bool msr_apic_write(struct x86_cpu *c, uint32_t msr, uint64_t v)
{
	const struct vcpu_intc_ops *ops = c->vcpu->intc_ops;

	if (msr == MSR_APIC_BASE && v >> c->phys_bits)
		return false;
	if (msr != MSR_TSC_DEADLINE)
		return ops->write_msr(c->vcpu->intc, msr, v);
	if (!ops->set_tsc_deadline)
		return false;
	ops->set_tsc_deadline(c->vcpu->intc, v, tsc_to_ns(c, v));
	return true;
}

/* The TSC moved: an armed deadline is another moment now. */
static void tsc_moved(struct x86_cpu *c)
{
	uint64_t deadline = 0;

	if (msr_is_apic(c, MSR_TSC_DEADLINE) && msr_apic_read(c, MSR_TSC_DEADLINE, &deadline) &&
	    deadline)
		msr_apic_write(c, MSR_TSC_DEADLINE, deadline);
}

static void tsc_write(struct x86_cpu *c, uint64_t v)
{
	uint64_t delta = v - x86_tsc(c);

	c->tsc_offset = (int64_t)((uint64_t)c->tsc_offset + delta);
	c->msr_tsc_adjust += delta; /* SDM 3B 17.17.3 */
	tsc_moved(c);
}

static void tsc_adjust_write(struct x86_cpu *c, uint64_t v)
{
	c->tsc_offset = (int64_t)((uint64_t)c->tsc_offset + (v - c->msr_tsc_adjust));
	c->msr_tsc_adjust = v;
	tsc_moved(c);
}

/* ---- AMD's configuration registers that systems look at without asking CPUID ---- */

static bool msr_amd_read(uint32_t msr, uint64_t *v)
{
	switch (msr) {
	case 0xc0010010: /* SYSCFG */
	case 0xc0010015: /* HWCR */
	case 0xc001001a: /* TOP_MEM */
	case 0xc001001d: /* TOP_MEM2 */
	case 0xc001001f: /* NB_CFG */
	case 0xc0010055: /* interrupt pending and CMP-halt */
	case 0xc0010114: /* VM_CR */
	case 0xc0010140: /* OSVW length and status: no known erratum */
	case 0xc0010141: *v = 0; return true;
	case 0xc0011029: /* DE_CFG: LFENCE serialises */ *v = 2; return true;
	}
	return false;
}

/* ---- the switchboard ---- */

static bool msr_read(struct x86_cpu *c, uint32_t msr, uint64_t *v)
{
	const struct msr_plain *p = msr_plain_find(c, msr);

	*v = 0;
	if (p) {
		memcpy(v, (char *)c + p->offset, sizeof(*v));
		return true;
	}
	if (mtrr_is(c, msr)) {
		*v = mtrr_read(c, msr);
		return true;
	}
	if (msr_is_apic(c, msr))
		return msr_apic_read(c, msr, v);
	if (msr >= MSR_MC0_CTL && msr < MSR_MC0_CTL + 4 * MCG_BANKS)
		return x86_has(c, X86_FEAT_MCA);
	if (msr >= MSR_LBR_FIRST && msr <= MSR_LBR_LAST)
		return true;
	switch (msr) {
	case MSR_TSC: *v = x86_tsc(c); return true;
	case MSR_TSC_ADJUST: *v = c->msr_tsc_adjust; return x86_has(c, X86_FEAT_TSC_ADJUST);
	case MSR_PLATFORM_ID:
	case MSR_EBL_CR_POWERON:
	case MSR_SMI_COUNT: return !x86_is_amd(c);
	case MSR_UCODE_REV: *v = x86_is_amd(c) ? 0x01000065 : UINT64_C(1) << 32; return true;
	case MSR_CORE_THREAD_COUNT:
		*v = (uint64_t)c->feat->cores << 16 | c->feat->cores * c->feat->threads;
		return !x86_is_amd(c);
	case MSR_MTRR_CAP: /* WC, fixed ranges, 8 pairs */
		*v = BIT(10) | BIT(8) | MTRR_PAIRS;
		return x86_has(c, X86_FEAT_MTRR);
	case MSR_ARCH_CAPABILITIES:
		*v = ARCH_CAPABILITIES;
		return x86_has(c, X86_FEAT_ARCH_CAPABILITIES);
	case MSR_MCG_CAP: *v = BIT(8) | MCG_BANKS; return x86_has(c, X86_FEAT_MCA);
	case MSR_MISC_ENABLE: *v = c->msr_misc_enable | MISC_ENABLE_RO; return true;
	case MSR_PAT: *v = c->msr_pat; return x86_has(c, X86_FEAT_PAT);
	case MSR_EFER:
		*v = c->efer;
		return x86_has(c, X86_FEAT_LM) || x86_has(c, X86_FEAT_NX) ||
		       x86_has(c, X86_FEAT_SYSCALL);
	}
	return x86_is_amd(c) && msr_amd_read(msr, v);
}

/* Machine-check banks: control takes anything, the rest only the clearing 0. */
static bool mc_bank_write(uint32_t msr, uint64_t v) { return (msr & 3) == 0 || !v; }

static bool msr_write(struct x86_cpu *c, uint32_t msr, uint64_t v)
{
	const struct msr_plain *p = msr_plain_find(c, msr);
	uint64_t ignored;

	if (p)
		return msr_plain_write(c, p, v);
	if (mtrr_is(c, msr))
		return mtrr_write(c, msr, v);
	if (msr_is_apic(c, msr))
		return msr_apic_write(c, msr, v);
	if (msr >= MSR_MC0_CTL && msr < MSR_MC0_CTL + 4 * MCG_BANKS)
		return x86_has(c, X86_FEAT_MCA) && mc_bank_write(msr, v);
	switch (msr) {
	case MSR_TSC: tsc_write(c, v); return true;
	case MSR_TSC_ADJUST:
		if (!x86_has(c, X86_FEAT_TSC_ADJUST))
			return false;
		tsc_adjust_write(c, v);
		return true;
	case MSR_UCODE_REV:
	case MSR_UCODE_WRITE: return !x86_is_amd(c); /* the revision cannot change */
	case MSR_MISC_ENABLE:
		if (v & ~(MISC_ENABLE_RW | MISC_ENABLE_RO))
			log_guest_error("x86", "IA32_MISC_ENABLE: 0x%llx has bits not modelled",
					(unsigned long long)v);
		c->msr_misc_enable = v & MISC_ENABLE_RW;
		x86_mode_update_traps(c);
		return true;
	case MSR_PAT: return x86_has(c, X86_FEAT_PAT) && pat_write(c, v);
	case MSR_EFER: return efer_write(c, v);
	}
	return x86_is_amd(c) && msr_amd_read(msr, &ignored);
}

bool x86_msr_is_base(uint32_t msr) { return msr >= MSR_FS_BASE && msr <= MSR_KERNEL_GS_BASE; }

/* What systems access at each context switch or system call, before all the tables; long mode is on
 * where they do. */
static uint64_t *msr_base(struct x86_cpu *c, uint32_t msr)
{
	if (!x86_is_long(c))
		return NULL;
	switch (msr) {
	case MSR_FS_BASE: return &c->seg[SEG_FS].base;
	case MSR_GS_BASE: return &c->seg[SEG_GS].base;
	case MSR_KERNEL_GS_BASE: return &c->msr_kernel_gs_base;
	}
	return NULL;
}

/* A register that is here and refuses is nobody else's. */
static bool msr_is_elsewhere(struct x86_cpu *c, uint32_t msr, uint64_t *v, bool is_write)
{
	uint64_t ignored;

	return c->other_msr && !msr_is_apic(c, msr) && !msr_read(c, msr, &ignored) &&
	       c->other_msr(c, msr, v, is_write);
}

bool x86_msr_read(struct x86_cpu *c, uint32_t msr, uint64_t *v)
{
	const uint64_t *base = msr_base(c, msr);

	if (base) {
		*v = *base;
		return true;
	}
	if (msr_read(c, msr, v) || msr_is_elsewhere(c, msr, v, false))
		return true;
	if (log_on(LOG_UNIMP))
		log_line("rdmsr 0x%x: no such register", msr);
	return x86_raise_code(c, EXC_GP, 0);
}

bool x86_msr_write(struct x86_cpu *c, uint32_t msr, uint64_t v)
{
	uint64_t *base = msr_base(c, msr);

	if (base && x86_is_canonical(v)) {
		*base = v;
		return true;
	}
	if (msr_write(c, msr, v) || msr_is_elsewhere(c, msr, &v, true))
		return true;
	if (log_on(LOG_UNIMP))
		log_line("wrmsr 0x%x, 0x%llx: refused", msr, (unsigned long long)v);
	return x86_raise_code(c, EXC_GP, 0);
}
