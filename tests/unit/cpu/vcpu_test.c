/* tests/unit/cpu/vcpu_test.c - run states, kicks, halts, inputs and work of vCPU threads.
 * SPDX-License-Identifier: MIT */
#include "cpu/vcpu.h"

#include <signal.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "cpu/accel.h"
#include "cpu/arch.h"
#include "../child.h"

struct test_vcpu {
	struct vcpu v;
	_Atomic uint64_t rounds; /* of the run loop */
	_Atomic bool ask_to_halt;
	struct test_vcpu *call; /* run_sync() this one, over and over */
	_Atomic bool has_left, may_go;
	_Atomic uint32_t served;
};

static bool has_work(struct vcpu *v) { return atomic_load(&v->inputs) & VCPU_INTR; }

static const struct arch_ops arch = { .name = "none", .has_work = has_work };

static void count_served(struct vcpu *v, void *opaque)
{
	(void)opaque;
	g_assert_true(v == vcpu_current());
	atomic_fetch_add(&container_of(v, struct test_vcpu, v)->served, 1);
}

/* "Guest code" that runs until it is asked to leave. */
static void run(struct vcpu *v)
{
	struct test_vcpu *t = container_of(v, struct test_vcpu, v);

	while (vcpu_wait_event(v)) {
		v->is_halted = false;
		while (!atomic_load(v->exit_request)) {
			atomic_fetch_add(&t->rounds, 1);
			if (t->call)
				vcpu_run_sync(&t->call->v, count_served, NULL);
			if (atomic_exchange(&t->ask_to_halt, false)) {
				v->is_halted = true;
				break;
			}
		}
	}
}

static const struct accel_ops ops = { .name = "test", .vcpu_run = run };
static struct accel accel = { .ops = &ops };

static void start(struct test_vcpu *t, uint32_t id)
{
	struct err err;

	memset(t, 0, sizeof(*t));
	vcpu_init(&t->v, id, &arch, NULL);
	t->v.accel = &accel;
	g_assert_true(vcpu_start_thread(&t->v, &err));
}

static void end(struct test_vcpu *t)
{
	vcpu_end_thread(&t->v);
	vcpu_fini(&t->v);
}

static void wait_rounds(struct test_vcpu *t, uint64_t more)
{
	uint64_t from = atomic_load(&t->rounds);

	for (unsigned ms = 0; atomic_load(&t->rounds) < from + more; ms++) {
		g_assert_cmpuint(ms, <, 10000);
		g_usleep(1000);
	}
}

static void wait_halted(struct test_vcpu *t)
{
	uint64_t seen;

	do {
		seen = atomic_load(&t->rounds);
		g_usleep(20000);
	} while (atomic_load(&t->rounds) != seen);
}

static void test_a_new_thread_is_parked_until_resumed(void)
{
	struct test_vcpu t;

	start(&t, 3);
	g_usleep(10000);
	g_assert_cmpuint(atomic_load(&t.rounds), ==, 0);
	vcpu_resume(&t.v);
	wait_rounds(&t, 1);
	end(&t);
	g_assert_null(vcpu_current());
}

static void test_pause_returns_when_it_stands(void)
{
	struct test_vcpu t;
	uint64_t seen;

	start(&t, 0);
	for (unsigned i = 0; i < 200; i++) {
		vcpu_resume(&t.v);
		if (i & 1)
			wait_rounds(&t, 1);
		vcpu_pause(&t.v);
		seen = atomic_load(&t.rounds);
		if (i % 20 == 0)
			g_usleep(2000);
		g_assert_cmpuint(atomic_load(&t.rounds), ==, seen);
	}
	end(&t);
}

static void test_a_halt_ends_with_an_input(void)
{
	struct test_vcpu t;

	start(&t, 0);
	vcpu_resume(&t.v);
	for (unsigned i = 0; i < 200; i++) {
		atomic_store(&t.ask_to_halt, true);
		if (i % 20 == 0)
			wait_halted(&t);
		vcpu_set_input(&t.v, VCPU_INTR);
		wait_rounds(&t, 1);
		vcpu_clear_input(&t.v, VCPU_INTR);
	}
	g_assert_false(vcpu_take_input(&t.v, VCPU_INTR));
	vcpu_set_input(&t.v, VCPU_NMI);
	g_assert_true(vcpu_take_input(&t.v, VCPU_NMI));
	g_assert_false(vcpu_take_input(&t.v, VCPU_NMI));
	end(&t);
}

static void test_a_halted_vcpu_can_be_paused_and_ended(void)
{
	struct test_vcpu t;

	start(&t, 0);
	vcpu_resume(&t.v);
	atomic_store(&t.ask_to_halt, true);
	wait_halted(&t);
	vcpu_pause(&t.v);
	vcpu_resume(&t.v);
	end(&t);
}

