/* monitor/json_text.c - JSON as QEMU's monitors write it: a blank behind ',' and ':', four per
 * level when pretty, ASCII only.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "monitor/impl.h"

static void write_string(GString *out, const char *text, size_t len)
{
	const char *end = text + len;

	g_string_append_c(out, '"');
	while (text < end) {
		uint8_t c = (uint8_t)*text;
		gunichar u;

		if (c >= ' ' && c < 0x7f) {
			if (c == '"' || c == '\\')
				g_string_append_c(out, '\\');
			g_string_append_c(out, (char)c);
			text++;
			continue;
		}
		u = g_utf8_get_char_validated(text, end - text);
		if (u == (gunichar)-1 || u == (gunichar)-2) { /* no UTF-8: replaced */
			u = 0xfffd;
			text++;
		} else {
			text = g_utf8_next_char(text);
		}
		if (u == '\n')
			g_string_append(out, "\\n");
		else if (u == '\r')
			g_string_append(out, "\\r");
		else if (u == '\t')
			g_string_append(out, "\\t");
		else if (u > 0xffff)
			g_string_append_printf(out, "\\u%04x\\u%04x",
					       0xd800 + ((u - 0x10000) >> 10),
					       0xdc00 + ((u - 0x10000) & 0x3ff));
		else
			g_string_append_printf(out, "\\u%04x", u);
	}
	g_string_append_c(out, '"');
}

static void write_number(GString *out, struct json_object *v)
{
	double d = json_object_get_double(v);
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (!isfinite(d))
		g_string_append(out, "null");
	else
		g_string_append(out, g_ascii_formatd(text, sizeof(text), "%.17g", d));
}

/* Integers beyond INT64_MAX are kept by json-c as unsigned ones. */
static void write_int(GString *out, struct json_object *v)
{
	int64_t i = json_object_get_int64(v);

	if (i < 0)
		g_string_append_printf(out, "%" PRId64, i);
	else
		g_string_append_printf(out, "%" PRIu64, json_object_get_uint64(v));
}

static void new_line(GString *out, int depth)
{
	if (depth < 0)
		return;
	g_string_append_c(out, '\n');
	for (int i = 0; i < depth; i++)
		g_string_append(out, "    ");
}

static int deeper(int depth) { return depth < 0 ? depth : depth + 1; }

static void write_value(GString *out, struct json_object *v, int depth);

static void write_object(GString *out, struct json_object *v, int depth)
{
	bool is_first = true;

	g_string_append_c(out, '{');
	json_object_object_foreach(v, key, value)
	{
		if (!is_first)
			g_string_append(out, depth < 0 ? ", " : ",");
		is_first = false;
		new_line(out, deeper(depth));
		write_string(out, key, strlen(key));
		g_string_append(out, ": ");
		write_value(out, value, deeper(depth));
	}
	if (!is_first)
		new_line(out, depth);
	g_string_append_c(out, '}');
}

static void write_array(GString *out, struct json_object *v, int depth)
{
	size_t n = json_object_array_length(v);

	g_string_append_c(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			g_string_append(out, depth < 0 ? ", " : ",");
		new_line(out, deeper(depth));
		write_value(out, json_object_array_get_idx(v, i), deeper(depth));
	}
	if (n)
		new_line(out, depth);
	g_string_append_c(out, ']');
}

/* depth < 0: all on one line. */
static void write_value(GString *out, struct json_object *v, int depth)
{
	switch (json_object_get_type(v)) {
	case json_type_null: g_string_append(out, "null"); break;
	case json_type_boolean:
		g_string_append(out, json_object_get_boolean(v) ? "true" : "false");
		break;
	case json_type_double: write_number(out, v); break;
	case json_type_int: write_int(out, v); break;
	case json_type_string:
		write_string(out, json_object_get_string(v), (size_t)json_object_get_string_len(v));
		break;
	case json_type_object: write_object(out, v, depth); break;
	case json_type_array: write_array(out, v, depth); break;
	}
}

void json_write(GString *out, struct json_object *value, bool is_pretty)
{
	write_value(out, value, is_pretty ? 0 : -1);
}
