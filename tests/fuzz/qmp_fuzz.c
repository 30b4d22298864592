/* tests/fuzz/qmp_fuzz.c - a QMP client that sends anything.
 *
 * The first byte says in how large pieces the rest comes; what is made of it must not depend on
 * that.  Each value is checked as a command's arguments would be, and what is written of it reads
 * back as the same.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "monitor/impl.h"
#include "monitor/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check_command(struct json_object *value)
{
	struct json_object *name, *args;
	const struct qmp_command *c;
	struct err err;

	if (!json_object_object_get_ex(value, "execute", &name) ||
	    json_object_get_type(name) != json_type_string ||
	    !json_object_object_get_ex(value, "arguments", &args))
		return;
	c = qmp_command_find(json_object_get_string(name));
	if (c)
		qmp_check(qmp_command_args(c), args, NULL, &err);
}

/* What json_write() wrote, read. */
static struct json_object *read_back(const GString *text)
{
	struct qmp_parser *p = qmp_parser_new();
	struct json_object *value;
	struct err err;
	size_t used;

	if (qmp_parse(p, (const uint8_t *)text->str, text->len, &used, &value, &err) !=
	    QMP_PARSE_VALUE)
		abort();
	qmp_parser_free(p);
	return value;
}

static GString *write_line(struct json_object *value)
{
	GString *text = g_string_new(NULL);

	json_write(text, value, false);
	return g_string_append_c(text, '\n');
}

/* Once it may change: 1e2 becomes 100, what is no UTF-8 is replaced. */
static void check_writing(struct json_object *value)
{
	GString *texts[3];

	json_object_get(value);
	for (unsigned i = 0; i < 3; i++) {
		texts[i] = write_line(value);
		json_object_put(value);
		value = read_back(texts[i]);
	}
	json_object_put(value);
	if (strcmp(texts[1]->str, texts[2]->str))
		abort();
	for (unsigned i = 0; i < 3; i++)
		g_string_free(texts[i], TRUE);
}

/* Values and errors, one per line. */
static GString *read_all(const uint8_t *buf, size_t len, size_t step)
{
	struct qmp_parser *p = qmp_parser_new();
	GString *out = g_string_new(NULL);

	for (size_t at = 0; at < len;) {
		size_t n = len - at < step ? len - at : step, used;
		struct json_object *value;
		struct err err;

		switch (qmp_parse(p, buf + at, n, &used, &value, &err)) {
		case QMP_PARSE_MORE:
			if (used != n)
				abort();
			break;
		case QMP_PARSE_ERROR: g_string_append(out, err.text); break;
		case QMP_PARSE_VALUE:
			check_command(value);
			check_writing(value);
			json_write(out, value, true);
			json_object_put(value);
			break;
		}
		if (used > n)
			abort();
		g_string_append_c(out, '\n');
		if (!used && out->len > 1 << 24) /* it must get on */
			abort();
		at += used;
	}
	qmp_parser_free(p);
	return out;
}

static void squeeze(GString *s)
{
	size_t to = 0;

	for (size_t i = 0; i < s->len; i++)
		if (s->str[i] != '\n')
			s->str[to++] = s->str[i];
	g_string_truncate(s, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	GString *whole, *pieces;

	if (size < 2)
		return 0;
	whole = read_all(input + 1, size - 1, size - 1);
	pieces = read_all(input + 1, size - 1, input[0] % 16 + 1u);
	squeeze(whole);
	squeeze(pieces);
	if (strcmp(whole->str, pieces->str))
		abort();
	g_string_free(whole, TRUE);
	g_string_free(pieces, TRUE);
	return 0;
}
