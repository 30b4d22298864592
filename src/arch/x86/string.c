/* arch/x86/string.c - string instructions with REP: page by page where both ends hit the soft TLB,
 * element by element where not (devices, pages that hold code or are watched, page crossings).
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
	unsigned size, shift; /* bytes of an element, and log2 of it */
	unsigned asize, seg;
	uint64_t mask;     /* of addresses */
	uint64_t src_base; /* of rSI's segment, as the mode counts it; rDI's is dst_base */
	uint64_t dst_base;
	uint64_t linear_mask; /* of linear addresses */
	int64_t step;         /* +size or -size */
	uint64_t left;        /* elements to do in all */
	uint64_t quota;       /* elements this call may do */
	bool is_64;
	bool counts; /* rCX is used */
	bool while_ne;
};

static void string_begin(struct string *s, void *env, uint64_t what)
{
	struct x86_cpu *c = env;
	bool is_64 = c->env.mode & MODE_CODE64;

	s->c = c;
	s->size = what & STRING_SIZE;
	s->shift = (unsigned)__builtin_ctz(s->size);
	s->asize = what >> STRING_ASIZE_SHIFT & 0xff;
	s->seg = what >> STRING_SEG_SHIFT & 0xff;
	s->mask = UINT64_MAX >> (64 - 8 * s->asize);
	s->is_64 = is_64;
	s->linear_mask = is_64 ? UINT64_MAX : UINT32_MAX;
	s->src_base = !is_64 || s->seg == SEG_FS || s->seg == SEG_GS ? c->seg[s->seg].base : 0;
	s->dst_base = is_64 ? 0 : c->seg[SEG_ES].base;
	s->step = c->rflags & FL_DF ? -(int64_t)s->size : (int64_t)s->size;
	s->counts = !(what & STRING_ONCE);
	s->while_ne = what & STRING_WHILE_NE;
	s->left = s->counts ? c->gpr[RCX] & s->mask : 1;
	s->quota = what & STRING_ONE ? 1 : CALL_BYTES >> s->shift;
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

/* Is the instruction done?  If not it runs again, from the next element on. */
static bool string_end(struct string *s, bool is_done)
{
	s->c->rep.is_open = !is_done;
	s->c->rep.pc = s->c->env.pc;
	s->c->rep.has_flags = false;
	return is_done;
}

/* May the call go on?  Not when its share is used up, somebody waits, or translated code changed.
 */
static bool string_goes_on(const struct string *s)
{
	return s->quota && !s->c->env.code_stored &&
	       !atomic_load_explicit(&s->c->env.exit_request, memory_order_relaxed);
}

static unsigned index_seg(const struct string *s, unsigned reg)
{
	return reg == RSI ? s->seg : SEG_ES;
}

static gva_t index_linear(const struct string *s, unsigned reg)
{
	uint64_t base = reg == RSI ? s->src_base : s->dst_base;

	return ((s->c->gpr[reg] & s->mask) + base) & s->linear_mask;
}

/* Linear address of the element at rSI or rDI. */
static bool string_linear(struct string *s, unsigned reg, bool is_write, gva_t *addr)
{
	struct x86_cpu *c = s->c;

	if (s->is_64)
		*addr = index_linear(s, reg);
	else if (!x86_seg_check(c, index_seg(s, reg), (uint32_t)(c->gpr[reg] & s->mask), s->size,
				is_write, addr))
		return false;
	if (c->env.mode & MODE_ALIGN && *addr & (s->size - 1))
		return x86_raise_code(c, EXC_AC, 0);
	return true;
}

/* How many elements from rSI or rDI on, in the direction of travel, lie on the page of the first,
 * which lies on it wholly, and end before the index register wraps. */
static uint64_t elements_in_page(const struct string *s, uint64_t offset, gva_t addr)
{
	uint64_t behind, room;

	if (s->step > 0) {
		behind = (PAGE - (addr & (PAGE - 1)) - s->size) >> s->shift;
		room = (s->mask - offset) >> s->shift;
	} else {
		behind = (addr & (PAGE - 1)) >> s->shift;
		room = offset >> s->shift;
	}
	return (behind < room ? behind : room) + 1;
}

/* The n elements from host on are to be stored to, and nobody tells of stores to the running block:
 * as many as leave it as it is; or if that is none, one, after which the block is left. */
static uint64_t elements_to_origin(struct string *s, const uint8_t *host, uint64_t n)
{
	const struct jit_origin *o = s->c->env.origin;
	uintptr_t first = (uintptr_t)host;

	for (unsigned k = 0; k < o->count; k++) {
		uintptr_t at = (uintptr_t)o->part[k].at, end = at + o->part[k].len;
		uint64_t before = UINT64_MAX;

		if (first < end && first + s->size > at)
			before = 0;
		else if (s->step > 0 && first < at)
			before = (at - first) >> s->shift;
		else if (s->step < 0 && first >= end)
			before = ((first - end) >> s->shift) + 1;
		if (!before)
			s->c->env.code_stored = true;
		if (before < n)
			n = before ? before : 1;
	}
	return n;
}

/* Host bytes of up to *n elements (at least one) from rSI or rDI on, in the direction of travel,
 * all on one page that the soft TLB holds: points at the lowest.  NULL: take the slow way for one.
 */
static uint8_t *string_span(struct string *s, unsigned reg, bool is_write, uint64_t *n)
{
	struct x86_cpu *c = s->c;
	uint64_t offset = c->gpr[reg] & s->mask, fit, low;
	gva_t addr = index_linear(s, reg);
	uint8_t *host = tlb_find(&c->env.tlb[c->env.view], is_write ? TLB_WRITE : TLB_READ, addr,
				 s->size);

	if (!host || c->env.mode & MODE_ALIGN)
		return NULL;
	fit = elements_in_page(s, offset, addr);
	if (*n > fit)
		*n = fit;
	if (unlikely(c->env.origin) && is_write)
		*n = elements_to_origin(s, host, *n);
	low = s->step > 0 ? 0 : (*n - 1) << s->shift;
	if (!s->is_64 && !x86_seg_allows(&c->seg[index_seg(s, reg)], (uint32_t)(offset - low),
					 (unsigned)(*n << s->shift), is_write))
		return NULL;
	return host - low;
}

/* Spans of the same *n elements at rSI (to be read) and rDI. */
static bool string_spans(struct string *s, bool is_write, uint64_t *n, uint8_t **src, uint8_t **dst)
{
	uint64_t m;

	*src = string_span(s, RSI, false, n);
	if (!*src)
		return false;
	m = *n;
	*dst = string_span(s, RDI, is_write, &m);
	if (!*dst)
		return false;
	if (s->step < 0)
		*src += (*n - m) << s->shift;
	*n = m;
	return true;
}

static uint64_t element_load(const uint8_t *p, unsigned size)
{
	switch (size) {
	case 1: return *p;
	case 2: return ld16_le(p);
	case 4: return ld32_le(p);
	default: return ld64_le(p);
	}
}

/* ---- MOVS ---- */

/* Overlap such that what was stored is read again, d >= size bytes on: bytes repeat with period d.
 * What is there doubles with each copy. */
static void copy_repeat_up(uint8_t *dst, const uint8_t *src, uint64_t d, uint64_t bytes)
{
	for (uint64_t done = 0, n; done < bytes; done += n) {
		n = d + done;
		if (n > bytes - done)
			n = bytes - done;
		memcpy(dst + done, src, n);
	}
}

static void copy_repeat_down(uint8_t *dst, const uint8_t *src, uint64_t d, uint64_t bytes)
{
	for (uint64_t done = 0, n; done < bytes; done += n) {
		n = d + done;
		if (n > bytes - done)
			n = bytes - done;
		memcpy(dst + bytes - done - n, src + bytes - n, n);
	}
}

/* Elements that overlap the one before: nothing but the definition will do. */
static void copy_elements(const struct string *s, uint8_t *dst, const uint8_t *src, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = (s->step > 0 ? i : n - 1 - i) << s->shift;
		uint64_t v = element_load(src + at, s->size);

		memcpy(dst + at, &v, s->size);
	}
}

