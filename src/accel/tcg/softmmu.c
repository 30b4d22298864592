/* accel/tcg/softmmu.c - filling the soft TLB, and every access that misses it: devices, pages that
 * hold code, page crossings.
 *
 * Fast entries exist only for whole pages of RAM (for writes: without page flags that want to hear
 * of stores) and ROM.  phys[] remembers the last walk of each index also for pages that stay slow.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "base/log.h"
#include "memory/region.h"
#include "cpu/arch.h"
#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE };

/* Where one access goes. */
struct place {
	gpa_t gpa;
	const struct flat_range *range; /* NULL: nothing answers */
	uint64_t offset;                /* in the range's region */
	uint8_t *host;                  /* RAM and ROM */
	bool is_rom;
};

static const enum mmu_access access_of[TLB_KINDS] = { MMU_READ, MMU_WRITE, MMU_EXEC };

/* ---- flushing ---- */

static void drop_entry(struct tcg_vcpu *tv, unsigned view, unsigned kind, unsigned i)
{
	__atomic_store_n(&tv->tlb[view].e[kind][i].tag, tlb_empty_tag(i), __ATOMIC_RELAXED);
	tv->phys[view][kind][i].page = 0;
}

static void flush_view(struct tcg_vcpu *tv, unsigned view, bool keep_global)
{
	for (unsigned kind = 0; kind < TLB_KINDS; kind++)
		for (unsigned i = 0; i < TLB_SIZE; i++)
			if (!keep_global || !(tv->phys[view][kind][i].page & TCG_PHYS_GLOBAL))
				drop_entry(tv, view, kind, i);
	if (!keep_global)
		tv->view_used[view] = false;
}

static void flush(struct tcg_vcpu *tv, bool keep_global)
{
	for (unsigned view = 0; view < TLB_VIEWS; view++)
		if (tv->view_used[view])
			flush_view(tv, view, keep_global);
	if (!keep_global)
		tv->has_large = false;
}

void tcg_tlb_flush_all(struct tcg_vcpu *tv)
{
	memset(tv->view_used, true, sizeof(tv->view_used));
	flush(tv, false);
}

/* Every entry whose mapping covers addr: with large pages there may be many. */
static void flush_covering(struct tcg_vcpu *tv, unsigned view, gva_t addr)
{
	for (unsigned kind = 0; kind < TLB_KINDS; kind++) {
		for (unsigned i = 0; i < TLB_SIZE; i++) {
			const struct tcg_phys *e = &tv->phys[view][kind][i];

			if (e->page & TCG_PHYS_VALID && !((e->page ^ addr) & ~(e->page_size - 1)))
				drop_entry(tv, view, kind, i);
		}
	}
}

static void flush_page(struct tcg_vcpu *tv, gva_t addr)
{
	unsigned i = tlb_index(addr);

	for (unsigned view = 0; view < TLB_VIEWS; view++) {
		if (!tv->view_used[view])
			continue;
		if (tv->has_large) {
			flush_covering(tv, view, addr);
			continue;
		}
		for (unsigned kind = 0; kind < TLB_KINDS; kind++)
			if (!((tv->phys[view][kind][i].page ^ addr) & ~(gva_t)(PAGE - 1)))
				drop_entry(tv, view, kind, i);
	}
}

static void op_tlb_flush(struct jit_env *env, gva_t page, bool keep_global)
{
	if (page == ~UINT64_C(0))
		flush(tcg_of(env), keep_global);
	else
		flush_page(tcg_of(env), page);
}

bool tcg_tlb_protect(struct tcg_accel *t, const uint8_t *host_page)
{
	bool found = false;

	/* Pairs with the fence in set_entry(). */
	atomic_thread_fence(memory_order_seq_cst);
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next) {
		for (unsigned n = 0; n < TLB_VIEWS * TLB_SIZE; n++) {
			unsigned i = n % TLB_SIZE;
			struct tlb_entry *e = &tv->tlb[n / TLB_SIZE].e[TLB_WRITE][i];

			if (__atomic_load_n(&e->host, __ATOMIC_RELAXED) != (uintptr_t)host_page ||
			    __atomic_load_n(&e->tag, __ATOMIC_RELAXED) == tlb_empty_tag(i))
				continue;
			__atomic_store_n(&e->tag, tlb_empty_tag(i), __ATOMIC_RELAXED);
			found |= tv->v != vcpu_current();
		}
	}
	lock_drop(&t->vcpus_lock);
	return found;
}

/* ---- filling ---- */

static void find_place(struct tcg_vcpu *tv, gpa_t gpa, struct place *p)
{
	const struct flat_range *r = address_space_find(tv->v->memory, gpa);

	*p = (struct place){ .gpa = gpa, .range = r };
	if (!r)
		return;
	p->offset = r->offset + (gpa - r->start);
	if (r->region->kind == REGION_RAM || r->region->kind == REGION_ROM) {
		p->host = r->region->ram->host + r->region->ram_offset + p->offset;
		p->is_rom = r->region->kind == REGION_ROM;
	}
}

static uint64_t ram_offset(const struct place *p)
{
	return (uint64_t)(p->host - p->range->region->ram->host);
}

