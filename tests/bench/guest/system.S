/* tests/bench/guest/system.S - the loops of a kernel: address spaces, exceptions, ports, code that
 * changes.
 * SPDX-License-Identifier: MIT */
#include "guest.h"
#include "loop.inc"
#define AGAIN   decq %rdi; jnz 1b

/* Address spaces. */

LOOP cr3, "load of CR3, another address space"
	movl $space_a, %eax
	movl $space_b, %edx
1:	movq %rdx, %cr3
	xchgl %eax, %edx
	AGAIN
	movl $space_a, %eax
	movq %rax, %cr3
	xorl %eax, %eax
	ret

LOOP cr3_touch, "load of CR3, 16 of its pages read"
	movl $space_a, %r8d
	movl $space_b, %r9d
	xorl %eax, %eax
	movl %edi, FRAMES_B + 0x1000
1:	movq %r9, %cr3
	xchgl %r8d, %r9d
	movabsq $PRIVATE, %rsi
	movl $FRAMES, %ecx
2:	addl (%rsi), %eax
	addq $4096, %rsi
	decl %ecx
	jnz 2b
	AGAIN
	movl $space_a, %ecx
	movq %rcx, %cr3
	ret

LOOP invlpg, "invlpg and a read there"
	movabsq $PRIVATE, %rsi
	movl %edi, (%rsi)
	xorl %eax, %eax
1:	invlpg (%rsi)
	addl (%rsi), %eax
	AGAIN
	ret

LOOP tlb, "a read of one of 16384 pages", PRIVATE_PAGES
	movabsq $PRIVATE, %rdx
	movl %edi, (%rdx)
	xorl %eax, %eax
1:	movq %rdx, %rsi
	movl $PRIVATE_PAGES, %ecx
2:	addl (%rsi), %eax
	addq $4096, %rsi
	decl %ecx
	jnz 2b
	AGAIN
	ret

/* Exceptions and system calls. */

LOOP int, "int and iretq"
	xorl %eax, %eax
1:	int $VECTOR_INT
	AGAIN
	ret
	.globl interrupt, page_fault, syscall_entry
interrupt:
	incl %eax
	iretq

LOOP fault, "page fault and iretq"
	movabsq $ABSENT, %rsi
	xorl %eax, %eax
1:	movl (%rsi), %edx /* 2 bytes */
	AGAIN
	ret
page_fault:
	pushq %rcx
	movabsq $ABSENT, %rdx
	movq %cr2, %rcx
	cmpq %rdx, %rcx
	jne 1f
	incl %eax
	addq $2, 16(%rsp)
	popq %rcx
	addq $8, %rsp
	iretq
1:	movl $14, %edi
	movq 16(%rsp), %rsi
	movq %rcx, %rdx
	andq $-16, %rsp
	call guest_exception
	movb $1, %al
	outb %al, $0xf4
	hlt

LOOP syscall, "syscall and sysret"
	movq %rsp, kernel_stack
	movl $1f, %ecx
	movl $2, %r11d
	xorl %eax, %eax
	xorl %edx, %edx
	leaq -256(%rsp), %rsp
	sysretq
1:	syscall /* ring 3 from here */
	AGAIN
	incl %edx
	syscall
syscall_entry:
	swapgs
	movq %rsp, user_stack
	movq kernel_stack, %rsp
	testl %edx, %edx
	jnz 2f
	pushq %rcx
	pushq %r11
	incl %eax
	popq %r11
	popq %rcx
	movq user_stack, %rsp
	swapgs
	sysretq
2:	swapgs
	ret
	.bss
	.balign 8
kernel_stack: .quad 0
user_stack: .quad 0

/* Devices. */

LOOP port, "read of a serial port's register"
	xorl %eax, %eax
	movl $0x3ff, %edx /* scratch: what was written */
	movb $0x5a, %al
	outb %al, %dx
	xorl %esi, %esi
1:	inb %dx, %al
	addl %eax, %esi
	AGAIN
	movl %esi, %eax
	ret

