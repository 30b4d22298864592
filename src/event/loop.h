/* event/loop.h - one thread's events: file descriptors, timers, jobs.  The main loop and every
 * I/O thread are the same thing.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct lock;
struct vclock;
struct loop;

struct loop *loop_new(const char *name, struct err *err);
/* Nobody serves it any more and nobody watches through it; jobs that are left are dropped. */
void loop_free(struct loop *l);
/* Serve events in this thread until loop_quit(); jobs posted before that still run.  Context: one
 * thread per loop. */
void loop_run(struct loop *l);
/* One round; waits at most timeout_ns (-1: until something happens).  True if anything was
 * served. */
bool loop_poll(struct loop *l, int64_t timeout_ns);
/* Context: any thread, and async-signal-safe. */
void loop_quit(struct loop *l);
void loop_wake(struct loop *l);
bool loop_is_current(const struct loop *l);
/* Returns when no callback that had begun, or was about to, before the call is running any more.
 * After loop_unwatch(), timer_disarm() or timer_fini() in another thread this is what makes it safe
 * to free what the callback uses, and the timer's lock.  In the loop's own thread: nothing to do.
 * Context: no locks held.  May block. */
void loop_sync(struct loop *l);

/* Watch fd.  events: LOOP_READ | LOOP_WRITE; called in the loop's thread with what is ready
 * (LOOP_HANGUP may come unasked, but not while events is 0).  A regular file is always ready.  One
 * watch per descriptor.  NULL with errno set when the host refuses.  Context: any thread; after
 * loop_unwatch() returns in the loop's own thread the callback is never called again. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };
struct loop_fd;
typedef void loop_fd_fn(void *opaque, unsigned events);
struct loop_fd *loop_watch(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *opaque);
void loop_watch_set(struct loop_fd *w, unsigned events);
void loop_unwatch(struct loop_fd *w);

/* Run fn once in the loop's thread, soon.  Context: any thread. */
typedef void loop_job_fn(void *opaque);
void loop_post(struct loop *l, loop_job_fn *fn, void *opaque);

/* A one-shot timer on a virtual clock (or the host's, with clock NULL).  fn is called in the loop's
 * thread with `lock` (may be NULL) held: a device passes its own lock.  When the virtual clock is
 * stopped its timers wait. */
struct timer {
	struct loop *loop;          /* const after init */
	const struct vclock *clock; /* const after init */
	struct lock *lock;          /* const after init */
	void (*fn)(void *opaque);   /* const after init */
	void *opaque;               /* const after init */
	int64_t deadline_ns;        /* loop.lock; INT64_MAX when not armed */
	uint32_t heap_index;        /* loop.lock; 0 when not armed */
};
void timer_init(struct timer *t, struct loop *l, const struct vclock *clock, struct lock *lock,
		void (*fn)(void *opaque), void *opaque);
/* Arm for an absolute time on the timer's clock.  Context: any thread, also with t->lock held. */
void timer_arm(struct timer *t, int64_t deadline_ns);
/* With t->lock held the callback will not be called any more, even if it was due. */
void timer_disarm(struct timer *t);
bool timer_is_armed(const struct timer *t);
/* Disarm and forget.  Context: with t->lock held, or where the callback cannot be running.  The
 * loop may still be waiting for t->lock: before the lock itself goes, loop_sync(). */
void timer_fini(struct timer *t);

/* When the next timer on clock is due, on that clock; INT64_MAX: none is armed.  Context: any
 * thread. */
int64_t loop_next_deadline(struct loop *l, const struct vclock *clock);
/* Move a clock that is set by hand on to until_ns, and call each timer when its time has come: the
 * clock shows just that then.  Timers of other clocks that are due are called too.  Context: l's
 * thread, not in a timer's callback. */
void loop_warp(struct loop *l, struct vclock *clock, int64_t until_ns);

/* The clock changed by hand or was started: recompute when to wake.  Context: any thread. */
void loop_clock_changed(struct loop *l);
