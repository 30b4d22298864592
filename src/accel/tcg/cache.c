/* accel/tcg/cache.c - translated blocks, shared by all vCPUs.
 *
 * A block is named by where its first byte lies in host memory (the host's name for a physical
 * address, whatever maps to it) and its key (mode, and pc where translations depend on it). Lookups
 * walk RCU chains without a lock; everything else holds cache.lock.  A page with blocks has
 * RAM_PAGE_CODE set, so that every store to it is told to tcg_code_written().
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include <glib.h>

#include "base/log.h"
#include "accel/tcg/tcg.h"

bool tcg_cache_init(struct tcg_cache *c, uint64_t limit)
{
	memset(c, 0, sizeof(*c));
	lock_init(&c->lock, LOCK_TCG, "tcg cache");
	c->buckets = g_new0(struct tcg_block *, 1u << TCG_HASH_BITS);
	c->limit = limit;
	return true;
}

static unsigned exit_count(const struct tcg_block *b)
{
	return b->is_native ? b->host.exit_count : b->code.exit_count;
}

/* One of the interpreter's. */
static void block_free(struct tcg_block *b)
{
	interp_block_fini(&b->code);
	g_free(b->outgoing);
	g_free(b->origin);
	g_free(b);
}

static void free_rcu(struct rcu_head *head)
{
	rcu_reclaim();
	block_free(container_of(head, struct tcg_block, rcu));
}

/* Host code's block lies beside it, in the code cache, and goes with it: here goes what else it
 * has. */
static void retire_native(struct tcg_accel *t, struct tcg_block *b)
{
	tcg_native_drop(t, b);
	tcg_origin_retire(b->origin);
	tcg_check_retire(b->twin);
}

void tcg_block_discard(struct tcg_accel *t, struct tcg_block *b)
{
	if (b->is_native)
		retire_native(t, b);
	else
		block_free(b);
}

static uint64_t block_size(const struct tcg_block *b)
{
	return sizeof(*b) + b->code.size + exit_count(b) * sizeof(struct tcg_link);
}

/* ---- pages ---- */

static struct tcg_page **page_chain(struct tcg_cache *c, const struct ram_block *ram,
				    uint64_t offset)
{
	uint64_t h = ((uintptr_t)ram->host + offset) >> RAM_PAGE_BITS;

	return &c->pages[(h ^ h >> 10) % ARRAY_SIZE(c->pages)];
}

/* Needs c->lock. */
static struct tcg_page *page_find(struct tcg_cache *c, const struct ram_block *ram, uint64_t offset)
{
	struct tcg_page *p = *page_chain(c, ram, offset);

	while (p && (p->ram != ram || p->offset != offset))
		p = p->next;
	return p;
}

static uint64_t granule_mask(uint64_t first, uint64_t last)
{
	return bits_put(0, (unsigned)(first / 64), (unsigned)(last / 64 - first / 64 + 1),
			~UINT64_C(0));
}

/* The part of b that lies on its page number n: [*first, *last] in the page. */
static void extent(const struct tcg_block *b, unsigned n, uint64_t *first, uint64_t *last)
{
	uint64_t at = (uintptr_t)b->host_pc % RAM_PAGE_SIZE, end = at + b->guest_len - 1;

	*first = n ? 0 : at;
	*last = n ? end - RAM_PAGE_SIZE : MIN(end, RAM_PAGE_SIZE - 1);
}

static void page_free(struct rcu_head *head)
{
	struct tcg_page *p = container_of(head, struct tcg_page, rcu);

	rcu_reclaim();
	g_free(p->copy);
	g_free(p);
}

/* A page without blocks may be written freely again: what is being made from it is not taken. */
static void page_drop_if_idle(struct tcg_cache *c, struct tcg_page *p)
{
	struct tcg_page **at;

	if (p->blocks || p->is_kept || p->is_gone)
		return;
	ram_page_clear_flags(p->ram, p->offset, RAM_PAGE_CODE);
	at = page_chain(c, p->ram, p->offset);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	atomic_store(&p->is_gone, true);
	rcu_retire(&p->rcu, page_free);
}

