/* accel/tcg/tcg.h - the translating accelerator's insides.
 *
 * exec.c runs a vCPU: finds blocks, runs them, delivers what happened.  translate.c makes a block.
 * cache.c keeps the blocks that all vCPUs share; restless.c and origin.c: of code that is written
 * all the time.  native.c has them as host code (native_none.c:
 * where there is no back end), targets.c remembers where indirect jumps lead.  softmmu.c fills the
 * soft TLB and does what misses it.  exclusive.c stops the world, turn.c lets vCPUs run one at a
 * time.  debug.c stops vCPUs for a debugger.  check.c compares the executors, chaos.c disturbs,
 * stats.c counts, disas.c shows host code.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "base/lock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "jit/env.h"
#include "jit/interp.h"
#include "jit/x64/x64.h"
#include "cpu/accel.h"
#include "cpu/debug.h"
#include "cpu/guest.h"
#include "cpu/vcpu.h"
#include "accel/tcg/tlb.h"

struct ir_builder;
struct tcg_block;
struct tcg_checker;
struct tcg_native;
struct tcg_origin;
struct tcg_page;
struct tcg_twin;

enum {
	TCG_MAX_INSNS = 64,       /* guest instructions in a block */
	TCG_SLICE_INSNS = 400000, /* the interpreter's, between visits to the loop */
	TCG_SOME_MAX = 1 << 24,   /* on behalf of another accelerator, at a time */
	TCG_SLICE_MS = 10,        /* thread=single: a turn while others wait */
	TCG_HASH_BITS = 18,
	TCG_VERSIONS = 4, /* blocks made from one place's changing bytes */
	TCG_LATE = 16,    /* fewer are still in the host's cache of instructions */
	TCG_HOLES = JIT_ORIGIN_PARTS - 2,
	TCG_WARM = 64,
	TCG_RESTLESS = 64, /* pages */
};
/* In the key of a block whose accesses are checked one by one: exits of others that are to_single
 * lead there, nobody else.  No mode has this bit. */
#define TCG_KEY_SINGLE BIT(31)
/* In that of position-free code where guest_is_edge(). */
#define TCG_KEY_EDGE   BIT(32)

enum { TCG_THREAD_MULTI, TCG_THREAD_SINGLE };

/* How sure we want to be of host code. */
enum tcg_check { TCG_CHECK_OFF, TCG_CHECK_ON };

/* One exit of a block on the list of its target's callers. */
struct tcg_link {
	struct tcg_block *from, *to;    /* cache.lock */
	struct tcg_link *next, **pprev; /* cache.lock */
	const uint8_t *only; /* cache.lock: it has or had a key: the one host_pc it may lead to */
};

struct tcg_page_ref {
	struct tcg_block *block;
	struct tcg_page_ref *next, **pprev; /* cache.lock */
	struct tcg_page *page;
};

enum tcg_block_state {
	TCG_BLOCK_NEW,  /* known to its maker and, as host code, to the code cache */
	TCG_BLOCK_LIVE, /* in the cache */
	TCG_BLOCK_DEAD, /* dropped: nobody enters it any more */
};

struct tcg_block {
	union {
		struct x64_code host;     /* first: how the code cache and the back end know it */
		struct interp_block code; /* the interpreter's */
	};
	bool is_native; /* const: it is host code */
	_Atomic uint8_t state;
	uint32_t guest_len;
	struct tcg_origin *origin; /* const: compared at each entry; NULL: stores are told of */
	struct tcg_twin *twin;     /* const: check=on: for the interpreter */
	/* what lookups read */
	uint64_t key;
	const uint8_t *host_pc;       /* where it lies in host memory: its physical place */
	const uint8_t *host_second;   /* where its second page lies there, or NULL */
	struct tcg_block *hash_next;  /* RCU */
	_Atomic uint64_t target_pc;   /* where tables of targets name it: targets.c */
	struct tcg_page_ref pages[2]; /* cache.lock */
	struct tcg_link *incoming;    /* cache.lock */
	struct tcg_link *outgoing;    /* one per exit */
	union {
		struct {
			struct tcg_block *older, *newer; /* cache.lock: of its tier, by birth */
		};
		struct rcu_head rcu; /* of the interpreter's that was dropped */
	};
};

