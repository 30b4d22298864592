/* tests/unit/machine/smp_test.c
 * SPDX-License-Identifier: MIT */
#include "machine/smp.h"

#include <glib.h>

#include "base/err.h"

static void completes(struct smp_config in, struct smp_config want)
{
	struct err err = { 0 };

	if (!smp_complete(&in, "m", 64, &err))
		g_error("%s", err.text);
	g_assert_cmpuint(in.cpus, ==, want.cpus);
	g_assert_cmpuint(in.max_cpus, ==, want.max_cpus);
	g_assert_cmpuint(in.sockets, ==, want.sockets);
	g_assert_cmpuint(in.dies, ==, want.dies);
	g_assert_cmpuint(in.cores, ==, want.cores);
	g_assert_cmpuint(in.threads, ==, want.threads);
}

static void refused(struct smp_config in, const char *why)
{
	struct err err = { 0 };

	g_assert_false(smp_complete(&in, "m", 64, &err));
	g_assert_cmpstr(err.text, ==, why);
}

static void test_missing_numbers_are_filled_in(void)
{
	completes((struct smp_config){ 0 }, (struct smp_config){ 1, 1, 1, 1, 1, 1 });
	completes((struct smp_config){ .cpus = 4 }, (struct smp_config){ 4, 4, 1, 1, 4, 1 });
	completes((struct smp_config){ .cpus = 4, .sockets = 2 },
		  (struct smp_config){ 4, 4, 2, 1, 2, 1 });
	completes((struct smp_config){ .cores = 2, .threads = 2 },
		  (struct smp_config){ 4, 4, 1, 1, 2, 2 });
	completes((struct smp_config){ .cpus = 8, .dies = 2, .cores = 2 },
		  (struct smp_config){ 8, 8, 2, 2, 2, 1 });
	completes((struct smp_config){ .cpus = 2, .max_cpus = 4 },
		  (struct smp_config){ 2, 4, 1, 1, 4, 1 });
	completes((struct smp_config){ .max_cpus = 6 }, (struct smp_config){ 6, 6, 1, 1, 6, 1 });
	completes((struct smp_config){ .sockets = 3 }, (struct smp_config){ 3, 3, 3, 1, 1, 1 });
	completes((struct smp_config){ .dies = 3 }, (struct smp_config){ 3, 3, 1, 3, 1, 1 });
	completes((struct smp_config){ .cores = 3 }, (struct smp_config){ 3, 3, 1, 1, 3, 1 });
	completes(
		(struct smp_config){ .cpus = 5, .sockets = 2, .dies = 2, .cores = 2, .threads = 2 },
		(struct smp_config){ 5, 16, 2, 2, 2, 2 });
	completes((struct smp_config){ .cpus = 64, .threads = 64 },
		  (struct smp_config){ 64, 64, 1, 1, 1, 64 });
	completes((struct smp_config){ .threads = 2 }, (struct smp_config){ 2, 2, 1, 1, 1, 2 });
}

static void test_contradictions_are_told(void)
{
	refused((struct smp_config){ .cpus = 3, .cores = 2 },
		"-smp: sockets (1) * dies (1) * cores (2) * threads (1) = 2, but maxcpus is 3; "
		"leave one "
		"of them out");
	refused((struct smp_config){ .cpus = 8, .sockets = 2, .cores = 2, .threads = 1 },
		"-smp: sockets (2) * dies (1) * cores (2) * threads (1) = 4, but maxcpus is 8; "
		"leave one "
		"of them out");
	refused((struct smp_config){ .cpus = 4, .max_cpus = 2 },
		"-smp: cpus (4) is more than maxcpus (2)");
}

static void test_machine_limit(void)
{
	refused((struct smp_config){ .cpus = 65 }, "-smp: machine 'm' has at most 64 CPUs, not 65");
	refused((struct smp_config){ .cpus = 1,
				     .sockets = 65536,
				     .dies = 65536,
				     .cores = 65536,
				     .threads = 65536 },
		"-smp: machine 'm' has at most 64 CPUs, not 4294967296");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/smp/complete", test_missing_numbers_are_filled_in);
	g_test_add_func("/smp/contradictions", test_contradictions_are_told);
	g_test_add_func("/smp/limit", test_machine_limit);
	return g_test_run();
}
