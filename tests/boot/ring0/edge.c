/* tests/boot/ring0/edge.c - branches from the last page of the lower half of addresses, and from
 * the first of the upper one, to where no address is: #GP at the branch, of which nothing has
 * happened (SDM 2 "JMP", "Jcc", "CALL", "LOOP"); while the same page of code leads to others where
 * it is mapped elsewhere.  SPDX-License-Identifier: MIT */
#include "c64.h"

enum { CODE = FREE_RAM, RETS = CODE + PAGE, TABLES = RETS + PAGE };
enum { PRESENT = 7, LARGE = 0x80, GP = 13, ROUNDS = 3000, FEW = 3, TWO_BYTES = 1 << 8 };

/* Where the page of code is mapped.  At FAR jumps by almost 2 GiB leave the lower half. */
#define ORDINARY UINT64_C(0x205000)
#define HOLE     UINT64_C(0x800000000000)
#define LOWER    (HOLE - PAGE)
#define UPPER    UINT64_C(0xffff800000000000)
#define FAR      (HOLE - UINT64_C(0x80000000) + PAGE)
#define MARK     UINT64_C(0x1122334455667788)

struct branch {
	uint16_t op;     /* 0x100: 0F before it */
	uint8_t bytes;   /* of the distance */
	bool wants_zf;   /* taken if set */
	bool is_counted; /* by RCX; taken with 2 */
};

static const struct branch branches[] = {
	{ .op = 0xe9, .bytes = 4 },
	{ .op = 0xeb, .bytes = 1 },
	{ .op = 0xe8, .bytes = 4 },
	{ .op = TWO_BYTES | 0x84, .bytes = 4, .wants_zf = true },
	{ .op = 0x74, .bytes = 1, .wants_zf = true },
	{ .op = 0xe2, .bytes = 1, .is_counted = true },
};

static uint64_t wanted_at;
static unsigned faults;

/* ---- memory ---- */

static volatile uint64_t *table_in(volatile uint64_t *entry, uint64_t *next)
{
	if (!(*entry & 1)) {
		volatile uint64_t *table = (volatile uint64_t *)(uintptr_t)*next;

		for (unsigned i = 0; i < PAGE / 8; i++)
			table[i] = 0;
		*entry = *next + PRESENT;
		*next += PAGE;
	}
	return (volatile uint64_t *)(uintptr_t)(*entry & ~UINT64_C(0xfff));
}

static void map(uint64_t *next, uint64_t at, uint64_t page)
{
	volatile uint64_t *table = (volatile uint64_t *)(uintptr_t)TABLES;

	for (unsigned shift = 39; shift > 12; shift -= 9)
		table = table_in(&table[at >> shift & 511], next);
	table[at >> 12 & 511] = page + PRESENT;
}

static void map_all(void)
{
	volatile uint64_t *root = (volatile uint64_t *)(uintptr_t)TABLES, *table;
	uint64_t next = TABLES + PAGE;

	for (unsigned i = 0; i < PAGE / 8; i++)
		root[i] = 0;
	table = table_in(&root[0], &next);
	table = table_in(&table[0], &next);
	table[0] = LARGE + PRESENT;
	map(&next, ORDINARY - PAGE, RETS);
	map(&next, ORDINARY, CODE);
	map(&next, ORDINARY + PAGE, RETS);
	map(&next, LOWER - PAGE, RETS);
	map(&next, LOWER, CODE);
	map(&next, UPPER, CODE);
	map(&next, UPPER + PAGE, RETS);
	map(&next, FAR, CODE);
	__asm__ volatile("mov %0, %%cr3" : : "r"((uint64_t)TABLES) : "memory");
}

static volatile uint8_t *code_at(unsigned at) { return (volatile uint8_t *)(uintptr_t)(CODE + at); }

/* The branch and RET, at an offset in the page, from whose start it leads to `to`. */
static void put_branch(const struct branch *b, unsigned at, int64_t to)
{
	volatile uint8_t *p = code_at(at);
	uint64_t distance = (uint64_t)(to - (at + (b->op & TWO_BYTES ? 2u : 1u) + b->bytes));

	if (b->op & TWO_BYTES)
		*p++ = 0x0f;
	*p++ = (uint8_t)b->op;
	for (unsigned i = 0; i < b->bytes; i++)
		*p++ = (uint8_t)(distance >> 8 * i);
	*p = 0xc3;
}

