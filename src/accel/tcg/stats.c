/* accel/tcg/stats.c - stats=on: what was done, told at the end.
 *
 * Each vCPU counts for itself, without atomics; slow accesses are counted by functions of our own
 * in front of softmmu's, so that they cost nothing when nobody asked.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>

#include <glib.h>

#include "base/log.h"
#include "accel/tcg/tcg.h"

/* ---- slow accesses ---- */

static bool count_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		       bool for_write, void *out)
{
	tcg_of(env)->counts.loads++;
	return tcg_mem_ops.load(env, view, addr, size, for_write, out);
}

static bool count_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			const void *in)
{
	tcg_of(env)->counts.stores++;
	return tcg_mem_ops.store(env, view, addr, size, in);
}

static void *count_atomic_ptr(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			      bool *fault)
{
	tcg_of(env)->counts.atomics++;
	return tcg_mem_ops.atomic_ptr(env, view, addr, size, fault);
}

static void count_exclusive_begin(struct jit_env *env)
{
	tcg_of(env)->counts.exclusives++;
	tcg_mem_ops.exclusive_begin(env);
}

void tcg_stats_wrap(struct jit_mem_ops *ops)
{
	ops->load = count_load;
	ops->store = count_store;
	ops->atomic_ptr = count_atomic_ptr;
	ops->exclusive_begin = count_exclusive_begin;
}

/* ---- sums ---- */

void tcg_stats_add(struct tcg_counts *sum, const struct tcg_counts *c)
{
	/* All of it is 64-bit counts. */
	BUILD_ASSERT(sizeof(*sum) % sizeof(uint64_t) == 0);
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)c)[i];
}

/* ---- query-stats ---- */

const struct accel_stat tcg_vcpu_stat_rows[] = {
	{ "blocks-interpreted" },
	{ "blocks-native" },
	{ "insns-translated" },
	{ "code-bytes", "bytes" },
	{ "faults" },
	{ "insns-interpreted" },
	{ 0 },
};

void tcg_vcpu_stats(struct vcpu *v, uint64_t *values)
{
	const struct tcg_vcpu *tv = tcg_of_vcpu(v);
	const struct tcg_counts *c = &tv->counts;

	values[0] = c->blocks[0];
	values[1] = c->blocks[1];
	values[2] = c->insns[0] + c->insns[1];
	values[3] = c->bytes[0] + c->bytes[1];
	values[4] = c->faults + c->delivered;
	values[5] = atomic_load(&tv->insns);
}

/* ---- telling ---- */

static void show_translation(const struct tcg_accel *t, const struct tcg_counts *c, FILE *out)
{
	static const char *const tiers[] = { "for the interpreter", "to host code" };

	for (unsigned tier = 0; tier < 2; tier++)
		if (c->blocks[tier])
			fprintf(out,
				"translated %s: %" PRIu64 " blocks, %" PRIu64
				" guest instructions, %" PRIu64 " KiB\n",
				tiers[tier], c->blocks[tier], c->insns[tier], c->bytes[tier] / KIB);
	fprintf(out, "%" PRIu64 " of the blocks without groups\n", c->singles);
	fprintf(out,
		"%" PRIu64 " pages written all the time, %" PRIu64 " of them rested; %" PRIu64
		" blocks that compare, %" PRIu64 " with operands that change; %" PRIu64
		" times asked for another\n",
		t->restless.ever, t->restless.rested, c->compared, c->holes, c->stale);
	fprintf(out, "%" PRIu64 " blocks dropped, %" PRIu64 " KiB of the interpreter's kept\n",
		t->cache.dropped, (t->cache.size + t->cache.cleared_size) / KIB);
}

static void show_time(const struct tcg_counts *c, FILE *out)
{
	uint64_t run = c->cpu_ns > c->translate_ns ? c->cpu_ns - c->translate_ns : 0;

	fprintf(out,
		"%" PRIu64 ".%03u s in vCPU threads but for %" PRIu64 ".%03u s in translating\n",
		run / 1000000000, (unsigned)(run / 1000000 % 1000), c->translate_ns / 1000000000,
		(unsigned)(c->translate_ns / 1000000 % 1000));
}

/* What costs something to count is counted with stats=on only. */
static void show_all(struct tcg_accel *t, const struct tcg_counts *c, uint64_t insns, bool is_over,
		     FILE *out)
{
	if (insns)
		fprintf(out, "%" PRIu64 " guest instructions interpreted\n", insns);
	show_translation(t, c, out);
	if (is_over)
		show_time(c, out);
	if (t->stats)
		fprintf(out,
			"slow accesses: %" PRIu64 " loads, %" PRIu64 " stores, %" PRIu64
			" atomic, %" PRIu64 " with all others stopped\n",
			c->loads, c->stores, c->atomics, c->exclusives);
	fprintf(out, "links made: %" PRIu64 "\n", t->cache.linked);
	if (!t->native)
		return;
	fprintf(out,
		"asked where to go: %" PRIu64 " by exits that can be linked, %" PRIu64
		" by indirect jumps and to other pages, %" PRIu64
		" for a key to another page, %" PRIu64 " after changes of state, %" PRIu64
		" after faults\n",
		c->linkable, c->target_misses, c->keyed, c->asks, c->delivered);
	fprintf(out,
		"left host code: %" PRIu64 " asked to, %" PRIu64 " faults, %" PRIu64
		" to look around, %" PRIu64 " stores to code, %" PRIu64 " for want of room\n",
		c->asked, c->faults, c->loops, c->restarts, c->no_room);
	fprintf(out, "%" PRIu64 " instructions stepped, %" PRIu64 " run from outside memory\n",
		c->stepped, c->uncached);
	tcg_native_show(t, out);
}

void tcg_stats_log(struct tcg_accel *t)
{
	char *text = NULL, **lines;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	show_all(t, &t->counts, atomic_load(&t->insns), true, out);
	fclose(out);
	lines = g_strsplit(text, "\n", 0);
	for (char **l = lines; *l; l++)
		if (**l)
			log_line("tcg: %s", *l);
	g_strfreev(lines);
	free(text);
}

/* ---- info jit ---- */

struct live {
	struct tcg_counts counts;
	uint64_t insns;
};

static void add_in_vcpu(struct vcpu *v, void *opaque)
{
	const struct tcg_vcpu *tv = tcg_of_vcpu(v);
	struct live *live = opaque;

	tcg_stats_add(&live->counts, &tv->counts);
	live->insns += atomic_load(&tv->insns);
}

void tcg_show(struct accel *a, FILE *out)
{
	struct tcg_accel *t = container_of(a, struct tcg_accel, accel);
	struct live live = { t->counts, atomic_load(&t->insns) };

	/* vCPUs come and go in this thread only. */
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		vcpu_run_sync(tv->v, add_in_vcpu, &live);
	lock_take(&t->cache.lock);
	show_all(t, &live.counts, live.insns, false, out);
	lock_drop(&t->cache.lock);
}
