/* tests/unit/arch/except_test.c - handler frames, double and triple faults, IRET.
 * SPDX-License-Identifier: MIT */
#include "sys_fixture.h"

enum { HANDLER = 0x6000 };

static void idt32(struct rig *r, unsigned v, unsigned type)
{
	rig_gate(r, IDT + 8 * v, type, K_CODE, HANDLER, 0);
}

static void test_real_mode_frame(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	x86_seg_fill_real(&c->seg[SEG_CS], 0x100);
	x86_mode_update(c);
	c->env.pc = 0x34;
	c->gpr[RSP] = 0x11118000;
	c->rflags = FL_ONE | FL_IF | FL_TF | FL_CF;
	c->idtr = (struct x86_table){ 0, 0x3ff };
	rig_poke(r, 0x21 * 4, 4, 0x20000010);
	x86_int_n(c, 0x21, 2);
	x86_deliver_exception(c);
	g_assert_cmphex(c->env.pc, ==, 0x10);
	g_assert_cmphex(c->seg[SEG_CS].base, ==, 0x20000);
	g_assert_cmphex(c->gpr[RSP], ==, 0x11117ffa);
	g_assert_cmphex(rig_peek(r, 0x7ffa, 2), ==, 0x36);
	g_assert_cmphex(rig_peek(r, 0x7ffc, 2), ==, 0x100);
	g_assert_cmphex(rig_peek(r, 0x7ffe, 2), ==, FL_ONE | FL_IF | FL_TF | FL_CF);
	g_assert_cmphex(c->rflags & (FL_IF | FL_TF), ==, 0);
	g_assert_true(x86_iret(c, 2, 0));
	g_assert_cmphex(c->env.pc, ==, 0x36);
	g_assert_cmphex(c->gpr[RSP], ==, 0x11118000);
	g_assert_true(c->rflags & FL_IF);
	rig_free(r);
}

static void test_fault_from_user_pushes_error_and_outer_stack(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 3);
	idt32(r, EXC_GP, 0x8e);
	x86_raise_code(c, EXC_GP, 0x1234);
	x86_deliver_exception(c);
	g_assert_cmpuint(x86_cpl(c), ==, 0);
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	g_assert_cmphex(c->gpr[RSP], ==, STACK0 - 24);
	g_assert_cmphex(rig_peek(r, STACK0 - 24, 4), ==, 0x1234);
	g_assert_cmphex(rig_peek(r, STACK0 - 20, 4), ==, 0x5000);
	g_assert_cmphex(rig_peek(r, STACK0 - 16, 4), ==, U_CODE);
	g_assert_cmphex(rig_peek(r, STACK0 - 12, 4), ==, FL_ONE | FL_IF | FL_RF);
	g_assert_cmphex(rig_peek(r, STACK0 - 8, 4), ==, STACK3);
	g_assert_cmphex(rig_peek(r, STACK0 - 4, 4), ==, U_DATA);
	g_assert_false(c->rflags & FL_IF);
	c->gpr[RSP] += 4; /* the handler drops the code */
	g_assert_true(x86_iret(c, 4, 0));
	g_assert_cmpuint(x86_cpl(c), ==, 3);
	g_assert_cmphex(c->gpr[RSP], ==, STACK3);
	g_assert_cmphex(c->env.pc, ==, 0x5000);
	g_assert_cmphex(c->seg[SEG_DS].sel, ==, U_DATA);
	rig_free(r);
}

static void test_int_n_needs_gate_privilege(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 3);
	idt32(r, 0x80, 0xef); /* trap gate, DPL 3 */
	idt32(r, 0x81, 0x8e);
	idt32(r, EXC_GP, 0x8e);
	x86_int_n(c, 0x80, 2);
	x86_deliver_exception(c);
	g_assert_cmphex(rig_peek(r, STACK0 - 20, 4), ==, 0x5002);
	g_assert_true(c->rflags & FL_IF); /* trap gate */
	rig_protected(r, 3);
	x86_int_n(c, 0x81, 2);
	x86_deliver_exception(c);
	g_assert_cmphex(rig_peek(r, STACK0 - 24, 4), ==, 0x81 * 8 + 2);
	g_assert_cmphex(rig_peek(r, STACK0 - 20, 4), ==, 0x5000);
	rig_free(r);
}

