/* arch/x86/vec_mem.c - vector instructions that touch memory element by element: gathers, masked
 * moves; MXCSR, VZEROALL and VZEROUPPER.
 *
 * These are helpers: an element that faults leaves the instruction to be restarted, so each keeps
 * exactly what the architecture keeps of the elements before it.
 *
 * SPDX-License-Identifier: MIT */
#include "arch/x86/vec_ops.h"

#include "arch/x86/seg_check.h"
#include "arch/x86/vec.h"
#include "arch/x86/x86.h"

/* ---- one element's address ---- */

/* The linear address of `size` bytes at offset ea of segment seg; false: #GP or #SS was raised. A
 * non-canonical address faults when it is used. */
static bool element_address(struct x86_cpu *c, unsigned seg, uint64_t ea, unsigned size,
			    bool is_write, gva_t *addr)
{
	if (c->env.mode & MODE_CODE64) {
		*addr = ea + (seg == SEG_FS || seg == SEG_GS ? c->seg[seg].base : 0);
		return true;
	}
	return x86_seg_check(c, (enum x86_seg_id)seg, (uint32_t)ea, size, is_write, addr);
}

static bool element_load(struct x86_cpu *c, unsigned seg, uint64_t ea, unsigned size, uint64_t *out)
{
	gva_t addr;

	return element_address(c, seg, ea, size, false, &addr) &&
	       x86_load(c, x86_view(c), addr, size, out);
}

static bool element_store(struct x86_cpu *c, unsigned seg, uint64_t ea, unsigned size,
			  const void *in)
{
	gva_t addr;

	return element_address(c, seg, ea, size, true, &addr) &&
	       x86_store_bytes(c, x86_view(c), addr, in, size);
}

/* Effective addresses are cut to the address size. */
static uint64_t ea_cut(uint64_t ea, const struct vec_mem_operands *o)
{
	return o->asize == 8 ? ea : ea & (BIT(8 * o->asize) - 1);
}

static bool sign_bit(const union vec *v, unsigned i, unsigned size)
{
	return v->u8[(i + 1) * size - 1] >> 7;
}

/* ---- VGATHERxxx, VPGATHERxx.  base: base register plus displacement ---- */
uint64_t vh_gather(void *env, uint64_t base, uint64_t operands, uint64_t unused)
{
	struct x86_cpu *c = env;
	const struct vec_mem_operands o = vec_mem_unpack(operands);
	const union vec index = vec_get(c->ymm[o.index], 0);
	const unsigned wider = o.esize > o.index_size ? o.esize : o.index_size;
	const unsigned count = o.vlen / wider;
	uint8_t *dst = c->ymm[o.reg], *mask = c->ymm[o.mask];

	(void)unused;
	for (unsigned i = 0; i < count; i++) {
		const union vec m = vec_get(mask, 0);
		int64_t offset = o.index_size == 8 ? index.s64[i] : index.s32[i];
		uint64_t v;

		if (!sign_bit(&m, i, o.esize))
			continue;
		if (!element_load(c, o.seg, ea_cut(base + ((uint64_t)offset << o.scale), &o),
				  o.esize, &v))
			return 0;
		memcpy(dst + i * o.esize, &v, o.esize);
		memset(mask + i * o.esize, 0, o.esize);
	}
	memset(dst + count * o.esize, 0, VEC_BYTES - count * o.esize);
	memset(mask, 0, VEC_BYTES);
	return 0;
}

