/* jit/ir_emit.c - emission: an op is looked at once, as it comes.  Guest state is forwarded from
 * PUT and GET to later GETs, also to narrower ones inside; a PUT that is overwritten before anybody
 * can see it goes; constants and algebra are ir_fold.c's, what may leave the block is ir_leave.c's.
 *
 * The state must be exact at each op that may leave the block, and at the end of an instruction
 * that stores: the store may have hit the block itself, which is then left behind that instruction.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_eval.h"
#include "jit/ir_make.h"

/* ---- everything, for tests ---- */

static bool is_flags_slot(const struct ir_builder *b, uint64_t offset, unsigned bytes)
{
	return offset < b->desc->flags_offset + 4 && b->desc->flags_offset < offset + bytes;
}

void ir_after_call(struct ir_builder *b, const struct ir_op *op)
{
	const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)op->imm;

	if (h->reads_flags || h->writes_flags)
		ir_ask_slot(b);
	if (h->writes_flags)
		b->flags = b->slot_flags = IR_NONE;
}

uint16_t ir_keep_as_written(struct ir_builder *b)
{
	const struct ir_op *op = ir_next(b);
	uint16_t i = ir_keep(b);

	if (op->code == IR_FLAGS_GET)
		b->slot_flags = i;
	else if (op->code == IR_FLAGS_PUT)
		b->slot_flags = op->a;
	else if (op->code == IR_PUT && is_flags_slot(b, op->imm, ir_size(op)))
		b->slot_flags = IR_NONE;
	else if (op->code == IR_CALL || op->code == IR_CALL_IF)
		ir_after_call(b, op);
	return i;
}

/* ---- guest state ---- */

/* Of the flags, of what lies in two words, and for tests: no notes are taken. */
static __attribute__((noinline)) uint16_t get_odd(struct ir_builder *b, unsigned size,
						  uint32_t offset)
{
	unsigned sz = ir_log2(size);

	if (is_flags_slot(b, offset, size)) {
		ir_flags_write_back(b);
		ir_ask_slot(b);
	}
	ir_make(b, IR_GET, ir_form(sz, sz), 0, 0, 0, offset);
	if (offset % 8 + size > 8)
		ir_forget(b, offset, size);
	return ir_keep(b);
}

/* Is it something that no notes are taken of? */
static inline bool is_odd(const struct ir_builder *b, unsigned size, uint32_t offset)
{
	return offset % 8 + size > 8 || offset / 8 == b->flags_word || b->as_written;
}

static __attribute__((noinline)) uint16_t get_anew(struct ir_builder *b, unsigned size,
						   uint32_t offset)
{
	struct ir_word *w = &b->words[offset / 8];
	unsigned sz = ir_log2(size);
	uint16_t i;

	if (unlikely(is_odd(b, size, offset)))
		return get_odd(b, size, offset);
	ir_make(b, IR_GET, ir_form(sz, sz), 0, 0, 0, offset);
	i = ir_keep(b);
	*w = (struct ir_word){
		.stamp = b->stamp, .val = i, .from = offset % 8, .size = (uint8_t)size
	};
	return i;
}

/* So many bytes of v from byte `skip` on. */
static uint16_t get_inside(struct ir_builder *b, const struct ir_word *w, unsigned size,
			   unsigned skip)
{
	unsigned sz = ir_log2(w->size);
	uint16_t v = w->val;

	if (skip)
		v = ir_append(b, (struct ir_op){ .code = IR_SHR,
						 .form = ir_form(sz, sz) | IR_FORM_IMM,
						 .a = v,
						 .imm = skip * 8 });
	return ir_fold_cut(b, ir_log2(size), v);
}

ir_val ir_get(struct ir_builder *b, unsigned size, uint32_t offset)
{
	const struct ir_word *w = &b->words[offset / 8];
	unsigned skip = offset % 8 - w->from;

	if (w->stamp != b->stamp || skip + size > w->size || skip > 8)
		return ir_val_of(get_anew(b, size, offset));
	if (size < 8 && unlikely(skip || 1u << ir_width_log2(b, w->val) > size))
		return ir_val_of(get_inside(b, w, size, skip));
	return ir_val_of(w->val);
}

ir_val ir_get_low(struct ir_builder *b, unsigned size, uint32_t offset)
{
	const struct ir_word *w = &b->words[offset / 8];

	if (w->stamp == b->stamp && w->from == offset % 8 && w->size >= size)
		return ir_val_of(w->val);
	return ir_get(b, size, offset);
}

