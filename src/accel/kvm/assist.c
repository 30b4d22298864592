/* accel/kvm/assist.c - assist=on: what KVM cannot run, the translator does.
 *
 * The vCPU's state is pulled, the translator runs on from there, and KVM gets it back: after one
 * block at first, after twice as many instructions each time that KVM gives up again soon, up to
 * what takes some 10 ms, and after half as many when it ran for longer.  So a guest that is hard
 * for KVM once in a while costs next to nothing, and where all is hard the time is not spent on
 * moving state.
 *
 * Where KVM has no hardware to run guest code with, it interprets code at privilege level 0,
 * hundreds of times slower than the translator, and not always right: it is given 64-bit code at
 * level 3 only, and a vCPU that is found at something else after a millisecond counts as one that
 * KVM cannot run.
 *
 * The translator is an accelerator of its own (accel_ops.vcpu_run_some), which the list of
 * accelerators names: this folder knows nothing of it.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

enum {
	LEAST_INSNS = 1,
	MOST_INSNS = 1 << 21,
	SOON_NS = 10 * 1000 * 1000,
	STINT_NS = 1000 * 1000,
	STINTS_MOST_NS = 4 * 1000 * 1000,
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Its interpreter counts instructions, and starts at once. */
static bool configure(struct object *o, void *opaque, struct err *err)
{
	(void)opaque;
	return object_set(o, NULL, "tier", "0", err);
}

bool kvm_assist_start(struct kvm_accel *k, struct err *err)
{
	if (!kvm_host.assist_begin)
		return true;
	for (unsigned i = 0; accel_list[i]; i++) {
		struct accel_choice choice = { .name = accel_list[i]->name,
					       .configure = configure };
		g_autofree char *notes = NULL;

		if (!accel_list[i]->vcpu_run_some)
			continue;
		k->helper = accel_start_first(accel_list, k->accel.machine, &choice, 1, &notes,
					      err);
		return k->helper || err_prefix(err, "assist=on: ");
	}
	return err_set(err, 0, "assist=on: no other accelerator of this build could help out");
}

static uint64_t how_many(struct kvm_vcpu *kv, int64_t now)
{
	if (kvm_debug_is_helpers(kv))
		return MOST_INSNS;
	if (now - kv->left_assist_ns < SOON_NS)
		kv->assist_insns *= 2;
	else
		kv->assist_insns /= 2;
	kv->assist_insns = CLAMP(kv->assist_insns, LEAST_INSNS, MOST_INSNS);
	return kv->assist_insns;
}

/* ---- KVM without hardware ---- */

void kvm_stint_init(struct kvm_vcpu *kv, int signal)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal };

	if (!kv->kvm->helper || !kv->kvm->is_slow)
		return;
	e._sigev_un._tid = gettid();
	kv->has_stints = timer_create(CLOCK_MONOTONIC, &e, &kv->stint_timer) == 0;
	kv->stint_ns = STINT_NS;
}

void kvm_stint_fini(struct kvm_vcpu *kv)
{
	if (kv->has_stints)
		timer_delete(kv->stint_timer);
	kv->has_stints = false;
}

void kvm_stint_begin(struct kvm_vcpu *kv)
{
	struct itimerspec t = { .it_value = { .tv_nsec = kv->stint_ns } };

	if (!kv->has_stints || kv->stint_end_ns)
		return;
	kv->stint_end_ns = now_ns() + kv->stint_ns;
	timer_settime(kv->stint_timer, 0, &t, NULL);
}

bool kvm_stint_over(struct kvm_vcpu *kv)
{
	if (!kv->stint_end_ns || now_ns() < kv->stint_end_ns)
		return true;
	kv->stint_end_ns = 0;
	if (!kvm_host.is_interpreted(kv)) {
		kv->stint_ns = MIN(2 * kv->stint_ns, STINTS_MOST_NS);
		return true;
	}
	kv->stint_ns = STINT_NS;
	return kvm_assist(kv);
}

bool kvm_assist_is_better(const struct kvm_vcpu *kv)
{
	const struct kvm_accel *k = kv->kvm;

	if (kvm_debug_is_helpers(kv))
		return true;
	return k->helper && k->is_slow && !k->interpreted && kv->is_ours && !kvm_host.is_native(kv);
}

bool kvm_assist(struct kvm_vcpu *kv)
{
	struct accel *helper = kv->kvm->helper;
	int64_t began = now_ns();
	uint32_t changes;

	if (!helper || kv->has_failed)
		return false;
	kvm_vcpu_pull(kv->v);
	if (!kv->is_ours)
		return false;
	kv->stint_end_ns = 0;
	kvm_round_begin(kv);
	if (kvm_host.chips_recall)
		kvm_host.chips_recall(kv->kvm);
	kvm_host.assist_begin(kv);
	changes = kvm_host.table_changes(kv);
	kv->count.kvm_ns += kv->left_assist_ns ? (uint64_t)(began - kv->left_assist_ns) : 0;
	kv->count.assists++;
	kv->count.assisted += helper->ops->vcpu_run_some(kv->v, how_many(kv, began));
	kvm_round_end(kv, kvm_host.table_changes(kv) != changes,
		      !kv->v->is_halted && !kvm_assist_is_better(kv));
	kv->left_assist_ns = now_ns();
	kv->count.assist_ns += (uint64_t)(kv->left_assist_ns - began);
	return true;
}
