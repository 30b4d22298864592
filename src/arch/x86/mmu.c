/* arch/x86/mmu.c - from linear to physical: no paging, 32-bit, PAE and 4-level tables (SDM 3A ch.
 * 4).
 *
 * Of paging structures only where page tables lie is remembered, in long mode.
 *
 * Not modelled: protection keys, 5-level tables, A20.
 * SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "arch/x86/sys.h"
#include "base/log.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "memory/region.h"

enum {
	PTE_P = 1u << 0,
	PTE_RW = 1u << 1,
	PTE_US = 1u << 2,
	PTE_A = 1u << 5,
	PTE_D = 1u << 6,
	PTE_PS = 1u << 7,
	PTE_G = 1u << 8,
};
#define PTE_NX   BIT(63)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

/* One entry met on the way down. */
struct mmu_entry {
	gpa_t addr;
	uint64_t value;
};

struct mmu_walk {
	struct x86_cpu *c;
	struct address_space *as;
	/* Where the last entry lay, as tables lie together: an entry at first + n, n <= span, is at
	 * host + n.  host NULL: nowhere yet. */
	const struct flat_range *range;
	uint8_t *host;
	gpa_t first;
	uint64_t span;
	gva_t addr;
	enum mmu_access access;
	bool is_user; /* the view's privilege */
	bool is_smap; /* user pages are out of bounds for data */
	unsigned entry_size, count;
	struct mmu_entry entries[4];
	gpa_t table; /* the page table come to, with the rights of the entries above it */
	uint64_t table_perm;
	uint64_t perm; /* PTE_RW and PTE_US of all levels, PTE_NX of any */
	uint32_t error;
};

enum mmu_step { STEP_DONE, STEP_FAULT, STEP_AGAIN };

/* ---- entries in guest memory ---- */

static inline uint64_t mmu_entry_read(struct mmu_walk *w, gpa_t addr);

/* Where entries about addr lie: most often on the range of memory of the last walk's. */
static const struct flat_range *mmu_range_find(struct mmu_walk *w, gpa_t addr)
{
	const struct flat_view *v = rcu_fetch(w->as->view);
	uint32_t i = __atomic_load_n(&w->c->table_range, __ATOMIC_RELAXED);
	const struct flat_range *r;

	if (i < v->count && addr >= v->ranges[i].start && addr <= v->ranges[i].last)
		return &v->ranges[i];
	r = address_space_find(w->as, addr);
	if (r >= v->ranges && r < v->ranges + v->count) /* no other view came meanwhile */
		__atomic_store_n(&w->c->table_range, (uint32_t)(r - v->ranges), __ATOMIC_RELAXED);
	return r;
}

/* An entry that lies elsewhere than the one before. */
static uint64_t mmu_entry_find(struct mmu_walk *w, gpa_t addr)
{
	const struct flat_range *r = mmu_range_find(w, addr);
	uint64_t value = 0;

	if (r && r->last - addr >= w->entry_size - 1 &&
	    (r->region->kind == REGION_RAM || r->region->kind == REGION_ROM)) {
		w->range = r;
		w->first = r->start;
		w->span = r->last - r->start - (w->entry_size - 1);
		w->host = r->region->ram->host + r->region->ram_offset + r->offset;
		return mmu_entry_read(w, addr);
	}
	address_space_read(w->as, addr, w->entry_size, &value);
	return value;
}

static inline uint64_t mmu_entry_read(struct mmu_walk *w, gpa_t addr)
{
	gpa_t at = addr - w->first;

	if (unlikely(!w->host || at > w->span))
		return mmu_entry_find(w, addr);
	if (w->entry_size == 8)
		return atomic_load_explicit((_Atomic uint64_t *)(w->host + at),
					    memory_order_acquire);
	return atomic_load_explicit((_Atomic uint32_t *)(w->host + at), memory_order_acquire);
}

/* Set bits in an entry if nobody changed it meanwhile.  What is not RAM keeps no bits. */
static bool mmu_entry_set(const struct mmu_walk *w, struct mmu_entry *e, uint64_t bits)
{
	uint64_t len = w->entry_size;
	void *p;
	bool ok;

	p = dma_map(w->as, e->addr, &len, true);
	if (!p || len != w->entry_size)
		return true;
	if (len == 8) {
		uint64_t old = e->value;

		ok = atomic_compare_exchange_strong((_Atomic uint64_t *)p, &old, old | bits);
	} else {
		uint32_t old = (uint32_t)e->value;

		ok = atomic_compare_exchange_strong((_Atomic uint32_t *)p, &old,
						    old | (uint32_t)bits);
	}
	dma_unmap(w->as, e->addr, len, true);
	e->value |= bits;
	return ok;
}

/* ---- permissions ---- */

/* What the path's entries allow the view, in r. */
static void mmu_rights(const struct mmu_walk *w, struct mmu_result *r)
{
	const struct x86_cpu *c = w->c;
	bool user_page = w->perm & PTE_US;
	bool may_write = (w->perm & PTE_RW) || !(w->is_user || (c->cr0 & CR0_WP));
	bool may_exec = !(w->perm & PTE_NX);

	if (w->is_user) {
		r->can_read = user_page;
		r->can_exec = may_exec && user_page;
	} else {
		r->can_read = !(w->is_smap && user_page);
		r->can_exec = may_exec && !(user_page && (c->cr4 & CR4_SMEP));
	}
	r->can_write = r->can_read && may_write;
}

static bool mmu_is_allowed(const struct mmu_result *r, enum mmu_access access)
{
	return access == MMU_READ ? r->can_read : access == MMU_WRITE ? r->can_write : r->can_exec;
}

static enum mmu_step mmu_fault(struct mmu_walk *w, uint32_t bits)
{
	w->error |= bits;
	return STEP_FAULT;
}

/* Checks presence and reserved bits of an entry that was read at `at`, accumulates rights. */
static inline enum mmu_step mmu_pass(struct mmu_walk *w, gpa_t at, uint64_t e, uint64_t reserved)
{
	if (!(e & PTE_P))
		return mmu_fault(w, 0);
	if (e & reserved)
		return mmu_fault(w, PF_P | PF_RSVD);
	w->entries[w->count++] = (struct mmu_entry){ at, e };
	w->perm = (w->perm & (e | PTE_NX)) | (e & PTE_NX);
	return STEP_DONE;
}

/* Each entry is read once: another vCPU may change it at any moment. */
static inline enum mmu_step mmu_descend(struct mmu_walk *w, gpa_t at, uint64_t reserved,
					uint64_t *value)
{
	*value = mmu_entry_read(w, at);
	return mmu_pass(w, at, *value, reserved);
}

static inline enum mmu_step mmu_set_ad(struct mmu_walk *w)
{
	struct mmu_entry *leaf = &w->entries[w->count - 1];
	uint64_t bits = PTE_A | (w->access == MMU_WRITE ? PTE_D : 0);

	for (struct mmu_entry *e = w->entries; e < leaf; e++)
		if (!(e->value & PTE_A) && !mmu_entry_set(w, e, PTE_A))
			return STEP_AGAIN;
	if ((bits & ~leaf->value) && !mmu_entry_set(w, leaf, bits))
		return STEP_AGAIN;
	return STEP_DONE;
}

/* Rights of the whole path, then A in all entries and D in the leaf; the TLB's view of it. */
static enum mmu_step mmu_finish(struct mmu_walk *w, bool set_ad, uint64_t size, gpa_t frame,
				struct mmu_result *r)
{
	const struct mmu_entry *leaf = &w->entries[w->count - 1];

	mmu_rights(w, r);
	if (!mmu_is_allowed(r, w->access)) {
		r->can_read = r->can_write = r->can_exec = false;
		return mmu_fault(w, PF_P);
	}
	if (set_ad && mmu_set_ad(w) == STEP_AGAIN)
		return STEP_AGAIN;
	r->gpa = (frame & ~(size - 1)) | (w->addr & (size - 1));
	r->page_size = size;
	r->can_write &= (leaf->value & PTE_D) != 0;
	r->is_global = (leaf->value & PTE_G) && (w->c->cr4 & CR4_PGE);
	r->near = w->range;
	return STEP_DONE;
}

/* ---- 32-bit tables (SDM 3A 4.3) ---- */

static enum mmu_step mmu_walk_32(struct mmu_walk *w, bool set_ad, struct mmu_result *r)
{
	const struct x86_cpu *c = w->c;
	gpa_t at = (c->cr3 & 0xfffff000) | (w->addr >> 20 & 0xffc);
	unsigned pa_bits = c->phys_bits < 40 ? c->phys_bits : 40;
	uint64_t e, reserved;
	enum mmu_step s;

