/* The local APIC and the bus between APICs.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include "cpu/accel.h"
#include "cpu/vcpu.h"
#include "dev/intc/apic_internal.h"
#include "dev/intc/lapic.h"
#include "event/clock.h"

enum { CPUS = 4, MSR_BASE = 0x1b, MSR_DEADLINE = 0x6e0, MSR_X2 = 0x800 };
enum {
	X2_ID = 0x802,
	X2_TPR = 0x808,
	X2_EOI = 0x80b,
	X2_LDR = 0x80d,
	X2_SVR = 0x80f,
	X2_IRR = 0x820,
	X2_ESR = 0x828,
	X2_ICR = 0x830,
	X2_LVT_TIMER = 0x832,
	X2_SELF = 0x83f
};

static struct bare b;
static struct device *bus, *apics[CPUS];
static struct vcpu vcpus[CPUS];
static int extint_vector;

static int give_extint(void *pic)
{
	(void)pic;
	return extint_vector;
}

static void setup_ids(const uint32_t *ids)
{
	bare_init(&b);
	bus = bare_add(&b, "apic-bus", 0, NULL);
	bare_map(&b, bus, 0, APIC_WINDOW_BASE);
	apic_bus_set_extint(bus, give_extint, NULL);
	for (unsigned i = 0; i < CPUS; i++) {
		memset(&vcpus[i], 0, sizeof(vcpus[i]));
		vcpus[i].apic_id = ids ? ids[i] : i;
		vcpu_init(&vcpus[i], i, NULL, NULL);
		vcpus[i].clock = b.clock;
		apics[i] = bare_new(&b, "lapic", "virtual-wire", "off", NULL);
		lapic_wire(apics[i], bus, &vcpus[i]);
		bare_realize(&b, apics[i], 0);
	}
}

static void setup(void) { setup_ids(NULL); }

static void teardown(void)
{
	for (unsigned i = 0; i < CPUS; i++) {
		bare_remove(apics[i]);
		vcpu_fini(&vcpus[i]);
	}
	bare_remove(bus);
	bare_fini(&b);
}

static struct lapic *at(unsigned i) { return vcpus[i].intc; }
static uint32_t rd(unsigned i, uint32_t reg) { return lapic_mmio_read(at(i), reg); }
static void wr(unsigned i, uint32_t reg, uint32_t v) { lapic_mmio_write(at(i), reg, v); }
static bool has(unsigned i, uint32_t in) { return atomic_load(&vcpus[i].inputs) & in; }
static int ack(unsigned i) { return vcpus[i].intc_ops->ack(vcpus[i].intc); }

static bool wrmsr(unsigned i, uint32_t msr, uint64_t v)
{
	return vcpus[i].intc_ops->write_msr(vcpus[i].intc, msr, v);
}

static bool rdmsr(unsigned i, uint32_t msr, uint64_t *v)
{
	return vcpus[i].intc_ops->read_msr(vcpus[i].intc, msr, v);
}

static uint64_t msr(unsigned i, uint32_t n)
{
	uint64_t v = 0;

	g_assert_true(rdmsr(i, n, &v));
	return v;
}

static void enable(unsigned i) { wr(i, APIC_SVR, 0x1ff); }

static void enable_all(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		enable(i);
}

static void icr(unsigned i, uint32_t dest, uint32_t low)
{
	wr(i, APIC_ICR_HIGH, dest << 24);
	wr(i, APIC_ICR_LOW, low);
}

static bool pending(unsigned i, unsigned vector)
{
	return rd(i, APIC_IRR + (vector >> 5 << 4)) >> (vector & 31) & 1;
}

static bool in_service(unsigned i, unsigned vector)
{
	return rd(i, APIC_ISR + (vector >> 5 << 4)) >> (vector & 31) & 1;
}

static void test_power_up_values(void)
{
	setup();
	g_assert_cmphex(rd(2, APIC_ID), ==, 2u << 24);
	g_assert_cmphex(rd(0, APIC_VERSION) & 0xff00ff, ==, 0x050014);
	g_assert_cmphex(rd(0, APIC_DFR), ==, UINT32_MAX);
	g_assert_cmphex(rd(0, APIC_SVR), ==, 0xff);
	for (uint32_t r = APIC_LVT_TIMER; r <= APIC_LVT_ERROR; r += 0x10)
		g_assert_cmphex(rd(0, r), ==, LVT_MASKED);
	g_assert_cmphex(msr(0, MSR_BASE), ==, 0xfee00900);
	g_assert_cmphex(msr(1, MSR_BASE), ==, 0xfee00800);
	teardown();
}

static void test_fixed_ipi_priorities_and_eoi(void)
{
	setup();
	enable_all();
	icr(0, 1, 0x4041);
	g_assert_true(has(1, VCPU_INTR));
	g_assert_false(has(0, VCPU_INTR) || has(2, VCPU_INTR));
	icr(0, 1, 0x4052);
	g_assert_cmphex((unsigned)ack(1), ==, 0x52);
	g_assert_cmphex(rd(1, APIC_PPR), ==, 0x50);
	g_assert_false(has(1, VCPU_INTR)); /* 41h is of a lower class */
	icr(0, 1, 0x405f);
	g_assert_false(has(1, VCPU_INTR)); /* same class */
	icr(0, 1, 0x4061);
	g_assert_cmphex((unsigned)ack(1), ==, 0x61);
	g_assert_true(in_service(1, 0x61) && in_service(1, 0x52));
	wr(1, APIC_EOI, 0);
	g_assert_false(in_service(1, 0x61));
	g_assert_false(has(1, VCPU_INTR));
	wr(1, APIC_EOI, 0);
	g_assert_cmphex((unsigned)ack(1), ==, 0x5f);
	wr(1, APIC_EOI, 0);
	g_assert_cmphex((unsigned)ack(1), ==, 0x41);
	wr(1, APIC_EOI, 0);
	wr(1, APIC_EOI, 0); /* one too many */
	g_assert_cmphex(rd(1, APIC_PPR), ==, 0);
	g_assert_cmpint(ack(1), ==, -1);
	teardown();
}

