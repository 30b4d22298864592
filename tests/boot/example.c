/* tests/boot/example.c - the example that comes with every introduction to KVM, on an accelerator:
 * twelve bytes that add rax and rbx, print the sum as a digit, and halt.
 * example ACCEL[,PROP=VALUE...]; status 77: the accelerator cannot run on this host.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "../lone.h"

enum { PORT = 0x3f8, TIMEOUT_MS = 20000 };

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
	if (v->arch->get_pc(v) != LONE_ENTRY + sizeof(code)) {
		fprintf(stderr, "the program counter is not behind the HLT\n");
		return 1;
	}
	vcpu_end_thread(v);
	return 0;
}

int main(int argc, char **argv)
{
	struct region port;
	struct lone l;
	struct err err;
	int status;

	if (!lone_start(&l, argc > 1 ? argv[1] : "tcg", &err)) {
		fprintf(stderr, "%s\n", err.text);
		return LONE_SKIPPED;
	}
	lone_add_cpu(&l, "qemu64", code, sizeof(code));
	region_init_io(&port, NULL, "port", &port_ops, 1);
	region_add(&l.io_root, PORT, &port);
	vclock_start(l.v.clock);
	lone_rewind(&l);
	l.cpu->gpr[RAX] = l.cpu->gpr[RBX] = 2;
	status = run(&l.v, &err);
	if (status)
		return status;
	lone_end(&l);
	return 0;
}
