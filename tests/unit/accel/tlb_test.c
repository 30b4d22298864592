/* tests/unit/accel/tlb_test.c - the soft TLB with page tables that count how often they are walked:
 * address spaces, global and large mappings, rights, faults, pages that get translations.
 * SPDX-License-Identifier: MIT */
#include "accel/tcg/tlb.h"

#include <glib.h>

#include "accel/accel.h"
#include "accel/tcg/tcg.h"
#include "base/err.h"
#include "memory/region.h"
#include "toy.h"

enum { RAM_SIZE = 8 * 1024 * 1024, IO_AT = 64 * 1024 * 1024, MAPS = 64, PAGE = 4096 };
#define ALL (~UINT64_C(0))

/* What the walk finds for an address; the last that fits counts. */
struct map {
	uint64_t asid; /* JIT_ASID_ALL: in each */
	gva_t addr;
	uint64_t size;
	gpa_t gpa;
	bool is_global, is_read_only, is_clean, is_watched;
};

struct rig {
	struct address_space as;
	struct region root, ram, rom, io;
	struct ram_block *block, *rom_block;
	struct accel *accel;
	struct vcpu v[2];
	struct toy_cpu cpu[2];
	struct jit_env *env; /* of the first */
	struct map maps[MAPS];
	unsigned count, walks, faults;
	uint64_t asid;
};

static struct rig *rig_now;

static bool rig_walk(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view, bool set_ad,
		     struct mmu_result *r)
{
	(void)v;
	(void)view;
	(void)set_ad;
	rig_now->walks++;
	for (unsigned i = rig_now->count; i-- > 0;) {
		struct map *m = &rig_now->maps[i];

		if ((m->asid != JIT_ASID_ALL && m->asid != rig_now->asid) ||
		    addr - m->addr >= m->size)
			continue;
		if (m->is_read_only && access == MMU_WRITE)
			return false;
		if (access == MMU_WRITE)
			m->is_clean = false;
		*r = (struct mmu_result){
			.gpa = m->gpa + (addr - m->addr),
			.page_size = m->size,
			.can_read = true,
			.can_exec = true,
			.can_write = !m->is_read_only && !m->is_clean,
			.is_global = m->is_global,
			.is_watched = m->is_watched,
		};
		return true;
	}
	return false;
}

static void rig_fault(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view,
		      const struct mmu_result *r)
{
	(void)v;
	(void)addr;
	(void)access;
	(void)view;
	(void)r;
	rig_now->faults++;
}

static uint64_t io_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)size;
	return 0x10 + offset;
}

static const struct region_ops io_ops = { .read = io_read, .concurrent = true };
static struct guest_ops rig_guest;
static struct arch_ops rig_arch;

static bool set_tier(struct object *o, void *opaque, struct err *err)
{
	(void)opaque;
	return object_set(o, NULL, "tier", "0", err);
}

static struct rig *rig_new(unsigned vcpus)
{
	struct accel_choice choice = { .name = "tcg", .configure = set_tier };
	struct rig *r = g_new0(struct rig, 1);
	struct err err;
	char *notes;

	rig_now = r;
	rig_guest = toy_guest;
	rig_guest.access_fault = rig_fault;
	rig_arch = toy_arch;
	rig_arch.walk = rig_walk;
	rig_arch.guest = &rig_guest;
	r->block = ram_block_new("ram", RAM_SIZE, &err);
	r->rom_block = ram_block_new("rom", PAGE, &err);
	g_assert_nonnull(r->block);
	region_init_container(&r->root, "root", 0);
	region_init_ram(&r->ram, "ram", r->block, 0, RAM_SIZE);
	region_init_rom(&r->rom, "rom", r->rom_block, 0, PAGE);
	region_init_io(&r->io, NULL, "io", &io_ops, PAGE);
	region_add(&r->root, 0, &r->ram);
	region_add(&r->root, RAM_SIZE, &r->rom);
	region_add(&r->root, IO_AT, &r->io);
	address_space_init(&r->as, "memory", &r->root);
	r->accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, &err);
	g_assert_nonnull(r->accel);
	for (unsigned i = 0; i < vcpus; i++) {
		vcpu_init(&r->v[i], i, &rig_arch, &r->cpu[i]);
		r->v[i].memory = &r->as;
		r->v[i].accel = r->accel;
		g_assert_true(r->accel->ops->vcpu_attach(r->accel, &r->v[i], &err));
	}
	r->env = &r->cpu[0].env;
	rcu_enter(); /* as a vCPU's thread in guest code */
	return r;
}

