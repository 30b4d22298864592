/* tests/unit/monitor/hmp/readline_test.c - keys in; lines and a screen out.
 * SPDX-License-Identifier: MIT */
#include "monitor/hmp/readline.h"

#include <string.h>

#include <glib.h>

#include "base/bits.h"

#define PROMPT "> "
#define UP     "\033[A"
#define DOWN   "\033[B"
#define RIGHT  "\033[C"
#define LEFT   "\033[D"

/* A terminal of one line, which understands what readline sends. */
struct screen {
	char cells[8192]; /* one byte for each column: characters beyond ASCII are '?' */
	unsigned at, end;
	GString *escape; /* not NULL: in a sequence */
	GString *lines;  /* complete ones, each ended by '\n' */
	GString *shown;  /* what was on the screen when a line ended */
	struct readline *r;
};

static void screen_sequence(struct screen *s, char end)
{
	unsigned n = (unsigned)g_ascii_strtoull(s->escape->str + 1, NULL, 10);

	switch (end) {
	case 'D':
		g_assert_cmpuint(n, <=, s->at);
		s->at -= n;
		break;
	case 'C':
		s->at += n;
		g_assert_cmpuint(s->at, <=, s->end);
		break;
	case 'K': s->end = s->at; break;
	case 'H':
	case 'J': s->at = s->end = 0; break;
	default: g_error("the screen does not know %s%c", s->escape->str, end);
	}
}

static void screen_put(void *opaque, const char *text, size_t len)
{
	struct screen *s = opaque;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (s->escape) {
			if (g_ascii_isalpha(c)) {
				screen_sequence(s, c);
				g_string_free(s->escape, TRUE);
				s->escape = NULL;
			} else {
				g_string_append_c(s->escape, c);
			}
		} else if (c == '\033') {
			s->escape = g_string_new(NULL);
		} else if (c == '\n') {
			g_string_append_len(s->shown, s->cells, s->end);
			g_string_append_c(s->shown, '\n');
			s->at = s->end = 0;
		} else if (c != '\r' && ((uint8_t)c & 0xc0) != 0x80) {
			g_assert_cmpuint(s->at, <, sizeof(s->cells));
			s->cells[s->at++] = (uint8_t)c < 0x80 ? c : '?';
			s->end = MAX(s->end, s->at);
		}
	}
}

static void screen_line(void *opaque, const char *line)
{
	struct screen *s = opaque;

	g_string_append_printf(s->lines, "%s\n", line);
	readline_begin(s->r);
}

static char **screen_complete(void *opaque, const char *before, size_t *start)
{
	static const char *const words[] = { "stop", "status", "system_reset", "quit", "folder/" };
	GPtrArray *found = g_ptr_array_new();
	const char *word = strrchr(before, ' ');

	(void)opaque;
	word = word ? word + 1 : before;
	*start = (size_t)(word - before);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (g_str_has_prefix(words[i], word))
			g_ptr_array_add(found, g_strdup(words[i]));
	g_ptr_array_add(found, NULL);
	return (char **)g_ptr_array_free(found, FALSE);
}

static const struct readline_owner owner = { screen_put, screen_line, screen_complete };

static void screen_init(struct screen *s)
{
	*s = (struct screen){ .lines = g_string_new(NULL), .shown = g_string_new(NULL) };
	s->r = readline_new(&owner, s, PROMPT);
	readline_begin(s->r);
}

static void screen_fini(struct screen *s)
{
	g_assert_null(s->escape);
	readline_free(s->r);
	g_string_free(s->lines, TRUE);
	g_string_free(s->shown, TRUE);
}

static void type(struct screen *s, const char *keys)
{
	for (; *keys; keys++)
		readline_key(s->r, (uint8_t)*keys);
}

/* What stands on the line, with '|' where the cursor is. */
static void shows(struct screen *s, const char *expected)
{
	GString *text = g_string_new_len(s->cells, s->end);

	g_string_insert_c(text, s->at, '|');
	g_assert_cmpstr(text->str, ==, expected);
	g_string_free(text, TRUE);
}

static void keys_show(const char *keys, const char *expected)
{
	struct screen s;

	screen_init(&s);
	type(&s, keys);
	shows(&s, expected);
	screen_fini(&s);
}

static void test_moving(void)
{
	keys_show("hello", "> hello|");
	keys_show("hello" LEFT LEFT, "> hel|lo");
	keys_show("hello\002\002", "> hel|lo");
	keys_show("hello\001", "> |hello");
	keys_show("hello\001\006", "> h|ello");
	keys_show("hello\001\005", "> hello|");
	keys_show("hello\033[H", "> |hello");
	keys_show("hello\033OH\033[4~", "> hello|");
	keys_show("one two\033b", "> one |two");
	keys_show("one two\001\033f", "> one| two");
	keys_show("ab" LEFT LEFT LEFT LEFT "x", "> x|ab");
	keys_show("ab" RIGHT RIGHT "x", "> abx|");
}

