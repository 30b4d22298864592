/* arch/x86/xsave.c - FNINIT state, FXSAVE/FXRSTOR and the XSAVE feature set (SDM 1 10.5, ch. 13).
 * XSAVES and XRSTORS are not announced: there is no supervisor state.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

/* Offsets in the legacy region and the header (SDM 1 tables 10-2 and 13-1). */
enum {
	FX_FCW = 0,
	FX_FSW = 2,
	FX_FTW = 4,
	FX_FOP = 6,
	FX_FIP = 8,
	FX_FCS = 12,
	FX_FDP = 16,
	FX_FDS = 20,
	FX_MXCSR = 24,
	FX_MXCSR_MASK = 28,
	FX_ST = 32,
	FX_XMM = 160,
	FX_SIZE = 416,
	XS_HEADER = 512,
	XS_BV = 512,
	XS_COMP = 520,
	XS_AVX = 576,
	XS_AVX_SIZE = 256,
};
#define XCOMP_COMPACT BIT(63)
enum { MXCSR_INIT = 0x1f80, EFER_FFXSR = 1u << 14 };

void x86_fpu_init(struct x86_cpu *c)
{
	c->fcw = 0x37f;
	c->fsw = 0;
	c->ftop = 0;
	c->ftag = 0;
	c->fop = c->fcs = c->fds = 0;
	c->fip = c->fdp = 0;
}

static unsigned xmm_count(const struct x86_cpu *c) { return x86_is_code64(c) ? 16 : 8; }

static void xmm_init(struct x86_cpu *c)
{
	for (unsigned i = 0; i < xmm_count(c); i++)
		memset(c->ymm[i], 0, 16);
}

static void ymm_upper_init(struct x86_cpu *c)
{
	for (unsigned i = 0; i < xmm_count(c); i++)
		memset(c->ymm[i] + 16, 0, 16);
}

void x86_xstate_init(struct x86_cpu *c, uint64_t components)
{
	if (components & XCR0_X87) {
		x86_fpu_init(c);
		memset(c->fpr, 0, sizeof(c->fpr));
	}
	if (components & XCR0_SSE) {
		memset(c->ymm, 0, sizeof(c->ymm));
		c->mxcsr = MXCSR_INIT;
	}
}

static bool bytes_are_zero(const uint8_t *p, unsigned n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

uint64_t x86_xinuse(const struct x86_cpu *c)
{
	uint64_t in_use = 0;

	if (c->fcw != 0x37f || c->fsw || c->ftop || c->ftag || c->fop || c->fip || c->fdp ||
	    c->fcs || c->fds || !bytes_are_zero((const uint8_t *)c->fpr, sizeof(c->fpr)))
		in_use |= XCR0_X87;
	if (c->mxcsr != MXCSR_INIT)
		in_use |= XCR0_SSE;
	for (unsigned i = 0; i < 16; i++) {
		if (!bytes_are_zero(c->ymm[i], 16))
			in_use |= XCR0_SSE;
		if (!bytes_are_zero(c->ymm[i] + 16, 16))
			in_use |= XCR0_AVX;
	}
	return in_use;
}

/* With only x87, SSE and AVX both formats put AVX at 576. */
uint32_t x86_xsave_size(uint64_t components, bool is_compact)
{
	(void)is_compact;
	return components & XCR0_AVX ? XS_AVX + XS_AVX_SIZE : XS_AVX;
}

/* ---- pieces of the legacy region ---- */

static void x87_put(const struct x86_cpu *c, uint8_t *p, bool is_64)
{
	st16_le(p + FX_FCW, c->fcw);
	st16_le(p + FX_FSW, (uint16_t)((c->fsw & ~0x3800u) | (unsigned)c->ftop << 11));
	st16_le(p + FX_FTW, c->ftag);
	st16_le(p + FX_FOP, c->fop);
	st64_le(p + FX_FIP, c->fip);
	st64_le(p + FX_FDP, c->fdp);
	if (!is_64) {
		st32_le(p + FX_FCS, c->fcs);
		st32_le(p + FX_FDS, c->fds);
	}
	for (unsigned i = 0; i < 8; i++) {
		const struct x86_f80 *r = &c->fpr[(c->ftop + i) & 7];

		st64_le(p + FX_ST + 16 * i, r->frac);
		st64_le(p + FX_ST + 16 * i + 8, r->sexp);
	}
}

static void x87_get(struct x86_cpu *c, const uint8_t *p, bool is_64)
{
	uint16_t fsw = ld16_le(p + FX_FSW);

	c->fcw = (uint16_t)((ld16_le(p + FX_FCW) & 0x1f3f) | 0x40);
	c->ftop = fsw >> 11 & 7;
	c->fsw = fsw & 0xc7ff;
	c->ftag = p[FX_FTW];
	c->fop = ld16_le(p + FX_FOP) & 0x7ff;
	c->fip = ld64_le(p + FX_FIP);
	c->fdp = ld64_le(p + FX_FDP);
	if (!is_64) {
		c->fcs = (uint16_t)(c->fip >> 32);
		c->fds = (uint16_t)(c->fdp >> 32);
		c->fip = (uint32_t)c->fip;
		c->fdp = (uint32_t)c->fdp;
	}
	for (unsigned i = 0; i < 8; i++) {
		struct x86_f80 *r = &c->fpr[(c->ftop + i) & 7];

		*r = (struct x86_f80){ .frac = ld64_le(p + FX_ST + 16 * i),
				       .sexp = ld16_le(p + FX_ST + 16 * i + 8) };
	}
	/* ES and B follow from the unmasked exceptions */
	c->fsw &= 0x7f7f;
	if (c->fsw & ~c->fcw & 0x3f)
		c->fsw |= 0x8080;
}

static bool mem_put(struct x86_cpu *c, gva_t addr, const void *p, unsigned n)
{
	return x86_store_bytes(c, c->env.view, x86_linear(c, addr), p, n);
}

static bool mem_get(struct x86_cpu *c, gva_t addr, void *p, unsigned n)
{
	return x86_load_bytes(c, c->env.view, x86_linear(c, addr), p, n);
}

/* Bytes 24-31 are MXCSR's, between the x87 parts. */
static bool x87_save(struct x86_cpu *c, gva_t addr, bool is_64)
{
	uint8_t raw[FX_XMM] = { 0 };

	x87_put(c, raw, is_64);
	return mem_put(c, addr, raw, FX_MXCSR) &&
	       mem_put(c, addr + FX_ST, raw + FX_ST, FX_XMM - FX_ST);
}

static bool mxcsr_save(struct x86_cpu *c, gva_t addr)
{
	uint8_t raw[8];

	st32_le(raw, c->mxcsr);
	st32_le(raw + 4, c->mxcsr_mask);
	return mem_put(c, addr + FX_MXCSR, raw, 8);
}

static bool xmm_save(struct x86_cpu *c, gva_t addr)
{
	uint8_t raw[256];
	unsigned n = xmm_count(c);

	for (unsigned i = 0; i < n; i++)
		memcpy(raw + 16 * i, c->ymm[i], 16);
	return mem_put(c, addr + FX_XMM, raw, 16 * n);
}

static bool avx_save(struct x86_cpu *c, gva_t addr)
{
	uint8_t raw[256];
	unsigned n = xmm_count(c);

	for (unsigned i = 0; i < n; i++)
		memcpy(raw + 16 * i, c->ymm[i] + 16, 16);
	return mem_put(c, addr + XS_AVX, raw, 16 * n);
}

/* ---- the whole as an image ---- */

void x86_ximage_get(const struct x86_cpu *c, uint8_t *image)
{
	BUILD_ASSERT(X86_XIMAGE_BYTES == XS_AVX + XS_AVX_SIZE);
	memset(image, 0, X86_XIMAGE_BYTES);
	x87_put(c, image, true);
	st32_le(image + FX_MXCSR, c->mxcsr);
	st32_le(image + FX_MXCSR_MASK, c->mxcsr_mask);
	for (unsigned i = 0; i < 16; i++) {
		memcpy(image + FX_XMM + 16 * i, c->ymm[i], 16);
		memcpy(image + XS_AVX + 16 * i, c->ymm[i] + 16, 16);
	}
	st64_le(image + XS_BV, x86_xinuse(c));
}

/* Components that the header leaves out are in their initial state (SDM 1 13.6); MXCSR counts where
 * SSE's or AVX's does. */
void x86_ximage_put(struct x86_cpu *c, const uint8_t *image)
{
	uint64_t bv = ld64_le(image + XS_BV);

	x86_xstate_init(c, XCR0_X87 | XCR0_SSE | XCR0_AVX);
	if (bv & XCR0_X87)
		x87_get(c, image, true);
	if (bv & (XCR0_SSE | XCR0_AVX))
		c->mxcsr = ld32_le(image + FX_MXCSR) & c->mxcsr_mask;
	for (unsigned i = 0; i < 16; i++) {
		if (bv & XCR0_SSE)
			memcpy(c->ymm[i], image + FX_XMM + 16 * i, 16);
		if (bv & XCR0_AVX)
			memcpy(c->ymm[i] + 16, image + XS_AVX + 16 * i, 16);
	}
}

/* ---- FXSAVE, FXRSTOR ---- */

/* EFER.FFXSR: CPL 0 in 64-bit mode skips the XMM registers (APM 2 11.4.4.2). */
static bool fx_has_xmm(const struct x86_cpu *c)
{
	if (!(c->cr4 & CR4_OSFXSR))
		return false;
	return !((c->efer & EFER_FFXSR) && x86_is_code64(c) && !x86_cpl(c));
}

bool x86_fxsave(struct x86_cpu *c, gva_t addr, bool is_64)
{
	if (addr & 15)
		return x86_raise_code(c, EXC_GP, 0);
	return x87_save(c, addr, is_64) && mxcsr_save(c, addr) &&
	       (!fx_has_xmm(c) || xmm_save(c, addr));
}

bool x86_fxrstor(struct x86_cpu *c, gva_t addr, bool is_64)
{
	uint8_t raw[FX_SIZE];
	uint32_t mxcsr;

	if (addr & 15)
		return x86_raise_code(c, EXC_GP, 0);
	if (!mem_get(c, addr, raw, FX_SIZE))
		return false;
	mxcsr = ld32_le(raw + FX_MXCSR);
	if ((c->cr4 & CR4_OSFXSR) && (mxcsr & ~c->mxcsr_mask))
		return x86_raise_code(c, EXC_GP, 0);
	x87_get(c, raw, is_64);
	if (c->cr4 & CR4_OSFXSR)
		c->mxcsr = mxcsr;
	if (fx_has_xmm(c))
		for (unsigned i = 0; i < xmm_count(c); i++)
			memcpy(c->ymm[i], raw + FX_XMM + 16 * i, 16);
	x86_mode_update_traps(c);
	return true;
}

/* ---- XSAVE, XSAVEOPT, XSAVEC ---- */

static bool xsave_header(struct x86_cpu *c, gva_t addr, uint64_t rfbm, uint64_t in_use,
			 enum x86_xsave_kind kind)
{
	uint8_t header[64] = { 0 };
	uint64_t bv;

	if (kind == XSAVE_COMPACT) {
		st64_le(header, in_use & rfbm);
		st64_le(header + 8, rfbm | XCOMP_COMPACT);
		return mem_put(c, addr + XS_HEADER, header, 64);
	}
	if (!mem_get(c, addr + XS_BV, &bv, 8))
		return false;
	bv = (bv & ~rfbm) | (in_use & rfbm);
	return mem_put(c, addr + XS_BV, &bv, 8);
}

bool x86_xsave(struct x86_cpu *c, gva_t addr, uint64_t rfbm, bool is_64, enum x86_xsave_kind kind)
{
	uint64_t in_use = x86_xinuse(c), write;
	bool mxcsr;

	if (addr & 63)
		return x86_raise_code(c, EXC_GP, 0);
	rfbm &= c->xcr0;
	write = kind == XSAVE_PLAIN ? rfbm : rfbm & in_use;
	mxcsr = kind == XSAVE_COMPACT ? write & XCR0_SSE : rfbm & (XCR0_SSE | XCR0_AVX);
	if ((write & XCR0_X87) && !x87_save(c, addr, is_64))
		return false;
	if (mxcsr && !mxcsr_save(c, addr))
		return false;
	if ((write & XCR0_SSE) && !xmm_save(c, addr))
		return false;
	if ((write & XCR0_AVX) && !avx_save(c, addr))
		return false;
	return xsave_header(c, addr, rfbm, in_use, kind);
}

/* ---- XRSTOR ---- */

/* Is the header one that this processor takes (SDM 1 13.8)? */
static bool xrstor_header_ok(const struct x86_cpu *c, const uint8_t *header)
{
	uint64_t bv = ld64_le(header), comp = ld64_le(header + 8);

	if (!bytes_are_zero(header + 16, 8))
		return false;
	if (!(comp & XCOMP_COMPACT))
		return !comp && !(bv & ~c->xcr0);
	if (!x86_has(c, X86_FEAT_XSAVEC) || !bytes_are_zero(header + 24, 40))
		return false;
	comp &= ~XCOMP_COMPACT;
	return !(comp & ~c->xcr0) && !(bv & ~comp);
}

bool x86_xrstor(struct x86_cpu *c, gva_t addr, uint64_t rfbm, bool is_64)
{
	uint8_t raw[FX_SIZE], header[64], avx[XS_AVX_SIZE];
	uint64_t bv;
	bool is_compact, loads_mxcsr;

	if (addr & 63)
		return x86_raise_code(c, EXC_GP, 0);
	rfbm &= c->xcr0;
	if (!mem_get(c, addr + XS_HEADER, header, 64))
		return false;
	if (!xrstor_header_ok(c, header))
		return x86_raise_code(c, EXC_GP, 0);
	bv = ld64_le(header);
	is_compact = ld64_le(header + 8) & XCOMP_COMPACT;
	loads_mxcsr = is_compact ? rfbm & bv & XCR0_SSE : rfbm & (XCR0_SSE | XCR0_AVX);
	if (((rfbm & bv & (XCR0_X87 | XCR0_SSE)) || loads_mxcsr) && !mem_get(c, addr, raw, FX_SIZE))
		return false;
	if ((rfbm & bv & XCR0_AVX) && !mem_get(c, addr + XS_AVX, avx, 16 * xmm_count(c)))
		return false;
	if (loads_mxcsr && (ld32_le(raw + FX_MXCSR) & ~c->mxcsr_mask))
		return x86_raise_code(c, EXC_GP, 0);

	if (rfbm & bv & XCR0_X87)
		x87_get(c, raw, is_64);
	else if (rfbm & XCR0_X87)
		x86_xstate_init(c, XCR0_X87);
	if (loads_mxcsr)
		c->mxcsr = ld32_le(raw + FX_MXCSR);
	else if (rfbm & XCR0_SSE)
		c->mxcsr = MXCSR_INIT;
	if (rfbm & XCR0_SSE)
		xmm_init(c);
	if (rfbm & XCR0_AVX)
		ymm_upper_init(c);
	for (unsigned i = 0; i < xmm_count(c); i++) {
		if (rfbm & bv & XCR0_SSE)
			memcpy(c->ymm[i], raw + FX_XMM + 16 * i, 16);
		if (rfbm & bv & XCR0_AVX)
			memcpy(c->ymm[i] + 16, avx + 16 * i, 16);
	}
	x86_mode_update_traps(c);
	return true;
}
