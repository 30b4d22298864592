/* arch/x86/int_helpers.c - C functions behind integer instructions: what IR has no operation for.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"

#include <errno.h>
#include <sys/random.h>

#include "arch/x86/sys.h"

static void put_gpr(struct x86_cpu *c, unsigned size, unsigned r, uint64_t v)
{
	uint64_t mask = size == 2 ? 0xffff : UINT64_MAX;

	if (size == 4)
		v = (uint32_t)v;
	c->gpr[r] = (c->gpr[r] & ~mask) | (v & mask);
}

/* ---- DIV, IDIV ---- */

static void put_quotient(struct x86_cpu *c, unsigned size, uint64_t quotient, uint64_t remainder)
{
	if (size == 1) {
		put_gpr(c, 2, RAX, (remainder & 0xff) << 8 | (quotient & 0xff));
	} else {
		put_gpr(c, size, RAX, quotient);
		put_gpr(c, size, RDX, remainder);
	}
}

/* The dividend of 2 * size bytes, size at most 4: AX, or DX:AX, EDX:EAX. */
static uint64_t dividend(const struct x86_cpu *c, unsigned size)
{
	uint64_t mask = BIT(8 * size) - 1;

	if (size == 1)
		return c->gpr[RAX] & 0xffff;
	return (c->gpr[RDX] & mask) << 8 * size | (c->gpr[RAX] & mask);
}

/* RDX:RAX.  The quotient fits where the upper half is less than the divisor; nearly always that is
 * 0, and the division one of 64 bits. */
static uint64_t div_64(struct x86_cpu *c, uint64_t divisor)
{
	uint64_t low = c->gpr[RAX], high = c->gpr[RDX];
	unsigned __int128 n;

	if (high >= divisor)
		return x86_raise(c, EXC_DE);
	if (!high) {
		put_quotient(c, 8, low / divisor, low % divisor);
		return 0;
	}
	n = (unsigned __int128)high << 64 | low;
	low = (uint64_t)(n / divisor);
	put_quotient(c, 8, low, (uint64_t)n - low * divisor);
	return 0;
}

/* The quotient must fit size bytes: #DE. */
static uint64_t div_fn(void *env, uint64_t divisor, uint64_t size, uint64_t unused)
{
	struct x86_cpu *c = env;
	uint64_t n, q;

	(void)unused;
	if (size == 8)
		return div_64(c, divisor);
	n = dividend(c, (unsigned)size);
	divisor &= BIT(8 * size) - 1;
	if (n >> 8 * size >= divisor) /* also 0 */
		return x86_raise(c, EXC_DE);
	q = n / divisor;
	put_quotient(c, (unsigned)size, q, n - q * divisor);
	return 0;
}

/* RDX:RAX, signed. */
static uint64_t idiv_64(struct x86_cpu *c, int64_t d)
{
	int64_t low = (int64_t)c->gpr[RAX];
	__int128 n, q;

	if (!d)
		return x86_raise(c, EXC_DE);
	if ((int64_t)c->gpr[RDX] == low >> 63 && d != -1) {
		put_quotient(c, 8, (uint64_t)(low / d), (uint64_t)(low % d));
		return 0;
	}
	n = (__int128)((unsigned __int128)c->gpr[RDX] << 64 | (uint64_t)low);
	/* by -1 the one quotient that may overflow 128 bits; it does not fit either */
	q = d == -1 ? (__int128)(0 - (unsigned __int128)n) : n / d;
	if (q != (int64_t)q || (d == -1 && n < 0 && q < 0))
		return x86_raise(c, EXC_DE);
	put_quotient(c, 8, (uint64_t)q, (uint64_t)n - (uint64_t)q * (uint64_t)d);
	return 0;
}

static uint64_t idiv_fn(void *env, uint64_t divisor, uint64_t size, uint64_t unused)
{
	unsigned bits = 8 * (unsigned)size;
	int64_t d = sign_extend(divisor, bits), n, q;
	struct x86_cpu *c = env;

	(void)unused;
	if (size == 8)
		return idiv_64(c, d);
	n = sign_extend(dividend(c, (unsigned)size), 2 * bits);
	if (!d || (d == -1 && n == INT64_MIN))
		return x86_raise(c, EXC_DE);
	q = n / d;
	if (q != sign_extend((uint64_t)q, bits))
		return x86_raise(c, EXC_DE);
	put_quotient(c, (unsigned)size, (uint64_t)q, (uint64_t)(n - q * d));
	return 0;
}

