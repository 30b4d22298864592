/* vec_host.h - vec_test.c's comparison with the host's own vector instructions.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include "dot_lanes.h"

/* What operands a row gets. */
enum host_kind { INT, COUNT, GENERAL, RESULT, F16, F32, F64, RESULT_F32, RESULT_F64, APPROX };

struct host {
	union vec r[4];
	uint64_t rax;
	uint32_t mxcsr, mxcsr_default;
};

#define HOST_SETUP                                                                     \
	"vmovdqu (%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm1\n\tvmovdqu 64(%0), %%ymm2\n\t" \
	"vmovdqu 96(%0), %%ymm3\n\tmovq 128(%0), %%rax\n\tldmxcsr 136(%0)\n\t"
#define HOST_RESULT                                                                         \
	"\n\tstmxcsr 136(%0)\n\tldmxcsr 140(%0)\n\tmovq %%rax, 128(%0)\n\tvmovdqu %%ymm0, " \
	"(%0)\n\t"                                                                          \
	"vzeroupper"
#define HOST_CLOBBERS "rax", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3"
BUILD_ASSERT(offsetof(struct host, rax) == 128 && offsetof(struct host, mxcsr) == 136);

#define X(id, fn, vlen, imm, kind, text)                                                  \
	static void host_##id(struct host *h)                                             \
	{                                                                                 \
		__asm__ volatile(HOST_SETUP text HOST_RESULT : : "r"(h) : HOST_CLOBBERS); \
	}
#include "vec_rows.def"
#undef X

static const struct host_row {
	const char *name;
	ir_native_fn *fn;
	void (*host)(struct host *h);
	uint8_t vlen, imm, kind;
} host_rows[] = {
#define X(id, fn, vlen, imm, kind, text) { #id, fn, host_##id, vlen, imm, kind },
#include "vec_rows.def"
#undef X
};

/* ---- operands ---- */
static uint64_t random_state = 1;

static uint64_t random_u64(void) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t random_f32(void)
{
	static const uint32_t special[] = {
		0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00001,
		0xffc12345, 0x7f800001, 0xffa00000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff,
		0x3fc00000, 0x40200000, 0x3effffff, 0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000,
		0x33800000, 0x477fe000, 0x477ff000, 0x38800000, 0x387fe000, 0x33000000, 0xc2f6e979,
	};
	uint64_t r = random_u64();

	switch (r >> 60) {
	case 0 ... 5: return special[(r >> 8) % ARRAY_SIZE(special)];
	case 6 ... 7: return (uint32_t)r;
	case 8 ... 9: return 0x00700000 + (r & 0x802fffff);
	default: return 0x3e000000 + (r & 0x83ffffff);
	}
}

static uint64_t random_f64(void)
{
	static const uint64_t special[] = {
		0,
		UINT64_C(0x8000000000000000),
		UINT64_C(0x3ff0000000000000),
		UINT64_C(0xbff0000000000000),
		UINT64_C(0x7ff0000000000000),
		UINT64_C(0xfff0000000000000),
		UINT64_C(0x7ff8000000000001),
		UINT64_C(0xfff8123456789abc),
		UINT64_C(0x7ff0000000000001),
		UINT64_C(0xfff4000000000000),
		1,
		UINT64_C(0x800fffffffffffff),
		UINT64_C(0x0010000000000000),
		UINT64_C(0x7fefffffffffffff),
		UINT64_C(0x41dfffffffc00000),
		UINT64_C(0x41e0000000000000),
		UINT64_C(0xc1e0000000200000),
		UINT64_C(0x43e0000000000000),
		UINT64_C(0x47efffffe0000000),
		UINT64_C(0x47effffff0000000),
		UINT64_C(0x3810000000000000),
		UINT64_C(0x380fffffffffffff),
		UINT64_C(0x36a0000000000000),
		UINT64_C(0x4004000000000000),
	};
	uint64_t r = random_u64();

	switch (r >> 60) {
	case 0 ... 5: return special[(r >> 8) % ARRAY_SIZE(special)];
	case 6 ... 7: return random_u64();
	case 8 ... 9: return UINT64_C(0x000e000000000000) + (r & UINT64_C(0x8005ffffffffffff));
	default: return UINT64_C(0x3fc0000000000000) + (r & UINT64_C(0x807fffffffffffff));
	}
}

