/* x87_test.c - the x87 FPU: what the manual says everywhere, and every encoding against the host's
 * FPU where the host is an x86-64.
 * SPDX-License-Identifier: MIT */
#include "x87_fixture.h"

#define TOP_BIT (UINT64_C(1) << 63)

static void fpu_init(void)
{
	rig_mode64();
	x86_fpu_init(rig.c);
	memset(rig.data, 0, sizeof(rig.data));
	rig.c->gpr[RSI] = DATA_ADDR;
}

#ifdef __x86_64__
#include "x87_host.h"

/* The row that decodes insn, or NULL. */
struct bytes_reader {
	struct x86_reader r;
	const uint8_t *p;
};

static int bytes_next(struct x86_reader *r)
{
	return *container_of(r, struct bytes_reader, r)->p++;
}

static const struct x86_row *row_of(const uint8_t *code)
{
	const struct x86_decode_mode m = { .code64 = true, .features = UINT64_MAX };
	struct bytes_reader r = { .r.next = bytes_next, .p = code };
	struct x86_insn in;

	return x86_decode(&in, &m, &r.r) == DECODE_OK ? in.row : NULL;
}

static void compare_encoding(struct tally *t, const uint8_t *code, unsigned len)
{
	uint8_t insn[16] = { 0 };
	const struct x86_row *row;
	struct interp_block block;

	memcpy(insn, code, len);
	row = row_of(insn);
	host_assemble(insn, len);
	if (!row) {
		struct host_case h;

		random_case(&h, false);
		if (host_run(&h)) {
			fprintf(stderr, "# %02x %02x exists\n", insn[0], insn[1]);
			t->wrong++;
		}
		return;
	}
	t->encodings++;
	fpu_init();
	rig_translate(&block, insn, len);
	host_compare(t, insn, row, &block);
	interp_block_fini(&block);
}

#define COMPARE(t, ...)                                       \
	compare_encoding(t, (const uint8_t[]){ __VA_ARGS__ }, \
			 sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_every_encoding_does_what_the_host_does(void)
{
	struct tally t = { 0 };

	for (unsigned opcode = 0xd8; opcode <= 0xdf; opcode++) {
		for (unsigned digit = 0; digit < 8; digit++) /* [rsi] */
			COMPARE(&t, (uint8_t)opcode, (uint8_t)(digit << 3 | 6));
		for (unsigned modrm = 0xc0; modrm <= 0xff; modrm++)
			COMPARE(&t, (uint8_t)opcode, (uint8_t)modrm);
	}
	for (unsigned digit = 0; digit < 8; digit++) { /* 16-bit images */
		COMPARE(&t, 0x66, 0xd9, (uint8_t)(digit << 3 | 6));
		COMPARE(&t, 0x66, 0xdd, (uint8_t)(digit << 3 | 6));
	}
	g_test_message("%u encodings, %u cases, %u nearly equal, %u wrong", t.encodings, t.cases,
		       t.nearly, t.wrong);
	g_assert_cmpuint(t.encodings, >, 400);
	g_assert_cmpuint(t.wrong, ==, 0);
	g_assert_cmpuint(t.nearly, <, t.cases / 100);
}

static void add_host_tests(void)
{
	host_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host_code == MAP_FAILED)
		return;
	signal(SIGILL, host_illegal);
	g_test_add_func("/x87/every_encoding_does_what_the_host_does",
			test_every_encoding_does_what_the_host_does);
}
#else
static void add_host_tests(void) {}
#endif

/* ---- results anybody can check ---- */

static void assert_st(unsigned i, uint16_t sexp, uint64_t frac)
{
	struct f80 v = x87_get(rig.c, i);

	g_assert_cmphex(v.sexp, ==, sexp);
	g_assert_cmphex(v.frac, ==, frac);
}

static void test_fld1_pushes(void)
{
	fpu_init();
	g_assert_cmpint(RUN(0xd9, 0xe8), ==, -1);
	g_assert_cmpuint(rig.c->ftop, ==, 7);
	g_assert_cmphex(rig.c->ftag, ==, 0x80);
	assert_st(0, 0x3fff, TOP_BIT);
}

