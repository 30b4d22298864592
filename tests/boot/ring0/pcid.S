/* tests/boot/ring0/pcid.S - process-context identifiers: which loads of CR3, which INVLPG and INVPCID
 * make a changed entry seen; large pages; when CR4.PCIDE may be set (SDM 3A 4.10).
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#include "long64.inc"
#define PD_A  (PML4 + 0x2000)
#define FRAME 0x120000 /* three, holding 1, 2, 3 */
#define PAGE  0x200000 /* frame 1 in A, frame 2 in B */
#define LARGE 0x400000
#define KEEP  0x8000000000000000
#define PTE(n) (FRAME + 0x1000 * ((n) - 1) + 7)
#define GLOBAL_PTE(n) (PTE(n) | 0x100)
#define SEEN_AT(addr, n)            \
	cmpl $(n), addr;            \
	CHECK(je)
#define SEEN(n) SEEN_AT(PAGE, n)
/* The code that is mapped there. */
#define RUNS(n)                     \
	movl $(PAGE + 0x100), %edx; \
	call *%rdx;                 \
	cmpb $(n), %al;             \
	CHECK(je)
#define INVPCID(type, pcid, addr)   \
	movq $(pcid), descriptor;   \
	movabsq $(addr), %rax;      \
	movq %rax, descriptor + 8;  \
	movl $(type), %ecx;         \
	invpcid descriptor, %rcx

	.globl start
start:
	TO_FLAT32
	TWO_SPACES
	movl $PTE(1), PT_A
	movl $PTE(2), PT_B
	movl $1, FRAME
	movl $2, FRAME + 0x1000
	movl $3, FRAME + 0x2000
	TO_LONG_MODE(0x6a0, 0x901) /* PAE, PGE, OSFXSR, OSXMMEXCPT; NXE, LME, SCE */
	FILL_IDT

	/* PCIDE needs a CR3 whose identifier is 0 */
	SEEN(1)
	LOAD_CR3(PML4 + 0x18)
	EXPECT_AT_2
	movl $0x206a0, %eax
	movq %rax, %cr4
2:	FAULTED(13, 0)
	EXPECT_AT_2 /* ... and INVPCID an identifier of 0 */
	INVPCID(1, 1, 0)
2:	FAULTED(13, 0)
	LOAD_CR3(PML4)
	movl $0x206a0, %eax
	movq %rax, %cr4

	/* two address spaces and back; bit 63 is not kept in CR3 */
	LOAD_CR3(PML4 + 1)
	SEEN(1)
	LOAD_CR3(OTHER + 2)
	SEEN(2)
	LOAD_CR3(KEEP + PML4 + 1)
	movq %cr3, %rax
	cmpq $(PML4 + 1), %rax
	CHECK(je)
	SEEN(1)
	LOAD_CR3(KEEP + OTHER + 2)
	SEEN(2)

	/* a load without bit 63 drops what is cached of the identifier loaded */
	movl $PTE(3), PT_A
	LOAD_CR3(PML4 + 1)
	SEEN(3)
	movl $PTE(1), PT_A
	LOAD_CR3(PML4 + 1)
	SEEN(1)
	/* the same tables by another identifier: its own */
	movl $PTE(2), PT_A
	LOAD_CR3(PML4 + 3)
	SEEN(2)
	/* INVLPG: of the running one */
	movl $PTE(3), PT_A
	invlpg PAGE
	SEEN(3)

	/* INVPCID of a page, seen on return */
	LOAD_CR3(PML4 + 1)
	SEEN(3)
	LOAD_CR3(OTHER + 2)
	SEEN(2)
	movl $PTE(1), PT_A
	INVPCID(0, 1, PAGE + 0x123)
	LOAD_CR3(KEEP + PML4 + 1)
	SEEN(1)
	/* of the page that runs */
	movl $PTE(2), PT_A
	INVPCID(0, 1, PAGE)
	SEEN(2)
	/* of one identifier */
	LOAD_CR3(KEEP + OTHER + 2)
	movl $PTE(3), PT_A
	INVPCID(1, 1, 0)
	LOAD_CR3(KEEP + PML4 + 1)
	SEEN(3)
	/* of all, but global pages */
	movl $PTE(1), PT_A
	movl $PTE(3), PT_B
	INVPCID(3, 0, 0)
	SEEN(1)
	LOAD_CR3(KEEP + OTHER + 2)
	SEEN(3)

	/* global pages: INVLPG drops them whatever runs */
	movl $GLOBAL_PTE(1), PT_A
	movl $GLOBAL_PTE(1), PT_B
	INVPCID(2, 0, 0)
	SEEN(1)
	LOAD_CR3(KEEP + PML4 + 1)
	SEEN(1)
	movl $GLOBAL_PTE(2), PT_A
	movl $GLOBAL_PTE(2), PT_B
	invlpg PAGE
	SEEN(2)
	LOAD_CR3(KEEP + OTHER + 2)
	SEEN(2)
	LOAD_CR3(KEEP + PML4 + 1)
	SEEN(2)
	/* INVPCID of everything too */
	movl $GLOBAL_PTE(3), PT_A
	movl $GLOBAL_PTE(3), PT_B
	INVPCID(2, 0, 0)
	SEEN(3)
	LOAD_CR3(KEEP + OTHER + 2)
	SEEN(3)
	/* and a change of CR4.PGE */
	movl $GLOBAL_PTE(1), PT_A
	movl $GLOBAL_PTE(1), PT_B
	movl $0x20620, %eax
	movq %rax, %cr4
	movl $0x206a0, %eax
	movq %rax, %cr4
	SEEN(1)
	LOAD_CR3(KEEP + PML4 + 1)
	SEEN(1)
	movl $PTE(1), PT_A
	INVPCID(2, 0, 0)

	/* code: what was mapped where it ran */
	movl $0xc302b0, FRAME + 0x1100  /* mov $2, %al; ret */
	movl $0xc303b0, FRAME + 0x2100  /* mov $3, %al; ret */
	movl $0xc301b0, FRAME + 0x100   /* mov $1, %al; ret */
	movl $PTE(2), PT_B
	INVPCID(2, 0, 0)
	movl $100, %ebx
