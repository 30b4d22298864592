/* jit/x64/run.c - running translated code, and the C side of its thunks.
 *
 * While C is called the guest's registers are in the state, where it may look at them.  A function
 * that makes the block be left says where the guest then is: it finds the place by the return
 * address, and sets env->pc and the flags to what the guest sees there.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/bits.h"
#include "jit/interp_slow.h"
#include "jit/ir_eval.h"
#include "jit/x64/lower.h"
#include "jit/x64/lower_vec.h"

enum { GO_ON = 0, CALL_SIZE = 5, GPR_BYTES = 16 * 8 };

static struct x64_jit *jit_of(const struct jit_env *env) { return env->native; }

/* ---- flags ---- */

/* The operands of an operation whose result is known. */
static void flags_from_result(struct jit_env *env)
{
	uint64_t r = env->flags_a;

	switch (env->flags_kind & 0xff) {
	case IR_ADD: env->flags_a = r - env->flags_b; break;
	case IR_SUB: env->flags_a = r + env->flags_b; break;
	case IR_NEG: env->flags_a = 0 - r; break;
	case IR_INC: env->flags_a = r - 1; break;
	case IR_DEC: env->flags_a = r + 1; break;
	default: /* AND OR XOR ANDN */
		env->flags_kind = interp_kind(IR_AND, env->flags_kind >> 8 & 0xff);
		env->flags_b = r;
		break;
	}
}

void x64_flags_normalize(struct jit_env *env)
{
	if (env->flags_kind >> 16 == FORM_AB)
		return;
	flags_from_result(env);
	env->flags_kind &= 0xffff;
}

/* ---- where the guest is ---- */

/* Its code may be dropped by now, but not gone: somebody runs there. */
static struct x64_code *code_at(struct jit_env *env, uint64_t ret)
{
	struct x64_code *code = code_find(jit_of(env)->cache, ret - 1);

	assert(code);
	return code;
}

static uint64_t code_pc(const struct jit_env *env, const struct x64_code *code, int64_t delta)
{
	uint64_t pc = code->pc_base + (uint64_t)delta;

	return code->is_free ? env->page + pc : ir_cut(code->pc_size, pc);
}

/* ---- leaving inside an instruction ---- */

/* What a recipe's operands are taken from. */
struct site_view {
	const struct jit_env *env;
	const struct x64_code *code;
	const uint64_t *gpr; /* the guest's registers as they were at the site */
};

static uint64_t slot_value(const struct site_view *v, uint32_t at)
{
	const struct x64_jit *j = jit_of(v->env);
	const char *from = (const char *)v->env;
	uint32_t end = j->desc->size;
	uint64_t value = 0;

	if (at >= j->first_gpr && at < j->first_gpr + GPR_BYTES) {
		from = (const char *)v->gpr;
		at -= j->first_gpr;
		end = GPR_BYTES;
	}
	memcpy(&value, from + at, end - at < sizeof(value) ? end - at : sizeof(value));
	return value;
}

static uint64_t operand(const struct site_view *v, const struct site_place *p)
{
	const uint8_t *gpr_of = jit_of(v->env)->gpr_of;

	switch (p->kind) {
	case PLACE_NONE: return 0;
	case PLACE_CONST: return tables_constants(v->code)[p->at];
	case PLACE_SLOT: return slot_value(v, p->at);
	case PLACE_TMP: return v->env->tmp[p->at];
	default: break;
	}
	assert((p->kind == PLACE_REG || p->kind == PLACE_HIGH) && p->reg < 16 &&
	       gpr_of[p->reg] < 16);
	return v->gpr[gpr_of[p->reg]] >> (p->kind == PLACE_HIGH ? 8 : 0);
}

static const uint64_t *registers(const struct jit_env *env)
{
	return (const uint64_t *)(const void *)((const char *)env + jit_of(env)->first_gpr);
}

/* The guest's flags are those at the site. */
static void site_flags(struct jit_env *env, const struct x64_code *code,
		       const struct x64_site *site, const uint64_t *gpr)
{
	struct site_view v = { .env = env, .code = code, .gpr = gpr };

	if (!site->kind)
		return;
	env->flags_a = operand(&v, &site->a);
	env->flags_b = operand(&v, &site->b);
	env->flags_c = (uint32_t)operand(&v, &site->c);
	env->flags_kind = site->kind;
}

