/* accel/tcg/softmmu.c - filling the soft TLB, and every access that misses it: devices, pages that
 * hold code, page crossings.
 *
 * Fast entries exist only for whole pages of RAM (for writes: without page flags that want to hear
 * of stores) and ROM.  The second level (tlb.c) knows also the mappings that stay slow.
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
	uint64_t room;                  /* bytes from there on that it may touch, less one */
	const struct flat_range *range; /* NULL: not looked up, or nothing answers */
	uint64_t offset;                /* in the range's region */
	uint8_t *host;                  /* RAM and ROM */
	struct ram_block *ram;          /* of host */
	bool is_rom;
};

/* What addr's mapping says of it. */
struct found {
	struct tlb_mapping map;
	uint64_t offset; /* of the address in the mapping */
};

static const enum mmu_access access_of[TLB_KINDS] = { MMU_READ, MMU_WRITE, MMU_EXEC };

/* ---- flushing ---- */

static void op_tlb_flush(struct jit_env *env, gva_t page, bool keep_global)
{
	struct tcg_vcpu *tv = tcg_of(env);

	if (page != ~UINT64_C(0))
		tlb_flush_page(tv, page);
	else if (keep_global)
		tlb_flush_space(tv, tv->sets->space->asid);
	else
		tlb_flush_all(tv);
}

static void op_tlb_flush_space(struct jit_env *env, uint64_t asid, gva_t page)
{
	if (page != ~UINT64_C(0))
		tlb_flush_space_page(tcg_of(env), asid, page);
	else
		tlb_flush_space(tcg_of(env), asid);
}

static void op_tlb_switch(struct jit_env *env, uint64_t asid, bool keep)
{
	tlb_switch(tcg_of(env), asid, keep);
}

bool tcg_tlb_protect(struct tcg_accel *t, const uint8_t *host_page)
{
	bool found = false;

	/* Pairs with the fence in set_entry(). */
	atomic_thread_fence(memory_order_seq_cst);
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		if (tlb_protect(tv, host_page))
			found |= tv->v != vcpu_current();
	lock_drop(&t->vcpus_lock);
	return found;
}

/* ---- filling ---- */

static void place_in(const struct flat_range *r, gpa_t gpa, struct place *p)
{
	*p = (struct place){ .gpa = gpa, .range = r };
	if (!r)
		return;
	p->room = r->last - gpa;
	p->offset = r->offset + (gpa - r->start);
	if (r->region->kind == REGION_RAM || r->region->kind == REGION_ROM) {
		p->ram = r->region->ram;
		p->host = p->ram->host + r->region->ram_offset + p->offset;
		p->is_rom = r->region->kind == REGION_ROM;
	}
}

static void find_place(struct tcg_vcpu *tv, gpa_t gpa, struct place *p)
{
	place_in(address_space_find(tv->v->memory, gpa), gpa, p);
}

static uint64_t ram_offset(const struct place *p) { return (uint64_t)(p->host - p->ram->host); }

/* Is all of the aligned piece of 1 << shift bytes around p in one range of RAM or ROM? */
static bool is_whole(const struct place *p, unsigned shift)
{
	gpa_t in = p->gpa & (BIT(shift) - 1), begin = p->gpa - in;

	if (!p->range) /* known from a mapping that was */
		return p->host;
	return p->host && p->range->start <= begin && p->range->last - begin >= BIT(shift) - 1 &&
	       !((uintptr_t)(p->host - in) % PAGE);
}

/* The place of a mapped address.  A store to ROM is its region's matter. */
static void place_of(struct tcg_vcpu *tv, const struct found *f, unsigned kind, struct place *p)
{
	const struct tlb_mapping *m = &f->map;

	if (!m->host || (kind == TLB_WRITE && m->is_rom)) {
		find_place(tv, m->gpa + f->offset, p);
		return;
	}
	*p = (struct place){
		.gpa = m->gpa + f->offset,
		.room = BIT(m->shift) - f->offset - 1,
		.host = (uint8_t *)(uintptr_t)(m->host + f->offset),
		.ram = m->ram,
		.is_rom = m->is_rom,
	};
}

