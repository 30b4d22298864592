/* accel/tcg/stats.c - stats=on: what was done, told at the end.
 *
 * Each vCPU counts for itself, without atomics; slow accesses are counted by functions of our own
 * in front of softmmu's, so that they cost nothing when nobody asked.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

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
	const struct tcg_vcpu *tv = v->accel_data;
	const struct tcg_counts *c = &tv->counts;

	values[0] = c->blocks[0];
	values[1] = c->blocks[1];
	values[2] = c->insns[0] + c->insns[1];
	values[3] = c->bytes[0] + c->bytes[1];
	values[4] = c->faults + c->delivered;
	values[5] = atomic_load(&tv->insns);
}

/* ---- telling ---- */

static void log_translation(const struct tcg_accel *t, const struct tcg_counts *c)
{
	static const char *const tiers[] = { "for the interpreter", "to host code" };

	for (unsigned tier = 0; tier < 2; tier++)
		if (c->blocks[tier])
			log_line("tcg: translated %s: %" PRIu64 " blocks, %" PRIu64
				 " guest instructions, %" PRIu64 " KiB",
				 tiers[tier], c->blocks[tier], c->insns[tier],
				 c->bytes[tier] / KIB);
	log_line("tcg: %" PRIu64 " of the blocks without groups", c->singles);
	log_line("tcg: %" PRIu64 " pages written all the time, %" PRIu64 " of them rested; %" PRIu64
		 " blocks that compare, %" PRIu64 " with operands that change; %" PRIu64
		 " times asked for another",
		 t->restless.ever, t->restless.rested, c->compared, c->holes, c->stale);
	log_line("tcg: %" PRIu64 " blocks dropped, %" PRIu64 " KiB of the interpreter's kept",
		 t->cache.dropped, (t->cache.size + t->cache.cleared_size) / KIB);
}

static void log_time(const struct tcg_counts *c)
{
	uint64_t run = c->cpu_ns > c->translate_ns ? c->cpu_ns - c->translate_ns : 0;

	log_line("tcg: %" PRIu64 ".%03u s in vCPU threads but for %" PRIu64
		 ".%03u s in translating",
		 run / 1000000000, (unsigned)(run / 1000000 % 1000), c->translate_ns / 1000000000,
		 (unsigned)(c->translate_ns / 1000000 % 1000));
}

void tcg_stats_log(struct tcg_accel *t)
{
	const struct tcg_counts *c = &t->counts;
	uint64_t insns = atomic_load(&t->insns);

	if (insns)
		log_line("tcg: %" PRIu64 " guest instructions interpreted", insns);
	log_translation(t, c);
	log_time(c);
	log_line("tcg: slow accesses: %" PRIu64 " loads, %" PRIu64 " stores, %" PRIu64
		 " atomic, %" PRIu64 " with all others stopped",
		 c->loads, c->stores, c->atomics, c->exclusives);
	log_line("tcg: links made: %" PRIu64, t->cache.linked);
	if (!t->native)
		return;
	log_line("tcg: asked where to go: %" PRIu64 " by exits that can be linked, %" PRIu64
		 " by indirect jumps and to other pages, %" PRIu64
		 " for a key to another page, %" PRIu64 " after changes of state, %" PRIu64
		 " after faults",
		 c->linkable, c->target_misses, c->keyed, c->asks, c->delivered);
	log_line("tcg: left host code: %" PRIu64 " asked to, %" PRIu64 " faults, %" PRIu64
		 " to look around, %" PRIu64 " stores to code, %" PRIu64 " for want of room",
		 c->asked, c->faults, c->loops, c->restarts, c->no_room);
	log_line("tcg: %" PRIu64 " instructions stepped, %" PRIu64 " run from outside memory",
		 c->stepped, c->uncached);
	tcg_native_stats(t);
}
