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

/* Of other host systems: lists that are used everywhere name them. */
static const struct {
	const char *name, *system;
} foreign[] = {
	{ "hax", "Windows and macOS" },
	{ "hvf", "macOS" },
	{ "nvmm", "NetBSD" },
	{ "whpx", "Windows" },
};

static const char *foreign_system(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(foreign); i++)
		if (!strcmp(foreign[i].name, name))
			return foreign[i].system;
	return NULL;
}

static bool is_available(const struct accel_ops *ops, struct err *err)
{
	return !ops->available || ops->available(err);
}

/* Not started yet; NULL: the user's mistake.  One that is not built in lacks its properties too. */
static struct accel *choice_make(const struct accel_ops *const *list, struct machine *machine,
				 const struct accel_choice *choice, struct err *err)
{
	const struct accel_ops *ops = accel_find(list, choice->name, err);
	struct accel *a;

	if (!ops)
		return NULL;
	a = container_of(object_new(ops->type), struct accel, obj);
	a->ops = ops;
	a->machine = machine;
	if (!choice->configure || !is_available(ops, err) ||
	    choice->configure(&a->obj, choice->opaque, err))
		return a;
	object_put(&a->obj);
	return NULL;
}

static bool try_one(struct accel *a, struct err *err)
{
	if (!is_available(a->ops, err) || !a->ops->start(a, err))
		return false;
	a->obj.is_complete = true;
	return true;
}

static void tell_why(GString *reasons, const char *name, const struct err *err)
{
	const char *system = foreign_system(name);

	if (reasons->len)
		g_string_append_c(reasons, '\n');
	if (system)
		g_string_append_printf(reasons, "%s: an accelerator of %s", name, system);
	else
		g_string_append_printf(reasons, "%s: %s", name, err->text);
}

struct accel *accel_start_first(const struct accel_ops *const *list, struct machine *machine,
				const struct accel_choice *choices, unsigned count, char **notes,
				struct err *err)
{
	g_autoptr(GPtrArray) made = g_ptr_array_new();
	g_autoptr(GString) reasons = g_string_new(NULL);
	struct accel *a, *started = NULL;

	*notes = NULL;
	for (unsigned i = 0; i < count; i++) {
		bool is_foreign = foreign_system(choices[i].name);

		a = is_foreign ? NULL : choice_make(list, machine, &choices[i], err);
		if (!a && !is_foreign)
			goto out;
		g_ptr_array_add(made, a);
	}
	for (unsigned i = 0; i < count && !started; i++) {
		a = made->pdata[i];
		if (a && try_one(a, err))
			started = a;
		else
			tell_why(reasons, choices[i].name, err);
	}
	if (!count)
		err_set(err, 0, "no accelerator was given");
	else if (!started)
		err_set(err, 0, "no accelerator could be started\n%s", reasons->str);
	else if (reasons->len)
		*notes = g_strdup_printf("%s\nfalling back to %s", reasons->str,
					 started->ops->name);
out:
	for (unsigned i = 0; i < made->len; i++)
		if (made->pdata[i] && made->pdata[i] != started)
			object_put(&((struct accel *)made->pdata[i])->obj);
	return started;
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
