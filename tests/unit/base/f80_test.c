/* f80_test.c - the arithmetic of the x87, bit for bit, flag for flag, C1 included.
 *
 * Works as softfloat_test.c does: a cross product of special values and random operands, under
 * all rounding and precision controls, with overflow and underflow masked and unmasked; compared
 * with the x87 of an x86-64 host, and on all hosts with a recorded digest. Processors differ in one
 * case (is_tiny_passed_on()); there the host may have either result.
 *
 * SPDX-License-Identifier: MIT */
#include "x87_choice.h"
#include "x87_result.h"

#include <stdlib.h>
#include <string.h>

#define RANDOM_RUNS 1500

static const struct f80 specials[] = {
	{ 0, 0x0000 },
	{ 0, 0x8000 }, /* zeros */
	{ 1, 0x0000 },
	{ 0x7fffffffffffffff, 0x8000 }, /* denormals */
	{ 0x4000000000000000, 0x0000 },
	{ 0x0000000012345678, 0x8000 },
	{ 0x8000000000000000, 0x0000 },
	{ 0x8000000000000001, 0x8000 }, /* pseudo-denormals */
	{ 0x8000000000000000, 0x0001 },
	{ 0xffffffffffffffff, 0x8001 }, /* least normal */
	{ 0x8000000000000000, 0x3fff },
	{ 0x8000000000000000, 0xbfff }, /* 1 */
	{ 0x8000000000000001, 0x3fff },
	{ 0xffffffffffffffff, 0x3ffe },
	{ 0xc000000000000000, 0x3fff },
	{ 0x8000000000000000, 0xbffe }, /* 1.5, -0.5 */
	{ 0x8000000000000001, 0x3ffe },
	{ 0xa000000000000000, 0x4000 }, /* 0.5 + ulp, 2.5 */
	{ 0xe000000000000000, 0xc000 },
	{ 0xc000000000000000, 0x4000 }, /* -3.5, 3 */
	{ 0xffffffffffffffff, 0x7ffe },
	{ 0xffffffffffffffff, 0xfffe }, /* greatest */
	{ 0x8000000000000000, 0x7fff },
	{ 0x8000000000000000, 0xffff }, /* infinities */
	{ 0xc000000000000000, 0x7fff },
	{ 0xc000000000000000, 0xffff }, /* QNaNs */
	{ 0xc000000000001234, 0x7fff },
	{ 0xffffffffffffffff, 0xffff },
	{ 0x8000000000000001, 0x7fff },
	{ 0xbfffffffffffffff, 0xffff }, /* SNaNs */
	{ 0x8000000000001234, 0x7fff },
	{ 0x0000000000000000, 0x7fff }, /* pseudo-infinity */
	{ 0x4000000000000000, 0xffff },
	{ 0x0000000000000001, 0x7fff }, /* pseudo-NaNs */
	{ 0x7fffffffffffffff, 0x3fff },
	{ 0x0000000000000000, 0x4000 }, /* unnormals */
	{ 0x8000000000000000, 0x403e },
	{ 0x8000000000000000, 0xc03e }, /* 2^63 */
	{ 0xffffffffffffffff, 0x403d },
	{ 0xffffffffffffffff, 0xc03d },
	{ 0x8000000000000001, 0xc03e },
	{ 0xfffffffe00000000, 0x401d }, /* around 2^31 */
	{ 0xffffffff00000000, 0x401d },
	{ 0x8000000080000000, 0xc01e },
	{ 0x8000000100000000, 0xc01e },
	{ 0xfffe000000000000, 0x400d }, /* around 2^15 */
	{ 0xffff000000000000, 0x400d },
	{ 0x8000800000000000, 0xc00e },
	{ 0x8001000000000000, 0xc00e },
	{ 0xde0b6b3a763fffff, 0x403a }, /* around 10^18 */
	{ 0xde0b6b3a763ffff8, 0x403a },
	{ 0xde0b6b3a76400000, 0xc03a },
	{ 0xffffff8000000000, 0x3fff },
	{ 0xffffff0000000000, 0x407e }, /* edges of f32 */
	{ 0xffffff8000000000, 0x407e },
	{ 0xffffff7fffffffff, 0xc07e },
	{ 0x8000000000000000, 0x3f81 },
	{ 0xffffff8000000000, 0x3f80 },
	{ 0x8000000000000000, 0x3f6a },
	{ 0x8000000000000000, 0x3f69 },
	{ 0x8000000000000001, 0xbf69 },
	{ 0xfffffffffffffc00, 0x3fff }, /* edges of f64 */
	{ 0xfffffffffffff800, 0x43fe },
	{ 0xfffffffffffffc00, 0x43fe },
	{ 0xfffffffffffffbff, 0xc3fe },
	{ 0x8000000000000000, 0x3c01 },
	{ 0xfffffffffffffc00, 0x3c00 },
	{ 0xfffffffffffffbff, 0xbc00 },
	{ 0x8000000000000000, 0x3bcd },
	{ 0x8000000000000000, 0x3bcc },
	{ 0x8000000000000001, 0xbbcc },
	{ 0x8000000000000000, 0x400c }, /* scale factors */
	{ 0xffff000000000000, 0x400e },
	{ 0xc000000000000000, 0xc00d },
	{ 0x807c000000000000, 0xc00d },
	{ 0xa5a5a5a5a5a5a5a5, 0x7000 },
};

