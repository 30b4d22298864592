/* asm_test.c - the x86-64 encoder against an assembler's bytes, our own decoder, and the host.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/x86/decode.h"
#include "jit/x64/asm_flow.h"
#include "jit/x64/asm_vec.h"
#include "../../child.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { AH = X64_AH, CH = X64_CH, BH = X64_BH, NO_REG = X64_NO_REG };

#define RUN UINT64_C(0x7f0000001000)

struct code {
	struct x64_asm a;
	uint8_t bytes[512] __attribute__((aligned(8)));
};

static struct x64_asm *code_begin(struct code *c)
{
	memset(c->bytes, 0xcc, sizeof(c->bytes));
	x64_begin(&c->a, c->bytes, RUN, sizeof(c->bytes));
	return &c->a;
}

static char *code_hex(const struct code *c)
{
	GString *s = g_string_new(NULL);

	for (const uint8_t *p = c->a.start; p < c->a.at; p++)
		g_string_append_printf(s, s->len ? " %02x" : "%02x", *p);
	return g_string_free(s, FALSE);
}

static void check_hex(const struct code *c, const char *hex)
{
	g_autofree char *is = code_hex(c);

	g_assert_cmpstr(is, ==, hex);
}

/* ---- our decoder ---- */

struct reader {
	struct x86_reader r;
	const uint8_t *at, *end;
};

static int reader_next(struct x86_reader *r)
{
	struct reader *b = container_of(r, struct reader, r);

	return b->at < b->end ? *b->at++ : -1;
}

static void decode(struct x86_insn *in, const struct code *c, uint32_t from)
{
	const struct x86_decode_mode m = { .code64 = true, .features = UINT64_MAX };
	struct reader r = { .r.next = reader_next, .at = c->a.start + from, .end = c->a.at };

	g_assert_cmpint(x86_decode(in, &m, &r.r), ==, DECODE_OK);
}

static void check_one_insn(struct x86_insn *in, const struct code *c)
{
	decode(in, c, 0);
	g_assert_cmpuint(in->len, ==, x64_offset(&c->a));
}

/* ---- rows ---- */

static void check_row(const struct code *c, const char *text, const char *hex)
{
	g_autofree char *is = code_hex(c);

	if (strcmp(is, hex))
		g_test_message("%s: %s, should be %s", text, is, hex);
	g_assert_cmpstr(is, ==, hex);
	g_assert_false(c->a.is_full);
}

static void test_bytes_are_the_assemblers(void)
{
	struct code c;
	struct x64_asm *a;

#define ROW(text, hex, ...) \
	a = code_begin(&c); \
	__VA_ARGS__;        \
	check_row(&c, text, hex);
#include "rows.def"
#undef ROW
}

static void check_decoded(const struct code *c, const char *text)
{
	struct x86_insn in;
	char out[160];

	check_one_insn(&in, c);
	x86_disasm(&in, RUN, out, sizeof(out));
	g_assert_cmpstr(out, ==, text);
}

static void test_decoder_reads_what_was_meant(void)
{
	struct code c;
	struct x64_asm *a;

#define ROW(text, hex, ...) \
	a = code_begin(&c); \
	__VA_ARGS__;        \
	check_decoded(&c, text);
#include "rows.def"
#undef ROW
}

/* ---- every address, every register ---- */

static void check_address(unsigned base, unsigned index, unsigned shift, int32_t disp)
{
	struct x86_insn in;
	struct code c;
	bool is_base = base == NO_REG && index != NO_REG && !shift;

	code_begin(&c);
	x64_alu_i(&c.a, X64_ADD, 4, x64_mx(base, index, shift, disp), 0x11223344);
	check_one_insn(&in, &c);
	g_assert_cmpuint(in.base, ==, is_base ? index : base == NO_REG ? EA_NO_REG : base);
	g_assert_cmpuint(in.index, ==, is_base || index == NO_REG ? EA_NO_REG : index);
	if (in.index != EA_NO_REG)
		g_assert_cmpuint(in.scale, ==, shift);
	g_assert_cmpint(in.disp, ==, disp);
	g_assert_cmphex(in.imm, ==, 0x11223344);
}

