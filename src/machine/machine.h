/* machine/machine.h - a board: its parts, its run state, and the table row that builds it.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/lock.h"
#include "dev/device.h"
#include "machine/runstate.h"
#include "machine/smp.h"
#include "memory/address_space.h"
#include "memory/region.h"
#include "object/object.h"

struct accel;
struct arch_ops;
struct chardev;
struct err;
struct loop;
struct machine;
struct ram_block;
struct vcpu;

enum { MACHINE_MAX_SERIALS = 4 };

extern const struct object_type machine_object_type; /* "machine", abstract */

/* What the command line says about the machine; strings are borrowed. */
struct machine_config {
	const char *cpu_model; /* NULL: the machine type's default; "none" types have no CPU */
	uint64_t ram_size;     /* 0: the machine type's default */
	struct smp_config smp;
	const char *kernel, *initrd, *append, *bios;
	const char *rtc_base, *rtc_clock; /* NULL: defaults */
	struct chardev *serials[MACHINE_MAX_SERIALS];
	bool wants_serials; /* the user asked for them, by -serial */
	bool has_uuid;
	uint8_t uuid[16];
};

struct machine_type {
	struct object_type base; /* .name is "microvm-machine"; properties are -machine's keys */
	const char *name;        /* "microvm" */
	const char *alias;
	const char *desc;
	const struct arch_ops *arch; /* NULL: no CPUs */
	unsigned max_cpus;
	uint64_t default_ram, max_ram;
	/* Its number on the bus, before the accelerator makes it.  NULL: the index. */
	uint32_t (*cpu_apic_id)(const struct machine *m, unsigned index);
	/* Make chips and wires.  The vCPUs, RAM and address spaces exist. */
	bool (*build)(struct machine *m, struct err *err);
	/* Before a user's device is realized: fill in what the board decides.  May be NULL. */
	bool (*prepare)(struct machine *m, struct device *dev, struct err *err);
	/* Wire a user's device that has just been realized.  NULL: the machine takes none. */
	bool (*plug)(struct machine *m, struct device *dev, struct err *err);
	/* After all devices are realized: tables for the firmware, kernel checked and kept. */
	bool (*finish)(struct machine *m, struct err *err);
	/* After the devices' and vCPUs' reset: what the firmware or kernel loader must find. */
	bool (*load)(struct machine *m, struct err *err);
	/* What firmware and kernels were put where: `info roms`.  May be NULL. */
	void (*show_roms)(struct machine *m, FILE *out);
	/* The user presses the power button.  NULL: there is none. */
	bool (*powerdown)(struct machine *m, struct err *err);
};

struct machine {
	struct object obj;
	const struct machine_type *type; /* const */
	struct machine_config config;    /* const after build */
	struct device_env env;
	struct object *root;           /* const: the composition tree's root */
	struct loop *loop;             /* const: the main loop */
	struct vclock *clock;          /* const */
	struct accel *accel;           /* const after start */
	struct object *memory_backend; /* property: what ram is of; NULL: the machine's own */
	bool is_ram_dumped, wants_usb; /* properties */
	struct ram_block *ram;         /* const after build */
	struct device *fw_cfg;         /* const after build; NULL: none */
	struct region memory_root, io_root;
	struct region ram_low, ram_high;
	struct address_space memory, io;
	struct vcpu **cpus;      /* const after build */
	unsigned cpu_count;      /* const after build */
	struct device **devices; /* in order of realization; reset goes through it */
	unsigned device_count, device_room;
	enum machine_state state;           /* main thread */
	bool clock_stands;                  /* main thread: machine_run() leaves the clock alone */
	struct machine_actions actions;     /* main thread */
	struct machine_listener *listeners; /* main thread */

	/* Requests from chips; handled in the main loop. */
	_Atomic uint32_t requests; /* bits of enum device_request */
	_Atomic int exit_code, rtc_change_s;
	/* The program is to end with this status; why (may be NULL) is for the user. */
	void (*on_end)(void *opaque, int code, const char *why);
	void *on_end_opaque;
};

/* All machine types, NULL-terminated (machines.def). */
extern const struct machine_type *const machine_types[];
const struct machine_type *machine_type_find(const char *name, struct err *err);
void machine_register_types(void);
void machine_help(FILE *out);

/* Life: new, properties (object_set on &m->obj), build, plug devices, finish, reset, run.
 * Context: main thread. */
struct machine *machine_new(const struct machine_type *type, struct object *root,
			    struct loop *loop);
bool machine_build(struct machine *m, const struct machine_config *config, struct accel *accel,
		   struct err *err);
/* Realize a device with the machine's environment and remember it for reset; it becomes a child of
 * the machine under `name` (NULL: "unattached/device[N]"). */
bool machine_add_device(struct machine *m, struct device *dev, const char *name, struct err *err);
bool machine_finish(struct machine *m, struct err *err);
/* All devices, all vCPUs, then the loader.  The vCPUs must be parked or not started. */
bool machine_reset(struct machine *m, struct err *err);
bool machine_start_threads(struct machine *m, struct err *err);
/* runstate.c: what a chip asked for.  Context: main thread. */
void machine_handle_request(struct machine *m, enum device_request what, int code);
/* The bare mechanism; whoever wants others to hear of it calls machine/runstate.h. */
void machine_run(struct machine *m);   /* clock and vCPUs go */
void machine_pause(struct machine *m); /* vCPUs have parked, the clock stands */
/* Chips whose states the accelerator has (cpu/pc_chips.h) show what they are. */
void machine_show_chips(struct machine *m);
void machine_free(struct machine *m);
