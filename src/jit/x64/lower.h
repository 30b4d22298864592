/* jit/x64/lower.h - insides of the compiler: what is known while one block is lowered.
 *
 * Values stay where they come from: a guest register's in the host register that holds it, a loaded
 * one in memory until somebody wants it.  Two registers, S0 and S1, are scratch; what must outlive
 * an operation that needs both goes to env->tmp.  Flags are a recipe: where the operands of the
 * operation are that made them, to be done again at whoever asks, unless EFLAGS still has them.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/ir.h"
#include "jit/ir_info.h"
#include "jit/x64/asm_flow.h"
#include "jit/x64/lower_vec.h"
#include "jit/x64/x64.h"

/* TLB: the tables of the running view, as of env->tlb_view: a bias beyond them, which in the low
 * bits of the register tells BEXTR where the number of a page's place is in an address. */
enum { P = X64_R14, TLB = X64_R9, S0 = X64_R10, S1 = X64_R11, GUEST_SP = X64_R15 };
enum { TLB_BIAS = TLB_BITS << 8 | 12 }; /* SDM 2A, BEXTR: length, start */
BUILD_ASSERT(TLB_VIEW_ALIGN == 65536);  /* BEXTR looks at 16 bits */

/* Of the entry S1 places behind `first`. */
static inline struct x64_rm x64_tlb_tag(unsigned kind, unsigned first)
{
	size_t at = offsetof(struct tlb_view, e) + kind * sizeof(struct tlb_table);

	return x64_mx(TLB, S1, 3,
		      (int32_t)(at + offsetof(struct tlb_table, tag) + first * 8) - TLB_BIAS);
}
static inline struct x64_rm x64_tlb_host(unsigned kind, unsigned first)
{
	struct x64_rm m = x64_tlb_tag(kind, first);

	m.disp += (int32_t)(offsetof(struct tlb_table, host) - offsetof(struct tlb_table, tag));
	return m;
}
enum { SCRATCH = 1 << S0 | 1 << S1 };

/* ---- sites: what the C side must know of a place that may leave inside an instruction ---- */

enum place_kind {
	PLACE_NONE,
	PLACE_CONST, /* the operation's imm */
	PLACE_REG,   /* host register; pinned or scratch */
	PLACE_HIGH,  /* AH to BH: bits 8-15 of reg */
	PLACE_SLOT,  /* guest state at byte offset imm */
	PLACE_TMP,   /* env->tmp[imm] */
	PLACE_MEM,   /* [S0 + imm]: loaded when asked for */
	PLACE_LAZY,  /* LEA, ADD, PC: computed where it is used */
};

struct place {
	uint8_t kind;
	uint8_t reg;
	uint16_t valid; /* bytes; those above belong to the value as zeros but may hold anything */
	uint32_t imm;
};
BUILD_ASSERT(sizeof(struct place) == 8); /* and no bit unused: it is handed about in a register */
/* Made in one, too: a load right behind stores of its parts would wait for them. */
static inline struct place place_of(enum place_kind kind, unsigned reg, unsigned valid,
				    uint32_t imm)
{
	struct place p;

	BUILD_ASSERT(offsetof(struct place, reg) == 1 && offsetof(struct place, valid) == 2 &&
		     offsetof(struct place, imm) == 4);
	st64_le(&p, (uint64_t)imm << 32 | valid << 16 | reg << 8 | kind);
	return p;
}

/* Operands of the flags at a site, for C. */
struct site_place {
	uint8_t kind; /* enum place_kind: CONST (at: in the constants), REG, HIGH, SLOT, TMP */
	uint8_t reg;
	uint16_t at;
};
enum recipe_form {
	FORM_AB, /* operands */
	FORM_RB, /* ADD, SUB: result and second operand */
	FORM_R,  /* result and flags_c, the carry: that of before of INC and DEC, 0 of logic */
	FORM_N,  /* result alone: NEG */
};
/* As env->flags_kind holds it. */
static inline uint32_t recipe_kind(unsigned code, unsigned size_log2, enum recipe_form form)
{
	return code | size_log2 << 8 | (uint32_t)form << 16;
}
struct x64_recipe {
	uint32_t kind; /* recipe_kind(); 0: the flags are what env says */
	struct site_place a, b, c;
};
struct x64_site {
	uint32_t at; /* return address of its call, from code->base */
	int32_t pc_delta;
	union {
		struct x64_recipe recipe;
		struct {
			uint32_t kind;
			struct site_place a, b, c;
		};
	};
	bool is_last;    /* nothing of its guest instruction comes behind it */
	int32_t pc_next; /* pc_delta of the instruction that follows then */
};

/* ---- fixed code ---- */

