/* memory/address_space.c - publishing views, telling listeners, accesses as a CPU makes them.
 * SPDX-License-Identifier: MIT */
#include "memory/address_space.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/lock.h"
#include "base/log.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "memory/region.h"
#include "memory/topology.h"

/* All address spaces: a region's change must reach every one that shows it.  Topology lock. */
static struct address_space *spaces;

/* ---- views and listeners --------------------------------------------------------------------- */

static bool same_range(const struct flat_range *a, const struct flat_range *b)
{
	return a->start == b->start && a->last == b->last && a->region == b->region &&
	       a->offset == b->offset;
}

/* Calls fn for each range of `view` that `other` doesn't have; how many those are. */
static uint32_t each_missing(const struct flat_view *view, const struct flat_view *other,
			     struct memory_listener *l,
			     void (*fn)(struct memory_listener *, const struct flat_range *))
{
	uint32_t n = 0, j = 0;

	for (uint32_t i = 0; i < view->count; i++) {
		const struct flat_range *r = &view->ranges[i];

		while (j < other->count && other->ranges[j].start < r->start)
			j++;
		if (j < other->count && same_range(r, &other->ranges[j]))
			continue;
		n++;
		if (fn)
			fn(l, r);
	}
	return n;
}

static void update_locked(struct address_space *as)
{
	struct flat_view *old = as->view, *view = flat_view_render(as->root);

	if (!each_missing(view, old, NULL, NULL) && !each_missing(old, view, NULL, NULL)) {
		flat_view_free(view);
		address_space_update_eventfds_locked(as);
		return;
	}
	rcu_publish(as->view, view);
	TRACE(memory_view, "%s: %" PRIu32 " ranges", as->name, view->count);
	for (struct memory_listener *l = as->listeners; l; l = l->next) {
		if (l->removed)
			each_missing(old, view, l, l->removed);
		if (l->added)
			each_missing(view, old, l, l->added);
		if (l->commit)
			l->commit(l);
	}
	address_space_update_eventfds_locked(as);
	flat_view_retire(old);
}

void address_spaces_update_locked(void)
{
	for (struct address_space *as = spaces; as; as = as->next)
		update_locked(as);
}

static void log_range(struct memory_listener *l, enum memory_log what, const struct flat_range *r)
{
	void (*fn)(struct memory_listener *, const struct flat_range *) = what == MEMORY_LOG_START
										  ? l->log_start
									  : what == MEMORY_LOG_STOP
										  ? l->log_stop
										  : l->log_sync;

	if (fn)
		fn(l, r);
}

static void log_space(const struct address_space *as, enum memory_log what,
		      const struct ram_block *b)
{
	for (struct memory_listener *l = as->listeners; l; l = l->next) {
		if (what == MEMORY_LOG_BEFORE && l->log_before)
			l->log_before(l);
		if (what == MEMORY_LOG_AFTER && l->log_after)
			l->log_after(l);
		if (what == MEMORY_LOG_BEFORE || what == MEMORY_LOG_AFTER)
			continue;
		for (uint32_t i = 0; i < as->view->count; i++)
			if (as->view->ranges[i].region->ram == b)
				log_range(l, what, &as->view->ranges[i]);
	}
}

void address_spaces_log(enum memory_log what, const struct ram_block *b)
{
	for (const struct address_space *as = spaces; as; as = as->next)
		log_space(as, what, b);
}

void address_space_init(struct address_space *as, const char *name, struct region *root)
{
	*as = (struct address_space){ .name = name, .root = root };
	topology_lock();
	as->view = flat_view_render(root);
	as->next = spaces;
	spaces = as;
	address_space_update_eventfds_locked(as);
	topology_unlock();
}

void address_space_fini(struct address_space *as)
{
	struct address_space **p = &spaces;

	topology_lock();
	assert(!as->listeners);
	while (*p != as)
		p = &(*p)->next;
	*p = as->next;
	topology_unlock();
	free(as->eventfds);
	as->eventfds = NULL;
	flat_view_retire(as->view);
	as->view = NULL;
}

void address_space_listen(struct address_space *as, struct memory_listener *l)
{
	static const struct flat_view empty;
	struct memory_listener **p = &as->listeners;

	topology_lock();
	while (*p)
		p = &(*p)->next;
	l->next = NULL;
	*p = l;
	if (l->added)
		each_missing(as->view, &empty, l, l->added);
	address_space_tell_eventfds(l, as->eventfds, as->eventfd_count, NULL, 0, true);
	if (l->commit)
		l->commit(l);
	topology_unlock();
}

