/* tests/dev/bare.c - see bare.h.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include <stdarg.h>
#include <string.h>

#include "chardev/chardev.h"
#include "dev/isa/isa.h"
#include "event/clock.h"
#include "memory/ram.h"
#include "memory/rcu.h"

static const struct object_type bare_root_type = {
	.name = "bare-root",
	.size = sizeof(struct object),
};

static void bare_request(void *opaque, enum device_request what, int code)
{
	struct bare *b = opaque;

	b->requests++;
	b->last_request = what;
	b->last_code = code;
}

void bare_init(struct bare *b)
{
	struct err err = { 0 };

	device_register_types();
	if (!object_type_find("chardev-null"))
		chardev_register_types();
	memset(b, 0, sizeof(*b));
	b->loop = loop_new("bare", &err);
	g_assert_nonnull(b->loop);
	b->clock = vclock_new();
	vclock_set_manual(b->clock);
	b->ram = ram_block_new("ram", BARE_RAM_SIZE, &err);
	g_assert_nonnull(b->ram);
	region_init_container(&b->mem_root, "memory", 0);
	region_init_container(&b->io_root, "io", 0x10000);
	region_init_ram(&b->ram_region, "ram", b->ram, 0, BARE_RAM_SIZE);
	region_add(&b->mem_root, 0, &b->ram_region);
	address_space_init(&b->mem, "memory", &b->mem_root);
	address_space_init(&b->io, "io", &b->io_root);
	b->root = object_new(&bare_root_type);
	b->env = (struct device_env){
		.loop = b->loop,
		.clock = b->clock,
		.memory = &b->mem,
		.root = b->root,
		.request = bare_request,
		.opaque = b,
	};
}

void bare_fini(struct bare *b)
{
	address_space_fini(&b->mem);
	address_space_fini(&b->io);
	rcu_drain();
	ram_block_free(b->ram);
	object_put(b->root);
	vclock_free(b->clock);
	loop_free(b->loop);
}

void bare_wire_set(void *bare, int wire, bool level)
{
	struct bare_wire *w = &((struct bare *)bare)->wires[wire];

	w->rises += level && !w->level;
	w->falls += !level && w->level;
	w->level = level;
}

static struct device *bare_new_va(struct bare *b, const char *type, va_list ap)
{
	const struct device_type *t = device_type_find(type);
	struct err err = { 0 };
	struct device *dev;
	const char *key;

	g_assert_nonnull(t);
	dev = device_new(t, type);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (!object_set(&dev->obj, b->root, key, value, &err))
			g_error("%s", err.text);
	}
	return dev;
}

struct device *bare_new(struct bare *b, const char *type, ...)
{
	struct device *dev;
	va_list ap;

	va_start(ap, type);
	dev = bare_new_va(b, type, ap);
	va_end(ap);
	return dev;
}

void bare_realize(struct bare *b, struct device *dev, unsigned first_wire)
{
	struct err err = { 0 };

	if (!device_realize(dev, &b->env, &err))
		g_error("%s", err.text);
	for (unsigned i = 0; i < dev->irq_count; i++)
		irq_connect(dev->irqs[i], bare_wire_set, b, (int)(first_wire + i));
	if (dev->type->bus && strcmp(dev->type->bus, "isa") == 0)
		for (unsigned i = 0; i < dev->region_count; i++)
			region_add(&b->io_root, isa_from_device(dev)->ports[i], dev->regions[i]);
	device_reset(dev);
}

struct device *bare_add(struct bare *b, const char *type, unsigned first_wire, ...)
{
	struct device *dev;
	va_list ap;

	va_start(ap, first_wire);
	dev = bare_new_va(b, type, ap);
	va_end(ap);
	bare_realize(b, dev, first_wire);
	return dev;
}

void bare_map(struct bare *b, struct device *dev, unsigned region, uint64_t addr)
{
	region_add(&b->mem_root, addr, dev->regions[region]);
}

void bare_remove(struct device *dev)
{
	device_unrealize(dev);
	device_put(dev);
}

void bare_poll(struct bare *b)
{
	while (loop_poll(b->loop, 0))
		;
}

void bare_advance(struct bare *b, int64_t ns, int64_t step_ns)
{
	int64_t end = vclock_now(b->clock) + ns;

	while (vclock_now(b->clock) < end) {
		int64_t next = step_ns ? vclock_now(b->clock) + step_ns : end;

		vclock_set(b->clock, next < end ? next : end);
		loop_clock_changed(b->loop);
		bare_poll(b);
	}
}

uint8_t bare_in(struct bare *b, uint16_t port)
{
	uint64_t v;

	address_space_read(&b->io, port, 1, &v);
	return (uint8_t)v;
}

void bare_out(struct bare *b, uint16_t port, uint8_t value)
{
	address_space_write(&b->io, port, 1, value);
}

uint32_t bare_read32(struct bare *b, uint64_t addr)
{
	uint64_t v;

	address_space_read(&b->mem, addr, 4, &v);
	return (uint32_t)v;
}

void bare_write32(struct bare *b, uint64_t addr, uint32_t value)
{
	address_space_write(&b->mem, addr, 4, value);
}
