/* jit/x64/lower_check.c - blocks made from code that is written all the time: at each entry the
 * guest's bytes are compared with those that the block was made from.
 *
 * Every way into the block comes by here, so that links, tables and frames may lead to it as to any
 * other.  Where the bytes differ, nothing of the block has happened: the exit is to its own pc, and
 * C may link it to a block made from other bytes.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "jit/x64/lower.h"

/* Scratch as S0 and S1 are; guest vectors 14 and 15 are in the state. */
enum { V0 = 15, V1 = 14, VECTOR = 16 };
enum {
	VPXOR = X64_VEX | X64_66 | X64_0F | 0xef,
	VPOR = X64_VEX | X64_66 | X64_0F | 0xeb,
	VPTEST = X64_VEX | X64_66 | X64_0F38 | 0x17,
};

/* NE: the n bytes (1, 2, 4 or 8) at m are not those at made.  S1 is destroyed. */
static __attribute__((cold)) void compare_word(struct x64_compiler *c, struct x64_rm m,
					       const uint8_t *made, unsigned n)
{
	struct x64_asm *a = &c->a;
	uint64_t want = 0;

	memcpy(&want, made, n);
	switch (n) {
	case 8:
		x64_mov_ri(a, S1, want);
		x64_alu_to(a, X64_CMP, 8, m, S1);
		break;
	case 4: x64_alu_i(a, X64_CMP, 4, m, (int32_t)want); break;
	default:
		x64_movzx(a, n, S1, m);
		x64_alu_i(a, X64_CMP, 4, x64_r(S1), (int32_t)want);
		break;
	}
}

/* Fewer bytes than a vector has, the first of them at S0 + disp: two words that overlap. */
static __attribute__((cold)) void compare_few(struct x64_compiler *c, const struct jit_bytes *p,
					      int32_t disp, struct x64_label *stale)
{
	unsigned n = p->len >= 8 ? 8 : p->len >= 4 ? 4 : p->len >= 2 ? 2 : 1;
	unsigned last = p->len - n;

	compare_word(c, x64_m(S0, disp), p->made, n);
	x64_jcc(&c->a, X64_CC_NE, stale);
	if (!last)
		return;
	compare_word(c, x64_m(S0, disp + (int32_t)last), p->made + last, n);
	x64_jcc(&c->a, X64_CC_NE, stale);
}

/* The last vector may overlap the one before. */
static __attribute__((cold)) void compare_many(struct x64_compiler *c, const struct jit_bytes *p,
					       int32_t disp, struct x64_label *stale)
{
	struct x64_asm *a = &c->a;

	x64_mov_ri(a, S1, (uintptr_t)p->made);
	for (unsigned at = 0; at < p->len; at += VECTOR) {
		unsigned from = at + VECTOR <= p->len ? at : p->len - VECTOR, v = at ? V1 : V0;

		x64_vmovups(a, VECTOR, v, x64_m(S0, disp + (int32_t)from));
		x64_vec(a, VPXOR, v, v, x64_m(S1, (int32_t)from));
		if (at)
			x64_vec(a, VPOR, V0, V0, x64_r(v));
	}
	x64_vec(a, VPTEST, V0, 0, x64_r(V0));
	x64_jcc(a, X64_CC_NE, stale);
}

/* May a string instruction be in the block?  It looks at env->origin. */
static bool has_strings(const struct x64_compiler *c)
{
	for (unsigned i = 1; i < c->ir->op_count; i++)
		if (op_at(c, i)->code == IR_CALL && ir_may_store(op_at(c, i)))
			return true;
	return false;
}

void check_entry(struct x64_compiler *c)
{
	struct stub *s = stub_new(c, STUB_STALE, 0);
	uintptr_t base = 0;

	if (has_strings(c)) {
		x64_mov_ri(&c->a, S0, (uintptr_t)c->origin);
		x64_mov_to(&c->a, 8, ENV(c, origin), S0);
	}
	for (unsigned n = 0; n < c->origin->count; n++) {
		const struct jit_bytes *p = &c->origin->part[n];
		int64_t disp = (int64_t)((uintptr_t)p->at - base);

		if (!base || !x64_fits32(disp)) {
			base = (uintptr_t)p->at;
			disp = 0;
			x64_mov_ri(&c->a, S0, base);
		}
		if (p->len < VECTOR)
			compare_few(c, p, (int32_t)disp, &s->in);
		else
			compare_many(c, p, (int32_t)disp, &s->in);
	}
}

/* The exit is never left to the tables of targets: they may lead here. */
void stub_stale(struct x64_compiler *c)
{
	struct x64_exit *x = flow_exit_new(c, 0, false);

	x->is_stale = true;
	x->jump = x64_jmp_patchable(&c->a);
	x->stub = x64_offset(&c->a);
	x64_call_at(&c->a, c->jit->thunk.link);
}
