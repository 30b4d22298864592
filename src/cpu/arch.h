/* cpu/arch.h - what a guest architecture provides: registers, MMU walk, interrupts in.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"

struct err;
struct flat_range;
struct guest_ops;
struct vcpu;

enum mmu_access { MMU_READ, MMU_WRITE, MMU_EXEC };

/* Result of a page walk. */
struct mmu_result {
	gpa_t gpa;          /* of the address itself */
	uint64_t page_size; /* of the mapping: 4 KiB, 2 MiB, 4 MiB, 1 GiB */
	/* In this view, A/D already as they must be for a TLB fill. */
	bool can_read, can_write, can_exec;
	bool is_global;
	/* Where tables were, so perhaps gpa too; or NULL.  Lives as long as the caller's RCU
	 * reader. */
	const struct flat_range *near;
	bool is_watched; /* a data breakpoint lies in the mapping: never cache, tell
			  * guest_ops.accessed() */
	/* on failure */
	uint32_t fault_code; /* arch's own: x86 page-fault error code */
};

/* Translation views: who is accessing.  An architecture defines up to this many. */
enum { MMU_VIEW_MAX = 4 };

struct arch_ops {
	const char *name;              /* "x86_64", "aarch64" */
	const char *const *cpu_models; /* NULL-terminated, for -cpu help */
	const char *default_model;

	/* The architectural state of one vCPU, model and features applied ("Haswell,-avx2"). */
	void *(*cpu_new)(struct vcpu *v, const char *model, struct err *err);
	void (*cpu_free)(void *cpu);
	void (*cpu_reset)(struct vcpu *v);
	void (*cpu_help)(FILE *out);

	/* Page walk; with set_ad the accessed/dirty bits are set atomically as hardware does,
	 * without it nothing changes (debugger).  False: fault_code says why. */
	bool (*walk)(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view, bool set_ad,
		     struct mmu_result *r);
	/* Is anything pending that ends a halt?  Context: vcpu thread or with vcpu.lock. */
	bool (*has_work)(struct vcpu *v);
	void (*dump)(struct vcpu *v, FILE *out); /* info registers */
	uint64_t (*get_pc)(struct vcpu *v);
	void (*set_pc)(struct vcpu *v, uint64_t pc);
	const struct guest_ops *guest; /* for translating accelerators (cpu/guest.h) */
};
