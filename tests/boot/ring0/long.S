/* tests/boot/ring0/long.S - long mode: 4-level paging, NX, IST, SYSCALL, compatibility mode, XSAVE.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"

	/* CF, which insn makes, lives on through loops of DEC and INC. */
	.macro KEEPS_CARRY carry, insn:vararg
	movl $40, %ecx
	xorl %eax, %eax
	\insn
	jmp 1f
1:	decl %ecx
	jnz 1b
	jmp 2f
2:	incl %ecx
	js 2b
	decl %ecx
	setc %al
	cmpl $\carry, %eax
	CHECK(je)
	.endm

	.globl start
start:
	TO_FLAT32
	CLEAR(PML4, 0x8000)
	MAP_LOW(PML4)
	movl $(PML4 + 0x3007), PML4 + 0x2008
	movl $0x00110007, PML4 + 0x3000 /* 200000h: a page ... */
	movl $0x80000000, PML4 + 0x3004 /* ... not for execution */
	TO_LONG_MODE(0x620, 0x901) /* PAE, OSFXSR, OSXMMEXCPT; NXE, LME, SCE */
	FILL_IDT
	movb $1, IDT + 14 * 16 + 4 /* page and stack faults on IST1 */
	movb $1, IDT + 12 * 16 + 4
	movw $TSS, %ax
	ltr %ax

	KEEPS_CARRY 1, cmpl $41, %ecx
	KEEPS_CARRY 0, cmpl $40, %ecx
	KEEPS_CARRY 1, stc
	KEEPS_CARRY 0, testl %ecx, %ecx
	KEEPS_CARRY 1, shrl $4, %ecx
	KEEPS_CARRY 1, addl $-3, %ecx
	KEEPS_CARRY 0, incl %ecx

	/* #PF: code, CR2, the IST stack */
	EXPECT_AT_2
	movq 0x40000000, %rax
2:	FAULTED(14, 0)
	movq %cr2, %rax
	cmpq $0x40000000, %rax
	CHECK(je)
	cmpq $(0x4000 - 56), fault_sp
	CHECK(je)

	/* NX */
	movb $0xc3, 0x200000
	EXPECT_AT_2
	movl $0x200000, %eax
	call *%rax
	UNREACHED
2:	FAULTED(14, 0x11)

	/* non-canonical: #GP for data, #SS on the stack */
	movabsq $0x800000001000, %rbx
	EXPECT_AT_2
	movq (%rbx), %rax
2:	cmpq $13, vector
	CHECK(je)
	EXPECT_AT_2
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
	WRMSR(0xc0000082, syscall_entry)
	WRMSR(0xc0000084, 0x200)
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
	WRMSR(0xc0000101, 0x6000)
	WRMSR(0xc0000102, 0x6100)
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

	STUBS
	FAIL_AND_PASS

	LONG_DATA
seen:	.long 0
	.balign 8
gdt:	GDT_LONG
	GDT_TSS
gdt_end:
	TASK_STATE(0x5000, 0x4000)
