/* tests/boot/ring0/far.c - jumps and calls to another page, run so often that what they lead to is
 * known: one page of code that is mapped at several addresses, before different pages, in several
 * address spaces and on two processors; while what is mapped behind it changes, and what is written
 * there.  SPDX-License-Identifier: MIT */
#include "c64.h"

enum {
	SITES = 4,   /* addresses of the page */
	SPACES = 10, /* address spaces of a processor: more than are remembered */
	FRAMES = 4,  /* what lies behind: a processor's own ones, and the last, which all have */
	SHARED = FRAMES - 1,
	SHARED_WEIGHT = 999,
	ROUNDS = 600,
	LONG = 5000, /* passages until all is known */
	DELAY = 1000000,
	ORDERS = 40, /* from one processor to the other */
	WAKE_OTHERS = 1,
	INTERRUPT_OTHERS = 3,
	INTERRUPT = 0x40,
	PCIDE = 1 << 17,
	PGE = 1 << 7,
	PRESENT = 7,
};

/* The page, the frames behind it, and tables: one of each level for an address space. */
enum { LEAVER = FREE_RAM, FRAME = LEAVER + PAGE, TABLES = FREE_RAM + 0x30000 };
static const uint64_t window = 0x200000; /* where the sites are */
static const uint64_t keep = UINT64_C(1) << 63;

static volatile uint32_t ordered, done, order_frame, order_weight;
static volatile bool is_looping, is_interrupted;

/* ---- code ---- */

/* Offsets in the page, from PAGE on in that behind it. */
enum {
	AT_START = 0x20,
	AT_LOOP = 0x80,
	AT_BACK = 0x100,
	AT_CALLED = PAGE + 0x40,
	AT_THERE = PAGE + 0x140,
	AT_AGAIN = PAGE + 0x203,
};

static volatile uint8_t *emit32(volatile uint8_t *at, uint64_t v)
{
	for (unsigned i = 0; i < 4; i++)
		*at++ = (uint8_t)(v >> 8 * i);
	return at;
}

/* An instruction of these bytes and the distance from its end to `to`; at: where it is. */
static unsigned emit_branch(volatile uint8_t *page, unsigned at, unsigned op, unsigned to)
{
	volatile uint8_t *p = page + at % PAGE;

	if (op > 0xff)
		*p++ = (uint8_t)(op >> 8), at++;
	*p++ = (uint8_t)op;
	emit32(p, (uint64_t)to - (at + 5));
	return at + 5;
}

/* add $v, %eax; the constant is aligned */
static unsigned emit_add(volatile uint8_t *page, unsigned at, uint32_t v)
{
	volatile uint8_t *p = page + at % PAGE;
	unsigned fill = (3 - at) & 3;

	for (unsigned i = 0; i < fill; i++)
		*p++ = 0x90;
	*p++ = 0x05;
	*(volatile uint32_t *)p = v;
	return at + fill + 5;
}

static void make_leaver(void)
{
	volatile uint8_t *p = (volatile uint8_t *)(uintptr_t)LEAVER;
	unsigned at;

	p[AT_START] = 0x31; /* xor %eax, %eax */
	p[AT_START + 1] = 0xc0;
	emit_branch(p, AT_START + 2, 0xe9, AT_LOOP);
	at = emit_branch(p, AT_LOOP, 0xe8, AT_CALLED);
	emit_branch(p, at, 0xe9, AT_THERE);
	p[AT_BACK] = 0xff; /* dec %edi */
	p[AT_BACK + 1] = 0xcf;
	at = emit_branch(p, AT_BACK + 2, 0x0f85, AT_AGAIN);
	p[at] = 0xc3;
}

static volatile uint8_t *frame_at(unsigned id, unsigned f)
{
	unsigned n = f == SHARED ? 0 : 1 + id * SHARED + f;

	return (volatile uint8_t *)(uintptr_t)(FRAME + n * PAGE);
}

static void make_frame(unsigned id, unsigned f, uint32_t weight)
{
	volatile uint8_t *p = frame_at(id, f);
	unsigned at = emit_add(p, AT_CALLED, weight);

	p[at % PAGE] = 0xc3;
	at = emit_add(p, AT_THERE, 100 * weight);
	emit_branch(p, at, 0xe9, AT_BACK);
	at = emit_add(p, AT_AGAIN, 10000 * weight);
	emit_branch(p, at, 0xe9, AT_LOOP);
}

/* What n turns before a frame of this weight give. */
static uint32_t sum(uint32_t n, uint32_t weight) { return weight * (101 * n + 10000 * (n - 1)); }

static uint32_t run(unsigned site, uint32_t n)
{
	uint64_t at = window + site * 2 * PAGE + AT_START;
	uint32_t result;

	__asm__ volatile("call *%2" : "=a"(result), "+D"(n) : "r"(at) : "memory", "cc");
	return result;
}

/* ---- address spaces ---- */

struct world {
	unsigned id, space;
	uint64_t seed;
	uint8_t behind[SPACES][SITES]; /* which frame: as the processor knows it */
	uint32_t weight[FRAMES];
};

static uint64_t tables_at(const struct world *w, unsigned space)
{
	return TABLES + (w->id * SPACES + space) * 4 * PAGE;
}

static volatile uint64_t *entry_at(const struct world *w, unsigned space, unsigned page)
{
	return (volatile uint64_t *)(uintptr_t)(tables_at(w, space) + 3 * PAGE) + page;
}

static void map(const struct world *w, unsigned space, unsigned site)
{
	uint64_t frame = (uintptr_t)frame_at(w->id, w->behind[space][site]);

	*entry_at(w, space, 2 * site) = LEAVER + PRESENT;
	*entry_at(w, space, 2 * site + 1) = frame + PRESENT;
}