	w->entry_size = 4;
	e = mmu_entry_read(w, at);
	if ((e & PTE_PS) && (c->cr4 & CR4_PSE)) {
		/* PSE-36: bits 20:13 are 39:32 of the frame; those past MAXPHYADDR and 21 must be 0
		 */
		reserved = BIT(21) | (0x1fe000 & ~(BIT(pa_bits - 32 + 13) - 1));
		s = mmu_pass(w, at, e, reserved);
		if (s != STEP_DONE)
			return s;
		return mmu_finish(w, set_ad, 4 * MIB, (e & 0xffc00000) | bits_get(e, 13, 8) << 32,
				  r);
	}
	s = mmu_pass(w, at, e, 0);
	if (s != STEP_DONE)
		return s;
	s = mmu_descend(w, (e & 0xfffff000) | (w->addr >> 10 & 0xffc), 0, &e);
	if (s != STEP_DONE)
		return s;
	return mmu_finish(w, set_ad, 4 * KIB, e & 0xfffff000, r);
}

/* ---- 64-bit entries: PAE and 4-level (SDM 3A 4.4, 4.5) ---- */

static uint64_t mmu_reserved(const struct x86_cpu *c)
{
	uint64_t r = (BIT(52) - 1) & ~(BIT(c->phys_bits) - 1);

	if (!x86_is_long(c))
		r |= BIT(63) - BIT(52);
	return c->efer & EFER_NXE ? r : r | PTE_NX;
}

/* From the page directory down (levels 2 and 1); in long mode also from 4 on. */
static enum mmu_step mmu_walk_64(struct mmu_walk *w, bool set_ad, unsigned level, gpa_t table,
				 struct mmu_result *r)
{
	const struct x86_cpu *c = w->c;
	uint64_t reserved = mmu_reserved(c), e;
	enum mmu_step s;

	for (;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t size = BIT(shift), extra = 0;
		bool may_leaf = level == 2 || (level == 3 && x86_has(c, X86_FEAT_PDPE1GB));
		gpa_t at = table | (w->addr >> shift & 0x1ff) << 3;

		if (level >= 3 && !may_leaf)
			extra = PTE_PS;
		s = mmu_descend(w, at, reserved | extra, &e);
		if (s != STEP_DONE)
			return s;
		if (level == 1)
			return mmu_finish(w, set_ad, size, e & PTE_ADDR, r);
		if (may_leaf && (e & PTE_PS)) {
			if (e & (size - 1) &
			    ~UINT64_C(0x1fff)) /* bits 12 (PAT) and below are flags */
				return mmu_fault(w, PF_P | PF_RSVD);
			return mmu_finish(w, set_ad, size, e & PTE_ADDR & ~(size - 1), r);
		}
		table = e & PTE_ADDR;
		w->table = table;
		w->table_perm = w->perm;
	}
}

/* ---- where page tables lie (SDM 3A 4.10.3) ---- */

static uint64_t walks_tag(gva_t addr) { return (addr >> 21) + 1; }

static unsigned walks_index(gva_t addr) { return (addr >> 21) % X86_WALKS; }

/* From the page table on.  A fault is for a walk of all to tell: it looks anew (4.10.4.1). */
static bool mmu_walk_known(struct mmu_walk *w, struct mmu_result *r)
{
	struct x86_cpu *c = w->c;
	unsigned i = walks_index(w->addr);

	if (c->walks.tag[i] != walks_tag(w->addr))
		return false;
	w->count = 0;
	w->perm = c->walks.to[i].perm;
	w->entry_size = 8;
	w->error = 0;
	if (mmu_walk_64(w, true, 1, c->walks.to[i].table, r) == STEP_DONE)
		return true;
	c->walks.tag[i] = 0;
	return false;
}

/* The entries above it have their A bits. */
static void mmu_note_table(const struct mmu_walk *w)
{
	unsigned i = walks_index(w->addr);

	w->c->walks.tag[i] = walks_tag(w->addr);
	w->c->walks.to[i].table = w->table;
	w->c->walks.to[i].perm = w->table_perm;
}

void x86_walks_forget(struct x86_cpu *c) { memset(c->walks.tag, 0, sizeof(c->walks.tag)); }

static enum mmu_step mmu_walk_pae(struct mmu_walk *w, bool set_ad, struct mmu_result *r)
{
	uint64_t pdpte = w->c->pdpte[w->addr >> 30 & 3];

	if (!(pdpte & PTE_P))
		return mmu_fault(w, 0);
	return mmu_walk_64(w, set_ad, 2, pdpte & PTE_ADDR, r);
}

