/* cpu/arch.h - what a guest architecture provides: registers, MMU walk, interrupts in.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"

struct accel;
struct arch_debug;
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

/* One property of a CPU model: a switch, or what `text` (a name or a number) says. */
struct arch_cpu_prop {
	const char *name;
	const char *text; /* NULL: a switch */
	bool is_number;   /* text is one */
	bool is_on;       /* the switch */
};

/* One mapping of a guest's page tables, for people. */
struct arch_page {
	gva_t va;
	gpa_t pa;
	uint64_t size;
	char bits[12];  /* of the entry, by the letters of the manual */
	char rights[4]; /* of all that lead to it: "urw" */
};
enum arch_pages {
	ARCH_PAGES_ALL, /* told to the last */
	ARCH_PAGES_CUT, /* there are more */
	ARCH_PAGES_OFF  /* addresses are not translated */
};

struct arch_ops {
	const char *name;              /* "x86_64", "aarch64" */
	const char *const *cpu_models; /* NULL-terminated, for -cpu help */
	const char *default_model;

	/* The architectural state of one vCPU, model and features applied ("Haswell,-avx2"). */
	void *(*cpu_new)(struct vcpu *v, const char *model, struct err *err);
	void (*cpu_free)(void *cpu);
	void (*cpu_reset)(struct vcpu *v);
	void (*cpu_help)(FILE *out);
	/* All properties of "Haswell,-avx2" as a guest of the accelerator (NULL: any) would see
	 * them.  False: err says what is wrong. */
	bool (*cpu_expand)(const char *model, struct accel *a,
			   void (*fn)(const struct arch_cpu_prop *, void *), void *opaque,
			   struct err *err);
	/* The features that a model's name stands for and that cannot be had here. */
	void (*cpu_missing)(const char *model, struct accel *a,
			    void (*fn)(const char *feature, void *), void *opaque);

	/* Page walk; with set_ad the accessed/dirty bits are set atomically as hardware does,
	 * without it nothing changes (debugger).  False: fault_code says why. */
	bool (*walk)(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view, bool set_ad,
		     struct mmu_result *r);
	/* Is anything pending that ends a halt?  Context: vcpu thread or with vcpu.lock. */
	bool (*has_work)(struct vcpu *v);
	unsigned debug_view; /* of walk(): what may read most, for debuggers */

	/* What monitors and the log show.  Context of all: vcpu thread, or the vCPU has none. */
	void (*dump)(struct vcpu *v, FILE *out); /* general and system registers */
	void (*dump_vectors)(struct vcpu *v, FILE *out);
	/* A register by the name that people type; false: there is none.  reg_names lists them,
	 * NULL-terminated. */
	bool (*reg_get)(struct vcpu *v, const char *name, uint64_t *value);
	const char *const *reg_names;
	/* Every mapping by rising address, until fn returns false or it has been enough. */
	enum arch_pages (*pages)(struct vcpu *v, bool (*fn)(const struct arch_page *, void *),
				 void *opaque);
	/* Registers as debuggers number them (cpu/debug.h); NULL: none. */
	const struct arch_debug *debug;
	uint64_t (*get_pc)(struct vcpu *v);
	void (*set_pc)(struct vcpu *v, uint64_t pc);
	const struct guest_ops *guest; /* for translating accelerators (cpu/guest.h) */
};
