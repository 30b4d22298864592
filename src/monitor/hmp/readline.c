/* monitor/hmp/readline.c - editing a line with the keys of emacs and the arrows; history;
 * completion.
 *
 * The terminal is taken to understand CSI n D, CSI n C and CSI K (ECMA-48 8.3), and to be wide
 * enough.  A character of UTF-8 counts as one column.
 * SPDX-License-Identifier: MIT */
#include "monitor/hmp/readline.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "base/bits.h"

enum { CTRL = 0x1f, ESC = 0x1b, DEL = 0x7f, CANDIDATES_MAX = 200, SCREEN_COLUMNS = 80 };

enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_CSI, ESCAPE_SS3 };

struct readline {
	const struct readline_owner *owner;
	void *opaque;
	char *prompt;
	char line[READLINE_MAX + 1];
	size_t len, at; /* at: the cursor */
	char killed[READLINE_MAX + 1];
	enum escape escape;
	unsigned escape_number;
	bool was_return; /* a line feed behind it belongs to it */

	char *history[READLINE_HISTORY]; /* oldest first */
	unsigned history_count;
	unsigned history_at; /* shown now; history_count: none */
	char *draft;         /* what was typed before history was looked at */
};

struct readline *readline_new(const struct readline_owner *owner, void *opaque, const char *prompt)
{
	struct readline *r = g_new0(struct readline, 1);

	r->owner = owner;
	r->opaque = opaque;
	r->prompt = g_strdup(prompt);
	return r;
}

void readline_free(struct readline *r)
{
	for (unsigned i = 0; i < r->history_count; i++)
		g_free(r->history[i]);
	g_free(r->draft);
	g_free(r->prompt);
	g_free(r);
}

/* ---- the screen ---- */

static void put(struct readline *r, const char *text, size_t len)
{
	if (len)
		r->owner->put(r->opaque, text, len);
}

static void put_text(struct readline *r, const char *text) { put(r, text, strlen(text)); }

static bool is_continuation(char c) { return ((uint8_t)c & 0xc0) == 0x80; }

static unsigned columns(const struct readline *r, size_t from, size_t to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += !is_continuation(r->line[from]);
	return n;
}

/* Cursor left (D) or right (C). */
static void put_move(struct readline *r, unsigned n, char direction)
{
	char text[16];

	if (n)
		put(r, text, (size_t)snprintf(text, sizeof(text), "\033[%u%c", n, direction));
}

/* All from the cursor on is new; `is_shorter` when something was taken out. */
static void show_tail(struct readline *r, bool is_shorter)
{
	put(r, r->line + r->at, r->len - r->at);
	if (is_shorter)
		put_text(r, "\033[K");
	put_move(r, columns(r, r->at, r->len), 'D');
}

void readline_show(struct readline *r)
{
	put_text(r, r->prompt);
	put(r, r->line, r->len);
	put_move(r, columns(r, r->at, r->len), 'D');
}

void readline_begin(struct readline *r)
{
	r->len = r->at = 0;
	r->line[0] = '\0';
	r->history_at = r->history_count;
	g_free(r->draft);
	r->draft = NULL;
	readline_show(r);
}

/* ---- moving ---- */

static void move_to(struct readline *r, size_t at)
{
	if (at < r->at)
		put_move(r, columns(r, at, r->at), 'D');
	else
		put_move(r, columns(r, r->at, at), 'C');
	r->at = at;
}

static size_t left_of(const struct readline *r, size_t at)
{
	if (at)
		at--;
	while (at && is_continuation(r->line[at]))
		at--;
	return at;
}

static size_t right_of(const struct readline *r, size_t at)
{
	if (at < r->len)
		at++;
	while (at < r->len && is_continuation(r->line[at]))
		at++;
	return at;
}

static size_t word_left(const struct readline *r)
{
	size_t at = r->at;

	while (at && isspace((uint8_t)r->line[at - 1]))
		at--;
	while (at && !isspace((uint8_t)r->line[at - 1]))
		at--;
	return at;
}

static size_t word_right(const struct readline *r)
{
	size_t at = r->at;

	while (at < r->len && isspace((uint8_t)r->line[at]))
		at++;
	while (at < r->len && !isspace((uint8_t)r->line[at]))
		at++;
	return at;
}

/* ---- changing ---- */

