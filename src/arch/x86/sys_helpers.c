/* arch/x86/sys_helpers.c - what system instructions do at run time.  Thin: the work is in the files
 * of sys.h.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys_helpers.h"

#include "arch/x86/sys.h"

#define HELPER(id, ...)                                                        \
	static uint64_t h_##id(void *env, uint64_t a, uint64_t b, uint64_t x); \
	const struct ir_helper helper_##id = {                                 \
		.name = #id, .fn = h_##id, .runs_once = true, __VA_ARGS__      \
	};                                                                     \
	static uint64_t h_##id(void *env, uint64_t a __attribute__((unused)),  \
			       uint64_t b __attribute__((unused)),             \
			       uint64_t x __attribute__((unused)))
/* Changes RIP, mode, flags. */
#define TRANSFER .can_fault = true, .reads_flags = true, .writes_flags = true, .ends_block = true
#define FAULTS   .can_fault = true
#define MODE     .can_fault = true, .ends_block = true
#define FLAGS    offsetof(struct x86_cpu, rflags)

/* ---- segments and control transfers ---- */

HELPER(seg_load, MODE)
{
	if (x86_seg_load(env, (enum x86_seg_id)b, (uint16_t)a) && x)
		x86_shadow_set(env, true);
	return 0;
}

HELPER(far_jump, TRANSFER) { return x86_far_jump(env, (uint16_t)a, b, a >> 16 & 0xff, x); }
HELPER(far_call, TRANSFER) { return x86_far_call(env, (uint16_t)a, b, a >> 16 & 0xff, x); }
HELPER(far_ret, TRANSFER) { return x86_far_ret(env, (unsigned)a, (unsigned)b); }
static bool iret_shortcut(void *env, uint64_t size, uint64_t next, uint64_t x)
{
	(void)next, (void)x;
	return size == 8 && x86_iret_usual(env);
}

static bool sysret_shortcut(void *env, uint64_t size, uint64_t b, uint64_t x)
{
	(void)b, (void)x;
	return size == 8 && x86_sysret_usual(env);
}

HELPER(iret, TRANSFER, .shortcut = iret_shortcut) { return x86_iret(env, (unsigned)a, b); }
HELPER(syscall, TRANSFER) { return x86_syscall(env, a); }
HELPER(sysret, TRANSFER, .shortcut = sysret_shortcut) { return x86_sysret(env, (unsigned)a); }
HELPER(sysenter, TRANSFER) { return x86_sysenter(env); }
HELPER(sysexit, TRANSFER) { return x86_sysexit(env, (unsigned)a); }
HELPER(int, FAULTS) { return x86_software_interrupt(env, (uint8_t)a, (unsigned)b, false); }
HELPER(int_n, TRANSFER) { return x86_int_n_enter(env, (uint8_t)a, (unsigned)b, x); }
HELPER(icebp, FAULTS) { return x86_software_interrupt(env, EXC_DB, (unsigned)b, true); }

/* ---- the interrupt flag (SDM 2 CLI, STI; SDM 3B 20.3, 20.4) ---- */

/* IF itself, VIF in its place, or neither (#GP). */
enum if_flag { IF_REAL, IF_VIRTUAL, IF_FORBIDDEN };

static enum if_flag if_flag(const struct x86_cpu *c)
{
	if (x86_is_real(c) || (c->rflags & FL_VM ? x86_iopl(c) == 3 : x86_cpl(c) <= x86_iopl(c)))
		return IF_REAL;
	if (c->rflags & FL_VM)
		return c->cr4 & CR4_VME ? IF_VIRTUAL : IF_FORBIDDEN;
	return x86_cpl(c) == 3 && (c->cr4 & CR4_PVI) ? IF_VIRTUAL : IF_FORBIDDEN;
}

HELPER(cli, MODE)
{
	switch (if_flag(env)) {
	case IF_REAL: x86_rflags_set(env, 0, FL_IF); break;
	case IF_VIRTUAL: x86_rflags_set(env, 0, FL_VIF); break;
	case IF_FORBIDDEN: x86_raise_code(env, EXC_GP, 0); break;
	}
	return 0;
}

