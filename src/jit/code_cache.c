/* jit/code_cache.c - chunks of memory mapped twice.
 *
 * A chunk is FREE, then OPEN in a writer's hands (BUSY while the writer has a reservation in it),
 * FULL, EMPTIED while its owners forget their code and until nobody runs in it, and FREE again.
 * Chunks of fixed writers stay BUSY and end as FIXED.  A chunk in the hands of an idle writer may
 * be emptied like a full one: the writer finds out at its next reservation.
 *
 * Code grows from the chunk's start, its entries from the end downwards: sorted by address, found
 * without a lock.  What C must know of the code lies beside the chunk, in memory that goes with it.
 * SPDX-License-Identifier: MIT */
#include "jit/code_cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/lock.h"
#include "jit/populate.h"

enum { MIN_CHUNKS = 8, AIM_CHUNKS = 64, MIN_CHUNK = 64 << 10, MAX_CHUNK = 1 << 20 };
enum { SIDE_SIZE = 64 << 10, AREA_SIZE = 16 << 20 };
/* Fresh memory is had from the host so much at a time; who needs more than a little has it fetched
 * ahead. */
enum { FETCH_NOW = 64 << 10, FETCH_AHEAD = 512 << 10, LITTLE_SIDE = 2 << 20, LITTLE_CHUNKS = 4 };
enum { HINTS = 16, HINT_BYTES = 64 };
/* Code reaches all other code, and the cache's own data, by 32-bit displacements. */
#define MAX_SIZE GIB

/* The low bits of a chunk's state word; above them its birth, a number that no two uses share. */
enum chunk_state { CHUNK_FREE, CHUNK_OPEN, CHUNK_BUSY, CHUNK_FULL, CHUNK_EMPTIED, CHUNK_FIXED };
enum { STATE_BITS = 3 };

/* The owner need not be told any more; the entry stays for who is still running there. */
#define ENTRY_DEAD (1u << 31)

struct code_entry {
	uint32_t start; /* atomic: offset in the chunk */
	uint32_t end;   /* atomic: likewise, with ENTRY_DEAD */
	void *owner;    /* atomic */
};

/* Memory that belongs to a chunk's code. */
struct code_side {
	struct code_side *next;
	size_t size; /* all of it: SIDE_SIZE, or more for one that needs it */
	uint64_t bytes[];
};

/* Memory that is used from its start on. */
struct fresh {
	uint32_t used;
	uint32_t fetched; /* up to there it is at hand, or was asked for */
};

struct code_chunk {
	_Atomic uint64_t state;
	_Atomic uint32_t count; /* entries; grows by the writer, after what they say is written */
	_Atomic uint32_t bytes; /* of all their code; likewise */
	_Atomic uint32_t dead;  /* how many of them have ENTRY_DEAD; not told when it is EMPTIED */
	struct fresh fresh;     /* the writer, while BUSY; lock, while FREE */
	struct code_side *side; /* likewise; newest first */
	/* By place: the entry that was found there last, or any other: who faults does so again. */
	_Atomic uint32_t hints[HINTS];
};

struct code_cache {
	uint8_t *write, *run; /* const: the two views of the same memory */
	uint64_t size;        /* const */
	uint32_t chunk_size;  /* const: a power of two */
	uint32_t count;       /* const */
	uint8_t fill;
	const struct code_cache_ops *ops;
	void *opaque;

	struct lock lock;
	pthread_cond_t freed;         /* lock */
	uint32_t free_count, emptied; /* lock: chunks in these states */
	struct code_side *spare_side; /* lock: of SIDE_SIZE, in nobody's hands */
	GPtrArray *areas;             /* lock: where those come from */
	struct fresh area;            /* lock: the newest's */
	struct populator *populator;
	uint64_t births, evicted; /* lock */
	uint64_t blocks, bytes;   /* lock: of chunks that were freed */
	_Atomic uint64_t refused;
	struct code_chunk chunks[];
};

/* ---- two mappings ---- */

