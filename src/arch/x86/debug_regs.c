/* arch/x86/debug_regs.c - registers as gdb knows them, and the description that says so (the gdb
 * manual, "Standard Target Features", "i386 Features").
 *
 * One session has one architecture, as gdb will have it: that of the CPU model, x86-64 where it has
 * long mode.  Outside 64-bit code general registers and RIP read as their lower halves and R8-R15
 * as 0.  The segment registers' bases are registers of their own; RIP is an offset in CS.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/sys.h"
#include "arch/x86/x87.h"
#include "cpu/debug.h"

enum { MSR_EFER = 0xc0000080u };

enum kind { GPR, PC, FLAGS, SEGMENT, ST, X87, XMM, MXCSR, BASE, SYSTEM, YMM_HIGH };

/* In the order of gdb's numbers. */
static const struct group {
	enum kind kind;
	uint8_t count_64, count_32;
	const char *feature;
	const char *type;
	uint8_t bits;             /* 0: of the architecture's word */
	enum x86_feature only_if; /* X86_FEAT_COUNT: always */
	const char *const *names; /* NULL: prefix and number */
	const char *prefix, *suffix;
} groups[] = {
#define CORE "org.gnu.gdb.i386.core"
#define SSE  "org.gnu.gdb.i386.sse"
#define NAMES(...) \
	(const char *const[]) { __VA_ARGS__ }
#define ALWAYS X86_FEAT_COUNT
	{ GPR, 16, 8, CORE, NULL, 0, ALWAYS, NULL, NULL, NULL },
	{ PC, 1, 1, CORE, "code_ptr", 0, ALWAYS, NULL, NULL, NULL },
	{ FLAGS, 1, 1, CORE, "eflags", 32, ALWAYS, NAMES("eflags"), NULL, NULL },
	{ SEGMENT, 6, 6, CORE, "int32", 32, ALWAYS, NAMES("cs", "ss", "ds", "es", "fs", "gs"), NULL,
	  NULL },
	{ ST, 8, 8, CORE, "i387_ext", 80, ALWAYS, NULL, "st", "" },
	{ X87, 8, 8, CORE, "int", 32, ALWAYS,
	  NAMES("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"), NULL, NULL },
	{ XMM, 16, 8, SSE, "vec128", 128, X86_FEAT_SSE, NULL, "xmm", "" },
	{ MXCSR, 1, 1, SSE, "mxcsr", 32, X86_FEAT_SSE, NAMES("mxcsr"), NULL, NULL },
	{ BASE, 2, 0, "org.gnu.gdb.i386.segments", "int64", 64, ALWAYS, NAMES("fs_base", "gs_base"),
	  NULL, NULL },
	{ YMM_HIGH, 16, 8, "org.gnu.gdb.i386.avx", "uint128", 128, X86_FEAT_AVX, NULL, "ymm", "h" },
	{ SYSTEM, 7, 6, "org.rhea.gdb.i386.system", "int64", 64, ALWAYS,
	  NAMES("cr0", "cr2", "cr3", "cr4", "cr8", "efer", "k_gs_base"), NULL, NULL },
#undef CORE
#undef SSE
#undef NAMES
#undef ALWAYS
};

/* gdb's order of the general registers. */
static const uint8_t gpr_at[16] = { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP,
				    R8,  R9,  R10, R11, R12, R13, R14, R15 };
static const uint8_t gpr_at_32[8] = { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
static const char *const gpr_names[16] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
					   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const gpr_names_32[8] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"
};
static const uint8_t segment_at[6] = { SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };

static bool has_long(const struct x86_cpu *c) { return x86_has(c, X86_FEAT_LM); }

static unsigned group_count(const struct x86_cpu *c, const struct group *g)
{
	if (g->only_if != X86_FEAT_COUNT && !x86_has(c, g->only_if))
		return 0;
	return has_long(c) ? g->count_64 : g->count_32;
}

static unsigned group_bits(const struct x86_cpu *c, const struct group *g)
{
	return g->bits ? g->bits : has_long(c) ? 64 : 32;
}

/* ---- the description ---- */

static const char xml_flags[] =
	"<flags id=\"eflags\" size=\"4\">"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
	"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
	"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
	"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
	"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
	"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
	"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
	"<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char xml_sse[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" "
	"type=\"uint128\"/></union>"
	"<flags id=\"mxcsr\" size=\"4\">"
	"<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
	"<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
	"<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
	"<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
	"<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
	"<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
	"<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
	"</flags>";

static void append_name(GString *xml, const struct x86_cpu *c, const struct group *g, unsigned n)
{
	if (g->kind == GPR)
		g_string_append(xml, has_long(c) ? gpr_names[n] : gpr_names_32[n]);
	else if (g->kind == PC)
		g_string_append(xml, has_long(c) ? "rip" : "eip");
	else if (g->names)
		g_string_append(xml, g->names[n]);
	else
		g_string_append_printf(xml, "%s%u%s", g->prefix, n, g->suffix);
}

static const char *type_of(const struct x86_cpu *c, const struct group *g, unsigned n)
{
	if (g->kind != GPR)
		return g->type;
	/* Stack and frame pointers. */
	if (has_long(c))
		return n == 6 || n == 7 ? "data_ptr" : "int64";
	return n == 4 || n == 5 ? "data_ptr" : "int32";
}

static void append_group(GString *xml, const struct x86_cpu *c, const struct group *g)
{
	if (g->kind == GPR)
		g_string_append(xml, xml_flags);
	if (g->kind == XMM)
		g_string_append(xml, xml_sse);
	for (unsigned n = 0; n < group_count(c, g); n++) {
		g_string_append(xml, "<reg name=\"");
		append_name(xml, c, g, n);
		g_string_append_printf(xml, "\" bitsize=\"%u\" type=\"%s\"", group_bits(c, g),
				       type_of(c, g, n));
		if (g->kind == X87)
			g_string_append(xml, " group=\"float\"");
		if (g->kind == SYSTEM || g->kind == BASE)
			g_string_append(xml, " group=\"system\"");
		g_string_append(xml, "/>");
	}
}

static char *debug_xml(const struct vcpu *v, const char *annex)
{
	const struct x86_cpu *c = v->cpu;
	const char *open = NULL;
	GString *xml;

	if (strcmp(annex, "target.xml"))
		return NULL;
	xml = g_string_new("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
			   "<target version=\"1.0\">");
	g_string_append_printf(xml, "<architecture>%s</architecture>",
			       has_long(c) ? "i386:x86-64" : "i386");
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!group_count(c, &groups[i]))
			continue;
		if (!open || strcmp(open, groups[i].feature))
			g_string_append_printf(xml, "%s<feature name=\"%s\">",
					       open ? "</feature>" : "", groups[i].feature);
		open = groups[i].feature;
		append_group(xml, c, &groups[i]);
	}
	g_string_append(xml, "</feature></target>");
	return g_string_free(xml, FALSE);
}

/* ---- numbers ---- */

static unsigned debug_reg_count(const struct vcpu *v)
{
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		count += group_count(v->cpu, &groups[i]);
	return count;
}

/* Register n is number *n of the group, or NULL. */
static const struct group *find_group(const struct x86_cpu *c, unsigned *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (*n < group_count(c, &groups[i]))
			return &groups[i];
		*n -= group_count(c, &groups[i]);
	}
	return NULL;
}

static unsigned gpr_of(const struct x86_cpu *c, unsigned n)
{
	return has_long(c) ? gpr_at[n] : gpr_at_32[n];
}

/* ---- reading ---- */

