/* tests/unit/monitor/check_test.c - types of every kind: what is one, what is not and how that is
 * told, and how values are written.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "monitor/impl.h"

/* clang-format off */
QMP_ENUM_TYPE(colour, "red", "green");
QMP_LIST_TYPE(numbers, qmp_int);
QMP_OBJECT_TYPE(point, REQUIRED("x", qmp_int), OPTIONAL("y", qmp_number));
QMP_LIST_TYPE(points, point);
static const struct qmp_member either_members[] = {
	REQUIRED("text", qmp_str), REQUIRED("none", qmp_null), REQUIRED("list", numbers),
	REQUIRED("object", point), { 0 }
};
static const struct qmp_type either = {
	.meta = QMP_ALTERNATE, .name = "a text, null, list or point", .members = either_members,
};
static const struct qmp_member shape_members[] = { REQUIRED("kind", colour), { 0 } };
QMP_OBJECT_TYPE(green_shape, REQUIRED("at", point));
static const struct qmp_variant shape_variants[] = { { "green", &green_shape }, { 0 } };
static const struct qmp_type shape = {
	.meta = QMP_OBJECT, .name = "shape", .members = shape_members,
	.tag = "kind", .variants = shape_variants,
};
QMP_OBJECT_TYPE(all, OPTIONAL("s", qmp_str), OPTIONAL("i", qmp_int), OPTIONAL("u", qmp_uint),
		OPTIONAL("b", qmp_bool), OPTIONAL("n", qmp_number), OPTIONAL("any", qmp_any),
		OPTIONAL("c", colour), OPTIONAL("points", points), OPTIONAL("e", either),
		OPTIONAL("shape", shape), OPTIONAL("a", qmp_address));
/* clang-format on */

/* "" or the error. */
static void check(const char *json, const char *expected)
{
	struct json_object *v = json_tokener_parse(json);
	struct err err = { 0 };

	g_assert_nonnull(v);
	g_assert_true(qmp_check(&all, v, NULL, &err) == !*expected);
	g_assert_cmpstr(err.text, ==, expected);
	json_object_put(v);
}

static void test_what_is_of_its_type_passes(void)
{
	check("{}", "");
	check("{'s':'', 'i':-5, 'u':18446744073709551615, 'b':true, 'n':1.5, 'any':[{}]}", "");
	check("{'n':1, 'c':'green', 'points':[{'x':1},{'x':2,'y':0.5}]}", "");
	check("{'a':-4096}", "");
	check("{'a':18446744073709547520}", "");
	check("{'e':'t'}", "");
	check("{'e':null}", "");
	check("{'e':[1,2]}", "");
	check("{'e':{'x':1}}", "");
	check("{'shape':{'kind':'red'}}", "");
	check("{'shape':{'kind':'green','at':{'x':1}}}", "");
}

static void test_plain_types_are_told(void)
{
	check("{'s':1}", "Invalid parameter type for 's', expected: string");
	check("{'i':'1'}", "Invalid parameter type for 'i', expected: integer");
	check("{'i':1.0}", "Invalid parameter type for 'i', expected: integer");
	check("{'i':9223372036854775808}", "Invalid parameter type for 'i', expected: integer");
	check("{'u':-1}", "Invalid parameter type for 'u', expected: uint64");
	check("{'b':0}", "Invalid parameter type for 'b', expected: boolean");
	check("{'n':'x'}", "Invalid parameter type for 'n', expected: number");
	check("{'c':'blue'}", "Parameter 'c' does not accept value 'blue'");
	check("{'c':1}", "Invalid parameter type for 'c', expected: string");
	check("{'s':'a\\u0000b'}", "Parameter 's' has a NUL character in it");
}

static void test_places_are_told(void)
{
	check("{'zz':1}", "Parameter 'zz' is unexpected");
	check("{'points':{}}", "Invalid parameter type for 'points', expected: array");
	check("{'points':[{'x':1},{'x':'1'}]}",
	      "Invalid parameter type for 'points[1].x', expected: integer");
	check("{'points':[{'y':1}]}", "Parameter 'points[0].x' is missing");
	check("{'points':[{'x':1,'z':1}]}", "Parameter 'points[0].z' is unexpected");
	check("{'shape':{'kind':'green'}}", "Parameter 'shape.at' is missing");
	check("{'shape':{'kind':'red','at':{'x':1}}}", "Parameter 'shape.at' is unexpected");
	check("{'shape':{}}", "Parameter 'shape.kind' is missing");
	check("{'e':true}",
	      "Invalid parameter type for 'e', expected: a text, null, list or point");
	check("{'e':[1,'2']}", "Invalid parameter type for 'e[1]', expected: integer");
}

static void written(const char *json, bool is_pretty, const char *expected)
{
	struct json_object *v = json_tokener_parse(json);
	GString *text = g_string_new(NULL);

	json_write(text, v, is_pretty);
	g_assert_cmpstr(text->str, ==, expected);
	g_string_free(text, TRUE);
	json_object_put(v);
}

static void test_values_are_written_as_qemu_does(void)
{
	written("{'a':[1,-2,18446744073709551615,0.5,true,null],'b':{},'c':[]}", false,
		"{\"a\": [1, -2, 18446744073709551615, 0.5, true, null], \"b\": {}, \"c\": []}");
	written("['\\\"\\\\\\n\\r\\t\\u0001\xc3\xa9\\ud83d\\ude00']", false,
		"[\"\\\"\\\\\\n\\r\\t\\u0001\\u00e9\\ud83d\\ude00\"]");
	written("{'a':[1,{'b':2}],'c':{}}", true,
		"{\n    \"a\": [\n        1,\n        {\n            \"b\": 2\n        }\n    ],\n"
		"    \"c\": {}\n}");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/check/passes", test_what_is_of_its_type_passes);
	g_test_add_func("/check/plain", test_plain_types_are_told);
	g_test_add_func("/check/places", test_places_are_told);
	g_test_add_func("/check/written", test_values_are_written_as_qemu_does);
	return g_test_run();
}
