/* object/object.h - things with a type, typed properties, a name and a place in one tree.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bits.h"

struct err;
struct json_object;
struct object;

/* ---- types ---- */

enum value_kind {
	KIND_U8 = 1,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_I32,
	KIND_I64,
	KIND_BOOL,
	KIND_STR,   /* char *, owned by the object (g_malloc) */
	KIND_LINK,  /* struct object *, named by id or path; one reference */
	KIND_SIZE,  /* uint64_t, reads and writes "512M" */
	KIND_ENUM,  /* int, words from prop.words (NULL-terminated) */
	KIND_CUSTOM /* get/set callbacks */
};

#define KIND_OF(lv)                     \
	_Generic((lv), uint8_t          \
		 : KIND_U8, uint8_t *   \
		 : KIND_U8, uint16_t    \
		 : KIND_U16, uint16_t * \
		 : KIND_U16, uint32_t   \
		 : KIND_U32, uint32_t * \
		 : KIND_U32, uint64_t   \
		 : KIND_U64, uint64_t * \
		 : KIND_U64, int32_t    \
		 : KIND_I32, int32_t *  \
		 : KIND_I32, int64_t    \
		 : KIND_I64, int64_t *  \
		 : KIND_I64, _Bool      \
		 : KIND_BOOL, _Bool *   \
		 : KIND_BOOL)

/* One saved member.  The kind comes from the member's own C type, so the table cannot disagree with
 * the struct; a member of any other type won't compile. */
struct field {
	const char *name;
	size_t offset, size; /* size of the whole member: arrays are size / element */
	enum value_kind kind;
};
#define FIELD(type, m)                                                                 \
	{                                                                              \
#m, offsetof(type, m), sizeof(((type *)0)->m), KIND_OF(((type *)0)->m) \
	}

/* One property.  A table ends with an entry without a name; properties of the parent type are
 * inherited.  Defaults are set before init(). */
struct prop {
	const char *name;
	size_t offset;
	enum value_kind kind;
	const char *link_type;    /* KIND_LINK: the type it must be (or descend from) */
	const char *const *words; /* KIND_ENUM */
	uint64_t def;             /* default of a number, boolean or enum */
	const char *def_str;      /* default of a string */
	uint64_t min, max;        /* numbers: accepted range when max != 0 */
	const char *help;         /* one line for -device X,help */
	/* KIND_CUSTOM: value as text.  get's result is freed with g_free(). */
	/* def_str of one is only shown in help: init() sets the value itself. */
	bool (*set)(struct object *o, const struct prop *p, const char *value, struct err *err);
	char *(*get)(struct object *o, const struct prop *p);
	bool is_runtime;   /* may be set after realize */
	bool is_read_only; /* never set by users */
};
/* clang-format off */
#define PROP_NUM(type, m, pname, dflt, ...)  { .name = pname, .offset = offsetof(type, m), .kind = KIND_OF(((type *)0)->m), .def = (uint64_t)(dflt), __VA_ARGS__ }
#define PROP_BOOL(type, m, pname, dflt, ...) { .name = pname, .offset = offsetof(type, m), .kind = KIND_BOOL, .def = (dflt), __VA_ARGS__ }
#define PROP_STR(type, m, pname, ...)        { .name = pname, .offset = offsetof(type, m), .kind = KIND_STR, __VA_ARGS__ }
#define PROP_SIZE(type, m, pname, dflt, ...) { .name = pname, .offset = offsetof(type, m), .kind = KIND_SIZE, .def = (dflt), __VA_ARGS__ }
#define PROP_ENUM(type, m, pname, w, dflt, ...) { .name = pname, .offset = offsetof(type, m), .kind = KIND_ENUM, .words = (w), .def = (dflt), __VA_ARGS__ }
#define PROP_LINK(type, m, pname, target, ...) { .name = pname, .offset = offsetof(type, m), .kind = KIND_LINK, .link_type = target, __VA_ARGS__ }
#define PROP_CUSTOM(pname, setter, getter, ...) { .name = pname, .kind = KIND_CUSTOM, .set = setter, .get = getter, __VA_ARGS__ }
/* clang-format on */

