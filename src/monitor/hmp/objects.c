/* monitor/hmp/objects.c - devices, objects, chardevs and the composition tree, by QMP's commands.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "chardev/chardev.h"
#include "monitor/hmp/impl.h"
#include "monitor/qmp.h"
#include "object/object.h"

/* ---- options to QMP's arguments ---- */

/* What a property of this kind takes: a number where the text is one. */
static struct json_object *value_of(const struct prop *p, const char *text)
{
	struct err unused;
	uint64_t number;
	bool is_on;

	if (p && p->kind == KIND_BOOL && value_parse_bool(text, &is_on, &unused))
		return json_object_new_boolean(is_on);
	if (p && p->kind == KIND_SIZE && value_parse_size(text, 1, &number, &unused))
		return json_object_new_uint64(number);
	if (p && p->kind <= KIND_I64 && value_parse_u64(text, &number, &unused))
		return json_object_new_uint64(number);
	return json_object_new_string(text);
}

/* NULL: the user was told. */
static struct json_object *options_of(struct hmp_call *call, const char *text, const char *implied)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *values = g_ptr_array_new_with_free_func(g_free);
	const struct object_type *type = NULL;
	struct json_object *o = NULL;
	struct err err;

	if (!hmp_parse_options(text, implied, keys, values, &err)) {
		hmp_error(call, "%s", err.text);
	} else {
		o = json_object_new_object();
		for (unsigned i = 0; i < keys->len; i++)
			if (!strcmp(keys->pdata[i], implied))
				type = object_type_find(values->pdata[i]);
		for (unsigned i = 0; i < keys->len; i++) {
			const char *key = keys->pdata[i];
			const struct prop *p = type ? object_prop_find(type, key) : NULL;

			json_object_object_add(o, key, value_of(p, values->pdata[i]));
		}
	}
	g_ptr_array_free(keys, TRUE);
	g_ptr_array_free(values, TRUE);
	return o;
}

static struct json_object *one_arg(const char *key, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, key, text);
	return o;
}

/* ---- devices and objects ---- */

void hmp_device_add(struct hmp_call *call)
{
	struct json_object *o = options_of(call, call->values[0].text, "driver");

	if (o)
		hmp_qmp_done(call, "device_add", o);
}

void hmp_device_del(struct hmp_call *call)
{
	hmp_qmp_done(call, "device_del", one_arg("id", call->values[0].text));
}

void hmp_object_add(struct hmp_call *call)
{
	struct json_object *o = options_of(call, call->values[0].text, "qom-type");

	if (o)
		hmp_qmp_done(call, "object-add", o);
}

void hmp_object_del(struct hmp_call *call)
{
	hmp_qmp_done(call, "object-del", one_arg("id", call->values[0].text));
}

/* ---- the tree ---- */

static void show_property(struct hmp_call *call, struct json_object *o)
{
	fprintf(call->out, "%s (%s)\n", hmp_json_text(o, "name"), hmp_json_text(o, "type"));
}

void hmp_qom_list(struct hmp_call *call)
{
	const char *path = call->values[0].text;

	if (path)
		hmp_qmp_each(call, "qom-list", one_arg("path", path), show_property);
	else
		fputs("/\n", call->out);
}

static struct json_object *property_args(struct hmp_call *call, unsigned first)
{
	struct json_object *o = one_arg("path", call->values[first].text);

	json_put_str(o, "property", call->values[first + 1].text);
	return o;
}

