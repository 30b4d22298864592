/* jit/x64/thunk_flags.c - fixed code that evaluates the flags env has been told of: the host does
 * the operation again where its flags are the guest's, C does the rest.
 * SPDX-License-Identifier: MIT */
#include "base/bits.h"
#include "jit/x64/lower_flags.h"

enum { CASE_ROOM = 32, CASES = 8 }; /* code of one size and form, and how many there are */

struct flags_asm {
	struct x64_asm *a;
	const struct x64_jit *jit;
};

static struct x64_rm flags_state(const struct flags_asm *t, uint32_t offset)
{
	return x64_m(P, (int32_t)(offset - t->jit->anchor));
}
#define FLAGS_ENV(t, field) flags_state((t), (uint32_t)offsetof(struct jit_env, field))

static uint64_t begin(struct flags_asm *t)
{
	x64_align(t->a, THUNK_ALIGN);
	return x64_pc(t->a);
}

/* EFLAGS := those of code with the operands, or with the result in flags_a. */
static void emit_again(struct flags_asm *t, enum ir_code code, unsigned size, bool has_result)
{
	const struct x64_rm b = FLAGS_ENV(t, flags_b);

	x64_mov(t->a, size, S0, FLAGS_ENV(t, flags_a));
	if (code == IR_AND) {
		x64_test(t->a, size, has_result ? x64_r(S0) : b, S0);
		return;
	}
	if (has_result)
		x64_alu(t->a, code == IR_SUB ? X64_ADD : X64_SUB, size, S0, b);
	x64_alu(t->a, code == IR_SUB ? X64_CMP : X64_ADD, size, S0, b);
}

/* S0 = the six flags of env->flags_kind, which S0 holds, an operation `code`. */
static void emit_cases(struct flags_asm *t, enum ir_code code, enum recipe_form result)
{
	/* A of logic is undefined for the host, and 0 here. */
	const uint32_t mask = IR_FLAGS_ALL & ~(code == IR_AND ? (unsigned)IR_A : 0u);
	struct x64_label table = X64_LABEL;
	struct x64_asm *a = t->a;

	/* size, and 4 where flags_a is the result */
	x64_shift_i(a, X64_SHR, 4, x64_r(S0), 8);
	x64_mov_rr(a, 4, S1, S0);
	x64_shift_i(a, X64_SHR, 4, x64_r(S1), result == FORM_RB ? 6 : 7);
	x64_alu_rr(a, X64_OR, 4, S0, S1);
	x64_alu_i(a, X64_AND, 4, x64_r(S0), CASES - 1);
	x64_shift_i(a, X64_SHL, 4, x64_r(S0), 5);
	x64_lea(a, 8, S1, x64_at_label(&table));
	x64_alu_rr(a, X64_ADD, 8, S1, S0);
	x64_jmp_rm(a, x64_r(S1));
	x64_align(a, CASE_ROOM);
	x64_bind(a, &table);
	for (unsigned n = 0; n < CASES; n++) {
		emit_again(t, code, 1u << (n & 3), n & 4);
		x64_pushf(a);
		x64_pop(a, S0);
		x64_alu_i(a, X64_AND, 4, x64_r(S0), (int32_t)mask);
		x64_ret(a);
		x64_align(a, CASE_ROOM);
	}
}