/* Needs c->lock.  The granules of p that hold code: counted again when a block went since. */
static uint64_t page_granules(struct tcg_page *p)
{
	uint64_t first, last;

	if (!p->has_lost)
		return p->granules;
	p->has_lost = false;
	p->granules = 0;
	for (struct tcg_page_ref *r = p->blocks; r; r = r->next) {
		extent(r->block, r == &r->block->pages[1], &first, &last);
		p->granules |= granule_mask(first, last);
	}
	return p->granules;
}

/* Needs c->lock.  [first, last] of p is not what it was; p stays.  How many blocks went. */
static unsigned page_drop_blocks(struct tcg_accel *t, struct tcg_page *p, uint64_t first,
				 uint64_t last);

/* ---- is_helper: stores that nobody tells of ----
 *
 * A page keeps the bytes that its blocks were made from.  They are compared when a vCPU comes to
 * run from it for the first time after its guest ran elsewhere (its soft TLB is empty then), and
 * again when a block is published: what changed while it was made is seen. */

/* Needs c->lock.  Do the bytes that blocks were made from still stand there? */
static bool page_is_same(struct tcg_page *p, const uint8_t *now)
{
	for (uint64_t rest = page_granules(p); rest; rest &= rest - 1) {
		unsigned at = 64 * (unsigned)__builtin_ctzll(rest);

		if (memcmp(p->copy + at, now + at, 64))
			return false;
	}
	return true;
}

/* Needs c->lock. */
static void page_snapshot(struct tcg_accel *t, struct tcg_page *p)
{
	uint8_t now[RAM_PAGE_SIZE];

	memcpy(now, p->ram->host + p->offset, sizeof(now));
	if (!p->copy)
		p->copy = g_malloc(sizeof(now));
	else if (!page_is_same(p, now))
		page_drop_blocks(t, p, 0, RAM_PAGE_SIZE - 1);
	else if (memcmp(p->copy, now, sizeof(now))) /* somebody may be translating the rest */
		__atomic_add_fetch(&p->version, 1, __ATOMIC_RELEASE);
	memcpy(p->copy, now, sizeof(now));
}

/* Needs c->lock. */
static bool block_is_same(const struct tcg_block *b, const struct tcg_source *s)
{
	uint64_t first, last;

	for (unsigned n = 0; n < (b->host_second ? 2 : 1); n++) {
		const struct tcg_page *p = s->page[n];

		extent(b, n, &first, &last);
		if (memcmp(p->copy + first, p->ram->host + p->offset + first, last - first + 1))
			return false;
	}
	return true;
}

void tcg_cache_compare(struct tcg_accel *t, struct ram_block *ram, uint64_t offset)
{
	struct tcg_page *p;

	if (!(atomic_load(&ram->page_flags[offset >> RAM_PAGE_BITS]) & RAM_PAGE_CODE))
		return;
	offset = align_down(offset, RAM_PAGE_SIZE);
	lock_take(&t->cache.lock);
	p = page_find(&t->cache, ram, offset);
	if (p && p->copy && !page_is_same(p, ram->host + offset)) {
		page_drop_blocks(t, p, 0, RAM_PAGE_SIZE - 1);
		page_drop_if_idle(&t->cache, p);
	}
	lock_drop(&t->cache.lock);
}

