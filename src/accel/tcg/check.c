/* accel/tcg/check.c - check=on: each block by the interpreter, then the same as host code, and stop
 * at the first difference.
 *
 * The interpreter runs on the guest itself while a log is kept: old and new bytes of memory, what
 * devices were told and what they said.  Then memory and state are put back, and host code runs,
 * whose device accesses are answered from the log.  Afterwards state, memory and what was done to
 * devices must be equal.  Blocks with a helper that runs once (struct ir_helper) are the
 * interpreter's alone.  So is the outcome where the two cannot be compared: a request came between,
 * or code was stored to.
 *
 * Page walks that set accessed and dirty bits are not undone: a block that looks at its own tables
 * may see them too early.  It is run once more before anything is said, unless it touched a device.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "jit/ir.h"
#include "jit/native.h"
#include "cpu/arch.h"
#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE, BYTES_MAX = 64, LOG_MAX = 1 << 14, FILLED_MAX = 64 };

struct tcg_twin {
	struct interp_block code;
	bool runs_once;
	struct rcu_head rcu;
};

/* Bytes of RAM that were stored to. */
struct stored {
	uint8_t *host;
	gva_t addr;
	uint8_t size;
	uint8_t old[BYTES_MAX], after[BYTES_MAX];
};

/* A device's. */
struct device_access {
	gva_t addr;
	uint8_t size;
	bool is_store;
	uint8_t bytes[BYTES_MAX];
};

struct image { /* of what executors and helpers change */
	uint64_t pc, mode;
	uint32_t view, fault;
	void *state; /* behind env */
};

struct tcg_checker {
	enum { PASS_NONE, PASS_INTERPRETER, PASS_HOST } pass;
	const struct jit_mem_ops *ops; /* what is wrapped */
	struct jit_mem_ops wrapped;
	struct stored *stored;
	struct device_access *device;
	unsigned stored_count, device_count;
	unsigned device_at;    /* PASS_HOST: the next one to come */
	bool is_full, is_code; /* the log, or code was hit: no comparison */
	bool is_off;           /* host code did something else to a device */
	/* Where host code may have got write entries of the soft TLB, which the interpreter is not
	 * to use: its stores come here. */
	const struct tlb_view *tlb;
	gva_t filled[FILLED_MAX];
	unsigned filled_count; /* more than FILLED_MAX: anywhere */
	size_t state_size;
	struct image before, interpreted, host;
	uint64_t compared, alone;
};

static struct tcg_checker *check_of(struct jit_env *env) { return tcg_of(env)->check; }

/* ---- the log ---- */

static void log_store(struct tcg_checker *k, gva_t addr, uint8_t *host, unsigned size)
{
	struct stored *s;

	if (k->stored_count == LOG_MAX) {
		k->is_full = true;
		return;
	}
	s = &k->stored[k->stored_count++];
	*s = (struct stored){ .host = host, .addr = addr, .size = (uint8_t)size };
	memcpy(s->old, host, size);
}

static void log_device(struct tcg_checker *k, gva_t addr, unsigned size, bool is_store,
		       const void *bytes)
{
	struct device_access *d;

	if (k->device_count == LOG_MAX) {
		k->is_full = true;
		return;
	}
	d = &k->device[k->device_count++];
	*d = (struct device_access){ .addr = addr, .size = (uint8_t)size, .is_store = is_store };
	memcpy(d->bytes, bytes, size);
}

/* Host code's next access to a device; NULL: not what the interpreter did. */
static const struct device_access *next_device(struct tcg_checker *k, gva_t addr, unsigned size,
					       bool is_store)
{
	const struct device_access *d = &k->device[k->device_at];

	if (k->device_at < k->device_count && d->addr == addr && d->size == size &&
	    d->is_store == is_store) {
		k->device_at++;
		return d;
	}
	k->is_off = true;
	return NULL;
}

/* ---- memory as both passes see it ---- */

static void forget_write_entry(struct jit_env *env, gva_t addr)
{
	unsigned place[] = { tlb_index(addr), tlb_spare(addr) };

	for (unsigned view = 0; view < TLB_VIEWS; view++)
		for (unsigned n = 0; n < ARRAY_SIZE(place); n++)
			__atomic_store_n(&env->tlb[view].e[TLB_WRITE].tag[place[n]],
					 tlb_empty_tag(place[n]), __ATOMIC_RELAXED);
}

