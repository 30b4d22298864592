/* tests/boot/ring0/groups.S - accesses near each other, which a translator may check as one: in two
 * pages of which the second is absent, read-only, a device, code, not yet accessed; faults in the
 * middle; stacks that do the same; mappings that change between.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
#define PT (PML4 + 0x3000)
#define OTHER_PML4 0x180000
#define OTHER_PT (OTHER_PML4 + 0x3000)
#define FRAME 0x110000
#define DEVICE 0x1000000 /* a load says how many came before it, of loads and stores */
#define ADDR 0x200000    /* what PT maps: two frames ... */
#define READ_ONLY (ADDR + 0x2000)
#define ABSENT (ADDR + 0x3000)
#define DEVICE_ADDR (ADDR + 0x5000) /* behind a page of RAM */
#define CODE_ADDR (ADDR + 0x7000)   /* another name of the page of `patched` */
#define IST 0x4000
#define ROUNDS 3
/* Of the fault. */
#define RIP_IS(label) cmpq $label, fault_sp_rip; CHECK(je)
#define CR2_IS(a) movq %cr2, %r8; cmpq $(a), %r8; CHECK(je)
#define SECOND_PUSH_FAULTS(code, at) \
	EXPECT_AT_2;                \
	pushq %rax;                 \
	pushq %rax;                 \
	UNREACHED;                  \
	2: FAULTED(14, code);       \
	CR2_IS(at)
#define BITS_OF(pte, bits) movl pte, %r8d; andl $0x60, %r8d; cmpl $(bits), %r8d; CHECK(je)
/* Between what RAX and RCX were loaded the device was asked for RBX alone. */
#define ASKED_ONCE              \
	movl $0x7000, %esp;     \
	subq %rax, %rbx;        \
	subq %rax, %rcx;        \
	cmpq $1, %rbx;          \
	CHECK(je);              \
	cmpq $2, %rcx;          \
	CHECK(je)
#define TOUCH(page) lock orl $0, page
#define FRESH(pte, page) andl $~0x60, pte; invlpg page
#define fault_sp_rip (IST - 40)
#define fault_sp_flags (IST - 24)
#define fault_sp_rsp (IST - 16)

	.globl start
start:
	TO_FLAT32
	CLEAR(PML4, 0x8000)
	CLEAR(OTHER_PML4, 0x8000)
	CLEAR(FRAME, 0x10000)
	MAP_LOW(PML4)
	movl $(PT + 7), PML4 + 0x2008
	MAP_LOW(OTHER_PML4)
	movl $(OTHER_PT + 7), OTHER_PML4 + 0x2008
	movl $(FRAME + 7), PT
	movl $(FRAME + 0xb007), PT + 8
	movl $(FRAME + 0x2005), PT + 16
	movl $(FRAME + 0x4007), PT + 32
	movl $(DEVICE + 7), PT + 40
	movl $(FRAME + 0x6007), PT + 48
	movl $patched, %eax
	andl $0xfffff000, %eax
	orl $7, %eax
	movl %eax, PT + 56
	movl $(FRAME + 0x8007), OTHER_PT
	movl $(FRAME + 0x9007), OTHER_PT + 8
	TO_LONG_MODE(0x620, 0x900)
	FILL_IDT
	movb $1, IDT + 14 * 16 + 4
	movb $1, IDT + 12 * 16 + 4
	movw $TSS, %ax
	ltr %ax

again:
	/* within a page, over two, which are known or not */
	TOUCH(ADDR)
	movl $ADDR + 0x100, %edi
	call work
	call worked
	movl $ADDR + 0x1000 - 12, %edi
	call work
	call worked
	/* accesses that are themselves on both pages */
	movl $ADDR + 0x1000 - 20, %edi
	call work
	call worked

	/* the second page is absent: exactly what came before has happened */
	movl $ABSENT - 16, %edi
	movq $0, FRAME + 0x2ff0
	movq $0, FRAME + 0x2ff8
	movl $(FRAME + 0x2007), PT + 16
	invlpg READ_ONLY
	TOUCH(READ_ONLY)
	EXPECT_AT_2
	movl $0x40, %eax
	call work
	UNREACHED
