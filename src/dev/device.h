/* dev/device.h - what every emulated device has.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/lock.h"
#include "base/log.h"
#include "event/clock.h"
#include "event/loop.h"
#include "memory/irq.h"
#include "memory/region.h"
#include "object/object.h"

struct address_space;
struct device;
struct device_type;
struct err;

enum { DEVICE_MAX_REGIONS = 6, DEVICE_MAX_IRQS = 32, DEVICE_MAX_TIMERS = 8 };

/* Who hears a device's input lines.  Called with dev->lock held, whether the level is new or not.
 */
struct device_tap {
	void (*input)(void *opaque, int line, bool level);
	void *opaque;
};

/* What a chip can ask of the machine. */
enum device_request {
	REQUEST_RESET,      /* as the reset button */
	REQUEST_SHUTDOWN,   /* power off */
	REQUEST_PANIC,      /* the guest says it crashed */
	REQUEST_EXIT,       /* leave the process with this exit code (isa-debug-exit) */
	REQUEST_RTC_CHANGE, /* tell that the guest set its clock, by `code` seconds from -rtc base=
			     */
};

/* What a board gives all its devices. */
struct device_env {
	struct loop *loop;            /* the main loop */
	struct vclock *clock;         /* the machine's time */
	struct address_space *memory; /* for DMA */
	struct object *root;          /* composition tree, for links */
	/* Requests to the machine: what a chip's reset or power button line does. */
	void (*request)(void *opaque, enum device_request what, int code);
	void *opaque;
};

struct device {
	struct object obj;
	const struct device_type *type; /* const */
	const char *id;                 /* const after realize */
	struct device_env *env;         /* const after realize */
	struct lock lock;               /* taken by the framework around every callback */
	struct region *regions[DEVICE_MAX_REGIONS];
	struct irq *irqs[DEVICE_MAX_IRQS];
	struct timer *timers[DEVICE_MAX_TIMERS];
	unsigned region_count, irq_count, timer_count;
	struct device_tap tap; /* lock; all 0: nobody */
	bool is_realized;
};

struct device_type {
	struct object_type base; /* .base.parent descends from device_object_type */
	const char *bus;         /* the kind of bus it sits on: "isa", "system"; NULL: none */
	const char *category;    /* for `-device help`: "misc", "input", "storage" ... */
	bool is_user_creatable;  /* -device X works */
	int lock_rank;           /* 0: LOCK_DEVICE; interrupt controllers have their own */
	/* Lines that others drive: 0 .. input_count - 1; sink for irq_connect(). */
	int input_count;
	void (*set_input)(void *dev, int line, bool level);
	const struct field *state;
	uint32_t state_version;
	bool (*realize)(struct device *dev, struct err *err);
	void (*reset)(struct device *dev);
	bool (*post_load)(struct device *dev, struct err *err);
	void (*unrealize)(struct device *dev);
	/* An interrupt controller's registers, for people: `info pic`. */
	void (*show)(struct device *dev, FILE *out);
	/* How often each of its input_count lines led to an interrupt: `info irq`. */
	const uint64_t *(*irq_counts)(const struct device *dev);
};

extern const struct object_type device_object_type; /* "device", abstract */

static inline struct device *device_from_object(struct object *o)
{
	return container_of(o, struct device, obj);
}

/* Make, configure (object_set...), realize.  A device that failed to realize is put back as it was:
 * the framework takes back regions, wires and timers; realize() itself undoes what else it did, so
 * it does what can fail first.  Unrealize removes the regions from the address spaces and waits
 * until no vCPU is inside one.  Context: machine set-up, no locks held. */
struct device *device_new(const struct device_type *type, const char *id);
bool device_realize(struct device *dev, struct device_env *env, struct err *err);
void device_unrealize(struct device *dev);
void device_put(struct device *dev);
/* With the device's lock taken, as the framework does. */
void device_reset(struct device *dev);

/* In realize(): publish regions and wires in their documented order; a region's callbacks run under
 * dev->lock unless .concurrent. */
void device_add_region(struct device *dev, struct region *r);
void device_add_irq(struct device *dev, struct irq *irq);
/* One of dev's own input lines is driven.  Needs: dev->lock. */
static inline void device_tell_input(const struct device *dev, int line, bool level)
{
	if (dev->tap.input)
		dev->tap.input(dev->tap.opaque, line, level);
}
/* A timer on the machine's clock whose callback runs under dev->lock with dev as the argument. */
void device_init_timer(struct device *dev, struct timer *t, void (*fn)(void *dev));
/* The same on the host's clock. */
void device_init_host_timer(struct device *dev, struct timer *t, void (*fn)(void *dev));

/* The guest did what it must not: logged under -d guest_errors. */
__attribute__((format(printf, 2, 3))) void guest_error(const struct device *dev, const char *fmt,
						       ...);

/* All device types of the binary (devices.def). */
void device_register_types(void);
const struct device_type *device_type_find(const char *name);
