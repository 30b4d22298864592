/* monitor/parse.c - where a JSON value ends, and json-c for what it is.
 *
 * The scanner knows strings, words, numbers and marks, each by RFC 8259 (and strings in single
 * quotes, as QEMU takes them), so what json-c would take beyond that never reaches it.  It keeps
 * the text of one value; json-c reads it when it is whole.
 * SPDX-License-Identifier: MIT */
#include "monitor/parse.h"

#include <string.h>

#include <glib.h>
#include <json-c/json.h>

#include "base/err.h"

enum state {
	BETWEEN, /* tokens */
	IN_STRING,
	IN_ESCAPE,
	IN_WORD,
	IN_MINUS, /* numbers: what was read of them */
	IN_ZERO,
	IN_DIGITS,
	IN_POINT,
	IN_FRACTION,
	IN_E,
	IN_E_SIGN,
	IN_EXPONENT,
	RECOVERING, /* after a byte that cannot be */
	SKIPPING,   /* after too much: to the end of the line */
};

struct qmp_parser {
	struct json_tokener *tokener;
	GString *text; /* of the value so far */
	enum state state;
	uint8_t quote;
	size_t word_start; /* in text */
	int braces, brackets;
	unsigned tokens;
	uint8_t last_mark; /* 0: something else came after it */
	bool has_error;    /* the value is no JSON; told at its end */
	struct err err;
};

struct qmp_parser *qmp_parser_new(void)
{
	struct qmp_parser *p = g_new0(struct qmp_parser, 1);

	p->tokener = json_tokener_new_ex(QMP_VALUE_DEPTH + 2);
	p->text = g_string_new(NULL);
	return p;
}

void qmp_parser_free(struct qmp_parser *p)
{
	json_tokener_free(p->tokener);
	g_string_free(p->text, TRUE);
	g_free(p);
}

/* Ready for the next value. */
static void restart(struct qmp_parser *p, enum state state)
{
	if (p->text->allocated_len > QMP_PARSER_KEEP) {
		g_string_free(p->text, TRUE);
		p->text = g_string_new(NULL);
	}
	g_string_truncate(p->text, 0);
	p->state = state;
	p->braces = p->brackets = 0;
	p->tokens = 0;
	p->last_mark = 0;
	p->has_error = false;
}

void qmp_parser_reset(struct qmp_parser *p) { restart(p, BETWEEN); }

/* ---- errors ---- */

static void note_error(struct qmp_parser *p, const char *text)
{
	if (!p->has_error)
		err_set(&p->err, 0, "JSON parse error, %s", text);
	p->has_error = true;
}

static enum qmp_parse stray(struct qmp_parser *p, uint8_t c, struct err *err)
{
	if (c >= ' ' && c < 0x7f)
		err_set(err, 0, "JSON parse error, stray '%c'", c);
	else
		err_set(err, 0, "JSON parse error, stray byte 0x%02x", c);
	restart(p, RECOVERING);
	return QMP_PARSE_ERROR;
}

static enum qmp_parse too_much(struct qmp_parser *p, const char *what, struct err *err)
{
	err_set(err, 0, "JSON %s limit exceeded", what);
	restart(p, SKIPPING);
	return QMP_PARSE_ERROR;
}

static const char *error_words(enum json_tokener_error e)
{
	switch (e) {
	case json_tokener_error_parse_object_key_name: return "key is not a string in object";
	case json_tokener_error_parse_object_key_sep: return "missing : in object pair";
	case json_tokener_error_parse_object_value_sep: return "expected separator in dict";
	case json_tokener_error_parse_array: return "expected separator in list";
	case json_tokener_error_parse_string: return "invalid escape in string";
	case json_tokener_error_parse_utf8_string: return "invalid UTF-8 sequence in string";
	default: return "expecting value";
	}
}

/* ---- the end of a value ---- */

static enum qmp_parse finish(struct qmp_parser *p, struct json_object **value, struct err *err)
{
	struct json_object *v = NULL;