static void test_work_runs_in_the_vcpu_whatever_its_state(void)
{
	struct test_vcpu t;

	start(&t, 0);
	vcpu_run_sync(&t.v, count_served, NULL); /* parked */
	g_assert_cmpuint(atomic_load(&t.served), ==, 1);
	vcpu_resume(&t.v);
	vcpu_run_sync(&t.v, count_served, NULL); /* running */
	atomic_store(&t.ask_to_halt, true);
	wait_halted(&t);
	vcpu_run_sync(&t.v, count_served, NULL); /* halted */
	for (unsigned i = 0; i < 100; i++)
		vcpu_post_work(&t.v, count_served, NULL);
	vcpu_run_sync(&t.v, count_served, NULL); /* behind those */
	g_assert_cmpuint(atomic_load(&t.served), ==, 104);
	end(&t);
}

static void count_here(struct vcpu *v, void *opaque)
{
	(void)v;
	(*(unsigned *)opaque)++;
}

static void test_work_without_a_thread_runs_at_once(void)
{
	struct vcpu v = { 0 };
	unsigned n = 0;

	vcpu_init(&v, 0, &arch, NULL);
	vcpu_run_sync(&v, count_here, &n);
	g_assert_cmpuint(n, ==, 1);
	vcpu_post_work(&v, count_here, &n); /* dropped with the vCPU */
	vcpu_fini(&v);
	g_assert_cmpuint(n, ==, 1);
}

static void run_once(struct vcpu *v)
{
	struct test_vcpu *t = container_of(v, struct test_vcpu, v);

	while (vcpu_wait_event(v))
		;
	atomic_store(&t->has_left, true);
	while (!atomic_load(&t->may_go))
		g_usleep(1000);
}

static gpointer let_go_thread(gpointer opaque)
{
	struct test_vcpu *t = opaque;

	g_usleep(20000);
	atomic_store(&t->may_go, true);
	return NULL;
}

static gpointer end_thread(gpointer opaque)
{
	struct test_vcpu *t = opaque;

	vcpu_end_thread(&t->v);
	return NULL;
}

/* The loop has looked for the last time: the thread serves what came since before it goes. */
static void test_work_for_a_thread_that_ends_is_not_lost(void)
{
	static const struct accel_ops once = { .name = "once", .vcpu_run = run_once };
	static struct accel accel_once = { .ops = &once };
	GThread *ender, *helper;
	struct test_vcpu t = { 0 };
	struct err err;
	unsigned n = 0;

	vcpu_init(&t.v, 0, &arch, NULL);
	t.v.accel = &accel_once;
	g_assert_true(vcpu_start_thread(&t.v, &err));
	ender = g_thread_new("ender", end_thread, &t);
	while (!atomic_load(&t.has_left))
		g_usleep(1000);
	helper = g_thread_new("helper", let_go_thread, &t);
	vcpu_run_sync(&t.v, count_served, NULL);
	g_assert_cmpuint(atomic_load(&t.served), ==, 1);
	g_thread_join(helper);
	g_thread_join(ender);
	vcpu_run_sync(&t.v, count_here, &n);
	g_assert_cmpuint(n, ==, 1);
	vcpu_fini(&t.v);
}

static void wait_for_another_vcpu(void)
{
	struct test_vcpu a, b;

	start(&a, 0);
	start(&b, 1);
	a.call = &b;
	vcpu_resume(&a.v);
	wait_rounds(&a, 2);
}

/* Two vCPUs that wait for each other would never come back: no vCPU may wait for another. */
static void test_a_vcpu_may_not_wait_for_another(void)
{
	int status;
	GString *text = child_stderr(wait_for_another_vcpu, 0, &status);

	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	g_assert_nonnull(strstr(text->str, "current_vcpu"));
	g_string_free(text, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vcpu/parked", test_a_new_thread_is_parked_until_resumed);
	g_test_add_func("/vcpu/pause", test_pause_returns_when_it_stands);
	g_test_add_func("/vcpu/halt", test_a_halt_ends_with_an_input);
	g_test_add_func("/vcpu/halt-pause", test_a_halted_vcpu_can_be_paused_and_ended);
	g_test_add_func("/vcpu/work", test_work_runs_in_the_vcpu_whatever_its_state);
	g_test_add_func("/vcpu/work-no-thread", test_work_without_a_thread_runs_at_once);
	g_test_add_func("/vcpu/work-late", test_work_for_a_thread_that_ends_is_not_lost);
	g_test_add_func("/vcpu/work-other-vcpu", test_a_vcpu_may_not_wait_for_another);
	return g_test_run();
}