/* As the copy element by element does it. */
static void copy_span(const struct string *s, uint8_t *dst, const uint8_t *src, uint64_t n)
{
	uint64_t bytes = n << s->shift;
	bool up = s->step > 0;
	/* how far ahead, in the direction of travel, the destination is */
	uint64_t d = up ? (uintptr_t)dst - (uintptr_t)src : (uintptr_t)src - (uintptr_t)dst;

	if (!d || d >= bytes) /* behind is ahead by more than there are addresses for */
		memmove(dst, src, bytes);
	else if (d < s->size)
		copy_elements(s, dst, src, n);
	else if (up)
		copy_repeat_up(dst, src, d, bytes);
	else
		copy_repeat_down(dst, src, d, bytes);
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
		uint8_t *src, *dst;

		if (string_spans(&s, true, &n, &src, &dst)) {
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
	return string_end(&s, !s.left);
}

/* ---- STOS, LODS ---- */

static void fill_span(uint8_t *dst, uint64_t v, unsigned size, uint64_t bytes)
{
	static const uint64_t ones[] = { [1] = UINT64_MAX / 0xff,
					 [2] = UINT64_MAX / 0xffff,
					 [4] = UINT64_MAX / UINT32_MAX,
					 [8] = 1 };
	uint64_t pattern[8];

	v = (size < 8 ? v & (BIT(8 * size) - 1) : v) * ones[size];
	if (v == (v & 0xff) * ones[1]) {
		memset(dst, (int)(v & 0xff), bytes);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(pattern); i++)
		pattern[i] = v;
	for (; bytes >= sizeof(pattern); bytes -= sizeof(pattern), dst += sizeof(pattern))
		memcpy(dst, pattern, sizeof(pattern));
	memcpy(dst, pattern, bytes);
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
			fill_span(dst, v, s.size, n << s.shift);
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
	return string_end(&s, !s.left);
}

static uint64_t lods_fn(void *env, uint64_t what, uint64_t b, uint64_t x)
{
	struct string s;

	(void)b, (void)x;
	string_begin(&s, env, what);
	while (s.quota) {
		uint64_t v, keep = s.size < 4 ? ~UINT64_C(0) << (8 * s.size) : 0, n = s.quota;
		const uint8_t *src = string_span(&s, RSI, false, &n);
		gva_t from;

		if (src) { /* of those in RAM only the last counts */
			v = element_load(src + (s.step > 0 ? (n - 1) << s.shift : 0), s.size);
		} else {
			n = 1;
			if (!string_linear(&s, RSI, false, &from) ||
			    !x86_load(s.c, s.c->env.view, from, s.size, &v))
				return 0;
		}
		s.c->gpr[RAX] = (s.c->gpr[RAX] & keep) | v;
		string_advance(&s, n, true, false);
		if (!string_goes_on(&s))
			break;
	}
	return string_end(&s, !s.left);
}

/* ---- CMPS, SCAS ---- */

/* Flags of a - b. */
static uint32_t compare_flags(unsigned size, uint64_t a, uint64_t b)
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
	return f;
}

