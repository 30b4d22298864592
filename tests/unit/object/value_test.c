/* tests/unit/object/value_test.c
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "object/object.h"

static struct err err;

static uint64_t u64(const char *text)
{
	uint64_t v;

	g_assert_true(value_parse_u64(text, &v, &err));
	return v;
}

static uint64_t size(const char *text, uint64_t unit)
{
	uint64_t v;

	g_assert_true(value_parse_size(text, unit, &v, &err));
	return v;
}

static int u64_error(const char *text)
{
	uint64_t v = 77;

	g_assert_false(value_parse_u64(text, &v, &err));
	g_assert_cmpuint(v, ==, 77);
	g_assert_nonnull(strstr(err.text, text));
	return err.code;
}

static int size_error(const char *text)
{
	uint64_t v = 77;

	g_assert_false(value_parse_size(text, 1, &v, &err));
	g_assert_cmpuint(v, ==, 77);
	g_assert_nonnull(strstr(err.text, text));
	return err.code;
}

static void test_booleans(void)
{
	static const char *const yes[] = { "on", "yes", "true" };
	static const char *const no[] = { "off", "no", "false" };
	bool v;

	for (int i = 0; i < 3; i++) {
		g_assert_true(value_parse_bool(yes[i], &v, &err) && v);
		g_assert_true(value_parse_bool(no[i], &v, &err) && !v);
	}
	g_assert_false(value_parse_bool("maybe", &v, &err));
	g_assert_cmpstr(err.text, ==, "'maybe' is neither 'on' nor 'off'");
	g_assert_false(value_parse_bool("", &v, &err));
	g_assert_false(value_parse_bool("ON", &v, &err));
	g_assert_false(value_parse_bool("1", &v, &err));
}

static void test_numbers_in_three_bases(void)
{
	g_assert_cmpuint(u64("0"), ==, 0);
	g_assert_cmpuint(u64("42"), ==, 42);
	g_assert_cmpuint(u64("0x2A"), ==, 42);
	g_assert_cmpuint(u64("0XfF"), ==, 255);
	g_assert_cmpuint(u64("052"), ==, 42);
	g_assert_cmpuint(u64("00"), ==, 0);
	g_assert_cmpuint(u64("18446744073709551615"), ==, UINT64_MAX);
	g_assert_cmpuint(u64("0xffffffffffffffff"), ==, UINT64_MAX);
}

static void test_bad_numbers(void)
{
	g_assert_cmpint(u64_error(""), ==, EINVAL);
	g_assert_cmpint(u64_error("-1"), ==, EINVAL);
	g_assert_cmpint(u64_error("+1"), ==, EINVAL);
	g_assert_cmpint(u64_error(" 1"), ==, EINVAL);
	g_assert_cmpint(u64_error("1 "), ==, EINVAL);
	g_assert_cmpint(u64_error("0x"), ==, EINVAL);
	g_assert_cmpint(u64_error("0xg"), ==, EINVAL);
	g_assert_cmpint(u64_error("09"), ==, EINVAL);
	g_assert_cmpint(u64_error("1.5"), ==, EINVAL);
	g_assert_cmpint(u64_error("99999999999999999999x"), ==, EINVAL);
	g_assert_cmpint(u64_error("18446744073709551616"), ==, ERANGE);
	g_assert_cmpint(u64_error("0x10000000000000000"), ==, ERANGE);
	g_assert_cmpint(u64_error("99999999999999999999999999"), ==, ERANGE);
}

static void test_sizes(void)
{
	g_assert_cmpuint(size("0", 1), ==, 0);
	g_assert_cmpuint(size("512", 1), ==, 512);
	g_assert_cmpuint(size("512", MIB), ==, 512 * MIB);
	g_assert_cmpuint(size("512b", MIB), ==, 512);
	g_assert_cmpuint(size("4k", 1), ==, 4096);
	g_assert_cmpuint(size("4K", MIB), ==, 4096);
	g_assert_cmpuint(size("2G", 1), ==, 2 * GIB);
	g_assert_cmpuint(size("3T", 1), ==, 3 * (UINT64_C(1) << 40));
	g_assert_cmpuint(size("1P", 1), ==, UINT64_C(1) << 50);
	g_assert_cmpuint(size("15E", 1), ==, 15 * (UINT64_C(1) << 60));
	g_assert_cmpuint(size("0x1000", 1), ==, 4096);
	g_assert_cmpuint(size("0x1e", 1), ==, 30);
	g_assert_cmpuint(size("010", 1), ==, 10); /* no octal, as in QEMU */
	g_assert_cmpuint(size("18446744073709551615", 1), ==, UINT64_MAX);
}

static void test_sizes_with_fractions(void)
{
	g_assert_cmpuint(size("1.5G", 1), ==, 3 * GIB / 2);
	g_assert_cmpuint(size("0.5k", 1), ==, 512);
	g_assert_cmpuint(size(".5k", 1), ==, 512);
	g_assert_cmpuint(size("1.k", 1), ==, 1024);
	g_assert_cmpuint(size("1.5", MIB), ==, 3 * MIB / 2);
	g_assert_cmpuint(size("2.0", 1), ==, 2);
	g_assert_cmpuint(size("0.1k", 1), ==, 102);
	g_assert_cmpuint(size("1.00000000000000000000000001M", 1), ==, MIB);
	g_assert_cmpuint(size("15.9999999999999999E", 1), >, UINT64_C(1) << 63);
}

static void test_bad_sizes(void)
{
	g_assert_cmpint(size_error(""), ==, EINVAL);
	g_assert_cmpint(size_error("k"), ==, EINVAL);
	g_assert_cmpint(size_error("."), ==, EINVAL);
	g_assert_cmpint(size_error(".k"), ==, EINVAL);
	g_assert_cmpint(size_error("-1M"), ==, EINVAL);
	g_assert_cmpint(size_error(" 1M"), ==, EINVAL);
	g_assert_cmpint(size_error("1MB"), ==, EINVAL);
	g_assert_cmpint(size_error("1x"), ==, EINVAL);
	g_assert_cmpint(size_error("1e3"), ==, EINVAL);
	g_assert_cmpint(size_error("0x10k"), ==, EINVAL);
	g_assert_cmpint(size_error("0x"), ==, EINVAL);
	g_assert_cmpint(size_error("0x1.8"), ==, EINVAL);
	g_assert_cmpint(size_error("1.5"), ==, EINVAL);
	g_assert_cmpint(size_error("1.5b"), ==, EINVAL);
	g_assert_cmpint(size_error("16E"), ==, ERANGE);
	g_assert_cmpint(size_error("18446744073709551616"), ==, ERANGE);
	g_assert_cmpint(size_error("99999999999999999999999G"), ==, ERANGE);
}

static void test_ids(void)
{
	g_assert_true(value_check_id("a", &err));
	g_assert_true(value_check_id("Ser-0._x", &err));
	g_assert_false(value_check_id("", &err));
	g_assert_false(value_check_id("0a", &err));
	g_assert_false(value_check_id("a/b", &err));
	g_assert_false(value_check_id("a b", &err));
	g_assert_nonnull(strstr(err.text, "'a b' is no id"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/object/value/booleans", test_booleans);
	g_test_add_func("/object/value/numbers", test_numbers_in_three_bases);
	g_test_add_func("/object/value/bad-numbers", test_bad_numbers);
	g_test_add_func("/object/value/sizes", test_sizes);
	g_test_add_func("/object/value/fractions", test_sizes_with_fractions);
	g_test_add_func("/object/value/bad-sizes", test_bad_sizes);
	g_test_add_func("/object/value/ids", test_ids);
	return g_test_run();
}
