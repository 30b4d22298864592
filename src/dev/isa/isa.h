/* dev/isa/isa.h - what a chip on the ISA bus (or soldered to it) tells its board.
 *
 * A device type whose .bus is "isa" embeds struct isa_device first.  After realize() its region i
 * belongs at port ports[i] of the port I/O space and its wire i on ISA interrupt line lines[i]; the
 * board does both in one loop, for its own chips and for -device alike.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "dev/device.h"

enum { ISA_LINE_COUNT = 16, ISA_NO_LINE = 0xff };

struct isa_device {
	struct device dev;
	uint16_t ports[DEVICE_MAX_REGIONS]; /* const after realize */
	uint8_t lines[DEVICE_MAX_IRQS];     /* const after realize; ISA_NO_LINE: not an ISA line */
};

static inline struct isa_device *isa_from_device(struct device *dev)
{
	return container_of(dev, struct isa_device, dev);
}

/* In realize(): device_add_region() and device_add_irq() with the place on the bus noted. */
void isa_add_region(struct isa_device *d, struct region *r, uint16_t port);
void isa_add_irq(struct isa_device *d, struct irq *irq, uint8_t line);
