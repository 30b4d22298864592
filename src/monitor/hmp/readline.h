/* monitor/hmp/readline.h - a line being typed: keys in, what a terminal needs to show it out.
 * Knows nothing of monitors.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	READLINE_MAX = 4095, /* bytes of a line; what is typed beyond is not taken */
	READLINE_HISTORY = 64,
};

struct readline;

struct readline_owner {
	/* For the terminal. */
	void (*put)(void *opaque, const char *text, size_t len);
	/* A line is complete; it lives until the return.  The next prompt is the owner's to ask
	 * for.
	 */
	void (*line)(void *opaque, const char *line);
	/* What the word that ends before the cursor may become: whole words, a NULL-terminated
	 * array, g_strfreev(); *start is where the word begins.  One that ends in a slash goes on.
	 * May be NULL. */
	char **(*complete)(void *opaque, const char *before, size_t *start);
};

struct readline *readline_new(const struct readline_owner *owner, void *opaque, const char *prompt);
void readline_free(struct readline *r);
/* A new line: the prompt, and what was typed of the last one is forgotten. */
void readline_begin(struct readline *r);
/* The prompt and the line as they are, after something else was written. */
void readline_show(struct readline *r);
void readline_key(struct readline *r, uint8_t byte);
/* Entry n of the history, 0 the oldest; NULL: no such. */
const char *readline_history(const struct readline *r, unsigned n);
