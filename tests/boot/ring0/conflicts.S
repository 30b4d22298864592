/* tests/boot/ring0/conflicts.S - pages whose addresses differ by multiples of 4 MiB and 1 GiB, which
 * a translator's table of pages may keep in one place: used in turns, by all kinds of accesses;
 * unmapped, made read-only, moved to other frames and run as code where another took their place.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
#define FRAME 0x110000
#define STEP 0x400000
/* Two pages at each: A to C differ in one place of a set of 1024, A and D in 18 bits of the page. */
#define A 0x200000
#define B (A + STEP)
#define C (B + STEP)
#define D (A + 0x40000000)
#define TABLE_A (PML4 + 0x3000)
#define TABLE_B (PML4 + 0x4000)
#define PT_C (PML4 + 0x5000)
#define PT_D (PML4 + 0x6000)
#define HIGH_DIRECTORY (PML4 + 0x7000)
#define FRAME_A FRAME
#define FRAME_B (FRAME + 0x2000)
#define FRAME_C (FRAME + 0x4000)
#define FRAME_D (FRAME + 0x6000)
#define OTHER_FRAME (FRAME + 0x8000)
#define IST 0x4000
#define TURNS 300
#define ROUNDS 2
#define CR2_IS(a) movq %cr2, %r8; cmpq $(a), %r8; CHECK(je)
#define IS(where, value) cmpq $(value), where; CHECK(je)
#define MAP_PAIR(pt, frame) movl $(frame + 7), pt; movl $(frame + 0x1007), pt + 8
/* All pages in places of their own, or each others', for loads and stores. */
#define USE_ALL                                                  \
	movl $4, %ecx;                                           \
	94: incq A + 0xf00; incq B + 0xf00; incq C + 0xf00; incq D + 0xf00; \
	decl %ecx;                                               \
	jnz 94b

	.globl start
start:
	TO_FLAT32
	CLEAR(PML4, 0x8000)
	MAP_LOW(PML4)
	movl $(TABLE_A + 7), PML4 + 0x2008
	movl $(TABLE_B + 7), PML4 + 0x2018
	movl $(PT_C + 7), PML4 + 0x2028
	movl $(HIGH_DIRECTORY + 7), PML4 + 0x1008
	movl $(PT_D + 7), HIGH_DIRECTORY + 8
	movl $patched, %eax /* another name of its page, in the second place of each */
	andl $0xfffff000, %eax
	orl $7, %eax
	movl %eax, TABLE_B + 16
	MAP_PAIR(TABLE_A, FRAME_A)
	movl $(FRAME_A + 7), TABLE_A + 16
	MAP_PAIR(TABLE_B, FRAME_B)
	MAP_PAIR(PT_C, FRAME_C)
	MAP_PAIR(PT_D, FRAME_D)
	TO_LONG_MODE(0x620, 0x900)
	FILL_IDT
	movb $1, IDT + 14 * 16 + 4
	movw $TSS, %ax
	ltr %ax

again:
	MAP_PAIR(TABLE_A, FRAME_A)
	movq %cr3, %rax
	movq %rax, %cr3
	CLEAR(FRAME, 0xa000)

	/* loads and stores of each size, one at a time */
	movl $A, %esi
	movl $B, %edi
	movl $C, %ebx
	movl $TURNS, %ecx
1:	movb %cl, (%rsi)
	movb (%rsi), %al
	movb %al, (%rdi)
	movw (%rdi), %dx
	movw %dx, 8(%rsi)
	movzwl 8(%rsi), %eax
	addl %ecx, %eax
	movl %eax, 16(%rdi)
	movl 16(%rdi), %edx
	movl %edx, 24(%rsi)
	movslq 24(%rsi), %rbp
	movq %rbp, 32(%rdi)
	movq 32(%rdi), %rbp
	movq %rbp, 40(%rsi)
	movsbq (%rdi), %rdx
	addq %rdx, (%rbx)
	cmpq %rbp, 40(%rsi)
	CHECK(je)
	movl %ecx, %eax
	movzbl %al, %edx
	addl %edx, %eax
	cmpl %eax, 32(%rdi)
	CHECK(je)
	decl %ecx
	jnz 1b
	IS(FRAME_A + 40, 2)
	IS(FRAME_B + 32, 2)

	/* ... at the end of a page, and over it, where the next ones conflict as well */
	movl $TURNS, %ecx
