/* arch/x86/int.c - entering a handler: real mode, protected mode, virtual-8086, long mode
 * (SDM 3A 6.12, 6.14, ch. 20).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

/* Error code of a fault on the IDT entry itself: index, IDT bit, EXT. */
static uint32_t idt_error(const struct x86_event *e, uint32_t ext)
{
	return (uint32_t)e->vector * 8 + 2 + ext;
}

/* INT n, INT3 and INTO are the program's own doing; all else is external to it. */
static uint32_t event_ext(const struct x86_event *e)
{
	return e->is_software && !e->is_icebp ? 0 : 1;
}

/* RFLAGS as pushed (SDM 3B 17.3.1.1): a fault restarts its instruction past a breakpoint on it, so
 * that RF is set, and so it is between two elements of a string; else RF is as it was.  Its value
 * means something only to #DB, whose causes see to it, and while an instruction breakpoint is
 * armed: no other block spends time on clearing it. */
static uint32_t event_flags(const struct x86_cpu *c, const struct x86_event *e)
{
	bool is_fault = !e->is_software && !e->is_external && e->vector != EXC_DB &&
			e->vector != EXC_NMI && e->vector != EXC_MC;

	if (is_fault || c->rep.is_open)
		return c->rflags | FL_RF;
	if (!e->is_software && (e->vector == EXC_DB || (c->env.mode & MODE_CODE_BREAK)))
		return c->rflags;
	return c->rflags & ~(uint32_t)FL_RF;
}

/* ---- real mode ---- */

static bool int_real(struct x86_cpu *c, const struct x86_event *e)
{
	struct x86_stack s;
	uint64_t entry;

	if (e->vector * 4u + 3 > c->idtr.limit)
		return x86_raise_code(c, EXC_GP, idt_error(e, event_ext(e)));
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, c->idtr.base + e->vector * 4u), 4, &entry))
		return false;
	x86_stack_current(c, &s);
	if (!x86_stack_push(&s, 2, c->rflags) || !x86_stack_push(&s, 2, c->seg[SEG_CS].sel) ||
	    !x86_stack_push(&s, 2, e->next))
		return false;
	x86_stack_commit(&s);
	x86_seg_fill_real(&c->seg[SEG_CS], (uint16_t)(entry >> 16));
	c->env.pc = entry & 0xffff;
	x86_rflags_set(c, 0, FL_IF | FL_TF | FL_AC | FL_RF);
	return true;
}

/* ---- virtual-8086 mode extensions: INT n straight to the 8086 handler (SDM 3B 20.3.3) ---- */

static bool vme_is_redirected(struct x86_cpu *c, uint8_t vector, bool *redirected)
{
	const struct x86_seg *tr = &c->seg[SEG_TR];
	uint64_t map, bits;

	*redirected = false;
	if (tr->limit < 103)
		return true;
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, tr->base + 0x66), 2, &map))
		return false;
	if (map < 32 || map - 32 + vector / 8 > tr->limit)
		return true;
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, tr->base + map - 32 + vector / 8), 1, &bits))
		return false;
	*redirected = !(bits >> (vector & 7) & 1);
	return true;
}

static bool int_vm86_redirect(struct x86_cpu *c, const struct x86_event *e)
{
	bool is_virtual = x86_iopl(c) < 3; /* IF is VIF */
	uint32_t flags = c->rflags;
	struct x86_stack s;
	uint64_t entry;

	if (is_virtual) {
		flags = (flags & ~(uint32_t)FL_IF) | FL_IOPL;
		if (c->rflags & FL_VIF)
			flags |= FL_IF;
	}
	if (!x86_load(c, c->env.view, e->vector * 4u, 4, &entry))
		return false;
	x86_stack_current(c, &s);
	if (!x86_stack_push(&s, 2, flags) || !x86_stack_push(&s, 2, c->seg[SEG_CS].sel) ||
	    !x86_stack_push(&s, 2, e->next))
		return false;
	x86_stack_commit(&s);
	x86_seg_fill_vm86(&c->seg[SEG_CS], (uint16_t)(entry >> 16));
	c->env.pc = entry & 0xffff;
	x86_rflags_set(c, 0, FL_TF | FL_NT | FL_RF | (is_virtual ? FL_VIF : FL_IF));
	return true;
}

/* ---- protected mode ---- */

struct int_gate {
	struct x86_desc d;
	uint16_t sel;
	uint64_t off;
	unsigned size; /* of what is pushed: 2, 4, 8 */
	bool is_trap;
	uint32_t ext;
};

