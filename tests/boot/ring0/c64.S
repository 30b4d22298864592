/* tests/boot/ring0/c64.S - what guests in C begin with: all processors to long mode, the first 2 MiB
 * mapped as they are, a stack each, and on at guest_run(number).  Exceptions and interrupts go to
 * guest_event().  The first processor wakes the others, see cpus_start().
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
	/* what linkers put first in .text: the image is entered at its first byte */
	.section .text.unlikely, "ax"
	.globl start
start:	TO_FLAT32
	CLEAR(PML4, 0x3000)
	MAP_LOW(PML4)
	TO_LONG_MODE(0x620, 0x100)
	FILL_IDT
	jmp enter

	/* 9000h: where the start-up IPI leads */
	.org 0x1000
	.code16
	TO_FLAT32
	TO_LONG_MODE(0x620, 0x100)
enter:	lidt idtr
	movl $1, %edi
	lock xaddl %edi, next_id
	movl %edi, %eax
	shll $12, %eax
	movl $0x7000, %esp
	subl %eax, %esp
	call guest_run
	/* only the first comes back */
	.globl guest_end
guest_end:
	movl %edi, %eax
	movw $EXIT_PORT, %dx
	outw %ax, %dx
	cli
1:	hlt
	jmp 1b

	STUB_TABLE(pushq)
common:
	.irp reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pushq %\reg
	.endr
	movq %rsp, %rdi
	cld
	call guest_event
	.irp reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	popq %\reg
	.endr
	addq $16, %rsp
	iretq

	.balign 8
next_id: .long 0
	LONG_TABLES
gdt:	GDT_LONG
gdt_end:
	.section .note.GNU-stack, "", @progbits
