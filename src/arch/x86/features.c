/* arch/x86/features.c - feature names, and -cpu MODEL[,+feat][,-feat][,key=value] into a set of
 * announced features.
 * SPDX-License-Identifier: MIT */
#include <glib.h>

#include "arch/x86/cpuid.h"
#include "base/err.h"
#include "base/lock.h"
#include "cpu/arch.h"
#include "cpu/accel.h"
#include "cpu/vcpu.h"
#include "arch/x86/decode.h"
#include "arch/x86/isa_gen.h"

struct feature_row {
	const char *name;
	uint16_t id;
	bool works;
};

static const struct feature_row feature_rows[] = {
#define X86_FEATURE(id, name, word, bit, works) { name, X86_FEAT_##id, works },
#include "arch/x86/cpuid_features.def"
#undef X86_FEATURE
};

/* Other usual spellings. */
static const struct {
	const char *alias, *name;
} feature_aliases[] = {
	{ "sse3", "pni" },
	{ "pclmuldq", "pclmulqdq" },
	{ "sse4-1", "sse4.1" },
	{ "sse4-2", "sse4.2" },
	{ "lzcnt", "abm" },
	{ "xd", "nx" },
	{ "i64", "lm" },
	{ "ffxsr", "fxsr-opt" },
	{ "cmpxchg8b", "cx8" },
	{ "cmpxchg16b", "cx16" },
	{ "sha", "sha-ni" },
	{ "ds_cpl", "ds-cpl" },
	{ "tsc-deadline-timer", "tsc-deadline" },
};

/* Where a word is, for messages. */
static const char *const word_names[X86_WORD_COUNT] = {
	[X86_WORD_1_EDX] = "CPUID.01H:EDX",          [X86_WORD_1_ECX] = "CPUID.01H:ECX",
	[X86_WORD_7_EBX] = "CPUID.07H:EBX",          [X86_WORD_7_ECX] = "CPUID.07H:ECX",
	[X86_WORD_7_EDX] = "CPUID.07H:EDX",          [X86_WORD_EXT_EDX] = "CPUID.80000001H:EDX",
	[X86_WORD_EXT_ECX] = "CPUID.80000001H:ECX",  [X86_WORD_EXT7_EDX] = "CPUID.80000007H:EDX",
	[X86_WORD_EXT8_EBX] = "CPUID.80000008H:EBX", [X86_WORD_XSAVE] = "CPUID.0DH.1:EAX",
	[X86_WORD_6_EAX] = "CPUID.06H:EAX",          [X86_WORD_KVM] = "CPUID.40000001H:EAX",
};

static const struct feature_row *feature_row(unsigned f)
{
	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++)
		if (feature_rows[i].id == f)
			return &feature_rows[i];
	return NULL;
}

bool x86_feature_works(enum x86_feature f)
{
	const struct feature_row *r = feature_row(f);

	return r && r->works;
}

const char *x86_feature_name(unsigned f)
{
	const struct feature_row *r = feature_row(f);

	return r ? r->name : NULL;
}

int x86_feature_find(const char *name)
{
	g_autofree char *n = g_strdup(name);

	g_strdelimit(n, "_", '-');
	for (unsigned i = 0; i < ARRAY_SIZE(feature_aliases); i++)
		if (!strcmp(feature_aliases[i].alias, n) ||
		    !strcmp(feature_aliases[i].alias, name)) {
			g_free(n);
			n = g_strdup(feature_aliases[i].name);
			break;
		}
	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++)
		if (feature_rows[i].name && !strcmp(feature_rows[i].name, n))
			return feature_rows[i].id;
	return -1;
}

/* ---- the user's text ---- */

struct cpu_options {
	struct x86_cpuid_features want, asked; /* asked: turned on by name or by the model */
	uint32_t plus[X86_WORD_COUNT], minus[X86_WORD_COUNT]; /* +f and -f win over f=on */
	unsigned phys_bits, family, model, stepping;
};

static void features_set(uint32_t *words, unsigned f, bool on)
{
	if (on)
		words[f / 32] |= 1u << (f % 32);
	else
		words[f / 32] &= ~(1u << (f % 32));
}

static bool features_get(const uint32_t *words, unsigned f)
{
	return words[f / 32] >> (f % 32) & 1;
}