static void test_every_address(void)
{
	static const int32_t disps[] = { 0, 1, -1, 127, 128, -128, -129, INT32_MAX, INT32_MIN };
	unsigned base, index;

	for (unsigned n = 0; n < 17 * 17 * 4; n++) {
		base = n % 17 < 16 ? n % 17 : NO_REG;
		index = n / 17 % 17 < 16 ? n / 17 % 17 : NO_REG;
		for (size_t d = 0; index != RSP && d < ARRAY_SIZE(disps); d++)
			check_address(base, index, n / 289, disps[d]);
	}
}

static void test_every_register(void)
{
	static const unsigned sizes[] = { 1, 2, 4, 8 };
	struct x86_insn in;
	struct code c;

	for (unsigned n = 0; n < 16 * 16 * 4; n++) {
		unsigned dst = n & 15, src = n >> 4 & 15, size = sizes[n >> 8];

		code_begin(&c);
		x64_alu(&c.a, X64_SUB, size, dst, x64_r(src));
		check_one_insn(&in, &c);
		g_assert_cmpstr(in.row->name, ==, "SUB");
		g_assert_cmpuint(in.reg, ==, dst);
		g_assert_cmpuint(in.rm, ==, src);
		g_assert_cmpuint(x86_operand_size(&in, 0), ==, size);
		/* SPL-DIL, not AH-BH */
		if (size == 1 && ((dst & 12) == 4 || (src & 12) == 4))
			g_assert_cmpuint(in.rex, !=, 0);

		code_begin(&c);
		x64_vec(&c.a, X64_VEX | X64_66 | X64_0F | 0xfe, dst, src, x64_r(dst ^ 9));
		check_one_insn(&in, &c);
		g_assert_cmpuint(in.reg, ==, dst);
		g_assert_cmpuint(in.vvvv, ==, src);
		g_assert_cmpuint(in.rm, ==, dst ^ 9);
	}
}

/* The form that a row of the decoder's tables describes, VEX.L and W as the row wants them. */
static uint32_t row_form(const struct x86_row *row)
{
	const bool is_vex = row->map >= MAP_VEX_0F;
	const unsigned map = is_vex ? row->map - MAP_VEX_0F + 1u : row->map;
	const unsigned prefix = row->allow & KEY_NP   ? 0
				: row->allow & KEY_66 ? 1
				: row->allow & KEY_F3 ? 2
						      : 3;

	return row->opcode | map * X64_0F | prefix * X64_66 | (is_vex ? X64_VEX : 0u) |
	       (row->allow & KEY_W0 ? 0u : X64_W) | (row->allow & KEY_L0 ? 0u : X64_L) |
	       (uint32_t)row->imm[0] << X64_IMM_SHIFT;
}

/* Emit row n with registers of these numbers, decode it again. */
static void check_vector_row(const struct x86_row *row, unsigned dst, unsigned src, unsigned rm,
			     bool is_mem)
{
	const unsigned digits = row->allow >> KEY_DIGIT_SHIFT & 0xff;
	struct x86_insn in;
	struct code c;

	if (!(row->allow & (is_mem ? KEY_MEM : KEY_REG)))
		return;
	if (digits != 0xff)
		dst = (unsigned)__builtin_ctz(digits);
	if (!(row->attrs & ROW_VVVV))
		src = 0;
	code_begin(&c);
	x64_emit(&c.a, row_form(row), dst, src, is_mem ? x64_m(rm, 0x40) : x64_r(rm), 0x10);
	check_one_insn(&in, &c);
	if (in.row != row)
		g_test_message("%s decoded as %s", row->name, in.row->name);
	g_assert_true(in.row == row);
	g_assert_cmpuint(in.reg, ==, dst);
	g_assert_cmpuint(is_mem ? in.base : in.rm, ==, rm);
	if (row->attrs & ROW_VVVV)
		g_assert_cmpuint(in.vvvv, ==, src);
	if (row->imm[0])
		g_assert_cmphex(in.imm & 0xff, ==, 0x10);
}