/* One CMPS or SCAS instruction at work. */
struct compare {
	struct string s;
	bool is_scas;
	uint64_t a, b; /* the last pair */
	uint8_t *src;  /* spans; SCAS has no src */
	uint8_t *dst;
};

/* At least one pair was compared.  While more are to come, the flags count only for who looks in
 * between. */
static bool compare_end(struct compare *m, bool is_done)
{
	struct x86_cpu *c = m->s.c;
	uint32_t flags = compare_flags(m->s.size, m->a, m->b);

	string_end(&m->s, is_done);
	c->rep.has_flags = true;
	c->rep.flags = flags;
	if (is_done)
		c->rflags = (c->rflags & ~(uint32_t)IR_FLAGS_ALL) | flags;
	return is_done;
}

static bool compare_spans(struct compare *m, uint64_t *n)
{
	if (!m->is_scas)
		return string_spans(&m->s, false, n, &m->src, &m->dst);
	m->dst = string_span(&m->s, RDI, false, n);
	return m->dst;
}

static void compare_pair(struct compare *m, uint64_t n, uint64_t i)
{
	const struct string *s = &m->s;
	uint64_t at = (s->step > 0 ? i : n - 1 - i) << s->shift;

	if (!m->is_scas)
		m->a = element_load(m->src + at, s->size);
	m->b = element_load(m->dst + at, s->size);
}