/* A page of guest memory with translations. */
struct tcg_page {
	struct ram_block *ram;
	uint64_t offset;
	uint64_t granules;       /* a bit per 64 bytes that hold translated code */
	bool has_lost;           /* blocks since granules were counted: some may be too many */
	uint32_t version;        /* counts stores: a translation made meanwhile is not taken */
	bool is_kept;            /* lock: also without blocks, at the moment */
	_Atomic bool is_gone;    /* from the cache: nothing that is made from it is taken */
	bool is_restless;        /* const: nobody tells of stores; its blocks have an origin */
	_Atomic bool is_settled; /* no store that its flag would tell of is under way unseen */
	struct tcg_page_ref *blocks;
	uint8_t *copy;         /* is_helper: what blocks were made from */
	struct tcg_page *next; /* in its hash chain */
	struct rcu_head rcu;
};

struct tcg_cache {
	struct lock lock;
	struct tcg_block **buckets;   /* RCU chains */
	struct tcg_page *pages[1024]; /* lock */
	/* lock; by is_native: host code goes when the code cache says so */
	struct tcg_block *oldest[2], *newest[2];
	/* lock: links that are made, but the exit's code does not know yet, and asks */
	struct tcg_link *late[TCG_LATE];
	unsigned late_next;     /* lock: the oldest */
	uint64_t size, limit;   /* lock: bytes of the interpreter's */
	uint64_t made, dropped; /* lock: statistics */
	uint64_t linked;        /* lock: statistics */
	uint64_t cleared_size;  /* lock: statistics; what tcg_cache_clear() found */
};

/* Immediates of a block that are read when it runs. */
struct tcg_hole {
	uint32_t at, len; /* bytes of the block */
};

/* What a block was made from. */
struct tcg_origin {
	struct jit_origin parts; /* what is compared: all but the holes */
	uint64_t birth;          /* cache.lock: blocks are linked to younger versions only */
	struct rcu_head rcu;     /* of host code's */
	unsigned hole_count;
	struct tcg_hole holes[TCG_HOLES];
	uint8_t bytes[]; /* guest_len of them */
};

/* What stores to a page with code have cost lately. */
struct tcg_warm {
	const struct ram_block *ram;
	uint64_t offset;
	uint32_t cost;
	int64_t since_ns;
};

struct tcg_restless_page {
	struct ram_block *ram;
	uint64_t offset;
	uint8_t *was; /* its bytes when a vCPU last looked */
	bool has_rested;
};

struct tcg_restless {
	_Atomic int64_t look_ns; /* when a vCPU is to look; INT64_MAX: never */
	/* all others: cache.lock */
	struct tcg_warm warm[TCG_WARM];
	struct {
		struct ram_block *ram; /* NULL: none */
		uint64_t offset;
	} wanted; /* to be one of pages */
	struct tcg_restless_page pages[TCG_RESTLESS];
	unsigned count;
	uint64_t ever, rested; /* statistics */
};

struct tcg_exclusive {
	struct lock lock;
	pthread_cond_t cond;
	unsigned running; /* lock: vCPUs inside guest code */
	bool is_active;   /* lock: one wants to be, or is, alone */
};

/* thread=single: who runs. */
struct tcg_turn {
	struct lock lock;
	pthread_cond_t cond;
	uint64_t next, now;  /* lock: tickets: the next to be drawn, whose turn it is */
	int64_t ends_ns;     /* lock: when the holder is asked to let go */
	struct vcpu *holder; /* lock */
};

/* What one vCPU did; its own thread counts. */
struct tcg_counts {
	uint64_t blocks[2], insns[2], bytes[2];      /* translated, by is_native; bytes made */
	uint64_t translate_ns;                       /* with stats=on */
	uint64_t loads, stores, atomics, exclusives; /* slow accesses, with stats=on */
	uint64_t singles;                            /* of blocks: TCG_KEY_SINGLE */
	uint64_t compared, holes;                    /* of blocks: with an origin; and with holes */
	uint64_t stale;                              /* of these, entered: asked for another */
	uint64_t asks, linkable, target_misses;      /* calls of next(), by reason */
	uint64_t keyed;                              /* the same: exits to other pages */
	uint64_t delivered;                          /* faults, by next() */
	uint64_t asked, faults, loops, restarts;     /* visits to the loop, by reason */
	uint64_t stepped, uncached, no_room;
	uint64_t cpu_ns; /* of the thread */
};

