/* memory/topology.h - what the files of this folder share: the lock of all region trees.
 *
 * Regions may be seen through several address spaces, so one lock (rank LOCK_MEMORY) covers every
 * tree and the list of address spaces.  Readers never take it.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct address_space;
struct flat_eventfd;
struct memory_listener;
struct flat_view;
struct ram_block;
struct region;

void topology_lock(void);
void topology_unlock(void);
/* Drops the lock; publishes unless this thread is inside memory_begin(). */
void topology_changed_unlock(void);
/* Render and publish all address spaces that differ.  Needs the lock (address_space.c). */
void address_spaces_update_locked(void);

/* Call the listeners' log functions, of all ranges that show the block.  START, STOP, SYNC: need
 * the lock; BEFORE, AFTER: main thread, without it (address_space.c). */
enum memory_log {
	MEMORY_LOG_BEFORE,
	MEMORY_LOG_START,
	MEMORY_LOG_STOP,
	MEMORY_LOG_SYNC,
	MEMORY_LOG_AFTER
};
void address_spaces_log(enum memory_log what, const struct ram_block *b);

/* A new view of what root shows.  Needs the lock (flat_view.c). */
struct flat_view *flat_view_render(const struct region *root);
void flat_view_free(struct flat_view *v); /* was never published */
void flat_view_retire(struct flat_view *v);
/* Index of the first range that ends at or after addr; count when there is none. */
uint32_t flat_view_search(const struct flat_view *v, uint64_t addr);

/* ---- eventfd.c ---- */
/* A store: did it tick an eventfd?  Needs rcu_enter(). */
bool region_signal(const struct region *r, uint64_t offset, uint64_t value, unsigned size);
/* The view is published: what eventfds it shows, and tell of the difference.  Needs the lock. */
void address_space_update_eventfds_locked(struct address_space *as);
/* Tell l of those of the sorted list that the other does not have. */
void address_space_tell_eventfds(struct memory_listener *l, const struct flat_eventfd *list,
				 unsigned count, const struct flat_eventfd *other,
				 unsigned other_count, bool is_added);

/* The last byte of a region's own addresses. */
uint64_t region_last(const struct region *r);
const char *region_kind_name(const struct region *r);
