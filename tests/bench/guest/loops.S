/* tests/bench/guest/loops.S - the loops that run in the guest and as a host program.
 * SPDX-License-Identifier: MIT */
#include "loop.inc"
#define AGAIN   decq %rdi; jnz 1b
#define FAR     0x400000 /* pages at this distance may be in each other's way */

	.bss
	.balign 4096
	.globl bench_data
bench_data: .skip DATA_BYTES
	.balign 4096
far_data: .skip FAR + 4096

/* Memory. */

LOOP mem, "4 loads and 4 stores, two bases"
	leaq bench_data(%rip), %rsi
	leaq 0x800(%rsi), %rdx
1:	movq (%rsi), %rax
	movq 8(%rsi), %rcx
	movl 16(%rsi), %r8d
	movzbl 24(%rsi), %r9d
	addq %rdi, %rax
	movq %rax, (%rdx)
	movq %rcx, 8(%rdx)
	movl %r8d, 16(%rdx)
	movb %r9b, 24(%rdx)
	AGAIN
	addq %rcx, %rax
	addq 16(%rdx), %rax
	ret

LOOP mem_spread, "4 loads and 4 stores, a base each"
	pushq %rbx
	leaq bench_data(%rip), %rsi
	xorl %eax, %eax
1:	leaq (%rax, %rdi, 8), %rdx
	andl $0x7f8, %edx
	movq (%rsi, %rdx), %rax
	leal 0x808(%rdx), %ecx
	movq (%rsi, %rcx), %r8
	leal 0x1010(%rdx), %ebx
	addq (%rsi, %rbx), %rax
	leal 0x1818(%rdx), %r9d
	addq (%rsi, %r9), %r8
	movq %rax, 0x2000(%rsi, %rdx)
	movq %r8, 0x2000(%rsi, %rcx)
	movq %rax, 0x2000(%rsi, %rbx)
	movq %r8, 0x2000(%rsi, %r9)
	AGAIN
	addq %r8, %rax
	popq %rbx
	ret

LOOP mem_conflict, "2 loads, 2 stores and 2 sums, 4 MiB from each other"
	leaq far_data(%rip), %rsi
	leaq FAR(%rsi), %rdx
	xorl %eax, %eax
	movq %rax, (%rsi)
	movq %rax, 0x400(%rdx)
	movq %rax, 0x800(%rsi)
	movq %rax, 0xc00(%rdx)
1:	addq (%rsi), %rax
	addq 0x400(%rdx), %rax
	addq %rdi, 0x800(%rsi)
	addq %rax, 0xc00(%rdx)
	movq %rax, (%rsi)
	movq %rdi, 0x400(%rdx)
	AGAIN
	addq 0x800(%rsi), %rax
	addq 0xc00(%rdx), %rax
	ret

LOOP stack, "4 pushes and 4 pops"
	xorl %eax, %eax
	movl $1, %edx
	movl $2, %ecx
	movl $3, %esi
1:	pushq %rax
	pushq %rdx
	pushq %rcx
	pushq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	popq %rsi
	addq %rdi, %rax
	AGAIN
	leaq (%rax, %rdx, 2), %rax
	leaq (%rax, %rcx, 4), %rax
	addq %rsi, %rax
	ret

LOOP tree, "binary tree, 10 levels"
	xorl %eax, %eax
	movl $1, %r8d
1:	movl %r8d, %ecx /* xorshift */
	shll $13, %ecx
	xorl %ecx, %r8d
	movl %r8d, %ecx
	shrl $17, %ecx
	xorl %ecx, %r8d
	movl %r8d, %ecx
	shll $5, %ecx
	xorl %ecx, %r8d
	movl %r8d, %ecx
	leaq tree(%rip), %rsi
2:	movl %ecx, %edx
	andl $1, %edx
	shrl $1, %ecx
	addq (%rsi), %rax
	movq 8(%rsi, %rdx, 8), %rsi
	testq %rsi, %rsi
	jnz 2b
	AGAIN
	ret

	.data
	.balign 64
	.set node, 0
tree:	.rept 1023
	.quad node * node
	.if node < 511
	.quad tree + 24 * (2 * node + 1), tree + 24 * (2 * node + 2)
	.else
	.quad 0, 0
	.endif
	.set node, node + 1
	.endr

LOOP copy, "copy of 4 KiB by 16 bytes"
	pushq %rdi
	leaq bench_data(%rip), %rsi
	leaq 0x2000(%rsi), %rdx
1:	movl $4096 / 64, %ecx
	xorl %eax, %eax
2:	movups (%rsi, %rax), %xmm0
	movups 16(%rsi, %rax), %xmm1
	movups 32(%rsi, %rax), %xmm2
	movups 48(%rsi, %rax), %xmm3
	movups %xmm0, (%rdx, %rax)
	movups %xmm1, 16(%rdx, %rax)
	movups %xmm2, 32(%rdx, %rax)
	movups %xmm3, 48(%rdx, %rax)
	addq $64, %rax
	decl %ecx
	jnz 2b
	AGAIN
	popq %rdi
	movq 4088(%rdx), %rax
	ret

LOOP atomic, "lock xadd, cmpxchg, xchg, inc"
	leaq bench_data(%rip), %rsi
1:	movl $3, %eax
	lock xaddq %rax, (%rsi)
	movq 8(%rsi), %rax
	leaq 5(%rax), %rdx
	lock cmpxchgq %rdx, 8(%rsi)
	xchgq %rdx, 16(%rsi)
	lock incl 24(%rsi)
	AGAIN
	movq (%rsi), %rax
	addq 8(%rsi), %rax
	addq 16(%rsi), %rax
	addq 24(%rsi), %rax
	ret

/* Control. */

LOOP call, "2 calls and returns"
	xorl %eax, %eax
1:	call 2f
	call 3f
	AGAIN
	ret
	.balign 16
2:	addq $3, %rax
	ret
	.balign 16
3:	xorq %rdi, %rax
	ret

LOOP icall, "2 indirect calls and returns"
	leaq 2f(%rip), %rdx
	leaq 3f(%rip), %rcx
	leaq bench_data(%rip), %rsi
	movq %rcx, (%rsi)
	xorl %eax, %eax
1:	call *%rdx
	call *(%rsi)
	AGAIN
	ret
	.balign 16
2:	addq $3, %rax
	ret
	.balign 16
3:	xorq %rdi, %rax
	ret

LOOP fib, "a call of a recursive function", 177
	pushq %rbx
	pushq %rbp
	movq %rdi, %rbp
	xorl %ebx, %ebx
1:	movl $10, %edi
	call 2f
	addq %rax, %rbx
	decq %rbp
	jnz 1b
	movq %rbx, %rax
	popq %rbp
	popq %rbx
	ret
	.balign 16
2:	movl %edi, %eax
	cmpl $2, %edi
	jb 3f
	pushq %rbx
	pushq %rbp
	movl %edi, %ebp
	leal -1(%rdi), %edi
	call 2b
	movl %eax, %ebx
	leal -2(%rbp), %edi
	call 2b
	addl %ebx, %eax
	popq %rbp
	popq %rbx
3:	ret

LOOP dispatch, "a step of a byte code interpreter"
	leaq handlers(%rip), %rsi
	leaq program(%rip), %rdx
	movq %rdi, %rax
	xorl %ecx, %ecx
	jmp 2f
	.macro NEXT
	decq %rdi
	jz 9f
2:	movzbl (%rdx, %rcx), %r8d
	incl %ecx
	andl $63, %ecx
	jmp *(%rsi, %r8, 8)
	.endm
	NEXT
op_add:	addq %rdi, %rax
	NEXT
op_xor:	xorq %rcx, %rax
	NEXT
op_shl:	leaq 1(%rax, %rax), %rax
	NEXT
op_test: testb $8, %al
	jz 3f
	incq %rax
3:	NEXT
9:	ret
	.data
	.balign 8
handlers: .quad op_add, op_xor, op_shl, op_test
	.section .rodata
program: /* 64 steps */
	.byte 0, 1, 2, 3, 1, 3, 2, 0, 0, 2, 1, 1, 3, 0, 2, 3
	.byte 3, 1, 0, 2, 2, 1, 0, 0, 3, 1, 2, 3, 0, 1, 3, 2
	.byte 1, 0, 3, 3, 2, 2, 0, 1, 3, 0, 1, 2, 0, 3, 2, 1
	.byte 1, 2, 3, 0, 2, 0, 1, 3, 0, 0, 3, 2, 1, 3, 2, 1

LOOP branch, "6 conditional branches by a pattern"
	xorl %eax, %eax
1:	testb $1, %dil
	jz 2f
	addq $3, %rax
2:	testb $2, %dil
	jnz 3f
	addq $5, %rax
3:	cmpq %rdi, %rax
	jb 4f
	subq $7, %rax
4:	testq %rdi, %rdi
	js 5f
	xorq $9, %rax
5:	cmpl $0x1000, %edi
	ja 6f
	incq %rax
6:	AGAIN
	ret

LOOP branch_random, "a branch that cannot be predicted"
	xorl %eax, %eax
	movl $1, %edx
1:	movl %edx, %ecx
	shll $13, %ecx
	xorl %ecx, %edx
	movl %edx, %ecx
	shrl $17, %ecx
	xorl %ecx, %edx
	movl %edx, %ecx
	shll $5, %ecx
	xorl %ecx, %edx
	jns 2f
	addq %rdx, %rax
2:	AGAIN
	ret

LOOP cross_page, "4 jumps from page to page"
	xorl %eax, %eax
	jmp page_first
	.balign 4096
page_first:
1:	addq $3, %rax
	jmp 2f
	.skip 4096
2:	xorq %rdi, %rax
	jmp 3f
	.skip 4096
3:	addq %rax, %rax
	jmp 4f
	.skip 4096
4:	incq %rax
	decq %rdi
	jnz page_first
	ret
	.balign 4096

/* Integers. */

LOOP flags, "add, adc, cmp, cmov, setcc, sbb"
	movl $1, %eax
	movabsq $0x9e3779b97f4a7c15, %rdx
	xorl %ecx, %ecx
	xorl %esi, %esi
	xorl %r8d, %r8d
1:	addq %rdx, %rax
	adcq %rcx, %rsi
	cmpq %rax, %rsi
	cmovbq %rax, %rcx
	setg %r8b
	sbbq %r8, %rsi
	AGAIN
	addq %rsi, %rax
	addq %rcx, %rax
	ret

LOOP muldiv, "imul, mul and a 64-bit div"
	movl $12345, %r8d
	movl $1, %eax
1:	imulq $0x343fd, %rax, %rcx
	leaq 1(%rcx, %rdi), %rax
	mulq %rcx
	xorq %rdx, %rax
	xorl %edx, %edx
	divq %r8
	addq %rdx, %rax
	AGAIN
	ret

LOOP shift, "8 shifts, rotates and bit scans"
	movl $1, %eax
	movabsq $0x9e3779b97f4a7c15, %rdx
	xorl %esi, %esi
1:	movl %edi, %ecx
	shlq %cl, %rax
	sarq %cl, %rdx
	rorq %cl, %rdx
	shldq $7, %rdx, %rax
	btq %rdi, %rdx
	adcq $0, %rsi
	orq $1, %rax
	bsrq %rax, %rcx
	addq %rcx, %rsi
	popcntq %rax, %rcx
	leaq 1(%rdx, %rcx), %rdx
	AGAIN
	addq %rsi, %rax
	addq %rdx, %rax
	ret

LOOP hash, "hash of 64 bytes"
	pushq %rbx
	leaq bench_data(%rip), %rsi
	movabsq $0x87c37b91114253d5, %r9
	movq %rdi, %rax
1:	movl $8, %ecx
	movq %rsi, %rdx
2:	movq (%rdx), %rbx
	addq $8, %rdx
	imulq %r9, %rbx
	movq %rbx, %r8
	rolq $31, %rbx
	shrq $29, %r8
	xorq %r8, %rbx
	xorq %rbx, %rax
	rolq $27, %rax
	leaq 0x52dce729(%rax, %rax, 4), %rax
	decl %ecx
	jnz 2b
	AGAIN
	popq %rbx
	ret

LOOP bytes, "scan for a byte, each", 64
	leaq bench_data(%rip), %rsi
	movl $0x20202020, %ecx
	xorl %eax, %eax
2:	movl %ecx, (%rsi, %rax)
	addl $4, %eax
	cmpl $64, %eax
	jb 2b
	movb $0, 63(%rsi)
	xorl %eax, %eax
1:	movq %rsi, %rdx
2:	movzbl (%rdx), %ecx
	incq %rdx
	testb %cl, %cl
	jnz 2b
	subq %rsi, %rdx
	addq %rdx, %rax
	AGAIN
	ret

/* Strings. */

LOOP movsb, "rep movsb, 4 KiB"
	movq %rdi, %rdx
	cld
1:	leaq bench_data(%rip), %rsi
	leaq 0x2000(%rsi), %rdi
	movl $4096, %ecx
	rep movsb
	decq %rdx
	jnz 1b
	movq -8(%rdi), %rax
	ret

LOOP movsb_short, "rep movsb, 16 bytes"
	movq %rdi, %rdx
	cld
1:	leaq bench_data(%rip), %rsi
	leaq 0x2000(%rsi), %rdi
	movl $16, %ecx
	rep movsb
	decq %rdx
	jnz 1b
	movq -8(%rdi), %rax
	ret

LOOP stosq, "rep stosq, 4 KiB"
	movq %rdi, %rdx
	cld
1:	leaq bench_data(%rip), %rdi
	movl $512, %ecx
	movq %rdx, %rax
	rep stosq
	decq %rdx
	jnz 1b
	movq -8(%rdi), %rax
	ret

LOOP cmpsb, "repe cmpsb, 256 bytes"
	movq %rdi, %rdx
	cld
	leaq bench_data(%rip), %rsi
	leaq 0x2000(%rsi), %rdi
	movl $256, %ecx
	rep movsb
	incb -2(%rdi)
	xorl %eax, %eax
1:	leaq bench_data(%rip), %rsi
	leaq 0x2000(%rsi), %rdi
	movl $300, %ecx
	repe cmpsb
	adcq %rcx, %rax
	decq %rdx
	jnz 1b
	ret

/* Floating point. */

	.section .rodata
	.balign 32
floats:	.float 0.5, 0.25, 0.75, 0.125, 0.5, 0.25, 0.75, 0.125
	.float 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0
	.float 0.0625, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7
doubles: .double 0.53125, 0.46875
	.double 1.0, 2.0
	.double 1.5, 1.25
integers: .long 0x9e3779b9, 0x7f4a7c15, 0x12345678, 0x9abcdef0
	.long 0x00ff00ff, 0x0f0f0f0f, 0x33333333, 0x55555555

LOOP packed_single, "4 packed singles"
	movaps floats(%rip), %xmm1
	movaps floats + 32(%rip), %xmm2
	movaps floats + 64(%rip), %xmm3
	movaps %xmm2, %xmm0
1:	mulps %xmm1, %xmm0
	addps %xmm2, %xmm0
	subps %xmm3, %xmm0
	maxps %xmm1, %xmm0
	AGAIN
	movhlps %xmm0, %xmm1
	xorps %xmm1, %xmm0
	movq %xmm0, %rax
	ret

LOOP packed_double, "4 packed doubles"
	movapd doubles(%rip), %xmm1
	movapd doubles + 16(%rip), %xmm2
	movapd doubles + 32(%rip), %xmm3
	movapd %xmm2, %xmm0
1:	mulpd %xmm1, %xmm0
	addpd %xmm2, %xmm0
	subpd %xmm3, %xmm0
	maxpd %xmm1, %xmm0
	AGAIN
	movhlps %xmm0, %xmm1
	xorps %xmm1, %xmm0
	movq %xmm0, %rax
	ret

/* As unrolled code has it: not bound by the latency of one chain. */
LOOP packed_chains, "16 packed doubles in 4 chains"
	movapd doubles(%rip), %xmm1
	movapd doubles + 16(%rip), %xmm2
	movapd doubles + 32(%rip), %xmm3
	movapd %xmm2, %xmm4
	movapd %xmm1, %xmm5
	movapd %xmm3, %xmm6
	xorpd %xmm7, %xmm7
1:	mulpd %xmm1, %xmm4
	mulpd %xmm1, %xmm5
	mulpd %xmm1, %xmm6
	mulpd %xmm1, %xmm7
	addpd %xmm2, %xmm4
	addpd %xmm2, %xmm5
	addpd %xmm2, %xmm6
	addpd %xmm2, %xmm7
	subpd %xmm3, %xmm4
	subpd %xmm3, %xmm5
	subpd %xmm3, %xmm6
	subpd %xmm3, %xmm7
	maxpd %xmm1, %xmm4
	maxpd %xmm1, %xmm5
	maxpd %xmm1, %xmm6
	maxpd %xmm1, %xmm7
	AGAIN
	xorpd %xmm5, %xmm4
	xorpd %xmm7, %xmm6
	paddq %xmm6, %xmm4
	movhlps %xmm4, %xmm1
	xorps %xmm1, %xmm4
	movq %xmm4, %rax
	ret

LOOP packed_divide, "packed doubles: add, div, sqrt"
	movapd doubles + 16(%rip), %xmm2
	movapd doubles + 32(%rip), %xmm3
	movapd %xmm2, %xmm0
1:	addpd %xmm2, %xmm0
	divpd %xmm3, %xmm0
	sqrtpd %xmm0, %xmm0
	AGAIN
	movhlps %xmm0, %xmm1
	xorps %xmm1, %xmm0
	movq %xmm0, %rax
	ret

LOOP packed_memory, "4 packed operations with memory"
	leaq bench_data(%rip), %rsi
	leaq floats(%rip), %rdx
	movaps (%rdx), %xmm0
	movaps %xmm0, (%rsi)
1:	movups (%rsi), %xmm0
	mulps (%rdx), %xmm0
	addps 32(%rdx), %xmm0
	movups %xmm0, (%rsi)
	AGAIN
	movq (%rsi), %rax
	xorq 8(%rsi), %rax
	ret

LOOP avx, "4 packed operations of 32 bytes", 1, LOOP_AVX
	vmovaps floats(%rip), %ymm1
	vmovaps floats + 32(%rip), %ymm2
	vmovaps floats + 64(%rip), %ymm3
	vmovaps %ymm2, %ymm0
1:	vmulps %ymm1, %ymm0, %ymm0
	vaddps %ymm2, %ymm0, %ymm0
	vsubps %ymm3, %ymm0, %ymm0
	vmaxps %ymm1, %ymm0, %ymm0
	AGAIN
	vextractf128 $1, %ymm0, %xmm1
	vxorps %xmm1, %xmm0, %xmm0
	vmovhlps %xmm0, %xmm0, %xmm1
	vxorps %xmm1, %xmm0, %xmm0
	vmovq %xmm0, %rax
	vzeroupper
	ret

LOOP scalar, "5 scalar doubles: div, sqrt, ..."
	movsd doubles(%rip), %xmm1
	movsd doubles + 24(%rip), %xmm2
	movsd doubles + 32(%rip), %xmm3
	movapd %xmm2, %xmm0
