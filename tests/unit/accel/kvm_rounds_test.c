/* tests/unit/accel/kvm_rounds_test.c - while the translator has its round, or somebody wants to be
 * alone with the machine, no vCPU is in KVM; a debugger's instructions are in memory but in rounds.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/rcu.h"
#include "memory/region.h"

enum { CPUS = 4, AT = 0x100, TURNS = 300 };

static struct kvm_accel k;
static struct kvm_vcpu kv[CPUS];
static struct vcpu v[CPUS];
static struct kvm_run runs[CPUS];

static void begin(void)
{
	k = (struct kvm_accel){ 0 };
	kvm_rounds_init(&k.rounds);
	for (unsigned i = 0; i < CPUS; i++) {
		memset(&v[i], 0, sizeof(v[i]));
		v[i].accel_data = &kv[i];
		kv[i] = (struct kvm_vcpu){ .v = &v[i], .kvm = &k, .run = &runs[i] };
		kvm_rounds_add(&k.rounds, &kv[i]);
	}
}

static void finish(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		kvm_rounds_remove(&k.rounds, &kv[i]);
	kvm_rounds_fini(&k.rounds);
}

/* ---- who is inside ---- */

static _Atomic bool has_begun, is_over;
static _Atomic unsigned entries, rounds;

static void on_signal(int number) { (void)number; }

/* Who only looks whether it may go in says that it is inside, too. */
static _Atomic unsigned in_guest;

static bool is_anyone_inside(void) { return atomic_load(&in_guest); }

/* They know each other's threads. */
static void wait_for_all(void)
{
	while (!atomic_load(&has_begun))
		g_usleep(10);
}

/* Goes in again and again, and stays until it is asked to leave. */
static void *guest(void *opaque)
{
	struct kvm_vcpu *own = opaque;

	wait_for_all();
	while (!atomic_load(&is_over)) {
		atomic_store(&own->is_inside, true);
		if (kvm_round_is_on(own)) {
			atomic_store(&own->is_inside, false);
			kvm_round_left_kvm(own);
			kvm_round_join(own); /* there is no translator to run in */
			continue;
		}
		atomic_fetch_add(&entries, 1);
		atomic_fetch_add(&in_guest, 1);
		while (!__atomic_load_n(&own->run->immediate_exit, __ATOMIC_SEQ_CST) &&
		       !atomic_load(&is_over))
			g_usleep(10);
		__atomic_store_n(&own->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		atomic_fetch_sub(&in_guest, 1);
		atomic_store(&own->is_inside, false);
		kvm_round_left_kvm(own);
	}
	return NULL;
}

/* Has the translator run it now and then. */
static void *assisted(void *opaque)
{
	struct kvm_vcpu *own = opaque;

	wait_for_all();
	while (!atomic_load(&is_over)) {
		kvm_round_begin(own);
		g_assert_false(is_anyone_inside());
		kvm_round_end(own, false, atomic_fetch_add(&rounds, 1) & 1);
		g_usleep(50);
	}
	return NULL;
}

static void test_nobody_is_inside(void)
{
	begin();
	atomic_store(&is_over, false);
	signal(SIGRTMIN, on_signal);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_create(&v[i].thread, NULL, i == CPUS - 1 ? assisted : guest, &kv[i]);
	atomic_store(&has_begun, true);
	for (unsigned i = 0;
	     i < TURNS || atomic_load(&entries) < TURNS || atomic_load(&rounds) < 20; i++) {
		kvm_still_begin(&k);
		g_assert_false(is_anyone_inside());
		if (i % 16 == 0)
			g_usleep(200);
		g_assert_false(is_anyone_inside());
		kvm_still_end(&k);
	}
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(v[i].thread, NULL);
	g_assert_cmpuint(atomic_load(&k.rounds.assisting), ==, 0);
	finish();
}

/* ---- breakpoints ---- */

static bool is_patched(const struct ram_block *ram)
{
	return !memcmp(ram->host + AT, kvm_host.break_insn, kvm_host.break_bytes);
}

static void test_breakpoints_are_out_in_rounds_only(void)
{
	struct kvm_point point = { .by = KVM_POINT_PATCH, .gpa = AT, .p.addr = AT };
	struct region root, region;
	struct address_space memory;
	struct ram_block *ram;
	struct err err;

	begin();
	ram = ram_block_new("ram", RAM_PAGE_SIZE, &err);
	region_init_container(&root, "root", 0);
	region_init_ram(&region, "ram", ram, 0, RAM_PAGE_SIZE);
	region_add(&root, 0, &region);
	address_space_init(&memory, "memory", &root);
	k.debug = (struct kvm_debug){ .points = &point, .count = 1, .memory = &memory };
	/* A step has taken it out of its way. */
	kvm_still_begin(&k);
	kvm_still_end(&k);
	g_assert_false(is_patched(ram));
	lock_take(&k.rounds.lock);
	kvm_debug_patch(&k, true);
	lock_drop(&k.rounds.lock);
	kvm_still_begin(&k);
	kvm_still_end(&k);
	g_assert_true(is_patched(ram));
	/* Whoever leaves a round last puts it back. */
	kvm_round_begin(&kv[0]);
	g_assert_false(is_patched(ram));
	kvm_still_begin(&k);
	kvm_round_end(&kv[0], false, true);
	g_assert_false(is_patched(ram));
	kvm_still_end(&k);
	g_assert_true(is_patched(ram));
	finish();
	address_space_fini(&memory);
	rcu_drain();
	ram_block_free(ram);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/accel/kvm/rounds/nobody_is_inside", test_nobody_is_inside);
	g_test_add_func("/accel/kvm/rounds/breakpoints", test_breakpoints_are_out_in_rounds_only);
	return g_test_run();
}
