/* tests/boot/ring0/debug.S - debug exceptions: instruction, data and I/O breakpoints, RF, general
 * detect, single step with MOV SS, INT1, and what DR6 and the saved flags say.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
#define EXPECT_DB(bits)             \
	cmpl $1, vector;            \
	CHECK(je);                  \
	movl %dr6, %eax;            \
	andl $0xe00f, %eax;         \
	cmpl $(bits), %eax;         \
	CHECK(je);                  \
	xorl %eax, %eax;            \
	movl %eax, %dr6
	.globl start
start:
	ENTER_PROTECTED
	xorl %eax, %eax
	movl %eax, %dr6
	movl %dr6, %eax
	cmpl $0xffff0ff0, %eax /* the fixed bits */
	CHECK(je)

	/* an instruction breakpoint is a fault, though RF is not in the saved flags (SDM 3B 17.3.1.1); the
	 * handler sets it there to pass the breakpoint once */
	movl $broken, %eax
	movl %eax, %dr0
	movl $2, %eax
	movl %eax, %dr7
	EXPECT_AT_2
broken:	incl count
	UNREACHED
2:	EXPECT_DB(1)
	testl $0x10000, flags
	CHECK(jz)
	cmpl $broken, fault_ip
	CHECK(je)
	movl $2f, resume
	movl $broken2, %eax
	movl %eax, %dr0
	movl $-1, vector
	pushl $0x10002
	pushl $CODE0
	pushl $broken2
	iretl
broken2: incl count
2:	cmpl $-1, vector
	CHECK(je)
	cmpl $1, count
	CHECK(je)

	/* a write watch, 2 bytes; the trap comes after it and has no RF */
	movl $0x6010, %eax
	movl %eax, %dr1
	movl $0x00500008, %eax
	movl %eax, %dr7
	EXPECT_AT_2
	movl $1, 0x600e /* 600Eh..6011h overlaps */
after:	UNREACHED
2:	EXPECT_DB(2)
	cmpl $after, fault_ip
	CHECK(je)
	testl $0x10000, flags
	CHECK(jz)

	/* a read-write watch hits reads, PUSH and string instructions (between iterations) */
	movl $0x00f00008, %eax
	movl %eax, %dr7
	EXPECT_AT_2
	movl $0x6008, %esi
	movl $0x5000, %edi
	movl $8, %ecx
	cld
string:	rep movsl
	UNREACHED
2:	EXPECT_DB(2)
	cmpl $string, fault_ip
	CHECK(je)
	cmpl $5, %ecx
	CHECK(je)
	testl $0x10000, flags /* between iterations RF is set */
	CHECK(jnz)

	/* an instruction breakpoint on REP is met before the first iteration only, and by the instruction
	 * behind it when its turn comes */
	movl $repeated, %eax
	movl %eax, %dr0
	movl $repeated_end, %eax
	movl %eax, %dr1
	movl $0x0000000a, %eax
	movl %eax, %dr7
	EXPECT_AT_2
	movl $0x6008, %esi
	movl $4, %ecx
repeated: rep lodsl
repeated_end: UNREACHED
2:	EXPECT_DB(1)
	cmpl $repeated, fault_ip
	CHECK(je)
	cmpl $4, %ecx
	CHECK(je)
	movl $2f, resume
	movl $-1, vector
	pushl $0x10002
	pushl $CODE0
	pushl $repeated
	iretl
2:	EXPECT_DB(2)
	cmpl $repeated_end, fault_ip
	CHECK(je)
	testl %ecx, %ecx
	CHECK(jz)
	testl $0x10000, flags
	CHECK(jz)

	/* port watch, with CR4.DE */
	movl %cr4, %eax
	orl $8, %eax
	movl %eax, %cr4
	movl $0x80, %eax
	movl %eax, %dr2
	movl $0x02000020, %eax
	movl %eax, %dr7
	EXPECT_AT_2
	outb %al, $0x80
port:	UNREACHED
2:	EXPECT_DB(4)
	cmpl $port, fault_ip
	CHECK(je)
	/* DR4 is no alias now */
	EXPECT_AT_2
	movl %dr4, %eax
2:	cmpl $6, vector
	CHECK(je)

	/* general detect: a fault with RF in the saved flags, and GD is clear in the handler */
	movl $0x2000, %eax
	movl %eax, %dr7
	EXPECT_AT_2
detect:	movl %dr0, %eax
	UNREACHED
2:	movl %dr7, %ebx
	EXPECT_DB(0x2000)
	cmpl $detect, fault_ip
	CHECK(je)
	testl $0x10000, flags
	CHECK(jnz)
	testl $0x2000, %ebx
	CHECK(jz)

	/* single step; MOV SS holds it back for one instruction */
	xorl %eax, %eax
	movl %eax, %dr7
	movl $DATA0, %edx
	EXPECT_AT_2
	pushl $0x102
	popfl
	movw %dx, %ss
	nop
step:	UNREACHED
2:	EXPECT_DB(0x4000)
	cmpl $step, fault_ip
	CHECK(je)
	/* the handler began with TF clear, the saved flags have it */
	testl $0x100, flags
	CHECK(jnz)
	pushfl
	popl %eax
	testl $0x100, %eax
	CHECK(jz)

	/* a data watch hit by MOV SS waits too: one exception after the instruction behind it */
	movl $DATA0, 0x6010
	movl $0x6010, %eax
	movl %eax, %dr1
	movl $0x00f00008, %eax
	movl %eax, %dr7
	EXPECT_AT_2
	movw 0x6010, %ss
	nop
held:	UNREACHED
2:	EXPECT_DB(2)
	cmpl $held, fault_ip
	CHECK(je)

	/* INT1: a trap that ignores DPL and sets nothing in DR6 */
	xorl %eax, %eax
	movl %eax, %dr7
	EXPECT_AT_2
	.byte 0xf1
icebp:	UNREACHED
2:	EXPECT_DB(0)
	cmpl $icebp, fault_ip
	CHECK(je)
	/* INT3 has a gate of DPL 0: from ring 3 that is #GP with the vector */
	movl $2f, resume
	movw $DATA0, %ax
	pushl $DATA3
	pushl $0x6000
	pushl $2
	pushl $CODE3
	pushl $user
	movl $0x5000, tss1 + 4
	movw $0x28, %ax
	ltr %ax
	iretl
user:	int3
2:	FAULTED(13, 3 * 8 + 2)
	jmp pass
	STUBS
	FAIL_AND_PASS
	PROT_DATA
gdt:	GDT_FLAT
	GDT_TASK(tss1)
gdt_end:
count:	.long 0
	TASK_STATE(tss1)
