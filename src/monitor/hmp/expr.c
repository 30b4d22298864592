/* monitor/hmp/expr.c - recursive descent over an expression; 64-bit numbers that wrap.
 * SPDX-License-Identifier: MIT */
#include "monitor/hmp/expr.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { DEPTH_MAX = 64, NAME_MAX_LEN = 31 };

struct expr {
	const char *p;
	expr_reg *reg;
	void *opaque;
	struct err *err;
	unsigned depth;
};

static bool parse_sum(struct expr *e, uint64_t *v);

static void skip_blanks(struct expr *e)
{
	while (isspace((uint8_t)*e->p))
		e->p++;
}

/* The next character if it is one of set, taken; else 0. */
static char take(struct expr *e, const char *set)
{
	char c = *e->p;

	if (!c || !strchr(set, c))
		return 0;
	e->p++;
	skip_blanks(e);
	return c;
}

static bool parse_register(struct expr *e, uint64_t *v)
{
	char name[NAME_MAX_LEN + 1];
	size_t n = 0;

	while (isalnum((uint8_t)*e->p) || *e->p == '_' || *e->p == '.') {
		if (n < NAME_MAX_LEN)
			name[n++] = *e->p;
		e->p++;
	}
	name[n] = '\0';
	if (!e->reg || !e->reg(e->opaque, name, v))
		return err_set(e->err, 0, "unknown register '$%s'", name);
	skip_blanks(e);
	return true;
}

static bool parse_character(struct expr *e, uint64_t *v)
{
	*v = (uint8_t)*e->p;
	if (!*e->p)
		return err_set(e->err, 0, "character constant expected");
	if (*++e->p != '\'')
		return err_set(e->err, 0, "missing terminating ' character");
	e->p++;
	skip_blanks(e);
	return true;
}

static bool parse_number(struct expr *e, uint64_t *v)
{
	char *end;

	if (!*e->p)
		return err_set(e->err, 0, "unexpected end of expression");
	if (!isdigit((uint8_t)*e->p))
		return err_set(e->err, 0, "invalid char '%c' in expression", *e->p);
	errno = 0;
	*v = strtoull(e->p, &end, 0);
	if (errno == ERANGE)
		return err_set(e->err, 0, "number too large");
	e->p = end;
	skip_blanks(e);
	return true;
}

static bool parse_unary(struct expr *e, uint64_t *v)
{
	char op = take(e, "+-~");
	bool ok;

	if (e->depth >= DEPTH_MAX)
		return err_set(e->err, 0, "expression is nested deeper than %d", DEPTH_MAX);
	e->depth++;
	if (op) {
		ok = parse_unary(e, v);
		if (ok && op == '-')
			*v = 0 - *v;
		else if (ok && op == '~')
			*v = ~*v;
	} else if (take(e, "(")) {
		ok = parse_sum(e, v) && (take(e, ")") || err_set(e->err, 0, "')' expected"));
	} else if (*e->p == '\'') {
		e->p++;
		ok = parse_character(e, v);
	} else if (*e->p == '$') {
		e->p++;
		ok = parse_register(e, v);
	} else {
		ok = parse_number(e, v);
	}
	e->depth--;
	return ok;
}

static bool divide(struct expr *e, char op, uint64_t *v, uint64_t by)
{
	int64_t a = (int64_t)*v, b = (int64_t)by;

	if (!b)
		return err_set(e->err, 0, "division by zero");
	if (b == -1) /* the quotient of the smallest is no number of 64 bits */
		*v = op == '/' ? 0 - *v : 0;
	else
		*v = (uint64_t)(op == '/' ? a / b : a % b);
	return true;
}

static bool parse_product(struct expr *e, uint64_t *v)
{
	uint64_t w;
	char op;

	if (!parse_unary(e, v))
		return false;
	while ((op = take(e, "*/%"))) {
		if (!parse_unary(e, &w))
			return false;
		if (op == '*')
			*v *= w;
		else if (!divide(e, op, v, w))
			return false;
	}
	return true;
}

static bool parse_bits(struct expr *e, uint64_t *v)
{
	uint64_t w;
	char op;

	if (!parse_product(e, v))
		return false;
	while ((op = take(e, "&|^"))) {
		if (!parse_product(e, &w))
			return false;
		*v = op == '&' ? *v & w : op == '|' ? *v | w : *v ^ w;
	}
	return true;
}

static bool parse_sum(struct expr *e, uint64_t *v)
{
	uint64_t w;
	char op;

	if (!parse_bits(e, v))
		return false;
	while ((op = take(e, "+-"))) {
		if (!parse_bits(e, &w))
			return false;
		*v = op == '+' ? *v + w : *v - w;
	}
	return true;
}

bool expr_eval(const char **text, expr_reg *reg, void *opaque, int64_t *value, struct err *err)
{
	struct expr e = { .p = *text, .reg = reg, .opaque = opaque, .err = err };
	uint64_t v;

	skip_blanks(&e);
	if (!parse_sum(&e, &v))
		return false;
	*value = (int64_t)v;
	*text = e.p;
	return true;
}