static enum mmu_step mmu_walk_once(struct mmu_walk *w, bool set_ad, struct mmu_result *r)
{
	w->count = 0;
	w->perm = PTE_RW | PTE_US;
	w->entry_size = 8;
	w->error = (w->access == MMU_WRITE ? PF_W : 0) | (w->is_user ? PF_U : 0);
	if (w->access == MMU_EXEC &&
	    ((w->c->cr4 & CR4_SMEP) || ((w->c->cr4 & CR4_PAE) && (w->c->efer & EFER_NXE))))
		w->error |= PF_I;
	if (x86_is_long(w->c))
		return mmu_walk_64(w, set_ad, 4, w->c->cr3 & PTE_ADDR, r);
	if (w->c->cr4 & CR4_PAE)
		return mmu_walk_pae(w, set_ad, r);
	return mmu_walk_32(w, set_ad, r);
}

/* Is a data breakpoint armed in the mapping of this size around addr? */
static bool mmu_is_watched(const struct x86_cpu *c, gva_t addr, uint64_t size)
{
	if (!(c->env.mode & MODE_DATA_BREAK))
		return false;
	for (unsigned i = 0; i < 4; i++)
		if ((c->dr[7] >> (2 * i) & 3) && ((c->dr[i] ^ addr) & ~(size - 1)) == 0)
			return true;
	return false;
}

bool x86_walk(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view, bool set_ad,
	      struct mmu_result *r)
{
	struct x86_cpu *c = v->cpu;
	struct mmu_walk w;
	enum mmu_step s;
	bool is_kept;

	*r = (struct mmu_result){ 0 };
	if (!(c->cr0 & CR0_PG)) {
		r->gpa = (uint32_t)addr;
		r->page_size = 4 * KIB;
		r->can_read = r->can_write = r->can_exec = true;
		r->is_watched = access != MMU_EXEC && mmu_is_watched(c, addr, r->page_size);
		return true;
	}
	if (x86_is_long(c) && !x86_is_canonical(addr)) {
		r->fault_code = X86_FAULT_NONCANONICAL;
		return false;
	}
	w.c = c;
	w.as = v->memory;
	w.range = NULL;
	w.host = NULL;
	w.addr = x86_linear(c, addr);
	w.access = access;
	w.is_user = view == VIEW_USER;
	w.is_smap = view == VIEW_KERNEL && (c->cr4 & CR4_SMAP);
	is_kept = set_ad && x86_is_long(c);
	rcu_enter();
	if (is_kept && mmu_walk_known(&w, r)) {
		s = STEP_DONE;
	} else {
		do /* another vCPU changed an entry under us: as if the walk began later */
			s = mmu_walk_once(&w, set_ad, r);
		while (s == STEP_AGAIN);
		if (is_kept && s == STEP_DONE && r->page_size == 4 * KIB)
			mmu_note_table(&w);
	}
	rcu_leave();
	if (s == STEP_FAULT) {
		r->fault_code = w.error;
		return false;
	}
	r->is_watched = access != MMU_EXEC && mmu_is_watched(c, addr, r->page_size);
	return true;
}

bool x86_pdpte_load(struct x86_cpu *c, uint64_t cr3)
{
	struct mmu_walk w = { .c = c, .as = c->vcpu->memory, .entry_size = 8 };
	uint64_t reserved = (BIT(63) | (BIT(63) - 1)) & ~(BIT(c->phys_bits) - 1);
	uint64_t pdpte[4];

	reserved |= 0x1e6; /* bits 1, 2, 5-8 */
	rcu_enter();
	for (unsigned i = 0; i < 4; i++)
		pdpte[i] = mmu_entry_read(&w, (cr3 & 0xffffffe0) + 8 * i);
	rcu_leave();
	for (unsigned i = 0; i < 4; i++) {
		if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
			return x86_raise_code(c, EXC_GP, 0);
	}
	memcpy(c->pdpte, pdpte, sizeof(pdpte));
	return true;
}

void x86_walk_fault(struct x86_cpu *c, gva_t addr, const struct mmu_result *r)
{
	if (r->fault_code & X86_FAULT_NONCANONICAL) {
		x86_noncanonical(c, addr);
		return;
	}
	if (log_on(LOG_MMU))
		log_line("page fault: address 0x%llx, error 0x%x, pc 0x%llx, cr3 0x%llx",
			 (unsigned long long)addr, r->fault_code, (unsigned long long)c->env.pc,
			 (unsigned long long)c->cr3);
	x86_raise_page_fault(c, x86_is_long(c) ? addr : (uint32_t)addr, r->fault_code);
}
