/* dev/intc/apic_bus.c - who gets an interrupt message; the window FEE00000h-FEEFFFFFh.
 *
 * Region 0: the window.  A vCPU's access to the page of its own local APIC is a register access;
 * any other write is a message as a device would send it.
 * Not modelled: an APIC base moved out of the window (logged, the registers are then out of reach).
 * Specification: SDM 3A 11.6, 11.11.
 * SPDX-License-Identifier: MIT */
#include "dev/intc/apic_bus.h"

#include <assert.h>
#include <inttypes.h>

#include "cpu/vcpu.h"
#include "dev/device.h"
#include "dev/intc/apic_internal.h"

static struct apic_bus *apic_bus(struct device *dev)
{
	return container_of(dev, struct apic_bus, dev);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

void apic_bus_join(struct apic_bus *bus, struct lapic *l)
{
	assert(bus->count < APIC_BUS_MAX);
	bus->lapics[bus->count++] = l;
}

void apic_bus_leave(struct apic_bus *bus, struct lapic *l)
{
	for (unsigned i = 0; i < bus->count; i++) {
		if (bus->lapics[i] == l) {
			bus->lapics[i] = bus->lapics[--bus->count];
			return;
		}
	}
}

struct apic_bus *apic_bus_from_device(struct device *dev) { return apic_bus(dev); }

void apic_bus_set_extint(struct device *bus, int (*ack)(void *pic), void *pic)
{
	apic_bus(bus)->extint_ack = ack;
	apic_bus(bus)->pic = pic;
}

void apic_bus_add_eoi_listener(struct device *dev, void (*eoi)(void *opaque, uint8_t vector),
			       void *opaque)
{
	struct apic_bus *bus = apic_bus(dev);

	assert(bus->eoi_count < APIC_LISTENERS);
	bus->eoi[bus->eoi_count].fn = eoi;
	bus->eoi[bus->eoi_count++].opaque = opaque;
}

void apic_bus_add_taker_listener(struct device *dev, void (*changed)(void *opaque), void *opaque)
{
	struct apic_bus *bus = apic_bus(dev);

	assert(bus->taker_count < APIC_LISTENERS);
	bus->taker[bus->taker_count].fn = changed;
	bus->taker[bus->taker_count++].opaque = opaque;
}

void apic_bus_takers_changed(struct apic_bus *bus)
{
	for (unsigned i = 0; i < bus->taker_count; i++)
		bus->taker[i].fn(bus->taker[i].opaque);
}

void apic_bus_eoi(struct apic_bus *bus, uint8_t vector)
{
	for (unsigned i = 0; i < bus->eoi_count; i++)
		bus->eoi[i].fn(bus->eoi[i].opaque, vector);
}

/* ---- delivery -------------------------------------------------------------------------------- */

/* Lowest priority: a focus processor if there is one, else the one with the lowest arbitration
 * priority; among equals they take turns (SDM 3A 11.6.2.4). */
static bool send_lowest(struct apic_bus *bus, const struct apic_msg *msg)
{
	unsigned turn = __atomic_fetch_add(&bus->turn, 1, __ATOMIC_RELAXED);
	struct lapic *best = NULL;
	unsigned best_priority = 0;

	for (unsigned i = 0; i < bus->count; i++) {
		struct lapic *l = bus->lapics[(turn + i) % bus->count];
		unsigned priority;

		if (!lapic_matches(l, msg) || !lapic_is_enabled(l))
			continue;
		if (lapic_is_focus(l, msg->vector)) {
			best = l;
			break;
		}
		priority = lapic_arbitration_priority(l);
		if (!best || priority < best_priority) {
			best = l;
			best_priority = priority;
		}
	}
	return best && lapic_accept(best, msg);
}

bool apic_bus_deliver(struct apic_bus *bus, const struct apic_msg *msg, const struct lapic *except)
{
	bool is_accepted = false;

	if (msg->mode == APIC_LOWEST && !except)
		return send_lowest(bus, msg);
	for (unsigned i = 0; i < bus->count; i++) {
		struct lapic *l = bus->lapics[i];

		if (l != except && lapic_matches(l, msg))
			is_accepted |= lapic_accept(l, msg);
	}
	return is_accepted;
}

/* ---- the gate -------------------------------------------------------------------------------- */

void apic_bus_set_gate(struct device *bus, const struct apic_gate *gate, void *opaque)
{
	apic_bus(bus)->gate = gate;
	apic_bus(bus)->gate_opaque = opaque;
}

/* As a device would write it. */
static uint64_t msg_addr(const struct apic_msg *msg)
{
	return APIC_WINDOW_BASE | (uint64_t)(msg->dest & 0xff) << 12 |
	       (msg->mode == APIC_LOWEST ? BIT(3) : 0) | (msg->is_logical ? BIT(2) : 0);
}

static uint32_t msg_data(const struct apic_msg *msg)
{
	return msg->vector | (uint32_t)msg->mode << 8 |
	       (msg->is_level ? 1u << 15 | (msg->is_assert ? 1u << 14 : 0) : 0);
}

void apic_bus_route(struct device *dev, unsigned pin, const struct apic_msg *msg)
{
	struct apic_bus *bus = apic_bus(dev);

	if (bus->gate && bus->gate->is_split)
		bus->gate->route(bus->gate_opaque, pin, msg ? msg_addr(msg) : 0,
				 msg ? msg_data(msg) : 0);
}

static bool send_gated(struct apic_bus *bus, const struct apic_msg *msg)
{
	const struct apic_gate *gate = bus->gate;
	bool ok;

	if (gate->hold(bus->gate_opaque))
		ok = gate->send(bus->gate_opaque, msg_addr(msg), msg_data(msg));
	else
		ok = apic_bus_deliver(bus, msg, NULL);
	gate->drop(bus->gate_opaque);
	return ok;
}

bool apic_bus_send(struct device *dev, const struct apic_msg *msg)
{
	struct apic_bus *bus = apic_bus(dev);

	/* Else the I/O APIC has its state, so that the local APICs have theirs. */
	if (bus->gate && bus->gate->is_split)
		return send_gated(bus, msg);
	return apic_bus_deliver(bus, msg, NULL);
}

void apic_bus_send_msi(struct device *bus, uint64_t addr, uint32_t data)
{
	struct apic_bus *b = apic_bus(bus);
	struct apic_msg msg = {
		.dest = (uint32_t)bits_get(addr, 12, 8),
		.is_logical = addr & BIT(2),
		.is_level = data & BIT(15),
		.is_assert = !(data & BIT(15)) || data & BIT(14),
		.mode = (uint8_t)bits_get(data, 8, 3),
		.vector = (uint8_t)data,
	};

	if (addr & BIT(3) && msg.mode == APIC_FIXED) /* redirection hint */
		msg.mode = APIC_LOWEST;
	if (!(b->gate ? send_gated(b, &msg) : apic_bus_deliver(b, &msg, NULL)))
		guest_error(bus, "nobody accepts the MSI 0x%x at 0x%" PRIx64, data, addr);
}

/* ---- the window ------------------------------------------------------------------------------ */

/* The local APIC whose register page offset is on, seen from the vCPU that asks. */
static struct lapic *window_lapic(struct apic_bus *bus, uint64_t offset)
{
	struct vcpu *v = vcpu_current();
	struct lapic *l = v ? lapic_of_vcpu(bus, v) : NULL;

