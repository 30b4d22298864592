/* x87_fixture.h - one vCPU that runs single x87 instructions out of a buffer through the translator
 * and the interpreter.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/isa_gen.h"
#include "arch/x86/sys.h"
#include "arch/x86/x87.h"
#include "base/err.h"
#include "jit/interp.h"

enum { CODE_ADDR = 0x10000, DATA_ADDR = 0x20000, DATA_SIZE = 256, CODE_MAX = 16 };

struct x87_rig {
	struct x86_cpu *c;
	struct vcpu v;
	struct ir_builder *b;
	struct interp_lowerer *l;
	struct tlb_view *tlb;
	uint8_t code[CODE_MAX];
	uint8_t data[DATA_SIZE]; /* at DATA_ADDR; what lies beyond faults */
	int ferr;                /* level of FERR#; -1: nobody touched it */
};

static struct x87_rig rig;

static bool rig_access(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool is_write)
{
	(void)view;
	if (addr >= DATA_ADDR && addr + size <= DATA_ADDR + DATA_SIZE)
		return true;
	return x86_raise_page_fault(container_of(env, struct x86_cpu, env), addr,
				    is_write ? PF_W : 0);
}

static bool rig_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		     void *out)
{
	if (!rig_access(env, view, addr, size, for_write))
		return false;
	memcpy(out, rig.data + (addr - DATA_ADDR), size);
	return true;
}

static bool rig_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, const void *in)
{
	if (!rig_access(env, view, addr, size, true))
		return false;
	memcpy(rig.data + (addr - DATA_ADDR), in, size);
	return true;
}

static const struct jit_mem_ops rig_mem = { .load = rig_load, .store = rig_store };

static void rig_ferr(struct vcpu *v, bool level)
{
	(void)v;
	rig.ferr = level;
}

/* 64-bit mode, CPL 0, initialized FPU. */
static void rig_init(void)
{
	struct err err = { 0 };
	char *warnings = NULL;

	rig.c = aligned_alloc(64, align_up(sizeof(*rig.c), 64));
	memset(rig.c, 0, sizeof(*rig.c));
	rig.c->vcpu = &rig.v;
	rig.v.cpu = rig.c;
	rig.v.on_ferr = rig_ferr;
	rig.tlb = tlb_views_new();
	rig.b = ir_builder_new(&x86_state_desc);
	rig.l = interp_lowerer_new(&x86_state_desc);
	g_assert_true(x86_cpuid_init(rig.c, "max", &warnings, &err));
	rig.c->env.tlb = rig.tlb;
	rig.v.exit_request = &rig.c->env.exit_request;
	x86_reset(rig.c);
	rig.c->env.mem = &rig_mem;
}

static void rig_mode_update(void)
{
	x86_mode_update(rig.c);
	rig.c->env.fault = 0;
	rig.ferr = -1;
}

static void rig_mode64(void)
{
	struct x86_cpu *c = rig.c;

	c->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	c->cr4 = CR4_PAE | CR4_OSFXSR;
	c->efer = EFER_LME | EFER_LMA;
	x86_seg_fill_flat(&c->seg[SEG_CS], 0x10, true, true, 0);
	for (unsigned s = SEG_ES; s <= SEG_GS; s++)
		if (s != SEG_CS)
			x86_seg_fill_flat(&c->seg[s], 0x18, false, false, 0);
	c->rflags = FL_ONE;
	rig_mode_update();
}

/* Real-address mode, all segments at 0 but DS at its selector. */
static void rig_mode_real(uint16_t cs, uint16_t ds)
{
	struct x86_cpu *c = rig.c;

	c->cr0 = CR0_ET | CR0_NE;
	c->cr4 = 0;
	c->efer = 0;
	for (unsigned s = SEG_ES; s <= SEG_GS; s++) {
		x86_seg_fill_real(&c->seg[s], s == SEG_CS ? cs : s == SEG_DS ? ds : 0);
		c->seg[s].limit = 0xffff;
	}
	c->rflags = FL_ONE;
	rig_mode_update();
}

/* 32-bit protected mode, flat. */
static void rig_mode32(void)
{
	struct x86_cpu *c = rig.c;

	rig_mode64();
	c->cr4 = 0;
	c->efer = 0;
	x86_seg_fill_flat(&c->seg[SEG_CS], 0x20, true, false, 0);
	rig_mode_update();
}

static unsigned rig_fetch(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len)
{
	unsigned at = (unsigned)(addr - CODE_ADDR);

	(void)f;
	for (unsigned i = 0; i < len; i++)
		out[i] = at + i < CODE_MAX ? rig.code[at + i] : 0x90;
	return len;
}

static struct interp_block *rig_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env, (void)from, (void)n;
	return NULL;
}

/* Translate the one instruction at CODE_ADDR. */
static void rig_translate(struct interp_block *block, const uint8_t *code, unsigned len)
{
	struct x86_fetch fetch = { .bytes = rig_fetch };
	const struct ir_block *ir;
	char error[128];
	uint32_t guest_len;

	memset(rig.code, 0x90, sizeof(rig.code));
	memcpy(rig.code, code, len);
	rig.c->env.pc = CODE_ADDR - rig.c->seg[SEG_CS].base;
	memset(block, 0, sizeof(*block));
	ir_begin(rig.b, rig.c->env.mode, rig.c->env.mode & MODE_CODE64 ? 3 : 2);
	g_assert_true(x86_translate(rig.c, rig.b, &fetch, 1, &guest_len));
	ir = ir_end(rig.b);
	g_assert_true(ir_verify(ir, error, sizeof(error)));
	g_assert_true(interp_lower(rig.l, block, ir));
}

/* The vector it raised, or -1. */
static int rig_run_block(struct interp_block *block)
{
	struct interp_run run = { .next = rig_next, .budget = 1 };
	int vector = -1;

	rig.c->env.pc = CODE_ADDR - rig.c->seg[SEG_CS].base;
	interp_run(&rig.c->env, block, &x86_state_desc, &run);
	if (rig.c->env.fault)
		vector = rig.c->exc.vector;
	rig.c->env.fault = 0;
	return vector;
}

static int rig_run(const uint8_t *code, unsigned len)
{
	struct interp_block block;
	int vector;

	x86_mode_update(rig.c); /* tests write to the control word */
	rig_translate(&block, code, len);
	vector = rig_run_block(&block);
	interp_block_fini(&block);
	return vector;
}

#define RUN(...) rig_run((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
