/* jit/x64/lower_vec.c - vector instructions: the guest's own, with the guest's numbers of vector
 * registers; only general registers and addresses are the host's.
 * SPDX-License-Identifier: MIT */
#include "jit/x64/lower_vec.h"

#include "jit/native.h"
#include "jit/x64/lower_flags.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { RESIDENT = 14 }; /* vector registers 0-13 are the guest's */

/* ---- the host ---- */

#if defined(__x86_64__)
enum { DPPS_LANES = 4, NAN_F32 = 0x7fc00001 };
static const uint64_t nan_f64 = 0x7ff8000000000001;

/* Which of several NaNs a dot product gives is the processor's choice (SDM vol. 2 and APM vol. 4,
 * DPPS): AMD's form one sum, so that all lanes get the NaN of the lowest; Intel's add in each lane
 * what its neighbours have, and lanes get different ones.  The C code is like AMD's, and the guest
 * must not see which of the two runs. */
static bool dpps_gives_lowest(unsigned nans)
{
	uint32_t a[DPPS_LANES], b[DPPS_LANES];

	for (unsigned i = 0; i < DPPS_LANES; i++) {
		b[i] = 0x3f800000; /* 1 */
		a[i] = nans >> i & 1 ? NAN_F32 + i : b[i];
	}
	__asm__("movups %0, %%xmm0\n\t"
		"movups %1, %%xmm1\n\t"
		"dpps $0xff, %%xmm1, %%xmm0\n\t"
		"movups %%xmm0, %0"
		: "+m"(a)
		: "m"(b)
		: "xmm0", "xmm1");
	for (unsigned i = 0; i < DPPS_LANES; i++)
		if (a[i] != NAN_F32 + (uint32_t)__builtin_ctz(nans))
			return false;
	return true;
}

static bool dppd_gives_lowest(void)
{
	uint64_t a[2] = { nan_f64, nan_f64 + 1 }, b[2] = { 0x3ff0000000000000, 0x3ff0000000000000 };

	__asm__("movups %0, %%xmm0\n\t"
		"movups %1, %%xmm1\n\t"
		"dppd $0x33, %%xmm1, %%xmm0\n\t"
		"movups %%xmm0, %0"
		: "+m"(a)
		: "m"(b)
		: "xmm0", "xmm1");
	return a[0] == nan_f64 && a[1] == nan_f64;
}

static bool dot_gives_lowest(void)
{
	for (unsigned nans = 1; nans < 1u << DPPS_LANES; nans++)
		if (!dpps_gives_lowest(nans))
			return false;
	return dppd_gives_lowest();
}
#endif

