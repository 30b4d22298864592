/* base/err.c - error texts.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	e->code = code;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return false;
}

bool err_errno(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	e->code = code;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(code));
	return false;
}

bool err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(text))
		snprintf(text + len, sizeof(text) - (size_t)len, "%s", e->text);
	memcpy(e->text, text, sizeof(text));
	return false;
}

enum { WORD_MAX = 48 };

static bool same_letter(char a, char b) { return tolower((uint8_t)a) == tolower((uint8_t)b); }

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Edits (insert, delete, replace, swap neighbours) between two words, letters' case aside; WORD_MAX
 * when either is too long to compare.  rows: the last three of the usual table. */
static unsigned edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned rows[3][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			now[j] = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);
			now[j] = least(now[j], least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[la % 3][lb];
}

bool err_suggest(struct err *e, const char *word, const char *const *names)
{
	size_t letters = strlen(word) - (*word == '-');
	unsigned limit = letters <= 2 ? 0 : letters <= 3 ? 1 : letters <= 6 ? 2 : 3;
	const char *best = NULL;
	size_t len = strlen(e->text);

	for (; *names; names++) {
		unsigned d = edit_distance(word, *names);

		if (d <= limit && (!best || d < edit_distance(word, best)))
			best = *names;
	}
	if (best)
		snprintf(e->text + len, sizeof(e->text) - len, " (did you mean '%s'?)", best);
	return false;
}