static void rig_free(struct rig *r)
{
	rcu_leave();
	for (unsigned i = 0; i < 2; i++) {
		if (!r->v[i].accel)
			continue;
		r->accel->ops->vcpu_detach(r->accel, &r->v[i]);
		vcpu_fini(&r->v[i]);
	}
	accel_stop(r->accel);
	address_space_fini(&r->as);
	rcu_drain();
	ram_block_free(r->block);
	ram_block_free(r->rom_block);
	g_free(r);
}

static void map(struct rig *r, struct map m)
{
	if (!m.size)
		m.size = PAGE;
	g_assert_cmpuint(r->count, <, MAPS);
	r->maps[r->count++] = m;
}

static void put(struct rig *r, gpa_t at, uint64_t value) { memcpy(r->block->host + at, &value, 8); }

/* As an executor: the fast table, then the slow path. */
static uint64_t load_on(struct rig *r, unsigned cpu, gva_t addr)
{
	struct jit_env *env = &r->cpu[cpu].env;
	const void *p = tlb_hit(&env->tlb[env->view].e[TLB_READ][tlb_index(addr)], addr, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, 8);
	else if (!env->mem->load(env, env->view, addr, 8, false, &v))
		return ALL;
	return v;
}

static uint64_t load(struct rig *r, gva_t addr) { return load_on(r, 0, addr); }

static bool is_fast(struct rig *r, unsigned kind, gva_t addr)
{
	return tlb_hit(&r->env->tlb[r->env->view].e[kind][tlb_index(addr)], addr, 8);
}

static bool store(struct rig *r, gva_t addr, uint64_t v)
{
	return r->env->mem->store(r->env, r->env->view, addr, 8, &v);
}

static void run_in(struct rig *r, uint64_t asid, bool keep)
{
	r->asid = asid;
	r->env->mem->tlb_switch(r->env, asid, keep);
}

/* loads of addr: the value, and whether the tables were walked for it */
static void expect(struct rig *r, gva_t addr, uint64_t value, bool is_walked)
{
	unsigned before = r->walks;

	g_assert_cmphex(load(r, addr), ==, value);
	g_assert_cmpuint(r->walks - before, ==, is_walked);
}

enum { A = 0x400000, FRAME = 0x10000 };

/* FRAME + n pages holds n + 1; asids 1 to 3 map A to the first ones. */
static struct rig *rig_spaces(void)
{
	struct rig *r = rig_new(1);

	for (unsigned i = 0; i < 16; i++)
		put(r, FRAME + i * PAGE, i + 1);
	for (unsigned asid = 1; asid <= 3; asid++)
		map(r, (struct map){ .asid = asid, .addr = A, .gpa = FRAME + (asid - 1) * PAGE });
	return r;
}

static void test_a_page_is_walked_once(void)
{
	struct rig *r = rig_spaces();

	run_in(r, 1, true);
	expect(r, A, 1, true);
	g_assert_true(is_fast(r, TLB_READ, A));
	expect(r, A, 1, false);
	r->env->mem->tlb_flush(r->env, A, false);
	g_assert_false(is_fast(r, TLB_READ, A));
	expect(r, A, 1, true);
	rig_free(r);
}

static void test_pages_of_one_index_are_found_in_the_second_level(void)
{
	struct rig *r = rig_spaces();

	for (unsigned i = 0; i < 8; i++)
		map(r, (struct map){ .addr = A + i * (gva_t)TLB_SIZE * PAGE,
				     .gpa = FRAME + i * PAGE });
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 8; i++)
			expect(r, A + i * (gva_t)TLB_SIZE * PAGE, i + 1, !round);
	/* one walk told of stores too */
	g_assert_true(store(r, A, 1));
	g_assert_cmpuint(r->walks, ==, 8);
	rig_free(r);
}

