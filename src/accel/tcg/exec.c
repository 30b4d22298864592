/* accel/tcg/exec.c - the execution loop: find a block, run it, deliver what happened.
 *
 * The executor goes from block to block by itself; it asks next_block() where no link leads on and
 * comes back to run_slice() for faults, inputs, exit requests and after a bounded number of
 * instructions.  A vCPU is inside an RCU reader all that time, so that blocks and flat views that
 * it looks at stay. SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include <glib.h>

#include "base/log.h"
#include "jit/ir.h"
#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE };

static uint64_t key_of(const struct tcg_vcpu *tv)
{
	uint32_t mode = (uint32_t)tv->env->mode;

	return mode | (mode & tv->guest->position_free ? 0 : tv->env->pc << 32);
}

/* ---- finding ---- */

/* Where code at addr lies in host memory, by the fast table or a walk. */
static const uint8_t *code_host(struct tcg_vcpu *tv, gva_t addr, bool quiet)
{
	const uint8_t *p = tlb_hit(&tv->tlb[tv->env->view].e[TLB_EXEC][tlb_index(addr)], addr, 1);
	struct ram_block *ram;
	uint64_t offset;

	return p ? p : tcg_code_host(tv, addr, quiet, &ram, &offset);
}

static struct tcg_block *find_block(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host,
				    uint64_t key)
{
	struct tcg_block *b = rcu_fetch(tv->tcg->cache.buckets[tcg_hash(host, key)]);

	for (; b; b = rcu_fetch(b->hash_next)) {
		if (b->code.host_pc != host || b->key != key)
			continue;
		if (likely(!b->host_second) ||
		    code_host(tv, align_down(pc, PAGE) + PAGE, true) == b->host_second)
			return b;
	}
	return NULL;
}

/* ---- translating ---- */

/* Guest code as the translator reads it; pages are pinned when first touched. */
struct fetch {
	struct guest_fetch base;
	struct tcg_vcpu *tv;
	gva_t page;             /* of the block's first byte */
	const uint8_t *host[2]; /* those pages in host memory */
	bool has_second;
	struct tcg_pin pin;
};

static bool fetch_page(struct fetch *f, unsigned n)
{
	struct ram_block *ram;
	uint64_t offset;

	if (f->host[n])
		return true;
	f->host[n] = tcg_code_host(f->tv, f->page + n * (gva_t)PAGE, false, &ram, &offset);
	if (!f->host[n])
		return false;
	tcg_pin(f->tv->tcg, &f->pin, n, ram, offset);
	return true;
}

static unsigned fetch_bytes(struct guest_fetch *g, gva_t addr, uint8_t *out, unsigned len)
{
	struct fetch *f = container_of(g, struct fetch, base);
	gva_t distance = addr - f->page;
	unsigned n = distance >= PAGE, at = addr % PAGE;

	if (distance >= 2 * (gva_t)PAGE || !fetch_page(f, n))
		return 0;
	len = MIN(len, PAGE - at);
	memcpy(out, f->host[n] + at, len);
	return len;
}

static void log_block(struct tcg_vcpu *tv, const struct ir_block *ir, gva_t pc, struct fetch *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	uint8_t bytes[16];

	if (!out)
		return;
	if (log_on(LOG_IN_ASM) && tv->guest->disassemble) {
		fprintf(out, "IN: 0x%" PRIx64 "\n", pc);
		for (unsigned k = 0; k < ir->insn_count; k++) {
			gva_t at = pc + (uint64_t)(int64_t)ir->insns[k].pc_delta;
			unsigned n = f ? fetch_bytes(&f->base, at, bytes, ir->insns[k].len) : 0;

			fprintf(out, "0x%" PRIx64 ":  ", at);
			if (n)
				tv->guest->disassemble(tv->v, at, bytes, n, out);
			fputc('\n', out);
		}
	}
	if (log_on(LOG_OP)) {
		fprintf(out, "OP: 0x%" PRIx64 "\n", pc);
		ir_print(ir, tv->guest->desc, out);
	}
	fclose(out);
	log_line("%s", text);
	free(text);
}

