/* code_cache_test.c - room for translated code: two views, chunks, eviction, many threads, hosts
 * that refuse.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib.h>

#include "base/bits.h"
#include "base/err.h"
#include "memory/rcu.h"
#include "jit/code_cache.h"
#include "jit/x64/asm_flow.h"
#include "../child.h"

enum { SIZE = 512 << 10, CHUNK = 64 << 10, CHUNKS = 8, FILL = 0xcc };

/* What a test's cache told. */
struct user {
	struct code_cache *c;
	void *evicted[64];
	unsigned evicted_count;
	unsigned retired[CHUNKS], retired_count;
	bool frees_at_once;
};

static void user_evict(void *opaque, void *owner)
{
	struct user *u = opaque;

	g_assert_cmpuint(u->evicted_count, <, ARRAY_SIZE(u->evicted));
	u->evicted[u->evicted_count++] = owner;
}

static void user_retire(void *opaque, unsigned chunk)
{
	struct user *u = opaque;

	g_assert_cmpuint(u->retired_count, <, CHUNKS);
	u->retired[u->retired_count++] = chunk;
	if (u->frees_at_once)
		code_chunk_free(u->c, chunk);
}

static const struct code_cache_ops user_ops = { .evict = user_evict, .retire = user_retire };

/* Some hosts run tests where nothing executable may be mapped. */
static bool user_init(struct user *u)
{
	struct err err;

	memset(u, 0, sizeof(*u));
	u->c = code_cache_new(SIZE, FILL, &user_ops, u, &err);
	if (!u->c)
		g_test_skip(err.text);
	return u->c;
}

/* Code of size bytes, each `byte`; returns where it runs, 0: no room. */
static uint64_t add(struct code_writer *w, size_t size, uint8_t byte, void *owner)
{
	uint8_t *write;
	uint64_t run;

	if (!code_reserve(w, size, &write, &run))
		return 0;
	memset(write, byte, size);
	code_commit(w, size, owner);
	return run;
}

static uint8_t byte_at(uint64_t run) { return *(const volatile uint8_t *)(uintptr_t)run; }

/* ---- views ---- */

static void test_no_address_is_both_writable_and_executable(void)
{
	unsigned writable = 0, executable = 0;
	char line[512], rights[8];
	struct user u;
	FILE *f;

	if (!user_init(&u))
		return;
	f = fopen("/proc/self/maps", "re");
	g_assert_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		g_assert_cmpint(sscanf(line, "%*s %7s", rights), ==, 1);
		g_assert_false(strchr(rights, 'w') && strchr(rights, 'x'));
		if (!strstr(line, "/dev/zero")) /* shared anonymous memory */
			continue;
		writable += strchr(rights, 'w') != NULL;
		executable += strchr(rights, 'x') != NULL;
	}
	fclose(f);
	g_assert_cmpuint(writable, ==, 1);
	g_assert_cmpuint(executable, ==, 1);
	code_cache_free(u.c);
}

static void test_what_lies_beside_code_lasts_as_long(void)
{
	enum { BLOCKS = 300, WORDS = 30, BIG = 100 << 10 };
	uint64_t *sides[BLOCKS], run;
	struct code_writer w;
	uint8_t *write;
	struct user u;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	for (unsigned n = 0; n < BLOCKS; n++) {
		size_t bytes = n == 7 ? BIG : WORDS * sizeof(uint64_t) - n % 8;

		g_assert_true(code_reserve(&w, 64, &write, &run));
		sides[n] = code_side(&w, bytes);
		g_assert_cmpuint((uintptr_t)sides[n] % sizeof(uint64_t), ==, 0);
		memset(sides[n], 0xff, bytes);
		for (unsigned k = 0; k < WORDS; k++)
			sides[n][k] = n;
		if (n == 7) /* most of it is not wanted after all */
			code_side_cut(&w, sides[n] + WORDS);
		code_commit(&w, n % 5 ? 64 : 0, &u);
	}
	g_assert_true(sides[8] == sides[7] + WORDS);
	for (unsigned n = 0; n < BLOCKS; n++)
		for (unsigned k = 0; k < WORDS; k++)
			g_assert_cmpuint(sides[n][k], ==, n);
	code_writer_fini(&w);
	code_cache_free(u.c);
}

