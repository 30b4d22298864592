/* arch/x86/debug.c - debug registers, breakpoints, single step (SDM 3B ch. 17).
 *
 * While a breakpoint is armed or TF is set the mode word has MODE_STEP, so that every block is one
 * instruction with x86_step_begin() before and x86_step_end() after it.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

enum { DR_EXEC, DR_WRITE, DR_IO, DR_ACCESS };
enum { DR6_FIXED = 0xffff0ff0u, DR7_FIXED = 1u << 10 };

static unsigned dr_type(const struct x86_cpu *c, unsigned i)
{
	return (unsigned)(c->dr[7] >> (16 + 4 * i)) & 3;
}

/* Length code 2 means 8 bytes. */
static unsigned dr_len(const struct x86_cpu *c, unsigned i)
{
	static const uint8_t len[4] = { 1, 2, 8, 4 };

	return len[c->dr[7] >> (18 + 4 * i) & 3];
}

static bool dr_enabled(const struct x86_cpu *c, unsigned i) { return c->dr[7] >> (2 * i) & 3; }

bool x86_debug_armed(const struct x86_cpu *c, bool code)
{
	if (!(c->dr[7] & 0xff))
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (dr_enabled(c, i) && (dr_type(c, i) == DR_EXEC) == code)
			return true;
	return false;
}

static bool dr_overlaps(const struct x86_cpu *c, unsigned i, gva_t addr, unsigned len)
{
	unsigned n = dr_len(c, i);
	gva_t at = c->dr[i] & ~(gva_t)(n - 1);

	return at < addr + len && addr < at + n;
}

void x86_debug_data(struct x86_cpu *c, gva_t addr, unsigned len, bool is_write)
{
	uint32_t hit = 0;
	bool any = false;

	for (unsigned i = 0; i < 4; i++) {
		unsigned type = dr_type(c, i);

		if ((type == DR_ACCESS || (type == DR_WRITE && is_write)) &&
		    dr_overlaps(c, i, addr, len)) {
			hit |= 1u << i;
			any |= dr_enabled(c, i);
		}
	}
	if (any)
		c->pending_db |= hit;
}

void x86_debug_io(struct x86_cpu *c, uint16_t port, unsigned len)
{
	if (!(c->cr4 & CR4_DE))
		return;
	for (unsigned i = 0; i < 4; i++)
		if (dr_enabled(c, i) && dr_type(c, i) == DR_IO && dr_overlaps(c, i, port, len))
			c->pending_db |= 1u << i;
}

bool x86_debug_code(const struct x86_cpu *c, uint32_t *dr6)
{
	gva_t pc = x86_linear_pc(c);

	*dr6 = 0;
	for (unsigned i = 0; i < 4; i++)
		if (dr_enabled(c, i) && dr_type(c, i) == DR_EXEC && c->dr[i] == pc)
			*dr6 |= 1u << i;
	return *dr6;
}

void x86_debug_trap(struct x86_cpu *c, uint32_t dr6)
{
	/* B0-B3 tell the latest cause; the other bits pile up until software clears them. */
	c->dr[6] = (c->dr[6] & ~UINT64_C(0xf)) | dr6;
	c->dr[7] &= ~(uint64_t)DR7_GD;
	x86_raise(c, EXC_DB);
}

/* ---- one instruction under MODE_STEP ---- */

bool x86_step_begin(struct x86_cpu *c)
{
	bool is_held = c->in_shadow && c->shadow_is_mov_ss;
	uint32_t dr6;

	if (c->pending_db && !is_held) {
		dr6 = c->pending_db;
		c->pending_db = 0;
		x86_debug_trap(c, dr6);
		return false;
	}
	if (!(c->rflags & FL_RF) && !is_held && x86_debug_code(c, &dr6)) {
		x86_debug_trap(c, dr6);
		return false;
	}
	c->rflags &= ~(uint32_t)FL_RF;
	c->step_armed = c->rflags & FL_TF;
	c->in_shadow = c->shadow_is_mov_ss = false;
	return true;
}

void x86_step_end(struct x86_cpu *c)
{
	uint32_t dr6 = c->pending_db | (c->step_armed ? DR6_BS : 0);

	c->step_armed = false;
	if (c->step_insns)
		c->step_insns--;
	if (dr6 && !(c->in_shadow && c->shadow_is_mov_ss)) {
		c->pending_db = 0;
		x86_debug_trap(c, dr6);
		x86_deliver_exception(c);
	}
	x86_mode_update_cs(c);
	if ((c->rflags & FL_IF) && c->vcpu && atomic_load(&c->vcpu->inputs))
		atomic_fetch_or(&c->env.exit_request, VCPU_EXIT_INPUT);
}

void x86_shadow_set(struct x86_cpu *c, bool is_mov_ss)
{
	c->in_shadow = true;
	c->shadow_is_mov_ss = is_mov_ss;
	x86_mode_update_cs(c);
}

/* ---- MOV to and from DR (SDM 2 MOV; CPL is checked by the caller) ---- */

static bool dr_resolve(struct x86_cpu *c, unsigned *n)
{
	if (*n > 7)
		return x86_raise(c, EXC_UD);
	if (*n == 4 || *n == 5) {
		if (c->cr4 & CR4_DE)
			return x86_raise(c, EXC_UD);
		*n += 2;
	}
	if (c->dr[7] & DR7_GD) {
		c->rflags |= FL_RF; /* a fault, and no instruction breakpoint's */
		x86_debug_trap(c, DR6_BD | (uint32_t)(c->dr[6] & 0xf));
		return false;
	}
	return true;
}

bool x86_dr_read(struct x86_cpu *c, unsigned n, uint64_t *v)
{
	if (!dr_resolve(c, &n))
		return false;
	*v = c->dr[n];
	return true;
}

bool x86_dr_write(struct x86_cpu *c, unsigned n, uint64_t v)
{
	if (!dr_resolve(c, &n))
		return false;
	if (n >= 6 && v >> 32)
		return x86_raise_code(c, EXC_GP, 0);
	if (n == 6)
		v = (v & 0xe00f) | DR6_FIXED;
	else if (n == 7)
		v = (v & 0xffff2bff) | DR7_FIXED;
	c->dr[n] = v;
	if (n != 6) {
		c->rflags &= ~(uint32_t)FL_RF;
		x86_mode_update(c);
		x86_tlb_flush(c, false); /* watched pages must not be cached */
	}
	return true;
}
