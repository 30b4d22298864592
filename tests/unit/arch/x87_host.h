/* x87_host.h - x87_test.c's comparison with the host's own FPU: every encoding of D8..DF, random
 * registers, tags, masks and rounding.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../base/x87_choice.h"

enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_MXCSR = 24, FX_ST = 32, HOST_RAX = 512 };
enum { HOST_ROUNDS = 500, MEM_BYTES = 128 };

struct host_case {
	uint8_t fx[512] __attribute__((aligned(16)));
	uint64_t rax;
	uint64_t rflags;
	uint8_t mem[MEM_BYTES];
};

static uint8_t *host_code;
static sigjmp_buf host_escape;

static void host_illegal(int sig)
{
	(void)sig;
	siglongjmp(host_escape, 1);
}

/* rdi: image and RAX after it, rsi: memory operand, rdx: flags. */
static void host_assemble(const uint8_t *insn, unsigned len)
{
	static const uint8_t before[] = { 0x48, 0x0f, 0xae, 0x0f, 0x52, 0x9d };
	static const uint8_t after[] = { 0x48, 0x89, 0x87, 0x00, 0x02, 0x00, 0x00, 0x9c,
					 0x58, 0x48, 0x0f, 0xae, 0x07, 0xdb, 0xe3, 0xc3 };
	uint8_t *p = host_code;

	memcpy(p, before, sizeof(before));
	memcpy(p + sizeof(before), insn, len);
	memcpy(p + sizeof(before) + len, after, sizeof(after));
}

/* False: the host knows no such instruction. */
static bool host_run(struct host_case *h)
{
	uint64_t (*fn)(void *, void *, uint64_t) = (uint64_t(*)(void *, void *, uint64_t))host_code;

	if (sigsetjmp(host_escape, 1)) {
		__asm__ volatile("fninit");
		return false;
	}
	h->rflags = fn(h, h->mem, h->rflags);
	return true;
}

/* ---- operands ---- */
static uint64_t random_state = 88172645463325252;

static uint64_t random_u64(void) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned random_below(unsigned n) { return (unsigned)(random_u64() >> 33) % n; }

static uint64_t random_frac(void)
{
	uint64_t r = random_u64();

	switch (random_below(4)) {
	case 0: return r >> random_below(64) << random_below(64);
	case 1: return UINT64_MAX << random_below(64);
	default: return r;
	}
}

static struct f80 random_f80(void)
{
	const uint16_t sign = random_u64() & 0x8000;
	const uint64_t top = UINT64_C(1) << 63, frac = random_frac();

	switch (random_below(16)) {
	case 0: return (struct f80){ 0, sign };
	case 1: return (struct f80){ top, sign | 0x7fff };
	case 2: return (struct f80){ frac | top, sign | 0x7fff };
	case 3: return (struct f80){ (frac | top) & ~(top >> 1), sign | 0x7fff };
	case 4: return (struct f80){ frac, sign };
	case 5: return (struct f80){ frac, (uint16_t)random_u64() };
	case 6: return (struct f80){ frac | top, sign | 0x7ffe };
	case 7: return (struct f80){ frac | top, sign | 1 };
	case 8: return (struct f80){ top, sign | 0x3fff };
	case 9: return (struct f80){ frac | top, sign | (0x3fff + random_below(70)) };
	case 10: return (struct f80){ frac | top, sign | (0x3c00 + random_below(2048)) };
	case 11: return (struct f80){ frac | top, (uint16_t)random_u64() };
	default: return (struct f80){ frac | top, sign | (0x3fff - 8 + random_below(16)) };
	}
}