static void test_task_priority_holds_back(void)
{
	setup();
	enable_all();
	wr(0, APIC_TPR, 0x50);
	icr(1, 0, 0x405f);
	g_assert_false(has(0, VCPU_INTR));
	g_assert_true(pending(0, 0x5f));
	vcpus[0].intc_ops->set_cr8(vcpus[0].intc, 4);
	g_assert_cmphex(rd(0, APIC_TPR), ==, 0x40);
	g_assert_true(has(0, VCPU_INTR));
	g_assert_cmpuint(vcpus[0].intc_ops->get_cr8(vcpus[0].intc), ==, 4);
	wr(0, APIC_TPR, 0xff);
	g_assert_false(has(0, VCPU_INTR));
	g_assert_cmpint(ack(0), ==, -1);
	teardown();
}

static void test_shorthands(void)
{
	setup();
	enable_all();
	icr(1, 0, 0x44000 | 0x40); /* self */
	g_assert_true(pending(1, 0x40) && !pending(0, 0x40));
	icr(1, 0, 0x84000 | 0x41); /* all */
	icr(1, 0, 0xc4000 | 0x42); /* all but self */
	for (unsigned i = 0; i < CPUS; i++) {
		g_assert_true(pending(i, 0x41));
		g_assert_true(pending(i, 0x42) == (i != 1));
	}
	icr(1, 0xff, 0x4043); /* physical broadcast */
	g_assert_true(pending(0, 0x43) && pending(1, 0x43) && pending(3, 0x43));
	teardown();
}

static void test_logical_flat_and_cluster(void)
{
	setup();
	enable_all();
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, APIC_LDR, 1u << (24 + i));
	icr(0, 0x0a, 0x4840); /* 1 and 3 */
	g_assert_true(!pending(0, 0x40) && pending(1, 0x40) && !pending(2, 0x40) &&
		      pending(3, 0x40));
	/* two clusters of two */
	for (unsigned i = 0; i < CPUS; i++) {
		wr(i, APIC_DFR, 0x0fffffff);
		wr(i, APIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
	}
	icr(0, 0x12, 0x4841); /* cluster 1, second: cpu 3 */
	g_assert_true(!pending(0, 0x41) && !pending(1, 0x41) && !pending(2, 0x41) &&
		      pending(3, 0x41));
	icr(0, 0xf1, 0x4842); /* the first of every cluster */
	g_assert_true(pending(0, 0x42) && !pending(1, 0x42) && pending(2, 0x42) &&
		      !pending(3, 0x42));
	icr(0, 0xff, 0x4843);
	g_assert_true(pending(1, 0x43) && pending(2, 0x43));
	teardown();
}

