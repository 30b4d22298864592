/* accel/kvm/arm64_debug.c - debug registers, breakpoint instructions and steps by
 * KVM_SET_GUEST_DEBUG (api.rst 4.87), and which of the exceptions that come of it are the guest's
 * own.
 *
 * The guest's own debug registers do nothing while a debugger uses them.  A watchpoint is told
 * before the access is done, as debuggers of this architecture expect.
 *
 * Specification: DBGBCR<n>_EL1, DBGWCR<n>_EL1, ESR_ELx and AArch64.TakeException() in the Arm
 * Architecture Reference Manual.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "accel/kvm/kvm.h"
#include "base/log.h"

enum { /* DBGBCR, DBGWCR */
       DBG_E = 1u << 0,
       DBG_EL0_EL1 = 3u << 1, /* PMC, PAC */
       DBG_LSC_LOAD = 1u << 3,
       DBG_LSC_STORE = 2u << 3,
       DBG_BAS_SHIFT = 5,
       DBG_BAS_A64 = 0xf, /* the four bytes of an instruction */
};
enum { /* ESR_ELx.EC; with the lowest bit set: of the same exception level */
       EC_SHIFT = 26,
       EC_BREAKPOINT = 0x30,
       EC_STEP = 0x32,
       EC_WATCHPOINT = 0x34,
       EC_BKPT = 0x38, /* AArch32's */
       EC_BRK = 0x3c,
};
/* An access is reported at its first byte, a watchpoint may lie behind that. */
enum { LONGEST_ACCESS = 64 };

/* ---- asking for it ---- */

static bool is_break(const struct debug_point *p) { return p->kind <= DEBUG_BREAK_HW; }

static uint64_t watch_control(const struct kvm_debug_reg *r)
{
	uint64_t control = DBG_E | DBG_EL0_EL1;

	if (r->point->p.kind != DEBUG_WATCH_WRITE)
		control |= DBG_LSC_LOAD;
	if (r->point->p.kind != DEBUG_WATCH_READ)
		control |= DBG_LSC_STORE;
	return control | ((BIT(r->len) - 1) << r->addr % 8) << DBG_BAS_SHIFT;
}

/* Processors have at least two of each, and mostly as many as KVM_DEBUG_REGS. */
static bool arm(struct kvm_vcpu *kv, const struct kvm_debug_reg *r, unsigned used[2],
		struct kvm_guest_debug_arch *out)
{
	const struct kvm_caps *caps = &kv->kvm->sys.caps;
	bool breaks = is_break(&r->point->p);
	unsigned n = used[breaks];

	if (n >= (unsigned)(breaks ? caps->hw_bps : caps->hw_wps) || n >= KVM_ARM_MAX_DBG_REGS) {
		log_line("kvm: the processor has %d breakpoints and %d watchpoints: one more has "
			 "no effect",
			 caps->hw_bps, caps->hw_wps);
		return false;
	}
	used[breaks]++;
	if (breaks) {
		out->dbg_bvr[n] = r->addr;
		out->dbg_bcr[n] = DBG_E | DBG_EL0_EL1 | DBG_BAS_A64 << DBG_BAS_SHIFT;
	} else {
		out->dbg_wvr[n] = align_down(r->addr, 8);
		out->dbg_wcr[n] = watch_control(r);
	}
	return true;
}

static void control_of(struct kvm_vcpu *kv, struct kvm_guest_debug *out)
{
	const struct kvm_debug *d = &kv->kvm->debug;
	struct kvm_debug_reg regs[KVM_DEBUG_REGS];
	unsigned n = kvm_debug_regs(d, regs), used[2] = { 0 };

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < n; i++) {
		const struct debug_point *p = &regs[i].point->p;

		/* A step leaves the breakpoint that it stands at. */
		if (kv->is_stepped && is_break(p) && p->addr == kv->step_from)
			continue;
		if (arm(kv, &regs[i], used, &out->arch))
			out->control |= KVM_GUESTDBG_USE_HW;
	}
	if (d->patch_count)
		out->control |= KVM_GUESTDBG_USE_SW_BP;
	if (kv->is_stepped)
		out->control |= KVM_GUESTDBG_SINGLESTEP;
	if (out->control)
		out->control |= KVM_GUESTDBG_ENABLE;
}

void arm64_kvm_debug_before_run(struct kvm_vcpu *kv)
{
	struct kvm_guest_debug now;

	if (likely(!kv->kvm->debug.is_active && !kv->told_debug.control))
		return;
	control_of(kv, &now);
	if (memcmp(&now, &kv->told_debug, sizeof(now)))
		kvm_debug_tell(kv, &now);
}