2:	FAULTED(14, 2)
	CR2_IS(ABSENT)
	RIP_IS(work_third)
	cmpl $1, %eax
	CHECK(je)
	cmpl $2, %ebx
	CHECK(je)
	cmpq $1, FRAME + 0x2ff0
	CHECK(je)
	cmpq $2, FRAME + 0x2ff8
	CHECK(je)
	movl fault_sp_flags, %eax /* of the addition before it */
	andl $0x8d5, %eax
	cmpl $0x95, %eax
	CHECK(je)
	/* ... a load first */
	EXPECT_AT_2
	movl $ABSENT - 4, %edi
	movl $0x7fffffff, %ecx
	movl $FRAME + 0x1234, %eax
	xorl %ebx, %ebx
	addl $1, %ecx /* P, A, S, O */
	movl (%rdi), %edx
load_second:
	movl 4(%rdi), %eax
	movl 8(%rdi), %ebx
	UNREACHED
2:	FAULTED(14, 0)
	RIP_IS(load_second)
	CR2_IS(ABSENT)
	cmpl $FRAME + 0x1234, %eax
	CHECK(je)
	movl fault_sp_flags, %eax
	andl $0x8d5, %eax
	cmpl $0x894, %eax
	CHECK(je)
	/* all of it absent: the first one faults */
	EXPECT_AT_2
	movl $ABSENT + 0x20, %edi
	movl $1, 8(%rdi)
	movl $2, (%rdi)
	UNREACHED
2:	FAULTED(14, 2)
	CR2_IS(ABSENT + 0x28)

	/* read-only: loads do not fault for the store to come, which does */
	movl $(FRAME + 0x2005), PT + 16
	invlpg READ_ONLY
	testb $1, READ_ONLY
	movq $77, FRAME + 0x2100
	movl $READ_ONLY + 0x100, %edi
	EXPECT_AT_2
	xorl %eax, %eax
	movl (%rdi), %eax
	movl 4(%rdi), %ebx
store_second:
	movl %eax, 8(%rdi)
	UNREACHED
2:	FAULTED(14, 3)
	RIP_IS(store_second)
	CR2_IS(READ_ONLY + 0x108)
	cmpl $77, %eax
	CHECK(je)
	BITS_OF(PT + 16, 0x20)

	/* accessed and dirty: what was touched, no more.  Bits of the second page of two stay clear
	 * while nobody goes there ... */
	movl $ADDR + 0x1000 - 8, %edi
	FRESH(PT, ADDR)
	FRESH(PT + 8, ADDR + 0x1000)
	xorl %ecx, %ecx
	movl (%rdi), %eax
	testl %ecx, %ecx
	jz 1f
	movl 8(%rdi), %eax
	movl %eax, 4(%rdi)
1:	BITS_OF(PT, 0x20)
	BITS_OF(PT + 8, 0)
	/* ... nor is one dirty that is stored to behind a branch only, or behind a fault */
	movl $ADDR + 0x200, %edi
	FRESH(PT, ADDR)
	movl (%rdi), %eax
	testl %ecx, %ecx
	jz 1f
	movl %eax, 4(%rdi)
1:	BITS_OF(PT, 0x20)
	FRESH(PT, ADDR)
	EXPECT_AT_2
	movl $ABSENT, %esi
	movl (%rdi), %eax
	movl (%rsi), %eax
	movl %eax, 4(%rdi)
	UNREACHED
2:	BITS_OF(PT, 0x20)
	FRESH(PT, ADDR)
	movl (%rdi), %eax
	movl %eax, 4(%rdi)
	BITS_OF(PT, 0x60)

	/* a device is asked once for each access, in order */
	movl $DEVICE_ADDR, %edi
	movl (%rdi), %eax
	movl 8(%rdi), %ebx
	movl %eax, 16(%rdi)
	addl $1, 24(%rdi)
	movl 4(%rdi), %ecx
	subl %eax, %ebx
	subl %eax, %ecx
	cmpl $1, %ebx
	CHECK(je)
	cmpl $5, %ecx
	CHECK(je)
	/* ... RAM in front of it, in one group */
	movl $DEVICE_ADDR - 8, %edi
	movl $42, 4(%rdi)
	movl 8(%rdi), %eax
	movl 4(%rdi), %edx
	movl 8(%rdi), %ebx
	subl %eax, %ebx
	cmpl $1, %ebx
	CHECK(je)
	cmpl $42, %edx
	CHECK(je)

	/* ... once, though what the same instruction stores to is in two pages with the next */
	movl $DEVICE_ADDR, %edi
	movl $ADDR + 0x1010, %esp
	movq (%rdi), %rax
	jmp 1f
