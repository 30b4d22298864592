/* machine/machine.c - the life of a board: made, built, reset, run, freed.
 * SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cpu/accel.h"
#include "cpu/arch.h"
#include "cpu/pc_chips.h"
#include "cpu/vcpu.h"
#include "event/clock.h"
#include "event/loop.h"
#include "machine/cpu_object.h"
#include "memory/backend.h"
#include "memory/ram.h"
#include "memory/rcu.h"

static const struct prop machine_props[] = {
	PROP_LINK(struct machine, memory_backend, "memory-backend", "memory-backend",
		  .help = "an -object that the memory is of"),
	PROP_BOOL(struct machine, is_ram_dumped, "dump-guest-core", false,
		  .help = "guest memory is in a core dump of this process"),
	PROP_BOOL(struct machine, wants_usb, "usb", false, .help = "no machine has USB yet: off"),
	{ 0 },
};

const struct object_type machine_object_type = { .name = "machine",
						 .size = sizeof(struct machine),
						 .is_abstract = true,
						 .props = machine_props };

enum { LOW_RAM_MAX = 3u << 30 }; /* above it, below 4 GiB, are devices */

void machine_register_types(void)
{
	const struct object_type *types[64] = { &machine_object_type };
	size_t n = 1;

	for (size_t i = 0; machine_types[i] && n < ARRAY_SIZE(types) - 1; i++)
		types[n++] = &machine_types[i]->base;
	object_types_add(types);
	cpu_object_register_types();
}

const struct machine_type *machine_type_find(const char *name, struct err *err)
{
	const char *names[64] = { NULL };

	for (size_t i = 0; machine_types[i]; i++) {
		const struct machine_type *t = machine_types[i];

		if (!strcmp(t->name, name) || (t->alias && !strcmp(t->alias, name)))
			return t;
		if (i < ARRAY_SIZE(names) - 1)
			names[i] = t->name;
	}
	err_set(err, 0, "unknown machine '%s'", name);
	err_suggest(err, name, names);
	if (!strchr(err->text, '('))
		g_strlcat(err->text, "; -machine help lists them", sizeof(err->text));
	return NULL;
}

void machine_help(FILE *out)
{
	fprintf(out, "Machines:\n");
	for (size_t i = 0; machine_types[i]; i++)
		fprintf(out, "  %-12s %s\n", machine_types[i]->name, machine_types[i]->desc);
}

/* ---- requests from chips: any thread -> main loop ---- */

static void machine_serve_requests(void *opaque)
{
	struct machine *m = opaque;
	uint32_t bits = atomic_exchange(&m->requests, 0);

	for (unsigned what = 0; bits; what++, bits >>= 1)
		if (bits & 1)
			machine_handle_request(m, (enum device_request)what,
					       atomic_load(&m->exit_code));
}

static void machine_request(void *opaque, enum device_request what, int code)
{
	struct machine *m = opaque;

	/* The first status counts: the guest runs on until the main loop has heard of it. */
	if (what == REQUEST_EXIT && !(atomic_load(&m->requests) & 1u << what))
		atomic_store(&m->exit_code, code);
	if (what == REQUEST_RTC_CHANGE)
		atomic_store(&m->rtc_change_s, code);
	if (!(atomic_fetch_or(&m->requests, 1u << what) & 1u << what))
		loop_post(m->loop, machine_serve_requests, m);
}

static void machine_on_cpu_shutdown(struct vcpu *v) { machine_request(v->board, REQUEST_RESET, 0); }

/* What runs it has logged why, and cannot go on. */
static void machine_on_cpu_failure(struct vcpu *v, const char *text)
{
	(void)text;
	machine_request(v->board, REQUEST_EXIT, 1);
}

/* ---- making ---- */

struct machine *machine_new(const struct machine_type *type, struct object *root, struct loop *loop)
{
	struct machine *m = container_of(object_new(&type->base), struct machine, obj);
	struct err err;

	m->type = type;
	m->root = root;
	m->loop = loop;
	m->clock = vclock_new_stopped();
	m->env = (struct device_env){ .loop = loop,
				      .clock = m->clock,
				      .memory = &m->memory,
				      .root = root,
				      .request = machine_request,
				      .opaque = m };
	object_add_child(root, "machine", &m->obj, &err);
	/* Managers list them, and take their absence for a failure. */
	object_container(root, "/machine/peripheral");
	object_container(root, "/machine/unattached");
	region_init_container(&m->memory_root, "system", 0);
	region_init_container(&m->io_root, "io", 0x10000);
	address_space_init(&m->memory, "memory", &m->memory_root);
	address_space_init(&m->io, "I/O", &m->io_root);
	return m;
}

