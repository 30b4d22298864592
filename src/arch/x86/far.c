/* arch/x86/far.c - far JMP, CALL and RET: segments, call gates, tasks (SDM 3A 5.8, 2A CALL JMP
 * RET).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

/* What the selector of a far transfer turned out to be. */
struct far_target {
	struct x86_desc cs;
	uint16_t sel;
	uint64_t off;
	unsigned size;   /* of the pushes: 2, 4, 8 */
	unsigned params; /* words a call gate copies */
	bool is_gate;
};

static uint64_t far_cut(uint64_t v, unsigned size)
{
	return size == 8 ? v : v & (BIT(8 * size) - 1);
}

/* A code segment reached directly or through a gate: the rules that don't depend on the way. */
static bool far_code_usable(struct x86_cpu *c, uint16_t sel, const struct x86_desc *d)
{
	if (!desc_is_code(d))
		return x86_raise_code(c, EXC_GP, sel & 0xfffc);
	if (x86_is_long(c) && (d->hi & DESC_L) && (d->hi & DESC_DB))
		return x86_raise_code(c, EXC_GP, sel & 0xfffc);
	return true;
}

static bool far_direct(struct x86_cpu *c, const struct far_target *t)
{
	unsigned cpl = x86_cpl(c), dpl = desc_dpl(&t->cs), rpl = t->sel & 3;
	bool ok;

	if (!far_code_usable(c, t->sel, &t->cs))
		return false;
	ok = desc_is_conforming(&t->cs) ? dpl <= cpl : rpl <= cpl && dpl == cpl;
	if (!ok)
		return x86_raise_code(c, EXC_GP, t->sel & 0xfffc);
	if (!(t->cs.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, t->sel & 0xfffc);
	return true;
}

/* A call gate's own rules, then the segment it names. */
static bool far_gate(struct x86_cpu *c, struct far_target *t, bool is_call)
{
	unsigned cpl = x86_cpl(c), dpl = desc_dpl(&t->cs);
	bool is_long = x86_is_long(c);
	uint32_t error = t->sel & 0xfffc;
	struct x86_desc gate = t->cs;

	if (dpl < cpl || (t->sel & 3u) > dpl)
		return x86_raise_code(c, EXC_GP, error);
	if (!(gate.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	if (is_long && !x86_desc_read_top(c, t->sel, EXC_GP, 0, &gate))
		return false;
	t->is_gate = true;
	t->size = is_long ? 8 : desc_type(&gate) == SYS_CALL16 ? 2 : 4;
	t->params = is_long ? 0 : gate.hi & 31;
	t->sel = (uint16_t)(gate.lo >> 16);
	t->off = (gate.lo & 0xffff) | (t->size > 2 ? gate.hi & 0xffff0000 : 0) |
		 (uint64_t)gate.top << 32;
	if (!(t->sel & 0xfffc))
		return x86_raise_code(c, EXC_GP, 0);
	if (!x86_desc_read(c, t->sel, EXC_GP, 0, &t->cs) || !far_code_usable(c, t->sel, &t->cs))
		return false;
	error = t->sel & 0xfffc;
	dpl = desc_dpl(&t->cs);
	if (is_call || desc_is_conforming(&t->cs) ? dpl > cpl : dpl != cpl)
		return x86_raise_code(c, EXC_GP, error);
	if (is_long && !(t->cs.hi & DESC_L))
		return x86_raise_code(c, EXC_GP, error);
	if (!(t->cs.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	return true;
}

/* A TSS or task gate; the switch is the whole instruction. */
static bool far_task(struct x86_cpu *c, struct far_target *t, enum x86_task_cause why,
		     uint64_t next)
{
	struct x86_task_error none = { 0 };
	uint32_t error = t->sel & 0xfffc;

	if (desc_dpl(&t->cs) < x86_cpl(c) || desc_dpl(&t->cs) < (t->sel & 3u))
		return x86_raise_code(c, EXC_GP, error);
	if (!(t->cs.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	if (desc_type(&t->cs) == SYS_TASK)
		return x86_task_gate(c, &t->cs, why, next, 0, none);
	if (t->sel & 4)
		return x86_raise_code(c, EXC_GP, error);
	return x86_task_switch(c, t->sel, &t->cs, why, next, 0, none);
}

enum far_kind { FAR_CODE, FAR_TASK, FAR_FAULT };

/* Finds out what is behind t->sel. */
static enum far_kind far_resolve(struct x86_cpu *c, struct far_target *t, bool is_call)
{
	bool ok = false;

	if (!(t->sel & 0xfffc)) {
		x86_raise_code(c, EXC_GP, 0);
	} else if (!x86_desc_read(c, t->sel, EXC_GP, 0, &t->cs)) {
		;
	} else if (t->cs.hi & DESC_S) {
		ok = far_direct(c, t);
	} else {
		unsigned type = desc_type(&t->cs);
		bool is_long = x86_is_long(c);

		if (type == SYS_CALL32 || (type == SYS_CALL16 && !is_long))
			ok = far_gate(c, t, is_call);
		else if (!is_long && (type == SYS_TASK || type == SYS_TSS16 || type == SYS_TSS32))
			return FAR_TASK;
		else
			x86_raise_code(c, EXC_GP, t->sel & 0xfffc);
	}
	return ok ? FAR_CODE : FAR_FAULT;
}

static void far_load_cs(struct x86_cpu *c, const struct far_target *t, unsigned cpl)
{
	x86_seg_fill(&c->seg[SEG_CS], (uint16_t)((t->sel & 0xfffc) | cpl), &t->cs);
	c->env.pc = t->off;
	x86_mode_update_cs(c);
}

static bool far_target_check(struct x86_cpu *c, struct far_target *t)
{
	return x86_code_offset_check(c, &t->cs, t->off, 0) && x86_desc_set_accessed(c, &t->cs);
}

/* Real and virtual-8086 mode. */
static bool far_load_8086(struct x86_cpu *c, uint16_t sel, uint64_t off)
{
	if (off > c->seg[SEG_CS].limit)
		return x86_raise_code(c, EXC_GP, 0);
	if (x86_is_real(c))
		x86_seg_fill_real(&c->seg[SEG_CS], sel);
	else
		x86_seg_fill_vm86(&c->seg[SEG_CS], sel);
	c->env.pc = off;
	x86_mode_update_cs(c);
	return true;
}

static bool far_is_8086(const struct x86_cpu *c) { return x86_is_real(c) || (c->rflags & FL_VM); }

bool x86_far_jump(struct x86_cpu *c, uint16_t sel, uint64_t off, unsigned size, uint64_t next)
{
	struct far_target t = { .sel = sel, .off = far_cut(off, size), .size = size };

	if (far_is_8086(c))
		return far_load_8086(c, sel, t.off);
	switch (far_resolve(c, &t, false)) {
	case FAR_TASK: return far_task(c, &t, TASK_JUMP, next);
	case FAR_FAULT: return false;
	case FAR_CODE: break;
	}
	if (!far_target_check(c, &t))
		return false;
	far_load_cs(c, &t, x86_cpl(c));
	return true;
}

/* ---- CALL ---- */

static bool far_push_return(struct x86_cpu *c, struct x86_stack *s, unsigned size, uint64_t next)
{
	return x86_stack_push(s, size, c->seg[SEG_CS].sel) && x86_stack_push(s, size, next);
}

/* Through a gate to an inner level: new stack, old SS:SP, parameters, return address. */
static bool far_call_inner(struct x86_cpu *c, struct far_target *t, unsigned dpl, uint64_t next)
{
	struct x86_stack old, s;
	uint64_t word;
	uint32_t esp;
	uint16_t ss;

	x86_stack_current(c, &old);
	s = old;
	s.view = VIEW_KERNEL;
	s.is_64 = t->size == 8;
	if (s.is_64) {
		if (!x86_tss_rsp(c, dpl, 0, &s.sp))
			return false;
		x86_seg_fill_null(&s.seg, (uint16_t)dpl);
		s.seg.attr = (uint16_t)(dpl << SEG_ATTR_DPL_SHIFT);
	} else {
		if (!x86_tss_stack(c, dpl, 0, &ss, &esp) || !x86_inner_ss(c, ss, dpl, 0, &s.seg))
			return false;
		s.sp = esp;
		s.error = ss & 0xfffc;
	}
	if (!far_target_check(c, t) || !x86_stack_push(&s, t->size, c->seg[SEG_SS].sel) ||
	    !x86_stack_push(&s, t->size, c->gpr[RSP]))
		return false;
	for (unsigned i = t->params; i-- > 0;)
		if (!x86_stack_peek(&old, i * t->size, t->size, &word) ||
		    !x86_stack_push(&s, t->size, word))
			return false;
	if (!far_push_return(c, &s, t->size, next))
		return false;
	c->seg[SEG_SS] = s.seg;
	x86_stack_commit(&s);
	far_load_cs(c, t, dpl);
	return true;
}

bool x86_far_call(struct x86_cpu *c, uint16_t sel, uint64_t off, unsigned size, uint64_t next)
{
	struct far_target t = { .sel = sel, .off = far_cut(off, size), .size = size };
	unsigned cpl = x86_cpl(c);
	struct x86_stack s;

	x86_stack_current(c, &s);
	if (far_is_8086(c)) {
		if (!far_push_return(c, &s, size, next) || !far_load_8086(c, sel, t.off))
			return false;
		x86_stack_commit(&s);
		return true;
	}
	switch (far_resolve(c, &t, true)) {
	case FAR_TASK: return far_task(c, &t, TASK_CALL, next);
	case FAR_FAULT: return false;
	case FAR_CODE: break;
	}
	if (t.is_gate && !desc_is_conforming(&t.cs) && desc_dpl(&t.cs) < cpl)
		return far_call_inner(c, &t, desc_dpl(&t.cs), next);
	if (t.is_gate && t.size == 8)
		s.is_64 = true;
	if (!far_target_check(c, &t) || !far_push_return(c, &s, t.size, next))
		return false;
	x86_stack_commit(&s);
	far_load_cs(c, &t, cpl);
	return true;
}

/* ---- RET ---- */

static bool far_ret_code(struct x86_cpu *c, struct far_target *t)
{
	unsigned rpl = t->sel & 3, dpl;

	if (!(t->sel & 0xfffc))
		return x86_raise_code(c, EXC_GP, 0);
	if (!x86_desc_read(c, t->sel, EXC_GP, 0, &t->cs))
		return false;
	dpl = desc_dpl(&t->cs);
	if (rpl < x86_cpl(c))
		return x86_raise_code(c, EXC_GP, t->sel & 0xfffc);
	if (!far_code_usable(c, t->sel, &t->cs))
		return false;
	if (desc_is_conforming(&t->cs) ? dpl > rpl : dpl != rpl)
		return x86_raise_code(c, EXC_GP, t->sel & 0xfffc);
	if (!(t->cs.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, t->sel & 0xfffc);
	return true;
}

static bool far_ret_outer(struct x86_cpu *c, struct far_target *t, struct x86_stack *s,
			  unsigned release)
{
	bool to_code64 = x86_is_long(c) && (t->cs.hi & DESC_L);
	unsigned rpl = t->sel & 3;
	struct x86_desc seg;
	uint64_t sp, ss;

	s->sp += release;
	if (!x86_stack_pop(s, t->size, &sp) || !x86_stack_pop(s, t->size, &ss) ||
	    !x86_outer_ss(c, (uint16_t)ss, rpl, to_code64, &seg) || !far_target_check(c, t))
		return false;
	x86_seg_fill(&c->seg[SEG_SS], (uint16_t)ss, &seg);
	s->seg = c->seg[SEG_SS];
	s->is_64 = to_code64;
	s->sp = sp + release;
	x86_stack_commit(s);
	far_load_cs(c, t, rpl);
	x86_seg_drop_inner(c, rpl);
	x86_mode_update_cs(c);
	return true;
}

bool x86_far_ret(struct x86_cpu *c, unsigned size, unsigned release)
{
	struct far_target t = { .size = size };
	struct x86_stack s;
	uint64_t sel;

	x86_stack_current(c, &s);
	if (!x86_stack_pop(&s, size, &t.off) || !x86_stack_pop(&s, size, &sel))
		return false;
	t.sel = (uint16_t)sel;
	if (far_is_8086(c)) {
		if (!far_load_8086(c, t.sel, t.off))
			return false;
		s.sp += release;
		x86_stack_commit(&s);
		return true;
	}
	if (!far_ret_code(c, &t))
		return false;
	if ((t.sel & 3u) > x86_cpl(c))
		return far_ret_outer(c, &t, &s, release);
	if (!far_target_check(c, &t))
		return false;
	s.sp += release;
	x86_stack_commit(&s);
	far_load_cs(c, &t, t.sel & 3);
	return true;
}
