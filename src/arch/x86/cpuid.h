/* arch/x86/cpuid.h - CPU models and what CPUID announces.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "arch/x86/state.h"

struct accel;
struct err;

/* The words of feature flags, each one register of one CPUID leaf. */
enum x86_cpuid_word {
	X86_WORD_1_EDX,
	X86_WORD_1_ECX,
	X86_WORD_7_EBX,
	X86_WORD_7_ECX,
	X86_WORD_7_EDX,
	X86_WORD_EXT_EDX, /* 80000001H */
	X86_WORD_EXT_ECX,
	X86_WORD_EXT7_EDX, /* 80000007H */
	X86_WORD_EXT8_EBX, /* 80000008H */
	X86_WORD_XSAVE,    /* (0DH,1) EAX */
	X86_WORD_6_EAX,
	X86_WORD_KVM, /* 40000001H EAX */
	X86_WORD_COUNT
};

/* X86_FEAT_AVX2 etc.: word * 32 + bit. */
enum x86_feature {
#define X86_FEATURE(id, name, word, bit, works) X86_FEAT_##id = X86_WORD_##word * 32 + (bit),
#include "arch/x86/cpuid_features.def"
#undef X86_FEATURE
	X86_FEAT_COUNT = X86_WORD_COUNT * 32
};

enum x86_vendor { X86_VENDOR_INTEL, X86_VENDOR_AMD };

/* What one vCPU announces.  Const after init; copied per vCPU, so models stay const tables. */
struct x86_cpuid_features {
	uint32_t word[X86_WORD_COUNT];
	uint64_t isa; /* of these, what decides whether an instruction exists: x86_decode_mode's */
	enum x86_vendor vendor;
	uint32_t level, xlevel; /* highest basic and extended leaf */
	uint32_t signature;     /* leaf 1 EAX: family, model, stepping */
	char brand[49];
	char hypervisor[13]; /* leaf 40000000H; "": there is none */
	/* Of X86_WORD_KVM: for whoever is KVM; of these, what the user named; is it to be hidden?
	 */
	uint32_t kvm_wanted, kvm_named;
	bool hides_kvm;
	bool is_all;                    /* the model is "whatever there is" */
	bool is_enforced, is_unchecked; /* must nothing be missing?  is what is missing not told? */
	/* Topology from -smp (x86_cpu_set_topology); at least 1 each. */
	uint32_t sockets, dies, cores, threads;
};

/* A row of the table of models. */
struct x86_model {
	const char *name, *help;
	enum x86_vendor vendor;
	uint32_t level, xlevel;
	uint8_t family, model, stepping;
	uint8_t phys_bits;
	const char *brand;
	const uint16_t
		*features; /* enum x86_feature, ends with X86_FEAT_COUNT; NULL: all that work */
};
extern const struct x86_model x86_models[]; /* ends with name NULL */
extern const char *const x86_model_names[]; /* the same and "host", NULL-terminated */
const struct x86_model *x86_model_find(const char *name);

static inline bool x86_has(const struct x86_cpu *c, enum x86_feature f)
{
	return c->feat->word[f / 32] >> (f % 32) & 1;
}
static inline bool x86_is_amd(const struct x86_cpu *c) { return c->feat->vendor == X86_VENDOR_AMD; }

/* True when the emulator implements the feature. */
bool x86_feature_works(enum x86_feature f);
/* "avx2" or NULL; words and aliases are looked up by x86_feature_find (-1: unknown). */
const char *x86_feature_name(unsigned f);
int x86_feature_find(const char *name);

/* The model "host" is there only where the accelerator has one. */
bool x86_cpu_check_host(const char *text, const struct accel *a, struct err *err);
/* "Haswell,-avx2,+sha-ni,umip=off" into model, features and phys_bits of c.  Features that don't
 * work are dropped; each that the model or the user asked for is told in `warnings` (one line each,
 * g_malloc, NULL when none). */
bool x86_cpuid_init(struct x86_cpu *c, const char *text, char **warnings, struct err *err);
/* It runs under KVM, which offers its guests those features (X86_WORD_KVM).  To be followed by
 * x86_cpuid_restrict(), which tells of those that are asked for and missing. */
void x86_cpuid_kvm(struct x86_cpu *c, uint32_t offered);
/* It does not: what the user named in vain, a line each (g_free()), or NULL. */
char *x86_cpuid_no_kvm(const struct x86_cpu *c);
/* What it runs on has only those features: others are dropped, and told as above where the user or
 * the model asked for them; who names it. */
bool x86_cpuid_restrict(struct x86_cpu *c, const uint32_t words[X86_WORD_COUNT], const char *who,
			char **warnings, struct err *err);
/* What it runs on announces these, whatever it was told: so they are announced, but for those that
 * do not work here; the names of these, or NULL; g_free(). */
char *x86_cpuid_adopt(struct x86_cpu *c, const uint32_t words[X86_WORD_COUNT]);
/* Leaf and register of a word: 0 EAX ... 3 EDX. */
void x86_cpuid_word_place(enum x86_cpuid_word w, uint32_t *leaf, uint32_t *subleaf, unsigned *reg);
/* For x86_cpu_take_warnings(); takes the text, which may be NULL. */
void x86_cpu_add_warnings(char *text);
/* How the machine's vCPUs are arranged: from -smp, before start. */
void x86_cpu_set_topology(struct x86_cpu *c, unsigned sockets, unsigned dies, unsigned cores,
			  unsigned threads);
/* APIC id of the index-th vCPU of such a machine: fields as wide as their counts need. */
uint32_t x86_apic_id(uint32_t index, unsigned dies, unsigned cores, unsigned threads);
void x86_cpuid(const struct x86_cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* Warnings of the cpu_new()s so far, one line each, for main to print once; g_free().  NULL: none.
 */
char *x86_cpu_take_warnings(void);
void x86_cpu_help(FILE *out);
/* arch_ops.cpu_expand and .cpu_missing. */
struct arch_cpu_prop;
bool x86_cpu_expand(const char *text, struct accel *a,
		    void (*fn)(const struct arch_cpu_prop *, void *), void *opaque,
		    struct err *err);
void x86_cpu_missing(const char *model, struct accel *a, void (*fn)(const char *feature, void *),
		     void *opaque);

/* XCR0 bits this vCPU may set (SDM 1 13.3). */
enum { XCR0_X87 = 1u << 0, XCR0_SSE = 1u << 1, XCR0_AVX = 1u << 2 };
uint64_t x86_xcr0_supported(const struct x86_cpu *c);

enum { X86_TSC_HZ = 1000000000 }; /* the cycle count is the machine's clock in ns */
