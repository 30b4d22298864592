/* dev/serial/serial_isa.c - a 16550A on the ISA bus: "isa-serial".
 *
 * Region 0: eight ports at "iobase"; wire 0: ISA line "irq".  "index" 0-3 (COM1-COM4) gives both
 * their customary values where they are not set.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "chardev/chardev.h"
#include "dev/isa/isa.h"
#include "dev/serial/serial16550.h"

enum { UNSET = -1 };

struct serial_isa {
	struct isa_device isa;
	struct region ports;
	struct serial16550 uart;
	struct object *chardev;      /* const after realize */
	int32_t index, iobase, line; /* const after realize */
};

static const struct {
	uint16_t iobase;
	uint8_t line;
} serial_places[] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

static struct serial_isa *serial_isa(struct device *dev)
{
	return container_of(dev, struct serial_isa, isa.dev);
}

static uint64_t serial_isa_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return serial16550_read(&serial_isa(dev)->uart, (unsigned)offset);
}

static void serial_isa_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	serial16550_write(&serial_isa(dev)->uart, (unsigned)offset, (uint8_t)value);
}

static void serial_isa_timeout(void *dev) { serial16550_timeout(&serial_isa(dev)->uart); }
static void serial_isa_reset(struct device *dev) { serial16550_reset(&serial_isa(dev)->uart); }
static void serial_isa_unrealize(struct device *dev) { serial16550_fini(&serial_isa(dev)->uart); }

static bool serial_isa_post_load(struct device *dev, struct err *err)
{
	return serial16550_post_load(&serial_isa(dev)->uart) ||
	       err_set(err, 0, "UART state: a FIFO of more than %d bytes", SERIAL_FIFO);
}

static const struct region_ops serial_isa_ops = { serial_isa_read, serial_isa_write, .max = 1 };

static bool serial_isa_realize(struct device *dev, struct err *err)
{
	struct serial_isa *s = serial_isa(dev);
	unsigned index = s->index == UNSET ? 0 : (unsigned)s->index;
	uint16_t iobase = s->iobase == UNSET ? serial_places[index].iobase : (uint16_t)s->iobase;
	uint8_t line = s->line == UNSET ? serial_places[index].line : (uint8_t)s->line;

	region_init_io(&s->ports, dev, "serial", &serial_isa_ops, SERIAL_REGS);
	isa_add_region(&s->isa, &s->ports, iobase);
	isa_add_irq(&s->isa, &s->uart.irq, line);
	return serial16550_init(&s->uart, dev, s->chardev ? chardev_from_object(s->chardev) : NULL,
				serial_isa_timeout, err);
}

/* clang-format off */
static const struct prop serial_isa_props[] = {
	PROP_LINK(struct serial_isa, chardev, "chardev", "chardev", .help = "where the bytes go"),
	PROP_NUM(struct serial_isa, index, "index", UNSET, .min = 0, .max = 3, .help = "COM port, from 0"),
	PROP_NUM(struct serial_isa, iobase, "iobase", UNSET, .min = 0, .max = 0xfff8, .help = "first port"),
	PROP_NUM(struct serial_isa, line, "irq", UNSET, .min = 0, .max = 15, .help = "ISA interrupt line"),
	{ 0 },
};

static const struct field serial_isa_state[] = { SERIAL16550_FIELDS(struct serial_isa, uart), { 0 } };
/* clang-format on */

const struct device_type serial_isa_type = {
	.base = {
		.name = "isa-serial",
		.parent = &device_object_type,
		.size = sizeof(struct serial_isa),
		.props = serial_isa_props,
		.help = "serial port (16550A)",
	},
	.bus = "isa",
	.category = "input",
	.is_user_creatable = true,
	.state = serial_isa_state,
	.state_version = 1,
	.realize = serial_isa_realize,
	.reset = serial_isa_reset,
	.post_load = serial_isa_post_load,
	.unrealize = serial_isa_unrealize,
};
