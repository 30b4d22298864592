/* accel/tcg/tlb.c - the two levels of the soft TLB: finding, filling, flushing, switching.
 *
 * SDM 3A 4.10 is what must hold for x86; paging-structure caches are the walk's own matter (arch/).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "memory/ram.h"
#include "accel/tcg/tcg.h"

enum { PAGE_SHIFT = RAM_PAGE_BITS, TLB_WORDS = TLB_ENTRIES / 64 };

/* ---- filters ---- */

static unsigned filter_bit(gva_t addr, unsigned shift)
{
	uint64_t h = ((addr >> shift) + shift) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(h >> (64 - TLB_FILTER_BITS));
}

static void filter_add(struct tlb_filter *f, gva_t addr, unsigned shift)
{
	unsigned bit = filter_bit(addr, shift);

	f->shifts |= BIT(shift);
	f->bits[bit / 64] |= BIT(bit % 64);
}

static bool filter_has(const struct tlb_filter *f, gva_t addr, unsigned shift)
{
	unsigned bit = filter_bit(addr, shift);

	return f->bits[bit / 64] >> bit % 64 & 1;
}

/* The size, as a shift, of the largest mapping seen that may cover addr; 0: none does. */
static unsigned filter_find(const struct tlb_filter *f, gva_t addr)
{
	unsigned found = 0;

	for (uint64_t left = f->shifts; left; left &= left - 1) {
		unsigned shift = (unsigned)__builtin_ctzll(left);

		if (filter_has(f, addr, shift))
			found = shift;
	}
	return found;
}

static void filter_clear(struct tlb_filter *f)
{
	if (f->shifts)
		memset(f, 0, sizeof(*f));
}

/* ---- the second level ---- */

/* Where a mapping of this size is looked for.  Address spaces map the same addresses to other
 * things: each begins elsewhere. */
static unsigned tlb2_index(gva_t addr, unsigned shift, uint64_t generation)
{
	uint64_t page = addr >> shift;

	return (page ^ page >> TLB2_BITS ^ generation * 0x9e5) & (TLB2_SIZE - 1);
}

static uint64_t tlb2_name(uint64_t generation, unsigned shift) { return generation << 6 | shift; }

/* The way of s that holds it, or -1. */
static int tlb2_way(const struct tlb2_set *s, gva_t addr, unsigned shift, uint64_t name)
{
	for (int way = 0; way < TLB2_WAYS; way++)
		if (s->name[way] == name && !((s->tag[way] ^ addr) >> shift))
			return way;
	return -1;
}

static const struct tlb_mapping *tlb2_probe(const struct tcg_tlb *t, gva_t addr, unsigned shift,
					    uint64_t generation, unsigned right)
{
	unsigned i = tlb2_index(addr, shift, generation);
	int way = tlb2_way(&t->sets[i], addr, shift, tlb2_name(generation, shift));

	if (way < 0 || !(t->sets[i].tag[way] >> right & 1))
		return NULL;
	return &t->mappings[i][way];
}

/* The same among mappings above 4 KiB. */
static const struct tlb_mapping *tlb2_probe_large(const struct tcg_tlb *t, gva_t addr,
						  const struct tlb_filter *large,
						  uint64_t generation, unsigned right)
{
	const struct tlb_mapping *found = NULL;

	for (uint64_t left = large->shifts; left && !found; left &= left - 1) {
		unsigned shift = (unsigned)__builtin_ctzll(left);

		if (filter_has(large, addr, shift))
			found = tlb2_probe(t, addr, shift, generation, right);
	}
	return found;
}

/* The mapping of a device that was found last: each of its accesses comes here. */
static const struct tlb_mapping *tlb2_probe_last(const struct tcg_tlb *t, gva_t addr,
						 unsigned right)
{
	const struct tlb2_set *s = &t->sets[t->last_set];
	uint64_t name = s->name[t->last_way], tag = s->tag[t->last_way];
	uint64_t generation = name >> 6;

	if ((tag ^ addr) >> (name & 63) || !(tag >> right & 1) || !name ||
	    (generation != t->space->generation && generation != t->global_generation))
		return NULL;
	return &t->mappings[t->last_set][t->last_way];
}

static void tlb2_note_last(struct tcg_tlb *t, const struct tlb_mapping *found)
{
	size_t n = (size_t)(found - &t->mappings[0][0]);

	t->last_set = (uint32_t)(n / TLB2_WAYS);
	t->last_way = n % TLB2_WAYS;
}

