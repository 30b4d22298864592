/* object/prop.c - setting and reading properties.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <glib.h>
#include <json-c/json.h>

#include "base/err.h"
#include "object/object.h"
#include "object/object_impl.h"

static void *value_of(struct object *o, const struct prop *p) { return (char *)o + p->offset; }

/* ---- numbers --------------------------------------------------------------------------------- */

static void store_number(struct object *o, const struct prop *p, uint64_t v)
{
	void *at = value_of(o, p);

	switch (p->kind) {
	case KIND_U8: *(uint8_t *)at = (uint8_t)v; break;
	case KIND_U16: *(uint16_t *)at = (uint16_t)v; break;
	case KIND_U32: *(uint32_t *)at = (uint32_t)v; break;
	case KIND_U64:
	case KIND_SIZE: *(uint64_t *)at = v; break;
	case KIND_I32: *(int32_t *)at = (int32_t)v; break;
	case KIND_I64: *(int64_t *)at = (int64_t)v; break;
	case KIND_BOOL: *(bool *)at = v; break;
	case KIND_ENUM: *(int *)at = (int)v; break;
	default: assert(!"not a number");
	}
}

static uint64_t load_number(struct object *o, const struct prop *p)
{
	const void *at = value_of(o, p);

	switch (p->kind) {
	case KIND_U8: return *(const uint8_t *)at;
	case KIND_U16: return *(const uint16_t *)at;
	case KIND_U32: return *(const uint32_t *)at;
	case KIND_U64:
	case KIND_SIZE: return *(const uint64_t *)at;
	case KIND_I32: return (uint64_t)(int64_t) * (const int32_t *)at;
	case KIND_I64: return (uint64_t) * (const int64_t *)at;
	case KIND_BOOL: return *(const bool *)at;
	case KIND_ENUM: return (uint64_t) * (const int *)at;
	default: assert(!"not a number"); return 0;
	}
}

static bool is_signed(const struct prop *p) { return p->kind == KIND_I32 || p->kind == KIND_I64; }

static bool set_unsigned(struct object *o, const struct prop *p, uint64_t v, struct err *err)
{
	uint64_t min = 0, max = UINT64_MAX;

	if (p->kind == KIND_U8)
		max = UINT8_MAX;
	else if (p->kind == KIND_U16)
		max = UINT16_MAX;
	else if (p->kind == KIND_U32)
		max = UINT32_MAX;
	if (p->max) {
		min = p->min;
		max = p->max;
	}
	if (v < min || v > max)
		return err_set(err, ERANGE,
			       "%" PRIu64 " is out of range (%" PRIu64 " to %" PRIu64 ")", v, min,
			       max);
	store_number(o, p, v);
	return true;
}

static bool set_signed(struct object *o, const struct prop *p, int64_t v, struct err *err)
{
	int64_t min = p->kind == KIND_I32 ? INT32_MIN : INT64_MIN;
	int64_t max = p->kind == KIND_I32 ? INT32_MAX : INT64_MAX;

	if (p->max) {
		min = (int64_t)p->min;
		max = (int64_t)p->max;
	}
	if (v < min || v > max)
		return err_set(err, ERANGE,
			       "%" PRId64 " is out of range (%" PRId64 " to %" PRId64 ")", v, min,
			       max);
	store_number(o, p, (uint64_t)v);
	return true;
}

static bool set_size(struct object *o, const struct prop *p, uint64_t v, struct err *err)
{
	char *min, *max;

	if (!p->max || (v >= p->min && v <= p->max)) {
		store_number(o, p, v);
		return true;
	}
	min = value_format_size(p->min);
	max = value_format_size(p->max);
	err_set(err, ERANGE, "%" PRIu64 " bytes are out of range (%s to %s)", v, min, max);
	g_free(min);
	g_free(max);
	return false;
}

