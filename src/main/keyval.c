/* main/keyval.c - option arguments as key/value pairs.
 * SPDX-License-Identifier: MIT */
#include "main/keyval.h"

#include <glib.h>
#include <json-c/json.h>
#include <string.h>

#include "base/err.h"

void keyvals_add(struct keyvals *kv, const char *key, const char *value)
{
	if (kv->count == kv->room) {
		kv->room = kv->room ? kv->room * 2 : 8;
		kv->items = g_realloc_n(kv->items, kv->room, sizeof(*kv->items));
	}
	kv->items[kv->count++] = (struct keyval){ g_strdup(key), g_strdup(value) };
}

void keyvals_clear(struct keyvals *kv)
{
	for (size_t i = 0; i < kv->count; i++) {
		g_free(kv->items[i].key);
		g_free(kv->items[i].value);
	}
	g_free(kv->items);
	*kv = (struct keyvals){ 0 };
}

/* Copy text up to a single comma into piece (doubled ones become one); returns what follows it. */
static const char *keyvals_next_piece(const char *text, GString *piece)
{
	g_string_truncate(piece, 0);
	for (; *text; text++) {
		if (*text == ',' && *++text != ',')
			return text;
		g_string_append_c(piece, *text);
	}
	return NULL;
}

bool keyvals_parse(struct keyvals *kv, const char *text, const char *implied_key, struct err *err)
{
	GString *piece = g_string_new(NULL);
	bool is_first = true, ok = true;

	while (text && *text && ok) {
		char *eq;

		text = keyvals_next_piece(text, piece);
		eq = strchr(piece->str, '=');
		if (eq == piece->str) {
			ok = err_set(err, 0, "'%s' has no name before the '='", piece->str);
		} else if (eq) {
			*eq = '\0';
			keyvals_add(kv, piece->str, eq + 1);
		} else if (is_first && implied_key) {
			keyvals_add(kv, implied_key, piece->str);
		} else if (!*piece->str) {
			ok = err_set(err, 0,
				     "an empty item between commas (write ',,' for a comma)");
		} else {
			keyvals_add(kv, piece->str, "on");
		}
		is_first = false;
	}
	g_string_free(piece, TRUE);
	return ok;
}

static bool keyvals_add_json(struct keyvals *kv, const char *key, struct json_object *value,
			     struct err *err)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		keyvals_add(kv, key, json_object_get_boolean(value) ? "on" : "off");
		return true;
	case json_type_string:
	case json_type_int:
	case json_type_double: keyvals_add(kv, key, json_object_get_string(value)); return true;
	case json_type_null:
	case json_type_object:
	case json_type_array: break;
	}
	return err_set(err, 0, "JSON value of '%s' must be a string, a number or a boolean", key);
}

bool keyvals_parse_json(struct keyvals *kv, const char *text, struct err *err)
{
	struct json_tokener *tok = json_tokener_new_ex(8);
	struct json_object *root;
	bool ok = true;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tok, text, (int)strlen(text) + 1);
	if (json_tokener_get_error(tok) != json_tokener_success) {
		ok = err_set(err, 0, "invalid JSON: %s",
			     json_tokener_error_desc(json_tokener_get_error(tok)));
	} else if (!json_object_is_type(root, json_type_object)) {
		ok = err_set(err, 0, "JSON argument must be an object");
	} else {
		json_object_object_foreach(root, key, value)
		{
			ok = ok && keyvals_add_json(kv, key, value, err);
		}
	}
	json_object_put(root);
	json_tokener_free(tok);
	return ok;
}

bool keyvals_parse_any(struct keyvals *kv, const char *text, const char *implied_key,
		       struct err *err)
{
	return *text == '{' ? keyvals_parse_json(kv, text, err)
			    : keyvals_parse(kv, text, implied_key, err);
}

const char *keyvals_get(const struct keyvals *kv, const char *key)
{
	for (size_t i = kv->count; i-- > 0;)
		if (!strcmp(kv->items[i].key, key))
			return kv->items[i].value;
	return NULL;
}

char *keyvals_take(struct keyvals *kv, const char *key)
{
	char *value = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < kv->count; i++) {
		if (strcmp(kv->items[i].key, key)) {
			kv->items[kept++] = kv->items[i];
			continue;
		}
		g_free(value);
		value = kv->items[i].value;
		g_free(kv->items[i].key);
	}
	kv->count = kept;
	return value;
}

bool keyvals_check(const struct keyvals *kv, const char *option, const char *const *names,
		   struct err *err)
{
	for (size_t i = 0; i < kv->count; i++) {
		const char *key = kv->items[i].key;

		if (!g_strv_contains(names, key)) {
			err_set(err, 0, "%s: unknown parameter '%s'", option, key);
			return err_suggest(err, key, names);
		}
	}
	return true;
}
