/* dev/intc/i8259.h - what a board needs of the 8259 pair, device type "i8259".
 *
 * An isa_device: regions 20h, A0h, 4D0h (edge/level control); wire 0: INTR, to the local APIC's
 * LINT0 (not an ISA line).
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct device;
struct i8259_image;

/* Sink for irq_connect(): line 0..15 (2 is the cascade and ignored); pic is the struct device *.
 * Context: any thread, also under a device's lock. */
void i8259_set_irq(void *pic, int line, bool level);
/* The INTA cycles: the vector (7 or 15 of its chip when the request has gone: spurious).
 * Context: any thread, no interrupt controller's lock held. */
int i8259_ack(void *pic);

/* The states of the pair, master first, go to an accelerator that has such chips, and come back
 * (cpu/pc_chips.h).  Context: no interrupt controller's lock held. */
void i8259_lend(struct device *pic, struct i8259_image *image);
void i8259_return(struct device *pic, const struct i8259_image *image, bool goes_on);
