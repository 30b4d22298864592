/* tests/boot/ring0/system.S - long mode's system side: call gates, SYSENTER from compatibility mode,
 * PCIDs, INVPCID, NMI blocking until IRET, the XSAVE areas, string instructions that fault half-way,
 * the machine's own exceptions.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
#define GATE 0x4b
#define PML4B 0x108000
#define PT 0x103000
#define FRAME 0x110000
#define ADDR 0x200000 /* mapped by PT, or another PT in the second address space */
	.globl start
start:
	TO_FLAT32
	CLEAR(PML4, 0x10000)
	MAP_LOW(PML4)
	movl $(PT + 7), PML4 + 0x2008
	movl $(FRAME + 7), PT
	MAP_LOW(PML4B)
	movl $(PML4B + 0x3007), PML4B + 0x2008
	movl $(FRAME + 0x1007), PML4B + 0x3000
	movl $0xaaaa, FRAME
	movl $0xbbbb, FRAME + 0x1000
	TO_LONG_MODE(0x6a0, 0x901) /* PAE, PGE, OSFXSR, OSXMMEXCPT; NXE, LME, SCE */
	FILL_IDT
	movw $0xee00, IDT + 0x80 * 16 + 4
	movw $TSS, %ax
	ltr %ax

	/* a 64-bit call gate from ring 3: no parameters are copied, SS is null inside */
	EXPECT_AT_2
	TO_USER(USER64, 1f)
1:	lcall *gate_pointer
	movw %cs, %bx
	movq %rsp, %rbp
	int $0x80
2:	cmpq $0x80, vector
	CHECK(je)
	cmpl $CODE64, %r8d
	CHECK(je)
	cmpl $0, %r9d
	CHECK(je)
	cmpl $USER64, %ebx
	CHECK(je)
	cmpq $0x6000, %rbp
	CHECK(je)

	/* SYSENTER from compatibility mode, SYSEXIT back to 32 bits */
	WRMSR(0x174, CODE32)
	WRMSR(0x175, 0x7000)
	WRMSR(0x176, sysenter_entry)
	EXPECT_AT_2
	TO_USER(USER32, user32)
	.code32
user32:	movl $0x77, %edi
	movl %esp, %ecx
	movl $back32, %edx
	sysenter
back32:	movw %cs, %bx
	movw %ss, %bp
	int $0x80
	.code64
2:	cmpq $0x80, vector
	CHECK(je)
	cmpl $0x78, %edi
	CHECK(je)
	cmpw $(CODE32 + 16 + 3), %bx /* whatever the GDT has there */
	CHECK(je)
	cmpw $(CODE32 + 24 + 3), %bp
	CHECK(je)
	/* a null CS selector in the MSR: #GP(0) */
	WRMSR(0x174, 0)
	EXPECT_AT_2
	sysenter
2:	FAULTED(13, 0)

	/* PCIDs: a switch with bit 63 keeps translations, without drops those of the new one */
	movl $1, %eax
	xorl %ecx, %ecx
	cpuid
	testl $0x20000, %ecx
	jz no_pcid
	movq %cr4, %rax
	orl $0x20000, %eax
	movq %rax, %cr4
	movl $(PML4 + 1), %eax
	movq %rax, %cr3
	cmpl $0xaaaa, ADDR
	CHECK(je)
	movl $(PML4B + 2), %eax
	movq %rax, %cr3
	cmpl $0xbbbb, ADDR
	CHECK(je)
	movq $(PML4 + 1), %rax
	btsq $63, %rax
	movq %rax, %cr3
	movq %cr3, %rbx /* bit 63 is never read back */
	cmpq $(PML4 + 1), %rbx
	CHECK(je)
	cmpl $0xaaaa, ADDR
	CHECK(je)
	/* PCIDE cannot go on while CR3 has a PCID; PG cannot go off */
	EXPECT_AT_2
	movq %cr0, %rax
	andl $0x7fffffff, %eax
	movq %rax, %cr0
2:	FAULTED(13, 0)
	/* INVPCID: one address; a reserved type faults */
	movl $(FRAME + 0x1007), PT
	movq $1, descriptor
	movq $ADDR, descriptor + 8
	xorl %eax, %eax
	invpcid descriptor, %rax
	cmpl $0xbbbb, ADDR
	CHECK(je)
	movl $(FRAME + 7), PT
	movl $2, %eax
	invpcid descriptor, %rax
	cmpl $0xaaaa, ADDR
	CHECK(je)
	EXPECT_AT_2
	movl $4, %eax
	invpcid descriptor, %rax
2:	FAULTED(13, 0)
	movl $PML4, %eax
	movq %rax, %cr3
no_pcid:

	/* NMI: delivered once, the next waits for IRET */
	movw $on_nmi, IDT + 2 * 16
	movl $INPUT_PORT, %edx
	movb $4, %al
	outb %al, %dx
	movl $1000, %ecx /* taken at a jump at the latest */
1:	loop 1b
	cmpl $2, nmis
	CHECK(je)
	cmpl $1, nested
	CHECK(je)

	/* REP MOVSB into a page that is not there stops with true registers, and goes on */
	EXPECT_AT_2
	movl $FRAME, %esi
	movl $(ADDR + 0xff8), %edi
	movl $16, %ecx
	rep movsb
