/* arch/x86/tr_operand.c - operands of translate functions: registers, effective addresses,
 * segments, memory, the stack.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/tr.h"

#include "arch/x86/seg_check.h"
#include "arch/x86/x86.h"

/* ---- registers ---- */

/* AH, CH, DH, BH: byte registers 4-7 without any REX prefix. */
static bool is_high_byte(const struct x86_tr *t, unsigned size, unsigned r)
{
	return size == 1 && r >= 4 && r < 8 && !t->in.rex && !t->in.is_vex;
}

static inline ir_val get_reg(struct x86_tr *t, unsigned size, unsigned r)
{
	if (is_high_byte(t, size, r))
		return ir_get(t->b, 1, OFS_GPR(r - 4) + 1);
	return ir_get(t->b, size, OFS_GPR(r));
}

/* The same of which only those bytes count. */
static inline ir_val get_reg_low(struct x86_tr *t, unsigned size, unsigned r)
{
	if (is_high_byte(t, size, r))
		return ir_get(t->b, 1, OFS_GPR(r - 4) + 1);
	return ir_get_low(t->b, size, OFS_GPR(r));
}

static inline void put_reg(struct x86_tr *t, unsigned size, unsigned r, ir_val v)
{
	if (is_high_byte(t, size, r))
		ir_put(t->b, 1, OFS_GPR(r - 4) + 1, v);
	else if (size == 4)
		ir_put(t->b, 8, OFS_GPR(r), ir_zext(t->b, 4, v));
	else
		ir_put(t->b, size, OFS_GPR(r), v);
}

ir_val tr_get_reg(struct x86_tr *t, unsigned size, unsigned r) { return get_reg(t, size, r); }

void tr_put_reg(struct x86_tr *t, unsigned size, unsigned r, ir_val v) { put_reg(t, size, r, v); }

/* ---- effective addresses ---- */

/* Base and index without the displacement; a lone base is not copied. */
static ir_val ea_registers(struct x86_tr *t)
{
	const struct x86_insn *in = &t->in;
	ir_val base = IR_NONE, index;

	if (in->base != EA_NO_REG)
		base = ir_get(t->b, in->asize, OFS_GPR(in->base));
	if (in->index == EA_NO_REG)
		return base;
	index = ir_get(t->b, in->asize, OFS_GPR(in->index));
	return ir_lea(t->b, in->asize, base, index, in->scale, 0);
}

static __attribute__((noinline)) struct tr_place any_ea_place(struct x86_tr *t)
{
	const struct x86_insn *in = &t->in;
	struct tr_place p = { 0 };

	if (in->mod > 3) { /* no ModRM: moffs */
		p.disp = (int64_t)(in->asize == 8   ? in->imm
				   : in->asize == 4 ? (uint32_t)in->imm
						    : (uint16_t)in->imm);
		return p;
	}
	if (in->base == EA_RIP) {
		ir_val pc = ir_pc(t->b, t->delta + in->disp);

		p.base = in->asize == 4 ? ir_zext(t->b, 4, pc) : pc;
		return p;
	}
	p.base = ea_registers(t);
	p.disp = in->disp;
	if (in->asize != 8) { /* the sum wraps at the address size */
		p.base = p.base ? ir_lea(t->b, in->asize, p.base, IR_NONE, 0, p.disp)
				: ir_const(t->b, (uint64_t)p.disp &
							 (in->asize == 4 ? UINT32_MAX : 0xffff));
		p.disp = 0;
	}
	return p;
}

static inline struct tr_place tr_ea_place(struct x86_tr *t)
{
	const struct x86_insn *in = &t->in;

	if (in->asize != 8 || in->base >= EA_RIP || in->index != EA_NO_REG)
		return any_ea_place(t);
	return (struct tr_place){ ir_get(t->b, 8, OFS_GPR(in->base)), in->disp };
}

ir_val tr_place_value(struct x86_tr *t, struct tr_place p)
{
	if (!p.base)
		return ir_const(t->b, (uint64_t)p.disp);
	return p.disp ? ir_lea(t->b, 8, p.base, IR_NONE, 0, p.disp) : p.base;
}

ir_val tr_ea(struct x86_tr *t)
{
	const struct x86_insn *in = &t->in;

	if (in->asize != 8 || in->base >= EA_RIP || in->index == EA_NO_REG)
		return tr_place_value(t, tr_ea_place(t));
	return ir_lea(t->b, 8, ir_get(t->b, 8, OFS_GPR(in->base)),
		      ir_get(t->b, 8, OFS_GPR(in->index)), in->scale, in->disp);
}

/* ---- segments ---- */

static bool is_flat(const struct x86_tr *t, unsigned seg)
{
	if (tr_is64(t))
		return seg != SEG_FS && seg != SEG_GS;
	return t->mode & MODE_FLAT_DATA && (seg == SEG_DS || seg == SEG_ES || seg == SEG_SS);
}

/* Place p inside the segment, which is not flat, becomes linear. */
static __attribute__((noinline)) struct tr_place segment_add(struct x86_tr *t, unsigned seg,
							     struct tr_place p, unsigned size,
							     enum tr_access access)
{
	if (tr_is64(t)) {
		ir_val base = ir_get(t->b, 8, OFS_SEG(seg, base));

		p.base = p.base ? ir_bin(t->b, IR_ADD, 8, base, p.base) : base;
		return p;
	}
	p.base = ir_call(t->b, &x86_seg_check_helper, tr_place_value(t, p),
			 ir_const(t->b, seg | (uint64_t)access << 8), ir_const(t->b, size));
	p.disp = 0;
	return p;
}

static inline struct tr_place segment_apply(struct x86_tr *t, unsigned seg, struct tr_place p,
					    unsigned size, enum tr_access access)
{
	return likely(is_flat(t, seg)) ? p : segment_add(t, seg, p, size, access);
}

struct tr_place tr_linear(struct x86_tr *t, unsigned seg, ir_val ea, unsigned size,
			  enum tr_access access)
{
	return segment_apply(t, seg, (struct tr_place){ .base = ea }, size, access);
}

static inline struct tr_place place_of(struct x86_tr *t, unsigned size, enum tr_access access)
{
	if (!t->has_addr) {
		t->addr = segment_apply(t, t->in.seg, tr_ea_place(t), size, access);
		t->has_addr = true;
	}
	return t->addr;
}

struct tr_place tr_addr(struct x86_tr *t, unsigned size, enum tr_access access)
{
	return place_of(t, size, access);
}

/* ---- memory ---- */

void tr_check_aligned(struct x86_tr *t, struct tr_place p, unsigned align, enum x86_vector v)
{
	ir_val addr = tr_place_value(t, p);

	tr_raise_code_if(t, ir_bini(t->b, IR_AND, 8, addr, align - 1), v, 0);
}

static inline void check_ac(struct x86_tr *t, struct tr_place p, unsigned size)
{
	if (unlikely(t->mode & MODE_ALIGN) && size > 1)
		tr_check_aligned(t, p, size, EXC_AC);
}

static inline ir_val load(struct x86_tr *t, unsigned size, struct tr_place p, unsigned mem_flags)
{
	check_ac(t, p, size);
	return ir_load(t->b, size, p.base, p.disp, mem_flags);
}

static inline void store(struct x86_tr *t, unsigned size, struct tr_place p, ir_val v)
{
	check_ac(t, p, size);
	ir_store(t->b, size, p.base, p.disp, v);
}

ir_val tr_load(struct x86_tr *t, unsigned size, struct tr_place p, unsigned mem_flags)
{
	return load(t, size, p, mem_flags);
}

void tr_store(struct x86_tr *t, unsigned size, struct tr_place p, ir_val v)
{
	store(t, size, p, v);
}

static struct tr_place part_of_operand(struct x86_tr *t, unsigned size, int64_t disp,
				       enum tr_access access)
{
	struct tr_place p = tr_ea_place(t);

	p.disp += disp;
	if (!tr_is64(t)) { /* each part wraps within the segment */
		p.base = ir_lea(t->b, t->in.asize, p.base, IR_NONE, 0, p.disp);
		p.disp = 0;
	}
	return segment_apply(t, t->in.seg, p, size, access);
}

