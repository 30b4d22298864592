/* accel/tcg/exec.c - the execution loop: find a block, run it, deliver what happened.
 *
 * Both executors, host code and the interpreter, go from block to block by themselves; they ask for
 * the next where no link leads on, and come back to run_slice() for faults, inputs and exit
 * requests, the interpreter also after a number of instructions.  A vCPU is inside an RCU reader
 * all that time, so that blocks and flat views that it looks at stay; host code is asked to leave
 * when something waits for that (tcg.c: push_readers()).  SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <time.h>

#include <glib.h>

#include "base/log.h"
#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE };

uint64_t tcg_key(const struct tcg_vcpu *tv)
{
	uint32_t mode = (uint32_t)tv->env->mode;

	if (!(mode & tv->guest->position_free))
		return mode | tv->env->pc << 32;
	return mode | (guest_is_edge(tv->guest->address_bits, tv->env->pc) ? TCG_KEY_EDGE : 0);
}

/* ---- finding ---- */

const uint8_t *tcg_code_at(struct tcg_vcpu *tv, gva_t addr, bool quiet)
{
	const uint8_t *p = tlb_find(&tv->tlb[tv->env->view], TLB_EXEC, addr, 1);
	struct ram_block *ram;
	uint64_t offset;

	return p ? p : tcg_code_host(tv, addr, quiet, &ram, &offset);
}

static struct tcg_block *find_block(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host,
				    uint64_t key)
{
	struct tcg_block *b = rcu_fetch(tv->tcg->cache.buckets[tcg_hash(host, key)]);

	for (; b; b = rcu_fetch(b->hash_next)) {
		if (b->host_pc != host || b->key != key ||
		    (unlikely(b->origin) && !tcg_origin_holds(&b->origin->parts)))
			continue;
		if (likely(!b->host_second) ||
		    tcg_code_at(tv, align_down(pc, PAGE) + PAGE, true) == b->host_second)
			return b;
	}
	return NULL;
}

struct tcg_block *tcg_block_at(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host,
			       struct tcg_asker *asker)
{
	uint64_t key = tcg_key(tv) | (tv->wants_single ? TCG_KEY_SINGLE : 0);
	struct tcg_block *b = find_block(tv, pc, host, key);

	if (unlikely(!b))
		b = tcg_translate(tv, pc, host, key, asker);
	if (b)
		tv->wants_single = false;
	return b;
}

bool tcg_link_blocks(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n, struct tcg_block *to)
{
	bool same_page = tcg_is_same_page(from, n, to);

	if (from->is_native != to->is_native)
		return false;
	if (from->is_native && from->host.exits[n].is_stale)
		return tcg_link_version(tv, from, n, to);
	/* A block's second page has to be looked up at every entry.  The interpreter looks at each
	 * passage whether another page is still where it was, host code has tables for that. */
	if (!to->host_second &&
	    (same_page || (!from->is_native && tv->env->mode & tv->guest->flat_code))) {
		tcg_cache_link(tv->tcg, from, n, to, !same_page);
		return true;
	}
	if (from->is_native)
		tcg_cache_link_probe(tv->tcg, from, n);
	return false;
}

void tcg_key_exit(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n, struct tcg_block *to)
{
	uint64_t pc = tv->env->pc;
	gva_t page = align_down(pc - (uint64_t)from->host.exits[n].pc_delta, PAGE);
	uint64_t name = 0;

	/* A block's second page has to be looked up at every entry. */
	if (!to->host_second && !((from->key ^ to->key) & ~(uint64_t)TCG_KEY_SINGLE))
		name = tcg_targets_name(tv, pc);
	tcg_cache_key(tv->tcg, from, n, to, name ? page ^ name : X64_NO_KEY);
}

/* What the interpreter asks where no link leads on. */
static struct interp_block *next_block(struct jit_env *env, struct interp_block *from, unsigned n)
{
	struct tcg_vcpu *tv = tcg_of(env);
	struct tcg_block *b;
	const uint8_t *host;
	gva_t pc;