static unsigned holders(unsigned vector)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < CPUS; i++)
		mask |= (unsigned)pending(i, vector) << i;
	return mask;
}

static void test_lowest_priority_picks_one(void)
{
	setup();
	enable_all();
	wr(0, APIC_TPR, 0x30);
	wr(1, APIC_TPR, 0x20);
	wr(2, APIC_TPR, 0x10);
	wr(3, APIC_TPR, 0x40);
	icr(0, 0xff, 0x4100 | 0x51);
	g_assert_cmphex(holders(0x51), ==, 4);
	/* a focus processor takes it again, though another has less to do */
	wr(2, APIC_TPR, 0xf0);
	icr(0, 0xff, 0x4100 | 0x51);
	g_assert_cmphex(holders(0x51), ==, 4);
	/* equals take turns, disabled ones do not take part */
	for (unsigned i = 0; i < CPUS; i++) {
		wr(i, APIC_TPR, 0);
		wr(i, APIC_SVR, i == 3 ? 0xff : 0x3ff);
	}
	for (unsigned i = 0; i < 40; i++)
		icr(0, 0xff, 0x4100 | (0x60 + i % 10));
	g_assert_cmphex(holders(0x60) & 8, ==, 0);
	g_assert_cmpuint(rd(0, APIC_IRR + 0x30), !=, 0);
	g_assert_cmpuint(rd(1, APIC_IRR + 0x30), !=, 0);
	teardown();
}

static void test_init_startup_nmi(void)
{
	setup();
	icr(0, 1, 0xc500);
	g_assert_true(vcpu_take_input(&vcpus[1], VCPU_INIT));
	icr(0, 1, 0x8500); /* level de-assert: nothing */
	g_assert_false(has(1, VCPU_INIT));
	icr(0, 1, 0x4600 | 0x9a);
	g_assert_true(has(1, VCPU_SIPI));
	g_assert_cmphex(vcpus[1].sipi_vector, ==, 0x9a);
	icr(0, 0, 0xc4400); /* NMI to all but self */
	g_assert_true(has(1, VCPU_NMI) && has(3, VCPU_NMI) && !has(0, VCPU_NMI));
	icr(0, 1, 0x4200); /* SMI: refused */
	g_assert_false(has(1, VCPU_SMI));
	/* INIT reached it */
	enable(1);
	wr(1, APIC_TPR, 0x20);
	vcpus[1].intc_ops->init(vcpus[1].intc);
	g_assert_cmphex(rd(1, APIC_TPR), ==, 0);
	g_assert_cmphex(rd(1, APIC_SVR), ==, 0xff);
	g_assert_cmphex(rd(1, APIC_ID), ==, 1u << 24);
	teardown();
}

static void test_software_disabled(void)
{
	setup();
	icr(0, 1, 0x4041);
	g_assert_false(pending(1, 0x41));
	wr(1, APIC_LVT_ERROR, 0x50);
	g_assert_cmphex(rd(1, APIC_LVT_ERROR), ==, LVT_MASKED | 0x50); /* mask stays */
	enable(1);
	wr(1, APIC_LVT_ERROR, 0x50);
	g_assert_cmphex(rd(1, APIC_LVT_ERROR), ==, 0x50);
	icr(0, 1, 0x4041);
	g_assert_true(has(1, VCPU_INTR));
	wr(1, APIC_SVR, 0xff);
	g_assert_false(has(1, VCPU_INTR)); /* held, IRR kept */
	g_assert_true(pending(1, 0x41));
	g_assert_cmphex(rd(1, APIC_LVT_ERROR), ==, LVT_MASKED | 0x50);
	teardown();
}

