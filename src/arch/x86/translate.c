/* arch/x86/translate.c - the translation driver: guest bytes to IR, one block at a time, and how
 * instructions leave a block.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/tr.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/isa_gen.h"
#include "arch/x86/sys.h"
#include "arch/x86/x86.h"
#include "cpu/guest.h"

enum { PAGE = 4096, CHUNK = 128 };

/* ---- exceptions ---- */

/* What the helper is told: vector, whether it has an error code, the code. */
enum { RAISE_HAS_CODE = 1u << 8, RAISE_CODE_SHIFT = 32 };

static uint64_t raise_helper_fn(void *env, uint64_t what, uint64_t unused, uint64_t unused2)
{
	(void)unused;
	(void)unused2;
	if (what & RAISE_HAS_CODE)
		x86_raise_code(env, (enum x86_vector)(what & 0xff),
			       (uint32_t)(what >> RAISE_CODE_SHIFT));
	else
		x86_raise(env, (enum x86_vector)what);
	return 0;
}

static const struct ir_helper raise_helper = {
	.name = "raise",
	.fn = raise_helper_fn,
	.can_fault = true,
	.always_faults = true,
};

/* #GP(0), of which every return and indirect branch has a check. */
static uint64_t raise_gp0_fn(void *env, uint64_t unused, uint64_t unused2, uint64_t unused3)
{
	(void)unused;
	(void)unused2;
	(void)unused3;
	x86_raise_code(env, EXC_GP, 0);
	return 0;
}

static const struct ir_helper raise_gp0_helper = {
	.name = "raise_gp0",
	.fn = raise_gp0_fn,
	.can_fault = true,
	.always_faults = true,
};

static uint64_t with_code(enum x86_vector v, uint32_t code)
{
	return v | RAISE_HAS_CODE | (uint64_t)code << RAISE_CODE_SHIFT;
}

static void raise_always(struct x86_tr *t, uint64_t what)
{
	ir_call(t->b, &raise_helper, ir_const(t->b, what), IR_NONE, IR_NONE);
	tr_end_state(t); /* not reached */
}

static void raise_if(struct x86_tr *t, ir_val cond, uint64_t what)
{
	uint64_t c;

	if (ir_is_const(t->b, cond, &c) && !c)
		return;
	if (what == with_code(EXC_GP, 0))
		ir_call_if(t->b, cond, &raise_gp0_helper, IR_NONE, IR_NONE);
	else
		ir_call_if(t->b, cond, &raise_helper, ir_const(t->b, what), IR_NONE);
}

void tr_raise(struct x86_tr *t, enum x86_vector v) { raise_always(t, v); }

void tr_raise_code(struct x86_tr *t, enum x86_vector v, uint32_t code)
{
	raise_always(t, with_code(v, code));
}

void tr_raise_if(struct x86_tr *t, ir_val cond, enum x86_vector v) { raise_if(t, cond, v); }

void tr_raise_code_if(struct x86_tr *t, ir_val cond, enum x86_vector v, uint32_t code)
{
	raise_if(t, cond, with_code(v, code));
}

/* ---- leaving ---- */

void tr_end_loop(struct x86_tr *t)
{
	ir_exit_loop(t->b, t->next);
	t->ended = true;
}

void tr_end_state(struct x86_tr *t)
{
	ir_exit_state(t->b);
	t->ended = true;
}

/* The end of a block inside ordinary code; a stepped one goes back to the loop. */
static void exit_to_delta(struct x86_tr *t, int64_t delta)
{
	if (t->mode & MODE_STEP)
		ir_exit_loop(t->b, delta);
	else
		ir_exit(t->b, delta);
	t->ended = true;
}

ir_val tr_next_pc(struct x86_tr *t, unsigned size)
{
	ir_val pc = ir_pc(t->b, t->next);

	return size < 8 ? ir_zext(t->b, size, pc) : pc;
}

/* Offset of a relative branch's target from the block's entry; outside 64-bit mode the target is
 * cut to the operand size. */