/* ... and then serves what is written next. */
static void test_what_lay_beside_code_is_used_again(void)
{
	enum { BYTES = 40 << 10 };
	struct code_writer w;
	void *side, *next;
	uint8_t *write;
	struct user u;
	uint64_t run;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	g_assert_true(code_reserve(&w, 64, &write, &run));
	side = code_side(&w, BYTES);
	memset(side, 0xff, BYTES);
	code_commit(&w, 64, &u);
	g_assert_true(code_cache_evict(u.c));
	g_assert_true(code_reserve(&w, 64, &write, &run));
	next = code_side(&w, BYTES);
	g_assert_true(next != side); /* somebody may still be running there */
	code_commit(&w, 64, &u);
	code_chunk_free(u.c, u.retired[0]);
	g_assert_true(code_reserve(&w, 64, &write, &run));
	g_assert_true(code_side(&w, BYTES) == side);
	code_commit(&w, 64, &u);
	code_writer_fini(&w);
	code_cache_free(u.c);
}

static void test_what_is_written_is_there_to_run(void)
{
	struct code_writer w;
	struct user u;
	uint64_t run;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	run = add(&w, 100, 0x5a, &u);
	g_assert_cmphex(byte_at(run), ==, 0x5a);
	g_assert_cmphex(byte_at(run + 99), ==, 0x5a);
	*code_writable(u.c, run + 50) = 0xa5;
	g_assert_cmphex(byte_at(run + 50), ==, 0xa5);
	code_cache_free(u.c);
}

#ifdef __x86_64__
static void test_the_host_runs_it(void)
{
	uint64_t (*fn)(uint64_t);
	struct code_writer w;
	struct x64_asm a;
	struct user u;
	uint8_t *write;
	uint64_t run;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	for (unsigned i = 1; i < 5; i++) {
		g_assert_true(code_reserve(&w, 64, &write, &run));
		x64_begin(&a, write, run, 64);
		x64_imul_i(&a, 8, X64_RAX, x64_r(X64_RDI), (int32_t)i);
		x64_ret(&a);
		code_commit(&w, x64_offset(&a), &u);
		memcpy(&fn, &run, sizeof(fn));
		g_assert_cmpuint(fn(7), ==, 7 * i);
	}
	code_cache_free(u.c);
}
#endif

/* ---- finding ---- */

static void test_code_is_found_by_any_of_its_addresses(void)
{
	int owner[3];
	struct code_writer w;
	struct user u;
	uint64_t run[3];

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	for (unsigned i = 0; i < 3; i++)
		run[i] = add(&w, 17 + i, 1, &owner[i]);
	for (unsigned n = 0; n < 6; n++) { /* found before or not */
		unsigned i = n % 3;

		g_assert_cmpuint(run[i] % CODE_ALIGN, ==, 0);
		g_assert_true(code_find(u.c, run[i]) == &owner[i]);
		g_assert_true(code_find(u.c, run[i] + 16 + i) == &owner[i]);
		g_assert_null(code_find(u.c, run[i] + 17 + i));
	}
	g_assert_null(code_find(u.c, run[0] - 1));
	g_assert_null(code_find(u.c, run[0] + CHUNK));
	g_assert_null(code_find(u.c, 0));
	g_assert_null(code_find(u.c, (uintptr_t)code_writable(u.c, run[0])));
	/* somebody may be running there still */
	code_drop(u.c, run[1] + 3);
	g_assert_true(code_find(u.c, run[1]) == &owner[1]);
	g_assert_true(code_find(u.c, run[1] + 17) == &owner[1]);
	g_assert_null(code_find(u.c, run[1] + 18));
	code_cache_free(u.c);
}

static void test_unused_room_leaves_nothing(void)
{
	struct code_writer w;
	struct user u;
	uint8_t *write, *again;
	uint64_t run;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	g_assert_true(code_reserve(&w, 1000, &write, &run));
	code_commit(&w, 0, NULL);
	g_assert_null(code_find(u.c, run));
	g_assert_true(code_reserve(&w, 1000, &again, &run));
	g_assert_true(again == write);
	code_commit(&w, 10, &u);
	/* only what was used is gone */
	g_assert_true(code_reserve(&w, 1000, &again, &run));
	g_assert_true(again == write + CODE_ALIGN);
	code_cache_free(u.c);
}