static void test_errors(void)
{
	setup();
	enable_all();
	wr(0, APIC_LVT_ERROR, 0xe0);
	icr(0, 1, 0x4005); /* illegal vector */
	g_assert_true(pending(0, 0xe0));
	g_assert_cmphex(rd(0, APIC_ESR), ==, 0); /* shown after a write */
	wr(0, APIC_ESR, 0);
	g_assert_cmphex(rd(0, APIC_ESR), ==, ESR_SEND_ILLEGAL);
	wr(0, APIC_ESR, 0);
	g_assert_cmphex(rd(0, APIC_ESR), ==, 0);
	rd(0, 0x040);
	wr(0, APIC_ESR, 0);
	g_assert_cmphex(rd(0, APIC_ESR), ==, ESR_ILLEGAL_REGISTER);
	apic_bus_send_msi(bus, APIC_WINDOW_BASE | 1 << 12, 0x0007);
	wr(1, APIC_ESR, 0);
	g_assert_cmphex(rd(1, APIC_ESR), ==, ESR_RECEIVE_ILLEGAL);
	/* an error interrupt with an illegal vector ends */
	wr(2, APIC_LVT_ERROR, 0x03);
	rd(2, 0x040);
	wr(2, APIC_ESR, 0);
	g_assert_cmphex(rd(2, APIC_ESR), ==, ESR_ILLEGAL_REGISTER | ESR_RECEIVE_ILLEGAL);
	/* misaligned: undefined, harmless */
	g_assert_cmphex(rd(0, 0x021), ==, 0);
	wr(0, 0x0f4, 0);
	g_assert_cmphex(rd(0, APIC_SVR), ==, 0x1ff);
	teardown();
}

static unsigned eoi_calls;
static uint8_t eoi_vector;

static void on_eoi(void *opaque, uint8_t vector)
{
	(void)opaque;
	eoi_calls++;
	eoi_vector = vector;
}

static void test_eoi_broadcast_for_level(void)
{
	struct apic_msg level = { .dest = 0, .is_level = true, .vector = 0x71, .is_assert = true };

	setup();
	eoi_calls = 0;
	apic_bus_add_eoi_listener(bus, on_eoi, NULL);
	enable_all();
	icr(1, 0, 0x4070);
	ack(0);
	wr(0, APIC_EOI, 0);
	g_assert_cmpuint(eoi_calls, ==, 0); /* edge */
	g_assert_true(apic_bus_send(bus, &level));
	g_assert_cmphex(rd(0, APIC_TMR + 0x30) & 1u << 17, !=, 0);
	ack(0);
	wr(0, APIC_EOI, 0);
	g_assert_cmpuint(eoi_calls, ==, 1);
	g_assert_cmphex(eoi_vector, ==, 0x71);
	wr(0, APIC_SVR, 0x11ff); /* suppressed */
	apic_bus_send(bus, &level);
	ack(0);
	wr(0, APIC_EOI, 0);
	g_assert_cmpuint(eoi_calls, ==, 1);
	teardown();
}

static void test_lint_modes(void)
{
	setup();
	enable_all();
	extint_vector = 0x33;
	/* ExtINT through LINT0 */
	lapic_set_lint(apics[0], 0, true);
	g_assert_false(has(0, VCPU_INTR)); /* masked */
	wr(0, APIC_LVT_LINT0, 0x700);
	g_assert_true(has(0, VCPU_INTR));
	wr(0, APIC_TPR, 0xff); /* does not matter */
	g_assert_cmphex((unsigned)ack(0), ==, 0x33);
	g_assert_cmphex(rd(0, APIC_PPR), ==, 0xff);
	g_assert_true(has(0, VCPU_INTR)); /* the pin is still high */
	lapic_set_lint(apics[0], 0, false);
	g_assert_false(has(0, VCPU_INTR));
	/* NMI through LINT1, on its edge */
	wr(0, APIC_LVT_LINT1, 0x400);
	lapic_set_lint(apics[0], 1, true);
	g_assert_true(vcpu_take_input(&vcpus[0], VCPU_NMI));
	lapic_set_lint(apics[0], 1, true);
	g_assert_false(has(0, VCPU_NMI));
	/* fixed, level, through LINT0: remote IRR until EOI */
	wr(0, APIC_TPR, 0);
	wr(0, APIC_LVT_LINT0, LVT_LEVEL | 0x48);
	lapic_set_lint(apics[0], 0, true);
	g_assert_cmphex((unsigned)ack(0), ==, 0x48);
	g_assert_cmphex(rd(0, APIC_LVT_LINT0), ==, LVT_LEVEL | LVT_REMOTE_IRR | 0x48);
	g_assert_false(pending(0, 0x48));
	wr(0, APIC_EOI, 0);
	g_assert_true(pending(0, 0x48)); /* still high */
	lapic_set_lint(apics[0], 0, false);
	ack(0);
	wr(0, APIC_EOI, 0);
	g_assert_cmphex(rd(0, APIC_LVT_LINT0), ==, LVT_LEVEL | 0x48);
	/* fixed, edge */
	wr(0, APIC_LVT_LINT0, 0x49);
	lapic_set_lint(apics[0], 0, true);
	g_assert_cmphex((unsigned)ack(0), ==, 0x49);
	teardown();
}