1:	mulsd %xmm1, %xmm0
	addsd %xmm2, %xmm0
	subsd %xmm1, %xmm0
	divsd %xmm3, %xmm0
	sqrtsd %xmm0, %xmm0
	AGAIN
	movq %xmm0, %rax
	ret

LOOP convert, "to double, compare, to integer"
	movsd doubles + 32(%rip), %xmm3
	xorl %eax, %eax
1:	cvtsi2sdq %rdi, %xmm0
	mulsd %xmm3, %xmm0
	comisd %xmm3, %xmm0
	jb 2f
	cvttsd2siq %xmm0, %rcx
	addq %rcx, %rax
2:	AGAIN
	ret

LOOP x87, "x87: fld, fmul, fadd, fstp"
	leaq bench_data(%rip), %rsi
	leaq doubles(%rip), %rdx
	movq 8(%rdx), %rax
	movq %rax, (%rsi)
1:	fldl (%rsi)
	fmull 8(%rdx)
	faddl 16(%rdx)
	fstpl (%rsi)
	AGAIN
	movq (%rsi), %rax
	ret

LOOP x87_stack, "x87: 10 on its stack, sqrt, prem"
	fld1
	fldpi
1:	fld %st(0)
	fld %st(2)
	fxch %st(1)
	fmulp
	fsqrt
	faddp %st, %st(2)
	fcomi %st(1), %st
	fxch %st(1)
	fprem
	fxch %st(1)
	AGAIN
	faddp
	leaq bench_data(%rip), %rsi
	fstpl (%rsi)
	movq (%rsi), %rax
	ret

/* Vectors of integers. */

LOOP simd, "9 packed integers, 32-bit"
	movdqa integers(%rip), %xmm1
	movdqa integers + 16(%rip), %xmm2
	movdqa %xmm1, %xmm0
	pxor %xmm3, %xmm3
1:	paddd %xmm1, %xmm0
	pxor %xmm2, %xmm0
	movdqa %xmm0, %xmm4
	pmullw %xmm1, %xmm4
	pslld $3, %xmm4
	pshufd $0x39, %xmm4, %xmm5
	pcmpgtd %xmm0, %xmm4
	pand %xmm2, %xmm4
	pmaddwd %xmm5, %xmm4
	paddd %xmm4, %xmm3
	AGAIN
	pxor %xmm3, %xmm0
	movhlps %xmm0, %xmm1
	xorps %xmm1, %xmm0
	movq %xmm0, %rax
	ret

LOOP simd_bytes, "6 packed integers, bytes, a load"
	leaq bench_data(%rip), %rsi
	movdqa integers + 16(%rip), %xmm2
	pxor %xmm3, %xmm3
	xorl %eax, %eax
1:	movl %edi, %edx
	andl $0xff0, %edx
	movdqu (%rsi, %rdx), %xmm0
	movdqa %xmm0, %xmm1
	pcmpeqb %xmm2, %xmm1
	pmovmskb %xmm1, %ecx
	addl %ecx, %eax
	pshuflw $0x1b, %xmm0, %xmm1
	punpcklbw %xmm0, %xmm1
	packuswb %xmm1, %xmm1
	paddb %xmm1, %xmm3
	AGAIN
	movq %xmm3, %rcx
	addq %rcx, %rax
	ret

LOOP aes, "aesenc of two blocks twice", 1, LOOP_AES
	movdqa integers(%rip), %xmm0
	movdqa integers + 16(%rip), %xmm1
	movdqa %xmm0, %xmm2
1:	aesenc %xmm2, %xmm0
	aesenc %xmm2, %xmm1
	aesenc %xmm0, %xmm1
	aesenc %xmm1, %xmm0
	AGAIN
	pxor %xmm1, %xmm0
	movq %xmm0, %rax
	ret

	.section .note.GNU-stack, "", @progbits
