/* tests/boot/ring0/calls.S - where returns lead: to what the stack says, and to what is mapped there by
 * then, whatever the calls before promised.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
#define PAGE   0x200000 /* CALLER, or what is mapped there meanwhile */
#define CALLER 0x50000  /* three pages that return 1, 2, 3 */
#define PTE(n) (CALLER + 0x1000 * ((n) - 1) + 7)
#define TOP    0x1c0000 /* of a stack with room for a deep recursion */
#define DEPTH  10000
#define KEEP   0x8000000000000000
#define BORDER 0x54000  /* the last page of low addresses, and the first of high ones */
#define LOW_END  0x800000000000
#define HIGH     0xffff800000000000
#define TABLES (OTHER + 0x4000) /* of these */
/* In PAGE: a call of `callee`, and what its return finds there. */
#define CALL_FROM_PAGE(fn)          \
	movl $fn, %ebx;             \
	movl $PAGE, %eax;           \
	call *%rax
#define RETURNED(n)                 \
	cmpl $(n), %eax;            \
	CHECK(je)
#define TIMES(n, label)             \
	movl $(n), %ebp;            \
	label:
#define AGAIN(label)                \
	decl %ebp;                  \
	jnz label

	.globl start
start:
	TO_FLAT32
	TWO_SPACES
	movl $PTE(1), PT_A
	movl $PTE(2), PT_B
	TO_LONG_MODE(0x6a0, 0x901) /* PAE, PGE, OSFXSR, OSXMMEXCPT; NXE, LME, SCE */
	FILL_IDT
	movl $0x7000, %esp
	cld
	movl $CALLER, %edi
	movl $1, %edx
1:	movl $page_code, %esi
	movl $(page_code_end - page_code), %ecx
	rep movsb
	movl %edx, page_number - page_code_end(%rdi)
	addl $0xfff, %edi
	andl $-0x1000, %edi
	incl %edx
	cmpl $4, %edx
	jne 1b

	/* pairs, run often enough to be linked; RET with a number; calls of the next instruction */
	xorl %edx, %edx
	TIMES(1000, 1)
1:	call nested
	pushq %rdx
	call drops_8
	call 2f
2:	popq %rax
	cmpl $2b, %eax
	CHECK(je)
	AGAIN(1b)
	cmpl $4000, %edx
	CHECK(je)
	cmpl $0x7000, %esp
	CHECK(je)

	/* deeper than anybody remembers, directly and indirectly */
	movl $TOP, %esp
	movl $DEPTH, %ecx
	xorl %edx, %edx
	call recurse
	cmpl $DEPTH, %edx
	CHECK(je)
	movl $DEPTH, %ecx
	movl $recurse_indirect, %ebx
	call *%rbx
	cmpl $(2 * DEPTH), %edx
	CHECK(je)
	cmpl $TOP, %esp
	CHECK(je)
	movl $0x7000, %esp

	/* back over many at once, as longjmp does, then on with those below */
	TIMES(100, 1)
1:	movl $20, %ecx
	xorl %edx, %edx
	call jumps_back
	cmpl $20, %edx
	CHECK(je)
	AGAIN(1b)
	/* a return as an indirect jump */
	TIMES(100, 1)
1:	movl $3f, %eax
	jmp retpoline
3:	movl $4f, %eax
	pushq %rax
	ret
	UNREACHED
4:	AGAIN(1b)
	/* to another place than it was called from */
	TIMES(100, 1)
1:	call skips
	jmp 3f
	nop
	jmp 2f
3:	UNREACHED
2:	AGAIN(1b)
	/* coroutines: two stacks, each in the midst of calls */
	movl $0x6f00, %esi
	movq $coroutine, (%rsi)
	xorl %edx, %edx
	TIMES(100, 1)
1:	call switches
	AGAIN(1b)
	cmpl $100, %edx
	CHECK(je)

	/* the page that called changes: by INVLPG in the callee ... */
	CALL_FROM_PAGE(plain)
	RETURNED(1)
	CALL_FROM_PAGE(plain)
	RETURNED(1)
	TIMES(20, 1)