uint8_t vec_host_needs(void)
{
	uint8_t has = 1u << RULE_NEEDS_AVX;
#if defined(__x86_64__)
	uint32_t a, b = 0, c = 0, d;

	if (__get_cpuid(1, &a, &b, &c, &d)) {
		if (c >> 19 & 1 && dot_gives_lowest()) /* SSE4.1 */
			has |= 1u << RULE_NEEDS_DOT_ORDER;
		has |= (uint8_t)((c >> 12 & 1) << RULE_NEEDS_FMA |
				 (c >> 29 & 1) << RULE_NEEDS_F16C |
				 (c >> 25 & 1) << RULE_NEEDS_AES |
				 (c >> 1 & 1) << RULE_NEEDS_PCLMUL);
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		has |= (uint8_t)((b >> 5 & 1) << RULE_NEEDS_AVX2 | (b >> 29 & 1) << RULE_NEEDS_SHA);
#endif
	return has;
}

/* ---- what is known ---- */

void vec_begin(struct x64_compiler *c) { c->vec = (struct vec_state){ 0 }; }

void vec_forget(struct x64_compiler *c) { c->vec.has_vectors = c->vec.has_x87 = false; }

static const struct ir_native_state *guest(const struct x64_compiler *c)
{
	return c->jit->desc->native;
}

static struct x64_rm vector_slot(const struct x64_compiler *c, unsigned n)
{
	return state(c, guest(c)->vectors + 32 * n);
}

static bool is_hosted(const struct x64_compiler *c, uint64_t rule)
{
	return rule & RULE_HOST && guest(c) &&
	       (rule_is_x87(rule) || c->jit->host_needs >> rule_needs(rule) & 1);
}

/* The rule of op i, if the host does it; else 0. */
static uint64_t hosted_rule(const struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	uint64_t rule = 0;

	if (op->code == IR_NATIVE) {
		rule = ((const struct ir_native *)(uintptr_t)op->imm)->rule;
	} else if (op->code == IR_CALL) {
		unsigned arg = ((const struct ir_helper *)(uintptr_t)op->imm)->rule_arg;
		unsigned v = arg == 1 ? op->a : arg == 2 ? op->b : arg == 3 ? op->c : 0;

		if (v && op_at(c, v)->code == IR_CONST)
			rule = op_at(c, v)->imm;
	}
	return is_hosted(c, rule) ? rule : 0;
}

/* The op that comes next, or 0. */
static unsigned next_op(const struct x64_compiler *c, unsigned i)
{
	while (++i < c->ir->op_count)
		if (op_at(c, i)->code != IR_NOP && op_at(c, i)->code != IR_CONST)
			return i;
	return 0;
}

/* ---- the registers are there ---- */

static void need_vectors(struct x64_compiler *c, unsigned i)
{
	struct stub *s;

	if (c->vec.has_vectors)
		return;
	s = stub_new(c, STUB_VECTORS, i);
	x64_alu_i(&c->a, X64_CMP, 1, ENV(c, has_vectors), 0);
	x64_jcc(&c->a, X64_CC_E, &s->in);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
	c->vec.has_vectors = true;
}

struct stub *vec_helper_stub(struct x64_compiler *c, unsigned i, bool is_end)
{
	struct stub *s = stub_new(c, STUB_HELPER, i);

	place_evict_scratch(c, flags_wanted(c, i));
	flags_site(c, i, &s->site);
	s->has_vectors = c->vec.has_vectors;
	s->has_x87 = c->vec.has_x87;
	s->is_end = is_end;
	return s;
}

static void stub_helper(struct x64_compiler *c, struct stub *s)
{
	const struct x64_thunks *t = &c->jit->thunk;
	const struct ir_op *op = op_at(c, s->at);
	struct x64_rm arg = ENV(c, bounce);

	if (s->bytes) {
		x64_mov(&c->a, 8, S0, arg);
		x64_call_at(&c->a, t->look_write);
		x64_jcc_back(&c->a, X64_CC_B, &s->checked);
	}
	if (s->has_arg)
		x64_mov_to(&c->a, 8, arg, s->arg[0].rm.base);
	arg.disp += 8;
	x64_mov_ri(&c->a, S0, op_at(c, op->b)->imm);
	x64_mov_to(&c->a, 8, arg, S0);
	flow_call_helper(c, s->at, (const void *)(uintptr_t)op->imm, &s->site);
	if (s->is_end && c->site_count)
		c->sites[c->site_count - 1].is_last = true;
	if (s->has_x87)
		x64_call_at(&c->a, t->x87);
	if (s->has_vectors)
		x64_call_at(&c->a, t->vectors);
	x64_jmp_back(&c->a, &s->back);
}

void vec_stub(struct x64_compiler *c, struct stub *s)
{
	const struct x64_thunks *t = &c->jit->thunk;

	if (s->kind == STUB_HELPER) {
		stub_helper(c, s);
		return;
	}
	x64_call_at(&c->a, s->kind == STUB_X87          ? t->x87
			   : s->kind == STUB_X87_UNLOAD ? t->x87_unload
							: t->vectors);
	x64_jmp_back(&c->a, &s->back);
}

/* ---- one instruction ---- */

static bool has_is4(uint64_t rule)
{
	return rule & RULE_VEX && rule_map(rule) == 3 && rule_opcode(rule) >= 0x4a &&
	       rule_opcode(rule) <= 0x4c;
}

static bool is_borrowed(enum rule_kind kind, unsigned n)
{
	return kind == RULE_KIND_VECTOR && n >= RESIDENT;
}

/* What stays in the state comes to the register of its own number. */
static void borrow(struct x64_compiler *c, uint64_t rule)
{
	bool wanted[16] = { false };

	wanted[rule_reg(rule)] |= is_borrowed(rule_reg_kind(rule), rule_reg(rule));
	wanted[rule_vvvv(rule)] |= is_borrowed(rule_vvvv_kind(rule), rule_vvvv(rule));
	wanted[rule_rm(rule)] |= is_borrowed(rule_rm_kind(rule), rule_rm(rule));
	if (has_is4(rule))
		wanted[rule_imm(rule) >> 4] |= rule_imm(rule) >> 4 >= RESIDENT;
	for (unsigned n = RESIDENT; n < 16; n++)
		if (wanted[n])
			x64_vmovups(&c->a, 32, n, vector_slot(c, n));
}

static void give_back(struct x64_compiler *c, uint64_t rule)
{
	enum rule_dst dst = rule_dst(rule);
	unsigned n = dst == RULE_DST_REG    ? rule_reg(rule)
		     : dst == RULE_DST_VVVV ? rule_vvvv(rule)
					    : rule_rm(rule);
	enum rule_kind kind = dst == RULE_DST_REG    ? rule_reg_kind(rule)
			      : dst == RULE_DST_VVVV ? rule_vvvv_kind(rule)
						     : rule_rm_kind(rule);

	if (dst && is_borrowed(kind, n))
		x64_vmovups_to(&c->a, 32, vector_slot(c, n), n);
}

/* general: the host's register for a general register operand; m: the memory operand. */
static void emit_rule(struct x64_compiler *c, uint64_t rule, unsigned general, struct x64_rm m)
{
	uint32_t form = rule_opcode(rule) | rule_map(rule) << 8 | rule_prefix(rule) << 10 |
			(rule & RULE_W ? X64_W : 0) | (rule & RULE_L ? X64_L : 0) |
			(rule & RULE_VEX ? X64_VEX : 0) | (rule & RULE_IMM8 ? X64_IMM8 : 0);
	unsigned reg = rule_reg_kind(rule) == RULE_KIND_VECTOR    ? rule_reg(rule)
		       : rule_reg_kind(rule) == RULE_KIND_GENERAL ? general
								  : rule_digit(rule);
	unsigned vvvv = rule_vvvv_kind(rule) == RULE_KIND_VECTOR ? rule_vvvv(rule) : 0;

	if (rule_rm_kind(rule) == RULE_KIND_VECTOR)
		m = x64_r(rule_rm(rule));
	else if (rule_rm_kind(rule) == RULE_KIND_GENERAL)
		m = x64_r(general);
	borrow(c, rule);
	x64_emit(&c->a, form, reg, vvvv, m, rule_imm(rule));
	give_back(c, rule);
}

/* The memory operand of op i: where a load left it, or its copy in the state. */
static struct x64_rm operand_of(struct x64_compiler *c, unsigned i)
{
	return c->vec.folded == i ? x64_m(S0, c->vec.folded_disp) : state(c, guest(c)->operand);
}

/* ---- memory operands ---- */

static bool is_mem_operand(const struct x64_compiler *c, unsigned i)
{
	uint64_t rule = i ? hosted_rule(c, i) : 0;

	if (!rule)
		return false;
	if (rule_is_x87(rule))
		return rule & RULE_MEM && op_at(c, i)->code == IR_NATIVE;
	return rule_rm_kind(rule) == RULE_KIND_MEM && rule_dst(rule) != RULE_DST_RM;
}

bool vec_load(struct x64_compiler *c, unsigned i, int32_t disp)
{
	unsigned next = next_op(c, i);

	if (!guest(c) || op_at(c, i)->c * 8u != guest(c)->operand || !is_mem_operand(c, next))
		return false;
	c->vec.folded = (uint16_t)next;
	c->vec.folded_disp = disp;
	return true;
}

bool vec_put(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned next = next_op(c, i);

	if (!guest(c) || op->imm != guest(c)->operand || c->pending_mem != op->a || !op->a ||
	    c->plan[op->a].last_use > i || c->value[op->a].at.valid != ir_size(op) ||
	    !is_mem_operand(c, next))
		return false;
	c->vec.folded_disp = (int32_t)c->value[op->a].at.imm;
	place_set(c, op->a, (struct place){ 0 });
	place_evict_slot(c, (uint32_t)op->imm, ir_size(op));
	c->vec.folded = (uint16_t)next;
	return true;
}

/* The op that stores what NATIVE i leaves in the operand's place, and nothing but stores it. */
static unsigned store_of(const struct x64_compiler *c, unsigned i)
{
	unsigned k = next_op(c, i), get;

	if (!k || c->plan[k].insn != c->plan[i].insn)
		return 0;
	if (op_at(c, k)->code == IR_VSTORE)
		return op_at(c, k)->c * 8u == guest(c)->operand ? k : 0;
	if (op_at(c, k)->code != IR_GET || op_at(c, k)->imm != guest(c)->operand ||
	    c->plan[k].uses != 1)
		return 0;
	get = k;
	k = next_op(c, get);
	return k && op_at(c, k)->code == IR_STORE && op_at(c, k)->b == get && !op_at(c, k)->c &&
			       !c->plan[k].modify && c->plan[k].insn == c->plan[i].insn
		       ? k
		       : 0;
}

bool vec_store(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	unsigned bytes = op->code == IR_VSTORE ? op->b : ir_size(op);
	struct stub *s;

	if (c->vec.store != i || !i)
		return false;
	if (group_has(c, i)) {
		emit_rule(c, hosted_rule(c, c->vec.deferred), 0, group_rm(c, i));
		return true;
	}
	s = mem_check(c, i, bytes, true, STUB_STORE);
	s->size_log2 = (uint8_t)__builtin_ctz(bytes);
	s->native = c->vec.deferred;
	emit_rule(c, hosted_rule(c, s->native), 0, x64_m(S0, 0));
	x64_bind(&c->a, &s->back);
	return true;
}

void vec_stub_store(struct x64_compiler *c, const struct stub *s, struct x64_rm m)
{
	emit_rule(c, hosted_rule(c, s->native), 0, m);
}

/* ---- NATIVE ---- */

/* The guest's general register is written: where the host has it, or a scratch register. */
static unsigned general_dst(struct x64_compiler *c, uint32_t offset)
{
	unsigned reg = place_pinned(c, offset);

	if (reg == X64_NO_REG) {
		place_evict_slot(c, offset, 8);
		return place_scratch(c, 0);
	}
	place_evict(c, reg, false);
	return reg;
}

static bool writes_general(uint64_t rule)
{
	return (rule_dst(rule) == RULE_DST_REG && rule_reg_kind(rule) == RULE_KIND_GENERAL) ||
	       (rule_dst(rule) == RULE_DST_RM && rule_rm_kind(rule) == RULE_KIND_GENERAL);
}

static bool reads_general(uint64_t rule)
{
	return !writes_general(rule) && (rule_reg_kind(rule) == RULE_KIND_GENERAL ||
					 rule_rm_kind(rule) == RULE_KIND_GENERAL);
}

bool vec_native(struct x64_compiler *c, unsigned i)
{
	const struct ir_op *op = op_at(c, i);
	const struct ir_native *n = (const void *)(uintptr_t)op->imm;
	uint64_t rule = hosted_rule(c, i);
	unsigned general = 0;

	if (!rule)
		return false;
	if (rule_is_x87(rule))
		return x87_native(c, i);
	need_vectors(c, i);
	if (rule_dst(rule) == RULE_DST_RM && rule_rm_kind(rule) == RULE_KIND_MEM) {
		c->vec.store = (uint16_t)store_of(c, i);
		if (c->vec.store) {
			c->vec.deferred = (uint16_t)i;
			return true;
		}
		place_evict_slot(c, guest(c)->operand, 64);
	}
	if (reads_general(rule))
		general = place_in_reg(c, op->a, rule & RULE_W ? 8 : 4, 0);
	else if (writes_general(rule))
		general = general_dst(c, n->dst);
	emit_rule(c, rule, general, operand_of(c, i));
	if (writes_general(rule) && place_pinned(c, n->dst) == X64_NO_REG)
		x64_mov_to(&c->a, 8, state(c, n->dst), general);
	return true;
}

/* ---- CALL: results that are flags, instructions without an operand ---- */

static void call_flags(struct x64_compiler *c, unsigned i, uint64_t rule)
{
	unsigned reg = place_scratch(c, 0);

	emit_rule(c, rule, 0, operand_of(c, i));
	vec_take_flags(c, i, reg);
}

void vec_take_flags(struct x64_compiler *c, unsigned i, unsigned reg)
{
	unsigned next = next_op(c, i);

	x64_pushf(&c->a);
	x64_pop(&c->a, reg);
	place_reg(c, i, reg, 8);
	if (next && op_at(c, next)->code == IR_FLAGS_OF && op_at(c, next)->a == i)
		flags_are(c, next, IR_FLAGS_ALL);
	else
		flags_lost(c);
}

/* PCMPxSTRx: flags in the low half, and the index, which the host leaves in RCX, in the high. */
static void call_string(struct x64_compiler *c, unsigned i, uint64_t rule)
{
	bool has_index = rule_opcode(rule) & 1;

	place_settle(c, 0);
	place_evict(c, S0, true);
	place_evict(c, S1, true);
	/* [S0] may be the operand until then */
	if (has_index)
		x64_mov_rr(&c->a, 8, S1, X64_RCX);
	emit_rule(c, rule, 0, operand_of(c, i));
	x64_pushf(&c->a);
	x64_pop(&c->a, S0);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(S0), IR_FLAGS_ALL);
	if (has_index) {
		x64_shift_i(&c->a, X64_SHL, 8, x64_r(X64_RCX), 32);
		x64_alu_rr(&c->a, X64_OR, 8, S0, X64_RCX);
		x64_mov_rr(&c->a, 8, X64_RCX, S1);
	}
	flags_lost(c);
	place_reg(c, i, S0, 8);
}