static void test_arithmetic_with_memory(void)
{
	fpu_init();
	st32_le(rig.data, 0x40400000); /* 3.0 */
	RUN(0xd9, 0x06);               /* fld dword [rsi] */
	RUN(0xda, 0x0e);               /* fimul dword [rsi], as an integer */
	assert_st(0, 0x3fff + 31, UINT64_C(0xc0c0000000000000));
	RUN(0xd8, 0xf0); /* fdiv st0, st0 */
	assert_st(0, 0x3fff, TOP_BIT);
	RUN(0xd9, 0xe0); /* fchs */
	RUN(0xdb, 0x1e); /* fistp dword [rsi] */
	g_assert_cmphex(ld32_le(rig.data), ==, 0xffffffff);
	g_assert_cmphex(rig.c->ftag, ==, 0);
	g_assert_cmphex(x87_status(rig.c), ==, 0);
}

/* An exact product, but processors tell otherwise, and a tiny one that is inexact underflows. */
static void test_fyl2x_reports_every_product_as_inexact(void)
{
	fpu_init();
	x87_push(rig.c, (struct f80){ 0x5a2000, 0 });
	x87_push(rig.c, (struct f80){ TOP_BIT, 0x4000 }); /* 2 */
	g_assert_cmpint(RUN(0xd9, 0xf1), ==, -1);
	assert_st(0, 0, 0x5a2000);
	g_assert_cmphex(x87_status(rig.c), ==, 7 << 11 | FP_DENORMAL | FP_UNDERFLOW | FP_INEXACT);
	fpu_init();
	RUN(0xd9, 0xeb); /* fldpi */
	RUN(0xd9, 0xe8); /* fld1: the product is zero */
	g_assert_cmpint(RUN(0xd9, 0xf1), ==, -1);
	assert_st(0, 0, 0);
	g_assert_cmphex(x87_status(rig.c), ==, 7 << 11);
}

static void test_stack_faults_give_the_indefinite(void)
{
	fpu_init();
	RUN(0xd8, 0xc1); /* fadd st0, st1, both empty */
	assert_st(0, 0xffff, UINT64_C(0xc000000000000000));
	g_assert_cmphex(x87_status(rig.c), ==, FSW_SF | FP_INVALID);
	RUN(0xdb, 0xe2); /* fnclex */
	rig.c->ftag = 0xff;
	RUN(0xd9, 0xee); /* fldz on a full stack */
	assert_st(0, 0xffff, UINT64_C(0xc000000000000000));
	g_assert_cmphex(x87_status(rig.c), ==, 7 << 11 | FSW_C1 | FSW_SF | FP_INVALID);
}

/* An unmasked operand exception leaves everything but the flags; an unmasked overflow keeps a store
 * from happening. */
static void test_unmasked_exceptions_wait(void)
{
	fpu_init();
	RUN(0xd9, 0xe8); /* fld1 */
	rig.c->fcw &= ~FP_DIVZERO;
	st32_le(rig.data, 0);
	g_assert_cmpint(RUN(0xd8, 0x36), ==, -1); /* fdiv dword [rsi] */
	assert_st(0, 0x3fff, TOP_BIT);
	g_assert_cmphex(x87_status(rig.c) & 0x80ff, ==, FSW_B | FSW_ES | FP_DIVZERO);
	g_assert_cmphex(rig.c->fop, ==, 0x036);

	fpu_init();
	rig.c->fcw &= ~FP_OVERFLOW;
	x87_push(rig.c, (struct f80){ TOP_BIT, 0x7ffe });
	rig.c->gpr[RSI] = DATA_ADDR + DATA_SIZE;
	g_assert_cmpint(RUN(0xd9, 0x1e), ==,
			EXC_PF); /* nothing is stored, but it must be possible */
	g_assert_cmphex(rig.c->fsw, ==, 0);
	rig.c->gpr[RSI] = DATA_ADDR;
	st32_le(rig.data, 0x12345678);
	g_assert_cmpint(RUN(0xd9, 0x1e), ==, -1); /* fstp dword [rsi] */
	g_assert_cmphex(ld32_le(rig.data), ==, 0x12345678);
	g_assert_cmphex(rig.c->ftag, ==, 0x80);
	g_assert_true(rig.c->fsw & FSW_ES);
}

/* ---- who raises what, and when ---- */

static void test_pending_exception_is_mf_at_the_next_waiting_instruction(void)
{
	fpu_init();
	rig.c->fcw &= ~FP_INVALID;
	RUN(0xd9, 0xfa); /* fsqrt of nothing */
	g_assert_true(rig.c->fsw & FSW_ES);
	g_assert_cmpint(RUN(0xdf, 0xe0), ==, -1); /* fnstsw ax */
	g_assert_cmphex(rig.c->gpr[RAX], ==, FSW_B | FSW_ES | FSW_SF | FP_INVALID);
	g_assert_cmpint(RUN(0xd9, 0xe8), ==, EXC_MF); /* fld1 */
	g_assert_cmpint(RUN(0x9b), ==, EXC_MF);
	g_assert_cmphex(rig.c->ftag, ==, 0);
	g_assert_cmpint(RUN(0xdb, 0xe2), ==, -1); /* fnclex */
	g_assert_cmpint(RUN(0x9b), ==, -1);
	g_assert_cmpint(rig.ferr, ==, -1);
}

static void test_pending_exception_raises_ferr_without_ne(void)
{
	fpu_init();
	rig.c->cr0 &= ~(uint64_t)CR0_NE;
	rig_mode_update();
	rig.c->fcw &= ~FP_INVALID;
	RUN(0xd9, 0xfa);
	g_assert_cmpint(rig.ferr, ==, -1);
	g_assert_cmpint(RUN(0x9b), ==, -1);
	g_assert_cmpint(rig.ferr, ==, 1);
	RUN(0xdb, 0xe3); /* fninit */
	g_assert_cmpint(rig.ferr, ==, 0);
}

static void test_unmasking_by_fldcw_makes_a_flag_pending(void)
{
	fpu_init();
	RUN(0xd9, 0xfa);
	g_assert_false(rig.c->fsw & FSW_ES);
	st16_le(rig.data, 0x37e);
	g_assert_cmpint(RUN(0xd9, 0x2e), ==, -1);
	g_assert_true(rig.c->fsw & FSW_ES);
	g_assert_cmpint(RUN(0xd9, 0xd0), ==, EXC_MF);
}

static void set_cr0(uint64_t bits)
{
	fpu_init();
	rig.c->cr0 = (rig.c->cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) | bits;
	rig_mode_update();
}

static void test_ts_and_em_raise_nm(void)
{
	set_cr0(CR0_TS);
	g_assert_cmpint(RUN(0xd9, 0xe8), ==, EXC_NM);
	g_assert_cmpint(RUN(0xdb, 0xe3), ==, EXC_NM);
	g_assert_cmpint(RUN(0x9b), ==, -1);
	set_cr0(CR0_EM);
	g_assert_cmpint(RUN(0xd9, 0xe8), ==, EXC_NM);
	g_assert_cmpint(RUN(0x9b), ==, -1);
	set_cr0(CR0_MP | CR0_TS);
	g_assert_cmpint(RUN(0x9b), ==, EXC_NM);
}

/* ---- faults change nothing ---- */

static void test_faulting_instructions_change_nothing(void)
{
	static const uint8_t insns[][2] = {
		{ 0xdb, 0x3e }, { 0xdb, 0x2e }, { 0xd9, 0x1e }, { 0xd9, 0x06 }, { 0xdf, 0x36 },
		{ 0xdf, 0x26 }, { 0xdb, 0x1e }, { 0xd8, 0x06 }, { 0xdd, 0x36 }, { 0xdd, 0x26 },
		{ 0xd9, 0x36 }, { 0xd9, 0x26 }, { 0xdd, 0x0e }, { 0xd9, 0x2e }, { 0xdd, 0x3e },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(insns); i++) {
		struct x86_cpu before;

		fpu_init();
		RUN(0xd9, 0xeb); /* fldpi */
		rig.c->gpr[RSI] = DATA_ADDR + DATA_SIZE -
				  1; /* all but FSTs of a byte reach beyond */
		memcpy(&before, rig.c, sizeof(before));
		g_assert_cmpint(rig_run(insns[i], 2), ==, EXC_PF);
		g_assert_cmpmem(rig.c->fpr, sizeof(before.fpr), before.fpr, sizeof(before.fpr));
		g_assert_cmphex(rig.c->fsw, ==, before.fsw);
		g_assert_cmphex(rig.c->fcw, ==, before.fcw);
		g_assert_cmphex(rig.c->ftag, ==, before.ftag);
		g_assert_cmpuint(rig.c->ftop, ==, before.ftop);
		g_assert_cmphex(rig.c->fip, ==, before.fip);
		g_assert_cmphex(rig.c->fdp, ==, before.fdp);
	}
}

