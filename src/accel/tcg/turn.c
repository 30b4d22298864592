/* accel/tcg/turn.c - thread=single: vCPUs keep their threads, but one runs at a time.
 *
 * Turns are served in the order they were asked for.  A vCPU that halts or parks gives its turn
 * back, so that only those with something to do take one.  Who waits asks the holder to leave when
 * its slice is over; a vCPU alone is never disturbed.
 * SPDX-License-Identifier: MIT */
#include <time.h>

#include "accel/tcg/tcg.h"

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t slice_end(void) { return now_ns() + TCG_SLICE_MS * INT64_C(1000000); }

void tcg_turn_init(struct tcg_turn *t)
{
	lock_init(&t->lock, LOCK_TCG, "tcg turn");
	lock_cond_init(&t->cond);
	t->next = t->now = 0;
	t->holder = NULL;
}

void tcg_turn_fini(struct tcg_turn *t)
{
	pthread_cond_destroy(&t->cond);
	lock_fini(&t->lock);
}

void tcg_turn_take(struct tcg_turn *t, struct vcpu *v)
{
	uint64_t ticket;

	lock_take(&t->lock);
	ticket = t->next++;
	while (ticket != t->now) {
		if (lock_wait(&t->lock, &t->cond, t->ends_ns) || ticket == t->now)
			continue;
		/* Between two holders there is nobody to ask. */
		if (t->holder)
			atomic_fetch_or(t->holder->exit_request, VCPU_EXIT_TURN);
		t->ends_ns = slice_end();
	}
	t->holder = v;
	t->ends_ns = slice_end();
	lock_drop(&t->lock);
}

void tcg_turn_drop(struct tcg_turn *t)
{
	lock_take(&t->lock);
	t->holder = NULL;
	t->now++;
	t->ends_ns = slice_end();
	pthread_cond_broadcast(&t->cond);
	lock_drop(&t->lock);
}
