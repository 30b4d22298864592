/* tests/unit/accel/kvm_arm64_chips_test.c - interrupt controllers in the kernel, interrupt lines,
 * exits, debug registers and address sizes of arm64, with a kernel of our own.
 * SPDX-License-Identifier: MIT */
#include "accel/accel.h"

#include "kvm_arm64_rig.h"

/* ---- the controller in the kernel ---- */

static const struct arm64_kvm_gic_config v3 = {
	.version = 3,
	.nr_irqs = 256,
	.distributor = 0x8000000,
	.redistributors = { { 0x80a0000, 123 }, { 0x4000000000, 389 } },
	.region_count = 2,
};

static void new_gic(const struct arm64_kvm_gic_config *c)
{
	struct err err;

	rig->device_type = c->version == 2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3;
	if (!arm64_kvm_gic_new(&rig->accel.vm, c, &err))
		g_error("%s", err.text);
}

/* Addresses, then as many interrupts, then the start: groups 0, 3 and 4 of arm-vgic.rst. */
static void test_version_2_is_placed_and_started(void)
{
	static const struct arm64_kvm_gic_config v2 = {
		.version = 2, .nr_irqs = 96, .distributor = 0x8000000, .cpu_interface = 0x8010000
	};
	struct err err;

	rig_new();
	new_gic(&v2);
	rig_expect(rig->calls, "device 5; gic 0.0=8000000; gic 0.1=8010000; ");
	g_assert_true(arm64_kvm_gic_start(&rig->accel.vm, 8, &err));
	rig_expect(rig->calls, "gic 3.0=60; gic 4.0; ");
	g_assert_false(arm64_kvm_gic_start(&rig->accel.vm, 9, &err));
	rig_free();
}

/* A region: CPUs from bit 52 on, where it begins, its index. */
static void test_version_3_has_regions_of_redistributors(void)
{
	struct err err;

	rig_new();
	new_gic(&v3);
	rig_expect(rig->calls, "device 7; gic 0.2=8000000; gic 0.5=7b00000080a0000; "
			       "gic 0.5=1850004000000001; ");
	g_assert_true(arm64_kvm_gic_start(&rig->accel.vm, 512, &err));
	rig_expect(rig->calls, "gic 3.0=100; gic 4.0; ");
	g_assert_false(arm64_kvm_gic_start(&rig->accel.vm, 513, &err));
	g_assert_cmpstr(err.text, ==, "there are redistributors for 512 CPUs, not for 513");
	rig_free();
}

static void test_a_version_that_the_host_lacks_is_refused(void)
{
	struct err err;

	rig_new();
	rig->device_type = KVM_DEV_TYPE_ARM_VGIC_V2;
	g_assert_true(arm64_kvm_gic_exists(&rig->accel.vm, 2));
	g_assert_false(arm64_kvm_gic_exists(&rig->accel.vm, 3));
	g_assert_null(arm64_kvm_gic_new(&rig->accel.vm, &v3, &err));
	g_assert_cmpstr(
		err.text, ==,
		"KVM on this host has no interrupt controller of version 3: No such device");
	g_assert_null(rig->accel.vm.gic);
	rig_free();
}

static void test_wrong_configurations_are_refused(void)
{
	struct arm64_kvm_gic_config c[7] = { v3, v3, v3, v3, v3, v3, v3 };
	struct err err;

	c[0].version = 4;
	c[1].nr_irqs = 32;
	c[2].nr_irqs = 100;
	c[3].distributor += 0x1000;
	c[4].region_count = 0;
	c[5].redistributors[1].cpus = 4096;
	c[6].redistributors[0].base = BIT(52);
	rig_new();
	rig->device_type = KVM_DEV_TYPE_ARM_VGIC_V3;
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		g_assert_null(arm64_kvm_gic_new(&rig->accel.vm, &c[i], &err));
	rig_expect(rig->calls, "");
	rig_free();
}

