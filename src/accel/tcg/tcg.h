/* accel/tcg/tcg.h - the translating accelerator's insides.
 *
 * exec.c runs a vCPU: finds blocks, runs them, delivers what happened.  cache.c keeps the blocks
 * that all vCPUs share.  softmmu.c fills the soft TLB and does what misses it.  exclusive.c stops
 * the world. SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "jit/env.h"
#include "jit/interp.h"
#include "cpu/accel.h"
#include "cpu/guest.h"
#include "cpu/vcpu.h"

struct ir_builder;
struct tcg_block;
struct tcg_page;

enum {
	TCG_MAX_INSNS = 64,       /* guest instructions in a block */
	TCG_SLICE_INSNS = 400000, /* between visits to the loop: bounds RCU grace periods */
	TCG_HASH_BITS = 15,
};

/* One exit of a block on the list of its target's callers. */
struct tcg_link {
	struct tcg_block *from, *to;    /* cache.lock */
	struct tcg_link *next, **pprev; /* cache.lock */
};

struct tcg_page_ref {
	struct tcg_block *block;
	struct tcg_page_ref *next, **pprev; /* cache.lock */
	struct tcg_page *page;
};

struct tcg_block {
	struct interp_block code; /* first; code.host_pc names the physical place */
	uint64_t key;
	uint32_t guest_len;
	const uint8_t *host_second;      /* where its second page lies in host memory, or NULL */
	struct tcg_block *hash_next;     /* RCU */
	struct tcg_page_ref pages[2];    /* cache.lock */
	struct tcg_link *incoming;       /* cache.lock */
	struct tcg_link *outgoing;       /* one per exit */
	struct tcg_block *older, *newer; /* cache.lock: in order of birth */
	struct rcu_head rcu;
};

/* A page of guest memory with translations. */
struct tcg_page {
	struct ram_block *ram;
	uint64_t offset;
	uint64_t granules;       /* a bit per 64 bytes that hold translated code */
	uint32_t version;        /* counts stores: a translation made meanwhile is not taken */
	uint32_t pins;           /* translations being made */
	_Atomic bool is_settled; /* no store that its flag would tell of is under way unseen */
	struct tcg_page_ref *blocks;
	struct tcg_page *next; /* in its hash chain */
};

struct tcg_cache {
	struct lock lock;
	struct tcg_block **buckets;        /* RCU chains */
	struct tcg_page *pages[1024];      /* lock */
	struct tcg_block *oldest, *newest; /* lock */
	uint64_t size, limit;              /* lock */
	uint64_t made, dropped;            /* lock: statistics */
	uint64_t cleared_size;             /* lock: statistics; what tcg_cache_clear() found */
};

struct tcg_exclusive {
	struct lock lock;
	pthread_cond_t cond;
	unsigned running; /* lock: vCPUs inside guest code */
	bool is_active;   /* lock: one wants to be, or is, alone */
};

struct tcg_accel {
	struct accel accel;
	/* properties */
	int thread_mode;
	uint64_t tb_size;
	bool stats;

	struct tcg_cache cache;
	struct tcg_exclusive exclusive;
	struct lock vcpus_lock;
	struct tcg_vcpu *vcpus; /* vcpus_lock */
	struct memory_listener listener;
	struct address_space *listened;
	_Atomic uint64_t insns; /* of vCPUs that are gone */
};

/* What the last walks found, beside the fast tables: also pages that must always take the slow
 * path. */
struct tcg_phys {
	gva_t page; /* | 1: valid, 2: global */
	gpa_t gpa;
	uint64_t page_size;
};
enum { TCG_PHYS_VALID = 1, TCG_PHYS_GLOBAL = 2 };

struct tcg_vcpu {
	struct vcpu *v;
	struct jit_env *env;
	const struct guest_ops *guest;
	struct tcg_accel *tcg;
	struct ir_builder *builder;
	struct interp_lowerer *lowerer;
	struct tlb_view *tlb;                         /* read by others in tcg_tlb_protect() */
	struct tcg_phys (*phys)[TLB_KINDS][TLB_SIZE]; /* vcpu thread */
	bool view_used[TLB_VIEWS];                    /* vcpu thread */
	bool is_watched;                              /* vcpu thread: by the access now made */
	bool has_large;                               /* vcpu thread: pages above 4 KiB were seen */
	_Atomic uint64_t insns;
	struct tcg_vcpu *next; /* vcpus_lock */
};

static inline struct tcg_vcpu *tcg_of(struct jit_env *env) { return env->accel; }

/* ---- cache.c ---- */
bool tcg_cache_init(struct tcg_cache *c, uint64_t limit);
void tcg_cache_fini(struct tcg_cache *c);
/* Drop all blocks: the RAM they were made from may go.  No vCPU is running. */
void tcg_cache_clear(struct tcg_cache *c);
static inline unsigned tcg_hash(const uint8_t *host_pc, uint64_t key)
{
	uint64_t h = ((uint64_t)(uintptr_t)host_pc ^ key * UINT64_C(0x9e3779b97f4a7c15)) *
		     UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(h >> (64 - TCG_HASH_BITS));
}
/* The pages that a translation is being made from; second may be NULL.  version is what
 * tcg_cache_insert() compares. */
struct tcg_pin {
	struct tcg_page *page[2];
	uint32_t version[2];
};
void tcg_pin(struct tcg_accel *t, struct tcg_pin *pin, unsigned n, struct ram_block *ram,
	     uint64_t offset);
void tcg_unpin(struct tcg_accel *t, struct tcg_pin *pin);
/* Publish b, made from the pinned pages.  False: they were written meanwhile.  Returns with an
 * equal block in *b when another vCPU was faster. */
bool tcg_cache_insert(struct tcg_accel *t, struct tcg_block **b, const struct tcg_pin *pin);
void tcg_cache_link(struct tcg_accel *t, struct tcg_block *from, unsigned n, struct tcg_block *to,
		    bool is_guarded);
/* Stores hit [offset, offset + len): drop what was translated from it.  Context: any thread. */
void tcg_code_written(void *opaque, struct ram_block *b, uint64_t offset, uint64_t len);
void tcg_block_free(struct tcg_block *b);

/* ---- softmmu.c ---- */
extern const struct jit_mem_ops tcg_mem_ops;
void tcg_tlb_flush_all(struct tcg_vcpu *tv);
/* Take the write entries of a page away from all vCPUs.  True: another vCPU had one. */
bool tcg_tlb_protect(struct tcg_accel *t, const uint8_t *host_page);
/* Where code at addr lies: host pointer, and the RAM it is in.  NULL with env->fault: faulted; NULL
 * without: not in memory.  quiet: no fault is recorded. */
const uint8_t *tcg_code_host(struct tcg_vcpu *tv, gva_t addr, bool quiet, struct ram_block **ram,
			     uint64_t *offset);

/* ---- exclusive.c ---- */
void tcg_exclusive_init(struct tcg_exclusive *x);
void tcg_exclusive_fini(struct tcg_exclusive *x);
void tcg_enter(struct tcg_accel *t); /* this vCPU thread goes into guest code */
void tcg_leave(struct tcg_accel *t);
/* Context: vcpu thread between tcg_enter() and tcg_leave(), no lock held. */
void tcg_exclusive_begin(struct tcg_accel *t);
void tcg_exclusive_end(struct tcg_accel *t);

/* ---- exec.c ---- */
void tcg_vcpu_run(struct vcpu *v);
