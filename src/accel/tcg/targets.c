/* accel/tcg/targets.c - where indirect jumps lead: tables that host code looks into by pc.
 *
 * A vCPU has a few tables, one for each mode it was in lately (user and kernel, mostly), in each
 * address space.  An entry
 * says what a walk of the guest's page tables once said, so it goes when a TLB entry would; it also
 * goes when its block does, whichever thread drops that.  The vCPU's own thread alone fills
 * entries.  Others only make them empty: a jump that is just being made through such an entry still
 * lands in memory that an RCU grace period keeps.
 *
 * What a table is filled from has a name, which is drawn anew when some of it goes.  Exits to other
 * pages have it in their keys (x64.h).
 *
 * An entry is in either place of its pair: who comes second drives the first into the other.  A
 * block notes the pc it was entered for, so that dropping it need not search the tables.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "accel/tcg/tcg.h"

enum {
	TABLES = 8,
	FILLED = 1024, /* entries remembered one by one: beyond, the whole table is cleared */
	PAGE_WORDS = 16,
	PAGE = RAM_PAGE_SIZE,
};

/* Values of tcg_block.target_pc that are not a pc; from TARGET_SOME on: some with this offset in
 * their page. */
#define TARGET_NONE (~UINT64_C(0))
#define TARGET_MANY (~UINT64_C(0) - 1)
#define TARGET_SOME (~UINT64_C(0xffff))

/* Indexes of pcs with the same offset in their page have these bits in common. */
enum { SAME_PAGE_INDEX = PAGE / 16 - 1 };

#define KEY_USED BIT(32)

struct table;
struct table_key {
	uint64_t base;       /* linear address minus pc */
	uint64_t space;      /* tlb_exec_generation() */
	uint64_t mode;       /* and KEY_USED */
	struct table *table; /* const */
};

struct table {
	/* others make them empty */
	struct x64_target entries[X64_PROBE_SIZE] __attribute__((aligned(X64_PROBE_PAIR)));
	struct tcg_block *blocks[X64_PROBE_SIZE]; /* of entries that are not empty */
	uint64_t base;                            /* its key's */
	uint64_t name;      /* of the mappings that entries, and keys of exits, were found by */
	bool is_name_known; /* some key may have it */
	uint32_t views;     /* a bit for each view that the mode was seen in */
	uint64_t last_use;
	uint64_t pages[PAGE_WORDS]; /* by a bit each, shared by many: those that entries lie on */
	unsigned filled; /* since the table was empty; above FILLED: too many to remember */
	uint16_t filled_at[FILLED]; /* either place of the pair */
};

struct tcg_targets {
	struct table_key *present;  /* env->probe */
	struct table_key *previous; /* present before that */
	void *memory;               /* of this */
	struct table_key keys[TABLES];
	uint64_t uses;
	uint32_t names; /* drawn so far */
	struct table tables[TABLES];
};

/* A pc of another pair.  Mostly 0: tables that are never used stay untouched memory. */
static uint64_t empty_pc(unsigned i) { return i / 2 ? 0 : 32; }

static void empty_at(struct table *t, unsigned i)
{
	__atomic_store_n(&t->entries[i].pc, empty_pc(i), __ATOMIC_RELAXED);
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
		for (unsigned k = 0; k < t->filled; k++) {
			empty_at(t, t->filled_at[k]);
			empty_at(t, t->filled_at[k] ^ 1u);
		}
	} else {
		for (unsigned i = 0; i < X64_PROBE_SIZE; i++)
			empty_at(t, i);
	}
	memset(t->pages, 0, sizeof(t->pages));
	t->filled = 0;
}

/* ---- names ---- */

/* A vCPU's number in the upper bits, as keys are in code that all run; 0 is no name. */
enum { NAME_BITS = 20, NAMED_VCPUS = 255 };

/* How many there are; few, where that is to be seen. */
static uint32_t names(const struct tcg_vcpu *tv)
{
	return tv->chaos.random ? 1u << 6 : 1u << NAME_BITS;
}

/* Spread over X64_NAME_BITS. */
static uint64_t name_of(const struct tcg_vcpu *tv, uint32_t n)
{
	n |= MIN(tv->v->id, (uint32_t)NAMED_VCPUS) << NAME_BITS;
	return (n & 0xfff) | (uint64_t)(n >> 12) << 48;
}

/* No key is right that was made with t's name.  When all names were used no key is left at all, and
 * they begin again. */
