/* tests/unit/jit/x64/main.h - main() of tests that run on x86-64 hosts only, of
 * which each defines add_tests().
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

static void add_tests(void);

#ifndef __x86_64__
static void test_needs_another_host(void) { g_test_skip("runs on x86-64 hosts"); }

static void add_tests(void) { g_test_add_func("/jit/x64", test_needs_another_host); }
#endif

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_tests();
	return g_test_run();
}
