/* accel/tcg/chaos.c - chaos=SEED, for tests: where host code comes to C, now and then all of the
 * soft TLB goes, or a chunk of translated code, or the vCPU is asked to leave.
 *
 * None of these may change what a guest sees; they happen to it anyway, but seldom, and at the same
 * few places.  SPDX-License-Identifier: MIT */
#include "accel/tcg/tcg.h"

/* One of so many visits. */
enum { FLUSH_ONE_IN = 16, EVICT_ONE_IN = 256, LEAVE_ONE_IN = 8, DROP_ONE_IN = 8 };

/* xorshift64*: the state is never 0. */
static uint64_t next_random(struct tcg_vcpu *tv)
{
	uint64_t x = tv->chaos;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	tv->chaos = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

static void flush_or_leave(struct tcg_vcpu *tv)
{
	if (!(next_random(tv) % FLUSH_ONE_IN))
		tlb_flush_all(tv);
	if (!(next_random(tv) % LEAVE_ONE_IN))
		atomic_fetch_or(&tv->v->exit_request, VCPU_EXIT_RCU);
}

void tcg_chaos(struct tcg_vcpu *tv)
{
	if (!tv->chaos)
		return;
	flush_or_leave(tv);
	if (!(next_random(tv) % DROP_ONE_IN))
		tv->env->drop_frames = true;
	if (!(next_random(tv) % EVICT_ONE_IN))
		tcg_native_evict(tv->tcg);
}

void tcg_chaos_begin(struct tcg_vcpu *tv)
{
	if (tv->tcg->chaos_seed)
		tv->chaos = (tv->tcg->chaos_seed + tv->v->id) * UINT64_C(0x9e3779b97f4a7c15) | 1;
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

void tcg_chaos_wrap(struct jit_mem_ops *ops)
{
	ops->load = chaos_load;
	ops->store = chaos_store;
}
