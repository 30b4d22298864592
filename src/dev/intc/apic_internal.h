/* dev/intc/apic_internal.h - what the files of the local APIC and its bus call in each other.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cpu/pc_chips.h"
#include "cpu/vcpu.h"
#include "dev/device.h"
#include "dev/intc/apic_bus.h"

struct lapic;

enum { APIC_BUS_MAX = 1024, APIC_LISTENERS = 4 };

struct apic_bus {
	struct device dev;
	struct region window;
	/* const while the machine runs */
	struct lapic *lapics[APIC_BUS_MAX];
	unsigned count;
	int (*extint_ack)(void *pic);
	void *pic;
	struct {
		void (*fn)(void *opaque, uint8_t vector);
		void *opaque;
	} eoi[APIC_LISTENERS];
	unsigned eoi_count;
	struct {
		void (*fn)(void *opaque);
		void *opaque;
	} taker[APIC_LISTENERS];
	unsigned taker_count;
	unsigned turn;                /* atomic; whose turn it is among equals */
	const struct apic_gate *gate; /* const while the machine runs; NULL: none */
	void *gate_opaque;
};

struct apic_bus *apic_bus_from_device(struct device *dev);
void apic_bus_join(struct apic_bus *bus, struct lapic *l);
void apic_bus_leave(struct apic_bus *bus, struct lapic *l);
void apic_bus_eoi(struct apic_bus *bus, uint8_t vector);
void apic_bus_takers_changed(struct apic_bus *bus);
/* Like apic_bus_send(); with `except` lowest priority is delivered as fixed (a broadcast). */
bool apic_bus_deliver(struct apic_bus *bus, const struct apic_msg *msg, const struct lapic *except);

/* ---- a local APIC (lapic.c).  These lock for themselves; no APIC's lock may be held. ---- */

enum { BASE_BSP = 1u << 8, BASE_EXTD = 1u << 10, BASE_EN = 1u << 11 }; /* IA32_APIC_BASE */
enum { FIRST_LEGAL_VECTOR = 16 };

enum lapic_register {
	APIC_ID = 0x020,
	APIC_VERSION = 0x030,
	APIC_TPR = 0x080,
	APIC_APR = 0x090,
	APIC_PPR = 0x0a0,
	APIC_EOI = 0x0b0,
	APIC_RRD = 0x0c0,
	APIC_LDR = 0x0d0,
	APIC_DFR = 0x0e0,
	APIC_SVR = 0x0f0,
	APIC_ISR = 0x100, /* to 170h */
	APIC_TMR = 0x180, /* to 1f0h */
	APIC_IRR = 0x200, /* to 270h */
	APIC_ESR = 0x280,
	APIC_ICR_LOW = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330,
	APIC_LVT_PMC = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_INITIAL_COUNT = 0x380,
	APIC_CURRENT_COUNT = 0x390,
	APIC_DIVIDE = 0x3e0,
	APIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PMC, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/* Bits of an LVT entry (SDM 3A 11.5.1). */
enum {
	LVT_DELIVERY_STATUS = 1u << 12,
	LVT_POLARITY = 1u << 13,
	LVT_REMOTE_IRR = 1u << 14,
	LVT_LEVEL = 1u << 15,
	LVT_MASKED = 1u << 16,
	LVT_TIMER_MODE = 3u << 17,
};
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE };
enum { SVR_ENABLE = 1u << 8, SVR_FOCUS_OFF = 1u << 9, SVR_NO_EOI_BROADCAST = 1u << 12 };
/* SDM 3A 11.5.3 */
enum {
	ESR_SEND_ILLEGAL = 1u << 5,
	ESR_RECEIVE_ILLEGAL = 1u << 6,
	ESR_ILLEGAL_REGISTER = 1u << 7,
};

