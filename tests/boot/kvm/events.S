/* tests/boot/kvm/events.S - guests of kvm_events.c: real mode, AX says which one.
 * Port 701h byte: the end.  702h byte: the guest waits for interrupts.  600h: how many came.
 * SPDX-License-Identifier: MIT */
#define COUNT 0x600
#define VECTOR(n, handler)            \
	movw $handler, 4 * (n);       \
	movw $0, 4 * (n) + 2
#define PORT_OUT(port, v) movb $(v), %al; outb %al, $(port)

	.code16
	.globl start
start:
	cli
	xorw %bx, %bx
	movw %bx, %ds
	movw %bx, %ss
	movw $0x7000, %sp
	movw %bx, COUNT
	movb %al, %bl
	cmpb $0, %bl
	je doorbells
	cmpb $1, %bl
	je lines
	cmpb $2, %bl
	je levels
	cmpb $3, %bl
	je messages
	cmpb $4, %bl
	je ticks
	cmpb $5, %bl
	je batch
halt:	cli
	hlt
	jmp halt

done:	movw $0x701, %dx
	outb %al, %dx
	jmp halt

/* Ones that match, and ones that do not. */
doorbells:
	movw $0x700, %dx
	movb $1, %al
	outb %al, %dx
	movb $2, %al
	outb %al, %dx
	movw $0xd000, %ax
	movw %ax, %es
	movb $7, %es:4
	movw $0x1234, %es:8
	movw $0x1235, %es:8
	movb $0x34, %es:8
	jmp done

/* Stores that may wait, ports and memory in turns, and one that may not. */
batch:
	movw $0xd000, %ax
	movw %ax, %es
	movw $0x710, %dx
	movb $1, %es:0x10
	movb $2, %al
	outb %al, %dx
	movb $3, %es:0x11
	movb $4, %es:0x12
	movw $0x700, %dx
	movb $5, %al
	outb %al, %dx
	movb $6, %es:0x10
	movb $7, %es:0x11
	movw $0x702, %dx
	outb %al, %dx
	movb $8, %es:0x10
1:	jmp 1b

start_pics:
	PORT_OUT(0x20, 0x11)
	PORT_OUT(0x21, 0x20)
	PORT_OUT(0x21, 4)
	PORT_OUT(0x21, 1)
	PORT_OUT(0xa0, 0x11)
	PORT_OUT(0xa1, 0x28)
	PORT_OUT(0xa1, 2)
	PORT_OUT(0xa1, 1)
	PORT_OUT(0xa1, 0xff)
	ret

on_line:
	pushw %ax
	incw COUNT
	PORT_OUT(0x20, 0x20)
	popw %ax
	iretw

on_message:
	incw COUNT
	iretw

/* Wait for CX interrupts. */
wait:	movw $0x702, %dx
	outb %al, %dx
1:	cli
	cmpw %cx, COUNT
	jae done
	sti
	hlt
	jmp 1b

levels:
	movw $0x4d0, %dx
	movb $0x20, %al
	outb %al, %dx
lines:
	call start_pics
	PORT_OUT(0x21, 0xdf)
	VECTOR(0x25, on_line)
	movw $2, %cx
	jmp wait

messages:
	VECTOR(0x45, on_message)
	VECTOR(0x65, on_message)
	movw $2, %cx
	jmp wait

/* The 8254, 1 ms. */
ticks:
	call start_pics
	PORT_OUT(0x21, 0xfe)
	VECTOR(0x20, on_line)
	PORT_OUT(0x43, 0x34)
	PORT_OUT(0x40, 0xa9)
	PORT_OUT(0x40, 0x04)
	movw $20, %cx
	jmp wait
