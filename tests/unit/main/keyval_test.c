/* tests/unit/main/keyval_test.c
 * SPDX-License-Identifier: MIT */
#include "main/keyval.h"

#include <glib.h>

#include "base/err.h"

static struct keyvals parsed(const char *text, const char *implied)
{
	struct keyvals kv = { 0 };
	struct err err = { 0 };

	g_assert_true(keyvals_parse_any(&kv, text, implied, &err));
	return kv;
}

static void refused(const char *text, const char *implied, const char *why)
{
	struct keyvals kv = { 0 };
	struct err err = { 0 };

	g_assert_false(keyvals_parse_any(&kv, text, implied, &err));
	g_assert_cmpstr(err.text, ==, why);
	keyvals_clear(&kv);
}

static void test_first_word_is_the_implied_key(void)
{
	struct keyvals kv = parsed("isa-serial,index=1", "driver");

	g_assert_cmpuint(kv.count, ==, 2);
	g_assert_cmpstr(keyvals_get(&kv, "driver"), ==, "isa-serial");
	g_assert_cmpstr(keyvals_get(&kv, "index"), ==, "1");
	keyvals_clear(&kv);
}

static void test_doubled_comma_is_a_comma(void)
{
	struct keyvals kv = parsed("path=/a,,b,append=on", NULL);

	g_assert_cmpstr(keyvals_get(&kv, "path"), ==, "/a,b");
	g_assert_cmpstr(keyvals_get(&kv, "append"), ==, "on");
	keyvals_clear(&kv);
}

static void test_bare_word_means_on(void)
{
	struct keyvals kv = parsed("unix,server", "backend");

	g_assert_cmpstr(keyvals_get(&kv, "server"), ==, "on");
	keyvals_clear(&kv);
}

static void test_last_value_of_a_key_counts(void)
{
	struct keyvals kv = parsed("a=1,b=2,a=3", NULL);
	char *taken;

	g_assert_cmpstr(keyvals_get(&kv, "a"), ==, "3");
	taken = keyvals_take(&kv, "a");
	g_assert_cmpstr(taken, ==, "3");
	g_assert_cmpuint(kv.count, ==, 1);
	g_assert_null(keyvals_get(&kv, "a"));
	g_free(taken);
	keyvals_clear(&kv);
}

static void test_value_may_hold_an_equals_sign(void)
{
	struct keyvals kv = parsed("string=a=b", NULL);

	g_assert_cmpstr(keyvals_get(&kv, "string"), ==, "a=b");
	keyvals_clear(&kv);
}

static void test_json_object_of_scalars(void)
{
	struct keyvals kv = parsed(
		"{\"driver\":\"isa-serial\",\"index\":1,\"on\":true,\"off\":false}", "driver");

	g_assert_cmpstr(keyvals_get(&kv, "driver"), ==, "isa-serial");
	g_assert_cmpstr(keyvals_get(&kv, "index"), ==, "1");
	g_assert_cmpstr(keyvals_get(&kv, "on"), ==, "on");
	g_assert_cmpstr(keyvals_get(&kv, "off"), ==, "off");
	keyvals_clear(&kv);
}

static void test_bad_input_is_refused_in_words(void)
{
	refused("=x", NULL, "'=x' has no name before the '='");
	refused(",a=1", NULL, "an empty item between commas (write ',,' for a comma)");
	refused("{\"a\":[1]}", NULL, "JSON value of 'a' must be a string, a number or a boolean");
	refused("{\"a\":", NULL, "invalid JSON: unexpected end of data");
}

static void test_unknown_key_gets_the_nearest_name(void)
{
	static const char *const names[] = { "cpus", "sockets", NULL };
	struct keyvals kv = parsed("socket=2", NULL);
	struct err err = { 0 };

	g_assert_false(keyvals_check(&kv, "-smp", names, &err));
	g_assert_cmpstr(err.text, ==, "-smp: unknown parameter 'socket' (did you mean 'sockets'?)");
	keyvals_clear(&kv);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/keyval/implied-key", test_first_word_is_the_implied_key);
	g_test_add_func("/keyval/doubled-comma", test_doubled_comma_is_a_comma);
	g_test_add_func("/keyval/bare-word", test_bare_word_means_on);
	g_test_add_func("/keyval/last-value", test_last_value_of_a_key_counts);
	g_test_add_func("/keyval/equals-in-value", test_value_may_hold_an_equals_sign);
	g_test_add_func("/keyval/json", test_json_object_of_scalars);
	g_test_add_func("/keyval/bad-input", test_bad_input_is_refused_in_words);
	g_test_add_func("/keyval/unknown-key", test_unknown_key_gets_the_nearest_name);
	return g_test_run();
}
