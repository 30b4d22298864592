/* tests/boot/ring0/rows.S - system instructions one by one: segment loads, descriptor queries, port
 * strings, tables, MSR companions, random numbers, FS and GS bases.  What they do, not only that.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
#define SEL_LDT 0x28
#define SEL_TSS 0x30
#define SEL_RODATA 0x38
#define SEL_EXEC_ONLY 0x40
#define SEL_CODE64 0x48
#define LDT 0x4000
#define AREA 0x5000 /* XSAVE */
#define PML4 0x100000
#define NO_PORT 0x700
	.code16
	.globl start
start:
	ENTER_PROTECTED

	/* segment registers from the stack and from far pointers */
	pushl $DATA3
	popl %es
	movw %es, %ax
	cmpw $DATA3, %ax
	CHECK(je)
	pushl $DATA0
	popl %ds
	pushl $DATA0
	popl %ss
	cmpl $0x7000, %esp
	CHECK(je)
	pushl $DATA3
	popl %fs
	pushl $DATA0
	popl %gs
	movw %fs, %ax
	cmpw $DATA3, %ax
	CHECK(je)
	movw %gs, %ax
	cmpw $DATA0, %ax
	CHECK(je)
	EXPECT_AT_2
	pushl $SEL_EXEC_ONLY /* not readable: #GP, ESP stays */
	popl %es
	UNREACHED
2:	FAULTED(13, SEL_EXEC_ONLY)
	movw %es, %ax
	cmpw $DATA3, %ax
	CHECK(je)
	les far_pointer, %eax
	cmpl $0x11223344, %eax
	CHECK(je)
	movw %es, %ax
	cmpw $DATA0, %ax
	CHECK(je)
	lds far_pointer, %ebx
	lfs far_pointer, %ecx
	lgs far_pointer, %edx
	cmpl $0x11223344, %ebx
	CHECK(je)
	cmpl %ebx, %ecx
	CHECK(je)
	cmpl %ebx, %edx
	CHECK(je)
	movw %fs, %ax
	cmpw $DATA0, %ax
	CHECK(je)
	movl %esp, far_stack
	lss far_stack, %esp
	cmpl $0x7000, %esp
	CHECK(je)
	movl $far_procedure, far_code
	lcall *far_code
	cmpl $0x77, %ebx
	CHECK(je)
	movl $far_target, far_code
	ljmpl *far_code
	UNREACHED
far_procedure:
	movl $0x77, %ebx
	lret
far_target:

	/* INTO: a trap if OF is set */
	movb $1, %al
	addb $1, %al
	into
	EXPECT_AT_2
	movb $0x7f, %al
	addb $1, %al
	into
	UNREACHED
2:	FAULTED(4, 0)

	/* descriptor queries */
	movw $SEL_LDT, %ax
	lldt %ax
	xorl %eax, %eax
	sldt %ax
	cmpl $SEL_LDT, %eax
	CHECK(je)
	movw $SEL_TSS, %ax
	ltr %ax
	xorl %eax, %eax
	str %ax
	cmpl $SEL_TSS, %eax
	CHECK(je)
	EXPECT_AT_2
	ltr %ax /* busy now */
2:	FAULTED(13, SEL_TSS)
	movw $SEL_RODATA, %ax
	verr %ax
	CHECK(jz)
	verw %ax
	CHECK(jnz)
	movw $SEL_EXEC_ONLY, %ax
	verr %ax
	CHECK(jnz)
	movw $DATA0, %ax
	verw %ax
	CHECK(jz)
	movl $DATA0, %ecx
	lar %ecx, %eax
	CHECK(jz)
	andl $0x00f0ff00, %eax
	cmpl $0x00c09300, %eax
	CHECK(je)
	lsl %ecx, %eax
	CHECK(jz)
	cmpl $0xffffffff, %eax
	CHECK(je)
	movl $SEL_LDT, %ecx
	lsl %ecx, %eax
	CHECK(jz)
	cmpl $0xf, %eax
	CHECK(je)
	xorl %ecx, %ecx
	movl $0x1234, %eax
	lsl %ecx, %eax
	CHECK(jnz)
	cmpl $0x1234, %eax
	CHECK(je)
	lar %ecx, %eax
	CHECK(jnz)
	movw $8, %ax
	movw $3, %cx
	arpl %cx, %ax
	CHECK(jz)
	cmpw $0xb, %ax
	CHECK(je)
	arpl %cx, %ax
	CHECK(jnz)
	sgdt scratch
	movl scratch, %eax
	cmpl gdtr, %eax
	CHECK(je)
	movw scratch + 4, %ax
	cmpw gdtr + 4, %ax
	CHECK(je)
	sidt scratch
	movl scratch, %eax
	cmpl idtr, %eax
	CHECK(je)
	movw scratch + 4, %ax
	cmpw idtr + 4, %ax
	CHECK(je)

	/* LMSW: TS as it says, PE only up */
	movl $9, %eax
	lmsw %ax
	movl %cr0, %eax
	testl $8, %eax
	CHECK(jnz)
	xorl %eax, %eax
	lmsw %ax
	movl %cr0, %eax
	andl $9, %eax
	cmpl $1, %eax
	CHECK(je)

	/* ports nobody answers */
	movl $0x12345678, %eax
	outl %eax, $0x80
	movw $NO_PORT, %dx
	inb %dx, %al
	cmpl $0x123456ff, %eax
	CHECK(je)
	inl %dx, %eax
	cmpl $-1, %eax
	CHECK(je)
	movl $scratch, %edi
	movl $0, scratch
	movl $0, scratch + 4
	cld
	insb
	cmpl $0xff, scratch
	CHECK(je)
	movl $scratch, %edi
	movl $3, %ecx
	rep insw
	cmpl $-1, scratch
	CHECK(je)
	cmpl $0xffff, scratch + 4
	CHECK(je)
	cmpl $(scratch + 6), %edi
	CHECK(je)
	movl $scratch, %esi
	outsb
	movl $2, %ecx
	rep outsw
	cmpl $(scratch + 5), %esi
	CHECK(je)
	orl %ecx, %ecx
	CHECK(jz)

	/* time and its companions */
	rdtsc
	movl %eax, %esi
	movl %edx, %edi
	movl $0xc0000103, %ecx
	movl $0x5a, %eax
	xorl %edx, %edx
	wrmsr
	rdtscp
	cmpl $0x5a, %ecx
	CHECK(je)
	subl %esi, %eax
	sbbl %edi, %edx
	CHECK(jnc)
	rdpid %ebx
	cmpl $0x5a, %ebx
	CHECK(je)
	rdrand %eax
	CHECK(jc)
	rdseed %ebx
	CHECK(jc)
	wbinvd
	invd
	EXPECT_AT_2
	movl $100, %ecx /* no such counter */
	rdpmc
	UNREACHED