static int64_t branch_delta(const struct x86_tr *t)
{
	uint32_t target;

	if (tr_is64(t))
		return t->next + (int64_t)t->in.imm;
	target = (uint32_t)(t->entry_pc + (uint64_t)(int64_t)t->next + t->in.imm);
	if (t->in.opsize == 2)
		target &= 0xffff;
	return (int32_t)(target - (uint32_t)t->entry_pc);
}

/* 1 when the offset lies outside the code segment; IR_NONE when it cannot. */
static ir_val beyond_limit(struct x86_tr *t, uint32_t offset)
{
	if (tr_is64(t) || t->mode & MODE_FLAT_CODE)
		return IR_NONE;
	return ir_cmpi(t->b, IR_LTU, 4, ir_get(t->b, 4, OFS_SEG(SEG_CS, limit)), offset);
}

/* 1 when the address at a distance from the entry is not canonical; IR_NONE when it is. */
static ir_val beyond_canonical(struct x86_tr *t, int64_t delta)
{
	if (!t->is_edge || !((t->entry_pc ^ (t->entry_pc + (uint64_t)delta)) & ~(gva_t)(PAGE - 1)))
		return IR_NONE;
	return ir_wider(t->b, ir_pc(t->b, delta), X86_CANONICAL_BITS);
}

static void check_rel(struct x86_tr *t, ir_val cond)
{
	int64_t delta = branch_delta(t);
	ir_val bad = tr_is64(t) ? beyond_canonical(t, delta)
				: beyond_limit(t, (uint32_t)(t->entry_pc + (uint64_t)delta));

	if (bad)
		tr_raise_code_if(t, cond ? ir_bin(t->b, IR_AND, 1, bad, cond) : bad, EXC_GP, 0);
}

void tr_check_rel(struct x86_tr *t, ir_val cond)
{
	if (!tr_is64(t) || t->is_edge)
		check_rel(t, cond);
}

void tr_jump_rel(struct x86_tr *t)
{
	tr_check_rel(t, IR_NONE);
	exit_to_delta(t, branch_delta(t));
}

/* Is the present instruction, which pushes or pops a return address, one of those that come in
 * pairs?  A call of the next instruction only asks where it is. */
static bool is_paired(const struct x86_tr *t) { return tr_is64(t) && t->in.opsize == 8; }

void tr_call_rel(struct x86_tr *t)
{
	int64_t delta = branch_delta(t);

	if (t->mode & MODE_STEP || !is_paired(t) || delta == t->next) {
		exit_to_delta(t, delta);
		return;
	}
	ir_exit_call(t->b, delta);
	t->ended = true;
}

/* Does a branch over delta lead back within the block's page?  Then what follows it is, as a rule,
 * reached once for many times the branch is taken. */
static bool is_loop_branch(const struct x86_tr *t, int64_t delta)
{
	gva_t base = x86_linear_pc(t->cpu);

	return delta <= t->delta && !((base ^ (base + (uint64_t)delta)) & ~(gva_t)(PAGE - 1));
}

void tr_jump_rel_if(struct x86_tr *t, ir_val cond)
{
	int64_t delta = branch_delta(t);

	tr_check_rel(t, cond);
	if (t->mode & MODE_STEP) {
		ir_val pc = ir_select(t->b, cond, ir_pc(t->b, delta), ir_pc(t->b, t->next));

		ir_put(t->b, 8, OFS(env.pc), pc);
		tr_end_state(t);
		return;
	}
	ir_exit_if(t->b, cond, delta);
	if (is_loop_branch(t, delta))
		exit_to_delta(t, t->next);
	else if (delta >= t->next && delta < t->join)
		t->join = (int32_t)delta;
}