/* Soft side. */

static void soft_add(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_add(v[0], v[1], env);
}

static void soft_sub(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_sub(v[0], v[1], env);
}

static void soft_mul(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_mul(v[0], v[1], env);
}

static void soft_div(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_div(v[0], v[1], env);
}

static void soft_sqrt(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_sqrt(v[0], env);
}

static void soft_scale(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_scale(v[0], v[1], env);
}

static void soft_rndint(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_round_to_int(v[0], env);
}

/* FXTRACT pushes the significand over the exponent. */
static void soft_xtract(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_extract(v[0], &r->second, env);
}

static uint16_t order_sw(enum fp_order order)
{
	switch (order) {
	case FP_LESS: return SW_C0;
	case FP_EQUAL: return SW_C3;
	case FP_GREATER: return 0;
	case FP_UNORDERED: break;
	}
	return SW_C0 | SW_C2 | SW_C3;
}

static void soft_com(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->sw = order_sw(f80_compare(v[0], v[1], false, env));
}

static void soft_ucom(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->sw = order_sw(f80_compare(v[0], v[1], true, env));
}

static void rem_result(const struct f80_rem *rem, struct result *r)
{
	r->value = rem->value;
	r->sw = (rem->quotient & 4 ? SW_C0 : 0) | (rem->quotient & 2 ? SW_C3 : 0) |
		(rem->quotient & 1 ? SW_C1 : 0) | (rem->partial ? SW_C2 : 0);
}

static void soft_prem(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	struct f80_rem rem = f80_prem(v[0], v[1], env);

	rem_result(&rem, r);
}

static void soft_prem1(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	struct f80_rem rem = f80_prem1(v[0], v[1], env);

	rem_result(&rem, r);
}

static void soft_fst32(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->integer = f80_to_f32(v[0], env);
}

static void soft_fst64(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->integer = f80_to_f64(v[0], env);
}

/* The loads read their operand from the fraction of v[0]. */
static void soft_fld32(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_from_f32((uint32_t)(v[0].frac >> 32), env);
}

static void soft_fld64(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_from_f64(v[0].frac, env);
}

static void soft_fild64(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	(void)env;
	r->value = f80_from_i64((int64_t)v[0].frac);
}

static void soft_fist16(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->integer = (uint16_t)f80_to_i16(v[0], env->rounding, env);
}

static void soft_fist32(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->integer = (uint32_t)f80_to_i32(v[0], env->rounding, env);
}

static void soft_fist64(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->integer = (uint64_t)f80_to_i64(v[0], env->rounding, env);
}

