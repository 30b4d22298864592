/* tests/isa/x86/oracle_choice.c - what processors do differently, and may: where the host chose
 * otherwise than Rhea, which does as AMD's do, its outcome becomes what it would have been with
 * Rhea's choice.  All else of it stays, to be compared.
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <string.h>

#include "../../unit/arch/dot_lanes.h"
#include "../../unit/base/x87_choice.h"

enum { MXCSR_DE = 2, MXCSR_UE = 0x10, MXCSR_PE = 0x20, MXCSR_FLAGS = 0x3f, MXCSR_UM = 0x800 };
enum { X87_IE = 1, X87_DE = 2, X87_UE = 0x10 }; /* in FSW, and their masks in FCW */
enum { X87_ES = 0x80, X87_B = 0x8000 };

struct choice_case {
	struct test_case *c;
	const struct x86_insn *in;
	const uint8_t *mem; /* before the instruction */
	struct cpu_image *host;
};

static bool is_memory_fault(int vector)
{
	return vector == EXC_SS || vector == EXC_GP || vector == EXC_PF;
}

/* Of two faults, it is the one that Rhea takes. */
static void adopt_fault(struct choice_case *x)
{
	x->c->host.vector = x->c->guest.vector;
	x->c->host.error = x->c->guest.error;
	x->c->host.cr2 = x->c->guest.cr2;
}

/* ---- operands ---- */

static uint64_t size_mask(unsigned size) { return size >= 8 ? UINT64_MAX : BIT(8 * size) - 1; }

static uint32_t segment_base(const struct choice_case *x, unsigned seg)
{
	const struct run_mode_info *m = mode_of(x->c);

	return seg == SEG_CS ? m->code_base : m->data_base;
}

/* Where in the scratch area size bytes at an offset in a segment lie.  False: not (all) there. */
static bool in_scratch(const struct choice_case *x, unsigned seg, uint64_t offset, unsigned size,
		       unsigned *at)
{
	uint64_t where = offset + segment_base(x, seg) - DATA_ADDR;

	*at = (unsigned)where;
	return where <= DATA_SIZE - size;
}

static uint64_t operand_offset(const struct choice_case *x)
{
	const struct x86_insn *in = x->in;
	uint64_t ea = (uint64_t)in->disp;

	if (in->base == EA_RIP)
		ea += x->c->in.rip; /* disp counts from there */
	else if (in->base != EA_NO_REG)
		ea += x->c->in.gpr[in->base];
	if (in->index != EA_NO_REG)
		ea += x->c->in.gpr[in->index] << in->scale;
	return ea & size_mask(in->asize);
}

/* That before the instruction. */
static uint64_t stack_pointer(const struct choice_case *x)
{
	const struct run_mode_info *m = mode_of(x->c);

	return x->c->in.gpr[RSP] & size_mask(m->code64 ? 8 : m->code32 ? 4 : 2);
}

/* ---- choices ---- */

/* PUSH of a segment register with an operand size of 32 bits: "either a zero-extended value is
 * pushed on the stack or the segment selector is written ... using a 16-bit move" (SDM vol. 2,
 * PUSH). */
static void push_writes_word(struct choice_case *x)
{
	unsigned at;

	if (x->in->opsize == 4 && x->c->host.vector == VECTOR_NONE &&
	    in_scratch(x, SEG_SS, stack_pointer(x) - 4, 4, &at) &&
	    !memcmp(x->c->host.mem + at + 2, x->mem + at + 2, 2))
		memset(x->c->host.mem + at + 2, 0, 2);
}

/* BOUND: below the lower bound, is the upper one, which cannot be read, looked at?  The order of
 * an instruction's reads is not told (SDM vol. 2, BOUND). */
static void bound_stops_at_lower(struct choice_case *x)
{
	struct outcome *host = &x->c->host;
	const unsigned shift = 64 - 8 * x->in->opsize;
	uint64_t lower = 0, index = x->c->in.gpr[x->in->reg];
	unsigned at;

	if (host->vector != EXC_BR || !is_memory_fault(x->c->guest.vector) ||
	    !in_scratch(x, x->in->seg, operand_offset(x), x->in->opsize, &at))
		return;
	memcpy(&lower, x->mem + at, x->in->opsize);
	if ((int64_t)(index << shift) < (int64_t)(lower << shift))
		adopt_fault(x);
}

/* F3 90 with REX.B: PAUSE (Intel) or XCHG R8, RAX (AMD); the manuals do not name it (SDM vol. 2,
 * NOP and PAUSE; APM vol. 3, NOP). */
