/* tests/bench/guest/guest.c - the guest's serial port, clock and private pages.
 * SPDX-License-Identifier: MIT */
#include "guest.h"
#include "loop.h"

enum {
	SERIAL = 0x3f8,
	SERIAL_LSR = SERIAL + 5,
	LSR_THRE = 0x20,
	PIT_CHANNEL0 = 0x40,
	PIT_MODE = 0x43,
	PIT_HZ = 1193182,
	PIT_READINGS = 20,
	CALIBRATIONS = 7,
	PRESENT = 0x67, /* dirty, accessed, user, writable, present */
	TABLE_ENTRIES = 512,
	PRIVATE_TABLES = PRIVATE_PAGES / TABLE_ENTRIES
};

typedef uint64_t page_table[TABLE_ENTRIES] __attribute__((aligned(4096)));

static page_table pointers[2], directories[2], tables[2][PRIVATE_TABLES];

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

void put_text(const char *text)
{
	for (; *text; text++) {
		while (!(in8(SERIAL_LSR) & LSR_THRE))
			;
		out8(SERIAL, (uint8_t)*text);
	}
}

uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Channel 0 of the 8254, which counts down from FFFFh, and when it was read. */
struct reading {
	unsigned elapsed;
	uint64_t tsc;
};

static struct reading pit_read(void)
{
	struct reading r;
	uint64_t start = ticks();
	unsigned count;

	out8(PIT_MODE, 0); /* latch */
	r.tsc = ticks();
	count = in8(PIT_CHANNEL0);
	r.elapsed = 0xffffu - (count | (unsigned)in8(PIT_CHANNEL0) << 8);
	r.tsc = start + (r.tsc - start) / 2;
	return r;
}

/* The reading that was the least disturbed of some. */
static struct reading pit_read_well(void)
{
	struct reading best = { 0 }, r;
	uint64_t best_time = UINT64_MAX;

	for (int i = 0; i < PIT_READINGS; i++) {
		uint64_t start = ticks(), time;

		r = pit_read();
		time = ticks() - start;
		if (time < best_time) {
			best = r;
			best_time = time;
		}
	}
	return best;
}

static uint64_t calibrate(void)
{
	struct reading first, last;

	out8(PIT_MODE, 0x30); /* channel 0, low byte and high byte, mode 0 */
	out8(PIT_CHANNEL0, 0xff);
	out8(PIT_CHANNEL0, 0xff);
	first = pit_read_well();
	do
		last = pit_read();
	while (last.elapsed < first.elapsed + PIT_HZ / 100);
	last = pit_read_well();
	if (last.elapsed <= first.elapsed)
		return 0; /* it wrapped */
	return (last.tsc - first.tsc) * PIT_HZ / (last.elapsed - first.elapsed);
}

/* The median of some calibrations: the host may run something else at any moment. */
uint64_t ticks_per_second(void)
{
	uint64_t sorted[CALIBRATIONS];

	for (int i = 0; i < CALIBRATIONS; i++) {
		uint64_t hz = calibrate();
		int j = i;

		for (; j > 0 && sorted[j - 1] > hz; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = hz;
	}
	return sorted[CALIBRATIONS / 2];
}

/* The private pages of a space: few frames, many pages. */
static void make_private(unsigned which, uint64_t *space, uint64_t frames)
{
	for (unsigned i = 0; i < PRIVATE_PAGES; i++)
		tables[which][i / TABLE_ENTRIES][i % TABLE_ENTRIES] = (frames + i % FRAMES * 4096) |
								      PRESENT;
	for (unsigned i = 0; i < PRIVATE_TABLES; i++)
		directories[which][i] = (uintptr_t)tables[which][i] | PRESENT;
	pointers[which][0] = (uintptr_t)directories[which] | PRESENT;
	space[PRIVATE >> 39 & 511] = (uintptr_t)pointers[which] | PRESENT;
}

static void put_hex(uint64_t value)
{
	char text[18] = "";

	for (int i = 0; i < 16; i++)
		text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	text[16] = ' ';
	put_text(text);
}

void guest_exception(uint64_t vector, uint64_t first, uint64_t second)
{
	put_text("exception ");
	put_hex(vector);
	put_hex(first);
	put_hex(second);
	put_text("\n");
}

void guest_main(const char *command_line)
{
	make_private(0, space_a, FRAMES_A);
	make_private(1, space_b, FRAMES_B);
	loops_run(command_line);
}
