/* jit/populate.c - a thread that has the host clear pages.  SPDX-License-Identifier: MIT */
#include "jit/populate.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include <glib.h>

#include "base/lock.h"

enum { MOST = 16 };

struct piece {
	void *memory;
	size_t size;
};

struct populator {
	struct lock lock;
	pthread_cond_t asked; /* lock */
	/* lock: all below */
	pthread_t thread;
	bool has_thread, must_end;
	unsigned count;
	struct piece pieces[MOST];
};

void populate_now(void *memory, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	(void)madvise(memory, size, MADV_POPULATE_WRITE);
#else
	(void)memory;
	(void)size;
#endif
}

static void *populator_main(void *opaque)
{
	struct populator *p = opaque;

	pthread_setname_np(pthread_self(), "populate");
	lock_take(&p->lock);
	while (!p->must_end) {
		struct piece piece;

		if (!p->count) {
			lock_wait(&p->lock, &p->asked, INT64_MAX);
			continue;
		}
		piece = p->pieces[--p->count]; /* the newest is wanted first */
		lock_drop(&p->lock);
		populate_now(piece.memory, piece.size);
		lock_take(&p->lock);
	}
	lock_drop(&p->lock);
	return NULL;
}

struct populator *populator_new(void)
{
	struct populator *p = g_new0(struct populator, 1);

	lock_init(&p->lock, LOCK_LEAF, "populator");
	lock_cond_init(&p->asked);
	return p;
}

void populator_free(struct populator *p)
{
	if (!p)
		return;
	lock_take(&p->lock);
	p->must_end = true;
	pthread_cond_signal(&p->asked);
	lock_drop(&p->lock);
	if (p->has_thread)
		pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->asked);
	lock_fini(&p->lock);
	g_free(p);
}

/* Needs p->lock.  Without a thread there are more faults, no more. */
static bool begin(struct populator *p)
{
	sigset_t all, old;

	if (p->has_thread)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	p->has_thread = !pthread_create(&p->thread, NULL, populator_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p->has_thread;
}

void populator_ask(struct populator *p, void *memory, size_t size)
{
	lock_take(&p->lock);
	if (p->count < MOST && begin(p)) {
		p->pieces[p->count++] = (struct piece){ memory, size };
		pthread_cond_signal(&p->asked);
	}
	lock_drop(&p->lock);
}