enum {
	THUNK_SIZES = 6, /* 1 to 32 bytes */
	THUNK_ALIGN = 16,
	LOOK_BYTES = 16
};
enum { FAR_KEY_BYTES = 8 }; /* of an exit's key; behind it stands the call that asks for one */
struct x64_thunks {
	uint64_t enter;         /* (env, code) -> enum x64_why */
	uint64_t leave;         /* jumped to: all is published, env->why set */
	uint64_t address_read;  /* mem_emit_lookup() failed -> S0 = the address */
	uint64_t address_write; /* the same, of what is to be written */
	/* With the carry on return: S0 is a host pointer, and nothing was accessed. */
	uint64_t load[THUNK_SIZES];   /* address in S0 -> S0 = &bounce with the bytes */
	uint64_t modify[THUNK_SIZES]; /* the same, must be writable; commit follows */
	uint64_t store[THUNK_SIZES];  /* address in S0, bytes in bounce */
	uint64_t look_read;  /* address in S0, LOOK_BYTES at most -> the same, or S0 stays */
	uint64_t look_write; /* keep all but S1 */
	uint64_t commit[THUNK_SIZES]; /* bounce to where modify read it; keeps S1 and EFLAGS */
	uint64_t access; /* address in S0, struct access in S1 -> S0 = bounce's 8 bytes */
	uint64_t group; /* address in S0, its group's GROUP_ bits in S1 -> S0 = host pointer or 0 */
	uint64_t helper;     /* ir_helper in S0, arguments in bounce -> S0 */
	uint64_t quick;      /* the function of a quick ir_helper in S0, the same */
	uint64_t transfer;   /* ir_helper in S0, the same; goes on where env->pc then is */
	uint64_t native;     /* ir_native in S0, value in bounce */
	uint64_t atomic;     /* kind in S0, address and operands in bounce -> S0 = old */
	uint64_t sync;       /* flags slot := flags in env */
	uint64_t carry;      /* -> S0 = carry of the flags in env */
	uint64_t env_bits;   /* -> S0 = all six of them */
	uint64_t bits;       /* -> S0 = the six of the call's site */
	uint64_t link;       /* called by an exit's stub */
	uint64_t miss;       /* jumped to: the place at S1 is not for the pc in S0 */
	uint64_t ask;        /* jumped to: no place is for the pc in S0 */
	uint64_t probe;      /* jumped to: to the pc in S0 */
	uint64_t unpaired;   /* jumped to: the frame is not for the pc in S0; S1 is for others */
	uint64_t dispatch;   /* jumped to: env->pc, env->mode say where on */
	uint64_t asked;      /* jumped to: a request waits, at the pc in S0 */
	uint64_t asked_here; /* the same, at that offset in env->page */
	uint64_t room;       /* called: a request waits, at the pc in S0, or a frame has no room */
	uint64_t room_here;  /* the same, at that offset in env->page */
	uint64_t far; /* jumped to, called for calls: likewise to there; S1: the exit's key */
	uint64_t vectors, x87; /* the guest's to the host's registers; keep all but EFLAGS */
	uint64_t x87_unload;   /* the reverse */
	uint64_t vectors_save, x87_save; /* the same, for the other thunks */
	uint64_t end;                    /* of them all */
};

/* Sequences that are pasted; in brackets: their fields. */
struct x64_pieces {
	struct x64_piece page;     /* env->page := that of S0 */
	struct x64_piece pc[2];    /* S0, S1 := env->page [plus] */
	struct x64_piece poll;     /* leave for a request, or no room for a frame [to] */
	struct x64_piece again;    /* the reverse [to] */
	struct x64_piece check[2]; /* S0, an address, becomes the host's [4096 - bytes, else to];
				    * of the read or the write table */
	struct x64_piece lookup;   /* flow_emit_lookup() of this vCPU's targets */
	struct x64_piece far;      /* to another page [key, else to, distance] */
	struct x64_piece far_key;  /* S1 := the address of [key] */
	struct x64_piece pad;      /* S1 := the frame's pc, if that is S0 [else to] */
	struct x64_piece pad_page; /* env->page := that of S1 */
	struct x64_cell flags_kind, flags_a, flags_b; /* env's */
};

struct x64_jit {
	struct code_cache *cache;
	const struct ir_state_desc *desc;
	const struct x64_ops *ops;
	uint32_t anchor;    /* what P points at, from the state's start: the general registers */
	uint8_t reg_of[16]; /* guest register n (slot.pin n + 1) -> host register, or X64_NO_REG */
	uint32_t first_gpr; /* byte offset of guest register 0; 8 bytes each */
	uint8_t gpr_of[16]; /* host register -> guest register, or 0xff */
	uint8_t host_needs; /* bit per enum rule_needs that the host has */
	struct x64_thunks thunk;
	struct x64_pieces piece;
	struct code_writer writer; /* of the thunks */
};

/* An access of any size by C: packed into S1. */
static inline uint32_t access_pack(unsigned bytes, unsigned view_plus_1, bool rmw, bool store)
{
	return bytes | view_plus_1 << 8 | (uint32_t)rmw << 16 | (uint32_t)store << 17;
}

/* The check of a group, packed into S1: how many bytes from the address in S0 on, where among them
 * the first access is. */