static void test_a_refused_address_leaves_nothing(void)
{
	struct err err;

	rig_new();
	rig->device_type = KVM_DEV_TYPE_ARM_VGIC_V3;
	rig->fails = E2BIG;
	g_assert_null(arm64_kvm_gic_new(&rig->accel.vm, &v3, &err));
	g_assert_cmpstr(err.text, ==,
			"KVM's interrupt controller: cannot place its distributor: Argument list "
			"too long");
	g_assert_null(rig->accel.vm.gic);
	rig_free();
}

/* Version 3 names a vCPU by affinity; what is behind the distributor is a redistributor's. */
static void test_registers_are_addressed_by_affinity(void)
{
	struct err err;
	uint32_t value;

	rig_new();
	new_gic(&v3);
	g_string_truncate(rig->calls, 0);
	g_assert_true(arm64_kvm_gic_read(&rig->accel.vm, 17, 0x104, &value, &err));
	g_assert_cmphex(value, ==, 0x12345678);
	g_assert_true(arm64_kvm_gic_write(&rig->accel.vm, 2, 0x20080, 7, &err));
	rig_expect(rig->calls, "gic 1.10100000104; gic 5.200010080=7; ");
	g_assert_false(arm64_kvm_gic_read(&rig->accel.vm, 0, 0x30000, &value, &err));
	g_assert_false(arm64_kvm_gic_write(&rig->accel.vm, 0, 2, 0, &err));
	rig_expect(rig->calls, "");
	rig_free();
}

/* vcpu.rst: timers' numbers with the controller, monitors' after its start. */
static void test_outputs_get_their_numbers(void)
{
	struct err err;

	rig_new();
	rig_reg_add(0x6030000000100040, 0);
	new_gic(&v3);
	g_string_truncate(rig->calls, 0);
	rig->accel.sys.caps.pmu_v3 = 1;
	rig->cpu.features = ARM_FEAT_PMU;
	rig->cpu.ppi[ARM_LINE_VTIMER] = 27;
	rig->cpu.ppi[ARM_LINE_PTIMER] = 30;
	rig->cpu.ppi[ARM_LINE_PMU] = 23;
	g_assert_true(kvm_host.vcpu_init(&rig->kv, &err));
	rig_expect(rig->calls, "init 5 c; vcpu 1.0=1b; vcpu 1.1=1e; list; ");
	g_assert_true(kvm_host.prepare(&rig->kv, &err));
	rig_expect(rig->calls, "vcpu 0.0=17; vcpu 0.1; ");
	rig_free();
}

static void test_a_controller_of_ours_needs_the_timers_outputs(void)
{
	struct err err;

	rig_new();
	g_assert_true(kvm_host.prepare(&rig->kv, &err));
	rig->accel.sys.caps.user_irq = 0;
	g_assert_false(kvm_host.prepare(&rig->kv, &err));
	rig_free();
}

/* ---- lines ---- */

static void test_lines_are_numbered(void)
{
	struct kvm_caps caps = { .irq_line_layout_2 = 1 };
	uint32_t n;

	g_assert_true(arm64_kvm_irq_number(&caps, KVM_ARM_IRQ_TYPE_SPI, 0, 33, &n));
	g_assert_cmphex(n, ==, 0x01000021);
	g_assert_true(arm64_kvm_irq_number(&caps, KVM_ARM_IRQ_TYPE_PPI, 3, 27, &n));
	g_assert_cmphex(n, ==, 0x0203001b);
	g_assert_true(
		arm64_kvm_irq_number(&caps, KVM_ARM_IRQ_TYPE_CPU, 1, KVM_ARM_IRQ_CPU_FIQ, &n));
	g_assert_cmphex(n, ==, 0x00010001);
	g_assert_true(arm64_kvm_irq_number(&caps, KVM_ARM_IRQ_TYPE_PPI, 0x123, 27, &n));
	g_assert_cmphex(n, ==, 0x1223001b);
	g_assert_false(arm64_kvm_irq_number(&caps, KVM_ARM_IRQ_TYPE_PPI, 4096, 27, &n));
	caps.irq_line_layout_2 = 0;
	g_assert_false(arm64_kvm_irq_number(&caps, KVM_ARM_IRQ_TYPE_PPI, 256, 27, &n));
}