/* What guests' vector instructions are emitted from. */
static void test_every_vector_row(void)
{
	unsigned count = 0;

	for (unsigned i = 1; i < x86_row_count; i++) {
		const struct x86_row *row = &x86_rows[i];

		if (!row->vec || row->attrs & (ROW_X87 | ROW_X87_NOWAIT) || !row->map ||
		    strstr(row->name, "GATHER"))
			continue;
		check_vector_row(row, 3, 6, 5, false);
		check_vector_row(row, 3, 6, 5, true);
		check_vector_row(row, 11, 9, 13, false);
		check_vector_row(row, 11, 9, 12, true);
		count++;
	}
	g_assert_cmpuint(count, >, 500);
}

/* ---- the ways that know more ---- */

/* On [base + disp], with REX.W or not: the bytes of the way that knows nothing. */
static void check_short_ways(unsigned size, unsigned reg, unsigned base, int32_t disp)
{
	const struct x64_rm m = x64_m(base, disp);
	uint32_t wide = size == 8 ? X64_W : 0;
	struct code x, y;
	struct x64_asm *a = code_begin(&x), *b = code_begin(&y);

	x64_load(a, size, reg, base, disp);
	x64_store(a, size, base, disp, reg);
	x64_mov_i(a, size, m, disp);
	if (base & 8) {
		const struct x64_cell cell = x64_cell_of(m);

		x64_store_cell(a, size, &cell, reg);
		x64_store_cell_i(a, size, &cell, disp);
	}
	x64_emit_general(b, wide | 0x8b, reg, m, 0);
	x64_emit_general(b, wide | 0x89, reg, m, 0);
	x64_emit_general(b, wide | 0xc7 | X64_IMM32, 0, m, disp);
	if (base & 8) {
		x64_emit_general(b, wide | 0x89, reg, m, 0);
		x64_emit_general(b, wide | 0xc7 | X64_IMM32, 0, m, disp);
	}
	g_assert_cmpmem(x.bytes, x64_offset(a), y.bytes, x64_offset(b));
}

static void test_short_ways_write_the_same(void)
{
	static const int32_t disps[] = { 0, 1, -1, 127, -128, 128, -129, INT32_MAX, INT32_MIN };

	for (unsigned base = 0; base < 16; base++)
		for (unsigned reg = 0; reg < 16; reg++)
			for (unsigned k = 0; k < ARRAY_SIZE(disps); k++) {
				if ((base & 7) == X64_RSP)
					continue;
				check_short_ways(4, reg, base, disps[k]);
				check_short_ways(8, reg, base, disps[k]);
			}
}

static void test_constants_take_the_shortest_move(void)
{
	static const struct {
		uint64_t v;
		uint32_t len;
	} rows[] = {
		{ 0, 5 },
		{ UINT32_MAX, 5 },
		{ UINT64_MAX, 7 },
		{ UINT64_C(0xffffffff80000000), 7 },
		{ UINT64_C(0xffffffff7fffffff), 10 },
		{ BIT(32), 10 },
	};
	struct code c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		code_begin(&c);
		x64_mov_ri(&c.a, RAX, rows[i].v);
		g_assert_cmpuint(x64_offset(&c.a), ==, rows[i].len);
	}
}

/* ---- places ---- */

static void test_backward_branches_are_short_when_near(void)
{
	struct x64_label l = X64_LABEL;
	struct code c;

	code_begin(&c);
	x64_bind(&c.a, &l);
	x64_jmp(&c.a, &l);
	x64_jcc(&c.a, X64_CC_E, &l);
	x64_call(&c.a, &l);
	check_hex(&c, "eb fe 74 fc e8 f7 ff ff ff");
	x64_nop(&c.a, 126 - x64_offset(&c.a));
	x64_jmp(&c.a, &l);
	g_assert_cmpuint(x64_offset(&c.a), ==, 128);
	x64_jmp(&c.a, &l);
	g_assert_cmpuint(x64_offset(&c.a), ==, 133);
	x64_jcc(&c.a, X64_CC_NE, &l);
	g_assert_cmpuint(x64_offset(&c.a), ==, 139);
	g_assert_cmpuint(ld32_le(c.bytes + 129), ==, (uint32_t)-133);
	g_assert_cmpuint(ld32_le(c.bytes + 135), ==, (uint32_t)-139);
}

