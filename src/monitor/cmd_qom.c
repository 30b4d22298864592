/* monitor/cmd_qom.c - QMP: the composition tree, the types, and what a user makes of them.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cpu/arch.h"
#include "dev/device.h"
#include "machine/machine.h"
#include "monitor/impl.h"
#include "object/object.h"

/* ---- the tree ---- */

/* clang-format off */
QMP_OBJECT_TYPE(property_info, REQUIRED("name", qmp_str), REQUIRED("type", qmp_str),
		OPTIONAL("description", qmp_str), OPTIONAL("default-value", qmp_any));
QMP_LIST_TYPE(property_info_list, property_info);
QMP_OBJECT_TYPE(path_args, REQUIRED("path", qmp_str));
QMP_OBJECT_TYPE(get_args, REQUIRED("path", qmp_str), REQUIRED("property", qmp_str));
QMP_OBJECT_TYPE(set_args, REQUIRED("path", qmp_str), REQUIRED("property", qmp_str),
		REQUIRED("value", qmp_any));
/* clang-format on */

static struct object *find_path(struct qmp_call *call)
{
	const char *path = qmp_arg_str(call, "path");
	struct object *o = object_resolve(call->env->root, path);

	if (!o)
		qmp_fail(call, QMP_DEVICE_NOT_FOUND, "Device '%.300s' not found", path);
	return o;
}

static struct json_object *list_add(struct json_object *list, const char *name, const char *type)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "name", name);
	json_put_str(o, "type", type);
	json_object_array_add(list, o);
	return o;
}

static void list_prop(const struct prop *p, void *list)
{
	g_autofree char *type = object_prop_type(p);
	struct json_object *o = list_add(list, p->name, type);

	if (p->help)
		json_put_str(o, "description", p->help);
}

static void list_child(struct object *child, void *list)
{
	g_autofree char *type = g_strdup_printf("child<%s>", child->type->name);

	list_add(list, child->name, type);
}

static struct json_object *run_qom_list(struct qmp_call *call)
{
	struct object *o = find_path(call);
	struct json_object *list;

	if (!o)
		return NULL;
	list = json_object_new_array();
	list_add(list, "type", "string");
	object_props_each(o->type, list_prop, list);
	object_each_child(o, list_child, list);
	return list;
}

/* A child reads as its path. */
static struct json_object *child_path(struct object *o, const char *name)
{
	g_autofree char *at = object_path(o);
	g_autofree char *path = g_strconcat(strcmp(at, "/") ? at : "", "/", name, NULL);

	while (o->parent)
		o = o->parent;
	return object_resolve(o, path) ? json_object_new_string(path) : NULL;
}

static struct json_object *run_qom_get(struct qmp_call *call)
{
	struct object *o = find_path(call);
	const char *name = qmp_arg_str(call, "property");
	struct json_object *value;

	if (!o)
		return NULL;
	if (!strcmp(name, "type"))
		return json_object_new_string(o->type->name);
	if (object_prop_find(o->type, name))
		return object_get_json(o, name, &call->err);
	value = *name && !strchr(name, '/') ? child_path(o, name) : NULL;
	return value ? value
		     : qmp_fail(call, QMP_GENERIC_ERROR, "Property '%s.%.200s' not found",
				o->type->name, name);
}

static struct json_object *run_qom_set(struct qmp_call *call)
{
	struct object *o = find_path(call);
	const char *name = qmp_arg_str(call, "property");

	if (!o)
		return NULL;
	if (!object_prop_find(o->type, name))
		return qmp_fail(call, QMP_GENERIC_ERROR, "Property '%s.%.200s' not found",
				o->type->name, name);
	return qmp_done(call, object_set_json(o, call->env->root, name, qmp_arg(call, "value"),
					      &call->err));
}

/* ---- the types ---- */

/* clang-format off */
QMP_OBJECT_TYPE(type_info, REQUIRED("name", qmp_str), OPTIONAL("abstract", qmp_bool),
		OPTIONAL("parent", qmp_str));
QMP_LIST_TYPE(type_info_list, type_info);
QMP_OBJECT_TYPE(list_types_args, OPTIONAL("implements", qmp_str), OPTIONAL("abstract", qmp_bool));
QMP_OBJECT_TYPE(typename_args, REQUIRED("typename", qmp_str));
/* clang-format on */

struct type_list {
	struct json_object *list;
	bool has_abstract;
};

static void list_type(const struct object_type *t, void *opaque)
{
	struct type_list *l = opaque;
	struct json_object *o;

	if (t->is_abstract && !l->has_abstract)
		return;
	o = json_object_new_object();
	json_put_str(o, "name", t->name);
	if (t->is_abstract)
		json_put_bool(o, "abstract", true);
	json_put_str(o, "parent", t->parent ? t->parent->name : "object");
	json_object_array_add(l->list, o);
}

static struct json_object *run_qom_list_types(struct qmp_call *call)
{
	struct type_list l = { .list = json_object_new_array(),
			       .has_abstract = qmp_arg_bool(call, "abstract", false) };
	const char *ancestor = qmp_arg_str(call, "implements");

	/* Everything descends from "object", which has no row of its own. */
	if (ancestor && !strcmp(ancestor, "object"))
		ancestor = NULL;
	if (!ancestor || object_type_find(ancestor))
		object_types_each(ancestor, list_type, &l);
	return l.list;
}

static void list_default(const struct prop *p, struct json_object *o)
{
	switch (p->kind) {
	case KIND_LINK: break;
	case KIND_CUSTOM:
	case KIND_STR:
		if (p->def_str)
			json_put_str(o, "default-value", p->def_str);
		break;
	case KIND_BOOL: json_put_bool(o, "default-value", p->def); break;
	case KIND_ENUM: json_put_str(o, "default-value", p->words[p->def]); break;
	case KIND_I32:
	case KIND_I64: json_put_int(o, "default-value", (int64_t)p->def); break;
	default: json_object_object_add(o, "default-value", json_object_new_uint64(p->def));
	}
}

static void list_type_prop(const struct prop *p, void *list)
{
	list_prop(p, list);
	if (!p->is_read_only)
		list_default(p,
			     json_object_array_get_idx(list, json_object_array_length(list) - 1));
}

static struct json_object *run_qom_list_properties(struct qmp_call *call)
{
	const char *name = qmp_arg_str(call, "typename");
	const struct object_type *t = object_type_find(name);
	struct json_object *list;

	if (!t)
		return qmp_fail(call, QMP_DEVICE_NOT_FOUND, "Class '%.200s' not found", name);
	list = json_object_new_array();
	list_add(list, "type", "string");
	object_props_each(t, list_type_prop, list);
	return list;
}

static void list_cpu_prop(const struct arch_cpu_prop *p, void *list)
{
	list_add(list, p->name, p->text ? p->is_number ? "int" : "string" : "bool");
}

/* A CPU type also has its model's properties. */
static void list_cpu_props(const struct qmp_call *call, const struct object_type *t,
			   struct json_object *list)
{
	struct err err;

	for (unsigned i = 0; machine_types[i]; i++) {
		const struct arch_ops *arch = machine_types[i]->arch;
		g_autofree char *suffix = arch ? g_strdup_printf("-%s-cpu", arch->name) : NULL;
		g_autofree char *model = NULL;

		if (!arch || !g_str_has_suffix(t->name, suffix))
			continue;
		model = g_strndup(t->name, strlen(t->name) - strlen(suffix));
		arch->cpu_expand(model, call->env->machine->accel, list_cpu_prop, list, &err);
		return;
	}
}

static struct json_object *run_device_list_properties(struct qmp_call *call)
{
	const char *name = qmp_arg_str(call, "typename");
	const struct object_type *t = object_type_find(name);
	bool is_cpu = t && object_type_is(t, "cpu");
	struct json_object *list;

	if (!t)
		return qmp_fail(call, QMP_DEVICE_NOT_FOUND, "Device '%.200s' not found", name);
	if (t->is_abstract || !(is_cpu || object_type_is(t, "device")))
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"Parameter 'typename' expects a non-abstract device type");
	list = json_object_new_array();
	object_props_each(t, list_type_prop, list);
	if (is_cpu)
		list_cpu_props(call, t, list);
	return list;
}

/* ---- what a user adds and takes away ---- */

/* clang-format off */
QMP_OBJECT_TYPE(id_args, REQUIRED("id", qmp_str));
static const struct qmp_member device_add_members[] = {
	REQUIRED("driver", qmp_str), OPTIONAL("bus", qmp_str), OPTIONAL("id", qmp_str), { 0 }
};
static const struct qmp_type device_add_args = {
	.meta = QMP_OBJECT, .name = "device_add_args", .members = device_add_members,
	.is_open = true,
};
static const char *const device_add_features[] = { "json-cli", NULL };
/* clang-format on */

/* object-add's arguments: a variant for each type that -object takes. */
struct object_args {
	struct qmp_type type, kinds;
	struct qmp_member members[3];
	GPtrArray *words;
	GArray *variants; /* struct qmp_variant */
};

static const struct qmp_type *kind_type(const struct prop *p)
{
	switch (p->kind) {
	case KIND_BOOL: return &qmp_bool;
	case KIND_STR:
	case KIND_LINK:
	case KIND_ENUM: return &qmp_str;
	case KIND_CUSTOM: return &qmp_any;
	case KIND_I32:
	case KIND_I64: return &qmp_int;
	default: return &qmp_uint;
	}
}

static void add_object_member(const struct prop *p, void *members)
{
	const struct qmp_member m = { p->name, kind_type(p), true };

	if (!p->is_read_only)
		g_array_append_val(members, m);
}

static void add_object_type(const struct object_type *t, void *opaque)
{
	struct object_args *a = opaque;
	GArray *members = g_array_new(TRUE, TRUE, sizeof(struct qmp_member));
	struct qmp_type *type = g_new0(struct qmp_type, 1);
	const struct qmp_variant v = { t->name, type };

	if (t->is_abstract || !t->complete) {
		g_array_free(members, TRUE);
		g_free(type);
		return;
	}
	object_props_each(t, add_object_member, members);
	type->meta = QMP_OBJECT;
	type->name = t->name;
	type->members = (const struct qmp_member *)(void *)g_array_free(members, FALSE);
	g_ptr_array_add(a->words, (gpointer)t->name);
	g_array_append_val(a->variants, v);
}

/* The types are a fact of the binary: made at the first use, kept.  Context: main thread. */
static const struct qmp_type *object_add_args(void)
{
	static struct object_args *a;

	if (a)
		return &a->type;
	a = g_new0(struct object_args, 1);
	a->words = g_ptr_array_new();
	a->variants = g_array_new(TRUE, TRUE, sizeof(struct qmp_variant));
	object_types_each(NULL, add_object_type, a);
	g_ptr_array_add(a->words, NULL);
	a->kinds = (struct qmp_type){ .meta = QMP_ENUM,
				      .name = "object_kind",
				      .values = (const char *const *)a->words->pdata };
	a->members[0] = (struct qmp_member){ "qom-type", &a->kinds, false };
	a->members[1] = (struct qmp_member){ "id", &qmp_str, false };
	a->type = (struct qmp_type){
		.meta = QMP_OBJECT,
		.name = "object_add_args",
		.members = a->members,
		.tag = "qom-type",
		.variants = (const struct qmp_variant *)(void *)a->variants->data
	};
	return &a->type;
}

static struct json_object *run_object_add(struct qmp_call *call)
{
	const struct monitor_host *h = &call->env->host;

