/* monitor/schema.c - query-qmp-schema, out of the tables of commands and events.
 *
 * Each type gets a number for a name, as QEMU's do: clients follow references from the commands and
 * events they know.  An array of T is "[T]".
 * SPDX-License-Identifier: MIT */
#include "monitor/impl.h"

struct schema {
	struct json_object *list;
	GHashTable *names; /* struct qmp_type * -> name */
	GQueue todo;       /* types that have a name and are not told yet */
	unsigned next_number;
};

static const char *name_of(struct schema *s, const struct qmp_type *t)
{
	char *name = g_hash_table_lookup(s->names, t);

	if (name)
		return name;
	if (t->meta == QMP_BUILTIN)
		name = g_strdup(t->name);
	else if (t->meta == QMP_ARRAY)
		name = g_strdup_printf("[%s]", name_of(s, t->element));
	else
		name = g_strdup_printf("%u", s->next_number++);
	g_hash_table_insert(s->names, (gpointer)t, name);
	g_queue_push_tail(&s->todo, (gpointer)t);
	return name;
}

static struct json_object *entry_new(struct schema *s, const char *name, const char *meta)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "name", name);
	json_put_str(o, "meta-type", meta);
	json_object_array_add(s->list, o);
	return o;
}

/* ---- commands and events ---- */

static void tell_command(const struct qmp_command *c, void *opaque)
{
	struct schema *s = opaque;
	struct json_object *o = entry_new(s, c->name, "command"), *features;

	json_put_str(o, "arg-type", name_of(s, qmp_command_args(c)));
	json_put_str(o, "ret-type", name_of(s, c->returns ? c->returns : &qmp_empty));
	if (c->is_oob)
		json_put_bool(o, "allow-oob", true);
	if (!c->features)
		return;
	features = json_object_new_array();
	for (unsigned i = 0; c->features[i]; i++)
		json_object_array_add(features, json_object_new_string(c->features[i]));
	json_object_object_add(o, "features", features);
}

static void tell_events(struct schema *s)
{
	for (unsigned i = 0; i < QMP_EVENT_COUNT; i++) {
		const struct qmp_event *e = &qmp_events[i];
		struct json_object *o = entry_new(s, e->name, "event");

		json_put_str(o, "arg-type", name_of(s, e->data ? e->data : &qmp_empty));
	}
}

/* ---- types ---- */

static void tell_enum(struct schema *s, const struct qmp_type *t)
{
	struct json_object *o = entry_new(s, name_of(s, t), "enum");
	struct json_object *members = json_object_new_array(), *values = json_object_new_array();

	for (unsigned i = 0; t->values[i]; i++) {
		struct json_object *m = json_object_new_object();

		json_put_str(m, "name", t->values[i]);
		json_object_array_add(members, m);
		json_object_array_add(values, json_object_new_string(t->values[i]));
	}
	json_object_object_add(o, "members", members);
	json_object_object_add(o, "values", values);
}

static struct json_object *member_list(struct schema *s, const struct qmp_type *t, bool has_names)
{
	struct json_object *list = json_object_new_array();

	for (const struct qmp_member *m = t->members; m->name; m++) {
		struct json_object *o = json_object_new_object();

		if (has_names)
			json_put_str(o, "name", m->name);
		if (m->is_optional)
			json_object_object_add(o, "default", NULL);
		json_put_str(o, "type", name_of(s, m->type));
		json_object_array_add(list, o);
	}
	return list;
}

/* Values of the tag without a row have no more members, which the schema says for each. */
static struct json_object *variant_list(struct schema *s, const struct qmp_type *t)
{
	struct json_object *list = json_object_new_array();
	const char *const *values = NULL;

	for (const struct qmp_member *m = t->members; m->name; m++)
		if (!g_strcmp0(m->name, t->tag))
			values = m->type->values;
	for (unsigned i = 0; values && values[i]; i++) {
		struct json_object *o = json_object_new_object();
		const struct qmp_type *type = &qmp_empty;

		for (const struct qmp_variant *v = t->variants; v->value; v++)
			if (!g_strcmp0(v->value, values[i]))
				type = v->type;
		json_put_str(o, "case", values[i]);
		json_put_str(o, "type", name_of(s, type));
		json_object_array_add(list, o);
	}
	return list;
}

static void tell_object(struct schema *s, const struct qmp_type *t)
{
	struct json_object *o = entry_new(s, name_of(s, t), "object");

	json_object_object_add(o, "members", member_list(s, t, true));
	if (!t->tag)
		return;
	json_put_str(o, "tag", t->tag);
	json_object_object_add(o, "variants", variant_list(s, t));
}

static void tell_type(struct schema *s, const struct qmp_type *t)
{
	switch (t->meta) {
	case QMP_BUILTIN:
		json_put_str(entry_new(s, t->name, "builtin"), "json-type", t->json_type);
		break;
	case QMP_ENUM: tell_enum(s, t); break;
	case QMP_ARRAY:
		json_put_str(entry_new(s, name_of(s, t), "array"), "element-type",
			     name_of(s, t->element));
		break;
	case QMP_OBJECT: tell_object(s, t); break;
	case QMP_ALTERNATE:
		json_object_object_add(entry_new(s, name_of(s, t), "alternate"), "members",
				       member_list(s, t, false));
		break;
	}
}

struct json_object *qmp_schema(void)
{
	static const struct qmp_type *const builtins[] = { &qmp_str,  &qmp_int,  &qmp_number,
							   &qmp_bool, &qmp_null, &qmp_any };
	struct schema s = { .list = json_object_new_array() };
	const struct qmp_type *t;

	s.names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_queue_init(&s.todo);
	/* Told under one name: the schema knows no unsigned ones. */
	g_hash_table_insert(s.names, (gpointer)&qmp_uint, g_strdup("int"));
	g_hash_table_insert(s.names, (gpointer)&qmp_address, g_strdup("int"));
	name_of(&s, &qmp_empty);
	for (unsigned i = 0; i < G_N_ELEMENTS(builtins); i++)
		name_of(&s, builtins[i]);
	qmp_commands_each(tell_command, &s);
	tell_events(&s);
	while ((t = g_queue_pop_head(&s.todo)))
		tell_type(&s, t);
	g_hash_table_unref(s.names);
	return s.list;
}
