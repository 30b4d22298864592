/* tests/unit/base/bits_test.c
 * SPDX-License-Identifier: MIT */
#include "base/bits.h"

#include <glib.h>

static void test_get_takes_a_field(void)
{
	g_assert_cmphex(bits_get(0xfedcba9876543210, 8, 12), ==, 0x432);
	g_assert_cmphex(bits_get(0xfedcba9876543210, 60, 4), ==, 0xf);
	g_assert_cmphex(bits_get(0xfedcba9876543210, 0, 64), ==, 0xfedcba9876543210);
	g_assert_cmphex(bits_get(UINT64_C(1) << 63, 63, 1), ==, 1);
}

static void test_put_leaves_the_rest(void)
{
	g_assert_cmphex(bits_put(UINT64_MAX, 8, 8, 0), ==, 0xffffffffffff00ff);
	g_assert_cmphex(bits_put(0, 60, 4, 0xa), ==, 0xa000000000000000);
	g_assert_cmphex(bits_put(0, 0, 64, 0x0123456789abcdef), ==, 0x0123456789abcdef);
}

static void test_put_drops_what_does_not_fit(void)
{
	g_assert_cmphex(bits_put(0, 4, 4, 0xfff), ==, 0xf0);
}

static void test_sign_extend(void)
{
	g_assert_cmpint(sign_extend(0x80, 8), ==, -128);
	g_assert_cmpint(sign_extend(0x7f, 8), ==, 127);
	g_assert_cmpint(sign_extend(0xff7f, 8), ==, 127);
	g_assert_cmpint(sign_extend(UINT64_C(1) << 47, 48), ==, -(INT64_C(1) << 47));
	g_assert_cmpint(sign_extend(UINT64_MAX, 64), ==, -1);
	g_assert_cmpint(sign_extend(1, 1), ==, -1);
}

static void test_alignment(void)
{
	g_assert_cmphex(align_down(0x1fff, 0x1000), ==, 0x1000);
	g_assert_cmphex(align_down(0x1000, 0x1000), ==, 0x1000);
	g_assert_cmphex(align_up(0x1001, 0x1000), ==, 0x2000);
	g_assert_cmphex(align_up(0x1000, 0x1000), ==, 0x1000);
	g_assert_cmphex(align_up(0, 8), ==, 0);
	g_assert_cmphex(align_down(UINT64_MAX, 0x1000), ==, 0xfffffffffffff000);
}

static void test_power_of_two(void)
{
	g_assert_false(is_pow2(0));
	g_assert_true(is_pow2(1));
	g_assert_false(is_pow2(3));
	g_assert_true(is_pow2(UINT64_C(1) << 63));
	g_assert_false(is_pow2(UINT64_MAX));
}

static void test_unaligned_little_endian(void)
{
	uint8_t buf[16] = { 0 };

	st64_le(buf + 1, 0x0123456789abcdef);
	g_assert_cmphex(buf[0], ==, 0);
	g_assert_cmphex(buf[1], ==, 0xef);
	g_assert_cmphex(buf[8], ==, 0x01);
	g_assert_cmphex(buf[9], ==, 0);
	g_assert_cmphex(ld64_le(buf + 1), ==, 0x0123456789abcdef);
	g_assert_cmphex(ld32_le(buf + 3), ==, 0x456789ab);
	g_assert_cmphex(ld16_le(buf + 7), ==, 0x0123);
	st16_le(buf + 3, 0xaaaa);
	st32_le(buf + 5, 0x55555555);
	g_assert_cmphex(ld64_le(buf + 1), ==, 0x55555555aaaacdef);
}

static void test_container_of(void)
{
	struct outer {
		int before;
		uint64_t inner;
	} o = { 1, 2 };

	g_assert_true(container_of(&o.inner, struct outer, inner) == &o);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/bits/get-takes-a-field", test_get_takes_a_field);
	g_test_add_func("/base/bits/put-leaves-the-rest", test_put_leaves_the_rest);
	g_test_add_func("/base/bits/put-drops-what-does-not-fit", test_put_drops_what_does_not_fit);
	g_test_add_func("/base/bits/sign-extend", test_sign_extend);
	g_test_add_func("/base/bits/alignment", test_alignment);
	g_test_add_func("/base/bits/power-of-two", test_power_of_two);
	g_test_add_func("/base/bits/unaligned-little-endian", test_unaligned_little_endian);
	g_test_add_func("/base/bits/container-of", test_container_of);
	return g_test_run();
}