1:	pushq (%rdi)
	pushq %rax
	pushq %rax
	jmp 1f
1:	movq (%rdi), %rcx
	movq 16(%rsp), %rbx
	ASKED_ONCE

	/* ... or is code */
	movl $DEVICE_ADDR, %edi
	call eight_nops
	movq eight_nops, %r8
	movl $eight_nops + 8, %esp
	movq (%rdi), %rax
	pushq (%rdi)
	movq (%rdi), %rcx
	popq %rbx
	movq %r8, eight_nops
	ASKED_ONCE

	/* code: stores by its other name to what comes behind them */
	movl $patched, %edi
	andl $0xfff, %edi
	addl $CODE_ADDR, %edi
	movl round, %ecx
	call patch
	cmpl round, %eax
	CHECK(je)
	notl %ecx
	call patch
	notl %eax
	cmpl round, %eax
	CHECK(je)

	/* stacks over two pages: calls go down and up */
	movl $ADDR + 0x1030, %esp
	movl $20, %ecx
	xorl %eax, %eax
	call recurse
	cmpl $210, %eax
	CHECK(je)
	cmpq $ADDR + 0x1030, %rsp
	CHECK(je)
	/* the page below is absent: registers as after the last push that was done */
	movl $(FRAME + 0x5007), PT + 40
	invlpg DEVICE_ADDR
	movl $0, PT + 32
	invlpg DEVICE_ADDR - 0x1000
	TOUCH(DEVICE_ADDR)
	EXPECT_AT_2
	movl $DEVICE_ADDR + 16, %esp
	movl $5, %eax
	cmpl $6, %eax /* C, S, P, A */
	pushq %rax
	pushq %rbx
push_third:
	pushq %rcx
	pushq %rdx
	UNREACHED
2:	FAULTED(14, 2)
	RIP_IS(push_third)
	cmpq $DEVICE_ADDR, fault_sp_rsp
	CHECK(je)
	CR2_IS(DEVICE_ADDR - 8)
	movl fault_sp_flags, %ecx
	andl $0x8d5, %ecx
	cmpl $0x95, %ecx
	CHECK(je)
	cmpq $5, FRAME + 0x5008
	CHECK(je)
	/* pops that run out of it */
	movl $0, PT + 48
	invlpg DEVICE_ADDR + 0x1000
	EXPECT_AT_2
	movq $33, FRAME + 0x5ff0
	movq $34, FRAME + 0x5ff8
	movl $DEVICE_ADDR + 0xff0, %esp
	popq %rsi
	popq %rdi
pop_third:
	popq %rbp
	ret
2:	movl $0x7000, %esp
	FAULTED(14, 0)
	RIP_IS(pop_third)
	cmpq $33, %rsi
	CHECK(je)
	cmpq $34, %rdi
	CHECK(je)
	cmpq $DEVICE_ADDR + 0x1000, fault_sp_rsp
	CHECK(je)
	movl $(FRAME + 0x6007), PT + 48
	movl $(FRAME + 0x4007), PT + 32
	movl $(DEVICE + 7), PT + 40
	invlpg DEVICE_ADDR

	/* the stack's page is exchanged under it */
	movl $ADDR + 0x800, %esp
	movl $1, %eax
	call pushes
	movl $(FRAME + 0xa007), PT
	invlpg ADDR
	movl $2, %eax
	call pushes
	cmpq $1, FRAME + 0x7e8
	CHECK(je)
	cmpq $2, FRAME + 0xa7e8
	CHECK(je)
	/* ... is absent, is read-only */
	movl $0, PT
	invlpg ADDR
	SECOND_PUSH_FAULTS(2, ADDR + 0x7f8)
	movl $(FRAME + 5), PT
	invlpg ADDR
	movl $ADDR + 0x7e0, %esp
	popq %rax
	popq %rbx
	cmpq $1, %rbx
	CHECK(je)
	SECOND_PUSH_FAULTS(3, ADDR + 0x7e8)
	movl $(FRAME + 7), PT
	invlpg ADDR
	/* ... and in address spaces, to and fro */
	movl $ADDR + 0x800, %esp
	movl $10, %ecx
