/* tests/boot/ring0/long.S - long mode: 4-level paging, NX, IST, SYSCALL, compatibility mode, XSAVE.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#define CODE32 0x08
#define DATA 0x10
#define CODE64 0x18
#define USER32 0x23
#define USERDATA 0x2b
#define USER64 0x33
#define TSS 0x38
#define PML4 0x100000
#define IDT 0x2000

	.code16
	.globl start
start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl gdtr
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE32, $protected
	.code32
protected:
	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $PML4, %edi
	xorl %eax, %eax
	movl $0x2000, %ecx
	cld
	rep stosl
	movl $(PML4 + 0x1007), PML4
	movl $(PML4 + 0x2007), PML4 + 0x1000
	movl $0x87, PML4 + 0x2000 /* 2 MiB identity, for all */
	movl $(PML4 + 0x3007), PML4 + 0x2008
	movl $0x00110007, PML4 + 0x3000 /* 200000h: a page ... */
	movl $0x80000000, PML4 + 0x3004 /* ... not for execution */
	movl $PML4, %eax
	movl %eax, %cr3
	movl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	movl $0x901, %eax /* NXE, LME, SCE */
	xorl %edx, %edx
	wrmsr
	movl $0x80010033, %eax
	movl %eax, %cr0
	ljmpl $CODE64, $long_mode

	.code64
long_mode:
	movl $0x7000, %esp
	movl $256, %ecx
	movl $stubs, %eax
	movl $IDT, %edi
1:	movw %ax, (%rdi)
	movw $CODE64, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	movw $0, 6(%rdi)
	movq $0, 8(%rdi)
	addl $16, %eax
	addl $16, %edi
	decl %ecx
	jnz 1b
	movb $1, IDT + 14 * 16 + 4 /* page and stack faults on IST1 */
	movb $1, IDT + 12 * 16 + 4
	lidt idtr
	movw $TSS, %ax
	ltr %ax

	/* #PF: code, CR2, the IST stack */
	movq $2f, resume
	movq 0x40000000, %rax
2:	cmpq $14, vector
	CHECK(je)
	cmpq $0, code
	CHECK(je)
	movq %cr2, %rax
	cmpq $0x40000000, %rax
	CHECK(je)
	cmpq $(0x4000 - 56), fault_sp
	CHECK(je)

	/* NX */
	movb $0xc3, 0x200000
	movq $2f, resume
	movl $0x200000, %eax
	call *%rax
	UNREACHED
2:	cmpq $0x11, code
	CHECK(je)

	/* non-canonical: #GP for data, #SS on the stack */
	movabsq $0x800000001000, %rbx
	movq $2f, resume
	movq (%rbx), %rax
2:	cmpq $13, vector
	CHECK(je)
	movq $2f, resume
	movq %rbx, %rsp
	pushq %rax
2:	movl $0x7000, %esp
	cmpq $12, vector
	CHECK(je)

	/* SYSRET to ring 3, SYSCALL back */
	movl $0xc0000081, %ecx
	xorl %eax, %eax
	movl $((USER32 << 16) | CODE64), %edx
	wrmsr
	movl $0xc0000082, %ecx
	movl $syscall_entry, %eax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000084, %ecx
	movl $0x200, %eax
	wrmsr
	movl $user, %ecx
	movl $0x202, %r11d
	sysretq
user:	movw %cs, %bx
	movw %ss, %bp
	movl $0xabcd, %edi
	syscall
user_return:
	UNREACHED
syscall_entry:
	cmpq $user_return, %rcx
	CHECK(je)
	cmpw $USER64, %bx
	CHECK(je)
	cmpw $USERDATA, %bp
	CHECK(je)
	cmpl $0xabcd, %edi
	CHECK(je)
	pushfq
	popq %rax
	testl $0x200, %eax
	CHECK(jz)
	movl $0x7000, %esp

	/* compatibility mode and back by a far return */
	movl $0, seen
	pushq $CODE32
	pushq $compat
	lretq
	.code32
compat:	movl $0x12345678, %eax
	incl %eax
	.byte 0x48 /* DEC EAX here, REX.W there */
	movl %eax, seen
	ljmpl $CODE64, $back64
	.code64
back64:	cmpl $0x12345678, seen
	CHECK(je)

	/* SWAPGS, FS and GS bases */
	movl $0xc0000101, %ecx
	movl $0x6000, %eax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000102, %ecx
	movl $0x6100, %eax
	wrmsr
	movl $0x11, 0x6008
	movl $0x22, 0x6108
	cmpl $0x11, %gs:8
	CHECK(je)
	swapgs
	cmpl $0x22, %gs:8
	CHECK(je)

	/* FXSAVE and FXRSTOR */
	movl $0x77, %eax
	movd %eax, %xmm9
	fxsave64 0x5000
	pxor %xmm9, %xmm9
	fxrstor64 0x5000
	movd %xmm9, %eax
	cmpl $0x77, %eax
	CHECK(je)
	jmp pass

	.balign 16
stubs:
	.set v, 0
	.rept 256
	.balign 16
	.if (v != 8) && (v != 17) && ((v < 10) || (v > 14))
	pushq $0
	.endif
	pushq $v
	jmp common
	.set v, v + 1
	.endr
common:
	movq %rsp, fault_sp
	popq vector
	popq code
	movl $0x7000, %esp
	jmp *resume
	FAIL_AND_PASS

	.balign 8
vector:	.quad 0
code:	.quad 0
fault_sp: .quad 0
resume:	.quad 0
seen:	.long 0
gdtr:	.word gdt_end - gdt - 1
	.long gdt
idtr:	.word 0xfff
	.quad IDT
	.balign 8
gdt:	.quad 0
	.quad 0x00cf9a000000ffff
	.quad 0x00cf92000000ffff
	.quad 0x00af9a000000ffff
	.quad 0x00cffa000000ffff
	.quad 0x00cff2000000ffff
	.quad 0x00affa000000ffff
	.word 0x67, tss
	.long 0x00008900
	.quad 0
gdt_end:
	.balign 16
tss:	.long 0
	.quad 0x5000, 0, 0, 0
	.quad 0x4000, 0, 0, 0, 0, 0, 0
	.quad 0
	.long 0x680000
