/* event/loop.c - one thread's events.
 *
 * The thread sleeps in epoll with the time of the next timer.  Who changes something that matters
 * sooner (a job, an earlier timer) sees under loop.lock until when it sleeps, and signals the
 * loop's eventfd only if that is too long; loop_wake() always does, and is for signal handlers too.
 * SPDX-License-Identifier: MIT */
#include "event/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "event/clock.h"
#include "event/loop_impl.h"

enum { EVENTS_PER_ROUND = 64, NS_PER_S = 1000000000 };

struct loop_fd {
	struct loop *loop;           /* const */
	struct loop_fd *prev, *next; /* loop.lock: in watches, or next in dead */
	int fd;                      /* const */
	unsigned events;             /* loop.lock; 0: epoll does not know it */
	bool is_always_ready;        /* loop.lock: epoll refuses it, as it does regular files */
	bool is_dead;                /* loop.lock */
	loop_fd_fn *fn;              /* const */
	void *opaque;                /* const */
};

struct loop_job {
	struct loop_job *next;
	loop_job_fn *fn;
	void *opaque;
};

/* The loop this thread is serving. */
static __thread struct loop *current;

/* ---- waking ---------------------------------------------------------------------------------- */

void loop_wake(struct loop *l)
{
	if (!atomic_exchange(&l->is_woken, true))
		notifier_signal(&l->wakeup);
}

/* The eventfd is cleared first and the flag after it: who sets the flag later signals again, and
 * what was queued before the flag was set is seen in this round. */
static void on_wakeup(void *opaque, unsigned events)
{
	struct loop *l = opaque;

	(void)events;
	notifier_clear(&l->wakeup);
	atomic_exchange(&l->is_woken, false);
}

void loop_wake_by_locked(struct loop *l, int64_t host_ns)
{
	if (host_ns < l->wake_ns)
		loop_wake(l);
}

void loop_quit(struct loop *l)
{
	atomic_store(&l->must_quit, true);
	loop_wake(l);
}

void loop_clock_changed(struct loop *l) { loop_wake(l); }
bool loop_is_current(const struct loop *l) { return current == l; }

/* ---- descriptors ----------------------------------------------------------------------------- */

static void list_push(struct loop_fd **head, struct loop_fd *w)
{
	w->prev = NULL;
	w->next = *head;
	if (*head)
		(*head)->prev = w;
	*head = w;
}

static void list_remove(struct loop_fd **head, struct loop_fd *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		*head = w->next;
	if (w->next)
		w->next->prev = w->prev;
}

/* Tell epoll what w waits for now.  A hung-up descriptor is reported whether asked for or not, so
 * one that nobody wants anything of is taken out.  Needs: loop.lock. */
static bool watch_apply_locked(struct loop_fd *w, unsigned events)
{
	struct epoll_event ev = { .data.ptr = w };
	struct loop *l = w->loop;
	int op = w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == w->events)
		return true;
	if (!events)
		op = EPOLL_CTL_DEL;
	if (events & LOOP_READ)
		ev.events |= EPOLLIN | EPOLLRDHUP;
	if (events & LOOP_WRITE)
		ev.events |= EPOLLOUT;
	if (!w->is_always_ready && epoll_ctl(l->epoll_fd, op, w->fd, &ev) != 0) {
		if (op == EPOLL_CTL_ADD && errno == EPERM)
			w->is_always_ready = true;
		else if (op != EPOLL_CTL_DEL) /* closed before it was unwatched: epoll forgot it */
			return false;
	}
	if (w->is_always_ready) {
		l->always_ready += !!events;
		l->always_ready -= !!w->events;
		loop_wake_by_locked(l, INT64_MIN + 1);
	}
	w->events = events;
	return true;
}

struct loop_fd *loop_watch(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *opaque)
{
	struct loop_fd *w = g_new0(struct loop_fd, 1);
	bool ok;

	w->loop = l;
	w->fd = fd;
	w->fn = fn;
	w->opaque = opaque;
	lock_take(&l->lock);
	ok = watch_apply_locked(w, events & (LOOP_READ | LOOP_WRITE));
	if (ok)
		list_push(&l->watches, w);
	lock_drop(&l->lock);
	if (ok)
		return w;
	g_free(w);
	return NULL;
}

void loop_watch_set(struct loop_fd *w, unsigned events)
{
	lock_take(&w->loop->lock);
	watch_apply_locked(w, events & (LOOP_READ | LOOP_WRITE));
	lock_drop(&w->loop->lock);
}

void loop_unwatch(struct loop_fd *w)
{
	struct loop *l = w->loop;

	lock_take(&l->lock);
	assert(!w->is_dead);
	watch_apply_locked(w, 0);
	w->is_dead = true;
	list_remove(&l->watches, w);
	list_push(&l->dead, w);
	lock_drop(&l->lock);
}

static void free_list(struct loop_fd *w)
{
	while (w) {
		struct loop_fd *next = w->next;

		g_free(w);
		w = next;
	}
}

/* Call w if it still lives and still wants what is ready. */
static bool watch_serve(struct loop_fd *w, unsigned ready)
{
	struct loop *l = w->loop;
	bool wanted;

	lock_take(&l->lock);
	ready &= w->events | LOOP_HANGUP;
	wanted = !w->is_dead && w->events && ready;
	lock_drop(&l->lock);
	if (wanted)
		w->fn(w->opaque, ready);
	return wanted;
}

static unsigned ready_of(uint32_t events)
{
	unsigned ready = 0;

	if (events & (EPOLLIN | EPOLLRDHUP))
		ready |= LOOP_READ;
	if (events & EPOLLOUT)
		ready |= LOOP_WRITE;
	if (events & (EPOLLHUP | EPOLLERR))
		ready |= LOOP_HANGUP;
	return ready;
}

