/* tests/boot/ring0/xmodify.S - code that is written while it runs: the next instruction, its own page
 * over and over, across a page boundary, by a string instruction, through another mapping.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
#define PD 0x100000
#define PT 0x101000
#define CODE 0x20000
#define ALIAS 0x400000 /* CODE by another address */
	.globl start
start:
	ENTER_PROTECTED
	/* mov $imm32, %eax; ret - the immediate lies on both sides of a page boundary */
	movb $0xb8, CODE + 0xffd
	movl $0x11111111, CODE + 0xffe
	movb $0xc3, CODE + 0x1002
	call far_function
	cmpl $0x11111111, %eax
	CHECK(je)
	movw $0x2222, CODE + 0x1000 /* the second page's part */
	call far_function
	cmpl $0x22221111, %eax
	CHECK(je)
	movw $0x3333, CODE + 0xffe
	call far_function
	cmpl $0x22223333, %eax
	CHECK(je)
	movl $0x44444444, CODE + 0xffe /* one store over both */
	call far_function
	cmpl $0x44444444, %eax
	CHECK(je)

	/* the same place a thousand times, counting */
	xorl %esi, %esi
	xorl %edi, %edi
1:	movl %esi, 2f + 1
2:	movl $-1, %eax
	addl %eax, %edi
	incl %esi
	cmpl $1000, %esi
	jne 1b
	cmpl $499500, %edi
	CHECK(je)

	/* a string instruction copies code over code that has run */
	call copied
	cmpl $1, %eax
	CHECK(je)
	movl $other, %esi
	movl $copied, %edi
	movl $6, %ecx
	cld
	rep movsb
	call copied
	cmpl $2, %eax
	CHECK(je)
	/* ... and over what comes right behind itself */
	movl $incs, %esi
	movl $3f, %edi
	movl $4, %ecx
	xorl %eax, %eax
	rep movsb
3:	nop
	nop
	nop
	nop
	cmpl $4, %eax
	CHECK(je)

	/* PUSH writes code: the stack grows into a block that has run */
	call below
	cmpl $5, %eax
	CHECK(je)
	movl %esp, %ebp
	movl $(below + 4), %esp
	pushl $0x90404040 /* incl %eax three times, nop */
	movl %ebp, %esp
	movl $10, %eax
	call below
	cmpl $13, %eax
	CHECK(je)

	/* a locked instruction writes the one behind it */
	movl $0, %eax
	movb $0x40, %cl
	xchgb %cl, 4f
4:	nop
	cmpl $1, %eax
	CHECK(je)

	/* through another mapping of the page */
	CLEAR(PD, 0x2000)
	movl $0x87, PD
	movl $(PT + 7), PD + 4
	movl $(CODE + 7), PT
	PAGING_ON(0)
	movb $0xb8, CODE
	movl $0x55, CODE + 1
	movb $0xc3, CODE + 5
	movl $ALIAS, %ebx
	call *%ebx
	cmpl $0x55, %eax
	CHECK(je)
	movl $0x66, CODE + 1
	call *%ebx
	cmpl $0x66, %eax
	CHECK(je)
	movl $0x77, ALIAS + 1
	movl $CODE, %ecx
	call *%ecx
	cmpl $0x77, %eax
	CHECK(je)
	/* the mapping itself changes: other code at the same address */
	movb $0xb8, CODE + 0x2000
	movl $0x88, CODE + 0x2001
	movb $0xc3, CODE + 0x2005
	movl $(CODE + 0x2007), PT
	invlpg ALIAS
	call *%ebx
	cmpl $0x88, %eax
	CHECK(je)

	/* a faulting store changes nothing, then the rest of its block runs on */
	movl $(CODE + 5), PT
	movl %cr0, %eax
	orl $0x10000, %eax
	movl %eax, %cr0
	invlpg ALIAS
	EXPECT_AT_2
	movl $0x99, ALIAS + 1
2:	FAULTED(14, 3)
	call *%ebx
	cmpl $0x77, %eax
	CHECK(je)
	jmp pass

	.balign 64
copied:	movl $1, %eax
	ret
	.balign 64
other:	movl $2, %eax
	ret
incs:	incl %eax
	incl %eax
	incl %eax
	incl %eax
	.fill 8, 1, 0xc3
	.balign 64
below:	nop
	nop
	nop
	nop
	cmpl $10, %eax
	jae 1f
	movl $5, %eax
1:	ret
	STUBS
	FAIL_AND_PASS
	PROT_DATA
	.set far_function, CODE + 0xffd
gdt:	GDT_FLAT
gdt_end:
