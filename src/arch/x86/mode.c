/* arch/x86/mode.c - the mode word: what translations depend on, computed from the registers.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

static bool seg_is_flat(const struct x86_seg *s) { return !s->base && s->limit == UINT32_MAX; }

/* Base 0, limit 4 GiB, present, readable, writable, growing up. */
static bool seg_is_flat_data(const struct x86_seg *s)
{
	unsigned want = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW;
	unsigned look = want | SEG_ATTR_CODE | SEG_ATTR_DC;

	return seg_is_flat(s) && (s->attr & look) == want;
}

static uint64_t mode_segments(const struct x86_cpu *c)
{
	const struct x86_seg *s = c->seg;
	uint64_t m = 0;

	if ((c->efer & EFER_LMA) && (s[SEG_CS].attr & SEG_ATTR_L))
		return MODE_CODE64 | MODE_FLAT_DATA | MODE_FLAT_CODE;
	if (s[SEG_CS].attr & SEG_ATTR_DB)
		m |= MODE_CODE32;
	if (s[SEG_SS].attr & SEG_ATTR_DB)
		m |= MODE_STACK32;
	if (seg_is_flat_data(&s[SEG_DS]) && seg_is_flat_data(&s[SEG_ES]) &&
	    seg_is_flat_data(&s[SEG_SS]))
		m |= MODE_FLAT_DATA;
	if (seg_is_flat(&s[SEG_CS]))
		m |= MODE_FLAT_CODE;
	return m;
}

static uint64_t mode_fpu(const struct x86_cpu *c)
{
	uint64_t m = 0;

	if (c->cr0 & (CR0_EM | CR0_TS))
		m |= MODE_NO_FPU;
	if (c->cr0 & CR0_EM)
		m |= MODE_EM;
	if (c->cr0 & CR0_TS)
		m |= MODE_TS;
	if (c->cr0 & CR0_MP)
		m |= MODE_MP;
	if ((c->cr4 & CR4_OSFXSR) && !(c->cr0 & CR0_EM))
		m |= MODE_SSE;
	if ((c->cr4 & CR4_OSXSAVE) && (c->xcr0 & 6) == 6)
		m |= MODE_AVX;
	return m;
}

/* What vector and x87 instructions do with exceptions. */
static uint64_t mode_traps(const struct x86_cpu *c)
{
	enum {
		MASKS = 0x3f,
		MXCSR_MASKS_SHIFT = 7,
		MISC_ENABLE_FOPCODE = 1u << 2,
		FSW_ES = 1u << 7,
	};
	uint64_t m = 0;

	if (~c->mxcsr & (uint32_t)MASKS << MXCSR_MASKS_SHIFT)
		m |= MODE_SSE_TRAPS;
	if (~c->fcw & MASKS || c->fsw & FSW_ES || c->msr_misc_enable & MISC_ENABLE_FOPCODE)
		m |= MODE_X87_TRAPS;
	return m;
}

static uint64_t mode_debug(const struct x86_cpu *c)
{
	uint64_t m = 0;

	if (x86_debug_armed(c, true))
		m |= MODE_CODE_BREAK;
	if (x86_debug_armed(c, false))
		m |= MODE_DATA_BREAK;
	return m;
}

static unsigned mode_view(const struct x86_cpu *c, uint64_t m, unsigned cpl)
{
	if (cpl == 3)
		return VIEW_USER;
	return m & MODE_SMAP && c->rflags & FL_AC ? VIEW_KERNEL_AC : VIEW_KERNEL;
}

/* The bits that hang on control and debug registers alone. */
static uint64_t mode_control(const struct x86_cpu *c)
{
	uint64_t m = mode_fpu(c) | mode_traps(c) | mode_debug(c);

	if (c->cr0 & CR0_PE)
		m |= MODE_PE;
	if (c->efer & EFER_LMA)
		m |= MODE_LMA;
	if (c->cr4 & CR4_SMAP)
		m |= MODE_SMAP;
	return m;
}

/* The other bits, in this setting: segments, privilege, flags, what is pending. */
static void mode_put(struct x86_cpu *c, uint64_t control)
{
	bool vm = (control & MODE_PE) && (c->rflags & FL_VM);
	unsigned cpl = vm ? 3 : control & MODE_PE ? seg_dpl(&c->seg[SEG_SS]) : 0;
	uint64_t m = control | mode_segments(c);

	if (vm)
		m |= MODE_VM86;
	if (c->rflags & FL_DF)
		m |= MODE_DF;
	if ((control & (MODE_CODE_BREAK | MODE_DATA_BREAK)) || (c->rflags & FL_TF) ||
	    c->in_shadow || c->step_insns || c->pending_db)
		m |= MODE_STEP;
	if (cpl == 3 && (c->cr0 & CR0_AM) && (c->rflags & FL_AC))
		m |= MODE_ALIGN;
	m |= (uint64_t)cpl << MODE_CPL_SHIFT;
	c->env.mode = m;
	c->env.view = mode_view(c, m, cpl);
}

void x86_mode_update(struct x86_cpu *c) { mode_put(c, mode_control(c)); }

void x86_mode_update_cs(struct x86_cpu *c)
{
	const uint64_t control = MODE_PE | MODE_LMA | MODE_NO_FPU | MODE_EM | MODE_TS | MODE_MP |
				 MODE_SSE | MODE_AVX | MODE_CODE_BREAK | MODE_DATA_BREAK |
				 MODE_SSE_TRAPS | MODE_X87_TRAPS | MODE_SMAP;

	mode_put(c, c->env.mode & control);
}

void x86_rflags_set(struct x86_cpu *c, uint32_t value, uint32_t mask)
{
	uint32_t old = c->rflags;

	x86_rflags_put(c, (old & ~mask) | (value & mask));
	if ((old ^ c->rflags) & (FL_TF | FL_VM | FL_AC | FL_DF))
		x86_mode_update_cs(c);
}

void x86_mode_update_traps(struct x86_cpu *c)
{
	const uint64_t mask = MODE_SSE_TRAPS | MODE_X87_TRAPS;
	uint64_t now = mode_traps(c);

	if ((c->env.mode & mask) == now)
		return;
	c->env.mode = (c->env.mode & ~mask) | now;
	/* The rest of the running block was made for the other mode. */
	c->env.code_stored = true;
}
