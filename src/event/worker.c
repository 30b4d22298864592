/* event/worker.c - a pool of threads for work that blocks.
 *
 * The first thread starts with the pool, so that a host that gives none is told at once; others
 * start when work waits and nobody is idle.
 * SPDX-License-Identifier: MIT */
#include "event/worker.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "base/err.h"
#include "base/lock.h"
#include "event/loop.h"
#include "event/thread.h"

struct work {
	struct work *next;
	struct loop *loop;
	void (*fn)(void *);
	void (*done)(void *);
	void *opaque;
};

struct worker_pool {
	struct lock lock;          /* rank LOCK_LEAF */
	pthread_cond_t more;       /* work, or must_end */
	struct work *head, **tail; /* lock */
	unsigned waiting;          /* lock: pieces in the queue */
	unsigned idle;             /* lock */
	unsigned thread_count;     /* lock */
	unsigned max_threads;      /* const */
	bool must_end;             /* lock */
	pthread_t *threads;        /* lock; max_threads of them */
};

static struct work *next_locked(struct worker_pool *p)
{
	struct work *w;

	p->idle++;
	while (!p->head && !p->must_end)
		lock_wait(&p->lock, &p->more, INT64_MAX);
	p->idle--;
	w = p->head;
	if (!w)
		return NULL;
	p->head = w->next;
	if (!p->head)
		p->tail = &p->head;
	p->waiting--;
	return w;
}

static void *worker_main(void *opaque)
{
	struct worker_pool *p = opaque;
	struct work *w;

	for (;;) {
		lock_take(&p->lock);
		w = next_locked(p);
		lock_drop(&p->lock);
		if (!w)
			return NULL;
		w->fn(w->opaque);
		if (w->done)
			loop_post(w->loop, w->done, w->opaque);
		g_free(w);
	}
}

static bool add_thread_locked(struct worker_pool *p, struct err *err)
{
	if (!thread_start(&p->threads[p->thread_count], "worker", worker_main, p, err))
		return false;
	p->thread_count++;
	return true;
}

struct worker_pool *worker_pool_new(unsigned max_threads, struct err *err)
{
	struct worker_pool *p = g_new0(struct worker_pool, 1);
	bool ok;

	assert(max_threads > 0);
	lock_init(&p->lock, LOCK_LEAF, "worker pool");
	lock_cond_init(&p->more);
	p->tail = &p->head;
	p->max_threads = max_threads;
	p->threads = g_new0(pthread_t, max_threads);
	lock_take(&p->lock);
	ok = add_thread_locked(p, err);
	lock_drop(&p->lock);
	if (ok)
		return p;
	worker_pool_free(p);
	return NULL;
}

void worker_pool_free(struct worker_pool *p)
{
	if (!p)
		return;
	lock_take(&p->lock);
	p->must_end = true;
	pthread_cond_broadcast(&p->more);
	lock_drop(&p->lock);
	for (unsigned i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->more);
	lock_fini(&p->lock);
	g_free(p->threads);
	g_free(p);
}

void worker_submit(struct worker_pool *p, struct loop *loop, void (*work)(void *),
		   void (*done)(void *), void *opaque)
{
	struct work *w = g_new(struct work, 1);
	struct err unused;

	*w = (struct work){ NULL, loop, work, done, opaque };
	lock_take(&p->lock);
	assert(!p->must_end);
	*p->tail = w;
	p->tail = &w->next;
	p->waiting++;
	/* If the host gives no thread, those there are will come to it. */
	if (p->waiting > p->idle && p->thread_count < p->max_threads)
		add_thread_locked(p, &unused);
	pthread_cond_signal(&p->more);
	lock_drop(&p->lock);
}
