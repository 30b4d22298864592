/* translate_test.c - the translation driver: where blocks end, what cannot be fetched, and that no
 * bytes whatever make IR that breaks the rules.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/decode.h"
#include "arch/x86/sys.h"
#include "base/err.h"

enum { CODE = 0x10000, PAGE = 4096, PAGES = 2 };

struct fixture {
	struct x86_cpu *c;
	struct vcpu v;
	struct ir_builder *b;
	struct x86_fetch f;
	uint8_t code[PAGES * PAGE];
	gva_t end; /* fetching at or above it faults */
};

static struct fixture *fixture_of(struct x86_fetch *f)
{
	return container_of(f, struct fixture, f);
}

static unsigned fetch_bytes(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len)
{
	struct fixture *x = fixture_of(f);

	g_assert_cmpuint((addr & (PAGE - 1)) + len, <=, PAGE);
	if (addr < CODE || addr >= x->end) {
		x86_raise_page_fault(x->c, addr, 0);
		return 0;
	}
	memcpy(out, x->code + (addr - CODE), len);
	return len;
}

static struct x86_seg flat(unsigned more)
{
	return (struct x86_seg){
		.attr = (uint16_t)(SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW | more),
		.limit = UINT32_MAX,
	};
}

enum { REAL16, PROT32, LONG64 };

static void set_mode(struct fixture *x, unsigned mode)
{
	struct x86_cpu *c = x->c;

	c->cr0 = mode == REAL16 ? 0 : CR0_PE;
	c->efer = mode == LONG64 ? EFER_LMA : 0;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		c->seg[i] = flat(mode == REAL16 ? 0 : SEG_ATTR_DB);
	c->seg[SEG_CS] = flat(SEG_ATTR_CODE | (mode == LONG64   ? SEG_ATTR_L
					       : mode == PROT32 ? SEG_ATTR_DB
								: 0));
	c->cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	c->xcr0 = 7;
	x86_mode_update(c);
	c->env.pc = CODE;
}

static void setup(struct fixture *x, const void *unused)
{
	struct err err = { 0 };
	char *warnings;

	(void)unused;
	memset(x, 0, sizeof(*x));
	x->c = aligned_alloc(64, align_up(sizeof(*x->c), 64));
	memset(x->c, 0, sizeof(*x->c));
	x->c->vcpu = &x->v;
	x->v.cpu = x->c;
	g_assert_true(x86_cpuid_init(x->c, "max", &warnings, &err));
	g_free(warnings);
	x->b = ir_builder_new(&x86_state_desc);
	x->f.bytes = fetch_bytes;
	x->end = CODE + PAGES * PAGE;
	memset(x->code, 0x90, sizeof(x->code));
	set_mode(x, LONG64);
}

static void teardown(struct fixture *x, const void *unused)
{
	(void)unused;
	ir_builder_free(x->b);
	g_free(x->c->feat);
	free(x->c);
}

static const struct ir_block *translate(struct fixture *x, unsigned max_insns, uint32_t *len)
{
	const struct ir_block *ir;
	char error[128];

	x->c->env.fault = 0;
	ir_begin(x->b, x->c->env.mode, x->c->env.mode & MODE_CODE64 ? 3 : 2);
	if (!x86_translate(x->c, x->b, &x->f, max_insns, len))
		return NULL;
	ir = ir_end(x->b);
	if (!ir_verify(ir, error, sizeof(error))) {
		ir_print(ir, &x86_state_desc, stderr);
		g_error("%s", error);
	}
	return ir;
}

static void test_block_ends_at_a_branch(struct fixture *x, const void *unused)
{
	uint32_t len;

	(void)unused;
	x->code[2] = 0xeb; /* jmp short */
	x->code[3] = 0x10;
	g_assert_cmpuint(translate(x, 64, &len)->insn_count, ==, 3);
	g_assert_cmpuint(len, ==, 4);
}

