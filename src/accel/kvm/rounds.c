/* accel/kvm/rounds.c - whose turn it is: KVM's or the translator's, for all vCPUs together.
 *
 * Neither hears what the other does to memory.  Where KVM shadows the guest's page tables it would
 * go by copies that the translator's stores have made wrong, and flushes of TLBs by one do not
 * reach the other; the translator's copies of code are the same case the other way round (it
 * compares them when it begins).  So a vCPU is assisted while no other is in KVM: the others come
 * out, and join the round if they have something to run, until the first whose turn in the
 * translator is over asks all to come to an end.  The last one makes KVM forget what it knows of
 * page tables.
 *
 * Whoever needs all vCPUs out of KVM for a moment counts as one in the translator, and closes the
 * round that it begins so, for nobody to join.
 *
 * A debugger's breakpoint instructions are in memory only between rounds.
 *
 * Entering KVM costs a look at a counter.  A vCPU says that it is inside, then looks; whoever
 * begins a round counts itself, then looks who is inside: one of the two sees the other.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>

#include "accel/kvm/kvm.h"

void kvm_rounds_init(struct kvm_rounds *r)
{
	lock_init(&r->lock, LOCK_TCG - 1, "kvm rounds");
	lock_cond_init(&r->cond);
	atomic_store(&r->assisting, 0);
	r->is_closing = r->must_forget = r->is_bare = false;
	r->vcpus = NULL;
}

void kvm_rounds_fini(struct kvm_rounds *r)
{
	pthread_cond_destroy(&r->cond);
	lock_fini(&r->lock);
}

void kvm_rounds_add(struct kvm_rounds *r, struct kvm_vcpu *kv)
{
	lock_take(&r->lock);
	kv->next = r->vcpus;
	r->vcpus = kv;
	lock_drop(&r->lock);
}

void kvm_rounds_remove(struct kvm_rounds *r, struct kvm_vcpu *kv)
{
	struct kvm_vcpu **at = &r->vcpus;

	lock_take(&r->lock);
	while (*at != kv)
		at = &(*at)->next;
	*at = kv->next;
	if (kv->kvm->debug.last == kv)
		kv->kvm->debug.last = NULL;
	lock_drop(&r->lock);
}

/* Needs r->lock. */
static bool is_anyone_inside(const struct kvm_rounds *r)
{
	for (const struct kvm_vcpu *kv = r->vcpus; kv; kv = kv->next)
		if (atomic_load(&kv->is_inside))
			return true;
	return false;
}

/* One more.  Needs r->lock. */
static void keep_out(struct kvm_accel *k)
{
	struct kvm_rounds *r = &k->rounds;

	atomic_fetch_add(&r->assisting, 1);
	for (struct kvm_vcpu *o = r->vcpus; o; o = o->next)
		kvm_vcpu_kick(o->v);
	while (is_anyone_inside(r))
		lock_wait(&r->lock, &r->cond, INT64_MAX);
}

/* One less.  Needs r->lock. */
static void let_in(struct kvm_accel *k)
{
	struct kvm_rounds *r = &k->rounds;

	if (atomic_load(&r->assisting) == 1) {
		if (r->is_bare)
			kvm_debug_patch(k, true);
		if (r->must_forget)
			kvm_host.forget_tables(&k->vm);
		r->is_bare = r->must_forget = r->is_closing = false;
		pthread_cond_broadcast(&r->cond);
	}
	atomic_fetch_sub(&r->assisting, 1);
}

void kvm_round_begin(struct kvm_vcpu *kv)
{
	struct kvm_rounds *r = &kv->kvm->rounds;

	lock_take(&r->lock);
	while (r->is_closing)
		lock_wait(&r->lock, &r->cond, INT64_MAX);
	kv->is_assisted = true;
	keep_out(kv->kvm);
	kvm_debug_patch(kv->kvm, false);
	r->is_bare = true;
	lock_drop(&r->lock);
}

void kvm_round_end(struct kvm_vcpu *kv, bool must_forget, bool wants_kvm)
{
	struct kvm_rounds *r = &kv->kvm->rounds;

	lock_take(&r->lock);
	kv->is_assisted = false;
	r->must_forget |= must_forget;
	if (atomic_load(&r->assisting) > 1) {
		r->is_closing |= wants_kvm;
		for (struct kvm_vcpu *o = r->vcpus; o && r->is_closing; o = o->next)
			if (o->is_assisted)
				atomic_fetch_or(o->v->exit_request, VCPU_EXIT_TURN);
	}
	let_in(kv->kvm);
	lock_drop(&r->lock);
}

/* It does not wait for a round to end: that may need what this thread holds (RCU). */
void kvm_still_begin(struct kvm_accel *k)
{
	struct kvm_rounds *r = &k->rounds;

	lock_take(&r->lock);
	if (!atomic_load(&r->assisting))
		r->is_closing = true;
	keep_out(k);
	lock_drop(&r->lock);
}

void kvm_still_end(struct kvm_accel *k)
{
	lock_take(&k->rounds.lock);
	let_in(k);
	lock_drop(&k->rounds.lock);
}

bool kvm_round_is_on(struct kvm_vcpu *kv) { return atomic_load(&kv->kvm->rounds.assisting); }

void kvm_round_left_kvm(struct kvm_vcpu *kv)
{
	struct kvm_rounds *r = &kv->kvm->rounds;

	if (!atomic_load(&r->assisting))
		return;
	lock_take(&r->lock);
	pthread_cond_broadcast(&r->cond);
	lock_drop(&r->lock);
}

bool kvm_round_join(struct kvm_vcpu *kv)
{
	struct kvm_rounds *r = &kv->kvm->rounds;
	bool is_open;

	lock_take(&r->lock);
	while (r->is_closing)
		lock_wait(&r->lock, &r->cond, INT64_MAX);
	is_open = atomic_load(&r->assisting);
	lock_drop(&r->lock);
	return !is_open || kvm_assist(kv);
}