void hmp_qom_get(struct hmp_call *call)
{
	struct json_object *value = hmp_qmp(call, "qom-get", property_args(call, 0));

	if (value)
		fprintf(call->out, "%s\n",
			json_object_to_json_string_ext(
				value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(value);
}

/* By the kind of the property, or with -j as JSON. */
static struct json_object *new_value(struct hmp_call *call)
{
	struct object *o = object_resolve(call->env->root, call->values[1].text);
	const char *text = call->values[3].text;
	struct json_object *value;

	if (!call->values[0].is_given)
		return value_of(o ? object_prop_find(o->type, call->values[2].text) : NULL, text);
	value = json_tokener_parse(text);
	if (!value)
		hmp_error(call, "'%s' is no JSON", text);
	return value;
}

void hmp_qom_set(struct hmp_call *call)
{
	struct json_object *value = new_value(call), *args;

	if (!value)
		return;
	args = property_args(call, 1);
	json_object_object_add(args, "value", value);
	hmp_qmp_done(call, "qom-set", args);
}

/* ---- chardevs ---- */

/* -chardev's language, which is not that of QMP's chardev-add. */
void hmp_chardev_add(struct hmp_call *call)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *values = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *backend = NULL, *id = NULL;
	struct err err;
	bool ok = hmp_parse_options(call->values[0].text, "backend", keys, values, &err);

	for (unsigned i = keys->len; ok && i-- > 0;) {
		char **slot = !strcmp(keys->pdata[i], "backend") ? &backend
			      : !strcmp(keys->pdata[i], "id")    ? &id
								 : NULL;

		if (!slot || *slot)
			continue;
		*slot = g_strdup(values->pdata[i]);
		g_ptr_array_remove_index(keys, i);
		g_ptr_array_remove_index(values, i);
	}
	if (ok && (!backend || !id))
		ok = err_set(&err, 0, "Parameter '%s' is missing", backend ? "id" : "backend");
	g_ptr_array_add(keys, NULL);
	g_ptr_array_add(values, NULL);
	ok = ok && chardev_new(call->env->root, call->env->loop, backend, id,
			       (const char *const *)keys->pdata, (const char *const *)values->pdata,
			       &err);
	if (!ok)
		hmp_error(call, "%s", err.text);
	g_ptr_array_free(keys, TRUE);
	g_ptr_array_free(values, TRUE);
}

/* The words of -chardev as QMP's, whose kinds of sockets and names of files are its own. */
static struct json_object *backend_data(const char *backend, GPtrArray *keys, GPtrArray *values)
{
	struct json_object *data = json_object_new_object(), *where = json_object_new_object();
	bool is_socket = !strcmp(backend, "socket"), is_unix = false;

	for (unsigned i = 0; i < keys->len; i++) {
		const char *key = keys->pdata[i], *text = values->pdata[i];
		bool is_where = is_socket && (!strcmp(key, "path") || !strcmp(key, "host") ||
					      !strcmp(key, "port"));
		uint64_t number;
		struct err unused;

		is_unix |= is_where && *key == 'p' && key[1] == 'a';
		if (!strcmp(key, "path") && !is_socket)
			key = !strcmp(backend, "file") ? "out" : "device";
		if (is_where)
			json_put_str(where, key, text);
		else if (!strcmp(text, "on") || !strcmp(text, "off"))
			json_put_bool(data, key, !strcmp(text, "on"));
		else if (value_parse_u64(text, &number, &unused))
			json_object_object_add(data, key, json_object_new_uint64(number));
		else
			json_put_str(data, key, text);
	}
	if (is_socket) {
		struct json_object *addr = json_object_new_object();

		json_put_str(addr, "type", is_unix ? "unix" : "inet");
		json_object_object_add(addr, "data", where);
		json_object_object_add(data, "addr", addr);
		if (!json_object_object_get(data, "server"))
			json_put_bool(data, "server", false);
	} else {
		json_object_put(where);
	}
	return data;
}

void hmp_chardev_change(struct hmp_call *call)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *values = g_ptr_array_new_with_free_func(g_free);
	struct json_object *o, *backend;
	struct err err;

	if (!hmp_parse_options(call->values[1].text, "backend", keys, values, &err)) {
		hmp_error(call, "%s", err.text);
	} else if (!keys->len || strcmp(keys->pdata[0], "backend")) {
		hmp_error(call, "Parameter 'backend' is missing");
	} else {
		g_autofree char *kind = g_strdup(values->pdata[0]);

		g_ptr_array_remove_index(keys, 0);
		g_ptr_array_remove_index(values, 0);
		backend = json_object_new_object();
		json_put_str(backend, "type", kind);
		json_object_object_add(backend, "data", backend_data(kind, keys, values));
		o = one_arg("id", call->values[0].text);
		json_object_object_add(o, "backend", backend);
		hmp_qmp_done(call, "chardev-change", o);
	}
	g_ptr_array_free(keys, TRUE);
	g_ptr_array_free(values, TRUE);
}

void hmp_chardev_remove(struct hmp_call *call)
{
	hmp_qmp_done(call, "chardev-remove", one_arg("id", call->values[0].text));
}

void hmp_chardev_send_break(struct hmp_call *call)
{
	hmp_qmp_done(call, "chardev-send-break", one_arg("id", call->values[0].text));
}
