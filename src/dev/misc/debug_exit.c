/* dev/misc/debug_exit.c - a port that ends the process: what tests write their result to.
 *
 * Region 0: "iosize" ports at "iobase".  A write of v ends with exit status (v << 1) | 1, which is
 * never 0, so that a guest's success is not mistaken for the emulator's own.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "dev/isa/isa.h"

struct debug_exit {
	struct isa_device isa;
	struct region port;
	uint32_t iobase, iosize; /* const after realize */
};

static uint64_t debug_exit_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static void debug_exit_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset;
	(void)size;
	if (dev->env->request)
		dev->env->request(dev->env->opaque, REQUEST_EXIT, (int)((uint32_t)value << 1 | 1));
}

static const struct region_ops debug_exit_ops = { debug_exit_read, debug_exit_write, .max = 4,
						  .unaligned = true };

static bool debug_exit_realize(struct device *dev, struct err *err)
{
	struct debug_exit *d = container_of(dev, struct debug_exit, isa.dev);

	if (d->iobase + d->iosize > 0x10000)
		return err_set(err, 0, "iobase 0x%x and iosize %u leave the I/O space", d->iobase,
			       d->iosize);
	region_init_io(&d->port, dev, "isa-debug-exit", &debug_exit_ops, d->iosize);
	isa_add_region(&d->isa, &d->port, (uint16_t)d->iobase);
	return true;
}

static const struct prop debug_exit_props[] = {
	PROP_NUM(struct debug_exit, iobase, "iobase", 0x501, .max = 0xffff, .help = "first port"),
	PROP_NUM(struct debug_exit, iosize, "iosize", 2, .min = 1, .max = 8, .help = "ports"),
	{ 0 },
};

static const struct field debug_exit_state[] = { { 0 } };

const struct device_type debug_exit_type = {
	.base = {
		.name = "isa-debug-exit",
		.parent = &device_object_type,
		.size = sizeof(struct debug_exit),
		.props = debug_exit_props,
		.help = "ends the process with a status the guest chooses",
	},
	.bus = "isa",
	.category = "misc",
	.is_user_creatable = true,
	.state = debug_exit_state,
	.state_version = 1,
	.realize = debug_exit_realize,
};