bool tlb2_find(struct tcg_tlb *t, gva_t addr, unsigned view, unsigned kind, struct tlb_mapping *m)
{
	const struct tlb_space *s = t->space;
	unsigned right = tlb_right(view, kind);
	const struct tlb_mapping *found = tlb2_probe_last(t, addr, right);

	if (found) {
		*m = *found;
		return true;
	}
	found = tlb2_probe(t, addr, PAGE_SHIFT, s->generation, right);
	if (!found)
		found = tlb2_probe_large(t, addr, &t->large, t->global_generation, right);
	if (!found && filter_has(&t->global, addr, PAGE_SHIFT))
		found = tlb2_probe(t, addr, PAGE_SHIFT, t->global_generation, right);
	if (!found)
		found = tlb2_probe_large(t, addr, &s->large, s->generation, right);
	if (!found)
		return false;
	*m = *found;
	if (!found->host)
		tlb2_note_last(t, found);
	return true;
}

/* The way to give up: one that nobody can find any more, or each in turn. */
static int tlb2_victim(struct tcg_tlb *t, const struct tlb2_set *s)
{
	for (int way = 0; way < TLB2_WAYS; way++) {
		uint64_t generation = s->name[way] >> 6;

		if (generation != t->global_generation && generation != t->space->generation)
			return way;
	}
	return (int)(t->next_way++ % TLB2_WAYS);
}

void tlb2_insert(struct tcg_tlb *t, gva_t addr, unsigned rights, const struct tlb_mapping *m)
{
	uint64_t generation = m->is_global ? t->global_generation : t->space->generation;
	uint64_t name = tlb2_name(generation, m->shift);
	unsigned i = tlb2_index(addr, m->shift, generation);
	struct tlb2_set *s = &t->sets[i];
	int way = tlb2_way(s, addr, m->shift, name);

	if (way >= 0 && t->mappings[i][way].gpa == m->gpa) {
		s->tag[way] |= rights;
		return;
	}
	if (way < 0)
		way = tlb2_victim(t, s);
	s->name[way] = name;
	s->tag[way] = (addr >> m->shift << m->shift) | rights;
	t->mappings[i][way] = *m;
	if (m->is_global)
		filter_add(&t->global, addr, m->shift);
	if (m->shift > PAGE_SHIFT)
		filter_add(m->is_global ? &t->large : &t->space->large, addr, m->shift);
}

static void tlb2_drop(struct tcg_tlb *t, gva_t addr, unsigned shift, uint64_t generation)
{
	struct tlb2_set *s = &t->sets[tlb2_index(addr, shift, generation)];
	int way = tlb2_way(s, addr, shift, tlb2_name(generation, shift));

	if (way >= 0)
		s->name[way] = 0;
}

static void tlb2_drop_covering(struct tcg_tlb *t, gva_t addr, const struct tlb_filter *large,
			       uint64_t generation)
{
	tlb2_drop(t, addr, PAGE_SHIFT, generation);
	for (uint64_t left = large->shifts; left; left &= left - 1)
		tlb2_drop(t, addr, (unsigned)__builtin_ctzll(left), generation);
}

/* ---- the first level ---- */

static void entry_drop(struct tlb_space *s, unsigned view, unsigned kind, unsigned i)
{
	__atomic_store_n(&s->tlb[view].e[kind].tag[i], tlb_empty_tag(i), __ATOMIC_RELAXED);
}

static uint64_t entry_page(const struct tlb_space *s, unsigned view, unsigned kind, unsigned i)
{
	return __atomic_load_n(&s->tlb[view].e[kind].tag[i], __ATOMIC_RELAXED);
}

static bool is_view_used(const struct tlb_space *s, unsigned view)
{
	return atomic_load_explicit(&s->views, memory_order_relaxed) >> view & 1;
}

/* Empty the entries whose bits are set; with a shift only what lies in that much around addr. */
static void drop_bits(struct tlb_space *s, struct tlb_bits *bits, gva_t addr, unsigned shift)
{
	for (unsigned view = 0; view < TLB_VIEWS; view++) {
		if (!is_view_used(s, view))
			continue;
		for (unsigned n = 0; n < TLB_KINDS * TLB_WORDS; n++) {
			unsigned kind = n / TLB_WORDS, w = n % TLB_WORDS;
			uint64_t *word = &bits->word[view][kind][w];

			for (uint64_t left = *word; left; left &= left - 1) {
				unsigned bit = (unsigned)__builtin_ctzll(left), i = w * 64 + bit;

				if (shift && (entry_page(s, view, kind, i) ^ addr) >> shift)
					continue;
				entry_drop(s, view, kind, i);
				*word &= ~BIT(bit);
			}
		}
	}
}