static __attribute__((noinline)) void put_odd(struct ir_builder *b, unsigned size, uint32_t offset,
					      uint16_t a)
{
	unsigned sz = ir_log2(size);

	if (!b->as_written)
		a = ir_strip_moves(b, a, sz);
	ir_make(b, IR_PUT, ir_form(sz, sz), a, 0, 0, offset);
	if (b->as_written) {
		ir_keep_as_written(b);
		return;
	}
	if (is_flags_slot(b, offset, size)) /* its six bits are now whatever v has there */
		b->slot_flags = IR_NONE;
	ir_forget(b, offset, size);
	ir_use_last(b, a, ir_keep_used(b, 1));
}

/* The PUT of size bytes from byte `from` on of that word, and the note of it. */
static inline void put_new(struct ir_builder *b, unsigned word, unsigned from, unsigned size,
			   uint16_t a)
{
	unsigned sz = ir_log2(size);
	uint16_t i;

	ir_make(b, IR_PUT, ir_form(sz, sz), a, 0, 0, word * 8u + from);
	i = ir_keep_used(b, 1);
	ir_use_last(b, a, i);
	b->words[word] = (struct ir_word){
		.stamp = b->stamp, .val = a, .from = (uint8_t)from, .size = (uint8_t)size, .put = i
	};
}

/* Instead of the one before, which nobody saw. */
static __attribute__((noinline)) void put_over(struct ir_builder *b, unsigned word, unsigned from,
					       unsigned size, uint16_t a)
{
	ir_drop(b, b->words[word].put);
	put_new(b, word, from, size, a);
}

static inline void put(struct ir_builder *b, unsigned word, unsigned from, unsigned size,
		       uint16_t a)
{
	const struct ir_word *w = &b->words[word];

	a = ir_strip_moves(b, a, ir_log2(size));
	if (w->stamp == b->stamp) {
		if (w->val == a && w->from == from && w->size >= size)
			return;
		if (w->put >= b->first_unseen && w->from >= from &&
		    w->from + w->size <= from + size) {
			put_over(b, word, from, size, a);
			return;
		}
	}
	put_new(b, word, from, size, a);
}

static __attribute__((noinline)) void put_part(struct ir_builder *b, unsigned size, uint32_t offset,
					       uint16_t a)
{
	if (unlikely(is_odd(b, size, offset)))
		put_odd(b, size, offset, a);
	else
		put(b, offset / 8, offset % 8, size, a);
}

void ir_put(struct ir_builder *b, unsigned size, uint32_t offset, ir_val v)
{
	if (likely(size == 8 && !is_odd(b, 8, offset)))
		put(b, offset / 8, 0, 8, ir_value(v));
	else
		put_part(b, size, offset, ir_value(v));
}

/* ---- values ---- */

/* Operands of which only size bytes count need no zero extension. */
static void strip_operands(const struct ir_builder *b, struct ir_op *op)
{
	unsigned sz = ir_size_log2(op);

	if ((op->code < IR_MOV || op->code > IR_LEA) && op->code != IR_CMP)
		return;
	op->a = ir_strip_moves(b, op->a, sz);
	if (ir_value_operands(op) & 2)
		op->b = ir_strip_moves(b, op->b, sz);
}

ir_val ir_zero(struct ir_builder *b)
{
	uint16_t bits = ir_fold_const(b, IR_Z | IR_P), flags;

	*ir_next(b) = (struct ir_op){ .code = IR_FLAGS_OF, .form = ir_form(2, 2), .a = bits };
	flags = ir_keep(b);
	ir_use(b, bits, flags);
	return ir_fold_const(b, 0) | (ir_val)flags << 16;
}

/* The pure op in ir_next(), which may have flags. */
static ir_val emit_with_flags(struct ir_builder *b, struct ir_op *op)
{
	uint16_t value, flags, i;

	if ((op->code == IR_SUB || op->code == IR_XOR) && !ir_has_imm(op) && op->a == op->b)
		return ir_zero(b);
	i = flags = ir_keep(b); /* for its flags if not for its value */
	value = ir_fold(b, op, &flags);
	ir_use_operands(b, i);
	return (value ? value : i) | (ir_val)flags << 16;
}

/* The pure op in ir_next(). */
static ir_val emit_value(struct ir_builder *b)
{
	struct ir_op *op = ir_next(b);
	uint16_t value, i;

	if (b->as_written)
		return ir_val_of(ir_keep_as_written(b));
	strip_operands(b, op);
	if (ir_info[op->code].props & IR_PROP_FLAGS)
		return emit_with_flags(b, op);
	value = ir_fold(b, op, NULL);
	if (value)
		return ir_val_of(value);
	i = ir_keep(b);
	ir_use_operands(b, i);
	return ir_val_of(i);
}