1:	movl $PTE(2), new_entry
	CALL_FROM_PAGE(by_invlpg)
	RETURNED(2)
	movl $PTE(1), new_entry
	CALL_FROM_PAGE(by_invlpg)
	RETURNED(1)
	AGAIN(1b)
	/* ... deep in what it called */
	movl $PTE(3), new_entry
	movl $10, %ecx
	CALL_FROM_PAGE(deep_invlpg)
	RETURNED(3)
	movl $PTE(1), new_entry
	CALL_FROM_PAGE(by_invlpg)
	RETURNED(1)
	/* ... by other tables, and back in time */
	TIMES(20, 1)
1:	CALL_FROM_PAGE(by_cr3)
	RETURNED(2)
	LOAD_CR3(PML4)
	CALL_FROM_PAGE(by_cr3_and_back)
	RETURNED(1)
	AGAIN(1b)
	/* ... that are known, so that nothing is flushed */
	movl $0x206a0, %eax /* PCIDE */
	movq %rax, %cr4
	TIMES(20, 1)
1:	CALL_FROM_PAGE(by_pcid)
	RETURNED(2)
	LOAD_CR3(KEEP + PML4 + 1)
	CALL_FROM_PAGE(plain)
	RETURNED(1)
	AGAIN(1b)
	/* ... to none */
	EXPECT_AT_2
	movl $0, new_entry
	CALL_FROM_PAGE(by_invlpg)
	UNREACHED
2:	FAULTED(14, 0x10)
	movl $PTE(1), PT_A
	invlpg PAGE
	/* ... or what is written there: by the callee, to it and through the other address */
	TIMES(20, 1)
1:	movl $7, new_number
	CALL_FROM_PAGE(writes_page)
	RETURNED(7)
	movl $8, new_number
	CALL_FROM_PAGE(writes_frame)
	RETURNED(8)
	AGAIN(1b)

	/* by another processor */
	movw $INPUT_PORT, %dx
	movb $1, %al
	outb %al, %dx
	TIMES(20, 1)
1:	movl %ebp, new_number
	CALL_FROM_PAGE(lets_write)
	cmpl %ebp, %eax
	CHECK(je)
	AGAIN(1b)

	/* targets that are no addresses: #GP at the return, the stack as it was */
	TIMES(3, 1)
1:	movabsq $0x800000000000, %rbx
	pushq %rbx
	EXPECT_AT_2
3:	ret
	UNREACHED
2:	FAULTED(13, 0)
	cmpq $3b, fault_ip
	CHECK(je)
	cmpq $0x6ff8, fault_rsp
	CHECK(je)
	call 4f /* ... in the middle of a block, flags known */
	UNREACHED
4:	movq %rbx, (%rsp)
	EXPECT_AT_2
	cmpl $5, %ebp
	leaq 8(%rsp), %rsp
	leaq -8(%rsp), %rsp
3:	ret $16
	UNREACHED
2:	FAULTED(13, 0)
	cmpq $3b, fault_ip
	CHECK(je)
	cmpq $0x6ff8, fault_rsp
	CHECK(je)
	movl fault_flags, %eax
	andl $0x8d1, %eax
	cmpl $0x91, %eax /* of a number below 5: S, C, A */
	CHECK(je)
	EXPECT_AT_2
3:	jmp *%rbx
	UNREACHED
2:	FAULTED(13, 0)
	cmpq $3b, fault_ip
	CHECK(je)
	EXPECT_AT_2
	movq %rbx, -8(%rsp)
3:	call *-8(%rsp)
	UNREACHED
2:	FAULTED(13, 0)
	cmpq $3b, fault_ip
	CHECK(je)
	cmpq $0x7000, fault_rsp
	CHECK(je)
	decl %ebp
	jnz 1b

	/* a return address that is none, as the call ended the page: #GP at the return */
	movl $(TABLES + 7), PML4 + 255 * 8
	movl $(TABLES + 7), PML4 + 256 * 8
	movl $(TABLES + 0x1007), TABLES
	movl $(TABLES + 0x1007), TABLES + 0xff8
	movl $(TABLES + 0x2007), TABLES + 0x1000
	movl $(TABLES + 0x2007), TABLES + 0x1ff8
	movl $(BORDER + 7), TABLES + 0x2ff8
	movl $(BORDER + 0x1007), TABLES + 0x2000
	movb $0xc3, BORDER + 0x10 /* ret */
	movl $0x24148948, BORDER + 0x20 /* movq %rdx, (%rsp); ret */
	movb $0xc3, BORDER + 0x24
	movb $0xe8, BORDER + 0xffb /* call BORDER + 0x10 */
	movl $(0x10 - 0x1000), BORDER + 0xffc
	movw $0xe6ff, BORDER + 0x1000 /* jmp *%rsi */
	movabsq $(LOW_END - 5), %rax
	call ends_page
	movw $0xd3ff, BORDER + 0xffe /* call *%rbx */
	movabsq $(LOW_END - 0x1000 + 0x10), %rbx
	movabsq $(LOW_END - 2), %rax
	call ends_page
	/* ... but somewhere else it may go, whatever that shares with it */
	addq $0x10, %rbx
	movabsq $HIGH, %rdx
	movl $3f, %esi
	TIMES(20, 1)
