/* Chips that lend their states and have them back (cpu/pc_chips.h).
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include <string.h>

#include "cpu/accel.h"
#include "cpu/pc_chips.h"
#include "cpu/vcpu.h"
#include "dev/intc/apic_internal.h"
#include "dev/intc/i8259.h"
#include "dev/intc/ioapic.h"
#include "dev/intc/lapic.h"
#include "dev/timer/i8254.h"

static struct bare b;
static struct device *bus, *apic, *io;
static struct vcpu vcpu;

static void setup(void)
{
	bare_init(&b);
	bus = bare_add(&b, "apic-bus", 0, NULL);
	bare_map(&b, bus, 0, APIC_WINDOW_BASE);
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu_init(&vcpu, 0, NULL, NULL);
	vcpu.clock = b.clock;
	apic = bare_new(&b, "lapic", "virtual-wire", "off", NULL);
	lapic_wire(apic, bus, &vcpu);
	bare_realize(&b, apic, 0);
	io = bare_new(&b, "ioapic", NULL);
	ioapic_wire(io, bus);
	bare_realize(&b, io, 0);
	bare_map(&b, io, 0, 0xfec00000);
}

static void teardown(void)
{
	bare_remove(io);
	bare_remove(apic);
	vcpu_fini(&vcpu);
	bare_remove(bus);
	bare_fini(&b);
}

static bool has_interrupt(void) { return atomic_load(&vcpu.inputs) & VCPU_INTR; }

static struct lapic *lapic(void) { return vcpu.intc; }

static void test_a_pending_interrupt_goes_along_and_comes_back(void)
{
	struct lapic_image image;

	setup();
	lapic_mmio_write(lapic(), APIC_SVR, 0x1ff);
	apic_bus_send_msi(bus, APIC_WINDOW_BASE, 0x41);
	g_assert_true(has_interrupt());
	vcpu.intc_ops->lend(vcpu.intc, &image);
	g_assert_false(has_interrupt());
	g_assert_cmphex(image.reg[0x22], ==, 2);
	g_assert_cmphex(image.reg[0x0f], ==, 0x1ff);
	g_assert_cmpint(vcpu.intc_ops->ack(vcpu.intc), ==, -1);
	/* it was served, and another came */
	image.reg[0x22] = 0;
	image.reg[0x23] = 1;
	vcpu.intc_ops->take_back(vcpu.intc, &image, PC_CHIP_SHOW);
	g_assert_false(has_interrupt());
	vcpu.intc_ops->take_back(vcpu.intc, &image, PC_CHIP_GO_ON);
	g_assert_true(has_interrupt());
	g_assert_cmpint(vcpu.intc_ops->ack(vcpu.intc), ==, 0x60);
	teardown();
}

static void start_timer(uint32_t lvt, uint32_t count)
{
	lapic_mmio_write(lapic(), APIC_SVR, 0x1ff);
	lapic_mmio_write(lapic(), APIC_DIVIDE, 0xb);
	lapic_mmio_write(lapic(), APIC_LVT_TIMER, lvt);
	lapic_mmio_write(lapic(), APIC_INITIAL_COUNT, count);
}

static void test_a_timer_goes_on_with_what_is_left(void)
{
	struct lapic_image image;

	setup();
	start_timer(0x40, 1000000);
	bare_advance(&b, 400000, 0);
	vcpu.intc_ops->lend(vcpu.intc, &image);
	g_assert_cmpuint(image.reg[0x38], ==, 1000000);
	g_assert_cmpuint(image.reg[0x39], ==, 600000);
	bare_advance(&b, 5000000, 0); /* lent: nothing */
	g_assert_false(has_interrupt());
	image.reg[0x39] = 200000;
	vcpu.intc_ops->take_back(vcpu.intc, &image, PC_CHIP_GO_ON);
	bare_advance(&b, 199000, 0);
	g_assert_false(has_interrupt());
	bare_advance(&b, 2000, 0);
	g_assert_true(has_interrupt());
	/* over: it has nothing to begin again with */
	vcpu.intc_ops->lend(vcpu.intc, &image);
	g_assert_cmpuint(image.reg[0x38], ==, 0);
	teardown();
}

static void test_a_timer_that_is_due_is_not_lost(void)
{
	struct lapic_image image;

	setup();
	start_timer(0x40, 1000000);
	/* late: its callback has not run */
	vclock_set(b.clock, vclock_now(b.clock) + 2000000);
	vcpu.intc_ops->lend(vcpu.intc, &image);
	g_assert_cmphex(image.reg[0x22], ==, 1);
	g_assert_cmpuint(image.reg[0x38], ==, 0);
	/* that had run out there, told or not, is told */
	image.reg[0x22] = 0;
	image.reg[0x38] = 500;
	image.reg[0x39] = 0;
	vcpu.intc_ops->take_back(vcpu.intc, &image, PC_CHIP_GO_ON);
	bare_poll(&b);
	g_assert_true(has_interrupt());
	teardown();
}

/* ---- messages ---- */

static uint64_t sent_addr;
static uint32_t sent_data;
static unsigned route_pin;
static uint64_t route_addr;
static bool is_lent;

static bool gate_hold(void *opaque)
{
	(void)opaque;
	return is_lent;
}

static void gate_drop(void *opaque) { (void)opaque; }

static bool gate_send(void *opaque, uint64_t addr, uint32_t data)
{
	(void)opaque;
	sent_addr = addr;
	sent_data = data;
	return true;
}

static void gate_route(void *opaque, unsigned pin, uint64_t addr, uint32_t data)
{
	(void)opaque;
	(void)data;
	route_pin = pin;
	route_addr = addr;
}

static void test_a_level_goes_through_the_gate_and_its_end_comes_back(void)
{
	static const struct apic_gate gate = { gate_hold, gate_drop, gate_send, gate_route,
					       .is_split = true };

	setup();
	apic_bus_set_gate(bus, &gate, NULL);
	lapic_mmio_write(lapic(), APIC_SVR, 0x1ff);
	bare_write32(&b, 0xfec00000, 0x10 + 2 * 5 + 1);
	bare_write32(&b, 0xfec00010, 3u << 24);
	bare_write32(&b, 0xfec00000, 0x10 + 2 * 5);
	bare_write32(&b, 0xfec00010, 0x8000 | 0x55);
	g_assert_cmpuint(route_pin, ==, 5);
	g_assert_cmphex(route_addr, ==, 0xfee03000);
	is_lent = true;
	ioapic_set_irq(io, 5, true);
	g_assert_cmphex(sent_addr, ==, 0xfee03000);
	g_assert_cmphex(sent_data, ==, 0xc055);
	sent_data = 0;
	ioapic_eoi(io, 0x55); /* still high */
	g_assert_cmphex(sent_data, ==, 0xc055);
	ioapic_set_irq(io, 5, false);
	sent_data = 0;
	ioapic_eoi(io, 0x55);
	g_assert_cmphex(sent_data, ==, 0);
	bare_write32(&b, 0xfec00010, 0x55); /* an edge has no end */
	g_assert_cmphex(route_addr, ==, 0);
	is_lent = false;
	teardown();
}

static void test_an_io_apic_comes_back_as_it_went(void)
{
	struct ioapic_image image, again;

	setup();
	bare_write32(&b, 0xfec00000, 0x10 + 2 * 7);
	bare_write32(&b, 0xfec00010, 0x8000 | 0x66);
	ioapic_lend(io, &image);
	g_assert_cmphex(image.rte[7], ==, 0x8066);
	image.lines = 1u << 7;
	lapic_mmio_write(lapic(), APIC_SVR, 0x1ff);
	ioapic_return(io, &image, true);
	g_assert_true(has_interrupt()); /* a level that stands */
	ioapic_lend(io, &again);
	g_assert_cmphex(again.rte[7], ==, 0xc066);
	teardown();
}

/* ---- ISA chips ---- */

static void test_an_8259_comes_back_as_it_went(void)
{
	struct i8259_image image[2], again[2];
	struct device *pic;

	bare_init(&b);
	pic = bare_add(&b, "i8259", 0, NULL);
	bare_out(&b, 0x20, 0x11);
	bare_out(&b, 0x21, 0x20);
	bare_out(&b, 0x21, 4);
	bare_out(&b, 0x21, 1);
	bare_out(&b, 0xa0, 0x11); /* half of its command words */
	bare_out(&b, 0x21, 0xfe);
	i8259_set_irq(pic, 0, true);
	g_assert_true(b.wires[0].level);
	i8259_lend(pic, image);
	g_assert_false(b.wires[0].level);
	g_assert_cmphex(image[0].irr, ==, 1);
	g_assert_cmphex(image[0].vector, ==, 0x20);
	g_assert_cmpuint(image[1].init_step, ==, 2);
	i8259_return(pic, image, true);
	g_assert_true(b.wires[0].level);
	i8259_lend(pic, again);
	g_assert_cmpmem(image, sizeof(image), again, sizeof(again));
	bare_remove(pic);
	bare_fini(&b);
}

static void test_an_8254_keeps_its_period(void)
{
	struct i8254_image image;
	struct device *pit;
	unsigned rises;

	bare_init(&b);
	pit = bare_add(&b, "i8254", 0, NULL);
	bare_out(&b, 0x43, 0x34); /* channel 0, mode 2: 1000 ticks */
	bare_out(&b, 0x40, 0xe8);
	bare_out(&b, 0x40, 0x03);
	bare_advance(&b, 500000, 0);
	i8254_lend(pit, &image);
	g_assert_cmpuint(image.ch[0].count, ==, 1000);
	g_assert_cmpint(image.ch[0].elapsed_ns, >, 498000);
	g_assert_cmpint(image.ch[0].elapsed_ns, <, 502000);
	rises = b.wires[0].rises;
	bare_advance(&b, 10000000, 0);
	g_assert_cmpuint(b.wires[0].rises, ==, rises);
	/* an edge in between is told once */
	image.ch[0].elapsed_ns = 10 * 838095 + 1000;
	i8254_return(pit, &image, vclock_now(b.clock) - 5000, true);
	g_assert_cmpuint(b.wires[0].rises, ==, rises + 1);
	bare_advance(&b, 830000, 0);
	g_assert_cmpuint(b.wires[0].rises, ==, rises + 1);
	bare_advance(&b, 10000, 0);
	g_assert_cmpuint(b.wires[0].rises, ==, rises + 2);
	bare_remove(pit);
	bare_fini(&b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/lend/" #name, test_##name)
	ADD(a_pending_interrupt_goes_along_and_comes_back);
	ADD(a_timer_goes_on_with_what_is_left);
	ADD(a_timer_that_is_due_is_not_lost);
	ADD(a_level_goes_through_the_gate_and_its_end_comes_back);
	ADD(an_io_apic_comes_back_as_it_went);
	ADD(an_8259_comes_back_as_it_went);
	ADD(an_8254_keeps_its_period);
#undef ADD
	return g_test_run();
}