static union vec random_int(bool is_count)
{
	uint64_t how = random_u64() & 3;
	union vec v;

	for (unsigned i = 0; i < 4; i++)
		v.u64[i] = random_u64();
	for (unsigned i = 0; i < 32 && how == 1; i++) /* extremes */
		v.u8[i] = v.u8[i] & 1 ? 0x80 : v.u8[i] & 2 ? 0xff : v.u8[i] & 4 ? 0x7f : 0;
	for (unsigned i = 0; i < 32 && how == 2; i++) /* small */
		v.u8[i] &= 3;
	if (is_count && how)
		for (unsigned i = 0; i < 8; i++)
			v.u32[i] = how == 1 || i % 2 == 0 ? v.u32[i] & 0x47 : 0;
	return v;
}

static union vec random_operand(enum host_kind kind)
{
	union vec v;

	switch (kind) {
	case F32:
	case APPROX:
	case RESULT_F32:
		for (unsigned i = 0; i < 8; i++)
			v.u32[i] = random_f32();
		return v;
	case F64:
	case RESULT_F64:
		for (unsigned i = 0; i < 4; i++)
			v.u64[i] = random_f64();
		return v;
	default: return random_int(kind == COUNT);
	}
}

/* Where the host gives another of several NaNs than we do, it becomes ours. */
static void adopt_nans(const struct host_row *row, union vec *result, const struct x86_cpu *c,
		       uint32_t mxcsr)
{
	struct dot d = { .a = vec_get(c->ymm[1], 0),
			 .b = vec_get(c->ymm[2], 0),
			 .imm = row->imm,
			 .vlen = row->vlen,
			 .mxcsr = mxcsr,
			 .is_double = row->fn == v_dppd };

	if (row->fn == v_dpps || row->fn == v_dppd)
		dot_adopt(&d, result);
}

/* All exceptions masked; any rounding, FZ, DAZ. */
static uint32_t random_mxcsr(void)
{
	uint64_t r = random_u64();

	return r & 1 ? 0x1f80 : 0x1f80 | (r & 0xe040);
}

/* ---- comparison ---- */

/* Estimates agree when both are within 1.5 * 2^-12 of the truth. */
static bool is_near(uint32_t x, uint32_t y)
{
	float a, b;

	if (x == y)
		return true;
	memcpy(&a, &x, 4);
	memcpy(&b, &y, 4);
	return (x ^ y) >> 31 == 0 && (x & 0x7f800000) != 0x7f800000 &&
	       (a - b) * (a - b) <= a * a * (4.0f / 4096 / 4096 * 2.25f);
}

static bool is_same(const union vec *x, const union vec *y, enum host_kind kind)
{
	if (kind != APPROX)
		return !memcmp(x, y, sizeof(*x));
	for (unsigned i = 0; i < 8; i++)
		if (!is_near(x->u32[i], y->u32[i]))
			return false;
	return true;
}

static void print_vec(const char *name, const void *p)
{
	const union vec v = vec_get(p, 0);

	g_test_message("%s %016" G_GINT64_MODIFIER "x %016" G_GINT64_MODIFIER
		       "x %016" G_GINT64_MODIFIER "x %016" G_GINT64_MODIFIER "x",
		       name, v.u64[3], v.u64[2], v.u64[1], v.u64[0]);
}

