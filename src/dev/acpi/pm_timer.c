/* dev/acpi/pm_timer.c - ACPI's power management timer: a 3.579545 MHz counter of 24 bits.
 *
 * Region 0: the counter, 4 bytes, at port "iobase".  It gives guests a clock to measure others by:
 * Linux finds the rate of the TSC with it where CPUID does not tell and the 8254 is not to be used.
 * Not modelled: the overflow interrupt (TMR_STS is in the PM1 event block of boards that have one).
 * Specification: ACPI 6.4 4.8.2.1.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "dev/isa/isa.h"

enum { PM_TIMER_HZ = 3579545, NS_PER_S = 1000000000, COUNTER_MASK = 0xffffff };

struct pm_timer {
	struct isa_device isa;
	struct region counter;
	uint32_t iobase; /* const after realize */
};

static uint64_t pm_timer_read(struct device *dev, uint64_t offset, unsigned size)
{
	uint64_t now = (uint64_t)vclock_now(dev->env->clock);
	uint64_t ticks = now / NS_PER_S * PM_TIMER_HZ + now % NS_PER_S * PM_TIMER_HZ / NS_PER_S;

	(void)offset;
	(void)size;
	return ticks & COUNTER_MASK;
}

static void pm_timer_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset;
	guest_error(dev, "write of 0x%llx (%u bytes) to a read-only counter",
		    (unsigned long long)value, size);
}

static const struct region_ops pm_timer_ops = { pm_timer_read, pm_timer_write, .min = 4, .max = 4 };

static bool pm_timer_realize(struct device *dev, struct err *err)
{
	struct pm_timer *t = container_of(dev, struct pm_timer, isa.dev);

	(void)err;
	region_init_io(&t->counter, dev, "acpi-pm-timer", &pm_timer_ops, 4);
	isa_add_region(&t->isa, &t->counter, (uint16_t)t->iobase);
	return true;
}

static const struct prop pm_timer_props[] = {
	PROP_NUM(struct pm_timer, iobase, "iobase", 0x608, .max = 0xfffc, .help = "port"),
	{ 0 },
};

static const struct field pm_timer_state[] = { { 0 } };

const struct device_type pm_timer_type = {
	.base = {
		.name = "acpi-pm-timer",
		.parent = &device_object_type,
		.size = sizeof(struct pm_timer),
		.props = pm_timer_props,
		.help = "ACPI power management timer",
	},
	.bus = "isa",
	.category = "misc",
	.state = pm_timer_state,
	.state_version = 1,
	.realize = pm_timer_realize,
};
