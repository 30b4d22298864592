/* memory/rcu.c - registration of reader threads, retiring of old copies, and a thread that asks
 * readers who stay inside to leave while something retired waits.
 * SPDX-License-Identifier: MIT */
#include "memory/rcu.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/err.h"

__thread bool rcu_is_registered;
#if HAS_THREAD_SANITIZER
char rcu_reader_tag;
#endif

/* Process-wide, as liburcu's own registry is: its destructor runs as each reader thread ends. */
static pthread_key_t reader_key;
static pthread_once_t reader_once = PTHREAD_ONCE_INIT;

static void reader_end(void *unused)
{
	(void)unused;
	rcu_thread_unregister();
}

static void reader_setup(void)
{
	int error = pthread_key_create(&reader_key, reader_end);

	assert(!error);
	(void)error;
}

void rcu_thread_register(void)
{
	if (rcu_is_registered)
		return;
	pthread_once(&reader_once, reader_setup);
	rcu_register_thread();
	rcu_is_registered = true;
	pthread_setspecific(reader_key, &rcu_is_registered);
}

void rcu_thread_unregister(void)
{
	if (!rcu_is_registered)
		return;
	rcu_is_registered = false;
	rcu_unregister_thread();
	pthread_setspecific(reader_key, NULL);
}

/* ---- pushers ---- */

enum { PUSH_NS = 10 * 1000 * 1000 };

/* Process-wide, as grace periods are. */
static struct {
	pthread_mutex_t lock;
	struct rcu_pusher *list; /* lock */
	pthread_t thread;        /* main thread */
	bool has_semaphore;      /* main thread */
	sem_t asked;             /* posted when is_asked becomes true, and to end */
	atomic_bool is_there;    /* the thread runs */
	atomic_bool is_asked;    /* something was retired since the thread last looked */
	atomic_bool must_end;
	_Atomic unsigned waits; /* threads in rcu_wait() and rcu_drain() */
} pushing = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void push_ask(void)
{
	if (atomic_load(&pushing.is_there) && !atomic_exchange(&pushing.is_asked, true))
		sem_post(&pushing.asked);
}

struct push_marker {
	struct rcu_head head;
	atomic_bool is_done;
};

static void push_done(struct rcu_head *head)
{
	rcu_reclaim();
	atomic_store(&((struct push_marker *)(void *)head)->is_done, true);
}

/* What was retired is called in order: a callback of our own comes after all that waits now. */
static void push_until_done(void)
{
	const struct timespec pause = { .tv_nsec = PUSH_NS };
	struct push_marker m = { .is_done = false };

	atomic_store(&pushing.is_asked, false);
	RCU_TSAN(release);
	call_rcu(&m.head, push_done);
	for (;;) {
		nanosleep(&pause, NULL);
		if (atomic_load(&m.is_done) && !atomic_load(&pushing.waits))
			return;
		pthread_mutex_lock(&pushing.lock);
		for (struct rcu_pusher *p = pushing.list; p; p = p->next)
			p->push(p);
		pthread_mutex_unlock(&pushing.lock);
	}
}

static void *push_main(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "rcu push");
	rcu_thread_register();
	for (;;) {
		while (sem_wait(&pushing.asked) < 0)
			;
		if (atomic_load(&pushing.must_end))
			return NULL;
		push_until_done();
	}
}

static bool push_start(struct err *err)
{
	sigset_t all, old;
	int error;

	if (!pushing.has_semaphore)
		sem_init(&pushing.asked, 0, 0);
	pushing.has_semaphore = true;
	atomic_store(&pushing.must_end, false);
	atomic_store(&pushing.is_asked, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&pushing.thread, NULL, push_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return err_errno(err, error, "cannot create a thread");
	atomic_store(&pushing.is_there, true);
	push_ask(); /* for what waits already */
	return true;
}

bool rcu_pusher_add(struct rcu_pusher *p, struct err *err)
{
	bool is_first;

	pthread_mutex_lock(&pushing.lock);
	is_first = !pushing.list;
	p->next = pushing.list;
	pushing.list = p;
	pthread_mutex_unlock(&pushing.lock);
	if (!is_first || push_start(err))
		return true;
	pushing.list = NULL;
	return false;
}

void rcu_pusher_remove(struct rcu_pusher *p)
{
	struct rcu_pusher **at = &pushing.list;
	bool is_last;

	pthread_mutex_lock(&pushing.lock);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	is_last = !pushing.list;
	pthread_mutex_unlock(&pushing.lock);
	if (!is_last)
		return;
	atomic_store(&pushing.is_there, false);
	atomic_store(&pushing.must_end, true);
	sem_post(&pushing.asked);
	pthread_join(pushing.thread, NULL);
	/* The semaphore stays: who saw is_there may be about to post. */
}

/* ---- retiring ---- */

void rcu_retire(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	/* call_rcu() reads itself: its caller must be a registered thread. */
	rcu_thread_register();
	RCU_TSAN(release);
	call_rcu(head, fn);
	push_ask();
}

void rcu_wait(void)
{
	rcu_thread_register();
	atomic_fetch_add(&pushing.waits, 1);
	push_ask();
	synchronize_rcu();
	atomic_fetch_sub(&pushing.waits, 1);
	rcu_reclaim();
}

void rcu_drain(void)
{
	rcu_thread_register();
	atomic_fetch_add(&pushing.waits, 1);
	push_ask();
	synchronize_rcu();
	rcu_barrier();
	atomic_fetch_sub(&pushing.waits, 1);
}