static void load_cr3(const struct world *w, uint64_t flag)
{
	uint64_t v = (tables_at(w, w->space) + w->space) | flag;

	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static void make_space(struct world *w, unsigned space)
{
	uint64_t at = tables_at(w, space);
	volatile uint64_t *table = (volatile uint64_t *)(uintptr_t)at;

	for (unsigned i = 0; i < 4 * PAGE / 8; i++)
		table[i] = 0;
	table[0] = at + PAGE + PRESENT;
	table[512] = at + 2 * PAGE + PRESENT;
	table[1024] = 0x80 + PRESENT;
	table[1025] = at + 3 * PAGE + PRESENT;
	for (unsigned site = 0; site < SITES; site++) {
		w->behind[space][site] = (uint8_t)random_below(&w->seed, FRAMES);
		map(w, space, site);
	}
}

static void make_world(struct world *w)
{
	uint64_t cr4;

	for (unsigned f = 0; f < FRAMES; f++) {
		w->weight[f] = f == SHARED ? SHARED_WEIGHT : 1 + f + w->id * FRAMES;
		if (f != SHARED)
			make_frame(w->id, f, w->weight[f]);
	}
	for (unsigned space = 0; space < SPACES; space++)
		make_space(w, space);
	w->space = 0;
	load_cr3(w, 0);
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | PCIDE | PGE) : "memory");
}

/* ---- what happens ---- */

static void check_run(const struct world *w, unsigned site, uint32_t n)
{
	CHECK(run(site, n) == sum(n, w->weight[w->behind[w->space][site]]));
}

static void remap(struct world *w, unsigned site)
{
	w->behind[w->space][site] = (uint8_t)random_below(&w->seed, FRAMES);
	map(w, w->space, site);
	invalidate(window + (site * 2 + 1) * PAGE);
}

/* The page itself is another's for a while. */
static void remap_leaver(struct world *w, unsigned site)
{
	*entry_at(w, w->space, 2 * site) = 0;
	invalidate(window + site * 2 * PAGE);
	check_run(w, site ^ 1, 3);
	map(w, w->space, site);
}

static void remap_all(struct world *w)
{
	for (unsigned site = 0; site < SITES; site++) {
		w->behind[w->space][site] = (uint8_t)random_below(&w->seed, FRAMES);
		map(w, w->space, site);
	}
	load_cr3(w, 0);
}

static void rewrite(struct world *w)
{
	unsigned f = random_below(&w->seed, SHARED);

	w->weight[f] = 1 + random_below(&w->seed, 1000);
	make_frame(w->id, f, w->weight[f]);
}

static void go_to(struct world *w, unsigned space)
{
	w->space = space;
	load_cr3(w, keep);
}

/* What is known of one address space is forgotten when enough others were visited. */
static void tour(struct world *w, unsigned site)
{
	check_run(w, site, LONG);
	for (unsigned n = 0; n < SPACES; n++) {
		go_to(w, (w->space + 1) % SPACES);
		check_run(w, site, 3);
	}
}

static void turn(struct world *w)
{
	unsigned site = random_below(&w->seed, SITES);

	check_run(w, site, random_below(&w->seed, 4) ? 20 : LONG);
	switch (random_below(&w->seed, 12)) {
	case 0: remap(w, site); break;
	case 1: remap_leaver(w, site); break;
	case 2: remap_all(w); break;
	case 3: rewrite(w); break;
	case 4:
	case 5: go_to(w, random_below(&w->seed, SPACES)); break;
	case 6: tour(w, site); break;
	default: break;
	}
	check_run(w, site, 1 + random_below(&w->seed, 20));
}

/* What another processor writes to a page behind is seen when it says so. */
static void order(struct world *w, uint32_t n)
{
	unsigned site = random_below(&w->seed, SITES), f;

	while (w->behind[w->space][site] == SHARED)
		remap(w, site);
	f = w->behind[w->space][site];
	w->weight[f] = 1 + random_below(&w->seed, 1000);
	order_frame = f;
	order_weight = w->weight[f];
	ordered = n;
	while (done != n)
		run(site, 100);
	serialize();
	check_run(w, site, 100);
}

void guest_run(unsigned id)
{
	struct world w = { .id = id, .seed = 0x9e3779b97f4a7c15 + id };

	if (!id) { /* all that the others run is there when they come */
		make_leaver();
		make_frame(0, SHARED, SHARED_WEIGHT);
		port_out8(INPUT_PORT, WAKE_OTHERS);
	}
	make_world(&w);
	for (unsigned n = 0; n < ROUNDS; n++)
		turn(&w);
	for (uint32_t n = 1; n <= ORDERS; n++) {
		if (!id) {
			order(&w, n);
			continue;
		}
		while (ordered != n)
			turn(&w);
		make_frame(0, order_frame, order_weight);
		done = n;
	}
	if (id) {
		make_leaver(); /* as new: its jumps led elsewhere before */
		is_looping = true;
		__asm__ volatile("sti");
		run(0, 0); /* longer than anybody waits */
		guest_end(__LINE__);
	}
	while (!is_looping)
		pause();
	for (unsigned n = 0; n < DELAY; n++) /* until all is known there */
		pause();
	port_out8(INPUT_PORT, INTERRUPT_OTHERS);
	while (!is_interrupted)
		pause();
	guest_end(0);
}

void guest_event(struct frame *f)
{
	if (f->vector != INTERRUPT)
		guest_end(0x8000 + (unsigned)f->vector);
	is_interrupted = true;
	for (;;)
		pause();
}