/* IR and lowered code for env->pc.  False: the fetch faulted. */
static bool compile(struct tcg_vcpu *tv, struct guest_fetch *g, unsigned max_insns,
		    struct interp_block *code, uint32_t *guest_len, struct fetch *f)
{
	const struct ir_block *ir;

	for (;; max_insns /= 2) {
		ir_begin(tv->builder, tv->env->mode, tv->guest->pc_size_log2(tv->v));
		if (!tv->guest->translate(tv->v, tv->builder, g, max_insns, guest_len))
			return false;
		ir = ir_end(tv->builder);
		if (log_on(LOG_IN_ASM | LOG_OP))
			log_block(tv, ir, tv->guest->linear_pc(tv->v), f);
		if (interp_lower(tv->lowerer, code, ir))
			return true;
		g_assert(max_insns > 1);
	}
}

static struct tcg_block *translate_block(struct tcg_vcpu *tv, gva_t pc, uint64_t key)
{
	unsigned max_insns = tv->env->mode & tv->guest->step ? 1 : TCG_MAX_INSNS;
	struct tcg_block *b;
	bool ok;

	do {
		struct fetch f = { .base.bytes = fetch_bytes,
				   .tv = tv,
				   .page = align_down(pc, PAGE) };

		b = g_new0(struct tcg_block, 1);
		if (!fetch_page(&f, 0) ||
		    !compile(tv, &f.base, max_insns, &b->code, &b->guest_len, &f)) {
			tcg_unpin(tv->tcg, &f.pin);
			g_free(b);
			return NULL;
		}
		if (!b->guest_len)
			b->guest_len = 1;
		b->key = key;
		b->code.host_pc = f.host[0] + pc % PAGE;
		if (pc % PAGE + b->guest_len > PAGE)
			b->host_second = f.host[1];
		b->outgoing = g_new0(struct tcg_link, b->code.exit_count);
		TRACE(tcg_translate, "vcpu %u: pc 0x%" PRIx64 " mode 0x%" PRIx64 ", %u bytes",
		      tv->v->id, pc, tv->env->mode, b->guest_len);
		ok = tcg_cache_insert(tv->tcg, &b, &f.pin);
		tcg_unpin(tv->tcg, &f.pin);
		if (!ok)
			tcg_block_free(b);
	} while (!ok);
	return b;
}

/* ---- the next block ---- */

static void link_blocks(struct tcg_vcpu *tv, struct tcg_block *from, unsigned n,
			struct tcg_block *to)
{
	uint64_t at = (uintptr_t)from->code.host_pc % PAGE + (uint64_t)from->code.exits[n].pc_delta;
	bool same_page = at < PAGE &&
			 to->code.host_pc - from->code.host_pc == from->code.exits[n].pc_delta;

	/* A block's second page has to be looked up at every entry. */
	if (to->host_second || (!same_page && !(tv->env->mode & tv->guest->flat_code)))
		return;
	tcg_cache_link(tv->tcg, from, n, to, !same_page);
}

static struct interp_block *next_block(struct jit_env *env, struct interp_block *from, unsigned n)
{
	struct tcg_vcpu *tv = tcg_of(env);
	uint64_t key = key_of(tv);
	struct tcg_block *b;
	const uint8_t *host;
	gva_t pc;

	/* Stepping, and code that cannot be cached, go through the loop. */
	if (env->mode & tv->guest->step)
		return NULL;
	pc = tv->guest->linear_pc(tv->v);
	host = code_host(tv, pc, false);
	if (!host)
		return NULL;
	b = find_block(tv, pc, host, key);
	if (unlikely(!b))
		b = translate_block(tv, pc, key);
	if (unlikely(!b))
		return NULL;
	if (log_on(LOG_EXEC | LOG_CPU)) {
		log_line("Trace %u: 0x%" PRIx64 " mode 0x%" PRIx64, tv->v->id, pc, env->mode);
		if (log_on(LOG_CPU))
			return NULL;
	} else if (from && n != INTERP_INDIRECT) {
		link_blocks(tv, container_of(from, struct tcg_block, code), n, b);
	}
	return &b->code;
}

