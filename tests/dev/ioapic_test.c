/* The I/O APIC, with a local APIC at the other end.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include "cpu/vcpu.h"
#include "dev/intc/apic_bus.h"
#include "dev/intc/ioapic.h"
#include "dev/intc/lapic.h"

enum { BASE = 0xfec00000, EOI = 0x40, X2_SVR = 0x80f, X2_EOI = 0x80b };
enum { MASKED = 1 << 16, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14 };

static struct bare b;
static struct device *bus, *lapic, *io;
static struct vcpu vcpu;

static void wrmsr(uint32_t n, uint64_t v)
{
	g_assert_true(vcpu.intc_ops->write_msr(vcpu.intc, n, v));
}

static void setup(void)
{
	bare_init(&b);
	bus = bare_add(&b, "apic-bus", 0, NULL);
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu_init(&vcpu, 0, NULL, NULL);
	lapic = bare_new(&b, "lapic", NULL);
	lapic_wire(lapic, bus, &vcpu);
	bare_realize(&b, lapic, 0);
	wrmsr(0x1b, 0xfee00d00);
	wrmsr(X2_SVR, 0x1ff);
	io = bare_new(&b, "ioapic", "id", "5", NULL);
	ioapic_wire(io, bus);
	bare_realize(&b, io, 0);
	bare_map(&b, io, 0, BASE);
}

static void teardown(void)
{
	bare_remove(io);
	bare_remove(lapic);
	bare_remove(bus);
	vcpu_fini(&vcpu);
	bare_fini(&b);
}

static uint32_t rd(uint8_t reg)
{
	bare_write32(&b, BASE, reg);
	return bare_read32(&b, BASE + 0x10);
}

static void wr(uint8_t reg, uint32_t v)
{
	bare_write32(&b, BASE, reg);
	bare_write32(&b, BASE + 0x10, v);
}

static uint32_t rte(unsigned pin) { return rd((uint8_t)(0x10 + 2 * pin)); }
static void set_rte(unsigned pin, uint32_t low) { wr((uint8_t)(0x10 + 2 * pin), low); }
static int ack(void) { return vcpu.intc_ops->ack(vcpu.intc); }
static bool intr(void) { return atomic_load(&vcpu.inputs) & VCPU_INTR; }

static void test_registers(void)
{
	setup();
	g_assert_cmphex(rd(0), ==, 5u << 24);
	g_assert_cmphex(rd(1), ==, 0x170020);
	for (unsigned i = 0; i < IOAPIC_PIN_COUNT; i++)
		g_assert_cmphex(rte(i), ==, MASKED);
	wr(0, UINT32_MAX);
	g_assert_cmphex(rd(0), ==, 0xfu << 24);
	set_rte(3, UINT32_MAX);
	g_assert_cmphex(rte(3), ==, 0x1afff); /* status and remote IRR are read-only */
	wr(0x17, UINT32_MAX);
	g_assert_cmphex(rd(0x17), ==, 0xff000000);
	g_assert_cmphex(rd(0x40), ==, 0); /* no such register */
	wr(0xff, 1);
	g_assert_cmphex(bare_read32(&b, BASE + 0x30), ==, 0);
	teardown();
}

static void test_edge(void)
{
	setup();
	ioapic_set_irq(io, 4, true); /* masked: lost */
	set_rte(4, 0x34);
	g_assert_false(intr());
	ioapic_set_irq(io, 4, true); /* no edge */
	g_assert_false(intr());
	ioapic_set_irq(io, 4, false);
	ioapic_set_irq(io, 4, true);
	g_assert_cmphex((unsigned)ack(), ==, 0x34);
	g_assert_cmphex(rte(4), ==, 0x34);
	teardown();
}

static void test_level_with_lapic_eoi(void)
{
	setup();
	set_rte(9, LEVEL | 0x39);
	ioapic_set_irq(io, 9, true);
	g_assert_cmphex((unsigned)ack(), ==, 0x39);
	g_assert_cmphex(rte(9), ==, LEVEL | REMOTE_IRR | 0x39);
	g_assert_false(intr());
	wrmsr(X2_EOI, 0);
	g_assert_cmphex((unsigned)ack(), ==, 0x39); /* still high */
	ioapic_set_irq(io, 9, false);
	wrmsr(X2_EOI, 0);
	g_assert_false(intr());
	g_assert_cmphex(rte(9), ==, LEVEL | 0x39);
	/* masked while high, delivered when unmasked */
	set_rte(9, LEVEL | MASKED | 0x39);
	ioapic_set_irq(io, 9, true);
	g_assert_false(intr());
	set_rte(9, LEVEL | 0x39);
	g_assert_true(intr());
	teardown();
}

static void test_eoi_register(void)
{
	setup();
	wrmsr(X2_SVR, 0x11ff); /* no broadcasts */
	set_rte(9, LEVEL | 0x39);
	ioapic_set_irq(io, 9, true);
	ack();
	ioapic_set_irq(io, 9, false);
	wrmsr(X2_EOI, 0);
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, REMOTE_IRR);
	bare_write32(&b, BASE + EOI, 0x38); /* another vector */
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, REMOTE_IRR);
	bare_write32(&b, BASE + EOI, 0x39);
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, 0);
	/* the way of software that knows no EOI register: to edge and back */
	ioapic_set_irq(io, 9, true);
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, REMOTE_IRR);
	set_rte(9, MASKED | 0x39);
	set_rte(9, MASKED | LEVEL | 0x39);
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, 0);
	teardown();
}

static void test_delivery_modes_and_destination(void)
{
	setup();
	set_rte(1, 0x400);
	ioapic_set_irq(io, 1, true);
	g_assert_true(vcpu_take_input(&vcpu, VCPU_NMI));
	set_rte(2, 0x141); /* lowest priority */
	ioapic_set_irq(io, 2, true);
	g_assert_cmphex((unsigned)ack(), ==, 0x41);
	wrmsr(X2_EOI, 0);
	wr(0x10 + 2 * 3 + 1, 7u << 24); /* nobody has id 7 */
	set_rte(3, LEVEL | 0x43);
	ioapic_set_irq(io, 3, true);
	g_assert_false(intr());
	g_assert_cmphex(rte(3) & REMOTE_IRR, ==, 0); /* not accepted */
	teardown();
}

static void test_a_level_nobody_accepts_waits_for_a_taker(void)
{
	setup();
	wrmsr(X2_SVR, 0xff); /* software-disabled */
	set_rte(9, LEVEL | 0x39);
	ioapic_set_irq(io, 9, true);
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, 0);
	wrmsr(X2_SVR, 0x1ff);
	g_assert_cmphex(rte(9) & REMOTE_IRR, ==, REMOTE_IRR);
	g_assert_cmphex((unsigned)ack(), ==, 0x39);
	wrmsr(X2_SVR, 0x1ff); /* being served: not sent twice */
	g_assert_false(intr());
	ioapic_set_irq(io, 9, false);
	wrmsr(X2_EOI, 0);
	/* disabled altogether; an edge meanwhile is lost, a level that fell too */
	wrmsr(0x1b, 0xfee00100);
	set_rte(4, 0x34);
	ioapic_set_irq(io, 4, true);
	ioapic_set_irq(io, 9, true);
	ioapic_set_irq(io, 9, false);
	set_rte(10, LEVEL | 0x3a);
	ioapic_set_irq(io, 10, true);
	wrmsr(0x1b, 0xfee00900);
	wrmsr(0x1b, 0xfee00d00);
	g_assert_false(intr());
	wrmsr(X2_SVR, 0x1ff);
	g_assert_cmphex((unsigned)ack(), ==, 0x3a);
	g_assert_false(intr());
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/ioapic/registers", test_registers);
	g_test_add_func("/dev/ioapic/edge", test_edge);
	g_test_add_func("/dev/ioapic/level", test_level_with_lapic_eoi);
	g_test_add_func("/dev/ioapic/eoi", test_eoi_register);
	g_test_add_func("/dev/ioapic/modes", test_delivery_modes_and_destination);
	g_test_add_func("/dev/ioapic/taker", test_a_level_nobody_accepts_waits_for_a_taker);
	return g_test_run();
}