/* What chaos=SEED does to a vCPU, by kind: how many visits are left until then, how often so far.
 */
enum {
	TCG_CHAOS_FLUSH,
	TCG_CHAOS_LEAVE,
	TCG_CHAOS_FRAMES,
	TCG_CHAOS_DROP,
	TCG_CHAOS_NAME,
	TCG_CHAOS_EVICT,
	TCG_CHAOS_KINDS
};
struct tcg_chaos {
	uint64_t random; /* state of a generator; 0: off */
	uint32_t left[TCG_CHAOS_KINDS];
	uint64_t count[TCG_CHAOS_KINDS];
};

/* Points of a debugger (debug.c).  All changes while every vCPU is parked. */
struct tcg_debug {
	struct debug_point *breaks, *watches;
	unsigned break_count, watch_count;
	/* A bit for each place in a page: translations look before the instruction there. */
	uint64_t marks[RAM_PAGE_SIZE / 64];
	bool has_marks;
};

/* What a device said when it was asked last. */
struct tcg_asked {
	gpa_t gpa;
	unsigned size;
	bool is_answer; /* to the next load there: it is made again */
	uint8_t bytes[64];
};

/* Where code was translated from last. */
struct tcg_code_page {
	const uint8_t *host;
	struct ram_block *ram;
	uint64_t offset;
	struct tcg_page *page; /* RCU: this page; NULL: ask tcg_source_page() */
};

struct tcg_accel {
	struct accel accel;
	/* const after the first vCPU: memory is also written by guest code that runs elsewhere, of
	 * which nothing is heard: pages are compared with what they were translated from */
	bool is_helper;
	/* properties */
	int thread_mode;
	uint64_t tier, tb_size, chaos_seed;
	bool stats, perf, check_on;

	enum tcg_check check;
	struct tcg_native *native; /* const after the first vCPU: NULL: the interpreter alone */
	struct tcg_cache cache;
	struct tcg_restless restless;
	struct tcg_exclusive exclusive;
	struct tcg_debug debug;
	struct tcg_turn turn;
	struct rcu_pusher pusher;
	bool has_pusher;
	struct jit_mem_ops mem_ops; /* const after start: softmmu's, counted when stats=on */
	FILE *perf_map;             /* const after start */
	struct tcg_counts counts;   /* vcpus_lock: of vCPUs that are gone */
	struct lock vcpus_lock;
	struct tcg_vcpu *vcpus; /* vcpus_lock */
	struct memory_listener listener;
	struct address_space *listened;
	_Atomic uint64_t insns; /* of vCPUs that are gone */
};

struct tcg_vcpu {
	struct vcpu *v;
	struct jit_env *env;
	const struct guest_ops *guest;
	struct tcg_accel *tcg;
	struct ir_builder *builder;
	struct interp_lowerer *lowerer;
	struct tlb_view *tlb;           /* vcpu thread: tables of the running address space */
	struct tcg_tlb *sets;           /* vcpu thread; others empty entries in tlb_protect() */
	bool is_watched;                /* vcpu thread: by the access now made */
	struct tcg_asked asked;         /* vcpu thread */
	struct tcg_code_page code_page; /* vcpu thread; goes with tlb_flush_all() */
	struct tcg_checker *check;      /* vcpu thread: NULL: check=off */
	struct tcg_chaos chaos;         /* vcpu thread */
	struct x64_compiler *compiler;  /* NULL: the interpreter's blocks only */
	struct tcg_targets *targets;    /* vcpu thread; others take entries away */
	uint8_t *code_copy;             /* vcpu thread: two pages; NULL: not needed so far */
	bool wants_single; /* vcpu thread: the next block is to be a TCG_KEY_SINGLE one */
	bool needs_room;   /* vcpu thread: wait for the code cache outside */
	bool has_hit;      /* vcpu thread: hit is a watchpoint of the last instruction's */
	bool is_stepped;   /* vcpu thread; set while parked: one instruction, then stop */
	unsigned step_how; /* of that */
	struct debug_stop hit;
	struct tcg_counts counts;
	uint32_t key_random;    /* vcpu thread: of the interval to the next key */
	_Atomic uint64_t insns; /* run by the interpreter */
	struct tcg_vcpu *next;  /* vcpus_lock */
};