/* Those of stubs, whose labels are bound, as the general ones. */
static void test_branches_back_write_the_same(void)
{
	for (unsigned n = 0; n < 300; n++) {
		struct x64_label l = X64_LABEL, m = X64_LABEL;
		struct code x, y;
		struct x64_asm *a = code_begin(&x), *b = code_begin(&y);

		x64_bind(a, &l);
		x64_nop(a, n);
		x64_jmp_back(a, &l);
		x64_jcc_back(a, X64_CC_NE, &l);
		x64_bind(b, &m);
		x64_nop(b, n);
		x64_jmp(b, &m);
		x64_jcc(b, X64_CC_NE, &m);
		g_assert_cmpmem(x.bytes, x64_offset(a), y.bytes, x64_offset(b));
	}
}

static void test_forward_branches_are_filled_in(void)
{
	struct x64_label l = X64_LABEL;
	struct code c;

	code_begin(&c);
	x64_jmp(&c.a, &l);
	x64_jcc(&c.a, X64_CC_B, &l);
	x64_lea(&c.a, 8, RAX, x64_at_label(&l));
	x64_jmp_short(&c.a, &l);
	x64_jcc_short(&c.a, X64_CC_S, &l);
	x64_call(&c.a, &l);
	x64_bind(&c.a, &l);
	x64_mov(&c.a, 4, R9, x64_at_label(&l));
	check_hex(&c, "e9 16 00 00 00 0f 82 10 00 00 00 48 8d 05 09 00 00 00 eb 07 78 05 "
		      "e8 00 00 00 00 44 8b 0d f9 ff ff ff");
}

static void jump_128_bytes(void)
{
	struct x64_label l = X64_LABEL;
	struct code c;

	code_begin(&c);
	x64_jmp_short(&c.a, &l);
	x64_nop(&c.a, 128);
	x64_bind(&c.a, &l);
}

