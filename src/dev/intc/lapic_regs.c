/* dev/intc/lapic_regs.c - the local APIC's registers, by MMIO (xAPIC) and MSR (x2APIC).
 *
 * Both forms meet in reg_read() and reg_write().  What a write causes elsewhere (an IPI, an EOI
 * broadcast) is noted in struct effect and done after the lock is dropped.
 * Specification: SDM 3A 11.4.1 (map), 11.12 (x2APIC), 11.4.4 (IA32_APIC_BASE).
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "dev/intc/apic_internal.h"

enum {
	MSR_APIC_BASE = 0x1b,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800,
	MSR_X2APIC_LAST = 0x8ff
};
enum { PHYS_BITS = 52 }; /* at most: the vCPU refuses what its model has not */
/* Six LVT entries, EOI broadcasts can be suppressed, integrated APIC. */
enum { VERSION_VALUE = 0x14 | (LVT_COUNT - 1) << 16 | 1 << 24 };
enum {
	ICR_STATUS = 1u << 12,
	ICR_ASSERT = 1u << 14,
	ICR_LEVEL = 1u << 15,
	ICR_LOGICAL = 1u << 11,
	ICR_WRITABLE = 0xccfff
};
enum { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };

/* Bits of LVT entries that software may set. */
static const uint32_t lvt_writable[LVT_COUNT] = {
	[LVT_TIMER] = 0xff | LVT_MASKED | LVT_TIMER_MODE,
	[LVT_THERMAL] = 0x7ff | LVT_MASKED,
	[LVT_PMC] = 0x7ff | LVT_MASKED,
	[LVT_LINT0] = 0x7ff | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
	[LVT_LINT1] = 0x7ff | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
	[LVT_ERROR] = 0xff | LVT_MASKED,
};

/* What is left to do without the lock. */
struct effect {
	bool has_ipi;
	unsigned shorthand;
	struct apic_msg msg;
	int eoi;            /* vector to broadcast, or -1 */
	bool has_new_taker; /* it may accept what it did not before */
};

/* A register exists (for MMIO; the MSR form has its own rules). */
static bool reg_exists(uint32_t reg)
{
	switch (reg) {
	case APIC_ID:
	case APIC_VERSION:
	case APIC_TPR:
	case APIC_APR:
	case APIC_PPR:
	case APIC_EOI:
	case APIC_RRD:
	case APIC_LDR:
	case APIC_DFR:
	case APIC_SVR:
	case APIC_ESR:
	case APIC_ICR_LOW:
	case APIC_ICR_HIGH:
	case APIC_INITIAL_COUNT:
	case APIC_CURRENT_COUNT:
	case APIC_DIVIDE: return true;
	}
	return (reg >= APIC_ISR && reg < APIC_ESR) ||
	       (reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR);
}

/* ---- read ------------------------------------------------------------------------------------ */

static uint32_t reg_read(struct lapic *l, uint32_t reg)
{
	unsigned i = reg >> 4 & 7;

	switch (reg) {
	case APIC_ID: return lapic_is_x2apic(l) ? l->vcpu->apic_id : l->vcpu->apic_id << 24;
	case APIC_VERSION: return VERSION_VALUE;
	case APIC_TPR: return l->tpr;
	case APIC_APR: return lapic_arbitration_priority(l);
	case APIC_PPR: return lapic_ppr(l);
	case APIC_LDR: return l->ldr;
	case APIC_DFR: return l->dfr;
	case APIC_SVR: return l->svr;
	case APIC_ESR: return l->esr;
	case APIC_ICR_LOW: return l->icr_low;
	case APIC_ICR_HIGH: return l->icr_high;
	case APIC_INITIAL_COUNT: return l->initial_count;
	case APIC_CURRENT_COUNT: return lapic_timer_current_locked(l);
	case APIC_DIVIDE: return l->divide;
	}
	if (reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR)
		return l->lvt[(reg - APIC_LVT_TIMER) >> 4];
	if (reg >= APIC_IRR && reg < APIC_ESR)
		return l->irr[i];
	if (reg >= APIC_TMR && reg < APIC_IRR)
		return l->tmr[i];
	if (reg >= APIC_ISR && reg < APIC_TMR)
		return l->isr[i];
	return 0; /* EOI, RRD */
}

/* ---- write ----------------------------------------------------------------------------------- */

/* SDM 3A 11.6.1: the interrupt command. */
static void icr_send(struct lapic *l, struct effect *fx)
{
	uint32_t low = l->icr_low;
	bool is_x2apic = lapic_is_x2apic(l);

	fx->shorthand = low >> 18 & 3;
	fx->msg = (struct apic_msg){
		.dest = is_x2apic ? l->icr_high : l->icr_high >> 24,
		.is_logical = low & ICR_LOGICAL,
		.is_x2apic = is_x2apic,
		/* only INIT has a level: other IPIs are edges whatever is written */
		.is_level = low & ICR_LEVEL && (low >> 8 & 7) == APIC_INIT,
		.is_assert = low & ICR_ASSERT,
		.mode = low >> 8 & 7,
		.vector = (uint8_t)low,
	};
	if (fx->msg.mode == APIC_EXTINT || fx->msg.mode == 3) {
		guest_error(&l->dev, "IPI with reserved delivery mode %u", fx->msg.mode);
		return;
	}
	if (fx->msg.mode <= APIC_LOWEST && fx->msg.vector < FIRST_LEGAL_VECTOR) {
		lapic_set_error_locked(l, ESR_SEND_ILLEGAL);
		return;
	}
	if (fx->shorthand == SHORT_SELF && fx->msg.mode != APIC_FIXED) {
		guest_error(&l->dev, "self IPI with delivery mode %u", fx->msg.mode);
		return;
	}
	fx->has_ipi = true;
}

static void svr_write(struct lapic *l, uint32_t value)
{
	__atomic_store_n(&l->svr,
			 value & (0xff | SVR_ENABLE | SVR_FOCUS_OFF | SVR_NO_EOI_BROADCAST),
			 __ATOMIC_RELAXED);
	if (!(value & SVR_ENABLE)) {
		/* SDM 3A 11.4.7.2: all mask bits are set and stay so */
		for (unsigned i = 0; i < LVT_COUNT; i++)
			l->lvt[i] |= LVT_MASKED;
		lapic_timer_rearm_locked(l);
	}
	lapic_lint_update_locked(l);
}

static void lvt_write(struct lapic *l, enum lvt i, uint32_t value)
{
	uint32_t read_only = l->lvt[i] & LVT_REMOTE_IRR;

	value &= lvt_writable[i];
	if (!(l->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	if (i == LVT_TIMER) {
		lapic_timer_set_lvt_locked(l, value);
		return;
	}
	/* remote IRR lives as long as the entry is level-triggered */
	l->lvt[i] = value | (value & LVT_LEVEL ? read_only : 0);
	lapic_lint_update_locked(l);
}

static void reg_write(struct lapic *l, uint32_t reg, uint32_t value, struct effect *fx)
{
	fx->has_new_taker = reg == APIC_SVR || reg == APIC_LDR || reg == APIC_DFR;
	switch (reg) {
	case APIC_TPR:
		__atomic_store_n(&l->tpr, value & 0xff, __ATOMIC_RELAXED);
		lapic_update_locked(l);
		return;
	case APIC_EOI: fx->eoi = lapic_eoi_locked(l); return;
	case APIC_LDR: __atomic_store_n(&l->ldr, value & 0xff000000, __ATOMIC_RELAXED); return;
	case APIC_DFR: __atomic_store_n(&l->dfr, value | 0x0fffffff, __ATOMIC_RELAXED); return;
	case APIC_SVR: svr_write(l, value); return;
	case APIC_ESR:
		l->esr = l->esr_pending;
		l->esr_pending = 0;
		return;
	case APIC_ICR_LOW:
		l->icr_low = value & ICR_WRITABLE;
		icr_send(l, fx);
		return;
	case APIC_ICR_HIGH: l->icr_high = value & 0xff000000; return;
	case APIC_INITIAL_COUNT: lapic_timer_start_locked(l, value); return;
	case APIC_DIVIDE: lapic_timer_set_divide_locked(l, value); return;
	}
	if (reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR)
		lvt_write(l, (reg - APIC_LVT_TIMER) >> 4, value);
	else
		guest_error(&l->dev, "write to read-only register 0x%x", reg);
}

/* Needs: no lock. */
static void effect_run(struct lapic *l, const struct effect *fx)
{
	if (fx->eoi >= 0)
		apic_bus_eoi(l->bus, (uint8_t)fx->eoi);
	if (fx->has_new_taker)
		apic_bus_takers_changed(l->bus);
	if (!fx->has_ipi)
		return;
	switch (fx->shorthand) {
	case SHORT_SELF: lapic_accept(l, &fx->msg); break;
	case SHORT_NONE: apic_bus_deliver(l->bus, &fx->msg, NULL); break;
	default: {
		struct apic_msg msg = fx->msg;

		msg.dest = msg.is_x2apic ? UINT32_MAX : 0xff;
		msg.is_logical = false;
		apic_bus_deliver(l->bus, &msg, fx->shorthand == SHORT_OTHERS ? l : NULL);
	}
	}
}

/* ---- xAPIC: memory --------------------------------------------------------------------------- */

uint32_t lapic_mmio_read(struct lapic *l, uint32_t offset)
{
	uint32_t value = 0;

	lock_take(&l->dev.lock);
	if (offset & 0xf)
		guest_error(&l->dev, "read of offset 0x%x", offset); /* undefined: 0 */
	else if (reg_exists(offset))
		value = reg_read(l, offset);
	else
		lapic_set_error_locked(l, ESR_ILLEGAL_REGISTER);
	lock_drop(&l->dev.lock);
	return value;
}

void lapic_mmio_write(struct lapic *l, uint32_t offset, uint32_t value)
{
	struct effect fx = { .eoi = -1 };

	lock_take(&l->dev.lock);
	if (offset & 0xf)
		guest_error(&l->dev, "write to offset 0x%x", offset);
	else if (reg_exists(offset))
		reg_write(l, offset, value, &fx);
	else
		lapic_set_error_locked(l, ESR_ILLEGAL_REGISTER);
	lock_drop(&l->dev.lock);
	effect_run(l, &fx);
}

/* ---- x2APIC: MSRs ---------------------------------------------------------------------------- */

/* SDM 3A table 11-6: registers that can be read. */
static bool x2_readable(uint32_t reg)
{
	switch (reg) {
	case APIC_APR:
	case APIC_EOI:
	case APIC_RRD:
	case APIC_DFR:
	case APIC_ICR_HIGH: return false;
	}
	return reg_exists(reg);
}

/* Bits that may be written; 0: the register cannot be. */
static uint64_t x2_writable(uint32_t reg)
{
	switch (reg) {
	case APIC_TPR: return 0xff;
	case APIC_SVR: return 0xff | SVR_ENABLE | SVR_FOCUS_OFF | SVR_NO_EOI_BROADCAST;
	case APIC_ICR_LOW: return UINT64_C(0xffffffff00000000) | ICR_WRITABLE;
	case APIC_INITIAL_COUNT: return UINT32_MAX;
	case APIC_DIVIDE: return 0xb;
	case APIC_SELF_IPI: return 0xff;
	}
	if (reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR)
		return lvt_writable[(reg - APIC_LVT_TIMER) >> 4] | LVT_DELIVERY_STATUS |
		       LVT_REMOTE_IRR;
	return 0;
}

static bool x2_read(struct lapic *l, uint32_t reg, uint64_t *value)
{
	bool ok;

	lock_take(&l->dev.lock);
	ok = lapic_is_x2apic(l) && x2_readable(reg);
	if (ok) {
		*value = reg_read(l, reg);
		if (reg == APIC_ICR_LOW)
			*value |= (uint64_t)l->icr_high << 32;
	}
	lock_drop(&l->dev.lock);
	return ok;
}

static bool x2_write_locked(struct lapic *l, uint32_t reg, uint64_t value, struct effect *fx)
{
	if (!lapic_is_x2apic(l))
		return false;
	if (reg == APIC_EOI || reg == APIC_ESR) { /* only zero may be written */
		if (value)
			return false;
	} else if (!x2_writable(reg) || value & ~x2_writable(reg)) {
		return false;
	}
	if (reg == APIC_SELF_IPI) {
		l->icr_high = 0;
		l->icr_low = (uint32_t)value | SHORT_SELF << 18;
		icr_send(l, fx);
		return true;
	}
	if (reg == APIC_ICR_LOW)
		l->icr_high = (uint32_t)(value >> 32);
	reg_write(l, reg, (uint32_t)value, fx);
	return true;
}

/* SDM 3A 11.12.5, figure 11-27: which states follow which. */
static bool base_write_locked(struct lapic *l, uint64_t value)
{
	uint64_t mode = value & (BASE_EN | BASE_EXTD), old = l->base & (BASE_EN | BASE_EXTD);
	uint64_t known = (BIT(PHYS_BITS) - 0x1000) | BASE_EN | BASE_EXTD | BASE_BSP;

	if (value & ~known || mode == BASE_EXTD)
		return false;
	if (mode & BASE_EXTD && !(old & BASE_EN))
		return false; /* disabled to x2APIC */
	if (mode == BASE_EN && old & BASE_EXTD)
		return false; /* x2APIC to xAPIC */
	if (mode & BASE_EXTD && !l->has_x2apic)
		return false;
	if (mode == BASE_EN && align_down(value, APIC_WINDOW_SIZE) != APIC_WINDOW_BASE)
		guest_error(&l->dev, "APIC base 0x%" PRIx64 " is outside the interrupt window",
			    value);
	__atomic_store_n(&l->base, value, __ATOMIC_RELAXED);
	if (mode != old) {
		/* Entering x2APIC keeps all but the LDR, which becomes a function of the id. */
		uint32_t id = l->vcpu->apic_id;

		if (mode & BASE_EXTD)
			__atomic_store_n(&l->ldr, (id & 0xffff0) << 12 | 1u << (id & 0xf),
					 __ATOMIC_RELAXED);
		else
			lapic_clear_locked(l);
		l->icr_high = 0;
	}
	lapic_update_locked(l);
	return true;
}

bool lapic_read_msr(void *intc, uint32_t msr, uint64_t *value)
{
	struct lapic *l = intc;

	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST)
		return x2_read(l, (msr - MSR_X2APIC) << 4, value);
	if (msr != MSR_APIC_BASE && msr != MSR_TSC_DEADLINE)
		return false;
	lock_take(&l->dev.lock);
	*value = msr == MSR_APIC_BASE ? l->base : l->tsc_deadline;
	lock_drop(&l->dev.lock);
	return true;
}

bool lapic_write_msr(void *intc, uint32_t msr, uint64_t value)
{
	struct effect fx = { .eoi = -1 };
	struct lapic *l = intc;
	bool ok = false;

	lock_take(&l->dev.lock);
	if (msr == MSR_APIC_BASE)
		ok = fx.has_new_taker = base_write_locked(l, value);
	else if (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST)
		ok = x2_write_locked(l, (msr - MSR_X2APIC) << 4, value, &fx);
	lock_drop(&l->dev.lock);
	effect_run(l, &fx);
	return ok;
}