void tcg_source_page(struct tcg_accel *t, struct tcg_source *s, unsigned n, struct ram_block *ram,
		     uint64_t offset)
{
	struct tcg_cache *c = &t->cache;
	struct tcg_page *p;
	bool is_new;

	offset = align_down(offset, RAM_PAGE_SIZE);
	lock_take(&c->lock);
	p = page_find(c, ram, offset);
	is_new = !p;
	if (is_new) {
		p = g_new0(struct tcg_page, 1);
		p->ram = ram;
		p->offset = offset;
		p->next = *page_chain(c, ram, offset);
		*page_chain(c, ram, offset) = p;
		if (ram->code_opaque != t) { /* once: read without a lock where the flag stands */
			ram->code_opaque = t;
			ram->code_written = tcg_code_written;
		}
		p->is_restless = tcg_is_restless(&t->restless, ram, offset);
		atomic_init(&p->is_settled, p->is_restless);
		if (!p->is_restless)
			ram_page_set_flags(ram, offset, RAM_PAGE_CODE);
	}
	s->page[n] = p;
	if (t->is_helper)
		page_snapshot(t, p);
	lock_drop(&c->lock);
	/* A vCPU that had the page writable may be past its check: let it finish that store before
	 * the bytes are read, also when another vCPU is just doing the same. */
	if (!atomic_load(&p->is_settled)) {
		if (tcg_tlb_protect(t, ram->host + offset) || !is_new) {
			tcg_exclusive_begin(t);
			tcg_exclusive_end(t);
		}
		atomic_store(&p->is_settled, true);
	}
	s->version[n] = __atomic_load_n(&p->version, __ATOMIC_ACQUIRE);
}

/* Needs c->lock.  They stay whatever goes from them; or may go again. */
static void source_keep(struct tcg_source *s, bool is_kept)
{
	for (unsigned n = 0; n < 2; n++)
		if (s->page[n])
			s->page[n]->is_kept = is_kept;
}

/* Needs c->lock. */
static void source_end(struct tcg_cache *c, struct tcg_source *s)
{
	for (unsigned n = 0; n < 2; n++)
		if (s->page[n])
			page_drop_if_idle(c, s->page[n]);
}

void tcg_source_end(struct tcg_accel *t, struct tcg_source *s)
{
	lock_take(&t->cache.lock);
	source_end(&t->cache, s);
	lock_drop(&t->cache.lock);
}

/* ---- links ---- */

static struct interp_exit *interp_exit_of(const struct tcg_link *l)
{
	return &l->from->code.exits[l - l->from->outgoing];
}

/* Is l one of the late ones?  Not any more. */
static bool take_late(struct tcg_cache *c, const struct tcg_link *l)
{
	for (unsigned k = 0; k < TCG_LATE; k++) {
		if (c->late[k] == l) {
			c->late[k] = NULL;
			return true;
		}
	}
	return false;
}

static void unlink_exit(struct tcg_accel *t, struct tcg_link *l)
{
	if (!l->to)
		return;
	if (take_late(&t->cache, l))
		; /* its code never heard of it */
	else if (l->from->is_native)
		tcg_native_link(t, l->from, (unsigned)(l - l->from->outgoing), NULL);
	else
		atomic_store_explicit(&interp_exit_of(l)->link, NULL, memory_order_release);
	*l->pprev = l->next;
	if (l->next)
		l->next->pprev = l->pprev;
	l->to = NULL;
}

static bool is_dead(const struct tcg_block *b)
{
	return atomic_load_explicit(&b->state, memory_order_relaxed) == TCG_BLOCK_DEAD;
}

/* Needs c->lock. */
static void link_exit(struct tcg_accel *t, struct tcg_link *l, bool is_guarded)
{
	struct interp_exit *x;

	if (l->from->is_native) {
		tcg_native_link(t, l->from, (unsigned)(l - l->from->outgoing), l->to);
		return;
	}
	x = interp_exit_of(l);
	if (x->is_guarded != is_guarded) /* it may be being read */
		x->is_guarded = is_guarded;
	atomic_store_explicit(&x->link, &l->to->code, memory_order_release);
}

/* Needs c->lock.  All but the exit's code. */
static struct tcg_link *link_lists(struct tcg_accel *t, struct tcg_block *from, unsigned n,
				   struct tcg_block *to)
{
	struct tcg_link *l = &from->outgoing[n];

