/* cpu/vcpu.c - vCPU threads: run states, kicks, interrupt inputs, work.
 *
 * Everything that can end a wait is written before vcpu.lock is taken to signal vcpu.cond, and the
 * waiter looks with the lock held, so that no wake-up is lost.
 * SPDX-License-Identifier: MIT */
#include "cpu/vcpu.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "cpu/accel.h"
#include "cpu/arch.h"

static __thread struct vcpu *current_vcpu;

struct vcpu *vcpu_current(void) { return current_vcpu; }

void vcpu_init(struct vcpu *v, uint32_t id, const struct arch_ops *arch, void *cpu)
{
	v->id = id;
	v->arch = arch;
	v->cpu = cpu;
	atomic_store(&v->own_exit_request, 0);
	v->exit_request = &v->own_exit_request;
	atomic_store(&v->inputs, 0);
	lock_init(&v->lock, LOCK_VCPU, "vcpu");
	lock_cond_init(&v->cond);
	v->has_thread = v->is_halted = v->must_end = v->is_over = v->is_held = false;
	v->is_stopped = v->must_stop = true;
	v->work_head = NULL;
	v->work_tail = &v->work_head;
}

void vcpu_fini(struct vcpu *v)
{
	assert(!v->has_thread);
	while (v->work_head) {
		struct vcpu_work *w = v->work_head;

		v->work_head = w->next;
		g_free(w);
	}
	pthread_cond_destroy(&v->cond);
	lock_fini(&v->lock);
}

void vcpu_pull(struct vcpu *v)
{
	if (v->accel && v->accel->ops->vcpu_pull)
		v->accel->ops->vcpu_pull(v);
}

/* ---- the thread ---- */

/* Needs v->lock, dropped around each call. */
static void serve_work_locked(struct vcpu *v)
{
	while (v->work_head) {
		struct vcpu_work *w = v->work_head;

		v->work_head = w->next;
		if (!v->work_head)
			v->work_tail = &v->work_head;
		lock_drop(&v->lock);
		vcpu_pull(v);
		w->fn(v, w->opaque);
		g_free(w);
		lock_take(&v->lock);
	}
}

static void *thread_main(void *opaque)
{
	struct vcpu *v = opaque;
	char name[16];

	current_vcpu = v;
	atomic_store(&v->tid, (int)gettid());
	g_snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(pthread_self(), name);
	v->accel->ops->vcpu_run(v);
	/* What came after the loop's last look may have somebody waiting for it. */
	lock_take(&v->lock);
	serve_work_locked(v);
	v->is_over = true;
	lock_drop(&v->lock);
	return NULL;
}

/* Frames of translated code (jit/x64) and what C needs above them, whatever the system's default.
 */
enum { STACK_BYTES = 1 << 20 };

static int create_thread(struct vcpu *v)
{
	pthread_attr_t attr;
	size_t size;
	int r = pthread_attr_init(&attr);

	if (r)
		return r;
	r = pthread_attr_getstacksize(&attr, &size);
	if (!r && size < STACK_BYTES)
		r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (!r)
		r = pthread_create(&v->thread, &attr, thread_main, v);
	pthread_attr_destroy(&attr);
	return r;
}

bool vcpu_start_thread(struct vcpu *v, struct err *err)
{
	sigset_t all, old;
	int r;

	v->must_end = v->is_over = false;
	v->must_stop = true;
	v->is_stopped = false;
	v->has_thread = true;
	/* Signals are the main thread's. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = create_thread(v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!r)
		return true;
	v->has_thread = false;
	v->is_stopped = true;
	return err_errno(err, r, "cannot create the thread of vCPU %u", v->id);
}

int vcpu_tid(struct vcpu *v)
{
	/* A thread that was just made tells it soon. */
	while (v->has_thread && !atomic_load(&v->tid))
		sched_yield();
	return atomic_load(&v->tid);
}

static void wake(struct vcpu *v)
{
	lock_take(&v->lock);
	pthread_cond_broadcast(&v->cond);
	lock_drop(&v->lock);
}

void vcpu_kick(struct vcpu *v, enum vcpu_exit why)
{
	atomic_fetch_or(v->exit_request, why);
	wake(v);
	if (v->accel && v->accel->ops->vcpu_kick)
		v->accel->ops->vcpu_kick(v);
}

void vcpu_resume(struct vcpu *v)
{
	lock_take(&v->lock);
	v->must_stop = v->is_held;
	pthread_cond_broadcast(&v->cond);
	lock_drop(&v->lock);
}

void vcpu_pause(struct vcpu *v)
{
	lock_take(&v->lock);
	v->must_stop = true;
	lock_drop(&v->lock);
	vcpu_kick(v, VCPU_EXIT_STOP);
	if (v == current_vcpu)
		return; /* it parks when it comes back to its loop */
	lock_take(&v->lock);
	while (v->has_thread && v->must_stop && !v->is_stopped)
		lock_wait(&v->lock, &v->cond, INT64_MAX);
	lock_drop(&v->lock);
}

void vcpu_end_thread(struct vcpu *v)
{
	if (!v->has_thread)
		return;
	lock_take(&v->lock);
	v->must_end = true;
	lock_drop(&v->lock);
	vcpu_kick(v, VCPU_EXIT_STOP);
	pthread_join(v->thread, NULL);
	lock_take(&v->lock);
	v->has_thread = false;
	v->is_stopped = true;
	lock_drop(&v->lock);
}

/* ---- interrupt inputs ---- */

void vcpu_set_input(struct vcpu *v, enum vcpu_input in)
{
	uint32_t old = atomic_fetch_or(&v->inputs, in);

	/* A level that stands already was announced when it rose; its taker looks again by itself.
	 */
	if (!(old & in))
		vcpu_kick(v, VCPU_EXIT_INPUT);
}

void vcpu_clear_input(struct vcpu *v, enum vcpu_input in)
{
	atomic_fetch_and(&v->inputs, ~(uint32_t)in);
}

bool vcpu_take_input(struct vcpu *v, enum vcpu_input in)
{
	return atomic_fetch_and(&v->inputs, ~(uint32_t)in) & in;
}

/* ---- work ---- */

static void queue_work_locked(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *opaque)
{
	struct vcpu_work *w = g_new(struct vcpu_work, 1);

	*w = (struct vcpu_work){ .fn = fn, .opaque = opaque };
	*v->work_tail = w;
	v->work_tail = &w->next;
}

void vcpu_post_work(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *opaque)
{
	lock_take(&v->lock);
	queue_work_locked(v, fn, opaque);
	lock_drop(&v->lock);
	vcpu_kick(v, VCPU_EXIT_WORK);
}

struct sync_work {
	void (*fn)(struct vcpu *, void *);
	void *opaque;
	struct lock lock;
	pthread_cond_t cond;
	bool is_done; /* lock */
};

static void run_sync_work(struct vcpu *v, void *opaque)
{
	struct sync_work *s = opaque;

	s->fn(v, s->opaque);
	lock_take(&s->lock);
	s->is_done = true;
	pthread_cond_broadcast(&s->cond);
	lock_drop(&s->lock);
}

void vcpu_run_sync(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *opaque)
{
	struct sync_work s = { .fn = fn, .opaque = opaque };
	bool is_served;

	/* One vCPU that waits for another could be what the other waits for. */
	assert(!current_vcpu || current_vcpu == v);
	lock_init(&s.lock, LOCK_VCPU, "vcpu_run_sync");
	lock_cond_init(&s.cond);
	lock_take(&v->lock);
	is_served = v != current_vcpu && v->has_thread && !v->is_over;
	if (is_served)
		queue_work_locked(v, run_sync_work, &s);
	lock_drop(&v->lock);
	if (is_served) {
		vcpu_kick(v, VCPU_EXIT_WORK);
		lock_take(&s.lock);
		while (!s.is_done)
			lock_wait(&s.lock, &s.cond, INT64_MAX);
		lock_drop(&s.lock);
	} else {
		fn(v, opaque);
	}
	pthread_cond_destroy(&s.cond);
	lock_fini(&s.lock);
}

bool vcpu_wait_event(struct vcpu *v)
{
	bool go_on = true, is_pulled = false;

	lock_take(&v->lock);
	for (;;) {
		/* Cleared before anything is looked at: what comes later sets it again. */
		atomic_store(v->exit_request, 0);
		serve_work_locked(v);
		if (v->must_end) {
			go_on = false;
			break;
		}
		if (v->must_stop && !v->is_stopped && !is_pulled) {
			/* It may have to end a device access first. */
			lock_drop(&v->lock);
			vcpu_pull(v);
			lock_take(&v->lock);
			is_pulled = true;
			continue;
		}
		if (v->is_stopped != v->must_stop) {
			v->is_stopped = v->must_stop;
			TRACE(vcpu_state, "vcpu %u: %s", v->id,
			      v->is_stopped ? "stopped" : "running");
			pthread_cond_broadcast(&v->cond);
		}
		if (!v->must_stop && !(v->is_halted && !v->arch->has_work(v)))
			break;
		lock_wait(&v->lock, &v->cond, INT64_MAX);
	}
	lock_drop(&v->lock);
	return go_on;
}
