/* tests/unit/monitor/gdb_packet_test.c
 * SPDX-License-Identifier: MIT */
#include "monitor/gdb/packet.h"

#include <string.h>

#include <glib.h>

/* What bytes are, fed in pieces of `step`: packets in brackets, the rest by a letter each. */
static char *read_all(const char *bytes, size_t len, size_t step)
{
	struct gdb_reader *r = g_new0(struct gdb_reader, 1);
	GString *out = g_string_new(NULL);

	for (size_t at = 0; at < len;) {
		size_t n = MIN(step, len - at), used;

		switch (gdb_read(r, (const uint8_t *)bytes + at, n, &used)) {
		case GDB_NOTHING: g_assert_cmpuint(used, ==, n); break;
		case GDB_PACKET: g_string_append_printf(out, "[%s]", r->data); break;
		case GDB_BAD: g_string_append_c(out, 'B'); break;
		case GDB_ACK: g_string_append_c(out, '+'); break;
		case GDB_NACK: g_string_append_c(out, '-'); break;
		case GDB_INTERRUPT: g_string_append_c(out, 'I'); break;
		}
		at += used;
	}
	g_free(r);
	return g_string_free(out, FALSE);
}

static void gives(const char *bytes, const char *expected)
{
	static const size_t steps[] = { 1, 2, 3, 1 << 20 };

	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *got = read_all(bytes, strlen(bytes), steps[i]);

		g_assert_cmpstr(got, ==, expected);
	}
}

static void test_packets_and_what_is_between(void)
{
	gives("+$?#3f-\003$#00", "+[?]-I[]");
	gives("\n$g#67 junk $g#67", "[g][g]");
	gives("$g#68$g#6x$g#xx$g#67", "BBB[g]");
	gives("$cut$g#67", "[g]");
	gives("$a\003#64", "[a\003]");
}

static void test_escapes_are_resolved(void)
{
	gives("$X}\003}]#b2", "[X#}]");
	gives("$}\n#87", "[*]");
}

static void test_a_packet_that_is_too_long_is_dropped(void)
{
	GString *s = g_string_new("$");
	uint8_t sum = (uint8_t)(GDB_PACKET_MAX * 'a');

	for (unsigned i = 0; i < GDB_PACKET_MAX; i++)
		g_string_append_c(s, 'a');
	g_string_append_printf(s, "#%02x", sum);
	g_autofree char *fits = read_all(s->str, s->len, 1000);
	g_assert_cmpuint(strlen(fits), ==, GDB_PACKET_MAX + 2);
	g_string_insert_c(s, 1, 'a');
	g_string_truncate(s, s->len - 2);
	g_string_append_printf(s, "%02x$g#67", (uint8_t)(sum + 'a'));
	g_autofree char *long_one = read_all(s->str, s->len, 1000);
	g_assert_cmpstr(long_one, ==, "B[g]");
	g_string_free(s, TRUE);
}

static void test_what_is_sent(void)
{
	GString *s = g_string_new(NULL);

	gdb_packet_append(s, "OK", 2);
	gdb_append_hex(s, (const uint8_t *)"\x01\xfe", 2);
	gdb_append_binary(s, (const uint8_t *)"a}#$*", 5);
	g_assert_cmpstr(s->str, ==, "$OK#9a01fea}]}\003}\004}\n");
	g_string_free(s, TRUE);
}

static void test_numbers(void)
{
	const char *p = "1F,-";
	uint8_t bytes[4];
	uint64_t v;

	g_assert_true(gdb_hex(&p, &v) && v == 0x1f && gdb_eat(&p, ',') && !gdb_eat(&p, ','));
	g_assert_false(gdb_hex(&p, &v));
	p = "ffffffffffffffff";
	g_assert_true(gdb_hex(&p, &v) && v == UINT64_MAX && !gdb_eat(&p, '\0'));
	p = "10000000000000000";
	g_assert_false(gdb_hex(&p, &v));
	p = "01a2x";
	g_assert_cmpuint(gdb_hex_bytes(&p, bytes, 4), ==, 2);
	g_assert_cmpuint(bytes[1], ==, 0xa2);
	g_assert_cmpstr(p, ==, "x");
	p = "123";
	g_assert_cmpuint(gdb_hex_bytes(&p, bytes, 4), ==, 1);
	g_assert_cmpstr(p, ==, "3");
}

static void is_thread(const char *text, bool ok, int process, int thread)
{
	struct gdb_thread t;

	g_assert_cmpint(gdb_thread_id(&text, &t), ==, ok);
	if (!ok)
		return;
	g_assert_cmpint(t.process, ==, process);
	g_assert_cmpint(t.thread, ==, thread);
}

static void test_thread_ids(void)
{
	is_thread("2", true, GDB_ANY, 2);
	is_thread("-1", true, GDB_ANY, GDB_ALL);
	is_thread("p1.a", true, 1, 10);
	is_thread("p1", true, 1, GDB_ALL);
	is_thread("p-1.-1", true, GDB_ALL, GDB_ALL);
	is_thread("p1.0", true, 1, GDB_ANY);
	is_thread("", false, 0, 0);
	is_thread("p", false, 0, 0);
	is_thread("p1.", false, 0, 0);
	is_thread("80000000", false, 0, 0);
	is_thread("-2", false, 0, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gdb/packets", test_packets_and_what_is_between);
	g_test_add_func("/gdb/escapes", test_escapes_are_resolved);
	g_test_add_func("/gdb/too_long", test_a_packet_that_is_too_long_is_dropped);
	g_test_add_func("/gdb/sent", test_what_is_sent);
	g_test_add_func("/gdb/numbers", test_numbers);
	g_test_add_func("/gdb/thread_ids", test_thread_ids);
	return g_test_run();
}