/* An access may have made write entries. */
static void note_write_entries(struct jit_env *env, gva_t addr, unsigned size)
{
	struct tcg_checker *k = check_of(env);

	if (k->pass == PASS_INTERPRETER) {
		forget_write_entry(env, addr);
		forget_write_entry(env, addr + size - 1);
	} else if (k->filled_count + 2 > FILLED_MAX) {
		k->filled_count = FILLED_MAX + 1;
	} else {
		k->filled[k->filled_count++] = addr;
		k->filled[k->filled_count++] = addr + size - 1;
	}
}

static void forget_write_entries(struct jit_env *env)
{
	struct tcg_checker *k = check_of(env);
	bool is_all = k->filled_count > FILLED_MAX || k->tlb != env->tlb;

	for (unsigned i = 0; is_all && i < TLB_SIZE; i++) /* these have each place there is */
		forget_write_entry(env, (gva_t)i * PAGE);
	for (unsigned n = 0; !is_all && n < k->filled_count; n++)
		forget_write_entry(env, k->filled[n]);
	k->filled_count = 0;
	k->tlb = env->tlb;
}

/* Where the bytes lie in RAM that may be stored to; they may cross into another page. */
struct pieces {
	uint8_t *host[2];
	unsigned size[2];
};

/* False: not all of it is RAM, or (*fault) it faults. */
static bool find_pieces(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			struct pieces *p, bool *fault)
{
	const struct jit_mem_ops *ops = check_of(env)->ops;

	p->size[0] = MIN(size, (unsigned)(PAGE - addr % PAGE));
	p->size[1] = size - p->size[0];
	p->host[0] = ops->atomic_ptr(env, view, addr, p->size[0], fault);
	if (*fault || !p->size[1])
		return !*fault && p->host[0];
	p->host[1] = ops->atomic_ptr(env, view, addr + p->size[0], p->size[1], fault);
	return !*fault && p->host[0] && p->host[1];
}

static bool check_fill(struct jit_env *env, unsigned view, gva_t addr, bool for_write, bool quiet)
{
	bool ok = check_of(env)->ops->fill(env, view, addr, for_write, quiet);

	if (for_write)
		note_write_entries(env, addr, 1);
	return ok;
}

static bool check_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		       bool for_write, void *out)
{
	struct tcg_checker *k = check_of(env);
	unsigned kind = for_write ? TLB_WRITE : TLB_READ;
	const struct device_access *d;
	bool ok, is_ram;

	if (k->pass == PASS_HOST && k->device_at < k->device_count) {
		/* Asking a device twice is what must not happen. */
		d = &k->device[k->device_at];
		if (!d->is_store && d->addr == addr && d->size == size) {
			k->device_at++;
			memcpy(out, d->bytes, size);
			return true;
		}
	}
	ok = k->ops->load(env, view, addr, size, for_write, out);
	is_ram = tlb_find(&env->tlb[view], kind, addr, size);
	if (k->pass == PASS_INTERPRETER && ok && !is_ram)
		log_device(k, addr, size, false, out);
	if (for_write)
		note_write_entries(env, addr, size);
	k->is_code |= env->code_stored; /* it was watched */
	return ok;
}

/* Where find_pieces() made a write entry, the store is what executors do by themselves. */
static bool store_to_entry(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			   const void *in)
{
	void *p = tlb_find(&env->tlb[view], TLB_WRITE, addr, size);

	if (p) {
		memcpy(p, in, size);
		jit_origin_stored(env, p, size);
	}
	return p;
}

static bool interpreter_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			      const void *in)
{
	struct tcg_checker *k = check_of(env);
	struct pieces p;
	bool fault;

	if (find_pieces(env, view, addr, size, &p, &fault)) {
		log_store(k, addr, p.host[0], p.size[0]);
		if (p.size[1])
			log_store(k, addr + p.size[0], p.host[1], p.size[1]);
		if (store_to_entry(env, view, addr, size, in))
			return true;
	} else if (!fault) {
		log_device(k, addr, size, true, in);
	}
	return !fault && k->ops->store(env, view, addr, size, in);
}

static bool host_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		       const void *in)
{
	struct tcg_checker *k = check_of(env);
	const struct device_access *d;
	struct pieces p;
	bool fault;

	if (find_pieces(env, view, addr, size, &p, &fault))
		return store_to_entry(env, view, addr, size, in) ||
		       k->ops->store(env, view, addr, size, in);
	if (fault)
		return false;
	d = next_device(k, addr, size, true);
	if (d && memcmp(d->bytes, in, size) != 0)
		k->is_off = true;
	return true;
}

