/* accel/tcg/targets.c - where indirect jumps lead: tables that host code looks into by pc.
 *
 * A vCPU has a few tables, one for each mode it was in lately (user and kernel, mostly), in each
 * address space.  An entry
 * says what a walk of the guest's page tables once said, so it goes when a TLB entry would; it also
 * goes when its block does, whichever thread drops that.  The vCPU's own thread alone fills
 * entries.  Others only make them empty: a jump that is just being made through such an entry still
 * lands in memory that an RCU grace period keeps.
 *
 * A block notes the pc it was entered for, so that dropping it need not search the tables.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "accel/tcg/tcg.h"

enum {
	TABLES = 8,
	FILLED = 96, /* entries remembered one by one: beyond, the whole table is cleared */
	PAGE_WORDS = 16,
	PAGE = RAM_PAGE_SIZE,
};

/* Values of tcg_block.target_pc that are not a pc. */
#define TARGET_NONE (~UINT64_C(0))
#define TARGET_MANY (~UINT64_C(0) - 1)

struct table {
	struct x64_target entries[X64_PROBE_SIZE]; /* others make them empty */
	uint64_t base;                             /* linear address minus pc */
	uint64_t space;                            /* tlb_exec_generation() */
	uint32_t mode, view;
	bool is_used;
	uint64_t last_use;
	uint64_t pages[PAGE_WORDS]; /* by a bit each, shared by many: those that entries lie on */
	unsigned filled; /* since the table was empty; above FILLED: too many to remember */
	uint16_t filled_at[FILLED];
};

struct tcg_targets {
	struct table *present; /* env->probe */
	uint64_t uses;
	struct table tables[TABLES];
};

/* A pc whose index is another. */
static uint64_t empty_pc(unsigned i) { return i ? 0 : 16; }

static void make_empty(struct x64_target *e, unsigned i)
{
	__atomic_store_n(&e->pc, empty_pc(i), __ATOMIC_RELAXED);
}

static uint64_t pc_of(const struct x64_target *e)
{
	return __atomic_load_n(&e->pc, __ATOMIC_RELAXED);
}

static uint64_t entry_of(const struct x64_target *e)
{
	return __atomic_load_n(&e->entry, __ATOMIC_RELAXED);
}

static uint64_t *page_word(struct table *t, gva_t addr, uint64_t *bit)
{
	uint64_t n = addr >> RAM_PAGE_BITS;

	n ^= n >> 10;
	*bit = UINT64_C(1) << n % 64;
	return &t->pages[n / 64 % PAGE_WORDS];
}

static void note_page(struct table *t, gva_t addr)
{
	uint64_t bit, *word = page_word(t, addr, &bit);

	*word |= bit;
}

/* False: surely no entry lies on it. */
static bool has_page(struct table *t, gva_t addr)
{
	uint64_t bit, *word = page_word(t, addr, &bit);

	return *word & bit;
}

static void clear(struct table *t)
{
	if (t->filled <= FILLED) {
		for (unsigned k = 0; k < t->filled; k++)
			make_empty(&t->entries[t->filled_at[k]], t->filled_at[k]);
	} else {
		for (unsigned i = 0; i < X64_PROBE_SIZE; i++)
			make_empty(&t->entries[i], i);
	}
	memset(t->pages, 0, sizeof(t->pages));
	t->filled = 0;
}

struct tcg_targets *tcg_targets_new(void)
{
	struct tcg_targets *s = g_new0(struct tcg_targets, 1);

	for (unsigned k = 0; k < TABLES; k++) {
		s->tables[k].filled = FILLED + 1;
		clear(&s->tables[k]);
	}
	return s;
}

void tcg_targets_free(struct tcg_targets *s) { g_free(s); }

/* ---- which table ---- */

static struct table *table_for(struct tcg_targets *s, uint32_t mode, uint64_t base, uint64_t space)
{
	struct table *oldest = &s->tables[0];

	for (unsigned k = 0; k < TABLES; k++) {
		struct table *t = &s->tables[k];

		if (t->is_used && t->mode == mode && t->base == base && t->space == space)
			return t;
		if (t->last_use < oldest->last_use)
			oldest = t;
	}
	clear(oldest);
	oldest->is_used = true;
	oldest->mode = mode;
	oldest->base = base;
	oldest->space = space;
	return oldest;
}