/* slow: the same by C. */
static uint64_t emit_env_bits(struct flags_asm *t, uint64_t slow)
{
	static const uint8_t like_and[] = { IR_OR, IR_XOR, IR_ANDN };
	struct x64_label sub = X64_LABEL, add = X64_LABEL, logic = X64_LABEL, in_slot = X64_LABEL;
	struct x64_asm *a = t->a;
	uint64_t start = begin(t);

	x64_mov(a, 4, S0, FLAGS_ENV(t, flags_kind));
	x64_movzx(a, 1, S1, x64_r(S0));
	x64_alu_i(a, X64_CMP, 4, x64_r(S1), IR_SUB);
	x64_jcc(a, X64_CC_E, &sub);
	x64_alu_i(a, X64_CMP, 4, x64_r(S1), IR_AND);
	x64_jcc(a, X64_CC_E, &logic);
	x64_test(a, 4, x64_r(S0), S0);
	x64_jcc(a, X64_CC_E, &in_slot);
	x64_alu_i(a, X64_CMP, 4, x64_r(S1), IR_ADD);
	x64_jcc(a, X64_CC_E, &add);
	/* What has a result of logic has the flags of all logic. */
	x64_mov_rr(a, 4, S1, S0);
	x64_alu_i(a, X64_AND, 4, x64_r(S1), ~(int32_t)recipe_kind(0, 3, FORM_AB));
	for (unsigned i = 0; i < ARRAY_SIZE(like_and); i++) {
		x64_alu_i(a, X64_CMP, 4, x64_r(S1), recipe_kind(like_and[i], 0, FORM_R));
		x64_jcc(a, X64_CC_E, &logic);
	}
	x64_jmp_at(a, slow);
	x64_bind(a, &in_slot);
	x64_mov(a, 4, S0, flags_state(t, t->jit->desc->flags_offset));
	x64_alu_i(a, X64_AND, 4, x64_r(S0), IR_FLAGS_ALL);
	x64_ret(a);
	x64_bind(a, &sub);
	emit_cases(t, IR_SUB, FORM_RB);
	x64_bind(a, &add);
	emit_cases(t, IR_ADD, FORM_RB);
	x64_bind(a, &logic);
	emit_cases(t, IR_AND, FORM_R);
	return start;
}

/* S0 = env's flags; slow paths find the stack aligned. */
static void emit_call_bits(struct flags_asm *t, uint64_t env_bits)
{
	x64_lea(t->a, 8, X64_RSP, x64_m(X64_RSP, -8));
	x64_call_at(t->a, env_bits);
	x64_lea(t->a, 8, X64_RSP, x64_m(X64_RSP, 8));
}

static uint64_t emit_carry(struct flags_asm *t, uint64_t env_bits)
{
	static const uint8_t kept[] = { IR_INC, IR_DEC };
	struct x64_label is_kept = X64_LABEL;
	struct x64_asm *a = t->a;
	uint64_t start = begin(t);

	x64_movzx(a, 1, S0, FLAGS_ENV(t, flags_kind));
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		x64_alu_i(a, X64_CMP, 4, x64_r(S0), kept[i]);
		x64_jcc(a, X64_CC_E, &is_kept);
	}
	emit_call_bits(t, env_bits);
	x64_alu_i(a, X64_AND, 4, x64_r(S0), IR_C);
	x64_ret(a);
	x64_bind(a, &is_kept);
	x64_mov(a, 4, S0, FLAGS_ENV(t, flags_c));
	x64_alu_i(a, X64_AND, 4, x64_r(S0), IR_C);
	x64_ret(a);
	return start;
}

static uint64_t emit_sync(struct flags_asm *t, uint64_t env_bits)
{
	const struct x64_rm slot = flags_state(t, t->jit->desc->flags_offset);
	struct x64_label in_slot = X64_LABEL;
	struct x64_asm *a = t->a;
	uint64_t start = begin(t);

	x64_alu_i(a, X64_CMP, 4, FLAGS_ENV(t, flags_kind), 0);
	x64_jcc_short(a, X64_CC_E, &in_slot);
	emit_call_bits(t, env_bits);
	x64_mov(a, 4, S1, slot);
	x64_alu_i(a, X64_AND, 4, x64_r(S1), ~(int32_t)IR_FLAGS_ALL);
	x64_alu_rr(a, X64_OR, 4, S1, S0);
	x64_mov_to(a, 4, slot, S1);
	x64_mov_i(a, 4, FLAGS_ENV(t, flags_kind), 0);
	x64_bind(a, &in_slot);
	x64_ret(a);
	return start;
}

void flags_thunks(struct x64_asm *a, const struct x64_jit *j, struct x64_thunks *out, uint64_t slow)
{
	struct flags_asm t = { .a = a, .jit = j };

	out->env_bits = emit_env_bits(&t, slow);
	out->carry = emit_carry(&t, out->env_bits);
	out->sync = emit_sync(&t, out->env_bits);
}
