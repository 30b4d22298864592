/* monitor/gdb/packet.c - bytes to packets and back.
 * SPDX-License-Identifier: MIT */
#include "monitor/gdb/packet.h"

#include <limits.h>

enum { ESCAPE = '}', ESCAPE_XOR = 0x20, INTERRUPT = 3 };

/* ---- framing ---- */

void gdb_reader_reset(struct gdb_reader *r)
{
	r->state = GDB_BETWEEN;
	r->len = 0;
	r->data[0] = '\0';
}

static void begin(struct gdb_reader *r)
{
	r->state = GDB_DATA;
	r->is_escaped = r->is_too_long = false;
	r->sum = 0;
	r->len = 0;
}

static enum gdb_event between(struct gdb_reader *r, uint8_t c)
{
	switch (c) {
	case '$': begin(r); return GDB_NOTHING;
	case '+': return GDB_ACK;
	case '-': return GDB_NACK;
	case INTERRUPT: return GDB_INTERRUPT;
	default: return GDB_NOTHING; /* noise of the line */
	}
}

static void data_byte(struct gdb_reader *r, uint8_t c)
{
	if (c == '#') {
		r->state = GDB_SUM_1;
		return;
	}
	if (c == '$') { /* the one before was cut off */
		begin(r);
		return;
	}
	r->sum = (uint8_t)(r->sum + c);
	if (c == ESCAPE && !r->is_escaped) {
		r->is_escaped = true;
		return;
	}
	if (r->is_escaped)
		c ^= ESCAPE_XOR;
	r->is_escaped = false;
	if (r->len == GDB_PACKET_MAX)
		r->is_too_long = true;
	else
		r->data[r->len++] = (char)c;
}

static enum gdb_event end(struct gdb_reader *r, int digit)
{
	r->state = GDB_BETWEEN;
	r->data[r->len] = '\0';
	if (digit < 0 || r->is_too_long || (r->sent_sum << 4 | digit) != r->sum)
		return GDB_BAD;
	return GDB_PACKET;
}

static enum gdb_event take(struct gdb_reader *r, uint8_t c)
{
	int digit = g_ascii_xdigit_value((char)c);

	switch (r->state) {
	case GDB_BETWEEN: return between(r, c);
	case GDB_DATA: data_byte(r, c); return GDB_NOTHING;
	case GDB_SUM_1:
		if (digit < 0)
			return end(r, digit);
		r->sent_sum = (uint8_t)digit;
		r->state = GDB_SUM_2;
		return GDB_NOTHING;
	case GDB_SUM_2: return end(r, digit);
	}
	return GDB_NOTHING;
}

enum gdb_event gdb_read(struct gdb_reader *r, const uint8_t *buf, size_t len, size_t *used)
{
	enum gdb_event event = GDB_NOTHING;

	for (*used = 0; *used < len && event == GDB_NOTHING; (*used)++)
		event = take(r, buf[*used]);
	return event;
}

void gdb_packet_append(GString *out, const char *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + (uint8_t)data[i]);
	g_string_append_c(out, '$');
	g_string_append_len(out, data, (gssize)len);
	g_string_append_printf(out, "#%02x", sum);
}

/* ---- parts ---- */

bool gdb_hex(const char **p, uint64_t *value)
{
	const char *at = *p;

	*value = 0;
	for (int digit; (digit = g_ascii_xdigit_value(*at)) >= 0; at++) {
		if (*value >> 60)
			return false;
		*value = *value << 4 | (unsigned)digit;
	}
	if (at == *p)
		return false;
	*p = at;
	return true;
}

bool gdb_eat(const char **p, char c)
{
	if (**p != c || !c)
		return false;
	(*p)++;
	return true;
}

size_t gdb_hex_bytes(const char **p, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (; n < max; n++, *p += 2) {
		int high = g_ascii_xdigit_value((*p)[0]);
		int low = high < 0 ? -1 : g_ascii_xdigit_value((*p)[1]);

		if (low < 0)
			break;
		out[n] = (uint8_t)(high << 4 | low);
	}
	return n;
}

void gdb_append_hex(GString *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		g_string_append_c(out, digits[bytes[i] >> 4]);
		g_string_append_c(out, digits[bytes[i] & 15]);
	}
}

void gdb_append_binary(GString *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = (char)bytes[i];

		if (c == '#' || c == '$' || c == ESCAPE || c == '*') {
			g_string_append_c(out, ESCAPE);
			c ^= ESCAPE_XOR;
		}
		g_string_append_c(out, c);
	}
}

static bool thread_number(const char **p, int *out)
{
	uint64_t value;

	if ((*p)[0] == '-' && (*p)[1] == '1') {
		*p += 2;
		*out = GDB_ALL;
		return true;
	}
	if (!gdb_hex(p, &value) || value > INT_MAX)
		return false;
	*out = (int)value;
	return true;
}

bool gdb_thread_id(const char **p, struct gdb_thread *t)
{
	*t = (struct gdb_thread){ .process = GDB_ANY, .thread = GDB_ALL };
	if (!gdb_eat(p, 'p'))
		return thread_number(p, &t->thread);
	return thread_number(p, &t->process) && (!gdb_eat(p, '.') || thread_number(p, &t->thread));
}
