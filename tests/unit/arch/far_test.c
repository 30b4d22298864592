/* tests/unit/arch/far_test.c - segment loads, far transfers, call gates, task switches.
 * SPDX-License-Identifier: MIT */
#include "sys_fixture.h"

static void load_fails(struct rig *r, unsigned seg, uint16_t sel, unsigned v, int64_t code)
{
	uint16_t before = r->c->seg[seg].sel;

	g_assert_false(x86_seg_load(r->c, (enum x86_seg_id)seg, sel));
	rig_fault(r, v, code);
	g_assert_cmphex(r->c->seg[seg].sel, ==, before);
}

static void test_data_segment_rules(void)
{
	struct rig *r = rig_new("max");

	rig_protected(r, 3);
	g_assert_true(x86_seg_load(r->c, SEG_DS, 0));
	g_assert_true(x86_seg_load(r->c, SEG_DS, SEL_RODATA));
	g_assert_true(x86_seg_load(r->c, SEG_DS, SEL_CONFORMING));
	load_fails(r, SEG_DS, K_DATA, EXC_GP, K_DATA);
	load_fails(r, SEG_DS, SEL_EXEC_ONLY, EXC_GP, SEL_EXEC_ONLY);
	load_fails(r, SEG_DS, SEL_TSS, EXC_GP, SEL_TSS);
	load_fails(r, SEG_DS, GDT_LIMIT + 1, EXC_GP, GDT_LIMIT + 1);
	load_fails(r, SEG_DS, 0x7, EXC_GP, 4); /* no LDT */
	load_fails(r, SEG_SS, 0, EXC_GP, 0);
	load_fails(r, SEG_SS, SEL_RODATA | 3, EXC_GP, SEL_RODATA);
	load_fails(r, SEG_SS, U_DATA & ~3, EXC_GP, U_DATA & ~3);
	rig_protected(r, 0);
	load_fails(r, SEG_DS, SEL_ABSENT, EXC_NP, SEL_ABSENT);
	load_fails(r, SEG_SS, SEL_ABSENT, EXC_SS, SEL_ABSENT);
	rig_free(r);
}

static void test_accessed_bit_is_set(void)
{
	struct rig *r = rig_new("max");

	rig_protected(r, 0);
	g_assert_false(rig_peek(r, GDT + K_DATA + 5, 1) & 1);
	g_assert_true(x86_seg_load(r->c, SEG_ES, K_DATA));
	g_assert_true(rig_peek(r, GDT + K_DATA + 5, 1) & 1);
	rig_free(r);
}

static void test_null_ss_in_64bit_mode(void)
{
	struct rig *r = rig_new("max");

	rig_long(r, 0);
	g_assert_true(x86_seg_load(r->c, SEG_SS, 0));
	g_assert_cmpuint(x86_cpl(r->c), ==, 0);
	load_fails(r, SEG_SS, 1, EXC_GP, 0);
	rig_free(r);
}

static void test_far_jump_rules(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 3);
	g_assert_true(x86_far_jump(c, SEL_CONFORMING, 0x7000, 4, 0));
	g_assert_cmphex(c->seg[SEG_CS].sel, ==, SEL_CONFORMING | 3);
	g_assert_cmphex(c->env.pc, ==, 0x7000);
	g_assert_false(x86_far_jump(c, K_CODE, 0, 4, 0));
	rig_fault(r, EXC_GP, K_CODE);
	g_assert_false(x86_far_jump(c, 0, 0, 4, 0));
	rig_fault(r, EXC_GP, 0);
	g_assert_false(x86_far_jump(c, U_DATA, 0, 4, 0));
	rig_fault(r, EXC_GP, U_DATA & ~3);
	rig_free(r);
}

static void test_call_gate_to_ring0_and_back(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 3);
	rig_gate(r, GDT + SEL_GATE, 0xec, K_CODE, 0x8888, 2);
	rig_poke(r, STACK3, 4, 0x11);
	rig_poke(r, STACK3 + 4, 4, 0x22);
	g_assert_true(x86_far_call(c, SEL_GATE | 3, 0xdead, 4, 0x5007));
	g_assert_cmpuint(x86_cpl(c), ==, 0);
	g_assert_cmphex(c->env.pc, ==, 0x8888);
	g_assert_cmphex(c->gpr[RSP], ==, STACK0 - 24);
	g_assert_cmphex(rig_peek(r, STACK0 - 24, 4), ==, 0x5007);
	g_assert_cmphex(rig_peek(r, STACK0 - 20, 4), ==, U_CODE);
	g_assert_cmphex(rig_peek(r, STACK0 - 16, 4), ==, 0x11);
	g_assert_cmphex(rig_peek(r, STACK0 - 12, 4), ==, 0x22);
	g_assert_cmphex(rig_peek(r, STACK0 - 8, 4), ==, STACK3);
	x86_seg_load(c, SEG_DS, K_DATA);
	g_assert_true(x86_far_ret(c, 4, 8));
	g_assert_cmpuint(x86_cpl(c), ==, 3);
	g_assert_cmphex(c->env.pc, ==, 0x5007);
	g_assert_cmphex(c->gpr[RSP], ==, STACK3 + 8);
	g_assert_cmphex(c->seg[SEG_DS].sel, ==, 0); /* ring 0 data must not leak */
	rig_gate(r, GDT + SEL_GATE, 0x8c, K_CODE, 0x8888, 0);
	g_assert_false(x86_far_call(c, SEL_GATE | 3, 0, 4, 0));
	rig_fault(r, EXC_GP, SEL_GATE);
	rig_free(r);
}