static void test_timer_one_shot(void)
{
	setup();
	enable_all();
	wr(0, APIC_DIVIDE, 0x3); /* by 16 */
	wr(0, APIC_LVT_TIMER, 0x31);
	wr(0, APIC_INITIAL_COUNT, 1000);
	bare_advance(&b, 8000, 0);
	g_assert_cmpuint(rd(0, APIC_CURRENT_COUNT), ==, 500);
	bare_advance(&b, 7999, 0);
	g_assert_false(has(0, VCPU_INTR));
	bare_advance(&b, 1, 0);
	g_assert_cmphex((unsigned)ack(0), ==, 0x31);
	g_assert_cmpuint(rd(0, APIC_CURRENT_COUNT), ==, 0);
	wr(0, APIC_EOI, 0);
	bare_advance(&b, 100000, 1000);
	g_assert_false(has(0, VCPU_INTR)); /* once */
	wr(0, APIC_INITIAL_COUNT, 1000);
	wr(0, APIC_INITIAL_COUNT, 0); /* stopped */
	bare_advance(&b, 100000, 1000);
	g_assert_false(has(0, VCPU_INTR));
	/* what expires masked is lost */
	wr(0, APIC_LVT_TIMER, LVT_MASKED | 0x31);
	wr(0, APIC_INITIAL_COUNT, 1000);
	bare_advance(&b, 17000, 0);
	wr(0, APIC_LVT_TIMER, 0x31);
	bare_advance(&b, 100000, 1000);
	g_assert_false(has(0, VCPU_INTR));
	teardown();
}

static void test_timer_periodic(void)
{
	unsigned n = 0;

	setup();
	enable_all();
	wr(0, APIC_DIVIDE, 0xb); /* by 1 */
	wr(0, APIC_LVT_TIMER, 0x20000 | 0x31);
	wr(0, APIC_INITIAL_COUNT, 1000000);
	for (unsigned i = 0; i < 100; i++) {
		bare_advance(&b, 100000, 0);
		if (ack(0) == 0x31) {
			wr(0, APIC_EOI, 0);
			n++;
		}
	}
	g_assert_cmpuint(n, ==, 10);
	bare_advance(&b, 250000, 0);
	g_assert_cmpuint(rd(0, APIC_CURRENT_COUNT), ==, 750000);
	wr(0, APIC_INITIAL_COUNT, 1); /* absurdly fast: ends, and does not stop the world */
	bare_advance(&b, 1000000, 10000);
	g_assert_cmphex((unsigned)ack(0), ==, 0x31);
	teardown();
}

static void test_timer_tsc_deadline(void)
{
	const struct vcpu_intc_ops *ops;

	setup();
	enable_all();
	ops = vcpus[0].intc_ops;
	ops->set_tsc_deadline(vcpus[0].intc, 5, 5); /* not in the mode: ignored */
	g_assert_cmpuint(msr(0, MSR_DEADLINE), ==, 0);
	wr(0, APIC_LVT_TIMER, 0x40000 | 0x31);
	wr(0, APIC_INITIAL_COUNT, 77);
	g_assert_cmpuint(rd(0, APIC_INITIAL_COUNT), ==, 0);
	ops->set_tsc_deadline(vcpus[0].intc, 123456, vclock_now(b.clock) + 5000);
	g_assert_cmpuint(msr(0, MSR_DEADLINE), ==, 123456);
	bare_advance(&b, 4999, 0);
	g_assert_false(has(0, VCPU_INTR));
	bare_advance(&b, 1, 0);
	g_assert_cmphex((unsigned)ack(0), ==, 0x31);
	g_assert_cmpuint(msr(0, MSR_DEADLINE), ==, 0);
	wr(0, APIC_EOI, 0);
	ops->set_tsc_deadline(vcpus[0].intc, 1, vclock_now(b.clock) - 10); /* past: at once */
	bare_poll(&b);
	g_assert_true(has(0, VCPU_INTR));
	ops->set_tsc_deadline(vcpus[0].intc, 9, vclock_now(b.clock) + 10);
	ops->set_tsc_deadline(vcpus[0].intc, 0, 0); /* disarmed */
	ack(0);
	wr(0, APIC_EOI, 0);
	bare_advance(&b, 100, 0);
	g_assert_false(has(0, VCPU_INTR));
	teardown();
}

static void test_base_transitions(void)
{
	uint64_t v;

	setup();
	g_assert_false(wrmsr(0, MSR_BASE, 0xfee00400)); /* EXTD without EN */
	g_assert_false(wrmsr(0, MSR_BASE, 0xfee00901)); /* reserved */
	g_assert_false(wrmsr(0, MSR_BASE, UINT64_C(1) << 52 | 0xfee00900));
	g_assert_false(rdmsr(0, X2_ID, &v)); /* not in x2APIC mode */
	enable(0);
	wr(0, APIC_TPR, 0x10);
	g_assert_true(wrmsr(0, MSR_BASE, 0xfee00d00));
	g_assert_cmphex(msr(0, X2_TPR), ==, 0x10); /* kept */
	g_assert_cmphex(msr(0, X2_SVR), ==, 0x1ff);
	g_assert_false(wrmsr(0, MSR_BASE, 0xfee00900)); /* back to xAPIC: #GP */
	g_assert_cmphex(lapic_mmio_base(at(0)), ==, 0);
	g_assert_true(wrmsr(0, MSR_BASE, 0xfee00100)); /* off */
	g_assert_false(rdmsr(0, X2_TPR, &v));
	g_assert_false(wrmsr(0, MSR_BASE, 0xfee00d00)); /* off to x2APIC: #GP */
	g_assert_true(wrmsr(0, MSR_BASE, 0xfee00900));
	g_assert_cmphex(rd(0, APIC_SVR), ==, 0xff); /* as after power-up */
	/* off: LINT0 is the INTR pin, LINT1 NMI; messages are not for it */
	wrmsr(1, MSR_BASE, 0xfee00000);
	lapic_set_lint(apics[1], 0, true);
	lapic_set_lint(apics[1], 1, true);
	g_assert_true(has(1, VCPU_INTR) && has(1, VCPU_NMI));
	icr(0, 1, 0xc500);
	g_assert_false(has(1, VCPU_INIT));
	teardown();
}

static void x2(unsigned i)
{
	enable(i);
	g_assert_true(wrmsr(i, MSR_BASE, msr(i, MSR_BASE) | 0x400));
}

static void test_x2apic_registers_fault_as_they_must(void)
{
	static const uint32_t no_read[] = { 0x800, 0x804,   0x809, X2_EOI, 0x80c, 0x80e,
					    0x831, X2_SELF, 0x82f, 0x840,  0x8ff };
	static const uint32_t no_write[] = { 0x800, X2_ID,  0x803, 0x80a, X2_LDR, 0x80e,
					     0x810, X2_IRR, 0x831, 0x839, 0x8ff };
	uint64_t v;

	setup();
	x2(0);
	for (unsigned i = 0; i < G_N_ELEMENTS(no_read); i++)
		g_assert_false(rdmsr(0, no_read[i], &v));
	for (unsigned i = 0; i < G_N_ELEMENTS(no_write); i++)
		g_assert_false(wrmsr(0, no_write[i], 0));
	g_assert_false(wrmsr(0, X2_TPR, 0x100));
	g_assert_false(wrmsr(0, X2_EOI, 1));
	g_assert_false(wrmsr(0, X2_ESR, 1));
	g_assert_false(wrmsr(0, X2_SVR, UINT64_C(1) << 32));
	g_assert_false(wrmsr(0, X2_LVT_TIMER, 1u << 19));
	g_assert_false(wrmsr(0, X2_ICR, 1u << 13));
	g_assert_true(wrmsr(0, X2_TPR, 0x20));
	g_assert_true(wrmsr(0, X2_EOI, 0));
	g_assert_true(wrmsr(0, X2_LVT_TIMER, 0x40031));
	g_assert_cmphex(msr(0, X2_LVT_TIMER), ==, 0x40031);
	teardown();
}