static void test_misaligned_operands_raise_ac(void)
{
	fpu_init();
	for (unsigned s = SEG_ES; s <= SEG_GS; s++)
		x86_seg_fill_flat(&rig.c->seg[s], 0x33, s == SEG_CS, s == SEG_CS, 3);
	rig.c->cr0 |= CR0_AM;
	rig.c->rflags |= FL_AC;
	rig_mode_update();
	rig.c->gpr[RSI] = DATA_ADDR + 4;
	g_assert_cmpint(RUN(0xdb, 0x2e), ==, EXC_AC); /* fld tword */
	g_assert_cmpint(RUN(0xdd, 0x06), ==, EXC_AC); /* fld qword */
	g_assert_cmpint(RUN(0xd9, 0x06), ==, -1);     /* fld dword */
	g_assert_cmpint(RUN(0xd9, 0x36), ==, -1);     /* fnstenv: 4 will do */
	rig.c->gpr[RSI] = DATA_ADDR + 2;
	g_assert_cmpint(RUN(0xd9, 0x36), ==, EXC_AC);
	g_assert_cmpint(RUN(0x66, 0xd9, 0x36), ==, -1);
}

/* ---- pointers and images ---- */

static void test_pointers_follow_non_control_instructions(void)
{
	fpu_init();
	rig_mode32();
	rig.c->seg[SEG_DS].sel = 0x2b;
	rig.c->gpr[RSI] = DATA_ADDR;
	RUN(0xd9, 0x46, 0x08); /* fld dword [esi+8] */
	g_assert_cmphex(rig.c->fip, ==, CODE_ADDR);
	g_assert_cmphex(rig.c->fdp, ==, DATA_ADDR + 8);
	g_assert_cmphex(rig.c->fcs, ==, 0x20);
	g_assert_cmphex(rig.c->fds, ==, 0x2b);
	g_assert_cmphex(rig.c->fop, ==, 0); /* no unmasked exception */
	rig.c->fip = 1;
	RUN(0xd9, 0x7e, 0x10); /* fnstcw */
	RUN(0xd9, 0x6e, 0x10); /* fldcw */
	RUN(0xdb, 0xe2);       /* fnclex */
	RUN(0x9b);
	g_assert_cmphex(rig.c->fip, ==, 1);
	RUN(0xd9, 0xd0); /* fnop */
	g_assert_cmphex(rig.c->fip, ==, CODE_ADDR);
	g_assert_cmphex(rig.c->fdp, ==, DATA_ADDR + 8);
	rig.c->msr_misc_enable |= 1u << 2; /* opcodes, as before the Pentium 4 */
	RUN(0xd9, 0x56, 0x08);             /* fst dword [esi+8] */
	g_assert_cmphex(rig.c->fop, ==, 0x156);
	rig.c->msr_misc_enable &= ~UINT64_C(4);
}

