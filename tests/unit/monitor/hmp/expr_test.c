/* tests/unit/monitor/hmp/expr_test.c
 * SPDX-License-Identifier: MIT */
#include "monitor/hmp/expr.h"

#include <string.h>

#include <glib.h>

#include "base/err.h"

static bool reg(void *opaque, const char *name, uint64_t *value)
{
	(void)opaque;
	*value = 0x1000;
	return !strcmp(name, "rax") || !strcmp(name, "cs.base");
}

static void is(const char *text, int64_t expected, const char *rest)
{
	struct err err;
	int64_t v;

	if (!expr_eval(&text, reg, NULL, &v, &err))
		g_error("%s: %s", text, err.text);
	g_assert_cmpint(v, ==, expected);
	g_assert_cmpstr(text, ==, rest);
}

static void fails(const char *text, const char *why)
{
	struct err err;
	int64_t v;

	g_assert_false(expr_eval(&text, reg, NULL, &v, &err));
	g_assert_cmpstr(err.text, ==, why);
}

static void test_numbers(void)
{
	is("12", 12, "");
	is(" 0x1f", 31, "");
	is("010", 8, "");
	is("0xffffffffffffffff", -1, "");
	is("'a'", 'a', "");
	is("$rax", 0x1000, "");
	is("$cs.base + 4", 0x1004, "");
	fails("99999999999999999999", "number too large");
}

/* As QEMU has it: + and - are weakest, then & | ^, then * / %. */
static void test_precedence(void)
{
	is("2+3*4", 14, "");
	is("1+2&3", 3, "");
	is("10-2-3", 5, "");
	is("-3*2", -6, "");
	is("~5", -6, "");
	is("(1+2)*3", 9, "");
	is("7/2*2", 6, "");
	is("-7%3", -1, "");
	is("1 |  6 ^ 2", 5, "");
}

static void test_the_rest_is_left(void)
{
	is("1 2", 1, "2");
	is("5 foo", 5, "foo");
	is("1<<2", 1, "<<2");
}

static void test_what_is_no_expression(void)
{
	g_autofree char *deep = g_strnfill(1000, '(');
	g_autofree char *minus = g_strnfill(100000, '-');

	fails("", "unexpected end of expression");
	fails("1+", "unexpected end of expression");
	fails("(1", "')' expected");
	fails("1/0", "division by zero");
	fails("1%(2-2)", "division by zero");
	fails("$foo", "unknown register '$foo'");
	fails("$", "unknown register '$'");
	fails("'ab'", "missing terminating ' character");
	fails("'", "character constant expected");
	fails("foo", "invalid char 'f' in expression");
	fails(deep, "expression is nested deeper than 64");
	fails(minus, "expression is nested deeper than 64");
}

/* The one quotient that does not fit is what wraps. */
static void test_the_smallest_number(void)
{
	is("0x8000000000000000/-1", INT64_MIN, "");
	is("0x8000000000000000%-1", 0, "");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/numbers", test_numbers);
	g_test_add_func("/precedence", test_precedence);
	g_test_add_func("/the_rest_is_left", test_the_rest_is_left);
	g_test_add_func("/what_is_no_expression", test_what_is_no_expression);
	g_test_add_func("/the_smallest_number", test_the_smallest_number);
	return g_test_run();
}