static bool gate_check(struct x86_cpu *c, const struct x86_event *e, const struct x86_desc *d,
		       bool is_known_type, uint32_t ext)
{
	if ((d->hi & DESC_S) || !is_known_type)
		return x86_raise_code(c, EXC_GP, idt_error(e, ext));
	if (e->is_software && !e->is_icebp && desc_dpl(d) < x86_cpl(c))
		return x86_raise_code(c, EXC_GP, idt_error(e, ext));
	if (!(d->hi & DESC_P))
		return x86_raise_code(c, EXC_NP, idt_error(e, ext));
	return true;
}

/* The handler's code segment. */
static bool gate_code(struct x86_cpu *c, const struct int_gate *g, struct x86_desc *cs)
{
	uint32_t error = (g->sel & 0xfffc) | g->ext;
	bool is_code64;

	if (!(g->sel & 0xfffc))
		return x86_raise_code(c, EXC_GP, g->ext);
	if (!x86_desc_read(c, g->sel, EXC_GP, g->ext, cs))
		return false;
	is_code64 = (cs->hi & (DESC_L | DESC_DB)) == DESC_L;
	if (!desc_is_code(cs) || desc_dpl(cs) > x86_cpl(c) || (g->size == 8 && !is_code64))
		return x86_raise_code(c, EXC_GP, error);
	if ((c->rflags & FL_VM) && (desc_is_conforming(cs) || desc_dpl(cs)))
		return x86_raise_code(c, EXC_GP, error);
	if (!(cs->hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	return x86_desc_set_accessed(c, cs);
}

/* The registers of the interrupted program. */
static bool int_push_frame(struct x86_cpu *c, const struct int_gate *g, const struct x86_event *e,
			   struct x86_stack *s, bool has_stack)
{
	static const uint8_t vm_segs[] = { SEG_GS, SEG_FS, SEG_DS, SEG_ES };
	unsigned size = g->size;

	if (has_stack && (c->rflags & FL_VM))
		for (unsigned i = 0; i < ARRAY_SIZE(vm_segs); i++)
			if (!x86_stack_push(s, size, c->seg[vm_segs[i]].sel))
				return false;
	if (has_stack &&
	    (!x86_stack_push(s, size, c->seg[SEG_SS].sel) || !x86_stack_push(s, size, c->gpr[RSP])))
		return false;
	if (!x86_stack_push(s, size, event_flags(c, e)) ||
	    !x86_stack_push(s, size, c->seg[SEG_CS].sel) || !x86_stack_push(s, size, e->next))
		return false;
	return !e->has_error || x86_stack_push(s, size, e->error);
}

static void int_commit(struct x86_cpu *c, const struct int_gate *g, const struct x86_desc *cs,
		       const struct x86_stack *s, unsigned cpl)
{
	uint32_t clear = FL_TF | FL_NT | FL_RF | FL_VM | (g->is_trap ? 0 : FL_IF);

	if (c->rflags & FL_VM) {
		x86_seg_fill_null(&c->seg[SEG_ES], 0);
		x86_seg_fill_null(&c->seg[SEG_DS], 0);
		x86_seg_fill_null(&c->seg[SEG_FS], 0);
		x86_seg_fill_null(&c->seg[SEG_GS], 0);
	}
	x86_stack_commit(s);
	x86_seg_fill(&c->seg[SEG_CS], (uint16_t)((g->sel & 0xfffc) | cpl), cs);
	c->env.pc = g->off;
	x86_rflags_set(c, 0, clear);
	x86_mode_update_cs(c);
}

static bool int_through_gate(struct x86_cpu *c, const struct int_gate *g, const struct x86_event *e)
{
	unsigned cpl = x86_cpl(c);
	struct x86_desc cs;
	struct x86_stack s;
	bool is_inner;

	if (!gate_code(c, g, &cs))
		return false;
	is_inner = !desc_is_conforming(&cs) && desc_dpl(&cs) < cpl;
	x86_stack_current(c, &s);
	s.is_64 = false;
	s.error = g->ext;
	if (is_inner) {
		unsigned dpl = desc_dpl(&cs);
		uint32_t esp;
		uint16_t ss;

		if (!x86_tss_stack(c, dpl, g->ext, &ss, &esp) ||
		    !x86_inner_ss(c, ss, dpl, g->ext, &s.seg))
			return false;
		s.sp = esp;
		s.view = VIEW_KERNEL;
		s.error = (ss & 0xfffc) | g->ext;
		cpl = dpl;
	}
	if (!x86_code_offset_check(c, &cs, g->off, g->ext) ||
	    !int_push_frame(c, g, e, &s, is_inner))
		return false;
	c->seg[SEG_SS] = s.seg;
	int_commit(c, g, &cs, &s, cpl);
	return true;
}

static bool int_protected(struct x86_cpu *c, const struct x86_event *e)
{
	struct x86_task_error te = { e->has_error, e->error };
	struct int_gate g = { .ext = event_ext(e) };
	unsigned type;
	uint64_t raw;

	if (e->vector * 8u + 7 > c->idtr.limit)
		return x86_raise_code(c, EXC_GP, idt_error(e, g.ext));
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, c->idtr.base + e->vector * 8u), 8, &raw))
		return false;
	g.d.lo = (uint32_t)raw;
	g.d.hi = (uint32_t)(raw >> 32);
	type = desc_type(&g.d);
	if (!gate_check(c, e, &g.d,
			type == SYS_TASK || (type & 7) == SYS_INT16 || (type & 7) == SYS_TRAP16,
			g.ext))
		return false;
	if (type == SYS_TASK)
		return x86_task_gate(c, &g.d, TASK_INT, e->next, g.ext, te);
	g.sel = (uint16_t)(g.d.lo >> 16);
	g.is_trap = type & 1;
	g.size = type & 8 ? 4 : 2;
	g.off = (g.d.lo & 0xffff) | (g.size == 4 ? g.d.hi & 0xffff0000 : 0);
	return int_through_gate(c, &g, e);
}

