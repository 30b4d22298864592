/* arch/x86/task.c - the TSS: inner stacks and hardware task switches (SDM 3A ch. 7).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"
#include "base/log.h"

/* Offsets in the 32-bit and 16-bit TSS (figures 7-2 and 7-10). */
enum {
	TSS32_CR3 = 0x1c,
	TSS32_EIP = 0x20,
	TSS32_EFLAGS = 0x24,
	TSS32_GPR = 0x28,
	TSS32_SEG = 0x48,
	TSS32_LDT = 0x60,
	TSS32_TRAP = 0x64,
	TSS32_MIN = 0x67,
	TSS16_IP = 0x0e,
	TSS16_FLAGS = 0x10,
	TSS16_GPR = 0x12,
	TSS16_SEG = 0x22,
	TSS16_LDT = 0x2a,
	TSS16_MIN = 0x2b,
};

enum { TASK_FAULTS_MAX = 32 }; /* as many as there are exceptions */

struct task_state {
	uint32_t cr3, eip, eflags, gpr[8];
	uint16_t seg[6], ldt;
	bool trap;
};

static uint32_t tss_error(const struct x86_cpu *c, uint32_t ext)
{
	return (c->seg[SEG_TR].sel & 0xfffcu) | ext;
}

bool x86_tss_stack(struct x86_cpu *c, unsigned dpl, uint32_t ext, uint16_t *ss, uint32_t *esp)
{
	const struct x86_seg *tr = &c->seg[SEG_TR];
	bool is_32 = tr->attr & 8;
	unsigned size = is_32 ? 4 : 2, at = size * (2 * dpl + 1);
	uint64_t sp, sel;

	if (at + size + 1 > tr->limit)
		return x86_raise_code(c, EXC_TS, tss_error(c, ext));
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, tr->base + at), size, &sp) ||
	    !x86_load(c, VIEW_KERNEL, x86_linear(c, tr->base + at + size), 2, &sel))
		return false;
	*ss = (uint16_t)sel;
	*esp = (uint32_t)sp;
	return true;
}

/* slot 0-2: RSPn, 3-9: IST1-7 (SDM 3A figure 7-11). */
static unsigned tss_rsp_at(unsigned slot)
{
	return slot < 3 ? 4 + 8 * slot : 0x24 + 8 * (slot - 3);
}

bool x86_tss_rsp_at_hand(struct x86_cpu *c, unsigned slot, uint64_t *rsp)
{
	const struct x86_seg *tr = &c->seg[SEG_TR];
	unsigned at = tss_rsp_at(slot);
	const uint8_t *host;

	if (at + 7 > tr->limit)
		return false;
	host = tlb_find(&c->env.tlb[VIEW_KERNEL], TLB_READ, tr->base + at, 8);
	if (!host)
		return false;
	*rsp = x86_read_once(host);
	return x86_is_canonical(*rsp);
}

bool x86_tss_rsp(struct x86_cpu *c, unsigned slot, uint32_t ext, uint64_t *rsp)
{
	const struct x86_seg *tr = &c->seg[SEG_TR];
	unsigned at = tss_rsp_at(slot);

	if (at + 7 > tr->limit)
		return x86_raise_code(c, EXC_TS, tss_error(c, ext));
	if (!x86_load(c, VIEW_KERNEL, tr->base + at, 8, rsp))
		return false;
	return x86_is_canonical(*rsp) || x86_raise_code(c, EXC_SS, ext);
}

bool x86_stack_segment(struct x86_cpu *c, uint16_t sel, unsigned dpl, enum x86_vector v,
		       uint32_t ext, struct x86_desc *ss)
{
	uint32_t error = (sel & 0xfffc) | ext;

	if (!x86_desc_read(c, sel, v, ext, ss))
		return false;
	if ((sel & 3u) != dpl || desc_dpl(ss) != dpl || !desc_is_writable_data(ss))
		return x86_raise_code(c, v, error);
	if (!(ss->hi & DESC_P))
		return x86_raise_code(c, EXC_SS, error);
	return x86_desc_set_accessed(c, ss);
}

