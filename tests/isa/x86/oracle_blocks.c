/* tests/isa/x86/oracle_blocks.c - random blocks of x86 instructions: one by one and at once in the
 * interpreter, and at once as host code.
 *
 *   isa_x86_blocks [--seed N] [--blocks N] [--block N] [--mode N] [--vectors] [-v]
 *
 * Single instructions are tested against the host's processor; what this adds is what happens
 * between them: values that live on in registers, flags made again from their operands, faults in
 * the middle.  Each instruction of a block is made for the state that those before it leave, so
 * that most blocks run to their end.  SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	INSNS_MAX = 20,
	CODE_MAX = INSNS_MAX * X86_MAX_INSN,
	TRIES = 200,
	SKIP = 77,
	ROWS_MAX = 2048
};

static struct {
	uint64_t seed;
	unsigned blocks;
	int only, mode;
	bool vectors, verbose;
} options = { .seed = 1, .blocks = 4000, .only = -1, .mode = -1 };

struct block {
	enum run_mode mode;
	uint32_t fast_pages;
	unsigned count, len; /* instructions, bytes */
	uint8_t code[CODE_MAX];
	uint16_t at[INSNS_MAX + 1]; /* where each begins */
	uint8_t mem[DATA_SIZE];
	struct cpu_image in;
	bool faults;
};

struct totals {
	unsigned blocks, insns, faults, failed;
};

/* ---- rows ---- */

static uint16_t common[ROWS_MAX], all[ROWS_MAX];
static unsigned common_count, all_count;

static bool has_place_from(const struct x86_row *row, const uint8_t *places, unsigned n)
{
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < n; k++)
			if (row->ops[i].place == places[k])
				return true;
	return false;
}

static bool is_vector(const struct x86_row *row)
{
	static const uint8_t places[] = { PLACE_V, PLACE_W, PLACE_U,    PLACE_H, PLACE_P,
					  PLACE_Q, PLACE_N, PLACE_FIXV, PLACE_L };

	return row->vec || row->attrs & (ROW_X87 | ROW_X87_NOWAIT) ||
	       has_place_from(row, places, sizeof(places));
}

static bool name_in(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strncmp(name, *list, strlen(*list)))
			return true;
	return false;
}

static bool is_common(const struct x86_row *row)
{
	static const char *const names[] = { "ADD",  "ADC",  "SUB", "SBB",  "AND", "OR",   "XOR",
					     "CMP",  "INC",  "DEC", "NEG",  "NOT", "TEST", "MOV",
					     "LEA",  "SH",   "SAR", "RO",   "RC",  "J",    "SET",
					     "CMOV", "PUSH", "POP", "IMUL", "MUL", "XCHG", "BT",
					     "LAHF", "SAHF", "CL",  "ST",   "CMC", NULL };

	return row->map <= MAP_0F && name_in(row->name, names);
}

static void choose_rows(void)
{
	/* The last ones store pointers, which are not passed on from one instruction to the next,
	 * and C1. */
	static const char *const never[] = { "RDTSC", "RDRAND", "RDSEED",  "RDPMC",  "XGETBV",
					     "INT",   "FNSAVE", "FNSTENV", "FNSTSW", NULL };

	for (unsigned i = 1; i < x86_row_count && i < ROWS_MAX; i++) {
		const struct x86_row *row = &x86_rows[i];

		if (row->attrs & ROW_NONNATIVE || name_in(row->name, never))
			continue;
		if (is_vector(row)) {
			if (options.vectors)
				common[common_count++] = (uint16_t)i;
			continue;
		}
		all[all_count++] = (uint16_t)i;
		if (is_common(row))
			common[common_count++] = (uint16_t)i;
	}
}

static const struct x86_row *pick_row(struct random *r)
{
	if (random_below(r, 3))
		return &x86_rows[common[random_below(r, common_count)]];
	return &x86_rows[all[random_below(r, all_count)]];
}

/* ---- making a block ---- */

static const struct run_mode_info *mode_info(const struct block *b) { return &run_modes[b->mode]; }

