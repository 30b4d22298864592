/* tests/boot/ring0/v86.S - virtual-8086 mode: IOPL-sensitive instructions, VME's redirection and
 * virtual interrupt flag, the I/O map, alignment checks in ring 3.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
/* At `label` in virtual-8086 mode with these flags; segments 0, stack 6000h. */
#define TO_V86(fl, label)           \
	pushl $0;                   \
	pushl $0;                   \
	pushl $0;                   \
	pushl $0;                   \
	pushl $0;                   \
	pushl $0x6000;              \
	pushl $(0x20002 | (fl));    \
	pushl $0;                   \
	pushl $label;               \
	iretl
#define IOPL3 0x3000
#define STOPPED_AT(label)           \
	cmpl $label, fault_ip;      \
	CHECK(je)
	.globl start
start:
	ENTER_PROTECTED
	movl $0x5000, tss1 + 4
	movw $0x28, %ax
	ltr %ax
	/* real-mode vectors for redirected interrupts */
	movl $handler16, 0x21 * 4

	/* IOPL 0: CLI, STI, PUSHF, POPF, INT n, IRET fault for the monitor, with code 0 */
	.macro SENSITIVE insn:vararg
	EXPECT_AT_2
	TO_V86(0, 1f)
	.code16
1:	\insn
	hlt
	.code32
2:	FAULTED(13, 0)
	movl $1b, %eax
	cmpl %eax, fault_ip
	CHECK(je)
	.endm
	SENSITIVE cli
	SENSITIVE sti
	SENSITIVE pushfw
	SENSITIVE popfw
	SENSITIVE int $0x21
	SENSITIVE iretw

	/* IOPL 3: they work, HLT is still ring 0's; INT n goes through the IDT by a gate of DPL 3 */
	EXPECT_AT_2
	TO_V86(IOPL3 | 0x200, 1f)
	.code16
1:	cli
	pushfw
	popw %bx
	sti
	pushfw
	popw %cx
	cli
halts:	hlt
	.code32
2:	FAULTED(13, 0)
	STOPPED_AT(halts)
	testl $0x200, %ebx
	CHECK(jz)
	testl $0x200, %ecx
	CHECK(jnz)
	EXPECT_AT_2
	TO_V86(IOPL3, 1f)
	.code16
1:	int $0x80
	.code32
2:	cmpl $0x80, vector
	CHECK(je)
	testl $0x20000, flags
	CHECK(jnz)
	/* a gate of DPL 0: #GP names the vector */
	EXPECT_AT_2
	TO_V86(IOPL3, 1f)
	.code16
1:	int $0x21
	.code32
2:	FAULTED(13, 0x21 * 8 + 2)

	/* ports: the map decides whatever IOPL says */
	EXPECT_AT_2
	TO_V86(IOPL3, 1f)
	.code16
1:	inb $0x80, %al
allowed: inb $0x81, %al
	hlt
	.code32
2:	FAULTED(13, 0)
	STOPPED_AT(allowed)
	/* a word over an allowed and a forbidden port */
	EXPECT_AT_2
	TO_V86(IOPL3, 1f)
	.code16
1:	inw $0x80, %ax
	hlt
	.code32
2:	FAULTED(13, 0)
	STOPPED_AT(1b)

	/* VME: INT 21h is redirected to the real-mode vector, at IOPL 0 with VIF for IF */
	movl %cr4, %eax
	orl $1, %eax
	movl %eax, %cr4
	EXPECT_AT_2
	TO_V86(0, 1f)
	.code16
1:	sti
	pushfw
	popw %cx
	int $0x21
	pushfw
	popw %bx
	cli
	pushfw
	popw %dx
vme_end: hlt
	.code32
2:	FAULTED(13, 0)
	STOPPED_AT(vme_end)
	cmpw $0x4321, 0x6100
	CHECK(je)
	testl $0x200, %ebx /* as seen in virtual-8086 mode: VIF, back by IRET */
	CHECK(jnz)
	testl $0x200, %ecx
	CHECK(jnz)
	testl $0x200, %edx
	CHECK(jz)
	testl $0x3000, %ebx /* IOPL reads as 3 */
	CHECK(jnz)
	testl $0x200, flags /* the real IF has not moved */
	CHECK(jz)
	testl $0x80000, flags
	CHECK(jz)
	/* STI with an interrupt pending (VIP) asks the monitor */
	EXPECT_AT_2
	TO_V86(0x100000, vip)
	.code16
vip:	sti
	hlt
	.code32
2:	FAULTED(13, 0)
	STOPPED_AT(vip)
	/* the bit in the map set: #GP as without VME */
	orb $2, tss1 + 0x68 + 4
	EXPECT_AT_2
	TO_V86(0, 1f)
	.code16
1:	int $0x21
	.code32
2:	FAULTED(13, 0)

	/* alignment: ring 3 with AM and AC; ring 0 and accesses in line pass */
	movl %cr0, %eax
	orl $0x40000, %eax
	movl %eax, %cr0
	pushl $0x40002
	popfl
	movl 0x6101, %eax
	EXPECT_AT_2
	pushl $DATA3
	pushl $0x6000
	pushl $0x40002
	pushl $CODE3
	pushl $1f
	iretl
1:	movl %ss:0x6104, %eax
	movw %ss:0x6102, %ax
	movb %ss:0x6103, %al
skewed:	movl %ss:0x6102, %eax
2:	FAULTED(17, 0)
	STOPPED_AT(skewed)
	jmp pass

	.code16
handler16:
	movw $0x4321, 0x6100
	iretw
	.code32
	STUBS
	FAIL_AND_PASS
	PROT_DATA
gdt:	GDT_FLAT
	.word tss_end - tss1 - 1, tss1
	.long 0x00008900
gdt_end:
	.balign 16
tss1:	.long 0, 0x5000, DATA0
	.fill 0x64 - 12, 1, 0
	.word 0, 0x88      /* I/O map */
	.fill 32, 1, 0     /* interrupt redirection map: all to the real-mode vectors */
	.fill 16, 1, 0xff  /* ports 0-7Fh */
	.byte 0xfe
	.fill 16, 1, 0xff
tss_end:
