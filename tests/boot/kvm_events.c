/* tests/boot/kvm_events.c - what needs no exit: doorbells, interrupts from eventfds, message
 * routes, the kernel's 8254.  kvm_events IMAGE ACCEL[,PROP=VALUE...] GUEST: a microvm in-process,
 * with a guest of kvm/events.S in real mode.  Status 77: the accelerator cannot run on this host.
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <glib.h>

#include "accel/accel.h"
#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/err.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "memory/ram.h"
#include "memory/rcu.h"

enum { ENTRY = 0x8000, COUNT = 0x600, MMIO = 0xd0000, TIMEOUT_MS = 8000, SKIPPED = 77 };

static struct machine *m;
static struct loop *loop;
static struct kvm_accel *kvm; /* NULL: another accelerator */
static struct region bell_port, end_port, bell_mmio, late_port, late_mmio;
static _Atomic bool is_over, is_waiting;
static GString *stores; /* under `mutex` */
static GMutex mutex;

#define MUST(what)                                                                     \
	do {                                                                           \
		if (!(what)) {                                                         \
			fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                       \
		}                                                                      \
	} while (0)

/* ---- what the guest sees ---- */

static void note(const char *where, uint64_t offset, uint64_t value)
{
	g_mutex_lock(&mutex);
	g_string_append_printf(stores, "%s%x=%x ", where, (unsigned)offset, (unsigned)value);
	g_mutex_unlock(&mutex);
}

static void bell_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)size;
	note("p", offset, value);
}

static void mmio_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)size;
	note("m", offset, value);
}

static void late_port_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)size;
	note("lp", offset, value);
}

static void late_mmio_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)size;
	note("lm", offset, value);
}

static void end_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)value;
	(void)size;
	atomic_store(offset ? &is_waiting : &is_over, true);
}

static const struct region_ops bell_ops = { .write = bell_write, .max = 2 };
static const struct region_ops mmio_ops = { .write = mmio_write, .max = 2 };
static const struct region_ops late_port_ops = { .write = late_port_write, .max = 2 };
static const struct region_ops late_mmio_ops = { .write = late_mmio_write, .max = 2 };
static const struct region_ops end_ops = { .write = end_write, .max = 1 };

/* ---- the machine ---- */

static bool set_props(struct object *o, void *words, struct err *err)
{
	for (char **word = words; *word; word++) {
		g_auto(GStrv) kv = g_strsplit(*word, "=", 2);

		if (!object_set(o, NULL, kv[0], kv[1] ? kv[1] : "on", err))
			return false;
	}
	return true;
}

static void load_guest(const char *image, unsigned guest)
{
	g_autofree char *bytes = NULL;
	struct x86_cpu *c = m->cpus[0]->cpu;
	gsize size;

	MUST(g_file_get_contents(image, &bytes, &size, NULL));
	memcpy(m->ram->host + ENTRY, bytes, size);
	x86_seg_fill_real(&c->seg[SEG_CS], 0);
	c->env.pc = ENTRY;
	c->gpr[RAX] = guest;
	x86_mode_update(c);
}

static void add_regions(void)
{
	region_init_io(&bell_port, NULL, "bell", &bell_ops, 0x20);
	region_init_io(&end_port, NULL, "end", &end_ops, 2);
	region_init_io(&bell_mmio, NULL, "bell-mmio", &mmio_ops, 0x1000);
	region_init_io(&late_port, NULL, "late", &late_port_ops, 1);
	region_init_io(&late_mmio, NULL, "late-mmio", &late_mmio_ops, 0x10);
	region_set_coalesced(&late_port);
	region_set_coalesced(&late_mmio);
	region_add(&m->io_root, 0x700, &bell_port);
	region_add_overlap(&m->io_root, 0x710, &late_port, 1);
	region_add_overlap(&m->memory_root, MMIO + 0x10, &late_mmio, 2);
	region_add_overlap(&m->io_root, 0x701, &end_port, 1);
	region_add_overlap(&m->memory_root, MMIO, &bell_mmio, 1);
}

