/* accel/kvm/debug.h - breakpoints, watchpoints and single steps of a debugger under KVM.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cpu/accel.h"
#include "cpu/debug.h"

struct kvm_accel;
struct kvm_guest_debug; /* linux/kvm.h */
struct kvm_vcpu;

enum { KVM_DEBUG_REGS = 4, KVM_BREAK_BYTES = 4 };

/* Who sees to a point. */
enum kvm_point_by {
	KVM_POINT_REGS,   /* the processor's debug registers */
	KVM_POINT_PATCH,  /* a breakpoint instruction in memory, while vCPUs are in KVM */
	KVM_POINT_HELPER, /* the translator, which runs all vCPUs then */
};

struct kvm_point {
	struct debug_point p;
	enum kvm_point_by by;
	unsigned regs;                /* REGS: how many it takes */
	gpa_t gpa;                    /* PATCH: where it is */
	bool is_in;                   /* PATCH: rounds.lock: memory has it */
	uint8_t was[KVM_BREAK_BYTES]; /* PATCH: rounds.lock */
};

/* Main thread, while every vCPU is parked; constant while they run, but where another tag stands.
 */
struct kvm_debug {
	struct kvm_point *points;
	unsigned count;
	unsigned regs;         /* of KVM_DEBUG_REGS that are taken */
	unsigned helper_count; /* points that are the translator's */
	unsigned patch_count;
	struct address_space *memory; /* patches are in it */
	bool is_active;               /* there was a point or a step since the debugger came */
	struct kvm_vcpu *last;        /* rounds.lock: that stopped last, or NULL */
};

/* One of KVM_DEBUG_REGS. */
struct kvm_debug_reg {
	const struct kvm_point *point;
	gva_t addr;
	unsigned len; /* 1, 2, 4, 8 */
};

extern const struct accel_debug_ops kvm_debug_ops;

/* Must the translator run this vCPU, for its points or a step?  Context: vcpu thread. */
bool kvm_debug_is_helpers(const struct kvm_vcpu *kv);
/* What the debug registers are to hold.  Returns how many. */
unsigned kvm_debug_regs(const struct kvm_debug *d, struct kvm_debug_reg regs[KVM_DEBUG_REGS]);
/* The breakpoint in memory at a linear address, or NULL. */
const struct kvm_point *kvm_debug_patch_at(const struct kvm_debug *d, gva_t addr);
/* Is there one at this address of the guest's memory? */
bool kvm_debug_is_patched(const struct kvm_debug *d, gpa_t gpa);
/* The vCPU stops here.  Returns as kvm_exit(). */
bool kvm_debug_stop(struct kvm_vcpu *kv, const struct debug_stop *s);
/* Tell the kernel what to stop at.  A refusal is logged, once for each change. */
void kvm_debug_tell(struct kvm_vcpu *kv, const struct kvm_guest_debug *what);
bool kvm_debug_stop_at(struct kvm_vcpu *kv, const struct kvm_point *p, gva_t addr);
/* A step of KVM's was made.  Returns as kvm_exit(). */
bool kvm_debug_stepped(struct kvm_vcpu *kv);

/* Breakpoints in memory: all of them out of it, for the translator, or in.  Needs rounds.lock, and
 * no vCPU in KVM. */
void kvm_debug_patch(struct kvm_accel *k, bool in);
/* They are gone. */
void kvm_debug_fini(struct kvm_debug *d);
