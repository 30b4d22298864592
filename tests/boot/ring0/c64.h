/* tests/boot/ring0/c64.h - for guests in C: see c64.S.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_PORT = 0x501, INPUT_PORT = 0x510, PAGE = 4096 };
/* Below 2 MiB: c64.S has tables of pages at PML4, and RAM above them is the guest's. */
enum { PAGE_TABLE = 0x103000, FREE_RAM = 0x110000 };

/* What lies on the stack of an exception or interrupt. */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, code;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* The guest's own. */
void guest_run(unsigned id);
void guest_event(struct frame *f);
/* 0: passed. */
_Noreturn void guest_end(unsigned line);

#define CHECK(condition)                     \
	do {                                 \
		if (!(condition))            \
			guest_end(__LINE__); \
	} while (0)

static inline void port_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* A serializing instruction (SDM 3A 8.3). */
static inline void serialize(void)
{
	uint32_t a = 0, c = 0;

	__asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "rbx", "rdx", "memory");
}

static inline void pause(void) { __asm__ volatile("pause" : : : "memory"); }

static inline void invalidate(uint64_t addr)
{
	__asm__ volatile("invlpg (%0)" : : "r"(addr) : "memory");
}

/* xorshift64. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One of 0 .. n - 1. */
static inline unsigned random_below(uint64_t *state, unsigned n)
{
	return (unsigned)((random_next(state) >> 32) % n);
}
