/* tests/bench/guest/native.c - the loops as a program on the host.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#include "loop.h"

void put_text(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

uint64_t ticks(void) { return __rdtsc(); }

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t ticks_per_second(void)
{
	uint64_t start_ns = now_ns(), start = ticks(), ns;

	do
		ns = now_ns() - start_ns;
	while (ns < 50000000);
	return (ticks() - start) * 1000 / (ns / 1000000);
}

int main(int argc, char **argv)
{
	char words[4096] = "";
	size_t n = 0;

	for (int i = 1; i < argc && n < sizeof(words); i++)
		n += (size_t)snprintf(words + n, sizeof(words) - n, "%s ", argv[i]);
	loops_run(words);
	return 0;
}