static void rename_table(struct tcg_vcpu *tv, struct table *t)
{
	struct tcg_targets *s = tv->targets;

	if (t->name && !t->is_name_known)
		return;
	if (++s->names == names(tv)) {
		tcg_cache_forget_keys(tv->tcg);
		for (unsigned k = 0; k < TABLES; k++) {
			s->tables[k].name = name_of(tv, k + 1);
			s->tables[k].is_name_known = false;
		}
		s->names = TABLES;
	} else {
		t->name = name_of(tv, s->names);
		t->is_name_known = false;
	}
	tv->env->name = s->present->table->name;
}

uint64_t tcg_targets_name(struct tcg_vcpu *tv, uint64_t pc)
{
	struct table *t = tv->targets->present->table;

	if (tv->v->id >= NAMED_VCPUS)
		return 0;
	note_page(t, pc + t->base);
	t->is_name_known = true;
	return t->name;
}

void tcg_targets_rename(struct tcg_vcpu *tv) { rename_table(tv, tv->targets->present->table); }

/* ---- memory ---- */

struct tcg_targets *tcg_targets_new(void)
{
	void *memory = g_malloc0(sizeof(struct tcg_targets) + X64_PROBE_PAIR);
	struct tcg_targets *s = (void *)align_up((uintptr_t)memory, X64_PROBE_PAIR);

	s->memory = memory;
	for (unsigned k = 0; k < TABLES; k++) {
		s->keys[k].table = &s->tables[k];
		empty_at(&s->tables[k], 0);
		empty_at(&s->tables[k], 1);
	}
	s->present = s->previous = &s->keys[0];
	return s;
}

void tcg_targets_free(struct tcg_targets *s)
{
	if (s)
		g_free(s->memory);
}

/* ---- which table ---- */

static inline bool is_for(const struct table_key *have, uint64_t mode, uint64_t base,
			  uint64_t space)
{
	return have->mode == mode && have->space == space && have->base == base;
}

static __attribute__((noinline)) struct table_key *key_for(struct tcg_vcpu *tv, uint64_t mode,
							   uint64_t base, uint64_t space)
{
	struct tcg_targets *s = tv->targets;
	struct table_key *oldest = &s->keys[0];

	for (unsigned k = 0; k < TABLES; k++) {
		if (is_for(&s->keys[k], mode, base, space))
			return &s->keys[k];
		if (s->tables[k].last_use < oldest->table->last_use)
			oldest = &s->keys[k];
	}
	clear(oldest->table);
	rename_table(tv, oldest->table);
	oldest->table->views = 0;
	oldest->table->base = oldest->base = base;
	oldest->space = space;
	oldest->mode = mode;
	return oldest;
}

/* The table of the present mode. */
static inline __attribute__((always_inline)) struct table *select_table(struct tcg_vcpu *tv)
{
	struct tcg_targets *s = tv->targets;
	struct table_key *was = s->present;
	struct jit_env *env = tv->env;
	uint64_t mode = (uint32_t)env->mode | KEY_USED, space = tlb_exec_generation(tv->sets);
	uint64_t base = 0;
	struct table *t;

	if (unlikely(!(mode & tv->guest->flat_code)))
		base = tv->guest->linear_pc(tv->v) - env->pc;
	if (is_for(was, mode, base, space)) {
		t = was->table;
	} else {
		env->drop_frames = true;
		/* there and back again, as a program that calls its kernel */
		if (likely(is_for(s->previous, mode, base, space)))
			s->present = s->previous;
		else
			s->present = key_for(tv, mode, base, space);
		s->previous = was;
		t = s->present->table;
		t->last_use = ++s->uses;
		env->probe = (uintptr_t)t->entries;
		env->name = t->name;
	}
	t->views |= 1u << env->view;
	return t;
}

void tcg_targets_select(struct tcg_vcpu *tv) { select_table(tv); }

/* ---- entering ---- */

/* What target_pc is when pc is one more. */
static uint64_t noted_with(uint64_t was, uint64_t pc)
{
	if (pc >= TARGET_SOME || was == TARGET_MANY)
		return TARGET_MANY;
	if (was == TARGET_NONE || was == pc)
		return pc;
	return (was ^ pc) % PAGE ? TARGET_MANY : TARGET_SOME + pc % PAGE;
}

/* Note in b that tables name it for pc. */
static void note_pc(struct tcg_block *b, uint64_t pc)
{
	uint64_t was = atomic_load(&b->target_pc), is;

	do
		is = noted_with(was, pc);
	while (is != was && !atomic_compare_exchange_weak(&b->target_pc, &was, is));
}

static void put(struct table *t, unsigned i, uint64_t pc, struct tcg_block *b)
{
	t->blocks[i] = b;
	__atomic_store_n(&t->entries[i].entry, b->host.probe_entry, __ATOMIC_RELAXED);
	__atomic_store_n(&t->entries[i].pc, pc, __ATOMIC_RELAXED);
}

