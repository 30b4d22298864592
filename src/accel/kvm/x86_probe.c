/* accel/kvm/x86_probe.c - how fast KVM is on this host.
 *
 * Some kernels have a /dev/kvm without hardware virtualization and interpret what guests run at
 * privilege level 0.  A loop in a virtual machine of its own tells: in protected mode, without
 * paging, where all processors with hardware virtualization run guest code themselves.
 * SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"

enum {
	PAGE = 4096,
	ROUNDS = 300,
	ROUND_INSNS = 2,
	TRIES = 3,
	HARDWARE_INSNS_PER_US = 20, /* interpreters are at 1, the slowest processors at 500 */
};

struct scratch {
	struct kvm_system sys;
	struct kvm_vm vm;
	int vcpu;
	uint8_t *page;
	struct kvm_run *run;
};

bool kvm_host_has_hardware(void)
{
	uint32_t a, b, c, d;
	bool vmx = __get_cpuid(1, &a, &b, &c, &d) && c & 1u << 5;

	return vmx || (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1u << 2);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void scratch_close(struct scratch *s)
{
	if (s->run)
		munmap(s->run, (size_t)s->sys.run_bytes);
	if (s->vcpu >= 0)
		close(s->vcpu);
	kvm_vm_destroy(&s->vm);
	if (s->page)
		munmap(s->page, PAGE);
	kvm_system_close(&s->sys);
}

static bool scratch_map(struct scratch *s, struct err *err)
{
	struct kvm_userspace_memory_region m = { .memory_size = PAGE };
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	s->page = p == MAP_FAILED ? NULL : p;
	m.userspace_addr = (uintptr_t)s->page;
	r = s->page ? kvm_ioctl(s->vm.fd, KVM_SET_USER_MEMORY_REGION, &m) : -errno;
	if (r < 0)
		return err_errno(err, -r, "cannot give a virtual machine memory");
	s->vcpu = kvm_ioctl_value(s->vm.fd, KVM_CREATE_VCPU, 0);
	if (s->vcpu < 0)
		return err_errno(err, -s->vcpu, "cannot create a CPU");
	p = mmap(NULL, (size_t)s->sys.run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->vcpu, 0);
	s->run = p == MAP_FAILED ? NULL : p;
	return s->run || err_errno(err, errno, "cannot map a CPU");
}

/* dec ecx; jnz back; out 80h, al */
static const uint8_t code[] = { 0x49, 0x75, 0xfd, 0xe6, 0x80 };

static bool scratch_start(struct scratch *s, uint64_t rounds)
{
	struct kvm_regs regs = { .rflags = 2, .rcx = rounds };
	struct kvm_sregs sregs;
	struct kvm_segment flat = { .limit = UINT32_MAX,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1 };

	memcpy(s->page, code, sizeof(code));
	if (kvm_ioctl(s->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return false;
	sregs.cs = flat;
	flat.type = 3;
	flat.selector = 16;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = flat;
	sregs.cr0 |= 1;
	return kvm_ioctl(s->vcpu, KVM_SET_SREGS, &sregs) >= 0 &&
	       kvm_ioctl(s->vcpu, KVM_SET_REGS, &regs) >= 0;
}

/* How long rounds take, and the way in and out; -1: they do not end as they should. */
static int64_t scratch_time(struct scratch *s, uint64_t rounds)
{
	int64_t began;

	if (!scratch_start(s, rounds))
		return -1;
	began = now_ns();
	if (kvm_ioctl(s->vcpu, KVM_RUN, NULL) < 0 || s->run->exit_reason != KVM_EXIT_IO)
		return -1;
	return now_ns() - began;
}

enum kvm_speed kvm_probe_speed(double *insns_per_us, struct err *err)
{
	struct scratch s = { .sys.fd = -1, .vm.fd = -1, .vcpu = -1 };
	int64_t best = INT64_MAX;
	double speed;

	if (!kvm_system_open(&s.sys, err) || !kvm_vm_create(&s.vm, &s.sys, false, err) ||
	    !scratch_map(&s, err)) {
		scratch_close(&s);
		return KVM_SPEED_UNKNOWN;
	}
	/* The first brings the page in. */
	for (unsigned i = 0; i < TRIES; i++) {
		int64_t none = scratch_time(&s, 1), all = none < 0 ? -1 : scratch_time(&s, ROUNDS);

		if (all < 0) {
			best = -1;
			break;
		}
		best = MIN(best, MAX(all - none, 1));
	}
	scratch_close(&s);
	if (best < 0) {
		err_set(err, 0, "a loop of three instructions does not run under KVM");
		return KVM_SPEED_UNKNOWN;
	}
	speed = (double)ROUNDS * ROUND_INSNS * 1000 / (double)best;
	if (insns_per_us)
		*insns_per_us = speed;
	return speed >= HARDWARE_INSNS_PER_US ? KVM_SPEED_HARDWARE : KVM_SPEED_SLOW;
}

bool kvm_is_fast(struct err *err)
{
	struct kvm_system s;
	double speed;

	if (!kvm_system_open(&s, err))
		return false;
	kvm_system_close(&s);
	if (!kvm_host_has_hardware())
		return err_set(
			err, 0,
			"this host's processor shows no hardware virtualization (neither vmx "
			"nor svm in /proc/cpuinfo), so KVM interprets kernels' code");
	switch (kvm_probe_speed(&speed, err)) {
	case KVM_SPEED_HARDWARE: return true;
	case KVM_SPEED_SLOW:
		return err_set(err, 0,
			       "KVM does not run guest code at the hardware's speed here (%.1f "
			       "million instructions per second)",
			       speed);
	default: return false;
	}
}

char *kvm_explain(void)
{
	GString *text = g_string_new(NULL);
	struct kvm_system s;
	struct err err;
	double speed;

	if (!kvm_system_open(&s, &err)) {
		g_string_append_printf(text, "not usable: %s\n", err.text);
		return g_string_free(text, FALSE);
	}
	g_string_append_printf(text,
			       "usable: /dev/kvm opens; up to %d CPUs (%d recommended), %d memory "
			       "slots\n",
			       s.caps.max_vcpus, s.caps.nr_vcpus, s.caps.nr_slots);
	kvm_system_close(&s);
	g_string_append_printf(text, "hardware virtualization: %s\n",
			       kvm_host_has_hardware() ? "the processor has it"
						       : "the processor shows none (vmx, svm)");
	if (kvm_probe_speed(&speed, &err) == KVM_SPEED_UNKNOWN)
		g_string_append_printf(text, "speed: %s\n", err.text);
	else
		g_string_append_printf(text,
				       "speed: %s million instructions per second at privilege "
				       "level 0%s\n",
				       speed >= HARDWARE_INSNS_PER_US ? "hundreds of" : "about 1",
				       speed >= HARDWARE_INSNS_PER_US ? "" : ": interpreted");
	return g_string_free(text, FALSE);
}
