/* tests/bench/kvm_exits.c - how many port accesses a second: by a bare loop around KVM_RUN, and by
 * the accelerator with its dispatcher.  The guest does nothing else.
 * kvm_exits: prints "bare N" and "rhea N", the best of several turns each; status 77: no KVM here.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "accel/accel.h"
#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "event/clock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/region.h"

enum { RAM_BYTES = 0x10000, ENTRY = 0x1000, PORT = 0x80, WARM = 2000, COUNT = 40000, TURNS = 3 };
enum { SKIPPED = 77 };

/* 1: out 80h, al; jmp 1b */
static const uint8_t code[] = { 0xe6, PORT, 0xeb, 0xfc };

static double per_second(int64_t ns) { return COUNT * 1e9 / (double)ns; }

/* ---- bare ---- */

static bool bare_registers(int vcpu)
{
	struct kvm_regs regs = { .rip = ENTRY, .rflags = 2 };
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
	void *mem = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	struct kvm_userspace_memory_region m = { .memory_size = RAM_BYTES,
						 .userspace_addr = (uintptr_t)mem };
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), vcpu;
	void *run = MAP_FAILED;
	double result = 0;

	memcpy((char *)mem + ENTRY, code, sizeof(code));
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

static bool alone(struct object *o, void *opaque, struct err *err)
{
	(void)opaque;
	return object_set(o, NULL, "assist", "off", err);
}

static double rhea(struct vcpu *v)
{
	struct x86_cpu *c = v->cpu;

	x86_seg_fill_real(&c->seg[SEG_CS], 0);
	c->env.pc = ENTRY;
	x86_mode_update(c);
	atomic_store(&outs, 0);
	atomic_store(&ended_ns, 0);
	vcpu_resume(v);
	while (!atomic_load(&ended_ns))
		g_usleep(1000);
	vcpu_pause(v);
	return per_second(atomic_load(&ended_ns) - atomic_load(&began_ns));
}

int main(void)
{
	struct accel_choice choice = { .name = "kvm", .configure = alone };
	struct region memory_root, io_root, ram_region, port;
	struct address_space memory, io;
	struct vcpu v = { .memory = &memory, .io = &io };
	g_autofree char *notes = NULL;
	struct ram_block *ram;
	struct err err = { 0 };
	double best[2] = { 0 };

	object_types_add(accel_types);
	v.accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, &err);
	if (!v.accel) {
		fprintf(stderr, "%s\n", err.text);
		return SKIPPED;
	}
	ram = ram_block_new("ram", RAM_BYTES, &err);
	memcpy(ram->host + ENTRY, code, sizeof(code));
	region_init_container(&memory_root, "system", 0);
	region_init_container(&io_root, "io", 0x10000);
	region_init_ram(&ram_region, "ram", ram, 0, RAM_BYTES);
	region_add(&memory_root, 0, &ram_region);
	region_init_io(&port, NULL, "port", &port_ops, 1);
	region_add(&io_root, PORT, &port);
	address_space_init(&memory, "memory", &memory_root);
	address_space_init(&io, "I/O", &io_root);
	v.clock = vclock_new();
	vcpu_init(&v, 0, &x86_arch_ops, NULL);
	v.cpu = x86_arch_ops.cpu_new(&v, "qemu64", &err);
	if (!v.cpu || !v.accel->ops->vcpu_attach(v.accel, &v, &err) ||
	    !vcpu_start_thread(&v, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; i < TURNS; i++) {
		best[0] = MAX(best[0], bare());
		best[1] = MAX(best[1], rhea(&v));
	}
	vcpu_end_thread(&v);
	v.accel->ops->vcpu_detach(v.accel, &v);
	accel_stop(v.accel);
	printf("bare %.0f\nrhea %.0f\n", best[0], best[1]);
	return 0;
}