static void fill_tss2(struct rig *r)
{
	static const uint8_t segs[] = { K_DATA, K_CODE, K_DATA, K_DATA, 0, 0 };

	rig_poke(r, TSS2 + 0x20, 4, 0x7654);
	rig_poke(r, TSS2 + 0x24, 4, FL_ONE);
	rig_poke(r, TSS2 + 0x28, 4, 0xaaaa5555);
	rig_poke(r, TSS2 + 0x38, 4, 0xc000);
	for (unsigned i = 0; i < 6; i++)
		rig_poke(r, TSS2 + 0x48 + 4 * i, 4, segs[i]);
}

static void test_task_switch_and_back(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	rig_poke(r, GDT + SEL_TSS + 5, 1, 0x8b);
	fill_tss2(r);
	c->gpr[RBX] = 0x77;
	g_assert_true(x86_far_call(c, SEL_TSS2, 0, 4, 0x5005));
	g_assert_cmphex(c->seg[SEG_TR].sel, ==, SEL_TSS2);
	g_assert_cmphex(c->env.pc, ==, 0x7654);
	g_assert_cmphex(c->gpr[RAX], ==, 0xaaaa5555);
	g_assert_true(c->rflags & FL_NT);
	g_assert_true(c->cr0 & CR0_TS);
	g_assert_cmphex(rig_peek(r, TSS2, 2), ==, SEL_TSS);
	g_assert_cmphex(rig_peek(r, TSS + 0x20, 4), ==, 0x5005);
	g_assert_cmphex(rig_peek(r, TSS + 0x34, 4), ==, 0x77);
	g_assert_cmphex(rig_peek(r, GDT + SEL_TSS2 + 5, 1), ==, 0x8b);
	g_assert_true(x86_iret(c, 4, 0x7660));
	g_assert_cmphex(c->env.pc, ==, 0x5005);
	g_assert_cmphex(c->gpr[RBX], ==, 0x77);
	g_assert_cmphex(c->gpr[RSP], ==, STACK0);
	g_assert_cmphex(rig_peek(r, GDT + SEL_TSS2 + 5, 1), ==, 0x89);
	g_assert_cmphex(rig_peek(r, TSS2 + 0x20, 4), ==, 0x7660);
	rig_free(r);
}

static void test_task_switch_faults(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	rig_poke(r, GDT + SEL_TSS + 5, 1, 0x8b);
	g_assert_false(x86_far_jump(c, SEL_TSS, 0, 4, 0)); /* busy */
	rig_fault(r, EXC_GP, SEL_TSS);
	rig_desc(r, SEL_TSS2, TSS2, 0x66, 0x89, 0);
	g_assert_false(x86_far_jump(c, SEL_TSS2, 0, 4, 0)); /* too short */
	rig_fault(r, EXC_TS, SEL_TSS2);
	rig_desc(r, SEL_TSS2, TSS2, 0x67, 0x89, 0);
	fill_tss2(r);
	rig_poke(r, TSS2 + 0x54, 4, SEL_EXEC_ONLY); /* DS may not be: #TS in the new task */
	rig_gate(r, IDT + 8 * EXC_TS, 0x8e, K_CODE, 0x6000, 0);
	g_assert_true(x86_far_jump(c, SEL_TSS2, 0, 4, 0x5002));
	g_assert_cmphex(c->seg[SEG_TR].sel, ==, SEL_TSS2);
	g_assert_cmphex(c->env.pc, ==, 0x6000);
	g_assert_cmphex(rig_peek(r, 0xc000 - 16, 4), ==, SEL_EXEC_ONLY);
	g_assert_cmphex(rig_peek(r, 0xc000 - 12, 4), ==, 0x7654);
	rig_free(r);
}

/* Two tasks, each the other's fault handler, whose TSSs lie over their own descriptors: saving EAX
 * and ECX makes the task available again, and neither has a code segment to run in. */