	/* Stepping, and code that cannot be cached, go through the loop. */
	if (env->mode & tv->guest->step)
		return NULL;
	pc = tv->guest->linear_pc(tv->v);
	host = tcg_code_at(tv, pc, false);
	b = host ? tcg_block_at(tv, pc, host, NULL) : NULL;
	if (unlikely(!b))
		return NULL;
	if (log_on(LOG_EXEC | LOG_CPU)) {
		if (log_on(LOG_CPU))
			return NULL; /* run_blocks() shows both */
		log_line("Trace %u: 0x%" PRIx64 " mode 0x%" PRIx64, tv->v->id, pc, env->mode);
	} else if (from && n != INTERP_INDIRECT) {
		tcg_link_blocks(tv, container_of(from, struct tcg_block, code), n, b);
	}
	return &b->code;
}

/* Where blocks of both executors are about, each is run by itself. */
static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

/* ---- the loop ---- */

static void log_registers(struct tcg_vcpu *tv)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	tv->v->arch->dump(tv->v, out);
	fclose(out);
	log_line("%s", text);
	free(text);
}

static void count_visit(struct tcg_vcpu *tv, enum x64_why why)
{
	switch (why) {
	case X64_ASKED: tv->counts.asked++; break;
	case X64_FAULT: tv->counts.faults++; break;
	case X64_LOOP: tv->counts.loops++; break;
	case X64_RESTART: tv->counts.restarts++; break;
	}
}

/* Host code left within an instruction. */
static void run_again(struct tcg_vcpu *tv, struct interp_run *run)
{
	tv->asked.is_answer = tv->env->has_loaded;
	tcg_run_alone(tv, run, true);
	tv->asked.is_answer = false;
}

static void run_block(struct tcg_vcpu *tv, struct tcg_block *b, struct interp_run *run)
{
	enum x64_why why;

	tv->env->origin = b->origin ? &b->origin->parts : NULL;
	if (b->is_native && tv->check) {
		tcg_check_run(tv, b, run);
		return;
	}
	if (!b->is_native) {
		interp_run(tv->env, &b->code, tv->guest->desc, run);
		return;
	}
	why = tcg_native_run(tv, b);
	count_visit(tv, why);
	if (why == X64_RESTART)
		run_again(tv, run);
}

/* Run blocks from env->pc on until something must be looked at. */
static void run_blocks(struct tcg_vcpu *tv, struct interp_run *run)
{
	struct jit_env *env = tv->env;
	bool is_step = env->mode & tv->guest->step;
	gva_t pc = tv->guest->linear_pc(tv->v);
	const uint8_t *host;
	struct tcg_block *b;

	tlb_block_begins(tv->sets);
	host = tcg_code_at(tv, pc, false);
	b = host ? tcg_block_at(tv, pc, host, NULL) : NULL;
	if (b) {
		if (log_on(LOG_EXEC))
			log_line("Trace %u: 0x%" PRIx64 " mode 0x%" PRIx64, tv->v->id, pc,
				 env->mode);
		if (log_on(LOG_CPU))
			log_registers(tv);
		run_block(tv, b, run);
	} else if (!host && !env->fault) {
		if (unlikely(tcg_debug_breaks(tv)))
			return;
		tv->counts.uncached++;
		tcg_run_alone(tv, run, false);
	}
	if (is_step && !env->fault) {
		tv->counts.stepped++;
		tv->guest->after_step(tv->v);
	}
}

static void take_inputs(struct tcg_vcpu *tv)
{
	gva_t pc = tv->guest->linear_pc(tv->v);

	tv->guest->take_inputs(tv->v);
	/* Whoever changes code that another processor runs interrupts it, so that it looks again
	 * (SDM 3A 8.1.3); what ran elsewhere may have changed it. */
	if (tv->tcg->is_helper && tv->guest->linear_pc(tv->v) != pc)
		tlb_flush_all(tv);
}

/* Returns when the vCPU must look at its run state, halts, or has run budget instructions (the
 * interpreter's count).  What is left of budget. */
