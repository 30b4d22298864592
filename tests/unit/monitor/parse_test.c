/* tests/unit/monitor/parse_test.c
 * SPDX-License-Identifier: MIT */
#include "monitor/parse.h"

#include <string.h>

#include <glib.h>
#include <json-c/json.h>

#include "base/err.h"

/* What a stream gives, values as json-c writes them and errors as "!TEXT", one per line; fed in
 * pieces of `step` bytes. */
static char *parse_all(const char *text, size_t len, size_t step)
{
	struct qmp_parser *p = qmp_parser_new();
	GString *out = g_string_new(NULL);

	for (size_t at = 0; at < len;) {
		size_t n = len - at < step ? len - at : step, used;
		struct json_object *value;
		struct err err;

		switch (qmp_parse(p, (const uint8_t *)text + at, n, &used, &value, &err)) {
		case QMP_PARSE_MORE: g_assert_cmpuint(used, ==, n); break;
		case QMP_PARSE_ERROR: g_string_append_printf(out, "!%s\n", err.text); break;
		case QMP_PARSE_VALUE:
			g_string_append_printf(
				out, "%s\n",
				json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
			json_object_put(value);
			break;
		}
		at += used;
	}
	qmp_parser_free(p);
	return g_string_free(out, FALSE);
}

static void gives_len(const char *text, size_t len, const char *expected)
{
	static const size_t steps[] = { 1, 2, 3, 7, 1 << 20 };

	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *got = parse_all(text, len, steps[i]);

		g_assert_cmpstr(got, ==, expected);
	}
}

static void gives(const char *text, const char *expected)
{
	gives_len(text, strlen(text), expected);
}

static void test_values_need_nothing_between_them(void)
{
	gives("{\"a\":1}{\"b\":[1,2,{}]} [] \"x\" 12 -0.5e3 true null\n",
	      "{\"a\":1}\n{\"b\":[1,2,{}]}\n[]\n\"x\"\n12\n-0.5e3\ntrue\nnull\n");
	gives("{'a':\n\t'b\"}'}", "{\"a\":\"b\\\"}\"}\n");
	gives("{\"a\":\"\\u00e9\\n\xc3\xa9\"}", "{\"a\":\"\xc3\xa9\\n\xc3\xa9\"}\n");
}

static void test_half_a_value_gives_nothing(void)
{
	gives("{\"execute\":\"query-name\"", "");
	gives("12", "");
	gives("\"x", "");
}

static void test_bad_json_costs_one_error(void)
{
	gives("{\"a\" 1}{}", "!JSON parse error, missing : in object pair\n{}\n");
	gives("{1:2}{}", "!JSON parse error, key is not a string in object\n{}\n");
	gives("{\"a\":1,}{}", "!JSON parse error, expecting value\n{}\n");
	gives("[1,]{}", "!JSON parse error, expecting value\n{}\n");
	gives("[1 2]{}", "!JSON parse error, expected separator in list\n{}\n");
	gives("{\"a\":1 \"b\":2}{}", "!JSON parse error, expected separator in dict\n{}\n");
	gives("{\"a\":tru}{}", "!JSON parse error, invalid keyword 'tru'\n{}\n");
	gives("True {}", "!JSON parse error, invalid keyword 'True'\n{}\n");
	gives("NaN {}", "!JSON parse error, invalid keyword 'NaN'\n{}\n");
	gives("\"\\x\"{}", "!JSON parse error, invalid escape in string\n{}\n");
	gives("\"\xc3(\"{}", "!JSON parse error, invalid UTF-8 sequence in string\n{}\n");
	gives("]{}", "!JSON parse error, expecting value\n{}\n");
	gives(",{}", "!JSON parse error, expecting value\n{}\n");
}

static void test_a_stray_byte_is_left_at_the_next_mark(void)
{
	gives("{\"a\":@}{}", "!JSON parse error, stray '@'\n!JSON parse error, expecting value\n"
			     "{}\n");
	gives("/* no comments */ {}", "!JSON parse error, stray '/'\n{}\n");
	gives("\x01{}", "!JSON parse error, stray byte 0x01\n{}\n");
	gives("{\"a\n{}", "!JSON parse error, stray byte 0x0a\n{}\n");
	gives("01 {}", "!JSON parse error, stray '1'\n{}\n");
	gives("-x {}", "!JSON parse error, stray 'x'\n{}\n");
	gives("1.{}", "!JSON parse error, stray '{'\n!JSON parse error, expecting value\n");
	gives("12ab {}", "!JSON parse error, stray 'a'\n{}\n");
}

/* What clients send to get a parser in an unknown state back: QMP's specification, 2.4. */
static void test_0xff_gets_it_back(void)
{
	gives("{\"a\":\"half\xff{}", "!JSON parse error, stray byte 0xff\n{}\n");
	gives("\xff{}", "!JSON parse error, stray byte 0xff\n{}\n");
	gives_len("{\"a\0{}", 6, "!JSON parse error, stray byte 0x00\n{}\n");
}

static void test_nesting_is_bounded(void)
{
	GString *text = g_string_new(NULL);
	g_autofree char *got = NULL;

	for (int i = 0; i < QMP_VALUE_DEPTH; i++)
		g_string_append_c(text, '[');
	for (int i = 0; i < QMP_VALUE_DEPTH; i++)
		g_string_append_c(text, ']');
	got = parse_all(text->str, text->len, 4096);
	g_assert_cmpint(got[0], ==, '[');
	g_assert_cmpuint(strlen(got), ==, 2 * QMP_VALUE_DEPTH + 1);
	g_string_truncate(text, 0);
	for (int i = 0; i < 5 << 20; i++)
		g_string_append_c(text, i % 2 ? '[' : '{');
	g_string_append(text, "\n{}");
	g_free(got);
	got = parse_all(text->str, text->len, 4096);
	g_assert_cmpstr(got, ==, "!JSON nesting depth limit exceeded\n{}\n");
	g_string_free(text, TRUE);
}

static void test_size_is_bounded(void)
{
	GString *text = g_string_new("[");
	g_autofree char *got = NULL, *got_long = NULL;

	for (int i = 0; i < QMP_VALUE_TOKENS; i++)
		g_string_append(text, "1,");
	g_string_append(text, "1]\n{}");
	got = parse_all(text->str, text->len, 4096);
	g_assert_cmpstr(got, ==, "!JSON token count limit exceeded\n{}\n");
	g_string_assign(text, "\"");
	for (int i = 0; i < QMP_VALUE_BYTES / 16 + 1; i++)
		g_string_append(text, "0123456789abcdef");
	g_string_append(text, "\"\n{}");
	got_long = parse_all(text->str, text->len, 4096);
	g_assert_cmpuint(strlen(got_long), <, 100);
	g_assert_cmpstr(got_long, ==, "!JSON text size limit exceeded\n{}\n");
	g_string_free(text, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/parse/values", test_values_need_nothing_between_them);
	g_test_add_func("/parse/half", test_half_a_value_gives_nothing);
	g_test_add_func("/parse/bad", test_bad_json_costs_one_error);
	g_test_add_func("/parse/stray", test_a_stray_byte_is_left_at_the_next_mark);
	g_test_add_func("/parse/0xff", test_0xff_gets_it_back);
	g_test_add_func("/parse/depth", test_nesting_is_bounded);
	g_test_add_func("/parse/size", test_size_is_bounded);
	return g_test_run();
}