static void test_the_largest_room_fills_a_chunk(void)
{
	struct code_writer w;
	struct user u;
	uint64_t a, b;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	a = add(&w, code_max_room(u.c), 1, &w);
	b = add(&w, code_max_room(u.c), 2, &u);
	g_assert_cmpuint(a / CHUNK, !=, b / CHUNK);
	g_assert_true(code_find(u.c, a + code_max_room(u.c) - 1) == &w);
	g_assert_true(code_find(u.c, b) == &u);
	code_cache_free(u.c);
}

/* ---- eviction ---- */

static void test_the_oldest_chunk_goes_first(void)
{
	int owner[16];
	struct code_stats stats;
	struct code_writer w;
	struct user u;
	uint64_t run[16];

	if (!user_init(&u))
		return;
	u.frees_at_once = true;
	code_writer_init(&w, u.c, false);
	/* two to a chunk */
	for (unsigned i = 0; i < 16; i++)
		run[i] = add(&w, CHUNK / 2 - 64, (uint8_t)i, &owner[i]);
	/* the eighth chunk was the last: the first was emptied to have one to go on with */
	g_assert_cmpuint(u.evicted_count, ==, 2);
	g_assert_true(u.evicted[0] == &owner[0] && u.evicted[1] == &owner[1]);
	g_assert_null(code_find(u.c, run[0]));
	g_assert_cmphex(byte_at(run[0]), ==, FILL);
	g_assert_cmphex(byte_at(run[0] + CHUNK - 1), ==, FILL);
	g_assert_true(code_find(u.c, run[2]) == &owner[2]);
	g_assert_cmphex(byte_at(run[2]), ==, 2);
	/* ... and is used again, the second being emptied */
	g_assert_cmphex(add(&w, 1000, 9, &u), ==, run[0]);
	g_assert_cmpuint(u.evicted_count, ==, 4);
	g_assert_true(code_find(u.c, run[0]) == &u);
	code_cache_stats(u.c, &stats);
	g_assert_cmpuint(stats.chunk_size, ==, CHUNK);
	g_assert_cmpuint(stats.chunks, ==, CHUNKS);
	g_assert_cmpuint(stats.free_chunks, ==, 1);
	g_assert_cmpuint(stats.retired_chunks, ==, 0);
	g_assert_cmpuint(stats.blocks, ==, 17);
	g_assert_cmpuint(stats.bytes, ==, 16 * (CHUNK / 2 - 64) + 1000);
	g_assert_cmpuint(stats.evicted, ==, 2);
	g_assert_cmpuint(stats.refused, ==, 0);
	code_cache_free(u.c);
}

static void test_dropped_code_is_not_heard_of_again(void)
{
	int owner[CHUNKS];
	struct code_writer w;
	struct user u;
	uint64_t run[CHUNKS];

	if (!user_init(&u))
		return;
	u.frees_at_once = true;
	code_writer_init(&w, u.c, false);
	for (unsigned i = 0; i < CHUNKS - 1; i++)
		run[i] = add(&w, CHUNK - 64, (uint8_t)i, &owner[i]);
	/* a chunk without live code goes before older ones */
	code_drop(u.c, run[3]);
	code_drop(u.c, run[3]);
	run[7] = add(&w, CHUNK - 64, 7, &owner[7]);
	g_assert_cmpuint(u.evicted_count, ==, 0);
	g_assert_cmpuint(u.retired_count, ==, 1);
	g_assert_cmphex(add(&w, 1000, 8, &u), ==, run[3]);
	g_assert_cmpuint(u.evicted_count, ==, 1);
	g_assert_true(u.evicted[0] == &owner[0]);
	code_cache_free(u.c);
}

static void test_chunks_can_be_emptied_at_will(void)
{
	struct code_writer w;
	struct user u;
	uint64_t run;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	g_assert_false(code_cache_evict(u.c));
	run = add(&w, 100, 1, &w);
	g_assert_true(code_cache_evict(u.c));
	g_assert_false(code_cache_evict(u.c));
	g_assert_true(u.evicted_count == 1 && u.evicted[0] == &w);
	g_assert_true(code_find(u.c, run) == &w);
	code_chunk_free(u.c, u.retired[0]);
	g_assert_null(code_find(u.c, run));
	code_cache_free(u.c);
}

