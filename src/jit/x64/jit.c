/* jit/x64/jit.c - what is set up once: the host's features, the map of registers, compilers; and
 * links between blocks.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/bits.h"
#include "base/err.h"
#include "jit/x64/lower.h"

/* ---- the host ---- */

enum { XCR0_SSE_AVX = 3u << 1 };

struct host_feature {
	const char *name;
	uint32_t leaf;
	uint8_t reg; /* EAX, EBX, ECX, EDX */
	uint8_t bit;
};
/* SDM 2A, CPUID; LZCNT: APM 3 E.4.2. */
static const struct host_feature host_features[] = {
	{ "POPCNT", 1, 2, 23 }, { "OSXSAVE", 1, 2, 27 }, { "AVX", 1, 2, 28 },
	{ "BMI1", 7, 1, 3 },    { "BMI2", 7, 1, 8 },     { "LZCNT", 0x80000001, 2, 5 },
};

static bool host_has(const struct host_feature *f)
{
	uint32_t r[4];

	return __get_cpuid_count(f->leaf, 0, &r[0], &r[1], &r[2], &r[3]) && r[f->reg] >> f->bit & 1;
}

static uint32_t host_xcr0(void)
{
	uint32_t eax, edx;

	__asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return eax;
}

bool x64_host_ok(struct err *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(host_features); i++)
		if (!host_has(&host_features[i]))
			return err_set(err, 0, "this host's processor has no %s",
				       host_features[i].name);
	if (~host_xcr0() & XCR0_SSE_AVX)
		return err_set(err, 0, "this host's kernel does not switch AVX registers");
	return true;
}

/* ---- the guest's registers ---- */

static const uint8_t host_reg[16] = {
	X64_RAX, X64_RCX,    X64_RDX,    X64_RBX,    GUEST_SP, X64_RBP, X64_RSI,    X64_RDI,
	X64_R8,  X64_NO_REG, X64_NO_REG, X64_NO_REG, X64_R12,  X64_R13, X64_NO_REG, X64_NO_REG,
};

static bool map_registers(struct x64_jit *j, struct err *err)
{
	uint16_t found = 0;

	for (const struct ir_slot *s = j->desc->slots; s->name; s++) {
		unsigned n = s->pin - 1u;

		if (!s->pin)
			continue;
		if (!n)
			j->first_gpr = s->offset;
		if (n >= 16 || !(found & 1 || !n) || s->size != 8 ||
		    s->offset != j->first_gpr + 8 * n)
			return err_set(err, 0, "register '%s' of the guest does not fit in",
				       s->name);
		found |= (uint16_t)(1u << n);
	}
	if (found != 0xffff)
		return err_set(err, 0, "the guest does not have 16 general registers");
	j->anchor = j->first_gpr;
	memcpy(j->reg_of, host_reg, sizeof(j->reg_of));
	memset(j->gpr_of, 0xff, sizeof(j->gpr_of));
	for (unsigned n = 0; n < 16; n++)
		if (host_reg[n] != X64_NO_REG)
			j->gpr_of[host_reg[n]] = (uint8_t)n;
	return true;
}

struct x64_jit *x64_jit_new(struct code_cache *cache, const struct ir_state_desc *desc,
			    const struct x64_ops *ops, struct err *err)
{
	struct x64_jit *j = g_new0(struct x64_jit, 1);

	*j = (struct x64_jit){ .cache = cache, .desc = desc, .ops = ops };
	j->host_needs = vec_host_needs();
	if (!map_registers(j, err)) {
		g_free(j);
		return NULL;
	}
	x64_pieces_write(j);
	if (!x64_thunks_write(j)) {
		err_set(err, 0, "the code cache has no room for fixed code");
		g_free(j);
		return NULL;
	}
	return j;
}

void x64_jit_free(struct x64_jit *j)
{
	if (!j)
		return;
	code_writer_fini(&j->writer);
	g_free(j);
}

/* ---- compilers, code ---- */

struct x64_compiler *x64_compiler_new(struct x64_jit *j)
{
	struct x64_compiler *c = g_new0(struct x64_compiler, 1);

	c->jit = j;
	code_writer_init(&c->writer, j->cache, false);
	return c;
}

void x64_compiler_free(struct x64_compiler *c)
{
	if (!c)
		return;
	code_writer_fini(&c->writer);
	g_free(c);
}

static void lead_to(struct x64_jit *j, const struct x64_code *code, uint32_t field, uint64_t to)
{
	uint64_t run = code->base + field;

	x64_patch(code_writable(j->cache, run), run, to);
}

/* Past the record of flags where target sees none of them; NULL: not past it. */
static void lead_past(struct x64_jit *j, const struct x64_code *code, const struct x64_exit *x,
		      const struct x64_code *target)
{
	uint64_t run = code->base + x->skip;

	x64_patch_in_line(code_writable(j->cache, run), run,
			  target ? target->run : code->base + x->record);
}

/* Code that just ran is written as little as can be: each time costs the host what a hundred
 * instructions do. */
void x64_link(struct x64_jit *j, struct x64_code *code, unsigned n, const struct x64_code *target)
{
	struct x64_exit *x = &code->exits[n];
	bool is_past = x->skip && target && target->kills_flags;
	uint64_t to = code->base + x->stub;

	assert(n < code->exit_count);
	if (is_past || x->is_past)
		lead_past(j, code, x, is_past ? target : NULL);
	x->is_past = is_past;
	/* Who is led past the record comes this way if something is asked for. */
	if (is_past && !x->is_polled)
		return;
	if (target)
		to = x->is_polled ? target->poll_entry : target->run;
	lead_to(j, code, x->jump, to);
}

void x64_key(struct x64_jit *j, struct x64_code *code, unsigned n, uint64_t key)
{
	uint64_t run = code->base + code->exits[n].key;
	uint64_t *at = (void *)code_writable(j->cache, run);

	assert(n < code->exit_count && code->exits[n].key);
	if (__atomic_load_n(at, __ATOMIC_RELAXED) != key)
		__atomic_store_n(at, key, __ATOMIC_RELEASE);
}

bool x64_link_probe(struct x64_jit *j, struct x64_code *code, unsigned n)
{
	const struct x64_exit *x = &code->exits[n];

	assert(n < code->exit_count);
	if (x->probe)
		lead_to(j, code, x->jump, code->base + x->probe);
	return x->probe;
}