LOOP mmio, "read of a local APIC register"
	movl $0xfee00000, %edx
	xorl %eax, %eax
1:	addl 0x30(%rdx), %ecx
	incl %eax
	AGAIN
	ret

LOOP cpuid, "cpuid"
	pushq %rbx
	xorl %esi, %esi
1:	xorl %eax, %eax
	xorl %ecx, %ecx
	cpuid
	addl %eax, %esi
	AGAIN
	xorl %eax, %eax
	popq %rbx
	ret

/* Code that changes. */

LOOP code_page, "store to a code page, call there"
	xorl %eax, %eax
1:	movl %edi, patched_data
	call patched_reader
	AGAIN
	ret

LOOP patch, "store to an instruction, call it"
	xorl %eax, %eax
1:	movl %edi, patched_insn + 1
	call patched_insn
	addl %edx, %eax
	AGAIN
	ret

	.section .patched, "aw"
	.balign 4096
patched_data: .long 0 /* nothing here is marked as not executable */
	.balign 64
patched_reader:
	addl patched_data, %eax
	ret
	.balign 64
patched_insn:
	movl $0, %edx
	ret
	.balign 4096

/* Fresh code: a copy of FRESH_INSNS instructions of the common kinds in blocks of 5, run once. */

#define FRESH_REPEAT 400
#define FRESH_INSNS (50 * FRESH_REPEAT + 1)

LOOP translate, "an instruction run the first time", FRESH_INSNS
	pushq %rbx
	pushq %rbp
	movq %rdi, %rbx
	movq %rdi, %rax
1:	movq fresh_next, %rdi
	leaq (fresh_end - fresh + 4096)(%rdi), %rdx
	cmpq $FRESH_END, %rdx
	jb 2f
	movl $FRESH, %edi
	leaq (fresh_end - fresh + 4096)(%rdi), %rdx
2:	andq $-4096, %rdx
	movq %rdx, fresh_next
	movq %rdi, %rbp
	movl $fresh, %esi
	movl $((fresh_end - fresh) / 8), %ecx
	rep movsq
	movl $bench_data, %esi
	leaq 0x1000(%rsi), %rdi
	call *%rbp
	decq %rbx
	jnz 1b
	popq %rbp
	popq %rbx
	ret
	.data
	.balign 8
fresh_next: .quad FRESH

	.section .rodata
	.balign 16
fresh:
	.set k, 0
	.rept FRESH_REPEAT
	/* 10 blocks of 5 */
	movq k(%rsi), %rcx
	addq %rcx, %rax
	movl %eax, k(%rdi)
	testl $1, %eax
	jz 1f
1:	leaq 8(%rax, %rcx, 2), %rdx
	xorl %r8d, %r8d
	cmpq %rdx, %rax
	setb %r8b
	jbe 1f
1:	pushq %rax
	movzbl k(%rdi), %r9d
	addl %r9d, %edx
	popq %rcx
	jmp 1f
1:	movq %rdx, 8(%rdi)
	shrq $3, %rdx
	andl $0xff, %edx
	cmpl $(k & 127), %edx
	je 1f
1:	movl 16(%rsi), %r10d
	imull $(k + 3), %r10d, %r10d
	addl %r10d, %eax
	testq %rax, %rax
	js 1f
1:	movq %rsi, %r11
	addq $8, %r11
	movq (%r11), %rdx
	subq %rcx, %rdx
	jc 1f
1:	pushq %rdx
	call 2f
	popq %rdx
	addq %rdx, %rax
	jmp 1f
2:	movl $k, %ecx
	roll $5, %eax
	orl $1, %ecx
	movslq %ecx, %rcx
	ret
1:	movb %al, k(%rdi)
	incl %eax
	cmpb $3, k(%rsi)
	cmovel %eax, %edx
	jne 1f
1:	sarl $1, %edx
	notl %edx
	addl %edx, k(%rdi)
	testb $2, %dl
	jnz 1f
1:
	.set k, (k + 24) & 0x7ff
	.endr
	ret
	.balign 8
fresh_end:

	.section .note.GNU-stack, "", @progbits
