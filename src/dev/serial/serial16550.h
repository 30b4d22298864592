/* dev/serial/serial16550.h - the UART itself, for the glue of each bus it sits on.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "dev/device.h"

struct chardev;

enum { SERIAL_REGS = 8, SERIAL_FIFO = 16 };

struct serial_fifo {
	uint8_t data[SERIAL_FIFO];
	uint8_t flags[SERIAL_FIFO]; /* receiver: LSR error bits that came with the byte */
	uint8_t head, count;
};

/* Members are dev->lock's but where said otherwise. */
struct serial16550 {
	struct device *dev;  /* const after init */
	struct chardev *chr; /* const after init; NULL: bytes go nowhere */
	struct irq irq;
	struct timer timeout; /* four character times without a read */
	struct serial_fifo rx, tx;
	uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
	uint8_t divisor_low, divisor_high;
	bool has_tx_irq;      /* THRE interrupt pending */
	bool has_timeout_irq; /* character timeout pending */
};

/* In the glue's realize(), with the timer's callback; the chardev is attached last.  False: it has
 * another user. */
bool serial16550_init(struct serial16550 *u, struct device *dev, struct chardev *chr,
		      void (*timeout)(void *dev), struct err *err);
void serial16550_fini(struct serial16550 *u);
/* The timer's callback. */
void serial16550_timeout(struct serial16550 *u);
void serial16550_reset(struct serial16550 *u);
bool serial16550_post_load(struct serial16550 *u);
uint8_t serial16550_read(struct serial16550 *u, unsigned reg);
void serial16550_write(struct serial16550 *u, unsigned reg, uint8_t value);

/* clang-format off */
#define SERIAL16550_FIELDS(type, u)                                                            \
	FIELD(type, u.rx.data), FIELD(type, u.rx.flags), FIELD(type, u.rx.head),               \
	FIELD(type, u.rx.count), FIELD(type, u.tx.data), FIELD(type, u.tx.head),               \
	FIELD(type, u.tx.count), FIELD(type, u.ier), FIELD(type, u.fcr), FIELD(type, u.lcr),   \
	FIELD(type, u.mcr), FIELD(type, u.lsr), FIELD(type, u.msr), FIELD(type, u.scr),        \
	FIELD(type, u.divisor_low), FIELD(type, u.divisor_high), FIELD(type, u.has_tx_irq),    \
	FIELD(type, u.has_timeout_irq)
/* clang-format on */
