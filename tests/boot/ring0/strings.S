/* tests/boot/ring0/strings.S - string instructions with REP do what as many without it do: overlap,
 * both directions, page borders, two addresses of one page, index registers that wrap; and stop
 * where an element faults or an interrupt waits, with true registers.
 * SPDX-License-Identifier: MIT */
#include "guest.inc"
#define CODE32 0x08
#define DATA 0x10
#define CODE64 0x18
#define PML4 0x100000
#define PT 0x103000
#define PDHIGH 0x104000
#define IDT 0x2000
#define FRAME 0x110000  /* four pages, mapped at ADDR and again at ALIAS */
#define SAVED 0x118000
#define BYTES 0x4000
#define ADDR 0x200000
#define ABSENT 0x204000 /* the page behind them; nor is the one before them there */
#define BEFORE 0x1ff000
#define ALIAS 0x208000
#define HIGH 0xffe00000 /* 2 MiB, physical 0x400000 */
#define EXPECT_AT_2 movq $-1, vector; movq $2f, resume
/* Page fault with this code, at this address. */
#define FAULTED(c, a)               \
	cmpq $14, vector;           \
	CHECK(je);                  \
	cmpq $c, code;              \
	CHECK(je);                  \
	movq %cr2, %rax;            \
	cmpq $a, %rax;              \
	CHECK(je)
#define LEFT(n, si, di)             \
	cmpq $n, %rcx;              \
	CHECK(je);                  \
	cmpq $si, %rsi;             \
	CHECK(je);                  \
	cmpq $di, %rdi;             \
	CHECK(je)
	.code16
	.globl start
start:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7000, %sp
	/* a 16-bit index register wraps in the middle of a page */
	movw $0x1000, %ax
	movw %ax, %es
	movw $1, %ax
	movw %ax, %ds
	movw $0xfff0, %di
	movb $1, %al
1:	movb %al, (%di)
	incb %al
	incw %di
	cmpw $16, %di
	jne 1b
	movw $0xfff0, %si
	movw $0x800, %di
	movl $0x70020, %ecx
	rep movsb
	movw %cx, %ds
	cmpl $0x70000, %ecx
	CHECK(je)
	cmpw $0x10, %si
	CHECK(je)
	cmpb $16, %es:0x80f
	CHECK(je)
	cmpb $17, %es:0x810
	CHECK(je)
	cmpb $32, %es:0x81f
	CHECK(je)
	lgdtl gdtr
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE32, $protected
	.code32
protected:
	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $PML4, %edi
	xorl %eax, %eax
	movl $0x6000, %ecx
	rep stosl
	movl $(PML4 + 0x1007), PML4
	movl $(PML4 + 0x2007), PML4 + 0x1000
	movl $(PDHIGH + 7), PML4 + 0x1018
	movl $(PT + 0x2007), PML4 + 0x2000 /* below 2 MiB: 4 KiB pages, all but BEFORE */
	movl $(PT + 7), PML4 + 0x2008
	movl $0x400087, PDHIGH + 0xff8
	movl $(PT + 0x2000), %edi
	movl $7, %eax
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x1000, %eax
	cmpl $(BEFORE + 7), %eax
	jne 1b
	movl $PT, %edi
	movl $(FRAME + 7), %eax
1:	movl %eax, (%edi)
	movl %eax, (ALIAS - ADDR) / 512(%edi)
	addl $8, %edi
	addl $0x1000, %eax
	cmpl $(FRAME + 0x4007), %eax
	jne 1b
	movl $PML4, %eax
	movl %eax, %cr3
	movl $0x6a0, %eax
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	movl $0x901, %eax
	xorl %edx, %edx
	wrmsr
	movl $0x80010033, %eax
	movl %eax, %cr0
	ljmpl $CODE64, $long_mode
	.code64
long_mode:
	movl $0x7000, %esp
	movl $0x41, %ecx
	movl $stubs, %eax
	movl $IDT, %edi
