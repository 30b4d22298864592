/* decode_test.c - taking instructions apart: prefixes, modes, addressing, VEX, what is refused.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "arch/x86/decode.h"
#include "arch/x86/state.h"

struct bytes {
	struct x86_reader r;
	const uint8_t *p;
	unsigned left;
};

static int bytes_next(struct x86_reader *r)
{
	struct bytes *b = container_of(r, struct bytes, r);

	return b->left ? b->left--, *b->p++ : -1;
}

enum { M16, M32, M64, REAL };

/* hex: "48 89 c3" */
static enum x86_decode decode(struct x86_insn *in, unsigned mode, const char *hex)
{
	const struct x86_decode_mode m = {
		.code64 = mode == M64,
		.code32 = mode == M32,
		.no_vex = mode == REAL,
		.features = UINT64_MAX,
	};
	uint8_t code[32];
	struct bytes b = { .r.next = bytes_next, .p = code };

	for (; *hex; hex += hex[2] ? 3 : 2)
		code[b.left++] = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 |
					   g_ascii_xdigit_value(hex[1]));
	return x86_decode(in, &m, &b.r);
}

static void check_text(unsigned mode, const char *hex, const char *text)
{
	struct x86_insn in;
	char out[128];

	g_assert_cmpint(decode(&in, mode, hex), ==, DECODE_OK);
	g_assert_cmpuint(in.len, ==, (strlen(hex) + 1) / 3);
	x86_disasm(&in, 0x1000, out, sizeof(out));
	g_assert_cmpstr(out, ==, text);
}

static void check_result(unsigned mode, const char *hex, enum x86_decode result)
{
	struct x86_insn in;

	g_assert_cmpint(decode(&in, mode, hex), ==, result);
}

static void test_operand_sizes_follow_mode_and_prefixes(void)
{
	check_text(M64, "89 c3", "mov ebx, eax");
	check_text(M64, "66 89 c3", "mov bx, ax");
	check_text(M64, "48 89 c3", "mov rbx, rax");
	check_text(M64, "66 48 89 c3", "mov rbx, rax");
	check_text(M32, "66 89 c3", "mov bx, ax");
	check_text(M16, "89 c3", "mov bx, ax");
	check_text(M16, "66 89 c3", "mov ebx, eax");
	check_text(M64, "50", "push rax");
	check_text(M64, "66 50", "push ax");
	check_text(M64, "48 b8 88 77 66 55 44 33 22 11", "mov rax, 0x1122334455667788");
	check_text(M32, "40", "inc eax");
}

static void test_rex_counts_only_as_the_last_prefix(void)
{
	check_text(M64, "48 66 89 c3", "mov bx, ax");
	check_text(M64, "41 48 89 c3", "mov rbx, rax");
	check_text(M64, "88 e0", "mov al, ah");
	check_text(M64, "40 88 e0", "mov al, spl");
	check_text(M64, "45 89 c8", "mov r8d, r9d");
}

static void test_addressing_16(void)
{
	check_text(M16, "8b 00", "mov ax, word ptr [bx+si]");
	check_text(M16, "8b 42 fe", "mov ax, word ptr [bp+si-0x2]");
	check_text(M16, "8b 06 34 12", "mov ax, word ptr [0x1234]");
	check_text(M16, "8b 46 00", "mov ax, word ptr [bp]");
	check_text(M32, "67 8b 47 10", "mov eax, dword ptr [bx+0x10]");
}

static void test_addressing_32_and_64(void)
{
	check_text(M32, "8b 05 78 56 34 12", "mov eax, dword ptr [0x12345678]");
	check_text(M64, "8b 05 00 00 00 01", "mov eax, dword ptr [0x1001006]");
	check_text(M64, "81 05 10 00 00 00 01 00 00 00", "add dword ptr [0x101a], 0x1");
	check_text(M64, "8b 04 25 10 00 00 00", "mov eax, dword ptr [0x10]");
	check_text(M64, "4a 8b 44 a5 f8", "mov rax, qword ptr [rbp+r12*4-0x8]");
	check_text(M64, "42 8b 04 23", "mov eax, dword ptr [rbx+r12*1]");
	check_text(M64, "67 8b 03", "mov eax, dword ptr [ebx]");
	check_text(M64, "64 8b 03", "mov eax, dword ptr fs:[rbx]");
	check_text(M64, "2e 8b 03", "mov eax, dword ptr [rbx]");
	check_text(M32, "2e 8b 03", "mov eax, dword ptr cs:[ebx]");
}

static void test_default_segments(void)
{
	struct x86_insn in;

	decode(&in, M32, "8b 45 00");
	g_assert_cmpuint(in.seg, ==, SEG_SS);
	decode(&in, M32, "8b 04 24");
	g_assert_cmpuint(in.seg, ==, SEG_SS);
	decode(&in, M32, "3e 8b 45 00");
	g_assert_cmpuint(in.seg, ==, SEG_DS);
	decode(&in, M16, "8b 43 01"); /* [bp+di+1] */
	g_assert_cmpuint(in.seg, ==, SEG_SS);
	decode(&in, M16, "8b 06 34 12");
	g_assert_cmpuint(in.seg, ==, SEG_DS);
}

