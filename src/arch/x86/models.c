/* arch/x86/models.c - the table of CPU models.
 *
 * Each lists what the model has by its name's custom; what the emulator lacks is masked (and told)
 * by cpuid.c.  All but that is the same everywhere: level 16H on Intel models lets systems read the
 * TSC frequency instead of measuring it.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/cpuid.h"

#define F(x) X86_FEAT_##x

/* What every 64-bit processor has. */
#define BASE                                                                                     \
	F(FPU), F(DE), F(PSE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(APIC), F(SEP), F(MTRR), \
		F(PGE), F(MCA), F(CMOV), F(PAT), F(PSE36), F(CLFLUSH), F(MMX), F(FXSR), F(SSE),  \
		F(SSE2), F(SSE3), F(CX16), F(SYSCALL), F(NX), F(LM), F(HYPERVISOR), F(X2APIC),   \
		F(TSC_DEADLINE), F(ARAT)
#define NEHALEM BASE, F(VME), F(SSSE3), F(SSE41), F(SSE42), F(POPCNT), F(LAHF_LM)
#define END     X86_FEAT_COUNT

static const uint16_t qemu64[] = { BASE, F(LAHF_LM), END };
static const uint16_t kvm64[] = { BASE, END };
static const uint16_t nehalem[] = { NEHALEM, END };
static const uint16_t haswell[] = {
	NEHALEM, F(PCLMULQDQ), F(FMA),      F(PCID),   F(MOVBE), F(AES),      F(XSAVE), F(AVX),
	F(F16C), F(RDRAND),    F(FSGSBASE), F(BMI1),   F(HLE),   F(AVX2),     F(SMEP),  F(BMI2),
	F(ERMS), F(INVPCID),   F(RTM),      F(RDTSCP), F(ABM),   F(XSAVEOPT), END,
};
static const uint16_t epyc[] = {
	NEHALEM,       F(PCLMULQDQ), F(MONITOR),     F(FMA),           F(MOVBE),    F(AES),
	F(XSAVE),      F(AVX),       F(F16C),        F(RDRAND),        F(FSGSBASE), F(BMI1),
	F(AVX2),       F(SMEP),      F(BMI2),        F(RDSEED),        F(ADX),      F(SMAP),
	F(CLFLUSHOPT), F(SHA_NI),    F(MMXEXT),      F(FXSR_OPT),      F(PDPE1GB),  F(RDTSCP),
	F(ABM),        F(SSE4A),     F(MISALIGNSSE), F(3DNOWPREFETCH), F(OSVW),     F(CR8LEGACY),
	F(SVM),        F(TOPOEXT),   F(XSAVEOPT),    F(XSAVEC),        F(XGETBV1),  END,
};

/* clang-format off */
const struct x86_model x86_models[] = {
	{ "qemu64", "the least a 64-bit system needs", X86_VENDOR_AMD, 0xd, 0x80000008,
	  15, 107, 1, 40, "Rhea Virtual CPU", qemu64 },
	{ "kvm64", "the same as an Intel processor", X86_VENDOR_INTEL, 0x16, 0x80000008,
	  15, 6, 1, 40, "Common KVM processor", kvm64 },
	{ "Nehalem", "Intel Core i7 9xx", X86_VENDOR_INTEL, 0x16, 0x80000008,
	  6, 26, 3, 40, "Intel Core i7 9xx (Nehalem Class Core i7)", nehalem },
	{ "Haswell", "Intel Core, 4th generation", X86_VENDOR_INTEL, 0x16, 0x80000008,
	  6, 60, 4, 40, "Intel Core Processor (Haswell)", haswell },
	{ "EPYC", "AMD EPYC, 1st generation", X86_VENDOR_AMD, 0xd, 0x80000008,
	  23, 1, 2, 40, "AMD EPYC Processor", epyc },
	{ "max", "every feature this emulator has", X86_VENDOR_INTEL, 0x16, 0x80000008,
	  6, 6, 3, 46, "Rhea TCG CPU", NULL },
	{ 0 },
};
/* clang-format on */

const char *const x86_model_names[] = { "qemu64", "kvm64", "Nehalem", "Haswell",
					"EPYC",   "max",   "host",    NULL };
BUILD_ASSERT(ARRAY_SIZE(x86_models) + 1 == ARRAY_SIZE(x86_model_names));

/* Not every accelerator has it, and those fill in the rest. */
static const struct x86_model host_model = {
	.name = "host",
	.help = "the host's processor (only with KVM)",
	.vendor = X86_VENDOR_INTEL,
	.level = 0x16,
	.xlevel = 0x80000008,
	.family = 6,
	.model = 6,
	.stepping = 3,
	.phys_bits = 46,
	.brand = "Host CPU",
};

const struct x86_model *x86_model_find(const char *name)
{
	for (const struct x86_model *m = x86_models; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return !strcmp(name, host_model.name) ? &host_model : NULL;
}
