/* arch/x86/cpuid.c - the CPUID instruction (SDM 2 CPUID; APM 3 appendix E).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

enum { EAX, EBX, ECX, EDX };
/* 80000001H:EDX repeats these bits of 1:EDX on AMD. */
enum { AMD_ALIASES = 0x0183f3ff };
enum { HYPERVISOR_MAX = 0x40000010 };

static unsigned width_of(uint32_t n)
{
	unsigned w = 0;

	while (n > (1u << w))
		w++;
	return w;
}

uint32_t x86_apic_id(uint32_t index, unsigned dies, unsigned cores, unsigned threads)
{
	unsigned wt = width_of(threads), wc = width_of(cores), wd = width_of(dies);
	uint32_t thread = index % threads, core = index / threads % cores;
	uint32_t die = index / (threads * cores) % dies, socket = index / (threads * cores * dies);

	return ((socket << wd | die) << wc | core) << wt | thread;
}

void x86_cpu_set_topology(struct x86_cpu *c, unsigned sockets, unsigned dies, unsigned cores,
			  unsigned threads)
{
	struct x86_cpuid_features *f = c->feat;
	bool is_multi = cores * threads > 1;

	f->sockets = sockets;
	f->dies = dies;
	f->cores = cores;
	f->threads = threads;
	f->word[X86_WORD_1_EDX] &= ~(1u << 28);
	if (is_multi)
		f->word[X86_WORD_1_EDX] |= 1u << 28; /* HT: the count in leaf 1 holds */
	f->word[X86_WORD_EXT_ECX] &= ~2u;
	if (is_multi && f->vendor == X86_VENDOR_AMD)
		f->word[X86_WORD_EXT_ECX] |= 2; /* CMP_LEGACY */
}

uint64_t x86_xcr0_supported(const struct x86_cpu *c)
{
	if (!x86_has(c, X86_FEAT_XSAVE))
		return 0;
	return XCR0_X87 | XCR0_SSE | (x86_has(c, X86_FEAT_AVX) ? XCR0_AVX : 0);
}

static unsigned package_threads(const struct x86_cpuid_features *f)
{
	return f->dies * f->cores * f->threads;
}

static void cpuid_vendor(const struct x86_cpu *c, uint32_t *r)
{
	const char *name = x86_is_amd(c) ? "AuthenticAMD" : "GenuineIntel";

	memcpy(&r[EBX], name, 4);
	memcpy(&r[EDX], name + 4, 4);
	memcpy(&r[ECX], name + 8, 4);
}

/* The APIC flag falls when the APIC is switched off in its base register (SDM 3A 10.4.3). */
static bool cpuid_apic_is_on(const struct x86_cpu *c)
{
	const struct vcpu_intc_ops *ops = c->vcpu ? c->vcpu->intc_ops : NULL;
	uint64_t base;

	return !ops || !ops->read_msr || !ops->read_msr(c->vcpu->intc, 0x1b, &base) ||
	       (base & BIT(11));
}

static void cpuid_1(const struct x86_cpu *c, uint32_t *r)
{
	const struct x86_cpuid_features *f = c->feat;
	uint32_t id = c->vcpu ? c->vcpu->apic_id : 0;

	r[EAX] = f->signature;
	r[EBX] = (id & 0xff) << 24 | (x86_has(c, X86_FEAT_CLFLUSH) ? 8u << 8 : 0);
	if (package_threads(f) > 1)
		r[EBX] |= (package_threads(f) & 0xff) << 16;
	r[ECX] = f->word[X86_WORD_1_ECX];
	if (c->cr4 & CR4_OSXSAVE)
		r[ECX] |= 1u << 27;
	r[EDX] = f->word[X86_WORD_1_EDX];
	if (!cpuid_apic_is_on(c))
		r[EDX] &= ~(1u << 9);
}

