/* arch/x86/tr_bit.c - bits and bytes: BT to BTC, scans, counts, SETcc, BMI (SDM 1 7.3.6).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/int_helpers.h"
#include "arch/x86/isa_gen.h"

/* ---- bit test ---- */

/* Memory holding the bit: a register offset is signed and reaches beyond the operand. */
static struct tr_place bit_place(struct x86_tr *t, unsigned size, ir_val index,
				 enum tr_access access)
{
	ir_val byte;

	if (x86_operand(&t->in, 1)->place != PLACE_G)
		return tr_addr(t, size, access);
	byte = ir_bini(t->b, IR_SAR, 8, ir_sext(t->b, size, 8, index), 3);
	byte = ir_bini(t->b, IR_AND, 8, byte, ~(uint64_t)(size - 1));
	return tr_linear(t, t->in.seg, ir_lea(t->b, t->in.asize, tr_ea(t), byte, 0, 0), size,
			 access);
}

/* The index within the operand, as a shift's count: which 4 and 8 bytes cut by themselves. */
static ir_val bit_count(struct x86_tr *t, unsigned size, ir_val index)
{
	return size == 2 ? ir_bini(t->b, IR_AND, 8, index, 15) : index;
}

static void set_carry_bit(struct x86_tr *t, unsigned size, ir_val old, ir_val bit)
{
	ir_val shifted = ir_bin(t->b, IR_SHR, size, old, bit); /* C is bit 0 */

	ir_flags_set_masked(t->b, ir_flags_of(t->b, shifted), IR_C);
}

void tr_bt(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val index = tr_read(t, 1), old;

	if (tr_is_mem(t))
		old = tr_load(t, size, bit_place(t, size, index, TR_ACCESS_READ), 0);
	else
		old = tr_read(t, 0);
	set_carry_bit(t, size, old, bit_count(t, size, index));
}

static void bit_change(struct x86_tr *t, enum ir_code code, enum ir_code atomic)
{
	unsigned size = tr_size(t, 0);
	ir_val index = tr_read(t, 1), bit = bit_count(t, size, index), old;
	ir_val mask = ir_bin(t->b, IR_SHL, size, ir_const(t->b, 1), bit);

	if (code == IR_AND)
		mask = ir_un(t->b, IR_NOT, size, mask);
	if (!tr_is_mem(t)) {
		old = tr_read(t, 0);
		tr_write(t, 0, ir_bin(t->b, code, size, old, mask));
	} else {
		struct tr_place p = bit_place(t, size, index, TR_ACCESS_RMW);

		if (tr_locked(t)) {
			if (t->mode & MODE_ALIGN)
				tr_check_aligned(t, p, size, EXC_AC);
			old = ir_atomic(t->b, atomic, size, tr_place_value(t, p), mask, IR_NONE);
		} else {
			old = tr_load(t, size, p, IR_MEM_RMW);
			tr_store(t, size, p, ir_bin(t->b, code, size, old, mask));
		}
	}
	set_carry_bit(t, size, old, bit);
}

void tr_bts(struct x86_tr *t) { bit_change(t, IR_OR, IR_ATOMIC_OR); }
void tr_btr(struct x86_tr *t) { bit_change(t, IR_AND, IR_ATOMIC_AND); }
void tr_btc(struct x86_tr *t) { bit_change(t, IR_XOR, IR_ATOMIC_XOR); }

/* ---- scans and counts ---- */

/* Source 0: the destination stays, Z is set; the other flags are undefined. */
static void scan(struct x86_tr *t, ir_val src, ir_val index)
{
	unsigned size = tr_size(t, 0);
	ir_val old = ir_get(t->b, 8, OFS_GPR(t->in.reg));

	if (size == 2)
		tr_write(t, 0, ir_select(t->b, src, index, old));
	else
		ir_put(t->b, 8, OFS_GPR(t->in.reg), ir_select(t->b, src, index, old));
	ir_flags_set(t->b, ir_bin(t->b, IR_AND, size, src, src));
}

void tr_bsf(struct x86_tr *t)
{
	ir_val src = tr_read(t, 1);

	scan(t, src, ir_un(t->b, IR_CTZ, tr_size(t, 0), src));
}

void tr_bsr(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val src = tr_read(t, 1), clz = ir_un(t->b, IR_CLZ, size, src);

	scan(t, src, ir_bini(t->b, IR_XOR, 8, clz, size * 8 - 1));
}

/* Z: the result is 0; C: the source is; the others are undefined. */
static void count(struct x86_tr *t, enum ir_code code)
{
	ir_val src = tr_read(t, 1), r = ir_un(t->b, code, tr_size(t, 0), src);
	ir_val c = ir_cmpi(t->b, IR_EQ, 8, src, 0);
	ir_val z = ir_bini(t->b, IR_SHL, 4, ir_cmpi(t->b, IR_EQ, 8, r, 0), 6);

	tr_write(t, 0, r);
	ir_flags_set(t->b, ir_flags_of(t->b, ir_bin(t->b, IR_OR, 4, c, z)));
}