1:	LOAD_CR3(KEEP + PML4 + 1)
	RUNS(1)
	LOAD_CR3(KEEP + OTHER + 2)
	RUNS(2)
	decl %ebx
	jnz 1b
	movl $PTE(3), PT_A
	INVPCID(0, 1, PAGE)
	LOAD_CR3(KEEP + PML4 + 1)
	RUNS(3)
	movl $PTE(1), PT_A
	invlpg PAGE
	RUNS(1)

	/* a large page, here one of 0, goes by any address in it; a table of small ones comes */
	movl $0x87, PD_A + 16
	SEEN_AT(LARGE + FRAME, 1)
	SEEN_AT(LARGE + FRAME + 0x1000, 2)
	movl $(PT_A + 7), PD_A + 16
	movl $PTE(3), PT_A + 8 * ((FRAME >> 12) & 0x1ff)
	movl $PTE(3), PT_A + 8 * ((FRAME >> 12) & 0x1ff) + 8
	invlpg LARGE + 0x1fffff
	SEEN_AT(LARGE + FRAME, 3)
	SEEN_AT(LARGE + FRAME + 0x1000, 3)

	/* where a page table lies: looked up anew behind INVLPG of any page */
	movl $PTE(1), PT_A + 8
	SEEN_AT(PAGE + 0x1000, 1)
	movl $PTE(1), PT_A + 16
	movl $PTE(3), PT_B + 16
	movl $(PT_B + 7), PD_A + 8
	invlpg PAGE + 0x5000
	SEEN_AT(PAGE + 0x2000, 3)
	/* and a load of CR3 */
	movl $PTE(1), PT_A + 24
	movl $PTE(2), PT_B + 24
	movl $(PT_A + 7), PD_A + 8
	LOAD_CR3(PML4 + 1)
	SEEN_AT(PAGE + 0x3000, 1)
	/* and INVPCID */
	movl $PTE(1), PT_A + 48
	movl $PTE(2), PT_B + 48
	movl $(PT_B + 7), PD_A + 8
	INVPCID(1, 1, 0)
	SEEN_AT(PAGE + 0x6000, 2)
	/* and before a fault: rights that were added above it need no flush */
	movl $PTE(1), PT_A + 32
	movl $(PT_A + 5), PD_A + 8
	LOAD_CR3(PML4 + 1)
	SEEN_AT(PAGE + 0x4000, 1)
	movl $(PT_A + 7), PD_A + 8
	movl $1, PAGE + 0x4000

	/* descriptors that are wrong */
	EXPECT_AT_2
	INVPCID(4, 0, 0)
2:	FAULTED(13, 0)
	EXPECT_AT_2
	INVPCID(0, 0x1000, 0)
2:	FAULTED(13, 0)
	EXPECT_AT_2
	INVPCID(1, 0x1000, 0)
2:	FAULTED(13, 0)
	EXPECT_AT_2
	INVPCID(0, 1, 0x800000000000)
2:	FAULTED(13, 0)
	INVPCID(1, 1, 0x800000000000) /* the address is no matter */

	/* without PCIDE nothing is left, and there is one space */
	movl $PTE(2), PT_A
	movl $0x6a0, %eax
	movq %rax, %cr4
	SEEN(2)
	movl $PTE(3), PT_A
	LOAD_CR3(PML4)
	SEEN(3)
	EXPECT_AT_2
	LOAD_CR3(KEEP + PML4)
2:	FAULTED(13, 0)
	movl $0x206a0, %eax
	movq %rax, %cr4
	movl $PTE(1), PT_A
	LOAD_CR3(PML4 + 1)
	SEEN(1)
	/* paging cannot be turned off with PCIDE */
	EXPECT_AT_2
	movq %cr0, %rax
	btrl $31, %eax
	movq %rax, %cr0
2:	FAULTED(13, 0)
	jmp pass

	STUBS
	FAIL_AND_PASS

	LONG_DATA
	.balign 16
descriptor: .quad 0, 0
gdt:	GDT_LONG
gdt_end:
