/* tests/dev/bare_pc.c
 * SPDX-License-Identifier: MIT */
#include "bare_pc.h"

#include "cpu/vcpu.h"
#include "dev/intc/apic_bus.h"
#include "dev/intc/i8259.h"
#include "dev/intc/ioapic.h"
#include "dev/intc/lapic.h"
#include "dev/isa/isa.h"

enum { LINE_RTC = 8, LINE_GED = 9 };

void bare_pc_set_line(void *opaque, int line, bool level)
{
	struct bare_pc *pc = opaque;

	i8259_set_irq(pc->pic, line, level);
	ioapic_set_irq(pc->ioapic, line ? line : 2, level);
}

static void set_intr(void *opaque, int input, bool level)
{
	struct bare_pc *pc = opaque;

	(void)input;
	for (unsigned i = 0; i < pc->cpu_count; i++)
		lapic_set_lint(pc->vcpus[i].intc, 0, level);
}

static struct device *keep(struct bare_pc *pc, struct device *dev)
{
	g_assert_cmpuint(pc->device_count, <, G_N_ELEMENTS(pc->devices));
	return pc->devices[pc->device_count++] = dev;
}

static void add_isa(struct bare_pc *pc, const char *type)
{
	struct device *dev = keep(pc, bare_add(&pc->b, type, 0, NULL));

	for (unsigned i = 0; i < dev->irq_count; i++)
		if (isa_from_device(dev)->lines[i] != ISA_NO_LINE)
			irq_connect(dev->irqs[i], bare_pc_set_line, pc,
				    isa_from_device(dev)->lines[i]);
}

static void add_interrupt_controllers(struct bare_pc *pc)
{
	struct device *bus = keep(pc, bare_add(&pc->b, "apic-bus", 0, NULL));

	/* over RAM too: software may move it */
	region_add_overlap(&pc->b.mem_root, APIC_WINDOW_BASE, bus->regions[0], 1);
	for (unsigned i = 0; i < pc->cpu_count; i++) {
		struct device *lapic = bare_new(&pc->b, "lapic", NULL);

		lapic_wire(lapic, bus, &pc->vcpus[i]);
		bare_realize(&pc->b, keep(pc, lapic), 0);
	}
	pc->ioapic = bare_new(&pc->b, "ioapic", NULL);
	ioapic_wire(pc->ioapic, bus);
	bare_realize(&pc->b, keep(pc, pc->ioapic), 0);
	bare_map(&pc->b, pc->ioapic, 0, PC_IOAPIC);
	pc->pic = keep(pc, bare_add(&pc->b, "i8259", 0, NULL));
	irq_connect(pc->pic->irqs[0], set_intr, pc, 0);
	apic_bus_set_extint(bus, i8259_ack, pc->pic);
}

void bare_pc_add_chips(struct bare_pc *pc, struct vcpu *vcpus, unsigned cpu_count)
{
	struct device *rtc, *ged;

	pc->vcpus = vcpus;
	pc->cpu_count = cpu_count;
	add_interrupt_controllers(pc);
	add_isa(pc, "i8254");
	add_isa(pc, "isa-serial");
	add_isa(pc, "fw_cfg");
	add_isa(pc, "acpi-pm-timer");
	rtc = keep(pc, bare_add(&pc->b, "mc146818rtc", 0, "clock", "vm", "base",
				"2020-02-29T23:59:58", NULL));
	irq_connect(rtc->irqs[0], bare_pc_set_line, pc, LINE_RTC);
	ged = keep(pc, bare_add(&pc->b, "acpi-ged", 0, NULL));
	irq_connect(ged->irqs[0], bare_pc_set_line, pc, LINE_GED);
	bare_map(&pc->b, ged, 0, PC_GED);
	bare_map(&pc->b, ged, 1, PC_GED_REGS);
}

void bare_pc_reset(struct bare_pc *pc)
{
	for (unsigned i = 0; i < pc->device_count; i++)
		device_reset(pc->devices[i]);
}
