/* tests/isa/x86/oracle.c - every row of the encodings table against the host CPU.
 *
 *   isa_x86_oracle [--tier 0|1] [--seed N] [--cases N] [--row N | --name MNEMONIC] [--case N] [-v]
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/x86/x86.h"

static struct {
	uint64_t seed;
	unsigned cases, tier;
	int row, only;
	const char *name;
	bool verbose;
} options = { .seed = 1, .cases = 64, .row = -1, .only = -1 };

enum { REPORTS_PER_ROW = 2, SKIP = 77 };

struct totals {
	unsigned rows, tested, nonnative, no_feature, failed, cases, faults;
};

/* ---- comparing ---- */

static bool is_x87_image(const struct x86_row *row)
{
	return strstr(row->name, "FNSAVE") || strstr(row->name, "FRSTOR") ||
	       strstr(row->name, "FNSTENV") || strstr(row->name, "FLDENV");
}

/* The instruction and data pointers in an x87 image: some processors keep them after exceptions
 * only. */
enum { X87_POINTERS = 20 };

static bool memory_differs(const struct x86_row *row, const struct outcome *a,
			   const struct outcome *b, unsigned *at)
{
	unsigned first = 0, last = DATA_SIZE;

	while (first < DATA_SIZE && a->mem[first] == b->mem[first])
		first++;
	if (first == DATA_SIZE)
		return false;
	while (a->mem[last - 1] == b->mem[last - 1])
		last--;
	*at = first;
	return !is_x87_image(row) || last - first > X87_POINTERS;
}

/* Which of several bad addresses is told, and what of the flags a fault in the middle of a string
 * leaves, differs between processors. */
static bool is_many_accesses(const struct x86_row *row)
{
	return strstr(row->name, "CMPS") || strstr(row->name, "SCAS") ||
	       strstr(row->name, "MASKMOV") || strstr(row->name, "GATHER") || is_x87_image(row);
}

enum { FSW_UE = 0x10, FSW_PE = 0x20, FSW_ES = 0x80, FSW_C1 = 0x200, LAST_BITS = 2 };

/* A store that an unmasked x87 exception suppresses: is its address looked at?  (Intel's do not.)
 */
static bool is_suppressed_store(const struct x86_row *row, const struct test_case *c)
{
	int h = c->host.vector, g = c->guest.vector;

	if (!(row->attrs & ROW_X87) || (ld16_le(c->in.fx + FX_FCW) & 0x3f) == 0x3f)
		return false;
	if (h >= 0)
		return g == VECTOR_NONE;
	return g >= EXC_SS && g <= EXC_PF && ld16_le(c->host.cpu.fx + FX_FSW) & FSW_ES;
}

/* Beyond the stack's limit and misaligned too: which is told? */
static bool is_either_fault(const struct test_case *c)
{
	int h = c->host.vector, g = c->guest.vector;

	return !mode_of(c)->is_flat && h == EXC_GP && g == EXC_SS;
}

/* Text of what differs, or false. */
static bool differs(char *why, size_t size, const struct x86_row *row, const struct test_case *c)
{
	const struct outcome *h = &c->host, *g = &c->guest;
	const uint64_t mask = mode_of(c)->code64 ? UINT64_MAX : UINT32_MAX;
	const bool loose = h->vector >= 0 && is_many_accesses(row);
	const uint32_t flags = loose ? 0 : (IR_FLAGS_ALL | FL_DF) & ~(uint32_t)row->undef;
	const bool has_error = h->vector >= EXC_SS && h->vector <= EXC_PF;
	/* the host's upper half of addresses is its kernel: present, but not for us */
	const uint32_t error_mask = h->vector == EXC_PF && h->cr2 >> 63 ? ~1u : ~0u;
	unsigned at;

	if (h->vector != g->vector)
		return snprintf(why, size, "vector %d, host %d", g->vector, h->vector);
	if (has_error && !loose && (h->error ^ g->error) & error_mask)
		return snprintf(why, size, "error code %x, host %x", g->error, h->error);
	if (h->vector == EXC_PF && !loose && (h->cr2 ^ g->cr2) & mask)
		return snprintf(why, size, "cr2 %" PRIx64 ", host %" PRIx64, g->cr2, h->cr2);
	if ((h->cpu.rip ^ g->cpu.rip) & mask)
		return snprintf(why, size, "rip %" PRIx64 ", host %" PRIx64, g->cpu.rip,
				h->cpu.rip);
	for (unsigned i = 0; i < mode_of(c)->regs; i++)
		if ((h->cpu.gpr[i] ^ g->cpu.gpr[i]) & mask)
			return snprintf(why, size, "gpr%u %" PRIx64 ", host %" PRIx64, i,
					g->cpu.gpr[i] & mask, h->cpu.gpr[i] & mask);
	if ((h->cpu.rflags ^ g->cpu.rflags) & flags)
		return snprintf(why, size, "flags %" PRIx64 ", host %" PRIx64,
				g->cpu.rflags & flags, h->cpu.rflags & flags);
	if (!(loose && is_x87_image(row)) && memory_differs(row, h, g, &at))
		return snprintf(why, size, "memory at %x: %02x, host %02x", DATA_ADDR + at,
				g->mem[at], h->mem[at]);
	return false;
}