/* ---- VMASKMOVPx, VPMASKMOVx.  ea: offset of the operand; the mask's sign bits choose ---- */
uint64_t vh_maskmov_load(void *env, uint64_t ea, uint64_t operands, uint64_t unused)
{
	struct x86_cpu *c = env;
	const struct vec_mem_operands o = vec_mem_unpack(operands);
	const union vec mask = vec_get(c->ymm[o.mask], 0);
	union vec r = { .u64 = { 0 } };

	(void)unused;
	for (unsigned i = 0; i * o.esize < o.vlen; i++) {
		uint64_t v;

		if (!sign_bit(&mask, i, o.esize))
			continue;
		if (!element_load(c, o.seg, ea_cut(ea + i * o.esize, &o), o.esize, &v))
			return 0;
		memcpy(&r.u8[i * o.esize], &v, o.esize);
	}
	memcpy(c->ymm[o.reg], &r, sizeof(r));
	return 0;
}

/* A store must happen as a whole: before it, each chosen element's segment is checked and, when the
 * operand lies in two pages, that it may be written. */
static bool maskmov_may_store(struct x86_cpu *c, uint64_t ea, const struct vec_mem_operands *o,
			      const union vec *mask)
{
	enum { PAGE = 4096 };

	for (unsigned i = 0; i * o->esize < o->vlen; i++) {
		uint64_t old;
		gva_t addr;

		if (!sign_bit(mask, i, o->esize))
			continue;
		if (!element_address(c, o->seg, ea_cut(ea + i * o->esize, o), o->esize, true,
				     &addr))
			return false;
		if (((addr - i * o->esize) & (PAGE - 1)) + o->vlen > PAGE &&
		    !c->env.mem->load(&c->env, x86_view(c), addr, o->esize, true, &old))
			return false;
	}
	return true;
}

/* MASKMOVDQU and MASKMOVQ are the same with bytes for elements. */
uint64_t vh_maskmov_store(void *env, uint64_t ea, uint64_t operands, uint64_t unused)
{
	struct x86_cpu *c = env;
	const struct vec_mem_operands o = vec_mem_unpack(operands);
	const bool is_mmx = o.vlen == VEC_MMX;
	const union vec mask = vec_get(is_mmx ? (void *)&c->fpr[o.mask] : c->ymm[o.mask], 0);
	const union vec data = vec_get(is_mmx ? (void *)&c->fpr[o.reg] : c->ymm[o.reg], 0);

	(void)unused;
	if (!maskmov_may_store(c, ea, &o, &mask))
		return 0;
	for (unsigned i = 0; i * o.esize < o.vlen; i++)
		if (sign_bit(&mask, i, o.esize) &&
		    !element_store(c, o.seg, ea_cut(ea + i * o.esize, &o), o.esize,
				   &data.u8[i * o.esize]))
			return 0;
	return 0;
}

/* ---- state ---- */

/* A set bit outside mxcsr_mask is #GP(0) (SDM vol. 1 §11.6.6). */
uint64_t vh_ldmxcsr(void *env, uint64_t v, uint64_t unused1, uint64_t unused2)
{
	struct x86_cpu *c = env;

	(void)unused1;
	(void)unused2;
	if (v & ~(uint64_t)c->mxcsr_mask)
		x86_raise_code(c, EXC_GP, 0);
	else
		c->mxcsr = (uint32_t)v;
	x86_mode_update_traps(c);
	return 0;
}

uint64_t vh_stmxcsr(void *env, uint64_t unused1, uint64_t unused2, uint64_t unused3)
{
	(void)unused1;
	(void)unused2;
	(void)unused3;
	return ((const struct x86_cpu *)env)->mxcsr;
}

/* registers: 16, or 8 outside 64-bit mode. */
uint64_t vh_vzeroupper(void *env, uint64_t registers, uint64_t unused1, uint64_t unused2)
{
	struct x86_cpu *c = env;

	(void)unused1;
	(void)unused2;
	for (unsigned i = 0; i < registers; i++)
		memset(&c->ymm[i][16], 0, 16);
	return 0;
}

uint64_t vh_vzeroall(void *env, uint64_t registers, uint64_t unused1, uint64_t unused2)
{
	struct x86_cpu *c = env;

	(void)unused1;
	(void)unused2;
	memset(c->ymm, 0, registers * sizeof(c->ymm[0]));
	return 0;
}
