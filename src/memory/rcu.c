/* memory/rcu.c - registration of reader threads and retiring of old copies.
 * SPDX-License-Identifier: MIT */
#include "memory/rcu.h"

#include <assert.h>
#include <pthread.h>

__thread bool rcu_is_registered;
#if defined(__SANITIZE_THREAD__)
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

void rcu_retire(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	/* call_rcu() reads itself: its caller must be a registered thread. */
	rcu_thread_register();
	RCU_TSAN(release);
	call_rcu(head, fn);
}

void rcu_drain(void)
{
	rcu_thread_register();
	synchronize_rcu();
	rcu_barrier();
}