void address_space_unlisten(struct address_space *as, struct memory_listener *l)
{
	static const struct flat_view empty;
	struct memory_listener **p = &as->listeners;

	topology_lock();
	while (*p && *p != l)
		p = &(*p)->next;
	if (*p) {
		*p = l->next;
		address_space_tell_eventfds(l, as->eventfds, as->eventfd_count, NULL, 0, false);
		if (l->removed)
			each_missing(as->view, &empty, l, l->removed);
		if (l->commit)
			l->commit(l);
	}
	topology_unlock();
}

const struct flat_range *address_space_find(const struct address_space *as, gpa_t addr)
{
	/* Where in some view, an older or another space's maybe, addresses like this were found. */
	static __thread uint32_t hints[16];
	uint32_t *hint = &hints[(addr >> 3 ^ addr >> 12) % ARRAY_SIZE(hints)], i = *hint;
	const struct flat_view *v = rcu_fetch(as->view);

	if (i < v->count && v->ranges[i].start <= addr && addr <= v->ranges[i].last)
		return &v->ranges[i];
	i = flat_view_search(v, addr);
	if (i >= v->count || v->ranges[i].start > addr)
		return NULL;
	*hint = i;
	return &v->ranges[i];
}

/* ---- stores that wait ------------------------------------------------------------------------ */

/* Of the process: a region does not know who runs the guests that see it. */
static struct memory_flusher *flushers;
static __thread bool is_flushing;

void memory_flusher_add(struct memory_flusher *f)
{
	f->next = flushers;
	rcu_publish(flushers, f);
}

void memory_flusher_remove(struct memory_flusher *f)
{
	struct memory_flusher **p = &flushers;

	while (*p && *p != f)
		p = &(*p)->next;
	if (*p)
		rcu_publish(*p, f->next);
}

void memory_flush_stores(void)
{
	if (is_flushing)
		return;
	is_flushing = true;
	for (struct memory_flusher *f = rcu_fetch(flushers); f; f = f->next)
		f->flush(f);
	is_flushing = false;
}

/* ---- device accesses ------------------------------------------------------------------------- */

static uint64_t ones(unsigned size) { return ~UINT64_C(0) >> (64 - 8 * size); }

static unsigned op_min(const struct region_ops *ops) { return ops->min ? ops->min : 1; }
static unsigned op_max(const struct region_ops *ops) { return ops->max ? ops->max : 8; }

/* The largest piece of [offset, offset + left) that the callbacks may be asked for at once. */
static unsigned io_piece(const struct region_ops *ops, uint64_t offset, unsigned left)
{
	unsigned n = op_max(ops);

	while (n > left || (!ops->unaligned && offset & (n - 1)))
		n /= 2;
	return n;
}

/* One callback.  A piece narrower than the device can do becomes a read of the whole register that
 * contains it; a write has zeros in the other lanes. */
static uint64_t io_read_piece(const struct region *r, uint64_t offset, unsigned n)
{
	unsigned min = op_min(r->ops), lane;

	if (!r->ops->read)
		return ones(n);
	if (n >= min)
		return r->ops->read(r->dev, offset, n) & ones(n);
	lane = offset & (min - 1);
	if (lane + n > min) /* only with .unaligned */
		return r->ops->read(r->dev, offset, min) & ones(n);
	return (r->ops->read(r->dev, offset - lane, min) >> (8 * lane)) & ones(n);
}

static void io_write_piece(const struct region *r, uint64_t offset, uint64_t value, unsigned n)
{
	unsigned min = op_min(r->ops), lane;

	value &= ones(n);
	if (!r->ops->write)
		return;
	if (n >= min) {
		r->ops->write(r->dev, offset, value, n);
		return;
	}
	lane = offset & (min - 1);
	if (lane + n > min)
		r->ops->write(r->dev, offset, value, min);
	else
		r->ops->write(r->dev, offset - lane, value << (8 * lane), min);
}

static struct lock *io_lock(const struct region *r) { return r->ops->concurrent ? NULL : r->lock; }

