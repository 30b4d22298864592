/* tests/bench/kvm_exits.c - how many port accesses a second: by a bare loop around KVM_RUN, and by
 * the accelerator with its dispatcher.  The guest does nothing else.
 * kvm_exits: prints "bare N" and "rhea N", the best of several turns each; status 77: no KVM here.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lone.h"

enum { PORT = 0x80, WARM = 2000, COUNT = 40000, TURNS = 3 };

/* 1: out 80h, al; jmp 1b */
static const uint8_t code[] = { 0xe6, PORT, 0xeb, 0xfc };

static double per_second(int64_t ns) { return COUNT * 1e9 / (double)ns; }

/* ---- bare ---- */

static bool bare_registers(int vcpu)
{
	struct kvm_regs regs = { .rip = LONE_ENTRY, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return false;
	sregs.cs.base = sregs.cs.selector = 0;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) >= 0 && ioctl(vcpu, KVM_SET_REGS, &regs) >= 0;
}

/* 0: it does not run. */
static double bare_turn(int vcpu, struct kvm_run *run)
{
	int64_t began = 0;

	for (unsigned i = 0; i < WARM + COUNT; i++) {
		if (i == WARM)
			began = clock_host_ns();
		if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO)
			return 0;
	}
	return per_second(clock_host_ns() - began);
}

static double bare(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = ioctl(kvm, KVM_CREATE_VM, 0);
	void *mem = mmap(NULL, LONE_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	struct kvm_userspace_memory_region m = { .memory_size = LONE_RAM_BYTES,
						 .userspace_addr = (uintptr_t)mem };
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), vcpu;
	void *run = MAP_FAILED;
	double result = 0;

	memcpy((char *)mem + LONE_ENTRY, code, sizeof(code));
	vcpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &m) < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu >= 0)
		run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run != MAP_FAILED && bare_registers(vcpu))
		result = bare_turn(vcpu, run);
	close(vcpu);
	close(vm);
	close(kvm);
	return result;
}

/* ---- by the accelerator ---- */

static _Atomic unsigned outs;
static _Atomic int64_t began_ns, ended_ns;

static void port_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	unsigned n = atomic_fetch_add(&outs, 1) + 1;

	(void)dev;
	(void)offset;
	(void)value;
	(void)size;
	if (n == WARM)
		atomic_store(&began_ns, clock_host_ns());
	else if (n == WARM + COUNT)
		atomic_store(&ended_ns, clock_host_ns());
}

static const struct region_ops port_ops = { .write = port_write, .max = 1 };

static double rhea(struct lone *l)
{
	lone_rewind(l);
	atomic_store(&outs, 0);
	atomic_store(&ended_ns, 0);
	vcpu_resume(&l->v);
	while (!atomic_load(&ended_ns))
		g_usleep(1000);
	vcpu_pause(&l->v);
	return per_second(atomic_load(&ended_ns) - atomic_load(&began_ns));
}

int main(void)
{
	struct region port;
	struct lone l;
	struct err err;
	double best[2] = { 0 };

	if (!lone_start(&l, "kvm,assist=off", &err)) {
		fprintf(stderr, "%s\n", err.text);
		return LONE_SKIPPED;
	}
	lone_add_cpu(&l, "qemu64", code, sizeof(code));
	region_init_io(&port, NULL, "port", &port_ops, 1);
	region_add(&l.io_root, PORT, &port);
	if (!vcpu_start_thread(&l.v, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; i < TURNS; i++) {
		best[0] = MAX(best[0], bare());
		best[1] = MAX(best[1], rhea(&l));
	}
	vcpu_end_thread(&l.v);
	lone_end(&l);
	printf("bare %.0f\nrhea %.0f\n", best[0], best[1]);
	return 0;
}