/* ---- long mode (SDM 3A 6.14) ---- */

/* An event where all that is read and written for it is at hand and as it mostly is: nothing can
 * fault.  False: nothing was done. */

struct int_usual {
	struct x86_desc cs;
	uint64_t off, sp;
	uint16_t sel;
	unsigned cpl, view;
	uint32_t clear; /* flags */
};

static bool usual_gate(struct x86_cpu *c, const struct x86_event *e, struct int_usual *u,
		       unsigned *ist)
{
	enum { TYPE = 0xf00, TRAP = 0x100, INT = 0xe00 };
	const uint8_t *gate;
	struct x86_desc d;
	uint64_t low;

	if (e->vector * 16u + 15 > c->idtr.limit)
		return false;
	gate = tlb_find(&c->env.tlb[VIEW_KERNEL], TLB_READ, c->idtr.base + e->vector * 16u, 16);
	if (!gate)
		return false;
	low = x86_read_once(gate);
	d.hi = (uint32_t)(low >> 32);
	if ((d.hi & (DESC_P | DESC_S | (TYPE & ~TRAP))) != (DESC_P | INT) ||
	    (e->is_software && desc_dpl(&d) < x86_cpl(c)))
		return false;
	u->sel = (uint16_t)(low >> 16);
	u->off = (low & 0xffff) | (d.hi & 0xffff0000) | x86_read_once(gate + 8) << 32;
	u->clear = FL_NT | FL_RF | (d.hi & TRAP ? 0 : FL_IF);
	*ist = d.hi & 7;
	return x86_is_canonical(u->off);
}

/* Where the frame is pushed. */
static bool usual_stack(struct x86_cpu *c, struct int_usual *u, unsigned ist)
{
	bool is_inner = u->cpl != x86_cpl(c);

	u->sp = c->gpr[RSP];
	u->view = is_inner ? VIEW_KERNEL : c->env.view;
	return (!is_inner && !ist) || x86_tss_rsp_at_hand(c, ist ? 2 + ist : u->cpl, &u->sp);
}

/* Its view of memory and RSP are the new ones.  Word by word: what was stored in words just now
 * comes sooner so than in greater pieces. */
static bool usual_push(struct x86_cpu *c, const struct x86_event *e, struct int_usual *u)
{
	unsigned n = e->has_error ? 6 : 5;
	uint64_t sp = (u->sp & ~UINT64_C(15)) - 8 * n;
	uint8_t *to = tlb_find(&c->env.tlb[u->view], TLB_WRITE, sp, 8 * n);

	if (!to)
		return false;
	if (e->has_error) {
		st64_le(to, e->error);
		to += 8;
	}
	st64_le(to, e->next);
	st64_le(to + 8, c->seg[SEG_CS].sel);
	st64_le(to + 16, event_flags(c, e));
	st64_le(to + 24, c->gpr[RSP]);
	st64_le(to + 32, c->seg[SEG_SS].sel);
	c->gpr[RSP] = sp;
	return true;
}

