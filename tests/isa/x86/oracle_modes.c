/* tests/isa/x86/oracle_modes.c - how code runs.
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

const struct run_mode_info run_modes[RUN_COUNT] = {
	[RUN_64] = { "64-bit", 0x33, 0x2b, 0, 0, true, false, true, 16 },
	[RUN_32] = { "32-bit", 0x23, 0x2b, 0, 0, false, true, true, 8 },
	[RUN_32_SEGMENTS] = { "32-bit segments", 0x07, 0x0f, CODE_ADDR, DATA_ADDR, false, true,
			      false, 8 },
	[RUN_16] = { "16-bit", 0x17, 0x1f, CODE_ADDR, DATA_ADDR, false, false, false, 8 },
};
