/* tests/isa/x86/golden.c - what loops of a guest become: host instructions, counted.
 *
 *   isa_x86_golden GOLDEN [--update] [--show LOOP]
 *
 * Each loop of golden.S is translated and compiled as 64-bit code at a fixed pc.  The counts must
 * be those of the file GOLDEN, so that a worse sequence, or a better one, shows in a diff.  Nothing
 * is run or timed, and no count depends on where code or data lie.
 *
 * A loop's code is cut as the accelerator cuts it: a block at its start, where a block's direct
 * jumps lead, and behind a block (where what it called returns to).  Counted are
 *   guest: its instructions,
 *   main:  the host's from the plain entry to the jump that ends the block: no stub among them,
 *   all:   all of the host's, entries and stubs included,
 * without NOPs, which align what is patched later.  SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "arch/x86/sys.h"
#include "base/err.h"

enum { SKIP = 77, PC = 0x10000200, BLOCK_INSNS = 64, BLOCKS_MAX = 32 };

/* golden.S; the last one only ends the one before it. */
struct loop {
	const char *name;
	const uint8_t *code;
};
extern const struct loop __start_golden_loops[], __stop_golden_loops[];

struct counts {
	unsigned blocks, guest, main, all, bytes;
};

static struct x86_cpu *cpu;
static struct vcpu vcpu;
static struct ir_builder *builder;
static const char *show;

/* ---- the guest ---- */

struct loop_fetch {
	struct x86_fetch f;
	const uint8_t *code;
	size_t size;
};

/* Behind the loop: NOPs. */
static unsigned fetch_bytes(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len)
{
	const struct loop_fetch *l = container_of(f, struct loop_fetch, f);

	for (unsigned i = 0; i < len; i++)
		out[i] = addr + i - PC < l->size ? l->code[addr + i - PC] : 0x90;
	return len;
}

/* 64-bit mode at CPL 0, all that the model has switched on. */
static bool guest_start(struct err *err)
{
	char *warnings = NULL;

	cpu = aligned_alloc(64, align_up(sizeof(*cpu), 64));
	memset(cpu, 0, sizeof(*cpu));
	cpu->vcpu = &vcpu;
	vcpu.cpu = cpu;
	builder = ir_builder_new(&x86_state_desc);
	if (!x86_cpuid_init(cpu, "max", &warnings, err) || !tier1_init(err))
		return false;
	g_free(warnings);
	vcpu.exit_request = &cpu->env.exit_request;
	x86_reset(cpu);
	cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	cpu->xcr0 = 7;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		cpu->seg[i] = (struct x86_seg){
			.attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW | SEG_ATTR_A |
				(i == SEG_CS ? SEG_ATTR_CODE | SEG_ATTR_L : SEG_ATTR_DB),
			.limit = UINT32_MAX,
		};
	x86_mode_update(cpu);
	return true;
}

static const struct ir_block *translate(struct loop_fetch *l, uint64_t pc, unsigned insns,
					uint32_t *len)
{
	cpu->env.pc = pc;
	ir_begin(builder, cpu->env.mode, 3);
	if (!x86_translate(cpu, builder, &l->f, insns, len)) {
		fprintf(stderr, "nothing to translate at %" PRIx64 "\n", pc);
		exit(1);
	}
	return ir_end(builder);
}

/* The block at pc, which ends where the loop does. */
static const struct ir_block *translate_inside(struct loop_fetch *l, uint64_t pc, uint32_t *len)
{
	const struct ir_block *ir = translate(l, pc, BLOCK_INSNS, len);
	unsigned n = 0;

	if (pc + *len <= PC + l->size)
		return ir;
	while (n < ir->insn_count && pc + (uint64_t)ir->insns[n].pc_delta < PC + l->size)
		n++;
	return translate(l, pc, n, len);
}

/* ---- host code ---- */

static int no_byte(struct x86_reader *r)
{
	(void)r;
	return -1;
}

static bool is_nop(const struct x86_insn *in)
{
	return (in->map == MAP_1BYTE && in->opcode == 0x90 && !in->rex) ||
	       (in->map == MAP_0F && in->opcode == 0x1f);
}

/* JMP of any kind: blocks have them at their end and in stubs only. */
static bool is_jump(const struct x86_insn *in)
{
	return in->map == MAP_1BYTE && (in->opcode == 0xe9 || in->opcode == 0xeb ||
					(in->opcode == 0xff && (in->modrm >> 3 & 7) == 4));
}

static bool count_code(const char *name, const struct x64_code *code, struct counts *n)
{
	static const struct x86_decode_mode mode = { .code64 = true, .features = UINT64_MAX };
	const uint8_t *start = (const uint8_t *)(uintptr_t)code->base;
	const uint8_t *run = (const uint8_t *)(uintptr_t)code->run;
	struct x86_reader r = { no_byte, start, start + code->size };
	bool in_main = false, was_main = false;

	while (r.at < r.end) {
		const uint8_t *at = r.at;
		struct x86_insn in;

		if (x86_decode(&in, &mode, &r) != DECODE_OK) {
			fprintf(stderr, "%s: no instruction at byte %u of its host code\n", name,
				(unsigned)(at - start));
			return false;
		}
		if (at == run)
			in_main = was_main = true;
		if (is_nop(&in))
			continue;
		n->all++;
		n->main += in_main;
		in_main = in_main && !is_jump(&in);
	}
	n->bytes += code->size;
	if (!was_main || in_main)
		fprintf(stderr, "%s: its host code has no end\n", name);
	return was_main && !in_main;
}