/* VZEROUPPER, VZEROALL: also of the two in the state. */
static void call_zero(struct x64_compiler *c, uint64_t rule)
{
	bool all = rule & RULE_L;

	x64_emit_bytes(&c->a, all ? "\xc5\xfc\x77" : "\xc5\xf8\x77", 3);
	for (unsigned n = RESIDENT; n < 16; n++) {
		if (!all)
			x64_vmovups(&c->a, 16, n, vector_slot(c, n));
		x64_vmovups_to(&c->a, 32, vector_slot(c, n), n);
	}
}

/* What unmasks an exception or is refused goes to the helper. */
static void call_ldmxcsr(struct x64_compiler *c, unsigned i)
{
	enum { MASKS = 0x1f80, REFUSED = ~0xffff };
	struct x64_rm mxcsr = state(c, guest(c)->mxcsr);
	unsigned reg = place_in_reg(c, op_at(c, i)->a, 4, 0);
	struct stub *s = vec_helper_stub(c, i, true);

	x64_mov_rr(&c->a, 4, S0, reg);
	x64_mov_to(&c->a, 8, ENV(c, bounce), S0);
	x64_mov_rr(&c->a, 4, S1, S0);
	x64_alu_i(&c->a, X64_AND, 4, x64_r(S1), MASKS | REFUSED);
	x64_alu_i(&c->a, X64_CMP, 4, x64_r(S1), MASKS);
	x64_jcc(&c->a, X64_CC_NE, &s->in);
	x64_mov_to(&c->a, 4, mxcsr, S0);
	x64_ldmxcsr(&c->a, mxcsr);
	x64_bind(&c->a, &s->back);
	flags_lost(c);
}

