/* event/loop_impl.h - inside of a loop, shared by loop.c and timer.c.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "event/loop.h"
#include "event/notifier.h"

struct loop_job;

/* The armed timers of one clock, soonest first (a binary heap; slot 0 is not used).  Clocks stop
 * and start on their own, so deadlines of two clocks have no order. */
struct timer_heap {
	struct timer_heap *next;
	const struct vclock *clock;
	struct timer **slots;
	uint32_t count, capacity;
};

struct loop {
	char *name;             /* const */
	int epoll_fd;           /* const */
	struct notifier wakeup; /* const */
	struct loop_fd *wakeup_watch;

	_Atomic bool is_woken;  /* atomic: wakeup is signalled, or about to be */
	_Atomic bool must_quit; /* atomic */

	struct lock lock;      /* rank LOCK_LOOP */
	pthread_cond_t served; /* a round of callbacks has ended */
	/* lock: host time at which the thread wakes by itself; INT64_MIN while it is awake and
	 * will look at everything before it sleeps. */
	int64_t wake_ns;
	unsigned depth;                     /* lock: callbacks on the loop thread's stack */
	uint64_t round;                     /* lock: how often depth fell to 0 */
	struct loop_job *jobs, **jobs_tail; /* lock */
	struct loop_fd *watches;            /* lock: all that live */
	struct loop_fd *dead;     /* lock: unwatched, the current round may still know them */
	unsigned always_ready;    /* lock: live watches epoll refuses, with events != 0 */
	struct timer_heap *heaps; /* lock */
	struct timer *pending;    /* lock: its callback is about to be called */
};

/* Around every callback of the loop. */
void loop_enter(struct loop *l);
void loop_leave(struct loop *l);
/* Wake the thread if it would sleep beyond host_ns.  Needs: l->lock. */
void loop_wake_by_locked(struct loop *l, int64_t host_ns);

/* When the next timer is due, as host time; INT64_MAX: none will be.  Needs: l->lock. */
int64_t loop_next_timer_locked(struct loop *l, int64_t host_ns);
/* Call what is due.  Context: loop thread. */
bool loop_run_timers(struct loop *l);
void loop_free_timers(struct loop *l);