static void test_a_switch_keeps_what_it_is_told_to(void)
{
	struct rig *r = rig_spaces();
	struct tlb_view *tables;

	run_in(r, 1, true);
	expect(r, A, 1, true);
	tables = r->env->tlb;
	run_in(r, 2, true);
	g_assert_true(r->env->tlb != tables);
	expect(r, A, 2, true);
	run_in(r, 1, true);
	g_assert_true(r->env->tlb == tables);
	g_assert_true(is_fast(r, TLB_READ, A));
	expect(r, A, 1, false);
	run_in(r, 2, false); /* flushed on the way in */
	expect(r, A, 2, true);
	run_in(r, 2, false); /* a reload of the same */
	expect(r, A, 2, true);
	run_in(r, 1, true);
	expect(r, A, 1, false);
	rig_free(r);
}

static void test_a_changed_mapping_is_seen_after_a_flush_only(void)
{
	struct rig *r = rig_spaces();

	run_in(r, 1, true);
	expect(r, A, 1, true);
	r->maps[0].gpa = FRAME + 5 * PAGE;
	expect(r, A, 1, false);
	run_in(r, 2, true);
	run_in(r, 1, true);
	expect(r, A, 1, false);
	run_in(r, 2, true);
	r->env->mem->tlb_flush_space(r->env, 1, A);
	run_in(r, 1, true);
	expect(r, A, 6, true);
	rig_free(r);
}

static void test_spaces_are_flushed_by_number(void)
{
	struct rig *r = rig_spaces();

	map(r, (struct map){ .asid = JIT_ASID_ALL, .addr = 0, .gpa = 0, .is_global = true });
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned asid = 1; asid <= 3; asid++) {
			run_in(r, asid, true);
			expect(r, A, asid,
			       !round || round == 2 || (round == 1 && asid == 2) ||
				       (round == 3 && asid == 3));
			expect(r, 0, 0, !round && asid == 1);
		}
		if (round == 0)
			r->env->mem->tlb_flush_space(r->env, 2, ALL);
		else if (round == 1)
			r->env->mem->tlb_flush_space(r->env, JIT_ASID_ALL, ALL);
		else
			r->env->mem->tlb_flush(r->env, ALL, true); /* the running one: 3 */
	}
	r->env->mem->tlb_flush(r->env, ALL, false);
	for (unsigned asid = 1; asid <= 3; asid++) {
		run_in(r, asid, true);
		expect(r, A, asid, true);
	}
	expect(r, 0, 0, true);
	rig_free(r);
}

static void test_global_pages_are_everywhere_and_outlive_spaces(void)
{
	struct rig *r = rig_spaces();
	gva_t g = UINT64_C(0xffff800000005000);

	map(r,
	    (struct map){
		    .asid = JIT_ASID_ALL, .addr = g, .gpa = FRAME + 6 * PAGE, .is_global = true });
	run_in(r, 1, true);
	expect(r, g, 7, true);
	run_in(r, 1, false);
	g_assert_true(is_fast(r, TLB_READ, g));
	run_in(r, 2, false);
	g_assert_false(is_fast(r, TLB_READ, g)); /* copied when missed */
	expect(r, g, 7, false);
	g_assert_true(is_fast(r, TLB_READ, g));
	r->maps[r->count - 1].gpa = FRAME + 7 * PAGE;
	r->env->mem->tlb_flush_space(r->env, 2, g); /* not global ones */
	expect(r, g, 7, false);
	r->env->mem->tlb_flush(r->env, g, false); /* those too, in all */
	run_in(r, 1, true);
	expect(r, g, 8, true);
	rig_free(r);
}

static void test_a_large_page_is_walked_once_and_goes_at_once(void)
{
	struct rig *r = rig_spaces();
	gva_t at = 0x40000000;

	map(r, (struct map){ .asid = 1, .addr = at, .size = 2 * MIB, .gpa = 0 });
	run_in(r, 1, true);
	expect(r, at + FRAME, 1, true);
	for (unsigned i = 1; i < 16; i++)
		expect(r, at + FRAME + i * PAGE, i + 1, false);
	put(r, 2 * MIB + FRAME, 100);
	put(r, 2 * MIB + FRAME + PAGE, 101);
	r->maps[r->count - 1].gpa = 2 * MIB;
	expect(r, at + FRAME, 1, false);
	r->env->mem->tlb_flush(r->env, at + MIB, false); /* any address in it */
	for (unsigned i = 0; i < 16; i++)
		g_assert_false(is_fast(r, TLB_READ, at + FRAME + i * PAGE));
	expect(r, at + FRAME, 100, true);
	expect(r, at + FRAME + PAGE, 101, false);
	/* global ones in every space */
	r->maps[r->count - 1] = (struct map){
		.asid = JIT_ASID_ALL, .addr = at, .size = 2 * MIB, .gpa = 0, .is_global = true
	};
	run_in(r, 2, false);
	expect(r, at + FRAME, 1, true);
	run_in(r, 1, false);
	expect(r, at + FRAME, 1, false);
	r->maps[r->count - 1].gpa = 2 * MIB;
	run_in(r, 3, false);
	r->env->mem->tlb_flush(r->env, at + MIB, false);
	run_in(r, 2, true);
	g_assert_false(is_fast(r, TLB_READ, at + FRAME));
	expect(r, at + FRAME, 100, true);
	run_in(r, 1, true);
	expect(r, at + FRAME, 100, false);
	rig_free(r);
}

static void test_a_large_page_that_is_not_all_memory(void)
{
	struct rig *r = rig_new(1);
	uint64_t v;

	put(r, RAM_SIZE - PAGE, 5);
	memset(r->rom_block->host, 7, PAGE);
	map(r, (struct map){ .addr = 0, .size = GIB, .gpa = 0 });
	expect(r, RAM_SIZE - PAGE, 5, true);
	expect(r, RAM_SIZE, 0x0707070707070707, false);
	g_assert_true(is_fast(r, TLB_READ, RAM_SIZE));
	g_assert_true(store(r, RAM_SIZE, 1)); /* vanishes */
	g_assert_false(is_fast(r, TLB_WRITE, RAM_SIZE));
	expect(r, RAM_SIZE, 0x0707070707070707, false);
	v = load(r, IO_AT);
	g_assert_cmphex(v & 0xff, ==, 0x10);
	g_assert_false(is_fast(r, TLB_READ, IO_AT));
	g_assert_cmphex(load(r, RAM_SIZE + PAGE), ==, ALL); /* nothing there */
	g_assert_cmpuint(r->walks, ==, 1);
	rig_free(r);
}

/* Found again and again in the second level: while its mapping holds, where it is, as it allows. */
static void test_a_device_goes_with_its_mapping(void)
{
	struct rig *r = rig_new(1);
	unsigned walks;

	put(r, FRAME, 1);
	map(r, (struct map){ .asid = 1, .addr = A, .gpa = IO_AT, .is_read_only = true });
	map(r, (struct map){ .asid = 2, .addr = A, .gpa = FRAME });
	run_in(r, 1, true);
	expect(r, A, 0x10, true);
	expect(r, A + 8, 0x18, false);
	expect(r, A + 8, 0x18, false);
	walks = r->walks;
	g_assert_false(store(r, A, 1));
	g_assert_cmpuint(r->walks, ==, walks + 1);
	expect(r, A, 0x10, true); /* the fault dropped it */
	run_in(r, 2, true);
	expect(r, A, 1, true);
	run_in(r, 1, true);
	expect(r, A, 0x10, false);
	r->env->mem->tlb_flush(r->env, A, false);
	expect(r, A, 0x10, true);
	r->maps[0].gpa = FRAME;
	expect(r, A, 0x10, false);
	r->env->mem->tlb_flush_space(r->env, 1, ALL);
	expect(r, A, 1, true);
	rig_free(r);
}

static void test_more_spaces_than_sets(void)
{
	struct rig *r = rig_new(1);
	enum { MANY = 3 * TLB_SPACES };

	for (unsigned i = 0; i < MANY; i++) {
		put(r, FRAME + i * PAGE, i + 1);
		map(r, (struct map){ .asid = i, .addr = A, .gpa = FRAME + i * PAGE });
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			run_in(r, i, true);
			expect(r, A, i + 1, true);
			expect(r, A, i + 1, false);
		}
	}
	/* the last ones have theirs still */
	for (unsigned i = MANY - TLB_SPACES; i < MANY; i++) {
		run_in(r, i, true);
		expect(r, A, i + 1, false);
	}
	rig_free(r);
}

static void test_a_clean_page_is_walked_again_for_a_store(void)
{
	struct rig *r = rig_spaces();

	r->maps[0].is_clean = true;
	run_in(r, 1, true);
	expect(r, A, 1, true);
	g_assert_true(store(r, A, 9));
	g_assert_cmpuint(r->walks, ==, 2); /* sets D */
	g_assert_false(r->maps[0].is_clean);
	g_assert_true(is_fast(r, TLB_WRITE, A));
	expect(r, A, 9, false);
	rig_free(r);
}

static void test_a_fault_drops_what_was_known_of_the_page(void)
{
	struct rig *r = rig_spaces();

	r->maps[0].is_read_only = true;
	run_in(r, 1, true);
	expect(r, A, 1, true);
	r->maps[0].gpa = FRAME + 8 * PAGE;
	g_assert_false(store(r, A, 1));
	g_assert_cmpuint(r->faults, ==, 1);
	expect(r, A, 9, true);
	rig_free(r);
}

static void test_watched_pages_are_never_known(void)
{
	struct rig *r = rig_spaces();

	r->maps[0].is_watched = true;
	run_in(r, 1, true);
	expect(r, A, 1, true);
	expect(r, A, 1, true);
	g_assert_false(is_fast(r, TLB_READ, A));
	rig_free(r);
}

static void test_a_page_with_code_loses_its_write_entries_in_all_sets(void)
{
	struct rig *r = rig_spaces();
	struct tcg_accel *t = container_of(r->accel, struct tcg_accel, accel);

	map(r, (struct map){ .asid = JIT_ASID_ALL, .addr = 2 * A, .gpa = FRAME });
	for (unsigned asid = 1; asid <= 3; asid++) {
		run_in(r, asid, true);
		g_assert_true(store(r, 2 * A, 1));
		g_assert_true(is_fast(r, TLB_WRITE, 2 * A));
	}
	ram_page_set_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	g_assert_false(tcg_tlb_protect(t, r->block->host + FRAME));
	for (unsigned asid = 1; asid <= 3; asid++) {
		run_in(r, asid, true);
		g_assert_false(is_fast(r, TLB_WRITE, 2 * A));
		g_assert_true(store(r, 2 * A, 1)); /* known, but slow */
		g_assert_false(is_fast(r, TLB_WRITE, 2 * A));
	}
	ram_page_clear_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(store(r, 2 * A, 1));
	g_assert_true(is_fast(r, TLB_WRITE, 2 * A));
	/* the copy that host code goes by */
	r->env->stack = r->env->tlb[r->env->view].e[TLB_WRITE][tlb_index(2 * A)];
	r->env->mem->tlb_flush(r->env, 2 * A, false);
	g_assert_cmphex(r->env->stack.tag, ==, JIT_STACK_NONE);
	r->env->stack.tag = 2 * A;
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	g_assert_cmphex(r->env->stack.tag, ==, JIT_STACK_NONE);
	rig_free(r);
}

/* What a block found before another page took the entry it may still store by. */
static void test_a_page_with_code_waits_for_who_lost_an_entry(void)
{
	enum { OTHER = A + TLB_SIZE * PAGE };
	struct rig *r = rig_new(1);
	struct tcg_accel *t = container_of(r->accel, struct tcg_accel, accel);
	struct tcg_tlb *sets = tcg_of(r->env)->sets;

	map(r, (struct map){ .addr = A, .gpa = FRAME });
	map(r, (struct map){ .addr = OTHER, .gpa = 2 * FRAME });
	g_assert_true(store(r, A, 1));
	tlb_block_begins(sets);
	g_assert_cmpuint(load_on(r, 0, OTHER), ==, 0); /* not of the write table */
	ram_page_set_flags(r->block, 3 * FRAME, RAM_PAGE_CODE);
	g_assert_false(tcg_tlb_protect(t, r->block->host + 3 * FRAME));
	g_assert_true(store(r, OTHER, 1));
	g_assert_false(is_fast(r, TLB_WRITE, A));
	ram_page_set_flags(r->block, FRAME, RAM_PAGE_CODE);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	tlb_block_begins(sets);
	g_assert_false(tcg_tlb_protect(t, r->block->host + FRAME));
	r->env->mem->tlb_flush(r->env, ALL, false);
	g_assert_true(tcg_tlb_protect(t, r->block->host + FRAME));
	rig_free(r);
}

