/* dev/serial/serial16550.c - PC16550D UART.
 *
 * Eight registers, one interrupt, one chardev.  A byte written is offered to the chardev at once;
 * as long as the host does not take it, it stays in the transmitter and THRE is low.
 * Not modelled: the time a character takes to send, parity and framing errors, DMA pins, the OUT2
 * pin as interrupt gate (chipset UARTs have none).  The far end always holds CTS, DSR and DCD.
 * Specification: National PC16550D data sheet (TL/C/8652).
 * SPDX-License-Identifier: MIT */
#include "dev/serial/serial16550.h"

#include <string.h>

#include "chardev/chardev.h"

enum { RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_RDI = 0x01, IER_THRI = 0x02, IER_RLSI = 0x04, IER_MSI = 0x08 };
enum {
	IIR_NONE = 0x01,
	IIR_MSI = 0x00,
	IIR_THRI = 0x02,
	IIR_RDI = 0x04,
	IIR_RLSI = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFOS = 0xc0
};
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04 };
enum { LCR_WORD = 0x03, LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10 };
enum {
	LSR_DR = 0x01,
	LSR_OE = 0x02,
	LSR_PE = 0x04,
	LSR_FE = 0x08,
	LSR_BI = 0x10,
	LSR_THRE = 0x20,
	LSR_TEMT = 0x40,
	LSR_FIFO_ERROR = 0x80,
	LSR_ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI
};
enum {
	MSR_DCTS = 0x01,
	MSR_DDSR = 0x02,
	MSR_TERI = 0x04,
	MSR_DDCD = 0x08,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80
};
enum { UART_HZ = 1843200, SAMPLES = 16, TIMEOUT_CHARS = 4 };

static const uint8_t trigger_levels[4] = { 1, 4, 8, 14 };

/* ---- FIFOs ----------------------------------------------------------------------------------- */

static bool has_fifos(const struct serial16550 *u) { return u->fcr & FCR_ENABLE; }
static unsigned fifo_size(const struct serial16550 *u) { return has_fifos(u) ? SERIAL_FIFO : 1; }
static bool is_loop(const struct serial16550 *u) { return u->mcr & MCR_LOOP; }

static void fifo_push(struct serial_fifo *f, uint8_t byte, uint8_t flags)
{
	unsigned at = (f->head + f->count) % SERIAL_FIFO;

	f->data[at] = byte;
	f->flags[at] = flags;
	f->count++;
}

static uint8_t fifo_pop(struct serial_fifo *f)
{
	uint8_t byte = f->data[f->head];

	f->head = (f->head + 1) % SERIAL_FIFO;
	f->count--;
	return byte;
}

static void fifo_clear(struct serial_fifo *f) { f->head = f->count = 0; }

/* ---- interrupts ------------------------------------------------------------------------------ */

static bool rx_at_trigger(const struct serial16550 *u)
{
	return u->rx.count >= (has_fifos(u) ? trigger_levels[u->fcr >> 6] : 1);
}

/* Table 4: the source of highest priority. */
static uint8_t serial_source(const struct serial16550 *u)
{
	if (u->ier & IER_RLSI && u->lsr & LSR_ERRORS)
		return IIR_RLSI;
	if (u->ier & IER_RDI && rx_at_trigger(u))
		return IIR_RDI;
	if (u->ier & IER_RDI && u->has_timeout_irq)
		return IIR_TIMEOUT;
	if (u->ier & IER_THRI && u->has_tx_irq)
		return IIR_THRI;
	if (u->ier & IER_MSI && u->msr & 0x0f)
		return IIR_MSI;
	return IIR_NONE;
}

static void serial_update_irq(struct serial16550 *u)
{
	irq_set(&u->irq, serial_source(u) != IIR_NONE);
}

/* ---- receiver -------------------------------------------------------------------------------- */

static int64_t char_ns(const struct serial16550 *u)
{
	unsigned divisor = u->divisor_high << 8 | u->divisor_low;
	unsigned bits = 7 + (u->lcr & LCR_WORD) + !!(u->lcr & LCR_STOP) + !!(u->lcr & LCR_PARITY);

	return (int64_t)(divisor ? divisor : 1) * SAMPLES * bits * 1000000000 / UART_HZ;
}

/* 8.4.2.1 FIFO interrupt mode: bytes below the trigger level, nothing read or received. */
static void rx_restart_timeout(struct serial16550 *u)
{
	u->has_timeout_irq = false;
	if (has_fifos(u) && u->rx.count)
		timer_arm(&u->timeout, vclock_now(u->dev->env->clock) + TIMEOUT_CHARS * char_ns(u));
	else
		timer_disarm(&u->timeout);
}

void serial16550_timeout(struct serial16550 *u)
{
	if (!has_fifos(u) || !u->rx.count)
		return;
	u->has_timeout_irq = true;
	serial_update_irq(u);
}

/* Errors show in the LSR when their byte is the next to be read. */
static void rx_show_head(struct serial16550 *u)
{
	u->lsr &= (uint8_t) ~(LSR_DR | LSR_FIFO_ERROR);
	if (!u->rx.count)
		return;
	u->lsr |= LSR_DR | u->rx.flags[u->rx.head];
	u->rx.flags[u->rx.head] = 0;
	for (unsigned i = 0; i < u->rx.count && has_fifos(u); i++)
		if (u->rx.flags[(u->rx.head + i) % SERIAL_FIFO])
			u->lsr |= LSR_FIFO_ERROR;
}

static void rx_push(struct serial16550 *u, uint8_t byte, uint8_t flags)
{
	if (u->rx.count >= fifo_size(u)) {
		u->lsr |= LSR_OE;
		if (has_fifos(u))
			return; /* the FIFO keeps, the shift register is overwritten */
		fifo_clear(&u->rx);
	}
	fifo_push(&u->rx, byte, flags);
	rx_show_head(u);
}

static uint8_t rx_read(struct serial16550 *u)
{
	uint8_t byte;

	if (!u->rx.count)
		return u->rx.data[u->rx.head]; /* the register still holds the last */
	byte = fifo_pop(&u->rx);
	if (!u->rx.count)
		u->rx.data[u->rx.head] = byte;
	rx_show_head(u);
	rx_restart_timeout(u);
	serial_update_irq(u);
	if (u->chr && !is_loop(u))
		chardev_accept_input(u->chr);
	return byte;
}

static size_t serial_room(void *opaque)
{
	const struct serial16550 *u = opaque;

	return is_loop(u)
		       ? 0
		       : fifo_size(u) - (u->rx.count < fifo_size(u) ? u->rx.count : fifo_size(u));
}

static void serial_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct serial16550 *u = opaque;

	for (size_t i = 0; i < len; i++)
		rx_push(u, buf[i], 0);
	rx_restart_timeout(u);
	serial_update_irq(u);
}

static void serial_event(void *opaque, enum chardev_event ev)
{
	struct serial16550 *u = opaque;

	if (ev != CHARDEV_BREAK || is_loop(u))
		return;
	rx_push(u, 0, LSR_BI);
	rx_restart_timeout(u);
	serial_update_irq(u);
}

/* ---- transmitter ----------------------------------------------------------------------------- */

/* Move what the other end takes; in loopback that is our own receiver. */
static void tx_drain(struct serial16550 *u)
{
	bool was_busy = u->tx.count;

	while (u->tx.count) {
		uint8_t byte = u->tx.data[u->tx.head];

		if (is_loop(u)) {
			rx_push(u, byte, 0);
			rx_restart_timeout(u);
		} else if (u->chr && chardev_write(u->chr, &byte, 1) == 0) {
			break;
		}
		fifo_pop(&u->tx);
	}
	if (u->tx.count) {
		u->lsr &= (uint8_t) ~(LSR_THRE | LSR_TEMT);
	} else {
		u->lsr |= LSR_THRE | LSR_TEMT;
		if (was_busy)
			u->has_tx_irq = true;
	}
	serial_update_irq(u);
}

static void serial_writable(void *opaque) { tx_drain(opaque); }

static void tx_write(struct serial16550 *u, uint8_t byte)
{
	u->has_tx_irq = false;
	if (u->tx.count >= fifo_size(u)) {
		/* written without THRE: the holding register is overwritten, a full FIFO keeps */
		guest_error(u->dev, "byte 0x%02x written to a full transmitter", byte);
		if (!has_fifos(u))
			u->tx.data[u->tx.head] = byte;
		return;
	}
	fifo_push(&u->tx, byte, 0);
	tx_drain(u);
}

/* ---- registers ------------------------------------------------------------------------------- */