const struct ir_helper x86_div_helper = {
	.name = "div", .fn = div_fn, .can_fault = true, .host_op = IR_HOST_DIV
};
const struct ir_helper x86_idiv_helper = {
	.name = "idiv", .fn = idiv_fn, .can_fault = true, .host_op = IR_HOST_IDIV
};

/* ---- decimal (SDM 2, each instruction's page) ---- */

static void set_al_flags(struct x86_cpu *c, uint8_t al, uint32_t carry)
{
	uint32_t f = carry;

	f |= al ? 0 : FL_ZF;
	f |= al & 0x80 ? FL_SF : 0;
	f |= __builtin_parity(al) ? 0 : FL_PF;
	c->rflags = (c->rflags & ~(uint32_t)IR_FLAGS_ALL) | f;
}

static uint64_t decimal_adjust(struct x86_cpu *c, bool subtract)
{
	uint8_t old = (uint8_t)c->gpr[RAX], al = old;
	bool carry_in = c->rflags & FL_CF;
	uint32_t f = 0;

	if ((old & 15) > 9 || c->rflags & FL_AF) {
		f |= FL_AF;
		f |= carry_in || (subtract ? old < 6 : old > 0xf9) ? FL_CF : 0;
		al = (uint8_t)(subtract ? al - 6 : al + 6);
	}
	if (old > 0x99 || carry_in) {
		f |= FL_CF;
		al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
	} else if (!subtract) {
		f &= ~(uint32_t)FL_CF;
	}
	c->gpr[RAX] = (c->gpr[RAX] & ~UINT64_C(0xff)) | al;
	set_al_flags(c, al, f);
	return 0;
}

static uint64_t daa_fn(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	(void)a, (void)b, (void)x;
	return decimal_adjust(env, false);
}

static uint64_t das_fn(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	(void)a, (void)b, (void)x;
	return decimal_adjust(env, true);
}

static uint64_t ascii_adjust(struct x86_cpu *c, bool subtract)
{
	uint16_t ax = (uint16_t)c->gpr[RAX];
	uint32_t f = 0;

	if ((ax & 15) > 9 || c->rflags & FL_AF) {
		ax = (uint16_t)(subtract ? ax - 0x106 : ax + 0x106);
		f = FL_AF | FL_CF;
	}
	ax &= 0xff0f;
	put_gpr(c, 2, RAX, ax);
	set_al_flags(c, (uint8_t)ax, f);
	return 0;
}

static uint64_t aaa_fn(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	(void)a, (void)b, (void)x;
	return ascii_adjust(env, false);
}

static uint64_t aas_fn(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	(void)a, (void)b, (void)x;
	return ascii_adjust(env, true);
}

static uint64_t aam_fn(void *env, uint64_t base, uint64_t b, uint64_t x)
{
	struct x86_cpu *c = env;
	uint8_t al = (uint8_t)c->gpr[RAX];

	(void)b, (void)x;
	if (!base)
		return x86_raise(c, EXC_DE);
	put_gpr(c, 2, RAX, (al / base) << 8 | al % base);
	set_al_flags(c, (uint8_t)(al % base), 0);
	return 0;
}

static uint64_t aad_fn(void *env, uint64_t base, uint64_t b, uint64_t x)
{
	struct x86_cpu *c = env;
	uint8_t al = (uint8_t)(c->gpr[RAX] + (c->gpr[RAX] >> 8 & 0xff) * base);

	(void)b, (void)x;
	put_gpr(c, 2, RAX, al);
	set_al_flags(c, al, 0);
	return 0;
}

#define FLAGS_HELPER(id)                                                            \
	{                                                                           \
		.name = #id, .fn = id##_fn, .can_fault = true, .reads_flags = true, \
		.writes_flags = true                                                \
	}
const struct ir_helper x86_daa_helper = FLAGS_HELPER(daa);
const struct ir_helper x86_das_helper = FLAGS_HELPER(das);
const struct ir_helper x86_aaa_helper = FLAGS_HELPER(aaa);
const struct ir_helper x86_aas_helper = FLAGS_HELPER(aas);
const struct ir_helper x86_aam_helper = FLAGS_HELPER(aam);
const struct ir_helper x86_aad_helper = FLAGS_HELPER(aad);