static bool option_unknown(const char *word, struct err *err)
{
	const char *names[ARRAY_SIZE(feature_rows) + 13] = {
		"phys-bits", "vendor", "family", "model",   "stepping", "model-id",
		"level",     "xlevel", "check",  "enforce", "kvm",
	};
	unsigned n = 11;

	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++)
		if (feature_rows[i].name)
			names[n++] = feature_rows[i].name;
	err_set(err, 0, "unknown CPU feature '%s'", word);
	return err_suggest(err, word, names);
}

static bool option_bool(const char *key, const char *value, bool *out, struct err *err)
{
	if (!value || !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true"))
		*out = true;
	else if (!strcmp(value, "off") || !strcmp(value, "no") || !strcmp(value, "false"))
		*out = false;
	else
		return err_set(err, 0, "CPU feature '%s' expects 'on' or 'off', not '%s'", key,
			       value);
	return true;
}

static bool option_number(const char *key, const char *value, uint64_t min, uint64_t max,
			  uint64_t *out, struct err *err)
{
	char *end = NULL;

	*out = value ? g_ascii_strtoull(value, &end, 0) : 0;
	if (!value || !*value || *end || *value == '-' || *out < min || *out > max)
		return err_set(
			err, 0, "CPU property '%s' expects a number from %llu to %llu, not '%s'",
			key, (unsigned long long)min, (unsigned long long)max, value ? value : "");
	return true;
}

enum option_result { OPTION_NOT_MINE, OPTION_OK, OPTION_BAD };

static enum option_result option_text(struct cpu_options *o, const char *key, const char *value,
				      struct err *err)
{
	if (!strcmp(key, "vendor")) {
		if (value && !strcmp(value, "GenuineIntel"))
			o->want.vendor = X86_VENDOR_INTEL;
		else if (value && !strcmp(value, "AuthenticAMD"))
			o->want.vendor = X86_VENDOR_AMD;
		else
			return err_set(err, 0,
				       "CPU vendor must be 'GenuineIntel' or 'AuthenticAMD', "
				       "not '%s'",
				       value ? value : ""),
			       OPTION_BAD;
		return OPTION_OK;
	}
	if (!strcmp(key, "model-id")) {
		g_strlcpy(o->want.brand, value ? value : "", sizeof(o->want.brand));
		return OPTION_OK;
	}
	if (!strcmp(key, "check")) {
		bool is_checked;

		if (!option_bool(key, value, &is_checked, err))
			return OPTION_BAD;
		o->want.is_unchecked = !is_checked;
		return OPTION_OK;
	}
	if (!strcmp(key, "enforce"))
		return option_bool(key, value, &o->want.is_enforced, err) ? OPTION_OK : OPTION_BAD;
	return OPTION_NOT_MINE;
}

static enum option_result option_figure(struct cpu_options *o, const char *key, const char *value,
					struct err *err)
{
	struct {
		const char *key;
		unsigned *out;
		uint64_t min, max;
	} figures[] = {
		{ "phys-bits", &o->phys_bits, 32, 52 },
		{ "family", &o->family, 0, 270 },
		{ "model", &o->model, 0, 255 },
		{ "stepping", &o->stepping, 0, 15 },
		{ "level", &o->want.level, 1, 0x16 },
		{ "xlevel", &o->want.xlevel, 0x80000000, 0x80000008 },
	};
	uint64_t v;

	for (unsigned i = 0; i < ARRAY_SIZE(figures); i++) {
		if (strcmp(figures[i].key, key))
			continue;
		if (!option_number(key, value, figures[i].min, figures[i].max, &v, err))
			return OPTION_BAD;
		*figures[i].out = (unsigned)v;
		return OPTION_OK;
	}
	return OPTION_NOT_MINE;
}

static bool option_apply(struct cpu_options *o, const char *word, struct err *err)
{
	bool is_short = *word == '+' || *word == '-', on = *word != '-';
	g_auto(GStrv) kv = g_strsplit(is_short ? word + 1 : word, "=", 2);
	const char *key = kv[0] ? kv[0] : "", *value = kv[0] ? kv[1] : NULL;
	enum option_result r = OPTION_NOT_MINE;
	int f;

	if (!is_short) {
		r = option_text(o, key, value, err);
		if (r == OPTION_NOT_MINE)
			r = option_figure(o, key, value, err);
	}
	if (r != OPTION_NOT_MINE)
		return r == OPTION_OK;
	if (!strcmp(key, "kvm") && !(is_short && value)) {
		if (!is_short && !option_bool(key, value, &on, err))
			return false;
		o->want.hides_kvm = !on;
		return true;
	}
	f = x86_feature_find(key);
	if (f < 0 || (is_short && value))
		return option_unknown(is_short ? word + 1 : key, err);
	if (!is_short && !option_bool(key, value, &on, err))
		return false;
	if (f / 32 == X86_WORD_KVM && on)
		o->want.kvm_named |= 1u << f % 32;
	if (is_short) {
		features_set(on ? o->plus : o->minus, (unsigned)f, true);
		return true;
	}
	features_set(o->want.word, (unsigned)f, on);
	return true;
}

/* ---- model and masks ---- */

/* Bits of the other vendor that "max" had better not show. */
static bool feature_is_amd_only(unsigned f)
{
	return f == X86_FEAT_CMP_LEGACY || f == X86_FEAT_OSVW || f == X86_FEAT_FXSR_OPT ||
	       f == X86_FEAT_MMXEXT;
}

/* What all models have where they run under KVM. */
static const uint32_t kvm_defaults = 1u << X86_FEAT_KVM_NOPIODELAY % 32 |
				     1u << X86_FEAT_KVMCLOCK % 32 |
				     1u << X86_FEAT_KVMCLOCK_STABLE % 32;

static void features_of_model(struct x86_cpuid_features *feat, const struct x86_model *m)
{
	memset(feat, 0, sizeof(*feat));
	feat->vendor = m->vendor;
	feat->level = m->level;
	feat->xlevel = m->xlevel;
	feat->word[X86_WORD_KVM] = kvm_defaults;
	feat->sockets = feat->dies = feat->cores = feat->threads = 1;
	g_strlcpy(feat->brand, m->brand, sizeof(feat->brand));
	for (const uint16_t *f = m->features; f && *f != X86_FEAT_COUNT; f++)
		features_set(feat->word, *f, true);
	if (m->features)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++)
		if (feature_rows[i].works && !feature_is_amd_only(feature_rows[i].id) &&
		    feature_rows[i].id != X86_FEAT_HT)
			features_set(feat->word, feature_rows[i].id, true);
}

/* A feature without what it builds on would be a lie. */
static void features_drop_orphans(uint32_t *w)
{
	static const struct {
		uint16_t f, needs;
	} deps[] = {
		{ X86_FEAT_SSE, X86_FEAT_FXSR },          { X86_FEAT_SSE2, X86_FEAT_SSE },
		{ X86_FEAT_SSE3, X86_FEAT_SSE2 },         { X86_FEAT_SSSE3, X86_FEAT_SSE3 },
		{ X86_FEAT_SSE41, X86_FEAT_SSSE3 },       { X86_FEAT_SSE42, X86_FEAT_SSE41 },
		{ X86_FEAT_AES, X86_FEAT_SSE2 },          { X86_FEAT_PCLMULQDQ, X86_FEAT_SSE2 },
		{ X86_FEAT_SHA_NI, X86_FEAT_SSE2 },       { X86_FEAT_AVX, X86_FEAT_XSAVE },
		{ X86_FEAT_XSAVEOPT, X86_FEAT_XSAVE },    { X86_FEAT_XSAVEC, X86_FEAT_XSAVE },
		{ X86_FEAT_XGETBV1, X86_FEAT_XSAVE },     { X86_FEAT_AVX2, X86_FEAT_AVX },
		{ X86_FEAT_FMA, X86_FEAT_AVX },           { X86_FEAT_F16C, X86_FEAT_AVX },
		{ X86_FEAT_INVPCID, X86_FEAT_PCID },      { X86_FEAT_X2APIC, X86_FEAT_APIC },
		{ X86_FEAT_TSC_DEADLINE, X86_FEAT_APIC }, { X86_FEAT_PDPE1GB, X86_FEAT_LM },
		{ X86_FEAT_LAHF_LM, X86_FEAT_LM },        { X86_FEAT_MCA, X86_FEAT_MCE },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(deps); i++)
		if (!features_get(w, deps[i].needs))
			features_set(w, deps[i].f, false);
}

