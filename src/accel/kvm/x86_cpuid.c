/* accel/kvm/x86_cpuid.c - what CPUID says under KVM: our CPU models, less what the kernel lacks.
 *
 * Only features that the translator has too are announced: any instruction may have to be run by it
 * (assist.c), and state beyond x87, SSE and AVX is not moved yet.
 * SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <stddef.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/cpuid.h"
#include "base/err.h"
#include "base/log.h"

enum { MAX_ENTRIES = 256, SUBLEAF = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };

/* struct kvm_cpuid2 with its entries. */
struct table {
	uint32_t count, pad;
	struct kvm_cpuid_entry2 entries[MAX_ENTRIES];
};

BUILD_ASSERT(offsetof(struct table, entries) == sizeof(struct kvm_cpuid2));

static const struct kvm_cpuid_entry2 *find(const struct table *t, uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct kvm_cpuid_entry2 *e = &t->entries[i];

		if (e->function == leaf && (!(e->flags & SUBLEAF) || e->index == subleaf))
			return e;
	}
	return NULL;
}

static uint32_t register_of(const struct kvm_cpuid_entry2 *e, unsigned reg)
{
	const uint32_t all[4] = { e->eax, e->ebx, e->ecx, e->edx };

	return all[reg];
}

static void set_word(uint32_t *words, enum x86_feature f, bool on)
{
	words[f / 32] = on ? words[f / 32] | 1u << f % 32 : words[f / 32] & ~(1u << f % 32);
}

static void words_from(const struct table *t, uint32_t *words)
{
	for (unsigned w = 0; w < X86_WORD_COUNT; w++) {
		uint32_t leaf, subleaf;
		unsigned reg;
		const struct kvm_cpuid_entry2 *e;

		x86_cpuid_word_place((enum x86_cpuid_word)w, &leaf, &subleaf, &reg);
		e = find(t, leaf, subleaf);
		words[w] = e ? register_of(e, reg) : 0;
	}
}

/* What the kernel lists, and what it leaves to the APICs, ours or its own. */
static void words_of(const struct kvm_accel *k, const struct table *t, uint32_t *words)
{
	bool has_lapic = k->chips.set != PC_CHIPS_NONE;
	bool has_msrs = has_lapic || k->vm.has_msr_exits;

	words_from(t, words);
	set_word(words, X86_FEAT_APIC, true);
	set_word(words, X86_FEAT_HYPERVISOR, true);
	set_word(words, X86_FEAT_ARAT, true);
	set_word(words, X86_FEAT_HT, true); /* says how the board has arranged vCPUs */
	set_word(words, X86_FEAT_CMP_LEGACY, true);
	set_word(words, X86_FEAT_X2APIC, has_msrs);
	set_word(words, X86_FEAT_TSC_DEADLINE, has_lapic ? k->sys.caps.tsc_deadline : has_msrs);
}

/* -cpu host: its name, family and vendor. */
static void fill_host(struct x86_cpuid_features *f, uint8_t *phys_bits)
{
	uint32_t r[4], brand[12];

	if (__get_cpuid(0, &r[0], &r[1], &r[2], &r[3]))
		f->vendor = r[1] == signature_AMD_ebx ? X86_VENDOR_AMD : X86_VENDOR_INTEL;
	if (__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]))
		f->signature = r[0] & 0x0fff3fff;
	for (unsigned i = 0; i < 3; i++) {
		if (!__get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1],
				 &brand[4 * i + 2], &brand[4 * i + 3]))
			return;
	}
	memcpy(f->brand, brand, sizeof(brand));
	f->brand[sizeof(brand)] = '\0';
	if (f->vendor == X86_VENDOR_AMD)
		f->level = 0xd; /* what lies above are Intel's */
	if (__get_cpuid(0x80000008, &r[0], &r[1], &r[2], &r[3]))
		*phys_bits = (uint8_t)(r[0] & 0xff);
}

/* What of KVM's own features works here.  The clock is a page that the kernel writes before the
 * vCPU goes in: where the translator runs kernels it might wait for that forever. */
static uint32_t paravirtual(const struct kvm_accel *k)
{
	uint32_t f = 1u << X86_FEAT_KVM_NOPIODELAY % 32;

	if (k->is_slow && k->helper && !k->interpreted)
		return f;
	return f | 1u << X86_FEAT_KVMCLOCK % 32 | 1u << X86_FEAT_KVMCLOCK_STABLE % 32;
}

bool x86_kvm_cpuid_restrict(struct kvm_accel *k, struct x86_cpu *c, char **warnings,
			    struct err *err)
{
	g_autofree struct table *t = g_new0(struct table, 1);
	struct x86_cpuid_features *f = c->feat;
	const struct kvm_cpuid_entry2 *sizes;
	uint32_t words[X86_WORD_COUNT];
	int r;

	t->count = MAX_ENTRIES;
	r = kvm_ioctl(k->sys.fd, KVM_GET_SUPPORTED_CPUID, t);
	if (r < 0)
		return err_errno(err, -r, "KVM does not tell what its processors have");
	words_of(k, t, words);
	words[X86_WORD_KVM] &= paravirtual(k);
	x86_cpuid_kvm(c, words[X86_WORD_KVM]);
	if (!x86_cpuid_restrict(c, words, "KVM on this host", warnings, err))
		return false;
	sizes = find(t, 0x80000008, 0);
	if (!strcmp(c->model->name, "host"))
		fill_host(f, &c->phys_bits);
	/* Addresses that the processor does not have would fault otherwise than announced. */
	if (sizes && (sizes->eax & 0xff) >= 32 && (sizes->eax & 0xff) < c->phys_bits)
		c->phys_bits = (uint8_t)(sizes->eax & 0xff);
	return true;
}

/* ---- the table that the guest is given ---- */

static void add(struct table *t, const struct x86_cpu *c, uint32_t leaf, uint32_t subleaf,
		uint32_t flags)
{
	struct kvm_cpuid_entry2 *e = &t->entries[t->count];
	uint32_t r[4];

	if (t->count == MAX_ENTRIES)
		return;
	x86_cpuid(c, leaf, subleaf, r);
	*e = (struct kvm_cpuid_entry2){ .function = leaf,
					.index = subleaf,
					.flags = flags,
					.eax = r[0],
					.ebx = r[1],
					.ecx = r[2],
					.edx = r[3] };
	t->count++;
}

static unsigned subleaves_of(uint32_t leaf)
{
	switch (leaf) {
	case 4: return 5;
	case 7: return 1;
	case 0xb: return 3;
	case 0xd: return 3;
	}
	return 0;
}

/* The kernel has the last word: some add features that they cannot hide. */
static void adopt(struct kvm_vcpu *kv, struct table *t)
{
	uint32_t words[X86_WORD_COUNT];
	g_autofree char *foreign = NULL;

	t->count = MAX_ENTRIES;
	if (kvm_ioctl(kv->fd, KVM_GET_CPUID2, t) < 0)
		return;
	words_from(t, words);
	foreign = x86_cpuid_adopt(kv->cpu, words);
	if (foreign && log_on(LOG_UNIMP))
		log_line("kvm: the kernel announces features to the guest that the translator "
			 "lacks: %s",
			 foreign);
}

bool x86_kvm_cpuid_set(struct kvm_vcpu *kv, struct err *err)
{
	g_autofree struct table *t = g_new0(struct table, 1);
	const struct x86_cpu *c = kv->cpu;
	int r;

	for (uint32_t leaf = 0; leaf <= c->feat->level; leaf++) {
		unsigned n = subleaves_of(leaf);

		for (unsigned i = 0; i < n; i++)
			add(t, c, leaf, i, SUBLEAF);
		if (!n)
			add(t, c, leaf, 0, 0);
	}
	if (x86_has(c, X86_FEAT_HYPERVISOR)) {
		add(t, c, 0x40000000, 0, 0);
		add(t, c, 0x40000001, 0, 0);
		add(t, c, 0x40000010, 0, 0);
	}
	for (uint32_t leaf = 0x80000000; leaf <= c->feat->xlevel; leaf++)
		add(t, c, leaf, 0, 0);
	r = kvm_ioctl(kv->fd, KVM_SET_CPUID2, t);
	if (r < 0)
		return err_errno(err, -r, "KVM refuses the CPU model");
	adopt(kv, t);
	return true;
}