HELPER(sti, FAULTS)
{
	struct x86_cpu *c = env;

	switch (if_flag(c)) {
	case IF_REAL:
		if (!(c->rflags & FL_IF))
			x86_sti(c, a);
		return 0;
	case IF_VIRTUAL:
		if (!(c->rflags & FL_VIP)) {
			x86_rflags_set(c, FL_VIF, FL_VIF);
			return 0;
		}
		break;
	case IF_FORBIDDEN: break;
	}
	return x86_raise_code(c, EXC_GP, 0);
}

static uint64_t if_clear(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	struct x86_cpu *c = env;

	(void)a, (void)b, (void)x;
	c->rflags &= ~(uint32_t)FL_IF;
	return 0;
}

const struct ir_helper helper_cli_cpl0 = {
	.name = "cli_cpl0", .fn = if_clear, .slot = FLAGS, .clears = FL_IF
};

HELPER(sti_cpl0, FAULTS, .is_quick = true)
{
	struct x86_cpu *c = env;

	if (!(c->rflags & FL_IF))
		x86_sti(c, a);
	return 0;
}

HELPER(hlt, MODE)
{
	x86_halt(env);
	return 0;
}

/* ---- descriptor tables ---- */

HELPER(umip, FAULTS)
{
	struct x86_cpu *c = env;

	if ((c->cr4 & CR4_UMIP) && x86_cpl(c))
		x86_raise_code(c, EXC_GP, 0);
	return 0;
}

HELPER(lldt, FAULTS) { return x86_ldt_load(env, (uint16_t)a, EXC_GP); }

HELPER(ltr, FAULTS)
{
	struct x86_cpu *c = env;
	uint32_t error = a & 0xfffc;
	struct x86_desc d;
	unsigned type;

	if (!error)
		return x86_raise_code(c, EXC_GP, 0);
	if (a & 4)
		return x86_raise_code(c, EXC_GP, error);
	if (!x86_desc_read(c, (uint16_t)a, EXC_GP, 0, &d))
		return 0;
	type = desc_type(&d);
	if ((d.hi & DESC_S) || (type != SYS_TSS32 && (type != SYS_TSS16 || x86_is_long(c))))
		return x86_raise_code(c, EXC_GP, error);
	if (!(d.hi & DESC_P))
		return x86_raise_code(c, EXC_NP, error);
	if (x86_is_long(c)) {
		if (!x86_desc_read_top(c, (uint16_t)a, EXC_GP, 0, &d))
			return 0;
		if (!x86_is_canonical(desc_base(&d)))
			return x86_raise_code(c, EXC_GP, error);
	}
	if (x86_desc_set_busy(c, &d, true))
		x86_seg_fill(&c->seg[SEG_TR], (uint16_t)a, &d);
	return 0;
}

static uint64_t table_load(struct x86_cpu *c, struct x86_table *t, uint64_t base, uint64_t limit)
{
	if (x86_is_code64(c) && !x86_is_canonical(base))
		return x86_raise_code(c, EXC_GP, 0);
	*t = (struct x86_table){ .base = base, .limit = (uint16_t)limit };
	return 0;
}

HELPER(lgdt, FAULTS) { return table_load(env, &((struct x86_cpu *)env)->gdtr, a, b); }
HELPER(lidt, FAULTS) { return table_load(env, &((struct x86_cpu *)env)->idtr, a, b); }

/* A descriptor the program may ask about with LAR and LSL: which system types, and privilege. */
static bool desc_is_visible(const struct x86_cpu *c, uint16_t sel, const struct x86_desc *d,
			    uint32_t types)
{
	if (!(d->hi & DESC_S) && !(types >> desc_type(d) & 1))
		return false;
	if (desc_is_conforming(d))
		return true;
	return desc_dpl(d) >= x86_cpl(c) && desc_dpl(d) >= (sel & 3u);
}

