/* arch/x86/io.c - port I/O: who may, and how (SDM 1 ch. 19).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"
#include "memory/address_space.h"

/* The I/O permission bitmap of the TSS; two bytes are always read (SDM 1 19.5.2). */
static bool io_bitmap_allows(struct x86_cpu *c, uint16_t port, unsigned size, bool *allows)
{
	const struct x86_seg *tr = &c->seg[SEG_TR];
	uint32_t mask = (1u << size) - 1;
	uint64_t map, bits;

	*allows = false;
	if (!(tr->attr & SEG_ATTR_P) || !(tr->attr & 8) || tr->limit < 103)
		return true;
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, tr->base + 0x66), 2, &map))
		return false;
	map += port / 8;
	if (map + 1 > tr->limit)
		return true;
	if (!x86_load(c, VIEW_KERNEL, x86_linear(c, tr->base + map), 2, &bits))
		return false;
	*allows = !(bits >> (port & 7) & mask);
	return true;
}

bool x86_io_check(struct x86_cpu *c, uint16_t port, unsigned size)
{
	bool allows;

	if (x86_is_real(c))
		return true;
	if (!(c->rflags & FL_VM) && x86_cpl(c) <= x86_iopl(c))
		return true;
	if (!io_bitmap_allows(c, port, size, &allows))
		return false;
	return allows || x86_raise_code(c, EXC_GP, 0);
}

uint64_t x86_io_in(struct x86_cpu *c, uint16_t port, unsigned size)
{
	uint64_t v = size == 4 ? UINT32_MAX : (1u << (8 * size)) - 1;

	if (c->vcpu->io)
		address_space_read(c->vcpu->io, port, size, &v);
	if (c->env.mode & MODE_DATA_BREAK)
		x86_debug_io(c, port, size);
	return v;
}

void x86_io_out(struct x86_cpu *c, uint16_t port, unsigned size, uint64_t v)
{
	if (c->vcpu->io)
		address_space_write(c->vcpu->io, port, size, v);
	if (c->env.mode & MODE_DATA_BREAK)
		x86_debug_io(c, port, size);
}
