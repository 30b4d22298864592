/* tests/unit/machine/machine_test.c - boards built in-process: types, memory, microvm's switches.
 * SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "accel/accel.h"
#include "base/err.h"
#include "chardev/chardev.h"
#include "cpu/vcpu.h"
#include "event/loop.h"
#include "machine/x86_board.h"
#include "memory/ram.h"

/* ---- one board, from its type's name to its last device -------------------------------------- */

struct world {
	struct object *root;
	struct loop *loop;
	struct accel *accel;
	struct machine *m;
	struct machine_config config;
	struct err err;
};

static void world_init(struct world *w, const char *type)
{
	struct accel_choice tcg = { .name = "tcg" };
	char *notes;

	*w = (struct world){ 0 };
	w->loop = loop_new("test", &w->err);
	w->root = object_new(&object_container_type);
	w->m = machine_new(machine_type_find(type, &w->err), w->root, w->loop);
	w->accel = accel_start_first(accel_list, w->m, &tcg, 1, &notes, &w->err);
	g_assert_nonnull(w->accel);
	g_assert_null(notes);
}

static bool world_build(struct world *w)
{
	return machine_build(w->m, &w->config, w->accel, &w->err) && machine_finish(w->m, &w->err);
}

static void world_must_build(struct world *w)
{
	if (!world_build(w))
		g_error("%s", w->err.text);
}

static void world_fini(struct world *w)
{
	machine_free(w->m);
	accel_stop(w->accel);
	object_put(w->root);
	loop_free(w->loop);
}

/* The board of this type and configuration is refused, and leaves nothing that disturbs. */
static void refused(const char *type, struct machine_config config, const char *why)
{
	struct world w;

	world_init(&w, type);
	w.config = config;
	g_assert_false(world_build(&w));
	g_assert_cmpstr(w.err.text, ==, why);
	world_fini(&w);
}

static unsigned count_devices(const struct machine *m, const char *type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->device_count; i++)
		n += !strcmp(m->devices[i]->type->base.name, type);
	return n;
}

/* ---- types ----------------------------------------------------------------------------------- */

static void test_types_are_found_by_name_and_alias(void)
{
	for (size_t i = 0; machine_types[i]; i++) {
		const struct machine_type *t = machine_types[i];
		char *type_name = g_strconcat(t->name, "-machine", NULL);
		struct err err;

		g_assert_true(machine_type_find(t->name, &err) == t);
		if (t->alias)
			g_assert_true(machine_type_find(t->alias, &err) == t);
		g_assert_true(object_type_find(type_name) == &t->base);
		g_assert_true(t->base.parent == &machine_object_type);
		g_free(type_name);
	}
}

static void test_an_unknown_type_gets_the_nearest_name(void)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "microvn", "unknown machine 'microvn' (did you mean 'microvm'?)" },
		{ "nine", "unknown machine 'nine' (did you mean 'none'?)" },
		{ "microvm-machine",
		  "unknown machine 'microvm-machine'; -machine help lists them" },
		{ "vax", "unknown machine 'vax'; -machine help lists them" },
		{ "", "unknown machine ''; -machine help lists them" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err;

		g_assert_null(machine_type_find(rows[i].name, &err));
		g_assert_cmpstr(err.text, ==, rows[i].text);
	}
}

