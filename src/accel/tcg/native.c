/* accel/tcg/native.c - blocks as host code: between the block cache, the code cache and the back
 * end for this host.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>

#include <glib.h>

#include "base/log.h"
#include "jit/code_cache.h"
#include "jit/x64/x64.h"
#include "accel/tcg/tcg.h"

enum {
	TRAP = 0xcc,        /* INT3, where no code is */
	ROOM_WAIT_MS = 100, /* then try again: others may hold what could be emptied */
};

struct retired_chunk {
	struct rcu_head rcu;
	struct tcg_native *native;
	struct retired_chunk *next, **pprev; /* native.lock */
	int chunk;                           /* native.lock; -1: who waited for it frees it */
};

struct tcg_native {
	struct code_cache *cache;
	struct x64_jit *jit; /* const after the first vCPU */
	struct lock lock;
	struct retired_chunk *retired; /* lock */
};

/* ---- what the code cache asks for ---- */

static void native_evict(void *opaque, void *owner) { tcg_cache_evict(opaque, owner); }

/* Needs n->lock. */
static int take_chunk(struct retired_chunk *r)
{
	int chunk = r->chunk;

	if (chunk < 0)
		return chunk;
	*r->pprev = r->next;
	if (r->next)
		r->next->pprev = r->pprev;
	r->chunk = -1;
	return chunk;
}

static void free_chunk(struct rcu_head *head)
{
	struct retired_chunk *r = container_of(head, struct retired_chunk, rcu);
	int chunk;

	rcu_reclaim();
	lock_take(&r->native->lock);
	chunk = take_chunk(r);
	lock_drop(&r->native->lock);
	if (chunk >= 0)
		code_chunk_free(r->native->cache, (unsigned)chunk);
	g_free(r);
}

static void native_retire(void *opaque, unsigned chunk)
{
	struct tcg_accel *t = opaque;
	struct tcg_native *n = t->native;
	struct retired_chunk *r = g_new0(struct retired_chunk, 1);

	r->native = n;
	r->chunk = (int)chunk;
	lock_take(&n->lock);
	r->next = n->retired;
	r->pprev = &n->retired;
	if (r->next)
		r->next->pprev = &r->next;
	n->retired = r;
	lock_drop(&n->lock);
	rcu_retire(&r->rcu, free_chunk);
}

static const struct code_cache_ops cache_ops = { .evict = native_evict, .retire = native_retire };

/* ---- what host code asks for ---- */

/* After an instruction that may have changed anything: is it for run_slice() to go on?  Who halts
 * has asked for it. */
static inline bool must_look(struct tcg_vcpu *tv)
{
	struct vcpu *v = tv->v;

	return tv->env->fault || atomic_load(v->exit_request) || atomic_load(&v->inputs);
}

/* Passages without a key until one asks: often enough for code that stays, too seldom to matter for
 * what goes soon.  Not always the same, or of two exits one might never be seen. */
static void wait_for_key(struct tcg_vcpu *tv)
{
	enum { LEAST = 2048 };

	tv->key_random = tv->key_random * 1103515245 + 12345;
	tv->env->key_wait = (int32_t)(tv->chaos.random ? tv->key_random >> 16 & 7
						       : LEAST + (tv->key_random >> 16) % LEAST);
}

static bool is_to_single(const struct x64_code *from, unsigned n)
{
	return from && n < from->exit_count && from->exits[n].to_single;
}

static bool is_stale(const struct x64_code *from, unsigned n)
{
	return from && n < from->exit_count && from->exits[n].is_stale;
}

/* Is the block for exit n to be a TCG_KEY_SINGLE one? */
static bool wants_single(struct x64_code *from, unsigned n)
{
	return is_to_single(from, n) ||
	       (is_stale(from, n) &&
		container_of(from, struct tcg_block, host)->key & TCG_KEY_SINGLE);
}

