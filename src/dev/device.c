/* dev/device.c - the life of a device: made, configured, realized, reset, unrealized.
 * SPDX-License-Identifier: MIT */
#include "dev/device.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <glib.h>

#include "base/err.h"
#include "memory/rcu.h"

#define DEVICE(name) extern const struct device_type name##_type;
#include "dev/devices.def"
#undef DEVICE

static const struct device_type *const device_types[] = {
#define DEVICE(name) &name##_type,
#include "dev/devices.def"
#undef DEVICE
};

static void device_init(struct object *o)
{
	struct device *dev = device_from_object(o);

	dev->type = container_of(o->type, struct device_type, base);
	lock_init(&dev->lock, dev->type->lock_rank ? dev->type->lock_rank : LOCK_DEVICE,
		  dev->type->base.name);
}

static void device_fini(struct object *o)
{
	struct device *dev = device_from_object(o);

	assert(!dev->is_realized);
	lock_fini(&dev->lock);
	g_free((char *)dev->id);
}

const struct object_type device_object_type = {
	.name = "device",
	.size = sizeof(struct device),
	.is_abstract = true,
	.help = "anything the guest sees as hardware",
	.init = device_init,
	.fini = device_fini,
};

struct device *device_new(const struct device_type *type, const char *id)
{
	struct device *dev = device_from_object(object_new(&type->base));

	dev->id = g_strdup(id);
	return dev;
}

void device_put(struct device *dev) { object_put(&dev->obj); }

/* Take back what realize() published. */
static void device_forget(struct device *dev)
{
	for (unsigned i = 0; i < dev->timer_count; i++)
		timer_fini(dev->timers[i]);
	dev->region_count = dev->irq_count = dev->timer_count = 0;
}

static void device_remove_regions(struct device *dev)
{
	bool was_visible = false;

	memory_begin();
	for (unsigned i = 0; i < dev->region_count; i++) {
		was_visible |= dev->regions[i]->container != NULL;
		region_remove(dev->regions[i]);
	}
	memory_commit();
	if (was_visible)
		rcu_drain();
}

bool device_realize(struct device *dev, struct device_env *env, struct err *err)
{
	bool ok;

	assert(!dev->is_realized);
	dev->env = env;
	lock_take(&dev->lock);
	ok = !dev->type->realize || dev->type->realize(dev, err);
	if (ok) {
		dev->is_realized = true;
		dev->obj.is_complete = true;
	} else {
		device_forget(dev);
		dev->env = NULL;
	}
	lock_drop(&dev->lock);
	return ok;
}

void device_unrealize(struct device *dev)
{
	if (!dev->is_realized)
		return;
	device_remove_regions(dev);
	lock_take(&dev->lock);
	if (dev->type->unrealize)
		dev->type->unrealize(dev);
	device_forget(dev);
	dev->is_realized = false;
	dev->obj.is_complete = false;
	lock_drop(&dev->lock);
	dev->env = NULL;
}

void device_reset(struct device *dev)
{
	assert(dev->is_realized);
	if (!dev->type->reset)
		return;
	lock_take(&dev->lock);
	dev->type->reset(dev);
	lock_drop(&dev->lock);
}

void device_add_region(struct device *dev, struct region *r)
{
	assert(dev->region_count < DEVICE_MAX_REGIONS);
	if (r->kind == REGION_IO && !r->ops->concurrent)
		r->lock = &dev->lock;
	dev->regions[dev->region_count++] = r;
}

void device_add_irq(struct device *dev, struct irq *irq)
{
	assert(dev->irq_count < DEVICE_MAX_IRQS);
	dev->irqs[dev->irq_count++] = irq;
}

static void device_add_timer(struct device *dev, struct timer *t, const struct vclock *clock,
			     void (*fn)(void *dev))
{
	assert(dev->timer_count < DEVICE_MAX_TIMERS);
	timer_init(t, dev->env->loop, clock, &dev->lock, fn, dev);
	dev->timers[dev->timer_count++] = t;
}

void device_init_timer(struct device *dev, struct timer *t, void (*fn)(void *dev))
{
	device_add_timer(dev, t, dev->env->clock, fn);
}

void device_init_host_timer(struct device *dev, struct timer *t, void (*fn)(void *dev))
{
	device_add_timer(dev, t, NULL, fn);
}

void guest_error(const struct device *dev, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!log_on(LOG_GUEST_ERROR))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_guest_error(dev->id ? dev->id : dev->type->base.name, "%s", text);
}

void device_register_types(void)
{
	const struct object_type *types[ARRAY_SIZE(device_types) + 2];
	size_t n = 0;

	if (object_type_find(device_object_type.name))
		return;
	types[n++] = &device_object_type;
	for (size_t i = 0; i < ARRAY_SIZE(device_types); i++)
		types[n++] = &device_types[i]->base;
	types[n] = NULL;
	object_types_add(types);
}

const struct device_type *device_type_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(device_types); i++)
		if (strcmp(device_types[i]->base.name, name) == 0)
			return device_types[i];
	return NULL;
}
