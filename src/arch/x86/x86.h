/* arch/x86/x86.h - what the files of this folder call in each other.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/state.h"
#include "jit/ir.h"

struct x86_tr;
extern const struct arch_debug x86_arch_debug;    /* debug_regs.c */
extern const struct ir_state_desc x86_state_desc; /* state_desc.c */

/* ---- faults (except.c).  Record an exception and set env.fault; the caller returns at once,
 * having changed nothing the architecture would not have changed.  All return false. ---- */
bool x86_raise(struct x86_cpu *c, enum x86_vector v);
bool x86_raise_code(struct x86_cpu *c, enum x86_vector v, uint32_t error);
bool x86_raise_page_fault(struct x86_cpu *c, gva_t addr, uint32_t error);
/* Deliver what is recorded (after the executor left): pushes the frame, double and triple faults.
 * Context: vcpu thread, between blocks, env.pc at the faulting instruction. */
void x86_deliver_exception(struct x86_cpu *c);
/* Deliver an external interrupt or NMI now. */
void x86_deliver_interrupt(struct x86_cpu *c, uint8_t vector);
/* INT n, INT3, INTO, ICEBP from translated code; pc is at the instruction, next its length. */
bool x86_software_interrupt(struct x86_cpu *c, uint8_t vector, unsigned insn_len, bool is_icebp);

/* ---- mode (mode.c) ---- */
void x86_mode_update(struct x86_cpu *c); /* recompute env.mode and env.view */
/* The same after a change of segments, flags or what is pending alone: control and debug registers,
 * EFER and XCR0 are as they were. */
void x86_mode_update_cs(struct x86_cpu *c);
/* The same after a change of MXCSR, FCW, FSW.ES or IA32_MISC_ENABLE by the running instruction:
 * where the mode changes the block is left behind it. */
void x86_mode_update_traps(struct x86_cpu *c);
/* And the mode word where a bit in it changes (TF, AC, VM). */
void x86_rflags_set(struct x86_cpu *c, uint32_t value, uint32_t mask);

/* ---- memory as the CPU (mem.c).  view VIEW_*; implicit supervisor accesses (descriptor tables,
 * TSS) use VIEW_KERNEL.  False: faulted, recorded. ---- */
bool x86_load(struct x86_cpu *c, unsigned view, gva_t addr, unsigned size, uint64_t *out);
bool x86_store(struct x86_cpu *c, unsigned view, gva_t addr, unsigned size, uint64_t value);
bool x86_load_bytes(struct x86_cpu *c, unsigned view, gva_t addr, void *out, unsigned len);
bool x86_store_bytes(struct x86_cpu *c, unsigned view, gva_t addr, const void *in, unsigned len);
static inline unsigned x86_view(const struct x86_cpu *c) { return c->env.view; }
/* Drop translations (SDM 3A 4.10.4); call what the accelerator gave.  All of every PCID, or with
 * keep_global those of the running one that are not global. */
void x86_tlb_flush(struct x86_cpu *c, bool keep_global);
void x86_tlb_flush_page(struct x86_cpu *c, gva_t addr);
/* Those of a PCID, or JIT_ASID_ALL, that are not global: of one page, or ~0: all. */
void x86_tlb_flush_space(struct x86_cpu *c, uint64_t asid, gva_t addr);
/* CR3 was loaded.  keep: what is there of its PCID holds. */
void x86_tlb_switch(struct x86_cpu *c, bool keep);

/* ---- translation (translate.c) ----
 * Translate from env.pc/env.mode on: fetches guest bytes with fetch() (at most to the end of the
 * page after the first), until an unconditional transfer, the end of a loop, a page end or
 * max_insns.  Emits into b between ir_begin and ir_end (the caller calls both).  False: not even
 * the first instruction could be fetched (fault recorded). */
struct x86_fetch {
	/* Guest code at linear address addr, up to len bytes, into out; how many (0: faulted). */
	unsigned (*bytes)(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len);
	/* As guest_fetch.operand. */
	const uint8_t *(*operand)(struct x86_fetch *f, uint32_t at, unsigned len);
	/* As guest_fetch.before. */
	const struct ir_helper *(*before)(struct x86_fetch *f, gva_t addr);
};
bool x86_translate(struct x86_cpu *c, struct ir_builder *b, struct x86_fetch *f, unsigned max_insns,
		   uint32_t *guest_len);
static inline gva_t x86_linear_pc(const struct x86_cpu *c)
{
	return c->env.mode & MODE_CODE64 ? c->env.pc : (uint32_t)(c->seg[SEG_CS].base + c->env.pc);
}
