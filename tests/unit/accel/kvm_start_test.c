/* tests/unit/accel/kvm_start_test.c - a start that the kernel refuses half-way, at each of its
 * calls in turn, leaves nothing behind: no descriptor, no lock.  Skips where /dev/kvm does not
 * open. SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <pthread.h>

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "kvm_refusing.h"

/* ---- the kernel, which says no once ---- */

static unsigned calls, refused;

/* What it has is asked for in plenty, and "no" is an answer. */
static int refuse(unsigned long what)
{
	return what != KVM_CHECK_EXTENSION && ++calls == refused ? -ENOMEM : 0;
}

/* ---- what is there ---- */

static int locks; /* mutexes that were made and not unmade */

int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
	int (*make)(pthread_mutex_t *, const pthread_mutexattr_t *);

	*(void **)&make = dlsym(RTLD_NEXT, "pthread_mutex_init");
	__atomic_fetch_add(&locks, 1, __ATOMIC_RELAXED);
	return make(m, attr);
}

int pthread_mutex_destroy(pthread_mutex_t *m)
{
	int (*unmake)(pthread_mutex_t *);

	*(void **)&unmake = dlsym(RTLD_NEXT, "pthread_mutex_destroy");
	__atomic_fetch_sub(&locks, 1, __ATOMIC_RELAXED);
	return unmake(m);
}

static unsigned descriptors(void)
{
	GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

/* ---- tests ---- */

static const char *irqchip, *assist;

static bool configure(struct object *o, void *opaque, struct err *err)
{
	(void)opaque;
	return object_set(o, NULL, "assist", assist, err) &&
	       object_set(o, NULL, "kernel-irqchip", irqchip, err);
}

static bool start_and_stop(struct err *err)
{
	struct accel_choice choice = { .name = "kvm", .configure = configure };
	g_autofree char *notes = NULL;
	struct accel *a = accel_start_first(accel_list, NULL, &choice, 1, &notes, err);

	accel_stop(a);
	return a;
}

static void check(const char *chips, const char *helps)
{
	unsigned fds, all, failures = 0;
	struct err err;
	int had;

	irqchip = chips;
	assist = helps;
	refused = 0;
	if (!start_and_stop(&err)) { /* the first also makes what is made once */
		g_test_skip(err.text);
		return;
	}
	fds = descriptors();
	had = locks;
	calls = 0;
	g_assert_true(start_and_stop(&err));
	all = calls;
	for (refused = 1; refused <= all; refused++) {
		calls = 0;
		failures += !start_and_stop(&err);
		g_assert_cmpuint(descriptors(), ==, fds);
		g_assert_cmpint(locks, ==, had);
	}
	g_assert_cmpuint(failures, >=, 3); /* its version, a machine, ... */
}

static void test_start(void) { check("off", "off"); }
static void test_start_with_chips(void) { check("on", "off"); }
static void test_start_with_local_apics(void) { check("split", "on"); }

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	kvm_refusal = refuse;
	object_types_add(accel_types);
	g_test_add_func("/accel/kvm/start/alone", test_start);
	g_test_add_func("/accel/kvm/start/chips", test_start_with_chips);
	g_test_add_func("/accel/kvm/start/local_apics", test_start_with_local_apics);
	return g_test_run();
}
