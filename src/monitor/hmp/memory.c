/* monitor/hmp/memory.c - x, xp, print, sum, memsave, gva2gpa, and ports: i and o.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/arch.h"
#include "cpu/guest.h"
#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "monitor/hmp/impl.h"

enum { PAGE = 4096, INSN_BYTES = 16, INSN_MAX = 15, STRING_MAX = 256, SUM_PIECE = 65536 };

/* ---- where bytes come from ---- */

struct span {
	struct vcpu *v; /* NULL: physical */
	struct address_space *as;
	uint64_t addr;
	uint8_t *buf;
	size_t len, got;
};

/* By the page tables of the CPU, page by page, as far as they go. */
static void read_linear(struct vcpu *v, void *opaque)
{
	struct span *s = opaque;

	while (s->got < s->len) {
		uint64_t at = s->addr + s->got;
		size_t n = MIN(s->len - s->got, PAGE - (at & (PAGE - 1)));
		struct mmu_result r;

		if (!v->arch->walk(v, at, MMU_READ, v->arch->debug_view, false, &r) ||
		    !dma_read(v->memory, r.gpa, s->buf + s->got, n))
			return;
		s->got += n;
	}
}

/* How many bytes from addr on could be read; v NULL: of physical memory. */
static size_t read_memory(struct hmp_call *call, struct vcpu *v, uint64_t addr, void *buf,
			  size_t len)
{
	struct span s = { .v = v, .addr = addr, .buf = buf, .len = len };

	if (v) {
		hmp_on_cpu(call, v, read_linear, &s);
		return s.got;
	}
	if (dma_read(&call->env->machine->memory, addr, buf, len))
		return len;
	for (; s.got < len; s.got++)
		if (!dma_read(&call->env->machine->memory, addr + s.got, s.buf + s.got, 1))
			break;
	return s.got;
}

/* A row of values.  Of physical addresses that are a chip's its registers, as a CPU reads them. */
static bool read_row(struct hmp_call *call, struct vcpu *v, uint64_t addr, uint8_t *buf, size_t len,
		     unsigned size)
{
	bool ok = true;

	if (read_memory(call, v, addr, buf, len) == len)
		return true;
	for (size_t i = 0; !v && ok && i < len; i += size) {
		uint64_t value;

		ok = address_space_read(&call->env->machine->memory, addr + i, size, &value);
		memcpy(buf + i, &value, size);
	}
	return !v && ok;
}

/* ---- one value ---- */

static void print_char(FILE *out, uint8_t c)
{
	static const char from[] = "\n\r\\'", to[] = "nr\\'";
	const char *escape = c ? strchr(from, c) : NULL;

	if (escape)
		fprintf(out, "'\\%c'", to[escape - from]);
	else if (c >= ' ' && c < 0x7f)
		fprintf(out, "'%c'", c);
	else
		fprintf(out, "'\\x%02x'", c);
}

/* In columns, as wide as the largest of this size. */
static void print_value(FILE *out, char format, unsigned size, uint64_t v)
{
	int bits = (int)size * 8, shift = 64 - bits;

	switch (format) {
	case 'o': fprintf(out, "%#*" PRIo64, (bits + 2) / 3, v); break;
	case 'u': fprintf(out, "%*" PRIu64, (bits * 10 + 32) / 33, v); break;
	case 'd':
		fprintf(out, "%*" PRId64, (bits * 10 + 32) / 33, (int64_t)(v << shift) >> shift);
		break;
	case 'c': print_char(out, (uint8_t)v); break;
	default: fprintf(out, "0x%0*" PRIx64, (int)size * 2, v); break;
	}
}

/* ---- x, xp ---- */

static void dump_values(struct hmp_call *call, struct vcpu *v, uint64_t addr,
			const struct hmp_format *f)
{
	unsigned row = f->size == 1 ? 8 : 16, size = f->format == 'c' ? 1 : f->size;
	uint64_t len = (uint64_t)f->count * f->size;
	uint8_t buf[16];

	for (; len && hmp_has_room(call); addr += row) {
		size_t n = MIN(len, row);
		bool ok = read_row(call, v, addr, buf, n, size);

		fprintf(call->out, "%016" PRIx64 ":", addr);
		if (!ok) {
			fputs(" Cannot access memory\n", call->out);
			return;
		}
		for (size_t i = 0; i < n; i += size) {
			uint64_t value = 0;

			memcpy(&value, buf + i, size);
			fputc(' ', call->out);
			print_value(call->out, f->format, size, value);
		}
		fputc('\n', call->out);
		len -= n;
	}
}