static uint64_t read_x87(const struct x86_cpu *c, unsigned n)
{
	switch (n) {
	case 0: return c->fcw;
	case 1: return c->fsw | (unsigned)c->ftop << FSW_TOP_SHIFT;
	case 2: return x87_tags(c);
	case 3: return c->fcs;
	case 4: return (uint32_t)c->fip;
	case 5: return c->fds;
	case 6: return (uint32_t)c->fdp;
	default: return c->fop;
	}
}

static uint64_t read_system(const struct x86_cpu *c, unsigned n)
{
	const struct vcpu *v = c->vcpu;

	switch (n) {
	case 0: return c->cr0;
	case 1: return c->cr2;
	case 2: return c->cr3;
	case 3: return c->cr4;
	case 4: return v->intc_ops && v->intc_ops->get_cr8 ? v->intc_ops->get_cr8(v->intc) : 0;
	case 5: return c->efer;
	default: return c->msr_kernel_gs_base;
	}
}

static uint64_t read_number(const struct x86_cpu *c, enum kind kind, unsigned n)
{
	unsigned gpr;

	switch (kind) {
	case GPR:
		gpr = gpr_of(c, n);
		return x86_is_code64(c) ? c->gpr[gpr] : gpr < R8 ? (uint32_t)c->gpr[gpr] : 0;
	case PC: return x86_is_code64(c) ? c->env.pc : (uint32_t)c->env.pc;
	case FLAGS: return c->rflags;
	case SEGMENT: return c->seg[segment_at[n]].sel;
	case X87: return read_x87(c, n);
	case MXCSR: return c->mxcsr;
	case BASE: return c->seg[n ? SEG_GS : SEG_FS].base;
	default: return read_system(c, n);
	}
}

static unsigned debug_reg_read(struct vcpu *v, unsigned n, uint8_t *out)
{
	const struct x86_cpu *c = v->cpu;
	const struct group *g = find_group(c, &n);
	uint64_t value;

	if (!g)
		return 0;
	switch (g->kind) {
	case ST:
		st64_le(out, c->fpr[(c->ftop + n) & 7].frac);
		st16_le(out + 8, c->fpr[(c->ftop + n) & 7].sexp);
		break;
	case XMM: memcpy(out, c->ymm[n], 16); break;
	case YMM_HIGH: memcpy(out, c->ymm[n] + 16, 16); break;
	default: value = read_number(c, g->kind, n); st64_le(out, value); /* cut by who takes it */
	}
	return group_bits(c, g) / 8;
}

/* ---- writing ---- */

/* As a load of the register that cannot fault: a selector of nothing changes nothing. */
static void write_segment(struct x86_cpu *c, enum x86_seg_id id, uint16_t sel)
{
	const struct x86_seg *ldt = &c->seg[SEG_LDT];
	uint64_t base = sel & 4 ? ldt->base : c->gdtr.base;
	uint32_t limit = sel & 4 ? ldt->limit : c->gdtr.limit;
	struct x86_desc d = { 0 };
	uint8_t raw[8];

	if (x86_is_real(c)) {
		x86_seg_fill_real(&c->seg[id], sel);
	} else if (x86_is_vm86(c)) {
		x86_seg_fill_vm86(&c->seg[id], sel);
	} else if (!(sel & 0xfffc)) {
		if (id == SEG_CS || id == SEG_SS)
			return;
		x86_seg_fill_null(&c->seg[id], sel);
	} else {
		if ((uint32_t)(sel | 7) > limit ||
		    vcpu_debug_read(c->vcpu, x86_linear(c, base + (sel & 0xfff8)), raw, 8) != 8)
			return;
		d.lo = ld32_le(raw);
		d.hi = ld32_le(raw + 4);
		if ((d.hi >> 8 & (SEG_ATTR_S | SEG_ATTR_P)) != (SEG_ATTR_S | SEG_ATTR_P))
			return;
		x86_seg_fill(&c->seg[id], sel, &d);
	}
	x86_mode_update_cs(c);
}

