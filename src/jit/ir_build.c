/* jit/ir_build.c - the builder: what translators emit through.  Ops are appended as they come; all
 * cleverness is in the passes that ir_end() runs.
 * SPDX-License-Identifier: MIT */
#include "jit/ir.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "jit/ir_internal.h"

enum { ARENA_CHUNK = 16 * 1024 };

struct ir_builder *ir_builder_new(const struct ir_state_desc *desc)
{
	struct ir_builder *b = g_malloc0(sizeof(*b));

	b->desc = desc;
	b->pass = ir_pass_new(desc);
	return b;
}

static void arena_reset(struct ir_builder *b)
{
	while (b->arena && b->arena->next) {
		struct ir_arena_chunk *c = b->arena;

		b->arena = c->next;
		g_free(c);
	}
	if (b->arena)
		b->arena->used = 0;
}

void ir_builder_free(struct ir_builder *b)
{
	if (!b)
		return;
	arena_reset(b);
	g_free(b->arena);
	ir_pass_free(b->pass);
	g_free(b);
}

void *ir_arena(struct ir_builder *b, size_t bytes)
{
	struct ir_arena_chunk *c = b->arena;
	void *p;

	bytes = (bytes + 7) & ~(size_t)7;
	if (!c || c->used + bytes > c->size) {
		size_t size = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK;

		c = g_malloc(sizeof(*c) + size);
		c->next = b->arena;
		c->size = size;
		c->used = 0;
		b->arena = c;
	}
	p = (uint8_t *)c->bytes + c->used;
	c->used += bytes;
	return p;
}

void ir_begin(struct ir_builder *b, uint64_t mode, unsigned pc_size_log2)
{
	arena_reset(b);
	b->mode = mode;
	b->pc_size = pc_size_log2;
	b->guest_len = 0;
	b->insn_count = 0;
	b->flags = b->slot_flags = IR_NONE;
	b->ops[0] = (struct ir_op){ .code = IR_NOP };
	b->op_count = 1;
}

void ir_insn_begin(struct ir_builder *b, int32_t pc_delta)
{
	assert(b->insn_count < IR_MAX_INSNS);
	b->insns[b->insn_count] = (struct ir_insn){
		.first_op = (uint16_t)b->op_count,
		.flags_op = b->flags == b->slot_flags ? IR_NONE : b->flags,
		.pc_delta = pc_delta,
	};
	b->mark_ops = b->op_count;
	b->mark_flags = b->flags;
	b->mark_slot_flags = b->slot_flags;
}

void ir_insn_end(struct ir_builder *b, unsigned len)
{
	struct ir_insn *in = &b->insns[b->insn_count++];
	int64_t end = (int64_t)in->pc_delta + len;

	in->len = (uint8_t)len;
	if (end > (int64_t)b->guest_len)
		b->guest_len = (uint32_t)end;
}

void ir_insn_abandon(struct ir_builder *b)
{
	b->op_count = b->mark_ops;
	b->flags = b->mark_flags;
	b->slot_flags = b->mark_slot_flags;
}

bool ir_has_room(const struct ir_builder *b)
{
	return b->op_count + IR_INSN_ROOM <= IR_MAX_OPS && b->insn_count < IR_MAX_INSNS;
}

const struct ir_block *ir_end(struct ir_builder *b)
{
	ir_pass_run(b);
	b->block = (struct ir_block){
		.ops = b->ops,
		.insns = b->insns,
		.op_count = (uint16_t)b->op_count,
		.insn_count = (uint16_t)b->insn_count,
		.mode = b->mode,
		.guest_len = b->guest_len,
		.pc_size = (uint8_t)b->pc_size,
		.kills_flags = b->kills_flags,
	};
	return &b->block;
}

ir_val ir_emit(struct ir_builder *b, enum ir_code code, unsigned size, unsigned form, ir_val x,
	       ir_val y, ir_val z, uint64_t imm)
{
	unsigned i = b->op_count;

	assert(i < IR_MAX_OPS);
	b->ops[i] = (struct ir_op){
		.code = (uint8_t)code,
		.form = (uint8_t)((unsigned)__builtin_ctz(size) | form),
		.a = x,
		.b = y,
		.c = z,
		.imm = imm,
	};
	b->op_count = i + 1;
	return (ir_val)i;
}

ir_val ir_const(struct ir_builder *b, uint64_t v) { return ir_emit(b, IR_CONST, 8, 0, 0, 0, 0, v); }

bool ir_is_const(const struct ir_builder *b, ir_val v, uint64_t *out)
{
	if (!v || b->ops[v].code != IR_CONST)
		return false;
	*out = b->ops[v].imm;
	return true;
}

