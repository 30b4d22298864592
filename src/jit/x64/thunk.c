/* jit/x64/thunk.c - the fixed code: into translated code and out, and from there to C and back.
 *
 * Whatever calls C first publishes: it stores the guest's registers to the state.  C may then leave
 * the block at once, from wherever it was called: the stack pointer to leave with is in env.  What
 * C says of a guest access fits in a register and the bytes in env->bounce, so that one shape does
 * for all.  An access that missed the soft TLB is looked for in the page's spare place before.
 * SPDX-License-Identifier: MIT */
#include <assert.h>

#include "base/bits.h"
#include "jit/x64/lower_flags.h"

enum {
	THUNK_ROOM = 16 << 10,
	FRAMES_BYTES = 64 << 10, /* of the host's stack, for frames of calls */
	BOTTOM_BYTES = 24,       /* above them: a frame that leads to thunk.bottom, and alignment */
};

#define REG(r) (1u << X64_##r)
enum {
	/* System V psABI 3.2.1 */
	CALLER_SAVED = REG(RAX) | REG(RCX) | REG(RDX) | REG(RSI) | REG(RDI) | REG(R8) | REG(R9) |
		       REG(R10) | REG(R11),
	ALL = 0xffff,
};
#undef REG
static const uint8_t callee_saved[] = { X64_RBX, X64_RBP, X64_R12, X64_R13, X64_R14, X64_R15 };

struct thunk_asm {
	struct x64_asm a;
	const struct x64_jit *jit;
	struct x64_label leave, redirect;
};

/* The address of a C function, as code that may be anywhere calls it. */
#define C_ADDR(fn) ((uint64_t)(uintptr_t)(fn))

static struct x64_rm thunk_state(const struct thunk_asm *t, uint32_t offset)
{
	return x64_m(P, (int32_t)(offset - t->jit->anchor));
}
#define THUNK_ENV(t, field) thunk_state((t), (uint32_t)offsetof(struct jit_env, field))

static uint64_t begin(struct thunk_asm *t)
{
	x64_align(&t->a, THUNK_ALIGN);
	return x64_pc(&t->a);
}

/* ---- the guest's registers ---- */

static void emit_publish_some(struct thunk_asm *t, uint32_t which)
{
	for (unsigned r = 0; r < 16; r++) {
		unsigned guest = t->jit->gpr_of[r];

		if (guest < 16 && which & 1u << r)
			x64_mov_to(&t->a, 8, thunk_state(t, t->jit->first_gpr + 8 * guest), r);
	}
}

static void emit_publish_registers(struct thunk_asm *t) { emit_publish_some(t, ALL); }

/* For C that may look at all of the guest: vectors and x87 go to the state as well. */
static void emit_publish_all(struct thunk_asm *t)
{
	emit_publish_registers(t);
	vec_emit_save(&t->a, t->jit, true);
}

/* For C that moves bytes: vectors are out of its way until emit_reload(). */
static void emit_publish(struct thunk_asm *t)
{
	emit_publish_registers(t);
	vec_emit_save(&t->a, t->jit, false);
}

static void emit_reload_registers(struct thunk_asm *t, uint32_t which)
{
	if (which & 1u << TLB)
		x64_mov(&t->a, 8, TLB, THUNK_ENV(t, tlb_view));
	for (unsigned r = 0; r < 16; r++) {
		unsigned guest = t->jit->gpr_of[r];

		if (guest < 16 && which & 1u << r)
			x64_mov(&t->a, 8, r, thunk_state(t, t->jit->first_gpr + 8 * guest));
	}
}

static void emit_reload(struct thunk_asm *t, uint32_t which)
{
	vec_emit_load(&t->a, t->jit);
	emit_reload_registers(t, which);
}

/* ---- in and out ---- */

/* Beside the bits above it, which others set. */
static void emit_floor(struct thunk_asm *t)
{
	struct x64_rm low = THUNK_ENV(t, floor_low), middle = low;

	BUILD_ASSERT(offsetof(struct jit_env, exit_request) == offsetof(struct jit_env, floor) + 6);
	middle.disp += 4;
	x64_lea(&t->a, 8, S0, x64_m(X64_RSP, -FRAMES_BYTES));
	x64_mov_to(&t->a, 4, low, S0);
	x64_shift_i(&t->a, X64_SHR, 8, x64_r(S0), 32);
	x64_mov_to(&t->a, 2, middle, S0);
}

static void emit_enter(struct thunk_asm *t, uint64_t bottom)
{
	struct x64_asm *a = &t->a;

	for (unsigned i = 0; i < ARRAY_SIZE(callee_saved); i++)
		x64_push(a, callee_saved[i]);
	x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), BOTTOM_BYTES); /* to a multiple of 16 */
	x64_lea(a, 8, P, x64_m(X64_RDI, (int32_t)t->jit->anchor));
	x64_mov_to(a, 8, THUNK_ENV(t, host_sp), X64_RSP);
	x64_lea(a, 8, S0, x64_at(bottom));
	x64_mov_to(a, 8, x64_m(X64_RSP, 0), S0);
	emit_floor(t);
	x64_mov_rr(a, 8, S0, X64_RSI);
	emit_reload(t, ALL);
	x64_jmp_rm(a, x64_r(S0));
}

/* Everything is published and env->why set. */
static uint64_t emit_leave(struct thunk_asm *t)
{
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	x64_bind(a, &t->leave);
	x64_mov(a, 8, X64_RSP, THUNK_ENV(t, host_sp));
	vec_emit_leave(a, t->jit);
	x64_mov(a, 4, X64_RAX, THUNK_ENV(t, why));
	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), BOTTOM_BYTES);
	for (unsigned i = ARRAY_SIZE(callee_saved); i--;)
		x64_pop(a, callee_saved[i]);
	x64_ret(a);
	return start;
}

/* Everything is published, vectors are not in the host's registers; C says in rax where to go on
 * instead of where it was called. */
static void emit_redirect(struct thunk_asm *t)
{
	struct x64_asm *a = &t->a;

	x64_align(a, THUNK_ALIGN);
	x64_bind(a, &t->redirect);
	x64_mov_rr(a, 8, S0, X64_RAX);
	x64_mov(a, 8, X64_RSP, THUNK_ENV(t, host_sp));
	vec_emit_gone(a, t->jit);
	emit_reload_registers(t, ALL);
	x64_jmp_rm(a, x64_r(S0));
}

/* ---- C ---- */

/* fn(env, S0, edx, ret), with rsp a multiple of 16 and the return address at [rsp + ret]; ret 0:
 * there is none. */
static void emit_call(struct thunk_asm *t, uint64_t fn, int32_t ret)
{
	struct x64_asm *a = &t->a;

	x64_lea(a, 8, X64_RDI, x64_m(P, -(int32_t)t->jit->anchor));
	x64_mov_rr(a, 8, X64_RSI, S0);
	if (ret)
		x64_mov(a, 8, X64_RCX, x64_m(X64_RSP, ret));
	x64_mov_ri(a, X64_RAX, fn);
	x64_call_rm(a, x64_r(X64_RAX));
	x64_test(a, 8, x64_r(X64_RAX), X64_RAX);
}

/* ---- spare places of the soft TLB ---- */

enum { HITS_STEP = 4 }; /* of 256: of 64 hits one goes to C, which gives the page its first place */

/* S0 = host pointer to `bytes` bytes at the address in S0, if they are in the page's spare entry.
 * The address stays in bounce_addr; not_there: S0 is nothing.  Destroys S1. */
static void emit_look(struct thunk_asm *t, bool write, unsigned bytes, struct x64_label *not_there)
{
	unsigned kind = write ? TLB_WRITE : TLB_READ;
	struct x64_asm *a = &t->a;

	x64_mov_to(a, 8, THUNK_ENV(t, bounce_addr), S0);
	x64_mov_rr(a, 8, S1, S0);
	x64_shift_i(a, X64_SHR, 8, x64_r(S1), TLB_BITS);
	x64_alu_rr(a, X64_XOR, 8, S1, S0);
	x64_shift_i(a, X64_SHR, 8, x64_r(S1), 12);
	x64_alu_i(a, X64_AND, 4, x64_r(S1), TLB_SPARES - 1);
	x64_alu(a, X64_SUB, 8, S0, x64_tlb_tag(kind, TLB_SIZE));
	x64_alu_i(a, X64_CMP, 8, x64_r(S0), 4096 - (int64_t)bytes);
	x64_jcc(a, X64_CC_A, not_there);
	x64_alu_i(a, X64_ADD, 1, THUNK_ENV(t, spare_hits), HITS_STEP);
	x64_jcc(a, X64_CC_B, not_there);
	x64_alu(a, X64_ADD, 8, S0, x64_tlb_host(kind, TLB_SIZE));
}

