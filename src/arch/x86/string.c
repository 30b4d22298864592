/* arch/x86/string.c - string instructions with REP: page by page where both ends hit the soft TLB,
 * element by element where not.
 *
 * Each call does a bounded amount of work and leaves rCX, rSI and rDI true after every element, so
 * a fault or an interrupt in the middle finds the state the architecture promises (SDM 2 "REP").
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/seg_check.h"
#include "arch/x86/sys.h"

enum { PAGE = 4096, CALL_BYTES = 64 * 1024 };

struct string {
	struct x86_cpu *c;
	unsigned size, asize, seg;
	uint64_t mask;  /* of addresses */
	int64_t step;   /* +size or -size */
	uint64_t left;  /* elements to do in all */
	uint64_t quota; /* elements this call may do */
	bool counts;    /* rCX is used */
	uint32_t what;
};

static void string_begin(struct string *s, void *env, uint64_t what)
{
	struct x86_cpu *c = env;

	*s = (struct string){
		.c = c,
		.size = what & STRING_SIZE,
		.asize = what >> STRING_ASIZE_SHIFT & 0xff,
		.seg = what >> STRING_SEG_SHIFT & 0xff,
		.counts = !(what & STRING_ONCE),
		.what = (uint32_t)what,
	};
	s->mask = UINT64_MAX >> (64 - 8 * s->asize);
	s->step = c->rflags & FL_DF ? -(int64_t)s->size : (int64_t)s->size;
	s->left = s->counts ? c->gpr[RCX] & s->mask : 1;
	s->quota = what & STRING_ONE ? 1 : CALL_BYTES / s->size;
	if (s->quota > s->left)
		s->quota = s->left;
}

static void put_index(struct string *s, unsigned reg, uint64_t v)
{
	uint64_t keep = s->asize == 2 ? ~s->mask : 0;

	s->c->gpr[reg] = (s->c->gpr[reg] & keep) | (v & s->mask);
}

/* n elements are done; rSI, rDI by the flags. */
static void string_advance(struct string *s, uint64_t n, bool si, bool di)
{
	uint64_t bytes = n * (uint64_t)s->step;

	if (si)
		put_index(s, RSI, s->c->gpr[RSI] + bytes);
	if (di)
		put_index(s, RDI, s->c->gpr[RDI] + bytes);
	s->left -= n;
	s->quota -= n;
	if (s->counts)
		put_index(s, RCX, s->left);
}

/* May the call go on?  Not when its share is used up, somebody waits, or translated code changed.
 */
static bool string_goes_on(const struct string *s)
{
	return s->quota && !s->c->env.code_stored &&
	       !(s->c->env.exit_request &&
		 atomic_load_explicit(s->c->env.exit_request, memory_order_relaxed));
}

static unsigned index_seg(const struct string *s, unsigned reg)
{
	return reg == RSI ? s->seg : SEG_ES;
}

/* Linear address of the element at rSI or rDI. */
static bool string_linear(struct string *s, unsigned reg, bool is_write, gva_t *addr)
{
	struct x86_cpu *c = s->c;
	unsigned seg = index_seg(s, reg);
	uint64_t offset = c->gpr[reg] & s->mask;

	if (c->env.mode & MODE_CODE64)
		*addr = offset + (seg == SEG_FS || seg == SEG_GS ? c->seg[seg].base : 0);
	else if (!x86_seg_check(c, seg, (uint32_t)offset, s->size, is_write, addr))
		return false;
	if (c->env.mode & MODE_ALIGN && *addr & (s->size - 1))
		return x86_raise_code(c, EXC_AC, 0);
	return true;
}

/* Host bytes of up to *n elements from rSI or rDI on, in the direction of travel, all on one page
 * that the soft TLB holds: points at the lowest.  NULL: take the slow way for one. */