static void soft_fbstp(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	uint8_t bcd[10];

	f80_to_bcd(v[0], bcd, env);
	r->value.frac = ld64_le(bcd);
	r->value.sexp = ld16_le(bcd + 8);
}

static void soft_fbld(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	uint8_t bcd[10] = { 0 };

	(void)env;
	for (int i = 0; i < 9; i++)
		bcd[i] = (uint8_t)((v[0].frac >> (7 * i)) % 10 << 4 | (v[0].frac >> (5 * i)) % 10);
	bcd[9] = (uint8_t)(v[0].sexp >> 8 & 0x80);
	r->value = f80_from_bcd(bcd);
}

static void soft_const(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	r->value = f80_constant((enum f80_constant)(v[0].frac % 7), env);
}

static void soft_xam(const struct f80 v[2], struct fp_env *env, struct result *r)
{
	static const uint16_t codes[] = {
		[F80_UNSUPPORTED] = 0,     [F80_NAN] = SW_C0,  [F80_NORMAL] = SW_C2,
		[F80_INF] = SW_C2 | SW_C0, [F80_ZERO] = SW_C3, [F80_DENORMAL] = SW_C3 | SW_C2,
	};

	(void)env;
	r->sw = codes[f80_classify(v[0])] | (v[0].sexp & 0x8000 ? SW_C1 : 0);
}

/* Host side. */

