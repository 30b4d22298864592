/* tests/unit/jit/machine.h - a guest state and memory for tests of the executors.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <string.h>

#include "jit/env.h"
#include "jit/ir.h"

enum { TEST_MEM = 8 * 4096, TEST_FAULT_PAGE = 3, TEST_CODE_PAGE = 5, TEST_REGS = 16 };

struct test_cpu {
	struct jit_env env;
	uint64_t r[TEST_REGS];
	uint32_t flags, pad;
	uint8_t vec[4][32];
	uint8_t *mem;   /* TEST_MEM bytes; the same host memory may back the soft TLB */
	uint32_t calls; /* of helpers */
	/* What only the interpreter is asked for is left out: stores to TEST_CODE_PAGE are as
	 * others, and helpers that always fault leave registers alone. */
	bool is_host;
};

/* clang-format off */
#define TEST_SLOT(n, m) { n, offsetof(struct test_cpu, m), sizeof(((struct test_cpu *)0)->m), 0 }
#define TEST_GPR(i) { "r" #i, offsetof(struct test_cpu, r[i]), 8, (i) + 1 }
static const struct ir_slot test_slots[] = {
	TEST_GPR(0), TEST_GPR(1), TEST_GPR(2), TEST_GPR(3), TEST_GPR(4), TEST_GPR(5), TEST_GPR(6), TEST_GPR(7),
	TEST_GPR(8), TEST_GPR(9), TEST_GPR(10), TEST_GPR(11), TEST_GPR(12), TEST_GPR(13), TEST_GPR(14), TEST_GPR(15),
	TEST_SLOT("flags", flags),
	TEST_SLOT("v0", vec[0]), TEST_SLOT("v1", vec[1]), TEST_SLOT("v2", vec[2]), TEST_SLOT("v3", vec[3]),
	{ 0 },
};
/* clang-format on */
static const struct ir_state_desc test_desc = {
	.slots = test_slots,
	.pc_offset = offsetof(struct test_cpu, env.pc),
	.flags_offset = offsetof(struct test_cpu, flags),
	.size = sizeof(struct test_cpu),
};

static inline bool test_access(struct test_cpu *c, gva_t addr, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		if (addr + i >= TEST_MEM || (addr + i) / 4096 == TEST_FAULT_PAGE) {
			c->env.fault = 1;
			return false;
		}
	}
	return true;
}

static inline bool test_is_code(const struct test_cpu *c, gva_t addr, unsigned size)
{
	return !c->is_host &&
	       (addr / 4096 == TEST_CODE_PAGE || (addr + size - 1) / 4096 == TEST_CODE_PAGE);
}

static inline bool test_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			     bool for_write, void *out)
{
	struct test_cpu *c = container_of(env, struct test_cpu, env);

	(void)view;
	(void)for_write;
	if (!test_access(c, addr, size))
		return false;
	memcpy(out, c->mem + addr, size);
	return true;
}

static inline bool test_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			      const void *in)
{
	struct test_cpu *c = container_of(env, struct test_cpu, env);

	(void)view;
	if (!test_access(c, addr, size))
		return false;
	memcpy(c->mem + addr, in, size);
	env->code_stored |= test_is_code(c, addr, size);
	return true;
}

static inline bool test_fill(struct jit_env *env, unsigned view, gva_t addr, bool for_write,
			     bool quiet)
{
	struct test_cpu *c = container_of(env, struct test_cpu, env);
	struct tlb_table *e = &env->tlb[view].e[for_write ? TLB_WRITE : TLB_READ];

	if (addr >= TEST_MEM || addr / 4096 == TEST_FAULT_PAGE)
		return quiet || test_access(c, addr, 1);
	if (!test_is_code(c, addr, 1))
		e->tag[tlb_index(addr)] = addr & ~UINT64_C(4095);
	return true;
}

static inline void *test_atomic_ptr(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
				    bool *fault)
{
	struct test_cpu *c = container_of(env, struct test_cpu, env);

	(void)view;
	*fault = !test_access(c, addr, size);
	return *fault || addr / 4096 == 6 ? NULL : c->mem + addr; /* page 6: as a device */
}

static inline void test_nothing(struct jit_env *env) { (void)env; }

static inline void test_stored(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	(void)view;
	env->code_stored |= test_is_code(container_of(env, struct test_cpu, env), addr, size);
}

static const struct jit_mem_ops test_mem_ops = {
	.load = test_load,
	.store = test_store,
	.fill = test_fill,
	.atomic_ptr = test_atomic_ptr,
	.exclusive_begin = test_nothing,
	.exclusive_end = test_nothing,
	.stored = test_stored,
};

/* Pages 0-2 are in the soft TLB, the others take the slow path. */
static inline void test_cpu_init(struct test_cpu *c, struct tlb_view *tlb, uint8_t *mem)
{
	memset(c, 0, sizeof(*c));
	c->mem = mem;
	c->env.mem = &test_mem_ops;
	c->env.tlb = tlb;
	tlb_view_init(&tlb[0]);
	for (unsigned k = 0; k < TLB_KINDS; k++) {
		for (unsigned i = 0; i < TLB_SIZE; i++) {
			struct tlb_table *e = &tlb[0].e[k];

			e->tag[i] = i < TEST_FAULT_PAGE ? i * UINT64_C(4096) : tlb_empty_tag(i);
			e->host[i] = (uint64_t)(uintptr_t)mem + i * UINT64_C(4096);
		}
	}
}