/* ---- what came of it ---- */

/* The guest's own BRK or BKPT: nobody but us can deliver it, to EL1. */
static bool give_back(struct kvm_vcpu *kv, uint32_t esr)
{
	enum { /* SCTLR_EL1; vectors by where it comes from */
	       SCTLR_SPAN = 23,
	       SCTLR_DSSBS = 44,
	       FROM_SP0 = 0,
	       FROM_SPX = 0x200,
	       FROM_EL0 = 0x400,
	       FROM_AARCH32 = 0x600,
	};
	const uint64_t kept = ARM_PSTATE_NZCV | ARM_PSTATE_DIT | ARM_PSTATE_PAN;
	struct arm_cpu *c = kv->cpu;
	uint64_t from, now, sctlr;

	kvm_vcpu_pull(kv->v);
	if (!kv->is_ours)
		return false;
	from = c->pstate;
	sctlr = c->sys[ARM_SCTLR_EL1];
	now = (from & kept) | ARM_PSTATE_D | ARM_PSTATE_A | ARM_PSTATE_I | ARM_PSTATE_F |
	      1u << ARM_PSTATE_EL_SHIFT | ARM_PSTATE_SP;
	if (!(sctlr >> SCTLR_SPAN & 1) && c->sys[ARM_ID_AA64MMFR1_EL1] >> 20 & 0xf)
		now |= ARM_PSTATE_PAN;
	if (sctlr >> SCTLR_DSSBS & 1)
		now |= ARM_PSTATE_SSBS;
	if (c->sys[ARM_ID_AA64PFR1_EL1] >> 8 & 0xf)
		now |= ARM_PSTATE_TCO;
	c->elr[ARM_EL1] = c->pc;
	c->spsr[ARM_EL1] = from;
	c->sys[ARM_ESR_EL1] = esr;
	c->pc = c->sys[ARM_VBAR_EL1] + (from & ARM_PSTATE_AARCH32            ? FROM_AARCH32
					: !(from >> ARM_PSTATE_EL_SHIFT & 3) ? FROM_EL0
					: from & ARM_PSTATE_SP               ? FROM_SPX
									     : FROM_SP0);
	c->pstate = now;
	return true;
}

static gva_t pc_of(struct kvm_vcpu *kv)
{
	uint64_t pc = 0;
	struct kvm_one_reg one = { .id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
					 KVM_REG_ARM_CORE_REG(regs.pc),
				   .addr = (uintptr_t)&pc };

	return kvm_ioctl(kv->fd, KVM_GET_ONE_REG, &one) >= 0 ? pc : 0;
}

static bool exit_brk(struct kvm_vcpu *kv, uint32_t esr)
{
	const struct kvm_point *p = kvm_debug_patch_at(&kv->kvm->debug, pc_of(kv));

	return p ? kvm_debug_stop_at(kv, p, p->p.addr) : give_back(kv, esr);
}

/* A register that has the address; of watchpoints also the nearest one behind it. */
static bool exit_reg(struct kvm_vcpu *kv, bool breaks, gva_t addr)
{
	struct kvm_debug_reg regs[KVM_DEBUG_REGS];
	unsigned n = kvm_debug_regs(&kv->kvm->debug, regs);
	const struct kvm_point *near = NULL;
	uint64_t best = LONGEST_ACCESS;

	for (unsigned i = 0; i < n; i++) {
		uint64_t behind = regs[i].addr - addr;

		if (is_break(&regs[i].point->p) != breaks)
			continue;
		if (addr - regs[i].addr < regs[i].len)
			behind = 0;
		else if (breaks)
			continue;
		if (behind < best) {
			best = behind;
			near = regs[i].point;
		}
	}
	/* One that has been removed meanwhile. */
	return !near || kvm_debug_stop_at(kv, near, addr);
}

bool arm64_kvm_debug_exit(struct kvm_vcpu *kv)
{
	const struct kvm_debug_exit_arch *e = &kv->run->debug.arch;
	uint32_t class = e->hsr >> EC_SHIFT;

	if (class == EC_BRK || class == EC_BKPT)
		return exit_brk(kv, e->hsr);
	switch (class & ~1u) {
	case EC_STEP: return !kv->is_stepped || kvm_debug_stepped(kv);
	case EC_WATCHPOINT: return exit_reg(kv, false, e->far);
	case EC_BREAKPOINT: return exit_reg(kv, true, pc_of(kv));
	default: return true;
	}
}
