/* tests/bench/guest/loop.h - the table of loops, for C and assembly.
 * SPDX-License-Identifier: MIT */
#pragma once

/* What a loop needs of the processor. */
#define LOOP_AVX   1
#define LOOP_AES   2

#define DATA_BYTES 65536

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop {
	const char *name, *title;
	uint64_t (*run)(uint64_t iterations);
	uint32_t units, needs;
};

extern struct loop __start_bench_loops[], __stop_bench_loops[];
extern uint64_t bench_data[DATA_BYTES / 8];

/* What the guest and the host program each provide. */
void put_text(const char *text);
uint64_t ticks(void);
uint64_t ticks_per_second(void);

/* Run the loops that `words` names (all without a name); "check" among them: their values only. */
void loops_run(const char *words);
#endif
