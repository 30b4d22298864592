/* jit/x64/tables.c - a block's tables for C: packed when it is compiled, read when it is left in
 * the middle.
 *
 * Beside the code, in one piece: exits, sites, recipes of flags, which neighbours share, and
 * constants of these. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "jit/x64/lower.h"

enum { AT_BITS = 20, PC_BITS = 14, LEN_BITS = 5 };

struct kept_site {
	uint64_t at : AT_BITS;
	uint64_t pc : PC_BITS;
	uint64_t len : LEN_BITS; /* of its instruction */
	uint64_t is_last : 1;
	uint64_t recipe : 16; /* number, from 1; 0: the flags are what env says */
};
BUILD_ASSERT(sizeof(struct kept_site) == 8 && LOWER_SITES < 1 << 16);

static struct kept_site *sites_of(const struct x64_code *code)
{
	return (void *)(code->exits + code->exit_count);
}

static struct x64_recipe *recipes_of(const struct x64_code *code)
{
	return (void *)(sites_of(code) + code->site_count);
}

const uint64_t *tables_constants(const struct x64_code *code)
{
	return (const void *)(recipes_of(code) + code->recipe_count);
}

bool tables_fit(const struct x64_site *s)
{
	return s->at < 1u << AT_BITS && s->pc_delta >= 0 && s->pc_delta < 1 << PC_BITS &&
	       s->pc_next >= s->pc_delta && s->pc_next - s->pc_delta < 1 << LEN_BITS;
}

/* ---- packing ---- */

/* Has site n a recipe that the one before has not? */
static bool has_new_recipe(const struct x64_site *sites, unsigned n)
{
	const struct x64_recipe *r = &sites[n].recipe;

	return r->kind && (!n || memcmp(r, &sites[n - 1].recipe, sizeof(*r)));
}

size_t tables_room(const struct x64_tables *t)
{
	return t->exit_count * sizeof(struct x64_exit) + t->constant_count * sizeof(uint64_t) +
	       t->site_count * (sizeof(struct kept_site) + sizeof(struct x64_recipe));
}

static void keep_site(struct x64_code *code, const struct x64_site *sites, unsigned n)
{
	const struct x64_site *s = &sites[n];

	if (has_new_recipe(sites, n))
		recipes_of(code)[code->recipe_count++] = s->recipe;
	sites_of(code)[n] = (struct kept_site){
		.at = s->at,
		.pc = (uint32_t)s->pc_delta,
		.len = (uint32_t)(s->pc_next - s->pc_delta),
		.is_last = s->is_last,
		.recipe = s->kind ? code->recipe_count : 0,
	};
}

void *tables_write(struct x64_code *code, const struct x64_tables *t, void *memory)
{
	uint64_t *constants;

	code->exits = memory;
	code->exit_count = (uint16_t)t->exit_count;
	code->site_count = (uint16_t)t->site_count;
	code->recipe_count = 0;
	for (unsigned n = 0; n < t->exit_count; n++)
		code->exits[n] = t->exits[n];
	for (unsigned n = 0; n < t->site_count; n++)
		keep_site(code, t->sites, n);
	constants = (void *)(recipes_of(code) + code->recipe_count);
	for (unsigned n = 0; n < t->constant_count; n++)
		*constants++ = t->constants[n];
	return constants;
}

/* ---- finding ---- */

struct x64_site tables_site(const struct x64_code *code, uint64_t ret)
{
	const struct kept_site *sites = sites_of(code), *s;
	const struct x64_recipe *r;
	uint32_t at = (uint32_t)(ret - code->base);
	unsigned lo = 0, hi = code->site_count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (sites[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	s = &sites[lo];
	assert(lo < code->site_count && s->at == at);
	r = s->recipe ? &recipes_of(code)[s->recipe - 1u] : &(const struct x64_recipe){ 0 };
	return (struct x64_site){
		.at = at,
		.pc_delta = s->pc,
		.pc_next = s->pc + s->len,
		.is_last = s->is_last,
		.recipe = *r,
	};
}