/* jz at 2 over disp: how many instructions has a block of 32? */
static unsigned insns_with_jz(struct fixture *x, int32_t disp)
{
	uint32_t len;

	x->code[2] = 0x0f;
	x->code[3] = 0x84;
	memcpy(x->code + 4, &disp, sizeof(disp));
	return translate(x, 32, &len)->insn_count;
}

static void test_block_goes_on_behind_a_branch_not_taken(struct fixture *x, const void *unused)
{
	(void)unused;
	g_assert_cmpuint(insns_with_jz(x, 0x100), ==, 32);
	/* back to another page: no loop, as a rule */
	g_assert_cmpuint(insns_with_jz(x, -9), ==, 32);
	set_mode(x, PROT32);
	g_assert_cmpuint(insns_with_jz(x, 0x100), ==, 32);
	/* a step is one instruction all the same */
	x->c->rflags |= FL_TF;
	x86_mode_update(x->c);
	g_assert_cmpuint(insns_with_jz(x, 0x100), ==, 1);
}

static void test_block_ends_where_paths_meet(struct fixture *x, const void *unused)
{
	uint32_t len;

	(void)unused;
	g_assert_cmpuint(insns_with_jz(x, 0), ==, 3);
	g_assert_cmpuint(insns_with_jz(x, 4), ==, 3 + 4);
	/* of two branches the one that leads less far */
	x->code[8] = 0x74; /* jz short */
	x->code[9] = 1;
	g_assert_cmpuint(translate(x, 32, &len)->insn_count, ==, 3 + 2);
	/* into the middle of an instruction: nothing meets there */
	x->code[8] = 0xb8; /* mov $imm32 */
	g_assert_cmpuint(translate(x, 32, &len)->insn_count, ==, 32);
}

static void test_block_ends_behind_a_loop(struct fixture *x, const void *unused)
{
	const struct ir_block *ir;
	uint32_t len;

	(void)unused;
	g_assert_cmpuint(insns_with_jz(x, -6), ==, 3); /* to itself */
	g_assert_cmpuint(insns_with_jz(x, -8), ==, 3); /* to the block's start */
	/* to before the block, in its page */
	x->c->env.pc = CODE + 1;
	g_assert_cmpuint(insns_with_jz(x, -8), ==, 2);
	x->c->env.pc = CODE;
	memset(x->code, 0x90, 16);
	x->code[3] = 0xe2; /* loop */
	x->code[4] = 0xfb;
	ir = translate(x, 32, &len);
	g_assert_cmpuint(ir->insn_count, ==, 4);
	g_assert_cmpuint(ir->ops[ir->op_count - 1].code, ==, IR_EXIT);
	g_assert_cmpuint(ir->ops[ir->op_count - 1].imm, ==, 5);
}

static void test_block_ends_at_the_limit_of_instructions(struct fixture *x, const void *unused)
{
	uint32_t len;

	(void)unused;
	g_assert_cmpuint(translate(x, 5, &len)->insn_count, ==, 5);
	g_assert_cmpuint(len, ==, 5);
}

static void test_stepping_takes_one_instruction(struct fixture *x, const void *unused)
{
	uint32_t len;

	(void)unused;
	x->c->rflags |= FL_TF;
	x86_mode_update(x->c);
	g_assert_cmpuint(translate(x, 64, &len)->insn_count, ==, 1);
}

static void test_block_ends_before_an_instruction_that_crosses_the_page(struct fixture *x,
									const void *unused)
{
	uint32_t len;

	(void)unused;
	x->code[PAGE - 2] = 0xb8; /* mov eax, imm32: its last three bytes are on the next page */
	x->c->env.pc = CODE + PAGE - 4;
	g_assert_cmpuint(translate(x, 64, &len)->insn_count, ==, 2);
	g_assert_cmpuint(len, ==, 2);
	/* as a block's first instruction it is taken, alone */
	x->c->env.pc = CODE + PAGE - 2;
	g_assert_cmpuint(translate(x, 64, &len)->insn_count, ==, 1);
	g_assert_cmpuint(len, ==, 5);
}