static void test_inputs_of_the_kernels_controller(void)
{
	rig_new();
	g_assert_true(arm64_kvm_spi_set(&rig->accel.vm, 32, true));
	g_assert_true(arm64_kvm_ppi_set(&rig->accel.vm, 2, 16, false));
	rig_expect(rig->calls, "line 1000020=1; line 2020010=0; ");
	g_assert_false(arm64_kvm_spi_set(&rig->accel.vm, 31, true));
	g_assert_false(arm64_kvm_spi_set(&rig->accel.vm, 1020, true));
	g_assert_false(arm64_kvm_ppi_set(&rig->accel.vm, 0, 15, true));
	g_assert_false(arm64_kvm_ppi_set(&rig->accel.vm, 0, 32, true));
	rig_expect(rig->calls, "");
	rig_free();
}

static void test_levels_of_our_controller_are_told_when_they_change(void)
{
	rig_new();
	rig->v.id = 2;
	atomic_store(&rig->v.inputs, VCPU_INTR);
	g_assert_true(kvm_host.inputs(&rig->kv));
	rig_expect(rig->calls, "line 20000=1; ");
	g_assert_true(kvm_host.inputs(&rig->kv));
	rig_expect(rig->calls, "");
	atomic_store(&rig->v.inputs, VCPU_FIQ);
	g_assert_true(kvm_host.inputs(&rig->kv));
	rig_expect(rig->calls, "line 20000=0; line 20001=1; ");
	rig_free();
}

static void test_timers_reach_our_controller(void)
{
	rig_new();
	kvm_host.after_run(&rig->kv);
	rig_expect(rig->heard, "");
	rig->run.s.regs.device_irq_level = KVM_ARM_DEV_EL1_VTIMER | KVM_ARM_DEV_PMU;
	kvm_host.after_run(&rig->kv);
	rig_expect(rig->heard, "line 0=1; line 2=1; ");
	rig->run.s.regs.device_irq_level = KVM_ARM_DEV_PMU;
	kvm_host.after_run(&rig->kv);
	rig_expect(rig->heard, "line 0=0; ");
	rig_free();
}

/* ---- exits ---- */

static void test_psci_reaches_the_board(void)
{
	static const struct {
		uint32_t type;
		uint64_t flags;
		const char *heard;
	} rows[] = {
		{ KVM_SYSTEM_EVENT_SHUTDOWN, 0, "event 0; " },
		{ KVM_SYSTEM_EVENT_RESET, 0, "event 1; " },
		{ KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2, "event 2; " },
		{ KVM_SYSTEM_EVENT_CRASH, 0,
		  "failed: the guest has crashed, KVM's system event 3; " },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_new();
		rig->run.exit_reason = KVM_EXIT_SYSTEM_EVENT;
		rig->run.system_event.type = rows[i].type;
		rig->run.system_event.ndata = 1;
		rig->run.system_event.data[0] = rows[i].flags;
		g_assert_false(kvm_exit(&rig->kv));
		rig_expect(rig->heard, rows[i].heard);
		rig_free();
	}
}

static void test_an_access_without_syndrome_is_aborted(void)
{
	rig_new();
	rig->run.exit_reason = KVM_EXIT_ARM_NISV;
	g_assert_true(kvm_exit(&rig->kv));
	rig_expect(rig->calls, "events; ");
	g_assert_cmpuint(rig->events.exception.ext_dabt_pending, ==, 1);
	g_assert_cmpuint(rig->events.exception.serror_pending, ==, 0);
	rig->fails = EINVAL;
	g_assert_false(kvm_exit(&rig->kv));
	rig_expect(rig->heard, "failed: KVM cannot decode an access at 0x0; ");
	rig_free();
}

/* ---- a debugger ---- */

static struct kvm_point points[] = {
	{ .p = { .kind = DEBUG_BREAK, .addr = 0xffff000000080000 }, .regs = 1 },
	{ .p = { .kind = DEBUG_WATCH_WRITE, .addr = 0x1004, .len = 4 }, .regs = 1 },
	{ .p = { .kind = DEBUG_BREAK_HW, .addr = 0x400 }, .regs = 1 },
	{ .p = { .kind = DEBUG_WATCH_ACCESS, .addr = 0x4000, .len = 8 }, .regs = 1 },
	{ .p = { .kind = DEBUG_BREAK, .addr = 0x800 }, .by = KVM_POINT_PATCH, .is_in = true },
};

