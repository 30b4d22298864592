/* memory/flat_view.c - a region tree rendered into sorted, disjoint ranges.
 *
 * Regions are visited from the highest priority down, and each fills only what is still empty.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memory/address_space.h"
#include "memory/rcu.h"
#include "memory/region.h"
#include "memory/topology.h"

/* Wide enough for where an alias' target would begin, which may be below zero, and for 2^64. */
typedef __int128 wide_t;

enum { RENDER_DEPTH_MAX = 64 }; /* a region that shows itself through aliases is a board's bug */

struct view_box {
	struct rcu_head head;
	struct flat_view view;
};

struct render {
	struct flat_range *ranges;
	uint32_t count, room;
};

static void render_insert(struct render *rd, uint32_t at, struct flat_range r)
{
	if (rd->count == rd->room) {
		rd->room = rd->room ? rd->room * 2 : 32;
		rd->ranges = realloc(rd->ranges, rd->room * sizeof(*rd->ranges));
		if (!rd->ranges)
			abort(); /* some kilobytes: nothing could go on */
	}
	memmove(&rd->ranges[at + 1], &rd->ranges[at], (rd->count - at) * sizeof(*rd->ranges));
	rd->ranges[at] = r;
	rd->count++;
}

/* Region r, whose byte 0 is at base, answers [start, last] wherever nothing does yet. */
static void render_leaf(struct render *rd, const struct region *r, wide_t base, uint64_t start,
			uint64_t last)
{
	uint32_t i = 0, high = rd->count;
	uint64_t pos = start;

	while (i < high) {
		uint32_t mid = i + (high - i) / 2;

		if (rd->ranges[mid].last < start)
			i = mid + 1;
		else
			high = mid;
	}
	for (;; i++) {
		bool is_end = i == rd->count || rd->ranges[i].start > last;
		uint64_t gap_last = is_end ? last : rd->ranges[i].start - 1;

		if (is_end || rd->ranges[i].start > pos) {
			render_insert(rd, i++,
				      (struct flat_range){
					      .start = pos,
					      .last = gap_last,
					      .region = (struct region *)r,
					      .offset = (uint64_t)((wide_t)pos - base),
				      });
		}
		if (is_end || rd->ranges[i].last >= last)
			return;
		pos = rd->ranges[i].last + 1;
	}
}

/* Show r with its byte 0 at base, as far as it lies in [start, last]. */
static void render_region(struct render *rd, const struct region *r, wide_t base, uint64_t start,
			  uint64_t last, unsigned depth)
{
	wide_t own_last = base + (wide_t)region_last(r);

	assert(depth < RENDER_DEPTH_MAX);
	if (!r->is_enabled || base > (wide_t)last || own_last < (wide_t)start)
		return;
	if (base > (wide_t)start)
		start = (uint64_t)base;
	if (own_last < (wide_t)last)
		last = (uint64_t)own_last;
	switch (r->kind) {
	case REGION_CONTAINER:
		for (const struct region *c = r->children; c; c = c->next)
			render_region(rd, c, base + (wide_t)c->addr, start, last, depth + 1);
		break;
	case REGION_ALIAS:
		render_region(rd, r->alias_of, base - (wide_t)r->alias_offset, start, last,
			      depth + 1);
		break;
	default: render_leaf(rd, r, base, start, last);
	}
}

/* Neighbours that are one stretch of one region become one range. */
static void render_merge(struct render *rd)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rd->count; i++) {
		struct flat_range *prev = n ? &rd->ranges[n - 1] : NULL, *r = &rd->ranges[i];

		if (prev && prev->region == r->region && prev->last + 1 == r->start &&
		    prev->offset + (r->start - prev->start) == r->offset)
			prev->last = r->last;
		else
			rd->ranges[n++] = *r;
	}
	rd->count = n;
}

struct flat_view *flat_view_render(const struct region *root)
{
	struct render rd = { 0 };
	struct view_box *box;

	render_region(&rd, root, 0, 0, UINT64_MAX, 0);
	render_merge(&rd);
	box = malloc(sizeof(*box) + rd.count * sizeof(*rd.ranges));
	if (!box)
		abort();
	box->view.count = rd.count;
	if (rd.count)
		memcpy(box->view.ranges, rd.ranges, rd.count * sizeof(*rd.ranges));
	free(rd.ranges);
	return &box->view;
}

static void view_free(struct rcu_head *head)
{
	rcu_reclaim();
	free(container_of(head, struct view_box, head));
}

void flat_view_free(struct flat_view *v) { free(container_of(v, struct view_box, view)); }

void flat_view_retire(struct flat_view *v)
{
	rcu_retire(&container_of(v, struct view_box, view)->head, view_free);
}

uint32_t flat_view_search(const struct flat_view *v, uint64_t addr)
{
	uint32_t low = 0, high = v->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (v->ranges[mid].last < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}
