/* arch/x86/sys.h - the privileged half of the CPU: what its files call in each other.
 * Functions that return bool return false when they raised an exception; nothing the architecture
 * keeps has changed then.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "arch/x86/cpuid.h"
#include "arch/x86/x86.h"
#include "cpu/arch.h"
#include "cpu/vcpu.h"

/* ---- descriptors (seg.c; SDM 3A 3.4.5, 3.5) ---- */
struct x86_desc {
	gva_t addr;      /* in the GDT or LDT */
	uint32_t lo, hi; /* the eight bytes */
	uint32_t top;    /* base 63:32 of 16-byte system descriptors in long mode, else 0 */
};
enum {
	DESC_A = 1u << 8,
	DESC_W = 1u << 9,
	DESC_R = 1u << 9,
	DESC_C = 1u << 10,
	DESC_E = 1u << 10,
	DESC_CODE = 1u << 11,
	DESC_S = 1u << 12,
	DESC_DPL_SHIFT = 13,
	DESC_DPL = 3u << DESC_DPL_SHIFT,
	DESC_P = 1u << 15,
	DESC_L = 1u << 21,
	DESC_DB = 1u << 22,
	DESC_G = 1u << 23,
	DESC_BUSY = 1u << 9,
};
/* System descriptor types. */
enum {
	SYS_TSS16 = 1,
	SYS_LDT = 2,
	SYS_TSS16_BUSY = 3,
	SYS_CALL16 = 4,
	SYS_TASK = 5,
	SYS_INT16 = 6,
	SYS_TRAP16 = 7,
	SYS_TSS32 = 9,
	SYS_TSS32_BUSY = 11,
	SYS_CALL32 = 12,
	SYS_INT32 = 14,
	SYS_TRAP32 = 15,
};
static inline unsigned desc_dpl(const struct x86_desc *d) { return d->hi >> DESC_DPL_SHIFT & 3; }
static inline unsigned desc_type(const struct x86_desc *d) { return d->hi >> 8 & 15; }
static inline bool desc_is_code(const struct x86_desc *d)
{
	return (d->hi & (DESC_S | DESC_CODE)) == (DESC_S | DESC_CODE);
}
static inline bool desc_is_conforming(const struct x86_desc *d)
{
	return desc_is_code(d) && (d->hi & DESC_C);
}
static inline bool desc_is_writable_data(const struct x86_desc *d)
{
	return (d->hi & (DESC_S | DESC_CODE | DESC_W)) == (DESC_S | DESC_W);
}
static inline uint32_t desc_limit(const struct x86_desc *d)
{
	uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);

	return d->hi & DESC_G ? limit << 12 | 0xfff : limit;
}
static inline uint64_t desc_base(const struct x86_desc *d)
{
	uint32_t base = d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000);

	return (uint64_t)d->top << 32 | base;
}

/* The descriptor sel names; outside its table: `v` with the selector.  `ext` is bit 0 of error
 * codes. */
bool x86_desc_read(struct x86_cpu *c, uint16_t sel, enum x86_vector v, uint32_t ext,
		   struct x86_desc *d);
/* The same without faulting on the table's limit (LAR, VERR ...): *found says. */
bool x86_desc_probe(struct x86_cpu *c, uint16_t sel, struct x86_desc *d, bool *found);
/* The upper half of a 16-byte descriptor. */
bool x86_desc_read_top(struct x86_cpu *c, uint16_t sel, enum x86_vector v, uint32_t ext,
		       struct x86_desc *d);
/* Eight bytes of guest memory, which others may write: what was checked is what is used. */
static inline uint64_t x86_read_once(const uint8_t *host)
{
	uint64_t v = ld64_le(host);

	__asm__("" : "+r"(v)); /* not to be read again */
	return v;
}
/* The eight bytes of the GDT's descriptor sel, not null, where they are at hand. */
static inline bool x86_desc_at_hand(struct x86_cpu *c, uint16_t sel, struct x86_desc *d)
{
	const uint8_t *host;
	uint64_t raw;

	if (!(sel & 0xfffc) || sel & 4 || (uint32_t)(sel | 7) > c->gdtr.limit)
		return false;
	host = tlb_find(&c->env.tlb[VIEW_KERNEL], TLB_READ, c->gdtr.base + (sel & 0xfff8), 8);
	if (!host)
		return false;
	raw = x86_read_once(host);
	d->lo = (uint32_t)raw;
	d->hi = (uint32_t)(raw >> 32);
	d->top = 0;
	return true;
}
/* It is one of 64-bit code for privilege level dpl alone, present and accessed. */
static inline bool x86_desc_is_usual_code(const struct x86_desc *d, unsigned dpl)
{
	const uint32_t want = DESC_S | DESC_CODE | DESC_P | DESC_L | DESC_A;

	return (d->hi & (want | DESC_C | DESC_DB | DESC_DPL)) == (want | dpl << DESC_DPL_SHIFT);
}
bool x86_desc_set_accessed(struct x86_cpu *c, struct x86_desc *d);
bool x86_desc_set_busy(struct x86_cpu *c, struct x86_desc *d, bool busy);
static inline void x86_seg_fill(struct x86_seg *s, uint16_t sel, const struct x86_desc *d)
{
	s->sel = sel;
	s->attr = d->hi >> 8 & 0xf0ff;
	s->limit = desc_limit(d);
	s->base = desc_base(d);
}
void x86_seg_fill_real(struct x86_seg *s, uint16_t sel);
void x86_seg_fill_vm86(struct x86_seg *s, uint16_t sel);
void x86_seg_fill_null(struct x86_seg *s, uint16_t sel);
/* Flat segments as SYSCALL and SYSENTER make them. */
static inline void x86_seg_fill_flat(struct x86_seg *s, uint16_t sel, bool is_code, bool is_64,
				     unsigned dpl)
{
	unsigned attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW | SEG_ATTR_A | SEG_ATTR_G |
			dpl << SEG_ATTR_DPL_SHIFT;

	if (is_code)
		attr |= SEG_ATTR_CODE;
	attr |= is_64 ? SEG_ATTR_L : SEG_ATTR_DB;
	*s = (struct x86_seg){ .sel = sel, .attr = (uint16_t)attr, .limit = UINT32_MAX };
}
/* MOV/POP/LDS...: ES SS DS FS GS in every mode. */
bool x86_seg_load(struct x86_cpu *c, enum x86_seg_id id, uint16_t sel);
/* Does CS:off lie in the code segment about to be loaded (#GP(0))? */
bool x86_code_offset_check(struct x86_cpu *c, const struct x86_desc *cs, uint64_t off,
			   uint32_t ext);
bool x86_ldt_load(struct x86_cpu *c, uint16_t sel, enum x86_vector v);
/* Return to an outer level: segments the new level may not use become null (SDM: RET, IRET). */
void x86_seg_drop_inner(struct x86_cpu *c, unsigned cpl);

static inline unsigned seg_dpl(const struct x86_seg *s)
{
	return s->attr >> SEG_ATTR_DPL_SHIFT & 3;
}
/* RFLAGS, where the caller sees to the mode word. */
static inline void x86_rflags_put(struct x86_cpu *c, uint32_t now)
{
	uint32_t old = c->rflags;

	c->rflags = now | FL_ONE;
	/* Interrupts that waited must be looked at before the next block. */
	if ((now & ~old & FL_IF) && c->vcpu && atomic_load(&c->vcpu->inputs))
		atomic_fetch_or(&c->env.exit_request, VCPU_EXIT_INPUT);
}
static inline bool x86_is_real(const struct x86_cpu *c) { return !(c->cr0 & CR0_PE); }
static inline bool x86_is_vm86(const struct x86_cpu *c)
{
	return (c->cr0 & CR0_PE) && (c->rflags & FL_VM);
}
static inline bool x86_is_code64(const struct x86_cpu *c) { return c->env.mode & MODE_CODE64; }
static inline unsigned x86_iopl(const struct x86_cpu *c) { return c->rflags >> 12 & 3; }
enum { X86_CANONICAL_BITS = 48 };
static inline bool x86_is_canonical(uint64_t a)
{
	return (uint64_t)sign_extend(a, X86_CANONICAL_BITS) == a;
}
/* base + off as a linear address of the running (or given) mode. */
static inline gva_t x86_linear(const struct x86_cpu *c, uint64_t a)
{
	return x86_is_long(c) ? a : (uint32_t)a;
}

/* ---- a stack being pushed to or popped from; nothing is committed until the caller says so ----
 */
struct x86_stack {
	struct x86_cpu *c;
	struct x86_seg seg;
	uint64_t sp;
	unsigned view;
	bool is_64;
	uint32_t error; /* of #SS when the limit is passed: 0 or the new SS */
};
void x86_stack_current(struct x86_cpu *c, struct x86_stack *s);
bool x86_stack_push(struct x86_stack *s, unsigned size, uint64_t value);
bool x86_stack_pop(struct x86_stack *s, unsigned size, uint64_t *value);
/* Read at sp + off without moving. */
bool x86_stack_peek(struct x86_stack *s, uint64_t off, unsigned size, uint64_t *value);
/* RSP := the part of s->sp that the stack's width covers. */
void x86_stack_commit(const struct x86_stack *s);

/* ---- events (except.c, int.c) ---- */
struct x86_event {
	uint8_t vector;
	bool has_error, is_software, is_int_n, is_icebp, is_external;
	uint32_t error;
	uint64_t next; /* RIP to push */
};
/* One attempt to enter the handler; false: raised another exception. */
bool x86_event_enter(struct x86_cpu *c, const struct x86_event *e);
bool x86_int_n(struct x86_cpu *c, uint8_t vector, unsigned insn_len);
/* INT n that enters its handler at once.  False: an exception is recorded, or INT n as one. */
bool x86_int_n_enter(struct x86_cpu *c, uint8_t vector, unsigned insn_len, uint64_t next);
/* Does the instruction at RIP reach addr through the stack (#SS rather than #GP)? */
bool x86_insn_uses_stack(struct x86_cpu *c, gva_t addr);

/* ---- control transfers (far.c, iret.c, fast.c, task.c, int.c).  They write RIP. ---- */
bool x86_far_jump(struct x86_cpu *c, uint16_t sel, uint64_t off, unsigned size, uint64_t next);
bool x86_far_call(struct x86_cpu *c, uint16_t sel, uint64_t off, unsigned size, uint64_t next);
bool x86_far_ret(struct x86_cpu *c, unsigned size, unsigned release);
bool x86_iret(struct x86_cpu *c, unsigned size, uint64_t next);
/* IRETQ from 64-bit code to 64-bit code, where all that it reads is at hand and as it mostly is,
 * with whatever the six arithmetic flags were.  False: nothing was done. */
bool x86_iret_usual(struct x86_cpu *c);
/* The stack segment of a return to outer level rpl (RET, IRET); for a null one a descriptor that
 * fills it so. */
bool x86_outer_ss(struct x86_cpu *c, uint16_t sel, unsigned rpl, bool to_code64,
		  struct x86_desc *ss);
bool x86_syscall(struct x86_cpu *c, uint64_t next);
bool x86_sysret(struct x86_cpu *c, unsigned size);
bool x86_sysret_usual(struct x86_cpu *c); /* as x86_iret_usual() */
bool x86_sysenter(struct x86_cpu *c);
bool x86_sysexit(struct x86_cpu *c, unsigned size);

enum x86_task_cause { TASK_JUMP, TASK_CALL, TASK_INT, TASK_IRET };
struct x86_task_error { /* an exception's error code, pushed on the new stack */
	bool has_error;
	uint32_t error;
};
/* d is the TSS descriptor that sel names; next: the EIP to save. */
bool x86_task_switch(struct x86_cpu *c, uint16_t sel, struct x86_desc *d, enum x86_task_cause why,
		     uint64_t next, uint32_t ext, struct x86_task_error e);
bool x86_task_gate(struct x86_cpu *c, const struct x86_desc *gate, enum x86_task_cause why,
		   uint64_t next, uint32_t ext, struct x86_task_error e);
/* SS:ESP for privilege level dpl from the TSS (RSP or IST n in long mode). */
bool x86_tss_stack(struct x86_cpu *c, unsigned dpl, uint32_t ext, uint16_t *ss, uint32_t *esp);
bool x86_tss_rsp(struct x86_cpu *c, unsigned slot, uint32_t ext, uint64_t *rsp);
/* The same where it is at hand; false: nothing is said. */
bool x86_tss_rsp_at_hand(struct x86_cpu *c, unsigned slot, uint64_t *rsp);
/* The new stack segment of a transfer to inner level dpl. */
bool x86_inner_ss(struct x86_cpu *c, uint16_t sel, unsigned dpl, uint32_t ext, struct x86_seg *ss);
/* A stack segment, not null, for privilege dpl; else v, but #SS if it is absent. */
bool x86_stack_segment(struct x86_cpu *c, uint16_t sel, unsigned dpl, enum x86_vector v,
		       uint32_t ext, struct x86_desc *ss);

/* ---- control registers (cr.c), MSRs (msr.c), debug (debug.c) ---- */
bool x86_cr_read(struct x86_cpu *c, unsigned n, uint64_t *v);
bool x86_cr_write(struct x86_cpu *c, unsigned n, uint64_t v);
bool x86_lmsw(struct x86_cpu *c, uint16_t v);
bool x86_msr_read(struct x86_cpu *c, uint32_t msr, uint64_t *v);
bool x86_msr_write(struct x86_cpu *c, uint32_t msr, uint64_t v);
/* FS_BASE, GS_BASE, KERNEL_GS_BASE. */
bool x86_msr_is_base(uint32_t msr);
bool x86_xsetbv(struct x86_cpu *c, uint32_t reg, uint64_t v);
uint64_t x86_tsc(const struct x86_cpu *c);
uint64_t x86_tsc_hz(const struct x86_cpu *c);
bool x86_dr_read(struct x86_cpu *c, unsigned n, uint64_t *v);
bool x86_dr_write(struct x86_cpu *c, unsigned n, uint64_t v);
enum { DR6_BS = 1u << 14, DR6_BD = 1u << 13, DR6_BT = 1u << 15, DR7_GD = 1u << 13 };
/* Does [addr, addr + len) hit an armed data breakpoint?  Remembered for the end of the instruction.
 */
void x86_debug_data(struct x86_cpu *c, gva_t addr, unsigned len, bool is_write);
void x86_debug_io(struct x86_cpu *c, uint16_t port, unsigned len);
/* Instruction breakpoint at the next instruction? */
bool x86_debug_code(const struct x86_cpu *c, uint32_t *dr6);
bool x86_debug_armed(const struct x86_cpu *c, bool code);
/* #DB as a trap, with these DR6 bits. */
void x86_debug_trap(struct x86_cpu *c, uint32_t dr6);

/* ---- paging (mmu.c) ---- */
enum { PF_P = 1u << 0, PF_W = 1u << 1, PF_U = 1u << 2, PF_RSVD = 1u << 3, PF_I = 1u << 4 };
enum { X86_FAULT_NONCANONICAL = 1u << 31 }; /* mmu_result.fault_code: no page fault at all */
bool x86_walk(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view, bool set_ad,
	      struct mmu_result *r);
/* Where page tables lie may be another place now: what flushes the TLB. */
void x86_walks_forget(struct x86_cpu *c);
/* show.c: arch_ops.dump, dump_vectors, reg_get, reg_names, pages. */
void x86_show(struct vcpu *v, FILE *out);
void x86_show_vectors(struct vcpu *v, FILE *out);
extern const char *const x86_reg_names[];
bool x86_reg_get(struct vcpu *v, const char *name, uint64_t *value);
enum arch_pages x86_pages(struct vcpu *v, bool (*fn)(const struct arch_page *, void *),
			  void *opaque);
/* PAE: load the four PDPTEs that cr3 points at; reserved bits: #GP(0). */
bool x86_pdpte_load(struct x86_cpu *c, uint64_t cr3);
/* Record what a failed walk means. */
void x86_walk_fault(struct x86_cpu *c, gva_t addr, const struct mmu_result *r);
bool x86_noncanonical(struct x86_cpu *c, gva_t addr);

/* ---- inputs and life (inputs.c, reset.c) ---- */
void x86_reset(struct x86_cpu *c);
void x86_init_signal(struct x86_cpu *c); /* INIT: as reset, but caches, FPU and MSRs stay */
/* Between blocks: take interrupts, single-step traps, breakpoints.  True when something was
 * delivered or the run state changed. */
bool x86_poll_inputs(struct x86_cpu *c);
bool x86_has_work(struct vcpu *v);
/* The first half of it: reset, INIT and the start-up IPI alone, and edges that mean nothing now are
 * dropped. */
bool x86_poll_life(struct x86_cpu *c);
/* A halt is over. */
void x86_wake(struct x86_cpu *c);
/* Before and after one block under MODE_STEP. */
bool x86_step_begin(struct x86_cpu *c);
void x86_step_end(struct x86_cpu *c);
void x86_shadow_set(struct x86_cpu *c, bool is_mov_ss);
/* IF := 1; interrupts wait until the instruction at next has run. */
void x86_sti(struct x86_cpu *c, uint64_t next);
void x86_halt(struct x86_cpu *c);
void x86_triple_fault(struct x86_cpu *c);

/* ---- I/O (io.c) ---- */
/* May the program use ports [port, port + size)?  #GP(0) if not. */
bool x86_io_check(struct x86_cpu *c, uint16_t port, unsigned size);
uint64_t x86_io_in(struct x86_cpu *c, uint16_t port, unsigned size);
void x86_io_out(struct x86_cpu *c, uint16_t port, unsigned size, uint64_t v);

/* ---- FPU and extended state (xsave.c) ---- */
void x86_fpu_init(struct x86_cpu *c); /* FNINIT */
void x86_xstate_init(struct x86_cpu *c, uint64_t components);
bool x86_fxsave(struct x86_cpu *c, gva_t addr, bool is_64);
bool x86_fxrstor(struct x86_cpu *c, gva_t addr, bool is_64);
enum x86_xsave_kind { XSAVE_PLAIN, XSAVE_OPT, XSAVE_COMPACT };
bool x86_xsave(struct x86_cpu *c, gva_t addr, uint64_t rfbm, bool is_64, enum x86_xsave_kind kind);
bool x86_xrstor(struct x86_cpu *c, gva_t addr, uint64_t rfbm, bool is_64);
uint64_t x86_xinuse(const struct x86_cpu *c);
/* All of it as an image in XSAVE64's standard format, X86_XIMAGE_BYTES, and back, in any mode: the
 * segments of x87's pointers are not in it. */
enum { X86_XIMAGE_BYTES = 832 };
void x86_ximage_get(const struct x86_cpu *c, uint8_t *image);
void x86_ximage_put(struct x86_cpu *c, const uint8_t *image);
uint32_t x86_xsave_size(uint64_t components, bool is_compact);
/* The FERR# wire of the outside-FPU error path (CR0.NE = 0). */
void x86_ferr(struct x86_cpu *c, bool level);