static bool is_whole_page(const struct place *p)
{
	gpa_t page = align_down(p->gpa, PAGE);

	return p->range->start <= page && p->range->last >= page + PAGE - 1 &&
	       !((uintptr_t)(p->host - (p->gpa - page)) % PAGE);
}

/* Make accesses of this kind fast, if they may be. */
static void set_entry(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr,
		      const struct place *p)
{
	gva_t page = align_down(addr, PAGE);
	struct tlb_entry *e = &tv->tlb[view].e[kind][tlb_index(addr)];
	const struct ram_block *ram;

	if (!p->host || !is_whole_page(p))
		return;
	ram = p->range->region->ram;
	if (kind == TLB_WRITE && (p->is_rom || !ram_page_is_plain(ram, ram_offset(p))))
		return;
	__atomic_store_n(&e->tag, tlb_empty_tag(tlb_index(addr)), __ATOMIC_RELAXED);
	__atomic_store_n(&e->host, (uint64_t)(uintptr_t)p->host - (addr - page), __ATOMIC_RELAXED);
	__atomic_store_n(&e->tag, page, __ATOMIC_RELAXED);
	if (kind != TLB_WRITE)
		return;
	/* The page may have got a flag since we looked: either the one who set it sees our entry,
	 * or we see the flag. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!ram_page_is_plain(ram, ram_offset(p)))
		__atomic_store_n(&e->tag, tlb_empty_tag(tlb_index(addr)), __ATOMIC_RELAXED);
}

/* addr to guest-physical, through phys[] or a walk.  False: faulted (recorded unless quiet). */
static bool translate(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr, bool quiet,
		      gpa_t *gpa)
{
	struct tcg_phys *e = &tv->phys[view][kind][tlb_index(addr)];
	gva_t page = align_down(addr, PAGE);
	struct mmu_result r = { 0 };

	if (e->page & TCG_PHYS_VALID && align_down(e->page, PAGE) == page) {
		*gpa = e->gpa + (addr - page);
		return true;
	}
	if (!tv->v->arch->walk(tv->v, addr, access_of[kind], view, true, &r)) {
		if (!quiet)
			tv->guest->access_fault(tv->v, addr, access_of[kind], view, &r);
		return false;
	}
	*gpa = r.gpa;
	if (r.is_watched) {
		tv->is_watched = true;
		return true;
	}
	/* Whatever stood at this index goes: a fast entry must be covered by phys[]. */
	drop_entry(tv, view, kind, tlb_index(addr));
	tv->view_used[view] = true;
	tv->has_large |= r.page_size > PAGE;
	*e = (struct tcg_phys){
		.page = page | TCG_PHYS_VALID | (r.is_global ? TCG_PHYS_GLOBAL : 0),
		.gpa = align_down(r.gpa, PAGE),
		.page_size = MAX(r.page_size, (uint64_t)PAGE),
	};
	return true;
}

static bool resolve(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr, struct place *p)
{
	gpa_t gpa;

	if (!translate(tv, view, kind, addr, false, &gpa))
		return false;
	find_place(tv, gpa, p);
	if (!tv->is_watched)
		set_entry(tv, view, kind, addr, p);
	return true;
}

/* Tell the guest's debug unit of an access to a page it watches. */
static void tell_watcher(struct tcg_vcpu *tv, gva_t addr, unsigned size, enum mmu_access access)
{
	if (likely(!tv->is_watched))
		return;
	tv->is_watched = false;
	if (tv->guest->accessed)
		tv->guest->accessed(tv->v, addr, size, access);
}

const uint8_t *tcg_code_host(struct tcg_vcpu *tv, gva_t addr, bool quiet, struct ram_block **ram,
			     uint64_t *offset)
{
	struct place p;
	gpa_t gpa;

	if (!translate(tv, tv->env->view, TLB_EXEC, addr, quiet, &gpa))
		return NULL;
	find_place(tv, gpa, &p);
	if (!p.host || !is_whole_page(&p))
		return NULL;
	set_entry(tv, tv->env->view, TLB_EXEC, addr, &p);
	*ram = p.range->region->ram;
	*offset = ram_offset(&p);
	return p.host;
}

/* ---- accesses ---- */

/* The largest access to a device that fits: a power of two, 8 at most. */
static unsigned io_step(unsigned left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

/* Does all of it lie in the one range? */
static bool fits(const struct place *p, unsigned size)
{
	return p->range && p->range->last - p->gpa >= size - 1;
}

static void read_place(struct tcg_vcpu *tv, const struct place *p, unsigned size, uint8_t *out)
{
	if (p->host && fits(p, size)) {
		memcpy(out, p->host, size);
		return;
	}
	for (unsigned done = 0, step; done < size; done += step) {
		uint64_t v = ~UINT64_C(0);

		step = io_step(size - done);
		if (fits(p, size))
			flat_range_read(p->range, p->offset + done, step, &v);
		else
			address_space_read(tv->v->memory, p->gpa + done, step, &v);
		memcpy(out + done, &v, step);
	}
}

/* One store where the guest made one: others may look, and what they write meanwhile must not be
 * written over again, as memcpy() of a length known at run time only may do. */
static void store_once(uint8_t *host, const uint8_t *in, unsigned size)
{
	bool in_line = !((uintptr_t)host & (size - 1));

	switch (size) {
	case 1: __atomic_store_n(host, *in, __ATOMIC_RELAXED); return;
	case 2:
		if (in_line)
			__atomic_store_n((uint16_t *)(void *)host, ld16_le(in), __ATOMIC_RELAXED);
		else
			memcpy(host, in, 2);
		return;
	case 4:
		if (in_line)
			__atomic_store_n((uint32_t *)(void *)host, ld32_le(in), __ATOMIC_RELAXED);
		else
			memcpy(host, in, 4);
		return;
	case 8:
		if (in_line)
			__atomic_store_n((uint64_t *)(void *)host, ld64_le(in), __ATOMIC_RELAXED);
		else
			memcpy(host, in, 8);
		return;
	default: memcpy(host, in, size);
	}
}

static void write_place(struct tcg_vcpu *tv, const struct place *p, unsigned size,
			const uint8_t *in)
{
	if (p->host && !p->is_rom && fits(p, size)) {
		store_once(p->host, in, size);
		ram_stored(p->range->region->ram, ram_offset(p), size);
		return;
	}
	for (unsigned done = 0, step; done < size; done += step) {
		uint64_t v = 0;

		step = io_step(size - done);
		memcpy(&v, in + done, step);
		if (fits(p, size))
			flat_range_write(p->range, p->offset + done, step, v);
		else
			address_space_write(tv->v->memory, p->gpa + done, step, v);
	}
}

/* An access touches one page, or two of which both must be accessible before anything happens. */
static bool resolve_both(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr,
			 unsigned size, struct place p[2], unsigned len[2])
{
	unsigned left = (unsigned)(PAGE - addr % PAGE);

	tv->is_watched = false;
	len[0] = MIN(size, left);
	len[1] = size - len[0];
	if (!resolve(tv, view, kind, addr, &p[0]))
		return false;
	return !len[1] || resolve(tv, view, kind, addr + len[0], &p[1]);
}

bool tcg_store_hits_code(struct tcg_vcpu *tv, unsigned view, gva_t addr, unsigned size)
{
	bool hit = false;

	for (unsigned done = 0, len; done < size && !hit; done += len) {
		struct place p;
		gpa_t gpa;

		len = MIN(size - done, (unsigned)(PAGE - (addr + done) % PAGE));
		if (!translate(tv, view, TLB_WRITE, addr + done, true, &gpa))
			break; /* the store itself will say so */
		find_place(tv, gpa, &p);
		hit = p.host && !p.is_rom &&
		      tcg_cache_hit(tv->tcg, p.range->region->ram, ram_offset(&p), len);
	}
	tv->is_watched = false;
	return hit;
}

static bool op_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		    void *out)
{
	struct tcg_vcpu *tv = tcg_of(env);
	struct place p[2];
	unsigned len[2];

	if (!resolve_both(tv, view, for_write ? TLB_WRITE : TLB_READ, addr, size, p, len))
		return false;
	read_place(tv, &p[0], len[0], out);
	if (len[1])
		read_place(tv, &p[1], len[1], (uint8_t *)out + len[0]);
	tell_watcher(tv, addr, size, MMU_READ);
	return true;
}

static bool op_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, const void *in)
{
	struct tcg_vcpu *tv = tcg_of(env);
	struct place p[2];
	unsigned len[2];

	if (!resolve_both(tv, view, TLB_WRITE, addr, size, p, len))
		return false;
	write_place(tv, &p[0], len[0], in);
	if (len[1])
		write_place(tv, &p[1], len[1], (const uint8_t *)in + len[0]);
	tell_watcher(tv, addr, size, MMU_WRITE);
	return true;
}

static void *op_atomic_ptr(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			   bool *fault)
{
	struct place p;

	*fault = false;
	if (addr % PAGE + size > PAGE)
		return NULL;
	tcg_of(env)->is_watched = false;
	if (!resolve(tcg_of(env), view, TLB_WRITE, addr, &p)) {
		*fault = true;
		return NULL;
	}
	tell_watcher(tcg_of(env), addr, size, MMU_WRITE);
	return p.is_rom ? NULL : p.host;
}

static void op_stored(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	struct place p;

	if (resolve(tcg_of(env), view, TLB_WRITE, addr, &p) && p.host && !p.is_rom)
		ram_stored(p.range->region->ram, ram_offset(&p), size);
}

static void op_exclusive_begin(struct jit_env *env) { tcg_exclusive_begin(tcg_of(env)->tcg); }

static void op_exclusive_end(struct jit_env *env) { tcg_exclusive_end(tcg_of(env)->tcg); }

const struct jit_mem_ops tcg_mem_ops = {
	.load = op_load,
	.store = op_store,
	.atomic_ptr = op_atomic_ptr,
	.exclusive_begin = op_exclusive_begin,
	.exclusive_end = op_exclusive_end,
	.tlb_flush = op_tlb_flush,
	.stored = op_stored,
};