/* May stores there be fast? */
static bool is_plain(const struct tcg_vcpu *tv, const struct place *p)
{
	return !p->is_rom && ram_page_is_plain(p->ram, ram_offset(p)) &&
	       !tlb_has_lost_code(tv->sets, p->host);
}

/* Make accesses of this kind fast, if they may be. */
static void set_entry(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr,
		      const struct tlb_mapping *m, const struct place *p)
{
	gva_t page = align_down(addr, PAGE);
	unsigned i = tlb_index(addr);
	uint64_t *tag = &tv->tlb[view].e[kind].tag[i], *host = &tv->tlb[view].e[kind].host[i];

	if (!is_whole(p, RAM_PAGE_BITS))
		return;
	if (kind == TLB_WRITE && !is_plain(tv, p))
		return;
	tlb_make_room(tv->sets, page, view, kind);
	tlb_note_fill(tv->sets, addr, view, kind, m);
	__atomic_store_n(tag, tlb_empty_tag(i), __ATOMIC_RELAXED);
	__atomic_store_n(host, (uint64_t)(uintptr_t)p->host - (addr - page), __ATOMIC_RELAXED);
	__atomic_store_n(tag, page, __ATOMIC_RELAXED);
	if (kind != TLB_WRITE)
		return;
	/* The page may have got a flag since we looked: either the one who set it sees our entry,
	 * or we see the flag. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!ram_page_is_plain(p->ram, ram_offset(p)))
		__atomic_store_n(tag, tlb_empty_tag(i), __ATOMIC_RELAXED);
}

/* What a walk found becomes a mapping of the second level. */
static void remember(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr,
		     const struct mmu_result *r, struct found *f)
{
	unsigned shift = r->page_size > PAGE ? (unsigned)__builtin_ctzll(r->page_size)
					     : RAM_PAGE_BITS;
	unsigned rights = 1u << tlb_right(view, kind);
	const struct flat_range *near = r->near;
	struct place p;

	/* One walk tells of all kinds of access; but data may be watched where code is not. */
	if (kind != TLB_EXEC) {
		rights |= (unsigned)r->can_read << tlb_right(view, TLB_READ);
		rights |= (unsigned)r->can_write << tlb_right(view, TLB_WRITE);
		rights |= (unsigned)r->can_exec << tlb_right(view, TLB_EXEC);
	}
	f->offset = r->gpa & (BIT(shift) - 1);
	f->map = (struct tlb_mapping){
		.gpa = r->gpa - f->offset,
		.shift = (uint8_t)shift,
		.is_global = r->is_global,
	};
	if (near && r->gpa >= near->start && r->gpa <= near->last)
		place_in(near, r->gpa, &p);
	else
		find_place(tv, r->gpa, &p);
	if (is_whole(&p, shift)) {
		f->map.host = (uintptr_t)p.host - f->offset;
		f->map.ram = p.ram;
		f->map.is_rom = p.is_rom;
	}
	tlb2_insert(tv->sets, addr, rights, &f->map);
}

/* addr's mapping, known or walked to.  False: faulted (recorded unless quiet). */
static bool translate(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr, bool quiet,
		      struct found *f)
{
	struct mmu_result r = { 0 };

	if (unlikely(tv->env->has_watches) && kind != TLB_EXEC && tcg_debug_watches_page(tv, addr))
		tv->is_watched = true;
	if (likely(tlb2_find(tv->sets, addr, view, kind, &f->map))) {
		f->offset = addr & (BIT(f->map.shift) - 1);
		return true;
	}
	if (!tv->v->arch->walk(tv->v, addr, access_of[kind], view, true, &r)) {
		if (quiet)
			return false;
		/* The page is looked up anew when the access is made again (SDM 3A 4.10.4.1). */
		tlb_flush_page(tv, addr);
		tv->guest->access_fault(tv->v, addr, access_of[kind], view, &r);
		return false;
	}
	if (r.is_watched) {
		tv->is_watched = true;
		*f = (struct found){ .map = { .gpa = r.gpa } };
		return true;
	}
	remember(tv, view, kind, addr, &r, f);
	return true;
}

static bool resolve(struct tcg_vcpu *tv, unsigned view, unsigned kind, gva_t addr, struct place *p)
{
	struct found f;

	if (!translate(tv, view, kind, addr, false, &f))
		return false;
	place_of(tv, &f, kind, p);
	if (likely(!tv->is_watched))
		set_entry(tv, view, kind, addr, &f.map, p);
	return true;
}

/* Tell the guest's debug unit, and a debugger, of an access to a page that is watched. */
static void tell_watcher(struct tcg_vcpu *tv, gva_t addr, unsigned size, enum mmu_access access)
{
	if (likely(!tv->is_watched))
		return;
	tv->is_watched = false;
	if (tv->env->has_watches)
		tcg_debug_accessed(tv, addr, size, access);
	if (tv->guest->accessed)
		tv->guest->accessed(tv->v, addr, size, access);
}

const uint8_t *tcg_code_host(struct tcg_vcpu *tv, gva_t addr, bool quiet, struct ram_block **ram,
			     uint64_t *offset)
{
	const uint8_t *host = tlb_find(&tv->tlb[tv->env->view], TLB_EXEC, addr, 1);
	struct tcg_code_page *last = &tv->code_page;
	struct found f;
	struct place p;

	if (host && host - addr % PAGE == last->host && !tv->tcg->is_helper) {
		*ram = last->ram;
		*offset = last->offset + addr % PAGE;
		return host;
	}
	if (!translate(tv, tv->env->view, TLB_EXEC, addr, quiet, &f))
		return NULL;
	place_of(tv, &f, TLB_EXEC, &p);
	if (!is_whole(&p, RAM_PAGE_BITS))
		return NULL;
	*ram = p.ram;
	*offset = ram_offset(&p);
	if (unlikely(tv->tcg->is_helper))
		tcg_cache_compare(tv->tcg, p.ram, *offset);
	set_entry(tv, tv->env->view, TLB_EXEC, addr, &f.map, &p);
	*last = (struct tcg_code_page){ p.host - addr % PAGE, p.ram, *offset - addr % PAGE };
	return p.host;
}

const uint8_t *tcg_code_byte(struct tcg_vcpu *tv, gva_t addr)
{
	struct found f;
	struct place p;

	if (!translate(tv, tv->env->view, TLB_EXEC, addr, true, &f))
		return NULL;
	place_of(tv, &f, TLB_EXEC, &p);
	return p.host;
}

/* ---- accesses ---- */

/* The largest access to a device that fits: a power of two, 8 at most. */
static unsigned io_step(unsigned left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

/* Does all of it lie in the one range? */
static bool fits(const struct place *p, unsigned size)
{
	return (p->range || p->host) && p->room >= size - 1;
}

static bool is_memory(const struct place *p, unsigned size) { return p->host && fits(p, size); }

static void read_place(struct tcg_vcpu *tv, const struct place *p, unsigned size, uint8_t *out)
{
	if (is_memory(p, size)) {
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

/* Tell all who want to know of a store to RAM. */
static void tell_stored(struct tcg_vcpu *tv, const struct place *p, unsigned size)
{
	ram_stored(p->ram, ram_offset(p), size);
	jit_origin_stored(tv->env, p->host, size);
	if (unlikely(tlb_has_lost_code(tv->sets, p->host)))
		tv->env->code_stored = true; /* it may be the block that is running */
}

static void write_place(struct tcg_vcpu *tv, const struct place *p, unsigned size,
			const uint8_t *in)
{
	if (is_memory(p, size) && !p->is_rom) {
		store_once(p->host, in, size);
		tell_stored(tv, p, size);
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

	if (tlb_find(&tv->tlb[view], TLB_WRITE, addr, size))
		return false;
	for (unsigned done = 0, len; done < size && !hit; done += len) {
		struct found f;
		struct place p;

		len = MIN(size - done, (unsigned)(PAGE - (addr + done) % PAGE));
		if (!translate(tv, view, TLB_WRITE, addr + done, true, &f))
			break; /* the store itself will say so */
		place_of(tv, &f, TLB_WRITE, &p);
		hit = p.host && !p.is_rom &&
		      (tcg_cache_hit(tv->tcg, p.ram, ram_offset(&p), len) ||
		       tlb_has_lost_code(tv->sets, p.host));
	}
	tv->is_watched = false;
	return hit;
}

static void read_places(struct tcg_vcpu *tv, const struct place p[2], const unsigned len[2],
			uint8_t *out)
{
	read_place(tv, &p[0], len[0], out);
	if (len[1])
		read_place(tv, &p[1], len[1], out + len[0]);
}

/* A device is among them.  It is asked once for each instruction that is carried out. */
static void ask_places(struct tcg_vcpu *tv, const struct place p[2], const unsigned len[2],
		       uint8_t *out)
{
	struct tcg_asked *a = &tv->asked;
	unsigned size = len[0] + len[1];

	if (!a->is_answer || a->gpa != p[0].gpa || a->size != size) {
		read_places(tv, p, len, a->bytes);
		a->gpa = p[0].gpa;
		a->size = size;
	}
	a->is_answer = false;
	memcpy(out, a->bytes, size);
}

static bool op_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		    void *out)
{
	struct tcg_vcpu *tv = tcg_of(env);
	struct place p[2];
	unsigned len[2];

	if (!resolve_both(tv, view, for_write ? TLB_WRITE : TLB_READ, addr, size, p, len))
		return false;
	if (is_memory(&p[0], len[0]) && (!len[1] || is_memory(&p[1], len[1])))
		read_places(tv, p, len, out);
	else
		ask_places(tv, p, len, out);
	tell_watcher(tv, addr, size, MMU_READ);
	return true;
}

static bool op_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, const void *in)
{
	struct tcg_vcpu *tv = tcg_of(env);
	void *host = tlb_find_first(&tv->tlb[view], TLB_WRITE, addr, size);
	struct place p[2];
	unsigned len[2];

	if (host) { /* filled in when it was read to be changed */
		store_once(host, in, size);
		jit_origin_stored(env, host, size);
		return true;
	}
	if (!resolve_both(tv, view, TLB_WRITE, addr, size, p, len))
		return false;
	write_place(tv, &p[0], len[0], in);
	if (len[1])
		write_place(tv, &p[1], len[1], (const uint8_t *)in + len[0]);
	tell_watcher(tv, addr, size, MMU_WRITE);
	return true;
}

/* Will a store to addr's page be slow, of which nothing is known yet?  Nothing changes: it is not
 * made now, and the page is not dirty before it is.  What will fault is not slow. */
static bool stays_slow(struct tcg_vcpu *tv, unsigned view, gva_t addr)
{
	struct tlb_mapping known;
	struct mmu_result r = { 0 };
	struct place p;

	if (tlb2_find(tv->sets, addr, view, TLB_WRITE, &known) ||
	    !tv->v->arch->walk(tv->v, addr, MMU_WRITE, view, false, &r))
		return false;
	find_place(tv, r.gpa, &p);
	return r.is_watched || !is_whole(&p, RAM_PAGE_BITS) || !is_plain(tv, &p);
}

static bool op_fill(struct jit_env *env, unsigned view, gva_t addr, bool for_write, bool quiet)
{
	struct tcg_vcpu *tv = tcg_of(env);
	unsigned kind = for_write ? TLB_WRITE : TLB_READ;
	struct found f;
	struct place p;
	bool ok;

	if (for_write && stays_slow(tv, view, addr))
		return true;
	tv->is_watched = false;
	ok = translate(tv, view, kind, addr, quiet, &f);
	if (ok && !tv->is_watched) {
		place_of(tv, &f, kind, &p);
		set_entry(tv, view, kind, addr, &f.map, &p);
	}
	tv->is_watched = false;
	return ok;
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
	struct tcg_vcpu *tv = tcg_of(env);
	struct place p;

	if (resolve(tv, view, TLB_WRITE, addr, &p) && p.host && !p.is_rom)
		tell_stored(tv, &p, size);
}

static void op_exclusive_begin(struct jit_env *env) { tcg_exclusive_begin(tcg_of(env)->tcg); }

static void op_exclusive_end(struct jit_env *env) { tcg_exclusive_end(tcg_of(env)->tcg); }

const struct jit_mem_ops tcg_mem_ops = {
	.load = op_load,
	.store = op_store,
	.fill = op_fill,
	.atomic_ptr = op_atomic_ptr,
	.exclusive_begin = op_exclusive_begin,
	.exclusive_end = op_exclusive_end,
	.tlb_flush = op_tlb_flush,
	.tlb_flush_space = op_tlb_flush_space,
	.tlb_switch = op_tlb_switch,
	.stored = op_stored,
};
