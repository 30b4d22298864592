/* arch/x86/x87.c - how x87 instructions end: flags, condition code 1, pointers, stack faults.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/x87.h"

enum { MISC_ENABLE_FOPCODE = 1u << 2 };

/* The selectors of the instruction and data pointers; the offsets are put by translated code.  The
 * opcode is only kept with an unmasked exception, unless IA32_MISC_ENABLE asks for more (SDM vol. 1
 * §8.1.8, §8.1.9). */
static void note_pointers(struct x86_cpu *c, uint64_t rule, bool is_unmasked)
{
	c->fcs = c->seg[SEG_CS].sel;
	if (x87_is_mem(rule))
		c->fds = c->seg[rule >> RULE_SEG_SHIFT & 7].sel;
	if (unlikely(is_unmasked || c->msr_misc_enable & MISC_ENABLE_FOPCODE))
		c->fop = (uint16_t)((x87_opcode(rule) & 7) << 8 |
				    (rule >> RULE_MOD_SHIFT & 3) << 6 | x87_digit(rule) << 3 |
				    x87_rm(rule));
}

bool x87_commit(struct x86_cpu *c, uint64_t rule, const struct fp_env *e)
{
	const unsigned operand = FP_INVALID | FP_DENORMAL | FP_DIVZERO;
	unsigned flags = fp_reported(e), unmasked = flags & ~(unsigned)e->masks;

	c->fsw = (uint16_t)((c->fsw & ~FSW_C1) | flags);
	if (e->rounded_up && !(unmasked & operand))
		c->fsw |= FSW_C1;
	if (unlikely(unmasked))
		c->fsw |= FSW_ES | FSW_B;
	note_pointers(c, rule, unmasked);
	return !(unmasked & operand);
}

bool x87_stack_fault(struct x86_cpu *c, uint64_t rule, bool is_overflow)
{
	bool is_masked = c->fcw & FP_INVALID;

	c->fsw |= FP_INVALID | FSW_SF;
	x87_set_cc(c, is_overflow ? FSW_C1 : 0, FSW_C1);
	if (!is_masked)
		c->fsw |= FSW_ES | FSW_B;
	note_pointers(c, rule, !is_masked);
	return is_masked;
}

void x87_note(struct x86_cpu *c, uint64_t rule) { note_pointers(c, rule, false); }

void x87_quiet(struct x86_cpu *c, uint64_t rule)
{
	c->fsw &= (uint16_t)~FSW_C1;
	note_pointers(c, rule, false);
}
