/* tests/fuzz/x86_exec_fuzz.c - arbitrary code on a small PC: one vCPU under tcg, 64 KiB of RAM,
 * chips.
 *
 * Input: mode (1 byte, see enum mode), CR0 bits (1), CR4 bits (2), RFLAGS (2), number of patches
 * (1); patches of ten bytes: address (2), value (8), put into the tables or anywhere else in RAM;
 * the rest is code at 8000h.  It runs for a bounded number of instructions, again after each HLT
 * while timers wake it.
 * SPDX-License-Identifier: MIT */
#include "bare_pc.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "cpu/accel.h"
#include "cpu/guest.h"
#include "event/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum mode { REAL, PROT16, PROT32, PAGED_0, PAGED_3, PAE_0, LONG_0, LONG_3, COMPAT_3, VM86, MODES };
/* Where things are. */
enum {
	GDT = 0x1000,
	IDT = 0x2000,
	TSS = 0x3000,
	PML4 = 0x4000,
	PDPT = 0x5000,
	PD = 0x6000,
	PT = 0x7000,
	CODE = 0x8000,
	PD32 = 0xa000,
	PT32 = 0xb000,
	PAE_PDPT = 0xc000,
	PAE_PD3 = 0xd000,
	HANDLER = 0xe000,
	HANDLER_CODE = 0xe020, /* for exceptions with an error code */
	STACK = 0xf800,
};
enum {
	SEL_CODE32 = 0x08,
	SEL_DATA = 0x10,
	SEL_CODE64 = 0x18,
	SEL_USER32 = 0x23,
	SEL_USER_DATA = 0x2b,
	SEL_USER64 = 0x33,
	SEL_CODE16 = 0x38,
	SEL_DATA16 = 0x40,
	SEL_TSS = 0x48, /* 16 bytes */
	SEL_CALL_GATE = 0x58,
	SEL_TASK_GATE = 0x68,
	SEL_TSS2 = 0x70,
	SEL_LDT = 0x80,
};
enum {
	HEADER = 7,
	PATCH = 10,
	CODE_MAX = 0x800,
	ROUNDS = 200,
	HALTS = 6,
	HALT_NS = 3 * 1000 * 1000,
	PATIENCE_NS = 100 * 1000 * 1000
};

struct machine_state {
	uint8_t mode, cr0, patches;
	uint16_t cr4, rflags;
};

static struct bare_pc pc;
static struct vcpu vcpu;
static unsigned rounds;
static bool is_over;               /* this run: said so; asked again on the way out */
static struct guest_ops guest_ops; /* x86's, but for how long it runs */
static struct arch_ops arch_ops;
static struct accel *accel;
static sem_t done;

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* ---- the machine ---- */

/* Asked before each run of blocks: here the budget ends.  The exit request ends the run at the next
 * backward or indirect jump.  Context: vcpu thread. */
static bool count_round(struct vcpu *v)
{
	bool is_halted = x86_arch_ops.guest->is_halted(v);

	if (!is_halted && rounds) {
		rounds--;
		atomic_fetch_or(v->exit_request, VCPU_EXIT_INPUT);
		return false;
	}
	if (!is_over) {
		is_over = true;
		vcpu_pause(v);
		sem_post(&done);
	}
	return true;
}

static void set_ferr(struct vcpu *v, bool level)
{
	(void)v;
	bare_pc_set_line(&pc, 13, level);
}