/* ---- a loop ---- */

struct work {
	uint64_t pc[BLOCKS_MAX];
	unsigned count;
};

static void work_add(struct work *w, const struct loop_fetch *l, uint64_t pc)
{
	if (pc - PC >= l->size)
		return;
	for (unsigned i = 0; i < w->count; i++)
		if (w->pc[i] == pc)
			return;
	g_assert(w->count < BLOCKS_MAX);
	w->pc[w->count++] = pc;
}

static bool count_block(const struct loop *loop, struct loop_fetch *l, struct work *w, uint64_t pc,
			struct counts *n)
{
	uint32_t len;
	const struct ir_block *ir = translate_inside(l, pc, &len);
	struct x64_code *code;
	bool ok;

	if (!tier1_make(&cpu->env, &code, ir, false)) {
		fprintf(stderr, "%s: too big\n", loop->name);
		return false;
	}
	if (show)
		tier1_print(code, stdout);
	n->blocks++;
	n->guest += ir->insn_count;
	ok = count_code(loop->name, code, n);
	for (unsigned i = 0; i < code->exit_count; i++)
		if (!code->exits[i].to_single)
			work_add(w, l, pc + (uint64_t)code->exits[i].pc_delta);
	work_add(w, l, pc + len);
	tier1_drop(code);
	return ok;
}

static bool count_loop(const struct loop *loop, struct counts *n)
{
	struct loop_fetch l = { .f.bytes = fetch_bytes,
				.code = loop->code,
				.size = (size_t)(loop[1].code - loop->code) };
	struct work w = { .pc = { PC }, .count = 1 };

	*n = (struct counts){ 0 };
	for (unsigned i = 0; i < w.count; i++)
		if (!count_block(loop, &l, &w, w.pc[i], n))
			return false;
	return true;
}

static char *count_all(void)
{
	GString *text = g_string_new("# Host instructions of guest loops: see golden.c.\n");

	g_string_append_printf(text, "%-18s %6s %6s %6s %6s\n", "# loop", "blocks", "guest", "main",
			       "all");
	for (const struct loop *l = __start_golden_loops; l + 1 < __stop_golden_loops; l++) {
		struct counts n;

		if (show && strcmp(show, l->name))
			continue;
		if (!count_loop(l, &n)) {
			g_string_free(text, TRUE);
			return NULL;
		}
		g_string_append_printf(text, "%-18s %6u %6u %6u %6u\n", l->name, n.blocks, n.guest,
				       n.main, n.all);
		if (show)
			printf("%s: %u bytes\n", l->name, n.bytes);
	}
	return g_string_free(text, FALSE);
}

/* ---- comparing ---- */

static bool has_line(char **lines, const char *line)
{
	return g_strv_contains((const char *const *)lines, line);
}

static int compare(const char *file, const char *text, const char *program)
{
	g_autofree char *golden = NULL;
	g_auto(GStrv) old = NULL;
	g_auto(GStrv) new = g_strsplit(text, "\n", -1);
	unsigned loops = 0;

	if (!g_file_get_contents(file, &golden, NULL, NULL)) {
		printf("'%s' cannot be read\n", file);
		return 1;
	}
	if (!strcmp(golden, text)) {
		for (char **l = new; *l; l++)
			loops += **l && **l != '#';
		printf("x86 loops: the counts of %u are as expected\n", loops);
		return 0;
	}
	old = g_strsplit(golden, "\n", -1);
	printf("host instructions differ from %s:\n", file);
	printf("  %-18s %6s %6s %6s %6s\n", "loop", "blocks", "guest", "main", "all");
	for (char **l = old; *l; l++)
		if (!has_line(new, *l))
			printf("- %s\n", *l);
	for (char **l = new; *l; l++)
		if (!has_line(old, *l))
			printf("+ %s\n", *l);
	printf("If that is as it should be: %s %s --update\n", program, file);
	return 1;
}

int main(int argc, char **argv)
{
	g_autofree char *text = NULL;
	const char *file = NULL;
	bool update = false;
	struct err err = { 0 };

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--update"))
			update = true;
		else if (!strcmp(argv[i], "--show") && i + 1 < argc)
			show = argv[++i];
		else
			file = argv[i];
	}
	if (!file) {
		fprintf(stderr, "usage: %s GOLDEN [--update] [--show LOOP]\n", argv[0]);
		return 2;
	}
	if (!guest_start(&err)) {
		printf("skipped: %s\n", err.text);
		return SKIP;
	}
	text = count_all();
	if (!text)
		return 1;
	if (show)
		return fputs(text, stdout) == EOF;
	if (update)
		return !g_file_set_contents(file, text, -1, NULL);
	return compare(file, text, argv[0]);
}
