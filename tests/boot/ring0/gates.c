/* tests/boot/ring0/gates.c - interrupts and IRET in long mode, so often the same way that all they
 * read and write is at hand; then with one thing of it changed in memory: gates, descriptors, the
 * task's stacks, where the frame lies, what it says.  SPDX-License-Identifier: MIT */
#include "c64.h"

enum {
	CODE = 0x18,
	DATA = 0x10,
	USER_DATA = 0x2b,
	USER_CODE = 0x33,
	TASK = 0x38,
	OTHER_CODE = 0x48,
	OTHER_DATA = 0x50,
	LAST = 0x57,
};
enum {
	UD = 6,
	NP = 11,
	SS = 12,
	GP = 13,
	PF = 14,
	CALL = 0x41,
	BACK = 0x42,
	OTHER = 0x43,
	LATE = 0x40
};
enum {
	CF = 1,
	ALL_SIX = 0x8d5,
	TF = 1 << 8,
	IF = 1 << 9,
	DF = 1 << 10,
	NT = 1 << 14,
	AC = 1 << 18
};
enum { INTERRUPT_GATE = 0x8e, TRAP_GATE = 0x8f, USER_GATE = 0xee };
enum {
	GDT = FREE_RAM,
	TSS = GDT + PAGE,
	STACKS = TSS + PAGE,
	FAULT_TOP = STACKS + PAGE,
	INNER_TOP = FAULT_TOP + PAGE,
	OTHER_TOP = INNER_TOP + PAGE,
	TOP = OTHER_TOP + PAGE,
	USER_TOP = TOP + PAGE,
	FRAMES = USER_TOP + PAGE,
	END_TABLES = FRAMES + 2 * PAGE
};
enum { WARM = 50, INTERRUPT_ME = 2 };
#define CANONICAL_END (UINT64_C(1) << 47) /* the page before it is mapped */
static const uint64_t window = 0x200000;  /* two pages, mapped one by one */

static volatile uint64_t *const gdt = (volatile uint64_t *)GDT;
static volatile uint64_t *const idt = (volatile uint64_t *)0x2000;
static volatile uint64_t *const table = (volatile uint64_t *)PAGE_TABLE;

/* What the last event found, and what was there when it was over. */
static struct frame seen;
static uint64_t seen_at, seen_cr2, seen_in, events;
static bool has_interrupt;
/* An event on IST or an inner stack changes what IRET loads. */
static uint64_t new_flags, has_new_flags;
volatile uint64_t safe_rsp, flags_after, rsp_after, cs_after, ds_after, ss_after;

/* The frame that any of them leaves behind, and the ways back: landed, in ring 0 and in ring 3, and
 * recovered. */
void int_from(uint64_t rsp, uint64_t flags);
void iret_from(uint64_t rsp);
extern const char landed[], landed_user[], recovered[], called_user[];
__asm__(".macro save\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, safe_rsp\n"
	".endm\n"
	"int_from: save\n"
	"	push %rsi; popf; mov %rdi, %rsp; int $0x41\n"
	"landed: pushf; pop flags_after\n"
	"	mov %rsp, rsp_after; mov %cs, cs_after; mov %ss, ss_after; mov %ds, ds_after\n"
	"recovered: mov safe_rsp, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; cld; ret\n"
	"iret_from: save\n"
	"	mov %rdi, %rsp; iretq\n"
	"landed_user: pushf; pop flags_after\n"
	"	mov %rsp, rsp_after; mov %cs, cs_after; mov %ss, ss_after; mov %ds, ds_after\n"
	"	int $0x42\n"
	"called_user: int $0x41; int $0x42");

static uint64_t flags_now(void)
{
	uint64_t f;

	__asm__ volatile("pushf; pop %0" : "=r"(f));
	return f;
}

void guest_event(struct frame *f)
{
	seen_in = flags_now();
	seen = *f;
	seen_at = (uintptr_t)&f->rip;
	events++;
	if (f->vector == LATE) {
		has_interrupt = true;
		return;
	}
	if (f->vector == PF)
		__asm__ volatile("mov %%cr2, %0" : "=r"(seen_cr2));
	if (f->vector < 32 || f->vector == BACK) {
		f->rip = (uintptr_t)recovered;
		f->cs = CODE;
		f->ss = DATA;
		f->rsp = safe_rsp;
		f->rflags = 2;
	} else if (has_new_flags) {
		f->rflags = new_flags;
	}
}

