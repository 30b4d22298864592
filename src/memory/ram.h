/* memory/ram.h - blocks of guest RAM: a memfd each, mapped once, with a flag byte per page.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

struct err;

enum { RAM_PAGE_BITS = 12, RAM_PAGE_SIZE = 1 << RAM_PAGE_BITS };

/* Flags of a page.  While a CODE or PAGE_TABLE flag stands, every store to the page must be told to
 * ram_stored() (translated code takes the slow path, DMA calls it itself). */
enum ram_page_flag {
	RAM_PAGE_CODE = 1u << 0,   /* translations were made from it */
	RAM_PAGE_DIRTY = 1u << 1,  /* written since the flag was cleared (migration, display) */
	RAM_PAGE_LOGGED = 1u << 2, /* somebody wants DIRTY kept */
};

struct ram_block {
	char *name;
	uint8_t *host;               /* const: where it is mapped */
	uint64_t size;               /* const: multiple of the page size */
	int fd;                      /* const: what it is a shared mapping of; -1: of nothing */
	_Atomic uint8_t *page_flags; /* one per page; atomic */
	/* Called for stores to pages with RAM_PAGE_CODE set: offset and length in the block.
	 * Context: the storing thread. */
	void (*code_written)(void *opaque, struct ram_block *b, uint64_t offset, uint64_t len);
	void *code_opaque;
	uint64_t *log[2]; /* main thread: dirty.c's, a bit per page for each client; NULL: none */
};

struct ram_block *ram_block_new(const char *name, uint64_t size, struct err *err);
/* In a file, made if there is none, which must be empty or of this size; in a folder (hugetlbfs) in
 * a file without a name.  Not shared: the file is only read. */
struct ram_block *ram_block_new_file(const char *name, const char *path, uint64_t size,
				     bool is_shared, struct err *err);
/* Have it in core dumps of this process, where it is not by itself. */
void ram_block_dump(struct ram_block *b);
void ram_block_free(struct ram_block *b);
void ram_page_set_flags(struct ram_block *b, uint64_t offset, uint8_t flags);
void ram_page_clear_flags(struct ram_block *b, uint64_t offset, uint8_t flags);
/* Somebody stored len bytes at offset: drop translations, set dirty bits.  Cheap when no flag
 * stands. Context: any thread. */
void ram_stored(struct ram_block *b, uint64_t offset, uint64_t len);
/* True when a store to this page may go straight to host memory. */
static inline bool ram_page_is_plain(const struct ram_block *b, uint64_t offset)
{
	uint8_t f = __atomic_load_n((const uint8_t *)&b->page_flags[offset >> RAM_PAGE_BITS],
				    __ATOMIC_ACQUIRE);

	return !(f & RAM_PAGE_CODE) && (f & (RAM_PAGE_LOGGED | RAM_PAGE_DIRTY)) != RAM_PAGE_LOGGED;
}
