/* tests/unit/arch/mmu_test.c - page walks on tables built by hand.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys_helpers.h"
#include "jit/ir.h"
#include "sys_fixture.h"

static bool walk(struct rig *r, gva_t a, enum mmu_access acc, unsigned view, struct mmu_result *res)
{
	return x86_walk(&r->v, a, acc, view, true, res);
}

static void expect_fault(struct rig *r, gva_t a, enum mmu_access acc, unsigned view, uint32_t code)
{
	struct mmu_result res;

	g_assert_false(walk(r, a, acc, view, &res));
	g_assert_cmphex(res.fault_code, ==, code);
}

static void expect_gpa(struct rig *r, gva_t a, enum mmu_access acc, unsigned view, gpa_t gpa)
{
	struct mmu_result res;

	g_assert_true(walk(r, a, acc, view, &res));
	g_assert_cmphex(res.gpa, ==, gpa);
}

static void test_no_paging_is_identity(void)
{
	struct rig *r = rig_new("max");

	rig_protected(r, 0);
	expect_gpa(r, 0x123456, MMU_READ, VIEW_KERNEL, 0x123456);
	rig_free(r);
}

/* 4-level: one 4 KiB page at 0x400000, entry `pte`. */
static struct rig *rig_4k(uint64_t pte)
{
	struct rig *r = rig_new("max");

	rig_long(r, 0);
	rig_poke(r, 0x102010, 8, 0x103007);
	rig_poke(r, 0x103000, 8, pte);
	return r;
}

static void test_accessed_and_dirty_are_set_when_needed(void)
{
	struct rig *r = rig_4k(0x200007);
	struct mmu_result res;

	g_assert_true(x86_walk(&r->v, 0x400123, MMU_WRITE, VIEW_KERNEL, false, &res));
	g_assert_cmphex(rig_peek(r, 0x103000, 8), ==, 0x200007); /* looked only */
	g_assert_true(walk(r, 0x400123, MMU_READ, VIEW_KERNEL, &res));
	g_assert_cmphex(res.gpa, ==, 0x200123);
	g_assert_false(res.can_write); /* D is clear: a store must come by again */
	g_assert_cmphex(rig_peek(r, 0x103000, 8), ==, 0x200027);
	g_assert_cmphex(rig_peek(r, 0x100000, 8), ==, 0x101027);
	g_assert_true(walk(r, 0x400123, MMU_WRITE, VIEW_KERNEL, &res));
	g_assert_true(res.can_write);
	g_assert_cmphex(rig_peek(r, 0x103000, 8), ==, 0x200067);
	rig_free(r);
}

static void test_fault_codes(void)
{
	struct rig *r = rig_4k(0);

	expect_fault(r, 0x400000, MMU_READ, VIEW_KERNEL, 0);
	expect_fault(r, 0x400000, MMU_WRITE, VIEW_USER, PF_W | PF_U);
	expect_fault(r, 0x400000, MMU_EXEC, VIEW_USER, PF_I | PF_U);
	rig_poke(r, 0x103000, 8, 0x200005); /* read-only */
	expect_fault(r, 0x400000, MMU_WRITE, VIEW_KERNEL, PF_P | PF_W);
	r->c->cr0 &= ~(uint64_t)CR0_WP;
	expect_gpa(r, 0x400000, MMU_WRITE, VIEW_KERNEL, 0x200000);
	expect_fault(r, 0x400000, MMU_WRITE, VIEW_USER, PF_P | PF_W | PF_U);
	rig_poke(r, 0x103000, 8, 0x200003); /* supervisor */
	expect_fault(r, 0x400000, MMU_READ, VIEW_USER, PF_P | PF_U);
	rig_poke(r, 0x103000, 8, 0x200007 | BIT(63));
	expect_fault(r, 0x400000, MMU_EXEC, VIEW_KERNEL, PF_P | PF_I);
	r->c->efer &= ~(uint64_t)EFER_NXE; /* then bit 63 is reserved */
	expect_fault(r, 0x400000, MMU_READ, VIEW_KERNEL, PF_P | PF_RSVD);
	rig_poke(r, 0x103000, 8, 0x200007 | BIT(50)); /* beyond MAXPHYADDR */
	expect_fault(r, 0x400000, MMU_READ, VIEW_KERNEL, PF_P | PF_RSVD);
	rig_poke(r, 0x102010, 8, 0x402087 | BIT(14)); /* 2 MiB page, low address bits */
	expect_fault(r, 0x400000, MMU_READ, VIEW_KERNEL, PF_P | PF_RSVD);
	rig_poke(r, 0x100000, 8, 0x101087); /* PS in a PML4E */
	expect_fault(r, 0x400000, MMU_READ, VIEW_KERNEL, PF_P | PF_RSVD);
	expect_fault(r, BIT(47), MMU_READ, VIEW_KERNEL, X86_FAULT_NONCANONICAL);
	rig_free(r);
}

