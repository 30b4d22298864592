/* tests/unit/sequence.h - numbers for tests that run the same on every host.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* SplitMix64: GLib promises no particular sequence. */
static inline uint64_t rng_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A digest of many results, to compare with one that was recorded: FNV-1a with 64-bit steps. */
#define DIGEST_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t digest_add(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * UINT64_C(0x100000001b3);
	return digest ^ digest >> 29;
}