2:	FAULTED(14, 2)
	cmpq $8, %rcx
	CHECK(je)
	cmpq $(ADDR + 0x1000), %rdi
	CHECK(je)
	cmpq $(FRAME + 8), %rsi
	CHECK(je)
	movl $(FRAME + 0x2007), PT + 8
	rep movsb
	jrcxz 1f
	UNREACHED
1:	/* a 16-byte store over two pages, the second read-only: nothing changes */
	movl $(FRAME + 0x2005), PT + 8
	invlpg ADDR + 0x1000
	movq $0x1111, FRAME + 0xff8
	pcmpeqb %xmm0, %xmm0
	EXPECT_AT_2
	movups %xmm0, ADDR + 0xff8
2:	FAULTED(14, 3)
	cmpq $0x1111, FRAME + 0xff8
	CHECK(je)

	/* XSAVE: header, components at their offsets, init optimisation of XRSTOR */
	movl $1, %eax
	xorl %ecx, %ecx
	cpuid
	testl $0x4000000, %ecx
	jz no_xsave
	movq %cr4, %rax
	orl $0x40000, %eax
	movq %rax, %cr4
	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $7, %eax
	xsetbv
	movl $0x5000, %edi
	movl $0x100, %ecx
	movl $-1, %eax
	rep stosl
	movq $0, 0x5200
	movq $0, 0x5208
	movq $0, 0x5210
	movl $0x77, %eax
	movd %eax, %xmm5
	fninit
	movl $3, %eax
	xorl %edx, %edx
	xsave 0x5000
	cmpl $0x77, 0x5000 + 160 + 5 * 16
	CHECK(je)
	movl 0x5200, %eax /* x87 is in its initial state and may be left out */
	testl $2, %eax
	CHECK(jnz)
	testl $4, %eax
	CHECK(jz)
	cmpl $-1, 0x5240 /* AVX was not asked for */
	CHECK(je)
	movq $0, 0x5200 /* all initial */
	movl $7, %eax
	xrstor 0x5000
	movd %xmm5, %eax
	testl %eax, %eax
	CHECK(jz)
	EXPECT_AT_2
	movl $3, %eax
	xorl %edx, %edx
	xsave 0x5020 /* not in line */
2:	FAULTED(13, 0)
	EXPECT_AT_2
	movq $0x10, 0x5208 /* XCOMP_BV must be 0 in the standard form */
	xrstor 0x5000
2:	FAULTED(13, 0)
	EXPECT_AT_2
	xorl %ecx, %ecx
	movl $5, %eax /* AVX without SSE */
	xorl %edx, %edx
	xsetbv
2:	FAULTED(13, 0)
no_xsave:

	/* KVM may announce what was not asked for; this Linux executes at once if it is */
	movl $7, %eax
	xorl %ecx, %ecx
	cpuid
	btl $14, %edx
	jnc no_serialize
	.byte 0x0f, 0x01, 0xe8 /* SERIALIZE */
no_serialize:

	/* reserved MSR bits, unknown MSRs and registers */
	EXPECT_AT_2
	movl $0xc0000080, %ecx
	movl $-1, %eax
	movl %eax, %edx
	wrmsr
2:	FAULTED(13, 0)
	EXPECT_AT_2
	movl $0x12345678, %ecx
	rdmsr
2:	FAULTED(13, 0)
	EXPECT_AT_2
	movl $0xc0000082, %ecx /* LSTAR takes canonical addresses only */
	movl $0x8000, %edx
	wrmsr
2:	FAULTED(13, 0)
	EXPECT_AT_2
	movq $-1, %rax
	movq %rax, %cr4
2:	FAULTED(13, 0)
	EXPECT_AT_2
	.byte 0x0f, 0x20, 0xc8 /* CR1 */
2:	cmpq $6, vector
	CHECK(je)
	/* x87 errors with CR0.NE: #MF at the next waiting instruction */
	fninit
	fldcw control
	fld1
	fldz
	EXPECT_AT_2
	fdivrp
	fwait
2:	cmpq $16, vector
	CHECK(je)
	fnclex
	/* SIMD: #XM */
	movl $0x1d80, mxcsr /* #Z unmasked */
	ldmxcsr mxcsr
	xorps %xmm0, %xmm0
	movl $0x3f800000, %eax
	movd %eax, %xmm1
	EXPECT_AT_2
	divss %xmm0, %xmm1
2:	cmpq $19, vector
	CHECK(je)
	jmp pass

gate_entry:
	movw %cs, %r8w
	movzwl %r8w, %r8d
	movw %ss, %r9w
	movzwl %r9w, %r9d
	lretq
sysenter_entry:
	incl %edi
	sysexitl
on_nmi:	incl nmis
	cmpl $2, nmis
	je 1f
	movl $INPUT_PORT, %edx
	movb $4, %al
	outb %al, %dx
	movl $1000, %ebx
2:	decl %ebx
	jnz 2b
	cmpl $1, nmis /* blocked until IRETQ */
	jne 1f
	movl $1, nested
1:	iretq

	STUBS
	FAIL_AND_PASS

	LONG_DATA
descriptor: .quad 0, 0
gate_pointer: .long 0
	.word GATE
control: .word 0x37b /* #Z unmasked */
mxcsr:	.long 0
nmis:	.long 0
nested:	.long 0
	.balign 8
gdt:	GDT_LONG
	GDT_TSS
	.word gate_entry, CODE64
	.long 0x0000ec00
	.quad 0
gdt_end:
	TASK_STATE(0x4800, 0x4000)