static void call_stmxcsr(struct x64_compiler *c, unsigned i)
{
	struct place tmp;
	struct x64_rm to = place_new_tmp(c, &tmp);

	x64_stmxcsr(&c->a, to);
	tmp.valid = 4;
	place_set(c, i, tmp);
}

enum { MAP_0F = 1, MAP_0F38, MAP_0F3A };

bool vec_call(struct x64_compiler *c, unsigned i)
{
	uint64_t rule = hosted_rule(c, i);
	unsigned what = rule_map(rule) << 8 | rule_opcode(rule);

	if (!rule)
		return false;
	if (rule_is_x87(rule))
		return x87_call(c, i, rule);
	need_vectors(c, i);
	switch (what) {
	case MAP_0F << 8 | 0x2e:
	case MAP_0F << 8 | 0x2f:
	case MAP_0F38 << 8 | 0x0e:
	case MAP_0F38 << 8 | 0x0f:
	case MAP_0F38 << 8 | 0x17: call_flags(c, i, rule); return true;
	case MAP_0F3A << 8 | 0x60:
	case MAP_0F3A << 8 | 0x61:
	case MAP_0F3A << 8 | 0x62:
	case MAP_0F3A << 8 | 0x63: call_string(c, i, rule); return true;
	case MAP_0F << 8 | 0x77: call_zero(c, rule); return true;
	case MAP_0F << 8 | 0xae:
		if (rule_digit(rule) == 2)
			call_ldmxcsr(c, i);
		else
			call_stmxcsr(c, i);
		return true;
	default: return false;
	}
}