/* Caches: L1 32 KiB each, L2 512 KiB per core, L3 16 MiB per package; 64-byte lines. */
static void cpuid_4(const struct x86_cpu *c, uint32_t sub, uint32_t *r)
{
	static const struct {
		uint8_t type, level, ways;
		uint16_t sets;
	} cache[] = { { 1, 1, 8, 64 }, { 2, 1, 8, 64 }, { 3, 2, 8, 1024 }, { 3, 3, 16, 16384 } };
	const struct x86_cpuid_features *f = c->feat;
	unsigned sharing = sub == 3 ? package_threads(f) : f->threads;

	if (x86_is_amd(c) || sub >= ARRAY_SIZE(cache))
		return;
	r[EAX] = cache[sub].type | cache[sub].level << 5 | 1u << 8;
	r[EAX] |= ((1u << width_of(sharing)) - 1) << 14;
	r[EAX] |= ((1u << (width_of(f->cores) + width_of(f->dies))) - 1) << 26;
	r[EBX] = 63 | (cache[sub].ways - 1u) << 22;
	r[ECX] = cache[sub].sets - 1u;
}

static void cpuid_7(const struct x86_cpu *c, uint32_t sub, uint32_t *r)
{
	if (sub)
		return;
	r[EBX] = c->feat->word[X86_WORD_7_EBX];
	r[ECX] = c->feat->word[X86_WORD_7_ECX];
	r[EDX] = c->feat->word[X86_WORD_7_EDX];
}

static void cpuid_b(const struct x86_cpu *c, uint32_t sub, uint32_t *r)
{
	const struct x86_cpuid_features *f = c->feat;
	unsigned smt = width_of(f->threads);

	r[ECX] = sub & 0xff;
	r[EDX] = c->vcpu ? c->vcpu->apic_id : 0;
	if (sub == 0) {
		r[EAX] = smt;
		r[EBX] = f->threads;
		r[ECX] |= 1u << 8;
	} else if (sub == 1) {
		r[EAX] = smt + width_of(f->cores) + width_of(f->dies);
		r[EBX] = package_threads(f);
		r[ECX] |= 2u << 8;
	}
}

static void cpuid_d(const struct x86_cpu *c, uint32_t sub, uint32_t *r)
{
	uint64_t all = x86_xcr0_supported(c);

	if (!all)
		return;
	switch (sub) {
	case 0:
		r[EAX] = (uint32_t)all;
		r[EBX] = x86_xsave_size(c->xcr0, false);
		r[ECX] = x86_xsave_size(all, false);
		break;
	case 1:
		r[EAX] = c->feat->word[X86_WORD_XSAVE];
		if (x86_has(c, X86_FEAT_XSAVEC))
			r[EBX] = x86_xsave_size(c->xcr0, true);
		break;
	case 2:
		if (all & XCR0_AVX) {
			r[EAX] = 256;
			r[EBX] = 576;
		}
		break;
	}
}

/* TSC = crystal * EBX / EAX.  The crystal is the APIC timer's clock too, and systems multiply its
 * kHz by EBX in 32 bits: the best fraction with terms that small, which is good to a millionth. */
static void cpuid_15(const struct x86_cpu *c, uint32_t *r)
{
	uint64_t num = x86_tsc_hz(c), den = X86_TSC_HZ;
	uint64_t n0 = 0, n1 = 1, d0 = 1, d1 = 0; /* convergents */

	while (den) {
		uint64_t q = num / den, rest = num % den, n = q * n1 + n0, d = q * d1 + d0;

		if (n > UINT32_MAX / (X86_TSC_HZ / 1000) || d > UINT32_MAX)
			break;
		n0 = n1, n1 = n;
		d0 = d1, d1 = d;
		num = den;
		den = rest;
	}
	r[EAX] = (uint32_t)d1;
	r[EBX] = (uint32_t)n1;
	r[ECX] = X86_TSC_HZ;
}

static void cpuid_basic(const struct x86_cpu *c, uint32_t leaf, uint32_t sub, uint32_t *r)
{
	switch (leaf) {
	case 0:
		r[EAX] = c->feat->level;
		if (c->msr_misc_enable & BIT(22)) /* limit for systems of old */
			r[EAX] = 2;
		cpuid_vendor(c, r);
		break;
	case 1: cpuid_1(c, r); break;
	case 2: /* descriptors: 32 KiB L1 data and code, see leaf 4 for the rest */
		if (!x86_is_amd(c)) {
			r[EAX] = 1;
			r[EDX] = 0x00ff302c;
		}
		break;
	case 4: cpuid_4(c, sub, r); break;
	case 6: r[EAX] = c->feat->word[X86_WORD_6_EAX]; break;
	case 7: cpuid_7(c, sub, r); break;
	case 0xb: cpuid_b(c, sub, r); break;
	case 0xd: cpuid_d(c, sub, r); break;
	case 0x15: cpuid_15(c, r); break;
	case 0x16: r[EAX] = r[EBX] = r[ECX] = (uint32_t)(x86_tsc_hz(c) / 1000000); break;
	}
}