static inline struct tcg_vcpu *tcg_of(struct jit_env *env) { return env->accel; }
/* vcpu.accel_data is another accelerator's where this one helps out. */
static inline struct tcg_vcpu *tcg_of_vcpu(struct vcpu *v)
{
	return tcg_of(v->arch->guest->env(v));
}

/* ---- tcg.c ---- */
/* All there are now, for who takes their locks, which rank below vcpus_lock.  They go only with the
 * machine, after its memory map. */
GPtrArray *tcg_vcpus(struct tcg_accel *t);

/* ---- cache.c ---- */
bool tcg_cache_init(struct tcg_cache *c, uint64_t limit);
void tcg_cache_fini(struct tcg_accel *t);
/* Drop all blocks: the RAM they were made from may go.  No vCPU is running. */
void tcg_cache_clear(struct tcg_accel *t);
/* A page's blocks are near each other: code that is run for the first time asks for one after the
 * other. */
static inline unsigned tcg_hash(const uint8_t *host_pc, uint64_t key)
{
	uint64_t at = (uintptr_t)host_pc;
	uint64_t h = (at / RAM_PAGE_SIZE ^ key * UINT64_C(0x9e3779b97f4a7c15)) *
		     UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)((h >> (64 - TCG_HASH_BITS)) + at % RAM_PAGE_SIZE / 8) %
	       (1u << TCG_HASH_BITS);
}
/* The pages that a translation is made from; the second may be NULL.  version is what
 * tcg_cache_insert() compares.  Context: an RCU reader. */
struct tcg_source {
	struct tcg_page *page[2];
	uint32_t version[2];
};
/* Page n of s is this one.  Before its bytes are read. */
void tcg_source_page(struct tcg_accel *t, struct tcg_source *s, unsigned n, struct ram_block *ram,
		     uint64_t offset);
/* The first of s is p, as it was of another.  False: p is no more. */
static inline bool tcg_source_again(struct tcg_source *s, struct tcg_page *p)
{
	s->page[0] = p;
	s->version[0] = __atomic_load_n(&p->version, __ATOMIC_ACQUIRE);
	return !atomic_load(&p->is_gone);
}
/* Nothing is made from it. */
void tcg_source_end(struct tcg_accel *t, struct tcg_source *s);
/* Exit n of `from` asks for a block. */
struct tcg_asker {
	struct tcg_block *from; /* NULL: nobody that could be linked */
	unsigned n;
	bool is_linked; /* set when it is linked already */
};
/* Publish b, made from s, and link it to whom it was made for, if that is a plain link; asker may
 * be NULL.  False: s was written, or b evicted, meanwhile, and b is gone.  Returns with an equal
 * block in *b when another vCPU was faster. */
bool tcg_cache_insert(struct tcg_accel *t, struct tcg_block **b, struct tcg_source *s,
		      struct tcg_asker *asker);
/* Does exit n of `from` lead to `to` wherever their page is mapped? */
bool tcg_is_same_page(const struct tcg_block *from, unsigned n, const struct tcg_block *to);
void tcg_cache_link(struct tcg_accel *t, struct tcg_block *from, unsigned n, struct tcg_block *to,
		    bool is_guarded);
/* Exit n of `from`, host code, which leads to another page, has this key and leads to `to`, if it
 * may: else it has none. */
void tcg_cache_key(struct tcg_accel *t, struct tcg_block *from, unsigned n, struct tcg_block *to,
		   uint64_t key);
/* No exit has a key. */
void tcg_cache_forget_keys(struct tcg_accel *t);
/* Exit n of `from`, host code, looks for its target in the tables of targets, if it can. */
void tcg_cache_link_probe(struct tcg_accel *t, struct tcg_block *from, unsigned n);
/* Stores hit [offset, offset + len): drop what was translated from it.  Context: any thread. */
void tcg_code_written(void *opaque, struct ram_block *b, uint64_t offset, uint64_t len);
/* The code cache takes b's memory away.  Context: a vCPU thread, no lock held. */
void tcg_cache_evict(struct tcg_accel *t, struct tcg_block *b);
/* Might a store to these bytes of a page hit a translation?  Cheap when the page has none. */
bool tcg_cache_hit(struct tcg_accel *t, struct ram_block *ram, uint64_t offset, unsigned len);
/* is_helper: a page is about to be run from: drop its blocks if it is not what they were made of.
 */
