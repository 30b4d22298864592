/* base/lock.c - ranked mutexes.
 *
 * Each thread remembers what it holds; taking a lock that is not above all of it ends the process
 * with the names of both.  The check costs a few loads and is there in every build but b_ndebug's.
 * SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum { HELD_MAX = 16, NS_PER_S = 1000000000 };

#ifndef NDEBUG

/* What this thread holds, in the order taken; ranks rise.  Per thread: nobody else looks. */
static __thread struct {
	const struct lock *locks[HELD_MAX];
	unsigned count;
} held;

static void held_push(const struct lock *l)
{
	const struct lock *top = held.count ? held.locks[held.count - 1] : NULL;

	if (top && top->rank >= l->rank) {
		log_line("lock order broken: '%s' (rank %d) wanted while '%s' (rank %d) is held",
			 l->name, l->rank, top->name, top->rank);
		abort();
	}
	assert(held.count < HELD_MAX);
	held.locks[held.count++] = l;
}

/* Locks may be dropped in any order; what is left keeps rising. */
static void held_pop(const struct lock *l)
{
	unsigned i = held.count;

	if (i > 0 && held.locks[i - 1] == l) { /* mostly */
		held.count--;
		return;
	}
	while (i > 0 && held.locks[i - 1] != l)
		i--;
	if (i == 0) {
		log_line("lock '%s' dropped by a thread that does not hold it", l->name);
		abort();
	}
	for (; i < held.count; i++)
		held.locks[i - 1] = held.locks[i];
	held.count--;
}

bool lock_held(const struct lock *l)
{
	for (unsigned i = 0; i < held.count; i++)
		if (held.locks[i] == l)
			return true;
	return false;
}

#else

static void held_push(const struct lock *l) { (void)l; }
static void held_pop(const struct lock *l) { (void)l; }

bool lock_held(const struct lock *l)
{
	(void)l;
	return true;
}

#endif

/* The mutex calls below fail only when the caller is wrong. */
static void must(int error)
{
	if (error)
		abort();
}

void lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	must(pthread_mutex_init(&l->mutex, NULL));
	l->name = name;
	l->rank = (int)rank;
}

void lock_fini(struct lock *l) { must(pthread_mutex_destroy(&l->mutex)); }

void lock_take(struct lock *l)
{
	held_push(l); /* before: a thread that would wait for itself is told, not hung */
	must(pthread_mutex_lock(&l->mutex));
}

void lock_drop(struct lock *l)
{
	held_pop(l);
	must(pthread_mutex_unlock(&l->mutex));
}

bool lock_wait(struct lock *l, pthread_cond_t *cond, long long abs_ns)
{
	struct timespec ts;
	int error;

	assert(lock_held(l));
	if (abs_ns == INT64_MAX) {
		must(pthread_cond_wait(cond, &l->mutex));
		return true;
	}
	if (abs_ns < 0)
		abs_ns = 0;
	ts.tv_sec = (time_t)(abs_ns / NS_PER_S);
	ts.tv_nsec = (long)(abs_ns % NS_PER_S);
	error = pthread_cond_timedwait(cond, &l->mutex, &ts);
	if (error != ETIMEDOUT)
		must(error);
	return error == 0;
}

void lock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr));
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	must(pthread_cond_init(cond, &attr));
	pthread_condattr_destroy(&attr);
}
