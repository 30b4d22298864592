/* event/timer.c - the timers of a loop.
 *
 * A callback runs with the timer's own lock (rank of a device), which ranks below the loop's: the
 * loop notes the timer as pending, drops its own lock, takes the timer's, and then looks again
 * whether it is still wanted.  Whoever disarms, re-arms or ends the timer meanwhile takes the note
 * away; as he holds the timer's lock, the callback is not called after he is done.
 * SPDX-License-Identifier: MIT */
#include <assert.h>

#include <glib.h>

#include "base/lock.h"
#include "base/log.h"
#include "event/clock.h"
#include "event/loop.h"
#include "event/loop_impl.h"

enum { HEAP_MIN_SLOTS = 16 };

/* ---- heap ------------------------------------------------------------------------------------ */

static void heap_put(struct timer_heap *h, uint32_t i, struct timer *t)
{
	h->slots[i] = t;
	t->heap_index = i;
}

static void heap_sift_up(struct timer_heap *h, uint32_t i, struct timer *t)
{
	for (; i > 1 && h->slots[i / 2]->deadline_ns > t->deadline_ns; i /= 2)
		heap_put(h, i, h->slots[i / 2]);
	heap_put(h, i, t);
}

static void heap_sift_down(struct timer_heap *h, uint32_t i, struct timer *t)
{
	for (;;) {
		uint32_t child = 2 * i;

		if (child > h->count)
			break;
		if (child < h->count &&
		    h->slots[child + 1]->deadline_ns < h->slots[child]->deadline_ns)
			child++;
		if (h->slots[child]->deadline_ns >= t->deadline_ns)
			break;
		heap_put(h, i, h->slots[child]);
		i = child;
	}
	heap_put(h, i, t);
}

static void heap_insert(struct timer_heap *h, struct timer *t)
{
	if (h->count + 1 >= h->capacity) {
		h->capacity = h->capacity ? 2 * h->capacity : HEAP_MIN_SLOTS;
		h->slots = g_renew(struct timer *, h->slots, h->capacity);
	}
	h->count++;
	heap_sift_up(h, h->count, t);
}

static void heap_remove(struct timer_heap *h, struct timer *t)
{
	uint32_t i = t->heap_index;
	struct timer *last = h->slots[h->count--];

	t->heap_index = 0;
	if (last == t)
		return;
	if (i > 1 && h->slots[i / 2]->deadline_ns > last->deadline_ns)
		heap_sift_up(h, i, last);
	else
		heap_sift_down(h, i, last);
}

static struct timer_heap **heap_find(struct loop *l, const struct vclock *clock)
{
	struct timer_heap **h = &l->heaps;

	while (*h && (*h)->clock != clock)
		h = &(*h)->next;
	return h;
}

/* Take t out; a heap without timers goes, as its clock may. */
static void remove_locked(struct loop *l, struct timer *t)
{
	struct timer_heap **at = heap_find(l, t->clock), *h = *at;

	heap_remove(h, t);
	t->deadline_ns = INT64_MAX;
	if (h->count)
		return;
	*at = h->next;
	g_free(h->slots);
	g_free(h);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Host time when a clock reaches deadline_ns; INT64_MAX: not by itself. */
static int64_t host_deadline(const struct vclock *clock, int64_t deadline_ns, int64_t host_ns)
{
	int64_t now, left;

	if (!clock)
		return deadline_ns;
	if (!vclock_is_running(clock))
		return INT64_MAX;
	now = vclock_now(clock);
	if (deadline_ns <= now)
		return host_ns;
	if (vclock_is_manual(clock) || __builtin_sub_overflow(deadline_ns, now, &left) ||
	    __builtin_add_overflow(host_ns, left, &deadline_ns))
		return INT64_MAX;
	return deadline_ns;
}

int64_t loop_next_timer_locked(struct loop *l, int64_t host_ns)
{
	int64_t next = INT64_MAX;

	for (struct timer_heap *h = l->heaps; h; h = h->next) {
		int64_t at = host_deadline(h->clock, h->slots[1]->deadline_ns, host_ns);

		if (at < next)
			next = at;
	}
	return next;
}

/* By how much t is late on its clock; negative: it is not due. */
static int64_t lateness_locked(const struct timer *t)
{
	int64_t now, late;

	if (t->clock && !vclock_is_running(t->clock))
		return INT64_MIN;
	now = t->clock ? vclock_now(t->clock) : clock_host_ns();
	if (__builtin_sub_overflow(now, t->deadline_ns, &late))
		return now > t->deadline_ns ? INT64_MAX : INT64_MIN;
	return late;
}

/* Of all clocks' first timers the one that is latest, if any is due. */
static struct timer *first_due_locked(struct loop *l)
{
	struct timer *first = NULL;
	int64_t latest = -1;

	for (struct timer_heap *h = l->heaps; h; h = h->next) {
		int64_t late = lateness_locked(h->slots[1]);

		if (late > latest) {
			latest = late;
			first = h->slots[1];
		}
	}
	return first;
}

/* ---- calling --------------------------------------------------------------------------------- */

/* Call t, which was found due, unless somebody changes it first.  Takes and drops l->lock, which is
 * held; false if nothing was called. */
static bool fire_locked(struct loop *l, struct timer *t)
{
	struct lock *lock = t->lock;
	void (*fn)(void *) = NULL;
	void *opaque = NULL;

	l->pending = t;
	if (lock) {
		lock_drop(&l->lock);
		lock_take(lock);
		lock_take(&l->lock);
	}
	/* From here on t may be gone, unless it is still pending. */
	if (l->pending == t && lateness_locked(t) >= 0) {
		fn = t->fn;
		opaque = t->opaque;
		remove_locked(l, t);
	}
	l->pending = NULL;
	lock_drop(&l->lock);
	if (fn) {
		TRACE(loop_timer, "loop=%s opaque=%p", l->name, opaque);
		fn(opaque);
	}
	if (lock)
		lock_drop(lock);
	lock_take(&l->lock);
	return fn;
}

bool loop_run_timers(struct loop *l)
{
	unsigned budget = 0;
	bool has_served = false;
	struct timer *t;

	lock_take(&l->lock);
	/* As many as are armed now: one that is always due must not keep descriptors waiting. */
	for (struct timer_heap *h = l->heaps; h; h = h->next)
		budget += h->count;
	while (budget-- > 0 && (t = first_due_locked(l)))
		has_served |= fire_locked(l, t);
	lock_drop(&l->lock);
	return has_served;
}

void loop_free_timers(struct loop *l)
{
	while (l->heaps) {
		struct timer_heap *h = l->heaps;

		l->heaps = h->next;
		g_free(h->slots);
		g_free(h);
	}
}

/* ---- for everyone ---------------------------------------------------------------------------- */

void timer_init(struct timer *t, struct loop *l, const struct vclock *clock, struct lock *lock,
		void (*fn)(void *opaque), void *opaque)
{
	*t = (struct timer){
		.loop = l,
		.clock = clock,
		.lock = lock,
		.fn = fn,
		.opaque = opaque,
		.deadline_ns = INT64_MAX,
	};
}

static void disarm_locked(struct timer *t)
{
	if (t->loop->pending == t)
		t->loop->pending = NULL;
	if (t->heap_index)
		remove_locked(t->loop, t);
}

void timer_arm(struct timer *t, int64_t deadline_ns)
{
	struct loop *l = t->loop;
	struct timer_heap **at;

	lock_take(&l->lock);
	disarm_locked(t);
	at = heap_find(l, t->clock);
	if (!*at) {
		*at = g_new0(struct timer_heap, 1);
		(*at)->clock = t->clock;
	}
	t->deadline_ns = deadline_ns;
	heap_insert(*at, t);
	if (t->heap_index == 1)
		loop_wake_by_locked(l, host_deadline(t->clock, deadline_ns, clock_host_ns()));
	lock_drop(&l->lock);
}

void timer_disarm(struct timer *t)
{
	lock_take(&t->loop->lock);
	disarm_locked(t);
	lock_drop(&t->loop->lock);
}

int64_t loop_next_deadline(struct loop *l, const struct vclock *clock)
{
	struct timer_heap *h;
	int64_t next;

	lock_take(&l->lock);
	h = *heap_find(l, clock);
	next = h ? h->slots[1]->deadline_ns : INT64_MAX;
	lock_drop(&l->lock);
	return next;
}

void loop_warp(struct loop *l, struct vclock *clock, int64_t until_ns)
{
	while (vclock_is_running(clock)) {
		int64_t next = loop_next_deadline(l, clock), now = vclock_now(clock);

		/* One that arms itself for a time that has come does not keep the clock there. */
		vclock_set(clock, MIN(next <= now ? now + 1 : next, until_ns));
		loop_run_timers(l);
		if (vclock_now(clock) >= until_ns)
			return;
	}
	vclock_set(clock, until_ns);
}

bool timer_is_armed(const struct timer *t)
{
	bool is_armed;

	lock_take(&t->loop->lock);
	is_armed = t->heap_index != 0;
	lock_drop(&t->loop->lock);
	return is_armed;
}

void timer_fini(struct timer *t)
{
	if (!t->loop)
		return;
	timer_disarm(t);
	t->loop = NULL;
}
