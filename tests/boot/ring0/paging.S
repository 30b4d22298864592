/* tests/boot/ring0/paging.S - 32-bit and PAE paging: large pages and PSE-36, accessed and dirty bits,
 * write protection, NX, SMEP, SMAP, UMIP, global pages, reserved bits; the codes of page faults.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "prot32.inc"
#define PD 0x100000
#define PT 0x101000
#define PDPT 0x102000
#define PAE_PD 0x103000
#define PAE_PT 0x104000
#define FRAME 0x110000
#define ADDR 0x400000 /* mapped by the PT in play */
#define PAGE_FAULT(c, a)            \
	FAULTED(14, c);             \
	movl %cr2, %eax;            \
	cmpl $(a), %eax;            \
	CHECK(je)
	.globl start
start:
	ENTER_PROTECTED
	movl $0x5000, tss1 + 4
	movw $0x28, %ax
	ltr %ax
	CLEAR(PD, 0x5000)
	movl $0x87, PD         /* 4 MiB identity, for all */
	movl $(PT + 7), PD + 4 /* 400000h */
	movl $0x87, PD + 8     /* 800000h is 0 again, by PSE */
	movl $0x40000087, PD + 12
	movl $(FRAME + 7), PT
	movl $(FRAME + 5), PT + 4
	movl $(FRAME + 3), PT + 8
	movl $0x12345678, FRAME
	PAGING_ON(0)

	/* without WP ring 0 writes read-only pages */
	movl $0x12345678, ADDR + 0x1000
	movl PT + 4, %eax
	andl $0x60, %eax
	cmpl $0x60, %eax /* accessed and dirty */
	CHECK(je)
	movl %cr0, %eax
	orl $0x10000, %eax
	movl %eax, %cr0
	EXPECT_AT_2
	movl $1, ADDR + 0x1ffc
2:	PAGE_FAULT(3, ADDR + 0x1ffc)
	/* a read sets A and not D; in the directory too */
	andl $~0x60, PT
	andl $~0x20, PD + 4
	movl $PD, %eax
	movl %eax, %cr3
	movl ADDR, %eax
	cmpl $0x12345678, %eax
	CHECK(je)
	movl PT, %eax
	andl $0x60, %eax
	cmpl $0x20, %eax
	CHECK(je)
	testl $0x20, PD + 4
	CHECK(jnz)
	/* a failing write sets nothing */
	andl $~0x60, PT + 4
	invlpg ADDR + 0x1000
	EXPECT_AT_2
	movl $1, ADDR + 0x1000
2:	FAULTED(14, 3)
	testl $0x40, PT + 4
	CHECK(jz)
	/* an access over two pages: the second is missing, nothing is stored in the first */
	movl $0, PT + 12
	movl $0x11223344, FRAME + 0xffc
	EXPECT_AT_2
	movl $-1, ADDR + 0x2ffe
2:	PAGE_FAULT(2, ADDR + 0x3000)
	cmpl $0x11223344, FRAME + 0xffc
	CHECK(je)
	/* REP stops in the middle with its registers true */
	movl $(FRAME + 7), PT + 8
	invlpg ADDR + 0x2000
	EXPECT_AT_2
	movl $(ADDR + 0x2ff0), %edi
	movl $8, %ecx
	rep stosl
