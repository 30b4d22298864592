/* tests/unit/monitor/hmp/args_test.c - typed lines against rows of a table.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "machine/machine.h"
#include "monitor/hmp/impl.h"

/* clang-format off */
static const struct hmp_command rows[] = {
	{ "word", { { "w", HMP_WORD }, { "o", HMP_WORD, true } } },
	{ "rest|r", { { "r", HMP_REST } } },
	{ "int", { { "i", HMP_INT }, { "o", HMP_INT, true } } },
	{ "fmt", { { "f", HMP_FORMAT }, { "a", HMP_LONG } } },
	{ "onoff", { { "s", HMP_ON_OFF } } },
	{ "flags", { { "a", HMP_FLAG }, { "b", HMP_FLAG }, { "n", HMP_INT, true } } },
	{ 0 },
};
/* clang-format on */

/* What a line gives: one word for each argument, "-" for one left out, or "!ERROR". */
static void gives(const char *line, const char *expected)
{
	struct machine none = { 0 };
	struct monitor_config config = { .machine = &none };
	struct hmp_state state = { 0 };
	struct hmp_call call = { .env = &config, .state = &state };
	GString *got = g_string_new(NULL);
	g_autofree char *name = NULL;
	struct err err;

	call.cmd = hmp_find(rows, &line, &name);
	if (!call.cmd) {
		g_string_append_printf(got, "?%s", name);
	} else if (!hmp_parse_args(&call, line, &err)) {
		g_string_append_printf(got, "!%s", err.text);
	} else {
		for (unsigned i = 0; i < HMP_ARGS_MAX && call.cmd->args[i].type; i++) {
			const struct hmp_value *v = &call.values[i];

			if (!v->is_given)
				g_string_append(got, " -");
			else if (v->text)
				g_string_append_printf(got, " <%s>", v->text);
			else if (call.cmd->args[i].type == HMP_FORMAT)
				g_string_append_printf(got, " %d%c%u", (int)v->format.count,
						       v->format.format, v->format.size);
			else
				g_string_append_printf(got, " %d", (int)v->number);
		}
	}
	g_assert_cmpstr(got->str, ==, expected);
	g_string_free(got, TRUE);
	hmp_values_clear(&call);
}

static void test_commands(void)
{
	gives("nosuch 1", "?nosuch");
	gives("\"x\"", "?\"x\"");
	gives("/x", "?");
	gives("  r  a b ", " <a b>");
	gives("res a", "?res");
	gives("rest|r a", "?rest|r");
}

static void test_words(void)
{
	gives("word a", " <a> -");
	gives("word a b", " <a> <b>");
	gives("word \"a b\\n\\\"\" c", " <a b\n\"> <c>");
	gives("word \"a", "!unterminated string");
	gives("word \"a\\", "!unterminated string");
	gives("word \"a\\q\"", "!unsupported escape code: '\\q'");
	gives("word", "!string expected");
	gives("word a b c", "!extraneous characters at the end of line");
}

static void test_numbers(void)
{
	gives("int 1", " 1 -");
	gives("int 1 (2+3)", " 1 5");
	gives("int 0xffffffff", " -1 -");
	gives("int 0x100000000", "!i: must fit 32 bits");
	gives("int", "!unexpected end of expression");
	gives("int $rax", "!unknown register '$rax'"); /* without a CPU */
}

static void test_formats(void)
{
	gives("fmt 0", " 1x4 0");
	gives("fmt/4 0", " 4x4 0");
	gives("fmt/10dg 8", " 10d8 8");
	gives("fmt /bx 8", " 1x1 8");
	gives("fmt/99999999999999999999x 0", " 1073741824x4 0");
	gives("fmt/z 0", "!invalid char in format: 'z'");
	gives("fmt/4x0", "!invalid char in format: '0'");
	gives("fmt/", "!unexpected end of expression");
}

static void test_switches(void)
{
	gives("onoff on", " 1");
	gives("onoff off", " 0");
	gives("onoff onn", "!Expected 'on' or 'off'");
	gives("flags", " - - -");
	gives("flags -b", " - 0 -");
	gives("flags -b -a 7", " 0 0 7");
	gives("flags -1", " - - -1");
	gives("flags -z", "!unsupported option -z");
	gives("flags -ab", "!unsupported option -ab");
}

static void options_give(const char *text, const char *expected)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *values = g_ptr_array_new_with_free_func(g_free);
	GString *got = g_string_new(NULL);
	struct err err;

	if (!hmp_parse_options(text, "driver", keys, values, &err))
		g_string_append_printf(got, "!%s", err.text);
	else
		for (unsigned i = 0; i < keys->len; i++)
			g_string_append_printf(got, "%s=%s;", (char *)keys->pdata[i],
					       (char *)values->pdata[i]);
	g_assert_cmpstr(got->str, ==, expected);
	g_string_free(got, TRUE);
	g_ptr_array_free(keys, TRUE);
	g_ptr_array_free(values, TRUE);
}

static void test_options(void)
{
	options_give("null,id=x", "driver=null;id=x;");
	options_give("id=x,flag", "id=x;flag=on;");
	options_give("a,b=1,,2,c==", "driver=a;b=1,2;c==;");
	options_give("=1", "!a name is missing before '='");
	options_give("a,,b", "driver=a,b;");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/commands", test_commands);
	g_test_add_func("/words", test_words);
	g_test_add_func("/numbers", test_numbers);
	g_test_add_func("/formats", test_formats);
	g_test_add_func("/switches", test_switches);
	g_test_add_func("/options", test_options);
	return g_test_run();
}