/* Approximations: 1.5 * 2^-12 relative error allows two results to differ this much. */
static bool is_near(float a, float b)
{
	float d = a > b ? a - b : b - a, m = a < 0 ? -a : a;

	return d <= m / 1024 || (a != a && b != b) || a == b;
}

static bool lanes_near(const void *a, const void *b)
{
	float x[4], y[4];

	memcpy(x, a, 16);
	memcpy(y, b, 16);
	return is_near(x[0], y[0]) && is_near(x[1], y[1]) && is_near(x[2], y[2]) &&
	       is_near(x[3], y[3]);
}

static bool is_approximation(const struct x86_row *row)
{
	return strstr(row->name, "RCP") || strstr(row->name, "RSQRT");
}

/* Their last bit, and with it C1 and the precision and underflow flags, is the processor's own. */
static bool is_transcendental(const struct x86_row *row) { return row->attrs & ROW_ULP; }

/* Do two numbers differ in no more than their last bits?  One may be just below a power of 2. */
static bool st_near(const uint8_t *a, const uint8_t *b)
{
	uint64_t x = ld64_le(a), y = ld64_le(b);
	int up = ld16_le(b + 8) - ld16_le(a + 8);

	if (up < 0)
		return st_near(b, a);
	if (!up)
		return (x > y ? x - y : y - x) <= LAST_BITS;
	return up == 1 && (ld16_le(b + 8) & 0x7fff) < 0x7fff && y >> 63 &&
	       (0 - x) + (y - BIT(63)) <= LAST_BITS;
}

static bool st_differs(const struct x86_row *row, const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, 10) && !(is_transcendental(row) && st_near(a, b));
}

/* Status word bits to compare. */
static unsigned fsw_mask(const struct x86_row *row)
{
	return ~(row->undef & 0x4700u) & ~(is_transcendental(row) ? FSW_UE | FSW_PE | FSW_C1 : 0u);
}

static bool fpu_differs(char *why, size_t size, const struct x86_row *row,
			const struct test_case *c)
{
	const struct cpu_image *h = &c->host.cpu, *g = &c->guest.cpu;

	if (c->host.vector >= 0 && is_many_accesses(row))
		return false; /* how far did it come? */

	for (unsigned i = 0; i < mode_of(c)->regs; i++) {
		const uint64_t *hx = (const void *)(h->fx + FX_XMM + 16 * i);
		const uint64_t *gx = (const void *)(g->fx + FX_XMM + 16 * i);
		const uint64_t *hy = (const void *)h->ymm_high[i],
			       *gy = (const void *)g->ymm_high[i];

		if (is_approximation(row) && lanes_near(hx, gx) && lanes_near(hy, gy))
			continue;
		if (memcmp(hx, gx, 16) || memcmp(hy, gy, 16))
			return snprintf(why, size,
					"ymm%u %016" PRIx64 "_%016" PRIx64 "_%016" PRIx64
					"_%016" PRIx64 ", host %016" PRIx64 "_%016" PRIx64
					"_%016" PRIx64 "_%016" PRIx64,
					i, gy[1], gy[0], gx[1], gx[0], hy[1], hy[0], hx[1], hx[0]);
	}
	if (ld32_le(h->fx + FX_MXCSR) != ld32_le(g->fx + FX_MXCSR))
		return snprintf(why, size, "mxcsr %x, host %x", ld32_le(g->fx + FX_MXCSR),
				ld32_le(h->fx + FX_MXCSR));
	if (c->host.vector >= 0 && !(row->attrs & (ROW_X87 | ROW_X87_NOWAIT)))
		return false; /* did a faulting MMX instruction clear the tags? */
	if (ld16_le(h->fx) != ld16_le(g->fx) || h->fx[4] != g->fx[4] ||
	    (ld16_le(h->fx + 2) ^ ld16_le(g->fx + 2)) & fsw_mask(row))
		return snprintf(why, size, "fcw fsw ftw %04x %04x %02x, host %04x %04x %02x",
				ld16_le(g->fx), ld16_le(g->fx + 2), g->fx[4], ld16_le(h->fx),
				ld16_le(h->fx + 2), h->fx[4]);
	for (unsigned i = 0; i < 8; i++)
		if (st_differs(row, h->fx + FX_ST + 16 * i, g->fx + FX_ST + 16 * i))
			return snprintf(why, size,
					"st%u %04x_%016" PRIx64 ", host %04x_%016" PRIx64, i,
					ld16_le(g->fx + FX_ST + 16 * i + 8),
					ld64_le(g->fx + FX_ST + 16 * i),
					ld16_le(h->fx + FX_ST + 16 * i + 8),
					ld64_le(h->fx + FX_ST + 16 * i));
	return false;
}

