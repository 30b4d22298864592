/* tests/boot/ring0/thunks.c - trampolines that one processor rewrites while another runs through
 * them: jumps and calls by one aligned store, by a single byte, in steps behind an INT3 with the
 * other told to serialize in between, as kernels do it; and SDM 3A 8.1.3's protocol for code that
 * is not atomic at all.  Where a thunk leads must always be one of two places, and after the
 * protocols the new one.
 * SPDX-License-Identifier: MIT */
#include "c64.h"

enum {
	THUNKS = 16,
	STRIDE = 504, /* a thunk's quadword is aligned, whichever it is */
	SKEW = 62,    /* and with this one of them lies over a page's end */
	STORES = 2000,
	POKES = 40,
	HANDOVERS = 200,
	VECTOR_BP = 3,
	VECTOR_IPI = 0x40,
	WAKE_OTHERS = 1,
	IPI_OTHERS = 3,
};

/* Each thunk has the places that it may lead to behind it: mov $answer, %eax; ret. */
enum { PLACE_AT = 32, PLACE_BYTES = 16 };

/* The same memory at two addresses: one for who writes, either for who runs. */
#define CODE  ((volatile uint8_t *)(uintptr_t)(FREE_RAM))
#define ALIAS ((volatile uint8_t *)0x200000)
/* A function over a page's end. */
enum { CROSSING_AT = 3 * PAGE - 3 };

static volatile uint32_t phase, acked; /* odd: it goes on, even: the one before is over */
static volatile uint32_t is_over, served, handed, answered, skew;
static volatile uint8_t leads_to[THUNKS];

static void wait_for(const volatile uint32_t *word, uint32_t value)
{
	while (*word != value)
		pause();
}

static unsigned answer(unsigned i, unsigned place) { return 0x1000 * (place + 1) + i; }

static unsigned thunk_at(unsigned i) { return i * STRIDE + skew; }

