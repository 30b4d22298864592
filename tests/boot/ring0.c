/* tests/boot/ring0.c - runs a tiny guest of ours in-process: RAM, up to four vCPUs.
 * ring0 [--accel ACCEL[,PROP=VALUE...]] [--cpu MODEL] [--state FILE] NAME IMAGE [CPUS [ROWS]]:
 * the image is loaded
 * and entered in real mode at 0000:8000; which rows of the encodings table it reaches is written to
 * the file ROWS. Status 77: the accelerator cannot run on this host.
 *
 * Ports: 501h word: the end, 0 = passed, else the guest's failing line.  510h byte: 1 = INIT and a
 * start-up IPI (page 9) to all other vCPUs, 2 = interrupt 40h for the one that asks, 3 = for all
 * others, 4 = NMI for the one that asks.  Memory at 1000000h: a load gives how many loads and
 * stores came there before.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "cpu/accel.h"
#include "accel/accel.h"
#include "accel/tcg/tcg.h"
#include "event/clock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/region.h"
#include "ring0_rows.h"

enum {
	RAM_BYTES = 8 * 1024 * 1024,
	COUNTER = 0x1000000,
	COUNTER_BYTES = 4096,
	ENTRY = 0x8000,
	MAX_CPUS = 4,
	TIMEOUT_S = 60,
	HALT_MS = 1000,
	VECTOR = 0x40,
	SKIPPED = 77
};

struct bench {
	struct ram_block *ram;
	struct region memory_root, io_root, ram_region, counter, exit_port, input_port;
	struct address_space memory, io;
	struct vclock *clock;
	struct accel *accel;
	const struct arch_ops *arch;
	const char *model;
	struct vcpu cpus[MAX_CPUS];
	unsigned count;
	pthread_mutex_t mutex; /* the thread sanitizer knows it */
	pthread_cond_t cond;
	int result; /* mutex: -1 until the guest ends */
};

static struct bench bench = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
	.model = "max",
	.result = -1,
};

static void finish(int result)
{
	pthread_mutex_lock(&bench.mutex);
	if (bench.result < 0)
		bench.result = result;
	pthread_cond_signal(&bench.cond);
	pthread_mutex_unlock(&bench.mutex);
}

static void exit_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	finish((int)(value & 0xffff));
}

static void input_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	for (unsigned i = 0; i < bench.count; i++) {
		struct vcpu *v = &bench.cpus[i];
		bool is_self = v == vcpu_current();

		if (value == 1 && !is_self) {
			vcpu_set_input(v, VCPU_INIT);
			atomic_store(&v->sipi_vector, 9);
			vcpu_set_input(v, VCPU_SIPI);
		} else if ((value == 2 && is_self) || (value == 3 && !is_self)) {
			vcpu_set_input(v, VCPU_INTR);
		} else if (value == 4 && is_self) {
			vcpu_set_input(v, VCPU_NMI);
		}
	}
}

static uint64_t port_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return UINT64_MAX;
}

static _Atomic uint64_t accesses;

static uint64_t counter_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return atomic_fetch_add(&accesses, 1);
}

static void counter_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)value;
	counter_read(dev, offset, size);
}

static const struct region_ops counter_ops = {
	.read = counter_read, .write = counter_write, .max = 8, .unaligned = true
};
static const struct region_ops exit_ops = {
	.read = port_read, .write = exit_write, .max = 2, .unaligned = true
};
static const struct region_ops input_ops = { .read = port_read, .write = input_write, .max = 1 };

static int intc_ack(void *intc)
{
	vcpu_clear_input(intc, VCPU_INTR);
	return VECTOR;
}

static const struct vcpu_intc_ops intc_ops = { .ack = intc_ack };

static void on_shutdown(struct vcpu *v)
{
	fprintf(stderr, "triple fault:\n");
	x86_arch_ops.dump(v, stderr);
	finish(0x10000);
}