void tcg_cache_compare(struct tcg_accel *t, struct ram_block *ram, uint64_t offset);
/* Drop all blocks that have a byte at one of these places in a page (a bit for each).  No vCPU is
 * running. */
void tcg_cache_drop_places(struct tcg_accel *t, const uint64_t *places);
/* b was not published. */
void tcg_block_discard(struct tcg_accel *t, struct tcg_block *b);

/* Drop all blocks of a page; one that is being made is not taken.  Needs cache.lock. */
void tcg_cache_drop_page(struct tcg_accel *t, const struct ram_block *ram, uint64_t offset);

/* ---- restless.c: pages whose stores are not told of ---- */
void tcg_restless_init(struct tcg_restless *r);
void tcg_restless_clear(struct tcg_restless *r);
/* Needs cache.lock, as does the next. */
bool tcg_is_restless(const struct tcg_restless *r, const struct ram_block *ram, uint64_t offset);
/* Somebody stored to a page with code; drops: to what blocks were made from.  Context: any thread.
 */
void tcg_restless_stored(struct tcg_accel *t, struct ram_block *ram, uint64_t offset, bool drops);
static inline bool tcg_restless_is_due(struct tcg_accel *t)
{
	return atomic_load_explicit(&t->restless.look_ns, memory_order_relaxed) != INT64_MAX;
}
/* Pages become restless, or ordinary again.  Context: a vCPU thread between blocks. */
void tcg_restless_look(struct tcg_accel *t);

/* ---- origin.c: blocks made from those; all in an RCU reader ---- */
/* Of b, whose place and guest_len are known; code: the pages it was made from, as they were read.
 */
struct tcg_origin *tcg_origin_new(const struct tcg_block *b, const uint8_t *const code[2],
				  const struct tcg_hole *holes, unsigned count);
/* Is what is compared as it was? */
/* When nobody can be inside its block any more.  NULL: there is none. */
void tcg_origin_retire(struct tcg_origin *o);
bool tcg_origin_holds(const struct jit_origin *o);
/* Would a, which is of the same place and key, do for all that b was made from? */
bool tcg_origin_covers(const struct tcg_block *a, const struct tcg_block *b);
/* From b on in its hash chain, one of the same place and key as `of` that has an origin. */
struct tcg_block *tcg_next_version(const struct tcg_block *of, struct tcg_block *b);
/* Who is to be entered for b. */
struct tcg_block *tcg_first_version(struct tcg_accel *t, struct tcg_block *b);
/* The stale exit n of `from` leads to `to` from now on, if that may be. */
bool tcg_link_version(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n,
		      struct tcg_block *to);
/* Were the len bytes at offset `at` of a block at of's place others in versions from chain on? */
bool tcg_is_changing(const struct tcg_block *of, struct tcg_block *chain, uint32_t at,
		     const uint8_t *now, unsigned len);

/* ---- softmmu.c ---- */
extern const struct jit_mem_ops tcg_mem_ops;
/* Take the write entries of a page away from all vCPUs.  True: another vCPU had one. */
bool tcg_tlb_protect(struct tcg_accel *t, const uint8_t *host_page);
/* Where code at addr lies: host pointer, and the RAM it is in.  NULL with env->fault: faulted; NULL
 * without: not in memory.  quiet: no fault is recorded. */
const uint8_t *tcg_code_host(struct tcg_vcpu *tv, gva_t addr, bool quiet, struct ram_block **ram,
			     uint64_t *offset);
/* Where a byte of code lies in host memory, all of its page or not; NULL: it does not. */
const uint8_t *tcg_code_byte(struct tcg_vcpu *tv, gva_t addr);
/* Would a store of these bytes, in as far as it can be made, hit translated code, or may it hit
 * the running block after that was dropped? */
bool tcg_store_hits_code(struct tcg_vcpu *tv, unsigned view, gva_t addr, unsigned size);

/* ---- debug.c ---- */
extern const struct accel_debug_ops tcg_debug_ops;
void tcg_debug_fini(struct tcg_debug *d);
/* What translations are to call before the instruction at addr; NULL: nothing. */
const struct ir_helper *tcg_debug_before(struct tcg_vcpu *tv, gva_t addr);
/* Is there a breakpoint at the present instruction?  Then the vCPU stops. */
bool tcg_debug_breaks(struct tcg_vcpu *tv);
/* These where env->has_watches: is a byte of addr's page watched; was an access, that has just been
 * made, of watched bytes; will it be? */