static void test_x2apic_ipis_with_wide_ids(void)
{
	static const uint32_t ids[CPUS] = { 0, 0x25, 255, 300 };

	setup_ids(ids);
	for (unsigned i = 0; i < CPUS; i++)
		x2(i);
	g_assert_cmphex(msr(3, X2_ID), ==, 300);
	g_assert_cmphex(msr(1, X2_LDR), ==, 2u << 16 | 1u << 5);
	g_assert_true(wrmsr(0, X2_ICR, UINT64_C(300) << 32 | 0x4041));
	g_assert_cmphex((unsigned)ack(3), ==, 0x41);
	g_assert_true(wrmsr(0, X2_ICR, UINT64_C(255) << 32 | 0x4042)); /* not a broadcast */
	g_assert_cmphex((unsigned)ack(2), ==, 0x42);
	g_assert_false(has(1, VCPU_INTR));
	g_assert_true(wrmsr(0, X2_ICR, (UINT64_C(2) << 16 | 1u << 5) << 32 | 0x4843)); /* logical */
	g_assert_cmphex((unsigned)ack(1), ==, 0x43);
	g_assert_true(wrmsr(0, X2_ICR, UINT64_C(0xffffffff) << 32 | 0x4064));
	for (unsigned i = 0; i < CPUS; i++)
		g_assert_cmphex((unsigned)ack(i), ==, 0x64);
	g_assert_true(wrmsr(2, X2_SELF, 0x75));
	g_assert_cmphex((unsigned)ack(2), ==, 0x75);
	g_assert_cmphex(msr(0, X2_ICR), ==, UINT64_C(0xffffffff) << 32 | 0x4064);
	teardown();
}

static void test_msi(void)
{
	setup();
	enable_all();
	apic_bus_send_msi(bus, 0xfee02000, 0x4055);
	g_assert_cmphex((unsigned)ack(2), ==, 0x55);
	apic_bus_send_msi(bus, 0xfee63000, 0x4055); /* nobody: logged */
	apic_bus_send_msi(bus, 0xfee03000, 0x0400);
	g_assert_true(has(3, VCPU_NMI));
	teardown();
}

static void test_virtual_wire_property(void)
{
	setup();
	bare_remove(apics[0]);
	apics[0] = bare_new(&b, "lapic", NULL);
	lapic_wire(apics[0], bus, &vcpus[0]);
	bare_realize(&b, apics[0], 0);
	extint_vector = 0x20;
	lapic_set_lint(apics[0], 0, true);
	g_assert_true(has(0, VCPU_INTR));
	g_assert_cmphex((unsigned)ack(0), ==, 0x20);
	teardown();
}

/* ---- the window, from vCPU threads ---- */

static uint32_t seen_id[2];

static void window_body(struct vcpu *v)
{
	uint64_t value;

	address_space_read(&b.mem, 0xfee00020, 4, &value);
	seen_id[v->id] = (uint32_t)value;
	if (v->id == 1) {
		address_space_write(&b.mem, 0xfee000f0, 4, 0x1ff);
		address_space_write(&b.mem, 0xfee01000, 4, 0x4066); /* elsewhere: an MSI, to 1 */
		address_space_read(&b.mem, 0xfee00081, 1, &value);  /* odd and narrow: harmless */
	}
	while (vcpu_wait_event(v))
		;
}

static void test_window_shows_each_vcpu_its_own(void)
{
	static const struct accel_ops ops = { .name = "test", .vcpu_run = window_body };
	struct accel accel = { .ops = &ops };
	struct err err;

	setup();
	for (unsigned i = 0; i < 2; i++) {
		vcpus[i].accel = &accel;
		g_assert_true(vcpu_start_thread(&vcpus[i], &err));
	}
	for (unsigned i = 0; i < 2; i++)
		vcpu_end_thread(&vcpus[i]);
	g_assert_cmphex(seen_id[0], ==, 0);
	g_assert_cmphex(seen_id[1], ==, 1u << 24);
	g_assert_cmphex((unsigned)ack(1), ==, 0x66);
	/* nobody's access */
	g_assert_cmphex(bare_read32(&b, 0xfee00020), ==, UINT32_MAX);
	teardown();
}

