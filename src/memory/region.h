/* memory/region.h - a range of guest addresses and what answers there.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

struct device;
struct lock;
struct ram_block;
struct region;
struct region_eventfds;
struct region_guard;

struct region_ops {
	/* Context: vcpu or loop thread, dev->lock held unless .concurrent.  offset is inside the
	 * region; min <= size <= max, a power of two; aligned to size unless .unaligned.  The
	 * dispatcher splits or widens accesses outside those bounds. */
	uint64_t (*read)(struct device *dev, uint64_t offset, unsigned size);
	void (*write)(struct device *dev, uint64_t offset, uint64_t value, unsigned size);
	uint8_t min, max; /* 0: 1 and 8 */
	bool unaligned;
	bool concurrent; /* the callbacks lock for themselves */
};

enum region_kind { REGION_CONTAINER, REGION_RAM, REGION_ROM, REGION_IO, REGION_ALIAS };

/* Storage is the owner's (a device embeds its regions).  Members are set by the functions below and
 * change only under memory_begin()/memory_commit(). */
struct region {
	enum region_kind kind;
	const char *name;
	uint64_t size; /* 2^64 is UINT64_MAX + the last byte: a container of size 0 means all */
	const struct region_ops *ops;
	struct device *dev;
	struct lock *lock;     /* taken around ops; NULL: none */
	struct ram_block *ram; /* RAM and ROM */
	uint64_t ram_offset;
	struct region *alias_of;
	uint64_t alias_offset;
	/* placement in a container */
	struct region *container;
	uint64_t addr;
	int priority;
	bool is_enabled;
	bool is_coalesced;
	struct region_guard *guard;
	struct region *children, *next;   /* by falling priority */
	struct region_eventfds *eventfds; /* RCU; changed under the topology lock */
};

void region_init_container(struct region *r, const char *name, uint64_t size);
void region_init_io(struct region *r, struct device *dev, const char *name,
		    const struct region_ops *ops, uint64_t size);
/* RAM and ROM: bytes [offset, offset + size) of a block.  Stores to ROM are dropped and logged. */
void region_init_ram(struct region *r, const char *name, struct ram_block *b, uint64_t offset,
		     uint64_t size);
void region_init_rom(struct region *r, const char *name, struct ram_block *b, uint64_t offset,
		     uint64_t size);
void region_init_alias(struct region *r, const char *name, struct region *of, uint64_t offset,
		       uint64_t size);

/* A store to an I/O region that ticks an eventfd and reaches no callback: of that size (0: any),
 * and with that datum if has_data (then the size is given). */
struct region_eventfd {
	uint64_t offset, data;
	int fd;
	uint8_t size;
	bool has_data;
};
/* No two stand for the same store.  After one was removed its descriptor may still be used until
 * rcu_wait().  Context: as topology changes. */
void region_add_eventfd(struct region *r, const struct region_eventfd *e);
void region_remove_eventfd(struct region *r, const struct region_eventfd *e);

/* Stores to this I/O region may wait until the next access that leaves guest code, or until
 * somebody looks (memory_flush_stores()), as who moves it away does first; their order stays.
 * Before it is placed. */
void region_set_coalesced(struct region *r);

/* Told before and after each access to an I/O region that reaches its callbacks: what answers there
 * may have its state elsewhere.  Context: the accessing thread, no device lock held; begin may
 * block. */
struct region_guard {
	void (*begin)(struct region_guard *g);
	void (*end)(struct region_guard *g);
};
/* Context: machine set-up. */
void region_set_guard(struct region *r, struct region_guard *g);

/* Topology changes.  Outside a memory_begin()/commit() pair each change publishes at once.  Where
 * regions overlap the higher priority wins, then the later added.
 * A pair belongs to one thread and holds no lock in between.
 * Context: any thread, also with a device's lock held (rank below LOCK_MEMORY). */
void memory_begin(void);
void memory_commit(void);
void region_add(struct region *container, uint64_t addr, struct region *r);
void region_add_overlap(struct region *container, uint64_t addr, struct region *r, int priority);
void region_remove(struct region *r);
void region_set_enabled(struct region *r, bool enabled);
void region_set_addr(struct region *r, uint64_t addr);