/* The modem inputs: the far end's, or in loopback our own outputs. */
static void msr_update(struct serial16550 *u)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD, changed;

	if (is_loop(u))
		lines = (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
			(u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
	changed = (uint8_t)((u->msr ^ lines) >> 4);
	if (!(u->msr & MSR_RI) || lines & MSR_RI)
		changed &= (uint8_t)~MSR_TERI; /* only its trailing edge counts */
	u->msr = lines | (u->msr & 0x0f) | changed;
}

static void fcr_write(struct serial16550 *u, uint8_t value)
{
	bool is_toggled = (value ^ u->fcr) & FCR_ENABLE;

	if (!(value & FCR_ENABLE))
		value &= FCR_CLEAR_RX | FCR_CLEAR_TX; /* other bits need it (8.3) */
	u->fcr = value & (uint8_t) ~(FCR_CLEAR_RX | FCR_CLEAR_TX);
	if (is_toggled || value & FCR_CLEAR_RX) {
		fifo_clear(&u->rx);
		u->lsr &= (uint8_t) ~(LSR_DR | LSR_BI | LSR_FIFO_ERROR);
		rx_restart_timeout(u);
	}
	if (is_toggled || value & FCR_CLEAR_TX) {
		fifo_clear(&u->tx);
		u->lsr |= LSR_THRE | LSR_TEMT;
		u->has_tx_irq = true;
	}
	serial_update_irq(u);
	if (u->chr)
		chardev_accept_input(u->chr);
}

static void ier_write(struct serial16550 *u, uint8_t value)
{
	uint8_t risen = value & (uint8_t)~u->ier;

	u->ier = value & 0x0f;
	if (risen & IER_THRI && u->lsr & LSR_THRE)
		u->has_tx_irq = true;
	serial_update_irq(u);
}

static void mcr_write(struct serial16550 *u, uint8_t value)
{
	bool was_loop = is_loop(u);

	u->mcr = value & 0x1f;
	msr_update(u);
	tx_drain(u);
	if (was_loop && !is_loop(u) && u->chr)
		chardev_accept_input(u->chr);
}

void serial16550_write(struct serial16550 *u, unsigned reg, uint8_t value)
{
	bool is_dlab = u->lcr & LCR_DLAB;

	TRACE(serial_io, "write %u: 0x%02x", reg, value);
	switch (reg) {
	case THR:
		if (is_dlab)
			u->divisor_low = value;
		else
			tx_write(u, value);
		break;
	case IER:
		if (is_dlab)
			u->divisor_high = value;
		else
			ier_write(u, value);
		break;
	case FCR: fcr_write(u, value); break;
	case LCR:
		if (is_loop(u) && value & LCR_BREAK && !(u->lcr & LCR_BREAK)) {
			rx_push(u, 0, LSR_BI);
			serial_update_irq(u);
		}
		u->lcr = value;
		break;
	case MCR: mcr_write(u, value); break;
	case SCR: u->scr = value; break;
	default: break; /* LSR, MSR: factory test only */
	}
}

static uint8_t iir_read(struct serial16550 *u)
{
	uint8_t source = serial_source(u);

	if (source == IIR_THRI) {
		u->has_tx_irq = false;
		serial_update_irq(u);
	}
	return source | (has_fifos(u) ? IIR_FIFOS : 0);
}

uint8_t serial16550_read(struct serial16550 *u, unsigned reg)
{
	bool is_dlab = u->lcr & LCR_DLAB;
	uint8_t value;

	switch (reg) {
	case RBR: value = is_dlab ? u->divisor_low : rx_read(u); break;
	case IER: value = is_dlab ? u->divisor_high : u->ier; break;
	case IIR: value = iir_read(u); break;
	case LCR: value = u->lcr; break;
	case MCR: value = u->mcr; break;
	case LSR:
		value = u->lsr;
		u->lsr &= (uint8_t)~LSR_ERRORS;
		serial_update_irq(u);
		break;
	case MSR:
		value = u->msr;
		u->msr &= 0xf0;
		serial_update_irq(u);
		break;
	default: value = u->scr; break;
	}
	TRACE(serial_io, "read %u: 0x%02x", reg, value);
	return value;
}

/* ---- life ------------------------------------------------------------------------------------ */

static const struct chardev_user serial_user = { serial_room, serial_receive, serial_event,
						 serial_writable };

/* Master reset, table 1. */
void serial16550_reset(struct serial16550 *u)
{
	fifo_clear(&u->rx);
	fifo_clear(&u->tx);
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
	u->divisor_low = 12; /* 9600 baud, as firmware leaves it */
	u->divisor_high = 0;
	u->lsr = LSR_THRE | LSR_TEMT;
	u->msr = MSR_CTS | MSR_DSR | MSR_DCD;
	u->has_tx_irq = u->has_timeout_irq = false;
	timer_disarm(&u->timeout);
	serial_update_irq(u);
	if (u->chr)
		chardev_accept_input(u->chr);
}

bool serial16550_post_load(struct serial16550 *u)
{
	u->rx.head %= SERIAL_FIFO;
	u->tx.head %= SERIAL_FIFO;
	if (u->rx.count > SERIAL_FIFO || u->tx.count > SERIAL_FIFO)
		return false;
	if (!u->has_timeout_irq)
		rx_restart_timeout(u);
	tx_drain(u);
	return true;
}

bool serial16550_init(struct serial16550 *u, struct device *dev, struct chardev *chr,
		      void (*timeout)(void *dev), struct err *err)
{
	u->dev = dev;
	u->chr = NULL;
	device_init_timer(dev, &u->timeout, timeout);
	serial16550_reset(u);
	if (chr && !chardev_attach(chr, &serial_user, u, &dev->lock, err))
		return false;
	u->chr = chr;
	return true;
}

void serial16550_fini(struct serial16550 *u)
{
	if (u->chr)
		chardev_detach(u->chr, u);
	u->chr = NULL;
}