/* Mostly there is nothing: other pages are told apart first. */
static inline void drop_if(struct tlb_space *s, gva_t addr, const struct tlb_bits *only,
			   unsigned view, unsigned kind, unsigned i)
{
	if (unlikely(!((entry_page(s, view, kind, i) ^ addr) >> PAGE_SHIFT)) &&
	    only->word[view][kind][i / 64] >> i % 64 & 1)
		entry_drop(s, view, kind, i);
}

/* The entries of one 4 KiB page; their bits may stay. */
static void drop_page(struct tlb_space *s, gva_t addr, const struct tlb_bits *only)
{
	unsigned i = tlb_index(addr), j = tlb_spare(addr);

	for (unsigned view = 0; view < TLB_VIEWS; view++) {
		if (!is_view_used(s, view))
			continue;
		for (unsigned kind = 0; kind < TLB_KINDS; kind++) {
			drop_if(s, addr, only, view, kind, i);
			drop_if(s, addr, only, view, kind, j);
		}
	}
}

static void note_whose(struct tlb_space *s, unsigned view, unsigned kind, unsigned i,
		       bool is_global)
{
	uint64_t *own = &s->own.word[view][kind][i / 64], bit = BIT(i % 64);
	uint64_t *global = &s->global.word[view][kind][i / 64];

	*own = is_global ? *own & ~bit : *own | bit;
	*global = is_global ? *global | bit : *global & ~bit;
}

static bool is_global(const struct tlb_space *s, unsigned view, unsigned kind, unsigned i)
{
	return s->global.word[view][kind][i / 64] >> i % 64 & 1;
}

/* Is entry i another page's than this one? */
static bool is_others(const struct tlb_space *s, unsigned view, unsigned kind, unsigned i,
		      gva_t page)
{
	uint64_t tag = entry_page(s, view, kind, i);

	return tag != page && !tlb_is_empty(tag, i);
}

/* Entry i becomes its page's spare one, too.  A write entry that tlb_protect() may have passed by
 * in both places must be in neither, and is lost. */
static void entry_move(struct tcg_tlb *t, unsigned view, unsigned kind, unsigned i)
{
	struct tlb_space *s = t->space;
	struct tlb_table *e = &s->tlb[view].e[kind];
	uint32_t protects = atomic_load_explicit(&t->protects, memory_order_acquire);
	uint64_t page = entry_page(s, view, kind, i), host = e->host[i];
	unsigned j = tlb_spare(page);

	if (tlb_is_empty(page, i))
		return;
	if (kind == TLB_WRITE && (protects & 1 || is_others(s, view, kind, j, page)))
		tlb_note_lost(t);
	if (kind == TLB_WRITE && protects & 1)
		return;
	note_whose(s, view, kind, j, is_global(s, view, kind, i));
	entry_drop(s, view, kind, j);
	__atomic_store_n(&e->host[j], host, __ATOMIC_RELAXED);
	__atomic_store_n(&e->tag[j], page, __ATOMIC_RELAXED);
	if (kind != TLB_WRITE)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&t->protects, memory_order_relaxed) != protects) {
		tlb_note_lost(t);
		entry_drop(s, view, kind, j);
	}
}

void tlb_make_room(struct tcg_tlb *t, gva_t page, unsigned view, unsigned kind)
{
	struct tlb_space *s = t->space;
	unsigned i = tlb_index(page), j = tlb_spare(page);

	if (is_others(s, view, kind, i, page))
		entry_move(t, view, kind, i);
	if (entry_page(s, view, kind, j) != page)
		return;
	if (kind == TLB_WRITE)
		tlb_note_lost(t);
	entry_drop(s, view, kind, j);
}

void tlb_note_fill(struct tcg_tlb *t, gva_t addr, unsigned view, unsigned kind,
		   const struct tlb_mapping *m)
{
	struct tlb_space *s = t->space;

	if (!is_view_used(s, view))
		atomic_fetch_or(&s->views, 1u << view);
	note_whose(s, view, kind, tlb_index(addr), m->is_global);
	if (kind != TLB_EXEC)
		return;
	filter_add(m->is_global ? &t->exec : &s->exec, addr, m->shift);
	if (!m->is_global)
		s->exec_views |= 1u << view;
}