1:	movq %rcx, A + 0xff8
	movq %rcx, B + 0xff8
	movq A + 0xff8, %rax
	movq %rax, B + 0xffc
	movq %rax, A + 0xffc
	cmpl %eax, B + 0xffc
	CHECK(je)
	cmpl $0, A + 0x1000
	CHECK(je)
	movl %eax, B + 0x1000
	cmpl %eax, B + 0x1000
	CHECK(je)
	decl %ecx
	jnz 1b

	/* read, changed and stored: with result and flags, with none, with the carry */
	xorl %r8d, %r8d
	movl $TURNS, %ecx
1:	addl $3, 64(%rsi)
	incq 64(%rdi)
	subw $1, 72(%rsi)
	adcq %rcx, 72(%rdi)
	notb 80(%rsi)
	negl 80(%rdi)
	shlq $1, 88(%rsi)
	btsl $5, 88(%rdi)
	adcb $0, 96(%rbx)
	addq %rcx, 104(%rsi)
	setz %al
	addq %rcx, 104(%rdi)
	orb %al, %r8b
	decl %ecx
	jnz 1b
	IS(FRAME_A + 64, 3 * TURNS)
	IS(FRAME_B + 64, TURNS)
	IS(FRAME_A + 72, 0x10000 - TURNS)
	IS(FRAME_B + 72, TURNS * (TURNS + 1) / 2 + 1)
	IS(FRAME_A + 80, 0)
	IS(FRAME_B + 88, 32)
	cmpb $(TURNS - 1 - 256), 96(%rbx)
	CHECK(je)
	IS(FRAME_A + 104, TURNS * (TURNS + 1) / 2)
	testb %r8b, %r8b
	CHECK(jz)

	/* atomic, aligned and not */
	movl $TURNS, %ecx
1:	lock incq 128(%rsi)
	lock addl %ecx, 128(%rdi)
	lock incq 137(%rsi)
	lock incq 137(%rdi)
	movl $1, %eax
	lock xaddq %rax, 152(%rsi)
	movq %rcx, %rdx
	lock cmpxchgq %rdx, 152(%rdi)
	xchgl %edx, 160(%rsi)
	lock orq %rcx, 160(%rdi)
	decl %ecx
	jnz 1b
	IS(FRAME_A + 128, TURNS)
	IS(FRAME_B + 128, TURNS * (TURNS + 1) / 2)
	IS(FRAME_A + 137, TURNS)
	IS(FRAME_B + 137, TURNS)
	IS(FRAME_A + 152, TURNS)
	IS(FRAME_B + 160, 511)

	/* groups, pushes and pops */
	movl $C + 0x800, %esp
	movl $TURNS, %ecx
1:	movq %rcx, 192(%rsi)
	movl %ecx, 200(%rsi)
	addl %ecx, 204(%rsi)
	movq %rcx, 192(%rdi)
	movl %ecx, 200(%rdi)
	addl %ecx, 204(%rdi)
	pushq 192(%rsi)
	pushq 200(%rdi)
	call swap
	popq 208(%rdi)
	popq 208(%rsi)
	movl $D + 0x800, %esp
	pushq %rcx
	movq 208(%rsi), %rax
	subq 200(%rdi), %rax
	CHECK(je)
	movq 208(%rdi), %rax
	subq 192(%rsi), %rax
	CHECK(je)
	popq %rax
	movl $C + 0x800, %esp
	cmpl %eax, %ecx
	CHECK(je)
	decl %ecx
	jnz 1b
	cmpl $(TURNS * (TURNS + 1) / 2), FRAME_A + 204
	CHECK(je)
	movl $0x7000, %esp

	/* vectors, x87 */
	fninit
	movl $TURNS, %ecx
1:	movq %rcx, %xmm0
	movups %xmm0, 256(%rsi)
	movups %xmm0, 264(%rdi)
	movups 256(%rsi), %xmm1
	movups 264(%rdi), %xmm2
	paddd %xmm2, %xmm1
	movhps %xmm1, 280(%rsi)
	movq %xmm1, 280(%rdi)
	movq 280(%rdi), %rax
	shrq $1, %rax
	cmpl %eax, %ecx
	CHECK(je)
	fildl 256(%rsi)
	fstpt 288(%rdi)
	fldt 288(%rdi)
	fstl 288(%rsi)
	faddl 288(%rsi)
	fistpq 304(%rdi)
	cmpq %rax, 256(%rsi)
	CHECK(je)
	addq %rax, %rax
	cmpq %rax, 304(%rdi)
	CHECK(je)
	decl %ecx
	jnz 1b

	/* strings */
	movl $TURNS, %r9d
