/* tests/boot/ring0/prot.S - 32-bit protected mode: faults with codes, rings, call gates, paging, tasks,
 * virtual-8086 mode, breakpoints.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
#define TSS1 0x28
#define TSS2 0x30
#define GATE 0x3b
#define PD 0x100000
#define PT 0x101000

	.globl start
start:
	ENTER_PROTECTED
	movw $TSS1, %ax
	ltr %ax

	/* #GP with the selector */
	EXPECT_AT_2
	movw $0x1000, %ax
	movw %ax, %ds
2:	FAULTED(13, 0x1000)

	/* #UD has no code */
	EXPECT_AT_2
	ud2
2:	cmpl $6, vector
	CHECK(je)

	/* ring 3 and back by INT 80h; the inner stack comes from the TSS */
	EXPECT_AT_2
	TO_RING3(1f)
1:	movw %cs, %bx
	int $0x80
2:	FAULTED(0x80, 0)
	cmpw $CODE3, %bx
	CHECK(je)
	movw %cs, %ax
	cmpw $CODE0, %ax
	CHECK(je)

	/* a privileged instruction in ring 3 */
	EXPECT_AT_2
	TO_RING3(1f)
1:	cli
2:	FAULTED(13, 0)

	/* a call gate up and a far return down */
	EXPECT_AT_2
	TO_RING3(1f)
1:	pushl $0x77
	lcall $GATE, $0
	movl %esp, %ebp
	int $0x80
2:	cmpl $0x77, %ecx
	CHECK(je)
	cmpl $0x6000, %ebp
	CHECK(je)

	movw $DATA0, %ax /* ring 3 could not keep it */
	movw %ax, %es

	/* paging: identity by a 4 MiB page; 400000h by a table */
	CLEAR(PD, 0x2000)
	movl $0x87, PD
	movl $(PT + 7), PD + 4
	movl $0x110001, PT /* read-only, supervisor */
	movl $0x5a5a5a5a, 0x110000
	PAGING_ON(0x10000)
	cmpl $0x5a5a5a5a, 0x400000
	CHECK(je)
	testl $0x20, PT /* accessed */
	CHECK(jnz)
	EXPECT_AT_2
	movl $1, 0x400004
2:	FAULTED(14, 3)
	movl %cr2, %eax
	cmpl $0x400004, %eax
	CHECK(je)
	EXPECT_AT_2
	movl 0x401008, %eax
2:	FAULTED(14, 0)
	movl $0x110003, PT
	invlpg 0x400000
	movl $1, 0x400004
	cmpl $1, 0x110004
	CHECK(je)
	testl $0x40, PT /* dirty */
	CHECK(jnz)

	/* hardware task switch: call, and IRET back through the link */
	movl $0x88, %ebx
	lcall $TSS2, $0
	cmpl $0x88, %ebx
	CHECK(je)
	cmpl $0x4321, task_ran
	CHECK(je)
	movl %cr0, %eax
	testb $8, %al
	CHECK(jnz)
	clts

	/* virtual-8086 mode: INT n faults for the monitor at IOPL 0 */
	EXPECT_AT_2
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0x6000
	pushl $0x20002
	pushl $0
	pushl $v86
	iretl
2:	cmpl $13, vector
	CHECK(je)
	testl $0x20000, flags
	CHECK(jnz)
	movw $DATA0, %ax
	movw %ax, %ds
	movw %ax, %es
	cmpl $v86_int, fault_ip
	CHECK(je)

	/* an instruction breakpoint */
	movl $broken, %eax
	movl %eax, %dr0
	movl $2, %eax
	movl %eax, %dr7
	EXPECT_AT_2
broken:	nop
	UNREACHED
2:	cmpl $1, vector
	CHECK(je)
	cmpl $broken, fault_ip
	CHECK(je)
	movl %dr6, %eax
	testb $1, %al
	CHECK(jnz)

	/* a data breakpoint: a trap after the store; reads and neighbours don't hit */
	movl $0x6004, %eax
	movl %eax, %dr1
	xorl %eax, %eax
	movl %eax, %dr6
	movl $0x00d00008, %eax /* four bytes, writes */
	movl %eax, %dr7
	EXPECT_AT_2
	movl 0x6004, %ebx
	movl %ebx, 0x6000
	movl %ebx, 0x6008
	cmpl $-1, vector
	CHECK(je)
	movb %bl, 0x6006
after:	UNREACHED
2:	cmpl $1, vector
	CHECK(je)
	cmpl $after, fault_ip
	CHECK(je)
	movl %dr6, %eax
	testb $2, %al
	CHECK(jnz)
	xorl %eax, %eax
	movl %eax, %dr7
	jmp pass

	.code16
v86:	nop
v86_int:
	int $0x10
	.code32
gate_entry:
	movl 8(%esp), %ecx
	lretl $4

task2:	movl $0x4321, task_ran
	movl $0, %ebx
	iretl
	jmp task2

	STUBS
	FAIL_AND_PASS

	PROT_DATA
task_ran: .long 0
	.balign 8
gdt:	GDT_FLAT
	GDT_TASK(tss1)
	GDT_TASK(tss2)
	.word gate_entry, CODE0
	.long 0x0000ec01
gdt_end:
	.balign 16
tss1:	.long 0, 0x5000, DATA0, 0, 0, 0, 0, PD
	.fill 0x68 - 32, 1, 0
tss2:	.long 0, 0x4800, DATA0, 0, 0, 0, 0, PD, task2, 2, 0, 0, 0, 0, 0x4000, 0, 0, 0
	.long DATA0, CODE0, DATA0, DATA0, 0, 0, 0, 0x680000
