/* cpu/accel.c - choosing an accelerator: the user's list, tried in order.
 * SPDX-License-Identifier: MIT */
#include "cpu/accel.h"

#include <string.h>

#include <glib.h>

#include "base/err.h"

const struct object_type accel_type = {
	.name = "accel",
	.size = sizeof(struct accel),
	.is_abstract = true,
	.help = "runs vCPUs",
};

const struct accel_ops *accel_find(const struct accel_ops *const *list, const char *name,
				   struct err *err)
{
	const char *names[32];
	unsigned n = 0;

	for (unsigned i = 0; list[i]; i++) {
		if (!strcmp(list[i]->name, name))
			return list[i];
		if (n + 1 < ARRAY_SIZE(names))
			names[n++] = list[i]->name;
	}
	names[n] = NULL;
	err_set(err, 0, "unknown accelerator '%s'", name);
	err_suggest(err, name, names);
	return NULL;
}

const struct accel_ops *accel_default(const struct accel_ops *const *list, char **why)
{
	g_autoptr(GString) reasons = g_string_new(NULL);
	const struct accel_ops *found = NULL;
	struct err err;

	for (unsigned i = 0; list[i] && !found; i++) {
		if (!list[i]->is_fast)
			continue;
		if (list[i]->is_fast(&err))
			found = list[i];
		else
			g_string_append_printf(reasons, "%s: %s\n", list[i]->name, err.text);
	}
	if (why)
		*why = g_string_free(g_steal_pointer(&reasons), FALSE);
	return found ? found : list[0];
}

/* False with *is_final false: this one cannot run here, the next may. */
static struct accel *try_one(const struct accel_ops *ops, struct machine *machine,
			     const struct accel_choice *choice, bool *is_final, struct err *err)
{
	struct accel *a;

	*is_final = false;
	if (ops->available && !ops->available(err))
		return NULL;
	a = container_of(object_new(ops->type), struct accel, obj);
	a->ops = ops;
	a->machine = machine;
	if (choice->configure && !choice->configure(&a->obj, choice->opaque, err)) {
		*is_final = true;
	} else if (ops->start(a, err)) {
		a->obj.is_complete = true;
		return a;
	}
	object_put(&a->obj);
	return NULL;
}

struct accel *accel_start_first(const struct accel_ops *const *list, struct machine *machine,
				const struct accel_choice *choices, unsigned count, char **notes,
				struct err *err)
{
	g_autoptr(GString) reasons = g_string_new(NULL);
	struct accel *a = NULL;
	bool is_final = false;

	*notes = NULL;
	for (unsigned i = 0; i < count && !a; i++) {
		const struct accel_ops *ops = accel_find(list, choices[i].name, err);

		if (!ops)
			return NULL;
		a = try_one(ops, machine, &choices[i], &is_final, err);
		if (is_final)
			return NULL;
		if (!a)
			g_string_append_printf(reasons, "%s%s: %s", reasons->len ? "\n" : "",
					       ops->name, err->text);
		else if (reasons->len)
			g_string_append_printf(reasons, "\nfalling back to %s", ops->name);
	}
	if (!a) {
		if (!count)
			err_set(err, 0, "no accelerator was given");
		else
			err_set(err, 0, "no accelerator could be started\n%s", reasons->str);
		return NULL;
	}
	if (reasons->len)
		*notes = g_string_free(g_steal_pointer(&reasons), FALSE);
	return a;
}

void accel_stop(struct accel *a)
{
	if (!a)
		return;
	if (a->ops->stop)
		a->ops->stop(a);
	g_free(a->note);
	object_put(&a->obj);
}