static uint64_t leave(struct jit_env *env, enum x64_why why)
{
	env->why = why;
	return jit_of(env)->thunk.leave;
}

/* The guest is before the instruction that called, which may have changed registers. */
static void go_back(struct jit_env *env, uint64_t ret, const uint64_t *gpr)
{
	const struct x64_code *code = code_at(env, ret);
	const struct x64_site site = tables_site(code, ret);

	env->pc = code_pc(env, code, site.pc_delta);
	if (gpr)
		site_flags(env, code, &site, gpr);
}

/* What follows from env->pc and env->view. */
static inline void env_update(struct jit_env *env)
{
	env->tlb_view = (uintptr_t)&env->tlb[env->view] + TLB_BIAS;
	env->page = align_down(env->pc, UINT64_C(4096));
}

/* Where the code for env->pc runs, or 0: leave. */
static uint64_t go_on(struct jit_env *env, struct x64_code *from, unsigned n)
{
	const struct x64_code *to;

	if (n != X64_FAULTED && atomic_load_explicit(&env->exit_request, memory_order_relaxed)) {
		env->why = X64_ASKED;
		return 0;
	}
	to = jit_of(env)->ops->next(env, from, n);
	if (!to) {
		env->why = env->fault ? X64_FAULT : X64_LOOP;
		return 0;
	}
	env_update(env);
	return to->run;
}

/* The exception that env->fault tells of is delivered, and its handler goes on.  All is published;
 * vectors are not in the host's registers. */
static uint64_t deliver(struct jit_env *env)
{
	uint64_t run;

	if (env->has_x87)
		x64_rt_x87_save(env);
	x64_flags_sync(env, jit_of(env)->desc);
	run = go_on(env, NULL, X64_FAULTED);
	return run ? run : jit_of(env)->thunk.leave;
}

static uint64_t fault_at(struct jit_env *env, uint64_t ret)
{
	go_back(env, ret, registers(env));
	return deliver(env);
}

/* Do the calls that return there belong to one instruction? */
static bool is_same_insn(struct jit_env *env, uint64_t ret, uint64_t other)
{
	const struct x64_code *code = code_at(env, ret);

	return other - code->base < code->size &&
	       tables_site(code, ret).pc_delta == tables_site(code, other).pc_delta;
}

static uint64_t leave_restart(struct jit_env *env, uint64_t ret)
{
	env->has_loaded = is_same_insn(env, ret, env->last_load);
	go_back(env, ret, registers(env));
	return leave(env, X64_RESTART);
}

/* ---- memory ---- */

static unsigned access_bytes(uint32_t access) { return access & 0xff; }
static bool access_is_rmw(uint32_t access) { return access >> 16 & 1; }
static bool access_is_store(uint32_t access) { return access >> 17 & 1; }

static unsigned access_view(const struct jit_env *env, uint32_t access)
{
	unsigned view_plus_1 = access >> 8 & 0xff;

	return view_plus_1 ? view_plus_1 - 1 : env->view;
}

static uint64_t load(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret)
{
	unsigned size = access_bytes(access);

	assert(size <= sizeof(env->bounce));
	if (unlikely(env->has_watches) && jit_of(env)->ops->is_watched(env, addr, size))
		return leave_restart(env, ret);
	env->last_load = ret;
	memset(env->bounce, 0, sizeof(uint64_t));
	if (!env->mem->load(env, access_view(env, access), addr, size, access_is_rmw(access),
			    env->bounce))
		return fault_at(env, ret);
	return GO_ON;
}

static uint64_t store(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret)
{
	unsigned size = access_bytes(access), view = access_view(env, access);

	assert(size <= sizeof(env->bounce));
	if (jit_of(env)->ops->hits_code(env, view, addr, size))
		return leave_restart(env, ret);
	if (!env->mem->store(env, view, addr, size, env->bounce))
		return fault_at(env, ret);
	return GO_ON;
}

