/* object/object.c - instances and the tree they sit in.
 * SPDX-License-Identifier: MIT */
#include "object/object.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "object/object_impl.h"

/* ---- life ------------------------------------------------------------------------------------ */

static void call_init(struct object *o, const struct object_type *t)
{
	if (t->parent)
		call_init(o, t->parent);
	if (t->init)
		t->init(o);
}

struct object *object_new(const struct object_type *type)
{
	struct object *o;

	if (type->is_abstract)
		return NULL;
	assert(type->size >= sizeof(*o));
	o = g_malloc0(type->size);
	o->type = type;
	o->refs = 1;
	object_props_init(o);
	call_init(o, type);
	return o;
}

struct object *object_get(struct object *o)
{
	__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

static void destroy(struct object *o)
{
	GPtrArray *children = o->children;

	while (children && children->len)
		object_unparent(children->pdata[children->len - 1]);
	for (const struct object_type *t = o->type; t; t = t->parent)
		if (t->fini)
			t->fini(o);
	object_props_fini(o);
	if (children)
		g_ptr_array_free(children, true);
	g_free(o->name);
	g_free(o);
}

void object_put(struct object *o)
{
	if (!o)
		return;
	assert(o->refs > 0);
	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) == 0)
		destroy(o);
}

/* ---- tree ------------------------------------------------------------------------------------ */

static struct object *child_find(struct object *o, const char *name, size_t len)
{
	GPtrArray *children = o->children;

	for (unsigned i = 0; children && i < children->len; i++) {
		struct object *child = children->pdata[i];

		if (strncmp(child->name, name, len) == 0 && !child->name[len])
			return child;
	}
	return NULL;
}

bool object_add_child(struct object *parent, const char *name, struct object *child,
		      struct err *err)
{
	char *path;

	assert(!child->parent);
	if (!*name || strchr(name, '/'))
		return err_set(err, EINVAL, "'%s' cannot be the name of an object", name);
	if (child_find(parent, name, strlen(name))) {
		path = object_path(parent);
		err_set(err, EEXIST, "there is already an object '%s' in '%s'", name, path);
		g_free(path);
		return false;
	}
	if (!parent->children)
		parent->children = g_ptr_array_new();
	g_free(child->name);
	child->name = g_strdup(name);
	child->parent = parent;
	g_ptr_array_add(parent->children, object_get(child));
	return true;
}

void object_unparent(struct object *child)
{
	if (!child->parent)
		return;
	g_ptr_array_remove(child->parent->children, child);
	child->parent = NULL;
	object_put(child);
}

struct object *object_container(struct object *root, const char *path)
{
	struct object *at = root;

	assert(*path == '/');
	while (*path) {
		const char *name = path + 1;
		size_t len = strcspn(name, "/");
		struct object *child = child_find(at, name, len);

		path = name + len;
		if (!child && len) {
			char *text = g_strndup(name, len);
			struct err unused;

			child = object_new(&object_container_type);
			object_add_child(at, text, child, &unused);
			object_put(child); /* the tree has it */
			g_free(text);
		}
		at = child ? child : at;
	}
	return at;
}

static struct object *resolve_path(struct object *at, const char *path)
{
	while (at && *path == '/') {
		const char *name = path + 1;
		size_t len = strcspn(name, "/");

		path = name + len;
		if (len)
			at = child_find(at, name, len);
	}
	return at;
}

struct object *object_resolve(struct object *root, const char *path)
{
	static const char *const homes[] = { "/objects", "/chardevs", "/machine/peripheral" };

	if (*path == '/')
		return resolve_path(root, path);
	if (!*path || strchr(path, '/'))
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(homes); i++) {
		struct object *home = resolve_path(root, homes[i]);
		struct object *found = home ? child_find(home, path, strlen(path)) : NULL;

		if (found)
			return found;
	}
	return NULL;
}

char *object_path(const struct object *o)
{
	GString *path = g_string_new(NULL);

	for (; o->parent; o = o->parent) {
		g_string_prepend(path, o->name);
		g_string_prepend_c(path, '/');
	}
	if (!path->len)
		g_string_append_c(path, '/');
	return g_string_free(path, false);
}

void object_each_child(struct object *o, void (*fn)(struct object *child, void *), void *opaque)
{
	GPtrArray *children = o->children;
	unsigned n = children ? children->len : 0;
	struct object **copy;

	if (!n)
		return;
	/* fn may take children out. */
	copy = g_new(struct object *, n);
	for (unsigned i = 0; i < n; i++)
		copy[i] = object_get(children->pdata[i]);
	for (unsigned i = 0; i < n; i++) {
		fn(copy[i], opaque);
		object_put(copy[i]);
	}
	g_free(copy);
}
