/* jit/code_cache.h - memory for translated code: written through one mapping, run through another.
 *
 * The room is cut into chunks.  Each writer fills a chunk of its own from the bottom, so that many
 * threads translate at once; what was committed to a chunk is listed at its top.  When chunks run
 * short the oldest is emptied: its owners are told to forget their code, and the chunk is used
 * again once nobody can be running in it, which only the user of the cache knows.
 *
 * What is in the code, and for which host, is no business of the cache.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_cache;
struct err;

struct code_cache_ops {
	/* Code of owner is about to go: nothing may lead to it any more (links, tables) when this
	 * returns.  May be told of an owner whose code was just dropped by code_drop().
	 * Context: a thread in code_reserve(), no lock held. */
	void (*evict)(void *opaque, void *owner);
	/* All owners in the chunk were evicted: call code_chunk_free() once no thread can be
	 * running in it.  Context: as evict. */
	void (*retire)(void *opaque, unsigned chunk);
};

/* One thread's place to write. */
struct code_writer {
	struct code_cache *cache;
	bool is_fixed;  /* its code is never evicted: thunks */
	int chunk;      /* -1: none */
	uint64_t birth; /* of that chunk: it may have been taken away and be another's */
	uint32_t at;    /* offset in the chunk, while something is reserved */
	uint32_t room;
	uint8_t *side, *side_end; /* what is left of the chunk's newest side memory */
};

struct code_stats {
	uint64_t chunk_size;
	uint32_t chunks, free_chunks, retired_chunks; /* retired: wait for code_chunk_free() */
	uint64_t blocks;                              /* committed, ever */
	uint64_t bytes;                               /* of these */
	uint64_t evicted;                             /* chunks, ever */
	uint64_t refused; /* code_reserve() found no room at the moment */
};

/* A cache line of the host: to store to one that was just run from empties an Intel processor's
 * pipeline (its Optimization Reference Manual, "Self-Modifying Code"), and where code ends an exit
 * was just taken. */
enum { CODE_ALIGN = 64 };

/* size: bytes in all, cut down to whole chunks.  fill: a byte that traps when run; emptied chunks
 * are full of it.  NULL: the host refuses executable memory, err says why as far as can be known.
 */
struct code_cache *code_cache_new(uint64_t size, uint8_t fill, const struct code_cache_ops *ops,
				  void *opaque, struct err *err);
/* Context: nobody runs in it or writes to it. */
void code_cache_free(struct code_cache *c);
void code_cache_stats(struct code_cache *c, struct code_stats *out);

void code_writer_init(struct code_writer *w, struct code_cache *c, bool is_fixed);
/* Leaves what was written; the rest of its chunk is given up. */
void code_writer_fini(struct code_writer *w);
/* Room bytes at *write that will run at *run, both aligned to CODE_ALIGN.  False: nothing is free
 * at the moment; leave what keeps chunks from being freed, then code_cache_wait().  room is at most
 * code_max_room().  Context: owners that evict may be told of stay allocated until this returns,
 * even when code_drop() was called for them meanwhile. */
bool code_reserve(struct code_writer *w, size_t room, uint8_t **write, uint64_t *run);
/* Memory beside the room's code, aligned to 8 bytes, that lives as long as whoever may be running
 * there.  Context: between code_reserve() and code_commit(). */
void *code_side(struct code_writer *w, size_t size);
/* The last of it ends here, aligned likewise. */
void code_side_cut(struct code_writer *w, void *end);
/* The first size bytes of the room are owner's code, which may be evicted from now on; size 0: the
 * room was not used. */
void code_commit(struct code_writer *w, size_t size, void *owner);
size_t code_max_room(const struct code_cache *c);
/* Until a chunk is free, at most timeout_ms.  Context: may block, no lock held. */
bool code_cache_wait(struct code_cache *c, unsigned timeout_ms);
void code_chunk_free(struct code_cache *c, unsigned chunk);
/* Empty the oldest chunk now.  False: there is none.  Context: as code_reserve(). */
bool code_cache_evict(struct code_cache *c);

/* Nothing leads to the code at run any more; its owner is not told of eviction (but see
 * code_reserve()).  Who is running there still finds the owner.  Context: any thread. */
void code_drop(struct code_cache *c, uint64_t run);
/* Whose code lies at run, or NULL: for who runs there, or otherwise keeps that owner allocated.
 * Context: any thread, signal handlers too. */
void *code_find(struct code_cache *c, uint64_t run);
/* Where what runs at run is written, for patching. */
uint8_t *code_writable(struct code_cache *c, uint64_t run);
/* Code at [run, run + size) was written: hosts whose instruction caches do not see that are told.
 */
void code_written(uint64_t run, size_t size);