bool x86_inner_ss(struct x86_cpu *c, uint16_t sel, unsigned dpl, uint32_t ext, struct x86_seg *ss)
{
	struct x86_desc d;

	if (!(sel & 0xfffc))
		return x86_raise_code(c, EXC_TS, ext);
	if (!x86_stack_segment(c, sel, dpl, EXC_TS, ext, &d))
		return false;
	x86_seg_fill(ss, sel, &d);
	return true;
}

/* ---- the state in the TSS ---- */

static bool task_read(struct x86_cpu *c, const struct x86_seg *tss, bool is_32,
		      struct task_state *t)
{
	uint8_t raw[TSS32_MIN + 1];
	unsigned len = is_32 ? TSS32_MIN + 1 : TSS16_MIN + 1;

	if (!x86_load_bytes(c, VIEW_KERNEL, (uint32_t)tss->base, raw, len))
		return false;
	*t = (struct task_state){ 0 };
	if (is_32) {
		t->cr3 = ld32_le(raw + TSS32_CR3);
		t->eip = ld32_le(raw + TSS32_EIP);
		t->eflags = ld32_le(raw + TSS32_EFLAGS);
		for (unsigned i = 0; i < 8; i++)
			t->gpr[i] = ld32_le(raw + TSS32_GPR + 4 * i);
		for (unsigned i = 0; i < 6; i++)
			t->seg[i] = ld16_le(raw + TSS32_SEG + 4 * i);
		t->ldt = ld16_le(raw + TSS32_LDT);
		t->trap = raw[TSS32_TRAP] & 1;
		return true;
	}
	t->eip = ld16_le(raw + TSS16_IP);
	t->eflags = ld16_le(raw + TSS16_FLAGS);
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = ld16_le(raw + TSS16_GPR + 2 * i) | 0xffff0000;
	for (unsigned i = 0; i < 4; i++)
		t->seg[i] = ld16_le(raw + TSS16_SEG + 2 * i);
	t->ldt = ld16_le(raw + TSS16_LDT);
	return true;
}

/* Writes the dynamic fields of the old task. */
static bool task_save(struct x86_cpu *c, uint64_t next, uint32_t eflags)
{
	const struct x86_seg *tr = &c->seg[SEG_TR];
	bool is_32 = tr->attr & 8;
	unsigned from = is_32 ? TSS32_EIP : TSS16_IP;
	unsigned to = is_32 ? TSS32_LDT : TSS16_LDT;
	unsigned segs = is_32 ? 6 : 4;
	gva_t base = (uint32_t)tr->base;
	uint8_t raw[TSS32_MIN + 1];

	/* keeps what lies between the selectors */
	if (!x86_load_bytes(c, VIEW_KERNEL, base + from, raw + from, to - from))
		return false;
	if (is_32) {
		st32_le(raw + TSS32_EIP, (uint32_t)next);
		st32_le(raw + TSS32_EFLAGS, eflags);
		for (unsigned i = 0; i < 8; i++)
			st32_le(raw + TSS32_GPR + 4 * i, (uint32_t)c->gpr[i]);
	} else {
		st16_le(raw + TSS16_IP, (uint16_t)next);
		st16_le(raw + TSS16_FLAGS, (uint16_t)eflags);
		for (unsigned i = 0; i < 8; i++)
			st16_le(raw + TSS16_GPR + 2 * i, (uint16_t)c->gpr[i]);
	}
	for (unsigned i = 0; i < segs; i++)
		st16_le(raw + (is_32 ? TSS32_SEG + 4 * i : TSS16_SEG + 2 * i), c->seg[i].sel);
	return x86_store_bytes(c, VIEW_KERNEL, base + from, raw + from, to - from);
}

/* ---- loading the new task: faults from here on belong to it ---- */