bool tcg_debug_watches_page(struct tcg_vcpu *tv, gva_t addr);
void tcg_debug_accessed(struct tcg_vcpu *tv, gva_t addr, unsigned size, enum mmu_access access);
bool tcg_debug_watches(struct tcg_vcpu *tv, gva_t addr, unsigned size, enum mmu_access access);
static inline bool tcg_debug_is_due(const struct tcg_vcpu *tv)
{
	return tv->has_hit || tv->is_stepped || tv->env->fault == JIT_FAULT_DEBUG;
}
/* What is due.  False: the loop is to be left. */
bool tcg_debug_serve(struct tcg_vcpu *tv, struct interp_run *run);

/* ---- exclusive.c ---- */
void tcg_exclusive_init(struct tcg_exclusive *x);
void tcg_exclusive_fini(struct tcg_exclusive *x);
void tcg_enter(struct tcg_accel *t); /* this vCPU thread goes into guest code */
void tcg_leave(struct tcg_accel *t);
/* Context: vcpu thread between tcg_enter() and tcg_leave(), no lock held. */
void tcg_exclusive_begin(struct tcg_accel *t);
void tcg_exclusive_end(struct tcg_accel *t);

/* ---- turn.c: thread=single ---- */
void tcg_turn_init(struct tcg_turn *t);
void tcg_turn_fini(struct tcg_turn *t);
/* Wait until all that asked before had theirs.  Whoever holds it too long is asked to leave. */
void tcg_turn_take(struct tcg_turn *t, struct vcpu *v);
void tcg_turn_drop(struct tcg_turn *t);

/* ---- translate.c ---- */
/* The block for env->pc, linear address pc, which lies at host, newly made; asker as of
 * tcg_cache_insert().  NULL with env->fault: the fetch faulted; NULL with needs_room: the code
 * cache has none. */
struct tcg_block *tcg_translate(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host, uint64_t key,
				struct tcg_asker *asker);
/* Run the instruction at env->pc by the interpreter and forget it: code outside memory, and what
 * host code leaves to us. */
enum interp_why tcg_run_alone(struct tcg_vcpu *tv, struct interp_run *run, bool is_ram);

/* ---- targets.c: where indirect jumps lead ---- */
/* A table is for one mode and distance of linear addresses from pcs in one address space. */
struct tcg_targets *tcg_targets_new(void);
void tcg_targets_free(struct tcg_targets *s);
/* Make env->probe the table of the present mode. */
void tcg_targets_select(struct tcg_vcpu *tv);
/* Where env->pc leads in the present table, or NULL. */
struct tcg_block *tcg_targets_find(const struct tcg_vcpu *tv);
/* The same, selected first. */
struct tcg_block *tcg_targets_next(struct tcg_vcpu *tv);
/* In the present table env->pc leads to b from now on, unless b was dropped. */
void tcg_targets_enter(struct tcg_vcpu *tv, struct tcg_block *b);
/* The name (X64_NAME_BITS) of what is mapped at present, for a key that leads to pc, good until the
 * page goes; 0: there is none. */
uint64_t tcg_targets_name(struct tcg_vcpu *tv, uint64_t pc);
/* The present name is good for nothing. */
void tcg_targets_rename(struct tcg_vcpu *tv);
/* Executable mappings of the running address space go: page is a linear address in the page, ~0:
 * all of them; views has a bit for each view they were made for.  Context: vcpu thread. */
void tcg_targets_flush(struct tcg_vcpu *tv, gva_t page, uint32_t views);
/* b is TCG_BLOCK_DEAD: no table of any vCPU leads there when this returns. */
void tcg_targets_drop(struct tcg_accel *t, struct tcg_block *b);
static inline void tcg_targets_init_block(struct tcg_block *b)
{
	atomic_store_explicit(&b->target_pc, ~UINT64_C(0), memory_order_relaxed);
}

/* ---- native.c: host code ---- */
/* Is there a back end for this host, and memory for its code?  False: err says why not. */
bool tcg_native_start(struct tcg_accel *t, uint64_t size, struct err *err);
void tcg_native_stop(struct tcg_accel *t);
/* The first vCPU tells what guest it is for: false: err, and t->native is NULL. */
bool tcg_native_attach(struct tcg_vcpu *tv, struct err *err);
void tcg_native_detach(struct tcg_vcpu *tv);
/* *b, from ir, is for what wanted says, and has nothing of it yet. */
enum x64_result tcg_native_compile(struct tcg_vcpu *tv, const struct tcg_block *wanted,
				   const struct ir_block *ir, struct tcg_block **b);
