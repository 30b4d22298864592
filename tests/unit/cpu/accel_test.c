/* tests/unit/cpu/accel_test.c - choosing an accelerator: order, fall back, the user's mistakes.
 * SPDX-License-Identifier: MIT */
#include "cpu/accel.h"

#include <string.h>

#include <glib.h>

#include "base/err.h"

static unsigned started, stopped;

static bool is_absent(struct err *err) { return err_set(err, 0, "not here"); }

static bool start_ok(struct accel *a, struct err *err)
{
	(void)a;
	(void)err;
	started++;
	return true;
}

static bool start_fails(struct accel *a, struct err *err)
{
	(void)a;
	return err_set(err, 0, "out of luck");
}

static void stop(struct accel *a)
{
	(void)a;
	stopped++;
}

static const struct object_type type = { .name = "test-accel",
					 .parent = &accel_type,
					 .size = sizeof(struct accel) };
static const struct accel_ops absent = { .name = "absent", .type = &type, .available = is_absent };
static const struct accel_ops broken = { .name = "broken", .type = &type, .start = start_fails };
static const struct accel_ops good = {
	.name = "good", .type = &type, .start = start_ok, .stop = stop
};
static const struct accel_ops *const list[] = { &absent, &broken, &good, NULL };

static bool refuse(struct object *o, void *opaque, struct err *err)
{
	(void)o;
	return err_set(err, 0, "no property '%s'", (const char *)opaque);
}

static void test_the_first_that_starts_wins(void)
{
	const struct accel_choice choices[] = { { .name = "good" }, { .name = "absent" } };
	struct err err;
	char *notes = (char *)1;
	struct accel *a = accel_start_first(list, NULL, choices, 2, &notes, &err);

	g_assert_nonnull(a);
	g_assert_null(notes);
	g_assert_true(a->ops == &good);
	stopped = 0;
	accel_stop(a);
	g_assert_cmpuint(stopped, ==, 1);
}

static void test_failures_are_noted_on_the_way(void)
{
	const struct accel_choice choices[] = { { .name = "absent" },
						{ .name = "broken" },
						{ .name = "good" } };
	struct err err;
	char *notes;
	struct accel *a = accel_start_first(list, NULL, choices, 3, &notes, &err);

	g_assert_nonnull(a);
	g_assert_cmpstr(notes, ==, "absent: not here\nbroken: out of luck\nfalling back to good");
	g_free(notes);
	accel_stop(a);
}

static void test_all_reasons_are_told_when_none_starts(void)
{
	const struct accel_choice choices[] = { { .name = "absent" }, { .name = "broken" } };
	struct err err;
	char *notes;

	g_assert_null(accel_start_first(list, NULL, choices, 2, &notes, &err));
	g_assert_null(notes);
	g_assert_cmpstr(err.text, ==,
			"no accelerator could be started\nabsent: not here\nbroken: out of luck");
}

static void test_mistakes_end_the_search(void)
{
	const struct accel_choice typo[] = { { .name = "goood" }, { .name = "good" } };
	const struct accel_choice wrong[] = {
		{ .name = "broken", .configure = refuse, .opaque = (void *)"x" }, { .name = "good" }
	};
	const struct accel_choice not_built_in[] = {
		{ .name = "absent", .configure = refuse, .opaque = (void *)"z" }
	};
	const struct accel_choice late_typo[] = { { .name = "good" }, { .name = "goood" } };
	const struct accel_choice late_wrong[] = {
		{ .name = "good" }, { .name = "broken", .configure = refuse, .opaque = (void *)"y" }
	};
	struct err err;
	char *notes;

	started = 0;
	g_assert_null(accel_start_first(list, NULL, typo, 2, &notes, &err));
	g_assert_cmpstr(err.text, ==, "unknown accelerator 'goood' (did you mean 'good'?)");
	g_assert_null(accel_start_first(list, NULL, wrong, 2, &notes, &err));
	g_assert_cmpstr(err.text, ==, "no property 'x'");
	g_assert_null(accel_start_first(list, NULL, not_built_in, 1, &notes, &err));
	g_assert_nonnull(strstr(err.text, "absent: not here"));
	g_assert_null(accel_start_first(list, NULL, late_typo, 2, &notes, &err));
	g_assert_cmpstr(err.text, ==, "unknown accelerator 'goood' (did you mean 'good'?)");
	g_assert_null(accel_start_first(list, NULL, late_wrong, 2, &notes, &err));
	g_assert_cmpstr(err.text, ==, "no property 'y'");
	g_assert_null(accel_start_first(list, NULL, typo, 0, &notes, &err));
	g_assert_cmpstr(err.text, ==, "no accelerator was given");
	g_assert_cmpuint(started, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/accel/first", test_the_first_that_starts_wins);
	g_test_add_func("/accel/fall-back", test_failures_are_noted_on_the_way);
	g_test_add_func("/accel/none", test_all_reasons_are_told_when_none_starts);
	g_test_add_func("/accel/mistakes", test_mistakes_end_the_search);
	return g_test_run();
}