/* What it found goes back in S0, with the carry. */
static void emit_found(struct thunk_asm *t, struct x64_label *not_there)
{
	x64_stc(&t->a);
	x64_ret(&t->a);
	x64_bind(&t->a, not_there);
	x64_mov(&t->a, 8, S0, THUNK_ENV(t, bounce_addr));
}

static uint64_t emit_look_alone(struct thunk_asm *t, bool write)
{
	struct x64_label not_there = X64_LABEL;
	uint64_t start = begin(t);

	emit_look(t, write, LOOK_BYTES, &not_there);
	emit_found(t, &not_there);
	x64_test(&t->a, 8, x64_r(S0), S0); /* no carry */
	x64_ret(&t->a);
	return start;
}

/* ---- accesses ---- */

/* S0, what the check left, becomes the address again: an entry that another thread emptied since
 * has a tag that shows in the number of the page's place, as entry S1 is its place. */
static uint64_t emit_address(struct thunk_asm *t, bool write)
{
	struct x64_rm tag = x64_tlb_tag(write ? TLB_WRITE : TLB_READ, 0);
	struct x64_label emptied = X64_LABEL;
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	x64_mov_to(a, 8, THUNK_ENV(t, bounce_addr), S0);
	x64_alu(a, X64_ADD, 8, S0, tag);
	x64_shift_i(a, X64_SHL, 4, x64_r(S1), 12);
	x64_alu_rr(a, X64_XOR, 8, S1, S0);
	x64_test_i(a, 4, x64_r(S1), TLB_EMPTIED);
	x64_jcc_short(a, X64_CC_NE, &emptied);
	x64_ret(a);
	x64_bind(a, &emptied);
	x64_alu_rr(a, X64_XOR, 8, S1, S0);
	x64_shift_i(a, X64_SHR, 4, x64_r(S1), 12);
	x64_mov(a, 8, S1, tag);
	x64_alu_i(a, X64_XOR, 8, x64_r(S1), TLB_EMPTIED);
	x64_mov(a, 8, S0, THUNK_ENV(t, bounce_addr));
	x64_alu_rr(a, X64_ADD, 8, S0, S1);
	x64_ret(a);
	return start;
}

/* What a thunk hands back in S0. */
enum thunk_result { RESULT_NONE, RESULT_ADDRESS, RESULT_VALUE };

static void emit_result(struct thunk_asm *t, enum thunk_result result)
{
	if (result == RESULT_ADDRESS)
		x64_lea(&t->a, 8, S0, THUNK_ENV(t, bounce));
	else if (result == RESULT_VALUE)
		x64_mov(&t->a, 8, S0, THUNK_ENV(t, bounce));
}

/* A call that comes back, without carry, with the registers in `changed` as C left them in the
 * state.  access: its third argument, or 0: that is in S1. */
static void emit_call_back(struct thunk_asm *t, uint64_t fn, uint32_t access, uint32_t changed,
			   enum thunk_result result)
{
	struct x64_asm *a = &t->a;

	x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), 8);
	if (changed == ALL)
		emit_publish_all(t);
	else
		emit_publish(t);
	if (access)
		x64_mov_ri(a, X64_RDX, access);
	else
		x64_mov_rr(a, 4, X64_RDX, S1);
	emit_call(t, fn, 8);
	x64_jcc(a, X64_CC_NE, &t->redirect);
	emit_reload(t, changed);
	emit_result(t, result);
	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 8);
	x64_ret(a);
}

static uint64_t emit_thunk(struct thunk_asm *t, uint64_t fn, uint32_t access, uint32_t changed,
			   enum thunk_result result)
{
	uint64_t start = begin(t);

	emit_call_back(t, fn, access, changed, result);
	return start;
}

/* The access itself is left to the block where a host pointer was found. */
static uint64_t emit_access(struct thunk_asm *t, uint64_t fn, uint32_t access, bool write,
			    enum thunk_result result)
{
	struct x64_label not_there = X64_LABEL;
	uint64_t start = begin(t);

	emit_look(t, write, access & 0xff, &not_there);
	emit_found(t, &not_there);
	emit_call_back(t, fn, access, CALLER_SAVED, result);
	return start;
}

/* The check of a group again, in C; but where it is in two pages there is nothing to be done. */
static uint64_t emit_group(struct thunk_asm *t)
{
	struct x64_label two_pages = X64_LABEL, write = X64_LABEL, not_there = X64_LABEL;
	struct x64_asm *a = &t->a;
	uint64_t by_c = emit_thunk(t, C_ADDR(x64_rt_group), 0, CALLER_SAVED, RESULT_VALUE);
	uint64_t start = begin(t);

	x64_mov_to(a, 8, THUNK_ENV(t, bounce), S1);
	x64_alu_i(a, X64_AND, 4, x64_r(S1), GROUP_BYTES_MASK);
	x64_lea(a, 8, S1, x64_mx(S0, S1, 0, -1));
	x64_alu_rr(a, X64_XOR, 8, S1, S0);
	x64_test_i(a, 8, x64_r(S1), -4096);
	x64_jcc(a, X64_CC_NE, &two_pages);
	x64_test_i(a, 4, THUNK_ENV(t, bounce), GROUP_WRITE);
	x64_jcc(a, X64_CC_NE, &write);
	emit_look(t, false, 1, &not_there);
	x64_ret(a);
	x64_bind(a, &write);
	emit_look(t, true, 1, &not_there);
	x64_ret(a);
	x64_bind(a, &not_there);
	x64_mov(a, 8, S0, THUNK_ENV(t, bounce_addr));
	x64_mov(a, 8, S1, THUNK_ENV(t, bounce));
	x64_jmp_at(a, by_c);
	x64_bind(a, &two_pages);
	x64_mov_ri(a, S0, 0);
	x64_ret(a);
	return start;
}

/* The same; S1 and EFLAGS, which may be the guest's new flags, stay. */
static uint64_t emit_commit(struct thunk_asm *t, uint32_t access)
{
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	x64_pushf(a);
	x64_push(a, S1);
	x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), 8);
	emit_publish(t);
	x64_mov_ri(a, X64_RDX, access);
	emit_call(t, C_ADDR(x64_rt_commit), 24);
	x64_jcc(a, X64_CC_NE, &t->redirect);
	emit_reload(t, CALLER_SAVED);
	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 8);
	x64_pop(a, S1);
	x64_popf(a);
	x64_ret(a);
	return start;
}

/* The function at S0 leaves the guest's registers alone.  Only what C destroys is kept, and where
 * it says that the block must be left, all is published. */
static uint64_t emit_quick(struct thunk_asm *t)
{
	struct x64_label stored = X64_LABEL;
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), 8);
	emit_publish_some(t, CALLER_SAVED);
	vec_emit_save(a, t->jit, false);
	x64_lea(a, 8, X64_RDI, x64_m(P, -(int32_t)t->jit->anchor));
	x64_mov(a, 8, X64_RSI, THUNK_ENV(t, bounce[0]));
	x64_mov(a, 8, X64_RDX, THUNK_ENV(t, bounce[8]));
	x64_mov(a, 8, X64_RCX, THUNK_ENV(t, bounce[16]));
	x64_call_rm(a, x64_r(S0));
	x64_mov_rr(a, 8, S0, X64_RAX);
	emit_reload(t, CALLER_SAVED);
	x64_alu_i(a, X64_CMP, 1, THUNK_ENV(t, code_stored), 0);
	x64_jcc_short(a, X64_CC_NE, &stored);
	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 8);
	x64_ret(a);
	x64_bind(a, &stored);
	x64_mov_to(a, 8, THUNK_ENV(t, bounce), S0);
	emit_publish_all(t);
	emit_call(t, C_ADDR(x64_rt_stored), 8);
	x64_jcc(a, X64_CC_NE, &t->redirect);
	emit_reload(t, CALLER_SAVED);
	x64_mov(a, 8, S0, THUNK_ENV(t, bounce));
	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 8);
	x64_ret(a);
	return start;
}

