/* jit/ir_emit.c - emission: an op is looked at once, as it comes.  Guest state is forwarded from
 * PUT and GET to later GETs, also to narrower ones inside; a PUT that is overwritten before anybody
 * can see it goes; constants and algebra are ir_fold.c's.
 *
 * The state must be exact at each op that may leave the block, and at the end of an instruction
 * that stores: the store may have hit the block itself, which is then left behind that instruction.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_eval.h"
#include "jit/ir_internal.h"

/* Where the next op is made. */
static inline struct ir_op *next(struct ir_builder *b) { return &b->ops[b->op_count]; }

/* All of it, field by field: nothing is stored twice. */
static inline void make(struct ir_builder *b, enum ir_code code, unsigned form, uint16_t x,
			uint16_t y, uint16_t z, uint64_t imm)
{
	struct ir_op *op = next(b);

	op->code = (uint8_t)code;
	op->form = (uint8_t)form;
	op->a = x;
	op->b = y;
	op->c = z;
	op->imm = imm;
}

/* What was made there stays; `count` uses of it are known. */
static inline uint16_t keep_used(struct ir_builder *b, unsigned count)
{
	unsigned i = b->op_count;

	assert(i < IR_MAX_OPS);
	b->uses[i] = (struct ir_use){ .count = (uint16_t)count };
	b->op_count = i + 1;
	return (uint16_t)i;
}

static inline uint16_t keep(struct ir_builder *b) { return keep_used(b, 0); }

/* The newest op, i, has v for a value. */
static inline void use_last(struct ir_builder *b, uint16_t v, uint16_t i)
{
	b->uses[v].count++;
	b->uses[v].last = i;
}

static inline unsigned log2_of(unsigned size) { return (unsigned)__builtin_ctz(size); }

/* ---- everything, for tests ---- */

static bool is_flags_slot(const struct ir_builder *b, uint64_t offset, unsigned bytes)
{
	return offset < b->desc->flags_offset + 4 && b->desc->flags_offset < offset + bytes;
}

/* C was called, which may have changed the flags. */
static void after_call(struct ir_builder *b, const struct ir_op *op)
{
	const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)op->imm;

	if (h->reads_flags || h->writes_flags)
		ir_ask_slot(b);
	if (h->writes_flags)
		b->flags = b->slot_flags = IR_NONE;
}

/* The builder's own view of the flags has to stay true all the same. */
static uint16_t keep_as_written(struct ir_builder *b)
{
	const struct ir_op *op = next(b);
	uint16_t i = keep(b);

	if (op->code == IR_FLAGS_GET)
		b->slot_flags = i;
	else if (op->code == IR_FLAGS_PUT)
		b->slot_flags = op->a;
	else if (op->code == IR_PUT && is_flags_slot(b, op->imm, ir_size(op)))
		b->slot_flags = IR_NONE;
	else if (op->code == IR_CALL || op->code == IR_CALL_IF)
		after_call(b, op);
	return i;
}

/* ---- guest state ---- */

/* The flags slot must be what it should be: somebody outside looks. */
static inline void flags_write_back(struct ir_builder *b)
{
	if (b->flags == b->slot_flags)
		return;
	make(b, IR_FLAGS_PUT, ir_form(2, 2), b->flags, 0, 0, 0);
	b->slot_flags = b->flags;
	b->slot_is_ours = true;
	keep_used(b, 1);
}

/* Nothing is known any more of these bytes. */
static void forget(struct ir_builder *b, uint64_t offset, unsigned bytes)
{
	for (uint64_t w = offset / 8; w <= (offset + bytes - 1) / 8; w++)
		b->words[w].stamp = 0;
}

/* Of the flags, of what lies in two words, and for tests: no notes are taken. */
static __attribute__((noinline)) uint16_t get_odd(struct ir_builder *b, unsigned size,
						  uint32_t offset)
{
	unsigned sz = log2_of(size);

	if (is_flags_slot(b, offset, size)) {
		flags_write_back(b);
		ir_ask_slot(b);
	}
	make(b, IR_GET, ir_form(sz, sz), 0, 0, 0, offset);
	if (offset % 8 + size > 8)
		forget(b, offset, size);
	return keep(b);
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
	unsigned sz = log2_of(size);
	uint16_t i;

	if (unlikely(is_odd(b, size, offset)))
		return get_odd(b, size, offset);
	make(b, IR_GET, ir_form(sz, sz), 0, 0, 0, offset);
	i = keep(b);
	*w = (struct ir_word){
		.stamp = b->stamp, .val = i, .from = offset % 8, .size = (uint8_t)size
	};
	return i;
}