static void test_vcpus_know_for_themselves(void)
{
	struct rig *r = rig_new(2);

	put(r, FRAME, 1);
	map(r, (struct map){ .addr = A, .gpa = FRAME });
	g_assert_cmpuint(load_on(r, 0, A), ==, 1);
	g_assert_cmpuint(load_on(r, 1, A), ==, 1);
	g_assert_cmpuint(r->walks, ==, 2);
	r->env->mem->tlb_flush(r->env, ALL, false);
	g_assert_cmpuint(load_on(r, 1, A), ==, 1);
	g_assert_cmpuint(r->walks, ==, 2);
	rig_free(r);
}

/* Code at addr is executed. */
static void execute(struct rig *r, gva_t addr)
{
	struct ram_block *ram;
	uint64_t offset;

	g_assert_nonnull(tcg_code_host(tcg_of(r->env), addr, false, &ram, &offset));
	g_assert_true(ram == r->block);
}

static uint64_t code_generation(struct rig *r) { return tlb_exec_generation(tcg_of(r->env)->sets); }

static void test_code_of_a_space_at_rest_is_not_known_again(void)
{
	struct rig *r = rig_spaces();
	uint64_t first, second;

	map(r, (struct map){ .asid = JIT_ASID_ALL, .addr = 0, .gpa = 0, .is_global = true });
	run_in(r, 1, true);
	execute(r, A);
	first = code_generation(r);
	run_in(r, 2, true);
	second = code_generation(r);
	g_assert_cmpuint(second, !=, first);
	r->env->mem->tlb_flush_space(r->env, 1, A + PAGE); /* no code there */
	run_in(r, 1, true);
	g_assert_cmpuint(code_generation(r), ==, first);
	run_in(r, 2, true);
	r->env->mem->tlb_flush_space(r->env, 1, A);
	run_in(r, 1, true);
	g_assert_cmpuint(code_generation(r), !=, first);
	/* global code */
	execute(r, 0);
	first = code_generation(r);
	run_in(r, 2, true);
	g_assert_cmpuint(code_generation(r), ==, second);
	r->env->mem->tlb_flush(r->env, 0, false);
	run_in(r, 1, true);
	g_assert_cmpuint(code_generation(r), !=, first);
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tlb/walked_once", test_a_page_is_walked_once);
	g_test_add_func("/tlb/second_level", test_pages_of_one_index_are_found_in_the_second_level);
	g_test_add_func("/tlb/switch", test_a_switch_keeps_what_it_is_told_to);
	g_test_add_func("/tlb/stale", test_a_changed_mapping_is_seen_after_a_flush_only);
	g_test_add_func("/tlb/by_number", test_spaces_are_flushed_by_number);
	g_test_add_func("/tlb/global", test_global_pages_are_everywhere_and_outlive_spaces);
	g_test_add_func("/tlb/large", test_a_large_page_is_walked_once_and_goes_at_once);
	g_test_add_func("/tlb/large_mixed", test_a_large_page_that_is_not_all_memory);
	g_test_add_func("/tlb/device", test_a_device_goes_with_its_mapping);
	g_test_add_func("/tlb/many_spaces", test_more_spaces_than_sets);
	g_test_add_func("/tlb/clean", test_a_clean_page_is_walked_again_for_a_store);
	g_test_add_func("/tlb/fault", test_a_fault_drops_what_was_known_of_the_page);
	g_test_add_func("/tlb/watched", test_watched_pages_are_never_known);
	g_test_add_func("/tlb/protect", test_a_page_with_code_loses_its_write_entries_in_all_sets);
	g_test_add_func("/tlb/protect_lost", test_a_page_with_code_waits_for_who_lost_an_entry);
	g_test_add_func("/tlb/vcpus", test_vcpus_know_for_themselves);
	g_test_add_func("/tlb/code", test_code_of_a_space_at_rest_is_not_known_again);
	return g_test_run();
}
