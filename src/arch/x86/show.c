/* arch/x86/show.c - a vCPU as monitors and the log show it: registers in QEMU's layout, registers
 * by name, the mappings of the page tables.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/sys.h"
#include "memory/address_space.h"

/* ---- segments ---- */

/* System descriptors (SDM 3A table 3-2). */
static const char *system_type(const struct x86_cpu *c, unsigned type)
{
	static const char *const legacy[16] = {
		"Reserved",   "TSS16-avl",  "LDT",       "TSS16-busy", "CallGate16", "TaskGate",
		"IntGate16",  "TrapGate16", "Reserved",  "TSS32-avl",  "Reserved",   "TSS32-busy",
		"CallGate32", "Reserved",   "IntGate32", "TrapGate32",
	};
	static const char *const in_long[16] = {
		[2] = "LDT",         [9] = "TSS64-avl",  [11] = "TSS64-busy",
		[12] = "CallGate64", [14] = "IntGate64", [15] = "TrapGate64",
	};

	if (!x86_is_long(c))
		return legacy[type];
	return in_long[type] ? in_long[type] : "Reserved";
}

static void show_segment_kind(const struct x86_cpu *c, const struct x86_seg *s, FILE *out)
{
	unsigned attr = s->attr;

	fprintf(out, " DPL=%u ", attr >> SEG_ATTR_DPL_SHIFT & 3);
	if (!(attr & SEG_ATTR_S)) {
		fputs(system_type(c, attr & SEG_ATTR_TYPE), out);
		return;
	}
	if (attr & SEG_ATTR_CODE)
		fputs(attr & SEG_ATTR_L ? "CS64" : attr & SEG_ATTR_DB ? "CS32" : "CS16", out);
	else
		fputs((attr & SEG_ATTR_DB) || x86_is_long(c) ? "DS  " : "DS16", out);
	fprintf(out, " [%c%c%c]",
		!(attr & SEG_ATTR_DC)  ? '-'
		: attr & SEG_ATTR_CODE ? 'C'
				       : 'E',
		!(attr & SEG_ATTR_RW)  ? '-'
		: attr & SEG_ATTR_CODE ? 'R'
				       : 'W',
		attr & SEG_ATTR_A ? 'A' : '-');
}

static void show_segments(const struct x86_cpu *c, FILE *out)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR" };
	int width = c->env.mode & MODE_CODE64 ? 16 : 8;

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		const struct x86_seg *s = &c->seg[i];

		fprintf(out, "%-3s=%04x %0*" PRIx64 " %08x %08x", names[i], s->sel, width, s->base,
			s->limit, (unsigned)s->attr << 8 & 0xffff00);
		if ((c->cr0 & CR0_PE) && (s->attr & SEG_ATTR_P))
			show_segment_kind(c, s, out);
		fputc('\n', out);
	}
	fprintf(out, "GDT=     %0*" PRIx64 " %08x\n", width, c->gdtr.base, c->gdtr.limit);
	fprintf(out, "IDT=     %0*" PRIx64 " %08x\n", width, c->idtr.base, c->idtr.limit);
}

/* ---- all registers ---- */

static void show_general(const struct x86_cpu *c, FILE *out)
{
	static const char names[][4] = { "AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP" };
	static const uint8_t order[] = { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP };
	bool is_64 = c->env.mode & MODE_CODE64;

	for (unsigned i = 0; i < 8; i++)
		fprintf(out, "%c%s=%0*" PRIx64 "%c", is_64 ? 'R' : 'E', names[i], is_64 ? 16 : 8,
			is_64 ? c->gpr[order[i]] : (uint32_t)c->gpr[order[i]],
			i % 4 == 3 ? '\n' : ' ');
	for (unsigned i = R8; is_64 && i <= R15; i++)
		fprintf(out, "R%-2u=%016" PRIx64 "%c", i, c->gpr[i], i % 4 == 3 ? '\n' : ' ');
}

static void show_flags(const struct x86_cpu *c, FILE *out)
{
	static const struct {
		uint32_t bit;
		char letter;
	} flags[] = { { FL_DF, 'D' }, { FL_OF, 'O' }, { FL_SF, 'S' }, { FL_ZF, 'Z' },
		      { FL_AF, 'A' }, { FL_PF, 'P' }, { FL_CF, 'C' } };
	bool is_64 = c->env.mode & MODE_CODE64;

	fprintf(out, "%cIP=%0*" PRIx64 " %cFL=%08x [", is_64 ? 'R' : 'E', is_64 ? 16 : 8, c->env.pc,
		is_64 ? 'R' : 'E', c->rflags);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		fputc(c->rflags & flags[i].bit ? flags[i].letter : '-', out);
	/* II: interrupts held back by STI or MOV SS.  A20 is always on, there is no SMM. */
	fprintf(out, "] CPL=%u II=%d A20=1 SMM=0 HLT=%d\n", x86_cpl(c),
		c->in_shadow || (c->in_sti_shadow && c->sti_next == c->env.pc), c->is_halted);
}