static bool task_load_cs(struct x86_cpu *c, uint16_t sel, unsigned *cpl)
{
	uint32_t error = sel & 0xfffc;
	unsigned rpl = sel & 3;
	struct x86_desc d;

	if (!error)
		return x86_raise_code(c, EXC_TS, 0);
	if (!x86_desc_read(c, sel, EXC_TS, 0, &d))
		return false;
	if (!desc_is_code(&d) ||
	    (desc_is_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
		return x86_raise_code(c, EXC_TS, error);
	if (!(d.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	if (!x86_desc_set_accessed(c, &d))
		return false;
	x86_seg_fill(&c->seg[SEG_CS], sel, &d);
	*cpl = rpl;
	return true;
}

static bool task_load_data(struct x86_cpu *c, unsigned id, uint16_t sel, unsigned cpl)
{
	uint32_t error = sel & 0xfffc;
	struct x86_desc d;

	if (!error)
		return true; /* already null */
	if (!x86_desc_read(c, sel, EXC_TS, 0, &d))
		return false;
	if (!(d.hi & DESC_S) || (desc_is_code(&d) && !(d.hi & DESC_R)))
		return x86_raise_code(c, EXC_TS, error);
	if (!desc_is_conforming(&d) && (desc_dpl(&d) < cpl || desc_dpl(&d) < (sel & 3u)))
		return x86_raise_code(c, EXC_TS, error);
	if (!(d.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	if (!x86_desc_set_accessed(c, &d))
		return false;
	x86_seg_fill(&c->seg[id], sel, &d);
	return true;
}

static bool task_load_segments(struct x86_cpu *c, const struct task_state *t)
{
	static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	unsigned cpl = 0;

	for (unsigned i = 0; i < 6; i++)
		x86_seg_fill_null(&c->seg[i], t->seg[i]);
	x86_seg_fill_null(&c->seg[SEG_LDT], t->ldt);
	if (c->rflags & FL_VM) {
		for (unsigned i = 0; i < 6; i++)
			x86_seg_fill_vm86(&c->seg[i], t->seg[i]);
		x86_mode_update(c);
		return x86_ldt_load(c, t->ldt, EXC_TS);
	}
	/* Until SS is there, CPL is CS's RPL. */
	c->seg[SEG_SS].attr = (uint16_t)((t->seg[SEG_CS] & 3u) << SEG_ATTR_DPL_SHIFT);
	x86_mode_update(c);
	if (!x86_ldt_load(c, t->ldt, EXC_TS) || !task_load_cs(c, t->seg[SEG_CS], &cpl) ||
	    !x86_inner_ss(c, t->seg[SEG_SS], cpl, 0, &c->seg[SEG_SS]))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
		if (!task_load_data(c, data[i], t->seg[data[i]], cpl))
			return false;
	x86_mode_update(c);
	return true;
}

static bool task_push_error(struct x86_cpu *c, bool is_32, struct x86_task_error e)
{
	struct x86_stack s;

	if (!e.has_error)
		return true;
	x86_stack_current(c, &s);
	if (!x86_stack_push(&s, is_32 ? 4 : 2, e.error))
		return false;
	x86_stack_commit(&s);
	return true;
}

/* ---- the switch (SDM 3A 7.3) ---- */

static bool task_check(struct x86_cpu *c, uint16_t sel, struct x86_desc *d, enum x86_task_cause why,
		       uint32_t ext)
{
	unsigned type = desc_type(d), want_busy = why == TASK_IRET ? DESC_BUSY >> 8 : 0;
	uint32_t error = (sel & 0xfffc) | ext;
	enum x86_vector v = why == TASK_IRET ? EXC_TS : EXC_GP;

	if ((sel & 4) || (d->hi & DESC_S) || (type & 5) != SYS_TSS16 || (type & 2) != want_busy)
		return x86_raise_code(c, v, error);
	if (!(d->hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	if (desc_limit(d) < (type & 8 ? TSS32_MIN : TSS16_MIN))
		return x86_raise_code(c, EXC_TS, error);
	return true;
}

/* Busy bits, back link: what marks the old task as left and the new as entered. */
static bool task_mark(struct x86_cpu *c, struct x86_desc *d, enum x86_task_cause why)
{
	uint16_t old_sel = c->seg[SEG_TR].sel;
	struct x86_desc old;

	if (why == TASK_JUMP || why == TASK_IRET) {
		if (!x86_desc_read(c, old_sel, EXC_TS, 0, &old) ||
		    !x86_desc_set_busy(c, &old, false))
			return false;
	} else if (!x86_store(c, VIEW_KERNEL, (uint32_t)desc_base(d), 2, old_sel)) {
		return false;
	}
	return why == TASK_IRET || x86_desc_set_busy(c, d, true);
}

static bool task_load_cr3(struct x86_cpu *c, uint32_t cr3)
{
	if (!(c->cr0 & CR0_PG) || c->cr3 == cr3)
		return true;
	if ((c->cr4 & CR4_PAE) && !x86_pdpte_load(c, cr3))
		return false;
	c->cr3 = cr3;
	x86_tlb_flush(c, true);
	return true;
}

/* A fault on the way into the new task is delivered at its first instruction: the one that switched
 * has ended.  The handler may be a task whose switch faults in turn, and so on for ever where TSSs
 * lie over their own descriptors; a processor that does this is lost to everybody, ours shuts down.
 */
static bool task_deliver_fault(struct x86_cpu *c)
{
	if (c->task_faults == TASK_FAULTS_MAX) {
		c->env.fault = 0;
		x86_triple_fault(c);
		return true;
	}
	c->task_faults++;
	x86_mode_update(c);
	x86_deliver_exception(c);
	c->task_faults--;
	return true;
}

bool x86_task_switch(struct x86_cpu *c, uint16_t sel, struct x86_desc *d, enum x86_task_cause why,
		     uint64_t next, uint32_t ext, struct x86_task_error e)
{
	bool is_32 = desc_type(d) & 8;
	uint32_t eflags = c->rflags;
	struct task_state t;
	struct x86_seg tss;

	if (!task_check(c, sel, d, why, ext))
		return false;
	x86_seg_fill(&tss, sel, d);
	if (why == TASK_IRET)
		eflags &= ~(uint32_t)FL_NT;
	if (!task_read(c, &tss, is_32, &t) || !task_save(c, next, eflags) || !task_mark(c, d, why))
		return false;
	if (log_on(LOG_PCALL))
		log_line("task switch from 0x%x to 0x%x, next 0x%llx -> 0x%x", c->seg[SEG_TR].sel,
			 sel, (unsigned long long)next, t.eip);
	if (why == TASK_CALL || why == TASK_INT)
		t.eflags |= FL_NT;

	/* The point of no return: a fault below is the new task's. */
	x86_seg_fill(&c->seg[SEG_TR], sel, d);
	c->seg[SEG_TR].attr |= 2; /* busy */
	c->cr0 |= CR0_TS;
	c->rflags = (t.eflags & 0x003f7fd5) | FL_ONE;
	if (!is_32)
		c->rflags &= 0xffff;
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = t.gpr[i];
	c->env.pc = t.eip;
	c->dr[7] &= ~UINT64_C(0x155); /* local breakpoints */
	if ((is_32 && !task_load_cr3(c, t.cr3)) || !task_load_segments(c, &t) ||
	    !task_push_error(c, is_32, e))
		return task_deliver_fault(c);
	if (t.eip > c->seg[SEG_CS].limit) {
		x86_raise_code(c, EXC_GP, 0);
		return task_deliver_fault(c);
	}
	if (t.trap)
		c->pending_db |= DR6_BT;
	x86_mode_update(c);
	return true;
}

bool x86_task_gate(struct x86_cpu *c, const struct x86_desc *gate, enum x86_task_cause why,
		   uint64_t next, uint32_t ext, struct x86_task_error e)
{
	uint16_t sel = (uint16_t)(gate->lo >> 16);
	struct x86_desc d;

	if (!(sel & 0xfffc) || (sel & 4))
		return x86_raise_code(c, EXC_GP, (sel & 0xfffc) | ext);
	if (!x86_desc_read(c, sel, EXC_GP, ext, &d))
		return false;
	return x86_task_switch(c, sel, &d, why, next, ext, e);
}
