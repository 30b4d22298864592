/* tests/unit/accel/dirty_test.c - the log of written pages names what a guest wrote, and nothing
 * else, under every accelerator and by each of KVM's two ways.
 * SPDX-License-Identifier: MIT */
#include "memory/dirty.h"

#include <string.h>

#include <glib.h>

#include "accel/accel.h"
#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "event/clock.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/region.h"

enum { RAM_PAGES = 256, CODE = 0x1000, LIST = 0x2000, ROUNDS = 20, TIMEOUT_MS = 20000 };

/* Adds 1 to a byte of each page whose segment is in the list, tells, and waits. */
static const uint8_t code[] = {
	0x31, 0xdb,             /*    xor bx, bx */
	0xbe, 0x00, 0x20,       /*    mov si, LIST */
	0xad,                   /* 1: lodsw */
	0x85, 0xc0,             /*    test ax, ax */
	0x74, 0x08,             /*    jz 2f */
	0x8e, 0xc0,             /*    mov es, ax */
	0x26, 0xfe, 0x47, 0x05, /*    inc byte es:[bx + 5] */
	0xeb, 0xf3,             /*    jmp 1b */
	0xe6, 0x80,             /* 2: out 80h, al */
	0xeb, 0xfe,             /* 3: jmp 3b */
};

struct rig {
	struct ram_block *ram;
	struct region memory_root, io_root, ram_region, port;
	struct address_space memory, io;
	struct vcpu v;
};

static _Atomic bool is_done;

static void port_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)size;
	atomic_store(&is_done, true);
}

static const struct region_ops port_ops = { .write = port_write, .max = 1 };

static bool set_props(struct object *o, void *words, struct err *err)
{
	for (char **word = words; *word; word++) {
		g_auto(GStrv) kv = g_strsplit(*word, "=", 2);

		if (!object_set(o, NULL, kv[0], kv[1], err))
			return false;
	}
	return true;
}

/* NULL: not on this host. */
static struct rig *rig_new(const char *accel)
{
	g_auto(GStrv) words = g_strsplit(accel, ",", -1);
	struct accel_choice choice = { .name = words[0],
				       .configure = set_props,
				       .opaque = words + 1 };
	g_autofree char *notes = NULL;
	struct err err = { 0 };
	struct rig *r = g_new0(struct rig, 1);

	r->v.accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, &err);
	if (!r->v.accel) {
		g_test_skip(err.text);
		g_free(r);
		return NULL;
	}
	r->ram = ram_block_new("ram", RAM_PAGES * RAM_PAGE_SIZE, &err);
	g_assert_nonnull(r->ram);
	memcpy(r->ram->host + CODE, code, sizeof(code));
	region_init_container(&r->memory_root, "system", 0);
	region_init_container(&r->io_root, "io", 0x10000);
	region_init_ram(&r->ram_region, "ram", r->ram, 0, r->ram->size);
	region_add(&r->memory_root, 0, &r->ram_region);
	region_init_io(&r->port, NULL, "port", &port_ops, 1);
	region_add(&r->io_root, 0x80, &r->port);
	address_space_init(&r->memory, "memory", &r->memory_root);
	address_space_init(&r->io, "I/O", &r->io_root);
	r->v.memory = &r->memory;
	r->v.io = &r->io;
	r->v.clock = vclock_new();
	vcpu_init(&r->v, 0, &x86_arch_ops, NULL);
	r->v.cpu = x86_arch_ops.cpu_new(&r->v, "qemu64", &err);
	if (!r->v.cpu || !r->v.accel->ops->vcpu_attach(r->v.accel, &r->v, &err) ||
	    !vcpu_start_thread(&r->v, &err))
		g_error("%s", err.text);
	return r;
}

static void rig_free(struct rig *r)
{
	vcpu_end_thread(&r->v);
	r->v.accel->ops->vcpu_detach(r->v.accel, &r->v);
	accel_stop(r->v.accel);
	x86_arch_ops.cpu_free(r->v.cpu);
	vcpu_fini(&r->v);
	address_space_fini(&r->memory);
	address_space_fini(&r->io);
	ram_block_free(r->ram);
	vclock_free(r->v.clock);
	g_free(r);
}

static void to_start(struct vcpu *v, void *unused)
{
	struct x86_cpu *c = v->cpu;

	(void)unused;
	x86_seg_fill_real(&c->seg[SEG_CS], 0);
	c->env.pc = CODE;
	x86_mode_update(c);
}

/* The guest writes those pages. */
static void run(struct rig *r, const unsigned *pages, unsigned count)
{
	uint16_t list[RAM_PAGES] = { 0 };

	for (unsigned i = 0; i < count; i++)
		list[i] = (uint16_t)(pages[i] * (RAM_PAGE_SIZE / 16));
	memcpy(r->ram->host + LIST, list, sizeof(list)); /* nobody is told */
	atomic_store(&is_done, false);
	vcpu_run_sync(&r->v, to_start, NULL);
	vcpu_resume(&r->v);
	for (unsigned ms = 0; ms < TIMEOUT_MS && !atomic_load(&is_done); ms++)
		g_usleep(1000);
	g_assert_true(atomic_load(&is_done));
	vcpu_pause(&r->v);
}

static void expect(struct rig *r, enum dirty_client who, const unsigned *pages, unsigned count)
{
	uint64_t want[RAM_PAGES / 64] = { 0 }, got[RAM_PAGES / 64];
	uint64_t n;

	for (unsigned i = 0; i < count; i++)
		want[pages[i] / 64] |= BIT(pages[i] % 64);
	n = dirty_log_take(r->ram, who, 0, RAM_PAGES, got);
	for (unsigned i = 0; i < RAM_PAGES; i++)
		if ((want[i / 64] ^ got[i / 64]) >> i % 64 & 1)
			g_error("page %u is %s", i,
				got[i / 64] >> i % 64 & 1 ? "named, but was not written"
							  : "not named, but was written");
	g_assert_cmpuint(n, ==, count);
}