static void *free_later(void *opaque)
{
	struct user *u = opaque;

	g_usleep(20000);
	code_chunk_free(u->c, u->retired[0]);
	return NULL;
}

static void test_no_room_until_somebody_frees_a_chunk(void)
{
	struct code_stats stats;
	struct code_writer w;
	struct user u;
	uint64_t first = 0;
	GThread *thread;

	if (!user_init(&u))
		return;
	code_writer_init(&w, u.c, false);
	g_assert_true(code_cache_wait(u.c, 0));
	for (unsigned i = 0; i < CHUNKS; i++) {
		uint64_t run = add(&w, CHUNK - 64, 1, &u);

		g_assert_cmphex(run, !=, 0);
		if (!i)
			first = run;
	}
	g_assert_cmpuint(u.retired_count, ==, 1);
	g_assert_cmphex(byte_at(first), ==, 1); /* somebody may be running there */
	g_assert_cmphex(add(&w, 1000, 1, &u), ==, 0);
	g_assert_false(code_cache_wait(u.c, 1));
	g_assert_cmpuint(u.retired_count, ==, 1);
	code_cache_stats(u.c, &stats);
	g_assert_cmpuint(stats.free_chunks, ==, 0);
	g_assert_cmpuint(stats.retired_chunks, ==, 1);
	g_assert_cmpuint(stats.refused, ==, 1);
	thread = g_thread_new("free", free_later, &u);
	g_assert_true(code_cache_wait(u.c, 10000));
	g_thread_join(thread);
	g_assert_cmphex(add(&w, 1000, 1, &u), ==, first);
	code_cache_free(u.c);
}

static void test_an_idle_writers_chunk_can_be_taken(void)
{
	struct code_writer idle, busy;
	struct user u;
	uint64_t taken, run;

	if (!user_init(&u))
		return;
	u.frees_at_once = true;
	code_writer_init(&idle, u.c, false);
	code_writer_init(&busy, u.c, false);
	taken = add(&idle, 10, 1, &idle);
	for (unsigned i = 0; i < CHUNKS; i++)
		g_assert_cmphex(add(&busy, CHUNK - 64, 2, &busy), !=, 0);
	g_assert_true(u.evicted[0] == &idle);
	g_assert_true(code_find(u.c, taken) == &busy);
	/* the chunk is busy's: nothing of idle's may end up in it */
	run = add(&idle, 10, 3, &idle);
	g_assert_cmphex(run / CHUNK, !=, taken / CHUNK);
	g_assert_cmphex(byte_at(taken), ==, 2);
	code_cache_free(u.c);
}

static void test_fixed_code_stays(void)
{
	struct code_writer fixed, w;
	struct user u;
	uint64_t first, second;

	if (!user_init(&u))
		return;
	u.frees_at_once = true;
	code_writer_init(&fixed, u.c, true);
	code_writer_init(&w, u.c, false);
	first = add(&fixed, 100, 0x11, &fixed);
	second = add(&fixed, 100, 0x22, &fixed);
	g_assert_cmphex(second, ==, first + align_up(100, CODE_ALIGN));
	for (unsigned i = 0; i < 3 * CHUNKS; i++) {
		g_assert_cmphex(add(&w, CHUNK - 64, 2, &w), !=, 0);
		if (i == CHUNKS)
			code_writer_fini(&fixed);
		u.evicted_count = u.retired_count = 0;
	}
	g_assert_true(code_find(u.c, first) == &fixed);
	g_assert_cmphex(byte_at(second + 99), ==, 0x22);
	code_writer_fini(&w);
	code_writer_fini(&w);
	code_cache_free(u.c);
}

/* ---- many threads ---- */

enum { THREADS = 6, ROUNDS = 500 };

struct owner {
	uint64_t run;
	uint32_t size;
	uint8_t byte;
	_Atomic bool is_gone;
	struct rcu_head rcu;
};

struct chunk_rcu {
	struct rcu_head rcu;
	struct code_cache *c;
	unsigned chunk;
};

struct crowd {
	struct code_cache *c;
	struct owner *_Atomic last[THREADS]; /* RCU: each thread's newest */
	_Atomic unsigned evicted;
};