static void test_double_and_triple_fault(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	idt32(r, EXC_DF, 0x8e);
	rig_gate(r, IDT + 8 * EXC_GP, 0x8e, SEL_RODATA, HANDLER, 0); /* not code */
	x86_raise_code(c, EXC_GP, 0);
	x86_deliver_exception(c);
	g_assert_false(r->is_shut_down);
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	g_assert_cmphex(rig_peek(r, STACK0 - 16, 4), ==, 0);
	c->idtr.limit = 7;
	x86_raise(c, EXC_UD);
	x86_deliver_exception(c);
	g_assert_true(r->is_shut_down);
	g_assert_true(r->v.is_halted);
	rig_free(r);
}

static void test_long_mode_frame_and_ist(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_long(r, 3);
	rig_poke(r, TSS + 4, 8, STACK0);
	rig_poke(r, TSS + 0x24 + 8, 8, 0xb008); /* IST2 */
	rig_gate(r, IDT + 16 * EXC_PF, 0x8e, SEL_CODE64, HANDLER, 0);
	rig_gate(r, IDT + 16 * EXC_DF, 0x8e, SEL_CODE64, HANDLER, 2);
	x86_raise_page_fault(c, 0x1234567, PF_U);
	x86_deliver_exception(c);
	g_assert_cmphex(c->cr2, ==, 0x1234567);
	g_assert_cmphex(c->gpr[RSP], ==, STACK0 - 48);
	g_assert_cmphex(rig_peek(r, STACK0 - 48, 8), ==, PF_U);
	g_assert_cmphex(rig_peek(r, STACK0 - 8, 8), ==, U_DATA);
	g_assert_cmphex(c->seg[SEG_SS].sel, ==, 0);
	x86_raise(c, EXC_DF);
	x86_deliver_exception(c);
	g_assert_cmphex(c->gpr[RSP], ==, 0xb000 - 48);
	c->gpr[RSP] += 8;
	g_assert_true(x86_iret(c, 8, 0));
	g_assert_cmphex(c->gpr[RSP], ==, STACK0 - 48);
	c->gpr[RSP] += 8;
	rig_poke(r, GDT + (U_CODE & ~7u), 8,
		 rig_peek(r, GDT + (SEL_CODE64 & ~7u), 8) | BIT(45) | BIT(46));
	g_assert_true(x86_iret(c, 8, 0));
	g_assert_cmpuint(x86_cpl(c), ==, 3);
	g_assert_true(x86_is_code64(c));
	g_assert_cmphex(c->gpr[RSP], ==, STACK3);
	rig_free(r);
}

static void test_vm86_entry_and_int(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;
	static const uint32_t frame[] = { 0x100, 0x200, FL_VM | FL_IF, 0x400, 0x300, 1, 2, 3, 4 };

	rig_protected(r, 0);
	idt32(r, EXC_GP, 0x8e);
	c->gpr[RSP] = STACK0 - sizeof(frame);
	for (unsigned i = 0; i < ARRAY_SIZE(frame); i++)
		rig_poke(r, c->gpr[RSP] + 4 * i, 4, frame[i]);
	g_assert_true(x86_iret(c, 4, 0));
	g_assert_cmpuint(x86_cpl(c), ==, 3);
	g_assert_true(c->env.mode & MODE_VM86);
	g_assert_cmphex(c->seg[SEG_CS].base, ==, 0x2000);
	g_assert_cmphex(c->seg[SEG_GS].sel, ==, 4);
	/* IOPL 0 without VME: INT n is #GP(0), and the monitor gets the segments on its stack */
	x86_int_n(c, 0x10, 2);
	x86_deliver_exception(c);
	g_assert_false(c->rflags & FL_VM);
	g_assert_cmphex(c->gpr[RSP], ==, STACK0 - 40);
	g_assert_cmphex(rig_peek(r, STACK0 - 4, 4), ==, 4);
	g_assert_cmphex(rig_peek(r, STACK0 - 40, 4), ==, 0);
	g_assert_cmphex(c->seg[SEG_DS].sel, ==, 0);
	rig_free(r);
}

