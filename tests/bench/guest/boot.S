/* tests/bench/guest/boot.S - a kernel by the PVH entry: runs the loops in ring 0 of long mode.
 *
 * 0-4 GiB are mapped identically in 2 MiB pages, global and for user mode as well, by both of two
 * address spaces; guest.c gives them pages of their own. Interrupts stay off. Ends by
 * isa-debug-exit at F4h: 0 = done, 1 = an exception nobody expected.
 * SPDX-License-Identifier: MIT */
#include "../../boot/pvh.inc"
#include "guest.h"

	PVH_NOTE

	.text
	.code32
	.globl start
start:
	cli
	cld
	movl $stack_end, %esp
	movl 24(%ebx), %ebp /* the command line */

	movl $0x1e7, %eax /* global, 2 MiB, accessed, dirty, user, writable, present */
	movl $directories, %edi
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b
	movl $(directories + 7), %eax
	movl $pointers, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b
	movl $(pointers + 7), space_a
	movl $(pointers + 7), space_b

	movl $0x6a0, %eax /* PAE, PGE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $1, %eax
	cpuid
	btl $26, %ecx
	jnc 1f
	movl %cr4, %eax
	orl $0x40000, %eax /* OSXSAVE */
	movl %eax, %cr4
	btl $28, %ecx
	jnc 1f
	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $7, %eax
	xsetbv
1:	movl $space_a, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x101, %eax /* LME, SCE */
	wrmsr
	movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
	lgdt gdtr
	ljmp $KERNEL_CODE, $1f

	.code64
1:	xorl %eax, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $tss, %eax
	movw %ax, tss_descriptor + 2
	shrl $16, %eax
	movb %al, tss_descriptor + 4
	movb %ah, tss_descriptor + 7
	movw $TSS, %ax
	ltr %ax
	movl $0xc0000081, %ecx /* STAR */
	xorl %eax, %eax
	movl $(KERNEL_CODE | (USER_CODE32 << 16)), %edx
	wrmsr
	incl %ecx /* LSTAR */
	movl $syscall_entry, %eax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000084, %ecx /* SFMASK: interrupts, direction */
	movl $0x600, %eax
	wrmsr

	movl $idt, %edi
	movl $32, %ecx
	movl $exceptions, %eax
1:	call set_gate
	addl $16, %eax
	decl %ecx
	jnz 1b
	movl $page_fault, %eax
	movl $(idt + 14 * 16), %edi
	call set_gate
	movl $interrupt, %eax
	movl $(idt + VECTOR_INT * 16), %edi
	call set_gate
	lidt idtr

	fninit
	movl %ebp, %edi
	call guest_main
	xorl %eax, %eax
leave:	outb %al, $0xf4
1:	cli
	hlt
	jmp 1b

/* RAX: the handler; RDI: the gate, moved to the next. */
set_gate:
	movw %ax, (%rdi)
	movw $KERNEL_CODE, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	movl %eax, %edx
	shrl $16, %edx
	movw %dx, 6(%rdi)
	movq $0, 8(%rdi)
	addq $16, %rdi
	ret

	.balign 16
exceptions:
	.set vector, 0
	.rept 32
	.balign 16
	movl $vector, %edi
	jmp 1f
	.set vector, vector + 1
	.endr
1:	movq (%rsp), %rsi /* an error code or RIP */
	movq 8(%rsp), %rdx
	andq $-16, %rsp
	call guest_exception
	movb $1, %al
	jmp leave

	.data
	.balign 8
gdt:	.quad 0
	.quad 0x00af9a000000ffff /* KERNEL_CODE */
	.quad 0x00cf92000000ffff
	.quad 0x00cffa000000ffff /* USER_CODE32 */
	.quad 0x00cff2000000ffff
	.quad 0x00affa000000ffff
tss_descriptor:
	.quad 0x0000890000000067
	.quad 0
gdt_end:
	.balign 8
gdtr:	.word gdt_end - gdt - 1
	.long gdt
	.long 0
idtr:	.word IDT_ENTRIES * 16 - 1
	.quad idt
	.balign 16
tss:	.long 0
	.quad stack_end
	.skip 90
	.word 0x68

	.bss
	.balign 4096
	.globl space_a, space_b
space_a: .skip 4096
space_b: .skip 4096
pointers: .skip 4096
directories: .skip 4 * 4096
idt:	.skip 4096
	.skip 16384
stack_end:
	.section .note.GNU-stack, "", @progbits
