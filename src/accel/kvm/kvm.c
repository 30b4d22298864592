/* accel/kvm/kvm.c - the accelerator: properties, start and stop, what it tells.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include <glib.h>

#include "accel/accel.h"
#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"

/* In the order of enum kvm_irqchip_word. */
static const char *const irqchip_words[] = { "on", "split", "off", "auto", NULL };

/* clang-format off */
static const struct prop kvm_props[] = {
	PROP_BOOL(struct kvm_accel, assist_on, "assist", true, .help = "what KVM cannot run, the translator runs on with until KVM can"),
	PROP_BOOL(struct kvm_accel, interpreted, "interpreted", false, .help = "for tests: on hosts whose KVM interprets what it has no hardware for, let it do so"),
	PROP_ENUM(struct kvm_accel, irqchip, "kernel-irqchip", irqchip_words, KVM_IRQCHIP_AUTO, .help = "interrupt controllers in the kernel: all and the 8254 (on), the local APICs (split), none (off); auto is on where the host has hardware for KVM, else off"),
	PROP_NUM(struct kvm_accel, dirty_ring_size, "dirty-ring-size", 0, .min = 0, .max = 65536, .help = "what the guest writes is told in a ring of so many pages per CPU, a power of two; 0: in bitmaps"),
	PROP_BOOL(struct kvm_accel, stats, "stats", false, .help = "log at the end why guest code was left and how much was assisted"),
	{ 0 },
};
/* clang-format on */

const struct object_type kvm_accel_type = {
	.name = "kvm-accel",
	.parent = &accel_type,
	.size = sizeof(struct kvm_accel),
	.props = kvm_props,
	.help = "hardware virtualization of Linux",
};

static struct kvm_accel *kvm_of(struct accel *a)
{
	return container_of(a, struct kvm_accel, accel);
}

static bool kvm_available(struct err *err)
{
	struct kvm_system s;

	if ((kvm_host.can_start && !kvm_host.can_start(err)) || !kvm_system_open(&s, err))
		return false;
	kvm_system_close(&s);
	return true;
}

static bool start_dirty(struct kvm_accel *k, struct err *err)
{
	if (k->dirty_ring_size)
		return kvm_rings_enable(&k->vm, k->dirty_ring_size, err);
	k->vm.has_manual_dirty = kvm_dirty_manual(&k->vm);
	return true;
}

static bool start_chips(struct kvm_accel *k, struct err *err)
{
	if (kvm_host.chips_start)
		return kvm_host.chips_start(k, err);
	return k->irqchip == KVM_IRQCHIP_OFF || k->irqchip == KVM_IRQCHIP_AUTO ||
	       err_set(err, 0, "kernel-irqchip=%s: only KVM of x86 hosts has that choice",
		       irqchip_words[k->irqchip]);
}

static void stop_chips(struct kvm_accel *k)
{
	if (kvm_host.chips_stop)
		kvm_host.chips_stop(k);
}

/* What is undone by finish(), all of it or none. */
static bool begin(struct kvm_accel *k, struct err *err)
{
	if (!kvm_system_open(&k->sys, err))
		return false;
	if (!kvm_vm_create(&k->vm, &k->sys, k->assist_on, err))
		goto close_system;
	if (!start_dirty(k, err) || !start_chips(k, err))
		goto destroy_vm;
	if (k->assist_on && !kvm_assist_start(k, err))
		goto stop_chips;
	kvm_rounds_init(&k->rounds);
	kvm_coalesced_init(k);
	return true;
stop_chips:
	stop_chips(k);
destroy_vm:
	kvm_vm_destroy(&k->vm);
close_system:
	kvm_system_close(&k->sys);
	return false;
}

static void finish(struct kvm_accel *k)
{
	kvm_coalesced_fini(k);
	kvm_rounds_fini(&k->rounds);
	accel_stop(k->helper);
	stop_chips(k);
	kvm_vm_destroy(&k->vm);
	kvm_system_close(&k->sys);
}

static bool kvm_start(struct accel *a, struct err *err)
{
	struct kvm_accel *k = kvm_of(a);
	struct err why;

	if (kvm_host.can_start && !kvm_host.can_start(err))
		return false;
	if (!kvm_kick_init(err))
		return false;
	k->is_slow = !kvm_is_fast(&why);
	if (!begin(k, err))
		return false;
	if (kvm_host.started)
		kvm_host.started(k);
	if (k->is_slow)
		a->note = g_strdup_printf("kvm: -accel tcg is faster on this host: %s", why.text);
	return true;
}

static void log_stats(const struct kvm_accel *k)
{
	const struct kvm_counts *c = &k->counts;

	log_line("kvm: %" PRIu64 " runs; came back for %" PRIu64 " port accesses, %" PRIu64
		 " accesses to devices, %" PRIu64 " halts, %" PRIu64
		 " times to be interrupted, %" PRIu64 " MSRs, %" PRIu64 " others",
		 c->runs, c->io, c->mmio, c->halts, c->windows, c->msrs, c->others);
	log_line("kvm: state taken from the kernel %" PRIu64 " times, given back %" PRIu64,
		 c->pulls, c->pushes);
	log_line("kvm: assisted %" PRIu64 " times, %" PRIu64 " instructions, %" PRIu64
		 ".%03u s; %" PRIu64 ".%03u s between",
		 c->assists, c->assisted, c->assist_ns / 1000000000,
		 (unsigned)(c->assist_ns / 1000000 % 1000), c->kvm_ns / 1000000000,
		 (unsigned)(c->kvm_ns / 1000000 % 1000));
}

static void kvm_stop(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);

	if (k->stats)
		log_stats(k);
	kvm_debug_fini(&k->debug);
	finish(k);
}

static bool kvm_cpu_restrict(struct accel *a, void *cpu, struct err *err)
{
	return !kvm_host.restrict_cpu || kvm_host.restrict_cpu(kvm_of(a), cpu, err);
}

const struct accel_ops kvm_accel_ops = {
	.name = "kvm",
	.help = "hardware virtualization of Linux",
	.type = &kvm_accel_type,
	.available = kvm_available,
	.start = kvm_start,
	.stop = kvm_stop,
	.vcpu_attach = kvm_vcpu_attach,
	.vcpu_detach = kvm_vcpu_detach,
	.vcpu_run = kvm_vcpu_loop,
	.vcpu_kick = kvm_vcpu_kick,
	.vcpu_pull = kvm_vcpu_pull,
	.is_fast = kvm_is_fast,
	.explain = kvm_explain,
	.has_host_cpu = true,
	.cpu_restrict = kvm_cpu_restrict,
	.debug = &kvm_debug_ops,
#ifdef __x86_64__
	.chips = &x86_kvm_chips,
#endif
};
