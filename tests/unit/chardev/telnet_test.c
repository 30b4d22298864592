/* tests/unit/chardev/telnet_test.c
 * SPDX-License-Identifier: MIT */
#include "chardev/telnet.h"

#include <string.h>

#include <glib.h>

static struct telnet t;
static GString *data, *replies;
static int breaks;

static void feed(const char *bytes, size_t len, size_t step)
{
	t = (struct telnet){ 0 };
	data = g_string_new(NULL);
	replies = g_string_new(NULL);
	breaks = 0;
	for (size_t at = 0; at < len;) {
		size_t chunk = len - at < step ? len - at : step, n, used;
		uint8_t buf[256], reply[3];
		enum telnet_event event;

		memcpy(buf, bytes + at, chunk);
		used = telnet_decode(&t, buf, chunk, buf, &n, &event, reply);
		g_assert_cmpuint(used, >, 0);
		g_assert_cmpuint(used, <=, chunk);
		g_assert_cmpuint(n, <=, used);
		g_string_append_len(data, (const char *)buf, (gssize)n);
		if (event == TELNET_REPLY)
			g_string_append_len(replies, (const char *)reply, 3);
		breaks += event == TELNET_BREAK;
		at += used;
	}
}

/* The result must not depend on how the bytes were cut. */
static void expect(const char *in, size_t in_len, const char *out, size_t out_len,
		   const char *reply, size_t reply_len, int break_count)
{
	static const size_t steps[] = { 1, 2, 3, 5, 256 };

	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		feed(in, in_len, steps[i]);
		g_assert_cmpmem(data->str, data->len, out, out_len);
		g_assert_cmpmem(replies->str, replies->len, reply, reply_len);
		g_assert_cmpint(breaks, ==, break_count);
		g_string_free(data, true);
		g_string_free(replies, true);
	}
}
#define EXPECT(in, out, reply, n) \
	expect(in, sizeof(in) - 1, out, sizeof(out) - 1, reply, sizeof(reply) - 1, n)

static void test_text_passes(void)
{
	EXPECT("hello\r\nworld\t\001", "hello\r\nworld\t\001", "", 0);
}

static void test_doubled_iac_is_one_byte(void)
{
	EXPECT("a\377\377b\377\377\377\377", "a\377b\377\377", "", 0);
}

static void test_break_comes_between_the_data(void)
{
	EXPECT("ab\377\363cd\377\363\377\363", "abcd", "", 3);
}

static void test_nul_after_cr_is_padding_until_binary(void)
{
	EXPECT("a\r\0b\0c", "a\rb\0c", "", 0);
	EXPECT("\377\373\0a\r\0b", "a\r\0b", "", 0);
	EXPECT("\377\373\0\377\374\0a\r\0b", "a\rb", "", 0);
}

static void test_what_we_offered_needs_no_answer(void)
{
	EXPECT("\377\375\1\377\375\3\377\375\0\377\373\0x", "x", "", 0);
}

static void test_unknown_options_are_refused(void)
{
	EXPECT("\377\375\30x", "x", "\377\374\30", 0); /* DO TERMINAL-TYPE: WONT */
	EXPECT("\377\373\37x", "x", "\377\376\37", 0); /* WILL NAWS: DONT */
	EXPECT("\377\374\37\377\376\37x", "x", "", 0); /* WONT, DONT: nothing changes */
}

static void test_giving_up_an_option_is_answered_once(void)
{
	EXPECT("\377\376\1\377\376\1\377\376\1", "", "\377\374\1", 0);
	EXPECT("\377\376\0\377\376\3", "", "\377\374\0\377\374\3", 0);
}

static void test_subnegotiation_is_skipped(void)
{
	EXPECT("a\377\372\30\0xterm\377\360b", "ab", "", 0);
	EXPECT("a\377\372\30\377\377\377\375\1\377\360b", "ab", "", 0);
	EXPECT("a\377\372never ends \377 \377 \377", "a", "", 0);
}

static void test_other_commands_are_ignored(void)
{
	EXPECT("a\377\361b\377\366c\377\360d\377\001e", "abcde", "", 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/telnet/text", test_text_passes);
	g_test_add_func("/chardev/telnet/iac", test_doubled_iac_is_one_byte);
	g_test_add_func("/chardev/telnet/break", test_break_comes_between_the_data);
	g_test_add_func("/chardev/telnet/cr-nul", test_nul_after_cr_is_padding_until_binary);
	g_test_add_func("/chardev/telnet/offered", test_what_we_offered_needs_no_answer);
	g_test_add_func("/chardev/telnet/refused", test_unknown_options_are_refused);
	g_test_add_func("/chardev/telnet/once", test_giving_up_an_option_is_answered_once);
	g_test_add_func("/chardev/telnet/sub", test_subnegotiation_is_skipped);
	g_test_add_func("/chardev/telnet/others", test_other_commands_are_ignored);
	return g_test_run();
}
