/* accel/tcg/restless.c - pages that hold code and are stored to all the time.
 *
 * A store to a page with translated code goes through C, and drops what was made from the bytes it
 * hits.  Where such stores take a good part of the time the page becomes restless: nobody is told
 * of its stores any more, and blocks made from it look for themselves (origin.c).  It is an
 * ordinary page again when its bytes have rested.
 *
 * A page changes sides while all vCPUs but one are between blocks, and that one too, and loses its
 * blocks: none is left that counts on being told of stores, or is in the middle of itself.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <glib.h>

#include "base/log.h"
#include "accel/tcg/tcg.h"

enum {
	/* What a store costs beside what it does, in units of 100 ns or so; and if it drops blocks,
	 * which are made again. */
	COST_STORE = 1,
	COST_DROP = 40,
	/* So much in such a time is too much. */
	COST_LIMIT = 10000,
	LIMIT_NS = 100000000,
	REST_NS = 100000000,
	/* Where everything is slow, and short guests are to get there. */
	TEST_LIMIT = 400,
	TEST_REST_NS = 2000000,
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_test(const struct tcg_accel *t)
{
	return t->chaos_seed || t->check != TCG_CHECK_OFF;
}

static int64_t rest_ns(const struct tcg_accel *t) { return is_test(t) ? TEST_REST_NS : REST_NS; }

void tcg_restless_init(struct tcg_restless *r)
{
	memset(r, 0, sizeof(*r));
	atomic_init(&r->look_ns, INT64_MAX);
}

static void forget(struct tcg_restless *r, unsigned i)
{
	g_free(r->pages[i].was);
	r->pages[i] = r->pages[--r->count];
}

void tcg_restless_clear(struct tcg_restless *r)
{
	while (r->count)
		forget(r, r->count - 1);
	memset(r->warm, 0, sizeof(r->warm));
	r->wanted.ram = NULL;
	atomic_store(&r->look_ns, INT64_MAX);
}

bool tcg_is_restless(const struct tcg_restless *r, const struct ram_block *ram, uint64_t offset)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->pages[i].ram == ram && r->pages[i].offset == offset)
			return true;
	return false;
}

/* ---- getting restless ---- */

static bool is_too_much(struct tcg_accel *t, struct tcg_warm *w)
{
	int64_t now;

	if (w->cost < (is_test(t) ? TEST_LIMIT : COST_LIMIT))
		return false;
	now = now_ns();
	if (!is_test(t) && now - w->since_ns > LIMIT_NS) {
		w->since_ns = now;
		w->cost = 0;
		return false;
	}
	return true;
}

void tcg_restless_stored(struct tcg_accel *t, struct ram_block *ram, uint64_t offset, bool drops)
{
	struct tcg_restless *r = &t->restless;
	uint64_t h = ((uintptr_t)ram->host + offset) >> RAM_PAGE_BITS;
	struct tcg_warm *w = &r->warm[(h ^ h >> 6) % ARRAY_SIZE(r->warm)];
	struct vcpu *self = vcpu_current();

	if (!t->native)
		return;
	if (w->ram != ram || w->offset != offset)
		*w = (struct tcg_warm){ .ram = ram, .offset = offset, .since_ns = now_ns() };
	w->cost += drops ? COST_DROP : COST_STORE;
	if (!is_too_much(t, w))
		return;
	w->ram = NULL;
	if (r->wanted.ram) /* one at a time */
		return;
	r->wanted.ram = ram;
	r->wanted.offset = offset;
	atomic_store(&r->look_ns, 0);
	if (self && self->accel == &t->accel)
		atomic_fetch_or(self->exit_request, VCPU_EXIT_RCU);
}

/* ---- changing sides: needs cache.lock and all vCPUs to stand still ---- */

static void begin(struct tcg_accel *t)
{
	struct tcg_restless *r = &t->restless;
	struct tcg_restless_page *p;

	if (!r->wanted.ram)
		return;
	tcg_cache_drop_page(t, r->wanted.ram, r->wanted.offset);
	if (r->count == ARRAY_SIZE(r->pages)) {
		p = &r->pages[r->ever % ARRAY_SIZE(r->pages)];
		tcg_cache_drop_page(t, p->ram, p->offset);
		forget(r, (unsigned)(p - r->pages));
	}
	p = &r->pages[r->count++];
	*p = (struct tcg_restless_page){ .ram = r->wanted.ram, .offset = r->wanted.offset };
	p->was = g_memdup2(p->ram->host + p->offset, RAM_PAGE_SIZE);
	r->ever++;
	TRACE(tcg_restless, "%s: page 0x%" PRIx64 " is written all the time", p->ram->name,
	      p->offset);
	r->wanted.ram = NULL;
}

static bool has_rested(struct tcg_restless_page *p)
{
	const uint8_t *now = p->ram->host + p->offset;

	if (memcmp(p->was, now, RAM_PAGE_SIZE) == 0)
		return true;
	memcpy(p->was, now, RAM_PAGE_SIZE);
	return false;
}

static void end_rested(struct tcg_accel *t)
{
	struct tcg_restless *r = &t->restless;

	for (unsigned i = r->count; i-- > 0;) {
		struct tcg_restless_page *p = &r->pages[i];

		if (!p->has_rested)
			continue;
		tcg_cache_drop_page(t, p->ram, p->offset);
		TRACE(tcg_restless, "%s: page 0x%" PRIx64 " has rested", p->ram->name, p->offset);
		forget(r, i);
		r->rested++;
	}
}

static void change_sides(struct tcg_accel *t)
{
	struct tcg_restless *r = &t->restless;

	tcg_exclusive_begin(t);
	lock_take(&t->cache.lock);
	end_rested(t);
	begin(t);
	atomic_store(&r->look_ns, r->count ? now_ns() + rest_ns(t) : INT64_MAX);
	lock_drop(&t->cache.lock);
	tcg_exclusive_end(t);
}

void tcg_restless_look(struct tcg_accel *t)
{
	struct tcg_restless *r = &t->restless;
	int64_t due = atomic_load(&r->look_ns), now = now_ns();
	bool is_any;

	/* One vCPU looks, the others go on. */
	if (now < due || !atomic_compare_exchange_strong(&r->look_ns, &due, now + rest_ns(t)))
		return;
	lock_take(&t->cache.lock);
	is_any = r->wanted.ram;
	for (unsigned i = 0; due && i < r->count; i++) {
		r->pages[i].has_rested = has_rested(&r->pages[i]);
		is_any |= r->pages[i].has_rested;
	}
	lock_drop(&t->cache.lock);
	if (is_any)
		change_sides(t);
}
