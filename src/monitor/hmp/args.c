/* monitor/hmp/args.c - from a typed line to a command of the tables and its checked arguments.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "monitor/hmp/expr.h"
#include "monitor/hmp/impl.h"

enum { FORMAT_COUNT_MAX = 1 << 30 };

static void skip_blanks(const char **p)
{
	while (isspace((uint8_t) * *p))
		(*p)++;
}

/* ---- names ---- */

bool hmp_name_is(const char *names, const char *name, size_t len)
{
	for (;;) {
		size_t n = strcspn(names, "|");

		if (n == len && !strncmp(names, name, n))
			return true;
		if (!names[n])
			return false;
		names += n + 1;
	}
}

const struct hmp_command *hmp_find(const struct hmp_command *table, const char **line, char **name)
{
	size_t len;

	skip_blanks(line);
	len = strcspn(*line, " \t\r\n/");
	*name = g_strndup(*line, len);
	for (const struct hmp_command *c = table; c->name; c++) {
		if (!hmp_name_is(c->name, *line, len))
			continue;
		*line += len;
		return c;
	}
	*line += len;
	return NULL;
}

/* ---- words ---- */

static bool parse_quoted(const char **p, GString *word, struct err *err)
{
	static const char from[] = "nr\\'\"", to[] = "\n\r\\'\"";

	for ((*p)++; **p && **p != '"'; (*p)++) {
		const char *escape;

		if (**p != '\\') {
			g_string_append_c(word, **p);
			continue;
		}
		(*p)++;
		escape = **p ? strchr(from, **p) : NULL;
		if (!**p)
			break;
		if (!escape)
			return err_set(err, 0, "unsupported escape code: '\\%c'", **p);
		g_string_append_c(word, to[escape - from]);
	}
	if (**p != '"')
		return err_set(err, 0, "unterminated string");
	(*p)++;
	return true;
}

static bool parse_word(struct hmp_call *call, const struct hmp_arg *a, const char **p,
		       struct hmp_value *v, struct err *err)
{
	GString *word = g_string_new(NULL);
	bool ok = true;

	(void)call;
	(void)a;
	if (**p == '"')
		ok = parse_quoted(p, word, err);
	else
		while (**p && !isspace((uint8_t) * *p))
			g_string_append_c(word, *(*p)++);
	v->text = g_string_free(word, FALSE);
	return ok && (*v->text || err_set(err, 0, "string expected"));
}

static bool parse_rest(struct hmp_call *call, const struct hmp_arg *a, const char **p,
		       struct hmp_value *v, struct err *err)
{
	(void)call;
	(void)a;
	v->text = g_strchomp(g_strdup(*p));
	*p += strlen(*p);
	return *v->text || err_set(err, 0, "string expected");
}

static bool parse_on_off(struct hmp_call *call, const struct hmp_arg *a, const char **p,
			 struct hmp_value *v, struct err *err)
{
	size_t len = strcspn(*p, " \t\r\n");

	(void)call;
	(void)a;
	v->number = len == 2 && !strncmp(*p, "on", len);
	if (!v->number && !(len == 3 && !strncmp(*p, "off", len)))
		return err_set(err, 0, "Expected 'on' or 'off'");
	*p += len;
	return true;
}

/* ---- numbers ---- */

struct reg_read {
	const char *name;
	uint64_t value;
	bool ok;
};

static void read_in_vcpu(struct vcpu *v, void *opaque)
{
	struct reg_read *r = opaque;

	r->ok = v->arch->reg_get(v, r->name, &r->value);
}

bool hmp_reg(void *opaque, const char *name, uint64_t *value)
{
	struct vcpu *v = hmp_cpu(opaque);
	struct reg_read r = { .name = name };

	if (v && v->arch->reg_get)
		hmp_on_cpu(opaque, v, read_in_vcpu, &r);
	*value = r.value;
	return r.ok;
}

static bool parse_number(struct hmp_call *call, const struct hmp_arg *a, const char **p,
			 struct hmp_value *v, struct err *err)
{
	if (!expr_eval(p, hmp_reg, call, &v->number, err))
		return false;
	if (a->type == HMP_INT && (v->number > UINT32_MAX || v->number < INT32_MIN))
		return err_set(err, 0, "%s: must fit 32 bits", a->name);
	return true;
}

/* ---- formats ---- */

static bool format_letter(struct hmp_format *f, char c, struct err *err)
{
	static const char sizes[] = "bhwg", formats[] = "xdouics";
	const char *size = strchr(sizes, c);

	if (size)
		f->size = 1u << (size - sizes);
	else if (strchr(formats, c))
		f->format = c;
	else
		return err_set(err, 0, "invalid char in format: '%c'", c);
	return true;
}