static void test_smep_and_smap(void)
{
	struct rig *r = rig_4k(0x200067);

	r->c->cr4 |= CR4_SMEP | CR4_SMAP;
	expect_fault(r, 0x400000, MMU_EXEC, VIEW_KERNEL, PF_P | PF_I);
	expect_fault(r, 0x400000, MMU_READ, VIEW_KERNEL, PF_P);
	expect_gpa(r, 0x400000, MMU_READ, VIEW_KERNEL_AC, 0x200000);
	expect_gpa(r, 0x400000, MMU_EXEC, VIEW_USER, 0x200000);
	rig_free(r);
}

static void test_large_pages(void)
{
	struct rig *r = rig_new("max");
	struct mmu_result res;

	rig_long(r, 0);
	g_assert_true(walk(r, 0x612345, MMU_READ, VIEW_USER, &res));
	g_assert_cmphex(res.gpa, ==, 0x612345);
	g_assert_cmpuint(res.page_size, ==, 2 * MIB);
	rig_poke(r, 0x101008, 8, 0x40000087); /* 1 GiB at 1 GiB */
	g_assert_true(walk(r, GIB + 0x1234567, MMU_READ, VIEW_USER, &res));
	g_assert_cmphex(res.gpa, ==, GIB + 0x1234567);
	g_assert_cmpuint(res.page_size, ==, GIB);
	rig_free(r);
}

static void test_32bit_tables_and_pse36(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;
	struct mmu_result res;

	rig_protected(r, 0);
	c->cr3 = 0x100000;
	c->cr0 |= CR0_PG | CR0_WP;
	c->cr4 = CR4_PSE;
	rig_poke(r, 0x100004, 4, 0x101007);
	rig_poke(r, 0x101008, 4, 0x345007);
	expect_gpa(r, 0x402abc, MMU_READ, VIEW_USER, 0x345abc);
	rig_poke(r, 0x100008, 4, 0x00c00087 | 3 << 13); /* 4 MiB at 3 * 4 GiB + 12 MiB */
	g_assert_true(walk(r, 0x800123, MMU_READ, VIEW_USER, &res));
	g_assert_cmphex(res.gpa, ==, 3 * 4 * GIB + 0xc00123);
	g_assert_cmpuint(res.page_size, ==, 4 * MIB);
	rig_poke(r, 0x100008, 4, 0x00c00087 | 1 << 21);
	expect_fault(r, 0x800123, MMU_READ, VIEW_USER, PF_P | PF_U | PF_RSVD);
	c->cr4 = 0; /* without PSE bit 7 means nothing: a table at 0xe00000 */
	rig_poke(r, 0xe00000, 4, 0x7007);
	expect_gpa(r, 0x800123, MMU_READ, VIEW_USER, 0x7123);
	rig_free(r);
}

struct flipper {
	struct rig *rig;
	_Atomic bool is_over;
};

/* One entry, now a 4 MiB page, now a table. */
static gpointer flip_entry(gpointer opaque)
{
	struct flipper *f = opaque;
	_Atomic uint32_t *entry = (_Atomic uint32_t *)(void *)(f->rig->ram->host + 0x100004);

	while (!atomic_load(&f->is_over)) {
		atomic_store(entry, 0x00c000e7);
		atomic_store(entry, 0x00101067);
	}
	return NULL;
}

static void test_an_entry_changed_by_another_vcpu_is_seen_whole(void)
{
	struct flipper f = { .rig = rig_new("max") };
	struct rig *r = f.rig;
	struct x86_cpu *c = r->c;
	struct mmu_result res;
	GThread *thread;

	rig_protected(r, 3);
	c->cr0 |= CR0_PG | CR0_WP;
	c->cr4 = CR4_PSE;
	c->cr3 = 0x100000;
	x86_mode_update(c);
	rig_poke(r, 0x101008, 4, 0x345067);
	rig_poke(r, 0x100004, 4, 0x00c000e7);
	thread = g_thread_new("flipper", flip_entry, &f);
	for (unsigned i = 0; i < 1000000; i++) {
		g_assert_true(walk(r, 0x402abc, MMU_READ, VIEW_USER, &res));
		if (res.page_size == 4 * MIB)
			g_assert_cmphex(res.gpa, ==, 0xc02abc);
		else
			g_assert_cmphex(res.gpa, ==, 0x345abc);
	}
	atomic_store(&f.is_over, true);
	g_thread_join(thread);
	rig_free(r);
}

static void test_pae_directory_pointers(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	c->cr4 = CR4_PAE;
	rig_poke(r, 0x100020, 8, 0x101001);
	rig_poke(r, 0x101000, 8, 0x600087);
	g_assert_true(x86_cr_write(c, 3, 0x100020));
	g_assert_true(x86_cr_write(c, 0, c->cr0 | CR0_PG));
	expect_gpa(r, 0x1234, MMU_READ, VIEW_USER, 0x601234);
	rig_poke(r, 0x100020, 8, 0); /* loaded with CR3: no change yet */
	expect_gpa(r, 0x1234, MMU_READ, VIEW_USER, 0x601234);
	expect_fault(r, 0x40001234, MMU_READ, VIEW_USER, PF_U);
	rig_poke(r, 0x100020, 8, 0x101003); /* reserved bit */
	g_assert_false(x86_cr_write(c, 3, 0x100020));
	rig_fault(r, EXC_GP, 0);
	rig_free(r);
}

/* ---- what is to be forgotten ---- */

struct noted {
	char what; /* 's'witch, 'f'lush, 'a' of an address space; 0: nothing */
	uint64_t asid;
	gva_t page;
	bool keep;
};

static struct noted noted;

static void note_flush(struct jit_env *env, gva_t page, bool keep_global)
{
	(void)env;
	noted = (struct noted){ 'f', 0, page, keep_global };
}

static void note_space(struct jit_env *env, uint64_t asid, gva_t page)
{
	(void)env;
	noted = (struct noted){ 'a', asid, page, false };
}

/* Every full flush says again which address space runs: of interest only if it changed. */
static uint64_t running_asid;

static void note_switch(struct jit_env *env, uint64_t asid, bool keep)
{
	(void)env;
	if (noted.what != 'f' || asid != running_asid)
		noted = (struct noted){ 's', asid, 0, keep };
	running_asid = asid;
}

static struct noted take_noted(void)
{
	struct noted n = noted;

	noted = (struct noted){ 0 };
	return n;
}

static void expect_noted(char what, uint64_t asid, gva_t page, bool keep)
{
	struct noted n = take_noted();

	g_assert_cmpint(n.what, ==, what);
	g_assert_cmphex(n.asid, ==, asid);
	g_assert_cmphex(n.page, ==, page);
	g_assert_cmpint(n.keep, ==, keep);
}

static struct rig *rig_noting(struct jit_mem_ops *ops)
{
	struct rig *r = rig_new("max");

	rig_long(r, 0);
	*ops = rig_mem;
	ops->tlb_flush = note_flush;
	ops->tlb_flush_space = note_space;
	ops->tlb_switch = note_switch;
	r->c->env.mem = ops;
	running_asid = 0;
	take_noted();
	return r;
}

static void test_cr3_names_an_address_space(void)
{
	struct jit_mem_ops ops;
	struct rig *r = rig_noting(&ops);
	struct x86_cpu *c = r->c;

	g_assert_true(x86_cr_write(c, 3, 0x100018)); /* PCD, PWT: no identifier */
	expect_noted('s', 0, 0, false);
	g_assert_false(x86_cr_write(c, 3, BIT(63) | 0x100000));
	rig_fault(r, EXC_GP, 0);
	g_assert_false(x86_cr_write(c, 4, c->cr4 | CR4_PCIDE));
	rig_fault(r, EXC_GP, 0);
	expect_noted(0, 0, 0, false);
	g_assert_true(x86_cr_write(c, 3, 0x100000));
	take_noted();
	g_assert_true(x86_cr_write(c, 4, c->cr4 | CR4_PCIDE));
	expect_noted('f', 0, UINT64_MAX, false);
	g_assert_true(x86_cr_write(c, 3, 0x100fff));
	expect_noted('s', 0xfff, 0, false);
	g_assert_true(x86_cr_write(c, 3, BIT(63) | 0x100001));
	expect_noted('s', 1, 0, true);
	g_assert_cmphex(c->cr3, ==, 0x100001);
	g_assert_false(x86_cr_write(c, 3, BIT(62) | 0x100001));
	rig_fault(r, EXC_GP, 0);
	expect_noted(0, 0, 0, false);
	/* The identifier goes with CR4.PCIDE, and with a reset. */
	g_assert_true(x86_cr_write(c, 4, c->cr4 & ~(uint64_t)CR4_PCIDE));
	expect_noted('s', 0, 0, true);
	rig_free(r);
}

static void test_control_bits_that_flush(void)
{
	static const uint64_t cr4_bits[] = { CR4_PGE, CR4_PSE, CR4_SMEP, CR4_SMAP };
	struct jit_mem_ops ops;
	struct rig *r = rig_noting(&ops);
	struct x86_cpu *c = r->c;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cr4_bits); i++) {
		g_assert_true(x86_cr_write(c, 4, c->cr4 ^ cr4_bits[i / 2]));
		expect_noted('f', 0, UINT64_MAX, false);
	}
	g_assert_true(x86_cr_write(c, 4, c->cr4 ^ CR4_TSD));
	g_assert_true(x86_cr_write(c, 0, c->cr0 ^ CR0_TS));
	expect_noted(0, 0, 0, false);
	g_assert_true(x86_cr_write(c, 0, c->cr0 ^ CR0_WP));
	expect_noted('f', 0, UINT64_MAX, false);
	g_assert_true(x86_msr_write(c, 0xc0000080, c->efer ^ EFER_NXE));
	expect_noted('f', 0, UINT64_MAX, false);
	g_assert_true(x86_msr_write(c, 0x277, 0x0007010600070106)); /* PAT */
	expect_noted(0, 0, 0, false);
	rig_free(r);
}

static void invpcid(struct rig *r, uint64_t type, uint64_t pcid, uint64_t addr)
{
	rig_poke(r, 0x6000, 8, pcid);
	rig_poke(r, 0x6008, 8, addr);
	helper_invpcid.fn(r->c, type, 0x6000, 0);
}

static void test_invpcid_by_type(void)
{
	struct jit_mem_ops ops;
	struct rig *r = rig_noting(&ops);
	struct x86_cpu *c = r->c;

	invpcid(r, 1, 5, 0); /* an identifier without PCIDE */
	rig_fault(r, EXC_GP, 0);
	g_assert_true(x86_cr_write(c, 4, c->cr4 | CR4_PCIDE));
	g_assert_true(x86_cr_write(c, 3, 0x100003));
	take_noted();
	invpcid(r, 0, 5, 0x12345678);
	expect_noted('a', 5, 0x12345000, false);
	invpcid(r, 1, 0xfff, BIT(50));
	expect_noted('a', 0xfff, UINT64_MAX, false);
	invpcid(r, 2, 0x1000, BIT(50));
	expect_noted('f', 0, UINT64_MAX, false);
	invpcid(r, 3, 0x1000, BIT(50));
	expect_noted('a', JIT_ASID_ALL, UINT64_MAX, false);
	g_assert_cmpuint(c->env.fault, ==, 0);
	invpcid(r, 0, 0x1000, 0);
	rig_fault(r, EXC_GP, 0);
	invpcid(r, 0, 1, BIT(47));
	rig_fault(r, EXC_GP, 0);
	invpcid(r, 1, 0x1000, 0);
	rig_fault(r, EXC_GP, 0);
	invpcid(r, 4, 0, 0);
	rig_fault(r, EXC_GP, 0);
	expect_noted(0, 0, 0, false);
	rig_free(r);
}

/* A mapping with a data breakpoint in it is watched wherever it is met, not in one page alone. */
static void test_a_large_page_is_watched_wholly(void)
{
	struct rig *r = rig_new("max");
	struct mmu_result res;

	rig_long(r, 0);
	r->c->dr[0] = 0x345678;
	r->c->dr[7] = 0x10001; /* writes, one byte */
	x86_mode_update(r->c);
	g_assert_true(walk(r, 0x200000, MMU_READ, VIEW_KERNEL, &res));
	g_assert_true(res.is_watched);
	g_assert_true(walk(r, 0x400000, MMU_READ, VIEW_KERNEL, &res));
	g_assert_false(res.is_watched);
	rig_free(r);
}

static void test_tables_outside_ram_fault_or_read_ones(void)
{
	struct rig *r = rig_new("max");
	struct mmu_result res;

	rig_long(r, 0);
	r->c->cr3 = BIT(40);
	/* all ones: reserved bits are set */
	g_assert_false(walk(r, 0, MMU_READ, VIEW_KERNEL, &res));
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mmu/no_paging_is_identity", test_no_paging_is_identity);
	g_test_add_func("/mmu/accessed_and_dirty", test_accessed_and_dirty_are_set_when_needed);
	g_test_add_func("/mmu/fault_codes", test_fault_codes);
	g_test_add_func("/mmu/smep_and_smap", test_smep_and_smap);
	g_test_add_func("/mmu/large_pages", test_large_pages);
	g_test_add_func("/mmu/32bit_tables_and_pse36", test_32bit_tables_and_pse36);
	g_test_add_func("/mmu/entry_changed_by_another",
			test_an_entry_changed_by_another_vcpu_is_seen_whole);
	g_test_add_func("/mmu/pae_directory_pointers", test_pae_directory_pointers);
	g_test_add_func("/mmu/cr3_spaces", test_cr3_names_an_address_space);
	g_test_add_func("/mmu/control_bits", test_control_bits_that_flush);
	g_test_add_func("/mmu/invpcid", test_invpcid_by_type);
	g_test_add_func("/mmu/watched_large", test_a_large_page_is_watched_wholly);
	g_test_add_func("/mmu/tables_outside_ram", test_tables_outside_ram_fault_or_read_ones);
	return g_test_run();
}