static bool compare_row(struct x86_cpu *c, const struct host_row *row)
{
	struct ir_native n = native(row->fn, row->vlen, row->imm);
	struct host h = { .mxcsr = random_mxcsr(), .mxcsr_default = 0x1f80 };
	const struct host in = h;
	bool general = row->kind == RESULT || row->kind == RESULT_F32 || row->kind == RESULT_F64;

	for (unsigned i = 0; i < 4; i++)
		h.r[i] = random_operand(row->kind);
	h.rax = random_u64() >> (random_u64() & 63);
	memcpy(c->ymm, h.r, sizeof(h.r));
	c->gpr[RAX] = h.rax;
	c->mxcsr = h.mxcsr;
	if (row->kind == GENERAL)
		n.src2 = VEC_NONE;
	if (general)
		n.dst = OFS_GPR(RAX);
	row->host(&h);
	adopt_nans(row, &h.r[0], c, in.mxcsr);
	row->fn(c, &n, c->gpr[RAX]);
	{
		const union vec got = vec_get(c->ymm[0], 0);

		if (is_same(&h.r[0], &got, row->kind) && h.mxcsr == c->mxcsr &&
		    (!general || h.rax == c->gpr[RAX]))
			return true;
	}
	g_test_message("%s mxcsr in %x: host %x rax %" G_GINT64_MODIFIER
		       "x, ours %x %" G_GINT64_MODIFIER "x",
		       row->name, in.mxcsr, h.mxcsr, h.rax, c->mxcsr, c->gpr[RAX]);
	print_vec("src1", c->ymm[1]);
	print_vec("src2", c->ymm[2]);
	print_vec("host", &h.r[0]);
	print_vec("ours", c->ymm[0]);
	return false;
}

/* ---- unmasked exceptions: the host raises SIGFPE ---- */
static sigjmp_buf host_jump;
static volatile uint32_t host_fault_mxcsr;

static void host_sigfpe(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	(void)sig;
	(void)info;
	host_fault_mxcsr = u->uc_mcontext.fpregs->mxcsr;
	siglongjmp(host_jump, 1);
}

/* Like compare_row(), with some exceptions unmasked: the same instructions must fault, with the
 * same flags, and leave the destination. */
static bool compare_unmasked(struct x86_cpu *c, const struct host_row *row)
{
	struct ir_native n = native(row->fn, row->vlen, row->imm);
	const uint32_t mxcsr = random_mxcsr() & ~(uint32_t)(random_u64() & random_u64() & 0x1f80);
	struct host h = { .mxcsr = mxcsr, .mxcsr_default = 0x1f80 };
	bool general = row->kind == RESULT || row->kind == RESULT_F32 || row->kind == RESULT_F64;
	const uint64_t rax = h.rax = random_u64();
	volatile bool faulted = false;

	for (unsigned i = 0; i < 4; i++)
		h.r[i] = random_operand(row->kind);
	memcpy(c->ymm, h.r, sizeof(h.r));
	c->gpr[RAX] = rax;
	c->mxcsr = mxcsr;
	c->env.fault = 0;
	if (row->kind == GENERAL)
		n.src2 = VEC_NONE;
	if (general)
		n.dst = OFS_GPR(RAX);
	if (sigsetjmp(host_jump, 1) == 0) {
		row->host(&h);
		adopt_nans(row, &h.r[0], c, mxcsr);
	} else {
		faulted = true;
		h.mxcsr = host_fault_mxcsr;
	}
	row->fn(c, &n, rax);
	if (h.mxcsr == c->mxcsr && faulted == (c->env.fault != 0) &&
	    !memcmp(c->ymm[0], &h.r[0], 32) && (faulted ? rax : h.rax) == c->gpr[RAX])
		return true;
	g_test_message("%s mxcsr in %x: host %x %s, ours %x %s", row->name, mxcsr, h.mxcsr,
		       faulted ? "faults" : "does not", c->mxcsr,
		       c->env.fault ? "faults" : "does not");
	print_vec("src1", c->ymm[1]);
	print_vec("src2", c->ymm[2]);
	print_vec("host", &h.r[0]);
	print_vec("ours", c->ymm[0]);
	return false;
}

static bool host_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static void test_agrees_with_the_host(void)
{
	enum { TRIES = 400 };
	struct x86_cpu *c = cpu_new();

	if (!host_has_avx2()) {
		g_test_skip("this host has no AVX2");
		free(c);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(host_rows); i++)
		for (unsigned k = 0; k < TRIES; k++)
			if (!compare_row(c, &host_rows[i])) {
				g_test_fail();
				break;
			}
	free(c);
}

static void test_unmasked_exceptions_agree_with_the_host(void)
{
	enum { TRIES = 100 };
	struct sigaction action = { .sa_sigaction = host_sigfpe, .sa_flags = SA_SIGINFO }, old;
	struct x86_cpu *c = cpu_new();

	sigaction(SIGFPE, &action, &old);
	for (unsigned i = 0; i < ARRAY_SIZE(host_rows) && host_has_avx2(); i++)
		for (unsigned k = 0; k < TRIES && host_rows[i].kind != APPROX; k++)
			if (!compare_unmasked(c, &host_rows[i])) {
				g_test_fail();
				break;
			}
	sigaction(SIGFPE, &old, NULL);
	free(c);
}

/* Strings with few different characters, so that matches happen. */
static union vec random_text(void)
{
	union vec v;
	unsigned len = random_u64() & 31;

	for (unsigned i = 0; i < 32; i++)
		v.u8[i] = i < len ? "abABz\x81\xff\x01"[random_u64() & (random_u64() & 1 ? 1 : 7)]
				  : 0;
	return v;
}

struct host_string {
	union vec a, b, mask;
	uint64_t rax, rdx, rcx, flags;
};

#define STRING_ASM(insn, imm)                                                              \
	__asm__ volatile(                                                                  \
		"vmovdqu (%0), %%xmm1\n\tvmovdqu 32(%0), %%xmm2\n\t"                       \
		"movq 96(%0), %%rax\n\tmovq 104(%0), %%rdx\n\t" insn                       \
		" %1, %%xmm2, %%xmm1\n\tpushfq\n\tpopq 120(%0)\n\tmovq %%rcx, 112(%0)\n\t" \
		"vmovdqu %%xmm0, 64(%0)\n\tvzeroupper"                                     \
		:                                                                          \
		: "r"(h), "i"(imm)                                                         \
		: "rax", "rcx", "rdx", "memory", "cc", "xmm0", "xmm1", "xmm2")

#define STRING_ROW(imm)                                                      \
	static void host_string_##imm(struct host_string *h, unsigned which) \
	{                                                                    \
		switch (which) {                                             \
		case 0: STRING_ASM("pcmpestrm", imm); break;                 \
		case 1: STRING_ASM("pcmpestri", imm); break;                 \
		case 2: STRING_ASM("pcmpistrm", imm); break;                 \
		default: STRING_ASM("pcmpistri", imm); break;                \
		}                                                            \
	}
/* clang-format off */
#define STRING_ROWS(R) \
	R(0x00) R(0x01) R(0x02) R(0x03) R(0x44) R(0x05) R(0x46) R(0x07) R(0x08) R(0x49) R(0x1a) \
	R(0x1b) R(0x0c) R(0x4d) R(0x0e) R(0x5f) R(0x10) R(0x34) R(0x38) R(0x3c) R(0x78) R(0x7d)
/* clang-format on */
STRING_ROWS(STRING_ROW)

static bool compare_string(struct x86_cpu *c, void (*host)(struct host_string *, unsigned),
			   unsigned imm, unsigned which)
{
	struct host_string h = {
		.a = random_text(),
		.b = random_text(),
		.rax = random_u64() >> 59,
		.rdx = random_u64() >> 59,
	};
	unsigned control = imm | (which < 2 ? STRING_EXPLICIT : 0);
	uint64_t r;

	if (random_u64() & 1)
		h.rax = 0 - h.rax;
	memcpy(c->ymm[1], &h.a, 32);
	memcpy(c->ymm[2], &h.b, 32);
	c->gpr[RAX] = h.rax;
	c->gpr[RDX] = h.rdx;
	host(&h, which);
	if (which & 1)
		r = vh_pcmpstri(c, OFS_YMM(1), OFS_YMM(2), control);
	else
		r = vh_pcmpstrm(c, OFS_YMM(1), OFS_YMM(2), control);
	if ((h.flags & 0x8d5) != (uint32_t)r)
		return false;
	return which & 1 ? h.rcx == r >> 32 : !memcmp(c->ymm[0], &h.mask, 16);
}

static void test_strings_agree_with_the_host(void)
{
	enum { TRIES = 500 };
	static const struct {
		void (*host)(struct host_string *h, unsigned which);
		unsigned imm;
	} rows[] = {
#define ROW(imm) { host_string_##imm, imm },
		STRING_ROWS(ROW)
#undef ROW
	};
	struct x86_cpu *c = cpu_new();

	for (unsigned i = 0; i < ARRAY_SIZE(rows) && host_has_avx2(); i++)
		for (unsigned k = 0; k < 4 * TRIES; k++)
			if (!compare_string(c, rows[i].host, rows[i].imm, k & 3)) {
				g_test_message("pcmpstr imm %#x form %u", rows[i].imm, k & 3);
				g_test_fail();
				break;
			}
	free(c);
}

/* ---- flags ---- */
#define FLAGS_FN(id, text)                                                              \
	static void host_flags_##id(struct host *h)                                     \
	{                                                                               \
		__asm__ volatile(HOST_SETUP text "\n\tpushfq\n\tpopq %%rax" HOST_RESULT \
				 :                                                      \
				 : "r"(h)                                               \
				 : HOST_CLOBBERS);                                      \
	}
FLAGS_FN(ptest, "vptest %%ymm2, %%ymm1")
FLAGS_FN(vtestps, "vtestps %%ymm2, %%ymm1")
FLAGS_FN(vtestpd, "vtestpd %%ymm2, %%ymm1")
FLAGS_FN(comiss, "vcomiss %%xmm2, %%xmm1")
FLAGS_FN(ucomiss, "vucomiss %%xmm2, %%xmm1")
FLAGS_FN(comisd, "vcomisd %%xmm2, %%xmm1")
FLAGS_FN(ucomisd, "vucomisd %%xmm2, %%xmm1")

static void test_flags_agree_with_the_host(void)
{
	enum { TRIES = 2000 };
	static const struct {
		void (*host)(struct host *h);
		ir_helper_fn *fn;
		unsigned control;
		enum host_kind kind;
	} rows[] = {
		{ host_flags_ptest, vh_ptest, 32, INT },
		{ host_flags_vtestps, vh_vtestps, 32, INT },
		{ host_flags_vtestpd, vh_vtestpd, 32, INT },
		{ host_flags_comiss, vh_comis, 0, F32 },
		{ host_flags_ucomiss, vh_comis, COMIS_QUIET, F32 },
		{ host_flags_comisd, vh_comis, COMIS_DOUBLE, F64 },
		{ host_flags_ucomisd, vh_comis, COMIS_DOUBLE | COMIS_QUIET, F64 },
	};
	struct x86_cpu *c = cpu_new();

	for (unsigned i = 0; i < ARRAY_SIZE(rows) && host_has_avx2(); i++)
		for (unsigned k = 0; k < TRIES; k++) {
			struct host h = { .mxcsr = random_mxcsr(), .mxcsr_default = 0x1f80 };
			uint64_t flags;

			h.r[1] = random_operand(rows[i].kind);
			h.r[2] = k & 1 ? random_operand(rows[i].kind) : h.r[1];
			if (k % 5 == 0)
				h.r[1] = (union vec){ .u64 = { 0 } };
			memcpy(c->ymm, h.r, sizeof(h.r));
			c->mxcsr = h.mxcsr;
			rows[i].host(&h);
			flags = rows[i].fn(c, OFS_YMM(1), OFS_YMM(2), rows[i].control);
			g_assert_cmphex(h.rax & 0x8d5, ==, flags);
			g_assert_cmphex(h.mxcsr, ==, c->mxcsr);
		}
	free(c);
}