/* Exit n of `from` led to b: it needs not ask again. */
static void lead_on(struct tcg_vcpu *tv, struct x64_code *from, unsigned n, struct tcg_block *b)
{
	if (!is_stale(from, n))
		b = tcg_first_version(tv->tcg, b);
	if (n == X64_INDIRECT) {
		tv->counts.target_misses++;
	} else if (from && from->exits[n].can_link) {
		tv->counts.stale += is_stale(from, n);
		if (tcg_link_blocks(tv, container_of(from, struct tcg_block, host), n, b) ||
		    b->key & TCG_KEY_SINGLE)
			return;
	} else if (from && from->exits[n].key) {
		tv->counts.keyed++;
		tcg_key_exit(tv, container_of(from, struct tcg_block, host), n, b);
		wait_for_key(tv);
		if (tcg_targets_find(tv) == b)
			return;
	}
	tcg_targets_enter(tv, tcg_first_version(tv->tcg, b));
}

/* What run_slice() does with a fault. */
static void deliver(struct tcg_vcpu *tv)
{
	tv->counts.delivered++;
	tv->env->fault = 0;
	tv->guest->deliver_fault(tv->v);
}

/* The usual case of next_block(X64_LOOPED): nothing is to be looked at, and the tables know where
 * env->pc leads.  NULL: all of it is still to be done. */
static inline struct x64_code *next_known(struct tcg_vcpu *tv)
{
	struct jit_env *env = tv->env;
	struct tcg_block *b;

	if (tv->check || tv->chaos.random || env->mode & tv->guest->step || must_look(tv) ||
	    log_on(LOG_EXEC | LOG_CPU))
		return NULL;
	tlb_block_begins(tv->sets);
	env->code_stored = false;
	b = tcg_targets_next(tv);
	if (unlikely(!b))
		return NULL;
	tv->wants_single = false;
	return &b->host;
}

/* Who asks, if a block that is made now may be linked to it at once. */
static struct tcg_asker asker_of(struct tcg_vcpu *tv, struct x64_code *from, unsigned n)
{
	struct tcg_asker a = { NULL, n, false };

	if (!from)
		return a;
	/* Jumps led to it: what its maker wrote before it was published is ordered by this. */
	(void)atomic_load(&container_of(from, struct tcg_block, host)->state);
	if (!from->exits[n].can_link)
		return a;
	tv->counts.linkable++;
	if (!from->exits[n].is_stale && !log_on(LOG_EXEC | LOG_CPU))
		a.from = container_of(from, struct tcg_block, host);
	return a;
}

static __attribute__((noinline)) struct x64_code *next_block(struct jit_env *env,
							     struct x64_code *from, unsigned n)
{
	struct tcg_vcpu *tv = tcg_of(env);
	struct tcg_block *b, *known;
	struct tcg_asker asker;

	tv->wants_single = wants_single(from, n);
	if (tv->check || env->mode & tv->guest->step)
		return NULL;
	if (n == X64_LOOPED && must_look(tv))
		return NULL;
	tcg_chaos(tv);
	tlb_block_begins(tv->sets);
	env->code_stored = false;
	tcg_targets_select(tv);
	asker = asker_of(tv, from, n);
	b = known = n == X64_LOOPED ? tcg_targets_find(tv) : NULL; /* the others looked there */
	if (!known) {
		gva_t pc = tv->guest->linear_pc(tv->v);
		const uint8_t *host = tcg_code_at(tv, pc, false);

		b = host ? tcg_block_at(tv, pc, host, &asker) : NULL;
	}
	if (unlikely(!b))
		return NULL;
	if (!b->is_native || log_on(LOG_CPU) /* found again by run_blocks(), which shows both */ ||
	    tcg_chaos_drop(tv, from ? container_of(from, struct tcg_block, host) : NULL, b)) {
		tv->wants_single = wants_single(from, n);
		return NULL;
	}
	if (log_on(LOG_EXEC)) {
		log_line("Trace %u: 0x%" PRIx64 " mode 0x%" PRIx64, tv->v->id,
			 tv->guest->linear_pc(tv->v), env->mode);
	} else if (!known && !asker.is_linked) {
		lead_on(tv, from, n, b);
	}
	return &b->host;
}