static uint64_t random_memory(void)
{
	static const uint32_t exponents[] = { 0, 0xff, 0x7f, 0x80, 1, 0xfe };
	uint64_t r = random_u64();

	switch (random_below(6)) {
	case 0: return r;
	case 1: return (r & 0x807fffff) | (uint64_t)exponents[random_below(6)] << 23;
	case 2:
		return (r & UINT64_C(0x800fffffffffffff)) | (uint64_t)(random_below(2) * 0x7ff)
								    << 52;
	case 3:
		return (r & UINT64_C(0x800fffffffffffff)) | (uint64_t)(0x3ff + random_below(8))
								    << 52;
	case 4: return random_below(3) << 30 | (uint64_t)random_below(2) << 63;
	default: return r >> random_below(64);
	}
}

/* pending: with unmasked exceptions pending, too; most instructions would raise them first */
static void random_case(struct host_case *h, bool pending)
{
	static const uint8_t unmask[] = { 0x3f, 0x3f, 0x3f, 0x00 };
	unsigned fcw = 0x40 | (unmask[random_below(4)] | (random_u64() & 0x3f)) |
		       (random_u64() & 0xc00) | (random_below(2) ? 0x300 : random_u64() & 0x300);
	unsigned fsw = (random_u64() & 0x7f7f & (pending ? 0x7f7f : 0x7f40 | fcw)) |
		       (random_u64() & 0x7f00);
	uint8_t tags = random_below(3) ? 0xff : (uint8_t)random_u64();

	if (fsw & ~fcw & FP_ALL_FLAGS)
		fsw |= FSW_ES | FSW_B;
	memset(h, 0, sizeof(*h));
	if (random_below(2)) /* room for a push */
		tags &= (uint8_t) ~(1u << (((fsw >> 11) + 7) & 7));
	st16_le(h->fx + FX_FCW, (uint16_t)fcw);
	st16_le(h->fx + FX_FSW, (uint16_t)fsw);
	h->fx[FX_FTW] = tags;
	st32_le(h->fx + FX_MXCSR, 0x1f80);
	for (unsigned i = 0; i < 8; i++) {
		struct f80 v = random_f80();

		st64_le(h->fx + FX_ST + 16 * i, v.frac);
		st16_le(h->fx + FX_ST + 16 * i + 8, v.sexp);
	}
	h->rflags = 0x202 | (random_u64() & IR_FLAGS_ALL);
	for (unsigned i = 0; i < MEM_BYTES; i += 8)
		st64_le(h->mem + i, random_memory());
	if (random_below(2)) /* decimal digits */
		for (unsigned i = 0; i < 9; i++)
			h->mem[i] = (uint8_t)(random_below(10) << 4 | random_below(10));
	else if (random_below(2))
		st16_le(h->mem + 8, random_f80().sexp);
}

/* ---- the guest's side ---- */
static void guest_load(const struct host_case *h)
{
	struct x86_cpu *c = rig.c;
	uint16_t fsw = ld16_le(h->fx + FX_FSW);

	c->fcw = ld16_le(h->fx + FX_FCW);
	c->fsw = fsw & (uint16_t)~FSW_TOP;
	c->ftop = fsw >> FSW_TOP_SHIFT & 7;
	c->ftag = h->fx[FX_FTW];
	for (unsigned i = 0; i < 8; i++) {
		struct x86_f80 *r = &c->fpr[(c->ftop + i) & 7];

		r->frac = ld64_le(h->fx + FX_ST + 16 * i);
		r->sexp = ld16_le(h->fx + FX_ST + 16 * i + 8);
	}
	c->rflags = (uint32_t)h->rflags;
	c->gpr[RAX] = 0;
	c->gpr[RSI] = DATA_ADDR;
	memcpy(rig.data, h->mem, MEM_BYTES);
}

static void guest_save(struct host_case *h)
{
	const struct x86_cpu *c = rig.c;

	st16_le(h->fx + FX_FCW, c->fcw);
	st16_le(h->fx + FX_FSW, x87_status(c));
	h->fx[FX_FTW] = c->ftag;
	for (unsigned i = 0; i < 8; i++) {
		const struct x86_f80 *r = &c->fpr[(c->ftop + i) & 7];

		st64_le(h->fx + FX_ST + 16 * i, r->frac);
		st16_le(h->fx + FX_ST + 16 * i + 8, r->sexp);
	}
	h->rflags = c->rflags;
	h->rax = c->gpr[RAX];
	memcpy(h->mem, rig.data, MEM_BYTES);
}

/* ---- comparing ---- */
static void case_print(const char *name, const struct host_case *h)
{
	fprintf(stderr, "# %-6s fcw %04x fsw %04x ftw %02x ax %04x flags %03x mem", name,
		ld16_le(h->fx + FX_FCW), ld16_le(h->fx + FX_FSW), h->fx[FX_FTW],
		(unsigned)h->rax & 0xffff, (unsigned)h->rflags & IR_FLAGS_ALL);
	for (unsigned i = 0; i < 28; i++)
		fprintf(stderr, "%s%02x", i % 4 ? "" : " ", h->mem[i]);
	for (unsigned i = 0; i < 8; i++)
		fprintf(stderr, "%s%04x:%016llx", i % 4 ? " " : "\n#    ",
			ld16_le(h->fx + FX_ST + 16 * i + 8),
			(unsigned long long)ld64_le(h->fx + FX_ST + 16 * i));
	fprintf(stderr, "\n");
}

/* The environment's pointers depend on the processor's history. */
static void case_strip(struct host_case *h, const uint8_t *insn)
{
	bool is_16 = insn[0] == 0x66;

	memset(h->fx + 6, 0, FX_ST - 6);
	memset(h->fx + FX_ST + 128, 0, 512 - FX_ST - 128);
	h->fx[5] = 0;
	for (unsigned i = 0; i < 8; i++)
		memset(h->fx + FX_ST + 16 * i + 10, 0, 6);
	h->rflags &= IR_FLAGS_ALL;
	insn += is_16;
	if ((insn[0] == 0xd9 || insn[0] == 0xdd) && insn[1] == 0x36)
		memset(h->mem + (is_16 ? 6 : 12), 0, is_16 ? 8 : 16);
	if (insn[0] != 0xdf || insn[1] != 0xe0)
		h->rax = 0;
	h->rax &= 0xffff;
}

static struct f80 case_st(const struct host_case *h, unsigned i)
{
	return (struct f80){ ld64_le(h->fx + FX_ST + 16 * i), ld16_le(h->fx + FX_ST + 16 * i + 8) };
}

static bool case_masks_underflow(const struct host_case *h)
{
	return ld16_le(h->fx + FX_FCW) & FP_UNDERFLOW;
}

static unsigned scale_of(struct f80 v) { return v.sexp & 0x7fff ? v.sexp & 0x7fff : 1; }

/* Did a result underflow whose exponent was therefore adjusted? */
static bool case_wraps(const struct host_case *h)
{
	return !case_masks_underflow(h) && (ld16_le(h->fx + FX_FSW) & FP_UNDERFLOW);
}

/* Within a unit in the last place, of the larger result if they are on both sides of a power of
 * two.  *edge: one is below the least normal number, the other is not. */
static bool st_nearly_equal(const struct host_case *a, const struct host_case *b, unsigned i,
			    bool *edge)
{
	const bool is_one_wrapped = case_wraps(a) != case_wraps(b);
	struct f80 x = case_st(a, i), y = case_st(b, i);

	if (is_edge_of_tiny(x, y)) {
		*edge = true;
	} else if (is_one_wrapped) {
		struct f80 *other = case_wraps(a) ? &y : &x;

		if ((other->sexp & 0x7fff) == 1) {
			other->sexp += X87_WRAP;
			*edge |= ulp_distance(x, y) <= 2;
		}
	}
	return ulp_distance(x, y) <= (scale_of(x) == scale_of(y) ? 1 : 2);
}

/* Equal but for a unit in the last place of a result, and what it does to C1 and, at the edge, to
 * underflow. */
