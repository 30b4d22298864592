/* tests/boot/ring0/smp.S - a second processor: INIT, start-up, locked counters, interrupts out of HLT.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#define ROUNDS 20000
	.code16
	.globl start
start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7000, %sp
	movw $on_intr, 0x40 * 4
	movw %ax, 0x40 * 4 + 2

	/* the harness sends INIT and a start-up IPI for page 9 to the second processor */
	movb $0xea, 0x9000 /* ljmp $0, $second */
	movw $second, 0x9001
	movw $0, 0x9003
	movw $INPUT_PORT, %dx
	movb $1, %al
	outb %al, %dx
1:	pause
	cmpb $0, second_is_up
	je 1b

	movl $ROUNDS, %ecx
2:	lock incl counter
	decl %ecx
	jnz 2b
3:	pause
	cmpb $2, second_is_up
	jne 3b
	cmpl $(2 * ROUNDS), counter
	CHECK(je)

	/* HLT until an interrupt; STI's shadow lets HLT begin first */
	movb $2, %al
	movw $INPUT_PORT, %dx
	outb %al, %dx
	sti
	hlt
	cli
	cmpw $1, interrupts
	CHECK(je)
	/* masked: nothing comes until STI and one instruction more */
	movb $2, %al
	outb %al, %dx
	nop
	nop
	cmpw $1, interrupts
	CHECK(je)
	sti
	nop
	cli
	cmpw $2, interrupts
	CHECK(je)
	jmp pass

	/* CS is 900h here: data at physical addresses through DS = 0 */
second:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movb $1, second_is_up
	movl $ROUNDS, %ecx
1:	lock incl counter
	decl %ecx
	jnz 1b
	movb $2, second_is_up
2:	hlt
	jmp 2b

on_intr:
	incw interrupts
	iretw
	FAIL_AND_PASS
	.balign 4
counter: .long 0
interrupts: .word 0
second_is_up: .byte 0
