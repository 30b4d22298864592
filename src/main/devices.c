/* main/devices.c - -device and -global.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <json-c/json.h>
#include <string.h>

#include "base/err.h"
#include "dev/device.h"
#include "machine/machine.h"
#include "main/session.h"

bool globals_check(const struct options *o, struct err *err)
{
	for (unsigned i = 0; i < o->globals.count; i++) {
		const struct keyvals *g = &o->globals.items[i];
		const char *driver = keyvals_get(g, "driver"), *prop = keyvals_get(g, "property");
		const struct object_type *type = object_type_find(driver);

		if (!type) {
			object_type_unknown(err, "driver", driver, NULL);
			return err_prefix(err, "-global: ");
		}
		if (!object_prop_find(type, prop)) {
			object_prop_unknown(err, type, prop);
			return err_prefix(err, "-global: ");
		}
	}
	return true;
}

bool globals_apply(struct session *s, struct object *obj, struct err *err)
{
	const struct keyvals_list *l = &s->opt.globals;

	for (unsigned i = 0; i < l->count; i++) {
		const struct keyvals *g = &l->items[i];

		if (object_type_is(obj->type, keyvals_get(g, "driver")) &&
		    !object_set(obj, s->root, keyvals_get(g, "property"), keyvals_get(g, "value"),
				err))
			return err_prefix(err, "-global %s.%s: ", keyvals_get(g, "driver"),
					  keyvals_get(g, "property"));
	}
	return true;
}

static bool device_configure(struct session *s, struct device *dev, const struct keyvals *kv,
			     struct err *err)
{
	if (!globals_apply(s, &dev->obj, err))
		return false;
	for (size_t i = 0; i < kv->count; i++)
		if (!object_set(&dev->obj, s->root, kv->items[i].key, kv->items[i].value, err))
			return false;
	return !s->machine->type->prepare || s->machine->type->prepare(s->machine, dev, err);
}

static bool device_add_user(struct session *s, struct keyvals *kv, struct err *err)
{
	char *driver = keyvals_take(kv, "driver"), *id = keyvals_take(kv, "id");
	const struct device_type *type = driver ? device_type_find(driver) : NULL;
	const struct machine_type *board = s->machine->type;
	struct device *dev;
	bool ok = false;

	if (!driver) {
		err_set(err, 0, "no driver given; -device help lists them");
	} else if (!type) {
		object_type_unknown(err, "device", driver, "device");
	} else if (!type->is_user_creatable) {
		err_set(err, 0, "'%s' is part of a board and cannot be added by itself", driver);
	} else if (!board->plug) {
		err_set(err, 0, "machine '%s' has no bus for '%s'", board->name, driver);
	} else {
		dev = device_new(type, id);
		ok = device_configure(s, dev, kv, err) &&
		     machine_add_device(s->machine, dev, id, err);
		if (!ok)
			device_put(dev);
		ok = ok && board->plug(s->machine, dev, err);
	}
	if (!ok && driver)
		err_prefix(err, "-device %s: ", driver);
	g_free(driver);
	g_free(id);
	return ok;
}

bool devices_add(struct session *s, struct err *err)
{
	for (unsigned i = 0; i < s->opt.devices.count; i++)
		if (!device_add_user(s, &s->opt.devices.items[i], err))
			return false;
	return true;
}

/* No bus here takes a device while the machine stands or runs; what else is wrong is told first. */
bool device_add_later(void *session, struct json_object *props, struct err *err)
{
	struct session *s = session;
	const char *driver = json_object_get_string(json_object_object_get(props, "driver"));
	const struct device_type *type = device_type_find(driver);

	if (!type)
		return err_set(err, 0, "'%.200s' is not a valid device model name", driver);
	if (!type->is_user_creatable)
		return err_set(err, 0, "Parameter 'driver' expects a pluggable device type");
	if (!s->machine->type->plug)
		return err_set(err, 0, "No '%s' bus found for device '%s'",
			       type->bus ? type->bus : "system", driver);
	return err_set(err, 0, "Bus '%s' does not support hotplugging",
		       type->bus ? type->bus : "system");
}