static void test_help_lists_every_type(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	machine_help(f);
	fclose(f);
	for (size_t i = 0; machine_types[i]; i++) {
		char *row = g_strdup_printf("\n  %-12s %s\n", machine_types[i]->name,
					    machine_types[i]->desc);

		g_assert_nonnull(strstr(text, row));
		g_free(row);
	}
	free(text);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* A byte stored at addr is the byte of the RAM block at offset. */
static void is_ram(struct machine *m, gpa_t addr, uint64_t offset)
{
	uint8_t byte = (uint8_t)(1 + addr / GIB);

	g_assert_true(dma_write(&m->memory, addr, &byte, 1));
	g_assert_cmphex(m->ram->host[offset], ==, byte);
	m->ram->host[offset] = 0xaa;
	g_assert_true(dma_read(&m->memory, addr, &byte, 1));
	g_assert_cmphex(byte, ==, 0xaa);
}

static void is_not_ram(struct machine *m, gpa_t addr)
{
	uint8_t byte;

	g_assert_false(dma_read(&m->memory, addr, &byte, 1));
}

static void has_e820(const struct machine *m, gpa_t addr, uint64_t size)
{
	const struct x86_board *b = container_of(m, struct x86_board, machine);

	for (unsigned i = 0; i < b->e820_count; i++)
		if (b->e820[i].addr == addr) {
			g_assert_cmphex(b->e820[i].size, ==, size);
			g_assert_cmpuint(b->e820[i].type, ==, E820_RAM);
			return;
		}
	g_assert_cmphex(size, ==, 0);
}

static void test_memory_is_split_at_4_gib(void)
{
	static const struct {
		uint64_t size, low, high;
	} rows[] = {
		{ 64 * MIB, 64 * MIB, 0 },     { 3 * GIB - 8 * KIB, 3 * GIB - 8 * KIB, 0 },
		{ 3 * GIB, 3 * GIB, 0 },       { 3 * GIB + 8 * KIB, 3 * GIB, 8 * KIB },
		{ 5 * GIB, 3 * GIB, 2 * GIB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t low = rows[i].low, high = rows[i].high;
		struct world w;

		world_init(&w, "microvm");
		w.config.ram_size = rows[i].size;
		world_must_build(&w);
		g_assert_cmphex(w.m->ram->size, ==, rows[i].size);
		is_ram(w.m, 0, 0);
		is_ram(w.m, low - 1, low - 1);
		is_not_ram(w.m, low);
		is_not_ram(w.m, 4 * GIB - 1);
		if (high) {
			is_ram(w.m, 4 * GIB, low);
			is_ram(w.m, 4 * GIB + high - 1, low + high - 1);
		}
		is_not_ram(w.m, 4 * GIB + high);
		has_e820(w.m, 1 * MIB, low - 1 * MIB);
		has_e820(w.m, 4 * GIB, high);
		world_fini(&w);
	}
}

static void test_memory_defaults_and_limits(void)
{
	const struct machine_type *t;
	struct world w;

	world_init(&w, "microvm");
	world_must_build(&w);
	t = w.m->type;
	g_assert_cmphex(w.m->ram->size, ==, t->default_ram);
	world_fini(&w);
	refused("microvm", (struct machine_config){ .ram_size = 5000 * GIB },
		"-m: machine 'microvm' takes at most 4096 GiB of memory, not 5000 GiB");
	world_init(&w, "none"); /* nobody looks at it, but it may be asked for */
	world_must_build(&w);
	g_assert_null(w.m->ram);
	world_fini(&w);
}

static void test_two_machines_share_nothing(void)
{
	struct world a, b;

	world_init(&a, "microvm");
	world_init(&b, "microvm");
	b.config.ram_size = 16 * MIB;
	world_must_build(&a);
	world_must_build(&b);
	is_ram(a.m, 0x1000, 0x1000);
	g_assert_cmphex(b.m->ram->host[0x1000], ==, 0);
	is_not_ram(b.m, 16 * MIB);
	world_fini(&a);
	is_ram(b.m, 0x1000, 0x1000);
	world_fini(&b);
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static void test_cpus_are_numbered_by_topology(void)
{
	static const uint32_t ids[] = { 0, 1, 2, 3, 4, 5, 8, 9 };
	struct world w;

	world_init(&w, "microvm");
	w.config.smp = (struct smp_config){
		.cpus = 8, .max_cpus = 12, .sockets = 2, .cores = 3, .threads = 2
	};
	world_must_build(&w);
	g_assert_cmpuint(w.m->cpu_count, ==, 8);
	g_assert_cmpuint(count_devices(w.m, "lapic"), ==, 8);
	for (unsigned i = 0; i < w.m->cpu_count; i++)
		g_assert_cmpuint(w.m->cpus[i]->apic_id, ==, ids[i]);
	world_fini(&w);
}

static void test_cpus_a_board_cannot_have(void)
{
	refused("microvm", (struct machine_config){ .smp.cpus = 256 },
		"-smp: machine 'microvm' has at most 255 CPUs, not 256");
	refused("none", (struct machine_config){ .smp.cpus = 2 },
		"-smp: machine 'none' has at most 1 CPUs, not 2");
	refused("none", (struct machine_config){ .cpu_model = "max" },
		"-cpu: machine 'none' has no CPU");
	refused("microvm", (struct machine_config){ .cpu_model = "Hasvell" },
		"unknown CPU model 'Hasvell' (did you mean 'Haswell'?)");
}

/* ---- microvm's properties -------------------------------------------------------------------- */

static void test_each_chip_has_its_switch(void)
{
	static const struct {
		const char *prop, *chip;
	} rows[] = {
		{ "acpi", "acpi-ged" }, { "acpi", "acpi-pm-timer" }, { "pic", "i8259" },
		{ "pit", "i8254" },     { "rtc", "mc146818rtc" },    { "isa-serial", "isa-serial" },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *prop = rows[i / 2].prop, *value = i % 2 ? "off" : "on";
		struct world w;

		world_init(&w, "microvm");
		w.config.serials[0] = chardev_new_legacy(w.root, w.loop, "serial0", "null", &w.err);
		g_assert_true(object_set(&w.m->obj, w.root, prop, value, &w.err));
		world_must_build(&w);
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			bool is_off = i % 2 && !strcmp(rows[j].prop, prop);

			g_assert_cmpuint(count_devices(w.m, rows[j].chip), ==, !is_off);
		}
		world_fini(&w);
	}
}

static void test_a_machine_without_any_chip_resets_and_runs(void)
{
	static const char *const props[] = { "acpi", "pic", "pit", "rtc", "isa-serial" };
	struct world w;

	world_init(&w, "microvm");
	for (size_t i = 0; i < ARRAY_SIZE(props); i++)
		g_assert_true(object_set(&w.m->obj, w.root, props[i], "off", &w.err));
	world_must_build(&w);
	g_assert_true(machine_reset(w.m, &w.err));
	g_assert_true(machine_start_threads(w.m, &w.err));
	machine_run(w.m);
	g_assert_cmpint(w.m->state, ==, MACHINE_RUNNING);
	machine_pause(w.m);
	g_assert_cmpint(w.m->state, ==, MACHINE_PAUSED);
	world_fini(&w);
}

static void test_wrong_properties_are_refused(void)
{
	static const struct {
		const char *name, *value, *text;
	} rows[] = {
		{ "pitt", "on", "'microvm-machine' has no property 'pitt' (did you mean 'pit'?)" },
		{ "smm", "off", "'microvm-machine' has no property 'smm'" },
		{ "pic", "maybe",
		  "property 'pic' of 'microvm-machine': 'maybe' is neither 'on' nor 'off'" },
		{ "rtc", "", "property 'rtc' of 'microvm-machine': '' is neither 'on' nor 'off'" },
	};
	struct world w;

	world_init(&w, "microvm");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		g_assert_false(object_set(&w.m->obj, w.root, rows[i].name, rows[i].value, &w.err));
		g_assert_cmpstr(w.err.text, ==, rows[i].text);
	}
	world_fini(&w);
}

static void test_options_for_chips_that_are_off(void)
{
	static const struct {
		const char *prop;
		struct machine_config config;
		const char *text;
	} rows[] = {
		{ "isa-serial",
		  { .wants_serials = true },
		  "-serial: there are no serial ports with isa-serial=off" },
		{ "rtc", { .rtc_base = "utc" }, "-rtc: there is no real-time clock with rtc=off" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		world_init(&w, "microvm");
		w.config = rows[i].config;
		g_assert_true(object_set(&w.m->obj, w.root, rows[i].prop, "off", &w.err));
		g_assert_false(world_build(&w));
		g_assert_cmpstr(w.err.text, ==, rows[i].text);
		world_fini(&w);
	}
}

/* ---- a user's devices ------------------------------------------------------------------------ */

static bool plug(struct world *w, const char *type, const char *id)
{
	struct device *dev = device_new(device_type_find(type), NULL);
	bool ok = (!w->m->type->prepare || w->m->type->prepare(w->m, dev, &w->err)) &&
		  machine_add_device(w->m, dev, id, &w->err);

	if (!ok) {
		device_put(dev);
		return false;
	}
	return w->m->type->plug(w->m, dev, &w->err);
}

static void test_devices_share_neither_names_nor_ports(void)
{
	struct world w;

	world_init(&w, "microvm");
	world_must_build(&w);
	g_assert_true(plug(&w, "isa-debug-exit", "one"));
	g_assert_false(plug(&w, "pvpanic", "one"));
	g_assert_nonnull(strstr(w.err.text, "'one'"));
	g_assert_true(plug(&w, "pvpanic", "two"));
	g_assert_false(plug(&w, "isa-debug-exit", "three"));
	g_assert_cmpstr(w.err.text, ==,
			"isa-debug-exit: I/O port 0x501 is already taken by isa-debug-exit");
	world_fini(&w);
}

static void test_serial_ports_are_counted(void)
{
	struct world w;

	world_init(&w, "microvm");
	world_must_build(&w);
	for (unsigned i = 0; i < MACHINE_MAX_SERIALS; i++)
		g_assert_true(plug(&w, "isa-serial", NULL));
	g_assert_false(plug(&w, "isa-serial", NULL));
	g_assert_cmpstr(w.err.text, ==, "all COM ports are taken; give iobase= and irq=");
	world_fini(&w);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	machine_register_types();
	device_register_types();
	chardev_register_types();
	object_types_add(accel_types);
	g_test_add_func("/machine/types", test_types_are_found_by_name_and_alias);
	g_test_add_func("/machine/unknown-type", test_an_unknown_type_gets_the_nearest_name);
	g_test_add_func("/machine/help", test_help_lists_every_type);
	g_test_add_func("/machine/memory-split", test_memory_is_split_at_4_gib);
	g_test_add_func("/machine/memory-limits", test_memory_defaults_and_limits);
	g_test_add_func("/machine/two", test_two_machines_share_nothing);
	g_test_add_func("/machine/cpu-numbers", test_cpus_are_numbered_by_topology);
	g_test_add_func("/machine/cpu-limits", test_cpus_a_board_cannot_have);
	g_test_add_func("/microvm/switches", test_each_chip_has_its_switch);
	g_test_add_func("/microvm/bare", test_a_machine_without_any_chip_resets_and_runs);
	g_test_add_func("/microvm/wrong-properties", test_wrong_properties_are_refused);
	g_test_add_func("/microvm/options", test_options_for_chips_that_are_off);
	g_test_add_func("/machine/plug", test_devices_share_neither_names_nor_ports);
	g_test_add_func("/machine/serial-ports", test_serial_ports_are_counted);
	return g_test_run();
}