2:	FAULTED(13, 0)

	xorl %eax, %eax
	movl $-1, %ebx
	cpuid
	cmpl $7, %eax
	CHECK(jae)
	cmpl $-1, %ebx
	CHECK(jne)

	/* SYSENTER, SYSEXIT to ring 3 */
	xorl %edx, %edx
	movl $0x174, %ecx
	movl $CODE0, %eax
	wrmsr
	incl %ecx
	movl $0x6800, %eax
	wrmsr
	incl %ecx
	movl $1f, %eax
	wrmsr
	sysenter
	UNREACHED
1:	cmpl $0x6800, %esp
	CHECK(je)
	EXPECT_AT_2
	movl $1f, %edx
	movl $0x6000, %ecx
	sysexit
1:	movw %cs, %bx
	movw %ss, %bp
	movl %esp, %ecx
	int $0x80
2:	cmpl $0x80, vector
	CHECK(je)
	cmpw $CODE3, %bx
	CHECK(je)
	cmpw $DATA3, %bp
	CHECK(je)
	cmpl $0x6000, %ecx
	CHECK(je)

	/* INVPCID: everything, and a type there is not */
	movl $2, %eax
	invpcid zeros, %eax
	EXPECT_AT_2
	movl $4, %eax
	invpcid zeros, %eax
	UNREACHED
2:	FAULTED(13, 0)

	/* extended state */
	movl %cr4, %eax
	orl $0x40600, %eax /* OSXSAVE, OSXMMEXCPT, OSFXSR */
	movl %eax, %cr4
	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $3, %eax
	xsetbv
	xorl %eax, %eax
	xgetbv
	cmpl $3, %eax
	CHECK(je)
	orl %edx, %edx
	CHECK(jz)
	movl $0x77, %eax
	movd %eax, %xmm1
	movl $3, %eax
	xsaveopt AREA
	testl $2, AREA + 512
	CHECK(jnz)
	cmpl $0x77, AREA + 160 + 16
	CHECK(je)
	xsave AREA + 0x800
	movl $0x88, %ecx
	movd %ecx, %xmm1
	xrstor AREA + 0x800
	movd %xmm1, %ecx
	cmpl $0x77, %ecx
	CHECK(je)
	xsavec AREA + 0x400
	cmpl $3, AREA + 0x400 + 520
	CHECK(je)
	cmpl $0x80000000, AREA + 0x400 + 524
	CHECK(je)
	cmpl $0x77, AREA + 0x400 + 160 + 16
	CHECK(je)

	/* into long mode, without an IDT: a fault would end the machine */
	movl $(PML4 + 0x1003), PML4
	movl $(PML4 + 0x2003), PML4 + 0x1000
	movl $0x83, PML4 + 0x2000
	movl $PML4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x10020, %eax /* FSGSBASE, PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	movl $0x100, %eax
	xorl %edx, %edx
	wrmsr
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	ljmpl $SEL_CODE64, $long_mode
	.code64
long_mode:
	movabsq $0x123456789abc, %rax
	wrfsbase %rax
	notl %eax
	wrgsbase %eax /* 32 bits: the upper half is zero */
	rdfsbase %rcx
	rdgsbase %rdx
	cmpq %rax, %rdx
	CHECK(je)
	movabsq $0x123456789abc, %rbx
	cmpq %rbx, %rcx
	CHECK(je)
	rdfsbase %ecx
	cmpq $0x56789abc, %rcx
	CHECK(je)
	movl $scratch, %eax
	wrfsbase %rax
	movl $0x4321, scratch
	cmpl $0x4321, %fs:0
	CHECK(je)
	jmp pass

	.code32
	STUBS
	FAIL_AND_PASS

	PROT_DATA
far_pointer: .long 0x11223344
	.word DATA0
	.balign 4
far_stack: .long 0
	.word DATA0
	.balign 4
far_code: .long far_target
	.word CODE0
	.balign 8
scratch: .quad 0, 0
zeros:	.quad 0, 0
gdt:	GDT_FLAT
	.word 0xf, LDT
	.long 0x00008200
	.word 0x67, tss
	.long 0x00008900
	.quad 0x00cf90000000ffff
	.quad 0x00cf98000000ffff
	.quad 0x00af9a000000ffff
gdt_end:
	.balign 16
tss:	.long 0, 0x6c00, DATA0
	.fill 23, 4, 0
