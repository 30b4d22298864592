/* cpu/debug.c - vCPUs under a debugger: who is held, why one stopped, memory as it sees it.
 * SPDX-License-Identifier: MIT */
#include "cpu/debug.h"

#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "memory/address_space.h"

enum { PAGE = 4096 };

void vcpu_hold(struct vcpu *v, bool is_held)
{
	lock_take(&v->lock);
	v->is_held = is_held;
	lock_drop(&v->lock);
}

void vcpu_debug_stopped(struct vcpu *v, const struct debug_stop *s)
{
	lock_take(&v->lock);
	v->debug_stop = *s;
	v->is_held = v->must_stop = true;
	lock_drop(&v->lock);
	atomic_fetch_or(v->exit_request, VCPU_EXIT_STOP);
	if (v->on_debug)
		v->on_debug(v);
}

struct debug_stop vcpu_take_debug_stop(struct vcpu *v)
{
	struct debug_stop s;

	lock_take(&v->lock);
	s = v->debug_stop;
	v->debug_stop = (struct debug_stop){ 0 };
	lock_drop(&v->lock);
	return s;
}

/* ---- memory ---- */

/* One page's part of it. */
static bool access_page(struct vcpu *v, gva_t addr, uint8_t *buf, size_t len, bool is_write)
{
	struct mmu_result r = { 0 };

	/* A debugger writes where the guest may only read. */
	if (!v->arch->walk(v, addr, MMU_READ, v->arch->debug_view, false, &r))
		return false;
	return is_write ? dma_write_rom(v->memory, r.gpa, buf, len)
			: dma_read(v->memory, r.gpa, buf, len);
}

/* The page's part byte by byte, where not all of it can be had: up to the first that cannot. */
static size_t access_bytes(struct vcpu *v, gva_t addr, uint8_t *buf, size_t len, bool is_write)
{
	size_t done = 0;

	while (done < len && access_page(v, addr + done, buf + done, 1, is_write))
		done++;
	return done;
}

static size_t access_all(struct vcpu *v, gva_t addr, uint8_t *buf, size_t len, bool is_write)
{
	size_t done = 0;

	while (done < len) {
		size_t part = PAGE - (addr + done) % PAGE;

		if (part > len - done)
			part = len - done;
		if (!access_page(v, addr + done, buf + done, part, is_write))
			return done + access_bytes(v, addr + done, buf + done, part, is_write);
		done += part;
	}
	return done;
}

size_t vcpu_debug_read(struct vcpu *v, gva_t addr, void *buf, size_t len)
{
	return access_all(v, addr, buf, len, false);
}

size_t vcpu_debug_write(struct vcpu *v, gva_t addr, const void *buf, size_t len)
{
	return access_all(v, addr, (uint8_t *)(uintptr_t)buf, len, true);
}