/* Elements at the beginning of a span going up that cannot end a REPE: whole blocks that are equal
 * to the other operand or, with SCAS, whose first element is and that repeat it. */
static uint64_t compare_skip_equal(const struct compare *m, uint64_t n)
{
	enum { BLOCK = 256 };
	unsigned size = m->s.size;
	uint64_t at = 0, bytes = n << m->s.shift;

	for (; at + BLOCK <= bytes; at += BLOCK) {
		const uint8_t *p = m->dst + at;

		if (!m->is_scas
			    ? memcmp(p, m->src + at, BLOCK)
			    : element_load(p, size) != m->a || memcmp(p, p + size, BLOCK - size))
			break;
	}
	return at >> m->s.shift;
}

/* The first of n elements of the spans at which the instruction ends; n: none.  The pair that was
 * compared last is left in *m. */
static uint64_t compare_scan(struct compare *m, uint64_t n)
{
	const struct string *s = &m->s;
	uint64_t i = 0;

	if (s->step > 0 && !s->while_ne) {
		i = compare_skip_equal(m, n);
	} else if (s->step > 0 && m->is_scas && s->size == 1) {
		const uint8_t *found = memchr(m->dst, (int)m->a, n);

		i = found ? (uint64_t)(found - m->dst) : n;
	}
	if (i == n)
		compare_pair(m, n, n - 1);
	for (; i < n; i++) {
		compare_pair(m, n, i);
		if ((m->a == m->b) == s->while_ne)
			break;
	}
	return i;
}

/* The element at rSI or rDI. */
static bool compare_load(struct string *s, unsigned reg, uint64_t *v)
{
	gva_t addr;

	return string_linear(s, reg, false, &addr) &&
	       x86_load(s->c, s->c->env.view, addr, s->size, v);
}

static uint64_t compare(void *env, uint64_t what, bool is_scas)
{
	struct compare m = { .is_scas = is_scas };
	bool any = false, stop = false;
	struct string *s = &m.s;

	string_begin(s, env, what);
	if (is_scas)
		m.a = s->c->gpr[RAX] & (UINT64_MAX >> (64 - 8 * s->size));
	while (s->quota && !stop) {
		uint64_t n = s->quota, i;

		if (compare_spans(&m, &n)) {
			i = compare_scan(&m, n);
			stop = i < n;
			n = stop ? i + 1 : n;
		} else {
			n = 1;
			if ((!is_scas && !compare_load(s, RSI, &m.a)) ||
			    !compare_load(s, RDI, &m.b))
				return 0; /* a fault leaves the flags of before */
			stop = (m.a == m.b) == s->while_ne;
		}
		any = true;
		string_advance(s, n, !is_scas, true);
		if (!stop && !string_goes_on(s))
			break;
	}
	if (!any) /* rCX was 0 */
		return string_end(s, true);
	return compare_end(&m, stop || !s->left);
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
	return string_end(&s, !s.left);
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
	return string_end(&s, !s.left);
}

const struct ir_helper x86_movs_helper = {
	.name = "movs",
	.fn = movs_fn,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_stos_helper = {
	.name = "stos",
	.fn = stos_fn,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_lods_helper = {
	.name = "lods",
	.fn = lods_fn,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_cmps_helper = {
	.name = "cmps",
	.fn = cmps_fn,
	.can_fault = true,
	.reads_pc = true,
	.reads_flags = true,
	.writes_flags = true,
};
const struct ir_helper x86_scas_helper = {
	.name = "scas",
	.fn = scas_fn,
	.can_fault = true,
	.reads_pc = true,
	.reads_flags = true,
	.writes_flags = true,
};
const struct ir_helper x86_ins_helper = {
	.name = "ins",
	.fn = ins_fn,
	.runs_once = true,
	.can_fault = true,
	.reads_pc = true,
};
const struct ir_helper x86_outs_helper = {
	.name = "outs",
	.fn = outs_fn,
	.runs_once = true,
	.can_fault = true,
	.reads_pc = true,
};
