/* tests/unit/accel/tlb_rig.h - vCPUs with page tables that count how often they are walked.
 * SPDX-License-Identifier: MIT */
#pragma once

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

static inline bool rig_walk(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view,
			    bool set_ad, struct mmu_result *r)
{
	(void)v;
	(void)view;
	rig_now->walks += set_ad;
	for (unsigned i = rig_now->count; i-- > 0;) {
		struct map *m = &rig_now->maps[i];

		if ((m->asid != JIT_ASID_ALL && m->asid != rig_now->asid) ||
		    addr - m->addr >= m->size)
			continue;
		if (m->is_read_only && access == MMU_WRITE)
			return false;
		if (access == MMU_WRITE && set_ad)
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

static inline void rig_fault(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view,
			     const struct mmu_result *r)
{
	(void)v;
	(void)addr;
	(void)access;
	(void)view;
	(void)r;
	rig_now->faults++;
}

static inline uint64_t io_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)size;
	return 0x10 + offset;
}

static const struct region_ops io_ops = { .read = io_read, .concurrent = true };
static struct guest_ops rig_guest;
static struct arch_ops rig_arch;

static inline bool set_tier(struct object *o, void *opaque, struct err *err)
{
	(void)opaque;
	return object_set(o, NULL, "tier", "0", err);
}

static inline struct rig *rig_new(unsigned vcpus)
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
		r->v[i].exit_request = &r->cpu[i].env.exit_request;
		r->v[i].memory = &r->as;
		r->v[i].accel = r->accel;
		g_assert_true(r->accel->ops->vcpu_attach(r->accel, &r->v[i], &err));
	}
	r->env = &r->cpu[0].env;
	rcu_enter(); /* as a vCPU's thread in guest code */
	return r;
}

static inline void rig_free(struct rig *r)
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

static inline void map(struct rig *r, struct map m)
{
	if (!m.size)
		m.size = PAGE;
	g_assert_cmpuint(r->count, <, MAPS);
	r->maps[r->count++] = m;
}

static inline void put(struct rig *r, gpa_t at, uint64_t value)
{
	memcpy(r->block->host + at, &value, 8);
}

/* As an executor: the fast table, then the slow path. */
static inline uint64_t load_on(struct rig *r, unsigned cpu, gva_t addr)
{
	struct jit_env *env = &r->cpu[cpu].env;
	const void *p = tlb_find(&env->tlb[env->view], TLB_READ, addr, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, 8);
	else if (!env->mem->load(env, env->view, addr, 8, false, &v))
		return ALL;
	return v;
}

static inline uint64_t load(struct rig *r, gva_t addr) { return load_on(r, 0, addr); }

static inline bool is_fast(struct rig *r, unsigned kind, gva_t addr)
{
	return tlb_find(&r->env->tlb[r->env->view], kind, addr, 8);
}

static inline bool store(struct rig *r, gva_t addr, uint64_t v)
{
	return r->env->mem->store(r->env, r->env->view, addr, 8, &v);
}

static inline void run_in(struct rig *r, uint64_t asid, bool keep)
{
	r->asid = asid;
	r->env->mem->tlb_switch(r->env, asid, keep);
}

/* loads of addr: the value, and whether the tables were walked for it */
static inline void expect(struct rig *r, gva_t addr, uint64_t value, bool is_walked)
{
	unsigned before = r->walks;

	g_assert_cmphex(load(r, addr), ==, value);
	g_assert_cmpuint(r->walks - before, ==, is_walked);
}

enum { A = 0x400000, FRAME = 0x10000 };
