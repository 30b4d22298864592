/* tests/isa/x86/golden.S - guest loops for golden.c: 64-bit code at CPL 0, that is translated and
 * looked at, never run.
 *
 * A loop is the bytes from LOOP to the next LOOP: its body, and behind it what it calls.  Those
 * named as loops of tests/bench/guest have their bodies.  SPDX-License-Identifier: MIT */
	.macro LOOP name
	.section .rodata.golden_names, "a"
name_\name: .asciz "\name"
	.section golden_loops, "aw"
	.balign 8
	.quad name_\name, loop_\name
	.section .rodata.golden_code, "a"
loop_\name:
	.endm

#define AGAIN   decq %rdi; jnz 1b

/* Memory. */

LOOP mem
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

LOOP mem_spread
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

LOOP load /* one */
1:	movq (%rsi, %rdi, 8), %rax
	AGAIN

LOOP store /* one */
1:	movq %rax, (%rsi, %rdi, 8)
	AGAIN

LOOP modify /* read-modify-write, memory as an operand */
1:	addq %rax, (%rsi)
	subl $5, 16(%rsi)
	incb 24(%rsi)
	xorq 32(%rsi), %rax
	cmpl $7, 40(%rsi)
	AGAIN

LOOP rip_relative
1:	incl counter(%rip)
	addq counter + 8(%rip), %rax
	AGAIN
counter:

LOOP segment /* bases of FS and GS */
1:	movq %gs:0x28, %rax
	incl %gs:(%rsi)
	movq %fs:0x10, %rcx
	AGAIN

LOOP memory_registers /* those that are not in host registers */
1:	addq %r10, %r11
	movq (%r14), %r15
	addq %r15, %r10
	movq %r11, 8(%r14)
	AGAIN

LOOP list /* each load waits for the one before */
1:	movq (%rsi), %rsi
	testq %rsi, %rsi
	jnz 1b

LOOP atomic
1:	movl $3, %eax
	lock xaddq %rax, (%rsi)
	movq 8(%rsi), %rax
	leaq 5(%rax), %rdx
	lock cmpxchgq %rdx, 8(%rsi)
	xchgq %rdx, 16(%rsi)
	lock incl 24(%rsi)
	AGAIN

/* Stack and control. */

LOOP stack
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

LOOP frame /* of a function */
1:	pushq %rbp
	movq %rsp, %rbp
	subq $32, %rsp
	movq %rax, -8(%rbp)
	addq -8(%rbp), %rcx
	leave
	AGAIN

LOOP call
1:	call 2f
	call 3f
	AGAIN
2:	addq $3, %rax
	ret
3:	xorq %rdi, %rax
	ret

LOOP icall
1:	call *%rdx
	call *(%rsi)
	AGAIN
2:	addq $3, %rax
	ret
3:	xorq %rdi, %rax
	ret

LOOP dispatch /* one step of an interpreter */
1:	addq %rdi, %rax
	movzbl (%rdx, %rcx), %r8d
	incl %ecx
	andl $63, %ecx
	jmp *(%rsi, %r8, 8)

LOOP branch
1:	testb $1, %dil
	jz 2f
	addq $3, %rax
2:	testb $2, %dil
	jnz 3f
	addq $5, %rax
3:	cmpq %rdi, %rax
	jb 4f
	subq $7, %rax
4:	AGAIN

LOOP cross_page /* the way to it and back */
1:	addq $3, %rax
	jmp . + 0x1000

/* Integers and flags. */

LOOP count
1:	AGAIN

LOOP flags
1:	addq %rdx, %rax
	adcq %rcx, %rsi
	cmpq %rax, %rsi
	cmovbq %rax, %rcx
	setg %r8b
	sbbq %r8, %rsi
	AGAIN

LOOP flags_memory /* of an operation across an access */
1:	addq %rdx, %rax
	movq (%rsi), %rcx
	adcq $0, %rcx
	movq %rcx, 4096(%rsi)
	cmpq %rcx, %rax
	movl (%r8), %r9d
	ja 1b

LOOP flags_inc /* CF lives on */
1:	adcq (%rsi), %rax
	leaq 8(%rsi), %rsi
	decl %ecx
	jnz 1b

LOOP flags_pushed
1:	addq %rdx, %rax
	pushfq
	popq %rcx
	lahf
	AGAIN