	unlink_exit(t, l);
	l->from = from;
	l->to = to;
	l->next = to->incoming;
	l->pprev = &to->incoming;
	if (l->next)
		l->next->pprev = &l->next;
	to->incoming = l;
	t->cache.linked++;
	return l;
}

/* Needs c->lock. */
static void link_locked(struct tcg_accel *t, struct tcg_block *from, unsigned n,
			struct tcg_block *to, bool is_guarded)
{
	struct tcg_link *l = &from->outgoing[n];

	if (l->to != to)
		link_exit(t, link_lists(t, from, n, to), is_guarded);
	else if (take_late(&t->cache, l))
		link_exit(t, l, is_guarded);
}

bool tcg_is_same_page(const struct tcg_block *from, unsigned n, const struct tcg_block *to)
{
	int64_t delta = from->is_native ? from->host.exits[n].pc_delta
					: from->code.exits[n].pc_delta;
	uint64_t at = (uintptr_t)from->host_pc % RAM_PAGE_SIZE + (uint64_t)delta;

	return at < RAM_PAGE_SIZE && to->host_pc - from->host_pc == delta;
}

void tcg_cache_link(struct tcg_accel *t, struct tcg_block *from, unsigned n, struct tcg_block *to,
		    bool is_guarded)
{
	lock_take(&t->cache.lock);
	/* Either may have been dropped meanwhile; whose link it is stays as it was first made
	 * guarded or not, as it leads to one page. */
	if (!is_dead(from) && !is_dead(to))
		link_locked(t, from, n, to, is_guarded);
	lock_drop(&t->cache.lock);
}

void tcg_cache_key(struct tcg_accel *t, struct tcg_block *from, unsigned n, struct tcg_block *to,
		   uint64_t key)
{
	struct tcg_link *l = &from->outgoing[n];

	lock_take(&t->cache.lock);
	if (key != X64_NO_KEY && !is_dead(from) && !is_dead(to) &&
	    (!l->only || l->only == to->host_pc)) {
		l->only = to->host_pc;
		link_locked(t, from, n, to, false);
		tcg_native_key(t, from, n, key);
	} else {
		tcg_native_key(t, from, n, X64_NO_KEY);
	}
	lock_drop(&t->cache.lock);
}

static void forget_keys(struct tcg_accel *t, struct tcg_block *b)
{
	for (unsigned n = 0; n < b->host.exit_count; n++)
		if (b->host.exits[n].key)
			tcg_native_key(t, b, n, X64_NO_KEY);
}

void tcg_cache_forget_keys(struct tcg_accel *t)
{
	lock_take(&t->cache.lock);
	/* Those that were dropped have none. */
	for (struct tcg_block *b = t->cache.newest[true]; b; b = b->older)
		forget_keys(t, b);
	lock_drop(&t->cache.lock);
}

void tcg_cache_link_probe(struct tcg_accel *t, struct tcg_block *from, unsigned n)
{
	lock_take(&t->cache.lock);
	if (!is_dead(from)) {
		unlink_exit(t, &from->outgoing[n]);
		t->cache.linked += tcg_native_link_probe(t, from, n);
	}
	lock_drop(&t->cache.lock);
}

/* ---- blocks ---- */

static void list_add(struct tcg_cache *c, struct tcg_block *b)
{
	b->older = c->newest[b->is_native];
	*(b->older ? &b->older->newer : &c->oldest[b->is_native]) = b;
	c->newest[b->is_native] = b;
	if (!b->is_native)
		c->size += block_size(b);
}

static void list_remove(struct tcg_cache *c, struct tcg_block *b)
{
	*(b->older ? &b->older->newer : &c->oldest[b->is_native]) = b->newer;
	*(b->newer ? &b->newer->older : &c->newest[b->is_native]) = b->older;
	if (!b->is_native)
		c->size -= block_size(b);
}

/* Needs cache.lock.  No way leads to b any more, but a vCPU may be inside, and is to hear of what
 * it stores to b, be the page without blocks by then. */