static void test_short_branches_reach_127_bytes(void)
{
	struct x64_label l = X64_LABEL;
	struct code c;
	int status;

	code_begin(&c);
	x64_jmp_short(&c.a, &l);
	x64_nop(&c.a, 127);
	x64_bind(&c.a, &l);
	g_assert_cmphex(c.bytes[1], ==, 0x7f);
	g_string_free(child_stderr(jump_128_bytes, 0, &status), TRUE);
	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_absolute_targets(void)
{
	struct code c;

	code_begin(&c);
	x64_jmp_at(&c.a, RUN + 0x1000);
	x64_jcc_at(&c.a, X64_CC_G, RUN);
	x64_call_at(&c.a, RUN - 0x1000);
	/* the immediate lies between the displacement and the end */
	x64_alu_i(&c.a, X64_CMP, 4, x64_at(RUN + 0x100), 0x1234);
	x64_test_i(&c.a, 1, x64_at(RUN + 0x100), 1);
	check_hex(&c, "e9 fb 0f 00 00 0f 8f f5 ff ff ff e8 f0 ef ff ff "
		      "81 3d e6 00 00 00 34 12 00 00 f6 05 df 00 00 00 01");
	g_assert_true(x64_reaches(RUN, RUN + 0x7fffff00));
	g_assert_false(x64_reaches(RUN, RUN + 0x80000000));
	g_assert_false(x64_reaches(RUN + 0x80000000, RUN));
}

static void test_patchable_displacements_are_aligned(void)
{
	struct code c, nops;
	uint32_t at, begin;

	for (unsigned before = 0; before < 16; before++) {
		code_begin(&c);
		x64_nop(&c.a, before);
		at = before % 3 == 0   ? x64_jmp_patchable(&c.a)
		     : before % 3 == 1 ? x64_call_patchable(&c.a)
				       : x64_jcc_patchable(&c.a, X64_CC_NE, RUN);
		g_assert_cmpuint(at & 3, ==, 0);
		g_assert_cmpuint(at + 4, ==, x64_offset(&c.a));
		begin = at - (before % 3 < 2 ? 1 : 2);
		code_begin(&nops);
		x64_nop(&nops.a, begin - before);
		g_assert_cmpmem(c.bytes + before, begin - before, nops.bytes, x64_offset(&nops.a));
		g_assert_cmpuint(ld32_le(c.bytes + at), ==, before % 3 < 2 ? 0 : 0 - (at + 4));
#ifdef __x86_64__ /* a misaligned store in one piece: other hosts have none */
		x64_patch(c.bytes + at, x64_runs_at(&c.a, c.bytes + at), RUN + 0x2000);
		g_assert_cmpuint(ld32_le(c.bytes + at), ==, 0x2000 - (at + 4));
#endif
	}
}

static void test_patchable_constants_are_aligned(void)
{
	struct x86_insn in;
	struct code c;
	uint32_t at;

	for (unsigned before = 0; before < 16; before++) {
		code_begin(&c);
		x64_nop(&c.a, before);
		at = x64_cmp_patchable(&c.a, x64_m(R14, -0x60), 0xfedcba98);
		g_assert_cmpuint(at & 3, ==, 0);
		g_assert_cmpuint(at + 4, ==, x64_offset(&c.a));
		g_assert_cmpuint(at, <, before + 8 + 4);
		x64_patch_imm(c.bytes + at, 0x12345678);
		decode(&in, &c, at - 4);
		g_assert_cmpstr(in.row->name, ==, "CMP");
		g_assert_cmpuint(in.base, ==, R14);
		g_assert_cmphex(in.imm, ==, 0x12345678);
	}
}

static void test_nops_and_alignment(void)
{
	struct x86_insn in;
	struct code c;

	for (unsigned n = 1; n <= 9; n++) {
		code_begin(&c);
		x64_nop(&c.a, n);
		check_one_insn(&in, &c);
		g_assert_cmpstr(in.row->name, ==, "NOP");
		g_assert_cmpuint(in.len, ==, n);
	}
	code_begin(&c);
	x64_nop(&c.a, 100);
	for (uint32_t at = 0; at < 100; at += in.len)
		decode(&in, &c, at);
	x64_align(&c.a, 64);
	g_assert_cmpuint(x64_offset(&c.a), ==, 128);
	x64_align(&c.a, 64);
	g_assert_cmpuint(x64_offset(&c.a), ==, 128);
}

static void test_a_full_buffer_stays_as_it_is(void)
{
	struct x64_label l = X64_LABEL;
	uint8_t bytes[64];
	struct x64_asm a;

	memset(bytes, 0xcc, sizeof(bytes));
	x64_begin(&a, bytes, RUN, 40);
	for (unsigned i = 0; i < 100; i++) {
		x64_jmp(&a, &l);
		x64_jcc_short(&a, X64_CC_E, &l);
		x64_mov_ri(&a, RAX, BIT(40));
		x64_jmp_patchable(&a);
		x64_cmp_patchable(&a, x64_m(R14, 8), 1);
		x64_nop(&a, 1);
	}
	x64_bind(&a, &l);
	g_assert_true(a.is_full);
	g_assert_cmpuint(x64_offset(&a), <=, 40);
	for (unsigned i = 40; i < sizeof(bytes); i++)
		g_assert_cmphex(bytes[i], ==, 0xcc);
}

/* ---- run on the host ---- */

#ifdef __x86_64__
struct host_code {
	struct x64_asm a;
	void *map;
};

static bool host_begin(struct host_code *h)
{
	h->map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g_assert_true(h->map != MAP_FAILED);
	x64_begin(&h->a, h->map, (uintptr_t)h->map, 4096);
	return true;
}

static uint64_t host_run(struct host_code *h, uint64_t x, uint64_t y)
{
	uint64_t (*fn)(uint64_t, uint64_t);
	uint64_t r = 0;

	g_assert_false(h->a.is_full);
	if (mprotect(h->map, 4096, PROT_READ | PROT_EXEC)) {
		g_test_skip("this host maps nothing executable");
	} else {
		memcpy(&fn, &h->map, sizeof(fn));
		r = fn(x, y);
	}
	munmap(h->map, 4096);
	return r;
}

static void test_host_counts_in_a_loop(void)
{
	struct x64_label loop = X64_LABEL, out = X64_LABEL;
	struct host_code h;

	host_begin(&h); /* sum of x, x-1 ... 1, plus y */
	x64_mov_rr(&h.a, 8, RAX, RSI);
	x64_bind(&h.a, &loop);
	x64_test(&h.a, 8, x64_r(RDI), RDI);
	x64_jcc(&h.a, X64_CC_E, &out);
	x64_alu(&h.a, X64_ADD, 8, RAX, x64_r(RDI));
	x64_dec(&h.a, 8, x64_r(RDI));
	x64_jmp(&h.a, &loop);
	x64_bind(&h.a, &out);
	x64_ret(&h.a);
	g_assert_cmpuint(host_run(&h, 100, 7), ==, 5057);
}

static void test_host_calls_and_finds_data(void)
{
	struct x64_label f = X64_LABEL, data = X64_LABEL, table = X64_LABEL;
	struct host_code h;

	host_begin(&h); /* ((x * y) ^ constant) rotated by 8, by a function found in a table */
	x64_lea(&h.a, 8, RCX, x64_at_label(&table));
	x64_call_rm(&h.a, x64_mx(RCX, RSI, 3, -8));
	x64_ret(&h.a);
	x64_bind(&h.a, &f);
	x64_push(&h.a, R12);
	x64_mov_rr(&h.a, 8, R12, RDI);
	x64_imul(&h.a, 8, R12, x64_r(RSI));
	x64_alu(&h.a, X64_XOR, 8, R12, x64_at_label(&data));
	x64_shift_i(&h.a, X64_ROL, 8, x64_r(R12), 8);
	x64_mov_rr(&h.a, 8, RAX, R12);
	x64_pop(&h.a, R12);
	x64_ret(&h.a);
	x64_align(&h.a, 8);
	x64_bind(&h.a, &data);
	x64_emit_bytes(&h.a, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	x64_bind(&h.a, &table);
	x64_emit_bytes(&h.a, &(uint64_t){ (uintptr_t)h.map + f.at }, 8);
	g_assert_cmphex(host_run(&h, 1, 1), ==, UINT64_C(0x7766554433221088));
}

static void test_host_keeps_flags_over_constants(void)
{
	struct host_code h;

	host_begin(&h); /* x < y ? 2^40 : 0 */
	x64_alu_rr(&h.a, X64_CMP, 8, RDI, RSI);
	x64_mov_ri(&h.a, RAX, 0);
	x64_mov_ri(&h.a, RCX, BIT(40));
	x64_lahf(&h.a);
	x64_alu_i(&h.a, X64_OR, 4, x64_r(RDX), -1);
	x64_sahf(&h.a);
	x64_movzx(&h.a, 1, RAX, x64_r(RAX));
	x64_cmov(&h.a, X64_CC_B, 8, RAX, x64_r(RCX));
	x64_ret(&h.a);
	g_assert_cmphex(host_run(&h, 3, 4), ==, BIT(40));
}

static void test_host_swaps_in_memory(void)
{
	uint64_t cell = 41;
	struct host_code h;

	host_begin(&h);
	x64_mov_ri(&h.a, RAX, 41);
	x64_lock(&h.a);
	x64_cmpxchg(&h.a, 8, x64_m(RDI, 0), RSI);
	x64_mov_ri(&h.a, RAX, 1);
	x64_lock(&h.a);
	x64_xadd(&h.a, 8, x64_m(RDI, 0), RAX);
	x64_xchg(&h.a, 1, x64_m(RDI, 1), RAX);
	x64_bswap(&h.a, 8, RAX);
	x64_ret(&h.a);
	/* cell: 0x1234 + 1, then its byte 1 is exchanged with AL = 0x34 */
	g_assert_cmphex(host_run(&h, (uintptr_t)&cell, 0x1234), ==, UINT64_C(0x1212000000000000));
	g_assert_cmphex(cell, ==, 0x3435);
}

static void test_host_divides_and_shifts(void)
{
	struct host_code h;

	host_begin(&h); /* (x / y) << (x % y), with both kinds of shift */
	x64_mov_rr(&h.a, 8, RAX, RDI);
	x64_cwd(&h.a, 8);
	x64_unary(&h.a, X64_IDIV, 8, x64_r(RSI));
	x64_mov_rr(&h.a, 8, RCX, RDX);
	if (__builtin_cpu_supports("bmi2"))
		x64_bmi_rmv(&h.a, X64_SHLX, 8, RAX, x64_r(RAX), RCX);
	else
		x64_shift_cl(&h.a, X64_SHL, 8, x64_r(RAX));
	x64_ret(&h.a);
	/* 14 << (-2 & 63) */
	g_assert_cmphex(host_run(&h, (uint64_t)-100, (uint64_t)-7), ==, BIT(63));
}

static void test_host_adds_vectors(void)
{
	uint64_t in[2] = { 1, 2 }, out[2] = { 0 };
	struct host_code h;

	host_begin(&h);
	x64_vec(&h.a, X64_MOVDQU, 9, 0, x64_m(RDI, 0));
	x64_vec(&h.a, X64_66 | X64_0F | 0xd4, 9, 0, x64_r(9)); /* PADDQ */
	x64_movaps_rr(&h.a, 2, 9);
	x64_vec(&h.a, X64_MOVUPS | X64_TO_MEM, 2, 0, x64_m(RSI, 0));
	x64_movd_to(&h.a, 8, x64_r(RAX), 9);
	x64_ret(&h.a);
	g_assert_cmpuint(host_run(&h, (uintptr_t)in, (uintptr_t)out), ==, 2);
	g_assert_cmpuint(out[0], ==, 2);
	g_assert_cmpuint(out[1], ==, 4);
}
#endif

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jit/x64/asm/bytes", test_bytes_are_the_assemblers);
	g_test_add_func("/jit/x64/asm/decoder", test_decoder_reads_what_was_meant);
	g_test_add_func("/jit/x64/asm/addresses", test_every_address);
	g_test_add_func("/jit/x64/asm/registers", test_every_register);
	g_test_add_func("/jit/x64/asm/vectors", test_every_vector_row);
	g_test_add_func("/jit/x64/asm/short_ways", test_short_ways_write_the_same);
	g_test_add_func("/jit/x64/asm/constants", test_constants_take_the_shortest_move);
	g_test_add_func("/jit/x64/asm/backward", test_backward_branches_are_short_when_near);
	g_test_add_func("/jit/x64/asm/back", test_branches_back_write_the_same);
	g_test_add_func("/jit/x64/asm/forward", test_forward_branches_are_filled_in);
	g_test_add_func("/jit/x64/asm/short", test_short_branches_reach_127_bytes);
	g_test_add_func("/jit/x64/asm/absolute", test_absolute_targets);
	g_test_add_func("/jit/x64/asm/patchable", test_patchable_displacements_are_aligned);
	g_test_add_func("/jit/x64/asm/patchable_constants", test_patchable_constants_are_aligned);
	g_test_add_func("/jit/x64/asm/nops", test_nops_and_alignment);
	g_test_add_func("/jit/x64/asm/full", test_a_full_buffer_stays_as_it_is);
#ifdef __x86_64__
	g_test_add_func("/jit/x64/asm/host/loop", test_host_counts_in_a_loop);
	g_test_add_func("/jit/x64/asm/host/calls", test_host_calls_and_finds_data);
	g_test_add_func("/jit/x64/asm/host/flags", test_host_keeps_flags_over_constants);
	g_test_add_func("/jit/x64/asm/host/swap", test_host_swaps_in_memory);
	g_test_add_func("/jit/x64/asm/host/divide", test_host_divides_and_shifts);
	g_test_add_func("/jit/x64/asm/host/vectors", test_host_adds_vectors);
#endif
	return g_test_run();
}
