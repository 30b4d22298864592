/* accel/tcg/origin.c - blocks that look whether the code they were made from has changed.
 *
 * A block from a restless page (restless.c) keeps the bytes it was made from, and compares them
 * with the guest's at each entry: host code by itself (jit/x64/lower_check.c), find_block() for all
 * who come by there.  It ends behind the first instruction that may store, so that what that does
 * to the code is seen by what comes next.
 *
 * There may be some such blocks for one place, versions, made of different bytes.  Links and tables
 * lead to the oldest, and each is linked to a younger one for when its bytes are not there: never
 * the other way round, or host code might go in circles.  An immediate that keeps changing becomes
 * an operand that is read when the block runs, a hole in what is compared.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE };

/* ---- what is compared ---- */

static void add_part(struct tcg_origin *o, const struct tcg_block *b, uint32_t from, uint32_t to)
{
	uint32_t room = (uint32_t)(PAGE - (uintptr_t)b->host_pc % PAGE);
	const uint8_t *at = from < room ? b->host_pc + from : b->host_second + (from - room);

	if (from >= to)
		return;
	if (from < room && to > room) {
		add_part(o, b, from, room);
		add_part(o, b, room, to);
		return;
	}
	g_assert(o->parts.count < JIT_ORIGIN_PARTS);
	o->parts.part[o->parts.count++] = (struct jit_bytes){ .at = at,
							      .made = o->bytes + from,
							      .len = to - from };
}

static int by_place(const void *a, const void *b)
{
	const struct tcg_hole *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

struct tcg_origin *tcg_origin_new(const struct tcg_block *b, const uint8_t *const code[2],
				  const struct tcg_hole *holes, unsigned count)
{
	struct tcg_origin *o = g_malloc0(sizeof(*o) + b->guest_len);
	uint32_t at = (uintptr_t)b->host_pc % PAGE, first = MIN(b->guest_len, PAGE - at), done = 0;

	memcpy(o->bytes, code[0] + at, first);
	if (b->guest_len > first)
		memcpy(o->bytes + first, code[1], b->guest_len - first);
	memcpy(o->holes, holes, count * sizeof(*holes));
	qsort(o->holes, count, sizeof(*holes), by_place);
	o->hole_count = count;
	for (unsigned n = 0; n < count; n++) {
		add_part(o, b, done, o->holes[n].at);
		done = o->holes[n].at + o->holes[n].len;
	}
	add_part(o, b, done, b->guest_len);
	return o;
}

static void free_origin(struct rcu_head *head)
{
	rcu_reclaim();
	g_free(container_of(head, struct tcg_origin, rcu));
}

void tcg_origin_retire(struct tcg_origin *o)
{
	if (o)
		rcu_retire(&o->rcu, free_origin);
}

bool tcg_origin_holds(const struct jit_origin *o)
{
	for (unsigned n = 0; n < o->count; n++) {
		const struct jit_bytes *p = &o->part[n];

		if (memcmp(p->at, p->made, p->len) != 0)
			return false;
	}
	return true;
}

bool tcg_origin_covers(const struct tcg_block *a, const struct tcg_block *b)
{
	const struct tcg_origin *o = a->origin;

	if (!o || !b->origin)
		return !o && !b->origin;
	if (a->guest_len != b->guest_len)
		return false;
	for (unsigned n = 0; n < o->parts.count; n++) {
		const struct jit_bytes *p = &o->parts.part[n];

		if (memcmp(p->made, b->origin->bytes + (p->made - o->bytes), p->len) != 0)
			return false;
	}
	return true;
}

/* ---- versions ---- */

struct tcg_block *tcg_next_version(const struct tcg_block *of, struct tcg_block *b)
{
	while (b && (b->host_pc != of->host_pc || b->key != of->key || !b->origin))
		b = rcu_fetch(b->hash_next);
	return b;
}

struct tcg_block *tcg_first_version(struct tcg_accel *t, struct tcg_block *b)
{
	struct tcg_block *first = b, *v;

	if (likely(!b->origin) || b->host_second)
		return b;
	v = rcu_fetch(t->cache.buckets[tcg_hash(b->host_pc, b->key)]);
	while ((v = tcg_next_version(b, v))) {
		if (v->is_native && !v->host_second)
			first = v;
		v = rcu_fetch(v->hash_next);
	}
	return first;
}

bool tcg_link_version(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n, struct tcg_block *to)
{
	if (!to->origin || !to->is_native || to->host_second || from->host_second ||
	    to->key != from->key || to->origin->birth <= from->origin->birth)
		return false;
	tcg_cache_link(tv->tcg, from, n, to, false);
	return true;
}

bool tcg_is_changing(const struct tcg_block *of, struct tcg_block *chain, uint32_t at,
		     const uint8_t *now, unsigned len)
{
	enum { ENOUGH = 2 }; /* two that alternate are two versions */
	unsigned changed = 0;

	for (struct tcg_block *v = tcg_next_version(of, chain); v;
	     v = tcg_next_version(of, rcu_fetch(v->hash_next))) {
		const struct tcg_origin *o = v->origin;

		for (unsigned n = 0; n < o->hole_count; n++)
			if (o->holes[n].at == at && o->holes[n].len == len)
				return true;
		changed += at + len <= v->guest_len && memcmp(o->bytes + at, now, len) != 0;
	}
	return changed >= ENOUGH;
}