static inline ir_val value_op(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form,
			      ir_val x, ir_val y, unsigned z, uint64_t imm)
{
	unsigned sz = ir_log2(size);

	ir_make(b, code, ir_form(sz, sz) | form, ir_value(x), ir_value(y), (uint16_t)z, imm);
	return emit_value(b);
}

ir_val ir_const(struct ir_builder *b, uint64_t v) { return ir_val_of(ir_fold_const(b, v)); }

bool ir_is_const(const struct ir_builder *b, ir_val v, uint64_t *out)
{
	return ir_fold_is_const(b, ir_value(v), out);
}

ir_val ir_pc(struct ir_builder *b, int64_t delta)
{
	ir_make(b, IR_PC, ir_form(b->pc_size, b->pc_size), 0, 0, 0, (uint64_t)delta);
	return ir_val_of(ir_keep(b));
}

ir_val ir_un(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x)
{
	unsigned sz = ir_log2(size), width = code >= IR_CLZ && code <= IR_POPCNT ? 0 : sz;

	*ir_next(b) = (struct ir_op){ .code = (uint8_t)code,
				      .form = ir_form(sz, width),
				      .a = ir_value(x) };
	return emit_value(b);
}

static inline bool is_known(const struct ir_builder *b, uint16_t v)
{
	return b->ops[v].code == IR_CONST;
}

/* Sums and logic, the most of all, need a look at their operands only: what has neither a constant
 * nor twice the same is as it is. */
static inline bool is_plain(enum ir_code code)
{
	enum { PLAIN = BIT(IR_ADD) | BIT(IR_SUB) | BIT(IR_AND) | BIT(IR_OR) | BIT(IR_XOR) };

	return code < 32 && PLAIN >> code & 1;
}

static __attribute__((noinline)) ir_val any_bin(struct ir_builder *b, enum ir_code code,
						unsigned size, ir_val x, ir_val y)
{
	return value_op(b, code, size, 0, x, y, 0, 0);
}

static __attribute__((noinline)) ir_val any_bini(struct ir_builder *b, enum ir_code code,
						 unsigned size, ir_val x, uint64_t imm)
{
	return value_op(b, code, size, IR_FORM_IMM, x, 0, 0, imm);
}

ir_val ir_bin(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y)
{
	unsigned sz = ir_log2(size);
	uint16_t v = ir_strip_moves(b, ir_value(x), sz), w = ir_strip_moves(b, ir_value(y), sz), i;

	if (!is_plain(code) || v == w || is_known(b, v) || is_known(b, w) || b->as_written)
		return any_bin(b, code, size, x, y);
	ir_make(b, code, ir_form(sz, sz), v, w, 0, 0);
	i = ir_keep(b);
	ir_use_last(b, v, i);
	ir_use_last(b, w, i);
	return ir_val_of(i);
}

ir_val ir_bini(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm)
{
	unsigned sz = ir_log2(size);
	uint16_t v = ir_strip_moves(b, ir_value(x), sz), i;

	if (!is_plain(code) || code == IR_AND || !(uint8_t)imm || is_known(b, v) || b->as_written)
		return any_bini(b, code, size, x, imm);
	ir_make(b, code, ir_form(sz, sz) | IR_FORM_IMM, v, 0, 0, imm);
	i = ir_keep(b);
	ir_use_last(b, v, i);
	return ir_val_of(i);
}

ir_val ir_bin_flags(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y)
{
	unsigned sz = ir_log2(size);
	uint16_t v = ir_strip_moves(b, ir_value(x), sz), w = ir_strip_moves(b, ir_value(y), sz), i;

	if (unlikely(b->as_written))
		return any_bin(b, code, size, x, y);
	ir_make(b, code, ir_form(sz, sz), v, w, 0, 0);
	if (is_known(b, v) || is_known(b, w)) {
		ir_fold_immediate(b, ir_next(b));
		i = ir_keep(b);
		ir_use_operands(b, i);
		return ir_val_of(i);
	}
	i = ir_keep(b);
	ir_use_last(b, v, i);
	ir_use_last(b, w, i);
	return ir_val_of(i);
}

ir_val ir_bini_flags(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm)
{
	unsigned sz = ir_log2(size);
	uint16_t v = ir_strip_moves(b, ir_value(x), sz), i;

	if (unlikely(b->as_written))
		return any_bini(b, code, size, x, imm);
	ir_make(b, code, ir_form(sz, sz) | IR_FORM_IMM, v, 0, 0, imm);
	i = ir_keep(b);
	ir_use_last(b, v, i);
	return ir_val_of(i);
}