enum {
	GROUP_BYTES_MASK = 0xfff,
	GROUP_FIRST_SHIFT = 12,
	GROUP_WRITE = 1u << 24,       /* look into the write table */
	GROUP_FIRST_WRITE = 1u << 25, /* the first access must be able to write */
	GROUP_THEN_WRITE = 1u << 26,  /* it need not, but a store to its page is sure to follow */
};

/* ---- lowering ---- */

enum { LOWER_STUBS = 1024, LOWER_SITES = 1024, LOWER_EXITS = 260 };

struct arg { /* an operand captured for a stub */
	bool is_imm;
	bool is_pc; /* pc of the entry + imm: only what is stored */
	uint8_t valid;
	union {
		uint64_t imm;
		struct x64_rm rm;
	};
};

/* Flags to tell env of. */
struct record {
	uint32_t kind; /* recipe_kind(); 0: none */
	bool has_b, has_c;
	struct arg a, b, c;
};

enum stub_kind {
	STUB_LOAD,
	STUB_MODIFY, /* and the operation op, and the store */
	STUB_STORE,
	STUB_ATOMIC,
	STUB_CALL_IF,
	STUB_EXIT,
	STUB_CARRY,   /* S0 = carry of the flags in env */
	STUB_KEEP,    /* env->flags_c = carry of the flags in env */
	STUB_BITS,    /* old = flags of the site */
	STUB_STORED,  /* a helper stored to translated code: leave before the next instruction */
	STUB_VECTORS, /* these: lower_vec.h */
	STUB_X87,
	STUB_X87_UNLOAD,
	STUB_HELPER,
	STUB_FRAMES, /* these: lower_pair.c */
	STUB_CALL,
	STUB_CALL_MISS,
	STUB_LATE,
	STUB_GROUP, /* the check of a group failed */
	STUB_FAR,   /* an exit to another page has no key for it */
	STUB_STALE, /* lower_check.c */
};

/* Accesses off one base that one check covers (lower_group.c). */
struct group {
	uint16_t first; /* of its accesses */
	uint16_t count;
	unsigned bytes;     /* that any of them touches */
	uint64_t lo;        /* where: distance from the base */
	bool is_write;      /* the check is of the write table */
	bool is_stack;      /* off the guest's stack pointer */
	bool then_write;    /* the first one loads, and the store is sure to follow */
	struct place saved; /* where the host pointer is kept while S0 is wanted */
};
/* Host pointers of groups are values that no operation makes. */
enum { LOWER_GROUPS = IR_TABLE_OPS - IR_MAX_OPS };

struct stub {
	uint8_t kind;
	uint8_t size_log2;
	bool is_write;  /* STUB_LOAD: must be writable */
	bool is_vector; /* STUB_STORE: of the state at op's slot */
	bool has_old;
	bool has_vectors, has_x87; /* STUB_HELPER: they are in the host's registers */
	bool has_arg;              /* STUB_HELPER: its first argument is arg[0], a register */
	bool is_end;     /* STUB_HELPER: the instruction's last deed: may leave behind it */
	bool is_return;  /* STUB_LATE */
	bool is_back;    /* STUB_EXIT: all but what asks for a link stands in line */
	bool is_call;    /* STUB_FAR */
	bool is_direct;  /* STUB_FRAMES: to the target of exit, not to the pc in S0 */
	uint8_t bytes;   /* STUB_LOAD: if no power of two; STUB_HELPER: of its store, or 0 */
	uint16_t native; /* STUB_STORE: the NATIVE whose result it is, or 0 */
	uint16_t at;     /* the IR op whose place in the block it stands for */
	uint16_t op;     /* STUB_MODIFY: the operation */
	uint16_t exit;
	struct x64_site site;
	struct x64_label in, back;
	/* A new stub has anything here: what is above says what is meant. */
	struct x64_label key;       /* STUB_FAR */
	struct x64_label checked;   /* behind the check: S0 is the host pointer */
	struct x64_label unaligned; /* STUB_ATOMIC: S0 is the address */
	struct x64_rm old;          /* STUB_MODIFY: where the value that was there is kept */
	union {
		struct arg arg[2];
		struct record record; /* STUB_EXIT, _GROUP, _STORED */
	};
};

/* What is planned of an operation; then what is known of its value and its flags. */
struct op_plan {
	uint16_t uses;     /* as a value */
	uint16_t last_use; /* position, recipes included */
	uint16_t insn;
	uint16_t flags_last; /* flags: last position that may ask */
	uint16_t put;        /* the PUT whose slot the op itself writes, or 0 */
	uint16_t modify;     /* RMW: of LOAD and operation, the STORE; of the STORE, 1 */
	uint8_t group;       /* of an access: its group's number plus 1, or 0 */
	bool is_fused;       /* COND, CMP computed by their one user; PUT nobody sees */
	uint16_t next_in_reg;
};
struct value {
	struct place at;
	struct place home;  /* TMP or SLOT: where memory has it too; or NONE */
	struct place carry; /* of a recipe: its flags in: a temporary, or (SLOT) env->flags_c */
	struct place bits;  /* of flags: their six bits, a temporary */
};