static void test_second_page_faults_only_when_it_is_needed(struct fixture *x, const void *unused)
{
	uint32_t len;

	(void)unused;
	x->end = CODE + PAGE;
	x->code[PAGE - 2] = 0xb8;
	x->c->env.pc = CODE + PAGE - 4;
	g_assert_nonnull(translate(x, 64, &len));
	g_assert_cmpuint(x->c->env.fault, ==, 0);
	x->c->env.pc = CODE + PAGE - 2;
	g_assert_null(translate(x, 64, &len));
	g_assert_cmpuint(x->c->exc.vector, ==, EXC_PF);
	g_assert_cmphex(x->c->cr2, ==, CODE + PAGE);
	/* #UD is seen before the page is */
	x->code[PAGE - 1] = 0x06;
	x->c->env.pc = CODE + PAGE - 1;
	g_assert_nonnull(translate(x, 64, &len));
}

static void test_code_beyond_the_segment_limit_is_gp(struct fixture *x, const void *unused)
{
	uint32_t len;

	(void)unused;
	set_mode(x, PROT32);
	x->c->seg[SEG_CS].limit = CODE + 9;
	x86_mode_update(x->c);
	g_assert_cmpuint(translate(x, 64, &len)->insn_count, ==, 10);
	x->c->env.pc = CODE + 10;
	g_assert_null(translate(x, 64, &len));
	g_assert_cmpuint(x->c->exc.vector, ==, EXC_GP);
	g_assert_cmpuint(x->c->exc.error, ==, 0);
}

/* Any bytes in any mode: a block of verified IR or a recorded fault, never anything else. */
static void test_random_bytes_make_valid_ir(struct fixture *x, const void *unused)
{
	static const uint8_t starts[] = {
		0x0f, 0x66, 0xf2, 0xf3, 0xf0, 0xc4, 0xc5, 0x48, 0x67, 0xd8
	};
	GRand *r = g_rand_new_with_seed(7);

	(void)unused;
	for (unsigned i = 0; i < 30000; i++) {
		uint32_t len = 0;

		set_mode(x, i % 3);
		if (i & 8) { /* real addresses, limits and privileges to check */
			x->c->seg[SEG_DS].limit = x->c->seg[SEG_SS].limit = 0xffff;
			x->c->seg[SEG_CS].limit = CODE + 200;
			x->c->seg[SEG_SS].attr |= i & 16 ? 3u << SEG_ATTR_DPL_SHIFT : 0;
			x86_mode_update(x->c);
		}
		for (unsigned k = 0; k < 32; k++)
			x->code[k] = (uint8_t)g_rand_int(r);
		if (i & 1)
			x->code[0] = starts[g_rand_int_range(r, 0, ARRAY_SIZE(starts))];
		if (translate(x, 1 + i % 9, &len))
			g_assert_cmpuint(len, <=, 9 * X86_MAX_INSN + X86_MAX_INSN);
		else
			g_assert_cmpuint(x->c->env.fault, !=, 0);
	}
	g_rand_free(r);
}

int main(int argc, char **argv)
{
#define CASE(name) \
	g_test_add("/translate/" #name, struct fixture, NULL, setup, test_##name, teardown)
	g_test_init(&argc, &argv, NULL);
	CASE(block_ends_at_a_branch);
	CASE(block_goes_on_behind_a_branch_not_taken);
	CASE(block_ends_where_paths_meet);
	CASE(block_ends_behind_a_loop);
	CASE(block_ends_at_the_limit_of_instructions);
	CASE(stepping_takes_one_instruction);
	CASE(block_ends_before_an_instruction_that_crosses_the_page);
	CASE(second_page_faults_only_when_it_is_needed);
	CASE(code_beyond_the_segment_limit_is_gp);
	CASE(random_bytes_make_valid_ir);
	return g_test_run();
}