/* FNSTENV, then FLDENV of the same image into a cleared FPU. */
static void check_real_image(bool is_32, const uint8_t *want, unsigned len)
{
	fpu_init();
	rig_mode_real(CODE_ADDR >> 4, DATA_ADDR >> 4);
	rig.c->gpr[RSI] = 0;
	rig.c->ftop = 5;
	rig.c->ftag = 0x20;
	rig.c->fpr[5] = (struct x86_f80){ .frac = TOP_BIT, .sexp = 0x3fff };
	rig.c->fcs = 0xf000;
	rig.c->fip = 0x1234;
	rig.c->fds = 0x8765;
	rig.c->fdp = 0xabcd;
	rig.c->fop = 0x5a6;
	g_assert_cmpint(is_32 ? RUN(0x66, 0xd9, 0x34) : RUN(0xd9, 0x34), ==, -1);
	g_assert_cmpmem(rig.data, len, want, len);
	x86_fpu_init(rig.c);
	g_assert_cmpint(is_32 ? RUN(0x66, 0xd9, 0x24) : RUN(0xd9, 0x24), ==, -1);
	g_assert_cmphex(rig.c->fip, ==, 0xf1234);
	g_assert_cmphex(rig.c->fdp, ==, 0x9221d);
	g_assert_cmphex(rig.c->fop, ==, 0x5a6);
	g_assert_cmphex(rig.c->fcs | rig.c->fds, ==, 0);
	g_assert_cmphex(rig.c->ftag, ==, 0x20);
	g_assert_cmpuint(rig.c->ftop, ==, 5);
}

static void test_real_mode_images_hold_linear_addresses(void)
{
	static const uint8_t want16[] = { 0x7f, 0x03, 0x00, 0x28, 0xff, 0xf3, 0x34,
					  0x12, 0xa6, 0xf5, 0x1d, 0x22, 0x00, 0x90 };
	static const uint8_t want32[] = { 0x7f, 0x03, 0xff, 0xff, 0x00, 0x28, 0xff,
					  0xff, 0xff, 0xf3, 0xff, 0xff, 0x34, 0x12,
					  0x00, 0x00, 0xa6, 0xf5, 0x00, 0x00, 0x1d,
					  0x22, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00 };

	check_real_image(false, want16, sizeof(want16));
	check_real_image(true, want32, sizeof(want32));
}

static void test_operands_stay_within_the_segment(void)
{
	fpu_init();
	rig_mode_real(CODE_ADDR >> 4, DATA_ADDR >> 4);
	rig.c->gpr[RSI] = 0xfffd;
	g_assert_cmpint(RUN(0xd9, 0x04), ==, EXC_GP);
	g_assert_cmpint(RUN(0xdb, 0x2c), ==, EXC_GP);
	rig.c->gpr[RSI] = 0;
	rig.c->seg[SEG_DS].limit = 26;
	g_assert_cmpint(RUN(0x66, 0xd9, 0x34), ==, EXC_GP);
	rig.c->seg[SEG_DS].limit = 27;
	g_assert_cmpint(RUN(0x66, 0xd9, 0x34), ==, -1);
}

/* MMX registers are the significands. */
static void test_mmx_writes_are_seen_as_nan(void)
{
	fpu_init();
	RUN(0xd9, 0xe8);       /* fld1 */
	RUN(0x0f, 0x76, 0xc0); /* pcmpeqd mm0, mm0 */
	g_assert_cmpuint(rig.c->ftop, ==, 0);
	g_assert_cmphex(rig.c->ftag, ==, 0xff);
	assert_st(0, 0xffff, UINT64_MAX);
	assert_st(7, 0x3fff, TOP_BIT);
	RUN(0x0f, 0x77); /* emms */
	g_assert_cmphex(rig.c->ftag, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_init();
	add_host_tests();
#define TEST(name) g_test_add_func("/x87/" #name, test_##name)
	TEST(fld1_pushes);
	TEST(arithmetic_with_memory);
	TEST(fyl2x_reports_every_product_as_inexact);
	TEST(stack_faults_give_the_indefinite);
	TEST(unmasked_exceptions_wait);
	TEST(pending_exception_is_mf_at_the_next_waiting_instruction);
	TEST(pending_exception_raises_ferr_without_ne);
	TEST(unmasking_by_fldcw_makes_a_flag_pending);
	TEST(ts_and_em_raise_nm);
	TEST(faulting_instructions_change_nothing);
	TEST(misaligned_operands_raise_ac);
	TEST(pointers_follow_non_control_instructions);
	TEST(real_mode_images_hold_linear_addresses);
	TEST(operands_stay_within_the_segment);
	TEST(mmx_writes_are_seen_as_nan);
#undef TEST
	return g_test_run();
}
