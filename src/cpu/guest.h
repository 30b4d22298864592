/* cpu/guest.h - what a translating accelerator asks of a guest architecture, beyond arch_ops.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"
#include "cpu/arch.h"

struct ir_builder;
struct ir_helper;
struct ir_state_desc;
struct jit_env;
struct vcpu;

/* Where guest code comes from.  Bytes at linear address addr, up to len, into out; returns how many
 * (fewer than len at the end of what may be fetched; 0: the fetch faulted, which is recorded). */
struct guest_fetch {
	unsigned (*bytes)(struct guest_fetch *f, gva_t addr, uint8_t *out, unsigned len);
	/* The len bytes at distance `at` from the block's first, an immediate: where they are to be
	 * read whenever the instruction runs, as they keep changing; NULL: they are what bytes()
	 * told.  May be NULL. */
	const uint8_t *(*operand)(struct guest_fetch *f, uint32_t at, unsigned len);
	/* What is to be called, without arguments, before the instruction at addr; NULL: nothing.
	 * May be NULL. */
	const struct ir_helper *(*before)(struct guest_fetch *f, gva_t addr);
};

/* All functions run in the vCPU's thread, between guest instructions.  Only bits 0-31 of env->mode
 * take part in the key of a translation. */
struct guest_ops {
	const struct ir_state_desc *desc;

	/* Translations made in a mode with one of these bits hold at every pc; those of other modes
	 * hold at one pc only (its low 32 bits join the key). */
	uint32_t position_free;
	/* Not 0: addresses have so many bits, and a direct branch to where none is faults itself.
	 * Those translations hold at all pcs that are guest_is_edge(), or at all others. */
	unsigned address_bits;
	/* In a mode with one of these bits linear_pc() is env->pc itself. */
	uint32_t flat_code;
	/* In a mode with one of these bits a block is one instruction, is never linked, and
	 * after_step() is called when it has run without a fault. */
	uint32_t step;

	struct jit_env *(*env)(struct vcpu *v);
	gva_t (*linear_pc)(struct vcpu *v);

	/* Emit IR for guest code from env->pc in env->mode on, between ir_begin() and ir_end(),
	 * both called by the accelerator.  At most max_insns instructions, never beyond the page
	 * after the first.  Ends with an op that leaves.  guest_len: bytes of guest code.  False:
	 * not even the first instruction could be fetched; the fault is recorded. */
	bool (*translate)(struct vcpu *v, struct ir_builder *b, struct guest_fetch *f,
			  unsigned max_insns, uint32_t *guest_len);
	/* ir_begin() arguments for the present mode. */
	unsigned (*pc_size_log2)(struct vcpu *v);

	/* A walk failed (r->fault_code says why): record the exception and set env->fault. */
	void (*access_fault)(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view,
			     const struct mmu_result *r);
	/* A load or store that the walk called is_watched succeeded (data breakpoints).  May be
	 * NULL. */
	void (*accessed)(struct vcpu *v, gva_t addr, unsigned size, enum mmu_access access);
	/* Deliver the recorded fault; env->pc is at the instruction, flags and state are exact.
	 * env->fault is cleared by the caller before. */
	void (*deliver_fault)(struct vcpu *v);
	/* vcpu.inputs is not empty: deliver what may be delivered now (INIT, SIPI, NMI, interrupt,
	 * reset), at most one event that changes the pc.  Masked inputs stay. */
	void (*take_inputs)(struct vcpu *v);
	void (*after_step)(struct vcpu *v);
	/* Between instructions: is nothing of the last one still to be done that its registers do
	 * not show (an interrupt shadow, a trap)? */
	bool (*is_settled)(struct vcpu *v);
	/* HLT and wait-for-SIPI; vcpu.is_halted is what the loop waits on.  What halts sets
	 * VCPU_EXIT_INPUT in exit_request. */
	bool (*is_halted)(struct vcpu *v);

	/* One instruction as text for -d in_asm; its length, 0 when it cannot be decoded. */
	unsigned (*disassemble)(struct vcpu *v, gva_t pc, const uint8_t *bytes, unsigned len,
				FILE *out);
};

/* Of addresses of so many bits, sign-extended, is pc one from near which a displacement of 32 bits
 * leads into the hole between both halves?  The same for all of a page. */
static inline bool guest_is_edge(unsigned address_bits, gva_t pc)
{
	enum { REACH = 31, MARGIN = 1 << 16 }; /* for the instructions of a block */
	uint64_t mask = (UINT64_C(1) << address_bits) - 1, reach = (UINT64_C(1) << REACH) + MARGIN;

	return address_bits && ((pc - (mask / 2 + 1) + reach) & mask) < 2 * reach;
}