ir_val ir_binf(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y,
	       ir_val flags)
{
	return value_op(b, code, size, 0, x, y, ir_flags_part(flags), 0);
}

ir_val ir_binfi(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm,
		ir_val flags)
{
	return value_op(b, code, size, IR_FORM_IMM, x, 0, ir_flags_part(flags), imm);
}

ir_val ir_zext(struct ir_builder *b, unsigned size, ir_val x)
{
	if (!b->as_written)
		return ir_width_log2(b, ir_value(x)) <= ir_log2(size)
			       ? ir_val_of(ir_value(x))
			       : ir_val_of(ir_fold_cut(b, ir_log2(size), ir_value(x)));
	return ir_un(b, IR_MOV, size, x);
}

ir_val ir_sext(struct ir_builder *b, unsigned from, unsigned to, ir_val x)
{
	*ir_next(b) = (struct ir_op){ .code = IR_SEXT,
				      .form = ir_form(ir_log2(from), ir_log2(to)),
				      .a = ir_value(x),
				      .b = (uint16_t)to };
	return emit_value(b);
}

/* Is v nothing that an address could take in? */
static inline bool is_opaque(const struct ir_builder *b, ir_val v)
{
	unsigned code = b->ops[ir_value(v)].code;

	return code == IR_GET ||
	       (code > IR_MOV && code != IR_ADD && code != IR_SUB && code != IR_LEA);
}

/* Of 64 bits, and nothing to be folded. */
static ir_val plain_lea(struct ir_builder *b, uint16_t base, uint16_t index, unsigned shift,
			uint64_t disp)
{
	uint16_t i;

	ir_make(b, IR_LEA, ir_form(3, 3), base, index, (uint16_t)shift, disp);
	i = ir_keep(b);
	ir_use_last(b, base, i);
	ir_use_last(b, index, i);
	return ir_val_of(i);
}

ir_val ir_lea(struct ir_builder *b, unsigned size, ir_val base, ir_val index, unsigned shift,
	      int64_t disp)
{
	if (size == 8 && is_opaque(b, base) && !b->as_written &&
	    (index ? is_opaque(b, index) : disp && !shift))
		return plain_lea(b, ir_value(base), ir_value(index), shift, (uint64_t)disp);
	if (!base && !shift) {
		base = index;
		index = IR_NONE;
	}
	if (!base && !index)
		return ir_const(b, (uint64_t)disp & ~UINT64_C(0) >> (64 - 8 * size));
	return value_op(b, IR_LEA, size, 0, base, index, shift, (uint64_t)disp);
}

/* 0 or 1. */
static ir_val bool_op(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form,
		      uint16_t x, unsigned y, unsigned z, uint64_t imm)
{
	ir_make(b, code, ir_form(ir_log2(size), 0) | form, x, (uint16_t)y, (uint16_t)z, imm);
	return emit_value(b);
}

ir_val ir_cmp(struct ir_builder *b, enum ir_cmp c, unsigned size, ir_val x, ir_val y)
{
	return bool_op(b, IR_CMP, size, 0, ir_value(x), ir_value(y), c, 0);
}

ir_val ir_cmpi(struct ir_builder *b, enum ir_cmp c, unsigned size, ir_val x, uint64_t imm)
{
	return bool_op(b, IR_CMP, size, IR_FORM_IMM, ir_value(x), 0, c, imm);
}

ir_val ir_wider(struct ir_builder *b, ir_val x, unsigned bits)
{
	return bool_op(b, IR_WIDER, 8, 0, ir_value(x), bits, 0, 0);
}

ir_val ir_select(struct ir_builder *b, ir_val cond, ir_val yes, ir_val no)
{
	unsigned y = ir_width_log2(b, ir_value(yes)), n = ir_width_log2(b, ir_value(no));

	*ir_next(b) = (struct ir_op){ .code = IR_SELECT,
				      .form = ir_form(3, y > n ? y : n),
				      .a = ir_value(cond),
				      .b = ir_value(yes),
				      .c = ir_value(no) };
	return emit_value(b);
}

/* ---- flags ---- */

static uint16_t emit_flags_get(struct ir_builder *b)
{
	if (b->slot_flags)
		return b->slot_flags;
	*ir_next(b) = (struct ir_op){ .code = IR_FLAGS_GET, .form = ir_form(2, 2) };
	if (!b->slot_is_ours)
		b->flags_get = (uint16_t)b->op_count;
	return b->slot_flags = ir_keep(b);
}

ir_val ir_flags(struct ir_builder *b)
{
	if (!b->flags)
		b->flags = emit_flags_get(b);
	return ir_val_of(b->flags);
}