ir_val tr_load_mem(struct x86_tr *t, unsigned size, int64_t disp)
{
	return tr_load(t, size, part_of_operand(t, size, disp, TR_ACCESS_READ), 0);
}

void tr_store_mem(struct x86_tr *t, unsigned size, int64_t disp, ir_val v)
{
	tr_store(t, size, part_of_operand(t, size, disp, TR_ACCESS_WRITE), v);
}

/* ---- operands ---- */

/* Where a register operand's register is named. */
static unsigned operand_reg(const struct x86_tr *t, const struct x86_operand *o)
{
	switch (o->place) {
	case PLACE_G: return t->in.reg;
	case PLACE_B: return t->in.vvvv;
	case PLACE_Z: return (t->in.opcode & 7) | (t->in.rex & REX_B ? 8 : 0);
	case PLACE_FIX: return o->fixed;
	default: return t->in.rm; /* E, R, M */
	}
}

/* Code that changes: size bytes at `from`, sign-extended as the decoder does. */
static uint64_t code_operand_fn(void *env, uint64_t from, uint64_t size, uint64_t unused)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)from;

	(void)env;
	(void)unused;
	switch (size) {
	case 1: return (uint64_t)(int8_t)*p;
	case 2: return (uint64_t)(int16_t)ld16_le(p);
	case 4: return (uint64_t)(int32_t)ld32_le(p);
	default: return ld64_le(p);
	}
}

static const struct ir_helper helper_code_operand = {
	.name = "code_operand",
	.fn = code_operand_fn,
	.is_pure = true,
	.is_quick = true,
};

/* Where the last of the instruction's bytes, its immediate, are to be read when it runs; NULL: they
 * are known now. */
static const uint8_t *changing_imm(struct x86_tr *t)
{
	unsigned size;

	if (!t->fetch->operand)
		return NULL;
	size = x86_imm_size(&t->in);
	return t->fetch->operand(t->fetch, (uint32_t)t->next - size, size);
}

/* Is the immediate that operand n is the instruction's second one? */
static bool is_second_imm(const struct x86_tr *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t place = x86_operand(&t->in, i)->place;

		if (place == PLACE_I || place == PLACE_J || place == PLACE_O)
			return true;
	}
	return false;
}

/* As wide as the operation: sign-extended by the decoder, cut by the user. */
bool tr_imm(struct x86_tr *t, unsigned n, uint64_t *v)
{
	if (x86_operand(&t->in, n)->place != PLACE_I)
		return false;
	*v = t->in.imm;
	if (likely(!t->in.row->imm[1]))
		return !changing_imm(t);
	if (is_second_imm(t, n))
		*v = t->in.imm2;
	return true;
}

/* One that may have to be read when the instruction runs. */
static ir_val operand_imm(struct x86_tr *t, unsigned n)
{
	uint64_t v;

	if (tr_imm(t, n, &v))
		return ir_const(t->b, v);
	return ir_call(t->b, &helper_code_operand, ir_const(t->b, (uintptr_t)changing_imm(t)),
		       ir_const(t->b, x86_imm_size(&t->in)), IR_NONE);
}

static __attribute__((noinline)) ir_val read_mem(struct x86_tr *t, unsigned width, bool rmw)
{
	unsigned size = x86_width_size(&t->in, width);

	return load(t, size, place_of(t, size, rmw ? TR_ACCESS_RMW : TR_ACCESS_READ),
		    rmw ? IR_MEM_RMW : 0);
}

static __attribute__((noinline)) ir_val read_other(struct x86_tr *t, unsigned n)
{
	const struct x86_operand *o = x86_operand(&t->in, n);

	switch (o->place) {
	case PLACE_I: return operand_imm(t, n);
	case PLACE_ONE: return ir_const(t->b, 1);
	case PLACE_S: return ir_get(t->b, 2, OFS_SEG(t->in.reg & 7, sel));
	case PLACE_FIXS: return ir_get(t->b, 2, OFS_SEG(o->fixed, sel));
	default: return get_reg(t, tr_size(t, n), operand_reg(t, o));
	}
}

/* Is it a register that ModRM names? */
static inline bool is_modrm_reg(const struct x86_operand *o)
{
	return o->place == PLACE_E || o->place == PLACE_G;
}

