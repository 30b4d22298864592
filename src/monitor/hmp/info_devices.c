/* monitor/hmp/info_devices.c - info mtree, qtree, qom-tree, qdm, pic, irq, roms: what the machine
 * is made of.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "dev/device.h"
#include "machine/machine.h"
#include "memory/topology.h"
#include "monitor/hmp/impl.h"
#include "object/object.h"

/* ---- memory ---- */

static void note_owner(const struct region *r, FILE *out)
{
	if (!r->dev)
		return;
	fprintf(out, " owner:{%s", r->dev->type->base.name);
	if (r->dev->id)
		fprintf(out, " id=%s", r->dev->id);
	fputc('}', out);
}

void hmp_info_mtree(struct hmp_call *call)
{
	struct machine *m = call->env->machine;
	bool is_flat = call->values[0].is_given;
	region_note *note = call->values[1].is_given ? note_owner : NULL;

	address_space_print(&m->memory, call->out, is_flat, note);
	fputc('\n', call->out);
	address_space_print(&m->io, call->out, is_flat, note);
	fputc('\n', call->out);
}

/* ---- devices by bus ---- */

struct props {
	FILE *out;
	struct object *o;
};

static void show_prop(const struct prop *p, void *opaque)
{
	const struct props *s = opaque;
	struct err err;
	g_autofree char *text = object_get_text(s->o, p->name, &err);

	if (!text)
		return;
	if (p->kind == KIND_STR || p->kind == KIND_ENUM || p->kind == KIND_LINK)
		fprintf(s->out, "    %s = \"%s\"\n", p->name, text);
	else
		fprintf(s->out, "    %s = %s\n", p->name, text);
}

static void show_regions(const struct machine *m, const struct device *dev, FILE *out)
{
	topology_lock();
	for (unsigned i = 0; i < dev->region_count; i++) {
		const struct region *r = dev->regions[i], *top = r;
		uint64_t addr = r->addr;

		if (!r->container)
			continue;
		for (top = r->container; top->container; top = top->container)
			addr += top->addr;
		if (top == &m->io_root)
			fprintf(out, "    isa iobase 0x%04" PRIx64 "/0x%" PRIx64 "\n", addr,
				r->size);
		else
			fprintf(out, "    mmio %016" PRIx64 "/%016" PRIx64 "\n", addr, r->size);
	}
	topology_unlock();
}

static void show_device(const struct machine *m, struct device *dev, FILE *out)
{
	struct props s = { out, &dev->obj };

	fprintf(out, "  dev: %s, id \"%s\"\n", dev->type->base.name, dev->id ? dev->id : "");
	if (dev->type->input_count)
		fprintf(out, "    gpio-in \"\" %d\n", dev->type->input_count);
	if (dev->irq_count)
		fprintf(out, "    gpio-out \"\" %u\n", dev->irq_count);
	object_props_each(dev->obj.type, show_prop, &s);
	show_regions(m, dev, out);
}

static const char *bus_of(const struct device *dev)
{
	return dev->type->bus ? dev->type->bus : "none";
}

/* Is it the first device on its bus? */
static bool is_first(const struct machine *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(bus_of(m->devices[i]), bus_of(m->devices[n])))
			return false;
	return true;
}

void hmp_info_qtree(struct hmp_call *call)
{
	const struct machine *m = call->env->machine;

	for (unsigned i = 0; i < m->device_count; i++) {
		if (!is_first(m, i))
			continue;
		fprintf(call->out, "bus: %s\n  type %s\n", bus_of(m->devices[i]),
			bus_of(m->devices[i]));
		for (unsigned k = i; k < m->device_count; k++)
			if (!strcmp(bus_of(m->devices[i]), bus_of(m->devices[k])))
				show_device(m, m->devices[k], call->out);
	}
}

/* ---- types of devices ---- */

struct category {
	FILE *out;
	const char *name;
	bool has_title;
};

static void list_type(const struct object_type *t, void *opaque)
{
	const struct device_type *d = device_type_find(t->name);
	struct category *c = opaque;

	if (!d || g_strcmp0(d->category, c->name))
		return;
	if (!c->has_title)
		fprintf(c->out, "%c%s devices:\n", g_ascii_toupper(*c->name), c->name + 1);
	c->has_title = true;
	fprintf(c->out, "name \"%s\"", t->name);
	if (d->bus)
		fprintf(c->out, ", bus %s", d->bus);
	if (t->help)
		fprintf(c->out, ", desc \"%s\"", t->help);
	fputs(d->is_user_creatable ? "\n" : ", no-user\n", c->out);
}

static void add_category(const struct object_type *t, void *names)
{
	const struct device_type *d = device_type_find(t->name);

	for (unsigned i = 0; d && d->category && i < ((GPtrArray *)names)->len; i++)
		if (!strcmp(((GPtrArray *)names)->pdata[i], d->category))
			return;
	if (d && d->category)
		g_ptr_array_add(names, (gpointer)d->category);
}

void hmp_info_qdm(struct hmp_call *call)
{
	GPtrArray *names = g_ptr_array_new();

	object_types_each("device", add_category, names);
	for (unsigned i = 0; i < names->len; i++) {
		struct category c = { call->out, names->pdata[i], false };

		object_types_each("device", list_type, &c);
		fputc('\n', call->out);
	}
	g_ptr_array_free(names, TRUE);
}

/* ---- objects ---- */

struct tree {
	struct hmp_call *call;
	int depth;
};

static void show_object(struct object *o, void *opaque)
{
	struct tree *t = opaque;

	fprintf(t->call->out, "%*s/%s (%s)\n", 2 * t->depth, "", o->name ? o->name : "",
		o->type->name);
	t->depth++;
	object_each_child(o, show_object, t);
	t->depth--;
}

void hmp_info_qom_tree(struct hmp_call *call)
{
	const char *path = call->values[0].text ? call->values[0].text : "/machine";
	struct object *o = object_resolve(call->env->root, path);
	struct tree t = { call, 0 };

	if (o)
		show_object(o, &t);
	else
		fprintf(call->out, "Path '%s' could not be resolved.\n", path);
}

/* ---- interrupt controllers ---- */

void hmp_info_pic(struct hmp_call *call)
{
	struct machine *m = call->env->machine;
	bool has_any = false;

	machine_show_chips(m);
	for (unsigned i = 0; i < m->device_count; i++) {
		struct device *dev = m->devices[i];

		if (!dev->type->show)
			continue;
		has_any = true;
		lock_take(&dev->lock);
		dev->type->show(dev, call->out);
		lock_drop(&dev->lock);
	}
	if (!has_any)
		fputs("No interrupt controllers\n", call->out);
}

void hmp_info_irq(struct hmp_call *call)
{
	const struct machine *m = call->env->machine;

	for (unsigned i = 0; i < m->device_count; i++) {
		struct device *dev = m->devices[i];
		const uint64_t *counts;

		if (!dev->type->irq_counts)
			continue;
		fprintf(call->out, "IRQ statistics for %s:\n", dev->type->base.name);
		lock_take(&dev->lock);
		counts = dev->type->irq_counts(dev);
		for (int n = 0; n < dev->type->input_count; n++)
			if (counts[n])
				fprintf(call->out, "%2d: %" PRIu64 "\n", n, counts[n]);
		lock_drop(&dev->lock);
	}
}

/* ---- what was loaded ---- */

void hmp_info_roms(struct hmp_call *call)
{
	struct machine *m = call->env->machine;

	if (m->type->show_roms)
		m->type->show_roms(m, call->out);
}