static void test_changing(void)
{
	keys_show("helo" LEFT "l", "> hell|o");
	keys_show("hello\010\177", "> hel|");
	keys_show("hello" LEFT "\177", "> hel|o");
	keys_show("hello\001\004", "> |ello");
	keys_show("hello\001\033[3~\033[3~", "> |llo");
	keys_show("hello" LEFT LEFT "\013", "> hel|");
	keys_show("hello" LEFT LEFT "\025", "> |lo");
	keys_show("one two\027", "> one |");
	keys_show("one two\033\177", "> one |");
	keys_show("one two\001\033d", "> | two");
	keys_show("one two\027\031\031", "> one twotwo|");
	keys_show("abc\024", "> acb|");
	keys_show("abc" LEFT "\024", "> acb|");
	keys_show("a\024\001\024", "> |a");
	keys_show("a\001\002c\007\016\017\020", "> c|a"); /* keys without a meaning */
	keys_show("ab\033[99;5Xc", "> abc|");
}

static void test_characters_of_several_bytes(void)
{
	keys_show("a\xc3\xa4"
		  "b" LEFT LEFT,
		  "> a|?b");
	keys_show("a\xc3\xa4"
		  "b" LEFT "\177",
		  "> a|b");
	keys_show("a\xe2\x82\xac\001\006\004", "> a|");
}

static void test_lines_end_once(void)
{
	struct screen s;

	screen_init(&s);
	type(&s, "one\rtwo\nthree\r\nfour\r\r");
	g_assert_cmpstr(s.lines->str, ==, "one\ntwo\nthree\nfour\n\n");
	g_assert_cmpstr(s.shown->str, ==, "> one\n> two\n> three\n> four\n> \n");
	shows(&s, "> |");
	screen_fini(&s);
}

static void test_history(void)
{
	struct screen s;

	screen_init(&s);
	type(&s, "one\ntwo\ntwo\n\nthree\none\nnow");
	type(&s, UP);
	shows(&s, "> one|");
	type(&s, UP UP UP UP UP);
	shows(&s, "> two|");
	type(&s, "\016");
	shows(&s, "> three|");
	type(&s, DOWN DOWN DOWN);
	shows(&s, "> now|");
	type(&s, "\025\020\020\n");
	g_assert_true(g_str_has_suffix(s.lines->str, "one\nthree\n"));
	g_assert_cmpstr(readline_history(s.r, 0), ==, "two");
	g_assert_cmpstr(readline_history(s.r, 2), ==, "three");
	g_assert_null(readline_history(s.r, 3));
	screen_fini(&s);
}

static void test_history_is_bounded(void)
{
	struct screen s;
	char line[16];

	screen_init(&s);
	for (unsigned i = 0; i < 1000; i++) {
		g_snprintf(line, sizeof(line), "line%u\n", i);
		type(&s, line);
	}
	g_assert_cmpstr(readline_history(s.r, 0), ==, "line936");
	g_assert_cmpstr(readline_history(s.r, READLINE_HISTORY - 1), ==, "line999");
	g_assert_null(readline_history(s.r, READLINE_HISTORY));
	screen_fini(&s);
}

static void test_a_line_is_bounded(void)
{
	g_autofree char *many = g_strnfill(10000, 'x');
	struct screen s;

	screen_init(&s);
	type(&s, many);
	type(&s, "\013\031\031\n");
	g_assert_cmpuint(s.lines->len, ==, READLINE_MAX + 1);
	type(&s, many);
	type(&s, "\025\031\031\n");
	g_assert_cmpuint(s.lines->len, ==, 2 * (READLINE_MAX + 1));
	screen_fini(&s);
}

static void test_completion(void)
{
	struct screen s;

	keys_show("q\t", "> quit |");
	keys_show("sto\t", "> stop |");
	keys_show("x\t", "> x|");
	keys_show("x q\tz", "> x quit z|");
	keys_show("fo\tz", "> folder/z|");
	keys_show("sy\tz" LEFT LEFT, "> system_reset| z");
	screen_init(&s);
	type(&s, "s\t");
	g_assert_cmpstr(s.shown->str, ==, "> s\nstop          status        system_reset\n");
	shows(&s, "> s|");
	type(&s, "t\t");
	shows(&s, "> st|");
	type(&s, "a\t");
	shows(&s, "> status |");
	screen_fini(&s);
}

static void test_redraw(void)
{
	struct screen s;

	screen_init(&s);
	type(&s, "hello" LEFT LEFT "\014");
	shows(&s, "> hel|lo");
	s.at = s.end = 0; /* somebody else wrote */
	readline_show(s.r);
	shows(&s, "> hel|lo");
	screen_fini(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/moving", test_moving);
	g_test_add_func("/changing", test_changing);
	g_test_add_func("/characters_of_several_bytes", test_characters_of_several_bytes);
	g_test_add_func("/lines_end_once", test_lines_end_once);
	g_test_add_func("/history", test_history);
	g_test_add_func("/history_is_bounded", test_history_is_bounded);
	g_test_add_func("/a_line_is_bounded", test_a_line_is_bounded);
	g_test_add_func("/completion", test_completion);
	g_test_add_func("/redraw", test_redraw);
	return g_test_run();
}