/* ---- code outside memory: one instruction at a time, not kept ---- */

static unsigned fetch_io(struct guest_fetch *g, gva_t addr, uint8_t *out, unsigned len)
{
	struct fetch *f = container_of(g, struct fetch, base);
	struct mmu_result r = { 0 };

	len = MIN(len, PAGE - addr % PAGE);
	if (!f->tv->v->arch->walk(f->tv->v, addr, MMU_EXEC, f->tv->env->view, true, &r)) {
		f->tv->guest->access_fault(f->tv->v, addr, MMU_EXEC, f->tv->env->view, &r);
		return 0;
	}
	for (unsigned i = 0; i < len; i++) {
		uint64_t byte;

		address_space_read(f->tv->v->memory, r.gpa + i, 1, &byte);
		out[i] = (uint8_t)byte;
	}
	return len;
}

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

static void run_uncached(struct tcg_vcpu *tv, struct interp_run *run)
{
	struct fetch f = { .base.bytes = fetch_io, .tv = tv };
	struct interp_block code = { 0 };
	uint32_t guest_len;

	if (!compile(tv, &f.base, 1, &code, &guest_len, NULL))
		return;
	run->next = no_next;
	interp_run(tv->env, &code, tv->guest->desc, run);
	run->next = next_block;
	interp_block_fini(&code);
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

/* Run blocks from env->pc on until something must be looked at. */
static void run_blocks(struct tcg_vcpu *tv, struct interp_run *run)
{
	struct jit_env *env = tv->env;
	bool is_step = env->mode & tv->guest->step;
	gva_t pc = tv->guest->linear_pc(tv->v);
	const uint8_t *host = code_host(tv, pc, false);
	uint64_t key = key_of(tv);
	struct tcg_block *b;

	if (!host) {
		if (!env->fault)
			run_uncached(tv, run);
	} else {
		b = find_block(tv, pc, host, key);
		if (!b)
			b = translate_block(tv, pc, key);
		if (b) {
			if (log_on(LOG_EXEC))
				log_line("Trace %u: 0x%" PRIx64 " mode 0x%" PRIx64, tv->v->id, pc,
					 env->mode);
			if (log_on(LOG_CPU))
				log_registers(tv);
			interp_run(env, &b->code, tv->guest->desc, run);
		}
	}
	if (is_step && !env->fault)
		tv->guest->after_step(tv->v);
}

/* Returns when the vCPU must look at its run state, halts, or has run long enough. */
static void run_slice(struct tcg_vcpu *tv)
{
	struct interp_run run = { .next = next_block, .budget = TCG_SLICE_INSNS };
	struct vcpu *v = tv->v;

	/* Rounds count too: a guest whose handlers fault at once never uses up its budget. */
	for (unsigned rounds = 0; run.budget >= 0 && rounds < TCG_SLICE_INSNS; rounds++) {
		uint32_t asked;

		if (tv->env->fault) {
			tv->env->fault = 0;
			tv->guest->deliver_fault(v);
			continue;
		}
		asked = atomic_load(&v->exit_request);
		if (asked & ~(uint32_t)VCPU_EXIT_INPUT)
			break;
		/* Cleared before inputs are looked at: one that comes later sets it again. */
		if (asked)
			atomic_fetch_and(&v->exit_request, ~(uint32_t)VCPU_EXIT_INPUT);
		if (atomic_load(&v->inputs)) {
			tv->guest->take_inputs(v);
			if (tv->env->fault)
				continue;
		}
		v->is_halted = tv->guest->is_halted(v);
		if (v->is_halted)
			break;
		tv->env->code_stored = false;
		run_blocks(tv, &run);
	}
	atomic_fetch_add(&tv->insns, (uint64_t)(TCG_SLICE_INSNS - run.budget));
}

void tcg_vcpu_run(struct vcpu *v)
{
	struct tcg_vcpu *tv = v->accel_data;

	rcu_thread_register();
	while (vcpu_wait_event(v)) {
		tcg_enter(tv->tcg);
		rcu_enter();
		run_slice(tv);
		rcu_leave();
		tcg_leave(tv->tcg);
	}
	rcu_thread_unregister();
}