ir_val ir_pc(struct ir_builder *b, int64_t delta)
{
	return ir_emit(b, IR_PC, 1u << b->pc_size, 0, 0, 0, 0, (uint64_t)delta);
}

static bool is_flags_slot(const struct ir_builder *b, uint32_t offset, unsigned size)
{
	return offset < b->desc->flags_offset + 4 && b->desc->flags_offset < offset + size;
}

/* The flags slot must be what it should be: somebody outside looks. */
static void flags_write_back(struct ir_builder *b)
{
	if (b->flags == b->slot_flags)
		return;
	ir_emit(b, IR_FLAGS_PUT, 4, 0, b->flags, 0, 0, 0);
	b->slot_flags = b->flags;
}

ir_val ir_get(struct ir_builder *b, unsigned size, uint32_t offset)
{
	if (is_flags_slot(b, offset, size))
		flags_write_back(b);
	return ir_emit(b, IR_GET, size, 0, 0, 0, 0, offset);
}

void ir_put(struct ir_builder *b, unsigned size, uint32_t offset, ir_val v)
{
	ir_emit(b, IR_PUT, size, 0, v, 0, 0, offset);
	/* The slot's six bits are now whatever v had there. */
	if (is_flags_slot(b, offset, size))
		b->slot_flags = IR_NONE;
}

ir_val ir_un(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x)
{
	return ir_emit(b, code, size, 0, x, 0, 0, 0);
}

ir_val ir_bin(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y)
{
	return ir_emit(b, code, size, 0, x, y, 0, 0);
}

ir_val ir_bini(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm)
{
	return ir_emit(b, code, size, IR_FORM_IMM, x, 0, 0, imm);
}

ir_val ir_binf(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, ir_val y,
	       ir_val flags)
{
	return ir_emit(b, code, size, 0, x, y, flags, 0);
}

ir_val ir_binfi(struct ir_builder *b, enum ir_code code, unsigned size, ir_val x, uint64_t imm,
		ir_val flags)
{
	return ir_emit(b, code, size, IR_FORM_IMM, x, 0, flags, imm);
}

ir_val ir_zext(struct ir_builder *b, unsigned size, ir_val x) { return ir_un(b, IR_MOV, size, x); }

ir_val ir_sext(struct ir_builder *b, unsigned from, unsigned to, ir_val x)
{
	return ir_emit(b, IR_SEXT, from, 0, x, (ir_val)to, 0, 0);
}

ir_val ir_lea(struct ir_builder *b, unsigned size, ir_val base, ir_val index, unsigned shift,
	      int64_t disp)
{
	if (!base && !shift) {
		base = index;
		index = IR_NONE;
	}
	if (!base && !index)
		return ir_const(b, (uint64_t)disp & ~UINT64_C(0) >> (64 - 8 * size));
	return ir_emit(b, IR_LEA, size, 0, base, index, (ir_val)shift, (uint64_t)disp);
}

ir_val ir_cmp(struct ir_builder *b, enum ir_cmp c, unsigned size, ir_val x, ir_val y)
{
	return ir_emit(b, IR_CMP, size, 0, x, y, (ir_val)c, 0);
}

ir_val ir_cmpi(struct ir_builder *b, enum ir_cmp c, unsigned size, ir_val x, uint64_t imm)
{
	return ir_emit(b, IR_CMP, size, IR_FORM_IMM, x, 0, (ir_val)c, imm);
}

ir_val ir_wider(struct ir_builder *b, ir_val x, unsigned bits)
{
	return ir_emit(b, IR_WIDER, 8, 0, x, (ir_val)bits, 0, 0);
}

ir_val ir_select(struct ir_builder *b, ir_val cond, ir_val yes, ir_val no)
{
	return ir_emit(b, IR_SELECT, 8, 0, cond, yes, no, 0);
}

/* ---- flags ---- */

ir_val ir_flags(struct ir_builder *b)
{
	if (!b->flags)
		b->flags = b->slot_flags = ir_emit(b, IR_FLAGS_GET, 4, 0, 0, 0, 0, 0);
	return b->flags;
}

void ir_flags_set(struct ir_builder *b, ir_val op) { b->flags = op; }

void ir_flags_set_masked(struct ir_builder *b, ir_val op, uint32_t mask)
{
	b->flags = ir_emit(b, IR_FLAGS_MERGE, 4, 0, op, ir_flags(b), 0, mask);
}

ir_val ir_flags_of(struct ir_builder *b, ir_val bits)
{
	return ir_emit(b, IR_FLAGS_OF, 4, 0, bits, 0, 0, 0);
}

ir_val ir_flags_to(struct ir_builder *b, ir_val flags)
{
	return ir_emit(b, IR_FLAGS_TO, 4, 0, flags, 0, 0, 0);
}

ir_val ir_cond(struct ir_builder *b, enum ir_cond c)
{
	ir_val f = ir_flags(b);

	return ir_emit(b, IR_COND, 1, 0, f, (ir_val)c, 0, 0);
}

/* ---- memory ---- */

static ir_val base_or_zero(struct ir_builder *b, ir_val base)
{
	return base ? base : ir_const(b, 0);
}

ir_val ir_load(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, unsigned mem_flags)
{
	return ir_emit(b, IR_LOAD, size, 0, base_or_zero(b, base), (ir_val)mem_flags,
		       IR_VIEW_CURRENT, (uint64_t)disp);
}

void ir_store(struct ir_builder *b, unsigned size, ir_val base, int64_t disp, ir_val v)
{
	ir_emit(b, IR_STORE, size, 0, base_or_zero(b, base), v, 0, (uint64_t)disp);
}

void ir_vload(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	      uint32_t state_offset)
{
	assert(!(state_offset & 7));
	ir_emit(b, IR_VLOAD, 8, 0, base_or_zero(b, base), (ir_val)bytes, (ir_val)(state_offset / 8),
		(uint64_t)disp);
}

void ir_vstore(struct ir_builder *b, unsigned bytes, ir_val base, int64_t disp,
	       uint32_t state_offset)
{
	assert(!(state_offset & 7));
	ir_emit(b, IR_VSTORE, 8, 0, base_or_zero(b, base), (ir_val)bytes,
		(ir_val)(state_offset / 8), (uint64_t)disp);
}

ir_val ir_atomic(struct ir_builder *b, enum ir_code code, unsigned size, ir_val addr, ir_val x,
		 ir_val y)
{
	return ir_emit(b, code, size, 0, addr, x, y, 0);
}

void ir_fence(struct ir_builder *b, unsigned kinds)
{
	ir_emit(b, IR_FENCE, 8, 0, (ir_val)kinds, 0, 0, 0);
}

/* ---- calls ---- */

ir_val ir_call(struct ir_builder *b, const struct ir_helper *h, ir_val x, ir_val y, ir_val z)
{
	ir_val r;

	if (h->reads_flags)
		flags_write_back(b);
	r = ir_emit(b, IR_CALL, 8, 0, x, y, z, (uint64_t)(uintptr_t)h);
	if (h->writes_flags)
		b->flags = b->slot_flags = IR_NONE;
	return r;
}

void ir_call_if(struct ir_builder *b, ir_val cond, const struct ir_helper *h, ir_val x, ir_val y)
{
	/* Where it is not called the flags of before must stand in the slot. */
	if (h->reads_flags || h->writes_flags)
		flags_write_back(b);
	ir_emit(b, IR_CALL_IF, 8, 0, cond, x, y, (uint64_t)(uintptr_t)h);
	if (h->writes_flags)
		b->flags = b->slot_flags = IR_NONE;
}

void ir_native(struct ir_builder *b, const struct ir_native *n, ir_val value)
{
	ir_emit(b, IR_NATIVE, 8, 0, value, 0, 0, (uint64_t)(uintptr_t)n);
}

/* ---- leaving ---- */

void ir_exit(struct ir_builder *b, int64_t pc_delta)
{
	flags_write_back(b);
	ir_emit(b, IR_EXIT, 8, 0, 0, 0, 0, (uint64_t)pc_delta);
}

void ir_exit_call(struct ir_builder *b, int64_t pc_delta)
{
	flags_write_back(b);
	ir_emit(b, IR_EXIT, 8, 0, 0, IR_BRANCH_CALL, 0, (uint64_t)pc_delta);
}

void ir_exit_if(struct ir_builder *b, ir_val cond, int64_t pc_delta)
{
	flags_write_back(b);
	ir_emit(b, IR_EXIT_IF, 8, 0, cond, 0, 0, (uint64_t)pc_delta);
}

void ir_exit_to(struct ir_builder *b, ir_val pc, enum ir_branch kind)
{
	flags_write_back(b);
	ir_emit(b, IR_EXIT_TO, 8, 0, pc, (ir_val)kind, 0, 0);
}

void ir_exit_loop(struct ir_builder *b, int64_t pc_delta)
{
	flags_write_back(b);
	ir_emit(b, IR_EXIT_LOOP, 8, 0, 0, 0, 0, (uint64_t)pc_delta);
}

void ir_exit_state(struct ir_builder *b)
{
	flags_write_back(b);
	ir_emit(b, IR_EXIT_STATE, 8, 0, 0, 0, 0, 0);
}
