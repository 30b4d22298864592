/* dev/isa/isa.c - ISA chips note where they belong.
 * SPDX-License-Identifier: MIT */
#include "dev/isa/isa.h"

void isa_add_region(struct isa_device *d, struct region *r, uint16_t port)
{
	d->ports[d->dev.region_count] = port;
	device_add_region(&d->dev, r);
}

void isa_add_irq(struct isa_device *d, struct irq *irq, uint8_t line)
{
	d->lines[d->dev.irq_count] = line;
	device_add_irq(&d->dev, irq);
}