/* ---- BMI, CRC32, random numbers ---- */

static uint64_t bextr_fn(void *env, uint64_t src, uint64_t control, uint64_t unused)
{
	unsigned start = control & 0xff, len = control >> 8 & 0xff;

	(void)env, (void)unused;
	if (start > 63 || !len)
		return 0;
	return src >> start & (len > 63 ? UINT64_MAX : BIT(len) - 1);
}

static uint64_t pext_fn(void *env, uint64_t src, uint64_t mask, uint64_t unused)
{
	uint64_t r = 0;

	(void)env, (void)unused;
	for (unsigned n = 0; mask; mask &= mask - 1, n++)
		r |= (src >> __builtin_ctzll(mask) & 1) << n;
	return r;
}

static uint64_t pdep_fn(void *env, uint64_t src, uint64_t mask, uint64_t unused)
{
	uint64_t r = 0;

	(void)env, (void)unused;
	for (; mask; mask &= mask - 1, src >>= 1)
		r |= (src & 1) << __builtin_ctzll(mask);
	return r;
}

/* CRC-32C, bits reflected, no complement: SDM 2 "CRC32". */
static uint64_t crc32_fn(void *env, uint64_t crc, uint64_t data, uint64_t size)
{
	enum { POLY = 0x82f63b78 };
	uint32_t r = (uint32_t)crc;

	(void)env;
	for (unsigned i = 0; i < size; i++) {
		r ^= (uint8_t)(data >> (8 * i));
		for (unsigned bit = 0; bit < 8; bit++)
			r = r >> 1 ^ (r & 1 ? POLY : 0);
	}
	return r;
}

static uint64_t random_fn(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	uint64_t v = 0;

	(void)env, (void)a, (void)b, (void)x;
	while (getrandom(&v, sizeof(v), 0) < 0 && errno == EINTR)
		;
	return v;
}

const struct ir_helper x86_bextr_helper = { .name = "bextr", .fn = bextr_fn, .is_pure = true };
const struct ir_helper x86_pext_helper = { .name = "pext", .fn = pext_fn, .is_pure = true };
const struct ir_helper x86_pdep_helper = { .name = "pdep", .fn = pdep_fn, .is_pure = true };
const struct ir_helper x86_crc32_helper = { .name = "crc32", .fn = crc32_fn, .is_pure = true };
const struct ir_helper x86_random_helper = { .name = "random", .fn = random_fn, .runs_once = true };

/* ---- CMPXCHG16B ---- */

