/* tests/unit/jit/x64/world.h - a guest, a code cache, and blocks written by hand with the tables
 * that the compiler would leave.
 *
 * The C side scribbles on every register that it may, so that nothing survives by luck.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/bits.h"
#include "base/err.h"
#include "jit/code_cache.h"
#include "jit/ir_eval.h"
#include "jit/x64/lower.h"

enum { CACHE_SIZE = 512 << 10, CHUNK = 64 << 10, CHUNKS = 8, ROOM = 2048 };
/* Guest registers, by their numbers on any x86. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R10 = 10, R11, R12, R13 };
enum { PAGE = 4096, MEM = 8 * PAGE, FAULT_AT = 3 * PAGE, CODE_AT = 5 * PAGE, DEVICE_AT = 6 * PAGE };

struct guest {
	struct jit_env env;
	uint64_t gpr[16];
	uint32_t flags;
	uint8_t mem[MEM];

	/* what C was told */
	unsigned view, size, loads, stores, fills, nexts;
	bool for_write;
	uint64_t arg[3], seen_pc;
	uint32_t seen_flags;
	struct x64_code *from;
	unsigned n;

	/* what it is to answer */
	struct x64_code *to;
	bool links, next_faults, is_usual;
	uint32_t fault, stored;
};

/* clang-format off */
#define GPR(n) { "g" #n, offsetof(struct guest, gpr) + 8 * (n), 8, (n) + 1 }
static const struct ir_slot guest_slots[] = {
	GPR(0), GPR(1), GPR(2), GPR(3), GPR(4), GPR(5), GPR(6), GPR(7),
	GPR(8), GPR(9), GPR(10), GPR(11), GPR(12), GPR(13), GPR(14), GPR(15),
	{ "flags", offsetof(struct guest, flags), 4, 0 },
	{ 0 },
};
/* clang-format on */
static const struct ir_state_desc guest_desc = {
	.slots = guest_slots,
	.pc_offset = offsetof(struct guest, env.pc),
	.flags_offset = offsetof(struct guest, flags),
	.size = sizeof(struct guest),
};

static inline struct guest *guest_of(struct jit_env *env)
{
	return container_of(env, struct guest, env);
}

/* ---- the C side ---- */

/* Called with a stack as the psABI has it; afterwards no register that C may destroy is whole. */
static inline void scribble(const void *frame)
{
	g_assert_cmpuint((uintptr_t)frame % 16, ==, 0);
	__asm__ volatile("mov $0x5a5a5a5a, %%eax\n\t"
			 "mov %%rax, %%rcx\n\tmov %%rax, %%rdx\n\tmov %%rax, %%rsi\n\t"
			 "mov %%rax, %%rdi\n\tmov %%rax, %%r8\n\tmov %%rax, %%r9\n\t"
			 "mov %%rax, %%r10\n\tmov %%rax, %%r11\n\tor %%eax, %%eax"
			 :
			 :
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
}
#define SCRIBBLE() scribble(__builtin_frame_address(0))

static inline bool guest_access(struct guest *g, unsigned view, gva_t addr, unsigned size)
{
	g->view = view;
	g->size = size;
	if (addr + size <= MEM && (addr + size <= FAULT_AT || addr >= FAULT_AT + PAGE))
		return true;
	g->env.fault = 1;
	return false;
}

static inline bool guest_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			      bool for_write, void *out)
{
	struct guest *g = guest_of(env);

	SCRIBBLE();
	g->loads++;
	g->for_write = for_write;
	if (!guest_access(g, view, addr, size))
		return false;
	memcpy(out, g->mem + addr, size);
	return true;
}

static inline bool guest_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			       const void *in)
{
	struct guest *g = guest_of(env);

	SCRIBBLE();
	g->stores++;
	if (!guest_access(g, view, addr, size))
		return false;
	memcpy(g->mem + addr, in, size);
	return true;
}

static inline bool guest_fill(struct jit_env *env, unsigned view, gva_t addr, bool for_write,
			      bool quiet)
{
	struct guest *g = guest_of(env);

	SCRIBBLE();
	g->fills++;
	g->for_write = for_write;
	return quiet || guest_access(g, view, addr, 1);
}

static inline void *guest_atomic_ptr(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
				     bool *fault)
{
	struct guest *g = guest_of(env);

	SCRIBBLE();
	*fault = !guest_access(g, view, addr, size);
	return *fault || addr >= DEVICE_AT ? NULL : g->mem + addr;
}

static inline void guest_nothing(struct jit_env *env) { (void)env; }

static inline void guest_stored(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	(void)view;
	(void)addr;
	(void)size;
	guest_of(env)->stores++;
}

