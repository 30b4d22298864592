/* dev/intc/ioapic.h - what a board needs of the I/O APIC, device type "ioapic".
 *
 * Region 0: the registers, 4 KiB (PC: FEC00000h).  Property "id": the initial APIC id.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct device;

enum { IOAPIC_PIN_COUNT = 24 };

/* Context: machine set-up, before device_realize(). */
void ioapic_wire(struct device *ioapic, struct device *apic_bus);
/* Sink for irq_connect(): pin 0..23.  Context: any thread, also under a device's lock. */
void ioapic_set_irq(void *ioapic, int pin, bool level);