static void setup(void)
{
	struct err err = { 0 };
	const struct accel_ops *ops = accel_find(accel_list, "tcg", &err);

	bare_init(&pc.b);
	sem_init(&done, 0, 0);
	guest_ops = *x86_arch_ops.guest;
	guest_ops.is_halted = count_round;
	arch_ops = x86_arch_ops;
	arch_ops.guest = &guest_ops;
	accel = container_of(object_new(ops->type), struct accel, obj);
	accel->ops = ops;
	check(ops->start(accel, &err));
	vcpu.memory = &pc.b.mem;
	vcpu.io = &pc.b.io;
	vcpu.clock = pc.b.clock;
	vcpu.accel = accel;
	vcpu.on_ferr = set_ferr;
	vcpu_init(&vcpu, 0, &arch_ops, NULL);
	vcpu.cpu = arch_ops.cpu_new(&vcpu, "max", &err);
	check(vcpu.cpu && ops->vcpu_attach(accel, &vcpu, &err));
	bare_pc_add_chips(&pc, &vcpu, 1);
	check(vcpu_start_thread(&vcpu, &err));
	vcpu_pause(&vcpu);
}

/* ---- its memory ---- */

static void poke(uint16_t addr, uint64_t value, unsigned bytes)
{
	uint8_t le[8];

	st64_le(le, value);
	dma_write(&pc.b.mem, addr, le, MIN(bytes, (unsigned)BARE_RAM_SIZE - addr));
}

static void write_gdt(void)
{
	static const uint64_t gdt[] = {
		0,
		0x00cf9a000000ffff,
		0x00cf92000000ffff,
		0x00af9a000000ffff,
		0x00cffa000000ffff,
		0x00cff2000000ffff,
		0x00affa000000ffff,
		0x00009a000000ffff,
		0x000092000000ffff,
		0x0000890030000fff, /* TSS, with room for an I/O map */
		0,
		0x0000ec020008e000, /* call gate */
		0,
		0x0000e50000700000, /* task gate */
		0x0000890090000067, /* second TSS */
		0,
		0x0000820011000fff, /* LDT */
		0,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(gdt); i++)
		poke((uint16_t)(GDT + 8 * i), gdt[i], 8);
	for (unsigned i = 0; i < 16; i++)
		poke((uint16_t)(0x1100 + 8 * i), gdt[i % 8], 8);
}

static bool has_code(unsigned vector)
{
	return vector == 8 || vector == 17 || (vector >= 10 && vector <= 14);
}

static void write_idt(uint8_t mode)
{
	bool is_long = mode >= LONG_0 && mode <= COMPAT_3;

	for (unsigned i = 0; i < 256; i++) {
		uint64_t to = has_code(i) ? HANDLER_CODE : HANDLER;
		uint64_t type = i & 1 ? 0xee00 : 0xef00;
		uint64_t sel = is_long ? SEL_CODE64 : mode == PROT16 ? SEL_CODE16 : SEL_CODE32;
		uint64_t gate = to | sel << 16 | (i == 8 && !is_long ? 0xe500 : type) << 32;

		if (mode == REAL || mode == VM86)
			poke((uint16_t)(4 * i), HANDLER, 4);
		if (i == 8 && !is_long)
			gate = (gate & ~UINT64_C(0xffff0000)) | SEL_TSS2 << 16;
		if (is_long && i < 128)
			poke((uint16_t)(IDT + 16 * i), gate | (i & 3 ? 0 : UINT64_C(1) << 32), 8);
		else if (!is_long)
			poke((uint16_t)(IDT + 8 * i), gate, 8);
	}
}

/* Handlers that go on behind the first byte of what faulted. */
static void write_handlers(uint8_t mode)
{
	static const uint8_t h16[] = { 0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf };
	static const uint8_t h32[] = { 0x55, 0x89, 0xe5, 0xff, 0x45, 0x04, 0x5d, 0xcf };
	static const uint8_t h32_code[] = { 0x55, 0x89, 0xe5, 0xff, 0x45, 0x08,
					    0x5d, 0x83, 0xc4, 0x04, 0xcf };
	static const uint8_t h64[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff,
				       0x45, 0x08, 0x5d, 0x48, 0xcf };
	static const uint8_t h64_code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff, 0x45, 0x10,
					    0x5d, 0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf };

	if (mode == REAL || mode == VM86 || mode == PROT16) {
		dma_write(&pc.b.mem, HANDLER, h16, sizeof(h16));
		dma_write(&pc.b.mem, HANDLER_CODE, h32_code, sizeof(h32_code));
	} else if (mode >= LONG_0 && mode <= COMPAT_3) {
		dma_write(&pc.b.mem, HANDLER, h64, sizeof(h64));
		dma_write(&pc.b.mem, HANDLER_CODE, h64_code, sizeof(h64_code));
	} else {
		dma_write(&pc.b.mem, HANDLER, h32, sizeof(h32));
		dma_write(&pc.b.mem, HANDLER_CODE, h32_code, sizeof(h32_code));
	}
	if (mode == VM86)
		dma_write(&pc.b.mem, HANDLER, h32, sizeof(h32));
}

