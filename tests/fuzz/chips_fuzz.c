/* tests/fuzz/chips_fuzz.c - what a guest can do to the chips of a PC: ports, registers, MSRs, time.
 *
 * The input is a sequence of records of 8 bytes: kind, where (2 bytes), size, value (4).
 *   kind 0: write a port; 1: read one; 2: write a register of the I/O APIC, local APIC or GED
 * (bits 13:12 of `where`); 3: read one; 4, 5: write, read an MSR of the local APIC; 6: let time
 * pass; 7: take the interrupt that is pending, or set the task priority.
 * SPDX-License-Identifier: MIT */
#include "bare_pc.h"

#include "cpu/vcpu.h"
#include "dev/intc/apic_bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	RECORD_BYTES = 8,
	RECORDS_MAX = 4096,
	CPUS = 2,
};

static struct bare_pc pc;
static struct vcpu vcpus[CPUS];

static void setup(void)
{
	bare_init(&pc.b);
	for (unsigned i = 0; i < CPUS; i++) {
		vcpus[i].apic_id = i;
		vcpu_init(&vcpus[i], i, NULL, NULL);
		vcpus[i].clock = pc.b.clock;
	}
	bare_pc_add_chips(&pc, vcpus, CPUS);
}

static uint64_t register_at(uint16_t where)
{
	switch (where >> 12 & 3) {
	case 0: return PC_IOAPIC + (where & 0xfff);
	case 1: return PC_GED + (where & 0xfff);
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
	case 0: address_space_write(&pc.b.io, port_at(where), size, value); break;
	case 1: address_space_read(&pc.b.io, port_at(where), size, &out); break;
	case 2: address_space_write(&pc.b.mem, register_at(where), size, value); break;
	case 3: address_space_read(&pc.b.mem, register_at(where), size, &out); break;
	case 4: v->intc_ops->write_msr(v->intc, msr, value * UINT64_C(0x100000001)); break;
	case 5: v->intc_ops->read_msr(v->intc, msr, &out); break;
	case 6: bare_advance(&pc.b, value & 0xffffff, 0); break;
	default: take_interrupt(v, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!pc.device_count)
		setup();
	bare_pc_reset(&pc);
	for (unsigned i = 0; i < CPUS; i++)
		atomic_store(&vcpus[i].inputs, 0);
	for (unsigned n = 0; size >= RECORD_BYTES && n < RECORDS_MAX; n++) {
		run_record(data);
		data += RECORD_BYTES;
		size -= RECORD_BYTES;
	}
	bare_poll(&pc.b);
	return 0;
}