static void tell_runners(struct tcg_accel *t, const struct tcg_block *b)
{
	uint64_t bits = tlb_code_bit(b->host_pc) |
			(b->host_second ? tlb_code_bit(b->host_second) : 0);

	if (b->origin) /* looks for itself */
		return;
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		atomic_fetch_or(&tv->sets->lost_code, bits);
	lock_drop(&t->vcpus_lock);
}

/* Needs cache.lock.  Its memory goes when no vCPU can be inside any more. */
static void drop_locked(struct tcg_accel *t, struct tcg_block *b)
{
	struct tcg_cache *c = &t->cache;
	struct tcg_block **at = &c->buckets[tcg_hash(b->host_pc, b->key)];

	while (*at != b)
		at = &(*at)->hash_next;
	rcu_publish(*at, b->hash_next);
	atomic_store(&b->state, TCG_BLOCK_DEAD);
	while (b->incoming)
		unlink_exit(t, b->incoming);
	for (unsigned n = 0; n < exit_count(b); n++)
		unlink_exit(t, &b->outgoing[n]);
	if (b->is_native) {
		tcg_targets_drop(t, b);
		forget_keys(t, b);
	}
	tell_runners(t, b);
	for (unsigned n = 0; n < 2; n++) {
		struct tcg_page_ref *r = &b->pages[n];

		if (!r->page)
			continue;
		*r->pprev = r->next;
		if (r->next)
			r->next->pprev = r->pprev;
		r->page->has_lost = true;
		page_drop_if_idle(c, r->page);
		r->page = NULL;
	}
	list_remove(c, b);
	c->dropped++;
	if (b->is_native)
		retire_native(t, b);
	else
		rcu_retire(&b->rcu, free_rcu);
}

/* The interpreter's oldest go first, down to 7/8 so that it doesn't happen at every insertion. */
static void evict_locked(struct tcg_accel *t)
{
	struct tcg_cache *c = &t->cache;

	if (c->size <= c->limit)
		return;
	while (c->oldest[0] && c->size > c->limit / 8 * 7)
		drop_locked(t, c->oldest[0]);
}

void tcg_cache_evict(struct tcg_accel *t, struct tcg_block *b)
{
	lock_take(&t->cache.lock);
	if (atomic_load(&b->state) == TCG_BLOCK_LIVE)
		drop_locked(t, b);
	else /* its maker finds out when it is to be published */
		atomic_store(&b->state, TCG_BLOCK_DEAD);
	lock_drop(&t->cache.lock);
}

static struct tcg_block *find_equal(struct tcg_cache *c, const struct tcg_block *b)
{
	struct tcg_block *o = c->buckets[tcg_hash(b->host_pc, b->key)];

	while (o && (o->host_pc != b->host_pc || o->key != b->key ||
		     o->host_second != b->host_second || !tcg_origin_covers(o, b)))
		o = o->hash_next;
	return o;
}

/* Older versions that b does for go, and the oldest if there are too many. */
static void limit_versions(struct tcg_accel *t, struct tcg_block *b)
{
	struct tcg_block *v = t->cache.buckets[tcg_hash(b->host_pc, b->key)], *oldest = NULL, *next;
	unsigned count = 0;

	for (v = tcg_next_version(b, v); v; v = next) {
		next = tcg_next_version(b, v->hash_next);
		if (tcg_origin_covers(b, v)) {
			drop_locked(t, v);
			continue;
		}
		oldest = v;
		count++;
	}
	if (count >= TCG_VERSIONS)
		drop_locked(t, oldest);
}

