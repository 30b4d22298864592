/* arch/x86/disasm.c - decoded instructions as text, in the manual's notation (destination first).
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "arch/x86/decode.h"
#include "arch/x86/state.h"

struct text {
	char *out;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	if (t->len >= t->size)
		return;
	va_start(ap, format);
	n = vsnprintf(t->out + t->len, t->size - t->len, format, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n;
}

static const char *const seg_names[] = { "es", "cs", "ss", "ds", "fs", "gs", "?", "?" };

static void put_gpr(struct text *t, const struct x86_insn *in, unsigned size, unsigned r)
{
	static const char *const names[] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	static const char *const low[] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
	static const char *const high[] = { "ah", "ch", "dh", "bh" };
	const char *suffix = size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "";

	if (r >= 8)
		put(t, "r%u%s", r, suffix);
	else if (size == 1)
		put(t, "%s", r >= 4 && !in->rex && !in->is_vex ? high[r - 4] : low[r]);
	else
		put(t, "%s%s", size == 8 ? "r" : size == 4 ? "e" : "", names[r]);
}

static void put_size(struct text *t, unsigned size)
{
	static const struct {
		unsigned size;
		const char *name;
	} names[] = { { 1, "byte" },  { 2, "word" },   { 4, "dword" },    { 6, "fword" },
		      { 8, "qword" }, { 10, "tbyte" }, { 16, "xmmword" }, { 32, "ymmword" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].size == size)
			put(t, "%s ptr ", names[i].name);
}

static void put_signed(struct text *t, int64_t v, bool after_register)
{
	if (v < 0 && after_register)
		put(t, "-0x%" PRIx64, 0 - (uint64_t)v);
	else if (v || !after_register)
		put(t, "%s0x%" PRIx64, after_register ? "+" : "", (uint64_t)v);
}

static void put_modrm_memory(struct text *t, const struct x86_insn *in, uint64_t pc)
{
	uint64_t mask = in->asize == 8 ? UINT64_MAX : in->asize == 4 ? UINT32_MAX : 0xffff;
	bool any = false;

	if (in->prefixes & PFX_SEG)
		put(t, "%s:", seg_names[in->seg]);
	put(t, "[");
	if (in->base == EA_RIP) {
		put(t, "0x%" PRIx64 "]", (pc + (uint64_t)in->disp) & mask);
		return;
	}
	if (in->base != EA_NO_REG) {
		put_gpr(t, in, in->asize, in->base);
		any = true;
	}
	if (in->index != EA_NO_REG) {
		put(t, any ? "+" : "");
		put_gpr(t, in, in->asize, in->index);
		if (in->asize > 2)
			put(t, "*%u", 1u << in->scale);
		any = true;
	}
	put_signed(t, any ? in->disp : (int64_t)((uint64_t)in->disp & mask), any);
	put(t, "]");
}

static void put_memory(struct text *t, const struct x86_insn *in, unsigned n, uint64_t pc)
{
	const struct x86_operand *o = x86_operand(in, n);
	uint64_t mask = in->asize == 8 ? UINT64_MAX : in->asize == 4 ? UINT32_MAX : 0xffff;

	put_size(t, x86_operand_size(in, n));
	switch (o->place) {
	case PLACE_X:
		put(t, "%s:[", seg_names[in->seg]);
		put_gpr(t, in, in->asize, RSI);
		put(t, "]");
		break;
	case PLACE_Y:
		put(t, "es:[");
		put_gpr(t, in, in->asize, RDI);
		put(t, "]");
		break;
	case PLACE_O: put(t, "%s:[0x%" PRIx64 "]", seg_names[in->seg], in->imm & mask); break;
	default: put_modrm_memory(t, in, pc); break;
	}
}

static void put_immediate(struct text *t, const struct x86_insn *in, unsigned n)
{
	uint64_t v = in->imm;

	for (unsigned i = 0; i < n; i++)
		if (x86_operand(in, i)->place == PLACE_I)
			v = in->imm2;
	if ((int64_t)v < 0 && (int64_t)v >= -0x80)
		put(t, "-0x%" PRIx64, 0 - v);
	else
		put(t, "0x%" PRIx64, v);
}

static void put_vector(struct text *t, unsigned width, unsigned r)
{
	put(t, "%cmm%u", width == 32 ? 'y' : 'x', r);
}

static void put_register(struct text *t, const struct x86_insn *in, unsigned n)
{
	const struct x86_operand *o = x86_operand(in, n);
	unsigned size = x86_width_size(in, o->width);

	switch (o->place) {
	case PLACE_G: put_gpr(t, in, size, in->reg); break;
	case PLACE_B: put_gpr(t, in, size, in->vvvv); break;
	case PLACE_E:
	case PLACE_R: put_gpr(t, in, size, in->rm); break;
	case PLACE_Z: put_gpr(t, in, size, (in->opcode & 7) | (in->rex & REX_B ? 8 : 0)); break;
	case PLACE_FIX: put_gpr(t, in, size, o->fixed); break;
	case PLACE_C: put(t, "cr%u", in->reg); break;
	case PLACE_D: put(t, "dr%u", in->reg); break;
	case PLACE_S: put(t, "%s", seg_names[in->reg & 7]); break;
	case PLACE_FIXS: put(t, "%s", seg_names[o->fixed]); break;
	case PLACE_P: put(t, "mm%u", in->reg & 7); break;
	case PLACE_N:
	case PLACE_Q: put(t, "mm%u", in->rm & 7); break;
	case PLACE_V: put_vector(t, size, in->reg); break;
	case PLACE_H: put_vector(t, size, in->vvvv); break;
	case PLACE_L: put_vector(t, size, in->imm >> 4 & 15); break;
	case PLACE_U:
	case PLACE_W: put_vector(t, size, in->rm); break;
	case PLACE_FIXV: put_vector(t, size, o->fixed); break;
	case PLACE_ST: put(t, "st(%u)", o->fixed); break;
	case PLACE_STI: put(t, "st(%u)", in->modrm & 7); break;
	case PLACE_ONE: put(t, "1"); break;
	}
}

static void put_operand(struct text *t, const struct x86_insn *in, unsigned n, uint64_t pc)
{
	uint64_t mask = in->opsize == 8 ? UINT64_MAX : in->opsize == 4 ? UINT32_MAX : 0xffff;

	if (x86_operand_is_mem(in, n)) {
		put_memory(t, in, n, pc);
		return;
	}
	switch (x86_operand(in, n)->place) {
	case PLACE_I: put_immediate(t, in, n); break;
	case PLACE_J: put(t, "0x%" PRIx64, (pc + in->len + in->imm) & mask); break;
	case PLACE_A:
		put(t, "0x%" PRIx64 ":0x%" PRIx64, in->imm2 & 0xffff, in->imm & UINT32_MAX);
		break;
	default: put_register(t, in, n); break;
	}
}

static void put_prefixes(struct text *t, const struct x86_insn *in)
{
	bool takes_rep = false;

	for (unsigned n = 0; n < 2; n++) {
		uint8_t place = x86_operand(in, n)->place;

		takes_rep |= place == PLACE_X || place == PLACE_Y;
	}
	if (in->prefixes & PFX_LOCK)
		put(t, "lock ");
	if (takes_rep && in->prefixes & PFX_REP)
		put(t, "rep ");
	if (takes_rep && in->prefixes & PFX_REPNE)
		put(t, "repne ");
}

void x86_disasm(const struct x86_insn *in, uint64_t pc, char *out, size_t size)
{
	struct text t = { .out = out, .size = size };

	if (size)
		out[0] = 0;
	put_prefixes(&t, in);
	for (const char *c = in->row->name; *c; c++)
		put(&t, "%c", tolower((unsigned char)*c));
	for (unsigned n = 0; n < 4 && in->row->ops[n].place; n++) {
		put(&t, n ? ", " : " ");
		put_operand(&t, in, n, pc);
	}
}