static inline ir_val operand_read(struct x86_tr *t, unsigned n, bool rmw, bool low)
{
	const struct x86_operand *o = x86_operand(&t->in, n);
	unsigned size, r;

	if (x86_operand_is_mem(&t->in, n))
		return read_mem(t, o->mem_width, rmw);
	if (!is_modrm_reg(o))
		return read_other(t, n);
	size = x86_width_size(&t->in, o->width);
	r = o->place == PLACE_E ? t->in.rm : t->in.reg;
	return low ? get_reg_low(t, size, r) : get_reg(t, size, r);
}

ir_val tr_read(struct x86_tr *t, unsigned n) { return operand_read(t, n, false, false); }

ir_val tr_read_low(struct x86_tr *t, unsigned n) { return operand_read(t, n, false, true); }

ir_val tr_read_rmw(struct x86_tr *t, unsigned n) { return operand_read(t, n, true, true); }

static __attribute__((noinline)) void write_mem(struct x86_tr *t, unsigned width, ir_val v)
{
	unsigned size = x86_width_size(&t->in, width);

	store(t, size, place_of(t, size, TR_ACCESS_WRITE), v);
}

static __attribute__((noinline)) void write_other(struct x86_tr *t, const struct x86_operand *o,
						  ir_val v)
{
	put_reg(t, x86_width_size(&t->in, o->width), operand_reg(t, o), v);
}

void tr_write(struct x86_tr *t, unsigned n, ir_val v)
{
	const struct x86_operand *o = x86_operand(&t->in, n);

	if (x86_operand_is_mem(&t->in, n))
		write_mem(t, o->mem_width, v);
	else if (!is_modrm_reg(o))
		write_other(t, o, v);
	else
		put_reg(t, x86_width_size(&t->in, o->width),
			o->place == PLACE_E ? t->in.rm : t->in.reg, v);
}

bool tr_locked(const struct x86_tr *t) { return t->in.prefixes & PFX_LOCK && tr_is_mem(t); }

/* ---- stack ---- */

/* SS:rSP+disp, the sum cut to the stack's width. */
static inline struct tr_place stack_place(struct x86_tr *t, unsigned size, int64_t disp,
					  enum tr_access access)
{
	unsigned width = tr_stack_size(t);
	ir_val sp = ir_get(t->b, width, OFS_GPR(RSP));

	if (width == 8)
		return (struct tr_place){ .base = sp, .disp = disp };
	if (disp)
		sp = ir_lea(t->b, width, sp, IR_NONE, 0, disp);
	return tr_linear(t, SEG_SS, sp, size, access);
}

void tr_stack_store(struct x86_tr *t, unsigned size, int64_t disp, ir_val v)
{
	store(t, size, stack_place(t, size, disp, TR_ACCESS_WRITE), v);
}

ir_val tr_stack_load(struct x86_tr *t, unsigned size, int64_t disp)
{
	return load(t, size, stack_place(t, size, disp, TR_ACCESS_READ), 0);
}

void tr_stack_probe(struct x86_tr *t, unsigned size, int64_t disp)
{
	tr_load(t, size, stack_place(t, size, disp, TR_ACCESS_RMW), IR_MEM_RMW);
}

void tr_stack_add(struct x86_tr *t, int64_t n)
{
	unsigned width = tr_stack_size(t);
	ir_val sp = ir_get(t->b, width, OFS_GPR(RSP));

	ir_put(t->b, width, OFS_GPR(RSP), ir_bini(t->b, IR_ADD, width, sp, (uint64_t)n));
}

void tr_stack_push(struct x86_tr *t, unsigned size, ir_val v)
{
	ir_val sp;

	if (!tr_is64(t)) {
		tr_stack_store(t, size, -(int64_t)size, v);
		tr_stack_add(t, -(int64_t)size);
		return;
	}
	sp = ir_get(t->b, 8, OFS_GPR(RSP));
	store(t, size, (struct tr_place){ .base = sp, .disp = -(int64_t)size }, v);
	ir_put(t->b, 8, OFS_GPR(RSP), ir_bini(t->b, IR_ADD, 8, sp, -(uint64_t)size));
}