static bool desc_ask(struct x86_cpu *c, uint16_t sel, struct x86_desc *d)
{
	bool found = false;

	return (sel & 0xfffc) && x86_desc_probe(c, sel, d, &found) && found;
}

HELPER(lar, FAULTS)
{
	/* TSSs, LDT, gates; in long mode only those that exist there */
	uint32_t types = x86_is_long(env) ? 0x1a04 : 0x1a3e;
	struct x86_desc d;

	if (!desc_ask(env, (uint16_t)a, &d) || !desc_is_visible(env, (uint16_t)a, &d, types))
		return 0;
	return BIT(32) | (d.hi & 0x00ffff00);
}

HELPER(lsl, FAULTS)
{
	uint32_t types = x86_is_long(env) ? 0x0a04 : 0x0a0e;
	struct x86_desc d;

	if (!desc_ask(env, (uint16_t)a, &d) || !desc_is_visible(env, (uint16_t)a, &d, types))
		return 0;
	return BIT(32) | desc_limit(&d);
}

HELPER(ver, FAULTS)
{
	struct x86_desc d;

	if (!desc_ask(env, (uint16_t)a, &d) || !desc_is_visible(env, (uint16_t)a, &d, 0))
		return 0;
	return b ? desc_is_writable_data(&d) : !desc_is_code(&d) || (d.hi & DESC_R);
}

/* ---- control registers ---- */

HELPER(lmsw, MODE) { return x86_lmsw(env, (uint16_t)a); }

HELPER(clts, MODE)
{
	struct x86_cpu *c = env;

	c->cr0 &= ~(uint64_t)CR0_TS;
	x86_mode_update(c);
	return 0;
}

HELPER(cr_read, FAULTS)
{
	uint64_t v = 0;

	x86_cr_read(env, (unsigned)a, &v);
	return v;
}

HELPER(cr_write, MODE) { return x86_cr_write(env, (unsigned)a, b); }

HELPER(dr_read, FAULTS)
{
	uint64_t v = 0;

	x86_dr_read(env, (unsigned)a, &v);
	return v;
}

HELPER(dr_write, MODE) { return x86_dr_write(env, (unsigned)a, b); }

static uint64_t ac_clear(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	(void)a, (void)b, (void)x;
	x86_rflags_set(env, 0, FL_AC);
	return 0;
}

static uint64_t ac_set(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	(void)a, (void)b, (void)x;
	x86_rflags_set(env, FL_AC, FL_AC);
	return 0;
}

const struct ir_helper helper_clac[2] = {
	{ .name = "clac", .fn = ac_clear, .slot = FLAGS, .clears = FL_AC },
	{ .name = "clac_smap",
	  .fn = ac_clear,
	  .slot = FLAGS,
	  .clears = FL_AC,
	  .view_plus_1 = VIEW_KERNEL + 1 },
};
const struct ir_helper helper_stac[2] = {
	{ .name = "stac", .fn = ac_set, .slot = FLAGS, .sets = FL_AC },
	{ .name = "stac_smap",
	  .fn = ac_set,
	  .slot = FLAGS,
	  .sets = FL_AC,
	  .view_plus_1 = VIEW_KERNEL_AC + 1 },
};

HELPER(invlpg, MODE)
{
	if (x86_is_canonical(a) || !x86_is_long(env))
		x86_tlb_flush_page(env, a);
	return 0;
}

/* SDM 2 INVPCID. */
HELPER(invpcid, MODE)
{
	struct x86_cpu *c = env;
	uint64_t d[2];

	if (!x86_load_bytes(c, c->env.view, b, d, 16))
		return 0;
	if (a > 3 || (a < 2 && d[0] >> 12) || (a < 2 && !(c->cr4 & CR4_PCIDE) && d[0]) ||
	    (a == 0 && !x86_is_canonical(d[1])))
		return x86_raise_code(c, EXC_GP, 0);
	switch (a) {
	case 0: x86_tlb_flush_space(c, d[0], d[1] & ~UINT64_C(0xfff)); break;
	case 1: x86_tlb_flush_space(c, d[0], ~UINT64_C(0)); break;
	case 2: x86_tlb_flush(c, false); break;
	default: x86_tlb_flush_space(c, JIT_ASID_ALL, ~UINT64_C(0)); break;
	}
	return 0;
}