static unsigned choose(unsigned *pages, unsigned most)
{
	unsigned count = 0;

	for (unsigned i = 3; i < RAM_PAGES - 1 && count < most; i++)
		if (g_random_int() % RAM_PAGES < most)
			pages[count++] = i;
	return count;
}

static void test_names_what_was_written(gconstpointer accel)
{
	struct rig *r = rig_new(accel);
	unsigned pages[RAM_PAGES], count;
	struct err err = { 0 };

	if (!r)
		return;
	run(r, (unsigned[]){ 9, 10, 200 }, 3); /* before anybody asked */
	g_assert_true(dirty_log_start(r->ram, DIRTY_MIGRATION, &err));
	expect(r, DIRTY_MIGRATION, NULL, 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		count = choose(pages, i % 4 == 3 ? 250 : 8);
		run(r, pages, count);
		expect(r, DIRTY_MIGRATION, pages, count);
		expect(r, DIRTY_MIGRATION, NULL, 0);
	}
	/* the same again, and what a device writes */
	run(r, pages, count);
	run(r, pages, count);
	dma_set(&r->memory, 254 * RAM_PAGE_SIZE + 4000, 1, 200); /* across a border */
	g_assert_cmpuint(dirty_log_take(r->ram, DIRTY_MIGRATION, 254, 2, &(uint64_t){ 0 }), ==, 2);
	expect(r, DIRTY_MIGRATION, pages, count - (count && pages[count - 1] == 254));
	dirty_log_stop(r->ram, DIRTY_MIGRATION);
	run(r, pages, count);
	rig_free(r);
}

static void test_clients_have_their_own(gconstpointer accel)
{
	struct rig *r = rig_new(accel);
	struct err err = { 0 };

	if (!r)
		return;
	g_assert_true(dirty_log_start(r->ram, DIRTY_DISPLAY, &err));
	run(r, (unsigned[]){ 5 }, 1);
	g_assert_true(dirty_log_start(r->ram, DIRTY_MIGRATION, &err));
	run(r, (unsigned[]){ 6 }, 1);
	expect(r, DIRTY_DISPLAY, (unsigned[]){ 5, 6 }, 2);
	run(r, (unsigned[]){ 7 }, 1);
	expect(r, DIRTY_MIGRATION, (unsigned[]){ 6, 7 }, 2);
	dirty_log_stop(r->ram, DIRTY_MIGRATION);
	run(r, (unsigned[]){ 8 }, 1);
	expect(r, DIRTY_DISPLAY, (unsigned[]){ 7, 8 }, 2);
	dirty_log_stop(r->ram, DIRTY_DISPLAY);
	rig_free(r);
}

/* A range that goes, and one that comes, while pages are logged. */
static void test_ranges_come_and_go(gconstpointer accel)
{
	struct rig *r = rig_new(accel);
	struct err err = { 0 };

	if (!r)
		return;
	g_assert_true(dirty_log_start(r->ram, DIRTY_MIGRATION, &err));
	run(r, (unsigned[]){ 20, 21 }, 2);
	region_remove(&r->ram_region);
	region_add(&r->memory_root, 0, &r->ram_region);
	run(r, (unsigned[]){ 22 }, 1);
	expect(r, DIRTY_MIGRATION, (unsigned[]){ 20, 21, 22 }, 3);
	dirty_log_stop(r->ram, DIRTY_MIGRATION);
	rig_free(r);
}

static void refused(const char *accel, const char *words)
{
	g_auto(GStrv) parts = g_strsplit(accel, ",", -1);
	struct accel_choice choice = { .name = parts[0],
				       .configure = set_props,
				       .opaque = parts + 1 };
	g_autofree char *notes = NULL;
	struct err err = { 0 };

	g_assert_null(accel_start_first(accel_list, NULL, &choice, 1, &notes, &err));
	if (!strstr(err.text, words))
		g_error("'%s' does not say '%s'", err.text, words);
}

static void test_odd_rings_are_refused(void)
{
	struct err err = { 0 };

	if (!accel_find(accel_list, "kvm", &err)->available(&err)) {
		g_test_skip(err.text);
		return;
	}
	refused("kvm,dirty-ring-size=1000", "dirty-ring-size=1000: not a power of two");
	refused("kvm,dirty-ring-size=2", "dirty-ring-size=2: ");
	refused("kvm,dirty-ring-size=70000", "dirty-ring-size");
}

int main(int argc, char **argv)
{
	static const char *const accels[] = {
		"tcg",
		"tcg,tier=0",
		"kvm",
		"kvm,interpreted=on",
		"kvm,assist=off",
		"kvm,interpreted=on,dirty-ring-size=1024",
		"kvm,assist=off,dirty-ring-size=256",
	};

	g_test_init(&argc, &argv, NULL);
	object_types_add(accel_types);
	for (unsigned i = 0; i < ARRAY_SIZE(accels); i++) {
		g_autofree char *names = g_strdup_printf("/accel/dirty/%s/names", accels[i]);
		g_autofree char *own = g_strdup_printf("/accel/dirty/%s/clients", accels[i]);
		g_autofree char *ranges = g_strdup_printf("/accel/dirty/%s/ranges", accels[i]);

		g_test_add_data_func(names, accels[i], test_names_what_was_written);
		g_test_add_data_func(own, accels[i], test_clients_have_their_own);
		g_test_add_data_func(ranges, accels[i], test_ranges_come_and_go);
	}
	g_test_add_func("/accel/dirty/refused", test_odd_rings_are_refused);
	return g_test_run();
}