static bool is_sane(const struct block *b, const struct outcome *o)
{
	uint64_t sp = o->cpu.gpr[RSP] + mode_info(b)->data_base;

	return sp - DATA_ADDR < DATA_SIZE;
}

/* Extend the block by an instruction; false: it ends here.  now: the state before it, and then
 * after it. */
static bool add_insn(struct random *r, struct block *b, struct outcome *now)
{
	struct x86_insn in;
	struct outcome next;
	uint8_t bytes[32];
	uint64_t at;

	for (unsigned i = 0; i < TRIES; i++) {
		if (!gen_insn(r, pick_row(r), b->mode, &now->cpu, bytes, &in))
			continue;
		memcpy(b->code + b->len, bytes, in.len);
		guest_load(mode_info(b), &now->cpu, b->code, b->len + in.len, now->mem, 0);
		guest_go(0, 1, false);
		guest_save(&next);
		if ((next.vector >= 0 || !is_sane(b, &next)) && random_below(r, 40))
			continue;
		at = next.cpu.rip - b->in.rip;
		if (next.vector < 0 && at < b->len + in.len) /* back into the block */
			continue;
		b->at[b->count++] = (uint16_t)b->len;
		b->len += in.len;
		b->at[b->count] = (uint16_t)b->len;
		b->faults = next.vector >= 0;
		*now = next;
		return next.vector < 0 && now->cpu.rip == b->in.rip + b->len;
	}
	return false;
}

static void make_block(struct random *r, struct block *b, struct outcome *end)
{
	unsigned count = 2 + random_below(r, INSNS_MAX - 1);
	static const enum run_mode modes[] = { RUN_64, RUN_64, RUN_64,          RUN_64,
					       RUN_64, RUN_32, RUN_32_SEGMENTS, RUN_16 };

	memset(b, 0, sizeof(*b));
	b->mode = options.mode >= 0 ? (enum run_mode)options.mode : modes[random_below(r, 8)];
	b->fast_pages = random_below(r, 3) ? FAST_ALL : (uint32_t)random_u64(r) & FAST_ALL;
	gen_memory(r, b->mem);
	gen_state(r, mode_info(b), &b->in);
	memset(end, 0, sizeof(*end));
	end->cpu = b->in;
	memcpy(end->mem, b->mem, DATA_SIZE);
	while (b->count < count && add_insn(r, b, end))
		;
}

/* ---- running and comparing ---- */

struct result {
	struct outcome o;
	uint8_t *rest;
	size_t size;
};

static void run(const struct block *b, unsigned first, unsigned count, const struct outcome *from,
		unsigned tier, struct result *out)
{
	struct cpu_image in = from->cpu;
	size_t size;
	const void *rest;

	in.rip = b->in.rip + b->at[first];
	guest_load(mode_info(b), &in, b->code, b->len, from->mem, b->fast_pages);
	for (unsigned n = 0; n < INSNS_MAX; n++) {
		uint64_t before, at;
		unsigned left = 0;

		guest_save(&out->o);
		before = out->o.cpu.rip;
		at = before - b->in.rip;
		for (unsigned i = first; i < first + count; i++)
			left += b->at[i] >= at;
		if (out->o.vector >= 0 || !left || at > b->len || (n && at <= b->at[first]))
			break;
		guest_go(tier, left, false);
		guest_save(&out->o);
		if (out->o.vector >= 0 || out->o.cpu.rip <= before)
			break;
	}
	rest = guest_rest(&size);
	out->rest = realloc(out->rest, size);
	out->size = size;
	memcpy(out->rest, rest, size);
}