struct x64_compiler {
	struct x64_jit *jit;
	const struct ir_block *ir;
	const struct ir_op *ops;         /* its */
	const struct jit_origin *origin; /* compared at the entry, or NULL */
	struct x64_asm a;
	struct code_writer writer;
	struct x64_code code;
	bool is_full; /* too many temporaries, stubs ... */
	_Alignas(16) struct op_plan plan[IR_TABLE_OPS];
	struct value value[IR_TABLE_OPS];

	bool has_groups;
	struct group groups[LOWER_GROUPS];
	unsigned group_count;

	/* state */
	unsigned pos;
	uint16_t in_reg[16];              /* values in a host register, chained */
	uint16_t in_memory[IR_TABLE_OPS]; /* values whose home is a slot */
	unsigned in_memory_count;
	uint16_t pending_mem; /* the value of kind PLACE_MEM, or 0 */
	uint16_t next_tmp;
	uint16_t eflags;      /* flags value that EFLAGS holds, or 0 */
	uint32_t eflags_mask; /* which of its flags */
	uint16_t slot_flags;  /* flags value that the slot should have; 0: what env says */
	uint16_t env_flags;   /* flags value that env has been told of */
	bool is_synced;       /* the slot's bits are true (env->flags_kind is 0) */
	bool has_kept;        /* some recipes have their flags in in env->flags_c */

	struct stub stubs[LOWER_STUBS];
	unsigned stub_count;
	struct x64_site sites[LOWER_SITES];
	unsigned site_count;
	struct x64_exit exits[LOWER_EXITS];
	unsigned exit_count;
	uint64_t constants[LOWER_SITES];
	unsigned constant_count;
	struct ir_native *natives; /* beside the code: the copies that it uses */
	unsigned native_count;     /* those copied; by the plan: all */
	struct x64_label asked;
	bool may_have_stored; /* a helper that is not the last of its instruction */
	uint16_t left_at;     /* the way out that a helper's call has already taken, or 0 */
	struct {
		uint16_t op; /* the CALL_IF that tests an exit's target late, or 0 */
		uint8_t reg; /* what is moved before that, or X64_NO_REG */
		int32_t moved;
	} late;
	struct vec_state vec;
};

static inline const struct ir_op *op_at(const struct x64_compiler *c, unsigned i)
{
	return &c->ops[i];
}

/* Where instruction k's ops end. */
static inline unsigned insn_end(const struct x64_compiler *c, unsigned k)
{
	return c->ir->insns[k + 1].first_op;
}

/* Byte offset in the state as an operand. */
static inline struct x64_rm state(const struct x64_compiler *c, uint32_t offset)
{
	return x64_m(P, (int32_t)(offset - c->jit->anchor));
}
#define ENV(c, field) state((c), (uint32_t)offsetof(struct jit_env, field))
static inline struct x64_rm tmp_rm(const struct x64_compiler *c, unsigned n)
{
	return state(c, (uint32_t)(offsetof(struct jit_env, tmp) + 8 * n));
}

/* ---- lower_plan.c ---- */
void lower_plan(struct x64_compiler *c);
/* Might it store to code that is translated, the running block's too? */
static inline bool helper_may_store(const struct ir_helper *h)
{
	return h->can_fault && !h->is_pure && !h->always_faults && !h->host_op;
}
/* The flags value behind the instruction of op i; slot: what the flags slot should have. */
unsigned lower_flags_after(const struct x64_compiler *c, unsigned i, unsigned slot);
/* The recipe's form for op's flags. */
extern const uint8_t lower_form_of_used[IR_CODE_COUNT];
static inline enum recipe_form lower_form(const struct x64_compiler *c, unsigned f)
{
	return c->plan[f].uses ? (enum recipe_form)lower_form_of_used[op_at(c, f)->code] : FORM_AB;
}
/* Is op i computed only where its value is used (PLACE_LAZY)? */
bool lower_is_lazy(const struct x64_compiler *c, unsigned i);
/* The flags value that the flags of mask in f come from. */
unsigned lower_merge_source(const struct x64_compiler *c, unsigned f, uint32_t mask);
/* GET or PUT: of the flags slot? */
static inline bool covers_flags_slot(const struct x64_compiler *c, const struct ir_op *op)
{
	uint64_t at = c->jit->desc->flags_offset, size = ir_size(op);

	return op->imm + size - 1 - at < size + 3;
}