1:	movw %ax, (%rdi)
	movw $CODE64, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	movw $0, 6(%rdi)
	movq $0, 8(%rdi)
	addl $16, %eax
	addl $16, %edi
	decl %ecx
	jnz 1b
	lidt idtr

	/* MOVS: element size, bytes from source to destination, direction */
#define MOVS(insn, n, src, dst, dir)          \
	call fill;                            \
	movq $src, %rsi;                      \
	movq $dst, %rdi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
	rep insn;                             \
	cld;                                  \
	movq %rsi, %r8;                       \
	movq %rdi, %r9;                       \
	testq %rcx, %rcx;                     \
	CHECK(jz);                            \
	call save;                            \
	call fill;                            \
	movq $src, %rsi;                      \
	movq $dst, %rdi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
3:	insn;                                 \
	decl %ecx;                            \
	jnz 3b;                               \
	cld;                                  \
	cmpq %rsi, %r8;                       \
	CHECK(je);                            \
	cmpq %rdi, %r9;                       \
	CHECK(je);                            \
	call same;                            \
	CHECK(je)
#define UP(insn, n, distance) MOVS(insn, n, (ADDR + 0x103), (ADDR + 0x103 + distance), cld)
#define DOWN(insn, n, distance) MOVS(insn, n, (ADDR + 0x3803), (ADDR + 0x3803 + distance), std)
	UP(movsb, 3000, 1)
	UP(movsb, 3000, 3)
	UP(movsb, 3000, 700)
	UP(movsb, 3000, -1)
	UP(movsb, 300, 0)
	DOWN(movsb, 3000, -1)
	DOWN(movsb, 3000, -7)
	DOWN(movsb, 3000, -700)
	DOWN(movsb, 3000, 1)
	UP(movsw, 1500, 1)
	UP(movsw, 1500, 2)
	UP(movsw, 1500, 5)
	DOWN(movsw, 1500, -1)
	DOWN(movsw, 1500, -2)
	DOWN(movsw, 1500, -6)
	UP(movsl, 900, 3)
	UP(movsl, 900, 4)
	UP(movsl, 900, -2)
	DOWN(movsl, 900, -1)
	DOWN(movsl, 900, -12)
	UP(movsq, 500, 1)
	UP(movsq, 500, 7)
	UP(movsq, 500, 8)
	UP(movsq, 500, 64)
	UP(movsq, 500, 4096)
	DOWN(movsq, 500, -4)
	DOWN(movsq, 500, -8)
	DOWN(movsq, 500, -4104)
	DOWN(movsq, 500, 24)
	/* overlap that only physical addresses show */
	MOVS(movsb, 3000, (ADDR + 5), (ALIAS + 6), cld)
	MOVS(movsl, 700, (ALIAS + 5), (ADDR + 21), cld)
	MOVS(movsw, 700, (ADDR + 0x2005), (ALIAS + 0x2001), std)

	/* STOS, LODS */
#define STOS(insn, n, dst, dir)               \
	call fill;                            \
	movq $dst, %rdi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
	rep insn;                             \
	cld;                                  \
	movq %rdi, %r9;                       \
	testq %rcx, %rcx;                     \
	CHECK(jz);                            \
	call save;                            \
	call fill;                            \
	movq $dst, %rdi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
3:	insn;                                 \
	decl %ecx;                            \
	jnz 3b;                               \
	cld;                                  \
	cmpq %rdi, %r9;                       \
	CHECK(je);                            \
	call same;                            \
	CHECK(je)
#define STOS_BOTH(insn, n)                    \
	STOS(insn, n, (ADDR + 0x107), cld);   \
	STOS(insn, n, (ADDR + 0x3fe0), std)
	movq $0x1122334455667788, %rbp
	movq $0xabababababababab, %rbx