static bool case_nearly_equal(const struct host_case *a, const struct host_case *b)
{
	unsigned same = 0xffff & ~FSW_C1;
	bool edge = false;

	for (unsigned i = 0; i < 8; i++)
		if (!st_nearly_equal(a, b, i, &edge))
			return false;
	if (edge)
		same &= ~(FP_UNDERFLOW | (case_masks_underflow(a) ? 0 : FSW_ES | FSW_B));
	return !((ld16_le(a->fx + FX_FSW) ^ ld16_le(b->fx + FX_FSW)) & same) &&
	       a->fx[FX_FTW] == b->fx[FX_FTW] && !memcmp(a->mem, b->mem, MEM_BYTES);
}

/* A denormal that FSCALE, FPREM or FPREM1 passed on, its underflow unmasked: is the host's outcome
 * what a processor leaves that sees no underflow in it? */
static bool case_is_passed_on(const struct host_case *host, const struct host_case *guest,
			      const struct host_case *in, const uint8_t *insn)
{
	const bool is_scale = insn[1] == 0xfd;
	struct host_case other = *guest;
	uint16_t fsw = ld16_le(guest->fx + FX_FSW) & (uint16_t)~FP_UNDERFLOW;

	if (insn[0] != 0xd9 || !(is_scale || insn[1] == 0xf8 || insn[1] == 0xf5) ||
	    !case_wraps(guest) || !is_tiny_passed_on(is_scale, case_st(in, 0), case_st(in, 1)))
		return false;
	if (!(fsw & ~ld16_le(guest->fx + FX_FCW) & FP_ALL_FLAGS))
		fsw &= (uint16_t) ~(FSW_ES | FSW_B);
	st16_le(other.fx + FX_FSW, fsw);
	memcpy(other.fx + FX_ST, in->fx + FX_ST, 10);
	return !memcmp(host, &other, sizeof(other));
}

/* Operands the manual leaves undefined: F2XM1 beyond 1, FYL2XP1 beyond 1 - sqrt(2) / 2 (here:
 * 0.25). */
static bool case_is_undefined(const struct host_case *h, const uint8_t *insn)
{
	unsigned exponent = ld16_le(h->fx + FX_ST + 8) & 0x7fff;

	if (insn[0] != 0xd9 || exponent == 0x7fff)
		return false;
	if (insn[1] == 0xf0)
		return exponent >= 0x3fff;
	return insn[1] == 0xf9 && exponent >= 0x3ffd;
}

struct tally {
	unsigned encodings, cases, nearly, wrong;
};

static void host_compare(struct tally *t, const uint8_t *insn, const struct x86_row *row,
			 struct interp_block *block)
{
	bool ulp = row->attrs & ROW_ULP;
	unsigned shown = 0;

	for (unsigned n = 0; n < HOST_ROUNDS; n++) {
		struct host_case in, host, guest;

		do {
			random_case(&in, !(row->attrs & ROW_X87));
		} while (case_is_undefined(&in, insn));
		host = guest = in;
		g_assert_true(host_run(&host));
		guest_load(&in);
		g_assert_cmpint(rig_run_block(block), ==, -1);
		guest_save(&guest);
		case_strip(&host, insn);
		case_strip(&guest, insn);
		if (row->undef & FSW_C1)
			host.fx[FX_FSW + 1] ^= (host.fx[FX_FSW + 1] ^ guest.fx[FX_FSW + 1]) & 2;
		t->cases++;
		if (!memcmp(&host, &guest, sizeof(host)))
			continue;
		if (ulp && case_nearly_equal(&host, &guest)) {
			t->nearly++;
			continue;
		}
		if (case_is_passed_on(&host, &guest, &in, insn))
			continue;
		t->wrong++;
		if (shown++ < 3) {
			fprintf(stderr, "# %02x %02x %02x %s\n", insn[0], insn[1], insn[2],
				row->name);
			case_print("before", &in);
			case_print("host", &host);
			case_print("guest", &guest);
		}
	}
	if (shown)
		fprintf(stderr, "# %s: %u of %u wrong\n", row->name, shown, HOST_ROUNDS);
}