/* ---- tables ---- */

static uint64_t stub(unsigned vector)
{
	const volatile uint64_t *g = idt + 2 * vector;

	return (g[0] & 0xffff) | (g[0] >> 32 & 0xffff0000) | g[1] << 32;
}

static void put_gate(unsigned vector, uint64_t to, unsigned type, unsigned ist)
{
	idt[2 * vector + 1] = to >> 32;
	idt[2 * vector] = (to & 0xffff) | CODE << 16 | (uint64_t)ist << 32 | (uint64_t)type << 40 |
			  (to & 0xffff0000) << 32;
}

static void put_stack(unsigned at, uint64_t rsp)
{
	*(volatile uint32_t *)(uintptr_t)(TSS + at) = (uint32_t)rsp;
	*(volatile uint32_t *)(uintptr_t)(TSS + at + 4) = (uint32_t)(rsp >> 32);
}
enum { RSP0 = 4, IST1 = 0x24, IST2 = 0x2c };

static void load_table(bool is_idt, uint64_t base, uint16_t limit)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) r = { limit, base };

	if (is_idt)
		__asm__ volatile("lidt %0" : : "m"(r));
	else
		__asm__ volatile("lgdt %0" : : "m"(r));
}

static void put_gdt(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) old;

	__asm__ volatile("sgdt %0" : "=m"(old));
	for (unsigned i = 0; i < TASK / 8; i++)
		gdt[i] = ((volatile uint64_t *)(uintptr_t)old.base)[i] |
			 (i ? UINT64_C(1) << 40 : 0);
	gdt[TASK / 8] = 0x67 | (uint64_t)(TSS & 0xffffff) << 16 | UINT64_C(0x89) << 40;
	gdt[TASK / 8 + 1] = 0;
	gdt[OTHER_CODE / 8] = gdt[CODE / 8];
	gdt[OTHER_DATA / 8] = gdt[DATA / 8];
	gdt[(LAST + 1) / 8] = gdt[CODE / 8]; /* beyond the table's end */
	load_table(false, GDT, LAST);
	__asm__ volatile("ltr %w0" : : "r"(TASK));
}

static void set_up(void)
{
	volatile uint64_t *directory = (volatile uint64_t *)(PAGE_TABLE - PAGE);

	put_gdt();
	for (unsigned i = 0; i < 0x68; i++)
		*(volatile uint8_t *)(uintptr_t)(TSS + i) = 0;
	put_stack(RSP0, INNER_TOP);
	put_stack(IST1, FAULT_TOP);
	put_stack(IST2, OTHER_TOP);
	for (unsigned v = 0; v < 32; v++) /* on a stack that is always good */
		put_gate(v, stub(v), INTERRUPT_GATE, 1);
	put_gate(CALL, stub(CALL), USER_GATE, 0);
	put_gate(BACK, stub(BACK), USER_GATE, 0);
	for (unsigned i = 0; i < 512; i++)
		table[i] = 0;
	table[0] = FRAMES + 7;
	table[1] = FRAMES + PAGE + 7;
	directory[1] = PAGE_TABLE + 7;
	for (unsigned i = 0; i < 1024; i++)
		((volatile uint64_t *)END_TABLES)[i] = 0;
	((volatile uint64_t *)END_TABLES)[511] = END_TABLES + PAGE + 7;
	((volatile uint64_t *)END_TABLES)[1023] = PAGE_TABLE + 7;
	table[511] = OTHER_TOP - PAGE + 7;
	directory[255 - 1024] = END_TABLES + 7; /* of the first table */
}

/* ---- interrupts ---- */