static void test_fifteen_bytes_at_most(void)
{
	check_text(M64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", "nop");
	check_result(M64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", DECODE_TOO_LONG);
	check_result(M64, "66 66 66 66 66 66 66 66 66 66 81 05 10 00 00 00 01 00", DECODE_TOO_LONG);
}

static void test_missing_bytes_are_a_fetch_fault(void)
{
	check_result(M64, "48", DECODE_FETCH);
	check_result(M64, "8b 05 00 00 00", DECODE_FETCH);
	check_result(M64, "0f", DECODE_FETCH);
	/* nothing more is needed to see that this is undefined */
	check_result(M64, "06", DECODE_UD);
	check_result(M64, "0f 0b", DECODE_OK);
}

static void test_lock_needs_a_memory_destination_that_allows_it(void)
{
	check_text(M64, "f0 01 03", "lock add dword ptr [rbx], eax");
	check_result(M64, "f0 01 c3", DECODE_UD);
	check_result(M64, "f0 03 03", DECODE_UD);
	check_result(M64, "f0 89 03", DECODE_UD);
	check_result(M64, "f0 39 03", DECODE_UD);
	check_result(M64, "f0 90", DECODE_UD);
}

static void test_what_64_bit_mode_took_away(void)
{
	check_result(M64, "06", DECODE_UD);
	check_result(M64, "27", DECODE_UD);
	check_result(M64, "60", DECODE_UD);
	check_result(M64, "9a 00 00 00 00 00 00", DECODE_UD);
	check_result(M64, "82 c0 00", DECODE_UD);
	check_result(M64, "d6", DECODE_UD);
	check_text(M32, "27", "daa");
	check_text(M64, "48 63 c3", "movsxd rax, ebx");
}

static void test_mandatory_prefixes_choose_the_row(void)
{
	check_text(M64, "0f bc c3", "bsf eax, ebx");
	check_text(M64, "f3 0f bc c3", "tzcnt eax, ebx");
	check_text(M64, "f2 f3 0f bc c3", "tzcnt eax, ebx"); /* the last of F2 and F3 counts */
	check_text(M64, "0f 38 f0 03", "movbe eax, dword ptr [rbx]");
	check_text(M64, "f2 0f 38 f0 c3", "crc32 eax, bl");
	check_text(M64, "66 f2 0f 38 f1 c3", "crc32 eax, bx");
	check_text(M64, "f3 90", "pause");
	check_text(M64, "f3 a4", "rep movsb byte ptr es:[rdi], byte ptr ds:[rsi]");
	check_text(M64, "f3 0f 1e fa", "endbr64");
	check_text(M64, "0f 01 e8", "serialize");
	check_result(M64, "f0 0f 01 e8", DECODE_UD);
	check_result(M64, "66 0f 01 e8", DECODE_UD);
}

static void test_features_not_announced_are_passed_over(void)
{
	const struct x86_decode_mode none = { .code64 = true };
	static const uint8_t tzcnt[] = { 0xf3, 0x0f, 0xbc, 0xc3 },
			     popcnt[] = { 0xf3, 0x0f, 0xb8, 0xc3 };
	struct bytes b = { .r.next = bytes_next, .p = tzcnt, .left = 4 };
	struct x86_insn in;

	g_assert_cmpint(x86_decode(&in, &none, &b.r), ==, DECODE_OK);
	g_assert_cmpstr(in.row->name, ==, "BSF");
	b = (struct bytes){ .r.next = bytes_next, .p = popcnt, .left = 4 };
	g_assert_cmpint(x86_decode(&in, &none, &b.r), ==, DECODE_UD);
}

static void test_vex(void)
{
	check_text(M64, "c4 e2 60 f2 c1", "andn eax, ebx, ecx");
	check_text(M64, "c4 e2 e0 f2 c1", "andn rax, rbx, rcx");
	check_text(M32, "c4 e2 60 f2 c1", "andn eax, ebx, ecx");
	check_text(M32, "c4 e2 e0 f2 c1", "andn eax, ebx, ecx"); /* W is ignored there */
	check_result(M64, "66 c4 e2 60 f2 c1", DECODE_UD);
	check_result(M64, "f0 c4 e2 60 f2 01", DECODE_UD);
	check_result(M64, "48 c4 e2 60 f2 c1", DECODE_UD);
	check_result(M64, "c4 e0 60 f2 c1", DECODE_UD); /* map 0 */
	check_result(M64, "c4 e2 64 f2 c1", DECODE_UD); /* L must be 0 */
}

static void test_vex_shares_its_bytes_with_les_and_lds(void)
{
	check_text(M32, "c4 03", "les eax, fword ptr [ebx]");
	check_text(M32, "c5 03", "lds eax, fword ptr [ebx]");
	check_text(M16, "c4 07", "les ax, dword ptr [bx]");
	check_result(REAL, "c4 e2 60 f2 c1", DECODE_UD); /* mod 3: LES has no register form */
}

static void test_immediates(void)
{
	check_text(M64, "c8 10 00 01", "enter 0x10, 0x1");
	check_text(M64, "6a ff", "push -0x1");
	check_text(M64, "83 c0 f0", "add eax, -0x10");
	check_text(M32, "9a 78 56 34 12 08 00", "callf 0x8:0x12345678");
	check_text(M64, "a1 88 77 66 55 44 33 22 11", "mov eax, dword ptr ds:[0x1122334455667788]");
	check_text(M64, "67 a1 44 33 22 11", "mov eax, dword ptr ds:[0x11223344]");
	check_text(M64, "eb fe", "jmp 0x1000");
	check_text(M64, "e8 00 01 00 00", "call 0x1105");
	check_text(M16, "e8 00 f0", "call 0x3");
}

/* Control and debug register moves take any mod as a register. */
static void test_mov_cr_ignores_mod(void)
{
	check_text(M32, "0f 20 03", "mov ebx, cr0");
	check_text(M32, "0f 22 d8", "mov cr3, eax");
}

/* Of `size` bytes `first` are at hand at once, then `more` each time a byte is asked for. */
struct pieces {
	struct x86_reader r;
	const uint8_t *end;
	unsigned more;
};

static int pieces_next(struct x86_reader *r)
{
	struct pieces *p = container_of(r, struct pieces, r);

	if (r->at == p->end)
		return -1;
	r->end = MIN(r->at + 1 + p->more, p->end);
	return *r->at++;
}

static enum x86_decode decode_pieces(struct x86_insn *in, const struct x86_decode_mode *m,
				     const uint8_t *code, unsigned size, unsigned first,
				     unsigned more, unsigned *read)
{
	struct pieces p = { { pieces_next, code, code + first }, code + size, more };
	enum x86_decode result;

	memset(in, 0, sizeof(*in));
	result = x86_decode(in, m, &p.r);
	*read = (unsigned)(p.r.at - code);
	return result;
}

/* The same comes out, and the same is used up, however bytes are handed over. */
static void test_bytes_at_hand_make_no_difference(void)
{
	static const uint8_t starts[] = {
		0x0f, 0x66, 0xf2, 0xf3, 0xf0, 0xc4, 0xc5, 0x48, 0x67, 0x2e
	};

	for (unsigned i = 0; i < 200000; i++) {
		const struct x86_decode_mode m = { .code64 = i % 3 == 0,
						   .code32 = i % 3 == 1,
						   .features = UINT64_MAX };
		uint8_t code[64];
		unsigned size = i & 1 ? 64 : i / 2 % 18, prefixes = i % 7 ? i % 3 : i % 17, whole,
			 read;
		struct x86_insn a, b;
		enum x86_decode result;

		for (unsigned k = 0; k < sizeof(code); k++)
			code[k] = (uint8_t)g_test_rand_int();
		for (unsigned k = 0; k < prefixes; k++)
			code[k] = starts[code[k] % sizeof(starts)];
		result = decode_pieces(&a, &m, code, size, size, 0, &whole);
		g_assert_cmpint(decode_pieces(&b, &m, code, size, MIN(i % 5, size), i % 4, &read),
				==, result);
		if (result == DECODE_FETCH)
			continue;
		g_assert_cmpuint(whole, ==, a.len);
		g_assert_cmpuint(read, ==, a.len);
		g_assert_cmpuint(a.len, <=, X86_MAX_INSN);
		if (result == DECODE_OK)
			g_assert_cmpmem(&a, sizeof(a), &b, sizeof(b));
	}
}

int main(int argc, char **argv)
{
#define CASE(name) g_test_add_func("/decode/" #name, test_##name)
	g_test_init(&argc, &argv, NULL);
	CASE(operand_sizes_follow_mode_and_prefixes);
	CASE(rex_counts_only_as_the_last_prefix);
	CASE(addressing_16);
	CASE(addressing_32_and_64);
	CASE(default_segments);
	CASE(fifteen_bytes_at_most);
	CASE(missing_bytes_are_a_fetch_fault);
	CASE(lock_needs_a_memory_destination_that_allows_it);
	CASE(what_64_bit_mode_took_away);
	CASE(mandatory_prefixes_choose_the_row);
	CASE(features_not_announced_are_passed_over);
	CASE(vex);
	CASE(vex_shares_its_bytes_with_les_and_lds);
	CASE(immediates);
	CASE(mov_cr_ignores_mod);
	CASE(bytes_at_hand_make_no_difference);
	return g_test_run();
}