#ifdef __x86_64__
/* The result may be two registers; `insn` may also write %[i]. */
#define HOST_ST(name, insn)                                                                        \
	static void host_##name(const struct f80 v[2], uint16_t fcw, struct result *r)             \
	{                                                                                          \
		__asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[fcw]\n\t" insn       \
				 "\n\tfnstsw %[sw]\n\tfnclex\n\tfstpt %[value]\n\tfstpt %[second]" \
				 "\n\tfninit"                                                      \
				 : [value] "=m"(r->value), [second] "=m"(r->second),               \
				   [i] "+m"(r->integer), [sw] "=m"(r->sw)                          \
				 : [a] "m"(v[0]), [b] "m"(v[1]), [fcw] "m"(fcw)                    \
				 : X87_STACK, "memory");                                           \
	}
#define HOST_MEM(name, insn)                                                           \
	static void host_##name(const struct f80 v[2], uint16_t fcw, struct result *r) \
	{                                                                              \
		uint8_t *m = (uint8_t *)&r->value;                                     \
		__asm__ volatile("fninit\n\tfldcw %[fcw]\n\t" insn                     \
				 "\n\tfnstsw %[sw]\n\tfnclex\n\tfninit"                \
				 : [sw] "=m"(r->sw), [i] "+m"(r->integer)              \
				 : [a] "m"(v[0]), [fcw] "m"(fcw), [m] "r"(m)           \
				 : X87_STACK, "memory");                               \
	}

HOST_ST(add, "fadd %%st(1), %%st")
HOST_ST(sub, "fsub %%st(1), %%st")
HOST_ST(mul, "fmul %%st(1), %%st")
HOST_ST(div, "fdiv %%st(1), %%st")
HOST_ST(sqrt, "fsqrt")
HOST_ST(scale, "fscale")
HOST_ST(rndint, "frndint")
HOST_ST(xtract, "fxtract")
HOST_ST(com, "fcom")
HOST_ST(ucom, "fucom")
HOST_ST(prem, "fprem")
HOST_ST(prem1, "fprem1")
HOST_ST(xam, "fxam")
HOST_MEM(fst32, "fldt %[a]\n\tfsts %[i]")
HOST_MEM(fst64, "fldt %[a]\n\tfstl %[i]")
HOST_MEM(fist16, "fldt %[a]\n\tfists %[i]")
HOST_MEM(fist32, "fldt %[a]\n\tfistl %[i]")
HOST_MEM(fist64, "fldt %[a]\n\tfistpll %[i]")
HOST_MEM(fbstp, "fldt %[a]\n\tfbstp (%[m])")
HOST_MEM(fld32, "flds 4%[a]\n\tfnstsw %[sw]\n\tfstpt (%[m])")
HOST_MEM(fld64, "fldl %[a]\n\tfnstsw %[sw]\n\tfstpt (%[m])")
HOST_MEM(fild64, "fildll %[a]\n\tfstpt (%[m])")

static void host_fbld(const struct f80 v[2], uint16_t fcw, struct result *r)
{
	struct f80 bcd = { 0 };
	uint8_t bytes[10] = { 0 };

	(void)fcw;
	for (int i = 0; i < 9; i++)
		bytes[i] = (uint8_t)((v[0].frac >> (7 * i)) % 10 << 4 |
				     (v[0].frac >> (5 * i)) % 10);
	bytes[9] = (uint8_t)(v[0].sexp >> 8 & 0x80);
	memcpy(&bcd, bytes, sizeof(bytes));
	__asm__ volatile("fninit\n\tfbld %[a]\n\tfstpt %[value]\n\tfnstsw %[sw]\n\tfninit"
			 : [value] "=m"(r->value), [sw] "=m"(r->sw)
			 : [a] "m"(bcd)
			 : X87_STACK);
}

static void host_const(const struct f80 v[2], uint16_t fcw, struct result *r)
{
#define LOAD(insn)                                                                                \
	__asm__ volatile("fninit\n\tfldcw %[fcw]\n\t" insn "\n\tfstpt %[value]\n\tfnstsw %[sw]\n" \
			 "\tfninit"                                                               \
			 : [value] "=m"(r->value), [sw] "=m"(r->sw)                               \
			 : [fcw] "m"(fcw)                                                         \
			 : X87_STACK)
	switch (v[0].frac % 7) {
	case F80_ONE: LOAD("fld1"); break;
	case F80_LOG2_10: LOAD("fldl2t"); break;
	case F80_LOG2_E: LOAD("fldl2e"); break;
	case F80_PI: LOAD("fldpi"); break;
	case F80_LOG10_2: LOAD("fldlg2"); break;
	case F80_LN_2: LOAD("fldln2"); break;
	default: LOAD("fldz"); break;
	}
#undef LOAD
}
#define HOST(name) host_##name
#else
#define HOST(name) NULL
#endif

enum compare {
	VALUE = 1 << 0, /* the f80 result */
	SECOND = 1 << 1,
	INTEGER = 1 << 2,
	STORE = 1 << 3, /* memory is not written on unmasked exceptions */
	CONDITION = SW_C0 | SW_C1 | SW_C2 | SW_C3,
};

struct op {
	const char *name;
	soft_fn *soft;
	host_fn *host;
	unsigned operands;
	unsigned compare; /* enum compare */
	uint64_t digest;
};

#define OP(n, operands, compare, digest)                                   \
	{                                                                  \
#n, soft_##n, HOST(n), operands, compare, UINT64_C(digest) \
	}

/* clang-format off */
static const struct op ops[] = {
	OP(add,    2, VALUE | SW_C1, 0x09656be81fde79d3),
	OP(sub,    2, VALUE | SW_C1, 0x154a12791e498b40),
	OP(mul,    2, VALUE | SW_C1, 0x4fb24cf6c16ca469),
	OP(div,    2, VALUE | SW_C1, 0xeb4a8d33dd689c91),
	OP(sqrt,   1, VALUE | SW_C1, 0x216d5be8d5b240fb),
	OP(scale,  2, VALUE | SW_C1, 0x41b50e4689ecc00a),
	OP(rndint, 1, VALUE | SW_C1, 0xb58590f9b70decbc),
	OP(xtract, 1, VALUE | SECOND, 0x8e3cc14451d278f2),
	OP(com,    2, SW_C0 | SW_C2 | SW_C3, 0x7790b1b6ac798885),
	OP(ucom,   2, SW_C0 | SW_C2 | SW_C3, 0x6982bb52b6c5f2a6),
	OP(prem,   2, VALUE | CONDITION, 0x0e19efaca7fbafc5),
	OP(prem1,  2, VALUE | CONDITION, 0xa0d46d7210d54352),
	OP(xam,    1, CONDITION, 0x5e725406a6ac08bf),
	OP(fst32,  1, INTEGER | STORE | SW_C1, 0xfd6fcd997a8d4425),
	OP(fst64,  1, INTEGER | STORE | SW_C1, 0xede77acdecf4c53e),
	OP(fist16, 1, INTEGER | SW_C1, 0xb1df5422fa01fd3d),
	OP(fist32, 1, INTEGER | SW_C1, 0x852ab5eb24810853),
	OP(fist64, 1, INTEGER | SW_C1, 0xe0f779ceb03e7917),
	OP(fbstp,  1, VALUE | SW_C1, 0xb02fd8c11c5704ca),
	OP(fld32,  1, VALUE, 0x168b5c1bf7da25d3),
	OP(fld64,  1, VALUE, 0xc4ffa757e3a0ba02),
	OP(fild64, 1, VALUE, 0x2a73f96accaa5f9b),
	OP(fbld,   1, VALUE, 0x5ab3bc3af3fb61e5),
	OP(const,  1, VALUE, 0x1f773e71b5cd07d6),
};
/* clang-format on */

static struct f80 random_operand(unsigned base, uint64_t *rng)
{
	uint64_t frac = rng_next(rng) | BIT(63), shape = rng_next(rng);
	unsigned biased = base + (shape >> 16) % 72;

	if (shape & 1)
		frac &= ~UINT64_C(0) << (1 + (shape >> 8) % 63);
	else if (shape & 2)
		frac |= ~UINT64_C(0) >> (1 + (shape >> 8) % 63);
	if ((shape & 0x3c) == 0)
		biased = (unsigned)rng_next(rng);
	else if ((shape & 0x3c) == 4)
		biased = (shape >> 24) % 80;
	else if ((shape & 0x3c) == 8)
		biased = 0x7ffe - (shape >> 24) % 80;
	biased &= 0x7fff;
	if (biased == 0)
		frac &= ~BIT(63);
	return (struct f80){ frac, (uint16_t)((shape >> 40 & 1) << 15 | biased) };
}

struct run {
	const struct op *op;
	uint16_t fcw;
	uint64_t digest;
	unsigned failures;
};

/* What another processor gives for a tiny operand that is the result, too; else the same. */
static struct result passed_on(const struct run *run, const struct f80 v[2],
			       const struct result *soft)
{
	const bool is_scale = run->op->soft == soft_scale;
	struct result r = *soft;

	if ((is_scale || run->op->soft == soft_prem || run->op->soft == soft_prem1) &&
	    !(run->fcw & FP_UNDERFLOW) && is_tiny_passed_on(is_scale, v[0], v[1])) {
		r.value = v[0];
		r.sw &= (uint16_t)~FP_UNDERFLOW;
	}
	return r;
}

static bool host_agrees(const struct run *run, const struct result *soft, const struct result *host)
{
	unsigned compare = run->op->compare;
	uint16_t sw_mask = (compare & CONDITION) | FP_ALL_FLAGS;

	if ((soft->sw ^ host->sw) & sw_mask)
		return false;
	if ((compare & STORE) && (soft->sw & ~run->fcw & FP_ALL_FLAGS))
		return true;
	return (!(compare & VALUE) || f80_same(soft->value, host->value)) &&
	       (!(compare & SECOND) || f80_same(soft->second, host->second)) &&
	       (!(compare & INTEGER) || soft->integer == host->integer);
}

static void check_one(void *opaque, const struct f80 v[2])
{
	struct run *run = opaque;
	struct fp_env env = fp_env_x87(run->fcw);
	struct result soft = { .integer = 0 }, host = { .integer = 0 }, other;
	unsigned compare = run->op->compare;

	run->op->soft(v, &env, &soft);
	soft.sw |= env.flags;
	if (!soft.sw || (compare & CONDITION) == SW_C1)
		soft.sw |= env.rounded_up ? SW_C1 : 0;
	run->digest = digest_result(run->digest, &soft);
	if (!run->op->host)
		return;
	run->op->host(v, run->fcw, &host);
	other = passed_on(run, v, &soft);
	if (host_agrees(run, &soft, &host) || host_agrees(run, &other, &host))
		return;
	g_test_fail();
	if (run->failures++ >= REPORTS_MAX)
		return;
	g_test_message("%s(" F80_FMT ", " F80_FMT ") fcw %#x: " F80_FMT " " F80_FMT " %#" PRIx64
		       " sw %#x, host " F80_FMT " " F80_FMT " %#" PRIx64 " sw %#x",
		       run->op->name, F80_ARG(v[0]), F80_ARG(v[1]), run->fcw, F80_ARG(soft.value),
		       F80_ARG(soft.second), soft.integer, soft.sw, F80_ARG(host.value),
		       F80_ARG(host.second), host.integer, host.sw);
}

static void run_mode(struct run *run)
{
	uint64_t rng = run->fcw;

	each_pair(specials, ARRAY_SIZE(specials), run->op->operands, check_one, run);
	for (unsigned i = 0; i < RANDOM_RUNS; i++) {
		unsigned base = (unsigned)rng_next(&rng), far = (unsigned)rng_next(&rng);
		struct f80 v[2];

		if (run->op->operands == 1 && (i & 1))
			base = 0x3fff + 70 - far % 144; /* where integers are */
		v[0] = random_operand(base, &rng);
		v[1] = random_operand(i & 1 ? base : far, &rng);
		if (i % 4 == 2) /* FSCALE: within what an exponent can hold */
			v[1].sexp = (uint16_t)((v[1].sexp & 0x8000) | (0x3fff + far % 17));
		check_one(run, v);
	}
}

/* Rounding and precision control, and whether overflow and underflow are unmasked. */
static void test_op(gconstpointer data)
{
	static const uint16_t precisions[3] = { 0x300, 0x200, 0x000 };
	struct run run = { .op = data, .digest = DIGEST_START };

	for (unsigned mode = 0; mode < 24; mode++) {
		run.fcw = (uint16_t)((mode & 3) << 10 | precisions[mode / 4 % 3] |
				     (mode < 12 ? FP_ALL_FLAGS
						: FP_ALL_FLAGS & ~(FP_OVERFLOW | FP_UNDERFLOW)));
		run_mode(&run);
	}
	digest_check(run.op->name, run.digest, run.op->digest);
}

/* Where processors differ: of the two ways, ours is the same on every host. */
static void test_a_tiny_operand_passed_on_underflows(void)
{
	const struct f80 tiny = { 0x5a2000, 0x8000 }, zero = { 0, 0 }, inf = { BIT(63), 0x7fff };
	const struct f80 wrapped = { 0xb440000000000000, 0x8000 | (X87_WRAP - 40) };
	struct fp_env env = fp_env_x87(0x300 | (FP_ALL_FLAGS & ~FP_UNDERFLOW));

	g_assert_true(f80_same(f80_scale(tiny, zero, &env), wrapped));
	g_assert_cmphex(env.flags, ==, FP_DENORMAL | FP_UNDERFLOW);
	env.flags = 0;
	g_assert_true(f80_same(f80_prem(tiny, inf, &env).value, wrapped));
	g_assert_true(f80_same(f80_prem1(tiny, inf, &env).value, wrapped));
	g_assert_cmphex(env.flags, ==, FP_DENORMAL | FP_UNDERFLOW);
	env = fp_env_x87(0x300 | FP_ALL_FLAGS);
	g_assert_true(f80_same(f80_scale(tiny, zero, &env), tiny));
	g_assert_true(f80_same(f80_prem(tiny, inf, &env).value, tiny));
	g_assert_cmphex(env.flags, ==, FP_DENORMAL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		char *path = g_strconcat("/base/f80/", ops[i].name, NULL);

		g_test_add_data_func(path, &ops[i], test_op);
		g_free(path);
	}
	g_test_add_func("/base/f80/a_tiny_operand_passed_on_underflows",
			test_a_tiny_operand_passed_on_underflows);
	return g_test_run();
}
