/* tests/unit/arch/vec_rule_test.c - vector rows as the host's own instructions: what the back end
 * emits for a row is, taken apart again, that row with the same registers and immediate.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "arch/x86/isa_gen.h"
#include "arch/x86/tr.h"
#include "arch/x86/x86_arch.h"
#include "arch/x86/x86.h"

#define PLACE_NONE LOWER_PLACE_NONE /* decode.h has one of that name */
#include "jit/x64/lower.h"
#undef PLACE_NONE

enum { REG = 9, VVVV = 10, RM = 14, IMM = 0x5a, GPR = X64_RBX };

struct bytes {
	struct x86_reader reader;
	const uint8_t *at, *end;
};

static int bytes_next(struct x86_reader *r)
{
	struct bytes *b = container_of(r, struct bytes, reader);

	return b->at < b->end ? *b->at++ : -1;
}

static bool decode(struct x86_insn *in, const uint8_t *code, size_t len)
{
	static const struct x86_decode_mode mode = { .code64 = true, .features = ~UINT64_C(0) };
	struct bytes b = { .reader.next = bytes_next, .at = code, .end = code + len };

	return x86_decode(in, &mode, &b.reader) == DECODE_OK && b.at == b.end;
}

/* ---- an encoding of the row ---- */

static uint8_t *put_modrm(const struct x86_row *row, uint8_t *p, bool is_mem)
{
	unsigned digits = row->allow >> KEY_DIGIT_SHIFT & 0xff;
	unsigned reg = digits == 0xff ? REG & 7 : (unsigned)__builtin_ctz(digits);

	*p++ = (uint8_t)((is_mem ? 0 : 0xc0) | reg << 3 | (is_mem ? 3 : RM & 7));
	if (row->imm[0])
		*p++ = IMM;
	return p;
}

static size_t encode(const struct x86_row *row, bool is_mem, uint8_t *p)
{
	static const uint8_t maps[MAP_COUNT] = { 0, 1, 2, 3, 1, 2, 3 };
	static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned prefix = row->allow & KEY_NP   ? 0
			  : row->allow & KEY_66 ? 1
			  : row->allow & KEY_F3 ? 2
						: 3;
	bool has_digit = (row->allow >> KEY_DIGIT_SHIFT & 0xff) != 0xff, w = !(row->allow & KEY_W0);
	uint8_t *start = p, r = has_digit ? 0 : 4, b = is_mem ? 0 : 1;

	if (row->attrs & ROW_VEX) {
		unsigned vvvv = row->attrs & ROW_VVVV ? VVVV : 0;

		*p++ = 0xc4;
		*p++ = (uint8_t)(((r | b) ^ 7) << 5 | maps[row->map]);
		*p++ = (uint8_t)(w << 7 | (~vvvv & 15) << 3 | !(row->allow & KEY_L0) << 2 | prefix);
	} else {
		if (prefix)
			*p++ = prefixes[prefix];
		*p++ = (uint8_t)(0x40 | w << 3 | r | b);
		*p++ = 0x0f;
		if (maps[row->map] > 1)
			*p++ = maps[row->map] == 2 ? 0x38 : 0x3a;
	}
	*p++ = row->opcode;
	return (size_t)(put_modrm(row, p, is_mem) - start);
}

/* ---- through translator and back end ---- */

static struct x64_jit jit;
static struct x64_compiler *compiler;
static struct ir_builder *builder;

/* The NATIVE of the instruction alone: bytes that the back end emits for it, 0: it does not. */
static size_t emit(struct x86_insn *in, uint8_t *out, size_t room)
{
	struct x86_tr t = {
		.b = builder,
		.mode = MODE_CODE64 | MODE_PE | MODE_LMA | MODE_FLAT_DATA | MODE_FLAT_CODE |
			MODE_SSE | MODE_AVX,
		.in = *in,
		.next = in->len,
	};
	struct x64_compiler *c = compiler;
	struct ir_block ir;
	unsigned i = 1;

	ir_begin(builder, t.mode, 3);
	ir_insn_begin(builder, 0);
	in->row->tr(&t);
	ir_insn_end(builder, in->len);
	ir_exit(builder, in->len);
	ir = *ir_end(builder);
	while (i < ir.op_count && ir.ops[i].code != IR_NATIVE)
		i++;
	g_assert_cmpuint(i, <, ir.op_count);
	ir.op_count = (uint16_t)(i + 1); /* what stores the result is another's business */
	memset(c, 0, sizeof(*c));
	c->jit = &jit;
	c->ir = &ir;
	c->ops = ir.ops;
	c->pos = i;
	c->vec.has_vectors = true;
	c->vec.folded = (uint16_t)i;
	if (ir.ops[i].a)
		c->value[ir.ops[i].a].at = (struct place){ .kind = PLACE_REG,
							   .reg = GPR,
							   .valid = 8 };
	x64_begin(&c->a, out, (uintptr_t)out, room);
	return vec_native(c, i) ? x64_offset(&c->a) : 0;
}

/* What lies in the state is fetched before and stored behind: leave only the instruction. */
static size_t strip_moves(const uint8_t **code, size_t len)
{
	const uint8_t *p = *code, *end = p + len;
	struct x86_insn in;

	for (size_t n = 1; p + n <= end; n++) {
		if (!decode(&in, p, n))
			continue;
		if (in.is_vex && (in.opcode & 0xfe) == 0x10 && in.mod < 3 && in.base == P &&
		    in.reg >= 14 && p + n < end) {
			p += n;
			n = 0;
			continue;
		}
		*code = p;
		return n;
	}
	return 0;
}

static bool is_hosted(const struct x86_row *row)
{
	for (unsigned n = 0; n < 4; n++) {
		unsigned place = row->ops[n].place;

		if (place == PLACE_P || place == PLACE_Q || place == PLACE_N)
			return false;
	}
	return !(row->opcode >= 0x52 && row->opcode <= 0x53 &&
		 (row->map == MAP_0F || row->map == MAP_VEX_0F));
}

/* One that is read comes as a value, whatever it was. */
static bool has_general(const struct x86_row *row)
{
	for (unsigned n = 0; n < 4; n++) {
		unsigned place = row->ops[n].place;

		if (place == PLACE_E || place == PLACE_R)
			return true;
	}
	return false;
}

static void check(const struct x86_row *row, bool is_mem)
{
	uint8_t code[16], out[128];
	const uint8_t *p = out;
	struct x86_insn in, back;
	size_t len = encode(row, is_mem, code), n;
	bool has_vvvv = row->attrs & ROW_VVVV;

	if (!decode(&in, code, len) || in.row != row)
		return; /* this form is another row's */
	n = emit(&in, out, sizeof(out));
	if (!is_hosted(row)) {
		g_assert_cmpuint(n, ==, 0);
		return;
	}
	n = n ? strip_moves(&p, n) : 0;
	if (!n || !decode(&back, p, n))
		g_error("%s: not emitted, or not decoded", row->name);
	if (back.row != row || back.vlen != in.vlen || (has_vvvv && back.vvvv != in.vvvv) ||
	    (row->imm[0] && (uint8_t)back.imm != IMM) ||
	    ((back.mod < 3) != is_mem && !has_general(row)))
		g_error("%s became %s", row->name, back.row->name);
	for (unsigned k = 0; k < 4; k++)
		switch (row->ops[k].place) {
		case PLACE_V: g_assert_cmpuint(back.reg, ==, REG); break;
		case PLACE_U:
		case PLACE_W: g_assert_true(is_mem || back.rm == RM); break;
		default: break;
		}
}

static void test_rows_are_emitted_as_themselves(void)
{
	unsigned seen = 0;

	for (unsigned i = 1; i < x86_row_count; i++) {
		const struct x86_row *row = &x86_rows[i];

		if (row->tr != tr_vec || row->attrs & ROW_NO_NM)
			continue;
		check(row, false);
		check(row, true);
		seen++;
	}
	g_assert_cmpuint(seen, >, 500);
}

static void test_rows_whose_feature_is_missing_are_left_to_their_function(void)
{
	static const uint8_t code[] = { 0xc4, 0xe2, 0x69, 0x98, 0xcb }; /* vfmadd132ps */
	struct x86_insn in;
	uint8_t out[64];

	g_assert_true(decode(&in, code, sizeof(code)));
	g_assert_cmpuint(emit(&in, out, sizeof(out)), !=, 0);
	jit.host_needs = 1;
	g_assert_cmpuint(emit(&in, out, sizeof(out)), ==, 0);
	jit.host_needs = 0xff;
}

static void test_dot_products_are_left_to_c_where_the_host_chooses_other_nans(void)
{
	static const uint8_t codes[][6] = {
		{ 0x66, 0x0f, 0x3a, 0x40, 0xcb, 0xff }, /* dpps xmm1, xmm3, 255 */
		{ 0x66, 0x0f, 0x3a, 0x41, 0xcb, 0x33 }, /* dppd */
		{ 0xc4, 0xe3, 0x69, 0x40, 0xcb, 0xff }, /* vdpps xmm1, xmm2, xmm3, 255 */
		{ 0xc4, 0xe3, 0x6d, 0x40, 0xcb, 0xff }, /* the same of ymm */
		{ 0xc4, 0xe3, 0x69, 0x41, 0xcb, 0x33 }, /* vdppd */
	};
	struct x86_insn in;
	uint8_t out[64];

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		g_assert_true(decode(&in, codes[i], sizeof(codes[i])));
		g_assert_cmpuint(emit(&in, out, sizeof(out)), !=, 0);
		jit.host_needs = 0xff & ~(1u << RULE_NEEDS_DOT_ORDER);
		g_assert_cmpuint(emit(&in, out, sizeof(out)), ==, 0);
		jit.host_needs = 0xff;
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	builder = ir_builder_new(&x86_state_desc);
	compiler = g_new0(struct x64_compiler, 1);
	jit.desc = &x86_state_desc;
	jit.host_needs = 0xff;
	jit.first_gpr = jit.anchor = offsetof(struct x86_cpu, gpr);
	for (unsigned n = 0; n < 16; n++)
		jit.reg_of[n] = (uint8_t)n;
	g_test_add_func("/vec_rule/rows", test_rows_are_emitted_as_themselves);
	g_test_add_func("/vec_rule/feature",
			test_rows_whose_feature_is_missing_are_left_to_their_function);
	g_test_add_func("/vec_rule/dot",
			test_dot_products_are_left_to_c_where_the_host_chooses_other_nans);
	return g_test_run();
}
