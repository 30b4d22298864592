/* tests/bench/guest/start.S - a PVH kernel that tells by bytes on the first serial port: '1' when its
 * first instruction runs, then the number of processors each time another one has come to life.
 * SPDX-License-Identifier: MIT */
#define SERIAL 0x3f8
#define APIC 0xfee00000
#define TRAMPOLINE 0x8000
#define ALIVE 0x9000

	.section .note.pvh, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.balign 4
	.long start

	.text
	.code32
	.globl start
start:
	movw $SERIAL, %dx
	movb $'1', %al
	outb %al, %dx
	cli
	cld
	movl $real_code, %esi
	movl $TRAMPOLINE, %edi
	movl $(real_end - real_code), %ecx
	rep movsb
	movw $0, ALIVE
	movl $0x1ff, APIC + 0xf0
	/* INIT, then a start-up IPI, to all others */
	movl $0xc4500, APIC + 0x300
	movl $0xc4600 | TRAMPOLINE >> 12, APIC + 0x300
	xorl %ebx, %ebx
1:	pause
	cmpw %bx, ALIVE
	je 1b
	incl %ebx
	movb %bl, %al
	addb $'1', %al
	outb %al, %dx
	jmp 1b

	.code16
real_code:
	xorw %ax, %ax
	movw %ax, %ds
	lock incw ALIVE
	cli
1:	hlt
	jmp 1b
real_end:
