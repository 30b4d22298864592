/* tests/fuzz/chips_fuzz.c - what a guest can do to the chips of a PC: ports, registers, MSRs, time.
 *
 * The input is a sequence of records of 8 bytes: kind, where (2 bytes), size, value (4).
 *   kind 0: write a port; 1: read one; 2: write a register of the I/O APIC, local APIC or GED
 * (bits 13:12 of `where`); 3: read one; 4, 5: write, read an MSR of the local APIC; 6: let time
 * pass; 7: take the interrupt that is pending, or set the task priority.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include "cpu/accel.h"
#include "cpu/vcpu.h"
#include "dev/intc/apic_bus.h"
#include "dev/intc/i8259.h"
#include "dev/intc/ioapic.h"
#include "dev/intc/lapic.h"
#include "dev/isa/isa.h"
#include "dev/nvram/fw_cfg.h"
#include "dev/timer/mc146818.h"
#include "event/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	RECORD_BYTES = 8,
	RECORDS_MAX = 4096,
	CPUS = 2,
	IOAPIC = 0xfec00000,
	GED = 0xfea00000,
	GED_REGS = 0xfea00200,
};

static struct bare b;
static struct vcpu vcpus[CPUS];
static struct device *devices[16], *pic, *ioapic;
static unsigned device_count;

static struct device *keep(struct device *dev) { return devices[device_count++] = dev; }

static void set_line(void *opaque, int line, bool level)
{
	(void)opaque;
	i8259_set_irq(pic, line, level);
	ioapic_set_irq(ioapic, line ? line : 2, level);
}

static void set_intr(void *opaque, int input, bool level)
{
	(void)opaque;
	(void)input;
	for (unsigned i = 0; i < CPUS; i++)
		lapic_set_lint(vcpus[i].intc, 0, level);
}

static void add_isa(const char *type)
{
	struct device *dev = keep(bare_add(&b, type, 0, NULL));

	for (unsigned i = 0; i < dev->irq_count; i++)
		if (isa_from_device(dev)->lines[i] != ISA_NO_LINE)
			irq_connect(dev->irqs[i], set_line, NULL, isa_from_device(dev)->lines[i]);
}

static void add_apics(void)
{
	struct device *bus = keep(bare_add(&b, "apic-bus", 0, NULL));

	bare_map(&b, bus, 0, APIC_WINDOW_BASE);
	for (unsigned i = 0; i < CPUS; i++) {
		struct device *lapic = bare_new(&b, "lapic", NULL);

		vcpus[i].apic_id = i;
		vcpu_init(&vcpus[i], i, NULL, NULL);
		vcpus[i].clock = b.clock;
		lapic_wire(lapic, bus, &vcpus[i]);
		bare_realize(&b, keep(lapic), 0);
	}
	ioapic = bare_new(&b, "ioapic", NULL);
	ioapic_wire(ioapic, bus);
	bare_realize(&b, keep(ioapic), 0);
	bare_map(&b, ioapic, 0, IOAPIC);
	pic = keep(bare_add(&b, "i8259", 0, NULL));
	irq_connect(pic->irqs[0], set_intr, NULL, 0);
	apic_bus_set_extint(bus, i8259_ack, pic);
}

static void setup(void)
{
	struct device *ged;

	bare_init(&b);
	add_apics();
	add_isa("i8254");
	add_isa("isa-serial");
	add_isa("fw_cfg");
	add_isa("acpi-pm-timer");
	keep(bare_add(&b, "mc146818rtc", 0, "clock", "vm", "base", "2020-02-29T23:59:58", NULL));
	irq_connect(devices[device_count - 1]->irqs[0], set_line, NULL, 8);
	ged = keep(bare_add(&b, "acpi-ged", 0, NULL));
	irq_connect(ged->irqs[0], set_line, NULL, 9);
	bare_map(&b, ged, 0, GED);
	bare_map(&b, ged, 1, GED_REGS);
}

static uint64_t register_at(uint16_t where)
{
	switch (where >> 12 & 3) {
	case 0: return IOAPIC + (where & 0xfff);
	case 1: return GED + (where & 0xfff);
	default: return APIC_WINDOW_BASE + (where & 0xfff);
	}
}

/* Ports that somebody answers, mostly. */
static uint16_t port_at(uint16_t where)
{
	static const uint16_t bases[] = {
		0x20, 0xa0, 0x4d0, 0x40, 0x60, 0x70, 0x3f8, 0x510, 0x608
	};
	unsigned n = where >> 4 & 15;

	return n < ARRAY_SIZE(bases) ? (uint16_t)(bases[n] + (where & 15)) : where;
}

/* As the vCPU does it. */
static void take_interrupt(struct vcpu *v, uint32_t value)
{
	if (value & 1) {
		v->intc_ops->set_cr8(v->intc, value >> 1 & 15);
	} else if (atomic_load(&v->inputs) & VCPU_INTR) {
		v->intc_ops->ack(v->intc);
	}
	if (vcpu_take_input(v, VCPU_INIT))
		v->intc_ops->init(v->intc);
}

static void run_record(const uint8_t *r)
{
	uint16_t where = ld16_le(r + 1);
	unsigned size = 1u << (r[3] & 3);
	uint32_t value = ld32_le(r + 4);
	struct vcpu *v = &vcpus[r[3] >> 7];
	uint32_t msr = where & 0x8000 ? 0x800 + (where & 0x3ff) : where & 1 ? 0x6e0 : 0x1b;
	uint64_t out;

	switch (r[0] & 7) {
	case 0: address_space_write(&b.io, port_at(where), size, value); break;
	case 1: address_space_read(&b.io, port_at(where), size, &out); break;
	case 2: address_space_write(&b.mem, register_at(where), size, value); break;
	case 3: address_space_read(&b.mem, register_at(where), size, &out); break;
	case 4: v->intc_ops->write_msr(v->intc, msr, value * UINT64_C(0x100000001)); break;
	case 5: v->intc_ops->read_msr(v->intc, msr, &out); break;
	case 6: bare_advance(&b, value & 0xffffff, 0); break;
	default: take_interrupt(v, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!device_count)
		setup();
	for (unsigned i = 0; i < device_count; i++)
		device_reset(devices[i]);
	for (unsigned i = 0; i < CPUS; i++)
		atomic_store(&vcpus[i].inputs, 0);
	for (unsigned n = 0; size >= RECORD_BYTES && n < RECORDS_MAX; n++) {
		run_record(data);
		data += RECORD_BYTES;
		size -= RECORD_BYTES;
	}
	bare_poll(&b);
	return 0;
}
