/* object/type.c - the list of types, their properties, their help.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "object/object.h"
#include "object/object_impl.h"

/* What types exist is a fact of the binary, not of a machine: sorted by name, filled at start-up,
 * then read only. */
static const struct object_type **types;
static size_t type_count;

const struct object_type object_container_type = {
	.name = "container",
	.size = sizeof(struct object),
	.help = "holds other objects",
};

static int compare_types(const void *a, const void *b)
{
	const struct object_type *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void type_add(const struct object_type *t)
{
	types = g_renew(const struct object_type *, types, type_count + 1);
	types[type_count++] = t;
	qsort(types, type_count, sizeof(*types), compare_types);
}

void object_types_add(const struct object_type *const *list)
{
	if (!type_count)
		type_add(&object_container_type);
	for (; *list; list++) {
		const struct object_type *known = object_type_find((*list)->name);

		assert(!known || known == *list);
		if (!known)
			type_add(*list);
	}
}

const struct object_type *object_type_find(const char *name)
{
	const struct object_type key = { .name = name }, *key_ptr = &key;
	const struct object_type **found = NULL;

	if (type_count)
		found = bsearch(&key_ptr, types, type_count, sizeof(*types), compare_types);
	return found ? *found : NULL;
}

bool object_type_is(const struct object_type *t, const char *ancestor)
{
	for (; t; t = t->parent)
		if (strcmp(t->name, ancestor) == 0)
			return true;
	return false;
}

void object_types_each(const char *ancestor, void (*fn)(const struct object_type *, void *),
		       void *opaque)
{
	for (size_t i = 0; i < type_count; i++)
		if (!ancestor || object_type_is(types[i], ancestor))
			fn(types[i], opaque);
}

bool object_type_unknown(struct err *err, const char *what, const char *name, const char *ancestor)
{
	const char **names = g_new0(const char *, type_count + 1);
	size_t n = 0;

	for (size_t i = 0; i < type_count; i++)
		if (!types[i]->is_abstract && (!ancestor || object_type_is(types[i], ancestor)))
			names[n++] = types[i]->name;
	err_set(err, ENOENT, "unknown %s '%s'", what, name);
	err_suggest(err, name, names);
	g_free(names);
	return false;
}

/* ---- properties ------------------------------------------------------------------------------ */

const struct prop *object_prop_find(const struct object_type *t, const char *name)
{
	for (; t; t = t->parent)
		for (const struct prop *p = t->props; p && p->name; p++)
			if (strcmp(p->name, name) == 0)
				return p;
	return NULL;
}

void object_props_each(const struct object_type *t, void (*fn)(const struct prop *, void *),
		       void *opaque)
{
	for (const struct object_type *at = t; at; at = at->parent)
		for (const struct prop *p = at->props; p && p->name; p++)
			if (object_prop_find(t, p->name) == p) /* not hidden by a child's */
				fn(p, opaque);
}

static void add_name(const struct prop *p, void *opaque)
{
	if (!p->is_read_only)
		g_ptr_array_add(opaque, (void *)(uintptr_t)p->name);
}

bool object_prop_unknown(struct err *err, const struct object_type *t, const char *name)
{
	GPtrArray *names = g_ptr_array_new();

	object_props_each(t, add_name, names);
	g_ptr_array_add(names, NULL);
	err_set(err, ENOENT, "'%s' has no property '%s'", t->name, name);
	err_suggest(err, name, (const char *const *)names->pdata);
	g_ptr_array_free(names, true);
	return false;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void print_kind(const struct prop *p, FILE *out)
{
	static const char *const names[] = {
		[KIND_U8] = "uint8",   [KIND_U16] = "uint16", [KIND_U32] = "uint32",
		[KIND_U64] = "uint64", [KIND_I32] = "int32",  [KIND_I64] = "int64",
		[KIND_BOOL] = "bool",  [KIND_STR] = "str",    [KIND_LINK] = "id",
		[KIND_SIZE] = "size",  [KIND_ENUM] = "",      [KIND_CUSTOM] = "str",
	};

	if (p->kind == KIND_LINK && p->link_type)
		fprintf(out, "<id of a %s>", p->link_type);
	else if (p->kind != KIND_ENUM)
		fprintf(out, "<%s>", names[p->kind]);
	for (unsigned i = 0; p->kind == KIND_ENUM && p->words[i]; i++)
		fprintf(out, "%s%s", i ? "|" : "", p->words[i]);
}

static void print_default(const struct prop *p, FILE *out)
{
	char *text;

	switch (p->kind) {
	case KIND_LINK: return;
	case KIND_STR:
	case KIND_CUSTOM:
		if (p->def_str)
			fprintf(out, " (default: %s)", p->def_str);
		return;
	case KIND_BOOL: fprintf(out, " (default: %s)", p->def ? "on" : "off"); return;
	case KIND_ENUM: fprintf(out, " (default: %s)", p->words[p->def]); return;
	case KIND_SIZE:
		text = value_format_size(p->def);
		fprintf(out, " (default: %s)", text);
		g_free(text);
		return;
	case KIND_I32:
	case KIND_I64: fprintf(out, " (default: %lld)", (long long)(int64_t)p->def); return;
	default: fprintf(out, " (default: %llu)", (unsigned long long)p->def); return;
	}
}

static void print_prop(const struct prop *p, void *opaque)
{
	FILE *out = opaque;

	if (p->is_read_only)
		return;
	fprintf(out, "  %s=", p->name);
	print_kind(p, out);
	if (p->help)
		fprintf(out, " - %s", p->help);
	print_default(p, out);
	fputc('\n', out);
}

static void count_settable(const struct prop *p, void *opaque)
{
	*(unsigned *)opaque += !p->is_read_only;
}

void object_type_help(const struct object_type *t, FILE *out)
{
	unsigned n = 0;

	object_props_each(t, count_settable, &n);
	if (n == 0) {
		fprintf(out, "There are no options for %s.\n", t->name);
		return;
	}
	fprintf(out, "%s options:\n", t->name);
	object_props_each(t, print_prop, out);
}