static void rig_new_debugged(void)
{
	rig_new();
	rig_reg_add(0x6030000000100040, 0x400);
	rig->accel.sys.caps.hw_bps = rig->accel.sys.caps.hw_wps = 2;
	rig->accel.debug = (struct kvm_debug){ .points = points,
					       .count = ARRAY_SIZE(points),
					       .regs = 4,
					       .patch_count = 1,
					       .is_active = true };
	rig->run.exit_reason = KVM_EXIT_DEBUG;
	rig->kv.is_ours = false;
}

static void expect_stop(enum debug_why why, const struct debug_point *p, gva_t addr)
{
	struct debug_stop s;

	g_assert_cmpint(kvm_exit(&rig->kv), ==, why == DEBUG_NOT_STOPPED);
	s = vcpu_take_debug_stop(&rig->v);
	g_assert_cmpint(s.why, ==, why);
	g_assert_cmphex(s.addr, ==, addr);
	g_assert_cmphex(s.point.addr, ==, p ? p->addr : 0);
}

static void test_points_become_debug_registers(void)
{
	rig_new_debugged();
	kvm_host.before_run(&rig->kv);
	rig_expect(rig->calls, "debug 30001; "); /* ENABLE, USE_SW_BP, USE_HW */
	g_assert_cmphex(rig->debug.arch.dbg_bvr[0], ==, 0xffff000000080000);
	g_assert_cmphex(rig->debug.arch.dbg_bcr[0], ==, 0x1e7);
	g_assert_cmphex(rig->debug.arch.dbg_bvr[1], ==, 0x400);
	g_assert_cmphex(rig->debug.arch.dbg_wvr[0], ==, 0x1000);
	g_assert_cmphex(rig->debug.arch.dbg_wcr[0], ==, 0xf0 << 5 | 2 << 3 | 7);
	g_assert_cmphex(rig->debug.arch.dbg_wvr[1], ==, 0x4000);
	g_assert_cmphex(rig->debug.arch.dbg_wcr[1], ==, 0xff << 5 | 3 << 3 | 7);
	kvm_host.before_run(&rig->kv);
	rig_expect(rig->calls, "");
	/* A step leaves what it stands at. */
	rig->kv.is_stepped = true;
	rig->kv.step_from = 0x400;
	kvm_host.before_run(&rig->kv);
	rig_expect(rig->calls, "debug 30003; ");
	g_assert_cmphex(rig->debug.arch.dbg_bcr[1], ==, 0);
	rig->kv.is_stepped = false;
	rig->accel.debug = (struct kvm_debug){ 0 };
	kvm_host.before_run(&rig->kv);
	rig_expect(rig->calls, "debug 0; ");
	rig_free();
}

static void test_a_debug_exit_is_told_apart(void)
{
	struct kvm_debug_exit_arch *e;

	rig_new_debugged();
	e = &rig->run.debug.arch;
	e->hsr = 0x30u << 26;
	expect_stop(DEBUG_AT_BREAK, &points[2].p, 0x400);
	e->hsr = 0x34u << 26;
	e->far = 0x1005;
	expect_stop(DEBUG_AT_WATCH, &points[1].p, 0x1005);
	e->hsr = 0x35u << 26; /* a pair of registers that begins before it */
	e->far = 0xff8;
	expect_stop(DEBUG_AT_WATCH, &points[1].p, 0xff8);
	e->far = 0x1008;
	expect_stop(DEBUG_NOT_STOPPED, NULL, 0);
	e->hsr = 0x33u << 26;
	expect_stop(DEBUG_NOT_STOPPED, NULL, 0);
	rig->kv.is_stepped = true;
	expect_stop(DEBUG_STEPPED, NULL, 0);
	g_assert_false(rig->kv.is_stepped);
	e->hsr = 0x3cu << 26;
	rig_reg(0x6030000000100040)->value[1] = 8;
	expect_stop(DEBUG_AT_BREAK, &points[4].p, 0x800);
	rig_free();
}