/* ---- many threads ---- */

enum { HOPS = 4000, TOKEN = 0x80, NOISE = 0x31 };
static _Atomic unsigned hops;

/* Pass the token on whenever it comes; a lost interrupt stops the ring. */
static void *ring_body(void *opaque)
{
	unsigned i = GPOINTER_TO_UINT(opaque);
	gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

	while (atomic_load(&hops) < HOPS && g_get_monotonic_time() < end) {
		int vector = has(i, VCPU_INTR) ? ack(i) : -1;

		if (vector >= 0)
			wr(i, APIC_EOI, 0);
		else
			g_thread_yield();
		if (vector == TOKEN) {
			atomic_fetch_add(&hops, 1);
			icr(i, (i + 1) % CPUS, 0x4000 | TOKEN);
			icr(i, 0, 0xc4000 | NOISE);
		}
	}
	return NULL;
}

static void test_no_ipi_is_lost_between_threads(void)
{
	GThread *threads[CPUS];

	setup();
	enable_all();
	atomic_store(&hops, 0);
	for (unsigned i = 0; i < CPUS; i++)
		threads[i] = g_thread_new("ring", ring_body, GUINT_TO_POINTER(i));
	apic_bus_send_msi(bus, APIC_WINDOW_BASE, TOKEN);
	for (unsigned i = 0; i < CPUS; i++)
		g_thread_join(threads[i]);
	g_assert_cmpuint(atomic_load(&hops), >=, HOPS);
	teardown();
}

static void test_every_register_takes_garbage(void)
{
	setup();
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t reg = (uint32_t)g_test_rand_int_range(0, 0x400);
		uint32_t v = (uint32_t)g_test_rand_int();
		uint64_t out;

		if (round & 1)
			reg &= ~15u;
		wr(round % CPUS, reg, v);
		rd(round % CPUS, reg);
		wrmsr(round % CPUS, MSR_X2 + (reg >> 2), v);
		rdmsr(round % CPUS, MSR_X2 + (reg >> 2), &out);
		if (round % 64 == 0)
			wrmsr(round % CPUS, MSR_BASE, 0xfee00000 | (v & 0xf00));
		ack(round % CPUS);
		if (round % 16 == 0)
			bare_advance(&b, 1000, 0);
	}
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/lapic/power-up", test_power_up_values);
	g_test_add_func("/dev/lapic/fixed", test_fixed_ipi_priorities_and_eoi);
	g_test_add_func("/dev/lapic/tpr", test_task_priority_holds_back);
	g_test_add_func("/dev/lapic/shorthands", test_shorthands);
	g_test_add_func("/dev/lapic/logical", test_logical_flat_and_cluster);
	g_test_add_func("/dev/lapic/lowest", test_lowest_priority_picks_one);
	g_test_add_func("/dev/lapic/init-sipi-nmi", test_init_startup_nmi);
	g_test_add_func("/dev/lapic/software-disabled", test_software_disabled);
	g_test_add_func("/dev/lapic/errors", test_errors);
	g_test_add_func("/dev/lapic/eoi-broadcast", test_eoi_broadcast_for_level);
	g_test_add_func("/dev/lapic/lint", test_lint_modes);
	g_test_add_func("/dev/lapic/one-shot", test_timer_one_shot);
	g_test_add_func("/dev/lapic/periodic", test_timer_periodic);
	g_test_add_func("/dev/lapic/deadline", test_timer_tsc_deadline);
	g_test_add_func("/dev/lapic/base", test_base_transitions);
	g_test_add_func("/dev/lapic/x2apic-faults", test_x2apic_registers_fault_as_they_must);
	g_test_add_func("/dev/lapic/x2apic-ipis", test_x2apic_ipis_with_wide_ids);
	g_test_add_func("/dev/lapic/msi", test_msi);
	g_test_add_func("/dev/lapic/virtual-wire", test_virtual_wire_property);
	g_test_add_func("/dev/lapic/window", test_window_shows_each_vcpu_its_own);
	g_test_add_func("/dev/lapic/ring", test_no_ipi_is_lost_between_threads);
	g_test_add_func("/dev/lapic/garbage", test_every_register_takes_garbage);
	return g_test_run();
}
