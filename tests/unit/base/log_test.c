/* tests/unit/base/log_test.c
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "../child.h"
#include "base/bits.h"
#include "base/err.h"

static char *dir;

/* ---- helpers --------------------------------------------------------------------------------- */

static char *log_start(const char *name)
{
	struct err err = { 0 };
	char *path = g_build_filename(dir, name, NULL);

	g_assert_true(log_open(path, &err));
	return path;
}

/* What the log holds, its file closed and gone. */
static char *log_finish(char *path)
{
	char *text;

	log_close();
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_free(path);
	return text;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* ---- what is logged -------------------------------------------------------------------------- */

static void test_items_are_parsed(void)
{
	struct err err = { 0 };
	uint32_t mask = 0;

	g_assert_true(log_parse_items("guest_errors", &mask, &err));
	g_assert_cmphex(mask, ==, LOG_GUEST_ERROR);
	g_assert_true(log_parse_items("int,cpu_reset,int", &mask, &err));
	g_assert_cmphex(mask, ==, LOG_INT | LOG_CPU_RESET);
	g_assert_true(log_parse_items("all", &mask, &err));
	g_assert_cmphex(mask & (LOG_UNIMP | LOG_EXEC), ==, LOG_UNIMP | LOG_EXEC);
}

static void test_wrong_items_are_refused(void)
{
	static const struct {
		const char *list;
		const char *text;
	} rows[] = {
		{ "guest_error", "unknown log item 'guest_error' (did you mean 'guest_errors'?)" },
		{ "int,cpux", "unknown log item 'cpux' (did you mean 'cpu'?)" },
		{ "int,", "unknown log item ''" },
		{ "", "unknown log item ''" },
		{ ",", "unknown log item ''" },
		{ "INT", "unknown log item 'INT' (did you mean 'int'?)" },
		{ "in", "unknown log item 'in'" }, /* too short to guess */
		{ "nonsense", "unknown log item 'nonsense'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		uint32_t mask = 0x1234;

		g_assert_false(log_parse_items(rows[i].list, &mask, &err));
		g_assert_cmpstr(err.text, ==, rows[i].text);
		g_assert_cmphex(mask, ==, 0x1234);
	}
}

static void test_an_endless_item_is_refused(void)
{
	struct err err = { 0 };
	uint32_t mask = 0;
	char word[4000];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	g_assert_false(log_parse_items(word, &mask, &err));
	g_assert_true(g_str_has_prefix(err.text, "unknown log item 'aaaaaaaa"));
}

static void test_help_lists_every_item(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	log_help(f);
	trace_help(f);
	fclose(f);
	g_assert_nonnull(strstr(text, "\nguest_errors "));
	g_assert_nonnull(strstr(text, "\ncpu_reset "));
	g_assert_nonnull(strstr(text, "\nstartup_step "));
	free(text);
}

/* ---- where it goes --------------------------------------------------------------------------- */

static void test_lines_reach_the_file(void)
{
	char *path = log_start("lines"), *text;

	log_line("one %d", 1);
	log_line("%s", "");
	log_line("three");
	text = log_finish(path);
	g_assert_cmpstr(text, ==, "one 1\n\nthree\n");
	g_free(text);
}

static void test_long_lines_are_whole(void)
{
	for (size_t len = 1020; len < 1028; len++) {
		char *path = log_start("long"), *line = g_strnfill(len, 'x'), *text;

		log_line("%s", line);
		text = log_finish(path);
		g_assert_cmpuint(strlen(text), ==, len + 1);
		g_assert_cmpint(text[len], ==, '\n');
		g_assert_cmpint(strncmp(text, line, len), ==, 0);
		g_free(text);
		g_free(line);
	}
}

static void test_percent_d_becomes_the_process_id(void)
{
	char *name = g_strdup_printf("log-%d-%%x", getpid());
	char *path = log_start("log-%d-%x"), *text;

	g_free(path);
	log_line("hello");
	text = log_finish(g_build_filename(dir, name, NULL));
	g_assert_cmpstr(text, ==, "hello\n");
	g_free(text);
	g_free(name);
}

static void test_an_unusable_path_is_an_error(void)
{
	struct err err = { 0 };
	char *text;

	g_assert_false(log_open("/nonexistent/dir/log", &err));
	g_assert_cmpint(err.code, ==, ENOENT);
	g_assert_cmpstr(err.text, ==,
			"cannot open log file '/nonexistent/dir/log': No such file or directory");
	g_assert_false(log_open(dir, &err));
	text = g_strdup_printf("cannot open log file '%s': Is a directory", dir);
	g_assert_cmpstr(err.text, ==, text);
	g_free(text);
}

static void test_a_refused_path_leaves_the_log_as_it_was(void)
{
	char *path = log_start("kept"), *text;
	struct err err = { 0 };

	g_assert_false(log_open(dir, &err));
	log_line("still here");
	text = log_finish(path);
	g_assert_cmpstr(text, ==, "still here\n");
	g_free(text);
}

static void log_to_a_full_disk(void)
{
	struct err err = { 0 };

	if (!log_open("/dev/full", &err))
		_exit(1);
	for (int i = 0; i < 5; i++)
		log_line("line %d", i);
	log_close();
	log_line("after");
}

static void test_a_full_disk_is_told_once(void)
{
	int status;
	GString *text = child_stderr(log_to_a_full_disk, 0, &status);

	g_assert_cmpint(status, ==, 0);
	g_assert_cmpstr(text->str, ==,
			"rhea: the log stops here: cannot write it: No space left on device\n"
			"after\n");
	g_string_free(text, TRUE);
}

/* "2026-11-22T01:02:03.456789Z ", and a time of this minute. */
static const char *skip_stamp(const char *text)
{
	char *stamp = g_strndup(text, strlen("2026-11-22T01:02:03.456789Z"));
	GDateTime *then = g_date_time_new_from_iso8601(stamp, NULL);
	GDateTime *now = g_date_time_new_now_utc();
	GTimeSpan age;

	g_assert_true(g_str_has_suffix(stamp, "Z"));
	g_assert_cmpint(stamp[19], ==, '.');
	g_assert_cmpint(text[strlen(stamp)], ==, ' ');
	g_assert_nonnull(then);
	age = g_date_time_difference(now, then);
	g_assert_cmpint(age, >=, 0);
	g_assert_cmpint(age, <, G_TIME_SPAN_MINUTE);
	text += strlen(stamp) + 1;
	g_date_time_unref(now);
	g_date_time_unref(then);
	g_free(stamp);
	return text;
}

static void test_lines_begin_with_time_and_name(void)
{
	char *path = log_start("prefix"), *text, *long_line = g_strnfill(2000, 'x'), *expected;
	char *name = g_strnfill(1500, 'n');
	const char *rest;

	log_set_prefix(true, NULL);
	log_line("one");
	log_set_prefix(false, "web");
	log_line("two");
	log_line("%s", long_line);
	log_set_prefix(true, "web");
	log_line("three");
	log_set_prefix(false, name);
	log_line("four");
	log_set_prefix(false, "");
	log_line("five");
	log_set_prefix(false, NULL);
	log_line("six");
	text = log_finish(path);
	rest = skip_stamp(text);
	expected = g_strdup_printf("one\nweb two\nweb %s\n", long_line);
	g_assert_true(g_str_has_prefix(rest, expected));
	rest = skip_stamp(rest + strlen(expected));
	g_free(expected);
	expected = g_strdup_printf("web three\n%s four\nfive\nsix\n", name);
	g_assert_cmpstr(rest, ==, expected);
	g_free(expected);
	g_free(name);
	g_free(long_line);
	g_free(text);
}

static void tell_the_user(void)
{
	char *path = log_start("message"), *text;

	log_set_prefix(false, "web");
	log_message("rhea", "warning: %d", 1);
	text = log_finish(path);
	if (*text)
		_exit(1);
	g_free(text);
}

static void test_messages_go_to_standard_error(void)
{
	child_passes(tell_the_user, "web rhea: warning: 1\n");
}

enum { FLOOD_LINES = 3000 };

static void log_a_flood(void)
{
	for (int i = 0; i < FLOOD_LINES; i++)
		log_line("%099d", i);
}

static void test_a_non_blocking_sink_loses_nothing(void)
{
	int status;
	GString *text = child_stderr(log_a_flood, O_NONBLOCK, &status);

	g_assert_cmpint(status, ==, 0);
	g_assert_cmpuint(text->len, ==, FLOOD_LINES * 100);
	g_assert_cmpuint(count_lines(text->str), ==, FLOOD_LINES);
	g_string_free(text, TRUE);
}

/* ---- guest errors ---------------------------------------------------------------------------- */

static void test_guest_errors_need_the_item(void)
{
	char *path = log_start("guest"), *text;

	log_set_mask(0);
	log_guest_error("pic", "hidden");
	log_set_mask(LOG_GUEST_ERROR);
	log_guest_error("pic", "bad ICW%d", 4);
	log_set_mask(0);
	text = log_finish(path);
	g_assert_cmpstr(text, ==, "pic: bad ICW4\n");
	g_free(text);
}

static void test_guest_errors_are_limited_and_counted(void)
{
	char *path = log_start("flood"), *text;

	log_set_mask(LOG_GUEST_ERROR);
	for (int i = 0; i < 5000; i++)
		log_guest_error("pic", "bad write");
	g_usleep(G_USEC_PER_SEC + G_USEC_PER_SEC / 10);
	log_guest_error("pic", "later");
	log_set_mask(0);
	text = log_finish(path);
	/* The flood may straddle a second; that it lasts three is past any slow host. */
	g_assert_cmpuint(count_lines(text), >=, 99);
	g_assert_cmpuint(count_lines(text), <=, 3 * 101 + 2);
	g_assert_nonnull(strstr(text, " guest errors not shown)\n"));
	g_assert_true(g_str_has_suffix(text, "pic: later\n"));
	g_free(text);
}

static gpointer write_lines(gpointer letter)
{
	for (int i = 0; i < 500; i++)
		log_line("%c%c%c%c", *(char *)letter, *(char *)letter, *(char *)letter,
			 *(char *)letter);
	return NULL;
}

static void test_threads_do_not_mix_lines(void)
{
	char *path = log_start("threads"), *text;
	char a = 'a', b = 'b';
	GThread *ta = g_thread_new("a", write_lines, &a);
	GThread *tb = g_thread_new("b", write_lines, &b);
	unsigned lines = 0;

	g_thread_join(ta);
	g_thread_join(tb);
	text = log_finish(path);
	for (const char *p = text; *p; p += 5, lines++)
		g_assert_true(strncmp(p, "aaaa\n", 5) == 0 || strncmp(p, "bbbb\n", 5) == 0);
	g_assert_cmpuint(lines, ==, 1000);
	g_free(text);
}

/* ---- trace points ---------------------------------------------------------------------------- */

static void test_trace_points_start_disabled(void)
{
	char *path = log_start("trace"), *text;

	TRACE(startup_step, "%s", "unseen");
	text = log_finish(path);
	g_assert_cmpstr(text, ==, "");
	g_free(text);
}

static void test_trace_lines_carry_the_name(void)
{
	char *path = log_start("trace"), *text;
	struct err err = { 0 };

	g_assert_true(trace_set_pattern("startup_step", true, &err));
	TRACE(startup_step, "ram %d us", 12);
	TRACE(loop_timer, "unseen");
	g_assert_true(trace_set_pattern("startup_step", false, &err));
	TRACE(startup_step, "unseen");
	text = log_finish(path);
	g_assert_cmpstr(text, ==, "startup_step: ram 12 us\n");
	g_free(text);
}

static void test_trace_patterns(void)
{
	struct err err = { 0 };

	g_assert_true(trace_set_pattern("tcg_*", true, &err));
	g_assert_true(trace_enabled[TRACE_tcg_translate]);
	g_assert_true(trace_enabled[TRACE_tcg_invalidate]);
	g_assert_false(trace_enabled[TRACE_irq_raise]);
	g_assert_true(trace_set_pattern("-tcg_t*", true, &err));
	g_assert_false(trace_enabled[TRACE_tcg_translate]);
	g_assert_true(trace_enabled[TRACE_tcg_invalidate]);
	g_assert_true(trace_set_pattern("?rq_raise", true, &err));
	g_assert_true(trace_enabled[TRACE_irq_raise]);
	g_assert_true(trace_set_pattern("*", true, &err));
	for (unsigned i = 0; i < TRACE_COUNT; i++)
		g_assert_true(trace_enabled[i]);
	g_assert_true(trace_set_pattern("*", false, &err));
	for (unsigned i = 0; i < TRACE_COUNT; i++)
		g_assert_false(trace_enabled[i]);
}

static void test_a_trace_pattern_without_match_is_an_error(void)
{
	struct err err = { 0 };

	g_assert_false(trace_set_pattern("startup_stop", true, &err));
	g_assert_cmpstr(err.text, ==,
			"no trace point matches 'startup_stop' (did you mean 'startup_step'?)");
	g_assert_false(trace_set_pattern("-zz*", true, &err));
	g_assert_cmpstr(err.text, ==, "no trace point matches 'zz*'");
	g_assert_false(trace_set_pattern("", true, &err));
}

int main(int argc, char **argv)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	dir = g_dir_make_tmp("rhea-log-XXXXXX", NULL);
	g_test_add_func("/base/log/items", test_items_are_parsed);
	g_test_add_func("/base/log/wrong-items", test_wrong_items_are_refused);
	g_test_add_func("/base/log/endless-item", test_an_endless_item_is_refused);
	g_test_add_func("/base/log/help", test_help_lists_every_item);
	g_test_add_func("/base/log/lines", test_lines_reach_the_file);
	g_test_add_func("/base/log/long-lines", test_long_lines_are_whole);
	g_test_add_func("/base/log/percent-d", test_percent_d_becomes_the_process_id);
	g_test_add_func("/base/log/unusable-path", test_an_unusable_path_is_an_error);
	g_test_add_func("/base/log/refused-path", test_a_refused_path_leaves_the_log_as_it_was);
	g_test_add_func("/base/log/full-disk", test_a_full_disk_is_told_once);
	g_test_add_func("/base/log/prefix", test_lines_begin_with_time_and_name);
	g_test_add_func("/base/log/message", test_messages_go_to_standard_error);
	g_test_add_func("/base/log/non-blocking", test_a_non_blocking_sink_loses_nothing);
	g_test_add_func("/base/log/guest-errors", test_guest_errors_need_the_item);
	g_test_add_func("/base/log/guest-error-flood", test_guest_errors_are_limited_and_counted);
	g_test_add_func("/base/log/threads", test_threads_do_not_mix_lines);
	g_test_add_func("/base/trace/disabled", test_trace_points_start_disabled);
	g_test_add_func("/base/trace/name", test_trace_lines_carry_the_name);
	g_test_add_func("/base/trace/patterns", test_trace_patterns);
	g_test_add_func("/base/trace/no-match", test_a_trace_pattern_without_match_is_an_error);
	rc = g_test_run();
	g_rmdir(dir);
	g_free(dir);
	return rc;
}