void x86_show(struct vcpu *v, FILE *out)
{
	const struct x86_cpu *c = v->cpu;
	int width = c->env.mode & MODE_CODE64 ? 16 : 8;

	show_general(c, out);
	show_flags(c, out);
	show_segments(c, out);
	fprintf(out, "CR0=%08" PRIx64 " CR2=%0*" PRIx64 " CR3=%0*" PRIx64 " CR4=%08" PRIx64 "\n",
		c->cr0, width, c->cr2, width, c->cr3, c->cr4);
	for (unsigned i = 0; i < 4; i++)
		fprintf(out, "DR%u=%016" PRIx64 " ", i, c->dr[i]);
	fprintf(out, "\nDR6=%016" PRIx64 " DR7=%016" PRIx64 "\n", c->dr[6], c->dr[7]);
	fprintf(out, "EFER=%016" PRIx64 "\n", c->efer);
}

static uint64_t half(const struct x86_cpu *c, unsigned reg, unsigned quad)
{
	uint64_t v;

	memcpy(&v, &c->ymm[reg][8 * quad], sizeof(v));
	return v;
}

void x86_show_vectors(struct vcpu *v, FILE *out)
{
	const struct x86_cpu *c = v->cpu;
	unsigned count = c->env.mode & MODE_CODE64 ? 16 : 8;
	bool has_avx = (c->cr4 & CR4_OSXSAVE) && (c->xcr0 & XCR0_AVX);

	fprintf(out, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", c->fcw,
		(unsigned)(c->fsw | c->ftop << 11), c->ftop, c->ftag, c->mxcsr);
	for (unsigned i = 0; i < 8; i++)
		fprintf(out, "FPR%u=%016" PRIx64 " %04x%c", i, c->fpr[i].frac, c->fpr[i].sexp,
			i % 2 ? '\n' : ' ');
	for (unsigned i = 0; i < count; i++) {
		if (has_avx)
			fprintf(out,
				"YMM%02u=%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64
				"\n",
				i, half(c, i, 3), half(c, i, 2), half(c, i, 1), half(c, i, 0));
		else
			fprintf(out, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i, half(c, i, 1),
				half(c, i, 0), i % 2 ? '\n' : ' ');
	}
}

/* ---- by name ---- */

const char *const x86_reg_names[] = {
	"rax",    "rbx", "rcx",     "rdx",     "rsi",     "rdi",     "rbp",     "rsp",     "r8",
	"r9",     "r10", "r11",     "r12",     "r13",     "r14",     "r15",     "rip",     "rflags",
	"eax",    "ebx", "ecx",     "edx",     "esi",     "edi",     "ebp",     "esp",     "eip",
	"eflags", "pc",  "sp",      "cs",      "ss",      "ds",      "es",      "fs",      "gs",
	"ldt",    "tr",  "cs.base", "ss.base", "ds.base", "es.base", "fs.base", "gs.base", "gdt",
	"idt",    "cr0", "cr2",     "cr3",     "cr4",     "efer",    "dr0",     "dr1",     "dr2",
	"dr3",    "dr6", "dr7",     NULL,
};

static bool segment_get(const struct x86_cpu *c, const char *name, uint64_t *value)
{
	static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldt", "tr" };

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(name, names[i], len))
			continue;
		if (!name[len])
			*value = c->seg[i].sel;
		else if (!strcmp(name + len, ".base"))
			*value = c->seg[i].base;
		else if (!strcmp(name + len, ".limit"))
			*value = c->seg[i].limit;
		else
			continue;
		return true;
	}
	return false;
}

static bool numbered_get(const struct x86_cpu *c, const char *name, uint64_t *value)
{
	char rest;
	unsigned n;

	if (sscanf(name, "r%2u%c", &n, &rest) == 1 && n >= 8 && n <= 15)
		*value = c->gpr[n];
	else if (sscanf(name, "dr%1u%c", &n, &rest) == 1 && n < 8 && n != 4 && n != 5)
		*value = c->dr[n];
	else
		return false;
	return true;
}