struct insn {
	uint64_t addr;
	uint8_t bytes[INSN_BYTES];
	unsigned avail, len;
	FILE *text;
};

static void disassemble_in_vcpu(struct vcpu *v, void *opaque)
{
	struct insn *in = opaque;

	in->len = v->arch->guest->disassemble(v, in->addr, in->bytes, in->avail, in->text);
}

/* In the mode the CPU is in. */
static void print_insn(struct hmp_call *call, struct vcpu *cpu, struct insn *in)
{
	char *text = NULL;
	size_t size = 0, name;

	in->text = open_memstream(&text, &size);
	if (!in->text)
		return;
	hmp_on_cpu(call, cpu, disassemble_in_vcpu, in);
	fclose(in->text);
	if (!in->len)
		in->len = 1;
	for (unsigned i = 0; i < 8; i++) {
		if (i < in->len)
			fprintf(call->out, "%02x ", in->bytes[i]);
		else
			fputs("   ", call->out);
	}
	name = strcspn(text, " ");
	if (!*text)
		fprintf(call->out, " .byte    0x%02x\n", in->bytes[0]);
	else if (!text[name])
		fprintf(call->out, " %s\n", text);
	else
		fprintf(call->out, " %-8.*s %s\n", (int)name, text, text + name + 1);
	for (unsigned i = 8; i < in->len; i++)
		fprintf(call->out, i == 8 ? "%*s%02x" : " %02x", i == 8 ? 13 : 0,
			i == 8 ? "" : NULL, in->bytes[i]);
	if (in->len > 8)
		fputc('\n', call->out);
	free(text);
}

static void dump_insns(struct hmp_call *call, struct vcpu *v, uint64_t addr, int64_t count)
{
	struct vcpu *cpu = hmp_cpu(call);

	if (!cpu || !cpu->arch->guest || !cpu->arch->guest->disassemble) {
		fputs("No CPU available\n", call->out);
		return;
	}
	for (; count > 0 && hmp_has_room(call); count--) {
		struct insn in = { .addr = addr };

		in.avail = (unsigned)read_memory(call, v, addr, in.bytes, INSN_MAX);
		fprintf(call->out, "0x%08" PRIx64 ":  ", addr);
		if (!in.avail) {
			fputs("unable to read memory\n", call->out);
			return;
		}
		print_insn(call, cpu, &in);
		addr += in.len;
	}
}

static void dump_strings(struct hmp_call *call, struct vcpu *v, uint64_t addr, int64_t count)
{
	for (; count > 0 && hmp_has_room(call); count--) {
		uint8_t buf[STRING_MAX];
		size_t got = read_memory(call, v, addr, buf, sizeof(buf));
		size_t n = strnlen((const char *)buf, got);

		fprintf(call->out, "%016" PRIx64 ":", addr);
		if (!got) {
			fputs(" Cannot access memory\n", call->out);
			return;
		}
		fputs(" \"", call->out);
		for (size_t i = 0; i < n; i++) {
			if (buf[i] == '"' || buf[i] == '\\')
				fprintf(call->out, "\\%c", buf[i]);
			else if (isprint(buf[i]) && buf[i] < 0x7f)
				fputc(buf[i], call->out);
			else
				fprintf(call->out, "\\x%02x", buf[i]);
		}
		fputs(n == sizeof(buf) ? "\"...\n" : "\"\n", call->out);
		addr += n + (n < got);
	}
}

static void dump(struct hmp_call *call, struct vcpu *v)
{
	const struct hmp_format *f = &call->values[0].format;
	uint64_t addr = (uint64_t)call->values[1].number;

	call->state->format = *f;
	if (f->format == 'i')
		dump_insns(call, v, addr, f->count);
	else if (f->format == 's')
		dump_strings(call, v, addr, f->count);
	else
		dump_values(call, v, addr, f);
}

void hmp_x(struct hmp_call *call)
{
	struct vcpu *v = hmp_cpu(call);

	if (v)
		dump(call, v);
	else
		fputs("Can not dump without CPU\n", call->out);
}

void hmp_xp(struct hmp_call *call) { dump(call, NULL); }