/* Either the one who drops its block sees the entry, or we see that the block was dropped. */
static void empty_if_dead(struct table *t, unsigned i)
{
	if (atomic_load(&t->blocks[i]->state) == TCG_BLOCK_DEAD)
		empty_at(t, i);
}

/* The place where pc is in t, or X64_PROBE_SIZE. */
static inline unsigned place_of(const struct table *t, uint64_t pc)
{
	unsigned i = x64_probe_index(pc);

	if (pc_of(&t->entries[i]) == pc)
		return i;
	return pc_of(&t->entries[i ^ 1]) == pc ? i ^ 1 : X64_PROBE_SIZE;
}

static inline struct tcg_block *find_in(const struct table *t, uint64_t pc)
{
	unsigned i = place_of(t, pc);

	return i < X64_PROBE_SIZE ? t->blocks[i] : NULL;
}

struct tcg_block *tcg_targets_find(const struct tcg_vcpu *tv)
{
	return find_in(tv->targets->present->table, tv->env->pc);
}

struct tcg_block *tcg_targets_next(struct tcg_vcpu *tv)
{
	return find_in(select_table(tv), tv->env->pc);
}

void tcg_targets_enter(struct tcg_vcpu *tv, struct tcg_block *b)
{
	struct table *t = tv->targets->present->table;
	uint64_t pc = tv->env->pc;
	unsigned i = x64_probe_index(pc), at = place_of(t, pc);
	uint64_t first = pc_of(&t->entries[i]);

	note_pc(b, pc);
	note_page(t, pc + t->base);
	if (at == X64_PROBE_SIZE && first != empty_pc(i))
		put(t, i ^ 1, first, t->blocks[i]);
	else
		i = at < X64_PROBE_SIZE ? at : i;
	put(t, i, pc, b);
	if (t->filled < FILLED)
		t->filled_at[t->filled] = (uint16_t)i;
	if (t->filled <= FILLED)
		t->filled++;
	/* Pairs with the fence in tcg_targets_drop(). */
	atomic_thread_fence(memory_order_seq_cst);
	empty_if_dead(t, i);
	if (pc_of(&t->entries[i ^ 1]) != empty_pc(i ^ 1))
		empty_if_dead(t, i ^ 1);
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
		empty_at(t, i);
}

static void flush_page(struct table *t, gva_t page)
{
	if (!has_page(t, page) && !has_page(t, page - PAGE))
		return;
	if (t->filled <= FILLED) {
		for (unsigned k = 0; k < t->filled; k++) {
			flush_entry(t, t->filled_at[k], page);
			flush_entry(t, t->filled_at[k] ^ 1u, page);
		}
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
	tv->env->drop_frames = true;
	for (unsigned k = 0; k < TABLES; k++) {
		struct table *t = &s->tables[k];

		if (s->keys[k].space != tlb_exec_generation(tv->sets) || !(views & t->views))
			continue;
		if (page == ~UINT64_C(0) || has_page(t, page))
			rename_table(tv, t);
		if (page == ~UINT64_C(0))
			clear(t);
		else
			flush_page(t, align_down(page, PAGE));
	}
}

static void drop_at(struct table *t, const struct tcg_block *b, unsigned i)
{
	if (entry_of(&t->entries[i]) == b->host.probe_entry)
		empty_at(t, i);
}

static void drop_from(struct table *t, const struct tcg_block *b, unsigned first, unsigned step)
{
	for (unsigned i = first; i < X64_PROBE_SIZE; i += step) {
		drop_at(t, b, i);
		drop_at(t, b, i ^ 1);
	}
}

void tcg_targets_drop(struct tcg_accel *t, struct tcg_block *b)
{
	unsigned first = 0, step = 1;
	uint64_t pc;

	/* Pairs with the fence in tcg_targets_enter(). */
	atomic_thread_fence(memory_order_seq_cst);
	pc = atomic_load(&b->target_pc);
	if (pc == TARGET_NONE)
		return;
	if (pc < TARGET_SOME) {
		first = x64_probe_index(pc);
		step = X64_PROBE_SIZE;
	} else if (pc != TARGET_MANY) {
		first = x64_probe_index(pc - TARGET_SOME) & SAME_PAGE_INDEX;
		step = SAME_PAGE_INDEX + 1;
	}
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		for (unsigned k = 0; tv->targets && k < TABLES; k++)
			drop_from(&tv->targets->tables[k], b, first, step);
	lock_drop(&t->vcpus_lock);
}