1:	jmp *%rax
3:	AGAIN(1b)
	cmpq $0x7000, %rsp
	CHECK(je)
	jmp pass

	/* rax: of the call; on the stack that is there after faults */
ends_page: popq %rdi
	TIMES(20, 1)
1:	EXPECT_AT_2
	jmp *%rax
2:	FAULTED(13, 0)
	movabsq $(LOW_END - 0x1000 + 0x10), %rdx
	cmpq %rdx, fault_ip
	CHECK(je)
	cmpq $0x6ff8, fault_rsp
	CHECK(je)
	movabsq $LOW_END, %rdx
	cmpq %rdx, 0x6ff8
	CHECK(je)
	AGAIN(1b)
	jmp *%rdi

nested:	incl %edx
	call 1f
	call 1f
	ret
1:	incl %edx
	ret
drops_8: incl %edx
	ret $8
recurse: decl %ecx
	jz 1f
	call recurse
1:	incl %edx
	ret
recurse_indirect: decl %ecx
	jz 1f
	call *%rbx
1:	incl %edx
	ret

	/* 20 calls deep, from 10 on straight back to the tenth */
jumps_back: decl %ecx
	jz 2f
	cmpl $10, %ecx
	cmovel %esp, %edi
	call jumps_back
	incl %edx
	ret
2:	leal -8(%rdi), %esp
	movl $10, %edx
	ret

retpoline: call 1f
2:	pause
	lfence
	jmp 2b
1:	movq %rax, (%rsp)
	ret
skips:	addq $3, (%rsp)
	ret
switches: call 1f
	ret
1:	xchgq %rsi, %rsp
	ret
coroutine: incl %edx
	call 1f
	jmp coroutine
1:	call 2f
	ret
2:	xchgq %rsi, %rsp
	ret

	/* CS is 900h here: data at physical addresses through DS = 0 and ES */
	.org 0x1000
	.code16
second:	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw $(CALLER >> 4), %bx
	movw %bx, %es
1:	pause
	movl order, %eax
	testl %eax, %eax
	jz 1b
	movl %eax, %es:(page_number - page_code)
	movl $0, order
	jmp 1b
	.code64

	/* what is called from PAGE */
	.balign 4096
plain:	ret
by_invlpg: movl new_entry, %eax
	movl %eax, PT_A
	invlpg PAGE
	ret
deep_invlpg: decl %ecx
	jz by_invlpg
	call deep_invlpg
	ret
by_cr3: LOAD_CR3(OTHER)
	ret
by_cr3_and_back: LOAD_CR3(OTHER)
	call plain
	LOAD_CR3(PML4)
	ret
by_pcid: LOAD_CR3(KEEP + OTHER + 2)
	ret
writes_page: movl new_number, %eax
	movl %eax, PAGE + page_number - page_code
	ret
writes_frame: movl new_number, %eax
	movl %eax, CALLER + page_number - page_code
	ret
lets_write: movl new_number, %eax
	movl %eax, order
1:	pause
	cmpl $0, order
	jne 1b
	xorl %eax, %eax
	cpuid
	movl $lets_write, %ebx
	ret

	.balign 64
page_code:
	call *%rbx
	.byte 0xb8 /* movl $page_number, %eax */
	.set page_number, .
	.long 0
	ret
page_code_end:

	STUB_TABLE(pushq)
common:	popq vector
	popq code
	popq fault_ip
	popq fault_rsp /* CS */
	popq fault_flags
	popq fault_rsp
	movl $0x7000, %esp
	jmp *resume
	FAIL_AND_PASS
	LONG_DATA
fault_ip: .quad 0
fault_rsp: .quad 0
fault_flags: .quad 0
new_entry: .long 0
new_number: .long 0
order:	.long 0
gdt:	GDT_LONG
gdt_end:
