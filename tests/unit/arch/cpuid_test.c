/* tests/unit/arch/cpuid_test.c - CPU models, feature options, MSRs, control registers, XSAVE.
 * SPDX-License-Identifier: MIT */
#include "sys_fixture.h"

static void cpuid(struct rig *r, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	x86_cpuid(r->c, leaf, sub, out);
}

static void test_every_model_announces_only_what_works(void)
{
	for (const struct x86_model *m = x86_models; m->name; m++) {
		struct rig *r = rig_new(m->name);
		uint32_t out[4];

		for (unsigned f = 0; f < X86_FEAT_COUNT; f++)
			if (x86_has(r->c, (enum x86_feature)f))
				g_assert_true(x86_feature_works((enum x86_feature)f));
		cpuid(r, 0, 0, out);
		g_assert_cmphex(out[0], ==, m->level);
		g_assert_true(!memcmp(&out[1], m->vendor == X86_VENDOR_AMD ? "Auth" : "Genu", 4));
		g_assert_true(x86_has(r->c, X86_FEAT_LM) && x86_has(r->c, X86_FEAT_SSE2));
		cpuid(r, 0x80000008, 0, out);
		g_assert_cmphex(out[0], ==, m->phys_bits | 48u << 8);
		rig_free(r);
	}
}

static void test_signatures(void)
{
	struct rig *r = rig_new("Haswell");
	uint32_t out[4];

	cpuid(r, 1, 0, out);
	g_assert_cmphex(out[0], ==, 0x306c4);
	g_assert_false(out[2] >> 27 & 1);
	r->c->cr4 |= CR4_OSXSAVE;
	cpuid(r, 1, 0, out);
	g_assert_true(out[2] >> 27 & 1);
	cpuid(r, 0x15, 0, out);
	g_assert_cmpuint(out[2], ==, X86_TSC_HZ);
	cpuid(r, 0x1234, 0, out); /* beyond the last: as the last */
	g_assert_cmpuint(out[0], ==, 1000);
	rig_free(r);
	r = rig_new("EPYC");
	cpuid(r, 1, 0, out);
	g_assert_cmphex(out[0], ==, 0x800f12);
	cpuid(r, 0x1234, 0, out);
	g_assert_cmphex(out[0] | out[1] | out[2] | out[3], ==, 0);
	rig_free(r);
}

static void test_features_can_be_changed(void)
{
	struct rig *r = rig_new("Haswell,-avx2,+sha-ni,umip=on,smep=off,lahf_lm=off,phys-bits=36");

	g_assert_false(x86_has(r->c, X86_FEAT_AVX2));
	g_assert_true(x86_has(r->c, X86_FEAT_SHA_NI));
	g_assert_true(x86_has(r->c, X86_FEAT_UMIP));
	g_assert_false(x86_has(r->c, X86_FEAT_SMEP));
	g_assert_false(x86_has(r->c, X86_FEAT_LAHF_LM));
	g_assert_cmpuint(r->c->phys_bits, ==, 36);
	rig_free(r);
	r = rig_new("max,-xsave");
	g_assert_false(x86_has(r->c, X86_FEAT_AVX2)); /* stands on AVX, which stands on XSAVE */
	rig_free(r);
}

static void expect_error(const char *text, const char *words)
{
	struct x86_cpu c = { 0 };
	struct err err = { 0 };
	char *warnings;

	g_assert_false(x86_cpuid_init(&c, text, &warnings, &err));
	if (!strstr(err.text, words))
		g_error("'%s' gave '%s', not '%s'", text, err.text, words);
	g_free(c.feat);
}

static void test_bad_options_are_told(void)
{
	struct err err = { 0 };

	g_assert_false(x86_cpu_check_host("host,-avx", NULL, &err));
	g_assert_cmpstr(err.text, ==, "The 'host' CPU type can only be used with KVM");
	g_assert_true(x86_cpu_check_host("hostess", NULL, &err));
	expect_error("Haswel", "did you mean 'Haswell'");
	expect_error("", "unknown CPU model ''");
	expect_error("max,avx22", "did you mean 'avx2'");
	expect_error("max,+nosuchthing", "unknown CPU feature 'nosuchthing'");
	expect_error("max,avx=maybe", "expects 'on' or 'off', not 'maybe'");
	expect_error("max,phys-bits=99", "from 32 to 52, not '99'");
	expect_error("max,phys-bits", "expects a number");
	expect_error("max,vendor=Cyrix", "not 'Cyrix'");
	expect_error("qemu64,enforce,+avx512f,+vmx", "TCG doesn't support: ");
	expect_error("qemu64,enforce,+avx512f,+vmx", "vmx, ");
	expect_error("qemu64,enforce,+avx512f,+vmx", "avx512f");
	expect_error("qemu64,check=maybe", "CPU feature 'check' expects 'on' or 'off'");
}

static void test_missing_features_are_warned_of(void)
{
	struct x86_cpu c = { 0 };
	struct err err = { 0 };
	char *warnings;

	g_assert_true(x86_cpuid_init(&c, "max,+svm", &warnings, &err));
	g_assert_nonnull(strstr(warnings, "CPUID.80000001H:ECX.svm [bit 2]"));
	g_free(warnings);
	g_assert_true(x86_cpuid_init(&c, "qemu64", &warnings, &err));
	g_assert_null(warnings);
	g_assert_true(x86_cpuid_init(&c, "max,+svm,check=off", &warnings, &err));
	g_assert_null(warnings);
	g_free(c.feat);
}

static void test_topology(void)
{
	struct rig *r = rig_new("max");
	uint32_t out[4];

	x86_cpu_set_topology(r->c, 2, 1, 3, 2);
	cpuid(r, 0xb, 0, out);
	g_assert_cmpuint(out[0], ==, 1);
	g_assert_cmpuint(out[1], ==, 2);
	cpuid(r, 0xb, 1, out);
	g_assert_cmpuint(out[0], ==, 3); /* 3 cores need two bits */
	g_assert_cmpuint(out[1], ==, 6);
	cpuid(r, 0xb, 2, out);
	g_assert_cmpuint(out[1], ==, 0);
	g_assert_true(x86_has(r->c, X86_FEAT_HT));
	g_assert_cmpuint(x86_apic_id(6, 1, 3, 2), ==, 8);
	g_assert_cmpuint(x86_apic_id(5, 1, 3, 2), ==, 5);
	rig_free(r);
}

static void msr_fails(struct rig *r, uint32_t msr, uint64_t v)
{
	g_assert_false(x86_msr_write(r->c, msr, v));
	rig_fault(r, EXC_GP, 0);
}

static void test_msrs(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;
	uint64_t v;

	rig_long(r, 0);
	g_assert_true(x86_msr_write(c, 0xc0000082, UINT64_C(0xffff800000000000)));
	g_assert_true(x86_msr_read(c, 0xc0000082, &v));
	g_assert_cmphex(v, ==, UINT64_C(0xffff800000000000));
	msr_fails(r, 0xc0000082, BIT(47));
	msr_fails(r, 0xc0000100, BIT(48));
	msr_fails(r, 0x277, 2);      /* PAT type 2 */
	msr_fails(r, 0x2ff, 0x1002); /* MTRR */
	msr_fails(r, 0x200, BIT(60));
	msr_fails(r, 0xc0000080, BIT(1));
	msr_fails(r, 0xc0000080, EFER_SCE);        /* LME off while paging */
	msr_fails(r, 0x4b564d00, 0);               /* KVM's */
	g_assert_false(x86_msr_read(c, 0x48, &v)); /* SPEC_CTRL is not announced */
	rig_fault(r, EXC_GP, 0);
	g_assert_true(x86_msr_read(c, 0x179, &v));
	g_assert_cmpuint(v & 0xff, ==, 10);
	g_assert_true(x86_msr_read(c, 0x400 + 39, &v));
	g_assert_false(x86_msr_read(c, 0x400 + 40, &v));
	rig_fault(r, EXC_GP, 0);
	rig_free(r);
}

static bool answer(struct x86_cpu *c, uint32_t msr, uint64_t *v, bool is_write)
{
	(void)c;
	(void)msr;
	if (!is_write)
		*v = 7;
	return true;
}

/* What is here and refuses a value, or an access, is not asked for elsewhere. */
static void test_who_else_has_an_msr(void)
{
	struct rig *r = rig_new("max");
	uint64_t v;

	rig_long(r, 0);
	r->c->other_msr = answer;
	g_assert_true(x86_msr_read(r->c, 0x140, &v));
	g_assert_cmpuint(v, ==, 7);
	g_assert_true(x86_msr_write(r->c, 0x140, 1));
	msr_fails(r, 0xc0000082, BIT(47));
	msr_fails(r, 0xc0000100, BIT(48));
	msr_fails(r, 0x277, 2);
	msr_fails(r, 0x2ff, 0x1002);
	msr_fails(r, 0xfe, 0); /* MTRR_CAP is read-only */
	msr_fails(r, 0xc0000080, BIT(1));
	rig_free(r);
}

/* A kernel that adds features to what it is told: those that are not done here stay hidden, or a
 * guest's kernel would execute them here (SERIALIZE among the first things that Linux does). */
static void test_what_works_is_adopted(void)
{
	struct rig *r = rig_new("Haswell");
	uint32_t words[X86_WORD_COUNT], out[4];
	char *foreign;

	x86_cpuid_kvm(r->c, UINT32_MAX); /* the clock is the kernel's, and stays */
	memcpy(words, r->c->feat->word, sizeof(words));
	foreign = x86_cpuid_adopt(r->c, words);
	g_assert_null(foreign);
	g_assert_false(x86_has(r->c, X86_FEAT_SHA_NI));
	words[X86_FEAT_SHA_NI / 32] |= 1u << X86_FEAT_SHA_NI % 32;
	words[X86_FEAT_AVX512F / 32] |= 1u << X86_FEAT_AVX512F % 32;
	words[X86_FEAT_MOVDIRI / 32] |= 1u << X86_FEAT_MOVDIRI % 32;
	words[X86_FEAT_SMEP / 32] &= ~(1u << X86_FEAT_SMEP % 32);
	foreign = x86_cpuid_adopt(r->c, words);
	g_assert_cmpstr(foreign, ==, "avx512f, movdiri");
	g_free(foreign);
	g_assert_true(x86_has(r->c, X86_FEAT_SHA_NI));
	g_assert_false(x86_has(r->c, X86_FEAT_AVX512F) || x86_has(r->c, X86_FEAT_MOVDIRI));
	g_assert_true(x86_has(r->c, X86_FEAT_KVMCLOCK));
	g_assert_false(x86_has(r->c, X86_FEAT_SMEP));
	cpuid(r, 7, 0, out);
	g_assert_false(out[1] >> 16 & 1 || out[1] >> 7 & 1);
	g_assert_true(out[1] >> 29 & 1);
	rig_free(r);
}

static void test_tsc_adjust_follows_the_tsc(void)
{
	const uint64_t second = 1000000000; /* the TSC counts nanoseconds */
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;
	uint64_t v;

	r->v.clock = vclock_new();
	vclock_set_manual(r->v.clock);
	vclock_set(r->v.clock, second);
	g_assert_cmpuint(x86_tsc(c), ==, second);
	g_assert_true(x86_msr_write(c, 0x10, 5 * second));
	g_assert_cmpuint(x86_tsc(c), ==, 5 * second);
	g_assert_true(x86_msr_read(c, 0x3b, &v));
	g_assert_cmpuint(v, ==, 4 * second);
	g_assert_true(x86_msr_write(c, 0x3b, 0));
	g_assert_cmpuint(x86_tsc(c), ==, second);
	vclock_free(r->v.clock);
	r->v.clock = NULL;
	rig_free(r);
}

static void cr_fails(struct rig *r, unsigned n, uint64_t v)
{
	g_assert_false(x86_cr_write(r->c, n, v));
	rig_fault(r, EXC_GP, 0);
}

static void test_control_registers(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	cr_fails(r, 0, CR0_PG);          /* without PE */
	cr_fails(r, 0, CR0_PE | CR0_NW); /* without CD */
	cr_fails(r, 0, BIT(32) | CR0_PE);
	cr_fails(r, 4, CR4_LA57);
	cr_fails(r, 4, CR4_PCIDE); /* outside long mode */
	g_assert_true(x86_msr_write(c, 0xc0000080, EFER_LME));
	cr_fails(r, 0, c->cr0 | CR0_PG); /* long mode needs PAE */
	c->cr4 = CR4_PAE;
	g_assert_true(x86_cr_write(c, 0, c->cr0 | CR0_PG));
	g_assert_true(x86_is_long(c));
	g_assert_false(x86_is_code64(c));
	cr_fails(r, 4, 0);
	cr_fails(r, 3, BIT(60));
	g_assert_true(x86_cr_write(c, 0, c->cr0 & ~(uint64_t)CR0_PG));
	g_assert_false(x86_is_long(c));
	g_assert_false(x86_cr_write(c, 5, 0));
	rig_fault(r, EXC_UD, -1);
	g_assert_false(x86_xsetbv(c, 0, XCR0_AVX | XCR0_X87));
	rig_fault(r, EXC_GP, 0);
	g_assert_true(x86_xsetbv(c, 0, 7));
	rig_free(r);
}