void tr_tzcnt(struct x86_tr *t) { count(t, IR_CTZ); }
void tr_lzcnt(struct x86_tr *t) { count(t, IR_CLZ); }

void tr_popcnt(struct x86_tr *t)
{
	ir_val src = tr_read(t, 1), r = ir_un(t->b, IR_POPCNT, tr_size(t, 0), src);
	ir_val z = ir_bini(t->b, IR_SHL, 4, ir_cmpi(t->b, IR_EQ, 8, src, 0), 6);

	tr_write(t, 0, r);
	ir_flags_set(t->b, ir_flags_of(t->b, z));
}

void tr_setcc(struct x86_tr *t)
{
	tr_write(t, 0, ir_cond(t->b, (enum ir_cond)(t->in.opcode & 15)));
}

/* ---- BMI ---- */

void tr_andn(struct x86_tr *t)
{
	ir_val a = tr_read(t, 1), r = ir_bin(t->b, IR_ANDN, tr_size(t, 0), a, tr_read(t, 2));

	tr_write(t, 0, r);
	ir_flags_set(t->b, r);
}

/* S and Z of r (O clear), C as given. */
static void finish_bmi(struct x86_tr *t, ir_val r, ir_val carry)
{
	unsigned size = tr_size(t, 0);
	ir_val logic = ir_bin(t->b, IR_AND, size, r, r);

	tr_write(t, 0, r);
	ir_flags_set(t->b, logic);
	if (carry)
		ir_flags_set_masked(t->b, ir_flags_of(t->b, carry), IR_C);
}

void tr_blsr(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val x = tr_read(t, 1), below = ir_bini(t->b, IR_SUB, size, x, 1);

	finish_bmi(t, ir_bin(t->b, IR_AND, size, below, x), ir_cmpi(t->b, IR_EQ, size, x, 0));
}

void tr_blsmsk(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val x = tr_read(t, 1), below = ir_bini(t->b, IR_SUB, size, x, 1);

	finish_bmi(t, ir_bin(t->b, IR_XOR, size, below, x), ir_cmpi(t->b, IR_EQ, size, x, 0));
}

void tr_blsi(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val x = tr_read(t, 1), minus = ir_un(t->b, IR_NEG, size, x);

	finish_bmi(t, ir_bin(t->b, IR_AND, size, minus, x), ir_cmpi(t->b, IR_NE, size, x, 0));
}

void tr_bextr(struct x86_tr *t)
{
	ir_val src = tr_read(t, 1), control = tr_read(t, 2);

	finish_bmi(t, ir_call(t->b, &x86_bextr_helper, src, control, IR_NONE), IR_NONE);
}

void tr_bzhi(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0), bits = size * 8;
	ir_val src = tr_read(t, 1), n = ir_bini(t->b, IR_AND, 8, tr_read(t, 2), 0xff);
	ir_val mask = ir_bin(t->b, IR_SHL, size, ir_const(t->b, UINT64_MAX), n);
	ir_val beyond = ir_cmpi(t->b, IR_GEU, 8, n, bits);
	ir_val cut = ir_bin(t->b, IR_ANDN, size, mask, src);

	finish_bmi(t, ir_select(t->b, beyond, src, cut), beyond);
}

void tr_pext(struct x86_tr *t)
{
	ir_val src = tr_read(t, 1), mask = tr_read(t, 2);

	tr_write(t, 0, ir_call(t->b, &x86_pext_helper, src, mask, IR_NONE));
}

void tr_pdep(struct x86_tr *t)
{
	ir_val src = tr_read(t, 1), mask = tr_read(t, 2);

	tr_write(t, 0, ir_call(t->b, &x86_pdep_helper, src, mask, IR_NONE));
}

/* High half to the first operand, low half to the second; the first wins. */
void tr_mulx(struct x86_tr *t)
{
	unsigned size = tr_size(t, 0);
	ir_val a = ir_get(t->b, size, OFS_GPR(RDX)), b = tr_read(t, 2);
	ir_val lo = ir_bin(t->b, IR_MUL, 8, a, b), hi;

	hi = size == 8 ? ir_bin(t->b, IR_MULUH, 8, a, b) : ir_bini(t->b, IR_SHR, 8, lo, 32);
	tr_write(t, 1, lo);
	tr_write(t, 0, hi);
}

void tr_crc32(struct x86_tr *t)
{
	ir_val crc = ir_get(t->b, 4, OFS_GPR(t->in.reg)), data = tr_read(t, 1);
	ir_val r = ir_call(t->b, &x86_crc32_helper, crc, data, ir_const(t->b, tr_size(t, 1)));

	tr_put_reg(t, 4, t->in.reg, r);
}