static bool check_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			const void *in)
{
	bool ok;

	switch (check_of(env)->pass) {
	case PASS_INTERPRETER: ok = interpreter_store(env, view, addr, size, in); break;
	case PASS_HOST: ok = host_store(env, view, addr, size, in); break;
	default: ok = check_of(env)->ops->store(env, view, addr, size, in); break;
	}
	note_write_entries(env, addr, size);
	check_of(env)->is_code |= env->code_stored;
	return ok;
}

static void *check_atomic_ptr(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			      bool *fault)
{
	struct tcg_checker *k = check_of(env);
	void *p = k->ops->atomic_ptr(env, view, addr, size, fault);

	if (k->pass == PASS_INTERPRETER && p)
		log_store(k, addr, p, size);
	note_write_entries(env, addr, size);
	return p;
}

static void check_stored(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	check_of(env)->ops->stored(env, view, addr, size);
	note_write_entries(env, addr, size);
	check_of(env)->is_code |= env->code_stored;
}

/* ---- state ---- */

static void take_image(const struct tcg_vcpu *tv, struct image *m)
{
	const struct jit_env *env = tv->env;

	m->pc = env->pc;
	m->mode = env->mode;
	m->view = env->view;
	m->fault = env->fault;
	memcpy(m->state, env + 1, tv->check->state_size);
}

static void put_image(struct tcg_vcpu *tv, const struct image *m)
{
	struct jit_env *env = tv->env;

	env->pc = m->pc;
	env->mode = m->mode;
	env->view = m->view;
	env->fault = m->fault;
	env->code_stored = false;
	memcpy(env + 1, m->state, tv->check->state_size);
}

/* The operand of a vector instruction that is done: host code has no need of it. */
static bool is_scratch(const struct tcg_vcpu *tv, size_t offset)
{
	const struct ir_native_state *n = tv->guest->desc->native;

	return n && offset >= n->operand && offset < n->operand + 64u;
}

/* Where a state is not what the interpreter left, from `at` on; state_size: nowhere. */
static size_t find_difference(const struct tcg_vcpu *tv, const void *state, size_t at)
{
	const struct tcg_checker *k = tv->check;
	const uint8_t *a = k->interpreted.state, *b = state;

	if (!at && memcmp(a, b, k->state_size) == 0)
		return k->state_size;
	while (at < k->state_size &&
	       (a[at] == b[at] || is_scratch(tv, at + sizeof(struct jit_env))))
		at++;
	return at;
}

static bool stores_differ(const struct tcg_checker *k)
{
	for (unsigned n = 0; n < k->stored_count; n++)
		if (memcmp(k->stored[n].host, k->stored[n].after, k->stored[n].size) != 0)
			return true;
	return false;
}

/* Host code has just run. */
static bool is_different(const struct tcg_vcpu *tv)
{
	const struct tcg_checker *k = tv->check;
	const struct image *a = &k->interpreted;
	const struct jit_env *b = tv->env;

	return a->pc != b->pc || a->mode != b->mode || a->view != b->view ||
	       !a->fault != !b->fault || find_difference(tv, b + 1, 0) < k->state_size ||
	       stores_differ(k) || k->is_off || k->device_at != k->device_count;
}

/* ---- telling ---- */

static void print_bytes(FILE *out, const char *what, const uint8_t *p, unsigned n)
{
	fprintf(out, "%s", what);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, " %02x", p[i]);
}

static const char *slot_at(const struct tcg_vcpu *tv, size_t offset, unsigned *byte)
{
	for (const struct ir_slot *s = tv->guest->desc->slots; s->name; s++) {
		if (offset >= s->offset && offset < s->offset + (size_t)s->size) {
			*byte = (unsigned)(offset - s->offset);
			return s->name;
		}
	}
	return NULL;
}

static void print_state_differences(const struct tcg_vcpu *tv, FILE *out)
{
	enum { SHOWN = 32 };
	const struct tcg_checker *k = tv->check;
	const uint8_t *a = k->interpreted.state, *b = k->host.state;
	size_t at = find_difference(tv, b, 0);

	for (unsigned n = 0; n < SHOWN && at < k->state_size; n++) {
		size_t offset = at + sizeof(struct jit_env);
		unsigned byte = 0;
		const char *name = slot_at(tv, offset, &byte);

		fprintf(out, "  %s + %zu: %02x, host code %02x\n", name ? name : "state",
			name ? byte : offset, a[at], b[at]);
		at = find_difference(tv, b, at + 1);
	}
}

