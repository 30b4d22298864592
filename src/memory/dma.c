/* memory/dma.c - copies between host buffers and guest RAM.
 *
 * Only RAM and ROM can be reached: a transfer aimed at device registers fails as on hardware whose
 * bridges refuse peer accesses, so a device never re-enters another one or itself.
 * SPDX-License-Identifier: MIT */
#include "memory/address_space.h"

#include <string.h>

#include "memory/ram.h"
#include "memory/rcu.h"
#include "memory/region.h"
#include "memory/topology.h"

enum dma_kind { DMA_READ, DMA_WRITE, DMA_WRITE_ROM, DMA_SET };

static bool dma_may(const struct region *r, enum dma_kind kind)
{
	if (r->kind == REGION_RAM)
		return true;
	return r->kind == REGION_ROM && (kind == DMA_READ || kind == DMA_WRITE_ROM);
}

static void dma_piece(const struct region *r, uint64_t offset, enum dma_kind kind, uint8_t *buf,
		      int byte, uint64_t len)
{
	uint8_t *host = r->ram->host + r->ram_offset + offset;

	switch (kind) {
	case DMA_READ: memcpy(buf, host, len); return;
	case DMA_SET: memset(host, byte, len); break;
	default: memcpy(host, buf, len);
	}
	ram_stored(r->ram, r->ram_offset + offset, len);
}

/* [addr, addr + len) stretch by stretch; what is no RAM is skipped in one step, so that hostile
 * lengths cost nothing.  buf is NULL for DMA_SET. */
static bool dma_walk(struct address_space *as, gpa_t addr, enum dma_kind kind, uint8_t *buf,
		     int byte, uint64_t len)
{
	const struct flat_view *v;
	bool ok = true;
	uint32_t i;

	rcu_enter();
	v = rcu_fetch(as->view);
	i = flat_view_search(v, addr);
	while (len) {
		const struct flat_range *r = i < v->count ? &v->ranges[i] : NULL;
		uint64_t n = addr && len > -addr ? -addr : len; /* up to the top of memory */

		if (r && r->start <= addr && dma_may(r->region, kind)) {
			if (n - 1 > r->last - addr)
				n = r->last - addr + 1;
			dma_piece(r->region, r->offset + (addr - r->start), kind, buf, byte, n);
			i++;
		} else {
			if (r && r->start > addr && n > r->start - addr)
				n = r->start - addr;
			else if (r && r->start <= addr && n - 1 > r->last - addr)
				n = r->last - addr + 1;
			if (r && r->start <= addr)
				i++;
			if (kind == DMA_READ)
				memset(buf, 0xff, n);
			ok = false;
		}
		if (buf)
			buf += n;
		addr += n;
		len -= n;
		if (!addr) /* past the top: on from 0, as addresses do */
			i = 0;
	}
	rcu_leave();
	return ok;
}

bool dma_read(struct address_space *as, gpa_t addr, void *buf, uint64_t len)
{
	return dma_walk(as, addr, DMA_READ, buf, 0, len);
}

bool dma_write(struct address_space *as, gpa_t addr, const void *buf, uint64_t len)
{
	return dma_walk(as, addr, DMA_WRITE, (uint8_t *)(uintptr_t)buf, 0, len);
}

bool dma_write_rom(struct address_space *as, gpa_t addr, const void *buf, uint64_t len)
{
	return dma_walk(as, addr, DMA_WRITE_ROM, (uint8_t *)(uintptr_t)buf, 0, len);
}

bool dma_set(struct address_space *as, gpa_t addr, uint8_t byte, uint64_t len)
{
	return dma_walk(as, addr, DMA_SET, NULL, byte, len);
}

void *dma_map(struct address_space *as, gpa_t addr, uint64_t *len, bool is_write)
{
	const struct flat_range *r;
	void *p = NULL;

	rcu_enter();
	r = address_space_find(as, addr);
	if (r && *len && dma_may(r->region, is_write ? DMA_WRITE : DMA_READ)) {
		if (*len - 1 > r->last - addr)
			*len = r->last - addr + 1;
		p = r->region->ram->host + r->region->ram_offset + r->offset + (addr - r->start);
	}
	rcu_leave();
	return p;
}

void dma_unmap(struct address_space *as, gpa_t addr, uint64_t len, bool is_write)
{
	const struct flat_range *r;

	if (!is_write || !len)
		return;
	rcu_enter();
	r = address_space_find(as, addr);
	/* The range may have changed meanwhile: then whoever removed it has dropped all it held. */
	if (r && r->region->kind == REGION_RAM && r->last - addr >= len - 1)
		ram_stored(r->region->ram, r->region->ram_offset + r->offset + (addr - r->start),
			   len);
	rcu_leave();
}