/* ---- lower_place.c ---- */
static inline bool is_live(const struct x64_compiler *c, unsigned v)
{
	return c->plan[v].last_use > c->pos;
}
/* Is v in a register, size bytes of it? */
static inline bool place_has(const struct x64_compiler *c, unsigned v, unsigned size)
{
	const struct place *p = &c->value[v].at;

	return p->kind == PLACE_REG && p->valid >= size;
}
/* In this one? */
static inline bool place_is_in(const struct x64_compiler *c, unsigned v, unsigned reg,
			       unsigned size)
{
	return place_has(c, v, size) && c->value[v].at.reg == reg;
}
void place_begin(struct x64_compiler *c);
/* Say where v is from now on. */
void place_set(struct x64_compiler *c, unsigned v, struct place p);
/* Value v is in reg, low `valid` bytes true. */
static inline void place_reg(struct x64_compiler *c, unsigned v, unsigned reg, unsigned valid)
{
	const struct place p = { .kind = PLACE_REG, .reg = (uint8_t)reg, .valid = (uint16_t)valid };

	if (c->value[v].at.kind != PLACE_NONE) {
		place_set(c, v, p);
		return;
	}
	c->value[v].at = p;
	c->plan[v].next_in_reg = c->in_reg[reg];
	c->in_reg[reg] = (uint16_t)v;
}
/* Value v, which is nowhere yet, needs no place: CONST or LAZY. */
static inline void place_none(struct x64_compiler *c, unsigned v, enum place_kind kind)
{
	c->value[v].at = place_of(kind, 0, 8, 0);
}
/* Value v, which is nowhere yet, is to be loaded from [S0 + disp]; no other is. */
static inline void place_pending(struct x64_compiler *c, unsigned v, unsigned size, int32_t disp)
{
	c->value[v].at = place_of(PLACE_MEM, S0, size, (uint32_t)disp);
	c->pending_mem = (uint16_t)v;
}
/* Value v is size bytes of guest state at offset. */
void place_slot(struct x64_compiler *c, unsigned v, uint32_t offset, unsigned size);
/* Values that live on in reg go to temporaries.  `too`: also those whose last use is this op. */
void place_evict_some(struct x64_compiler *c, unsigned reg, bool too);
static inline void place_evict(struct x64_compiler *c, unsigned reg, bool too)
{
	if (c->in_reg[reg])
		place_evict_some(c, reg, too);
}
/* The same for guest state at [offset, offset + bytes) in memory. */
void place_evict_slot(struct x64_compiler *c, uint32_t offset, unsigned bytes);
/* v, in a register, was stored to the 8 bytes of guest state at offset. */
void place_stored(struct x64_compiler *c, unsigned v, uint32_t offset);
/* Before C that may change all of the guest's state. */
void place_evict_state(struct x64_compiler *c);
/* Is there nothing in S0 or S1, and nothing to be loaded off S0? */
static inline bool place_is_idle(const struct x64_compiler *c)
{
	return !(c->in_reg[S0] | c->in_reg[S1] | c->pending_mem);
}
void place_empty_scratch(struct x64_compiler *c, bool too);
/* Before code that destroys S0 and S1. */
static inline void place_evict_scratch(struct x64_compiler *c, bool too)
{
	if (!place_is_idle(c))
		place_empty_scratch(c, too);
}
/* A scratch register, not one of those in the mask (1 << reg), which leaves one. */
unsigned place_scratch(struct x64_compiler *c, unsigned avoid);
/* A pending load is done now, unless it is v. */
void place_settle(struct x64_compiler *c, unsigned v);
/* A PLACE_LAZY value becomes a real one, in reg (X64_NO_REG: a scratch register not in avoid). */
unsigned place_force(struct x64_compiler *c, unsigned v, unsigned reg, unsigned avoid);
/* v's low size bytes, readable; not for constants that do not fit an immediate.  May take a scratch
 * register that is not in avoid. */
struct x64_rm place_rm(struct x64_compiler *c, unsigned v, unsigned size, unsigned avoid);
/* The operand of LEA that computes lazy value v (not a PC). */
struct x64_rm place_address(struct x64_compiler *c, unsigned v, unsigned avoid);
unsigned place_bring(struct x64_compiler *c, unsigned v, unsigned avoid);
/* The same in a register; not to be written. */
static inline unsigned place_in_reg(struct x64_compiler *c, unsigned v, unsigned size,
				    unsigned avoid)
{
	return place_has(c, v, size) ? c->value[v].at.reg : place_bring(c, v, avoid);
}
void place_widen(struct x64_compiler *c, unsigned v, unsigned size);
/* From now on v lies somewhere with size bytes that are true. */
static inline void place_whole(struct x64_compiler *c, unsigned v, unsigned size)
{
	const struct place *p = &c->value[v].at;

	if (p->kind != PLACE_CONST && (p->kind == PLACE_LAZY || p->valid < size))
		place_widen(c, v, size);
}
/* Copy v's low size bytes to reg; zero: zero-extended to 8. */
void place_copy(struct x64_compiler *c, unsigned reg, unsigned v, unsigned size, bool zero);
/* Does v's operand involve reg? */
bool place_uses_reg(const struct x64_compiler *c, unsigned v, unsigned reg);
bool place_is_imm(const struct x64_compiler *c, unsigned v, unsigned size, int64_t *imm);
struct x64_rm place_new_tmp(struct x64_compiler *c, struct place *p);
/* Does guest state at offset belong to a general register? */
static inline bool place_is_general(const struct x64_compiler *c, uint32_t offset)
{
	return offset - c->jit->first_gpr < 8 * 16;
}
/* Host register of the guest register that an 8-byte access at offset covers, or X64_NO_REG. */
static inline unsigned place_pinned(const struct x64_compiler *c, uint32_t offset)
{
	uint32_t n = (offset - c->jit->first_gpr) / 8;

	return n < 16 ? c->jit->reg_of[n] : X64_NO_REG;
}

