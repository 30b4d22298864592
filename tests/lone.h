/* tests/lone.h - a lone x86 vCPU with a little memory and ports, on an accelerator, without a
 * board: for tests and benchmarks of what runs guest code. SPDX-License-Identifier: MIT */
#pragma once

#include <string.h>

#include <glib.h>

#include "accel/accel.h"
#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "cpu/arch.h"
#include "event/clock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "memory/region.h"

enum { LONE_RAM_BYTES = 0x10000, LONE_ENTRY = 0x1000, LONE_SKIPPED = 77 };

struct lone {
	struct region memory_root, io_root, ram_region;
	struct address_space memory, io;
	struct ram_block *ram;
	struct vcpu v;
	struct x86_cpu *cpu;
};

static inline bool lone_set_props(struct object *o, void *words, struct err *err)
{
	for (char **word = words; *word; word++) {
		g_auto(GStrv) kv = g_strsplit(*word, "=", 2);

		if (!object_set(o, NULL, kv[0], kv[1] ? kv[1] : "on", err))
			return false;
	}
	return true;
}

/* On the accelerator of "ACCEL[,PROP=VALUE...]", which is not the machine's.  False: it cannot run
 * here, err says why. */
static inline bool lone_start(struct lone *l, const char *accel, struct err *err)
{
	g_auto(GStrv) words = g_strsplit(accel, ",", -1);
	struct accel_choice choice = { .name = words[0],
				       .configure = lone_set_props,
				       .opaque = words + 1 };
	g_autofree char *notes = NULL;

	*l = (struct lone){ 0 };
	object_types_add(accel_types);
	l->v.accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, err);
	return l->v.accel;
}

/* The vCPU, which is to begin with that code in real mode. */
static inline void lone_add_cpu(struct lone *l, const char *model, const void *code, size_t len)
{
	struct err err;

	l->ram = ram_block_new("ram", LONE_RAM_BYTES, &err);
	if (!l->ram)
		g_error("%s", err.text);
	memcpy(l->ram->host + LONE_ENTRY, code, len);
	region_init_container(&l->memory_root, "system", 0);
	region_init_container(&l->io_root, "io", 0x10000);
	region_init_ram(&l->ram_region, "ram", l->ram, 0, LONE_RAM_BYTES);
	region_add(&l->memory_root, 0, &l->ram_region);
	address_space_init(&l->memory, "memory", &l->memory_root);
	address_space_init(&l->io, "I/O", &l->io_root);
	l->v.memory = &l->memory;
	l->v.io = &l->io;
	l->v.clock = vclock_new();
	vcpu_init(&l->v, 0, &x86_arch_ops, NULL);
	l->v.cpu = l->cpu = x86_arch_ops.cpu_new(&l->v, model, &err);
	if (!l->cpu || !l->v.accel->ops->vcpu_attach(l->v.accel, &l->v, &err))
		g_error("%s", err.text);
}

static inline void lone_rewind(struct lone *l)
{
	x86_seg_fill_real(&l->cpu->seg[SEG_CS], 0);
	l->cpu->env.pc = LONE_ENTRY;
	x86_mode_update(l->cpu);
}

/* Its thread has ended, or it never had one. */
static inline void lone_end(struct lone *l)
{
	l->v.accel->ops->vcpu_detach(l->v.accel, &l->v);
	accel_stop(l->v.accel);
	x86_arch_ops.cpu_free(l->cpu);
	vcpu_fini(&l->v);
	address_space_fini(&l->memory);
	address_space_fini(&l->io);
	rcu_drain();
	ram_block_free(l->ram);
	vclock_free(l->v.clock);
}