static struct x64_code *native_next(struct jit_env *env, struct x64_code *from, unsigned n)
{
	struct tcg_vcpu *tv = tcg_of(env);
	struct x64_code *code;

	if (n == X64_FAULTED) {
		if (tv->check || env->mode & tv->guest->step || env->fault == JIT_FAULT_DEBUG)
			return NULL;
		deliver(tv);
		n = X64_LOOPED;
	} else if (n == X64_LOOPED) {
		tv->counts.asks++;
	}
	if (n == X64_LOOPED) {
		code = next_known(tv);
		if (likely(code))
			return code;
	}
	return next_block(env, from, n);
}

static bool native_hits_code(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	struct tcg_vcpu *tv = tcg_of(env);

	return (unlikely(env->has_watches) && tcg_debug_watches(tv, addr, size, MMU_WRITE)) ||
	       tcg_store_hits_code(tv, view, addr, size);
}

static bool native_is_watched(struct jit_env *env, gva_t addr, unsigned size)
{
	return tcg_debug_watches(tcg_of(env), addr, size, MMU_READ);
}

static const struct x64_ops x64_ops = {
	.next = native_next,
	.hits_code = native_hits_code,
	.is_watched = native_is_watched,
	.block_size = sizeof(struct tcg_block),
	.exit_size = sizeof(struct tcg_link),
};

/* ---- start and stop ---- */

bool tcg_native_start(struct tcg_accel *t, uint64_t size, struct err *err)
{
	struct tcg_native *n;

	if (!x64_host_ok(err))
		return false;
	n = g_new0(struct tcg_native, 1);
	lock_init(&n->lock, LOCK_LEAF, "tcg native");
	n->cache = code_cache_new(size, TRAP, &cache_ops, t, err);
	if (!n->cache) {
		lock_fini(&n->lock);
		g_free(n);
		return false;
	}
	t->native = n;
	return true;
}

void tcg_native_stop(struct tcg_accel *t)
{
	struct tcg_native *n = t->native;

	if (!n)
		return;
	rcu_drain(); /* chunks on their way back */
	if (n->jit)
		x64_jit_free(n->jit);
	code_cache_free(n->cache);
	lock_fini(&n->lock);
	g_free(n);
	t->native = NULL;
}

static void name_thunk(void *map, const char *name, uint64_t start, uint32_t size)
{
	fprintf(map, "%" PRIx64 " %x %s\n", start, size, name);
}

bool tcg_native_attach(struct tcg_vcpu *tv, struct err *err)
{
	struct tcg_native *n = tv->tcg->native;

	if (!n->jit) {
		n->jit = x64_jit_new(n->cache, tv->guest->desc, &x64_ops, err);
		if (n->jit && tv->tcg->perf_map)
			x64_thunks_tell(n->jit, name_thunk, tv->tcg->perf_map);
	}
	if (!n->jit) {
		tcg_native_stop(tv->tcg);
		return false;
	}
	tv->compiler = x64_compiler_new(n->jit);
	tv->targets = tcg_targets_new();
	tcg_cache_forget_keys(tv->tcg); /* of a vCPU before with this number */
	return true;
}

void tcg_native_detach(struct tcg_vcpu *tv)
{
	if (tv->compiler)
		x64_compiler_free(tv->compiler);
	tcg_targets_free(tv->targets);
	tv->compiler = NULL;
	tv->targets = NULL;
}

/* ---- blocks ---- */