/* ---- lower_alu.c ---- */
/* The register of op i's PUT, or X64_NO_REG. */
unsigned alu_pinned_dest(const struct x64_compiler *c, unsigned i);
/* Where op i's result goes: a pinned register (its PUT's) or a scratch one. */
unsigned alu_dest(struct x64_compiler *c, unsigned i, unsigned avoid);
void lower_value_op(struct x64_compiler *c, unsigned i);
/* The second operand: an immediate or an rm. */
struct alu_source {
	bool is_imm;
	int64_t imm;
	struct x64_rm rm;
};
/* Only moves are emitted: EFLAGS stay. */
void alu_second(struct x64_compiler *c, const struct ir_op *op, unsigned avoid,
		struct alu_source *s);
/* A lazy first operand needs scratch registers of its own: make it real while there are some. */
void alu_force_lazy(struct x64_compiler *c, unsigned v, unsigned size);
/* Do op i (an RMW's) on reg, whose value is its first operand. */
void alu_apply(struct x64_compiler *c, const struct ir_op *op, unsigned reg, const struct arg *b);
/* Do it on memory; the result is not wanted elsewhere.  Uses S1. */
void alu_apply_to(struct x64_compiler *c, const struct ir_op *op, struct x64_rm m,
		  const struct arg *b);
/* EFLAGS after it. */
void alu_applied(struct x64_compiler *c, unsigned i);
void alu_capture(struct x64_compiler *c, unsigned v, unsigned size, struct arg *out);

/* ---- lower_mul.c ---- */
void lower_mul_bytes(struct x64_compiler *c, unsigned i);
/* MULUH, MULSH. */
void lower_high_product(struct x64_compiler *c, unsigned i);

/* ---- lower_mem.c ---- */
void lower_load(struct x64_compiler *c, unsigned i);
void lower_store(struct x64_compiler *c, unsigned i);
void lower_vector_access(struct x64_compiler *c, unsigned i);
void lower_atomic(struct x64_compiler *c, unsigned i);
void stub_load(struct x64_compiler *c, struct stub *s);
void stub_modify(struct x64_compiler *c, struct stub *s);
void stub_store(struct x64_compiler *c, struct stub *s);
void stub_atomic(struct x64_compiler *c, struct stub *s);
/* S0 = host pointer to `bytes` bytes at op i's address.  The caller fills in the rest of the stub,
 * and binds its `back`: of a load at once, of a store behind it. */
struct stub *mem_check(struct x64_compiler *c, unsigned i, unsigned bytes, bool write,
		       enum stub_kind kind);

/* A value to be stored: not in a scratch register; or (is_pc) to be made there. */
void mem_capture_stored(struct x64_compiler *c, unsigned v, unsigned size, struct arg *out);
/* Store v (alu_capture()) at `to`; S1 is free, and is v if that is a pc. */
void mem_store_arg(struct x64_compiler *c, unsigned size, struct x64_rm to, const struct arg *v);
/* Behind it and its stub: of STORE i. */
void mem_stored(struct x64_compiler *c, unsigned i, const struct arg *v);

/* The address of op as an operand of LEA, or in S0 (*in_s0). */
struct x64_rm mem_address(struct x64_compiler *c, const struct ir_op *op, bool *in_s0);
/* S0 = host pointer to `bytes` bytes at m (mem_address()), else to the stub, as below. */
void mem_emit_check(struct x64_compiler *c, struct stub *s, struct x64_rm m, bool in_s0,
		    unsigned bytes, bool write);
/* S0, an address, becomes the host pointer: here begins what is `checked`. */
void mem_emit_lookup(struct x64_compiler *c, struct stub *s, unsigned bytes, bool write);
/* The other way round in the stub, which gets the difference from the entry's tag and, in S1, the
 * entry. */
void mem_stub_address(struct x64_compiler *c, bool write);