void tcg_targets_select(struct tcg_vcpu *tv)
{
	struct tcg_targets *s = tv->targets;
	struct jit_env *env = tv->env;
	uint64_t base = 0, space = tlb_exec_generation(tv->sets);
	uint32_t mode = (uint32_t)env->mode;

	if (!(mode & tv->guest->flat_code))
		base = tv->guest->linear_pc(tv->v) - env->pc;
	if (s->present && s->present->mode == mode && s->present->base == base &&
	    s->present->space == space)
		return;
	s->present = table_for(s, mode, base, space);
	s->present->view = env->view;
	s->present->last_use = ++s->uses;
	env->probe = (uintptr_t)s->present->entries;
}

/* ---- entering ---- */

/* Note in b that tables name it for pc. */
static void note_pc(struct tcg_block *b, uint64_t pc)
{
	uint64_t was = TARGET_NONE;

	if (pc >= TARGET_MANY)
		atomic_store(&b->target_pc, TARGET_MANY);
	else if (!atomic_compare_exchange_strong(&b->target_pc, &was, pc) && was != pc)
		atomic_store(&b->target_pc, TARGET_MANY);
}

void tcg_targets_enter(struct tcg_vcpu *tv, struct tcg_block *b)
{
	struct table *t = tv->targets->present;
	uint64_t pc = tv->env->pc;
	unsigned i = x64_probe_index(pc);
	struct x64_target *e = &t->entries[i];

	note_pc(b, pc);
	note_page(t, pc + t->base);
	__atomic_store_n(&e->entry, b->host.probe_entry, __ATOMIC_RELAXED);
	__atomic_store_n(&e->pc, pc, __ATOMIC_RELAXED);
	if (t->filled < FILLED)
		t->filled_at[t->filled] = (uint16_t)i;
	if (t->filled <= FILLED)
		t->filled++;
	/* Either the one who drops b sees the entry, or we see that b was dropped. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&b->state) == TCG_BLOCK_DEAD)
		make_empty(e, i);
}

/* ---- going ---- */

/* A block on two pages is gone when either is. */
static bool is_on(uint64_t addr, gva_t page)
{
	uint64_t distance = page - align_down(addr, PAGE);

	return distance == 0 || distance == PAGE;
}

static void flush_entry(struct table *t, unsigned i, gva_t page)
{
	if (is_on(pc_of(&t->entries[i]) + t->base, page))
		make_empty(&t->entries[i], i);
}

static void flush_page(struct table *t, gva_t page)
{
	if (!has_page(t, page) && !has_page(t, page - PAGE))
		return;
	if (t->filled <= FILLED) {
		for (unsigned k = 0; k < t->filled; k++)
			flush_entry(t, t->filled_at[k], page);
	} else {
		for (unsigned i = 0; i < X64_PROBE_SIZE; i++)
			flush_entry(t, i, page);
	}
}

void tcg_targets_flush(struct tcg_vcpu *tv, gva_t page, uint32_t views)
{
	struct tcg_targets *s = tv->targets;

	if (!s)
		return;
	for (unsigned k = 0; k < TABLES; k++) {
		struct table *t = &s->tables[k];

		if (t->space != tlb_exec_generation(tv->sets) || !(views >> t->view & 1))
			continue;
		if (page == ~UINT64_C(0))
			clear(t);
		else
			flush_page(t, align_down(page, PAGE));
	}
}

static void drop_from(struct table *t, const struct tcg_block *b, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		if (entry_of(&t->entries[i]) == b->host.probe_entry)
			make_empty(&t->entries[i], i);
}

void tcg_targets_drop(struct tcg_accel *t, struct tcg_block *b)
{
	unsigned first = 0, last = X64_PROBE_SIZE - 1;
	uint64_t pc;

	/* Pairs with the fence in tcg_targets_enter(). */
	atomic_thread_fence(memory_order_seq_cst);
	pc = atomic_load(&b->target_pc);
	if (pc == TARGET_NONE)
		return;
	if (pc != TARGET_MANY)
		first = last = x64_probe_index(pc);
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		for (unsigned k = 0; tv->targets && k < TABLES; k++)
			drop_from(&tv->targets->tables[k], b, first, last);
	lock_drop(&t->vcpus_lock);
}
