/* dev/intc/ioapic.c - 82093AA I/O APIC with the EOI register of later chipsets (version 20h).
 *
 * Region 0: IOREGSEL 00h, IOWIN 10h, EOI 40h.  Inputs: ioapic_set_irq(), true is asserted: boards
 * wire active-low lines so, the polarity bits are kept and change nothing.
 * Not modelled: the serial APIC bus and its arbitration id (reads as the id).
 * Specification: 82093AA data sheet (290566); ICH9 13.5.
 * SPDX-License-Identifier: MIT */
#include "dev/intc/ioapic.h"

#include <string.h>

#include "cpu/pc_chips.h"
#include "dev/device.h"
#include "dev/intc/apic_bus.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40, IOAPIC_SIZE = 0x1000 };
enum { IOAPICID = 0x00, IOAPICVER = 0x01, IOAPICARB = 0x02, IOREDTBL = 0x10 };
enum { VERSION = 0x20 };

/* Redirection table entry */
enum {
	RTE_LOGICAL = 1u << 11,
	RTE_STATUS = 1u << 12,
	RTE_LOW = 1u << 13,
	RTE_REMOTE_IRR = 1u << 14,
	RTE_LEVEL = 1u << 15,
	RTE_MASKED = 1u << 16,
};
static const uint64_t rte_writable = UINT64_C(0xff0000000001afff);

struct ioapic {
	struct device dev;
	struct region regs;
	struct device *bus;              /* const after wiring */
	uint32_t initial_id;             /* const after realize; property */
	uint32_t id;                     /* dev.lock */
	uint8_t select;                  /* dev.lock */
	uint32_t lines;                  /* dev.lock; input levels */
	uint64_t rte[IOAPIC_PIN_COUNT];  /* dev.lock */
	uint64_t sent[IOAPIC_PIN_COUNT]; /* dev.lock: statistics */
	bool is_lent;                    /* dev.lock: somebody else has the state */
};

static struct ioapic *ioapic(struct device *dev) { return container_of(dev, struct ioapic, dev); }

static struct apic_msg ioapic_message(uint64_t rte)
{
	uint8_t mode = rte >> 8 & 7;

	return (struct apic_msg){
		.dest = (uint32_t)(rte >> 56),
		.is_logical = rte & RTE_LOGICAL,
		/* INIT, NMI, SMI and ExtINT are edges whatever the entry says */
		.is_level = rte & RTE_LEVEL && mode <= APIC_LOWEST,
		.is_assert = true,
		.mode = mode,
		.vector = (uint8_t)rte,
	};
}

/* The local APICs may have to know what they are to tell the end of. */
static void ioapic_route(struct ioapic *s, unsigned pin)
{
	struct apic_msg msg = ioapic_message(s->rte[pin]);

	apic_bus_route(s->bus, pin, msg.is_level ? &msg : NULL);
}

/* A level that nobody accepts asks again when the local APICs change (ioapic_takers_changed); an
 * edge is lost. */
static void ioapic_deliver(struct ioapic *s, unsigned pin)
{
	uint64_t *rte = &s->rte[pin];
	struct apic_msg msg = ioapic_message(*rte);

	if (!apic_bus_send(s->bus, &msg)) {
		guest_error(&s->dev, "nobody accepts pin %u (vector 0x%02x)", pin, msg.vector);
		return;
	}
	s->sent[pin]++;
	if (msg.is_level)
		*rte |= RTE_REMOTE_IRR;
}

/* A level-triggered pin asks as long as it is high and no interrupt of it is being served. */
static void ioapic_service_level(struct ioapic *s, unsigned pin)
{
	uint64_t rte = s->rte[pin];

	if (!s->is_lent && s->lines >> pin & 1 && rte & RTE_LEVEL &&
	    !(rte & (RTE_MASKED | RTE_REMOTE_IRR)))
		ioapic_deliver(s, pin);
}

void ioapic_set_irq(void *dev, int pin, bool level)
{
	struct ioapic *s = ioapic(dev);
	uint32_t bit = 1u << pin;
	bool is_rising;

	lock_take(&s->dev.lock);
	TRACE(irq_raise, "ioapic pin %d: %d", pin, level);
	device_tell_input(&s->dev, pin, level);
	is_rising = level && !(s->lines & bit);
	s->lines = level ? s->lines | bit : s->lines & ~bit;
	if (s->rte[pin] & RTE_LEVEL)
		ioapic_service_level(s, (unsigned)pin);
	else if (is_rising && !(s->rte[pin] & RTE_MASKED)) /* masked edges are lost (3.2.4) */
		ioapic_deliver(s, (unsigned)pin);
	lock_drop(&s->dev.lock);
}

static void ioapic_eoi_locked(struct ioapic *s, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PIN_COUNT; pin++) {
		uint64_t *rte = &s->rte[pin];

		if (!(*rte & RTE_LEVEL) || (uint8_t)*rte != vector || !(*rte & RTE_REMOTE_IRR))
			continue;
		*rte &= ~(uint64_t)RTE_REMOTE_IRR;
		ioapic_service_level(s, pin);
	}
}

void ioapic_eoi(void *dev, uint8_t vector)
{
	struct ioapic *s = ioapic(dev);

	lock_take(&s->dev.lock);
	ioapic_eoi_locked(s, vector);
	lock_drop(&s->dev.lock);
}

static void ioapic_takers_changed(void *dev)
{
	struct ioapic *s = ioapic(dev);

	lock_take(&s->dev.lock);
	for (unsigned pin = 0; pin < IOAPIC_PIN_COUNT; pin++)
		ioapic_service_level(s, pin);
	lock_drop(&s->dev.lock);
}

/* ---- registers ------------------------------------------------------------------------------- */

static uint32_t ioapic_window_read(struct ioapic *s)
{
	unsigned pin = (s->select - IOREDTBL) / 2u;

	switch (s->select) {
	case IOAPICID:
	case IOAPICARB: return s->id << 24;
	case IOAPICVER: return VERSION | (IOAPIC_PIN_COUNT - 1) << 16;
	}
	if (s->select >= IOREDTBL && pin < IOAPIC_PIN_COUNT)
		return (uint32_t)(s->rte[pin] >> (s->select & 1 ? 32 : 0));
	guest_error(&s->dev, "read of register 0x%02x", s->select);
	return 0;
}

static void ioapic_window_write(struct ioapic *s, uint32_t value)
{
	unsigned pin = (s->select - IOREDTBL) / 2u, shift = s->select & 1 ? 32 : 0;
	uint64_t mask = (uint64_t)UINT32_MAX << shift & rte_writable, *rte;

	if (s->select == IOAPICID) {
		s->id = value >> 24 & 0xf;
		return;
	}
	if (s->select < IOREDTBL || pin >= IOAPIC_PIN_COUNT) {
		guest_error(&s->dev, "write to register 0x%02x", s->select);
		return;
	}
	rte = &s->rte[pin];
	*rte = (*rte & ~mask) | ((uint64_t)value << shift & mask);
	if (!(*rte & RTE_LEVEL)) /* how software without the EOI register clears it */
		*rte &= ~(uint64_t)RTE_REMOTE_IRR;
	ioapic_route(s, pin);
	ioapic_service_level(s, pin);
}

static uint64_t ioapic_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct ioapic *s = ioapic(dev);

	(void)size;
	switch (offset) {
	case IOREGSEL: return s->select;
	case IOWIN: return ioapic_window_read(s);
	}
	guest_error(dev, "read of offset 0x%x", (unsigned)offset);
	return 0;
}

static void ioapic_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct ioapic *s = ioapic(dev);

	(void)size;
	switch (offset) {
	case IOREGSEL: s->select = (uint8_t)value; break;
	case IOWIN: ioapic_window_write(s, (uint32_t)value); break;
	case IOEOI: ioapic_eoi_locked(s, (uint8_t)value); break;
	default: guest_error(dev, "write to offset 0x%x", (unsigned)offset);
	}
}

static void ioapic_reset(struct device *dev)
{
	struct ioapic *s = ioapic(dev);

	s->id = s->initial_id;
	s->select = 0;
	for (unsigned i = 0; i < IOAPIC_PIN_COUNT; i++) {
		s->rte[i] = RTE_MASKED;
		ioapic_route(s, i);
	}
}

/* ---- somebody else's ------------------------------------------------------------------------- */

void ioapic_lend(struct device *dev, struct ioapic_image *image)
{
	struct ioapic *s = ioapic(dev);

	BUILD_ASSERT(sizeof(image->rte) == sizeof(s->rte));
	lock_take(&dev->lock);
	*image = (struct ioapic_image){ .id = (uint8_t)s->id,
					.select = s->select,
					.lines = s->lines };
	memcpy(image->rte, s->rte, sizeof(image->rte));
	s->is_lent = true;
	lock_drop(&dev->lock);
}

void ioapic_return(struct device *dev, const struct ioapic_image *image, bool goes_on)
{
	struct ioapic *s = ioapic(dev);

	lock_take(&dev->lock);
	s->id = image->id & 0xf;
	s->select = image->select;
	s->lines = image->lines;
	for (unsigned i = 0; i < IOAPIC_PIN_COUNT; i++)
		s->rte[i] = image->rte[i] & (rte_writable | RTE_REMOTE_IRR);
	if (goes_on)
		s->is_lent = false;
	for (unsigned i = 0; goes_on && i < IOAPIC_PIN_COUNT; i++)
		ioapic_service_level(s, i);
	lock_drop(&dev->lock);
}

static const struct region_ops ioapic_ops = { ioapic_read, ioapic_write, .min = 4, .max = 4 };

void ioapic_wire(struct device *dev, struct device *apic_bus)
{
	ioapic(dev)->bus = apic_bus;
	apic_bus_add_eoi_listener(apic_bus, ioapic_eoi, dev);
	apic_bus_add_taker_listener(apic_bus, ioapic_takers_changed, dev);
}

static bool ioapic_realize(struct device *dev, struct err *err)
{
	struct ioapic *s = ioapic(dev);

	(void)err;
	region_init_io(&s->regs, dev, "ioapic", &ioapic_ops, IOAPIC_SIZE);
	device_add_region(dev, &s->regs);
	ioapic_reset(dev);
	return true;
}

static const struct prop ioapic_props[] = {
	PROP_NUM(struct ioapic, initial_id, "id", 0, .min = 0, .max = 15, .help = "APIC id"),
	{ 0 },
};

static const struct field ioapic_state[] = {
	FIELD(struct ioapic, id),
	FIELD(struct ioapic, select),
	FIELD(struct ioapic, lines),
	FIELD(struct ioapic, rte),
	{ 0 },
};

static void ioapic_show_pins(FILE *out, const char *what, const struct ioapic *s, bool is_remote)
{
	bool has_any = false;

	fprintf(out, "  %s", what);
	for (unsigned i = 0; i < IOAPIC_PIN_COUNT; i++) {
		if (!(is_remote ? s->rte[i] & RTE_REMOTE_IRR : s->lines >> i & 1))
			continue;
		fprintf(out, " %u", i);
		has_any = true;
	}
	fputs(has_any ? "\n" : " (none)\n", out);
}

static void ioapic_show(struct device *dev, FILE *out)
{
	static const char *const modes[] = { "fixed", "lowest", "SMI", "...",
					     "NMI",   "INIT",   "...", "extINT" };
	const struct ioapic *s = ioapic(dev);

	fprintf(out, "ioapic: ver=0x%x id=0x%02x sel=0x%02x\n", VERSION, s->id, s->select);
	for (unsigned i = 0; i < IOAPIC_PIN_COUNT; i++) {
		uint64_t rte = s->rte[i];

		fprintf(out, "  pin %-2u 0x%016llx dest=%llx vec=%-3u %s %-5s %-6s %-6s %s\n", i,
			(unsigned long long)rte, (unsigned long long)(rte >> 56), (uint8_t)rte,
			rte & RTE_LOW ? "active-lo" : "active-hi",
			rte & RTE_LEVEL ? "level" : "edge", rte & RTE_MASKED ? "masked" : "",
			modes[rte >> 8 & 7], rte & RTE_LOGICAL ? "logical" : "physical");
	}
	ioapic_show_pins(out, "inputs    ", s, false);
	ioapic_show_pins(out, "Remote IRR", s, true);
}

static const uint64_t *ioapic_irq_counts(const struct device *dev)
{
	return container_of(dev, const struct ioapic, dev)->sent;
}

const struct device_type ioapic_type = {
	.base = {
		.name = "ioapic",
		.parent = &device_object_type,
		.size = sizeof(struct ioapic),
		.props = ioapic_props,
		.help = "I/O APIC (82093AA)",
	},
	.bus = "system",
	.category = "misc",
	.lock_rank = LOCK_INTC,
	.input_count = IOAPIC_PIN_COUNT,
	.set_input = ioapic_set_irq,
	.state = ioapic_state,
	.state_version = 1,
	.realize = ioapic_realize,
	.reset = ioapic_reset,
	.show = ioapic_show,
	.irq_counts = ioapic_irq_counts,
};