static struct accel *start_accel(const char *text, struct err *err)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	struct accel_choice choice = { .name = words[0],
				       .configure = set_props,
				       .opaque = words + 1 };
	g_autofree char *notes = NULL;

	return accel_start_first(accel_list, m, &choice, 1, &notes, err);
}

static bool reached(_Atomic bool *flag)
{
	for (unsigned ms = 0; ms < TIMEOUT_MS && !atomic_load(flag); ms++)
		loop_poll(loop, 1000000);
	return atomic_load(flag);
}

static unsigned count(void)
{
	return __atomic_load_n((uint16_t *)(void *)(m->ram->host + COUNT), __ATOMIC_SEQ_CST);
}

static bool counts_to(unsigned n)
{
	for (unsigned ms = 0; ms < TIMEOUT_MS && count() < n; ms++)
		loop_poll(loop, 1000000);
	return count() == n;
}

static uint64_t ticks_of(int fd, int timeout_ms);

static void tick(int fd)
{
	uint64_t one = 1;

	MUST(write(fd, &one, sizeof(one)) == sizeof(one));
}

static uint64_t ticks_of(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	if (poll(&p, 1, timeout_ms) == 1)
		MUST(read(fd, &n, sizeof(n)) == sizeof(n));
	return n;
}

static unsigned served; /* times that a line's end was told */

/* A line is told of again until the guest has served it. */
static bool serves(const struct kvm_irq_source *s, unsigned n)
{
	for (unsigned i = 0; s->resample_fd >= 0 && i < TIMEOUT_MS / 10 && count() < n; i++) {
		loop_poll(loop, 1000000);
		if (!ticks_of(s->resample_fd, 10))
			continue;
		served++;
		if (count() < n)
			tick(s->fd);
	}
	if (s->resample_fd >= 0)
		served += ticks_of(s->resample_fd, 10) > 0;
	return counts_to(n);
}

static uint64_t exits(void)
{
	const struct kvm_counts *c = kvm ? &kvm_vcpu_of(m->cpus[0])->count : NULL;

	return c ? c->io + c->mmio : 0;
}

/* ---- the guests' other halves ---- */

static void before_doorbells(int fds[3])
{
	for (unsigned i = 0; i < 3; i++)
		fds[i] = eventfd(0, EFD_NONBLOCK);
	region_add_eventfd(
		&bell_port,
		&(struct region_eventfd){ .size = 1, .has_data = true, .data = 1, .fd = fds[0] });
	region_add_eventfd(&bell_mmio, &(struct region_eventfd){ .offset = 4, .fd = fds[1] });
	region_add_eventfd(
		&bell_mmio,
		&(struct region_eventfd){
			.offset = 8, .size = 2, .has_data = true, .data = 0x1234, .fd = fds[2] });
}

static void see_doorbells(int fds[3])
{
	MUST(reached(&is_over));
	for (unsigned i = 0; i < 3; i++)
		MUST(ticks_of(fds[i], 0) == 1);
	MUST(!strcmp(stores->str, "p0=2 m8=1235 m8=34 "));
	/* three that did not match, and the end */
	if (kvm && !kvm->helper)
		MUST(exits() == 4);
}

static void see_lines(bool is_level)
{
	struct kvm_irq_source s = { .gsi = 5, .fd = eventfd(0, EFD_NONBLOCK), .resample_fd = -1 };
	struct err err;

	if (is_level)
		s.resample_fd = eventfd(0, EFD_NONBLOCK);
	MUST(reached(&is_waiting));
	MUST(x86_kvm_irqfd_add(kvm, &s, &err));
	tick(s.fd);
	MUST(serves(&s, 1)); /* whoever has no reason any more is quiet */
	g_usleep(20000);
	MUST(count() == 1);
	/* also after the states were here */
	machine_pause(m);
	tick(s.fd);
	g_usleep(10000);
	MUST(count() == 1);
	machine_run(m);
	MUST(serves(&s, 2) && reached(&is_over));
	MUST(!is_level || served >= 2);
	x86_kvm_irqfd_remove(kvm, &s);
}