/* C says where to go on: in rax.  is_called: by a stub, to which nobody returns. */
static uint64_t emit_go_on(struct thunk_asm *t, uint64_t fn, bool is_called)
{
	struct x64_label drop = X64_LABEL;
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	if (is_called)
		x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), 8);
	emit_publish_all(t);
	emit_call(t, fn, is_called ? 8 : 0);
	x64_jcc(a, X64_CC_E, &t->leave);
	x64_mov_rr(a, 8, S0, X64_RAX);
	emit_reload(t, ALL);
	if (is_called)
		x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 16);
	x64_alu_i(a, X64_CMP, 1, THUNK_ENV(t, drop_frames), 0);
	x64_jcc_short(a, X64_CC_NE, &drop);
	x64_jmp_rm(a, x64_r(S0));
	x64_bind(a, &drop);
	x64_mov_i(a, 1, THUNK_ENV(t, drop_frames), 0);
	x64_mov(a, 8, X64_RSP, THUNK_ENV(t, host_sp));
	x64_jmp_rm(a, x64_r(S0));
	return start;
}

/* To the pc in S0 by the place of its pair that is not at S1, if it is there. */
static void emit_other_place(struct x64_asm *a, struct x64_label *not_there)
{
	x64_alu_i(a, X64_XOR, 8, x64_r(S1), sizeof(struct x64_target));
	x64_alu_to(a, X64_CMP, 8, x64_m(S1, offsetof(struct x64_target, pc)), S0);
	x64_jcc_short(a, X64_CC_NE, not_there);
	x64_jmp_rm(a, x64_m(S1, offsetof(struct x64_target, entry)));
	x64_bind(a, not_there);
}

static uint64_t emit_miss(struct thunk_asm *t, uint64_t ask)
{
	struct x64_label not_there = X64_LABEL;
	uint64_t start = begin(t);

	emit_other_place(&t->a, &not_there);
	x64_jmp_at(&t->a, ask);
	return start;
}

/* A return to the pc in S0 that the last frame, without its pad, is not for; nor is what lies below
 * all frames: *bottom.  Where no place is for it either it is for the code at S1. */
static uint64_t emit_unpaired(struct thunk_asm *t, uint64_t *bottom)
{
	struct x64_label no_frame = X64_LABEL, other = X64_LABEL, not_there = X64_LABEL;
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	x64_alu_i(a, X64_ADD, 8, x64_r(X64_RSP), 8);
	x64_bind(a, &no_frame);
	x64_mov_to(a, 8, THUNK_ENV(t, bounce), S1);
	flow_emit_lookup(a, THUNK_ENV(t, probe));
	x64_jcc_short(a, X64_CC_NE, &other);
	x64_jmp_rm(a, x64_m(S1, offsetof(struct x64_target, entry)));
	x64_bind(a, &other);
	emit_other_place(a, &not_there);
	x64_jmp_rm(a, THUNK_ENV(t, bounce));
	*bottom = begin(t);
	x64_alu_i(a, X64_SUB, 8, x64_r(X64_RSP), 8); /* it stays */
	x64_jmp(a, &no_frame);
	return start;
}

static void emit_lookup_jump(struct thunk_asm *t, uint64_t miss)
{
	flow_emit_lookup(&t->a, THUNK_ENV(t, probe));
	x64_jcc_at(&t->a, X64_CC_NE, miss);
	x64_jmp_rm(&t->a, x64_m(S1, offsetof(struct x64_target, entry)));
}

static uint64_t emit_probe(struct thunk_asm *t, uint64_t miss)
{
	uint64_t start = begin(t);

	emit_lookup_jump(t, miss);
	return start;
}

/* An exit whose key is not for here: mostly to its target by the table, seldom to what asks for a
 * key.  Called, it is by a call of the guest's: the return address is a pad's. */
static uint64_t emit_far(struct thunk_asm *t, uint64_t miss)
{
	struct x64_label ask = X64_LABEL;
	struct x64_asm *a = &t->a;
	uint64_t start = begin(t);

	x64_alu_i(a, X64_SUB, 4, THUNK_ENV(t, key_wait), 1);
	x64_jcc_short(a, X64_CC_S, &ask);
	x64_alu(a, X64_ADD, 8, S0, THUNK_ENV(t, page));
	emit_lookup_jump(t, miss);
	x64_bind(a, &ask);
	x64_alu_i(a, X64_ADD, 8, x64_r(S1), FAR_KEY_BYTES);
	x64_jmp_rm(a, x64_r(S1));
	return start;
}

static uint64_t emit_asked(struct thunk_asm *t, uint64_t *here)
{
	struct x64_label at = X64_LABEL;
	uint64_t start;

	*here = begin(t);
	x64_alu(&t->a, X64_ADD, 8, S0, THUNK_ENV(t, page));
	x64_jmp(&t->a, &at);
	start = begin(t);
	x64_bind(&t->a, &at);
	x64_mov_to(&t->a, 8, thunk_state(t, t->jit->desc->pc_offset), S0);
	emit_publish(t);
	x64_mov_i(&t->a, 4, THUNK_ENV(t, why), X64_ASKED);
	x64_jmp(&t->a, &t->leave);
	return start;
}

