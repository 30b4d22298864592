/* tests/gdb/guest.S - what gdb_test.py looks at: a PVH kernel whose first processor goes from
 * protected to long mode and runs in circles there, while the second one does in real mode.
 * SPDX-License-Identifier: MIT */
#include "../boot/pvh.inc"

#define CODE32 0x08
#define DATA 0x10
#define CODE64 0x18
#define APIC 0xfee00000
#define REAL 0x8000
#define TABLES 0x200000

	PVH_NOTE

	.text
	.code32
	.globl start
start:
	cli
	PVH_SEGMENTS(CODE32, DATA, stack_end)
	movl $0x11223344, %eax
	movl $0x55667788, %ebx
	.globl in_protected_mode
in_protected_mode:
	nop

	/* the second processor */
	movl $real_code, %esi
	movl $REAL, %edi
	movl $(real_end - real_code), %ecx
	rep movsb
	movl $0x1ff, APIC + 0xf0
	movl $0xc4500, APIC + 0x300
	movl $0xc4600 | REAL >> 12, APIC + 0x300

	/* the first GiB, by pages of 2 MiB, and at 4 GiB again */
	movl $(TABLES + 0x1003), TABLES
	movl $(TABLES + 0x2003), TABLES + 0x1000
	movl $(TABLES + 0x2003), TABLES + 0x1000 + 4 * 8
	movl $(TABLES + 0x2000), %edi
	movl $0x83, %eax
	movl $512, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	movl $TABLES, %eax
	movl %eax, %cr3
	movl $0x40620, %eax /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	movl $0x100, %eax
	xorl %edx, %edx
	wrmsr
	movl $0x80000033, %eax
	movl %eax, %cr0
	ljmp $CODE64, $in_long_mode

	.code64
	.globl in_long_mode, circle
in_long_mode:
	testb $1, plain
	jnz circle
	xorl %ecx, %ecx
	movl $7, %eax
	xorl %edx, %edx
	xsetbv
	movl $0xc0000100, %ecx
	movl $0x12345678, %eax
	movl $0x7abc, %edx
	wrmsr
	movabsq $0x1122334455667788, %rax
	movabsq $0x99aabbccddeeff00, %r15
	vmovdqu pattern, %ymm3
	fninit
	fldpi
	.globl registers_set
registers_set:
	nop
circle:
	call work
	jmp circle

	.globl work, store, stored, load, loaded
work:
	incq counter
	movq counter, %rbx
store:
	movq %rbx, written
stored:
	nop
load:
	movq read, %rcx
loaded:
	nop
	ret

	.code16
real_code:
	xorw %ax, %ax
	movw %ax, %ds
	movw $0x1234, %bx
real_circle:
	incw 0x9000
	jmp real_circle
real_end:

	.data
	.globl counter, written, read, pattern, plain, real_circle_at
	.balign 4096
counter:
	.quad 0
read:
	.quad 5
pattern:
	.octa 0x0f0e0d0c0b0a09080706050403020100
	.octa 0x1f1e1d1c1b1a19181716151413121110
plain: /* set by those who want no more than integers */
	.byte 0
	.set real_circle_at, REAL + real_circle - real_code
	.balign 4096
written:
	.quad 0
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00af9b000000ffff
gdtr:
	.word gdtr - gdt - 1
	.long gdt

	.bss
	.balign 16
	.skip 4096
stack_end:
