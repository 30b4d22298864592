/* dev/intc/lapic_image.c - a local APIC's state goes to an accelerator that has such a chip, and
 * comes back (cpu/pc_chips.h).
 *
 * A timer that runs travels as what is left of it.  What LINT0 and LINT1 carry stays here.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/pc_chips.h"
#include "dev/intc/apic_internal.h"

#define POKE(member, v) __atomic_store_n(&(member), (v), __ATOMIC_RELAXED)

static uint32_t *at(struct lapic_image *image, unsigned offset) { return &image->reg[offset >> 4]; }

static uint32_t get(const struct lapic_image *image, unsigned offset)
{
	return image->reg[offset >> 4];
}

static void vectors_lend(struct lapic_image *image, unsigned offset, const uint32_t *from)
{
	for (unsigned i = 0; i < 8; i++)
		image->reg[(offset >> 4) + i] = from[i];
}

static void vectors_return(uint32_t *to, const struct lapic_image *image, unsigned offset)
{
	for (unsigned i = 0; i < 8; i++)
		POKE(to[i], image->reg[(offset >> 4) + i]);
}

/* A one-shot that is over has no initial count there: it would begin again. */
static void timer_lend(struct lapic *l, struct lapic_image *image)
{
	bool is_periodic = (l->lvt[LVT_TIMER] & LVT_TIMER_MODE) == TIMER_PERIODIC << 17;
	uint32_t current = lapic_timer_current_locked(l);

	/* It is due, and the loop has not told yet. */
	if (l->next_ns <= vclock_now(l->dev.env->clock) ||
	    (!is_periodic && !current && l->expiry_ns != INT64_MAX && !l->tsc_deadline)) {
		lapic_timer_fn(&l->dev);
		current = is_periodic ? lapic_timer_current_locked(l) : 0;
	}
	*at(image, APIC_DIVIDE) = l->divide;
	if (current && (is_periodic || l->expiry_ns != INT64_MAX)) {
		*at(image, APIC_INITIAL_COUNT) = l->initial_count;
		*at(image, APIC_CURRENT_COUNT) = current;
	}
	image->deadline = l->tsc_deadline;
	image->deadline_ns = l->expiry_ns;
}

void lapic_lend(void *intc, struct lapic_image *image)
{
	struct lapic *l = intc;

	lock_take(&l->dev.lock);
	lapic_timer_rearm_locked(l); /* what went off behind its mask is gone */
	*image = (struct lapic_image){ .base = l->base };
	timer_lend(l, image);
	*at(image, APIC_ID) = lapic_is_x2apic(l) ? l->vcpu->apic_id : l->vcpu->apic_id << 24;
	*at(image, APIC_TPR) = l->tpr;
	*at(image, APIC_LDR) = l->ldr;
	*at(image, APIC_DFR) = l->dfr;
	*at(image, APIC_SVR) = l->svr;
	*at(image, APIC_ESR) = l->esr;
	*at(image, APIC_ICR_LOW) = l->icr_low;
	*at(image, APIC_ICR_HIGH) = l->icr_high;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		*at(image, APIC_LVT_TIMER + 0x10 * i) = l->lvt[i];
	vectors_lend(image, APIC_ISR, l->isr);
	vectors_lend(image, APIC_TMR, l->tmr);
	vectors_lend(image, APIC_IRR, l->irr);
	timer_disarm(&l->timer);
	l->is_lent = true;
	lapic_update_locked(l);
	lock_drop(&l->dev.lock);
}

/* One that has run out is told (again): whether the vCPU has heard of it cannot be seen. */
static void timer_return(struct lapic *l, const struct lapic_image *image, bool goes_on)
{
	uint32_t initial = get(image, APIC_INITIAL_COUNT), left = get(image, APIC_CURRENT_COUNT);
	unsigned mode = l->lvt[LVT_TIMER] >> 17 & 3;

	l->divide = get(image, APIC_DIVIDE) & 0xb;
	l->initial_count = mode == TIMER_TSC_DEADLINE ? 0 : initial;
	l->expiry_ns = INT64_MAX;
	l->tsc_deadline = 0;
	lapic_timer_restart_locked(l, left < initial ? left : initial);
	if (mode == TIMER_TSC_DEADLINE && image->deadline) {
		l->tsc_deadline = image->deadline;
		l->expiry_ns = image->deadline_ns;
	} else if (mode == TIMER_ONE_SHOT && initial && !left) {
		l->expiry_ns = vclock_now(l->dev.env->clock);
	}
	if (goes_on)
		lapic_timer_rearm_locked(l);
}

void lapic_return(void *intc, const struct lapic_image *image, enum pc_chip_return how)
{
	struct lapic *l = intc;

	lock_take(&l->dev.lock);
	POKE(l->base, image->base);
	POKE(l->tpr, get(image, APIC_TPR) & 0xff);
	POKE(l->ldr, get(image, APIC_LDR));
	POKE(l->dfr, get(image, APIC_DFR) | 0x0fffffff);
	POKE(l->svr, get(image, APIC_SVR));
	l->esr = get(image, APIC_ESR);
	l->esr_pending = 0;
	l->icr_low = get(image, APIC_ICR_LOW);
	l->icr_high = get(image, APIC_ICR_HIGH);
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = get(image, APIC_LVT_TIMER + 0x10 * i);
	vectors_return(l->isr, image, APIC_ISR);
	vectors_return(l->tmr, image, APIC_TMR);
	vectors_return(l->irr, image, APIC_IRR);
	l->has_extint = false;
	timer_return(l, image, how == PC_CHIP_GO_ON);
	if (how == PC_CHIP_GO_ON) {
		l->is_lent = false;
		lapic_update_locked(l);
	}
	lock_drop(&l->dev.lock);
}