static uint8_t *string_span(struct string *s, unsigned reg, bool is_write, uint64_t *n)
{
	struct x86_cpu *c = s->c;
	unsigned seg = index_seg(s, reg), in_page;
	uint64_t offset = c->gpr[reg] & s->mask, fit, low;
	const struct tlb_entry *e;
	gva_t addr;
	void *host;

	if (c->env.mode & MODE_ALIGN)
		return NULL;
	addr = offset + c->seg[seg].base;
	if (c->env.mode & MODE_CODE64)
		addr = offset + (seg == SEG_FS || seg == SEG_GS ? c->seg[seg].base : 0);
	else
		addr = (uint32_t)addr;
	in_page = addr & (PAGE - 1);
	if (in_page + s->size > PAGE)
		return NULL;
	fit = s->step > 0 ? (PAGE - in_page) / s->size : in_page / s->size + 1;
	if (s->step > 0 && fit > (s->mask - offset) / s->size + 1)
		fit = (s->mask - offset) / s->size + 1;
	if (s->step < 0 && fit > offset / s->size + 1)
		fit = offset / s->size + 1;
	if (*n > fit)
		*n = fit;
	low = s->step > 0 ? 0 : (*n - 1) * s->size;
	if (!(c->env.mode & MODE_CODE64) && !x86_seg_allows(&c->seg[seg], (uint32_t)(offset - low),
							    (unsigned)(*n * s->size), is_write))
		return NULL;
	e = &c->env.tlb[c->env.view].e[is_write ? TLB_WRITE : TLB_READ][tlb_index(addr)];
	host = tlb_hit(e, addr, s->size);
	return host ? (uint8_t *)host - low : NULL;
}

/* ---- MOVS ---- */

/* As the element-wise copy does it: with overlap, what was stored is read again. */
static void copy_span(const struct string *s, uint8_t *dst, const uint8_t *src, uint64_t n)
{
	uint64_t bytes = n * s->size;
	bool again = s->step > 0 ? dst > src && dst < src + bytes : src > dst && src < dst + bytes;

	if (!again) {
		memmove(dst, src, bytes);
		return;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = (s->step > 0 ? i : n - 1 - i) * s->size, v = 0;

		memcpy(&v, src + at, s->size);
		memcpy(dst + at, &v, s->size);
	}
}

static bool movs_slow(struct string *s)
{
	unsigned view = s->c->env.view;
	gva_t from, to;
	uint64_t v;

	return string_linear(s, RSI, false, &from) && x86_load(s->c, view, from, s->size, &v) &&
	       string_linear(s, RDI, true, &to) && x86_store(s->c, view, to, s->size, v);
}

static uint64_t movs_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	struct string s;

	(void)b, (void)x;
	string_begin(&s, env, what);
	while (s.quota) {
		uint64_t n = s.quota;
		uint8_t *src = string_span(&s, RSI, false, &n), *dst = NULL;
		uint64_t m = n;

		if (src)
			dst = string_span(&s, RDI, true, &m);
		if (dst) {
			if (s.step < 0)
				src += (n - m) * s.size;
			n = m;
			copy_span(&s, dst, src, n);
		} else {
			n = 1;
			if (!movs_slow(&s))
				return 0;
		}
		string_advance(&s, n, true, true);
		if (!string_goes_on(&s))
			break;
	}
	return !s.left;
}

/* ---- STOS, LODS ---- */

static void fill_span(uint8_t *dst, uint64_t v, unsigned size, uint64_t n)
{
	if (size == 1) {
		memset(dst, (int)v, n);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		memcpy(dst + i * size, &v, size);
}

static uint64_t stos_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	struct string s;

	(void)b, (void)x;
	string_begin(&s, env, what);
	while (s.quota) {
		uint64_t n = s.quota, v = s.c->gpr[RAX];
		uint8_t *dst = string_span(&s, RDI, true, &n);
		gva_t to;

		if (dst) {
			fill_span(dst, v, s.size, n);
		} else {
			n = 1;
			if (!string_linear(&s, RDI, true, &to) ||
			    !x86_store(s.c, s.c->env.view, to, s.size, v))
				return 0;
		}
		string_advance(&s, n, false, true);
		if (!string_goes_on(&s))
			break;
	}
	return !s.left;
}

static uint64_t lods_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	struct string s;

	(void)b, (void)x;
	string_begin(&s, env, what);
	while (s.quota) {
		uint64_t v, keep = s.size < 4 ? ~UINT64_C(0) << (8 * s.size) : 0;
		gva_t from;

		if (!string_linear(&s, RSI, false, &from) ||
		    !x86_load(s.c, s.c->env.view, from, s.size, &v))
			return 0;
		s.c->gpr[RAX] = (s.c->gpr[RAX] & keep) | v;
		string_advance(&s, 1, true, false);
		if (!string_goes_on(&s))
			break;
	}
	return !s.left;
}

/* ---- CMPS, SCAS ---- */