static const struct jit_mem_ops guest_mem = {
	.load = guest_load,
	.store = guest_store,
	.fill = guest_fill,
	.atomic_ptr = guest_atomic_ptr,
	.exclusive_begin = guest_nothing,
	.exclusive_end = guest_nothing,
	.stored = guest_stored,
};

static struct x64_jit *linking; /* whose blocks next() links */

static inline struct x64_code *guest_next(struct jit_env *env, struct x64_code *from, unsigned n)
{
	struct guest *g = guest_of(env);

	SCRIBBLE();
	g->nexts++;
	g->from = from;
	g->n = n;
	if (g->next_faults)
		env->fault = 1;
	if (g->links)
		x64_link(linking, from, n, g->to);
	return g->next_faults ? NULL : g->to;
}

static inline bool guest_hits_code(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	(void)env;
	(void)view;
	return addr + size > CODE_AT && addr < CODE_AT + PAGE;
}

static const struct x64_ops guest_ops = { .next = guest_next, .hits_code = guest_hits_code };

/* ---- a world to run in ---- */

static inline void no_evict(void *opaque, void *owner)
{
	(void)opaque;
	(void)owner;
	g_assert_not_reached();
}

static inline void no_retire(void *opaque, unsigned chunk)
{
	(void)opaque;
	(void)chunk;
}

static const struct code_cache_ops cache_ops = { .evict = no_evict, .retire = no_retire };

struct world {
	struct code_cache *cache;
	struct x64_jit *jit;
	struct code_writer writer;
	struct tlb_view *tlb;
	struct guest *g;
};

/* A block that is being written. */
struct block {
	struct x64_code code; /* first */
	struct x64_asm a;
	struct world *w;
	struct x64_exit exits[4];
	struct x64_site sites[8];
	uint64_t constants[2];
	uint64_t tables[64];
};

enum { BLOCK_PC = 0x401230, SITE_DELTA = 0x24 };

static inline bool world_init(struct world *w)
{
	struct err err;

	memset(w, 0, sizeof(*w));
	if (!x64_host_ok(&err)) {
		g_test_skip(err.text);
		return false;
	}
	w->cache = code_cache_new(CACHE_SIZE, 0xcc, &cache_ops, NULL, &err);
	if (!w->cache) {
		g_test_skip(err.text);
		return false;
	}
	w->jit = x64_jit_new(w->cache, &guest_desc, &guest_ops, &err);
	g_assert_nonnull(w->jit);
	linking = w->jit;
	code_writer_init(&w->writer, w->cache, false);
	w->tlb = tlb_views_new();
	for (unsigned v = 0; v < TLB_VIEWS; v++)
		tlb_view_init(&w->tlb[v]);
	w->g = aligned_alloc(64, align_up(sizeof(*w->g), 64));
	memset(w->g, 0, sizeof(*w->g));
	w->g->env.mem = &guest_mem;
	w->g->env.tlb = w->tlb;
	w->g->env.view = 1;
	w->g->env.pc = BLOCK_PC;
	for (unsigned i = 0; i < 16; i++)
		w->g->gpr[i] = UINT64_C(0x1111111111111111) * i;
	for (unsigned i = 0; i < MEM; i++)
		w->g->mem[i] = (uint8_t)(i * 7 + (i >> 8));
	return true;
}

static inline void world_fini(struct world *w)
{
	code_writer_fini(&w->writer);
	x64_jit_free(w->jit);
	code_cache_free(w->cache);
	free(w->tlb);
	free(w->g);
}

static inline struct x64_rm at(const struct block *b, size_t offset)
{
	return x64_m(P, (int32_t)((uint32_t)offset - b->w->jit->anchor));
}
#define GUEST(b, field) at(b, offsetof(struct guest, field))

static inline void block_begin(struct world *w, struct block *b)
{
	uint8_t *write;
	uint64_t run;

	memset(b, 0, sizeof(*b));
	b->w = w;
	g_assert_true(code_reserve(&w->writer, ROOM, &write, &run));
	x64_begin(&b->a, write, run, ROOM);
	b->code = (struct x64_code){ .base = run, .run = run, .poll_entry = run };
	b->code.pc_base = BLOCK_PC;
	b->code.pc_size = 3;
}

/* Call a thunk; the call is a site, with flags as env has them. */
static inline struct x64_site *block_call(struct block *b, uint64_t thunk)
{
	struct x64_site *s = &b->sites[b->code.site_count++];

	x64_call_at(&b->a, thunk);
	*s = (struct x64_site){ .at = x64_offset(&b->a),
				.pc_delta = SITE_DELTA,
				.pc_next = SITE_DELTA + 1 };
	return s;
}