/* An interrupt was taken with RSP so, and came back. */
static void check_call(uint64_t rsp, uint64_t frame_top, uint64_t flags)
{
	uint64_t n = events;

	int_from(rsp, flags);
	CHECK(events == n + 1 && seen.vector == CALL && seen.rip == (uintptr_t)landed);
	CHECK(seen.cs == CODE && seen.ss == DATA && seen.rsp == rsp);
	CHECK(seen.rflags == (flags | 2) && seen_at == (frame_top & ~UINT64_C(15)) - 40);
	CHECK(rsp_after == rsp && cs_after == CODE && ss_after == DATA);
	CHECK(flags_after == ((has_new_flags ? new_flags : flags) | 2));
}

static void warm(void)
{
	for (unsigned n = 0; n < WARM; n++)
		check_call(TOP, TOP, 0);
}

/* An interrupt that faults: what the fault says. */
static void check_fault(uint64_t rsp, unsigned vector, uint64_t code)
{
	uint64_t n = events;

	int_from(rsp, 0);
	CHECK(events == n + 1 && seen.vector == vector && seen.code == code);
	CHECK(seen.rip == (uintptr_t)landed - 2 && seen.rsp == rsp && seen.cs == CODE);
}

/* The flags of these operations as an interrupt behind them finds them, and as they are after it.
 */
#define CHECK_FLAGS(operation, x, y)                                                        \
	do {                                                                                \
		uint64_t a_ = (x), want_, after_;                                           \
		__asm__ volatile("cmp $5, %0; " operation "; pushf; pop %1"                 \
				 : "+r"(a_), "=r"(want_)                                    \
				 : "r"((uint64_t)(y))                                       \
				 : "cc");                                                   \
		a_ = (x);                                                                   \
		__asm__ volatile("cmp $5, %0; " operation "; int $0x41; pushf; pop %1"      \
				 : "+r"(a_), "=r"(after_)                                   \
				 : "r"((uint64_t)(y))                                       \
				 : "cc", "memory");                                         \
		CHECK(!((seen.rflags ^ want_) & ALL_SIX) && !((after_ ^ want_) & ALL_SIX)); \
	} while (0)

static void test_flags(void)
{
	static const uint64_t values[] = {
		0, 1, 4, 5, 0x7f, 0x80000000, UINT64_MAX >> 1, UINT64_MAX
	};

	for (unsigned i = 0; i < 64; i++) {
		uint64_t x = values[i / 8], y = values[i % 8];

		CHECK_FLAGS("add %2, %0", x, y);
		CHECK_FLAGS("sub %2, %0", x, y);
		CHECK_FLAGS("cmp %2, %0", x, y);
		CHECK_FLAGS("cmp %b2, %b0", x, y);
		CHECK_FLAGS("add %w2, %w0", x, y);
		CHECK_FLAGS("inc %0", x, y);
		CHECK_FLAGS("decl %k0", x, y);
		CHECK_FLAGS("neg %0", x, y);
		CHECK_FLAGS("shl $1, %0", x, y);
		CHECK_FLAGS("adc %2, %0", x, y);
	}
	for (unsigned n = 0; n < 64; n++) { /* and what the handler makes of them */
		new_flags = 2 | (n & 1 ? ALL_SIX : 0) | (n & 2 ? DF : 0) | (n & 4 ? AC : 0);
		has_new_flags = true;
		check_call(TOP, TOP, (n & 8 ? ALL_SIX : 0) | (n & 16 ? DF : 0) | (n & 32 ? AC : 0));
		has_new_flags = false;
	}
}

