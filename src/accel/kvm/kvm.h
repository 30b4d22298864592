/* accel/kvm/kvm.h - the insides of the accelerator that has Linux' KVM run guest code.
 *
 * system.c: /dev/kvm and what it can do.  vm.c: a virtual machine.  slots.c: its memory.  vcpu.c: a
 * vCPU, its thread's loop and kicks.  exits.c: why it came back.  dirty.c: what it wrote. assist.c:
 * what KVM cannot run, the translator does.  debug.c: what debuggers ask for.  kvm.c: properties,
 * start and stop.  What differs between hosts is behind struct kvm_host_ops: x86_host.c,
 * arm64_host.c, and the files whose names begin so.
 *
 * Specification: Linux, Documentation/virt/kvm/api.rst, and <linux/kvm.h>.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/lock.h"
#include "memory/address_space.h"
#include "cpu/accel.h"
#include "cpu/vcpu.h"

/* struct kvm_copy: what the kernel's vCPU holds, as it last said or was told. */
#ifdef __aarch64__
#include "accel/kvm/arm64.h"
#else
#include "accel/kvm/x86.h"
#endif
#include "accel/kvm/debug.h"

struct err;
struct kvm_vcpu;

/* ---- ioctl.c ---- */

/* ioctl(), again while a signal interrupts it.  -errno on failure. */
int kvm_ioctl(int fd, unsigned long what, const void *arg);
int kvm_ioctl_value(int fd, unsigned long what, unsigned long value);

/* ---- system.c ---- */

/* What the kernel can do: 0: not at all, else its answer. */
struct kvm_caps {
	int nr_vcpus;    /* recommended */
	int max_vcpus;   /* at most */
	int max_vcpu_id; /* below this */
	int nr_slots;
	int readonly_mem, immediate_exit, xsave, xcrs, debugregs, sregs2, vcpu_events, intr_shadow;
	int user_nmi, tsc_khz, tsc_control, tsc_deadline, mce, adjust_clock;
	int user_msr, msr_filter; /* accesses of MSRs can be ours */
	int exit_on_emulation_failure;
	int irqchip, split_irqchip, pit2, pit_state2, reinject_control, mp_state, x2apic_api;
	int signal_msi, irq_routes; /* the latter: how many */
	int irqfd, irqfd_resample, ioeventfd, ioeventfd_any_length;
	int coalesced_mmio, coalesced_pio;  /* the former: at which page of a vCPU's mapping */
	int guest_debug_flags;              /* KVM_GUESTDBG_* */
	int manual_dirty;                   /* KVM_DIRTY_LOG_* */
	int dirty_ring, dirty_ring_acq_rel; /* bytes at most */
	/* arm64's */
	int one_reg, device_ctrl, psci_0_2, pmu_v3, sve, ptrauth_address, ptrauth_generic;
	int ipa_bits; /* of guest-physical addresses, at most */
	int user_irq, irq_line_layout_2, nisv_to_user, inject_ext_dabt, serror_esr;
	int hw_bps, hw_wps; /* debug registers */
};
struct kvm_system {
	int fd;
	int run_bytes; /* of a vCPU's mapping */
	struct kvm_caps caps;
};
bool kvm_system_open(struct kvm_system *s, struct err *err);
void kvm_system_close(struct kvm_system *s);

/* ---- routes.c: where interrupt numbers lead to ---- */

struct kvm_routes {
	struct lock lock;
	struct kvm_irq_routing *table; /* lock */
	unsigned room;                 /* lock */
	uint32_t first_free;           /* const after the chips are made: for messages, from here */
};

/* ---- vm.c ---- */

struct kvm_slot {               /* guest memory that the kernel maps by itself */
	gpa_t start, last, gpa; /* of the range; of its pages */
	uint64_t size;          /* 0: free */
	uint32_t flags;         /* KVM_MEM_READONLY */
	struct ram_block *ram;
	uint64_t offset; /* of gpa in it */
	bool is_deaf;    /* its pages are logged, but not by the kernel: all count as written */
};
struct kvm_ring { /* of a vCPU: the pages it wrote */
	struct kvm_dirty_gfn *gfns;
	uint32_t next;
	struct kvm_ring *link;
};
struct kvm_vm {
	int fd;
	const struct kvm_system *sys;
	struct kvm_slot *slots; /* changed with the topology lock and lock, read with either */
	unsigned slot_count;
	struct lock lock;          /* what dirty.c has */
	struct kvm_ring *rings;    /* lock */
	bool has_lost_rings;       /* lock: what they tell is not all */
	uint32_t ring_entries;     /* const: of each; 0: bitmaps */
	bool has_manual_dirty;     /* const: the kernel waits for KVM_CLEAR_DIRTY_LOG */
	void *scratch;             /* const: a page */
	bool has_msr_exits;        /* const: those that are not the kernel's come to us */
	bool has_our_faults;       /* const: those of CPUID faulting come to us too */
	bool is_full;              /* topology lock: memory that has no slot was told of */
	bool has_deaf;             /* lock: there was a slot that the kernel does not log */
	struct arm64_kvm_gic *gic; /* const: arm64's interrupt controller, if it is in the kernel */
	struct kvm_routes routes;
	_Atomic bool has_zones;             /* stores to some regions wait (coalesced.c) */
	struct kvm_irq_source *irq_sources; /* the chips' moving lock; x86's */
};
/* False: it was destroyed again, which is nothing the second time. */
bool kvm_vm_create(struct kvm_vm *vm, const struct kvm_system *sys, bool wants_assist,
		   struct err *err);
void kvm_vm_destroy(struct kvm_vm *vm);

/* ---- slots.c.  Context: memory listeners'. ---- */
void kvm_slot_add(struct kvm_vm *vm, const struct flat_range *r);
void kvm_slot_remove(struct kvm_vm *vm, const struct flat_range *r);
void kvm_slot_log(struct kvm_vm *vm, const struct flat_range *r, bool on);
void kvm_slot_sync(struct kvm_vm *vm, const struct flat_range *r);
/* The host's pages, not less than RAM_PAGE_SIZE. */
uint64_t kvm_page_bytes(void);

/* ---- dirty.c: which pages were written ---- */
struct kvm_vcpu;
/* New VMs: have what is seen told by us, if the kernel can. */
bool kvm_dirty_manual(struct kvm_vm *vm);
bool kvm_rings_enable(struct kvm_vm *vm, uint64_t entries, struct err *err);
bool kvm_ring_open(struct kvm_vcpu *kv, struct err *err);
void kvm_ring_close(struct kvm_vcpu *kv);
/* Need vm->lock. */
void kvm_dirty_sync_slot(struct kvm_vm *vm, const struct kvm_slot *s);
void kvm_rings_reap_locked(struct kvm_vm *vm);
/* KVM_EXIT_DIRTY_RING_FULL, as kvm_exit(). */
bool kvm_ring_full(struct kvm_vcpu *kv);
/* memory_listener.log_before. */
void kvm_dirty_before(struct memory_listener *l);

/* ---- routes.c.  Context: any thread. ---- */
void kvm_routes_init(struct kvm_routes *r);
void kvm_routes_fini(struct kvm_routes *r);
/* A pin of a chip in the kernel, until kvm_routes_commit() only noted. */
void kvm_route_chip(struct kvm_vm *vm, uint32_t gsi, uint32_t chip, uint32_t pin);
bool kvm_routes_commit(struct kvm_vm *vm, struct err *err);
/* A number that leads to a message, for irqfds: a new one (-1: err), that one (-errno), none. */
int kvm_route_add_msi(struct kvm_vm *vm, uint64_t addr, uint32_t data, struct err *err);
int kvm_route_set_msi(struct kvm_vm *vm, int gsi, uint64_t addr, uint32_t data);
void kvm_route_remove(struct kvm_vm *vm, int gsi);
/* Send a message now.  0: nobody accepts it; -errno. */
int kvm_msi_signal(struct kvm_vm *vm, uint64_t addr, uint32_t data);

/* ---- coalesced.c: from memory listeners ---- */
void kvm_zone_add(struct kvm_vm *vm, const struct flat_range *r, bool is_port);
void kvm_zone_remove(struct kvm_vm *vm, const struct flat_range *r, bool is_port);

/* ---- eventfds.c ---- */

/* Doorbells, from memory listeners. */
void kvm_doorbell_add(struct kvm_vm *vm, const struct flat_eventfd *e, bool is_port);
void kvm_doorbell_remove(struct kvm_vm *vm, const struct flat_eventfd *e, bool is_port);

/* An eventfd that raises interrupt gsi: of a message's route (kvm_route_add_msi()) once per tick;
 * of a line with resample_fd, which is ticked when the guest has served it, until then. */
