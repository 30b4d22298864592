/* tests/boot/board/chips.S - a kernel of our own for the whole program: PVH entry, four processors,
 * timers, interrupts and messages between processors; prints a line for each thing that worked.
 * Leaves by isa-debug-exit at F4h: 0 = passed, else what failed is the line printed last.
 * With "triple" as its command line it ends in a triple fault.
 * SPDX-License-Identifier: MIT */
#include "../pvh.inc"

#define CPUS 4
#define CODE 0x08
#define DATA 0x10
#define APIC 0xfee00000
#define EOI (APIC + 0xb0)
#define ICR_LOW (APIC + 0x300)
#define ICR_HIGH (APIC + 0x310)
#define IOAPIC 0xfec00000
#define VEC_PIC 0x20
#define VEC_TIMER 0x40
#define VEC_PIN 0x50
#define VEC_IPI 0x60
#define VEC_SELF 0x61
#define PAGE_AP 0x8000
#define PORT_OUT(port, v) movb $(v), %al; outb %al, $(port)
#define PIN(n, low)                  \
	movl $(0x11 + 2 * (n)), IOAPIC; \
	movl $0, IOAPIC + 0x10;      \
	movl $(0x10 + 2 * (n)), IOAPIC; \
	movl $(low), IOAPIC + 0x10
/* HLT until a counter is at least n. */
#define SLEEP_TILL(counter, n)       \
	91: cli;                     \
	cmpl $(n), counter;          \
	jae 92f;                     \
	sti;                         \
	hlt;                         \
	jmp 91b;                     \
	92: sti
#define SPIN_TILL(counter, n)        \
	91: pause;                   \
	cmpl $(n), counter;          \
	jb 91b
#define SAY(text)                    \
	movl $94f, %esi;             \
	call print;                  \
	jmp 95f;                     \
	94: .asciz text;             \
	95:
#define CHECK(jcc, text)             \
	jcc 96f;                     \
	SAY("failed: " text "\n");   \
	movb $1, %al;                \
	jmp leave_with;              \
	96:
#define VECTOR(n, handler)           \
	movl $handler, %eax;         \
	movw %ax, idt + 8 * (n);     \
	movw $CODE, idt + 8 * (n) + 2; \
	movw $0x8e00, idt + 8 * (n) + 4; \
	shrl $16, %eax;              \
	movw %ax, idt + 8 * (n) + 6

	PVH_NOTE

	.text
	.code32
	.globl start
