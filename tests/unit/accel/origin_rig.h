/* tests/unit/accel/origin_rig.h - a vCPU and pages that become restless.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tlb_rig.h"

enum { PAGES = 80, MANY = 1000 };

static inline struct tcg_accel *tcg(struct rig *r)
{
	return container_of(r->accel, struct tcg_accel, accel);
}

static inline struct tcg_vcpu *tcg_vcpu(struct rig *r) { return tcg_of(r->env); }

/* Pages from A on, in guest code; limits are those of chaos=1. */
static inline struct rig *origin_setup(void)
{
	static char host_code; /* there is some: nobody looks what it is */
	struct rig *r = rig_new(1);

	map(r, (struct map){ .asid = ALL, .addr = A, .gpa = A, .size = PAGES * PAGE });
	tcg(r)->native = (void *)&host_code;
	tcg(r)->chaos_seed = 1;
	tcg_enter(tcg(r));
	return r;
}

static inline void origin_teardown(struct rig *r)
{
	tcg_leave(tcg(r));
	tcg(r)->native = NULL;
	rig_free(r);
}

static inline void put_words(struct rig *r, gva_t at, const uint32_t *words, unsigned n)
{
	memcpy(r->block->host + at, words, n * sizeof(*words));
}

static inline struct tcg_block *block_at(struct rig *r, gva_t pc)
{
	struct tcg_vcpu *tv = tcg_vcpu(r);

	tlb_block_begins(tv->sets);
	tv->env->pc = pc;
	return tcg_block_at(tv, pc, tcg_code_at(tv, pc, false), NULL);
}

/* Stores that hit code, to a page, by somebody else. */
static inline void store_much(struct rig *r, gva_t page)
{
	for (unsigned n = 0; n < MANY && !tcg(r)->restless.wanted.ram; n++) {
		lock_take(&tcg(r)->cache.lock);
		tcg_restless_stored(tcg(r), r->block, page, true);
		lock_drop(&tcg(r)->cache.lock);
	}
}

static inline bool is_restless(struct rig *r, gva_t page)
{
	bool is;

	lock_take(&tcg(r)->cache.lock);
	is = tcg_is_restless(&tcg(r)->restless, r->block, page);
	lock_drop(&tcg(r)->cache.lock);
	return is;
}

static inline void make_restless(struct rig *r, gva_t page)
{
	store_much(r, page);
	tcg_restless_look(tcg(r));
	g_assert_true(is_restless(r, page));
}
