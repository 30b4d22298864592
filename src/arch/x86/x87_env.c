/* arch/x86/x87_env.c - x87 control: control and status word, environment and state images (SDM vol.
 * 1 §8.1, figures 8-9 to 8-12).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"
#include "arch/x86/x87.h"

enum { ENV_MAX = 28, REG_BYTES = 10, STATE_MAX = ENV_MAX + 8 * REG_BYTES };
enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

uint16_t x87_status(const struct x86_cpu *c)
{
	return (uint16_t)((c->fsw & ~FSW_TOP) | (unsigned)c->ftop << FSW_TOP_SHIFT);
}

static unsigned tag_of(const struct x86_f80 *r)
{
	switch (f80_classify((struct f80){ .frac = r->frac, .sexp = r->sexp })) {
	case F80_NORMAL: return TAG_VALID;
	case F80_ZERO: return TAG_ZERO;
	default: return TAG_SPECIAL;
	}
}

uint16_t x87_tags(const struct x86_cpu *c)
{
	unsigned tags = 0;

	for (unsigned r = 0; r < 8; r++)
		tags |= (c->ftag & 1u << r ? tag_of(&c->fpr[r]) : TAG_EMPTY) << 2 * r;
	return (uint16_t)tags;
}

void x87_update_es(struct x86_cpu *c)
{
	bool was_pending = c->fsw & FSW_ES;

	c->fsw &= (uint16_t) ~(FSW_ES | FSW_B);
	if (c->fsw & ~c->fcw & FP_ALL_FLAGS)
		c->fsw |= FSW_ES | FSW_B;
	else if (was_pending && !(c->cr0 & CR0_NE))
		x86_ferr(c, false);
}

static void load_control(struct x86_cpu *c, uint16_t v) { c->fcw = (v & FCW_VALID) | FCW_ONES; }

/* ---- the image of the environment ---- */

/* Real-mode formats hold linear addresses of 20 (16-bit) or 32 bits, and the opcode. */
static void env_put_real(const struct x86_cpu *c, bool is_32, uint8_t *p)
{
	uint32_t ip = ((uint32_t)c->fcs << 4) + (uint32_t)c->fip;
	uint32_t dp = ((uint32_t)c->fds << 4) + (uint32_t)c->fdp;

	if (is_32) {
		st32_le(p + 12, ip & 0xffff);
		st32_le(p + 16, ip >> 16 << 12 | c->fop);
		st32_le(p + 20, dp & 0xffff);
		st32_le(p + 24, dp >> 16 << 12);
	} else {
		st16_le(p + 6, (uint16_t)ip);
		st16_le(p + 8, (uint16_t)((ip >> 16 & 15) << 12 | c->fop));
		st16_le(p + 10, (uint16_t)dp);
		st16_le(p + 12, (uint16_t)((dp >> 16 & 15) << 12));
	}
}

static void env_put_protected(const struct x86_cpu *c, bool is_32, uint8_t *p)
{
	if (is_32) {
		st32_le(p + 12, (uint32_t)c->fip);
		st32_le(p + 16, c->fcs | (uint32_t)c->fop << 16);
		st32_le(p + 20, (uint32_t)c->fdp);
		st32_le(p + 24, c->fds | 0xffff0000);
	} else {
		st16_le(p + 6, (uint16_t)c->fip);
		st16_le(p + 8, c->fcs);
		st16_le(p + 10, (uint16_t)c->fdp);
		st16_le(p + 12, c->fds);
	}
}

/* Its length. */
static unsigned env_put(const struct x86_cpu *c, unsigned format, uint8_t *p)
{
	const bool is_32 = format & X87_ENV_32;

	if (is_32) {
		st32_le(p, c->fcw | 0xffff0000);
		st32_le(p + 4, x87_status(c) | 0xffff0000);
		st32_le(p + 8, x87_tags(c) | 0xffff0000);
	} else {
		st16_le(p, c->fcw);
		st16_le(p + 2, x87_status(c));
		st16_le(p + 4, x87_tags(c));
	}
	if (format & X87_ENV_REAL)
		env_put_real(c, is_32, p);
	else
		env_put_protected(c, is_32, p);
	return is_32 ? 28 : 14;
}

static void env_get_real(struct x86_cpu *c, bool is_32, const uint8_t *p)
{
	c->fcs = c->fds = 0;
	if (is_32) {
		c->fip = ld16_le(p + 12) | (ld32_le(p + 16) >> 12 & 0xffff) << 16;
		c->fop = ld16_le(p + 16) & 0x7ff;
		c->fdp = ld16_le(p + 20) | (ld32_le(p + 24) >> 12 & 0xffff) << 16;
	} else {
		c->fip = ld16_le(p + 6) | (uint32_t)(ld16_le(p + 8) >> 12) << 16;
		c->fop = ld16_le(p + 8) & 0x7ff;
		c->fdp = ld16_le(p + 10) | (uint32_t)(ld16_le(p + 12) >> 12) << 16;
	}
}