static bool is_dump(const struct hmp_command *c) { return c->run == hmp_x || c->run == hmp_xp; }

/* "/4xw": what is left out is as last time; the first time it is one word in hexadecimal. */
static bool parse_format(struct hmp_call *call, const struct hmp_arg *a, const char **p,
			 struct hmp_value *v, struct err *err)
{
	const struct hmp_format *last = &call->state->format;
	struct hmp_format f = { .count = 1 };
	char *end;

	(void)a;
	if (**p == '/') {
		(*p)++;
		if (isdigit((uint8_t) * *p)) {
			f.count = (int64_t)MIN(strtoull(*p, &end, 10), FORMAT_COUNT_MAX);
			*p = end;
		}
		for (; **p && !isspace((uint8_t) * *p); (*p)++)
			if (!format_letter(&f, **p, err))
				return false;
	}
	if (!f.format)
		f.format = last->format ? last->format : 'x';
	/* Instructions and strings are in memory only. */
	if (!is_dump(call->cmd) && strchr("is", f.format))
		f.format = 'x';
	if (!f.size)
		f.size = last->size ? last->size : 4;
	v->format = f;
	return true;
}

/* ---- flags ---- */

/* All flags that stand here, in any order. */
static bool parse_flags(struct hmp_call *call, const char **p, struct err *err)
{
	const struct hmp_arg *args = call->cmd->args;

	while (**p == '-' && (*p)[1] && !isdigit((uint8_t)(*p)[1])) {
		unsigned i = 0;

		while (i < HMP_ARGS_MAX && (args[i].type != HMP_FLAG || *args[i].name != (*p)[1]))
			i++;
		if (i == HMP_ARGS_MAX || ((*p)[2] && !isspace((uint8_t)(*p)[2])))
			return err_set(err, 0, "unsupported option %.*s",
				       (int)strcspn(*p, " \t\r\n"), *p);
		call->values[i].is_given = true;
		*p += 2;
		skip_blanks(p);
	}
	return true;
}

static bool has_flags(const struct hmp_command *c) { return c->args[0].type == HMP_FLAG; }

/* ---- all of them ---- */

bool hmp_parse_args(struct hmp_call *call, const char *line, struct err *err)
{
	static bool (*const parse[])(struct hmp_call *, const struct hmp_arg *, const char **,
				     struct hmp_value *, struct err *) = {
		[HMP_WORD] = parse_word,   [HMP_REST] = parse_rest,     [HMP_INT] = parse_number,
		[HMP_LONG] = parse_number, [HMP_FORMAT] = parse_format, [HMP_ON_OFF] = parse_on_off,
	};

	skip_blanks(&line);
	if (has_flags(call->cmd) && !parse_flags(call, &line, err))
		return false;
	for (unsigned i = 0; i < HMP_ARGS_MAX && call->cmd->args[i].type; i++) {
		const struct hmp_arg *a = &call->cmd->args[i];

		if (a->type == HMP_FLAG)
			continue;
		skip_blanks(&line);
		if (!*line && a->is_optional)
			continue;
		if (!parse[a->type](call, a, &line, &call->values[i], err))
			return false;
		call->values[i].is_given = true;
	}
	skip_blanks(&line);
	return !*line || err_set(err, 0, "extraneous characters at the end of line");
}

void hmp_values_clear(struct hmp_call *call)
{
	for (unsigned i = 0; i < HMP_ARGS_MAX; i++)
		g_free(call->values[i].text);
	memset(call->values, 0, sizeof(call->values));
}

/* ---- key=value,... ---- */

/* Up to a comma that is not doubled; *p moves behind it. */
static char *option_part(const char **p)
{
	GString *part = g_string_new(NULL);

	for (; **p; (*p)++) {
		if (**p == ',' && *++(*p) != ',')
			break;
		g_string_append_c(part, **p);
	}
	return g_string_free(part, FALSE);
}

bool hmp_parse_options(const char *text, const char *implied, GPtrArray *keys, GPtrArray *values,
		       struct err *err)
{
	bool is_first = true;

	while (*text) {
		g_autofree char *part = option_part(&text);
		char *value = strchr(part, '=');

		if (value)
			*value++ = '\0';
		if (!*part)
			return err_set(err, 0, "a name is missing before '='");
		if (is_first && !value) {
			g_ptr_array_add(keys, g_strdup(implied));
			g_ptr_array_add(values, g_strdup(part));
		} else {
			g_ptr_array_add(keys, g_strdup(part));
			g_ptr_array_add(values, g_strdup(value ? value : "on"));
		}
		is_first = false;
	}
	return true;
}