/* Features that cannot be had: a line each, and their names. */
struct missing {
	const char *model, *who;
	GString *lines, *names;
};

static void missing_init(struct missing *m, const char *model, const char *who)
{
	*m = (struct missing){ model, who, g_string_new(NULL), g_string_new(NULL) };
}

static void missing_add(struct missing *m, unsigned f)
{
	const char *name = x86_feature_name(f);

	g_string_append_printf(m->lines,
			       "CPU model '%s': %s doesn't support requested feature: "
			       "%s.%s [bit %u]\n",
			       m->model, m->who, word_names[f / 32], name ? name : "?", f % 32);
	g_string_append_printf(m->names, "%s%s", m->names->len ? ", " : "", name ? name : "?");
}

/* As warnings, or, with enforce=on, as an error; not at all with check=off. */
static bool missing_tell(struct missing *m, const struct x86_cpuid_features *feat, char **warnings,
			 struct err *err)
{
	bool ok = !m->lines->len || !feat->is_enforced;

	if (!ok)
		err_set(err, 0, "CPU model '%s' has features that %s doesn't support: %s", m->model,
			m->who, m->names->str);
	*warnings = g_string_free(m->lines, !ok || !m->lines->len || feat->is_unchecked);
	g_string_free(m->names, TRUE);
	return ok;
}

/* Drops what the emulator lacks; says so. */
static bool features_mask(struct x86_cpuid_features *feat, const char *model, char **warnings,
			  struct err *err)
{
	struct missing m;

	missing_init(&m, model, "TCG");
	for (unsigned f = 0; f < X86_FEAT_COUNT; f++) {
		if (!features_get(feat->word, f) || x86_feature_works((enum x86_feature)f))
			continue;
		features_set(feat->word, f, false);
		missing_add(&m, f);
	}
	features_drop_orphans(feat->word);
	return missing_tell(&m, feat, warnings, err);
}

static uint32_t signature(unsigned family, unsigned model, unsigned stepping)
{
	uint32_t s = stepping | (model & 15) << 4 | (model >> 4) << 16;

	return family > 15 ? s | 0xf00 | (family - 15) << 20 : s | family << 8;
}

static void features_of_isa(struct x86_cpu *c)
{
	c->feat->isa = 0;
	for (unsigned i = 0; i < X86_ISA_FEATURES; i++)
		if (x86_has(c, (enum x86_feature)x86_isa_features[i]))
			c->feat->isa |= BIT(i);
}

void x86_cpuid_kvm(struct x86_cpu *c, uint32_t offered)
{
	struct x86_cpuid_features *f = c->feat;

	memcpy(f->hypervisor, "KVMKVMKVM\0\0\0", 12);
	/* The models' own go without a word. */
	f->word[X86_WORD_KVM] = f->kvm_wanted & (offered | f->kvm_named);
	if (!f->hides_kvm)
		return;
	memset(f->hypervisor, 0, sizeof(f->hypervisor));
	f->word[X86_WORD_KVM] = 0;
}

char *x86_cpuid_no_kvm(const struct x86_cpu *c)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < 32 && !c->feat->is_unchecked; i++)
		if (c->feat->kvm_named >> i & 1)
			g_string_append_printf(
				text,
				"CPU model '%s': only KVM has requested feature: %s.%s [bit %u]\n",
				c->model->name, word_names[X86_WORD_KVM],
				x86_feature_name(X86_WORD_KVM * 32 + i), i);
	return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

bool x86_cpuid_restrict(struct x86_cpu *c, const uint32_t words[X86_WORD_COUNT], const char *who,
			char **warnings, struct err *err)
{
	struct missing m;

	missing_init(&m, c->model->name, who);
	for (unsigned f = 0; f < X86_FEAT_COUNT; f++) {
		if (!features_get(c->feat->word, f) || features_get(words, f))
			continue;
		features_set(c->feat->word, f, false);
		if (!c->feat->is_all)
			missing_add(&m, f);
	}
	features_drop_orphans(c->feat->word);
	features_of_isa(c);
	return missing_tell(&m, c->feat, warnings, err);
}

char *x86_cpuid_adopt(struct x86_cpu *c, const uint32_t words[X86_WORD_COUNT])
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
		unsigned f = feature_rows[i].id;

		/* Decided by another, by the board, and by a bit of the APIC's. */
		if (!feature_rows[i].name || f == X86_FEAT_HT || f == X86_FEAT_CMP_LEGACY ||
		    f == X86_FEAT_APIC)
			continue;
		if (features_get(words, f) && !features_get(c->feat->word, f) &&
		    !feature_rows[i].works) {
			/* A guest kernel that runs here would use it here. */
			g_string_append_printf(text, "%s%s", text->len ? ", " : "",
					       feature_rows[i].name);
			continue;
		}
		features_set(c->feat->word, f, features_get(words, f));
	}
	features_of_isa(c);
	return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

void x86_cpuid_word_place(enum x86_cpuid_word w, uint32_t *leaf, uint32_t *subleaf, unsigned *reg)
{
	static const struct {
		uint32_t leaf, subleaf;
		unsigned reg;
	} places[X86_WORD_COUNT] = {
		[X86_WORD_1_EDX] = { 1, 0, 3 },
		[X86_WORD_1_ECX] = { 1, 0, 2 },
		[X86_WORD_7_EBX] = { 7, 0, 1 },
		[X86_WORD_7_ECX] = { 7, 0, 2 },
		[X86_WORD_7_EDX] = { 7, 0, 3 },
		[X86_WORD_EXT_EDX] = { 0x80000001, 0, 3 },
		[X86_WORD_EXT_ECX] = { 0x80000001, 0, 2 },
		[X86_WORD_EXT7_EDX] = { 0x80000007, 0, 3 },
		[X86_WORD_EXT8_EBX] = { 0x80000008, 0, 1 },
		[X86_WORD_XSAVE] = { 0xd, 1, 0 },
		[X86_WORD_6_EAX] = { 6, 0, 0 },
		[X86_WORD_KVM] = { 0x40000001, 0, 0 },
	};

	*leaf = places[w].leaf;
	*subleaf = places[w].subleaf;
	*reg = places[w].reg;
}

bool x86_cpu_check_host(const char *text, const struct accel *a, struct err *err)
{
	bool is_host = g_str_has_prefix(text, "host") && (!text[4] || text[4] == ',');

	return !is_host || (a && a->ops->has_host_cpu) ||
	       err_set(err, 0, "The 'host' CPU type can only be used with KVM");
}

bool x86_cpuid_init(struct x86_cpu *c, const char *text, char **warnings, struct err *err)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	const char *name = words[0] ? words[0] : "";
	const struct x86_model *m = x86_model_find(name);
	struct cpu_options o = { 0 };

	*warnings = NULL;
	if (!m) {
		err_set(err, 0, "unknown CPU model '%s'", name);
		return err_suggest(err, name, x86_model_names);
	}
	features_of_model(&o.want, m);
	o.phys_bits = m->phys_bits;
	o.family = m->family;
	o.model = m->model;
	o.stepping = m->stepping;
	for (unsigned i = 1; words[i]; i++)
		if (!option_apply(&o, words[i], err))
			return false;
	for (unsigned w = 0; w < X86_WORD_COUNT; w++)
		o.want.word[w] = (o.want.word[w] | o.plus[w]) & ~o.minus[w];
	o.want.kvm_wanted = o.want.word[X86_WORD_KVM];
	o.want.kvm_named &= o.want.kvm_wanted;
	o.want.word[X86_WORD_KVM] = 0; /* until somebody says that it runs there */
	if (!features_mask(&o.want, name, warnings, err))
		return false;
	o.want.signature = signature(o.family, o.model, o.stepping);
	o.want.is_all = !m->features;
	memcpy(o.want.hypervisor, "TCGTCGTCGTCG", sizeof(o.want.hypervisor));
	if (!c->feat)
		c->feat = g_new0(struct x86_cpuid_features, 1);
	*c->feat = o.want;
	features_of_isa(c);
	c->model = m;
	c->phys_bits = (uint8_t)o.phys_bits;
	return true;
}

/* ---- for management programs ---- */

static void expand_number(void (*fn)(const struct arch_cpu_prop *, void *), void *opaque,
			  const char *name, unsigned v)
{
	char text[16];
	const struct arch_cpu_prop p = { .name = name, .text = text, .is_number = true };

	snprintf(text, sizeof(text), "%u", v);
	fn(&p, opaque);
}

static void expand_word(void (*fn)(const struct arch_cpu_prop *, void *), void *opaque,
			const char *name, const char *text)
{
	const struct arch_cpu_prop p = { .name = name, .text = text };

	fn(&p, opaque);
}

/* As a vCPU of the accelerator would have it, without one. */
static bool features_under(struct x86_cpu *c, const char *text, struct accel *a, struct err *err)
{
	g_autofree char *warnings = NULL;

	if (!x86_cpu_check_host(text, a, err) || !x86_cpuid_init(c, text, &warnings, err))
		return false;
	if (!a || !a->ops->cpu_restrict || a->ops->cpu_restrict(a, c, err))
		return true;
	g_clear_pointer(&c->feat, g_free);
	return false;
}

bool x86_cpu_expand(const char *text, struct accel *a,
		    void (*fn)(const struct arch_cpu_prop *, void *), void *opaque, struct err *err)
{
	g_autofree struct x86_cpu *c = g_new0(struct x86_cpu, 1);
	uint32_t s;

	if (!features_under(c, text, a, err))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
		const struct arch_cpu_prop p = { .name = feature_rows[i].name,
						 .is_on = features_get(c->feat->word,
								       feature_rows[i].id) };

		if (p.name)
			fn(&p, opaque);
	}
	fn(&(struct arch_cpu_prop){ .name = "kvm", .is_on = !c->feat->hides_kvm }, opaque);
	s = c->feat->signature;
	expand_word(fn, opaque, "vendor",
		    c->feat->vendor == X86_VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel");
	expand_word(fn, opaque, "model-id", c->feat->brand);
	expand_number(fn, opaque, "family", (s >> 8 & 15) + ((s >> 8 & 15) == 15 ? s >> 20 : 0));
	expand_number(fn, opaque, "model", (s >> 4 & 15) | (s >> 16 & 15) << 4);
	expand_number(fn, opaque, "stepping", s & 15);
	expand_number(fn, opaque, "phys-bits", c->phys_bits);
	expand_number(fn, opaque, "level", c->feat->level);
	expand_number(fn, opaque, "xlevel", c->feat->xlevel);
	g_free(c->feat);
	return true;
}

void x86_cpu_missing(const char *model, struct accel *a, void (*fn)(const char *feature, void *),
		     void *opaque)
{
	g_autofree struct x86_cpu *c = g_new0(struct x86_cpu, 1);
	const struct x86_model *m = x86_model_find(model);
	struct x86_cpuid_features feat;
	struct err err;

	/* "max" and "host" are what there is, the latter not everywhere. */
	if (m && !x86_cpu_check_host(model, a, &err))
		fn("kvm", opaque);
	if (!m || !m->features || !features_under(c, model, a, &err))
		return;
	features_of_model(&feat, m);
	feat.word[X86_WORD_KVM] = 0; /* not the processor's */
	for (unsigned f = 0; f < X86_FEAT_COUNT; f++)
		if (features_get(feat.word, f) && !features_get(c->feat->word, f) &&
		    x86_feature_name(f))
			fn(x86_feature_name(f), opaque);
	g_free(c->feat);
}

/* ---- help ---- */

void x86_cpu_help(FILE *out)
{
	int column = 0;

	fprintf(out, "Available CPUs:\n");
	for (const struct x86_model *m = x86_models; m->name; m++)
		fprintf(out, "  %-12s %s\n", m->name, m->help);
	fprintf(out, "  %-12s %s\n", "host", "the host's processor (only with KVM)");
	fprintf(out, "\nRecognized CPUID flags:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(feature_rows); i++) {
		if (!feature_rows[i].name || !feature_rows[i].works)
			continue;
		if (column + (int)strlen(feature_rows[i].name) > 76) {
			fprintf(out, "\n");
			column = 0;
		}
		column += fprintf(out, "%s%s", column ? " " : "  ", feature_rows[i].name);
	}
	fprintf(out, "\n");
}
