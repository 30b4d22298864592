/* tests/boot/ring0/smc.c - code that is written all the time: so often that its stores are no
 * longer told of, and blocks compare what they were made from.
 *
 * Each loop writes the very next instruction, or what stands next to it: an immediate, an opcode,
 * by a plain store, a push, a locked instruction, a string instruction that hits itself; where a
 * call returns to; an instruction on two pages; behind flags that the new one sees and the old one
 * did not; in blocks that a failing check of a group leaves.  Another processor runs what this one
 * writes.  It all begins with ordinary pages, and in between they rest.
 * SPDX-License-Identifier: MIT */
#include "c64.h"

enum { ROUNDS = 3000, KINDS = 6, WAKE_OTHERS = 1, STEPS = 2000, REST_TICKS = 8000000 };

/* ---- loops that change themselves ---- */

/* Each on pages of its own; rdi counts down. */
#define LOOP(name, body)                                                                        \
	__asm__(".pushsection .text\n.balign 4096\n.globl " #name "\n" #name ":" body "\nret\n" \
		".balign 4096\n.popsection")

/* The sum of its immediates, which are rdi. */
uint32_t smc_immediate(uint64_t n);
LOOP(smc_immediate, "xorl %eax, %eax\n"
		    "1: movl %edi, 2f + 1(%rip)\n"
		    "2: movl $-1, %ecx\n"
		    "addl %ecx, %eax\n"
		    "decl %edi; jnz 1b");

/* The same of a byte that counts a shift, and of a word. */
uint32_t smc_small(uint64_t n);
LOOP(smc_small, "xorl %eax, %eax\n"
		"1: movl %edi, %ecx; andb $31, %cl; movl $1, %edx\n"
		"movb %cl, 2f + 2(%rip)\n"
		"2: shll $7, %edx\n"
		"xorl %edx, %eax\n"
		"movw %di, 3f + 2(%rip)\n"
		"3: addw $0x1234, %ax\n"
		"decl %edi; jnz 1b");

uint32_t smc_push(uint64_t n);
LOOP(smc_push, "xorl %eax, %eax; movq %rsp, %r8\n"
	       "1: leaq 3f(%rip), %rsp\n"
	       "pushq %rdi\n"
	       "2: movabsq $-1, %rcx\n"
	       "3: movq %r8, %rsp; addl %ecx, %eax\n"
	       "decl %edi; jnz 1b");

uint32_t smc_locked(uint64_t n);
LOOP(smc_locked, "xorl %eax, %eax\n"
		 "1: movl %edi, %ecx; xchgl %ecx, 2f + 1(%rip)\n"
		 "2: addl $0x12345678, %eax; lock addl $1, 3f + 1(%rip)\n"
		 "3: addl $0x11111111, %eax; movl $0x11111111, 3b + 1(%rip)\n"
		 "decl %edi; jnz 1b");

/* Instructions of two bytes, kinds of them in turn. */
uint32_t smc_opcode(uint64_t n, const uint16_t *table, uint64_t kinds);
LOOP(smc_opcode, "movl %edx, %r9d; xorl %eax, %eax; movl $7, %edx; xorl %ecx, %ecx\n"
		 "1: movzwl (%rsi, %rcx, 2), %r8d; movw %r8w, 2f(%rip)\n"
		 "2: nop; nop\n"
		 "incl %ecx; cmpl %r9d, %ecx; jb 3f; xorl %ecx, %ecx\n"
		 "3: decl %edi; jnz 1b");

/* What comes behind the jump sees the flags of the comparison every other time; in either order, as
 * the first of the blocks there is the one that is linked. */
#define FLAGS_LOOP(name, skip)                                                                 \
	LOOP(name, "xorl %eax, %eax\n"                                                         \
		   "1: movl $0x00d083, %ecx\n"                           /* adcl $0, %eax */   \
		   "testb $1, %dil; " skip " 2f; movl $0xc03145, %ecx\n" /* xorl %r8d, %r8d */ \
		   "2: movw %cx, 3f(%rip); shrl $16, %ecx; movb %cl, 3f + 2(%rip)\n"           \
		   "movl %edi, %ecx; andl $6, %ecx; cmpl $3, %ecx; jne 3f\n"                   \
		   "ud2; .balign 64\n"                                                         \
		   "3: nop; nop; nop\n"                                                        \
		   "decl %edi; jnz 1b")