/* ---- reporting ---- */

static void print_case(const struct test_case *c)
{
	struct x86_insn in;
	char text[128] = "?";

	if (guest_decode(mode_of(c), c->code, &in))
		x86_disasm(&in, INSN_ADDR - mode_of(c)->code_base, text, sizeof(text));
	printf("    %s:", mode_of(c)->name);
	for (unsigned i = 0; i < c->len; i++)
		printf(" %02x", c->code[i]);
	printf("   %s\n    in:", text);
	for (unsigned i = 0; i < mode_of(c)->regs; i++)
		printf(" %s%" PRIx64, i == 8 ? "\n        " : "", c->in.gpr[i]);
	printf(" flags %" PRIx64 " mxcsr %x fcw %x fsw %x ftw %x\n", c->in.rflags,
	       ld32_le(c->in.fx + FX_MXCSR), ld16_le(c->in.fx), ld16_le(c->in.fx + 2), c->in.fx[4]);
	for (unsigned n = 0; n < 4; n++) {
		const struct x86_operand *o = x86_operand(&in, n);
		unsigned v = o->place == PLACE_V ? in.reg : o->place == PLACE_H ? in.vvvv : in.rm;

		if (o->place == PLACE_V || o->place == PLACE_H ||
		    ((o->place == PLACE_W || o->place == PLACE_U) && in.mod == 3))
			printf("        ymm%u %016" PRIx64 "_%016" PRIx64 "_%016" PRIx64
			       "_%016" PRIx64 "\n",
			       v, ld64_le(c->in.ymm_high[v] + 8), ld64_le(c->in.ymm_high[v]),
			       ld64_le(c->in.fx + FX_XMM + 16 * v + 8),
			       ld64_le(c->in.fx + FX_XMM + 16 * v));
	}
	if (in.row && in.row->attrs & (ROW_X87 | ROW_X87_NOWAIT))
		for (unsigned i = 0; i < 8; i++)
			printf("        st%u %04x_%016" PRIx64 "\n", i,
			       ld16_le(c->in.fx + FX_ST + 16 * i + 8),
			       ld64_le(c->in.fx + FX_ST + 16 * i));
}

static void report(const struct batch *b, const struct x86_row *row, const struct test_case *c,
		   const char *why)
{
	printf("row %d %s: %s\n", (int)(row - x86_rows), row->name, why);
	print_case(c);
	printf("    alone: isa_x86_oracle --tier %u --seed %" PRIu64
	       " --cases %u --row %d --case %d\n",
	       options.tier, options.seed, options.cases, (int)(row - x86_rows),
	       (int)(c - b->cases));
}

/* Host code that does not come back as it should: say which. */
static struct {
	const struct batch *b;
	const struct x86_row *row;
	const struct test_case *c;
} running;

