/* base/err.c - error texts.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* Edits (insert, delete, replace) between two words, letters' case aside; WORD_MAX when either is
 * too long to compare. */
static unsigned edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned same = strncasecmp(&a[i - 1], &b[j - 1], 1) == 0;
			unsigned best = diagonal + !same;

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

bool err_suggest(struct err *e, const char *word, const char *const *names)
{
	unsigned limit = strlen(word) <= 3 ? 1 : strlen(word) <= 6 ? 2 : 3;
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
