/* accel/kvm/vcpu.c - a vCPU of KVM's: made, run in its thread, kicked out of the kernel.
 *
 * A kick must not be lost between the loop's last look and the kernel: the kicker sets
 * vcpu.exit_request, then kvm_run.immediate_exit, then looks whether the thread is inside, and only
 * then sends a signal; the loop says that it is inside, and looks at exit_request after that.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"
#include "memory/rcu.h"
#include "cpu/arch.h"

/* ---- kicks ---- */

static int kick_signal(void) { return SIGRTMIN; }

static __thread struct kvm_run *own_run;

/* A timer's too, which may come just before the thread goes in. */
static void on_kick(int signal)
{
	(void)signal;
	if (own_run)
		__atomic_store_n(&own_run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

bool kvm_kick_init(struct err *err)
{
	struct sigaction sa = { .sa_handler = on_kick };

	return sigaction(kick_signal(), &sa, NULL) == 0 ||
	       err_errno(err, errno, "cannot receive signals");
}

void kvm_vcpu_kick(struct vcpu *v)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(v);

	if (!kv || v == vcpu_current())
		return;
	__atomic_store_n(&kv->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (atomic_load(&kv->is_inside))
		pthread_kill(v->thread, kick_signal());
}

/* ---- the kernel's turn ---- */

/* One KVM_RUN.  0, or -errno. */
static int enter(struct kvm_vcpu *kv)
{
	int r;

	r = ioctl(kv->fd, KVM_RUN, 0) < 0 ? -errno : 0;
	__atomic_store_n(&kv->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	return r;
}

/* An access that the vCPU came back for is over, registers and all, at the next KVM_RUN only
 * (api.rst 4.10): one that comes back at once. */
static void finish_access(struct kvm_vcpu *kv)
{
	while (kv->is_unfinished) {
		kv->is_unfinished = false;
		__atomic_store_n(&kv->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (enter(kv) < 0)
			continue;
		kvm_coalesced_drain(kv->kvm);
		kvm_exit(kv); /* the rest of it */
	}
}

/* For good.  What v->cpu has is the best that is known of it. */
static void give_up(struct kvm_vcpu *kv, const char *text)
{
	struct vcpu *v = kv->v;

	kv->has_failed = true;
	log_line("kvm: vcpu %u: %s, at 0x%" PRIx64, v->id, text, v->arch->get_pc(v));
	if (v->on_failure)
		v->on_failure(v, text);
}

void kvm_vcpu_pull(struct vcpu *v)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(v);
	struct err err;

	if (!kv || kv->is_ours || kv->has_failed)
		return;
	finish_access(kv);
	if (kv->is_ours || kv->has_failed)
		return;
	if (kvm_host.get(kv, &err))
		kv->is_ours = true;
	else
		give_up(kv, err.text);
}

static bool push(struct kvm_vcpu *kv)
{
	struct err err;

	if (!kv->is_ours)
		return true;
	/* What follows an instruction is the translator's, if that is where it ran. */
	if (kvm_host.is_settled && !kvm_host.is_settled(kv) && kvm_assist(kv))
		return true;
	if (!kvm_host.put(kv, &err)) {
		/* A state that the kernel cannot even hold, it cannot run either. */
		if (kvm_assist(kv))
			return true;
		kvm_vcpu_fail(kv, err.text);
		return false;
	}
	kv->is_ours = false;
	kv->knows_window = false;
	return true;
}

/* ---- the loop ---- */

void kvm_vcpu_fail(struct kvm_vcpu *kv, const char *text)
{
	kvm_vcpu_pull(kv->v);
	if (!kv->has_failed)
		give_up(kv, text);
}

static bool prepare(struct kvm_vcpu *kv)
{
	struct err err;

	if (!kvm_host.prepare(kv, &err)) {
		kvm_vcpu_fail(kv, err.text);
		return false;
	}
	kv->is_prepared = true;
	return true;
}

/* False: the run state is to be looked at. */
static bool run_once(struct kvm_vcpu *kv)
{
	struct vcpu *v = kv->v;
	char text[64];
	int r;

	if (unlikely(!kv->is_prepared) && !prepare(kv))
		return false;
	if (unlikely(kvm_assist_is_better(kv)))
		return (!v->is_halted || v->arch->has_work(v)) && kvm_assist(kv);
	if (!kvm_host.inputs(kv))
		return false;
	if (v->is_halted)
		return true;
	if (!push(kv))
		return false;
	if (kv->is_ours) /* it ran elsewhere */
		return true;
	kvm_host.before_run(kv);
	kvm_stint_begin(kv);
	atomic_store(&kv->is_inside, true);
	if (unlikely(kvm_round_is_on(kv))) {
		atomic_store(&kv->is_inside, false);
		kvm_round_left_kvm(kv);
		return kvm_round_join(kv);
	}
	if (atomic_load(v->exit_request)) {
		atomic_store(&kv->is_inside, false);
		kvm_round_left_kvm(kv);
		return true;
	}
	if (kvm_host.chips_lend)
		kvm_host.chips_lend(kv);
	r = enter(kv);
	atomic_store(&kv->is_inside, false);
	kvm_round_left_kvm(kv);
	kv->count.runs++;
	/* With -EINTR too what was unfinished is over. */
	kv->is_unfinished = false;
	kv->knows_window = true;
	kvm_coalesced_drain(kv->kvm);
	kvm_host.after_run(kv);
	if (r == 0)
		return kvm_exit(kv);
	if (r == -EINTR || r == -EAGAIN)
		return kvm_stint_over(kv);
	g_snprintf(text, sizeof(text), "KVM_RUN failed: %s", strerror(-r));
	kvm_vcpu_fail(kv, text);
	return false;
}

static void run_until_asked(struct kvm_vcpu *kv)
{
	struct vcpu *v = kv->v;

	do {
		uint32_t asked = atomic_load(v->exit_request);

		if (asked & (uint16_t)~VCPU_EXIT_INPUT)
			return;
		/* Cleared before inputs are looked at: one that comes later sets it again. */
		if (asked)
			atomic_fetch_and(v->exit_request, (uint16_t)~VCPU_EXIT_INPUT);
	} while (run_once(kv));
}

void kvm_vcpu_loop(struct vcpu *v)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(v);
	sigset_t set;

	rcu_thread_register();
	sigemptyset(&set);
	sigaddset(&set, kick_signal());
	own_run = kv->run;
	kvm_stint_init(kv, kick_signal());
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (vcpu_wait_event(v)) {
		if (!kv->has_failed) {
			run_until_asked(kv);
			continue;
		}
		/* Parked for good: whatever it is woken by, there is nothing to run. */
		lock_take(&v->lock);
		while (!v->must_end && !v->must_stop && !v->work_head)
			lock_wait(&v->lock, &v->cond, INT64_MAX);
		lock_drop(&v->lock);
	}
	kvm_vcpu_pull(v);
	kvm_stint_fini(kv);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	own_run = NULL;
	rcu_thread_unregister();
}

/* ---- coming and going ---- */

static bool check_limits(const struct kvm_accel *k, const struct vcpu *v, struct err *err)
{
	const struct kvm_caps *c = &k->sys.caps;

	if (k->vcpu_count >= (unsigned)c->max_vcpus)
		return err_set(err, 0, "-smp: KVM on this host takes at most %d CPUs",
			       c->max_vcpus);
	if (v->apic_id >= (unsigned)c->max_vcpu_id)
		return err_set(err, 0, "-smp: KVM on this host takes CPU numbers below %d, not %u",
			       c->max_vcpu_id, v->apic_id);
	return true;
}

static bool open_vcpu(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_accel *k = kv->kvm;

	kv->fd = kvm_ioctl_value(k->vm.fd, KVM_CREATE_VCPU, kv->v->apic_id);
	if (kv->fd < 0)
		return err_errno(err, -kv->fd, "KVM cannot create CPU %u", kv->v->id);
	kv->run = mmap(NULL, (size_t)k->sys.run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kv->fd,
		       0);
	if (kv->run == MAP_FAILED) {
		kv->run = NULL;
		return err_errno(err, errno, "cannot map CPU %u", kv->v->id);
	}
	return true;
}

static void free_vcpu(struct kvm_vcpu *kv)
{
	kvm_ring_close(kv);
	if (kvm_host.vcpu_fini)
		kvm_host.vcpu_fini(kv);
	if (kv->run)
		munmap(kv->run, (size_t)kv->kvm->sys.run_bytes);
	if (kv->fd >= 0)
		close(kv->fd);
	g_free(kv);
}

static void range_added(struct memory_listener *l, const struct flat_range *r)
{
	struct kvm_vm *vm = &container_of(l, struct kvm_accel, listener)->vm;

	kvm_slot_add(vm, r);
	kvm_zone_add(vm, r, false);
}

static void range_removed(struct memory_listener *l, const struct flat_range *r)
{
	struct kvm_vm *vm = &container_of(l, struct kvm_accel, listener)->vm;

	kvm_zone_remove(vm, r, false);
	kvm_slot_remove(vm, r);
}

static void range_log_start(struct memory_listener *l, const struct flat_range *r)
{
	kvm_slot_log(&container_of(l, struct kvm_accel, listener)->vm, r, true);
}

static void range_log_stop(struct memory_listener *l, const struct flat_range *r)
{
	kvm_slot_log(&container_of(l, struct kvm_accel, listener)->vm, r, false);
}

static void range_log_sync(struct memory_listener *l, const struct flat_range *r)
{
	kvm_slot_sync(&container_of(l, struct kvm_accel, listener)->vm, r);
}

static void doorbell_added(struct memory_listener *l, const struct flat_eventfd *e)
{
	kvm_doorbell_add(&container_of(l, struct kvm_accel, listener)->vm, e, false);
}

static void doorbell_removed(struct memory_listener *l, const struct flat_eventfd *e)
{
	kvm_doorbell_remove(&container_of(l, struct kvm_accel, listener)->vm, e, false);
}

static void ports_added(struct memory_listener *l, const struct flat_range *r)
{
	kvm_zone_add(&container_of(l, struct kvm_accel, io_listener)->vm, r, true);
}

static void ports_removed(struct memory_listener *l, const struct flat_range *r)
{
	kvm_zone_remove(&container_of(l, struct kvm_accel, io_listener)->vm, r, true);
}

static void io_doorbell_added(struct memory_listener *l, const struct flat_eventfd *e)
{
	kvm_doorbell_add(&container_of(l, struct kvm_accel, io_listener)->vm, e, true);
}

static void io_doorbell_removed(struct memory_listener *l, const struct flat_eventfd *e)
{
	kvm_doorbell_remove(&container_of(l, struct kvm_accel, io_listener)->vm, e, true);
}

static void listen(struct kvm_accel *k, struct address_space *memory, struct address_space *io)
{
	if (k->listened || !memory)
		return;
	k->listened = memory;
	k->listener.added = range_added;
	k->listener.removed = range_removed;
	k->listener.log_start = range_log_start;
	k->listener.log_stop = range_log_stop;
	k->listener.log_sync = range_log_sync;
	k->listener.log_before = kvm_dirty_before;
	k->listener.eventfd_added = doorbell_added;
	k->listener.eventfd_removed = doorbell_removed;
	address_space_listen(memory, &k->listener);
	k->io_listened = io;
	k->io_listener.added = ports_added;
	k->io_listener.removed = ports_removed;
	k->io_listener.eventfd_added = io_doorbell_added;
	k->io_listener.eventfd_removed = io_doorbell_removed;
	if (io)
		address_space_listen(io, &k->io_listener);
}

bool kvm_vcpu_attach(struct accel *a, struct vcpu *v, struct err *err)
{
	struct kvm_accel *k = container_of(a, struct kvm_accel, accel);
	struct kvm_vcpu *kv;

	if (strcmp(v->arch->name, kvm_host.guest))
		return err_set(err, 0, "KVM on this host cannot run '%s' guests", v->arch->name);
	if (!check_limits(k, v, err))
		return false;
	kv = g_new0(struct kvm_vcpu, 1);
	kv->v = v;
	kv->cpu = v->cpu;
	kv->kvm = k;
	kv->is_ours = true;
	if (!open_vcpu(kv, err) || !kvm_ring_open(kv, err) || !kvm_host.vcpu_init(kv, err) ||
	    (k->helper && !k->helper->ops->vcpu_attach(k->helper, v, err)))
		goto fail;
	v->accel_data = kv;
	k->vcpu_count++;
	kvm_rounds_add(&k->rounds, kv);
	listen(k, v->memory, v->io);
	kvm_coalesced_attach(k, kv->run);
	return true;
fail:
	free_vcpu(kv);
	return false;
}

static void counts_add(struct kvm_counts *sum, const struct kvm_counts *c)
{
	BUILD_ASSERT(sizeof(*sum) % sizeof(uint64_t) == 0);
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)c)[i];
}

void kvm_vcpu_detach(struct accel *a, struct vcpu *v)
{
	struct kvm_accel *k = container_of(a, struct kvm_accel, accel);
	struct kvm_vcpu *kv = kvm_vcpu_of(v);

	if (!kv)
		return;
	if (k->helper)
		k->helper->ops->vcpu_detach(k->helper, v);
	counts_add(&k->counts, &kv->count);
	v->accel_data = NULL;
	kvm_rounds_remove(&k->rounds, kv);
	kvm_coalesced_detach(k);
	free_vcpu(kv);
	if (--k->vcpu_count || !k->listened)
		return;
	address_space_unlisten(k->listened, &k->listener);
	k->listened = NULL;
	if (k->io_listened)
		address_space_unlisten(k->io_listened, &k->io_listener);
	k->io_listened = NULL;
}