uint64_t x64_rt_load(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret)
{
	env->bounce_addr = addr;
	return load(env, addr, access, ret);
}

uint64_t x64_rt_store(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret)
{
	return store(env, addr, access, ret);
}

uint64_t x64_rt_commit(struct jit_env *env, gva_t unused, uint32_t access, uint64_t ret)
{
	(void)unused;
	return store(env, env->bounce_addr, access, ret);
}

/* Word by word, as they were stored just now: wider loads would wait for all of those stores. */
static void copy_words(uint64_t *out, const uint64_t *in, unsigned n)
{
#pragma GCC unroll 16
	for (unsigned i = 0; i < n; i++)
		__atomic_store_n(&out[i], __atomic_load_n(&in[i], __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
}

static void bounce_take(const struct jit_env *env, uint64_t value[3])
{
	copy_words(value, (const uint64_t *)(const void *)env->bounce, 3);
}

static void bounce_give(struct jit_env *env, uint64_t value)
{
	memcpy(env->bounce, &value, sizeof(value));
}

/* Only what the first access of the group would do is done: its page is looked up, and it may
 * fault. */
uint64_t x64_rt_group(struct jit_env *env, gva_t addr, uint32_t pack, uint64_t ret)
{
	unsigned kind = pack & GROUP_WRITE ? TLB_WRITE : TLB_READ;
	gva_t first = addr + (pack >> GROUP_FIRST_SHIFT & GROUP_BYTES_MASK);

	if (!env->mem->fill(env, env->view, first, pack & GROUP_FIRST_WRITE, false))
		return fault_at(env, ret);
	if (pack & GROUP_THEN_WRITE)
		env->mem->fill(env, env->view, first, true, true);
	bounce_give(env,
		    (uintptr_t)tlb_find(&env->tlb[env->view], kind, addr, pack & GROUP_BYTES_MASK));
	return GO_ON;
}

uint64_t x64_rt_access(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret)
{
	return access_is_store(access) ? store(env, addr, access, ret)
				       : load(env, addr, access, ret);
}

/* ---- calls ---- */

uint64_t x64_rt_atomic(struct jit_env *env, uint64_t kind, uint32_t unused, uint64_t ret)
{
	uint64_t arg[3], old = 0;
	unsigned size = 1u << (kind >> 8 & 3);

	(void)unused;
	bounce_take(env, arg);
	if (jit_of(env)->ops->hits_code(env, env->view, arg[0], size))
		return leave_restart(env, ret);
	if (!interp_atomic(env, (uint32_t)kind, arg[0], arg[1], arg[2], &old))
		return fault_at(env, ret);
	bounce_give(env, old);
	return GO_ON;
}

/* Translated code was stored to, or something else asks to look around.  Where its instruction ends
 * with the call the guest sees that at once.  gpr NULL: the flags are the slot's. */
static uint64_t stored_at(struct jit_env *env, uint64_t ret, const uint64_t *gpr)
{
	const struct x64_code *code = code_at(env, ret);
	const struct x64_site site = tables_site(code, ret);

	if (!site.is_last)
		return GO_ON;
	env->pc = code_pc(env, code, site.pc_next);
	if (gpr)
		site_flags(env, code, &site, gpr);
	return leave(env, X64_LOOP);
}

uint64_t x64_rt_stored(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret)
{
	(void)unused1;
	(void)unused2;
	return stored_at(env, ret, registers(env));
}

uint64_t x64_rt_helper(struct jit_env *env, const struct ir_helper *h, uint32_t has_recipe,
		       uint64_t ret)
{
	const uint64_t *before = NULL;
	uint64_t arg[3], gpr[16];
	bool had_stored;

	bounce_take(env, arg);
	/* A helper that faults may have done half its work, as strings do; the flags are still
	 * those of before, and may be made of registers of before. */
	if (has_recipe) {
		copy_words(gpr, registers(env), ARRAY_SIZE(gpr));
		before = gpr;
	}
	if (h->reads_flags || h->writes_flags)
		x64_flags_sync(env, jit_of(env)->desc);
	/* Strings stop at what is stored to code from now on. */
	had_stored = env->code_stored;
	env->code_stored = false;
	bounce_give(env, h->fn(env, arg[0], arg[1], arg[2]));
	env->code_stored |= had_stored;
	if (unlikely(h->can_fault && env->fault)) {
		go_back(env, ret, before);
		return deliver(env);
	}
	if (unlikely(env->code_stored))
		return stored_at(env, ret, before);
	return GO_ON;
}

uint64_t x64_rt_transfer(struct jit_env *env, const struct ir_helper *h, uint32_t unused,
			 uint64_t ret)
{
	bool is_synced = h->reads_flags || h->writes_flags;
	uint64_t arg[3];

	(void)unused;
	bounce_take(env, arg);
	if (h->shortcut && likely(h->shortcut(env, arg[0], arg[1], arg[2]))) {
		env->flags_kind = 0;
		return go_on(env, NULL, X64_LOOPED);
	}
	if (is_synced)
		x64_flags_sync(env, jit_of(env)->desc);
	h->fn(env, arg[0], arg[1], arg[2]);
	if (likely(!env->fault))
		return go_on(env, NULL, X64_LOOPED);
	go_back(env, ret, is_synced ? NULL : registers(env));
	return deliver(env);
}

uint64_t x64_rt_native(struct jit_env *env, const struct ir_native *n, uint32_t unused,
		       uint64_t ret)
{
	uint64_t arg[3];

	(void)unused;
	bounce_take(env, arg);
	n->fn(env, n, arg[0]);
	if (unlikely(n->can_fault && env->fault))
		return fault_at(env, ret);
	return GO_ON;
}

uint64_t x64_rt_env_bits(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret)
{
	(void)unused1;
	(void)unused2;
	(void)ret;
	x64_flags_normalize(env);
	bounce_give(env, interp_flags_now(env, jit_of(env)->desc));
	return GO_ON;
}

uint64_t x64_rt_bits(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret)
{
	const struct x64_code *code = code_at(env, ret);
	const struct x64_site site = tables_site(code, ret);
	uint64_t a = env->flags_a, b = env->flags_b;
	uint32_t kind = env->flags_kind, c = env->flags_c;

	(void)unused1;
	(void)unused2;
	site_flags(env, code, &site, registers(env));
	x64_flags_normalize(env);
	bounce_give(env, interp_flags_now(env, jit_of(env)->desc));
	env->flags_a = a;
	env->flags_b = b;
	env->flags_c = c;
	env->flags_kind = kind;
	return GO_ON;
}

/* ---- from block to block ---- */

uint64_t x64_rt_link(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret)
{
	struct x64_code *code = code_at(env, ret);
	uint32_t stub = (uint32_t)(ret - CALL_SIZE - code->base);
	unsigned n = 0;

	(void)unused1;
	(void)unused2;
	while (n < code->exit_count && code->exits[n].stub != stub && code->exits[n].ask != stub)
		n++;
	assert(n < code->exit_count);
	env->pc = code_pc(env, code, code->exits[n].pc_delta);
	if (code->exits[n].key && code->exits[n].stub == stub) /* page is the target's already */
		env->pc = env->page + env->pc % 4096;
	return go_on(env, code, n);
}

uint64_t x64_rt_miss(struct jit_env *env, uint64_t pc)
{
	env->pc = pc;
	return go_on(env, NULL, X64_INDIRECT);
}

uint64_t x64_rt_dispatch(struct jit_env *env)
{
	if (env->fault) {
		env->why = X64_FAULT;
		return 0;
	}
	return go_on(env, NULL, X64_LOOPED);
}

enum x64_why x64_run(struct x64_jit *j, struct jit_env *env, const struct x64_code *code)
{
	enum x64_why (*enter)(struct jit_env *, uint64_t) = (enum x64_why(*)(
		struct jit_env *, uint64_t))(uintptr_t)j->thunk.enter;
	enum x64_why why;

	env->native = j;
	env->flags_kind = 0;
	env->drop_frames = false;
	env->last_load = 0;
	env_update(env);
	why = enter(env, code->run);
	x64_flags_sync(env, j->desc);
	return why;
}