/* ---- print ---- */

void hmp_print(struct hmp_call *call)
{
	uint64_t v = (uint64_t)call->values[1].number;
	char format = call->values[0].format.format;

	call->state->format.format = format;
	switch (format) {
	case 'o': fprintf(call->out, "%#" PRIo64, v); break;
	case 'u': fprintf(call->out, "%" PRIu64, v); break;
	case 'd': fprintf(call->out, "%" PRId64, (int64_t)v); break;
	case 'c': print_char(call->out, (uint8_t)v); break;
	default: fprintf(call->out, "%#" PRIx64, v); break;
	}
	fputc('\n', call->out);
}

/* ---- ports ---- */

static const struct {
	char letter;
	unsigned size;
} port_sizes[] = { { 'b', 1 }, { 'w', 2 }, { 'l', 4 } };

/* QEMU's letters are of memory (h: 2 bytes), the names it prints of ports. */
static unsigned port_row(unsigned size) { return size == 1 ? 0 : size == 2 ? 1 : 2; }

void hmp_port_in(struct hmp_call *call)
{
	unsigned row = port_row(call->values[0].format.size), size = port_sizes[row].size;
	uint16_t port = (uint16_t)call->values[1].number;
	uint64_t value;

	if (call->values[2].is_given) /* an index register and its data register */
		address_space_write(&call->env->machine->io, port++, 1,
				    (uint8_t)call->values[2].number);
	address_space_read(&call->env->machine->io, port, size, &value);
	fprintf(call->out, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", port_sizes[row].letter, port,
		(int)size * 2, value);
}

void hmp_port_out(struct hmp_call *call)
{
	unsigned size = port_sizes[port_row(call->values[0].format.size)].size;
	uint64_t value = (uint64_t)call->values[2].number & (~UINT64_C(0) >> (64 - 8 * size));

	address_space_write(&call->env->machine->io, (uint16_t)call->values[1].number, size, value);
}

/* ---- sum, files, addresses ---- */

/* The checksum of BSD's sum: rotated right, added. */
void hmp_sum(struct hmp_call *call)
{
	uint64_t addr = (uint64_t)call->values[0].number, len = (uint64_t)call->values[1].number;
	uint64_t end = addr + len, limit = 4 * GIB + call->env->machine->ram_high.size;
	g_autofree uint8_t *buf = g_malloc(SUM_PIECE);
	uint16_t sum = 0;

	if (end < addr || end > limit) {
		hmp_error(call, "memory ends at 0x%" PRIx64, limit);
		return;
	}
	while (addr < end) {
		size_t n = MIN(end - addr, SUM_PIECE);

		dma_read(&call->env->machine->memory, addr, buf, n);
		for (size_t i = 0; i < n; i++)
			sum = (uint16_t)((uint16_t)(sum >> 1 | sum << 15) + buf[i]);
		addr += n;
	}
	fprintf(call->out, "%05d\n", sum);
}

static struct json_object *save_args(struct hmp_call *call)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "val", json_object_new_uint64((uint64_t)call->values[0].number));
	json_object_object_add(o, "size", json_object_new_uint64((uint64_t)call->values[1].number));
	json_object_object_add(o, "filename", json_object_new_string(call->values[2].text));
	return o;
}

void hmp_memsave(struct hmp_call *call)
{
	struct json_object *args = save_args(call);

	json_object_object_add(args, "cpu-index", json_object_new_int64(call->state->cpu));
	hmp_qmp_done(call, "memsave", args);
}

void hmp_pmemsave(struct hmp_call *call) { hmp_qmp_done(call, "pmemsave", save_args(call)); }

struct translation {
	uint64_t addr;
	struct mmu_result r;
	bool ok;
};

static void translate_in_vcpu(struct vcpu *v, void *opaque)
{
	struct translation *t = opaque;

	t->ok = v->arch->walk(v, t->addr, MMU_READ, v->arch->debug_view, false, &t->r);
}

void hmp_gva2gpa(struct hmp_call *call)
{
	struct translation t = { .addr = (uint64_t)call->values[0].number };

	hmp_on_cpu(call, hmp_cpu(call), translate_in_vcpu, &t);
	if (t.ok)
		fprintf(call->out, "gpa: %#" PRIx64 "\n", t.r.gpa);
	else
		fputs("Unmapped\n", call->out);
}
