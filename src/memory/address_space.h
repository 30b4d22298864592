/* memory/address_space.h - a root region rendered into a sorted flat view, published by RCU.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"

struct region;
struct ram_block;

/* One stretch of addresses that one region answers. */
struct flat_range {
	gpa_t start, last;     /* inclusive */
	struct region *region; /* RAM, ROM or IO: never an alias or container */
	uint64_t offset;       /* of start inside region */
};

struct flat_view {
	uint32_t count;
	struct flat_range ranges[]; /* sorted, disjoint */
};

/* A region_eventfd that can be seen. */
struct flat_eventfd {
	gpa_t addr;
	uint64_t data;
	int fd;
	uint8_t size; /* 0: any */
	bool has_data;
};

/* Hears ranges that went and came, in that order, at each commit; what is there already when it
 * begins to listen comes, and when it stops goes.  Context: the committing thread, topology lock.
 */
struct memory_listener {
	void (*removed)(struct memory_listener *l, const struct flat_range *r);
	void (*added)(struct memory_listener *l, const struct flat_range *r);
	void (*commit)(struct memory_listener *l); /* the new view is published; may be NULL */
	/* The same of eventfds, after the ranges; may be NULL. */
	void (*eventfd_removed)(struct memory_listener *l, const struct flat_eventfd *e);
	void (*eventfd_added)(struct memory_listener *l, const struct flat_eventfd *e);
	/* For listeners whose stores ram_stored() does not hear of (memory/dirty.h); all may be
	 * NULL: begin and end to note which pages of a range are written, and say so by
	 * RAM_PAGE_DIRTY, as in a range that comes while its pages are RAM_PAGE_LOGGED. */
	void (*log_start)(struct memory_listener *l, const struct flat_range *r);
	void (*log_stop)(struct memory_listener *l, const struct flat_range *r);
	void (*log_sync)(struct memory_listener *l, const struct flat_range *r);
	/* It will be asked to sync; pages that could be stored to without a word no longer may.
	 * Return when that is so.  Context of these two: main thread, no lock held. */
	void (*log_before)(struct memory_listener *l);
	void (*log_after)(struct memory_listener *l);
	struct memory_listener *next; /* internal */
};

struct address_space {
	const char *name;
	struct region *root;
	struct flat_view *view; /* RCU: rcu_fetch() inside rcu_enter() */
	struct memory_listener *listeners;
	struct flat_eventfd *eventfds; /* topology lock: sorted */
	unsigned eventfd_count;        /* topology lock */
	struct address_space *next;    /* internal: all address spaces */
};

void address_space_init(struct address_space *as, const char *name, struct region *root);
void address_space_fini(struct address_space *as);
void address_space_listen(struct address_space *as, struct memory_listener *l);
void address_space_unlisten(struct address_space *as, struct memory_listener *l);

/* The range that answers addr, or NULL.  Needs rcu_enter() (memory/rcu.h), and the result lives as
 * long. */
const struct flat_range *address_space_find(const struct address_space *as, gpa_t addr);

/* One access of 1, 2, 4 or 8 bytes as a CPU makes it: RAM, ROM or device, size and alignment rules
 * applied, crossing ranges split.  What nothing answers reads as all ones, stores vanish; both
 * return false then.  Context: no device lock held.  Takes the device's lock. */
bool address_space_read(struct address_space *as, gpa_t addr, unsigned size, uint64_t *value);
bool address_space_write(struct address_space *as, gpa_t addr, unsigned size, uint64_t value);

/* The same when the range is known (a cached lookup).  offset is inside the region, that is
 * r->offset + (addr - r->start), and the whole access inside the range. */
bool flat_range_read(const struct flat_range *r, uint64_t offset, unsigned size, uint64_t *value);
bool flat_range_write(const struct flat_range *r, uint64_t offset, unsigned size, uint64_t value);

/* Whoever keeps stores back for a while (region_set_coalesced()).  Context of add and remove: the
 * main thread, no vCPU runs; of flush: any thread, no device lock held. */
struct memory_flusher {
	void (*flush)(struct memory_flusher *f);
	struct memory_flusher *next; /* internal */
};
void memory_flusher_add(struct memory_flusher *f);
void memory_flusher_remove(struct memory_flusher *f);
/* All stores that wait are done.  Loads from such a region do it by themselves; a device that looks
 * at its own state in a timer asks for it there, without its lock. */
void memory_flush_stores(void);

/* Copies for devices, loaders, debuggers: RAM and ROM only.  False if any byte was not RAM (that
 * part reads as ones / is not written).  dma_write_rom also writes ROM (loaders). Context: any
 * thread, also with a device lock held. */
bool dma_read(struct address_space *as, gpa_t addr, void *buf, uint64_t len);
bool dma_write(struct address_space *as, gpa_t addr, const void *buf, uint64_t len);
bool dma_write_rom(struct address_space *as, gpa_t addr, const void *buf, uint64_t len);
bool dma_set(struct address_space *as, gpa_t addr, uint8_t byte, uint64_t len);
/* A pointer to [addr, addr + *len) in RAM; *len is cut at the end of the range.  NULL when not RAM.
 * Valid until the RCU grace period after it is unmapped.  After writing call dma_unmap(). */
void *dma_map(struct address_space *as, gpa_t addr, uint64_t *len, bool is_write);
void dma_unmap(struct address_space *as, gpa_t addr, uint64_t len, bool is_write);

/* `info mtree`-style text; note (may be NULL) adds to a region's line. */
typedef void region_note(const struct region *r, FILE *out);
void address_space_print(const struct address_space *as, FILE *out, bool flat, region_note *note);