struct object_type {
	const char *name;
	const struct object_type *parent; /* NULL: the root type */
	size_t size; /* of the instance struct, whose first member is the parent's */
	bool is_abstract;
	const struct prop *props;
	const char *help;               /* one line */
	void (*init)(struct object *o); /* after the parent's, defaults are set */
	void (*fini)(struct object *o); /* before the parent's */
	/* -object X: everything is set, take effect.  NULL when the type is no user object. */
	bool (*complete)(struct object *o, struct err *err);
};

/* The list of known types.  Registration is explicit: each table is added once at start-up by the
 * layer that owns it.  Context: before threads start. */
void object_types_add(const struct object_type *const *types); /* NULL-terminated */
const struct object_type *object_type_find(const char *name);
bool object_type_is(const struct object_type *t, const char *ancestor);
/* Calls fn for each known type that descends from `ancestor` (NULL: all), in order of name. */
void object_types_each(const char *ancestor, void (*fn)(const struct object_type *, void *),
		       void *);
/* An error "unknown WHAT 'NAME' (did you mean ...)" over the non-abstract descendants. */
bool object_type_unknown(struct err *err, const char *what, const char *name, const char *ancestor);

/* "container", known from the first object_types_add() on: an object without properties that holds
 * children: the root, "/chardevs", ... */
extern const struct object_type object_container_type;

/* ---- instances: the tree is changed by the main thread only ---- */

struct object {
	const struct object_type *type;
	char *name;            /* in its parent */
	struct object *parent; /* composition tree */
	void *children;        /* internal */
	uint32_t refs;         /* atomic */
	bool is_complete;      /* properties are frozen but for run-time ones */
};

/* A new instance with defaults set; one reference.  NULL for an abstract type. */
struct object *object_new(const struct object_type *type);
struct object *object_get(struct object *o);
void object_put(struct object *o);

/* Put child under parent by name (unique there); the tree holds a reference. */
bool object_add_child(struct object *parent, const char *name, struct object *child,
		      struct err *err);
void object_unparent(struct object *child);
/* The container at an absolute path below root; what is missing of it is made. */
struct object *object_container(struct object *root, const char *path);
/* "/machine/serial0", or a bare id searched in /objects, /chardevs and /machine/peripheral. */
struct object *object_resolve(struct object *root, const char *path);
char *object_path(const struct object *o); /* g_free() */
void object_each_child(struct object *o, void (*fn)(struct object *child, void *), void *opaque);

/* The properties a type has, its own first, then its parents'. */
const struct prop *object_prop_find(const struct object_type *t, const char *name);
/* "'TYPE' has no property 'NAME' (did you mean ...)"; returns false. */
bool object_prop_unknown(struct err *err, const struct object_type *t, const char *name);
void object_props_each(const struct object_type *t, void (*fn)(const struct prop *, void *),
		       void *);

/* Text to value by the property's kind, with range and word checks; the error quotes both.  root
 * (may be NULL) is where links are looked up. */
bool object_set(struct object *o, struct object *root, const char *name, const char *value,
		struct err *err);
bool object_set_json(struct object *o, struct object *root, const char *name,
		     struct json_object *value, struct err *err);
bool object_set_link(struct object *o, const char *name, struct object *target, struct err *err);
char *object_get_text(struct object *o, const char *name, struct err *err); /* g_free() */
/* The value as JSON: booleans and numbers as such, sizes as numbers of bytes, the rest as text.
 * NULL is an error. */
struct json_object *object_get_json(struct object *o, const char *name, struct err *err);
/* "uint32", "bool", "str", "size", "link<TYPE>", or of an enumeration "enum"; g_free(). */
char *object_prop_type(const struct prop *p);
/* The lines of `-device X,help`. */
void object_type_help(const struct object_type *t, FILE *out);

/* Values in the command line's language.  "on/off/yes/no/true/false", "1.5G", "0x10". */
bool value_parse_bool(const char *text, bool *out, struct err *err);
bool value_parse_u64(const char *text, uint64_t *out, struct err *err);
/* Suffixes b k M G T P E (powers of 1024), fractions; without a suffix `unit` bytes. */
bool value_parse_size(const char *text, uint64_t unit, uint64_t *out, struct err *err);
/* A letter, then letters, digits, '-', '.', '_': what an id on the command line looks like. */
bool value_check_id(const char *text, struct err *err);
