/* memory/region.c - the tree of regions and its changes.
 *
 * A change takes the topology lock for a moment; it is rendered and published when the changing
 * thread's outermost memory_begin() is closed.  Transactions of two threads are not isolated from
 * each other: one's commit may publish what the other has done so far.
 * SPDX-License-Identifier: MIT */
#include "memory/region.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#include "base/lock.h"
#include "memory/ram.h"
#include "memory/topology.h"

/* Process-wide: a region tree has no owner that all its users could reach. */
static struct lock topology;
static pthread_once_t topology_once = PTHREAD_ONCE_INIT;
static __thread unsigned transaction_depth;
static __thread bool transaction_dirty;

static void topology_setup(void) { lock_init(&topology, LOCK_MEMORY, "memory topology"); }

void topology_lock(void)
{
	pthread_once(&topology_once, topology_setup);
	lock_take(&topology);
}

void topology_unlock(void) { lock_drop(&topology); }

void topology_changed_unlock(void)
{
	if (transaction_depth)
		transaction_dirty = true;
	else
		address_spaces_update_locked();
	topology_unlock();
}

void memory_begin(void) { transaction_depth++; }

void memory_commit(void)
{
	assert(transaction_depth);
	if (--transaction_depth || !transaction_dirty)
		return;
	transaction_dirty = false;
	topology_lock();
	address_spaces_update_locked();
	topology_unlock();
}

/* ---- making regions -------------------------------------------------------------------------- */

void region_init_container(struct region *r, const char *name, uint64_t size)
{
	*r = (struct region){
		.kind = REGION_CONTAINER, .name = name, .size = size, .is_enabled = true
	};
}

void region_init_io(struct region *r, struct device *dev, const char *name,
		    const struct region_ops *ops, uint64_t size)
{
	assert(size);
	assert(!ops->min || is_pow2(ops->min));
	assert(!ops->max || (is_pow2(ops->max) && ops->max <= 8 && ops->max >= ops->min));
	*r = (struct region){
		.kind = REGION_IO,
		.name = name,
		.size = size,
		.ops = ops,
		.dev = dev,
		.is_enabled = true,
	};
}

static void region_init_memory(struct region *r, enum region_kind kind, const char *name,
			       struct ram_block *b, uint64_t offset, uint64_t size)
{
	assert(size && offset <= b->size && size <= b->size - offset);
	*r = (struct region){
		.kind = kind,
		.name = name,
		.size = size,
		.ram = b,
		.ram_offset = offset,
		.is_enabled = true,
	};
}

void region_init_ram(struct region *r, const char *name, struct ram_block *b, uint64_t offset,
		     uint64_t size)
{
	region_init_memory(r, REGION_RAM, name, b, offset, size);
}

void region_init_rom(struct region *r, const char *name, struct ram_block *b, uint64_t offset,
		     uint64_t size)
{
	region_init_memory(r, REGION_ROM, name, b, offset, size);
}

void region_init_alias(struct region *r, const char *name, struct region *of, uint64_t offset,
		       uint64_t size)
{
	assert(size);
	*r = (struct region){
		.kind = REGION_ALIAS,
		.name = name,
		.size = size,
		.alias_of = of,
		.alias_offset = offset,
		.is_enabled = true,
	};
}

void region_set_coalesced(struct region *r)
{
	assert(r->kind == REGION_IO && !r->container);
	r->is_coalesced = true;
}

void region_set_guard(struct region *r, struct region_guard *g)
{
	assert(r->kind == REGION_IO);
	r->guard = g;
}

uint64_t region_last(const struct region *r) { return r->size - 1; /* size 0: 2^64 - 1 */ }

const char *region_kind_name(const struct region *r)
{
	static const char *const names[] = {
		[REGION_CONTAINER] = "container",
		[REGION_RAM] = "ram",
		[REGION_ROM] = "rom",
		[REGION_IO] = "i/o",
		[REGION_ALIAS] = "alias",
	};

	return names[r->kind];
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void child_link(struct region *container, struct region *r)
{
	struct region **p = &container->children;

	while (*p && (*p)->priority > r->priority)
		p = &(*p)->next;
	r->next = *p;
	*p = r;
}

static void child_unlink(struct region *r)
{
	struct region **p = &r->container->children;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	r->next = NULL;
}

void region_add_overlap(struct region *container, uint64_t addr, struct region *r, int priority)
{
	topology_lock();
	assert(container->kind == REGION_CONTAINER && !r->container);
	r->container = container;
	r->addr = addr;
	r->priority = priority;
	child_link(container, r);
	topology_changed_unlock();
}

void region_add(struct region *container, uint64_t addr, struct region *r)
{
	region_add_overlap(container, addr, r, 0);
}

void region_remove(struct region *r)
{
	topology_lock();
	if (r->container) {
		child_unlink(r);
		r->container = NULL;
	}
	topology_changed_unlock();
}

void region_set_enabled(struct region *r, bool enabled)
{
	topology_lock();
	if (r->is_enabled == enabled) {
		topology_unlock();
		return;
	}
	r->is_enabled = enabled;
	topology_changed_unlock();
}

void region_set_addr(struct region *r, uint64_t addr)
{
	topology_lock();
	if (r->addr == addr) {
		topology_unlock();
		return;
	}
	r->addr = addr;
	topology_changed_unlock();
}