2:	PAGE_FAULT(2, ADDR + 0x3000)
	cmpl $4, %ecx
	CHECK(je)
	cmpl $(ADDR + 0x3000), %edi
	CHECK(je)
	/* large pages: 800000h is 0 */
	movl FRAME, %eax
	cmpl 0x800000 + FRAME, %eax
	CHECK(je)
	/* an entry changed without INVLPG is seen after it at the latest */
	movl $(FRAME + 0x1007), PT
	movl $0xabcd, FRAME + 0x1000
	invlpg ADDR
	cmpl $0xabcd, ADDR
	CHECK(je)
	/* global pages outlive CR3, not CR4.PGE */
	movl %cr4, %eax
	orl $0x80, %eax
	movl %eax, %cr4
	movl $(FRAME + 0x103), PT
	invlpg ADDR
	cmpl $0x12345678, ADDR
	CHECK(je)
	movl $(FRAME + 0x1103), PT
	movl %cr4, %eax
	andl $~0x80, %eax
	movl %eax, %cr4
	cmpl $0xabcd, ADDR
	CHECK(je)

	/* user: supervisor pages fault with U */
	movl $(FRAME + 3), PT
	invlpg ADDR
	EXPECT_AT_2
	TO_RING3(1f)
1:	movl %ss:ADDR, %eax
2:	PAGE_FAULT(5, ADDR)
	EXPECT_AT_2
	TO_RING3(1f)
1:	movl $1, %ss:ADDR + 0x1000
2:	PAGE_FAULT(7, ADDR + 0x1000)

	/* UMIP: SGDT and SMSW are ring 0's */
	movl %cr4, %eax
	orl $0x800, %eax
	movl %eax, %cr4
	EXPECT_AT_2
	TO_RING3(1f)
1:	smsw %eax
2:	FAULTED(13, 0)

	/* PAE: NX, reserved bits, SMEP, SMAP */
	movl $(PAE_PD + 1), PDPT
	movl $0x87, PAE_PD
	movl $0, PAE_PD + 4
	movl $0x83, PAE_PD + 8      /* 200000h: 0, supervisor; A20 is no matter */
	movl $(PAE_PT + 7), PAE_PD + 16
	movl $(FRAME + 7), PAE_PT
	movl $0x80000000, PAE_PT + 4
	movl $(FRAME + 7), PAE_PT + 8
	movl $(FRAME + 7), PAE_PT + 16
	movl $0x40000000, PAE_PT + 20 /* reserved */
	movl $(FRAME + 0x1003), PAE_PT + 24
	movb $0xc3, FRAME
	movb $0xc3, FRAME + 0x1000
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x800, %eax
	wrmsr
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $PDPT, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	EXPECT_AT_2
	movl $ADDR, %eax
	call *%eax
2:	PAGE_FAULT(0x11, ADDR)
	movl $(ADDR + 0x1000), %eax
	call *%eax
	EXPECT_AT_2
	movl ADDR + 0x2000, %eax
2:	PAGE_FAULT(9, ADDR + 0x2000)
	/* a bad PDPTE: #GP when CR3 is loaded, and CR3 stays */
	movl $(PAE_PD + 3), PDPT + 0x28
	EXPECT_AT_2
	movl $(PDPT + 0x20), %eax
	movl %eax, %cr3
2:	FAULTED(13, 0)
	movl %cr3, %eax
	cmpl $PDPT, %eax
	CHECK(je)
	/* all of our own code is on a user page: only from a supervisor page can it go on */
	movl $0x83, PAE_PD
	movl $(PDPT), %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x100000, %eax
	movl %eax, %cr4
	EXPECT_AT_2
	movl $(ADDR + 0x1000), %eax
	call *%eax
2:	PAGE_FAULT(0x11, ADDR + 0x1000)
	movl $(ADDR + 0x3000), %eax
	call *%eax
	movl %cr4, %eax
	orl $0x200000, %eax
	movl %eax, %cr4
	EXPECT_AT_2
	movl ADDR, %eax
2:	PAGE_FAULT(1, ADDR)
	movl ADDR + 0x3000, %eax
	stac
	movl ADDR, %eax
	clac
	EXPECT_AT_2
	movl %eax, ADDR
2:	PAGE_FAULT(3, ADDR)
	jmp pass
	STUBS
	FAIL_AND_PASS
	PROT_DATA
gdt:	GDT_FLAT
	GDT_TASK(tss1)
gdt_end:
	TASK_STATE(tss1)