/* -m, the back end's, or the type's default. */
static bool machine_choose_ram(struct machine *m, struct err *err)
{
	uint64_t *size = &m->config.ram_size, backend;

	if (!m->memory_backend) {
		*size = *size ? *size : m->type->default_ram;
		return true;
	}
	backend = memory_backend_size(m->memory_backend);
	if (*size && *size != backend)
		return err_set(err, 0,
			       "-m: memory backend '%s' has %llu bytes, not %llu; give both the "
			       "same size",
			       m->memory_backend->name, (unsigned long long)backend,
			       (unsigned long long)*size);
	*size = backend;
	return true;
}

static bool machine_build_ram(struct machine *m, struct err *err)
{
	uint64_t size = m->config.ram_size, low = size > LOW_RAM_MAX ? LOW_RAM_MAX : size;

	if (!size)
		return true;
	if (size > m->type->max_ram)
		return err_set(err, 0,
			       "-m: machine '%s' takes at most %llu GiB of memory, not %llu GiB",
			       m->type->name, (unsigned long long)(m->type->max_ram / GIB),
			       (unsigned long long)(size / GIB));
	if (m->memory_backend)
		m->ram = memory_backend_take(m->memory_backend, err);
	else
		m->ram = ram_block_new("ram", align_up(size, RAM_PAGE_SIZE), err);
	if (!m->ram)
		return false;
	if (m->is_ram_dumped)
		ram_block_dump(m->ram);
	region_init_ram(&m->ram_low, "ram-below-4g", m->ram, 0, low);
	region_add(&m->memory_root, 0, &m->ram_low);
	if (size > low) {
		region_init_ram(&m->ram_high, "ram-above-4g", m->ram, low, size - low);
		region_add(&m->memory_root, 4 * GIB, &m->ram_high);
	}
	return true;
}

/* In the tree; a unit test's types may not be registered. */
static void machine_show_cpu(struct machine *m, struct vcpu *v, const char *model)
{
	char name[24];
	struct err err;

	v->obj = cpu_object_new(v, model);
	snprintf(name, sizeof(name), "cpu[%u]", v->id);
	if (v->obj)
		object_add_child(object_container(m->root, "/machine/unattached"), name, v->obj,
				 &err);
}

static bool machine_build_cpu(struct machine *m, uint32_t id, struct err *err)
{
	const struct arch_ops *arch = m->type->arch;
	struct vcpu *v = g_new0(struct vcpu, 1);
	const char *model = m->config.cpu_model ? m->config.cpu_model : arch->default_model;

	v->memory = &m->memory;
	v->io = &m->io;
	v->clock = m->clock;
	v->accel = m->accel;
	v->apic_id = m->type->cpu_apic_id ? m->type->cpu_apic_id(m, id) : id;
	v->board = m;
	v->on_shutdown = machine_on_cpu_shutdown;
	v->on_failure = machine_on_cpu_failure;
	vcpu_init(v, id, arch, NULL);
	v->cpu = arch->cpu_new(v, model, err);
	if (!v->cpu || !m->accel->ops->vcpu_attach(m->accel, v, err)) {
		if (v->cpu)
			arch->cpu_free(v->cpu);
		vcpu_fini(v);
		g_free(v);
		return false;
	}
	machine_show_cpu(m, v, model);
	m->cpus[m->cpu_count++] = v;
	return true;
}

static bool machine_build_cpus(struct machine *m, struct err *err)
{
	uint32_t count = m->config.smp.cpus;

	if (!m->type->arch)
		return true;
	m->cpus = g_new0(struct vcpu *, count);
	for (uint32_t i = 0; i < count; i++)
		if (!machine_build_cpu(m, i, err))
			return false;
	return true;
}

/* What a machine without a CPU has no use for. */
static bool machine_check_options(const struct machine *m, struct err *err)
{
	const struct machine_config *c = &m->config;
	const struct {
		const char *option, *lacks;
		bool is_given;
	} uses[] = {
		{ "cpu", "CPU", c->cpu_model },
		{ "kernel", "CPU", c->kernel },
		{ "initrd", "CPU", c->initrd },
		{ "append", "CPU", c->append },
		{ "bios", "CPU", c->bios },
		{ "rtc", "real-time clock", c->rtc_base || c->rtc_clock },
		{ "uuid", "firmware interface", c->has_uuid },
		{ "serial", "serial ports", c->wants_serials },
	};

	for (size_t i = 0; !m->type->arch && i < ARRAY_SIZE(uses); i++)
		if (uses[i].is_given)
			return err_set(err, 0, "-%s: machine '%s' has no %s", uses[i].option,
				       m->type->name, uses[i].lacks);
	if (m->wants_usb)
		return err_set(err, 0, "-machine usb=on: machine '%s' has no USB; leave it out",
			       m->type->name);
	return true;
}

