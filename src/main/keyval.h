/* main/keyval.h - "a=b,c=d" and its JSON form, as option arguments are written.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

struct keyval {
	char *key, *value;
};

/* In the order written; a key may stand twice. */
struct keyvals {
	struct keyval *items;
	size_t count, room;
};

/* Split at commas; a doubled comma is a comma.  The first piece may be a bare value of implied_key
 * (NULL: none); any other bare word k means k=on.  Adds to kv. */
bool keyvals_parse(struct keyvals *kv, const char *text, const char *implied_key, struct err *err);
/* The same from a JSON object of scalars: {"driver":"isa-serial","index":1}. */
bool keyvals_parse_json(struct keyvals *kv, const char *text, struct err *err);
/* JSON when it begins with '{', else key=value pairs. */
bool keyvals_parse_any(struct keyvals *kv, const char *text, const char *implied_key,
		       struct err *err);
void keyvals_add(struct keyvals *kv, const char *key, const char *value);
/* The last value of key, or NULL. */
const char *keyvals_get(const struct keyvals *kv, const char *key);
/* Remove key and return its last value (g_free), or NULL. */
char *keyvals_take(struct keyvals *kv, const char *key);
void keyvals_clear(struct keyvals *kv);
/* Error unless every key is one of the NULL-terminated names; `option` is the option's name. */
bool keyvals_check(const struct keyvals *kv, const char *option, const char *const *names,
		   struct err *err);
