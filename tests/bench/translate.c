/* tests/bench/translate.c - what translating costs: ns of host time per guest instruction.
 *
 *     translate ELF-FILE [STAGE]
 *     decode 35.1 ns, emit 51.2 ns, passes 95.3 ns, lower 330.4 ns, compile 250.0 ns (...)
 *
 * The executable segments of an x86-64 program or kernel are translated from end to end, block
 * after block, as 64-bit code.  The cost of each stage is the difference between runs that stop
 * behind it, each the best of several; "lower" is for the interpreter, "compile" to host code.
 * With a STAGE (its number from 0), only that run is made: for a profiler.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <glib.h>

#include "arch/x86/decode.h"
#include "arch/x86/sys.h"
#include "base/err.h"
#include "jit/interp.h"
#include "translate.h"

#include <elf.h> /* last: its PF_ are macros, those of sys.h constants */

enum { BLOCK_INSNS = 64, ROUNDS = 5, PAGE = 4096, MAX_TEXT = 4 << 20 };
enum stage { DECODE, EMIT, PASSES, LOWER, COMPILE, STAGES };

struct bench {
	struct x86_cpu *c;
	struct vcpu v;
	struct ir_builder *b;
	struct interp_lowerer *l;
	struct x86_fetch f;
	const uint8_t *text;
	size_t size;
	uint64_t insns, ops, blocks, bytes; /* of one round */
};

static unsigned fetch_bytes(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len)
{
	struct bench *x = container_of(f, struct bench, f);

	if (addr >= x->size)
		return 0;
	len = (unsigned)MIN(len, x->size - addr);
	memcpy(out, x->text + addr, len);
	return len;
}

/* Long mode at CPL 0, with everything the host model has switched on. */
static void set_mode(struct x86_cpu *c)
{
	c->cr0 = CR0_PE | CR0_PG;
	c->efer = EFER_LMA | EFER_LME;
	c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE;
	c->xcr0 = 7;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		c->seg[i] = (struct x86_seg){
			.attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW |
				(i == SEG_CS ? SEG_ATTR_CODE | SEG_ATTR_L : SEG_ATTR_DB),
			.limit = UINT32_MAX,
		};
	x86_mode_update(c);
}

/* The executable bytes of the file, one segment behind the other. */
static void load_text(struct bench *x, const char *file)
{
	g_autofree char *all = NULL;
	uint8_t *text = g_malloc(MAX_TEXT);
	const Elf64_Ehdr *eh;
	gsize size;

	if (!g_file_get_contents(file, &all, &size, NULL) || size < sizeof(*eh) ||
	    memcmp(all, ELFMAG, SELFMAG)) {
		fprintf(stderr, "translate: '%s' is not an ELF file\n", file);
		exit(1);
	}
	eh = (const void *)all;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		const Elf64_Phdr *ph = (const void *)(all + eh->e_phoff + i * sizeof(*ph));
		size_t n = MIN(ph->p_filesz, MAX_TEXT - x->size);

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || ph->p_offset + n > size)
			continue;
		memcpy(text + x->size, all + ph->p_offset, n);
		x->size += n;
	}
	x->text = text;
}

static int no_byte(struct x86_reader *r)
{
	(void)r;
	return -1;
}

static void decode_block(struct bench *x, uint64_t pc, uint32_t len)
{
	struct x86_reader r = { no_byte, x->text + pc, x->text + x->size };
	const uint8_t *end = x->text + pc + len;
	const struct x86_decode_mode m = { .code64 = true, .features = UINT64_MAX };
	struct x86_insn in;

	while (r.at < end && x86_decode(&in, &m, &r) != DECODE_FETCH)
		;
}

static uint32_t emit_block(struct bench *x, uint64_t pc)
{
	uint32_t len;

	x->c->env.pc = pc;
	x->c->env.fault = 0;
	ir_begin(x->b, x->c->env.mode, 3);
	return x86_translate(x->c, x->b, &x->f, BLOCK_INSNS, &len) && len ? len : 1;
}

static void run_block(struct bench *x, uint64_t pc, uint32_t len, enum stage last)
{
	struct interp_block code = { 0 };
	const struct ir_block *ir;

	if (last == DECODE) {
		decode_block(x, pc, len);
		return;
	}
	emit_block(x, pc);
	if (last == EMIT)
		return;
	ir = ir_end(x->b);
	x->insns += ir->insn_count;
	x->ops += ir->op_count;
	x->blocks++;
	if (last == LOWER && interp_lower(x->l, &code, ir))
		interp_block_fini(&code);
	if (last == COMPILE)
		x->bytes += tier1_compile(ir, pc);
}

/* The best of some rounds over all blocks. */
static double measure(struct bench *x, const uint32_t *lens, enum stage last)
{
	double best = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct timespec a, b;
		double ns;

		x->insns = x->ops = x->blocks = x->bytes = 0;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		for (uint64_t pc = 0, n = 0; pc < x->size; pc += lens[n++])
			run_block(x, pc, lens[n], last);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
		if (!best || ns < best)
			best = ns;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const char *const names[STAGES] = { "decode", "emit", "passes", "lower", "compile" };
	struct bench x = { .f.bytes = fetch_bytes };
	g_autofree uint32_t *lens = NULL;
	double ns[STAGES];
	unsigned stages = COMPILE + 1, only = STAGES;
	struct err err = { 0 };
	char *warnings;

	if (argc == 3)
		only = (unsigned)atoi(argv[2]);
	if (argc < 2 || argc > 3 || only > STAGES) {
		fprintf(stderr, "usage: translate ELF-FILE [STAGE]\n");
		return 2;
	}
	load_text(&x, argv[1]);
	x.c = aligned_alloc(64, align_up(sizeof(*x.c), 64));
	memset(x.c, 0, sizeof(*x.c));
	x.c->vcpu = &x.v;
	x.v.cpu = x.c;
	if (!x86_cpuid_init(x.c, "max", &warnings, &err))
		return 1;
	set_mode(x.c);
	x.b = ir_builder_new(&x86_state_desc);
	x.l = interp_lowerer_new(&x86_state_desc);
	lens = g_new(uint32_t, x.size + 1);
	for (uint64_t pc = 0, n = 0; pc < x.size; pc += lens[n++])
		lens[n] = emit_block(&x, pc);
	if (!tier1_start(&err)) {
		fprintf(stderr, "translate: not to host code: %s\n", err.text);
		stages = COMPILE;
	}
	if (only < stages) {
		measure(&x, lens, only);
		printf("%" PRIu64 " instructions, %u times\n", x.insns, ROUNDS);
		return 0;
	}
	for (unsigned s = 0; s < stages; s++)
		ns[s] = measure(&x, lens, s);
	for (unsigned s = 0; s < stages; s++)
		printf("%s %.1f ns, ", names[s],
		       (ns[s] - (s ? ns[MIN(s - 1u, PASSES)] : 0)) / (double)x.insns);
	printf("all %.1f ns (%.1f operations an instruction, %.1f instructions a block, "
	       "%.1f bytes an instruction)\n",
	       ns[stages - 1] / (double)x.insns, (double)x.ops / (double)x.insns,
	       (double)x.insns / (double)x.blocks, (double)x.bytes / (double)x.insns);
	return 0;
}