static void pause_does_not_exchange(struct choice_case *x)
{
	const bool wide = x->in->opsize == 8;
	const uint64_t a = x->c->in.gpr[RAX], b = x->c->in.gpr[8];
	const uint64_t low = size_mask(x->in->opsize), keep = x->in->opsize == 2 ? ~low : 0;

	if (!(x->in->rex & REX_B) || x->host->gpr[RAX] != a || x->host->gpr[8] != b)
		return;
	x->host->gpr[RAX] = wide ? b : (b & low) | (a & keep);
	x->host->gpr[8] = wide ? a : (a & low) | (b & keep);
}

/* REP with 32-bit addresses in 64-bit mode, before the first iteration is done (none is wanted, or
 * it faults): are ECX, ESI and EDI, which did not change, written, so that they are zero-extended?
 */
static void rep_extends_registers(struct choice_case *x)
{
	static const uint8_t regs[] = { RCX, RSI, RDI };

	if (!mode_of(x->c)->code64 || x->in->asize != 4 ||
	    !(x->in->prefixes & (PFX_REP | PFX_REPNE)) ||
	    (uint32_t)x->host->gpr[RCX] != (uint32_t)x->c->in.gpr[RCX])
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		if (x->host->gpr[regs[i]] == (uint32_t)x->c->in.gpr[regs[i]])
			x->host->gpr[regs[i]] = x->c->in.gpr[regs[i]];
}

/* A store of 10 bytes: "some of the accesses may complete ... while another causes the operation to
 * fault" (SDM vol. 3A, 8.1.1).  Intel's store the lower 8 bytes first. */
static void store_of_ten_is_split(struct choice_case *x)
{
	struct outcome *host = &x->c->host;
	unsigned at;

	if (host->vector == EXC_PF && in_scratch(x, x->in->seg, operand_offset(x), 8, &at))
		memcpy(host->mem + at, x->mem + at, 8);
}

static struct f80 st_of(const struct cpu_image *s, unsigned i)
{
	const uint8_t *p = s->fx + FX_ST + 16 * i;

	return (struct f80){ .frac = ld64_le(p), .sexp = ld16_le(p + 8) };
}

/* A denormal that FSCALE by zero, or FPREM and FPREM1 by an infinity, pass on, underflow unmasked:
 * Intel's leave the number and tell of the operand only (SDM vol. 2 has the number itself in its
 * tables); all other tiny results underflow. */
static void passed_on_underflows(struct choice_case *x)
{
	const struct cpu_image *in = &x->c->in;
	const bool is_scale = !strcmp(x->in->row->name, "FSCALE");
	const unsigned fcw = ld16_le(in->fx + FX_FCW);
	const unsigned fsw = ld16_le(x->host->fx + FX_FSW);

	if (x->c->host.vector != VECTOR_NONE || fsw & ~fcw & (X87_IE | X87_DE))
		return; /* nothing was done */
	if ((fcw | fsw) & X87_UE || !is_tiny_passed_on(is_scale, st_of(in, 0), st_of(in, 1)) ||
	    memcmp(x->host->fx + FX_ST, in->fx + FX_ST, 10))
		return;
	st16_le(x->host->fx + FX_FSW, (uint16_t)(fsw | X87_UE | X87_ES | X87_B));
	memcpy(x->host->fx + FX_ST, x->c->guest.cpu.fx + FX_ST, 10);
}

/* CALL to where RIP cannot be: Intel's store the return address first, below a stack pointer that
 * does not move, or fault there.  (SDM vol. 2, CALL has the check first.) */
static void call_stores_first(struct choice_case *x)
{
	const unsigned size = mode_of(x->c)->code64 ? 8 : x->in->opsize;
	const uint64_t back = (x->c->in.rip + x->in->len) & size_mask(size);
	const uint64_t slot = stack_pointer(x) - size;
	struct outcome *host = &x->c->host;
	unsigned at;

	if (x->c->guest.vector != EXC_GP || x->host->gpr[RSP] != x->c->in.gpr[RSP])
		return;
	if (!in_scratch(x, SEG_SS, slot, size, &at)) {
		if (host->vector == EXC_PF && host->cr2 - slot < size)
			adopt_fault(x);
	} else if (host->vector == EXC_GP && !memcmp(host->mem + at, &back, size)) {
		memcpy(host->mem + at, x->mem + at, size);
	}
}

/* VCVTPS2PH to memory that is not there: Intel's convert first, so that MXCSR has the conversion's
 * flags already, or one of them that is unmasked faults. */
