/* dev/acpi/ged.c - ACPI generic event device, and the sleep and reset registers of hardware-reduced
 * ACPI.
 *
 * Region 0, event select (4 bytes): reading gives the waiting events (enum ged_event) and clears
 * them; the DSDT's _EVT method reads it when the interrupt comes and notifies what is named.
 * Region 1: byte 0 sleep control, byte 1 sleep status, byte 2 reset register (ACPI 6.5 4.8.3.7):
 *   sleep control: bit 5 SLP_EN, bits 4-2 SLP_TYP.  SLP_EN with SLP_TYP 5 (\_S5) powers off.
 *   sleep status: bit 7 WAK_STS, write 1 to clear; never set, as there is no waking here.
 *   reset: writing 42h resets.
 * Wire 0: high while an event waits.
 * Not modelled: S1-S4, memory and CPU hot-plug events.
 * Specification: ACPI 6.5 4.8.3.7, 5.6.9.
 * SPDX-License-Identifier: MIT */
#include "dev/acpi/ged.h"

#include "dev/device.h"

enum { SLP_EN = 0x20, SLP_TYP_SHIFT = 2, SLP_TYP_MASK = 7, WAK_STS = 0x80 };

struct ged {
	struct device dev;
	struct region select, regs;
	struct irq irq;
	uint32_t events;       /* dev.lock; enum ged_event */
	uint8_t sleep_control; /* dev.lock; SLP_TYP */
};

static struct ged *ged(struct device *dev) { return container_of(dev, struct ged, dev); }

static void ged_update_irq(struct ged *g) { irq_set(&g->irq, g->events != 0); }

static void ged_request(struct ged *g, enum device_request what)
{
	if (g->dev.env->request)
		g->dev.env->request(g->dev.env->opaque, what, 0);
}

static uint64_t select_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct ged *g = ged(dev);
	uint32_t events = g->events;

	(void)offset;
	(void)size;
	g->events = 0;
	ged_update_irq(g);
	return events;
}

static void select_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset;
	(void)size;
	guest_error(dev, "write of 0x%x to the event select register", (unsigned)value);
}

static uint64_t regs_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return offset == GED_SLEEP_CONTROL ? ged(dev)->sleep_control : 0;
}

static void sleep_write(struct ged *g, uint8_t value)
{
	unsigned type = value >> SLP_TYP_SHIFT & SLP_TYP_MASK;

	g->sleep_control = value & SLP_TYP_MASK << SLP_TYP_SHIFT; /* SLP_EN reads as 0 */
	if (!(value & SLP_EN))
		return;
	if (type == GED_SLP_TYP_S5)
		ged_request(g, REQUEST_SHUTDOWN);
	else
		guest_error(&g->dev, "sleep type %u is not supported", type);
}

static void regs_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct ged *g = ged(dev);

	(void)size;
	switch (offset) {
	case GED_SLEEP_CONTROL: sleep_write(g, (uint8_t)value); break;
	case GED_SLEEP_STATUS: break;
	default:
		if (value == GED_RESET_VALUE)
			ged_request(g, REQUEST_RESET);
		else
			guest_error(dev, "0x%x written to the reset register", (unsigned)value);
	}
}

void ged_press_power_button(struct device *dev)
{
	struct ged *g = ged(dev);

	lock_take(&dev->lock);
	g->events |= GED_EVENT_POWER_BUTTON;
	ged_update_irq(g);
	lock_drop(&dev->lock);
}

static void ged_reset(struct device *dev)
{
	struct ged *g = ged(dev);

	g->events = 0;
	g->sleep_control = 0;
	ged_update_irq(g);
}

static const struct region_ops select_ops = { select_read, select_write, .min = 4, .max = 4 };
static const struct region_ops regs_ops = { regs_read, regs_write, .max = 1 };

static bool ged_realize(struct device *dev, struct err *err)
{
	struct ged *g = ged(dev);

	(void)err;
	region_init_io(&g->select, dev, "ged-events", &select_ops, GED_EVENTS_SIZE);
	region_init_io(&g->regs, dev, "ged-registers", &regs_ops, GED_REGS_SIZE);
	device_add_region(dev, &g->select);
	device_add_region(dev, &g->regs);
	device_add_irq(dev, &g->irq);
	return true;
}

static const struct field ged_state[] = {
	FIELD(struct ged, events),
	FIELD(struct ged, sleep_control),
	{ 0 },
};

const struct device_type acpi_ged_type = {
	.base = {
		.name = "acpi-ged",
		.parent = &device_object_type,
		.size = sizeof(struct ged),
		.help = "ACPI events, sleep and reset registers",
	},
	.bus = "system",
	.category = "misc",
	.state = ged_state,
	.state_version = 1,
	.realize = ged_realize,
	.reset = ged_reset,
};