static void env_get_protected(struct x86_cpu *c, bool is_32, const uint8_t *p)
{
	if (is_32) {
		c->fip = ld32_le(p + 12);
		c->fcs = ld16_le(p + 16);
		c->fop = ld16_le(p + 18) & 0x7ff;
		c->fdp = ld32_le(p + 20);
		c->fds = ld16_le(p + 24);
	} else {
		c->fip = ld16_le(p + 6);
		c->fcs = ld16_le(p + 8);
		c->fop = 0;
		c->fdp = ld16_le(p + 10);
		c->fds = ld16_le(p + 12);
	}
}

static void env_get(struct x86_cpu *c, unsigned format, const uint8_t *p)
{
	const unsigned step = format & X87_ENV_32 ? 4 : 2;
	uint16_t fsw = ld16_le(p + step), tags = ld16_le(p + 2 * step);

	load_control(c, ld16_le(p));
	c->ftop = fsw >> FSW_TOP_SHIFT & 7;
	c->fsw = (uint16_t)((fsw & ~(FSW_TOP | FSW_ES | FSW_B)) | (c->fsw & FSW_ES));
	c->ftag = 0;
	for (unsigned r = 0; r < 8; r++)
		if ((tags >> 2 * r & 3) != TAG_EMPTY)
			c->ftag |= (uint8_t)(1u << r);
	if (format & X87_ENV_REAL)
		env_get_real(c, format & X87_ENV_32, p);
	else
		env_get_protected(c, format & X87_ENV_32, p);
	x87_update_es(c);
}

/* ---- helpers ---- */

/* FNSTENV masks all exceptions, FNSAVE initializes. */
uint64_t xh_fnstenv(void *env, uint64_t addr, uint64_t format, uint64_t unused)
{
	struct x86_cpu *c = env;
	uint8_t raw[STATE_MAX];
	unsigned len = env_put(c, (unsigned)format, raw);

	(void)unused;
	if (format & X87_ENV_REGS)
		for (unsigned i = 0; i < 8; i++, len += REG_BYTES) {
			struct f80 v = x87_get(c, i);

			st64_le(raw + len, v.frac);
			st16_le(raw + len + 8, v.sexp);
		}
	if (!x86_store_bytes(c, x86_view(c), addr, raw, len))
		return 0;
	if (format & X87_ENV_REGS)
		return xh_fninit(env, 0, 0, 0);
	c->fcw |= FP_ALL_FLAGS;
	x87_update_es(c);
	x86_mode_update_traps(c);
	return 0;
}

uint64_t xh_fldenv(void *env, uint64_t addr, uint64_t format, uint64_t unused)
{
	struct x86_cpu *c = env;
	uint8_t raw[STATE_MAX];
	const unsigned env_len = format & X87_ENV_32 ? 28 : 14;
	const unsigned len = env_len + (format & X87_ENV_REGS ? 8 * REG_BYTES : 0);

	(void)unused;
	if (!x86_load_bytes(c, x86_view(c), addr, raw, len))
		return 0;
	env_get(c, (unsigned)format, raw);
	if (format & X87_ENV_REGS)
		for (unsigned i = 0; i < 8; i++) {
			const uint8_t *p = raw + env_len + i * REG_BYTES;
			struct x86_f80 *r = &c->fpr[x87_reg(c, i)];

			r->frac = ld64_le(p);
			r->sexp = ld16_le(p + 8);
		}
	x86_mode_update_traps(c);
	return 0;
}

uint64_t xh_fldcw(void *env, uint64_t v, uint64_t unused1, uint64_t unused2)
{
	struct x86_cpu *c = env;

	(void)unused1;
	(void)unused2;
	load_control(c, (uint16_t)v);
	x87_update_es(c);
	x86_mode_update_traps(c);
	return 0;
}

uint64_t xh_fnclex(void *env, uint64_t unused1, uint64_t unused2, uint64_t unused3)
{
	struct x86_cpu *c = env;

	(void)unused1;
	(void)unused2;
	(void)unused3;
	c->fsw &= (uint16_t) ~(FP_ALL_FLAGS | FSW_SF);
	x87_update_es(c);
	x86_mode_update_traps(c);
	return 0;
}

uint64_t xh_fninit(void *env, uint64_t unused1, uint64_t unused2, uint64_t unused3)
{
	struct x86_cpu *c = env;

	xh_fnclex(env, unused1, unused2, unused3);
	x86_fpu_init(c);
	x86_mode_update_traps(c);
	return 0;
}