static bool differs(char *why, size_t size, const struct outcome *a, const struct outcome *b)
{
	if (a->vector != b->vector)
		return snprintf(why, size, "vector %d, not %d", b->vector, a->vector);
	if (a->error != b->error || a->cr2 != b->cr2)
		return snprintf(why, size, "error code %x, cr2 %" PRIx64 ", not %x, %" PRIx64,
				b->error, b->cr2, a->error, a->cr2);
	if (a->cpu.rip != b->cpu.rip)
		return snprintf(why, size, "rip %" PRIx64 ", not %" PRIx64, b->cpu.rip, a->cpu.rip);
	for (unsigned i = 0; i < 16; i++)
		if (a->cpu.gpr[i] != b->cpu.gpr[i])
			return snprintf(why, size, "gpr%u %" PRIx64 ", not %" PRIx64, i,
					b->cpu.gpr[i], a->cpu.gpr[i]);
	if (a->cpu.rflags != b->cpu.rflags)
		return snprintf(why, size, "flags %" PRIx64 ", not %" PRIx64, b->cpu.rflags,
				a->cpu.rflags);
	for (unsigned i = 0; i < DATA_SIZE; i++)
		if (a->mem[i] != b->mem[i])
			return snprintf(why, size, "memory at %x: %02x, not %02x", DATA_ADDR + i,
					b->mem[i], a->mem[i]);
	for (unsigned i = 0; i < 16; i++)
		if (memcmp(a->cpu.fx + FX_XMM + 16 * i, b->cpu.fx + FX_XMM + 16 * i, 16) ||
		    memcmp(a->cpu.ymm_high[i], b->cpu.ymm_high[i], 16))
			return snprintf(why, size, "ymm%u", i);
	for (unsigned i = 0; i < FX_XMM; i++) /* C1 is what processors do not agree on (FCOMI) */
		if ((a->cpu.fx[i] ^ b->cpu.fx[i]) & (i == FX_FSW + 1 ? ~2u : ~0u))
			return snprintf(why, size,
					"x87 state or MXCSR, FXSAVE byte %u: %02x, not %02x", i,
					b->cpu.fx[i], a->cpu.fx[i]);
	return false;
}

static bool results_differ(char *why, size_t size, const struct result *a, const struct result *b)
{
	if (differs(why, size, &a->o, &b->o))
		return true;
	for (size_t i = 0; i < a->size; i++)
		if (a->rest[i] != b->rest[i])
			return snprintf(why, size, "state at env + 0x%zx", i);
	return false;
}

/* ---- reporting ---- */

static void print_block(const struct block *b)
{
	printf("  %s, pages in the TLB %x\n", mode_info(b)->name, b->fast_pages);
	for (unsigned i = 0; i < b->count; i++) {
		struct x86_insn in;
		char text[128] = "?";

		if (guest_decode(mode_info(b), b->code + b->at[i], &in))
			x86_disasm(&in, b->in.rip + b->at[i], text, sizeof(text));
		printf("  %2u %4" PRIx64 "  %s\n", i, b->in.rip + b->at[i], text);
	}
}

static void print_state(const char *what, const struct cpu_image *s)
{
	printf("  %s:", what);
	for (unsigned i = 0; i < 16; i++)
		printf(" %s%" PRIx64, i == 8 ? "\n    " : "", s->gpr[i]);
	printf(" rip %" PRIx64 " flags %" PRIx64 "\n", s->rip, s->rflags);
}

static struct result by_interp, by_host;

/* The shortest piece of the block that shows it. */
static void shrink(const struct block *b, unsigned *first, unsigned *count, struct outcome *from)
{
	struct outcome start = *from;
	unsigned end = b->count;
	char why[160];

	for (unsigned n = 1; n <= b->count; n++) {
		run(b, 0, n, from, 0, &by_interp);
		run(b, 0, n, from, 1, &by_host);
		if (!results_differ(why, sizeof(why), &by_interp, &by_host))
			continue;
		end = n;
		break;
	}
	*first = 0;
	for (unsigned i = 1; i < end; i++) {
		run(b, 0, i, from, 0, &by_interp);
		start = by_interp.o;
		if (start.vector >= 0 || start.cpu.rip != b->in.rip + b->at[i])
			break;
		struct outcome keep = start;

		run(b, i, end - i, &keep, 0, &by_interp);
		run(b, i, end - i, &keep, 1, &by_host);
		if (!results_differ(why, sizeof(why), &by_interp, &by_host))
			break;
		*first = i;
	}
	*count = end - *first;
	if (*first) {
		run(b, 0, *first, from, 0, &by_interp);
		*from = by_interp.o;
	}
}