static void insert_locked(struct tcg_cache *c, struct tcg_block *b, const struct tcg_source *s)
{
	struct tcg_block **bucket = &c->buckets[tcg_hash(b->host_pc, b->key)];
	uint64_t first, last;

	for (unsigned n = 0; n < (b->host_second ? 2 : 1); n++) {
		struct tcg_page_ref *r = &b->pages[n];

		r->block = b;
		r->page = s->page[n];
		r->next = r->page->blocks;
		r->pprev = &r->page->blocks;
		if (r->next)
			r->next->pprev = &r->next;
		r->page->blocks = r;
		extent(b, n, &first, &last);
		r->page->granules |= granule_mask(first, last);
	}
	list_add(c, b);
	c->made++;
	atomic_store(&b->state, TCG_BLOCK_LIVE);
	b->hash_next = *bucket;
	rcu_publish(*bucket, b);
}

/* Needs c->lock.  Is what b was made from still there? */
static bool source_is_valid(const struct tcg_accel *t, const struct tcg_block *b,
			    const struct tcg_source *s)
{
	for (unsigned n = 0; n < (b->host_second ? 2 : 1); n++)
		if (s->page[n]->is_gone || s->page[n]->version != s->version[n])
			return false;
	return !t->is_helper || block_is_same(b, s);
}

/* Needs c->lock.  b is published.  To write to code that just ran empties the host's pipeline, so
 * the exit's hears of it some links later, when the host's cache of instructions has lost it; or
 * when it asks again. */
static void link_asker(struct tcg_accel *t, struct tcg_block *b, struct tcg_asker *asker)
{
	struct tcg_cache *c = &t->cache;
	struct tcg_link **late = &c->late[c->late_next];

	if (!asker || !asker->from || is_dead(asker->from) || b->origin || b->host_second ||
	    b->is_native != asker->from->is_native || !tcg_is_same_page(asker->from, asker->n, b))
		return;
	if (*late)
		link_exit(t, *late, false);
	*late = link_lists(t, asker->from, asker->n, b);
	c->late_next = (c->late_next + 1) % TCG_LATE;
	asker->is_linked = true;
}

bool tcg_cache_insert(struct tcg_accel *t, struct tcg_block **b, struct tcg_source *s,
		      struct tcg_asker *asker)
{
	struct tcg_cache *c = &t->cache;
	struct tcg_block *equal;
	bool ok;

	lock_take(&c->lock);
	ok = !is_dead(*b) && source_is_valid(t, *b, s);
	equal = ok ? find_equal(c, *b) : NULL;
	if (equal || !ok)
		tcg_block_discard(t, *b);
	if (equal) {
		*b = equal;
	} else if (ok) {
		source_keep(s, true);
		evict_locked(t);
		if ((*b)->origin) {
			limit_versions(t, *b);
			(*b)->origin->birth = c->made;
		}
		insert_locked(c, *b, s);
		source_keep(s, false);
		link_asker(t, *b, asker);
	}
	source_end(c, s);
	lock_drop(&c->lock);
	return ok;
}

static unsigned page_drop_blocks(struct tcg_accel *t, struct tcg_page *p, uint64_t first,
				 uint64_t last)
{
	struct tcg_page_ref *r, *next;
	unsigned dropped = 0;
	uint64_t from, to;

	__atomic_add_fetch(&p->version, 1, __ATOMIC_RELEASE);
	if (!(page_granules(p) & granule_mask(first, last)))
		return 0;
	p->is_kept = true;
	for (r = p->blocks; r; r = next) {
		next = r->next;
		extent(r->block, r == &r->block->pages[1], &from, &to);
		if (from > last || to < first)
			continue;
		/* A block may be on this page twice. */
		while (next && next->block == r->block)
			next = next->next;
		drop_locked(t, r->block);
		dropped++;
	}
	p->is_kept = false;
	return dropped;
}

void tcg_cache_drop_page(struct tcg_accel *t, const struct ram_block *ram, uint64_t offset)
{
	struct tcg_page *p = page_find(&t->cache, ram, offset);

	if (!p)
		return;
	page_drop_blocks(t, p, 0, RAM_PAGE_SIZE - 1);
	page_drop_if_idle(&t->cache, p);
}