void tr_check_target(struct x86_tr *t, ir_val v)
{
	ir_val bad;

	if (tr_is64(t)) {
		bad = ir_wider(t->b, v, X86_CANONICAL_BITS);
	} else if (!(t->mode & MODE_FLAT_CODE)) {
		bad = ir_cmp(t->b, IR_LTU, 4, ir_get(t->b, 4, OFS_SEG(SEG_CS, limit)),
			     ir_zext(t->b, t->in.opsize, v));
	} else {
		return;
	}
	tr_raise_code_if(t, bad, EXC_GP, 0);
}

void tr_jump_to(struct x86_tr *t, ir_val v, enum ir_branch kind)
{
	if (t->in.opsize < 8)
		v = ir_zext(t->b, t->in.opsize, v);
	if (t->mode & MODE_STEP) {
		ir_put(t->b, 8, OFS(env.pc), v);
		tr_end_state(t);
		return;
	}
	ir_exit_to(t->b, v, is_paired(t) ? kind : IR_BRANCH_JUMP);
	t->ended = true;
}

/* ---- reading code ---- */

struct code_reader {
	struct x86_reader reader;
	struct x86_cpu *cpu;
	struct x86_fetch *fetch;
	gva_t base;           /* linear address of the block's entry */
	bool is_past_first;   /* instruction */
	uint32_t page_end;    /* bytes of the entry's page from the entry on */
	uint32_t have;        /* bytes fetched so far */
	uint64_t limit;       /* bytes from the entry to the CS limit */
	bool hit_limit;       /* stopped at the CS limit, not by a fault */
	uint8_t chunk[CHUNK]; /* the last of them */
};

/* All bytes at hand are used up: get more, of one page, within the limit. */
static bool reader_fill(struct code_reader *r)
{
	bool code64 = r->cpu->env.mode & MODE_CODE64;
	uint32_t end = r->have < r->page_end ? r->page_end : r->page_end + PAGE;
	gva_t addr = r->base + r->have;

	if (r->have >= r->limit) {
		r->hit_limit = true;
		return false;
	}
	/* Only a block's first instruction may reach into the next page: what follows has a block
	 * of its own, and faults of its own. */
	if (r->have >= r->page_end && r->is_past_first)
		return false;
	if (end > r->limit)
		end = (uint32_t)r->limit;
	r->reader.at = r->chunk;
	r->reader.end = r->chunk + r->fetch->bytes(r->fetch, code64 ? addr : (uint32_t)addr,
						   r->chunk,
						   end - r->have < CHUNK ? end - r->have : CHUNK);
	r->have += (uint32_t)(r->reader.end - r->chunk);
	return r->reader.end > r->chunk;
}

static int reader_next(struct x86_reader *reader)
{
	struct code_reader *r = container_of(reader, struct code_reader, reader);

	return reader_fill(r) ? *reader->at++ : -1;
}

static void reader_init(struct code_reader *r, struct x86_cpu *c, struct x86_fetch *fetch)
{
	r->reader = (struct x86_reader){ .next = reader_next };
	r->cpu = c;
	r->fetch = fetch;
	r->have = 0;
	r->is_past_first = false;
	r->hit_limit = false;
	r->base = x86_linear_pc(c);
	r->page_end = PAGE - (r->base & (PAGE - 1));
	r->limit = UINT64_MAX;
	if (!(c->env.mode & (MODE_CODE64 | MODE_FLAT_CODE)))
		r->limit = c->env.pc > c->seg[SEG_CS].limit
				   ? 0
				   : c->seg[SEG_CS].limit - c->env.pc + UINT64_C(1);
}

/* ---- one instruction ---- */

static bool row_allowed(struct x86_tr *t)
{
	uint32_t attrs = t->in.row->attrs;

	if (likely(!(attrs & (ROW_NO_PE | ROW_CPL0 | ROW_X87 | ROW_X87_NOWAIT))))
		return true;
	if (attrs & ROW_NO_PE && !tr_is_protected(t)) {
		tr_ud(t);
		return false;
	}
	if (attrs & ROW_CPL0 && tr_cpl(t)) {
		tr_gp0(t);
		return false;
	}
	return !(attrs & (ROW_X87 | ROW_X87_NOWAIT)) || tr_require_x87(t);
}

/* The cached translation may run under another CS limit than the bytes were read under. */
static void check_code_limit(struct x86_tr *t)
{
	ir_val bad = beyond_limit(t, (uint32_t)(t->entry_pc + (uint64_t)(int64_t)t->next - 1));

	if (bad)
		tr_raise_code_if(t, bad, EXC_GP, 0);
}

/* A debugger may want to stop here.  A stepped instruction has looked already. */
static void call_before(struct x86_tr *t)
{
	gva_t at = x86_linear_pc(t->cpu) + (gva_t)t->delta;
	const struct ir_helper *before;

	if (!t->fetch->before || t->mode & MODE_STEP)
		return;
	before = t->fetch->before(t->fetch, tr_is64(t) ? at : (uint32_t)at);
	if (unlikely(before != NULL))
		ir_call(t->b, before, IR_NONE, IR_NONE, IR_NONE);
}

static void look_before(struct x86_tr *t)
{
	call_before(t);
	check_code_limit(t);
}

/* False: no more instructions fit this block. */
static inline bool translate_one(struct x86_tr *t, enum x86_decode result)
{
	bool has_room;

	t->delta = t->next;
	t->next += t->in.len;
	t->has_addr = false;
	ir_insn_begin(t->b, t->delta);
	if (unlikely(t->is_watched))
		look_before(t);
	if (likely(result == DECODE_OK)) {
		if (row_allowed(t))
			t->in.row->tr(t);
	} else if (result == DECODE_UD) {
		tr_ud(t);
	} else {
		tr_gp0(t);
	}
	has_room = ir_insn_end(t->b, t->in.len);
	if (unlikely(t->ends_after) && !t->ended)
		tr_end_loop(t);
	return has_room && !t->ended;
}

/* As many instructions as there are in the block, at least one.  Where paths meet again there will
 * be a block anyway: the code behind is not made twice.  False: a fault is recorded. */
static bool translate_all(struct x86_tr *t, struct code_reader *r, unsigned max_insns)
{
	const struct x86_decode_mode dm = {
		.code64 = t->mode & MODE_CODE64,
		.code32 = t->mode & MODE_CODE32,
		.no_vex = !tr_is_protected(t),
		.features = t->cpu->feat->isa,
	};
	int32_t page_end = (int32_t)r->page_end;
	enum x86_decode result;

	do {
		result = x86_decode(&t->in, &dm, &r->reader);
		if (result == DECODE_FETCH)
			break;
		r->is_past_first = true;
	} while (translate_one(t, result) && --max_insns && t->next < page_end &&
		 t->next != t->join);
	return r->is_past_first;
}

bool x86_translate(struct x86_cpu *c, struct ir_builder *b, struct x86_fetch *f, unsigned max_insns,
		   uint32_t *guest_len)
{
	uint64_t mode = c->env.mode;
	struct code_reader r;
	struct x86_tr t; /* each instruction sets what the first ones here do not */

	t.cpu = c;
	t.fetch = f;
	t.b = b;
	t.mode = mode;
	t.entry_pc = c->env.pc;
	t.next = 0;
	t.join = INT32_MAX;
	t.ended = t.ends_after = false;
	t.is_edge = guest_is_edge(X86_CANONICAL_BITS, t.entry_pc);
	t.is_watched = (f->before && !(mode & MODE_STEP)) ||
		       !(mode & (MODE_CODE64 | MODE_FLAT_CODE));
	reader_init(&r, c, f);
	if (!reader_fill(&r) || !translate_all(&t, &r, mode & MODE_STEP ? 1 : max_insns)) {
		if (r.hit_limit)
			x86_raise_code(c, EXC_GP, 0);
		return false;
	}
	if (!t.ended)
		exit_to_delta(&t, t.next);
	*guest_len = (uint32_t)t.next;
	return true;
}