static void print_memory(const struct tcg_checker *k, FILE *out)
{
	for (unsigned n = 0; n < k->stored_count; n++) {
		const struct stored *s = &k->stored[n];

		if (memcmp(s->host, s->after, s->size) == 0)
			continue;
		fprintf(out, "  memory at 0x%" PRIx64 ":", s->addr);
		print_bytes(out, "", s->after, s->size);
		print_bytes(out, ", host code", s->host, s->size);
		fputc('\n', out);
	}
	if (!k->is_off && k->device_at == k->device_count)
		return;
	fprintf(out, "  host code's accesses to devices are others, from the %u. of %u on\n",
		k->device_at + 1, k->device_count);
}

static void print_image(struct tcg_vcpu *tv, const struct image *m, const char *what, FILE *out)
{
	put_image(tv, m);
	fprintf(out, "%s: pc 0x%" PRIx64 " mode 0x%" PRIx64 " view %u%s\n", what, m->pc, m->mode,
		m->view, m->fault ? ", faulted" : "");
	tv->v->arch->dump(tv->v, out);
}

/* Our own defect: there is nothing to go on with. */
static _Noreturn void stop_here(struct tcg_vcpu *tv, const struct tcg_block *b)
{
	struct tcg_checker *k = tv->check;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	take_image(tv, &k->host);
	fprintf(out,
		"check: vcpu %u: host code differs from the interpreter in the block of %u "
		"instructions at 0x%" PRIx64 ", after %" PRIu64 " blocks\n",
		tv->v->id, b->host.insn_count, k->before.pc, k->compared);
	print_state_differences(tv, out);
	print_memory(k, out);
	print_image(tv, &k->before, "before", out);
	print_image(tv, &k->interpreted, "interpreter", out);
	print_image(tv, &k->host, "host code", out);
	if (tcg_disas_load(&(struct err){ 0 }))
		tcg_disas((const uint8_t *)(uintptr_t)b->host.base, b->host.size, b->host.base,
			  out);
	fclose(out);
	log_line("%s", text);
	free(text);
	abort();
}

/* ---- a block ---- */

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

static void clear_log(struct tcg_checker *k)
{
	k->stored_count = k->device_count = k->device_at = 0;
	k->is_full = k->is_code = k->is_off = false;
}

static void interpret(struct tcg_vcpu *tv, struct tcg_twin *twin, struct interp_run *run)
{
	struct tcg_checker *k = tv->check;
	struct interp_run once = { .next = no_next, .budget = run->budget };

	forget_write_entries(tv->env);
	clear_log(k);
	k->pass = PASS_INTERPRETER;
	interp_run(tv->env, &twin->code, tv->guest->desc, &once);
	k->pass = PASS_NONE;
	run->budget = once.budget;
	take_image(tv, &k->interpreted);
	for (unsigned n = 0; n < k->stored_count; n++)
		memcpy(k->stored[n].after, k->stored[n].host, k->stored[n].size);
}

static void put_back(struct tcg_vcpu *tv)
{
	struct tcg_checker *k = tv->check;

	for (unsigned n = k->stored_count; n-- > 0;)
		memcpy(k->stored[n].host, k->stored[n].old, k->stored[n].size);
	put_image(tv, &k->before);
}

/* What the interpreter did is what happened. */
static void accept(struct tcg_vcpu *tv)
{
	struct tcg_checker *k = tv->check;

	for (unsigned n = 0; n < k->stored_count; n++)
		memcpy(k->stored[n].host, k->stored[n].after, k->stored[n].size);
	put_image(tv, &k->interpreted);
}

static bool is_asked(const struct tcg_vcpu *tv)
{
	return atomic_load_explicit(tv->v->exit_request, memory_order_relaxed);
}

/* Both executors, one after the other.  False: there is nothing to compare. */
static bool run_both(struct tcg_vcpu *tv, const struct tcg_block *b, struct interp_run *run)
{
	struct tcg_checker *k = tv->check;
	enum x64_why why;

	interpret(tv, b->twin, run);
	if (k->is_full || k->is_code || is_asked(tv))
		return false;
	put_back(tv);
	k->pass = PASS_HOST;
	why = tcg_native_run(tv, b);
	k->pass = PASS_NONE;
	if (why == X64_RESTART || k->is_code || is_asked(tv)) {
		accept(tv);
		return false;
	}
	return true;
}