static void see_messages(void)
{
	struct kvm_irq_source s = { .fd = eventfd(0, EFD_NONBLOCK), .resample_fd = -1 };
	struct err err;
	int more[3];

	MUST(reached(&is_waiting));
	s.gsi = kvm_route_add_msi(&kvm->vm, 0xfee00000, 0x45, &err);
	MUST(s.gsi >= 24);
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = kvm_route_add_msi(&kvm->vm, 0xfee00000, 0x70 + i, &err);
		MUST(more[i] > s.gsi);
	}
	kvm_route_remove(&kvm->vm, more[1]);
	MUST(kvm_route_add_msi(&kvm->vm, 0xfee00000, 0x71, &err) == more[1]);
	MUST(x86_kvm_irqfd_add(kvm, &s, &err));
	tick(s.fd);
	MUST(counts_to(1));
	/* nobody ended the first: one of a higher class */
	MUST(kvm_route_set_msi(&kvm->vm, s.gsi, 0xfee00000, 0x65) >= 0);
	tick(s.fd);
	MUST(counts_to(2) && reached(&is_over));
	x86_kvm_irqfd_remove(kvm, &s);
	kvm_route_remove(&kvm->vm, s.gsi);
}

static void see_ticks(void)
{
	MUST(reached(&is_over));
	MUST(count() >= 20);
	/* the chips' ports and all interrupts stayed in the kernel */
	MUST(kvm->chips.has_pit && exits() == 2);
}

static bool stored(const char *text)
{
	bool is_so;

	g_mutex_lock(&mutex);
	is_so = !strcmp(stores->str, text);
	g_mutex_unlock(&mutex);
	return is_so;
}

static void see_batch(void)
{
	static const char first[] = "lm0=1 lp0=2 lm1=3 lm2=4 p0=5 lm0=6 lm1=7 ";
	g_autofree char *all = g_strconcat(first, "lm0=8 ", NULL);
	uint64_t v;

	MUST(reached(&is_waiting));
	/* the guest goes on without leaving: a load from there brings the last */
	for (unsigned ms = 0; ms < TIMEOUT_MS && !stored(all); ms++) {
		MUST(stored(first) || stored(all));
		g_usleep(1000);
		address_space_read(&m->memory, MMIO + 0x10, 1, &v);
	}
	MUST(stored(all));
	machine_pause(m);
	if (kvm && !kvm->helper)
		MUST(exits() == 2);
}

static void run(unsigned guest)
{
	struct err err;
	int fds[3] = { -1, -1, -1 };

	if (guest == 0)
		before_doorbells(fds);
	MUST(machine_start_threads(m, &err));
	machine_run(m);
	switch (guest) {
	case 0: see_doorbells(fds); break;
	case 1: see_lines(false); break;
	case 2: see_lines(true); break;
	case 3: see_messages(); break;
	case 4: see_ticks(); break;
	default: see_batch();
	}
	machine_pause(m);
}

int main(int argc, char **argv)
{
	static const char *const guests[] = { "doorbells", "lines", "levels",
					      "messages",  "ticks", "batch" };
	struct machine_config config = { .ram_size = 16 * MIB };
	struct object *root = object_new(&object_container_type);
	unsigned guest = 0;
	struct accel *a;
	struct err err;

	MUST(argc == 4);
	while (guest < ARRAY_SIZE(guests) && strcmp(guests[guest], argv[3]))
		guest++;
	object_types_add(accel_types);
	device_register_types();
	machine_register_types();
	stores = g_string_new(NULL);
	loop = loop_new("test", &err);
	m = machine_new(machine_type_find("microvm", &err), root, loop);
	a = start_accel(argv[2], &err);
	if (!a) {
		fprintf(stderr, "%s\n", err.text);
		return SKIPPED;
	}
	kvm = strcmp(a->ops->name, "kvm") ? NULL : container_of(a, struct kvm_accel, accel);
	if (!machine_build(m, &config, a, &err) || !machine_finish(m, &err) ||
	    !machine_reset(m, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	add_regions();
	load_guest(argv[1], guest);
	run(guest);
	machine_free(m);
	accel_stop(a);
	object_put(root);
	loop_free(loop);
	g_string_free(stores, TRUE);
	return 0;
}