enum x64_result tcg_native_compile(struct tcg_vcpu *tv, const struct tcg_block *wanted,
				   const struct ir_block *ir, struct tcg_block **b)
{
	struct x64_code *code;
	enum x64_result r;
	unsigned how = tv->env->mode & tv->guest->position_free ? X64_FREE : 0;

	if (wanted->key & TCG_KEY_SINGLE)
		how |= X64_SINGLE;
	/* With check=on find_block() has just compared, and the interpreter's run is all there is.
	 */
	r = x64_compile(tv->compiler, &code, ir, tv->env->pc, how,
			wanted->origin && !tv->check ? &wanted->origin->parts : NULL);
	if (r == X64_DONE)
		*b = container_of(code, struct tcg_block, host);
	return r;
}

void tcg_native_link(struct tcg_accel *t, struct tcg_block *from, unsigned n,
		     const struct tcg_block *to)
{
	x64_link(t->native->jit, &from->host, n, to ? &to->host : NULL);
}

void tcg_native_key(struct tcg_accel *t, struct tcg_block *from, unsigned n, uint64_t key)
{
	x64_key(t->native->jit, &from->host, n, key);
}

bool tcg_native_link_probe(struct tcg_accel *t, struct tcg_block *from, unsigned n)
{
	return x64_link_probe(t->native->jit, &from->host, n);
}

void tcg_native_drop(struct tcg_accel *t, struct tcg_block *b)
{
	code_drop(t->native->cache, b->host.base);
}

enum x64_why tcg_native_run(struct tcg_vcpu *tv, const struct tcg_block *b)
{
	tcg_targets_select(tv);
	return x64_run(tv->tcg->native->jit, tv->env, &b->host);
}

void tcg_native_evict(struct tcg_accel *t) { code_cache_evict(t->native->cache); }

/* Who retires something has it back in 10 ms and more.  Whoever has nothing else to do in the
 * meantime waits for the readers itself, who are asked to leave, and is often the only one. */
void tcg_native_wait(struct tcg_accel *t)
{
	enum { MOST = 64 };
	struct tcg_native *n = t->native;
	unsigned chunks[MOST], count = 0;

	lock_take(&n->lock);
	while (n->retired && count < MOST)
		chunks[count++] = (unsigned)take_chunk(n->retired);
	lock_drop(&n->lock);
	if (!count) {
		code_cache_wait(n->cache, ROOM_WAIT_MS);
		return;
	}
	t->pusher.push(&t->pusher); /* at once, which mostly is enough */
	rcu_wait();
	for (unsigned i = 0; i < count; i++)
		code_chunk_free(n->cache, chunks[i]);
}

/* ---- for people ---- */

void tcg_native_log(struct tcg_vcpu *tv, const struct tcg_block *b, gva_t pc)
{
	uint64_t start = b->host.base;
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (tv->tcg->perf_map)
		fprintf(tv->tcg->perf_map, "%" PRIx64 " %x guest_%" PRIx64 "\n", start,
			b->host.size, pc);
	if (!log_on(LOG_OUT_ASM))
		return;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	fprintf(out, "OUT: 0x%" PRIx64 ", %u bytes, entered at 0x%" PRIx64 "\n", pc, b->host.size,
		b->host.run);
	tcg_disas((const uint8_t *)(uintptr_t)start, b->host.size, start, out);
	fclose(out);
	log_line("%s", text);
	free(text);
}

void tcg_native_show(struct tcg_accel *t, FILE *out)
{
	struct code_stats s;

	code_cache_stats(t->native->cache, &s);
	fprintf(out,
		"code cache: %u chunks of %" PRIu64 " KiB, %u free, %u waiting for their last "
		"visitors; %" PRIu64 " evicted, %" PRIu64 " times no room\n",
		s.chunks, s.chunk_size / KIB, s.free_chunks, s.retired_chunks, s.evicted,
		s.refused);
	fprintf(out, "code cache: %" PRIu64 " pieces of code, %" PRIu64 " KiB, ever\n", s.blocks,
		s.bytes / KIB);
}
