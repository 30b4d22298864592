/* tests/bench/guest/measure.c - runs the loops and tells what they took, one line each:
 *
 *   tsc HZ
 *   loop NAME UNITS VALUE ITERATIONS TICKS TITLE
 *   done
 *
 * VALUE is what the loop gave for a fixed number of iterations. ITERATIONS doubles until one run
 * takes LEAST_MS; TICKS is the shortest of RUNS of that length: many short ones, as some then
 * escape whatever else the host does. Freestanding: no library.
 * SPDX-License-Identifier: MIT */
#include "loop.h"

enum {
	CHECK_ITERATIONS = 100,
	CHECK_LONG_ITERATIONS = 5,
	LONG_UNITS = 10000,
	LEAST_MS = 2,
	RUNS = 20
};

static void put_number(uint64_t n, unsigned base)
{
	char text[24];
	char *p = text + sizeof(text);

	*--p = '\0';
	do
		*--p = "0123456789abcdef"[n % base];
	while (n /= base);
	put_text(p);
}

static void put_field(uint64_t n, unsigned base)
{
	put_text(" ");
	put_number(n, base);
}

/* The length of `word` if `text` begins with it and it ends there. */
static size_t word_length(const char *text, const char *word)
{
	size_t n = 0;

	while (word[n] && text[n] == word[n])
		n++;
	return !word[n] && (!text[n] || text[n] == ' ') ? n : 0;
}

static bool has_word(const char *words, const char *word)
{
	while (*words) {
		if (word_length(words, word))
			return true;
		while (*words && *words != ' ')
			words++;
		while (*words == ' ')
			words++;
	}
	return false;
}

static void cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "0"(leaf), "2"(0));
}

static bool has_needs(uint32_t needs)
{
	uint32_t r[4];

	cpuid(1, r);
	return (!(needs & LOOP_AVX) || (r[2] & 1u << 28 && r[2] & 1u << 27)) &&
	       (!(needs & LOOP_AES) || r[2] & 1u << 25);
}

static uint64_t value_of(const struct loop *l)
{
	for (size_t i = 0; i < DATA_BYTES / 8; i++)
		bench_data[i] = (i + 1) * 0x9e3779b97f4a7c15u;
	return l->run(l->units < LONG_UNITS ? CHECK_ITERATIONS : CHECK_LONG_ITERATIONS);
}

static uint64_t time_of(const struct loop *l, uint64_t iterations)
{
	uint64_t start = ticks();

	l->run(iterations);
	return ticks() - start;
}

static void measure(const struct loop *l, uint64_t least)
{
	uint64_t iterations = 1, best = time_of(l, 1);

	while (best < least) {
		iterations *= 2;
		best = time_of(l, iterations);
	}
	for (int i = 1; i < RUNS; i++) {
		uint64_t time = time_of(l, iterations);

		if (time < best)
			best = time;
	}
	put_field(iterations, 10);
	put_field(best, 10);
}

void loops_run(const char *words)
{
	bool check_only = has_word(words, "check"), all = true;
	uint64_t hz = ticks_per_second();

	for (const struct loop *l = __start_bench_loops; l < __stop_bench_loops; l++)
		all = all && !has_word(words, l->name);
	put_text("tsc");
	put_field(hz, 10);
	put_text("\n");
	for (const struct loop *l = __start_bench_loops; l < __stop_bench_loops; l++) {
		if ((!all && !has_word(words, l->name)) || !has_needs(l->needs))
			continue;
		put_text("loop ");
		put_text(l->name);
		put_field(l->units, 10);
		put_field(value_of(l), 16);
		if (check_only)
			put_text(" 0 0");
		else
			measure(l, hz / 1000 * LEAST_MS);
		put_text(" ");
		put_text(l->title);
		put_text("\n");
	}
	put_text("done\n");
}
