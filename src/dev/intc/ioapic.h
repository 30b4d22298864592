/* dev/intc/ioapic.h - what a board needs of the I/O APIC, device type "ioapic".
 *
 * Region 0: the registers, 4 KiB (PC: FEC00000h).  Property "id": the initial APIC id.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct device;
struct ioapic_image;

enum { IOAPIC_PIN_COUNT = 24 };

/* Context: machine set-up, before device_realize(). */
void ioapic_wire(struct device *ioapic, struct device *apic_bus);
/* Sink for irq_connect(): pin 0..23.  Context: any thread, also under a device's lock. */
void ioapic_set_irq(void *ioapic, int pin, bool level);
/* A level-triggered interrupt was served.  Context: any thread, no interrupt controller's lock. */
void ioapic_eoi(void *ioapic, uint8_t vector);
/* The state goes to an accelerator that has such a chip, and comes back (cpu/pc_chips.h).  Context:
 * no interrupt controller's lock held. */
void ioapic_lend(struct device *ioapic, struct ioapic_image *image);
void ioapic_return(struct device *ioapic, const struct ioapic_image *image, bool goes_on);