static void test_gates(void)
{
	uint64_t to = stub(CALL);

	for (unsigned n = 0; n < WARM; n++) { /* by turns */
		put_gate(CALL, n & 1 ? stub(OTHER) : to, INTERRUPT_GATE, 0);
		int_from(TOP, 0);
		CHECK(seen.vector == (n & 1 ? OTHER : CALL));
	}
	for (unsigned n = 0; n < WARM; n++) {
		put_gate(CALL, to, n & 1 ? TRAP_GATE : INTERRUPT_GATE, n % 3 ? 2 : 0);
		check_call(TOP - 8 * (n % 4), n % 3 ? OTHER_TOP : TOP - 8 * (n % 4),
			   n & 2 ? IF : 0);
		CHECK((seen_in & (IF | TF | NT)) == ((n & 3) == 3 ? IF : 0));
		put_stack(IST2, OTHER_TOP - 16 * (n & 1));
		put_gate(CALL, to, INTERRUPT_GATE, 2);
		check_call(TOP, OTHER_TOP - 16 * (n & 1), 0);
		put_stack(IST2, OTHER_TOP);
		put_gate(CALL, to, INTERRUPT_GATE, 0);
		warm();
	}
	put_gate(CALL, to, 0x0e, 0);
	check_fault(TOP, NP, CALL * 8 + 2);
	put_gate(CALL, to, 0x9e, 0);
	check_fault(TOP, GP, CALL * 8 + 2);
	put_gate(CALL, to, 0x8c, 0);
	check_fault(TOP, GP, CALL * 8 + 2);
	put_gate(CALL, CANONICAL_END, INTERRUPT_GATE, 0);
	check_fault(TOP, GP, 0);
	put_gate(CALL, to, INTERRUPT_GATE, 2);
	for (unsigned n = 0; n < 3; n++) {
		put_stack(IST2, CANONICAL_END - 16);
		check_call(TOP, CANONICAL_END - 16, 0);
	}
	put_stack(IST2, CANONICAL_END);
	check_fault(TOP, SS, 0);
	put_stack(IST2, OTHER_TOP);
	put_gate(CALL, to, INTERRUPT_GATE, 0);
	warm();
	load_table(true, 0x2000, CALL * 16 + 14);
	check_fault(TOP, GP, CALL * 8 + 2);
	load_table(true, 0x2000, 0xfff);
	put_gate(CALL, to, USER_GATE, 0);
}

static void gate_through(uint64_t selector)
{
	idt[2 * CALL] = (idt[2 * CALL] & ~UINT64_C(0xffff0000)) | selector << 16;
}

/* The handler's code segment is another one in memory than it was. */
static void test_descriptors(void)
{
	const uint64_t good = gdt[CODE / 8], accessed = UINT64_C(1) << 40;
	const uint64_t present = UINT64_C(1) << 47, is_long = UINT64_C(1) << 53;
	volatile uint64_t *other = gdt + OTHER_CODE / 8;

	gate_through(OTHER_CODE);
	int_from(TOP, 0);
	CHECK(seen.vector == CALL && cs_after == CODE);
	for (unsigned n = 0; n < 3; n++) {
		*other = good & ~accessed;
		int_from(TOP, 0);
		CHECK(seen.vector == CALL && *other == good);
	}
	*other = good & ~present;
	check_fault(TOP, NP, OTHER_CODE);
	*other = good & ~is_long;
	check_fault(TOP, GP, OTHER_CODE);
	*other = good | UINT64_C(1) << 54; /* D */
	check_fault(TOP, GP, OTHER_CODE);
	*other = gdt[USER_CODE / 8];
	check_fault(TOP, GP, OTHER_CODE);
	*other = gdt[DATA / 8];
	check_fault(TOP, GP, OTHER_CODE);
	*other = good;
	gate_through(0);
	check_fault(TOP, GP, 0);
	gate_through(4); /* there is no LDT */
	check_fault(TOP, GP, 4);
	gate_through(LAST + 1);
	check_fault(TOP, GP, LAST + 1);
	gate_through(CODE);
	warm();
}

/* Frames on two pages, and on pages that cannot be written or are not there. */
static void test_stacks(void)
{
	const uint64_t high = window + PAGE;

	for (unsigned n = 0; n < WARM; n++)
		for (unsigned words = 0; words < 8; words++)
			check_call(high + 16 * words, high + 16 * words, 0);
	table[0] = FRAMES + 5; /* read-only, also to the kernel */
	invalidate(window);
	check_fault(high, PF, 3);
	CHECK(seen_cr2 >= high - 40 && seen_cr2 < high);
	check_fault(high + 16, PF, 3);
	CHECK(seen_cr2 >= high - 40 && seen_cr2 < high);
	table[0] = 0;
	invalidate(window);
	check_fault(high + 32, PF, 2);
	CHECK(seen_cr2 >= high - 8 && seen_cr2 < high);
	table[0] = FRAMES + 7;
	check_call(high, high, 0);
	CHECK((table[0] & 0x60) == 0x60);
}

/* ---- IRET ---- */