/* Empty entry i of a vCPU that may be running, if it is of this page; was it?  Its own thread may
 * fill it meanwhile, and with the same page again. */
static bool entry_protect(struct tlb_table *e, unsigned i, uint64_t host)
{
	uint64_t tag = __atomic_load_n(&e->tag[i], __ATOMIC_RELAXED);
	bool found = false;

	while (!tlb_is_empty(tag, i) && __atomic_load_n(&e->host[i], __ATOMIC_RELAXED) == host) {
		found = true;
		if (__atomic_compare_exchange_n(&e->tag[i], &tag, tlb_emptied(tag), false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			break;
	}
	return found;
}

bool tlb_protect(struct tcg_vcpu *tv, const uint8_t *host_page)
{
	uint64_t host = (uintptr_t)host_page;
	bool found = false;

	atomic_fetch_add(&tv->sets->protects, 1);
	atomic_thread_fence(memory_order_seq_cst);
	for (struct tlb_space *s = tv->sets->spaces; s < tv->sets->spaces + TLB_SPACES; s++) {
		struct tlb_view *tlb = __atomic_load_n(&s->tlb, __ATOMIC_ACQUIRE);
		uint32_t views = tlb ? atomic_load_explicit(&s->views, memory_order_relaxed) : 0;

		for (; views; views &= views - 1) {
			struct tlb_table *e = &tlb[__builtin_ctz(views)].e[TLB_WRITE];

			for (unsigned i = 0; i < TLB_ENTRIES; i++)
				if (unlikely(__atomic_load_n(&e->host[i], __ATOMIC_RELAXED) ==
					     host))
					found |= entry_protect(e, i, host);
		}
	}
	/* A look at the table may outlive its entry. */
	atomic_thread_fence(memory_order_acquire);
	found |= atomic_load_explicit(&tv->sets->has_lost, memory_order_acquire);
	atomic_fetch_add_explicit(&tv->sets->protects, 1, memory_order_release);
	return found;
}

/* ---- what was found through mappings of code ---- */

static uint64_t next_generation(struct tcg_tlb *t) { return ++t->last_generation; }

/* Mappings of code of s (its own, or global ones) go.  What was found in an address space that is
 * not running is not asked for again. */
static void exec_gone(struct tcg_vcpu *tv, struct tlb_space *s, gva_t page, uint32_t views)
{
	if (s == tv->sets->space)
		tcg_targets_flush(tv, page, views);
	else
		s->exec_generation = next_generation(tv->sets);
}

static void exec_page_gone(struct tcg_vcpu *tv, struct tlb_space *s, const struct tlb_filter *f,
			   gva_t addr, uint32_t views)
{
	unsigned shift = filter_find(f, addr);

	if (shift)
		exec_gone(tv, s, shift > PAGE_SHIFT ? ~UINT64_C(0) : addr, views);
}

/* ---- address spaces ---- */

static void space_flush_own(struct tcg_vcpu *tv, struct tlb_space *s)
{
	if (s->tlb)
		drop_bits(s, &s->own, 0, 0);
	if (s->exec_views)
		exec_gone(tv, s, ~UINT64_C(0), s->exec_views);
	s->exec_views = 0;
	s->generation = next_generation(tv->sets);
	filter_clear(&s->large);
	filter_clear(&s->exec);
}

static struct tlb_space *space_find(struct tcg_tlb *t, uint64_t asid)
{
	for (struct tlb_space *s = t->spaces; s < t->spaces + TLB_SPACES; s++)
		if (s->is_known && s->asid == asid)
			return s;
	return NULL;
}

static struct tlb_view *view_tables_new(void)
{
	struct tlb_view *tlb = tlb_views_new();

	if (!tlb)
		g_error("no memory for %zu bytes of soft TLB", TLB_VIEWS * sizeof(*tlb));
	return tlb;
}

/* The slot that waited longest, for an address space that has none. */
static struct tlb_space *space_new(struct tcg_vcpu *tv, uint64_t asid)
{
	struct tcg_tlb *t = tv->sets;
	struct tlb_space *s = NULL;

	for (struct tlb_space *x = t->spaces; x < t->spaces + TLB_SPACES; x++)
		if (x != t->space && (!s || !x->is_known || x->last_use < s->last_use))
			s = x;
	if (!s->tlb)
		__atomic_store_n(&s->tlb, view_tables_new(), __ATOMIC_RELEASE);
	space_flush_own(tv, s);
	s->exec_generation = next_generation(t);
	s->asid = asid;
	s->is_known = true;
	return s;
}

void tlb_switch(struct tcg_vcpu *tv, uint64_t asid, bool keep)
{
	struct tcg_tlb *t = tv->sets;
	struct tlb_space *s = t->space;

	if (s->asid != asid) {
		s = space_find(t, asid);
		if (!s)
			s = space_new(tv, asid);
		s->last_use = ++t->last_use;
		t->space = s;
		tv->tlb = tv->env->tlb = s->tlb;
	}
	if (!keep)
		space_flush_own(tv, s);
}

void tlb_flush_space(struct tcg_vcpu *tv, uint64_t asid)
{
	struct tcg_tlb *t = tv->sets;

	for (struct tlb_space *s = t->spaces; s < t->spaces + TLB_SPACES; s++)
		if (s->is_known && (asid == JIT_ASID_ALL || s->asid == asid))
			space_flush_own(tv, s);
}

/* Own mappings of addr. */
static void space_flush_page(struct tcg_vcpu *tv, struct tlb_space *s, gva_t addr)
{
	unsigned shift = filter_find(&s->large, addr);

	if (shift)
		drop_bits(s, &s->own, addr, shift);
	drop_page(s, addr, &s->own);
	tlb2_drop_covering(tv->sets, addr, &s->large, s->generation);
	exec_page_gone(tv, s, &s->exec, addr, s->exec_views);
}

void tlb_flush_space_page(struct tcg_vcpu *tv, uint64_t asid, gva_t addr)
{
	struct tcg_tlb *t = tv->sets;

	for (struct tlb_space *s = t->spaces; s < t->spaces + TLB_SPACES; s++)
		if (s->is_known && (asid == JIT_ASID_ALL || s->asid == asid))
			space_flush_page(tv, s, addr);
}

void tlb_flush_page(struct tcg_vcpu *tv, gva_t addr)
{
	struct tcg_tlb *t = tv->sets;
	unsigned shift = filter_find(&t->large, addr);

	space_flush_page(tv, t->space, addr);
	if (!filter_find(&t->global, addr))
		return;
	for (struct tlb_space *s = t->spaces; s < t->spaces + TLB_SPACES; s++) {
		if (!s->tlb)
			continue;
		if (shift)
			drop_bits(s, &s->global, addr, shift);
		drop_page(s, addr, &s->global);
		exec_page_gone(tv, s, &t->exec, addr, ~0u);
	}
	tlb2_drop_covering(t, addr, &t->large, t->global_generation);
}

void tlb_flush_all(struct tcg_vcpu *tv)
{
	struct tcg_tlb *t = tv->sets;

	tlb_note_lost(t); /* chaos does this in the middle of blocks */
	for (struct tlb_space *s = t->spaces; s < t->spaces + TLB_SPACES; s++) {
		if (!s->tlb)
			continue;
		space_flush_own(tv, s);
		drop_bits(s, &s->global, 0, 0);
		exec_gone(tv, s, ~UINT64_C(0), ~0u);
	}
	t->global_generation = next_generation(t);
	filter_clear(&t->global);
	filter_clear(&t->large);
	filter_clear(&t->exec);
	tv->code_page.host = NULL;
}

void tcg_tlb_init(struct tcg_vcpu *tv)
{
	struct tcg_tlb *t = g_new0(struct tcg_tlb, 1);

	tv->sets = t;
	t->sets = g_aligned_alloc0(TLB2_SIZE, sizeof(*t->sets), sizeof(*t->sets));
	t->mappings = g_malloc0(TLB2_SIZE * sizeof(*t->mappings));
	t->global_generation = next_generation(t);
	t->space = space_new(tv, 0);
	tv->tlb = tv->env->tlb = t->space->tlb;
}

void tcg_tlb_fini(struct tcg_vcpu *tv)
{
	struct tcg_tlb *t = tv->sets;

	for (unsigned i = 0; i < TLB_SPACES; i++)
		free(t->spaces[i].tlb);
	g_free(t->mappings);
	g_aligned_free(t->sets);
	g_free(t);
	tv->sets = NULL;
	tv->tlb = tv->env->tlb = NULL;
}