static void cpuid_hypervisor(const struct x86_cpu *c, uint32_t leaf, uint32_t *r)
{
	uint32_t kvm = c->feat->word[X86_WORD_KVM];

	if (!c->feat->hypervisor[0])
		return;
	if (leaf == 0x40000000) {
		r[EAX] = HYPERVISOR_MAX;
		memcpy(&r[EBX], c->feat->hypervisor, 12);
	} else if (leaf == 0x40000001) { /* the clock's older registers are there too */
		r[EAX] = kvm | (x86_has(c, X86_FEAT_KVMCLOCK) ? 1 : 0);
	} else if (leaf == 0x40000010) { /* TSC and APIC timer in kHz */
		r[EAX] = (uint32_t)(x86_tsc_hz(c) / 1000);
		r[EBX] = X86_TSC_HZ / 1000;
	}
}

static void cpuid_extended(const struct x86_cpu *c, uint32_t leaf, uint32_t *r)
{
	const struct x86_cpuid_features *f = c->feat;
	bool amd = x86_is_amd(c);

	switch (leaf) {
	case 0x80000000:
		r[EAX] = f->xlevel;
		if (amd)
			cpuid_vendor(c, r);
		break;
	case 0x80000001:
		r[EAX] = amd ? f->signature : 0;
		r[ECX] = f->word[X86_WORD_EXT_ECX];
		r[EDX] = f->word[X86_WORD_EXT_EDX];
		if (amd)
			r[EDX] |= f->word[X86_WORD_1_EDX] & AMD_ALIASES;
		if (c->msr_misc_enable & BIT(34)) /* XD disable */
			r[EDX] &= ~(1u << 20);
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004: memcpy(r, f->brand + 16 * (leaf - 0x80000002), 16); break;
	case 0x80000005: /* L1: 32 KiB, 8 ways, 64-byte lines; TLBs of 64 entries */
		if (amd) {
			r[EAX] = r[EBX] = 0xff40ff40;
			r[ECX] = r[EDX] = 32u << 24 | 8 << 16 | 1 << 8 | 64;
		}
		break;
	case 0x80000006: /* L2: 512 KiB, 8 ways; L3: 16 MiB, 16 ways */
		r[ECX] = 512u << 16 | 6 << 12 | 1 << 8 | 64;
		if (amd)
			r[EDX] = 32u << 18 | 8 << 12 | 1 << 8 | 64;
		break;
	case 0x80000007: r[EDX] = f->word[X86_WORD_EXT7_EDX]; break;
	case 0x80000008:
		r[EAX] = c->phys_bits | (x86_has(c, X86_FEAT_LM) ? 48u : 32u) << 8;
		r[EBX] = f->word[X86_WORD_EXT8_EBX];
		if (amd && package_threads(f) > 1)
			r[ECX] = (package_threads(f) - 1) | width_of(package_threads(f)) << 12;
		break;
	}
}

void x86_cpuid(const struct x86_cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct x86_cpuid_features *f = c->feat;

	memset(out, 0, 16);
	if (leaf >= 0x40000000 && leaf <= HYPERVISOR_MAX && x86_has(c, X86_FEAT_HYPERVISOR)) {
		cpuid_hypervisor(c, leaf, out);
		return;
	}
	if (leaf >= 0x80000000 && leaf <= f->xlevel) {
		cpuid_extended(c, leaf, out);
		return;
	}
	if (leaf > f->level) { /* Intel answers with the highest basic leaf */
		if (x86_is_amd(c))
			return;
		leaf = f->level;
	}
	cpuid_basic(c, leaf, subleaf, out);
}
