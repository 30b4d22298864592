/* arch/x86/fast.c - SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM 3A 5.8.7, 5.8.8; APM 2 6.1).
 * Vendors differ: AMD has SYSCALL outside 64-bit code and no SYSENTER in long mode.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

static void fast_segments(struct x86_cpu *c, uint16_t cs, uint16_t ss, bool is_64, unsigned cpl)
{
	x86_seg_fill_flat(&c->seg[SEG_CS], cs, true, is_64, cpl);
	x86_seg_fill_flat(&c->seg[SEG_SS], ss, false, false, cpl);
}

bool x86_syscall(struct x86_cpu *c, uint64_t next)
{
	uint16_t cs = (uint16_t)(c->msr_star >> 32) & 0xfffc;
	bool in_64 = x86_is_code64(c);

	if (!(c->efer & EFER_SCE) || (!in_64 && (!x86_is_amd(c) || x86_is_real(c))))
		return x86_raise(c, EXC_UD);
	fast_segments(c, cs, (uint16_t)(cs + 8), x86_is_long(c), 0);
	c->gpr[RCX] = next;
	if (x86_is_long(c)) {
		c->gpr[R11] = c->rflags & ~(uint32_t)FL_RF;
		c->env.pc = in_64 ? c->msr_lstar : c->msr_cstar;
		x86_rflags_put(c, c->rflags & ~((uint32_t)c->msr_fmask | FL_RF));
	} else {
		c->env.pc = (uint32_t)c->msr_star;
		x86_rflags_put(c, c->rflags & ~(uint32_t)(FL_VM | FL_IF | FL_RF));
	}
	/* the step trap is taken by what TF has become */
	c->step_armed = c->step_armed && (c->rflags & FL_TF);
	x86_mode_update_cs(c);
	return true;
}

/* The step trap follows the new TF as if the caller's SYSCALL had just ended. */
static void fast_sysret_flags(struct x86_cpu *c, uint32_t flags)
{
	uint32_t mask = ~(uint32_t)(FL_RF | FL_VM) & 0x3f7fd5;

	c->step_armed = false;
	x86_rflags_put(c, (c->rflags & ~mask) | (flags & mask));
	if (c->rflags & FL_TF)
		c->pending_db |= DR6_BS;
}

bool x86_sysret(struct x86_cpu *c, unsigned size)
{
	uint16_t base = (uint16_t)(c->msr_star >> 48) | 3;
	bool to_64 = size == 8;

	if (!(c->efer & EFER_SCE) || (!x86_is_code64(c) && !x86_is_amd(c)) || x86_is_real(c))
		return x86_raise(c, EXC_UD);
	if (x86_cpl(c) || (to_64 && !x86_is_amd(c) && !x86_is_canonical(c->gpr[RCX])))
		return x86_raise_code(c, EXC_GP, 0);
	fast_segments(c, to_64 ? (uint16_t)(base + 16) : base, (uint16_t)(base + 8), to_64, 3);
	c->env.pc = to_64 ? c->gpr[RCX] : (uint32_t)c->gpr[RCX];
	if (x86_is_long(c))
		fast_sysret_flags(c, (uint32_t)c->gpr[R11]);
	else
		x86_rflags_set(c, FL_IF, FL_IF);
	x86_mode_update_cs(c);
	return true;
}

bool x86_sysret_usual(struct x86_cpu *c)
{
	return x86_is_code64(c) && !x86_cpl(c) && c->efer & EFER_SCE &&
	       x86_is_canonical(c->gpr[RCX]) && x86_sysret(c, 8);
}

bool x86_sysenter(struct x86_cpu *c)
{
	uint16_t cs = (uint16_t)c->msr_sysenter_cs & 0xfffc;
	bool is_long = x86_is_long(c);

	if (x86_is_real(c) || !cs)
		return x86_raise_code(c, EXC_GP, 0);
	if (is_long && x86_is_amd(c))
		return x86_raise(c, EXC_UD);
	x86_rflags_set(c, 0, FL_VM | FL_IF | FL_RF);
	fast_segments(c, cs, (uint16_t)(cs + 8), is_long, 0);
	c->gpr[RSP] = is_long ? c->msr_sysenter_esp : (uint32_t)c->msr_sysenter_esp;
	c->env.pc = is_long ? c->msr_sysenter_eip : (uint32_t)c->msr_sysenter_eip;
	x86_mode_update_cs(c);
	return true;
}

bool x86_sysexit(struct x86_cpu *c, unsigned size)
{
	uint16_t cs = (uint16_t)c->msr_sysenter_cs & 0xfffc;
	bool to_64 = size == 8;

	if (x86_is_real(c) || !cs || x86_cpl(c))
		return x86_raise_code(c, EXC_GP, 0);
	if (x86_is_long(c) && x86_is_amd(c))
		return x86_raise(c, EXC_UD);
	if (to_64 && (!x86_is_canonical(c->gpr[RCX]) || !x86_is_canonical(c->gpr[RDX])))
		return x86_raise_code(c, EXC_GP, 0);
	fast_segments(c, (uint16_t)((to_64 ? cs + 32 : cs + 16) | 3),
		      (uint16_t)((to_64 ? cs + 40 : cs + 24) | 3), to_64, 3);
	c->gpr[RSP] = to_64 ? c->gpr[RCX] : (uint32_t)c->gpr[RCX];
	c->env.pc = to_64 ? c->gpr[RDX] : (uint32_t)c->gpr[RDX];
	x86_mode_update_cs(c);
	return true;
}