static void test_vme_redirects_by_bitmap(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	c->cr4 |= CR4_VME;
	c->seg[SEG_TR].limit = 0xff;
	rig_poke(r, TSS + 0x66, 2, 0x88); /* bitmap of 32 bytes at 0x68, all 0: redirect */
	rig_poke(r, 0x10 * 4, 4, 0x70000123);
	c->rflags = FL_ONE | FL_VM | FL_VIF;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		x86_seg_fill_vm86(&c->seg[i], 0x300);
	x86_mode_update(c);
	c->gpr[RSP] = 0x100;
	c->env.pc = 0x50;
	x86_int_n(c, 0x10, 2);
	x86_deliver_exception(c);
	g_assert_true(c->rflags & FL_VM);
	g_assert_cmphex(c->env.pc, ==, 0x123);
	g_assert_cmphex(c->seg[SEG_CS].sel, ==, 0x7000);
	g_assert_false(c->rflags & FL_VIF);
	g_assert_cmphex(rig_peek(r, 0x3000 + 0xfe, 2), ==, FL_ONE | FL_IF | FL_IOPL);
	rig_free(r);
}

static void test_single_step_traps_after_the_instruction(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	idt32(r, EXC_DB, 0x8e);
	x86_rflags_set(c, FL_TF, FL_TF);
	g_assert_true(c->env.mode & MODE_STEP);
	g_assert_true(x86_step_begin(c));
	c->env.pc = 0x5003;
	x86_step_end(c);
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	g_assert_cmphex(c->dr[6] & DR6_BS, ==, DR6_BS);
	g_assert_cmphex(rig_peek(r, STACK0 - 12, 4), ==, 0x5003);
	g_assert_false(c->env.mode & MODE_STEP);
	rig_free(r);
}

static void test_code_breakpoint_faults_once(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	g_assert_true(x86_dr_write(c, 0, 0x5000));
	g_assert_true(x86_dr_write(c, 7, 2));
	g_assert_true(c->env.mode & MODE_CODE_BREAK);
	g_assert_false(x86_step_begin(c));
	rig_fault(r, EXC_DB, -1);
	g_assert_cmphex(c->dr[6] & 15, ==, 1);
	x86_rflags_set(c, FL_RF, FL_RF);
	g_assert_true(x86_step_begin(c));
	g_assert_false(c->rflags & FL_RF);
	g_assert_true(x86_dr_write(c, 7, DR7_GD));
	g_assert_false(x86_dr_write(c, 0, 0));
	rig_fault(r, EXC_DB, -1);
	g_assert_true(c->dr[6] & DR6_BD);
	rig_free(r);
}

static void test_interrupts_wait_for_the_shadow(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 0);
	idt32(r, EXC_NMI, 0x8e);
	vcpu_set_input(&r->v, VCPU_NMI);
	x86_shadow_set(c, true);
	g_assert_false(x86_has_work(&r->v));
	g_assert_true(x86_step_begin(c));
	g_assert_true(x86_has_work(&r->v));
	g_assert_true(x86_poll_inputs(c));
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	vcpu_set_input(&r->v, VCPU_NMI); /* a second one waits for IRET */
	g_assert_false(x86_has_work(&r->v));
	g_assert_true(x86_iret(c, 4, 0));
	g_assert_true(x86_has_work(&r->v));
	rig_free(r);
}

static int ack_40(void *intc)
{
	vcpu_clear_input(intc, VCPU_INTR);
	return 0x40;
}

static const struct vcpu_intc_ops intc_ops = { .ack = ack_40 };

/* IF is clear, vector 40h has a gate. */
static struct rig *rig_before_sti(void)
{
	struct rig *r = rig_new("max");

	rig_protected(r, 0);
	r->c->rflags &= ~(uint32_t)FL_IF;
	r->v.intc_ops = &intc_ops;
	r->v.intc = &r->v;
	idt32(r, 0x40, 0x8e);
	return r;
}

static void test_sti_holds_interrupts_back_while_rip_stands(void)
{
	struct rig *r = rig_before_sti();
	struct x86_cpu *c = r->c;

	x86_sti(c, 0x5001);
	g_assert_true(c->rflags & FL_IF);
	g_assert_false(c->env.mode & MODE_STEP);
	c->env.pc = 0x5001;
	vcpu_set_input(&r->v, VCPU_INTR);
	g_assert_false(x86_has_work(&r->v));
	g_assert_false(x86_poll_inputs(c));
	g_assert_true(c->env.mode & MODE_STEP);
	g_assert_true(x86_step_begin(c));
	g_assert_true(x86_poll_inputs(c));
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	rig_free(r);
}

