/* tests/unit/accel/toy.h - a guest architecture of twelve instructions, to test accelerators with.
 *
 * Four bytes each: opcode, register a, register b, signed immediate.  Addresses below 16 MiB map to
 * themselves, others fault.  A fault puts its pc into r6 and goes on at r7.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <string.h>

#include "jit/ir.h"
#include "jit/env.h"
#include "cpu/arch.h"
#include "cpu/guest.h"
#include "cpu/vcpu.h"

enum toy_op {
	TOY_HALT,
	TOY_MOVI, /* a = imm */
	TOY_ADDI, /* a += imm */
	TOY_ADD,  /* a += b */
	TOY_SHLI, /* a <<= imm */
	TOY_ST8,  /* [a] = b */
	TOY_ST4,
	TOY_LD8,  /* a = [b] */
	TOY_JNZ,  /* if a: pc += 4 * imm */
	TOY_JMP,  /* pc = a */
	TOY_XADD, /* atomic: t = [a]; [a] += b; b = t */
	TOY_STEP, /* mode word = imm */
	TOY_FILL, /* r2 words from r0 on = r1, all of them counted on; its own bytes may change */
	TOY_COUNT,
};
#define TOY(op, a, b, imm)                                           \
	((uint32_t)(op) | (uint32_t)(a) << 8 | (uint32_t)(b) << 16 | \
	 (uint32_t)(uint8_t)(int8_t)(imm) << 24)
enum { TOY_MODE_STEP = 1 };

struct toy_cpu {
	struct jit_env env;
	uint64_t r[8];
	uint32_t flags;
	bool is_halted;
	uint64_t fault_addr;
	_Atomic uint32_t halts, faults, inputs, steps;
};

static const struct ir_slot toy_slots[] = { { 0 } };
static const struct ir_state_desc toy_desc = {
	.slots = toy_slots,
	.pc_offset = offsetof(struct toy_cpu, env.pc),
	.flags_offset = offsetof(struct toy_cpu, flags),
	.size = sizeof(struct toy_cpu),
};

static uint32_t toy_reg(unsigned n)
{
	return (uint32_t)(offsetof(struct toy_cpu, r) + 8 * (n & 7));
}

static uint64_t toy_do_halt(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct toy_cpu *cpu = env;

	(void)b;
	(void)c;
	cpu->is_halted = true;
	atomic_fetch_or(&cpu->env.exit_request, VCPU_EXIT_INPUT);
	cpu->env.pc += 4;
	atomic_fetch_add(&cpu->halts, 1);
	return a;
}
static const struct ir_helper toy_halt = { .name = "halt", .fn = toy_do_halt, .reads_pc = true };

/* 1 when all is done. */
static uint64_t toy_do_fill(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	struct toy_cpu *cpu = env;

	(void)a;
	(void)b;
	(void)c;
	while (cpu->r[2] && !cpu->env.code_stored) {
		if (!cpu->env.mem->store(&cpu->env, cpu->env.view, cpu->r[0], 4, &cpu->r[1]))
			return 0;
		cpu->r[0] += 4;
		cpu->r[2]--;
	}
	return !cpu->r[2];
}
static const struct ir_helper toy_fill = { .name = "fill", .fn = toy_do_fill, .can_fault = true };

/* False: it ends the block. */
static bool toy_emit(struct ir_builder *b, const uint8_t *in, int64_t pc)
{
	unsigned x = toy_reg(in[1]), y = toy_reg(in[2]);
	int64_t imm = (int8_t)in[3];

	switch (in[0]) {
	case TOY_MOVI: ir_put(b, 8, x, ir_const(b, (uint64_t)imm)); return true;
	case TOY_ADDI:
		ir_put(b, 8, x, ir_bini(b, IR_ADD, 8, ir_get(b, 8, x), (uint64_t)imm));
		return true;
	case TOY_ADD:
		ir_put(b, 8, x, ir_bin(b, IR_ADD, 8, ir_get(b, 8, x), ir_get(b, 8, y)));
		return true;
	case TOY_SHLI:
		ir_put(b, 8, x, ir_binfi(b, IR_SHL, 8, ir_get(b, 8, x), (uint64_t)imm, IR_NONE));
		return true;
	case TOY_ST8: ir_store(b, 8, ir_get(b, 8, x), 0, ir_get(b, 8, y)); return true;
	case TOY_ST4: ir_store(b, 4, ir_get(b, 8, x), 0, ir_get(b, 8, y)); return true;
	case TOY_LD8: ir_put(b, 8, x, ir_load(b, 8, ir_get(b, 8, y), 0, 0)); return true;
	case TOY_XADD:
		ir_put(b, 8, y,
		       ir_atomic(b, IR_ATOMIC_ADD, 8, ir_get(b, 8, x), ir_get(b, 8, y), IR_NONE));
		return true;
	case TOY_JNZ:
		ir_exit_if(b, ir_cmpi(b, IR_NE, 8, ir_get(b, 8, x), 0), pc + 4 * imm);
		ir_exit(b, pc + 4);
		return false;
	case TOY_JMP: ir_exit_to(b, ir_get(b, 8, x), IR_BRANCH_JUMP); return false;
	case TOY_STEP:
		ir_put(b, 8, offsetof(struct toy_cpu, env.mode), ir_const(b, (uint64_t)imm));
		ir_exit_loop(b, pc + 4);
		return false;
	case TOY_FILL:
		ir_exit_if(
			b,
			ir_cmpi(b, IR_EQ, 8, ir_call(b, &toy_fill, IR_NONE, IR_NONE, IR_NONE), 0),
			pc);
		ir_exit(b, pc + 4);
		return false;
	default:
		ir_call(b, &toy_halt, IR_NONE, IR_NONE, IR_NONE);
		ir_exit_state(b);
		return false;
	}
}