/* Flags of a - b. */
static void compare_flags(struct x86_cpu *c, unsigned size, uint64_t a, uint64_t b)
{
	uint64_t mask = UINT64_MAX >> (64 - 8 * size), sign = BIT(8 * size - 1);
	uint64_t r = (a - b) & mask;
	uint32_t f = 0;

	f |= (a & mask) < (b & mask) ? FL_CF : 0;
	f |= __builtin_parity((uint8_t)r) ? 0 : FL_PF;
	f |= (a ^ b ^ r) & 0x10 ? FL_AF : 0;
	f |= r ? 0 : FL_ZF;
	f |= r & sign ? FL_SF : 0;
	f |= (a ^ b) & (a ^ r) & sign ? FL_OF : 0;
	c->rflags = (c->rflags & ~(uint32_t)IR_FLAGS_ALL) | f;
}

/* The element at rSI or rDI. */
static bool string_element(struct string *s, unsigned reg, uint64_t *v)
{
	uint64_t one = 1;
	const uint8_t *host = string_span(s, reg, false, &one);
	gva_t addr;

	*v = 0;
	if (host) {
		memcpy(v, host, s->size);
		return true;
	}
	return string_linear(s, reg, false, &addr) &&
	       x86_load(s->c, s->c->env.view, addr, s->size, v);
}

static uint64_t compare(void *env, uint64_t what, bool is_scas)
{
	uint64_t a, b, left_a = 0, left_b = 0;
	bool any = false, stop = false;
	struct string s;

	string_begin(&s, env, what);
	while (s.quota && !stop) {
		a = s.c->gpr[RAX];
		if ((!is_scas && !string_element(&s, RSI, &a)) || !string_element(&s, RDI, &b))
			break;
		a &= UINT64_MAX >> (64 - 8 * s.size);
		left_a = a;
		left_b = b;
		any = true;
		string_advance(&s, 1, !is_scas, true);
		stop = (a == b) == !!(what & STRING_WHILE_NE);
		if (!stop && !string_goes_on(&s))
			break;
	}
	if (any && !s.c->env.fault) /* a fault leaves the flags of before */
		compare_flags(s.c, s.size, left_a, left_b);
	return stop || !s.left;
}

static uint64_t cmps_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	(void)b, (void)x;
	return compare(env, what, false);
}

static uint64_t scas_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	(void)b, (void)x;
	return compare(env, what, true);
}

/* ---- INS, OUTS ---- */

static bool ins_one(struct string *s, uint16_t port)
{
	struct x86_cpu *c = s->c;
	uint64_t old = 0;
	gva_t to;

	/* the store must be sure to succeed before the device is read */
	return x86_io_check(c, port, s->size) && string_linear(s, RDI, true, &to) &&
	       c->env.mem->load(&c->env, c->env.view, to, s->size, true, &old) &&
	       x86_store(c, c->env.view, to, s->size, x86_io_in(c, port, s->size));
}

static uint64_t ins_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	struct string s;

	(void)b, (void)x;
	string_begin(&s, env, what);
	while (s.quota) {
		if (!ins_one(&s, (uint16_t)s.c->gpr[RDX]))
			return 0;
		string_advance(&s, 1, false, true);
		if (!string_goes_on(&s))
			break;
	}
	return !s.left;
}

static uint64_t outs_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	struct string s;

	(void)b, (void)x;
	string_begin(&s, env, what);
	while (s.quota) {
		uint16_t port = (uint16_t)s.c->gpr[RDX];
		uint64_t v;
		gva_t from;

		if (!x86_io_check(s.c, port, s.size) || !string_linear(&s, RSI, false, &from) ||
		    !x86_load(s.c, s.c->env.view, from, s.size, &v))
			return 0;
		x86_io_out(s.c, port, s.size, v);
		string_advance(&s, 1, true, false);
		if (!string_goes_on(&s))
			break;
	}
	return !s.left;
}

const struct ir_helper x86_movs_helper = { .name = "movs", .fn = movs_fn, .can_fault = true };
const struct ir_helper x86_stos_helper = { .name = "stos", .fn = stos_fn, .can_fault = true };
const struct ir_helper x86_lods_helper = { .name = "lods", .fn = lods_fn, .can_fault = true };
const struct ir_helper x86_cmps_helper = {
	.name = "cmps",
	.fn = cmps_fn,
	.can_fault = true,
	.reads_flags = true,
	.writes_flags = true,
};
const struct ir_helper x86_scas_helper = {
	.name = "scas",
	.fn = scas_fn,
	.can_fault = true,
	.reads_flags = true,
	.writes_flags = true,
};
const struct ir_helper x86_ins_helper = {
	.name = "ins",
	.fn = ins_fn,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_outs_helper = {
	.name = "outs",
	.fn = outs_fn,
	.can_fault = true,
	.reads_pc = true,
};