static void test_sti_is_over_when_rip_has_moved(void)
{
	struct rig *r = rig_before_sti();
	struct x86_cpu *c = r->c;

	x86_sti(c, 0x5001);
	c->env.pc = 0x5002;
	vcpu_set_input(&r->v, VCPU_INTR);
	g_assert_true(x86_has_work(&r->v));
	g_assert_true(x86_poll_inputs(c));
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	g_assert_cmphex(rig_peek(r, STACK0 - 12, 4), ==, 0x5002);
	rig_free(r);
}

static void test_sti_steps_when_something_waits(void)
{
	struct rig *r = rig_before_sti();

	vcpu_set_input(&r->v, VCPU_INTR);
	x86_sti(r->c, 0x5001);
	g_assert_true(r->c->env.mode & MODE_STEP);
	g_assert_false(x86_has_work(&r->v));
	rig_free(r);
}

static void test_int_n_enters_at_once(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	rig_protected(r, 3);
	idt32(r, 0x80, 0xee);
	idt32(r, 0x81, 0x8e);
	g_assert_true(x86_int_n_enter(c, 0x80, 2, 0x5002));
	g_assert_cmphex(c->env.pc, ==, HANDLER);
	g_assert_cmpuint(x86_cpl(c), ==, 0);
	g_assert_cmpuint(c->env.fault, ==, 0);
	g_assert_cmphex(rig_peek(r, STACK0 - 20, 4), ==, 0x5002);
	g_assert_true(x86_iret(c, 4, 0));
	/* what it meets is a fault of the instruction */
	c->env.pc = 0x5000;
	g_assert_false(x86_int_n_enter(c, 0x81, 2, 0x5002));
	g_assert_cmphex(c->env.pc, ==, 0x5000);
	rig_fault(r, EXC_GP, 0x81 * 8 + 2);
	/* stepped, it is left to the loop */
	c->rflags |= FL_TF;
	x86_mode_update(c);
	g_assert_false(x86_int_n_enter(c, 0x80, 2, 0x5002));
	g_assert_true(c->exc.is_int_n);
	rig_fault(r, 0x80, -1);
	rig_free(r);
}

static void test_init_then_startup(void)
{
	struct rig *r = rig_new("max");
	struct x86_cpu *c = r->c;

	r->v.id = 1;
	rig_protected(r, 0);
	vcpu_set_input(&r->v, VCPU_INIT);
	g_assert_true(x86_poll_inputs(c));
	g_assert_true(c->wait_sipi && r->v.is_halted);
	atomic_store(&r->v.sipi_vector, 0x9a);
	vcpu_set_input(&r->v, VCPU_SIPI);
	g_assert_true(x86_poll_inputs(c));
	g_assert_false(r->v.is_halted);
	g_assert_cmphex(c->seg[SEG_CS].base, ==, 0x9a000);
	g_assert_cmphex(c->env.pc, ==, 0);
	g_assert_cmphex(c->cr0 & (CR0_PE | CR0_PG), ==, 0);
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/except/real_mode_frame", test_real_mode_frame);
	g_test_add_func("/except/fault_from_user",
			test_fault_from_user_pushes_error_and_outer_stack);
	g_test_add_func("/except/int_n_needs_gate_privilege", test_int_n_needs_gate_privilege);
	g_test_add_func("/except/double_and_triple_fault", test_double_and_triple_fault);
	g_test_add_func("/except/long_mode_frame_and_ist", test_long_mode_frame_and_ist);
	g_test_add_func("/except/vm86_entry_and_int", test_vm86_entry_and_int);
	g_test_add_func("/except/vme_redirects_by_bitmap", test_vme_redirects_by_bitmap);
	g_test_add_func("/except/single_step", test_single_step_traps_after_the_instruction);
	g_test_add_func("/except/code_breakpoint_faults_once", test_code_breakpoint_faults_once);
	g_test_add_func("/except/interrupts_wait_for_the_shadow",
			test_interrupts_wait_for_the_shadow);
	g_test_add_func("/except/sti_holds_back", test_sti_holds_interrupts_back_while_rip_stands);
	g_test_add_func("/except/sti_is_over", test_sti_is_over_when_rip_has_moved);
	g_test_add_func("/except/sti_steps", test_sti_steps_when_something_waits);
	g_test_add_func("/except/int_n_enters_at_once", test_int_n_enters_at_once);
	g_test_add_func("/except/init_then_startup", test_init_then_startup);
	return g_test_run();
}