static void test_tasks_that_fault_for_ever_shut_down(void)
{
	enum { SEL_A = 0x200, SEL_B = 0x300, SEL_GONE = 0x400, EAX_AT = 0x28 };
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	c->gdtr.limit = 0xfff;
	rig_poke(r, GDT + SEL_TSS + 5, 1, 0x8b);
	rig_desc(r, SEL_A, GDT + SEL_A - EAX_AT, 0x67, 0x89, 0);
	rig_desc(r, SEL_B, GDT + SEL_B - EAX_AT, 0x67, 0x89, 0);
	rig_desc(r, SEL_GONE, 0, 0xffff, 0x1a, 0);
	rig_poke(r, GDT + SEL_B - EAX_AT + 0x4c, 4, SEL_GONE); /* A's CS is null: #TS; B's: #NP */
	rig_gate(r, IDT + 8 * EXC_TS, 0x85, SEL_B, 0, 0);
	rig_gate(r, IDT + 8 * EXC_NP, 0x85, SEL_A, 0, 0);
	g_assert_true(x86_far_jump(c, SEL_A, 0, 4, 0x5002));
	g_assert_true(r->is_shut_down);
	g_assert_true(c->is_shut_down);
	rig_free(r);
}

static void test_interrupt_through_task_gate(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	rig_poke(r, GDT + SEL_TSS + 5, 1, 0x8b);
	fill_tss2(r);
	rig_gate(r, IDT + 8 * EXC_DF, 0x85, SEL_TSS2, 0, 0);
	x86_raise(c, EXC_DF);
	x86_deliver_exception(c);
	g_assert_cmphex(c->env.pc, ==, 0x7654);
	g_assert_cmphex(c->gpr[RSP], ==, 0xc000 - 4); /* the error code */
	g_assert_cmphex(rig_peek(r, TSS + 0x20, 4), ==, 0x5000);
	rig_free(r);
}

static void test_syscall_and_sysret(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_long(r, 3);
	c->msr_star = (uint64_t)0x13 << 48 | (uint64_t)K_CODE << 32;
	c->msr_lstar = 0x9999;
	c->msr_fmask = FL_IF | FL_TF;
	g_assert_true(x86_syscall(c, 0x5002));
	g_assert_cmpuint(x86_cpl(c), ==, 0);
	g_assert_cmphex(c->gpr[RCX], ==, 0x5002);
	g_assert_cmphex(c->gpr[R11], ==, FL_ONE | FL_IF);
	g_assert_cmphex(c->env.pc, ==, 0x9999);
	g_assert_false(c->rflags & FL_IF);
	g_assert_true(x86_sysret(c, 8));
	g_assert_cmpuint(x86_cpl(c), ==, 3);
	g_assert_cmphex(c->seg[SEG_CS].sel, ==, 0x23);
	g_assert_cmphex(c->seg[SEG_SS].sel, ==, 0x1b);
	g_assert_true(c->rflags & FL_IF);
	g_assert_false(x86_sysret(c, 8));
	rig_fault(r, EXC_GP, 0);
	c->efer &= ~(uint64_t)EFER_SCE;
	g_assert_false(x86_syscall(c, 0));
	rig_fault(r, EXC_UD, -1);
	rig_free(r);
}

static void test_io_bitmap(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 3);
	c->seg[SEG_TR].limit = 0x68 + 0x80;
	rig_poke(r, TSS + 0x68 + 0x60 / 8, 1, 0x10); /* port 64h is closed */
	g_assert_true(x86_io_check(c, 0x60, 1));
	g_assert_true(x86_io_check(c, 0x60, 4));
	g_assert_false(x86_io_check(c, 0x64, 1));
	rig_fault(r, EXC_GP, 0);
	g_assert_false(x86_io_check(c, 0x61, 4));
	rig_fault(r, EXC_GP, 0);
	g_assert_false(x86_io_check(c, 0x8000, 1)); /* beyond the TSS */
	rig_fault(r, EXC_GP, 0);
	c->rflags |= FL_IOPL;
	g_assert_true(x86_io_check(c, 0x64, 1));
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/far/data_segment_rules", test_data_segment_rules);
	g_test_add_func("/far/accessed_bit_is_set", test_accessed_bit_is_set);
	g_test_add_func("/far/null_ss_in_64bit_mode", test_null_ss_in_64bit_mode);
	g_test_add_func("/far/far_jump_rules", test_far_jump_rules);
	g_test_add_func("/far/call_gate_to_ring0_and_back", test_call_gate_to_ring0_and_back);
	g_test_add_func("/far/task_switch_and_back", test_task_switch_and_back);
	g_test_add_func("/far/task_switch_faults", test_task_switch_faults);
	g_test_add_func("/far/task_faults_for_ever", test_tasks_that_fault_for_ever_shut_down);
	g_test_add_func("/far/interrupt_through_task_gate", test_interrupt_through_task_gate);
	g_test_add_func("/far/syscall_and_sysret", test_syscall_and_sysret);
	g_test_add_func("/far/io_bitmap", test_io_bitmap);
	return g_test_run();
}