static void insert(struct readline *r, const char *text, size_t len)
{
	if (len > READLINE_MAX - r->len)
		return;
	memmove(r->line + r->at + len, r->line + r->at, r->len - r->at + 1);
	memcpy(r->line + r->at, text, len);
	r->len += len;
	put(r, text, len);
	r->at += len;
	if (r->at < r->len)
		show_tail(r, false);
}

/* [from, to) goes, kept for yank when is_kill. */
static void cut(struct readline *r, size_t from, size_t to, bool is_kill)
{
	if (from == to)
		return;
	if (is_kill) {
		memcpy(r->killed, r->line + from, to - from);
		r->killed[to - from] = '\0';
	}
	move_to(r, from);
	memmove(r->line + from, r->line + to, r->len - to + 1);
	r->len -= to - from;
	show_tail(r, true);
}

static void replace(struct readline *r, const char *text)
{
	move_to(r, 0);
	r->len = MIN(strlen(text), READLINE_MAX);
	memcpy(r->line, text, r->len);
	r->line[r->len] = '\0';
	put(r, r->line, r->len);
	put_text(r, "\033[K");
	r->at = r->len;
}

static void transpose(struct readline *r)
{
	size_t b = r->at == r->len ? left_of(r, r->at) : r->at, a = left_of(r, b);
	char swapped[8];
	size_t end = right_of(r, b), len = end - a;

	if (a == b || len > sizeof(swapped))
		return;
	memcpy(swapped, r->line + b, end - b);
	memcpy(swapped + (end - b), r->line + a, b - a);
	move_to(r, a);
	memcpy(r->line + a, swapped, len);
	put(r, swapped, len);
	r->at = end;
}

/* ---- history ---- */

static void history_add(struct readline *r, const char *line)
{
	unsigned i = 0;

	if (!*line)
		return;
	/* Each line once, at its latest place. */
	while (i < r->history_count && strcmp(r->history[i], line))
		i++;
	if (i == READLINE_HISTORY)
		i = 0;
	if (i < r->history_count) {
		g_free(r->history[i]);
		memmove(&r->history[i], &r->history[i + 1],
			(r->history_count - i - 1) * sizeof(r->history[0]));
		r->history_count--;
	}
	r->history[r->history_count++] = g_strdup(line);
}

const char *readline_history(const struct readline *r, unsigned n)
{
	return n < r->history_count ? r->history[n] : NULL;
}

static void history_go(struct readline *r, int step)
{
	if (step < 0 ? !r->history_at : r->history_at == r->history_count)
		return;
	if (r->history_at == r->history_count) {
		g_free(r->draft);
		r->draft = g_strdup(r->line);
	}
	r->history_at += (unsigned)step;
	replace(r, r->history_at == r->history_count ? r->draft : r->history[r->history_at]);
}

/* ---- completion ---- */

static size_t common_prefix(char *const *words)
{
	size_t len = strlen(words[0]);

	for (unsigned i = 1; words[i]; i++)
		for (size_t n = 0; n < len; n++)
			if (words[i][n] != words[0][n])
				len = n;
	return len;
}

static void show_candidates(struct readline *r, char *const *words)
{
	size_t width = 0;
	unsigned count = 0, per_line;

	for (; words[count]; count++)
		width = MAX(width, strlen(words[count]));
	width += 2;
	per_line = width < SCREEN_COLUMNS ? SCREEN_COLUMNS / (unsigned)width : 1;
	put_text(r, "\r\n");
	for (unsigned i = 0; i < count && i < CANDIDATES_MAX; i++) {
		bool is_last = i % per_line == per_line - 1 || i == count - 1;
		g_autofree char *cell = g_strdup_printf("%-*s", is_last ? 0 : (int)width, words[i]);

		put_text(r, cell);
		if (is_last)
			put_text(r, "\r\n");
	}
	if (count > CANDIDATES_MAX)
		put_text(r, "\r\n...\r\n");
	readline_show(r);
}

static void complete(struct readline *r)
{
	g_autofree char *before = g_strndup(r->line, r->at);
	size_t start = 0, typed, common;
	char **words;

	if (!r->owner->complete)
		return;
	words = r->owner->complete(r->opaque, before, &start);
	if (!words || !words[0] || start > r->at) {
		g_strfreev(words);
		return;
	}
	typed = r->at - start;
	common = common_prefix(words);
	if (common > typed && !strncmp(words[0], before + start, typed))
		insert(r, words[0] + typed, common - typed);
	else if (words[1])
		show_candidates(r, words);
	if (!words[1] && !g_str_has_suffix(words[0], "/"))
		insert(r, " ", 1);
	g_strfreev(words);
}