static void write_tables(uint8_t mode)
{
	write_gdt();
	write_idt(mode);
	write_handlers(mode);
	if (mode >= LONG_0 && mode <= COMPAT_3) {
		for (unsigned i = 0; i < 9; i++)
			poke((uint16_t)(TSS + 4 + 12 * 0 + 8 * i), 0xf000 - 0x80 * i, 8);
	} else {
		poke(TSS + 4, (uint64_t)SEL_DATA << 32 | 0xf000, 8);
		poke(0x9000 + 0x1c, PD32, 4);
		poke(0x9000 + 0x20, HANDLER, 4);
		poke(0x9000 + 0x24, FL_ONE, 4);
		poke(0x9000 + 0x38, 0xe800, 4);
		poke(0x9000 + 0x60, 0, 8);
		for (unsigned i = 0; i < 6; i++)
			poke((uint16_t)(0x9000 + 0x48 + 4 * i), i == 1 ? SEL_CODE32 : SEL_DATA, 4);
	}
	poke(TSS + 0x66, 0x68, 2);
	/* RAM by 4 KiB pages, its top also at 2 MiB and the rest of 32 bits by large ones. */
	poke(PML4, PDPT | 7, 8);
	poke(PML4 + 0xff8, PML4 | 3, 8);
	poke(PDPT, PD | 7, 8);
	for (unsigned i = 1; i < 4; i++)
		poke((uint16_t)(PDPT + 8 * i), (uint64_t)i << 30 | 0x87, 8);
	poke(PD, PT | 7, 8);
	poke(PD + 8, 0x87, 8);
	poke(PD32, PT32 | 7, 4);
	for (unsigned i = 1; i < 1024; i++)
		poke((uint16_t)(PD32 + 4 * i), (uint64_t)i << 22 | 0x87, 4);
	poke(PAE_PDPT, PD | 1, 8);
	poke(PAE_PDPT + 24, PAE_PD3 | 1, 8);
	poke(PAE_PD3 + 8 * 0x1f6, 0xfec00087, 8);
	poke(PAE_PD3 + 8 * 0x1f7, 0xfee00087, 8);
	for (unsigned i = 0; i < 16; i++) {
		poke((uint16_t)(PT + 8 * i), i << 12 | 7, 8);
		poke((uint16_t)(PT32 + 4 * i), i << 12 | 7, 4);
	}
}

/* ---- its processor ---- */

static void fill_segment(struct x86_cpu *c, struct x86_seg *s, uint16_t sel)
{
	struct x86_desc d;

	check(x86_desc_read(c, sel, EXC_GP, 0, &d));
	x86_seg_fill(s, sel, &d);
}

static void set_segments(struct x86_cpu *c, const struct x86_seg *cs, const struct x86_seg *data)
{
	for (unsigned i = 0; i <= SEG_GS; i++)
		c->seg[i] = i == SEG_CS ? *cs : *data;
	x86_mode_update(c);
}

static void set_registers(struct x86_cpu *c)
{
	c->env.pc = CODE;
	c->gpr[RAX] = 0x0f0f0f0ff0f0f0f0;
	c->gpr[RBX] = 0x9000;
	c->gpr[RCX] = 0x10;
	c->gpr[RDX] = 0x3f8;
	c->gpr[RSP] = STACK;
	c->gpr[RBP] = 0x200ff8; /* RAM's twin: no RAM behind its first 64 KiB */
	c->gpr[RSI] = PT;
	c->gpr[RDI] = 0xfff0;
	c->gpr[R8] = 0xfee00000;
	c->gpr[R9] = 0xfec00000;
	c->gpr[R10] = GDT;
	c->gpr[R11] = 0x1302;
	c->gpr[R12] = 0x800000000000;
	c->gpr[R13] = 0xfffffffffffffff8;
	c->gpr[R14] = IDT;
	c->gpr[R15] = TSS;
}

static void enter_paging(struct x86_cpu *c, const struct machine_state *s)
{
	bool is_long = s->mode >= LONG_0 && s->mode <= COMPAT_3;
	uint64_t cr4 = s->cr4 & 0x30b9f, v;

	if (is_long || s->mode == PAE_0)
		cr4 |= CR4_PAE;
	else
		cr4 &= ~(uint64_t)CR4_PAE;
	cr4 |= CR4_PSE;
	v = is_long ? PML4 : s->mode == PAE_0 ? PAE_PDPT : PD32;
	check(x86_cr_write(c, 3, v));
	/* The highest bits are for features that not every mode takes. */
	cr4 |= (uint64_t)(s->cr4 >> 14 & 3) << 20;
	cr4 &= ~(uint64_t)CR4_PCIDE;
	if (!x86_cr_write(c, 4, cr4 | (s->cr4 & 0x2000 ? CR4_OSXSAVE : 0)))
		check(x86_cr_write(c, 4, is_long || s->mode == PAE_0 ? CR4_PAE : CR4_PSE));
	c->env.fault = 0;
	check(x86_msr_write(c, 0xc0000080, is_long ? 0x901 : 0x801));
	if (s->mode >= PAGED_0)
		check(x86_cr_write(c, 0, c->cr0 | CR0_PG | CR0_PE));
	if (s->cr4 & 0x2000 && c->cr4 & CR4_OSXSAVE)
		check(x86_xsetbv(c, 0, 7));
}

static void enter_protected(struct x86_cpu *c, const struct machine_state *s)
{
	static const struct {
		uint16_t code, data;
	} selectors[MODES] = {
		[PROT16] = { SEL_CODE16, SEL_DATA16 },
		[PROT32] = { SEL_CODE32, SEL_DATA },
		[PAGED_0] = { SEL_CODE32, SEL_DATA },
		[PAGED_3] = { SEL_USER32, SEL_USER_DATA },
		[PAE_0] = { SEL_CODE32, SEL_DATA },
		[LONG_0] = { SEL_CODE64, SEL_DATA },
		[LONG_3] = { SEL_USER64, SEL_USER_DATA },
		[COMPAT_3] = { SEL_USER32, SEL_USER_DATA },
		[VM86] = { SEL_CODE32, SEL_DATA },
	};
	struct x86_seg code, data, first_code, first_data;

	c->gdtr = (struct x86_table){ GDT, 0x8f };
	c->idtr = (struct x86_table){ IDT,
				      s->mode >= LONG_0 && s->mode <= COMPAT_3 ? 0xfff : 0x7ff };
	c->cr0 = CR0_PE | CR0_ET;
	x86_mode_update(c);
	fill_segment(c, &first_code, SEL_CODE32);
	fill_segment(c, &first_data, SEL_DATA);
	fill_segment(c, &code, selectors[s->mode].code);
	fill_segment(c, &data, selectors[s->mode].data);
	fill_segment(c, &c->seg[SEG_TR], SEL_TSS);
	c->seg[SEG_TR].attr |= 2; /* busy */
	set_segments(c, &first_code, &first_data);
	enter_paging(c, s);
	set_segments(c, &code, &data);
	if (s->mode == VM86)
		for (unsigned i = 0; i <= SEG_GS; i++)
			x86_seg_fill_vm86(&c->seg[i], 0);
}

