/* memory/irq.h - one interrupt wire from a device to whatever listens.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct irq {
	void (*set)(void *sink, int input, bool level);
	void *sink;
	int input;
};

static inline void irq_connect(struct irq *irq, void (*set)(void *, int, bool), void *sink,
			       int input)
{
	*irq = (struct irq){ set, sink, input };
}

/* Context: any thread, also under a device's lock.  Leaf call: takes no device lock, only an
 * interrupt controller's. */
static inline void irq_set(const struct irq *irq, bool level)
{
	if (irq->set)
		irq->set(irq->sink, irq->input, level);
}