	/* A number ends where something else begins. */
	g_string_append_c(p->text, ' ');
	if (!p->has_error && !g_utf8_validate(p->text->str, (gssize)p->text->len, NULL))
		note_error(p, "invalid UTF-8 sequence in string");
	if (!p->has_error) {
		json_tokener_reset(p->tokener);
		v = json_tokener_parse_ex(p->tokener, p->text->str, (int)p->text->len);
		if (json_tokener_get_error(p->tokener) != json_tokener_success)
			note_error(p, error_words(json_tokener_get_error(p->tokener)));
	}
	*value = v;
	*err = p->err;
	if (p->has_error) {
		restart(p, BETWEEN);
		return QMP_PARSE_ERROR;
	}
	restart(p, BETWEEN);
	return QMP_PARSE_VALUE;
}

static bool is_whole(const struct qmp_parser *p)
{
	return p->braces < 0 || p->brackets < 0 || (!p->braces && !p->brackets);
}

/* A word, number or string is over. */
static enum qmp_parse end_token(struct qmp_parser *p, struct json_object **value, struct err *err)
{
	p->state = BETWEEN;
	p->last_mark = 0;
	return is_whole(p) ? finish(p, value, err) : QMP_PARSE_MORE;
}

static void check_word(struct qmp_parser *p)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *word = p->text->str + p->word_start;
	char text[64];

	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
		if (!strcmp(word, words[i]))
			return;
	g_snprintf(text, sizeof(text), "invalid keyword '%.40s'", word);
	note_error(p, text);
}

/* ---- one byte at a time ---- */

static bool is_mark(uint8_t c) { return c && strchr("{}[]:,", c); }
static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
/* May the number end here? */
static bool is_number(enum state s)
{
	return s == IN_ZERO || s == IN_DIGITS || s == IN_FRACTION || s == IN_EXPONENT;
}

/* The state after byte c in a number; BETWEEN: c is no part of it. */
static enum state number_next(enum state s, uint8_t c)
{
	bool can_point = s == IN_ZERO || s == IN_DIGITS;

	if (c == '.')
		return can_point ? IN_POINT : BETWEEN;
	if (c == 'e' || c == 'E')
		return can_point || s == IN_FRACTION ? IN_E : BETWEEN;
	if (c == '+' || c == '-')
		return s == IN_E ? IN_E_SIGN : BETWEEN;
	if (!is_digit(c))
		return BETWEEN;
	switch (s) {
	case IN_MINUS: return c == '0' ? IN_ZERO : IN_DIGITS;
	case IN_DIGITS: return IN_DIGITS;
	case IN_POINT:
	case IN_FRACTION: return IN_FRACTION;
	case IN_E:
	case IN_E_SIGN:
	case IN_EXPONENT: return IN_EXPONENT;
	default: return BETWEEN; /* nothing follows a leading zero */
	}
}

static enum qmp_parse take_mark(struct qmp_parser *p, uint8_t c, struct json_object **value,
				struct err *err)
{
	bool closes = c == '}' || c == ']';

	if (closes && p->last_mark == ',')
		note_error(p, "expecting value");
	p->braces += (c == '{') - (c == '}');
	p->brackets += (c == '[') - (c == ']');
	p->last_mark = c;
	g_string_append_c(p->text, (char)c);
	if (p->braces + p->brackets > QMP_VALUE_DEPTH)
		return too_much(p, "nesting depth", err);
	return is_whole(p) ? finish(p, value, err) : QMP_PARSE_MORE;
}

