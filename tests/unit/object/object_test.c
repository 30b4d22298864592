/* tests/unit/object/object_test.c
 * SPDX-License-Identifier: MIT */
#include "object/object.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"

static GString *calls;

struct animal {
	struct object obj;
	uint32_t legs;
};
struct dog {
	struct animal animal;
	char *cry;
};

static void animal_init(struct object *o)
{
	struct animal *a = container_of(o, struct animal, obj);

	g_string_append_printf(calls, "animal+%u ", a->legs);
}

static void animal_fini(struct object *o)
{
	(void)o;
	g_string_append(calls, "animal- ");
}

static void dog_init(struct object *o)
{
	struct dog *d = container_of(o, struct dog, animal.obj);

	g_string_append_printf(calls, "dog+%s ", d->cry);
}

static void dog_fini(struct object *o)
{
	(void)o;
	g_string_append(calls, "dog- ");
}

static const struct prop animal_props[] = { PROP_NUM(struct animal, legs, "legs", 4), { 0 } };
static const struct prop dog_props[] = {
	PROP_STR(struct dog, cry, "cry", .def_str = "woof"),
	{ 0 },
};
static const struct object_type animal_type = {
	.name = "animal",
	.size = sizeof(struct animal),
	.is_abstract = true,
	.props = animal_props,
	.init = animal_init,
	.fini = animal_fini,
};
static const struct object_type dog_type = {
	.name = "dog",
	.parent = &animal_type,
	.size = sizeof(struct dog),
	.props = dog_props,
	.init = dog_init,
	.fini = dog_fini,
};

static void test_init_parent_first_fini_child_first(void)
{
	struct object *o;

	calls = g_string_new(NULL);
	o = object_new(&dog_type);
	object_get(o);
	object_put(o);
	g_assert_cmpstr(calls->str, ==, "animal+4 dog+woof ");
	object_put(o);
	g_assert_cmpstr(calls->str, ==, "animal+4 dog+woof dog- animal- ");
	object_put(NULL);
	g_string_free(calls, true);
}

static void test_abstract_types_have_no_instances(void) { g_assert_null(object_new(&animal_type)); }

static struct object *add(struct object *parent, const char *name)
{
	struct object *o = object_new(&object_container_type);
	struct err err;

	g_assert_true(object_add_child(parent, name, o, &err));
	object_put(o);
	return o;
}

static void test_the_tree_resolves_paths(void)
{
	struct object *root = object_new(&object_container_type);
	struct object *machine = add(root, "machine");
	struct object *serial = add(machine, "serial0");
	char *path = object_path(serial);

	g_assert_cmpstr(path, ==, "/machine/serial0");
	g_assert_true(object_resolve(root, path) == serial);
	g_assert_true(object_resolve(root, "/") == root);
	g_assert_true(object_resolve(root, "/machine/") == machine);
	g_assert_null(object_resolve(root, "/machine/serial"));
	g_assert_null(object_resolve(root, "/machine/serial01"));
	g_assert_null(object_resolve(root, "/machine/serial0/x"));
	g_assert_null(object_resolve(root, "machine/serial0"));
	g_assert_null(object_resolve(root, ""));
	g_free(path);
	path = object_path(root);
	g_assert_cmpstr(path, ==, "/");
	g_free(path);
	object_put(root);
}

static void test_bare_ids_are_found_where_users_put_them(void)
{
	struct object *root = object_new(&object_container_type);
	struct object *a = add(object_container(root, "/objects"), "a");
	struct object *b = add(object_container(root, "/chardevs"), "b");
	struct object *c = add(object_container(root, "/machine/peripheral"), "c");

	g_assert_true(object_resolve(root, "a") == a);
	g_assert_true(object_resolve(root, "b") == b);
	g_assert_true(object_resolve(root, "c") == c);
	g_assert_null(object_resolve(root, "machine"));
	object_put(root);
}

static void test_container_is_made_once(void)
{
	struct object *root = object_new(&object_container_type);
	struct object *first = object_container(root, "/x/y");

	g_assert_true(object_container(root, "/x/y") == first);
	g_assert_true(object_container(root, "/") == root);
	g_assert_cmpstr(first->name, ==, "y");
	object_put(root);
}

static void test_names_are_unique_and_clean(void)
{
	struct object *root = object_new(&object_container_type);
	struct object *twin = object_new(&object_container_type);
	struct err err;

	add(add(root, "m"), "a");
	g_assert_false(object_add_child(object_resolve(root, "/m"), "a", twin, &err));
	g_assert_cmpint(err.code, ==, EEXIST);
	g_assert_cmpstr(err.text, ==, "there is already an object 'a' in '/m'");
	g_assert_false(object_add_child(root, "", twin, &err));
	g_assert_false(object_add_child(root, "a/b", twin, &err));
	g_assert_cmpstr(err.text, ==, "'a/b' cannot be the name of an object");
	object_put(twin);
	object_put(root);
}

static void test_the_tree_holds_a_reference(void)
{
	struct object *root, *o;
	struct err err;

	calls = g_string_new(NULL);
	root = object_new(&object_container_type);
	o = object_new(&dog_type);
	g_assert_true(object_add_child(root, "rex", o, &err));
	object_put(o);
	g_string_truncate(calls, 0);
	object_get(o);
	object_unparent(o);
	object_unparent(o); /* again: nothing */
	g_assert_null(object_resolve(root, "/rex"));
	g_assert_cmpstr(calls->str, ==, "");
	g_assert_true(object_add_child(root, "max", o, &err));
	object_put(o);
	g_assert_cmpstr(o->name, ==, "max");
	object_put(root); /* takes its children along */
	g_assert_cmpstr(calls->str, ==, "dog- animal- ");
	g_string_free(calls, true);
}

static void take_out(struct object *child, void *opaque)
{
	g_string_append(opaque, child->name);
	object_unparent(child);
}

static void test_each_child_in_order_even_if_they_leave(void)
{
	struct object *root = object_new(&object_container_type);
	GString *seen = g_string_new(NULL);

	object_each_child(root, take_out, seen);
	add(root, "b");
	add(root, "a");
	add(root, "c");
	object_each_child(root, take_out, seen);
	g_assert_cmpstr(seen->str, ==, "bac");
	g_assert_null(object_resolve(root, "/a"));
	g_string_free(seen, true);
	object_put(root);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/object/object/init-order", test_init_parent_first_fini_child_first);
	g_test_add_func("/object/object/abstract", test_abstract_types_have_no_instances);
	g_test_add_func("/object/object/paths", test_the_tree_resolves_paths);
	g_test_add_func("/object/object/ids", test_bare_ids_are_found_where_users_put_them);
	g_test_add_func("/object/object/container", test_container_is_made_once);
	g_test_add_func("/object/object/names", test_names_are_unique_and_clean);
	g_test_add_func("/object/object/reference", test_the_tree_holds_a_reference);
	g_test_add_func("/object/object/each", test_each_child_in_order_even_if_they_leave);
	return g_test_run();
}