static void write_x87(struct x86_cpu *c, unsigned n, uint32_t value)
{
	switch (n) {
	case 0: c->fcw = (value & FCW_VALID) | FCW_ONES; break;
	case 1:
		c->ftop = value >> FSW_TOP_SHIFT & 7;
		c->fsw = (uint16_t)(value & ~(uint32_t)(FSW_TOP | FSW_ES | FSW_B)) |
			 (c->fsw & (FSW_ES | FSW_B));
		break;
	case 2:
		c->ftag = 0;
		for (unsigned r = 0; r < 8; r++)
			if ((value >> 2 * r & 3) != 3)
				c->ftag |= (uint8_t)(1u << r);
		break;
	case 3: c->fcs = (uint16_t)value; return;
	case 4: c->fip = value; return;
	case 5: c->fds = (uint16_t)value; return;
	case 6: c->fdp = value; return;
	default: c->fop = value & 0x7ff; return;
	}
	x87_update_es(c);
	x86_mode_update(c);
}

/* What the guest's own instruction would refuse stays as it is. */
static void write_system(struct x86_cpu *c, unsigned n, uint64_t value)
{
	static const uint8_t cr[] = { 0, 2, 3, 4, 8 };

	if (value == read_system(c, n) || c->env.fault)
		return;
	if (n < ARRAY_SIZE(cr))
		x86_cr_write(c, cr[n], value);
	else if (n == 5)
		x86_msr_write(c, MSR_EFER, value);
	else
		c->msr_kernel_gs_base = value;
	c->env.fault = 0;
}

static void write_gpr(struct x86_cpu *c, unsigned gpr, uint64_t value)
{
	if (x86_is_code64(c))
		c->gpr[gpr] = value;
	else if (gpr < R8)
		c->gpr[gpr] = (c->gpr[gpr] & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
}

static void write_pc(struct x86_cpu *c, uint64_t value)
{
	c->env.pc = x86_is_code64(c) ? value : (uint32_t)value;
	c->rep.is_open = false;
}

static void write_number(struct x86_cpu *c, enum kind kind, unsigned n, uint64_t value)
{
	const uint32_t flags = 0x3f7fd5;

	switch (kind) {
	case GPR: write_gpr(c, gpr_of(c, n), value); return;
	case PC: write_pc(c, value); return;
	case FLAGS: x86_rflags_set(c, (uint32_t)value, flags); return;
	case SEGMENT:
		if (c->seg[segment_at[n]].sel != (uint16_t)value)
			write_segment(c, segment_at[n], (uint16_t)value);
		return;
	case X87: write_x87(c, n, (uint32_t)value); return;
	case MXCSR:
		c->mxcsr = (uint32_t)value & c->mxcsr_mask;
		x86_mode_update(c);
		return;
	case BASE:
		c->seg[n ? SEG_GS : SEG_FS].base = value;
		x86_mode_update_cs(c);
		return;
	default: write_system(c, n, value);
	}
}

static unsigned debug_reg_write(struct vcpu *v, unsigned n, const uint8_t *in)
{
	struct x86_cpu *c = v->cpu;
	const struct group *g = find_group(c, &n);

	if (!g)
		return 0;
	switch (g->kind) {
	case ST:
		c->fpr[(c->ftop + n) & 7].frac = ld64_le(in);
		c->fpr[(c->ftop + n) & 7].sexp = ld16_le(in + 8);
		break;
	case XMM: memcpy(c->ymm[n], in, 16); break;
	case YMM_HIGH: memcpy(c->ymm[n] + 16, in, 16); break;
	default: write_number(c, g->kind, n, group_bits(c, g) == 64 ? ld64_le(in) : ld32_le(in));
	}
	return group_bits(c, g) / 8;
}

const struct arch_debug x86_arch_debug = {
	.xml = debug_xml,
	.reg_count = debug_reg_count,
	.reg_read = debug_reg_read,
	.reg_write = debug_reg_write,
};