static bool int_long_usual(struct x86_cpu *c, const struct x86_event *e)
{
	struct int_usual u;
	unsigned ist;

	if (c->env.mode & MODE_STEP || !usual_gate(c, e, &u, &ist) ||
	    !x86_desc_at_hand(c, u.sel, &u.cs))
		return false;
	u.cpl = desc_dpl(&u.cs);
	if (u.cpl > x86_cpl(c) || !x86_desc_is_usual_code(&u.cs, u.cpl) ||
	    !usual_stack(c, &u, ist) || !usual_push(c, e, &u))
		return false;
	x86_seg_fill(&c->seg[SEG_CS], (uint16_t)((u.sel & 0xfffc) | u.cpl), &u.cs);
	c->env.pc = u.off;
	c->rflags &= ~u.clear;
	if (u.cpl != x86_cpl(c))
		c->seg[SEG_SS] = (struct x86_seg){
			.sel = (uint16_t)u.cpl,
			.attr = (uint16_t)(u.cpl << SEG_ATTR_DPL_SHIFT),
		};
	if (u.cpl != x86_cpl(c) || !x86_is_code64(c))
		x86_mode_update_cs(c);
	return true;
}

static bool int_long(struct x86_cpu *c, const struct x86_event *e)
{
	struct int_gate g = { .ext = event_ext(e), .size = 8 };
	unsigned cpl = x86_cpl(c), type, ist;
	struct x86_desc cs;
	struct x86_stack s;
	uint64_t raw[2];

	if (int_long_usual(c, e))
		return true;
	if (e->vector * 16u + 15 > c->idtr.limit)
		return x86_raise_code(c, EXC_GP, idt_error(e, g.ext));
	if (!x86_load_bytes(c, VIEW_KERNEL, c->idtr.base + e->vector * 16u, raw, 16))
		return false;
	g.d = (struct x86_desc){ .lo = (uint32_t)raw[0], .hi = (uint32_t)(raw[0] >> 32) };
	type = desc_type(&g.d);
	if (!gate_check(c, e, &g.d, type == SYS_INT32 || type == SYS_TRAP32, g.ext))
		return false;
	g.sel = (uint16_t)(g.d.lo >> 16);
	g.is_trap = type & 1;
	g.off = (g.d.lo & 0xffff) | (g.d.hi & 0xffff0000) | (raw[1] & UINT32_MAX) << 32;
	if (!gate_code(c, &g, &cs))
		return false;
	if (!x86_is_canonical(g.off))
		return x86_raise_code(c, EXC_GP, g.ext);
	x86_stack_current(c, &s);
	s.is_64 = true;
	s.error = g.ext;
	ist = g.d.hi & 7;
	if (!desc_is_conforming(&cs) && desc_dpl(&cs) < cpl) {
		cpl = desc_dpl(&cs);
		if (!x86_tss_rsp(c, ist ? 2 + ist : cpl, g.ext, &s.sp))
			return false;
		s.view = VIEW_KERNEL;
	} else if (ist && !x86_tss_rsp(c, 2 + ist, g.ext, &s.sp)) {
		return false;
	}
	s.sp &= ~UINT64_C(15);
	if (!int_push_frame(c, &g, e, &s, true))
		return false;
	if (cpl != x86_cpl(c)) {
		x86_seg_fill_null(&c->seg[SEG_SS], (uint16_t)cpl);
		c->seg[SEG_SS].attr = (uint16_t)(cpl << SEG_ATTR_DPL_SHIFT);
	}
	int_commit(c, &g, &cs, &s, cpl);
	return true;
}

bool x86_event_enter(struct x86_cpu *c, const struct x86_event *e)
{
	bool redirected;

	if (x86_is_real(c))
		return int_real(c, e);
	if (x86_is_long(c))
		return int_long(c, e);
	if ((c->rflags & FL_VM) && e->is_int_n) {
		if (c->cr4 & CR4_VME) {
			if (!vme_is_redirected(c, e->vector, &redirected))
				return false;
			if (redirected)
				return int_vm86_redirect(c, e);
		}
		if (x86_iopl(c) < 3)
			return x86_raise_code(c, EXC_GP, 0);
	}
	return int_protected(c, e);
}