/* ---- MSRs, time, identification ---- */

static void put_pair(struct x86_cpu *c, uint64_t v)
{
	c->gpr[RAX] = (uint32_t)v;
	c->gpr[RDX] = v >> 32;
}

static uint64_t get_pair(const struct x86_cpu *c)
{
	return (uint32_t)c->gpr[RAX] | c->gpr[RDX] << 32;
}

HELPER(rdmsr, FAULTS)
{
	struct x86_cpu *c = env;
	uint64_t v;

	if (x86_msr_read(c, (uint32_t)c->gpr[RCX], &v))
		put_pair(c, v);
	return 0;
}

/* The bases of FS and GS are all that a block goes on behind. */
HELPER(wrmsr, FAULTS)
{
	struct x86_cpu *c = env;
	uint32_t msr = (uint32_t)c->gpr[RCX];

	if (x86_msr_write(c, msr, get_pair(c)) && !x86_msr_is_base(msr))
		c->env.code_stored = true;
	return 0;
}

HELPER(tsc, .is_quick = true) { return x86_tsc(env); }

/* No counters are announced, so that every index is invalid. */
HELPER(rdpmc, FAULTS) { return x86_raise_code(env, EXC_GP, 0); }

HELPER(cpuid, .can_fault = false)
{
	struct x86_cpu *c = env;
	uint32_t r[4];

	x86_cpuid(c, (uint32_t)c->gpr[RAX], (uint32_t)c->gpr[RCX], r);
	/* One by one, as they were stored just now: a wider load would wait for those stores. */
	c->gpr[RAX] = __atomic_load_n(&r[0], __ATOMIC_RELAXED);
	c->gpr[RBX] = __atomic_load_n(&r[1], __ATOMIC_RELAXED);
	c->gpr[RCX] = __atomic_load_n(&r[2], __ATOMIC_RELAXED);
	c->gpr[RDX] = __atomic_load_n(&r[3], __ATOMIC_RELAXED);
	return 0;
}

/* ---- extended state ---- */

HELPER(fxsave, FAULTS) { return x86_fxsave(env, a, b); }
HELPER(fxrstor, FAULTS) { return x86_fxrstor(env, a, b); }

static bool xsave_usable(struct x86_cpu *c)
{
	return (c->cr4 & CR4_OSXSAVE) || x86_raise(c, EXC_UD);
}

HELPER(xsave, FAULTS)
{
	return xsave_usable(env) && x86_xsave(env, a, get_pair(env), b, (enum x86_xsave_kind)x);
}

HELPER(xrstor, FAULTS) { return xsave_usable(env) && x86_xrstor(env, a, get_pair(env), b); }

HELPER(xgetbv, FAULTS)
{
	struct x86_cpu *c = env;
	uint32_t reg = (uint32_t)c->gpr[RCX];

	if (!xsave_usable(c))
		return 0;
	if (reg > 1 || (reg == 1 && !x86_has(c, X86_FEAT_XGETBV1)))
		return x86_raise_code(c, EXC_GP, 0);
	put_pair(c, reg ? c->xcr0 & x86_xinuse(c) : c->xcr0);
	return 0;
}

HELPER(xsetbv, MODE)
{
	struct x86_cpu *c = env;

	if (!xsave_usable(c))
		return 0;
	if (x86_cpl(c))
		return x86_raise_code(c, EXC_GP, 0);
	return x86_xsetbv(c, (uint32_t)c->gpr[RCX], get_pair(c));
}

HELPER(step_begin, FAULTS, .reads_pc = true) { return x86_step_begin(env); }
