/* arch/x86/iret.c - IRET in every mode (SDM 2A IRET).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

enum {
	IRET_FLAGS16 = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_TF | FL_DF | FL_OF | FL_NT,
	IRET_FLAGS32 = IRET_FLAGS16 | FL_RF | FL_AC | FL_ID,
};

struct iret_frame {
	uint64_t ip, cs, flags, sp, ss;
	unsigned size;
	struct x86_stack s;
};

static bool iret_pop(struct iret_frame *f)
{
	if (!x86_stack_pop(&f->s, f->size, &f->ip) || !x86_stack_pop(&f->s, f->size, &f->cs) ||
	    !x86_stack_pop(&f->s, f->size, &f->flags))
		return false;
	f->cs &= 0xffff;
	return true;
}

static void iret_unblock_nmi(struct x86_cpu *c)
{
	if (!c->nmi_blocked)
		return;
	c->nmi_blocked = false;
	if (c->vcpu && (atomic_load(&c->vcpu->inputs) & VCPU_NMI))
		atomic_fetch_or(&c->env.exit_request, VCPU_EXIT_INPUT);
}

static bool iret_real(struct x86_cpu *c, struct iret_frame *f)
{
	uint32_t mask = IRET_FLAGS16 | FL_IF | FL_IOPL;

	if (f->size == 4)
		mask |= FL_RF | FL_AC | FL_ID;
	if (!iret_pop(f))
		return false;
	if (f->ip > c->seg[SEG_CS].limit)
		return x86_raise_code(c, EXC_GP, 0);
	x86_stack_commit(&f->s);
	x86_seg_fill_real(&c->seg[SEG_CS], (uint16_t)f->cs);
	c->env.pc = f->ip;
	x86_rflags_set(c, (uint32_t)f->flags, mask);
	return true;
}

/* From virtual-8086 mode: needs IOPL 3, or VME with a 16-bit frame that keeps to VIF. */
static bool iret_vm86(struct x86_cpu *c, struct iret_frame *f)
{
	uint32_t mask = f->size == 4 ? IRET_FLAGS32 : IRET_FLAGS16, flags;
	bool is_virtual = x86_iopl(c) < 3;

	if (is_virtual && (!(c->cr4 & CR4_VME) || f->size == 4))
		return x86_raise_code(c, EXC_GP, 0);
	if (!iret_pop(f))
		return false;
	flags = (uint32_t)f->flags;
	if (is_virtual) {
		if ((flags & FL_TF) || ((flags & FL_IF) && (c->rflags & FL_VIP)))
			return x86_raise_code(c, EXC_GP, 0);
		mask |= FL_VIF;
		flags = (flags & ~(uint32_t)FL_VIF) | (flags & FL_IF ? FL_VIF : 0);
	} else {
		mask |= FL_IF;
	}
	if (f->ip > 0xffff)
		return x86_raise_code(c, EXC_GP, 0);
	x86_stack_commit(&f->s);
	x86_seg_fill_vm86(&c->seg[SEG_CS], (uint16_t)f->cs);
	c->env.pc = f->ip;
	x86_rflags_set(c, flags, mask);
	x86_mode_update_cs(c);
	return true;
}