static void io_begin(const struct region *r)
{
	struct lock *lock = io_lock(r);

	if (unlikely(r->guard != NULL))
		r->guard->begin(r->guard);
	if (lock)
		lock_take(lock);
}

static void io_end(const struct region *r)
{
	struct lock *lock = io_lock(r);

	if (lock)
		lock_drop(lock);
	if (unlikely(r->guard != NULL))
		r->guard->end(r->guard);
}

static uint64_t io_read(const struct region *r, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	if (unlikely(r->is_coalesced))
		memory_flush_stores();
	io_begin(r);
	for (unsigned done = 0, n; done < size; done += n) {
		n = io_piece(r->ops, offset + done, size - done);
		value |= io_read_piece(r, offset + done, n) << (8 * done);
	}
	io_end(r);
	return value;
}

static void io_write(const struct region *r, uint64_t offset, uint64_t value, unsigned size)
{
	if (unlikely(rcu_fetch(r->eventfds) != NULL) &&
	    region_signal(r, offset, value & ones(size), size))
		return;
	io_begin(r);
	for (unsigned done = 0, n; done < size; done += n) {
		n = io_piece(r->ops, offset + done, size - done);
		io_write_piece(r, offset + done, value >> (8 * done), n);
	}
	io_end(r);
}

static uint64_t ram_load(const void *p, unsigned size)
{
	switch (size) {
	case 1: return *(const uint8_t *)p;
	case 2: return ld16_le(p);
	case 4: return ld32_le(p);
	default: return ld64_le(p);
	}
}

static void ram_store(void *p, uint64_t value, unsigned size)
{
	switch (size) {
	case 1: *(uint8_t *)p = (uint8_t)value; break;
	case 2: st16_le(p, (uint16_t)value); break;
	case 4: st32_le(p, (uint32_t)value); break;
	default: st64_le(p, value);
	}
}

bool flat_range_read(const struct flat_range *r, uint64_t offset, unsigned size, uint64_t *value)
{
	const struct region *region = r->region;

	if (region->kind == REGION_IO)
		*value = io_read(region, offset, size);
	else
		*value = ram_load(region->ram->host + region->ram_offset + offset, size);
	return true;
}

bool flat_range_write(const struct flat_range *r, uint64_t offset, unsigned size, uint64_t value)
{
	const struct region *region = r->region;

	switch (region->kind) {
	case REGION_IO: io_write(region, offset, value, size); break;
	case REGION_RAM:
		offset += region->ram_offset;
		ram_store(region->ram->host + offset, value, size);
		ram_stored(region->ram, offset, size);
		break;
	default:
		log_guest_error(region->name, "store of %u bytes to ROM at offset 0x%" PRIx64, size,
				offset);
	}
	return true;
}

static void unassigned(const struct address_space *as, const char *what, gpa_t addr, unsigned size)
{
	TRACE(memory_unassigned, "%s: %s of %u bytes at 0x%" PRIx64, as->name, what, size, addr);
}

bool address_space_read(struct address_space *as, gpa_t addr, unsigned size, uint64_t *value)
{
	const struct flat_range *r;
	bool ok = true;

	*value = ones(size);
	rcu_enter();
	r = address_space_find(as, addr);
	if (r && r->last - addr >= size - 1) {
		flat_range_read(r, r->offset + (addr - r->start), size, value);
	} else if (size > 1) { /* it may run into another range: byte by byte */
		*value = 0;
		for (unsigned i = 0; i < size; i++) {
			uint64_t byte;

			ok &= address_space_read(as, addr + i, 1, &byte);
			*value |= byte << (8 * i);
		}
	} else {
		unassigned(as, "load", addr, size);
		ok = false;
	}
	rcu_leave();
	return ok;
}

bool address_space_write(struct address_space *as, gpa_t addr, unsigned size, uint64_t value)
{
	const struct flat_range *r;
	bool ok = true;

	rcu_enter();
	r = address_space_find(as, addr);
	if (r && r->last - addr >= size - 1) {
		flat_range_write(r, r->offset + (addr - r->start), size, value);
	} else if (size > 1) {
		for (unsigned i = 0; i < size; i++)
			ok &= address_space_write(as, addr + i, 1, (uint8_t)(value >> (8 * i)));
	} else {
		unassigned(as, "store", addr, size);
		ok = false;
	}
	rcu_leave();
	return ok;
}