struct kvm_irq_source {
	int gsi, fd;
	int resample_fd;             /* -1: none */
	struct kvm_irq_source *next; /* eventfds.c's */
};
/* Storage is the caller's.  x86: by x86_kvm_irqfd_add(), which knows whether chips are live. */
bool kvm_irqfd_add(struct kvm_vm *vm, struct kvm_irq_source *s, bool is_live, struct err *err);
void kvm_irqfd_remove(struct kvm_vm *vm, struct kvm_irq_source *s);
/* The kernel's chips have their states; they are about to give them back. */
void kvm_irqfds_go_live(struct kvm_vm *vm);
void kvm_irqfds_wait(struct kvm_vm *vm);

/* Of a VM: switch a capability on. */
bool kvm_vm_enable(struct kvm_vm *vm, uint32_t cap, uint64_t arg);

/* ---- a vCPU ---- */

struct kvm_counts {
	uint64_t runs, io, mmio, halts, windows, msrs, others; /* exits */
	uint64_t pulls, pushes;
	uint64_t assists, assisted; /* times, instructions */
	uint64_t assist_ns, kvm_ns;
};

struct kvm_vcpu {
	struct vcpu *v;
#ifdef __aarch64__
	struct arm_cpu *cpu;
#else
	struct x86_cpu *cpu;
#endif
	struct kvm_accel *kvm;
	int fd;
	struct kvm_run *run;

	_Atomic bool is_inside; /* about to be, or in KVM_RUN: a kick needs a signal */
	bool is_ours;           /* vcpu thread: v->cpu is the guest's state, the kernel's is old */
	bool is_prepared;       /* vcpu thread: kvm_host_ops.prepare was called */
	bool is_unfinished;     /* vcpu thread: the access it came back for ends at the next run */
	bool knows_window;      /* vcpu thread: run's flags say whether an interrupt is taken */
	bool has_failed;        /* vcpu thread: never to run again */
	bool was_nmi_blocked;   /* vcpu thread: as the kernel was told last (x86_half.c) */
	uint64_t assist_insns;  /* vcpu thread: how long the translator runs next time */
	int64_t left_assist_ns; /* vcpu thread: when KVM took over */
	bool is_stepped;        /* vcpu thread, or it is parked: KVM makes a debugger's step */
	unsigned step_how;      /* the same: DEBUG_STEP_* */
	gva_t step_from;        /* the same */
	struct kvm_guest_debug told_debug; /* vcpu thread: the kernel knows */
	timer_t stint_timer;               /* vcpu thread: where KVM interprets */
	bool has_stints;                   /* vcpu thread */
	long stint_ns;                     /* vcpu thread */
	int64_t stint_end_ns;              /* vcpu thread; 0: none runs */
	unsigned clock_stops;              /* vm.lock: those that the guest was told of */
	struct kvm_ring ring;              /* vm.lock */
	bool is_assisted;                  /* rounds.lock */
	struct kvm_vcpu *next;             /* rounds.lock */
	struct kvm_copy copy;              /* vcpu thread */
	struct kvm_counts count;           /* vcpu thread */
};

struct kvm_rounds {
	struct lock lock;
	pthread_cond_t cond;
	_Atomic unsigned assisting; /* vCPUs in the translator, and who keeps all out of KVM */
	bool is_closing;            /* lock: those are asked to come to an end; nobody joins */
	bool must_forget;           /* lock */
	bool is_bare;               /* lock: a debugger's instructions are not in memory */
	struct kvm_vcpu *vcpus;     /* lock to change, which only the main thread does */
};

/* The words of kernel-irqchip. */
enum kvm_irqchip_word { KVM_IRQCHIP_ON, KVM_IRQCHIP_SPLIT, KVM_IRQCHIP_OFF, KVM_IRQCHIP_AUTO };

struct kvm_accel {
	struct accel accel;
	/* properties */
	bool assist_on, interpreted, stats;
	int irqchip; /* enum kvm_irqchip_word */
	uint64_t dirty_ring_size;

	struct kvm_system sys;
	struct kvm_vm vm;
	struct kvm_rounds rounds;
#ifndef __aarch64__
	struct kvm_chips chips;
#endif
	struct kvm_debug debug;
	unsigned vcpu_count;  /* main thread */
	struct accel *helper; /* const after start: the translator; NULL: assist=off */
#ifdef __x86_64__
	bool msr_refused[KVM_MSR_ROWS]; /* const after the first vCPU */
#endif
	bool is_probed;
	bool is_slow; /* const after start: it does not run at the hardware's speed */
	/* const after start: SYSCALL enters the kernel at privilege level 3, see x86_half.c */
	bool is_half;
	bool has_cpuid_faults; /* const: CPUID at level 3 ends as SYSCALL does, for us to run it */
	bool is_lossy; /* const after start: the kernel drops paging outside long mode, and V86 */
	int64_t clock_stood_ns;   /* vm.lock: for how long the machine stood, when a vCPU looked */
	bool has_clock_stood;     /* vm.lock */
	unsigned clock_stops;     /* vm.lock */
	uint32_t tsc_khz;         /* const after the first vCPU */
	struct kvm_counts counts; /* main thread: of vCPUs that are gone */
	struct memory_listener listener, io_listener;
	struct address_space *listened, *io_listened;
	struct lock stores_lock;              /* around emptying the ring */
	struct kvm_coalesced_mmio_ring *ring; /* stores_lock: as a vCPU shows it; NULL: none does */
	bool has_ring;                        /* main thread */
	struct memory_flusher flusher;
};

static inline struct kvm_vcpu *kvm_vcpu_of(struct vcpu *v) { return v->accel_data; }

/* ---- vcpu.c ---- */
bool kvm_vcpu_attach(struct accel *a, struct vcpu *v, struct err *err);
void kvm_vcpu_detach(struct accel *a, struct vcpu *v);
void kvm_vcpu_loop(struct vcpu *v);
void kvm_vcpu_kick(struct vcpu *v);
void kvm_vcpu_pull(struct vcpu *v);
/* It cannot go on: the board is told why. */
void kvm_vcpu_fail(struct kvm_vcpu *kv, const char *text);
/* The signal that gets a vCPU out of the kernel has a handler.  Context: main thread. */
bool kvm_kick_init(struct err *err);

/* ---- coalesced.c ---- */
void kvm_coalesced_init(struct kvm_accel *k);
void kvm_coalesced_fini(struct kvm_accel *k);
/* A vCPU has its mapping; another, which is not among rounds.vcpus any more, is about to lose its
 * own.  Context: main thread, with the first and the last no vCPU runs. */
void kvm_coalesced_attach(struct kvm_accel *k, struct kvm_run *run);
void kvm_coalesced_detach(struct kvm_accel *k);
/* Do the stores that wait.  Context: any thread, no device lock held. */
void kvm_coalesced_drain(struct kvm_accel *k);
void kvm_coalesced_flush(struct memory_flusher *f);

/* ---- exits.c ---- */
/* Do what it came back for.  False: the loop must look at the run state. */
bool kvm_exit(struct kvm_vcpu *kv);

/* ---- rounds.c: vCPUs are in KVM, or in the translator ---- */
void kvm_rounds_init(struct kvm_rounds *r);
void kvm_rounds_fini(struct kvm_rounds *r);
void kvm_rounds_add(struct kvm_rounds *r, struct kvm_vcpu *kv);
void kvm_rounds_remove(struct kvm_rounds *r, struct kvm_vcpu *kv);
/* Around an assist.  Context: vcpu thread, outside KVM, no lock held.  May block. */
void kvm_round_begin(struct kvm_vcpu *kv);
void kvm_round_end(struct kvm_vcpu *kv, bool must_forget, bool wants_kvm);
/* Nobody is in KVM from begin to end; who wants in waits.  Context: any thread outside KVM that is
 * not in a round; begin may block, until those inside have come out. */
void kvm_still_begin(struct kvm_accel *k);
void kvm_still_end(struct kvm_accel *k);
/* kv->is_inside was set: may it go in?  If not, unset it, tell, and join: its turn is the
 * translator's too, or over.  kvm_round_join() returns as kvm_assist(). */
bool kvm_round_is_on(struct kvm_vcpu *kv);
bool kvm_round_join(struct kvm_vcpu *kv);
/* kv->is_inside was unset. */
void kvm_round_left_kvm(struct kvm_vcpu *kv);

/* ---- assist.c ---- */
bool kvm_assist_start(struct kvm_accel *k, struct err *err);
/* KVM cannot run what comes next: run it elsewhere, until it can.  False: nobody can. */
bool kvm_assist(struct kvm_vcpu *kv);
/* Is it better to do that from the beginning?  Context: vcpu thread. */
bool kvm_assist_is_better(const struct kvm_vcpu *kv);
/* Where KVM interprets: from the beginning of a stint in KVM until its end, when the signal comes
 * and it is seen to whether KVM is the right one for what it does.  False: nobody is.
 * Context: vcpu thread. */
void kvm_stint_init(struct kvm_vcpu *kv, int signal);
void kvm_stint_fini(struct kvm_vcpu *kv);
void kvm_stint_begin(struct kvm_vcpu *kv);
bool kvm_stint_over(struct kvm_vcpu *kv);

/* ---- the host's architecture: x86_host.c, arm64_host.c ---- */

struct kvm_exit_row {
	uint32_t reason;
	bool (*run)(struct kvm_vcpu *kv); /* as kvm_exit() */
};
extern const struct kvm_exit_row kvm_host_exits[]; /* until reason 0; beside those of exits.c */

struct kvm_host_ops {
	const char *guest;   /* arch_ops.name of those that it runs */
	const char *modules; /* of the kernel */
	/* False: what KVM can run here this program cannot; err says what to do. */
	bool (*can_start)(struct err *err);
	/* KVM_CREATE_VM's argument. */
	unsigned long (*vm_type)(const struct kvm_system *sys);
	/* What a new VM needs before it has a vCPU.  False: err; the caller destroys it. */
	bool (*vm_init)(struct kvm_vm *vm, bool wants_assist, struct err *err);
	void (*vm_fini)(struct kvm_vm *vm); /* may be NULL */
	/* The first VM is made, kvm_accel.is_slow and helper are known. */
	void (*started)(struct kvm_accel *k);
	/* A vCPU was made.  Whatever the kernel's state is, v->cpu is what will count. */
	bool (*vcpu_init)(struct kvm_vcpu *kv, struct err *err);
	void (*vcpu_fini)(struct kvm_vcpu *kv); /* may be NULL; also of one that was not finished */
	/* accel_ops.cpu_restrict; NULL: there is nothing to drop. */
	bool (*restrict_cpu)(struct kvm_accel *k, void *cpu, struct err *err);
	/* Before anything of it runs; by now the board has arranged vCPUs. */
	bool (*prepare)(struct kvm_vcpu *kv, struct err *err);
	/* From the kernel to v->cpu, and back.  False: the kernel refuses, err says what. */
	bool (*get)(struct kvm_vcpu *kv, struct err *err);
	bool (*put)(struct kvm_vcpu *kv, struct err *err);
	/* Inputs before a run.  False: halted, or the run state has changed: look again. */
	bool (*inputs)(struct kvm_vcpu *kv);
	void (*before_run)(struct kvm_vcpu *kv);
	void (*after_run)(struct kvm_vcpu *kv);
	/* Is there nothing in v->cpu that the kernel cannot be told?  NULL: never. */
	bool (*is_settled)(const struct kvm_vcpu *kv);
	/* KVM_EXIT_DEBUG, as kvm_exit(); NULL: no points, no steps.  KVM failed at an instruction:
	 * at one of ours?  Then it has stopped.  break_insn: what takes a breakpoint's place. */
	bool (*debug_exit)(struct kvm_vcpu *kv);
	bool (*debug_at_patch)(struct kvm_vcpu *kv);
	uint8_t break_insn[KVM_BREAK_BYTES], break_bytes;
	/* For assist.c.  v->cpu is made ready for the translator; how often the guest has told that
	 * its page tables are others; KVM may have copies of these, which changed unseen (Context:
	 * no vCPU runs); does KVM interpret what the vCPU is at, where it has no hardware?  All
	 * NULL: there is no assist. */
	void (*assist_begin)(struct kvm_vcpu *kv);
	uint32_t (*table_changes)(const struct kvm_vcpu *kv);
	void (*forget_tables)(struct kvm_vm *vm);
	bool (*is_interpreted)(const struct kvm_vcpu *kv);
	/* Of v->cpu, where there is no hardware: would KVM not interpret it? */
	bool (*is_native)(const struct kvm_vcpu *kv);
	/* Interrupt chips of the kernel's, as kvm_accel.irqchip asks, before there is a vCPU; the
	 * board's lend them their states before a vCPU goes in (Context: its thread, no round is
	 * on), and have them back (no vCPU is inside).  What fails to start needs no stop.  All
	 * NULL: there are none. */
	bool (*chips_start)(struct kvm_accel *k, struct err *err);
	void (*chips_stop)(struct kvm_accel *k);
	void (*chips_lend)(struct kvm_vcpu *kv);
	void (*chips_recall)(struct kvm_accel *k);
};
extern const struct kvm_host_ops kvm_host;

/* ---- x86_probe.c, arm64_host.c ---- */
enum kvm_speed { KVM_SPEED_UNKNOWN, KVM_SPEED_SLOW, KVM_SPEED_HARDWARE };
/* Time a short loop in a virtual machine of its own.  insns_per_us may be NULL. */
enum kvm_speed kvm_probe_speed(double *insns_per_us, struct err *err);
bool kvm_is_fast(struct err *err);
char *kvm_explain(void);
/* Does the host's processor say that it can virtualize? */
bool kvm_host_has_hardware(void);