/* The first byte of a token. */
static enum qmp_parse take_first(struct qmp_parser *p, uint8_t c, struct json_object **value,
				 struct err *err)
{
	if (is_space(c)) {
		if (p->text->len)
			g_string_append_c(p->text, (char)c);
		return QMP_PARSE_MORE;
	}
	if (++p->tokens > QMP_VALUE_TOKENS)
		return too_much(p, "token count", err);
	if (is_mark(c))
		return take_mark(p, c, value, err);
	if (c == '"' || c == '\'') {
		p->state = IN_STRING;
		p->quote = c;
	} else if (is_word(c)) {
		p->state = IN_WORD;
		p->word_start = p->text->len;
	} else if (c == '-' || is_digit(c)) {
		p->state = c == '-' ? IN_MINUS : c == '0' ? IN_ZERO : IN_DIGITS;
	} else {
		return stray(p, c, err);
	}
	g_string_append_c(p->text, (char)c);
	return QMP_PARSE_MORE;
}

static enum qmp_parse take_in_string(struct qmp_parser *p, uint8_t c, struct json_object **value,
				     struct err *err)
{
	if (c < ' ' || c >= 0xfe)
		return stray(p, c, err);
	g_string_append_c(p->text, (char)c);
	if (p->state == IN_ESCAPE)
		p->state = IN_STRING;
	else if (c == '\\')
		p->state = IN_ESCAPE;
	else if (c == p->quote)
		return end_token(p, value, err);
	return QMP_PARSE_MORE;
}

/* Words and numbers end before a byte that is not theirs: *is_used is false then. */
static enum qmp_parse take_in_run(struct qmp_parser *p, uint8_t c, bool *is_used,
				  struct json_object **value, struct err *err)
{
	enum state next = p->state == IN_WORD ? (is_word(c) || is_digit(c) ? IN_WORD : BETWEEN)
					      : number_next(p->state, c);

	if (next != BETWEEN) {
		g_string_append_c(p->text, (char)c);
		p->state = next;
		return QMP_PARSE_MORE;
	}
	if (p->state == IN_WORD)
		check_word(p);
	else if (!is_number(p->state) || is_word(c) || is_digit(c))
		return stray(p, c, err);
	*is_used = false;
	return end_token(p, value, err);
}

static bool ends_recovery(const struct qmp_parser *p, uint8_t c)
{
	if ((c < ' ' && c != '\t') || c >= 0xfe)
		return true;
	return p->state == RECOVERING && is_mark(c);
}

static enum qmp_parse take(struct qmp_parser *p, uint8_t c, bool *is_used,
			   struct json_object **value, struct err *err)
{
	*is_used = true;
	switch (p->state) {
	case RECOVERING:
	case SKIPPING:
		if (!ends_recovery(p, c))
			return QMP_PARSE_MORE;
		p->state = BETWEEN;
		return is_mark(c) ? take_first(p, c, value, err) : QMP_PARSE_MORE;
	case BETWEEN: return take_first(p, c, value, err);
	case IN_STRING:
	case IN_ESCAPE: return take_in_string(p, c, value, err);
	default: return take_in_run(p, c, is_used, value, err);
	}
}

/* Bytes of a string that mean nothing to the scanner, taken at once. */
static size_t take_plain(struct qmp_parser *p, const uint8_t *buf, size_t len)
{
	size_t n = 0;

	while (n < len && buf[n] >= ' ' && buf[n] < 0xfe && buf[n] != p->quote && buf[n] != '\\')
		n++;
	g_string_append_len(p->text, (const char *)buf, (gssize)n);
	return n;
}

enum qmp_parse qmp_parse(struct qmp_parser *p, const uint8_t *buf, size_t len, size_t *used,
			 struct json_object **value, struct err *err)
{
	enum qmp_parse r = QMP_PARSE_MORE;
	size_t i = 0;
	bool is_used;

	*value = NULL;
	while (i < len && r == QMP_PARSE_MORE) {
		if (p->state == IN_STRING)
			i += take_plain(p, buf + i, len - i);
		if (p->text->len > QMP_VALUE_BYTES) {
			r = too_much(p, "text size", err);
		} else if (i < len) {
			r = take(p, buf[i], &is_used, value, err);
			i += is_used;
		}
	}
	*used = i;
	return r;
}
