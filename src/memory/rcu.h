/* memory/rcu.h - read-copy-update for what vCPUs look up without a lock (liburcu, memb flavour).
 *
 * Any thread may read: it is registered at its first rcu_enter() and unregistered when it ends.
 * Writers never wait for readers (a reader may itself be the writer: a vCPU moving a BAR): they
 * publish, and retire the old copy with rcu_retire().
 * SPDX-License-Identifier: MIT */
#pragma once

#define _LGPL_SOURCE /* the read side inline */
#include <stdbool.h>
#include <urcu.h>

#include "base/sanitizer.h"

struct err;

extern __thread bool rcu_is_registered;

/* Done by rcu_enter() when needed; by hand only to have it over before a fast path. */
void rcu_thread_register(void);
void rcu_thread_unregister(void);

/* What was loaded with rcu_fetch() in between stays valid until the leave.  Nests. */
static inline void rcu_enter(void)
{
	if (__builtin_expect(!rcu_is_registered, 0))
		rcu_thread_register();
	rcu_read_lock();
}

/* The thread sanitizer does not see what orders readers before the reclaiming: told here. */
#if HAS_THREAD_SANITIZER
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define RCU_TSAN(what) __tsan_##what(&rcu_reader_tag)
extern char rcu_reader_tag;
#else
#define RCU_TSAN(what) ((void)0)
#endif

static inline void rcu_leave(void)
{
	RCU_TSAN(release);
	rcu_read_unlock();
}

/* Begins a callback of rcu_retire(). */
static inline void rcu_reclaim(void) { RCU_TSAN(acquire); }

/* Publish a pointer for readers; read one (inside rcu_enter()). */
#define rcu_publish(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
#define rcu_fetch(p)      __atomic_load_n(&(p), __ATOMIC_ACQUIRE)

/* Call fn, in a thread of liburcu's, when no reader can hold what embeds head any more. */
void rcu_retire(struct rcu_head *head, void (*fn)(struct rcu_head *head));
/* Wait until all who are inside now have left; who stays is asked to (rcu_pusher), every 10 ms.
 * Context: not inside a reader. */
void rcu_wait(void);
/* Wait until everything retired so far is gone.  Context: not inside a reader. */
void rcu_drain(void);

/* For readers that stay inside for as long as they are left alone (vCPUs in translated code):
 * push() is called every 10 ms while something retired waits for readers, and asks them to leave
 * for a moment.  Context of push: a thread of its own, takes leaf locks only; of add and remove:
 * the main thread, no locks.  Add may fail for want of a thread. */
struct rcu_pusher {
	void (*push)(struct rcu_pusher *p);
	struct rcu_pusher *next; /* rcu.c's */
};
bool rcu_pusher_add(struct rcu_pusher *p, struct err *err);
void rcu_pusher_remove(struct rcu_pusher *p);