static bool build_memory(const char *image, struct err *err)
{
	g_autofree char *bytes = NULL;
	g_autoptr(GError) error = NULL;
	gsize size;

	if (!g_file_get_contents(image, &bytes, &size, &error))
		return err_set(err, 0, "%s", error->message);
	bench.ram = ram_block_new("ram", RAM_BYTES, err);
	if (!bench.ram)
		return false;
	memcpy(bench.ram->host + ENTRY, bytes, size);
	region_init_container(&bench.memory_root, "system", 0);
	region_init_container(&bench.io_root, "io", 0x10000);
	region_init_ram(&bench.ram_region, "ram", bench.ram, 0, RAM_BYTES);
	region_add(&bench.memory_root, 0, &bench.ram_region);
	region_init_io(&bench.counter, NULL, "counter", &counter_ops, COUNTER_BYTES);
	region_add(&bench.memory_root, COUNTER, &bench.counter);
	region_init_io(&bench.exit_port, NULL, "exit", &exit_ops, 2);
	region_init_io(&bench.input_port, NULL, "input", &input_ops, 1);
	region_add(&bench.io_root, 0x501, &bench.exit_port);
	region_add(&bench.io_root, 0x510, &bench.input_port);
	address_space_init(&bench.memory, "memory", &bench.memory_root);
	address_space_init(&bench.io, "I/O", &bench.io_root);
	return true;
}

static bool build_cpu(struct vcpu *v, uint32_t id, struct err *err)
{
	struct x86_cpu *c;

	v->memory = &bench.memory;
	v->io = &bench.io;
	v->clock = bench.clock;
	v->accel = bench.accel;
	v->apic_id = id;
	vcpu_init(v, id, bench.arch, NULL);
	v->intc_ops = &intc_ops;
	v->intc = v;
	v->on_shutdown = on_shutdown;
	v->cpu = c = x86_arch_ops.cpu_new(v, bench.model, err);
	if (!c || !bench.accel->ops->vcpu_attach(bench.accel, v, err))
		return false;
	if (id == 0) {
		x86_seg_fill_real(&c->seg[SEG_CS], 0);
		c->env.pc = ENTRY;
		x86_mode_update(c);
	}
	return vcpu_start_thread(v, err);
}

/* What a guest cannot do without, beside what every x86-64 processor has. */
static const struct {
	const char *guest;
	enum x86_feature feature;
} needs[] = {
	{ "calls", X86_FEAT_PCID }, { "far", X86_FEAT_PCID },    { "pcid", X86_FEAT_INVPCID },
	{ "rows", X86_FEAT_PCID },  { "rows", X86_FEAT_RDTSCP }, { "rows", X86_FEAT_RDPID },
};

static const char *missing_feature(const char *guest)
{
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (!strcmp(needs[i].guest, guest) && !x86_has(bench.cpus[0].cpu, needs[i].feature))
			return x86_feature_name(needs[i].feature);
	return NULL;
}

static bool set_props(struct object *o, void *words, struct err *err)
{
	for (char **word = words; *word; word++) {
		g_auto(GStrv) kv = g_strsplit(*word, "=", 2);

		if (!object_set(o, NULL, kv[0], kv[1] ? kv[1] : "on", err))
			return false;
	}
	return true;
}

static bool start_accel(const char *text, struct err *err)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	struct accel_choice choice = { .name = words[0],
				       .configure = set_props,
				       .opaque = words + 1 };
	g_autofree char *notes = NULL;

	bench.accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, err);
	return bench.accel != NULL;
}

static bool build(const char *image, unsigned count, struct err *err)
{
	if (!build_memory(image, err))
		return false;
	bench.clock = vclock_new();
	vclock_start(bench.clock);
	bench.count = count;
	for (unsigned i = 0; i < count; i++)
		if (!build_cpu(&bench.cpus[i], i, err))
			return false;
	return true;
}

/* ---- the final state ---- */

static void is_halted(struct vcpu *v, void *halted) { *(bool *)halted = v->is_halted; }

/* What comes after the end is told is over too. */
static void wait_for_halt(struct vcpu *v)
{
	bool halted = false;

	for (unsigned ms = 0; ms < HALT_MS && !halted; ms++) {
		vcpu_run_sync(v, is_halted, &halted);
		g_usleep(halted ? 0 : 1000);
	}
}

static void dump_work(struct vcpu *v, void *out)
{
	fprintf(out, "cpu %u\n", v->id);
	v->arch->dump(v, out);
	v->arch->dump_vectors(v, out);
}