/* From CPL 0 into virtual-8086 mode. */
static bool iret_to_vm86(struct x86_cpu *c, struct iret_frame *f)
{
	static const uint8_t ids[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	uint64_t seg[4], sp, ss;

	if (f->ip > 0xffff)
		return x86_raise_code(c, EXC_GP, 0);
	if (!x86_stack_pop(&f->s, 4, &sp) || !x86_stack_pop(&f->s, 4, &ss))
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (!x86_stack_pop(&f->s, 4, &seg[i]))
			return false;
	x86_rflags_set(c, (uint32_t)f->flags,
		       IRET_FLAGS32 | FL_IF | FL_IOPL | FL_VM | FL_VIF | FL_VIP);
	for (unsigned i = 0; i < 4; i++)
		x86_seg_fill_vm86(&c->seg[ids[i]], (uint16_t)seg[i]);
	x86_seg_fill_vm86(&c->seg[SEG_CS], (uint16_t)f->cs);
	x86_seg_fill_vm86(&c->seg[SEG_SS], (uint16_t)ss);
	c->gpr[RSP] = sp;
	c->env.pc = f->ip;
	x86_mode_update_cs(c);
	return true;
}

/* NT is set: back to the task that called this one. */
static bool iret_task(struct x86_cpu *c, uint64_t next)
{
	struct x86_task_error none = { 0 };
	struct x86_desc d;
	uint64_t link;
	uint32_t error;

	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, c->seg[SEG_TR].base), 2, &link))
		return false;
	error = link & 0xfffc;
	if (!error || (link & 4))
		return x86_raise_code(c, EXC_TS, error);
	if (!x86_desc_read(c, (uint16_t)link, EXC_TS, 0, &d))
		return false;
	if ((d.hi & DESC_S) || (desc_type(&d) & 7) != SYS_TSS16_BUSY)
		return x86_raise_code(c, EXC_TS, error);
	if (!(d.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	return x86_task_switch(c, (uint16_t)link, &d, TASK_IRET, next, 0, none);
}

/* The code segment returned to. */
static bool iret_code(struct x86_cpu *c, uint16_t sel, struct x86_desc *d)
{
	unsigned rpl = sel & 3;
	uint32_t error = sel & 0xfffc;

	if (!error)
		return x86_raise_code(c, EXC_GP, 0);
	if (!x86_desc_read(c, sel, EXC_GP, 0, d))
		return false;
	if (!desc_is_code(d) || rpl < x86_cpl(c) ||
	    (x86_is_long(c) && (d->hi & DESC_L) && (d->hi & DESC_DB)))
		return x86_raise_code(c, EXC_GP, error);
	if (desc_is_conforming(d) ? desc_dpl(d) > rpl : desc_dpl(d) != rpl)
		return x86_raise_code(c, EXC_GP, error);
	if (!(d->hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	return true;
}

/* The stack segment returned to; null is allowed when going to 64-bit code below CPL 3. */
bool x86_outer_ss(struct x86_cpu *c, uint16_t sel, unsigned rpl, bool to_code64,
		  struct x86_desc *ss)
{
	if (sel & 0xfffc)
		return x86_stack_segment(c, sel, rpl, EXC_GP, 0, ss);
	if (!to_code64 || rpl == 3 || (sel & 3) != rpl)
		return x86_raise_code(c, EXC_GP, 0);
	*ss = (struct x86_desc){ .hi = rpl << (8 + SEG_ATTR_DPL_SHIFT) };
	return true;
}

/* Flags a protected-mode IRET may change from privilege cpl. */
static uint32_t iret_mask(const struct x86_cpu *c, unsigned size, unsigned cpl)
{
	uint32_t mask = size == 2 ? IRET_FLAGS16 : IRET_FLAGS32;

	if (cpl <= x86_iopl(c))
		mask |= FL_IF;
	if (!cpl)
		mask |= FL_IOPL | (size == 2 ? 0 : FL_VIF | FL_VIP);
	return mask;
}

/* The stack returned to. */
static bool iret_stack(struct x86_cpu *c, struct iret_frame *f, bool to_code64, struct x86_desc *ss)
{
	if (!x86_stack_pop(&f->s, f->size, &f->sp) || !x86_stack_pop(&f->s, f->size, &f->ss))
		return false;
	return x86_outer_ss(c, (uint16_t)f->ss, f->cs & 3, to_code64, ss);
}

static bool iret_protected(struct x86_cpu *c, struct iret_frame *f)
{
	unsigned cpl = x86_cpl(c), rpl;
	uint32_t mask = iret_mask(c, f->size, cpl);
	bool has_stack, to_code64;
	struct x86_desc cs, ss;

	rpl = f->cs & 3;
	if (!iret_code(c, (uint16_t)f->cs, &cs))
		return false;
	to_code64 = x86_is_long(c) && (cs.hi & DESC_L);
	has_stack = x86_is_code64(c) || rpl > cpl;
	if (has_stack && !iret_stack(c, f, to_code64, &ss))
		return false;
	if (!x86_code_offset_check(c, &cs, f->ip, 0) || !x86_desc_set_accessed(c, &cs))
		return false;
	x86_seg_fill(&c->seg[SEG_CS], (uint16_t)f->cs, &cs);
	c->env.pc = f->ip;
	if (has_stack) {
		x86_seg_fill(&c->seg[SEG_SS], (uint16_t)f->ss, &ss);
		f->s.sp = f->sp;
		f->s.seg.attr = c->seg[SEG_SS].attr;
		f->s.is_64 = to_code64;
	}
	x86_stack_commit(&f->s);
	if (rpl > cpl)
		x86_seg_drop_inner(c, rpl);
	x86_rflags_set(c, (uint32_t)f->flags, mask);
	x86_mode_update_cs(c);
	return true;
}

/* The stack segment of x86_iret_usual(), null or not. */
static bool iret_usual_stack(struct x86_cpu *c, uint16_t sel, unsigned rpl, struct x86_desc *ss)
{
	const uint32_t want = DESC_S | DESC_W | DESC_P | DESC_A;

	if ((sel & 3u) != rpl)
		return false;
	*ss = (struct x86_desc){ .hi = rpl << DESC_DPL_SHIFT };
	if (!(sel & 0xfffc))
		return rpl != 3;
	return x86_desc_at_hand(c, sel, ss) &&
	       (ss->hi & (want | DESC_CODE | DESC_DPL)) == (want | rpl << DESC_DPL_SHIFT);
}

bool x86_iret_usual(struct x86_cpu *c)
{
	unsigned cpl = x86_cpl(c), rpl;
	uint16_t cs_sel, ss_sel;
	struct x86_desc cs, ss;
	const uint8_t *frame;
	uint64_t ip, sp;
	uint32_t flags, mask, old = c->rflags;

	if ((c->env.mode & (MODE_CODE64 | MODE_STEP)) != MODE_CODE64 || c->rflags & FL_NT)
		return false;
	frame = tlb_find(&c->env.tlb[c->env.view], TLB_READ, c->gpr[RSP], 40);
	if (!frame)
		return false;
	ip = x86_read_once(frame);
	cs_sel = (uint16_t)x86_read_once(frame + 8);
	flags = (uint32_t)x86_read_once(frame + 16);
	sp = x86_read_once(frame + 24);
	ss_sel = (uint16_t)x86_read_once(frame + 32);
	rpl = cs_sel & 3;
	if (rpl < cpl || flags & FL_TF || !x86_is_canonical(ip) ||
	    !x86_desc_at_hand(c, cs_sel, &cs) || !x86_desc_is_usual_code(&cs, rpl) ||
	    !iret_usual_stack(c, ss_sel, rpl, &ss))
		return false;
	mask = iret_mask(c, 8, cpl);
	x86_seg_fill(&c->seg[SEG_CS], cs_sel, &cs);
	x86_seg_fill(&c->seg[SEG_SS], ss_sel, &ss);
	c->env.pc = ip;
	c->gpr[RSP] = sp;
	if (rpl > cpl)
		x86_seg_drop_inner(c, rpl);
	x86_rflags_put(c, (old & ~mask) | (flags & mask));
	if (rpl > cpl || (old ^ c->rflags) & (FL_AC | FL_DF))
		x86_mode_update_cs(c);
	iret_unblock_nmi(c);
	return true;
}

bool x86_iret(struct x86_cpu *c, unsigned size, uint64_t next)
{
	struct iret_frame f;
	bool ok;

	f.size = size;
	x86_stack_current(c, &f.s);
	if (x86_is_real(c)) {
		ok = iret_real(c, &f);
	} else if (c->rflags & FL_VM) {
		ok = iret_vm86(c, &f);
	} else if (c->rflags & FL_NT) {
		ok = x86_is_long(c) ? x86_raise_code(c, EXC_GP, 0) : iret_task(c, next);
	} else if (!iret_pop(&f)) {
		return false;
	} else if (size == 4 && !x86_is_long(c) && (f.flags & FL_VM) && !x86_cpl(c)) {
		ok = iret_to_vm86(c, &f);
	} else {
		ok = iret_protected(c, &f);
	}
	if (ok)
		iret_unblock_nmi(c);
	return ok;
}