static bool is_selinux_enforcing(void)
{
	int fd = open("/sys/fs/selinux/enforce", O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c == '1';
}

/* Appends what is known of a host that refuses. */
static bool refused(struct err *err, int code, const char *what)
{
	const char *why = "";

	if (code == EACCES || code == EPERM)
		why = is_selinux_enforcing()
			      ? " (SELinux is enforcing: see execmem in its audit log)"
			      : " (a security policy of the host forbids it)";
	return err_set(err, code, "%s: %s%s", what, strerror(code), why);
}

/* Shared anonymous memory: perf takes it for code that a map file names, as it does not do with
 * files, and no mount or memfd policy is asked.  mremap(2): with an old size of 0 a shared mapping
 * is duplicated. */
static bool map_memory(struct code_cache *c, struct err *err)
{
	void *p = mmap(NULL, c->size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return refused(err, errno, "cannot map memory for translated code");
	c->write = p;
	p = mremap(c->write, 0, c->size, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return refused(err, errno, "cannot map memory for translated code twice");
	c->run = p;
	if (mprotect(c->run, c->size, PROT_READ | PROT_EXEC) < 0)
		return refused(err, errno, "cannot make memory executable");
	/* A hint: nobody wants it in a core file. */
	(void)madvise(c->write, c->size, MADV_DONTDUMP);
	return true;
}

static uint32_t chunk_size_for(uint64_t size)
{
	uint64_t aim = size / AIM_CHUNKS, chunk = MIN_CHUNK;

	while (chunk * 2 <= aim && chunk < MAX_CHUNK)
		chunk *= 2;
	return (uint32_t)chunk;
}

struct code_cache *code_cache_new(uint64_t size, uint8_t fill, const struct code_cache_ops *ops,
				  void *opaque, struct err *err)
{
	uint32_t chunk_size = chunk_size_for(size);
	uint64_t count = size / chunk_size;
	struct code_cache *c;

	if (count < MIN_CHUNKS || size > MAX_SIZE) {
		err_set(err, 0, "room for translated code must be from %d KiB to %d MiB",
			MIN_CHUNKS * MIN_CHUNK >> 10, (int)(MAX_SIZE >> 20));
		return NULL;
	}
	c = g_malloc0(sizeof(*c) + count * sizeof(c->chunks[0]));
	c->chunk_size = chunk_size;
	c->count = c->free_count = (uint32_t)count;
	c->size = count * chunk_size;
	c->fill = fill;
	c->ops = ops;
	c->opaque = opaque;
	c->areas = g_ptr_array_new();
	c->populator = populator_new();
	lock_init(&c->lock, LOCK_LEAF, "code cache");
	lock_cond_init(&c->freed);
	if (!map_memory(c, err)) {
		code_cache_free(c);
		return NULL;
	}
	return c;
}

static void *map_private(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		g_error("out of memory for translated code");
	return p;
}

/* ---- fresh memory ---- */

/* What is to be fetched now, from now to ahead, and ahead, from there to end. */
struct fetch {
	uint32_t now, ahead, end;
};

/* f, which has size bytes, is about to be used up to `to`; what is to be fetched for that is noted.
 */
static struct fetch fresh_fetch(struct fresh *f, uint32_t to, uint32_t size, bool is_little)
{
	struct fetch r = { f->fetched, f->fetched, f->fetched };

	if (to > r.now)
		r.ahead = r.end = MIN((uint32_t)align_up(to, FETCH_NOW), size);
	if (!is_little && r.ahead - to < FETCH_AHEAD / 2)
		r.end = MIN(r.ahead + FETCH_AHEAD, size);
	f->fetched = r.end;
	return r;
}

/* Context: c->lock is not held. */
static void fetch_do(struct code_cache *c, uint8_t *base, const struct fetch *f)
{
	if (f->ahead > f->now)
		populate_now(base + f->now, f->ahead - f->now);
	if (f->end > f->ahead)
		populator_ask(c->populator, base + f->ahead, f->end - f->ahead);
}

/* Ordinary pages: to clear a huge one takes some hosts 5 ms, which nobody can wait. */
static struct code_side *side_fresh(struct code_cache *c)
{
	struct fetch fetch;
	uint8_t *area;
	uint32_t at;

	lock_take(&c->lock);
	if (!c->areas->len || c->area.used == AREA_SIZE) {
		g_ptr_array_add(c->areas, map_private(AREA_SIZE));
		c->area = (struct fresh){ 0 };
	}
	area = c->areas->pdata[c->areas->len - 1];
	at = c->area.used;
	c->area.used += SIDE_SIZE;
	fetch = fresh_fetch(&c->area, c->area.used, AREA_SIZE,
			    c->areas->len == 1 && at < LITTLE_SIDE);
	lock_drop(&c->lock);
	fetch_do(c, area, &fetch);
	return (struct code_side *)(void *)(area + at);
}

static struct code_side *side_spare(struct code_cache *c)
{
	struct code_side *s;

	lock_take(&c->lock);
	s = c->spare_side;
	if (s)
		c->spare_side = s->next;
	lock_drop(&c->lock);
	return s;
}

static struct code_side *side_take(struct code_cache *c, size_t bytes)
{
	size_t size = align_up(sizeof(struct code_side) + bytes, (size_t)SIDE_SIZE);
	struct code_side *s = size == SIDE_SIZE ? side_spare(c) : map_private(size);

	if (!s)
		s = side_fresh(c);
	s->size = size;
	return s;
}

/* Needs c->lock.  What was of use once will be again. */
static void side_keep(struct code_cache *c, struct code_side *s)
{
	for (struct code_side *next; s; s = next) {
		next = s->next;
		if (s->size != SIDE_SIZE) {
			munmap(s, s->size);
			continue;
		}
		s->next = c->spare_side;
		c->spare_side = s;
	}
}

static void side_fini(struct code_cache *c)
{
	for (unsigned k = 0; k < c->count; k++)
		side_keep(c, c->chunks[k].side);
	for (unsigned i = 0; i < c->areas->len; i++)
		munmap(c->areas->pdata[i], AREA_SIZE);
	g_ptr_array_free(c->areas, true);
}

void code_cache_free(struct code_cache *c)
{
	if (!c)
		return;
	populator_free(c->populator);
	side_fini(c);
	if (c->write)
		munmap(c->write, c->size);
	if (c->run)
		munmap(c->run, c->size);
	pthread_cond_destroy(&c->freed);
	lock_fini(&c->lock);
	g_free(c);
}

/* ---- chunks ---- */

static uint8_t *chunk_write(const struct code_cache *c, unsigned k)
{
	return c->write + (size_t)k * c->chunk_size;
}

/* Entry i of the chunk. */
static struct code_entry *chunk_entry(const struct code_cache *c, unsigned k, uint32_t i)
{
	uint8_t *end = chunk_write(c, k) + c->chunk_size;

	return (struct code_entry *)(void *)end - 1 - i;
}

static uint64_t state_word(uint64_t birth, enum chunk_state state)
{
	return birth << STATE_BITS | state;
}

static enum chunk_state state_of(uint64_t word)
{
	return (enum chunk_state)(word & ((1u << STATE_BITS) - 1));
}

static bool state_change(struct code_chunk *ch, uint64_t birth, enum chunk_state from,
			 enum chunk_state to)
{
	uint64_t is = state_word(birth, from);

	return atomic_compare_exchange_strong(&ch->state, &is, state_word(birth, to));
}

/* Needs c->lock.  The oldest chunk that can be emptied, nobody's code in it at best; now EMPTIED.
 */
static int pick_victim(struct code_cache *c)
{
	uint64_t best_word = 0;
	bool best_is_dead = false;
	int best = -1;

	for (unsigned k = 0; k < c->count; k++) {
		struct code_chunk *ch = &c->chunks[k];
		uint64_t word = atomic_load(&ch->state);
		enum chunk_state state = state_of(word);
		bool is_dead = state == CHUNK_FULL &&
			       atomic_load(&ch->dead) == atomic_load(&ch->count);

		if (state != CHUNK_FULL && state != CHUNK_OPEN)
			continue;
		if (best < 0 || is_dead > best_is_dead ||
		    (is_dead == best_is_dead && word >> STATE_BITS < best_word >> STATE_BITS)) {
			best = (int)k;
			best_word = word;
			best_is_dead = is_dead;
		}
	}
	/* An open one may be in use again by now. */
	if (best < 0 || !state_change(&c->chunks[best], best_word >> STATE_BITS,
				      state_of(best_word), CHUNK_EMPTIED))
		return -1;
	c->emptied++;
	c->evicted++;
	return best;
}

static void drop_entry(struct code_chunk *ch, struct code_entry *e)
{
	if (!(__atomic_fetch_or(&e->end, ENTRY_DEAD, __ATOMIC_ACQ_REL) & ENTRY_DEAD))
		atomic_fetch_add(&ch->dead, 1);
}

static void empty_chunk(struct code_cache *c, unsigned k)
{
	struct code_chunk *ch = &c->chunks[k];
	uint32_t count = atomic_load(&ch->count);

	for (uint32_t i = 0; i < count; i++) {
		struct code_entry *e = chunk_entry(c, k, i);

		if (__atomic_load_n(&e->end, __ATOMIC_ACQUIRE) & ENTRY_DEAD)
			continue;
		c->ops->evict(c->opaque, __atomic_load_n(&e->owner, __ATOMIC_ACQUIRE));
		__atomic_fetch_or(&e->end, ENTRY_DEAD,
				  __ATOMIC_ACQ_REL); /* nobody counts any more */
	}
	c->ops->retire(c->opaque, k);
}

bool code_cache_evict(struct code_cache *c)
{
	int victim;

	lock_take(&c->lock);
	victim = pick_victim(c);
	lock_drop(&c->lock);
	if (victim >= 0)
		empty_chunk(c, (unsigned)victim);
	return victim >= 0;
}

/* Enough to go on with while emptied chunks wait for their last visitors. */
static uint32_t spare_chunks(const struct code_cache *c) { return MAX(c->count / 16, 1u); }

/* Needs c->lock.  A chunk for w, BUSY. */
static bool take_free(struct code_writer *w)
{
	struct code_cache *c = w->cache;

	for (unsigned k = 0; k < c->count; k++) {
		struct code_chunk *ch = &c->chunks[k];

		if (state_of(atomic_load(&ch->state)) != CHUNK_FREE)
			continue;
		w->chunk = (int)k;
		w->side = w->side_end = NULL;
		w->birth = ++c->births;
		atomic_store(&ch->state, state_word(w->birth, CHUNK_BUSY));
		c->free_count--;
		return true;
	}
	return false;
}

static bool take_chunk(struct code_writer *w)
{
	struct code_cache *c = w->cache;
	int victim = -1;
	bool ok;

	lock_take(&c->lock);
	ok = take_free(w);
	if (c->free_count + c->emptied < spare_chunks(c))
		victim = pick_victim(c);
	lock_drop(&c->lock);
	if (victim < 0)
		return ok;
	empty_chunk(c, (unsigned)victim);
	if (!ok) { /* it may be free already */
		lock_take(&c->lock);
		ok = take_free(w);
		lock_drop(&c->lock);
	}
	return ok;
}

void code_chunk_free(struct code_cache *c, unsigned k)
{
	struct code_chunk *ch = &c->chunks[k];

	assert(k < c->count && state_of(atomic_load(&ch->state)) == CHUNK_EMPTIED);
	ch->fresh.used = 0;
	atomic_store(&ch->dead, 0);
	memset(chunk_write(c, k), c->fill, c->chunk_size);
	lock_take(&c->lock);
	side_keep(c, ch->side);
	ch->side = NULL;
	c->blocks += atomic_exchange(&ch->count, 0);
	c->bytes += atomic_exchange(&ch->bytes, 0);
	atomic_store(&ch->state, state_word(0, CHUNK_FREE));
	c->free_count++;
	c->emptied--;
	pthread_cond_broadcast(&c->freed);
	lock_drop(&c->lock);
}

bool code_cache_wait(struct code_cache *c, unsigned timeout_ms)
{
	struct timespec now;
	long long until;
	bool ok;

	clock_gettime(CLOCK_MONOTONIC, &now);
	until = now.tv_sec * 1000000000LL + now.tv_nsec + timeout_ms * 1000000LL;
	lock_take(&c->lock);
	while (!c->free_count)
		if (!lock_wait(&c->lock, &c->freed, until))
			break;
	ok = c->free_count;
	lock_drop(&c->lock);
	return ok;
}

void code_cache_stats(struct code_cache *c, struct code_stats *out)
{
	lock_take(&c->lock);
	*out = (struct code_stats){
		.chunk_size = c->chunk_size,
		.chunks = c->count,
		.free_chunks = c->free_count,
		.retired_chunks = c->emptied,
		.blocks = c->blocks,
		.bytes = c->bytes,
		.evicted = c->evicted,
		.refused = atomic_load(&c->refused),
	};
	for (unsigned k = 0; k < c->count; k++) {
		out->blocks += atomic_load(&c->chunks[k].count);
		out->bytes += atomic_load(&c->chunks[k].bytes);
	}
	lock_drop(&c->lock);
}

/* ---- writing ---- */

void code_writer_init(struct code_writer *w, struct code_cache *c, bool is_fixed)
{
	*w = (struct code_writer){ .cache = c, .is_fixed = is_fixed, .chunk = -1 };
}

static void set_state(const struct code_writer *w, enum chunk_state state)
{
	atomic_store_explicit(&w->cache->chunks[w->chunk].state, state_word(w->birth, state),
			      memory_order_release);
}

/* Nothing more is written to w's chunk, which is BUSY. */
static void close_chunk(struct code_writer *w)
{
	set_state(w, w->is_fixed ? CHUNK_FIXED : CHUNK_FULL);
	w->chunk = -1;
}

/* Make w's chunk BUSY; false: it has none, or no longer.  A fixed writer's stays BUSY. */
static bool open_chunk(struct code_writer *w)
{
	if (w->chunk >= 0 && !w->is_fixed &&
	    !state_change(&w->cache->chunks[w->chunk], w->birth, CHUNK_OPEN, CHUNK_BUSY))
		w->chunk = -1;
	return w->chunk >= 0;
}

void code_writer_fini(struct code_writer *w)
{
	if (open_chunk(w))
		close_chunk(w);
}

size_t code_max_room(const struct code_cache *c)
{
	return c->chunk_size - align_up(sizeof(struct code_entry), CODE_ALIGN);
}

static bool fits(const struct code_writer *w, size_t room)
{
	const struct code_chunk *ch = &w->cache->chunks[w->chunk];
	size_t entries = (atomic_load(&ch->count) + 1) * sizeof(struct code_entry);

	return align_up(ch->fresh.used, CODE_ALIGN) + room + entries <= w->cache->chunk_size;
}

/* What is written first of the chunk that is probably the next: code from its start, entries from
 * its end. */
static void fetch_next_chunk(struct code_cache *c)
{
	struct fetch fetch = { 0 };
	uint32_t entries = c->chunk_size - c->chunk_size / 16;
	unsigned k = 0;

	lock_take(&c->lock);
	while (k < c->count && state_of(atomic_load(&c->chunks[k].state)) != CHUNK_FREE)
		k++;
	if (k < c->count)
		fetch = fresh_fetch(&c->chunks[k].fresh, 0, c->chunk_size, false);
	lock_drop(&c->lock);
	if (fetch.end > fetch.ahead) {
		populator_ask(c->populator, chunk_write(c, k) + entries, c->chunk_size - entries);
		fetch_do(c, chunk_write(c, k), &fetch);
	}
}

static void fetch_room(struct code_writer *w)
{
	struct code_cache *c = w->cache;
	struct code_chunk *ch = &c->chunks[w->chunk];
	bool is_little = w->birth <= LITTLE_CHUNKS;
	struct fetch fetch = fresh_fetch(&ch->fresh, w->at + w->room, c->chunk_size, is_little);

	fetch_do(c, chunk_write(c, (unsigned)w->chunk), &fetch);
	if (!is_little && fetch.end == c->chunk_size && fetch.end > fetch.now)
		fetch_next_chunk(c);
}

bool code_reserve(struct code_writer *w, size_t room, uint8_t **write, uint64_t *run)
{
	struct code_cache *c = w->cache;

	assert(!w->room && room && room <= code_max_room(c));
	if (open_chunk(w) && !fits(w, room))
		close_chunk(w);
	if (w->chunk < 0 && !take_chunk(w)) {
		atomic_fetch_add(&c->refused, 1);
		return false;
	}
	w->at = (uint32_t)align_up(c->chunks[w->chunk].fresh.used, CODE_ALIGN);
	w->room = (uint32_t)room;
	fetch_room(w);
	*write = chunk_write(c, (unsigned)w->chunk) + w->at;
	*run = (uintptr_t)c->run + (uint64_t)(*write - c->write);
	return true;
}

void *code_side(struct code_writer *w, size_t size)
{
	struct code_chunk *ch = &w->cache->chunks[w->chunk];
	uint8_t *p;

	assert(w->room);
	size = align_up(size, sizeof(uint64_t));
	if (size > (size_t)(w->side_end - w->side)) {
		struct code_side *s = side_take(w->cache, size);

		s->next = ch->side;
		ch->side = s;
		w->side = (uint8_t *)s->bytes;
		w->side_end = (uint8_t *)s + s->size;
	}
	p = w->side;
	w->side += size;
	return p;
}

void code_side_cut(struct code_writer *w, void *end)
{
	assert((uint8_t *)end <= w->side);
	w->side = end;
}

void code_commit(struct code_writer *w, size_t size, void *owner)
{
	struct code_cache *c = w->cache;
	struct code_chunk *ch = &c->chunks[w->chunk];
	uint32_t count = atomic_load(&ch->count);

	assert(size <= w->room && (owner || !size));
	w->room = 0;
	if (size) {
		struct code_entry *e = chunk_entry(c, (unsigned)w->chunk, count);

		ch->fresh.used = w->at + (uint32_t)size;
		__atomic_store_n(&e->start, w->at, __ATOMIC_RELAXED);
		__atomic_store_n(&e->end, ch->fresh.used, __ATOMIC_RELAXED);
		__atomic_store_n(&e->owner, owner, __ATOMIC_RELEASE);
		atomic_store_explicit(&ch->bytes,
				      atomic_load_explicit(&ch->bytes, memory_order_relaxed) +
					      (uint32_t)size,
				      memory_order_relaxed);
		atomic_store_explicit(&ch->count, count + 1, memory_order_release);
		code_written((uintptr_t)c->run + (size_t)w->chunk * c->chunk_size + w->at, size);
	}
	if (!w->is_fixed)
		set_state(w, CHUNK_OPEN);
}

/* ---- finding ---- */

static bool is_in(struct code_entry *e, uint32_t at)
{
	return __atomic_load_n(&e->start, __ATOMIC_RELAXED) <= at &&
	       at < (__atomic_load_n(&e->end, __ATOMIC_RELAXED) & ~ENTRY_DEAD);
}

/* The last entry that starts at or before offset `at`, if it holds it. */
static struct code_entry *find_entry(struct code_cache *c, unsigned k, uint32_t at)
{
	_Atomic uint32_t *hint = &c->chunks[k].hints[at / HINT_BYTES % HINTS];
	uint32_t lo = atomic_load_explicit(hint, memory_order_relaxed);
	uint32_t hi = atomic_load(&c->chunks[k].count);
	struct code_entry *e;

	if (lo < hi && is_in(chunk_entry(c, k, lo), at))
		return chunk_entry(c, k, lo);
	if (hi && is_in(chunk_entry(c, k, hi - 1), at)) /* just written */
		return chunk_entry(c, k, hi - 1);
	lo = 0;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (__atomic_load_n(&chunk_entry(c, k, mid)->start, __ATOMIC_RELAXED) <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	e = chunk_entry(c, k, lo - 1);
	atomic_store_explicit(hint, lo - 1, memory_order_relaxed);
	return is_in(e, at) ? e : NULL;
}

static struct code_entry *entry_at(struct code_cache *c, uint64_t run, struct code_chunk **ch)
{
	uint64_t offset = run - (uintptr_t)c->run;
	unsigned k = (unsigned)(offset >> __builtin_ctz(c->chunk_size));

	if (offset >= c->size)
		return NULL;
	*ch = &c->chunks[k];
	return find_entry(c, k, (uint32_t)offset & (c->chunk_size - 1));
}

void *code_find(struct code_cache *c, uint64_t run)
{
	struct code_chunk *ch;
	struct code_entry *e = entry_at(c, run, &ch);

	return e ? __atomic_load_n(&e->owner, __ATOMIC_ACQUIRE) : NULL;
}

void code_drop(struct code_cache *c, uint64_t run)
{
	struct code_chunk *ch;
	struct code_entry *e = entry_at(c, run, &ch);

	if (e)
		drop_entry(ch, e);
}

uint8_t *code_writable(struct code_cache *c, uint64_t run)
{
	uint64_t offset = run - (uintptr_t)c->run;

	assert(offset < c->size);
	return c->write + offset;
}

void code_written(uint64_t run, size_t size)
{
	char *p = (char *)(uintptr_t)run;

	__builtin___clear_cache(p, p + size);
}