start:
	cli
	movl %ebx, info
	PVH_SEGMENTS(CODE, DATA, stacks + 4096)
	movl info, %ebx
	movl 24(%ebx), %esi /* the command line */
	cmpl $0x70697274, (%esi)
	je triple
	lidt idtr
	VECTOR(2, on_nmi)
	VECTOR(VEC_PIC, on_pic)
	VECTOR(VEC_PIC + 7, on_spurious)
	VECTOR(VEC_PIC + 13, on_ferr)
	VECTOR(VEC_TIMER, on_timer)
	VECTOR(VEC_PIN, on_pin)
	VECTOR(VEC_PIN + 1, on_rtc)
	VECTOR(VEC_IPI, on_ipi)
	VECTOR(VEC_SELF, on_self)
	VECTOR(0xff, on_spurious)
	movl $0x1ff, APIC + 0xf0

	/* the 8254 through the 8259 and LINT0 as ExtINT */
	movl $0x700, APIC + 0x350
	PORT_OUT(0x20, 0x11)
	PORT_OUT(0x21, VEC_PIC)
	PORT_OUT(0x21, 4)
	PORT_OUT(0x21, 1)
	PORT_OUT(0xa0, 0x11)
	PORT_OUT(0xa1, VEC_PIC + 8)
	PORT_OUT(0xa1, 2)
	PORT_OUT(0xa1, 1)
	PORT_OUT(0x21, 0xfe)
	PORT_OUT(0xa1, 0xff)
	PORT_OUT(0x43, 0x34)
	PORT_OUT(0x40, 0xa9)
	PORT_OUT(0x40, 0x04) /* 1 kHz */
	SLEEP_TILL(pic_count, 5)
	PORT_OUT(0x21, 0xff)
	SAY("8254 by 8259\n")

	/* the same timer through the I/O APIC's pin 2 */
	PIN(2, VEC_PIN)
	SLEEP_TILL(pin_count, 5)
	PIN(2, 0x10000)
	PORT_OUT(0x43, 0x30) /* one shot, stopped until a count is written */
	SAY("8254 by I/O APIC\n")

	/* the clock's periodic interrupt: level of the line, edge at the pin; read C to go on */
	PIN(8, VEC_PIN + 1)
	PORT_OUT(0x70, 0x0a)
	PORT_OUT(0x71, 0x26)
	PORT_OUT(0x70, 0x0b)
	PORT_OUT(0x71, 0x42)
	PORT_OUT(0x70, 0x0c)
	inb $0x71, %al
	SLEEP_TILL(rtc_count, 8)
	PIN(8, 0x10000)
	SAY("clock by I/O APIC\n")

	/* x87 errors as on a PC: FERR, line 13, the slave 8259 */
	PORT_OUT(0x21, 0xfb)
	PORT_OUT(0xa1, 0xdf)
	movl %cr0, %eax
	andl $~0x2c, %eax /* NE, TS, EM off */
	movl %eax, %cr0
	fninit
	fldcw control
	fld1
	fldz
	fdivrp
	sti
	fwait
	SPIN_TILL(ferr_count, 1)
	cli
	PORT_OUT(0x21, 0xff)
	PORT_OUT(0xa1, 0xff)
	fninit
	cmpl $1, ferr_count
	CHECK(je, "FERR once")
	SAY("x87 error by line 13\n")

	/* the local APIC's timer: one shot, periodic, deadline */
	movl $0, timer_count
	movl $0xb, APIC + 0x3e0
	movl $VEC_TIMER, APIC + 0x320
	movl $100000, APIC + 0x380
	SLEEP_TILL(timer_count, 1)
	movl APIC + 0x390, %eax
	testl %eax, %eax
	CHECK(jz, "count is 0")
	SAY("APIC timer, once\n")
	movl $0, timer_count
	movl $(0x20000 | VEC_TIMER), APIC + 0x320
	movl $100000, APIC + 0x380
	SLEEP_TILL(timer_count, 5)
	movl $0x10000, APIC + 0x320
	SAY("APIC timer, periodic\n")
	movl $1, %eax
	xorl %ecx, %ecx
	cpuid
	btl $24, %ecx
	CHECK(jc, "TSC deadline announced")
	cli
	movl $0, timer_count
	movl $(0x40000 | VEC_TIMER), APIC + 0x320
	rdtsc
	addl $2000000, %eax
	adcl $0, %edx
	movl %eax, deadline
	movl %edx, deadline + 4
	movl $0x6e0, %ecx
	wrmsr
	SLEEP_TILL(timer_count, 1)
	rdtsc
	subl deadline, %eax
	sbbl deadline + 4, %edx
	CHECK(jns, "not before the deadline")
	movl $0x6e0, %ecx
	rdmsr
	orl %edx, %eax
	CHECK(jz, "deadline disarmed")
	SAY("TSC deadline\n")

	/* the other processors: INIT, start-up */
	movl $trampoline, %esi
	movl $PAGE_AP, %edi
	movl $(trampoline_end - trampoline), %ecx
	rep movsb
	movl $0xc4500, ICR_LOW
	movl $(0xc4600 | (PAGE_AP >> 12)), ICR_LOW
	SPIN_TILL(up_count, CPUS - 1)
	SAY("start-up\n")
	/* fixed to all but self; they sleep */
	movl $(0xc4000 | VEC_IPI), ICR_LOW
	SPIN_TILL(ipi_count, CPUS - 1)
	/* all with self; one by its id, physical; two by their logical ids */
	movl $(0x84000 | VEC_IPI), ICR_LOW
	SPIN_TILL(ipi_count, 2 * CPUS - 1)
	movl $0x02000000, ICR_HIGH
	movl $(0x4000 | VEC_IPI), ICR_LOW
	SPIN_TILL(ipi_count, 2 * CPUS)
	movl $0x0a000000, ICR_HIGH
	movl $(0x4800 | VEC_IPI), ICR_LOW
	SPIN_TILL(ipi_count, 2 * CPUS + 2)
	SAY("IPIs\n")
	/* NMIs reach those that sleep with interrupts off */
	movl $1, be_deaf
	movl $(0xc4000 | VEC_IPI), ICR_LOW
	SPIN_TILL(deaf_count, CPUS - 1)
	movl $0xc4400, ICR_LOW
	SPIN_TILL(nmi_count, CPUS - 1)
	SAY("NMIs\n")
	/* to itself, held back by the task priority, then let through */
	movl $0x70, APIC + 0x80
	movl $(0x44000 | VEC_SELF), ICR_LOW
	movl $1000, %ecx