/* ---- lower_group.c ---- */
/* Is the first operand of op an address, used only where the op has a check? */
static inline bool group_is_address(const struct ir_op *op)
{
	return op->code == IR_LOAD || op->code == IR_STORE || op->code == IR_VLOAD ||
	       op->code == IR_VSTORE;
}
/* An access's address as far as groups are concerned. */
struct group_address {
	uint64_t base; /* what all of a group have */
	uint64_t disp;
};
/* A group that may still grow. */
struct open_group {
	uint64_t base;
	unsigned deeds; /* the planner's, but for its own accesses since it began */
	unsigned branches;
	unsigned group;
};
enum { GROUPS_OPEN = 8 };
struct group_planner {
	bool has_begun;    /* the instruction did something already */
	bool has_any;      /* there are groups of more than one access */
	unsigned deeds;    /* how many may have left the block so far */
	unsigned branches; /* and of those, how many by what is seldom so */
	unsigned count, next;
	struct open_group open[GROUPS_OPEN];
};
/* Op i, one that group_is_address(). */
void group_plan(struct x64_compiler *c, struct group_planner *p, const struct ir_op *op,
		unsigned i);
/* Another that may leave the block.  What C may have changed the guest's mapping behind, or waited
 * for all others to stop, ends all groups. */
static inline void group_plan_other(struct group_planner *p, bool is_branch, bool ends_groups)
{
	p->has_begun = true;
	p->deeds++;
	p->branches += is_branch;
	if (ends_groups)
		p->count = 0;
}
/* Is access i in a group?  Then group_rm() is where it is in host memory, which S0 points to: no
 * stub, no fault.  The first one has the check. */
static inline bool group_has(const struct x64_compiler *c, unsigned i)
{
	return c->plan[i].group && c->groups[c->plan[i].group - 1u].count > 1;
}
static inline bool group_is_first(const struct x64_compiler *c, unsigned i)
{
	return c->groups[c->plan[i].group - 1u].first == i;
}
struct x64_rm group_rm(struct x64_compiler *c, unsigned i);
/* The value that is the host pointer of a group moves from S0 to memory. */
void group_evict(struct x64_compiler *c, unsigned v);
void group_load(struct x64_compiler *c, unsigned i);
void group_store(struct x64_compiler *c, unsigned i);
void stub_group(struct x64_compiler *c, struct stub *s);

/* ---- lower_helper.c ---- */
/* Lower a CALL whose helper needs less than others; false: it does not. */
bool helper_call(struct x64_compiler *c, unsigned i);

/* ---- lower_div.c ---- */
/* Lower a CALL that the host has an instruction for; false: it has not. */
bool lower_div(struct x64_compiler *c, unsigned i);

/* ---- lower_flow.c ---- */
/* Argument n of a call of C := v; or all of CALL op i, and the flags that its helper needs. */
void flow_pass_value(struct x64_compiler *c, unsigned n, unsigned v);
void flow_pass(struct x64_compiler *c, unsigned i);
/* At places that need none as well: what says what is meant, as of a new one. */
static inline void stub_init(struct stub *s, enum stub_kind kind, unsigned op)
{
	memset(s, 0, offsetof(struct stub, key));
	s->kind = (uint8_t)kind;
	s->at = (uint16_t)op;
	s->in.at = s->back.at = X64_UNBOUND;
}
/* A new stub; NULL never: a full table makes c->is_full and hands out the last. */
struct stub *stub_new(struct x64_compiler *c, enum stub_kind kind, unsigned op);
/* The call just emitted may leave: remember the site. */
void site_add(struct x64_compiler *c, unsigned i, const struct x64_site *site);
void lower_call(struct x64_compiler *c, unsigned i);
void lower_native(struct x64_compiler *c, unsigned i);
void lower_exit(struct x64_compiler *c, unsigned i);
void lower_exit_if(struct x64_compiler *c, unsigned i);
/* At the start of an instruction, op i. */
void lower_check_stored(struct x64_compiler *c, unsigned i);
void lower_entry(struct x64_compiler *c);
/* How far in front of where links lead, if they are not polled, code begins. */
unsigned lower_entry_size(const struct x64_compiler *c);
/* Look for the pc in S0 in the first place of two, S1: equal when it is there. */
void flow_emit_lookup(struct x64_asm *a, struct x64_rm table);
void flow_lookup(struct x64_compiler *c);
/* The same, and go there. */
void flow_probe(struct x64_compiler *c);
struct x64_exit *flow_exit_new(struct x64_compiler *c, int64_t pc_delta, bool is_polled);
/* The block's end: by exit x. */
void flow_leave_by(struct x64_compiler *c, struct x64_exit *x);
/* To `asked` for a request, or where there is no room for a frame. */
void flow_poll(struct x64_compiler *c, struct x64_label *asked);
/* Does x lead to another page of code that can have keys (x64_key())? */
bool flow_is_far(const struct x64_compiler *c, const struct x64_exit *x);
/* The first half of such an exit, which the jump or call to its target follows; its stub. */
struct stub *flow_far(struct x64_compiler *c, unsigned exit);
void stub_far(struct x64_compiler *c, struct stub *s);
/* Where exit x leads at first. */
void flow_ask_for_link(struct x64_compiler *c, struct x64_exit *x);
void flow_ask_behind(struct x64_compiler *c, struct x64_exit *x);
/* Argument n of a helper. */
struct x64_rm flow_bounce(const struct x64_compiler *c, unsigned n);
void lower_stubs(struct x64_compiler *c);
/* reg := pc of the block's entry + delta, before it is cut. */
void lower_pc(struct x64_compiler *c, unsigned reg, int64_t delta);
/* The pc slot says so; S0 is destroyed. */
void flow_put_pc(struct x64_compiler *c, int64_t delta);
/* That of op i's instruction, if helper h asks for it. */
void flow_put_own_pc(struct x64_compiler *c, unsigned i, const struct ir_helper *h);
/* Op i's call of h, whose arguments are in bounce; S0 and S1 are destroyed. */
void flow_call_helper(struct x64_compiler *c, unsigned i, const struct ir_helper *h,
		      const struct x64_site *site);

