/* tests/dev/bare.h - a device on a bare bus: real framework, clock moved by hand, no guest.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "base/err.h"
#include "dev/device.h"
#include "memory/address_space.h"

enum { BARE_WIRES = 32, BARE_RAM_SIZE = 0x10000 };

/* What became of a device's interrupt wire. */
struct bare_wire {
	bool level;
	unsigned rises, falls;
};

struct bare {
	struct loop *loop;
	struct vclock *clock;
	struct ram_block *ram; /* at 0 of mem */
	struct region mem_root, io_root, ram_region;
	struct address_space mem, io;
	struct object *root;
	struct device_env env;
	struct bare_wire wires[BARE_WIRES];
	unsigned requests;
	enum device_request last_request;
	int last_code;
};

void bare_init(struct bare *b);
void bare_fini(struct bare *b);
/* Made, configured by key/value pairs up to NULL, realized; ISA regions at their ports, wires
 * ending in b->wires[first_wire ...]. */
struct device *bare_add(struct bare *b, const char *type, unsigned first_wire, ...)
	__attribute__((sentinel));
/* Made and configured only. */
struct device *bare_new(struct bare *b, const char *type, ...) __attribute__((sentinel));
void bare_realize(struct bare *b, struct device *dev, unsigned first_wire);
/* Put into the memory space / port space. */
void bare_map(struct bare *b, struct device *dev, unsigned region, uint64_t addr);
void bare_remove(struct device *dev);
/* Move time on and serve what falls due on the way, in steps of at most step_ns (0: at once). */
void bare_advance(struct bare *b, int64_t ns, int64_t step_ns);
/* Serve what is ready now. */
void bare_poll(struct bare *b);
/* A sink for irq_connect(): sink is the struct bare, input the wire. */
void bare_wire_set(void *bare, int wire, bool level);

uint8_t bare_in(struct bare *b, uint16_t port);
void bare_out(struct bare *b, uint16_t port, uint8_t value);
uint32_t bare_read32(struct bare *b, uint64_t addr);
void bare_write32(struct bare *b, uint64_t addr, uint32_t value);
