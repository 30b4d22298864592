/* event/clock.c - virtual and host clocks.
 *
 * A virtual clock is one 64-bit word, so that reading it needs no lock: a value shifted left by
 * three, and flags.  While the clock runs by itself the value is what to subtract from the host's
 * time; otherwise it is the time.  61 bits of nanoseconds last 36 years.
 *
 * A reader takes the host's time between two looks at the word, and a change reads the host's time
 * while CHANGING is set: so nobody has seen a later time than the one a stop freezes.
 * SPDX-License-Identifier: MIT */
#include "event/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>

#include <glib.h>

enum {
	RUNNING = 1 << 0,
	MANUAL = 1 << 1,
	CHANGING = 1 << 2, /* wait a moment */
	FLAGS = RUNNING | MANUAL | CHANGING,
	VALUE_SHIFT = 3,
	NS_PER_S = 1000000000,
};

struct vclock {
	_Atomic int64_t word; /* atomic */
};

static int64_t word_make(int64_t value, int64_t flags)
{
	return value * (1 << VALUE_SHIFT) | flags;
}

/* word's time, when the host's is host_ns. */
static int64_t word_time(int64_t word, int64_t host_ns)
{
	int64_t value = word >> VALUE_SHIFT;

	return (word & FLAGS) == RUNNING ? host_ns - value : value;
}

static int64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_host_ns(void) { return clock_read(CLOCK_MONOTONIC); }
int64_t clock_wall_ns(void) { return clock_read(CLOCK_REALTIME); }

struct vclock *vclock_new(void)
{
	struct vclock *c = g_new0(struct vclock, 1);

	atomic_init(&c->word, word_make(clock_host_ns(), RUNNING));
	return c;
}

struct vclock *vclock_new_stopped(void)
{
	struct vclock *c = g_new0(struct vclock, 1);

	atomic_init(&c->word, word_make(0, 0));
	return c;
}

void vclock_free(struct vclock *c) { g_free(c); }

int64_t vclock_now(const struct vclock *c)
{
	int64_t word, now;

	do {
		word = atomic_load(&c->word);
		now = word_time(word, clock_host_ns());
	} while ((word & CHANGING) || word != atomic_load(&c->word));
	return now;
}

/* Keep others from changing the word; returns what it was. */
static int64_t change_begin(struct vclock *c)
{
	int64_t old = atomic_load(&c->word);

	do
		old &= ~(int64_t)CHANGING;
	while (!atomic_compare_exchange_weak(&c->word, &old, old | CHANGING));
	return old;
}

/* Set and clear flags without a step in time. */
static void vclock_change(struct vclock *c, int64_t set, int64_t clear)
{
	int64_t old = change_begin(c);
	int64_t flags = ((old & FLAGS) | set) & ~clear;
	int64_t host_ns = clock_host_ns();
	int64_t time = word_time(old, host_ns);

	atomic_store(&c->word, word_make(flags == RUNNING ? host_ns - time : time, flags));
}

void vclock_stop(struct vclock *c) { vclock_change(c, 0, RUNNING); }
void vclock_start(struct vclock *c) { vclock_change(c, RUNNING, 0); }
void vclock_set_manual(struct vclock *c) { vclock_change(c, MANUAL, 0); }
bool vclock_is_running(const struct vclock *c) { return atomic_load(&c->word) & RUNNING; }
bool vclock_is_manual(const struct vclock *c) { return atomic_load(&c->word) & MANUAL; }

void vclock_set(struct vclock *c, int64_t ns)
{
	int64_t old = change_begin(c);
	int64_t now = word_time(old, 0);

	assert(old & MANUAL);
	atomic_store(&c->word, word_make(now > ns ? now : ns, old & FLAGS));
}
