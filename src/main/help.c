/* main/help.c - lists: -M help, -cpu help, -device help, -device X,help ...
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "base/log.h"
#include "cpu/accel.h"
#include "cpu/arch.h"
#include "dev/device.h"
#include "machine/machine.h"
#include "main/session.h"

static bool is_help(const char *word)
{
	return word && (!strcmp(word, "help") || !strcmp(word, "?"));
}

/* By the name that the option takes: without the types' prefix. */
static void print_type_row(const struct object_type *t, void *prefix)
{
	const char *name = t->name;

	if (g_str_has_prefix(name, prefix))
		name += strlen(prefix);
	if (!t->is_abstract)
		printf("  %-22s %s\n", name, t->help ? t->help : "");
}

static void print_device_row(const struct object_type *t, void *opaque)
{
	const struct device_type *d = device_type_find(t->name);

	(void)opaque;
	if (d && d->is_user_creatable)
		printf("  %-22s bus %s%s%s\n", t->name, d->bus ? d->bus : "none",
		       t->help ? ", " : "", t->help ? t->help : "");
}

static void print_object_row(const struct object_type *t, void *opaque)
{
	if (t->complete)
		print_type_row(t, opaque);
}

/* "X,help": the properties of type X. */
static bool help_for_type(const char *what, const char *name, struct err *err)
{
	const struct object_type *t = object_type_find(name);

	if (!t)
		return object_type_unknown(err, what, name, NULL);
	object_type_help(t, stdout);
	return true;
}

static bool help_machine(const struct options *o, bool *done, struct err *err)
{
	const char *type = keyvals_get(&o->machine, "type");
	const struct machine_type *t;

	if (is_help(type)) {
		machine_help(stdout);
		return *done = true;
	}
	if (!keyvals_get(&o->machine, "help"))
		return true;
	*done = true;
	t = machine_type_find(type ? type : "", err);
	if (t)
		object_type_help(&t->base, stdout);
	return t != NULL;
}

static bool help_accel(const struct options *o, bool *done, struct err *err)
{
	for (unsigned i = 0; i < o->accels.count; i++) {
		const char *name = keyvals_get(&o->accels.items[i], "accel");

		if (is_help(name)) {
			printf("Accelerators:\n");
			for (unsigned j = 0; accel_list[j]; j++)
				printf("  %-8s %s\n", accel_list[j]->name, accel_list[j]->help);
			*done = true;
		} else if (name && keyvals_get(&o->accels.items[i], "help")) {
			const struct accel_ops *a = accel_find(accel_list, name, err);

			if (!a)
				return false;
			object_type_help(a->type, stdout);
			*done = true;
		}
	}
	return true;
}

/* Lists of -device, -object, -chardev: bare "help", or "X,help". */
static bool help_list(const struct keyvals_list *l, const char *key, const char *what,
		      const char *ancestor, void (*row)(const struct object_type *, void *),
		      const char *prefix, bool *done, struct err *err)
{
	for (unsigned i = 0; i < l->count; i++) {
		const char *name = keyvals_get(&l->items[i], key);
		char full[64];

		if (is_help(name)) {
			printf("%s types:\n", what);
			object_types_each(ancestor, row, (void *)(uintptr_t)prefix);
			*done = true;
		} else if (name && keyvals_get(&l->items[i], "help")) {
			*done = true;
			snprintf(full, sizeof(full), "%s%s", prefix, name);
			if (!help_for_type(what, full, err))
				return false;
		}
	}
	return true;
}

bool help_requested(const struct options *o, bool *done, struct err *err)
{
	*done = false;
	if (is_help(o->cpu)) {
		x86_arch_ops.cpu_help(stdout);
		*done = true;
	}
	if (is_help(o->log_items)) {
		log_help(stdout);
		*done = true;
	}
	for (unsigned i = 0; i < o->traces.count; i++) {
		if (is_help(o->traces.items[i])) {
			trace_help(stdout);
			*done = true;
		}
	}
	return help_machine(o, done, err) && help_accel(o, done, err) &&
	       help_list(&o->devices, "driver", "device", "device", print_device_row, "", done,
			 err) &&
	       help_list(&o->objects, "qom-type", "object", NULL, print_object_row, "", done,
			 err) &&
	       help_list(&o->chardevs, "backend", "chardev", "chardev", print_type_row, "chardev-",
			 done, err);
}
