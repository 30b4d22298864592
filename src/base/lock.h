/* base/lock.h - mutexes with a rank, so that lock order is checked, not hoped for.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <pthread.h>
#include <stdbool.h>

/* A thread may only take a lock of a higher rank than every lock it holds (two of one rank never
 * nest).  docs/locking.md lists every lock; debug builds (b_ndebug=false) assert the order. */
enum lock_rank {
	LOCK_MACHINE = 10,  /* machine set-up, topology changes */
	LOCK_DEVICE = 20,   /* one device's registers */
	LOCK_MEMORY = 25,   /* region trees: taken by whoever changes them, never by readers */
	LOCK_INTC = 30,     /* interrupt controllers: reached from any device through irq_set() */
	LOCK_INTC_CPU = 35, /* one vCPU's own controller: reached from other controllers */
	LOCK_VCPU = 40,     /* a vCPU's run state and pending work */
	LOCK_TCG = 45,      /* translation cache */
	LOCK_BACKEND = 50,  /* chardev, block and net queues */
	LOCK_LOOP = 60,     /* event loop: timers, jobs */
	LOCK_LEAF = 70,     /* nothing is called with it held */
};

struct lock {
	pthread_mutex_t mutex;
	const char *name;
	int rank;
};

void lock_init(struct lock *l, enum lock_rank rank, const char *name);
void lock_fini(struct lock *l);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);
/* True when this thread holds l.  Always true in builds without checks. */
bool lock_held(const struct lock *l);
/* cond wait with l held; abs_ns on CLOCK_MONOTONIC, or INT64_MAX.  False on timeout. */
bool lock_wait(struct lock *l, pthread_cond_t *cond, long long abs_ns);
/* A condition variable on CLOCK_MONOTONIC, for lock_wait(). */
void lock_cond_init(pthread_cond_t *cond);