/* Registers, and all memory that is not 0, 32 bytes a line. */
static bool write_state(const char *path, struct err *err)
{
	static const uint8_t zero[32];
	FILE *out = fopen(path, "w");

	if (!out)
		return err_errno(err, errno, "cannot create '%s'", path);
	for (unsigned i = 0; i < bench.count; i++) {
		wait_for_halt(&bench.cpus[i]);
		vcpu_run_sync(&bench.cpus[i], dump_work, out);
	}
	for (size_t at = 0; at < RAM_BYTES; at += sizeof(zero)) {
		if (!memcmp(bench.ram->host + at, zero, sizeof(zero)))
			continue;
		fprintf(out, "%06zx", at);
		for (unsigned i = 0; i < sizeof(zero); i++)
			fprintf(out, " %02x", bench.ram->host[at + i]);
		fprintf(out, "\n");
	}
	return fclose(out) == 0 || err_errno(err, errno, "cannot write '%s'", path);
}

static bool run(unsigned count, const char *state, struct err *err)
{
	bool ok;

	struct timespec until;

	for (unsigned i = 0; i < count; i++)
		vcpu_resume(&bench.cpus[i]);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TIMEOUT_S;
	pthread_mutex_lock(&bench.mutex);
	while (bench.result < 0 &&
	       pthread_cond_timedwait(&bench.cond, &bench.mutex, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&bench.mutex);
	ok = !state || write_state(state, err);
	for (unsigned i = 0; i < count; i++) {
		vcpu_pause(&bench.cpus[i]);
		if (bench.result < 0)
			x86_arch_ops.dump(&bench.cpus[i], stderr);
		vcpu_end_thread(&bench.cpus[i]);
	}
	for (unsigned i = 0; i < count; i++)
		bench.accel->ops->vcpu_detach(bench.accel, &bench.cpus[i]);
	return ok;
}

/* A guest that is to have had pages whose stores are not told of; and where all is slow but time,
 * such as rested. */
static bool was_restless(bool must_rest)
{
	const struct tcg_accel *t = container_of(bench.accel, struct tcg_accel, accel);

	return !t->native || (t->restless.ever && (t->restless.rested || !must_rest));
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	const char *accel = "tcg", *state = NULL, *missing;
	unsigned count;

	if (argc > 2 && !strcmp(argv[1], "--accel")) {
		accel = argv[2];
		argc -= 2, argv += 2;
	}
	if (argc > 2 && !strcmp(argv[1], "--cpu")) {
		bench.model = argv[2];
		argc -= 2, argv += 2;
	}
	if (argc > 2 && !strcmp(argv[1], "--state")) {
		state = argv[2];
		argc -= 2, argv += 2;
	}
	if (argc < 3) {
		fprintf(stderr,
			"usage: %s [--accel ACCEL] [--cpu MODEL] [--state FILE] NAME IMAGE [CPUS "
			"[ROWS]]\n",
			argv[0]);
		return 2;
	}
	count = argc > 3 ? MIN((unsigned)atoi(argv[3]), MAX_CPUS) : 1;
	object_types_add(accel_types);
	if (!start_accel(accel, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return SKIPPED;
	}
	bench.arch = argc > 4 ? ring0_rows_arch() : &x86_arch_ops;
	if (!build(argv[2], count, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	missing = missing_feature(argv[1]);
	if (missing) {
		fprintf(stderr, "%s.S needs '%s', which a CPU has not here\n", argv[1], missing);
		fflush(NULL);
		_exit(SKIPPED);
	}
	if (!run(count, state, &err) || (argc > 4 && !ring0_rows_write(argv[4], &err))) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (strcmp(bench.accel->ops->name, "tcg")) /* its counts are asked for below */
		accel_stop(bench.accel);
	if (bench.result < 0)
		fprintf(stderr, "%s.S: no end after %d s\n", argv[1], TIMEOUT_S);
	else if (bench.result)
		fprintf(stderr, "%s.S: the check at line %d failed\n", argv[1], bench.result);
	if (!bench.result && g_str_has_prefix(accel, "tcg") && !strcmp(argv[1], "smc") &&
	    !was_restless(strstr(accel, "check") || strstr(accel, "chaos"))) {
		fprintf(stderr, "%s.S: no page was ever restless, or none rested\n", argv[1]);
		return 1;
	}
	return bench.result != 0;
}