/* ---- lower_check.c ---- */
/* At the plain entry: leave if the guest's bytes are not those of c->origin, which is not NULL. */
void check_entry(struct x64_compiler *c);
void stub_stale(struct x64_compiler *c);

/* ---- lower_pair.c ---- */
/* Are the hints of calls and returns to be followed? */
bool pair_is_possible(const struct x64_compiler *c);
/* The pc that exit i, a call, pushed, as a value; 0: it did not. */
unsigned pair_pushed(const struct x64_compiler *c, unsigned i);
void pair_call(struct x64_compiler *c, unsigned i);
/* To the pc in S0. */
void pair_call_to(struct x64_compiler *c, unsigned i);
void pair_jump_to(struct x64_compiler *c);
void pair_return(struct x64_compiler *c);
/* Op i, a CALL_IF, is done where the exit's target is not found. */
bool pair_test_late(struct x64_compiler *c, unsigned i);
/* Does the value in reg need more than that many bits, as a signed number? */
enum x64_cc pair_emit_wider(struct x64_asm *a, unsigned reg, unsigned scratch, unsigned bits);
void pair_stub(struct x64_compiler *c, struct stub *s);

/* ---- lower.c ---- */
/* The copy of a NATIVE op's instruction that lives as long as the code. */
uint64_t lower_native_copy(struct x64_compiler *c, const struct ir_native *n);

/* ---- tables.c ---- */
struct x64_tables {
	const struct x64_exit *exits;
	const struct x64_site *sites;
	const uint64_t *constants;
	unsigned exit_count, site_count, constant_count;
};
/* Can the tables hold it? */
bool tables_fit(const struct x64_site *s);
/* Bytes that they take at most. */
size_t tables_room(const struct x64_tables *t);
/* Become code's tables, in that much memory; returns its end. */
void *tables_write(struct x64_code *code, const struct x64_tables *t, void *memory);
/* The site whose call returns to ret. */
struct x64_site tables_site(const struct x64_code *code, uint64_t ret);
/* What PLACE_CONST of a site means. */
const uint64_t *tables_constants(const struct x64_code *code);

/* ---- thunk.c ---- */
bool x64_thunks_write(struct x64_jit *j);

/* ---- pieces.c ---- */
void x64_pieces_write(struct x64_jit *j);

/* ---- run.c: what thunks call ---- */
/* env->flags_* as jit/interp_slow.h takes them: the operands themselves. */
void x64_flags_normalize(struct jit_env *env);
/* Make the slot true (run_flags.c). */
void x64_flags_sync(struct jit_env *env, const struct ir_state_desc *desc);
/* Those that return uint64_t to a block: not 0: the address where to go on instead.  ret: return
 * address in the block.  A value is left in env->bounce. */
uint64_t x64_rt_load(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret);
uint64_t x64_rt_store(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret);
uint64_t x64_rt_commit(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret);
uint64_t x64_rt_group(struct jit_env *env, gva_t addr, uint32_t pack, uint64_t ret);
uint64_t x64_rt_access(struct jit_env *env, gva_t addr, uint32_t access, uint64_t ret);
/* has_recipe: its site has one, made of registers of before the call maybe. */
uint64_t x64_rt_helper(struct jit_env *env, const struct ir_helper *h, uint32_t has_recipe,
		       uint64_t ret);
uint64_t x64_rt_stored(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret);
uint64_t x64_rt_native(struct jit_env *env, const struct ir_native *n, uint32_t unused,
		       uint64_t ret);
uint64_t x64_rt_atomic(struct jit_env *env, uint64_t kind, uint32_t unused, uint64_t ret);
uint64_t x64_rt_env_bits(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret);
uint64_t x64_rt_bits(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret);
/* Where to go on: 0: leave, env->why says why. */
uint64_t x64_rt_transfer(struct jit_env *env, const struct ir_helper *h, uint32_t unused,
			 uint64_t ret);
uint64_t x64_rt_link(struct jit_env *env, uint64_t unused1, uint32_t unused2, uint64_t ret);
uint64_t x64_rt_miss(struct jit_env *env, uint64_t pc);
uint64_t x64_rt_dispatch(struct jit_env *env);