void tcg_code_written(void *opaque, struct ram_block *b, uint64_t offset, uint64_t len)
{
	struct tcg_accel *t = opaque;
	struct vcpu *self = vcpu_current();
	uint64_t end = offset + len;
	unsigned dropped = 0;

	lock_take(&t->cache.lock);
	while (offset < end) {
		uint64_t page = align_down(offset, RAM_PAGE_SIZE);
		uint64_t stop = MIN(end, page + RAM_PAGE_SIZE);
		struct tcg_page *p = page_find(&t->cache, b, page);

		if (p && !p->is_restless) {
			unsigned n = page_drop_blocks(t, p, offset - page, stop - 1 - page);

			page_drop_if_idle(&t->cache, p);
			tcg_restless_stored(t, b, page, n);
			dropped += n;
		}
		offset = stop;
	}
	lock_drop(&t->cache.lock);
	if (dropped)
		TRACE(tcg_invalidate,
		      "%s: store of %" PRIu64 " bytes at 0x%" PRIx64 " drops %u blocks", b->name,
		      len, end - len, dropped);
	/* It may be the block that is running. */
	if (dropped && self && (self->accel == &t->accel || t->is_helper))
		tcg_of_vcpu(self)->env->code_stored = true;
}

/* Needs c->lock.  Does a block overlap [first, last] in the page? */
static bool page_is_hit(struct tcg_page *p, uint64_t first, uint64_t last)
{
	uint64_t from, to;

	if (!(page_granules(p) & granule_mask(first, last)))
		return false;
	for (const struct tcg_page_ref *r = p->blocks; r; r = r->next) {
		extent(r->block, r == &r->block->pages[1], &from, &to);
		if (from <= last && to >= first)
			return true;
	}
	return false;
}

bool tcg_cache_hit(struct tcg_accel *t, struct ram_block *ram, uint64_t offset, unsigned len)
{
	uint64_t page = align_down(offset, RAM_PAGE_SIZE), first = offset - page;
	struct tcg_page *p;
	bool hit;

	if (!(atomic_load(&ram->page_flags[offset >> RAM_PAGE_BITS]) & RAM_PAGE_CODE))
		return false;
	lock_take(&t->cache.lock);
	p = page_find(&t->cache, ram, page);
	hit = p && page_is_hit(p, first, first + len - 1);
	lock_drop(&t->cache.lock);
	return hit;
}

/* Is the bit of a place in [first, last] set? */
static bool has_place(const uint64_t *places, uint64_t first, uint64_t last)
{
	for (uint64_t at = first; at <= last; at++)
		if (places[at / 64] >> at % 64 & 1)
			return true;
	return false;
}

void tcg_cache_drop_places(struct tcg_accel *t, const uint64_t *places)
{
	struct tcg_cache *c = &t->cache;
	struct tcg_block *older;
	uint64_t first, last;

	lock_take(&c->lock);
	for (unsigned tier = 0; tier < 2; tier++) {
		for (struct tcg_block *b = c->newest[tier]; b; b = older) {
			bool hit = false;

			older = b->older;
			for (unsigned n = 0; n < (b->host_second ? 2 : 1) && !hit; n++) {
				extent(b, n, &first, &last);
				hit = has_place(places, first, last);
			}
			if (hit)
				drop_locked(t, b);
		}
	}
	lock_drop(&c->lock);
}

void tcg_cache_clear(struct tcg_accel *t)
{
	struct tcg_cache *c = &t->cache;
	uint64_t dropped;

	lock_take(&c->lock);
	dropped = c->dropped;
	c->cleared_size += c->size;
	for (unsigned tier = 0; tier < 2; tier++)
		while (c->oldest[tier])
			drop_locked(t, c->oldest[tier]);
	c->dropped = dropped;
	tcg_restless_clear(&t->restless);
	lock_drop(&c->lock);
}

void tcg_cache_fini(struct tcg_accel *t)
{
	tcg_cache_clear(t);
	g_free(t->cache.buckets);
	lock_fini(&t->cache.lock);
}
