/* jit/env.h - what executors know of a vCPU's state: the head of every arch's state struct.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/* A soft-TLB entry is a tag, a guest page, and where that lies in host memory.  A hit of an access
 * of n bytes at addr is addr - tag <= 4096 - n, which checks page, permission (each kind of access
 * has its own table) and page crossing at once; the difference is the offset in the page at host.
 * An empty entry has the tag of a page whose place is elsewhere (tlb_is_empty()).  Other threads
 * may empty an entry at any time, by tlb_emptied() alone, so that who missed can tell from the
 * difference what the address was; they never change its host.
 *
 * A page has two places in a table: one by its number, where it is looked for first and filled in,
 * and a spare one, where it goes when another page takes the first. */
enum { TLB_READ, TLB_WRITE, TLB_EXEC, TLB_KINDS };
enum {
	TLB_VIEWS = 4,
	TLB_BITS = 10,
	TLB_SIZE = 1 << TLB_BITS,
	TLB_SPARE_BITS = 8,
	TLB_SPARES = 1 << TLB_SPARE_BITS,
	TLB_ENTRIES = TLB_SIZE + TLB_SPARES, /* the spare places come behind the first ones */
};

/* Apart, as an instruction can scale by 8 at most. */
struct tlb_table {
	uint64_t tag[TLB_ENTRIES];
	uint64_t host[TLB_ENTRIES];
};

/* One view's tables.  A block may be entered in different views, and change them (ir_helper).  What
 * host code knows of their place beside their alignment is its own matter. */
enum { TLB_VIEW_ALIGN = 65536 };
struct tlb_view {
	struct tlb_table e[TLB_KINDS];
} __attribute__((aligned(TLB_VIEW_ALIGN)));

static inline unsigned tlb_index(gva_t addr) { return (addr >> 12) & (TLB_SIZE - 1); }

/* Pages that share their first place differ in the bits above: they have different spare ones. */
static inline unsigned tlb_spare(gva_t addr)
{
	return TLB_SIZE + ((addr >> 12 ^ addr >> (12 + TLB_BITS)) & (TLB_SPARES - 1));
}

static inline uint64_t tlb_empty_tag(unsigned i) { return (uint64_t)(~i & (TLB_SIZE - 1)) << 12; }

static inline bool tlb_is_empty(uint64_t tag, unsigned i)
{
	return i < TLB_SIZE ? tlb_index(tag) != i : tlb_spare(tag) != i;
}

/* The tag of an entry that had this one and is empty now; and the other way round. */
enum { TLB_EMPTIED = (TLB_SIZE - 1) << 12 };
static inline uint64_t tlb_emptied(uint64_t tag) { return tag ^ TLB_EMPTIED; }

static inline void tlb_view_init(struct tlb_view *view)
{
	for (unsigned kind = 0; kind < TLB_KINDS; kind++)
		for (unsigned i = 0; i < TLB_ENTRIES; i++)
			view->e[kind].tag[i] = tlb_empty_tag(i);
}

/* Tables of all views, to be freed by free(); NULL: no memory. */
static inline struct tlb_view *tlb_views_new(void)
{
	struct tlb_view *tlb = aligned_alloc(TLB_VIEW_ALIGN, TLB_VIEWS * sizeof(*tlb));

	for (unsigned view = 0; tlb && view < TLB_VIEWS; view++) {
		memset(&tlb[view], 0, sizeof(tlb[view]));
		tlb_view_init(&tlb[view]);
	}
	return tlb;
}

static inline void *tlb_hit(const struct tlb_table *e, unsigned i, gva_t addr, unsigned size)
{
	gva_t offset = addr - __atomic_load_n(&e->tag[i], __ATOMIC_RELAXED);

	if (__builtin_expect(offset <= 4096u - size, 1))
		return (void *)(uintptr_t)(e->host[i] + offset);
	return NULL;
}

/* The same where addr's page is looked for first. */
static inline void *tlb_find_first(const struct tlb_view *view, unsigned kind, gva_t addr,
				   unsigned size)
{
	return tlb_hit(&view->e[kind], tlb_index(addr), addr, size);
}

/* The same in either place of addr's page. */
static inline void *tlb_find(const struct tlb_view *view, unsigned kind, gva_t addr, unsigned size)
{
	void *p = tlb_find_first(view, kind, addr, size);

	return p ? p : tlb_hit(&view->e[kind], tlb_spare(addr), addr, size);
}

struct jit_env;

#define JIT_ASID_ALL (~UINT64_C(0))

/* Slow paths, provided by the accelerator.  Each returns false when the access faulted (env->fault
 * is set, the arch has recorded the exception).  Any size 1..64, any alignment, RAM or device.
 * An access that comes here although its page has an entry gives it its first place: of those that
 * find the spare one by themselves, one now and then does. */
struct jit_mem_ops {
	bool (*load)(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		     void *out);
	bool (*store)(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		      const void *in);
	/* Make accesses like this one to addr's page fast, if they may be; nothing else is done of
	 * it, nor is the page dirty otherwise.  quiet: it is known not to fault but because of
	 * for_write, and that is not said. */
	bool (*fill)(struct jit_env *env, unsigned view, gva_t addr, bool for_write, bool quiet);
	/* A host pointer for an atomic access that lies in one page of plain RAM; NULL with *fault
	 * false: do it under the exclusive lock through load/store. */
	void *(*atomic_ptr)(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			    bool *fault);
	/* Stop-the-world for accesses no host atomic can do (split locks, MMIO). */
	void (*exclusive_begin)(struct jit_env *env);
	void (*exclusive_end)(struct jit_env *env);
	/* The arch changed paging: drop cached translations.  A page: of the running address space,
	 * and global ones.  page = ~0: all of every address space, or with keep_global those of the
	 * running one that are not global. */
	void (*tlb_flush)(struct jit_env *env, gva_t page, bool keep_global);
	/* The same without global ones for an address space, by its number, or JIT_ASID_ALL. */
	void (*tlb_flush_space)(struct jit_env *env, uint64_t asid, gva_t page);
	/* Run in address space asid from now on (0 at first); with keep what is cached of it holds,
	 * else global translations only.  What is cached of others waits for their return.  Changes
	 * env->tlb. */
	void (*tlb_switch)(struct jit_env *env, uint64_t asid, bool keep);
	/* After a store through a pointer from atomic_ptr: code on that page? dirty log. */
	void (*stored)(struct jit_env *env, unsigned view, gva_t addr, unsigned size);
};

/* The bytes of guest code that a block was made from, where stores to them are not told of: whoever
 * enters the block compares them first.  What an instruction reads as its operand when it is run is
 * not among them. */
enum { JIT_ORIGIN_PARTS = 6 };
struct jit_bytes {
	const uint8_t *at;   /* in guest memory, on one page */
	const uint8_t *made; /* as they were */
	uint32_t len;
};
struct jit_origin {
	uint32_t count;
	struct jit_bytes part[JIT_ORIGIN_PARTS];
};

enum { JIT_TMP_COUNT = 512 };

/* The accelerator stops before the instruction, for a debugger. */
enum { JIT_FAULT_DEBUG = 2 };

/* What translated code touches most lies at the end, next to the general registers that follow in
 * the arch's struct: one byte of displacement reaches it from there. */
struct jit_env {
	uint64_t tmp[JIT_TMP_COUNT]; /* values of the running block */
	const struct jit_mem_ops *mem;
	struct tlb_view *tlb; /* TLB_VIEWS of them */
	void *accel;          /* the accelerator's per-vCPU data */
	void *native;         /* the running host-code back end's, or NULL */
	/* vcpu thread: where a string instruction must stop when it stores there: of the running
	 * block, or NULL; of one that ran before, where no such instruction is in the block */
	const struct jit_origin *origin;
	uint64_t mode;    /* vcpu thread: arch's mode word, key of translations */
	uint32_t view;    /* vcpu thread: TLB view of the running mode */
	bool code_stored; /* vcpu thread: a store hit the running block: leave after this insn */
	bool has_watches; /* const while it runs: loads that miss the soft TLB may be watched */
	/* host code only: the instruction that is to run alone has loaded something in C: a device
	 * that was asked for it must not be asked again */
	bool has_loaded;
	uint64_t last_load; /* host code only: where the last load made in C returns to */
	gva_t bounce_addr;  /* host code only: where bounce is to be stored */
	uint8_t bounce[64] __attribute__((aligned(64))); /* operand of an access made in C */

	uint64_t pc;   /* vcpu thread: guest pc (x86: RIP) at block boundaries */
	uint64_t page; /* host code only: address of the page where the running block begins */
	/* The executor's own, meaningful only while it runs.  flags_kind != 0: the six flags are
	 * those of an operation still to be evaluated, not what the flags slot says. */
	uint32_t flags_kind;
	uint32_t flags_c; /* behind flags_kind: both are one store */
	uint64_t flags_a, flags_b;
	uint32_t fault; /* vcpu thread: a helper or access faulted; cleared by the loop; a
			 * JIT_FAULT_ is no exception of the guest's */
	bool has_vectors, has_x87; /* host code only: the guest's are in the host's registers */
	/* vcpu thread: mode or mappings of code are not those of before: what calls left on the
	 * host's stack leads nowhere */
	bool drop_frames;
	uint8_t spare_hits; /* host code only: now and then a page found in its spare place moves */
	uint64_t tlb_view;  /* host code only: the running view's tables, with a bias */
	uint64_t probe;     /* host code only: table of indirect targets */
	uint64_t name;      /* host code only: of what that is for (x64_key()) */
	/* Host code compares its stack pointer with floor, below which is no room for calls.  The
	 * host's addresses have fewer than 48 bits, so it is below as well while anything is asked
	 * for. */
	union {
		uint64_t floor;
		struct {
			uint16_t floor_low[3]; /* host code only */
			/* atomic: non-zero: leave at the next block end */
			_Atomic uint16_t exit_request;
		};
	};
	uint64_t host_sp; /* host code only: stack pointer to leave with */
	uint32_t why;     /* host code only: enum x64_why, when it is left */
	int32_t key_wait; /* host code only: passages until an exit asks for a key */
};

/* size bytes at host were stored to, in C. */
static inline void jit_origin_stored(struct jit_env *env, const uint8_t *host, unsigned size)
{
	const struct jit_origin *o = env->origin;
	uintptr_t first = (uintptr_t)host;

	for (unsigned n = 0; __builtin_expect(o != NULL, 0) && n < o->count; n++)
		if (first < (uintptr_t)o->part[n].at + o->part[n].len &&
		    first + size > (uintptr_t)o->part[n].at)
			env->code_stored = true;
}