struct lapic {
	struct device dev;    /* lock rank LOCK_INTC_CPU */
	struct apic_bus *bus; /* const after wiring */
	struct vcpu *vcpu;    /* const after wiring */
	bool is_virtual_wire; /* const after realize; property */
	bool has_x2apic;      /* const after realize; property */
	struct timer timer;

	/* dev.lock for writing; those marked * are also read without it, by senders (relaxed) */
	uint64_t base;                   /* IA32_APIC_BASE * */
	uint32_t ldr, dfr;               /* * */
	uint32_t svr;                    /* * */
	uint32_t tpr;                    /* * */
	uint32_t isr[8], irr[8], tmr[8]; /* irr, isr: * */
	uint32_t esr, esr_pending;
	uint32_t icr_low, icr_high;
	uint32_t lvt[LVT_COUNT];
	uint32_t divide, initial_count;
	int64_t count_start_ns; /* when initial_count was written */
	int64_t expiry_ns;      /* one-shot and deadline: when it fires; INT64_MAX: has, or never */
	int64_t next_ns;        /* for when the host's timer is armed; INT64_MAX: it is not */
	uint64_t tsc_deadline;
	uint8_t lint_level; /* bit per pin */
	bool has_extint;    /* an ExtINT message waits for its INTA */
	bool is_lent;       /* somebody else has the state (cpu/pc_chips.h) */
};

struct lapic *lapic_of_vcpu(const struct apic_bus *bus, const struct vcpu *v);
uint64_t lapic_mmio_base(const struct lapic *l); /* 0: no page (disabled or x2APIC) */
uint32_t lapic_mmio_read(struct lapic *l, uint32_t offset);
void lapic_mmio_write(struct lapic *l, uint32_t offset, uint32_t value);
bool lapic_matches(const struct lapic *l, const struct apic_msg *msg);
bool lapic_is_enabled(const struct lapic *l);
bool lapic_is_focus(const struct lapic *l, uint8_t vector);
unsigned lapic_arbitration_priority(const struct lapic *l);
bool lapic_accept(struct lapic *l, const struct apic_msg *msg);

/* ---- inside: lapic.c, lapic_timer.c, lapic_regs.c.  _locked needs dev.lock. ---- */

bool lapic_is_x2apic(const struct lapic *l);
uint32_t lapic_ppr(const struct lapic *l);
bool lapic_is_hw_enabled(const struct lapic *l);
void lapic_update_locked(struct lapic *l); /* the vCPU's INTR input */
void lapic_set_error_locked(struct lapic *l, uint32_t bits);
void lapic_lint_update_locked(struct lapic *l);
/* An LVT entry's interrupt happens. */
void lapic_fire_lvt_locked(struct lapic *l, enum lvt i);
/* The EOI register was written; the vector to broadcast, or -1. */
int lapic_eoi_locked(struct lapic *l);
/* Power-up values of all but id and base (SDM 3A 11.4.7.1). */
void lapic_clear_locked(struct lapic *l);

void lapic_timer_fn(void *dev);
uint32_t lapic_timer_current_locked(struct lapic *l);
void lapic_timer_start_locked(struct lapic *l, uint32_t initial_count);
void lapic_timer_set_divide_locked(struct lapic *l, uint32_t divide);
void lapic_timer_set_lvt_locked(struct lapic *l, uint32_t lvt);
void lapic_timer_rearm_locked(struct lapic *l);
/* Go on with this count; 0: it has run out. */
void lapic_timer_restart_locked(struct lapic *l, uint32_t current);
void lapic_set_tsc_deadline(void *intc, uint64_t tsc, int64_t deadline_ns);

void lapic_show(void *intc, FILE *out); /* lapic_show.c */
/* lapic_image.c */
void lapic_lend(void *intc, struct lapic_image *image);
void lapic_return(void *intc, const struct lapic_image *image, enum pc_chip_return how);
bool lapic_read_msr(void *intc, uint32_t msr, uint64_t *value);
bool lapic_write_msr(void *intc, uint32_t msr, uint64_t value);
