/* dev/intc/lapic.h - what a board needs of the local APIC, device type "lapic".
 *
 * Per vCPU: device_new(), lapic_wire(), device_realize().  The id is vcpu->apic_id, vCPU 0 is the
 * bootstrap processor.  Registers are reached through the apic-bus window and vcpu_intc_ops.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct device;
struct vcpu;

/* Joins the bus and becomes the vCPU's interrupt controller (sets v->intc and v->intc_ops), until
 * it is unrealized or freed: before the bus and the vCPU are. Context: machine set-up, before
 * device_realize(). */
void lapic_wire(struct device *lapic, struct device *apic_bus, struct vcpu *v);
/* Sink for irq_connect(): pin 0 is LINT0 (the 8259's INTR), pin 1 LINT1 (NMI).
 * Context: any thread, also under an interrupt controller's lock. */
void lapic_set_lint(void *lapic, int pin, bool level);
