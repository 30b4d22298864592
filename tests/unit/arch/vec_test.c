/* vec_test.c - vector instruction semantics: against published vectors everywhere, against the
 * host's own instructions where the host is an x86-64 with AVX2.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/isa_gen.h"
#include "arch/x86/vec.h"
#include "arch/x86/vec_ops.h"
#include "base/softfloat/softfloat.h"

static struct x86_cpu *cpu_new(void)
{
	struct x86_cpu *c = aligned_alloc(64, align_up(sizeof(*c), 64));

	memset(c, 0, sizeof(*c));
	c->mxcsr = 0x1f80;
	c->mxcsr_mask = 0xffff;
	c->cr4 = CR4_OSXMMEXCPT;
	return c;
}

/* fn on ymm[0] = fn(ymm[1], ymm[2], ymm[3]). */
static struct ir_native native(ir_native_fn *fn, unsigned vlen, unsigned imm)
{
	return (struct ir_native){
		.fn = fn,
		.dst = OFS_YMM(0),
		.src1 = OFS_YMM(1),
		.src2 = OFS_YMM(2),
		.src3 = OFS_YMM(3),
		.imm = (uint8_t)imm,
		.vlen = (uint8_t)vlen,
		.zero_upper = true,
	};
}

static void run(struct x86_cpu *c, ir_native_fn *fn, unsigned imm)
{
	struct ir_native n = native(fn, 16, imm);

	fn(c, &n, 0);
}