/* "eax" and "rax" are one: what people type is the whole register. */
bool x86_reg_get(struct vcpu *v, const char *name, uint64_t *value)
{
	static const char names[][3] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	const struct x86_cpu *c = v->cpu;
	const struct {
		const char *name;
		uint64_t value;
	} others[] = {
		{ "pc", x86_linear_pc(c) },
		{ "sp", c->gpr[RSP] },
		{ "eip", c->env.pc },
		{ "rip", c->env.pc },
		{ "eflags", c->rflags },
		{ "rflags", c->rflags },
		{ "cr0", c->cr0 },
		{ "cr2", c->cr2 },
		{ "cr3", c->cr3 },
		{ "cr4", c->cr4 },
		{ "efer", c->efer },
		{ "gdt", c->gdtr.base },
		{ "idt", c->idtr.base },
		{ "gdt.limit", c->gdtr.limit },
		{ "idt.limit", c->idtr.limit },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		if (!strcmp(name, others[i].name)) {
			*value = others[i].value;
			return true;
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if ((*name == 'e' || *name == 'r') && !strcmp(name + 1, names[i])) {
			*value = c->gpr[i];
			return true;
		}
	}
	return segment_get(c, name, value) || numbered_get(c, name, value);
}

/* ---- page tables (SDM 3A ch. 4) ---- */

enum { PAGES_ENTRIES_MAX = 1 << 24 }; /* looked at: tables that contain themselves have no end */
#define ENTRY_ADDR UINT64_C(0x000ffffffffff000)

struct pages {
	const struct x86_cpu *c;
	struct address_space *as;
	bool (*fn)(const struct arch_page *, void *);
	void *opaque;
	unsigned entry_size; /* bytes */
	unsigned looked_at;
	bool is_over;
};

enum { E_P = 1u << 0, E_RW = 1u << 1, E_US = 1u << 2, E_PS = 1u << 7 };

static void pages_tell(struct pages *p, gva_t va, uint64_t entry, uint64_t size, uint64_t path)
{
	static const struct {
		uint64_t bit;
		char letter;
	} bits[] = { { BIT(63), 'X' }, { BIT(8), 'G' }, { BIT(7), 'P' },
		     { BIT(6), 'D' },  { BIT(5), 'A' }, { BIT(4), 'C' },
		     { BIT(3), 'T' },  { BIT(2), 'U' }, { BIT(1), 'W' } };
	struct arch_page page = { .va = va, .size = size };

	if (x86_is_long(p->c))
		page.va = (gva_t)((int64_t)(va << 16) >> 16);
	page.pa = entry & ENTRY_ADDR & ~(size - 1);
	if (p->entry_size == 4 && size > 4 * KIB) /* PSE-36 */
		page.pa = (entry & 0xffc00000) | bits_get(entry, 13, 8) << 32;
	else if (p->entry_size == 4)
		page.pa = entry & 0xfffff000;
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		page.bits[i] = entry & bits[i].bit ? bits[i].letter : '-';
	/* In a page table bit 7 is PAT. */
	if (size == 4 * KIB)
		page.bits[2] = '-';
	page.rights[0] = path & E_US ? 'u' : '-';
	page.rights[1] = 'r';
	page.rights[2] = path & E_RW ? 'w' : '-';
	p->is_over |= !p->fn(&page, p->opaque);
}

/* The table of `level` (1: of pages) that maps from va on. */
static void pages_table(struct pages *p, gpa_t table, unsigned count, unsigned level, gva_t va,
			uint64_t path)
{
	uint8_t raw[4096];
	unsigned shift = 12 + (p->entry_size == 4 ? 10 : 9) * (level - 1);

	p->looked_at += count;
	p->is_over |= p->looked_at > PAGES_ENTRIES_MAX;
	if (!dma_read(p->as, table, raw, (uint64_t)count * p->entry_size))
		return;
	for (unsigned i = 0; i < count && !p->is_over; i++) {
		gva_t at = va + ((uint64_t)i << shift);
		uint64_t e = 0;

		memcpy(&e, raw + i * p->entry_size, p->entry_size);
		if (!(e & E_P))
			continue;
		/* A PDPTE of PAE paging has no rights and maps nothing itself. */
		if (level == 3 && p->entry_size == 8 && !x86_is_long(p->c))
			pages_table(p, e & ENTRY_ADDR, 512, 2, at, path);
		else if (level == 1 ||
			 ((e & E_PS) && level < 4 && (p->entry_size == 8 || (p->c->cr4 & CR4_PSE))))
			pages_tell(p, at, e, BIT(shift), path & e);
		else
			pages_table(p, e & (p->entry_size == 8 ? ENTRY_ADDR : 0xfffff000),
				    4096 / p->entry_size, level - 1, at, path & e);
	}
}

enum arch_pages x86_pages(struct vcpu *v, bool (*fn)(const struct arch_page *, void *),
			  void *opaque)
{
	const struct x86_cpu *c = v->cpu;
	struct pages p = { .c = c, .as = v->memory, .fn = fn, .opaque = opaque, .entry_size = 8 };

	if (!(c->cr0 & CR0_PG))
		return ARCH_PAGES_OFF;
	if (x86_is_long(c)) {
		pages_table(&p, c->cr3 & ENTRY_ADDR, 512, 4, 0, ~UINT64_C(0));
	} else if (c->cr4 & CR4_PAE) {
		pages_table(&p, c->cr3 & 0xffffffe0, 4, 3, 0, ~UINT64_C(0));
	} else {
		p.entry_size = 4;
		pages_table(&p, c->cr3 & 0xfffff000, 1024, 2, 0, ~UINT64_C(0));
	}
	return p.is_over ? ARCH_PAGES_CUT : ARCH_PAGES_ALL;
}
