/* tests/bench/guest/guest.h - the guest's layout of memory and segments, for C and assembly.
 * SPDX-License-Identifier: MIT */
#pragma once

#define KERNEL_CODE   0x08
#define USER_CODE32   0x1b
#define TSS           0x30
#define IDT_ENTRIES   256
#define VECTOR_INT    0x40

/* Virtual addresses whose pages differ between the address spaces. */
#define PRIVATE       0x8000000000
#define PRIVATE_PAGES 16384
#define ABSENT        0x9000000000

/* Physical memory: what the private pages of either space are, and room for fresh code. */
#define FRAMES_A      0x800000
#define FRAMES_B      0x900000
#define FRAMES        16
#define FRESH         0x1000000
#define FRESH_END     0x6000000

#ifndef __ASSEMBLER__
#include <stdint.h>

extern uint64_t space_a[512], space_b[512];

void guest_main(const char *command_line);
void guest_exception(uint64_t vector, uint64_t first, uint64_t second);
#endif