	return l && lapic_mmio_base(l) == APIC_WINDOW_BASE + align_down(offset, 0x1000) ? l : NULL;
}

static uint64_t window_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct lapic *l = window_lapic(apic_bus(dev), offset);

	(void)size;
	if (l)
		return lapic_mmio_read(l, (uint32_t)offset & 0xfff);
	guest_error(dev, "read of 0x%" PRIx64 " in the interrupt window", offset);
	return UINT32_MAX;
}

static void window_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct lapic *l = window_lapic(apic_bus(dev), offset);

	(void)size;
	if (l)
		lapic_mmio_write(l, (uint32_t)offset & 0xfff, (uint32_t)value);
	else
		apic_bus_send_msi(dev, APIC_WINDOW_BASE + offset, (uint32_t)value);
}

static const struct region_ops window_ops = { window_read, window_write, .min = 4, .max = 4,
					      .concurrent = true };

static bool apic_bus_realize(struct device *dev, struct err *err)
{
	struct apic_bus *bus = apic_bus(dev);

	(void)err;
	region_init_io(&bus->window, dev, "apic-window", &window_ops, APIC_WINDOW_SIZE);
	device_add_region(dev, &bus->window);
	return true;
}

const struct device_type apic_bus_type = {
	.base = {
		.name = "apic-bus",
		.parent = &device_object_type,
		.size = sizeof(struct apic_bus),
		.help = "interrupt messages between APICs",
	},
	.bus = "system",
	.category = "misc",
	.lock_rank = LOCK_INTC,
	.realize = apic_bus_realize,
};