/* Called on a way that `asked` is told of: comes back where there is just no room for a frame. */
static uint64_t emit_room(struct thunk_asm *t, uint64_t asked)
{
	uint64_t start = begin(t);

	x64_alu_i(&t->a, X64_CMP, 2, THUNK_ENV(t, exit_request), 0);
	x64_jcc_at(&t->a, X64_CC_NE, asked);
	x64_ret(&t->a);
	return start;
}

/* ---- all of it ---- */

static void emit_memory(struct thunk_asm *t, struct x64_thunks *out)
{
	out->address_read = emit_address(t, false);
	out->address_write = emit_address(t, true);
	for (unsigned k = 0; k < THUNK_SIZES; k++) {
		uint32_t read = access_pack(1u << k, 0, false, false);
		uint32_t modify = access_pack(1u << k, 0, true, false);
		uint32_t store = access_pack(1u << k, 0, false, true);

		out->load[k] = emit_access(t, C_ADDR(x64_rt_load), read, false, RESULT_ADDRESS);
		out->modify[k] = emit_access(t, C_ADDR(x64_rt_load), modify, true, RESULT_ADDRESS);
		out->store[k] = emit_access(t, C_ADDR(x64_rt_store), store, true, RESULT_NONE);
		out->commit[k] = emit_commit(t, store);
	}
	out->look_read = emit_look_alone(t, false);
	out->look_write = emit_look_alone(t, true);
	out->group = emit_group(t);
	out->access = emit_thunk(t, C_ADDR(x64_rt_access), 0, CALLER_SAVED, RESULT_VALUE);
	out->atomic = emit_thunk(t, C_ADDR(x64_rt_atomic), 0, CALLER_SAVED, RESULT_VALUE);
}

static void emit_all(struct thunk_asm *t, struct x64_thunks *out)
{
	uint64_t bottom;

	vec_thunks(&t->a, t->jit, out);
	out->unpaired = emit_unpaired(t, &bottom);
	out->enter = begin(t);
	emit_enter(t, bottom);
	out->leave = emit_leave(t);
	emit_redirect(t);
	emit_memory(t, out);
	out->helper = emit_thunk(t, C_ADDR(x64_rt_helper), 0, ALL, RESULT_VALUE);
	out->quick = emit_quick(t);
	out->transfer = emit_go_on(t, C_ADDR(x64_rt_transfer), true);
	out->native = emit_thunk(t, C_ADDR(x64_rt_native), 0, ALL, RESULT_NONE);
	flags_thunks(&t->a, t->jit, out,
		     emit_thunk(t, C_ADDR(x64_rt_env_bits), 0, CALLER_SAVED, RESULT_VALUE));
	out->bits = emit_thunk(t, C_ADDR(x64_rt_bits), 0, CALLER_SAVED, RESULT_VALUE);
	out->link = emit_go_on(t, C_ADDR(x64_rt_link), true);
	out->ask = emit_go_on(t, C_ADDR(x64_rt_miss), false);
	out->miss = emit_miss(t, out->ask);
	out->probe = emit_probe(t, out->miss);
	out->dispatch = emit_go_on(t, C_ADDR(x64_rt_dispatch), false);
	out->far = emit_far(t, out->miss);
	out->asked = emit_asked(t, &out->asked_here);
	out->room = emit_room(t, out->asked);
	out->room_here = emit_room(t, out->asked_here);
}

bool x64_thunks_write(struct x64_jit *j)
{
	struct thunk_asm t = { .jit = j, .leave = X64_LABEL, .redirect = X64_LABEL };
	uint8_t *write;
	uint64_t run;

	code_writer_init(&j->writer, j->cache, true);
	if (!code_reserve(&j->writer, THUNK_ROOM, &write, &run))
		return false;
	x64_begin(&t.a, write, run, THUNK_ROOM);
	emit_all(&t, &j->thunk);
	assert(!t.a.is_full);
	j->thunk.end = x64_pc(&t.a);
	code_commit(&j->writer, x64_offset(&t.a), j);
	return true;
}