1:	movq %rbp, %rax /* fill leaves it alone */
	STOS_BOTH(stosb, 5000)
	STOS_BOTH(stosw, 1999)
	STOS_BOTH(stosl, 1001)
	STOS_BOTH(stosq, 777)
	STOS_BOTH(stosq, 3)
	xchgq %rbp, %rbx
	cmpb $0x88, %bpl
	jne 1b
#define LODS(insn, n, src, dir)               \
	movq $-1, %rax;                       \
	movq $src, %rsi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
	rep insn;                             \
	cld;                                  \
	movq %rsi, %r8;                       \
	movq %rax, %r9;                       \
	testq %rcx, %rcx;                     \
	CHECK(jz);                            \
	movq $-1, %rax;                       \
	movq $src, %rsi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
3:	insn;                                 \
	decl %ecx;                            \
	jnz 3b;                               \
	cld;                                  \
	cmpq %rsi, %r8;                       \
	CHECK(je);                            \
	cmpq %rax, %r9;                       \
	CHECK(je)
	call fill
	LODS(lodsb, 4099, (ADDR + 3), cld)
	LODS(lodsb, 4099, (ADDR + 0x3000), std)
	LODS(lodsw, 2500, (ADDR + 3), cld)
	LODS(lodsl, 1100, (ADDR + 0x3005), std)
	LODS(lodsq, 600, (ADDR + 1), cld)
	/* the direction that POPF and IRET bring */
	pushfq
	orl $0x400, (%rsp)
	popfq
	movl $(ADDR + 8), %esi
	lodsb
	cmpq $(ADDR + 7), %rsi
	CHECK(je)
	movl %esp, %ebx
	pushq $DATA
	pushq %rbx
	pushq $2
	pushq $CODE64
	pushq $1f
	iretq
1:	lodsw
	cmpq $(ADDR + 9), %rsi
	CHECK(je)
	/* from address 0, which is as good as any */
	movq $8, 0
	xorl %esi, %esi
	movl $4, %ecx
	rep lodsb
	xorl %esi, %esi
	movl $1, %ecx
	rep lodsb
	cmpb $8, %al
	CHECK(je)
	xorl %edi, %edi
	movb $7, %al
	movl $3, %ecx
	rep stosb
	cmpl $0x070707, 0
	CHECK(je)
	xorl %esi, %esi
	movl $3, %ecx
	rep movsb
	LEFT(0, 3, 6)

	/* CMPS, SCAS: where they end, and the flags.  Reference: the instruction without REP. */
#define COMPARE(rep_insn, insn, n, src, dst, dir, leave) \
	movq $src, %rsi;                      \
	movq $dst, %rdi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
	rep_insn;                             \
	pushfq;                               \
	cld;                                  \
	movq %rsi, %r8;                       \
	movq %rdi, %r9;                       \
	movq %rcx, %r10;                      \
	popq %r11;                            \
	movq $src, %rsi;                      \
	movq $dst, %rdi;                      \
	movl $n, %ecx;                        \
	dir;                                  \
3:	insn;                                 \
	leaq -1(%rcx), %rcx;                  \
	leave 4f;                             \
	jrcxz 4f;                             \
	jmp 3b;                               \
4:	pushfq;                               \
	cld;                                  \
	popq %rax;                            \
	cmpq %rax, %r11;                      \
	CHECK(je);                            \
	cmpq %rsi, %r8;                       \
	CHECK(je);                            \
	cmpq %rdi, %r9;                       \
	CHECK(je);                            \
	cmpq %rcx, %r10;                      \
	CHECK(je)
#define CMPS(insn)                            \
	COMPARE(repe insn, insn, 700, (ADDR + 9), (ADDR + 0x2005), cld, jne);     \
	COMPARE(repe insn, insn, 700, (ADDR + 0x1803), (ADDR + 0x37ff), std, jne); \
	COMPARE(repne insn, insn, 700, (ADDR + 9), (ADDR + 0x2004), cld, je);     \
	COMPARE(repne insn, insn, 700, (ADDR + 0x1803), (ADDR + 0x37f0), std, je)
	/* the upper half repeats the lower, 4 bytes earlier, but for one byte; rbx: where */
	movl $compare_at, %ebx
1:	call fill
	call mirror
	movslq (%rbx), %rax
	xorb $0x41, ADDR + 0x2000(%rax)
	CMPS(cmpsb)
	CMPS(cmpsw)
	CMPS(cmpsl)
	CMPS(cmpsq)
	addl $4, %ebx
	cmpl $compare_at_end, %ebx
	jne 1b
#define SCAS(insn)                            \
	movq %rbp, %rax;                      \
	COMPARE(repe insn, insn, 700, 0, (ADDR + 0x2005), cld, jne);  \
	movq %rbp, %rax;                      \
	COMPARE(repe insn, insn, 700, 0, (ADDR + 0x37ff), std, jne);  \
	movq %r12, %rax;                      \
	COMPARE(repe insn, insn, 700, 0, (ADDR + 0x1005), cld, jne);  \
	movq %r12, %rax;                      \
	COMPARE(repne insn, insn, 700, 0, (ADDR + 0x2005), cld, je);  \
	movq %r12, %rax;                      \
	COMPARE(repne insn, insn, 700, 0, (ADDR + 0x37ff), std, je)
	/* one value everywhere but in one place; the other side of pushf must not see rax */
	movl $compare_at, %ebx
1:	movq $0x5a5a5a5a5a5a5a5a, %rbp
	movq $0x1b1b1b1b1b1b1b1b, %r12
	movl $ADDR, %edi
	movl $(BYTES / 8), %ecx
3:	movq %rbp, (%rdi)
	addq $8, %rdi
	decl %ecx
	jnz 3b
	movslq (%rbx), %rax
	movq %r12, ADDR + 0x2000(%rax)
	SCAS(scasb)
	SCAS(scasw)
	SCAS(scasl)
	SCAS(scasq)
	addl $4, %ebx
	cmpl $compare_at_end, %ebx
	jne 1b

	/* faults half-way: the destination, the source, elements over the border */
	call fill
	EXPECT_AT_2
	movl $ADDR, %esi
	movl $(ABSENT - 4097), %edi
	movl $5000, %ecx
	rep movsb
2:	FAULTED(2, ABSENT)
	LEFT(5000 - 4097, (ADDR + 4097), ABSENT)
	EXPECT_AT_2
	movl $(ABSENT - 4098), %esi
	movl $ADDR, %edi
	movl $2000, %ecx
	rep movsl
2:	FAULTED(0, ABSENT)
	LEFT(2000 - 1024, (ABSENT - 2), (ADDR + 4096))
	EXPECT_AT_2
	movl $(ADDR + 0x3000), %esi
	movl $(ADDR + 0x801), %edi
	movl $3000, %ecx
	std
	rep movsw
2:	cld
	FAULTED(2, (ADDR - 1))
	cmpq $(3000 - 0x401), %rcx
	CHECK(je)
	cmpq $(ADDR - 1), %rdi
	CHECK(je)
	cmpq $(ADDR + 0x3000 - 2 * 0x401), %rsi
	CHECK(je)
	call fill
	EXPECT_AT_2
	movl $(ABSENT - 804), %edi
	movl $2000, %ecx
	movq $0x123456789abcdef0, %rax
	rep stosq
2:	FAULTED(2, ABSENT)
	LEFT(1900, (ADDR + 0x3000 - 2 * 0x401), (ABSENT - 4))
	cmpl $0x9abcdef0, ABSENT - 12
	CHECK(je)
	movl FRAME + 0x3ffc, %eax /* the store over the border changed nothing */
	shrl $24, %eax
	call filled_at
	cmpb %dl, %al
	CHECK(je)
	EXPECT_AT_2
	movl $(ABSENT - 3000), %esi
	movl $5000, %ecx
	rep lodsb
2:	FAULTED(0, ABSENT)
	cmpq $2000, %rcx
	CHECK(je)
	cmpq $ABSENT, %rsi
	CHECK(je)
	/* those with flags leave them as they were before the instruction */
	EXPECT_AT_2
	movl $(ABSENT - 3000), %esi
	movl %esi, %edi
	movl $5000, %ecx
	xorl %eax, %eax
	cmpl $1, %eax
	repe cmpsb
2:	FAULTED(0, ABSENT)
	LEFT(2000, ABSENT, ABSENT)
	movq flags, %rax
	andl $0x8d5, %eax
	cmpl $0x95, %eax /* of 0 - 1 */
	CHECK(je)
	EXPECT_AT_2
	movl $(ABSENT - 2998), %edi
	movl $5000, %ecx
	movw $0x7fff, %ax
	movw $0x8000, %dx
	cmpw %ax, %dx
	repne scasw
2:	FAULTED(0, ABSENT)
	cmpq $(5000 - 1499), %rcx
	CHECK(je)
	cmpq $ABSENT, %rdi
	CHECK(je)
	movq flags, %rax
	andl $0x8d5, %eax
	cmpl $0x810, %eax /* of 8000h - 7fffh */
	CHECK(je)
	/* ... also when more was compared than is done at one go */
	movl $0xfffffffe, %ebx
	EXPECT_AT_2
	leaq -400000(%rbx), %rsi
	movq %rsi, %rdi
	movl $110000, %ecx
	xorl %eax, %eax
	cmpl $1, %eax
	repe cmpsl
2:	movq %cr2, %rax
	subq %rbx, %rax
	cmpq $2, %rax
	CHECK(je)
	cmpq %rbx, %rsi
	CHECK(je)
	cmpl $10000, %ecx
	CHECK(je)
	movq flags, %rax
	andl $0x10041, %eax
	cmpl $0x10001, %eax
	CHECK(je)

	/* a 32-bit index register wraps from the top of 4 GiB to 0 */
	movl $HIGH, %ebx
	movq $0x1111, 0x1ffff8(%rbx)
	movq $0x2222, 0
1:	movq $-8, %rsi
	movl $ADDR, %edi
	movl $2, %ecx
	addr32 rep movsq
	cmpq $8, %rsi
	CHECK(je)
	cmpq $0x1111, ADDR
	CHECK(je)
	cmpq $0x2222, ADDR + 8
	CHECK(je)
	decl again
	jns 1b

	/* an interrupt is taken between elements, and the rest follows after it */
	call fill
	movq $interrupt, %rax
	movw %ax, IDT + 0x40 * 16
	movl $INPUT_PORT, %edx
	movb $2, %al
	outb %al, %dx
	movl $ADDR, %esi
	movl $(ADDR + 0x2000), %edi
	movl $0x1800, %ecx
	sti
2:	rep movsb
	cli
	LEFT(0, (ADDR + 0x1800), (ADDR + 0x3800))
	cmpq $2b, interrupted_at
	CHECK(je)
	cmpq $0x17ff, interrupted_left /* STI held it back for one element */
	CHECK(je)
	movb ADDR + 0x17ff, %al
	cmpb %al, ADDR + 0x37ff
	CHECK(je)
	btl $16, interrupted_flags /* RF: there were elements left */
	CHECK(jc)
	/* ... not behind the last */
	movl $INPUT_PORT, %edx
	movb $2, %al
	outb %al, %dx
	movl $ADDR, %esi
	movl $(ADDR + 0x2000), %edi
	movl $1, %ecx
	sti
	rep movsb
2:	cli
	cmpq $2b, interrupted_at
	CHECK(je)
	btl $16, interrupted_flags
	CHECK(jnc)
	/* it saves the flags of the last comparison; a fault behind it those that it went on with */
	EXPECT_AT_2
	movb $2, %al
	outb %al, %dx
	movl $(ABSENT - 3000), %esi
	movl %esi, %edi
	movl $5000, %ecx
	cmpl %edi, %ecx
	stc
	sti