LOOP parts /* bytes and words of registers */
1:	movb %al, %ah
	addb %ch, %dl
	movw %dx, %bx
	movzbl %ah, %ecx
	movsbq %cl, %r8
	AGAIN

LOOP muldiv
1:	imulq $0x343fd, %rax, %rcx
	leaq 1(%rcx, %rdi), %rax
	mulq %rcx
	xorq %rdx, %rax
	xorl %edx, %edx
	divq %r8
	addq %rdx, %rax
	AGAIN

LOOP shift
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

LOOP hash
1:	movq (%rdx), %rbx
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
	jnz 1b

LOOP bytes
1:	movzbl (%rdx), %ecx
	incq %rdx
	testb %cl, %cl
	jnz 1b

/* Strings. */

LOOP movsb
1:	movl $4096, %ecx
	rep movsb
	decq %rdx
	jnz 1b

LOOP stosq
1:	movl $512, %ecx
	rep stosq
	decq %rdx
	jnz 1b

LOOP cmpsb
1:	movl $300, %ecx
	repe cmpsb
	adcq %rcx, %rax
	decq %rdx
	jnz 1b

LOOP lodsb
1:	lodsb
	stosb
	testb %al, %al
	jnz 1b

/* Floating point. */

LOOP packed_single
1:	mulps %xmm1, %xmm0
	addps %xmm2, %xmm0
	subps %xmm3, %xmm0
	maxps %xmm1, %xmm0
	AGAIN

LOOP packed_memory
1:	movups (%rsi), %xmm0
	mulps (%rdx), %xmm0
	addps 32(%rdx), %xmm0
	movups %xmm0, (%rsi)
	AGAIN

LOOP avx
1:	vmulps %ymm1, %ymm0, %ymm0
	vaddps %ymm2, %ymm0, %ymm0
	vsubps %ymm3, %ymm0, %ymm0
	vmaxps %ymm1, %ymm0, %ymm0
	AGAIN

LOOP scalar
1:	mulsd %xmm1, %xmm0
	addsd %xmm2, %xmm0
	subsd %xmm1, %xmm0
	divsd %xmm3, %xmm0
	sqrtsd %xmm0, %xmm0
	AGAIN

LOOP convert
1:	cvtsi2sdq %rdi, %xmm0
	mulsd %xmm3, %xmm0
	comisd %xmm3, %xmm0
	jb 2f
	cvttsd2siq %xmm0, %rcx
	addq %rcx, %rax
2:	AGAIN

LOOP x87
1:	fldl (%rsi)
	fmull 8(%rdx)
	faddl 16(%rdx)
	fstpl (%rsi)
	AGAIN

LOOP x87_stack
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

/* Vectors of integers. */

LOOP simd
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

LOOP simd_bytes
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

LOOP copy
1:	movups (%rsi, %rax), %xmm0
	movups 16(%rsi, %rax), %xmm1
	movups 32(%rsi, %rax), %xmm2
	movups 48(%rsi, %rax), %xmm3
	movups %xmm0, (%rdx, %rax)
	movups %xmm1, 16(%rdx, %rax)
	movups %xmm2, 32(%rdx, %rax)
	movups %xmm3, 48(%rdx, %rax)
	addq $64, %rax
	decl %ecx
	jnz 1b

/* A system's. */

LOOP cr3
1:	movq %rdx, %cr3
	xchgl %eax, %edx
	AGAIN

LOOP invlpg
1:	invlpg (%rsi)
	addl (%rsi), %eax
	AGAIN

LOOP int
1:	int $0x40
	AGAIN
	incl %eax
	iretq

LOOP fault /* and its handler */
1:	movl (%rsi), %edx
	AGAIN
	pushq %rcx
	movq %cr2, %rcx
	incl %eax
	addq $2, 16(%rsp)
	popq %rcx
	addq $8, %rsp
	iretq

LOOP syscall
1:	syscall
	AGAIN
	swapgs
	sysretq

LOOP port
1:	inb %dx, %al
	addl %eax, %esi
	AGAIN

LOOP modified_code /* an immediate of its own */
1:	movb %al, 2f - 1(%rip)
	addb $1, %al
2:	AGAIN

LOOP end
	.section .note.GNU-stack, "", @progbits
