/* accel/tcg/exclusive.c - stop the world: for atomic accesses that no host instruction can do.
 * SPDX-License-Identifier: MIT */
#include "accel/tcg/tcg.h"

void tcg_exclusive_init(struct tcg_exclusive *x)
{
	lock_init(&x->lock, LOCK_TCG, "tcg exclusive");
	lock_cond_init(&x->cond);
	x->running = 0;
	x->is_active = false;
}

void tcg_exclusive_fini(struct tcg_exclusive *x)
{
	pthread_cond_destroy(&x->cond);
	lock_fini(&x->lock);
}

/* Needs x->lock. */
static void enter_locked(struct tcg_exclusive *x)
{
	while (x->is_active)
		lock_wait(&x->lock, &x->cond, INT64_MAX);
	x->running++;
}

static void leave_locked(struct tcg_exclusive *x)
{
	x->running--;
	if (x->is_active)
		pthread_cond_broadcast(&x->cond);
}

void tcg_enter(struct tcg_accel *t)
{
	lock_take(&t->exclusive.lock);
	enter_locked(&t->exclusive);
	lock_drop(&t->exclusive.lock);
}

void tcg_leave(struct tcg_accel *t)
{
	lock_take(&t->exclusive.lock);
	leave_locked(&t->exclusive);
	lock_drop(&t->exclusive.lock);
}

static void kick_others(struct tcg_accel *t)
{
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		if (tv->v != vcpu_current())
			atomic_fetch_or(tv->v->exit_request, VCPU_EXIT_WORK);
	lock_drop(&t->vcpus_lock);
}

void tcg_exclusive_begin(struct tcg_accel *t)
{
	struct tcg_exclusive *x = &t->exclusive;

	lock_take(&x->lock);
	leave_locked(x);
	while (x->is_active)
		lock_wait(&x->lock, &x->cond, INT64_MAX);
	x->is_active = true;
	lock_drop(&x->lock);
	kick_others(t);
	lock_take(&x->lock);
	while (x->running)
		lock_wait(&x->lock, &x->cond, INT64_MAX);
	lock_drop(&x->lock);
}

void tcg_exclusive_end(struct tcg_accel *t)
{
	struct tcg_exclusive *x = &t->exclusive;

	lock_take(&x->lock);
	x->is_active = false;
	x->running++;
	pthread_cond_broadcast(&x->cond);
	lock_drop(&x->lock);
}