static void report(const struct block *b, unsigned number, const char *why)
{
	unsigned first = 0, count = b->count;
	static struct outcome from;

	printf("block %u: %s\n", number, why);
	print_block(b);
	memset(&from, 0, sizeof(from));
	from.cpu = b->in;
	memcpy(from.mem, b->mem, DATA_SIZE);
	shrink(b, &first, &count, &from);
	printf("  instructions %u to %u show it\n", first, first + count - 1);
	print_state("in", &from.cpu);
	guest_trace = options.only >= 0;
	run(b, first, count, &from, 0, &by_interp);
	run(b, first, count, &from, 1, &by_host);
	guest_trace = false;
	print_state("interpreter", &by_interp.o.cpu);
	print_state("host code", &by_host.o.cpu);
	printf("    alone: isa_x86_blocks --seed %" PRIu64 "%s --block %u\n", options.seed,
	       options.vectors ? " --vectors" : "", number);
}

/* Host code that does not come back as it should. */
static const struct block *running;
static unsigned running_number;

static void on_crash(int sig)
{
	if (running) {
		printf("block %u: %s\n", running_number, strsignal(sig));
		print_block(running);
	}
	_exit(1);
}

static void watch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT };
	static uint8_t stack[64 * 1024];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND };

	sigaltstack(&alt, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

static void one_block(unsigned number, struct totals *t)
{
	struct random r = { .state = options.seed * 1000003 + number };
	static struct outcome end, start;
	static struct block b;
	char why[160];

	make_block(&r, &b, &end);
	running = &b;
	running_number = number;
	start.cpu = b.in;
	memcpy(start.mem, b.mem, DATA_SIZE);
	t->blocks++;
	t->insns += b.count;
	t->faults += b.faults;
	guest_trace = options.only >= 0;
	if (options.verbose)
		print_block(&b);
	run(&b, 0, b.count, &start, 0, &by_interp);
	guest_trace = false;
	if (differs(why, sizeof(why), &end, &by_interp.o)) {
		t->failed++;
		printf("block %u: the interpreter at once, not singly: %s\n", number, why);
		print_block(&b);
		return;
	}
	guest_trace = options.only >= 0;
	run(&b, 0, b.count, &start, 1, &by_host);
	guest_trace = false;
	if (!results_differ(why, sizeof(why), &by_interp, &by_host))
		return;
	t->failed++;
	report(&b, number, why);
}

static void parse_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--seed"))
			options.seed = strtoull(next, NULL, 0), i++;
		else if (!strcmp(argv[i], "--blocks"))
			options.blocks = (unsigned)atoi(next), i++;
		else if (!strcmp(argv[i], "--block"))
			options.only = atoi(next), i++;
		else if (!strcmp(argv[i], "--mode"))
			options.mode = atoi(next), i++;
		else if (!strcmp(argv[i], "--vectors"))
			options.vectors = true;
		else if (!strcmp(argv[i], "-v"))
			options.verbose = true;
		else
			fprintf(stderr, "unknown option '%s'\n", argv[i]), exit(2);
	}
}

int main(int argc, char **argv)
{
	enum { FAILURES_SHOWN = 5 };
	struct totals t = { 0 };
	struct err err = { 0 };

	parse_options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	watch_crashes();
	if (!guest_init(1, &err)) {
		printf("skipped: %s\n", err.text);
		return SKIP;
	}
	guest_hides_code = true; /* while a block grows what lies behind it changes */
	choose_rows();
	for (unsigned i = 0; i < options.blocks && t.failed < FAILURES_SHOWN; i++)
		if (options.only < 0 || options.only == (int)i)
			one_block(i, &t);
	printf("x86 blocks: %u of %u instructions, %u of them fault; %u differ\n", t.blocks,
	       t.insns, t.faults, t.failed);
	return t.failed != 0;
}