struct member {
	struct crowd *crowd;
	unsigned id;
};

static void owner_free(struct rcu_head *head)
{
	rcu_reclaim();
	g_free(container_of(head, struct owner, rcu));
}

static void crowd_evict(void *opaque, void *p)
{
	struct crowd *w = opaque;
	struct owner *o = p, *is;

	if (atomic_exchange(&o->is_gone, true))
		return;
	for (unsigned i = 0; i < THREADS; i++) {
		is = o;
		atomic_compare_exchange_strong(&w->last[i], &is, NULL);
	}
	atomic_fetch_add(&w->evicted, 1);
	rcu_retire(&o->rcu, owner_free);
}

static void chunk_free_rcu(struct rcu_head *head)
{
	struct chunk_rcu *r = container_of(head, struct chunk_rcu, rcu);

	rcu_reclaim();
	code_chunk_free(r->c, r->chunk);
	g_free(r);
}

static void crowd_retire(void *opaque, unsigned chunk)
{
	struct crowd *w = opaque;
	struct chunk_rcu *r = g_new(struct chunk_rcu, 1);

	r->c = w->c;
	r->chunk = chunk;
	rcu_retire(&r->rcu, chunk_free_rcu);
}

static const struct code_cache_ops crowd_ops = { .evict = crowd_evict, .retire = crowd_retire };

/* Whatever an owner in reach says of its code holds as long as nobody leaves the reader. */
static void check_owner(struct crowd *w, struct owner *o)
{
	g_assert_true(code_find(w->c, o->run + o->size / 2) == o);
	g_assert_cmphex(byte_at(o->run), ==, o->byte);
	g_assert_cmphex(byte_at(o->run + o->size - 1), ==, o->byte);
}

/* False: no room now. */
static bool member_add(struct member *m, struct code_writer *w, GRand *rand)
{
	uint32_t size = (uint32_t)g_rand_int_range(rand, 1, 6000);
	struct owner *o, *is;
	uint8_t *write;
	uint64_t run;

	if (!code_reserve(w, size + 500, &write, &run))
		return false;
	o = g_new0(struct owner, 1);
	o->run = run;
	o->size = size;
	o->byte = (uint8_t)g_rand_int(rand);
	memset(write, o->byte, size);
	code_commit(w, size, o);
	atomic_store(&m->crowd->last[m->id], o);
	/* It may have been evicted already: whoever comes second takes it back. */
	is = o;
	if (atomic_load(&o->is_gone))
		atomic_compare_exchange_strong(&m->crowd->last[m->id], &is, NULL);
	/* Some are dropped by their makers, as for a store to guest code. */
	if (!g_rand_int_range(rand, 0, 8)) {
		code_drop(w->cache, run);
		crowd_evict(m->crowd, o);
	}
	return true;
}

static void *member_run(void *opaque)
{
	struct member *m = opaque;
	GRand *rand = g_rand_new_with_seed(m->id);
	struct code_writer w;

	code_writer_init(&w, m->crowd->c, false);
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool ok;

		rcu_enter();
		ok = member_add(m, &w, rand);
		for (unsigned i = 0; i < THREADS; i++) {
			struct owner *o = atomic_load(&m->crowd->last[i]);

			if (o)
				check_owner(m->crowd, o);
		}
		rcu_leave();
		if (!ok)
			code_cache_wait(m->crowd->c, 100);
	}
	code_writer_fini(&w);
	g_rand_free(rand);
	return NULL;
}

static void test_many_threads_write_find_and_evict(void)
{
	struct member members[THREADS];
	GThread *threads[THREADS];
	struct crowd crowd = { 0 };
	struct code_stats stats;
	struct err err;

	crowd.c = code_cache_new(2 * SIZE, FILL, &crowd_ops, &crowd, &err);
	if (!crowd.c) {
		g_test_skip(err.text);
		return;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		members[i] = (struct member){ .crowd = &crowd, .id = i };
		threads[i] = g_thread_new("writer", member_run, &members[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	while (code_cache_evict(crowd.c))
		;
	rcu_drain();
	code_cache_stats(crowd.c, &stats);
	g_assert_cmpuint(stats.blocks + stats.refused, ==, THREADS * ROUNDS);
	g_assert_cmpuint(crowd.evicted, ==, stats.blocks);
	g_assert_cmpuint(stats.free_chunks, ==, stats.chunks);
	g_assert_cmpuint(stats.blocks, >, stats.refused);
	g_assert_cmpuint(stats.evicted, >, 20);
	g_assert_cmpuint(stats.retired_chunks, ==, 0);
	code_cache_free(crowd.c);
}

/* ---- hosts that refuse ---- */

static void test_sizes_out_of_range_are_refused(void)
{
	struct err err;

	g_assert_null(code_cache_new(SIZE - 1, FILL, &user_ops, NULL, &err));
	g_assert_cmpstr(err.text, ==, "room for translated code must be from 512 KiB to 1024 MiB");
	g_assert_null(code_cache_new(GIB + 1, FILL, &user_ops, NULL, &err));
	g_assert_null(code_cache_new(0, FILL, &user_ops, NULL, &err));
	code_cache_free(NULL);
}

/* From now on system call nr (with a bit of `bits` in its third argument, unless 0) fails. */
static bool refuse_syscall(unsigned nr, uint32_t bits)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, bits ? 0 : 1, bits ? 1 : 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (!bits)
		filter[3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							 SECCOMP_RET_ERRNO | EACCES);
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

enum { NO_FILTERS = 77 };

static void try_refused(unsigned nr, uint32_t bits, const char *start)
{
	struct err err;

	if (!refuse_syscall(nr, bits))
		_exit(NO_FILTERS);
	g_assert_null(code_cache_new(SIZE, FILL, &user_ops, NULL, &err));
	g_assert_cmpint(err.code, ==, EACCES);
	g_assert_true(g_str_has_prefix(err.text, start)); /* and why */
}

static void refuse_executable_memory(void)
{
	try_refused(__NR_mprotect, PROT_EXEC, "cannot make memory executable: Permission denied (");
}

static void refuse_second_mappings(void)
{
	try_refused(__NR_mremap, 0, "cannot map memory for translated code twice: ");
}

static void check_refused(void (*body)(void))
{
	int status;

	g_string_free(child_stderr(body, 0, &status), TRUE);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTERS)
		g_test_skip("system calls cannot be filtered here");
	else
		g_assert_cmpint(status, ==, 0);
}

static void test_a_host_without_executable_memory(void) { check_refused(refuse_executable_memory); }

static void test_a_host_without_second_mappings(void) { check_refused(refuse_second_mappings); }

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jit/code_cache/rights", test_no_address_is_both_writable_and_executable);
	g_test_add_func("/jit/code_cache/views", test_what_is_written_is_there_to_run);
	g_test_add_func("/jit/code_cache/side", test_what_lies_beside_code_lasts_as_long);
	g_test_add_func("/jit/code_cache/side-again", test_what_lay_beside_code_is_used_again);
#ifdef __x86_64__
	g_test_add_func("/jit/code_cache/runs", test_the_host_runs_it);
#endif
	g_test_add_func("/jit/code_cache/find", test_code_is_found_by_any_of_its_addresses);
	g_test_add_func("/jit/code_cache/unused", test_unused_room_leaves_nothing);
	g_test_add_func("/jit/code_cache/largest", test_the_largest_room_fills_a_chunk);
	g_test_add_func("/jit/code_cache/oldest", test_the_oldest_chunk_goes_first);
	g_test_add_func("/jit/code_cache/dropped", test_dropped_code_is_not_heard_of_again);
	g_test_add_func("/jit/code_cache/will", test_chunks_can_be_emptied_at_will);
	g_test_add_func("/jit/code_cache/wait", test_no_room_until_somebody_frees_a_chunk);
	g_test_add_func("/jit/code_cache/idle", test_an_idle_writers_chunk_can_be_taken);
	g_test_add_func("/jit/code_cache/fixed", test_fixed_code_stays);
	g_test_add_func("/jit/code_cache/threads", test_many_threads_write_find_and_evict);
	g_test_add_func("/jit/code_cache/sizes", test_sizes_out_of_range_are_refused);
	g_test_add_func("/jit/code_cache/refused/exec", test_a_host_without_executable_memory);
	g_test_add_func("/jit/code_cache/refused/twice", test_a_host_without_second_mappings);
	return g_test_run();
}