3:	repe cmpsb
2:	FAULTED(0, ABSENT)
	cmpq $3b, interrupted_at
	CHECK(je)
	cmpq $4999, interrupted_left
	CHECK(je)
	movl interrupted_flags, %eax
	andl $0x108d5, %eax
	cmpl $0x10044, %eax
	CHECK(je)
	movl flags, %eax
	andl $0x108d5, %eax
	cmpl $0x10044, %eax
	CHECK(je)
	/* what it leaves undone, having stored other instructions in its place, is not of theirs */
	movl $nops, %esi
	movl $3f, %edi
	movl $4, %ecx
	cld
3:	rep movsb
	nop
	nop
	movl $INPUT_PORT, %edx
	movb $2, %al
	outb %al, %dx
	sti
	nop
2:	cli
	cmpq $2b, interrupted_at
	CHECK(je)
	btl $16, interrupted_flags
	CHECK(jnc)
	jmp pass
nops:	.fill 4, 1, 0x90

interrupt:
	movq %rcx, interrupted_left
	popq interrupted_at
	pushq interrupted_at
	pushq 16(%rsp)
	popq interrupted_flags
	iretq

	/* bytes of a sequence without short periods into the four pages; changes rdi, rcx, rdx */
fill:	movl $ADDR, %edi
	movl $0x12345, %edx
3:	imull $1103515245, %edx, %edx
	addl $12345, %edx
	movl %edx, %ecx
	shrl $16, %ecx
	movb %cl, (%rdi)
	incl %edi
	cmpl $(ADDR + BYTES), %edi
	jne 3b
	ret
	/* dl: what fill has left in the last byte */
filled_at:
	movl $0x12345, %edx
	movl $BYTES, %ecx
3:	imull $1103515245, %edx, %edx
	addl $12345, %edx
	decl %ecx
	jnz 3b
	shrl $16, %edx
	ret
mirror:	movl $ADDR, %edi
3:	movb 4(%rdi), %dl
	movb %dl, 0x2000(%rdi)
	incl %edi
	cmpl $(ADDR + 0x1ff8), %edi
	jne 3b
	ret
save:	xorl %edi, %edi
3:	movq ADDR(%rdi), %rdx
	movq %rdx, SAVED(%rdi)
	addl $8, %edi
	cmpl $BYTES, %edi
	jne 3b
	ret
same:	xorl %edi, %edi
3:	movq ADDR(%rdi), %rdx
	cmpq %rdx, SAVED(%rdi)
	jne 4f
	addl $8, %edi
	cmpl $BYTES, %edi
	jne 3b
4:	ret

	.balign 16
stubs:
	.set v, 0
	.rept 0x41
	.balign 16
	.if (v != 8) && (v != 17) && ((v < 10) || (v > 14))
	pushq $0
	.endif
	pushq $v
	jmp common
	.set v, v + 1
	.endr
common:
	popq vector
	popq code
	pushq 16(%rsp)
	popq flags
	movl $0x7000, %esp
	jmp *resume
	FAIL_AND_PASS

	.balign 8
vector:	.quad 0
code:	.quad 0
flags:	.quad 0
resume:	.quad unexpected
interrupted_at:	.quad 0
interrupted_left: .quad 0
interrupted_flags: .quad 0
again:	.long 2
	/* in the upper half: both ends of a block, a page border, near the other end, nowhere near */
compare_at: .long 0x5, 0x9, 0x104, 0x105, 0x2c0, 0x1000, 0x17ff, 0x1500, 0x1ff0
compare_at_end:
unexpected:
	UNREACHED
	.balign 8
gdtr:	.word gdt_end - gdt - 1
	.long gdt
idtr:	.word 0x40f
	.quad IDT
	.balign 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00af9b000000ffff
gdt_end:
