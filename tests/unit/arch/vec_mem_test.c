/* vec_mem_test.c - gathers and masked moves: which elements touch memory, and what a fault leaves.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/vec.h"
#include "arch/x86/vec_ops.h"
#include "arch/x86/x86.h"

/* Guest memory: one page at BASE; every other address faults. */
enum { BASE = 0x40000, SIZE = 4096 };

static uint8_t page[SIZE];
static unsigned accesses;

static bool page_access(struct jit_env *env, gva_t addr, unsigned size)
{
	accesses++;
	if (addr >= BASE && addr + size <= BASE + SIZE)
		return true;
	return x86_raise_page_fault((struct x86_cpu *)env, addr, 0);
}

static bool page_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		      void *out)
{
	(void)view;
	(void)for_write;
	if (!page_access(env, addr, size))
		return false;
	memcpy(out, page + (addr - BASE), size);
	return true;
}

static bool page_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
		       const void *in)
{
	(void)view;
	if (!page_access(env, addr, size))
		return false;
	memcpy(page + (addr - BASE), in, size);
	return true;
}

static const struct jit_mem_ops page_ops = { .load = page_load, .store = page_store };

static struct x86_cpu *cpu_new(void)
{
	struct x86_cpu *c = aligned_alloc(64, align_up(sizeof(*c), 64));

	memset(c, 0, sizeof(*c));
	c->env.mode = MODE_CODE64;
	c->env.mem = &page_ops;
	c->env.tlb = tlb_views_new();
	for (unsigned v = 0; v < TLB_VIEWS; v++)
		tlb_view_init(&c->env.tlb[v]);
	for (unsigned i = 0; i < SIZE / 4; i++)
		memcpy(page + 4 * i, &i, 4);
	accesses = 0;
	return c;
}

static void cpu_free(struct x86_cpu *c)
{
	free(c->env.tlb);
	free(c);
}

static void set32(struct x86_cpu *c, unsigned r, const uint32_t v[8]) { memcpy(c->ymm[r], v, 32); }

static void assert32(struct x86_cpu *c, unsigned r, const uint32_t v[8])
{
	g_assert_cmpmem(c->ymm[r], 32, v, 32);
}

/* ymm0 from [base + ymm2 * 4] under ymm1. */
static uint64_t gather_operands(unsigned esize, unsigned index_size, unsigned vlen)
{
	return vec_mem_pack((struct vec_mem_operands){
		.reg = 0,
		.mask = 1,
		.index = 2,
		.seg = SEG_DS,
		.scale = 2,
		.asize = 8,
		.esize = esize & 15,
		.index_size = index_size & 15,
		.vlen = (uint8_t)vlen,
	});
}

static const uint32_t old[8] = { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee };
static const uint32_t none[8];

static void test_gather_takes_only_masked_elements(void)
{
	struct x86_cpu *c = cpu_new();
	const uint32_t mask[8] = { 1u << 31, 0x7fffffff, ~0u, 0, 1u << 31, 0, 0, 1u << 31 };
	const uint32_t index[8] = { 10, 0x40000000, (uint32_t)-1, 7, 100, 5, 6, 200 };

	set32(c, 0, old);
	set32(c, 1, mask);
	set32(c, 2, index);
	vh_gather(c, BASE + 16, gather_operands(4, 4, 32), 0);
	g_assert_cmpuint(c->env.fault, ==, 0);
	g_assert_cmpuint(accesses, ==, 4);
	assert32(c, 0, (const uint32_t[8]){ 14, 0xee, 3, 0xee, 104, 0xee, 0xee, 204 });
	assert32(c, 1, none);
	cpu_free(c);
}

static void test_gather_fault_keeps_finished_elements(void)
{
	struct x86_cpu *c = cpu_new();
	const uint32_t mask[8] = { ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u };
	const uint32_t index[8] = { 1, 2, 0x100000, 4, 5, 6, 7, 8 };

	set32(c, 0, old);
	set32(c, 1, mask);
	set32(c, 2, index);
	vh_gather(c, BASE, gather_operands(4, 4, 32), 0);
	g_assert_cmpuint(c->env.fault, !=, 0);
	g_assert_cmpuint(c->exc.vector, ==, EXC_PF);
	g_assert_cmpuint(accesses, ==, 3);
	assert32(c, 0, (const uint32_t[8]){ 1, 2, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee });
	assert32(c, 1, (const uint32_t[8]){ 0, 0, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u });
	cpu_free(c);
}

/* Quadword indices of doublewords: half as many elements, the rest of the destination zero. */
static void test_gather_of_narrow_elements_zeroes_the_rest(void)
{
	struct x86_cpu *c = cpu_new();
	const uint32_t mask[8] = { ~0u, 0, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u };
	const uint32_t index[8] = { 1, 0, 2, 0, 3, 0, 4, 0 };

	set32(c, 0, old);
	set32(c, 1, mask);
	set32(c, 2, index);
	vh_gather(c, BASE, gather_operands(4, 8, 32), 0);
	g_assert_cmpuint(accesses, ==, 3);
	assert32(c, 0, (const uint32_t[8]){ 1, 0xee, 3, 4 });
	assert32(c, 1, none);

	/* Doubleword indices of quadwords, 128 bits: two elements. */
	accesses = 0;
	set32(c, 1, mask);
	set32(c, 2, (const uint32_t[8]){ 8, 6 });
	vh_gather(c, BASE, gather_operands(8, 4, 16), 0);
	g_assert_cmpuint(accesses, ==, 1);
	assert32(c, 0, (const uint32_t[8]){ 1, 0xee, 6, 7 });
	cpu_free(c);
}

static uint64_t maskmov_operands(unsigned esize, unsigned vlen, unsigned seg, unsigned asize)
{
	return vec_mem_pack((struct vec_mem_operands){
		.reg = 0,
		.mask = 1,
		.seg = (uint8_t)seg,
		.asize = asize & 15,
		.esize = esize & 15,
		.vlen = (uint8_t)vlen,
	});
}

static void test_masked_load_zeroes_and_is_all_or_nothing(void)
{
	struct x86_cpu *c = cpu_new();
	const uint32_t mask[8] = { 0, ~0u, 1u << 31, 0, ~0u, 0, 0, 0 };

	set32(c, 0, old);
	set32(c, 1, mask);
	/* Elements before BASE and beyond it are masked off and cannot fault. */
	vh_maskmov_load(c, BASE - 4, maskmov_operands(4, 32, SEG_DS, 8), 0);
	g_assert_cmpuint(c->env.fault, ==, 0);
	assert32(c, 0, (const uint32_t[8]){ 0, 0, 1, 0, 3 });
	set32(c, 0, old);
	vh_maskmov_load(c, BASE + SIZE - 12, maskmov_operands(4, 32, SEG_DS, 8), 0);
	g_assert_cmpuint(c->env.fault, !=, 0);
	assert32(c, 0, old);
	/* 128 bits: the upper half is cleared. */
	c->env.fault = 0;
	vh_maskmov_load(c, BASE, maskmov_operands(8, 16, SEG_DS, 8), 0);
	assert32(c, 0, (const uint32_t[8]){ 0, 1 }); /* of the second, the sign is clear */
	cpu_free(c);
}

static void test_masked_store_writes_only_masked_elements(void)
{
	struct x86_cpu *c = cpu_new();
	const uint32_t mask[8] = { ~0u, 0, 0, ~0u };
	uint32_t got[4];

	set32(c, 0, old);
	set32(c, 1, mask);
	vh_maskmov_store(c, BASE, maskmov_operands(4, 16, SEG_DS, 8), 0);
	memcpy(got, page, 16);
	g_assert_cmpuint(got[0], ==, 0xee);
	g_assert_cmpuint(got[1], ==, 1);
	g_assert_cmpuint(got[3], ==, 0xee);
	g_assert_cmpuint(accesses, ==, 2);
	/* The last element lies beyond the page: nothing is stored. */
	vh_maskmov_store(c, BASE + SIZE - 12, maskmov_operands(4, 16, SEG_DS, 8), 0);
	g_assert_cmpuint(c->env.fault, !=, 0);
	c->env.fault = 0;
	memcpy(got, page + SIZE - 12, 4);
	g_assert_cmpuint(got[0], ==, SIZE / 4 - 3);
	/* MASKMOVQ: bytes of MMX registers. */
	c->fpr[0].frac = UINT64_C(0x1122334455667788);
	c->fpr[1].frac = UINT64_C(0x8000000000000080);
	vh_maskmov_store(c, BASE + 8, maskmov_operands(1, 8, SEG_DS, 8), 0);
	memcpy(got, page + 8, 8);
	g_assert_cmphex(got[0], ==, 0x88);
	g_assert_cmphex(got[1], ==, 0x110000ee);
	cpu_free(c);
}

/* Outside 64-bit mode each element is checked against its segment, and offsets wrap. */
static void test_elements_obey_segments(void)
{
	struct x86_cpu *c = cpu_new();
	const uint32_t mask[8] = { ~0u, 0, ~0u };

	c->env.mode = MODE_CODE32;
	c->seg[SEG_DS] = (struct x86_seg){ .base = BASE - 0x1000,
					   .limit = 0x1007,
					   .attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW };
	set32(c, 0, old);
	set32(c, 1, mask);
	vh_maskmov_store(c, 0x1000, maskmov_operands(4, 16, SEG_DS, 4), 0);
	g_assert_cmpuint(c->env.fault, !=, 0);
	g_assert_cmpuint(c->exc.vector, ==, EXC_GP);
	g_assert_cmpuint(page[0], ==, 0); /* as it was */
	c->env.fault = 0;
	c->seg[SEG_DS].limit = UINT32_MAX;
	vh_maskmov_load(c, UINT64_C(0x500000ffc), maskmov_operands(4, 16, SEG_DS, 4), 0);
	g_assert_cmpuint(c->env.fault, !=, 0); /* BASE - 4 */
	c->env.fault = 0;
	vh_maskmov_load(c, UINT64_C(0x500001000), maskmov_operands(4, 16, SEG_DS, 4), 0);
	g_assert_cmpuint(c->env.fault, ==, 0);
	assert32(c, 0, (const uint32_t[8]){ 0, 0, 2 });
	cpu_free(c);
}

static void test_vzero_clears_registers(void)
{
	struct x86_cpu *c = cpu_new();

	memset(c->ymm, 0x77, sizeof(c->ymm));
	vh_vzeroupper(c, 8, 0, 0);
	g_assert_cmpuint(c->ymm[7][15], ==, 0x77);
	g_assert_cmpuint(c->ymm[7][16], ==, 0);
	g_assert_cmpuint(c->ymm[8][31], ==, 0x77);
	vh_vzeroall(c, 16, 0, 0);
	g_assert_cmpuint(c->ymm[0][0], ==, 0);
	g_assert_cmpuint(c->ymm[15][31], ==, 0);
	cpu_free(c);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vec_mem/gather/mask", test_gather_takes_only_masked_elements);
	g_test_add_func("/vec_mem/gather/fault", test_gather_fault_keeps_finished_elements);
	g_test_add_func("/vec_mem/gather/narrow", test_gather_of_narrow_elements_zeroes_the_rest);
	g_test_add_func("/vec_mem/maskmov/load", test_masked_load_zeroes_and_is_all_or_nothing);
	g_test_add_func("/vec_mem/maskmov/store", test_masked_store_writes_only_masked_elements);
	g_test_add_func("/vec_mem/segments", test_elements_obey_segments);
	g_test_add_func("/vec_mem/vzero", test_vzero_clears_registers);
	return g_test_run();
}