/* Watches that epoll refused: ready whenever wanted. */
static bool serve_always_ready(struct loop *l)
{
	struct loop_fd *batch[EVENTS_PER_ROUND];
	unsigned n = 0;
	bool has_served = false;

	lock_take(&l->lock);
	for (struct loop_fd *w = l->watches; l->always_ready && w && n < EVENTS_PER_ROUND;
	     w = w->next)
		if (w->is_always_ready && w->events)
			batch[n++] = w;
	lock_drop(&l->lock);
	for (unsigned i = 0; i < n; i++)
		has_served |= watch_serve(batch[i], LOOP_READ | LOOP_WRITE);
	return has_served;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

void loop_post(struct loop *l, loop_job_fn *fn, void *opaque)
{
	struct loop_job *job = g_new(struct loop_job, 1);

	*job = (struct loop_job){ NULL, fn, opaque };
	lock_take(&l->lock);
	*l->jobs_tail = job;
	l->jobs_tail = &job->next;
	loop_wake_by_locked(l, INT64_MIN + 1);
	lock_drop(&l->lock);
}

static struct loop_job *take_jobs(struct loop *l)
{
	struct loop_job *jobs;

	lock_take(&l->lock);
	jobs = l->jobs;
	l->jobs = NULL;
	l->jobs_tail = &l->jobs;
	lock_drop(&l->lock);
	return jobs;
}

/* What is there now; jobs that jobs post wait for the next round. */
static bool run_jobs(struct loop *l)
{
	struct loop_job *jobs = take_jobs(l);
	bool has_served = jobs;

	while (jobs) {
		struct loop_job *job = jobs;

		jobs = job->next;
		job->fn(job->opaque);
		g_free(job);
	}
	return has_served;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

void loop_enter(struct loop *l)
{
	lock_take(&l->lock);
	l->depth++;
	lock_drop(&l->lock);
}

void loop_leave(struct loop *l)
{
	struct loop_fd *dead = NULL;

	lock_take(&l->lock);
	if (--l->depth == 0) {
		dead = l->dead;
		l->dead = NULL;
		l->round++;
		pthread_cond_broadcast(&l->served);
	}
	lock_drop(&l->lock);
	free_list(dead);
}

void loop_sync(struct loop *l)
{
	uint64_t round;

	if (current == l)
		return;
	lock_take(&l->lock);
	round = l->round;
	while (l->depth && l->round == round)
		lock_wait(&l->lock, &l->served, INT64_MAX);
	lock_drop(&l->lock);
}

/* epoll with a timeout in nanoseconds; kernels before 5.11 have no call for it. */
static int wait_events(int epoll_fd, struct epoll_event *events, int64_t timeout_ns)
{
	struct timespec ts = { timeout_ns / NS_PER_S, timeout_ns % NS_PER_S };
	struct timespec *timeout = timeout_ns == INT64_MAX ? NULL : &ts;
	struct pollfd p = { .fd = epoll_fd, .events = POLLIN };
	int n = epoll_pwait2(epoll_fd, events, EVENTS_PER_ROUND, timeout, NULL);

	if (n >= 0 || (errno != ENOSYS && errno != EPERM))
		return n;
	n = ppoll(&p, 1, timeout, NULL);
	return n > 0 ? epoll_wait(epoll_fd, events, EVENTS_PER_ROUND, 0) : n;
}

/* How long to sleep at most; notes it for those who have something sooner. */
static int64_t prepare_sleep(struct loop *l, int64_t timeout_ns)
{
	int64_t host_ns = clock_host_ns(), at = INT64_MAX, next;

	if (timeout_ns >= 0 && __builtin_add_overflow(host_ns, timeout_ns, &at))
		at = INT64_MAX;
	lock_take(&l->lock);
	next = loop_next_timer_locked(l, host_ns);
	if (next < at)
		at = next;
	if (l->jobs || l->always_ready || at <= host_ns)
		at = host_ns;
	else
		l->wake_ns = at;
	lock_drop(&l->lock);
	return at == INT64_MAX ? at : at - host_ns;
}

static void end_sleep(struct loop *l)
{
	lock_take(&l->lock);
	l->wake_ns = INT64_MIN;
	lock_drop(&l->lock);
}

bool loop_poll(struct loop *l, int64_t timeout_ns)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	struct loop *outer = current;
	bool has_served = false;
	int n;

	current = l;
	timeout_ns = prepare_sleep(l, timeout_ns);
	n = wait_events(l->epoll_fd, events, timeout_ns);
	end_sleep(l);
	loop_enter(l);
	for (int i = 0; i < n; i++) {
		struct loop_fd *w = events[i].data.ptr;

		has_served |= watch_serve(w, ready_of(events[i].events)) && w != l->wakeup_watch;
	}
	has_served |= serve_always_ready(l);
	has_served |= run_jobs(l);
	has_served |= loop_run_timers(l);
	loop_leave(l);
	current = outer;
	return has_served;
}

void loop_run(struct loop *l)
{
	struct loop *outer = current;

	/* The default slack lets the kernel wake us 50 us late; guests measure that. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	current = l;
	while (!atomic_load(&l->must_quit))
		loop_poll(l, -1);
	loop_enter(l);
	run_jobs(l);
	loop_leave(l);
	atomic_store(&l->must_quit, false);
	current = outer;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct loop *loop_new(const char *name, struct err *err)
{
	struct loop *l = g_new0(struct loop, 1);

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		err_errno(err, errno, "cannot create event loop '%s'", name);
		g_free(l);
		return NULL;
	}
	if (!notifier_init(&l->wakeup, err)) {
		err_prefix(err, "cannot create event loop '%s': ", name);
		close(l->epoll_fd);
		g_free(l);
		return NULL;
	}
	l->name = g_strdup(name);
	l->wake_ns = INT64_MIN;
	l->jobs_tail = &l->jobs;
	lock_init(&l->lock, LOCK_LOOP, "loop");
	lock_cond_init(&l->served);
	l->wakeup_watch = loop_watch(l, l->wakeup.fd, LOOP_READ, on_wakeup, l);
	if (l->wakeup_watch)
		return l;
	err_errno(err, errno, "cannot create event loop '%s'", name);
	loop_free(l);
	return NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (struct loop_job *job = take_jobs(l), *next; job; job = next) {
		next = job->next;
		g_free(job);
	}
	free_list(l->watches);
	free_list(l->dead);
	loop_free_timers(l);
	close(l->epoll_fd);
	notifier_fini(&l->wakeup);
	pthread_cond_destroy(&l->served);
	lock_fini(&l->lock);
	g_free(l->name);
	g_free(l);
}
