/* tests/unit/object/type_test.c
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include <glib.h>

#include "base/err.h"
#include "object/object.h"

struct chip {
	struct object obj;
	uint8_t irq;
	int32_t offset;
	bool is_on;
	uint64_t ram;
	int mode;
	char *label;
	struct object *backend;
};

static const char *const modes[] = { "slow", "fast", NULL };

static const struct prop base_props[] = {
	PROP_STR(struct chip, label, "label", .help = "hidden by the child's"),
	PROP_BOOL(struct chip, is_on, "on", true),
	{ 0 },
};
static const struct prop chip_props[] = {
	PROP_NUM(struct chip, irq, "irq", 4, .help = "interrupt line"),
	PROP_NUM(struct chip, offset, "offset", -2),
	PROP_SIZE(struct chip, ram, "ram", 64 * MIB),
	PROP_ENUM(struct chip, mode, "mode", modes, 1),
	PROP_STR(struct chip, label, "label", .def_str = "none", .help = "printed on it"),
	PROP_LINK(struct chip, backend, "backend", "chardev"),
	PROP_NUM(struct chip, irq, "secret", 0, .is_read_only = true),
	{ 0 },
};
static const struct object_type base_type = {
	.name = "chip", .size = sizeof(struct chip), .is_abstract = true, .props = base_props
};
static const struct object_type e1000_type = {
	.name = "e1000", .parent = &base_type, .size = sizeof(struct chip), .props = chip_props
};
static const struct object_type ne2k_type = { .name = "ne2k",
					      .parent = &base_type,
					      .size = sizeof(struct chip) };
static const struct object_type bare_type = { .name = "bare", .size = sizeof(struct object) };
static const struct object_type *const types[] = { &ne2k_type, &e1000_type, &base_type, &bare_type,
						   NULL };

static void add_name(const struct object_type *t, void *opaque)
{
	g_string_append_printf(opaque, "%s ", t->name);
}

static void test_types_are_listed_by_name(void)
{
	GString *s = g_string_new(NULL);

	object_types_add(types);
	object_types_add(types); /* once is enough */
	object_types_each(NULL, add_name, s);
	g_assert_cmpstr(s->str, ==, "bare chip container e1000 ne2k ");
	g_string_truncate(s, 0);
	object_types_each("chip", add_name, s);
	g_assert_cmpstr(s->str, ==, "chip e1000 ne2k ");
	g_string_free(s, true);
	g_assert_true(object_type_find("ne2k") == &ne2k_type);
	g_assert_null(object_type_find("ne2"));
}

static void test_types_know_their_ancestors(void)
{
	g_assert_true(object_type_is(&e1000_type, "e1000"));
	g_assert_true(object_type_is(&e1000_type, "chip"));
	g_assert_false(object_type_is(&e1000_type, "ne2k"));
	g_assert_false(object_type_is(&base_type, "e1000"));
}

static void test_unknown_types_name_the_nearest(void)
{
	struct err err = { 0 };

	object_types_add(types);
	g_assert_false(object_type_unknown(&err, "device", "e100", "chip"));
	g_assert_cmpint(err.code, ==, ENOENT);
	g_assert_cmpstr(err.text, ==, "unknown device 'e100' (did you mean 'e1000'?)");
	object_type_unknown(&err, "device", "chop", "chip"); /* abstract: not offered */
	g_assert_cmpstr(err.text, ==, "unknown device 'chop'");
	object_type_unknown(&err, "device", "bar", "chip"); /* of another kind */
	g_assert_cmpstr(err.text, ==, "unknown device 'bar'");
	object_type_unknown(&err, "object", "bar", NULL);
	g_assert_cmpstr(err.text, ==, "unknown object 'bar' (did you mean 'bare'?)");
}

static void add_prop(const struct prop *p, void *opaque)
{
	g_string_append_printf(opaque, "%s ", p->name);
}

static void test_properties_are_inherited_and_hidden(void)
{
	GString *s = g_string_new(NULL);

	object_props_each(&e1000_type, add_prop, s);
	g_assert_cmpstr(s->str, ==, "irq offset ram mode label backend secret on ");
	g_assert_cmpstr(object_prop_find(&e1000_type, "label")->help, ==, "printed on it");
	g_assert_cmpstr(object_prop_find(&ne2k_type, "label")->help, ==, "hidden by the child's");
	g_assert_null(object_prop_find(&ne2k_type, "irq"));
	g_string_free(s, true);
}

static char *help_of(const struct object_type *t)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	object_type_help(t, f);
	fclose(f);
	return text;
}

static void test_help_shows_kinds_and_defaults(void)
{
	char *text = help_of(&e1000_type);

	g_assert_cmpstr(text, ==,
			"e1000 options:\n"
			"  irq=<uint8> - interrupt line (default: 4)\n"
			"  offset=<int32> (default: -2)\n"
			"  ram=<size> (default: 64M)\n"
			"  mode=slow|fast (default: fast)\n"
			"  label=<str> - printed on it (default: none)\n"
			"  backend=<id of a chardev>\n"
			"  on=<bool> (default: on)\n");
	free(text);
	text = help_of(&bare_type);
	g_assert_cmpstr(text, ==, "There are no options for bare.\n");
	free(text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/object/type/listed", test_types_are_listed_by_name);
	g_test_add_func("/object/type/ancestors", test_types_know_their_ancestors);
	g_test_add_func("/object/type/unknown", test_unknown_types_name_the_nearest);
	g_test_add_func("/object/type/inherited", test_properties_are_inherited_and_hidden);
	g_test_add_func("/object/type/help", test_help_shows_kinds_and_defaults);
	return g_test_run();
}
