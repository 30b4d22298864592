/* accel/kvm/x86_state.c - registers of an x86 vCPU between the kernel and struct x86_cpu.
 *
 * The kernel's answers are kept (struct kvm_copy).  Going back, each group is built on its copy, so
 * that what we do not model stays the kernel's, and told only where it differs.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/err.h"

enum { FX_BYTES = 512, XS_HEADER_BYTES = 64 };

/* ---- general registers ---- */

/* In the order of the instruction set's numbers. */
static uint64_t *gpr_of(struct kvm_regs *r, unsigned n)
{
	uint64_t *const at[16] = {
		(uint64_t *)&r->rax, (uint64_t *)&r->rcx, (uint64_t *)&r->rdx, (uint64_t *)&r->rbx,
		(uint64_t *)&r->rsp, (uint64_t *)&r->rbp, (uint64_t *)&r->rsi, (uint64_t *)&r->rdi,
		(uint64_t *)&r->r8,  (uint64_t *)&r->r9,  (uint64_t *)&r->r10, (uint64_t *)&r->r11,
		(uint64_t *)&r->r12, (uint64_t *)&r->r13, (uint64_t *)&r->r14, (uint64_t *)&r->r15,
	};

	return at[n];
}

static void regs_to_cpu(struct x86_cpu *c, struct kvm_regs *r)
{
	for (unsigned i = 0; i < 16; i++)
		c->gpr[i] = *gpr_of(r, i);
	c->env.pc = r->rip;
	c->rflags = (uint32_t)r->rflags;
}

static void regs_from_cpu(const struct x86_cpu *c, struct kvm_regs *r)
{
	for (unsigned i = 0; i < 16; i++)
		*gpr_of(r, i) = c->gpr[i];
	r->rip = c->env.pc;
	r->rflags = c->rflags | FL_ONE;
}

/* ---- segments, control registers ---- */

static void seg_to_cpu(struct x86_seg *s, const struct kvm_segment *k)
{
	s->sel = k->selector;
	s->base = k->base;
	s->limit = k->limit;
	s->attr = (uint16_t)(k->type | k->s << 4 | k->dpl << SEG_ATTR_DPL_SHIFT | k->avl << 12 |
			     k->l << 13 | k->db << 14 | k->g << 15);
	if (k->present && !k->unusable)
		s->attr |= SEG_ATTR_P;
}

static void seg_from_cpu(const struct x86_seg *s, struct kvm_segment *k)
{
	*k = (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->sel,
		.type = s->attr & SEG_ATTR_TYPE,
		.present = !!(s->attr & SEG_ATTR_P),
		.dpl = s->attr >> SEG_ATTR_DPL_SHIFT & 3,
		.db = !!(s->attr & SEG_ATTR_DB),
		.s = !!(s->attr & SEG_ATTR_S),
		.l = !!(s->attr & SEG_ATTR_L),
		.g = !!(s->attr & SEG_ATTR_G),
		.avl = !!(s->attr & SEG_ATTR_AVL),
		.unusable = !(s->attr & SEG_ATTR_P),
	};
}

/* In the order of enum x86_seg_id. */
static struct kvm_segment *seg_of(struct kvm_sregs2 *s, unsigned n)
{
	struct kvm_segment *const at[SEG_COUNT] = { &s->es, &s->cs, &s->ss,  &s->ds,
						    &s->fs, &s->gs, &s->ldt, &s->tr };

	return at[n];
}

static void sregs_to_cpu(struct x86_cpu *c, struct kvm_sregs2 *s)
{
	for (unsigned i = 0; i < SEG_COUNT; i++)
		seg_to_cpu(&c->seg[i], seg_of(s, i));
	c->gdtr = (struct x86_table){ .base = s->gdt.base, .limit = s->gdt.limit };
	c->idtr = (struct x86_table){ .base = s->idt.base, .limit = s->idt.limit };
	c->cr0 = s->cr0;
	c->cr2 = s->cr2;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	c->efer = s->efer;
}