static void on_crash(int sig)
{
	if (running.c)
		report(running.b, running.row, running.c, strsignal(sig));
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

/* ---- rows ---- */

/* The first feature of the row that the host lacks, or NULL. */
static const char *missing_feature(const struct x86_row *row)
{
	uint64_t mask = x86_feat_masks[row->feat[0]] | x86_feat_masks[row->feat[1]];

	for (unsigned i = 0; x86_isa_feature_names[i]; i++)
		if (mask >> i & 1 && !host_has_feature(x86_isa_feature_names[i]))
			return x86_isa_feature_names[i];
	return NULL;
}

static void fill_batch(struct batch *b, const struct x86_row *row)
{
	struct random r = { .state = options.seed * 1000003 + (uint64_t)(row - x86_rows) };

	b->count = 0;
	gen_memory(&r, b->mem);
	for (unsigned mode = 0; mode < RUN_COUNT; mode++) {
		/* the native mode of the row gets most */
		bool is_main = mode == (row->allow & KEY_64 ? RUN_64 : RUN_32);
		unsigned n = is_main ? options.cases : options.cases / 4;

		for (unsigned i = 0; i < n && b->count < CASES_MAX; i++)
			if (gen_case(&r, row, mode, b->mem, &b->cases[b->count]))
				b->count++;
	}
}

static bool run_row(struct batch *b, const struct x86_row *row, struct totals *t)
{
	unsigned bad = 0;
	char why[256];

	fill_batch(b, row);
	if (!b->count) {
		printf("row %d %s: no legal encoding found\n", (int)(row - x86_rows), row->name);
		return false;
	}
	if (!host_run(b)) {
		report(b, row, &b->cases[b->done < b->count ? b->done : 0],
		       "the host did not come back from this case");
		return false;
	}
	for (unsigned i = 0; i < b->count; i++) {
		struct test_case *c = &b->cases[i];

		guest_trace = options.only == (int)i;
		if (options.only >= 0 && !guest_trace)
			continue;
		running.b = b, running.row = row, running.c = c;
		guest_run(b, c, i & 1);
		choice_adopt(row, c, b->mem);
		t->cases++;
		t->faults += c->host.vector >= 0;
		if (is_suppressed_store(row, c) || is_either_fault(c))
			continue;
		if (!differs(why, sizeof(why), row, c) && !fpu_differs(why, sizeof(why), row, c))
			continue;
		if (bad++ < REPORTS_PER_ROW || options.verbose)
			report(b, row, c, why);
	}
	if (bad)
		printf("row %d %s: %u of %u cases differ\n", (int)(row - x86_rows), row->name, bad,
		       b->count);
	return !bad;
}

static void one_row(struct batch *b, const struct x86_row *row, struct totals *t)
{
	const char *missing = missing_feature(row);

	t->rows++;
	if (row->attrs & ROW_NONNATIVE) {
		t->nonnative++;
		printf("row %d %s: does not run natively\n", (int)(row - x86_rows), row->name);
	} else if (missing) {
		t->no_feature++;
		printf("row %d %s: skipped, the host lacks %s\n", (int)(row - x86_rows), row->name,
		       missing);
	} else {
		t->tested++;
		if (!run_row(b, row, t))
			t->failed++;
	}
}

static void parse_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--seed"))
			options.seed = strtoull(next, NULL, 0), i++;
		else if (!strcmp(argv[i], "--tier"))
			options.tier = (unsigned)atoi(next), i++;
		else if (!strcmp(argv[i], "--cases"))
			options.cases = (unsigned)atoi(next), i++;
		else if (!strcmp(argv[i], "--row"))
			options.row = atoi(next), i++;
		else if (!strcmp(argv[i], "--case"))
			options.only = atoi(next), i++;
		else if (!strcmp(argv[i], "--name"))
			options.name = next, i++;
		else if (!strcmp(argv[i], "-v"))
			options.verbose = true;
		else
			fprintf(stderr, "unknown option '%s'\n", argv[i]), exit(2);
	}
	if (options.cases > CASES_MAX)
		options.cases = CASES_MAX;
}

int main(int argc, char **argv)
{
	struct batch *b = host_batch_new();
	struct totals t = { 0 };
	struct err err = { 0 };

	parse_options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!b)
		return 1;
	watch_crashes();
	if (!guest_init(options.tier, &err)) {
		printf("skipped: %s\n", err.text);
		return SKIP;
	}
	for (int i = 1; i < x86_row_count; i++)
		if ((options.row < 0 || options.row == i) &&
		    (!options.name || !strcmp(options.name, x86_rows[i].name)))
			one_row(b, &x86_rows[i], &t);
	printf("x86 rows: %u tested / %u, %u not native, %u not on this host; %u cases, %u of them "
	       "faults; %u rows failed\n",
	       t.tested, t.rows, t.nonnative, t.no_feature, t.cases, t.faults, t.failed);
	return t.failed != 0;
}