/* Result: 1 when rDX:rAX were equal to memory, and rCX:rBX are stored. */
static uint64_t cmpxchg16b_fn(void *env, uint64_t addr, uint64_t b, uint64_t x)
{
	struct x86_cpu *c = env;
	const struct jit_mem_ops *mem = c->env.mem;
	uint64_t want[2] = { c->gpr[RAX], c->gpr[RDX] }, src[2] = { c->gpr[RBX], c->gpr[RCX] };
	uint64_t found[2] = { want[0], want[1] };
	bool fault = false, equal;
	unsigned view = c->env.view;
	unsigned __int128 *host = mem->atomic_ptr(&c->env, view, addr, 16, &fault);

	(void)b, (void)x;
	if (fault)
		return 0;
	if (host) {
		equal = __atomic_compare_exchange(host, (unsigned __int128 *)(void *)found,
						  (unsigned __int128 *)(void *)src, false,
						  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		mem->stored(&c->env, view, addr, 16);
	} else {
		mem->exclusive_begin(&c->env);
		equal = mem->load(&c->env, view, addr, 16, true, found) && found[0] == want[0] &&
			found[1] == want[1];
		if (!c->env.fault)
			mem->store(&c->env, view, addr, 16, equal ? src : found);
		mem->exclusive_end(&c->env);
		if (c->env.fault)
			return 0;
	}
	if (!equal) {
		c->gpr[RAX] = found[0];
		c->gpr[RDX] = found[1];
	}
	return equal;
}

const struct ir_helper x86_cmpxchg16b_helper = {
	.name = "cmpxchg16b",
	.fn = cmpxchg16b_fn,
	.can_fault = true,
};

/* ---- PUSHF, POPF (SDM 2; VME: SDM 3A 20.3) ---- */

static uint64_t pushf_fn(void *env, uint64_t size, uint64_t b, uint64_t x)
{
	struct x86_cpu *c = env;
	uint32_t fl = c->rflags & ~(uint32_t)(FL_VM | FL_RF);

	(void)b, (void)x;
	if (!x86_is_vm86(c) || x86_iopl(c) == 3)
		return fl;
	if (!(c->cr4 & CR4_VME) || size != 2)
		return x86_raise_code(c, EXC_GP, 0);
	fl = (fl & ~(uint32_t)FL_IF) | FL_IOPL;
	return c->rflags & FL_VIF ? fl | FL_IF : fl;
}

static uint64_t popf_vme(struct x86_cpu *c, uint32_t fl, uint64_t size)
{
	uint32_t mask = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_TF | FL_DF | FL_OF | FL_NT |
			FL_VIF;

	if (!(c->cr4 & CR4_VME) || size != 2 || fl & FL_TF ||
	    ((fl & FL_IF) && (c->rflags & FL_VIP)))
		return x86_raise_code(c, EXC_GP, 0);
	fl = (fl & ~(uint32_t)FL_VIF) | (fl & FL_IF ? FL_VIF : 0);
	x86_rflags_set(c, fl, mask);
	return 0;
}

static uint64_t popf_fn(void *env, uint64_t value, uint64_t size, uint64_t x)
{
	struct x86_cpu *c = env;
	uint32_t mask = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_TF | FL_DF | FL_OF | FL_NT;
	uint32_t fl = (uint32_t)value & ~(uint32_t)FL_RF;

	(void)x;
	if (x86_is_vm86(c) && x86_iopl(c) < 3)
		return popf_vme(c, fl, size);
	if (size > 2)
		mask |= FL_RF | FL_AC | FL_ID;
	if (x86_cpl(c) <= x86_iopl(c))
		mask |= FL_IF;
	if (x86_cpl(c) == 0)
		mask |= FL_IOPL;
	x86_rflags_set(c, fl, mask);
	return 0;
}

const struct ir_helper x86_pushf_helper = {
	.name = "pushf",
	.fn = pushf_fn,
	.can_fault = true,
	.reads_flags = true,
};
const struct ir_helper x86_popf_helper = {
	.name = "popf",
	.fn = popf_fn,
	.runs_once = true,
	.can_fault = true,
	.reads_flags = true,
	.writes_flags = true,
	.ends_block = true,
};

static uint64_t direction_fn(void *env, uint64_t down, uint64_t b, uint64_t x)
{
	(void)b, (void)x;
	x86_rflags_set(env, down ? FL_DF : 0, FL_DF);
	return 0;
}

const struct ir_helper x86_direction_helper = {
	.name = "direction",
	.fn = direction_fn,
	.ends_block = true,
};

/* ---- port I/O, x87 errors ---- */

static uint64_t in_fn(void *env, uint64_t port, uint64_t size, uint64_t x)
{
	(void)x;
	if (!x86_io_check(env, (uint16_t)port, (unsigned)size))
		return 0;
	return x86_io_in(env, (uint16_t)port, (unsigned)size);
}

static uint64_t out_fn(void *env, uint64_t port, uint64_t size, uint64_t value)
{
	if (x86_io_check(env, (uint16_t)port, (unsigned)size))
		x86_io_out(env, (uint16_t)port, (unsigned)size, value);
	return 0;
}

static uint64_t pending_x87_fn(void *env, uint64_t a, uint64_t b, uint64_t x)
{
	struct x86_cpu *c = env;

	(void)a, (void)b, (void)x;
	if (c->cr0 & CR0_NE)
		return x86_raise(c, EXC_MF);
	x86_ferr(c, true);
	return 0;
}

const struct ir_helper x86_in_helper = {
	.name = "in",
	.fn = in_fn,
	.runs_once = true,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_out_helper = {
	.name = "out",
	.fn = out_fn,
	.runs_once = true,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_pending_x87_helper = {
	.name = "pending_x87",
	.fn = pending_x87_fn,
	.can_fault = true,
};