/* Context: vcpu thread. */
static void start_cpu(struct vcpu *v, void *opaque)
{
	const struct machine_state *s = opaque;
	struct x86_cpu *c = v->cpu;

	x86_reset(c);
	if (s->mode == REAL) {
		c->idtr = (struct x86_table){ 0, 0x3ff };
		x86_seg_fill_real(&c->seg[SEG_CS], 0);
	} else {
		enter_protected(c, s);
	}
	c->cr0 |= (s->cr0 & 1 ? CR0_WP : 0) | (s->cr0 & 2 ? CR0_AM : 0) |
		  (s->cr0 & 4 ? CR0_NE : 0) | (s->cr0 & 8 ? CR0_TS : 0) |
		  (s->cr0 & 16 ? CR0_MP : 0) | (s->cr0 & 32 ? CR0_EM : 0);
	c->rflags = (s->rflags & 0x7fd5) | FL_ONE | (s->cr0 & 64 ? FL_AC : 0) |
		    (s->mode == VM86 ? FL_VM : 0);
	c->msr_star = (uint64_t)SEL_USER32 << 48 | (uint64_t)SEL_CODE64 << 32;
	c->msr_lstar = c->msr_cstar = HANDLER;
	c->msr_sysenter_cs = SEL_CODE32;
	c->msr_sysenter_esp = STACK;
	c->msr_sysenter_eip = HANDLER;
	c->env.fault = 0;
	set_registers(c);
	x86_mode_update(c);
	x86_tlb_flush(c, false);
}

/* The mode word must follow from the registers, whatever happened. */
static void check_state(struct vcpu *v, void *opaque)
{
	struct x86_cpu *c = v->cpu;
	uint64_t mode = c->env.mode;

	(void)opaque;
	x86_mode_update(c);
	check(c->env.mode == mode || c->is_shut_down);
	check(c->rflags & FL_ONE && c->ftop < 8);
	check((c->cr0 & (CR0_PG | CR0_PE)) != CR0_PG);
	check(x86_is_long(c) == ((c->cr0 & CR0_PG) && (c->efer & EFER_LME)));
	check(x86_is_long(c) || c->env.pc <= UINT32_MAX);
}

/* A vCPU that is asked to leave right behind a HLT goes to sleep without count_round(): then it has
 * nothing to say.  Parked on return, and nothing is left to wait for. */
static void wait_for_end(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (sem_timedwait(&done, &until) != 0 && errno == EINTR)
		;
	vcpu_pause(&vcpu);
	while (sem_trywait(&done) == 0)
		;
}

static void run(void)
{
	rounds = ROUNDS;
	for (unsigned i = 0; i < HALTS && rounds; i++) {
		is_over = false;
		vcpu_resume(&vcpu);
		wait_for_end();
		bare_advance(&pc.b, HALT_NS, 0);
		if (!x86_has_work(&vcpu))
			break;
	}
	vcpu_run_sync(&vcpu, check_state, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t hlts[BARE_RAM_SIZE];
	struct machine_state s = { 0 };

	if (!pc.device_count)
		setup();
	if (size < HEADER)
		return 0;
	s.mode = data[0] % MODES;
	s.cr0 = data[1];
	s.cr4 = ld16_le(data + 2);
	s.rflags = ld16_le(data + 4);
	s.patches = data[6] & 15;
	data += HEADER;
	size -= HEADER;
	memset(hlts, 0xf4, sizeof(hlts)); /* also: no present page */
	dma_write(&pc.b.mem, 0, hlts, sizeof(hlts));
	write_tables(s.mode);
	bare_pc_reset(&pc);
	atomic_store(&vcpu.inputs, 0);
	vcpu_run_sync(&vcpu, start_cpu, &s);
	for (; s.patches && size >= PATCH; s.patches--, data += PATCH, size -= PATCH)
		poke(ld16_le(data), ld64_le(data + 2), 8);
	dma_write(&pc.b.mem, CODE, data, size < CODE_MAX ? size : CODE_MAX);
	run();
	return 0;
}