static struct toy_cpu *toy_of(struct vcpu *v) { return v->cpu; }
static struct jit_env *toy_env(struct vcpu *v) { return &toy_of(v)->env; }
static gva_t toy_linear_pc(struct vcpu *v) { return toy_of(v)->env.pc; }

static bool toy_translate(struct vcpu *v, struct ir_builder *b, struct guest_fetch *f,
			  unsigned max_insns, uint32_t *guest_len)
{
	uint8_t in[4];
	int64_t pc = 0;
	bool more = true, has_room = true;

	for (unsigned n = 0; more && n < max_insns && has_room; n++, pc += 4) {
		gva_t at = toy_of(v)->env.pc + (uint64_t)pc;
		unsigned got = f->bytes(f, at, in, 4);

		if (got && got < 4) /* an instruction may straddle two pages */
			got += f->bytes(f, at + got, in + got, 4 - got);
		if (got < 4 && !pc)
			return false;
		if (got < 4) {
			v->arch->guest->env(v)->fault = 0; /* met again when it is reached */
			break;
		}
		ir_insn_begin(b, (int32_t)pc);
		more = toy_emit(b, in, pc);
		has_room = ir_insn_end(b, 4);
	}
	if (more)
		ir_exit(b, pc);
	*guest_len = (uint32_t)pc;
	return true;
}

static unsigned toy_pc_size(struct vcpu *v)
{
	(void)v;
	return 3;
}

static bool toy_walk(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view, bool set_ad,
		     struct mmu_result *r)
{
	(void)v;
	(void)access;
	(void)view;
	(void)set_ad;
	*r = (struct mmu_result){ .gpa = addr, .page_size = 4096, .can_read = true };
	return addr < 16 * MIB;
}

static void toy_access_fault(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view,
			     const struct mmu_result *r)
{
	(void)access;
	(void)view;
	(void)r;
	toy_of(v)->env.fault = 1;
	toy_of(v)->fault_addr = addr;
}

static void toy_deliver_fault(struct vcpu *v)
{
	struct toy_cpu *c = toy_of(v);

	c->r[6] = c->env.pc;
	c->env.pc = c->r[7];
	atomic_fetch_add(&c->faults, 1);
}

static bool toy_has_work(struct vcpu *v) { return atomic_load(&v->inputs) & VCPU_NMI; }

static void toy_take_inputs(struct vcpu *v)
{
	if (vcpu_take_input(v, VCPU_NMI)) {
		toy_of(v)->is_halted = false;
		atomic_fetch_add(&toy_of(v)->inputs, 1);
	}
}

static void toy_after_step(struct vcpu *v) { atomic_fetch_add(&toy_of(v)->steps, 1); }
static bool toy_is_halted(struct vcpu *v) { return toy_of(v)->is_halted; }

static const struct guest_ops toy_guest = {
	.desc = &toy_desc,
	.position_free = ~0u,
	.flat_code = ~0u,
	.step = TOY_MODE_STEP,
	.env = toy_env,
	.linear_pc = toy_linear_pc,
	.translate = toy_translate,
	.pc_size_log2 = toy_pc_size,
	.access_fault = toy_access_fault,
	.deliver_fault = toy_deliver_fault,
	.take_inputs = toy_take_inputs,
	.after_step = toy_after_step,
	.is_halted = toy_is_halted,
};
static const struct arch_ops toy_arch = {
	.name = "toy",
	.walk = toy_walk,
	.has_work = toy_has_work,
	.guest = &toy_guest,
};