/* With PAE paging the processor keeps four entries of its own. */
static bool has_pdptes(const struct x86_cpu *c)
{
	return (c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !x86_is_long(c);
}

static void sregs_from_cpu(const struct x86_cpu *c, struct kvm_sregs2 *s, bool has_lapic)
{
	const struct vcpu_intc_ops *ops = has_lapic ? NULL : c->vcpu->intc_ops;
	uint64_t base;

	for (unsigned i = 0; i < SEG_COUNT; i++)
		seg_from_cpu(&c->seg[i], seg_of(s, i));
	s->gdt.base = c->gdtr.base;
	s->gdt.limit = c->gdtr.limit;
	s->idt.base = c->idtr.base;
	s->idt.limit = c->idtr.limit;
	s->cr0 = c->cr0;
	s->cr2 = c->cr2;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->efer = c->efer;
	if (ops && ops->get_cr8)
		s->cr8 = ops->get_cr8(c->vcpu->intc);
	if (ops && ops->read_msr && ops->read_msr(c->vcpu->intc, 0x1b, &base))
		s->apic_base = base;
	s->flags = has_pdptes(c) ? KVM_SREGS2_FLAGS_PDPTRS_VALID : 0;
	for (unsigned i = 0; i < 4; i++)
		s->pdptrs[i] = has_pdptes(c) ? c->pdpte[i] : 0;
}

static void pdptes_to_cpu(struct x86_cpu *c, const struct kvm_sregs2 *s)
{
	uint32_t fault = c->env.fault;

	if (!has_pdptes(c))
		return;
	if (s->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
		memcpy(c->pdpte, s->pdptrs, sizeof(c->pdpte));
	else if (!x86_pdpte_load(c, c->cr3)) /* whoever changed the table must reload CR3 */
		c->env.fault = fault;
}

/* Kernels before 5.14 know only the older call, whose structure begins the same.  Its bitmap of
 * interrupts is empty: what was acknowledged is among the events. */
BUILD_ASSERT(offsetof(struct kvm_sregs, interrupt_bitmap) == offsetof(struct kvm_sregs2, flags));

static int sregs_get(const struct kvm_vcpu *kv, struct kvm_sregs2 *s)
{
	struct kvm_sregs old = { 0 };
	int r;

	memset(s, 0, sizeof(*s));
	if (kv->kvm->sys.caps.sregs2)
		return kvm_ioctl(kv->fd, KVM_GET_SREGS2, s);
	r = kvm_ioctl(kv->fd, KVM_GET_SREGS, &old);
	memcpy(s, &old, offsetof(struct kvm_sregs2, flags));
	return r;
}

static int sregs_set(const struct kvm_vcpu *kv, const struct kvm_sregs2 *s)
{
	struct kvm_sregs old = { 0 };

	if (kv->kvm->sys.caps.sregs2)
		return kvm_ioctl(kv->fd, KVM_SET_SREGS2, s);
	memcpy(&old, s, offsetof(struct kvm_sregs2, flags));
	return kvm_ioctl(kv->fd, KVM_SET_SREGS, &old);
}

/* ---- events ---- */

static void events_to_cpu(struct x86_cpu *c, const struct kvm_vcpu_events *e)
{
	c->nmi_blocked = e->nmi.masked;
	c->in_shadow = e->interrupt.shadow;
	c->shadow_is_mov_ss = e->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
	c->in_sti_shadow = false;
	c->env.fault = 0;
	memset(&c->exc, 0, sizeof(c->exc));
	memset(&c->taken, 0, sizeof(c->taken));
	if (e->exception.injected || e->exception.pending) {
		c->exc.vector = e->exception.nr;
		c->exc.has_error = e->exception.has_error_code;
		c->exc.error = e->exception.error_code;
		c->env.fault = 1;
	}
	/* A software interrupt's RIP is still at its instruction, which will be done again. */
	if (e->nmi.injected) {
		c->taken.is_pending = c->taken.is_nmi = true;
		c->taken.vector = EXC_NMI;
	} else if (e->interrupt.injected && !e->interrupt.soft) {
		c->taken.is_pending = true;
		c->taken.vector = e->interrupt.nr;
	}
}

static void events_from_cpu(const struct x86_cpu *c, struct kvm_vcpu_events *e)
{
	e->nmi.masked = c->nmi_blocked;
	e->nmi.injected = c->taken.is_pending && c->taken.is_nmi;
	e->interrupt.injected = c->taken.is_pending && !c->taken.is_nmi;
	e->interrupt.nr = e->interrupt.injected ? c->taken.vector : 0;
	e->interrupt.soft = 0;
	e->interrupt.shadow = 0;
	if (c->in_shadow)
		e->interrupt.shadow = c->shadow_is_mov_ss ? KVM_X86_SHADOW_INT_MOV_SS
							  : KVM_X86_SHADOW_INT_STI;
	e->exception.injected = c->env.fault != 0;
	e->exception.pending = 0;
	e->exception.nr = c->env.fault ? c->exc.vector : 0;
	e->exception.has_error_code = c->env.fault && c->exc.has_error;
	e->exception.error_code = c->env.fault ? c->exc.error : 0;
}

/* ---- debug registers, extended state ---- */

static void debug_to_cpu(struct x86_cpu *c, const struct kvm_debugregs *d)
{
	for (unsigned i = 0; i < 4; i++)
		c->dr[i] = d->db[i];
	c->dr[6] = d->dr6;
	c->dr[7] = d->dr7;
}

static void debug_from_cpu(const struct x86_cpu *c, struct kvm_debugregs *d)
{
	for (unsigned i = 0; i < 4; i++)
		d->db[i] = c->dr[i];
	d->dr6 = c->dr[6];
	d->dr7 = c->dr[7];
}

static void xsave_from_cpu(const struct x86_cpu *c, uint8_t *image)
{
	const uint64_t ours = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	uint64_t bv = ld64_le(image + FX_BYTES) & ~ours;
	uint8_t mine[X86_XIMAGE_BYTES], *header = image + FX_BYTES;

	x86_ximage_get(c, mine);
	/* The kernel's mask of MXCSR, and what programs keep behind the registers, stay. */
	memcpy(mine + 28, image + 28, 4);
	memcpy(mine + 464, image + 464, FX_BYTES - 464);
	memcpy(image, mine, FX_BYTES);
	if (x86_has(c, X86_FEAT_AVX))
		memcpy(image + FX_BYTES + XS_HEADER_BYTES, mine + FX_BYTES + XS_HEADER_BYTES,
		       sizeof(mine) - FX_BYTES - XS_HEADER_BYTES);
	st64_le(header, bv | (ld64_le(mine + FX_BYTES) &
			      (XCR0_X87 | XCR0_SSE | (x86_has(c, X86_FEAT_AVX) ? XCR0_AVX : 0))));
}

static void xcrs_from_cpu(const struct x86_cpu *c, struct kvm_xcrs *x)
{
	for (unsigned i = 0; i < x->nr_xcrs && i < ARRAY_SIZE(x->xcrs); i++)
		if (x->xcrs[i].xcr == 0)
			x->xcrs[i].value = c->xcr0;
}

static void xcrs_to_cpu(struct x86_cpu *c, const struct kvm_xcrs *x)
{
	for (unsigned i = 0; i < x->nr_xcrs && i < ARRAY_SIZE(x->xcrs); i++)
		if (x->xcrs[i].xcr == 0)
			c->xcr0 = x->xcrs[i].value;
}

/* ---- with local APICs in the kernel, which halts vCPUs itself ---- */

static void mp_to_cpu(struct x86_cpu *c, const struct kvm_mp_state *mp)
{
	c->is_halted = mp->mp_state == KVM_MP_STATE_HALTED;
	c->wait_sipi = mp->mp_state == KVM_MP_STATE_UNINITIALIZED ||
		       mp->mp_state == KVM_MP_STATE_INIT_RECEIVED;
}

static void mp_from_cpu(const struct x86_cpu *c, struct kvm_mp_state *mp)
{
	mp->mp_state = c->wait_sipi   ? KVM_MP_STATE_INIT_RECEIVED
		       : c->is_halted ? KVM_MP_STATE_HALTED
				      : KVM_MP_STATE_RUNNABLE;
}

/* What its APIC keeps of the system registers is as it is. */
static void keep_apic(struct kvm_vcpu *kv, struct kvm_sregs2 *s)
{
	struct kvm_sregs now;

	if (kvm_ioctl(kv->fd, KVM_GET_SREGS, &now) < 0)
		return;
	s->cr8 = kv->copy.sregs.cr8 = now.cr8;
	s->apic_base = kv->copy.sregs.apic_base = now.apic_base;
}

/* ---- all of it ---- */

static bool ask(struct kvm_vcpu *kv, unsigned long what, void *out, const char *name,
		struct err *err)
{
	int r = kvm_ioctl(kv->fd, what, out);

	return r >= 0 || err_errno(err, -r, "cannot get the vCPU's %s", name);
}

static bool get_copy(struct kvm_vcpu *kv, struct err *err)
{
	const struct kvm_caps *caps = &kv->kvm->sys.caps;
	struct kvm_copy *k = &kv->copy;
	int r;

	/* An INIT or a start-up message that waits is taken by the question: it comes first. */
	if (x86_kvm_has_lapics(kv) && !ask(kv, KVM_GET_MP_STATE, &k->mp, "state", err))
		return false;
	r = sregs_get(kv, &k->sregs);

	if (r < 0)
		return err_errno(err, -r, "cannot get the vCPU's system registers");
	return ask(kv, KVM_GET_REGS, &k->regs, "registers", err) &&
	       ask(kv, KVM_GET_VCPU_EVENTS, &k->events, "events", err) &&
	       ask(kv, KVM_GET_XSAVE, k->xsave, "extended state", err) &&
	       (!caps->debugregs ||
		ask(kv, KVM_GET_DEBUGREGS, &k->debug, "debug registers", err)) &&
	       (!caps->xcrs || ask(kv, KVM_GET_XCRS, &k->xcrs, "XCR0", err)) &&
	       x86_kvm_msrs_get(kv, err);
}

bool x86_kvm_get(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_copy *k = &kv->copy;
	struct x86_cpu *c = kv->cpu;
	struct x86_table idtr;

	if (!get_copy(kv, err))
		return false;
	kv->count.pulls++;
	regs_to_cpu(c, &k->regs);
	idtr = c->idtr;
	sregs_to_cpu(c, &k->sregs);
	if (kv->kvm->is_half && k->sregs.idt.limit == 0 && k->sregs.idt.base == idtr.base)
		c->idtr = idtr; /* as it was before the run */
	events_to_cpu(c, &k->events);
	if (x86_kvm_has_lapics(kv))
		mp_to_cpu(c, &k->mp);
	if (kv->kvm->sys.caps.debugregs)
		debug_to_cpu(c, &k->debug);
	if (kv->kvm->sys.caps.xcrs && x86_has(c, X86_FEAT_XSAVE))
		xcrs_to_cpu(c, &k->xcrs);
	x86_mode_update(c); /* what follows asks for it */
	x86_walks_forget(c);
	x86_ximage_put(c, k->xsave);
	pdptes_to_cpu(c, &k->sregs);
	c->pending_db = 0;
	c->step_armed = false;
	c->rep.is_open = false;
	x86_mode_update(c);
	if (kv->kvm->is_half)
		x86_kvm_half_after(kv);
	/* An interrupt that was acknowledged ends a halt; some kernels halt all the same. */
	if (c->taken.is_pending)
		c->is_halted = false;
	return true;
}

static bool tell(struct kvm_vcpu *kv, unsigned long what, const void *now, void *copy, size_t bytes,
		 const char *name, struct err *err)
{
	int r;

	if (!memcmp(now, copy, bytes))
		return true;
	r = kvm_ioctl(kv->fd, what, now);
	if (r < 0)
		return err_errno(err, -r, "cannot set the vCPU's %s", name);
	memcpy(copy, now, bytes);
	return true;
}

static bool tell_sregs(struct kvm_vcpu *kv, const struct kvm_sregs2 *now, struct err *err)
{
	int r;

	if (!memcmp(now, &kv->copy.sregs, sizeof(*now)))
		return true;
	r = sregs_set(kv, now);
	if (r < 0)
		return err_errno(err, -r, "cannot set the vCPU's system registers");
	kv->copy.sregs = *now;
	return true;
}

/* Events are set with a word on which of them count. */
static bool put_events(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_vcpu_events e = kv->copy.events, now;
	int r;

	events_from_cpu(kv->cpu, &e);
	if (!memcmp(&e, &kv->copy.events, sizeof(e)))
		return true;
	now = e;
	now.flags = kv->kvm->sys.caps.intr_shadow ? KVM_VCPUEVENT_VALID_SHADOW : 0;
	r = kvm_ioctl(kv->fd, KVM_SET_VCPU_EVENTS, &now);
	if (r < 0)
		return err_errno(err, -r, "cannot set the vCPU's events");
	kv->copy.events = e;
	return true;
}

bool x86_kvm_put(struct kvm_vcpu *kv, struct err *err)
{
	const struct kvm_caps *caps = &kv->kvm->sys.caps;
	struct kvm_copy *k = &kv->copy;
	const struct x86_cpu *c = kv->cpu;
	struct kvm_regs regs = k->regs;
	struct kvm_sregs2 sregs = k->sregs;
	struct kvm_debugregs debug = k->debug;
	struct kvm_xcrs xcrs = k->xcrs;
	bool has_lapic = x86_kvm_has_lapics(kv);
	struct kvm_mp_state mp = k->mp;
	uint8_t xsave[KVM_XSAVE_BYTES];

	if (x86_kvm_is_lost(kv))
		return err_set(err, 0, "KVM of this host has no %s",
			       c->rflags & FL_VM ? "virtual-8086 mode"
						 : "paging outside long mode");
	kv->count.pushes++;
	x86_kvm_clock_resume(kv);
	regs_from_cpu(c, &regs);
	sregs_from_cpu(c, &sregs, has_lapic);
	if (kv->kvm->is_half)
		x86_kvm_half_before(kv, &sregs);
	if (has_lapic && memcmp(&sregs, &k->sregs, sizeof(sregs)))
		keep_apic(kv, &sregs);
	mp_from_cpu(c, &mp);
	debug_from_cpu(c, &debug);
	memcpy(xsave, k->xsave, sizeof(xsave));
	xsave_from_cpu(c, xsave);
	if (x86_has(c, X86_FEAT_XSAVE))
		xcrs_from_cpu(c, &xcrs);
	/* Interrupts that the vCPU was given go with the system registers: events come after. */
	return (!caps->xcrs ||
		tell(kv, KVM_SET_XCRS, &xcrs, &k->xcrs, sizeof(xcrs), "XCR0", err)) &&
	       tell_sregs(kv, &sregs, err) && x86_kvm_msrs_put(kv, err) &&
	       tell(kv, KVM_SET_XSAVE, xsave, k->xsave, sizeof(xsave), "extended state", err) &&
	       (!caps->debugregs || tell(kv, KVM_SET_DEBUGREGS, &debug, &k->debug, sizeof(debug),
					 "debug registers", err)) &&
	       tell(kv, KVM_SET_REGS, &regs, &k->regs, sizeof(regs), "registers", err) &&
	       put_events(kv, err) &&
	       (!has_lapic || tell(kv, KVM_SET_MP_STATE, &mp, &k->mp, sizeof(mp), "state", err));
}

bool x86_kvm_is_settled(const struct kvm_vcpu *kv)
{
	const struct x86_cpu *c = kv->cpu;

	return !c->pending_db && !c->step_armed &&
	       (!c->in_shadow || kv->kvm->sys.caps.intr_shadow) &&
	       !(c->in_sti_shadow && c->env.pc == c->sti_next);
}

void x86_kvm_get_halt(struct kvm_vcpu *kv)
{
	struct x86_cpu *c = kv->cpu;

	c->rflags = kv->run->if_flag ? c->rflags | FL_IF : c->rflags & ~(uint32_t)FL_IF;
	c->in_shadow = c->in_sti_shadow = false;
	if (kvm_ioctl(kv->fd, KVM_GET_VCPU_EVENTS, &kv->copy.events) >= 0)
		c->nmi_blocked = kv->copy.events.nmi.masked;
}

bool x86_kvm_init(struct kvm_vcpu *kv, struct err *err)
{
	return x86_kvm_msrs_init(kv, err) && get_copy(kv, err);
}