static void set_hex(uint8_t *reg, const char *hex)
{
	memset(reg, 0, 32);
	for (unsigned i = 0; hex[2 * i]; i++) {
		const char byte[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		reg[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
}

static void assert_hex(const uint8_t *reg, const char *hex)
{
	uint8_t want[32];

	set_hex(want, hex);
	g_assert_cmpmem(reg, 16, want, 16);
}

/* FIPS 197 appendix B: the first round, and decryption undoing it. */
static void test_aes_round_matches_fips_197(void)
{
	struct x86_cpu *c = cpu_new();

	set_hex(c->ymm[1], "193de3bea0f4e22b9ac68d2ae9f84808");
	set_hex(c->ymm[2], "a0fafe1788542cb123a339392a6c7605");
	run(c, v_aesenc, 0);
	assert_hex(c->ymm[0], "a49c7ff2689f352b6b5bea43026a5049");
	/* The last round of the same example. */
	set_hex(c->ymm[1], "eb40f21e592e38848ba113e71bc342d2");
	set_hex(c->ymm[2], "d014f9a8c9ee2589e13f0cc8b6630ca6");
	run(c, v_aesenclast, 0);
	assert_hex(c->ymm[0], "3925841d02dc09fbdc118597196a0b32");
	/* aesdeclast with a zero key undoes aesenclast with a zero key. */
	memset(c->ymm[2], 0, 32);
	run(c, v_aesenclast, 0);
	memcpy(c->ymm[1], c->ymm[0], 32);
	run(c, v_aesdeclast, 0);
	assert_hex(c->ymm[0], "eb40f21e592e38848ba113e71bc342d2");
	free(c);
}

static void test_aes_inverse_mix_columns_undoes_the_round(void)
{
	struct x86_cpu *c = cpu_new();

	/* AESDEC with key 0 inverts AESENC with key 0 up to the order of steps: InvMixColumns of
	 * the encrypted state, then the last decryption round. */
	set_hex(c->ymm[1], "00112233445566778899aabbccddeeff");
	run(c, v_aesenc, 0);
	memcpy(c->ymm[2], c->ymm[0], 32);
	run(c, v_aesimc, 0);
	memcpy(c->ymm[1], c->ymm[0], 32);
	memset(c->ymm[2], 0, 32);
	run(c, v_aesdeclast, 0);
	assert_hex(c->ymm[0], "00112233445566778899aabbccddeeff");
	free(c);
}

/* FIPS 197 appendix A.1: the first step of the key schedule of 2b7e1516... */
static void test_aes_key_schedule_matches_fips_197(void)
{
	struct x86_cpu *c = cpu_new();
	union vec r;

	set_hex(c->ymm[2], "2b7e151628aed2a6abf7158809cf4f3c");
	run(c, v_aeskeygenassist, 1);
	r = vec_get(c->ymm[0], 0);
	g_assert_cmphex(r.u32[3], ==, 0x01eb848b);
	free(c);
}

static uint32_t load_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The padded one-block message "abc" (FIPS 180-4 examples). */
static void sha_message(uint32_t w[16])
{
	uint8_t block[64] = { 'a', 'b', 'c', 0x80, [63] = 24 };

	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be(block + 4 * i);
}

static void put4(uint8_t *reg, uint32_t e3, uint32_t e2, uint32_t e1, uint32_t e0)
{
	const uint32_t v[8] = { e0, e1, e2, e3 };

	memcpy(reg, v, 32);
}

static void test_sha1_of_abc(void)
{
	static const uint32_t init[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
					  0xc3d2e1f0 };
	struct x86_cpu *c = cpu_new();
	uint32_t w[80], s[5];
	union vec abcd;

	sha_message(w);
	for (unsigned t = 16; t < 80; t += 4) { /* SHA1MSG1, PXOR, SHA1MSG2 */
		put4(c->ymm[1], w[t - 16], w[t - 15], w[t - 14], w[t - 13]);
		put4(c->ymm[2], w[t - 12], w[t - 11], w[t - 10], w[t - 9]);
		run(c, v_sha1msg1, 0);
		memcpy(c->ymm[1], c->ymm[0], 32);
		put4(c->ymm[2], w[t - 8], w[t - 7], w[t - 6], w[t - 5]);
		run(c, v_pxor, 0);
		memcpy(c->ymm[1], c->ymm[0], 32);
		put4(c->ymm[2], w[t - 4], w[t - 3], w[t - 2], w[t - 1]);
		run(c, v_sha1msg2, 0);
		for (unsigned i = 0; i < 4; i++)
			w[t + i] = ((uint32_t *)c->ymm[0])[3 - i];
	}
	put4(c->ymm[4], init[0], init[1], init[2], init[3]);
	put4(c->ymm[5], init[4], 0, 0, 0); /* E, not yet rotated: undone below */
	for (unsigned t = 0; t < 80; t += 4) {
		uint8_t before[32];

		memcpy(before, c->ymm[4], 32);
		put4(c->ymm[2], w[t], w[t + 1], w[t + 2], w[t + 3]);
		if (t == 0) {
			put4(c->ymm[2], w[0] + init[4], w[1], w[2], w[3]);
		} else {
			memcpy(c->ymm[1], c->ymm[5], 32);
			run(c, v_sha1nexte, 0);
			memcpy(c->ymm[2], c->ymm[0], 32);
		}
		memcpy(c->ymm[1], c->ymm[4], 32);
		run(c, v_sha1rnds4, t / 20);
		memcpy(c->ymm[4], c->ymm[0], 32);
		memcpy(c->ymm[5], before, 32);
	}
	abcd = vec_get(c->ymm[4], 0);
	for (unsigned i = 0; i < 4; i++)
		s[i] = init[i] + abcd.u32[3 - i];
	s[4] = init[4] + (vec_get(c->ymm[5], 0).u32[3] << 30 | vec_get(c->ymm[5], 0).u32[3] >> 2);
	g_assert_cmphex(s[0], ==, 0xa9993e36);
	g_assert_cmphex(s[1], ==, 0x4706816a);
	g_assert_cmphex(s[2], ==, 0xba3e2571);
	g_assert_cmphex(s[3], ==, 0x7850c26c);
	g_assert_cmphex(s[4], ==, 0x9cd0d89d);
	free(c);
}

/* clang-format off */
static const uint32_t sha256_k[64] = { /* FIPS 180-4 §4.2.2 */
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* clang-format on */

static void test_sha256_of_abc(void)
{
	static const uint32_t init[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	struct x86_cpu *c = cpu_new();
	uint32_t w[64];
	union vec abef, cdgh;

	sha_message(w);
	for (unsigned t = 16; t < 64; t += 4) { /* SHA256MSG1, PADDD of W(t-7), SHA256MSG2 */
		put4(c->ymm[1], w[t - 13], w[t - 14], w[t - 15], w[t - 16]);
		put4(c->ymm[2], w[t - 9], w[t - 10], w[t - 11], w[t - 12]);
		run(c, v_sha256msg1, 0);
		memcpy(c->ymm[1], c->ymm[0], 32);
		put4(c->ymm[2], w[t - 4], w[t - 5], w[t - 6], w[t - 7]);
		run(c, v_paddd, 0);
		memcpy(c->ymm[1], c->ymm[0], 32);
		put4(c->ymm[2], w[t - 1], w[t - 2], w[t - 3], w[t - 4]);
		run(c, v_sha256msg2, 0);
		memcpy(&w[t], c->ymm[0], 16);
	}
	put4(c->ymm[1], init[2], init[3], init[6], init[7]);
	put4(c->ymm[2], init[0], init[1], init[4], init[5]);
	for (unsigned t = 0; t < 64; t += 2) {
		put4(c->ymm[3], 0, 0, w[t + 1] + sha256_k[t + 1], w[t] + sha256_k[t]);
		run(c, v_sha256rnds2, 0);
		memcpy(c->ymm[1], c->ymm[2], 32);
		memcpy(c->ymm[2], c->ymm[0], 32);
	}
	abef = vec_get(c->ymm[2], 0);
	cdgh = vec_get(c->ymm[1], 0);
	g_assert_cmphex(init[0] + abef.u32[3], ==, 0xba7816bf);
	g_assert_cmphex(init[1] + abef.u32[2], ==, 0x8f01cfea);
	g_assert_cmphex(init[2] + cdgh.u32[3], ==, 0x414140de);
	g_assert_cmphex(init[3] + cdgh.u32[2], ==, 0x5dae2223);
	g_assert_cmphex(init[4] + abef.u32[1], ==, 0xb00361a3);
	g_assert_cmphex(init[5] + abef.u32[0], ==, 0x96177a9c);
	g_assert_cmphex(init[6] + cdgh.u32[1], ==, 0xb410ff61);
	g_assert_cmphex(init[7] + cdgh.u32[0], ==, 0xf20015ad);
	free(c);
}

/* (x^63 + 1) * (x^63 + x) = x^126 + x^64 + x^63 + x. */
static void test_pclmulqdq_multiplies_without_carries(void)
{
	struct x86_cpu *c = cpu_new();
	union vec v = { .u64 = { 7, BIT(63) | 1 } }, r;

	memcpy(c->ymm[1], &v, 32);
	v = (union vec){ .u64 = { BIT(63) | 2, 9 } };
	memcpy(c->ymm[2], &v, 32);
	run(c, v_pclmulqdq, 0x01);
	r = vec_get(c->ymm[0], 0);
	g_assert_cmphex(r.u64[0], ==, BIT(63) | 2);
	g_assert_cmphex(r.u64[1], ==, BIT(62) | 1);
	free(c);
}

/* ---- PCMPxSTRx ---- */
static void set_text(uint8_t *reg, const char *text)
{
	memset(reg, 0, 32);
	memcpy(reg, text, strlen(text));
}

static void assert_string(const char *a, const char *b, unsigned imm, unsigned index,
			  unsigned flags)
{
	struct x86_cpu *c = cpu_new();
	uint64_t r;

	set_text(c->ymm[1], a);
	set_text(c->ymm[2], b);
	r = vh_pcmpstri(c, OFS_YMM(1), OFS_YMM(2), imm);
	g_assert_cmpuint(r >> 32, ==, index);
	g_assert_cmphex((uint32_t)r, ==, flags);
	free(c);
}

static void test_string_searches(void)
{
	/* any of a set, range, equal each (negated: first difference), substring */
	assert_string("xyz", "abcyz", 0x00, 3, FL_CF | FL_SF | FL_ZF);
	assert_string("09", "abc42", 0x04, 3, FL_CF | FL_SF | FL_ZF);
	assert_string("hello", "help", 0x18, 3, FL_CF | FL_SF | FL_ZF);
	assert_string("hello", "hello", 0x18, 16, FL_SF | FL_ZF);
	assert_string("lo", "hello lo", 0x0c, 3, FL_CF | FL_SF | FL_ZF);
	assert_string("lo", "hello lo", 0x4c, 6, FL_CF | FL_SF | FL_ZF);
	assert_string("q", "abc", 0x00, 16, FL_SF | FL_ZF);
	assert_string("0123456789abcdef", "0123456789abcdef", 0x08, 0, FL_CF | FL_OF);
}

static void test_string_explicit_lengths_saturate(void)
{
	struct x86_cpu *c = cpu_new();

	c->gpr[RAX] = (uint64_t)-3; /* magnitude 3 */
	c->gpr[RDX] = 0x80000000;   /* EDX: out of range; RDX: too */
	set_text(c->ymm[1], "abcd");
	set_text(c->ymm[2], "xxxxxxxxxxxxxxxd");
	g_assert_cmpuint(vh_pcmpstri(c, OFS_YMM(1), OFS_YMM(2), STRING_EXPLICIT) >> 32, ==, 16);
	c->gpr[RAX] = 4;
	g_assert_cmpuint(vh_pcmpstri(c, OFS_YMM(1), OFS_YMM(2), STRING_EXPLICIT) >> 32, ==, 15);
	c->gpr[RDX] = 15;
	g_assert_cmpuint(vh_pcmpstri(c, OFS_YMM(1), OFS_YMM(2), STRING_EXPLICIT) >> 32, ==, 16);
	c->gpr[RDX] = UINT64_C(0x100000000); /* zero as EDX */
	g_assert_cmpuint(vh_pcmpstri(c, OFS_YMM(1), OFS_YMM(2), STRING_EXPLICIT | 0x08) & 0xffff,
			 ==, FL_CF | FL_ZF | FL_SF);
	free(c);
}

static void test_string_mask_fills_elements(void)
{
	struct x86_cpu *c = cpu_new();

	memset(c->ymm[0], 0xee, 32);
	set_text(c->ymm[1], "b");
	set_text(c->ymm[2], "abab");
	vh_pcmpstrm(c, OFS_YMM(1), OFS_YMM(2), 0x40);
	assert_hex(c->ymm[0], "00ff00ff000000000000000000000000");
	g_assert_cmpuint(c->ymm[0][16], ==, 0xee); /* legacy SSE keeps the upper half */
	vh_pcmpstrm(c, OFS_YMM(1), OFS_YMM(2), STRING_VEX);
	assert_hex(c->ymm[0], "0a");
	g_assert_cmpuint(c->ymm[0][16], ==, 0);
	free(c);
}

/* ---- MMX: 8-byte lanes, exponent of the alias ---- */
static void test_mmx_results_set_the_exponent(void)
{
	struct x86_cpu *c = cpu_new();
	struct ir_native n = {
		.dst = OFS_MM(1), .src1 = OFS_MM(1), .src2 = OFS_MM(2), .src3 = VEC_NONE, .vlen = 8
	};

	c->fpr[1].frac = UINT64_C(0x0102030405060708);
	c->fpr[2].frac = UINT64_C(0x1112131415161718);
	v_punpckhbw(c, &n, 0);
	g_assert_cmphex(c->fpr[1].frac, ==, UINT64_C(0x1101120213031404));
	g_assert_cmphex(c->fpr[1].sexp, ==, 0xffff);
	c->fpr[1].frac = UINT64_C(0x0102030405060708);
	n.imm = 3;
	v_palignr(c, &n, 0);
	g_assert_cmphex(c->fpr[1].frac, ==, UINT64_C(0x0607081112131415));
	n.imm = 9;
	c->fpr[1].frac = UINT64_C(0x0102030405060708);
	v_palignr(c, &n, 0);
	g_assert_cmphex(c->fpr[1].frac, ==, UINT64_C(0x0001020304050607));
	c->fpr[2].frac = UINT64_C(0x8009000100020f03);
	c->fpr[1].frac = UINT64_C(0x0102030405060708);
	v_pshufb(c, &n, 0);
	g_assert_cmphex(c->fpr[1].frac, ==, UINT64_C(0x0007080708060105));
	c->fpr[2].frac = UINT64_C(0x80ff7f0080000180);
	n.dst = OFS_GPR(RAX);
	v_pmovmskb(c, &n, 0);
	g_assert_cmphex(c->gpr[RAX], ==, 0xc9);
	free(c);
}

/* ---- SIMD floating-point exceptions ---- */
static uint32_t divide(struct x86_cpu *c, uint32_t mxcsr, union vec a, union vec b)
{
	c->env.fault = 0;
	c->mxcsr = mxcsr;
	memset(c->ymm[0], 0x55, 32);
	memcpy(c->ymm[1], &a, 32);
	memcpy(c->ymm[2], &b, 32);
	run(c, v_divps, 0);
	return c->mxcsr;
}

static void test_unmasked_exception_leaves_the_destination(void)
{
	const union vec ones = { .u32 = { 0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000 } };
	const union vec with_zero = { .u32 = { 0x40400000, 0, 0x3f800000, 0x3f800000 } };
	struct x86_cpu *c = cpu_new();

	/* Masked: both flags. */
	g_assert_cmphex(divide(c, 0x1f80, ones, with_zero), ==, 0x1f80 | FP_DIVZERO | FP_INEXACT);
	g_assert_cmpuint(c->env.fault, ==, 0);
	/* Unmasked ZE is seen before computing: element 0's PE is not reported. */
	g_assert_cmphex(divide(c, 0x1d80, ones, with_zero), ==, 0x1d80 | FP_DIVZERO);
	g_assert_cmpuint(c->env.fault, !=, 0);
	g_assert_cmpuint(c->exc.vector, ==, EXC_XM);
	g_assert_cmpuint(c->ymm[0][0], ==, 0x55);
	/* Unmasked PE: everything is computed first. */
	g_assert_cmphex(divide(c, 0x0f80, ones, with_zero), ==, 0x0f80 | FP_DIVZERO | FP_INEXACT);
	g_assert_cmpuint(c->env.fault, !=, 0);
	g_assert_cmpuint(c->ymm[0][0], ==, 0x55);
	/* Without CR4.OSXMMEXCPT it is #UD. */
	c->cr4 = 0;
	divide(c, 0x1d80, ones, with_zero);
	g_assert_cmpuint(c->exc.vector, ==, EXC_UD);
	free(c);
}

static void test_ldmxcsr_refuses_reserved_bits(void)
{
	struct x86_cpu *c = cpu_new();

	vh_ldmxcsr(c, 0x9fc0, 0, 0);
	g_assert_cmphex(c->mxcsr, ==, 0x9fc0);
	g_assert_cmpuint(c->env.fault, ==, 0);
	vh_ldmxcsr(c, 0x11f80, 0, 0);
	g_assert_cmphex(c->mxcsr, ==, 0x9fc0);
	g_assert_cmpuint(c->env.fault, !=, 0);
	g_assert_cmpuint(c->exc.vector, ==, EXC_GP);
	free(c);
}

static void test_insertps_from_memory_has_one_source_element(void)
{
	struct x86_cpu *c = cpu_new();
	struct ir_native n = native(v_insertps, 16, 0xd0); /* source 3, destination 1 */
	const union vec m = { .u32 = { 1, 2, 3, 4 } };

	memcpy(c->vtmp[0], &m, 16);
	memcpy(c->ymm[2], &m, 16);
	v_insertps(c, &n, 0);
	g_assert_cmpuint(vec_get(c->ymm[0], 0).u32[1], ==, 4);
	n.src2 = OFS_VTMP(0);
	v_insertps(c, &n, 0);
	g_assert_cmpuint(vec_get(c->ymm[0], 0).u32[1], ==, 1);
	free(c);
}

#if defined(__x86_64__)
#include "vec_host.h"
#endif

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vec/aes/round", test_aes_round_matches_fips_197);
	g_test_add_func("/vec/aes/inverse", test_aes_inverse_mix_columns_undoes_the_round);
	g_test_add_func("/vec/aes/schedule", test_aes_key_schedule_matches_fips_197);
	g_test_add_func("/vec/sha1", test_sha1_of_abc);
	g_test_add_func("/vec/sha256", test_sha256_of_abc);
	g_test_add_func("/vec/pclmulqdq", test_pclmulqdq_multiplies_without_carries);
	g_test_add_func("/vec/string/search", test_string_searches);
	g_test_add_func("/vec/string/length", test_string_explicit_lengths_saturate);
	g_test_add_func("/vec/string/mask", test_string_mask_fills_elements);
	g_test_add_func("/vec/mmx", test_mmx_results_set_the_exponent);
	g_test_add_func("/vec/exception", test_unmasked_exception_leaves_the_destination);
	g_test_add_func("/vec/ldmxcsr", test_ldmxcsr_refuses_reserved_bits);
	g_test_add_func("/vec/insertps", test_insertps_from_memory_has_one_source_element);
#if defined(__x86_64__)
	g_test_add_func("/vec/host", test_agrees_with_the_host);
	g_test_add_func("/vec/host/unmasked", test_unmasked_exceptions_agree_with_the_host);
	g_test_add_func("/vec/host/string", test_strings_agree_with_the_host);
	g_test_add_func("/vec/host/flags", test_flags_agree_with_the_host);
#endif
	return g_test_run();
}
