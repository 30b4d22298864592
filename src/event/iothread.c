/* event/iothread.c - a loop with a thread of its own.
 * SPDX-License-Identifier: MIT */
#include "event/iothread.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include <glib.h>

#include "event/loop.h"
#include "event/thread.h"

struct iothread {
	struct loop *loop; /* const */
	pthread_t thread;  /* const */
	_Atomic int tid;   /* 0: the thread has not got there yet */
};

static void *iothread_main(void *opaque)
{
	struct iothread *t = opaque;

	atomic_store(&t->tid, (int)gettid());
	loop_run(t->loop);
	return NULL;
}

struct iothread *iothread_new(const char *name, struct err *err)
{
	struct iothread *t = g_new0(struct iothread, 1);

	t->loop = loop_new(name, err);
	if (t->loop && thread_start(&t->thread, name, iothread_main, t, err))
		return t;
	loop_free(t->loop);
	g_free(t);
	return NULL;
}

void iothread_free(struct iothread *t)
{
	if (!t)
		return;
	loop_quit(t->loop);
	pthread_join(t->thread, NULL);
	loop_free(t->loop);
	g_free(t);
}

struct loop *iothread_loop(struct iothread *t) { return t->loop; }

int iothread_tid(struct iothread *t)
{
	while (!atomic_load(&t->tid))
		sched_yield();
	return atomic_load(&t->tid);
}