static uint64_t put_frame(uint64_t rip, uint64_t cs, uint64_t flags, uint64_t rsp, uint64_t ss)
{
	volatile uint64_t *f = (volatile uint64_t *)(uintptr_t)(TOP - 64);

	f[0] = rip;
	f[1] = cs;
	f[2] = flags;
	f[3] = rsp;
	f[4] = ss;
	return TOP - 64;
}

static void check_iret_fault(uint64_t at, unsigned vector, uint64_t code)
{
	uint64_t n = events;

	iret_from(at);
	CHECK(events == n + 1 && seen.vector == vector && seen.code == code && seen.rsp == at);
	CHECK(seen.cs == CODE);
}

static void check_iret(uint64_t cs, uint64_t flags, uint64_t rsp, uint64_t ss)
{
	uint64_t n = events;

	iret_from(put_frame((uintptr_t)landed, cs, flags, rsp, ss));
	CHECK(events == n && cs_after == cs && rsp_after == rsp && ss_after == ss);
	CHECK(flags_after == (flags | 2));
}

static void test_iret(void)
{
	const uint64_t accessed = UINT64_C(1) << 40, present = UINT64_C(1) << 47;
	const uint64_t code = gdt[CODE / 8], data = gdt[DATA / 8];
	volatile uint64_t *other = gdt + OTHER_CODE / 8, *other_data = gdt + OTHER_DATA / 8;
	uint64_t to = (uintptr_t)landed;

	for (unsigned n = 0; n < WARM; n++) {
		check_iret(CODE, n & 1 ? ALL_SIX : DF, OTHER_TOP - 8 * (n % 5), DATA);
		check_iret(OTHER_CODE, n & 1 ? AC : 0, TOP, n & 2 ? OTHER_DATA : 0);
	}
	for (unsigned n = 0; n < 4; n++) {
		*other = code & ~(n & 1 ? accessed : 0);
		*other_data = data & ~(n & 2 ? accessed : 0);
		check_iret(OTHER_CODE, 0, TOP, OTHER_DATA);
		CHECK(*other == code && *other_data == data);
	}
	check_iret(CODE, 0, TOP, DATA);
	*other = code & ~present;
	check_iret_fault(put_frame(to, OTHER_CODE, 2, TOP, DATA), NP, OTHER_CODE);
	*other = gdt[USER_CODE / 8];
	check_iret_fault(put_frame(to, OTHER_CODE, 2, TOP, DATA), GP, OTHER_CODE);
	*other = data;
	check_iret_fault(put_frame(to, OTHER_CODE, 2, TOP, DATA), GP, OTHER_CODE);
	*other = code;
	*other_data = data & ~present;
	check_iret_fault(put_frame(to, CODE, 2, TOP, OTHER_DATA), SS, OTHER_DATA);
	*other_data = data & ~(UINT64_C(1) << 41); /* read-only */
	check_iret_fault(put_frame(to, CODE, 2, TOP, OTHER_DATA), GP, OTHER_DATA);
	*other_data = gdt[USER_DATA / 8];
	check_iret_fault(put_frame(to, CODE, 2, TOP, OTHER_DATA), GP, OTHER_DATA);
	*other_data = data;
	check_iret_fault(put_frame(to, CODE, 2, TOP, OTHER_DATA + 3), GP, OTHER_DATA);
	check_iret_fault(put_frame(to, CODE, 2, TOP, CODE), GP, CODE);
	check_iret_fault(put_frame(to, 0, 2, TOP, DATA), GP, 0);
	check_iret_fault(put_frame(to, LAST + 1, 2, TOP, DATA), GP, LAST + 1);
	check_iret_fault(put_frame(to, CODE, 2, TOP, 3), GP, 0);
	check_iret_fault(put_frame((uintptr_t)landed_user, USER_CODE, 2, USER_TOP, 0), GP, 0);
	check_iret_fault(put_frame((uintptr_t)landed_user, USER_CODE, 2, USER_TOP, 3), GP, 0);
	check_iret_fault(put_frame(CANONICAL_END, CODE, 2, TOP, DATA), GP, 0);
	for (unsigned n = 0; n < 5; n++) { /* on two pages */
		uint64_t at = window + PAGE - 8 * n;
		volatile uint64_t *f = (volatile uint64_t *)(uintptr_t)at;

		f[0] = to, f[1] = CODE, f[2] = 2, f[3] = TOP, f[4] = DATA;
		iret_from(at);
		CHECK(rsp_after == TOP && cs_after == CODE);
		table[1] = 0;
		invalidate(window + PAGE);
		check_iret_fault(at, PF, 0);
		CHECK(seen_cr2 >= window + PAGE && seen_cr2 < window + PAGE + 40);
		table[1] = FRAMES + PAGE + 7;
	}
}

