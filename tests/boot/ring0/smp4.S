/* tests/boot/ring0/smp4.S - four processors in long mode: locked read-modify-writes that meet, over
 * cache lines and pages too, CMPXCHG16B, a spin lock, code that another processor changes, interrupts
 * that wake the halted.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
#define CPUS 4
#define ROUNDS 3000
#define STEPS 40
#define SPLIT_LINE 0x3003d /* a quadword over two cache lines */
#define SPLIT_PAGE 0x30ffe /* a dword over two pages */
#define PAIR 0x32000
#define BYTE 0x32010
#define LOCK_BIT 0x32020
#define PLAIN 0x32040
	.globl start
start:
	TO_FLAT32
	CLEAR(PML4, 0x3000)
	CLEAR(0x30000, 0x3000)
	MAP_LOW(PML4)
	movw $on_intr, IDT + 0x40 * 16
	movw $CODE64, IDT + 0x40 * 16 + 2
	movw $0x8e00, IDT + 0x40 * 16 + 4
	movl $0, IDT + 0x40 * 16 + 6
	movl $0, IDT + 0x40 * 16 + 10
	movb $0xea, 0x9000 /* ljmp $0, $others */
	movw $others, 0x9001
	movw $0, 0x9003
	movw $INPUT_PORT, %dx
	movb $1, %al
	outb %al, %dx
	jmp enable
others:	TO_FLAT32
enable:
	TO_LONG_MODE(0x620, 0x100)
/* All processors wait here for each other; clobbers RAX. */
#define BARRIER(n)                  \
	lock incl arrived;          \
	91: pause;                  \
	cmpl $(CPUS * (n)), arrived; \
	jb 91b
	movl $1, %r15d
	lock xaddl %r15d, next_id /* ours: 0 .. 3 */
	movl %r15d, %esp
	shll $12, %esp
	addl $0x27000, %esp
	lidt idtr
	BARRIER(1)

	movl $ROUNDS, %r14d
1:	lock incq SPLIT_LINE
	lock addl $3, SPLIT_PAGE
	lock incb BYTE
	/* a pair of 64-bit counters at once */
	movq PAIR, %rax
	movq PAIR + 8, %rdx
2:	leaq 1(%rax), %rbx
	leaq 3(%rdx), %rcx
	lock cmpxchg16b PAIR
	jnz 2b
	/* a lock made of a bit, unlocked by a plain store */
3:	lock btsl $5, LOCK_BIT
	jnc 4f
	pause
	jmp 3b
4:	incq PLAIN
	movl $0, LOCK_BIT
	decl %r14d
	jnz 1b
	BARRIER(2)
	testl %r15d, %r15d
	jnz 5f
	cmpq $(CPUS * ROUNDS), SPLIT_LINE
	CHECK(je)
	cmpl $(3 * CPUS * ROUNDS), SPLIT_PAGE
	CHECK(je)
	cmpb $((CPUS * ROUNDS) & 0xff), BYTE
	CHECK(je)
	cmpq $(CPUS * ROUNDS), PAIR
	CHECK(je)
	cmpq $(3 * CPUS * ROUNDS), PAIR + 8
	CHECK(je)
	cmpq $(CPUS * ROUNDS), PLAIN
	CHECK(je)
5:	BARRIER(3)
	testl %r15d, %r15d
	jnz follow

	/* the first one changes code the others run, and waits until all have seen it */
	movl $1, %r14d
1:	movl $0, seen
	movl %r14d, patched + 1
2:	pause
	cmpl $(CPUS - 1), seen
	jne 2b
	incl %r14d
	cmpl $STEPS, %r14d
	jbe 1b
	/* interrupts for all that sleep */
3:	pause
	cmpl $(CPUS - 1), asleep
	jne 3b
	movl $INPUT_PORT, %edx
	movb $3, %al
	outb %al, %dx
4:	pause
	cmpl $(CPUS - 1), woken
	jne 4b
	jmp pass

follow:	movl $1, %r14d
1:	call patched
	cmpl %r14d, %eax
	jne 1b
	lock incl seen
	incl %r14d
	cmpl $STEPS, %r14d
	jbe 1b
	lock incl asleep
	sti
	hlt
	cli
	lock incl woken
2:	hlt
	jmp 2b

on_intr:
	iretq
	FAIL_AND_PASS
	.balign 64
patched: movl $0, %eax
	ret
	.balign 64
arrived: .long 0
next_id: .long 0
seen:	.long 0
asleep:	.long 0
woken:	.long 0
	LONG_TABLES
gdt:	GDT_LONG
gdt_end:
