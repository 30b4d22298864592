/* memory/eventfd.c - stores that become a tick of an eventfd: a device's doorbells.
 *
 * A region has a list of them, read under RCU where stores are dispatched; what of all lists an
 * address space shows is compared with what it showed, and listeners hear of the difference: one
 * whose kernel can do the same (KVM_IOEVENTFD) spares the way here.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/address_space.h"
#include "memory/rcu.h"
#include "memory/region.h"
#include "memory/topology.h"

struct region_eventfds {
	struct rcu_head head;
	unsigned count;
	struct region_eventfd items[];
};

static void eventfds_free(struct rcu_head *head)
{
	rcu_reclaim();
	free(container_of(head, struct region_eventfds, head));
}

static struct region_eventfds *eventfds_new(unsigned count)
{
	struct region_eventfds *all = calloc(1, sizeof(*all) + count * sizeof(all->items[0]));

	if (!all)
		abort(); /* some bytes: nothing could go on */
	all->count = count;
	return all;
}

static bool is_same(const struct region_eventfd *a, const struct region_eventfd *b)
{
	return a->offset == b->offset && a->size == b->size && a->has_data == b->has_data &&
	       a->data == b->data && a->fd == b->fd;
}

/* Needs the topology lock, which it drops. */
static void publish(struct region *r, struct region_eventfds *all)
{
	struct region_eventfds *old = r->eventfds;

	rcu_publish(r->eventfds, all);
	topology_changed_unlock();
	if (old)
		rcu_retire(&old->head, eventfds_free);
}

void region_add_eventfd(struct region *r, const struct region_eventfd *e)
{
	struct region_eventfds *all;
	unsigned count;

	assert(r->kind == REGION_IO && e->offset <= region_last(r) && e->size <= 8);
	assert(!e->has_data || e->size);
	topology_lock();
	count = r->eventfds ? r->eventfds->count : 0;
	all = eventfds_new(count + 1);
	for (unsigned i = 0; i < count; i++)
		all->items[i] = r->eventfds->items[i];
	all->items[count] = *e;
	publish(r, all);
}

void region_remove_eventfd(struct region *r, const struct region_eventfd *e)
{
	struct region_eventfds *all = NULL;
	unsigned count, left = 0;

	topology_lock();
	count = r->eventfds ? r->eventfds->count : 0;
	if (count > 1)
		all = eventfds_new(count - 1);
	for (unsigned i = 0; i < count; i++) {
		if (is_same(&r->eventfds->items[i], e))
			continue;
		assert(all && left < all->count);
		all->items[left++] = r->eventfds->items[i];
	}
	assert(left == count - 1); /* it was there, once */
	publish(r, all);
}

bool region_signal(const struct region *r, uint64_t offset, uint64_t value, unsigned size)
{
	const struct region_eventfds *all = rcu_fetch(r->eventfds);
	uint64_t one = 1;

	for (unsigned i = 0; all && i < all->count; i++) {
		const struct region_eventfd *e = &all->items[i];

		if (e->offset != offset || (e->size && e->size != size) ||
		    (e->has_data && e->data != value))
			continue;
		/* Full: whoever listens will look anyway. */
		if (write(e->fd, &one, sizeof(one)) < 0)
			return true;
		return true;
	}
	return false;
}

/* ---- what an address space shows ---- */

static int compare(const void *x, const void *y)
{
	const struct flat_eventfd *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->has_data != b->has_data)
		return a->has_data ? 1 : -1;
	if (a->data != b->data)
		return a->data < b->data ? -1 : 1;
	return a->fd - b->fd;
}

static unsigned count_all(const struct flat_view *v)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < v->count; i++)
		n += v->ranges[i].region->eventfds ? v->ranges[i].region->eventfds->count : 0;
	return n;
}

/* Those that lie in the range with all their bytes. */
static unsigned render(const struct flat_range *range, struct flat_eventfd *out)
{
	const struct region_eventfds *all = range->region->eventfds;
	uint64_t last = range->offset + (range->last - range->start);
	unsigned n = 0;

	for (unsigned i = 0; all && i < all->count; i++) {
		const struct region_eventfd *e = &all->items[i];

		if (e->offset < range->offset || e->offset > last ||
		    (e->size && last - e->offset < e->size - 1u))
			continue;
		out[n++] = (struct flat_eventfd){ .addr = range->start +
							  (e->offset - range->offset),
						  .data = e->data,
						  .fd = e->fd,
						  .size = e->size,
						  .has_data = e->has_data };
	}
	return n;
}

void address_space_tell_eventfds(struct memory_listener *l, const struct flat_eventfd *list,
				 unsigned count, const struct flat_eventfd *other,
				 unsigned other_count, bool is_added)
{
	void (*fn)(struct memory_listener *,
		   const struct flat_eventfd *) = is_added ? l->eventfd_added : l->eventfd_removed;
	unsigned j = 0;

	for (unsigned i = 0; fn && i < count; i++) {
		while (j < other_count && compare(&other[j], &list[i]) < 0)
			j++;
		if (j == other_count || compare(&other[j], &list[i]))
			fn(l, &list[i]);
	}
}

void address_space_update_eventfds_locked(struct address_space *as)
{
	unsigned room = count_all(as->view), count = 0;
	struct flat_eventfd *list;

	if (!room && !as->eventfd_count)
		return;
	list = calloc(room ? room : 1, sizeof(*list));
	if (!list)
		abort();
	for (uint32_t i = 0; i < as->view->count; i++)
		count += render(&as->view->ranges[i], list + count);
	qsort(list, count, sizeof(*list), compare);
	for (struct memory_listener *l = as->listeners; l; l = l->next)
		address_space_tell_eventfds(l, as->eventfds, as->eventfd_count, list, count, false);
	for (struct memory_listener *l = as->listeners; l; l = l->next)
		address_space_tell_eventfds(l, list, count, as->eventfds, as->eventfd_count, true);
	free(as->eventfds);
	as->eventfds = list;
	as->eventfd_count = count;
}
