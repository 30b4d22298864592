/* machine/x86_chips.c - where the interrupt chips' states are: here, or with an accelerator that
 * has such chips (cpu/pc_chips.h).  Lines and messages go there.
 * SPDX-License-Identifier: MIT */
#include "cpu/accel.h"
#include "cpu/pc_chips.h"
#include "cpu/vcpu.h"
#include "dev/intc/apic_bus.h"
#include "dev/intc/i8259.h"
#include "dev/intc/ioapic.h"
#include "dev/isa/isa.h"
#include "dev/timer/i8254.h"
#include "machine/x86_board.h"

/* ---- lines ---- */

static void wire(struct x86_board *b, int line, bool level)
{
	if (b->pic && line < ISA_LINE_COUNT)
		i8259_set_irq(b->pic, line, level);
	ioapic_set_irq(b->ioapic, line == X86_BOARD_PIT_LINE ? X86_BOARD_PIT_GSI : line, level);
}

void x86_board_set_line(void *opaque, int line, bool level)
{
	struct x86_board *b = opaque;
	struct accel *a = b->machine.accel;

	if (!b->has_lent_lines) {
		wire(b, line, level);
		return;
	}
	if (!b->chips->hold(a))
		wire(b, line, level);
	b->chips->set_line(a, (unsigned)line, level);
	b->chips->drop(a);
}

/* ---- messages ---- */

static bool gate_hold(void *opaque)
{
	struct x86_board *b = opaque;

	return b->chips->hold(b->machine.accel);
}

static void gate_drop(void *opaque)
{
	struct x86_board *b = opaque;

	b->chips->drop(b->machine.accel);
}

static bool gate_send(void *opaque, uint64_t addr, uint32_t data)
{
	struct x86_board *b = opaque;

	return b->chips->send(b->machine.accel, addr, data);
}

static void gate_route(void *opaque, unsigned pin, uint64_t addr, uint32_t data)
{
	struct x86_board *b = opaque;

	b->chips->route(b->machine.accel, pin, addr, data);
}

static const struct apic_gate gates[] = {
	[PC_CHIPS_LAPICS] = { gate_hold, gate_drop, gate_send, gate_route, .is_split = true },
	[PC_CHIPS_ALL] = { gate_hold, gate_drop, gate_send, gate_route, .is_split = false },
};

/* ---- states ---- */

static void lend_ioapic(void *board, struct ioapic_image *image)
{
	ioapic_lend(((struct x86_board *)board)->ioapic, image);
}

static void return_ioapic(void *board, const struct ioapic_image *image, enum pc_chip_return how)
{
	ioapic_return(((struct x86_board *)board)->ioapic, image, how == PC_CHIP_GO_ON);
}

static void lend_i8259(void *board, struct i8259_image *image)
{
	i8259_lend(((struct x86_board *)board)->pic, image);
}

static void return_i8259(void *board, const struct i8259_image *image, enum pc_chip_return how)
{
	i8259_return(((struct x86_board *)board)->pic, image, how == PC_CHIP_GO_ON);
}

static void lend_i8254(void *board, struct i8254_image *image)
{
	i8254_lend(((struct x86_board *)board)->pit, image);
}

static void return_i8254(void *board, const struct i8254_image *image, int64_t since_ns,
			 enum pc_chip_return how)
{
	i8254_return(((struct x86_board *)board)->pit, image, since_ns, how == PC_CHIP_GO_ON);
}

static void eoi(void *board, uint8_t vector)
{
	ioapic_eoi(((struct x86_board *)board)->ioapic, vector);
}

/* ---- accesses that are not the guest's own ---- */

/* By a monitor, by qtest, or by a guest in ways that the accelerator's chips do not answer. */
static void begin_access(struct region_guard *g)
{
	struct x86_board *b = container_of(g, struct x86_board, chips_guard);

	b->chips->begin_access(b->machine.accel);
}

static void end_access(struct region_guard *g)
{
	struct x86_board *b = container_of(g, struct x86_board, chips_guard);

	b->chips->end_access(b->machine.accel);
}

static void guard_regions(struct x86_board *b, const struct device *dev)
{
	for (unsigned i = 0; dev && i < dev->region_count; i++)
		region_set_guard(dev->regions[i], &b->chips_guard);
}

static void guard_chips(struct x86_board *b, enum pc_chips_set set)
{
	b->chips_guard = (struct region_guard){ begin_access, end_access };
	guard_regions(b, b->apic_bus); /* the window of the local APICs */
	if (set != PC_CHIPS_ALL)
		return;
	guard_regions(b, b->ioapic);
	guard_regions(b, b->pic);
	if (b->chips->has_pit(b->machine.accel))
		guard_regions(b, b->pit);
}

bool x86_board_connect_chips(struct x86_board *b, struct err *err)
{
	struct accel *a = b->machine.accel;
	enum pc_chips_set set = a->ops->chips ? a->ops->chips->set(a) : PC_CHIPS_NONE;

	if (set == PC_CHIPS_NONE)
		return true;
	b->lender = (struct pc_chips_board){
		.lend_ioapic = lend_ioapic,
		.return_ioapic = return_ioapic,
		.lend_i8259 = lend_i8259,
		.return_i8259 = return_i8259,
		.lend_i8254 = lend_i8254,
		.return_i8254 = return_i8254,
		.eoi = eoi,
		.has_pic = b->pic,
		.has_pit = b->pit,
	};
	b->chips = a->ops->chips;
	if (!b->chips->connect(a, &b->lender, b, err))
		return false;
	b->has_lent_lines = set == PC_CHIPS_ALL;
	apic_bus_set_gate(b->apic_bus, &gates[set], b);
	guard_chips(b, set);
	return true;
}
