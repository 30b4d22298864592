/* tests/boot/ring0/tasks.S - hardware tasks and call gates: 16-bit and 32-bit TSSs, links, a double
 * fault through a task gate, an inner stack with copied parameters.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
#define TSS1 0x28
#define TSS16 0x30
#define TSS_DF 0x38
#define GATE32 0x43 /* three parameters */
#define GATE16 0x4b /* two parameters */
#define CODE16 0x50
#define TASK_GATE 0x5b
#define GATE_BAD 0x63 /* to a code segment that is not there */
	.globl start
start:
	ENTER_PROTECTED
	movw $TSS1, %ax
	ltr %ax

	/* a busy TSS cannot be loaded again */
	EXPECT_AT_2
	movw $TSS1, %ax
	ltr %ax
2:	FAULTED(13, TSS1)

	/* call a 16-bit task: the link, NT, busy bits; IRET comes back */
	movl $0x11112222, %ebx
	lcall $TSS16, $0
	cmpl $0x11112222, %ebx
	CHECK(je)
	cmpw $0x5566, ran16
	CHECK(je)
	cmpw $TSS1, link16
	CHECK(je)
	testw $0x4000, flags16 /* NT in the task */
	CHECK(jnz)
	movb gdt + TSS16 + 5, %al /* not busy any more */
	cmpb $0x81, %al
	CHECK(je)
	movb gdt + TSS1 + 5, %al /* busy all the time */
	cmpb $0x8b, %al
	CHECK(je)
	pushfl
	popl %eax
	testl $0x4000, %eax
	CHECK(jz)

	/* a task calling itself: busy, #GP with its selector */
	EXPECT_AT_2
	lcall $TSS1, $0
2:	FAULTED(13, TSS1)
	/* IRET with NT through a link that is no busy TSS: #TS */
	movw $TSS16, tss1
	pushfl
	orl $0x4000, (%esp)
	popfl
	EXPECT_AT_2
	iretl
2:	cmpl $10, vector
	CHECK(je)
	cmpl $TSS16, code
	CHECK(je)
	pushfl
	andl $0xffffbfff, (%esp)
	popfl
	movw $0, tss1

	/* a task gate from ring 3, and back there */
	movl $2f, resume
	movl $-1, vector
	TO_RING3(1f)
1:	movl $0x77, %ebx
	lcall $TASK_GATE, $0
	movl %ebx, %ecx
	int $0x80
2:	cmpl $0x80, vector
	CHECK(je)
	cmpl $0x77, %ecx
	CHECK(je)

	/* 32-bit gate, three parameters to the inner stack, RET 12 drops both copies */
	movl $2f, resume
	TO_RING3(1f)
1:	pushl $0x101
	pushl $0x202
	pushl $0x303
	lcall $GATE32, $0
	movl %esp, %ebp
	int $0x80
2:	cmpl $0x606, sum
	CHECK(je)
	cmpl $0x6000, %ebp
	CHECK(je)
	cmpl $(0x5000 - 28), inner_esp
	CHECK(je)

	/* 16-bit gate: words */
	movl $2f, resume
	TO_RING3(1f)
1:	pushw $0x1111
	pushw $0x2222
	lcall $GATE16, $0
	movl %esp, %ebp
	int $0x80
2:	cmpl $0x3333, sum
	CHECK(je)
	cmpl $0x6000, %ebp
	CHECK(je)

	/* a gate whose code segment is absent: #NP with its selector */
	EXPECT_AT_2
	lcall $GATE_BAD, $0
2:	FAULTED(11, 0x68)

	/* a gate without an inner stack: #TS with the TSS's SS0 */
	movw $0x1234, tss1 + 8
	movl $2f, resume
	movl $-1, vector
	movw $0x8500, IDT + 10 * 8 + 4 /* by a task, for there is no stack to push on */
	movw $TSS_DF, IDT + 10 * 8 + 2
	movl $on_ts, tss_df + 32
	TO_RING3(1f)
1:	lcall $GATE32, $0
2:	UNREACHED
on_ts:	popl %eax
	cmpl $0x1234, %eax
	CHECK(je)
	movw $DATA0, tss1 + 8
	cmpw $TSS1, tss_df
	CHECK(je)
	cmpw $CODE3, tss1 + 0x4c /* it was interrupted in ring 3 */
	CHECK(je)
	/* back to a place of our choice, as ring 0 */
	movl $2f, tss1 + 32
	movl $2, tss1 + 36
	movl $0x7000, tss1 + 56
	movw $CODE0, tss1 + 0x4c
	movw $DATA0, tss1 + 0x48
	movw $DATA0, tss1 + 0x50
	movw $DATA0, tss1 + 0x54
	iretl
2:	movw %cs, %ax
	cmpw $CODE0, %ax
	CHECK(je)

	/* a double fault with no usable stack, through a task gate */
	movw $0x8500, IDT + 8 * 8 + 4
	movw $TSS_DF, IDT + 8 * 8 + 2
	movl $on_df, tss_df + 32
	movl $0x4f00, tss_df + 56
	movl $2, tss_df + 36
	movw $0x67, idt_short
	lidtl idt_short /* #GP's gate is out: double fault */
	movl $0x1234, %eax
	movw %ax, %ds
	UNREACHED
on_df:	popl %eax
	testl %eax, %eax
	CHECK(jz)
	cmpw $TSS1, tss_df
	CHECK(je)
	cmpl $0x1234, tss1 + 40 /* EAX of the faulting task */
	CHECK(je)
	movl %cr0, %eax
	testb $8, %al
	CHECK(jnz)
	jmp pass

	.code16
task16:	movw $0x5566, ran16
	pushfw
	popw flags16
	movw tss16, %ax
	movw %ax, link16
	movl $0, %ebx
	iretw
	jmp task16
gate16_entry: /* DS is null here: ring 3 could not keep it */
	movw %sp, %bp
	movw 4(%bp), %ax
	addw 6(%bp), %ax
	movzwl %ax, %eax
	movl %eax, %ss:sum
	lretw $4
	.code32
gate32_entry:
	movl %esp, %ss:inner_esp
	movl 8(%esp), %eax
	addl 12(%esp), %eax
	addl 16(%esp), %eax
	movl %eax, %ss:sum
	lretl $12
	STUBS
	FAIL_AND_PASS
	PROT_DATA
gdt:	GDT_FLAT
	GDT_TASK(tss1)
	.word 0x2b, tss16
	.long 0x00008100
	GDT_TASK(tss_df)
	.word gate32_entry, CODE0
	.long 0x0000ec03
	.word gate16_entry, CODE16
	.long 0x0000e402
	.quad 0x00009a000000ffff
	.word 0, TSS16
	.long 0x0000e500
	.word gate32_entry, 0x68
	.long 0x0000ec00
	.quad 0x00cf1a000000ffff
gdt_end:
idt_short: .word 0
	.long IDT
sum:	.long 0
inner_esp: .long 0
ran16:	.word 0
link16:	.word 0
flags16: .word 0
	TASK_STATE(tss1)
tss_df:	.long 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0x4f00, 0, 0, 0
	.long DATA0, CODE0, DATA0, DATA0, 0, 0, 0, 0x680000
tss16:	.word 0, 0x4800, DATA0, 0, 0, 0, 0, task16, 2, 0, 0, 0, 0, 0x4700, 0, 0, 0
	.word DATA0, CODE16, DATA0, DATA0, 0
