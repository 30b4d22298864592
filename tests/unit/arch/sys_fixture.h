/* tests/unit/arch/sys_fixture.h - one vCPU with RAM and no executor: memory goes straight through
 * the page walk.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "event/clock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/region.h"

enum { RAM_SIZE = 16 * 1024 * 1024 };

struct rig {
	struct ram_block *ram;
	struct region root, region;
	struct address_space as;
	struct vcpu v;
	struct x86_cpu *c;
	unsigned flushes, flushes_global, page_flushes;
	bool is_shut_down;
};

static struct rig *rig_now; /* of the test that runs */

static bool rig_access(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		       enum mmu_access access, void *buf)
{
	struct x86_cpu *c = container_of(env, struct x86_cpu, env);

	for (unsigned i = 0; i < size; i++) {
		struct mmu_result r;

		if (!x86_walk(c->vcpu, addr + i, access, view, true, &r)) {
			x86_walk_fault(c, addr + i, &r);
			return false;
		}
		if (access == MMU_WRITE)
			dma_write(c->vcpu->memory, r.gpa, (uint8_t *)buf + i, 1);
		else
			dma_read(c->vcpu->memory, r.gpa, (uint8_t *)buf + i, 1);
	}
	return true;
}

static bool rig_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		     void *out)
{
	(void)for_write;
	return rig_access(env, view, addr, size, MMU_READ, out);
}

static bool rig_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, const void *in)
{
	uint8_t copy[64];

	memcpy(copy, in, size);
	return rig_access(env, view, addr, size, MMU_WRITE, copy);
}

static void rig_flush(struct jit_env *env, gva_t page, bool keep_global)
{
	(void)env;
	if (page != UINT64_MAX)
		rig_now->page_flushes++;
	else if (keep_global)
		rig_now->flushes++;
	else
		rig_now->flushes_global++;
}

static void rig_shutdown(struct vcpu *v)
{
	(void)v;
	rig_now->is_shut_down = true;
}

static const struct jit_mem_ops rig_mem = { .load = rig_load,
					    .store = rig_store,
					    .tlb_flush = rig_flush };

static struct rig *rig_new(const char *model)
{
	struct rig *r = g_new0(struct rig, 1);
	struct err err = { 0 };

	rig_now = r;
	r->ram = ram_block_new("ram", RAM_SIZE, &err);
	g_assert_nonnull(r->ram);
	region_init_container(&r->root, "system", 0);
	region_init_ram(&r->region, "ram", r->ram, 0, RAM_SIZE);
	region_add(&r->root, 0, &r->region);
	address_space_init(&r->as, "memory", &r->root);
	vcpu_init(&r->v, 0, &x86_arch_ops, NULL);
	r->v.memory = &r->as;
	r->v.on_shutdown = rig_shutdown;
	r->c = x86_arch_ops.cpu_new(&r->v, model, &err);
	g_assert_cmpstr(err.text, ==, "");
	g_assert_nonnull(r->c);
	r->c->env.mem = &rig_mem;
	r->c->env.tlb = tlb_views_new();
	for (unsigned v = 0; v < TLB_VIEWS; v++)
		tlb_view_init(&r->c->env.tlb[v]);
	return r;
}

static void rig_free(struct rig *r)
{
	free(r->c->env.tlb);
	x86_arch_ops.cpu_free(r->c);
	vcpu_fini(&r->v);
	address_space_fini(&r->as);
	ram_block_free(r->ram);
	g_free(r);
	g_free(x86_cpu_take_warnings());
}

static inline uint64_t rig_peek(struct rig *r, gpa_t addr, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, r->ram->host + addr, size);
	return v;
}

static inline void rig_poke(struct rig *r, gpa_t addr, unsigned size, uint64_t v)
{
	memcpy(r->ram->host + addr, &v, size);
}

/* ---- descriptors ---- */

enum {
	GDT = 0x1000,
	IDT = 0x2000,
	TSS = 0x3000,
	TSS2 = 0x3800,
	LDT = 0x3c00,
	STACK0 = 0x9000,
	STACK3 = 0xa000,
	K_CODE = 0x08,
	K_DATA = 0x10,
	U_CODE = 0x1b,
	U_DATA = 0x23,
	SEL_TSS = 0x28,
	SEL_TSS2 = 0x38,
	SEL_LDT = 0x48,
	SEL_GATE = 0x50,
	SEL_ABSENT = 0x60,
	SEL_CODE64 = 0x68,
	SEL_CONFORMING = 0x70,
	SEL_EXEC_ONLY = 0x78,
	SEL_RODATA = 0x80,
	SEL_TASK_GATE = 0x88,
	GDT_LIMIT = 0x8f,
};

/* type: bits 8-15 of the high dword (type, S, DPL, P); flags: G, D/B, L as bits 23, 22, 21. */
static inline void rig_desc(struct rig *r, unsigned sel, uint32_t base, uint32_t limit,
			    unsigned type, uint32_t flags)
{
	uint32_t lo = (limit & 0xffff) | base << 16;
	uint32_t hi = (base >> 16 & 0xff) | type << 8 | (limit & 0xf0000) | flags |
		      (base & 0xff000000);

	rig_poke(r, GDT + (sel & ~7u), 8, (uint64_t)hi << 32 | lo);
}

static inline void rig_gate(struct rig *r, gpa_t at, unsigned type, uint16_t sel, uint32_t off,
			    unsigned params)
{
	uint32_t lo = (off & 0xffff) | (uint32_t)sel << 16;
	uint32_t hi = params | type << 8 | (off & 0xffff0000);

	rig_poke(r, at, 8, (uint64_t)hi << 32 | lo);
}

static inline void rig_tables(struct rig *r)
{
	struct x86_cpu *c = r->c;

	rig_desc(r, K_CODE, 0, 0xfffff, 0x9a, DESC_G | DESC_DB);
	rig_desc(r, K_DATA, 0, 0xfffff, 0x92, DESC_G | DESC_DB);
	rig_desc(r, U_CODE, 0, 0xfffff, 0xfa, DESC_G | DESC_DB);
	rig_desc(r, U_DATA, 0, 0xfffff, 0xf2, DESC_G | DESC_DB);
	rig_desc(r, SEL_TSS, TSS, 0x67, 0x89, 0);
	rig_desc(r, SEL_TSS2, TSS2, 0x67, 0x89, 0);
	rig_desc(r, SEL_LDT, LDT, 0xf, 0x82, 0);
	rig_desc(r, SEL_ABSENT, 0, 0xfffff, 0x12, DESC_G | DESC_DB);
	rig_desc(r, SEL_CODE64, 0, 0xfffff, 0x9a, DESC_G | DESC_L);
	rig_desc(r, SEL_CONFORMING, 0, 0xfffff, 0x9e, DESC_G | DESC_DB);
	rig_desc(r, SEL_EXEC_ONLY, 0, 0xfffff, 0x98, DESC_G | DESC_DB);
	rig_desc(r, SEL_RODATA, 0, 0xfffff, 0xf0, DESC_G | DESC_DB);
	c->gdtr = (struct x86_table){ GDT, GDT_LIMIT };
	c->idtr = (struct x86_table){ IDT, 0x7ff };
	rig_poke(r, TSS + 4, 4, STACK0);
	rig_poke(r, TSS + 8, 4, K_DATA);
	rig_poke(r, TSS + 0x66, 2, 0x68);
}

/* Flat 32-bit protected mode at privilege cpl. */
static inline void rig_protected(struct rig *r, unsigned cpl)
{
	struct x86_cpu *c = r->c;

	rig_tables(r);
	c->cr0 = CR0_PE | CR0_ET | CR0_NE;
	c->rflags = FL_ONE | FL_IF;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		x86_seg_fill_flat(
			&c->seg[i],
			(uint16_t)(i == SEG_CS ? (cpl ? U_CODE : K_CODE) : (cpl ? U_DATA : K_DATA)),
			i == SEG_CS, false, cpl);
	c->seg[SEG_TR] = (struct x86_seg){ SEL_TSS, 0x8b, 0x67, TSS };
	c->gpr[RSP] = cpl ? STACK3 : STACK0;
	c->env.pc = 0x5000;
	x86_mode_update(c);
	g_assert_cmpuint(x86_cpl(c), ==, cpl);
}

/* 64-bit mode, the first 16 MiB mapped by 2 MiB pages, all user-accessible. */
static inline void rig_long(struct rig *r, unsigned cpl)
{
	struct x86_cpu *c = r->c;

	rig_protected(r, cpl);
	rig_poke(r, 0x100000, 8, 0x101007);
	rig_poke(r, 0x101000, 8, 0x102007);
	for (unsigned i = 0; i < 8; i++)
		rig_poke(r, 0x102000 + 8 * i, 8, (uint64_t)i << 21 | 0xe7);
	c->cr3 = 0x100000;
	c->cr4 = CR4_PAE | CR4_OSFXSR;
	c->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
	c->cr0 |= CR0_PG | CR0_WP;
	x86_seg_fill_flat(&c->seg[SEG_CS], cpl ? U_CODE : K_CODE, true, true, cpl);
	x86_mode_update(c);
}

/* The exception recorded is v (with this code); forget it. */
static inline void rig_fault(struct rig *r, unsigned v, int64_t code)
{
	struct x86_cpu *c = r->c;

	g_assert_cmpuint(c->env.fault, !=, 0);
	g_assert_cmpuint(c->exc.vector, ==, v);
	if (code >= 0) {
		g_assert_true(c->exc.has_error);
		g_assert_cmphex(c->exc.error, ==, (uint32_t)code);
	}
	c->env.fault = 0;
}
