/* accel/kvm/x86_debug.c - debug registers, breakpoint instructions and steps by KVM_SET_GUEST_DEBUG
 * (api.rst 4.87), and which of the exceptions that come of it are the guest's own.
 *
 * Limits that are KVM's: while a debugger has debug registers in use the guest's own do nothing,
 * and a step of KVM's hides the guest's trap flag.  Steps are the translator's where there is one.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "cpu/arch.h"

enum {
	DR6_HITS = 0xf,
	DR6_CAUSES = DR6_HITS | 0xe000, /* B0-B3, BD, BS, BT: SDM 3B 17.2.3 */
	DR7_LE_GE = 3 << 8,
	DR7_ONE = 1 << 10,
};

/* ---- asking for it ---- */

static uint64_t dr7_of(const struct kvm_debug_reg *r, unsigned n)
{
	enum debug_kind kind = r->point->p.kind;
	unsigned len = r->len == 8 ? 2 : r->len - 1;
	unsigned rw = kind == DEBUG_WATCH_WRITE ? 1 : 3; /* there is none for reads alone */

	if (kind == DEBUG_BREAK || kind == DEBUG_BREAK_HW)
		rw = len = 0;
	return 2ull << 2 * n | (uint64_t)(len << 2 | rw) << (16 + 4 * n);
}

static void control_of(struct kvm_vcpu *kv, struct kvm_guest_debug *out)
{
	const struct kvm_debug *d = &kv->kvm->debug;
	struct kvm_debug_reg regs[KVM_DEBUG_REGS];
	unsigned n = kvm_debug_regs(d, regs);
	uint64_t dr7 = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < n; i++) {
		const struct debug_point *p = &regs[i].point->p;

		/* A step leaves the breakpoint that it stands at. */
		if (kv->is_stepped && p->kind <= DEBUG_BREAK_HW && p->addr == kv->step_from)
			continue;
		out->arch.debugreg[i] = regs[i].addr;
		dr7 |= dr7_of(&regs[i], i);
	}
	if (dr7) {
		out->arch.debugreg[7] = dr7 | DR7_LE_GE | DR7_ONE;
		out->control |= KVM_GUESTDBG_USE_HW_BP;
	}
	if (d->patch_count)
		out->control |= KVM_GUESTDBG_USE_SW_BP;
	if (kv->is_stepped)
		out->control |= KVM_GUESTDBG_SINGLESTEP;
	if (kv->is_stepped && kv->step_how & DEBUG_STEP_NO_INTERRUPTS)
		out->control |= kv->kvm->sys.caps.guest_debug_flags & KVM_GUESTDBG_BLOCKIRQ;
	if (out->control)
		out->control |= KVM_GUESTDBG_ENABLE;
}

void x86_kvm_debug_before_run(struct kvm_vcpu *kv)
{
	struct kvm_guest_debug now;

	if (likely(!kv->kvm->debug.is_active && !kv->told_debug.control))
		return;
	control_of(kv, &now);
	/* A step starts anew at each instruction. */
	if (!kv->is_stepped && !memcmp(&now, &kv->told_debug, sizeof(now)))
		return;
	kvm_debug_tell(kv, &now);
}

/* ---- what came of it ---- */

/* The guest's own: it gets what it would have got. */
static bool give_back(struct kvm_vcpu *kv, bool is_break, uint64_t dr6)
{
	struct kvm_guest_debug now = kv->told_debug;
	struct kvm_debugregs regs = { 0 };

	if (!is_break && kvm_ioctl(kv->fd, KVM_GET_DEBUGREGS, &regs) >= 0) {
		regs.dr6 |= dr6 & DR6_CAUSES;
		kvm_ioctl(kv->fd, KVM_SET_DEBUGREGS, &regs);
	}
	now.control |= KVM_GUESTDBG_ENABLE;
	now.control |= is_break ? KVM_GUESTDBG_INJECT_BP : KVM_GUESTDBG_INJECT_DB;
	kvm_ioctl(kv->fd, KVM_SET_GUEST_DEBUG, &now);
	return true;
}

static bool is_alias(struct kvm_vcpu *kv, gva_t addr)
{
	const struct arch_ops *arch = kv->v->arch;
	struct mmu_result r = { 0 };

	kvm_vcpu_pull(kv->v);
	return arch->walk(kv->v, addr, MMU_READ, arch->debug_view, false, &r) &&
	       kvm_debug_is_patched(&kv->kvm->debug, r.gpa);
}

static bool exit_break(struct kvm_vcpu *kv, gva_t pc)
{
	const struct kvm_point *p = kvm_debug_patch_at(&kv->kvm->debug, pc);
	struct debug_stop here = { .why = DEBUG_AT_BREAK,
				   .point = { .kind = DEBUG_BREAK, .addr = pc } };

	if (p)
		return kvm_debug_stop_at(kv, p, pc);
	/* Memory that is mapped elsewhere too: the translator sees the instruction itself. */
	if (kv->kvm->debug.patch_count && is_alias(kv, pc))
		return kvm_assist(kv) || kvm_debug_stop(kv, &here);
	return give_back(kv, true, 0);
}

static bool exit_trap(struct kvm_vcpu *kv, uint64_t dr6)
{
	struct kvm_debug_reg regs[KVM_DEBUG_REGS];
	unsigned n = kvm_debug_regs(&kv->kvm->debug, regs);

	for (unsigned i = 0; i < n; i++)
		if (dr6 >> i & 1 && kv->told_debug.arch.debugreg[7] >> 2 * i & 3)
			return kvm_debug_stop_at(kv, regs[i].point, regs[i].addr);
	if (kv->is_stepped && dr6 & DR6_BS)
		return kvm_debug_stepped(kv);
	return give_back(kv, false, dr6);
}

bool x86_kvm_debug_exit(struct kvm_vcpu *kv)
{
	const struct kvm_debug_exit_arch *e = &kv->run->debug.arch;

	return e->exception == EXC_BP ? exit_break(kv, e->pc) : exit_trap(kv, e->dr6);
}

bool x86_kvm_debug_at_patch(struct kvm_vcpu *kv)
{
	const struct kvm_debug *d = &kv->kvm->debug;
	const struct kvm_point *p;

	if (!d->patch_count)
		return false;
	kvm_vcpu_pull(kv->v);
	p = kvm_debug_patch_at(d, x86_linear_pc(kv->cpu));
	if (!p)
		return false;
	kvm_debug_stop_at(kv, p, p->p.addr);
	return true;
}