	return qmp_done(call, h->object_add(h->opaque, call->args, &call->err));
}

static struct json_object *run_object_del(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "id");
	g_autofree char *path = g_strconcat("/objects/", id, NULL);
	struct object *o = strchr(id, '/') ? NULL : object_resolve(call->env->root, path);

	if (!o)
		return qmp_fail(call, QMP_GENERIC_ERROR, "object '%.200s' not found", id);
	/* The tree has one reference; another is a link of somebody who uses it. */
	if (__atomic_load_n(&o->refs, __ATOMIC_ACQUIRE) > 1)
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"object '%s' is in use, can not be deleted", id);
	object_unparent(o);
	return qmp_ok();
}

static struct json_object *run_device_add(struct qmp_call *call)
{
	const struct monitor_host *h = &call->env->host;

	return qmp_done(call, h->device_add(h->opaque, call->args, &call->err));
}

static struct json_object *run_device_del(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "id");
	g_autofree char *path = *id == '/' ? g_strdup(id)
					   : g_strconcat("/machine/peripheral/", id, NULL);
	struct object *o = object_resolve(call->env->root, path);
	const struct device_type *t = o ? device_type_find(o->type->name) : NULL;

	if (!t)
		return qmp_fail(call, QMP_DEVICE_NOT_FOUND, "Device '%.200s' not found", id);
	return qmp_fail(call, QMP_GENERIC_ERROR, "Bus '%s' does not support hotplugging",
			t->bus ? t->bus : "none");
}

/* ---- I/O threads ---- */

/* clang-format off */
QMP_OBJECT_TYPE(iothread_info, REQUIRED("id", qmp_str), REQUIRED("thread-id", qmp_int),
		REQUIRED("poll-max-ns", qmp_int), REQUIRED("poll-grow", qmp_int),
		REQUIRED("poll-shrink", qmp_int), REQUIRED("aio-max-batch", qmp_int));
QMP_LIST_TYPE(iothread_info_list, iothread_info);
/* clang-format on */

static void list_iothread(struct object *child, void *list)
{
	struct json_object *o;
	struct err err;
	char *tid;

	if (strcmp(child->type->name, "iothread"))
		return;
	tid = object_get_text(child, "thread-id", &err);
	o = json_object_new_object();
	json_put_str(o, "id", child->name);
	json_put_int(o, "thread-id", tid ? atoi(tid) : 0);
	/* They sleep where they wait: nothing is polled. */
	json_put_int(o, "poll-max-ns", 0);
	json_put_int(o, "poll-grow", 0);
	json_put_int(o, "poll-shrink", 0);
	json_put_int(o, "aio-max-batch", 0);
	json_object_array_add(list, o);
	g_free(tid);
}

static struct json_object *run_query_iothreads(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array();
	struct object *objects = object_resolve(call->env->root, "/objects");

	if (objects)
		object_each_child(objects, list_iothread, list);
	return list;
}

const struct qmp_command qmp_qom_commands[] = {
	{ "qom-list", run_qom_list, .args = &path_args, .returns = &property_info_list },
	{ "qom-get", run_qom_get, .args = &get_args, .returns = &qmp_any },
	{ "qom-set", run_qom_set, .args = &set_args },
	{ "qom-list-types", run_qom_list_types, .args = &list_types_args,
	  .returns = &type_info_list },
	{ "qom-list-properties", run_qom_list_properties, .args = &typename_args,
	  .returns = &property_info_list },
	{ "device-list-properties", run_device_list_properties, .args = &typename_args,
	  .returns = &property_info_list },
	{ "object-add", run_object_add, .make_args = object_add_args },
	{ "object-del", run_object_del, .args = &id_args },
	{ "device_add", run_device_add, .args = &device_add_args, .features = device_add_features },
	{ "device_del", run_device_del, .args = &id_args },
	{ "query-iothreads", run_query_iothreads, .returns = &iothread_info_list },
	{ 0 },
};