static bool parse_signed(const char *text, int64_t *out, struct err *err)
{
	bool is_negative = *text == '-';
	uint64_t v;

	if (!value_parse_u64(text + is_negative, &v, err)) {
		if (is_negative)
			err_set(err, err->code, "'%s' is not a number of 64 bits", text);
		return false;
	}
	if (v > (uint64_t)INT64_MAX + is_negative)
		return err_set(err, ERANGE, "'%s' does not fit in 64 bits", text);
	*out = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static bool set_number_text(struct object *o, const struct prop *p, const char *text,
			    struct err *err)
{
	uint64_t u = 0;
	int64_t i = 0;

	if (is_signed(p))
		return parse_signed(text, &i, err) && set_signed(o, p, i, err);
	return value_parse_u64(text, &u, err) && set_unsigned(o, p, u, err);
}

/* ---- words, strings, links ------------------------------------------------------------------- */

static bool set_word(struct object *o, const struct prop *p, const char *text, struct err *err)
{
	g_autofree char *list = NULL;

	for (unsigned i = 0; p->words[i]; i++) {
		if (strcmp(p->words[i], text) == 0) {
			store_number(o, p, i);
			return true;
		}
	}
	list = g_strjoinv(", ", (char **)(uintptr_t)p->words);
	err_set(err, EINVAL, "'%s' is none of %s", text, list);
	return false;
}

static bool set_string(struct object *o, const struct prop *p, const char *text)
{
	char **at = value_of(o, p);
	char *old = *at;

	*at = g_strdup(text);
	g_free(old);
	return true;
}

static bool set_target(struct object *o, const struct prop *p, struct object *target,
		       struct err *err)
{
	struct object **at = value_of(o, p);
	struct object *old = *at;

	if (target && p->link_type && !object_type_is(target->type, p->link_type))
		return err_set(err, EINVAL, "'%s' is a %s, not a %s",
			       target->name ? target->name : "?", target->type->name, p->link_type);
	*at = target ? object_get(target) : NULL;
	if (old)
		object_put(old);
	return true;
}

static bool set_link_text(struct object *o, struct object *root, const struct prop *p,
			  const char *text, struct err *err)
{
	struct object *target = NULL;

	if (*text) {
		target = root ? object_resolve(root, text) : NULL;
		if (!target)
			return err_set(err, ENOENT, "there is no %s '%s'",
				       p->link_type ? p->link_type : "object", text);
	}
	return set_target(o, p, target, err);
}

/* ---- entry points ---------------------------------------------------------------------------- */

static const struct prop *find_settable(struct object *o, const char *name, struct err *err)
{
	const struct prop *p = object_prop_find(o->type, name);

	if (!p) {
		object_prop_unknown(err, o->type, name);
		return NULL;
	}
	if (p->is_read_only) {
		err_set(err, EACCES, "property '%s' of '%s' is read-only", name, o->type->name);
		return NULL;
	}
	if (o->is_complete && !p->is_runtime) {
		err_set(err, EBUSY, "property '%s' of '%s' cannot be changed any more", name,
			o->type->name);
		return NULL;
	}
	return p;
}

static bool set_text(struct object *o, struct object *root, const struct prop *p, const char *value,
		     struct err *err)
{
	uint64_t size;
	bool flag;

	switch (p->kind) {
	case KIND_BOOL:
		if (!value_parse_bool(value, &flag, err))
			return false;
		store_number(o, p, flag);
		return true;
	case KIND_SIZE: return value_parse_size(value, 1, &size, err) && set_size(o, p, size, err);
	case KIND_STR: return set_string(o, p, value);
	case KIND_LINK: return set_link_text(o, root, p, value, err);
	case KIND_ENUM: return set_word(o, p, value, err);
	case KIND_CUSTOM:
		if (!p->set)
			return err_set(err, EACCES, "it is read-only");
		return p->set(o, p, value, err);
	default: return set_number_text(o, p, value, err);
	}
}

/* The text says which property of what went wrong. */
static bool in_prop(bool ok, struct object *o, const struct prop *p, struct err *err)
{
	return ok || err_prefix(err, "property '%s' of '%s': ", p->name, o->type->name);
}

bool object_set(struct object *o, struct object *root, const char *name, const char *value,
		struct err *err)
{
	const struct prop *p = find_settable(o, name, err);

	return p && in_prop(set_text(o, root, p, value, err), o, p, err);
}

bool object_set_link(struct object *o, const char *name, struct object *target, struct err *err)
{
	const struct prop *p = find_settable(o, name, err);

	if (!p)
		return false;
	if (p->kind != KIND_LINK)
		return err_set(err, EINVAL, "property '%s' of '%s' is no link", name,
			       o->type->name);
	return in_prop(set_target(o, p, target, err), o, p, err);
}

static bool set_json_int(struct object *o, const struct prop *p, struct json_object *value,
			 struct err *err)
{
	int64_t i = json_object_get_int64(value);
	uint64_t u = json_object_get_uint64(value);

	if (is_signed(p)) {
		if (i == INT64_MAX && u > INT64_MAX)
			return err_set(err, ERANGE, "%" PRIu64 " is out of range", u);
		return set_signed(o, p, i, err);
	}
	if (i < 0)
		return err_set(err, ERANGE, "%" PRId64 " is out of range", i);
	return p->kind == KIND_SIZE ? set_size(o, p, u, err) : set_unsigned(o, p, u, err);
}

static bool set_json(struct object *o, struct object *root, const struct prop *p,
		     struct json_object *value, struct err *err)
{
	enum json_type type = json_object_get_type(value);
	bool is_text = p->kind == KIND_STR || p->kind == KIND_LINK || p->kind == KIND_ENUM;
	const char *wanted = is_text ? "a string" : "a number";

	if (p->kind == KIND_CUSTOM && type != json_type_null && type != json_type_object &&
	    type != json_type_array) {
		if (type == json_type_boolean)
			return set_text(o, root, p, json_object_get_boolean(value) ? "on" : "off",
					err);
		return set_text(o, root, p, json_object_get_string(value), err);
	}
	if (is_text && type == json_type_string) {
		const char *text = json_object_get_string(value);

		if (strlen(text) != (size_t)json_object_get_string_len(value))
			return err_set(err, EINVAL, "the string has a NUL character in it");
		return set_text(o, root, p, text, err);
	}
	if (p->kind == KIND_BOOL) {
		if (type == json_type_boolean) {
			store_number(o, p, json_object_get_boolean(value));
			return true;
		}
		wanted = "true or false";
	} else if (p->kind == KIND_CUSTOM) {
		wanted = "a plain value";
	} else if (!is_text && type == json_type_int) {
		return set_json_int(o, p, value, err);
	}
	return err_set(err, EINVAL, "expected %s, not %s", wanted,
		       json_object_to_json_string(value));
}

bool object_set_json(struct object *o, struct object *root, const char *name,
		     struct json_object *value, struct err *err)
{
	const struct prop *p = find_settable(o, name, err);

	return p && in_prop(set_json(o, root, p, value, err), o, p, err);
}

char *value_format_size(uint64_t bytes)
{
	static const char suffixes[] = "KMGTPE";
	int n = -1;

	while (bytes && bytes % KIB == 0 && suffixes[n + 1]) {
		bytes /= KIB;
		n++;
	}
	if (n < 0)
		return g_strdup_printf("%" PRIu64, bytes);
	return g_strdup_printf("%" PRIu64 "%c", bytes, suffixes[n]);
}

char *object_get_text(struct object *o, const char *name, struct err *err)
{
	const struct prop *p = object_prop_find(o->type, name);
	struct object *target;
	const char *text;

	if (!p) {
		object_prop_unknown(err, o->type, name);
		return NULL;
	}
	switch (p->kind) {
	case KIND_BOOL: return g_strdup(load_number(o, p) ? "on" : "off");
	case KIND_SIZE: return value_format_size(load_number(o, p));
	case KIND_ENUM: return g_strdup(p->words[load_number(o, p)]);
	case KIND_STR: text = *(char **)value_of(o, p); return g_strdup(text ? text : "");
	case KIND_LINK:
		target = *(struct object **)value_of(o, p);
		return target ? object_path(target) : g_strdup("");
	case KIND_CUSTOM:
		if (p->get)
			return p->get(o, p);
		err_set(err, EACCES, "property '%s' of '%s' cannot be read", name, o->type->name);
		return NULL;
	case KIND_I32:
	case KIND_I64: return g_strdup_printf("%" PRId64, (int64_t)load_number(o, p));
	default: return g_strdup_printf("%" PRIu64, load_number(o, p));
	}
}

struct json_object *object_get_json(struct object *o, const char *name, struct err *err)
{
	const struct prop *p = object_prop_find(o->type, name);
	struct json_object *value;
	char *text;

	if (p && p->kind == KIND_BOOL)
		return json_object_new_boolean(load_number(o, p) != 0);
	if (p && is_signed(p))
		return json_object_new_int64((int64_t)load_number(o, p));
	if (p && (p->kind <= KIND_U64 || p->kind == KIND_SIZE))
		return json_object_new_uint64(load_number(o, p));
	text = object_get_text(o, name, err);
	if (!text)
		return NULL;
	value = json_object_new_string(text);
	g_free(text);
	return value;
}

char *object_prop_type(const struct prop *p)
{
	static const char *const names[] = {
		[KIND_U8] = "uint8",   [KIND_U16] = "uint16", [KIND_U32] = "uint32",
		[KIND_U64] = "uint64", [KIND_I32] = "int32",  [KIND_I64] = "int64",
		[KIND_BOOL] = "bool",  [KIND_STR] = "str",    [KIND_SIZE] = "size",
		[KIND_ENUM] = "enum",  [KIND_CUSTOM] = "str",
	};

	if (p->kind == KIND_LINK)
		return g_strdup_printf("link<%s>", p->link_type ? p->link_type : "object");
	return g_strdup(names[p->kind]);
}

static void init_prop(const struct prop *p, void *opaque)
{
	struct object *o = opaque;

	if (p->kind == KIND_STR)
		*(char **)value_of(o, p) = g_strdup(p->def_str);
	else if (p->kind != KIND_LINK && p->kind != KIND_CUSTOM)
		store_number(o, p, p->def);
}

static void fini_prop(const struct prop *p, void *opaque)
{
	struct object *o = opaque;

	if (p->kind == KIND_STR)
		g_free(*(char **)value_of(o, p));
	else if (p->kind == KIND_LINK)
		object_put(*(struct object **)value_of(o, p));
}

void object_props_init(struct object *o) { object_props_each(o->type, init_prop, o); }
void object_props_fini(struct object *o) { object_props_each(o->type, fini_prop, o); }