/* ---- running ---- */

struct outcome {
	uint64_t rcx, slot; /* slot: where a call would push */
};

/* With RSP such that an exception's frame leaves the slot alone. */
static struct outcome run(uint64_t at, bool zf, uint64_t rcx)
{
	struct outcome o = { .rcx = rcx };

	__asm__ volatile("movq %%rsp, %%rbx; andq $-16, %%rsp; movq %3, -16(%%rsp)\n"
			 "cmpb $1, %b4; call *%2\n"
			 "movq -16(%%rsp), %0; movq %%rbx, %%rsp"
			 : "=&a"(o.slot), "+c"(o.rcx)
			 : "r"(at), "r"(MARK), "r"((uint32_t)zf)
			 : "rbx", "memory", "cc");
	return o;
}

/* Where the exception is is where the guest goes on: at a RET, with the stack of the branch. */
void guest_event(struct frame *f)
{
	if (f->vector != GP)
		guest_end(0x8000 + (unsigned)f->vector);
	CHECK(f->rip == wanted_at && !f->code);
	faults++;
	f->rip = ORDINARY + PAGE;
}

static void check_leaves(const struct branch *b, uint64_t at, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct outcome o = run(at, b->wants_zf, 2);

		CHECK(o.rcx == 2u - b->is_counted);
		CHECK(faults == 0);
	}
}

static void check_faults(const struct branch *b, uint64_t at)
{
	struct outcome o;

	wanted_at = at;
	for (unsigned i = 0; i < FEW; i++) {
		o = run(at, b->wants_zf, 2);
		CHECK(faults == 1 && o.rcx == 2 && o.slot == MARK);
		faults = 0;
	}
	if (!b->wants_zf && !b->is_counted)
		return;
	o = run(at, !b->wants_zf, 1); /* not taken */
	CHECK(faults == 0 && o.rcx == 1u - b->is_counted);
}

static void check_branch(const struct branch *b, unsigned rounds)
{
	enum { LAST = PAGE - 16, FIRST = 16, BEYOND = 32 };

	put_branch(b, LAST, PAGE + BEYOND);
	check_leaves(b, ORDINARY + LAST, rounds);
	check_faults(b, LOWER + LAST);
	check_leaves(b, UPPER + LAST, rounds);
	check_leaves(b, ORDINARY + LAST, FEW);
	put_branch(b, LAST, PAGE); /* to the very first */
	check_faults(b, LOWER + LAST);
	check_leaves(b, ORDINARY + LAST, FEW);

	put_branch(b, FIRST, -BEYOND);
	check_faults(b, UPPER + FIRST);
	check_leaves(b, ORDINARY + FIRST, rounds);
	check_leaves(b, LOWER + FIRST, rounds);
	check_faults(b, UPPER + FIRST);
	if (b->bytes < 4)
		return;
	put_branch(b, FIRST, INT32_MAX);
	check_faults(b, FAR + FIRST);
}

/* Nobody branches there. */
static void check_going_on(void)
{
	*code_at(PAGE - 1) = 0x90;
	run(ORDINARY + PAGE - 1, false, 0);
	CHECK(faults == 0);
	wanted_at = HOLE;
	run(LOWER + PAGE - 1, false, 0);
	CHECK(faults == 1);
	faults = 0;
}

void guest_run(unsigned id)
{
	volatile uint8_t *rets = (volatile uint8_t *)(uintptr_t)RETS;

	(void)id;
	for (unsigned i = 0; i < PAGE; i++)
		rets[i] = 0xc3;
	map_all();
	for (unsigned i = 0; i < sizeof(branches) / sizeof(branches[0]); i++) {
		check_branch(&branches[i], ROUNDS);
		check_branch(&branches[i], FEW);
	}
	check_going_on();
	guest_end(0);
}