/* ---- keys ---- */

static void end_line(struct readline *r)
{
	g_autofree char *line = g_strdup(r->line);

	put_text(r, "\r\n");
	r->len = r->at = 0;
	r->line[0] = '\0';
	history_add(r, line);
	r->history_at = r->history_count;
	r->owner->line(r->opaque, line);
}

static void key_delete(struct readline *r) { cut(r, r->at, right_of(r, r->at), false); }

static void control_key(struct readline *r, uint8_t byte)
{
	switch (byte) {
	case CTRL & 'A': move_to(r, 0); break;
	case CTRL & 'B': move_to(r, left_of(r, r->at)); break;
	case CTRL & 'D': key_delete(r); break;
	case CTRL & 'E': move_to(r, r->len); break;
	case CTRL & 'F': move_to(r, right_of(r, r->at)); break;
	case CTRL & 'H':
	case DEL: cut(r, left_of(r, r->at), r->at, false); break;
	case CTRL & 'I': complete(r); break;
	case CTRL & 'K': cut(r, r->at, r->len, true); break;
	case CTRL & 'L':
		put_text(r, "\033[H\033[2J");
		readline_show(r);
		break;
	case CTRL & 'N': history_go(r, 1); break;
	case CTRL & 'P': history_go(r, -1); break;
	case CTRL & 'T': transpose(r); break;
	case CTRL & 'U': cut(r, 0, r->at, true); break;
	case CTRL & 'W': cut(r, word_left(r), r->at, true); break;
	case CTRL & 'Y': insert(r, r->killed, strlen(r->killed)); break;
	case ESC: r->escape = ESCAPE_BEGUN; break;
	default: break;
	}
}

static void meta_key(struct readline *r, uint8_t byte)
{
	switch (byte) {
	case '[':
		r->escape = ESCAPE_CSI;
		r->escape_number = 0;
		break;
	case 'O': r->escape = ESCAPE_SS3; break;
	case 'b': move_to(r, word_left(r)); break;
	case 'f': move_to(r, word_right(r)); break;
	case 'd': cut(r, r->at, word_right(r), true); break;
	case CTRL & 'H':
	case DEL: cut(r, word_left(r), r->at, true); break;
	default: break;
	}
}

/* CSI n ~: the keys above the arrows, of vt220 and rxvt. */
static void numbered_key(struct readline *r)
{
	switch (r->escape_number) {
	case 1:
	case 7: move_to(r, 0); break;
	case 3: key_delete(r); break;
	case 4:
	case 8: move_to(r, r->len); break;
	default: break;
	}
}

static void sequence_key(struct readline *r, uint8_t byte)
{
	if (r->escape == ESCAPE_CSI && isdigit(byte)) {
		r->escape_number = MIN(r->escape_number * 10 + (byte - '0'), 1000);
		return;
	}
	if (r->escape == ESCAPE_CSI && byte == ';') {
		r->escape_number = 0;
		return;
	}
	r->escape = ESCAPE_NONE;
	switch (byte) {
	case 'A': history_go(r, -1); break;
	case 'B': history_go(r, 1); break;
	case 'C': move_to(r, right_of(r, r->at)); break;
	case 'D': move_to(r, left_of(r, r->at)); break;
	case 'F': move_to(r, r->len); break;
	case 'H': move_to(r, 0); break;
	case '~': numbered_key(r); break;
	default: break;
	}
}

void readline_key(struct readline *r, uint8_t byte)
{
	bool was_return = r->was_return;
	char c = (char)byte;

	r->was_return = byte == '\r';
	if (r->escape == ESCAPE_BEGUN) {
		r->escape = ESCAPE_NONE;
		meta_key(r, byte);
	} else if (r->escape != ESCAPE_NONE) {
		sequence_key(r, byte);
	} else if (byte == '\r' || byte == '\n') {
		if (byte == '\r' || !was_return)
			end_line(r);
	} else if (byte < ' ' || byte == DEL) {
		control_key(r, byte);
	} else {
		insert(r, &c, 1);
	}
}
