/* tests/unit/base/err_test.c
 * SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

static const char *const devices[] = { "e1000", "virtio-blk", "isa-debug-exit", "tpm", NULL };

static const char *suggest(const char *word)
{
	static struct err err;

	err_set(&err, 0, "unknown");
	g_assert_false(err_suggest(&err, word, devices));
	return err.text;
}

static void test_set_formats_and_returns_false(void)
{
	struct err err = { 0 };

	g_assert_false(err_set(&err, EINVAL, "bad %s %d", "size", 7));
	g_assert_cmpint(err.code, ==, EINVAL);
	g_assert_cmpstr(err.text, ==, "bad size 7");
}

static void test_set_replaces_what_was_there(void)
{
	struct err err = { 0 };

	err_set(&err, EINVAL, "a much longer text");
	err_set(&err, 0, "short");
	g_assert_cmpint(err.code, ==, 0);
	g_assert_cmpstr(err.text, ==, "short");
}

static void test_errno_appends_the_systems_words(void)
{
	struct err err = { 0 };

	g_assert_false(err_errno(&err, ENOENT, "cannot open '%s'", "a.qcow2"));
	g_assert_cmpint(err.code, ==, ENOENT);
	g_assert_cmpstr(err.text, ==, "cannot open 'a.qcow2': No such file or directory");
}

static void test_prefixes_stack_outermost_first(void)
{
	struct err err = { 0 };

	err_set(&err, EIO, "read failed");
	g_assert_false(err_prefix(&err, "drive %d: ", 3));
	g_assert_false(err_prefix(&err, "machine: "));
	g_assert_cmpint(err.code, ==, EIO);
	g_assert_cmpstr(err.text, ==, "machine: drive 3: read failed");
}

static void test_long_texts_are_cut_and_terminated(void)
{
	struct err err = { 0 };
	char longer[2 * sizeof(err.text)];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, 0, "%s", longer);
	g_assert_cmpuint(strlen(err.text), ==, sizeof(err.text) - 1);
	err_errno(&err, ENOENT, "%s", longer);
	g_assert_cmpuint(strlen(err.text), ==, sizeof(err.text) - 1);
	err_prefix(&err, "abc: ");
	g_assert_cmpuint(strlen(err.text), ==, sizeof(err.text) - 1);
	g_assert_true(g_str_has_prefix(err.text, "abc: xxx"));
	err_prefix(&err, "%s", longer);
	g_assert_cmpuint(strlen(err.text), ==, sizeof(err.text) - 1);
	err_suggest(&err, "e100", devices);
	g_assert_cmpuint(strlen(err.text), ==, sizeof(err.text) - 1);
}

static void test_suggest_names_the_nearest(void)
{
	g_assert_cmpstr(suggest("e100"), ==, "unknown (did you mean 'e1000'?)");
	g_assert_cmpstr(suggest("virtio-bkl"), ==, "unknown (did you mean 'virtio-blk'?)");
	g_assert_cmpstr(suggest("ISA-debug-exit"), ==, "unknown (did you mean 'isa-debug-exit'?)");
	g_assert_cmpstr(suggest("tpn"), ==, "unknown (did you mean 'tpm'?)");
	g_assert_cmpstr(suggest("tmp"), ==, "unknown (did you mean 'tpm'?)");
}

static void test_suggest_is_silent_when_nothing_is_near(void)
{
	char longer[200];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	g_assert_cmpstr(suggest("floppy"), ==, "unknown");
	g_assert_cmpstr(suggest("abc"), ==, "unknown");
	g_assert_cmpstr(suggest(""), ==, "unknown");
	g_assert_cmpstr(suggest(longer), ==, "unknown");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/err/set-formats", test_set_formats_and_returns_false);
	g_test_add_func("/base/err/set-replaces", test_set_replaces_what_was_there);
	g_test_add_func("/base/err/errno-appends", test_errno_appends_the_systems_words);
	g_test_add_func("/base/err/prefixes-stack", test_prefixes_stack_outermost_first);
	g_test_add_func("/base/err/long-texts-are-cut", test_long_texts_are_cut_and_terminated);
	g_test_add_func("/base/err/suggest-nearest", test_suggest_names_the_nearest);
	g_test_add_func("/base/err/suggest-silent", test_suggest_is_silent_when_nothing_is_near);
	return g_test_run();
}