/* What IRET lets in, or waits for. */
static void test_iret_flags(void)
{
	uint64_t n;

	iret_from(put_frame((uintptr_t)landed, CODE, TF | 2, TOP, DATA));
	CHECK(seen.vector == 1 && seen.rflags & TF);
	port_out8(INPUT_PORT, INTERRUPT_ME);
	for (n = 0; n < WARM; n++)
		check_iret(CODE, 0, TOP, DATA);
	CHECK(!has_interrupt);
	n = events;
	iret_from(put_frame((uintptr_t)landed, CODE, IF | 2, TOP, DATA));
	CHECK(has_interrupt && events == n + 1 && seen.vector == LATE);
	CHECK(seen.rip == (uintptr_t)landed && seen.rflags & IF && seen.rsp == TOP);
	__asm__ volatile("cli");
	__asm__ volatile("push %0; popf" : : "r"((uint64_t)NT) : "cc");
	__asm__ volatile("" : : : "memory");
	check_iret_fault(put_frame((uintptr_t)landed, CODE, 2, TOP, DATA), GP, 0);
	CHECK(seen.rflags & NT && !(flags_now() & NT));
}

/* ---- ring 3 ---- */

static void check_user(uint64_t flags, uint64_t inner)
{
	iret_from(put_frame((uintptr_t)landed_user, USER_CODE, flags, USER_TOP, USER_DATA));
	CHECK(seen.vector == BACK && seen.cs == USER_CODE && seen.ss == USER_DATA);
	CHECK(seen.rsp == USER_TOP && seen_at == inner - 40);
	CHECK(flags_after == ((flags & ~(uint64_t)0) | 2) && cs_after == USER_CODE);
}

static void test_user(void)
{
	const uint64_t good = gdt[USER_CODE / 8];

	for (unsigned n = 0; n < WARM; n++) {
		uint16_t ds = n % 3 == 0 ? DATA : n % 3 == 1 ? USER_DATA : 0;

		put_stack(RSP0, INNER_TOP - 32 * (n & 1));
		__asm__ volatile("mov %0, %%ds" : : "r"(ds));
		check_user(n & 2 ? ALL_SIX : DF, INNER_TOP - 32 * (n & 1));
		CHECK(ds_after == (n % 3 == 1 ? USER_DATA : 0));
	}
	__asm__ volatile("mov %0, %%ds" : : "r"(DATA));
	put_stack(RSP0, INNER_TOP);
	for (unsigned n = 0; n < WARM; n++) {
		iret_from(put_frame((uintptr_t)called_user, USER_CODE, 2, USER_TOP, USER_DATA));
		CHECK(seen.vector == BACK && seen.rip == (uintptr_t)called_user + 4);
	}
	put_gate(CALL, stub(CALL), INTERRUPT_GATE, 0); /* the kernel's alone */
	iret_from(put_frame((uintptr_t)called_user, USER_CODE, 2, USER_TOP, USER_DATA));
	CHECK(seen.vector == GP && seen.code == CALL * 8 + 2 && seen.cs == USER_CODE);
	put_gate(CALL, stub(CALL), USER_GATE, 0);
	gdt[USER_CODE / 8] = good & ~(UINT64_C(1) << 40);
	check_user(2, INNER_TOP);
	CHECK(gdt[USER_CODE / 8] == good);
}

void guest_run(unsigned id)
{
	(void)id;
	set_up();
	warm();
	test_flags();
	test_gates();
	test_descriptors();
	test_stacks();
	test_iret();
	test_iret_flags();
	test_user();
	guest_end(0);
}