uint32_t smc_flags_even(uint64_t n);
FLAGS_LOOP(smc_flags_even, "jz");
uint32_t smc_flags_odd(uint64_t n);
FLAGS_LOOP(smc_flags_odd, "jnz");

/* Where the call returns to is another instruction by then. */
uint32_t smc_return(uint64_t n);
LOOP(smc_return, "xorl %eax, %eax\n"
		 "1: call 4f\n"
		 "2: movl $-1, %ecx\n"
		 "addl %ecx, %eax; decl %edi; jnz 1b; ret\n"
		 "4: movl %edi, 2b + 1(%rip)");

/* Two accesses near each other, over a page's end, behind the store. */
uint32_t smc_group(uint64_t n, const uint64_t *data);
LOOP(smc_group, "xorl %eax, %eax\n"
		"1: movl %edi, 2f + 1(%rip)\n"
		"2: addl $0x12345678, %eax\n"
		"addl (%rsi), %eax; addl 8(%rsi), %eax; addl %edi, 2b + 1(%rip)\n"
		"decl %edi; jnz 1b");

/* No code is written, only what stands next to it. */
uint32_t smc_data(uint64_t n);
LOOP(smc_data, "xorl %eax, %eax; movl $0, 3f(%rip)\n"
	       "1: addl %edi, 3f(%rip); addl 3f(%rip), %eax\n"
	       "decl %edi; jnz 1b; ret\n"
	       "3: .long 0");

/* REP MOVSB over itself; where rdi and rcx are then.  The code is written anew each time. */
struct string_end {
	uint64_t rdi, rcx;
};
struct string_end smc_string(uint64_t n, const uint8_t *from, int64_t at);
LOOP(smc_string, "movq %rdi, %rcx; leaq 1f(%rip), %rdi; addq %rdx, %rdi\n"
		 "movw $0xa4f3, 1f(%rip)\n"
		 "nop; nop; nop; nop; nop; nop; nop; nop\n"
		 "1: rep movsb\n"
		 "2: nop; nop; nop; nop; nop; nop\n"
		 "leaq 1b(%rip), %rax; subq %rax, %rdi; movq %rdi, %rax; movq %rcx, %rdx");

/* The same of words, the first of which is read from two pages, so that it is moved by itself: over
 * F3 66. */
struct string_end smc_string_apart(uint64_t n, const void *from);
LOOP(smc_string_apart, "movq %rdi, %rcx; leaq 1f(%rip), %rdi\n"
		       "movl $0x90a566f3, 1f(%rip); movl $0x90909090, 1f + 4(%rip)\n"
		       ".balign 64\n"
		       "1: rep movsw\n"
		       "nop; nop; nop; nop; nop\n"
		       "leaq 1b(%rip), %rax; subq %rax, %rdi; movq %rdi, %rax; movq %rcx, %rdx");

static uint32_t sum(uint32_t n) { return n * (n + 1) / 2; }

static void check_opcodes(unsigned kinds)
{
	/* inc, add, xor, dec, sub, or of eax and edx */
	static const uint16_t table[KINDS] = { 0xc0ff, 0xd001, 0xd031, 0xc8ff, 0xd029, 0xd009 };
	uint32_t v = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		switch (i % kinds) {
		case 0: v++; break;
		case 1: v += 7; break;
		case 2: v ^= 7; break;
		case 3: v--; break;
		case 4: v -= 7; break;
		default: v |= 7; break;
		}
	}
	CHECK(smc_opcode(ROUNDS, table, kinds) == v);
}

static void check_flags(void)
{
	uint32_t v[2] = { 0 };

	for (unsigned i = ROUNDS; i; i--)
		v[i & 1] += (i & 6) < 3;
	CHECK(smc_flags_even(ROUNDS) == v[0]);
	CHECK(smc_flags_odd(ROUNDS) == v[1]);
}

static void check_small(void)
{
	uint32_t v = 0;

	for (unsigned i = ROUNDS; i; i--) {
		v ^= 1u << (i & 31);
		v = (v & 0xffff0000) | ((v + i) & 0xffff);
	}
	CHECK(smc_small(ROUNDS) == v);
}