static void convert_comes_before_store(struct choice_case *x)
{
	const uint32_t before = ld32_le(x->c->in.fx + FX_MXCSR);
	const uint32_t after = ld32_le(x->host->fx + FX_MXCSR);
	struct outcome *host = &x->c->host;

	if (x->in->mod == 3 || !is_memory_fault(x->c->guest.vector) ||
	    (before | MXCSR_FLAGS) != (after | MXCSR_FLAGS) || before & ~after)
		return;
	if (host->vector == EXC_XM)
		adopt_fault(x);
	if (is_memory_fault(host->vector))
		st32_le(x->host->fx + FX_MXCSR, before);
}

/* VCVTPS2PH of a denormal that underflows, which is unmasked: the result with an exponent that is
 * not bounded is exact (SDM vol. 1, 4.9.1.5), but Intel's call it inexact. */
static void convert_of_denormal(struct choice_case *x)
{
	const uint32_t all = MXCSR_DE | MXCSR_UE | MXCSR_PE;
	const uint32_t host = ld32_le(x->host->fx + FX_MXCSR);
	const uint32_t ours = ld32_le(x->c->guest.cpu.fx + FX_MXCSR);

	if (x->c->host.vector == EXC_XM && !(host & MXCSR_UM) && (host & all) == all)
		st32_le(x->host->fx + FX_MXCSR, (host & ~MXCSR_PE) | (ours & MXCSR_PE));
}

static void convert_to_half(struct choice_case *x)
{
	convert_of_denormal(x);
	convert_comes_before_store(x);
}

static void load_register(const struct cpu_image *s, unsigned n, union vec *v)
{
	memcpy(v->u8, s->fx + FX_XMM + 16 * n, 16);
	memcpy(v->u8 + 16, s->ymm_high[n], 16);
}

static void dot_product_adds_in_lanes(struct choice_case *x)
{
	const struct x86_insn *in = x->in;
	struct dot d = { .imm = (uint8_t)in->imm,
			 .vlen = in->vlen,
			 .mxcsr = ld32_le(x->c->in.fx + FX_MXCSR),
			 .is_double = in->opcode & 1 };
	union vec result;
	unsigned at;

	if (x->c->host.vector != VECTOR_NONE)
		return;
	load_register(&x->c->in, in->is_vex ? in->vvvv : in->reg, &d.a);
	if (in->mod == 3)
		load_register(&x->c->in, in->rm, &d.b);
	else if (in_scratch(x, in->seg, operand_offset(x), in->vlen, &at))
		memcpy(&d.b, x->mem + at, in->vlen);
	else
		return;
	load_register(x->host, in->reg, &result);
	dot_adopt(&d, &result);
	memcpy(x->host->fx + FX_XMM + 16 * in->reg, result.u8, 16);
	memcpy(x->host->ymm_high[in->reg], result.u8 + 16, 16);
}

/* ---- which rows ---- */

static bool is_string(const struct x86_row *row)
{
	for (unsigned n = 0; n < 4; n++)
		if (row->ops[n].place == PLACE_X || row->ops[n].place == PLACE_Y)
			return true;
	return false;
}

/* PUSH without ModRM and immediate, of ES, CS, SS, DS, FS, GS. */
static bool is_push_segment(const struct x86_row *row)
{
	return row->map == MAP_1BYTE ? (row->opcode & 0xe7) == 0x06
				     : row->map == MAP_0F && (row->opcode & 0xf7) == 0xa0;
}

static void (*choice_of(const struct x86_row *row))(struct choice_case *)
{
	if (is_string(row))
		return rep_extends_registers;
	if (!strcmp(row->name, "PUSH") && is_push_segment(row))
		return push_writes_word;
	if (!strcmp(row->name, "CALL") && row->attrs & ROW_MODRM)
		return call_stores_first;
	if (!strcmp(row->name, "FBSTP") || (!strcmp(row->name, "FSTP") && row->opcode == 0xdb))
		return store_of_ten_is_split;
	if (!strcmp(row->name, "FSCALE") || !strncmp(row->name, "FPREM", 5))
		return passed_on_underflows;
	if (!strcmp(row->name, "BOUND"))
		return bound_stops_at_lower;
	if (!strcmp(row->name, "PAUSE"))
		return pause_does_not_exchange;
	if (!strcmp(row->name, "VCVTPS2PH"))
		return convert_to_half;
	return strstr(row->name, "DPP") ? dot_product_adds_in_lanes : NULL;
}

void choice_adopt(const struct x86_row *row, struct test_case *c, const uint8_t mem[DATA_SIZE])
{
	void (*choice)(struct choice_case *) = choice_of(row);
	struct x86_insn in;
	struct choice_case x = { .c = c, .in = &in, .mem = mem, .host = &c->host.cpu };

	if (choice && guest_decode(mode_of(c), c->code, &in))
		choice(&x);
}