/* So many bytes of v from byte `skip` on. */
static uint16_t get_inside(struct ir_builder *b, const struct ir_word *w, unsigned size,
			   unsigned skip)
{
	unsigned sz = log2_of(w->size);
	uint16_t v = w->val;

	if (skip)
		v = ir_append(b, (struct ir_op){ .code = IR_SHR,
						 .form = ir_form(sz, sz) | IR_FORM_IMM,
						 .a = v,
						 .imm = skip * 8 });
	return ir_fold_cut(b, log2_of(size), v);
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

/* Low bytes are all that counts: look through zero extensions. */
static inline uint16_t strip_moves(const struct ir_builder *b, uint16_t v, unsigned sz)
{
	while (b->ops[v].code == IR_MOV && ir_size_log2(&b->ops[v]) >= sz)
		v = b->ops[v].a;
	return v;
}

static __attribute__((noinline)) void put_odd(struct ir_builder *b, unsigned size, uint32_t offset,
					      uint16_t a)
{
	unsigned sz = log2_of(size);

	if (!b->as_written)
		a = strip_moves(b, a, sz);
	make(b, IR_PUT, ir_form(sz, sz), a, 0, 0, offset);
	if (b->as_written) {
		keep_as_written(b);
		return;
	}
	if (is_flags_slot(b, offset, size)) /* its six bits are now whatever v has there */
		b->slot_flags = IR_NONE;
	forget(b, offset, size);
	use_last(b, a, keep_used(b, 1));
}

/* The PUT of size bytes from byte `from` on of that word, and the note of it. */
static inline void put_new(struct ir_builder *b, unsigned word, unsigned from, unsigned size,
			   uint16_t a)
{
	unsigned sz = log2_of(size);
	uint16_t i;

	make(b, IR_PUT, ir_form(sz, sz), a, 0, 0, word * 8u + from);
	i = keep_used(b, 1);
	use_last(b, a, i);
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

	a = strip_moves(b, a, log2_of(size));
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
	op->a = strip_moves(b, op->a, sz);
	if (ir_value_operands(op) & 2)
		op->b = strip_moves(b, op->b, sz);
}

/* x - x and x ^ x: what is known of their flags too. */
static ir_val emit_zero(struct ir_builder *b)
{
	uint16_t bits = ir_fold_const(b, IR_Z | IR_P), flags;

	*next(b) = (struct ir_op){ .code = IR_FLAGS_OF, .form = ir_form(2, 2), .a = bits };
	flags = keep(b);
	ir_use(b, bits, flags);
	return ir_fold_const(b, 0) | (ir_val)flags << 16;
}

/* The pure op in next(), which may have flags. */
static ir_val emit_with_flags(struct ir_builder *b, struct ir_op *op)
{
	uint16_t value, flags, i;

	if ((op->code == IR_SUB || op->code == IR_XOR) && !ir_has_imm(op) && op->a == op->b)
		return emit_zero(b);
	i = flags = keep(b); /* for its flags if not for its value */
	value = ir_fold(b, op, &flags);
	ir_use_operands(b, i);
	return (value ? value : i) | (ir_val)flags << 16;
}

/* The pure op in next(). */
static ir_val emit_value(struct ir_builder *b)
{
	struct ir_op *op = next(b);
	uint16_t value, i;

	if (b->as_written)
		return ir_val_of(keep_as_written(b));
	strip_operands(b, op);
	if (ir_info[op->code].props & IR_PROP_FLAGS)
		return emit_with_flags(b, op);
	value = ir_fold(b, op, NULL);
	if (value)
		return ir_val_of(value);
	i = keep(b);
	ir_use_operands(b, i);
	return ir_val_of(i);
}

static inline ir_val value_op(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form,
			      ir_val x, ir_val y, unsigned z, uint64_t imm)
{
	unsigned sz = log2_of(size);

	make(b, code, ir_form(sz, sz) | form, ir_value(x), ir_value(y), (uint16_t)z, imm);
	return emit_value(b);
}

ir_val ir_const(struct ir_builder *b, uint64_t v) { return ir_val_of(ir_fold_const(b, v)); }

bool ir_is_const(const struct ir_builder *b, ir_val v, uint64_t *out)
{
	return ir_fold_is_const(b, ir_value(v), out);
}

ir_val ir_pc(struct ir_builder *b, int64_t delta)
{
	make(b, IR_PC, ir_form(b->pc_size, b->pc_size), 0, 0, 0, (uint64_t)delta);
	return ir_val_of(keep(b));
}

ir_val ir_un(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x)
{
	unsigned sz = log2_of(size), width = code >= IR_CLZ && code <= IR_POPCNT ? 0 : sz;

	*next(b) = (struct ir_op){ .code = (uint8_t)code,
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
	unsigned sz = log2_of(size);
	uint16_t v = strip_moves(b, ir_value(x), sz), w = strip_moves(b, ir_value(y), sz), i;

	if (!is_plain(code) || v == w || is_known(b, v) || is_known(b, w) || b->as_written)
		return any_bin(b, code, size, x, y);
	make(b, code, ir_form(sz, sz), v, w, 0, 0);
	i = keep(b);
	use_last(b, v, i);
	use_last(b, w, i);
	return ir_val_of(i);
}

ir_val ir_bini(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm)
{
	unsigned sz = log2_of(size);
	uint16_t v = strip_moves(b, ir_value(x), sz), i;

	if (!is_plain(code) || code == IR_AND || !(uint8_t)imm || is_known(b, v) || b->as_written)
		return any_bini(b, code, size, x, imm);
	make(b, code, ir_form(sz, sz) | IR_FORM_IMM, v, 0, 0, imm);
	i = keep(b);
	use_last(b, v, i);
	return ir_val_of(i);
}

ir_val ir_bin_flags(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y)
{
	unsigned sz = log2_of(size);
	uint16_t v = strip_moves(b, ir_value(x), sz), w = strip_moves(b, ir_value(y), sz), i;

	if (unlikely(b->as_written))
		return any_bin(b, code, size, x, y);
	make(b, code, ir_form(sz, sz), v, w, 0, 0);
	if (is_known(b, v) || is_known(b, w)) {
		ir_fold_immediate(b, next(b));
		i = keep(b);
		ir_use_operands(b, i);
		return ir_val_of(i);
	}
	i = keep(b);
	use_last(b, v, i);
	use_last(b, w, i);
	return ir_val_of(i);
}

ir_val ir_bini_flags(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm)
{
	unsigned sz = log2_of(size);
	uint16_t v = strip_moves(b, ir_value(x), sz), i;

	if (unlikely(b->as_written))
		return any_bini(b, code, size, x, imm);
	make(b, code, ir_form(sz, sz) | IR_FORM_IMM, v, 0, 0, imm);
	i = keep(b);
	use_last(b, v, i);
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
		return ir_width_log2(b, ir_value(x)) <= log2_of(size)
			       ? ir_val_of(ir_value(x))
			       : ir_val_of(ir_fold_cut(b, log2_of(size), ir_value(x)));
	return ir_un(b, IR_MOV, size, x);
}

ir_val ir_sext(struct ir_builder *b, unsigned from, unsigned to, ir_val x)
{
	*next(b) = (struct ir_op){ .code = IR_SEXT,
				   .form = ir_form(log2_of(from), log2_of(to)),
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

	make(b, IR_LEA, ir_form(3, 3), base, index, (uint16_t)shift, disp);
	i = keep(b);
	use_last(b, base, i);
	use_last(b, index, i);
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
	make(b, code, ir_form(log2_of(size), 0) | form, x, (uint16_t)y, (uint16_t)z, imm);
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

	*next(b) = (struct ir_op){ .code = IR_SELECT,
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
	*next(b) = (struct ir_op){ .code = IR_FLAGS_GET, .form = ir_form(2, 2) };
	if (!b->slot_is_ours)
		b->flags_get = (uint16_t)b->op_count;
	return b->slot_flags = keep(b);
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
	*next(b) = (struct ir_op){
		.code = IR_FLAGS_MERGE, .form = ir_form(2, 2), .a = x, .b = y, .imm = mask
	};
	return keep(b);
}

void ir_flags_set_masked(struct ir_builder *b, ir_val op, uint32_t mask)
{
	ir_flags(b);
	b->flags = emit_merge(b, ir_flags_part(op), b->flags, mask);
}

ir_val ir_flags_of(struct ir_builder *b, ir_val bits)
{
	uint16_t i;

	*next(b) = (struct ir_op){ .code = IR_FLAGS_OF,
				   .form = ir_form(2, 2),
				   .a = ir_value(bits) };
	i = keep(b);
	ir_use(b, ir_value(bits), i);
	return ir_val_of(i);
}

ir_val ir_flags_to(struct ir_builder *b, ir_val flags)
{
	*next(b) = (struct ir_op){ .code = IR_FLAGS_TO,
				   .form = ir_form(2, 1),
				   .a = ir_flags_part(flags) };
	return ir_val_of(keep(b));
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
	make(b, IR_COND, ir_form(0, 0), b->flags, c, 0, 0);
	return ir_val_of(keep(b));
}

/* ---- what may leave the block ---- */

/* The op that was just kept may fault, which shows all of the state. */
static inline void may_leave(struct ir_builder *b)
{
	b->may_leave = true;
	b->first_unseen = b->op_count;
	/* The slot, only where that has the flags of the instruction's start. */
	if (!b->insn_flags)
		ir_ask_slot(b);
}

/* The access in next(). */
static inline uint16_t emit_access(struct ir_builder *b, enum ir_code code)
{
	struct ir_op *op = next(b);
	uint16_t i;

	if (unlikely(b->as_written))
		return keep_as_written(b);
	op->a = ir_fold_base(b, op->a, &op->imm);
	if (code == IR_STORE)
		op->b = strip_moves(b, op->b, ir_size_log2(op));
	else if (code == IR_VLOAD)
		forget(b, (uint64_t)op->c * 8, op->b);
	i = keep_used(b, code != IR_LOAD);
	b->uses[op->a].count++; /* as an address */
	if (code == IR_STORE)
		use_last(b, op->b, i);
	if (code == IR_STORE || code == IR_VSTORE)
		b->may_store = true;
	may_leave(b);
	return i;
}

/* The block is left here, whatever comes. */
static inline void end_block(struct ir_builder *b)
{
	if (b->is_over)
		return;
	b->is_over = true;
	b->end_ops = b->op_count;
	b->end_insns = b->insn_count + 1;
}

/* The exit in next(). */
static inline uint16_t emit_exit(struct ir_builder *b, enum ir_code code)
{
	struct ir_op *op = next(b);
	uint16_t i;

	if (unlikely(b->as_written))
		return keep_as_written(b);
	i = keep_used(b, 1);
	if (code == IR_EXIT_IF || code == IR_EXIT_TO)
		use_last(b, op->a, i);
	may_leave(b);
	ir_ask_slot(b);
	if (code != IR_EXIT_IF)
		end_block(b);
	return i;
}

/* The call or fence in next(). */
static uint16_t emit_leave(struct ir_builder *b)
{
	struct ir_op *op = next(b);
	uint16_t i;

	if (b->as_written)
		return keep_as_written(b);
	i = keep_used(b, !(ir_info[op->code].props & IR_PROP_RESULT));
	ir_use_operands(b, i);
	if (op->code == IR_FENCE)
		return i;
	may_leave(b);
	b->may_store |= ir_may_store(op);
	if (ir_clobbers_state(op))
		b->stamp++;
	if (op->code == IR_CALL || op->code == IR_CALL_IF)
		after_call(b, op);
	return i;
}

/* The CALL_IF in next(). */
static void emit_call_if(struct ir_builder *b)
{
	uint64_t c = 1;

	if (!b->as_written)
		(void)ir_fold_is_const(b, next(b)->a, &c);
	if (c)
		emit_leave(b);
}

/* The EXIT_IF in next(). */
static inline void emit_exit_if(struct ir_builder *b)
{
	struct ir_op *op = next(b);
	uint64_t c;

	if (b->as_written || !ir_fold_is_const(b, op->a, &c)) {
		emit_exit(b, IR_EXIT_IF);
	} else if (c) {
		*op = (struct ir_op){ .code = IR_EXIT, .form = op->form, .imm = op->imm };
		emit_exit(b, IR_EXIT);
	}
}

static ir_val base_or_zero(struct ir_builder *b, ir_val base)
{
	return base ? base : ir_const(b, 0);
}

static inline uint16_t access_op(struct ir_builder *b, enum ir_code code, unsigned size,
				 ir_val base, int64_t disp, unsigned y, unsigned z)
{
	uint16_t a = ir_value(base_or_zero(b, base));
	unsigned sz = log2_of(size);

	*next(b) = (struct ir_op){
		.code = (uint8_t)code,
		.form = ir_form(sz, sz),
		.a = a,
		.b = (uint16_t)y,
		.c = (uint16_t)z,
		.imm = (uint64_t)disp,
	};
	return emit_access(b, code);
}

static __attribute__((noinline)) ir_val any_load(struct ir_builder *b, unsigned size, ir_val base,
						 int64_t disp, unsigned mem_flags)
{
	return ir_val_of(access_op(b, IR_LOAD, size, base, disp, mem_flags, IR_VIEW_CURRENT));
}

ir_val ir_load(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, unsigned mem_flags)
{
	unsigned sz = log2_of(size);
	uint64_t imm = (uint64_t)disp;
	uint16_t a, i;

	if (unlikely(!base || b->as_written))
		return any_load(b, size, base, disp, mem_flags);
	a = ir_fold_base(b, ir_value(base), &imm);
	make(b, IR_LOAD, ir_form(sz, sz), a, (uint16_t)mem_flags, 0, imm);
	i = keep(b);
	b->uses[a].count++; /* as an address */
	may_leave(b);
	return ir_val_of(i);
}

static __attribute__((noinline)) void any_store(struct ir_builder *b, unsigned size, ir_val base,
						int64_t disp, ir_val v)
{
	access_op(b, IR_STORE, size, base, disp, ir_value(v), 0);
}

void ir_store(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, ir_val v)
{
	unsigned sz = log2_of(size);
	uint64_t imm = (uint64_t)disp;
	uint16_t a, w;

	if (unlikely(!base || b->as_written)) {
		any_store(b, size, base, disp, v);
		return;
	}
	a = ir_fold_base(b, ir_value(base), &imm);
	w = strip_moves(b, ir_value(v), sz);
	make(b, IR_STORE, ir_form(sz, sz), a, w, 0, imm);
	b->uses[a].count++; /* as an address */
	use_last(b, w, keep_used(b, 1));
	b->may_store = true;
	may_leave(b);
}

void ir_vload(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	      uint32_t state_offset)
{
	assert(!(state_offset & 7));
	access_op(b, IR_VLOAD, 8, base, disp, bytes, state_offset / 8);
}

void ir_vstore(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	       uint32_t state_offset)
{
	assert(!(state_offset & 7));
	access_op(b, IR_VSTORE, 8, base, disp, bytes, state_offset / 8);
}

ir_val ir_atomic(struct ir_builder *b, enum ir_code code, unsigned size, ir_val addr, ir_val x,
		 ir_val y)
{
	make(b, code, ir_form(log2_of(size), log2_of(size)), ir_value(addr), ir_value(x),
	     ir_value(y), 0);
	return ir_val_of(emit_leave(b));
}

void ir_fence(struct ir_builder *b, unsigned kinds)
{
	make(b, IR_FENCE, ir_form(3, 3), (uint16_t)kinds, 0, 0, 0);
	emit_leave(b);
}

ir_val ir_call(struct ir_builder *b, const struct ir_helper *h, ir_val x, ir_val y, ir_val z)
{
	if (h->reads_flags)
		flags_write_back(b);
	make(b, IR_CALL, ir_form(3, 3), ir_value(x), ir_value(y), ir_value(z), (uintptr_t)h);
	return ir_val_of(emit_leave(b));
}

void ir_call_if(struct ir_builder *b, ir_val cond, const struct ir_helper *h, ir_val x, ir_val y)
{
	/* Where it is not called the flags of before must stand in the slot. */
	if (h->reads_flags || h->writes_flags)
		flags_write_back(b);
	make(b, IR_CALL_IF, ir_form(3, 3), ir_value(cond), ir_value(x), ir_value(y), (uintptr_t)h);
	emit_call_if(b);
}

void ir_native(struct ir_builder *b, const struct ir_native *n, ir_val value)
{
	make(b, IR_NATIVE, ir_form(3, 3), ir_value(value), 0, 0, (uintptr_t)n);
	emit_leave(b);
}

static inline void exit_op(struct ir_builder *b, enum ir_code code, ir_val x, unsigned y,
			   uint64_t imm)
{
	flags_write_back(b);
	make(b, code, ir_form(3, 3), ir_value(x), (uint16_t)y, 0, imm);
	emit_exit(b, code);
}

void ir_exit(struct ir_builder *b, int64_t pc_delta)
{
	exit_op(b, IR_EXIT, IR_NONE, IR_BRANCH_JUMP, (uint64_t)pc_delta);
}

void ir_exit_call(struct ir_builder *b, int64_t pc_delta)
{
	exit_op(b, IR_EXIT, IR_NONE, IR_BRANCH_CALL, (uint64_t)pc_delta);
}

void ir_exit_if(struct ir_builder *b, ir_val cond, int64_t pc_delta)
{
	flags_write_back(b);
	make(b, IR_EXIT_IF, ir_form(3, 3), ir_value(cond), 0, 0, (uint64_t)pc_delta);
	emit_exit_if(b);
}

void ir_exit_to(struct ir_builder *b, ir_val pc, enum ir_branch kind)
{
	exit_op(b, IR_EXIT_TO, pc, kind, 0);
}

void ir_exit_loop(struct ir_builder *b, int64_t pc_delta)
{
	exit_op(b, IR_EXIT_LOOP, IR_NONE, 0, (uint64_t)pc_delta);
}

void ir_exit_state(struct ir_builder *b) { exit_op(b, IR_EXIT_STATE, IR_NONE, 0, 0); }

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
	case IR_SEXT: return log2_of(op->b | 8u);
	case IR_SELECT:
		y = ir_width_log2(b, op->b);
		n = ir_width_log2(b, op->c);
		return y > n ? y : n;
	default: return ir_size_log2(op);
	}
}

/* The op in next(), of any kind. */
static ir_val emit_any(struct ir_builder *b)
{
	struct ir_op *op = next(b);
	unsigned props = ir_info[op->code].props;

	switch (op->code) {
	case IR_GET: return ir_get(b, ir_size(op), (uint32_t)op->imm);
	case IR_PUT: ir_put(b, ir_size(op), (uint32_t)op->imm, op->a); return IR_NONE;
	case IR_FLAGS_GET: return ir_val_of(emit_flags_get(b));
	case IR_FLAGS_PUT:
		b->flags = op->a;
		flags_write_back(b);
		return IR_NONE;
	case IR_FLAGS_MERGE: return ir_val_of(emit_merge(b, op->a, op->b, op->imm));
	case IR_LOAD:
	case IR_STORE:
	case IR_VLOAD:
	case IR_VSTORE: return ir_val_of(emit_access(b, op->code));
	case IR_CALL_IF: emit_call_if(b); return IR_NONE;
	case IR_EXIT_IF: emit_exit_if(b); return IR_NONE;
	case IR_EXIT:
	case IR_EXIT_TO:
	case IR_EXIT_LOOP:
	case IR_EXIT_STATE: return ir_val_of(emit_exit(b, op->code));
	default: return props & IR_PROP_LEAVES ? ir_val_of(emit_leave(b)) : emit_value(b);
	}
}

ir_val ir_emit(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form, ir_val x,
	       ir_val y, ir_val z, uint64_t imm)
{
	unsigned flags = ir_info[code].flags;
	struct ir_op *op = next(b);

	assert(b->op_count < IR_MAX_OPS);
	*op = (struct ir_op){
		.code = (uint8_t)code,
		.form = (uint8_t)(log2_of(size) | form),
		.a = flags & 1 ? ir_flags_part(x) : ir_value(x),
		.b = flags & 2 ? ir_flags_part(y) : ir_value(y),
		.c = flags & 4 ? ir_flags_part(z) : ir_value(z),
		.imm = imm,
	};
	op->form |= (uint8_t)(result_width(b, op) << IR_FORM_WIDTH_SHIFT);
	return b->as_written ? ir_val_of(keep_as_written(b)) : emit_any(b);
}