static int64_t run_slice(struct tcg_vcpu *tv, int64_t budget)
{
	struct interp_run run = { .next = tv->compiler ? no_next : next_block, .budget = budget };
	struct vcpu *v = tv->v;

	tv->env->origin = NULL; /* its block may be gone */
	tv->code_page.page = NULL;
	/* Rounds count too: a guest whose handlers fault at once never uses up its budget. */
	for (unsigned rounds = 0; run.budget >= 0 && rounds < TCG_SLICE_INSNS && !tv->needs_room;
	     rounds++) {
		uint32_t asked;

		if (unlikely(tcg_debug_is_due(tv))) {
			if (tcg_debug_serve(tv, &run))
				continue;
			break;
		}
		if (tv->env->fault) {
			tv->env->fault = 0;
			tv->guest->deliver_fault(v);
			continue;
		}
		asked = atomic_load(v->exit_request);
		if (asked & (uint16_t)~VCPU_EXIT_INPUT)
			break;
		/* Cleared before inputs are looked at: one that comes later sets it again. */
		if (asked)
			atomic_fetch_and(v->exit_request, (uint16_t)~VCPU_EXIT_INPUT);
		if (atomic_load(&v->inputs)) {
			take_inputs(tv);
			if (tv->env->fault || unlikely(tv->has_hit))
				continue;
		}
		v->is_halted = tv->guest->is_halted(v);
		if (v->is_halted)
			break;
		if (unlikely(tcg_restless_is_due(tv->tcg)))
			tcg_restless_look(tv->tcg);
		tv->env->code_stored = false;
		run_blocks(tv, &run);
	}
	atomic_fetch_add(&tv->insns, (uint64_t)(budget - run.budget));
	return run.budget;
}

static void count_time(struct tcg_vcpu *tv)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0)
		tv->counts.cpu_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void tcg_vcpu_run(struct vcpu *v)
{
	struct tcg_vcpu *tv = tcg_of_vcpu(v);
	struct tcg_accel *t = tv->tcg;

	rcu_thread_register();
	while (vcpu_wait_event(v)) {
		if (t->thread_mode == TCG_THREAD_SINGLE)
			tcg_turn_take(&t->turn, v);
		tcg_enter(t);
		rcu_enter();
		run_slice(tv, TCG_SLICE_INSNS);
		rcu_leave();
		tcg_leave(t);
		if (t->thread_mode == TCG_THREAD_SINGLE)
			tcg_turn_drop(&t->turn);
		if (tv->needs_room) {
			tv->counts.no_room++;
			tv->needs_room = false;
			tcg_native_wait(t);
		}
	}
	count_time(tv);
	rcu_thread_unregister();
}

/* ---- on behalf of another accelerator ---- */

enum { SETTLE_ROUNDS = 64 };

/* Instructions whose consequences (a shadow, a trap) no registers show run to where these do. */
static void settle(struct tcg_vcpu *tv)
{
	struct jit_env *env = tv->env;

	for (unsigned i = 0; i < SETTLE_ROUNDS && !tv->guest->is_halted(tv->v); i++) {
		if (unlikely(tcg_debug_is_due(tv))) {
			run_slice(tv, 0);
			if (!tcg_debug_is_due(tv))
				return;
		} else if (env->fault) {
			env->fault = 0;
			tv->guest->deliver_fault(tv->v);
		} else if (tv->guest->is_settled(tv->v)) {
			return;
		} else {
			run_slice(tv, 0);
		}
	}
}

uint64_t tcg_vcpu_run_some(struct vcpu *v, uint64_t insns)
{
	struct tcg_vcpu *tv = tcg_of_vcpu(v);
	uint64_t before = atomic_load(&tv->insns);

	tcg_enter(tv->tcg);
	rcu_enter();
	/* Memory, and what leads there, may be different from what it was. */
	tlb_flush_all(tv);
	run_slice(tv, (int64_t)MIN(insns, (uint64_t)TCG_SOME_MAX) - 1);
	settle(tv);
	rcu_leave();
	tcg_leave(tv->tcg);
	v->is_halted = tv->guest->is_halted(v);
	return atomic_load(&tv->insns) - before;
}