static void test_xsave_round_trip(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_long(r, 0);
	c->cr4 |= CR4_OSXSAVE;
	c->xcr0 = 7;
	x86_xstate_init(c, 7);
	g_assert_cmphex(x86_xinuse(c), ==, 0);
	c->ftop = 3;
	c->ftag = 8;
	c->fpr[3] = (struct x86_f80){ .frac = BIT(63), .sexp = 0x3fff };
	memset(c->ymm[15], 0x5a, 32);
	g_assert_true(x86_xsave(c, 0x8000, UINT64_MAX, true, XSAVE_COMPACT));
	g_assert_cmphex(rig_peek(r, 0x8200, 8), ==, 7);
	g_assert_cmphex(rig_peek(r, 0x8208, 8), ==, BIT(63) | 7);
	g_assert_cmphex(rig_peek(r, 0x8020, 8), ==, BIT(63)); /* ST0 first */
	x86_xstate_init(c, 7);
	g_assert_true(x86_xrstor(c, 0x8000, 7, true));
	g_assert_cmpuint(c->ftop, ==, 3);
	g_assert_cmphex(c->fpr[3].sexp, ==, 0x3fff);
	g_assert_cmphex(c->ymm[15][31], ==, 0x5a);
	rig_poke(r, 0x8200, 8, 1); /* absent components come back initial */
	g_assert_true(x86_xrstor(c, 0x8000, 7, true));
	g_assert_cmphex(c->ymm[15][0] | c->ymm[15][31], ==, 0);
	g_assert_false(x86_xrstor(c, 0x8020, 7, true)); /* misaligned */
	rig_fault(r, EXC_GP, 0);
	rig_poke(r, 0x8200, 8, 8); /* a component that is not in XCOMP_BV */
	g_assert_false(x86_xrstor(c, 0x8000, 7, true));
	rig_fault(r, EXC_GP, 0);
	rig_poke(r, 0x8200, 8, 2);
	rig_poke(r, 0x8018, 4, 0x10000); /* MXCSR reserved */
	g_assert_false(x86_xrstor(c, 0x8000, 7, true));
	rig_fault(r, EXC_GP, 0);
	rig_free(r);
}

static void test_fxsave_formats(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_long(r, 0);
	x86_xstate_init(c, 7);
	c->fip = UINT64_C(0x123456789abc);
	c->ymm[1][0] = 7;
	g_assert_true(x86_fxsave(c, 0x8000, true));
	g_assert_cmphex(rig_peek(r, 0x8008, 8), ==, UINT64_C(0x123456789abc));
	g_assert_cmphex(rig_peek(r, 0x801c, 4), ==, 0xffff);
	g_assert_cmphex(rig_peek(r, 0x8000 + 160 + 16, 1), ==, 7);
	g_assert_false(x86_fxsave(c, 0x8008, true));
	rig_fault(r, EXC_GP, 0);
	x86_xstate_init(c, 7);
	g_assert_true(x86_fxrstor(c, 0x8000, true));
	g_assert_cmpuint(c->ymm[1][0], ==, 7);
	g_assert_cmphex(c->fip, ==, UINT64_C(0x123456789abc));
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cpuid/models_announce_only_what_works",
			test_every_model_announces_only_what_works);
	g_test_add_func("/cpuid/signatures", test_signatures);
	g_test_add_func("/cpuid/features_can_be_changed", test_features_can_be_changed);
	g_test_add_func("/cpuid/bad_options_are_told", test_bad_options_are_told);
	g_test_add_func("/cpuid/missing_features_are_warned_of",
			test_missing_features_are_warned_of);
	g_test_add_func("/cpuid/topology", test_topology);
	g_test_add_func("/cpuid/adopted", test_what_works_is_adopted);
	g_test_add_func("/cpuid/msrs", test_msrs);
	g_test_add_func("/cpuid/msrs_elsewhere", test_who_else_has_an_msr);
	g_test_add_func("/cpuid/tsc_adjust", test_tsc_adjust_follows_the_tsc);
	g_test_add_func("/cpuid/control_registers", test_control_registers);
	g_test_add_func("/cpuid/xsave_round_trip", test_xsave_round_trip);
	g_test_add_func("/cpuid/fxsave_formats", test_fxsave_formats);
	return g_test_run();
}
