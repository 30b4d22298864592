/* arch/x86/seg.c - segment descriptors and loading segment registers (SDM 3A ch. 3 and 5).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

/* ---- reading tables ---- */

static bool desc_table(const struct x86_cpu *c, uint16_t sel, uint64_t *base, uint32_t *limit)
{
	if (!(sel & 4)) {
		*base = c->gdtr.base;
		*limit = c->gdtr.limit;
		return true;
	}
	*base = c->seg[SEG_LDT].base;
	*limit = c->seg[SEG_LDT].limit;
	return c->seg[SEG_LDT].attr & SEG_ATTR_P;
}

bool x86_desc_probe(struct x86_cpu *c, uint16_t sel, struct x86_desc *d, bool *found)
{
	uint64_t base, raw;
	uint32_t limit;

	*d = (struct x86_desc){ 0 };
	*found = desc_table(c, sel, &base, &limit) && (uint32_t)(sel | 7) <= limit;
	if (!*found)
		return true;
	d->addr = x86_linear(c, base + (sel & 0xfff8));
	if (!x86_load(c, VIEW_KERNEL, d->addr, 8, &raw))
		return false;
	d->lo = (uint32_t)raw;
	d->hi = (uint32_t)(raw >> 32);
	return true;
}

bool x86_desc_read(struct x86_cpu *c, uint16_t sel, enum x86_vector v, uint32_t ext,
		   struct x86_desc *d)
{
	bool found;

	if (!x86_desc_probe(c, sel, d, &found))
		return false;
	return found || x86_raise_code(c, v, (sel & 0xfffc) | ext);
}

bool x86_desc_read_top(struct x86_cpu *c, uint16_t sel, enum x86_vector v, uint32_t ext,
		       struct x86_desc *d)
{
	uint64_t base, raw;
	uint32_t limit;

	if (!desc_table(c, sel, &base, &limit) || (uint32_t)(sel | 7) + 8 > limit)
		return x86_raise_code(c, v, (sel & 0xfffc) | ext);
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, d->addr + 8), 8, &raw))
		return false;
	if (raw >> 40 & 0x1f) /* type field of the upper half must be 0 */
		return x86_raise_code(c, v, (sel & 0xfffc) | ext);
	d->top = (uint32_t)raw;
	return true;
}

static bool desc_store_type(struct x86_cpu *c, struct x86_desc *d)
{
	return x86_store(c, VIEW_KERNEL, d->addr + 5, 1, d->hi >> 8 & 0xff);
}

bool x86_desc_set_accessed(struct x86_cpu *c, struct x86_desc *d)
{
	if (d->hi & DESC_A)
		return true;
	d->hi |= DESC_A;
	return desc_store_type(c, d);
}

bool x86_desc_set_busy(struct x86_cpu *c, struct x86_desc *d, bool busy)
{
	d->hi = busy ? d->hi | DESC_BUSY : d->hi & ~(uint32_t)DESC_BUSY;
	return desc_store_type(c, d);
}

/* ---- hidden parts ---- */

/* Real mode changes selector and base only: limit and rights stay ("unreal mode"). */
void x86_seg_fill_real(struct x86_seg *s, uint16_t sel)
{
	s->sel = sel;
	s->base = (uint32_t)sel << 4;
}

void x86_seg_fill_vm86(struct x86_seg *s, uint16_t sel)
{
	*s = (struct x86_seg){
		.sel = sel,
		.attr = SEG_ATTR_P | 3u << SEG_ATTR_DPL_SHIFT | SEG_ATTR_S | SEG_ATTR_RW |
			SEG_ATTR_A,
		.limit = 0xffff,
		.base = (uint32_t)sel << 4,
	};
}

void x86_seg_fill_null(struct x86_seg *s, uint16_t sel) { *s = (struct x86_seg){ .sel = sel }; }

bool x86_code_offset_check(struct x86_cpu *c, const struct x86_desc *cs, uint64_t off, uint32_t ext)
{
	bool is_64 = x86_is_long(c) && (cs->hi & DESC_L);

	if (is_64 ? x86_is_canonical(off) : off <= desc_limit(cs))
		return true;
	return x86_raise_code(c, EXC_GP, ext);
}

/* ---- loading ---- */

