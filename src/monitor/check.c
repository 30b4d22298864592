/* monitor/check.c - is a JSON value of a type of the tables?  The errors are worded as QEMU's.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "monitor/impl.h"

#define BUILTIN(id, text, json, what, ...)                      \
	const struct qmp_type qmp_##id = { .meta = QMP_BUILTIN, \
					   .name = text,        \
					   .json_type = json,   \
					   .expected = what,    \
					   __VA_ARGS__ }
BUILTIN(str, "str", "string", "string");
BUILTIN(int, "int", "int", "integer");
BUILTIN(uint, "int", "int", "uint64", .is_unsigned = true);
BUILTIN(address, "int", "int", "integer");
BUILTIN(number, "number", "number", "number");
BUILTIN(bool, "bool", "boolean", "boolean");
BUILTIN(null, "null", "null", "null");
BUILTIN(any, "any", "value", "value");

const struct qmp_type qmp_str_list = { .meta = QMP_ARRAY, .name = "strings", .element = &qmp_str };
static const struct qmp_member no_members[] = { { 0 } };
const struct qmp_type qmp_empty = { .meta = QMP_OBJECT, .name = "empty", .members = no_members };

static bool wrong_type(const char *name, const char *expected, struct err *err)
{
	return err_set(err, 0, "Invalid parameter type for '%s', expected: %s", name, expected);
}

static bool check_int(const struct qmp_type *t, struct json_object *v, const char *name,
		      struct err *err)
{
	int64_t i = json_object_get_int64(v);
	uint64_t u = json_object_get_uint64(v);

	if (json_object_get_type(v) != json_type_int)
		return wrong_type(name, t->expected, err);
	if (t == &qmp_address)
		return true;
	if (t->is_unsigned ? i < 0 : i >= 0 && u > INT64_MAX)
		return wrong_type(name, t->expected, err);
	return true;
}

static bool check_string(struct json_object *v, const char *name, struct err *err)
{
	if (json_object_get_type(v) != json_type_string)
		return wrong_type(name, "string", err);
	if (strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
		return err_set(err, 0, "Parameter '%s' has a NUL character in it", name);
	return true;
}

static bool check_builtin(const struct qmp_type *t, struct json_object *v, const char *name,
			  struct err *err)
{
	enum json_type type = json_object_get_type(v);

	switch (*t->name) {
	case 's': return check_string(v, name, err);
	case 'i': return check_int(t, v, name, err);
	case 'b': return type == json_type_boolean || wrong_type(name, t->expected, err);
	case 'a': return true;
	default: break;
	}
	if (t == &qmp_null)
		return type == json_type_null || wrong_type(name, t->expected, err);
	return type == json_type_int || type == json_type_double ||
	       wrong_type(name, t->expected, err);
}

static bool check_enum(const struct qmp_type *t, struct json_object *v, const char *name,
		       struct err *err)
{
	if (!check_string(v, name, err))
		return false;
	for (unsigned i = 0; t->values[i]; i++)
		if (!strcmp(t->values[i], json_object_get_string(v)))
			return true;
	return err_set(err, 0, "Parameter '%s' does not accept value '%s'", name,
		       json_object_get_string(v));
}

static bool check_array(const struct qmp_type *t, struct json_object *v, const char *name,
			struct err *err)
{
	if (json_object_get_type(v) != json_type_array)
		return wrong_type(name, "array", err);
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		g_autofree char *at = g_strdup_printf("%s[%zu]", name, i);

		if (!qmp_check(t->element, json_object_array_get_idx(v, i), at, err))
			return false;
	}
	return true;
}

/* ---- objects ---- */

static char *member_path(const char *name, const char *member)
{
	return name ? g_strconcat(name, ".", member, NULL) : g_strdup(member);
}

static bool check_members(const struct qmp_type *t, struct json_object *v, const char *name,
			  struct err *err)
{
	for (const struct qmp_member *m = t->members; m->name; m++) {
		g_autofree char *path = member_path(name, m->name);
		struct json_object *value;

		if (!json_object_object_get_ex(v, m->name, &value)) {
			if (m->is_optional)
				continue;
			return err_set(err, 0, "Parameter '%s' is missing", path);
		}
		if (!qmp_check(m->type, value, path, err))
			return false;
	}
	return true;
}

static bool has_member(const struct qmp_type *t, const char *key)
{
	for (const struct qmp_member *m = t ? t->members : no_members; m->name; m++)
		if (!strcmp(m->name, key))
			return true;
	return false;
}

/* The variant that the tag chooses; NULL: none with members. */
static const struct qmp_type *variant_of(const struct qmp_type *t, struct json_object *v)
{
	struct json_object *tag;

	if (!t->tag || !json_object_object_get_ex(v, t->tag, &tag))
		return NULL;
	for (const struct qmp_variant *a = t->variants; a->value; a++)
		if (!strcmp(a->value, json_object_get_string(tag)))
			return a->type;
	return NULL;
}

static bool check_object(const struct qmp_type *t, struct json_object *v, const char *name,
			 struct err *err)
{
	const struct qmp_type *variant;

	if (json_object_get_type(v) != json_type_object)
		return wrong_type(name, "object", err);
	if (!check_members(t, v, name, err))
		return false;
	variant = variant_of(t, v);
	if (variant && !check_members(variant, v, name, err))
		return false;
	json_object_object_foreach(v, key, unused)
	{
		g_autofree char *path = NULL;

		(void)unused;
		if (t->is_open || (variant && variant->is_open) || has_member(t, key) ||
		    has_member(variant, key))
			continue;
		path = member_path(name, key);
		return err_set(err, 0, "Parameter '%s' is unexpected", path);
	}
	return true;
}

/* ---- alternates: the kind of JSON chooses ---- */

static bool is_of_kind(const struct qmp_type *t, enum json_type type)
{
	switch (t->meta) {
	case QMP_OBJECT: return type == json_type_object;
	case QMP_ARRAY: return type == json_type_array;
	case QMP_ENUM: return type == json_type_string;
	case QMP_ALTERNATE: return false;
	case QMP_BUILTIN: break;
	}
	switch (*t->name) {
	case 's': return type == json_type_string;
	case 'i': return type == json_type_int;
	case 'b': return type == json_type_boolean;
	default: break;
	}
	if (t == &qmp_number)
		return type == json_type_int || type == json_type_double;
	return t == &qmp_null && type == json_type_null;
}

static bool check_alternate(const struct qmp_type *t, struct json_object *v, const char *name,
			    struct err *err)
{
	for (const struct qmp_member *m = t->members; m->name; m++)
		if (is_of_kind(m->type, json_object_get_type(v)))
			return qmp_check(m->type, v, name, err);
	return wrong_type(name, t->name, err);
}

bool qmp_check(const struct qmp_type *t, struct json_object *value, const char *name,
	       struct err *err)
{
	switch (t->meta) {
	case QMP_BUILTIN: return check_builtin(t, value, name, err);
	case QMP_ENUM: return check_enum(t, value, name, err);
	case QMP_ARRAY: return check_array(t, value, name, err);
	case QMP_ALTERNATE: return check_alternate(t, value, name, err);
	case QMP_OBJECT: break;
	}
	return check_object(t, value, name, err);
}
