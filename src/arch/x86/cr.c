/* arch/x86/cr.c - control registers and XCR0 (SDM 3A 2.5, 2.6, 4.1).  CPL is checked by the caller.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

#define CR0_KNOWN                                                                          \
	((uint64_t)CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | \
	 CR0_NW | CR0_CD | CR0_PG)

bool x86_cr_read(struct x86_cpu *c, unsigned n, uint64_t *v)
{
	switch (n) {
	case 0: *v = c->cr0; return true;
	case 2: *v = c->cr2; return true;
	case 3: *v = c->cr3; return true;
	case 4: *v = c->cr4; return true;
	case 8:
		*v = 0;
		if (c->vcpu->intc_ops && c->vcpu->intc_ops->get_cr8)
			*v = c->vcpu->intc_ops->get_cr8(c->vcpu->intc);
		return true;
	}
	return x86_raise(c, EXC_UD);
}

/* ---- CR0 ---- */

/* Turning paging on or off: long mode is entered and left here (SDM 3A 9.8.5). */
static bool cr0_paging(struct x86_cpu *c, uint64_t v)
{
	bool on = v & CR0_PG, was_on = c->cr0 & CR0_PG;

	if (on == was_on)
		return true;
	if (!on) {
		if (x86_is_code64(c) || (c->cr4 & CR4_PCIDE))
			return x86_raise_code(c, EXC_GP, 0);
		c->efer &= ~(uint64_t)EFER_LMA;
		return true;
	}
	if (c->efer & EFER_LME) {
		if (!(c->cr4 & CR4_PAE) || (c->seg[SEG_CS].attr & SEG_ATTR_L) ||
		    !(c->seg[SEG_TR].attr & 8))
			return x86_raise_code(c, EXC_GP, 0);
		c->efer |= EFER_LMA;
		return true;
	}
	return !(c->cr4 & CR4_PAE) || x86_pdpte_load(c, c->cr3);
}

static bool cr0_write(struct x86_cpu *c, uint64_t v)
{
	uint64_t changed;

	if (v >> 32 || ((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD)))
		return x86_raise_code(c, EXC_GP, 0);
	v = (v & CR0_KNOWN) | CR0_ET;
	changed = v ^ c->cr0;
	/* A change of these while PAE paging is on reloads the PDPTEs (SDM 3A 4.4.1). */
	if ((changed & (CR0_CD | CR0_NW)) && (v & c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) &&
	    !x86_is_long(c) && !x86_pdpte_load(c, c->cr3))
		return false;
	if (!cr0_paging(c, v))
		return false;
	c->cr0 = v;
	x86_mode_update(c);
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		x86_tlb_flush(c, false);
	return true;
}

bool x86_lmsw(struct x86_cpu *c, uint16_t v)
{
	/* PE can be set but not cleared this way. */
	return cr0_write(c, (c->cr0 & ~UINT64_C(0xe)) | (v & 0xf));
}

/* ---- CR3, CR4 ---- */

static bool cr3_write(struct x86_cpu *c, uint64_t v)
{
	bool keep = false;

	if (x86_is_long(c)) {
		if (c->cr4 & CR4_PCIDE) { /* SDM 3A 4.10.4.1: keep this PCID's translations */
			keep = v & BIT(63);
			v &= ~BIT(63);
		}
		if (v >> c->phys_bits)
			return x86_raise_code(c, EXC_GP, 0);
	} else {
		v = (uint32_t)v;
		if ((c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !x86_pdpte_load(c, v))
			return false;
	}
	c->cr3 = v;
	x86_tlb_switch(c, keep);
	return true;
}

static uint64_t cr4_allowed(const struct x86_cpu *c)
{
	static const struct {
		uint32_t bits;
		enum x86_feature f;
	} by_feature[] = {
		{ CR4_VME | CR4_PVI, X86_FEAT_VME },
		{ CR4_TSD, X86_FEAT_TSC },
		{ CR4_DE, X86_FEAT_DE },
		{ CR4_PSE, X86_FEAT_PSE },
		{ CR4_PAE, X86_FEAT_PAE },
		{ CR4_MCE, X86_FEAT_MCE },
		{ CR4_PGE, X86_FEAT_PGE },
		{ CR4_OSFXSR, X86_FEAT_FXSR },
		{ CR4_OSXMMEXCPT, X86_FEAT_SSE },
		{ CR4_UMIP, X86_FEAT_UMIP },
		{ CR4_FSGSBASE, X86_FEAT_FSGSBASE },
		{ CR4_PCIDE, X86_FEAT_PCID },
		{ CR4_OSXSAVE, X86_FEAT_XSAVE },
		{ CR4_SMEP, X86_FEAT_SMEP },
		{ CR4_SMAP, X86_FEAT_SMAP },
	};
	uint64_t allowed = CR4_PCE;

	for (unsigned i = 0; i < ARRAY_SIZE(by_feature); i++)
		if (x86_has(c, by_feature[i].f))
			allowed |= by_feature[i].bits;
	return allowed;
}

static bool cr4_write(struct x86_cpu *c, uint64_t v)
{
	uint64_t changed = v ^ c->cr4, old = c->cr4;
	bool is_long = x86_is_long(c);

	if (v & ~cr4_allowed(c))
		return x86_raise_code(c, EXC_GP, 0);
	if (is_long && !(v & CR4_PAE))
		return x86_raise_code(c, EXC_GP, 0);
	if ((v & changed & CR4_PCIDE) && (!is_long || (c->cr3 & 0xfff)))
		return x86_raise_code(c, EXC_GP, 0);
	if ((c->cr0 & CR0_PG) && !is_long && (v & CR4_PAE) &&
	    (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && !x86_pdpte_load(c, c->cr3))
		return false;
	c->cr4 = v;
	x86_mode_update(c);
	if (((old ^ v) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PCIDE)))
		x86_tlb_flush(c, false);
	return true;
}

bool x86_cr_write(struct x86_cpu *c, unsigned n, uint64_t v)
{
	switch (n) {
	case 0: return cr0_write(c, v);
	case 2: c->cr2 = v; return true;
	case 3: return cr3_write(c, v);
	case 4: return cr4_write(c, v);
	case 8:
		if (v >> 4)
			return x86_raise_code(c, EXC_GP, 0);
		if (c->vcpu->intc_ops && c->vcpu->intc_ops->set_cr8)
			c->vcpu->intc_ops->set_cr8(c->vcpu->intc, (uint8_t)v);
		return true;
	}
	return x86_raise(c, EXC_UD);
}

/* SDM 2 XSETBV. */
bool x86_xsetbv(struct x86_cpu *c, uint32_t reg, uint64_t v)
{
	if (reg || (v & ~x86_xcr0_supported(c)) || !(v & XCR0_X87) ||
	    ((v & XCR0_AVX) && !(v & XCR0_SSE)))
		return x86_raise_code(c, EXC_GP, 0);
	c->xcr0 = v;
	x86_mode_update(c);
	return true;
}