/* The block's sites and exits as C finds them. */
static inline void block_tables(struct block *b)
{
	const struct x64_tables t = {
		.exits = b->exits,
		.sites = b->sites,
		.constants = b->constants,
		.exit_count = b->code.exit_count,
		.site_count = b->code.site_count,
		.constant_count = ARRAY_SIZE(b->constants),
	};

	g_assert_cmpuint(tables_room(&t), <=, sizeof(b->tables));
	tables_write(&b->code, &t, b->tables);
}

static inline void block_commit(struct block *b)
{
	g_assert_false(b->a.is_full);
	block_tables(b);
	b->code.size = x64_offset(&b->a);
	code_commit(&b->w->writer, b->code.size, &b->code);
}

/* Out by a request that waits, at the pc that the state has. */
static inline void block_ask(struct block *b)
{
	x64_mov(&b->a, 8, S0, at(b, b->w->jit->desc->pc_offset));
	x64_jmp_at(&b->a, b->w->jit->thunk.asked);
}

static inline void block_end(struct block *b)
{
	block_ask(b);
	block_commit(b);
}

static inline enum x64_why block_run(struct block *b)
{
	block_tables(b); /* a site may have been changed since */
	return x64_run(b->w->jit, &b->w->g->env, &b->code);
}

static inline void block_bounce(struct block *b, unsigned i, uint64_t v)
{
	x64_mov_ri(&b->a, S1, v);
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.bounce) + 8 * i), S1);
}

static inline uint64_t mem_get(const struct world *w, uint64_t addr, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, w->g->mem + addr, size);
	return v;
}

static inline void assert_left(const struct world *w, enum x64_why is, enum x64_why why,
			       uint64_t pc)
{
	g_assert_cmpuint(is, ==, why);
	g_assert_cmphex(w->g->env.pc, ==, pc);
	g_assert_cmpuint(w->g->env.flags_kind, ==, 0);
}

/* Registers that a test's block leaves alone are as world_init() made them; mask: others. */
static inline void assert_registers(const struct world *w, uint32_t changed)
{
	for (unsigned i = 0; i < 16; i++)
		if (!(changed & 1u << i))
			g_assert_cmphex(w->g->gpr[i], ==, UINT64_C(0x1111111111111111) * i);
}

/* Run a block of one access at addr, and leave it inside. */
enum access_kind { BY_LOAD, BY_MODIFY, BY_STORE, BY_COMMIT, BY_ACCESS, BY_ATOMIC };

static inline void begin_access(struct world *w, struct block *b, enum access_kind kind,
				uint64_t addr)
{
	const struct x64_thunks *t = &w->jit->thunk;
	const uint64_t thunk[] = { t->load[2],   t->modify[2], t->store[2],
				   t->commit[2], t->access,    t->atomic };

	block_begin(w, b);
	block_bounce(b, 0, addr);
	block_bounce(b, 1, 5);
	block_bounce(b, 2, 0);
	x64_mov_ri(&b->a, S1, access_pack(4, 0, false, true));
	x64_mov_ri(&b->a, S0, addr);
	if (kind == BY_COMMIT) {
		block_call(b, thunk[BY_MODIFY])->pc_delta = 0x7fff;
		x64_inc(&b->a, 4, x64_m(S0, 0));
	} else if (kind == BY_ATOMIC) {
		x64_mov_ri(&b->a, S0, IR_ATOMIC_ADD | 2 << 8);
	}
	block_call(b, thunk[kind]);
	x64_mov_ri(&b->a, X64_RBX, 0);
	block_end(b);
}

static inline void block_recipe(struct block *b, uint32_t kind, uint64_t a_value, uint64_t b_value)
{
	x64_mov_ri(&b->a, S0, a_value);
	x64_mov_to(&b->a, 8, GUEST(b, env.flags_a), S0);
	x64_mov_ri(&b->a, S0, b_value);
	x64_mov_to(&b->a, 8, GUEST(b, env.flags_b), S0);
	x64_mov_i(&b->a, 4, GUEST(b, env.flags_kind), (int32_t)kind);
}

/* A block that was entered has the stack as x64_run() made it. */
static inline void assert_stack(const struct world *w)
{
	g_assert_cmphex(w->g->env.tmp[0], ==, w->g->env.host_sp);
	w->g->env.tmp[0] = 0;
}

/* One that says it was there: rbx += n, at its plain entry; at the other, 16 times that. */
static inline void block_target(struct world *w, struct block *b, int n)
{
	struct x64_label end = X64_LABEL;

	block_begin(w, b);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RBX), n);
	x64_jmp(&b->a, &end);
	b->code.poll_entry = x64_pc(&b->a);
	x64_alu_i(&b->a, X64_ADD, 8, x64_r(X64_RBX), 16 * n);
	x64_bind(&b->a, &end);
	x64_mov_to(&b->a, 8, at(b, offsetof(struct guest, env.tmp)), X64_RSP);
	block_end(b);
}