bool machine_build(struct machine *m, const struct machine_config *config, struct accel *accel,
		   struct err *err)
{
	m->config = *config;
	m->accel = accel;
	if (accel->ops->is_by_hand)
		vclock_set_manual(m->clock);
	m->obj.is_complete = true; /* what its properties say is used now */
	return machine_check_options(m, err) && machine_choose_ram(m, err) &&
	       smp_complete(&m->config.smp, m->type->name, m->type->max_cpus, err) &&
	       machine_build_ram(m, err) && machine_build_cpus(m, err) &&
	       (!m->type->build || m->type->build(m, err));
}

bool machine_add_device(struct machine *m, struct device *dev, const char *name, struct err *err)
{
	struct object *parent = object_container(m->root, name ? "/machine/peripheral"
							       : "/machine/unattached");
	char *own = g_strdup_printf("device[%u]", m->device_count);
	bool ok = object_add_child(parent, name ? name : own, &dev->obj, err);

	g_free(own);
	if (!ok)
		return false;
	if (!device_realize(dev, &m->env, err)) {
		object_unparent(&dev->obj);
		return false;
	}
	if (m->device_count == m->device_room) {
		m->device_room = m->device_room ? m->device_room * 2 : 32;
		m->devices = g_renew(struct device *, m->devices, m->device_room);
	}
	m->devices[m->device_count++] = dev;
	return true;
}

bool machine_finish(struct machine *m, struct err *err)
{
	return !m->type->finish || m->type->finish(m, err);
}

/* ---- running ---- */

/* What the accelerator was lent comes back.  No vCPU runs. */
static void machine_recall_chips(struct machine *m)
{
	const struct pc_chips_ops *chips = m->accel ? m->accel->ops->chips : NULL;

	if (chips)
		chips->recall(m->accel);
}

void machine_show_chips(struct machine *m)
{
	const struct pc_chips_ops *chips = m->accel ? m->accel->ops->chips : NULL;

	if (chips)
		chips->show(m->accel);
}

bool machine_reset(struct machine *m, struct err *err)
{
	machine_recall_chips(m);
	for (unsigned i = 0; i < m->device_count; i++)
		device_reset(m->devices[i]);
	for (unsigned i = 0; i < m->cpu_count; i++)
		m->type->arch->cpu_reset(m->cpus[i]);
	return !m->type->load || m->type->load(m, err);
}

bool machine_start_threads(struct machine *m, struct err *err)
{
	for (unsigned i = 0; i < m->cpu_count; i++)
		if (!vcpu_start_thread(m->cpus[i], err))
			return err_prefix(err, "cannot start the thread of CPU %u: ", i);
	return true;
}

void machine_run(struct machine *m)
{
	if (m->state == MACHINE_RUNNING)
		return;
	m->state = MACHINE_RUNNING;
	if (!m->clock_stands) {
		vclock_start(m->clock);
		loop_clock_changed(m->loop);
	}
	for (unsigned i = 0; i < m->cpu_count; i++)
		vcpu_resume(m->cpus[i]);
}

void machine_pause(struct machine *m)
{
	if (m->state != MACHINE_RUNNING)
		return;
	for (unsigned i = 0; i < m->cpu_count; i++)
		vcpu_kick(m->cpus[i], VCPU_EXIT_STOP);
	for (unsigned i = 0; i < m->cpu_count; i++)
		vcpu_pause(m->cpus[i]);
	machine_recall_chips(m);
	vclock_stop(m->clock);
	m->state = MACHINE_PAUSED;
}

/* Out of sight all at once: one grace period instead of one for each device. */
static void machine_hide_devices(struct machine *m)
{
	memory_begin();
	for (unsigned i = 0; i < m->device_count; i++)
		for (unsigned r = 0; r < m->devices[i]->region_count; r++)
			region_remove(m->devices[i]->regions[r]);
	memory_commit();
	rcu_drain();
}

void machine_free(struct machine *m)
{
	machine_pause(m);
	for (unsigned i = 0; i < m->cpu_count; i++)
		vcpu_end_thread(m->cpus[i]);
	machine_hide_devices(m);
	for (unsigned i = m->device_count; i-- > 0;) {
		device_unrealize(m->devices[i]);
		object_unparent(&m->devices[i]->obj);
		device_put(m->devices[i]);
	}
	for (unsigned i = 0; i < m->cpu_count; i++) {
		m->accel->ops->vcpu_detach(m->accel, m->cpus[i]);
		m->type->arch->cpu_free(m->cpus[i]->cpu);
		vcpu_fini(m->cpus[i]);
		if (m->cpus[i]->obj) {
			object_unparent(m->cpus[i]->obj);
			object_put(m->cpus[i]->obj);
		}
		g_free(m->cpus[i]);
	}
	address_space_fini(&m->memory);
	address_space_fini(&m->io);
	if (m->memory_backend && m->ram)
		memory_backend_release(m->memory_backend);
	else
		ram_block_free(m->ram);
	vclock_free(m->clock);
	g_free(m->cpus);
	g_free(m->devices);
	object_unparent(&m->obj);
	object_put(&m->obj);
}