/* The same as hardware that looks at each instruction, and each element of a string, anew. */
static void check_strings(void)
{
	static const uint8_t nops[16] = { [0 ... 15] = 0x90 };
	uint16_t *apart = (uint16_t *)(uintptr_t)(FREE_RAM + 0x12000 - 1);

	apart[0] = 0x6666;
	for (unsigned i = 1; i < 8; i++)
		apart[i] = 0x9090;
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		/* nop; movsb, and no more */
		struct string_end e = smc_string(5, nops, 0);

		CHECK(e.rdi == 2 && e.rcx == 4);
		/* up to itself, in the middle of a count */
		e = smc_string(12, nops, -8);
		CHECK(e.rdi == 2 && e.rcx == 3);
		/* what comes behind it */
		e = smc_string(4, nops, 2);
		CHECK(e.rdi == 6 && e.rcx == 0);
		/* data16 movsw, and no more */
		e = smc_string_apart(5, apart);
		CHECK(e.rdi == 4 && e.rcx == 4);
	}
}

static void check_two_pages(void)
{
	volatile uint8_t *code = (volatile uint8_t *)(uintptr_t)(FREE_RAM + PAGE - 3);
	uint32_t (*run)(void) = (uint32_t(*)(void))(uintptr_t)code;
	uint32_t v = 0;

	code[0] = 0xb8;
	code[5] = 0xc3;
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned at = 1 + i % 4;

		code[at] = (uint8_t)(i >> 3);
		v = (v & ~(0xffu << 8 * (at - 1))) | (i >> 3 & 0xff) << 8 * (at - 1);
		CHECK(i < 4 || run() == v);
	}
}

static void check_all(void)
{
	uint64_t *data = (uint64_t *)(uintptr_t)(FREE_RAM + 0x10000 + PAGE - 4);

	CHECK(smc_immediate(ROUNDS) == sum(ROUNDS));
	CHECK(smc_push(ROUNDS) == sum(ROUNDS));
	CHECK(smc_locked(ROUNDS) == sum(ROUNDS) + ROUNDS * 0x11111112u);
	CHECK(smc_return(ROUNDS) == sum(ROUNDS));
	check_small();
	for (unsigned kinds = 2; kinds <= KINDS; kinds++)
		check_opcodes(kinds);
	check_flags();
	data[0] = 3;
	data[1] = 5;
	CHECK(smc_group(ROUNDS, data) == sum(ROUNDS) + ROUNDS * 8);
	check_strings();
	check_two_pages();
	CHECK(smc_data(ROUNDS) ==
	      (uint32_t)((uint64_t)ROUNDS * (ROUNDS + 1) / 2 * (2 * ROUNDS + 1) / 3));
}

/* ---- two processors ---- */

/* mov $n, %eax; ret: n never goes back. */
#define SHARED ((volatile uint8_t *)(uintptr_t)(FREE_RAM + 0x20000))
static volatile uint32_t seen, wanted, is_over;

static void write_shared(uint32_t n)
{
	*(volatile uint32_t *)(SHARED + 4) = n;
	wanted = n;
}

static void step_all(void)
{
	for (uint32_t n = 1; n <= STEPS; n++) {
		write_shared(n);
		/* Now and then the other one is to have run it. */
		while (n % 128 == 0 && seen < n)
			pause();
	}
	is_over = 1;
}

static void run_shared(void)
{
	uint32_t (*run)(void) = (uint32_t(*)(void))(uintptr_t)(SHARED + 3);
	uint32_t last = 0;

	while (!is_over || last < STEPS) {
		uint32_t at_least = wanted, n;

		serialize();
		n = run();
		CHECK(n >= at_least && n >= last && n <= STEPS);
		seen = last = n;
		pause();
	}
}

static void rest(void)
{
	uint32_t lo, hi;
	uint64_t begin = 0, now = 0;

	while (now - begin < REST_TICKS) {
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
		now = (uint64_t)hi << 32 | lo;
		begin = begin ? begin : now;
		pause();
	}
}

void guest_event(struct frame *f) { guest_end(0x8000u + (unsigned)f->vector); }

void guest_run(unsigned id)
{
	if (id) {
		run_shared();
		for (;;)
			__asm__ volatile("cli; hlt");
	}
	SHARED[3] = 0xb8;
	write_shared(0);
	SHARED[8] = 0xc3;
	port_out8(INPUT_PORT, WAKE_OTHERS);
	step_all();
	check_all();
	rest();
	check_all();
	guest_end(0);
}
