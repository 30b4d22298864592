/* tests/unit/object/prop_test.c
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <glib.h>
#include <json-c/json.h>

#include "base/err.h"
#include "object/object.h"

struct thing {
	struct object obj;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32, limited;
	uint64_t u64;
	int32_t i32, i32_limited;
	int64_t i64;
	bool flag;
	uint64_t size, size_limited;
	int color;
	char *text;
	struct object *link;
	char *custom;
};

static const char *const colors[] = { "red", "green", "blue", NULL };

static bool custom_set(struct object *o, const struct prop *p, const char *value, struct err *err)
{
	struct thing *t = container_of(o, struct thing, obj);

	(void)p;
	if (strcmp(value, "bad") == 0)
		return err_set(err, EINVAL, "that is bad");
	g_free(t->custom);
	t->custom = g_strdup(value);
	return true;
}

static char *custom_get(struct object *o, const struct prop *p)
{
	(void)p;
	return g_strdup_printf("<%s>", container_of(o, struct thing, obj)->custom);
}

static void thing_fini(struct object *o) { g_free(container_of(o, struct thing, obj)->custom); }

static const struct prop thing_props[] = {
	PROP_NUM(struct thing, u8, "u8", 1),
	PROP_NUM(struct thing, u16, "u16", 2),
	PROP_NUM(struct thing, u32, "u32", 3),
	PROP_NUM(struct thing, limited, "limited", 5, .min = 2, .max = 10),
	PROP_NUM(struct thing, u64, "u64", 4),
	PROP_NUM(struct thing, i32, "i32", -5),
	PROP_NUM(struct thing, i32_limited, "i32-limited", 0, .min = (uint64_t)-3, .max = 3),
	PROP_NUM(struct thing, i64, "i64", -6),
	PROP_BOOL(struct thing, flag, "flag", true, .is_runtime = true),
	PROP_SIZE(struct thing, size, "size", 2 * MIB),
	PROP_SIZE(struct thing, size_limited, "size-limited", MIB, .min = 4096, .max = GIB),
	PROP_ENUM(struct thing, color, "color", colors, 1),
	PROP_STR(struct thing, text, "text", .def_str = "hello"),
	PROP_LINK(struct thing, link, "link", "thing"),
	PROP_CUSTOM("custom", custom_set, custom_get),
	PROP_CUSTOM("secret", NULL, NULL),
	PROP_NUM(struct thing, u32, "fixed", 3, .is_read_only = true),
	{ 0 },
};
static const struct object_type thing_type = {
	.name = "thing", .size = sizeof(struct thing), .props = thing_props, .fini = thing_fini
};

static struct object *o;
static struct thing *t;
static struct err err;

static void setup(void)
{
	o = object_new(&thing_type);
	t = container_of(o, struct thing, obj);
}

static bool set(const char *name, const char *value)
{
	return object_set(o, NULL, name, value, &err);
}

static void expect_error(const char *name, const char *value, const char *text)
{
	g_assert_false(set(name, value));
	g_assert_cmpstr(err.text, ==, text);
}

static void expect_text(const char *name, const char *text)
{
	char *got = object_get_text(o, name, &err);

	g_assert_cmpstr(got, ==, text);
	g_free(got);
}

static void test_defaults(void)
{
	setup();
	expect_text("u8", "1");
	expect_text("u16", "2");
	expect_text("u32", "3");
	expect_text("u64", "4");
	expect_text("i32", "-5");
	expect_text("i64", "-6");
	expect_text("flag", "on");
	expect_text("size", "2M");
	expect_text("color", "green");
	expect_text("text", "hello");
	expect_text("link", "");
	object_put(o);
}

static void test_text_round_trips(void)
{
	static const struct {
		const char *name, *in, *out;
	} rows[] = {
		{ "u8", "0xff", "255" },
		{ "u16", "0177777", "65535" },
		{ "u32", "4294967295", "4294967295" },
		{ "u64", "18446744073709551615", "18446744073709551615" },
		{ "i32", "-2147483648", "-2147483648" },
		{ "i32", "0x7fffffff", "2147483647" },
		{ "i64", "-9223372036854775808", "-9223372036854775808" },
		{ "i64", "9223372036854775807", "9223372036854775807" },
		{ "flag", "no", "off" },
		{ "size", "1.5G", "1536M" },
		{ "size", "1000", "1000" },
		{ "size", "0", "0" },
		{ "color", "blue", "blue" },
		{ "text", "", "" },
		{ "custom", "x", "<x>" },
		{ "i32-limited", "-3", "-3" },
	};

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		g_assert_true(set(rows[i].name, rows[i].in));
		expect_text(rows[i].name, rows[i].out);
	}
	object_put(o);
}

static void test_bad_text_is_told_and_changes_nothing(void)
{
	setup();
	expect_error("u8", "256", "property 'u8' of 'thing': 256 is out of range (0 to 255)");
	expect_error("u16", "65536",
		     "property 'u16' of 'thing': 65536 is out of range (0 to 65535)");
	expect_error("limited", "1", "property 'limited' of 'thing': 1 is out of range (2 to 10)");
	expect_error("u32", "ten", "property 'u32' of 'thing': 'ten' is not a number");
	expect_error("u64", "-1", "property 'u64' of 'thing': '-1' is not a number");
	expect_error("i32", "2147483648",
		     "property 'i32' of 'thing': 2147483648 is out of range "
		     "(-2147483648 to 2147483647)");
	expect_error("i32-limited", "-4",
		     "property 'i32-limited' of 'thing': -4 is out of range (-3 to 3)");
	g_assert_false(set("i64", "9223372036854775808"));
	g_assert_false(set("i64", "-9223372036854775809"));
	g_assert_false(set("i64", "--1"));
	expect_error("flag", "maybe",
		     "property 'flag' of 'thing': 'maybe' is neither 'on' nor 'off'");
	expect_error("size-limited", "2G",
		     "property 'size-limited' of 'thing': 2147483648 bytes are out of range "
		     "(4K to 1G)");
	expect_error("color", "gren",
		     "property 'color' of 'thing': 'gren' is none of red, green, blue");
	expect_error("custom", "bad", "property 'custom' of 'thing': that is bad");
	expect_error("colour", "red", "'thing' has no property 'colour' (did you mean 'color'?)");
	g_assert_cmpint(err.code, ==, ENOENT);
	g_assert_cmpuint(t->u8, ==, 1);
	g_assert_cmpint(t->i64, ==, -6);
	g_assert_cmpuint(t->limited, ==, 5);
	g_assert_true(t->flag);
	object_put(o);
}

static void test_read_only_and_frozen(void)
{
	setup();
	expect_error("fixed", "1", "property 'fixed' of 'thing' is read-only");
	expect_text("fixed", "3");
	o->is_complete = true;
	expect_error("u8", "1", "property 'u8' of 'thing' cannot be changed any more");
	g_assert_cmpint(err.code, ==, EBUSY);
	g_assert_true(set("flag", "off"));
	g_assert_false(object_set_link(o, "link", NULL, &err));
	expect_error("secret", "x", "property 'secret' of 'thing' cannot be changed any more");
	o->is_complete = false;
	expect_error("secret", "x", "property 'secret' of 'thing': it is read-only");
	g_assert_null(object_get_text(o, "secret", &err));
	g_assert_cmpstr(err.text, ==, "property 'secret' of 'thing' cannot be read");
	g_assert_null(object_get_text(o, "none", &err));
	object_put(o);
}

static void test_links_hold_a_reference_and_check_the_type(void)
{
	struct object *root = object_new(&object_container_type);
	struct object *target = object_new(&thing_type);

	setup();
	g_assert_true(object_add_child(object_container(root, "/objects"), "t0", target, &err));
	object_put(target);
	g_assert_true(object_set(o, root, "link", "t0", &err));
	expect_text("link", "/objects/t0");
	g_assert_cmpuint(target->refs, ==, 2);
	g_assert_true(object_set(o, root, "link", "/objects/t0", &err));
	g_assert_cmpuint(target->refs, ==, 2);
	g_assert_false(object_set(o, root, "link", "/objects", &err));
	g_assert_cmpstr(err.text, ==,
			"property 'link' of 'thing': 'objects' is a container, not a "
			"thing");
	g_assert_false(object_set(o, root, "link", "t1", &err));
	g_assert_cmpstr(err.text, ==, "property 'link' of 'thing': there is no thing 't1'");
	g_assert_false(object_set(o, NULL, "link", "t0", &err));
	g_assert_true(object_set(o, root, "link", "", &err));
	g_assert_cmpuint(target->refs, ==, 1);
	g_assert_true(object_set_link(o, "link", target, &err));
	g_assert_false(object_set_link(o, "u8", target, &err));
	g_assert_cmpstr(err.text, ==, "property 'u8' of 'thing' is no link");
	object_put(root);
	g_assert_cmpuint(target->refs, ==, 1); /* only the link is left */
	object_put(o);
}