void tcg_native_link(struct tcg_accel *t, struct tcg_block *from, unsigned n,
		     const struct tcg_block *to);
void tcg_native_key(struct tcg_accel *t, struct tcg_block *from, unsigned n, uint64_t key);
/* False: the exit can only ask. */
bool tcg_native_link_probe(struct tcg_accel *t, struct tcg_block *from, unsigned n);
/* b's code is not entered any more: the code cache need not tell of it. */
void tcg_native_drop(struct tcg_accel *t, struct tcg_block *b);
enum x64_why tcg_native_run(struct tcg_vcpu *tv, const struct tcg_block *b);
/* Until there is room again.  Context: not in an RCU reader. */
void tcg_native_wait(struct tcg_accel *t);
/* Empty a chunk of the code cache.  Context: as code_reserve(). */
void tcg_native_evict(struct tcg_accel *t);
void tcg_native_show(struct tcg_accel *t, FILE *out);
void tcg_native_log(struct tcg_vcpu *tv, const struct tcg_block *b, gva_t pc);

/* ---- stats.c ---- */
/* The operations that count, for ops. */
void tcg_stats_wrap(struct jit_mem_ops *ops);
extern const struct accel_stat tcg_vcpu_stat_rows[];
void tcg_vcpu_stats(struct vcpu *v, uint64_t *values);
void tcg_stats_add(struct tcg_counts *sum, const struct tcg_counts *c);
void tcg_stats_log(struct tcg_accel *t);
void tcg_show(struct accel *a, FILE *out); /* accel_ops.show */

/* ---- chaos.c: chaos=SEED ---- */
void tcg_chaos_begin(struct tcg_vcpu *tv);
/* The operations that disturb, for ops. */
void tcg_chaos_wrap(struct jit_mem_ops *ops);
/* Host code asks where to go on.  Context: as code_reserve(). */
void tcg_chaos(struct tcg_vcpu *tv);
/* ... and is to go from `from`, or NULL, to `to`.  True: that was dropped just now. */
bool tcg_chaos_drop(struct tcg_vcpu *tv, struct tcg_block *from, struct tcg_block *to);

/* ---- check.c: check=on ---- */
void tcg_check_attach(struct tcg_vcpu *tv);
void tcg_check_detach(struct tcg_vcpu *tv);
/* b was compiled from ir: keep it for the interpreter too, if tv checks. */
void tcg_check_make(struct tcg_vcpu *tv, struct tcg_block *b, const struct ir_block *ir);
/* When nobody can be inside its block any more.  NULL: there is none. */
void tcg_check_retire(struct tcg_twin *twin);
/* Run b, which is host code, by both executors; does not come back where they differ. */
void tcg_check_run(struct tcg_vcpu *tv, const struct tcg_block *b, struct interp_run *run);

/* ---- disas.c: -d out_asm ---- */
/* False: host code cannot be shown as text, err says why. */
bool tcg_disas_load(struct err *err);
/* code will run at address run.  Bytes, where there is no disassembler. */
void tcg_disas(const uint8_t *code, size_t size, uint64_t run, FILE *out);

/* ---- exec.c ---- */
uint64_t tcg_key(const struct tcg_vcpu *tv);
/* Where code at addr lies in host memory, by the fast table or a walk. */
const uint8_t *tcg_code_at(struct tcg_vcpu *tv, gva_t addr, bool quiet);
/* The block for env->pc, which lies at host, found or made.  NULL: as tcg_translate(). */
struct tcg_block *tcg_block_at(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host,
			       struct tcg_asker *asker);
/* Exit n of `from` led to `to`: go there by itself from now on, if that may be.  False: only if it
 * is found in the tables of targets. */
bool tcg_link_blocks(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n, struct tcg_block *to);
/* The same for an exit to another page. */
void tcg_key_exit(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n, struct tcg_block *to);
void tcg_vcpu_run(struct vcpu *v);
uint64_t tcg_vcpu_run_some(struct vcpu *v, uint64_t insns);