1:	loop 1b
	cmpl $0, self_count
	CHECK(je, "task priority holds")
	movl $0, APIC + 0x80
	SPIN_TILL(self_count, 1)
	SAY("self, task priority\n")
	xorl %eax, %eax
leave_with:
	outb %al, $0xf4
	cli
	hlt

triple:	SAY("triple fault\n")
	lidt no_idt
	ud2

print:	lodsb
	testb %al, %al
	jz 2f
	movb %al, %bl
	movw $0x3fd, %dx
1:	inb %dx, %al
	testb $0x20, %al
	jz 1b
	movw $0x3f8, %dx
	movb %bl, %al
	outb %al, %dx
	jmp print
2:	ret

on_pic:	incl pic_count
	pushl %eax
	PORT_OUT(0x20, 0x20)
	popl %eax
	iretl
on_pin:	incl pin_count
	movl $0, EOI
	iretl
on_rtc:	incl rtc_count
	pushl %eax
	PORT_OUT(0x70, 0x0c)
	inb $0x71, %al
	popl %eax
	movl $0, EOI
	iretl
on_ferr: incl ferr_count
	fnclex
	pushl %eax
	PORT_OUT(0xa0, 0x20)
	PORT_OUT(0x20, 0x20)
	popl %eax
	iretl
on_timer: incl timer_count
	movl $0, EOI
	iretl
on_ipi:	lock incl ipi_count
	movl $0, EOI
	iretl
on_self: incl self_count
	movl $0, EOI
	iretl
on_nmi:	lock incl nmi_count
on_spurious:
	iretl

	/* The others: real mode at 0800:0000, copied there. */
	.code16
trampoline:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl trampoline_gdtr - trampoline + PAGE_AP
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE, $others
trampoline_gdtr:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:
	.code32
others:	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $1, %ecx
	lock xaddl %ecx, next_stack
	shll $12, %ecx
	leal stacks + 0x2000(%ecx), %esp
	lidt idtr
	movl $0x1ff, APIC + 0xf0
	movl APIC + 0x20, %ecx
	shrl $24, %ecx
	movl $0x01000000, %eax
	shll %cl, %eax
	movl %eax, APIC + 0xd0
	lock incl up_count
1:	sti
	hlt
	cmpl $0, be_deaf
	je 1b
	cli
	lock incl deaf_count
2:	hlt
	jmp 2b

	.data
	.balign 8
info:	.long 0
pic_count: .long 0
pin_count: .long 0
rtc_count: .long 0
ferr_count: .long 0
timer_count: .long 0
ipi_count: .long 0
self_count: .long 0
nmi_count: .long 0
up_count: .long 0
deaf_count: .long 0
be_deaf: .long 0
next_stack: .long 0
deadline: .long 0, 0
control: .word 0x37b
	.balign 8
gdtr:	.word gdt_end - gdt - 1
	.long gdt
no_idt:	.word 0
	.long 0
idtr:	.word 0x7ff
	.long idt
	.balign 8
gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_end:
	.bss
	.balign 4096
idt:	.skip 2048
	.balign 4096
stacks:	.skip 4096 * 5
