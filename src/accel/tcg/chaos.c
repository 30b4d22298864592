/* accel/tcg/chaos.c - chaos=SEED, for tests: where host code comes to C, now and then all of the
 * soft TLB goes, or the frames of calls, or the name that keys are made of, or a block, or a chunk
 * of translated code, or the vCPU is asked to leave.
 *
 * None of these may change what a guest sees; they happen to it anyway, but seldom, and at the same
 * few places.  The visits from one to the next are as likely some as some hundred or some thousand:
 * bursts, and calm in which what they tear down grows again.  A guest's first moments are all
 * bursts, so that small ones get their share.  SPDX-License-Identifier: MIT */
#include <glib.h>

#include "accel/tcg/tcg.h"

/* By kind, log2: the longest intervals at first and later on, and after how many they double. */
enum { SHORT = 3, GROW_AFTER = 64 };
static const uint8_t longest[TCG_CHAOS_KINDS] = {
	[TCG_CHAOS_FLUSH] = 11, [TCG_CHAOS_LEAVE] = 8,  [TCG_CHAOS_FRAMES] = 8,
	[TCG_CHAOS_DROP] = 8,   [TCG_CHAOS_EVICT] = 17, [TCG_CHAOS_NAME] = 10,
};

/* xorshift64*: the state is never 0. */
static uint32_t next_random(struct tcg_chaos *s)
{
	uint64_t x = s->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	s->random = x;
	return (uint32_t)(x * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

static uint32_t next_interval(struct tcg_chaos *s, unsigned kind)
{
	unsigned most = MIN(SHORT + s->count[kind]++ / GROW_AFTER, (uint64_t)longest[kind]);

	return next_random(s) % (1u << next_random(s) % (most + 1));
}

/* Is it time for one? */
static bool is_due(struct tcg_vcpu *tv, unsigned kind)
{
	struct tcg_chaos *s = &tv->chaos;

	if (likely(s->left[kind])) {
		s->left[kind]--;
		return false;
	}
	s->left[kind] = next_interval(s, kind);
	return true;
}

static void flush_or_leave(struct tcg_vcpu *tv)
{
	if (is_due(tv, TCG_CHAOS_FLUSH))
		tlb_flush_all(tv);
	if (is_due(tv, TCG_CHAOS_LEAVE))
		atomic_fetch_or(tv->v->exit_request, VCPU_EXIT_RCU);
}

void tcg_chaos(struct tcg_vcpu *tv)
{
	if (likely(!tv->chaos.random))
		return;
	flush_or_leave(tv);
	if (is_due(tv, TCG_CHAOS_FRAMES))
		tv->env->drop_frames = true;
	if (is_due(tv, TCG_CHAOS_NAME))
		tcg_targets_rename(tv);
	if (is_due(tv, TCG_CHAOS_EVICT))
		tcg_native_evict(tv->tcg);
}

bool tcg_chaos_drop(struct tcg_vcpu *tv, struct tcg_block *from, struct tcg_block *to)
{
	bool is_from;

	if (likely(!tv->chaos.random) || !is_due(tv, TCG_CHAOS_DROP))
		return false;
	/* One that leads to itself is about to be run. */
	is_from = from && from != to && next_random(&tv->chaos) % 2;
	tcg_cache_evict(tv->tcg, is_from ? from : to);
	return !is_from;
}

void tcg_chaos_begin(struct tcg_vcpu *tv)
{
	struct tcg_chaos *s = &tv->chaos;

	if (!tv->tcg->chaos_seed)
		return;
	s->random = (tv->tcg->chaos_seed + tv->v->id) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (unsigned kind = 0; kind < TCG_CHAOS_KINDS; kind++)
		s->left[kind] = next_interval(s, kind);
}

/* ---- slow accesses: in the middle of instructions, where no code may go ---- */

static bool chaos_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		       bool for_write, void *out)
{
	flush_or_leave(tcg_of(env));
	return tcg_mem_ops.load(env, view, addr, size, for_write, out);
}

static bool chaos_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			const void *in)
{
	flush_or_leave(tcg_of(env));
	return tcg_mem_ops.store(env, view, addr, size, in);
}

static bool chaos_fill(struct jit_env *env, unsigned view, gva_t addr, bool for_write, bool quiet)
{
	flush_or_leave(tcg_of(env));
	return tcg_mem_ops.fill(env, view, addr, for_write, quiet);
}

void tcg_chaos_wrap(struct jit_mem_ops *ops)
{
	ops->load = chaos_load;
	ops->store = chaos_store;
	ops->fill = chaos_fill;
}