/* As the processor would have entered it, from EL0 and from EL1. */
static void test_a_guests_own_brk_reaches_the_guest(void)
{
	struct arm_cpu *c;
	struct err err;

	rig_new_debugged();
	c = &rig->cpu;
	rig_reg_add(0x6030000000100042, 0x80000000); /* PSTATE: N, EL0 */
	rig_reg_add(rig_sys(3, 0, 12, 0, 0), 0xffff800000010000);
	rig_reg_add(rig_sys(3, 0, 0, 7, 1), 1 << 20); /* it has PAN */
	g_assert_true(kvm_host.vcpu_init(&rig->kv, &err));
	rig->run.debug.arch.hsr = 0xf2000001;
	expect_stop(DEBUG_NOT_STOPPED, NULL, 0);
	g_assert_true(rig->kv.is_ours);
	g_assert_cmphex(c->pc, ==, 0xffff800000010400);
	g_assert_cmphex(c->elr[ARM_EL1], ==, 0x400);
	g_assert_cmphex(c->spsr[ARM_EL1], ==, 0x80000000);
	g_assert_cmphex(c->sys[ARM_ESR_EL1], ==, 0xf2000001);
	g_assert_cmphex(c->pstate, ==, 0x804003c5); /* N, PAN, DAIF, EL1h */
	expect_stop(DEBUG_NOT_STOPPED, NULL, 0);
	g_assert_cmphex(c->pc, ==, 0xffff800000010200);
	rig_free();
}

/* ---- the VM ---- */

static void test_address_sizes(void)
{
	struct kvm_system sys = { .caps.ipa_bits = 48 };
	unsigned long type;
	struct err err;

	g_assert_cmpuint(kvm_host.vm_type(&sys), ==, 40);
	g_assert_true(arm64_kvm_vm_type(&sys.caps, 44, &type, &err));
	g_assert_cmpuint(type, ==, 44);
	g_assert_true(arm64_kvm_vm_type(&sys.caps, 20, &type, &err));
	g_assert_cmpuint(type, ==, 32);
	sys.caps.ipa_bits = 36;
	g_assert_cmpuint(kvm_host.vm_type(&sys), ==, 36);
	g_assert_false(arm64_kvm_vm_type(&sys.caps, 40, &type, &err));
	g_assert_cmpstr(err.text, ==,
			"the machine needs guest-physical addresses of 40 bits, KVM on this host "
			"has 36: give it less memory");
	sys.caps.ipa_bits = 0; /* a kernel that cannot say: 40, as type 0 */
	g_assert_cmpuint(kvm_host.vm_type(&sys), ==, 0);
}

static void test_it_says_that_there_are_no_guests(void)
{
	struct err err;

	g_assert_false(kvm_accel_ops.available(&err));
	g_assert_nonnull(strstr(err.text, "AArch64 guests, and this build of rhea has none yet"));
	g_assert_false(kvm_accel_ops.is_fast(&err));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/kvm-arm64/chips/" #name, test_##name)
	ADD(version_2_is_placed_and_started);
	ADD(version_3_has_regions_of_redistributors);
	ADD(a_version_that_the_host_lacks_is_refused);
	ADD(wrong_configurations_are_refused);
	ADD(a_refused_address_leaves_nothing);
	ADD(registers_are_addressed_by_affinity);
	ADD(outputs_get_their_numbers);
	ADD(a_controller_of_ours_needs_the_timers_outputs);
	ADD(lines_are_numbered);
	ADD(inputs_of_the_kernels_controller);
	ADD(levels_of_our_controller_are_told_when_they_change);
	ADD(timers_reach_our_controller);
	ADD(psci_reaches_the_board);
	ADD(an_access_without_syndrome_is_aborted);
	ADD(points_become_debug_registers);
	ADD(a_debug_exit_is_told_apart);
	ADD(a_guests_own_brk_reaches_the_guest);
	ADD(address_sizes);
	ADD(it_says_that_there_are_no_guests);
	return g_test_run();
}
