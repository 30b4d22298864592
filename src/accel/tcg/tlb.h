/* accel/tcg/tlb.h - what a vCPU remembers of its guest's page tables.
 *
 * First level: the fast tables of jit/env.h, a set of them for each address space that ran lately.
 * A switch between address spaces exchanges the set.  Second level: one larger table for all
 * address spaces, asked on a miss before the guest's tables are walked; it holds mappings of any
 * size, and what is slow to access too.  Neither level contains the other.
 *
 * An address space is dropped from the second level by drawing a new generation for it, from the
 * first by walking the bits that tell which entries were filled.  Global mappings have a generation
 * and bits of their own: they are found in every address space, and outlive its flush.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "jit/env.h"

struct ram_block;
struct tcg_vcpu;

enum {
	TLB_SPACES =
		12, /* as many as Linux numbers: 6 processes, with page-table isolation twice */
	TLB2_BITS = 10,
	TLB2_SIZE = 1 << TLB2_BITS,
	TLB2_WAYS = 4,
	TLB_FILTER_BITS = 13, /* for thousands of mappings: those of a kernel */
	TLB_FILTER_WORDS = (1 << TLB_FILTER_BITS) / 64,
};

/* Addresses of mappings by size: may say yes too often, never no wrongly. */
struct tlb_filter {
	uint64_t shifts; /* a bit for each size seen, 1 << shift bytes */
	uint64_t bits[TLB_FILTER_WORDS];
};

/* A bit for each entry of a set of fast tables. */
struct tlb_bits {
	uint64_t word[TLB_VIEWS][TLB_KINDS][TLB_ENTRIES / 64];
};

struct tlb_space {
	struct tlb_view *tlb;   /* atomic: others empty write entries of it; never freed before */
	_Atomic uint32_t views; /* a bit for each view that was filled; others read it */
	bool is_known;          /* asid is one; else the slot holds global entries at most */
	uint64_t asid;
	uint64_t last_use;
	uint64_t generation;      /* of its mappings in the second level */
	uint64_t exec_generation; /* what was found through its mappings of code holds so long */
	uint32_t exec_views;      /* a bit for each view with own mappings of code */
	struct tlb_bits own, global;
	struct tlb_filter large; /* own mappings above 4 KiB */
	struct tlb_filter exec;  /* own mappings of code */
};

/* What a mapping is, beside where it is mapped. */
struct tlb_mapping {
	gpa_t gpa;
	uint64_t host;         /* all of it is one piece of RAM or ROM: there; else 0 */
	struct ram_block *ram; /* of host */
	uint8_t shift;         /* 1 << shift bytes */
	bool is_global, is_rom;
};

/* Tags of one set of the second level fill a cache line.  name: generation << 6 | shift; 0: empty.
 * tag: address | a bit for each view and kind that may access. */
struct tlb2_set {
	uint64_t tag[TLB2_WAYS], name[TLB2_WAYS];
} __attribute__((aligned(64)));

struct tcg_tlb {
	struct tlb_space *space; /* the running one */
	uint64_t last_generation, last_use;
	uint64_t global_generation;
	struct tlb_filter global, large, exec; /* global mappings: all, above 4 KiB, of code */
	/* vcpu thread sets: a write entry went since the running block began, which may still store
	 * by it: accesses near each other go by one look at the table */
	_Atomic bool has_lost;
	_Atomic uint32_t protects; /* odd: somebody looks for write entries, which must not move */
	/* A bit for each page, which many share, that blocks went from since the running one began:
	 * it may be one of these, and nobody else tells what it stores to itself.  Who drops one
	 * sets the bit when no way leads there any more, and before the page may be plain. */
	_Atomic uint64_t lost_code;
	unsigned next_way;
	uint32_t last_set, last_way; /* in the second level: may be another mapping's by now */
	struct tlb2_set *sets;
	struct tlb_mapping (*mappings)[TLB2_WAYS];
	struct tlb_space spaces[TLB_SPACES];
};

/* Names what is found by address in the running address space and kept elsewhere.  While it stays,
 * tcg_targets_flush() tells what of that went. */
static inline uint64_t tlb_exec_generation(const struct tcg_tlb *t)
{
	return t->space->exec_generation;
}

void tcg_tlb_init(struct tcg_vcpu *tv);
void tcg_tlb_fini(struct tcg_vcpu *tv);

/* Empty the write entries of a page of host memory.  True: there were some, or may have been for
 * the running block: a store to the page may be under way.  Context: any thread that keeps tv from
 * going and others from here; after the page got its flag and a full fence. */
bool tlb_protect(struct tcg_vcpu *tv, const uint8_t *host_page);

/* Of a page of host memory in tcg_tlb.lost_code. */
static inline uint64_t tlb_code_bit(const uint8_t *host)
{
	uint64_t page = (uintptr_t)host >> 12;

	return BIT((page ^ page >> 6) % 64);
}

/* ---- Context of all below: vcpu thread ---- */

/* A write entry is about to go. */
static inline void tlb_note_lost(struct tcg_tlb *t)
{
	atomic_store_explicit(&t->has_lost, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

/* What comes has not looked into the tables yet, nor for its block. */
static inline void tlb_block_begins(struct tcg_tlb *t)
{
	if (atomic_load_explicit(&t->has_lost, memory_order_relaxed))
		atomic_store_explicit(&t->has_lost, false, memory_order_release);
	if (atomic_load_explicit(&t->lost_code, memory_order_relaxed))
		(void)atomic_exchange(&t->lost_code, 0);
}

/* Did the page lose code that may be running? */
static inline bool tlb_has_lost_code(const struct tcg_tlb *t, const uint8_t *host)
{
	return atomic_load_explicit(&t->lost_code, memory_order_acquire) & tlb_code_bit(host);
}

static inline unsigned tlb_right(unsigned view, unsigned kind) { return view * TLB_KINDS + kind; }

/* The mapping of addr in the running address space if this access is known to be allowed; *m is of
 * all of it. */
bool tlb2_find(struct tcg_tlb *t, gva_t addr, unsigned view, unsigned kind, struct tlb_mapping *m);
/* rights: bits by tlb_right().  They add to those of the same mapping. */
void tlb2_insert(struct tcg_tlb *t, gva_t addr, unsigned rights, const struct tlb_mapping *m);

/* The first place of a page in the running set is about to be filled: what is there goes to its
 * spare place. */
void tlb_make_room(struct tcg_tlb *t, gva_t page, unsigned view, unsigned kind);
/* It is about to be filled with this mapping. */
void tlb_note_fill(struct tcg_tlb *t, gva_t addr, unsigned view, unsigned kind,
		   const struct tlb_mapping *m);

/* jit_mem_ops.tlb_flush, tlb_flush_space, tlb_switch. */
void tlb_flush_all(struct tcg_vcpu *tv);
void tlb_flush_space(struct tcg_vcpu *tv, uint64_t asid);
/* Whatever maps addr: in the running address space, and global ones. */
void tlb_flush_page(struct tcg_vcpu *tv, gva_t addr);
void tlb_flush_space_page(struct tcg_vcpu *tv, uint64_t asid, gva_t addr);
void tlb_switch(struct tcg_vcpu *tv, uint64_t asid, bool keep);