static bool set_json(const char *name, const char *json)
{
	struct json_object *value = json_tokener_parse(json);
	bool ok = object_set_json(o, NULL, name, value, &err);

	json_object_put(value);
	return ok;
}

static void test_json_sets_by_type(void)
{
	setup();
	g_assert_true(set_json("u8", "255"));
	g_assert_true(set_json("u64", "18446744073709551615"));
	g_assert_true(set_json("i32", "-7"));
	g_assert_true(set_json("i64", "-9223372036854775808"));
	g_assert_true(set_json("size", "8192"));
	g_assert_true(set_json("flag", "false"));
	g_assert_true(set_json("color", "\"red\""));
	g_assert_true(set_json("text", "\"x,y\""));
	expect_text("u8", "255");
	expect_text("u64", "18446744073709551615");
	expect_text("i32", "-7");
	expect_text("i64", "-9223372036854775808");
	expect_text("size", "8K");
	expect_text("flag", "off");
	expect_text("color", "red");
	expect_text("text", "x,y");
	g_assert_true(set_json("custom", "\"s\""));
	expect_text("custom", "<s>");
	g_assert_true(set_json("custom", "true"));
	expect_text("custom", "<on>");
	g_assert_true(set_json("custom", "12"));
	expect_text("custom", "<12>");
	object_put(o);
}

static void test_json_of_another_type_is_refused(void)
{
	setup();
	g_assert_false(set_json("u8", "\"1\""));
	g_assert_cmpstr(err.text, ==, "property 'u8' of 'thing': expected a number, not \"1\"");
	g_assert_false(set_json("u8", "256"));
	g_assert_false(set_json("u8", "-1"));
	g_assert_cmpstr(err.text, ==, "property 'u8' of 'thing': -1 is out of range");
	g_assert_false(set_json("u8", "1.5"));
	g_assert_false(set_json("u8", "true"));
	g_assert_false(set_json("i64", "18446744073709551615"));
	g_assert_false(set_json("size-limited", "1"));
	g_assert_false(set_json("flag", "1"));
	g_assert_cmpstr(err.text, ==, "property 'flag' of 'thing': expected true or false, not 1");
	g_assert_false(set_json("text", "1"));
	g_assert_false(set_json("text", "null"));
	g_assert_false(set_json("text", "\"a\\u0000b\""));
	g_assert_false(set_json("color", "\"pink\""));
	g_assert_false(set_json("custom", "{}"));
	g_assert_false(set_json("custom", "[]"));
	g_assert_false(set_json("nothing", "1"));
	expect_text("u8", "1");
	expect_text("text", "hello");
	object_put(o);
}

static const struct field thing_state[] = {
	FIELD(struct thing, u16),
	FIELD(struct thing, flag),
	{ 0 },
};

static void test_fields_take_kind_and_size_from_the_struct(void)
{
	g_assert_cmpstr(thing_state[0].name, ==, "u16");
	g_assert_cmpint(thing_state[0].kind, ==, KIND_U16);
	g_assert_cmpuint(thing_state[0].size, ==, 2);
	g_assert_cmpuint(thing_state[0].offset, ==, offsetof(struct thing, u16));
	g_assert_cmpint(thing_state[1].kind, ==, KIND_BOOL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/object/prop/defaults", test_defaults);
	g_test_add_func("/object/prop/round-trips", test_text_round_trips);
	g_test_add_func("/object/prop/bad-text", test_bad_text_is_told_and_changes_nothing);
	g_test_add_func("/object/prop/frozen", test_read_only_and_frozen);
	g_test_add_func("/object/prop/links", test_links_hold_a_reference_and_check_the_type);
	g_test_add_func("/object/prop/json", test_json_sets_by_type);
	g_test_add_func("/object/prop/bad-json", test_json_of_another_type_is_refused);
	g_test_add_func("/object/prop/fields", test_fields_take_kind_and_size_from_the_struct);
	return g_test_run();
}