/* Host code left in the middle, for a block whose accesses are checked one by one: it is that one
 * which can be compared, from the beginning. */
static void compare_single(struct tcg_vcpu *tv, struct interp_run *run)
{
	struct tcg_checker *k = tv->check;
	gva_t pc;
	const uint8_t *host;
	struct tcg_block *b = NULL;

	if (k->device_count) { /* the interpreter asked them already */
		tv->wants_single = false;
		accept(tv);
		return;
	}
	put_back(tv);
	pc = tv->guest->linear_pc(tv->v);
	host = tcg_code_at(tv, pc, true);
	tv->wants_single = true;
	b = host ? tcg_block_at(tv, pc, host, NULL) : NULL;
	tv->wants_single = false;
	if (b && b->is_native)
		tcg_check_run(tv, b, run);
	else if (b)
		interp_run(tv->env, &b->code, tv->guest->desc, run);
}

void tcg_check_run(struct tcg_vcpu *tv, const struct tcg_block *b, struct interp_run *run)
{
	struct tcg_checker *k = tv->check;

	if (!b->twin || b->twin->runs_once || is_asked(tv)) {
		struct interp_run once = { .next = no_next, .budget = run->budget };

		k->alone++;
		if (b->twin)
			interp_run(tv->env, &b->twin->code, tv->guest->desc, &once);
		else
			tcg_run_alone(tv, &once, true);
		run->budget = once.budget;
		return;
	}
	take_image(tv, &k->before);
	if (!run_both(tv, b, run))
		return;
	if (tv->wants_single && !(b->key & TCG_KEY_SINGLE)) {
		compare_single(tv, run);
		return;
	}
	k->compared++;
	if (likely(!is_different(tv)))
		return;
	if (!k->device_count) {
		put_back(tv);
		if (!run_both(tv, b, run) || !is_different(tv))
			return;
	}
	stop_here(tv, b);
}

/* ---- twins ---- */

static bool op_runs_once(const struct ir_op *op)
{
	return (op->code == IR_CALL || op->code == IR_CALL_IF) &&
	       ((const struct ir_helper *)(uintptr_t)op->imm)->runs_once;
}

void tcg_check_make(struct tcg_vcpu *tv, struct tcg_block *b, const struct ir_block *ir)
{
	if (!tv->check)
		return;
	b->twin = g_new0(struct tcg_twin, 1);
	if (!interp_lower(tv->lowerer, &b->twin->code, ir)) {
		g_free(b->twin);
		b->twin = NULL;
		return;
	}
	b->twin->code.host_pc = b->host_pc;
	for (unsigned i = 1; i < ir->op_count; i++)
		b->twin->runs_once |= op_runs_once(&ir->ops[i]);
}

static void free_twin(struct rcu_head *head)
{
	struct tcg_twin *twin = container_of(head, struct tcg_twin, rcu);

	rcu_reclaim();
	interp_block_fini(&twin->code);
	g_free(twin);
}

void tcg_check_retire(struct tcg_twin *twin)
{
	if (twin)
		rcu_retire(&twin->rcu, free_twin);
}

void tcg_check_attach(struct tcg_vcpu *tv)
{
	struct tcg_checker *k = g_new0(struct tcg_checker, 1);

	k->ops = tv->env->mem;
	k->wrapped = *k->ops;
	k->wrapped.load = check_load;
	k->wrapped.store = check_store;
	k->wrapped.fill = check_fill;
	k->wrapped.atomic_ptr = check_atomic_ptr;
	k->wrapped.stored = check_stored;
	k->stored = g_new(struct stored, LOG_MAX);
	k->device = g_new(struct device_access, LOG_MAX);
	k->state_size = tv->guest->desc->size - sizeof(struct jit_env);
	k->before.state = g_malloc(k->state_size);
	k->interpreted.state = g_malloc(k->state_size);
	k->host.state = g_malloc(k->state_size);
	tv->check = k;
	tv->env->mem = &k->wrapped;
}

void tcg_check_detach(struct tcg_vcpu *tv)
{
	struct tcg_checker *k = tv->check;

	if (!k)
		return;
	log_line("check: vcpu %u: %" PRIu64 " blocks compared, %" PRIu64
		 " by the interpreter alone",
		 tv->v->id, k->compared, k->alone);
	tv->env->mem = k->ops;
	tv->check = NULL;
	g_free(k->before.state);
	g_free(k->interpreted.state);
	g_free(k->host.state);
	g_free(k->stored);
	g_free(k->device);
	g_free(k);
}