1:	movl $OTHER_PML4, %eax
	movq %rax, %cr3
	leal 100(%rcx), %eax
	call pushes
	movl $PML4, %eax
	movq %rax, %cr3
	leal 200(%rcx), %eax
	call pushes
	leaq 100(%rcx), %rax
	cmpq %rax, FRAME + 0x87e8
	CHECK(je)
	leaq 200(%rcx), %rax
	cmpq %rax, FRAME + 0x7e8
	CHECK(je)
	decl %ecx
	jnz 1b
	/* no address of a stack: with what is known of one, and with nothing */
	movl $2, %ecx
3:	EXPECT_AT_2
	movabsq $0x8000000000000800, %rsp
	pushq %rax
	pushq %rax
	UNREACHED
2:	FAULTED(12, 0)
	movabsq $0x8000000000000800, %rax
	cmpq %rax, fault_sp_rsp
	CHECK(je)
	movq %cr3, %rax
	movq %rax, %cr3
	decl %ecx
	jnz 3b
	EXPECT_AT_2
	movabsq $0x8000000000000ff0, %rsp
	popq %rax
	popq %rax
	UNREACHED
2:	FAULTED(12, 0)

	incl round
	cmpl $ROUNDS, round
	jne again
	jmp pass

/* 24 bytes at rdi, stores and additions; worked checks them. */
work:	movq $1, (%rdi)
	movl $1, %eax
	movq $0, 8(%rdi)
	movl $2, %ebx
	addq %rbx, 8(%rdi)
	movl $-3, %edx
	addl $0xff, %edx
	subl $0xfd, %edx
work_third:
	movq $3, 16(%rdi)
	incq (%rdi)
	movq (%rdi), %rcx
	orq 8(%rdi), %rcx
	negq 16(%rdi)
	cmpq $-3, 16(%rdi)
	sete 20(%rdi)
	xchgq 8(%rdi), %rbx
	ret
worked:	cmpq $2, (%rdi)
	CHECK(je)
	cmpq $2, 8(%rdi)
	CHECK(je)
	cmpl $-3, 16(%rdi)
	CHECK(je)
	cmpl $0xffffff01, 20(%rdi)
	CHECK(je)
	cmpq $2, %rcx
	CHECK(je)
	ret
/* A number in rcx on its way to eax, through an instruction behind the stores. */
eight_nops: .fill 8, 1, 0x90
	ret
patch:	movl %ecx, 1(%rdi)
	movb $0xb8, (%rdi)
	movb $0x90, 5(%rdi)
patched: movl $-1, %eax
	nop
	ret
recurse: pushq %rbx
	pushq %rbp
	movl %ecx, %ebx
	addl %ecx, %eax
	pushq %rcx
	subq $24, %rsp
	movq %rax, 8(%rsp)
	movl %ebx, 4(%rsp)
	decl %ecx
	jz 1f
	movq 8(%rsp), %rax
	call recurse
1:	cmpl %ebx, 4(%rsp)
	CHECK(je)
	addq $24, %rsp
	popq %rcx
	cmpl %ecx, %ebx
	CHECK(je)
	popq %rbp
	popq %rbx
	ret
/* rax at 24 below the stack as the caller has it. */
pushes:	pushq %rbx
	pushq %rax
	movq (%rsp), %rbx
	cmpq %rax, %rbx
	CHECK(je)
	popq %rax
	popq %rbx
	ret
	STUBS
	FAIL_AND_PASS
	/* not in a page with code, where no store is fast */
	.balign 4096
	LONG_DATA
round:	.long 0
gdt:	GDT_LONG
	GDT_TSS
gdt_end:
	TASK_STATE(0x5000, IST)
