/* machine/cpu_object.c - vCPUs as objects of the tree.
 * SPDX-License-Identifier: MIT */
#include "machine/cpu_object.h"

#include <string.h>

#include <glib.h>

#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "object/object.h"

struct cpu_object {
	struct object obj;
	uint32_t index, apic_id;
	bool is_hotplugged;
};

static const struct prop cpu_props[] = {
	PROP_NUM(struct cpu_object, index, "index", 0, .is_read_only = true),
	PROP_NUM(struct cpu_object, apic_id, "apic-id", 0, .is_read_only = true),
	PROP_BOOL(struct cpu_object, is_hotplugged, "hotplugged", false, .is_read_only = true),
	{ 0 },
};

static const struct object_type cpu_type = {
	.name = "cpu",
	.size = sizeof(struct cpu_object),
	.is_abstract = true,
	.props = cpu_props,
	.help = "a vCPU",
};

char *cpu_object_type_name(const struct arch_ops *arch, const char *model)
{
	return g_strdup_printf("%.*s-%s-cpu", (int)strcspn(model, ","), model, arch->name);
}

/* Types made at run time live as long as the process. */
static void type_new(char *name, const struct object_type *parent, bool is_abstract)
{
	struct object_type *t = g_new0(struct object_type, 1);

	t->name = name;
	t->parent = parent;
	t->size = sizeof(struct cpu_object);
	t->is_abstract = is_abstract;
	object_types_add((const struct object_type *const[]){ t, NULL });
}

static void register_arch(const struct arch_ops *arch)
{
	char *name = g_strdup_printf("%s-cpu", arch->name);

	if (object_type_find(name)) {
		g_free(name);
		return;
	}
	type_new(name, &cpu_type, true);
	for (unsigned i = 0; arch->cpu_models[i]; i++)
		type_new(cpu_object_type_name(arch, arch->cpu_models[i]), object_type_find(name),
			 false);
}

void cpu_object_register_types(void)
{
	object_types_add((const struct object_type *const[]){ &cpu_type, NULL });
	for (unsigned i = 0; machine_types[i]; i++)
		if (machine_types[i]->arch)
			register_arch(machine_types[i]->arch);
}

struct object *cpu_object_new(struct vcpu *v, const char *model)
{
	g_autofree char *type_name = cpu_object_type_name(v->arch, model);
	const struct object_type *t = object_type_find(type_name);
	struct object *o = t ? object_new(t) : NULL;
	struct cpu_object *c = o ? container_of(o, struct cpu_object, obj) : NULL;

	if (!c)
		return NULL;
	c->index = v->id;
	c->apic_id = v->apic_id;
	o->is_complete = true;
	return o;
}
