/* memory/mtree.c - address spaces as text, for `info mtree`.
 * SPDX-License-Identifier: MIT */
#include "memory/address_space.h"

#include <inttypes.h>

#include "memory/rcu.h"
#include "memory/region.h"
#include "memory/topology.h"

static void print_region(const struct region *r, uint64_t base, unsigned depth, FILE *out,
			 region_note *note)
{
	fprintf(out, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): ", (int)(2 * depth), "", base,
		base + region_last(r), r->priority, region_kind_name(r));
	if (r->kind == REGION_ALIAS)
		fprintf(out, "%s @%s %016" PRIx64 "-%016" PRIx64, r->name, r->alias_of->name,
			r->alias_offset, r->alias_offset + region_last(r));
	else
		fputs(r->name, out);
	if (!r->is_enabled)
		fputs(" [disabled]", out);
	if (note)
		note(r, out);
	fputc('\n', out);
	for (const struct region *c = r->children; c; c = c->next)
		print_region(c, base + c->addr, depth + 1, out, note);
}

static void print_flat(const struct address_space *as, FILE *out, region_note *note)
{
	const struct flat_view *v;

	rcu_enter();
	v = rcu_fetch(as->view);
	for (uint32_t i = 0; i < v->count; i++) {
		const struct flat_range *r = &v->ranges[i];

		fprintf(out, "  %016" PRIx64 "-%016" PRIx64 " (%s): %s", r->start, r->last,
			region_kind_name(r->region), r->region->name);
		if (r->offset)
			fprintf(out, " @%016" PRIx64, r->offset);
		if (note)
			note(r->region, out);
		fputc('\n', out);
	}
	rcu_leave();
}

void address_space_print(const struct address_space *as, FILE *out, bool flat, region_note *note)
{
	fprintf(out, "address-space: %s\n", as->name);
	if (flat) {
		print_flat(as, out, note);
		return;
	}
	topology_lock();
	print_region(as->root, 0, 1, out, note);
	topology_unlock();
}
