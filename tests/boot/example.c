/* tests/boot/example.c - the example that comes with every introduction to KVM, on an accelerator:
 * twelve bytes that add rax and rbx, print the sum as a digit, and halt.
 * example ACCEL[,PROP=VALUE...]; status 77: the accelerator cannot run on this host.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
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

enum { ENTRY = 0x1000, RAM_BYTES = 0x10000, PORT = 0x3f8, TIMEOUT_MS = 20000, SKIPPED = 77 };

/* mov dx, 3f8h; add al, bl; add al, '0'; out dx, al; mov al, '\n'; out dx, al; hlt */
static const uint8_t code[] = { 0xba, 0xf8, 0x03, 0x00, 0xd8, 0x04,
				0x30, 0xee, 0xb0, 0x0a, 0xee, 0xf4 };

static char printed[16];
static _Atomic unsigned printed_count;

static void port_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	unsigned n = atomic_load(&printed_count);

	(void)dev;
	(void)offset;
	(void)size;
	if (n < sizeof(printed) - 1)
		printed[n] = (char)value;
	atomic_fetch_add(&printed_count, 1);
}

static const struct region_ops port_ops = { .write = port_write, .max = 1 };

static bool set_props(struct object *o, void *words, struct err *err)
{
	for (char **word = words; *word; word++) {
		g_auto(GStrv) kv = g_strsplit(*word, "=", 2);

		if (!object_set(o, NULL, kv[0], kv[1] ? kv[1] : "on", err))
			return false;
	}
	return true;
}

static void start_at_entry(struct x86_cpu *c)
{
	x86_seg_fill_real(&c->seg[SEG_CS], 0);
	c->env.pc = ENTRY;
	c->gpr[RAX] = c->gpr[RBX] = 2;
	x86_mode_update(c);
}

static void is_halted(struct vcpu *v, void *halted) { *(bool *)halted = v->is_halted; }

static int run(struct vcpu *v, struct err *err)
{
	bool halted = false;

	if (!vcpu_start_thread(v, err))
		return 1;
	vcpu_resume(v);
	for (unsigned ms = 0; ms < TIMEOUT_MS && !halted; ms++) {
		g_usleep(1000);
		vcpu_run_sync(v, is_halted, &halted);
	}
	vcpu_pause(v);
	if (!halted || strcmp(printed, "4\n") || atomic_load(&printed_count) != 2) {
		fprintf(stderr, "halted %d, printed '%s'\n", halted, printed);
		v->arch->dump(v, stderr);
		return 1;
	}
	if (v->arch->get_pc(v) != ENTRY + sizeof(code)) {
		fprintf(stderr, "the program counter is not behind the HLT\n");
		return 1;
	}
	vcpu_end_thread(v);
	return 0;
}

int main(int argc, char **argv)
{
	g_auto(GStrv) words = g_strsplit(argc > 1 ? argv[1] : "tcg", ",", -1);
	struct accel_choice choice = { .name = words[0],
				       .configure = set_props,
				       .opaque = words + 1 };
	struct region memory_root, io_root, ram_region, port;
	struct address_space memory, io;
	struct vcpu v = { .memory = &memory, .io = &io };
	g_autofree char *notes = NULL;
	struct ram_block *ram;
	struct err err = { 0 };
	int status;

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
	vclock_start(v.clock);
	vcpu_init(&v, 0, &x86_arch_ops, NULL);
	v.cpu = x86_arch_ops.cpu_new(&v, "qemu64", &err);
	if (!v.cpu || !v.accel->ops->vcpu_attach(v.accel, &v, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	start_at_entry(v.cpu);
	status = run(&v, &err);
	if (status)
		return status;
	v.accel->ops->vcpu_detach(v.accel, &v);
	accel_stop(v.accel);
	return 0;
}