static void store32(volatile uint8_t *at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

static void make_places(void)
{
	for (unsigned i = 0; i < THUNKS; i++) {
		for (unsigned place = 0; place < 2; place++) {
			volatile uint8_t *at = CODE + thunk_at(i) + PLACE_AT + place * PLACE_BYTES;

			at[0] = 0xb8;
			store32(at + 1, answer(i, place));
			at[5] = 0xc3;
		}
	}
}

static unsigned run(volatile uint8_t *code)
{
	unsigned (*f)(void) = (unsigned (*)(void))(uintptr_t)code;

	return f();
}

/* ---- one who writes, one who runs ---- */

/* Odd ones are calls, with a return behind. */
static void write_whole(unsigned i, unsigned place)
{
	uint32_t displacement = PLACE_AT + place * PLACE_BYTES - 5;
	uint64_t v = (i & 1 ? 0xe8 : 0xe9) | (uint64_t)displacement << 8 | UINT64_C(0xc3) << 40;

	*(volatile uint64_t *)(CODE + thunk_at(i)) = v;
}

static void make_short(unsigned i)
{
	CODE[thunk_at(i)] = 0xeb;
	CODE[thunk_at(i) + 1] = PLACE_AT - 2;
}

static void write_byte(unsigned i, unsigned place)
{
	CODE[thunk_at(i) + 1] = (uint8_t)(PLACE_AT + place * PLACE_BYTES - 2);
}

/* All other processors have run a serializing instruction. */
static void serialize_others(void)
{
	uint32_t before = served;

	port_out8(INPUT_PORT, IPI_OTHERS);
	while (served == before)
		pause();
}

/* Where INT3 stands, who comes by goes where it will lead: guest_event(). */
static void write_in_steps(unsigned i, unsigned place)
{
	uint32_t displacement = PLACE_AT + place * PLACE_BYTES - 5;
	volatile uint8_t *at = CODE + thunk_at(i);

	at[0] = 0xcc;
	serialize_others();
	store32(at + 1, displacement);
	serialize_others();
	at[0] = 0xe9;
	serialize_others();
}

static void rewrite(unsigned n, uint64_t *seed, void (*write)(unsigned i, unsigned place))
{
	for (; n; n--) {
		unsigned i = random_below(seed, THUNKS), place = random_below(seed, 2);

		leads_to[i] = (uint8_t)place;
		write(i, place);
	}
}

/* Until the other is done, and once more when it is. */
static void run_through(uint64_t *seed)
{
	while (!is_over) {
		unsigned i = random_below(seed, THUNKS);
		unsigned is = run((random_below(seed, 2) ? CODE : ALIAS) + thunk_at(i));

		CHECK(is == answer(i, 0) || is == answer(i, 1));
	}
	serialize();
	for (unsigned i = 0; i < THUNKS; i++)
		CHECK(run(CODE + thunk_at(i)) == answer(i, leads_to[i]));
}

/* ---- SDM 3A 8.1.3 ---- */

/* mov $v, %eax; ret: byte by byte, over a page's end. */
static void hand_over(void)
{
	for (uint32_t n = 1; n <= HANDOVERS; n++) {
		CODE[CROSSING_AT] = 0xb8;
		store32(CODE + CROSSING_AT + 1, n * 0x01010101);
		CODE[CROSSING_AT + 5] = 0xc3;
		handed = n;
		wait_for(&answered, n);
	}
}

static void take_over(void)
{
	for (uint32_t n = 1; n <= HANDOVERS; n++) {
		wait_for(&handed, n);
		serialize();
		CHECK(run((n & 1 ? CODE : ALIAS) + CROSSING_AT) == n * 0x01010101);
		answered = n;
	}
}

/* ---- the parts ---- */

void guest_event(struct frame *f)
{
	uint64_t at = f->rip - 1;

	if (f->vector == VECTOR_IPI) {
		serialize();
		served++;
		return;
	}
	if (f->vector != VECTOR_BP)
		guest_end(0x8000u + (unsigned)f->vector);
	at -= at >= (uintptr_t)ALIAS ? (uintptr_t)ALIAS : (uintptr_t)CODE;
	for (unsigned i = 0; i < THUNKS; i++)
		if (thunk_at(i) == at)
			f->rip += PLACE_AT + leads_to[i] * PLACE_BYTES - 1;
}

static void map_alias(void)
{
	volatile uint64_t *directory = (uint64_t *)(uintptr_t)0x102000;
	volatile uint64_t *entries = (uint64_t *)(uintptr_t)PAGE_TABLE;

	for (unsigned i = 0; i < PAGE / 8; i++)
		entries[i] = i < 4 ? FREE_RAM + i * PAGE + 3 : 0;
	directory[1] = PAGE_TABLE + 3;
}

/* Both processors: the other has seen that this phase begins. */
static void begin(uint32_t n, bool is_writer)
{
	if (is_writer) {
		is_over = 0;
		phase = n;
		wait_for(&acked, n);
	} else {
		wait_for(&phase, n);
		acked = n;
	}
}

static void write_all(uint64_t *seed)
{
	for (unsigned i = 0; i < THUNKS; i++)
		write_whole(i, 0);
	begin(1, true);
	rewrite(STORES, seed, write_whole);
	is_over = 1;
	wait_for(&acked, 2);
	for (unsigned i = 0; i < THUNKS; i++) {
		make_short(i);
		leads_to[i] = 0;
	}
	begin(3, true);
	rewrite(STORES, seed, write_byte);
	is_over = 1;
	wait_for(&acked, 4);
	skew = SKEW;
	make_places();
	for (unsigned i = 0; i < THUNKS; i++) {
		CODE[thunk_at(i)] = 0xe9;
		store32(CODE + thunk_at(i) + 1, PLACE_AT - 5);
		leads_to[i] = 0;
	}
	begin(5, true);
	rewrite(POKES, seed, write_in_steps);
	is_over = 1;
	wait_for(&acked, 6);
	hand_over();
}

static void run_all(uint64_t *seed)
{
	for (uint32_t n = 1; n <= 5; n += 2) {
		begin(n, false);
		serialize();
		__asm__ volatile("sti");
		run_through(seed);
		__asm__ volatile("cli");
		acked = n + 1;
	}
	take_over();
}

void guest_run(unsigned id)
{
	uint64_t seed = 0x9e3779b97f4a7c15 + id;

	if (!id) {
		map_alias();
		make_places();
		port_out8(INPUT_PORT, WAKE_OTHERS);
		write_all(&seed);
		guest_end(0);
	}
	run_all(&seed);
	for (;;)
		pause();
}
