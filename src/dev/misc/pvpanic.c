/* dev/misc/pvpanic.c - the port on which a guest says that it has crashed: what -action panic= acts
 * on.
 *
 * Region 0: one port at "ioport".  A read tells which events may be written: bit 0 the guest
 * panicked, bit 1 it loads a crash kernel (only logged).
 * Specification: QEMU docs/specs/pvpanic (facts).
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "dev/isa/isa.h"

enum { PVPANIC_PANICKED = 1u << 0, PVPANIC_CRASHLOADED = 1u << 1, PVPANIC_ALL = 3 };

struct pvpanic {
	struct isa_device isa;
	struct region port;
	uint32_t ioport; /* const after realize */
	uint8_t events;  /* const after realize */
};

static struct pvpanic *pvpanic(struct device *dev)
{
	return container_of(dev, struct pvpanic, isa.dev);
}

static uint64_t pvpanic_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)offset;
	(void)size;
	return pvpanic(dev)->events;
}

static void pvpanic_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset;
	(void)size;
	if (value & ~(uint64_t)pvpanic(dev)->events)
		guest_error(dev, "write of unknown event 0x%x", (unsigned)value);
	if (value & pvpanic(dev)->events & PVPANIC_CRASHLOADED)
		log_guest_error("pvpanic", "the guest loads a crash kernel");
	if (value & pvpanic(dev)->events & PVPANIC_PANICKED && dev->env->request)
		dev->env->request(dev->env->opaque, REQUEST_PANIC, 0);
}

static const struct region_ops pvpanic_ops = { pvpanic_read, pvpanic_write, .max = 1 };

static bool pvpanic_realize(struct device *dev, struct err *err)
{
	(void)err;
	region_init_io(&pvpanic(dev)->port, dev, "pvpanic", &pvpanic_ops, 1);
	isa_add_region(&pvpanic(dev)->isa, &pvpanic(dev)->port, (uint16_t)pvpanic(dev)->ioport);
	return true;
}

static const struct prop pvpanic_props[] = {
	PROP_NUM(struct pvpanic, ioport, "ioport", 0x505, .max = 0xffff, .help = "port"),
	PROP_NUM(struct pvpanic, events, "events", PVPANIC_ALL, .max = PVPANIC_ALL,
		 .help = "bits: 1 panicked, 2 loads a crash kernel"),
	{ 0 },
};

static const struct field pvpanic_state[] = { { 0 } };

const struct device_type pvpanic_type = {
	.base = {
		.name = "pvpanic",
		.parent = &device_object_type,
		.size = sizeof(struct pvpanic),
		.props = pvpanic_props,
		.help = "tells of a guest's crash (-action panic=)",
	},
	.bus = "isa",
	.category = "misc",
	.is_user_creatable = true,
	.state = pvpanic_state,
	.state_version = 1,
	.realize = pvpanic_realize,
};
