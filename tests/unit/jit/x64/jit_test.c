/* jit_test.c - what is set up once for host code.
 * SPDX-License-Identifier: MIT */
#include "main.h"

#ifdef __x86_64__

#include "world.h"

/* ---- setting up ---- */

static void test_hosts_are_judged_as_the_compiler_does(void)
{
	struct err err = { 0 };
	bool ok = x64_host_ok(&err);

	if (ok)
		g_assert_true(__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
			      __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("avx"));
	else
		g_assert_cmpstr(err.text, !=, "");
	/* No processor has AVX2 and BMI2 without the others. */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		g_assert_true(ok);
}

static void test_guests_that_do_not_fit_are_refused(void)
{
	struct ir_slot slots[ARRAY_SIZE(guest_slots)];
	struct ir_state_desc desc = guest_desc;
	struct world w;
	struct err err;

	if (!world_init(&w))
		return;
	desc.slots = slots;
	for (unsigned i = 0; i < 5; i++) {
		memcpy(slots, guest_slots, sizeof(slots));
		switch (i) {
		case 0: slots[15].pin = 0; break;
		case 1: slots[3].offset += 8; break;
		case 2: slots[0].pin = 2; break;
		case 3: slots[7].size = 4; break;
		case 4: slots[16].pin = 17; break;
		}
		err.text[0] = 0;
		g_assert_null(x64_jit_new(w.cache, &desc, &guest_ops, &err));
		g_assert_cmpstr(err.text, !=, "");
	}
	world_fini(&w);
}

static void test_a_full_cache_is_an_error(void)
{
	struct code_writer writers[CHUNKS];
	struct code_cache *c;
	uint8_t *write;
	uint64_t run;
	struct err err;

	c = code_cache_new(CACHE_SIZE, 0xcc, &cache_ops, NULL, &err);
	if (!c) {
		g_test_skip(err.text);
		return;
	}
	for (unsigned i = 0; i < CHUNKS; i++) {
		code_writer_init(&writers[i], c, false);
		if (!code_reserve(&writers[i], 16, &write, &run))
			break;
	}
	g_assert_null(x64_jit_new(c, &guest_desc, &guest_ops, &err));
	g_assert_nonnull(strstr(err.text, "no room"));
	code_cache_free(c);
}

static void test_compilers_are_freed(void)
{
	struct x64_compiler *c;
	struct world w;

	if (!world_init(&w))
		return;
	c = x64_compiler_new(w.jit);
	g_assert_nonnull(c);
	x64_compiler_free(c);
	x64_compiler_free(NULL);
	x64_jit_free(NULL);
	world_fini(&w);
}

static void add_tests(void)
{
	g_test_add_func("/jit/x64/jit/host", test_hosts_are_judged_as_the_compiler_does);
	g_test_add_func("/jit/x64/jit/guests", test_guests_that_do_not_fit_are_refused);
	g_test_add_func("/jit/x64/jit/full", test_a_full_cache_is_an_error);
	g_test_add_func("/jit/x64/jit/compiler", test_compilers_are_freed);
}

#endif