static bool seg_load_null(struct x86_cpu *c, enum x86_seg_id id, uint16_t sel)
{
	unsigned cpl = x86_cpl(c);

	if (id == SEG_SS) {
		if (!x86_is_code64(c) || cpl == 3 || (sel & 3) != cpl)
			return x86_raise_code(c, EXC_GP, 0);
		x86_seg_fill_null(&c->seg[id], sel);
		c->seg[id].attr = (uint16_t)(cpl << SEG_ATTR_DPL_SHIFT);
		return true;
	}
	x86_seg_fill_null(&c->seg[id], sel);
	return true;
}

/* May the descriptor be loaded into the register?  The faults in the manual's order (MOV). */
static bool seg_check(struct x86_cpu *c, enum x86_seg_id id, uint16_t sel, const struct x86_desc *d)
{
	unsigned cpl = x86_cpl(c), rpl = sel & 3, dpl = desc_dpl(d);
	uint32_t error = sel & 0xfffc;

	if (id == SEG_SS) {
		if (rpl != cpl || !desc_is_writable_data(d) || dpl != cpl)
			return x86_raise_code(c, EXC_GP, error);
		return (d->hi & DESC_P) || x86_raise_code(c, EXC_SS, error);
	}
	if (!(d->hi & DESC_S) || (desc_is_code(d) && !(d->hi & DESC_R)))
		return x86_raise_code(c, EXC_GP, error);
	if (!desc_is_conforming(d) && (rpl > dpl || cpl > dpl))
		return x86_raise_code(c, EXC_GP, error);
	return (d->hi & DESC_P) || x86_raise_code(c, EXC_NP, error);
}

bool x86_seg_load(struct x86_cpu *c, enum x86_seg_id id, uint16_t sel)
{
	struct x86_desc d;

	if (x86_is_real(c)) {
		x86_seg_fill_real(&c->seg[id], sel);
	} else if (c->rflags & FL_VM) {
		x86_seg_fill_vm86(&c->seg[id], sel);
	} else if (!(sel & 0xfffc)) {
		if (!seg_load_null(c, id, sel))
			return false;
	} else {
		if (!x86_desc_read(c, sel, EXC_GP, 0, &d) || !seg_check(c, id, sel, &d) ||
		    !x86_desc_set_accessed(c, &d))
			return false;
		x86_seg_fill(&c->seg[id], sel, &d);
	}
	x86_mode_update_cs(c);
	return true;
}

/* The LDT of LLDT (v = #GP) and of a task switch (v = #TS: also for an absent one). */
bool x86_ldt_load(struct x86_cpu *c, uint16_t sel, enum x86_vector v)
{
	enum x86_vector absent = v == EXC_TS ? EXC_TS : EXC_NP;
	struct x86_desc d;

	if (!(sel & 0xfffc)) {
		x86_seg_fill_null(&c->seg[SEG_LDT], sel);
		return true;
	}
	if (sel & 4)
		return x86_raise_code(c, v, sel & 0xfffc);
	if (!x86_desc_read(c, sel, v, 0, &d))
		return false;
	if ((d.hi & DESC_S) || desc_type(&d) != SYS_LDT)
		return x86_raise_code(c, v, sel & 0xfffc);
	if (!(d.hi & DESC_P))
		return x86_raise_code(c, absent, sel & 0xfffc);
	if (x86_is_long(c)) {
		if (!x86_desc_read_top(c, sel, v, 0, &d))
			return false;
		if (!x86_is_canonical(desc_base(&d)))
			return x86_raise_code(c, v, sel & 0xfffc);
	}
	x86_seg_fill(&c->seg[SEG_LDT], sel, &d);
	return true;
}

void x86_seg_drop_inner(struct x86_cpu *c, unsigned cpl)
{
	static const uint8_t ids[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		struct x86_seg *s = &c->seg[ids[i]];
		bool is_conforming = (s->attr & (SEG_ATTR_CODE | SEG_ATTR_DC)) ==
				     (SEG_ATTR_CODE | SEG_ATTR_DC);

		if (seg_dpl(s) >= cpl || is_conforming)
			continue;
		/* An unusable segment keeps its base: FS and GS in 64-bit mode live by MSRs. */
		if (!(s->sel & 0xfffc) && !(s->attr & SEG_ATTR_P))
			continue;
		s->sel = 0;
		s->attr = 0;
		s->limit = 0;
	}
}