void ir_flags_set(struct ir_builder *b, ir_val op) { b->flags = ir_flags_part(op); }

static uint16_t emit_merge(struct ir_builder *b, uint16_t x, uint16_t y, uint64_t mask)
{
	uint64_t all = mask & IR_FLAGS_ALL;

	if (!b->as_written && (all == IR_FLAGS_ALL || x == y))
		return x;
	if (!b->as_written && !all)
		return y;
	*ir_next(b) = (struct ir_op){
		.code = IR_FLAGS_MERGE, .form = ir_form(2, 2), .a = x, .b = y, .imm = mask
	};
	return ir_keep(b);
}

void ir_flags_set_masked(struct ir_builder *b, ir_val op, uint32_t mask)
{
	ir_flags(b);
	b->flags = emit_merge(b, ir_flags_part(op), b->flags, mask);
}

ir_val ir_flags_of(struct ir_builder *b, ir_val bits)
{
	uint16_t i;

	*ir_next(b) = (struct ir_op){ .code = IR_FLAGS_OF,
				      .form = ir_form(2, 2),
				      .a = ir_value(bits) };
	i = ir_keep(b);
	ir_use(b, ir_value(bits), i);
	return ir_val_of(i);
}

ir_val ir_flags_to(struct ir_builder *b, ir_val flags)
{
	*ir_next(b) = (struct ir_op){ .code = IR_FLAGS_TO,
				      .form = ir_form(2, 1),
				      .a = ir_flags_part(flags) };
	return ir_val_of(ir_keep(b));
}

/* Are these flags an operation's own, all of them?  Then no other op need be looked at. */
static inline bool is_source(const struct ir_op *op)
{
	return op->code < IR_FLAGS_OF && op->code != IR_INC && op->code != IR_DEC;
}

ir_val ir_cond(struct ir_builder *b, enum ir_cond c)
{
	ir_flags(b);
	if (!is_source(&b->ops[b->flags]) || b->as_written)
		return bool_op(b, IR_COND, 1, 0, b->flags, c, 0, 0);
	ir_make(b, IR_COND, ir_form(0, 0), b->flags, c, 0, 0);
	return ir_val_of(ir_keep(b));
}

/* ---- any op ---- */

/* Log2 of the bytes above which op's value is zero. */
static unsigned result_width(const struct ir_builder *b, const struct ir_op *op)
{
	unsigned y, n;

	switch (op->code) {
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT:
	case IR_CMP:
	case IR_WIDER:
	case IR_COND: return 0;
	case IR_FLAGS_TO: return 1;
	case IR_SEXT: return ir_log2(op->b | 8u);
	case IR_SELECT:
		y = ir_width_log2(b, op->b);
		n = ir_width_log2(b, op->c);
		return y > n ? y : n;
	default: return ir_size_log2(op);
	}
}

/* The op in ir_next(), of any kind. */
static ir_val emit_any(struct ir_builder *b)
{
	struct ir_op *op = ir_next(b);
	unsigned props = ir_info[op->code].props;

	switch (op->code) {
	case IR_GET: return ir_get(b, ir_size(op), (uint32_t)op->imm);
	case IR_PUT: ir_put(b, ir_size(op), (uint32_t)op->imm, op->a); return IR_NONE;
	case IR_FLAGS_GET: return ir_val_of(emit_flags_get(b));
	case IR_FLAGS_PUT:
		b->flags = op->a;
		ir_flags_write_back(b);
		return IR_NONE;
	case IR_FLAGS_MERGE: return ir_val_of(emit_merge(b, op->a, op->b, op->imm));
	default: return props & IR_PROP_LEAVES ? ir_emit_leaving(b) : emit_value(b);
	}
}

ir_val ir_emit(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form, ir_val x,
	       ir_val y, ir_val z, uint64_t imm)
{
	unsigned flags = ir_info[code].flags;
	struct ir_op *op = ir_next(b);

	assert(b->op_count < IR_MAX_OPS);
	*op = (struct ir_op){
		.code = (uint8_t)code,
		.form = (uint8_t)(ir_log2(size) | form),
		.a = flags & 1 ? ir_flags_part(x) : ir_value(x),
		.b = flags & 2 ? ir_flags_part(y) : ir_value(y),
		.c = flags & 4 ? ir_flags_part(z) : ir_value(z),
		.imm = imm,
	};
	op->form |= (uint8_t)(result_width(b, op) << IR_FORM_WIDTH_SHIFT);
	return b->as_written ? ir_val_of(ir_keep_as_written(b)) : emit_any(b);
}
