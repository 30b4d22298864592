/* tests/boot/ring0/real.S - real mode: interrupts, faults, single step, far calls, self-modifying code.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
	.code16
	.globl start
start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7000, %sp
	movw $on_divide, 0 * 4
	movw %ax, 0 * 4 + 2
	movw $on_step, 1 * 4
	movw %ax, 1 * 4 + 2
	movw $on_gp, 13 * 4
	movw %ax, 13 * 4 + 2
	movw $on_int21, 0x21 * 4
	movw %ax, 0x21 * 4 + 2

	/* INT n and IRET */
	movw $5, %bx
	int $0x21
	cmpw $6, %bx
	CHECK(je)
	cmpw $0x7000, %sp
	CHECK(je)

	/* #DE is a fault: its handler sees the DIV and skips it */
	xorw %cx, %cx
	movw $1, %ax
	divb %cl
	cmpw $1, divides
	CHECK(je)

	/* a word at FFFF passes the limit: #GP without error code */
	movw 0xffff, %ax
	cmpw $1, gps
	CHECK(je)

	/* TF: a trap after each instruction that began with it set */
	pushfw
	popw %ax
	orw $0x100, %ax
	pushw %ax
	popfw
	nop
	nop
	pushfw
	popw %ax
	andw $0xfeff, %ax
	pushw %ax
	popfw
	nop
	cmpw $7, steps
	CHECK(je)

	/* MOV SS holds the trap back for one instruction */
	movw $0, steps
	pushfw
	popw %ax
	orw $0x100, %ax
	pushw %ax
	popfw
	movw %cx, %ss
	nop
	andw $0xfeff, %ax
	pushw %ax
	popfw
	cmpw $4, steps
	CHECK(je)

	/* far call and return */
	lcall $0x100, $(far_function - 0x1000)
	cmpw $0x1234, %dx
	CHECK(je)

	/* code changed by a store: in another block ... */
	xorw %ax, %ax
	xorw %bx, %bx
	call patched
	movb $0x43, patched /* inc %bx */
	call patched
	cmpw $1, %ax
	CHECK(je)
	cmpw $1, %bx
	CHECK(je)
	/* ... and just ahead in the same one */
	movb $0x77, ahead + 1
ahead:	movb $0x11, %cl
	cmpb $0x77, %cl
	CHECK(je)

	/* REP strings */
	movw $text, %si
	movw $0x6000, %di
	movw $4, %cx
	cld
	rep movsb
	cmpl $0x64636261, 0x6000
	CHECK(je)
	jmp pass

on_int21:
	incw %bx
	iretw
on_divide:
	incw divides
	pushw %bp
	movw %sp, %bp
	addw $2, 2(%bp)
	popw %bp
	iretw
on_gp:
	incw gps
	pushw %bp
	movw %sp, %bp
	addw $3, 2(%bp) /* mov moffs16, %ax */
	popw %bp
	iretw
on_step:
	incw steps
	iretw
far_function:
	movw $0x1234, %dx
	lretw
patched:
	incw %ax
	ret
	FAIL_AND_PASS
text:	.ascii "abcd"
divides: .word 0
gps:	.word 0
steps:	.word 0
