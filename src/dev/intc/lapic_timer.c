/* dev/intc/lapic_timer.c - the local APIC's timer: one-shot, periodic, TSC deadline.
 *
 * The input clock is 1 GHz (one tick per nanosecond of the machine's clock) before the divider. The
 * count is computed when read; a host timer is armed only when an interrupt can come of it.
 * Specification: SDM 3A 11.5.4.
 * SPDX-License-Identifier: MIT */
#include "dev/intc/apic_internal.h"

/* A periodic timer is not told more often than this: nothing else would run. */
enum { MIN_PERIOD_NS = 20000 };

static int64_t timer_now(const struct lapic *l) { return vclock_now(l->dev.env->clock); }
static unsigned timer_mode(const struct lapic *l) { return l->lvt[LVT_TIMER] >> 17 & 3; }

/* Divide configuration: bits 3,1,0 = 000: by 2 ... 110: by 128, 111: by 1. */
static unsigned timer_shift(const struct lapic *l)
{
	return ((l->divide & 3) + (l->divide >> 1 & 4) + 1) & 7;
}

static int64_t timer_period_ns(const struct lapic *l)
{
	return (int64_t)((uint64_t)l->initial_count << timer_shift(l));
}

uint32_t lapic_timer_current_locked(struct lapic *l)
{
	uint64_t ticks;

	if (!l->initial_count || timer_mode(l) == TIMER_TSC_DEADLINE)
		return 0;
	ticks = (uint64_t)(timer_now(l) - l->count_start_ns) >> timer_shift(l);
	if (timer_mode(l) == TIMER_PERIODIC)
		return l->initial_count - (uint32_t)(ticks % l->initial_count);
	return ticks < l->initial_count ? l->initial_count - (uint32_t)ticks : 0;
}

void lapic_timer_rearm_locked(struct lapic *l)
{
	int64_t now = timer_now(l), deadline = l->expiry_ns, period;

	if (timer_mode(l) == TIMER_PERIODIC) {
		deadline = INT64_MAX;
		if (l->initial_count) {
			period = timer_period_ns(l);
			deadline = now + period - (now - l->count_start_ns) % period;
			if (deadline < now + MIN_PERIOD_NS)
				deadline += MIN_PERIOD_NS / period * period;
		}
	} else if (l->lvt[LVT_TIMER] & LVT_MASKED && deadline <= now) {
		/* it went off unheard */
		l->expiry_ns = deadline = INT64_MAX;
		l->tsc_deadline = 0;
	}
	l->next_ns = l->lvt[LVT_TIMER] & LVT_MASKED ? INT64_MAX : deadline;
	if (l->next_ns == INT64_MAX)
		timer_disarm(&l->timer);
	else
		timer_arm(&l->timer, l->next_ns);
}

void lapic_timer_fn(void *dev)
{
	struct lapic *l = container_of(dev, struct lapic, dev);

	if (timer_mode(l) != TIMER_PERIODIC) {
		if (l->expiry_ns > timer_now(l)) { /* was set anew meanwhile */
			lapic_timer_rearm_locked(l);
			return;
		}
		l->expiry_ns = INT64_MAX;
		l->tsc_deadline = 0;
	} else if (!l->initial_count) {
		return;
	}
	lapic_fire_lvt_locked(l, LVT_TIMER);
	lapic_timer_rearm_locked(l);
}

static void timer_set_expiry(struct lapic *l)
{
	l->expiry_ns = INT64_MAX;
	if (timer_mode(l) == TIMER_ONE_SHOT && l->initial_count)
		l->expiry_ns = l->count_start_ns + timer_period_ns(l);
}

void lapic_timer_start_locked(struct lapic *l, uint32_t initial_count)
{
	if (timer_mode(l) == TIMER_TSC_DEADLINE)
		return; /* SDM 3A 11.5.4.1: ignored */
	l->initial_count = initial_count;
	l->count_start_ns = timer_now(l);
	timer_set_expiry(l);
	lapic_timer_rearm_locked(l);
}

/* The count goes on from where it is, at the new speed. */
static void timer_restart_from(struct lapic *l, uint32_t current)
{
	uint64_t done = (uint64_t)(l->initial_count - current) << timer_shift(l);

	l->count_start_ns = timer_now(l) - (int64_t)done;
}

void lapic_timer_restart_locked(struct lapic *l, uint32_t current)
{
	timer_restart_from(l, current);
	if (current)
		timer_set_expiry(l);
}

void lapic_timer_set_divide_locked(struct lapic *l, uint32_t divide)
{
	uint32_t current = lapic_timer_current_locked(l);
	bool had_expired = l->expiry_ns == INT64_MAX;

	l->divide = divide & 0xb;
	timer_restart_from(l, current);
	if (!had_expired)
		timer_set_expiry(l);
	lapic_timer_rearm_locked(l);
}

void lapic_timer_set_lvt_locked(struct lapic *l, uint32_t lvt)
{
	unsigned old = timer_mode(l), mode = lvt >> 17 & 3;
	uint32_t current = lapic_timer_current_locked(l);

	lapic_timer_rearm_locked(l); /* what expired behind the old mask is gone */
	l->lvt[LVT_TIMER] = lvt;
	if (old == mode) {
		lapic_timer_rearm_locked(l);
		return;
	}
	/* to or from TSC deadline: disarmed (SDM 3A 11.5.4.1); else the count goes on */
	l->tsc_deadline = 0;
	l->expiry_ns = INT64_MAX;
	if (old == TIMER_TSC_DEADLINE || mode == TIMER_TSC_DEADLINE) {
		l->initial_count = 0;
	} else if (current) {
		timer_restart_from(l, current);
		timer_set_expiry(l);
	}
	lapic_timer_rearm_locked(l);
}

void lapic_set_tsc_deadline(void *intc, uint64_t tsc, int64_t deadline_ns)
{
	struct lapic *l = intc;

	lock_take(&l->dev.lock);
	if (timer_mode(l) == TIMER_TSC_DEADLINE) {
		l->tsc_deadline = tsc;
		l->expiry_ns = tsc ? deadline_ns : INT64_MAX;
		lapic_timer_rearm_locked(l);
	}
	lock_drop(&l->dev.lock);
}