1:	movl $A + 0x400, %esi
	movl $B + 0x400, %edi
	movl %r9d, (%rsi)
	movl $8, %ecx
	rep movsq
	cmpl %r9d, B + 0x400
	CHECK(je)
	movl %r9d, D + 0x400
	decl %r9d
	jnz 1b

	/* a page gone, read-only, another frame's: those that lost their first place, and the last */
	movl $TABLE_A, %ebx
	movl $A, %esi
	call remap
	movl $TABLE_B, %ebx
	movl $B, %esi
	call remap
	movl $PT_C, %ebx
	movl $C, %esi
	call remap
	movl $PT_D, %ebx
	movl $D, %esi
	call remap
	/* ... all of them, by CR3; nothing is accessed or dirty before it is used */
	USE_ALL
	xchgl TABLE_A, %eax
	xchgl TABLE_B, %eax
	movl %eax, TABLE_A
	andl $~0x60, TABLE_A
	andl $~0x60, TABLE_B
	movq A + 0xf08, %rax
	movq %cr3, %rax
	movq %rax, %cr3
	movl $FRAME_A + 0x7, TABLE_A
	movl $FRAME_B + 0x7, TABLE_B
	movq %rax, %cr3
	movq $5, FRAME_A + 0xf10
	movq $6, FRAME_B + 0xf10
	IS(A + 0xf10, 5)
	IS(B + 0xf10, 6)
	IS(A + 0xf10, 5)
	testl $0x40, TABLE_A
	CHECK(jz)
	movq $7, B + 0xf10
	testl $0x40, TABLE_A
	CHECK(jz)
	testl $0x40, TABLE_B
	CHECK(jnz)
	movq $8, A + 0xf10
	testl $0x40, TABLE_A
	CHECK(jnz)

	/* code that is stored to by a name that lost its place before it was translated */
	movl $patched, %edi
	andl $0xfff, %edi
	addl $(B + 0x2000), %edi
	movl $20, %ecx
1:	movb $0x90, 5(%rdi)
	movl %ecx, A + 0x2f00
	movl %ecx, 1(%rdi)
	movl %ecx, A + 0x2f00
	call patched
	cmpl %ecx, %eax
	CHECK(je)
	notl %ecx
	movl %ecx, 1(%rdi)
	call patched
	cmpl %ecx, %eax
	CHECK(je)
	notl %ecx
	decl %ecx
	jnz 1b

	incl round
	cmpl $ROUNDS, round
	jne again
	jmp pass

swap:	popq %rax
	popq %rdx
	popq %rbp
	pushq %rdx
	pushq %rbp
	jmp *%rax

/* The page at rsi, by the entry at rbx. */
remap:	popq back
	movl (%rbx), %edx
	orl $0x60, %edx
	USE_ALL
	movq $0x55, (%rsi)
	movl $0, (%rbx)
	invlpg (%rsi)
	EXPECT_AT_2
	movq (%rsi), %rax
	UNREACHED
2:	FAULTED(14, 0)
	EXPECT_AT_2
	movq %rax, (%rsi)
	UNREACHED
2:	FAULTED(14, 2)
	movq %cr2, %r8
	cmpq %rsi, %r8
	CHECK(je)
	movl %edx, (%rbx)
	USE_ALL
	IS((%rsi), 0x55)
	andl $~2, (%rbx)
	invlpg (%rsi)
	IS((%rsi), 0x55)
	EXPECT_AT_2
	incq (%rsi)
	UNREACHED
2:	FAULTED(14, 3)
	movl %edx, (%rbx)
	invlpg (%rsi)
	USE_ALL
	movl $(OTHER_FRAME + 7), (%rbx)
	invlpg (%rsi)
	movq $0x66, (%rsi)
	IS(OTHER_FRAME, 0x66)
	USE_ALL
	movl %edx, (%rbx)
	invlpg (%rsi)
	IS((%rsi), 0x55)
	IS(OTHER_FRAME, 0x66)
	jmp *back
	STUBS
	FAIL_AND_PASS
	/* not in a page with code, where no store is fast */
	.balign 4096
	LONG_DATA
round:	.long 0
back:	.quad 0
gdt:	GDT_LONG
	GDT_TSS
gdt_end:
	TASK_STATE(0x5000, IST)
	.balign 4096
patched: movl $-1, %eax
	nop
	ret
